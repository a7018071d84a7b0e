/* A forecast: checks what goes in, lays out the plan, repeats the calculation, tells what came out. The model is in sunline_forecast.h, one repeat in
 * forecast_sim.c. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/forecast.h"

#define HOUR_US 3600000000ll
#define LEVEL_DEFAULT 0.8
#define REPEATS_DEFAULT 200
#define REPEATS_LEAST 40
#define COST_MAX 4e8 /* places and sources, times steps, over all repeats: about two seconds */
#define ARRIVALS_PRIORITY 5
#define UNMEASURED_SPREAD 0.15 /* of presence */
#define UNMEASURED_SHARE                                                                                               \
    0.88                 /* the mean that this spread leaves; it counts as one day beside those that were measured */
#define SHARE_LEAST 0.1  /* a share differs at most as much as if it were nearly always all or nothing */
#define PRIOR_SPREAD 0.1 /* of presence, with the weight of so many days: few days tell little of how they differ */
#define PRIOR_DAYS 2.0

/* Everything in one place, so that one free ends it. */
struct work {
    struct sl_forecast f; /* first: what is handed out is the whole */
    const struct sl_forecast_input *in;
    struct sl_forecast_options o;
    struct fc_plan plan;
    struct fc_sim sim;
    void *kept[40], *given[8];
    uint32_t keeps, gives;
    bool failed;
    uint64_t seed;
    double *day; /* [hubs * 2 * days]: a repeat's presence at each hub */
    double *to_do,
        *wide; /* [stations]: tasks that it has yet to do, as far as runs tell; variance of its mean time's logarithm */
};

static void *keep(struct work *w, size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    assert(w->keeps < sizeof w->kept / sizeof *w->kept);
    w->failed = w->failed || !p;
    w->kept[w->keeps++] = p;
    return p;
}

static void *give(struct work *w, size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    w->failed = w->failed || !p;
    w->given[w->gives++] = p;
    return p;
}

void sl_forecast_free(struct sl_forecast **f)
{
    struct work *w = (struct work *)*f;
    if (!w)
        return;
    for (uint32_t i = 0; i < w->gives; i++)
        free(w->given[i]);
    free(w);
    *f = NULL;
}

/* ---- does it hold together? ---- */

static bool good(double v)
{
    return isfinite(v) && v >= 0;
}

static bool stations_ok(const struct sl_forecast_input *in)
{
    for (uint32_t i = 0; i < in->lines; i++) {
        const struct sl_forecast_line *l = &in->line[i];
        if (!l->count || l->first + (uint32_t)l->count > in->stations)
            return false;
        for (uint32_t k = l->first; k < (uint32_t)l->first + l->count; k++) {
            const struct sl_forecast_station *s = &in->station[k];
            for (uint32_t j = 0; j < s->after_count; j++)
                if (s->after[j] < l->first || s->after[j] >= l->first + l->count ||
                    in->station[s->after[j]].rank <= s->rank)
                    return false;
            double last = 0;
            for (uint32_t j = 0; j < s->time_count; last = s->time[j++].upto_us)
                if (!good(s->time[j].upto_us) || !good(s->time[j].count) || s->time[j].upto_us <= last)
                    return false;
            if (!good(s->mean_us) || !good(s->lease_us) || !good(s->answers) || !good(s->results) || !good(s->done) ||
                !good(s->skipped))
                return false;
        }
        for (uint32_t k = 0; l->usual && k < SL_FORECAST_WEEK_HOURS; k++)
            if (!good(l->usual[k].units) || !good(l->usual[k].spread) || !good(l->usual[k].weeks))
                return false;
    }
    return true;
}

static bool input_ok(const struct sl_forecast_input *in)
{
    for (uint32_t i = 0; i < in->crews; i++) {
        const struct sl_forecast_crew *c = &in->crew[i];
        if (c->hub >= in->hubs || !good(c->workers) || !good(c->slots) || c->time_count % 2)
            return false;
        for (uint32_t k = 1; k < c->time_count; k++)
            if (c->time[k] < c->time[k - 1])
                return false;
    }
    for (uint32_t i = 0; i < in->hubs; i++) {
        const struct sl_forecast_present *p[] = { &in->hub[i].by_shift, &in->hub[i].anytime };
        for (int k = 0; k < 2; k++)
            if (!good(p[k]->share) || !good(p[k]->spread) || !good(p[k]->days) || p[k]->share > 1)
                return false;
    }
    for (uint32_t i = 0; i < in->runs; i++) {
        const struct sl_forecast_run *r = &in->run[i];
        if (r->line >= in->lines || r->priority >= FC_PRIORITIES || !good(r->weight))
            return false;
        for (uint32_t k = 0; k < in->line[r->line].count; k++)
            if (!good(r->queue[k].ready) || !good(r->queue[k].begun))
                return false;
    }
    return in->now_us >= 0 && stations_ok(in);
}

/* ---- the plan ---- */

/* Before the end of a shift nothing is given out that would usually (in nine of ten cases) not fit; what was begun before goes on. So much of the shift is
 * left at a station. */
static double lost_at(const struct sl_forecast_station *s)
{
    struct fc_moments m = fc_moments(s);
    double upto = 0, usual = 0;
    for (uint32_t i = 0; i < s->time_count && upto < 0.9 * m.n; i++) {
        upto += s->time[i].count;
        usual = s->time[i].upto_us;
    }
    double lost =
        m.sum > 0 ? usual - m.squares / m.sum / 2 : 0; /* the latter: what is left of a task that is met by chance */
    return lost > 0 ? lost : 0;
}

/* Of a crew: on the average of the stations that it works at. */
static int64_t lost_at_end(const struct sl_forecast_input *in, const double *lost, const struct sl_forecast_crew *c)
{
    double sum = 0;
    uint32_t stations = 0;
    for (uint32_t st = 0; st < in->stations; st++) {
        if (!fc_fits(c->fits, st) || !in->station[st].time_count)
            continue;
        sum += lost[st];
        stations++;
    }
    return stations ? (int64_t)(sum / stations) : 0;
}

static double on_in(const struct sl_forecast_crew *c, int64_t from, int64_t to, int64_t lost_us)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i + 1 < c->time_count; i += 2) {
        int64_t end = c->time[i + 1] - lost_us;
        int64_t a = c->time[i] > from ? c->time[i] : from, b = end < to ? end : to;
        sum += b > a ? b - a : 0;
    }
    return (double)sum / (double)(to - from);
}

static unsigned bits(const uint64_t *v)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < SL_FORECAST_WORDS; i++)
        n += (unsigned)__builtin_popcountll(v[i]);
    return n;
}

static uint32_t pool_of(struct fc_plan *p, const uint64_t *fits)
{
    uint32_t i = 0;
    while (i < p->pools && memcmp(p->pool[i].fits, fits, sizeof p->pool[i].fits) != 0)
        i++;
    if (i == p->pools) {
        memcpy(p->pool[i].fits, fits, sizeof p->pool[i].fits);
        p->pool[i].flexible = bits(fits);
        p->pools++;
    }
    return i;
}

static void plan_slots(struct work *w)
{
    const struct sl_forecast_input *in = w->in;
    struct fc_plan *p = &w->plan;
    double lost[SL_FORECAST_STATIONS_MAX];
    for (uint32_t st = 0; st < in->stations; st++)
        lost[st] = lost_at(&in->station[st]);
    for (uint32_t i = 0; i < in->crews; i++) {
        const struct sl_forecast_crew *c = &in->crew[i];
        uint32_t pool = pool_of(p, c->fits), k = 0;
        while (k < p->sources &&
               (p->source[k].pool != pool || p->source[k].hub != c->hub || p->source[k].anytime != c->anytime))
            k++;
        struct fc_source *s = &p->source[k];
        if (k == p->sources) {
            p->sources++;
            s->pool = pool;
            s->hub = c->hub;
            s->anytime = c->anytime;
        }
        s->workers += c->workers;
        p->people[c->hub * 2 + c->anytime] += c->workers;
        int64_t lost_us = lost_at_end(in, lost, c);
        for (uint32_t step = 0; step < FC_STEPS; step++) {
            int64_t from = in->now_us + step * SL_FORECAST_STEP_US;
            s->on[step] += (float)(c->slots * (c->anytime ? 1 : on_in(c, from, from + SL_FORECAST_STEP_US, lost_us)));
        }
    }
    uint32_t n = 0;
    for (uint32_t st = 0; st < in->stations; st++) {
        p->fitting_from[st] = n;
        for (uint32_t i = 0; i < p->pools; i++) {
            if (!fc_fits(p->pool[i].fits, st))
                continue;
            uint32_t k = n++;
            for (; k > p->fitting_from[st] && p->pool[p->fitting[k - 1]].flexible > p->pool[i].flexible; k--)
                p->fitting[k] = p->fitting[k - 1];
            p->fitting[k] = i;
        }
    }
    p->fitting_from[in->stations] = n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* An hour that was seen in two weeks or more, and did not differ by more than itself, is as it was. Else it is as the same hour of most days that were seen (the
 * median: what a single import brought is not usual); if none was, as most hours. */
static void plan_arrivals(struct work *w, uint32_t line)
{
    const struct sl_forecast_usual *u = w->in->line[line].usual;
    double *to = w->plan.expected + (size_t)line * SL_FORECAST_WEEK_HOURS,
           *wide = w->plan.deviation + (size_t)line * SL_FORECAST_WEEK_HOURS, seen[25][SL_FORECAST_WEEK_HOURS];
    uint32_t n[25] = { 0 };
    for (uint32_t i = 0; i < SL_FORECAST_WEEK_HOURS; i++)
        if (u[i].weeks > 0) {
            seen[i % 24][n[i % 24]++] = u[i].units;
            seen[24][n[24]++] = u[i].units;
        }
    for (uint32_t k = 0; k < 25; k++)
        qsort(seen[k], n[k], sizeof **seen, by_value);
    for (uint32_t i = 0; n[24] >= SL_FORECAST_MEASURED_HOURS && i < SL_FORECAST_WEEK_HOURS; i++) {
        uint32_t k = n[i % 24] > 0 ? i % 24 : 24;
        bool own = u[i].weeks > 1.5 && u[i].spread <= u[i].units;
        to[i] = own ? u[i].units : seen[k][n[k] / 2];
        wide[i] =
            own ? sqrt(u[i].spread * u[i].spread + to[i] * to[i] / (u[i].weeks + 1)) : sqrt(to[i] + to[i] * to[i] / 4);
    }
}

static void flow_add(struct fc_plan *p, struct fc_flow f)
{
    f.at = p->places;
    p->places += p->in->line[f.line].count;
    p->flow[p->flows++] = f;
}

static void plan_flows(struct work *w)
{
    const struct sl_forecast_input *in = w->in;
    struct fc_plan *p = &w->plan;
    for (uint32_t i = 0; i < in->runs; i++)
        flow_add(p, (struct fc_flow){ .line = in->run[i].line,
                                      .priority = in->run[i].priority,
                                      .paused = in->run[i].paused,
                                      .weight = in->run[i].weight > 0 ? in->run[i].weight : 1,
                                      .run = &in->run[i] });
    for (uint32_t i = 0; i < in->lines; i++)
        if (in->line[i].usual) {
            plan_arrivals(w, i);
            flow_add(p, (struct fc_flow){
                            .line = (uint16_t)i, .priority = ARRIVALS_PRIORITY, .arrivals = true, .weight = 1 });
        }
    uint32_t n = 0;
    for (int priority = FC_PRIORITIES - 1; priority >= 0; priority--)
        for (uint32_t i = 0; i < p->flows; i++)
            if (p->flow[i].priority == priority)
                p->by_flow[n++] = (uint16_t)i;
    for (uint32_t i = 0; i < in->lines; i++)
        for (uint32_t k = 0; k < in->line[i].count; k++) {
            uint32_t st = in->line[i].first + k, at = st;
            for (; at > in->line[i].first && in->station[p->order[at - 1]].rank > in->station[st].rank; at--)
                p->order[at] = p->order[at - 1];
            p->order[at] = (uint16_t)st;
        }
}

static void plan_make(struct work *w)
{
    const struct sl_forecast_input *in = w->in;
    struct fc_plan *p = &w->plan;
    p->in = in;
    p->pool = keep(w, in->crews, sizeof *p->pool);
    p->source = keep(w, in->crews, sizeof *p->source);
    p->people = keep(w, in->hubs * 2, sizeof *p->people);
    p->flow = keep(w, in->runs + in->lines, sizeof *p->flow);
    p->by_flow = keep(w, in->runs + in->lines, sizeof *p->by_flow);
    p->fitting = keep(w, (size_t)in->stations * in->crews, sizeof *p->fitting);
    p->fitting_from = keep(w, in->stations + 1, sizeof *p->fitting_from);
    p->order = keep(w, in->stations, sizeof *p->order);
    p->expected = keep(w, (size_t)in->lines * SL_FORECAST_WEEK_HOURS, sizeof *p->expected);
    p->deviation = keep(w, (size_t)in->lines * SL_FORECAST_WEEK_HOURS, sizeof *p->deviation);
    if (w->failed)
        return;
    plan_slots(w);
    plan_flows(w);
}

/* ---- a repeat's draws ---- */

static double uniform(struct work *w) /* splitmix64; never 0 */
{
    uint64_t z = w->seed += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct work *w)
{
    double r = sqrt(-2 * log(uniform(w)));
    return r * cos(2 * M_PI * uniform(w));
}

static double clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Marsaglia and Tsang's method (ACM TOMS 26(3), 2000): the gamma distribution of this shape and scale 1. */
static double gamma_draw(struct work *w, double shape)
{
    if (shape < 1)
        return gamma_draw(w, shape + 1) * pow(uniform(w), 1 / shape);
    double d = shape - 1 / 3.0, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(w), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(uniform(w)) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

/* A share of this mean and variance: of the beta distribution, since a normal one that is cut off at 1 has a smaller mean than it was given, and would
 * let everything end later. */
static double share_draw(struct work *w, double mean, double variance)
{
    double most = mean * (1 - mean), n = variance > 0 ? most / variance - 1 : INFINITY;
    if (most <= 0 || isinf(n))
        return mean;
    if (n < SHARE_LEAST)
        n = SHARE_LEAST;
    double a = gamma_draw(w, mean * n), b = gamma_draw(w, (1 - mean) * n);
    return a + b > 0 ? a / (a + b) : mean;
}

/* Of a hub's share on a day. */
static double draw_day(struct work *w, const struct sl_forecast_present *p, double mean)
{
    if (p->days <= 0)
        return clip(1 - fabs(normal(w)) * UNMEASURED_SPREAD, 0, 1);
    return share_draw(
        w, mean, (p->spread * p->spread * p->days + PRIOR_SPREAD * PRIOR_SPREAD * PRIOR_DAYS) / (p->days + PRIOR_DAYS));
}

/* The mean itself is known to within its error: one draw for all days of a repeat. */
static double draw_mean(struct work *w, const struct sl_forecast_present *p)
{
    if (p->days <= 0)
        return 1;
    return share_draw(w, (p->share * p->days + UNMEASURED_SHARE) / (p->days + 1),
                      (p->spread * p->spread + PRIOR_SPREAD * PRIOR_SPREAD / (1 + p->days)) / p->days);
}

/* A part of the hub's people differs more from day to day than all of them: as so many drawn one by one would. */
static void draw_source(struct work *w, uint32_t source, const double *day, bool chance)
{
    const struct fc_source *s = &w->plan.source[source];
    double all = w->plan.people[s->hub * 2 + s->anytime], more = s->workers > 0 ? 1 / s->workers - 1 / all : 0;
    for (uint32_t d = 0; d < SL_FORECAST_DAYS; d++) {
        double p = day[(s->hub * 2 + s->anytime) * SL_FORECAST_DAYS + d];
        w->sim.present[source * SL_FORECAST_DAYS + d] = chance ? share_draw(w, p, p * (1 - p) * more) : p;
    }
}

static void draw_presence(struct work *w, bool chance)
{
    for (uint32_t i = 0; i < w->in->hubs * 2; i++) {
        const struct sl_forecast_hub *h = &w->in->hub[i / 2];
        const struct sl_forecast_present *p = i % 2 ? &h->anytime : &h->by_shift;
        double mean = chance ? draw_mean(w, p) : p->days > 0 ? p->share : 1;
        for (uint32_t d = 0; d < SL_FORECAST_DAYS; d++)
            w->day[i * SL_FORECAST_DAYS + d] = chance ? draw_day(w, p, mean) : mean;
    }
    for (uint32_t i = 0; i < w->plan.sources; i++)
        draw_source(w, i, w->day, chance);
}

/* How many tasks the station has yet to do, as far as runs tell; at least 1. */
static double to_do(const struct sl_forecast_input *in, uint32_t st)
{
    double n = 0;
    for (uint32_t i = 0; i < in->runs; i++) {
        const struct sl_forecast_line *l = &in->line[in->run[i].line];
        if (st < l->first || st >= (uint32_t)l->first + l->count)
            continue;
        for (uint32_t k = 0; k < l->count; k++)
            n += in->run[i].queue[k].ready +
                 in->run[i].queue[k].begun; /* all upstream and here: not what is beyond, but that hardly matters */
    }
    return n > 1 ? n : 1;
}

static void spreads(struct work *w)
{
    for (uint32_t st = 0; st < w->in->stations; st++) {
        struct fc_moments m = fc_moments(&w->in->station[st]);
        double cv2 = m.n > 1 && m.sum > 0 ? m.squares * m.n / (m.sum * m.sum) - 1 : 1;
        w->to_do[st] = to_do(w->in, st);
        w->wide[st] =
            SL_FORECAST_DRIFT * SL_FORECAST_DRIFT + (cv2 > 0 ? cv2 : 0) * (m.n > 0 ? 1 / m.n + 1 / w->to_do[st] : 1);
    }
}

static double stretch(struct work *w, uint32_t st)
{
    return exp(sqrt(w->wide[st]) * normal(w) - w->wide[st] / 2);
}

static void draw(struct work *w, bool chance)
{
    const struct sl_forecast_input *in = w->in;
    uint32_t ring = 1;
    for (uint32_t i = 0; i < in->stations; i++) {
        const struct sl_forecast_station *s = &in->station[i];
        double seen = s->done + s->skipped, p = seen > 0 ? s->skipped / seen : 0;
        fc_times_make(s, chance ? stretch(w, i) : 1, &w->sim.times[i]);
        ring = w->sim.times[i].steps + 1 > ring ? w->sim.times[i].steps + 1 : ring;
        w->sim.skip[i] = !chance || seen <= 0 ? p : share_draw(w, p, p * (1 - p) * (1 / seen + 1 / w->to_do[i]));
    }
    w->sim.ring = ring;
    draw_presence(w, chance);
    for (uint32_t i = 0; i < in->lines * SL_FORECAST_DAYS; i++)
        w->sim.surge[i] = chance ? normal(w) : 0;
    for (uint32_t i = 0; i < w->plan.flows; i++)
        w->sim.left[i] = chance ? -log(uniform(w)) : M_LN2;
}

static void sim_room(struct work *w)
{
    const struct sl_forecast_input *in = w->in;
    struct fc_plan *p = &w->plan;
    struct fc_sim *s = &w->sim;
    size_t ring = FC_LAG_MAX + 3;
    s->plan = p;
    s->extra = -1;
    s->times = keep(w, in->stations, sizeof *s->times);
    s->skip = keep(w, in->stations, sizeof *s->skip);
    s->present = keep(w, (size_t)p->sources * SL_FORECAST_DAYS, sizeof *s->present);
    w->to_do = keep(w, in->stations, sizeof *w->to_do);
    w->wide = keep(w, in->stations, sizeof *w->wide);
    w->day = keep(w, (size_t)in->hubs * 2 * SL_FORECAST_DAYS, sizeof *w->day);
    s->surge = keep(w, (size_t)in->lines * SL_FORECAST_DAYS, sizeof *s->surge);
    s->left = keep(w, p->flows, sizeof *s->left);
    s->ready = keep(w, p->places, sizeof *s->ready);
    s->fly = keep(w, p->places, sizeof *s->fly);
    s->entered = keep(w, p->places, sizeof *s->entered);
    s->passed = keep(w, p->places, sizeof *s->passed);
    s->landing = keep(w, p->places * ring, sizeof *s->landing);
    s->busy = keep(w, p->pools * ring, sizeof *s->busy);
    s->cap = keep(w, p->pools, sizeof *s->cap);
    s->free = keep(w, p->pools, sizeof *s->free);
    s->arrived = keep(w, p->flows, sizeof *s->arrived);
    s->end = keep(w, p->flows, sizeof *s->end);
    s->extra_busy = keep(w, ring, sizeof *s->extra_busy);
}

/* ---- what is told ---- */

struct teller {
    struct work *w;
    struct sl_forecast_cell *cell; /* the calculation without chance fills it; NULL: */
    float *queue;                  /* [stations * hours] at the end of each hour */
    double waited
        [SL_FORECAST_STATIONS_MAX]; /* by line's first station: unit-hours in its queues, until the last hour told */
    uint32_t steps[SL_FORECAST_HOURS_MAX];
};

static uint32_t hour_of(const struct work *w, uint32_t step)
{
    return (uint32_t)((w->in->now_us + step * SL_FORECAST_STEP_US + SL_FORECAST_STEP_US / 2 - w->f.from_us) / HOUR_US);
}

static void tell_step(void *arg, const struct fc_sim *s, uint32_t step, const double *came, const double *begun)
{
    struct teller *t = arg;
    const struct fc_plan *p = s->plan;
    uint32_t hour = hour_of(t->w, step), hours = t->w->f.hours;
    bool last = hour_of(t->w, step + 1) != hour || step + 1 == FC_STEPS;
    double there[SL_FORECAST_STATIONS_MAX];
    if (hour >= hours)
        return;
    memset(there, 0, p->in->stations * sizeof *there);
    for (uint32_t i = 0; i < p->flows; i++) {
        const struct sl_forecast_line *l = &p->in->line[p->flow[i].line];
        for (uint32_t k = 0; k < l->count; k++) {
            there[l->first + k] += s->ready[p->flow[i].at + k] + s->fly[p->flow[i].at + k];
            t->waited[l->first] += s->ready[p->flow[i].at + k] * FC_STEP_HOURS;
        }
    }
    for (uint32_t st = 0; st < p->in->stations; st++) {
        size_t at = (size_t)st * hours + hour;
        if (t->queue && last)
            t->queue[at] = (float)there[st];
        if (!t->cell)
            continue;
        struct sl_forecast_cell *c = &t->cell[at];
        double slots = 0;
        for (uint32_t i = p->fitting_from[st]; i < p->fitting_from[st + 1]; i++)
            slots += s->cap[p->fitting[i]];
        c->slots += slots;
        c->able += slots * FC_STEP_HOURS / (s->times[st].mean_h * s->times[st].answers);
        c->arrive += came[st];
        c->done += begun[st];
        c->queue = there[st];
    }
    t->steps[hour]++;
}

static void run_once(struct work *w, struct teller *t, uint32_t steps_min)
{
    fc_sim_run(&w->sim, steps_min, &(struct fc_watch){ t, tell_step });
}

static uint32_t steps_told(const struct work *w)
{
    uint32_t step = 0;
    while (step < FC_STEPS && hour_of(w, step) < w->f.hours)
        step++;
    return step;
}

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static uint32_t quantile(uint32_t n, double q)
{
    double at = q * n - 0.5;
    return at < 0 ? 0 : at > n - 1 ? n - 1 : (uint32_t)(at + 0.5);
}

static int64_t moment(const struct work *w, double steps)
{
    return isinf(steps) ? INT64_MAX : w->in->now_us + (int64_t)(steps * SL_FORECAST_STEP_US);
}

/* Why a run is not done in all the days, if it is not for want of time. */
static bool hindered(const struct work *w, uint32_t run, struct sl_forecast_end *end)
{
    const struct sl_forecast_line *l = &w->in->line[w->in->run[run].line];
    const struct fc_plan *p = &w->plan;
    if (w->in->run[run].paused) {
        *end = (struct sl_forecast_end){ .state = SL_END_PAUSED, .stuck = (uint16_t)w->in->stations };
        return true;
    }
    for (uint32_t k = 0; k < l->count; k++) {
        uint32_t st = l->first + k;
        double on = 0;
        if (w->sim.ready[p->flow[run].at + k] < 0.5)
            continue;
        for (uint32_t i = 0; i < p->sources; i++)
            for (uint32_t step = 0; fc_fits(p->pool[p->source[i].pool].fits, st) && step < FC_STEPS; step++)
                on += (double)p->source[i].on[step];
        *end = (struct sl_forecast_end){ .state = w->in->station[st].open ? SL_END_NOBODY : SL_END_PAUSED,
                                         .stuck = (uint16_t)st };
        if (!w->in->station[st].open || on <= 0)
            return true;
    }
    return false;
}

static void tell_ends(struct work *w, double *ends, struct sl_forecast_end *to, const bool *never)
{
    uint32_t n = w->f.repeats;
    double edge = (1 - w->f.level) / 2;
    for (uint32_t i = 0; i < w->in->runs; i++) {
        double *v = ends + (size_t)i * n;
        if (never[i])
            continue;
        qsort(v, n, sizeof *v, by_value);
        to[i].low_us = moment(w, v[quantile(n, edge)]);
        to[i].mid_us = moment(w, v[quantile(n, 0.5)]);
        to[i].high_us = moment(w, v[quantile(n, 1 - edge)]);
        to[i].state = to[i].mid_us == INT64_MAX ? SL_END_BEYOND : SL_END_WITHIN;
    }
}

static void tell_queues(struct work *w, float *queues, struct sl_forecast_cell *cell)
{
    uint32_t n = w->f.repeats, cells = w->f.stations * w->f.hours;
    double edge = (1 - w->f.level) / 2;
    for (uint32_t i = 0; i < cells; i++) {
        float *v = queues + (size_t)i * n;
        qsort(v, n, sizeof *v, by_float);
        cell[i].queue_low = (double)v[quantile(n, edge)];
        cell[i].queue_high = (double)v[quantile(n, 1 - edge)];
    }
}

/* One slot more at each station in turn, and how much less is waited. */
static void tell_relief(struct work *w, const struct teller *base, double *relief)
{
    struct teller t = { .w = w };
    for (uint32_t l = 0; l < w->in->lines; l++)
        for (uint32_t k = 0; k < w->in->line[l].count; k++) {
            uint32_t first = w->in->line[l].first;
            if (base->waited[first] <= 0)
                continue;
            memset(t.waited, 0, sizeof t.waited);
            w->sim.extra = (int32_t)(first + k);
            run_once(w, &t, steps_told(w));
            relief[first + k] = base->waited[first] - t.waited[first];
        }
    w->sim.extra = -1;
}

/* ---- hours without anybody ---- */

struct edge {
    int64_t at;
    int32_t change;
};

static int by_time(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1)
                          : y->change - x->change; /* whoever begins at the moment comes before whoever ends */
}

static void gap_add(struct work *w, struct sl_forecast_gap **v, uint32_t *cap, uint16_t station, int64_t from,
                    int64_t to)
{
    if (from >= to)
        return;
    if (w->f.gaps == *cap) {
        uint32_t more = *cap ? *cap * 2 : 64;
        struct sl_forecast_gap *p = realloc(*v, more * sizeof *p);
        if (!p) {
            w->failed = true;
            return;
        }
        *v = p;
        *cap = more;
    }
    (*v)[w->f.gaps++] = (struct sl_forecast_gap){ station, from, to };
}

static void tell_gaps(struct work *w, struct sl_forecast_gap **v)
{
    const struct sl_forecast_input *in = w->in;
    int64_t from = in->now_us, to = w->f.from_us + w->f.hours * HOUR_US;
    uint32_t edges = 0, cap = 0;
    for (uint32_t i = 0; i < in->crews; i++)
        edges += in->crew[i].time_count + 2;
    struct edge *e = keep(w, edges, sizeof *e);
    for (uint32_t st = 0; e && st < in->stations && !w->failed; st++) {
        uint32_t n = 0;
        int32_t there = 0;
        int64_t since = from;
        for (uint32_t i = 0; i < in->crews; i++) {
            const struct sl_forecast_crew *c = &in->crew[i];
            if (!fc_fits(c->fits, st) || c->slots <= 0)
                continue;
            if (c->anytime) {
                e[n++] = (struct edge){ from, 1 };
                e[n++] = (struct edge){ to, -1 };
            }
            for (uint32_t k = 0; !c->anytime && k < c->time_count; k++)
                e[n++] = (struct edge){ c->time[k], k % 2 ? -1 : 1 };
        }
        qsort(e, n, sizeof *e, by_time);
        for (uint32_t i = 0; i < n; i++) {
            int64_t at = e[i].at < from ? from : e[i].at > to ? to : e[i].at;
            if (there == 0)
                gap_add(w, v, &cap, (uint16_t)st, since, at);
            there += e[i].change;
            since = at;
        }
        if (there == 0)
            gap_add(w, v, &cap, (uint16_t)st, since, to);
    }
}

static void tell_known(struct work *w, int64_t *until, struct sl_forecast_cell *cell)
{
    for (uint32_t st = 0; st < w->in->stations; st++) {
        until[st] = INT64_MAX;
        for (uint32_t i = 0; i < w->in->crews; i++) {
            const struct sl_forecast_crew *c = &w->in->crew[i];
            if (fc_fits(c->fits, st) && !c->anytime && c->until_us < until[st])
                until[st] = c->until_us;
        }
        for (uint32_t h = 0; h < w->f.hours; h++)
            cell[st * w->f.hours + h].known = until[st] >= w->f.from_us + (h + 1) * HOUR_US;
    }
}

/* ---- all of it ---- */

static uint32_t repeats_for(const struct work *w)
{
    if (w->o.repeats)
        return w->o.repeats;
    const struct fc_plan *p = &w->plan;
    double places = 0;
    for (uint32_t i = 0; i < p->flows; i++)
        for (uint32_t k = 0; k < w->in->line[p->flow[i].line].count; k++) {
            uint32_t st = w->in->line[p->flow[i].line].first + k;
            places += 4 + p->fitting_from[st + 1] - p->fitting_from[st];
        }
    double n = COST_MAX / (FC_STEPS * (places * 3 + p->sources + 1));
    return n > REPEATS_DEFAULT ? REPEATS_DEFAULT : n < REPEATS_LEAST ? REPEATS_LEAST : (uint32_t)n;
}

static void without_chance(struct work *w, struct sl_forecast_cell *cell, struct sl_forecast_end *end, bool *never,
                           double *relief)
{
    struct teller t = { .w = w, .cell = cell };
    draw(w, false);
    run_once(w, &t, FC_STEPS);
    for (uint32_t st = 0; st < w->f.stations; st++)
        for (uint32_t h = 0; h < w->f.hours; h++)
            if (t.steps[h])
                cell[st * w->f.hours + h].slots /= t.steps[h];
    for (uint32_t i = 0; i < w->in->runs; i++) {
        double left = 0;
        for (uint32_t k = 0; k < w->in->line[w->in->run[i].line].count; k++)
            left += w->in->run[i].queue[k].ready + w->in->run[i].queue[k].begun;
        never[i] = left <= 0;
        if (never[i])
            end[i] = (struct sl_forecast_end){
                .state = SL_END_NOW, .low_us = w->in->now_us, .mid_us = w->in->now_us, .high_us = w->in->now_us
            };
        else if (w->sim.end[i] < 0 && hindered(w, i, &end[i]))
            never[i] = true;
    }
    tell_relief(w, &t, relief);
}

static void with_chance(struct work *w, double *ends, float *queues, float *one)
{
    uint32_t n = w->f.repeats, cells = w->f.stations * w->f.hours, told = steps_told(w);
    for (uint32_t r = 0; r < n; r++) {
        struct teller t = { .w = w, .queue = one };
        draw(w, true);
        run_once(w, &t, told);
        for (uint32_t i = 0; i < w->in->runs; i++)
            ends[(size_t)i * n + r] = w->sim.end[i] < 0 ? INFINITY : w->sim.end[i];
        for (uint32_t i = 0; i < cells; i++)
            queues[(size_t)i * n + r] = one[i];
    }
}

static void compute(struct work *w)
{
    struct sl_forecast_cell *cell = give(w, (size_t)w->f.stations * w->f.hours, sizeof *cell);
    struct sl_forecast_end *end = give(w, w->f.runs, sizeof *end);
    double *relief = give(w, w->f.stations, sizeof *relief);
    int64_t *until = give(w, w->f.stations, sizeof *until);
    struct sl_forecast_gap *gap = NULL;
    bool *never = keep(w, w->f.runs, sizeof *never);
    plan_make(w);
    if (!w->failed)
        sim_room(w);
    if (w->failed)
        return;
    spreads(w);
    w->f.repeats = repeats_for(w);
    double *ends = keep(w, (size_t)w->f.runs * w->f.repeats, sizeof *ends);
    float *queues = keep(w, (size_t)w->f.stations * w->f.hours * w->f.repeats, sizeof *queues),
          *one = keep(w, (size_t)w->f.stations * w->f.hours, sizeof *one);
    if (w->failed)
        return;
    without_chance(w, cell, end, never, relief);
    with_chance(w, ends, queues, one);
    tell_ends(w, ends, end, never);
    tell_queues(w, queues, cell);
    tell_known(w, until, cell);
    tell_gaps(w, &gap);
    w->given[w->gives++] = gap;
    w->f.cell = cell;
    w->f.run = end;
    w->f.relief = relief;
    w->f.known_until_us = until;
    w->f.gap = gap;
}

int sl_forecast_new(const struct sl_forecast_input *in, const struct sl_forecast_options *o, struct sl_forecast **out)
{
    static const struct sl_forecast_options none;
    *out = NULL;
    o = o ? o : &none;
    if (!in || o->hours > SL_FORECAST_HOURS_MAX || !good(o->level) || o->level >= 1)
        return SL_MISUSE;
    if (in->stations > SL_FORECAST_STATIONS_MAX || in->runs > SL_FORECAST_RUNS_MAX || o->repeats > 100000)
        return SL_TOO_MANY;
    if (!input_ok(in))
        return SL_MISUSE;
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return SL_NO_MEMORY;
    w->in = in;
    w->o = *o;
    w->seed = o->seed ? o->seed : 20121126;
    w->f = (struct sl_forecast){ .hours = o->hours ? o->hours : 24,
                                 .stations = in->stations,
                                 .runs = in->runs,
                                 .level = o->level > 0 ? o->level : LEVEL_DEFAULT,
                                 .from_us = in->now_us / HOUR_US * HOUR_US };
    compute(w);
    for (uint32_t i = 0; i < w->keeps; i++)
        free(w->kept[i]);
    *out = &w->f;
    if (!w->failed)
        return SL_OK;
    sl_forecast_free(out);
    return SL_NO_MEMORY;
}

bool sl_forecast_bottleneck(const struct sl_forecast *f, const struct sl_forecast_input *in, uint32_t line,
                            uint32_t *station)
{
    double most = 1e-6;
    bool found = false;
    for (uint32_t k = 0; line < in->lines && k < in->line[line].count; k++)
        if (f->relief[in->line[line].first + k] > most) {
            most = f->relief[ *station = in->line[line].first + k];
            found = true;
        }
    return found;
}
