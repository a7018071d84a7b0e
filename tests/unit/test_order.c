/* The ordered set that finds by bits (broker/engine/order.h), beside an array that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/order.h"
#include "tests/sim/rng.h"

#define MEMBERS 700
#define WORDS_MAX 5

static struct order o;
static struct plain {
    bool in;
    struct order_key key;
    uint64_t *own;
    uint32_t root;
} plain[MEMBERS + 1];
static uint32_t root[2], words;

static bool before(struct order_key a, struct order_key b)
{
    return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}

static bool has(const struct plain *p, const uint64_t *mask)
{
    bool any = false;
    for (uint32_t w = 0; w < words; w++)
        any = any || (p->own[w] & mask[w]);
    return any;
}

/* The first in the array's order that has one of the bits (mask NULL: whatever it has), at or behind the key. */
static uint32_t search(uint32_t set, struct order_key from, bool at, const uint64_t *mask)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i <= MEMBERS; i++) {
        struct plain *p = &plain[i];
        if (!p->in || p->root != set || before(p->key, from) || (!at && !before(from, p->key)) ||
            (mask && !has(p, mask)))
            continue;
        if (!best || before(p->key, plain[best].key))
            best = i;
    }
    return best;
}

static void bits(struct rng *r, uint64_t *own)
{
    memset(own, 0, WORDS_MAX * sizeof *own);
    for (uint64_t n = rng_below(r, 4); n; n--) {
        uint64_t bit = rng_below(r, words * 64);
        own[bit / 64] |= 1ull << (bit % 64);
    }
}

static const uint64_t *moved(void *arg, uint32_t member)
{
    (void)arg;
    return plain[member].own;
}

static void change(struct rng *r)
{
    uint32_t i = 1 + (uint32_t)rng_below(r, MEMBERS);
    struct plain *p = &plain[i];
    if (!p->in) {
        p->in = true;
        p->root = (uint32_t)rng_below(r, 2);
        p->key = (struct order_key){ rng_below(r, 3), rng_below(r, 1000) << 32 | i };
        bits(r, p->own);
        order_put(&o, &root[p->root], i, p->key, p->own);
    } else if (rng_chance(r, 300000)) {
        bits(r, p->own);
        order_changed(&o, root[p->root], i);
    } else if (rng_chance(r, 500000)) {
        /* A key nearby, mostly one that leaves it between the same neighbours. */
        struct order_key key = { p->key.hi, ((p->key.lo >> 32) + rng_below(r, 8)) << 32 | i };
        bool same = true;
        for (uint32_t k = 1; k <= MEMBERS; k++)
            same = same && (k == i || !plain[k].in || plain[k].root != p->root ||
                            before(plain[k].key, p->key) == before(plain[k].key, key));
        assert_int_equal(order_stays(&o, root[p->root], i, key), same);
        if (same)
            p->key = key;
    } else {
        p->in = false;
        order_del(&o, &root[p->root], i);
    }
}

static void widen(void)
{
    assert_true(order_room(&o, MEMBERS, ++words));
    for (uint32_t i = 1; i <= MEMBERS; i++) { /* they may lie elsewhere now */
        uint64_t *own = malloc(WORDS_MAX * sizeof *own);
        memcpy(own, plain[i].own, WORDS_MAX * sizeof *own);
        free(plain[i].own);
        plain[i].own = own;
    }
    for (uint32_t k = 0; k < 2; k++)
        order_refresh(&o, root[k], moved, NULL);
}

static void the_same_is_found_as_by_looking_at_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rng r = rng_of(seed, "order", 0);
        memset(root, 0, sizeof root);
        words = 1;
        for (uint32_t i = 1; i <= MEMBERS; i++) {
            plain[i] = (struct plain){ 0 };
            assert_non_null(plain[i].own = calloc(WORDS_MAX, sizeof *plain[i].own));
        }
        assert_true(order_room(&o, MEMBERS, words));
        for (uint32_t step = 0; step < 4000; step++) {
            if (step % 1000 == 999)
                widen();
            change(&r);
            if (step % 7)
                continue;
            uint32_t set = (uint32_t)rng_below(&r, 2), bit = (uint32_t)rng_below(&r, words * 64);
            uint64_t mask[WORDS_MAX] = { 0 }, one[WORDS_MAX] = { 0 }, all[WORDS_MAX] = { 0 };
            struct order_key zero = { 0, 0 }, from = { rng_below(&r, 3), rng_below(&r, 1000) << 32 };
            if (rng_chance(&r, 500000) && plain[1 + step % MEMBERS].in)
                from = plain[1 + step % MEMBERS].key; /* exactly at somebody's */
            bits(&r, mask);
            one[bit / 64] = 1ull << (bit % 64);
            assert_int_equal(order_first(&o, root[set], mask), search(set, zero, true, mask));
            assert_int_equal(order_first_bit(&o, root[set], bit), search(set, zero, true, one));
            assert_int_equal(order_after_bit(&o, root[set], from, bit), search(set, from, false, one));
            assert_int_equal(order_from(&o, root[set], from), search(set, from, true, NULL));
            for (uint32_t i = 1; i <= MEMBERS; i++)
                for (uint32_t w = 0; w < words && plain[i].in && plain[i].root == set; w++)
                    all[w] |= plain[i].own[w];
            assert_memory_equal(order_union(&o, root[set]), all, words * sizeof *all);
        }
        for (uint32_t i = 1; i <= MEMBERS; i++)
            free(plain[i].own);
        order_free(&o);
    }
}

static uint32_t depth(uint32_t t)
{
    uint32_t l = t ? depth(order_at(&o, t)->left) : 0, r = t ? depth(order_at(&o, t)->right) : 0;
    return t ? 1 + (l > r ? l : r) : 0;
}

static void a_million_that_come_in_order_lie_in_a_shallow_tree(void **state)
{
    static const uint64_t own = 1;
    uint32_t top = 0;
    (void)state;
    assert_true(order_room(&o, 1000000, 1));
    for (uint32_t i = 1; i <= 1000000; i++)
        order_put(&o, &top, i, (struct order_key){ 0, i }, &own);
    assert_true(depth(top) <= 64); /* three times the logarithm; the worst order of arrival for a plain tree */
    for (uint32_t i = 1; i <= 1000000; i++) {
        assert_int_equal(order_first_bit(&o, top, 0), i);
        order_del(&o, &top, i);
    }
    assert_int_equal(top, 0);
    order_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_found_as_by_looking_at_everything),
        cmocka_unit_test(a_million_that_come_in_order_lie_in_a_shallow_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
