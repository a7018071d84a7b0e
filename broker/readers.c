/* The reader's thread and the backup's: see readers.h. */
#include "broker/readers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "broker/endless.h"
#include "broker/log.h"
#include "broker/answer.h"

#define READER_NICE 10 /* where processors are scarce, a replay or an export waits for the life of tasks */
#define PARCELS 16     /* answers on their way out; each may be a whole frame */
#define PAUSE_TIMES 3 /* of what an answer took, if it had to wait for a processor while work went on; see give_way() */
#define PAUSE_MAX_US 20000

struct readers {
    struct store *store;
    const struct clock *clock;
    struct outbox *out;
    struct reader *reader;
    struct inbox *inbox;
    struct parcel_pool *parcels, *backup_parcels;
    pthread_t thread, backup_thread;
    atomic_bool stop;
    atomic_uint_fast32_t waiting;
    atomic_uint_fast64_t commits; /* batches of work that were answered */
    bool backup_started;          /* there is a thread to join */
    atomic_bool backup_ended;     /* and it has nothing more to do */
};

/* ---- reads ---- */

/* A record that could not be vouched for was not served; the operator must hear of it, too. */
static void note_damage(const struct item *i, const struct slp_buf *b)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (b->n > 4 * SL_TEXT_BYTES_MAX || slp_decode(b->p, b->n, SLP_B2C, &m, &fault) < 0 || m.type != SLP_ERROR ||
        m.u.error.code != SLP_E_CORRUPT) {
        return;
    }
    struct log_line l;
    log_begin(&l, LOG_LEVEL_ERROR, "damaged");
    log_str(&l, "request", slp_info(i->msg.type)->name);
    log_u64(&l, "id", i->msg.id);
    log_strn(&l, "text", m.u.error.text.p, m.u.error.text.n);
    log_end(&l);
}

static void answer(struct readers *r, struct item *i, struct slp_buf *b)
{
    struct parcel *p = parcel_get(r->parcels);
    slp_buf_clear(b);
    if (reader_answer(r->reader, &i->msg, clock_elapsed_us(r->clock), b) < 0 || b->failed) {
        log_text(LOG_LEVEL_ERROR, "read_failed", "no memory, or the store cannot be read");
        if (answer_error(b, i->msg.id, SLP_E_BUSY, NULL, NULL, 1000) < 0) {
            slp_buf_clear(b);
        }
    }
    note_damage(i, b);
    if (b->n > 0 && parcel_add(p, i->peer, b->p, b->n) < 0) {
        log_text(LOG_LEVEL_ERROR, "read_unanswered", "out of memory");
    }
    items_add(&p->items, i);
    outbox_put(r->out, p);
}

struct moment {
    int64_t wall_us, cpu_us;
    uint64_t commits;
};

static struct moment now(struct readers *r)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (struct moment){ clock_boot_us(), t.tv_sec * 1000000ll + t.tv_nsec / 1000, atomic_load(&r->commits) };
}

/* A replay or an export asks page after page, and would use all that a processor, the sockets' thread and ZeroMQ's can do. Where processors are
 * scarce (this thread had to wait for one) and work goes on beside, it gets a part of that only; where one is idle, it costs nobody anything. */
static void give_way(struct readers *r, struct moment before)
{
    struct moment after = now(r);
    int64_t took_us = after.wall_us - before.wall_us, cpu_us = after.cpu_us - before.cpu_us;
    if (after.commits != before.commits && took_us > cpu_us + cpu_us / 8) {
        int64_t pause_us = took_us * PAUSE_TIMES;
        usleep((useconds_t)(pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US));
    }
}

static void *run(void *arg)
{
    struct readers *r = arg;
    struct slp_buf b = { 0 };
    struct gathered g = { 0 };
    endless_watch(ENDLESS_LOOK_S);
    setpriority(PRIO_PROCESS, (id_t)gettid(), READER_NICE); /* of this thread alone; a refusal does no harm */
    while (!atomic_load(&r->stop)) {
        inbox_take(r->inbox, &g, -1);
        struct item *i;
        while (!atomic_load(&r->stop) && (i = items_take(&g.items))) {
            atomic_fetch_sub(&r->waiting, 1);
            struct moment before = now(r);
            answer(r, i, &b);
            give_way(r, before);
        }
    }
    slp_buf_free(&b);
    struct gathered rest = { 0 };
    inbox_take(r->inbox, &rest, 0);
    items_append(&g.items, &rest.items);
    struct parcel *last = parcel_get(r->parcels);
    last->kind = PARCEL_FAREWELL;
    last->items = g.items;
    outbox_put(r->out, last);
    return NULL;
}

bool readers_put(struct readers *r, struct item *i)
{
    uint32_t count;
    uint64_t bytes;
    inbox_used(r->inbox, &count, &bytes);
    if (atomic_load(&r->waiting) >= READERS_ITEMS_MAX || bytes + zmq_msg_size(&i->frame) > READERS_BYTES_MAX) {
        return false;
    }
    struct items one = { 0 };
    items_add(&one, i);
    atomic_fetch_add(&r->waiting, 1);
    inbox_put(r->inbox, &one);
    return true;
}

void readers_note_commit(struct readers *r)
{
    atomic_fetch_add(&r->commits, 1);
}

uint32_t readers_waiting(struct readers *r)
{
    return (uint32_t)atomic_load(&r->waiting);
}

/* ---- backup ---- */

struct backup {
    struct readers *r;
    struct item *item;
};

static int run_copy(struct readers *r, const struct item *i, struct slp_buf *b)
{
    char path[SL_TEXT_BYTES_MAX + 1], text[SL_TEXT_BYTES_MAX + 1];
    struct slp_bytes asked = i->msg.u.backup.path;
    memcpy(path, asked.p, asked.n);
    path[asked.n] = '\0';
    if (path[0] != '/' || strlen(path) != asked.n) {
        return answer_error(b, i->msg.id, SLP_E_BAD_VALUE, "backup.path",
                            "the path must be absolute: the broker's folder is not yours", 0);
    }
    int64_t begun_us = clock_boot_us();
    enum store_rc rc = store_backup(r->store, path, text, sizeof text);
    struct log_line l;
    log_begin(&l, rc == STORE_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, rc == STORE_OK ? "backup" : "backup_failed");
    log_str(&l, "path", path);
    log_i64(&l, "us", clock_boot_us() - begun_us);
    if (rc != STORE_OK) {
        log_str(&l, "text", text);
    }
    log_end(&l);
    switch (rc) {
    case STORE_OK: return answer_done(b, i->msg.id);
    case STORE_CORRUPT: return answer_error(b, i->msg.id, SLP_E_CORRUPT, NULL, text, 0);
    case STORE_FULL: return answer_error(b, i->msg.id, SLP_E_STORE_FULL, NULL, text, 60000);
    case STORE_NO_MEMORY: return answer_error(b, i->msg.id, SLP_E_BUSY, NULL, text, 60000);
    default:
        return answer_error(b, i->msg.id, SLP_E_BAD_VALUE, "backup.path", text,
                            0); /* a path that cannot be written to */
    }
}

static void *run_backup(void *arg)
{
    struct backup *job = arg;
    struct readers *r = job->r;
    struct slp_buf b = { 0 };
    struct parcel *p = parcel_get(r->backup_parcels);
    if (run_copy(r, job->item, &b) < 0 || parcel_add(p, job->item->peer, b.p, b.n) < 0) {
        log_text(LOG_LEVEL_ERROR, "backup_unanswered", "out of memory");
    }
    slp_buf_free(&b);
    items_add(&p->items, job->item);
    free(job);
    atomic_store(&r->backup_ended, true); /* before the answer, upon which another may be asked for at once */
    outbox_put(r->out, p);
    return NULL;
}

bool readers_backup(struct readers *r, struct item *i)
{
    if (r->backup_started) {
        if (!atomic_load(&r->backup_ended)) {
            return false;
        }
        pthread_join(r->backup_thread, NULL);
        r->backup_started = false;
    }
    struct backup *job = malloc(sizeof *job);
    if (!job) {
        return false;
    }
    *job = (struct backup){ r, i };
    atomic_store(&r->backup_ended, false);
    if (pthread_create(&r->backup_thread, NULL, run_backup, job) != 0) {
        free(job);
        return false;
    }
    r->backup_started = true;
    return true;
}

/* ---- life ---- */

struct readers *readers_start(struct store *s, const struct clock *clock, struct outbox *out)
{
    struct readers *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    r->store = s;
    r->clock = clock;
    r->out = out;
    r->reader = reader_new(s);
    r->inbox = inbox_new();
    r->parcels = parcel_pool_new(PARCELS);
    r->backup_parcels = parcel_pool_new(1);
    int rc =
        r->reader && r->inbox && r->parcels && r->backup_parcels ? pthread_create(&r->thread, NULL, run, r) : ENOMEM;
    if (rc != 0) {
        readers_free(&r);
        errno = rc;
        return NULL;
    }
    return r;
}

void readers_stop(struct readers *r)
{
    atomic_store(&r->stop, true);
    inbox_stop(r->inbox);
}

bool readers_join(struct readers *r)
{
    pthread_join(r->thread, NULL);
    if (!r->backup_started) {
        return true;
    }
    if (!atomic_load(&r->backup_ended)) {
        return false;
    }
    pthread_join(r->backup_thread, NULL);
    r->backup_started = false;
    return true;
}

void readers_free(struct readers **rr)
{
    struct readers *r = *rr;
    if (r) {
        reader_free(&r->reader);
        inbox_free(&r->inbox);
        parcel_pool_free(&r->parcels);
        parcel_pool_free(&r->backup_parcels);
        free(r);
        *rr = NULL;
    }
}
