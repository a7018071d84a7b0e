/* The wiring and the thread of the sockets: see loop.h.
 *
 * Ticks and gaps. Timers (leases, back-offs, silent sessions) run only when the engine is given a tick, and the tick is
 * asked for here. When this process was stopped, or the machine slept, submits and heartbeats have piled up in the
 * sockets while their leases ran out; they must be taken in before anything expires. So after a gap (a poll that
 * returned much later than it should have) ticks are held back until nothing has come in for HOLD_QUIET_US, but at most
 * HOLD_MAX_US: ZeroMQ's own threads need a moment to read what the kernel kept.
 *
 * So it is when the disk stood still, and what gathered meanwhile was more than the inbox takes: the rest waits in the sockets. But where
 * every batch takes that long, time must go on: that is made up for once, and again when a tick was done or none was due. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "broker/failed.h"
#include "broker/files.h"
#include "broker/notify.h"
#include "broker/parts.h"

#define POLL_MAX_US 1000000
#define GAP_US 1000000
#define HOLD_QUIET_US 150000
#define HOLD_MAX_US 3000000
#define HOLD_POLL_US 20000
#define AGENT_HEARD_US (120 * 1000000ll) /* who is told that the broker stops */
#define FILES_KEPT_BACK 128
#define LEAD_MESSAGES 16      /* that come at once, whoever they are for: more, and the committer does not lead, ... */
#define LEAD_QUIET_US 100000  /* ... until it has been quiet for so long */
#define TRIM_AFTER_US 1000000 /* ZeroMQ's threads need a moment to let go */
#define EXIT_CONFIG 1

/* ---- starting ---- */

static int fail(const char *event, const char *text)
{
    log_text(LOG_LEVEL_ERROR, event, text);
    return EXIT_CONFIG;
}

/* As many descriptors as we may have; what is kept back serves the store, backups, the log. Returns how many
 * connections each side may have, so that all together can never use up what there is. */
static uint32_t connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 256;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t was = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
            limit.rlim_cur = was;
        }
    }
    rlim_t each =
        limit.rlim_cur > 2 * FILES_KEPT_BACK ? (limit.rlim_cur - FILES_KEPT_BACK) / SIDE_COUNT : limit.rlim_cur / 8;
    return each < 2 * SL_PEERS_MAX ? (uint32_t)each : 2 * SL_PEERS_MAX;
}

static bool serve(void *arg, int64_t wait_us);
static void deliver_now(void *arg);

static void settle_wanted(void *arg)
{
    struct loop *l = arg;
    inbox_settle(l->inbox);
    if (leader_passed(l->leader)) { /* it may wait at the sockets, not at the inbox */
        outbox_wake(l->outbox);
    }
}

static int open_store(struct loop *l)
{
    char text[512] = "";
    uint8_t id[16];
    if (getrandom(id, sizeof id, 0) != sizeof id) {
        return fail("start_failed", "the system has no random numbers");
    }
    const struct store_options o = {
        .dir = l->config.data,
        .map_bytes = l->config.map_bytes,
        .reserve_bytes = l->config.reserve_bytes,
        .wal_bytes = l->config.wal_bytes / 512 * 512,
        .settle_wanted = settle_wanted,
        .settle_arg = l,
        .lmdb_asserted = broken_tree_asserted,
    };
    enum store_rc rc = store_open(&l->store, &o, id, text, sizeof text);
    if (rc == STORE_OK) {
        return 0;
    }
    struct log_line line;
    log_begin(&line, LOG_LEVEL_ERROR, rc == STORE_LOCKED ? "store_locked" : "store_unusable");
    log_str(&line, "data", l->config.data);
    log_str(&line, "text", rc == STORE_LOCKED ? "another sunlined serves this data folder" : text);
    log_end(&line);
    return rc == STORE_IO || rc == STORE_CORRUPT ? FAILED_EXIT : EXIT_CONFIG;
}

/* The first start on a backup. */
static enum store_rc restore_copy(struct loop *l)
{
    uint8_t id[16];
    uint64_t first;
    struct log_line line;
    if (getrandom(id, sizeof id, 0) != sizeof id) {
        log_text(LOG_LEVEL_ERROR, "start_failed", "the system has no random numbers");
        return STORE_IO;
    }
    enum store_rc rc = engine_restore(l->store, id, clock_wall_us(), &first);
    if (rc == STORE_OK) {
        log_begin(&line, LOG_LEVEL_INFO, "store_restored");
        log_str(&line, "data", l->config.data);
        log_u64(&line, "first_assignment", first);
        log_end(&line);
    } else if (rc == STORE_FULL) {
        log_text(LOG_LEVEL_ERROR, "start_failed", "the wall clock is decades ahead of the backup's: set it");
    }
    return rc;
}

static int open_engine(struct loop *l)
{
    enum store_rc rc = STORE_OK;
    uint32_t found = store_format(l->store);
    if (store_is_copy(l->store)) {
        rc = restore_copy(l);
    }
    if (rc == STORE_FULL) {
        return EXIT_CONFIG;
    }
    l->engine = rc == STORE_OK ? engine_open(l->store, &l->config.engine, &rc) : NULL;
    if (store_format(l->store) != found) {
        struct log_line line;
        log_begin(&line, LOG_LEVEL_INFO, "store_upgraded");
        log_str(&line, "data", l->config.data);
        log_u64(&line, "from_format", found);
        log_u64(&line, "to_format", store_format(l->store));
        log_end(&line);
    }
    if (!l->engine) {
        struct log_line line;
        log_begin(&line, LOG_LEVEL_ERROR, "store_unusable");
        log_u64(&line, "code", rc);
        log_str(&line, "text", store_error_text(l->store));
        log_end(&line);
        return FAILED_EXIT;
    }
    if (clock_start(&l->clock, l->config.data, store_id(l->store), engine_elapsed_us(l->engine)) < 0) {
        struct log_line line;
        log_begin(&line, LOG_LEVEL_ERROR, "start_failed");
        log_str(&line, "file", "clock");
        log_str(&line, "text", strerror(errno));
        log_end(&line);
        return EXIT_CONFIG;
    }
    return 0;
}

/* The committer, and the start itself on disk. */
static int make_committer(struct loop *l)
{
    l->inbox = inbox_new();
    l->outbox = outbox_new();
    l->topics = topics_new();
    l->leader = leader_new();
    if (!l->inbox || !l->outbox || !l->topics || !l->leader) {
        return fail("start_failed", "out of memory");
    }
    struct committer_options o = {
        .store = l->store,
        .engine = l->engine,
        .clock = &l->clock,
        .inbox = l->inbox,
        .outbox = l->outbox,
        .leader = l->leader,
        .serve = serve,
        .deliver = deliver_now,
        .serve_arg = l,
    };
    if (getrandom(&o.restart, sizeof o.restart, 0) != sizeof o.restart) {
        return fail("start_failed", "the system has no random numbers");
    }
    l->committer = committer_new(&o);
    if (!l->committer) {
        return fail("start_failed", "out of memory");
    }
    l->last_event = committer_boot(l->committer);
    return 0;
}

static int open_sockets(struct loop *l)
{
    char text[512];
    const struct transport_options o = {
        .endpoint = { l->config.clients, l->config.agents, l->config.events },
        .peer_bytes_max = l->config.peer_bytes_max,
        .out_bytes_max = l->config.out_bytes_max,
        .connections_max = connections_max(),
    };
    return transport_open(&l->transport, &o, text, sizeof text) < 0 ? fail("bind_failed", text) : 0;
}

static int start_threads(struct loop *l)
{
    l->readers = readers_start(l->store, &l->clock, l->outbox);
    if (!l->readers) {
        return fail("start_failed", strerror(errno));
    }
    l->publisher = publisher_start(l->store, l->topics, l->outbox, l->last_event);
    if (!l->publisher) {
        return fail("start_failed", strerror(errno));
    }
    if (committer_start(l->committer) < 0) {
        return fail("start_failed", strerror(errno));
    }
    l->committing = true;
    return 0;
}

static int start_http(struct loop *l)
{
    char text[512];
    if (!*l->config.http) {
        return 0;
    }
    return http_start(&l->http, l->config.http, transport_endpoint(l->transport, SIDE_CLIENTS), text, sizeof text) < 0
               ? fail("bind_failed", text)
               : 0;
}

static int open_signals(struct loop *l)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return l->signal_fd < 0 ? fail("start_failed", strerror(errno)) : 0;
}

/* Tell where we listen: the log, DATA/endpoints for tools, ready_fd for whoever started us, the service manager. */
static int announce(struct loop *l, int ready_fd)
{
    char text[4 * ENDPOINT_BYTES_MAX + 64];
    const char *c = transport_endpoint(l->transport, SIDE_CLIENTS), *a = transport_endpoint(l->transport, SIDE_AGENTS),
               *e = transport_endpoint(l->transport, SIDE_EVENTS);
    int n = snprintf(text, sizeof text, "clients=%s\nagents=%s\nevents=%s\n", c, a, e);
    if (l->http) {
        n += snprintf(text + n, sizeof text - (size_t)n, "http=%s\n", http_endpoint(l->http));
    }
    if (file_replace(l->config.data, "endpoints", text, (size_t)n) < 0) {
        return fail("start_failed", "DATA/endpoints cannot be written");
    }
    l->announced = true;
    struct log_line line;
    log_begin(&line, LOG_LEVEL_INFO, "listening");
    log_str(&line, "clients", c);
    log_str(&line, "agents", a);
    log_str(&line, "events", e);
    if (l->http) {
        log_str(&line, "http", http_endpoint(l->http));
    }
    log_str(&line, "data", l->config.data);
    log_str(&line, "version", SUNLINE_VERSION);
    log_u64(&line, "event_seq", l->last_event);
    log_i64(&line, "start_us", clock_boot_us() - l->started_us);
    log_end(&line);
    if (ready_fd >= 0) {
        if (dprintf(ready_fd, "%s %s %s\n", c, a, e) < 0) {
            log_text(LOG_LEVEL_WARN, "ready_unheard", strerror(errno));
        }
        close(ready_fd);
    }
    notify("READY=1");
    return 0;
}

int loop_start(struct loop **out, const struct loop_options *o)
{
    static int (*const steps[])(struct loop *) = {
        open_signals, open_store, open_engine, make_committer, open_sockets, start_threads, start_http,
    };
    *out = NULL;
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        return fail("start_failed", "out of memory");
    }
    l->config = *o->config;
    l->reload = o->reload;
    l->reload_arg = o->reload_arg;
    l->signal_fd = -1;
    l->started_us = l->polled_us = clock_boot_us();
    l->watchdog_us = notify_watchdog_us();
    log_set_level(l->config.log_level);
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof steps / sizeof *steps; i++) {
        code = steps[i](l);
    }
    if (code == 0) {
        code = announce(l, o->ready_fd);
    }
    if (code != 0) {
        loop_stop(&l);
        return code;
    }
    *out = l;
    return 0;
}

/* ---- signals ---- */

static void changed(void *arg, const char *key, bool taken)
{
    struct log_line line;
    (void)arg;
    log_begin(&line, taken ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "configuration");
    log_str(&line, "key", key);
    log_str(&line, "change", taken ? "taken over" : "waits for a restart");
    log_end(&line);
}

static void reload(struct loop *l)
{
    struct config fresh;
    log_text(LOG_LEVEL_INFO, "reload", "reading the configuration again");
    if (!l->reload(l->reload_arg, &fresh)) {
        log_text(LOG_LEVEL_ERROR, "reload_failed", "the configuration has mistakes; the old one stays");
        return;
    }
    config_reload(&l->config, &fresh, changed, l);
    log_set_level(l->config.log_level);
    transport_set_limits(l->transport, l->config.peer_bytes_max, l->config.out_bytes_max);
}

/* From here on nothing is received; what was is finished and answered. */
static void begin_to_finish(struct loop *l, uint32_t signal)
{
    struct log_line line;
    if (l->phase != LOOP_RUNS) {
        return;
    }
    log_begin(&line, LOG_LEVEL_INFO, "stopping");
    log_str(&line, "signal", strsignal((int)signal));
    log_end(&line);
    notify("STOPPING=1");
    l->phase = LOOP_FINISHES;
    inbox_stop(l->inbox);
    readers_stop(l->readers);
}

static void take_signals(struct loop *l)
{
    struct signalfd_siginfo s;
    while (read(l->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGHUP) {
            reload(l);
        } else {
            begin_to_finish(l, s.ssi_signo);
        }
    }
}

/* ---- time ---- */

static void hold_ticks_after_gap(struct loop *l, int64_t now_us, int64_t expected_us)
{
    if (now_us - expected_us < GAP_US) {
        return;
    }
    if (inbox_untick(l->inbox)) {
        l->tick_asked = false;
    }
    l->hold_until_us = now_us + HOLD_MAX_US;
    l->hold_quiet_us = now_us + HOLD_QUIET_US;
    struct log_line line;
    log_begin(&line, LOG_LEVEL_WARN, "gap");
    log_i64(&line, "us", now_us - expected_us);
    log_str(&line, "text", "this process stood still; timers wait until what came in meanwhile is taken");
    log_end(&line);
}

/* Where anything came in the committer has taken what was there before, however full the inbox is again. */
static void hold_ticks_while_crowded(struct loop *l, int64_t now_us, uint32_t messages)
{
    if (!l->crowded || messages > 0) {
        l->crowded_us = 0;
        return;
    }
    l->crowded_us = l->crowded_us ? l->crowded_us : now_us;
    if (now_us - l->crowded_us < GAP_US || (l->crowd_held_us && l->crowd_held_us != l->crowded_us)) {
        return;
    }
    l->crowd_held_us = l->crowded_us;
    if (inbox_untick(l->inbox)) {
        l->tick_asked = false;
    }
    l->hold_until_us = now_us + HOLD_MAX_US;
    l->hold_quiet_us = now_us + HOLD_QUIET_US;
}

static bool held(struct loop *l, int64_t now_us)
{
    if (l->hold_until_us && (now_us >= l->hold_until_us || (l->drained && now_us >= l->hold_quiet_us))) {
        l->hold_until_us = 0;
    }
    return l->hold_until_us != 0;
}

static void tick_if_due(struct loop *l, int64_t now_us)
{
    if (l->tick_asked || held(l, now_us)) {
        return;
    }
    if (committer_next_due_us(l->committer) > clock_elapsed_us(&l->clock)) {
        l->crowd_held_us = 0;
        return;
    }
    l->tick_asked = true;
    inbox_tick(l->inbox);
}

/* How long to wait for the next thing. */
static int64_t wait_us(const struct loop *l)
{
    int64_t wait = transport_connections(l->transport) ? TRANSPORT_WATCH_US : POLL_MAX_US;
    if (l->phase != LOOP_RUNS) {
        return wait;
    }
    if (!l->drained && !l->crowded) {
        return 0;
    }
    if (l->hold_until_us) {
        return HOLD_POLL_US;
    }
    if (!l->tick_asked) {
        int64_t due = committer_next_due_us(l->committer);
        int64_t left = due == INT64_MAX ? wait : due - clock_elapsed_us(&l->clock);
        wait = left < wait ? left : wait;
    }
    return wait > 0 ? wait : 0;
}

/* The manager hears from us only as long as the committer, too, gets somewhere. */
static void feed_watchdog(struct loop *l, int64_t now_us)
{
    if (l->watchdog_us && now_us - l->watchdog_fed_us >= l->watchdog_us / 4 &&
        committer_busy_us(l->committer) < l->watchdog_us) {
        l->watchdog_fed_us = now_us;
        notify("WATCHDOG=1");
    }
}

static void watch_connections(struct loop *l, int64_t now_us)
{
    static const char *const names[] = { "clients", "agents", "events" };
    enum transport_side side;
    uint64_t bytes, suppressed;
    if (l->trim_us && now_us >= l->trim_us) {
        l->trim_us = 0;
        malloc_trim(0); /* what such a connection had made ZeroMQ hold goes back to the system */
    }
    if (!transport_watch(l->transport, now_us, &side, &bytes)) {
        return;
    }
    if (bytes) {
        l->trim_us = now_us + TRIM_AFTER_US;
    }
    if (log_allowed(&l->cuts, now_us, &suppressed)) {
        struct log_line line;
        log_begin(&line, LOG_LEVEL_WARN, "connection_cut");
        log_str(&line, "side", names[side]);
        log_str(&line, "why", bytes ? "no message came to an end" : "too many connections");
        log_u64(&line, "bytes", bytes);
        log_u64(&line, "suppressed", suppressed);
        log_end(&line);
    }
}

/* ---- running ---- */

/* The way out: committer and reader finish, then the publisher, then agents are told, then sockets close (with their
 * linger). */
static void finish_step_by_step(struct loop *l)
{
    if (l->phase == LOOP_FINISHES && l->farewells == 2) {
        l->phase = LOOP_PUBLISHES;
        publisher_stop(l->publisher);
    }
    if (l->phase == LOOP_PUBLISHES && l->farewells == 3) {
        struct slp_control stops = { .order = 1 };
        slp_buf_clear(&l->scratch);
        if (slp_encode(&l->scratch, SLP_CONTROL, 0, &stops) == 0) {
            transport_tell_agents(l->transport, clock_boot_us(), AGENT_HEARD_US, l->scratch.p, l->scratch.n);
        }
        l->phase = LOOP_ENDED;
    }
}

/* One turn of whoever leads: wait, at most wait_max_us, then take in and send what there is. 0; -1 with errno. */
static int turn(struct loop *l, int64_t wait_max_us, bool *signalled)
{
    const int fds[] = { outbox_fd(l->outbox), l->signal_fd };
    unsigned ready;
    int64_t wait = wait_us(l);
    wait = wait < wait_max_us ? wait : wait_max_us;
    int64_t expected_us = l->polled_us + wait;
    bool receive = l->phase == LOOP_RUNS && !l->crowded;
    if (transport_poll(l->transport, receive, fds, 2, wait, &ready) < 0) {
        return -1;
    }
    int64_t now_us = l->polled_us = clock_boot_us();
    hold_ticks_after_gap(l, now_us, expected_us);
    if (ready & 1) {
        deliver(l, now_us);
    }
    transport_subscriptions(l->transport, l->topics);
    watch_connections(l, now_us);
    if (l->phase == LOOP_RUNS) {
        uint32_t messages = intake(l, now_us);
        if (messages > 0) {
            l->hold_quiet_us = now_us + HOLD_QUIET_US;
        }
        if (messages > LEAD_MESSAGES) {
            l->busy_until_us = now_us + LEAD_QUIET_US;
        }
        hold_ticks_while_crowded(l, now_us, messages);
        tick_if_due(l, now_us);
    }
    feed_watchdog(l, now_us);
    *signalled = ready & 2;
    return 0;
}

/* For the committer, while it leads. */
static bool serve(void *arg, int64_t wait_us)
{
    struct loop *l = arg;
    bool signalled;
    return turn(l, wait_us, &signalled) == 0 && !signalled && l->polled_us >= l->busy_until_us;
}

/* Who calls has just emptied the inbox; and this may swallow the wake that says so. */
static void deliver_now(void *arg)
{
    struct loop *l = arg;
    l->crowded = false;
    deliver(l, clock_boot_us());
}

/* There is so little to do that the committer does all of it sooner. */
static bool light(struct loop *l)
{
    return l->phase == LOOP_RUNS && l->drained && !l->crowded && !l->hold_until_us &&
           l->polled_us >= l->busy_until_us && committer_light(l->committer) && outbox_empty(l->outbox);
}

int loop_run(struct loop *l)
{
    while (l->phase != LOOP_ENDED) {
        bool signalled;
        if (light(l)) {
            leader_pass(l->leader);
            inbox_lead(l->inbox);
            leader_wait(l->leader);
        }
        if (turn(l, INT64_MAX, &signalled) < 0) {
            return fail("poll_failed", strerror(errno));
        }
        if (signalled) {
            take_signals(l);
        }
        if (l->phase != LOOP_RUNS) {
            finish_step_by_step(l);
        }
    }
    return 0;
}

/* ---- stopping ---- */

/* Threads that still run (a start that failed half-way, a poll that failed) get to their end first. */
static void end_threads(struct loop *l)
{
    unsigned wanted = (l->committing ? 1 : 0) + (l->readers ? 1 : 0) + (l->publisher ? 1 : 0);
    if (l->phase != LOOP_ENDED) { /* each of these may be said twice */
        if (l->committing) {
            inbox_stop(l->inbox);
        }
        if (l->readers) {
            readers_stop(l->readers);
        }
        if (l->publisher) {
            publisher_stop(l->publisher);
        }
    }
    while (l->farewells < wanted) {
        struct parcel *p = outbox_take(l->outbox), *next;
        for (; p; p = next) { /* nobody is there to send to */
            next = p->next;
            l->farewells += p->kind == PARCEL_FAREWELL;
            items_done(&l->items, &p->items);
            parcel_done(p);
        }
        if (l->farewells < wanted) {
            usleep(1000);
        }
    }
    if (l->committing) {
        committer_join(l->committer);
    }
    if (l->publisher) {
        publisher_join(l->publisher);
    }
    l->stuck_backup = l->readers && !readers_join(l->readers);
}

void loop_stop(struct loop **ll)
{
    struct loop *l = *ll;
    if (!l) {
        return;
    }
    if (l->announced) {
        file_remove(l->config.data, "endpoints");
    }
    http_stop(&l->http);
    end_threads(l);
    transport_close(&l->transport);
    if (l->stuck_backup) {
        log_text(LOG_LEVEL_WARN, "stopped", "a backup was broken off; its file is not complete");
        _exit(0);
    }
    if (l->outbox) { /* a backup may have answered after the last delivery */
        for (struct parcel *p = outbox_take(l->outbox), *next; p; p = next) {
            next = p->next;
            items_done(&l->items, &p->items);
            parcel_done(p);
        }
    }
    readers_free(&l->readers);
    publisher_free(&l->publisher);
    committer_free(&l->committer);
    topics_free(&l->topics);
    outbox_free(&l->outbox);
    inbox_free(&l->inbox);
    leader_free(&l->leader);
    engine_close(&l->engine);
    store_close(&l->store);
    item_pool_free(&l->items);
    slp_buf_free(&l->scratch);
    slp_buf_free(&l->scratch_merged);
    if (l->signal_fd >= 0) {
        close(l->signal_fd);
    }
    if (l->phase == LOOP_ENDED) {
        log_text(LOG_LEVEL_INFO, "stopped", "all that was acknowledged is on disk");
    }
    free(l);
    *ll = NULL;
}
