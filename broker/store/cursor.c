/* Ordered walks. */
#include "broker/store/internal.h"

#include <assert.h>
#include <string.h>

enum store_rc store_cursor_open(struct store_txn *t, enum store_table tb, struct store_cursor *c)
{
    assert(t->open && (unsigned)tb < STORE_TABLE_COUNT);
    c->t = t;
    c->tb = tb;
    c->mc = NULL;
    c->key = c->val = (struct store_val){ NULL, 0 };
    c->astray = false;
    c->last_n = 0;
    if (table_absent(t->s, tb))
        return STORE_OK; /* without one of LMDB's: it finds nothing */
    MDB_cursor *mc;
    int rc = IN_TREE(mdb_cursor_open(t->mt, t->s->dbi[tb], &mc));
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

static int order(MDB_val a, MDB_val b)
{
    size_t n = a.mv_size < b.mv_size ? a.mv_size : b.mv_size;
    int d = n > 0 ? memcmp(a.mv_data, b.mv_data, n) : 0;
    return d != 0 ? d : (a.mv_size > b.mv_size) - (a.mv_size < b.mv_size);
}

/* The cursor stands on (k, record), if rc is 0. Astray: on the wrong side of where it should have come. LMDB's pages have no checksums, and
 * one that is damaged may lead to a record that is sound. */
static enum store_rc arrived(struct store_cursor *c, MDB_val sought, MDB_val k, MDB_val record, int rc, bool astray)
{
    c->key = c->val = (struct store_val){ NULL, 0 };
    c->astray = astray;
    c->last_n = 0;
    if (rc != 0)
        return txn_failed(c->t, c->tb, sought.mv_data, sought.mv_size, rc);
    if (k.mv_size >= 1 && k.mv_size <= STORE_KEY_BYTES_MAX)
        c->key = (struct store_val){ k.mv_data, k.mv_size };
    if (c->t->writer && c->key.n > 0) {
        memcpy(c->last, c->key.p, c->key.n);
        c->last_n = c->key.n;
    }
    if (astray)
        return txn_failed(c->t, c->tb, c->key.p, c->key.n, MDB_CORRUPTED);
    return txn_opened(c->t, c->tb, &k, &record, &c->val);
}

static int get(const struct store_cursor *c, MDB_val *k, MDB_val *record, MDB_cursor_op op)
{
    return c->mc != NULL ? IN_TREE(mdb_cursor_get(c->mc, k, record, op)) : MDB_NOTFOUND;
}

/* What a search found beside its place, two records on one side: the nearer is sound, and the farther is farther. `way`: 1 behind the key, -1 before it. *k: what
 * is damaged, if it has a key. */
static int beside(MDB_cursor *mc, enum store_table tb, MDB_val sought, MDB_val *k, MDB_val record, int way)
{
    struct store_val v;
    MDB_val farther = { 0, NULL };
    if (order(*k, sought) * way <= 0 || envelope_open(tb, k, &record, &v) != NULL)
        return MDB_CORRUPTED;
    int rc = IN_TREE(mdb_cursor_get(mc, &farther, &record, way > 0 ? MDB_NEXT : MDB_PREV));
    return rc == 0 && order(farther, *k) * way <= 0 ? MDB_CORRUPTED : rc == MDB_NOTFOUND ? 0 : rc;
}

/* A key that is not there has one before it and one behind it, or the table ends there. A search by halves ends between two that it compared. So what misled it in
 * a leaf of which a part is zeros, or in whose records or their offsets a bit turned, is one of these: as a record that is not sound, or a sound one that stands
 * where it does not belong, and so is in no order with the next. (Not so where the leaf says that it has fewer records, or a branch leads to another leaf: that
 * shows in a check alone.) MDB_NOTFOUND, or MDB_CORRUPTED. mc stands where a search for it came (MDB_SET_RANGE: rc, *k, record). */
static int truly_absent(MDB_cursor *mc, enum store_table tb, MDB_val sought, MDB_val *k, MDB_val record, int rc)
{
    bool end = rc == MDB_NOTFOUND;
    if (rc == 0 && (rc = beside(mc, tb, sought, k, record, 1)) == 0) {
        MDB_val again = sought;
        rc = IN_TREE(mdb_cursor_get(mc, &again, &record, MDB_SET_RANGE));
        if (rc == MDB_NOTFOUND || (rc == 0 && order(again, *k) != 0))
            return MDB_CORRUPTED;
    }
    if (rc == 0 || end)
        rc = IN_TREE(mdb_cursor_get(mc, k, &record, end ? MDB_LAST : MDB_PREV));
    if (rc == 0)
        rc = beside(mc, tb, sought, k, record, -1);
    return rc == 0 ? MDB_NOTFOUND : rc;
}

int cursor_find(MDB_cursor *mc, enum store_table tb, MDB_val *key, MDB_val *record)
{
    MDB_val sought = *key;
    *record = (MDB_val){ 0, NULL };
    int rc = IN_TREE(mdb_cursor_get(mc, key, record, MDB_SET_RANGE));
    if (rc == 0 && order(*key, sought) == 0)
        return 0;
    rc = truly_absent(mc, tb, sought, key, *record, rc);
    if (rc != MDB_CORRUPTED || key->mv_size == 0 || key->mv_size > STORE_KEY_BYTES_MAX)
        *key = sought;
    return rc;
}

enum store_rc store_seek(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n <= STORE_KEY_BYTES_MAX);
    count(c, true);
    MDB_val sought = val_of(key, key_n), k = sought, record = { 0, NULL };
    int rc = get(c, &k, &record, key_n > 0 ? MDB_SET_RANGE : MDB_FIRST);
    return arrived(c, sought, k, record, rc, rc == 0 && order(k, sought) < 0);
}

enum store_rc store_seek_le(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    count(c, true);
    MDB_val sought = val_of(key, key_n), k = sought, record = { 0, NULL };
    int rc = get(c, &k, &record, MDB_SET_RANGE);
    bool astray = rc == 0 && order(k, sought) < 0;
    if (rc == MDB_NOTFOUND)
        rc = get(c, &k, &record, MDB_LAST);
    else if (rc == 0 && order(k, sought) > 0)
        rc = get(c, &k, &record, MDB_PREV);
    return arrived(c, sought, k, record, rc, astray || (rc == 0 && order(k, sought) > 0));
}

enum store_rc store_seek_behind(struct store_cursor *c, const void *key, size_t key_n)
{
    enum store_rc rc = store_seek(c, key, key_n);
    bool there = (rc == STORE_OK || rc == STORE_CORRUPT) && key_n > 0 && c->key.n == key_n;
    return there && memcmp(c->key.p, key, key_n) == 0 ? store_next(c) : rc;
}

enum store_rc store_search_finds(const struct store_cursor *c)
{
    assert(c->mc != NULL && c->val.p != NULL && !c->t->writer);
    MDB_val k = val_of(c->key.p, c->key.n), record;
    int rc = IN_TREE(mdb_get(c->t->mt, c->t->s->dbi[c->tb], &k, &record));
    bool same = rc == 0 && (const uint8_t *)record.mv_data + ENVELOPE_BYTES == c->val.p;
    return same ? STORE_OK
                : txn_failed(c->t, c->tb, c->key.p, c->key.n, rc == 0 || rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc);
}

enum store_rc store_count(struct store_txn *t, enum store_table tb, uint64_t *records, uint64_t *commit)
{
    MDB_stat st = { 0 };
    assert(t->open && (unsigned)tb < STORE_TABLE_COUNT);
    *commit = mdb_txn_id(t->mt);
    int rc = table_absent(t->s, tb) ? 0 : IN_TREE(mdb_stat(t->mt, t->s->dbi[tb], &st));
    *records = st.ms_entries;
    return rc == 0 ? STORE_OK : txn_failed(t, tb, "", 0, rc);
}

enum store_rc store_next(struct store_cursor *c)
{
    count(c, false);
    MDB_val last = c->t->writer ? val_of(c->last, c->last_n) : val_of(c->key.p, c->key.n);
    MDB_val k = { 0, NULL }, record = { 0, NULL };
    int rc = get(c, &k, &record, MDB_NEXT);
    return arrived(c, val_of(NULL, 0), k, record, rc, rc == 0 && last.mv_size > 0 && order(k, last) <= 0);
}
