/* Blocks that one thread takes and many give back (broker/blocks.h). */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/blocks.h"

#define GIVERS 4
#define EACH 5000

/* A way from the taker to one giver: full or empty. */
static _Atomic(void *) way[GIVERS];
static atomic_uint wrong, given;

static void *giver(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    for (unsigned k = 0; k < EACH;) {
        unsigned char *p = atomic_exchange(&way[i], NULL);
        if (!p) {
            sched_yield();
            continue;
        }
        struct block_note *note = blocks_note(p);
        for (uint64_t at = 0; at < note->bytes; at += 97)
            if (p[at] != (unsigned char)(note->bytes * 31))
                atomic_fetch_add(&wrong, 1);
        blocks_give(p);
        atomic_fetch_add(&given, 1);
        k++;
    }
    return NULL;
}

static void four_threads_give_what_one_takes_and_the_owner_goes_first(void **state)
{
    pthread_t t[GIVERS];
    struct blocks *b = blocks_new();
    (void)state;
    assert_non_null(b);
    for (uintptr_t i = 0; i < GIVERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, giver, (void *)i), 0);
    for (unsigned k = 0; k < GIVERS * EACH; k++) {
        uint64_t n = 1 + (uint64_t)k * 2654435761u % (k % 100 ? 3000 : 700000);
        unsigned char *p = blocks_take(b, n);
        assert_non_null(p);
        memset(p, (int)(unsigned char)(n * 31), n);
        blocks_note(p)->bytes = n;
        void *none = NULL;
        while (!atomic_compare_exchange_weak(&way[k % GIVERS], &none, p)) {
            none = NULL;
            sched_yield();
        }
    }
    blocks_free(&b); /* some are still on their way */
    assert_null(b);
    for (unsigned i = 0; i < GIVERS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_int_equal(atomic_load(&given), GIVERS * EACH);
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void what_comes_back_after_a_burst_does_not_stay(void **state)
{
    enum { N = 500, BYTES = 130000 };
    static void *p[N];
    struct blocks *b = blocks_new();
    (void)state;
    assert_non_null(b);
    size_t before = in_use();
    for (unsigned i = 0; i < N; i++)
        assert_non_null(p[i] = blocks_take(b, i % 2 ? BYTES : 60));
    for (unsigned i = 0; i < N; i++)
        blocks_give(p[i]);
    assert_true(in_use() <= before + 2 * BLOCKS_KEPT_BYTES_MAX); /* although nobody takes one again */
    blocks_free(&b);
}

static void a_block_tells_the_memory_that_it_takes(void **state)
{
    static const size_t asked[] = { 1, 60, 512, 513, 130000, 300000, 3000000 };
    struct blocks *b = blocks_new();
    (void)state;
    assert_non_null(b);
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        void *p = blocks_take(b, asked[i]);
        assert_non_null(p);
        assert_int_equal(blocks_bytes(p), blocks_bytes_for(asked[i]));
        assert_true(blocks_bytes(p) >= asked[i]);
        blocks_give(p);
    }
    assert_true(blocks_bytes_for(60) > 512 && blocks_bytes_for(60) < 1024);
    assert_true(blocks_bytes_for(130000) > 131072 && blocks_bytes_for(130000) < 140000);
    blocks_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_threads_give_what_one_takes_and_the_owner_goes_first),
        cmocka_unit_test(what_comes_back_after_a_burst_does_not_stay),
        cmocka_unit_test(a_block_tells_the_memory_that_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
