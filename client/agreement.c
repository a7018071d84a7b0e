/* How far workers agree: pairs, Krippendorff's alpha, each worker beside a consensus, the items that divide them most. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/votes.h"

int sl_agreement(const struct sl_votes *v, double *share, uint64_t *pairs)
{
    struct votes_index x;
    int rc = votes_index_make(&x, v);
    if (rc != SL_OK)
        return rc;
    uint64_t all = 0, equal = 0;
    for (uint32_t i = 0; i < v->items.n; i++) {
        uint64_t votes = x.first[i + 1] - x.first[i];
        all += votes * (votes - 1) / 2;
        for (uint32_t at = x.first[i], n; at < x.first[i + 1]; at += n) {
            n = votes_run(&x, at, x.first[i + 1]);
            equal += (uint64_t)n * (n - 1) / 2;
        }
    }
    votes_index_free(&x);
    *share = all ? (double)equal / (double)all : NAN;
    if (pairs)
        *pairs = all;
    return SL_OK;
}

/* ---- alpha ---- */

/* Both disagreements need sums only, no matrix. For an item with m answers each ordered pair of them counts 1 / (m - 1).
 *   nominal:  pairs that differ = m^2 - sum of squares of its counts
 *   interval: sum over pairs of (a - b)^2 = 2 (m * sum of squares - square of sum)
 * The expected one is the same over all answers that can be paired, n of them, each pair counting 1 / (n - 1). Values are taken from
 * their mean, so that squares of large numbers do not swallow differences. */
struct spread {
    double pairs, sum, squares;
};

static double differing(const struct spread *s, double n, enum sl_metric metric)
{
    return metric == SL_NOMINAL ? n * n - s->pairs : 2 * (n * s->squares - s->sum * s->sum);
}

static int label_values(const struct sl_votes *v, double *value, uint32_t *bad_label)
{
    double mean = 0;
    for (uint32_t l = 0; l < v->labels.n; l++) {
        char *end;
        value[l] = strtod(v->labels.name[l], &end);
        if (end == v->labels.name[l] || *end || !isfinite(value[l])) {
            if (bad_label)
                *bad_label = l;
            return SL_BAD_VALUE;
        }
    }
    for (uint32_t k = 0; k < v->n; k++)
        mean += value[v->vote[k].label] / v->n;
    for (uint32_t l = 0; l < v->labels.n; l++)
        value[l] -= mean;
    return SL_OK;
}

static double alpha(const struct sl_votes *v, const struct votes_index *x, enum sl_metric metric, const double *value,
                    double *count)
{
    double observed = 0, n = 0;
    struct spread all = { 0 };
    for (uint32_t i = 0; i < v->items.n; i++) {
        double m = x->first[i + 1] - x->first[i];
        struct spread item = { 0 };
        if (m < 2)
            continue; /* nothing to pair it with */
        for (uint32_t at = x->first[i], k; at < x->first[i + 1]; at += k) {
            k = votes_run(x, at, x->first[i + 1]);
            uint32_t label = x->vote[at].label;
            double a = value[label];
            item.pairs += (double)k * k;
            item.sum += k * a;
            item.squares += k * a * a;
            count[label] += k;
        }
        observed += differing(&item, m, metric) / (m - 1);
        n += m;
        all.sum += item.sum;
        all.squares += item.squares;
    }
    for (uint32_t l = 0; l < v->labels.n; l++)
        all.pairs += count[l] * count[l];
    double expected = differing(&all, n, metric) / (n - 1);
    return n >= 2 && expected > 0 ? 1 - observed / expected : NAN;
}

int sl_alpha(const struct sl_votes *v, enum sl_metric metric, double *out, uint32_t *bad_label)
{
    struct votes_index x = { .first = NULL };
    double *value = calloc(v->labels.n + 1ul, sizeof *value), *count = calloc(v->labels.n + 1ul, sizeof *count);
    int rc = value && count ? SL_OK : SL_NO_MEMORY;
    if (rc == SL_OK && metric == SL_INTERVAL)
        rc = label_values(v, value, bad_label);
    if (rc == SL_OK)
        rc = votes_index_make(&x, v);
    if (rc == SL_OK)
        *out = alpha(v, &x, metric, value, count);
    votes_index_free(&x);
    free(value);
    free(count);
    return rc;
}

/* ---- workers ---- */

int sl_workers_quality(const struct sl_votes *v, const struct sl_consensus *c, struct sl_worker_quality *out,
                       uint64_t *counts)
{
    if (c->items != v->items.n || c->workers != v->workers.n || c->labels != v->labels.n)
        return SL_MISUSE;
    size_t labels = v->labels.n;
    memset(out, 0, v->workers.n * sizeof *out);
    if (counts)
        memset(counts, 0, v->workers.n * labels * labels * sizeof *counts);
    for (uint32_t k = 0; k < v->n; k++) {
        const struct sl_vote *a = &v->vote[k];
        uint32_t label = c->label[a->item];
        out[a->worker].answers++;
        out[a->worker].agreed += a->label == label;
        if (counts)
            counts[(a->worker * labels + label) * labels + a->label]++;
    }
    for (uint32_t w = 0; w < v->workers.n; w++)
        out[w].agreement = (double)out[w].agreed / (double)out[w].answers;
    return SL_OK;
}

/* ---- disagreements ---- */

static int by_bits(const void *a, const void *b, void *votes)
{
    const struct sl_disagreement *x = a, *y = b;
    const struct sl_votes *v = votes;
    if (x->bits != y->bits)
        return x->bits > y->bits ? -1 : 1;
    if (x->votes != y->votes)
        return x->votes > y->votes ? -1 : 1;
    return strcmp(v->items.name[x->item], v->items.name[y->item]);
}

int sl_disagreements(const struct sl_votes *v, struct sl_disagreement *out, uint32_t n, uint32_t *found)
{
    struct votes_index x;
    struct sl_disagreement *all = malloc((v->items.n + 1ul) * sizeof *all);
    int rc = all ? votes_index_make(&x, v) : SL_NO_MEMORY;
    if (rc != SL_OK) {
        free(all);
        return rc;
    }
    uint32_t divided = 0;
    for (uint32_t i = 0; i < v->items.n; i++) {
        struct sl_disagreement d = { .item = i, .votes = x.first[i + 1] - x.first[i] };
        for (uint32_t at = x.first[i], k; at < x.first[i + 1]; at += k) {
            k = votes_run(&x, at, x.first[i + 1]);
            double share = (double)k / d.votes;
            d.bits -= share < 1 ? share * log2(share) : 0;
        }
        if (d.bits > 0)
            all[divided++] = d;
    }
    qsort_r(all, divided, sizeof *all, by_bits, (void *)(uintptr_t)v);
    *found = divided < n ? divided : n;
    if (*found)
        memcpy(out, all, *found * sizeof *out);
    votes_index_free(&x);
    free(all);
    return SL_OK;
}
