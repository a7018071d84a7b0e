/* What readers tell of states that the store does not spell out: a run that was cancelled at one stroke, work that is its author's for a while, events from the beginning. */
#include "tests/unit/review_world.h"

static struct world_scene s;

static const char *const chain =
    "line: chain\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: a\n    form: {fields: [{name: x, type: short_answer}]}\n"
    "  - name: b\n    when: a.x == \"1\"\n    form: {fields: [{name: y, type: short_answer}]}\n"
    "  - name: c\n    copies: {min: 2}\n    agree: {method: all}\n    form: {fields: [{name: z, type: "
    "short_answer}]}\n";

/* Of five units one is done, one is dead at its second station, one passed that by, one is at its beginning and one was dropped; then the run is cancelled. */
static void cancelled_in_the_middle(void)
{
    static const char *const x[] = { "0", "1", "0" };
    static const uint64_t dropped = 5;
    world_scene(&s, chain, 2, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_take(&s, 0, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], x[i]), SLP_E_OK);
    assert_int_equal(world_count(&s.w, "r", "b", TASK_READY), 1);
    assert_int_equal(world_count(&s.w, "r", "c", TASK_READY), 2);
    for (unsigned worker = 0; worker < 2; worker++) { /* the first unit is answered to its end */
        struct world_task t = taken(&s, worker, 2);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "z"), SLP_E_OK);
    }
    struct world_task t = { 0 };
    for (unsigned i = 0; i < 3 && t.station_id != s.station + 1; i++)
        t = given(&s, i % 2);
    assert_int_equal(t.station_id, s.station + 1);
    assert_int_equal(act(&s, &t, ACT_BURY), SLP_E_OK);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", &dropped, 1), 1);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    for (unsigned i = 0; engine_backlog(s.w.engine) && i < 20; i++)
        world_tick(&s.w);
}

/* A number below the first of the packed values. */
static uint64_t number(struct slp_bytes v, const char *path)
{
    return world_number(world_at(v, path));
}

static void a_recount_of_a_cancelled_run_gives_what_is_kept(void **state)
{
    (void)state;
    cancelled_in_the_middle();
    struct slp_check_get q = { .recount = true, .limit = UINT64_MAX };
    SLP_SET(&q, check_get, recount);
    SLP_SET(&q, check_get, limit);
    struct slp_msg *m = world_read(&s.w, SLP_CHECK_GET, &q);
    assert_int_equal(m->type, SLP_CHECK);
    struct slp_cursor c = slp_each(m->u.check.counts);
    struct slp_bytes row;
    assert_true(slp_next_raw(&c, &row));
    assert_int_equal(number(row, "[4]"), 5);
    static const uint64_t want[] = { 1, 1, 3, 0 }; /* done, dropped, cancelled; nothing is dead any more */
    for (unsigned i = 0; i < 4; i++) {
        char counted[16], kept[16];
        snprintf(counted, sizeof counted, "[5][%u]", i);
        snprintf(kept, sizeof kept, "[6][%u]", i + 1);
        assert_int_equal(number(row, counted), want[i]);
        assert_int_equal(number(row, kept), want[i]);
    }
    for (unsigned station = 0; station < 3; station++)
        for (unsigned i = 0; i < TASK_STATES; i++) {
            char counted[32], kept[32];
            snprintf(counted, sizeof counted, "[7][%u][1][%u]", station, i);
            snprintf(kept, sizeof kept, "[7][%u][2][%u]", station, i);
            assert_int_equal(number(row, counted), number(row, kept));
        }
    assert_int_equal(number(row, "[7][0][1][5]"), 3); /* what was done stays done */
    world_end(&s.w);
}

static void a_snapshot_of_a_cancelled_run_tells_its_units_so(void **state)
{
    static const uint64_t units[] = { UNIT_DONE, UNIT_CANCELLED, UNIT_CANCELLED, UNIT_CANCELLED, UNIT_DROPPED };
    static const uint64_t at_b[] = { TASK_SKIPPED, TASK_ENDED, TASK_SKIPPED, TASK_ENDED, TASK_ENDED };
    (void)state;
    cancelled_in_the_middle();
    struct slp_msg *m = world_read(&s.w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ .limit = SL_PAGE_ITEMS_MAX });
    struct slp_cursor c = slp_each(m->u.snapshot.rows);
    struct slp_bytes row;
    unsigned seen = 0;
    while (slp_next_raw(&c, &row)) {
        struct slp_bytes kind = world_at(row, "[0]");
        if (kind.n != 5 || memcmp(kind.p + 1, "unit", 4))
            continue;
        uint64_t unit = number(row, "[2]");
        assert_int_equal(unit, ++seen);
        assert_int_equal(number(row, "[3]"), units[unit - 1]);
        assert_int_equal(number(row, "[4][1][0]"), at_b[unit - 1]);
        assert_int_equal(number(row, "[4][2][4]"), 0); /* no answers are wanted any more */
    }
    assert_int_equal(seen, 5);
    world_end(&s.w);
}

static void what_is_its_authors_for_a_while_is_not_told_as_waiting(void **state)
{
    (void)state;
    open_written(
        &s,
        WRITE
        "  - name: check\n    type: improve\n    after: [write]\n    rounds: 3\n    return_to_author: 1m\n" REASONS,
        "T", "B");
    struct world_task t = taken(&s, 1, 1);
    assert_int_equal(reject_it(&s, &t, "no"), SLP_E_OK);
    struct slp_tasks_get q = { .station_id = s.station, .which = 1 };
    assert_int_equal(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows.count, 0);
    assert_int_equal(given(&s, 2).assignment, 0);
    pass(&s, MINUTE + SECOND);
    q.which = 0;
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows);
    struct slp_item_task_row row;
    bool ready = slp_next_task_row(&c, &row);
    assert_true(ready || world_count(&s.w, "r", "write", TASK_ASSIGNED) == 1); /* the one who waited has got it */
    world_end(&s.w);
}

static void events_since_nothing_begin_with_the_oldest(void **state)
{
    (void)state;
    world_scene(&s, chain, 1, 0);
    world_put(&s.w, s.run, 3);
    struct slp_msg *all = world_read(&s.w, SLP_EVENTS_GET, &(struct slp_events_get){ .since = 0 });
    assert_int_equal(all->type, SLP_EVENTS);
    struct slp_msg *first = world_read(&s.w, SLP_EVENTS_GET, &(struct slp_events_get){ .since = 1 });
    assert_int_equal(all->u.events.events.count, first->u.events.events.count);
    assert_int_equal(all->u.events.prev_seq, 0);
    world_end(&s.w);
}

static void a_verdict_that_came_too_late_changed_nothing_as_is_listed(void **state)
{
    (void)state;
    open_written(&s, WRITE "  - name: check\n    type: improve\n    after: [write]\n    lease: 1m\n" REASONS, "T", "B");
    struct world_task slow = taken(&s, 1, 1);
    assert_int_equal(act(&s, &slow, ACT_START), SLP_E_OK);
    pass(&s, 2 * MINUTE);
    struct world_task t = taken(&s, 2, 1);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    assert_int_equal(accept_it(&s, &slow), SLP_E_LATE);
    assert_int_equal(verdict(&s, &t, "improve", "T2", "B", NULL, NULL), SLP_E_OK);
    assert_string_equal(output(&s, "check", true, 0, "check.changed"), "-");
    assert_string_equal(output(&s, "check", true, 0, "counted"), "false");
    assert_string_equal(output(&s, "check", true, 1, "check.changed"), "title");
    assert_string_equal(output(&s, "check", true, 1, "counted"), "true");
    world_end(&s.w);
}

static void who_does_again_what_was_sent_back_sees_his_answer_only_where_there_is_room(void **state)
{
    static char text[60001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (unsigned shown = 1; shown <= 3; shown++) { /* texts of 60,000 bytes that the station shows */
        char yaml[1500];
        size_t n = 0;
        for (unsigned i = 1; i < shown; i++)
            n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                                  "  - name: before-%u\n    form: {fields: [{name: x, type: long_answer}]}\n", i);
        snprintf(yaml + n, sizeof yaml - n,
                 "%s  - name: check\n    type: improve\n    after: [write]\n    rounds: 3\n" REASONS, WRITE);
        open_scene(&s, yaml);
        struct slp_buf b = { 0 };
        slp_pack_array(&b, 1);
        slp_pack_str(&b, text, sizeof text - 1);
        struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)), SLP_E_OK);
        slp_buf_free(&b);
        struct world_task t;
        for (unsigned i = 1; i < shown; i++) {
            t = taken(&s, 0, i - 1);
            assert_int_equal(world_submit(&s.w, &s.h, &t, text), SLP_E_OK);
        }
        t = taken(&s, 0, shown - 1);
        assert_int_equal(write_it(&s, &t, "T", shown < 3 ? text : "short"), SLP_E_OK);
        t = taken(&s, 1, shown);
        assert_int_equal(reject_it(&s, &t, "once more"), SLP_E_OK);
        t = taken(&s, 0, shown - 1);
        assert_string_equal(told(&s, t.assignment, "note"), "once more");
        assert_string_equal(told(&s, t.assignment, "answer.title"), "T");
        world_close(&s.w); /* its stories may be larger than a frame */
    }
}

static void where_an_assignment_that_a_unit_had_is_gone_its_story_is_not_told(void **state)
{
    (void)state;
    struct slp_unit_get q = { .unit = 1, .run = { "r", 1 } };
    struct store_txn *txn;
    struct store_val v;
    uint8_t key[8], kept[200];
    world_scene(&s, chain, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task first = taken(&s, 0, 0);
    assert_int_equal(act(&s, &first, ACT_RELEASE), SLP_E_OK);
    struct world_task second = taken(&s, 1, 0);
    assert_true(second.assignment > first.assignment);
    assert_int_equal(world_read(&s.w, SLP_UNIT_GET, &q)->type, SLP_UNIT);
    key_u64(key, first.assignment);
    assert_int_equal(store_begin(s.w.store, &txn), STORE_OK);
    assert_int_equal(store_get(txn, TABLE_ASSIGN, key, sizeof key, &v), STORE_OK);
    size_t n = v.n;
    assert_true(n <= sizeof kept);
    memcpy(kept, v.p, n);
    assert_int_equal(store_del(txn, TABLE_ASSIGN, key, sizeof key), STORE_OK);
    assert_int_equal(store_commit(&txn), STORE_OK);
    struct slp_msg *m = world_read(&s.w, SLP_UNIT_GET, &q);
    assert_int_equal(m->type, SLP_ERROR);
    assert_int_equal(m->u.error.code, SLP_E_CORRUPT);
    assert_int_equal(store_begin(s.w.store, &txn), STORE_OK);
    assert_int_equal(store_put(txn, TABLE_ASSIGN, key, sizeof key, kept, n), STORE_OK);
    assert_int_equal(store_commit(&txn), STORE_OK);
    world_end(&s.w);
}

static void a_line_that_is_no_more_is_not_told_of_anybody(void **state)
{
    (void)state;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    require: {abandonment: "
                "\"< 0.9\", after: 1, of: all}\n    form: {fields: [{name: a, type: short_answer}]}\n",
                1, 0);
    world_put(&s.w, s.run, 2);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_OK);
    struct slp_repute_get q = { .name = world_str("hub-0") };
    struct slp_bytes story = world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q)->u.repute.story;
    assert_int_equal(world_number(world_at(story, "stations[0].measures.abandonment.of")), 1);
    assert_int_equal(world_line_set(&s.w, "l", 2, true), SLP_E_OK);
    for (unsigned i = 0; engine_backlog(s.w.engine) && i < 50; i++)
        world_tick(&s.w);
    world_restart(&s.w);
    world_line(&s.w, "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    require: "
                     "{abandonment: \"< 0.9\", after: 1}\n    form: {fields: [{name: a, type: short_answer}]}\n");
    story = world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q)->u.repute.story;
    assert_null(world_at(story, "stations[0]").p);
    assert_int_equal(world_number(world_at(story, "measures.abandonment.of")), 1); /* over all it stays */
    world_end(&s.w);
}

static void a_result_is_dated_by_the_hubs_clock_if_the_hub_said_so(void **state)
{
    (void)state;
    world_scene(&s, chain, 1, 0);
    world_put(&s.w, s.run, 2);
    for (unsigned said = 0; said < 2; said++) {
        struct world_task t = taken(&s, 0, 0);
        struct slp_buf b = { 0 }, v = { 0 };
        slp_pack_cstr(&v, "0");
        struct slp_item_result it = { .assignment = t.assignment,
                                      .worker = t.worker,
                                      .values = { v.p, (uint32_t)v.n, 1 },
                                      .done_wall_us = s.w.wall_us - MINUTE };
        if (said)
            SLP_SET(&it, item_result, done_wall_us);
        slp_pack_item(&b, SLP_ITEM_result, &it);
        struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
        slp_buf_free(&b);
        slp_buf_free(&v);
        char want[32];
        snprintf(want, sizeof want, "%lld", (long long)(s.w.wall_us - (said ? MINUTE : 0)));
        assert_string_equal(output(&s, "a", false, said, "done_wall_us"), want);
        struct world_task next = given(&s, 0);
        if (!said && next.station_id != s.station) /* the one that follows it lies further downstream */
            assert_int_equal(world_submit(&s.w, &s.h, &next, "z"), SLP_E_OK);
        else if (next.assignment)
            assert_int_equal(act(&s, &next, ACT_RELEASE), SLP_E_OK);
    }
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recount_of_a_cancelled_run_gives_what_is_kept),
        cmocka_unit_test(a_snapshot_of_a_cancelled_run_tells_its_units_so),
        cmocka_unit_test(what_is_its_authors_for_a_while_is_not_told_as_waiting),
        cmocka_unit_test(events_since_nothing_begin_with_the_oldest),
        cmocka_unit_test(a_verdict_that_came_too_late_changed_nothing_as_is_listed),
        cmocka_unit_test(who_does_again_what_was_sent_back_sees_his_answer_only_where_there_is_room),
        cmocka_unit_test(where_an_assignment_that_a_unit_had_is_gone_its_story_is_not_told),
        cmocka_unit_test(a_line_that_is_no_more_is_not_told_of_anybody),
        cmocka_unit_test(a_result_is_dated_by_the_hubs_clock_if_the_hub_said_so),
    };
    return cmocka_run_group_tests_name("what readers tell", tests, NULL, NULL);
}
