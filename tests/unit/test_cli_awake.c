/* The strip of a hub's last day, from events that begin in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/cli/awake.h"

#define AT(hour) ((1000 + (hour)) * AWAKE_HOUR_US + 5)

static void shows(const struct awake *a, int hour, const char *wanted)
{
    char to[AWAKE_HOURS + 1];
    awake_strip(a, AT(hour), to);
    assert_string_equal(to, wanted);
}

static void hours_between_coming_and_going_are_awake(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_set(&a, AT(0), 0);
    awake_change(&a, AT(3), 2, 0);
    awake_change(&a, AT(5), 0, 1);
    awake_change(&a, AT(7), 0, 1);
    awake_until(&a, AT(23));
    shows(&a, 23, " ..#####................"); /* whoever went in the first hour is not known */
    awake_until(&a, AT(28));
    shows(&a, 28, "###.....................");
}

static void who_came_before_the_events_begin_is_told_by_the_listing(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_until(&a, AT(10));
    shows(&a, 23, "                        "); /* nothing is known yet */
    awake_listed(&a, AT(23), 4);
    shows(&a, 23, "########################"); /* nobody came or went: they were there all day */
    awake_begin(&a, AT(0));
    awake_listed(&a, AT(23), 0);
    shows(&a, 23, "........................");
}

static void who_goes_was_there_before(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_change(&a, AT(4), 0, 2);
    shows(&a, 23, "#####                   ");
    awake_change(&a, AT(8), 1, 0);
    awake_listed(&a, AT(23), 1);
    shows(&a, 23, "#####...################");
}

static void before_an_absolute_event_those_are_told_who_came_or_went(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_change(&a, AT(2), 1, 0);
    awake_change(&a, AT(4), 0, 1);
    awake_set(&a, AT(6), 0); /* a restart: all are signed off */
    awake_change(&a, AT(8), 3, 0);
    awake_listed(&a, AT(23), 3);
    shows(&a, 23, "  ###  .################"); /* whether others were there before is not known */
}

static void who_was_there_before_a_hello_is_not_known(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_set(&a, AT(6), 0); /* an agent that ran for days was started again */
    awake_change(&a, AT(6), 4, 0);
    awake_listed(&a, AT(23), 4);
    shows(&a, 23, "      ##################");
}

static void a_hub_that_fell_silent_was_there_until_then(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_listed(&a, AT(6), 4);
    awake_set(&a, AT(6), 0);
    awake_listed(&a, AT(23), 0);
    shows(&a, 23, "#######.................");
}

static void what_is_older_than_a_day_is_forgotten_also_at_once(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(0));
    awake_set(&a, AT(0), 1);
    awake_set(&a, AT(500), 0);
    shows(&a, 500, "########################");
    awake_until(&a, AT(501));
    shows(&a, 501, "#######################.");
    awake_until(&a, AT(600));
    shows(&a, 600, "........................");
}

static void hours_before_the_first_event_kept_are_not_known(void **state)
{
    struct awake a;
    (void)state;
    awake_begin(&a, AT(20));
    awake_set(&a, AT(20), 1);
    awake_until(&a, AT(22));
    shows(&a, 23, "                    ### ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_between_coming_and_going_are_awake),
        cmocka_unit_test(who_came_before_the_events_begin_is_told_by_the_listing),
        cmocka_unit_test(who_goes_was_there_before),
        cmocka_unit_test(before_an_absolute_event_those_are_told_who_came_or_went),
        cmocka_unit_test(who_was_there_before_a_hello_is_not_known),
        cmocka_unit_test(a_hub_that_fell_silent_was_there_until_then),
        cmocka_unit_test(what_is_older_than_a_day_is_forgotten_also_at_once),
        cmocka_unit_test(hours_before_the_first_event_kept_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
