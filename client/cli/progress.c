/* The progress bar. progress_line is pure; the rest decides when to draw. */
#include "client/cli/progress.h"

#include <time.h>

#include "client/cli/text.h"

#define TTY_EVERY_US 100000
#define PLAIN_EVERY_US 1000000
#define BAR_COLUMNS 30
#define BAR_COLUMNS_MAX 60

int64_t progress_now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

const char *progress_line(const struct progress_view *v, int bar_columns, char line[PROGRESS_LINE_BYTES])
{
    char *to = line, *end = line + PROGRESS_LINE_BYTES;
    char text[TEXT_TIME_BYTES];
    double share = v->share > 1 ? 1 : v->share;
    to += snprintf(to, (size_t)(end - to), "%.40s", v->what);
    if (bar_columns > 0 && share >= 0) {
        bar_columns = bar_columns > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : bar_columns;
        int full = (int)(share * bar_columns);
        *to++ = ' ';
        *to++ = '[';
        for (int i = 0; i < bar_columns; i++) {
            *to++ = i < full ? '=' : i == full ? '>' : ' ';
        }
        *to++ = ']';
    }
    if (share >= 0) {
        to += snprintf(to, (size_t)(end - to), " %3d%%", (int)(share * 100));
    }
    to += snprintf(to, (size_t)(end - to), "  %s %.20s", text_count(v->done, text), v->unit);
    if (v->rate >= 0) {
        to += snprintf(to, (size_t)(end - to), "  %s %.20s/s", text_count((uint64_t)v->rate, text), v->unit);
    }
    if (v->left_us >= 0) {
        snprintf(to, (size_t)(end - to), "  %s left", text_duration(v->left_us, text));
    }
    return line;
}

void progress_begin(struct progress *p, FILE *err, bool tty, const char *what, const char *unit, uint64_t base)
{
    int64_t now_us = progress_now_us();
    *p = (struct progress){ .err = err, .tty = tty, .what = what, .unit = unit, .begun_us = now_us, .drawn_us = now_us, .base = base };
}

static void draw(struct progress *p, uint64_t done, double share, bool final)
{
    int64_t now_us = progress_now_us();
    double passed_s = (double)(now_us - p->begun_us) / 1e6;
    uint64_t fresh = done > p->base ? done - p->base : 0;
    struct progress_view v = { .what = p->what, .unit = p->unit, .done = done, .share = share, .rate = -1, .left_us = -1 };
    if (passed_s > 0.2 || final) {
        v.rate = passed_s > 0 ? (double)fresh / passed_s : 0;
    }
    if (!final && share > 0.01 && passed_s > 0.5) {
        v.left_us = (int64_t)(passed_s * (1 - share) / share * 1e6);
    }
    char line[PROGRESS_LINE_BYTES];
    progress_line(&v, p->tty ? BAR_COLUMNS : 0, line);
    if (p->tty) {
        fprintf(p->err, "\r\033[K%s%s", line, final ? "\n" : "");
    } else {
        fprintf(p->err, "%s\n", line);
    }
    fflush(p->err);
    p->drawn_us = now_us;
    p->drawn = true;
}

void progress_update(struct progress *p, uint64_t done, double share)
{
    if (progress_now_us() - p->drawn_us >= (p->tty ? TTY_EVERY_US : PLAIN_EVERY_US)) {
        draw(p, done, share, false);
    }
}

void progress_end(struct progress *p, uint64_t done, double share)
{
    draw(p, done, share, true);
}

void progress_abort(struct progress *p)
{
    if (p->tty && p->drawn) {
        fputs("\n", p->err);
    }
}
