/* The tables of `sunline top`: see top.h. */
#include "client/cli/top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/awake.h"
#include "client/cli/text.h"

#define EVENTS_MS 150 /* of one look for events, so that a long past comes in bit by bit */
#define HUBS_MAX 1024
#define SEARCH_MAX 48
#define RATE_S 30 /* a rate is what went on in about so long: people are slow, and a look is short */

const char *const top_titles[TOP_VIEWS] = { "lines", "runs", "stations", "hubs", "workers" };
const struct top_column top_columns[TOP_VIEWS][TOP_COLUMNS_MAX + 1] = {
    { { "LINE", 14, false },
      { "VER", 4, true },
      { "STATE", 7, false },
      { "RUNS", 5, true },
      { "READY", 9, true },
      { "HAND", 7, true },
      { "DEAD", 6, true },
      { "DONE/MIN", 9, true },
      { "OLDEST", 8, true },
      { 0 } },
    { { "RUN", 14, false },
      { "LINE", 12, false },
      { "STATE", 9, false },
      { "P", 2, true },
      { "UNITS", 9, true },
      { "DONE%", 6, true },
      { "DEAD", 6, true },
      { "/MIN", 7, true },
      { "LEFT", 7, true },
      { 0 } },
    { { "STATION", 18, false },
      { "READY", 9, true },
      { "WAIT", 7, true },
      { "ASSIGN", 7, true },
      { "START", 6, true },
      { "DONE", 9, true },
      { "DEAD", 6, true },
      { "/MIN", 7, true },
      { "OLDEST", 7, true },
      { 0 } },
    { { "HUB", 12, false },
      { "ZONE", 16, false },
      { "STATE", 5, false },
      { "IN", 4, true },
      { "OF", 4, true },
      { "HAND", 6, true },
      { "24 HOURS, TO NOW", 24, false },
      { 0 } },
    { { "WORKER", 18, false },
      { "HUB", 14, false },
      { "KIND", 6, false },
      { "STATE", 5, false },
      { "HAND", 6, true },
      { "CREDIT", 7, true },
      { "DONE", 8, true },
      { 0 } },
};

struct counted { /* what was done by whom, at the last look at his table */
    char name[2 * SL_NAME_SIZE + 24];
    uint64_t done;
    double per_s; /* < 0: not known yet */
};
struct table { /* looks at one view */
    struct counted *v;
    uint32_t n;
    int64_t at_us;
};
struct hub_awake {
    uint64_t hub;
    struct awake a;
};

struct top {
    struct cli *cli;
    struct top_row *row;
    uint32_t rows;
    bool full; /* there are more than are shown */
    int64_t wall_us;
    struct table then[TOP_VIEWS], now; /* for rates */
    enum top_view view;
    /* figures */
    char one[256], two[256];
    struct {
        char name[2 * SL_NAME_SIZE + 24];
        uint64_t oldest_us;
    } * age;
    uint32_t ages, age_cap;
    struct {
        char name[SL_NAME_SIZE];
        uint64_t ready, hand, dead, done;
    } * line;
    uint32_t lines, line_cap;
    /* presence */
    struct sl_events *events;
    struct hub_awake *awake;
    uint32_t hubs;
    int64_t known_from_us, restart_us; /* the last restart of the broker among the events */
    bool from_oldest;                  /* what was before the first event is not kept */
    bool caught_up;                    /* all events that there are were taken */
};

struct top *top_new(struct cli *cli)
{
    struct top *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->cli = cli;
    t->row = calloc(TOP_ROWS_MAX, sizeof *t->row);
    t->now.v = calloc(TOP_ROWS_MAX, sizeof *t->now.v);
    t->awake = calloc(HUBS_MAX, sizeof *t->awake);
    if (!t->row || !t->now.v || !t->awake) {
        top_free(&t);
    }
    return t;
}

void top_free(struct top **tt)
{
    struct top *t = *tt;
    if (t) {
        sl_events_close(&t->events);
        free(t->row);
        free(t->now.v);
        for (int i = 0; i < TOP_VIEWS; i++) {
            free(t->then[i].v);
        }
        free(t->awake);
        free(t->age);
        free(t->line);
        free(t);
        *tt = NULL;
    }
}

struct top_row *top_rows(struct top *t, uint32_t *n, bool *full)
{
    *n = t->rows;
    *full = t->full;
    return t->row;
}

void top_summary(const struct top *t, char *one, char *two, size_t size)
{
    snprintf(one, size, "%s", t->one);
    snprintf(two, size, "%s", t->two);
}

/* ---- cells ---- */

/* NULL: the table is full, and the listing ends here: nobody reads so many rows, and to list a million workers every two seconds is no small thing. */
static struct top_row *add_row(struct top *t)
{
    if (t->rows == TOP_ROWS_MAX) {
        t->full = true;
        return NULL;
    }
    struct top_row *r = &t->row[t->rows++];
    memset(r, 0, sizeof *r);
    return r;
}

static void cell_text(struct top_row *r, int i, const char *text)
{
    snprintf(r->cell[i], TOP_CELL_BYTES, "%.*s", TOP_CELL_BYTES - 1, text);
}

static void cell_number(struct top_row *r, int i, uint64_t v)
{
    char s[TEXT_TIME_BYTES];
    cell_text(r, i, text_count(v, s));
    r->key[i] = (double)v;
}

static void cell_age(struct top_row *r, int i, uint64_t us)
{
    char s[TEXT_TIME_BYTES];
    cell_text(r, i, us ? text_duration((int64_t)us, s) : "-");
    r->key[i] = (double)us;
}

/* ---- rates: what was done since the last look ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct counted *)a)->name, ((const struct counted *)b)->name);
}

/* A smoothed rate: each look weighs as much as its time is of RATE_S. */
static double rate_per_minute(struct top *t, const char *name, uint64_t done)
{
    const struct table *then = &t->then[t->view];
    struct counted key = { .done = done, .per_s = -1 }, *was;
    snprintf(key.name, sizeof key.name, "%s", name);
    was = then->n ? bsearch(&key, then->v, then->n, sizeof key, by_name) : NULL;
    double s = (double)(t->now.at_us - then->at_us) / 1e6;
    if (was && s > 0 && done >= was->done) {
        double fresh = (double)(done - was->done) / s, weight = s / (s + RATE_S);
        key.per_s = was->per_s < 0 ? fresh : was->per_s + (fresh - was->per_s) * weight;
    }
    if (t->now.n < TOP_ROWS_MAX) {
        t->now.v[t->now.n++] = key;
    }
    return key.per_s < 0 ? -1 : key.per_s * 60;
}

static void cell_rate(struct top_row *r, int i, double rate)
{
    char s[TEXT_TIME_BYTES];
    cell_text(r, i, rate < 0 ? "-" : text_count((uint64_t)(rate + 0.5), s));
    r->key[i] = rate;
}

static uint64_t age_of(const struct top *t, const char *name)
{
    for (uint32_t i = 0; i < t->ages; i++) {
        if (strcmp(t->age[i].name, name) == 0) {
            return t->age[i].oldest_us;
        }
    }
    return 0;
}

/* ---- the tables ---- */

static int on_line(void *arg, const struct sl_line_row *l)
{
    static const char *const states[] = { "active", "paused", "deleted" };
    struct top *t = arg;
    struct top_row *r;
    if (l->state >= 2) { /* deleted */
        return 0;
    }
    if (!(r = add_row(t))) {
        return 1;
    }
    cell_text(r, 0, l->name);
    cell_number(r, 1, l->version);
    cell_text(r, 2, states[l->state]);
    cell_number(r, 3, l->runs_open);
    for (uint32_t i = 0; i < t->lines; i++) {
        if (strcmp(t->line[i].name, l->name) == 0) {
            cell_number(r, 4, t->line[i].ready);
            cell_number(r, 5, t->line[i].hand);
            cell_number(r, 6, t->line[i].dead);
            cell_rate(r, 7, rate_per_minute(t, l->name, t->line[i].done));
        }
    }
    cell_age(r, 8, age_of(t, l->name));
    return 0;
}

static int on_run(void *arg, const struct sl_run_row *l)
{
    static const char *const states[] = { "open", "closed", "done", "cancelled", "deleting" };
    struct top *t = arg;
    struct top_row *r = add_row(t);
    if (!r) {
        return 1;
    }
    uint64_t over = l->done + l->dropped + l->cancelled, left = l->units > over ? l->units - over : 0;
    double rate = rate_per_minute(t, l->name, l->done);
    cell_text(r, 0, l->name);
    cell_text(r, 1, l->line);
    cell_text(r, 2, l->paused ? "paused" : l->state < 5 ? states[l->state] : "?");
    cell_number(r, 3, l->priority);
    cell_number(r, 4, l->units);
    r->key[5] = l->units ? (double)l->done * 100 / (double)l->units : 0;
    snprintf(r->cell[5], TOP_CELL_BYTES, "%.1f", r->key[5]);
    cell_number(r, 6, l->dead);
    cell_rate(r, 7, rate);
    r->key[8] = -1;
    cell_text(r, 8, "-");
    if (left && rate > 0) {
        cell_age(r, 8, (uint64_t)((double)left / rate * 60e6)); /* at this pace */
    }
    return 0;
}

static int on_station(void *arg, const struct sl_station_row *l)
{
    struct top *t = arg;
    struct top_row *r = add_row(t);
    char name[2 * SL_NAME_SIZE + 24];
    if (!r) {
        return 1;
    }
    snprintf(name, sizeof name, "%s/%s@%llu", l->line, l->name, (unsigned long long)l->version);
    cell_text(r, 0, name);
    cell_number(r, 1, l->ready);
    cell_number(r, 2, l->waiting);
    cell_number(r, 3, l->assigned);
    cell_number(r, 4, l->started);
    cell_number(r, 5, l->done);
    cell_number(r, 6, l->dead);
    cell_rate(r, 7, rate_per_minute(t, name, l->done));
    cell_age(r, 8, age_of(t, name));
    return 0;
}

static struct awake *awake_of(struct top *t, uint64_t hub)
{
    for (uint32_t i = 0; i < t->hubs; i++) {
        if (t->awake[i].hub == hub) {
            return &t->awake[i].a;
        }
    }
    if (t->hubs == HUBS_MAX) {
        return NULL;
    }
    t->awake[t->hubs].hub = hub;
    awake_begin(&t->awake[t->hubs].a, t->restart_us ? t->restart_us : t->known_from_us);
    if (t->restart_us) { /* heard of for the first time, and all were signed off then: what was before is not known */
        awake_set(&t->awake[t->hubs].a, t->restart_us, 0);
    }
    return &t->awake[t->hubs++].a;
}

static int on_hub(void *arg, const struct sl_hub_row *l)
{
    struct top *t = arg;
    struct top_row *r = add_row(t);
    struct awake *a = awake_of(t, l->hub);
    if (!r) {
        return 1;
    }
    if (a && t->caught_up) {
        awake_listed(a, t->wall_us, l->connected ? (uint32_t)l->signed_in : 0);
    }
    cell_text(r, 0, l->name);
    cell_text(r, 1, l->zone);
    cell_text(r, 2, l->connected ? "here" : "away");
    r->key[2] = l->connected;
    cell_number(r, 3, l->signed_in);
    cell_number(r, 4, l->workers);
    cell_number(r, 5, l->holding);
    if (a) {
        char hours[AWAKE_HOURS + 1];
        awake_strip(a, t->wall_us, hours);
        cell_text(r, 6, hours);
        for (int i = 0; i < AWAKE_HOURS; i++) {
            r->key[6] += hours[i] == '#';
        }
    }
    return 0;
}

static int on_worker(void *arg, const struct sl_worker_row *l)
{
    struct top *t = arg;
    struct top_row *r = add_row(t);
    if (!r) {
        return 1;
    }
    cell_text(r, 0, l->name);
    cell_text(r, 1, l->hub);
    cell_text(r, 2, l->kind ? "robot" : "human");
    cell_text(r, 3, !l->signed_in ? "off" : l->on_shift ? "in" : "rest"); /* rest: signed in, but off shift */
    r->key[2] = (double)l->kind;
    r->key[3] = l->signed_in + (l->signed_in && l->on_shift);
    cell_number(r, 4, l->holding);
    cell_number(r, 5, l->credit);
    cell_number(r, 6, l->done);
    return 0;
}

/* ---- figures ---- */

static uint64_t in_map(const struct sl_value *map, const char *key)
{
    struct sl_value v;
    return sl_map_get(map, key, &v) ? sl_uint(&v) : 0;
}

static bool room(void **p, uint32_t *cap, uint32_t n, size_t size)
{
    if (n < *cap) {
        return true;
    }
    uint32_t more = *cap ? *cap * 2 : 128;
    void *q = realloc(*p, more * size);
    if (!q) {
        return false;
    }
    *p = q;
    *cap = more;
    return true;
}

static void take_ages(struct top *t, const struct sl_value *figures, const char *which, bool lines)
{
    struct sl_value map, key, v;
    if (!sl_map_get(figures, which, &map)) {
        return;
    }
    struct sl_cursor c = sl_inside(&map);
    while (sl_next(&c, &key) && sl_next(&c, &v)) {
        if (!room((void **)&t->age, &t->age_cap, t->ages, sizeof *t->age) ||
            !room((void **)&t->line, &t->line_cap, t->lines, sizeof *t->line)) {
            return; /* without ages, then */
        }
        sl_text(&key, t->age[t->ages].name, sizeof t->age->name);
        t->age[t->ages++].oldest_us = in_map(&v, "oldest_us");
        if (lines) {
            sl_text(&key, t->line[t->lines].name, sizeof t->line->name);
            t->line[t->lines].ready = in_map(&v, "ready");
            t->line[t->lines].hand = in_map(&v, "assigned") + in_map(&v, "started");
            t->line[t->lines].dead = in_map(&v, "dead");
            t->line[t->lines++].done = in_map(&v, "done");
        }
    }
}

static int look_at_figures(struct top *t)
{
    struct sl_value f;
    char n[7][TEXT_TIME_BYTES];
    int rc = sl_stats(t->cli->sl, &f);
    if (rc != SL_OK) {
        return rc;
    }
    snprintf(t->one, sizeof t->one, "ready %s  in hand %s  dead %s  oldest %s  in/min %s  results/min %s",
             text_count(in_map(&f, "tasks_ready"), n[0]),
             text_count(in_map(&f, "tasks_assigned") + in_map(&f, "tasks_started"), n[1]),
             text_count(in_map(&f, "tasks_dead"), n[2]), text_duration((int64_t)in_map(&f, "tasks_oldest_us"), n[3]),
             text_count(in_map(&f, "units_last_minute"), n[4]), text_count(in_map(&f, "results_last_minute"), n[5]));
    snprintf(t->two, sizeof t->two, "runs open %s  hubs %s/%s  workers %s/%s  on shift %s  store %s MiB",
             text_count(in_map(&f, "runs_open"), n[0]), text_count(in_map(&f, "hubs_connected"), n[1]),
             text_count(in_map(&f, "hubs"), n[2]), text_count(in_map(&f, "workers_signed_in"), n[3]),
             text_count(in_map(&f, "workers"), n[4]), text_count(in_map(&f, "workers_on_shift"), n[5]),
             text_count(in_map(&f, "store_used_bytes") >> 20, n[6]));
    t->ages = t->lines = 0;
    take_ages(t, &f, "by_line", true);
    take_ages(t, &f, "by_station", false);
    return SL_OK;
}

/* ---- presence, from the event stream ---- */

/* The first event that is not older than a day, by halving; the oldest kept if none is older. */
static int begin_events(struct top *t)
{
    struct sl_info info;
    struct sl_value f;
    struct sl_event e;
    int rc = sl_info(t->cli->sl, &info);
    if (rc != SL_OK || (rc = sl_stats(t->cli->sl, &f)) != SL_OK) {
        return rc;
    }
    uint64_t oldest = in_map(&f, "event_oldest_seq"), low = oldest, high = info.event_seq;
    int64_t day_ago = info.wall_us - AWAKE_HOURS * AWAKE_HOUR_US;
    t->known_from_us = day_ago;
    for (int i = 0; i < SEARCH_MAX && low < high; i++) {
        struct sl_events *probe;
        uint64_t middle = low + (high - low) / 2;
        rc = sl_events_open(t->cli->sl, &(struct sl_events_options){ .since = middle }, &probe);
        rc = rc ? rc : sl_events_next(probe, 0, &e);
        bool older = rc == SL_OK && e.wall_us < day_ago;
        sl_events_close(&probe);
        if (rc != SL_OK) {
            return rc;
        }
        *(older ? &low : &high) = older ? middle + 1 : middle;
    }
    t->from_oldest = low == oldest;
    return sl_events_open(t->cli->sl, &(struct sl_events_options){ .since = low ? low : 1 }, &t->events);
}

static void take_event(struct top *t, const struct sl_event *e, bool first)
{
    struct sl_value list;
    if (first && e->wall_us > t->known_from_us) {
        t->known_from_us = e->wall_us; /* what was before is not kept */
    }
    if (strcmp(e->name, "BROKER_STARTED") == 0) {
        for (uint32_t i = 0; i < t->hubs; i++) {
            awake_set(&t->awake[i].a, e->wall_us, 0);
        }
        t->restart_us = e->wall_us;
        return;
    }
    bool session = strcmp(e->name, "HUB_SESSION") == 0;
    if (!session && strcmp(e->name, "WORKERS_PRESENT") != 0) {
        return;
    }
    struct awake *a = awake_of(t, in_map(&e->data, "hub"));
    if (!a) {
        return;
    }
    if (session) {
        struct sl_value connected;
        uint32_t signed_in = (uint32_t)in_map(&e->data, "signed_in");
        bool there = sl_map_get(&e->data, "connected", &connected) && connected.v.b;
        if (signed_in && !there) { /* it fell silent: until now they were there */
            awake_listed(a, e->wall_us, signed_in);
        }
        awake_set(a, e->wall_us, there ? signed_in : 0);
    } else {
        uint32_t came = sl_map_get(&e->data, "in", &list) ? list.n : 0;
        awake_change(a, e->wall_us, came, sl_map_get(&e->data, "out", &list) ? list.n : 0);
    }
}

static int look_at_events(struct top *t)
{
    struct timespec at;
    struct sl_event e;
    bool first = !t->events;
    int rc = first ? begin_events(t) : SL_OK;
    t->caught_up = false;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t until_ms = (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000 + EVENTS_MS;
    for (uint32_t n = 0; rc == SL_OK; n++) {
        if ((rc = sl_events_next(t->events, 0, &e)) == SL_OK) {
            take_event(t, &e, first && t->from_oldest && n == 0);
        }
        if (n % 1024 == 1023) {
            clock_gettime(CLOCK_MONOTONIC, &at);
            if ((int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000 > until_ms) {
                return SL_OK; /* the rest at the next look */
            }
        }
    }
    if (rc == SL_GONE) { /* fell behind what is kept: begin anew */
        sl_events_close(&t->events);
        t->hubs = 0;
        t->restart_us = 0;
        return SL_OK;
    }
    t->caught_up = rc == SL_TIMEOUT;
    return t->caught_up ? SL_OK : rc;
}

/* ---- a look ---- */

/* What this look has counted is what the next one at this view compares with. */
static bool keep_for_rates(struct top *t)
{
    struct table old = t->then[t->view];
    if (!old.v && !(old.v = calloc(TOP_ROWS_MAX, sizeof *old.v))) {
        return false;
    }
    t->then[t->view] = t->now;
    t->now.v = old.v;
    return true;
}

int top_look(struct top *t, enum top_view view)
{
    struct sl *sl = t->cli->sl;
    struct sl_info info;
    int rc = sl_info(sl, &info);
    rc = rc ? rc : look_at_figures(t);
    rc = rc ? rc : look_at_events(t);
    if (rc != SL_OK) {
        return rc;
    }
    t->wall_us = info.wall_us;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    t->now.n = 0;
    t->now.at_us = (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
    t->view = view;
    t->rows = 0;
    t->full = false;
    switch (view) {
    case TOP_LINES: rc = sl_lines(sl, on_line, t); break;
    case TOP_RUNS: rc = sl_runs(sl, NULL, on_run, t); break;
    case TOP_STATIONS: rc = sl_stations(sl, NULL, on_station, t); break;
    case TOP_HUBS: rc = sl_hubs(sl, on_hub, t); break;
    case TOP_WORKERS: rc = sl_workers(sl, NULL, NULL, on_worker, t); break;
    case TOP_VIEWS: break;
    }
    if (rc == SL_STOPPED && t->full) {
        rc = SL_OK;
    }
    if (rc == SL_OK && view < TOP_VIEWS) {
        qsort(t->now.v, t->now.n, sizeof *t->now.v, by_name);
        rc = keep_for_rates(t) ? SL_OK : SL_NO_MEMORY;
    }
    return rc;
}
