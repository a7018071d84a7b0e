/* The thread that writes the log: so that the next batch can be put to its tables while the last one goes to the disk.
 *
 * It has one batch at a time, sealed and not changed any more, and touches nothing else of the store: neither LMDB nor what the writer counts. Whoever needs the log
 * to be quiet (LMDB's commit, an abort that reads the log again, a batch that is written at once) waits for it first. So a batch is
 * only written when the one before it is synced, as wal.c wants it. It is made for the first batch that is handed to it.
 *
 * In a simulation (no_sync) there is no thread: whoever waits for the batch writes it. So nothing depends on which thread is first, and what happens while a batch is
 * under way can be told in one order. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>

static void *write_batches(void *arg)
{
    struct log_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->state != WRITER_WRITES && !w->stop)
            pthread_cond_wait(&w->changed, &w->lock);
        if (w->state != WRITER_WRITES)
            break;
        struct writer_job job = w->job;
        pthread_mutex_unlock(&w->lock);
        int64_t begun_us = store_now_us();
        int rc = wal_write(&job.batch, true, job.syncing, job.syncing_arg);
        rc = rc == 0 ? job.fault : rc;
        int64_t took_us = store_now_us() - begun_us;
        job.written(job.written_arg, rc == 0);
        pthread_mutex_lock(&w->lock);
        w->rc = rc;
        w->took_us = took_us;
        w->state = WRITER_WROTE;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* So much of it as cut_write lets through. */
static int write_cut(const struct store_faults *f, struct writer_job job)
{
    uint64_t sectors = job.batch.n / SECTOR_BYTES;
    if (f->cut_write > 0 && f->cut_write <= sectors)
        job.batch.n = (f->cut_write - 1) * SECTOR_BYTES;
    else if (f->cut_write > sectors && f->cut_write < UINT64_MAX)
        job.batch.n = (sectors - 1) * SECTOR_BYTES;
    int rc = wal_write(&job.batch, false, job.syncing, job.syncing_arg);
    return rc != 0 ? rc : f->cut_write > 0 ? EIO : job.fault;
}

static void write_here(struct store *s)
{
    struct log_writer *w = &s->log_writer;
    if (w->state != WRITER_WRITES)
        return;
    w->rc = write_cut(&s->faults, w->job);
    w->state = WRITER_WROTE;
    w->job.written(w->job.written_arg, w->rc == 0);
}

bool writer_start(struct store *s)
{
    struct log_writer *w = &s->log_writer;
    if (w->started || s->no_sync)
        return true;
    if (pthread_create(&w->thread, NULL, write_batches, w) != 0)
        return false;
    pthread_setname_np(w->thread, "log");
    w->started = true;
    return true;
}

void writer_write(struct store *s, const struct writer_job *job)
{
    struct log_writer *w = &s->log_writer;
    pthread_mutex_lock(&w->lock);
    assert((w->started || s->no_sync) && w->state == WRITER_IDLE);
    w->job = *job;
    w->state = WRITER_WRITES;
    pthread_mutex_unlock(&w->lock);
    pthread_cond_broadcast(&w->changed);
}

int writer_wait(struct store *s)
{
    struct log_writer *w = &s->log_writer;
    if (s->no_sync)
        write_here(s);
    pthread_mutex_lock(&w->lock);
    while (w->state == WRITER_WRITES)
        pthread_cond_wait(&w->changed, &w->lock);
    bool wrote = w->state == WRITER_WROTE;
    w->state = WRITER_IDLE;
    int rc = wrote ? w->rc : 0;
    pthread_mutex_unlock(&w->lock);
    if (wrote && rc == 0)
        txn_count_commit(s, (uint64_t)w->took_us);
    if (rc != 0)
        txn_commit_failed(s, rc);
    return rc;
}

void writer_stop(struct store *s)
{
    struct log_writer *w = &s->log_writer;
    if (s->no_sync)
        write_here(s);
    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
    pthread_cond_broadcast(&w->changed);
    pthread_join(w->thread, NULL); /* what it has is written first */
    w->started = false;
}
