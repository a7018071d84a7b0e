/* How many records the tables hold of which no other record says that they must be there: kept beside them in META, so that a check of the store sees that one is
 * gone, or is there that the engine did not write. LMDB's own count would not tell: it goes down with whatever takes the record away. */
#ifndef SUNLINE_COUNTED_H
#define SUNLINE_COUNTED_H
#include "broker/store/store.h"

#define COUNTED_KEY "records" /* in META: for each of COUNTED, in this order, how many u64 */
#define COUNTED(T) T(SWEEP) T(SKILL) T(PACE) T(REPUTE) T(DAY) T(ARRIVAL) T(PRESENCE) T(GOLD)

enum counted {
#define T(NAME) COUNTED_##NAME,
    COUNTED(T)
#undef T
    COUNTED_TABLES
};

static inline enum store_table counted_table(enum counted i)
{
    static const enum store_table tables[COUNTED_TABLES] = {
#define T(NAME) TABLE_##NAME,
        COUNTED(T)
#undef T
    };
    return tables[i];
}

struct engine;
void counted_load(struct engine *e);
void counted_write(struct engine *e); /* the last of a batch */
#endif
