/* What goes back to whoever is at the sockets (leader.h): parcels of frames to send, from the committer, the reader and the
 * publisher.
 *
 * Each of these has a small fixed pool of parcels and waits when all are under way: so a fast producer is held back by
 * the sockets, and memory is bounded. Who is at the sockets never waits for a parcel: he takes all that is there when
 * the eventfd wakes him, and gives parcels back. */
#ifndef SUNLINE_BROKER_OUTBOX_H
#define SUNLINE_BROKER_OUTBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/engine/engine.h"
#include "broker/inbox.h"

enum parcel_kind {
    PARCEL_REPLIES, /* each effect goes to its peer */
    PARCEL_EVENTS,  /* effects in pairs, topic and body, to the subscribers */
    PARCEL_FAREWELL /* its sender's last: the thread is about to end */
};

struct parcel {
    struct parcel *next;
    struct parcel_pool *home;
    enum parcel_kind kind;
    struct effects effects;
    struct items items; /* messages that are dealt with: their frames can be closed */
    bool ticked;        /* committer: this batch held a tick */
    bool figures;       /* committer: there is an answer to STATS_GET among the effects */
};

struct parcel_pool;
struct parcel_pool *parcel_pool_new(uint32_t count); /* NULL: no memory */
void parcel_pool_free(struct parcel_pool **p);       /* all parcels must be back */
struct parcel *parcel_get(struct parcel_pool *p);    /* empty; waits until one is free */
void parcel_done(struct parcel *p);                  /* back into its pool; its items must be taken out */
/* Append one frame. 0, -1 no memory: the parcel is as it was. */
int parcel_add(struct parcel *p, uint64_t peer, const void *bytes, size_t n);

struct outbox;
struct outbox *outbox_new(void); /* NULL: no memory, no eventfd */
void outbox_free(struct outbox **o);
int outbox_fd(const struct outbox *o); /* readable when there is something to take, or after outbox_wake */
void outbox_put(struct outbox *o, struct parcel *p);
void outbox_add(struct outbox *o, struct parcel *p); /* without waking anybody: the caller takes it himself */
bool outbox_empty(struct outbox *o);
void outbox_wake(struct outbox *o);           /* wake the sockets' thread: there is room in an inbox again */
struct parcel *outbox_take(struct outbox *o); /* all of them, a chain in order; NULL: none */
#endif
