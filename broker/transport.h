/* The transport: two ROUTER sockets (clients, agents) and an XPUB (events). It moves bytes and knows who a peer is; it
 * knows no message, no engine, no store. Whoever leads (leader.h) owns it.
 *
 * A message of a peer is exactly one frame (behind the routing id that ZeroMQ puts before it). Nothing here waits: what
 * cannot be sent now, because the peer is gone or does not read, is dropped and counted; every part of the protocol
 * heals from that (requests are repeated, pushes are numbered). What waits for a peer is bounded in bytes, since
 * ZeroMQ's own marks count messages.
 *
 * What waits is counted as the memory that it takes, blocks and all, not as the bytes of its frames. Memory for one peer is at most: TRANSPORT_RECEIVE_MESSAGES_MAX frames in, peer_bytes_max out; out_bytes_max bounds
 * what waits for all of them, beyond which only peers for whom nothing waits get anything. */
#ifndef SUNLINE_BROKER_TRANSPORT_H
#define SUNLINE_BROKER_TRANSPORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "broker/endpoint.h"
#include "broker/topics.h"

#define TRANSPORT_RECEIVE_MESSAGES_MAX 128
#define TRANSPORT_SEND_MESSAGES_MAX 4096
#define TRANSPORT_EVENT_MESSAGES_MAX 512 /* that wait for one subscriber; it loses later ones and sees the gap */
#define TRANSPORT_FRAME_OVERHEAD_BYTES 64  /* ZeroMQ's own, which waits beside the memory of a frame's block */
#define TRANSPORT_LINGER_MS 1000          /* last replies get this long at the end */
#define TRANSPORT_POLL_FDS_MAX 4
#define TRANSPORT_WATCH_US 100000         /* call transport_watch at least this often while there are connections */

enum transport_side { SIDE_CLIENTS, SIDE_AGENTS, SIDE_EVENTS, SIDE_COUNT };

struct transport;

struct transport_options {
    const char *endpoint[SIDE_COUNT]; /* endpoint_allowed() was asked before */
    uint64_t peer_bytes_max, out_bytes_max;
    uint32_t connections_max; /* of each side */
};

struct transport_counters {
    uint64_t messages_in, bytes_in, messages_out, bytes_out;
    uint64_t bad_multipart;                    /* refused: more or fewer frames than one */
    uint64_t peers_refused;                    /* SL_PEERS_MAX was reached */
    uint64_t dropped_slow, dropped_gone, dropped_memory; /* frames that did not go out */
    uint64_t published, published_bytes;
    uint64_t connections_cut;
};

/* Bind all three. 0; -1 with a sentence in text. */
int transport_open(struct transport **t, const struct transport_options *o, char *text, size_t text_size);
/* Close, giving last frames TRANSPORT_LINGER_MS. Safe with NULL. */
void transport_close(struct transport **t);
const char *transport_endpoint(const struct transport *t, enum transport_side side); /* with the port chosen */
void transport_set_limits(struct transport *t, uint64_t peer_bytes_max, uint64_t out_bytes_max);

/* Wait until something can be received (if `receive`: from peers; subscriptions always), one of the fds is readable, or
 * time is up. Sets bit i of *fds_ready for fd i. 0; -1 with errno. */
int transport_poll(struct transport *t, bool receive, const int *fds, unsigned fd_count, int64_t timeout_us,
                   unsigned *fds_ready);

enum transport_got {
    GOT_NOTHING,   /* no message waits */
    GOT_MESSAGE,   /* *body (initialised before) holds it, and is the caller's to close; *peer: from whom */
    GOT_MULTIPART, /* one was refused for its number of frames */
    GOT_CROWD      /* one was refused because there are too many peers */
};
/* Receive one message of clients or agents. Only GOT_MESSAGE leaves anything in *body. */
enum transport_got transport_receive(struct transport *t, enum transport_side side, int64_t now_us, zmq_msg_t *body,
                                   uint64_t *peer);
/* Answer whoever sent the message received last on that side, also when it was refused. */
void transport_answer(struct transport *t, enum transport_side side, const void *p, size_t n);

enum transport_sent { SENT, SENT_SLOW, SENT_GONE, SENT_NO_MEMORY };
enum transport_sent transport_send(struct transport *t, uint64_t peer, const void *p, size_t n); /* copies */
/* The first n bytes of a block (blocks.h) that is the transport's from here on, whatever becomes of it. */
enum transport_sent transport_send_block(struct transport *t, uint64_t peer, void *block, size_t n);
/* Send to every agent heard of within the last within_us. */
void transport_tell_agents(struct transport *t, int64_t now_us, int64_t within_us, const void *p, size_t n);

void transport_subscriptions(struct transport *t, struct topics *topics); /* take in what subscribers changed */
void transport_publish(struct transport *t, const void *topic, size_t topic_n, const void *p, size_t n);

/* Look after the connections (see connections.h). True: one was cut; *side, *bytes tell of the last one. */
bool transport_watch(struct transport *t, int64_t now_us, enum transport_side *side, uint64_t *bytes);
uint32_t transport_connections(const struct transport *t); /* of all sides */

const struct transport_counters *transport_counters(const struct transport *t);
uint32_t transport_peers(const struct transport *t, enum transport_side side);
uint64_t transport_waiting_bytes(const struct transport *t);
#endif
