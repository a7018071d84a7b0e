/* The checker is checked: bad streams of events, where one is missing, differs, or is gone that should be there; each gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

static void a_missing_event_is_a_gap(void **state)
{
    struct history h = good();
    (void)state;
    h.seq++;
    EVENT(&h, .kind = FACT_EVENT);
    judged(&h, EVENT_GAP);
    h = good();
    FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .prev = 0, .seq = 4);
    FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .prev = 6, .seq = 7);
    judged(&h, EVENT_GAP);
    h = good();
    FEED(&h, .kind = FACT_LAST_EVENT, .seq = h.seq + 1);
    judged(&h, EVENT_GAP);
}

static void an_event_that_a_subscriber_gets_with_other_bytes_differs(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 3; wrong++) {
        struct history h = good();
        FEED(&h, .kind = FACT_BODY, .seq = h.seq + 1, .digest = 11);
        EVENT(&h, .kind = FACT_EVENT);
        FEED(&h, .kind = FACT_BODY, .seq = h.seq + 1, .digest = 12);
        EVENT(&h, .kind = FACT_EVENT);
        STEP(&h);
        FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .seq = h.seq - 1, .digest = wrong == 1 ? 12 : 11);
        FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .prev = h.seq - 1, .seq = h.seq + (wrong == 2), .digest = 12);
        judged(&h, wrong == 1 ? BYTES_DIFFER : wrong == 2 ? UNEXPECTED : VERDICTS);
    }
}

/* Of what is no longer kept he must be told; it must be so, and he misses nothing else. */
static void a_subscriber_misses_what_is_gone_and_nothing_else(void **state)
{
    static const struct {
        uint64_t oldest, kept, prev;
        bool prunes;
        enum verdict judged;
    } cases[] = {
        { 8, 2, 7, true, VERDICTS },    { 8, 2, 7, false, EVENT_GAP }, /* all are kept there */
        { 8, 3, 7, true, EVENT_GAP },                                  /* one more is kept */
        { 8, 0, 7, true, VERDICTS },    { 8, 2, 8, true, EVENT_GAP },  /* the one before is kept */
        { 3, 2, 2, true, EVENT_GAP },                                  /* that is what he asked for */
        { 12, 0, 11, true, EVENT_GAP },                                /* so many there are not */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct history h = { checker_new(NULL), 0 };
        while (h.seq < 10)
            EVENT(&h, .kind = FACT_EVENT);
        FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .seq = 1);
        FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .prev = 1, .seq = 2);
        FEED(&h, .kind = FACT_GONE, .worker = 1, .prev = 3, .seq = cases[i].oldest, .count = cases[i].kept,
             .flag = cases[i].prunes);
        FEED(&h, .kind = FACT_SUBSCRIBER, .worker = 1, .prev = cases[i].prev, .seq = 10);
        judged(&h, cases[i].judged);
    }
}

static void a_stream_whose_last_event_is_gone_is_seen_to_its_end(void **state)
{
    (void)state;
    for (int line = 0; line < 2; line++) {
        struct history h = { checker_new(NULL), 0 };
        EVENT(&h, .kind = FACT_EVENT, .line = LINE);
        EVENT(&h, .kind = FACT_EVENT);
        EVENT(&h, .kind = FACT_EVENT, .line = line ? LINE : 0);
        FEED(&h, .kind = FACT_GONE, .worker = 1, .prev = 1, .seq = 3, .flag = true);
        FEED(&h, .kind = FACT_SUBSCRIBED, .worker = 1, .line = LINE);
        judged(&h, line ? EVENT_GAP : VERDICTS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_event_is_a_gap),
        cmocka_unit_test(an_event_that_a_subscriber_gets_with_other_bytes_differs),
        cmocka_unit_test(a_subscriber_misses_what_is_gone_and_nothing_else),
        cmocka_unit_test(a_stream_whose_last_event_is_gone_is_seen_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
