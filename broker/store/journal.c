/* The journal: how a small batch is written.
 *
 * A batch touches a dozen tables, and each costs a commit its leaf page, the pages above it and a place of its own on the disk:
 * some 20 pages for one task's life. So a small batch (SMALL_BYTES) does not go to its tables. What it puts and deletes becomes one value,
 * appended to the table JOURNAL: 5 pages. The same changes stay in memory, sorted by table and key (`struct young`), and every get and every walk looks there
 * first: they are young, the tables are old. When the journal is full, or the broker idle, or a batch too large, the young changes go to
 * their tables and the journal is emptied, in one transaction, that of the batch. Nothing has to be made good after a crash: LMDB's
 * commit covers journal and tables alike, and whoever opens the store reads the journal.
 *
 * A value of the journal (key: u64, from 1, without gaps) is a row of changes, whole ones, in the order they were made:
 *
 *   table u8, how u8 (put, append, delete), key bytes u16, value bytes u16 (little-endian), key, value
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
#define CHANGES_MAX 4096 /* that differ in table or key */

/* ---- one change ---- */

struct store_val change_key(const uint8_t *c)
{
    return (struct store_val){ c + CHANGE_HEAD_BYTES, (size_t)(c[2] | c[3] << 8) };
}

struct store_val change_value(const uint8_t *c)
{
    struct store_val k = change_key(c);
    return (struct store_val){ (const uint8_t *)k.p + k.n, (size_t)(c[4] | c[5] << 8) };
}

static size_t change_bytes(const uint8_t *c)
{
    return CHANGE_HEAD_BYTES + change_key(c).n + change_value(c).n;
}

static size_t change_write(uint8_t *c, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                           const struct store_val *part, size_t parts, size_t n)
{
    c[0] = (uint8_t)tb;
    c[1] = (uint8_t)how;
    c[2] = (uint8_t)key_n;
    c[3] = (uint8_t)(key_n >> 8);
    c[4] = (uint8_t)n;
    c[5] = (uint8_t)(n >> 8);
    memcpy(c + CHANGE_HEAD_BYTES, key, key_n);
    parts_copy(c + CHANGE_HEAD_BYTES + key_n, part, parts);
    return CHANGE_HEAD_BYTES + key_n + n;
}

/* Is what stands at p a whole change, and one that a batch may have made? */
static bool change_is_whole(const uint8_t *p, size_t n)
{
    return n >= CHANGE_HEAD_BYTES && change_bytes(p) <= n && p[0] < STORE_TABLE_COUNT && p[0] != TABLE_JOURNAL &&
           p[1] <= CHANGE_DELETE && change_key(p).n >= 1 && change_key(p).n <= STORE_KEY_BYTES_MAX;
}

/* As LMDB orders keys, and tables by number. */
static int compare(const uint8_t *c, enum store_table tb, const void *key, size_t key_n)
{
    if (c[0] != tb)
        return c[0] < tb ? -1 : 1;
    struct store_val k = change_key(c);
    int d = memcmp(k.p, key, k.n < key_n ? k.n : key_n);
    return d != 0 ? d : k.n < key_n ? -1 : k.n > key_n;
}

/* ---- the changes in order ---- */

/* The place of the first change that is not before this key. */
static uint32_t lower_bound(const struct young *y, enum store_table tb, const void *key, size_t key_n)
{
    uint32_t lo = 0, hi = y->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (compare(y->change[mid], tb, key, key_n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const uint8_t *young_find(const struct young *y, enum store_table tb, const void *key, size_t key_n)
{
    if (y->in[tb] == 0)
        return NULL;
    uint32_t i = lower_bound(y, tb, key, key_n);
    return i < y->n && compare(y->change[i], tb, key, key_n) == 0 ? y->change[i] : NULL;
}

const uint8_t *young_near(const struct young *y, enum store_table tb, const void *key, size_t key_n, enum near near)
{
    uint32_t i;
    if (key_n == 0 && (near == NEAR_LE || near == NEAR_LT))
        i = lower_bound(y, tb + 1, key, 0); /* behind the table's last one */
    else
        i = lower_bound(y, tb, key, key_n);
    bool exact = i < y->n && key_n > 0 && compare(y->change[i], tb, key, key_n) == 0;
    if (near == NEAR_GT && exact)
        i++;
    if (near == NEAR_LT || (near == NEAR_LE && !exact))
        i = i > 0 ? i - 1 : y->n;
    return i < y->n && y->change[i][0] == tb ? y->change[i] : NULL;
}

static bool sort_in(struct young *y, const uint8_t *c)
{
    struct store_val k = change_key(c);
    uint32_t i = lower_bound(y, c[0], k.p, k.n);
    if (i < y->n && compare(y->change[i], c[0], k.p, k.n) == 0) {
        y->change[i] = c;
        return true;
    }
    if (y->n == CHANGES_MAX)
        return false;
    memmove(y->change + i + 1, y->change + i, (y->n - i) * sizeof *y->change);
    y->change[i] = c;
    y->n++;
    y->in[c[0]]++;
    return true;
}

static bool make_room(struct young *y)
{
    if (y->change == NULL)
        y->change = malloc(CHANGES_MAX * sizeof *y->change);
    return y->change != NULL;
}

/* ---- reading the journal ---- */

/* What is to be done with each change of a value. NULL, or what is wrong. */
typedef const char *each_change(struct young *y, const uint8_t *change, uint8_t tb);

static const char *sort_all(struct young *y, const uint8_t *change, uint8_t tb)
{
    (void)tb;
    return sort_in(y, change) ? NULL : "more changes than a journal holds";
}

static const char *sort_table(struct young *y, const uint8_t *change, uint8_t tb)
{
    return change[0] != tb || sort_in(y, change) ? NULL : "more changes than a journal holds";
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
    int rc = make_room(&t->young) ? mdb_cursor_open(t->mt, t->s->dbi[TABLE_JOURNAL], &mc) : ENOMEM;
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
    return j->bytes != NULL && make_room(&s->write.young);
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
        j->n = j->last = 0;
        enum store_rc rc = young_load(t, j);
        if (rc != STORE_OK)
            return rc;
        j->stale = false;
    }
    j->batch_at = j->n;
    j->settled = false;
    /* If none is wanted, but there is one: it is settled with this batch. */
    t->direct = t->young.n == 0 && (j->bytes_max == 0 || j->large || t->s->format < FORMAT_WITH_JOURNAL);
    return STORE_OK;
}

void young_abort(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    if (j->settled || j->n != j->batch_at)
        j->stale = true; /* memory holds what was not committed: read again before the next use */
}

bool young_write(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                 const struct store_val *part, size_t parts, size_t n)
{
    struct journal *j = &t->s->journal;
    size_t need = CHANGE_HEAD_BYTES + key_n + n;
    assert(!t->direct && tb != TABLE_JOURNAL);
    if (need > CHANGE_BYTES_MAX || j->n - j->batch_at + need > SMALL_BYTES || need > j->cap - j->n ||
        t->young.n == CHANGES_MAX || j->bytes_max == 0)
        return false;
    uint8_t *c = j->bytes + j->n;
    j->n += change_write(c, tb, how, key, key_n, part, parts, n);
    bool added = sort_in(&t->young, c);
    assert(added);
    return true;
}

int young_settle(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    struct young *y = &t->young;
    int rc = 0;
    assert(!t->direct);
    t->direct = true;
    for (uint32_t i = 0; i < y->n && rc == 0; i++) {
        const uint8_t *c = y->change[i];
        struct store_val v = change_value(c);
        rc = txn_write(t, c[0], change_how(c), change_key(c), &v, 1);
        if (rc == MDB_NOTFOUND && change_how(c) == CHANGE_DELETE)
            rc = 0; /* made and gone again in between */
    }
    if (rc == 0 && j->last > 0)
        rc = mdb_drop(t->mt, t->s->dbi[TABLE_JOURNAL], 0);
    t->s->counters.settled += y->n;
    young_forget(y);
    j->n = j->batch_at = 0;
    j->last = 0;
    j->settled = true;
    return rc;
}

/* The batch's changes from `at` on that fit one value. */
static size_t value_from(const struct journal *j, size_t at)
{
    size_t n = 0;
    while (at + n < j->n && n + change_bytes(j->bytes + at + n) <= CHANGE_BYTES_MAX)
        n += change_bytes(j->bytes + at + n);
    return n;
}

int young_commit(struct store_txn *t)
{
    struct journal *j = &t->s->journal;
    if (t->direct)
        return 0;
    if (j->n > j->bytes_max)
        return young_settle(t);
    int rc = 0;
    for (size_t at = j->batch_at, n; at < j->n && rc == 0; at += n) {
        uint8_t key[JOURNAL_KEY_BYTES];
        n = value_from(j, at);
        key_u64(key, j->last + 1);
        MDB_val k = { sizeof key, key }, record = { n + ENVELOPE_BYTES, NULL };
        rc = mdb_put(t->mt, t->s->dbi[TABLE_JOURNAL], &k, &record, MDB_APPEND | MDB_RESERVE);
        if (rc != 0)
            break;
        memcpy((uint8_t *)record.mv_data + ENVELOPE_BYTES, j->bytes + at, n);
        envelope_seal(TABLE_JOURNAL, key, sizeof key, record.mv_data, n);
        j->last++;
        t->s->counters.journaled++;
    }
    return rc;
}

void young_committed(struct store_txn *t, uint64_t batch_bytes)
{
    struct journal *j = &t->s->journal;
    j->batch_at = j->n;
    j->large = batch_bytes > SMALL_BYTES / 2; /* and so may be the next one */
}

enum store_rc store_settle(struct store *s, bool all)
{
    struct journal *j = &s->journal;
    struct store_txn *t;
    assert(!s->write.open);
    if (s->read_only || s->full || atomic_load(&s->failed) || /* full: it needs pages, and it can wait */
        (s->write.young.n == 0 && !j->stale) || (!all && j->n < j->bytes_max / 2))
        return STORE_OK;
    enum store_rc rc = store_begin(s, &t);
    if (rc != STORE_OK)
        return rc;
    int failed = t->direct ? 0 : young_settle(t);
    if (failed != 0) {
        snprintf(t->text, sizeof t->text, "settling the journal: %s", mdb_strerror(failed));
        t->broken = true; /* the commit fails, for good */
    }
    return store_commit(&t);
}
