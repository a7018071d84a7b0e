/* One label an item: plurality and worker agreement with aggregate; Dawid-Skene is in dawid_skene.c. */
#include <math.h>
#include <stdlib.h>

#include "client/votes.h"

#define ITERATIONS_DEFAULT_MAX 1000
#define TOLERANCE_DEFAULT 1e-9

/* The label whose answers weigh most, by item; skill NULL: each weighs 1. An item's answers are in order of their labels' bytes, so the
 * first of equal ones is kept. */
static void weigh(const struct votes_index *x, const double *skill, struct consensus *c)
{
    for (uint32_t i = 0; i < c->pub.items; i++) {
        uint32_t end = x->first[i + 1];
        double sum = 0, most = -1;
        for (uint32_t at = x->first[i], n; at < end; at += n) {
            n = votes_run(x, at, end);
            double weight = 0;
            for (uint32_t k = at; k < at + n; k++)
                weight += skill ? skill[x->vote[k].worker] : 1;
            sum += weight;
            if (weight > most) {
                c->label[i] = x->vote[at].label;
                c->tied[i] = false;
                most = weight;
            } else if (weight == most) {
                c->tied[i] = true;
            }
        }
        c->confidence[i] = sum > 0 ? most / sum : 0; /* nobody of skill answered it */
    }
}

static int wawa(const struct votes_index *x, struct consensus *c)
{
    uint64_t *answers = calloc(c->pub.workers + 1ul, sizeof *answers);
    if (!answers)
        return SL_NO_MEMORY;
    weigh(x, NULL, c);
    for (uint32_t k = 0; k < x->first[c->pub.items]; k++) {
        const struct sl_vote *v = &x->vote[k];
        answers[v->worker]++;
        c->skill[v->worker] += v->label == c->label[v->item];
    }
    for (uint32_t w = 0; w < c->pub.workers; w++)
        c->skill[w] /= (double)answers[w];
    free(answers);
    weigh(x, c->skill, c);
    return SL_OK;
}

static bool take(double **p, size_t n)
{
    *p = calloc(n + 1, sizeof **p);
    return *p;
}

static struct consensus *consensus_new(const struct sl_votes *v, enum sl_method method)
{
    struct consensus *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    size_t items = v->items.n, workers = v->workers.n, labels = v->labels.n;
    c->pub =
        (struct sl_consensus){ .method = method, .items = v->items.n, .workers = v->workers.n, .labels = v->labels.n };
    c->label = calloc(items + 1, sizeof *c->label);
    c->tied = calloc(items + 1, sizeof *c->tied);
    c->votes = calloc(items + 1, sizeof *c->votes);
    bool there = c->label && c->tied && c->votes && take(&c->confidence, items);
    if (method == SL_WAWA)
        there = there && take(&c->skill, workers);
    if (method == SL_DAWID_SKENE)
        there = there && take(&c->posterior, items * labels) && take(&c->prior, labels) &&
                take(&c->confusion, workers * labels * labels);
    c->pub.label = c->label;
    c->pub.tied = c->tied;
    c->pub.votes = c->votes;
    c->pub.confidence = c->confidence;
    c->pub.skill = c->skill;
    c->pub.posterior = c->posterior;
    c->pub.prior = c->prior;
    c->pub.confusion = c->confusion;
    struct sl_consensus *pub = &c->pub;
    if (!there)
        sl_consensus_free(&pub);
    return there ? c : NULL;
}

int sl_consensus_new(const struct sl_votes *v, const struct sl_consensus_options *o, struct sl_consensus **out)
{
    *out = NULL;
    if (!v || !o || v->n == 0 || o->method > SL_DAWID_SKENE || !(o->tolerance >= 0))
        return SL_MISUSE;
    struct sl_consensus_options with = *o;
    if (with.iterations_max == 0)
        with.iterations_max = ITERATIONS_DEFAULT_MAX;
    if (with.tolerance == 0)
        with.tolerance = TOLERANCE_DEFAULT;
    uint64_t labels = v->labels.n;
    if (o->method == SL_DAWID_SKENE &&
        (labels >= UINT16_MAX || v->items.n * labels + v->workers.n * labels * labels > SL_DAWID_SKENE_CELLS_MAX))
        return SL_TOO_MANY;
    struct consensus *c = consensus_new(v, o->method);
    struct votes_index x;
    if (!c)
        return SL_NO_MEMORY;
    int rc = votes_index_make(&x, v);
    if (rc == SL_OK) {
        c->pub.converged = true;
        for (uint32_t i = 0; i < c->pub.items; i++)
            c->votes[i] = x.first[i + 1] - x.first[i];
        switch (o->method) {
        case SL_PLURALITY: weigh(&x, NULL, c); break;
        case SL_WAWA: rc = wawa(&x, c); break;
        case SL_DAWID_SKENE: rc = consensus_dawid_skene(&x, &with, c); break;
        }
        votes_index_free(&x);
    }
    *out = &c->pub;
    if (rc != SL_OK)
        sl_consensus_free(out);
    return rc;
}

void sl_consensus_free(struct sl_consensus **out)
{
    if (!*out)
        return;
    struct consensus *c = (struct consensus *)*out; /* its first member */
    free(c->label);
    free(c->tied);
    free(c->votes);
    free(c->confidence);
    free(c->skill);
    free(c->posterior);
    free(c->prior);
    free(c->confusion);
    free(c);
    *out = NULL;
}
