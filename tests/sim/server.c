/* The broker of this world: the real engine over a real store, with the committer's order of things (batch.c). It dies in all the ways in which a process can: before a
 * commit, after it and before the answers, while one batch is written and the next one applied, by an error of the disk; and comes back over what the store holds. */
#include <dirent.h>
#include <inttypes.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

static happening crash, restart, pressure, wall;

int64_t server_elapsed_us(const struct sim *s)
{
    return s->server.elapsed_base_us + s->now_us;
}
int64_t server_wall_us(const struct sim *s)
{
    return WALL_BEGIN_US + s->now_us + s->server.wall_off_us;
}

/* ---- up and down ---- */

/* False: memory ran out, or a call to LMDB failed that was to, or the disk did. */
static bool open_store(struct sim *s)
{
    struct server *v = &s->server;
    enum store_rc rc;
    struct store_options o = { .dir = v->dir,
                               .map_bytes = 1 << 28,
                               .reserve_bytes = 1,
                               .wal_bytes = s->plan.wal_bytes,
                               .no_sync = true,
                               .lmdb_asserted = broken_tree_asserted };
    struct engine_config cfg = { .heartbeat_us = s->plan.heartbeat_us,
                                 .grace_us = s->plan.grace_us,
                                 .start_by_us = s->plan.start_by_us,
                                 .queue_tasks_max = s->plan.quota,
                                 .event_keep_max = s->plan.event_keep,
                                 .event_keep_us = s->plan.event_keep_us,
                                 .portion_max = s->plan.portion_max };
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
    if (!v->reader && (memory_failed() || memory_lmdb_failed() || disk_struck()))
        return false;
    if (!v->store) {
        damage_ends(s, text);
        sim_broken(s, "the store does not open: %d %s", rc, text);
    }
    if (!v->engine) {
        damage_ends(s, store_error_text(v->store));
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

/* What the dead broker's store holds that the checker was not told of: answered or not, it counts. Read as `sunline check` does, so that the next start finds the
 * log as it was left. */
static void look(struct sim *s)
{
    struct server *v = &s->server;
    struct store_options o = {
        .dir = v->dir, .map_bytes = 1 << 28, .read_only = true, .no_sync = true, .lmdb_asserted = broken_tree_asserted
    };
    char text[200] = "";
    bool any = false;
    for (size_t i = 0; i < v->row_n; i++)
        any = any || v->row[i].there;
    if (!any)
        return;
    enum store_rc rc = BROKER(store_open(&v->store, &o, NULL, text, sizeof text));
    if (rc != STORE_OK) {
        damage_ends(s, text);
        sim_broken(s, "a dead broker's store cannot be looked at: %d %s", rc, text);
    }
    CHECK(s, v->reader = reader_new(v->store));
    for (size_t i = 0; i < v->row_n; i++)
        if (v->row[i].there)
            tap_batch(s, &v->row[i]);
    close_store(v);
}

/* Of what the disk had not synced. The files are closed. */
static void lose_unsynced(struct sim *s)
{
    struct server *v = &s->server;
    uint64_t lost = disk_loses(&v->disk);
    s->tally.sectors_lost += lost;
    if (lost)
        TELL(s, "broker: its disk has lost %" PRIu64 " sectors", lost);
    if (v->in_doubt)
        v->in_doubt->there = disk_kept();
    v->in_doubt = NULL;
    v->power_went = v->power_went || (disk_struck() && disk_armed() == DISK_POWER);
    if (disk_struck() && disk_is_full())
        v->no_room_until_us = s->now_us + rng_spread(&v->disk, SEC, HOUR);
    disk_disarm();
}

void server_die(struct sim *s, const char *how)
{
    struct server *v = &s->server;
    int64_t down = s->calm ? SEC : rng_spread(&v->rng, SEC / 2, s->plan.down_max_us);
    TELL(s, "broker: dies %s, down for %" PRId64 " ms", how, down / 1000);
    in_broker = true;
    store_abort(&v->txn);
    in_broker = false;
    close_store(v);
    lose_unsynced(s);
    look(s);
    batches_forget(v);
    drop_inbox(s);
    v->up = v->batch_due = v->mute = false;
    v->doom = UNHARMED;
    v->spared = 0;
    v->life++;
    v->crashes++;
    sched_at(s, s->now_us + down, restart, v->life, 0);
}

void server_disk_dies(struct sim *s, const char *how)
{
    if (s->server.in_flight)
        store_faults(s->server.store)->cut_write = 1;
    server_die(s, how);
}

/* ---- faults ---- */

void server_arm_disk(struct sim *s, int64_t calls_max)
{
    struct server *v = &s->server;
    int64_t calls = v->trouble == DISK_POWER ? calls_max : 2; /* LMDB's commit has two syncs */
    uint64_t nth = (uint64_t)rng_spread(&v->disk, 1, calls);
    bool reaches = rng_chance(&v->disk, 500000);
    disk_arm(v->trouble, nth, reaches);
}

static void count_trouble(struct sim *s)
{
    s->tally.lost_syncs += disk_armed() == DISK_SYNC_LOSES;
    s->tally.broker_power_cuts += disk_armed() == DISK_POWER;
    s->tally.full_disks += disk_is_full();
}

static const char *const troubles[] = { "", "by a sync that failed, and lost what it was for",
                                        "with its machine, whose power is cut", "on a full disk", "on a full disk" };

void server_disk_struck(struct sim *s, struct batch *b)
{
    count_trouble(s);
    s->server.in_doubt = b;
    server_die(s, troubles[disk_armed()]);
}

/* The batch under way, or one that is handed over now, meets its doom. */
static void doom_comes(struct sim *s, bool ticks)
{
    if (!s->server.in_flight)
        batches_run(s, ticks, LIVES, true);
    else
        server_lands(s);
}

static void disk_does_it(struct sim *s, bool ticks)
{
    struct server *v = &s->server;
    v->trouble = DISK_WELL + 1 + (enum disk_fault)rng_below(&v->disk, 4);
    if (s->plan.beside_ppm && rng_chance(&v->disk, 500000)) {
        v->doom = DOOMS + (enum doom)rng_below(&v->disk, DISK_DOOMS - DOOMS);
        doom_comes(s, ticks);
    } else {
        server_lands(s);
        if (v->up)
            batches_run(s, ticks, rng_chance(&v->disk, 500000) ? DISK_FAILS : SETTLING_FAILS, false);
    }
}

/* Some of what befalls the broker is its disk's doing, where it has a bad one. */
static bool disk_may(struct sim *s)
{
    return s->plan.disk_ppm && rng_chance(&s->server.disk, s->plan.disk_ppm);
}

/* Something that the next batch would acknowledge. */
static bool promises(struct sim *s)
{
    struct server *v = &s->server;
    for (size_t i = 0; i < v->inbox_n; i++) {
        struct slp_msg m;
        struct slp_fault fault;
        CHECK(s, slp_decode(v->inbox[i]->bytes, v->inbox[i]->n, SLP_A2B | SLP_C2B, &m, &fault) == 0);
        if (m.type == SLP_ACTS || m.type == SLP_SUBMIT)
            return true;
    }
    return false;
}

bool server_disk_strikes(struct sim *s)
{
    struct server *v = &s->server;
    if (!v->strikes || s->calm || !promises(s))
        return false;
    v->strikes = false;
    disk_does_it(s, rng_chance(&v->disk, 500000));
    return true;
}

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
        bool ticks = rng_chance(&v->rng, 500000);
        v->strikes = v->strikes || disk_may(s);
        if (disk_may(s)) {
            disk_does_it(s, ticks);
        } else if (s->plan.beside_ppm && rng_chance(&v->beside, 500000)) {
            v->doom = UNHARMED + 1 + (enum doom)rng_below(&v->beside, DOOMS - 1);
            v->spared = rng_below(&v->beside, 3) == 0;
            doom_comes(s, ticks);
        } else {
            server_lands(s);
            if (v->up)
                batches_run(s, ticks, f, false);
        }
        if (v->up && v->store)
            *store_faults(v->store) = (struct store_faults){ 0 };
    }
    again(s, s->plan.crash_every_us, crash);
}

/* The disk is still full, or the next cut of the power comes while the log is settled. */
static void disk_at_start(struct sim *s)
{
    struct server *v = &s->server;
    if (s->calm)
        return;
    if (s->now_us < v->no_room_until_us) {
        disk_arm(rng_chance(&v->disk, 500000) ? DISK_FULL : DISK_FULL_FILES, 1, false);
    } else if (s->plan.disk_ppm && v->restarts && rng_chance(&v->disk, s->plan.disk_ppm / 2)) {
        v->trouble = rng_chance(&v->disk, 700000) ? DISK_POWER : DISK_SYNC_LOSES;
        server_arm_disk(s, 40);
    }
}

static void comes_not_up(struct sim *s, bool by_lmdb)
{
    struct server *v = &s->server;
    bool disk = disk_struck();
    TELL(s, "broker: does not come up%s%s",
         disk      ? ": dies "
         : by_lmdb ? ": a call to the store's library failed"
                   : " for want of memory",
         disk ? troubles[disk_armed()] : "");
    s->tally.broker_memory_failures += !by_lmdb && !disk;
    s->tally.failed_store_calls += by_lmdb && !disk;
    s->tally.disk_faults_at_starts += disk;
    if (disk)
        count_trouble(s);
    close_store(v);
    lose_unsynced(s);
    sched_at(s, s->now_us + rng_spread(&v->rng, SEC, MINUTE), restart, v->life, 0);
}

static void restart(struct sim *s, uint64_t life, uint64_t unused)
{
    struct server *v = &s->server;
    (void)unused;
    if (life != v->life || v->up)
        return;
    damage_maybe(s);
    if (!s->calm && rng_chance(&v->rng, s->plan.memory_ppm / 4))
        memory_arm((uint64_t)rng_spread(&v->rng, 1, 2000));
    struct rng lr = rng_of(s->plan.seed, "lmdb at a start", (uint64_t)s->now_us);
    if (!s->calm && rng_chance(&lr, s->plan.io_ppm / 4))
        server_arm_lmdb(s, "lmdb at a start", 2000);
    disk_at_start(s);
    bool open = open_store(s);
    bool by_lmdb = memory_lmdb_failed() != NULL;
    memory_disarm();
    if (!open) {
        comes_not_up(s, by_lmdb);
        return;
    }
    if (!disk_is_full())
        disk_disarm();
    v->up = true;
    v->restarts++;
    int64_t stored = engine_elapsed_us(v->engine);
    v->fed_us = stored;
    bool reboots = !s->calm && rng_chance(&v->rng, s->plan.reboot_ppm);
    if (reboots || v->power_went) {
        v->elapsed_base_us = stored - s->now_us; /* the machine was off: how long, nobody knows */
        s->tally.broker_reboots++;
    }
    if (server_elapsed_us(s) < stored || v->went_back)
        v->elapsed_base_us = stored - s->now_us;
    v->told_full = v->went_back = v->power_went = false;
    v->tick_at_us = 0;
    struct input boot = { .kind = INPUT_BOOT, .restart = rng_u64(&v->rng) };
    TELL(s, "broker: is up");
    if (batches_boot(s, &boot)) {
        disk_disarm(); /* somebody has made room */
        batches_plan_tick(s);
    }
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

const struct slp_msg *server_page(struct sim *s, uint64_t type, const void *any)
{
    static struct slp_msg m;
    static struct slp_buf ask;
    struct server *v = &s->server;
    struct slp_fault fault;
    slp_buf_clear(&ask);
    slp_buf_clear(&v->page);
    CHECK(s, slp_encode(&ask, type, 1, any) == 0 && slp_decode(ask.p, ask.n, SLP_C2B, &m, &fault) == 0);
    if (BROKER(reader_answer(v->reader, &m, server_elapsed_us(s), &v->page)) != 0) {
        damage_ends(s, "a read failed");
        sim_broken(s, "a read failed");
    }
    server_refused_as_damaged(s, &v->page);
    CHECK(s, slp_decode(v->page.p, v->page.n, SLP_B2C | SLP_B2M, &m, &fault) == 0);
    return &m;
}

const struct slp_msg *server_read(struct sim *s, uint64_t type, const void *any)
{
    server_lands(s);
    return s->server.up ? server_page(s, type, any) : NULL;
}

/* ---- life ---- */

void server_open(struct sim *s)
{
    struct server *v = &s->server;
    v->rng = rng_of(s->plan.seed, "server", 0);
    v->beside = rng_of(s->plan.seed, "beside", 1); /* dice of their own: worlds without it stay as they were */
    snprintf(v->dir, sizeof v->dir, "%s/sunline-sim-XXXXXX", s->opt.dir);
    if (!mkdtemp(v->dir))
        sim_broken(s, "%s cannot be made", v->dir);
    v->disk = rng_of(s->plan.seed, "disk", 1);
    disk_of(v->dir);
    disk_follow(s->plan.disk_ppm > 0);
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
    v->doom = UNHARMED;
    v->spared = 0;
    v->no_room_until_us = 0;
    server_lands(s);
    if (!v->up)
        restart(s, v->life, 0);
    else
        batches_plan_tick(s);
}

void server_close(struct sim *s)
{
    struct server *v = &s->server;
    v->mute = true;
    store_abort(&v->txn);
    close_store(v);
    drop_inbox(s);
    free(v->inbox);
    batches_free(v);
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
