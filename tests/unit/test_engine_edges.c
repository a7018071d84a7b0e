/* The engine at its edges: what a configuration says instead of the defaults, commands that are no commands of its, very many of one's own tasks in a queue, answers
 * of one unit that do not fit a page, skills lowered to nothing. */
#include "tests/lib/engine_staff.h"
#include "tests/unit/scene.h"

#define INPUT "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
static const char *const simple = INPUT "  - {name: judge, form: {fields: [{name: answer, type: short_answer}]}}\n";

static void what_the_configuration_says_counts(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 2, 0);
    world_down(&s.w);
    s.w.cfg = (struct engine_config){ .start_by_us = 20 * SECOND, .queue_tasks_max = 5 };
    world_up(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    s.run = world_run(&s.w, "l", "q");
    world_put(&s.w, s.run, 5);
    struct slp_buf b = { 0 };
    slp_pack_array(&b, 1);
    slp_pack_cstr(&b, "one too many");
    struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q);
    assert_int_equal(world_code(m), SLP_E_QUEUE_FULL);
    slp_buf_free(&b);
    assert_int_equal(given(&s, 0).attempt, 1);
    pass(&s, 19 * SECOND);
    assert_int_equal(world_count(&s.w, "q", "judge", TASK_ASSIGNED), 1);
    pass(&s, 2 * SECOND);
    assert_int_equal(world_count(&s.w, "q", "judge", TASK_ASSIGNED), 0); /* not begun in time */
    world_end(&s.w);
}

static void what_is_no_command_of_the_engine_is_told_as_unknown(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 1, 0);
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_EVENTS_GET, &(struct slp_events_get){ 0 }); /* a reader's */
    assert_int_equal(world_code(m), SLP_E_UNKNOWN_MESSAGE);
    world_end(&s.w);
}

/* ---- one's own work ---- */

static void of_very_many_of_his_own_a_reviewer_is_told_as_far_as_was_looked(void **state)
{
    struct world_scene s;
    const char *text;
    (void)state;
    world_scene(&s,
                INPUT "  - {name: write, form: {fields: [{name: title, type: short_answer}]}}\n"
                      "  - {name: next, worker: {not_who_did: [write]}}\n",
                2, 0);
    for (unsigned round = 0; round < 10; round++) {
        world_put(&s.w, s.run, 200);
        size_t n = world_take(&s, 0, 200);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "x"), SLP_E_OK);
            world_clear(&s.w);
        }
    }
    assert_int_equal(world_count(&s.w, "r", "next", TASK_READY), 2000);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(staff_why(&s.w, &s.h, 0, &text), 22); /* OWN_WORK */
    assert_string_equal(text,
                        "station next: all that is ready builds upon this worker's own work, as far as was looked");
    assert_int_equal(taken(&s, 1, 1).worker, s.h.worker[1]);
    world_end(&s.w);
}

/* ---- answers that do not fit a page ---- */

static void answers_of_one_unit_go_on_in_the_next_page(void **state)
{
    static char text[60000];
    struct world_scene s;
    unsigned rows = 0, pages = 0;
    (void)state;
    world_scene(&s,
                INPUT
                "  - name: judge\n    copies: {min: 6}\n    agree: {on: [answer], method: plurality, ties: first}\n"
                "    form: {fields: [{name: answer, type: long_answer}]}\n",
                6, 0);
    world_put(&s.w, s.run, 1);
    memset(text, 'a', sizeof text - 1);
    for (unsigned i = 0; i < 6; i++) {
        struct world_task t = taken(&s, i, 0);
        struct slp_buf b = { 0 }, values = { 0 };
        slp_pack_cstr(&values, text);
        struct slp_item_result it = { .assignment = t.assignment,
                                      .worker = t.worker,
                                      .values = { values.p, (uint32_t)values.n, 1 },
                                      .done_wall_us = s.w.wall_us - 1000 - i };
        if (i % 2)
            SLP_SET(&it, item_result, done_wall_us);
        slp_pack_item(&b, SLP_ITEM_result, &it);
        struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
        slp_buf_free(&b);
        slp_buf_free(&values);
    }
    struct slp_output_get q = { .run = world_str("r"), .station = world_str("judge"), .answers = true };
    SLP_SET(&q, output_get, station);
    SLP_SET(&q, output_get, answers);
    for (bool more = true; more; pages++) {
        struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        struct slp_bytes row;
        for (struct slp_cursor c = slp_each(m->u.output.rows); slp_next_raw(&c, &row); rows++) {
            int64_t done = (int64_t)world_number(world_at(row, "[4]"));         /* unit, text, answer, worker, done */
            assert_int_equal(done, s.w.wall_us - (rows % 2 ? 1000 + rows : 0)); /* as the hub said, else as it came */
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
        q.after_answer = m->u.output.next_answer;
        SLP_SET(&q, output_get, after_unit);
        SLP_SET(&q, output_get, after_answer);
        world_clear(&s.w);
    }
    assert_int_equal(rows, 6);
    assert_int_equal(pages, 2);
    world_close(&s.w); /* no check: it asks for the unit's whole story, which fits no frame */
}

/* ---- skills ---- */

static void a_skill_is_lowered_again_and_again_until_nothing_is_left(void **state)
{
    struct world_scene s;
    struct staff who[] = { { "ann", 0, "law", 3, NULL } };
    unsigned wrong = 0;
    (void)state;
    world_scene(&s,
                INPUT
                "  - name: judge\n    worker: {skills: {law: 1}}\n"
                "    form: {fields: [{name: answer, type: short_answer}]}\n"
                "    gold: {every: 1, columns: [text, answer], cells: [one, a, two, a, three, a, four, a, five, a],\n"
                "      rules: [{below: 0.9, after: 1, do: lower, skill: law}]}\n",
                0, 0);
    staff_roster(&s.w, &s.h, who, 1);
    world_put(&s.w, s.run, 10);
    for (struct world_task t; wrong < 10 && (t = given(&s, 0)).assignment; wrong++)
        assert_int_equal(world_submit(&s.w, &s.h, &t, "b"), SLP_E_OK);
    assert_in_range(wrong, 3, 6); /* 3, 2, 1: and then he has it no more */
    const char *text;
    uint64_t code = staff_why(&s.w, &s.h, 0, &text);
    assert_true(code == 2 || code == 3); /* SKILL or LEVEL */
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    world_end(&s.w);
}

/* ---- teams ---- */

static void a_team_may_be_named_by_many_lines_and_before_anybody_is_in_it(void **state)
{
    static const struct staff crew[] = { { "ann", 0, NULL, 0, "red" }, { "bob", 0, NULL, 0, "blue" } };
    static const char *const teams[] = { "only_teams: [blue, red]", "only_teams: [red, blue]", "not_teams: [blue, red]",
                                         "only_teams: [green, blue]", "not_teams: [red, green]" };
    struct world_scene s;
    (void)state;
    world_scene(&s, INPUT "  - {name: a, worker: {only_teams: [green, red]}}\n", 0, 0);
    staff_roster(&s.w, &s.h, crew, 2);
    unsigned got[2] = { 0 };
    for (unsigned i = 0; i < sizeof teams / sizeof *teams; i++) {
        char yaml[300], name[8];
        snprintf(name, sizeof name, "l%u", i);
        snprintf(yaml, sizeof yaml,
                 "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - {name: a, worker: {%s}}\n", name,
                 teams[i]);
        world_line(&s.w, yaml);
        world_put(&s.w, world_run(&s.w, name, name), 1);
        for (unsigned k = 0; k < 2; k++) {
            struct world_task t = given(&s, k);
            got[k] = got[k] << 1 | (t.assignment != 0);
            if (t.assignment)
                assert_int_equal(act(&s, &t, ACT_RELEASE), SLP_E_OK);
            world_sign_off(&s.w, &s.h, k);
        }
        assert_int_equal(world_run_set(&s.w, name, RUN_SET_CANCEL, 0), SLP_E_OK);
    }
    assert_int_equal(got[0], 0x18); /* red: the first two */
    assert_int_equal(got[1], 0x1b); /* blue: and those behind the one that keeps it out */
    world_end(&s.w);
}

/* ---- hubs ---- */

static void beat_at(struct world_scene *s, int64_t wall_us)
{
    struct slp_heartbeat q = { .session = s->h.session, .wall_us = wall_us };
    world_send(&s->w, s->h.peer, SLP_HEARTBEAT, &q);
}

static void a_clock_at_the_end_of_all_time_is_off_and_one_that_is_set_is_right_again(void **state)
{
    static const int64_t wall_us[] = { INT64_MIN, INT64_MAX, -1, 0 };
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 1, 0);
    for (unsigned i = 0; i < 4; i++) {
        world_put(&s.w, s.run, 1);
        beat_at(&s, wall_us[i]);
        assert_int_equal(given(&s, 0).assignment, 0);
        assert_int_equal(staff_why(&s.w, &s.h, 0, NULL), 23); /* CLOCK */
        world_clear(&s.w);
        beat_at(&s, s.w.wall_us);
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1);
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "x"), SLP_E_OK);
        world_sign_off(&s.w, &s.h, 0);
    }
    world_end(&s.w);
}

static void a_sign_off_of_somebody_elses_worker_or_of_nobody_changes_nothing(void **state)
{
    struct world_scene s;
    struct world_hub other;
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, simple, 2, 0);
    world_hub(&s.w, &other, "other", 1, 0);
    world_credit(&s.w, &other, 0, 1);
    world_credit(&s.w, &s.h, 1, 1);
    const uint64_t who[] = { other.worker[0], 0, 1000, s.h.worker[0], s.h.worker[1] }; /* [3] never signed in */
    for (unsigned i = 0; i < 5; i++)
        slp_pack_u64(&b, who[i]);
    struct slp_credit q = { .session = s.h.session, .sign_off = { b.p, (uint32_t)b.n, 5 } };
    SLP_SET(&q, credit, sign_off);
    world_send(&s.w, s.h.peer, SLP_CREDIT, &q);
    slp_buf_free(&b);
    world_clear(&s.w);
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_tasks(&s.w, &other, s.t, 8), 1); /* he is there still */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 0);
    world_end(&s.w);
}

/* ---- who may work ---- */

static void who_meets_what_is_required_is_told_what_else_keeps_him(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s,
                INPUT "  - name: judge\n    require: {abandonment: '< 0.9', after: 1}\n"
                      "    form: {fields: [{name: answer, type: short_answer}]}\n",
                2, 0);
    world_put(&s.w, s.run, 2);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
    t = taken(&s, 0, 0);
    assert_int_equal(act(&s, &t, ACT_DECLINE), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(staff_why(&s.w, &s.h, 0, NULL), 7); /* ALL_ANSWERED */
    world_end(&s.w);
}

static void a_suspension_said_twice_is_one(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct slp_worker_set q = {
        .name = world_str("hub-0"), .line = world_str("l"), .station = world_str("judge"), .reason = world_str("first")
    };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    SLP_SET(&q, worker_set, reason);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    q.reason = world_str("second");
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    const char *text;
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(staff_why(&s.w, &s.h, 0, &text), 17); /* KEPT_OUT */
    assert_string_equal(text, "suspended at station judge: first");
    q.action = 1;
    world_clear(&s.w);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_configuration_says_counts),
        cmocka_unit_test(what_is_no_command_of_the_engine_is_told_as_unknown),
        cmocka_unit_test(of_very_many_of_his_own_a_reviewer_is_told_as_far_as_was_looked),
        cmocka_unit_test(answers_of_one_unit_go_on_in_the_next_page),
        cmocka_unit_test(a_skill_is_lowered_again_and_again_until_nothing_is_left),
        cmocka_unit_test(a_clock_at_the_end_of_all_time_is_off_and_one_that_is_set_is_right_again),
        cmocka_unit_test(a_sign_off_of_somebody_elses_worker_or_of_nobody_changes_nothing),
        cmocka_unit_test(who_meets_what_is_required_is_told_what_else_keeps_him),
        cmocka_unit_test(a_suspension_said_twice_is_one),
        cmocka_unit_test(a_team_may_be_named_by_many_lines_and_before_anybody_is_in_it),
    };
    return cmocka_run_group_tests_name("edges", tests, NULL, NULL);
}
