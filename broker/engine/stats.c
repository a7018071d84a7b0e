/* The engine's figures: counters since the start and gauges, all from memory, so they cost nothing at any depth. Flat names for the whole, maps
 * (by line, station, hub) with a bounded number of labels: of more than LABELS_MAX, the newest lines and stations and the oldest hubs are told one by
 * one, the others together as "(other)", which no name can be. proto/figures.def names them all. */
#include <stdio.h>

#include "broker/engine/internal.h"

#define LABELS_MAX 64
#define OTHER "(other)"
#define MINUTE_PART_US 10000000
#define LABEL_BYTES (2 * SL_NAME_BYTES_MAX + 24)

static const char *const state_name[TASK_STATES] = { "blocked", "waiting", "ready", "assigned", "started",
                                                     "done",    "skipped", "dead",  "ended" };

/* ---- what is counted on the way ---- */

void latency_add(struct latency *l, int64_t us)
{
    uint64_t ms = us > 0 ? (uint64_t)us / 1000 : 0; /* a wall clock that was set back */
    unsigned i = ms < 1 ? 0 : 64 - (unsigned)__builtin_clzll(ms);
    l->bucket[i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1]++;
    l->count++;
    l->total_us += us > 0 ? (uint64_t)us : 0;
}

static void minute_advance(struct minute *m, int64_t now_us)
{
    int64_t now = now_us / MINUTE_PART_US;
    int64_t from = now - m->newest > MINUTE_PARTS ? now - MINUTE_PARTS - 1 : m->newest;
    while (from < now)
        m->part[++from % (MINUTE_PARTS + 1)] = 0;
    m->newest = now;
}

void minute_add(struct minute *m, int64_t now_us)
{
    minute_advance(m, now_us);
    m->part[m->newest % (MINUTE_PARTS + 1)]++;
}

/* The oldest part lies partly in the last minute; so much of it counts. */
static uint64_t minute_sum(const struct minute *m, int64_t now_us)
{
    struct minute at = *m;
    minute_advance(&at, now_us);
    uint64_t sum = 0, left_us = (uint64_t)(MINUTE_PART_US - now_us % MINUTE_PART_US);
    for (int i = 0; i < MINUTE_PARTS; i++)
        sum += at.part[(at.newest - i + MINUTE_PARTS + 1) % (MINUTE_PARTS + 1)];
    return sum + at.part[(at.newest + 1) % (MINUTE_PARTS + 1)] * left_us / MINUTE_PART_US;
}

void stats_second(struct engine *e)
{
    int64_t now = e->now_us / 1000000;
    if (now == e->second_now)
        return;
    int64_t from = now - e->second_now > STATS_SECONDS ? now - STATS_SECONDS : e->second_now;
    for (int64_t s = from + 1; s <= now; s++) /* what stood at the end of each second that went by */
        e->second[s % STATS_SECONDS] = e->total;
    e->second_now = now;
}

/* ---- maps in the making: the header comes first, so the pairs are gathered and counted ---- */

struct pairs {
    struct slp_buf *b;
    uint32_t n;
};

static void figure(struct pairs *p, const char *name, uint64_t v)
{
    slp_pack_cstr(p->b, name);
    slp_pack_u64(p->b, v);
    p->n++;
}

/* The upper edge of the bucket in which that share of all ends. */
static uint64_t latency_percentile(const struct latency *l, unsigned percent)
{
    uint64_t wanted = (l->count * percent + 99) / 100, seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS && l->count; i++)
        if ((seen += l->bucket[i]) >= wanted)
            return 1ull << i;
    return 0;
}

static void latency(struct pairs *p, const char *name, const struct latency *l)
{
    uint32_t used = LATENCY_BUCKETS - 1;
    uint64_t upto = 0;
    while (used && !l->bucket[used - 1])
        used--;
    slp_pack_cstr(p->b, name);
    slp_pack_map(p->b, 5);
    slp_pack_cstr(p->b, "count");
    slp_pack_u64(p->b, l->count);
    slp_pack_cstr(p->b, "total_us");
    slp_pack_u64(p->b, l->total_us);
    slp_pack_cstr(p->b, "p50_ms");
    slp_pack_u64(p->b, latency_percentile(l, 50));
    slp_pack_cstr(p->b, "p99_ms");
    slp_pack_u64(p->b, latency_percentile(l, 99));
    slp_pack_cstr(p->b, "le_ms"); /* how many took up to 1, 2, 4 ... ms, as far as there are any */
    slp_pack_array(p->b, used);
    for (uint32_t i = 0; i < used; i++)
        slp_pack_u64(p->b, upto += l->bucket[i]);
    p->n++;
}

static void latency_sum(struct latency *to, const struct latency *l)
{
    to->count += l->count;
    to->total_us += l->total_us;
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        to->bucket[i] += l->bucket[i];
}

/* ---- by station and line ---- */

struct station_sum {
    struct counts c;
    struct latency waited, worked;
    uint64_t submitted, returned, runs_open, last_minute;
    int64_t oldest_us;
};

static void station_take(struct engine *e, struct station_sum *s, const struct station *st, int64_t oldest_us)
{
    for (int k = 0; k < TASK_STATES; k++)
        s->c.n[k] += st->c.n[k];
    latency_sum(&s->waited, &st->waited);
    latency_sum(&s->worked, &st->worked);
    s->submitted += st->submitted;
    s->returned += st->returned;
    s->last_minute += minute_sum(&st->submits, e->now_us);
    if (oldest_us < s->oldest_us)
        s->oldest_us = oldest_us;
}

static void sum_pack(struct engine *e, struct slp_buf *b, const char *label, const struct station_sum *s, bool line)
{
    struct slp_buf *in = &e->b3;
    struct pairs p = { in, 0 };
    slp_buf_clear(in);
    for (int k = 0; k < TASK_STATES; k++)
        figure(&p, state_name[k], s->c.n[k]);
    figure(&p, "oldest_us", s->oldest_us < e->now_us ? (uint64_t)(e->now_us - s->oldest_us) : 0);
    figure(&p, "results_total", s->submitted);
    figure(&p, "results_last_minute", s->last_minute);
    figure(&p, "returned_total", s->returned);
    if (line)
        figure(&p, "runs_open", s->runs_open);
    latency(&p, "waited", &s->waited);
    latency(&p, "worked", &s->worked);
    slp_pack_cstr(b, label);
    slp_pack_map(b, p.n);
    slp_buf_add(b, in->p, in->n);
    b->failed = b->failed || in->failed;
}

/* How many are told by name: a deleted line's name may be another's by now, so it and its stations are always among the others. */
static uint32_t labels_shown(uint32_t all, uint32_t live)
{
    return all <= LABELS_MAX && live == all ? all : live < LABELS_MAX - 1 ? live : LABELS_MAX - 1;
}

/* Since when each station's oldest ready task waits. */
static int64_t *oldest_by_station(struct engine *e)
{
    int64_t *v = malloc((e->meta.station + 1) * sizeof *v);
    for (uint32_t i = 0; v && i < e->meta.station; i++)
        v[i] = INT64_MAX;
    for (uint32_t i = 0; v && i < e->meta.run; i++) {
        struct run *r = e->run[i];
        for (uint32_t k = 0; r && r->state <= RUN_CLOSED && k < r->lv->station_count; k++) {
            struct rq *q = &r->rq[k];
            int64_t us = q->c.n[TASK_READY] ? queue_oldest_us(e, q) : INT64_MAX;
            if (us < v[q->st->id - 1])
                v[q->st->id - 1] = us;
        }
    }
    return v;
}

static void by_station(struct engine *e, struct pairs *all, const int64_t *oldest)
{
    struct station_sum other = { .oldest_us = INT64_MAX };
    uint32_t live = 0, n = 0;
    for (uint32_t i = 0; i < e->meta.station; i++)
        live += e->station[i]->line->state != LINE_DELETED;
    uint32_t shown = labels_shown(e->meta.station, live);
    slp_pack_cstr(all->b, "by_station");
    slp_pack_map(all->b, shown + (shown < e->meta.station));
    for (uint32_t i = e->meta.station; i-- > 0;) { /* the newest first */
        const struct station *st = e->station[i];
        struct station_sum s = { .oldest_us = INT64_MAX };
        char label[LABEL_BYTES];
        if (n >= shown || st->line->state == LINE_DELETED) {
            station_take(e, &other, st, oldest[i]);
            continue;
        }
        n++;
        station_take(e, &s, st, oldest[i]);
        snprintf(label, sizeof label, "%s/%.*s@%u", st->line->name.s, (int)st->def->name.n, st->def->name.p,
                 st->version);
        sum_pack(e, all->b, label, &s, false);
    }
    if (shown < e->meta.station)
        sum_pack(e, all->b, OTHER, &other, false);
    all->n++;
}

static void by_line(struct engine *e, struct pairs *all, const int64_t *oldest)
{
    struct station_sum other = { .oldest_us = INT64_MAX };
    uint32_t live = 0, n = 0;
    for (uint32_t i = 0; i < e->meta.line; i++)
        live += e->line[i]->state != LINE_DELETED;
    uint32_t shown = labels_shown(e->meta.line, live);
    slp_pack_cstr(all->b, "by_line");
    slp_pack_map(all->b, shown + (shown < e->meta.line));
    for (uint32_t i = e->meta.line; i-- > 0;) {
        const struct line *l = e->line[i];
        bool named = n < shown && l->state != LINE_DELETED;
        struct station_sum s = { .oldest_us = INT64_MAX }, *to = named ? &s : &other;
        for (uint32_t v = 0; v < l->newest; v++)
            for (uint32_t k = 0; k < l->version[v].def->station_count; k++) {
                uint32_t id = l->version[v].first_station + k;
                station_take(e, to, e->station[id - 1], oldest[id - 1]);
            }
        to->runs_open += l->runs_open;
        n += named;
        if (named)
            sum_pack(e, all->b, l->name.s, to, true);
    }
    if (shown < e->meta.line)
        sum_pack(e, all->b, OTHER, &other, true);
    all->n++;
}

/* ---- by hub ---- */

struct hub_sum {
    uint64_t connected, workers, signed_in, on_shift, holding, assigned, submitted, returned, last_minute;
};

static void hub_take(struct engine *e, struct hub_sum *s, const struct hub *h)
{
    s->connected += h->connected;
    s->workers += h->workers;
    s->signed_in += h->signed_in;
    s->on_shift += hub_on_shift(h);
    s->holding += h->holding;
    s->assigned += h->assigned;
    s->submitted += h->submitted;
    s->returned += h->returned;
    s->last_minute += minute_sum(&h->submits, e->now_us);
}

#define HUB_FIGURES 9
static void hub_pack(struct slp_buf *b, const char *label, const struct hub_sum *s)
{
    struct pairs p = { b, 0 };
    slp_pack_cstr(b, label);
    slp_pack_map(b, HUB_FIGURES);
    figure(&p, "connected", s->connected);
    figure(&p, "workers", s->workers);
    figure(&p, "signed_in", s->signed_in);
    figure(&p, "on_shift", s->on_shift);
    figure(&p, "holding", s->holding);
    figure(&p, "assignments_total", s->assigned);
    figure(&p, "results_total", s->submitted);
    figure(&p, "returned_total", s->returned);
    figure(&p, "results_last_minute", s->last_minute);
    assert(p.n == HUB_FIGURES);
}

static void by_hub(struct engine *e, struct pairs *all, struct hub_sum *whole)
{
    struct hub_sum other = { .connected = 0 };
    uint32_t shown = e->meta.hub < LABELS_MAX ? e->meta.hub : LABELS_MAX - 1;
    slp_pack_cstr(all->b, "by_hub");
    slp_pack_map(all->b, shown + (shown < e->meta.hub));
    for (uint32_t i = 0; i < e->meta.hub; i++) {
        struct hub_sum s = { .connected = 0 };
        hub_take(e, whole, e->hub[i]);
        hub_take(e, i < shown ? &s : &other, e->hub[i]);
        if (i < shown)
            hub_pack(all->b, e->hub[i]->name.s, &s);
    }
    if (shown < e->meta.hub)
        hub_pack(all->b, OTHER, &other);
    all->n++;
}

/* ---- the whole ---- */

static void last_minute(struct engine *e, struct pairs *p)
{
    int64_t then = e->second_now - 60;
    static const struct totals none;
    const struct totals *was = then > 0 ? &e->second[then % STATS_SECONDS] : &none; /* before the start: zeros */
    figure(p, "units_last_minute", e->total.units - was->units);
    figure(p, "assignments_last_minute", e->total.assigned - was->assigned);
    figure(p, "results_last_minute", e->total.submitted - was->submitted);
}

static void flat_figures(struct engine *e, struct pairs *p, const struct station_sum *c, const struct hub_sum *h)
{
    uint64_t open = 0;
    for (uint32_t i = 0; i < e->meta.line; i++)
        open += e->line[i]->runs_open;
    const struct store_counters *s = store_counters(e->store);
    const struct {
        const char *name;
        uint64_t v;
    } all[] = {
        { "tasks_oldest_us", c->oldest_us < e->now_us ? (uint64_t)(e->now_us - c->oldest_us) : 0 },
        { "runs_open", open },
        { "lines", e->meta.line },
        { "stations", e->meta.station },
        { "hubs", e->meta.hub },
        { "hubs_connected", h->connected },
        { "workers", h->workers },
        { "workers_signed_in", h->signed_in },
        { "workers_on_shift", h->on_shift },
        { "assignments_held", h->holding },
        { "units_total", e->total.units },
        { "assignments_total", e->total.assigned },
        { "started_total", e->total.started },
        { "results_total", e->total.submitted },
        { "results_late_total", e->total.late },
        { "returned_total", e->total.returned },
        { "expired_total", e->total.expired },
        { "steps_total", e->total.steps },
        { "event_seq", e->meta.event },
        { "event_oldest_seq", e->meta.oldest_event },
        { "sweeps_under_way", e->sweeps },
        { "store_commits_total", s->commits },
        { "store_gets_total", s->gets },
        { "store_puts_total", s->puts + s->appends },
        { "store_dels_total", s->dels },
        { "store_put_bytes_total", s->put_bytes },
        { "payload_in_bytes_total", s->payload_bytes },
        { "payload_in_copied_bytes_total", s->payload_copied_bytes + e->total.in_copied_bytes },
        { "payload_out_bytes_total", e->total.shown_bytes },
        { "payload_out_copied_bytes_total", e->total.shown_copied_bytes },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        figure(p, all[i].name, all[i].v);
}

void on_stats_get(struct engine *e, const struct slp_msg *m)
{
    struct station_sum c = { .oldest_us = INT64_MAX };
    struct hub_sum h = { .connected = 0 };
    struct pairs p = { &e->b1, 0 };
    char name[32];
    (void)m;
    int64_t *oldest = oldest_by_station(e);
    if (!oldest) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    slp_buf_clear(p.b);
    for (uint32_t i = 0; i < e->meta.station; i++)
        station_take(e, &c, e->station[i], oldest[i]);
    by_hub(e, &p, &h);
    by_line(e, &p, oldest);
    by_station(e, &p, oldest);
    free(oldest);
    for (int k = 0; k < TASK_STATES; k++) {
        snprintf(name, sizeof name, "tasks_%s", state_name[k]);
        figure(&p, name, c.c.n[k]);
    }
    latency(&p, "waited", &c.waited);
    latency(&p, "worked", &c.worked);
    last_minute(e, &p);
    flat_figures(e, &p, &c, &h);
    if (p.b->failed) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    slp_buf_clear(&e->b2);
    slp_pack_map(&e->b2, p.n);
    slp_buf_add(&e->b2, p.b->p, p.b->n);
    struct slp_stats a = { .figures = { e->b2.p, (uint32_t)e->b2.n } };
    reply(e, SLP_STATS, &a);
}
