/* Tasks for which nobody is left. There may come a moment when of all who are registered, on whatever roster, nobody may be given a task any more: each of
 * those who pass the station's gate has declined it, or did what shuts him out, or, where several answers are wanted, has answered, or is kept out of the station: suspended, in
 * training, or short of what it requires. Such a task must not wait for ever: it is parked, and says why. docs/adr/0016-tournaments.md has the argument.
 *
 *   looked at   when the task is ready and, with copies, nobody holds another place of it: as it becomes ready, as its last holder answers, declines or gives it back,
 *               and as an answer to it comes too late to count
 *   and         by a sweep over what is ready at a station, after a roster lost somebody, or somebody was kept out, who may have been the last, and after
 *               a roster gained somebody who may be the only one, and may not do what builds upon his own work
 *   brought     back by a sweep over what was parked so at a station, after a roster gained somebody, or somebody may come back
 *
 * A task waits where nobody may do anything at the station now and nobody has had it: that is a matter of the station, not of the task. Of a jury it is parked even then: its
 * entries are somebody's work, and wait. Signed in or not, on shift or not makes no difference: only who is registered. Nor whose alone a task is for a while after a review:
 * that time ends. How many are left is exact, however many there are (staff.c); while they are being counted no task is looked at, and all are when that is over.
 *
 * Each queue counts what was parked so, and what of a station without copies is ready and was declined: so a roster's change costs nothing where there is
 * nothing to find. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/engine/copies.h"
#include "broker/engine/numbers.h"

struct taken_part {
    uint32_t n,
        n_out; /* how many of the staff are shut out of the task, and how many of these are kept out of the station, too */
    uint32_t staff, out; /* how many there are, and how many of them are kept out */
    bool had;            /* somebody has had the task itself, whether he is on a roster or not */
};

/* Into e->parted, perhaps more than once. */
static void shut_out(struct engine *e, uint32_t gate, struct taken_part *p, uint32_t worker)
{
    if (!gate_takes(e, gate, worker_at(e, worker)))
        return;
    uint32_t *v = grow(e, e->parted, &e->parted_cap, p->n + 1, sizeof *v);
    if (!v)
        return;
    e->parted = v;
    v[p->n++] = worker;
}

/* Those who were given the task and will not be again. An answer is the end of that only where it has copies: a review may send others back. */
static void shut_out_by_it(struct engine *e, const struct station *st, uint32_t gate, struct taken_part *p,
                           uint64_t newest)
{
    for (struct link x = chain_at(e, newest); x.no && !e->rc; x = chain_next(e, x))
        if (is_declined(x.a) || (x.a->state != ASSIGN_RETURNED && has_copies(st))) {
            p->had = true;
            shut_out(e, gate, p, x.a->worker);
        }
}

/* Those who did what this task must not be done by. */
static void shut_out_before(struct engine *e, uint32_t gate, struct taken_part *p, uint64_t newest)
{
    for (struct link x = chain_at(e, newest); x.no && !e->rc; x = chain_next(e, x))
        if (x.a->state == ASSIGN_COUNTED)
            shut_out(e, gate, p, x.a->worker);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return order_of(x, y);
}

/* Each of them once. */
static void each_once(struct engine *e, uint32_t gate, struct taken_part *p)
{
    uint32_t *v = e->parted, n = 0;
    if (p->n > 1)
        sort(e, v, p->n, sizeof *v, by_number);
    for (uint32_t i = 0; i < p->n; i++)
        if (!i || v[i] != v[i - 1]) {
            n++;
            p->n_out += staff_is_out(e, gate, v[i]);
        }
    p->n = n;
}

/* So many at most did what comes before a task of this station, and are shut out by that. Of work that is never reviewed one result counts. */
static uint32_t most_before(const struct station *st)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < st->def->not_did_count; i++) {
        const struct ld_station *b = &st->lv->stations[st->def->not_did[i]];
        bool rounds = b->type == LD_IMPROVE || b->reviewed_by >= 0;
        most += b->copies.max ? COUNTED_MAX : rounds ? UINT8_MAX + 1 : 1;
    }
    return most;
}

/* Is it certain without a look that somebody is left? Each who counted is one, and so is each who did what comes before; who declined or was late is not counted. */
static bool surely_enough(const struct station *st, const uint8_t *t, uint32_t staff)
{
    uint32_t most = most_before(st) + (has_copies(st) ? t[ST_COUNTED] : 0);
    return !(t[ST_FLAGS] & STATE_FLAG_DECLINED) && staff > most;
}

/* Nobody is left for this task, which nobody holds. */
static bool nobody_left(struct engine *e, struct rq *q, uint64_t unit, struct taken_part *p)
{
    const struct ld_station *s = q->st->def;
    uint8_t *h = unit_head(e, q->run, unit, false);
    const uint8_t *t = h ? unit_station(h, q->st->idx) : NULL;
    if (!t || (!has_copies(q->st) && !s->not_did_count && !(t[ST_FLAGS] & STATE_FLAG_DECLINED)))
        return false;
    uint32_t gate = gate_of(e, q->st);
    *p = (struct taken_part){ 0 };
    if (gate == UINT32_MAX)
        return false;
    /* if not, how many are shut out is needed when they are counted: of who declined no line says how many they may be */
    bool known = staff_known(e, gate, &p->staff, &p->out);
    if (known ? surely_enough(q->st, t, p->staff - p->out) : !(t[ST_FLAGS] & STATE_FLAG_DECLINED))
        return false;
    uint64_t newest = get_u48(t + ST_ASSIGN), before[SL_LINE_STATIONS_MAX];
    for (uint32_t i = 0; i < s->not_did_count; i++)
        before[i] = get_u48(unit_station(h, s->not_did[i]) + ST_ASSIGN);
    shut_out_by_it(e, q->st, gate, p, newest);
    for (uint32_t i = 0; i < s->not_did_count && !e->rc; i++)
        shut_out_before(e, gate, p, before[i]);
    each_once(e, gate, p);
    if (p->n > q->st->most_shut_out)
        q->st->most_shut_out = p->n;
    return !e->rc && known && p->n - p->n_out == p->staff - p->out && (p->n || p->had || s->type == LD_JURY);
}

static bool held(const struct station *st, const uint8_t *t)
{
    return has_copies(st) && t[ST_HELD];
}

static enum dead_why dead_why(const struct station *st, const struct taken_part *p)
{
    return st->def->type == LD_JURY ? DEAD_NO_JURY : p->out ? DEAD_KEPT_OUT : DEAD_NOBODY;
}

/* "of 3 workers who may do it, all have declined it" */
static void say_who(const char *may, const char *have, const struct taken_part *p, char *who, size_t size)
{
    static const char out[] = "kept out (suspended, in training or short of what the station requires)";
    if (!p->staff)
        snprintf(who, size, "no worker is registered who may %s", may);
    else if (!p->out)
        snprintf(who, size, "of %u workers who may %s, all have %s", p->staff, may, have);
    else if (p->out == p->staff)
        snprintf(who, size, "all %u workers who may %s are %s", p->staff, may, out);
    else
        snprintf(who, size, "of %u workers who may %s, %u %s %s and the others have %s", p->staff, may, p->out,
                 p->out == 1 ? "is" : "are", out, have);
}

static void say_why(struct engine *e, const struct station *st, const uint8_t *t, const struct taken_part *p, char *why,
                    size_t size)
{
    char who[NOBODY_TEXT - 60];
    bool jury = st->def->type == LD_JURY;
    if (!has_copies(st)) {
        say_who(is_review(st) ? "review it" : "do it",
                st->def->not_did_count ? "declined it or had a part in what it builds upon" : "declined it", p, who,
                sizeof who);
        snprintf(why, size, "nobody is left: %s", who);
        return;
    }
    unsigned has = t[ST_COUNTED], wants = has + copies_open(e, st->def, t);
    say_who(jury ? "judge" : "answer", "had a part in it", p, who, sizeof who);
    snprintf(why, size, "nobody is left: of %u %s wanted %u are in, and %s", wants,
             jury                             ? "votes"
             : st->def->type == LD_TOURNAMENT ? "entries"
                                              : "answers",
             has, who);
}

void nobody_check(struct engine *e, struct rq *q, uint64_t unit)
{
    struct taken_part p;
    char why[NOBODY_TEXT];
    uint8_t *h = unit_head(e, q->run, unit, false);
    const uint8_t *t = h ? unit_station(h, q->st->idx) : NULL;
    if (!t || h[UH_STATE] != UNIT_OPEN || t[ST_STATE] != TASK_READY || held(q->st, t) || !nobody_left(e, q, unit, &p))
        return;
    if (!(h = unit_head(e, q->run, unit, true)))
        return;
    say_why(e, q->st, unit_station(h, q->st->idx), &p, why, sizeof why);
    if (has_copies(q->st))
        copies_park(e, q->run, unit, h, q->st->idx, dead_why(q->st, &p), why, strlen(why));
    else
        task_dead(e, q->run, unit, h, q->st->idx, dead_why(q->st, &p), why, strlen(why));
}

bool nobody_for(struct engine *e, struct rq *q, uint64_t unit, char *why, size_t size)
{
    struct taken_part p;
    uint8_t *h = unit_head(e, q->run, unit, false);
    if (!h || held(q->st, unit_station(h, q->st->idx)) || !nobody_left(e, q, unit, &p) ||
        !(h = unit_head(e, q->run, unit, false)))
        return false;
    say_why(e, q->st, unit_station(h, q->st->idx), &p, why, size);
    return true;
}

/* A parked one for which there is somebody now. */
static bool bring_back(struct engine *e, struct rq *q, uint64_t unit)
{
    static const char why[] = "somebody has come who may do it";
    char still[NOBODY_TEXT];
    uint8_t *h = unit_head(e, q->run, unit, false);
    uint32_t gate = gate_of(e, q->st), staff, out;
    if (!h || h[UH_STATE] != UNIT_OPEN || unit_station(h, q->st->idx)[ST_STATE] != TASK_DEAD || gate == UINT32_MAX ||
        !staff_known(e, gate, &staff, &out) || staff == out || nobody_for(e, q, unit, still, sizeof still))
        return false;
    if (!(h = unit_head(e, q->run, unit, true)))
        return false;
    dead_forget(e, q->run, q->st->idx, unit);
    task_set(e, q->run, h, q->st->idx, TASK_READY);
    queue_ready(e, q, LANE_RETURNED, unit, WHY_STAFFED);
    history_add(e, q->run, unit, q->st->idx, WHY_STAFFED, 0, 0, why, sizeof why - 1);
    return true;
}

/* ---- rosters change ---- */

static bool waits_to_begin(const struct engine *e, enum sweep_what what, uint32_t station)
{
    for (uint32_t i = 0; i < e->sweeps; i++)
        if (e->sweep[i].what == what && e->sweep[i].station == station && !e->sweep[i].run && !e->sweep[i].cursor)
            return true;
    return false;
}

#define LEFT_MAX 1000 /* so many may have declined one task before the start without being seen since */

/* Where of all that is ready something may be whose last one has left: without copies, what was declined or builds upon other work. If nobody left (!fewer), and some
 * came, what builds upon their own: it waited while nobody might do anything there, so that there are no more than have come. */
static bool may_be_for_nobody(struct engine *e, struct station *st, bool fewer)
{
    uint32_t staff, out, most = most_before(st) + (has_copies(st) ? COUNTED_MAX : 0);
    bool many = fewer && (has_copies(st) || st->declined);
    if (!st->c.n[TASK_READY] || (!many && !st->def->not_did_count))
        return false;
    if (many && most < LEFT_MAX)
        most = LEFT_MAX;
    if (many && most < st->most_shut_out)
        most = st->most_shut_out;
    if (!fewer && most > e->staff_came)
        most = e->staff_came;
    uint32_t gate = gate_of(e, st);
    return gate != UINT32_MAX && staff_known(e, gate, &staff, &out) && staff - out <= most;
}

void nobody_rosters(struct engine *e)
{
    bool gained = e->staff_gained, lost = e->staff_lost, more, fewer;
    if (!gained && !lost && !e->heads_news)
        return;
    e->staff_gained = e->staff_lost = false;
    for (uint32_t i = 0; i < e->meta.station && !e->rc; i++) {
        struct station *st = e->station[i];
        staff_news(e, st, &more, &fewer);
        if ((gained || more) && st->nobody && !waits_to_begin(e, SWEEP_STAFFED, st->id))
            sweep_start(e, SWEEP_STAFFED, 0, st->id, "", 0);
        if ((lost || fewer || gained) && may_be_for_nobody(e, st, lost || fewer) &&
            !waits_to_begin(e, SWEEP_UNSTAFFED, st->id))
            sweep_start(e, SWEEP_UNSTAFFED, 0, st->id, "", 0);
    }
    e->staff_came = 0;
    staff_told(e);
}

/* How many are left at the station's gate must be known where tasks may have lost their last one or may be brought back, be the run paused or not: of what changes
 * later, only those hear who have counted before. */
static void count(struct engine *e, struct station *st)
{
    uint32_t staff, out, gate = st->nobody ? gate_of(e, st) : UINT32_MAX;
    if (!may_be_for_nobody(e, st, true) && gate != UINT32_MAX)
        staff_known(e, gate, &staff, &out);
    if (st->gate)
        staff_counted_anew(e, st->gate - 1);
}

void nobody_gates_anew(struct engine *e, uint32_t key)
{
    for (uint32_t i = 0; i < e->meta.station && !e->rc; i++)
        if (e->station[i] && e->station[i]->key == key)
            count(e, e->station[i]);
}

/* What was being counted, is counted anew; a sweep that was under way begins anew, rather than that another one joins it at each start. */
void nobody_boot(struct engine *e)
{
    for (uint32_t i = 0; i < e->sweeps; i++)
        if (e->sweep[i].what == SWEEP_STAFFED) {
            e->sweep[i].run = 0;
            e->sweep[i].cursor = 0;
        }
    for (uint32_t i = 0; i < e->m.gates; i++)
        staff_forget(e, &e->m.gate[i]);
    for (uint32_t i = 0; i < e->meta.station && !e->rc; i++) {
        e->station[i]->most_shut_out = 0;
        count(e, e->station[i]);
    }
}

/* Rows of DEAD from (run, cursor) on: cursor is the next unit. */
bool nobody_step_staffed(struct engine *e, struct sweep *s, uint32_t rows)
{
    struct station *st = e->station[s->station - 1];
    uint8_t k[16];
    for (; rows && !e->rc; rows--) {
        struct row row;
        key_u64(key_u32(key_u32(k, st->id), s->run), s->cursor);
        if (!row_from(e, TABLE_DEAD, k, sizeof k, 4, &row))
            return true;
        struct rdr r = rdr_on(row.v.p, row.v.n);
        uint8_t why = rdr_u8(&r);
        s->run = key_get_u32(row.k + 4);
        s->cursor = key_get_u64(row.k + 8) + 1;
        struct run *run = s->run && s->run <= e->meta.run ? e->run[s->run - 1] : NULL;
        if (dead_for_want(why) && run && run->state <= RUN_CLOSED)
            s->count += bring_back(e, &run->rq[st->idx], s->cursor - 1);
    }
    return false;
}

#define LANE_AT 62 /* of the cursor: the lane, then where in it */

/* Of a segment the entries from the first to `left`, from behind: entries that were taken meanwhile move those that are still to be looked at no further back
 * than that. How many are left, after `most` at most. */
static uint64_t look_back(struct engine *e, struct rq *q, const struct ranges *r, uint64_t left, uint64_t most,
                          struct sweep *s)
{
    uint64_t behind = r->total - left;
    for (uint32_t i = r->n; i-- > 0 && left && most && !e->rc;) {
        const struct range *g = &r->v[i];
        uint64_t passed = behind < g->count ? behind : g->count;
        behind -= passed;
        for (uint64_t at = g->count - passed; at-- > 0 && most && !e->rc; most--, left--) {
            uint64_t dead = q->c.n[TASK_DEAD];
            nobody_check(e, q, g->first + at);
            s->count += q->c.n[TASK_DEAD] - dead;
        }
    }
    return left;
}

/* What is ready at the station: run by run, lane by lane, a segment at a time; at_unit: of the segment at hand so many entries are left, 0: all. Of a station
 * where only a decline can shut out, what was declined, which lies among what came back. */
bool nobody_step_unstaffed(struct engine *e, struct sweep *s, uint32_t units)
{
    struct station *st = e->station[s->station - 1];
    enum lane lanes = has_copies(st) || st->def->not_did_count ? LANES : LANE_RETURNED + 1;
    struct ranges r = { 0 };
    if (!s->run)
        s->run = 1;
    while (s->run <= e->meta.run && units && !e->rc) {
        struct run *run = e->run[s->run - 1];
        enum lane l = (enum lane)(s->cursor >> LANE_AT);
        uint64_t from = s->cursor & ((1ull << LANE_AT) - 1), pos = from;
        if (!run || run->state > RUN_CLOSED || run->lv != st->lv || l >= lanes) {
            s->run++;
            s->cursor = s->at_unit = 0;
            continue;
        }
        struct rq *q = &run->rq[st->idx];
        if (!q->c.n[TASK_READY] || !queue_segment(e, q, l, &pos, &r)) {
            s->cursor = (uint64_t)(l + 1) << LANE_AT;
            s->at_unit = 0;
            continue;
        }
        uint64_t at = pos - 1, left = s->at_unit && at == from && s->at_unit < r.total ? s->at_unit : r.total;
        s->at_unit = look_back(e, q, &r, left, units, s);
        units -= (uint32_t)(left - s->at_unit);
        s->cursor = (uint64_t)l << LANE_AT | (s->at_unit ? at : pos);
    }
    ranges_free(&r);
    return s->run > e->meta.run;
}
