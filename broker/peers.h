/* Peers of one ROUTER socket: routing id <-> handle, and how many bytes wait for each.
 *
 * A handle is a number that the engine may keep for as long as it likes: it is never 0 and never used again within a
 * process, so an answer to a peer that was forgotten goes nowhere instead of to somebody else. Its lowest bits name the
 * endpoint, see PEERS_ENDPOINTS.
 *
 * The table is of fixed size. When it is full, the peer that was silent the longest makes room, if it was silent for at
 * least idle_us; else the newcomer is refused. One thread, except for account_* (see below). */
#ifndef SUNLINE_BROKER_PEERS_H
#define SUNLINE_BROKER_PEERS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_ID_BYTES_MAX 255 /* of ZeroMQ */
#define PEERS_ENDPOINTS 4     /* handle % PEERS_ENDPOINTS is the endpoint */

struct peers;

/* What waits for one peer. ZeroMQ's own thread takes bytes off when it has sent (or given up) a frame, so they are
 * atomic. A slot is used again only when nothing waits for its last owner any more. */
struct account { atomic_uint_fast64_t waiting_bytes; };

struct peer {
    uint64_t handle; /* 0: free */
    int64_t seen_us;
    uint64_t dropped; /* frames for it that were not sent */
    struct account account;
    uint32_t newer, older; /* by seen_us */
    uint32_t next;         /* in the chain of its hash bucket, or of free slots */
    uint8_t id_n, id[PEER_ID_BYTES_MAX];
};

struct peers *peers_new(uint32_t peers_max, unsigned endpoint, int64_t idle_us); /* NULL: no memory */
void peers_free(struct peers **p);                /* every account must be at 0: the sockets are closed */
/* The peer of a routing id, made if need be, and marked as seen. NULL: the table is full of peers that are not idle. */
struct peer *peers_seen(struct peers *p, const void *id, size_t n, int64_t now_us);
struct peer *peers_find(struct peers *p, uint64_t handle); /* NULL: forgotten */
void peers_forget(struct peers *p, struct peer *peer);
uint32_t peers_count(const struct peers *p);
/* Every peer, the one seen last first: start from NULL. */
struct peer *peers_next(struct peers *p, const struct peer *after);
#endif
