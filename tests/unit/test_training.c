/* Who answers control tasks badly is sent to train at another station, and comes back from there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/gold_scene.h"

/* The next n tasks come from this station; answers them right or not. */
static void works_at(uint32_t station, unsigned n, bool well)
{
    for (unsigned i = 0; i < n; i++) {
        struct world_task t = next(0);
        assert_int_equal(t.station_id, station);
        assert_int_equal(world_submit(&s.w, &s.h, &t, well ? true_answer(t.assignment) : "wrong"), SLP_E_OK);
    }
}

static void who_is_in_training_and_has_done_all_there_is_there_is_told_so(void **state)
{
    (void)state;
    world_scene(&s,
                gold_line("      rules: [{below: 0.7, after: 2, do: train, at: practice, until: 0.9}]\n", 1, 20,
                          "  - name: practice\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n    "
                          "gold: {every: 1, columns: [text, a], cells: [gold 100, a 100, gold 101, a 101]}\n"),
                1, 0);
    uint32_t judge = s.station;
    world_put(&s.w, s.run, 3);
    works_at(judge, 2, false);
    for (struct world_task t; (t = next(0)).assignment;) {
        assert_int_equal(t.station_id, judge + 1);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    }
    assert_true(world_count(&s.w, "r", "judge", TASK_READY) > 0);
    assert_int_equal(why("hub-0"), 19);
    world_end(&s.w);
}

static void who_is_sent_to_training_comes_back_when_he_answers_well_there(void **state)
{
    (void)state;
    world_scene(&s,
                gold_line("      rules: [{below: 0.7, after: 2, do: train, at: practice, until: 0.9}]\n", 1, 20,
                          "  - name: practice\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n    "
                          "gold:\n      every: 1\n"
                          "      columns: [text, a]\n      cells: [gold 100, a 100, gold 101, a 101, gold 102, a 102, "
                          "gold 103, a 103]\n"),
                1, 0);
    world_put(&s.w, s.run, 50);
    uint32_t judge = s.station;
    works_at(judge, 2, false);
    works_at(judge + 1, 2, true);
    assert_int_equal(next(0).station_id, judge); /* the station further up the file, as before */
    world_end(&s.w);
}

/* What he showed there before is forgotten when his training begins, so it keeps him out of it no more. */
static void who_was_kept_out_of_the_station_that_trains_is_let_in_for_his_training(void **state)
{
    (void)state;
    world_scene(&s,
                gold_line("      rules: [{below: 0.7, after: 2, do: train, at: practice}]\n", 1, 20,
                          "  - name: practice\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n    "
                          "require: {gold: '>= 0.5', after: 2}\n    gold:\n      every: 1\n"
                          "      columns: [text, a]\n      cells: [gold 100, a 100, gold 101, a 101, gold 102, a 102, "
                          "gold 103, a 103]\n"),
                1, 0);
    world_put(&s.w, s.run, 50);
    uint32_t judge = s.station;
    assert_int_equal(set(SUSPEND, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
    assert_int_equal(works(0, 2, false), 2);
    assert_int_equal(next(0).assignment, 0); /* two of two were wrong: nothing at practice any more */
    assert_int_equal(set(READMIT, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 1), 1);
    assert_int_equal(s.t[0].station_id, judge);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "wrong"), SLP_E_OK);
    works(0, 1, false);
    works_at(judge + 1, 2, true);
    assert_int_equal(next(0).station_id, judge);
    world_end(&s.w);
}

static void who_saw_what_an_older_version_trained_with_is_trained_with_what_is_new(void **state)
{
    (void)state;
#define PRACTICE(a, b)                                                                                                 \
    "  - name: practice\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n    gold: {every: 1, "    \
    "columns: [text, a], cells: [gold " a ", a " a ", gold " b ", a " b "]}\n"
    world_scene(&s, HEAD PRACTICE("100", "101"), 1, 0);
    world_put(&s.w, s.run, 9);
    assert_int_equal(works(0, 2, true), 2);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    world_line(&s.w, gold_line("      rules: [{below: 0.7, after: 2, do: train, at: practice}]\n", 1, 20,
                               PRACTICE("200", "201")));
    world_put(&s.w, world_run(&s.w, "l", "second"), 50);
    struct world_task t = next(0);
    uint32_t judge = t.station_id;
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(works(0, 1, false), 1);
    works_at(judge + 1, 2, true);
    assert_int_equal(next(0).station_id, judge);
    world_end(&s.w);
}

/* The newest version that has a station of its name says who comes back to it, also where a newer one has it no more. */
static void who_is_in_training_comes_back_to_a_station_that_the_newest_version_left_out(void **state)
{
    (void)state;
    static const char *const practice =
        "  - name: practice\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n    gold:\n      "
        "every: 1\n      columns: [text, a]\n      cells: [gold 100, a 100, gold 101, a 101, gold 102, a 102]\n";
    char without[1024];
    world_scene(&s, gold_line("      rules: [{below: 0.7, after: 2, do: train, at: practice}]\n", 1, 20, practice), 1,
                0);
    world_put(&s.w, s.run, 50);
    uint32_t judge = s.station;
    works(0, 2, false);
    snprintf(without, sizeof without, HEAD "%s", practice);
    world_line(&s.w, without);
    works(0, 2, true);
    assert_int_equal(next(0).station_id, judge);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_in_training_and_has_done_all_there_is_there_is_told_so),
        cmocka_unit_test(who_is_sent_to_training_comes_back_when_he_answers_well_there),
        cmocka_unit_test(who_was_kept_out_of_the_station_that_trains_is_let_in_for_his_training),
        cmocka_unit_test(who_saw_what_an_older_version_trained_with_is_trained_with_what_is_new),
        cmocka_unit_test(who_is_in_training_comes_back_to_a_station_that_the_newest_version_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
