/* Tournaments, judged from the history alone: what each juror chose is known from what he saw. Who won, by which rule, with which places, and that no vote was asked for
 * which could not matter. And of a task that was parked because nobody is left: whether that is so. See checker_model.h. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

#define ENTRIES_MAX 8

void ck_placed(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    if (!a || a->run != f->run || a->unit != f->unit || a->station != f->station || a->state != CK_COUNTED ||
        a->place) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": assignment %" PRIu64 " is placed, and is no entry of run %" PRIu64
                   " unit %" PRIu64,
                   f->seq, f->assignment, f->run, f->unit);
        return;
    }
    a->place = (uint32_t)f->count;
    a->score = f->state;
}

/* With so many votes cast: has somebody won? Nobody can have as many with what is left (or, where the first of equals wins, more). */
static bool settled(const struct fact *jury, const uint32_t *votes, uint32_t n, uint32_t cast, uint32_t *winner)
{
    uint32_t left = cast < jury->copies_max ? jury->copies_max - cast : 0, first = 0, even = 0;
    for (uint32_t i = 0; i < n; i++)
        first = votes[i] > votes[first] ? i : first;
    *winner = first;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t could = votes[i] + left;
        if (i == first)
            continue;
        even += votes[i] == votes[first];
        if (left && (could > votes[first] || (could == votes[first] && (jury->ties != TIES_JURY_FIRST || i < first))))
            return false;
    }
    return !even || jury->ties != TIES_JURY_FAIL;
}

static bool places_right(const struct ck_assignment *const *e, const uint32_t *score, uint32_t n, uint32_t winner,
                         bool shared)
{
    uint32_t won = 0;
    for (uint32_t i = 0; i < n; i++)
        won += i == winner || (shared && e[i]->route == e[winner]->route);
    for (uint32_t i = 0; i < n; i++) {
        bool is = i == winner || (shared && e[i]->route == e[winner]->route);
        uint32_t before = won;
        for (uint32_t k = 0; k < n; k++)
            before += !(k == winner || (shared && e[k]->route == e[winner]->route)) && score[k] > score[i];
        if (e[i]->score != score[i] || e[i]->place != (is ? 1 : before + 1))
            return false;
    }
    return true;
}

static void judge(struct checker *c, const struct ck_run *r, size_t unit, const struct fact *jury,
                  const struct ck_task *t, const struct ck_task *entries)
{
    const struct ck_assignment *e[ENTRIES_MAX], *v[64];
    uint32_t score[ENTRIES_MAX] = { 0 }, winner = 0, n = ck_answers(c, entries, e, ENTRIES_MAX, NULL),
             votes = ck_answers(c, t, v, 64, NULL);
    bool right = n == entries->accepted, early = false;
    for (uint32_t i = 0; t->at_once && i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            score[i] += e[k]->route == e[i]->route;
    if (t->at_once) {
        for (uint32_t i = 0; i < n; i++)
            winner = score[i] > score[winner] ? i : winner;
        const struct ck_station *of = ck_get(&c->stations, r->first + jury->jury);
        right = right && of && of->f.equal && score[winner] >= of->f.equal && !votes;
    }
    for (uint32_t i = 0; !t->at_once && i < votes; i++) {
        uint32_t k = 0;
        early = early || (i && settled(jury, score, n, i, &winner));
        while (k < n && ck_get(&c->assignments, v[i]->entry) != e[k])
            k++;
        right = right && k < n;
        if (k == n)
            continue;
        score[k]++;
        if (e[k]->worker == v[i]->worker)
            ck_verdict(c, NOT_ELIGIBLE, "run %" PRIu64 " unit %zu: worker %" PRIu64 " voted for his own entry", r->id,
                       unit, v[i]->worker);
    }
    if (!t->at_once)
        right = right && settled(jury, score, n, votes, &winner);
    right = right && t->winner && ck_get(&c->assignments, t->winner) == e[winner] && t->votes == score[winner] &&
            places_right(e, score, n, winner, t->at_once);
    if (!right)
        ck_verdict(c, WRONG_STATE,
                   "run %" PRIu64 " unit %zu: of %u entries (%u, %u, %u votes of %u) assignment %" PRIu64
                   " won with %u",
                   r->id, unit, n, score[0], score[1], score[2], votes, t->winner, t->votes);
    if (early)
        ck_verdict(c, OVER_ASKED, "run %" PRIu64 " unit %zu: %u votes, and fewer had settled it", r->id, unit, votes);
}

void ck_judge_contest(struct checker *c, const struct ck_run *r, size_t unit)
{
    for (uint32_t i = 0; i < r->stations; i++) {
        const struct fact *jury = ck_copies(c, r->first + i);
        const struct ck_task *t = &r->unit[unit - 1]->task[i];
        if (jury && jury->ties >= TIES_JURY_FIRST && t->state == CK_DONE)
            judge(c, r, unit, jury, t, &r->unit[unit - 1]->task[jury->jury]);
    }
}

/* ---- nobody is left ---- */

bool ck_fits(struct checker *c, const struct ck_station *s, const struct ck_worker *w, int64_t wall)
{
    bool fit = w->on && !(s->f.wkind && (s->f.wkind == 2) != (w->f.wkind == 1)) &&
               !(s->f.shut_hubs >> w->f.index & 1) && !(s->f.shut_teams >> w->f.team & 1);
    for (uint32_t i = 0; fit && i < CHECKER_SKILLS; i++)
        fit = ck_level(c, w, i, wall) >= s->f.level[i];
    return fit;
}

/* Of one who fits: had he no part in it? */
static bool no_part(struct checker *c, const struct fact *f, const struct ck_station *s, const struct ck_task *t,
                    const struct ck_worker *w)
{
    bool may = !ck_did_before(c, f->run, f->unit, w->f.worker, s);
    for (const struct ck_assignment *a = may ? ck_get(&c->assignments, t->newest) : NULL; a;
         a = ck_get(&c->assignments, a->prev))
        if (a->worker == w->f.worker && (ck_declined(a) || (a->state != CK_RETURNED && s->f.copies_max > 0)))
            return false;
    return may;
}

bool ck_could(struct checker *c, const struct fact *f, const struct ck_station *s, const struct ck_task *t,
              const struct ck_worker *w)
{
    return ck_fits(c, s, w, f->wall) && no_part(c, f, s, t, w);
}

/* The next one who fits, from place *i of all workers on; NULL: there is none. */
static const struct ck_worker *next_fit(struct checker *c, const struct ck_station *s, int64_t wall, size_t *i)
{
    while (*i < c->workers.cap) {
        const struct ck_worker *w = c->workers.v[(*i)++].p;
        if (w && ck_fits(c, s, w, wall))
            return w;
    }
    return NULL;
}

/* NULL: nobody is left who may do it; nor is anybody who may or may not be kept out. */
static const struct ck_worker *somebody(struct checker *c, const struct fact *f, const struct ck_station *s,
                                        const struct ck_task *t)
{
    const struct ck_worker *w;
    size_t i = 0;
    while ((w = next_fit(c, s, f->wall, &i)))
        if (no_part(c, f, s, t, w) && ck_out(c, w->f.worker, &s->f, f->wall) == CK_IN)
            return w;
    return NULL;
}

/* Is there one who fits, and is or may be kept out? */
static bool somebody_out(struct checker *c, const struct fact *f, const struct ck_station *s)
{
    const struct ck_worker *w;
    size_t i = 0;
    while ((w = next_fit(c, s, f->wall, &i)))
        if (ck_out(c, w->f.worker, &s->f, f->wall) != CK_IN)
            return true;
    return false;
}

void ck_nobody(struct checker *c, const struct fact *f, const struct ck_task *t)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    bool of_before = f->why == PARKED_KEPT_OUT && ck_stirred(c); /* whoever could do it may not be looked at anew yet */
    if (!s || t->outstanding || (f->why == PARKED_WITHOUT_JURY) != (s->f.ties >= TIES_JURY_FIRST) ||
        (f->why == PARKED_KEPT_OUT && !of_before && !somebody_out(c, f, s)))
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u is parked for nobody (%u), with %u outstanding",
                   f->seq, f->run, f->unit, f->station, f->why, t->outstanding);
    const struct ck_worker *w = s && !of_before ? somebody(c, f, s, t) : NULL;
    if (w)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u is parked for nobody, worker %" PRIu64 " could do it",
                   f->seq, f->run, f->unit, f->station, w->f.worker);
}

bool checker_own_work(struct checker *c, const struct fact *f)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    const struct ck_worker *w;
    bool any = false;
    size_t i = 0;
    while (s && (w = next_fit(c, s, f->wall, &i))) {
        if (!ck_did_before(c, f->run, f->unit, w->f.worker, s))
            return false;
        any = true;
    }
    return any;
}

void ck_left_over(struct checker *c, const struct fact *f, const struct ck_run *r, const struct ck_unit *u)
{
    bool for_nobody = false;
    for (uint32_t i = 0; i < r->stations; i++) {
        const struct ck_task *t = &u->task[i];
        const struct ck_station *s = ck_get(&c->stations, r->first + i);
        const struct ck_worker *w = t->state == CK_DEAD && s ? somebody(c, f, s, t) : NULL;
        for_nobody = for_nobody || t->state == CK_DEAD;
        if (w)
            ck_verdict(c, UNFINISHED,
                       "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " is dropped at last, worker %" PRIu64
                       " could do it at station %u",
                       f->seq, f->run, f->unit, w->f.worker, r->first + i);
    }
    if (!for_nobody)
        ck_verdict(c, UNFINISHED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " is dropped at last, none of its tasks is dead",
                   f->seq, f->run, f->unit);
}

/* Of what became ready in this step, or was answered too late, or did so a while ago where a while is granted, and still is ready: somebody must be left for it, or nobody at all may work there; of a jury, somebody in any case. */
void ck_somebody(struct checker *c)
{
    size_t later = 0;
    for (size_t k = 0; k < c->waits_n; k++) {
        const struct ck_waits waits = c->waits[k];
        const struct fact f = { .run = waits.run, .unit = waits.unit, .station = waits.station, .wall = waits.wall };
        const struct ck_run *r = ck_get(&c->runs, f.run);
        const struct ck_unit *u = ck_unit(c, f.run, f.unit);
        const struct ck_station *s = ck_get(&c->stations, f.station);
        const struct ck_task *t = u && s ? &u->task[s->f.index] : NULL;
        bool any = s && s->f.ties >= TIES_JURY_FIRST, left = false;
        if (!t || r->state > 1 || u->state || t->state != CK_READY || t->outstanding)
            continue;
        const struct ck_worker *w;
        size_t i = 0;
        while (!left && (w = next_fit(c, s, f.wall, &i))) {
            bool may = no_part(c, &f, s, t, w);
            any = any || !may; /* somebody had a part in it */
            left = may && ck_out(c, w->f.worker, &s->f, f.wall) != CK_OUT;
        }
        if (any && !left && c->at - waits.at < c->patience_us)
            c->waits[later++] = waits;
        else if (any && !left)
            ck_verdict(c, WRONG_STATE,
                       "run %" PRIu64 " unit %" PRIu64 " station %u waits, and nobody is left who may do it", f.run,
                       f.unit, f.station);
    }
    c->waits_n = later;
}
