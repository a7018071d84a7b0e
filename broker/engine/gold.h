/* Control tasks: tasks of a station whose answers are known, handed out between the others.
 *
 * They lie in the line's definition (`gold`), and are no units: an assignment of one has, in place of a unit's number, GOLD_UNIT and behind it the row of
 * the definition of its station's version. It belongs to the run whose task it was handed instead of, has a number, a lease and a result like any other, and
 * counts in none of the run's counters; its unit has no state, so whatever asks for that finds nothing and leaves it alone. It ends by a result, which
 * is judged in the transaction that takes it, or without one, and then nothing comes back.
 *
 *   when    one of `every` assignments of a worker at the station (by name): of each `every` of his, at a place that a hash tells which knows the
 *           answers, so that nobody who does not know them can count. Instead of a task that is ready there
 *   which   in an order of his own; never one that showed him the same before, in whatever version of the line. One that his agent gives back, and says that he did
 *           not begin, comes again when he has seen all others; one that is taken back does not: he may have had it before him
 *   what    the frame is that of a task: the same values, attempt 1, a number in order
 *
 *   GOLD  0 u8, worker u32, station key u32, digest u64 (of what is shown)   nothing: it was handed to him; "u": his agent gave it back unbegun; "g": and it was handed to him again;
 *                                                                          "s": his agent gave it back so, and he has seen it; "a": and an answer counted
 *         1 u8, run u32, first assignment u64                                nothing: the ASSIGN segment has control tasks, so that it goes with its run */
#ifndef SUNLINE_ENGINE_GOLD_H
#define SUNLINE_ENGINE_GOLD_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"

struct engine;
struct aseg;
struct pick;
struct rq;
struct station;
struct worker;

#define GOLD_UNIT (1ull << 47) /* no run has so many units */
static inline bool is_gold(uint64_t unit) { return unit >= GOLD_UNIT; }

bool gold_take(struct engine *e, struct rq *q, struct worker *w, struct pick *out); /* he gets one now, in place of a task of this queue */
void gold_handed(struct engine *e, const struct station *st, uint32_t worker);      /* an assignment of this station, of whatever kind */
void gold_show(const struct station *st, uint64_t unit, struct slp_buf *b);
void gold_segment(struct engine *e, const struct aseg *s);                          /* a new one: remember it if there are any in it */
void gold_unseen(struct engine *e, const struct aseg *s, uint64_t no); /* it ended before he began it: he may get it when he has seen all others */
void gold_seen(struct engine *e, const struct aseg *s, uint64_t no);   /* it has ended, and a word of him comes that he began it: he never gets it again */
bool gold_counts(struct engine *e, const struct aseg *s, uint64_t no); /* its answer has come: of two assignments of one control task the first answer counts */
void gold_judge(struct engine *e, struct aseg *s, uint64_t no, const struct slp_list *values);
#endif
