/* The engine: shares between runs, where several stations have the same workers. docs/adr/0008-fair-shares.md */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"

static struct world w;
static struct world_hub hub;
static const struct staff staff[] = { { "asha", 0, "law", 1, NULL }, { "otieno", 0, NULL, 0, NULL } };

/* Station `law/s` is for asha alone, `plain/s` for her and for otieno. */
static int open_world(void **state)
{
    static const char text[] =
        "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n"
        "    form: {fields: [{name: a, type: short_answer}]}\n";
    char yaml[400];
    (void)state;
    memset(&w, 0, sizeof w);
    memset(&hub, 0, sizeof hub);
    world_open(&w);
    staff_hub(&w, &hub, "kathmandu", staff, 2);
    snprintf(yaml, sizeof yaml, text, "plain", "{}");
    world_line(&w, yaml);
    snprintf(yaml, sizeof yaml, text, "law", "{skills: {law: 1}}");
    world_line(&w, yaml);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static uint64_t got(const char *run)
{
    return world_count(&w, run, "s", TASK_ASSIGNED);
}

static void a_run_that_slept_is_not_behind_the_one_that_began_alone_meanwhile(void **state)
{
    (void)state;
    world_put(&w, world_run(&w, "law", "neighbour"), 50); /* waits all the time for asha, who is not there */
    uint64_t first = world_run(&w, "plain", "first"), second = world_run(&w, "plain", "second");
    world_put(&w, first, 20);
    world_credit(&w, &hub, 1, 21); /* otieno does all of it, and waits: the run sleeps */
    assert_int_equal(got("first"), 20);
    world_put(&w, second, 20); /* alone at its station, it begins with the neighbour */
    world_put(&w, first, 20);
    world_credit(&w, &hub, 1, 9);
    assert_int_equal(got("first") - 20 + got("second"), 10);
    assert_in_range(got("second"), 4, 6);
}

static void nor_is_it_after_a_restart(void **state)
{
    struct world_task t[20];
    (void)state;
    world_put(&w, world_run(&w, "law", "neighbour"), 50);
    uint64_t first = world_run(&w, "plain", "first"), second = world_run(&w, "plain", "second");
    world_put(&w, first, 20);
    world_credit(&w, &hub, 1, 20);
    assert_int_equal(world_tasks(&w, &hub, t, 20), 20);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(world_submit(&w, &hub, &t[i], "done"), SLP_E_OK);
    world_restart(&w); /* clocks of stations are forgotten, times of runs are not */
    world_put(&w, second, 20);
    world_put(&w, first, 20);
    world_hello(&w, &hub, NULL, 0);
    staff_roster(&w, &hub, staff, 2);
    world_credit(&w, &hub, 1, 10);
    assert_int_equal(got("first") + got("second"), 10);
    assert_in_range(got("second"), 4, 6);
}

static void what_it_did_at_other_stations_still_counts(void **state)
{
    static const struct staff v[] = { { "asha", 0, "law", 1, NULL },
                                      { "otieno", 0, NULL, 0, NULL },
                                      { "kamau", 0, "typing", 1, NULL } };
    struct world_task t[20];
    (void)state;
    staff_roster(&w, &hub, v, 3);
    world_line(&w, "line: typing\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n"
                   "    worker: {skills: {typing: 1}}\n");
    world_line(&w,
               "line: long\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n"
               "    worker: {skills: {law: 1}}\n    form: {fields: [{name: a, type: short_answer}]}\n  - name: s\n");
    world_put(&w, world_run(&w, "typing", "neighbour"), 50); /* waits for kamau */
    uint64_t longer = world_run(&w, "long", "longer"), plain = world_run(&w, "plain", "plain");
    world_put(&w, longer, 10);
    world_credit(&w, &hub, 0, 11);
    assert_int_equal(world_tasks(&w, &hub, t, 20), 10);
    world_put(&w, plain, 20); /* begins with the neighbour; asha gets the first */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_submit(&w, &hub, &t[i], "done"), SLP_E_OK);
    world_credit(&w, &hub, 1, 6);
    assert_int_equal(got("plain"), 7); /* the longer run had ten at its first station */
}

/* The worker gets nothing of a run that is before them both, so his task is looked for behind it: there the paused one is passed by, again and again. */
static void a_run_that_was_paused_makes_up_for_nothing(void **state)
{
    struct world_task t;
    (void)state;
    uint64_t before = world_run(&w, "plain", "before"), one = world_run(&w, "plain", "one"),
             other = world_run(&w, "plain", "other");
    world_put(&w, before, 1);
    world_credit(&w, &hub, 1, 1);
    assert_int_equal(world_tasks(&w, &hub, &t, 1), 1);
    assert_int_equal(world_act(&w, &hub, &t, ACT_DECLINE, NULL, NULL), SLP_E_OK); /* it waits for asha */
    assert_int_equal(world_run_set(&w, "before", RUN_SET_PRIORITY, 6), SLP_E_OK);
    world_put(&w, one, 30);
    world_put(&w, other, 30);
    world_credit(&w, &hub, 1, 4);
    assert_int_equal(got("one"), 2);
    assert_int_equal(got("other"), 2);
    assert_int_equal(world_run_set(&w, "other", RUN_SET_PAUSE, 0), SLP_E_OK);
    world_tick(&w); /* what was not begun goes back */
    world_credit(&w, &hub, 1, 10);
    assert_int_equal(got("other"), 0);
    assert_int_equal(world_run_set(&w, "other", RUN_SET_RESUME, 0), SLP_E_OK);
    world_credit(&w, &hub, 1, 6);
    assert_in_range(got("other"), 2, 4);
}

/* Two runs at law/s, where asha got a task of the first; the second's turn has come. Elsewhere much was done meanwhile, at a station with which they share nobody. */
static void the_seconds_turn(void)
{
    static const struct staff v[] = { { "asha", 0, "law", 1, NULL }, { "kamau", 0, "typing", 1, NULL } };
    struct world_task t[30];
    staff_roster(&w, &hub, v, 2);
    world_line(&w, "line: typing\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n"
                   "    worker: {skills: {typing: 1}}\n    form: {fields: [{name: a, type: short_answer}]}\n");
    world_put(&w, world_run(&w, "law", "first"), 20);
    world_put(&w, world_run(&w, "law", "second"), 20);
    world_credit(&w, &hub, 0, 1);
    assert_int_equal(got("first"), 1);
    world_put(&w, world_run(&w, "typing", "elsewhere"), 30);
    world_clear(&w);
    world_credit(&w, &hub, 1, 30);
    assert_int_equal(world_tasks(&w, &hub, t, 30), 30);
}

static void a_run_keeps_its_turn_when_somebody_is_suspended_from_its_station(void **state)
{
    (void)state;
    the_seconds_turn();
    struct slp_worker_set q = { .name = { "kamau", 5 }, .line = { "law", 3 }, .station = { "s", 1 } };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    world_credit(&w, &hub, 0, 1);
    assert_int_equal(got("second"), 1);
}

static void a_run_keeps_its_turn_when_its_station_gets_a_limit(void **state)
{
    (void)state;
    the_seconds_turn();
    world_line(&w, "line: law\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    at_once: 9\n"
                   "    worker: {skills: {law: 1}}\n    form: {fields: [{name: a, type: short_answer}]}\n");
    world_credit(&w, &hub, 0, 1);
    assert_int_equal(got("second"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_that_slept_is_not_behind_the_one_that_began_alone_meanwhile, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(nor_is_it_after_a_restart, open_world, end_world),
        cmocka_unit_test_setup_teardown(what_it_did_at_other_stations_still_counts, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_run_that_was_paused_makes_up_for_nothing, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_run_keeps_its_turn_when_somebody_is_suspended_from_its_station, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(a_run_keeps_its_turn_when_its_station_gets_a_limit, open_world, end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
