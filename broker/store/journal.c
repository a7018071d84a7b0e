/* The journal: how a small batch is written.
 *
 * A batch touches a dozen tables, and each costs a commit its leaf page, the pages above it and a place of its own on the disk:
 * some 20 pages for one task's life. So a small batch (SMALL_BYTES) does not go to its tables. What it puts and deletes becomes one value,
 * appended to the table JOURNAL: 5 pages. The same changes stay in memory, sorted by table and key (`struct young`), and every get and every walk looks there
 * first: they are young, the tables are old. When the journal is full, or the broker idle, or a batch too large, the young changes go to
 * their tables and the journal is emptied, in one transaction, that of the batch. Of a large batch the little that changes in some tables each time
 * (STORE_TABLES_OF_LITTLE: counters, heads of queues) lies in the journal all the same: one page instead of eight. Nothing has to be made good after a crash: LMDB's
 * commit covers journal and tables alike, and whoever opens the store reads the journal.
 *
 * A value of the journal (key: u64, from 1, without gaps) is a row of changes (young.c), whole ones, in the order they were made. A change with a payload is a
 * value alone, written when it is put, before the batch's others: so what came in a frame is copied once, to where it lies on the disk. Whoever puts
 * twice under one key in one batch gets no value alone for it, since the later word must lie behind the earlier one.
 *
 * A read transaction sees the journal of its snapshot: it looks through it when it begins, and sorts pointers to a table's changes in the mapped
 * pages when it first looks into that table. If the journal is
 * damaged, nothing can be read from that snapshot, since any record may be one of the changed: STORE_CORRUPT, and the text names it. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_BYTES_MAX (SL_VALUE_BYTES_MAX - ENVELOPE_BYTES) /* one change must fit one value */
#define FORMAT_WITH_JOURNAL 2

/* ---- reading the journal ---- */

/* What is to be done with each change of a value. NULL, or what is wrong. */
typedef const char *each_change(struct young *y, const uint8_t *change, uint8_t tb);

static const char *sort_all(struct young *y, const uint8_t *change, uint8_t tb)
{
    (void)tb;
    return young_add(y, change) ? NULL : "more changes than a journal holds";
}

static const char *sort_table(struct young *y, const uint8_t *change, uint8_t tb)
{
    return change[0] != tb || young_add(y, change) ? NULL : "more changes than a journal holds";
}

static const char *count_only(struct young *y, const uint8_t *change, uint8_t tb)
{
    (void)tb;
    y->in[change[0]]++;
    return NULL;
}

static const char *walk_value(struct young *y, struct journal *copy, struct store_val v, each_change *each, uint8_t tb)
{
    const uint8_t *p = v.p;
    const char *wrong = NULL;
    if (copy != NULL) {
        if (v.n > copy->cap - copy->n)
            return "more than a journal holds";
        p = memcpy(copy->bytes + copy->n, v.p, v.n);
        copy->n += v.n;
        copy->stored = copy->n;
    }
    for (size_t at = 0; at < v.n && wrong == NULL; at += change_bytes(p + at)) {
        if (!change_is_whole(p + at, v.n - at))
            return "not a row of changes";
        wrong = each(y, p + at, tb);
    }
    return wrong;
}

/* All changes of the journal, in order. With `copy` (the writer, whose pages move) the bytes are copied there first. */
static enum store_rc walk(struct store_txn *t, struct journal *copy, each_change *each, uint8_t tb)
{
    MDB_cursor *mc;
    MDB_val k, record;
    const char *wrong = NULL;
    uint64_t seq = 0;
    int rc = young_make_room(&t->young) ? mdb_cursor_open(t->mt, t->s->dbi[TABLE_JOURNAL], &mc) : ENOMEM;
    if (rc != 0) {
        snprintf(t->text, sizeof t->text, "JOURNAL: %s", mdb_strerror(rc));
        return store_rc_of(rc);
    }
    while (wrong == NULL && (rc = mdb_cursor_get(mc, &k, &record, MDB_NEXT)) == 0) {
        struct store_val v;
        wrong = envelope_open(TABLE_JOURNAL, &k, &record, &v);
        if (wrong == NULL && (k.mv_size != JOURNAL_KEY_BYTES || key_get_u64(k.mv_data) != seq + 1))
            wrong = "one is missing before it";
        if (wrong == NULL)
            wrong = walk_value(&t->young, copy, v, each, tb);
        seq++;
    }
    mdb_cursor_close(mc);
    if (wrong == NULL && rc == MDB_NOTFOUND) {
        if (copy != NULL)
            copy->last = seq;
        return STORE_OK;
    }
    young_forget(&t->young);
    snprintf(t->text, sizeof t->text, "JOURNAL %016llx: %s", (unsigned long long)seq,
             wrong != NULL ? wrong : mdb_strerror(rc));
    return wrong != NULL ? STORE_CORRUPT : store_rc_of(rc);
}

/* What the journal holds in this transaction becomes t->young: the writer's (with `copy`) at once, a reader's table by table, when it asks. */
enum store_rc young_load(struct store_txn *t, struct journal *copy)
{
    MDB_stat st;
    young_forget(&t->young);
    if (table_absent(t->s, TABLE_JOURNAL))
        return STORE_OK;
    int rc = mdb_stat(t->mt, t->s->dbi[TABLE_JOURNAL], &st);
    if (rc != 0) {
        snprintf(t->text, sizeof t->text, "JOURNAL: %s", mdb_strerror(rc));
        return store_rc_of(rc);
    }
    if (st.ms_entries == 0)
        return STORE_OK;
    return walk(t, copy, copy != NULL ? sort_all : count_only, 0);
}

enum store_rc young_sort(struct store_txn *t, enum store_table tb)
{
    t->young.in[tb] = 0; /* how many there are; from here on, how many that differ */
    t->young.sorted |= 1u << tb;
    t->young_rc = walk(t, NULL, sort_table, (uint8_t)tb); /* stays: without it nothing may be read */
    return t->young_rc;
}

/* ---- writing it ---- */

bool young_open(struct store *s, uint64_t bytes)
{
    struct journal *j = &s->journal;
    j->bytes_max = bytes == 0 ? JOURNAL_BYTES_DEFAULT : bytes == 1 ? 0 : (size_t)bytes;
    j->cap = (j->bytes_max > JOURNAL_BYTES_DEFAULT ? j->bytes_max : JOURNAL_BYTES_DEFAULT) +
             SMALL_BYTES; /* whatever another program left */
    j->bytes = malloc(j->cap);
    return j->bytes != NULL && young_make_room(&s->write.young);
}

void young_close(struct store *s)
{
    free(s->journal.bytes);
    free(s->write.young.change);
    for (int i = 0; i < STORE_READERS_MAX; i++)
        free(s->read[i].young.change);
}

enum store_rc young_begin(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    if (j->stale) {
        j->n = j->stored = 0;
        j->last = 0;
        j->bulk = false;
        enum store_rc rc = young_load(t, j);
        if (rc != STORE_OK)
            return rc;
        for (enum store_table tb = 0; tb < STORE_TABLE_COUNT; tb++)
            j->bulk = j->bulk || (t->young.in[tb] > 0 && !(STORE_TABLES_OF_LITTLE >> tb & 1));
        j->stale = false;
    }
    j->batch_at = j->n;
    j->batch_stored = j->stored;
    j->settled = false;
    /* If none is wanted, but there is one: it is settled with this batch. */
    bool none = j->bytes_max == 0 || t->s->format < FORMAT_WITH_JOURNAL;
    t->direct = none ? t->young.n == 0 : j->large && !j->bulk;
    t->mixed = t->direct && !none;
    return STORE_OK;
}

void young_abort(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    if (j->settled || j->n != j->batch_at)
        j->stale = true; /* memory holds what was not committed: read again before the next use */
}

/* Room for a value of the journal with n bytes, to be filled and sealed. LMDB's code. */
static int value_new(struct store_txn *t, size_t n, uint8_t key[JOURNAL_KEY_BYTES], uint8_t **record)
{
    MDB_cursor *mc;
    int rc = txn_cursor(t, TABLE_JOURNAL, &mc);
    key_u64(key, t->s->journal.last + 1);
    MDB_val k = val_of(key, JOURNAL_KEY_BYTES), v = val_of(NULL, n + ENVELOPE_BYTES);
    if (rc == 0)
        rc = mdb_cursor_put(mc, &k, &v, MDB_APPEND | MDB_RESERVE);
    if (rc == 0) {
        *record = v.mv_data;
        t->s->journal.last++;
        t->s->counters.journaled++;
    }
    return rc;
}

/* What stands for it in memory must not be larger than itself; and another word on the same key, of this very batch, lies behind it until the commit. */
static bool goes_apart(const struct store_txn *t, enum store_table tb, const void *key, size_t key_n, size_t n)
{
    const struct journal *j = &t->s->journal;
    const uint8_t *c = young_find(&t->young, tb, key, key_n);
    return n >= JOURNAL_KEY_BYTES && (c == NULL || change_apart(c) || c < j->bytes + j->batch_at);
}

static int write_apart(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                       const struct store_val *part, size_t parts, size_t n)
{
    uint8_t no[JOURNAL_KEY_BYTES], *record;
    int rc = value_new(t, CHANGE_HEAD_BYTES + key_n + n, no, &record);
    if (rc != 0)
        return rc;
    size_t bytes = change_write(record + ENVELOPE_BYTES, tb, how, key, key_n, part, parts, n);
    envelope_seal(TABLE_JOURNAL, no, sizeof no, record, bytes);
    struct journal *j = &t->s->journal;
    struct store_val stands_for = { no, sizeof no };
    j->n += change_write(j->bytes + j->n, tb, how | CHANGE_APART, key, key_n, &stands_for, 1, sizeof no);
    return 0;
}

int young_write(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                const struct store_val *part, size_t parts, size_t n, bool payload)
{
    struct journal *j = &t->s->journal;
    size_t need = CHANGE_HEAD_BYTES + key_n + n;
    assert(!young_bypassed(t, tb) && tb != TABLE_JOURNAL);
    if (need > CHANGE_BYTES_MAX || j->stored - j->batch_stored + need > SMALL_BYTES || need > j->cap - j->stored ||
        t->young.n == CHANGES_MAX || j->bytes_max == 0)
        return NOT_FOR_JOURNAL;
    uint8_t *c = j->bytes + j->n;
    if (payload && goes_apart(t, tb, key, key_n, n)) {
        int rc = write_apart(t, tb, how, key, key_n, part, parts, n);
        if (rc != 0)
            return rc;
        t->s->counters.payload_copied_bytes += n;
    } else {
        j->n += change_write(c, tb, how, key, key_n, part, parts, n);
        t->s->counters.payload_copied_bytes += payload ? 2 * n : 0; /* the commit copies it again */
    }
    j->stored += need;
    j->bulk = j->bulk || !(STORE_TABLES_OF_LITTLE >> tb & 1);
    bool added = young_add(&t->young, c);
    assert(added);
    return 0;
}

int young_value(struct store_txn *t, const uint8_t *change, struct store_val *v)
{
    *v = change_value(change);
    if (!change_apart(change))
        return 0;
    MDB_cursor *mc;
    MDB_val k = val_of(v->p, v->n), record;
    int rc = txn_cursor(t, TABLE_JOURNAL, &mc);
    if (rc == 0)
        rc = mdb_cursor_get(mc, &k, &record, MDB_SET);
    if (rc != 0)
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    k = val_of(v->p, v->n);
    if (envelope_open(TABLE_JOURNAL, &k, &record, v) != NULL || !change_is_whole(v->p, v->n) ||
        change_bytes(v->p) != v->n)
        return MDB_CORRUPTED;
    *v = change_value(v->p);
    return 0;
}

int young_settle(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    struct young *y = &t->young;
    int rc = 0;
    assert(!t->direct || t->mixed);
    t->direct = true;
    t->mixed = false;
    for (uint32_t i = 0; i < y->n && rc == 0; i++) {
        const uint8_t *c = y->change[i];
        struct store_val v;
        rc = young_value(t, c, &v);
        if (rc == 0 && change_apart(c)) { /* it must not lie in the map while it is written there */
            assert(v.n <= sizeof j->apart);
            v.p = memcpy(j->apart, v.p, v.n);
        }
        if (rc == 0)
            rc = txn_write(t, c[0], change_how(c), change_key(c), &v, 1);
        if (rc == MDB_NOTFOUND && change_how(c) == CHANGE_DELETE)
            rc = 0; /* made and gone again in between */
    }
    if (rc == 0 && j->last > 0)
        rc = mdb_drop(t->mt, t->s->dbi[TABLE_JOURNAL], 0);
    t->s->counters.settled += y->n;
    young_forget(y);
    j->n = j->batch_at = 0;
    j->stored = j->batch_stored = 0;
    j->last = 0;
    j->bulk = false;
    j->settled = true;
    return rc;
}

/* The end of the batch's changes from `at` on that fit one value, and how many bytes those are that do not lie apart. */
static size_t value_to(const struct journal *j, size_t at, size_t *bytes)
{
    for (*bytes = 0; at < j->n; at += change_bytes(j->bytes + at)) {
        const uint8_t *c = j->bytes + at;
        if (change_apart(c))
            continue;
        if (*bytes + change_bytes(c) > CHANGE_BYTES_MAX)
            break;
        *bytes += change_bytes(c);
    }
    return at;
}

static void copy_changes(const struct journal *j, size_t at, size_t to, uint8_t *out)
{
    for (size_t n; at < to; at += n) {
        n = change_bytes(j->bytes + at);
        if (!change_apart(j->bytes + at)) {
            memcpy(out, j->bytes + at, n);
            out += n;
        }
    }
}

int young_commit(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    if (t->direct && !t->mixed)
        return 0;
    if (j->stored > (t->mixed ? j->bytes_max / JOURNAL_SHARE_MIXED : j->bytes_max))
        return young_settle(t);
    int rc = 0;
    for (size_t at = j->batch_at, to, n; at < j->n && rc == 0; at = to) {
        uint8_t key[JOURNAL_KEY_BYTES], *record;
        to = value_to(j, at, &n);
        if (n == 0)
            break; /* all the rest lies apart */
        rc = value_new(t, n, key, &record);
        if (rc != 0)
            break;
        copy_changes(j, at, to, record + ENVELOPE_BYTES);
        envelope_seal(TABLE_JOURNAL, key, sizeof key, record, n);
    }
    return rc;
}

void young_committed(struct store_txn *t, uint64_t batch_bytes)
{
    struct journal *j = &t->s->journal;
    j->batch_at = j->n;
    j->batch_stored = j->stored;
    j->large = batch_bytes > SMALL_BYTES / 2; /* and so may be the next one */
}

enum store_rc store_settle(struct store *s, bool all)
{
    struct journal *j = &s->journal;
    struct store_txn *t;
    assert(!s->write.open);
    if (s->read_only || s->full || atomic_load(&s->failed) || /* full: it needs pages, and it can wait */
        (s->write.young.n == 0 && !j->stale) || (!all && j->stored < j->bytes_max / 2))
        return STORE_OK;
    enum store_rc rc = store_begin(s, &t);
    if (rc != STORE_OK)
        return rc;
    int failed = t->direct && !t->mixed ? 0 : young_settle(t);
    if (failed != 0) {
        snprintf(t->text, sizeof t->text, "settling the journal: %s", mdb_strerror(failed));
        t->broken = true; /* the commit fails, for good */
    }
    return store_commit(&t);
}
