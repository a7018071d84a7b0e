/* What is measured of workers: how well their work was received, at each station and at all together.
 *
 * A record belongs to a worker and to a station's name (all versions of the line share it), or to all stations; it holds windows, one a measure. A
 * window counts the last N things, not older than T: the station's `window` says which (station 0: WINDOW_LAST, WINDOW_WITHIN_US). It has eight parts, each of
 * an eighth of N things at most, or begun less than an eighth of T before its last; the oldest goes when a ninth begins or more than N would be held, and parts
 * that began longer than T ago are not looked at. So a thing counts for sure as long as the share of N that came after it and the share of T that passed since
 * are together less than 7/8: of things that came at once at least 7/8 of N. By the wall clock: one that is set ahead hides what is old, and shows it again when it is set back.
 *
 * Records lie in REPUTE. They are read when something of their worker is asked, kept until the batch ends, and written then; one of which something was only
 * measured is read as it is written. Neither start nor memory know how many there are. Everything here is part of the transaction that causes it.
 *
 * Other files tell what happened by the repute_* functions; each takes the station where the worker did the work, and his number. */
#ifndef SUNLINE_ENGINE_REPUTE_H
#define SUNLINE_ENGINE_REPUTE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct station;

/* n and sum of each: how many things, and of these how many so (or all their values together). */
enum measure {
    MEASURE_ABANDONED, /* assignments that were begun or handed in: of these, given up or run out */
    MEASURE_LEASE,     /* results: milliseconds from start to result */
    MEASURE_ACTIVE,    /* results that told it: milliseconds of work */
    MEASURE_AGREED,    /* answers to tasks that were decided: the same as the outcome */
    MEASURE_GOLD,      /* control tasks: answered as they should be */
    MEASURE_APPROVED,  /* results that were reviewed: accepted as they were */
    MEASURE_RETURNED,  /* the same: rejected */
    MEASURE_WON,       /* tournaments: first place */
    MEASURE_BEATEN,    /* other contestants in them: placed behind him */
    MEASURE_PACE,      /* of all stations only. Results: the station's usual time over his own, in 256ths, a quarter to four times */
    MEASURES
};

#define WINDOW_PARTS 8
#define WINDOW_LAST 64
#define WINDOW_LAST_MIN 8
#define WINDOW_LAST_MAX 10000
#define WINDOW_WITHIN_US (90ll * 24 * 3600 * 1000000)

struct window { uint8_t parts; struct { uint32_t since_min, n; uint64_t sum; } part[WINDOW_PARTS]; }; /* the oldest first */
struct tally { uint64_t n, sum; };

void window_add(struct window *w, uint32_t last, int64_t within_us, int64_t wall_us, uint32_t n, uint64_t sum);
struct tally window_tally(const struct window *w, int64_t within_us, int64_t wall_us);

/* ---- what happened ---- */
enum repute_verdict { REPUTE_ACCEPTED, REPUTE_IMPROVED, REPUTE_REJECTED };
void repute_verdict(struct engine *e, struct station *st, uint32_t worker, enum repute_verdict v); /* his result was reviewed */
void repute_placed(struct engine *e, struct station *st, uint32_t worker, uint32_t place, uint32_t of); /* 1 to `of`; equals share a place */
void repute_outcome(struct engine *e, struct station *st, uint32_t worker, bool agreed); /* his answer beside what was decided */
void repute_gold(struct engine *e, struct station *st, uint32_t worker, bool right);
void repute_result(struct engine *e, struct station *st, uint32_t worker, int64_t lease_us, uint64_t active_us); /* counted; 0: not known */
void repute_abandoned(struct engine *e, struct station *st, uint32_t worker); /* he failed, or began it and let it run out or gave it back */

/* ---- what is known ---- */
int64_t repute_within_us(const struct engine *e, const struct station *st); /* how long things are remembered there; NULL: over all */
struct tally repute_tally(struct engine *e, const struct station *st, uint32_t worker, enum measure m); /* st NULL: all stations */
uint8_t repute_class(struct engine *e, uint32_t worker); /* 0 to 15, for `prefer: best`: 15 is the best, 7 who is not known */
#endif
