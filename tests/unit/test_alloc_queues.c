/* The window of a check over the queues (broker/engine/reader_queues.c) where its first place alone has more ranges than it has room for. That takes half a million of
 * them; here the room is small, so the file itself is part of this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "broker/engine/reader_queues.c"

#include <cmocka.h>

#include "tests/unit/alloc_world.h"

#define RANGES 8

static struct reader r;

static int begin(void **state)
{
    (void)state;
    r.rc = STORE_OK;
    r.queues = calloc(1, sizeof *r.queues);
    r.queues->v = calloc(RANGES, sizeof *r.queues->v);
    r.queues->cap = RANGES;
    r.queues->upto = UINT64_MAX;
    return 0;
}

static int end(void **state)
{
    (void)state;
    rd_queues_free(&r);
    return 0;
}

static void add_apart(unsigned from, unsigned n) /* ranges of one place, the last one first; no two touch */
{
    for (unsigned i = from; i < from + n && !r.rc; i++)
        add(&r, r.queues, IN_READY, 1, 2 * (1000 - i), 1);
}

static void are_there(unsigned n)
{
    put_in_order(r.queues);
    assert_int_equal(r.queues->n, n);
    for (unsigned i = 0; i < n; i++)
        assert_true(held(r.queues, place_of(1, 2), what_of(IN_READY, 0), (uint16_t)(2 * (1000 - i))));
    assert_false(held(r.queues, place_of(1, 2), what_of(IN_READY, 0), 2 * (1000 - 1) + 1));
}

static void what_is_all_in_one_place_gets_more_room(void **state)
{
    (void)state;
    add_apart(0, 5 * RANGES);
    assert_int_equal(r.rc, STORE_OK);
    assert_true(r.queues->cap > 5 * RANGES);
    are_there(5 * RANGES);
}

static void without_memory_for_it_the_check_fails_and_what_was_gathered_stays(void **state)
{
    (void)state;
    add_apart(0, RANGES - 1);
    alloc_arm(1, true);
    add_apart(RANGES - 1, 2);
    alloc_disarm();
    assert_int_equal(alloc_state.failed, 1);
    assert_int_equal(r.rc, STORE_NO_MEMORY);
    assert_int_equal(r.queues->cap, RANGES);
    are_there(RANGES);
}

static void of_several_places_the_furthest_leave_and_nothing_is_asked_for(void **state)
{
    (void)state;
    alloc_arm(0, false);
    for (unsigned i = 0; i < RANGES; i++)
        add(&r, r.queues, IN_DEAD, i + 1, 7, 1);
    alloc_disarm();
    assert_int_equal(alloc_state.calls, 0);
    assert_int_equal(r.queues->cap, RANGES);
    assert_int_equal(r.queues->n, RANGES / 2);
    assert_int_equal(r.queues->upto, place_of(RANGES / 2 + 1, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_all_in_one_place_gets_more_room, begin, end),
        cmocka_unit_test_setup_teardown(without_memory_for_it_the_check_fails_and_what_was_gathered_stays, begin, end),
        cmocka_unit_test_setup_teardown(of_several_places_the_furthest_leave_and_nothing_is_asked_for, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
