/* The drawing of a forecast: the height of a block. What the whole looks like is seen with real programs (tests/integration/test_coverage.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "client/cli/coverage.h"

static void whatever_is_there_is_seen_and_the_most_is_full(void **state)
{
    (void)state;
    assert_int_equal(coverage_height(0, 100), 0);
    assert_int_equal(coverage_height(0.01, 100), 1);
    assert_int_equal(coverage_height(50, 100), 4);
    assert_int_equal(coverage_height(51, 100), 5);
    assert_int_equal(coverage_height(100, 100), 8);
    assert_int_equal(coverage_height(101, 100), 8);
}

static void where_nothing_is_there_is_no_height(void **state)
{
    (void)state;
    assert_int_equal(coverage_height(0, 0), 0);
    assert_int_equal(coverage_height(5, 0), 0);
    assert_int_equal(coverage_height(-1, 10), 0);
    assert_int_equal(coverage_height(NAN, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_there_is_seen_and_the_most_is_full),
        cmocka_unit_test(where_nothing_is_there_is_no_height),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
