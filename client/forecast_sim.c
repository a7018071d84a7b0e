/* One repeat of a forecast: see forecast.h, and THE MODEL in sunline_forecast.h. */
#include "client/forecast.h"

#include <math.h>
#include <string.h>

#define ROUNDS_MAX 24
#define ENOUGH 20 /* tasks that are done: fewer say nothing of what one costs */

bool fc_fits(const uint64_t *fits, uint32_t station)
{
    return fits[station / 64] >> (station % 64) & 1;
}

/* ---- how long tasks take ---- */

double fc_answers(const struct sl_forecast_station *st)
{
    return st->done >= ENOUGH && st->results >= st->done ? st->results / st->done : st->answers > 1 ? st->answers : 1;
}

static double middle(const struct sl_forecast_station *st, uint32_t i)
{
    return (st->time[i].upto_us + (i ? st->time[i - 1].upto_us : 0)) / 2;
}

struct fc_moments fc_moments(const struct sl_forecast_station *st)
{
    struct fc_moments m = { 0, 0, 0 };
    for (uint32_t i = 0; i < st->time_count; i++) {
        double t = middle(st, i);
        m.n += st->time[i].count;
        m.sum += st->time[i].count * t;
        m.squares += st->time[i].count * t * t;
    }
    return m;
}

static void time_add(struct fc_times *t, double steps, double share, double *ends)
{
    if (steps > FC_LAG_MAX)
        steps = FC_LAG_MAX;
    uint32_t whole = (uint32_t)steps;
    double part = steps - whole;
    for (uint32_t k = 0; k < whole; k++)
        t->slots[k] += share;
    t->slots[whole] += share * part;
    ends[whole] += share * (1 - part); /* it begins anywhere within a step */
    ends[whole + 1] += share * part;
    if (whole + 2 > t->steps)
        t->steps = whole + 2;
}

void fc_times_make(const struct sl_forecast_station *st, double stretch, struct fc_times *t)
{
    double ends[FC_LAG_MAX + 2] = { 0 }, sum = 0;
    struct fc_moments m = fc_moments(st);
    memset(t, 0, sizeof *t);
    for (uint32_t i = 0; i < st->time_count; i++)
        sum += st->time[i].count * st->time[i].upto_us;
    double mean = st->mean_us > 0 ? st->mean_us : m.n > 0 ? sum / m.n : st->lease_us / 2;
    mean *= stretch;
    if (m.n <= 0) {
        for (int i = 0; i < 8; i++)
            time_add(t, mean * (i + 0.5) / 4 / SL_FORECAST_STEP_US, 1 / 8.0, ends);
    } else {
        double scale = m.sum > 0 ? mean / (m.sum / m.n) : 1;
        for (uint32_t i = 0; i < st->time_count; i++)
            time_add(t, middle(st, i) * scale / SL_FORECAST_STEP_US, st->time[i].count / m.n, ends);
    }
    t->mean_h = mean / 3600e6;
    t->answers = fc_answers(st);
    double upto = 0, was = 0;
    for (uint32_t k = 0; k < t->steps; k++) { /* the longest of its answers */
        upto += ends[k];
        double all = pow(upto < 1 ? upto : 1, t->answers);
        t->done[k] = all - was;
        was = all;
        t->slots[k] *= t->answers;
    }
    t->done[t->steps - 1] += 1 - was;
}

/* ---- units move on ---- */

static void move(struct fc_sim *s, const struct fc_flow *f, double *came)
{
    const struct sl_forecast_input *in = s->plan->in;
    const struct sl_forecast_line *l = &in->line[f->line];
    for (uint32_t i = l->count; i-- > 0;) { /* the furthest upstream first */
        uint32_t st = s->plan->order[l->first + i], at = f->at + (st - l->first);
        const struct sl_forecast_station *d = &in->station[st];
        double there = d->after_count ? INFINITY : s->arrived[f - s->plan->flow];
        for (uint32_t k = 0; k < d->after_count; k++) {
            double passed = s->passed[f->at + (d->after[k] - l->first)];
            there = passed < there ? passed : there;
        }
        double n = there - s->entered[at];
        if (n <= 0)
            continue;
        s->entered[at] = there;
        s->passed[at] += n * s->skip[st];
        s->ready[at] += n * (1 - s->skip[st]);
        came[st] += n * (1 - s->skip[st]);
    }
}

/* ---- slots are given out ---- */

static void begin(struct fc_sim *s, uint32_t st, uint32_t at, double *busy, uint32_t step, double n)
{
    const struct fc_times *t = &s->times[st];
    s->ready[at] -= n;
    s->fly[at] += n * (1 - t->done[0]);
    s->passed[at] += n * t->done[0];
    for (uint32_t k = 1; k < t->steps; k++) {
        uint32_t when = (step + k) % s->ring;
        busy[when] += n * t->slots[k];
        s->landing[at * s->ring + when] += n * t->done[k];
    }
}

static double take(struct fc_sim *s, uint32_t st, uint32_t at, double *free, double *busy, uint32_t step, double n)
{
    double each = s->times[st].slots[0], most = each > 0 ? *free / each : n;
    if (n > most)
        n = most;
    if (n <= FC_EPSILON)
        return 0;
    *free -= n * each;
    begin(s, st, at, busy, step, n);
    return n;
}

/* Up to n tasks of one station of a flow. */
static double serve(struct fc_sim *s, uint32_t st, uint32_t at, uint32_t step, double n)
{
    const struct fc_plan *p = s->plan;
    double left = n;
    if (s->extra == (int32_t)st)
        left -= take(s, st, at, &s->extra_free, s->extra_busy, step, left);
    for (uint32_t i = p->fitting_from[st]; i < p->fitting_from[st + 1] && left > FC_EPSILON; i++) {
        uint32_t pool = p->fitting[i];
        if (s->free[pool] > FC_EPSILON)
            left -= take(s, st, at, &s->free[pool], s->busy + pool * s->ring, step, left);
    }
    return n - left;
}

static bool slot_for(const struct fc_sim *s, uint32_t st)
{
    const struct fc_plan *p = s->plan;
    if (s->extra == (int32_t)st && s->extra_free > FC_EPSILON)
        return true;
    for (uint32_t i = p->fitting_from[st]; i < p->fitting_from[st + 1]; i++)
        if (s->free[p->fitting[i]] > FC_EPSILON)
            return true;
    return false;
}

/* The first station of a flow that has work and somebody for it; -1: none. */
static int32_t wants(const struct fc_sim *s, const struct fc_flow *f)
{
    const struct sl_forecast_line *l = &s->plan->in->line[f->line];
    if (f->paused)
        return -1;
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t st = s->plan->order[l->first + i];
        if (s->ready[f->at + (st - l->first)] > FC_EPSILON && s->plan->in->station[st].open && slot_for(s, st))
            return (int32_t)st;
    }
    return -1;
}

/* So many answers of this flow, the furthest downstream first. */
static double serve_flow(struct fc_sim *s, const struct fc_flow *f, uint32_t step, double answers, double *begun)
{
    const struct sl_forecast_line *l = &s->plan->in->line[f->line];
    double sum = 0;
    for (uint32_t i = 0; i < l->count && answers > FC_EPSILON; i++) {
        uint32_t st = s->plan->order[l->first + i], at = f->at + (st - l->first);
        double each = s->times[st].answers, n = s->ready[at] < answers / each ? s->ready[at] : answers / each;
        if (n <= FC_EPSILON || !s->plan->in->station[st].open)
            continue;
        n = serve(s, st, at, step, n);
        begun[st] += n;
        answers -= n * each;
        sum += n;
    }
    return sum;
}

/* The flows of one priority, all[0 .. n). */
static void serve_priority(struct fc_sim *s, const uint16_t *all, uint32_t n, uint32_t step, double *came,
                           double *begun)
{
    const struct fc_plan *p = s->plan;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        double need = 0, slots = s->extra_free, sum = 0;
        uint32_t wanting = 0;
        for (uint32_t i = 0; i < n; i++) {
            int32_t st = wants(s, &p->flow[all[i]]);
            if (st < 0)
                continue;
            need += p->flow[all[i]].weight * s->times[st].slots[0] / s->times[st].answers;
            wanting++;
        }
        for (uint32_t i = 0; i < p->pools; i++)
            slots += s->free[i];
        if (!wanting)
            return;
        for (uint32_t i = 0; i < n; i++) {
            const struct fc_flow *f = &p->flow[all[i]];
            double share = wanting > 1 && need > 0 ? f->weight * slots / need : INFINITY;
            if (!f->paused)
                sum += serve_flow(s, f, step, share, begun);
            move(s, f, came);
        }
        if (sum <= 1e-6)
            return;
    }
}

/* ---- a step ---- */

static void arrive(struct fc_sim *s, uint32_t step)
{
    const struct fc_plan *p = s->plan;
    int64_t middle = p->in->now_us + step * SL_FORECAST_STEP_US + SL_FORECAST_STEP_US / 2;
    uint32_t hour = (uint32_t)((middle / 3600000000ll + 72) % SL_FORECAST_WEEK_HOURS);
    for (uint32_t i = 0; i < p->flows; i++) {
        const struct fc_flow *f = &p->flow[i];
        if (!f->arrivals)
            continue;
        size_t at = (size_t)f->line * SL_FORECAST_WEEK_HOURS + hour;
        double n = p->expected[at] + p->deviation[at] * s->surge[f->line * SL_FORECAST_DAYS + step / FC_DAY_STEPS];
        s->arrived[i] += n > 0 ? n * FC_STEP_HOURS : 0;
    }
}

static void slots_now(struct fc_sim *s, uint32_t step)
{
    const struct fc_plan *p = s->plan;
    memset(s->cap, 0, p->pools * sizeof *s->cap);
    for (uint32_t i = 0; i < p->sources; i++) {
        const struct fc_source *c = &p->source[i];
        s->cap[c->pool] += (double)c->on[step] * s->present[i * SL_FORECAST_DAYS + step / FC_DAY_STEPS];
    }
    for (uint32_t i = 0; i < p->pools; i++) {
        double *busy = &s->busy[i * s->ring + step % s->ring];
        s->free[i] = s->cap[i] > *busy ? s->cap[i] - *busy : 0;
        *busy = 0;
    }
    if (s->extra >= 0) {
        double *busy = &s->extra_busy[step % s->ring];
        s->extra_free = *busy < 1 ? 1 - *busy : 0;
        *busy = 0;
    }
}

static void land(struct fc_sim *s, uint32_t step)
{
    for (uint32_t i = 0; i < s->plan->places; i++) {
        double *n = &s->landing[i * s->ring + step % s->ring];
        s->fly[i] -= *n;
        s->passed[i] += *n;
        *n = 0;
    }
}

/* Units that have not passed the whole line. */
static double rest(const struct fc_sim *s, const struct fc_flow *f)
{
    const struct sl_forecast_line *l = &s->plan->in->line[f->line];
    double least = 0;
    for (uint32_t i = 0; i < l->count; i++)
        least = s->passed[f->at + i] < least ? s->passed[f->at + i] : least;
    return -least;
}

/* What is there at the beginning: each station has yet to pass what lies before it and before all that come before. */
static void set_up(struct fc_sim *s)
{
    const struct fc_plan *p = s->plan;
    memset(s->landing, 0, (size_t)p->places * s->ring * sizeof *s->landing);
    memset(s->busy, 0, (size_t)p->pools * s->ring * sizeof *s->busy);
    memset(s->extra_busy, 0, s->ring * sizeof *s->extra_busy);
    s->extra_free = 0;
    for (uint32_t i = 0; i < p->flows; i++) {
        const struct fc_flow *f = &p->flow[i];
        const struct sl_forecast_line *l = &p->in->line[f->line];
        s->arrived[i] = 0;
        s->end[i] = -1;
        for (uint32_t k = l->count; k-- > 0;) {
            uint32_t st = p->order[l->first + k], at = f->at + (st - l->first);
            const struct sl_forecast_station *d = &p->in->station[st];
            double before = 0,
                   here = f->run ? f->run->queue[st - l->first].ready + f->run->queue[st - l->first].begun : 0;
            for (uint32_t j = 0; j < d->after_count; j++) {
                double passed = s->passed[f->at + (d->after[j] - l->first)];
                before = passed < before ? passed : before;
            }
            s->ready[at] = here;
            s->fly[at] = 0;
            s->entered[at] = before;
            s->passed[at] = before - here;
        }
    }
}

/* What was begun before now is somewhere within its time: it goes on for more than k steps with the probability that slots[k] and what follows has of all. */
static void go_on(struct fc_sim *s)
{
    const struct fc_plan *p = s->plan;
    for (uint32_t i = 0; i < p->in->runs; i++) {
        const struct fc_flow *f = &p->flow[i];
        const struct sl_forecast_line *l = &p->in->line[f->line];
        for (uint32_t k = 0; k < l->count; k++) {
            uint32_t st = l->first + k, at = f->at + k, from = p->fitting_from[st], to = p->fitting_from[st + 1];
            const struct fc_times *t = &s->times[st];
            double begun = f->run->queue[k].begun, cap = 0, all = 0, left = 1;
            for (uint32_t j = from; j < to; j++)
                cap += s->cap[p->fitting[j]];
            for (uint32_t j = 0; j < t->steps; j++)
                all += t->slots[j];
            s->ready[at] -= begun;
            s->fly[at] += begun;
            for (uint32_t j = 0; j < t->steps && begun > 0; j++) {
                double ends = j + 1 == t->steps ? left : all > 0 ? t->slots[j] / all : 0;
                for (uint32_t q = from; q < to && cap > 0; q++)
                    s->busy[p->fitting[q] * s->ring + j] += begun * left * s->cap[p->fitting[q]] / cap;
                s->landing[at * s->ring + j] += begun * ends;
                left -= ends;
            }
        }
    }
}

static bool all_over(const struct fc_sim *s)
{
    for (uint32_t i = 0; i < s->plan->in->runs; i++)
        if (s->end[i] < 0)
            return false;
    return true;
}

void fc_sim_run(struct fc_sim *s, uint32_t steps_min, const struct fc_watch *w)
{
    const struct fc_plan *p = s->plan;
    double came[SL_FORECAST_STATIONS_MAX], begun[SL_FORECAST_STATIONS_MAX], was[SL_FORECAST_RUNS_MAX];
    set_up(s);
    slots_now(s, 0);
    go_on(s);
    for (uint32_t i = 0; i < p->in->runs; i++)
        was[i] = rest(s, &p->flow[i]);
    for (uint32_t step = 0; step < FC_STEPS && (step < steps_min || !all_over(s)); step++) {
        memset(came, 0, p->in->stations * sizeof *came);
        memset(begun, 0, p->in->stations * sizeof *begun);
        slots_now(s, step);
        land(s, step);
        arrive(s, step);
        for (uint32_t i = 0; i < p->flows; i++)
            move(s, &p->flow[i], came);
        for (uint32_t from = 0, to; from < p->flows; from = to) {
            for (to = from + 1; to < p->flows && p->flow[p->by_flow[to]].priority == p->flow[p->by_flow[from]].priority;
                 to++)
                continue;
            serve_priority(s, p->by_flow + from, to - from, step, came, begun);
        }
        for (uint32_t i = 0; i < p->in->runs; i++) {
            double now = rest(s, &p->flow[i]);
            if (s->end[i] < 0 && now <= s->left[i])
                s->end[i] = step + (was[i] > now && was[i] > s->left[i] ? (was[i] - s->left[i]) / (was[i] - now) : 0);
            was[i] = now;
        }
        if (w)
            w->step(w->arg, s, step, came, begun);
    }
}
