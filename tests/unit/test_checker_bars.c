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

/* ---- control tasks: at station 3 of her run, or where she is trained ---- */

static void hand_control(struct history *h, uint64_t assignment, uint32_t station, uint64_t row, uint64_t worker)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = station == 3 ? RUN2 : 3, .unit = GOLD_UNIT + row, .station = station,
          .assignment = assignment, .worker = worker, .hub = HUB);
    STEP(h);
}

static void acts(struct history *h, uint64_t assignment, uint64_t worker, int route)
{
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = assignment, .worker = worker, .digest = 1, .route = route);
    FEED(h, .kind = FACT_ACT, .act = 6, .assignment = assignment, .worker = worker, .session = SESSION, .code = 0);
}

static void counts(struct history *h, uint64_t assignment)
{
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = assignment, .result = h->c->newest_result + 1);
}

/* A control answer of Anna's; the right ones are x and y in turn. */
static void answers(struct history *h, uint64_t assignment, uint64_t row, int route, bool right)
{
    hand_control(h, assignment, 3, row, ANNA);
    acts(h, assignment, ANNA, route);
    counts(h, assignment);
    EVENT(h, .kind = FACT_GOLD, .assignment = assignment, .flag = right);
}

static void by_rule(struct history *h, uint32_t standing)
{
    EVENT(h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = standing,
          .flag = standing < 2);
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

/* The second result of a frame whose first led to a suspension, from which he may be back when the step is over. */
static void a_late_result_after_no_suspension_is_a_wrong_state(void **state)
{
    (void)state;
    for (int suspended = 0; suspended < 3; suspended++) {
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
        if (suspended == 2)
            EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .flag = true);
        STEP(&h);
        judged(&h, suspended ? VERDICTS : WRONG_STATE);
    }
}

/* ---- windows, and what is measured elsewhere ---- */

#define MINUTE 60000000ll
#define TOLD(h, ...)                                                                                                   \
    FEED(h, .kind = FACT_STATION, .station = 3, .index = 0, .stations = 1, .first = 3, .line = 2, .when_on = -1,       \
         .attempts = 99, .gold_every = 1, .gold_rows = 60, __VA_ARGS__)

static void she_fails_at(struct history *h, uint64_t assignment, int64_t wall)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = 3, .assignment = assignment, .worker = ANNA,
          .hub = HUB, .wall = wall);
    STEP(h);
    EVENT(h, .kind = FACT_RETURNED, .assignment = assignment, .unit = 1, .why = 6, .wall = wall);
    EVENT(h, .kind = FACT_WAITING, .run = RUN2, .unit = 1, .station = 3, .why = 6, .wall = wall);
    EVENT(h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3, .why = 2, .wall = wall);
    STEP(h);
}

static void what_a_window_has_forgotten_keeps_nobody_out_and_what_it_may_have_is_not_judged(void **state)
{
    (void)state;
    static const struct {
        int64_t then, clock;
        bool kept_out;
    } at[] = { { 10 * MINUTE, 0, true },
               { 320 * MINUTE, 0, true },
               { 350 * MINUTE, 0, false },
               { 500 * MINUTE, 0, false },
               { 10 * MINUTE, 400 * MINUTE, false } };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct history h = with_a_bar();
        TOLD(&h, .abandoned_most = 5, .asks_after = 2, .window_last = 64, .window_within_us = 400 * MINUTE);
        she_fails_at(&h, 1, 0);
        she_fails_at(&h, 2, 0);
        FEED(&h, .kind = FACT_CLOCK, .wall = at[i].clock);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = 3, .assignment = 3, .worker = ANNA,
              .hub = HUB, .wall = at[i].then);
        STEP(&h);
        judged(&h, at[i].kept_out ? NOT_ELIGIBLE : VERDICTS);
    }
}

static void newcomers_are_given_nothing_where_they_are_refused(void **state)
{
    (void)state;
    struct history h = with_a_bar();
    TOLD(&h, .abandoned_most = 5, .asks_after = 1, .asks_of_all = true);
    hand_to_anna(&h, 1);
    judged(&h, VERDICTS);
    h = with_a_bar();
    TOLD(&h, .abandoned_most = 5, .asks_after = 1, .asks_of_all = true, .refuses_new = true);
    hand_to_anna(&h, 1);
    judged(&h, NOT_ELIGIBLE);
}

static void what_was_measured_elsewhere_counts_where_all_stations_do(void **state)
{
    (void)state;
    for (int of_all = 0; of_all < 2; of_all++) {
        struct history h = with_a_bar();
        TOLD(&h, .abandoned_most = 5, .asks_after = 1, .asks_of_all = of_all);
        put_unit(&h, 1);
        give(&h, 1, 1, 1, ANNA);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 6);
        EVENT(&h, .kind = FACT_WAITING, .run = RUN, .unit = 1, .station = 1, .why = 6);
        STEP(&h);
        hand_to_anna(&h, 2);
        assert_int_equal(checker_count(h.c, NOT_ELIGIBLE), of_all);
        checker_free(&h.c);
    }
}

static void who_does_not_agree_with_what_is_decided_is_given_nothing_where_that_is_required(void **state)
{
    (void)state;
    for (int route = 0; route < 2; route++) {
        struct history h = several(TIES_FIRST, 2);
        FEED(&h, .kind = FACT_STATION, .station = SEVERAL, .index = 0, .stations = 1, .first = SEVERAL, .line = LINE,
             .when_on = -1, .attempts = 3, .copies_min = 2, .copies_max = 2, .ties = TIES_FIRST, .agreed_least = 5,
             .asks_after = 1);
        hand(&h, 1, ANNA, true);
        hand(&h, 2, CARL, false);
        say(&h, 1, 1, ANNA, 0);
        STEP(&h);
        say(&h, 2, 2, CARL, route);
        decide(&h, 3, 1, 2, 2 - (uint32_t)route);
        EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN2, .unit = 2);
        EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 2, .station = SEVERAL);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 2, .station = SEVERAL, .assignment = 3, .worker = CARL,
              .hub = HUB);
        STEP(&h);
        assert_int_equal(checker_count(h.c, NOT_ELIGIBLE), route);
        checker_free(&h.c);
    }
}

/* ---- rules that lower, that train, and that are not followed ---- */

/* more: so many control tasks has, in the version of the station that sends, the one that trains; in a newer one, which has no such station, it has nine. */
static struct history with_a_rule(uint32_t rule, uint32_t more)
{
    struct history h = with_a_bar();
    FEED(&h, .kind = FACT_STATION, .station = 4, .index = 1, .stations = 2, .first = 3, .line = 2, .when_on = -1,
         .gold_every = 1, .gold_rows = more);
    TOLD(&h, .rule = rule, .rule_below = 5, .rule_after = 2, .rule_skill = 0, .rule_at = 1, .rule_until = 5);
    FEED(&h, .kind = FACT_STATION, .station = 8, .index = 1, .stations = 1, .first = 7, .line = 2, .when_on = -1,
         .gold_every = 1, .gold_rows = 9);
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    answers(&h, 2, 1, 2, false);
    return h;
}

static void a_rule_that_applies_and_is_not_followed_is_a_wrong_state(void **state)
{
    (void)state;
    for (uint32_t rule = 1; rule <= 3; rule++) {
        struct history h = with_a_rule(rule, 9);
        STEP(&h);
        judged(&h, WRONG_STATE);
    }
}

static void lowered(struct history *h, uint64_t level)
{
    EVENT(h, .kind = FACT_SKILL, .worker = ANNA, .index = 0, .state = SKILL_IS_LOWERED, .count = level);
    STEP(h);
}

static void a_skill_is_lowered_by_one_level_and_answers_begin_anew(void **state)
{
    (void)state;
    struct history h = with_a_rule(2, 9);
    lowered(&h, 1);
    answers(&h, 3, 2, 2, false);
    STEP(&h);
    assert_int_equal(checker_total(h.c), 0);
    FEED(&h, .kind = FACT_STATION, .station = 4, .index = 0, .stations = 1, .first = 4, .line = 2, .when_on = -1,
         .level = { 2 });
    FEED(&h, .kind = FACT_STATION, .station = 3, .index = 0, .stations = 1, .first = 3, .line = 2, .when_on = -1,
         .level = { 2 }, .attempts = 9);
    hand_to_anna(&h, 4);
    judged(&h, NOT_ELIGIBLE);
}

static void a_skill_lowered_too_far_or_without_a_rule_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = with_a_rule(2, 9);
    lowered(&h, 0);
    judged(&h, WRONG_STATE);
    h = with_a_bar();
    lowered(&h, 1);
    judged(&h, WRONG_STATE);
}

static void who_is_sent_where_too_few_control_tasks_are_left_is_suspended_instead(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows <= 2; rows++)
        for (uint32_t standing = 2; standing <= 3; standing++) {
            struct history h = with_a_rule(3, rows);
            by_rule(&h, standing);
            judged(&h, (standing == 3) == (rows == 2) ? VERDICTS : WRONG_STATE);
        }
}

/* A run at whose second station she is trained. */
static void training_opens(struct history *h)
{
    FEED(h, .kind = FACT_STATION, .station = 7, .index = 0, .stations = 2, .first = 7, .line = 3, .when_on = -1);
    FEED(h, .kind = FACT_RUN, .run = 3, .station = 7, .count = 5);
}

/* Her answers where she is trained: how many are right. Then she is said to come back, or not. */
static void trained(uint32_t right, bool back, enum verdict v)
{
    struct history h = with_a_rule(3, 9);
    by_rule(&h, 3);
    training_opens(&h);
    for (uint32_t i = 0; i < 2; i++) {
        hand_control(&h, 3 + i, 8, i, ANNA);
        acts(&h, 3 + i, ANNA, i < right ? (int)i : 2);
        counts(&h, 3 + i);
        EVENT(&h, .kind = FACT_GOLD, .assignment = 3 + i, .flag = i < right);
        if (i)
            break;
        STEP(&h);
    }
    if (back)
        EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = 0);
    STEP(&h);
    judged(&h, v);
}

static void who_is_trained_well_enough_comes_back_and_nobody_else(void **state)
{
    (void)state;
    trained(1, true, VERDICTS);
    trained(1, false, WRONG_STATE);
    trained(0, false, VERDICTS);
    trained(0, true, WRONG_STATE);
}

/* ---- what an earlier item of a frame freed: all answers are told first, then the events, in the order of the items ---- */

enum { FREED, FREED_AFTER_IT, NOT_FREED, WAYS };

static void unit_is_done(struct history *h)
{
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN2, .unit = 1, .station = 3);
    EVENT(h, .kind = FACT_UNIT_DONE, .run = RUN2, .unit = 1);
}

static void taken(struct history *h, uint64_t assignment, bool control, uint32_t why)
{
    EVENT(h, .kind = FACT_RETURNED, .assignment = assignment, .unit = control ? GOLD_UNIT + 5 : 1, .why = why);
    if (!control)
        EVENT(h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3, .why = why);
}

/* Anna is sent to training while she holds assignment 2, and has answered half of what brings her back. */
static struct history in_training(bool control, bool well)
{
    struct history h = with_a_bar();
    TOLD(&h, .rule = 3, .rule_below = 5, .rule_after = 2, .rule_at = 1, .rule_until = 5);
    FEED(&h, .kind = FACT_STATION, .station = 8, .index = 1, .stations = 2, .first = 7, .line = 2, .when_on = -1,
         .gold_every = 1, .gold_rows = 9);
    answers(&h, 1, 0, 2, false);
    STEP(&h);
    if (control)
        hand_control(&h, 2, 3, 5, ANNA);
    else
        hand_to_anna(&h, 2);
    answers(&h, 3, 1, 2, false);
    EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = 3);
    taken(&h, 2, control, 17);
    STEP(&h);
    training_opens(&h);
    hand_control(&h, 4, 8, 0, ANNA);
    hand_control(&h, 5, 8, 1, ANNA);
    acts(&h, 4, ANNA, well ? 0 : 2);
    counts(&h, 4);
    EVENT(&h, .kind = FACT_GOLD, .assignment = 4, .flag = well);
    STEP(&h);
    return h;
}

/* The second answer brings her back; in the same frame is one under what was taken from her. */
static struct history come_back(bool control, int way)
{
    bool well = way != NOT_FREED;
    struct history h = in_training(control, well);
    acts(&h, 5, ANNA, well ? 1 : 2);
    acts(&h, 2, ANNA, 0);
    counts(&h, 5);
    EVENT(&h, .kind = FACT_GOLD, .assignment = 5, .flag = well);
    if (way != FREED)
        counts(&h, 2);
    if (well)
        EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .hub = HUB, .line = 2, .index = 0, .state = 0);
    if (way == FREED)
        counts(&h, 2);
    if (!control)
        unit_is_done(&h);
    STEP(&h);
    return h;
}

static void what_was_taken_from_who_comes_back_in_the_same_frame_counts_after_that(void **state)
{
    (void)state;
    for (int control = 0; control < 2; control++)
        for (int way = 0; way < WAYS; way++) {
            struct history h = come_back(control, way);
            judged(&h, way == FREED ? VERDICTS : STALE_ACCEPTED);
        }
}

static void a_backup_may_be_made_behind_such_a_frame_and_put_back(void **state)
{
    (void)state;
    struct history h = come_back(false, FREED);
    struct checker *kept = checker_keep(h.c);
    checker_go_back(h.c, kept);
    checker_free(&kept);
    judged(&h, VERDICTS);
}

/* Anna's lease is over, and the robot has begun the task. A control answer of his suspends him; in the same frame is hers. */
static void what_is_taken_from_who_is_suspended_is_free_for_a_result_behind_it_in_the_frame(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        bool wrong = way != NOT_FREED;
        struct history h = with_a_bar();
        hand_to_anna(&h, 1);
        taken(&h, 1, false, 5);
        STEP(&h);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = 3, .assignment = 2, .worker = ROBOT,
              .hub = HUB);
        EVENT(&h, .kind = FACT_STARTED, .assignment = 2);
        STEP(&h);
        hand_control(&h, 3, 3, 0, ROBOT);
        hand_control(&h, 4, 3, 1, ROBOT);
        acts(&h, 3, ROBOT, 2);
        counts(&h, 3);
        EVENT(&h, .kind = FACT_GOLD, .assignment = 3);
        STEP(&h);
        acts(&h, 4, ROBOT, wrong ? 2 : 1);
        acts(&h, 1, ANNA, 0);
        counts(&h, 4);
        EVENT(&h, .kind = FACT_GOLD, .assignment = 4, .flag = !wrong);
        if (way != FREED)
            counts(&h, 1);
        if (wrong) {
            EVENT(&h, .kind = FACT_STANDING, .worker = ROBOT, .hub = HUB, .line = 2, .index = 0, .state = 2);
            taken(&h, 2, false, 17);
        }
        if (way == FREED)
            counts(&h, 1);
        unit_is_done(&h);
        STEP(&h);
        judged(&h, way == FREED ? VERDICTS : STALE_ACCEPTED);
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
        cmocka_unit_test(what_a_window_has_forgotten_keeps_nobody_out_and_what_it_may_have_is_not_judged),
        cmocka_unit_test(newcomers_are_given_nothing_where_they_are_refused),
        cmocka_unit_test(what_was_measured_elsewhere_counts_where_all_stations_do),
        cmocka_unit_test(who_does_not_agree_with_what_is_decided_is_given_nothing_where_that_is_required),
        cmocka_unit_test(a_rule_that_applies_and_is_not_followed_is_a_wrong_state),
        cmocka_unit_test(a_skill_is_lowered_by_one_level_and_answers_begin_anew),
        cmocka_unit_test(a_skill_lowered_too_far_or_without_a_rule_is_a_wrong_state),
        cmocka_unit_test(who_is_sent_where_too_few_control_tasks_are_left_is_suspended_instead),
        cmocka_unit_test(who_is_trained_well_enough_comes_back_and_nobody_else),
        cmocka_unit_test(what_was_taken_from_who_comes_back_in_the_same_frame_counts_after_that),
        cmocka_unit_test(a_backup_may_be_made_behind_such_a_frame_and_put_back),
        cmocka_unit_test(what_is_taken_from_who_is_suspended_is_free_for_a_result_behind_it_in_the_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
