/* The broker of this world: the real engine over a real store, with the committer's order of things: frames gather, a batch is one transaction, and
 * what it caused leaves when the transaction is on disk. It dies in all the ways in which a process can: before a commit, after it and before
 * the answers, by an error of the disk; and comes back over what the store holds. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <unistd.h>

#include "broker/dispatch.h"
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

static happening batch, tick, crash, restart, pressure, wall;

int64_t server_elapsed_us(const struct sim *s)
{
    return s->server.elapsed_base_us + s->now_us;
}
int64_t server_wall_us(const struct sim *s)
{
    return WALL_BEGIN_US + s->now_us + s->server.wall_off_us;
}

/* ---- up and down ---- */

/* False: memory ran out, or a call to LMDB failed that was to. */
static bool open_store(struct sim *s)
{
    struct server *v = &s->server;
    enum store_rc rc;
    struct store_options o = {
        .dir = v->dir, .map_bytes = 1 << 28, .reserve_bytes = 1, .wal_bytes = s->plan.wal_bytes, .no_sync = true
    };
    struct engine_config cfg = { .heartbeat_us = s->plan.heartbeat_us,
                                 .grace_us = s->plan.grace_us,
                                 .start_by_us = s->plan.start_by_us,
                                 .queue_tasks_max = s->plan.quota,
                                 .event_keep_us = 400 * DAY };
    uint8_t id[16] = "simulated store";
    char text[200] = "";
    memory_go();
    in_broker = true;
    rc = store_open(&v->store, &o, id, text, sizeof text);
    if (rc == STORE_OK && store_is_copy(v->store)) {
        uint64_t first;
        struct rng draw = rng_of(s->plan.seed, "store ids", s->tally.restores);
        for (size_t i = 0; i < sizeof id; i++)
            id[i] = (uint8_t)rng_below(&draw, 256);
        rc = engine_restore(v->store, id, server_wall_us(s), &first);
    }
    if (rc == STORE_OK)
        v->engine = engine_open(v->store, &cfg, &rc);
    if (v->engine)
        v->reader = reader_new(v->store);
    in_broker = false;
    memory_pause();
    if (!v->reader && (memory_failed() || memory_lmdb_failed()))
        return false;
    if (!v->store) {
        damage_ends(s, text[0], text);
        sim_broken(s, "the store does not open: %d %s", rc, text);
    }
    if (!v->engine) {
        damage_ends(s, rc == STORE_CORRUPT && store_error_text(v->store)[0], store_error_text(v->store));
        sim_broken(s, "the engine does not open: %d %s", rc, store_error_text(v->store));
    }
    CHECK(s, v->reader);
    return true;
}

static void close_store(struct server *v)
{
    in_broker = true;
    reader_free(&v->reader);
    engine_close(&v->engine);
    store_close(&v->store);
    in_broker = false;
}

static void drop_inbox(struct sim *s)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < v->inbox_n; i++)
        if (--v->inbox[i]->refs == 0)
            free(v->inbox[i]);
    v->inbox_n = 0;
}

static void die(struct sim *s, struct store_txn **t, const char *how)
{
    struct server *v = &s->server;
    int64_t down = s->calm ? SEC : rng_spread(&v->rng, SEC / 2, s->plan.down_max_us);
    TELL(s, "broker: dies %s, down for %" PRId64 " ms", how, down / 1000);
    in_broker = true;
    store_abort(t);
    in_broker = false;
    close_store(v);
    if (!v->untold) /* else what was asked is told of at the restart */
        drop_inbox(s);
    v->up = v->batch_due = false;
    v->life++;
    v->crashes++;
    sched_at(s, s->now_us + down, restart, v->life, 0);
}

void server_die(struct sim *s, const char *how)
{
    struct store_txn *none = NULL;
    die(s, &none, how);
}

/* ---- one batch ---- */

enum fate { LIVES, DIES_BEFORE, DIES_AFTER, PUT_FAILS, COMMIT_FAILS, SYNC_FAILS, LMDB_FAILS, NO_MEMORY };

/* One of the next calls to LMDB. Dice of their own: the other worlds stay as they were. */
static void arm_lmdb(struct sim *s, const char *what, int64_t calls_max)
{
    static const int code[] = { EIO, ENOMEM, MDB_CORRUPTED, MDB_MAP_FULL };
    struct rng r = rng_of(s->plan.seed, what, (uint64_t)s->now_us);
    memory_arm_lmdb((uint64_t)rng_spread(&r, 1, calls_max), code[rng_below(&r, 4)]);
}

static void tap_input(struct sim *s, const struct input *in)
{
    struct server *v = &s->server;
    if (v->tap_n == v->tap_cap)
        CHECK(s, v->tap = realloc(v->tap, (v->tap_cap = v->tap_cap * 2 + 64) * sizeof *v->tap));
    struct tapped *t = &v->tap[v->tap_n++];
    *t = (struct tapped){ .at = v->fed_us,
                          .message = in->kind == INPUT_MESSAGE,
                          .pressure = in->kind == INPUT_PRESSURE,
                          .full = in->full,
                          .peer = in->peer,
                          .from = v->out.n,
                          .wall_off_us = v->wall_off_us };
    if (t->message)
        t->m = *in->msg;
}

static enum store_rc step(struct sim *s, struct input *in)
{
    struct server *v = &s->server;
    in->elapsed_us = server_elapsed_us(s);
    if (!s->calm && rng_below(&v->rng, 50) == 0) /* a caller's clock that goes back must change nothing */
    {
        in->elapsed_us -= rng_spread(&v->rng, 1, 10 * MINUTE);
        s->tally.times_gone_back++;
    }
    if (in->elapsed_us > v->fed_us)
        v->fed_us = in->elapsed_us;
    in->wall_us = server_wall_us(s);
    tap_input(s, in);
    memory_go();
    enum store_rc rc = BROKER(engine_step(v->engine, in));
    memory_pause();
    v->tap[v->tap_n - 1].to = v->out.n;
    v->tap[v->tap_n - 1].last_event = v->out.last_event;
    v->inputs++;
    return rc;
}

static void plan_tick(struct sim *s)
{
    struct server *v = &s->server;
    int64_t due = BROKER(engine_backlog(v->engine)) ? server_elapsed_us(s) : BROKER(engine_next_due_us(v->engine));
    if (due == INT64_MAX)
        return;
    int64_t at = due - v->elapsed_base_us;
    if (at < s->now_us + 1)
        at = s->now_us + 1;
    at += s->calm                  ? 0
          : rng_below(&v->rng, 20) ? rng_range(&v->rng, 0, s->plan.tick_late_us)
                                   : rng_spread(&v->rng, 1000, 30 * SEC); /* a busy loop ticks late */
    if (v->tick_at_us > s->now_us && v->tick_at_us <= at)
        return;
    v->tick_at_us = at;
    sched_at(s, at, tick, v->life, (uint64_t)at);
}

static void send_out(struct sim *s)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < v->out.n; i++)
        net_send_down(s, v->out.v[i].peer, effect_frame(&v->out, &v->out.v[i]), v->out.v[i].n);
    watchers_publish(s);
}

/* The reader's, not the engine's: answered after the commit. */
static bool is_read(uint64_t type)
{
    const struct dispatch_row *row = dispatch_find(type);
    return row && row->handler == BY_READER;
}

/* The first `n` frames of the inbox, after `first` if there is one, before a tick if asked for. True if the broker lives on. */
static bool commit(struct sim *s, struct input *first, size_t n, bool ticks, enum fate fate)
{
    struct server *v = &s->server;
    struct store_txn *t;
    struct store_space space;
    enum store_rc rc;
    CHECK(s, BROKER(store_pressure(v->store, s->now_us, &space)) ==
                 STORE_OK); /* the map grows; what the real disk holds must not matter here */
    v->tap_n = 0;
    if (fate == NO_MEMORY)
        memory_arm((uint64_t)rng_spread(&v->rng, 1, 400));
    if (fate == LMDB_FAILS)
        arm_lmdb(s, "lmdb in a batch", 300);
    if (fate == SYNC_FAILS)
        store_faults(v->store)->fail_sync_after = 1;
    if (fate == PUT_FAILS)
        store_faults(v->store)->fail_put_after = (uint64_t)rng_spread(&v->rng, 1, 40);
    if (fate == COMMIT_FAILS)
        store_faults(v->store)->fail_commit_after = 1;
    CHECK(s, BROKER(store_begin(v->store, &t)) == STORE_OK);
    rc = BROKER(engine_batch_begin(v->engine, t, &v->out));
    if (first && rc == STORE_OK)
        rc = step(s, first);
    if (v->full != v->told_full && rc == STORE_OK) {
        struct input in = { .kind = INPUT_PRESSURE,
                            .full = v->full,
                            .room_bytes = rng_chance(&v->rng, 500000) ? 1 << 20 : 1 << 30 };
        v->told_full = v->full;
        rc = step(s, &in);
    }
    for (size_t i = 0; i < n && rc == STORE_OK; i++) {
        struct frame *f = v->inbox[i];
        struct slp_msg m;
        struct slp_fault fault;
        enum side side = s->net.peer[f->peer].side;
        if (slp_decode(f->bytes, f->n, side == SIDE_HUB ? SLP_A2B : SLP_C2B, &m, &fault))
            sim_broken(s, "an actor's frame is refused: %s at %s", slp_error_name(fault.code), fault.place);
        if (is_read(m.type))
            continue; /* the reader's: below, after the commit */
        struct input in = { .kind = INPUT_MESSAGE, .peer = f->peer, .msg = &m };
        rc = step(s, &in);
    }
    if (ticks && rc == STORE_OK) {
        struct input in = { .kind = INPUT_TICK };
        rc = step(s, &in);
    }
    memory_go();
    if (rc == STORE_OK)
        rc = BROKER(engine_batch_end(v->engine));
    memory_pause();
    bool no_memory = fate == NO_MEMORY && memory_failed(), asked_for = fate == PUT_FAILS || memory_lmdb_failed();
    if (rc != STORE_OK || fate == DIES_BEFORE) {
        if (!asked_for && (rc == STORE_CORRUPT || rc == STORE_IO))
            damage_ends(s, rc == STORE_CORRUPT && store_error_text(v->store)[0], store_error_text(v->store));
        if (rc != STORE_OK && !asked_for && !(rc == STORE_NO_MEMORY && no_memory))
            sim_broken(s, "a step failed: %d %s", rc, store_error_text(v->store));
        s->tally.broker_kills_before += fate == DIES_BEFORE;
        s->tally.failed_writes += rc && fate == PUT_FAILS;
        s->tally.failed_store_calls += rc && fate == LMDB_FAILS;
        s->tally.broker_memory_failures += no_memory;
        memory_disarm();
        die(s, &t,
            no_memory            ? "for want of memory"
            : fate == LMDB_FAILS ? "by a call to the store's library that failed"
            : rc                 ? "by a put that failed"
                                 : "before a commit");
        return false;
    }
    rc = BROKER(store_commit(&t));
    if (rc != STORE_OK) {
        if (fate != COMMIT_FAILS && fate != SYNC_FAILS) {
            damage_ends(s, false, store_error_text(v->store));
            sim_broken(s, "a commit failed: %d %s", rc, store_error_text(v->store));
        }
        s->tally.failed_commits += fate == COMMIT_FAILS;
        s->tally.failed_syncs += fate == SYNC_FAILS;
        v->untold = fate == SYNC_FAILS; /* nobody is told that it succeeded, but it did */
        die(s, &t, fate == SYNC_FAILS ? "by a sync that failed" : "by a commit that failed");
        return false;
    }
    *store_faults(v->store) = (struct store_faults){ 0 };
    v->commits++;
    tap_batch(s);
    if (fate == DIES_AFTER) {
        s->tally.broker_kills_after++;
        die(s, &t, "after a commit, before its answers");
        return false;
    }
    send_out(s);
    return true;
}

/* The reader names damage by an answer. */
static void refused_as_damaged(struct sim *s, const struct slp_buf *page)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (s->branch_until_us && slp_decode(page->p, page->n, SLP_B2C | SLP_B2M, &m, &fault) == 0 && m.type == SLP_ERROR &&
        m.u.error.code == SLP_E_CORRUPT)
        damage_ends(s, m.u.error.text.n > 0, "a read is refused");
}

static void answer_reads(struct sim *s, size_t n)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < n; i++) {
        struct frame *f = v->inbox[i];
        struct slp_msg m;
        struct slp_fault fault;
        CHECK(s, slp_decode(f->bytes, f->n, SLP_A2B | SLP_C2B, &m, &fault) == 0);
        if (!is_read(m.type))
            continue;
        slp_buf_clear(&v->page);
        memory_go();
        int rc = BROKER(reader_answer(v->reader, &m, server_elapsed_us(s), &v->page));
        memory_pause();
        if (rc && (memory_failed() || memory_lmdb_failed())) { /* it goes unanswered */
            v->page.failed = false;
            continue;
        }
        if (rc)
            damage_ends(s, false, "a read failed");
        CHECK(s, rc == 0);
        refused_as_damaged(s, &v->page);
        net_send_down(s, f->peer, v->page.p, v->page.n);
    }
}

static void run_batch(struct sim *s, bool ticks, enum fate fate)
{
    struct server *v = &s->server;
    size_t n = v->inbox_n;
    uint64_t max = s->calm ? 200 : s->plan.batch_max;
    if (n > max)
        n = (size_t)rng_range(&v->rng, 1, (int64_t)max);
    v->batches++;
    if (!commit(s, NULL, n, ticks, fate))
        return;
    answer_reads(s, n);
    s->tally.broker_memory_failures += fate == NO_MEMORY && memory_failed();
    memory_disarm();
    for (size_t i = 0; i < n; i++)
        if (--v->inbox[i]->refs == 0)
            free(v->inbox[i]);
    memmove(v->inbox, v->inbox + n, (v->inbox_n - n) * sizeof *v->inbox);
    v->inbox_n -= n;
    if (v->inbox_n) {
        v->batch_due = true;
        sched_at(s, s->now_us + rng_range(&v->rng, 50, s->plan.sync_max_us), batch, v->life, 0);
    } else if (rng_chance(&v->rng, 20000)) { /* as the committer does when it is idle */
        bool all = rng_chance(&v->rng, 500000);
        enum store_rc rc = BROKER(store_settle(v->store, all ? SETTLE_ALL : SETTLE_IDLE));
        if (rc) {
            damage_ends(s, rc == STORE_CORRUPT, store_error_text(v->store));
            sim_broken(s, "the log does not settle: %d %s", rc, store_error_text(v->store));
        }
    }
    plan_tick(s);
}

static void batch(struct sim *s, uint64_t life, uint64_t unused)
{
    (void)unused;
    if (!s->server.up || life != s->server.life)
        return;
    s->server.batch_due = false;
    run_batch(s, rng_chance(&s->server.rng, 100000), LIVES);
}

static void tick(struct sim *s, uint64_t life, uint64_t at)
{
    struct server *v = &s->server;
    if (!v->up || life != v->life || (int64_t)at != v->tick_at_us)
        return;
    v->tick_at_us = 0;
    int64_t due = BROKER(engine_next_due_us(v->engine));
    s->tally.late_ticks += due != INT64_MAX && server_elapsed_us(s) - due >= SEC;
    run_batch(s, true, LIVES);
}

void server_take(struct sim *s, struct frame *f)
{
    struct server *v = &s->server;
    if (!v->up) { /* a connected DEALER keeps frames and sends them when the broker is back; or the link was closed, and they are gone */
        if (rng_chance(&v->rng, 300000) && !s->calm) {
            net_redeliver(s, f, s->now_us + rng_spread(&v->rng, SEC, s->plan.down_max_us));
        } else if (--f->refs == 0) {
            free(f);
        }
        return;
    }
    if (v->inbox_n == v->inbox_cap)
        CHECK(s, v->inbox = realloc(v->inbox, (v->inbox_cap = v->inbox_cap * 2 + 64) * sizeof(struct frame *)));
    v->inbox[v->inbox_n++] = f;
    if (!v->batch_due) {
        v->batch_due = true;
        sched_at(s, s->now_us + (s->calm ? 1000 : rng_spread(&v->rng, 1, s->plan.batch_max_us)), batch, v->life, 0);
    }
}

/* ---- faults ---- */

static int64_t around(struct rng *r, int64_t mean)
{
    return mean == NEVER ? NEVER : rng_range(r, mean / 10 + 1, mean * 2);
}

static void again(struct sim *s, int64_t mean, happening *what)
{
    int64_t in = around(&s->server.rng, mean);
    if (in != NEVER)
        sched_at(s, s->now_us + in, what, 0, 0);
}

static void crash(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct server *v = &s->server;
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    if (v->up) {
        static const enum fate of_disk[] = { PUT_FAILS, PUT_FAILS, COMMIT_FAILS, SYNC_FAILS };
        enum fate f = rng_chance(&v->rng, s->plan.memory_ppm) ? NO_MEMORY
                      : rng_chance(&v->rng, s->plan.io_ppm)   ? of_disk[rng_below(&v->rng, 4)]
                      : rng_chance(&v->rng, 500000)           ? DIES_BEFORE
                                                              : DIES_AFTER;
        if (!v->inbox_n && rng_chance(&v->rng, 700000)) { /* wait for a batch that has something in it */
            sched_at(s, s->now_us + rng_range(&v->rng, 1000, SEC), crash, 0, 0);
            return;
        }
        struct rng r = rng_of(s->plan.seed, "lmdb or a put", (uint64_t)s->now_us);
        if (f == PUT_FAILS && rng_chance(&r, 600000))
            f = LMDB_FAILS;
        run_batch(s, rng_chance(&v->rng, 500000), f);
        if (v->up && v->store)
            *store_faults(v->store) = (struct store_faults){ 0 };
    }
    again(s, s->plan.crash_every_us, crash);
}

static void restart(struct sim *s, uint64_t life, uint64_t unused)
{
    struct server *v = &s->server;
    (void)unused;
    if (life != v->life || v->up)
        return;
    if (!v->untold)
        damage_maybe(s);
    if (!s->calm && rng_chance(&v->rng, s->plan.memory_ppm / 4))
        memory_arm((uint64_t)rng_spread(&v->rng, 1, 2000));
    struct rng lr = rng_of(s->plan.seed, "lmdb at a start", (uint64_t)s->now_us);
    if (!s->calm && rng_chance(&lr, s->plan.io_ppm / 4))
        arm_lmdb(s, "lmdb at a start", 2000);
    bool open = open_store(s);
    bool by_lmdb = memory_lmdb_failed() != NULL;
    memory_disarm();
    if (!open) {
        TELL(s, "broker: does not come up%s",
             by_lmdb ? ": a call to the store's library failed" : " for want of memory");
        s->tally.broker_memory_failures += !by_lmdb;
        s->tally.failed_store_calls += by_lmdb;
        close_store(v);
        sched_at(s, s->now_us + rng_spread(&v->rng, SEC, MINUTE), restart, v->life, 0);
        return;
    }
    v->up = true;
    if (v->untold) {
        tap_batch(s);
        v->untold = false;
        drop_inbox(s);
    }
    v->restarts++;
    int64_t stored = engine_elapsed_us(v->engine);
    v->fed_us = stored;
    if (!s->calm && rng_chance(&v->rng, s->plan.reboot_ppm)) {
        v->elapsed_base_us = stored - s->now_us; /* the machine was off: how long, nobody knows */
        s->tally.broker_reboots++;
    }
    if (server_elapsed_us(s) < stored || v->went_back)
        v->elapsed_base_us = stored - s->now_us;
    v->told_full = v->went_back = false;
    v->tick_at_us = 0;
    struct input boot = { .kind = INPUT_BOOT, .restart = rng_u64(&v->rng) };
    TELL(s, "broker: is up");
    if (commit(s, &boot, 0, false, LIVES))
        plan_tick(s);
}

static void pressure(struct sim *s, uint64_t on, uint64_t unused)
{
    struct server *v = &s->server;
    (void)unused;
    v->full = on && !s->calm;
    s->tally.full_stores += v->full;
    TELL(s, "broker: the store %s", v->full ? "is nearly full" : "has room");
    if (v->full)
        sched_at(s, s->now_us + rng_spread(&v->rng, SEC, HOUR), pressure, 0, 0);
    else if (!s->calm && s->plan.pressure_every_us != NEVER)
        sched_at(s, s->now_us + around(&v->rng, s->plan.pressure_every_us), pressure, 1, 0);
}

static void wall(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct server *v = &s->server;
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    if (v->wall_off_us && rng_chance(&v->rng, 500000))
        v->wall_off_us = 0;
    else
        v->wall_off_us = rng_range(&v->rng, -3 * DAY, 3 * DAY);
    s->tally.broker_clock_steps++;
    TELL(s, "broker: its wall clock is %+" PRId64 " s off", v->wall_off_us / SEC);
    sched_at(s,
             s->now_us + (v->wall_off_us ? rng_spread(&v->rng, SEC, 2 * HOUR) : around(&v->rng, s->plan.wall_every_us)),
             wall, 0, 0);
}

/* ---- asking without a network ---- */

const struct slp_msg *server_read(struct sim *s, uint64_t type, const void *any)
{
    static struct slp_msg m;
    static struct slp_buf ask;
    struct server *v = &s->server;
    struct slp_fault fault;
    if (!v->up)
        return NULL;
    slp_buf_clear(&ask);
    slp_buf_clear(&v->page);
    CHECK(s, slp_encode(&ask, type, 1, any) == 0 && slp_decode(ask.p, ask.n, SLP_C2B, &m, &fault) == 0);
    if (BROKER(reader_answer(v->reader, &m, server_elapsed_us(s), &v->page)) != 0) {
        damage_ends(s, false, "a read failed");
        sim_broken(s, "a read failed");
    }
    refused_as_damaged(s, &v->page);
    CHECK(s, slp_decode(v->page.p, v->page.n, SLP_B2C | SLP_B2M, &m, &fault) == 0);
    return &m;
}

const struct slp_msg *server_ask(struct sim *s, uint64_t type, const void *any)
{
    static struct slp_msg q, a;
    static struct slp_buf ask, answer;
    struct server *v = &s->server;
    struct slp_fault fault;
    struct store_txn *t;
    if (!v->up)
        return NULL;
    slp_buf_clear(&ask);
    slp_buf_clear(&answer);
    CHECK(s, slp_encode(&ask, type, 1, any) == 0 && slp_decode(ask.p, ask.n, SLP_C2B, &q, &fault) == 0);
    struct input in = { .kind = INPUT_MESSAGE, .peer = UINT64_MAX, .msg = &q };
    v->tap_n = 0;
    CHECK(s, BROKER(store_begin(v->store, &t)) == STORE_OK &&
                 BROKER(engine_batch_begin(v->engine, t, &v->out)) == STORE_OK);
    enum store_rc rc = step(s, &in);
    if (rc == STORE_OK)
        rc = BROKER(engine_batch_end(v->engine));
    if (rc == STORE_OK)
        rc = BROKER(store_commit(&t));
    if (rc) {
        damage_ends(s, rc == STORE_CORRUPT && store_error_text(v->store)[0], store_error_text(v->store));
        sim_broken(s, "a step failed: %d %s", rc, store_error_text(v->store));
    }
    for (size_t i = 0; i < v->out.n; i++)
        if (v->out.v[i].peer == UINT64_MAX)
            slp_buf_add(&answer, effect_frame(&v->out, &v->out.v[i]), v->out.v[i].n);
    tap_batch(s);
    for (size_t i = 0; i < v->out.n; i++)
        if (v->out.v[i].peer != UINT64_MAX)
            net_send_down(s, v->out.v[i].peer, effect_frame(&v->out, &v->out.v[i]), v->out.v[i].n);
    plan_tick(s);
    CHECK(s, answer.n && slp_decode(answer.p, answer.n, SLP_B2C, &a, &fault) == 0);
    return &a;
}

/* ---- life ---- */

void server_open(struct sim *s)
{
    struct server *v = &s->server;
    v->rng = rng_of(s->plan.seed, "server", 0);
    snprintf(v->dir, sizeof v->dir, "%s/sunline-sim-XXXXXX", s->opt.dir);
    if (!mkdtemp(v->dir))
        sim_broken(s, "%s cannot be made", v->dir);
    v->next_event = 1;
    v->elapsed_base_us = SEC;
    restart(s, 0, 0);
    again(s, s->plan.crash_every_us, crash);
    again(s, s->plan.wall_every_us, wall);
    if (s->plan.pressure_every_us != NEVER)
        sched_at(s, s->now_us + around(&v->rng, s->plan.pressure_every_us), pressure, 1, 0);
}

void server_calm(struct sim *s)
{
    struct server *v = &s->server;
    v->wall_off_us = 0;
    v->full = false;
    if (!v->up)
        restart(s, v->life, 0);
    else
        plan_tick(s);
}

void server_close(struct sim *s)
{
    struct server *v = &s->server;
    close_store(v);
    drop_inbox(s);
    free(v->inbox);
    free(v->tap);
    effects_free(&v->out);
    slp_buf_free(&v->page);
    DIR *d = v->dir[0] ? opendir(v->dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", v->dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    if (v->dir[0])
        rmdir(v->dir);
}
