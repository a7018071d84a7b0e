/* What is measured of workers: windows, and what makes each measure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/repute.h"
#include "tests/lib/engine_world.h"

#define MINUTE 60000000ll
#define DAY (24 * 60 * MINUTE)

/* ---- windows ---- */

/* Minutes since 1970 in 32 bits: what is before or beyond that is at its edge. */
static void a_window_of_any_time_counts(void **state)
{
    (void)state;
    static const int64_t at[] = { INT64_MIN, -MINUTE, 0, UINT32_MAX * MINUTE, (UINT32_MAX + 5ll) * MINUTE, INT64_MAX };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct window w = { 0 };
        window_add(&w, 8, DAY, at[i], 1, 1);
        assert_int_equal(window_tally(&w, DAY, at[i]).n, 1);
        assert_int_equal(window_tally(&w, DAY, INT64_MIN).n, 1); /* the clock was set back */
        assert_int_equal(window_tally(&w, DAY, INT64_MAX).n, i >= 3);
    }
}

static void a_window_holds_the_last_ones(void **state)
{
    struct window w = { 0 };
    (void)state;
    for (int i = 0; i < 100; i++)
        window_add(&w, 8, DAY, i * MINUTE, 1, i < 92);
    struct tally t = window_tally(&w, DAY, 100 * MINUTE);
    assert_int_equal(t.n, 8); /* of a window of eight each part is one */
    assert_int_equal(t.sum, 0);
    w = (struct window){ 0 };
    for (int i = 0; i < 1000; i++) {
        window_add(&w, 64, DAY, 0, 1, 1);
        t = window_tally(&w, DAY, 0);
        assert_true(i < 56 ? t.n == (uint64_t)i + 1 : t.n >= 56 && t.n <= 64);
    }
}

/* Whatever its size is, eight parts or not. */
static void a_window_of_any_size_holds_no_more_and_at_least_seven_eighths(void **state)
{
    (void)state;
    for (uint32_t last = WINDOW_LAST_MIN; last <= 80; last++) {
        struct window w = { 0 };
        for (uint32_t i = 1; i <= 4 * last; i++) {
            window_add(&w, last, DAY, 0, 1, 1);
            uint64_t n = window_tally(&w, DAY, 0).n, sure = last - last / 8;
            if (n > last || n < (i < sure ? i : sure))
                fail_msg("of %u things a window of %u holds %llu", i, last, (unsigned long long)n);
        }
    }
}

static void what_is_older_than_the_window_does_not_count(void **state)
{
    struct window w = { 0 };
    (void)state;
    window_add(&w, 64, 8 * DAY, 0, 1, 1);
    window_add(&w, 64, 8 * DAY, 3 * DAY, 1, 0);
    assert_int_equal(window_tally(&w, 8 * DAY, 8 * DAY).n, 2);
    assert_int_equal(window_tally(&w, 8 * DAY, 9 * DAY).n, 1);
    assert_int_equal(window_tally(&w, 8 * DAY, 9 * DAY).sum, 0);
    assert_int_equal(window_tally(&w, 8 * DAY, 8 * DAY).n, 2); /* the clock was set ahead, and back */
    assert_int_equal(window_tally(&w, 8 * DAY, 12 * DAY).n, 0);
}

static void a_clock_that_was_far_ahead_does_no_harm(void **state)
{
    struct window w = { 0 };
    (void)state;
    window_add(&w, 64, 8 * DAY, 400 * DAY, 1, 1);
    for (int i = 0; i < 10; i++)
        window_add(&w, 64, 8 * DAY, DAY, 1, 1);
    assert_int_equal(window_tally(&w, 8 * DAY, 2 * DAY).n, 11);
}

/* ---- what is measured ---- */

static struct world_scene s;

static uint64_t repute(const char *worker, const char *path)
{
    struct slp_repute_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    assert_true(m && m->type == SLP_REPUTE);
    return world_number(world_at(m->u.repute.story, path));
}

#define LINE                                                                                                           \
    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    lease: 10m\n    form: {fields: "   \
    "[{name: a, "                                                                                                      \
    "type: short_answer}]}\n"
#define COPIES "    copies: {min: 3}\n    agree: {method: plurality, ties: first}\n"

static void a_result_and_its_times_are_measured(void **state)
{
    (void)state;
    world_scene(&s, LINE, 2, 0);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_take(&s, 0, 2), 2);
    struct world_task first = s.t[0], second = s.t[1];
    int64_t lease;
    assert_int_equal(world_act(&s.w, &s.h, &first, ACT_START, NULL, &lease), SLP_E_OK);
    world_pass(&s.w, MINUTE / 6);
    assert_int_equal(world_submit(&s.w, &s.h, &first, "x"), SLP_E_OK);
    assert_int_equal(repute("hub-0", "stations[0].measures.lease.of"), 1);
    assert_true(repute("hub-0", "stations[0].measures.lease.mean_us") >= MINUTE / 6);
    assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.of"), 1);
    assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.abandoned"), 0);
    assert_int_equal(world_act(&s.w, &s.h, &second, ACT_START, NULL, &lease), SLP_E_OK);
    world_pass(&s.w, 11 * MINUTE);
    assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.of"), 2);
    assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.abandoned"), 1);
    assert_int_equal(repute("hub-0", "measures.abandonment.abandoned"), 1);
    assert_int_equal(repute("hub-1", "stations[0].measures.abandonment.of"), UINT64_MAX);
    world_restart(&s.w);
    assert_int_equal(repute("hub-0", "measures.abandonment.of"), 2);
    world_end(&s.w);
}

/* Of the same station: the mean of others is what a worker's pace is measured by. */
static void the_time_of_work_that_an_agent_tells_is_measured(void **state)
{
    static const uint64_t told_us[] = { 20000000, 20000000, 10000000, 0, SL_LEASE_US_MAX + 1ull };
    (void)state;
    world_scene(&s, LINE, 2, 0);
    world_put(&s.w, s.run, 5);
    assert_int_equal(world_take(&s, 0, 5), 5);
    for (unsigned i = 0; i < 5; i++) {
        struct slp_buf values = { 0 }, b = { 0 };
        struct world_task t = s.t[i];
        slp_pack_cstr(&values, "x");
        struct slp_item_result it = { .assignment = t.assignment,
                                      .worker = t.worker,
                                      .values = { values.p, (uint32_t)values.n, 1 },
                                      .active_us = told_us[i] };
        SLP_SET(&it, item_result, active_us);
        slp_pack_item(&b, SLP_ITEM_result, &it);
        struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
        slp_buf_free(&values);
        slp_buf_free(&b);
    }
    assert_int_equal(repute("hub-0", "stations[0].measures.active.of"),
                     3); /* what is not told, or cannot be, does not count */
    assert_in_range(repute("hub-0", "stations[0].measures.active.mean_us"), 16600000, 16700000);
    world_restart(&s.w);
    assert_int_equal(repute("hub-0", "stations[0].measures.active.of"), 3);
    world_end(&s.w);
}

static const char *why(const char *worker, uint64_t code)
{
    static char text[SL_TEXT_BYTES_MAX + 1];
    struct slp_worker_why_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_WORKER_WHY_GET, &q);
    assert_true(m && m->type == SLP_WHY);
    assert_int_equal(m->u.why.code, code);
    memcpy(text, m->u.why.text.p, m->u.why.text.n);
    text[m->u.why.text.n] = 0;
    return text;
}

/* Takes one, and hands it in after so long; so much of it he says he worked. */
static void works(unsigned worker, int64_t lease_us, uint64_t active_us)
{
    struct slp_buf v = { 0 }, b = { 0 };
    world_clear(&s.w);
    assert_int_equal(world_take(&s, worker, 1), 1);
    struct world_task t = s.t[0];
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL), SLP_E_OK);
    for (; lease_us > 0; lease_us -= MINUTE / 12) {
        world_pass(&s.w, lease_us < MINUTE / 12 ? lease_us : MINUTE / 12);
        world_beat(&s.w, &s.h);
    }
    slp_pack_cstr(&v, "x");
    struct slp_item_result it = {
        .assignment = t.assignment, .worker = t.worker, .values = { v.p, (uint32_t)v.n, 1 }, .active_us = active_us
    };
    if (active_us)
        SLP_SET(&it, item_result, active_us);
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
    slp_buf_free(&v);
    slp_buf_free(&b);
}

static bool comes(unsigned worker)
{
    world_clear(&s.w);
    return world_take(&s, worker, 1) != 0;
}

static void whoever_takes_too_long_is_given_nothing(void **state)
{
    (void)state;
    world_scene(&s, LINE "    require: {lease_time: '< 10s', after: 2}\n", 2, 0);
    world_put(&s.w, s.run, 9);
    works(1, 4000000, 0);
    works(1, 26000000, 0);
    works(0, 4000000, 0);
    works(0, 4000000, 60000000); /* how long he worked is another measure */
    assert_true(comes(0));
    assert_false(comes(1));
    static const char says[] = "station judge requires lease_time < 10.000 s, this worker has 15.";
    assert_memory_equal(why("hub-1", 18), says, sizeof says - 1);
    world_end(&s.w);
}

static void whoever_works_too_short_a_time_is_given_nothing(void **state)
{
    (void)state;
    world_scene(&s, LINE "    require: {active_time: '>= 1500ms', after: 2}\n", 2, 0);
    world_put(&s.w, s.run, 9);
    works(0, 4000000, 1000000);
    works(0, 4000000, 0); /* this one says nothing of it */
    works(0, 4000000, 1998000);
    assert_false(comes(0));
    assert_string_equal(why("hub-0", 18),
                        "station judge requires active_time >= 1.500 s, this worker has 1.499 s in the mean of 2");
    works(1, 4000000, 1000000);
    works(1, 4000000, 2000000);
    assert_true(comes(1));
    world_end(&s.w);
}

static void what_was_not_begun_is_not_abandoned(void **state)
{
    (void)state;
    world_scene(&s, LINE, 1, 0);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_take(&s, 0, 2), 2);
    struct world_task first = s.t[0], second = s.t[1];
    assert_int_equal(world_act(&s.w, &s.h, &first, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &second, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    assert_int_equal(repute("hub-0", "measures.abandonment.of"), UINT64_MAX);
    world_end(&s.w);
}

static void who_answered_as_was_decided_agreed(void **state)
{
    static const char *const answer[] = { "x", "x", "y" };
    static const char *const worker[] = { "hub-0", "hub-1", "hub-2" };
    (void)state;
    world_scene(&s, LINE COPIES, 3, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(repute("hub-0", "measures.agreement.of"), UINT64_MAX); /* it is not decided yet */
        assert_int_equal(world_take(&s, i, 1), 1);
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], answer[i]), SLP_E_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(repute(worker[i], "stations[0].measures.agreement.of"), 1);
        assert_int_equal(repute(worker[i], "stations[0].measures.agreement.agreed"), i < 2);
    }
    world_end(&s.w);
}

static void all_versions_of_a_station_are_one(void **state)
{
    (void)state;
    world_scene(&s, LINE, 1, 0);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_take(&s, 0, 1), 1);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "x"), SLP_E_OK);
    world_line(&s.w, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - {name: first}\n  - name: judge\n   "
                     " form: {fields: [{name: a, "
                     "type: short_answer}]}\n");
    uint64_t run = world_run(&s.w, "l", "second");
    world_put(&s.w, run, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world_take(&s, 0, 1), 1);
        if (i == 0) {
            struct slp_buf b = { 0 };
            struct slp_item_result it = { .assignment = s.t[0].assignment, .worker = s.t[0].worker };
            slp_pack_item(&b, SLP_ITEM_result, &it);
            struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
            assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
            slp_buf_free(&b);
        } else {
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "x"), SLP_E_OK);
        }
    }
    assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.of"), 2); /* judge, of both versions */
    assert_int_equal(repute("hub-0", "stations[1].measures.abandonment.of"), 1);
    assert_int_equal(repute("hub-0", "measures.abandonment.of"), 3);
    world_end(&s.w);
}

/* His record is read where it is written; more than are noted until then have it read at once. */
static void many_results_of_one_worker_in_one_frame_all_count(void **state)
{
    enum { BEFORE = 2, AT_ONCE = 10 };
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, LINE, 1, 0);
    world_put(&s.w, s.run, BEFORE + AT_ONCE);
    assert_int_equal(world_take(&s, 0, BEFORE + AT_ONCE), BEFORE + AT_ONCE);
    struct world_task task[BEFORE + AT_ONCE];
    memcpy(task, s.t, sizeof task);
    for (int i = 0; i < BEFORE; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &task[i], "x"), SLP_E_OK);
    for (int i = BEFORE; i < BEFORE + AT_ONCE; i++) {
        struct slp_item_result it = { .assignment = task[i].assignment,
                                      .worker = task[i].worker,
                                      .values = { "\xa1x", 2, 1 },
                                      .active_us = 1000000 };
        SLP_SET(&it, item_result, active_us);
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, AT_ONCE } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, AT_ONCE);
    slp_buf_free(&b);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(repute("hub-0", "stations[0].measures.abandonment.of"), BEFORE + AT_ONCE);
        assert_int_equal(repute("hub-0", "stations[0].measures.active.of"), AT_ONCE);
        assert_int_equal(repute("hub-0", "measures.abandonment.of"), BEFORE + AT_ONCE);
        world_restart(&s.w);
    }
    world_end(&s.w);
}

static void who_is_not_known_is_not_found(void **state)
{
    (void)state;
    world_scene(&s, LINE, 1, 0);
    struct slp_repute_get q = { .name = world_str("nobody") };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q)), SLP_E_NOT_FOUND);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_holds_the_last_ones),
        cmocka_unit_test(a_window_of_any_size_holds_no_more_and_at_least_seven_eighths),
        cmocka_unit_test(what_is_older_than_the_window_does_not_count),
        cmocka_unit_test(a_clock_that_was_far_ahead_does_no_harm),
        cmocka_unit_test(a_result_and_its_times_are_measured),
        cmocka_unit_test(the_time_of_work_that_an_agent_tells_is_measured),
        cmocka_unit_test(whoever_takes_too_long_is_given_nothing),
        cmocka_unit_test(whoever_works_too_short_a_time_is_given_nothing),
        cmocka_unit_test(what_was_not_begun_is_not_abandoned),
        cmocka_unit_test(who_answered_as_was_decided_agreed),
        cmocka_unit_test(all_versions_of_a_station_are_one),
        cmocka_unit_test(many_results_of_one_worker_in_one_frame_all_count),
        cmocka_unit_test(who_is_not_known_is_not_found),
        cmocka_unit_test(a_window_of_any_time_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
