/* libsunline, quality: what many workers' answers to the same items say together. Needs no broker and no handle: give it answers
 * (from sl_answers, a file, anywhere), ask for labels, confidences, agreement.
 *
 *     struct sl_votes *v;
 *     int rc = sl_votes_new(&v);
 *     rc = sl_votes_add(v, "pair-1", "amina", "yes");         (for each answer)
 *     struct sl_consensus *c;
 *     rc = sl_consensus_new(v, &(struct sl_consensus_options){ .method = SL_DAWID_SKENE }, &c);
 *     for (uint32_t i = 0; i < c->items; i++)
 *         printf("%s %s %.3f\n", sl_votes_item(v, i), sl_votes_label(v, c->label[i]), c->confidence[i]);
 *     sl_consensus_free(&c);
 *     sl_votes_free(&v);
 *
 * RULES
 * - Items, workers and labels are strings (1 byte and more, terminated, copied); each gets a number from 0 in the order in which
 *   it was first seen. Numbers stay; names are borrowed until sl_votes_free.
 * - One worker may answer an item several times: each answer is an observation of its own (as in Dawid and Skene 1979).
 * - What comes out does not depend on the order in which answers were added, but for the rounding of sums.
 * - Codes are those of sunline.h. SL_NO_MEMORY leaves everything as it was. An object belongs to one thread at a time.
 * - These are doubles, computed here and shown; nothing of this is what the engine decides by (that is in integers). */
#ifndef SUNLINE_QUALITY_H
#define SUNLINE_QUALITY_H
#include "sunline.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------ answers */
struct sl_votes;
struct sl_vote { uint32_t item, worker, label; };

SL_API int sl_votes_new(struct sl_votes **out); /* SL_OK, SL_NO_MEMORY */
SL_API void sl_votes_free(struct sl_votes **v); /* safe to repeat */
/* SL_OK; SL_MISUSE (NULL or empty); SL_TOO_MANY (2^31 answers); SL_NO_MEMORY */
SL_API int sl_votes_add(struct sl_votes *v, const char *item, const char *worker, const char *label);
SL_API uint64_t sl_votes_count(const struct sl_votes *v);
SL_API uint32_t sl_votes_items(const struct sl_votes *v);
SL_API uint32_t sl_votes_workers(const struct sl_votes *v);
SL_API uint32_t sl_votes_labels(const struct sl_votes *v);
SL_API const char *sl_votes_item(const struct sl_votes *v, uint32_t i); /* NULL: no such number */
SL_API const char *sl_votes_worker(const struct sl_votes *v, uint32_t i);
SL_API const char *sl_votes_label(const struct sl_votes *v, uint32_t i);
SL_API const struct sl_vote *sl_votes_at(const struct sl_votes *v, uint64_t i); /* in the order they were added; NULL: no such */

/* ------------------------------------------------------------ one label an item */
enum sl_method {
    /* The label with the most votes. Confidence: its share of the item's votes. */
    SL_PLURALITY,
    /* Worker agreement with aggregate: plurality first; a worker's skill is the share of his answers that agree with it; then the
     * label with the greatest sum of skills. Confidence: its share of the item's sum. (Toloka's crowd-kit, class Wawa.) */
    SL_WAWA,
    /* Each worker has a confusion matrix, each label a prior; both and the labels are estimated in turn by expectation-maximisation
     * (Dawid and Skene, Applied Statistics 28(1), 1979, equations 2.3 to 2.5), started from the votes' shares, no smoothing; products
     * are sums of logarithms. Confidence: the label's posterior. */
    SL_DAWID_SKENE
};
#define SL_DAWID_SKENE_CELLS_MAX (1u << 27) /* items x labels + workers x labels^2: doubles held, 1 GiB; above it SL_TOO_MANY */

struct sl_consensus_options {
    enum sl_method method;
    uint32_t iterations_max; /* Dawid-Skene. 0: 1,000 */
    double tolerance;        /* ends when no posterior moved by more. 0: 1e-9 */
};
struct sl_consensus {
    enum sl_method method;
    uint32_t items, workers, labels;
    const uint32_t *label;     /* [items]. Of equal ones the one that comes first as bytes: see `tied` */
    const double *confidence;  /* [items] */
    const bool *tied;          /* [items]: another label had as much */
    const uint32_t *votes;     /* [items]: answers it has */
    const double *skill;       /* [workers] WAWA: his skill. Else NULL */
    const double *posterior;   /* [items * labels] DAWID_SKENE. Else NULL */
    const double *prior;       /* [labels] DAWID_SKENE: each label's share of all items. Else NULL */
    const double *confusion;   /* [workers * labels * labels] DAWID_SKENE: [worker][true][said]. Else NULL; rows of a label that the
                                  worker never met are 0 */
    uint32_t iterations;       /* DAWID_SKENE: taken */
    bool converged;            /* within iterations_max; true for the other methods */
    double log_likelihood;     /* DAWID_SKENE: of the answers under the last estimates. Else 0 */
};
/* SL_OK with *out; SL_MISUSE (no answers, an unknown method, a negative tolerance); SL_TOO_MANY; SL_NO_MEMORY: *out is NULL. */
SL_API int sl_consensus_new(const struct sl_votes *v, const struct sl_consensus_options *o, struct sl_consensus **out);
SL_API void sl_consensus_free(struct sl_consensus **c); /* safe to repeat */

/* ------------------------------------------------------------ agreement */
enum sl_metric {
    SL_NOMINAL, /* labels are equal or not */
    SL_INTERVAL /* labels are decimal numbers; they differ by the square of their difference */
};
/* The share of pairs of answers to one item that are equal, over all pairs of all items. NaN if there is no pair. SL_OK, SL_NO_MEMORY */
SL_API int sl_agreement(const struct sl_votes *v, double *share, uint64_t *pairs);
/* Krippendorff's alpha, 1 - observed / expected disagreement, by the coincidence matrix, missing answers allowed (Krippendorff,
 * Computing Krippendorff's Alpha-Reliability, 2011). 1: perfect; 0: as by chance. NaN where it is not defined: no item has two answers,
 * or all answers are the same. SL_OK; SL_BAD_VALUE: INTERVAL, and *bad_label (may be NULL) is not a number; SL_NO_MEMORY. */
SL_API int sl_alpha(const struct sl_votes *v, enum sl_metric metric, double *alpha, uint32_t *bad_label);

/* One worker's answers beside a consensus. */
struct sl_worker_quality {
    uint64_t answers, agreed;     /* with the item's label */
    double agreement;             /* agreed / answers */
};
/* [workers], and counts [workers * labels * labels] as [worker][label of the item][said], which may be NULL. SL_OK; SL_MISUSE: the
 * consensus is not of these votes */
SL_API int sl_workers_quality(const struct sl_votes *v, const struct sl_consensus *c, struct sl_worker_quality *out, uint64_t *counts);

/* The items that workers disagree on most: those with the greatest entropy of votes, in bits; of equal ones those with more votes, then
 * the one that comes first as bytes. Fills up to n; *found how many. Items without disagreement are not among them. SL_OK, SL_NO_MEMORY */
struct sl_disagreement { uint32_t item, votes; double bits; };
SL_API int sl_disagreements(const struct sl_votes *v, struct sl_disagreement *out, uint32_t n, uint32_t *found);

#ifdef __cplusplus
}
#endif
#endif
