/* The checker is checked: answers that are refused, or that an agent kept and did not hand in; each bad history gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

/* Whoever is told that it cannot be taken does not send it again. */
static void a_good_answer_that_is_refused_is_lost(void **state)
{
    enum { TOO_BIG = 17, BAD_RESULT = 52 };
    (void)state;
    for (int sent = 0; sent < 8; sent++) { /* bits: a good one, a bad one; the code */
        struct history h = begin();
        put_unit(&h, 1);
        give(&h, 1, 1, 1, ANNA);
        if (sent & 2)
            FEED(&h, .kind = FACT_BAD_SENT, .assignment = 1);
        if (sent & 1)
            FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION,
             .code = sent & 4 ? TOO_BIG : BAD_RESULT);
        STEP(&h);
        judged(&h, (sent & 3) == 1 ? LOST : VERDICTS);
    }
}

static void an_act_that_is_refused_for_its_value_is_a_wrong_state(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    FEED(&h, .kind = FACT_ACT, .act = 2, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 15);
    judged(&h, WRONG_STATE);
}

static void a_result_that_an_agent_kept_and_never_handed_in_is_lost(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) { /* unless the disk that had it is */
        struct history h = good();
        tell_good(&h);
        FEED(&h, .kind = FACT_KEPT, .assignment = 999, .flag = true);
        if (gone)
            FEED(&h, .kind = FACT_KEPT, .assignment = 999);
        judged(&h, gone ? VERDICTS : LOST);
    }
}

static void a_result_that_an_agent_kept_and_asks_for_again_is_lost(void **state)
{
    (void)state;
    for (uint32_t other = 0; other < 2; other++) { /* a second agent may have asked for it, too */
        struct history h = begin();
        put_unit(&h, 1);
        give(&h, 1, 1, 1, ANNA);
        FEED(&h, .kind = FACT_KEPT, .assignment = 1, .flag = true);
        FEED(&h, .kind = FACT_KEPT, .assignment = 1, .index = other, .flag = true);
        FEED(&h, .kind = FACT_KEPT, .assignment = 1);
        judged(&h, other ? VERDICTS : LOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_that_is_refused_is_lost),
        cmocka_unit_test(an_act_that_is_refused_for_its_value_is_a_wrong_state),
        cmocka_unit_test(a_result_that_an_agent_kept_and_never_handed_in_is_lost),
        cmocka_unit_test(a_result_that_an_agent_kept_and_asks_for_again_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
