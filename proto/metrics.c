/* Prometheus text from figures: see metrics.h. */
#include "proto/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/reader.h"

#define NAME_BYTES 128
#define TIME_BUCKETS 31 /* of times by name, up to 2^30 ms */
#define FLAT_BUCKETS 25 /* of the broker's distributions */

static void say(struct slp_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct slp_buf *b, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n > 0)
        slp_buf_add(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- what the figures are called, and what they are ---- */

#define FIGURE(name, help)
#define BY(name, help)
#define TIMES(name, help)
#define DISTRIBUTION(name, metric, unit, help)

struct help {
    const char *name, *help;
};
static const struct help whole_helps[] = {
#undef FIGURE
#define FIGURE(name, help) { #name, help },
#include "proto/figures.def"
#undef FIGURE
#define FIGURE(name, help)
    { NULL, NULL },
};
static const struct help by_helps[] = {
#undef BY
#undef TIMES
#define BY(name, help) { #name, help },
#define TIMES(name, help) { #name, help },
#include "proto/figures.def"
#undef BY
#undef TIMES
#define BY(name, help)
#define TIMES(name, help)
    { NULL, NULL },
};
/* KEY_le_N (cumulative), KEY_total, KEY_count among the flat figures. */
static const struct {
    const char *key, *metric, *help;
    double unit;
} flat_histograms[] = {
#undef DISTRIBUTION
#define DISTRIBUTION(name, metric, unit, help) { #name, #metric, help, unit },
#include "proto/figures.def"
};
#define FLAT_HISTOGRAMS (sizeof flat_histograms / sizeof *flat_histograms)

static const char *help_of(const struct help *h, const char *name)
{
    while (h->name && strcmp(h->name, name) != 0)
        h++;
    return h->help;
}

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static void head(struct slp_buf *b, const char *metric, const char *type, const char *help)
{
    say(b, "# HELP sunline_%s %s\n", metric, help ? help : "A figure that this program does not know yet.");
    say(b, "# TYPE sunline_%s %s\n", metric, type);
}

/* A figure's metric: microseconds become seconds. Returns what its value is to be divided by. */
static double metric_name(const char *figure, char *metric)
{
    size_t n = strlen(figure);
    bool total = ends(figure, "_us_total");
    if (!total && !ends(figure, "_us")) {
        snprintf(metric, NAME_BYTES, "%s", figure);
        return 1;
    }
    n -= total ? strlen("_us_total") : strlen("_us");
    snprintf(metric, NAME_BYTES, "%.*s_seconds%s", (int)n, figure, total ? "_total" : "");
    return 1e6;
}

static void value(struct slp_buf *b, double divisor, uint64_t v)
{
    if (divisor > 1)
        say(b, " %.6f\n", (double)v / divisor);
    else
        say(b, " %" PRIu64 "\n", v);
}

/* ---- walking a map ---- */

struct pair {
    char key[NAME_BYTES];
    struct slr_value v;
    struct slr inside;
};
struct walk {
    struct slr r;
    uint32_t left;
};

static bool walk_on(struct slr at, struct walk *w)
{
    struct slr_value v;
    w->r = at;
    w->left = 0;
    if (slr_next(&w->r, &v) || v.type != SLR_MAP)
        return false;
    w->left = v.n;
    return true;
}

/* The next pair: its key, its value's head, and a cursor before the value. */
static bool walk_next(struct walk *w, struct pair *p)
{
    struct slr_value k;
    if (!w->left || slr_next(&w->r, &k) || k.type != SLR_STR)
        return false;
    snprintf(p->key, sizeof p->key, "%.*s", (int)k.n, k.p);
    p->inside = w->r;
    struct slr look = w->r;
    if (slr_next(&look, &p->v) || slr_skip(&w->r, SL_DEPTH_MAX))
        return false;
    w->left--;
    return true;
}

static bool find(struct slr map, const char *key, struct slr *at)
{
    struct slr_value v;
    return slr_next(&map, &v) == 0 && v.type == SLR_MAP && slr_find(map, v.n, key, at);
}

static uint64_t number(struct slr map, const char *key)
{
    struct slr at;
    struct slr_value v;
    return find(map, key, &at) && slr_next(&at, &v) == 0 && v.type == SLR_U64 ? v.u64 : 0;
}

/* ---- histograms ---- */

/* Buckets by power of two: upto[i] of all are at most 2^i of `unit` (per second); every `step`th is told. */
static void histogram(struct slp_buf *b, const char *metric, const char *labels, const uint64_t *upto, unsigned n,
                      unsigned step, double unit, uint64_t count, double sum)
{
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    for (unsigned i = 0; i < n; i += step)
        say(b, "sunline_%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", metric, labels, comma, (double)(1ull << i) / unit,
            upto[i]);
    say(b, "sunline_%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric, labels, comma, count);
    say(b, "sunline_%s_sum%s%s%s %.6f\nsunline_%s_count%s%s%s %" PRIu64 "\n", metric, open, labels, close, sum, metric,
        open, labels, close, count);
}

/* {count, total_us, le_ms: [...], ...} */
static void latency(struct slp_buf *b, const char *metric, const char *labels, struct slr map, unsigned step)
{
    uint64_t upto[TIME_BUCKETS] = { 0 };
    struct slr at;
    struct slr_value v;
    uint32_t n = 0;
    if (find(map, "le_ms", &at) && slr_next(&at, &v) == 0 && v.type == SLR_ARRAY)
        for (uint32_t all = v.n; n < all && n < TIME_BUCKETS && slr_next(&at, &v) == 0; n++)
            upto[n] = v.type == SLR_U64 ? v.u64 : 0;
    for (; n < TIME_BUCKETS; n++) /* the list ends where all that have an edge are in */
        upto[n] = n ? upto[n - 1] : 0;
    histogram(b, metric, labels, upto, TIME_BUCKETS, step, 1e3, number(map, "count"),
              (double)number(map, "total_us") / 1e6);
}

static bool of_flat_histogram(const char *key)
{
    for (size_t i = 0; i < FLAT_HISTOGRAMS; i++) {
        size_t n = strlen(flat_histograms[i].key);
        if (!strncmp(key, flat_histograms[i].key, n) && key[n] == '_')
            return true;
    }
    return false;
}

static void flat_histogram(struct slp_buf *b, struct slr map, size_t which)
{
    const char *key = flat_histograms[which].key;
    uint64_t upto[FLAT_BUCKETS] = { 0 };
    char name[NAME_BYTES];
    for (unsigned i = 0; i < FLAT_BUCKETS;
         i++) { /* told from the first that holds any to the one that completes them */
        snprintf(name, sizeof name, "%s_le_%" PRIu64, key, (uint64_t)1 << i);
        uint64_t told = number(map, name), before = i ? upto[i - 1] : 0;
        upto[i] = told > before ? told : before;
    }
    snprintf(name, sizeof name, "%s_total", key);
    double sum = (double)number(map, name) / flat_histograms[which].unit;
    snprintf(name, sizeof name, "%s_count", key);
    head(b, flat_histograms[which].metric, "histogram", flat_histograms[which].help);
    histogram(b, flat_histograms[which].metric, "", upto, FLAT_BUCKETS, 1, flat_histograms[which].unit,
              number(map, name), sum);
}

/* ---- by name ---- */

static const char *const states[] = { "blocked", "waiting", "ready", "assigned", "started",
                                      "done",    "skipped", "dead",  "ended" };

/* The labels of an entry: a line, a hub, or "line/station@version". */
static void labels_of(const char *kind, const char *name, char *labels, size_t size)
{
    const char *slash = strchr(name, '/'), *at = strrchr(name, '@');
    if (strcmp(kind, "station") != 0)
        snprintf(labels, size, "%s=\"%s\"", kind, name);
    else if (slash && at && slash < at)
        snprintf(labels, size, "line=\"%.*s\",station=\"%.*s\",version=\"%s\"", (int)(slash - name), name,
                 (int)(at - slash - 1), slash + 1, at + 1);
    else
        snprintf(labels, size, "line=\"%s\",station=\"%s\",version=\"\"", name, name);
}

static void by_name(struct slp_buf *b, struct slr map, const char *kind, const char *figure)
{
    struct walk w;
    struct pair p;
    char metric[NAME_BYTES], full[NAME_BYTES + 40], labels[3 * NAME_BYTES];
    double divisor = metric_name(figure, metric);
    bool tasks = !strcmp(figure, "tasks");
    snprintf(full, sizeof full, "%s_%s", kind, metric);
    head(b, full, ends(full, "_total") ? "counter" : "gauge", help_of(by_helps, figure));
    for (walk_on(map, &w); walk_next(&w, &p);) {
        labels_of(kind, p.key, labels, sizeof labels);
        for (size_t i = 0; tasks && i < sizeof states / sizeof *states; i++)
            say(b, "sunline_%s{%s,state=\"%s\"} %" PRIu64 "\n", full, labels, states[i], number(p.inside, states[i]));
        if (!tasks) {
            say(b, "sunline_%s{%s}", full, labels);
            value(b, divisor, number(p.inside, figure));
        }
    }
}

static void times_by_name(struct slp_buf *b, struct slr map, const char *kind, const char *which)
{
    struct walk w;
    struct pair p;
    char full[NAME_BYTES], labels[3 * NAME_BYTES];
    snprintf(full, sizeof full, "%s_%s_seconds", kind, which);
    head(b, full, "histogram", help_of(by_helps, which));
    for (walk_on(map, &w); walk_next(&w, &p);) {
        struct slr at;
        labels_of(kind, p.key, labels, sizeof labels);
        if (find(p.inside, which, &at))
            latency(b, full, labels, at, 2);
    }
}

static void families(struct slp_buf *b, struct slr map, const char *kind)
{
    static const char *const queue[] = { "tasks", "oldest_us", "results_total", "results_last_minute",
                                         "returned_total" };
    static const char *const hub[] = { "connected",     "workers",           "signed_in",     "on_shift",
                                       "holding",       "assignments_total", "results_total", "results_last_minute",
                                       "returned_total" };
    bool is_hub = !strcmp(kind, "hub");
    struct walk w;
    if (!walk_on(map, &w) || !w.left)
        return; /* nothing to tell: no head either */
    for (size_t i = 0; i < (is_hub ? sizeof hub / sizeof *hub : sizeof queue / sizeof *queue); i++)
        by_name(b, map, kind, is_hub ? hub[i] : queue[i]);
    if (is_hub)
        return;
    if (!strcmp(kind, "line"))
        by_name(b, map, kind, "runs_open");
    times_by_name(b, map, kind, "waited");
    times_by_name(b, map, kind, "worked");
}

/* ---- the whole ---- */

static void plain(struct slp_buf *b, const struct pair *p)
{
    char metric[NAME_BYTES];
    double divisor = metric_name(p->key, metric);
    for (char *c = metric; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    head(b, metric, ends(metric, "_total") ? "counter" : "gauge", help_of(whole_helps, p->key));
    say(b, "sunline_%s", metric);
    if (p->v.type == SLR_DOUBLE)
        say(b, " %.9g\n", p->v.d / divisor);
    else if (p->v.type == SLR_I64)
        say(b, " %" PRId64 "\n", p->v.i64);
    else
        value(b, divisor, p->v.type == SLR_BOOL ? p->v.b : p->v.u64);
}

int metrics_text(struct slp_bytes figures, struct slp_buf *out)
{
    static const struct {
        const char *key, *kind;
    } maps[] = { { "by_line", "line" }, { "by_station", "station" }, { "by_hub", "hub" } };
    static const char *const times[] = { "waited", "worked" };
    struct slr whole = slr_on(figures.p, figures.n), at;
    struct walk w;
    struct pair p;
    if (!walk_on(whole, &w))
        return -1;
    while (walk_next(&w, &p)) {
        bool one = p.v.type == SLR_U64 || p.v.type == SLR_I64 || p.v.type == SLR_DOUBLE || p.v.type == SLR_BOOL;
        if (one && !of_flat_histogram(p.key))
            plain(out, &p);
    }
    for (size_t i = 0; i < FLAT_HISTOGRAMS; i++)
        flat_histogram(out, whole, i);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (find(whole, times[i], &at)) {
            char metric[NAME_BYTES];
            snprintf(metric, sizeof metric, "task_%s_seconds", times[i]);
            head(out, metric, "histogram", help_of(by_helps, times[i]));
            latency(out, metric, "", at, 1);
        }
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if (find(whole, maps[i].key, &at))
            families(out, at, maps[i].kind);
    return 0;
}
