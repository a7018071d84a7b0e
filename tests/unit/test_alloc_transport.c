/* The broker's transport without memory: each allocation of our own fails once. What is opened is refused as a whole; a message or an answer is lost, as one on the wire may be, and the next goes
 * through. (Allocations inside of ZeroMQ are not touched: it ends the process by itself.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/inbox.h"
#include "broker/outbox.h"
#include "broker/topics.h"
#include "broker/transport.h"
#include "tests/unit/alloc_world.h"

static const struct transport_options options = {
    { "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*" }, 1 << 20, 4 << 20, 100
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void what_cannot_be_opened_is_refused_and_leaves_nothing(void **state)
{
    uint64_t n = 0;
    (void)state;
    for (bool failed = true; failed;) {
        struct transport *t;
        char text[200] = "";
        alloc_arm(++n, false);
        int rc = transport_open(&t, &options, text, sizeof text);
        alloc_disarm();
        failed = alloc_state.failed > 0;
        assert_int_equal(rc, failed ? -1 : 0);
        assert_int_equal(t == NULL, failed);
        assert_int_equal(text[0] != '\0', failed);
        transport_close(&t);
    }
    assert_true(n > 5);
}

static void queues_and_pools_are_made_or_not(void **state)
{
    (void)state;
    alloc_arm(1, true);
    struct inbox *in = inbox_new();
    struct outbox *out = outbox_new();
    struct parcel_pool *parcels = parcel_pool_new(4);
    struct topics *topics = topics_new();
    struct item_pool items = { 0 };
    struct item *item = item_new(&items);
    alloc_disarm();
    assert_null(in);
    assert_null(out);
    assert_null(parcels);
    assert_null(topics);
    assert_null(item);
    alloc_arm(2, false); /* in the middle of it */
    topics = topics_new();
    alloc_disarm();
    assert_null(topics);
}

static void what_a_parcel_has_no_room_for_leaves_what_it_has(void **state)
{
    struct parcel_pool *pool = parcel_pool_new(1);
    struct parcel *p = parcel_get(pool);
    static char big[100000];
    (void)state;
    assert_int_equal(parcel_add(p, 7, "first", 5), 0);
    alloc_arm(1, true);
    int rc = parcel_add(p, 7, big, sizeof big);
    alloc_disarm();
    assert_int_equal(rc, -1);
    assert_int_equal(parcel_add(p, 7, "second", 6), 0);
    assert_int_equal(p->effects.n, 2);
    assert_memory_equal(p->effects.bytes.p + p->effects.v[1].off, "second", 6);
    parcel_done(p);
    parcel_pool_free(&pool);
}

/* A peer's message, and an answer, as far as there is memory; false: nothing came in `patience_us`. */
static bool exchanged(struct transport *t, void *peer, int64_t patience_us)
{
    int64_t until = now_us() + patience_us;
    uint64_t from = 0;
    enum transport_got got = GOT_NOTHING;
    alloc_disarm();
    zmq_send(peer, "hello", 5, 0);
    while (got != GOT_MESSAGE && now_us() < until) {
        zmq_msg_t m;
        unsigned ready;
        zmq_msg_init(&m);
        alloc_rearm();
        got = transport_receive(t, SIDE_AGENTS, now_us(), &m, &from);
        if (got == GOT_NOTHING)
            transport_poll(t, true, NULL, 0, 10000, &ready);
        alloc_disarm();
        zmq_msg_close(&m);
    }
    if (got != GOT_MESSAGE)
        return false;
    static char answer[5000]; /* in a block of its own */
    alloc_rearm();
    enum transport_sent sent = transport_send(t, from, answer, sizeof answer);
    alloc_disarm();
    return sent == SENT && zmq_recv(peer, answer, sizeof answer, 0) == (int)sizeof answer;
}

static void a_message_is_lost_for_want_of_memory_and_the_next_goes_through(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        struct transport *t;
        char text[200];
        int zero = 0, patience_ms = 10000;
        assert_int_equal(transport_open(&t, &options, text, sizeof text), 0);
        void *context = zmq_ctx_new(), *peer = zmq_socket(context, ZMQ_DEALER);
        zmq_setsockopt(peer, ZMQ_LINGER, &zero, sizeof zero);
        zmq_setsockopt(peer, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
        assert_int_equal(zmq_connect(peer, transport_endpoint(t, SIDE_AGENTS)), 0);
        alloc_arm(n, false);
        bool whole = exchanged(t, peer, 300000);
        uint64_t refused = alloc_state.failed;
        failed += refused > 0;
        assert_true(whole || refused);
        alloc_arm(0, false);
        assert_true(exchanged(t, peer, 10000000) || exchanged(t, peer, 10000000)); /* a connection may have been cut */
        alloc_disarm();
        zmq_close(peer);
        zmq_ctx_term(context);
        transport_close(&t);
        if (!refused)
            break;
    }
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_opened_is_refused_and_leaves_nothing),
        cmocka_unit_test(queues_and_pools_are_made_or_not),
        cmocka_unit_test(what_a_parcel_has_no_room_for_leaves_what_it_has),
        cmocka_unit_test(a_message_is_lost_for_want_of_memory_and_the_next_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
