#include "tests/sim/outcomes.h"

static uint32_t outcomes_left(struct slp_cursor listed, uint64_t assignment)
{
    uint32_t n = 0;
    for (struct slp_item_outcome o; slp_next_outcome(&listed, &o);)
        n += o.assignment == assignment;
    return n;
}

static bool is_next(struct slp_cursor listed, uint64_t assignment)
{
    struct slp_item_outcome o;
    return slp_next_outcome(&listed, &o) && o.assignment == assignment;
}

/* Of items that are listed only when they went badly, the first went well if any did: it ended the assignment, and those behind it are stale or repeats. */
bool act_is_listed(struct slp_cursor items, struct slp_cursor listed)
{
    struct slp_item_act first, it;
    uint32_t same = 1;
    if (!slp_next_act(&items, &first) || !is_next(listed, first.assignment))
        return false;
    if (first.act < 2)
        return true;
    while (slp_next_act(&items, &it))
        same += it.assignment == first.assignment;
    return outcomes_left(listed, first.assignment) >= same;
}

bool result_is_listed(struct slp_cursor items, struct slp_cursor listed)
{
    struct slp_item_result first, it;
    uint32_t same = 1;
    if (!slp_next_result(&items, &first) || !is_next(listed, first.assignment))
        return false;
    while (slp_next_result(&items, &it))
        same += it.assignment == first.assignment;
    return outcomes_left(listed, first.assignment) >= same;
}
