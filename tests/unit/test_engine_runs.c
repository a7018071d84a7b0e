/* The engine: the life of a run. Started once, closed, done, cancelled at one stroke, deleted to the last record while others stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

static const char *const simple = "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                  "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static struct world_scene s;

static int set_up(void **state)
{
    (void)state;
    world_scene(&s, simple, 2, 0);
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

static struct slp_item_run_row row_of(const char *run)
{
    struct slp_cursor c = slp_each(world_run_get(&s.w, run)->u.run_info.run);
    struct slp_item_run_row row;
    assert_true(slp_next_run_row(&c, &row));
    return row;
}

static struct slp_msg *start(const char *line, const char *name, const char *fingerprint)
{
    struct slp_run_start q = { .line = world_str(line), .name = world_str(name) };
    if (fingerprint) {
        q.fingerprint = world_str(fingerprint);
        SLP_SET(&q, run_start, fingerprint);
    }
    return world_send(&s.w, WORLD_CLIENT, SLP_RUN_START, &q);
}

static void a_run_is_started_once_and_found_again(void **state)
{
    (void)state;
    uint64_t id = start("simple", "x", "abc")->u.run_started.run_id;
    assert_int_equal(id, 2);
    for (int i = 0; i < 2; i++) {
        struct slp_msg *m = start("simple", "x", "abc");
        assert_int_equal(m->type, SLP_RUN_STARTED);
        assert_int_equal(m->u.run_started.run_id, id);
        assert_true(m->u.run_started.existing);
        assert_int_equal(m->u.run_started.columns.count, 1);
        world_restart(&s.w);
    }
    assert_int_equal(world_code(start("simple", "x", "abd")), SLP_E_KEY_REUSED);
    assert_int_equal(world_code(start("simple", "x", NULL)), SLP_E_KEY_REUSED);
    world_line(&s.w, "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n");
    assert_int_equal(world_code(start("other", "x", "abc")), SLP_E_EXISTS);
    assert_int_equal(world_code(start("nothing", "x", "abc")), SLP_E_NOT_FOUND);
    struct slp_run_start q = { .line = world_str("simple"), .name = world_str("y"), .version = 2 };
    SLP_SET(&q, run_start, version);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_RUN_START, &q)), SLP_E_NOT_FOUND);
    q.version = UINT64_MAX;
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_RUN_START, &q)), SLP_E_NOT_FOUND);
}

static void a_closed_run_is_done_with_its_last_unit(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(2), 2);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    assert_int_equal(row_of("r").state, RUN_CLOSED);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CLOSE, 0), SLP_E_OK); /* the same again */
    world_submit(&s.w, &s.h, &s.t[0], "a");
    assert_int_equal(row_of("r").state, RUN_CLOSED);
    world_submit(&s.w, &s.h, &s.t[1], "a");
    assert_int_equal(row_of("r").state, RUN_DONE);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_BAD_STATE);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_BAD_STATE);
    world_restart(&s.w);
    assert_int_equal(row_of("r").state, RUN_DONE);
}

static void an_empty_run_is_done_when_it_is_closed_and_an_open_one_never(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(take(1), 1);
    world_submit(&s.w, &s.h, &s.t[0], "a");
    assert_int_equal(row_of("r").state, RUN_OPEN);
    world_run(&s.w, "simple", "empty");
    assert_int_equal(world_run_set(&s.w, "empty", RUN_SET_CLOSE, 0), SLP_E_OK);
    assert_int_equal(row_of("empty").state, RUN_DONE);
}

static void a_cancel_is_one_stroke_and_its_sweep_recalls(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 500);
    assert_int_equal(take(20), 20);
    for (int i = 0; i < 3; i++)
        world_act(&s.w, &s.h, &s.t[i], ACT_START, NULL, NULL);
    world_submit(&s.w, &s.h, &s.t[0], "a");
    world_clear(&s.w);
    uint64_t puts = store_counters(s.w.store)->puts;
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_in_range(store_counters(s.w.store)->puts - puts, 1,
                    12); /* a few records, whatever the number of its units */
    struct slp_item_run_row row = row_of("r");
    assert_int_equal(row.state, RUN_CANCELLED);
    assert_int_equal(row.cancelled, 499);
    assert_int_equal(row.done, 1);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ENDED), 499);
    world_check(&s.w); /* before the sweep, and after */
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    world_clear(&s.w);
    world_pass(&s.w, 0);
    size_t recalled = 0;
    struct slp_msg *m;
    for (size_t i = 0; (m = world_sent(&s.w, s.h.peer, SLP_RECALL, i)); i++) {
        assert_int_equal(m->u.recall.code, 2);
        recalled += m->u.recall.assignments.count;
    }
    assert_int_equal(recalled, 17);
    assert_false(engine_backlog(s.w.engine));
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK); /* the same again */
    assert_int_equal(take(10), 0);
}

static void a_result_under_a_cancelled_run_is_kept_as_late(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(3), 3);
    world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_TOUCH, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "kept"), SLP_E_LATE);
    world_pass(&s.w, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[1], "kept, too"), SLP_E_LATE); /* of a recalled one */
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].result.answer", "kept"));
    assert_true(world_story_is(&s.w, "r", 2, "stations[0].assignments[0].result.answer", "kept, too"));
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_CANCELLED);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[2], ACT_FAIL, NULL, NULL), SLP_E_STALE);
}

static void a_failure_or_expiry_under_a_cancelled_run_wakes_nothing(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(2), 2);
    world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL);
    world_act(&s.w, &s.h, &s.t[1], ACT_START, NULL, NULL);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_FAIL, NULL, NULL), SLP_E_OK);
    world_pass(&s.w, 3600ll * 1000000);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ENDED), 2);
    assert_int_equal(world_story(&s.w, "r", 2, "stations[0].assignments[0].why"), WHY_EXPIRED);
}

/* ---- deletion ---- */

/* Records whose key or value names the run, over all tables but EVENT (the past stays told). */
static size_t records_of(uint32_t run)
{
    static const struct {
        enum store_table tb;
        int key_at, value_at;
    } where[] = { { TABLE_RUN, 0, -1 },   { TABLE_UNIT, 0, -1 },     { TABLE_STATE, 0, -1 },   { TABLE_READY, 4, -1 },
                  { TABLE_DEDUP, 0, -1 }, { TABLE_PRODUCER, 0, -1 }, { TABLE_HISTORY, 0, -1 }, { TABLE_DEAD, 4, -1 },
                  { TABLE_DELAY, -1, 4 }, { TABLE_ASSIGN, -1, 0 },   { TABLE_SWEEP, -1, 1 } };
    struct store_txn *t;
    size_t found = 0;
    world_flush(&s.w);
    assert_int_equal(store_begin_read(s.w.store, &t), STORE_OK);
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        struct store_cursor c;
        enum store_rc rc = store_cursor_open(t, where[i].tb, &c);
        for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c))
            found += where[i].key_at >= 0 ? key_get_u32((const uint8_t *)c.key.p + where[i].key_at) == run
                                          : get_u32((const uint8_t *)c.val.p + where[i].value_at) == run;
        store_cursor_close(&c);
    }
    struct store_cursor c; /* results: the first piece of a segment names its run; whole ones only in this test */
    enum store_rc rc = store_cursor_open(t, TABLE_RESULT, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c))
        found += get_u32(c.val.p) == run;
    store_cursor_close(&c);
    store_abort(&t);
    return found;
}

static size_t live_records(void)
{
    struct store_txn *t;
    struct store_cursor c;
    size_t n = 0;
    world_flush(&s.w);
    assert_int_equal(store_begin_read(s.w.store, &t), STORE_OK);
    enum store_rc rc = store_cursor_open(t, TABLE_LIVE, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c))
        n++;
    store_cursor_close(&c);
    store_abort(&t);
    return n;
}

/* A run in which everything has happened: keys, a producer, results, late ones, dead, declined, delayed, started and handed. */
static void busy_run(const char *name, uint32_t *id)
{
    struct slp_buf rows = { 0 }, keys = { 0 };
    char text[40];
    *id = (uint32_t)world_run(&s.w, "simple", name);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "%s %d", name, i);
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, text);
        slp_pack_cstr(&keys, text);
    }
    struct slp_put q = { .run_id = *id,
                         .rows = { rows.p, (uint32_t)rows.n, 60 },
                         .keys = { keys.p, (uint32_t)keys.n, 60 },
                         .producer = { "0123456789abcdef", 16 },
                         .epoch = 1,
                         .first_seq = 1 };
    SLP_SET(&q, put, keys);
    SLP_SET(&q, put, producer);
    SLP_SET(&q, put, epoch);
    SLP_SET(&q, put, first_seq);
    assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)->u.put_done.accepted, 60);
    assert_int_equal(world_run_set(&s.w, name, RUN_SET_PRIORITY, 9),
                     SLP_E_OK); /* so that all that is taken is its own */
    assert_int_equal(take(20), 20);
    assert_int_equal(world_run_set(&s.w, name, RUN_SET_PRIORITY, 5), SLP_E_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "done"), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[5], ACT_BURY, "dead", NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[6], ACT_FAIL, "failed", NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[7], ACT_DECLINE, "not me", NULL), SLP_E_OK);
    for (int i = 8; i < 12; i++)
        assert_int_equal(world_act(&s.w, &s.h, &s.t[i], ACT_START, NULL, NULL), SLP_E_OK);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
}

static void a_deleted_run_leaves_no_record_and_its_neighbour_keeps_all(void **state)
{
    uint32_t a, b;
    (void)state;
    busy_run("a", &a);
    busy_run("b", &b);
    size_t of_b = records_of(b), live = live_records();
    assert_true(records_of(a) > 60);
    struct slp_run_set q = { .run = world_str("a"), .action = RUN_SET_DELETE };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_RUN_SET, &q)), SLP_E_IN_USE);
    assert_int_equal(world_run_set(&s.w, "a", RUN_SET_DELETE, 0), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "a", RUN_SET_DELETE, 0), SLP_E_NOT_FOUND); /* its name is free at once */
    uint32_t again = (uint32_t)world_run(&s.w, "simple", "a");
    assert_true(again > b);
    world_pass(&s.w, 0);
    assert_true(records_of(a) <= 1); /* what waits in DELAY goes when it is due */
    world_pass(&s.w, 11ll * 1000000);
    assert_int_equal(records_of(a), 0);
    assert_int_equal(live_records(), live / 2);
    world_check(&s.w);
    assert_true(records_of(b) >= of_b);
    world_restart(&s.w);
    assert_int_equal(records_of(a), 0);
    assert_int_equal(world_count(&s.w, "b", "judge", TASK_DONE), 5);
    assert_int_equal(world_count(&s.w, "b", "judge", TASK_STARTED), 4);
}

static void numbers_of_a_deleted_run_are_unknown_and_harm_no_neighbour(void **state)
{
    struct world_task live[3], gone[3];
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(3), 3);
    memcpy(live, s.t, sizeof live);
    uint64_t other = world_run(&s.w, "simple", "other");
    world_put(&s.w, other, 3);
    assert_int_equal(take(3), 3);
    memcpy(gone, s.t, sizeof gone);
    assert_int_equal(world_act(&s.w, &s.h, &gone[1], ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "other", RUN_SET_DELETE, 0), SLP_E_OK);
    world_pass(&s.w, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_submit(&s.w, &s.h, &gone[i], "a"), SLP_E_NOT_FOUND);
        assert_int_equal(world_act(&s.w, &s.h, &gone[i], ACT_TOUCH, NULL, NULL), SLP_E_NOT_FOUND);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &live[i], "a"), SLP_E_OK);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_WELCOME, 0)->u.welcome.missing.count,
                     0); /* nothing is held, and nothing seems to be */
    struct slp_hubs_get q = { 0 };
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_HUBS_GET, &q)->u.hubs.rows);
    struct slp_item_hub_row row;
    assert_true(slp_next_hub_row(&c, &row));
    assert_int_equal(row.holding, 0);
}

static void a_deletion_goes_on_after_a_restart_at_any_tick(void **state)
{
    uint32_t a;
    (void)state;
    busy_run("a", &a);
    assert_int_equal(world_run_set(&s.w, "a", RUN_SET_DELETE, 0), SLP_E_OK);
    unsigned ticks = 0;
    do {
        world_restart(&s.w);
        world_tick(&s.w);
        assert_true(++ticks < 100);
    } while (engine_backlog(s.w.engine));
    world_pass(&s.w, 11ll * 1000000);
    assert_int_equal(records_of(a), 0);
    assert_int_equal(live_records(), 0);
    world_hello(&s.w, &s.h, NULL, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(3), 3);
}

/* Run a, by force, in the batch that is under way, and what that sets going; then the broker starts anew. */
static void deleted_in_that_batch(uint32_t a)
{
    struct slp_run_set q = { .run = world_str("a"), .action = RUN_SET_DELETE, .force = true };
    SLP_SET(&q, run_set, force);
    world_send(&s.w, WORLD_CLIENT, SLP_RUN_SET, &q);
    for (unsigned i = 0; i < 240 && (i < 2 || engine_backlog(s.w.engine)); i++)
        world_tick(&s.w);
    assert_false(engine_backlog(s.w.engine));
    world_flush(&s.w);
    world_batch(&s.w, 1);
    world_pass(&s.w, 11ll * 1000000); /* what rested is skipped when it is due */
    assert_int_equal(records_of(a), 0);
    world_restart(&s.w);
}

/* What a run changed and its deletion may come in one batch: nothing of it is written behind the deletion. */
static void a_run_that_is_changed_and_deleted_in_one_batch_leaves_nothing(void **state)
{
    uint32_t a;
    (void)state;
    busy_run("a", &a);
    world_batch(&s.w, 250);
    world_put(&s.w, a, 3);
    deleted_in_that_batch(a);
    assert_int_equal(records_of(a), 0);
}

static void work_goes_on_while_a_run_is_being_deleted(void **state)
{
    uint32_t a;
    (void)state;
    busy_run("a", &a);
    struct world_task started = s.t[9];
    assert_int_equal(world_run_set(&s.w, "a", RUN_SET_DELETE, 0), SLP_E_OK);
    enum slp_code code =
        world_submit(&s.w, &s.h, &started, "still"); /* before its sweep comes by: kept for the while */
    assert_int_equal(code, SLP_E_LATE);
    for (int i = 0; i < 30; i++) {
        world_put(&s.w, s.run, 1);
        size_t n = take(1);
        if (n)
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[n - 1], "a"), SLP_E_OK);
        world_tick(&s.w);
    }
    world_pass(&s.w, 11ll * 1000000);
    assert_int_equal(records_of(a), 0);
    assert_int_equal(world_submit(&s.w, &s.h, &started, "still"), SLP_E_NOT_FOUND);
}

static void a_line_is_deleted_with_force_and_its_runs_are_cancelled(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 5);
    assert_int_equal(world_line_set(&s.w, "simple", 2, false), SLP_E_IN_USE);
    assert_int_equal(world_line_set(&s.w, "simple", 2, true), SLP_E_OK);
    world_pass(&s.w, 0);
    assert_int_equal(row_of("r").state, RUN_CANCELLED);
    assert_int_equal(world_code(start("simple", "new", NULL)), SLP_E_NOT_FOUND);
    assert_int_equal(world_line_set(&s.w, "simple", 1, false), SLP_E_NOT_FOUND);
    assert_int_equal(world_line(&s.w, simple), s.station + 1); /* another line of that name */
    world_restart(&s.w);
    assert_int_equal(world_code(start("simple", "new", NULL)), SLP_E_OK);
}

static void listings_begin_after_any_number(void **state)
{
    static const uint64_t after[] = { 0, 1, 2, 1000, UINT64_MAX - 1, UINT64_MAX };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct slp_runs_get r = { .after = after[i] };
        struct slp_hubs_get h = { .after = after[i] };
        struct slp_stations_get st = { .after = after[i] };
        struct slp_workers_get wk = { .after = after[i] };
        struct slp_output_get o = { .run = world_str("r"), .after_unit = after[i] };
        SLP_SET(&r, runs_get, after);
        SLP_SET(&h, hubs_get, after);
        SLP_SET(&st, stations_get, after);
        SLP_SET(&wk, workers_get, after);
        SLP_SET(&o, output_get, after_unit);
        assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_RUNS_GET, &r)->u.runs.rows.count, i == 0);
        assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_HUBS_GET, &h)->u.hubs.rows.count, i == 0);
        assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_STATIONS_GET, &st)->u.stations.rows.count, i == 0);
        assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &wk)->u.workers.rows.count,
                         i == 0 ? 2 : i == 1);
        assert_int_equal(world_read(&s.w, SLP_OUTPUT_GET, &o)->type, SLP_OUTPUT);
    }
}

static void a_run_that_names_no_input_is_found_again_likewise(void **state)
{
    (void)state;
    uint64_t id = start("simple", "x", NULL)->u.run_started.run_id;
    struct slp_msg *m = start("simple", "x", NULL);
    assert_int_equal(m->type, SLP_RUN_STARTED);
    assert_int_equal(m->u.run_started.run_id, id);
    assert_int_equal(world_code(start("simple", "x", "abc")), SLP_E_KEY_REUSED);
}

/* What is written at a batch's end is each run's own, though one of them is gone by then. */
static void of_two_runs_that_change_in_one_batch_the_one_that_stays_has_it_all(void **state)
{
    uint32_t a;
    struct world_task t[3];
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(3), 3);
    memcpy(t, s.t, sizeof t);
    busy_run("a", &a);
    world_batch(&s.w, 250);
    for (unsigned i = 0; i < 3; i++)
        world_act(&s.w, &s.h, &t[i], ACT_START, NULL, NULL);
    world_put(&s.w, a, 3);
    world_put(&s.w, s.run, 5);
    deleted_in_that_batch(a);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_STARTED), 3);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 5);
}

/* Between the chunks of a deletion an answer may come for what is gone already, though its batch is not at its end. */
static void an_answer_for_what_is_deleted_in_that_batch_leaves_nothing_behind(void **state)
{
    uint32_t a;
    unsigned unknown = 0;
    (void)state;
    for (unsigned ticks = 1; !unknown; ticks++) {
        char name[20];
        snprintf(name, sizeof name, "a%u", ticks);
        busy_run(name, &a);
        struct world_task begun = s.t[8];
        assert_int_equal(world_run_set(&s.w, name, RUN_SET_DELETE, 0), SLP_E_OK);
        world_batch(&s.w, 250);
        for (unsigned i = 0; i < ticks; i++)
            world_tick(&s.w);
        world_submit(&s.w, &s.h, &begun, "still");
        world_batch(&s.w, 1);
        unknown = world_submit(&s.w, &s.h, &begun, "still") == SLP_E_NOT_FOUND;
        world_pass(&s.w, 11ll * 1000000);
        assert_int_equal(records_of(a), 0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_started_once_and_found_again),
        TEST(a_closed_run_is_done_with_its_last_unit),
        TEST(an_empty_run_is_done_when_it_is_closed_and_an_open_one_never),
        TEST(a_cancel_is_one_stroke_and_its_sweep_recalls),
        TEST(a_result_under_a_cancelled_run_is_kept_as_late),
        TEST(a_failure_or_expiry_under_a_cancelled_run_wakes_nothing),
        TEST(a_deleted_run_leaves_no_record_and_its_neighbour_keeps_all),
        TEST(numbers_of_a_deleted_run_are_unknown_and_harm_no_neighbour),
        TEST(a_deletion_goes_on_after_a_restart_at_any_tick),
        TEST(a_run_that_is_changed_and_deleted_in_one_batch_leaves_nothing),
        TEST(work_goes_on_while_a_run_is_being_deleted),
        TEST(an_answer_for_what_is_deleted_in_that_batch_leaves_nothing_behind),
        TEST(a_line_is_deleted_with_force_and_its_runs_are_cancelled),
        TEST(listings_begin_after_any_number),
        cmocka_unit_test_setup_teardown(a_run_that_names_no_input_is_found_again_likewise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_two_runs_that_change_in_one_batch_the_one_that_stays_has_it_all, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
