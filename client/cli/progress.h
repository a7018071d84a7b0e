/* Progress of something with a known end: a bar that redraws itself on a terminal, otherwise plain lines, at most
 * one a second and a final one. Goes to stderr, so that stdout keeps to what was asked for. */
#ifndef SUNLINE_CLI_PROGRESS_H
#define SUNLINE_CLI_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRESS_LINE_BYTES 200
/* What is redrawn must keep its number of lines: a narrow terminal cuts them off instead of wrapping. */
#define TTY_NO_WRAP "\033[?7l"
#define TTY_WRAP "\033[?7h"

struct progress_view {       /* what one line shows */
    const char *what;        /* "importing" */
    const char *unit;        /* "rows" */
    uint64_t done;           /* units done in all */
    double share;            /* 0..1; below 0: unknown */
    double rate;             /* units a second; below 0: not known yet */
    int64_t left_us;         /* estimate; below 0: unknown */
};
/* "importing [=========>      ]  61%  61,000 rows  120,345 rows/s  0.3s left", without the bar if bar_columns is 0. */
const char *progress_line(const struct progress_view *v, int bar_columns, char line[PROGRESS_LINE_BYTES]);

struct progress {
    FILE *err;
    bool tty;
    const char *what, *unit;
    int64_t begun_us, drawn_us;
    uint64_t base;           /* done when it began (an import that goes on): not part of the rate */
    bool drawn;
};
int64_t progress_now_us(void); /* monotonic */
void progress_begin(struct progress *p, FILE *err, bool tty, const char *what, const char *unit, uint64_t base);
/* Cheap to call often, though not for every row. `share` as above. */
void progress_update(struct progress *p, uint64_t done, double share);
void progress_end(struct progress *p, uint64_t done, double share); /* the final line */
void progress_abort(struct progress *p); /* leave the bar's line, so that a message can follow */
#endif
