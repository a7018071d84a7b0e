/* The checker is checked: bad histories of suspensions, void answers and granted skills, each of which gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

/* Of `name`, an index, or 16 and a tournament's. */
static void stands(struct history *h, uint64_t worker, uint32_t name, uint32_t standing)
{
    EVENT(h, .kind = FACT_STANDING, .worker = worker, .hub = HUB, .line = LINE, .index = name, .state = standing,
          .flag = standing < 2);
}

static void taken_back(struct history *h, uint64_t assignment, uint64_t unit)
{
    EVENT(h, .kind = FACT_RETURNED, .assignment = assignment, .unit = unit, .why = 17);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = unit, .station = 1, .why = 17);
}

static void whoever_is_suspended_is_given_nothing_there(void **state)
{
    (void)state;
    struct history h = begin();
    put_unit(&h, 1);
    stands(&h, ANNA, 0, 1);
    STEP(&h);
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
}

static void whoever_may_come_back_or_is_suspended_elsewhere_is_given_it(void **state)
{
    (void)state;
    struct history h = begin();
    put_unit(&h, 1);
    stands(&h, ANNA, 0, 1);
    stands(&h, ANNA, 1, 1);
    stands(&h, ANNA, 0, 0);
    STEP(&h);
    give(&h, 1, 1, 1, ANNA);
    judged(&h, VERDICTS);
}

/* Anna has begun unit 1. */
static struct history begun(void)
{
    struct history h = begin();
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_STARTED, .assignment = 1);
    STEP(&h);
    return h;
}

static void what_he_held_goes_back(void **state)
{
    (void)state;
    struct history h = begun();
    stands(&h, ANNA, 0, 1);
    taken_back(&h, 1, 1);
    STEP(&h);
    give(&h, 2, 1, 1, ROBOT);
    judged(&h, VERDICTS);
}

static void what_he_keeps_in_hand_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = begin();
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    stands(&h, ANNA, 0, 1);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void what_is_taken_from_somebody_who_is_not_suspended_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = begin();
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    stands(&h, ANNA, 1, 1);
    taken_back(&h, 1, 1);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void a_result_of_somebody_who_is_suspended_counts_for_nothing(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 2; code += 2) {
        struct history h = begin();
        put_unit(&h, 1);
        give(&h, 1, 1, 1, ANNA);
        stands(&h, ANNA, 0, 1);
        taken_back(&h, 1, 1);
        STEP(&h);
        FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = code);
        if (code) {
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
            STEP(&h);
        }
        judged(&h, code ? VERDICTS : STALE_ACCEPTED);
    }
}

static void a_task_that_is_begun_and_that_nobody_holds_is_a_wrong_state(void **state)
{
    (void)state;
    struct history h = begun();
    FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void nobody_stands_as_he_stood(void **state)
{
    (void)state;
    struct history h = begin();
    stands(&h, ANNA, 0, 1);
    STEP(&h);
    stands(&h, ANNA, 0, 1);
    STEP(&h);
    judged(&h, WRONG_STATE);
}

/* ---- answers that are void ---- */

static void is_void(struct history *h, uint64_t assignment, uint64_t wanted)
{
    EVENT(h, .kind = FACT_VOID, .run = RUN2, .unit = 1, .station = SEVERAL, .assignment = assignment);
    checker_feed(h->c,
                 &(struct fact){
                     .kind = FACT_VOID, .seq = h->seq, .run = RUN2, .unit = 1, .station = SEVERAL, .count = wanted });
}

/* Of two, one has answered, and was suspended since; the other one answers. */
static struct history suspended_since(void)
{
    struct history h = several(TIES_MORE, 3);
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    say(&h, 1, 1, ANNA, 0);
    STEP(&h);
    stands(&h, ANNA, 0, 1);
    stands(&h, ANNA, 0, 0);
    STEP(&h);
    say(&h, 2, 2, ROBOT, 0);
    return h;
}

static void an_answer_of_somebody_who_was_suspended_since_counts_in_no_decision(void **state)
{
    (void)state;
    struct history h = suspended_since();
    decide(&h, 3, 1, 2, 2);
    tell_several(&h, 2);
    judged(&h, VOID_COUNTS);
}

static void in_its_place_another_is_asked(void **state)
{
    (void)state;
    struct history h = suspended_since();
    is_void(&h, 1, 2);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
    STEP(&h);
    hand(&h, 3, CARL, false);
    say(&h, 3, 3, CARL, 0);
    decide(&h, 4, 2, 2, 2);
    FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN2, .unit = 1, .state = 1, .row = 201, .digest = row_digest_of(201));
    FEED(&h, .kind = FACT_STORY_TASK, .run = RUN2, .unit = 1, .index = 0, .state = CK_DONE);
    for (uint64_t a = 1; a <= 3; a++)
        FEED(&h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN2, .unit = 1, .index = 0, .assignment = a,
             .state = a == 1 ? CK_LATE : CK_COUNTED, .digest = 5000 + a);
    FEED(&h, .kind = FACT_RUN_COUNTS, .run = RUN2, .state = 0, .flag = true, .counts = { 1, 1 });
    judged(&h, VERDICTS);
}

/* Carl gave it back, another has begun; what Carl did all the same takes the place that is free in truth. */
static void a_late_answer_takes_its_place(void **state)
{
    (void)state;
    for (unsigned suspended = 0; suspended < 2; suspended++) {
        struct history h = several(TIES_MORE, 3);
        hand(&h, 1, ANNA, true);
        hand(&h, 2, CARL, false);
        say(&h, 1, 1, ANNA, 0);
        STEP(&h);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 2, .unit = 1, .why = 3);
        EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 3);
        STEP(&h);
        hand(&h, 3, ROBOT, false);
        EVENT(&h, .kind = FACT_STARTED, .assignment = 3);
        STEP(&h);
        if (suspended) {
            stands(&h, ANNA, 0, 1);
            STEP(&h);
        }
        FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 2, .worker = CARL, .digest = 5002);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 2, .worker = CARL, .session = SESSION);
        if (!suspended) {
            judged(&h, STALE_ACCEPTED);
            continue;
        }
        is_void(&h, 1, 2);
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 2, .result = 2);
        STEP(&h);
        say(&h, 3, 3, ROBOT, 0);
        decide(&h, 4, 2, 2, 2);
        FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN2, .unit = 1, .state = 1, .row = 201, .digest = row_digest_of(201));
        FEED(&h, .kind = FACT_STORY_TASK, .run = RUN2, .unit = 1, .index = 0, .state = CK_DONE);
        for (uint64_t a = 1; a <= 3; a++)
            FEED(&h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN2, .unit = 1, .index = 0, .assignment = a,
                 .state = a == 1 ? CK_LATE : CK_COUNTED, .digest = 5000 + a);
        FEED(&h, .kind = FACT_RUN_COUNTS, .run = RUN2, .state = 0, .flag = true, .counts = { 1, 1 });
        judged(&h, VERDICTS);
    }
}

static void but_not_the_same_worker(void **state)
{
    (void)state;
    struct history h = suspended_since();
    is_void(&h, 1, 2);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
    STEP(&h);
    hand(&h, 3, ANNA, false);
    judged(&h, NOT_ELIGIBLE);
}

static void more_are_wanted_than_before_is_asked_too_much(void **state)
{
    (void)state;
    struct history h = suspended_since();
    is_void(&h, 1, 3);
    judged(&h, OVER_ASKED);
}

static void an_answer_of_somebody_who_was_never_suspended_is_not_void(void **state)
{
    (void)state;
    struct history h = suspended_since();
    is_void(&h, 2, 2);
    judged(&h, WRONG_STATE);
}

static void nor_is_one_that_he_gave_when_he_had_come_back(void **state)
{
    (void)state;
    struct history h = several(TIES_MORE, 3);
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    stands(&h, CARL, 0, 1);
    stands(&h, CARL, 0, 0);
    STEP(&h);
    say(&h, 1, 1, ANNA, 0);
    say(&h, 2, 2, ROBOT, 0);
    decide(&h, 3, 1, 2, 2);
    tell_several(&h, 2);
    judged(&h, VERDICTS);
}

/* ---- skills ---- */

/* Unit 1 is ready at station 2, which asks for the first skill at level 2 and for people; the worker's hub declares 1 */
static struct history asks_for_a_skill(void)
{
    struct history h = begin();
    FEED(&h, .kind = FACT_STATION, .station = 3, .index = 0, .stations = 1, .first = 3, .line = 2, .when_on = -1,
         .attempts = 3, .level = { 2 });
    FEED(&h, .kind = FACT_WORKER, .worker = CARL, .session = SESSION, .level = { 1 });
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = CARL, .count = 10);
    FEED(&h, .kind = FACT_RUN, .run = RUN2, .station = 3, .count = 5);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN2, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = 3);
    STEP(&h);
    return h;
}

static void give_carl(struct history *h, int64_t wall)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = 3, .assignment = 1, .worker = CARL, .hub = HUB,
          .wall = wall);
    STEP(h);
}

static void says(struct history *h, uint32_t source, uint64_t level, int64_t until)
{
    EVENT(h, .kind = FACT_SKILL, .worker = CARL, .index = 0, .state = source, .count = level, .due = until);
    STEP(h);
}

static void a_granted_skill_counts_until_it_ends_or_is_taken_back(void **state)
{
    (void)state;
    struct history h = asks_for_a_skill();
    says(&h, SKILL_IS_GRANTED, 2, 100);
    give_carl(&h, 99);
    judged(&h, VERDICTS);
    h = asks_for_a_skill();
    says(&h, SKILL_IS_GRANTED, 2, 100);
    give_carl(&h, 100);
    judged(&h, NOT_ELIGIBLE);
    h = asks_for_a_skill();
    says(&h, SKILL_IS_GRANTED, 3, 0);
    says(&h, SKILL_SAYS_HUB, 0, 0);
    give_carl(&h, 1);
    judged(&h, NOT_ELIGIBLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_suspended_is_given_nothing_there),
        cmocka_unit_test(whoever_may_come_back_or_is_suspended_elsewhere_is_given_it),
        cmocka_unit_test(what_he_held_goes_back),
        cmocka_unit_test(what_he_keeps_in_hand_is_a_wrong_state),
        cmocka_unit_test(what_is_taken_from_somebody_who_is_not_suspended_is_a_wrong_state),
        cmocka_unit_test(a_result_of_somebody_who_is_suspended_counts_for_nothing),
        cmocka_unit_test(a_task_that_is_begun_and_that_nobody_holds_is_a_wrong_state),
        cmocka_unit_test(nobody_stands_as_he_stood),
        cmocka_unit_test(an_answer_of_somebody_who_was_suspended_since_counts_in_no_decision),
        cmocka_unit_test(in_its_place_another_is_asked),
        cmocka_unit_test(a_late_answer_takes_its_place),
        cmocka_unit_test(but_not_the_same_worker),
        cmocka_unit_test(more_are_wanted_than_before_is_asked_too_much),
        cmocka_unit_test(an_answer_of_somebody_who_was_never_suspended_is_not_void),
        cmocka_unit_test(nor_is_one_that_he_gave_when_he_had_come_back),
        cmocka_unit_test(a_granted_skill_counts_until_it_ends_or_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
