/* Figures of the broker that the engine cannot know: times, sizes, traffic. Kept by whoever makes them, put into the
 * answer to STATS_GET beside the engine's. docs/operating.md explains every key. */
#ifndef SUNLINE_BROKER_FIGURES_H
#define SUNLINE_BROKER_FIGURES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"

/* Counts by power of two: bucket i holds values up to 2^i, the last one everything above. */
#define HISTOGRAM_BUCKETS 26
struct histogram { uint64_t bucket[HISTOGRAM_BUCKETS], count, total, max; };
void histogram_add(struct histogram *h, uint64_t value);
/* The upper edge of the bucket in which the given share (0..100) of all values ends; never above max. 0 without
 * values. */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);

/* Pairs of a map under construction. */
struct figures { struct slp_buf pairs; uint32_t count; };
void figures_add(struct figures *f, const char *key, uint64_t value);
/* KEY_p50, KEY_p99, KEY_max, KEY_total, KEY_count, and KEY_le_N (cumulative) from the first bucket that holds any to
 * the one that completes them. */
void figures_add_histogram(struct figures *f, const char *key, const struct histogram *h);
/* Does this body look like an answer to STATS_GET? Cheap: for picking it out of many. */
bool figures_wanted(const char *body, size_t n);
/* Write the STATS message `body` again to `out`, with these pairs added. 0; -1: it is none, or does not fit a frame, or
 * no memory; out is then meaningless. */
int figures_merge(const struct figures *f, const char *body, size_t n, struct slp_buf *out);
void figures_free(struct figures *f);
#endif
