/* A worker's standing at a station: may he be given its tasks? Kept beside what is measured of him there (repute.h), in the same record. */
#ifndef SUNLINE_ENGINE_STANDING_H
#define SUNLINE_ENGINE_STANDING_H
#include "broker/engine/repute.h"
#include "broker/store/store.h"
#include "proto/limits.h"

enum standing { STANDING_GOOD, STANDING_SUSPENDED, STANDING_BY_RULE, STANDING_TRAINING, STANDINGS }; /* suspended: by an operator */

static inline const char *standing_word(enum standing s)
{
    static const char *const words[STANDINGS] = { "good", "suspended", "suspended by rule", "in training" };
    return words[s];
}

/* What was measured of one whose record is not read yet: mostly it is read where it is written, at the batch's end. */
struct repute_later { uint64_t sum; int64_t wall_us, within_us; uint32_t n, last; uint8_t measure; };
#define REPUTE_LATER_MAX 6

struct repute {
    uint32_t worker, key;
    struct repute *hash_next; /* memory only, as read, dirty, laters and later */
    bool read, dirty;
    uint8_t laters;
    uint8_t standing;
    uint16_t reason_n;
    uint16_t windows;        /* bits of those that there are: what else stands in w means nothing */
    int64_t since_wall_us;   /* of a standing that is not good */
    uint64_t golds, handed;  /* at stations with control tasks: these, and all assignments */
    uint64_t gold_block;     /* of his assignments, the `every` in which he got the last one, from 1 */
    uint64_t gold_dry;       /* the secret of the control tasks of which he has seen all */
    uint64_t void_result;    /* his answers up to this result do not count at tasks that are not decided yet; 0: all do */
    union { /* a batch may have thousands of records at hand: what is not used is not touched */
        struct window w[MEASURES];
        struct repute_later later[REPUTE_LATER_MAX]; /* while it is not read */
    };
    char reason[SL_TEXT_BYTES_MAX];
};

static inline struct tally repute_count(const struct repute *r, enum measure m, int64_t within_us, int64_t wall_us)
{
    return r->windows >> m & 1 ? window_tally(&r->w[m], within_us, wall_us) : (struct tally){ 0, 0 };
}

/* The record, read if it is not at hand; valid until the batch ends. NULL after fail(). Who changes it sets `dirty`. */
struct repute *repute_of(struct engine *e, uint32_t worker, uint32_t key);
const struct repute *repute_look(struct engine *e, uint32_t worker, uint32_t key, struct repute *alone); /* to read alone: at hand, or read into *alone */
bool repute_decode(struct store_val v, struct repute *r); /* of r only worker and key are told */
struct worker;
/* He may work there, or no more, and at a tournament's jury likewise; with a reason for people (cut to SL_TEXT_BYTES_MAX). Whoever comes back begins with new control answers. */
void standing_set(struct engine *e, struct worker *w, uint32_t key, enum standing to, const char *reason, size_t n);
void reputes_write(struct engine *e);
void reputes_free(struct engine *e);
#endif
