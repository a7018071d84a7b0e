/* The buckets of a histogram of times: quarters of an octave of milliseconds, up to 49 days. Part of the engine and of the readers. */
#ifndef SUNLINE_PACE_H
#define SUNLINE_PACE_H
#include <stdint.h>

#define PACE_BUCKETS 124

/* The first number of milliseconds that is beyond the bucket. */
static inline uint64_t pace_bucket_end_ms(unsigned i)
{
    return i < 4 ? i + 1 : (uint64_t)(4 + i % 4 + 1) << (i / 4 - 1);
}
#endif
