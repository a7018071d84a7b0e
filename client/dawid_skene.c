/* Dawid and Skene's estimate of labels and observers' errors: A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer
 * error-rates using the EM algorithm, Applied Statistics 28(1), 1979. Their names: T_ij is the probability that item i has label j
 * (`posterior`), p_j the share of label j (`prior`), pi_jl^k the probability that observer k says l where j is true (`confusion`), n_il^k how
 * often k said l of i: here each answer by itself, so that an item's sum runs over its answers and never over workers who were not asked.
 *
 * Started from the shares of votes, every label that an item was given has T > 0, so each answer has a probability above 0 under it, and an
 * item's greatest sum of logarithms is finite. A label that becomes impossible for an item stays so: its logarithm is minus infinity. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/votes.h"

struct em {
    const struct votes_index *x;
    struct consensus *c;
    uint32_t items, workers, labels;
    double *log_prior, *log_confusion, *joint; /* joint: [labels], of one item */
};

static void start_from_shares(struct em *m)
{
    for (uint32_t i = 0; i < m->items; i++) {
        double each = 1.0 / (m->x->first[i + 1] - m->x->first[i]);
        for (uint32_t k = m->x->first[i]; k < m->x->first[i + 1]; k++)
            m->c->posterior[(size_t)i * m->labels + m->x->vote[k].label] += each;
    }
}

/* Equations 2.3 and 2.4: the errors and shares that fit the labels as they are thought to be. */
static void maximise(struct em *m)
{
    size_t labels = m->labels, square = labels * labels;
    struct consensus *c = m->c;
    memset(c->confusion, 0, m->workers * square * sizeof *c->confusion);
    memset(c->prior, 0, labels * sizeof *c->prior);
    for (uint32_t i = 0; i < m->items; i++) {
        const double *t = c->posterior + i * labels;
        for (size_t j = 0; j < labels; j++)
            c->prior[j] += t[j] / m->items;
        for (uint32_t k = m->x->first[i]; k < m->x->first[i + 1]; k++) {
            const struct sl_vote *v = &m->x->vote[k];
            for (size_t j = 0; j < labels; j++)
                c->confusion[v->worker * square + j * labels + v->label] += t[j];
        }
    }
    for (size_t row = 0; row < m->workers * labels; row++) {
        double *said = c->confusion + row * labels, sum = 0;
        for (size_t l = 0; l < labels; l++)
            sum += said[l];
        for (size_t l = 0; l < labels && sum > 0; l++)
            said[l] /= sum;
    }
    for (size_t j = 0; j < labels; j++)
        m->log_prior[j] = log(c->prior[j]);
    for (size_t n = 0; n < m->workers * square; n++)
        m->log_confusion[n] = log(c->confusion[n]);
}

/* Equation 2.5: the labels that fit the errors. Returns how far a posterior moved at most. */
static double expect(struct em *m)
{
    size_t labels = m->labels, square = labels * labels;
    double moved = 0, likelihood = 0;
    for (uint32_t i = 0; i < m->items; i++) {
        memcpy(m->joint, m->log_prior, labels * sizeof *m->joint);
        for (uint32_t k = m->x->first[i]; k < m->x->first[i + 1]; k++) {
            const struct sl_vote *v = &m->x->vote[k];
            for (size_t j = 0; j < labels; j++)
                m->joint[j] += m->log_confusion[v->worker * square + j * labels + v->label];
        }
        double most = m->joint[0], sum = 0;
        for (size_t j = 1; j < labels; j++)
            most = fmax(most, m->joint[j]);
        for (size_t j = 0; j < labels; j++)
            sum += exp(m->joint[j] - most);
        likelihood += most + log(sum);
        double *t = m->c->posterior + i * labels;
        for (size_t j = 0; j < labels; j++) {
            double now = exp(m->joint[j] - most) / sum;
            moved = fmax(moved, fabs(now - t[j]));
            t[j] = now;
        }
    }
    m->c->pub.log_likelihood = likelihood;
    return moved;
}

static void choose(const struct em *m)
{
    for (uint32_t i = 0; i < m->items; i++) {
        const double *t = m->c->posterior + (size_t)i * m->labels;
        uint32_t best = 0;
        bool tied = false;
        for (uint32_t j = 1; j < m->labels; j++) {
            tied = t[j] > t[best] ? false : tied || t[j] == t[best];
            if (t[j] > t[best] || (t[j] == t[best] && m->x->rank[j] < m->x->rank[best]))
                best = j;
        }
        m->c->label[i] = best;
        m->c->confidence[i] = t[best];
        m->c->tied[i] = tied;
    }
}

int consensus_dawid_skene(const struct votes_index *x, const struct sl_consensus_options *o, struct consensus *c)
{
    struct em m = { .x = x, .c = c, .items = c->pub.items, .workers = c->pub.workers, .labels = c->pub.labels };
    size_t labels = m.labels;
    m.log_prior = malloc(labels * sizeof *m.log_prior);
    m.joint = malloc(labels * sizeof *m.joint);
    m.log_confusion = malloc(m.workers * labels * labels * sizeof *m.log_confusion);
    bool there = m.log_prior && m.joint && m.log_confusion;
    if (there) {
        start_from_shares(&m);
        c->pub.converged = false;
        while (!c->pub.converged && c->pub.iterations < o->iterations_max) {
            maximise(&m);
            c->pub.iterations++;
            c->pub.converged = expect(&m) <= o->tolerance;
        }
        choose(&m);
    }
    free(m.log_prior);
    free(m.joint);
    free(m.log_confusion);
    return there ? SL_OK : SL_NO_MEMORY;
}
