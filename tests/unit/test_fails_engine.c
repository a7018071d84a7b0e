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

/* ---- beside the steps ---- */

static const char line_text[] = "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                "  - {name: judge, form: {fields: [{name: answer, type: short_answer}]}}\n";

static void an_engine_that_failed_goes_on_failing(void **state)
{
    static struct world_scene s;
    (void)state;
    world_scene(&s, line_text, 1, 0);
    lmdb_arm(1, EIO);
    lmdb_disarm();
    s.w.around = calls;
    world_run_set(&s.w, "r", RUN_SET_CLOSE, 0);
    s.w.around = NULL;
    assert_int_equal(s.w.failed, STORE_IO);
    struct input in = { .kind = INPUT_TICK, .elapsed_us = s.w.now_us, .wall_us = s.w.wall_us };
    assert_int_equal(engine_step(s.w.engine, &in), STORE_IO);
    world_restart(&s.w);
    world_put(&s.w, s.run, 1); /* it is open still */
    world_end(&s.w);
}

static void a_hash_is_of_all_that_is_there_or_none(void **state)
{
    static struct world_scene s;
    uint8_t hash[16], again[16];
    uint64_t n = 0;
    (void)state;
    world_scene(&s, line_text, 1, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(engine_state_hash(s.w.store, hash), STORE_OK);
    for (bool failed = true; failed;) {
        lmdb_arm(++n, EIO);
        enum store_rc rc = engine_state_hash(s.w.store, again);
        lmdb_disarm();
        failed = lmdb_state.failed != NULL;
        assert_int_equal(rc, failed ? STORE_IO : STORE_OK);
    }
    assert_in_range(n, 20, 10000);
    assert_memory_equal(hash, again, 16);
    world_end(&s.w);
}


static void a_restored_copy_is_one_whole_or_not_at_all(void **state)
{
    static struct world_scene s;
    static const uint8_t id[16] = "a copy's own id.";
    uint64_t first = 0, n = 0;
    (void)state;
    world_scene(&s, line_text, 1, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_take(&s, 0, 3), 3);
    world_down(&s.w);
    for (bool failed = true; failed;) {
        struct store *c;
        struct store_options o = { .dir = s.w.dir, .map_bytes = 1 << 28, .wal_bytes = 1, .no_sync = true };
        assert_int_equal(store_open(&c, &o, id, NULL, 0), STORE_OK);
        lmdb_arm(++n, EIO);
        enum store_rc rc = engine_restore(c, id, s.w.wall_us + 8, &first);
        lmdb_disarm();
        failed = lmdb_state.failed != NULL;
        assert_int_equal(rc, failed ? STORE_IO : STORE_OK);
        store_close(&c);
    }
    assert_in_range(n, 4, 100);
    assert_int_equal(first, 3 + (1ull << 36) + 1 + 1); /* as if it had been tried once */
    world_up(&s.w);
    world_end(&s.w);
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
        cmocka_unit_test(an_engine_that_failed_goes_on_failing),
        cmocka_unit_test(a_hash_is_of_all_that_is_there_or_none),
        cmocka_unit_test(a_restored_copy_is_one_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
