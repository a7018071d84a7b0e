/* Payloads on their way through the engine and the store: from the frame into the map, and from the map into the frame that shows them, each byte is
 * copied once. What counts is the broker's own count, at each place that copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    worker: {kind: robot}\n    form: {fields: [{name: answer, type: long_answer}]}\n";
static const char *const two =
    "line: two\ninput:\n  - {name: text, type: text, required: true}\n  - {name: more, type: text}\nstations:\n"
    "  - name: judge\n    worker: {kind: robot}\n    form: {fields: [{name: answer, type: long_answer}]}\n"
    "  - name: check\n    worker: {kind: robot}\n    form: {fields: [{name: good, type: short_answer}]}\n";

static const char *const cup =
    "line: cup\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: pick\n    type: tournament\n    contestants: 3\n    jury: {max: 3, ties: first}\n"
    "    form: {fields: [{name: answer, type: long_answer, required: true}]}\n";

static struct world w;
static struct world_hub h;
static uint64_t run;

static void open_world(const char *line, const char *name)
{
    world_open(&w);
    world_line(&w, line);
    run = world_run(&w, name, "r");
    world_hub(&w, &h, "hub", 1, 1);
}

struct copied {
    uint64_t in, in_copied, out, out_copied;
};

static struct copied counts(void)
{
    struct slp_stats_get q = { 0 };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_STATS_GET, &q);
    assert_non_null(m);
    struct slp_bytes f = m->u.stats.figures;
    return (struct copied){ world_number(world_at(f, "payload_in_bytes_total")),
                            world_number(world_at(f, "payload_in_copied_bytes_total")),
                            world_number(world_at(f, "payload_out_bytes_total")),
                            world_number(world_at(f, "payload_out_copied_bytes_total")) };
}

static struct copied since(struct copied was)
{
    struct copied now = counts();
    return (struct copied){ now.in - was.in, now.in_copied - was.in_copied, now.out - was.out,
                            now.out_copied - was.out_copied };
}

/* n units, the text of each so many letters long, the i-th of another letter. `fields` 2: with another field, and `turned`: in another order than the line's. */
static void put(unsigned n, size_t bytes, unsigned fields, bool turned)
{
    struct slp_buf rows = { 0 }, columns = { 0 };
    char *text = malloc(bytes);
    for (unsigned i = 0; i < n; i++) {
        memset(text, 'a' + (int)(i % 26), bytes);
        slp_pack_array(&rows, fields);
        if (turned)
            slp_pack_cstr(&rows, "more");
        slp_pack_str(&rows, text, bytes);
        if (fields == 2 && !turned)
            slp_pack_cstr(&rows, "more");
    }
    slp_pack_cstr(&columns, "more");
    slp_pack_cstr(&columns, "text");
    struct slp_put q = { .run_id = run, .rows = { rows.p, (uint32_t)rows.n, n } };
    if (turned) {
        q.columns = (struct slp_list){ columns.p, (uint32_t)columns.n, 2 };
        SLP_SET(&q, put, columns);
    }
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_PUT, &q);
    assert_true(!m || world_code(m) == SLP_E_OK);
    free(text);
    slp_buf_free(&rows);
    slp_buf_free(&columns);
}

/* Field i of what was pushed with the assignment. */
static struct slp_bytes shown(uint64_t assignment, unsigned field)
{
    struct slp_msg *m;
    for (size_t i = 0; (m = world_sent(&w, h.peer, SLP_PUSH, i)) != NULL; i++) {
        struct slp_cursor c = slp_each(m->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
            struct slp_cursor f = slp_each(a.fields);
            struct slp_bytes v = { NULL, 0 };
            for (unsigned k = 0; a.assignment == assignment && k <= field; k++)
                assert_true(slp_next_str(&f, &v));
            if (v.p)
                return v;
        }
    }
    fail_msg("assignment %llu was not pushed", (unsigned long long)assignment);
    return (struct slp_bytes){ NULL, 0 };
}

static void expect_shown(uint64_t assignment, unsigned field, size_t bytes, int letter)
{
    struct slp_bytes v = shown(assignment, field);
    assert_int_equal(v.n, bytes);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(v.p[i], letter);
}

static void copied_once(struct copied c, uint64_t in_at_least, uint64_t out_at_least)
{
    assert_true(c.in >= in_at_least && c.out >= out_at_least);
    assert_int_equal(c.in_copied, c.in);
    assert_int_equal(c.out_copied, c.out);
}

static void a_lone_task_is_copied_once_each_way(void **state)
{
    struct world_task t;
    (void)state;
    open_world(simple, "simple");
    world_credit(&w, &h, 0, 1000);
    struct copied was = counts();
    for (unsigned i = 0; i < 50; i++) { /* a batch each: in the log all of them */
        world_clear(&w);
        put(1, 200, 1, false);
        assert_int_equal(world_tasks(&w, &h, &t, 1), 1);
        expect_shown(t.assignment, 0, 200, 'a');
        assert_int_equal(world_submit(&w, &h, &t, "an answer of some length"), SLP_E_OK);
    }
    copied_once(since(was), 50 * 200, 50 * 200);
    world_end(&w);
}

static void a_frame_of_many_tasks_is_copied_once_each_way(void **state)
{
    struct world_task t[300];
    (void)state;
    open_world(simple, "simple");
    world_credit(&w, &h, 0, 1000);
    struct copied was = counts();
    put(300, 200, 1, false);
    assert_int_equal(world_tasks(&w, &h, t, 300), 300);
    for (unsigned i = 0; i < 300; i++)
        expect_shown(t[i].assignment, 0, 200, 'a' + (int)(i % 26));
    copied_once(since(was), 300 * 200, 300 * 200);
    world_end(&w);
}

static void what_waited_in_its_table_is_copied_once_too(void **state)
{
    struct world_task t[100];
    (void)state;
    open_world(simple, "simple");
    put(100, 200, 1, false);
    assert_int_equal(store_settle(w.store, SETTLE_ALL), STORE_OK);
    struct copied was = counts();
    world_credit(&w, &h, 0, 1000);
    assert_int_equal(world_tasks(&w, &h, t, 100), 100);
    expect_shown(t[99].assignment, 0, 200, 'a' + 99 % 26);
    copied_once(since(was), 0, 100 * 200);
    world_end(&w);
}

static void a_task_larger_than_a_segment_is_copied_once_too(void **state)
{
    struct world_task t[4];
    (void)state;
    open_world(simple, "simple");
    world_credit(&w, &h, 0, 10);
    struct copied was = counts();
    put(4, 20000, 1, false);
    assert_int_equal(world_tasks(&w, &h, t, 4), 4);
    for (unsigned i = 0; i < 4; i++)
        expect_shown(t[i].assignment, 0, 20000, 'a' + (int)i);
    copied_once(since(was), 4 * 20000, 4 * 20000);
    world_end(&w);
}

static void what_a_station_shows_of_the_one_before_is_copied_once(void **state)
{
    struct world_task t[20], later[20];
    char answer[300];
    (void)state;
    open_world(two, "two");
    world_credit(&w, &h, 0, 20);
    struct copied was = counts();
    put(20, 200, 2, false);
    assert_int_equal(world_tasks(&w, &h, t, 20), 20);
    for (unsigned i = 0; i < 20; i++) {
        memset(answer, 'A' + (int)i, sizeof answer - 1);
        answer[sizeof answer - 1] = 0;
        assert_int_equal(world_submit(&w, &h, &t[i], answer), SLP_E_OK);
    }
    world_clear(&w);
    world_credit(&w, &h, 0, 20);
    assert_int_equal(world_tasks(&w, &h, later, 20), 20);
    for (unsigned i = 0; i < 20; i++) {
        expect_shown(later[i].assignment, 0, 200, 'a' + (int)i);
        expect_shown(later[i].assignment, 2, 299, 'A' + (int)i);
    }
    copied_once(since(was), 20 * 500, 20 * (200 + 500));
    world_end(&w);
}

static void what_a_juror_sees_is_copied_once(void **state)
{
    struct world_task t;
    (void)state;
    world_open(&w);
    world_line(&w, cup);
    run = world_run(&w, "cup", "r");
    world_hub(&w, &h, "hub", 5, 0);
    put(1, 200, 1, false);
    for (unsigned i = 0; i < 3; i++) {
        char answer[301] = "";
        memset(answer, 'x' + (int)i, 300);
        world_clear(&w);
        world_credit(&w, &h, i, 1);
        assert_int_equal(world_tasks(&w, &h, &t, 1), 1);
        assert_int_equal(world_submit(&w, &h, &t, answer), SLP_E_OK);
    }
    for (unsigned juror = 3; juror < 5; juror++) { /* before it is settled, and after */
        struct copied was = counts();
        world_clear(&w);
        world_credit(&w, &h, juror, 1);
        assert_int_equal(world_tasks(&w, &h, &t, 1), 1);
        expect_shown(t.assignment, 0, 200, 'a');
        copied_once(since(was), 0, 200 + 3 * 300);
        assert_int_equal(store_settle(w.store, SETTLE_ALL), STORE_OK);
    }
    world_end(&w);
}

static void columns_in_another_order_are_put_in_order_first(void **state)
{
    struct world_task t[40];
    (void)state;
    open_world(two, "two");
    world_credit(&w, &h, 0, 100);
    struct copied was = counts();
    put(40, 200, 2, true);
    assert_int_equal(world_tasks(&w, &h, t, 40), 40);
    for (unsigned i = 0; i < 40; i++) {
        expect_shown(t[i].assignment, 0, 200, 'a' + (int)(i % 26));
        assert_memory_equal(shown(t[i].assignment, 1).p, "more", 4);
    }
    struct copied c = since(was);
    assert_int_equal(c.out_copied, c.out);
    assert_true(c.in_copied > c.in && c.in_copied < 5 * c.in / 2);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_task_is_copied_once_each_way),
        cmocka_unit_test(a_frame_of_many_tasks_is_copied_once_each_way),
        cmocka_unit_test(what_waited_in_its_table_is_copied_once_too),
        cmocka_unit_test(a_task_larger_than_a_segment_is_copied_once_too),
        cmocka_unit_test(what_a_station_shows_of_the_one_before_is_copied_once),
        cmocka_unit_test(what_a_juror_sees_is_copied_once),
        cmocka_unit_test(columns_in_another_order_are_put_in_order_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
