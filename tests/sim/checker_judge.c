/* What is judged at each step: the answers, by the matrix and the state before the step; and what the step left behind. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

#define FAIR_BOUND 2 /* argued in docs/adr/0008-fair-shares.md */

/* ---- answers: what the matrix says, by the state when the step began ---- */

enum {
    OK_ = 0,
    DUPLICATE = 1,
    LATE_ = 2,
    NOT_FOUND = 30,
    STALE = 32,
    BAD_STATE = 40,
    NOT_YOURS = 43,
    BAD_RESULT = 52,
    TOO_BIG = 17
};

/* At a station with copies: the worker's own place, an open one, that of an answer which is void, or that of somebody who has not begun. */
static bool copies_count(const struct checker *c, const struct ck_run *r, const struct ck_unit *u,
                         const struct ck_task *t, const struct ck_assignment *a)
{
    const struct fact *copies = ck_copies(c, a->station);
    bool idle = false, mine = false, gone = false;
    if (r->state > 1 || u->state || t->state == CK_DONE || t->state == CK_SKIPPED || t->state == CK_ENDED)
        return false;
    if (ck_kept_out(c, a->worker, copies))
        return false;
    if (a->state <= CK_BEGUN)
        return true;
    for (const struct ck_assignment *o = ck_get(&c->assignments, t->newest); o; o = ck_get(&c->assignments, o->prev)) {
        if (o->worker == a->worker && o->state == CK_COUNTED)
            return false;
        mine = mine || (o->worker == a->worker && o->state <= CK_BEGUN);
        idle = idle || o->state == CK_HANDED;
        gone = gone || ck_is_void(c, o, copies);
    }
    return mine || idle || gone || t->outstanding + t->accepted < ck_wanted(copies, t);
}

/* By what was before this step, or (now) in the midst of it, by what it told already. */
static bool submit_counts(struct checker *c, const struct ck_run *r, const struct ck_unit *u, const struct ck_task *t,
                          const struct ck_assignment *a, uint64_t assignment, bool now)
{
    bool before = !now && t->changed == c->step;
    uint8_t state = before ? t->was : t->state;
    uint64_t holder = before ? t->was_holder : t->holder;
    if (r->state > 1 || u->state)
        return false;
    if (ck_copies(c, a->station))
        return copies_count(c, r, u, t, a);
    const struct ck_station *st = ck_get(&c->stations, a->station);
    if (!ck_verdict_counts(c, a) || assignment < t->since || (st && ck_kept_out(c, a->worker, &st->f)))
        return false;
    if (state == CK_STARTED)
        return holder == assignment;
    return state == CK_ASSIGNED || state == CK_READY || state == CK_WAITING || state == CK_DEAD;
}

static uint32_t expected(struct checker *c, const struct fact *f, const struct ck_assignment *a,
                         const struct ck_task *t)
{
    static const uint8_t ends[] = { [2] = 3, [3] = 4, [4] = 6, [5] = 9 };
    if (a->worker != f->worker || a->hub != ck_hub_of(c, f->session))
        return NOT_YOURS;
    if (f->act == 6 && a->state != CK_COUNTED && a->state != CK_LATE) {
        const struct ck_unit *u = ck_unit(c, a->run, a->unit);
        return submit_counts(c, ck_get(&c->runs, a->run), u, t, a, f->assignment, false) ? OK_ : LATE_;
    }
    switch (a->state) {
    case CK_HANDED: return f->act == 1 ? BAD_STATE : OK_;
    case CK_BEGUN: return f->act == 0 ? DUPLICATE : OK_;
    case CK_COUNTED: return f->act == 6 ? DUPLICATE : STALE;
    case CK_LATE: return f->act == 6 ? LATE_ : STALE;
    default: return f->act >= 2 && a->why == ends[f->act] ? DUPLICATE : STALE;
    }
}

/* Nobody sends it again, so a good one is lost. Where it is not known what was sent, whoever refuses it is believed. */
bool ck_refused_good(struct checker *c, const struct fact *f, const struct ck_assignment *a)
{
    if (f->act != 6 || (f->code != BAD_RESULT && f->code != TOO_BIG))
        return false;
    if (a->sents && !a->bad_sent)
        ck_verdict(c, LOST,
                   "the answer of worker %" PRIu64 " under assignment %" PRIu64 " is good, and refused: code %u",
                   f->worker, f->assignment, f->code);
    return true;
}

/* An earlier item of the same frame may have changed who is kept out, by a rule, and its events come after the answers. They come in the order of the items:
 * when this one's event comes, all that was before it is told. */
bool ck_doubted(struct checker *c, const struct fact *f, const struct ck_assignment *a)
{
    if (f->act != 6 || f->code != OK_ || !ck_may_be_freed(c, a))
        return false;
    c->in_step.doubts =
        ck_more(c->in_step.doubts, &c->in_step.doubts_cap, c->in_step.doubts_n, sizeof *c->in_step.doubts);
    c->in_step.doubts[c->in_step.doubts_n++] = (struct ck_doubt){ f->assignment, a->state, a->why };
    return true;
}

void ck_counted(struct checker *c, const struct fact *f, struct ck_assignment *a)
{
    if (!c->in_step.doubts_n || f->flag || !ck_freed(c, a))
        return;
    const struct ck_run *r = ck_get(&c->runs, a->run);
    bool counts = ck_is_gold(a->unit)
                      ? r && r->state <= 1 && !ck_kept_out(c, a->worker, checker_station(c, a->station))
                      : submit_counts(c, r, ck_unit(c, a->run, a->unit), ck_task_at(c, a), a, f->assignment, true);
    if (counts)
        a->freed = c->step;
}

static void judge_doubts(struct checker *c)
{
    for (size_t i = 0; i < c->in_step.doubts_n; i++) {
        const struct ck_doubt *d = &c->in_step.doubts[i];
        const struct ck_assignment *a = ck_get(&c->assignments, d->assignment);
        if (!a || a->freed != c->step)
            ck_verdict(c, STALE_ACCEPTED,
                       "the result of assignment %" PRIu64
                       " (state %u, why %u) was to be late, and nothing before it in its step says why it counts",
                       d->assignment, d->state, d->why);
    }
    c->in_step.doubts_n = 0;
}

void ck_act(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    struct ck_task *t = a && a->run ? ck_task_at(c, a) : NULL;
    if (f->act == 6 && a)
        a->came = true;
    if (f->act == 6 && f->code <= LATE_ && a) /* acknowledged: it must be there at the end */
        a->acked = (uint8_t)(f->code == LATE_ ? 2 : 1);
    bool gold = a && ck_is_gold(a->unit);
    if (!t && !gold) {
        if (f->code != NOT_FOUND)
            ck_verdict(c, WRONG_STATE, "act %u under assignment %" PRIu64 ", which was never given: code %u", f->act,
                       f->assignment, f->code);
        return;
    }
    if (f->code == OK_ && f->act < 2) { /* the lease begins, or begins again */
        const struct ck_station *s = ck_get(&c->stations, a->station);
        const struct ck_worker *w = ck_get(&c->workers, a->worker);
        int64_t whole = s ? s->f.lease_us : 0, told = f->flag || f->lease_us ? f->lease_us : whole;
        if (told < whole && !(f->act == 1 && w && w->f.digest)) /* only after a shift's end is it renewed for less */
            ck_verdict(c, TOO_EARLY, "assignment %" PRIu64 ": a lease of %" PRId64 " us instead of %" PRId64,
                       f->assignment, told, whole);
        if (f->act == 1 && f->at + told < a->until)
            ck_verdict(c, TOO_EARLY, "assignment %" PRIu64 ": its lease was shortened by %" PRId64 " us", f->assignment,
                       a->until - f->at - told);
        a->until = f->at + told;
    }
    if (gold) {
        ck_gold_act(c, f, a);
        return;
    }
    if (a->judged == c->step ||
        t->judged == c->step) /* an earlier item of the same frame changed it: its events tell */
        return;
    uint32_t want = expected(c, f, a, t);
    if (f->code == OK_ || f->code == LATE_)
        a->judged = t->judged = c->step;
    struct ck_unit *unit = f->code == OK_ && f->act == 6 ? ck_unit(c, a->run, a->unit) : NULL;
    const struct ck_station *st = ck_get(&c->stations, a->station);
    for (uint32_t i = 0; unit && st && i < st->f.stations; i++) { /* work and its review change each other */
        const struct ck_station *o = ck_get(&c->stations, st->f.first + i);
        if (o && (o->f.review == st->f.index + 1 || st->f.review == i + 1))
            unit->task[i].judged = c->step;
    }
    if (f->code == want || ((want == OK_ || want == LATE_) && ck_refused_good(c, f, a)) ||
        (f->act == 6 && f->code == LATE_ && want == OK_ && ck_late_by_rule(c, a)))
        return;
    if (want == LATE_ && ck_doubted(c, f, a))
        return;
    const struct ck_run *r = ck_get(&c->runs, a->run);
    if (r && r->state == 4 && f->code == NOT_FOUND)
        return; /* the run is being deleted, and this part of it is gone */
    bool stale = want == STALE || want == NOT_YOURS || want == LATE_;
    ck_verdict(c, f->code == OK_ && stale ? STALE_ACCEPTED : WRONG_STATE,
               "act %u under assignment %" PRIu64 " (state %u, why %u; task %s) gave code %u, the matrix says %u",
               f->act, f->assignment, a->state, a->why, ck_state_names[t->state], f->code, want);
}

/* ---- what a step must leave behind ---- */

/* What is first for one worker is not for another, where nobody does or reviews what he had a part in: of what was ready before this one, and had been before
 * this step, there must be nothing left that he may do. */
static void judge_first(struct checker *c, const struct ck_first *x)
{
    const struct ck_fifo *q = &x->run->fifo[x->index];
    const struct ck_station *s = ck_get(&c->stations, x->run->first + x->index);
    if (!ck_own_work_aside(s)) /* there one order is everybody's */
        return;
    for (size_t i = q->head; i + 1 < x->place; i++) {
        const struct ck_task *t = &x->run->unit[q->unit[i] - 1]->task[x->index];
        if (t->dispatched || t->state != CK_READY || t->changed == c->step ||
            ck_did_before(c, x->run->id, q->unit[i], x->worker, s))
            continue;
        ck_verdict(c, FIFO,
                   "run %" PRIu64 " unit %" PRIu64 " was dispatched to worker %" PRIu64
                   " at station index %u, unit %" PRIu64 " became ready before it, and he may do it",
                   x->run->id, q->unit[x->place - 1], x->worker, x->index, q->unit[i]);
        return;
    }
}

static bool declined_by(const struct checker *c, const struct ck_task *t, uint64_t worker)
{
    for (const struct ck_assignment *a = ck_get(&c->assignments, t->newest); a; a = ck_get(&c->assignments, a->prev))
        if (a->worker == worker && ck_declined(a))
            return true;
    return false;
}

/* What came back is served before what is fresh: none of these may be left that he may do, and that was ready before this step. (With copies a task that came back
 * waits for whom its other answers are not of.) */
static void judge_returned(struct checker *c, const struct ck_first *x)
{
    uint32_t i = x->index, station = x->run->first + i;
    const struct ck_station *s = ck_get(&c->stations, station);
    if (ck_copies(c, station) || !x->run->counts[i][CK_READY])
        return;
    for (uint64_t unit = 1; unit <= x->run->units; unit++) {
        const struct ck_task *t = &x->run->unit[unit - 1]->task[i];
        if (!(t->dispatched || t->came_back) || t->state != CK_READY || t->changed == c->step || t->author ||
            declined_by(c, t, x->worker) || (ck_own_work_aside(s) && ck_did_before(c, x->run->id, unit, x->worker, s)))
            continue;
        ck_verdict(c, FIFO,
                   "run %" PRIu64 " unit %" PRIu64 " was dispatched to worker %" PRIu64
                   " at station index %u, unit %" PRIu64 " had come back before, and he may do it",
                   x->run->id, x->run->fifo[i].unit[x->place - 1], x->worker, i, unit);
        return;
    }
}

static void judge_fifo(struct checker *c)
{
    for (size_t k = 0; k < c->runs.cap; k++) {
        struct ck_run *r = c->runs.v[k].p;
        if (!r || !r->fifo_dirty)
            continue;
        r->fifo_dirty = false;
        for (uint32_t i = 0; i < r->stations; i++) {
            struct ck_fifo *q = &r->fifo[i];
            const struct ck_station *s = ck_get(&c->stations, r->first + i);
            for (; q->head < q->n; q->head++) {
                const struct ck_unit *u = r->unit[q->unit[q->head] - 1];
                const struct ck_task *t = &u->task[i];
                if (!t->dispatched && t->state != CK_ENDED && t->state != CK_DONE)
                    break;
            }
            if (q->dirty && q->head < q->furthest && s && !ck_own_work_aside(s))
                ck_verdict(c, FIFO,
                           "run %" PRIu64 " unit %" PRIu64 " was dispatched at station index %u, unit %" PRIu64
                           " became ready before it",
                           r->id, q->unit[q->furthest - 1], i, q->unit[q->head]);
            q->dirty = false;
            if (q->furthest < q->head)
                q->furthest = q->head;
        }
    }
    for (size_t i = 0; i < c->in_step.firsts_n; i++) {
        judge_first(c, &c->in_step.firsts[i]);
        judge_returned(c, &c->in_step.firsts[i]);
    }
    c->in_step.firsts_n = 0;
    c->fifo_dirty = false;
}

static bool offers(const struct checker *c, const struct ck_run *r)
{
    const struct ck_line *l = ck_get(&c->lines, r->line);
    return r->state <= 1 && !r->paused && r->free_ready[0] > 0 && !(l && (l->state || l->paused & 1));
}

/* Runs of one station at the same station: whoever works for one may work for the other. */
static void judge_fairness(struct checker *c)
{
    for (size_t i = 0; i < c->pairs; i++) {
        struct ck_pair *p = &c->pair[i];
        if (!p->a->fair_reset && !p->b->fair_reset && p->a->priority == p->b->priority && offers(c, p->a) &&
            offers(c, p->b)) {
            if (!p->valid) {
                p->valid = true;
                p->base_a = p->a->served;
                p->base_b = p->b->served;
            }
            int64_t ahead = (int64_t)(p->a->served - p->base_a) - (int64_t)(p->b->served - p->base_b);
            if (ahead > FAIR_BOUND || ahead < -FAIR_BOUND) {
                const struct ck_run *r = ahead > 0 ? p->a : p->b;
                ck_verdict(c, FAIRNESS,
                           "run %" PRIu64 " unit %" PRIu64 " was assigned: runs %" PRIu64 " and %" PRIu64
                           " both had work, and %" PRIu64 " and %" PRIu64 " were assigned",
                           r->id, r->served_last, p->a->id, p->b->id, p->a->served - p->base_a,
                           p->b->served - p->base_b);
                p->valid = false;
            }
        } else {
            p->valid = false;
        }
    }
    for (size_t i = 0; i < c->pairs; i++)
        c->pair[i].a->fair_reset = c->pair[i].b->fair_reset = false;
}

/* Of a task that is in somebody's hands: is it? */
static bool is_held(const struct checker *c, const struct ck_run *r, uint32_t index, const struct ck_task *t)
{
    const struct ck_assignment *a = ck_get(&c->assignments, t->holder);
    return ck_copies(c, r->first + index) ? t->outstanding > 0 : a && a->state <= CK_BEGUN;
}

void ck_step_over(struct checker *c, const struct fact *f)
{
    for (size_t i = 0; i < c->in_step.touched_n; i++) {
        struct ck_run *r = ck_get(&c->runs, c->in_step.touched[i].run);
        struct ck_unit *u = ck_unit(c, c->in_step.touched[i].run, c->in_step.touched[i].unit);
        bool all = u != NULL;
        for (uint32_t k = 0; u && k < r->stations; k++) {
            const struct ck_task *t = &u->task[k];
            if (t->owes) {
                ck_verdict(c, WRONG_STATE,
                           "run %" PRIu64 " unit %" PRIu64 " station index %u: worker %" PRIu64
                           " had begun, and lost it without an answer of his",
                           r->id, c->in_step.touched[i].unit, k, t->owes);
                u->task[k].owes = 0;
            }
            all = all && (t->state == CK_DONE || t->state == CK_SKIPPED);
            if ((t->state == CK_ASSIGNED || t->state == CK_STARTED) && !is_held(c, r, k, t))
                ck_verdict(c, WRONG_STATE,
                           "run %" PRIu64 " unit %" PRIu64 " station index %u is %s, and nobody holds it", r->id,
                           c->in_step.touched[i].unit, k, ck_state_names[t->state]);
            if (!ck_copies(c, r->first + k) && (t->state == CK_DONE) != (t->accepted != 0))
                ck_verdict(c, WRONG_STATE,
                           "run %" PRIu64 " unit %" PRIu64 " station index %u is %s with %u results accepted", r->id,
                           c->in_step.touched[i].unit, k, ck_state_names[t->state], t->accepted);
        }
        if (u && u->state < 2 && all != (u->state == 1))
            ck_verdict(c, WRONG_STATE, "run %" PRIu64 " unit %" PRIu64 " is %s, its tasks are %s", r->id,
                       c->in_step.touched[i].unit, u->state ? "done" : "open", all ? "done" : "not");
    }
    c->in_step.touched_n = 0;
    judge_doubts(c);
    ck_standings_judge(c);
    ck_bars_judge(c);
    ck_somebody(c);
    if (c->fifo_dirty)
        judge_fifo(c);
    ck_order_judge(c);
    if (f->flag)
        ck_idle_judge(c, f->wall);
    if (c->pairs)
        judge_fairness(c);
    c->step++;
}
