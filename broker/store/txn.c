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
 * A put copies its key first, to s->key: it may lie in the store, under a page that the put itself moves. A payload is copied once on its way into the map, from the
 * caller's memory to its table's page, and its checksum taken there; once more it is copied beside that way, to where the log is written from. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t store_now_us(void)
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
    if (t->writer)
        return store_rc_of(rc);
    if (rc == MDB_PAGE_NOTFOUND ||
        rc == MDB_BAD_TXN) /* after the first LMDB answers all that is asked here with the second */
        t->broken = true;
    return t->broken ? STORE_CORRUPT : store_rc_of(rc);
}

bool store_broken(const struct store_txn *t)
{
    return t->broken;
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

int txn_begin_writer(struct store *s)
{
    struct store_txn *t = &s->write;
    int rc = mdb_txn_begin(s->env, NULL, 0, &t->mt);
    if (rc != 0) {
        t->mt = NULL;
        return rc;
    }
    memset(t->at, 0, sizeof t->at);
    settle_untouched(s);
    t->s = s;
    t->writer = true;
    pthread_mutex_lock(&s->lock);
    s->writer = pthread_self();
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int txn_put_log(struct store *s)
{
    uint8_t v[WAL_KEY_BYTES];
    key_u64(key_u64(v, s->wal.bytes), s->wal.salt);
    return txn_write(&s->write, TABLE_META, CHANGE_PUT, (struct store_val){ WAL_KEY, sizeof WAL_KEY - 1 },
                     &(struct store_val){ v, sizeof v }, 1);
}

/* The file, and in META that there is one: committed before anything is in it. Where there is no room for it, this process goes on without. */
static int make_wal(struct store *s)
{
    int rc = wal_make(&s->wal, s->dir_fd, s->wal_bytes, !s->no_sync);
    if (rc == ENOSPC || rc == EDQUOT) {
        s->wal_bytes = 0;
        return 0;
    }
    if (rc == 0 && (rc = txn_begin_writer(s)) == 0) {
        rc = txn_put_log(s);
        if (rc == 0)
            return settle_commit(s);
        mdb_txn_abort(s->write.mt);
        s->write.mt = NULL;
    }
    wal_close(&s->wal); /* META does not know of it */
    snprintf(s->write.text, sizeof s->write.text, "making " WAL_FILE ": %s", mdb_strerror(rc));
    return rc;
}

/* write.mt, in which all is done that was committed. */
int txn_have_writer(struct store *s)
{
    int rc = 0;
    if (s->wal.fd < 0 && s->wal_bytes > 0 && s->format >= FORMAT_WITH_LOG)
        rc = make_wal(s);
    if (rc != 0 || s->write.mt != NULL)
        return rc;
    bool aborted = s->wal.at > 0; /* LMDB's transaction went, and with it the batches before the one that was meant */
    rc = txn_begin_writer(s);
    if (rc == 0 && aborted)
        rc = settle_replay(s);
    if (rc != 0 && s->write.mt != NULL) {
        mdb_txn_abort(s->write.mt);
        s->write.mt = NULL;
    }
    return rc;
}

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
    t->text[0] = '\0';
    int rc = t->mt != NULL && settle_needed(s) ? settle_commit(s) : 0;
    if (rc == 0)
        rc = txn_have_writer(s);
    if (rc != 0) {
        if (t->text[0] == '\0')
            snprintf(t->text, sizeof t->text, "begin: %s", mdb_strerror(rc));
        return atomic_load(&s->failed) ? STORE_IO : store_rc_of(rc);
    }
    assert(pthread_equal(s->writer, pthread_self()));
    wal_begin(&s->wal);
    t->open = true;
    t->broken = t->changed = false;
    t->direct = s->wal_bytes == 0;
    t->cursors = 0;
    s->batch_put_bytes = s->counters.put_bytes;
    s->format_next = s->format;
    s->copy_next = s->copy;
    memcpy(s->id_next, s->id, sizeof s->id);
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

/* Of a store that is only looked at, and whose broker died: what its log held is in write.mt. */
static void lend_view(struct store *s, struct store_txn *t)
{
    assert(t->mt == NULL); /* store_abort takes it back */
    t->mt = s->write.mt;
}

enum store_rc store_begin_read(struct store *s, struct store_txn **out)
{
    *out = NULL;
    if (atomic_load(&s->failed))
        return STORE_IO;
    enum store_rc r = settle_wait(s);
    if (r != STORE_OK)
        return r;
    store_reader_enter(s);
    struct store_txn *t = pool_take(s);
    int rc = ENOMEM;
    if (t != NULL) {
        t->s = s;
        t->cursors = 0;
        t->broken = false;
        rc = 0;
        if (s->view)
            lend_view(s, t);
        else
            rc = begin_snapshot(s, t);
        if (rc == 0) {
            *out = t;
            return STORE_OK;
        }
        pool_give(s, t);
    }
    store_reader_leave(s);
    return rc == MDB_READERS_FULL ? STORE_NO_MEMORY : store_rc_of(rc);
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

void txn_commit_failed(struct store *s, int rc)
{
    if (atomic_load(&s->failed))
        return; /* the first reason stands */
    /* LMDB takes a write that the disk cut short for an I/O error: say what it is */
    const char *hint = space_used_up(s) ? " (the disk is full)" : "";
    snprintf(s->write.text, sizeof s->write.text, "commit: %s%s", mdb_strerror(rc), hint);
    atomic_store(&s->failed, true);
    settle_tell(s); /* whoever waits for it */
}

/* Else it is a commit of LMDB's own: for a reader who waits with this batch, instead of behind it. */
static bool goes_to_the_log(const struct store_txn *t)
{
    return !t->direct && wal_takes(&t->s->wal) && !settle_reader_due(t->s);
}

static struct wal_batch seal(struct store *s)
{
    struct wal_batch b = wal_seal(&s->wal, mdb_txn_id(s->write.mt));
    s->counters.wal_bytes += b.n;
    return b;
}

static int commit_changes(struct store *s)
{
    struct store_txn *t = &s->write;
    if (!t->changed)
        return 0;
    if (!goes_to_the_log(t))
        return settle_commit(s);
    struct wal_batch b = seal(s);
    return wal_write(&b, !s->no_sync, s->faults.syncing, s->faults.syncing_arg);
}

void txn_count_commit(struct store *s, uint64_t took_us)
{
    s->counters.commits++;
    s->counters.commit_us_total += took_us;
    if (took_us > s->counters.commit_us_max)
        s->counters.commit_us_max = took_us;
}

enum store_rc store_commit(struct store_txn **tp)
{
    struct store_txn *t = *tp;
    assert(t != NULL && t->open && t->writer && t->cursors == 0);
    struct store *s = t->s;
    *tp = NULL;
    t->open = false;
    bool fault = strikes(&s->faults.fail_commit_after);
    if (fault || t->broken || writer_wait(s) != 0 || atomic_load(&s->failed)) { /* also if the one before it failed */
        mdb_txn_abort(t->mt);
        t->mt = NULL;
        if (fault)
            snprintf(t->text, sizeof t->text, "commit: a fault was asked for");
        atomic_store(&s->failed, true);
        settle_tell(s);
        return STORE_IO;
    }
    int64_t begun = store_now_us();
    int rc = commit_changes(s);
    if (rc == 0 && strikes(&s->faults.fail_sync_after))
        rc = EIO;
    if (rc != 0) {
        txn_commit_failed(s, rc);
        return STORE_IO;
    }
    if (t->changed)
        settle_note(s);
    s->format = s->format_next;
    s->copy = s->copy_next;
    if (memcmp(s->id, s->id_next, sizeof s->id) != 0) {
        memcpy(s->id, s->id_next, sizeof s->id);
        store_leave_id(s);
    }
    txn_count_commit(s, (uint64_t)(store_now_us() - begun));
    return STORE_OK;
}

/* Anything else is done at once: a commit of LMDB's, nothing, a failure. */
static bool worth_a_thread(const struct store_txn *t)
{
    return t->changed && !t->broken && t->s->faults.fail_commit_after == 0 && goes_to_the_log(t);
}

enum store_rc store_commit_begin(struct store_txn **tp, void (*written)(void *arg, bool good), void *arg, bool *writing)
{
    struct store_txn *t = *tp;
    assert(t != NULL && t->open && t->writer && t->cursors == 0);
    struct store *s = t->s;
    *writing = false;
    if (!worth_a_thread(t) || !writer_start(s))
        return store_commit(tp);
    *tp = NULL;
    t->open = false;
    if (writer_wait(s) != 0 || atomic_load(&s->failed))
        return STORE_IO;
    struct writer_job job = { .batch = seal(s),
                              .written = written,
                              .written_arg = arg,
                              .syncing = s->faults.syncing,
                              .syncing_arg = s->faults.syncing_arg };
    job.fault = strikes(&s->faults.fail_sync_after) ? EIO : 0;
    settle_note(s); /* before it is on disk: whoever reads from now on waits for it, and sees what he was told of it */
    *writing = true;
    writer_write(s, &job);
    return STORE_OK;
}

enum store_rc store_commit_end(struct store *s)
{
    (void)writer_wait(s);
    return atomic_load(&s->failed) ? STORE_IO : STORE_OK;
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
        t->open = false;
        if (t->changed || t->broken) { /* txn_have_writer does the batches before it again */
            (void)writer_wait(s);
            mdb_txn_abort(t->mt);
            t->mt = NULL;
            if (s->wal.at == 0) {
                wal_reset(&s->wal);
                settle_untouched(s);
            }
        }
        return;
    }
    if (s->view)
        t->mt = NULL;
    else
        mdb_txn_reset(t->mt);
    pool_give(s, t);
    store_reader_leave(s);
}

/* ---- single values ---- */

_Thread_local volatile uint64_t store_calls;

uint64_t store_calls_now(void)
{
    return store_calls;
}

int txn_cursor(struct store_txn *t, enum store_table tb, MDB_cursor **mc)
{
    assert(t->mt != NULL && known(tb));
    int rc = t->at[tb] != NULL ? 0 : IN_TREE(mdb_cursor_open(t->mt, t->s->dbi[tb], &t->at[tb]));
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
    MDB_val k = val_of(key, key_n), record = { 0, NULL };
    int rc;
    if (t->writer)
        t->s->counters.gets++;
    if (table_absent(t->s, tb))
        return STORE_NOT_FOUND;
    MDB_cursor *mc;
    if (t->writer) {
        rc = txn_cursor(t, tb, &mc);
        if (rc == 0)
            rc = cursor_find(mc, tb, &k, &record);
    } else {
        rc = IN_TREE(mdb_get(t->mt, t->s->dbi[tb], &k, &record));
        if (rc == MDB_NOTFOUND && (rc = IN_TREE(mdb_cursor_open(t->mt, t->s->dbi[tb], &mc))) == 0) {
            rc = cursor_find(mc, tb, &k, &record);
            mdb_cursor_close(mc);
        }
    }
    if (rc != 0)
        return txn_failed(t, tb, k.mv_data, k.mv_size, rc);
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

static void parts_copy(uint8_t *to, const struct store_val *part, size_t parts)
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
        rc = IN_TREE(mdb_cursor_get(mc, &k, &record, MDB_SET));
        if (rc == 0)
            settle_touch(t->s, record.mv_data);
        return rc != 0 ? rc : IN_TREE(mdb_cursor_del(mc, 0));
    }
    rc = IN_TREE(mdb_cursor_put(mc, &k, &record, MDB_RESERVE | (how == CHANGE_APPEND ? MDB_APPEND : 0)));
    if (rc == MDB_KEYEXIST) { /* of an append that is not the greatest; a put replaces */
        k = val_of(key.p, key.n);
        record = val_of(NULL, n + ENVELOPE_BYTES);
        rc = IN_TREE(mdb_cursor_put(mc, &k, &record, MDB_RESERVE));
    }
    if (rc != 0)
        return rc;
    settle_touch(t->s, record.mv_data);
    parts_copy((uint8_t *)record.mv_data + ENVELOPE_BYTES, part, parts);
    envelope_seal(tb, key.p, key.n, record.mv_data, n);
    return 0;
}

/* To its table, and to the log. */
static int change(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                  const struct store_val *part, size_t parts)
{
    struct store *s = t->s;
    struct store_val k = { s->key, key_n };
    memcpy(s->key, key, key_n);
    int rc = txn_write(t, tb, how, k, part, parts);
    if (rc != 0)
        return rc;
    t->changed = true;
    wal_add(&s->wal, tb, how, k, part, parts, parts_bytes(part, parts));
    return 0;
}

static enum store_rc put(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                         const struct store_val *part, size_t parts, bool payload)
{
    size_t n = parts_bytes(part, parts);
    assert(t->writer && t->open && !t->broken && known(tb));
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX && n + ENVELOPE_BYTES <= SL_VALUE_BYTES_MAX);
    t->s->counters.put_bytes += key_n + n;
    t->s->counters.table[tb].writes++;
    t->s->counters.table[tb].bytes += key_n + n;
    t->s->counters.payload_bytes += payload ? n : 0;
    if (strikes(&t->s->faults.fail_put_after))
        return write_failed(t, tb, key, key_n, EIO);
    int rc = change(t, tb, how, key, key_n, part, parts);
    if (rc != 0)
        return write_failed(t, tb, t->s->key, key_n, rc);
    t->s->counters.payload_copied_bytes += payload ? n : 0;
    return STORE_OK;
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
    assert(t->writer && t->open && !t->broken && known(tb));
    assert(key_n >= 1 && key_n <= STORE_KEY_BYTES_MAX);
    t->s->counters.dels++;
    t->s->counters.table[tb].writes++;
    t->s->counters.table[tb].bytes += key_n;
    int rc = change(t, tb, CHANGE_DELETE, key, key_n, NULL, 0);
    return rc == 0 ? STORE_OK : rc == MDB_NOTFOUND ? STORE_NOT_FOUND : write_failed(t, tb, t->s->key, key_n, rc);
}

/* Never by the log: an open looks here first. */
static enum store_rc write_format(struct store_txn *t)
{
    t->direct = t->changed = true;
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
