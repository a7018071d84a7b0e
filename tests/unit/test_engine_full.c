/* The engine: more than fits. Frames that are full, texts for which there is no room, a queue of which the half is a worker's own, thousands who are measured in one
 * batch, a run that is taken back and deleted in portions: what does not fit at once comes next, and nothing is lost on the way. */
#include "tests/unit/scene.h"

#include "tests/lib/engine_staff.h"

static struct world_scene s;

static const char *const plain =
    "line: plain\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    lease: 1d\n    start_by: 12h\n    form: {fields: [{name: answer, type: short_answer}]}\n";
static const char *const reviewed =
    "line: reviewed\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: make\n    lease: 1d\n    start_by: 12h\n    form: {fields: [{name: a, type: short_answer}]}\n"
    "  - name: look\n    worker: {not_who_did: [make]}\n    lease: 1d\n    start_by: 12h\n    form: {fields: [{name: "
    "b, "
    "type: short_answer}]}\n";

/* n units of a text of so many bytes. */
static void put(unsigned n, size_t bytes)
{
    struct slp_buf b = { 0 };
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    for (unsigned i = 0; i < n; i++) {
        slp_pack_array(&b, 1);
        slp_pack_str(&b, text, bytes);
    }
    struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, n } };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)), SLP_E_OK);
    free(text);
    slp_buf_free(&b);
}

/* How many push frames came since the last clear; each fits the wire. */
static unsigned pushes(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < s.w.frames; i++)
        if (s.w.frame[i].peer == s.h.peer && s.w.frame[i].m.type == SLP_PUSH) {
            assert_true(s.w.frame[i].n <= SL_FRAME_BYTES_MAX);
            n++;
        }
    return n;
}

/* All of them, with one frame: an answer each. */
static void submit_all(const struct world_task *t, size_t n)
{
    struct slp_buf b = { 0 }, v = { 0 };
    slp_pack_cstr(&v, "yes");
    for (size_t i = 0; i < n; i++) {
        struct slp_item_result it = { .assignment = t[i].assignment,
                                      .worker = t[i].worker,
                                      .values = { v.p, (uint32_t)v.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, (uint32_t)n } };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_SUBMIT, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    assert_int_equal(m->u.outcomes.ok, n);
    slp_buf_free(&b);
    slp_buf_free(&v);
}

/* ---- frames ---- */

static void what_does_not_fit_into_one_push_comes_with_the_next_and_again_after_a_hello(void **state)
{
    static bool seen[201];
    (void)state;
    world_scene(&s, plain, 1, 0);
    for (unsigned i = 0; i < 5; i++)
        put(40, 6000);
    assert_int_equal(world_take(&s, 0, 200), 200);
    assert_in_range(pushes(), 5, 8);
    for (unsigned i = 0; i < 200; i++) {
        assert_in_range(s.t[i].assignment, 1, 200);
        assert_false(seen[s.t[i].assignment]);
        seen[s.t[i].assignment] = true;
    }
    world_clear(&s.w);
    world_hello(&s.w, &s.h, NULL, 0); /* it holds none of them: they were lost */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 200);
    assert_in_range(pushes(), 5, 8);
    world_end(&s.w);
}

static void a_task_of_several_answers_that_no_frame_can_show_is_parked(void **state)
{
    static const char *const yaml =
        "line: wide\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
        "  - name: a\n    form: {fields: [{name: x, type: long_answer}]}\n"
        "  - name: b\n    form: {fields: [{name: y, type: long_answer}]}\n"
        "  - name: c\n    form: {fields: [{name: z, type: long_answer}]}\n"
        "  - name: d\n    copies: {min: 2}\n    agree: {method: all}\n    form: {fields: [{name: end, type: "
        "short_answer}]}\n";
    static char text[60001];
    (void)state;
    memset(text, 'y', sizeof text - 1);
    world_scene(&s, yaml, 2, 0);
    put(1, sizeof text - 1);
    for (unsigned i = 0; i < 3; i++) {
        struct world_task t = taken(&s, 0, i);
        assert_int_equal(world_submit(&s.w, &s.h, &t, text), SLP_E_OK);
    }
    assert_int_equal(world_count(&s.w, "r", "d", TASK_READY), 1);
    assert_int_equal(world_take(&s, 1, 1), 0);
    assert_int_equal(world_count(&s.w, "r", "d", TASK_DEAD), 1);
    struct slp_tasks_get q = { .station_id = s.station + 3, .which = 2 };
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows);
    struct slp_item_task_row row;
    assert_true(slp_next_task_row(&c, &row));
    assert_int_equal(row.reason.n, strlen("what the station shows is larger than a frame"));
    put(1, 10); /* and the worker's credit came back */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5000), 1);
    struct slp_unit_get unit = { .run = world_str("r"), .unit = 1 };
    assert_int_equal(world_code(world_read(&s.w, SLP_UNIT_GET, &unit)), SLP_E_TOO_BIG);
    struct slp_output_get all = { .run = world_str("r"), .all_units = true };
    SLP_SET(&all, output_get, all_units);
    assert_int_equal(world_code(world_read(&s.w, SLP_OUTPUT_GET, &all)), SLP_E_TOO_BIG);
    all.answers = true;
    SLP_SET(&all, output_get, answers);
    assert_int_equal(world_code(world_read(&s.w, SLP_OUTPUT_GET, &all)), SLP_E_MISSING_FIELD); /* of which station? */
    all.station = world_str("c");
    SLP_SET(&all, output_get, station);
    assert_int_equal(world_read(&s.w, SLP_OUTPUT_GET, &all)->u.output.rows.count, 1);
    world_close(&s.w); /* its stories are larger than a frame */
}

/* ---- a queue of which every other task is his own ---- */

#define QUEUE 500

/* Of QUEUE units the two workers did every other one at the first station, and all lie ready at the second. */
static void every_other_is_his_own(void)
{
    static struct world_task t[QUEUE];
    world_scene(&s, reviewed, 2, 0);
    world_put(&s.w, s.run, QUEUE);
    for (unsigned i = 0; i < QUEUE; i++) {
        t[i] = given(&s, i % 2);
        assert_int_equal(t[i].station_id, s.station);
    }
    submit_all(t, QUEUE);
    assert_int_equal(world_count(&s.w, "r", "look", TASK_READY), QUEUE);
}

static void who_did_every_other_task_is_given_all_the_others(void **state)
{
    (void)state;
    every_other_is_his_own();
    assert_int_equal(world_take(&s, 0, QUEUE), QUEUE / 2); /* from the middle of what lies there, at once */
    submit_all(s.t, QUEUE / 2);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_take(&s, 1, QUEUE), QUEUE / 2);
    submit_all(s.t, QUEUE / 2);
    assert_int_equal(world_count(&s.w, "r", "look", TASK_DONE), QUEUE);
    world_end(&s.w);
}

static void who_may_do_none_of_many_is_told_so_as_far_as_was_looked(void **state)
{
    const char *text;
    (void)state;
    every_other_is_his_own();
    assert_int_equal(world_take(&s, 0, QUEUE), QUEUE / 2);
    submit_all(s.t, QUEUE / 2); /* what is left he did himself */
    assert_int_equal(world_take(&s, 0, 1), 0);
    staff_why(&s.w, &s.h, 0, &text);
    assert_non_null(strstr(text, "station look: all that is ready builds upon this worker's own work, as far as was "
                                 "looked"));
    world_end(&s.w);
}

static void what_was_dropped_meanwhile_is_no_reason(void **state)
{
    const char *text;
    static const uint64_t gone[] = { 1, 3, 5, 7 };
    (void)state;
    world_scene(&s, reviewed, 2, 0);
    world_put(&s.w, s.run, 9);
    assert_int_equal(world_take(&s, 0, 9), 9);
    submit_all(s.t, 9);
    assert_int_equal(world_tasks_set(&s.w, s.station + 1, 1, "r", gone, 4), 4);
    assert_int_equal(world_take(&s, 0, 1), 0);
    staff_why(&s.w, &s.h, 0, &text);
    assert_non_null(strstr(text, "station look: all that is ready builds upon this worker's own work"));
    assert_null(strstr(text, "as far as"));
    world_end(&s.w);
}

static void what_lies_ready_is_listed_whoever_passed_it_by(void **state)
{
    (void)state;
    every_other_is_his_own();
    assert_int_equal(world_take(&s, 0, QUEUE), QUEUE / 2); /* what he passed by is remembered beside the queue */
    struct slp_tasks_get q = { .station_id = s.station + 1, .which = 0 };
    struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &q);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    struct slp_item_task_row row;
    unsigned n = 0;
    for (uint64_t unit = 1; slp_next_task_row(&c, &row); unit += 2, n++)
        assert_int_equal(row.unit, unit);
    assert_int_equal(n, QUEUE / 2);
    world_end(&s.w);
}

/* ---- thousands ---- */

static void a_run_of_which_much_is_held_is_paused_and_deleted_in_portions(void **state)
{
    (void)state;
    world_scene(&s, plain, 1, 0);
    world_put(&s.w, s.run, 4000);
    assert_int_equal(world_take(&s, 0, 1300), 1300);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(act(&s, &s.t[i], ACT_START), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    unsigned ticks = 0;
    for (; engine_backlog(s.w.engine); ticks++)
        world_tick(&s.w);
    assert_in_range(ticks, 2, 20);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), 0);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_STARTED), 10);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 3990);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    for (ticks = 0; engine_backlog(s.w.engine); ticks++)
        world_tick(&s.w);
    assert_in_range(ticks, 2, 200);
    world_restart(&s.w);
    struct slp_run_get q = { .run = world_str("r") };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_RUN_GET, &q)), SLP_E_NOT_FOUND);
    world_end(&s.w);
}

static void nothing_is_put_into_a_run_that_is_being_deleted_nor_told_of_its_units(void **state)
{
    (void)state;
    world_scene(&s, plain, 1, 0);
    world_put(&s.w, s.run, 4000);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    assert_true(engine_backlog(s.w.engine));
    struct slp_buf b = { 0 };
    slp_pack_array(&b, 1);
    slp_pack_cstr(&b, "too late");
    struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)), SLP_E_NOT_FOUND);
    slp_buf_free(&b);
    struct slp_check_get count = { .recount = true };
    SLP_SET(&count, check_get, recount);
    struct slp_msg *m = world_read(&s.w, SLP_CHECK_GET, &count);
    assert_int_equal(m->type, SLP_CHECK);
    assert_int_equal(m->u.check.counts.count, 0); /* there is no run to count */
    struct slp_unit_get u = { .run = world_str("r"), .unit = 4000 };
    assert_int_equal(world_code(world_read(&s.w, SLP_UNIT_GET, &u)), SLP_E_NOT_FOUND);
    for (unsigned i = 0; engine_backlog(s.w.engine) && i < 300; i++)
        world_tick(&s.w);
    assert_false(engine_backlog(s.w.engine));
    world_end(&s.w);
}

static void a_listing_goes_on_where_it_was_though_tasks_were_taken_meanwhile(void **state)
{
    char next[64];
    struct slp_item_task_row row = { 0 };
    (void)state;
    every_other_is_his_own();
    assert_int_equal(world_take(&s, 0, QUEUE), QUEUE / 2);
    struct slp_tasks_get q = { .station_id = s.station + 1, .which = 0, .limit = 100 };
    SLP_SET(&q, tasks_get, limit);
    for (unsigned pages = 0; pages < 2; pages++) { /* once as it lies there, once the first of it is gone */
        struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &q);
        struct slp_cursor c = slp_each(m->u.tasks.rows);
        assert_int_equal(m->u.tasks.rows.count, 100);
        while (slp_next_task_row(&c, &row))
            ;
        assert_int_equal(row.unit, pages ? 399 : 199);
        assert_true(SLP_IS(&m->u.tasks, tasks, next) && m->u.tasks.next.n <= sizeof next);
        memcpy(next, m->u.tasks.next.p, m->u.tasks.next.n);
        q.after = (struct slp_bytes){ next, m->u.tasks.next.n };
        SLP_SET(&q, tasks_get, after);
        if (!pages) {
            assert_int_equal(world_take(&s, 1, 20), 20);
            continue;
        }
        assert_int_equal(world_take(&s, 1, 220),
                         220); /* where the next page begins nothing is any more: 10 are left behind it */
        m = world_read(&s.w, SLP_TASKS_GET, &q);
        c = slp_each(m->u.tasks.rows);
        assert_true(slp_next_task_row(&c, &row));
        assert_int_equal(row.unit, 481);
        assert_int_equal(m->u.tasks.rows.count, 10);
    }
    world_end(&s.w);
}

/* Results of one frame, in an order that has nothing to do with that of the tasks: as many pieces as an event has no room for. */
static void results_in_any_order_are_told_each(void **state)
{
    static struct world_task t[QUEUE];
    (void)state;
    world_scene(&s, plain, 1, 0);
    world_put(&s.w, s.run, QUEUE);
    assert_int_equal(world_take(&s, 0, QUEUE), QUEUE);
    for (unsigned i = 0; i < QUEUE; i++)
        t[i] = s.t[i * 7 % QUEUE];
    submit_all(t, QUEUE);
    struct slp_events_get q = { .since = 1 };
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_EVENTS_GET, &q)->u.events.events);
    uint64_t told = 0;
    for (struct slp_item_event ev; slp_next_event(&c, &ev);) {
        if (ev.type != EV_SUBMITTED)
            continue;
        for (unsigned i = 1;; i += 2) { /* first, how many; first, how many ... */
            char path[32];
            snprintf(path, sizeof path, "assignments[%u]", i);
            uint64_t n = world_number(world_at(ev.data, path));
            if (n == UINT64_MAX)
                break;
            told += n;
        }
    }
    assert_int_equal(told, QUEUE);
    world_end(&s.w);
}

static void a_batch_about_hundreds_of_queues_tells_of_each(void **state)
{
    enum { RUNS = 200 };
    static uint64_t run[RUNS];
    (void)state;
    world_scene(&s,
                "line: forked\ninput:\n  - {name: text, type: text}\nstations:\n"
                "  - {name: a, form: {fields: [{name: x, type: short_answer}]}}\n"
                "  - {name: b, after: [], form: {fields: [{name: x, type: short_answer}]}}\n",
                1, 0);
    for (unsigned i = 0; i < RUNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "run-%u", i);
        run[i] = world_run(&s.w, "forked", name);
    }
    world_clear(&s.w);
    world_batch(&s.w, RUNS);
    for (unsigned i = 0; i < RUNS; i++)
        world_put(&s.w, run[i], 1);
    world_flush(&s.w);
    world_batch(&s.w, 1);
    static bool seen[RUNS + 2][2];
    unsigned n = 0;
    struct slp_events_get q = { .since = 1 };
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&s.w, SLP_EVENTS_GET, &q);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event ev; slp_next_event(&c, &ev);) {
            if (ev.type != EV_TASKS_READY)
                continue;
            uint64_t r = world_number(world_at(ev.data, "run")), st = world_number(world_at(ev.data, "station"));
            assert_in_range(r, 2, RUNS + 1);
            assert_in_range(st, s.station, s.station + 1);
            assert_false(seen[r][st - s.station]);
            seen[r][st - s.station] = true;
            n++;
        }
        q.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    assert_int_equal(n, 2 * RUNS);
    world_end(&s.w);
}

static void of_a_frame_full_of_mistakes_each_is_told_and_the_first_in_words(void **state)
{
    struct slp_buf b = { 0 }, v = { 0 };
    (void)state;
    world_scene(&s,
                "line: plain\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    form: {fields: "
                "[{name: how-good-is-the-answer, type: number, required: true}]}\n",
                1, 0);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_take(&s, 0, 1), 1);
    slp_pack_cstr(&v, "very");
    for (unsigned i = 0; i < SL_BATCH_ITEMS_MAX; i++) {
        struct slp_item_result it = { .assignment = s.t[0].assignment,
                                      .worker = s.t[0].worker,
                                      .values = { v.p, (uint32_t)v.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, SL_BATCH_ITEMS_MAX } };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_SUBMIT, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    assert_int_equal(m->u.outcomes.outcomes.count, SL_BATCH_ITEMS_MAX);
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o;
    unsigned words = 0;
    for (unsigned i = 0; slp_next_outcome(&c, &o); i++) {
        assert_int_equal(o.code, SLP_E_BAD_RESULT);
        assert_true(words == i || !SLP_IS(&o, item_outcome, text)); /* from some point on there is no room for words */
        words += SLP_IS(&o, item_outcome, text);
    }
    assert_in_range(words, 1000, SL_BATCH_ITEMS_MAX - 1);
    slp_buf_free(&b);
    slp_buf_free(&v);
    world_end(&s.w);
}

static void of_results_that_come_together_the_late_ones_are_told_one_by_one(void **state)
{
    static uint64_t odd[150];
    (void)state;
    world_scene(&s, plain, 1, 0);
    world_put(&s.w, s.run, 300);
    assert_int_equal(world_take(&s, 0, 300), 300);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(act(&s, &s.t[i], ACT_START), SLP_E_OK);
        if (i % 2 == 0)
            odd[i / 2] = i + 1;
    }
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", odd, 150), 150);
    struct slp_buf b = { 0 }, v = { 0 };
    slp_pack_cstr(&v, "yes");
    for (unsigned i = 0; i < 300; i++) {
        struct slp_item_result it = { .assignment = s.t[i].assignment,
                                      .worker = s.t[i].worker,
                                      .values = { v.p, (uint32_t)v.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 300 } };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_SUBMIT, &q);
    assert_int_equal(m->u.outcomes.ok, 150);
    assert_int_equal(m->u.outcomes.outcomes.count, 150); /* these are late */
    slp_buf_free(&b);
    slp_buf_free(&v);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 150);
    struct slp_events_get e = { .since = 1 };
    unsigned late = 0;
    for (bool more = true; more;) {
        m = world_read(&s.w, SLP_EVENTS_GET, &e);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event ev; slp_next_event(&c, &ev);)
            for (unsigned i = 1; ev.type == EV_SUBMITTED; i += 2) { /* which of them, from where on, how many */
                char path[32];
                snprintf(path, sizeof path, "late[%u]", i);
                uint64_t n = world_number(world_at(ev.data, path));
                if (n == UINT64_MAX)
                    break;
                late += (unsigned)n;
            }
        e.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    assert_int_equal(late, 150);
    world_end(&s.w);
}

static void thousands_of_units_of_nothing_are_units_too(void **state)
{
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s,
                "line: plain\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    form: {fields: "
                "[{name: answer, type: short_answer}]}\n",
                1, 0);
    for (unsigned i = 0; i < 3000; i++) {
        slp_pack_array(&b, 1);
        if (i == 1500)
            slp_pack_cstr(&b, "here");
        else
            slp_pack_nil(&b);
    }
    struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, 3000 } };
    assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)->u.put_done.accepted, 3000);
    slp_buf_free(&b);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_take(&s, 0, 3000), 3000);
    for (unsigned i = 0; i < 3000; i += 100)
        assert_string_equal(world_shown(&s.w, &s.h, s.t[i].assignment, 0), i == 1500 ? "here" : "-");
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_into_one_push_comes_with_the_next_and_again_after_a_hello),
        cmocka_unit_test(a_task_of_several_answers_that_no_frame_can_show_is_parked),
        cmocka_unit_test(who_did_every_other_task_is_given_all_the_others),
        cmocka_unit_test(who_may_do_none_of_many_is_told_so_as_far_as_was_looked),
        cmocka_unit_test(what_was_dropped_meanwhile_is_no_reason),
        cmocka_unit_test(what_lies_ready_is_listed_whoever_passed_it_by),
        cmocka_unit_test(a_run_of_which_much_is_held_is_paused_and_deleted_in_portions),
        cmocka_unit_test(nothing_is_put_into_a_run_that_is_being_deleted_nor_told_of_its_units),
        cmocka_unit_test(a_listing_goes_on_where_it_was_though_tasks_were_taken_meanwhile),
        cmocka_unit_test(results_in_any_order_are_told_each),
        cmocka_unit_test(a_batch_about_hundreds_of_queues_tells_of_each),
        cmocka_unit_test(of_a_frame_full_of_mistakes_each_is_told_and_the_first_in_words),
        cmocka_unit_test(of_results_that_come_together_the_late_ones_are_told_one_by_one),
        cmocka_unit_test(thousands_of_units_of_nothing_are_units_too),
    };
    return cmocka_run_group_tests_name("more than fits", tests, NULL, NULL);
}
