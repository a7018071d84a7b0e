/* The committer: the one thread that writes. It takes all that has gathered, steps the engine through it in one
 * transaction, commits with full sync, and only then hands over what must be sent. While the disk syncs, the next batch
 * gathers in the inbox: load makes batches larger, and an idle broker answers in one commit.
 *
 * Under load the store's own thread writes and syncs a batch, and hands over its answers, while this one applies what comes meanwhile in the
 * next transaction. That ends, and is written, when the one before it is on disk: so no answer leaves before its batch and all before it are.
 *
 * Nothing goes back: if a step, the end of a batch or the commit fails, the process ends at once (failed.h)
 * and sends nothing; a commit that is tried again after a failed sync can lie. */
#ifndef SUNLINE_BROKER_COMMITTER_H
#define SUNLINE_BROKER_COMMITTER_H
#include <stdint.h>

#include "broker/clock.h"
#include "broker/engine/engine.h"
#include "broker/figures.h"
#include "broker/inbox.h"
#include "broker/leader.h"
#include "broker/outbox.h"

struct committer;

struct committer_figures {
    struct histogram commit_us, batch_us, batch_items; /* the write and its sync; that and the engine's time in the batch before; its messages */
    uint64_t beside_us; /* of all commits' time: the engine applied the next batch meanwhile */
    struct store_counters store;
    struct store_space space;
};

/* All borrowed, and alive until the committer is freed. */
struct committer_options {
    struct store *store;
    struct engine *engine;
    const struct clock *clock;
    struct inbox *inbox;
    struct outbox *outbox;
    /* While it leads it serves the sockets: */
    struct leader *leader;
    bool (*serve)(
        void *arg,
        int64_t
            wait_us); /* one turn of the loop, which waits at most so long. False: it must be the sockets' own thread's */
    void (*deliver)(void *arg); /* send what is in the outbox */
    void *serve_arg;
    uint64_t restart; /* a random number: this start of the process */
};

struct committer *committer_new(const struct committer_options *o); /* NULL: no memory */
/* Commit the start itself, on the calling thread, before any message. Returns the last event's sequence. */
uint64_t committer_boot(struct committer *c);
int committer_start(struct committer *c); /* the thread. 0, -1 with errno */
/* After inbox_stop(): what is in the inbox is done, then a PARCEL_FAREWELL comes. Then: */
void committer_join(struct committer *c);
void committer_free(struct committer **c);

/* Any thread. */
int64_t committer_next_due_us(struct committer *c);  /* elapsed time at which to call inbox_tick; INT64_MAX: not */
uint64_t committer_batch_bytes(struct committer *c); /* what one batch may take, by the room in the map */
bool committer_light(struct committer *c);           /* what came lately was little, and quickly done: it may lead */
int64_t committer_busy_us(struct committer *c);      /* how long the present batch, or the one that is being written, has been going on; 0: idle */
void committer_figures(struct committer *c, struct committer_figures *f);
#endif
