/* Sockets: see transport.h. */
#include "broker/transport.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/blocks.h"
#include "broker/connections.h"
#include "broker/peers.h"
#include "proto/limits.h"

#define HANDSHAKE_MS 10000
#define HEARTBEAT_EVERY_MS 5000
#define HEARTBEAT_TIMEOUT_MS 20000
/* A client may be forgotten while it waits for no answer: its next message makes it known again. */
#define CLIENT_IDLE_US (2 * 1000000ll)
#define AGENT_IDLE_US (120 * 1000000ll) /* pushes go to an agent's handle: several heartbeats must be missing */
#define SUBSCRIPTION_BYTES_MAX 1024
/* ZeroMQ keeps each subscription, as a path of up to 32 bytes for each of its own: who brings more than so many is no
 * monitor. TOPICS_MAX of them fit. */
#define SUBSCRIPTIONS_BYTES_MAX (1u << 20)

_Static_assert(SIDE_COUNT <= PEERS_ENDPOINTS, "a handle names its side");
_Static_assert(CONNECTION_STUCK_BYTES_MAX >= 3ull * TRANSPORT_RECEIVE_MESSAGES_MAX * SL_FRAME_BYTES_MAX / 2,
               "an honest peer can have no more under way");

struct side {
    void *socket;
    int fd;
    bool news;           /* something may have come: see transport_poll() */
    struct peers *peers; /* none for events */
    struct connections *connections;
    char endpoint[ENDPOINT_BYTES_MAX];
    size_t last_n; /* routing id of the message received last */
    uint8_t last_id[PEER_ID_BYTES_MAX];
};

struct transport {
    void *context;
    struct side side[SIDE_COUNT];
    struct blocks *blocks; /* frames that were copied lie in them */
    struct account total;
    uint64_t peer_bytes_max, out_bytes_max;
    struct transport_counters counters;
};

/* ---- opening and closing ---- */

static void set_int(void *socket, int option, int value)
{
    int rc = zmq_setsockopt(socket, option, &value, sizeof value);
    assert(rc == 0);
    (void)rc;
}

static void set_common(void *socket, const char *endpoint)
{
    set_int(socket, ZMQ_LINGER, TRANSPORT_LINGER_MS);
    set_int(socket, ZMQ_BACKLOG, 1024);
    set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set_int(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_EVERY_MS);
    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    set_int(socket, ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS);
    set_int(socket, ZMQ_IPV6, strstr(endpoint, "[::1]") != NULL);
}

static void set_max_message(void *socket, int64_t bytes)
{
    int rc = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes);
    assert(rc == 0);
    (void)rc;
}

/* ZeroMQ unlinks whatever stands where an ipc socket shall be: let that be a socket, and one that nobody serves. */
static int guard_ipc_path(const char *endpoint)
{
    struct stat st;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (strncmp(endpoint, "ipc://", 6) != 0 || lstat(endpoint + 6, &st) < 0) {
        return 0;
    }
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    assert(strlen(endpoint + 6) < sizeof to.sun_path); /* endpoint_allowed() */
    strcpy(to.sun_path, endpoint + 6);
    /* EAGAIN: somebody serves it, with a queue that is full. */
    bool served = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EAGAIN;
    close(fd);
    if (served) {
        errno = EADDRINUSE;
        return -1;
    }
    return 0;
}

static int bind_side(struct side *s, const char *endpoint)
{
    char address[ENDPOINT_BYTES_MAX + 16];
    size_t n = sizeof s->endpoint;
    if (guard_ipc_path(endpoint) < 0) {
        return -1;
    }
    /* ZeroMQ looks up no names when it binds. */
    static const char local[] = "tcp://localhost:";
    bool named = strncmp(endpoint, local, sizeof local - 1) == 0;
    snprintf(address, sizeof address, "%s%s", named ? "tcp://127.0.0.1:" : "",
             named ? endpoint + sizeof local - 1 : endpoint);
    if (zmq_bind(s->socket, address) < 0) {
        return -1;
    }
    return zmq_getsockopt(s->socket, ZMQ_LAST_ENDPOINT, s->endpoint, &n);
}

static int open_side(struct transport *t, enum transport_side which, const char *endpoint, uint32_t connections_max)
{
    static const char *const names[] = { "clients", "agents", "events" };
    struct side *s = &t->side[which];
    s->socket = zmq_socket(t->context, which == SIDE_EVENTS ? ZMQ_XPUB : ZMQ_ROUTER);
    if (!s->socket) {
        return -1;
    }
    set_common(s->socket, endpoint);
    if (which == SIDE_EVENTS) {
        set_int(s->socket, ZMQ_SNDHWM, TRANSPORT_EVENT_MESSAGES_MAX);
        set_max_message(s->socket, SUBSCRIPTION_BYTES_MAX);
    } else {
        set_int(s->socket, ZMQ_ROUTER_MANDATORY, 1);
        set_int(s->socket, ZMQ_SNDHWM, TRANSPORT_SEND_MESSAGES_MAX);
        set_int(s->socket, ZMQ_RCVHWM, TRANSPORT_RECEIVE_MESSAGES_MAX);
        set_max_message(s->socket, SL_FRAME_BYTES_MAX);
        s->peers = peers_new(SL_PEERS_MAX, which, which == SIDE_AGENTS ? AGENT_IDLE_US : CLIENT_IDLE_US);
        if (!s->peers) {
            errno = ENOMEM;
            return -1;
        }
    }
    size_t n = sizeof s->fd;
    s->news = true;
    s->connections = connections_new(t->context, s->socket, names[which], connections_max,
                                     which == SIDE_EVENTS ? SUBSCRIPTIONS_BYTES_MAX : CONNECTION_STUCK_BYTES_MAX);
    return s->connections && zmq_getsockopt(s->socket, ZMQ_FD, &s->fd, &n) == 0 ? bind_side(s, endpoint) : -1;
}

int transport_open(struct transport **out, const struct transport_options *o, char *text, size_t text_size)
{
    *out = NULL;
    struct transport *t = calloc(1, sizeof *t);
    if (!t || !(t->blocks = blocks_new()) || !(t->context = zmq_ctx_new())) {
        if (t) {
            blocks_free(&t->blocks);
        }
        free(t);
        snprintf(text, text_size, "out of memory");
        return -1;
    }
    zmq_ctx_set(t->context, ZMQ_MAX_SOCKETS, 64); /* sockets, not connections: three and room */
    transport_set_limits(t, o->peer_bytes_max, o->out_bytes_max);
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (open_side(t, (enum transport_side)i, o->endpoint[i], o->connections_max) < 0) {
            snprintf(text, text_size, "cannot bind %s: %s", o->endpoint[i], zmq_strerror(errno));
            transport_close(&t);
            return -1;
        }
    }
    *out = t;
    return 0;
}

void transport_close(struct transport **tt)
{
    struct transport *t = *tt;
    if (!t) {
        return;
    }
    for (int i = 0; i < SIDE_COUNT; i++) {
        connections_free(&t->side[i].connections);
        if (t->side[i].socket) {
            zmq_close(t->side[i].socket);
        }
    }
    while (zmq_ctx_term(t->context) < 0 && errno == EINTR) {}
    for (int i = 0; i < SIDE_COUNT; i++) {
        peers_free(&t->side[i].peers); /* only now has ZeroMQ let go of every frame, and so of every account */
    }
    blocks_free(&t->blocks);
    free(t);
    *tt = NULL;
}

const char *transport_endpoint(const struct transport *t, enum transport_side side)
{
    return t->side[side].endpoint;
}

void transport_set_limits(struct transport *t, uint64_t peer_bytes_max, uint64_t out_bytes_max)
{
    assert(peer_bytes_max >= SL_FRAME_BYTES_MAX && out_bytes_max >= peer_bytes_max);
    t->peer_bytes_max = peer_bytes_max;
    t->out_bytes_max = out_bytes_max;
}

/* zmq_poll would ask each socket twice, with two system calls each time. A socket's own descriptor tells when it has news, but only once: whatever is done with
 * the socket takes the news in. So a socket counts as having news from when its descriptor says so, or anything is sent through it, until it has said
 * that nothing waits. */
int transport_poll(struct transport *t, bool receive, const int *fds, unsigned fd_count, int64_t timeout_us,
                   unsigned *fds_ready)
{
    struct pollfd items[TRANSPORT_POLL_FDS_MAX + 2 * SIDE_COUNT];
    assert(fd_count <= TRANSPORT_POLL_FDS_MAX);
    nfds_t n = fd_count;
    *fds_ready = 0;
    for (unsigned i = 0; i < fd_count; i++) {
        items[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    for (int i = 0; i < SIDE_COUNT; i++) {
        const struct side *s = &t->side[i];
        bool asked = receive || i == SIDE_EVENTS;
        items[n++] = (struct pollfd){ .fd = connections_fd(s->connections), .events = POLLIN };
        items[n++] = (struct pollfd){ .fd = asked ? s->fd : -1, .events = POLLIN };
        if (asked && s->news) {
            timeout_us = 0;
        }
    }
    int64_t wait_us = timeout_us > 0 ? timeout_us : 0;
    const struct timespec wait = { wait_us / 1000000, (long)(wait_us % 1000000) * 1000 };
    if (ppoll(items, n, &wait, NULL) < 0) {
        return errno == EINTR ? 0 : -1;
    }
    for (unsigned i = 0; i < fd_count; i++) {
        *fds_ready |= items[i].revents ? 1u << i : 0;
    }
    for (int i = 0; i < SIDE_COUNT; i++) {
        struct side *s = &t->side[i];
        if (items[fd_count + 2 * (unsigned)i].revents) {
            connections_news(s->connections);
        }
        s->news = s->news || items[fd_count + 2 * (unsigned)i + 1].revents;
    }
    return 0;
}

/* ---- in ---- */

/* A handler of signals may return in this process (endless.h). */
static int recv_part(void *socket, zmq_msg_t *m)
{
    int n;
    while ((n = zmq_msg_recv(m, socket, ZMQ_DONTWAIT)) < 0 && errno == EINTR) {}
    return n;
}

static int send_part(void *socket, zmq_msg_t *m)
{
    int rc;
    while ((rc = zmq_msg_send(m, socket, ZMQ_DONTWAIT)) < 0 && errno == EINTR) {}
    return rc;
}

static int send_first(void *socket, const void *p, size_t n)
{
    int rc;
    while ((rc = zmq_send(socket, p, n, ZMQ_SNDMORE | ZMQ_DONTWAIT)) < 0 && errno == EINTR) {}
    return rc;
}

static void drain_parts(void *socket)
{
    int more = 1;
    while (more) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        if (recv_part(socket, &rest) < 0) {
            more = 0; /* cannot be: ZeroMQ hands out whole messages */
        } else {
            more = zmq_msg_more(&rest);
        }
        zmq_msg_close(&rest);
    }
}

/* Which connection a frame came on: deprecated for programs that would use it to tell peers apart, which this
 * does not. */
static void note_delivery(struct side *s, zmq_msg_t *m)
{
    connections_delivered(s->connections, zmq_msg_get(m, ZMQ_SRCFD));
}

/* The routing id, into s->last_id. 1; 0 nothing waits. */
static int receive_id(struct side *s, bool *more)
{
    zmq_msg_t id;
    zmq_msg_init(&id);
    int n = recv_part(s->socket, &id);
    if (n >= 0) {
        assert(n <= PEER_ID_BYTES_MAX);
        s->last_n = (size_t)n;
        memcpy(s->last_id, zmq_msg_data(&id), s->last_n);
        *more = zmq_msg_more(&id);
    }
    zmq_msg_close(&id);
    return n >= 0;
}

enum transport_got transport_receive(struct transport *t, enum transport_side side, int64_t now_us, zmq_msg_t *body,
                                     uint64_t *peer)
{
    struct side *s = &t->side[side];
    bool more = false;
    assert(s->peers);
    s->news = s->news && receive_id(s, &more);
    if (!s->news) {
        return GOT_NOTHING;
    }
    if (!more || recv_part(s->socket, body) < 0) {
        t->counters.bad_multipart++;
        return GOT_MULTIPART;
    }
    note_delivery(s, body);
    if (zmq_msg_more(body)) {
        t->counters.bad_multipart++;
        drain_parts(s->socket);
        zmq_msg_close(body);
        zmq_msg_init(body);
        return GOT_MULTIPART;
    }
    struct peer *e = peers_seen(s->peers, s->last_id, s->last_n, now_us);
    if (!e) {
        t->counters.peers_refused++;
        zmq_msg_close(body);
        zmq_msg_init(body);
        return GOT_CROWD;
    }
    t->counters.messages_in++;
    t->counters.bytes_in += zmq_msg_size(body);
    *peer = e->handle;
    return GOT_MESSAGE;
}

void transport_subscriptions(struct transport *t, struct topics *topics)
{
    struct side *s = &t->side[SIDE_EVENTS];
    zmq_msg_t m;
    zmq_msg_init(&m);
    while (s->news && (s->news = recv_part(s->socket, &m) >= 0)) {
        topics_change(topics, zmq_msg_data(&m), zmq_msg_size(&m));
    }
    zmq_msg_close(&m);
}

/* ---- out ---- */

/* A frame under way notes beside its block the accounts that it stands in: the peer's, and the total. Runs on ZeroMQ's thread (or on ours, if a frame is
 * given up at once). */
static void let_go(void *block, void *hint)
{
    struct block_note *note = blocks_note(block);
    (void)hint;
    for (int i = 0; i < 2; i++) {
        struct account *a = note->who[i];
        if (a) {
            atomic_fetch_sub(&a->waiting_bytes, note->bytes);
        }
    }
    blocks_give(block);
}

/* The block is ZeroMQ's, or given back. */
static int make_frame(struct transport *t, struct account *peer, void *block, size_t n, zmq_msg_t *m)
{
    struct block_note *note = blocks_note(block);
    *note = (struct block_note){ { peer, &t->total }, blocks_bytes(block) + TRANSPORT_FRAME_OVERHEAD_BYTES };
    if (peer) {
        atomic_fetch_add(&peer->waiting_bytes, note->bytes);
    }
    atomic_fetch_add(&t->total.waiting_bytes, note->bytes);
    if (zmq_msg_init_data(m, block, n, let_go, NULL) < 0) {
        let_go(block, NULL);
        return -1;
    }
    return 0;
}

static void *copy_of(struct transport *t, const void *p, size_t n)
{
    void *block = blocks_take(t->blocks, n);
    return block && n ? memcpy(block, p, n) : block;
}

/* When all is used up by peers that do not read, those that do must not suffer: a peer for whom nothing waits always
 * gets one frame. */
static bool has_room(const struct transport *t, struct account *peer, size_t bytes)
{
    uint64_t waiting = peer ? atomic_load(&peer->waiting_bytes) : 0;
    if (peer && waiting == 0) {
        return true;
    }
    return waiting + bytes <= t->peer_bytes_max && atomic_load(&t->total.waiting_bytes) + bytes <= t->out_bytes_max;
}

/* A block, which is taken whatever becomes of it, or NULL: a copy of what stands at p. */
static enum transport_sent send_to(struct transport *t, struct side *s, const void *id, size_t id_n,
                                   struct account *peer, void *block, const void *p, size_t n)
{
    zmq_msg_t m;
    if (!has_room(t, peer, block ? blocks_bytes(block) : blocks_bytes_for(n))) {
        t->counters.dropped_slow++;
        if (block) {
            blocks_give(block);
        }
        return SENT_SLOW;
    }
    if (!block) {
        block = copy_of(t, p, n);
    }
    if (!block || make_frame(t, peer, block, n, &m) < 0) {
        t->counters.dropped_memory++;
        return SENT_NO_MEMORY;
    }
    s->news = true;
    if (send_first(s->socket, id, id_n) < 0) {
        bool gone = errno == EHOSTUNREACH;
        zmq_msg_close(&m);
        *(gone ? &t->counters.dropped_gone : &t->counters.dropped_slow) += 1;
        return gone ? SENT_GONE : SENT_SLOW;
    }
    if (send_part(s->socket, &m) < 0) { /* the way was free for the routing id, so it is for the body */
        zmq_msg_close(&m);
        t->counters.dropped_slow++;
        return SENT_SLOW;
    }
    t->counters.messages_out++;
    t->counters.bytes_out += n;
    return SENT;
}

void transport_answer(struct transport *t, enum transport_side side, const void *p, size_t n)
{
    struct side *s = &t->side[side];
    send_to(t, s, s->last_id, s->last_n, NULL, NULL, p, n);
}

static enum transport_sent send_to_peer(struct transport *t, struct side *s, struct peer *e, void *block, const void *p,
                                        size_t n)
{
    enum transport_sent sent = send_to(t, s, e->id, e->id_n, &e->account, block, p, n);
    if (sent == SENT_GONE) {
        peers_forget(s->peers, e);
    } else if (sent != SENT) {
        e->dropped++;
    }
    return sent;
}

static enum transport_sent send_either(struct transport *t, uint64_t peer, void *block, const void *p, size_t n)
{
    unsigned side = (unsigned)(peer % PEERS_ENDPOINTS);
    assert(side == SIDE_CLIENTS || side == SIDE_AGENTS);
    struct side *s = &t->side[side];
    struct peer *e = peers_find(s->peers, peer);
    if (!e) {
        t->counters.dropped_gone++;
        if (block) {
            blocks_give(block);
        }
        return SENT_GONE;
    }
    return send_to_peer(t, s, e, block, p, n);
}

enum transport_sent transport_send(struct transport *t, uint64_t peer, const void *p, size_t n)
{
    return send_either(t, peer, NULL, p, n);
}

enum transport_sent transport_send_block(struct transport *t, uint64_t peer, void *block, size_t n)
{
    return send_either(t, peer, block, block, n);
}

void transport_tell_agents(struct transport *t, int64_t now_us, int64_t within_us, const void *p, size_t n)
{
    struct side *s = &t->side[SIDE_AGENTS];
    struct peer *next;
    for (struct peer *e = peers_next(s->peers, NULL); e && now_us - e->seen_us <= within_us; e = next) {
        next = peers_next(s->peers, e);
        send_to_peer(t, s, e, NULL, p, n);
    }
}

void transport_publish(struct transport *t, const void *topic, size_t topic_n, const void *p, size_t n)
{
    zmq_msg_t m;
    void *socket = t->side[SIDE_EVENTS].socket;
    t->side[SIDE_EVENTS].news = true;
    if (!has_room(t, NULL, n)) {
        t->counters.dropped_slow++;
        return;
    }
    void *block = copy_of(t, p, n);
    if (!block || make_frame(t, NULL, block, n, &m) < 0) {
        t->counters.dropped_memory++;
        return;
    }
    if (send_first(socket, topic, topic_n) < 0 || send_part(socket, &m) < 0) {
        zmq_msg_close(&m);
        t->counters.dropped_slow++;
        return;
    }
    t->counters.published++;
    t->counters.published_bytes += n;
}

/* ---- connections ---- */

bool transport_watch(struct transport *t, int64_t now_us, enum transport_side *side, uint64_t *bytes)
{
    bool any = false;
    for (int i = 0; i < SIDE_COUNT; i++) {
        int fd;
        uint32_t cut = connections_watch(t->side[i].connections, now_us, &fd, bytes);
        if (cut) {
            t->counters.connections_cut += cut;
            *side = (enum transport_side)i;
            any = true;
        }
    }
    return any;
}

uint32_t transport_connections(const struct transport *t)
{
    uint32_t count = 0;
    for (int i = 0; i < SIDE_COUNT; i++) {
        count += connections_count(t->side[i].connections);
    }
    return count;
}

const struct transport_counters *transport_counters(const struct transport *t)
{
    return &t->counters;
}

uint32_t transport_peers(const struct transport *t, enum transport_side side)
{
    return t->side[side].peers ? peers_count(t->side[side].peers) : 0;
}

uint64_t transport_waiting_bytes(const struct transport *t)
{
    return atomic_load(&t->total.waiting_bytes);
}
