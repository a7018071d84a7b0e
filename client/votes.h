/* The answers behind sunline_quality.h: names with numbers, and an index by item. Within the library only. */
#ifndef SUNLINE_CLIENT_VOTES_H
#define SUNLINE_CLIENT_VOTES_H
#include "client/sunline_quality.h"

struct votes_names { /* strings and their numbers */
    char **name;
    uint32_t n, cap;
    uint32_t *slot; /* by hash: number + 1; 0: free */
    uint32_t slots;
};
struct sl_votes {
    struct votes_names items, workers, labels;
    struct sl_vote *vote;
    uint32_t n, cap;
};

/* The answers item by item, and within an item by label as bytes. */
struct votes_index {
    uint32_t *first;      /* [items + 1]: where an item's answers begin in `vote` */
    struct sl_vote *vote; /* sorted */
    uint32_t *rank;       /* [labels]: place among all labels as bytes */
};
int votes_index_make(struct votes_index *x, const struct sl_votes *v); /* SL_OK; SL_NO_MEMORY: nothing to free */
void votes_index_free(struct votes_index *x);

/* The next stretch of equal labels from *at on, within an item that ends before `end`. */
static inline uint32_t votes_run(const struct votes_index *x, uint32_t at, uint32_t end)
{
    uint32_t n = 1;
    while (at + n < end && x->vote[at + n].label == x->vote[at].label)
        n++;
    return n;
}

/* Consensus in the making: arrays are allocated by the caller of these, who frees on failure. */
struct consensus { /* what a struct sl_consensus points to, writable */
    struct sl_consensus pub;
    uint32_t *label, *votes;
    double *confidence, *skill, *posterior, *prior, *confusion;
    bool *tied;
};
int consensus_dawid_skene(const struct votes_index *x, const struct sl_consensus_options *o, struct consensus *c);
#endif
