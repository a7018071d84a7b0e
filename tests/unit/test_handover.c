/* Between threads: messages on their way in, parcels on their way out. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/inbox.h"
#include "broker/outbox.h"

static void put_one(struct inbox *b, struct item_pool *pool, uint64_t peer, size_t bytes)
{
    struct items l = { 0 };
    struct item *i = item_new(pool);
    assert_non_null(i);
    zmq_msg_close(&i->frame);
    zmq_msg_init_size(&i->frame, bytes);
    i->peer = peer;
    items_add(&l, i);
    inbox_put(b, &l);
    assert_null(l.first);
}

static void whoever_takes_takes_all_in_order(void **state)
{
    (void)state;
    struct item_pool pool = { 0 };
    struct inbox *b = inbox_new();
    struct gathered g;
    uint32_t count;
    uint64_t bytes;
    assert_false(inbox_take(b, &g, 0));
    for (uint64_t i = 1; i <= 5; i++) {
        put_one(b, &pool, i, 100);
    }
    inbox_used(b, &count, &bytes);
    assert_int_equal(count, 5);
    assert_int_equal(bytes, 500);
    assert_true(inbox_take(b, &g, -1));
    inbox_used(b, &count, &bytes);
    assert_int_equal(count + bytes, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        struct item *e = items_take(&g.items);
        assert_int_equal(e->peer, i);
        item_done(&pool, e);
    }
    assert_null(items_take(&g.items));
    assert_int_equal(g.items.bytes, 0);
    inbox_free(&b);
    item_pool_free(&pool);
}

static void a_tick_is_taken_once_and_can_be_taken_back(void **state)
{
    (void)state;
    struct inbox *b = inbox_new();
    struct gathered g;
    inbox_tick(b);
    inbox_tick(b);
    assert_true(inbox_take(b, &g, -1));
    assert_true(g.tick && !g.stop);
    assert_false(inbox_take(b, &g, 1000));
    inbox_tick(b);
    assert_true(inbox_untick(b));
    assert_false(inbox_untick(b));
    assert_false(inbox_take(b, &g, 0));
    inbox_stop(b);
    assert_true(inbox_take(b, &g, -1));
    assert_true(inbox_take(b, &g, -1) && g.stop); /* a stop stays */
    inbox_free(&b);
}

static void who_takes_hears_once_that_a_batch_was_written(void **state)
{
    (void)state;
    struct inbox *b = inbox_new();
    struct gathered g;
    inbox_written(b);
    assert_false(inbox_holds(b, 1)); /* it is nothing to do */
    assert_true(inbox_take(b, &g, -1));
    assert_true(g.written && !g.stop && !g.tick && !g.items.first);
    assert_false(inbox_take(b, &g, 1000));
    inbox_free(&b);
}

static void what_a_parcel_held_is_gone_when_it_is_used_again(void **state)
{
    (void)state;
    struct parcel_pool *pool = parcel_pool_new(1);
    struct parcel *p = parcel_get(pool);
    for (int i = 0; i < 1000; i++) {
        char body[32];
        int n = snprintf(body, sizeof body, "body %d", i);
        assert_int_equal(parcel_add(p, (uint64_t)i + 1, body, (size_t)n), 0);
    }
    assert_int_equal(p->effects.n, 1000);
    struct effect last = p->effects.v[999];
    assert_int_equal(last.peer, 1000);
    assert_memory_equal(p->effects.bytes.p + last.off, "body 999", last.n);
    p->kind = PARCEL_EVENTS;
    p->ticked = p->figures = true;
    p->effects.last_event = 5;
    parcel_done(p);
    p = parcel_get(pool);
    assert_int_equal(p->kind, PARCEL_REPLIES);
    assert_int_equal(p->effects.n + p->effects.bytes.n + p->effects.last_event, 0);
    assert_false(p->ticked || p->figures);
    parcel_done(p);
    parcel_pool_free(&pool);
}

struct producer {
    struct parcel_pool *pool;
    struct outbox *out;
    uint64_t count;
};

static void *produce(void *arg)
{
    struct producer *pr = arg;
    for (uint64_t i = 0; i < pr->count; i++) {
        struct parcel *p = parcel_get(pr->pool);
        parcel_add(p, i + 1, &i, sizeof i);
        outbox_put(pr->out, p);
    }
    return NULL;
}

static void nothing_is_lost_between_threads_and_no_wake_up_is_missed(void **state)
{
    (void)state;
    struct producer pr = { parcel_pool_new(2), outbox_new(), 20000 };
    pthread_t thread;
    uint64_t next = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, &pr), 0);
    while (next < pr.count) {
        struct pollfd fd = { outbox_fd(pr.out), POLLIN, 0 };
        assert_int_equal(poll(&fd, 1, 10000), 1);
        for (struct parcel *p = outbox_take(pr.out), *after; p; p = after) {
            after = p->next;
            assert_int_equal(p->effects.v[0].peer, next + 1);
            assert_memory_equal(p->effects.bytes.p, &next, sizeof next);
            next++;
            parcel_done(p);
        }
    }
    pthread_join(thread, NULL);
    assert_null(outbox_take(pr.out));
    outbox_wake(pr.out);
    struct pollfd fd = { outbox_fd(pr.out), POLLIN, 0 };
    assert_int_equal(poll(&fd, 1, 10000), 1);
    outbox_free(&pr.out);
    parcel_pool_free(&pr.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_takes_takes_all_in_order),
        cmocka_unit_test(a_tick_is_taken_once_and_can_be_taken_back),
        cmocka_unit_test(who_takes_hears_once_that_a_batch_was_written),
        cmocka_unit_test(what_a_parcel_held_is_gone_when_it_is_used_again),
        cmocka_unit_test(nothing_is_lost_between_threads_and_no_wake_up_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
