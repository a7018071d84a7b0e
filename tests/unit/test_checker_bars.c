/* The checker is checked: bad histories of what stations require, and of rules of control tasks, each of which gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

/* Station 3, of a line of its own: of at least two, no more than half may be abandoned; who has less than half of two control answers right is suspended. */
static void told(struct history *h, uint32_t station, uint32_t abandoned_most, uint32_t rule)
{
    FEED(h, .kind = FACT_STATION, .station = station, .index = 0, .stations = 1, .first = station, .line = 2,
         .when_on = -1, .attempts = 9, .gold_every = 1, .gold_rows = 9, .abandoned_most = abandoned_most,
         .asks_after = abandoned_most ? 2 : 0, .rule = rule, .rule_below = 5, .rule_after = 2);
}

static struct history with_a_bar(void)
{
    struct history h = begin();
    told(&h, 3, 5, 1);
    FEED(&h, .kind = FACT_RUN, .run = RUN2, .station = 3, .count = 5);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN2, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3);
    STEP(&h);
    return h;
}

static void hand_to_anna(struct history *h, uint64_t assignment)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = 3, .assignment = assignment, .worker = ANNA,
          .hub = HUB);
    STEP(h);
}

static void she_fails(struct history *h, uint64_t assignment)
{
    hand_to_anna(h, assignment);
    EVENT(h, .kind = FACT_RETURNED, .assignment = assignment, .unit = 1, .why = 6);
    EVENT(h, .kind = FACT_WAITING, .run = RUN2, .unit = 1, .station = 3, .why = 6);
    EVENT(h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3, .why = 2);
    STEP(h);
}

static void whoever_does_not_meet_what_is_required_is_given_nothing(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    she_fails(&h, 1);
    she_fails(&h, 2); /* of one thing nothing follows */
    assert_int_equal(checker_total(h.c), 0);
    hand_to_anna(&h, 3);
    judged(&h, NOT_ELIGIBLE);
}

static void unless_the_newest_version_requires_nothing(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    she_fails(&h, 1);
    she_fails(&h, 2);
    told(&h, 4, 0, 0);
    hand_to_anna(&h, 3);
    judged(&h, VERDICTS);
}

/* A control answer of Anna's; the right ones are x and y in turn. */
static void answers(struct history *h, uint64_t assignment, uint64_t row, int route, bool right)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = GOLD_UNIT + row, .station = 3, .assignment = assignment,
          .worker = ANNA, .hub = HUB);
    STEP(h);
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = assignment, .worker = ANNA, .digest = 1, .route = route);
    FEED(h, .kind = FACT_ACT, .act = 6, .assignment = assignment, .worker = ANNA, .session = SESSION, .code = 0);
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = assignment, .result = assignment);
    EVENT(h, .kind = FACT_GOLD, .assignment = assignment, .flag = right);
}

static void by_rule(struct history *h, uint32_t standing)
{
    EVENT(h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = standing);
    STEP(h);
}

static void a_control_answer_that_is_told_wrong_and_is_right_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    answers(&h, 1, 1, 1, true);
    STEP(&h);
    assert_int_equal(checker_total(h.c), 0);
    answers(&h, 2, 2, 0, false);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void who_answers_too_few_right_is_suspended_by_the_rule_and_given_nothing(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    answers(&h, 2, 1, 2, false);
    by_rule(&h, 2);
    assert_int_equal(checker_total(h.c), 0);
    hand_to_anna(&h, 3);
    judged(&h, NOT_ELIGIBLE);
}

static void a_suspension_that_no_rule_demands_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    answers(&h, 1, 0, 2, false);
    by_rule(&h, 2); /* of one answer nothing follows */
    judged(&h, WRONG_STATE);
    h = with_a_bar();
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    answers(&h, 2, 1, 1, true);
    by_rule(&h, 2); /* half of them are right */
    judged(&h, WRONG_STATE);
    h = with_a_bar();
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    answers(&h, 2, 1, 2, false);
    by_rule(&h, 3); /* that is not what the rule says */
    judged(&h, WRONG_STATE);
}

static void who_comes_back_begins_with_new_answers(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    answers(&h, 2, 1, 2, false);
    by_rule(&h, 2);
    by_rule(&h, 0);
    answers(&h, 3, 2, 2, false);
    assert_int_equal(checker_total(h.c), 0);
    by_rule(&h, 2);
    judged(&h, WRONG_STATE);
}

/* The second result of a frame whose first led to a suspension. */
static void a_late_result_after_no_suspension_is_a_wrong_state(void **state)
{
    (void)state;
    for (int suspended = 0; suspended < 2; suspended++) {
        struct history h = with_a_bar();
        answers(&h, 1, 0, 2, false);
        STEP(&h);
        hand_to_anna(&h, 2);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = GOLD_UNIT + 1, .station = 3, .assignment = 3,
              .worker = ANNA, .hub = HUB);
        STEP(&h);
        for (uint64_t i = 2; i <= 3; i++)
            FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = i, .worker = ANNA, .digest = i, .route = 2);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 3, .worker = ANNA, .session = SESSION, .code = 0);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 2, .worker = ANNA, .session = SESSION, .code = 2);
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 3, .result = 2);
        EVENT(&h, .kind = FACT_GOLD, .assignment = 3);
        if (suspended) {
            EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = 2);
            EVENT(&h, .kind = FACT_RETURNED, .assignment = 2, .unit = 1, .why = 17);
            EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3, .why = 17);
        }
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 2, .result = 3, .flag = true);
        STEP(&h);
        judged(&h, suspended ? VERDICTS : WRONG_STATE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_does_not_meet_what_is_required_is_given_nothing),
        cmocka_unit_test(unless_the_newest_version_requires_nothing),
        cmocka_unit_test(a_control_answer_that_is_told_wrong_and_is_right_is_a_wrong_state),
        cmocka_unit_test(who_answers_too_few_right_is_suspended_by_the_rule_and_given_nothing),
        cmocka_unit_test(a_suspension_that_no_rule_demands_is_a_wrong_state),
        cmocka_unit_test(who_comes_back_begins_with_new_answers),
        cmocka_unit_test(a_late_result_after_no_suspension_is_a_wrong_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
