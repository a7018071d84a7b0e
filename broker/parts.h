/* What the loop is made of; for loop.c, intake.c and delivery.c only. Whoever leads (leader.h)
 * owns all of it. */
#ifndef SUNLINE_BROKER_PARTS_H
#define SUNLINE_BROKER_PARTS_H
#include "broker/clock.h"
#include "broker/committer.h"
#include "broker/config.h"
#include "broker/http.h"
#include "broker/inbox.h"
#include "broker/leader.h"
#include "broker/log.h"
#include "broker/loop.h"
#include "broker/outbox.h"
#include "broker/publish.h"
#include "broker/readers.h"
#include "broker/topics.h"
#include "broker/transport.h"

struct loop {
    struct config config;
    loop_reload_fn *reload;
    void *reload_arg;
    /* parts, in the order in which they are made */
    struct store *store;
    struct engine *engine;
    struct clock clock;
    struct inbox *inbox;
    struct outbox *outbox;
    struct topics *topics;
    struct leader *leader;
    struct committer *committer;
    struct transport *transport;
    struct readers *readers;
    struct publisher *publisher;
    struct http *http; /* NULL: not configured */
    int signal_fd;
    bool committing; /* its thread runs */
    bool announced;  /* DATA/endpoints is there */
    struct item_pool items;
    /* state */
    enum { LOOP_RUNS, LOOP_FINISHES, LOOP_PUBLISHES, LOOP_ENDED } phase;
    unsigned farewells;
    bool stuck_backup;     /* a thread cannot be joined */
    bool drained;          /* the last intake left nothing in the sockets */
    bool crowded;          /* the inbox is full: receive nothing until the committer takes it */
    bool tick_asked;       /* ... and not done yet */
    int64_t polled_us;     /* boot time at which the last poll returned */
    int64_t hold_until_us; /* no ticks before: see loop.c. 0: none */
    int64_t busy_until_us; /* the sockets' thread leads itself: see loop.c */
    int64_t hold_quiet_us; /* ... unless nothing came in until then */
    int64_t crowded_us;    /* the inbox has been full since then; 0: it is not */
    int64_t crowd_held_us; /* that time was made up for, and since then a tick is due that was not done; 0: none */
    int64_t watchdog_us, watchdog_fed_us, started_us;
    int64_t trim_us;     /* give memory back then; 0: no need */
    uint64_t last_event; /* on disk */
    /* counters that nobody else keeps */
    uint64_t refused, busy_answers;
    struct log_limit refusals, drops, cuts, reuses;
    struct slp_buf scratch, scratch_merged;
};

/* intake.c: receive what is there, as far as there is room, decode it and hand it to who must handle it. Returns how
 * many came. */
uint32_t intake(struct loop *l, int64_t now_us);
/* delivery.c: send what has come back. */
void deliver(struct loop *l, int64_t now_us);
#endif
