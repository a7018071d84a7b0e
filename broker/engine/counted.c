/* See counted.h. What is counted is how LMDB's number grew since the start, or since the last batch: a record that was lost before stays missed. */
#include "broker/engine/counted.h"

#include "broker/engine/internal.h"

static uint64_t held(struct engine *e, enum counted i)
{
    uint64_t records = 0, commit;
    enum store_rc rc = store_count(e->t, counted_table(i), &records, &commit);
    if (rc != STORE_OK)
        fail(e, rc);
    return records;
}

/* 0.1.0 kept none. Whoever wrote more than it into "engine" wrote them too: else a loss would be counted as what there is. */
static bool may_be_missing(struct engine *e)
{
    struct store_val v;
    return !e_get(e, TABLE_META, META_KEY, sizeof META_KEY - 1, &v) || v.n <= META_0_1_0_BYTES;
}

void counted_load(struct engine *e)
{
    struct store_val v;
    bool kept = e_get(e, TABLE_META, COUNTED_KEY, sizeof COUNTED_KEY - 1, &v);
    struct rdr r = rdr_on(kept ? v.p : "", kept ? v.n : 0);
    for (enum counted i = 0; i < COUNTED_TABLES; i++) {
        e->held[i] = held(e, i);
        e->counted[i] = kept ? rdr_u64(&r) : e->held[i];
    }
    if (r.bad || (!kept && !may_be_missing(e)))
        fail(e, STORE_CORRUPT);
    e->counted_kept = kept;
}

void counted_write(struct engine *e)
{
    bool changed = !e->counted_kept;
    for (enum counted i = 0; i < COUNTED_TABLES && !e->rc; i++) {
        uint64_t now = held(e, i);
        changed = changed || now != e->held[i];
        e->counted[i] += now - e->held[i];
        e->held[i] = now;
    }
    if (!changed)
        return;
    uint8_t b[8 * COUNTED_TABLES];
    struct rec r = { b, 0, sizeof b, 0 };
    for (enum counted i = 0; i < COUNTED_TABLES; i++)
        rec_u64(&r, e->counted[i]);
    assert(!r.bad);
    e_put(e, TABLE_META, COUNTED_KEY, sizeof COUNTED_KEY - 1, b, r.n);
    e->counted_kept = true;
}
