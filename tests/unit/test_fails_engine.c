/* The engine over a store whose calls fail. A broad life is lived step by step; each step is taken again and again, and the first call to LMDB in it
 * fails, then the second, until one goes through whole. Whatever fails: the engine says so with the failure's own code, what is on the disk is what
 * the last commit left there, to the byte, and the broker that starts anew over it takes the same step. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_play.h"
#include "tests/lib/lmdb_fails.h"

/* ---- failing ---- */

static void calls(bool in)
{
    if (in)
        lmdb_rearm();
    else
        lmdb_disarm();
}

/* One step, its calls failing in turn: each of the first ones, then some; where much is read there is more of it with each start. Returns how many
 * failed. */
static uint64_t take(const struct play_step *s, int code, uint64_t stride)
{
    enum store_rc typed = code == ENOMEM ? STORE_NO_MEMORY : code == MDB_CORRUPTED ? STORE_CORRUPT : STORE_IO;
    uint64_t failures = 0;
    for (uint64_t n = 1;; n += stride + n / 16, failures++) {
        lmdb_arm(n, code);
        lmdb_disarm();
        play_take(s, calls);
        if (!lmdb_state.failed) { /* past the last one */
            play.w.watched = false;
            assert_int_equal(play.w.failed, STORE_OK);
            return failures;
        }
        bool named = code == MDB_CORRUPTED && s->checks;
        if (!play.w.failed && !named)
            fail_msg("%s: call %llu failed (%s), and nobody said so", s->what, (unsigned long long)n,
                     lmdb_state.failed);
        /* of a commit all that is known is that the broker must stop; a read without memory goes unanswered */
        if (play.w.failed && play.w.failed != typed && play.w.failed != STORE_IO)
            fail_msg("%s: call %llu (%s) failed with %d and was told as %d", s->what, (unsigned long long)n,
                     lmdb_state.failed, code, play.w.failed);
        play_anew();
    }
}

static void live(const struct play_step *steps, int code, uint64_t wal_bytes, uint64_t stride)
{
    uint64_t failed = 0;
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = wal_bytes });
    for (const struct play_step *s = steps; s->what; s++)
        failed += take(s, code, stride);
    print_message("# %llu calls failed\n", (unsigned long long)failed);
    world_end(&play.w);
}

static void a_disk_that_fails_at_any_call_stops_the_engine_with_nothing_changed(void **state)
{
    (void)state;
    live(play_steps, EIO, 1, 1);
}

static void so_it_does_with_a_log(void **state)
{
    (void)state;
    live(play_steps, EIO, 0, 2);
}

static void damage_at_any_call_is_told_as_damage(void **state)
{
    (void)state;
    live(play_steps, MDB_CORRUPTED, 1, 6);
}

static void memory_that_lmdb_lacks_at_any_call_is_told_as_that(void **state)
{
    (void)state;
    live(play_steps, ENOMEM, 1, 6);
}

static void nor_does_it_change_anything_of_people_who_are_watched(void **state)
{
    (void)state;
    live(play_watched_steps, EIO, 1, 1);
}

static void damage_among_them_is_told_as_damage(void **state)
{
    (void)state;
    live(play_watched_steps, MDB_CORRUPTED, 1, 6);
}

static void a_start_over(const struct play_step *steps, const char *until, int code, enum store_rc told)
{
    enum store_rc rc;
    uint64_t n = 0;
    play_until(steps, until, 1);
    do {
        lmdb_arm(++n, code);
        lmdb_disarm();
        rc = play_start(calls);
        if (lmdb_state.failed && rc != told && rc != STORE_IO)
            fail_msg("call %llu (%s) failed and was told as %d", (unsigned long long)n, lmdb_state.failed, rc);
    } while (lmdb_state.failed);
    print_message("# %llu calls of a start failed\n", (unsigned long long)n - 1);
    assert_true(rc == STORE_OK && n > 100);
    world_up(&play.w);
    world_end(&play.w);
}

static void a_start_over_a_broad_life_says_that_the_disk_failed(void **state)
{
    (void)state;
    a_start_over(play_steps, "the_run_is_closed", EIO, STORE_IO);
}

static void so_does_one_over_people_who_are_watched(void **state)
{
    (void)state;
    a_start_over(play_watched_steps, "what_was_granted_is_revoked", EIO, STORE_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_fails_at_any_call_stops_the_engine_with_nothing_changed),
        cmocka_unit_test(so_it_does_with_a_log),
        cmocka_unit_test(damage_at_any_call_is_told_as_damage),
        cmocka_unit_test(memory_that_lmdb_lacks_at_any_call_is_told_as_that),
        cmocka_unit_test(nor_does_it_change_anything_of_people_who_are_watched),
        cmocka_unit_test(damage_among_them_is_told_as_damage),
        cmocka_unit_test(a_start_over_a_broad_life_says_that_the_disk_failed),
        cmocka_unit_test(so_does_one_over_people_who_are_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
