/* The progress bar. progress_line is pure; the rest decides when to draw. */
#include "client/cli/progress.h"

#include <stdarg.h>
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

/* Append to a line, cut at its end. */
static size_t add(char *line, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));
static size_t add(char *line, size_t at, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line + at, PROGRESS_LINE_BYTES - at, format, ap);
    va_end(ap);
    size_t to = at + (n > 0 ? (size_t)n : 0);
    return to < PROGRESS_LINE_BYTES ? to : PROGRESS_LINE_BYTES - 1;
}

const char *progress_line(const struct progress_view *v, int bar_columns, char line[PROGRESS_LINE_BYTES])
{
    char text[TEXT_TIME_BYTES];
    double share = v->share > 1 ? 1 : v->share;
    size_t at = add(line, 0, "%.40s", v->what);
    if (bar_columns > 0 && share >= 0) {
        char bar[BAR_COLUMNS_MAX + 1];
        bar_columns = bar_columns > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : bar_columns;
        int full = (int)(share * bar_columns);
        for (int i = 0; i < bar_columns; i++) {
            bar[i] = i < full ? '=' : i == full ? '>' : ' ';
        }
        bar[bar_columns] = 0;
        at = add(line, at, " [%s]", bar);
    }
    if (share >= 0) {
        at = add(line, at, " %3d%%", (int)(share * 100));
    }
    at = add(line, at, "  %s %.20s", text_count(v->done, text), v->unit);
    if (v->rate >= 0) {
        at = add(line, at, "  %s %.20s/s", text_count(v->rate < 1e18 ? (uint64_t)v->rate : (uint64_t)1e18, text),
                 v->unit);
    }
    if (v->left_us >= 0) {
        add(line, at, "  %s left", text_duration(v->left_us, text));
    }
    return line;
}

void progress_begin(struct progress *p, FILE *err, bool tty, const char *what, const char *unit, uint64_t base)
{
    int64_t now_us = progress_now_us();
    *p = (struct progress){
        .err = err, .tty = tty, .what = what, .unit = unit, .begun_us = now_us, .drawn_us = now_us, .base = base
    };
}

static void draw(struct progress *p, uint64_t done, double share, bool final)
{
    int64_t now_us = progress_now_us();
    double passed_s = (double)(now_us - p->begun_us) / 1e6;
    uint64_t fresh = done > p->base ? done - p->base : 0;
    struct progress_view v = {
        .what = p->what, .unit = p->unit, .done = done, .share = share, .rate = -1, .left_us = -1
    };
    if (passed_s > 0.2 || final) {
        v.rate = passed_s > 0 ? (double)fresh / passed_s : 0;
    }
    if (!final && share > 0.01 && passed_s > 0.5) {
        v.left_us = (int64_t)(passed_s * (1 - share) / share * 1e6);
    }
    char line[PROGRESS_LINE_BYTES];
    progress_line(&v, p->tty ? BAR_COLUMNS : 0, line);
    if (p->tty) {
        fprintf(p->err, "\r\033[K" TTY_NO_WRAP "%s" TTY_WRAP "%s", line, final ? "\n" : "");
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
