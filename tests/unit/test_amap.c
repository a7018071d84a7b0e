/* The map from the numbers of live assignments to their segments (broker/engine/amap.h), beside an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/amap.h"
#include "tests/sim/rng.h"

#define NUMBERS 60000

static struct aseg *segment(uint64_t no)
{
    return (struct aseg *)(uintptr_t)(no * 8); /* never looked into */
}

static void check(const struct amap *m, const bool *in)
{
    uint64_t n = 0;
    for (uint64_t no = 1; no < NUMBERS; no++) {
        assert_ptr_equal(amap_get(m, no), in[no] ? segment(no) : NULL);
        n += in[no];
    }
    assert_int_equal(m->now.n + m->old.n, n);
}

static void what_was_put_is_found_until_it_is_deleted_whatever_is_on_the_move(void **state)
{
    (void)state;
    static bool in[NUMBERS];
    struct amap m = { 0 };
    struct rng r = rng_of(1, "amap", 0);
    uint64_t on_the_move = 0, next = 1, kept[NUMBERS], n = 0;
    for (uint64_t k = 0; next < NUMBERS; k++) {
        if (rng_chance(&r, k / 20000 % 2 ? 300000 : 900000)) { /* it fills, it empties, and again */
            assert_true(amap_put(&m, next, segment(next)));
            in[next] = true;
            kept[n++] = next++;
        } else if (n) {
            uint64_t i = rng_below(&r, n);
            amap_del(&m, kept[i]);
            in[kept[i]] = false;
            kept[i] = kept[--n];
        }
        on_the_move += m.old.n > 0;
        if (k % 4001 == 0 || (m.old.n && k % 301 == 0))
            check(&m, in);
    }
    check(&m, in);
    assert_true(on_the_move > 1000);
    while (n)
        amap_del(&m, kept[--n]);
    memset(in, 0, sizeof in);
    check(&m, in);
    amap_free(&m);
}

static void a_put_moves_a_few_however_many_there_are(void **state)
{
    (void)state;
    struct amap m = { 0 };
    for (uint64_t no = 1; no < 1000000; no++) {
        uint64_t were = m.now.cap ? m.now.n : 0, cap = m.now.cap;
        assert_true(amap_put(&m, no, segment(no)));
        assert_in_range(m.now.n - (m.now.cap == cap ? were : 0), 1, 1 + AMAP_MOVES);
    }
    amap_free(&m);
}

static void it_is_large_enough_to_hold_twice_as_many(void **state)
{
    (void)state;
    struct amap m = { 0 };
    for (uint64_t no = 1; no < 300000; no++) {
        assert_true(amap_put(&m, no, segment(no)));
        assert_true((m.now.n + m.old.n) * 2 <= m.now.cap);
        if (no > 5000) /* a window of live ones moves on: nothing grows */
            amap_del(&m, no - 5000);
    }
    assert_int_equal(m.now.cap, 16384);
    assert_int_equal(m.old.cap, 0);
    amap_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_it_is_deleted_whatever_is_on_the_move),
        cmocka_unit_test(a_put_moves_a_few_however_many_there_are),
        cmocka_unit_test(it_is_large_enough_to_hold_twice_as_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
