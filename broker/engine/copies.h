/* What copies.c and tournament.c share: the answers to a task, and what can become of it when all that were wanted are in. */
#ifndef SUNLINE_ENGINE_COPIES_H
#define SUNLINE_ENGINE_COPIES_H
#include "broker/engine/agree.h"
#include "broker/engine/internal.h"

#define COUNTED_MAX 250 /* answers to one task, with all that operators ask for beyond the station's most */

struct ballot { /* the answers that count, in the order in which they did */
    uint32_t n;
    uint64_t no[COUNTED_MAX + 1], result[COUNTED_MAX + 1];
    uint32_t worker[COUNTED_MAX + 1];
    struct agree_answer a[COUNTED_MAX + 1];
    uint32_t off[COUNTED_MAX + 2];
};
/* From the newest assignment back; the values lie in e->b2. False after fail(). */
bool copies_gather(struct engine *e, const struct station *st, uint64_t newest, struct ballot *b);
void copies_want(struct engine *e, struct run *r, uint64_t unit, uint8_t *t, uint32_t idx, unsigned n, enum why why); /* n answers in all */
void copies_settle(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx, enum why why); /* the state that the places make */
void copies_park(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx, enum dead_why why, const char *reason, size_t n);
/* Behind the values of a form, what a decision adds. */
void copies_pack_verdict(struct slp_buf *b, const struct agree_verdict *v);
/* The task is done with this outcome, which follows an assignment. What comes after it is still to be looked at. */
void copies_close(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, const struct slp_list *values, uint64_t follows, const struct agree_verdict *v, int64_t done_wall_us);
#endif
