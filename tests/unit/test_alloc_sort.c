/* Sorting on the hot path (broker/engine/sort.c): the same as the C library's, without its allocations, and without memory too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "broker/engine/internal.h" /* before cmocka.h, whose macro `fail` is a function there */

#include <cmocka.h>

#include "tests/unit/alloc_world.h"

#define N_MAX 1500

struct element {
    uint32_t key, place;
    char ballast[24];
};

static struct engine e;
static struct element v[N_MAX], expected[N_MAX];
static uint64_t seed = 20261126;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

static int by_key(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int by_key_and_place(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    return by_key(a, b) ? by_key(a, b) : x->place < y->place ? -1 : 1;
}

static void fill(size_t n, uint32_t keys)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = (struct element){ .key = random_below(keys), .place = (uint32_t)i };
        memset(v[i].ballast, (int)(i & 127), sizeof v[i].ballast);
    }
    memcpy(expected, v, n * sizeof *v);
    qsort(expected, n, sizeof *v, by_key_and_place);
}

/* Equal ones stay in the order that they came in. */
static void sorts(size_t n, uint32_t keys)
{
    fill(n, keys);
    sort(&e, v, n, sizeof *v, by_key);
    assert_memory_equal(v, expected, n * sizeof *v);
}

static void any_array_is_sorted_and_equals_keep_their_order(void **state)
{
    (void)state;
    v[0].key = 1;
    sort(&e, v, 0, sizeof *v, by_key);
    sort(&e, v, 1, sizeof *v, by_key);
    assert_int_equal(v[0].key, 1);
    for (size_t n = 2; n < 200; n++)
        sorts(n, n % 3 ? 1000000 : 5);
    for (unsigned i = 0; i < 50; i++)
        sorts(2 + random_below(N_MAX - 2), i % 2 ? 1000000 : 20);
}

static void nothing_is_allocated_once_it_has_run(void **state)
{
    (void)state;
    sorts(N_MAX, 1000000);
    for (unsigned i = 0; i < 20; i++) {
        fill(N_MAX, 1000000);
        alloc_arm(0, false);
        sort(&e, v, N_MAX, sizeof *v, by_key);
        alloc_disarm();
        assert_int_equal(alloc_state.calls, 0);
    }
}

static void without_memory_it_sorts_all_the_same(void **state)
{
    (void)state;
    free(e.sort_scratch);
    e.sort_scratch = NULL;
    e.sort_cap = 0;
    alloc_arm(1, true);
    sorts(N_MAX, 1000);
    alloc_disarm();
    assert_true(alloc_state.failed > 0);
    assert_int_equal(e.rc, STORE_OK);
}

static int end(void **state)
{
    (void)state;
    free(e.sort_scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_array_is_sorted_and_equals_keep_their_order),
        cmocka_unit_test(nothing_is_allocated_once_it_has_run),
        cmocka_unit_test(without_memory_it_sorts_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
