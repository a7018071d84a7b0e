/* The engine: the order in which tasks are handed out. First in first out, what came back first, fair shares, priorities, pauses, delays, and what queues
 * of large or many values look like on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define SECOND 1000000ll

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n    lease: 10m\n";

static struct world_scene s;

/* The number in "unit NUMBER" of a task that was pushed. */
static unsigned number(size_t i)
{
    unsigned n = 0;
    assert_int_equal(sscanf(world_shown(&s.w, &s.h, s.t[i].assignment, 0), "unit %u", &n), 1);
    return n;
}

static void units_are_handed_out_in_input_order_across_segments_and_restarts(void **state)
{
    unsigned next = 1;
    (void)state;
    world_scene(&s, simple, 1, 0);
    for (unsigned i = 0; i < 12; i++)
        world_put(&s.w, s.run, i % 3 ? 1 : 90); /* large and small segments */
    for (unsigned round = 0; next <= 300; round++) {
        size_t n = world_take(&s, 0, 7 + 13 * (round % 4));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(number(i), next++);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "a"), SLP_E_OK);
        if (round % 3 == 2) {
            world_restart(&s.w);
            world_hello(&s.w, &s.h, NULL, 0);
        }
        if (round == 5)
            world_put(&s.w, s.run, 5);
    }
    world_end(&s.w);
}

static void what_came_back_is_served_before_what_is_fresh(void **state)
{
    (void)state;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 50);
    assert_int_equal(world_take(&s, 0, 5), 5);
    struct world_task was[5];
    memcpy(was, s.t, sizeof was);
    assert_int_equal(world_act(&s.w, &s.h, &was[3], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &was[1], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_take(&s, 1, 3), 3);
    assert_int_equal(number(0), 4); /* in the order in which they came back */
    assert_int_equal(number(1), 2);
    assert_int_equal(number(2), 6);
    world_end(&s.w);
}

static void a_large_run_does_not_starve_a_small_one(void **state)
{
    unsigned of_small = 0;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1000);
    size_t n = world_take(&s, 0, 100); /* the large one is well under way */
    assert_int_equal(n, 100);
    uint64_t small = world_run(&s.w, "simple", "small");
    world_put(&s.w, small, 10); /* units 1001 to 1010 */
    n = world_take(&s, 0, 20);
    for (unsigned i = 0; i < n; i++) /* turn by turn; in a frame, what belongs to one run stands together */
        of_small += number(i) > 1000;
    assert_in_range(of_small, 9, 10);
    world_end(&s.w);
}

static void a_run_that_slept_does_not_make_up_for_it(void **state)
{
    unsigned first_hundred = 0;
    (void)state;
    world_scene(&s, simple, 1, 0);
    uint64_t old = world_run(&s.w, "simple", "old");
    world_put(&s.w, old, 1);
    assert_int_equal(world_take(&s, 0, 1), 1); /* it was served once, long ago */
    world_put(&s.w, s.run, 500);
    assert_int_equal(world_take(&s, 0, 300), 300);
    world_put(&s.w, old, 200); /* units 502 and on */
    assert_int_equal(world_take(&s, 0, 100), 100);
    for (unsigned i = 0; i < 100; i++)
        first_hundred += number(i) > 501;
    assert_in_range(first_hundred, 45, 55);
    world_end(&s.w);
}

static void a_run_that_wakes_up_begins_with_those_at_its_station_however_far_behind_others_are(void **state)
{
    struct world_hub robots = { 0 };
    unsigned of_new = 0;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_line(&s.w,
               "line: slow\ninput:\n  - {name: text, type: text}\nstations:\n"
               "  - name: a\n    worker: {kind: robot}\n    form: {fields: [{name: answer, type: short_answer}]}\n");
    uint64_t slow = world_run(&s.w, "slow", "elsewhere");
    world_hub(&s.w, &robots, "robots", 1, 1);
    world_put(&s.w, slow, 5);
    world_credit(&s.w, &robots, 0, 1); /* it has been served once, and has work left */
    world_put(&s.w, s.run, 1000);
    assert_int_equal(world_take(&s, 0, 100), 100);
    uint64_t new = world_run(&s.w, "simple", "new");
    world_put(&s.w, new, 50); /* units 1006 and on */
    assert_int_equal(world_take(&s, 0, 20), 20);
    for (unsigned i = 0; i < 20; i++)
        of_new += number(i) > 1005;
    assert_in_range(of_new, 9, 11);
    world_end(&s.w);
}

static void a_run_whose_priority_changes_begins_with_its_new_equals(void **state)
{
    unsigned of_changed = 0;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 500);
    assert_int_equal(world_take(&s, 0, 100), 100);
    uint64_t other = world_run(&s.w, "simple", "other");
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_PRIORITY, 9), SLP_E_OK);
    world_put(&s.w, other, 200); /* units 501 and on */
    assert_int_equal(world_take(&s, 0, 2), 2);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PRIORITY, 9), SLP_E_OK);
    assert_int_equal(world_take(&s, 0, 20), 20);
    for (unsigned i = 0; i < 20; i++)
        of_changed += number(i) <= 500;
    assert_in_range(of_changed, 9, 11);
    world_end(&s.w);
}

static void a_higher_priority_goes_first_and_can_be_changed_on_the_way(void **state)
{
    (void)state;
    world_scene(&s, simple, 1, 0);
    uint64_t other = world_run(&s.w, "simple", "other");
    world_put(&s.w, s.run, 20); /* 1 to 20 */
    world_put(&s.w, other, 20); /* 21 to 40 */
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_PRIORITY, 9), SLP_E_OK);
    assert_int_equal(world_take(&s, 0, 5), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(number(i), 21 + i);
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_PRIORITY, 0), SLP_E_OK);
    assert_int_equal(world_take(&s, 0, 22), 22);
    for (unsigned i = 0; i < 22; i++)
        assert_int_equal(number(i), i < 20 ? 1 + i : 26 + i - 20);
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_PRIORITY, 0), SLP_E_OK); /* the same again */
    world_restart(&s.w);
    struct slp_cursor c = slp_each(world_run_get(&s.w, "other")->u.run_info.run);
    struct slp_item_run_row row;
    slp_next_run_row(&c, &row);
    assert_int_equal(row.priority, 0);
    world_end(&s.w);
}

static void the_station_furthest_downstream_comes_first(void **state)
{
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_close(&s.w);
    memset(&s, 0, sizeof s);
    world_open(&s.w);
    s.station = world_line(&s.w, "line: chain\ninput:\n  - {name: text, type: text}\nstations:\n"
                                 "  - name: a\n    form: {fields: [{name: answer, type: short_answer}]}\n"
                                 "  - name: b\n    form: {fields: [{name: answer, type: short_answer}]}\n");
    s.run = world_run(&s.w, "chain", "r");
    world_hub(&s.w, &s.h, "hub", 1, 0);
    world_put(&s.w, s.run, 10);
    assert_int_equal(world_take(&s, 0, 2), 2);
    world_submit(&s.w, &s.h, &s.t[1], "x");
    assert_int_equal(world_take(&s, 0, 2), 2); /* finish what is begun, then begin another */
    assert_int_equal(s.t[0].station_id + s.t[1].station_id, 2 * s.station + 1);
    assert_int_equal(world_story(&s.w, "r", 2, "stations[1].state"), TASK_ASSIGNED);
    world_end(&s.w);
}

/* ---- pauses ---- */

enum pause { PAUSE_RUN, PAUSE_STATION, PAUSE_LINE, PAUSES };

static void pause_or_resume(enum pause p, bool pause)
{
    assert_int_equal(p == PAUSE_RUN       ? world_run_set(&s.w, "r", pause ? RUN_SET_PAUSE : RUN_SET_RESUME, 0)
                     : p == PAUSE_STATION ? world_station_set(&s.w, "simple", "judge", pause ? 0 : 1)
                                          : world_line_set(&s.w, "simple", pause ? 0 : 1, false),
                     SLP_E_OK);
}

static void a_pause_recalls_what_is_not_started_and_hands_out_nothing(void **state)
{
    (void)state;
    for (enum pause p = 0; p < PAUSES; p++) {
        world_scene(&s, simple, 1, 0);
        world_put(&s.w, s.run, 10);
        assert_int_equal(world_take(&s, 0, 3), 3);
        struct world_task was[3];
        memcpy(was, s.t, sizeof was);
        assert_int_equal(world_act(&s.w, &s.h, &was[1], ACT_START, NULL, NULL), SLP_E_OK);
        world_clear(&s.w);
        pause_or_resume(p, true);
        world_pass(&s.w, 0);
        struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_RECALL, 0);
        assert_non_null(m);
        assert_int_equal(m->u.recall.assignments.count, 2);
        assert_int_equal(m->u.recall.code, 1);
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 9);
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_STARTED), 1);
        assert_int_equal(world_act(&s.w, &s.h, &was[0], ACT_START, NULL, NULL), SLP_E_STALE);
        assert_int_equal(world_take(&s, 0, 5), 0);
        world_put(&s.w, s.run, 5); /* it takes units, and keeps their places */
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 0);
        assert_int_equal(world_submit(&s.w, &s.h, &was[1], "a"), SLP_E_OK); /* what is started goes on */
        world_restart(&s.w);
        world_hello(&s.w, &s.h, NULL, 0);
        assert_int_equal(world_take(&s, 0, 20), 0);
        world_clear(&s.w);
        pause_or_resume(p, false);
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 14);
        static const unsigned want[] = { 1, 3, 4 };
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(number(i), want[i]);
        world_end(&s.w);
    }
}

static void a_paused_station_is_still_paused_when_it_comes_back_in_a_later_version(void **state)
{
    static const char *const one = "line: p\ninput:\n  - {name: text, type: text}\nstations:\n"
                                   "  - name: x\n    form: {fields: [{name: answer, type: short_answer}]}\n";
    char two[400];
    (void)state;
    world_scene(&s, simple, 1, 0);
    snprintf(two, sizeof two,
             "%s  - name: y\n    after: []\n    form: {fields: [{name: answer, type: short_answer}]}\n", one);
    world_line(&s.w, two);
    assert_int_equal(world_station_set(&s.w, "p", "y", 0), SLP_E_OK);
    world_line(&s.w, one); /* without it */
    world_line(&s.w, two);
    uint64_t run = world_run(&s.w, "p", "later");
    world_put(&s.w, run, 1);
    assert_int_equal(world_take(&s, 0, 2), 1); /* x only */
    assert_int_equal(world_station_set(&s.w, "p", "y", 1), SLP_E_OK);
    assert_int_equal(world_count(&s.w, "later", "y", TASK_ASSIGNED), 1);
    world_end(&s.w);
}

static void a_resume_at_once_leaves_the_work_where_it_is(void **state)
{
    (void)state;
    for (enum pause p = 0; p < PAUSES; p++) {
        world_scene(&s, simple, 1, 0);
        world_put(&s.w, s.run, 3);
        assert_int_equal(world_take(&s, 0, 3), 3);
        pause_or_resume(p, true);
        pause_or_resume(p, false);
        world_pass(&s.w, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "a"), SLP_E_OK);
        world_end(&s.w);
    }
}

static void entries_that_are_stale_are_passed_over(void **state)
{
    uint64_t drop[] = { 1, 2, 5, 9, 10 };
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 10);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", drop, 5), 5);
    assert_int_equal(world_take(&s, 0, 20), 5);
    static const unsigned want[] = { 3, 4, 6, 7, 8 };
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(number(i), want[i]);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 6);
    world_end(&s.w);
}

/* Two workers decline every other task of a long row, so that what one may still take lies scattered through a segment that does not fit a value any more. */
static uint64_t oldest_s(void)
{
    struct slp_stats_get q = { 0 };
    struct slp_bytes figures = world_send(&s.w, WORLD_CLIENT, SLP_STATS_GET, &q)->u.stats.figures;
    return world_number(world_at(figures, "tasks_oldest_us")) / SECOND;
}

/* Entries of tasks that have gone on lie in front of it, until a worker comes by. */
static void the_oldest_task_is_one_that_is_ready(void **state)
{
    static const uint64_t dropped[] = { 1, 2, 3, 4 };
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 3);
    world_pass(&s.w, 1000 * SECOND);
    world_put(&s.w, s.run, 1);
    world_pass(&s.w, 100 * SECOND);
    world_put(&s.w, s.run, 2);
    world_pass(&s.w, 10 * SECOND);
    assert_int_equal(oldest_s(), 1110);
    world_tasks_set(&s.w, s.station, 1, "r", dropped, 2);
    assert_int_equal(oldest_s(), 1110);
    world_tasks_set(&s.w, s.station, 1, "r", dropped, 4);
    assert_int_equal(oldest_s(), 10);
    world_restart(&s.w);
    assert_int_equal(oldest_s(), 10);
    world_end(&s.w);
}

static void a_segment_that_breaks_up_is_cut_into_several(void **state)
{
    (void)state;
    world_scene(&s, simple, 3, 0);
    world_put(&s.w, s.run, 4096);
    struct slp_buf b = { 0 };
    size_t have;
    /* One credit after the other gives unit k to worker k % 2; they decline in one frame, so that all come back as one segment. */
    world_batch(&s.w, 250);
    for (unsigned k = 0; k < 4096; k++)
        world_credit(&s.w, &s.h, k % 2, 1);
    world_flush(&s.w);
    world_batch(&s.w, 1);
    have = world_tasks(&s.w, &s.h, s.t, 5000);
    assert_int_equal(have, 4096);
    assert_int_equal(s.t[0].worker, s.h.worker[0]);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_DECLINE, NULL, NULL),
                     SLP_E_OK); /* a segment of its own, in front */
    for (size_t i = 1; i < have; i++) {
        struct slp_item_act it = { .act = ACT_DECLINE, .assignment = s.t[i].assignment, .worker = s.t[i].worker };
        slp_pack_item(&b, SLP_ITEM_act, &it);
    }
    struct slp_acts q = { .session = s.h.session, .acts = { b.p, (uint32_t)b.n, 4095 } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ACTS, &q)->u.outcomes.ok, 4095);
    slp_buf_free(&b);
    assert_int_equal(world_take(&s, 0, 2048),
                     2048); /* all the others': one by one out of the segment behind the head */
    world_restart(&s.w);
    world_clear(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 2048);
    assert_int_equal(world_take(&s, 2, 3000), 2048); /* and the rest, by one who declined nothing */
    assert_int_equal(world_take(&s, 1, 10), 0);
    world_end(&s.w);
}

/* ---- delays ---- */

static struct slp_msg *put_raw(struct slp_buf *rows, uint32_t n, uint64_t delay_us)
{
    struct slp_put q = { .run_id = s.run, .rows = { rows->p, (uint32_t)rows->n, n }, .delay_us = delay_us };
    if (delay_us)
        SLP_SET(&q, put, delay_us);
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q);
    slp_buf_clear(rows);
    return m;
}

static void text_row(struct slp_buf *b, const char *text)
{
    slp_pack_array(b, 1);
    slp_pack_cstr(b, text);
}

static void delays_survive_restarts_and_fire_in_order(void **state)
{
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, simple, 1, 0);
    static const unsigned wait_s[] = { 30, 10, 20 };
    for (unsigned i = 0; i < 3; i++) {
        char text[20];
        snprintf(text, sizeof text, "unit %u", wait_s[i]);
        text_row(&b, text);
        assert_int_equal(put_raw(&b, 1, wait_s[i] * 1000000ull)->u.put_done.accepted, 1);
    }
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_WAITING), 3);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    world_credit(&s.w, &s.h, 0, 10);
    for (unsigned i = 1; i <= 3; i++) {
        world_beat(&s.w, &s.h);
        world_pass(&s.w, 10 * SECOND - 1);
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), i - 1);
        world_restart(&s.w);
        world_clear(&s.w);
        world_hello(&s.w, &s.h, NULL, 0);
        world_credit(&s.w, &s.h, 0, 10);
        world_pass(&s.w, 1);
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), i);
        assert_int_equal(number(i - 1), 10 * i);
    }
    slp_buf_free(&b);
    world_end(&s.w);
}

static void a_delay_longer_than_a_leap_year_is_refused(void **state)
{
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, simple, 1, 0);
    text_row(&b, "x");
    assert_int_equal(world_code(put_raw(&b, 1, (uint64_t)SL_DELAY_US_MAX + 1)), SLP_E_BAD_VALUE);
    text_row(&b, "x");
    assert_int_equal(world_code(put_raw(&b, 1, (uint64_t)SL_DELAY_US_MAX)), SLP_E_OK);
    slp_buf_free(&b);
    world_end(&s.w);
}

/* ---- large values ---- */

static void large_and_small_units_come_out_as_they_went_in(void **state)
{
    static const unsigned sizes[] = { 1, 3400, 3500, 3600, 10, 7000, 60000, 65000, 20, 4096 };
    struct slp_buf b = { 0 };
    static char text[66000];
    (void)state;
    world_scene(&s, simple, 1, 0);
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 10; i++) {
        slp_pack_array(&b, 1);
        slp_pack_str(&b, text, sizes[i]);
    }
    assert_int_equal(put_raw(&b, 10, 0)->u.put_done.accepted, 10);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_take(&s, 0, 10), 10); /* in frames that none is too large for */
    struct slp_msg *m;
    unsigned at = 0;
    for (size_t i = 0; (m = world_sent(&s.w, s.h.peer, SLP_PUSH, i)); i++) {
        struct slp_cursor c = slp_each(m->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a); at++) {
            struct slp_cursor f = slp_each(a.fields);
            struct slp_bytes raw;
            assert_true(slp_next_raw(&f, &raw));
            struct slr r = slr_on(raw.p, raw.n);
            struct slr_value v;
            assert_int_equal(slr_next(&r, &v), 0);
            assert_int_equal(v.n, sizes[at]);
            assert_memory_equal(v.p, text, v.n);
        }
    }
    assert_int_equal(at, 10);
    for (size_t i = 0; i < s.w.frames; i++)
        assert_true(s.w.frame[i].n <= SL_FRAME_BYTES_MAX);
    for (unsigned i = 0; i < 10; i++) { /* results as large */
        text[60000] = 0;
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], i % 3 ? "small" : text), SLP_E_OK);
        text[60000] = 'x';
    }
    struct slp_output_get q = { .run = world_str("r") };
    uint32_t rows = 0;
    do {
        m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        assert_true(m->u.output.rows.count > 0);
        rows += m->u.output.rows.count;
        q.after_unit = m->u.output.next_after;
        SLP_SET(&q, output_get, after_unit);
    } while (m->u.output.more);
    assert_int_equal(rows, 10);
    slp_buf_free(&b);
    world_close(&s.w); /* its stories are larger than a frame */
}

static void many_units_of_one_frame_are_cut_into_values_of_the_store(void **state)
{
    struct slp_buf b = { 0 };
    char text[64];
    (void)state;
    world_scene(&s, simple, 1, 0);
    for (unsigned i = 1; i <= 3000; i++) {
        snprintf(text, sizeof text, "unit %u and some more to make it long enough", i);
        text_row(&b, text);
    }
    assert_int_equal(put_raw(&b, 3000, 0)->u.put_done.accepted, 3000);
    assert_int_equal(world_take(&s, 0, 3000), 3000);
    for (unsigned i = 0; i < 3000; i += 97)
        assert_int_equal(number(i), i + 1);
    assert_true(world_story_is(&s.w, "r", 3000, "input.text", text));
    slp_buf_free(&b);
    world_close(&s.w);
}

static void a_task_too_large_to_show_is_parked_and_costs_no_credit(void **state)
{
    struct slp_buf yaml = { 0 }, v = { 0 }, one = { 0 };
    static char text[61000];
    char path[100];
    (void)state;
    memset(&s, 0, sizeof s);
    world_open(&s.w);
    snprintf(path, sizeof path, "line: heavy\ninput:\n  - {name: text, type: text}\nstations:\n");
    slp_buf_add(&yaml, path, strlen(path));
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "  - name: s%d\n    form: {fields: [{name: answer, type: long_answer}]}\n", i);
        slp_buf_add(&yaml, path, strlen(path));
    }
    slp_buf_add(&yaml, "", 1);
    s.station = world_line(&s.w, yaml.p);
    s.run = world_run(&s.w, "heavy", "r");
    world_hub(&s.w, &s.h, "hub", 1, 0);
    world_credit(&s.w, &s.h, 0, 10);
    memset(text, 'y', sizeof text - 1);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 0; i < 4; i++) { /* four results of 61 KB are more than a push may hold */
        size_t n = world_tasks(&s.w, &s.h, s.t, 10);
        assert_int_equal(n, i + 1);
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], text), SLP_E_OK);
    }
    assert_int_equal(world_count(&s.w, "r", "s4", TASK_DEAD), 1);
    struct slp_workers_get q = { 0 };
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows);
    struct slp_item_worker_row row;
    assert_true(slp_next_worker_row(&c, &row));
    assert_int_equal(row.credit, 6);
    assert_int_equal(row.holding, 0);
    slp_buf_free(&yaml);
    slp_buf_free(&v);
    slp_buf_free(&one);
    world_close(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_handed_out_in_input_order_across_segments_and_restarts),
        cmocka_unit_test(what_came_back_is_served_before_what_is_fresh),
        cmocka_unit_test(a_large_run_does_not_starve_a_small_one),
        cmocka_unit_test(a_run_that_slept_does_not_make_up_for_it),
        cmocka_unit_test(a_run_that_wakes_up_begins_with_those_at_its_station_however_far_behind_others_are),
        cmocka_unit_test(a_run_whose_priority_changes_begins_with_its_new_equals),
        cmocka_unit_test(a_higher_priority_goes_first_and_can_be_changed_on_the_way),
        cmocka_unit_test(the_station_furthest_downstream_comes_first),
        cmocka_unit_test(a_pause_recalls_what_is_not_started_and_hands_out_nothing),
        cmocka_unit_test(a_paused_station_is_still_paused_when_it_comes_back_in_a_later_version),
        cmocka_unit_test(a_resume_at_once_leaves_the_work_where_it_is),
        cmocka_unit_test(entries_that_are_stale_are_passed_over),
        cmocka_unit_test(the_oldest_task_is_one_that_is_ready),
        cmocka_unit_test(a_segment_that_breaks_up_is_cut_into_several),
        cmocka_unit_test(delays_survive_restarts_and_fire_in_order),
        cmocka_unit_test(a_delay_longer_than_a_leap_year_is_refused),
        cmocka_unit_test(large_and_small_units_come_out_as_they_went_in),
        cmocka_unit_test(many_units_of_one_frame_are_cut_into_values_of_the_store),
        cmocka_unit_test(a_task_too_large_to_show_is_parked_and_costs_no_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
