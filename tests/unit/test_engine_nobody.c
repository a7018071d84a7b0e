/* The engine: tasks for which nobody is left of all who are registered. They are parked and say so, and come back when somebody comes. */
#include "broker/engine/jury.h"
#include "tests/unit/nobody_world.h"

static const char *const contest =
    HEAD "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: "
         "first}\n    worker: {skills: {make: 1}}\n" FORM;
static const char *const alone =
    HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    worker: {only_teams: [red]}\n" FORM;

static void more_answers_than_workers_are_parked_and_go_on_when_one_comes(void **state)
{
    (void)state;
    open_world(copies, 2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(0, "state"), TASK_READY);
    answers(BINA, "b");
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because(
        "nobody is left: of 3 answers wanted 2 are in, and of 2 workers who may answer, all have had a part in it");
    stays_parked("unit 1 stays parked: nobody is left: of 3 answers wanted 2 are in");
    world_tasks_set(&w, station, 0, "r", NULL, 0);
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    roster(3, "make", "red");
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(at(0, "state"), TASK_READY);
    assert_int_equal(at(0, "outcome.counted"), 2);
    answers(CHANDRA, "c");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void nobody_who_declined_is_left_either(void **state)
{
    (void)state;
    open_world(copies, 2);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA), b = taken(BINA);
    assert_int_equal(world_act(&w, &h, &a, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_READY); /* bina holds it: she may give it back, and have it again */
    assert_int_equal(world_act(&w, &h, &b, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_READY);
    b = taken(BINA);
    assert_int_equal(world_act(&w, &h, &b, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 3 answers wanted 0 are in");
    world_end(&w);
}

static void a_jury_that_cannot_be_seated_is_told_at_once(void **state)
{
    (void)state;
    open_world(contest, 2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    assert_int_equal(at(1, "state"), TASK_DEAD);
    parked_because("nobody is left: of 2 votes wanted 0 are in, and of 2 workers who may judge");
    roster(3, "make", "red");
    world_tick(&w);
    assert_int_equal(at(1, "state"), TASK_READY);
    answers(CHANDRA, "1"); /* one of two: that does not settle it, and there is nobody for another */
    assert_int_equal(at(1, "state"), TASK_DEAD);
    roster(4, "make", "red");
    world_tick(&w);
    struct world_task a = taken(DEEPA);
    uint8_t order[SL_COPIES_MAX], first[SL_COPIES_MAX];
    jury_order(run, 1, h.worker[CHANDRA], 2, first);
    jury_order(run, 1, a.worker, 2, order);
    assert_int_equal(world_submit(&w, &h, &a, order[0] == first[0] ? "1" : "2"), SLP_E_OK);
    assert_int_equal(at(1, "state"), TASK_DONE);
    world_end(&w);
}

static void who_leaves_may_have_been_the_last(void **state)
{
    (void)state;
    open_world(copies, 3);
    world_put(&w, run, 3);
    answers(ASHA, "a");
    roster(1, "make", "red");
    world_tick(&w);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 2); /* nobody has had these */
    roster(1, "other", "red");                                  /* nobody at all is left: they wait as at any station */
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 2);
    roster(4, "other", "red");
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 1);
    roster(4, "make", "red"); /* they learned it */
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 0);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 3);
    world_end(&w);
}

static void whose_result_came_too_late_is_not_left(void **state)
{
    (void)state;
    open_world(HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    lease: 30s\n    attempts: 9\n    "
                    "backoff: 0\n" FORM,
               3);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_START, NULL, NULL), SLP_E_OK);
    for (int i = 0; i < 4; i++) {
        world_pass(&w, 10 * 1000000ll);
        world_beat(&w, &h);
    }
    world_clear(&w);
    struct world_task b = taken(BINA), c = taken(CHANDRA);
    assert_int_equal(world_act(&w, &h, &b, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&w, &h, &c, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_submit(&w, &h, &a, "late"), SLP_E_LATE);
    assert_int_equal(world_submit(&w, &h, &b, "b"), SLP_E_OK);
    assert_int_equal(world_act(&w, &h, &c, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void hubs_and_teams_that_a_station_names_are_counted_apart(void **state)
{
    (void)state;
    open_world(alone, 2);
    struct staff v[] = { { "asha", 0, NULL, 1, "red" },
                         { "bina", 0, NULL, 1, "blue" },
                         { "chandra", 0, NULL, 1, NULL } };
    staff_roster(&w, &h, v, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(0, "state"), TASK_DEAD);
    v[2].team = "red";
    staff_roster(&w, &h, v, 3);
    world_tick(&w);
    answers(CHANDRA, "c");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void a_requeue_of_all_passes_by_what_cannot_go_on(void **state)
{
    (void)state;
    open_world(copies, 2);
    world_put(&w, run, 3);
    answers(ASHA, "a"); /* unit 1 */
    answers(BINA, "b");
    struct world_task a = taken(ASHA); /* unit 2 */
    assert_int_equal(world_act(&w, &h, &a, ACT_BURY, "no", NULL), SLP_E_OK);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 2);
    assert_int_equal(world_tasks_set(&w, station, 0, "r", NULL, 0), 1); /* the other one stays */
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 1);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    world_end(&w);
}

static void what_they_did_before_shuts_them_out_as_well(void **state)
{
    (void)state;
    open_world(HEAD
               "  - name: one\n" FORM
               "  - name: two\n    worker: {not_who_did: [one]}\n    copies: {min: 2}\n    agree: {method: all}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(1, "state"), TASK_READY);
    answers(BINA, "b");
    assert_int_equal(at(1, "state"), TASK_DEAD);
    roster(3, "make", "red");
    world_tick(&w);
    answers(CHANDRA, "c");
    assert_int_equal(at(1, "state"), TASK_DONE);
    world_end(&w);
}

/* ---- without copies ---- */

static const char *const checked = HEAD "  - name: one\n    worker: {skills: {make: 1}}\n" FORM
                                        "  - name: two\n    worker: {skills: {make: 1}, not_who_did: [one]}\n" FORM;
static const char *const reviewed =
    HEAD "  - name: one\n    worker: {skills: {make: 1}}\n" FORM
         "  - name: look\n    type: improve\n    rounds: 3\n    return_to_author: 4h\n    reasons: [wrong]\n";

static void a_task_that_all_have_declined_is_parked_and_comes_back(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 2);
    declines(ASHA);
    assert_int_equal(at(0, "state"), TASK_READY);
    declines(BINA);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1); /* nobody has had the other */
    parked_because("nobody is left: of 2 workers who may do it, all have declined it");
    stays_parked("unit 1 stays parked: nobody is left: of 2 workers who may do it, all have declined it");
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    roster(3, "make", "red");
    world_tick(&w);
    assert_int_equal(at(0, "state"), TASK_READY);
    answers(CHANDRA, "c");
    assert_int_equal(at(0, "state"), TASK_DONE);
    world_end(&w);
}

static void who_gives_a_task_back_is_left(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 1);
    declines(ASHA);
    struct world_task a = taken(BINA);
    assert_int_equal(world_act(&w, &h, &a, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(at(0, "state"), TASK_READY);
    a = taken(BINA);
    assert_int_equal(world_act(&w, &h, &a, ACT_FAIL, NULL, NULL), SLP_E_OK);
    world_pass(&w, 3600 * 1000000ll);
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void the_last_one_may_leave_while_he_holds_it(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 1);
    declines(BINA);
    taken(ASHA);
    struct staff v[] = { { names[BINA], 0, "make", 1, "red" } };
    staff_roster(&w, &h, v, 1);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 1 workers who may do it");
    world_end(&w);
}

static void the_last_one_may_leave_while_it_waits_for_him(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 3);
    declines(ASHA); /* units 1 and 2 */
    declines(ASHA);
    roster(1, "make", "red");
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 2);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1);
    roster(1, "other", "red"); /* nobody at all */
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 1);
    roster(2, "make", "red");
    world_tick(&w);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 0);
    world_end(&w);
}

static void what_he_made_himself_is_parked_where_nobody_else_may_check_it(void **state)
{
    (void)state;
    open_world(checked, 1);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(1, "state"), TASK_DEAD);
    parked_because("nobody is left: of 1 workers who may do it, all have declined it or had a part in what");
    roster(2, "make", "red");
    world_tick(&w);
    assert_int_equal(at(1, "state"), TASK_READY);
    answers(BINA, "b");
    assert_int_equal(at(1, "state"), TASK_DONE);
    world_end(&w);
}

static void work_waits_for_those_who_are_not_registered_yet(void **state)
{
    (void)state;
    open_world(HEAD "  - name: one\n    worker: {skills: {make: 1}}\n" FORM
                    "  - name: two\n    worker: {skills: {check: 1}, not_who_did: [one]}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(1, "state"), TASK_READY); /* nobody may check anything: no reason to park this one */
    struct staff v[] = { { names[ASHA], 0, "check", 1, NULL }, { names[BINA], 0, "make", 1, NULL } };
    staff_roster(&w, &h, v, 2);
    world_tick(&w);
    assert_int_equal(at(1, "state"), TASK_DEAD); /* its author is the only one */
    v[0].skill = "make";
    staff_roster(&w, &h, v, 2);
    world_tick(&w);
    assert_int_equal(at(1, "state"), TASK_DEAD); /* again nobody: that brings nothing back */
    v[1].skill = "check";
    staff_roster(&w, &h, v, 2);
    world_tick(&w);
    answers(BINA, "b");
    assert_int_equal(at(1, "state"), TASK_DONE);
    world_end(&w);
}

static void verdict(unsigned worker, const char *word, const char *note, const char *reason)
{
    const char *const v[] = { NULL, word, note, reason };
    struct slp_buf b = { 0 }, values = { 0 };
    struct world_task a = taken(worker);
    for (unsigned i = 0; i < 4; i++)
        if (v[i])
            slp_pack_cstr(&values, v[i]);
        else
            slp_pack_nil(&values);
    struct slp_item_result it = { .assignment = a.assignment,
                                  .worker = a.worker,
                                  .values = { values.p, (uint32_t)values.n, 4 } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = h.session, .results = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_send(&w, h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
    slp_buf_free(&b);
    slp_buf_free(&values);
}

static void a_review_by_its_author_alone_is_parked(void **state)
{
    (void)state;
    open_world(reviewed, 1);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(1, "state"), TASK_DEAD);
    parked_because("nobody is left: of 1 workers who may review it");
    roster(2, "make", "red");
    world_tick(&w);
    verdict(BINA, "accept", NULL, NULL);
    assert_int_equal(at(1, "state"), TASK_DONE);
    world_end(&w);
}

static void returned_work_waits_for_an_author_who_left_no_longer_than_it_is_his(void **state)
{
    (void)state;
    open_world(reviewed, 3);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    verdict(BINA, "reject", "no", "wrong");
    struct staff v[] = { { names[BINA], 0, "make", 1, "red" }, { names[CHANDRA], 0, "make", 1, "red" } };
    staff_roster(&w, &h, v, 2);
    world_tick(&w);
    assert_int_equal(at(0, "state"), TASK_READY);
    assert_int_equal(given(1).assignment, 0); /* chandra: it is asha's still, who may come back */
    for (int i = 0; i < 4 * 360 + 1; i++) {
        world_pass(&w, 10 * 1000000ll);
        world_beat(&w, &h);
    }
    assert_true(world_story_is(&w, "r", 1, "stations[0].assignments[1].worker", "chandra"));
    world_end(&w);
}

static void returned_work_of_an_author_who_left_and_of_whom_nobody_else_will_have_it_is_parked(void **state)
{
    (void)state;
    open_world(reviewed, 3);
    world_put(&w, run, 1);
    declines(CHANDRA);
    answers(ASHA, "a");
    struct world_task a = taken(BINA);
    (void)a;
    world_act(&w, &h, &a, ACT_RELEASE, NULL, NULL);
    verdict(BINA, "reject", "no", "wrong");
    declines(ASHA); /* it is bina's, who reviewed it, or nobody's */
    declines(BINA);
    assert_int_equal(at(0, "state"), TASK_DEAD);
    assert_int_equal(at(1, "state"), TASK_BLOCKED);
    roster(4, "make", "red");
    world_tick(&w);
    answers(DEEPA, "d");
    assert_int_equal(at(1, "state"), TASK_READY);
    world_end(&w);
}

static void what_is_parked_at_once_is_parked_in_portions(void **state)
{
    (void)state;
    open_world(checked, 2);
    world_put(&w, run, 2600);
    for (unsigned i = 0; i < 2600; i++)
        answers(ASHA, "a");
    assert_int_equal(world_count(&w, "r", "two", TASK_READY), 2600);
    roster(1, "make", "red");
    uint64_t dead = 0, steps = 0;
    while (engine_backlog(w.engine) && steps++ < 20) {
        world_tick(&w);
        uint64_t now = world_count(&w, "r", "two", TASK_DEAD);
        assert_true(now - dead <= 500);
        dead = now;
        if (steps == 3)
            world_restart(&w);
    }
    assert_int_equal(dead, 2600);
    world_hello(&w, &h, NULL, 0);
    roster(2, "make", "red");
    for (steps = 0; engine_backlog(w.engine) && steps < 20; steps++)
        world_tick(&w);
    assert_int_equal(world_count(&w, "r", "two", TASK_READY), 2600);
    world_end(&w);
}

/* ---- of many ---- */

static void of_more_than_a_thousand_the_last_one_is_found_as_well(void **state)
{
    (void)state;
    open_world(plain, 0);
    crowd(0, 1200);
    world_put(&w, run, 1);
    h.workers = 1;
    for (unsigned i = 0; i < 1200; i++) {
        assert_int_equal(at(0, "state"), TASK_READY);
        h.worker[0] = 1 + i;
        h.granted[0] = 0;
        declines(0);
    }
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because("nobody is left: of 1200 workers who may do it, all have declined it");
    crowd(0, 1201);
    settled();
    assert_int_equal(at(0, "state"), TASK_READY);
    world_end(&w);
}

static void of_several_that_stay_parked_the_first_is_named(void **state)
{
    (void)state;
    open_world(plain, 1);
    world_put(&w, run, 2);
    declines(ASHA);
    declines(ASHA);
    assert_int_equal(world_count(&w, "r", "s", TASK_DEAD), 2);
    struct slp_buf b = { 0 };
    slp_pack_u64(&b, 2);
    slp_pack_u64(&b, 1);
    struct slp_tasks_set q = { .station_id = station, .run = world_str("r"), .units = { b.p, (uint32_t)b.n, 2 } };
    SLP_SET(&q, tasks_set, run);
    SLP_SET(&q, tasks_set, units);
    const struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_TASKS_SET, &q);
    slp_buf_free(&b);
    assert_int_equal(world_code(m), SLP_E_BAD_STATE);
    assert_memory_equal(m->u.error.text.p, "unit 2 stays parked: nobody is left", 35);
    world_end(&w);
}

static void entries_that_nobody_is_left_for_are_told_as_such(void **state)
{
    (void)state;
    open_world(HEAD "  - name: s\n    type: tournament\n    worker: {skills: {make: 1}}\n    contestants: 3\n    jury: "
                    "{max: 3, ties: first}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    answers(BINA, "b");
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD);
    parked_because(
        "nobody is left: of 3 entries wanted 2 are in, and of 2 workers who may answer, all have had a part");
    world_end(&w);
}

static void who_comes_brings_nothing_back_of_a_run_that_is_over(void **state)
{
    (void)state;
    open_world(plain, 1);
    uint64_t other = world_run(&w, "l", "other");
    world_put(&w, run, 1);
    declines(ASHA);
    world_put(&w, other, 1);
    declines(ASHA);
    assert_int_equal(world_count(&w, "other", "s", TASK_DEAD), 1);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    roster(2, "make", "red");
    settled();
    assert_int_equal(world_count(&w, "other", "s", TASK_READY), 1);
    assert_int_equal(world_count(&w, "r", "s", TASK_READY), 0);
    assert_int_equal(world_count(&w, "r", "s", TASK_ENDED), 1);
    world_end(&w);
}

static void who_comes_back_and_could_check_only_what_he_made_leaves_nobody(void **state)
{
    (void)state;
    open_world(HEAD "  - name: one\n    worker: {skills: {make: 1}}\n" FORM
                    "  - name: two\n    worker: {skills: {check: 1}, not_who_did: [one]}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    assert_int_equal(at(1, "state"), TASK_READY); /* nobody may check anything */
    struct staff v[] = { { names[BINA], 0, "make", 1, NULL }, { names[ASHA], 0, "check", 1, NULL } };
    staff_roster(&w, &h, v, 1); /* she leaves, */
    settled();
    staff_roster(&w, &h, v, 2); /* and comes back: the only one who may check, but not this */
    settled();
    assert_int_equal(at(1, "state"), TASK_DEAD);
    world_end(&w);
}

static void who_moves_to_the_hub_that_checks_leaves_nobody(void **state)
{
    struct world_hub other;
    (void)state;
    open_world(HEAD "  - name: one\n" FORM "  - name: two\n    worker: {only_hubs: [lab], not_who_did: [one]}\n" FORM,
               2);
    world_put(&w, run, 1);
    answers(ASHA, "a");
    struct staff v[] = { { names[BINA], 0, "make", 1, NULL }, { names[ASHA], 0, "make", 1, NULL } };
    staff_roster(&w, &h, v, 1); /* she leaves, */
    settled();
    staff_hub(&w, &other, "lab", v + 1, 1); /* and comes back elsewhere */
    settled();
    assert_int_equal(at(1, "state"), TASK_DEAD);
    world_end(&w);
}

/* He declined it, and answered it nevertheless. */
static void who_declined_is_not_left_though_he_answers_late(void **state)
{
    (void)state;
    open_world(plain, 2);
    world_put(&w, run, 1);
    struct world_task a = taken(ASHA);
    assert_int_equal(world_act(&w, &h, &a, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    struct world_task b = taken(BINA);
    assert_int_equal(world_act(&w, &h, &b, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_submit(&w, &h, &a, "after all"), SLP_E_LATE);
    assert_int_equal(world_act(&w, &h, &b, ACT_DECLINE, NULL, NULL), SLP_E_OK);
    settled();
    assert_int_equal(at(0, "state"), TASK_DEAD); /* "this worker never gets this task again" */
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_answers_than_workers_are_parked_and_go_on_when_one_comes),
        cmocka_unit_test(nobody_who_declined_is_left_either),
        cmocka_unit_test(a_jury_that_cannot_be_seated_is_told_at_once),
        cmocka_unit_test(who_leaves_may_have_been_the_last),
        cmocka_unit_test(whose_result_came_too_late_is_not_left),
        cmocka_unit_test(hubs_and_teams_that_a_station_names_are_counted_apart),
        cmocka_unit_test(a_requeue_of_all_passes_by_what_cannot_go_on),
        cmocka_unit_test(what_they_did_before_shuts_them_out_as_well),
        cmocka_unit_test(a_task_that_all_have_declined_is_parked_and_comes_back),
        cmocka_unit_test(who_gives_a_task_back_is_left),
        cmocka_unit_test(the_last_one_may_leave_while_he_holds_it),
        cmocka_unit_test(the_last_one_may_leave_while_it_waits_for_him),
        cmocka_unit_test(what_he_made_himself_is_parked_where_nobody_else_may_check_it),
        cmocka_unit_test(work_waits_for_those_who_are_not_registered_yet),
        cmocka_unit_test(a_review_by_its_author_alone_is_parked),
        cmocka_unit_test(returned_work_waits_for_an_author_who_left_no_longer_than_it_is_his),
        cmocka_unit_test(returned_work_of_an_author_who_left_and_of_whom_nobody_else_will_have_it_is_parked),
        cmocka_unit_test(what_is_parked_at_once_is_parked_in_portions),
        cmocka_unit_test(of_more_than_a_thousand_the_last_one_is_found_as_well),
        cmocka_unit_test(of_several_that_stay_parked_the_first_is_named),
        cmocka_unit_test(entries_that_nobody_is_left_for_are_told_as_such),
        cmocka_unit_test(who_comes_brings_nothing_back_of_a_run_that_is_over),
        cmocka_unit_test(who_comes_back_and_could_check_only_what_he_made_leaves_nobody),
        cmocka_unit_test(who_moves_to_the_hub_that_checks_leaves_nobody),
        cmocka_unit_test(who_declined_is_not_left_though_he_answers_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
