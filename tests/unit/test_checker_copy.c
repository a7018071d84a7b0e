/* The checker is checked: histories of stores that were lost, and put back from a backup. */
#include "tests/unit/checker_world.h"

struct lost {
    struct history h;
    struct checker *kept;
    uint64_t seq;
};

/* Of two units the first is done and acknowledged, then a backup is made. */
static struct lost backed_up(void)
{
    struct lost l = { .h = begin() };
    put_unit(&l.h, 1);
    put_unit(&l.h, 2);
    give(&l.h, 1, 1, 1, ANNA);
    answer(&l.h, 1, 1, 1, ANNA, 0);
    l.kept = checker_keep(l.h.c);
    l.seq = l.h.seq;
    return l;
}

/* After it the second is done too, and a third one comes in. */
static void goes_on(struct lost *l)
{
    give(&l->h, 2, 2, 1, ROBOT);
    answer(&l->h, 2, 2, 2, ROBOT, 2);
    put_unit(&l->h, 3);
    give(&l->h, 3, 3, 1, ANNA);
}

/* The broker comes up over the backup, and the hub is back. */
static void is_put_back(struct lost *l)
{
    checker_go_back(l->h.c, l->kept);
    l->h.seq = l->seq;
    EVENT(&l->h, .kind = FACT_BOOT);
    EVENT(&l->h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION + 1, .flag = true);
    FEED(&l->h, .kind = FACT_GRANT, .session = SESSION + 1, .worker = ROBOT, .count = 10);
    STEP(&l->h);
}

static void judged_lost(struct lost *l, enum verdict v)
{
    checker_free(&l->kept);
    judged(&l->h, v);
}

static void a_number_that_the_lost_store_gave_is_given_twice(void **state)
{
    (void)state;
    struct lost l = backed_up();
    goes_on(&l);
    is_put_back(&l);
    give(&l.h, 3, 2, 1, ROBOT);
    judged_lost(&l, GIVEN_TWICE);
}

static void one_behind_all_that_it_gave_is_not(void **state)
{
    (void)state;
    struct lost l = backed_up();
    goes_on(&l);
    is_put_back(&l);
    give(&l.h, 1000, 2, 1, ROBOT);
    answer(&l.h, 1000, 2, 2, ROBOT, 0);
    tell_run(&l.h, 2, 2);
    tell_unit(&l.h, 1, 1);
    tell_unit(&l.h, 2, 1000);
    judged_lost(&l, VERDICTS);
}

static void nor_does_one_backup_put_back_twice_give_the_numbers_of_the_first_time(void **state)
{
    (void)state;
    struct lost l = backed_up();
    is_put_back(&l);
    give(&l.h, 1000, 2, 1, ROBOT);
    is_put_back(&l);
    give(&l.h, 1000, 2, 1, ROBOT);
    judged_lost(&l, GIVEN_TWICE);
}

/* By a clock that was wrong meanwhile. */
static void between_numbers_that_were_given_there_are_others(void **state)
{
    (void)state;
    struct lost l = backed_up();
    is_put_back(&l);
    give(&l.h, 1000, 2, 1, ROBOT);
    is_put_back(&l);
    give(&l.h, 999, 2, 1, ROBOT);
    assert_int_equal(checker_total(l.h.c), 0);
    put_unit(&l.h, 3);
    give(&l.h, 1000, 3, 1, ROBOT);
    judged_lost(&l, GIVEN_TWICE);
}

static void numbers_that_leave_a_hole_later_on_are_a_wrong_state(void **state)
{
    (void)state;
    struct lost l = backed_up();
    goes_on(&l);
    is_put_back(&l);
    put_unit(&l.h, 3);
    give(&l.h, 1000, 2, 1, ROBOT);
    give(&l.h, 1002, 3, 1, ROBOT);
    judged_lost(&l, WRONG_STATE);
}

static void a_row_that_was_acknowledged_before_the_backup_is_lost_if_it_is_not_there(void **state)
{
    (void)state;
    struct lost l = backed_up();
    goes_on(&l);
    is_put_back(&l);
    tell_run(&l.h, 2, 1);
    tell_unit(&l.h, 1, 1);
    checker_end(l.h.c);
    assert_int_equal(checker_count(l.h.c, LOST), 2); /* the row, and its unit; nothing of unit 3 */
    checker_free(&l.h.c);
    checker_free(&l.kept);
}

static void a_result_that_was_acknowledged_before_the_backup_is_lost_if_it_is_not_there(void **state)
{
    (void)state;
    struct lost l = backed_up();
    is_put_back(&l);
    tell_run(&l.h, 2, 1);
    FEED(&l.h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .state = 1, .row = 101, .digest = row_digest_of(101));
    FEED(&l.h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = 0, .state = CK_DONE);
    FEED(&l.h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = 0, .assignment = 1, .state = CK_BEGUN);
    assert_int_equal(checker_count(l.h.c, LOST), 1);
    checker_free(&l.h.c);
    checker_free(&l.kept);
}

static void a_result_under_a_number_of_the_lost_store_is_unknown(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 30; code += 30) {
        struct lost l = backed_up();
        goes_on(&l);
        is_put_back(&l);
        assert_true(checker_lost(l.h.c, 3));
        assert_false(checker_lost(l.h.c, 1));
        FEED(&l.h, .kind = FACT_ACT, .act = 6, .assignment = 3, .worker = ANNA, .session = SESSION + 1, .code = code);
        if (!code) {
            assert_int_equal(checker_count(l.h.c, WRONG_STATE), 1);
            checker_free(&l.h.c);
            checker_free(&l.kept);
        } else {
            judged_lost(&l, VERDICTS);
        }
    }
}

static void a_row_of_a_lost_run_comes_in_when_the_run_is_begun_again(void **state)
{
    (void)state;
    struct lost l = backed_up();
    FEED(&l.h, .kind = FACT_RUN, .run = 2, .station = 1, .count = 5);
    FEED(&l.h, .kind = FACT_ROW_SENT, .run = 2, .row = 500, .digest = 5, .worker = 9);
    is_put_back(&l);
    FEED(&l.h, .kind = FACT_RUN, .run = 4098, .station = 1, .count = 5);
    FEED(&l.h, .kind = FACT_ROW_SENT, .run = 4098, .row = 500, .digest = 5, .worker = 9);
    EVENT(&l.h, .kind = FACT_UNITS_ADDED, .run = 4098, .unit = 1);
    EVENT(&l.h, .kind = FACT_READY, .run = 4098, .unit = 1, .station = 1);
    STEP(&l.h);
    FEED(&l.h, .kind = FACT_STORY_UNIT, .run = 4098, .unit = 1, .state = 0, .row = 500, .digest = 5);
    judged_lost(&l, VERDICTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_that_the_lost_store_gave_is_given_twice),
        cmocka_unit_test(one_behind_all_that_it_gave_is_not),
        cmocka_unit_test(nor_does_one_backup_put_back_twice_give_the_numbers_of_the_first_time),
        cmocka_unit_test(between_numbers_that_were_given_there_are_others),
        cmocka_unit_test(numbers_that_leave_a_hole_later_on_are_a_wrong_state),
        cmocka_unit_test(a_row_that_was_acknowledged_before_the_backup_is_lost_if_it_is_not_there),
        cmocka_unit_test(a_result_that_was_acknowledged_before_the_backup_is_lost_if_it_is_not_there),
        cmocka_unit_test(a_result_under_a_number_of_the_lost_store_is_unknown),
        cmocka_unit_test(a_row_of_a_lost_run_comes_in_when_the_run_is_begun_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
