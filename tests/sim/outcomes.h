/* Which items of a frame of acts or results an answer is about. It lists, in order, each start and touch, and of the others those whose code is not OK; so where one
 * assignment stands in a frame several times, the first listed outcome of it need not be of its first item. */
#ifndef TESTS_SIM_OUTCOMES_H
#define TESTS_SIM_OUTCOMES_H
#include "proto/codec.h"

/* `items` and `listed` are what is left: with this item, and the outcome that would be its own, as the first ones. */
bool act_is_listed(struct slp_cursor items, struct slp_cursor listed);
bool result_is_listed(struct slp_cursor items, struct slp_cursor listed);
#endif
