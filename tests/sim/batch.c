/* The broker's batches: frames gather, a batch is one transaction, and what it caused leaves when the transaction is on disk.
 *
 * In worlds where batches go beside each other it is as in commit_row() and batch_beside() of broker/committer.c, by the same calls of the store in the same order: a batch is
 * ended and handed over to be written; what comes meanwhile is applied, as the next batch, which stays open; when the first one is written, its answers leave
 * (written(), as there), then the next one is ended, and committed at once or handed over in turn. Such a row of batches comes to its end in the instant in which its
 * first one is on disk, since to read what a batch did is to settle it, and a batch under way with it: the checker is told of all of
 * them there, before anybody has heard an answer. What the committer decides by times (is it worth it, has the disk been quick enough) is decided by the seed here. */
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>

#include "broker/dispatch.h"
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

/* No more is taken into a batch that is applied beside another: most find room, some do not. */
#define BESIDE_MESSAGES_MAX 64

static happening batch, tick, landing;

/* ---- one batch ---- */

/* One of the next calls to LMDB. Dice of their own: the other worlds stay as they were. */
void server_arm_lmdb(struct sim *s, const char *what, int64_t calls_max)
{
    static const int code[] = { EIO, ENOMEM, MDB_CORRUPTED, MDB_MAP_FULL };
    struct rng r = rng_of(s->plan.seed, what, (uint64_t)s->now_us);
    int rc = code[rng_below(&r, 4)]; /* not as an argument: which of those is drawn first, the compiler decides */
    memory_arm_lmdb((uint64_t)rng_spread(&r, 1, calls_max), rc);
}

static struct batch *last(struct server *v)
{
    assert(v->row_n);
    return &v->row[v->row_n - 1];
}

static void tap_input(struct sim *s, const struct input *in)
{
    struct server *v = &s->server;
    struct batch *b = last(v);
    if (b->tap_n == b->tap_cap)
        CHECK(s, b->tap = realloc(b->tap, (b->tap_cap = b->tap_cap * 2 + 64) * sizeof *b->tap));
    struct tapped *t = &b->tap[b->tap_n++];
    *t = (struct tapped){ .at = v->fed_us,
                          .wall_us = in->wall_us,
                          .message = in->kind == INPUT_MESSAGE,
                          .pressure = in->kind == INPUT_PRESSURE,
                          .full = in->full,
                          .peer = in->peer,
                          .from = b->out.n,
                          .wall_off_us = v->wall_off_us };
    if (t->message)
        t->m = *in->msg;
}

static enum store_rc step(struct sim *s, struct input *in)
{
    struct server *v = &s->server;
    struct batch *b = last(v);
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
    b->tap[b->tap_n - 1].to = b->out.n;
    b->tap[b->tap_n - 1].last_event = b->out.last_event;
    v->inputs++;
    return rc;
}

static struct batch *row_add(struct sim *s)
{
    struct server *v = &s->server;
    CHECK(s, v->row_n < ROW_MAX);
    struct batch *b = &v->row[v->row_n++];
    b->s = s;
    b->tap_n = b->frames = 0;
    b->there = b->answered = false;
    return b;
}

void batches_forget(struct server *v)
{
    for (; v->row_n; v->row_n--) {
        struct batch *b = last(v);
        while (b->frames)
            if (--b->frame[--b->frames]->refs == 0)
                free(b->frame[b->frames]);
    }
    v->in_flight = NULL;
}

void batches_free(struct server *v)
{
    batches_forget(v);
    for (size_t i = 0; i < ROW_MAX; i++) {
        free(v->row[i].frame);
        free(v->row[i].tap);
        effects_free(&v->row[i].out);
    }
}

/* What is to go wrong in the batch that begins, or ends. */
static void arm(struct sim *s, enum fate fate)
{
    struct server *v = &s->server;
    bool soon = v->in_flight != NULL; /* there is little in it */
    if (fate == NO_MEMORY)
        memory_arm((uint64_t)rng_spread(&v->rng, 1, soon ? 20 : 400));
    if (fate == LMDB_FAILS)
        server_arm_lmdb(s, "lmdb in a batch", soon ? 30 : 300);
    if (fate == SYNC_FAILS)
        store_faults(v->store)->fail_sync_after = 1;
    if (fate == PUT_FAILS)
        store_faults(v->store)->fail_put_after = (uint64_t)rng_spread(&v->rng, 1, soon ? 4 : 40);
    if (fate == COMMIT_FAILS)
        store_faults(v->store)->fail_commit_after = 1;
    if (fate == DISK_FAILS)
        server_arm_disk(s, 20);
}

/* `first` if there is one, pressure if it changed. */
static enum store_rc begin(struct sim *s, struct input *first, enum fate fate)
{
    struct server *v = &s->server;
    struct store_space space;
    CHECK(s, BROKER(store_pressure(v->store, s->now_us, &space)) ==
                 STORE_OK); /* the map grows; what the real disk holds must not matter here */
    struct batch *b = row_add(s);
    arm(s, fate);
    enum store_rc rc = BROKER(store_begin(v->store, &v->txn));
    if (rc != STORE_OK && disk_struck())
        return rc;
    CHECK(s, rc == STORE_OK);
    rc = BROKER(engine_batch_begin(v->engine, v->txn, &b->out));
    if (first && rc == STORE_OK)
        rc = step(s, first);
    if (v->full != v->told_full && rc == STORE_OK) {
        struct input in = { .kind = INPUT_PRESSURE,
                            .full = v->full,
                            .room_bytes = rng_chance(&v->rng, 500000) ? 1 << 20 : 1 << 30 };
        v->told_full = v->full;
        s->tally.pressure_beside += v->in_flight != NULL;
        rc = step(s, &in);
    }
    return rc;
}

/* The reader's, not the engine's: answered after the commit. */
static bool is_read(uint64_t type)
{
    const struct dispatch_row *row = dispatch_find(type);
    return row && row->handler == BY_READER;
}

/* They are the batch's from here on: what the tap keeps of their messages points into them. */
static void take_frames(struct sim *s, struct batch *b, size_t n)
{
    struct server *v = &s->server;
    if (b->frames + n > b->frame_cap)
        CHECK(s, b->frame = realloc(b->frame, (b->frame_cap = (b->frames + n) * 2) * sizeof(struct frame *)));
    if (n) {
        memcpy(b->frame + b->frames, v->inbox, n * sizeof *v->inbox);
        memmove(v->inbox, v->inbox + n, (v->inbox_n - n) * sizeof *v->inbox);
    }
    v->inbox_n -= n;
    b->frames += n;
}

/* The first `n` frames of the inbox, before a tick if asked for. */
static enum store_rc apply(struct sim *s, size_t n, bool ticks)
{
    struct server *v = &s->server;
    struct batch *b = last(v);
    enum store_rc rc = STORE_OK;
    size_t i = b->frames;
    take_frames(s, b, n);
    for (; i < b->frames && rc == STORE_OK; i++) {
        struct frame *f = b->frame[i];
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
    return rc;
}

/* A step failed, or the broker is killed before the commit: it dies. */
static void dies_in_it(struct sim *s, enum store_rc rc, enum fate fate)
{
    struct server *v = &s->server;
    if (rc != STORE_OK && disk_struck()) {
        memory_disarm();
        server_disk_struck(s, NULL);
        return;
    }
    bool no_memory = fate == NO_MEMORY && memory_failed(), asked_for = fate == PUT_FAILS || memory_lmdb_failed();
    if (!asked_for && (rc == STORE_CORRUPT || rc == STORE_IO))
        damage_ends(s, store_error_text(v->store));
    if (rc != STORE_OK && !asked_for && !(rc == STORE_NO_MEMORY && no_memory))
        sim_broken(s, "a step failed: %d %s", rc, store_error_text(v->store));
    s->tally.broker_kills_before += fate == DIES_BEFORE;
    s->tally.failed_writes += rc && fate == PUT_FAILS;
    s->tally.failed_store_calls += rc && fate == LMDB_FAILS;
    s->tally.broker_memory_failures += no_memory;
    memory_disarm();
    server_die(s, no_memory            ? "for want of memory"
                  : fate == LMDB_FAILS ? "by a call to the store's library that failed"
                  : rc                 ? "by a put that failed"
                                       : "before a commit");
}

/* What the engine has gathered; `rc` is of its steps. True if the broker lives on. */
static bool ends(struct sim *s, enum store_rc rc, enum fate fate)
{
    memory_go();
    if (rc == STORE_OK)
        rc = BROKER(engine_batch_end(s->server.engine));
    memory_pause();
    if (rc != STORE_OK || fate == DIES_BEFORE) {
        dies_in_it(s, rc, fate);
        return false;
    }
    return true;
}

static void send_frames(struct sim *s, struct batch *b)
{
    for (size_t i = 0; i < b->out.n && !b->answered; i++)
        net_send_down(s, b->out.v[i].peer, effect_frame(&b->out, &b->out.v[i]), b->out.v[i].n);
    b->answered = true;
}

/* The disk did what it was to do to a batch's write. If the store says all the same that it is good, it is answered, as a broker would. */
static void struck(struct sim *s, struct batch *b, bool good)
{
    b->there = good;
    if (good)
        send_frames(s, b);
    server_disk_struck(s, good ? NULL : b);
}

/* LMDB is to commit what the log holds. True if the broker lives on. */
static bool settling_fails(struct sim *s)
{
    server_arm_disk(s, 40);
    enum store_rc rc = BROKER(store_settle(s->server.store, SETTLE_ALL));
    if (rc != STORE_OK && !disk_struck()) {
        damage_ends(s, store_error_text(s->server.store));
        sim_broken(s, "the log does not settle: %d %s", rc, store_error_text(s->server.store));
    }
    if (disk_struck()) {
        s->tally.disk_faults_settling++;
        server_disk_struck(s, NULL);
        return false;
    }
    disk_disarm();
    return true;
}

/* True if the broker lives on. */
static bool commit_at_once(struct sim *s, enum fate fate)
{
    struct server *v = &s->server;
    struct batch *b = last(v);
    enum store_rc rc = BROKER(store_commit(&v->txn));
    if (disk_struck()) {
        struck(s, b, rc == STORE_OK);
        return false;
    }
    disk_disarm();
    if (rc != STORE_OK) {
        if (fate != COMMIT_FAILS && fate != SYNC_FAILS) {
            damage_ends(s, store_error_text(v->store));
            sim_broken(s, "a commit failed: %d %s", rc, store_error_text(v->store));
        }
        s->tally.failed_commits += fate == COMMIT_FAILS;
        s->tally.failed_syncs += fate == SYNC_FAILS;
        b->there = fate == SYNC_FAILS; /* nobody is told that it succeeded, but it did */
        server_die(s, fate == SYNC_FAILS ? "by a sync that failed" : "by a commit that failed");
        return false;
    }
    *store_faults(v->store) = (struct store_faults){ 0 };
    b->there = true;
    v->commits++;
    if (fate == DIES_AFTER) {
        s->tally.broker_kills_after++;
        server_die(s, "after a commit, before its answers");
        return false;
    }
    return fate != SETTLING_FAILS || settling_fails(s);
}

/* ---- when a row of batches is on disk ---- */

static void tell_row(struct sim *s)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < v->row_n; i++)
        tap_batch(s, &v->row[i]);
    for (size_t i = 0; i < v->row_n; i++) {
        send_frames(s, &v->row[i]);
        watchers_publish(s, &v->row[i].out);
    }
}

/* The reader names damage by an answer. */
void server_refused_as_damaged(struct sim *s, const struct slp_buf *page)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (s->branch_until_us && slp_decode(page->p, page->n, SLP_B2C | SLP_B2M, &m, &fault) == 0 && m.type == SLP_ERROR &&
        m.u.error.code == SLP_E_CORRUPT)
        damage_refused(s);
}

static void answer_reads(struct sim *s, const struct batch *b)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < b->frames; i++) {
        struct frame *f = b->frame[i];
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
            damage_ends(s, "a read failed");
        CHECK(s, rc == 0);
        server_refused_as_damaged(s, &v->page);
        net_send_down(s, f->peer, v->page.p, v->page.n);
    }
}

void batches_plan_tick(struct sim *s)
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

static void plan_batch(struct sim *s)
{
    struct server *v = &s->server;
    v->batch_due = true;
    sched_at(s, s->now_us + rng_range(&v->rng, 50, s->plan.sync_max_us), batch, v->life, 0);
}

static void maybe_settle(struct sim *s)
{
    struct server *v = &s->server;
    if (!rng_chance(&v->rng, 20000)) /* as the committer does when it is idle */
        return;
    bool all = rng_chance(&v->rng, 500000);
    enum store_rc rc = BROKER(store_settle(v->store, all ? SETTLE_ALL : SETTLE_IDLE));
    if (rc) {
        damage_ends(s, store_error_text(v->store));
        sim_broken(s, "the log does not settle: %d %s", rc, store_error_text(v->store));
    }
}

/* All that was begun is on disk. */
static void row_over(struct sim *s, enum fate fate)
{
    struct server *v = &s->server;
    tell_row(s);
    for (size_t i = 0; i < v->row_n; i++)
        answer_reads(s, &v->row[i]);
    s->tally.broker_memory_failures += fate == NO_MEMORY && memory_failed();
    memory_disarm();
    batches_forget(v);
    if (v->inbox_n)
        plan_batch(s);
    else
        maybe_settle(s);
    batches_plan_tick(s);
}

/* ---- one batch beside the other ---- */

/* As written() in broker/committer.c: the answers leave the moment it is on disk, whatever the broker is at. */
static void written(void *arg, bool good)
{
    struct batch *b = arg;
    bool was = in_broker;
    in_broker = false;
    b->there = good;
    if (good && !b->s->server.mute)
        send_frames(b->s, b);
    in_broker = was;
}

/* False: it is on disk already. */
static bool hand_over(struct sim *s)
{
    struct server *v = &s->server;
    struct batch *b = last(v);
    bool writing = false;
    v->mute = false;
    enum store_rc rc = BROKER(store_commit_begin(&v->txn, written, b, &writing));
    if (rc != STORE_OK) {
        damage_ends(s, store_error_text(v->store));
        sim_broken(s, "a commit failed: %d %s", rc, store_error_text(v->store));
    }
    v->commits++;
    if (writing)
        v->in_flight = b;
    else
        b->there = true;
    return writing;
}

static size_t some_of_inbox(struct sim *s)
{
    struct server *v = &s->server;
    uint64_t max = s->calm ? 200 : s->plan.batch_max;
    return v->inbox_n > max ? (size_t)rng_range(&v->rng, 1, (int64_t)max) : v->inbox_n;
}

/* A step of the batch beside fails: the one under way is on the disk then, or it is not, and its answers are out, or they are not. */
static void dies_beside(struct sim *s, enum store_rc rc, enum fate fate)
{
    struct server *v = &s->server;
    uint64_t before = rng_below(&v->beside, 3);
    store_faults(v->store)->cut_write = before == 0;
    v->mute = before == 1;
    s->tally.failures_beside += fate != LIVES;
    dies_in_it(s, rc, fate);
}

static enum fate fate_beside(struct server *v)
{
    static const enum fate fates[] = { NO_MEMORY, NO_MEMORY, PUT_FAILS, LMDB_FAILS };
    return v->doom == NEXT_FAILS && !v->spared ? fates[rng_below(&v->beside, 4)] : LIVES;
}

/* Of what has come, into the batch that is applied beside the one under way. True if the broker lives on. */
static bool apply_beside(struct sim *s, bool ticks)
{
    struct server *v = &s->server;
    if (store_settle_due(v->store) || (v->txn && last(v)->tap_n >= BESIDE_MESSAGES_MAX))
        return true; /* it waits for the next batch: see batch_beside() */
    enum fate fate = fate_beside(v);
    enum store_rc rc = STORE_OK;
    s->tally.batches_beside += !v->txn;
    if (!v->txn)
        rc = begin(s, NULL, fate);
    else
        arm(s, fate);
    if (rc == STORE_OK)
        rc = apply(s, some_of_inbox(s), ticks);
    if (rc != STORE_OK) {
        dies_beside(s, rc, fate);
        return false;
    }
    if (fate != LIVES) { /* it did not come to that */
        memory_disarm();
        *store_faults(v->store) = (struct store_faults){ 0 };
    }
    return true;
}

/* The batch under way is written, or it is not. True if the broker lives on; then its answers are out. */
static bool flight_ends(struct sim *s, enum doom doom)
{
    struct server *v = &s->server;
    struct batch *b = v->in_flight;
    if (doom == CUT_OFF || doom == WRITE_FAILS_BESIDE)
        store_faults(v->store)->cut_write = 1 + rng_below(&v->beside, 8);
    if (doom == SYNC_FAILS_BESIDE)
        store_faults(v->store)->cut_write = UINT64_MAX;
    if (doom == DISK_FAILS_BESIDE)
        server_arm_disk(s, 2);
    v->mute = doom == UNANSWERED;
    if (doom == CUT_OFF || doom == WRITE_FAILS_BESIDE)
        disk_log_dies();
    s->tally.kills_while_written += doom == CUT_OFF;
    s->tally.kills_when_written += doom == UNANSWERED;
    s->tally.failed_writes_beside += doom == WRITE_FAILS_BESIDE;
    s->tally.failed_syncs_beside += doom == SYNC_FAILS_BESIDE;
    if (doom == CUT_OFF || (doom == UNANSWERED && rng_chance(&v->beside, 500000))) {
        server_die(s, doom == CUT_OFF ? "while a batch is written" : "when a batch is written, before its answers");
        return false;
    }
    enum store_rc rc = BROKER(store_commit_end(v->store));
    bool fails = doom == WRITE_FAILS_BESIDE || doom == SYNC_FAILS_BESIDE;
    v->in_flight = NULL;
    if (disk_struck()) {
        s->tally.disk_faults_beside++;
        struck(s, b, b->answered);
        return false;
    }
    disk_disarm();
    if (rc != STORE_OK && !fails) {
        damage_ends(s, store_error_text(v->store));
        sim_broken(s, "a batch was not written: %d %s", rc, store_error_text(v->store));
    }
    if (fails && (rc == STORE_OK || b->answered))
        sim_broken(s, "the write of a batch failed, and %s",
                   rc == STORE_OK ? "the next one goes on" : "it is answered");
    b->there = !fails || doom == SYNC_FAILS_BESIDE;
    if (fails || doom == UNANSWERED)
        server_die(s, doom == UNANSWERED          ? "when a batch is written, before its answers"
                      : doom == SYNC_FAILS_BESIDE ? "by a sync that failed, while the next batch was applied"
                                                  : "by a write that failed, while the next batch was applied");
    return v->up;
}

/* The one before it is answered; what befalls the next one at its end. */
static enum fate fate_of_next(struct sim *s)
{
    static const enum fate fates[] = { DIES_BEFORE, COMMIT_FAILS, SYNC_FAILS, DIES_AFTER };
    s->tally.failures_between++;
    return fates[rng_below(&s->server.beside, 4)];
}

/* As commit_row() in broker/committer.c: the batch under way comes to the disk, the one that was applied meanwhile follows, and so on. */
static void land(struct sim *s)
{
    struct server *v = &s->server;
    for (bool on = true; on;) {
        bool spared = v->spared > 0;
        enum doom doom = spared ? UNHARMED : v->doom;
        if ((spared || doom == NEXT_FAILS || (doom && !v->txn)) && !apply_beside(s, true))
            return;
        v->spared -= spared;
        if (!flight_ends(s, doom))
            return;
        if (!v->txn)
            break;
        enum fate fate = doom == BETWEEN                 ? fate_of_next(s)
                         : doom == DISK_FAILS_NEXT       ? DISK_FAILS
                         : doom == SETTLING_FAILS_BESIDE ? SETTLING_FAILS
                                                         : LIVES;
        arm(s, fate);
        if (!ends(s, STORE_OK, fate))
            return;
        on = false;
        if (fate == LIVES && v->row_n < ROW_MAX && (spared || rng_chance(&v->beside, s->plan.beside_ppm))) {
            on = hand_over(s);
            if (on && v->inbox_n && !apply_beside(s, rng_chance(&v->beside, 100000)))
                return;
        } else if (!commit_at_once(s, fate)) {
            return;
        }
    }
    v->doom = UNHARMED;
    row_over(s, LIVES);
}

static void landing(struct sim *s, uint64_t life, uint64_t flight)
{
    struct server *v = &s->server;
    if (v->up && life == v->life && flight == v->flights && v->in_flight)
        land(s);
}

void server_lands(struct sim *s)
{
    if (s->server.up && s->server.in_flight)
        land(s);
}

/* How long the write takes. Where a step of the next batch is to fail, until something comes. */
static int64_t flight_us(struct sim *s)
{
    struct server *v = &s->server;
    if (v->doom == NEXT_FAILS)
        return rng_range(&v->beside, SEC, 2 * MINUTE);
    bool slow =
        v->doom || rng_chance(&v->beside, 200000); /* a disk that has other things to do: much comes meanwhile */
    return rng_spread(&v->beside, 50, slow ? 10 * SEC : s->plan.sync_max_us + s->plan.batch_max_us);
}

static void take_off(struct sim *s)
{
    struct server *v = &s->server;
    v->flights++;
    sched_at(s, s->now_us + flight_us(s), landing, v->life, v->flights);
    if (v->inbox_n)
        plan_batch(s);
    batches_plan_tick(s);
}

/* ---- when ---- */

void batches_run(struct sim *s, bool ticks, enum fate fate, bool beside)
{
    struct server *v = &s->server;
    size_t n = some_of_inbox(s);
    if (beside && n > 1) /* there is something for the next one */
        n = 1 + rng_below(&v->beside, n);
    v->batches++;
    enum store_rc rc = begin(s, NULL, fate);
    if (rc == STORE_OK)
        rc = apply(s, n, ticks);
    if (!ends(s, rc, fate))
        return;
    if (fate == LIVES && (beside || rng_chance(&v->beside, s->plan.beside_ppm))) {
        if (hand_over(s)) {
            take_off(s);
            return;
        }
    } else if (!commit_at_once(s, fate)) {
        return;
    }
    v->doom = UNHARMED;
    row_over(s, fate);
}

bool batches_boot(struct sim *s, struct input *boot)
{
    struct server *v = &s->server;
    if (!ends(s, begin(s, boot, LIVES), LIVES) || !commit_at_once(s, LIVES))
        return false;
    tell_row(s);
    batches_forget(v);
    return true;
}

static void come(struct sim *s, bool ticks)
{
    struct server *v = &s->server;
    if (!v->in_flight) {
        batches_run(s, ticks, LIVES, false);
        return;
    }
    if (apply_beside(s, ticks) && v->inbox_n && !v->batch_due)
        plan_batch(s);
}

static void batch(struct sim *s, uint64_t life, uint64_t unused)
{
    (void)unused;
    if (!s->server.up || life != s->server.life)
        return;
    s->server.batch_due = false;
    if (server_disk_strikes(s))
        return;
    come(s, rng_chance(&s->server.rng, 100000));
}

static void tick(struct sim *s, uint64_t life, uint64_t at)
{
    struct server *v = &s->server;
    if (!v->up || life != v->life || (int64_t)at != v->tick_at_us)
        return;
    v->tick_at_us = 0;
    int64_t due = v->txn ? INT64_MAX : BROKER(engine_next_due_us(v->engine));
    s->tally.late_ticks += due != INT64_MAX && server_elapsed_us(s) - due >= SEC;
    come(s, true);
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

/* ---- asking without a network ---- */

const struct slp_msg *server_ask(struct sim *s, uint64_t type, const void *any)
{
    static struct slp_msg q, a;
    static struct slp_buf ask, answer;
    struct server *v = &s->server;
    struct slp_fault fault;
    server_lands(s);
    if (!v->up)
        return NULL;
    slp_buf_clear(&ask);
    slp_buf_clear(&answer);
    CHECK(s, slp_encode(&ask, type, 1, any) == 0 && slp_decode(ask.p, ask.n, SLP_C2B, &q, &fault) == 0);
    struct input in = { .kind = INPUT_MESSAGE, .peer = UINT64_MAX, .msg = &q };
    struct batch *b = row_add(s);
    CHECK(s, BROKER(store_begin(v->store, &v->txn)) == STORE_OK &&
                 BROKER(engine_batch_begin(v->engine, v->txn, &b->out)) == STORE_OK);
    enum store_rc rc = step(s, &in);
    if (rc == STORE_OK)
        rc = BROKER(engine_batch_end(v->engine));
    if (rc == STORE_OK)
        rc = BROKER(store_commit(&v->txn));
    if (rc) {
        damage_ends(s, store_error_text(v->store));
        sim_broken(s, "a step failed: %d %s", rc, store_error_text(v->store));
    }
    for (size_t i = 0; i < b->out.n; i++)
        if (b->out.v[i].peer == UINT64_MAX)
            slp_buf_add(&answer, effect_frame(&b->out, &b->out.v[i]), b->out.v[i].n);
    tap_batch(s, b);
    for (size_t i = 0; i < b->out.n; i++)
        if (b->out.v[i].peer != UINT64_MAX)
            net_send_down(s, b->out.v[i].peer, effect_frame(&b->out, &b->out.v[i]), b->out.v[i].n);
    batches_forget(v);
    batches_plan_tick(s);
    CHECK(s, answer.n && slp_decode(answer.p, answer.n, SLP_B2C, &a, &fault) == 0);
    return &a;
}
