/* The engine: stations that ask for several answers to a task. Who is asked, how many at a time, what late results and failures do to the places, and
 * what becomes of the answers. */
#include "tests/unit/copies_world.h"

#define THREE "{min: 3, max: 5}"
#define PLURALITY(ties) "{on: [answer], method: plurality, ties: " ties "}"

static void a_task_goes_to_as_many_workers_as_it_wants_and_no_more(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, THREE, PLURALITY("more"));
    struct world_task t[3];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(judge(&s, "state"), TASK_READY);
        t[i] = taken(&s, i, JUDGE);
    }
    assert_int_equal(judge(&s, "state"), TASK_ASSIGNED);
    assert_int_equal(given(&s, 3).assignment, 0);
    assert_int_equal(act(&s, &t[1], ACT_START), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_STARTED);
    assert_int_equal(submit(&s, &t[1], "yes"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_ASSIGNED);
    assert_int_equal(judge(&s, "outcome.wanted"), 3);
    assert_int_equal(judge(&s, "outcome.counted"), 1);
    assert_int_equal(judge(&s, "outcome.in_hand"), 2);
    assert_int_equal(given(&s, 4).assignment, 0);
    assert_int_equal(submit(&s, &t[0], "no"), SLP_E_OK);
    assert_int_equal(submit(&s, &t[2], "yes"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    assert_true(judge_is(&s, "outcome.answer", "yes"));
    assert_int_equal(judge(&s, "outcome.answers"), 3);
    assert_int_equal(judge(&s, "outcome.votes"), 2);
    assert_true(judge_is(&s, "outcome.confidence", "0.666666"));
    assert_true(judge_is(&s, "outcome.decided", "plurality"));
    assert_int_equal(stands(&s, 0), false);
    assert_int_equal(stands(&s, 1), true);
    assert_int_equal(stands(&s, 2), true);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[1].state"),
                     TASK_ASSIGNED); /* confidence < 0.7; workers 3 and 4 waited */
    world_restart(&s.w);
    assert_true(judge_is(&s, "outcome.answer", "yes"));
    world_end(&s.w);
}

static void nobody_answers_a_task_twice(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, THREE, PLURALITY("more"));
    world_put(&s.w, s.run, 2);
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 0, 5); /* in one step: each unit once */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 64), 2);
    assert_int_equal(submit(&s, &s.t[0], "a"), SLP_E_OK);
    assert_int_equal(submit(&s, &s.t[1], "a"), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    struct world_task t = taken(&s, 1, JUDGE);
    assert_int_equal(act(&s, &t, ACT_DECLINE), SLP_E_OK);
    t = taken(&s, 1, JUDGE); /* the other unit */
    assert_int_equal(given(&s, 1).assignment, 0);
    assert_int_equal(act(&s, &t, ACT_RELEASE),
                     SLP_E_OK); /* he has not answered: he may have it back, and has credit left */
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 64), 1);
    assert_int_equal(s.t[0].worker, s.h.worker[1]);
    world_end(&s.w);
}

/* Somebody who has answered all that there is at two stations is asked at neither, until something new lies there: also if it came while he was
 * busy at a third one. */
static void who_was_busy_when_something_new_came_is_asked_for_it(void **state_)
{
    static const char *const prefer[] = { "idle", "best", "hub" }; /* three gates */
    struct world w;
    struct world_hub h;
    struct world_task t[8];
    uint64_t run[3];
    uint32_t station[3];
    (void)state_;
    world_open(&w);
    for (int i = 0; i < 3; i++) {
        char yaml[512], name[4];
        snprintf(name, sizeof name, "l%d", i);
        snprintf(yaml, sizeof yaml,
                 "line: %s\ninput:\n  - {name: text, type: text, required: true}\nstations:\n  - name: s\n    worker: "
                 "{prefer: "
                 "%s}\n%s    form: {fields: [{name: answer, type: short_answer, required: true}]}\n",
                 name, prefer[i], i < 2 ? "    copies: {min: 2}\n    agree: {method: all}\n" : "");
        station[i] = world_line(&w, yaml);
        run[i] = world_run(&w, name, name);
    }
    world_hub(&w, &h, "hub", 1, 0);
    world_put(&w, run[0], 1);
    world_put(&w, run[1], 1);
    world_clear(&w);
    world_credit(&w, &h, 0, 3);
    assert_int_equal(world_tasks(&w, &h, t, 8), 2);
    assert_int_equal(world_submit(&w, &h, &t[0], "x"), SLP_E_OK);
    assert_int_equal(world_submit(&w, &h, &t[1], "x"), SLP_E_OK);
    world_clear(&w);
    world_put(&w, run[2], 1);
    assert_int_equal(world_tasks(&w, &h, t, 8), 1);
    assert_int_equal(t[0].station_id, station[2]);
    world_put(&w, run[0], 1);
    world_clear(&w);
    world_credit(&w, &h, 0, 1);
    assert_int_equal(world_tasks(&w, &h, t, 8), 1);
    assert_int_equal(t[0].station_id, station[0]);
    world_end(&w);
}

static void units_stay_in_their_order_until_their_places_are_taken(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "{min: 2}", "{method: all}");
    world_put(&s.w, s.run, 3);
    static const char *const want[] = { "unit 1", "unit 1", "unit 2", "unit 2", "unit 3", "unit 3" };
    for (unsigned i = 0; i < 6; i++) {
        struct world_task t = taken(&s, i, JUDGE);
        assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), want[i]);
    }
    world_end(&s.w);
}

static void a_tie_asks_for_one_more_at_a_time_up_to_the_most(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2, max: 4}", PLURALITY("more"));
    answered(&s, 0, "a");
    answered(&s, 1, "b");
    assert_int_equal(judge(&s, "state"), TASK_READY);
    assert_int_equal(judge(&s, "outcome.wanted"), 3);
    struct world_task t = taken(&s, 2, JUDGE);
    assert_int_equal(given(&s, 3).assignment, 0); /* one at a time */
    assert_int_equal(submit(&s, &t, "c"), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 64), 1); /* worker 3 waited */
    assert_int_equal(submit(&s, &s.t[0], "d"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    assert_true(judge_is(&s, "outcome.decided", "max"));
    assert_true(judge_is(&s, "outcome.answer", "a"));
    assert_true(judge_is(&s, "outcome.confidence", "0.250000"));
    world_end(&s.w);
}

static void no_agreement_parks_the_task_and_a_requeue_asks_another(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("fail"));
    answered(&s, 0, "a");
    answered(&s, 1, "b");
    assert_int_equal(judge(&s, "state"), TASK_DEAD);
    struct slp_tasks_get q = { .station_id = s.station, .which = 2 };
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows);
    struct slp_item_task_row row;
    assert_true(slp_next_task_row(&c, &row));
    assert_int_equal(row.reason.n, strlen("no agreement: of 2 answers 1 say the same, and as many another"));
    uint64_t unit = 1;
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 1);
    assert_int_equal(judge(&s, "outcome.wanted"), 3);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    answered(&s, 2, "b");
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    assert_true(judge_is(&s, "outcome.answer", "b"));
    world_end(&s.w);
}

static void what_is_certain_passes_the_next_station_by(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "{min: 2}", PLURALITY("review"));
    world_put(&s.w, s.run, 2);
    answered(&s, 0, "same");
    answered(&s, 1, "same");
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[1].state"), TASK_SKIPPED);
    answered(&s, 2, "one");
    answered(&s, 3, "other");
    assert_int_equal(world_story(&s.w, "r", 2, "stations[1].state"), TASK_READY);
    assert_true(world_story_is(&s.w, "r", 2, "stations[0].outcome.decided", "review"));
    world_end(&s.w);
}

static void method_all_hands_on_every_answer(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 3}", "{method: all}");
    struct world_task t[3];
    for (unsigned i = 0; i < 3; i++)
        t[i] = taken(&s, i, JUDGE);
    assert_int_equal(submit(&s, &t[2], "third"), SLP_E_OK);
    assert_int_equal(submit(&s, &t[0], "first"), SLP_E_OK);
    assert_int_equal(submit(&s, &t[1], "second"), SLP_E_OK);
    assert_true(judge_is(&s, "outcome.answer[0]", "third")); /* in the order in which they counted */
    assert_true(judge_is(&s, "outcome.answer[1]", "first"));
    assert_true(judge_is(&s, "outcome.answer[2]", "second"));
    assert_int_equal(judge(&s, "outcome.answers"), 3);
    assert_int_equal(stands(&s, 1), true);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_end(&s.w);
}

/* Rows of output_get with `answers`, two a page: "unit/answer+" (counted), "*" (stands), "?" (nothing decided). */
static void answers_are(struct world_scene *s, const char *want)
{
    char all[256] = "";
    struct slp_output_get q = { .run = world_str("r"), .station = world_str("judge"), .answers = true, .limit = 2 };
    SLP_SET(&q, output_get, station);
    SLP_SET(&q, output_get, answers);
    SLP_SET(&q, output_get, limit);
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&s->w, SLP_OUTPUT_GET, &q);
        assert_int_equal(m->type, SLP_OUTPUT);
        assert_true(m->u.output.rows.count <= 2);
        struct slp_bytes row;
        for (struct slp_cursor c = slp_each(m->u.output.rows); slp_next_raw(&c, &row);) {
            struct slr r = slr_on(row.p, row.n);
            struct slr_value v[9]; /* the array; unit, text, answer, worker, done, assignment, counted, stands */
            for (int i = 0; i < 9; i++)
                assert_int_equal(slr_next(&r, &v[i]), 0);
            assert_int_equal(v[0].n, 14);
            size_t n = strlen(all);
            snprintf(all + n, sizeof all - n, "%u/%.*s%s%s ", (unsigned)v[1].u64, (int)v[3].n, v[3].p,
                     v[7].b ? "+" : "",
                     v[8].type == SLR_NIL ? "?"
                     : v[8].b             ? "*"
                                          : "");
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
        q.after_answer = m->u.output.next_answer;
        SLP_SET(&q, output_get, after_unit);
        SLP_SET(&q, output_get, after_answer);
    }
    assert_string_equal(all, want);
}

static void every_answer_can_be_read_and_whether_it_stands(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "{min: 3}", PLURALITY("first"));
    world_put(&s.w, s.run, 3);
    answers_are(&s, "");
    struct world_task late = taken(&s, 3, JUDGE);
    act(&s, &late, ACT_RELEASE);
    world_sign_off(&s.w, &s.h, 3);
    answered(&s, 0, "b");
    answered(&s, 1, "a");
    answers_are(&s, "1/b+? 1/a+? ");
    answered(&s, 2, "b");
    assert_int_equal(submit(&s, &late, "b"), SLP_E_LATE);
    assert_int_not_equal(given(&s, 4).station_id, s.station); /* unit 1 is not certain: the next station has it */
    answered(&s, 5, "x");
    answers_are(&s, "1/b+* 1/a+ 1/b+* 1/b 2/x+? ");
    world_end(&s.w);
}

/* ---- late results ---- */

static void a_late_answer_takes_an_open_place(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    assert_int_equal(act(&s, &t, ACT_RELEASE), SLP_E_OK); /* nobody else is there */
    assert_int_equal(judge(&s, "state"), TASK_READY);
    assert_int_equal(submit(&s, &t, "late"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_ASSIGNED);
    assert_int_equal(given(&s, 2).assignment, 0);
    assert_int_equal(submit(&s, &u, "late"), SLP_E_OK);
    assert_int_equal(judge(&s, "outcome.votes"), 2);
    world_end(&s.w);
}

static void a_late_answer_takes_the_place_of_one_who_has_not_begun(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    act(&s, &u, ACT_START);
    act(&s, &t, ACT_DECLINE);
    struct world_task v = taken(&s, 2, JUDGE);
    world_clear(&s.w);
    assert_int_equal(submit(&s, &t, "late"), SLP_E_OK);
    assert_non_null(world_sent(&s.w, s.h.peer, SLP_RECALL, 0));
    assert_int_equal(act(&s, &v, ACT_START), SLP_E_STALE);
    assert_int_equal(judge(&s, "state"), TASK_STARTED);
    assert_int_equal(submit(&s, &v, "unasked"), SLP_E_LATE);
    assert_int_equal(submit(&s, &u, "asked"), SLP_E_OK);
    assert_int_equal(judge(&s, "outcome.answers"), 2);
    world_end(&s.w);
}

static void a_late_answer_is_kept_where_every_place_is_begun(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    act(&s, &t, ACT_RELEASE);
    world_sign_off(&s.w, &s.h, 0);
    struct world_task v = taken(&s, 2, JUDGE);
    act(&s, &u, ACT_START);
    act(&s, &v, ACT_START);
    assert_int_equal(submit(&s, &t, "late"), SLP_E_LATE);
    assert_int_equal(judge(&s, "outcome.counted"), 0);
    assert_int_equal(submit(&s, &u, "x"), SLP_E_OK);
    assert_int_equal(submit(&s, &v, "x"), SLP_E_OK);
    assert_int_equal(judge(&s, "outcome.answers"), 2);
    world_end(&s.w);
}

/* In one frame. */
static struct slp_msg *submit_all(struct world_scene *s, const struct world_task *t, const char *const *say, uint32_t n)
{
    struct slp_buf v = { 0 }, b = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        slp_buf_clear(&v);
        slp_pack_cstr(&v, say[i]);
        slp_pack_item(&b, SLP_ITEM_result,
                      &(struct slp_item_result){
                          .assignment = t[i].assignment, .worker = t[i].worker, .values = { v.p, (uint32_t)v.n, 1 } });
    }
    struct slp_submit q = { .session = s->h.session, .results = { b.p, (uint32_t)b.n, n } };
    struct slp_msg *m = world_send(&s->w, s->h.peer, SLP_SUBMIT, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    slp_buf_free(&v);
    slp_buf_free(&b);
    return m;
}

/* One number of the data of each event of this type, oldest first: at most n of them. */
static size_t told(struct world_scene *s, unsigned type, const char *key, uint64_t *v, size_t n)
{
    struct slp_events_get q = { .since = 1, .limit = 4096 };
    SLP_SET(&q, events_get, limit);
    struct slp_cursor c = slp_each(world_read(&s->w, SLP_EVENTS_GET, &q)->u.events.events);
    size_t got = 0;
    for (struct slp_item_event e; slp_next_event(&c, &e);)
        if (e.type == type && got < n)
            v[got++] = world_number(world_at(e.data, key));
    return got;
}

/* Three who lost it answer after all, in one frame: the first two come to a tie while the task is ready, and the third is the one more that is asked. */
static void late_answers_in_one_frame_count_as_far_as_they_are_wanted(void **state_)
{
    struct world_scene s;
    struct world_task t[4];
    uint64_t v[8];
    (void)state_;
    open_task(&s, "{min: 2, max: 3}", PLURALITY("more"));
    for (unsigned i = 0; i < 4; i++) {
        t[i] = taken(&s, i, JUDGE);
        assert_int_equal(act(&s, &t[i], ACT_RELEASE), SLP_E_OK);
        world_sign_off(&s.w, &s.h, i);
    }
    assert_int_equal(judge(&s, "state"), TASK_READY);
    static const char *const say[] = { "a", "b", "b", "b" };
    struct slp_msg *m = submit_all(&s, t, say, 4);
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o;
    assert_int_equal(m->u.outcomes.ok, 3);
    assert_true(slp_next_outcome(&c, &o));
    assert_int_equal(o.assignment, t[3].assignment);
    assert_int_equal(o.code, SLP_E_LATE);
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    assert_int_equal(judge(&s, "outcome.answers"), 3);
    assert_int_equal(told(&s, EV_TASK_WANTS, "wanted", v, 8), 1);
    assert_int_equal(v[0], 3);
    world_end(&s.w);
}

/* What makes the task ready is told before the results that come behind it in the frame: whoever follows sees no place open that is none. */
static void late_answers_that_bring_a_task_back_are_told_one_by_one(void **state_)
{
    struct world_scene s;
    struct world_task t[3];
    uint64_t first[4], why[8];
    (void)state_;
    open_task(&s, "{min: 2, max: 3}", PLURALITY("more"));
    for (unsigned i = 0; i < 3; i++) {
        t[i] = taken(&s, i, JUDGE);
        assert_int_equal(act(&s, &t[i], i < 2 ? ACT_RELEASE : ACT_BURY), SLP_E_OK);
        world_sign_off(&s.w, &s.h, i);
    }
    assert_int_equal(judge(&s, "state"), TASK_DEAD);
    submit_all(&s, t, (const char *const[]){ "a", "a" }, 2);
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    assert_int_equal(told(&s, EV_SUBMITTED, "first", first, 4), 2);
    assert_int_equal(first[1], first[0] + 1);
    size_t n = told(&s, EV_TASKS_READY, "why", why, 8);
    assert_int_equal(why[n - 1], 11);
    world_end(&s.w);
}

static void a_late_answer_takes_the_workers_own_second_try(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE);
    act(&s, &t, ACT_RELEASE);
    struct world_task again = taken(&s, 0, JUDGE);
    assert_int_not_equal(t.assignment, again.assignment);
    act(&s, &again, ACT_START);
    assert_int_equal(submit(&s, &t, "first try"), SLP_E_OK);
    assert_int_equal(judge(&s, "outcome.counted"), 1);
    assert_int_equal(judge(&s, "outcome.in_hand"), 0);
    assert_int_equal(submit(&s, &again, "second try"), SLP_E_LATE); /* one person, one answer */
    assert_int_equal(submit(&s, &t, "first try"), SLP_E_DUPLICATE);
    answered(&s, 1, "first try");
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    world_end(&s.w);
}

/* ---- failures ---- */

static void a_failed_copy_rests_and_the_others_go_on(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    act(&s, &t, ACT_FAIL);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    assert_int_equal(given(&s, 2).assignment, 0);
    assert_int_equal(submit(&s, &u, "x"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    world_pass(&s.w, 11 * SECOND);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 64), 1);
    assert_int_equal(s.t[0].attempt, 2);
    assert_int_equal(submit(&s, &s.t[0], "x"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_DONE);
    world_end(&s.w);
}

static void fail_for(struct world_scene *s, const struct world_task *t, int64_t us)
{
    struct slp_buf b = { 0 };
    struct slp_item_act it = {
        .act = ACT_FAIL, .assignment = t->assignment, .worker = t->worker, .delay_us = (uint64_t)us
    };
    SLP_SET(&it, item_act, delay_us);
    slp_pack_item(&b, SLP_ITEM_act, &it);
    struct slp_acts q = { .session = s->h.session, .acts = { b.p, (uint32_t)b.n, 1 } };
    const struct slp_msg *m = world_send(&s->w, s->h.peer, SLP_ACTS, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    assert_int_equal(m->u.outcomes.ok, 1);
    slp_buf_free(&b);
}

/* The rests of two failures: the later one counts, also after a restart. */
static void a_task_rests_until_the_last_of_its_failures_is_over(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    assert_int_equal(given(&s, 2).assignment, 0);
    act(&s, &t, ACT_FAIL); /* 10 s */
    world_pass(&s.w, 5 * SECOND);
    act(&s, &u, ACT_FAIL); /* the second one: 20 s more */
    world_pass(&s.w, 6 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    world_pass(&s.w, 13 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    world_pass(&s.w, 2 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_READY);
    taken(&s, 2, JUDGE);
    world_end(&s.w);
}

static void a_second_failure_never_makes_the_rest_shorter(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    fail_for(&s, &t, MINUTE);
    fail_for(&s, &u, 5 * SECOND);
    uint64_t due[3];
    assert_int_equal(told(&s, EV_TASKS_WAITING, "due", due, 3), 2);
    assert_int_equal(due[1], due[0]);
    world_pass(&s.w, 59 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    world_pass(&s.w, 2 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_READY);
    world_end(&s.w);
}

static void a_rest_that_a_late_answer_ended_makes_the_next_one_no_longer(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    fail_for(&s, &t, MINUTE);
    assert_int_equal(submit(&s, &t, "x"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_ASSIGNED);
    fail_for(&s, &u, 5 * SECOND);
    world_pass(&s.w, 6 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_READY);
    world_end(&s.w);
}

static void a_rest_that_a_late_answer_ended_does_not_end_the_next_one(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, "{min: 2}", PLURALITY("first"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE);
    act(&s, &t, ACT_FAIL); /* 10 s */
    assert_int_equal(submit(&s, &t, "x"), SLP_E_OK);
    assert_int_equal(judge(&s, "state"), TASK_ASSIGNED);
    act(&s, &u, ACT_FAIL); /* 20 s */
    world_pass(&s.w, 11 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_WAITING);
    world_pass(&s.w, 10 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_READY);
    world_end(&s.w);
}

static void a_requeue_ends_the_rests_of_before(void **state_)
{
    struct world_scene s;
    uint64_t unit = 1;
    (void)state_;
    open_task(&s, THREE, PLURALITY("more"));
    struct world_task t = taken(&s, 0, JUDGE), u = taken(&s, 1, JUDGE), v = taken(&s, 2, JUDGE);
    act(&s, &t, ACT_FAIL); /* 10 s */
    act(&s, &u, ACT_FAIL); /* 20 s */
    act(&s, &v, ACT_BURY);
    assert_int_equal(judge(&s, "state"), TASK_DEAD);
    world_pass(&s.w, 5 * SECOND);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 1);
    assert_int_equal(judge(&s, "state"), TASK_READY);
    t = taken(&s, 3, JUDGE);
    act(&s, &t, ACT_FAIL); /* the first again: 10 s */
    world_pass(&s.w, 6 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_WAITING); /* the first of before would be over */
    world_pass(&s.w, 5 * SECOND);
    assert_int_equal(judge(&s, "state"), TASK_READY); /* the second of before would not */
    world_end(&s.w);
}

static void attempts_used_up_park_the_task_and_recall_who_has_not_begun(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, THREE, PLURALITY("more"));
    struct world_task begun = taken(&s, 0, JUDGE), idle = taken(&s, 1, JUDGE), t = taken(&s, 2, JUDGE);
    act(&s, &begun, ACT_START);
    for (int i = 0; i < 3; i++) {
        world_clear(&s.w);
        assert_int_equal(act(&s, &t, ACT_FAIL), SLP_E_OK);
        if (i == 2)
            break;
        for (int k = 0; k < 9; k++) {
            world_beat(&s.w, &s.h);
            world_pass(&s.w, 5 * SECOND);
        }
        t = taken(&s, 2, JUDGE);
    }
    assert_int_equal(judge(&s, "state"), TASK_DEAD);
    assert_int_equal(judge(&s, "outcome.in_hand"), 1);
    assert_non_null(world_sent(&s.w, s.h.peer, SLP_RECALL, 0));
    assert_int_equal(act(&s, &idle, ACT_START), SLP_E_STALE);
    world_check(&s.w);
    assert_int_equal(submit(&s, &begun, "after all"), SLP_E_OK); /* brings it back */
    assert_int_equal(judge(&s, "state"), TASK_READY);
    assert_int_equal(judge(&s, "outcome.counted"), 1);
    struct slp_tasks_get q = { .station_id = s.station, .which = 2 };
    assert_int_equal(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows.count, 0);
    world_end(&s.w);
}

static void a_drop_recalls_every_copy_and_keeps_what_was_begun_as_late(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, THREE, PLURALITY("more"));
    struct world_task a = taken(&s, 0, JUDGE), b = taken(&s, 1, JUDGE);
    act(&s, &a, ACT_START);
    uint64_t unit = 1;
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", &unit, 1), 1);
    assert_int_equal(act(&s, &b, ACT_START), SLP_E_STALE);
    assert_int_equal(submit(&s, &a, "x"), SLP_E_LATE);
    world_end(&s.w);
}

static void a_pause_takes_back_the_copies_that_are_not_begun(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_task(&s, THREE, PLURALITY("more"));
    struct world_task a = taken(&s, 0, JUDGE), b = taken(&s, 1, JUDGE);
    act(&s, &a, ACT_START);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    world_pass(&s.w, 0);
    assert_int_equal(judge(&s, "outcome.in_hand"), 1);
    assert_int_equal(act(&s, &b, ACT_START), SLP_E_STALE);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_RESUME, 0), SLP_E_OK);
    struct world_task c = taken(&s, 2, JUDGE);
    assert_int_equal(submit(&s, &c, "x"), SLP_E_OK);
    world_end(&s.w);
}

static void a_deleted_run_takes_its_outcomes_along(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "{min: 2}", PLURALITY("first"));
    world_put(&s.w, s.run, 5);
    for (unsigned i = 0; i < 4; i++) {
        world_clear(&s.w);
        world_credit(&s.w, &s.h, i, 8);
        size_t got = world_tasks(&s.w, &s.h, s.t, 64);
        for (size_t k = 0; k < got; k++)
            submit(&s, &s.t[k], k % 2 ? "x" : i % 2 ? "y" : "z");
    }
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    world_pass(&s.w, MINUTE);
    struct store_txn *t;
    struct store_cursor c;
    assert_int_equal(store_begin_read(s.w.store, &t), STORE_OK);
    static const enum store_table gone[] = { TABLE_RESULT, TABLE_ASSIGN, TABLE_STATE, TABLE_UNIT, TABLE_READY };
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        assert_int_equal(store_cursor_open(t, gone[i], &c), STORE_OK);
        assert_int_equal(store_seek(&c, "", 0), STORE_NOT_FOUND);
        store_cursor_close(&c);
    }
    store_abort(&t);
    world_end(&s.w);
}

/* ---- at any interleaving ---- */

static uint32_t rnd(uint64_t *x, uint32_t n)
{
    *x = *x * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*x >> 33) % n;
}

/* By the unit's story: places never outnumber what is wanted, and nobody stands in it with two answers or two places. */
static void judge_unit(struct world_scene *s, uint64_t unit, unsigned most)
{
    struct slp_unit_get q = { .run = world_str("r"), .unit = unit };
    struct slp_bytes story = world_read(&s->w, SLP_UNIT_GET, &q)->u.unit.story;
    char path[80];
    char who[64][32];
    uint64_t counted = 0, live = 0, wanted, begun = 0, n = 0;
    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof path, "stations[0].assignments[%u].state", i);
        uint64_t st = world_number(world_at(story, path));
        if (st == UINT64_MAX)
            break;
        counted += st == ASSIGN_COUNTED;
        live += st <= ASSIGN_STARTED;
        begun += st == ASSIGN_STARTED;
        if (st > ASSIGN_COUNTED)
            continue;
        snprintf(path, sizeof path, "stations[0].assignments[%u].worker", i);
        struct slp_bytes w = world_at(story, path);
        snprintf(who[n], sizeof who[n], "%.*s", (int)w.n, w.p);
        for (uint64_t k = 0; k < n; k++)
            assert_string_not_equal(who[k], who[n]);
        assert_true(++n < 64);
    }
    uint64_t state = world_number(world_at(story, "stations[0].state"));
    if (state == TASK_DONE) {
        assert_int_equal(live, 0);
        assert_int_equal(world_number(world_at(story, "stations[0].outcome.answers")), counted);
        assert_true(counted <= most);
        return;
    }
    if (state == TASK_ENDED)
        return;
    wanted = world_number(world_at(story, "stations[0].outcome.wanted"));
    assert_int_equal(world_number(world_at(story, "stations[0].outcome.counted")), counted);
    assert_int_equal(world_number(world_at(story, "stations[0].outcome.in_hand")), live);
    assert_true(counted + live <= wanted);
    if (state == TASK_ASSIGNED || state == TASK_STARTED)
        assert_true(counted + live == wanted && (begun > 0) == (state == TASK_STARTED));
    if (state == TASK_READY)
        assert_true(counted + live < wanted);
}

static void places_hold_at_any_interleaving(void **state_)
{
    (void)state_;
    enum { UNITS = 4, ROUNDS = 260 };
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct world_scene s;
        uint64_t x = seed;
        struct world_task all[ROUNDS * 4];
        size_t n = 0;
        static const char *const ties[] = { PLURALITY("more"), PLURALITY("fail"), PLURALITY("first"), "{method: all}" };
        bool more = seed % 4 == 0;
        open_scene(&s, more ? THREE : seed % 2 ? "{min: 2}" : "{min: 3}", ties[seed % 4]);
        world_put(&s.w, s.run, UNITS);
        for (int i = 0; i < ROUNDS; i++) {
            world_clear(&s.w);
            unsigned what = rnd(&x, 14);
            struct world_task *t = n ? &all[n - 1 - rnd(&x, n < 12 ? (uint32_t)n : 12)] : NULL;
            if (what < 4)
                world_credit(&s.w, &s.h, rnd(&x, WORKERS), 1 + rnd(&x, 2));
            else if (what == 4 && rnd(&x, 4) == 0)
                world_pass(&s.w, rnd(&x, 12) * MINUTE);
            else if (what == 5 && rnd(&x, 8) == 0) {
                world_restart(&s.w);
                world_hello(&s.w, &s.h, NULL, 0);
            } else if (what == 6 && t)
                world_act(&s.w, &s.h, t, ACT_START + 2 + rnd(&x, 4), "since", NULL);
            else if (what == 7)
                world_tasks_set(&s.w, s.station, 0, "r", NULL, 0), world_tick(&s.w);
            else if (what == 8 && rnd(&x, 10) == 0)
                world_sign_off(&s.w, &s.h, rnd(&x, WORKERS));
            else if (what < 11 && t)
                world_act(&s.w, &s.h, t, ACT_START, NULL, NULL);
            else if (t)
                world_submit(&s.w, &s.h, t, (const char *[]){ "a", "b", "c" }[rnd(&x, 3)]);
            world_beat(&s.w, &s.h);
            size_t got = world_tasks(&s.w, &s.h, s.t, 64);
            for (size_t k = 0; k < got && n < sizeof all / sizeof *all; k++)
                if (s.t[k].station_id == s.station)
                    all[n++] = s.t[k];
            for (uint64_t u = 1; u <= UNITS; u++)
                judge_unit(&s, u, 5);
        }
        world_end(&s.w);
    }
}

static void a_row_whose_outcome_cites_an_assignment_that_is_gone_is_not_told(void **state_)
{
    (void)state_;
    struct world_scene s;
    struct slp_output_get q = { .run = world_str("r"), .station = world_str("judge") };
    struct store_txn *txn;
    struct store_val v;
    uint8_t key[8], kept[200];
    SLP_SET(&q, output_get, station);
    open_task(&s, THREE, PLURALITY("more"));
    uint64_t first = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct world_task t = taken(&s, i, JUDGE);
        first = first ? first : t.assignment;
        assert_int_equal(submit(&s, &t, "yes"), SLP_E_OK);
    }
    assert_int_equal(world_read(&s.w, SLP_OUTPUT_GET, &q)->type, SLP_OUTPUT);
    size_t refused = 0, n = 0;
    for (uint64_t no = first; no < first + 3; no++) {
        key_u64(key, no);
        assert_int_equal(store_begin(s.w.store, &txn), STORE_OK);
        assert_int_equal(store_get(txn, TABLE_ASSIGN, key, sizeof key, &v), STORE_OK);
        n = v.n;
        assert_true(v.n <= sizeof kept);
        memcpy(kept, v.p, v.n);
        assert_int_equal(store_del(txn, TABLE_ASSIGN, key, sizeof key), STORE_OK);
        assert_int_equal(store_commit(&txn), STORE_OK);
        struct slp_msg *m = world_read(&s.w, SLP_OUTPUT_GET, &q);
        refused += m->type == SLP_ERROR && m->u.error.code == SLP_E_CORRUPT;
        assert_int_equal(store_begin(s.w.store, &txn), STORE_OK);
        assert_int_equal(store_put(txn, TABLE_ASSIGN, key, sizeof key, kept, n), STORE_OK);
        assert_int_equal(store_commit(&txn), STORE_OK);
    }
    assert_int_equal(refused, 1); /* the one that it follows */
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_goes_to_as_many_workers_as_it_wants_and_no_more),
        cmocka_unit_test(nobody_answers_a_task_twice),
        cmocka_unit_test(who_was_busy_when_something_new_came_is_asked_for_it),
        cmocka_unit_test(units_stay_in_their_order_until_their_places_are_taken),
        cmocka_unit_test(a_tie_asks_for_one_more_at_a_time_up_to_the_most),
        cmocka_unit_test(no_agreement_parks_the_task_and_a_requeue_asks_another),
        cmocka_unit_test(what_is_certain_passes_the_next_station_by),
        cmocka_unit_test(method_all_hands_on_every_answer),
        cmocka_unit_test(every_answer_can_be_read_and_whether_it_stands),
        cmocka_unit_test(a_late_answer_takes_an_open_place),
        cmocka_unit_test(a_late_answer_takes_the_place_of_one_who_has_not_begun),
        cmocka_unit_test(a_late_answer_is_kept_where_every_place_is_begun),
        cmocka_unit_test(late_answers_in_one_frame_count_as_far_as_they_are_wanted),
        cmocka_unit_test(late_answers_that_bring_a_task_back_are_told_one_by_one),
        cmocka_unit_test(a_late_answer_takes_the_workers_own_second_try),
        cmocka_unit_test(a_failed_copy_rests_and_the_others_go_on),
        cmocka_unit_test(a_task_rests_until_the_last_of_its_failures_is_over),
        cmocka_unit_test(a_second_failure_never_makes_the_rest_shorter),
        cmocka_unit_test(a_rest_that_a_late_answer_ended_makes_the_next_one_no_longer),
        cmocka_unit_test(a_rest_that_a_late_answer_ended_does_not_end_the_next_one),
        cmocka_unit_test(a_requeue_ends_the_rests_of_before),
        cmocka_unit_test(attempts_used_up_park_the_task_and_recall_who_has_not_begun),
        cmocka_unit_test(a_drop_recalls_every_copy_and_keeps_what_was_begun_as_late),
        cmocka_unit_test(a_pause_takes_back_the_copies_that_are_not_begun),
        cmocka_unit_test(a_deleted_run_takes_its_outcomes_along),
        cmocka_unit_test(places_hold_at_any_interleaving),
        cmocka_unit_test(a_row_whose_outcome_cites_an_assignment_that_is_gone_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
