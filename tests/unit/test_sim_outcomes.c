/* The simulated world reads an answer as it was meant, also where one assignment stands in a frame several times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/outcomes.h"

enum { START, TOUCH, RELEASE, DECLINE, FAIL, BURY };

static struct slp_buf items, listed;
static uint32_t items_n, listed_n;

static int begin(void **state)
{
    (void)state;
    slp_buf_clear(&items);
    slp_buf_clear(&listed);
    items_n = listed_n = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    slp_buf_free(&items);
    slp_buf_free(&listed);
    return 0;
}

static void an_act(uint64_t act, uint64_t assignment)
{
    slp_pack_item(&items, SLP_ITEM_act, &(struct slp_item_act){ .act = act, .assignment = assignment });
    items_n++;
}

static void a_result(uint64_t assignment)
{
    static const char nothing[] = { (char)0xc0 };
    slp_pack_item(&items, SLP_ITEM_result,
                  &(struct slp_item_result){ .assignment = assignment, .values = { nothing, 1, 1 } });
    items_n++;
}

static void an_outcome(uint64_t code, uint64_t assignment)
{
    slp_pack_item(&listed, SLP_ITEM_outcome, &(struct slp_item_outcome){ .code = code, .assignment = assignment });
    listed_n++;
}

/* For each act in turn, is it listed? As a text of y and n. */
static void reads(bool acts, const char *want)
{
    struct slp_cursor i = slp_each((struct slp_list){ items.p, (uint32_t)items.n, items_n }),
                      o = slp_each((struct slp_list){ listed.p, (uint32_t)listed.n, listed_n });
    struct slp_item_act a;
    struct slp_item_result r;
    struct slp_item_outcome out;
    for (uint32_t k = 0; k < items_n; k++) {
        bool is = acts ? act_is_listed(i, o) : result_is_listed(i, o);
        if (is != (want[k] == 'y'))
            fail_msg("item %u is%s listed", k + 1, is ? "" : " not");
        assert_true(acts ? slp_next_act(&i, &a) : slp_next_result(&i, &r));
        if (is)
            assert_true(slp_next_outcome(&o, &out));
    }
    assert_false(slp_next_outcome(&o, &out)); /* nothing is left over */
}

static void a_start_behind_the_fail_that_ended_it_has_the_outcome(void **state)
{
    (void)state;
    an_act(FAIL, 7);
    an_act(START, 7);
    an_outcome(SLP_E_STALE, 7);
    reads(true, "ny");
}

static void a_fail_behind_its_start_went_well_if_one_outcome_is_listed(void **state)
{
    (void)state;
    an_act(START, 7);
    an_act(FAIL, 7);
    an_act(TOUCH, 8);
    an_outcome(SLP_E_OK, 7);
    an_outcome(SLP_E_STALE, 8);
    reads(true, "yny");
}

static void all_of_an_assignment_that_is_over_are_listed(void **state)
{
    (void)state;
    an_act(START, 7);
    an_act(FAIL, 7);
    an_act(FAIL, 9);
    an_outcome(SLP_E_STALE, 7);
    an_outcome(SLP_E_STALE, 7);
    reads(true, "yyn");
}

static void of_two_ends_the_first_was_taken(void **state)
{
    (void)state;
    an_act(DECLINE, 7);
    an_act(BURY, 7);
    an_outcome(SLP_E_STALE, 7);
    reads(true, "ny");
}

static void of_two_results_the_second_is_the_repeat(void **state)
{
    (void)state;
    a_result(7);
    a_result(8);
    a_result(7);
    an_outcome(SLP_E_DUPLICATE, 7);
    reads(false, "nny");
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_behind_the_fail_that_ended_it_has_the_outcome),
        TEST(a_fail_behind_its_start_went_well_if_one_outcome_is_listed),
        TEST(all_of_an_assignment_that_is_over_are_listed),
        TEST(of_two_ends_the_first_was_taken),
        TEST(of_two_results_the_second_is_the_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
