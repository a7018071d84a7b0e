/* What orders, times and listings of the engine's files have in common. */
#ifndef SUNLINE_ENGINE_NUMBERS_H
#define SUNLINE_ENGINE_NUMBERS_H
#include "broker/engine/internal.h"

/* As comparisons for sort() say it. */
static inline int order_of(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* So much later, by the elapsed time; INT64_MAX: never. */
static inline int64_t from_now(const struct engine *e, int64_t us)
{
    return us > INT64_MAX - e->now_us ? INT64_MAX : e->now_us + us;
}

/* A listing with so many rows takes no more of them. */
static inline bool page_over(const struct engine *e, uint32_t rows)
{
    return rows == SL_PAGE_ITEMS_MAX || page_full(e);
}
#endif
