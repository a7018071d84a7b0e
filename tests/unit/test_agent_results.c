/* The agent's core: results and acts until they are answered, people, rosters, the end. */
#include "tests/unit/agent_world.h"

/* ---------------------------------------------------------------- results and acts until they are answered */
static void unanswered_results_are_sent_again_in_order(void **state)
{
    struct world *w = *state;
    uint64_t got[8];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    finish(w, 51, CRANE, 2);
    bool again = false;
    for (int i = 0; i < 8 && !again; i++) {
        pass(w, HEARTBEAT_US / 2);
        const struct slp_msg *m = sent(w, SLP_SUBMIT);
        again = m != NULL;
        if (m) {
            assert_int_equal(results_in(m, got), 2);
            assert_int_equal(got[0], 50);
            assert_int_equal(got[1], 51);
        } else {
            beat(w, 1);
        }
    }
    assert_true(again);
}

static void outcomes_that_are_not_listed_are_good(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    forget_outs(w);
    finish(w, 50, CRANE, 1);
    uint64_t first = must_send(w, SLP_SUBMIT)->id;
    finish(w, 51, CRANE, 2);
    uint64_t second = must_send(w, SLP_SUBMIT)->id;
    outcomes(w, first, (struct told[]){ { SLP_E_STALE, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->code, SLP_E_STALE);
    outcomes(w, second, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 2);
    assert_int_equal(said(w, CORE_OUT_ACKED)->code, SLP_E_OK);
    struct core_view v;
    core_view(w->core, &v);
    assert_int_equal(v.results_unsent, 0);
}

static void late_and_duplicate_are_acknowledged(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_LATE, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_ACKED)->code, SLP_E_LATE);
    finish(w, 51, CRANE, 2);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_DUPLICATE, 51, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 2);
}

static void one_bad_result_does_not_hold_up_the_others(void **state)
{
    struct world *w = *state;
    uint64_t got[8];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    uint64_t first = must_send(w, SLP_SUBMIT)->id;
    finish(w, 51, CRANE, 2);
    refuse(w, must_send(w, SLP_SUBMIT)->id, SLP_E_NO_SESSION); /* so that both go back and share a frame */
    w->now_us += 2 * S;
    forget_outs(w);
    tick(w);
    welcome(w, 101, false, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_int_equal(results_in(m, got), 2);
    assert_true(m->id != first);
    refuse(w, m->id, SLP_E_MALFORMED);
    const struct slp_msg *a = sent_nth(w, SLP_SUBMIT, 0), *b = sent_nth(w, SLP_SUBMIT, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(results_in(a, got), 1);
    assert_int_equal(got[0], 50);
    uint64_t bad = a->id, good = b->id;
    refuse(w, bad, SLP_E_MALFORMED);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->assignment, 50);
    outcomes(w, good, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->assignment, 51);
}

static void a_busy_broker_gets_the_same_later(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    struct slp_error m = { .code = SLP_E_BUSY, .retry = SLP_RETRY_LATER, .after_ms = 1500, .text = text("busy") };
    SLP_SET(&m, error, after_ms);
    deliver(w, SLP_ERROR, must_send(w, SLP_SUBMIT)->id, &m);
    assert_null(sent(w, SLP_SUBMIT));
    pass(w, 1499999);
    assert_null(sent(w, SLP_SUBMIT));
    assert_true(core_next_due_us(w->core) <= w->now_us + 1);
    pass(w, 1);
    must_send(w, SLP_SUBMIT);
}

static void another_version_leaves_every_result_until_it_is_known_again(void **state)
{
    struct world *w = *state;
    struct core_view v;
    uint64_t got[8];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    refuse(w, must_send(w, SLP_SUBMIT)->id, SLP_E_BAD_VERSION);
    assert_int_equal(count_said(w, CORE_OUT_ACKED) + count_said(w, CORE_OUT_REFUSED), 0);
    finish(w, 51, CRANE, 2);
    for (int i = 0; i < 20 && !sent(w, SLP_HELLO); i++)
        pass(w, HEARTBEAT_US);
    for (int i = 0; i < 5; i++) {
        refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_BAD_VERSION);
        assert_int_equal(count_said(w, CORE_OUT_ACKED) + count_said(w, CORE_OUT_REFUSED) + count_said(w, CORE_OUT_EXIT),
                         0);
        core_view(w->core, &v);
        assert_int_equal(v.results_unsent, 2);
        pass(w, CORE_HELLO_MAX_US);
    }
    welcome(w, 101, false, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_int_equal(results_in(m, got), 2);
    assert_int_equal(got[0], 50);
    assert_int_equal(got[1], 51);
    outcomes(w, m->id, NULL, 0);
    assert_int_equal(count_said(w, CORE_OUT_ACKED), 2);
}

static void a_result_that_does_not_fit_is_put_aside_and_its_task_failed(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_BAD_RESULT, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->seq, 1);
    const struct slp_msg *m = must_send(w, SLP_ACTS);
    struct slp_cursor each = slp_each(m->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 4);
    outcomes(w, m->id, NULL, 0);
    assert_null(core_find(w->core, 50));
}

static void results_of_an_earlier_life_go_first_and_are_not_done_twice(void **state)
{
    struct world *w = *state;
    struct slp_buf b = { 0 };
    struct slp_item_result r = { .assignment = 40, .worker = CRANE };
    slp_pack_item(&b, SLP_ITEM_result, &r);
    act(w, (struct core_in){ .kind = CORE_IN_UNSENT, .assignment = 40, .seq = 9, .item = { b.p, (uint32_t)b.n } });
    slp_buf_free(&b);
    give_roster(w);
    assert_int_equal(must_send(w, SLP_HELLO)->u.hello.held.count, 1);
    welcome(w, 100, true, NULL, 0);
    /* The result is sent before any number is known. */
    uint64_t id = must_send(w, SLP_SUBMIT)->id, roster_id = must_send(w, SLP_ROSTER)->id;
    push(w, 100, 1, CRANE, 40, 1);
    form_known(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, roster_id, &m);
    slp_buf_free(&list);
    crane_ready(w);
    assert_null(said(w, CORE_OUT_RUN));
    outcomes(w, id, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 9);
    assert_null(core_find(w->core, 40));
}

static void many_results_share_frames_and_few_frames_are_under_way(void **state)
{
    struct world *w = *state;
    w->members[0].capacity = 20000;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    roster_done(w);
    crane_ready(w);
    form_known(w);
    for (uint32_t i = 0; i < 8; i++)
        push(w, 100, i + 1, CRANE, 1000 + i * 1024, 1024);
    struct slp_buf values = { 0 };
    slp_pack_cstr(&values, "yes");
    forget_outs(w);
    for (uint32_t i = 0; i < 8 * 1024; i++) {
        struct slp_buf b = { 0 };
        struct slp_item_result r = { .assignment = 1000 + i,
                                     .worker = CRANE,
                                     .values = { values.p, (uint32_t)values.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &r);
        step(w, (struct core_in){
                    .kind = CORE_IN_FINISH, .assignment = 1000 + i, .seq = i + 1, .item = { b.p, (uint32_t)b.n } });
        slp_buf_free(&b);
    }
    slp_buf_free(&values);
    tick(w);
    size_t frames = 0;
    while (sent_nth(w, SLP_SUBMIT, frames)) {
        assert_int_equal(sent_nth(w, SLP_SUBMIT, frames)->u.submit.results.count, CORE_FRAME_ITEMS);
        frames++;
    }
    assert_int_equal(frames, CORE_INFLIGHT_MAX);
    outcomes(w, sent_nth(w, SLP_SUBMIT, 0)->id, NULL, 0);
    assert_int_equal(count_said(w, CORE_OUT_ACKED), CORE_FRAME_ITEMS);
    must_send(w, SLP_SUBMIT); /* the next one */
}

/* ---------------------------------------------------------------- people */
static void a_person_gets_work_after_signing_in_and_starts_by_hand(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 2);
    push(w, 100, 1, ASHA, 70, 2);
    assert_null(said(w, CORE_OUT_OFFER));
    form_known(w);
    assert_non_null(said(w, CORE_OUT_OFFER));
    assert_null(said(w, CORE_OUT_RUN)); /* nobody starts for a person */
    assert_int_equal(core_next_task(w->core, "asha")->assignment, 70);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    must_send(w, SLP_ACTS); /* told at once */
    assert_int_equal(core_find(w->core, 70)->state, CORE_STARTED);
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 71, .act = 3, .text = text("not my field") });
    struct slp_cursor each = slp_each(must_send(w, SLP_ACTS)->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 3);
    assert_memory_equal(a.reason.p, "not my field", 12);
}

static void signing_off_hands_back_what_is_not_started(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    push(w, 100, 1, ASHA, 70, 2);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = "asha" });
    struct slp_cursor each = slp_each(must_send(w, SLP_CREDIT)->u.credit.sign_off);
    uint64_t number;
    assert_true(slp_next_u64(&each, &number));
    assert_int_equal(number, ASHA);
    assert_null(core_find(w->core, 71));
    assert_int_equal(core_find(w->core, 70)->state, CORE_STARTED);
    assert_int_equal(said(w, CORE_OUT_DROPPED)->assignment, 71);
}

static void signing_in_again_is_told_although_the_credit_stands(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = "asha" });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 2);
}

static void a_refused_roster_is_tried_again_later_without_haste(void **state)
{
    struct world *w = *state;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    refuse(w, must_send(w, SLP_ROSTER)->id, SLP_E_BAD_NAME);
    assert_true(core_next_due_us(w->core) >= w->now_us + CORE_HELLO_MAX_US);
    pass(w, CORE_HELLO_MAX_US);
    must_send(w, SLP_HELLO);
}

static void an_idle_core_asks_for_nothing_but_heartbeats(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int ticks = 0;
    for (int64_t end = w->now_us + 100 * S; w->now_us < end; ticks++) {
        pass(w, core_next_due_us(w->core) - w->now_us);
        if (sent(w, SLP_HEARTBEAT))
            beat(w, 0);
    }
    assert_true(ticks <= 45); /* a heartbeat each 2.5 s, and little else */
}

static void a_person_cannot_start_offline(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    push(w, 100, 1, ASHA, 70, 1);
    form_known(w);
    w->now_us += 60 * S;
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    assert_int_equal(core_find(w->core, 70)->state, CORE_WAITING);
}

static void a_persons_begun_task_outlives_the_agent(void **state)
{
    struct world *w = *state;
    struct core_task t = {
        .assignment = 70, .worker_no = ASHA, .station_id = STATION, .attempt = 1, .lease_us = 60 * S
    };
    act(w, (struct core_in){ .kind = CORE_IN_RESTORE, .task = &t });
    give_roster(w);
    assert_int_equal(must_send(w, SLP_HELLO)->u.hello.held.count, 1);
    welcome(w, 100, true, NULL, 0);
    must_send(w, SLP_ACTS); /* the start may not have got through */
    roster_done(w);
    form_known(w);
    assert_int_equal(core_next_task(w->core, "asha")->assignment, 70);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 1); /* one of 1 + 1 is full */
    finish(w, 70, ASHA, 1);
    assert_int_equal(must_send(w, SLP_SUBMIT)->u.submit.results.count, 1);
}

static void a_begun_task_that_nobody_has_a_use_for_is_forgotten(void **state)
{
    struct world *w = *state;
    struct core_task t = { .assignment = 70, .worker_no = 99, .station_id = STATION, .attempt = 1, .lease_us = 60 * S };
    act(w, (struct core_in){ .kind = CORE_IN_RESTORE, .task = &t }); /* of somebody who has left the hub since */
    give_roster(w);
    welcome(w, 100, true, (uint64_t[]){ 70 }, 1);
    roster_done(w);
    assert_int_equal(said(w, CORE_OUT_ENDED)->assignment, 70);
    assert_null(core_find(w->core, 70));
}

static void why_is_asked_of_the_broker(void **state)
{
    struct world *w = *state;
    act(w, (struct core_in){ .kind = CORE_IN_WHY, .name = "asha", .token = 3 });
    assert_int_equal(said(w, CORE_OUT_WHY)->code, UINT64_MAX); /* no contact */
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_WHY, .name = "asha", .token = 4 });
    const struct slp_msg *m = must_send(w, SLP_WHY_GET);
    assert_int_equal(m->u.why_get.worker, ASHA);
    struct slp_why y = { .code = 2, .text = text("skill english") };
    deliver(w, SLP_WHY, m->id, &y);
    assert_int_equal(said(w, CORE_OUT_WHY)->token, 4);
    assert_int_equal(said(w, CORE_OUT_WHY)->code, 2);
}

/* ---------------------------------------------------------------- rosters, the end */
static void a_worker_who_leaves_the_roster_finishes_what_is_begun(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    w->members[0] = w->members[1]; /* only asha stays */
    w->roster.count = 1;
    w->roster.digest[1]++;
    give_roster(w);
    assert_int_equal(must_send(w, SLP_ROSTER)->u.roster.workers.count, 1);
    assert_null(core_find(w->core, 52));
    assert_int_equal(core_find(w->core, 50)->state, CORE_STARTED);
    finish(w, 50, CRANE, 1);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_false(SLP_IS(&m->u.submit, submit, grants));
}

static void quiet_waits_for_robots_and_answers_then_says_bye(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 30 * S });
    assert_null(sent(w, SLP_BYE));
    finish(w, 50, CRANE, 1);
    assert_null(said(w, CORE_OUT_RUN)); /* no new starts */
    outcomes(w, must_send(w, SLP_SUBMIT)->id, NULL, 0);
    assert_null(sent(w, SLP_BYE));
    finish(w, 51, CRANE, 2);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, NULL, 0);
    uint64_t id = must_send(w, SLP_BYE)->id;
    assert_null(said(w, CORE_OUT_BYE));
    deliver(w, SLP_DONE, id, &(struct slp_done){ 0 });
    assert_non_null(said(w, CORE_OUT_BYE));
}

static void quiet_ends_at_its_deadline_in_any_case(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 4 * S });
    pass(w, 4 * S);
    must_send(w, SLP_BYE);
    pass(w, 2 * S); /* no answer to it either */
    assert_non_null(said(w, CORE_OUT_BYE));
}

static void quiet_without_contact_does_not_wait_for_the_broker(void **state)
{
    struct world *w = *state;
    give_roster(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 30 * S });
    assert_non_null(said(w, CORE_OUT_BYE));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(unanswered_results_are_sent_again_in_order),
        T(outcomes_that_are_not_listed_are_good),
        T(late_and_duplicate_are_acknowledged),
        T(one_bad_result_does_not_hold_up_the_others),
        T(a_busy_broker_gets_the_same_later),
        T(another_version_leaves_every_result_until_it_is_known_again),
        T(a_result_that_does_not_fit_is_put_aside_and_its_task_failed),
        T(results_of_an_earlier_life_go_first_and_are_not_done_twice),
        T(many_results_share_frames_and_few_frames_are_under_way),
        T(a_person_gets_work_after_signing_in_and_starts_by_hand),
        T(signing_off_hands_back_what_is_not_started),
        T(signing_in_again_is_told_although_the_credit_stands),
        T(a_refused_roster_is_tried_again_later_without_haste),
        T(an_idle_core_asks_for_nothing_but_heartbeats),
        T(a_person_cannot_start_offline),
        T(a_persons_begun_task_outlives_the_agent),
        T(a_begun_task_that_nobody_has_a_use_for_is_forgotten),
        T(why_is_asked_of_the_broker),
        T(a_worker_who_leaves_the_roster_finishes_what_is_begun),
        T(quiet_waits_for_robots_and_answers_then_says_bye),
        T(quiet_ends_at_its_deadline_in_any_case),
        T(quiet_without_contact_does_not_wait_for_the_broker),
    };
    return cmocka_run_group_tests_name("agent results", tests, NULL, NULL);
}
