/* The choice among what a worker may do: priority first, and within a run the station furthest downstream (finish what is begun). Between runs of one
 * priority shares decide, which checker_judge.c judges; within a station the order of becoming ready.
 *
 * Judged when a step is over, for everybody who got something in it: was there a task left that comes before his, and that he might have had? Only what
 * is certain is held against the broker: the task was ready before this step, is so still, and nothing that decides whether he may do it changed in it.
 * Stations with limits are left out (what they have room for changes within a step), whoever has a shift (a task may be too long for what is left of it),
 * skills that end by themselves, and work that is its author's for a while.
 *
 * And for everybody who got nothing more, though the broker owes him something: is there a task left that he certainly may do? What he could not be given before
 * this step, since his credit, his session or his standing came in it, he is given in it; so only what changed in it of the task, and of whether he may do it,
 * is left for the next one. Who has a shift, or so many tasks a day, is left out, and of whom it is not certain whether he is kept out. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

void ck_gave(struct checker *c, const struct fact *f, const struct ck_run *r, uint32_t index)
{
    c->in_step.gave = ck_more(c->in_step.gave, &c->in_step.gave_cap, c->in_step.gave_n, sizeof *c->in_step.gave);
    c->in_step.gave[c->in_step.gave_n++] = (struct ck_given){ r, f->unit, f->worker, index, f->wall };
}

/* What he lacks of these skills by himself nothing that ends makes up for. */
static bool for_good(const struct checker *c, const struct ck_worker *w, const struct ck_station *s)
{
    for (uint32_t i = 0; i < CHECKER_SKILLS; i++) {
        const struct ck_skill *k = ck_get(&c->skills, w->f.worker << 8 | i);
        if (k && k->until && s->f.level[i])
            return false;
    }
    return true;
}

static bool run_is_open(const struct checker *c, const struct ck_run *r)
{
    const struct ck_line *l = ck_get(&c->lines, r->line);
    return r->state <= 1 && !r->paused && r->told_anew != c->step && !(l && (l->state || l->told_anew == c->step));
}

/* Would the station, at this moment, give its tasks to him, whichever they are? */
static bool is_open_for(struct checker *c, const struct ck_run *r, const struct ck_station *s,
                        const struct ck_worker *w, int64_t wall)
{
    const struct ck_line *l = ck_get(&c->lines, r->line);
    if (ck_stirred(c))
        return false; /* that he may, a portion may not have come to yet */
    return !(l && l->paused >> (s->f.ties >= TIES_JURY_FIRST ? s->f.jury : s->f.index) & 1) && !ck_limited(c, &s->f) &&
           ck_fits(c, s, w, wall) && for_good(c, w, s) && ck_out(c, w->f.worker, &s->f, wall) == CK_IN;
}

/* 0: none that he might have had; else the first such unit. */
static uint64_t left_for(struct checker *c, const struct ck_run *r, uint32_t index, const struct ck_worker *w,
                         int64_t wall)
{
    const struct ck_station *s = ck_get(&c->stations, r->first + index);
    if (!s || !r->counts[index][CK_READY] || !is_open_for(c, r, s, w, wall))
        return 0;
    for (uint64_t unit = 1; unit <= r->units; unit++) {
        const struct ck_unit *u = r->unit[unit - 1];
        const struct ck_task *t = &u->task[index];
        const struct fact f = { .run = r->id, .unit = unit, .wall = wall };
        if (!u->state && t->state == CK_READY && t->changed != c->step && !t->author && ck_could(c, &f, s, t, w))
            return unit;
    }
    return 0;
}

static void judge_priority(struct checker *c, const struct ck_given *g, const struct ck_worker *w)
{
    for (size_t k = 0; k < c->runs.cap; k++) {
        const struct ck_run *r = c->runs.v[k].p;
        if (!r || r->priority <= g->run->priority || !run_is_open(c, r))
            continue;
        for (uint32_t i = 0; i < r->stations; i++) {
            uint64_t unit = left_for(c, r, i, w, g->wall);
            if (!unit)
                continue;
            ck_verdict(c, FAIRNESS,
                       "run %" PRIu64 " unit %" PRIu64 " was given to worker %" PRIu64
                       " at station index %u, priority %u; he may do unit %" PRIu64 " of run %" PRIu64
                       " at station index %u, priority %u",
                       g->run->id, g->unit, g->worker, g->index, g->run->priority, unit, r->id, i, r->priority);
            return;
        }
    }
}

static void judge_downstream(struct checker *c, const struct ck_given *g, const struct ck_worker *w)
{
    for (uint32_t i = 0; run_is_open(c, g->run) && i < g->run->stations; i++) {
        const struct ck_station *s = ck_get(&c->stations, g->run->first + i);
        uint64_t unit = s && ck_upstream(c, s) >> g->index & 1 ? left_for(c, g->run, i, w, g->wall) : 0;
        if (!unit)
            continue;
        ck_verdict(c, FIFO,
                   "run %" PRIu64 " unit %" PRIu64 " was given to worker %" PRIu64
                   " at station index %u; he may do unit %" PRIu64 " at station index %u, further downstream",
                   g->run->id, g->unit, g->worker, g->index, unit, i);
        return;
    }
}

void ck_order_judge(struct checker *c)
{
    for (size_t i = 0; i < c->in_step.gave_n; i++) {
        const struct ck_worker *w = ck_get(&c->workers, c->in_step.gave[i].worker);
        if (!w || w->f.digest || w->told_anew == c->step || c->in_step.gave[i].run->told_anew == c->step)
            continue;
        judge_priority(c, &c->in_step.gave[i], w);
        judge_downstream(c, &c->in_step.gave[i], w);
    }
    c->in_step.gave_n = 0;
}

/* ---- who stands idle ---- */

/* Could he be given something, whatever it is? */
static bool has_room(const struct checker *c, const struct ck_worker *w)
{
    const struct ck_hub *h = w->signed_in ? ck_get(&c->hubs, w->f.hub) : NULL;
    if (!h || h->session != w->session || !h->connected || h->clock_off)
        return false;
    const struct ck_grant *g = ck_get(&c->grants, w->session * 0x1000003 ^ w->f.worker);
    return g && g->total > w->sent && !w->f.digest && !w->f.per_day && w->told_anew != c->step;
}

/* False: it was told of somebody, which is enough for a step. */
static bool nobody_idle(struct checker *c, const struct ck_run *r, uint32_t index, int64_t wall)
{
    for (size_t k = 0; k < c->workers.cap; k++) {
        const struct ck_worker *w = c->workers.v[k].p;
        if (!w || !has_room(c, w))
            continue;
        c->sums.idle_judged++;
        uint64_t unit = left_for(c, r, index, w, wall);
        if (!unit)
            continue;
        ck_verdict(c, FAIRNESS,
                   "worker %" PRIu64 " stands idle; he may do unit %" PRIu64 " of run %" PRIu64
                   " at station index %u, which was ready before",
                   w->f.worker, unit, r->id, index);
        return false;
    }
    return true;
}

/* What nothing has happened to for two steps is as it was judged then: time alone gives nobody of these anything to do. */
void ck_idle_judge(struct checker *c, int64_t wall)
{
    if (c->news + 1 < c->step || c->asked_anew == c->step)
        return;
    for (size_t k = 0; k < c->runs.cap; k++) {
        const struct ck_run *r = c->runs.v[k].p;
        for (uint32_t i = 0; r && run_is_open(c, r) && i < r->stations; i++)
            if (r->counts[i][CK_READY] && !nobody_idle(c, r, i, wall))
                return;
    }
}
