/* The agent's core: sessions, pushes, robots, the offline rule. */
#include "tests/unit/agent_world.h"

/* ---------------------------------------------------------------- sessions */
static void it_says_hello_as_soon_as_it_has_a_roster(void **state)
{
    struct world *w = *state;
    act(w, (struct core_in){ .kind = CORE_IN_TICK });
    assert_null(sent(w, SLP_HELLO));
    give_roster(w);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->incarnation, 7);
    assert_int_equal(h->held.count, 0);
    assert_memory_equal(h->hub.p, "pokhara", 7);
    assert_false(SLP_IS(h, hello, takeover));
}

static void a_wanted_roster_is_sent_by_name_and_its_numbers_are_used(void **state)
{
    struct world *w = *state;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    const struct slp_roster *r = &must_send(w, SLP_ROSTER)->u.roster;
    struct slp_cursor each = slp_each(r->workers);
    struct slp_item_worker_def d;
    assert_true(slp_next_worker_def(&each, &d));
    assert_memory_equal(d.name.p, "asha", 4);
    assert_true(r->last);
    assert_int_equal(r->session, 100);
    assert_null(sent(w, SLP_CREDIT)); /* numbers are not known yet */
    crane_ready(w);
    forget_outs(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, 2, &m);
    slp_buf_free(&list);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 0); /* not signed in */
}

static void a_roster_that_the_broker_has_is_asked_for_its_numbers(void **state)
{
    struct world *w = *state;
    give_roster(w);
    step(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
    welcome(w, 100, false, NULL, 0);
    const struct slp_msg *g = must_send(w, SLP_ROSTER_GET);
    struct slp_buf numbers = { 0 }, names = { 0 };
    slp_pack_u64(&numbers, ASHA);
    slp_pack_u64(&numbers, CRANE);
    slp_pack_cstr(&names, "asha");
    slp_pack_cstr(&names, "crane");
    struct slp_roster_ids m = { .workers = { numbers.p, (uint32_t)numbers.n, 2 },
                                .names = { names.p, (uint32_t)names.n, 2 } };
    deliver(w, SLP_ROSTER_IDS, g->id, &m);
    slp_buf_free(&numbers);
    slp_buf_free(&names);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
}

static void hello_is_repeated_on_a_new_socket_with_growing_jittered_waits(void **state)
{
    struct world *w = *state;
    give_roster(w);
    int64_t waits[8];
    for (size_t i = 0; i < 8; i++) {
        int64_t due = core_next_due_us(w->core);
        waits[i] = due - w->now_us;
        pass(w, due - 1 - w->now_us);
        assert_null(sent(w, SLP_HELLO));
        pass(w, 1);
        assert_int_equal(w->relinks, 1);
        must_send(w, SLP_HELLO);
        assert_true(waits[i] >= CORE_HELLO_MIN_US && waits[i] <= CORE_HELLO_MAX_US);
    }
    assert_true(waits[7] >= CORE_HELLO_MAX_US / 2);
}

static void silence_for_three_heartbeats_ends_the_session(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    beat(w, 0);
    for (int i = 0; i < 5; i++)
        pass(w, HEARTBEAT_US / 2); /* heartbeats leave, nothing comes back */
    assert_null(sent(w, SLP_HELLO));
    pass(w, HEARTBEAT_US / 2);
    assert_int_equal(w->relinks, 1);
    must_send(w, SLP_HELLO);
}

/* Found by killing agents during a run: the results of an earlier life leave before the numbers are known, and took
 * the grants with them. */
static void results_of_an_earlier_life_do_not_cost_the_first_grant(void **state)
{
    struct world *w = *state;
    struct slp_buf b = { 0 }, values = { 0 }, numbers = { 0 }, names = { 0 };
    slp_pack_cstr(&values, "yes");
    struct slp_item_result r = { .assignment = 50, .worker = CRANE, .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&b, SLP_ITEM_result, &r);
    step(w, (struct core_in){ .kind = CORE_IN_UNSENT, .assignment = 50, .seq = 1, .item = { b.p, (uint32_t)b.n } });
    give_roster(w);
    step(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
    welcome(w, 100, false, NULL, 0);
    uint64_t get_id = must_send(w, SLP_ROSTER_GET)->id;
    uint64_t submit_id = must_send(w, SLP_SUBMIT)->id;
    outcomes(w, submit_id, NULL, 0);
    slp_pack_u64(&numbers, ASHA);
    slp_pack_u64(&numbers, CRANE);
    slp_pack_cstr(&names, "asha");
    slp_pack_cstr(&names, "crane");
    struct slp_roster_ids m = { .workers = { numbers.p, (uint32_t)numbers.n, 2 },
                                .names = { names.p, (uint32_t)names.n, 2 } };
    deliver(w, SLP_ROSTER_IDS, get_id, &m);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
    slp_buf_free(&b);
    slp_buf_free(&values);
    slp_buf_free(&numbers);
    slp_buf_free(&names);
}

static void no_session_leads_to_hello_and_the_results_follow_in_the_new_one(void **state)
{
    struct world *w = *state;
    uint64_t got[4];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    uint64_t id = must_send(w, SLP_SUBMIT)->id;
    w->now_us += 2 * S;
    refuse(w, id, SLP_E_NO_SESSION);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->held.count, 1); /* not acknowledged: still ours */
    welcome(w, 101, false, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_int_equal(m->u.submit.session, 101);
    assert_int_equal(results_in(m, got), 1);
    assert_int_equal(got[0], 50);
    outcomes(w, m->id, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 1);
}

/* The broker was restarted: it refuses the older of two frames first. A start behind the fail that follows on it would be stale; a touch before its start takes the task back. */
static void acts_under_way_when_a_session_is_lost_are_told_in_their_order_in_the_next(void **state)
{
    struct world *w = *state;
    struct slp_item_act a;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    pass(w, CORE_START_DELAY_US);
    uint64_t id = must_send(w, SLP_ACTS)->id;
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 50, .act = 4, .text = text("no") });
    must_send(w, SLP_ACTS);
    w->now_us += 2 * S;
    refuse(w, id, SLP_E_NO_SESSION);
    welcome(w, 101, false, NULL, 0);
    struct slp_cursor each = slp_each(must_send(w, SLP_ACTS)->u.acts.acts);
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 0);
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 4);
}

/* Two frames are refused, the older one first, while nothing can be sent. */
static void results_that_were_refused_for_a_while_are_told_in_their_order(void **state)
{
    struct world *w = *state;
    uint64_t got[4];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    uint64_t first = must_send(w, SLP_SUBMIT)->id;
    finish(w, 51, CRANE, 2);
    uint64_t second = must_send(w, SLP_SUBMIT)->id;
    refuse(w, first, SLP_E_STORE_FULL);
    refuse(w, second, SLP_E_STORE_FULL);
    pass(w, HEARTBEAT_US);
    assert_int_equal(results_in(must_send(w, SLP_SUBMIT), got), 2);
    assert_int_equal(got[0], 50);
    assert_int_equal(got[1], 51);
}

static void an_agent_that_was_replaced_stops(void **state)
{
    struct world *w = *state;
    give_roster(w);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_OTHER_AGENT);
    assert_int_equal(said(w, CORE_OUT_EXIT)->code, SLP_E_OTHER_AGENT);
    assert_int_equal(core_next_due_us(w->core), INT64_MAX);
}

static void an_agent_whose_clock_is_off_begins_nothing_and_says_what_to_do(void **state)
{
    struct world *w = *state;
    give_roster(w);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_CLOCK_OFF);
    assert_int_equal(said(w, CORE_OUT_EXIT)->code, SLP_E_CLOCK_OFF);
    assert_int_equal(core_next_due_us(w->core), INT64_MAX);
}

static void a_clock_that_steps_off_later_starts_nothing_until_it_is_right_again(void **state)
{
    struct world *w = *state;
    uint64_t got[4];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    push(w, 100, 2, ASHA, 60, 1);
    form_known(w);
    pass(w, HEARTBEAT_US / 2);
    refuse(w, must_send(w, SLP_HEARTBEAT)->id, SLP_E_CLOCK_OFF);
    assert_null(said(w, CORE_OUT_EXIT));
    assert_int_equal(said(w, CORE_OUT_LOG)->level, CORE_ERROR);
    assert_string_equal(said(w, CORE_OUT_LOG)->event, "clock-off");
    assert_false(core_may_start(w->core, w->now_us));
    push(w, 100, 3, CRANE, 51, 1);
    assert_null(said(w, CORE_OUT_RUN));
    finish(w, 50, CRANE, 1); /* what was begun is ended */
    assert_int_equal(results_in(must_send(w, SLP_SUBMIT), got), 1);
    pass(w, HEARTBEAT_US / 2);
    beat(w, 3);
    assert_true(core_may_start(w->core, w->now_us));
    pass(w, S);
    assert_int_equal(core_find(w->core, 51)->state, CORE_STARTED);
}

static void an_agent_with_work_in_hand_waits_for_its_clock_to_be_set(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    refuse(w, must_send(w, SLP_HEARTBEAT)->id, SLP_E_NO_SESSION); /* the broker was started again */
    while (!sent(w, SLP_HELLO))
        pass(w, core_next_due_us(w->core) - w->now_us);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_CLOCK_OFF);
    assert_null(said(w, CORE_OUT_EXIT));
    assert_false(core_may_start(w->core, w->now_us));
    while (!sent(w, SLP_HELLO))
        pass(w, core_next_due_us(w->core) - w->now_us);
    welcome(w, 101, false, NULL, 0);
    assert_true(core_may_start(w->core, w->now_us));
}

static void another_version_is_no_reason_to_stop(void **state)
{
    struct world *w = *state;
    give_roster(w);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_BAD_VERSION);
    assert_null(said(w, CORE_OUT_EXIT));
    pass(w, CORE_HELLO_MAX_US);
    must_send(w, SLP_HELLO);
}

static void a_stopping_broker_is_left_and_found_again(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    struct slp_control m = { .order = 1 };
    deliver(w, SLP_CONTROL, 0, &m);
    assert_null(sent(w, SLP_HELLO));
    pass(w, core_next_due_us(w->core) - w->now_us);
    assert_int_equal(w->relinks, 1);
    must_send(w, SLP_HELLO);
}

/* ---------------------------------------------------------------- pushes, robots */
static void tasks_wait_for_their_form_and_run_up_to_the_capacity(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    assert_int_equal(must_send(w, SLP_FORM_GET)->u.form_get.station_id, STATION);
    assert_null(said(w, CORE_OUT_RUN));
    form_known(w);
    assert_int_equal(count_said(w, CORE_OUT_RUN), 2);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 50); /* first in, first out */
    finish(w, 50, CRANE, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52);
}

static void credit_is_what_was_pushed_plus_the_room_and_rides_with_results(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    assert_null(sent(w, SLP_CREDIT)); /* full: 2 + 2 */
    form_known(w);
    finish(w, 51, CRANE, 1);
    assert_int_equal(granted_to(must_send(w, SLP_SUBMIT)->u.submit.grants, CRANE), 5);
    assert_null(sent(w, SLP_CREDIT));
    push(w, 100, 2, CRANE, 60, 1);
    assert_null(sent(w, SLP_CREDIT));
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 50, .act = 4, .text = text("broken") });
    assert_int_equal(granted_to(must_send(w, SLP_ACTS)->u.acts.grants, CRANE), 6);
}

static void credit_that_nothing_came_of_is_told_again(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    bool again = false;
    for (int i = 0; i < 40 && !again; i++) {
        pass(w, HEARTBEAT_US / 2);
        again = sent(w, SLP_CREDIT) != NULL;
        if (!again)
            beat(w, 0);
    }
    assert_true(again);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4); /* the same total */
}

static void a_quick_robots_start_is_never_told(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    pass(w, CORE_START_DELAY_US - 1);
    assert_null(sent(w, SLP_ACTS));
    finish(w, 50, CRANE, 1);
    must_send(w, SLP_SUBMIT);
    pass(w, S);
    assert_null(sent(w, SLP_ACTS));
}

static void a_slow_robots_start_is_told_and_its_lease_touched(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    pass(w, CORE_START_DELAY_US);
    const struct slp_msg *m = must_send(w, SLP_ACTS);
    assert_int_equal(m->u.acts.acts.count, 2); /* both in one frame */
    outcomes(w, m->id, (struct told[]){ { 0, 50, 60 * S }, { 0, 51, 60 * S } }, 2);
    int touches = 0;
    for (int i = 0; i < 20; i++) { /* 50 s with a lease of 60 s: at 20 s and 40 s */
        pass(w, HEARTBEAT_US / 2);
        const struct slp_msg *t = sent(w, SLP_ACTS);
        if (t) {
            touches++;
            assert_int_equal(t->u.acts.acts.count, 2);
            struct slp_cursor each = slp_each(t->u.acts.acts);
            struct slp_item_act a;
            assert_true(slp_next_act(&each, &a));
            assert_int_equal(a.act, 1);
            uint64_t id = t->id;
            const struct slp_msg *h = sent(w, SLP_HEARTBEAT);
            uint64_t heartbeat_id = h ? h->id : 0;
            outcomes(w, id, (struct told[]){ { 0, 50, 60 * S }, { 0, 51, 60 * S } }, 2);
            if (heartbeat_id)
                deliver(w, SLP_HEARTBEAT_ACK, heartbeat_id, &(struct slp_heartbeat_ack){ .last_push = 1 });
        } else if (sent(w, SLP_HEARTBEAT)) {
            beat(w, 1);
        }
    }
    assert_int_equal(touches, 2);
}

static void a_recall_drops_what_is_not_started_and_leaves_the_rest(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, 50);
    slp_pack_u64(&list, 52);
    slp_pack_u64(&list, 999);
    struct slp_recall m = { .session = 100, .assignments = { list.p, (uint32_t)list.n, 3 }, .code = 2 };
    deliver(w, SLP_RECALL, 0, &m);
    slp_buf_free(&list);
    assert_null(core_find(w->core, 52));
    assert_true(core_find(w->core, 50)->recalled);
    assert_int_equal(core_find(w->core, 50)->state, CORE_STARTED);
    finish(w, 50, CRANE, 1); /* it may still count, perhaps late */
    must_send(w, SLP_SUBMIT);
}

static void a_push_of_another_session_is_not_taken(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 99, 1, CRANE, 50, 1);
    assert_null(core_find(w->core, 50));
}

static void a_hole_in_the_pushes_leads_to_hello_with_what_is_held(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    push(w, 100, 1, CRANE, 50, 1); /* a replay changes nothing */
    assert_null(sent(w, SLP_HELLO));
    w->now_us += 2 * S;
    push(w, 100, 3, CRANE, 54, 1);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->held.count, 2);
    struct slp_cursor each = slp_each(h->held);
    uint64_t a, sum = 0;
    while (slp_next_u64(&each, &a))
        sum += a;
    assert_int_equal(sum, 104);
}

static void an_acknowledgement_that_counts_more_pushes_leads_to_hello_the_second_time(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    beat(w, 1);
    assert_null(sent(w, SLP_HELLO));
    pass(w, HEARTBEAT_US / 2);
    beat(w, 1);
    must_send(w, SLP_HELLO);
}

static void what_comes_before_the_numbers_are_known_waits_and_takes_no_credit(void **state)
{
    struct world *w = *state;
    give_roster(w);
    step(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
    welcome(w, 100, true, NULL, 0);
    uint64_t roster_id = must_send(w, SLP_ROSTER)->id;
    push(w, 100, 1, CRANE, 50, 2); /* right behind the welcome, before anybody has a number here */
    form_known(w);
    assert_null(said(w, CORE_OUT_RUN));
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, roster_id, &m);
    slp_buf_free(&list);
    assert_int_equal(count_said(w, CORE_OUT_RUN), 2);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 2); /* room for two more */
}

static void what_is_pushed_again_after_a_new_welcome_takes_no_credit(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    form_known(w);
    w->now_us += 2 * S;
    struct slp_control order = { .order = 0 };
    deliver(w, SLP_CONTROL, 0, &order);
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, 50);
    struct slp_welcome m = { .session = 101,
                             .heartbeat_us = HEARTBEAT_US,
                             .grace_us = GRACE_US,
                             .missing = { list.p, (uint32_t)list.n, 1 },
                             .hub_id = 1 };
    SLP_SET(&m, welcome, missing);
    deliver(w, SLP_WELCOME, h->id, &m);
    slp_buf_free(&list);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
    push(w, 101, 1, CRANE, 50, 1);
    assert_null(sent(w, SLP_CREDIT)); /* it fills room, but the four that were granted are still to come */
    push(w, 101, 2, CRANE, 60, 4);
    finish(w, 50, CRANE, 1);
    assert_false(SLP_IS(&must_send(w, SLP_SUBMIT)->u.submit, submit, grants)); /* five were held with room for four */
    finish(w, 60, CRANE, 2);
    assert_int_equal(granted_to(must_send(w, SLP_SUBMIT)->u.submit.grants, CRANE), 5);
}

/* A new session with a broker whose store has this id. */
static void welcome_of(struct world *w, uint64_t session, const char *store_id)
{
    struct slp_control order = { .order = 0 };
    w->now_us += 2 * S;
    deliver(w, SLP_CONTROL, 0, &order);
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    struct slp_welcome m = { .session = session,
                             .heartbeat_us = HEARTBEAT_US,
                             .grace_us = GRACE_US,
                             .hub_id = 1,
                             .store_id = { store_id, 16 } };
    SLP_SET(&m, welcome, store_id);
    deliver(w, SLP_WELCOME, h->id, &m);
}

static void forms_are_asked_for_again_when_the_store_is_another(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    form_known(w);
    welcome_of(w, 101, "the first store.");
    const struct slp_msg *asked = must_send(w, SLP_FORM_GET); /* whose it was is not known */
    assert_int_equal(asked->u.form_get.station_id, STATION);
    form_known(w);
    welcome_of(w, 102, "the first store.");
    assert_null(sent(w, SLP_FORM_GET));
    welcome_of(w, 103, "a restored store");
    must_send(w, SLP_FORM_GET);
    push(w, 103, 1, CRANE, 50, 1);
    assert_null(said(w, CORE_OUT_RUN)); /* not by the form of another store's station */
    form_known(w);
    assert_int_equal(count_said(w, CORE_OUT_RUN), 1);
}

/* ---------------------------------------------------------------- shifts */
/* One shift of two times, told to the core; `digest` tells this one from others. */
static void give_shifts(struct world *w, char digest, const char *name)
{
    struct slp_buf times = { 0 }, packed = { 0 };
    slp_pack_u64(&times, 1000);
    slp_pack_u64(&times, 2000);
    struct slp_item_shift_def d = {
        .name = text(name), .zone = text("UTC"), .text = text(""), .times = { times.p, (uint32_t)times.n, 2 }
    };
    slp_pack_item(&packed, SLP_ITEM_shift_def, &d);
    struct core_shifts s = { .until_us = 5000, .count = 1, .packed = &packed };
    memset(s.digest, digest, sizeof s.digest);
    act(w, (struct core_in){ .kind = CORE_IN_SHIFTS, .shifts = &s });
    slp_buf_free(&times);
    slp_buf_free(&packed);
}

static void shifts_are_told_in_every_session_before_the_roster(void **state)
{
    struct world *w = *state;
    give_roster(w);
    give_shifts(w, 1, "day");
    assert_null(sent(w, SLP_SHIFTS));
    act(w, (struct core_in){ .kind = CORE_IN_TICK });
    give_roster(w);
    w->now_us += 60 * S;
    tick(w);
    welcome(w, 100, true, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SHIFTS);
    assert_true(m < must_send(w, SLP_ROSTER));
    assert_true(m->u.shifts.last);
    assert_int_equal(m->u.shifts.until_wall_us, 5000);
    assert_int_equal(m->u.shifts.shifts.count, 1);
    assert_int_equal(m->u.shifts.session, 100);
}

static void days_of_zones_are_told_with_the_first_frame_also_without_shifts(void **state)
{
    struct world *w = *state;
    struct slp_buf days = { 0 };
    struct core_shifts s = { .until_us = 5000, .zone_count = 1 };
    connect_up(w, 100);
    slp_pack_u64(&days, 1000);
    struct slp_item_zone_days z = { .zone = text("Asia/Kathmandu"), .days = { days.p, (uint32_t)days.n, 1 } };
    slp_pack_item(&s.zones, SLP_ITEM_zone_days, &z);
    act(w, (struct core_in){ .kind = CORE_IN_SHIFTS, .shifts = &s });
    const struct slp_msg *m = must_send(w, SLP_SHIFTS);
    assert_true(m->u.shifts.last);
    assert_int_equal(m->u.shifts.shifts.count, 0);
    assert_int_equal(m->u.shifts.zones.count, 1);
    struct slp_cursor c = slp_each(m->u.shifts.zones);
    assert_true(slp_next_zone_days(&c, &z));
    assert_int_equal(z.days.count, 1);
    slp_buf_free(&days);
    slp_buf_free(&s.zones);
}

static void shifts_that_change_are_told_at_once_the_same_again_are_not(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    give_shifts(w, 1, "day");
    uint64_t id = must_send(w, SLP_SHIFTS)->id;
    struct slp_done done = { 0 };
    deliver(w, SLP_DONE, id, &done);
    give_shifts(w, 1, "day");
    assert_null(sent(w, SLP_SHIFTS));
    give_shifts(w, 2, "night");
    must_send(w, SLP_SHIFTS);
    assert_null(sent(w, SLP_ROSTER)); /* nobody's roster has changed, and nothing in hand is dropped */
}

static void shifts_that_are_not_answered_are_told_again(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    give_shifts(w, 1, "day");
    must_send(w, SLP_SHIFTS);
    for (int i = 0; i < 5; i++) {
        pass(w, HEARTBEAT_US / 2);
        const struct slp_msg *beat_ = sent(w, SLP_HEARTBEAT);
        if (sent(w, SLP_SHIFTS))
            fail_msg("too early");
        struct slp_heartbeat_ack a = { 0 };
        if (beat_)
            deliver(w, SLP_HEARTBEAT_ACK, beat_->id, &a);
    }
    pass(w, HEARTBEAT_US);
    tick(w);
    must_send(w, SLP_SHIFTS);
}

static void shifts_that_are_refused_are_logged_and_not_repeated(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    give_shifts(w, 1, "day");
    refuse(w, must_send(w, SLP_SHIFTS)->id, SLP_E_BAD_VALUE);
    assert_non_null(said(w, CORE_OUT_LOG));
    assert_null(sent(w, SLP_SHIFTS));
    pass(w, HEARTBEAT_US);
    assert_null(sent(w, SLP_SHIFTS));
}

static void work_for_a_stranger_is_handed_back(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, 77, 50, 1);
    struct slp_cursor each = slp_each(must_send(w, SLP_ACTS)->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 2);
    assert_int_equal(a.assignment, 50);
}

static void a_slot_that_rests_takes_nothing(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    act(w, (struct core_in){
               .kind = CORE_IN_GIVE_UP, .assignment = 50, .act = 2, .text = text("later"), .hold_us = 10 * S });
    assert_null(said(w, CORE_OUT_RUN));                                  /* one slot at work, one at rest */
    assert_false(SLP_IS(&must_send(w, SLP_ACTS)->u.acts, acts, grants)); /* and no new credit for it */
    w->now_us += 10 * S - 1;
    tick(w);
    assert_null(said(w, CORE_OUT_RUN));
    pass(w, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52);
}

static void what_was_not_started_in_time_is_handed_back(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    for (int i = 0; i < 121; i++) {
        pass(w, HEARTBEAT_US / 2);
        if (sent(w, SLP_HEARTBEAT))
            beat(w, 1);
    }
    finish(w, 50, CRANE, 1); /* a slot is free, 301 s after the push with start_by 300 s */
    assert_null(said(w, CORE_OUT_RUN));
    assert_int_equal(core_find(w->core, 52)->state, CORE_ENDED);
}

/* ---------------------------------------------------------------- offline */
static void nothing_is_started_after_nine_tenths_of_the_grace(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int64_t contact = w->now_us;
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    w->now_us = contact + 26 * S;
    finish(w, 50, CRANE, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52); /* silent, but within the limit */
    w->now_us = contact + 27 * S;
    finish(w, 51, CRANE, 2);
    assert_null(said(w, CORE_OUT_RUN));
    assert_false(core_may_start(w->core, w->now_us));
    assert_int_equal(core_find(w->core, 52)->state, CORE_STARTED); /* what is started goes on */
}

static void frames_that_only_come_in_are_no_contact(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int64_t contact = w->now_us;
    form_known(w);
    for (uint64_t i = 1; i <= 12; i++) {
        w->now_us = contact + (int64_t)i * 2 * S;
        struct slp_recall m = { .session = 100, .code = 1 };
        deliver(w, SLP_RECALL, 0, &m);
    }
    assert_true(core_may_start(w->core, contact + 27 * S - 1));
    assert_false(core_may_start(w->core, contact + 27 * S));
}

static void contact_counts_from_when_the_answered_request_was_sent(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    int64_t sent_us = w->now_us;
    uint64_t id = must_send(w, SLP_HEARTBEAT)->id;
    w->now_us += 4 * S;
    deliver(w, SLP_HEARTBEAT_ACK, id, &(struct slp_heartbeat_ack){ .last_push = 0 });
    assert_true(core_may_start(w->core, sent_us + 27 * S - 1));
    assert_false(core_may_start(w->core, sent_us + 27 * S));
}

static void with_contact_again_it_goes_on(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    w->now_us += 100 * S;
    finish(w, 50, CRANE, 1);
    assert_null(said(w, CORE_OUT_RUN));
    must_send(w, SLP_HELLO);
    welcome(w, 101, false, (uint64_t[]){ 52 }, 1); /* it was given to others meanwhile */
    assert_null(core_find(w->core, 52));
    assert_null(said(w, CORE_OUT_RUN));
    push(w, 101, 1, CRANE, 60, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 60);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_says_hello_as_soon_as_it_has_a_roster),
        T(a_wanted_roster_is_sent_by_name_and_its_numbers_are_used),
        T(a_roster_that_the_broker_has_is_asked_for_its_numbers),
        T(results_of_an_earlier_life_do_not_cost_the_first_grant),
        T(hello_is_repeated_on_a_new_socket_with_growing_jittered_waits),
        T(silence_for_three_heartbeats_ends_the_session),
        T(no_session_leads_to_hello_and_the_results_follow_in_the_new_one),
        T(acts_under_way_when_a_session_is_lost_are_told_in_their_order_in_the_next),
        T(results_that_were_refused_for_a_while_are_told_in_their_order),
        T(an_agent_that_was_replaced_stops),
        T(an_agent_whose_clock_is_off_begins_nothing_and_says_what_to_do),
        T(a_clock_that_steps_off_later_starts_nothing_until_it_is_right_again),
        T(an_agent_with_work_in_hand_waits_for_its_clock_to_be_set),
        T(another_version_is_no_reason_to_stop),
        T(a_stopping_broker_is_left_and_found_again),
        T(tasks_wait_for_their_form_and_run_up_to_the_capacity),
        T(credit_is_what_was_pushed_plus_the_room_and_rides_with_results),
        T(credit_that_nothing_came_of_is_told_again),
        T(a_quick_robots_start_is_never_told),
        T(a_slow_robots_start_is_told_and_its_lease_touched),
        T(a_recall_drops_what_is_not_started_and_leaves_the_rest),
        T(a_push_of_another_session_is_not_taken),
        T(a_hole_in_the_pushes_leads_to_hello_with_what_is_held),
        T(an_acknowledgement_that_counts_more_pushes_leads_to_hello_the_second_time),
        T(what_comes_before_the_numbers_are_known_waits_and_takes_no_credit),
        T(what_is_pushed_again_after_a_new_welcome_takes_no_credit),
        T(forms_are_asked_for_again_when_the_store_is_another),
        T(shifts_are_told_in_every_session_before_the_roster),
        T(days_of_zones_are_told_with_the_first_frame_also_without_shifts),
        T(shifts_that_change_are_told_at_once_the_same_again_are_not),
        T(shifts_that_are_not_answered_are_told_again),
        T(shifts_that_are_refused_are_logged_and_not_repeated),
        T(work_for_a_stranger_is_handed_back),
        T(a_slot_that_rests_takes_nothing),
        T(what_was_not_started_in_time_is_handed_back),
        T(nothing_is_started_after_nine_tenths_of_the_grace),
        T(frames_that_only_come_in_are_no_contact),
        T(contact_counts_from_when_the_answered_request_was_sent),
        T(with_contact_again_it_goes_on),
    };
    return cmocka_run_group_tests_name("agent core", tests, NULL, NULL);
}
