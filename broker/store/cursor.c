/* Ordered walks. Where the table has young changes (journal.c), a cursor goes by keys: each step asks the table and the changes for the
 * nearest key and takes the nearer one; of two that are the same the change is the newer. Such a cursor remembers its key, so
 * that it finds its way when the changes have gone to their tables meanwhile. */
#include "broker/store/internal.h"

#include <assert.h>
#include <string.h>

enum store_rc store_cursor_open(struct store_txn *t, enum store_table tb, struct store_cursor *c)
{
    assert(t->open && (unsigned)tb < STORE_TABLE_COUNT);
    c->mc = NULL;
    c->t = t;
    c->tb = tb;
    c->key = c->val = (struct store_val){ NULL, 0 };
    c->by_key = false;
    c->at_n = 0;
    if (!t->writer && t->young_rc != STORE_OK && tb != TABLE_JOURNAL)
        return t->young_rc;
    enum store_rc young = young_ready(t, tb);
    if (young != STORE_OK)
        return young;
    if (table_absent(t->s, tb))
        return STORE_OK; /* without one of LMDB's: it finds nothing */
    MDB_cursor *mc;
    int rc = mdb_cursor_open(t->mt, t->s->dbi[tb], &mc);
    if (rc != 0)
        return txn_failed(t, tb, "", 0, rc);
    c->mc = mc;
    t->cursors++;
    return STORE_OK;
}

void store_cursor_close(struct store_cursor *c)
{
    if (c->mc == NULL)
        return;
    assert(c->t->open && c->t->cursors > 0);
    mdb_cursor_close(c->mc);
    c->t->cursors--;
    c->mc = NULL;
}

/* ---- a table alone ---- */

/* The cursor stands on (k, record), if rc is 0. */
static enum store_rc arrived(struct store_cursor *c, MDB_val sought, MDB_val k, MDB_val record, int rc)
{
    c->by_key = false;
    if (rc != 0) {
        c->key = c->val = (struct store_val){ NULL, 0 };
        return txn_failed(c->t, c->tb, sought.mv_data, sought.mv_size, rc);
    }
    bool sane = k.mv_size >= 1 && k.mv_size <= STORE_KEY_BYTES_MAX;
    c->key = sane ? (struct store_val){ k.mv_data, k.mv_size } : (struct store_val){ NULL, 0 };
    return txn_opened(c->t, c->tb, &k, &record, &c->val);
}

static enum store_rc step(struct store_cursor *c)
{
    MDB_val k = { 0, NULL }, record = { 0, NULL };
    int rc = c->mc != NULL ? mdb_cursor_get(c->mc, &k, &record, MDB_NEXT) : MDB_NOTFOUND;
    return arrived(c, val_of(NULL, 0), k, record, rc);
}

/* What the table has nearest to the key. LMDB's code. */
static int table_near(MDB_cursor *mc, const void *key, size_t key_n, enum near near, MDB_val *k, MDB_val *record)
{
    *k = val_of(key, key_n);
    if (mc == NULL)
        return MDB_NOTFOUND;
    if (key_n == 0)
        return mdb_cursor_get(mc, k, record, MDB_FIRST);
    bool back = near == NEAR_LE || near == NEAR_LT;
    int rc = mdb_cursor_get(mc, k, record, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND && back)
        return mdb_cursor_get(mc, k, record, MDB_LAST);
    if (rc != 0)
        return rc;
    bool exact = k->mv_size == key_n && memcmp(k->mv_data, key, key_n) == 0;
    if (near == NEAR_GT && exact)
        return mdb_cursor_get(mc, k, record, MDB_NEXT);
    if (near == NEAR_LT || (near == NEAR_LE && !exact))
        return mdb_cursor_get(mc, k, record, MDB_PREV);
    return 0;
}

/* ---- a table and what is young ---- */

static void remember(struct store_cursor *c)
{
    c->by_key = true;
    c->at_n = (uint16_t)c->key.n;
    memmove(c->at, c->key.p, c->key.n);
}

static enum store_rc merged(struct store_cursor *c, const void *key, size_t key_n, enum near near)
{
    bool back = near == NEAR_LE || near == NEAR_LT;
    for (;;) {
        MDB_val k, record;
        int rc = table_near(c->mc, key, key_n, near, &k, &record);
        const uint8_t *young = young_near(&c->t->young, c->tb, key, key_n, near);
        if (rc != 0 && (rc != MDB_NOTFOUND || young == NULL))
            return arrived(c, val_of(key, key_n), k, record, rc);
        struct store_val y = young != NULL ? change_key(young) : (struct store_val){ NULL, 0 };
        int d = 1; /* how much nearer the young one is */
        if (rc == 0) {
            d = young != NULL ? keys_compare(k.mv_data, k.mv_size, y.p, y.n) : -1;
            if (young != NULL && back)
                d = -d;
        }
        if (d < 0) {
            enum store_rc r = arrived(c, val_of(key, key_n), k, record, 0);
            if (c->key.p != NULL)
                remember(c);
            return r;
        }
        if (change_how(young) != CHANGE_DELETE) {
            c->key = y;
            rc = young_value(c->t, young, &c->val);
            remember(c);
            return rc == 0 ? STORE_OK : txn_failed(c->t, c->tb, y.p, y.n, rc);
        }
        key = y.p;
        key_n = y.n;
        near = back ? NEAR_LT : NEAR_GT;
    }
}

/* ---- the moves ---- */

static void count(const struct store_cursor *c, bool seek)
{
    assert(c->mc != NULL || table_absent(c->t->s, c->tb));
    if (!c->t->writer)
        return;
    if (seek)
        c->t->s->counters.seeks++;
    else
        c->t->s->counters.steps++;
}

static enum store_rc seek(struct store_cursor *c, const void *key, size_t key_n, enum near near)
{
    count(c, true);
    if (c->t->young.in[c->tb] > 0)
        return merged(c, key, key_n, near);
    MDB_val k, record;
    int rc = table_near(c->mc, key, key_n, near, &k, &record);
    return arrived(c, val_of(key, key_n), k, record, rc);
}

enum store_rc store_seek(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n <= STORE_KEY_BYTES_MAX);
    return seek(c, key, key_n, NEAR_GE);
}

enum store_rc store_seek_le(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    return seek(c, key, key_n, NEAR_LE);
}

enum store_rc store_next(struct store_cursor *c)
{
    count(c, false);
    return c->by_key ? merged(c, c->at, c->at_n, NEAR_GT) : step(c);
}
