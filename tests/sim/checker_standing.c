/* Who is kept out of which station, and what a worker can do by an operator's word, judged from the history alone. From the document: whoever is suspended is given nothing
 * there, loses at once what he holds there, and no result of his counts there meanwhile; what he had answered at tasks that are not decided counts no more, also when he
 * may come back. A station is its name, in all versions of its line; in these worlds the name tells the index, and a jury's that of its tournament. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

#define JURY_NAME 16

uint64_t ck_name_of(const struct fact *station)
{
    return station->ties >= TIES_JURY_FIRST ? JURY_NAME + station->jury : station->index;
}

uint64_t ck_place(uint64_t worker, uint64_t line, uint64_t name)
{
    return worker << 24 | line << 8 | name;
}

static struct ck_standing *standing_at(const struct checker *c, uint64_t worker, const struct fact *station)
{
    return ck_get(&c->standings, ck_place(worker, station->line, ck_name_of(station)));
}

bool ck_kept_out(const struct checker *c, uint64_t worker, const struct fact *station)
{
    const struct ck_standing *s = standing_at(c, worker, station);
    return s && s->standing;
}

void ck_standing_told(struct checker *c, const struct fact *f)
{
    struct ck_standing *s = ck_make(&c->standings, ck_place(f->worker, f->line, f->index), sizeof *s);
    if (s->standing == f->state)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": worker %" PRIu64 " is told again to stand at %u", f->seq,
                   f->worker, f->state);
    if (f->state && !s->standing) {
        s->void_result = c->newest_result;
        s->taken_back = c->step;
        c->kept_out = c->step;
    }
    uint32_t was = s->standing;
    s->standing = (uint8_t)f->state;
    s->changed = c->step;
    ck_bar_standing(c, f, was);
}

/* An answer is void: its worker was suspended since he gave it. */
static void one_void(struct checker *c, const struct fact *f, struct ck_task *t)
{
    const struct ck_station *st = ck_get(&c->stations, f->station);
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    const struct ck_standing *s = a && st ? standing_at(c, a->worker, &st->f) : NULL;
    if (!s || a->run != f->run || a->unit != f->unit || a->station != f->station || a->state != CK_COUNTED ||
        a->result > s->void_result || !t->accepted) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": the answer of assignment %" PRIu64
                   " is void, and its worker was not suspended since",
                   f->seq, f->assignment);
        return;
    }
    ck_move_assignment(c, f, a, CK_LATE, 1u << CK_COUNTED);
    a->voided = t->voided = true;
    t->accepted--;
}

/* assignment 0: all were told, and so many answers are wanted now. */
void ck_void(struct checker *c, const struct fact *f, struct ck_task *t)
{
    const struct fact *copies = ck_copies(c, f->station);
    if (f->assignment) {
        one_void(c, f, t);
        return;
    }
    if (!copies || f->count < copies->copies_min || f->count < t->accepted + t->outstanding ||
        f->count > ck_wanted(copies, t))
        ck_verdict(c, OVER_ASKED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u wants %" PRIu64
                   " answers, with void ones gone: %u outstanding, %u accepted of %u wanted",
                   f->seq, f->run, f->unit, f->station, f->count, t->outstanding, t->accepted,
                   copies ? ck_wanted(copies, t) : 0);
    t->wanted = (uint32_t)f->count;
}

bool ck_is_void(const struct checker *c, const struct ck_assignment *a, const struct fact *copies)
{
    const struct ck_standing *s = a->state == CK_COUNTED ? standing_at(c, a->worker, copies) : NULL;
    return s && a->result <= s->void_result;
}

/* A task is decided: none of its answers may be void. */
void ck_no_void_counts(struct checker *c, const struct fact *f, const struct ck_task *t)
{
    const struct fact *copies = ck_copies(c, f->station);
    for (const struct ck_assignment *a = copies ? ck_get(&c->assignments, t->newest) : NULL; a;
         a = ck_get(&c->assignments, a->prev))
        if (ck_is_void(c, a, copies))
            ck_verdict(c, VOID_COUNTS,
                       "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                       " station %u is decided with an answer of worker %" PRIu64 ", who was suspended since",
                       f->seq, f->run, f->unit, f->station, a->worker);
}

/* He had it in hand, and lost it because he was suspended. */
void ck_taken_back(struct checker *c, const struct fact *f, const struct ck_assignment *a)
{
    const struct ck_station *st = ck_get(&c->stations, a->station);
    if (st && !ck_kept_out(c, a->worker, &st->f))
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": assignment %" PRIu64 " is taken back, and its worker is not suspended", f->seq,
                   f->assignment);
}

void ck_standings_judge(struct checker *c)
{
    if (c->kept_out != c->step)
        return;
    for (size_t i = 0; i < c->assignments.cap; i++) {
        const struct ck_assignment *a = c->assignments.v[i].p;
        const struct ck_station *st = a && a->run && a->state <= CK_BEGUN ? ck_get(&c->stations, a->station) : NULL;
        const struct ck_standing *s = st ? standing_at(c, a->worker, &st->f) : NULL;
        const struct ck_run *r = s ? ck_get(&c->runs, a->run) : NULL;
        if (s && s->standing && s->taken_back == c->step && r && r->state != 4)
            ck_verdict(c, WRONG_STATE,
                       "worker %" PRIu64 " was suspended from station %u, and keeps assignment %" PRIu64, a->worker,
                       a->station, c->assignments.v[i].key);
    }
}

/* ---- what he can do ---- */

void ck_skill_told(struct checker *c, const struct fact *f)
{
    struct ck_skill *k = ck_make(&c->skills, f->worker << 8 | f->index, sizeof *k);
    struct ck_worker *w = ck_get(&c->workers, f->worker);
    if (w)
        w->told_anew = c->step;
    if (f->state == SKILL_IS_LOWERED) {
        ck_lowered(c, f);
        k->is_lowered = true; /* what was granted stays below it */
        k->lowered = (uint8_t)f->count;
        return;
    }
    *k = (struct ck_skill){ 0 };
    if (f->state == SKILL_IS_GRANTED) {
        k->granted = (uint8_t)f->count;
        k->until = f->due;
    }
}

uint8_t ck_level(const struct checker *c, const struct ck_worker *w, uint32_t skill, int64_t wall)
{
    const struct ck_skill *k = ck_get(&c->skills, w->f.worker << 8 | skill);
    uint8_t level = w->f.level[skill];
    if (!k)
        return level;
    if (k->granted > level && !(k->until && k->until <= wall))
        level = k->granted;
    return k->is_lowered && k->lowered < level ? k->lowered : level;
}
