/* The agent's core where things cross: a roster that changes while a hello is under way, acts that overtake each other, people who leave and come back, every code of error. */
#include "tests/unit/agent_world.h"

/* asha begins assignment 70; the frame that says so is still to be looked at. */
static void asha_begins(struct world *w)
{
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    push(w, 100, 1, ASHA, 70, 1);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
}

static void a_roster_that_changes_while_hello_is_under_way_is_sent(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, 2 * S);
    struct slp_control stops = { .order = 1 };
    deliver(w, SLP_CONTROL, 0, &stops); /* the broker is started again */
    pass(w, 3 * S);
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    uint64_t id = h->id;
    w->members[0] = w->members[1]; /* SIGHUP: crane has left; only asha stays */
    w->roster.count = 1;
    w->roster.digest[1]++;
    give_roster(w);
    struct slp_welcome m = { .session = 101, .heartbeat_us = HEARTBEAT_US, .grace_us = GRACE_US, .hub_id = 1 };
    deliver(w, SLP_WELCOME, id, &m); /* the digest that hello told is the one that the broker has: no roster wanted */
    const struct slp_msg *r = must_send(w, SLP_ROSTER); /* else the broker keeps the one from before, crane on it */
    assert_int_equal(r->u.roster.workers.count, 1);
}

static void a_touch_that_comes_before_its_start_takes_nothing_back(void **state)
{
    struct world *w = *state;
    asha_begins(w);
    must_send(w, SLP_ACTS); /* lost: the connection died and came back within the session */
    pass(w, 2 * S);
    act(w, (struct core_in){ .kind = CORE_IN_TOUCH, .assignment = 70 });
    outcomes(w, must_send(w, SLP_ACTS)->id, (struct told[]){ { SLP_E_BAD_STATE, 70, 0 } },
             1); /* touch of what is handed */
    bool told_gone = said(w, CORE_OUT_DROPPED);
    const struct slp_msg *again = NULL;
    for (int i = 0; i < 20 && !again; i++) {
        pass(w, S);
        again = sent(w, SLP_ACTS);
        if (!again && sent(w, SLP_HEARTBEAT)) {
            beat(w, 1);
            again = sent(w, SLP_ACTS);
        }
    }
    assert_non_null(again);
    outcomes(w, again->id, (struct told[]){ { SLP_E_OK, 70, 60 * S } },
             1); /* the start, sent again: it is hers, for a lease */
    assert_false(core_find(w->core, 70)->recalled);
    assert_false(told_gone);
    act(w, (struct core_in){ .kind = CORE_IN_TOUCH, .assignment = 70 });
    must_send(w, SLP_ACTS); /* else the lease runs out under her hands */
}

static void who_comes_back_to_the_roster_goes_on_with_what_was_begun(void **state)
{
    struct world *w = *state;
    asha_begins(w);
    outcomes(w, must_send(w, SLP_ACTS)->id, (struct told[]){ { SLP_E_OK, 70, 60 * S } }, 1);
    w->roster.count = 1; /* a slip of the pen, SIGHUP: only crane (members: crane, asha) */
    w->roster.digest[1]++;
    give_roster(w);
    const struct slp_msg *r = must_send(w, SLP_ROSTER);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done d = { .workers = { list.p, (uint32_t)list.n, 1 } };
    deliver(w, SLP_ROSTER_DONE, r->id, &d);
    slp_buf_free(&list);
    w->roster.count = 2; /* and put right, SIGHUP */
    w->roster.digest[1]++;
    give_roster(w);
    roster_done(w);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    const struct core_task *t = core_next_task(w->core, "asha");
    struct core_worker_view v;
    assert_true(core_worker_view(w->core, "asha", &v));
    if (!t)
        fail_msg("begun=%u of what is in hand: begun work is not shown to her any more", v.started);
    assert_int_equal(t->assignment, 70);
    assert_int_equal(v.started, 1);
    finish(w, 70, ASHA, 1);
    must_send(w, SLP_SUBMIT);
    assert_true(core_worker_view(w->core, "asha", &v));
    assert_int_equal(v.started, 0);
}

/* Whatever a frame of results is refused with: each of them is sent again, or said to be refused; or the agent ends (its outbox has them). */
static void no_code_makes_results_silently_vanish(void **state)
{
    (void)state;
    uint64_t lost = 0;
    for (uint64_t code = 10; code <= 90; code++) {
        if (strcmp(slp_error_name(code), slp_error_name(9999)) == 0)
            continue;
        void *s;
        set_up(&s);
        struct world *w = s;
        connect_up(w, 100);
        push(w, 100, 1, CRANE, 50, 2);
        form_known(w);
        finish(w, 50, CRANE, 1);
        uint64_t a = must_send(w, SLP_SUBMIT)->id;
        refuse(w, a, code);
        bool fine = said(w, CORE_OUT_REFUSED) || said(w, CORE_OUT_EXIT) || sent(w, SLP_SUBMIT);
        for (int i = 0; i < 40 && !fine; i++) {
            pass(w, S);
            if (sent(w, SLP_HEARTBEAT))
                beat(w, 1);
            if (sent(w, SLP_HELLO))
                welcome(w, 101, false, NULL, 0);
            fine = said(w, CORE_OUT_REFUSED) || said(w, CORE_OUT_EXIT) || sent(w, SLP_SUBMIT);
        }
        if (!fine) {
            print_error("%s (%llu): the result is neither sent again nor told\n", slp_error_name(code),
                        (unsigned long long)code);
            lost++;
        }
        tear_down(&s);
    }
    assert_int_equal(lost, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_roster_that_changes_while_hello_is_under_way_is_sent),
        T(a_touch_that_comes_before_its_start_takes_nothing_back),
        T(who_comes_back_to_the_roster_goes_on_with_what_was_begun),
        cmocka_unit_test(no_code_makes_results_silently_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
