/* The engine: ends that come seldom. A task that is parked while others are at it, answers too large together, work given back for later under a run that is
 * over, a note longer than what is kept of it, and reasons why somebody has no work that only one station or nobody knows. */
#include "tests/lib/engine_staff.h"
#include "tests/unit/hand_in.h"
#include "tests/unit/scene.h"

#define INPUT "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"

/* What an operator reads beside the first dead task of the line's station with this index. */
static const char *dead_reason(struct world_scene *s, unsigned station)
{
    static char text[SL_TEXT_BYTES_MAX + 1];
    struct slp_tasks_get q = { .station_id = s->station + station, .which = 2 };
    struct slp_cursor c = slp_each(world_read(&s->w, SLP_TASKS_GET, &q)->u.tasks.rows);
    struct slp_item_task_row row;
    assert_true(slp_next_task_row(&c, &row));
    assert_true(sl_utf8_ok(row.reason.p, row.reason.n));
    snprintf(text, sizeof text, "%.*s", (int)row.reason.n, row.reason.p);
    return text;
}

static uint64_t requeued(struct world_scene *s, unsigned station)
{
    uint64_t unit = 1;
    return world_tasks_set(&s->w, s->station + station, 0, "r", &unit, 1);
}

/* The agent gives it back, or up, and asks that it rest for a while. */
static enum slp_code act_for(struct world_scene *s, const struct world_task *t, unsigned what, int64_t us)
{
    struct slp_buf b = { 0 };
    struct slp_item_act it = {
        .act = what, .assignment = t->assignment, .worker = t->worker, .delay_us = (uint64_t)us
    };
    SLP_SET(&it, item_act, delay_us);
    slp_pack_item(&b, SLP_ITEM_act, &it);
    struct slp_acts q = { .session = s->h.session, .acts = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_send(&s->w, s->h.peer, SLP_ACTS, &q);
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o;
    slp_buf_free(&b);
    return slp_next_outcome(&c, &o) ? (enum slp_code)o.code : SLP_E_OK;
}

/* ---- several answers to a task ---- */

#define COPIES(copies, agree, required)                                                                                \
    INPUT "  - name: judge\n    copies: " copies "\n    agree: " agree                                                 \
          "\n    form: {fields: [{name: answer, type: long_answer, required: " required                                \
          "}]}\n    lease: 10m\n    backoff: 10s\n    attempts: 2\n"

static void open_task(struct world_scene *s, const char *yaml)
{
    world_scene(s, yaml, 4, 0);
    world_put(&s->w, s->run, 1);
}

static void an_attempt_that_ends_after_its_task_was_parked_parks_it_no_second_time(void **state)
{
    struct world_scene s;
    (void)state;
    open_task(&s, COPIES("{min: 2}", "{on: [answer], method: plurality, ties: first}", "true"));
    struct world_task t = taken(&s, 0, 0), u = taken(&s, 1, 0);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    assert_int_equal(act(&s, &u, ACT_START), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_BURY, "it cannot be read", NULL), SLP_E_OK);
    assert_int_equal(station_story(&s, 0, "state"), TASK_DEAD);
    assert_int_equal(act(&s, &u, ACT_FAIL), SLP_E_OK);
    assert_int_equal(station_story(&s, 0, "state"), TASK_DEAD);
    assert_string_equal(dead_reason(&s, 0), "it cannot be read");
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DEAD), 1);
    assert_int_equal(requeued(&s, 0), 1);
    assert_int_equal(station_story(&s, 0, "state"), TASK_READY);
    world_end(&s.w);
}

static void answers_that_are_too_large_together_park_their_task(void **state)
{
    static char text[SL_RESULT_BYTES_MAX / 2];
    struct world_scene s;
    (void)state;
    memset(text, 'a', sizeof text - 1);
    open_task(&s, COPIES("{min: 3}", "{method: all}", "true"));
    for (unsigned i = 0; i < 3; i++) {
        struct world_task t = taken(&s, i, 0);
        assert_int_equal(station_story(&s, 0, "state"), i < 2 ? TASK_READY : TASK_ASSIGNED);
        assert_int_equal(world_submit(&s.w, &s.h, &t, text), SLP_E_OK);
    }
    assert_int_equal(station_story(&s, 0, "state"), TASK_DEAD);
    assert_string_equal(dead_reason(&s, 0), "all answers together are larger than a result may be");
    world_end(&s.w);
}

static void an_answer_left_empty_has_its_place_among_all(void **state)
{
    struct world_scene s;
    (void)state;
    open_task(&s, COPIES("{min: 2}", "{method: all}", "false"));
    struct world_task t = taken(&s, 0, 0), u = taken(&s, 1, 0);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ NULL }, 1, NULL), SLP_E_OK);
    assert_int_equal(hand_in(&s, &u, (const char *[]){ "second" }, 1, NULL), SLP_E_OK);
    assert_int_equal(station_story(&s, 0, "outcome.answers"), 2);
    assert_false(station_story_is(&s, 0, "outcome.answer[0]", ""));
    assert_true(station_story_is(&s, 0, "outcome.answer[1]", "second"));
    world_end(&s.w);
}

static void a_place_given_back_for_later_rests(void **state)
{
    struct world_scene s;
    (void)state;
    open_task(&s, COPIES("{min: 2}", "{on: [answer], method: plurality, ties: first}", "true"));
    struct world_task t = taken(&s, 0, 0), u = taken(&s, 1, 0);
    assert_int_equal(act_for(&s, &t, ACT_RELEASE, 60 * SECOND), SLP_E_OK);
    assert_int_equal(station_story(&s, 0, "state"), TASK_WAITING);
    assert_int_equal(given(&s, 2).assignment, 0);
    assert_int_equal(station_story(&s, 0, "attempts"), 0);
    assert_int_equal(world_submit(&s.w, &s.h, &u, "x"), SLP_E_OK);
    pass(&s, 61 * SECOND);
    assert_int_equal(station_story(&s, 0, "state"), TASK_ASSIGNED); /* worker 2 had waited */
    world_end(&s.w);
}

/* It waits once, however many of its delays are under way, and until the last of them is over. */
static void what_rests_for_several_reasons_is_listed_once(void **state)
{
    struct world_scene s;
    struct slp_item_task_row row;
    (void)state;
    open_task(&s, COPIES("{min: 3}", "{method: all}", "true"));
    struct world_task t = taken(&s, 0, 0), u = taken(&s, 1, 0), v = taken(&s, 2, 0);
    assert_int_equal(act_for(&s, &t, ACT_RELEASE, 60 * SECOND), SLP_E_OK);
    assert_int_equal(act_for(&s, &u, ACT_RELEASE, 90 * SECOND), SLP_E_OK);
    assert_int_equal(act_for(&s, &v, ACT_RELEASE, 30 * SECOND), SLP_E_OK);
    for (unsigned restarted = 0; restarted < 2; restarted++) {
        struct slp_tasks_get q = { .station_id = s.station, .which = 1 };
        struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows);
        assert_true(slp_next_task_row(&c, &row));
        assert_int_equal(row.due_us, 90 * SECOND);
        assert_false(slp_next_task_row(&c, &row));
        world_restart(&s.w);
    }
    world_end(&s.w);
}

/* ---- a run that is over ---- */

static const char *const simple = INPUT "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n"
                                        "    lease: 10m\n    attempts: 2\n";

static void what_is_given_back_for_later_under_a_cancelled_run_does_not_come_again(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(act_for(&s, &t, ACT_RELEASE, 10 * SECOND), SLP_E_OK);
    pass(&s, 20 * SECOND);
    assert_int_equal(given(&s, 1).assignment, 0);
    assert_int_equal(station_story(&s, 0, "state"), TASK_ENDED);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    pass(&s, SECOND);
    world_end(&s.w);
}

/* An operator asks for all that is dead at a station, and cancels one of the runs before the sweep comes by. */
static void a_requeue_of_all_leaves_out_runs_that_were_cancelled_meanwhile(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s, simple, 2, 0);
    uint64_t other = world_run(&s.w, "l", "q");
    world_put(&s.w, s.run, 3);
    world_put(&s.w, other, 3);
    for (size_t i = 0, n = world_take(&s, 0, 6); i < n; i++)
        assert_int_equal(world_act(&s.w, &s.h, &s.t[i], ACT_BURY, "since", NULL), SLP_E_OK);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DEAD), 3);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, NULL, NULL, 0), 6);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    world_restart(&s.w); /* the sweep goes on where it was, with its reason */
    world_hello(&s.w, &s.h, NULL, 0);
    pass(&s, SECOND);
    assert_int_equal(world_count(&s.w, "q", "judge", TASK_DEAD), 0);
    assert_int_equal(world_count(&s.w, "q", "judge", TASK_READY), 3);
    assert_int_equal(world_take(&s, 1, 6), 3);
    world_end(&s.w);
}

/* ---- reviews ---- */

#define REVIEWED                                                                                                       \
    INPUT "  - {name: write, form: {fields: [{name: title, type: short_answer}]}}\n"                                   \
          "  - {name: check, type: improve, reasons: [wrong], rounds: 1}\n"

static void of_a_long_note_as_much_is_kept_as_fits_and_no_half_character(void **state)
{
    char note[SL_TEXT_BYTES_MAX + 1];
    struct world_scene s;
    (void)state;
    for (size_t i = 0; i + 2 < sizeof note; i += 2)
        memcpy(note + i, "\xc3\xa9", 3);
    world_scene(&s, REVIEWED, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "title" }, 1, NULL), SLP_E_OK);
    t = taken(&s, 1, 1);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ NULL, "reject", note, "wrong" }, 4, NULL), SLP_E_OK);
    const char *reason = dead_reason(&s, 0), *begin = "rejected in round 1 of 1: wrong: \xc3\xa9\xc3\xa9";
    assert_memory_equal(reason, begin, strlen(begin));
    assert_in_range(strlen(reason), SL_TEXT_BYTES_MAX - 3, SL_TEXT_BYTES_MAX);
    world_end(&s.w);
}

static void work_sent_back_to_an_author_who_is_suspended_goes_to_others(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s,
                INPUT "  - {name: write, form: {fields: [{name: title, type: short_answer}]}}\n"
                      "  - {name: check, type: improve, reasons: [wrong], rounds: 3, return_to_author: 1h}\n",
                3, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "title" }, 1, NULL), SLP_E_OK);
    struct slp_worker_set q = { .name = world_str("hub-0"), .line = world_str("l"), .station = world_str("write") };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    t = taken(&s, 1, 1);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ NULL, "reject", NULL, "wrong" }, 4, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    taken(&s, 2, 0); /* and not only in an hour */
    world_end(&s.w);
}

static void of_an_outcome_of_several_answers_no_one_author_is_measured(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s,
                INPUT "  - {name: write, copies: {min: 2}, agree: {on: [title], method: plurality, ties: first}, form: "
                      "{fields: [{name: title, type: short_answer}]}}\n"
                      "  - {name: check, type: improve}\n",
                3, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct world_task t = taken(&s, i, 0);
        assert_int_equal(hand_in(&s, &t, (const char *[]){ "title" }, 1, NULL), SLP_E_OK);
    }
    struct world_task t = taken(&s, 2, 1);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ NULL, "accept", NULL }, 3, NULL), SLP_E_OK);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    for (unsigned i = 0; i < 2; i++) {
        struct slp_repute_get q = { .name = world_str(i ? "hub-1" : "hub-0") };
        struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
        assert_int_equal(m->type, SLP_REPUTE);
        assert_int_equal(world_number(world_at(m->u.repute.story, "measures.agreement.of")), 1);
        assert_int_equal(world_number(world_at(m->u.repute.story, "measures.approval.of")), UINT64_MAX);
    }
    world_end(&s.w);
}

/* ---- why somebody has no work ---- */

static uint64_t why(struct world_scene *s, unsigned worker, const char **text)
{
    return staff_why(&s->w, &s->h, worker, text);
}

static void a_shift_without_times_is_named_as_the_reason(void **state)
{
    struct world_scene s;
    const char *text;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_shift(&s.w, &s.h, "night", NULL, 0, 0);
    world_roster_by(&s.w, &s.h, "night");
    world_put(&s.w, s.run, 1);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(why(&s, 0, &text), 8); /* OFF_SHIFT */
    assert_string_equal(text, "off shift: shift night has no times in the days ahead");
    world_end(&s.w);
}

/* Whoever has credit left, and has neither declined nor answered anything. */
static void what_is_another_authors_or_in_his_own_hands_is_named_as_the_reason(void **state)
{
    struct world_scene s;
    const char *text;
    (void)state;
    world_scene(&s,
                INPUT "  - {name: write, form: {fields: [{name: title, type: short_answer}]}}\n"
                      "  - {name: check, type: improve, after: [write], reasons: [wrong]}\n",
                3, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "Sum" }, 1, NULL), SLP_E_OK);
    t = taken(&s, 1, 1);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "Sum", "reject", NULL, "wrong" }, 4, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 2).assignment, 0);
    assert_int_equal(why(&s, 2, &text), 7); /* ALL_ANSWERED */
    assert_string_equal(text, "station write: all that is ready, this worker has declined or answered, or it is kept "
                              "for its author for a while");
    world_end(&s.w);
    open_task(&s, COPIES("{min: 2}", "{method: all}", "true"));
    taken(&s, 0, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(why(&s, 0, &text), 7);
    assert_string_equal(text, "station judge: all that is ready, this worker has declined or answered, or has in hand");
    world_end(&s.w);
}

static void of_several_stations_the_nearest_to_work_is_named(void **state)
{
    struct world_scene s;
    const char *text;
    (void)state;
    world_scene(&s,
                INPUT "  - {name: robots, after: [], worker: {kind: robot}}\n"
                      "  - {name: paused, after: []}\n  - {name: law, after: [], worker: {skills: {law: 1}}}\n",
                1, 0);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_station_set(&s.w, "l", "paused", 0), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(why(&s, 0, &text), 4); /* PAUSED; neither KIND before it nor SKILL behind it */
    assert_string_equal(text, "station paused is paused");
    world_end(&s.w);
}

static void an_agent_is_told_of_its_own_workers_only(void **state)
{
    struct world_scene s;
    struct world_hub other;
    (void)state;
    world_scene(&s, simple, 1, 0);
    world_hub(&s.w, &other, "other", 1, 0);
    const uint64_t of[] = { 0, other.worker[0], 1000 };
    for (unsigned i = 0; i < 3; i++) {
        struct slp_why_get q = { .session = s.h.session, .worker = of[i] };
        assert_int_equal(world_code(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)), SLP_E_NOT_FOUND);
    }
    struct slp_why_get q = { .session = s.h.session, .worker = s.h.worker[0] };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->type, SLP_WHY);
    world_end(&s.w);
}

/* ---- more than fits a page ---- */

static void dead_tasks_with_long_reasons_are_told_in_pages(void **state)
{
    struct world_scene s;
    char reason[SL_TEXT_BYTES_MAX + 1], next[64];
    unsigned pages = 0, n = 0;
    (void)state;
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 700);
    size_t tasks = world_take(&s, 0, 700);
    assert_int_equal(tasks, 700);
    for (size_t i = 0; i < tasks; i++) {
        assert_int_equal(world_act(&s.w, &s.h, &s.t[i], ACT_BURY, reason, NULL), SLP_E_OK);
        world_clear(&s.w);
    }
    struct slp_tasks_get q = { .station_id = s.station, .which = 2 };
    for (bool more = true; more; pages++) {
        struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &q);
        struct slp_cursor c = slp_each(m->u.tasks.rows);
        for (struct slp_item_task_row row; slp_next_task_row(&c, &row);)
            assert_int_equal(row.unit, ++n);
        if ((more = SLP_IS(&m->u.tasks, tasks, next))) {
            memcpy(next, m->u.tasks.next.p, m->u.tasks.next.n);
            q.after = (struct slp_bytes){ next, m->u.tasks.next.n };
            SLP_SET(&q, tasks_get, after);
        }
        world_clear(&s.w);
    }
    assert_int_equal(n, 700);
    assert_int_equal(pages, 2);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_that_ends_after_its_task_was_parked_parks_it_no_second_time),
        cmocka_unit_test(answers_that_are_too_large_together_park_their_task),
        cmocka_unit_test(an_answer_left_empty_has_its_place_among_all),
        cmocka_unit_test(a_place_given_back_for_later_rests),
        cmocka_unit_test(what_rests_for_several_reasons_is_listed_once),
        cmocka_unit_test(what_is_given_back_for_later_under_a_cancelled_run_does_not_come_again),
        cmocka_unit_test(a_requeue_of_all_leaves_out_runs_that_were_cancelled_meanwhile),
        cmocka_unit_test(of_a_long_note_as_much_is_kept_as_fits_and_no_half_character),
        cmocka_unit_test(work_sent_back_to_an_author_who_is_suspended_goes_to_others),
        cmocka_unit_test(of_an_outcome_of_several_answers_no_one_author_is_measured),
        cmocka_unit_test(a_shift_without_times_is_named_as_the_reason),
        cmocka_unit_test(what_is_another_authors_or_in_his_own_hands_is_named_as_the_reason),
        cmocka_unit_test(of_several_stations_the_nearest_to_work_is_named),
        cmocka_unit_test(an_agent_is_told_of_its_own_workers_only),
        cmocka_unit_test(dead_tasks_with_long_reasons_are_told_in_pages),
    };
    return cmocka_run_group_tests_name("seldom ends", tests, NULL, NULL);
}
