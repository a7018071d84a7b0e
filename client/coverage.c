/* What a forecast is made from, asked of a broker: which stations and runs the same people might serve, who works when, what was measured. Then everything is
 * laid out as sunline_forecast.h wants it. Nothing is computed here that the broker did not count. */
#include <stdlib.h>
#include <string.h>

#include "client/forecast.h"
#include "client/internal.h"

#define RUNS_TOLD 64 /* by themselves */
_Static_assert(RUNS_TOLD + SL_FORECAST_STATIONS_MAX <= SL_FORECAST_RUNS_MAX,
               "these, and the rest of each version, are not too many");
_Static_assert(SL_FORECAST_STATIONS_MAX == SL_COVERAGE_STATIONS_MAX, "one bit for each that may be asked for");

struct known_station {
    struct slp_item_station_row row;
    char line[SL_NAME_SIZE], name[SL_NAME_SIZE];
    double results;
};
struct known_line {
    char name[SL_NAME_SIZE];
    uint64_t version;
    bool open, ours;
};
struct known_run {
    struct sl_run_row row;
    bool ours;
};
struct chosen {
    uint32_t first, count;
    uint64_t version;
    const struct known_line *line;
    uint32_t runs, told;
};             /* a version of a line */
struct place { /* a station of the forecast */
    const struct known_station *is;
    char needs[SL_TEXT_SIZE];
    uint16_t after[SL_LINE_STATIONS_MAX];
    struct sl_forecast_time time[256];
    double workers, queued;
};
struct crew {
    uint64_t shift, hub, fits[SL_FORECAST_WORDS];
    double workers, slots;
};
struct shift {
    uint64_t number;
    int64_t until_us;
    uint32_t count;
    int64_t *time;
};
struct told_run {
    char name[SL_NAME_SIZE + 24];
    struct sl_forecast_queue queue[SL_LINE_STATIONS_MAX];
};

struct list {
    char *p;
    uint32_t n, cap, size;
};

struct sl_coverage {
    struct sl_forecast_input in;
    struct sl *sl;
    int rc;
    struct list stations, lines, runs, crews, shifts; /* of known_station, known_line, ... */
    struct chosen chosen[SL_FORECAST_STATIONS_MAX];
    uint32_t chosens, left_out, ours, runs_ours;
    struct place *place; /* [in.stations] */
    struct sl_forecast_station *station;
    struct sl_forecast_line *line;
    struct sl_forecast_usual (*usual)[SL_FORECAST_WEEK_HOURS]; /* [chosens] */
    uint64_t *hub_number;
    struct sl_forecast_hub *hub;
    uint32_t hub_cap;
    struct sl_forecast_crew *crew;
    struct sl_forecast_run *run;
    struct told_run *told;
    uint32_t at; /* scratch of a callback */
};

static void *push(struct sl_coverage *c, struct list *l)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 64;
        char *p = realloc(l->p, (size_t)cap * l->size);
        if (!p) {
            c->rc = SL_NO_MEMORY;
            return NULL;
        }
        l->p = p;
        l->cap = cap;
    }
    void *item = l->p + (size_t)l->n++ * l->size;
    memset(item, 0, l->size);
    return item;
}
#define AT(list, type, i) (&((struct type *)(void *)(list).p)[i])

static void *room(struct sl_coverage *c, size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        c->rc = SL_NO_MEMORY;
    return p;
}

void sl_coverage_free(struct sl_coverage **pc)
{
    struct sl_coverage *c = *pc;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->shifts.n; i++)
        free(AT(c->shifts, shift, i)->time);
    free(c->stations.p);
    free(c->lines.p);
    free(c->runs.p);
    free(c->crews.p);
    free(c->shifts.p);
    free(c->place);
    free(c->station);
    free(c->line);
    free(c->usual);
    free(c->hub_number);
    free(c->hub);
    free(c->crew);
    free(c->run);
    free(c->told);
    free(c);
    *pc = NULL;
}

/* ---- what there is ---- */

static int on_line(void *arg, const struct sl_line_row *r)
{
    struct sl_coverage *c = arg;
    struct known_line *l = push(c, &c->lines);
    if (!l)
        return 1;
    strcpy(l->name, r->name);
    l->version = r->version;
    l->open = r->state == 0;
    return 0;
}

static int on_run(void *arg, const struct sl_run_row *r)
{
    struct sl_coverage *c = arg;
    if (r->state > SL_RUN_IS_CLOSED)
        return 0;
    struct known_run *k = push(c, &c->runs);
    if (k)
        k->row = *r;
    return !k;
}

static int get_stations(struct sl_coverage *c)
{
    struct slp_stations_get q = { .after = 0 };
    for (bool more = true; more && !c->rc;) {
        struct slp_msg m;
        int rc = sl__request(c->sl, SLP_STATIONS_GET, &q, SLP_STATIONS, &m);
        if (rc != SL_OK)
            return rc;
        struct slp_cursor rows = slp_each(m.u.stations.rows), results = slp_each(m.u.stations.results);
        struct slp_item_station_row row;
        while (slp_next_station_row(&rows, &row) && !c->rc) {
            struct known_station *s = push(c, &c->stations);
            uint64_t n = 0;
            slp_next_u64(&results, &n);
            if (!s)
                break;
            s->row = row;
            s->results = (double)n;
            sl__copy(s->line, sizeof s->line, row.line);
            sl__copy(s->name, sizeof s->name, row.name);
            q.after = row.station_id;
            SL__SET(&q, stations_get, after);
        }
        more = m.u.stations.more && m.u.stations.rows.count;
    }
    return SL_OK;
}

static int on_shift(void *arg, const struct sl_shift_row *r)
{
    struct sl_coverage *c = arg;
    struct shift *s = push(c, &c->shifts);
    if (!s || !(s->time = room(c, r->times.n, sizeof *s->time)))
        return 1;
    s->number = r->shift;
    s->until_us = r->until_wall_us;
    struct sl_cursor t = sl_inside(&r->times);
    for (struct sl_value v; s->count < r->times.n && sl_next(&t, &v);)
        s->time[s->count++] = (int64_t)sl_uint(&v);
    s->count -= s->count % 2;
    return 0;
}

/* ---- what is chosen ---- */

static int by_need(const void *a, const void *b) /* ours first, then the most that is left to do */
{
    const struct known_run *x = a, *y = b;
    uint64_t p = x->row.units - x->row.done, q = y->row.units - y->row.done;
    if (x->ours != y->ours)
        return y->ours - x->ours;
    return p != q ? (p < q ? 1 : -1) : x->row.run_id < y->row.run_id ? -1 : 1;
}

/* A version's stations, which lie one behind the other; false: they find no room. */
static bool choose(struct sl_coverage *c, const struct known_line *l, uint64_t version, uint32_t runs)
{
    uint32_t from = 0, n = 0;
    while (from < c->stations.n && (strcmp(AT(c->stations, known_station, from)->line, l->name) != 0 ||
                                    AT(c->stations, known_station, from)->row.version != version))
        from++;
    while (from + n < c->stations.n && strcmp(AT(c->stations, known_station, from + n)->line, l->name) == 0 &&
           AT(c->stations, known_station, from + n)->row.version == version)
        n++;
    if (!n)
        return true; /* deleted meanwhile */
    if (c->in.stations + n > SL_FORECAST_STATIONS_MAX) {
        c->left_out += n;
        return false;
    }
    c->chosen[c->chosens++] =
        (struct chosen){ .first = c->in.stations, .count = n, .version = version, .line = l, .runs = runs };
    for (uint32_t i = 0; i < n; i++)
        c->place[c->in.stations++].is = AT(c->stations, known_station, from + i);
    return true;
}

static uint32_t open_runs(const struct sl_coverage *c, const struct known_line *l, uint64_t version)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->runs.n; i++) {
        const struct known_run *r = AT(c->runs, known_run, i);
        n += strcmp(r->row.line, l->name) == 0 && r->row.version == version;
    }
    return n;
}

static bool choose_line(struct sl_coverage *c, const struct known_line *l)
{
    bool fit = true;
    for (uint64_t v = l->version; v > 0; v--) {
        uint32_t n = open_runs(c, l, v);
        if (n || (l->ours && v == l->version))
            fit = choose(c, l, v, n) && fit;
    }
    return fit;
}

static int choose_all(struct sl_coverage *c, const char *name)
{
    const struct known_line *ours = NULL;
    for (uint32_t i = 0; i < c->lines.n; i++)
        if (strcmp(AT(c->lines, known_line, i)->name, name) == 0) {
            ours = AT(c->lines, known_line, i);
            AT(c->lines, known_line, i)->ours = true;
        }
    if (!ours)
        return sl__fail(c->sl, SL_NOT_FOUND, "line", NULL);
    for (uint32_t i = 0; i < c->runs.n; i++)
        AT(c->runs, known_run, i)->ours = strcmp(AT(c->runs, known_run, i)->row.line, name) == 0;
    if (c->runs.n)
        qsort(c->runs.p, c->runs.n, c->runs.size, by_need);
    if (!choose_line(c, ours))
        return sl__fail(c->sl, SL_TOO_MANY, "line", "its open runs have more stations than a forecast takes");
    c->ours = c->in.stations;
    for (uint32_t i = 0; i < c->lines.n; i++)
        if (!AT(c->lines, known_line, i)->ours)
            choose_line(c, AT(c->lines, known_line, i));
    return SL_OK;
}

/* ---- who works, what was measured ---- */

static uint16_t hub_at(struct sl_coverage *c, uint64_t number)
{
    uint32_t i = 0;
    while (i < c->in.hubs && c->hub_number[i] != number)
        i++;
    if (i < c->in.hubs)
        return (uint16_t)i;
    if (c->in.hubs == c->hub_cap) {
        uint32_t cap = c->hub_cap ? c->hub_cap * 2 : 16;
        uint64_t *n = realloc(c->hub_number, cap * sizeof *n);
        struct sl_forecast_hub *h = n ? realloc(c->hub, cap * sizeof *h) : NULL;
        c->hub_number = n ? n : c->hub_number;
        c->hub = h ? h : c->hub;
        if (!h) {
            c->rc = SL_NO_MEMORY;
            return 0;
        }
        c->hub_cap = cap;
    }
    c->hub_number[c->in.hubs] = number;
    c->hub[c->in.hubs] = (struct sl_forecast_hub){ { 1, 0, 0 }, { 1, 0, 0 } };
    return (uint16_t)c->in.hubs++;
}

static void take_station(struct sl_coverage *c, uint32_t i, const struct slp_item_coverage_station *row)
{
    struct place *p = &c->place[i];
    struct sl_forecast_station *s = &c->station[i];
    struct slp_cursor after = slp_each(row->after), times = slp_each(row->times);
    for (uint64_t id; s->after_count < SL_LINE_STATIONS_MAX && slp_next_u64(&after, &id);)
        for (uint32_t k = 0; k < c->in.stations; k++)
            if (c->place[k].is->row.station_id == id)
                p->after[s->after_count++] = (uint16_t)k;
    for (uint64_t ms, n; s->time_count < 256 && slp_next_u64(&times, &ms) && slp_next_u64(&times, &n);)
        p->time[s->time_count++] = (struct sl_forecast_time){ (double)ms * 1000, (double)n };
    sl__copy(p->needs, sizeof p->needs, row->needs);
    s->after = p->after;
    s->time = p->time;
    s->mean_us = (double)row->mean_us;
    s->lease_us = (double)row->lease_us;
    s->answers = (double)row->answers;
}

static void take_line(struct sl_coverage *c, const struct slp_item_coverage_line *row)
{
    for (uint32_t i = 0; i < c->chosens; i++) {
        struct slp_cursor w = slp_each(row->weights), u = slp_each(row->units_milli), s = slp_each(row->spread_milli);
        struct slp_bytes name = sl__bytes(c->chosen[i].line->name);
        uint64_t weight, units, spread;
        if (name.n != row->line.n || memcmp(name.p, row->line.p, name.n) != 0 ||
            c->chosen[i].version != c->chosen[i].line->version || row->weights.count != SL_FORECAST_WEEK_HOURS)
            continue;
        for (uint32_t h = 0; slp_next_u64(&w, &weight) && slp_next_u64(&u, &units) && slp_next_u64(&s, &spread); h++)
            c->usual[i][h] =
                (struct sl_forecast_usual){ (double)units / 1000, (double)spread / 1000, (double)weight / 16 };
        c->line[i].usual = c->usual[i];
    }
}

static struct sl_forecast_present present_of(uint64_t weight, uint64_t share, uint64_t spread)
{
    return (struct sl_forecast_present){ share > 10000 ? 1 : (double)share / 10000, (double)spread / 10000,
                                         (double)weight / 64 };
}

static void take_crew(struct sl_coverage *c, const struct slp_item_coverage_crew *row)
{
    struct crew *w = push(c, &c->crews);
    if (!w)
        return;
    w->hub = row->hub;
    w->shift = row->shift;
    w->workers = (double)row->workers;
    w->slots = (double)row->slots;
    for (uint32_t i = 0; i < c->in.stations && i / 8 < row->fits.n; i++)
        if ((uint8_t)row->fits.p[i / 8] >> (i % 8) & 1)
            w->fits[i / 64] |= 1ull << (i % 64);
}

static void take_page(struct sl_coverage *c, const struct slp_coverage *m)
{
    struct slp_cursor s = slp_each(m->stations), l = slp_each(m->lines), h = slp_each(m->hubs), w = slp_each(m->crews);
    struct slp_item_coverage_station station;
    struct slp_item_coverage_line line;
    struct slp_item_coverage_hub hub;
    struct slp_item_coverage_crew crew;
    while (c->at < c->in.stations && slp_next_coverage_station(&s, &station))
        take_station(c, c->at++, &station);
    while (slp_next_coverage_line(&l, &line))
        take_line(c, &line);
    while (slp_next_coverage_hub(&h, &hub) && !c->rc) {
        uint16_t at = hub_at(c, hub.hub);
        if (!c->rc) {
            c->hub[at].by_shift = present_of(hub.weight, hub.share, hub.spread);
            c->hub[at].anytime = present_of(hub.anytime_weight, hub.anytime_share, hub.anytime_spread);
        }
    }
    while (slp_next_coverage_crew(&w, &crew) && !c->rc)
        take_crew(c, &crew);
}

static int get_coverage(struct sl_coverage *c)
{
    struct slp_buf ids = { 0 };
    char after[64];
    uint32_t after_n = 0;
    int rc = SL_OK;
    for (uint32_t i = 0; i < c->in.stations; i++)
        slp_pack_u64(&ids, c->place[i].is->row.station_id);
    c->rc = ids.failed ? SL_NO_MEMORY : c->rc;
    for (bool more = true; more && rc == SL_OK && !c->rc;) {
        struct slp_coverage_get q = { .stations = { ids.p, (uint32_t)ids.n, c->in.stations },
                                      .after = { after, after_n } };
        struct slp_msg m;
        if (after_n)
            SL__SET(&q, coverage_get, after);
        rc = sl__request(c->sl, SLP_COVERAGE_GET, &q, SLP_COVERAGE, &m);
        if (rc != SL_OK)
            break;
        after_n = m.u.coverage.next.n; /* at most 64: the catalogue says so */
        if (after_n)
            memcpy(after, m.u.coverage.next.p, after_n);
        more = after_n > 0;
        take_page(c, &m.u.coverage);
    }
    slp_buf_free(&ids);
    if (rc == SL_OK && !c->rc && c->at < c->in.stations)
        rc = sl__fail(c->sl, SL_BAD_REPLY, "coverage.stations", "there are less than were asked for");
    return rc;
}

/* ---- runs ---- */

static int on_queue(void *arg, const struct sl_station_row *r)
{
    struct sl_coverage *c = arg;
    struct told_run *t = &c->told[c->in.runs];
    if (c->at < SL_LINE_STATIONS_MAX)
        t->queue[c->at++] =
            (struct sl_forecast_queue){ (double)(r->ready + r->waiting + r->assigned), (double)r->started };
    return 0;
}

static struct chosen *chosen_of(struct sl_coverage *c, const struct sl_run_row *r)
{
    for (uint32_t i = 0; i < c->chosens; i++)
        if (c->chosen[i].version == r->version && strcmp(c->chosen[i].line->name, r->line) == 0)
            return &c->chosen[i];
    return NULL;
}

static int tell_run(struct sl_coverage *c, struct chosen *to, const struct sl_run_row *r)
{
    struct sl_run_row now;
    c->at = 0;
    memset(&c->told[c->in.runs], 0, sizeof *c->told);
    int rc = sl_run_info(c->sl, r->name, &now, on_queue, c);
    if (rc == SL_NOT_FOUND)
        return SL_OK; /* deleted meanwhile */
    if (rc != SL_OK || c->at != to->count)
        return rc;
    strcpy(c->told[c->in.runs].name, now.name);
    c->run[c->in.runs++] = (struct sl_forecast_run){ .line = (uint16_t)(to - c->chosen),
                                                     .priority = (uint8_t)now.priority,
                                                     .paused = now.paused };
    to->told++;
    return SL_OK;
}

/* What a version's queues hold beyond the runs that are told by themselves. */
static void tell_others(struct sl_coverage *c, struct chosen *to, uint8_t priority)
{
    struct told_run *t = &c->told[c->in.runs];
    uint32_t line = (uint32_t)(to - c->chosen);
    if (to->runs <= to->told)
        return;
    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "(%u more)", to->runs - to->told);
    for (uint32_t k = 0; k < to->count; k++) {
        const struct slp_item_station_row *row = &c->place[to->first + k].is->row;
        t->queue[k] =
            (struct sl_forecast_queue){ (double)(row->ready + row->waiting + row->assigned), (double)row->started };
        for (uint32_t i = 0; i < c->in.runs; i++) {
            if (c->run[i].line != line)
                continue;
            t->queue[k].ready -= c->told[i].queue[k].ready;
            t->queue[k].begun -= c->told[i].queue[k].begun;
        }
        t->queue[k].ready = t->queue[k].ready > 0 ? t->queue[k].ready : 0; /* counted at different moments */
        t->queue[k].begun = t->queue[k].begun > 0 ? t->queue[k].begun : 0;
    }
    c->run[c->in.runs++] =
        (struct sl_forecast_run){ .line = (uint16_t)line, .priority = priority, .weight = to->runs - to->told };
}

static int tell_runs(struct sl_coverage *c)
{
    uint8_t priority[SL_FORECAST_STATIONS_MAX] = { 0 };
    c->run = room(c, RUNS_TOLD + c->chosens, sizeof *c->run);
    c->told = room(c, RUNS_TOLD + c->chosens, sizeof *c->told);
    if (c->rc)
        return c->rc;
    for (int ours = 1; ours >= 0; ours--) {
        for (uint32_t i = 0; i < c->runs.n; i++) {
            const struct known_run *r = AT(c->runs, known_run, i);
            struct chosen *to = r->ours == ours ? chosen_of(c, &r->row) : NULL;
            if (!to)
                continue;
            if (c->in.runs < RUNS_TOLD) {
                int rc = tell_run(c, to, &r->row);
                if (rc != SL_OK)
                    return rc;
            } else if (r->row.priority > priority[to - c->chosen]) {
                priority[to - c->chosen] = (uint8_t)r->row.priority;
            }
        }
        for (uint32_t i = 0; i < c->chosens; i++)
            if (c->chosen[i].line->ours == ours)
                tell_others(c, &c->chosen[i], priority[i]);
        if (ours)
            c->runs_ours = c->in.runs;
    }
    for (uint32_t i = 0; i < c->in.runs; i++)
        c->run[i].queue = c->told[i].queue;
    return SL_OK;
}

/* ---- laid out ---- */

static void rank(struct sl_coverage *c, const struct chosen *v)
{
    uint32_t depth[SL_LINE_STATIONS_MAX] = { 0 };
    for (bool moved = true; moved;) { /* as often as the longest way is long */
        moved = false;
        for (uint32_t i = 0; i < v->count; i++)
            for (uint32_t k = 0; k < c->station[v->first + i].after_count; k++) {
                uint32_t before = depth[c->place[v->first + i].after[k] - v->first];
                if (before + 1 > depth[i] && before < SL_LINE_STATIONS_MAX) {
                    depth[i] = before + 1;
                    moved = true;
                }
            }
    }
    for (uint32_t i = 0; i < v->count; i++)
        for (uint32_t k = 0; k < v->count; k++)
            c->station[v->first + i].rank =
                (uint16_t)(c->station[v->first + i].rank + (depth[k] > depth[i] || (k < i && depth[k] == depth[i])));
}

static int by_crew(const void *a, const void *b)
{
    const struct crew *x = a, *y = b;
    if (x->hub != y->hub)
        return x->hub < y->hub ? -1 : 1;
    if (x->shift != y->shift)
        return x->shift < y->shift ? -1 : 1;
    return memcmp(x->fits, y->fits, sizeof x->fits);
}

static void lay_out_crews(struct sl_coverage *c)
{
    c->crew = room(c, c->crews.n, sizeof *c->crew);
    if (c->rc || !c->crews.n)
        return;
    qsort(c->crews.p, c->crews.n, c->crews.size, by_crew);
    for (uint32_t i = 0; i < c->crews.n && !c->rc; i++) {
        const struct crew *w = AT(c->crews, crew, i);
        bool again = i && by_crew(w, AT(c->crews, crew, i - 1)) == 0;
        struct sl_forecast_crew *to = &c->crew[again ? c->in.crews - 1 : c->in.crews++];
        to->workers += w->workers;
        to->slots += w->slots;
        if (again)
            continue;
        to->hub = hub_at(c, w->hub);
        to->anytime = !w->shift;
        memcpy(to->fits, w->fits, sizeof to->fits);
        for (uint32_t k = 0; k < c->shifts.n; k++)
            if (AT(c->shifts, shift, k)->number == w->shift) {
                to->time = AT(c->shifts, shift, k)->time;
                to->time_count = AT(c->shifts, shift, k)->count;
                to->until_us = AT(c->shifts, shift, k)->until_us;
            }
    }
    for (uint32_t i = 0; i < c->in.crews; i++)
        for (uint32_t st = 0; st < c->in.stations; st++)
            if (fc_fits(c->crew[i].fits, st))
                c->place[st].workers += c->crew[i].workers;
}

static void lay_out(struct sl_coverage *c)
{
    for (uint32_t i = 0; i < c->chosens; i++) {
        c->line[i].first = (uint16_t)c->chosen[i].first;
        c->line[i].count = (uint16_t)c->chosen[i].count;
        rank(c, &c->chosen[i]);
        for (uint32_t k = c->chosen[i].first; k < c->chosen[i].first + c->chosen[i].count; k++) {
            const struct known_station *is = c->place[k].is;
            c->station[k].open = !is->row.paused && c->chosen[i].line->open;
            c->station[k].results = is->results;
            c->station[k].done = (double)is->row.done;
            c->station[k].skipped = (double)is->row.skipped;
            c->place[k].queued = (double)(is->row.ready + is->row.waiting);
        }
    }
    lay_out_crews(c);
    c->in.lines = c->chosens;
    c->in.station = c->station;
    c->in.line = c->line;
    c->in.hub = c->hub;
    c->in.crew = c->crew;
    c->in.run = c->run;
}

static int gather(struct sl_coverage *c, const char *line)
{
    struct sl_info info;
    int rc = sl_info(c->sl, &info);
    c->in.now_us = info.wall_us;
    rc = rc ? rc : sl_lines(c->sl, on_line, c);
    rc = rc ? rc : sl_runs(c->sl, NULL, on_run, c);
    rc = rc ? rc : get_stations(c);
    c->place = room(c, SL_FORECAST_STATIONS_MAX, sizeof *c->place);
    c->station = room(c, SL_FORECAST_STATIONS_MAX, sizeof *c->station);
    if (rc || c->rc)
        return rc;
    rc = choose_all(c, line);
    c->line = room(c, c->chosens, sizeof *c->line);
    c->usual = room(c, c->chosens, sizeof *c->usual);
    if (rc || c->rc)
        return rc;
    rc = get_coverage(c);
    rc = rc || c->rc ? rc : sl_shifts(c->sl, NULL, on_shift, c);
    rc = rc || c->rc ? rc : tell_runs(c);
    if (rc == SL_OK && !c->rc)
        lay_out(c);
    return rc;
}

int sl_coverage_get(struct sl *sl, const char *line, struct sl_coverage **out)
{
    *out = NULL;
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, line, "line");
    if (rc != SL_OK)
        return rc;
    struct sl_coverage *c = calloc(1, sizeof *c);
    if (!c)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    c->sl = sl;
    c->stations.size = sizeof(struct known_station);
    c->lines.size = sizeof(struct known_line);
    c->runs.size = sizeof(struct known_run);
    c->crews.size = sizeof(struct crew);
    c->shifts.size = sizeof(struct shift);
    rc = gather(c, line);
    if (c->rc)
        rc = sl__fail(sl, c->rc, "", NULL);
    if (rc == SL_OK)
        *out = c;
    else
        sl_coverage_free(&c);
    return rc;
}

/* ---- what is in it ---- */

const struct sl_forecast_input *sl_coverage_input(const struct sl_coverage *c)
{
    return &c->in;
}

uint32_t sl_coverage_stations(const struct sl_coverage *c)
{
    return c->ours;
}

uint32_t sl_coverage_runs(const struct sl_coverage *c)
{
    return c->runs_ours;
}

struct sl_coverage_station sl_coverage_station(const struct sl_coverage *c, uint32_t station)
{
    const struct place *p = &c->place[station];
    const struct sl_forecast_station *s = &c->station[station];
    return (struct sl_coverage_station){ p->is->line,          p->is->name, p->needs,   p->is->row.version,
                                         (uint64_t)p->workers, p->queued,   s->mean_us, fc_answers(s) };
}

const char *sl_coverage_run(const struct sl_coverage *c, uint32_t run)
{
    return c->told[run].name;
}

uint32_t sl_coverage_left_out(const struct sl_coverage *c)
{
    return c->left_out;
}
