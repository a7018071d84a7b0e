/* What stations require of what was measured, and the rules of control tasks, judged from the history alone. The newest version of a line that has a station of the name decides for all of
 * them. A share of fewer than `after` things says nothing. In these worlds windows are so long that nothing is forgotten, so each thing that events tell counts. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

static struct ck_measure *measure(struct checker *c, uint64_t worker, const struct fact *station)
{
    return ck_make(&c->measures, ck_place(worker, station->line, ck_name_of(station)), sizeof(struct ck_measure));
}

static const struct fact *newest(const struct checker *c, uint64_t line, uint64_t name)
{
    const struct ck_station *s = ck_get(&c->bars, ck_place(0, line, name));
    return s ? &s->f : NULL;
}

void ck_bar_told(struct checker *c, const struct fact *f)
{
    struct ck_station *s = ck_make(&c->bars, ck_place(0, f->line, ck_name_of(f)), sizeof *s);
    s->f = *f;
}

/* ---- what happened ---- */

void ck_worked(struct checker *c, const struct ck_assignment *a, bool abandoned)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    struct ck_measure *m = s ? measure(c, a->worker, &s->f) : NULL;
    if (!m)
        return;
    m->changed = c->step;
    m->ended++;
    m->abandoned += abandoned;
}

void ck_gold_told(struct checker *c, const struct fact *f)
{
    const struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    const struct ck_station *s = a ? ck_get(&c->stations, a->station) : NULL;
    bool may = false;
    uint64_t row = a && ck_is_gold(a->unit) ? a->unit - GOLD_UNIT : 0;
    for (size_t i = 0; a && i < a->sents; i++) /* the right answers are x and y in turn */
        may = may || (a->sent[i].route == (int32_t)(row % 2)) == f->flag;
    if (!s || !ck_is_gold(a->unit) || a->state != CK_COUNTED || !may) {
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": the answer of assignment %" PRIu64 " to a control task is told as %s", f->seq,
                   f->assignment, f->flag ? "right" : "wrong");
        return;
    }
    struct ck_measure *m = measure(c, a->worker, &s->f);
    m->changed = c->step;
    m->golds++;
    m->right += f->flag;
}

void ck_bar_standing(struct checker *c, const struct fact *f)
{
    const struct fact *n = newest(c, f->line, f->index);
    struct ck_measure *m = ck_make(&c->measures, ck_place(f->worker, f->line, f->index), sizeof *m);
    m->changed = c->step;
    if (!f->state)
        m->golds = m->right = 0; /* who comes back begins with new control answers */
    if (f->state == 3 && n && n->rule == 3) {
        m = ck_make(&c->measures, ck_place(f->worker, f->line, n->rule_at), sizeof *m);
        m->golds = m->right = 0;
        m->changed = c->step;
    }
    if (f->state < 2)
        return;
    c->ruled = ck_more(c->ruled, &c->ruled_cap, c->ruled_n, sizeof *c->ruled);
    c->ruled[c->ruled_n++] =
        (struct ck_ruled){ .worker = f->worker, .line = f->line, .name = f->index, .state = f->state };
}

void ck_bar_given(struct checker *c, const struct fact *f, const struct fact *station)
{
    c->ruled = ck_more(c->ruled, &c->ruled_cap, c->ruled_n, sizeof *c->ruled);
    c->ruled[c->ruled_n++] = (struct ck_ruled){
        .worker = f->worker, .line = station->line, .name = ck_name_of(station), .assignment = f->assignment
    };
}

bool ck_late_by_rule(struct checker *c, const struct ck_assignment *a)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    const struct fact *n = s ? newest(c, s->f.line, ck_name_of(&s->f)) : NULL;
    if (!n || !n->rule)
        return false;
    c->ruled = ck_more(c->ruled, &c->ruled_cap, c->ruled_n, sizeof *c->ruled);
    c->ruled[c->ruled_n++] =
        (struct ck_ruled){ .worker = a->worker, .line = s->f.line, .name = ck_name_of(&s->f), .late = true };
    return true;
}

/* What ends a run or keeps somebody out is told before the answers that it made late: whether this one had to be is judged when its event comes. */
bool ck_late_control(struct checker *c, uint64_t assignment)
{
    c->ruled = ck_more(c->ruled, &c->ruled_cap, c->ruled_n, sizeof *c->ruled);
    c->ruled[c->ruled_n++] = (struct ck_ruled){ .assignment = assignment, .late = true };
    return true;
}

/* ---- who is kept out ---- */

static bool gives_up(const struct fact *n, const struct ck_measure *m)
{
    return n && n->asks_after && n->abandoned_most && m->ended >= n->asks_after &&
           m->abandoned * 10 > m->ended * n->abandoned_most;
}

static bool errs(const struct fact *n, const struct ck_measure *m)
{
    return n && n->asks_after && n->gold_least && m->golds >= n->asks_after && m->right * 10 < m->golds * n->gold_least;
}

enum ck_out ck_out(const struct checker *c, uint64_t worker, const struct fact *station)
{
    uint64_t at = ck_place(worker, station->line, ck_name_of(station));
    const struct fact *n = newest(c, station->line, ck_name_of(station));
    const struct ck_measure *m = ck_get(&c->measures, at);
    const struct ck_standing *s = ck_get(&c->standings, at);
    if ((m && m->changed == c->step) || (s && s->changed == c->step))
        return CK_PERHAPS;
    return (s && s->standing) || (m && (gives_up(n, m) || errs(n, m))) ? CK_OUT : CK_IN;
}

/* ---- is it so? When a step is over: all that it measured is told then ---- */

static void judge(struct checker *c, const struct ck_ruled *r)
{
    const struct fact *n = newest(c, r->line, r->name);
    const struct ck_measure *m = ck_get(&c->measures, ck_place(r->worker, r->line, r->name));
    const struct ck_standing *s = ck_get(&c->standings, ck_place(r->worker, r->line, r->name));
    static const struct ck_measure none;
    m = m ? m : &none;
    if (r->late && r->assignment) {
        const struct ck_assignment *a = ck_get(&c->assignments, r->assignment);
        if (a->state != CK_LATE)
            ck_verdict(c, WRONG_STATE,
                       "the answer to a control task under assignment %" PRIu64
                       " was called late, and its event does not say so",
                       r->assignment);
        return;
    }
    if (r->late) {
        if (!s || !s->standing)
            ck_verdict(c, WRONG_STATE, "a result of worker %" PRIu64 " is late, who is not kept out by a rule",
                       r->worker);
        return;
    }
    if (r->assignment) {
        if (gives_up(n, m) || errs(n, m))
            ck_verdict(c, NOT_ELIGIBLE,
                       "assignment %" PRIu64 ": worker %" PRIu64 " abandoned %" PRIu64 " of %" PRIu64
                       " and answered %" PRIu64 " of %" PRIu64 " control tasks right: the station asks for more",
                       r->assignment, r->worker, m->abandoned, m->ended, m->right, m->golds);
        return;
    }
    bool may = n && n->rule && (r->state == 2 || n->rule == 3) && m->golds >= n->rule_after &&
               m->right * 10 < m->golds * n->rule_below;
    if (!may)
        ck_verdict(c, WRONG_STATE,
                   "worker %" PRIu64 " stands at %u by a rule: %" PRIu64 " of %" PRIu64
                   " control tasks are right, no rule says so",
                   r->worker, r->state, m->right, m->golds);
}

void ck_bars_judge(struct checker *c)
{
    for (size_t i = 0; i < c->ruled_n; i++)
        judge(c, &c->ruled[i]);
    c->ruled_n = 0;
}
