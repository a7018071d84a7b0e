/* The transport: who a peer is, what it may send, and what it costs when it does not read. Real sockets on the
 * loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/blocks.h"
#include "broker/peers.h"
#include "broker/topics.h"
#include "broker/transport.h"
#include "proto/limits.h"

/* ---- peers ---- */

static void a_peer_keeps_its_handle_and_a_handle_its_peer(void **state)
{
    (void)state;
    struct peers *p = peers_new(100, 1, 10);
    struct peer *a = peers_seen(p, "a", 1, 1), *b = peers_seen(p, "b", 1, 2);
    uint64_t handle = a->handle;
    assert_int_not_equal(handle, 0);
    assert_int_equal(handle % PEERS_ENDPOINTS, 1);
    assert_int_not_equal(handle, b->handle);
    assert_ptr_equal(peers_seen(p, "a", 1, 3), a);
    assert_int_equal(a->handle, handle);
    assert_ptr_equal(peers_find(p, handle), a);
    assert_null(peers_find(p, 0));
    assert_null(peers_find(p, handle + 4000));
    peers_free(&p);
}

static void a_handle_is_never_used_again(void **state)
{
    (void)state;
    struct peers *p = peers_new(4, 0, 10);
    uint64_t before = 0;
    for (int i = 0; i < 1000; i++) {
        struct peer *e = peers_seen(p, "same", 4, i);
        assert_true(e->handle > before);
        before = e->handle;
        peers_forget(p, e);
        assert_null(peers_find(p, before));
    }
    assert_int_equal(peers_count(p), 0);
    peers_free(&p);
}

static void a_full_table_forgets_the_longest_silent_or_refuses(void **state)
{
    (void)state;
    struct peers *p = peers_new(3, 0, 100);
    uint64_t a = peers_seen(p, "a", 1, 1)->handle, b = peers_seen(p, "b", 1, 2)->handle;
    peers_seen(p, "c", 1, 3);
    peers_seen(p, "a", 1, 50);               /* so b is the longest silent */
    assert_null(peers_seen(p, "d", 1, 101)); /* b was silent for 99 */
    assert_non_null(peers_seen(p, "d", 1, 102));
    assert_null(peers_find(p, b));
    assert_non_null(peers_find(p, a));
    assert_int_equal(peers_count(p), 3);
    peers_free(&p);
}

/* A slot whose frames are still under way would count another peer's bytes. */
static void a_slot_is_not_used_again_while_bytes_wait_for_its_last_owner(void **state)
{
    (void)state;
    struct peers *p = peers_new(1, 0, 1);
    struct peer *a = peers_seen(p, "a", 1, 1);
    atomic_store(&a->account.waiting_bytes, 5);
    peers_forget(p, a);
    assert_null(peers_seen(p, "b", 1, 2));
    atomic_store(&a->account.waiting_bytes, 0);
    assert_non_null(peers_seen(p, "b", 1, 3));
    peers_free(&p);
}

/* Against a plain array: random comings and goings, all lookups compared. */
static void the_table_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { IDS = 300, MAX = 128 };
    static struct {
        uint64_t handle;
        int64_t seen;
    } model[IDS];
    memset(model, 0, sizeof model);
    struct peers *p = peers_new(MAX, 2, 1000000);
    uint64_t x = 88172645463325252ull;
    unsigned count = 0;
    for (int64_t now = 1; now < 60000; now++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned i = (unsigned)(x >> 20) % IDS;
        char id[8];
        size_t n = (size_t)snprintf(id, sizeof id, "p%u", i);
        if (x % 3 == 0 && model[i].handle) {
            peers_forget(p, peers_find(p, model[i].handle));
            model[i].handle = 0;
            count--;
        } else {
            struct peer *e = peers_seen(p, id, n, now);
            if (!model[i].handle && count == MAX) {
                assert_null(e);
            } else {
                assert_non_null(e);
                count += model[i].handle == 0;
                assert_true(model[i].handle == 0 || model[i].handle == e->handle);
                model[i].handle = e->handle;
                model[i].seen = now;
            }
        }
        assert_int_equal(peers_count(p), count);
    }
    int64_t last = INT64_MAX;
    unsigned walked = 0;
    for (struct peer *e = peers_next(p, NULL); e; e = peers_next(p, e), walked++) {
        assert_true(e->seen_us < last);
        last = e->seen_us;
    }
    assert_int_equal(walked, count);
    for (int i = 0; i < IDS; i++) {
        struct peer *e = peers_find(p, model[i].handle);
        assert_true(model[i].handle == 0 ? e == NULL : e && e->seen_us == model[i].seen);
    }
    peers_free(&p);
}

/* ---- topics ---- */

#define SUBSCRIBE(t, s) topics_change(t, "\1" s, sizeof(s))
#define UNSUBSCRIBE(t, s) topics_change(t, "\0" s, sizeof(s))
#define WANTED(t, s) topics_wanted(t, s, sizeof(s)) /* with the byte 0 at its end, as on the wire */

static void a_topic_is_wanted_if_a_prefix_of_it_was_asked_for(void **state)
{
    (void)state;
    struct topics *t = topics_new();
    assert_false(topics_any(t));
    assert_false(WANTED(t, "all"));
    SUBSCRIBE(t, "run/");
    SUBSCRIBE(t, "line/a\0");
    assert_true(WANTED(t, "run/x"));
    assert_true(WANTED(t, "line/a"));
    assert_false(WANTED(t, "line/ab")); /* the byte 0 told them apart */
    assert_false(WANTED(t, "run"));
    assert_false(WANTED(t, "all"));
    UNSUBSCRIBE(t, "run/");
    assert_false(WANTED(t, "run/x"));
    SUBSCRIBE(t, "");
    assert_true(WANTED(t, "anything"));
    UNSUBSCRIBE(t, "");
    UNSUBSCRIBE(t, "never/was");
    UNSUBSCRIBE(t, "line/a\0");
    assert_false(topics_any(t));
    topics_free(&t);
}

static void too_many_subscriptions_mean_everything(void **state)
{
    (void)state;
    struct topics *t = topics_new();
    char m[TOPIC_BYTES_MAX + 10];
    for (int i = 0; i < TOPICS_MAX; i++) {
        topics_change(t, m, (size_t)snprintf(m, sizeof m, "\1t%d", i));
    }
    assert_false(WANTED(t, "other"));
    SUBSCRIBE(t, "t0"); /* there already */
    assert_false(WANTED(t, "other"));
    SUBSCRIBE(t, "one more");
    assert_true(WANTED(t, "other"));
    assert_int_equal(topics_count(t), TOPICS_MAX);
    topics_free(&t);

    t = topics_new();
    memset(m, 'x', sizeof m);
    m[0] = 1;
    topics_change(t, m, sizeof m);
    assert_true(WANTED(t, "other"));
    topics_free(&t);
}

static void messages_that_are_no_subscriptions_change_nothing(void **state)
{
    (void)state;
    struct topics *t = topics_new();
    topics_change(t, "", 0);
    topics_change(t, "\2x", 2);
    topics_change(t, "hello", 5);
    assert_false(topics_any(t));
    topics_free(&t);
}

/* ---- sockets ---- */

struct world {
    struct transport *t;
    struct topics *topics;
    void *context, *peer;
};

static void open_world(struct world *w, uint64_t peer_bytes_max, uint64_t out_bytes_max)
{
    char text[512] = "";
    struct transport_options o = {
        { "tcp://127.0.0.1:*", "tcp://localhost:0", "tcp://127.0.0.1:*" }, peer_bytes_max, out_bytes_max, 100
    };
    assert_int_equal(transport_open(&w->t, &o, text, sizeof text), 0);
    w->topics = topics_new();
    w->context = zmq_ctx_new();
    w->peer = NULL;
}

static void *connect_peer(struct world *w, int type, enum transport_side side)
{
    int zero = 0, ten_seconds = 10000;
    void *s = zmq_socket(w->context, type);
    zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(s, ZMQ_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
    assert_int_equal(zmq_connect(s, transport_endpoint(w->t, side)), 0);
    return s;
}

static void close_world(struct world *w)
{
    if (w->peer) {
        zmq_close(w->peer);
    }
    zmq_ctx_term(w->context);
    transport_close(&w->t);
    assert_null(w->t);
    topics_free(&w->topics);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The next message of a side, waiting at most ten seconds. */
static enum transport_got next_message(struct world *w, enum transport_side side, char *text, size_t size,
                                       uint64_t *peer)
{
    int64_t until = now_us() + 60000000;
    for (;;) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        enum transport_got got = transport_receive(w->t, side, now_us(), &m, peer);
        if (got == GOT_MESSAGE) {
            size_t n = zmq_msg_size(&m) < size - 1 ? zmq_msg_size(&m) : size - 1;
            memcpy(text, zmq_msg_data(&m), n);
            text[n] = '\0';
        }
        zmq_msg_close(&m);
        if (got != GOT_NOTHING) {
            return got;
        }
        assert_true(now_us() < until);
        unsigned ready;
        transport_poll(w->t, true, NULL, 0, 100000, &ready);
    }
}

static void what_a_peer_sends_comes_in_and_what_is_sent_to_it_arrives(void **state)
{
    struct world w;
    char text[64];
    uint64_t peer;
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    for (enum transport_side side = SIDE_CLIENTS; side <= SIDE_AGENTS; side++) {
        w.peer = connect_peer(&w, ZMQ_DEALER, side);
        zmq_send(w.peer, "hello", 5, 0);
        assert_int_equal(next_message(&w, side, text, sizeof text, &peer), GOT_MESSAGE);
        assert_string_equal(text, "hello");
        assert_int_equal(transport_peers(w.t, side), 1);
        assert_int_equal(transport_send(w.t, peer, "welcome", 7), SENT);
        assert_int_equal(zmq_recv(w.peer, text, sizeof text, 0), 7);
        assert_memory_equal(text, "welcome", 7);
        transport_answer(w.t, side, "direct", 6);
        assert_int_equal(zmq_recv(w.peer, text, sizeof text, 0), 6);
        if (side == SIDE_CLIENTS) {
            zmq_close(w.peer);
        }
    }
    assert_int_equal(transport_counters(w.t)->messages_in, 2);
    assert_int_equal(transport_counters(w.t)->bytes_out, 7 + 6 + 7 + 6);
    close_world(&w);
}

static void several_frames_or_none_are_refused_and_the_next_message_is_whole(void **state)
{
    struct world w;
    char text[64];
    uint64_t peer;
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    w.peer = connect_peer(&w, ZMQ_DEALER, SIDE_CLIENTS);
    for (int i = 0; i < 1000; i++) {
        zmq_send(w.peer, "part", 4, ZMQ_SNDMORE);
    }
    zmq_send(w.peer, "end", 3, 0);
    zmq_send(w.peer, "", 0, ZMQ_SNDMORE);
    zmq_send(w.peer, "request", 7, 0);
    zmq_send(w.peer, "fine", 4, 0);
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MULTIPART);
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MULTIPART);
    transport_answer(w.t, SIDE_CLIENTS, "no", 2); /* it can be told */
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MESSAGE);
    assert_string_equal(text, "fine");
    assert_int_equal(zmq_recv(w.peer, text, sizeof text, 0), 2);
    assert_int_equal(transport_counters(w.t)->bad_multipart, 2);
    close_world(&w);
}

static void a_message_above_the_limit_ends_its_connection_and_no_other(void **state)
{
    struct world w;
    char text[64];
    uint64_t peer;
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    w.peer = connect_peer(&w, ZMQ_DEALER, SIDE_CLIENTS);
    void *hostile = connect_peer(&w, ZMQ_DEALER, SIDE_CLIENTS);
    char *big = calloc(1, SL_FRAME_BYTES_MAX + 1);
    zmq_send(hostile, big, SL_FRAME_BYTES_MAX + 1, 0);
    zmq_send(w.peer, big, SL_FRAME_BYTES_MAX, 0); /* just within */
    zmq_send(w.peer, "after", 5, 0);
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MESSAGE);
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MESSAGE);
    assert_string_equal(text, "after");
    assert_int_equal(transport_counters(w.t)->bytes_in, SL_FRAME_BYTES_MAX + 5);
    free(big);
    zmq_close(hostile);
    close_world(&w);
}

/* One that reads nothing: it takes a message into its queue and little into its kernel's buffer. */
static void *connect_idle(struct world *w, uint64_t *peer)
{
    int zero = 0, one = 1, small = 4096;
    char text[64];
    void *idle = zmq_socket(w->context, ZMQ_DEALER);
    zmq_setsockopt(idle, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(idle, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(idle, ZMQ_RCVBUF, &small, sizeof small);
    assert_int_equal(zmq_connect(idle, transport_endpoint(w->t, SIDE_AGENTS)), 0);
    zmq_send(idle, "slow", 4, 0);
    assert_int_equal(next_message(w, SIDE_AGENTS, text, sizeof text, peer), GOT_MESSAGE);
    return idle;
}

static void what_waits_is_counted_as_the_memory_that_it_takes(void **state)
{
    static const size_t sizes[] = { 60, 130000 }; /* in blocks of 512 bytes and 128 KiB, and their heads */
    static char frame[130000];
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct world w;
        uint64_t slow, charge = blocks_bytes_for(sizes[i]) + TRANSPORT_FRAME_OVERHEAD_BYTES, waits = 0;
        open_world(&w, 4 * SL_FRAME_BYTES_MAX, 5 * SL_FRAME_BYTES_MAX);
        void *idle = connect_idle(&w, &slow);
        int64_t until = now_us() + 60000000;
        while (transport_send(w.t, slow, frame, sizes[i]) == SENT || waits == 0) {
            waits = transport_waiting_bytes(w.t);
            assert_int_equal(waits % charge, 0);
            assert_true(waits <= 4 * SL_FRAME_BYTES_MAX + charge && now_us() < until);
        }
        zmq_close(idle);
        close_world(&w);
    }
}

static void a_peer_that_does_not_read_costs_bounded_memory_and_others_go_on(void **state)
{
    struct world w;
    char text[64];
    uint64_t slow, quick;
    enum { PEER_MAX = 4 * SL_FRAME_BYTES_MAX, ALL_MAX = 5 * SL_FRAME_BYTES_MAX };
    (void)state;
    open_world(&w, PEER_MAX, ALL_MAX);
    void *idle = connect_idle(&w, &slow);

    char *frame = calloc(1, SL_FRAME_BYTES_MAX);
    enum transport_sent sent = SENT;
    int tries = 0;
    struct blocks *blocks = blocks_new();
    int64_t until = now_us() + 60000000;
    /* The kernel takes some; then what waits must come to the limit, and stay there. */
    while (sent == SENT || transport_waiting_bytes(w.t) + SL_FRAME_BYTES_MAX <= PEER_MAX) {
        /* Copies and blocks in turn: both stand in the same account. */
        void *block = tries % 2 ? blocks_take(blocks, SL_FRAME_BYTES_MAX) : NULL;
        assert_true(block || tries % 2 == 0);
        sent = block ? transport_send_block(w.t, slow, block, SL_FRAME_BYTES_MAX)
                     : transport_send(w.t, slow, frame, SL_FRAME_BYTES_MAX);
        assert_true(transport_waiting_bytes(w.t) <= ALL_MAX);
        assert_true(now_us() < until && ++tries < 100000);
    }
    assert_int_equal(sent, SENT_SLOW);
    assert_true(transport_counters(w.t)->dropped_slow > 0);

    /* Although all that may wait is used up by nearly everything, one that reads gets its answers. */
    w.peer = connect_peer(&w, ZMQ_DEALER, SIDE_AGENTS);
    zmq_send(w.peer, "quick", 5, 0);
    assert_int_equal(next_message(&w, SIDE_AGENTS, text, sizeof text, &quick), GOT_MESSAGE);
    for (int i = 0; i < 20; i++) {
        while (transport_send(w.t, quick, frame, SL_FRAME_BYTES_MAX) != SENT) {
            assert_true(now_us() < until); /* until ZeroMQ has let go of the frame before */
        }
        assert_int_equal(zmq_recv(w.peer, frame, SL_FRAME_BYTES_MAX, 0), SL_FRAME_BYTES_MAX);
    }
    free(frame);
    zmq_close(idle);
    blocks_free(&blocks); /* those that wait outlive it */
    close_world(&w);
}

static void a_block_goes_out_as_it_lies_and_comes_back(void **state)
{
    struct world w;
    char text[64];
    uint64_t peer;
    (void)state;
    open_world(&w, SL_FRAME_BYTES_MAX, SL_FRAME_BYTES_MAX);
    struct blocks *blocks = blocks_new();
    w.peer = connect_peer(&w, ZMQ_DEALER, SIDE_AGENTS);
    zmq_send(w.peer, "hello", 5, 0);
    assert_int_equal(next_message(&w, SIDE_AGENTS, text, sizeof text, &peer), GOT_MESSAGE);
    for (int i = 0; i < 20; i++) {
        void *block = blocks_take(blocks, 5000);
        assert_non_null(block);
        memset(block, 'a' + i, 5000);
        assert_int_equal(transport_send_block(w.t, peer, block, 5000), SENT);
        char *got = calloc(1, 5001);
        assert_int_equal(zmq_recv(w.peer, got, 5001, 0), 5000);
        assert_int_equal(got[0], 'a' + i);
        assert_int_equal(got[4999], 'a' + i);
        free(got);
    }
    /* Whoever has left, or nobody ever knew: the block, the first of its size, comes back all the same. */
    void *block = blocks_take(blocks, 50000);
    assert_int_equal(transport_send_block(w.t, peer + 4000, block, 50000), SENT_GONE);
    assert_ptr_equal(blocks_take(blocks, 50000), block);
    blocks_give(block);
    blocks_free(&blocks);
    close_world(&w);
}

static void blocks_that_are_out_outlive_their_owner(void **state)
{
    (void)state;
    struct blocks *b = blocks_new();
    char *one = blocks_take(b, 100), *two = blocks_take(b, 1u << 20);
    blocks_give(blocks_take(b, 100));
    blocks_free(&b);
    assert_null(b);
    memset(one, 1, 100);
    memset(two, 2, 1u << 20);
    blocks_give(one);
    blocks_give(two); /* the last one frees all: a sanitizer would tell */
}

static void a_peer_that_is_gone_is_forgotten(void **state)
{
    struct world w;
    char text[64];
    uint64_t peer;
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    w.peer = connect_peer(&w, ZMQ_DEALER, SIDE_CLIENTS);
    zmq_send(w.peer, "x", 1, 0);
    assert_int_equal(next_message(&w, SIDE_CLIENTS, text, sizeof text, &peer), GOT_MESSAGE);
    zmq_close(w.peer);
    w.peer = NULL;
    int64_t until = now_us() + 60000000;
    enum transport_sent sent;
    while ((sent = transport_send(w.t, peer, "y", 1)) != SENT_GONE) { /* until ZeroMQ has seen it leave */
        unsigned ready;
        uint64_t from;
        zmq_msg_t m;
        zmq_msg_init(&m);
        transport_poll(w.t, true, NULL, 0, 10000, &ready);
        /* As the broker does: where frames wait up to the peer's limit, nothing is sent any more, and only receiving lets the socket hear who left. */
        assert_int_equal(transport_receive(w.t, SIDE_CLIENTS, now_us(), &m, &from), GOT_NOTHING);
        zmq_msg_close(&m);
        assert_true(now_us() < until);
    }
    assert_int_equal(transport_peers(w.t, SIDE_CLIENTS), 0);
    assert_int_equal(transport_send(w.t, peer, "y", 1), SENT_GONE);
    close_world(&w);
}

/* Connections above the limit end; those within it go on. */
static void one_connection_too_many_is_cut(void **state)
{
    struct transport *t;
    char text[512] = "";
    void *context = zmq_ctx_new(), *peer[5];
    struct transport_options o = {
        { "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*" }, 1 << 20, 4 << 20, 3
    };
    (void)state;
    assert_int_equal(transport_open(&t, &o, text, sizeof text), 0);
    struct world w = { t, NULL, context, NULL };
    for (int i = 0; i < 5; i++) {
        peer[i] = connect_peer(&w, ZMQ_DEALER, SIDE_AGENTS);
    }
    int64_t until = now_us() + 60000000;
    enum transport_side side;
    uint64_t bytes = 1;
    while (transport_counters(t)->connections_cut < 2 || transport_connections(t) > 3) {
        unsigned ready;
        transport_poll(t, true, NULL, 0, 10000, &ready);
        if (transport_watch(t, now_us(), &side, &bytes)) {
            assert_int_equal(side, SIDE_AGENTS);
            assert_int_equal(bytes, 0);
        }
        assert_true(now_us() < until);
    }
    for (int i = 0; i < 5; i++) {
        zmq_close(peer[i]);
    }
    while (transport_connections(t) > 0) { /* and their ends are seen */
        unsigned ready;
        transport_poll(t, true, NULL, 0, 10000, &ready);
        transport_watch(t, now_us(), &side, &bytes);
        assert_true(now_us() < until);
    }
    zmq_ctx_term(context);
    transport_close(&t);
}

static void events_go_to_those_who_asked(void **state)
{
    struct world w;
    char text[64];
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    w.peer = connect_peer(&w, ZMQ_SUB, SIDE_EVENTS);
    zmq_setsockopt(w.peer, ZMQ_SUBSCRIBE, "run/a", 6);
    int64_t until = now_us() + 60000000;
    while (!topics_any(w.topics)) {
        unsigned ready;
        transport_poll(w.t, true, NULL, 0, 100000, &ready);
        transport_subscriptions(w.t, w.topics);
        assert_true(now_us() < until);
    }
    transport_publish(w.t, "run/ab", 7, "not this", 8);
    transport_publish(w.t, "run/a", 6, "this", 4);
    assert_int_equal(zmq_recv(w.peer, text, sizeof text, 0), 6);
    assert_int_equal(zmq_recv(w.peer, text, sizeof text, 0), 4);
    assert_memory_equal(text, "this", 4);
    close_world(&w);
}

/* ZeroMQ keeps every subscription, and for a long one that is like no other it takes some kilobytes. */
static void who_subscribes_without_end_is_cut(void **state)
{
    struct world w;
    char topic[200];
    uint32_t seed = 1;
    uint64_t bytes = 0;
    enum transport_side side = SIDE_CLIENTS;
    int unlimited = 0;
    (void)state;
    open_world(&w, 1 << 20, 4 << 20);
    w.peer = connect_peer(&w, ZMQ_SUB, SIDE_EVENTS);
    zmq_setsockopt(w.peer, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    int64_t until = now_us() + 20000000;
    for (bool cut = false; !cut; assert_true(now_us() < until)) {
        unsigned ready;
        for (int i = 0; i < 500; i++) {
            for (size_t k = 0; k < sizeof topic; k++) {
                topic[k] = (char)((seed = seed * 1103515245 + 12345) >> 16);
            }
            zmq_setsockopt(w.peer, ZMQ_SUBSCRIBE, topic, sizeof topic);
        }
        transport_poll(w.t, true, NULL, 0, 10000, &ready);
        transport_subscriptions(w.t, w.topics);
        cut = transport_watch(w.t, now_us(), &side, &bytes);
    }
    assert_int_equal(side, SIDE_EVENTS);
    assert_true(bytes > 1 << 20);
    assert_true(bytes < 16 << 20);
    close_world(&w);
}

static void what_stands_in_the_way_of_an_ipc_socket_is_left_alone(void **state)
{
    char dir[] = "/tmp/sunline-transport-XXXXXX", path[64], endpoint[80], text[512] = "";
    struct transport *t;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/precious", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    struct transport_options o = { { endpoint, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*" }, 1 << 20, 4 << 20, 100 };
    assert_int_equal(transport_open(&t, &o, text, sizeof text), -1);
    assert_non_null(strstr(text, endpoint));
    assert_int_equal(unlink(path), 0); /* it is still there */
    assert_int_equal(transport_open(&t, &o, text, sizeof text), 0);
    struct transport *second;
    assert_int_equal(transport_open(&second, &o, text, sizeof text), -1); /* nor is a socket that is served */
    assert_non_null(strstr(text, "in use"));
    transport_close(&t);
    assert_int_equal(transport_open(&t, &o, text, sizeof text), 0); /* but one that was left behind is taken */
    transport_close(&t);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_keeps_its_handle_and_a_handle_its_peer),
        cmocka_unit_test(a_handle_is_never_used_again),
        cmocka_unit_test(a_full_table_forgets_the_longest_silent_or_refuses),
        cmocka_unit_test(a_slot_is_not_used_again_while_bytes_wait_for_its_last_owner),
        cmocka_unit_test(the_table_agrees_with_a_plain_list),
        cmocka_unit_test(a_topic_is_wanted_if_a_prefix_of_it_was_asked_for),
        cmocka_unit_test(too_many_subscriptions_mean_everything),
        cmocka_unit_test(messages_that_are_no_subscriptions_change_nothing),
        cmocka_unit_test(what_a_peer_sends_comes_in_and_what_is_sent_to_it_arrives),
        cmocka_unit_test(several_frames_or_none_are_refused_and_the_next_message_is_whole),
        cmocka_unit_test(a_message_above_the_limit_ends_its_connection_and_no_other),
        cmocka_unit_test(what_waits_is_counted_as_the_memory_that_it_takes),
        cmocka_unit_test(a_peer_that_does_not_read_costs_bounded_memory_and_others_go_on),
        cmocka_unit_test(a_block_goes_out_as_it_lies_and_comes_back),
        cmocka_unit_test(blocks_that_are_out_outlive_their_owner),
        cmocka_unit_test(a_peer_that_is_gone_is_forgotten),
        cmocka_unit_test(one_connection_too_many_is_cut),
        cmocka_unit_test(events_go_to_those_who_asked),
        cmocka_unit_test(who_subscribes_without_end_is_cut),
        cmocka_unit_test(what_stands_in_the_way_of_an_ipc_socket_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
