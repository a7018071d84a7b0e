/* The engine: which worker gets which task. Hubs, teams and preferences; why somebody gets none. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"

#define SECOND 1000000ll

static struct world w;
static struct world_hub ktm, nbo;
static struct world_task t[64];

static const struct staff asha = { "asha", 0, "law", 3, "nights" }, bina = { "bina", 0, "law", 1, NULL },
                          wanjiku = { "wanjiku", 0, "law", 3, "days" }, otieno = { "otieno", 0, NULL, 0, "nights" };

static int open_world(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    memset(&ktm, 0, sizeof ktm);
    memset(&nbo, 0, sizeof nbo);
    world_open(&w);
    staff_hub(&w, &ktm, "kathmandu", (struct staff[]){ asha, bina }, 2);
    staff_hub(&w, &nbo, "nairobi", (struct staff[]){ wanjiku, otieno }, 2);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static uint64_t line(const char *worker)
{
    char text[600];
    static unsigned runs;
    char name[32];
    snprintf(text, sizeof text,
             "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n    backoff: 0\n  "
             "  attempts: 100\n    form: {fields: [{name: a, type: short_answer}]}\n",
             worker);
    world_line(&w, text);
    snprintf(name, sizeof name, "run-%u", ++runs);
    return world_run(&w, "l", name);
}

/* Everybody may have one task more; how many the hub got. */
static size_t everybody(struct world_hub *h)
{
    world_clear(&w);
    for (unsigned i = 0; i < h->workers; i++)
        world_credit(&w, h, i, 1);
    return world_tasks(&w, h, t, 64);
}

static void data_stays_at_the_hubs_that_may_have_it(void **state)
{
    (void)state;
    world_put(&w, line("{only_hubs: [nairobi, accra]}"), 10);
    assert_int_equal(everybody(&ktm), 0);
    assert_int_equal(everybody(&nbo), 2);
    uint64_t other = line("{not_hubs: [nairobi]}");
    assert_int_equal(everybody(&nbo), 2);
    world_clear(&w);
    world_put(&w, other, 10);
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 2); /* who waited all the time */
    assert_int_equal(everybody(&ktm), 2);
    assert_int_equal(everybody(&nbo), 2); /* of the first */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(t[i].station_id, 1);
}

static void a_hub_that_comes_later_is_known_by_its_name(void **state)
{
    struct world_hub acc = { 0 };
    (void)state;
    world_put(&w, line("{only_hubs: [accra]}"), 10);
    assert_int_equal(everybody(&ktm) + everybody(&nbo), 0);
    staff_hub(&w, &acc, "accra", (struct staff[]){ { "kofi", 0, NULL, 0, NULL } }, 1);
    assert_int_equal(everybody(&acc), 1);
}

static void who_waited_before_the_line_was_there_is_judged_by_it(void **state)
{
    (void)state;
    assert_int_equal(everybody(&ktm) + everybody(&nbo), 0);
    uint64_t run = line("{only_hubs: [nairobi], not_teams: [nights]}");
    world_clear(&w);
    world_put(&w, run, 10);
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 0);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    assert_int_equal(t[0].worker, nbo.worker[0]);
}

static void teams_are_kept_in_or_out_at_all_hubs(void **state)
{
    (void)state;
    world_put(&w, line("{only_teams: [nights]}"), 10);
    assert_int_equal(everybody(&ktm), 1);
    assert_int_equal(t[0].worker, ktm.worker[0]);
    assert_int_equal(everybody(&nbo), 1);
    assert_int_equal(t[0].worker, nbo.worker[1]);
    staff_roster(&w, &ktm, (struct staff[]){ { "asha", 0, "law", 3, "days" }, { "bina", 0, "law", 1, "nights" } }, 2);
    assert_int_equal(everybody(&ktm), 1); /* they changed places; asha's credit waits */
    assert_int_equal(t[0].worker, ktm.worker[1]);
}

static void each_reason_to_get_nothing_has_its_name(void **state)
{
    const char *text;
    (void)state;
    assert_int_equal(everybody(&ktm) + everybody(&nbo), 0);
    assert_int_equal(staff_why(&w, &ktm, 0, NULL), 1);
    world_put(&w, line("{kind: robot}"), 1);
    assert_int_equal(staff_why(&w, &ktm, 0, &text), 12);
    assert_string_equal(text, "station s is for robots");
    world_put(&w, line("{skills: {law: 4}}"), 1);
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 3);
    assert_string_equal(text, "station s asks for level 4 of law, this worker has 3");
    assert_int_equal(staff_why(&w, &nbo, 1, &text), 2);
}

static void the_hub_and_the_team_are_named_as_reasons(void **state)
{
    const char *text;
    (void)state;
    assert_int_equal(everybody(&ktm) + everybody(&nbo), 0);
    world_put(&w, line("{not_hubs: [kathmandu, nairobi]}"), 1);
    assert_int_equal(staff_why(&w, &ktm, 0, &text), 13);
    assert_string_equal(text, "station s gives nothing to hub kathmandu");
}

static void a_team_is_named_as_reason(void **state)
{
    const char *text;
    (void)state;
    assert_int_equal(everybody(&ktm), 0);
    world_put(&w, line("{only_teams: [law]}"), 1);
    assert_int_equal(staff_why(&w, &ktm, 0, &text), 14);
    assert_string_equal(text, "station s gives nothing to team nights");
    assert_int_equal(staff_why(&w, &ktm, 1, &text), 14);
    assert_string_equal(text, "station s is for certain teams, and this worker is in none");
}

/* One station that fits all; the worker gets n tasks one after the other and does each well, or fails it. */
static void work(struct world_hub *h, unsigned worker, uint64_t run, unsigned n, bool well)
{
    static bool left; /* what was failed last is there to be done */
    for (unsigned i = 0; i < n; i++) {
        world_clear(&w);
        world_credit(&w, h, worker, 1);
        if (well ? !left : i == 0)
            world_put(&w, run, 1);
        left = !well;
        assert_int_equal(world_tasks(&w, h, t, 64), 1);
        if (well)
            assert_int_equal(world_submit(&w, h, &t[0], "a"), SLP_E_OK);
        else
            assert_int_equal(world_act(&w, h, &t[0], ACT_FAIL, "no", NULL), SLP_E_OK);
        world_tick(&w);
    }
}

static void asha_is_better_than_wanjiku(uint64_t run)
{
    work(&ktm, 0, run, 10, true);
    work(&nbo, 0, run, 10, false);
    work(&nbo, 0, run, 1, true);
}

/* Wanjiku the longest, then asha. */
static void three_wait(void)
{
    world_credit(&w, &nbo, 0, 1);
    world_credit(&w, &ktm, 0, 1);
    world_credit(&w, &nbo, 1, 1);
}

static void of_those_who_wait_the_better_measured_gets_it(void **state)
{
    (void)state;
    uint64_t run = line("{prefer: best}");
    asha_is_better_than_wanjiku(run);
    world_clear(&w);
    three_wait();
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &ktm, 0), 0); /* asha, as good as a newcomer, before him by turn */
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &nbo, 0), 1); /* otieno, the newcomer */
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &nbo, 1), 0); /* nobody else is there: he need not wait for somebody better */
}

static void who_waited_before_any_station_preferred_the_best_is_asked_by_his_measure(void **state)
{
    (void)state;
    uint64_t run = line("{prefer: idle}");
    asha_is_better_than_wanjiku(run);
    world_clear(&w);
    three_wait();
    run = line("{prefer: best}");
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &ktm, 0), 0);
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &nbo, 0), 1);
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &nbo, 1), 0);
}

static void what_was_measured_outlives_a_restart(void **state)
{
    (void)state;
    uint64_t run = line("{prefer: best}");
    work(&nbo, 0, run, 10, false);
    work(&nbo, 0, run, 1, true);
    world_restart(&w);
    world_hello(&w, &ktm, NULL, 0);
    world_hello(&w, &nbo, NULL, 0);
    staff_roster(&w, &ktm, (struct staff[]){ asha, bina }, 2);
    staff_roster(&w, &nbo, (struct staff[]){ wanjiku, otieno }, 2);
    world_credit(&w, &nbo, 0, 1);
    world_credit(&w, &ktm, 0, 1);
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &ktm, 0), 0); /* asha, who waits less long */
}

static void the_hub_that_did_the_station_before_is_preferred(void **state)
{
    (void)state;
    world_line(&w, "line: two\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n    worker: {skills: "
                   "{law: 3}}\n    form: {fields: [{name: a, type: short_answer}]}\n"
                   "  - name: b\n    worker: {prefer: hub}\n");
    uint64_t run = world_run(&w, "two", "two");
    world_credit(&w, &nbo, 0, 1);
    world_put(&w, run, 1);        /* only wanjiku is there */
    world_credit(&w, &ktm, 1, 1); /* bina waits the longest */
    world_credit(&w, &nbo, 1, 1);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    world_clear(&w);
    assert_int_equal(world_submit(&w, &nbo, &t[0], "a"), SLP_E_OK);
    assert_int_equal(staff_got(&w, &nbo, 0), 1);
    world_credit(&w, &nbo, 0, 1);
    world_put(&w, run, 1);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 2);
    world_clear(&w);
    assert_int_equal(world_submit(&w, &nbo, &t[1], "a"), SLP_E_OK);
    assert_int_equal(staff_got(&w, &ktm, 0), 1); /* nobody at nairobi waits: it does not wait for them */
}

static void teams_that_other_stations_name_already_are_kept_out_as_well(void **state)
{
    (void)state;
    line("{only_teams: [nights]}");
    world_put(&w, line("{not_teams: [days, nights]}"), 10);
    assert_int_equal(everybody(&ktm), 1); /* bina, who is in none */
    assert_int_equal(t[0].worker, ktm.worker[1]);
    assert_int_equal(everybody(&nbo), 0);
    world_put(&w, line("{kind: human, not_teams: [nights, days]}"), 10); /* both are known by now */
    assert_int_equal(everybody(&nbo), 0);
}

static void of_two_skills_the_one_that_is_missing_is_named(void **state)
{
    const char *said;
    (void)state;
    world_put(&w, line("{skills: {law: 2, tax: 1}}"), 1);
    assert_int_equal(everybody(&ktm), 0);
    assert_int_equal(staff_why(&w, &ktm, 0, &said), 2);
    assert_string_equal(said, "station s asks for skill tax");
    assert_int_equal(staff_why(&w, &ktm, 1, &said), 3); /* bina has too little of the first already */
}

static void who_waits_in_the_lists_of_hubs_is_asked_by_his_measure_as_well(void **state)
{
    (void)state;
    uint64_t run = line("{prefer: idle}");
    asha_is_better_than_wanjiku(run);
    world_line(&w, "line: two\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n    worker: {skills: "
                   "{law: 3}}\n    form: {fields: [{name: a, type: short_answer}]}\n"
                   "  - name: b\n    worker: {prefer: hub}\n");
    uint64_t two = world_run(&w, "two", "two");
    world_clear(&w);
    world_credit(&w, &ktm, 0, 1);
    world_put(&w, two, 1);
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 1);
    assert_int_equal(world_submit(&w, &ktm, &t[0], "a"), SLP_E_OK);
    world_clear(&w);
    world_credit(&w, &ktm, 1, 1); /* bina takes the second station of the unit */
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 1);
    world_clear(&w);
    three_wait();
    run = line("{prefer: best}");
    world_put(&w, run, 1);
    assert_int_equal(staff_got(&w, &ktm, 0), 0); /* asha, though she has waited less long */
    world_put(&w, two, 1);
    assert_int_equal(staff_got(&w, &nbo, 0), 0); /* where nothing is preferred it is who has waited */
}

static void more_requirements_than_bits_in_a_word_are_told_apart(void **state)
{
    char text[200], name[16];
    uint64_t run[150];
    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        snprintf(text, sizeof text,
                 "line: l%u\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: {skills: "
                 "{skill-%u: 1}}\n",
                 i, i);
        world_line(&w, text);
        snprintf(name, sizeof name, "l%u", i);
        run[i] = world_run(&w, name, name);
        world_put(&w, run[i], 1);
    }
    for (unsigned i = 149; i < 150; i -= 37) {
        snprintf(name, sizeof name, "skill-%u", i);
        staff_roster(&w, &ktm, (struct staff[]){ { "asha", 0, name, 1, NULL } }, 1);
        world_clear(&w);
        world_credit(&w, &ktm, 0, 2);
        assert_int_equal(world_tasks(&w, &ktm, t, 64), 1);
        world_sign_off(&w, &ktm, 0);
    }
    for (unsigned i = 0; i < 150; i++) { /* when they are over, their numbers are free for others */
        snprintf(name, sizeof name, "l%u", i);
        assert_int_equal(world_run_set(&w, name, RUN_SET_CANCEL, 0), SLP_E_OK);
    }
    staff_roster(&w, &ktm, (struct staff[]){ { "asha", 0, "new-49", 1, NULL } }, 1);
    world_clear(&w);
    world_credit(&w, &ktm, 0, 2);
    for (unsigned i = 0; i < 150; i++) {
        snprintf(text, sizeof text,
                 "line: n%u\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: {skills: "
                 "{new-%u: 1}}\n",
                 i, i);
        world_line(&w, text);
        snprintf(name, sizeof name, "n%u", i);
        world_put(&w, world_run(&w, name, name), 1);
        assert_int_equal(world_tasks(&w, &ktm, t, 64), i >= 49);
    }
}

static void who_lacks_one_of_several_requirements_is_told_which(void **state)
{
    const char *text;
    (void)state;
    world_put(&w, line("{skills: {art: 1, law: 2}}"), 1);
    assert_int_equal(everybody(&ktm), 0);
    staff_why(&w, &ktm, 0, &text);
    assert_string_equal(text, "station s asks for skill art");
    staff_roster(&w, &ktm, (struct staff[]){ asha, { "arm", 1, "law", 3, NULL } }, 2);
    world_put(&w, line("{kind: human, skills: {law: 2}}"), 1);
    world_put(&w, line("{kind: robot, skills: {law: 9}}"), 1);
    world_credit(&w, &ktm, 1, 1);
    staff_why(&w, &ktm, 1, &text); /* of what keeps him from work the nearest is told */
    assert_string_equal(text, "station s asks for level 9 of law, this worker has 3");
    struct slp_why_get gone = { .session = ktm.session, .worker = 2 };
    assert_int_equal(world_code(world_send(&w, ktm.peer, SLP_WHY_GET, &gone)), SLP_E_NOT_FOUND); /* bina has left */
}

static void a_robot_is_told_what_is_for_people(void **state)
{
    const char *text;
    (void)state;
    staff_roster(&w, &ktm, (struct staff[]){ { "arm", 1, NULL, 0, NULL } }, 1);
    world_put(&w, line("{kind: human}"), 1);
    world_credit(&w, &ktm, 0, 1);
    staff_why(&w, &ktm, 0, &text);
    assert_string_equal(text, "station s is for people");
}

static void what_several_lines_name_is_told_apart_once_and_for_all(void **state)
{
    struct world_hub acc = { 0 };
    char name[16];
    (void)state;
    static const char *const asks[] = { "{only_hubs: [accra], not_teams: [nights]}", "{skills: {rare: 1}}",
                                        "{not_hubs: [accra], not_teams: [nights]}" };
    for (unsigned i = 0; i < 3; i++) {
        char text[300];
        snprintf(name, sizeof name, "named-%u", i);
        snprintf(text, sizeof text,
                 "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n", name,
                 asks[i]);
        world_line(&w, text);
        world_put(&w, world_run(&w, name, name), 10);
    }
    assert_int_equal(everybody(&ktm), 1); /* bina: of asha's team nobody */
    assert_int_equal(t[0].worker, ktm.worker[1]);
    staff_hub(&w, &acc, "accra", (struct staff[]){ { "kofi", 0, NULL, 0, "nights" }, { "ama", 0, NULL, 0, NULL } }, 2);
    assert_int_equal(everybody(&acc), 1);
    assert_int_equal(t[0].worker, acc.worker[1]);
    assert_int_equal(t[0].station_id, 1);
}

/* The first run has nothing for asha but what she declined. What comes next of all that she may do may lie behind another gate than what she was asked at. */
static void who_declined_what_comes_first_gets_what_comes_next_wherever_it_lies(void **state)
{
    static const char *const name[] = { "first", "next", "last" };
    static const char *const asks[] = { "{kind: any}", "{skills: {law: 3}}", "{kind: any}" };
    uint64_t run[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n", name[i],
                 asks[i]);
        world_line(&w, text);
        run[i] = world_run(&w, name[i], name[i]);
        assert_int_equal(world_run_set(&w, name[i], RUN_SET_PRIORITY, 9 - i), SLP_E_OK);
    }
    world_put(&w, run[0], 1);
    world_credit(&w, &ktm, 0, 1);
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 1);
    assert_int_equal(world_act(&w, &ktm, &t[0], ACT_DECLINE, "not mine", NULL), SLP_E_OK);
    world_put(&w, run[1], 1);
    world_put(&w, run[2], 1);
    world_clear(&w);
    for (unsigned i = 1; i < 3; i++)
        world_credit(&w, &ktm, 0, 1);
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 2);
    assert_int_equal(t[0].station_id, 2);
    assert_int_equal(t[1].station_id, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(data_stays_at_the_hubs_that_may_have_it, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_hub_that_comes_later_is_known_by_its_name, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_waited_before_the_line_was_there_is_judged_by_it, open_world, end_world),
        cmocka_unit_test_setup_teardown(teams_are_kept_in_or_out_at_all_hubs, open_world, end_world),
        cmocka_unit_test_setup_teardown(each_reason_to_get_nothing_has_its_name, open_world, end_world),
        cmocka_unit_test_setup_teardown(the_hub_and_the_team_are_named_as_reasons, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_team_is_named_as_reason, open_world, end_world),
        cmocka_unit_test_setup_teardown(of_those_who_wait_the_better_measured_gets_it, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_waited_before_any_station_preferred_the_best_is_asked_by_his_measure,
                                        open_world, end_world),
        cmocka_unit_test_setup_teardown(what_was_measured_outlives_a_restart, open_world, end_world),
        cmocka_unit_test_setup_teardown(teams_that_other_stations_name_already_are_kept_out_as_well, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(of_two_skills_the_one_that_is_missing_is_named, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_waits_in_the_lists_of_hubs_is_asked_by_his_measure_as_well, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(the_hub_that_did_the_station_before_is_preferred, open_world, end_world),
        cmocka_unit_test_setup_teardown(more_requirements_than_bits_in_a_word_are_told_apart, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_lacks_one_of_several_requirements_is_told_which, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_declined_what_comes_first_gets_what_comes_next_wherever_it_lies, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(a_robot_is_told_what_is_for_people, open_world, end_world),
        cmocka_unit_test_setup_teardown(what_several_lines_name_is_told_apart_once_and_for_all, open_world, end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
