/* Transactions, single values.
 *
 * The writer keeps one LMDB cursor a table, opened at first use in a transaction and closed by its end. Gets, puts
 * and dels of a table go through it: LMDB looks at the page where the cursor stands before it descends from the
 * root, and the engine's keys are mostly neighbours. tests/bench/bench_store.c tells what that is worth.
 *
 * Read transactions come from a fixed pool; a used one is reset and renewed, not freed and made again, so LMDB keeps
 * its reader's slot. Nothing here allocates after the first use of a slot but LMDB itself: its pages and its
 * cursors.
 *
 * A put copies its key first, to s->key: it may lie in the store, under a page that the put itself moves. A payload is copied once, from the
 * caller's memory to the page, its table's or the journal's, and its checksum taken there. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool strikes(uint64_t *countdown)
{
    return *countdown != 0 && --*countdown == 0;
}

static bool known(enum store_table tb)
{
    return (unsigned)tb < STORE_TABLE_COUNT;
}

/* ---- failures ---- */

/* "ASSIGN 00000000000000a7: checksum" */
static void name_record(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, const char *what)
{
    int n = snprintf(t->text, sizeof t->text, "%s ", store_table_name(tb));
    const uint8_t *k = key;
    size_t shown = key_n < 64 ? key_n : 64;
    for (size_t i = 0; i < shown; i++)
        n += snprintf(t->text + n, sizeof t->text - (size_t)n, "%02x", k[i]);
    snprintf(t->text + n, sizeof t->text - (size_t)n, "%s: %s", shown < key_n ? "..." : "", what);
}

enum store_rc txn_failed(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, int rc)
{
    if (rc == MDB_NOTFOUND)
        return STORE_NOT_FOUND;
    name_record(t, tb, key, key_n, mdb_strerror(rc));
    return store_rc_of(rc);
}

/* A write that failed may have changed half of what it had to: LMDB knows that of most of its errors, we assume it
 * of all. */
static enum store_rc write_failed(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, int rc)
{
    t->broken = true;
    enum store_rc r = txn_failed(t, tb, key, key_n, rc);
    return r == STORE_NO_MEMORY || r == STORE_CORRUPT ? r : STORE_IO;
}

const char *store_txn_error_text(const struct store_txn *t)
{
    return t->text;
}

/* ---- transactions ---- */

enum store_rc store_begin(struct store *s, struct store_txn **out)
{
    struct store_txn *t = &s->write;
    assert(!t->open && !s->read_only);
    *out = NULL;
    if (atomic_load(&s->failed))
        return STORE_IO;
    if (strikes(&s->faults.fail_begin_after)) {
        snprintf(t->text, sizeof t->text, "begin: a fault was asked for");
        return STORE_NO_MEMORY;
    }
    int rc = mdb_txn_begin(s->env, NULL, 0, &t->mt);
    if (rc != 0) {
        snprintf(t->text, sizeof t->text, "begin: %s", mdb_strerror(rc));
        return store_rc_of(rc);
    }
    t->s = s;
    t->open = t->writer = true;
    t->broken = false;
    t->cursors = 0;
    memset(t->at, 0, sizeof t->at);
    s->batch_put_bytes = s->counters.put_bytes;
    s->format_next = s->format;
    s->copy_next = s->copy;
    memcpy(s->id_next, s->id, sizeof s->id);
    enum store_rc r = young_begin(t);
    if (r != STORE_OK) {
        mdb_txn_abort(t->mt);
        t->open = false;
        return r;
    }
    *out = t;
    return STORE_OK;
}

void store_reader_enter(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->moving)
        pthread_cond_wait(&s->changed, &s->lock);
    s->readers++;
    pthread_mutex_unlock(&s->lock);
}

void store_reader_leave(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    assert(s->readers > 0);
    if (--s->readers == 0)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* LMDB's reader looks up the number of the last commit, then copies the roots from the meta page of that number's
 * parity. A reader that is held up in between, while one commit ends and the next is half-way, copies the roots of
 * the latter: it would see what is not on disk yet, and the reader after it might not see it. Two commits must have
 * been under way for that. */
static bool overtaken(struct store *s, unsigned long long ended_before, MDB_txn *mt)
{
    if (!s->read_only) {
        atomic_thread_fence(memory_order_acquire);
        return atomic_load(&s->commits_begun) - ended_before > 1;
    }
    MDB_envinfo info; /* another process commits: the meta pages tell */
    mdb_env_info(s->env, &info);
    return info.me_last_txnid > mdb_txn_id(mt) + 1;
}

static int begin_snapshot(struct store *s, struct store_txn *t)
{
    for (;;) {
        unsigned long long ended = atomic_load(&s->commits_ended);
        int rc = t->mt != NULL ? mdb_txn_renew(t->mt) : 0;
        if (rc == MDB_MAP_RESIZED) {
            mdb_txn_abort(t->mt);
            t->mt = NULL;
            rc = 0;
        }
        if (t->mt == NULL)
            t->mt = store_raw_read(s, &rc);
        if (rc != 0 || !overtaken(s, ended, t->mt))
            return rc;
        mdb_txn_reset(t->mt);
    }
}

static struct store_txn *pool_take(struct store *s)
{
    struct store_txn *t = NULL;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < STORE_READERS_MAX && t == NULL; i++) {
        if (!s->read[i].open)
            t = &s->read[i];
    }
    if (t != NULL)
        t->open = true;
    pthread_mutex_unlock(&s->lock);
    return t;
}

static void pool_give(struct store *s, struct store_txn *t)
{
    pthread_mutex_lock(&s->lock);
    t->open = false;
    pthread_mutex_unlock(&s->lock);
}

static enum store_rc begin_read(struct store *s, bool plain, struct store_txn **out)
{
    *out = NULL;
    if (atomic_load(&s->failed))
        return STORE_IO;
    store_reader_enter(s);
    struct store_txn *t = pool_take(s);
    int rc = ENOMEM;
    if (t != NULL) {
        t->s = s;
        t->cursors = 0;
        rc = begin_snapshot(s, t);
        if (rc == 0) {
            young_forget(&t->young);
            t->young_rc = plain ? STORE_OK : young_load(t, NULL);
            if (t->young_rc != STORE_NO_MEMORY) {
                *out = t;
                return STORE_OK;
            }
            mdb_txn_reset(t->mt);
            rc = ENOMEM;
        }
        pool_give(s, t);
    }
    store_reader_leave(s);
    return rc == MDB_READERS_FULL ? STORE_NO_MEMORY : store_rc_of(rc);
}

enum store_rc store_begin_read(struct store *s, struct store_txn **out)
{
    return begin_read(s, false, out);
}

enum store_rc txn_begin_plain(struct store *s, struct store_txn **out)
{
    return begin_read(s, true, out);
}

bool store_journal_damaged(const struct store_txn *t)
{
    return t->young_rc == STORE_CORRUPT;
}

void store_txn_free_pool(struct store *s)
{
    for (int i = 0; i < STORE_READERS_MAX; i++) {
        assert(!s->read[i].open);
        if (s->read[i].mt != NULL)
            mdb_txn_abort(s->read[i].mt);
        s->read[i].mt = NULL;
    }
}

enum store_rc store_commit(struct store_txn **tp)
{
    struct store_txn *t = *tp;
    assert(t != NULL && t->open && t->writer && t->cursors == 0);
    struct store *s = t->s;
    *tp = NULL;
    bool fault = strikes(&s->faults.fail_commit_after);
    if (fault || t->broken) {
        t->open = false;
        mdb_txn_abort(t->mt);
        if (fault)
            snprintf(t->text, sizeof t->text, "commit: a fault was asked for");
        atomic_store(&s->failed, true);
        return STORE_IO;
    }
    int64_t begun = now_us();
    int rc = young_commit(t);
    t->open = false;
    atomic_fetch_add(&s->commits_begun, 1);
    if (rc == 0)
        rc = mdb_txn_commit(t->mt);
    else
        mdb_txn_abort(t->mt);
    if (rc == 0 && strikes(&s->faults.fail_sync_after))
        rc = EIO;
    atomic_fetch_add(&s->commits_ended, 1);
    if (rc != 0) {
        /* LMDB takes a write that the disk cut short for an I/O error: say what it is */
        const char *hint = space_used_up(s) ? " (the disk is full)" : "";
        snprintf(t->text, sizeof t->text, "commit: %s%s", mdb_strerror(rc), hint);
        atomic_store(&s->failed, true);
        return STORE_IO;
    }
    young_committed(t, s->counters.put_bytes - s->batch_put_bytes);
    s->format = s->format_next;
    s->copy = s->copy_next;
    if (memcmp(s->id, s->id_next, sizeof s->id) != 0) {
        memcpy(s->id, s->id_next, sizeof s->id);
        store_leave_id(s);
    }
    uint64_t took = (uint64_t)(now_us() - begun);
    s->counters.commits++;
    s->counters.commit_us_total += took;
    if (took > s->counters.commit_us_max)
        s->counters.commit_us_max = took;
    space_committed(s);
    return STORE_OK;
}

void store_abort(struct store_txn **tp)
{
    struct store_txn *t = *tp;
    if (t == NULL)
        return;
    assert(t->open && t->cursors == 0);
    struct store *s = t->s;
    *tp = NULL;
    if (t->writer) {
        mdb_txn_abort(t->mt);
        young_abort(t);
        t->open = false;
    } else {
        mdb_txn_reset(t->mt);
        pool_give(s, t);
        store_reader_leave(s);
    }
}

/* ---- single values ---- */

int txn_cursor(struct store_txn *t, enum store_table tb, MDB_cursor **mc)
{
    assert(t->open && known(tb));
    int rc = t->at[tb] != NULL ? 0 : mdb_cursor_open(t->mt, t->s->dbi[tb], &t->at[tb]);
    *mc = t->at[tb];
    return rc;
}

enum store_rc txn_opened(struct store_txn *t, enum store_table tb, const MDB_val *k, const MDB_val *record,
                         struct store_val *v)
{
    const char *wrong = envelope_open(tb, k, record, v);
    if (wrong == NULL)
        return STORE_OK;
    name_record(t, tb, k->mv_data, k->mv_size, wrong);
    return STORE_CORRUPT;
}

enum store_rc store_get(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, struct store_val *v)
{
    assert(t->open && known(tb) && key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    *v = (struct store_val){ NULL, 0 };
    MDB_val k = val_of(key, key_n), record;
    int rc;
    if (t->writer)
        t->s->counters.gets++;
    else if (t->young_rc != STORE_OK)
        return t->young_rc;
    enum store_rc young = young_ready(t, tb);
    if (young != STORE_OK)
        return young;
    const uint8_t *c = young_find(&t->young, tb, key, key_n);
    if (c != NULL) {
        if (change_how(c) == CHANGE_DELETE)
            return STORE_NOT_FOUND;
        rc = young_value(t, c, v);
        return rc == 0 ? STORE_OK : txn_failed(t, tb, key, key_n, rc);
    }
    if (table_absent(t->s, tb))
        return STORE_NOT_FOUND;
    if (t->writer) {
        MDB_cursor *mc;
        rc = txn_cursor(t, tb, &mc);
        if (rc == 0)
            rc = mdb_cursor_get(mc, &k, &record, MDB_SET);
    } else {
        rc = mdb_get(t->mt, t->s->dbi[tb], &k, &record);
    }
    if (rc != 0)
        return txn_failed(t, tb, key, key_n, rc);
    k = val_of(key, key_n);
    return txn_opened(t, tb, &k, &record, v);
}

static size_t parts_bytes(const struct store_val *part, size_t parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts; i++)
        n += part[i].n;
    return n;
}

void parts_copy(uint8_t *to, const struct store_val *part, size_t parts)
{
    for (size_t i = 0; i < parts; i++) {
        if (part[i].n > 0)
            memcpy(to, part[i].p, part[i].n);
        to += part[i].n;
    }
}

int txn_write(struct store_txn *t, enum store_table tb, enum change_how how, struct store_val key,
              const struct store_val *part, size_t parts)
{
    size_t n = parts_bytes(part, parts);
    MDB_val k = val_of(key.p, key.n), record = val_of(NULL, n + ENVELOPE_BYTES);
    MDB_cursor *mc;
    int rc = txn_cursor(t, tb, &mc);
    if (rc != 0)
        return rc;
    if (how == CHANGE_DELETE) {
        rc = mdb_cursor_get(mc, &k, &record, MDB_SET);
        return rc != 0 ? rc : mdb_cursor_del(mc, 0);
    }
    rc = mdb_cursor_put(mc, &k, &record, MDB_RESERVE | (how == CHANGE_APPEND ? MDB_APPEND : 0));
    if (rc == MDB_KEYEXIST && how == CHANGE_APPEND) {
        k = val_of(key.p, key.n);
        record = val_of(NULL, n + ENVELOPE_BYTES);
        rc = mdb_cursor_put(mc, &k, &record, MDB_RESERVE);
    }
    if (rc != 0)
        return rc;
    parts_copy((uint8_t *)record.mv_data + ENVELOPE_BYTES, part, parts);
    envelope_seal(tb, key.p, key.n, record.mv_data, n);
    return 0;
}

/* Into the journal, or to its table. */
static enum store_rc change(struct store_txn *t, enum store_table tb, enum change_how how, const void *key,
                            size_t key_n, const struct store_val *part, size_t parts, bool payload)
{
    struct store *s = t->s;
    size_t n = parts_bytes(part, parts);
    int rc = NOT_FOR_JOURNAL;
    memcpy(s->key, key, key_n);
    if (!young_bypassed(t, tb)) {
        rc = young_write(t, tb, how, s->key, key_n, part, parts, n, payload);
        int settled = rc == NOT_FOR_JOURNAL ? young_settle(t) : 0;
        rc = settled != 0 ? settled : rc;
    }
    if (rc == NOT_FOR_JOURNAL) {
        rc = txn_write(t, tb, how, (struct store_val){ s->key, key_n }, part, parts);
        s->counters.payload_copied_bytes += payload ? n : 0;
    }
    return rc == 0 ? STORE_OK : write_failed(t, tb, s->key, key_n, rc);
}

static enum store_rc put(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                         const struct store_val *part, size_t parts, bool payload)
{
    size_t n = parts_bytes(part, parts);
    assert(t->writer && t->open && !t->broken && known(tb) && tb != TABLE_JOURNAL);
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX && n + ENVELOPE_BYTES <= SL_VALUE_BYTES_MAX);
    t->s->counters.put_bytes += key_n + n;
    t->s->counters.table[tb].writes++;
    t->s->counters.table[tb].bytes += key_n + n;
    t->s->counters.payload_bytes += payload ? n : 0;
    if (strikes(&t->s->faults.fail_put_after))
        return write_failed(t, tb, key, key_n, EIO);
    return change(t, tb, how, key, key_n, part, parts, payload);
}

enum store_rc store_put(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, const void *v,
                        size_t n)
{
    t->s->counters.puts++;
    return put(t, tb, CHANGE_PUT, key, key_n, &(struct store_val){ v, n }, 1, false);
}

enum store_rc store_append(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, const void *v,
                           size_t n)
{
    t->s->counters.appends++;
    return put(t, tb, CHANGE_APPEND, key, key_n, &(struct store_val){ v, n }, 1, false);
}

enum store_rc store_append_parts(struct store_txn *t, enum store_table tb, const void *key, size_t key_n,
                                 const struct store_val *part, size_t parts)
{
    t->s->counters.appends++;
    return put(t, tb, CHANGE_APPEND, key, key_n, part, parts, true);
}

enum store_rc store_del(struct store_txn *t, enum store_table tb, const void *key, size_t key_n)
{
    assert(t->writer && t->open && !t->broken && known(tb) && tb != TABLE_JOURNAL);
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    t->s->counters.dels++;
    t->s->counters.table[tb].writes++;
    t->s->counters.table[tb].bytes += key_n;
    if (young_bypassed(t, tb)) {
        memcpy(t->s->key, key, key_n);
        int rc = txn_write(t, tb, CHANGE_DELETE, (struct store_val){ t->s->key, key_n }, NULL, 0);
        return rc == 0 ? STORE_OK : rc == MDB_NOTFOUND ? STORE_NOT_FOUND : write_failed(t, tb, key, key_n, rc);
    }
    const uint8_t *c = young_find(&t->young, tb, key, key_n);
    if (c != NULL && change_how(c) == CHANGE_DELETE)
        return STORE_NOT_FOUND;
    if (c == NULL) {
        MDB_val k = val_of(key, key_n), record;
        MDB_cursor *mc;
        int rc = txn_cursor(t, tb, &mc);
        if (rc == 0)
            rc = mdb_cursor_get(mc, &k, &record, MDB_SET);
        if (rc != 0)
            return rc == MDB_NOTFOUND ? STORE_NOT_FOUND : write_failed(t, tb, key, key_n, rc);
    }
    return change(t, tb, CHANGE_DELETE, key, key_n, NULL, 0, false);
}

/* Never by the journal: an open looks here first. */
static enum store_rc write_format(struct store_txn *t)
{
    uint8_t v[FORMAT_BYTES];
    memcpy(key_u32(v, t->s->format_next), t->s->id_next, sizeof t->s->id_next);
    int rc = txn_write(t, TABLE_META, CHANGE_PUT, (struct store_val){ FORMAT_KEY, sizeof FORMAT_KEY - 1 },
                       &(struct store_val){ v, sizeof v }, 1);
    return rc == 0 ? STORE_OK : write_failed(t, TABLE_META, FORMAT_KEY, sizeof FORMAT_KEY - 1, rc);
}

enum store_rc store_set_format(struct store_txn *t, uint32_t version)
{
    assert(t->writer && t->open && !t->broken && version > t->s->format && version <= STORE_FORMAT_VERSION);
    t->s->format_next = version;
    return write_format(t);
}

enum store_rc store_set_own(struct store_txn *t, const uint8_t id[16])
{
    struct store *s = t->s;
    assert(t->writer && t->open && !t->broken);
    int rc = txn_write(t, TABLE_META, CHANGE_DELETE, (struct store_val){ COPY_KEY, sizeof COPY_KEY - 1 }, NULL, 0);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return write_failed(t, TABLE_META, COPY_KEY, sizeof COPY_KEY - 1, rc);
    s->copy_next = false;
    memcpy(s->id_next, id, sizeof s->id_next);
    return write_format(t);
}
