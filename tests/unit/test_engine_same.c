/* The engine: what must not make a difference. The same inputs leave the same state, in batches of any size; and a start from the store at any moment
 * leaves the same state as an engine that was never closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_life.h"

static void live(const struct life *l, uint8_t hash[16])
{
    struct world w = { 0 };
    life_live(&w, l);
    world_hash(&w, hash);
    world_end(&w);
}

static void the_same_life_twice_leaves_the_same_state(void **state)
{
    uint8_t a[16], b[16];
    (void)state;
    live(&(struct life){ .seed = 1, .steps = 400, .batch = 1 }, a);
    live(&(struct life){ .seed = 1, .steps = 400, .batch = 1 }, b);
    assert_memory_equal(a, b, 16);
    live(&(struct life){ .seed = 2, .steps = 400, .batch = 1 }, b);
    assert_memory_not_equal(a, b, 16);
}

static void a_life_visits_every_state(void **state)
{
    uint64_t seen[TASK_STATES] = { 0 };
    static const char *const station[] = { "a", "b", "c", "d" };
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w = { 0 };
        life_live(&w, &(struct life){ .seed = seed, .steps = 500, .batch = 1 });
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < TASK_STATES; k++)
                seen[k] += world_count(&w, "one", station[i], (enum task_state)k) +
                           world_count(&w, "two", station[i], (enum task_state)k);
        world_end(&w);
    }
    for (int k = 0; k < TASK_STATES; k++)
        if (seen[k] < 3)
            fail_msg("state %d was seen %u times", k, (unsigned)seen[k]);
}

static void batches_of_any_size_leave_the_same_state(void **state)
{
    static const unsigned sizes[] = { 7, 200 };
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint8_t one[16], more[16];
        live(&(struct life){ .seed = seed, .steps = 500, .batch = 1 }, one);
        for (size_t i = 0; i < 2; i++) {
            live(&(struct life){ .seed = seed, .steps = 500, .batch = sizes[i] }, more);
            if (memcmp(one, more, 16))
                print_error("seed %u, batches of %u\n", (unsigned)seed, sizes[i]);
            assert_memory_equal(one, more, 16);
        }
    }
}

static void a_start_from_the_store_at_any_moment_leaves_the_same_state(void **state)
{
    static const unsigned at_once[] = { 0, 2,
                                        20 }; /* with a limit a queue that ran empty may not be looked at for long */
    (void)state;
    for (unsigned k = 0; k < 3 * 4; k++)
        for (unsigned at = 5; at < 300; at += 23) {
            uint8_t went_on[16], reopened[16];
            struct life l = {
                .seed = 1 + k / 3, .steps = 300, .batch = 1, .restart_at = at, .at_once = at_once[k % 3]
            };
            live(&l, went_on);
            l.really = true;
            live(&l, reopened);
            if (memcmp(went_on, reopened, 16))
                print_error("seed %u, after step %u, at_once %u\n", (unsigned)l.seed, at, l.at_once);
            assert_memory_equal(went_on, reopened, 16);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_life_twice_leaves_the_same_state),
        cmocka_unit_test(a_life_visits_every_state),
        cmocka_unit_test(batches_of_any_size_leave_the_same_state),
        cmocka_unit_test(a_start_from_the_store_at_any_moment_leaves_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
