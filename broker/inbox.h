/* What has come in and waits for a thread: decoded messages in order, and two flags. Between the thread that owns the
 * sockets and the one that commits (or reads). While a transaction syncs, the next batch gathers here; whoever takes,
 * takes all.
 *
 * Bounded by messages and bytes: the owner of the sockets asks for room before it receives, so what does not fit stays
 * in the sockets and holds the peers back. */
#ifndef SUNLINE_BROKER_INBOX_H
#define SUNLINE_BROKER_INBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "proto/codec.h"

/* A message under way. `msg` points into `frame`. */
struct item {
    struct item *next;
    uint64_t peer;
    zmq_msg_t frame;
    struct slp_msg msg;
};

/* A list of items, first come first. */
struct items {
    struct item *first, *last;
    uint32_t count;
    uint64_t bytes;
};
void items_add(struct items *l, struct item *i);        /* i->next need not be set */
void items_append(struct items *l, struct items *tail); /* empties tail */
struct item *items_take(struct items *l);               /* NULL: empty */

/* The items themselves, kept for use again. Owned by one thread. */
struct item_pool {
    struct item *free;
};
struct item *item_new(struct item_pool *p);          /* frame is initialised and empty. NULL: no memory */
void item_done(struct item_pool *p, struct item *i); /* closes the frame */
void items_done(struct item_pool *p, struct items *l);
void item_pool_free(struct item_pool *p);

/* crowded: the owner of the sockets waits for room (inbox_crowded). settle: a reader waits for the log (store_settle). lead: look who leads (leader.h). written: the batch that was being
 * written is on disk; that only wakes who takes. */
struct gathered {
    struct items items;
    bool tick, stop, crowded, settle, lead, written;
};

struct inbox;
struct inbox *inbox_new(void);     /* NULL: no memory */
void inbox_free(struct inbox **b); /* must be empty of items */
/* How much may still come in. May be called by any thread. */
void inbox_used(struct inbox *b, uint32_t *items, uint64_t *bytes);
void inbox_put(struct inbox *b, struct items *l); /* empties l */
/* Room is wanted: whoever takes next is told. False: it has been taken already, there is room. */
bool inbox_crowded(struct inbox *b);
void inbox_tick(struct inbox *b);   /* time went on */
bool inbox_untick(struct inbox *b); /* take that back. False: it was not there, or is being acted upon */
void inbox_settle(struct inbox *b); /* a reader waits */
void inbox_lead(struct inbox *b);   /* the lead has passed to whoever takes */
void inbox_written(struct inbox *b);
void inbox_stop(struct inbox *b);   /* what is in is still to be done; then stop */
/* Take everything, waiting at most wait_us (negative: for ever) until there is anything. False: nothing came in that
 * time. */
bool inbox_take(struct inbox *b, struct gathered *g, int64_t wait_us);
bool inbox_holds(struct inbox *b, uint32_t messages); /* so many, or a flag */
/* Wait at most wait_us until `more` messages have come in beside those that are there, or a flag is up. False: they have not. */
bool inbox_gather(struct inbox *b, uint32_t more, int64_t wait_us);
#endif
