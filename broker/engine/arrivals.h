/* Usual arrivals: how many units a line takes in, by hour of the week (UTC; 0 is Monday 00:00). Part of the engine and of the readers.
 *
 * `hour` is under way, `count` what came in it so far. When time goes on to another hour it is closed: each place of the week holds a weighted sum of its
 * counts, where each week weighs three quarters of the following one. Hours without units count as well. All in integers. A clock that was set back counts on in the
 * hour it shows, and may count an hour twice; one that was set ahead closes at most ARRIVAL_CLOSE_MAX hours. */
#ifndef SUNLINE_ARRIVALS_H
#define SUNLINE_ARRIVALS_H
#include <stdbool.h>
#include <stdint.h>

#define WEEK_HOURS 168
#define HOUR_US 3600000000ll
#define ARRIVAL_CLOSE_MAX (12 * WEEK_HOURS) /* hours: what was before counts for 3% by then */
#define ARRIVAL_WEIGHT 16                   /* of the newest week; all weeks together never weigh more than 64 */
#define ARRIVAL_COUNT_MAX (1ull << 28)      /* units an hour; more count as so many: the sum of squares must fit */

struct arrival_hour { uint32_t weight; uint64_t sum, squares; };
struct arrivals {
    int64_t hour;   /* since 1970 */
    uint64_t count; /* of it: what its runs' heads tell, and `gone` */
    uint64_t gone;  /* of runs that are deleted */
    struct arrival_hour usual[WEEK_HOURS];
    /* of the engine */
    bool dirty;
    uint8_t days;   /* bit: a day that changed */
};

static inline unsigned week_hour(int64_t hour) { return (unsigned)((hour + 72) % WEEK_HOURS); } /* 1970 began on a Thursday */

/* Time went on (or back) to this hour. */
static inline void arrivals_until(struct arrivals *a, int64_t hour)
{
    int64_t hours = hour - a->hour;
    if (hours < 0) {
        a->hour = hour;
        return;
    }
    for (int64_t i = hours > ARRIVAL_CLOSE_MAX ? hours - ARRIVAL_CLOSE_MAX : 0; i < hours; i++) {
        unsigned h = week_hour(a->hour + i);
        uint64_t n = a->count < ARRIVAL_COUNT_MAX ? a->count : ARRIVAL_COUNT_MAX;
        struct arrival_hour *u = &a->usual[h];
        u->weight = u->weight * 3 / 4 + ARRIVAL_WEIGHT;
        u->sum = u->sum * 3 / 4 + n * ARRIVAL_WEIGHT;
        u->squares = u->squares * 3 / 4 + n * n * ARRIVAL_WEIGHT;
        a->days |= (uint8_t)(1u << h / 24);
        a->count = a->gone = 0;
    }
    a->hour = hour;
}

struct rdr;
/* One of a line's records into its place; false: damaged. */
bool arrivals_read(struct arrivals *a, unsigned piece, struct rdr *r);

_Static_assert(ARRIVAL_COUNT_MAX * ARRIVAL_COUNT_MAX <= UINT64_MAX / (4 * ARRIVAL_WEIGHT), "the squares of all weeks fit");
#endif
