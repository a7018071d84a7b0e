/* Ordered walks. */
#include "broker/store/internal.h"

#include <assert.h>
#include <string.h>

enum store_rc store_cursor_open(struct store_txn *t, enum store_table tb, struct store_cursor *c)
{
    assert(t->open && (unsigned)tb < STORE_TABLE_COUNT);
    *c = (struct store_cursor){ .t = t, .tb = tb };
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

/* Which keys a search may arrive at. */
enum side { ANY, NOT_BEFORE, NOT_BEHIND };

/* It came to a key on the wrong side of the one that it sought: a page of LMDB's that leads the way is damaged. Those have no checksums, and what is arrived at may be a sound record. */
static bool led_astray(MDB_val sought, MDB_val k, enum side side)
{
    size_t n = sought.mv_size < k.mv_size ? sought.mv_size : k.mv_size;
    int d = n > 0 && side != ANY ? memcmp(k.mv_data, sought.mv_data, n) : 0;
    if (d == 0)
        d = (k.mv_size > sought.mv_size) - (k.mv_size < sought.mv_size);
    return (side == NOT_BEFORE && d < 0) || (side == NOT_BEHIND && d > 0);
}

/* The cursor stands on (k, record), if rc is 0. */
static enum store_rc arrived(struct store_cursor *c, MDB_val sought, MDB_val k, MDB_val record, int rc, enum side side)
{
    c->key = c->val = (struct store_val){ NULL, 0 };
    if (rc == 0 && led_astray(sought, k, side))
        rc = MDB_CORRUPTED;
    if (rc != 0)
        return txn_failed(c->t, c->tb, sought.mv_data, sought.mv_size, rc);
    if (k.mv_size >= 1 && k.mv_size <= STORE_KEY_BYTES_MAX)
        c->key = (struct store_val){ k.mv_data, k.mv_size };
    return txn_opened(c->t, c->tb, &k, &record, &c->val);
}

enum store_rc store_seek(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n <= STORE_KEY_BYTES_MAX);
    count(c, true);
    MDB_val k = val_of(key, key_n), record = { 0, NULL };
    store_calls++;
    int rc = c->mc != NULL ? mdb_cursor_get(c->mc, &k, &record, key_n > 0 ? MDB_SET_RANGE : MDB_FIRST) : MDB_NOTFOUND;
    store_calls++;
    return arrived(c, val_of(key, key_n), k, record, rc, NOT_BEFORE);
}

enum store_rc store_seek_le(struct store_cursor *c, const void *key, size_t key_n)
{
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    count(c, true);
    MDB_val k = val_of(key, key_n), record = { 0, NULL };
    store_calls++;
    int rc = c->mc != NULL ? mdb_cursor_get(c->mc, &k, &record, MDB_SET_RANGE) : MDB_NOTFOUND;
    if (c->mc != NULL && rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(c->mc, &k, &record, MDB_LAST);
    else if (rc == 0 && (k.mv_size != key_n || memcmp(k.mv_data, key, key_n) != 0))
        rc = mdb_cursor_get(c->mc, &k, &record, MDB_PREV);
    store_calls++;
    return arrived(c, val_of(key, key_n), k, record, rc, NOT_BEHIND);
}

enum store_rc store_count(struct store_txn *t, enum store_table tb, uint64_t *records, uint64_t *commit)
{
    MDB_stat st = { 0 };
    assert(t->open && (unsigned)tb < STORE_TABLE_COUNT);
    *commit = mdb_txn_id(t->mt);
    int rc = table_absent(t->s, tb) ? 0 : mdb_stat(t->mt, t->s->dbi[tb], &st);
    *records = st.ms_entries;
    return rc == 0 ? STORE_OK : txn_failed(t, tb, "", 0, rc);
}

enum store_rc store_next(struct store_cursor *c)
{
    count(c, false);
    MDB_val k = { 0, NULL }, record = { 0, NULL };
    store_calls++;
    int rc = c->mc != NULL ? mdb_cursor_get(c->mc, &k, &record, MDB_NEXT) : MDB_NOTFOUND;
    store_calls++;
    return arrived(c, val_of(NULL, 0), k, record, rc, ANY);
}
