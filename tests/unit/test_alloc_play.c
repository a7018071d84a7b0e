/* The same broad life as in test_fails_engine.c, and memory that runs out: each step is taken again and again, and the first allocation in it fails,
 * our own or LMDB's, then the second. The engine says so and nothing has changed; a read goes unanswered, or is answered as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/engine_play.h"
#define ALLOC_EVERYWHERE
#include "tests/unit/alloc_world.h"

static void allocations(bool in)
{
    if (in)
        alloc_rearm();
    else
        alloc_disarm();
}

/* What was done in spite of it is told as it should be: every event of the newest ones can be read. */
static void events_are_whole(void)
{
    struct slp_events_get q = { .since = 0 }; /* the oldest that is kept */
    struct slp_msg *m = world_read(&play.w, SLP_EVENTS_GET, &q);
    for (; m->type == SLP_EVENTS && m->u.events.more; m = world_read(&play.w, SLP_EVENTS_GET, &q))
        q.since = m->u.events.next_since;
    assert_int_equal(m->type, SLP_EVENTS);
}

/* Of many allocations not each is worth a turn: stride 0 for all of them, else so many and a 32nd of what was passed are passed by. */
static uint64_t take(const struct play_step *s, bool on, uint64_t stride)
{
    uint64_t failures = 0;
    for (uint64_t n = 1;; n += stride ? stride + n / 32 : 1, failures++) {
        alloc_arm(n, on);
        alloc_disarm();
        play_take(s, allocations);
        if (!alloc_state.failed) { /* past the last one */
            play.w.watched = false;
            assert_int_equal(play.w.failed, STORE_OK);
            return failures;
        }
        if (play.w.failed && play.w.failed != STORE_NO_MEMORY && play.w.failed != STORE_IO)
            fail_msg("%s: allocation %llu failed and was told as %d", s->what, (unsigned long long)n, play.w.failed);
        if (!play.w.failed)
            events_are_whole();
        play_anew();
    }
}

static void live(const struct play_step *steps, bool on, uint64_t stride)
{
    uint64_t failed = 0;
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = 1 });
    for (const struct play_step *s = steps; s->what; s++)
        failed += take(s, on, stride);
    print_message("# %llu allocations failed, at %u sites\n", (unsigned long long)failed, alloc_sites());
    world_end(&play.w);
}

static void an_allocation_that_fails_in_any_step_leaves_what_was_there(void **state)
{
    (void)state;
    live(play_steps, false, 1);
}

static void so_does_memory_that_is_gone_for_good(void **state)
{
    (void)state;
    live(play_steps, true, 4);
}

static void nor_does_it_hurt_people_who_are_watched(void **state)
{
    (void)state;
    live(play_watched_steps, false, 1);
}

/* Only in these steps, when they are taken for the first time; then each and every allocation of them. */
static void live_closely(const struct play_step *steps, const char *const *closely)
{
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = 1 });
    for (const struct play_step *s = steps; s->what; s++) {
        if (*closely && !strcmp(s->what, *closely)) {
            uint64_t n = take(s, false, 0);
            print_message("# %s: %llu allocations failed\n", s->what, (unsigned long long)n);
            assert_true(n > 0 || !ALLOC_LIBRARIES); /* of some steps all is asked for by LMDB */
            closely++;
        } else {
            s->take();
        }
    }
    assert_null(*closely); /* they are in the order of the life */
    world_end(&play.w);
}

static void each_allocation_may_fail_where_work_comes_back_and_is_told(void **state)
{
    static const char *const steps[] = { "another_hub_comes_with_a_shift",
                                         "units_are_put_under_keys",
                                         "all_is_answered",
                                         "work_comes_back_in_every_way",
                                         "a_frame_of_many_acts",
                                         "work_of_every_kind_is_answered",
                                         "all_kinds_are_read",
                                         "outputs_are_read",
                                         "queues_are_read",
                                         "events_are_read",
                                         "events_are_published",
                                         NULL };
    (void)state;
    live_closely(play_steps, steps);
}

static void nor_where_people_are_measured_and_told_of(void **state)
{
    static const char *const steps[] = { "all_is_answered_some_of_it_badly",
                                         "skills_are_granted",
                                         "a_forecast_is_asked_for",
                                         "all_is_answered_well",
                                         "stories_and_answers_are_read",
                                         "people_leave",
                                         NULL };
    (void)state;
    live_closely(play_watched_steps, steps);
}

static void nor_where_authors_pass_by_and_stations_are_many(void **state)
{
    static const char *const steps[] = { "the_days_of_a_zone_are_told", "units_are_made",
                                         "more_stations_than_a_word_has_bits", "others_take_their_place", NULL };
    (void)state;
    live_closely(play_crowd_steps, steps);
}

/* What loads lines, runs, rosters, shifts, days, hand-outs, queues, measures: each allocation fails in turn. */
static void a_start_over(const struct play_step *steps, const char *until)
{
    enum store_rc rc;
    uint64_t n = 0;
    play_until(steps, until, 1);
    do {
        alloc_arm(++n, false);
        alloc_disarm();
        rc = play_start(allocations);
        if (rc != STORE_OK && rc != STORE_NO_MEMORY && rc != STORE_IO)
            fail_msg("allocation %llu failed and was told as %d", (unsigned long long)n, rc);
        assert_true(alloc_state.failed || rc == STORE_OK);
    } while (alloc_state.failed);
    print_message("# %llu allocations of a start failed\n", (unsigned long long)n - 1);
    assert_true(n > (ALLOC_LIBRARIES ? 50 : 10));
    world_up(&play.w);
    world_end(&play.w);
}

static void a_start_over_a_broad_life_says_that_memory_ran_out(void **state)
{
    (void)state;
    a_start_over(play_steps, "the_run_is_closed");
}

static void so_does_one_over_people_who_are_watched(void **state)
{
    (void)state;
    a_start_over(play_watched_steps, "what_was_granted_is_revoked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_in_any_step_leaves_what_was_there),
        cmocka_unit_test(so_does_memory_that_is_gone_for_good),
        cmocka_unit_test(nor_does_it_hurt_people_who_are_watched),
        cmocka_unit_test(each_allocation_may_fail_where_work_comes_back_and_is_told),
        cmocka_unit_test(nor_where_people_are_measured_and_told_of),
        cmocka_unit_test(nor_where_authors_pass_by_and_stations_are_many),
        cmocka_unit_test(a_start_over_a_broad_life_says_that_memory_ran_out),
        cmocka_unit_test(so_does_one_over_people_who_are_watched),
    };
    return cmocka_run_group_tests_name("allocations of a broad life", tests, NULL, NULL);
}
