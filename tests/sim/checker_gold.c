/* Control tasks, judged from the history alone: an assignment of one has in place of a unit's number GOLD_UNIT and a row. It keeps the rules of any
 * assignment, touches no task, comes to a worker once, and is at most one of each so many that he gets at the station. See checker_model.h. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

enum { OK_ = 0, DUPLICATE = 1, LATE_ = 2, NOT_FOUND = 30, STALE = 32, BAD_STATE = 40, NOT_YOURS = 43 };

/* In these worlds a station's name is its index, in all versions of its line. */
static struct ck_gold *gold_of(struct checker *c, const struct ck_station *s, uint64_t worker)
{
    return ck_make(&c->gold, worker << 24 | s->f.line << 8 | s->f.index, sizeof(struct ck_gold));
}

/* Numbers are not given in the order in which tasks were chosen, but run by run: how many came of each kind is judged when a step is over. */
static void counted(struct checker *c, const struct fact *f, const struct ck_station *s, bool control)
{
    struct ck_gold *g = gold_of(c, s, f->worker);
    uint32_t every = s->f.gold_every;
    if (g->step != c->step && g->golds > (g->handed + every - 1) / every)
        ck_verdict(c, OVER_ASKED,
                   "worker %" PRIu64 " got %" PRIu64 " control tasks of station index %u among %" PRIu64
                   " assignments, one of each %u is allowed",
                   f->worker, g->golds, s->f.index, g->handed, every);
    g->step = c->step;
    g->handed++;
    g->golds += control;
}

void ck_gold_counted(struct checker *c, const struct fact *f, const struct ck_station *s)
{
    if (s->f.gold_every)
        counted(c, f, s, false);
}

static void given(struct checker *c, const struct fact *f)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    const struct ck_station *s = ck_get(&c->stations, f->station);
    uint64_t row = f->unit - GOLD_UNIT;
    if (!r || !s || !s->f.gold_every || row >= s->f.gold_rows) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": control task %" PRIu64 " of station %u, which has none such",
                   f->seq, row, f->station);
        return;
    }
    struct ck_gold *g = gold_of(c, s, f->worker);
    if (g->seen >> row & 1)
        ck_verdict(c, NOT_ELIGIBLE,
                   "event %" PRIu64 ": worker %" PRIu64 " gets control task %" PRIu64 " of station %u twice", f->seq,
                   f->worker, row, f->station);
    g->seen |= 1ull << row;
    counted(c, f, s, true);
    ck_may_do(c, f, r, s, 0);
    ck_assignment_made(c, f, r, s, 0);
}

/* A word of him that he has seen it, though it was taken for unbegun: it never comes to him again, whatever befalls another assignment of it. */
static void known(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    struct ck_gold *g = s ? gold_of(c, s, a->worker) : NULL;
    if (g) {
        g->known |= 1ull << (a->unit - GOLD_UNIT);
        g->seen |= g->known;
    }
}

/* Of two assignments of one control task the first answer counts. Replies come before what their step tells. */
static bool is_told(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    return s && gold_of(c, s, a->worker)->told >> (a->unit - GOLD_UNIT) & 1;
}

static bool is_answered(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    return s && gold_of(c, s, a->worker)->answered >> (a->unit - GOLD_UNIT) & 1;
}

static void moved(struct checker *c, const struct fact *f, struct ck_assignment *a)
{
    struct ck_run *r = ck_get(&c->runs, a->run);
    bool begun = a->state == CK_BEGUN;
    switch (f->kind) {
    case FACT_STARTED: ck_move_assignment(c, f, a, CK_BEGUN, 1u << CK_HANDED); break;
    case FACT_RETURNED:
        if (f->why == 17)
            ck_taken_back(c, f, a);
        if (f->why == 5 && f->at < a->until)
            ck_verdict(c, TOO_EARLY, "event %" PRIu64 ": assignment %" PRIu64 " expires %" PRId64 " us early", f->seq,
                       f->assignment, a->until - f->at);
        ck_limit_over(c, f, a, f->why == 6 || f->why == 9 || (f->why == 5 && begun));
        if (f->why == 6 || (begun && (f->why == 3 || f->why == 5)))
            ck_worked(c, f, a, true);
        ck_move_assignment(c, f, a, CK_RETURNED,
                           f->why == 8 && !(r && r->state == 4) ? 1u << CK_HANDED : 1u << CK_HANDED | 1u << CK_BEGUN);
        a->why = (uint8_t)f->why;
        if (!begun && f->why == 3) { /* his hub says that he did not begin it: it may come to him again */
            const struct ck_station *s = ck_get(&c->stations, a->station);
            struct ck_gold *g = s ? gold_of(c, s, a->worker) : NULL;
            if (g)
                g->seen &= ~(1ull << (a->unit - GOLD_UNIT)) | g->known;
        }
        break;
    default:
        if (f->result != c->newest_result + 1)
            ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": result %" PRIu64 " follows %" PRIu64, f->seq, f->result,
                       c->newest_result);
        c->newest_result = f->result;
        ck_counted(c, f, a);
        known(c, a);
        if (a->state <= CK_BEGUN)
            ck_limit_over(c, f, a, true);
        ck_move_assignment(c, f, a, f->flag ? CK_LATE : CK_COUNTED,
                           1u << CK_HANDED | 1u << CK_BEGUN | 1u << CK_RETURNED);
        a->result = f->result;
        if (f->flag && r && r->state <= 1 && !is_answered(c, a) &&
            !ck_kept_out(c, a->worker, checker_station(c, a->station)))
            ck_verdict(c, WRONG_STATE,
                       "event %" PRIu64 ": the answer to a control task under assignment %" PRIu64 " is late", f->seq,
                       f->assignment);
        if (f->flag)
            c->sums.results_late++;
        else {
            const struct ck_station *s = ck_get(&c->stations, a->station);
            if (is_answered(c, a))
                ck_verdict(c, DOUBLE_ACCEPT,
                           "event %" PRIu64 ": worker %" PRIu64 " answers control task %" PRIu64
                           " of station %u twice, and both count",
                           f->seq, a->worker, (uint64_t)(a->unit - GOLD_UNIT), a->station);
            if (s)
                gold_of(c, s, a->worker)->answered |= 1ull << (a->unit - GOLD_UNIT);
            c->sums.results_counted++;
            ck_worked(c, f, a, false);
        }
    }
}

bool ck_gold_event(struct checker *c, const struct fact *f)
{
    if (f->kind == FACT_ASSIGNED && ck_is_gold(f->unit)) {
        given(c, f);
        return true;
    }
    if (f->kind != FACT_STARTED && f->kind != FACT_RETURNED && f->kind != FACT_SUBMITTED)
        return false;
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    if (!a || !ck_is_gold(a->unit))
        return false;
    moved(c, f, a);
    return true;
}

void ck_gold_act(struct checker *c, const struct fact *f, struct ck_assignment *a)
{
    static const uint8_t ends[] = { [2] = 3, [3] = 4, [4] = 6, [5] = 9 };
    uint32_t want = OK_;
    if (f->code == STALE && f->act != 2) /* all but that it is given back */
        known(c, a);
    if (a->judged == c->step)
        return;
    if (a->worker != f->worker || a->hub != ck_hub_of(c, f->session))
        want = NOT_YOURS;
    else if (a->state == CK_HANDED)
        want = f->act == 1 ? BAD_STATE : OK_;
    else if (a->state == CK_BEGUN)
        want = f->act == 0 ? DUPLICATE : OK_;
    else if (a->state == CK_COUNTED)
        want = f->act == 6 ? DUPLICATE : STALE;
    else if (f->act < 6)
        want = f->act >= 2 && a->state == CK_RETURNED && a->why == ends[f->act] ? DUPLICATE : STALE;
    const struct ck_run *r = ck_get(&c->runs, a->run);
    if (f->act == 6 && a->state == CK_LATE)
        want = LATE_;
    else if (f->act == 6 && want == OK_ && r &&
             (r->state > 1 || is_answered(c, a) || is_told(c, a) ||
              ck_kept_out(c, a->worker, checker_station(c, a->station))))
        want = LATE_;
    const struct ck_station *s = ck_get(&c->stations, a->station);
    if (f->act == 6 && f->code == OK_ && s)
        gold_of(c, s, a->worker)->told |= 1ull << (a->unit - GOLD_UNIT);
    if (f->code == OK_ || f->code == LATE_)
        a->judged = c->step;
    if (f->code == want || (r && r->state == 4 && f->code == NOT_FOUND) ||
        ((want == OK_ || want == LATE_) && ck_refused_good(c, f, a)) ||
        (f->act == 6 && f->code == LATE_ && want == OK_ && ck_late_control(c, f->assignment)) ||
        (want == LATE_ && ck_doubted(c, f, a)))
        return;
    ck_verdict(c, f->code == OK_ ? STALE_ACCEPTED : WRONG_STATE,
               "act %u under assignment %" PRIu64 " of a control task (state %u, why %u) gave code %u, not %u", f->act,
               f->assignment, a->state, a->why, f->code, want);
}
