/* The engine: tasks whose last workers are kept out of their station: suspended, or short of what it requires. They are parked, and come back when somebody may do them. */
#include "tests/unit/nobody_world.h"

static void set_standing(const char *worker, unsigned action, const char *at)
{
    struct slp_worker_set q = {
        .name = world_str(worker), .action = action, .line = world_str("l"), .station = world_str(at)
    };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
}
enum { SUSPEND, READMIT };

static void the_last_one_who_is_suspended_is_nobody_until_he_comes_back(void **state)
{
    (void)state;
    open_world(copies, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_READY);
    set_standing("chandra", SUSPEND, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 3 answers wanted 2 are in, and of 3 workers who may answer, 1 is kept out "
                   "(suspended, in training or short of what the station requires) and the others have had a part");
    stays_parked("unit 1 stays parked: nobody is left: of 3 answers wanted 2 are in");
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("chandra", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    answers(CHANDRA, "c");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void the_last_one_who_is_suspended_in_a_pause_is_nobody_as_well(void **state)
{
    (void)state;
    open_world(copies, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    assert_int_equal(world_run_set(&w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    set_standing("chandra", SUSPEND, "s");
    assert_int_equal(world_run_set(&w, "r", RUN_SET_RESUME, 0), SLP_E_OK);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    set_standing("chandra", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void who_is_left_is_known_still_when_the_station_gets_a_limit(void **state)
{
    static const char *const line = HEAD "  - name: s\n    copies: {min: 3}\n    agree: {method: all}\n%s" FORM;
    char free[600], limited[600];
    (void)state;
    snprintf(free, sizeof free, line, "");
    snprintf(limited, sizeof limited, line, "    at_once: 7\n");
    open_world(free, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    set_standing("chandra", SUSPEND, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_line(&w, limited);
    set_standing("chandra", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_line(&w, free);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    world_line(&w, limited);
    set_standing("chandra", SUSPEND, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void who_had_his_say_while_he_was_suspended_brings_nothing_back(void **state)
{
    (void)state;
    open_world(copies, 2);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_START, NULL, NULL), SLP_E_OK);
    set_standing("asha", SUSPEND, "s");
    assert_int_equal(world_submit(&w, &h, &a, "too late"), SLP_E_LATE);
    set_standing("bina", SUSPEND, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("asha", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("bina", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    assert_int_equal(given(ASHA).assignment, 0);
    answers(BINA, "b");
    world_end(&w);
}

static void who_has_his_say_late_and_is_the_last_one_leaves_nobody(void **state)
{
    (void)state;
    open_world(copies, 1);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_START, NULL, NULL), SLP_E_OK);
    set_standing("asha", SUSPEND, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY); /* nobody has had it */
    assert_int_equal(world_submit(&w, &h, &a, "too late"), SLP_E_LATE);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 3 answers wanted 0 are in, and all 1 workers who may answer are kept out");
    set_standing("asha", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void who_declined_and_answered_late_while_he_was_suspended_keeps_nothing_waiting(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    set_standing("asha", SUSPEND, "s");
    assert_int_equal(world_submit(&w, &h, &a, "after all"), SLP_E_LATE);
    roster(1, "make", "red"); /* bina leaves */
    settled();
    set_standing("asha", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static const char *const two =
    HEAD "  - name: s\n    worker: {skills: {make: 1}}\n    copies: {min: 2}\n    agree: {method: all}\n" FORM;

/* chandra gave it back and answers after all, when asha's answer is void, though no other has come since. */
static void a_late_answer_takes_the_place_of_one_that_is_void(void **state)
{
    (void)state;
    open_world(two, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    struct world_task late = taken(CHANDRA);
    assert_int_equal(world_act(&w, &h, &late, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    struct world_task begun = taken(BINA);
    assert_int_equal(world_act(&w, &h, &begun, ACT_START, NULL, NULL), SLP_E_OK);
    set_standing("asha", SUSPEND, "s");
    assert_int_equal(world_submit(&w, &h, &late, "c"), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_STARTED);
    assert_int_equal(world_submit(&w, &h, &begun, "b"), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_DONE);
    assert_int_equal(at(0, "outcome.answers"), 2);
    world_end(&w);
}

/* The same, where it was parked since two did not agree. */
static void a_late_answer_takes_the_place_of_one_that_is_void_where_nobody_agreed(void **state)
{
    (void)state;
    open_world(HEAD
               "  - name: s\n    worker: {skills: {make: 1}}\n    copies: {min: 2}\n    agree: {method: plurality, "
               "ties: fail}\n" FORM,
               3);
    world_put(&w, run, 1);
    struct world_task late = taken(CHANDRA);
    assert_int_equal(world_act(&w, &h, &late, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    answers(ASHA, "a");
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("asha", SUSPEND, "s");
    assert_int_equal(world_submit(&w, &h, &late, "b"), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_DONE);
    assert_int_equal(at(0, "outcome.votes"), 2);
    world_end(&w);
}

/* asha has begun, her hub lets her go, another hub takes her, she is suspended, and the first hub sends what she had done. */
static void moved_suspended_and_answered(const char *line, struct world_hub *other)
{
    open_world(line, 2);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_START, NULL, NULL), SLP_E_OK);
    struct staff v[] = { { names[BINA], 0, "make", 1, NULL }, { names[ASHA], 0, "make", 1, NULL } };
    staff_roster(&w, &h, v, 1);
    staff_hub(&w, other, "other", v + 1, 1);
    set_standing("asha", SUSPEND, "s");
    settled();
    assert_int_equal(world_submit(&w, &h, &a, "too late"), SLP_E_LATE);
    settled();
}

static void a_place_that_who_is_suspended_holds_at_his_old_hub_comes_back(void **state)
{
    struct world_hub other;
    (void)state;
    moved_suspended_and_answered(
        HEAD "  - name: s\n    worker: {skills: {make: 1}}\n    copies: {min: 2}\n    agree: {method: all}\n" FORM,
        &other);
    answers(0, "b"); /* bina, the first of the hub's roster now: nobody is left for the other place */
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void a_task_that_who_is_suspended_holds_at_his_old_hub_comes_back(void **state)
{
    struct world_hub other;
    (void)state;
    moved_suspended_and_answered(plain, &other);
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void another_may_come_instead_of_who_is_suspended(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 2);
    set_standing("bina", SUSPEND, "s");
    declines(ASHA);
    assert_int_equal(at(0, "state"), TASK_DEAD); /* at once: he was kept out before */
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1);
    parked_because("nobody is left: of 2 workers who may do it, 1 is kept out");
    roster(3, "make", "red");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void his_suspension_counts_though_he_is_not_signed_in(void **state)
{
    (void)state;
    open_world(copies, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    world_sign_off(&w, &h, CHANDRA);
    set_standing("chandra", SUSPEND, "s");
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_DEAD);
    roster(2, "make", "red"); /* he leaves, and comes back suspended still */
    roster(3, "make", "red");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("chandra", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void work_that_nobody_has_had_waits_while_all_are_suspended(void **state)
{
    (void)state;
    open_world(copies, 2);
    world_put(&w, run, 3);
    set_standing("asha", SUSPEND, "s");
    set_standing("bina", SUSPEND, "s");
    settled();
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 3);
    set_standing("asha", READMIT, "s");
    answers(ASHA, "a");
    settled();
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD),
                     1); /* this one has an answer, and bina cannot give the next */
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 2);
    set_standing("asha", SUSPEND, "s"); /* her answer is void: now it is as the others */
    set_standing("bina", READMIT, "s");
    settled();
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 3);
    world_end(&w);
}

#define STRICT "    require: {abandonment: \"<= 0.5\", after: 2}\n    attempts: 9\n    backoff: 0\n"

static void fails(unsigned worker)
{
    struct world_task a = taken(worker);
    assert_int_equal(world_act(&w, &h, &a, ACT_FAIL, NULL, NULL), SLP_E_OK);
}

static void who_falls_short_of_what_is_required_is_nobody_until_that_is_another(void **state)
{
    static const char *const line = HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n%s" FORM;
    char strict[600], lax[600];
    (void)state;
    snprintf(strict, sizeof strict, line, STRICT);
    snprintf(lax, sizeof lax, line, "");
    open_world(strict, 2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(0, "state"), TASK_READY);
    fails(BINA);
    settled();
    assert_int_equal(at(0, "state"), TASK_READY); /* of one thing nothing follows */
    fails(BINA);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 2 answers wanted 1 are in, and of 2 workers who may answer, 1 is kept out");
    world_sign_off(&w, &h, BINA);
    world_line(&w, lax);
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void a_new_version_may_require_what_the_last_one_has_not(void **state)
{
    static const char *const line =
        HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    attempts: 9\n    backoff: 0\n%s" FORM;
    char strict[600], lax[600];
    (void)state;
    snprintf(strict, sizeof strict, line, "    require: {abandonment: \"<= 0.5\", after: 2}\n");
    snprintf(lax, sizeof lax, line, "");
    open_world(lax, 2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    fails(BINA);
    fails(BINA);
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_line(&w, strict);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

#define SHORT_WINDOW                                                                                                   \
    HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    window: {within: 1h}\n" STRICT FORM

static void heard_for(int64_t us)
{
    for (int64_t step = 10 * 1000000ll; us > 0; us -= step) {
        world_pass(&w, step);
        world_beat(&w, &h);
    }
}

static void what_a_window_forgets_while_the_broker_is_down_brings_a_task_back(void **state)
{
    (void)state;
    open_world(SHORT_WINDOW, 2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    fails(BINA);
    fails(BINA);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_pass(&w, 2 * 3600 * 1000000ll);
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    roster(2, "make", "red");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_clear(&w);
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void what_a_window_forgets_while_the_broker_is_down_may_shut_out_the_last_one(void **state)
{
    (void)state;
    open_world(SHORT_WINDOW, 2);
    world_put(&w, run, 3);
    answers(BINA, "b");
    answers(BINA, "b");
    heard_for(50 * 60 * 1000000ll);
    fails(BINA);
    fails(BINA);
    for (unsigned i = 0; i < 3; i++)
        answers(ASHA, "a");
    settled();
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1); /* two of four */
    heard_for(30 * 60 * 1000000ll);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1);
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    settled();
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 1); /* two of two */
    world_end(&w);
}

static void a_jury_for_which_nobody_is_registered_is_told_at_once(void **state)
{
    (void)state;
    open_world(HEAD "  - name: pick\n    type: tournament\n    contestants: 2\n    worker: {skills: {make: 1}}\n    "
                    "jury: {max: 3, ties: first, worker: {skills: {judge: 1}}}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    assert_int_equal(at(1, "state"), TASK_DEAD);
    parked_because("nobody is left: of 2 votes wanted 0 are in, and no worker is registered who may judge");
    struct staff v[] = { { names[ASHA], 0, "make", 1, NULL }, { names[CHANDRA], 0, "judge", 1, NULL } };
    staff_roster(&w, &h, v, 2);
    settled();
    assert_int_equal(at(1, "state"), TASK_READY);
    set_standing("chandra", SUSPEND, "pick.jury"); /* and all of one are kept out */
    settled();
    assert_int_equal(at(1, "state"), TASK_DEAD);
    parked_because("nobody is left: of 2 votes wanted 0 are in, and all 1 workers who may judge are kept out");
    world_end(&w);
}

static void fails_at(struct world_hub *hub, unsigned worker)
{
    world_clear(&w);
    world_credit(&w, hub, worker, 1);
    assert_int_equal(world_tasks(&w, hub, t, 64), 1);
    assert_int_equal(world_act(&w, hub, &t[0], ACT_FAIL, NULL, NULL), SLP_E_OK);
}

/* asha and bina alone may do it. asha fell short of what was required, bina has answered; while what a new version requires (nothing) is looked at for 2,300 others first, the broker
 * may be started again. */
static void nothing_is_required_any_more(bool restart)
{
    static const char *const line = HEAD "  - name: s\n    worker: {skills: {rare: 1}}\n    copies: {min: 2}\n    "
                                         "agree: {method: all}\n    attempts: 9\n    backoff: 0\n%s" FORM;
    char strict[600], lax[600];
    struct world_hub other;
    snprintf(strict, sizeof strict, line, "    require: {abandonment: \"<= 0.5\", after: 2}\n");
    snprintf(lax, sizeof lax, line, "");
    open_world(strict, 0);
    crowd(0, 2300);
    struct staff v[] = { { names[ASHA], 0, "rare", 1, NULL }, { names[BINA], 0, "rare", 1, NULL } };
    staff_hub(&w, &other, "other", v, 2);
    world_put(&w, run, 1);
    h.workers = 1;
    for (unsigned i = 0; i < 2300; i++) { /* all of them are signed in */
        h.worker[0] = 1 + i;
        h.granted[0] = 0;
        world_clear(&w);
        world_credit(&w, &h, 0, 1);
    }
    fails_at(&other, 1);
    fails_at(&other, 1);
    world_clear(&w);
    world_credit(&w, &other, 0, 1);
    assert_int_equal(world_tasks(&w, &other, t, 64), 1);
    assert_int_equal(world_submit(&w, &other, &t[0], "a"), SLP_E_OK);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_line(&w, lax); /* 500 bars */
    world_tick(&w);      /* the sweep, then 500 bars more */
    assert_int_equal(at(0, "state"), TASK_DEAD);
    if (restart) {
        world_restart(&w);
        world_hello(&w, &h, NULL, 0);
        world_hello(&w, &other, NULL, 0);
    }
    settled();
    if (restart) {
        other.granted[1] = 0;
        world_credit(&w, &other, 1, 1); /* she is there, and asks */
        settled();
    }
    assert_int_not_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void who_may_again_by_a_new_version_brings_it_back(void **state)
{
    (void)state;
    nothing_is_required_any_more(false);
}

static void who_may_again_by_a_new_version_brings_it_back_over_a_start(void **state)
{
    (void)state;
    nothing_is_required_any_more(true);
}

static void those_who_are_kept_out_are_counted_in_portions(void **state)
{
    char name[32];
    (void)state;
    open_world(plain, 0);
    crowd(0, CROWD);
    world_put(&w, run, 1);
    for (unsigned i = 1; i < CROWD; i++) {
        snprintf(name, sizeof name, "w%u", i);
        set_standing(name, SUSPEND, "s");
    }
    world_restart(&w); /* what was counted is forgotten */
    world_hello(&w, &h, NULL, 0);
    h.workers = 1;
    h.worker[0] = 1;
    h.granted[0] = 0;
    declines(0);
    assert_int_equal(at(0, "state"), TASK_READY); /* they are being counted */
    unsigned ticks = 0;
    for (; engine_backlog(w.engine) && ticks < 20; ticks++)
        world_tick(&w);
    assert_true(ticks >= 2 && ticks < 20);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    set_standing("w7", READMIT, "s");
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

/* Of 1200 all but one have declined before a start; he does while they are being counted. */
static void the_last_of_many_may_decline_while_they_are_being_counted(void **state)
{
    (void)state;
    open_world(plain, 0);
    crowd(0, 1200);
    set_standing("w7", SUSPEND, "s");
    set_standing("w7", READMIT, "s"); /* from here on each one's record is read */
    world_put(&w, run, 1);
    h.workers = 1;
    for (unsigned i = 0; i < 1200; i++) {
        if (i == 1199) {
            world_restart(&w);
            world_hello(&w, &h, NULL, 0);
        }
        h.worker[0] = 1 + i;
        h.granted[0] = 0;
        declines(0);
    }
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_who_is_suspended_is_nobody_until_he_comes_back),
        cmocka_unit_test(the_last_one_who_is_suspended_in_a_pause_is_nobody_as_well),
        cmocka_unit_test(who_is_left_is_known_still_when_the_station_gets_a_limit),
        cmocka_unit_test(who_had_his_say_while_he_was_suspended_brings_nothing_back),
        cmocka_unit_test(who_has_his_say_late_and_is_the_last_one_leaves_nobody),
        cmocka_unit_test(who_declined_and_answered_late_while_he_was_suspended_keeps_nothing_waiting),
        cmocka_unit_test(a_late_answer_takes_the_place_of_one_that_is_void),
        cmocka_unit_test(a_late_answer_takes_the_place_of_one_that_is_void_where_nobody_agreed),
        cmocka_unit_test(a_place_that_who_is_suspended_holds_at_his_old_hub_comes_back),
        cmocka_unit_test(a_task_that_who_is_suspended_holds_at_his_old_hub_comes_back),
        cmocka_unit_test(another_may_come_instead_of_who_is_suspended),
        cmocka_unit_test(his_suspension_counts_though_he_is_not_signed_in),
        cmocka_unit_test(work_that_nobody_has_had_waits_while_all_are_suspended),
        cmocka_unit_test(who_falls_short_of_what_is_required_is_nobody_until_that_is_another),
        cmocka_unit_test(a_new_version_may_require_what_the_last_one_has_not),
        cmocka_unit_test(what_a_window_forgets_while_the_broker_is_down_brings_a_task_back),
        cmocka_unit_test(what_a_window_forgets_while_the_broker_is_down_may_shut_out_the_last_one),
        cmocka_unit_test(a_jury_for_which_nobody_is_registered_is_told_at_once),
        cmocka_unit_test(who_may_again_by_a_new_version_brings_it_back),
        cmocka_unit_test(who_may_again_by_a_new_version_brings_it_back_over_a_start),
        cmocka_unit_test(those_who_are_kept_out_are_counted_in_portions),
        cmocka_unit_test(the_last_of_many_may_decline_while_they_are_being_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
