/* A worker's standing at a station: may he be given its tasks? Kept beside what is measured of him there (repute.h), in the same record. */
#ifndef SUNLINE_ENGINE_STANDING_H
#define SUNLINE_ENGINE_STANDING_H
// clang-format off
#include "broker/engine/repute.h"
#include "broker/store/store.h"
#include "proto/limits.h"

enum standing { STANDING_GOOD, STANDING_SUSPENDED, STANDING_BY_RULE, STANDING_TRAINING, STANDINGS }; /* suspended: by an operator */

static inline const char *standing_word(enum standing s)
{
    static const char *const words[STANDINGS] = { "good", "suspended", "suspended by rule", "in training" };
    return words[s];
}

struct repute {
    uint32_t worker, key;
    uint8_t standing;
    uint16_t reason_n;
    char reason[SL_TEXT_BYTES_MAX];
    int64_t since_wall_us;   /* of a standing that is not good */
    uint64_t golds, handed;  /* at stations with control tasks: these, and all assignments */
    uint64_t gold_block;     /* of his assignments, the `every` in which he got the last one, from 1 */
    uint64_t gold_dry;       /* the secret of the control tasks of which he has seen all */
    uint64_t void_result;    /* his answers up to this result do not count at tasks that are not decided yet; 0: all do */
    struct window w[MEASURES];
    /* memory only */
    bool dirty;
    struct repute *hash_next;
};

/* The record, read if it is not at hand; valid until the batch ends. NULL after fail(). Who changes it sets `dirty`. */
struct repute *repute_of(struct engine *e, uint32_t worker, uint32_t key);
const struct repute *repute_look(struct engine *e, uint32_t worker, uint32_t key, struct repute *alone); /* to read alone: at hand, or read into *alone */
bool repute_decode(struct store_val v, struct repute *r); /* r is zeroed but for worker and key */
struct worker;
/* He may work there, or no more, and at a tournament's jury likewise; with a reason for people (cut to SL_TEXT_BYTES_MAX). Whoever comes back begins with new control answers. */
void standing_set(struct engine *e, struct worker *w, uint32_t key, enum standing to, const char *reason, size_t n);
void reputes_write(struct engine *e);
void reputes_free(struct engine *e);
#endif
