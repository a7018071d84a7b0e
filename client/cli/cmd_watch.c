/* sunline run watch: how far a run is, how fast it goes, when it will be done. Redraws itself on a terminal;
 * otherwise a line a look. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/progress.h"
#include "client/cli/station_table.h"
#include "client/cli/text.h"

#define SAMPLES_MAX 32 /* the rate is over this many looks, so that it follows changes and does not jump */
#define TTY_INTERVAL_MS 500
#define INTERVAL_S_MAX 3600
#define BAR_COLUMNS 40
#define LINES_ABOVE 3u /* the bar, the counts, the table's headings */

struct watch {
    struct cli *cli;
    struct {
        int64_t at_us;
        uint64_t ended;
    } sample[SAMPLES_MAX];
    uint32_t samples; /* taken in all */
    unsigned lines;   /* drawn last time, to go back over */
    int code;
};

static uint64_t ended(const struct sl_run_row *r)
{
    return r->done + r->dropped + r->cancelled;
}

/* Units a second over the samples that are held, -1 if it cannot be known yet. */
static double rate(struct watch *w, uint64_t now_ended)
{
    int64_t now_us = progress_now_us();
    uint32_t oldest = w->samples > SAMPLES_MAX ? w->samples % SAMPLES_MAX : 0;
    double r = -1;
    if (w->samples > 0 && now_us - w->sample[oldest].at_us > 100000 && now_ended >= w->sample[oldest].ended) {
        r = (double)(now_ended - w->sample[oldest].ended) * 1e6 / (double)(now_us - w->sample[oldest].at_us);
    }
    w->sample[w->samples % SAMPLES_MAX].at_us = now_us;
    w->sample[w->samples % SAMPLES_MAX].ended = now_ended;
    w->samples++;
    if (w->samples == 2 * SAMPLES_MAX) {
        w->samples = SAMPLES_MAX; /* only whether it is full and where it stands matters */
    }
    return r;
}

static uint64_t in_progress(const struct sl_progress *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->station_count; i++) {
        n += p->stations[i].assigned + p->stations[i].started;
    }
    return n;
}

static const char *states(const struct sl_run_row *r)
{
    return r->paused                         ? " (paused)"
           : r->state == SL_RUN_IS_OPEN      ? " (open)"
           : r->state == SL_RUN_IS_CANCELLED ? " (cancelled)"
                                             : "";
}

/* As many as leave room for the other lines: what has scrolled away cannot be drawn over. */
static uint32_t stations_that_fit(uint32_t stations)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || stations + LINES_ABOVE < size.ws_row) {
        return stations;
    }
    return size.ws_row > LINES_ABOVE + 2 ? size.ws_row - LINES_ABOVE - 2u : 0;
}

static void draw_tty(struct watch *w, const struct sl_progress *p, const struct progress_view *v)
{
    FILE *out = w->cli->out;
    char line[PROGRESS_LINE_BYTES];
    if (w->lines) {
        fprintf(out, "\033[%uA", w->lines);
    }
    fprintf(out, "\r\033[J" TTY_NO_WRAP "%s%s\n", progress_line(v, BAR_COLUMNS, line), states(&p->run));
    fprintf(out, "%llu units, %llu done, %llu in progress, %llu dead, %llu dropped, %llu cancelled\n",
            (unsigned long long)p->run.units, (unsigned long long)p->run.done, (unsigned long long)in_progress(p),
            (unsigned long long)p->run.dead, (unsigned long long)p->run.dropped, (unsigned long long)p->run.cancelled);
    struct station_table stations;
    station_table_begin(&stations, w->cli, false);
    uint32_t shown = stations_that_fit(p->station_count);
    for (uint32_t i = 0; i < shown; i++) {
        station_table_row(&stations, &p->stations[i]);
    }
    w->code = station_table_end(&stations);
    if (shown < p->station_count) {
        fprintf(out, "... and %u more stations\n", p->station_count - shown);
    }
    fputs(TTY_WRAP, out);
    w->lines = LINES_ABOVE - (shown == 0) + shown + (shown < p->station_count); /* no rows, no headings */
}

static void draw_plain(struct watch *w, const struct sl_progress *p, const struct progress_view *v)
{
    FILE *out = w->cli->out;
    char line[PROGRESS_LINE_BYTES];
    fprintf(out, "%s%s  units=%llu in_progress=%llu dead=%llu", progress_line(v, 0, line), states(&p->run),
            (unsigned long long)p->run.units, (unsigned long long)in_progress(p), (unsigned long long)p->run.dead);
    for (uint32_t i = 0; i < p->station_count; i++) {
        const struct sl_station_row *s = &p->stations[i];
        fprintf(out, "  %s:%llu/%llu", s->name, (unsigned long long)(s->done + s->skipped),
                (unsigned long long)(s->waiting + s->ready + s->assigned + s->started));
    }
    fputc('\n', out);
}

static void draw_json(struct watch *w, const struct sl_progress *p, const struct progress_view *v)
{
    json_t *stations = json_array();
    for (uint32_t i = 0; i < p->station_count && stations; i++) {
        json_array_append_new(stations, json_of_station(&p->stations[i]));
    }
    json_t *tree = json_of_run(&p->run);
    if (!tree || json_object_set_new(tree, "in_progress", json_integer((json_int_t)in_progress(p))) != 0 ||
        json_object_set_new(tree, "units_per_s", v->rate < 0 ? json_null() : json_real(v->rate)) != 0 ||
        json_object_set_new(tree, "left_us", v->left_us < 0 ? json_null() : json_integer((json_int_t)v->left_us)) !=
            0) {
        json_decref(tree);
        json_decref(stations);
        w->code = cli_nomem(w->cli);
        return;
    }
    if (json_object_set_new(tree, "stations", stations) != 0) {
        json_decref(tree);
        w->code = cli_nomem(w->cli);
        return;
    }
    w->code = json_line(w->cli, tree);
}

static int on_look(void *arg, const struct sl_progress *p)
{
    struct watch *w = arg;
    uint64_t over = ended(&p->run);
    struct progress_view v = {
        .what = p->run.name, .unit = "units", .done = over, .share = 0, .rate = rate(w, over), .left_us = -1
    };
    if (p->run.units) {
        v.share = (double)over / (double)p->run.units;
    } else if (p->run.state != SL_RUN_IS_OPEN) {
        v.share = 1;
    }
    if (v.rate > 0 && p->run.units > over) {
        v.left_us = (int64_t)((double)(p->run.units - over) / v.rate * 1e6);
    }
    if (w->cli->json) {
        draw_json(w, p, &v);
    } else if (w->cli->out_tty) {
        draw_tty(w, p, &v);
    } else {
        draw_plain(w, p, &v);
    }
    if (!w->code) {
        w->code = cli_flush(w->cli, CLI_DONE);
    }
    return w->code;
}

int cmd_run_watch(struct cli *cli, int argc, char **argv)
{
    struct watch w = { .cli = cli };
    bool given = false;
    uint64_t interval_s = 0;
    const struct arg args[] = { { "--interval", ARG_U64, &interval_s, &given, INTERVAL_S_MAX, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (given && interval_s == 0) {
        return cli_misuse(cli, "--interval is at least 1 second");
    }
    struct sl_run_row row;
    if (session_open(cli) || session_check(cli, sl_run_info(cli->sl, argv[1], &row, NULL, NULL), argv[1])) {
        return CLI_FAILED; /* the wait itself would wait for a broker for ever */
    }
    session_catch_signals();
    struct sl_wait_options o = { .interval_ms = given          ? (int64_t)interval_s * 1000
                                                : cli->out_tty ? TTY_INTERVAL_MS
                                                               : 1000,
                                 .progress = on_look,
                                 .arg = &w };
    int rc = sl_run_wait(cli->sl, argv[1], &o);
    if (w.code) {
        return w.code;
    }
    switch (rc) {
    case SL_ONLY_DEAD:
        return cli_fail(cli, "%s: only dead tasks remain (sunline station dead lists them; requeue or drop them)",
                        argv[1]);
    case SL_RUN_CANCELLED: return cli_fail(cli, "%s: the run was cancelled", argv[1]);
    default: return session_check(cli, rc, argv[1]);
    }
}
