/* A shift: a weekly pattern of local times with its exceptions, and what becomes of it in UTC. Pure: nothing but the arithmetic and the
 * zone database (GLib's GTimeZone, which reads the system's), no clock, no file of ours.
 *
 *   what a day has = the week that is in force on it, nothing if it is a day off, and its extra spans in any case
 *
 * A span belongs to the day on which it begins; one that ends at or before its beginning ends on the next day. So a day off takes away
 * what begins on it: the night shift of the evening before goes on into its morning.
 *
 * When the clocks change. A local time L stands for the first moment at which the wall clock shows L or later. So a time in a gap (the
 * hour that is skipped in spring) is the gap's end, a time that comes twice is its first occurrence; for beginnings and ends alike.
 * A span that lies inside of a gap altogether is empty, and left out. */
#ifndef SUNLINE_AGENT_SHIFT_H
#define SUNLINE_AGENT_SHIFT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define SHIFT_SPANS_DAY_MAX 6   /* spans that begin on one day of a week, and as many extra ones */
#define SHIFT_WEEKS_MAX 32      /* the pattern, and its changes from a date on */
#define SHIFT_DATES_MAX 512     /* entries of days off, and of extra days */
#define SHIFT_DAY_MINUTES 1440

/* Minutes of the local day; 0 <= first < 1440, first < end <= first + 1440: beyond 1440 it is the next day. */
struct shift_span { uint16_t first, end; };
struct shift_day { uint32_t count; struct shift_span span[SHIFT_SPANS_DAY_MAX]; };
struct shift_week { int64_t from_day; struct shift_day day[7]; }; /* day[0] is Monday */
struct shift_off { int64_t first_day, last_day; };
struct shift_extra { int64_t day; struct shift_day spans; };

/* Days are counted from 1970-01-01, which is 0. Lists are the owner's. */
struct shift {
    uint32_t week_count, off_count, extra_count;
    const struct shift_week *week;   /* by from_day; the first one from INT64_MIN */
    const struct shift_off *off;     /* in any order */
    const struct shift_extra *extra; /* by day, one entry a day */
    int64_t overtime_us;             /* how long after the end a begun task may be gone on with */
};

struct shift_time { int64_t first_us, end_us; }; /* UTC, microseconds since 1970; end is the first moment after it */

/* Is this the name of an IANA zone that this machine's database has, as far as can be seen? */
bool shift_zone_known(const char *name);
/* A time zone of the system's database, as it is now: read anew when nobody holds it. NULL: it is not known, cannot be read now, or is cut off. */
struct shift_zone;
struct shift_zone *shift_zone_open(const char *name);
/* A zone of the database that somebody may have meant: this name in other letters ("asia/kathmandu"), or its last part alone ("Kathmandu"). False: none. */
bool shift_zone_like(const char *name, char *to, size_t size);
void shift_zone_close(struct shift_zone **z); /* safe with NULL inside */

/* The moments on shift that end after from_us and begin before until_us, in order, whole (not cut at these), those that touch joined.
 * Returns how many, at most `max` (what is beyond is left out). */
int shift_utc(const struct shift *s, const struct shift_zone *zone, int64_t from_us, int64_t until_us, struct shift_time *v, int max);

/* When the days of a zone begin, from the one in which from_us lies to the last before until_us, ascending. Returns how many, at most `max`. A day that
 * the zone never had (Apia's 30 December 2011) is none. */
int shift_days(const struct shift_zone *zone, int64_t from_us, int64_t until_us, int64_t *v, int max);

/* Do two of its spans overlap, on any day whatever? Then *day is the day on which the later one begins (a day of the pattern's first
 * such week) and what they are is told in `text`. Touching is no overlap. Judged by local times. */
bool shift_overlaps(const struct shift *s, int64_t *day, char *text, size_t size);

/* Days and dates of the proleptic Gregorian calendar. */
int64_t shift_day_of(int year, unsigned month, unsigned day_of_month);
void shift_date_of(int64_t day, int *year, unsigned *month, unsigned *day_of_month);
static inline unsigned shift_weekday(int64_t day) { return (unsigned)(((day + 3) % 7 + 7) % 7); } /* 0: Monday */
#endif
