/* What votes come to: pure rules, for the engine, which decides by them, and the readers, which tell who voted for what. Integers only.
 *
 *   order     each juror sees the entries in an order of his own, which depends on run, unit and juror alone: a push that is sent again shows
 *             the same, and a vote, which is a place in that order, can be told at any time
 *   certain   an entry is certain to win if no other could have as many votes with all that are left of jury.max; with `ties: first` one that came later
 *             may have as many. Until then as many more are asked as the nearest would need if it got them all
 *   places    the winner is first; the others follow by what they have, equals share a place, and the next one is as far behind as there are before it */
#ifndef SUNLINE_ENGINE_JURY_H
#define SUNLINE_ENGINE_JURY_H
#include "broker/engine/agree.h"

/* order[place - 1] is the entry there, from 0 in the order in which they counted. */
void jury_order(uint64_t run, uint64_t unit, uint64_t juror, uint32_t entries, uint8_t order[SL_COPIES_MAX]);
/* The place that a juror's form names, from 1; 0: none. */
uint32_t jury_place(const struct slp_list *form);

struct jury_verdict {
    enum agree_what what; /* MORE: `more` votes */
    enum ld_rule rule;    /* of DONE */
    uint32_t winner, votes, cast, more;
};
/* votes[entry]; n entries. */
void jury_decide(const struct ld_station *jury, const uint32_t *votes, uint32_t n, struct jury_verdict *v);

/* place[entry] from what each has; `won` are first. */
void jury_places(const uint32_t *score, const bool *won, uint32_t n, uint8_t *place);
#endif
