/* The engine: tasks for which nobody is left of all who are registered. They are parked and say so, and come back when somebody comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/jury.h"
#include "tests/lib/engine_staff.h"

static struct world w;
static struct world_hub h;
static struct world_task t[64];
static uint64_t run;
static uint32_t station;

enum { ASHA, BINA, CHANDRA, DEEPA, ESHA, FULBA, STAFF };
static const char *const names[STAFF] = { "asha", "bina", "chandra", "deepa", "esha", "fulba" };

#define HEAD "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
#define FORM "    form: {fields: [{name: a, type: short_answer}]}\n"
static const char *const copies =
    HEAD "  - name: s\n    worker: {skills: {make: 1}}\n    copies: {min: 3}\n    agree: {method: all}\n" FORM;
static const char *const contest =
    HEAD "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: "
         "first}\n    worker: {skills: {make: 1}}\n" FORM;
static const char *const alone =
    HEAD "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    worker: {only_teams: [red]}\n" FORM;

/* The first n of them, who all have this skill and team. */
static void roster(unsigned n, const char *skill, const char *team)
{
    struct staff v[STAFF];
    for (unsigned i = 0; i < n; i++)
        v[i] = (struct staff){ names[i], 0, skill, 1, team };
    staff_roster(&w, &h, v, n);
}

static void open_world(const char *line, unsigned workers)
{
    memset(&h, 0, sizeof h);
    memset(&w, 0, sizeof w);
    world_open(&w);
    station = world_line(&w, line);
    run = world_run(&w, "l", "r");
    staff_hub(&w, &h, "hub", NULL, 0);
    roster(workers, "make", "red");
    world_clear(&w);
}

static struct world_task given(unsigned worker)
{
    world_clear(&w);
    world_credit(&w, &h, worker, 1);
    return world_tasks(&w, &h, t, 64) ? t[0] : (struct world_task){ 0 };
}

static struct world_task taken(unsigned worker)
{
    struct world_task a = given(worker);
    assert_int_not_equal(a.assignment, 0);
    return a;
}

static void answers(unsigned worker, const char *text)
{
    struct world_task a = taken(worker);
    assert_int_equal(world_submit(&w, &h, &a, text), SLP_E_OK);
}

static uint64_t at(unsigned idx, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "stations[%u].%s", idx, what);
    return world_story(&w, "r", 1, path);
}

/* The text with which it was parked begins so. */
static void parked_because(const char *text)
{
    struct slp_tasks_get q = { .station_id = station, .which = 2 };
    struct slp_item_task_row row;
    for (uint32_t i = 0; i < 2; i++) {
        q.station_id = station + i;
        const struct slp_msg *m = world_read(&w, SLP_TASKS_GET, &q);
        if (m->type != SLP_TASKS)
            break;
        struct slp_cursor c = slp_each(m->u.tasks.rows);
        if (slp_next_task_row(&c, &row)) {
            assert_true(row.reason.n >= strlen(text));
            assert_memory_equal(row.reason.p, text, strlen(text));
            return;
        }
    }
    fail_msg("nothing is parked");
}

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
    assert_int_equal(world_tasks_set(&w, station, 0, "r", (uint64_t[]){ 1 }, 1), 0); /* nothing would come of it */
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
    assert_int_equal(world_tasks_set(&w, station, 0, "r", NULL, 0), 2);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
