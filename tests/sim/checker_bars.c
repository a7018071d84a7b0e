/* What stations require of what was measured, and the rules of control tasks, judged from the history alone. The newest version of a line that has a station of the name decides for all of
 * them. A share of fewer than `after` things says nothing. Where a window may have forgotten something, or not, only what is so either way is judged (checker_measure.c). */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

#define OF_ALL(worker) ck_place(worker, 0, 0)

static const struct fact *newest(const struct checker *c, uint64_t line, uint64_t name)
{
    const struct ck_station *s = ck_get(&c->bars, ck_place(0, line, name));
    return s ? &s->f : NULL;
}

static const struct fact *newest_of(const struct checker *c, const struct ck_assignment *a)
{
    const struct fact *s = checker_station(c, a->station);
    return s ? newest(c, s->line, ck_name_of(s)) : NULL;
}

void ck_bar_told(struct checker *c, const struct fact *f)
{
    struct ck_station *s = ck_make(&c->bars, ck_place(0, f->line, ck_name_of(f)), sizeof *s);
    s->f = *f;
    c->asked_anew = c->step;
}

/* ---- what happened ---- */

static void measured(struct checker *c, const struct fact *f, const struct ck_assignment *a, enum ck_measured what,
                     enum ck_so so)
{
    const struct fact *s = checker_station(c, a->station);
    if (s)
        ck_measure(c, s, a->worker, what, so, f->wall);
}

void ck_worked(struct checker *c, const struct fact *f, const struct ck_assignment *a, bool abandoned)
{
    measured(c, f, a, CK_ABANDONED, abandoned);
}

/* Do two answers say the same? Where one was lost and made again, which of them arrived is not known yet. */
static enum ck_so alike(const struct ck_assignment *a, const struct ck_assignment *b)
{
    bool yes = false, no = false;
    for (size_t i = 0; i < a->sents; i++)
        for (size_t k = 0; k < b->sents; k++)
            *(a->sent[i].route == b->sent[k].route ? &yes : &no) = true;
    return yes == no ? CK_WHO_KNOWS : yes ? CK_YES : CK_NO;
}

static enum ck_so votes_for(const struct ck_assignment *a, uint64_t entry)
{
    bool yes = false, no = false;
    for (size_t i = 0; i < a->sents; i++)
        *(a->sent[i].entry == entry ? &yes : &no) = true;
    return yes == no ? CK_WHO_KNOWS : yes ? CK_YES : CK_NO;
}

/* Of one answer alone nothing is said, nor where all are kept, or entries decided it by themselves. */
void ck_agreed(struct checker *c, const struct fact *f, const struct ck_task *t)
{
    const struct ck_assignment *v[64], *winner = ck_get(&c->assignments, f->assignment);
    const struct fact *copies = ck_copies(c, f->station);
    bool jury = copies && copies->ties >= TIES_JURY_FIRST;
    uint32_t n = ck_answers(c, t, v, 64, NULL);
    if (!copies || !winner || copies->ties == TIES_ALL || f->flag || n < 2)
        return;
    for (uint32_t i = 0; i < n; i++)
        measured(c, f, v[i], CK_AGREED, jury ? votes_for(v[i], f->assignment) : alike(v[i], winner));
}

/* A verdict about somebody's work. What several answered is nobody's. */
void ck_judged_work(struct checker *c, const struct fact *f, const struct ck_assignment *work)
{
    if (!work || ck_copies(c, work->station))
        return;
    measured(c, f, work, CK_APPROVED, f->state == REVIEW_ACCEPT);
    measured(c, f, work, CK_RETURNED_WORK, f->state == REVIEW_REJECT);
}

/* ---- rules ---- */

/* Less than so much is right, of so many: the rule applies if this is not met. */
static unsigned rule_met(const struct checker *c, uint64_t worker, const struct fact *n, int64_t wall)
{
    const struct ck_ask ask = { .what = CK_GOLD, .tenths = n->rule_below, .after = n->rule_after };
    return ck_meets(c, ck_place(worker, n->line, ck_name_of(n)), n, &ask, wall, wall);
}

/* Is what he answered where this station trains good enough to come back to it? */
static unsigned trained(const struct checker *c, uint64_t worker, const struct fact *n, int64_t wall)
{
    const struct ck_ask ask = { .what = CK_GOLD, .refuses_new = true, .tenths = n->rule_until, .after = n->rule_after };
    return ck_meets(c, ck_place(worker, n->line, n->rule_at), newest(c, n->line, n->rule_at), &ask, wall, wall);
}

/* What a control answer demanded has not come. */
static void rule_is_owed(struct checker *c)
{
    struct ck_owed *o = &c->owed;
    if (o->rule || o->back)
        ck_verdict(c, WRONG_STATE,
                   "worker %" PRIu64 " at station index %" PRIu64 " of line %" PRIu64
                   ": by his control answers rule %u applies, stations %x are his again, and that does not follow",
                   o->worker, o->name, o->line, o->rule, o->back);
    o->rule = o->back = 0;
}

static void rules_apply(struct checker *c, const struct fact *f, const struct ck_assignment *a, const struct fact *n)
{
    const struct ck_worker *w = ck_get(&c->workers, a->worker);
    struct ck_owed *o = &c->owed;
    *o = (struct ck_owed){ .worker = a->worker, .line = n->line, .name = ck_name_of(n), .step = c->step };
    if (n->rule && rule_met(c, a->worker, n, f->wall) == CK_UNMET &&
        (n->rule != 2 || (w && w->on && ck_level(c, w, n->rule_skill, f->wall))))
        o->rule = n->rule;
    for (uint32_t k = 0; k < CHECKER_STATIONS_MAX; k++) {
        const struct fact *from = newest(c, n->line, k);
        const struct ck_standing *s = ck_get(&c->standings, ck_place(a->worker, n->line, k));
        if (from && from->rule == 3 && from->rule_at == o->name && s && s->standing == 3 &&
            trained(c, a->worker, from, f->wall) == CK_MET)
            o->back |= 1u << k;
    }
}

void ck_gold_told(struct checker *c, const struct fact *f)
{
    const struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    const struct fact *n = a ? newest_of(c, a) : NULL;
    bool may = false;
    uint64_t row = a && ck_is_gold(a->unit) ? a->unit - GOLD_UNIT : 0;
    for (size_t i = 0; a && i < a->sents; i++) /* the right answers are x and y in turn */
        may = may || (a->sent[i].route == (int32_t)(row % 2)) == f->flag;
    rule_is_owed(c);
    if (!n || !ck_is_gold(a->unit) || a->state != CK_COUNTED || !may) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": the answer of assignment %" PRIu64 " to a control task is told as %s", f->seq,
                   f->assignment, f->flag ? "right" : "wrong");
        return;
    }
    measured(c, f, a, CK_GOLD, f->flag);
    rules_apply(c, f, a, n);
}

static void no_rule(struct checker *c, const struct fact *f, const char *what)
{
    char right[64];
    ck_measures_tell(c, ck_place(f->worker, f->line, f->index), CK_GOLD, right, sizeof right);
    ck_verdict(c, WRONG_STATE,
               "event %" PRIu64 ": worker %" PRIu64 " %s (%u): %s control answers are right, no rule says so", f->seq,
               f->worker, what, f->state, right);
}

/* So few control tasks are left where this station trains that he could not come back: there it is the station of the same version, which is not the newest of its name if a newer one
 * left out the station that sends. */
static bool too_few_left(struct checker *c, uint64_t worker, const struct fact *n)
{
    const struct fact *at = checker_station(c, n->first + n->rule_at);
    const struct ck_gold *g = ck_get(&c->gold, worker << 24 | n->line << 8 | n->rule_at);
    return at && (g ? (uint32_t)__builtin_popcountll(g->seen) : 0) + n->rule_after > at->gold_rows;
}

void ck_bar_standing(struct checker *c, const struct fact *f, uint32_t was)
{
    const struct fact *n = newest(c, f->line, f->index);
    struct ck_owed *o = &c->owed;
    bool his = o->worker == f->worker && o->line == f->line && o->step == c->step;
    if (f->flag != (f->state == 1) && f->state)
        no_rule(c, f, "is kept out");
    else if (f->state > 1 && (!n || !his || o->name != f->index || !n->rule || n->rule == 2 ||
                              !(rule_met(c, f->worker, n, f->wall) & CK_UNMET) ||
                              (f->state == 3) != (n->rule == 3 && !too_few_left(c, f->worker, n))))
        no_rule(c, f, "is kept out");
    else if (!f->state && !f->flag &&
             (was != 3 || !n || !his || n->rule != 3 || n->rule_at != o->name ||
              !(trained(c, f->worker, n, f->wall) & CK_MET)))
        no_rule(c, f, "comes back");
    if (f->state > 1)
        o->rule = 0;
    if (!f->state && f->index < CHECKER_STATIONS_MAX)
        o->back &= ~(1u << f->index);
    if (!f->state) /* who comes back begins with new control answers */
        ck_measure_anew(c, ck_place(f->worker, f->line, f->index), CK_GOLD);
    if (f->state == 3 && n)
        ck_measure_anew(c, ck_place(f->worker, f->line, n->rule_at), CK_GOLD);
}

void ck_lowered(struct checker *c, const struct fact *f)
{
    struct ck_owed *o = &c->owed;
    const struct fact *n = newest(c, o->line, o->name);
    const struct ck_worker *w = ck_get(&c->workers, f->worker);
    uint32_t level = w ? ck_level(c, w, f->index, f->wall) : 0;
    if (!n || o->worker != f->worker || o->step != c->step || n->rule != 2 || n->rule_skill != f->index ||
        !(rule_met(c, f->worker, n, f->wall) & CK_UNMET) || f->count + 1 != level) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": skill %u of worker %" PRIu64 " is lowered from %u to %" PRIu64
                   ", no rule says so",
                   f->seq, f->index, f->worker, level, f->count);
        return;
    }
    o->rule = o->back = 0;
    ck_measure_anew(c, ck_place(f->worker, o->line, o->name), CK_GOLD);
}

/* ---- who gets what ---- */

void ck_bar_given(struct checker *c, const struct fact *f, const struct fact *station)
{
    c->in_step.ruled = ck_more(c->in_step.ruled, &c->in_step.ruled_cap, c->in_step.ruled_n, sizeof *c->in_step.ruled);
    c->in_step.ruled[c->in_step.ruled_n++] = (struct ck_ruled){ .worker = f->worker,
                                                                .line = station->line,
                                                                .name = ck_name_of(station),
                                                                .assignment = f->assignment,
                                                                .wall = f->wall };
}

static bool may_keep_out(const struct fact *n)
{
    return n && n->rule && n->rule != 2;
}

bool ck_late_by_rule(struct checker *c, const struct ck_assignment *a)
{
    const struct fact *n = newest_of(c, a);
    if (!may_keep_out(n))
        return false;
    c->in_step.ruled = ck_more(c->in_step.ruled, &c->in_step.ruled_cap, c->in_step.ruled_n, sizeof *c->in_step.ruled);
    c->in_step.ruled[c->in_step.ruled_n++] =
        (struct ck_ruled){ .worker = a->worker, .line = n->line, .name = ck_name_of(n), .late = true };
    return true;
}

/* What ends a run or keeps somebody out is told before the answers that it made late: whether this one had to be is judged when its event comes. */
bool ck_late_control(struct checker *c, uint64_t assignment)
{
    c->in_step.ruled = ck_more(c->in_step.ruled, &c->in_step.ruled_cap, c->in_step.ruled_n, sizeof *c->in_step.ruled);
    c->in_step.ruled[c->in_step.ruled_n++] = (struct ck_ruled){ .assignment = assignment, .late = true };
    return true;
}

/* The standing of its worker where it is; NULL: nothing was ever told. */
static const struct ck_standing *standing_there(const struct checker *c, const struct ck_assignment *a)
{
    const struct fact *s = checker_station(c, a->station);
    return s ? ck_get(&c->standings, ck_place(a->worker, s->line, ck_name_of(s))) : NULL;
}

bool ck_may_be_freed(const struct checker *c, const struct ck_assignment *a)
{
    const struct ck_standing *k = standing_there(c, a);
    return (k && k->standing == 3) || (!ck_is_gold(a->unit) && may_keep_out(newest_of(c, a)));
}

bool ck_freed(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_standing *k = standing_there(c, a);
    const struct ck_task *t = ck_is_gold(a->unit) ? NULL : ck_task_at(c, a);
    if (k && k->changed == c->step && !k->standing)
        return true;
    for (const struct ck_assignment *o = t ? ck_get(&c->assignments, t->newest) : NULL; o;
         o = ck_get(&c->assignments, o->prev))
        if (o != a && o->state == CK_RETURNED && o->changed == c->step && o->why == 17)
            return true;
    return false;
}

/* ---- is it so? When a step is over: all that it measured is told then ---- */

/* Does he meet all that is required, as it was looked at last before this moment? CK_UNMET alone: surely not, and *what says of which. */
static unsigned required(const struct checker *c, uint64_t worker, const struct fact *n, int64_t wall, char *what,
                         size_t size)
{
    const struct {
        struct ck_ask ask;
        const char *name;
    } v[] = { { { .what = CK_ABANDONED, .most = true, .tenths = n->abandoned_most }, "abandoned" },
              { { .what = CK_GOLD, .tenths = n->gold_least }, "control tasks right" },
              { { .what = CK_AGREED, .tenths = n->agreed_least }, "agreed" },
              { { .what = CK_APPROVED, .tenths = n->approved_least }, "approved" },
              { { .what = CK_RETURNED_WORK, .most = true, .tenths = n->returned_most }, "rejected" } };
    uint64_t place = n->asks_of_all ? OF_ALL(worker) : ck_place(worker, n->line, ck_name_of(n));
    unsigned is = CK_MET;
    for (size_t i = 0; n->asks_after && i < sizeof v / sizeof *v; i++) {
        struct ck_ask ask = v[i].ask;
        char told[64];
        ask.after = n->asks_after;
        ask.refuses_new = n->refuses_new;
        int64_t from = ck_measured_at(c, place, ask.what, wall);
        unsigned one = ask.tenths ? ck_meets(c, place, n->asks_of_all ? NULL : n, &ask, from, wall) : CK_MET;
        is |= one & CK_UNMET;
        if (one != CK_UNMET)
            continue;
        ck_measures_tell(c, place, ask.what, told, sizeof told);
        snprintf(what, size, "%s %s", told, v[i].name);
        return CK_UNMET;
    }
    return is;
}

enum ck_out ck_out_so_far(const struct checker *c, uint64_t worker, const struct fact *station, int64_t wall)
{
    const struct fact *n = newest(c, station->line, ck_name_of(station));
    const struct ck_standing *s = ck_get(&c->standings, ck_place(worker, station->line, ck_name_of(station)));
    char what[100];
    unsigned is = s && s->standing ? CK_UNMET : n ? required(c, worker, n, wall, what, sizeof what) : CK_MET;
    return is == CK_UNMET ? CK_OUT : is == CK_MET ? CK_IN : CK_PERHAPS;
}

enum ck_out ck_out(const struct checker *c, uint64_t worker, const struct fact *station, int64_t wall)
{
    uint64_t at = ck_place(worker, station->line, ck_name_of(station));
    const struct fact *n = newest(c, station->line, ck_name_of(station));
    const struct ck_measures *m = ck_get(&c->measures, n && n->asks_of_all ? OF_ALL(worker) : at);
    const struct ck_standing *s = ck_get(&c->standings, at);
    if ((m && m->changed == c->step) || (s && s->changed == c->step))
        return CK_PERHAPS;
    return ck_out_so_far(c, worker, station, wall);
}

static void judge_given(struct checker *c, const struct ck_ruled *r)
{
    const struct fact *n = newest(c, r->line, r->name);
    char what[100];
    if (n && required(c, r->worker, n, r->wall, what, sizeof what) == CK_UNMET)
        ck_verdict(c, NOT_ELIGIBLE, "assignment %" PRIu64 ": worker %" PRIu64 " has %s, the station asks for more",
                   r->assignment, r->worker, what);
}

static void judge(struct checker *c, const struct ck_ruled *r)
{
    const struct ck_standing *s = ck_get(&c->standings, ck_place(r->worker, r->line, r->name));
    if (r->late && r->assignment) {
        const struct ck_assignment *a = ck_get(&c->assignments, r->assignment);
        if (a->state != CK_LATE)
            ck_verdict(c, WRONG_STATE,
                       "the answer to a control task under assignment %" PRIu64
                       " was called late, and its event does not say so",
                       r->assignment);
    } else if (r->late) {
        if (!s || (!s->standing && s->taken_back != c->step)) /* he may be back by now */
            ck_verdict(c, WRONG_STATE, "a result of worker %" PRIu64 " is late, who is not kept out by a rule",
                       r->worker);
    } else
        judge_given(c, r);
}

void ck_bars_judge(struct checker *c)
{
    rule_is_owed(c);
    for (size_t i = 0; i < c->in_step.ruled_n; i++)
        judge(c, &c->in_step.ruled[i]);
    c->in_step.ruled_n = 0;
}
