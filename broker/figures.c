/* Figures: see figures.h. */
#include "broker/figures.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/reader.h"

void histogram_add(struct histogram *h, uint64_t value)
{
    unsigned i = value <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(value - 1);
    h->bucket[i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1]++;
    h->count++;
    h->total += value;
    if (value > h->max) {
        h->max = value;
    }
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
    uint64_t wanted = (h->count * percent + 99) / 100, seen = 0;
    if (h->count == 0) {
        return 0;
    }
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->bucket[i];
        if (seen >= wanted) {
            return 1ull << i < h->max ? 1ull << i : h->max;
        }
    }
    return h->max;
}

void figures_add(struct figures *f, const char *key, uint64_t value)
{
    slp_pack_cstr(&f->pairs, key);
    slp_pack_u64(&f->pairs, value);
    f->count++;
}

void figures_add_histogram(struct figures *f, const char *key, const struct histogram *h)
{
    char name[96];
    uint64_t sum = 0;
    struct {
        const char *suffix;
        uint64_t value;
    } all[] = {
        { "p50", histogram_percentile(h, 50) },
        { "p99", histogram_percentile(h, 99) },
        { "max", h->max },
        { "total", h->total },
        { "count", h->count },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(name, sizeof name, "%s_%s", key, all[i].suffix);
        figures_add(f, name, all[i].value);
    }
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1 && sum < h->count; i++) {
        sum += h->bucket[i];
        if (sum > 0) {
            snprintf(name, sizeof name, "%s_le_%" PRIu64, key, (uint64_t)1 << i);
            figures_add(f, name, sum);
        }
    }
}

bool figures_wanted(const char *body, size_t n)
{
    struct slr r = slr_on(body, n);
    struct slr_value map, key, v;
    if (slr_next(&r, &map) < 0 || map.type != SLR_MAP) {
        return false;
    }
    for (uint32_t i = 0; i < map.n; i++) {
        if (slr_next(&r, &key) < 0 || key.type != SLR_U64 || key.u64 > 1 || slr_next(&r, &v) < 0) {
            return false; /* version and type come first */
        }
        if (key.u64 == 1) {
            return v.type == SLR_U64 && v.u64 == SLP_STATS;
        }
    }
    return false;
}

int figures_merge(const struct figures *f, const char *body, size_t n, struct slp_buf *out)
{
    struct slp_msg m;
    struct slp_fault fault;
    struct slr_value map;
    if (f->pairs.failed || slp_decode(body, n, SLP_B2C, &m, &fault) < 0 || m.type != SLP_STATS) {
        return -1;
    }
    struct slp_bytes old = m.u.stats.figures;
    struct slr r = slr_on(old.p, old.n);
    if (slr_next(&r, &map) < 0 || map.type != SLR_MAP) {
        return -1;
    }
    struct slp_buf both = { 0 };
    slp_pack_map(&both, map.n + f->count);
    slp_buf_add(&both, r.p, (size_t)(r.end - r.p));
    slp_buf_add(&both, f->pairs.p, f->pairs.n);
    int rc = -1;
    if (!both.failed && both.n + 64 <= SL_FRAME_BYTES_MAX) {
        m.u.stats.figures = (struct slp_bytes){ both.p, (uint32_t)both.n };
        slp_buf_clear(out);
        rc = slp_encode(out, SLP_STATS, m.id, &m.u.stats);
    }
    slp_buf_free(&both);
    return rc;
}

void figures_free(struct figures *f)
{
    slp_buf_free(&f->pairs);
    f->count = 0;
}
