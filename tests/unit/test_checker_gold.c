/* The checker is checked: bad histories of control tasks, each of which gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

/* Station 3, of a line of its own, has control tasks: two, one of each three assignments. */
static struct history with_control_tasks(void)
{
    struct history h = begin();
    FEED(&h, .kind = FACT_STATION, .station = 3, .index = 0, .stations = 1, .first = 3, .line = 2, .when_on = -1,
         .attempts = 3, .gold_every = 3, .gold_rows = 2);
    FEED(&h, .kind = FACT_RUN, .run = 2, .station = 3, .count = 5);
    STEP(&h);
    return h;
}

static void give_control(struct history *h, uint64_t assignment, uint64_t row)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = 2, .unit = GOLD_UNIT + row, .station = 3, .assignment = assignment,
          .worker = ANNA, .hub = HUB);
    STEP(h);
}

static void a_control_task_that_comes_twice_is_not_for_this_worker(void **state)
{
    (void)state;
    struct history h = with_control_tasks();
    give_control(&h, 1, 1);
    FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 0);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
    STEP(&h);
    assert_int_equal(checker_total(h.c), 0);
    give_control(&h, 2, 1);
    judged(&h, NOT_ELIGIBLE);
}

static void a_good_answer_to_a_control_task_that_is_refused_is_lost(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        struct history h = with_control_tasks();
        give_control(&h, 1, 1);
        FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001);
        if (bad) /* the first was lost with its outbox, and was not as good */
            FEED(&h, .kind = FACT_BAD_SENT, .assignment = 1);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 52);
        judged(&h, bad ? VERDICTS : LOST);
    }
}

/* Nobody knows then whether he has seen it. */
static void a_control_task_that_the_broker_took_back_is_not_for_this_worker(void **state)
{
    (void)state;
    struct history h = with_control_tasks();
    give_control(&h, 1, 1);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .why = 8);
    STEP(&h);
    assert_int_equal(checker_total(h.c), 0);
    give_control(&h, 2, 1);
    judged(&h, NOT_ELIGIBLE);
}

/* By a result, or a start that is refused. */
static void a_control_task_that_came_back_unbegun_and_was_seen_all_the_same_is_not_for_this_worker(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct history h = with_control_tasks();
        give_control(&h, 1, 1);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .why = 3);
        STEP(&h);
        FEED(&h, .kind = FACT_ACT, .act = answered ? 6 : 0, .assignment = 1, .worker = ANNA, .session = SESSION,
             .code = answered ? 0 : 32);
        if (answered)
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
        STEP(&h);
        assert_int_equal(checker_total(h.c), 0);
        give_control(&h, 2, 1);
        judged(&h, NOT_ELIGIBLE);
    }
}

static void more_control_tasks_than_one_of_so_many_are_asked_too_much(void **state)
{
    (void)state;
    struct history h = with_control_tasks();
    give_control(&h, 1, 0);
    give_control(&h, 2, 1);
    assert_int_equal(checker_total(h.c), 0);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = 2, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = 2, .unit = 1, .station = 3);
    EVENT(&h, .kind = FACT_ASSIGNED, .run = 2, .unit = 1, .station = 3, .assignment = 3, .worker = ANNA, .hub = HUB);
    STEP(&h);
    judged(&h, OVER_ASKED);
}

static void an_answer_to_a_control_task_that_is_late_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = with_control_tasks();
    give_control(&h, 1, 0);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

/* The second result of a frame whose first was the last that its run waited for. Told the other way round, the control task was answered in time. */
static void an_answer_to_a_control_task_is_late_once_its_run_ended_in_the_same_frame(void **state)
{
    (void)state;
    for (int in_time = 0; in_time < 2; in_time++) {
        struct history h = with_control_tasks();
        give_control(&h, 1, 0);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 2);
        if (in_time)
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
        EVENT(&h, .kind = FACT_RUN_STATE, .run = 2, .state = 2);
        if (!in_time)
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
        STEP(&h);
        judged(&h, in_time ? WRONG_STATE : VERDICTS);
    }
}

static void an_answer_to_a_control_task_that_counts_and_is_answered_as_late_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = with_control_tasks();
    give_control(&h, 1, 0);
    FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 2);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

/* Given back, and given again; then both are answered, in one frame or in two. */
static void of_two_answers_to_one_control_task_the_first_counts(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct history h = with_control_tasks();
        bool one_frame = how & 1, both = how >> 1;
        give_control(&h, 1, 0);
        FEED(&h, .kind = FACT_ACT, .act = 2, .assignment = 1, .worker = ANNA, .session = SESSION);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .why = 3);
        STEP(&h);
        give_control(&h, 2, 0);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION);
        if (!one_frame) {
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
            STEP(&h);
        }
        if (!both)
            FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 2, .worker = ANNA, .session = SESSION, .code = 2);
        if (one_frame)
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 2, .result = 2, .flag = !both);
        STEP(&h);
        judged(&h, both ? DOUBLE_ACCEPT : VERDICTS);
    }
}

/* Given back, and its answer came all the same, too late: that is what it is from then on, so giving it back once more is no repeat. */
static void a_control_task_that_was_given_back_and_answered_late_is_given_back_no_more(void **state)
{
    (void)state;
    static const uint32_t stale = 32, duplicate = 1;
    for (int told_as_repeat = 0; told_as_repeat < 2; told_as_repeat++) {
        struct history h = with_control_tasks();
        give_control(&h, 1, 0);
        FEED(&h, .kind = FACT_ACT, .act = 2, .assignment = 1, .worker = ANNA, .session = SESSION);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .why = 3);
        STEP(&h);
        EVENT(&h, .kind = FACT_RUN_STATE, .run = 2, .state = 2);
        STEP(&h);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 2);
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
        STEP(&h);
        FEED(&h, .kind = FACT_ACT, .act = 2, .assignment = 1, .worker = ANNA, .session = SESSION,
             .code = told_as_repeat ? duplicate : stale);
        STEP(&h);
        judged(&h, told_as_repeat ? WRONG_STATE : VERDICTS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_answers_to_one_control_task_the_first_counts),
        cmocka_unit_test(a_control_task_that_was_given_back_and_answered_late_is_given_back_no_more),
        cmocka_unit_test(a_control_task_that_comes_twice_is_not_for_this_worker),
        cmocka_unit_test(a_good_answer_to_a_control_task_that_is_refused_is_lost),
        cmocka_unit_test(a_control_task_that_the_broker_took_back_is_not_for_this_worker),
        cmocka_unit_test(a_control_task_that_came_back_unbegun_and_was_seen_all_the_same_is_not_for_this_worker),
        cmocka_unit_test(more_control_tasks_than_one_of_so_many_are_asked_too_much),
        cmocka_unit_test(an_answer_to_a_control_task_that_is_late_is_a_wrong_state),
        cmocka_unit_test(an_answer_to_a_control_task_is_late_once_its_run_ended_in_the_same_frame),
        cmocka_unit_test(an_answer_to_a_control_task_that_counts_and_is_answered_as_late_is_a_wrong_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
