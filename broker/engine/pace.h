/* A histogram of times: its buckets are quarters of an octave of milliseconds, up to 49 days. Part of the engine and of the readers. */
#ifndef SUNLINE_PACE_H
#define SUNLINE_PACE_H
#include <stdbool.h>
#include <stdint.h>

#define PACE_BUCKETS 124

struct pace { uint64_t count, total_us, busy_n, taken_us, active_n, active_us; int64_t next_us, usual_us; bool dirty; uint32_t bucket[PACE_BUCKETS]; };

struct rdr;
bool pace_read(struct pace *p, struct rdr *r); /* into zeroes; false: damaged */

/* The first number of milliseconds that is beyond the bucket. */
static inline uint64_t pace_bucket_end_ms(unsigned i)
{
    return i < 4 ? i + 1 : (uint64_t)(4 + i % 4 + 1) << (i / 4 - 1);
}
#endif
