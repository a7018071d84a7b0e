/* Settling: LMDB commits what the log holds (wal.c), and the log is used from its beginning again.
 *
 * When: a reader's snapshot is one of LMDB's commits, so whoever wants to read what was acknowledged a moment ago waits for one; before the log is full; before
 * the pages that were changed become too many; and when the broker is idle. Under load that is one of LMDB's commits for dozens of batches: a page that each of them
 * changes is copied and written once. */
#include "broker/store/internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define GROWTH_SHARE 4  /* of the headroom (space.c): what is not settled may take so much of it */
#define PAGES_MAX 16384 /* which LMDB keeps in memory; and writing them takes its time */
#define PAGES_A_PAGE 3  /* what a changed page costs at most, with those above it; and they are counted roughly */
#define IDLE_SHARE 4    /* of the log: so much is settled at the first quiet moment */
#define READERS_WAIT_US                                                                                                \
    10000 /* while work goes on: a publisher that follows each batch would make it a commit of LMDB's again */

static int do_again(void *arg, enum store_table tb, enum change_how how, struct store_val key, struct store_val value)
{
    struct store *s = arg;
    int rc = txn_write(&s->write, tb, how, key, &value, 1);
    s->write.changed = true;
    s->wal.changes++;
    return rc == MDB_NOTFOUND ? WAL_IS_DAMAGED : rc;
}

int settle_replay(struct store *s)
{
    struct store_txn *t = &s->write;
    char why[STORE_TEXT_BYTES_MAX];
    int rc = wal_replay(&s->wal, mdb_txn_id(t->mt), do_again, s, why, sizeof why);
    if (rc == WAL_IS_DAMAGED)
        snprintf(t->text, sizeof t->text, "%s", why);
    return rc == WAL_IS_DAMAGED ? MDB_CORRUPTED : rc;
}

/* LMDB tells nobody how many pages a transaction has changed. Two may share a bit (of 16,384 some 6% do), and an address
 * of the store's page size may hold parts of two. PAGES_A_PAGE leaves room for both. */
void settle_touch(struct store *s, const void *record)
{
    uint64_t page = (uintptr_t)record / s->page_bytes * 0x9E3779B97F4A7C15ull >> 32;
    uint64_t *word = &s->touched[page % SETTLE_PAGE_BITS / 64], bit = 1ull << (page % 64);
    s->pages += !(*word & bit);
    *word |= bit;
}

void settle_untouched(struct store *s)
{
    s->pages = 0;
    memset(s->touched, 0, sizeof s->touched);
}

void settle_tell(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void settle_note(struct store *s)
{
    unsigned long long n = atomic_fetch_add(&s->batches, 1) + 1;
    if (s->write.mt != NULL)
        return;
    atomic_store(&s->settled, n); /* it was a commit of LMDB's */
    settle_tell(s);
}

int settle_commit(struct store *s)
{
    struct store_txn *t = &s->write;
    assert(t->mt != NULL && !t->open);
    int failed = writer_wait(s);
    if (failed != 0)
        return failed;
    int64_t begun = store_now_us();
    MDB_txn *mt = t->mt;
    t->mt = NULL;
    atomic_fetch_add(&s->commits_begun, 1);
    int rc = mdb_txn_commit(mt);
    atomic_fetch_add(&s->commits_ended, 1);
    if (rc != 0) {
        txn_commit_failed(s, rc);
        return rc;
    }
    wal_reset(&s->wal);
    settle_untouched(s);
    atomic_store(&s->settled, atomic_load(&s->batches));
    settle_tell(s);
    s->settled_at_us = store_now_us();
    uint64_t took = (uint64_t)(s->settled_at_us - begun);
    s->counters.settles++;
    s->counters.settle_us_total += took;
    if (took > s->counters.settle_us_max)
        s->counters.settle_us_max = took;
    space_committed(s);
    return 0;
}

/* ---- when ---- */

static bool pending(const struct store *s)
{
    return atomic_load(&s->batches) != atomic_load(&s->settled);
}

uint64_t settle_growth_bytes(const struct store *s)
{
    return (uint64_t)s->pages * PAGES_A_PAGE * s->page_bytes;
}

bool settle_needed(const struct store *s)
{
    const struct wal *w = &s->wal;
    return w->at > w->bytes - w->bytes / 8 || s->pages > PAGES_MAX ||
           settle_growth_bytes(s) > space_headroom(s) / GROWTH_SHARE;
}

static bool reader_waits(const struct store *s)
{
    return atomic_load(&s->wanted) > atomic_load(&s->settled);
}

bool settle_reader_due(const struct store *s)
{
    return reader_waits(s) && store_now_us() - s->settled_at_us >= READERS_WAIT_US && space_for_settling(s);
}

bool store_settle_due(const struct store *s)
{
    return pending(s) && (settle_needed(s) || settle_reader_due(s));
}

static enum store_rc settle_now(struct store *s)
{
    int rc = txn_have_writer(s);
    if (rc == 0)
        rc = settle_commit(s);
    return rc == 0 ? STORE_OK : atomic_load(&s->failed) ? STORE_IO : store_rc_of(rc);
}

/* LMDB's transaction goes; what was in it is in the log, or was nothing. The map can move, and another thread write. */
static void let_go(struct store *s)
{
    if (s->write.mt != NULL)
        mdb_txn_abort(s->write.mt);
    s->write.mt = NULL;
}

enum store_rc store_settle(struct store *s, enum settle how)
{
    const struct wal *w = &s->wal;
    assert(!s->write.open);
    if (s->read_only || atomic_load(&s->failed))
        return STORE_OK;
    if (how == SETTLE_ALL && writer_wait(s) != 0)
        return STORE_IO;
    if (!pending(s)) {
        if (how == SETTLE_ALL)
            let_go(s);
        return STORE_OK;
    }
    bool idle = how == SETTLE_IDLE && (reader_waits(s) || w->at >= w->bytes / IDLE_SHARE);
    bool due = how == SETTLE_ALL || idle || settle_needed(s) || settle_reader_due(s);
    if (!due)
        return STORE_OK;
    if (!space_for_settling(s) && !settle_needed(s)) { /* results still fit the log; to try would end the process */
        if (how == SETTLE_ALL)
            let_go(s);
        return STORE_OK;
    }
    return settle_now(s);
}

void store_stop(struct store *s)
{
    assert(!s->write.open);
    if (s->read_only || !pending(s))
        return;
    (void)writer_wait(s);
    let_go(s);
    atomic_store(&s->failed, true);
    settle_tell(s);
}

static enum store_rc wait_for_writer(struct store *s, unsigned long long upto)
{
    pthread_mutex_lock(&s->lock);
    if (atomic_load(&s->wanted) < upto) /* of readers who wait, the newest batch that one of them wants */
        atomic_store(&s->wanted, upto);
    pthread_mutex_unlock(&s->lock);
    if (s->settle_wanted != NULL)
        s->settle_wanted(s->settle_arg);
    pthread_mutex_lock(&s->lock);
    while (atomic_load(&s->settled) < upto && !atomic_load(&s->failed))
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return atomic_load(&s->failed) ? STORE_IO : STORE_OK;
}

enum store_rc settle_wait(struct store *s)
{
    unsigned long long upto = atomic_load(&s->batches);
    if (atomic_load(&s->settled) >= upto)
        return STORE_OK;
    pthread_mutex_lock(&s->lock);
    bool mine = pthread_equal(s->writer, pthread_self());
    pthread_mutex_unlock(&s->lock);
    return mine ? settle_now(s) : wait_for_writer(s, upto);
}
