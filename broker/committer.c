/* The committing thread: see committer.h. */
#include "broker/committer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/endless.h"
#include "broker/failed.h"
#include "broker/log.h"

#define PARCELS 4 /* one being filled, one being written, one being sent, one between */
/* Without work for this long, it is idle: chores would make a next request wait. Short, since one that comes every 5 ms should find them done: they take
 * about a millisecond. */
#define QUIET_US 1000
#define IDLE_WAIT_US 1000000 /* how often an idle committer looks at the store's space */
#define GATHER_MAX_US 1000   /* see gather() */
#define GATHER_LIGHT 8       /* a commit takes at least so many times as long as what is committed */
#define GATHER_TRUST_MAX 8
#define GATHER_RETRY 16 /* of so many batches one tries again */
/* A batch is light if so little was in it, and it was done so soon, that a second thread would have had little to do meanwhile. */
#define LIGHT_MESSAGES 4
#define LIGHT_BYTES 8192
#define LIGHT_US 2000
/* ... and it came alone if nothing had come while the one before it was committed: else a second thread would have received it by then. */
#define LIGHT_ENOUGH 16 /* so many more that came alone ... */
#define LIGHT_MOST 32
#define LIGHT_EARLY 4 /* ... than those that did not, each of which counts so much */
/* A batch is applied while the one before it is written, if that was work enough to wake another thread for, and something has lately come by then. */
#define BESIDE_WORK_US 100
#define BESIDE_CROWD_MAX 8
#define BESIDE_MESSAGES 1024 /* no more is taken into such a batch: it is to fit the log */
#define BESIDE_BYTES (256u << 10)
#define SAME_TIME_US 10000
#define READER_CHECK_US (30 * 1000000ll)
#define SLOW_COMMIT_US (2 * 1000000ll) /* worth a line in the log */
#define ROOM_STEP_BYTES (1ull << 20)   /* the engine hears of changes of this size while the store is full */
#define BATCH_SHARE 64                 /* a batch's input may be this part of the free map: copied pages multiply it */

struct committer {
    struct committer_options o;
    struct parcel_pool *parcels;
    pthread_t thread;
    int64_t last_elapsed_us, read_us, reader_check_us;
    bool full, told_full; /* what is, and what the engine believes */
    uint64_t room_bytes, told_room;
    uint64_t last_event;
    int64_t engine_us, commit_us; /* of the last batch */
    unsigned trust, mistrusted;   /* see gather() */
    unsigned crowd;               /* see worth_it() */
    atomic_int_fast64_t next_due_us, busy_since_us, writing_since_us;
    atomic_uint_fast64_t batch_bytes;
    bool early;           /* the batch under way had come when the one before it was done */
    atomic_int light;     /* see weigh() */
    pthread_mutex_t lock; /* for figures only */
    struct committer_figures figures;
};

static _Noreturn void die(struct committer *c, const char *what, enum store_rc rc)
{
    struct log_line l;
    failed_begin(&l);
    log_str(&l, "at", what);
    log_u64(&l, "code", rc);
    log_str(&l, "text", store_error_text(c->o.store));
    _exit(failed_end(&l));
}

static void must(struct committer *c, const char *what, enum store_rc rc)
{
    if (rc != STORE_OK) {
        die(c, what, rc);
    }
}

/* ---- one batch ---- */

struct times {
    int64_t elapsed_us, wall_us;
};

/* One reading a batch: what is committed together happened together. Of one that stays open since the disk is slow, one every SAME_TIME_US.
 * It is read when the messages have just been taken, before anything that a slow disk may hold up: what came in while it did was in time,
 * and a tick must not say that it is late. */
static struct times read_times(struct committer *c)
{
    int64_t wall_us = clock_wall_us(); /* first: whoever reckons one from the other must know which is the older */
    struct times t = { clock_elapsed_us(c->o.clock), wall_us };
    assert(t.elapsed_us >= c->last_elapsed_us);
    c->last_elapsed_us = t.elapsed_us;
    c->read_us = clock_boot_us();
    return t;
}

static void step(struct committer *c, struct input *in, struct times t)
{
    in->elapsed_us = t.elapsed_us;
    in->wall_us = t.wall_us;
    must(c, "step", engine_step(c->o.engine, in));
}

/* Between transactions: grow the map, see what the disk can take. True: the engine should hear of it. */
static bool look_at_space(struct committer *c)
{
    struct store_space space;
    must(c, "space", store_pressure(c->o.store, clock_boot_us(), &space));
    uint64_t share = space.free_map_bytes / BATCH_SHARE;
    atomic_store(&c->batch_bytes, share > SL_FRAME_BYTES_MAX ? share : SL_FRAME_BYTES_MAX);
    pthread_mutex_lock(&c->lock);
    c->figures.space = space;
    pthread_mutex_unlock(&c->lock);
    c->full = space.full;
    c->room_bytes = space.free_map_bytes < space.disk_free_bytes ? space.free_map_bytes : space.disk_free_bytes;
    uint64_t change = c->room_bytes > c->told_room ? c->room_bytes - c->told_room : c->told_room - c->room_bytes;
    return c->full != c->told_full || (c->full && change >= ROOM_STEP_BYTES);
}

static struct input tell_space(struct committer *c)
{
    if (c->full != c->told_full) {
        struct log_line l;
        log_begin(&l, c->full ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, c->full ? "store_full" : "store_has_room");
        log_u64(&l, "room_bytes", c->room_bytes);
        log_u64(&l, "used_bytes", c->figures.space.used_bytes); /* written by this thread only */
        log_u64(&l, "disk_free_bytes", c->figures.space.disk_free_bytes);
        log_end(&l);
    }
    c->told_full = c->full;
    c->told_room = c->room_bytes;
    return (struct input){ .kind = INPUT_PRESSURE, .full = c->full, .room_bytes = c->room_bytes };
}

static void note_slow(const char *event, const char *key, int64_t took_us, uint64_t messages)
{
    if (took_us < SLOW_COMMIT_US) {
        return;
    }
    struct log_line l;
    log_begin(&l, LOG_LEVEL_WARN, event);
    log_i64(&l, key, took_us);
    log_u64(&l, "messages", messages);
    log_end(&l);
}

/* One transaction, from its begin until it is on disk and its answers are handed over. */
struct batch {
    struct committer *c;
    struct parcel *p;
    struct store_txn *txn;
    struct times t;
    uint32_t messages;
    uint64_t bytes;
    int64_t worked_us;             /* the engine's time in it, without what it waited for */
    int64_t sealed_us, written_us; /* when it was handed over to be written, and when it was on disk */
};

/* `first` if there is one (the boot), pressure if it changed. */
static void batch_begin(struct committer *c, struct batch *b, struct input *first)
{
    struct times t = read_times(c);
    *b = (struct batch){ .c = c, .p = parcel_get(c->parcels), .t = t };
    int64_t begun_us = clock_boot_us();
    atomic_store(&c->busy_since_us, begun_us);
    bool pressure = look_at_space(c);
    must(c, "begin", store_begin(c->o.store, &b->txn));
    must(c, "batch_begin", engine_batch_begin(c->o.engine, b->txn, &b->p->effects));
    if (first) {
        step(c, first, b->t);
    }
    if (pressure) {
        struct input in = tell_space(c);
        step(c, &in, b->t);
    }
    b->worked_us = clock_boot_us() - begun_us;
}

/* The messages in order, a tick if it is time. */
static void batch_apply(struct committer *c, struct batch *b, struct items *items, bool tick)
{
    struct input in;
    int64_t begun_us = clock_boot_us();
    for (struct item *i = items->first; i; i = i->next) {
        in = (struct input){ .kind = INPUT_MESSAGE, .peer = i->peer, .msg = &i->msg };
        b->p->figures |= i->msg.type == SLP_STATS_GET;
        step(c, &in, b->t);
    }
    if (tick) {
        in = (struct input){ .kind = INPUT_TICK };
        step(c, &in, b->t);
    }
    b->messages += items->count;
    b->bytes += items->bytes;
    b->p->ticked |= tick;
    items_append(&b->p->items, items);
    b->worked_us += clock_boot_us() - begun_us;
}

/* Before it is committed: what the engine has gathered. */
static void batch_end(struct committer *c, struct batch *b)
{
    int64_t begun_us = clock_boot_us();
    must(c, "batch_end", engine_batch_end(c->o.engine));
    if (b->p->effects.bytes.failed) {
        die(c, "effects", STORE_NO_MEMORY);
    }
    if (b->p->effects.last_event) {
        c->last_event = b->p->effects.last_event;
    }
    /* A sweep goes on batch by batch, with whatever has come in meanwhile between its chunks. */
    atomic_store(&c->next_due_us, engine_backlog(c->o.engine) ? b->t.elapsed_us : engine_next_due_us(c->o.engine));
    b->worked_us += clock_boot_us() - begun_us;
}

/* It is on disk. */
static void batch_done(struct committer *c, const struct batch *b, int64_t beside_us)
{
    c->engine_us = b->worked_us;
    c->commit_us = b->written_us - b->sealed_us;
    pthread_mutex_lock(&c->lock);
    histogram_add(&c->figures.batch_items, b->messages);
    histogram_add(&c->figures.batch_us, (uint64_t)(c->engine_us + c->commit_us));
    histogram_add(&c->figures.commit_us, (uint64_t)c->commit_us);
    c->figures.beside_us += (uint64_t)beside_us;
    c->figures.store = *store_counters(c->o.store);
    pthread_mutex_unlock(&c->lock);
    note_slow("slow_commit", "commit_us", c->commit_us, b->messages);
}

static void batch_commit(struct committer *c, struct batch *b)
{
    b->sealed_us = clock_boot_us();
    must(c, "commit", store_commit(&b->txn));
    b->written_us = clock_boot_us();
    batch_done(c, b, 0);
    atomic_store(&c->busy_since_us, 0);
}

/* ---- at the sockets ---- */

/* While this thread leads, what comes to the inbox comes by its own turns. It is at the sockets until there is `enough`, or the time is up. False: another
 * leads. */
static bool serve(struct committer *c, uint32_t enough, int64_t until_us)
{
    int64_t left_us;
    if (!leader_enter(c->o.leader)) {
        return false;
    }
    while (!inbox_holds(c->o.inbox, enough) && (left_us = until_us - clock_boot_us()) > 0) {
        if (!c->o.serve(c->o.serve_arg, left_us)) {
            leader_return(c->o.leader);
            return false;
        }
    }
    leader_leave(c->o.leader);
    return true;
}

/* Without waiting. */
static bool has_come(struct committer *c)
{
    if (leader_enter(c->o.leader)) {
        if (c->o.serve(c->o.serve_arg, 0)) {
            leader_leave(c->o.leader);
        } else {
            leader_return(c->o.leader);
        }
    }
    return inbox_holds(c->o.inbox, 1);
}

static bool take(struct committer *c, struct gathered *g, int64_t wait_us)
{
    int64_t until_us = clock_boot_us() + wait_us;
    if (serve(c, 1, until_us)) {
        return inbox_take(c->o.inbox, g, 0);
    }
    int64_t left_us = until_us - clock_boot_us();
    return inbox_take(c->o.inbox, g, left_us > 0 ? left_us : 0);
}

/* True: so many more came in that time. */
static bool wait_for(struct committer *c, uint32_t more, int64_t wait_us)
{
    uint32_t waiting;
    uint64_t bytes;
    inbox_used(c->o.inbox, &waiting, &bytes);
    uint32_t enough = waiting + more;
    int64_t until_us = clock_boot_us() + wait_us;
    bool served = serve(c, enough, until_us);
    int64_t left_us = until_us - clock_boot_us();
    inbox_used(c->o.inbox, &waiting, &bytes);
    if (served || waiting >= enough || left_us <= 0) {
        return waiting >= enough;
    }
    return inbox_gather(c->o.inbox, enough - waiting, left_us);
}

static void hand_over(struct committer *c, struct parcel *p)
{
    if (!leader_enter(c->o.leader)) {
        outbox_put(c->o.outbox, p);
        return;
    }
    outbox_add(c->o.outbox, p);
    c->o.deliver(c->o.serve_arg);
    leader_leave(c->o.leader);
}

/* More than a little, or one on the heels of the other: two threads do it sooner. */
static void weigh(struct committer *c, uint32_t messages, uint64_t bytes)
{
    bool small = messages <= LIGHT_MESSAGES && bytes <= LIGHT_BYTES && c->engine_us + c->commit_us <= LIGHT_US;
    int light = atomic_load(&c->light) + (c->early ? -LIGHT_EARLY : 1);
    light = !small || light < 0 ? 0 : light < LIGHT_MOST ? light : LIGHT_MOST;
    atomic_store(&c->light, light);
    if (light == 0) {
        leader_return(c->o.leader);
    }
}

/* ---- between batches ---- */

/* Whoever has just been answered may well have the next thing to say. If others wait already, a commit without them would
 * make them wait for the one after, and so on: two half batches in turn, each at the price of a whole one. So the next
 * batch waits for as many messages as the last one answered, for less than a commit takes, and only while that hope
 * comes true. It pays where a commit costs much the same whatever is in it; a batch that was work in itself is better
 * begun while others still come. Where nobody waits, this holds up nobody. */
static void gather(struct committer *c, uint32_t answered)
{
    uint32_t waiting;
    uint64_t bytes;
    int64_t wait_us = c->commit_us * 3 / 4 < GATHER_MAX_US ? c->commit_us * 3 / 4 : GATHER_MAX_US;
    bool light = c->engine_us <= c->commit_us / GATHER_LIGHT;
    if (answered == 0 || !light || (c->trust == 0 && ++c->mistrusted % GATHER_RETRY != 0)) {
        return;
    }
    if (wait_for(c, answered, wait_us)) {
        c->trust += c->trust < GATHER_TRUST_MAX;
        return;
    }
    inbox_used(c->o.inbox, &waiting, &bytes);
    c->trust -= waiting && c->trust > 0;
}

/* A disk that hangs here holds up whoever comes next, too: the watchdog must see it. */
static void settle(struct committer *c, enum settle how)
{
    int64_t begun_us = clock_boot_us();
    atomic_store(&c->busy_since_us, begun_us);
    must(c, "settle", store_settle(c->o.store, how));
    atomic_store(&c->busy_since_us, 0);
    note_slow("slow_settle", "settle_us", clock_boot_us() - begun_us, 0);
}

static void idle(struct committer *c, bool long_since)
{
    int64_t now_us = clock_boot_us();
    settle(c, long_since ? SETTLE_ALL : SETTLE_IDLE);
    if (now_us - c->reader_check_us >= READER_CHECK_US) {
        c->reader_check_us = now_us;
        store_reader_check(c->o.store);
    }
}

/* ---- one batch beside the other ---- */

/* On the store's thread. Its answers leave now, whatever the committer is at. */
static void written(void *arg, bool good)
{
    struct batch *b = arg;
    struct committer *c = b->c;
    b->written_us = clock_boot_us();
    if (good) {
        outbox_put(c->o.outbox, b->p);
    }
    atomic_store(&c->writing_since_us, 0);
    inbox_written(c->o.inbox);
}

/* Another thread writes the batch, and this one goes on with what comes meanwhile. That pays where things do come meanwhile, and are many times the work of waking a thread. Who
 * leads is at the sockets, and nothing comes meanwhile. */
static bool worth_it(struct committer *c, const struct batch *b)
{
    return c->crowd > 0 && b->worked_us >= BESIDE_WORK_US && !leader_passed(c->o.leader);
}

static void note_crowd(struct committer *c, bool came)
{
    c->crowd = came ? (c->crowd < BESIDE_CROWD_MAX ? c->crowd + 1 : c->crowd) : c->crowd > 0 ? c->crowd - 1 : 0;
}

/* False: it is on disk. True: it is being written, and its answers leave when it is. */
static bool batch_write(struct committer *c, struct batch *b)
{
    bool writing;
    if (!worth_it(c, b)) {
        batch_commit(c, b);
        return false;
    }
    b->sealed_us = clock_boot_us();
    atomic_store(&c->writing_since_us, b->sealed_us);
    must(c, "commit", store_commit_begin(&b->txn, written, b, &writing));
    atomic_store(&c->busy_since_us, 0);
    if (!writing) {
        atomic_store(&c->writing_since_us, 0);
        b->written_us = clock_boot_us();
        batch_done(c, b, 0);
    }
    return writing;
}

/* Apply what comes until the batch before it is written. False: nothing came. */
static bool batch_beside(struct committer *c, struct batch *b, const struct batch *before, bool *stop)
{
    struct gathered g;
    int64_t from_us = 0, to_us = 0, beside_us = 0;
    bool open = false, room = true;
    while (atomic_load(&c->writing_since_us) != 0 && room && !*stop && !store_settle_due(c->o.store)) {
        inbox_take(c->o.inbox, &g, IDLE_WAIT_US);
        *stop = g.stop;
        if (g.lead) { /* it would not come to the sockets soon */
            leader_return(c->o.leader);
        }
        if (!g.items.first && !g.tick) {
            continue;
        }
        if (g.crowded) {
            outbox_wake(c->o.outbox); /* the inbox has room again */
        }
        from_us = clock_boot_us();
        if (!open) {
            batch_begin(c, b, NULL);
            open = true;
        } else if (from_us - c->read_us > SAME_TIME_US) {
            b->t = read_times(c);
        }
        batch_apply(c, b, &g.items, g.tick);
        to_us = clock_boot_us();
        beside_us += to_us - from_us;
        room = b->messages < BESIDE_MESSAGES && b->bytes < BESIDE_BYTES;
    }
    must(c, "commit", store_commit_end(c->o.store));
    if (to_us > before->written_us) { /* the last of it was not beside any more */
        beside_us -= to_us - (before->written_us > from_us ? before->written_us : from_us);
    }
    batch_done(c, before, beside_us);
    return open;
}

/* Commit a batch, and those that follow it without a pause; their answers leave. The last of them in *b. */
static void commit_row(struct committer *c, struct batch *b, bool *stop)
{
    struct batch next;
    for (;;) {
        batch_end(c, b);
        if (!batch_write(c, b)) {
            hand_over(c, b->p);
            note_crowd(c, inbox_holds(c->o.inbox, 1));
            return;
        }
        c->early = batch_beside(c, &next, b, stop);
        note_crowd(c, c->early);
        if (!c->early) {
            return;
        }
        weigh(c, b->messages, b->bytes);
        *b = next;
    }
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct committer *c = arg;
    struct gathered g;
    struct batch b;
    bool stop = false;
    endless_watch(ENDLESS_LOOK_S);
    do {
        bool news = false;
        if (!take(c, &g, QUIET_US)) {
            idle(c, false);
            if (!take(c, &g, IDLE_WAIT_US)) {
                idle(c, true);
                atomic_store(&c->busy_since_us, clock_boot_us()); /* it may settle */
                /* Whoever comes next tells how much room there is; that it ended, or is back, the log tells now. */
                news = look_at_space(c) && c->full != c->told_full;
                atomic_store(&c->busy_since_us, 0);
                if (!news) {
                    continue;
                }
            }
        }
        if (g.stop && !g.items.first && !g.tick) {
            break;
        }
        stop = g.stop;
        if (!g.items.first && !g.tick && !stop && !news) { /* a reader waits, the lead came, or a batch was written */
            settle(c, SETTLE_DUE);
            continue;
        }
        if (g.crowded) {
            outbox_wake(c->o.outbox); /* the inbox has room again */
        }
        batch_begin(c, &b, NULL);
        batch_apply(c, &b, &g.items, g.tick);
        commit_row(c, &b, &stop);
        weigh(c, b.messages, b.bytes);
        settle(c, SETTLE_DUE); /* those who were answered need not wait for it */
        c->early = has_come(
            c); /* what this thread gathers from here on comes to it as it waits: another one would have no use */
        gather(c, b.messages);
    } while (!stop);
    settle(c, SETTLE_ALL);
    store_stop(c->o.store);
    struct parcel *last = parcel_get(c->parcels);
    last->kind = PARCEL_FAREWELL;
    outbox_put(c->o.outbox, last);
    return NULL;
}

struct committer *committer_new(const struct committer_options *o)
{
    struct committer *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    c->o = *o;
    c->parcels = parcel_pool_new(PARCELS);
    if (!c->parcels || pthread_mutex_init(&c->lock, NULL) != 0) {
        parcel_pool_free(&c->parcels);
        free(c);
        return NULL;
    }
    atomic_store(&c->next_due_us, INT64_MAX);
    atomic_store(&c->batch_bytes, SL_FRAME_BYTES_MAX);
    return c;
}

uint64_t committer_boot(struct committer *c)
{
    struct input boot = { .kind = INPUT_BOOT, .restart = c->o.restart };
    struct batch b;
    batch_begin(c, &b, &boot);
    batch_end(c, &b);
    batch_commit(c, &b);
    settle(c, SETTLE_ALL); /* another thread writes from here on */
    parcel_done(b.p);      /* nobody is connected yet: whatever it wants to tell peers has no one to go to */
    return c->last_event;
}

int committer_start(struct committer *c)
{
    int rc = pthread_create(&c->thread, NULL, run, c);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    pthread_setname_np(c->thread, "engine"); /* for whoever looks at /proc, as `make bench-events` does */
    return 0;
}

void committer_join(struct committer *c)
{
    pthread_join(c->thread, NULL);
}

void committer_free(struct committer **cc)
{
    struct committer *c = *cc;
    if (c) {
        parcel_pool_free(&c->parcels);
        pthread_mutex_destroy(&c->lock);
        free(c);
        *cc = NULL;
    }
}

/* ---- for the others ---- */

int64_t committer_next_due_us(struct committer *c)
{
    return atomic_load(&c->next_due_us);
}

uint64_t committer_batch_bytes(struct committer *c)
{
    return atomic_load(&c->batch_bytes);
}

bool committer_light(struct committer *c)
{
    return atomic_load(&c->light) >= LIGHT_ENOUGH && committer_busy_us(c) < LIGHT_US;
}

int64_t committer_busy_us(struct committer *c)
{
    int64_t busy_us = atomic_load(&c->busy_since_us), writing_us = atomic_load(&c->writing_since_us);
    int64_t since_us = !busy_us || (writing_us && writing_us < busy_us) ? writing_us : busy_us;
    return since_us ? clock_boot_us() - since_us : 0;
}

void committer_figures(struct committer *c, struct committer_figures *f)
{
    pthread_mutex_lock(&c->lock);
    *f = c->figures;
    pthread_mutex_unlock(&c->lock);
}
