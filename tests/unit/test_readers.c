/* The readers: pages of output while the run goes on, what one station gave and who did it, a unit's story, and a queue seen without being touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

static const char *const two =
    "line: two\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: read\n    form: {fields: [{name: answer, type: short_answer}]}\n    attempts: 1\n"
    "  - name: check\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static struct world_scene s;

static int set_up(void **state)
{
    (void)state;
    world_scene(&s, two, 2, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&s.w);
    return 0;
}

static size_t take(unsigned n)
{
    return world_take(&s, 0, n);
}

/* Element i of row r of a page of output. */
static struct slp_bytes cell(struct slp_msg *m, unsigned r, unsigned i)
{
    struct slp_cursor c = slp_each(m->u.output.rows);
    struct slp_bytes row = { 0 };
    char path[16];
    for (unsigned k = 0; k <= r; k++)
        assert_true(slp_next_raw(&c, &row));
    snprintf(path, sizeof path, "[%u]", i);
    return world_at(row, path);
}

static bool is_text(struct slp_bytes b, const char *text)
{
    struct slr r = slr_on(b.p, b.n);
    struct slr_value v;
    return b.n && !slr_next(&r, &v) && v.type == SLR_STR && slr_str_is(&v, text);
}

static bool is_nil(struct slp_bytes b)
{
    return b.n == 1 && (uint8_t)*b.p == 0xc0;
}

static void output_comes_in_pages_in_input_order_while_the_run_goes_on(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 10);
    assert_int_equal(take(10), 10);
    for (int i = 9; i >= 0; i -= 2) /* 10, 8, 6, 4, 2 pass both stations, from the end */
        world_submit(&s.w, &s.h, &s.t[i], "read");
    assert_int_equal(take(5), 5);
    for (int i = 0; i < 5; i++)
        world_submit(&s.w, &s.h, &s.t[i], "checked");
    struct slp_output_get q = { .run = world_str("r"), .limit = 2 };
    SLP_SET(&q, output_get, limit);
    uint64_t want = 2;
    for (int page = 0;; page++) {
        struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        assert_int_equal(m->u.output.columns.count, 4); /* unit, text, read.answer, check.answer */
        for (unsigned r = 0; r < m->u.output.rows.count; r++, want += 2) {
            assert_int_equal(world_number(cell(m, r, 0)), want);
            assert_true(is_text(cell(m, r, 2), "read"));
            assert_true(is_text(cell(m, r, 3), "checked"));
        }
        q.after_unit = m->u.output.next_after;
        SLP_SET(&q, output_get, after_unit);
        if (!m->u.output.more)
            break;
        assert_true(page < 10);
        if (page == 1) /* more come in meanwhile */
            world_put(&s.w, s.run, 1);
    }
    assert_int_equal(want, 12);
}

/* Small values share a segment, which is looked up once for all of them; large ones have one of their own, or are cut.
 * Results stand in the order in which they came, which is not that of the units, and those of two stations take turns. */
static void values_of_all_sizes_come_out_with_their_units(void **state)
{
    (void)state;
    enum { N = 60 };
    static char value[N][9000], results[2][N][9000];
    for (unsigned i = 0; i < N; i++)
        for (unsigned k = 0; k < 3; k++) {
            char *v = k ? results[k - 1][i] : value[i];
            size_t n = (i + k) % 7 == 3 ? 8000 : (i + k) % 7 == 5 ? 3400 : 5 + (i * 3 + k) % 90;
            memset(v, 'a' + (int)((i * 5 + k) % 26), n);
            snprintf(v, 9, "%02u.%u", i, k);
            v[4] = '_';
        }
    struct slp_buf rows = { 0 };
    for (unsigned i = 0; i < N; i++) {
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, value[i]);
        if (i % 10 == 9) {
            struct slp_put p = { .run_id = s.run, .rows = { rows.p, (uint32_t)rows.n, 10 } };
            assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &p)->type, SLP_PUT_DONE);
            slp_buf_clear(&rows);
        }
    }
    slp_buf_free(&rows);
    world_batch(&s.w, 10); /* results of one batch share segments, too */
    static struct world_task of[2][N];
    for (unsigned k = 0; k < 2; k++) {
        assert_int_equal(take(N), N);
        for (unsigned i = 0; i < N; i++) { /* which unit is it? */
            const char *shown = world_shown(&s.w, &s.h, s.t[i].assignment, 0);
            of[k][(unsigned)atoi(shown)] = s.t[i];
        }
        for (unsigned i = 0; i < N; i++) {
            unsigned unit = i * 7 % N;
            world_submit(&s.w, &s.h, &of[k][unit], results[k][unit]);
        }
    }
    world_batch(&s.w, 1);
    struct slp_output_get q = { .run = world_str("r") };
    unsigned unit = 0;
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        for (unsigned r = 0; r < m->u.output.rows.count; r++, unit++) {
            assert_int_equal(world_number(cell(m, r, 0)), unit + 1);
            assert_true(is_text(cell(m, r, 1), value[unit]));
            assert_true(is_text(cell(m, r, 2), results[0][unit]));
            assert_true(is_text(cell(m, r, 3), results[1][unit]));
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
        SLP_SET(&q, output_get, after_unit);
    }
    assert_int_equal(unit, N);
}

static void all_units_may_be_asked_for_and_what_is_missing_is_nil(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(1), 1);
    world_submit(&s.w, &s.h, &s.t[0], "read");
    struct slp_output_get q = { .run = world_str("r"), .all_units = true };
    SLP_SET(&q, output_get, all_units);
    struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
    assert_int_equal(m->u.output.rows.count, 2);
    assert_true(is_text(cell(m, 0, 2), "read"));
    assert_true(is_nil(cell(m, 0, 3)));
    assert_true(is_text(cell(m, 1, 1), "unit 2"));
    assert_true(is_nil(cell(m, 1, 2)));
}

static void a_stations_output_names_who_did_it(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(1), 1);
    struct world_task first = s.t[0];
    world_submit(&s.w, &s.h, &first, "read");
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 1, 1); /* a second worker, whose assignment comes to nothing */
    struct slp_output_get q = { .run = world_str("r"), .station = world_str("read") };
    SLP_SET(&q, output_get, station);
    struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
    assert_int_equal(m->u.output.columns.count, 5);
    assert_int_equal(m->u.output.rows.count, 1);
    assert_true(is_text(cell(m, 0, 2), "read"));
    assert_true(is_text(cell(m, 0, 3), "hub-0"));
    assert_int_equal(world_number(cell(m, 0, 4)), s.w.wall_us);
    q.station = world_str("nothing");
    assert_int_equal(world_code(world_read(&s.w, SLP_OUTPUT_GET, &q)), SLP_E_NOT_FOUND);
    q.run = world_str("nothing");
    assert_int_equal(world_code(world_read(&s.w, SLP_OUTPUT_GET, &q)), SLP_E_NOT_FOUND);
}

static void a_story_tells_assignments_reasons_results_and_times(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(take(1), 1);
    uint64_t assigned = (uint64_t)s.w.wall_us;
    world_pass(&s.w, 1000000);
    world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL);
    world_pass(&s.w, 1000000);
    world_act(&s.w, &s.h, &s.t[0], ACT_DECLINE, "my own text", NULL);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].assignment"), s.t[0].assignment);
    assert_true(world_story_is(&s.w, "r", 1, "run", "r"));
    assert_true(world_story_is(&s.w, "r", 1, "line", "two"));
    assert_true(world_story_is(&s.w, "r", 1, "input.text", "unit 1"));
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].name", "read"));
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].worker", "hub-0"));
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].hub", "hub"));
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].reason", "my own text"));
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].assigned_wall_us"), assigned);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].started_wall_us"), assigned + 1000000);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].ended_wall_us"), assigned + 2000000);
    assert_int_equal(world_story(&s.w, "r", 1, "history[0].what"), WHY_DECLINED);
    assert_true(world_story_is(&s.w, "r", 1, "history[0].station", "read"));
    struct slp_unit_get q = { .run = world_str("r"), .unit = 2 };
    static const uint64_t none[] = { 0, 2, UINT64_MAX };
    for (int i = 0; i < 3; i++) {
        q.unit = none[i];
        assert_int_equal(world_code(world_read(&s.w, SLP_UNIT_GET, &q)), SLP_E_NOT_FOUND);
    }
}

/* ---- peeking ---- */

static struct slp_tasks_get peek;
static uint8_t mark[64];

static void peek_begin(uint64_t which, uint64_t limit)
{
    peek = (struct slp_tasks_get){ .station_id = s.station, .which = which, .limit = limit };
    SLP_SET(&peek, tasks_get, limit);
}

/* The units of the next page; `peek` becomes the request for the one after it. false: that was all. */
static bool peek_page(uint64_t *unit, unsigned *n)
{
    struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &peek);
    assert_int_equal(m->type, SLP_TASKS);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    for (struct slp_item_task_row row; slp_next_task_row(&c, &row);)
        unit[(*n)++] = row.unit;
    if (!SLP_IS(&m->u.tasks, tasks, next))
        return false;
    memcpy(mark, m->u.tasks.next.p, m->u.tasks.next.n);
    peek.after = (struct slp_bytes){ (char *)mark, m->u.tasks.next.n };
    SLP_SET(&peek, tasks_get, after);
    return true;
}

static void pages_of_a_queue_tell_each_task_once(void **state)
{
    uint64_t unit[200];
    uint8_t before[16], after[16];
    (void)state;
    world_put(&s.w, s.run, 30);
    world_put(&s.w, s.run, 1);
    world_put(&s.w, s.run, 20);
    world_hash(&s.w, before);
    for (uint64_t limit = 1; limit < 60; limit += 6) {
        unsigned n = 0;
        peek_begin(0, limit);
        while (peek_page(unit, &n))
            assert_true(n < 100);
        assert_int_equal(n, 51);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(unit[i], i + 1);
    }
    world_hash(&s.w, after);
    assert_memory_equal(before, after, 16); /* without touching it */
}

static void pages_neither_lose_nor_repeat_what_stays_while_others_are_taken(void **state)
{
    uint64_t unit[200];
    unsigned n = 0;
    (void)state;
    world_put(&s.w, s.run, 40);
    peek_begin(0, 10);
    assert_true(peek_page(unit, &n));
    assert_int_equal(take(5), 5); /* of those that were told */
    assert_true(peek_page(unit, &n));
    assert_int_equal(unit[10], 11);
    assert_int_equal(take(17), 17); /* up to 22: beyond what was told, and the very task at which the page begins */
    while (peek_page(unit, &n))
        ;
    for (unsigned i = 1; i < n; i++)
        assert_true(unit[i] > unit[i - 1]);
    assert_int_equal(unit[20], 23);
    assert_int_equal(n, 38);
    assert_int_equal(unit[n - 1], 40);
}

static void a_mark_that_nobody_gave_is_harmless(void **state)
{
    uint64_t unit[200];
    (void)state;
    world_put(&s.w, s.run, 20);
    for (unsigned which = 0; which < 3; which++)
        for (uint32_t len = 0; len <= 64; len++)
            for (int fill = 0; fill < 3; fill++) {
                unsigned n = 0;
                peek_begin(which, 100);
                memset(mark, fill == 0 ? 0 : fill == 1 ? 0xff : 0x41, sizeof mark);
                if (fill == 2)
                    key_u32(key_u32(mark, s.station), (uint32_t)s.run);
                peek.after = (struct slp_bytes){ (char *)mark, len };
                SLP_SET(&peek, tasks_get, after);
                peek_page(unit, &n);
                assert_true(n <= 20);
            }
    peek_begin(0, 1);
    peek.station_id = UINT64_MAX;
    assert_int_equal(world_code(world_read(&s.w, SLP_TASKS_GET, &peek)), SLP_E_NOT_FOUND);
}

static void the_dead_are_listed_with_their_reason_and_the_waiting_with_their_time(void **state)
{
    char reason[20];
    (void)state;
    world_put(&s.w, s.run, 12);
    assert_int_equal(take(12), 12);
    for (int i = 0; i < 6; i++) {
        snprintf(reason, sizeof reason, "reason %d", i);
        world_act(&s.w, &s.h, &s.t[i], i % 2 ? ACT_FAIL : ACT_BURY, reason, NULL); /* attempts: 1 */
    }
    peek_begin(2, 4);
    unsigned n = 0;
    uint64_t unit[20];
    assert_true(peek_page(unit, &n));
    assert_false(peek_page(unit, &n));
    assert_int_equal(n, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(unit[i], i + 1);
    peek_begin(2, 10);
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &peek)->u.tasks.rows);
    struct slp_item_task_row row;
    for (int i = 0; i < 6; i++) {
        snprintf(reason, sizeof reason, "reason %d", i);
        assert_true(slp_next_task_row(&c, &row));
        assert_int_equal(row.reason.n, strlen(reason));
        assert_memory_equal(row.reason.p, reason, row.reason.n);
        assert_int_equal(row.state, TASK_DEAD);
        assert_int_equal(row.attempts, i % 2);
    }
    for (int i = 6; i < 9; i++)
        world_submit(&s.w, &s.h, &s.t[i], "read");
    peek_begin(1, 10);
    peek.station_id = s.station + 1;
    assert_int_equal(take(3), 3);
    for (int i = 0; i < 3; i++)
        world_act(&s.w, &s.h, &s.t[i], ACT_FAIL, NULL, NULL);
    world_pass(&s.w, 4000000);
    struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &peek);
    assert_int_equal(m->u.tasks.rows.count, 3);
    c = slp_each(m->u.tasks.rows);
    assert_true(slp_next_task_row(&c, &row));
    assert_int_equal(row.state, TASK_WAITING);
    assert_int_equal(row.due_us, 6000000);
    peek.run = world_str("nothing");
    SLP_SET(&peek, tasks_get, run);
    assert_int_equal(world_code(world_read(&s.w, SLP_TASKS_GET, &peek)), SLP_E_NOT_FOUND);
}

static void put_later(uint64_t run, int64_t delay_us)
{
    struct slp_buf b = { 0 };
    slp_pack_array(&b, 1);
    slp_pack_cstr(&b, "later");
    struct slp_put q = { .run_id = run, .rows = { b.p, (uint32_t)b.n, 1 }, .delay_us = (uint64_t)delay_us };
    SLP_SET(&q, put, delay_us);
    assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)->type, SLP_PUT_DONE);
    slp_buf_free(&b);
}

/* How many rows a list has, of one run or (NULL) of all; each is of the run with this number, if it is not 0. */
static unsigned listed(uint64_t which, const char *run, uint64_t run_id)
{
    struct slp_tasks_get q = { .station_id = s.station, .which = which };
    unsigned n = 0;
    if (run) {
        q.run = world_str(run);
        SLP_SET(&q, tasks_get, run);
    }
    struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &q);
    assert_int_equal(m->type, SLP_TASKS);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    for (struct slp_item_task_row row; slp_next_task_row(&c, &row); n++)
        assert_true(!run_id || row.run_id == run_id);
    return n;
}

static void lists_are_of_the_run_that_is_asked_for_and_of_those_that_go_on(void **state)
{
    (void)state;
    uint64_t other = world_run(&s.w, "two", "other");
    for (unsigned i = 0; i < 2; i++) { /* of each run one is dead, then others wait and are ready */
        world_put(&s.w, i ? other : s.run, 1);
        world_clear(&s.w);
        assert_int_equal(take(1), 1);
        assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_BURY, i ? NULL : "torn", NULL), SLP_E_OK);
    }
    world_put(&s.w, s.run, 2);
    world_put(&s.w, other, 3);
    for (unsigned i = 0; i < 5; i++)
        put_later(i < 2 ? s.run : other, 60000000 + i);
    static const unsigned mine[] = { 2, 2, 1 }, others[] = { 3, 3, 1 };
    for (uint64_t which = 0; which < 3; which++) {
        assert_int_equal(listed(which, NULL, 0), mine[which] + others[which]);
        assert_int_equal(listed(which, "r", s.run), mine[which]);
        assert_int_equal(listed(which, "other", other), others[which]);
    }
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_CLOSE, 0), SLP_E_OK); /* what is in goes on */
    for (uint64_t which = 0; which < 3; which++)
        assert_int_equal(listed(which, NULL, 0), mine[which] + others[which]);
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_CANCEL, 0), SLP_E_OK);
    for (uint64_t which = 0; which < 3; which++)
        assert_int_equal(listed(which, NULL, s.run), mine[which]);
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_DELETE, 0), SLP_E_OK);
    for (unsigned i = 0; i < 20; i++)
        world_tick(&s.w);
    for (uint64_t which = 0; which < 3; which++)
        assert_int_equal(listed(which, NULL, s.run), mine[which]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(output_comes_in_pages_in_input_order_while_the_run_goes_on),
        TEST(values_of_all_sizes_come_out_with_their_units),
        TEST(all_units_may_be_asked_for_and_what_is_missing_is_nil),
        TEST(a_stations_output_names_who_did_it),
        TEST(a_story_tells_assignments_reasons_results_and_times),
        TEST(pages_of_a_queue_tell_each_task_once),
        TEST(pages_neither_lose_nor_repeat_what_stays_while_others_are_taken),
        TEST(a_mark_that_nobody_gave_is_harmless),
        TEST(the_dead_are_listed_with_their_reason_and_the_waiting_with_their_time),
        TEST(lists_are_of_the_run_that_is_asked_for_and_of_those_that_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
