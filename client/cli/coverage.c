/* The drawing of a forecast: see coverage.h. Each hour has two columns, a day a row; rows of one station have one scale for what can be done and what comes,
 * and one for the queue. */
#include "client/cli/coverage.h"

#include <math.h>
#include <string.h>

#include "client/cli/json_out.h"
#include "client/cli/text.h"

#define DAY 24
#define HOUR_US 3600000000ll
#define LABEL "%-18s"
#define GAPS_SHOWN 6

static const char *const block[9] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const letter[9] = { " ", ".", ":", "-", "=", "+", "*", "%", "#" };
enum color { PLAIN, RED, YELLOW, GREEN, DIM };
static const char *const escape[] = { "", "\033[31m", "\033[33m", "\033[32m", "\033[2m" };

int coverage_height(double v, double max)
{
    if (!(v > 0) || !(max > 0))
        return 0;
    int h = (int)ceil(v / max * 8);
    return h > 8 ? 8 : h;
}

static const struct sl_forecast_cell *cell(const struct coverage_view *v, uint32_t st, uint32_t hour)
{
    return &v->f->cell[(size_t)st * v->f->hours + hour];
}

static const char *number(double n, char buf[TEXT_TIME_BYTES])
{
    if (n > 0 && n < 10)
        snprintf(buf, TEXT_TIME_BYTES, "%.1f", n);
    else
        text_count(n < 1e15 ? (uint64_t)(n + 0.5) : (uint64_t)1e15, buf);
    return buf;
}

#define DATE_BYTES 14 /* "Thu 2026-11-26" */
#define MINUTE_BYTES 20

/* "Thu 2026-11-26 14:00", in the drawing's zone. */
static const char *when(const struct coverage_view *v, int64_t us, char buf[TEXT_ZONED_BYTES])
{
    text_zoned(us, v->zone, buf);
    buf[MINUTE_BYTES] = 0;
    return buf;
}

bool coverage_zone_ok(const char *zone)
{
    char buf[TEXT_ZONED_BYTES];
    return strchr(text_zoned(HOUR_US, zone, buf), '(') != NULL; /* of a zone that is not known only UTC is told */
}

static void two(const struct coverage_view *v, const char *what, enum color c)
{
    fprintf(v->out, "%s%s%s%s", v->color ? escape[c] : "", what, what, v->color && c ? "\033[0m" : "");
}

/* ---- rows ---- */

enum row { CAN, COMES, QUEUE };

static double value(const struct sl_forecast_cell *c, enum row row)
{
    return row == CAN ? c->able : row == COMES ? c->arrive : c->queue;
}

static double most(const struct coverage_view *v, uint32_t st, enum row row)
{
    double max = 0;
    for (uint32_t h = 0; h < v->f->hours; h++) {
        double n = value(cell(v, st, h), row);
        max = n > max ? n : max;
    }
    return max;
}

static enum color color_of(const struct sl_forecast_cell *c, enum row row)
{
    if (row == COMES)
        return DIM;
    if (c->slots <= 0)
        return RED;
    return c->queue > c->able ? YELLOW : GREEN; /* what is there is more than an hour's work */
}

static void hours_row(const struct coverage_view *v, uint32_t st, uint32_t from, enum row row, const char *label,
                      double max)
{
    char n[TEXT_TIME_BYTES];
    double sum = 0;
    uint32_t to = from + DAY < v->f->hours ? from + DAY : v->f->hours;
    fprintf(v->out, LABEL, label);
    for (uint32_t h = from; h < to; h++) {
        const struct sl_forecast_cell *c = cell(v, st, h);
        int height = coverage_height(value(c, row), max);
        if (row == CAN && !c->known)
            two(v, "?", DIM);
        else if (row == CAN && c->slots <= 0)
            two(v, v->blocks ? "×" : "x", RED);
        else
            two(v, v->blocks ? block[height] : letter[height], color_of(c, row));
        sum = row == QUEUE ? value(c, row) : sum + value(c, row);
    }
    fprintf(v->out, " %s%s\n", number(sum, n), row == QUEUE ? " at the end" : "");
}

static void clock_row(const struct coverage_view *v, uint32_t from)
{
    char time[TEXT_ZONED_BYTES];
    int64_t first = v->f->from_us + from * HOUR_US;
    when(v, first, time);
    time[DATE_BYTES] = 0;
    fprintf(v->out, LABEL, time);
    for (uint32_t h = from; h < from + DAY && h < v->f->hours; h += 3) /* the hour it is there when that one begins */
        fprintf(v->out, "%.2s    ", when(v, first + (h - from) * HOUR_US, time) + DATE_BYTES + 1);
    fprintf(v->out, "%s\n", v->zone);
}

static void station_head(const struct coverage_view *v, uint32_t st)
{
    struct sl_coverage_station s = sl_coverage_station(v->coverage, st);
    char time[TEXT_TIME_BYTES], queue[TEXT_TIME_BYTES], workers[TEXT_TIME_BYTES];
    fprintf(v->out, "\n%s%s%s", v->color ? "\033[1m" : "", s.name, v->color ? "\033[0m" : "");
    if (s.version != sl_coverage_station(v->coverage, 0).version)
        fprintf(v->out, "@%llu", (unsigned long long)s.version);
    fprintf(v->out, "  %s: %s worker%s, ", s.needs, text_count(s.workers, workers), s.workers == 1 ? "" : "s");
    if (s.mean_us > 0)
        fprintf(v->out, "%s %s", text_duration((int64_t)s.mean_us, time), s.answers > 1.005 ? "an answer" : "a task");
    else
        fprintf(v->out, "no time is measured, half the lease is assumed");
    if (s.answers > 1.005)
        fprintf(v->out, ", %.1f answers a task", s.answers);
    fprintf(v->out, ", %s queued%s\n", text_count((uint64_t)s.ready, queue), v->in->station[st].open ? "" : ", PAUSED");
}

static void gaps(const struct coverage_view *v, uint32_t st)
{
    char a[TEXT_ZONED_BYTES], b[TEXT_ZONED_BYTES], d[TEXT_TIME_BYTES];
    uint32_t shown = 0, all = 0;
    for (uint32_t i = 0; i < v->f->gaps; i++) {
        const struct sl_forecast_gap *g = &v->f->gap[i];
        if (g->station != st || g->from_us >= v->f->known_until_us[st])
            continue;
        if (all++ < GAPS_SHOWN) {
            shown++;
            fprintf(v->out, LABEL "%s to %s (%s)\n", shown == 1 ? "  nobody" : "", when(v, g->from_us, a),
                    when(v, g->to_us, b), text_duration(g->to_us - g->from_us, d));
        }
    }
    if (all > shown)
        fprintf(v->out, LABEL "and %u times more\n", "", all - shown);
    if (v->f->known_until_us[st] < v->f->from_us + v->f->hours * HOUR_US)
        fprintf(v->out, LABEL "%s; later shifts are not known\n", "  known until",
                when(v, v->f->known_until_us[st], a));
}

/* ---- ends ---- */

static void run_end(const struct coverage_view *v, uint32_t i)
{
    const struct sl_forecast_end *e = &v->f->run[i];
    char low[TEXT_ZONED_BYTES], mid[TEXT_ZONED_BYTES], high[TEXT_ZONED_BYTES], in[TEXT_TIME_BYTES];
    const char *stuck = e->stuck < v->f->stations ? sl_coverage_station(v->coverage, e->stuck).name : NULL;
    fprintf(v->out, LABEL, sl_coverage_run(v->coverage, i));
    switch (e->state) {
    case SL_END_NOW: fprintf(v->out, "nothing is left to do\n"); break;
    case SL_END_WITHIN:
        fprintf(v->out, "done %s %s, in %s (%.0f%%: %s to %s)\n", when(v, e->mid_us, mid), v->zone,
                text_duration(e->mid_us - v->in->now_us, in), v->f->level * 100, when(v, e->low_us, low),
                e->high_us == INT64_MAX ? "after the days that are known" : when(v, e->high_us, high));
        break;
    case SL_END_BEYOND:
        if (e->low_us != INT64_MAX && e->low_us)
            fprintf(v->out, "perhaps not within %d days, at the earliest %s %s\n", SL_FORECAST_DAYS,
                    when(v, e->low_us, low), v->zone);
        else
            fprintf(v->out, "not within %d days\n", SL_FORECAST_DAYS);
        break;
    case SL_END_PAUSED:
        fprintf(v->out, "never, while %s%s is paused\n", stuck ? "station " : "it", stuck ? stuck : "");
        break;
    case SL_END_NOBODY: fprintf(v->out, "never: station %s has nobody in these days\n", stuck ? stuck : "?"); break;
    }
}

static bool bottleneck(const struct coverage_view *v, uint32_t *at)
{
    double most_relief = 0;
    uint32_t st;
    bool found = false;
    for (uint32_t l = 0; l < v->in->lines && v->in->line[l].first < sl_coverage_stations(v->coverage); l++)
        if (sl_forecast_bottleneck(v->f, v->in, l, &st) && v->f->relief[st] > most_relief) {
            most_relief = v->f->relief[ *at = st];
            found = true;
        }
    return found;
}

static bool arrivals_measured(const struct sl_forecast_line *l)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; l->usual && i < SL_FORECAST_WEEK_HOURS; i++)
        seen += l->usual[i].weeks > 0;
    return seen >= SL_FORECAST_MEASURED_HOURS;
}

/* What the forecast does without. Units arrive in a line's newest version, which is the first of ours. */
static void caveats(const struct coverage_view *v)
{
    uint32_t hubs = 0, unmeasured = 0, others = 0;
    for (uint32_t i = 0; i < v->in->hubs; i++) {
        bool by_shift = false, anytime = false;
        for (uint32_t k = 0; k < v->in->crews; k++) {
            by_shift = by_shift || (v->in->crew[k].hub == i && !v->in->crew[k].anytime);
            anytime = anytime || (v->in->crew[k].hub == i && v->in->crew[k].anytime);
        }
        hubs += by_shift || anytime;
        unmeasured += (by_shift && v->in->hub[i].by_shift.days <= 0) || (anytime && v->in->hub[i].anytime.days <= 0);
    }
    if (unmeasured)
        fprintf(v->out,
                "Who is there of those who should be is not measured yet at %u of %u hubs: there all are expected.\n",
                unmeasured, hubs);
    if (v->in->lines && !arrivals_measured(&v->in->line[0]))
        fprintf(v->out, "What usually arrives is not measured yet: nothing new is expected.\n");
    for (uint32_t i = 0; i < v->in->lines; i++)
        others += v->in->line[i].first >= sl_coverage_stations(v->coverage) && v->in->line[i].usual &&
                  !arrivals_measured(&v->in->line[i]);
    if (others)
        fprintf(v->out, "Nor is it of %u other lines that the same people may serve.\n", others);
    if (sl_coverage_left_out(v->coverage))
        fprintf(v->out, "Other lines have %u stations more, which are not counted.\n",
                sl_coverage_left_out(v->coverage));
}

void coverage_draw(const struct coverage_view *v)
{
    uint32_t at, ours = sl_coverage_stations(v->coverage), runs = sl_coverage_runs(v->coverage);
    fprintf(v->out, "%s, %u hours\n", v->line, v->f->hours);
    for (uint32_t st = 0; st < ours; st++) {
        double scale = fmax(most(v, st, CAN), most(v, st, COMES)), queue = most(v, st, QUEUE);
        station_head(v, st);
        for (uint32_t from = 0; from < v->f->hours; from += DAY) {
            clock_row(v, from);
            hours_row(v, st, from, CAN, "  can be done", scale);
            hours_row(v, st, from, COMES, "  comes", scale);
            hours_row(v, st, from, QUEUE, "  is there then", queue);
        }
        gaps(v, st);
    }
    fputc('\n', v->out);
    if (bottleneck(v, &at))
        fprintf(v->out, LABEL "%s: one slot more there, all the time, would save %.0f unit-hours of waiting\n",
                "bottleneck", sl_coverage_station(v->coverage, at).name, v->f->relief[at]);
    for (uint32_t i = 0; i < runs; i++)
        run_end(v, i);
    caveats(v);
}

/* ---- for programs ---- */

static json_t *json_cells(const struct coverage_view *v, uint32_t st)
{
    json_t *all = json_array();
    for (uint32_t h = 0; all && h < v->f->hours; h++) {
        const struct sl_forecast_cell *c = cell(v, st, h);
        json_array_append_new(all,
                              json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "from_wall_us",
                                        (json_int_t)(v->f->from_us + h * HOUR_US), "slots", c->slots, "able", c->able,
                                        "arrive", c->arrive, "done", c->done, "queue", c->queue, "queue_low",
                                        c->queue_low, "queue_high", c->queue_high, "known", (int)c->known));
    }
    return all;
}

static json_t *json_gaps(const struct coverage_view *v, uint32_t st)
{
    json_t *all = json_array();
    for (uint32_t i = 0; all && i < v->f->gaps; i++)
        if (v->f->gap[i].station == st)
            json_array_append_new(all, json_pack("{s:I, s:I}", "from_wall_us", (json_int_t)v->f->gap[i].from_us,
                                                 "to_wall_us", (json_int_t)v->f->gap[i].to_us));
    return all;
}

static json_t *json_time(int64_t us)
{
    return us && us != INT64_MAX ? json_integer(us) : json_null();
}

static json_t *json_stations(const struct coverage_view *v)
{
    json_t *all = json_array();
    for (uint32_t st = 0; all && st < sl_coverage_stations(v->coverage); st++) {
        struct sl_coverage_station s = sl_coverage_station(v->coverage, st);
        json_array_append_new(all,
                              json_pack("{s:s, s:I, s:s, s:b, s:I, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "station",
                                        s.name, "version", (json_int_t)s.version, "needs", s.needs, "open",
                                        (int)v->in->station[st].open, "workers", (json_int_t)s.workers, "queued",
                                        s.ready, "mean_us", s.mean_us, "answers", s.answers, "relief_unit_hours",
                                        v->f->relief[st], "known_until_wall_us", json_time(v->f->known_until_us[st]),
                                        "nobody", json_gaps(v, st), "hours", json_cells(v, st)));
    }
    return all;
}

static json_t *json_runs(const struct coverage_view *v)
{
    static const char *const state[] = { "nothing_left", "within", "beyond", "paused", "nobody" };
    json_t *all = json_array();
    for (uint32_t i = 0; all && i < sl_coverage_runs(v->coverage); i++) {
        const struct sl_forecast_end *e = &v->f->run[i];
        bool timed = e->state == SL_END_WITHIN || e->state == SL_END_BEYOND || e->state == SL_END_NOW;
        bool stuck = !timed && e->stuck < v->f->stations;
        json_array_append_new(
            all,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "run", sl_coverage_run(v->coverage, i), "state",
                      state[e->state], "low_wall_us", json_time(timed ? e->low_us : 0), "mid_wall_us",
                      json_time(timed ? e->mid_us : 0), "high_wall_us", json_time(timed ? e->high_us : 0), "stuck_at",
                      stuck ? json_string(sl_coverage_station(v->coverage, e->stuck).name) : json_null()));
    }
    return all;
}

json_t *coverage_json(const struct coverage_view *v)
{
    uint32_t at;
    bool found = bottleneck(v, &at);
    return json_pack("{s:s, s:I, s:f, s:i, s:o, s:o, s:i, s:o}", "line", v->line, "now_wall_us",
                     (json_int_t)v->in->now_us, "level", v->f->level, "repeats", (int)v->f->repeats, "bottleneck",
                     found ? json_string(sl_coverage_station(v->coverage, at).name) : json_null(), "runs", json_runs(v),
                     "stations_left_out", (int)sl_coverage_left_out(v->coverage), "stations", json_stations(v));
}
