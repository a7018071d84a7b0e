/* The checker is checked: what must be there at the end, and be handed out. */
#include "tests/unit/checker_world.h"

static void station_hands_out(struct history *h, uint64_t unit, uint64_t assignment)
{
    FEED(h, .kind = FACT_HANDED_OUT, .run = RUN, .unit = unit, .index = 0, .digest = 5000 + assignment);
}

/* Both units are told and handed out, by the run and by the station; all that is there was told. */
static struct history drained(void)
{
    struct history h = good();
    tell_good(&h);
    station_hands_out(&h, 1, 1);
    station_hands_out(&h, 2, 2);
    FEED(&h, .kind = FACT_ALL_TOLD);
    return h;
}

static void what_is_done_is_handed_out_once(void **state)
{
    struct history h = drained();
    (void)state;
    judged(&h, VERDICTS);
}

static void a_unit_that_is_done_and_not_handed_out_is_lost(void **state)
{
    struct history h = good();
    (void)state;
    tell_run(&h, 2, 2);
    tell_unit(&h, 1, 1);
    tell_story(&h, 2, 2);
    station_hands_out(&h, 1, 1);
    station_hands_out(&h, 2, 2);
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, LOST);
}

static void a_unit_that_is_handed_out_again_is_duplicated(void **state)
{
    struct history h = drained();
    (void)state;
    FEED(&h, .kind = FACT_OUTPUT, .run = RUN, .unit = 2, .row = 102, .digest = row_digest_of(102));
    judged(&h, DUPLICATED);
}

static void an_answer_that_its_station_does_not_hand_out_is_lost(void **state)
{
    struct history h = good();
    (void)state;
    tell_good(&h);
    station_hands_out(&h, 1, 1);
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, LOST);
}

static void an_answer_that_its_station_hands_out_again_is_duplicated(void **state)
{
    struct history h = drained();
    (void)state;
    station_hands_out(&h, 2, 2);
    judged(&h, DUPLICATED);
}

static void a_station_that_hands_out_nothing_in_an_answers_place_has_lost_it(void **state)
{
    struct history h = good();
    (void)state;
    tell_good(&h);
    station_hands_out(&h, 1, 1);
    FEED(&h, .kind = FACT_HANDED_OUT, .run = RUN, .unit = 2, .index = 0, .flag = true);
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, LOST);
}

static void a_runs_row_holds_the_answer_of_each_station_that_did_the_unit(void **state)
{
    (void)state;
    const struct {
        uint32_t index;
        uint64_t digest;
        enum verdict verdict;
    } rows[] = {
        { 0, 5001, VERDICTS }, { 0, 5002, BYTES_DIFFER }, { 0, 0, LOST }, { 1, 0, VERDICTS }, { 1, 5001, UNEXPECTED }
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct history h = drained();
        FEED(&h, .kind = FACT_OUTPUT_ANSWER, .run = RUN, .unit = 1, .index = rows[i].index, .digest = rows[i].digest,
             .flag = !rows[i].digest);
        judged(&h, rows[i].verdict);
    }
}

/* Nothing of the run is told, though everything that is there was. */
static void a_run_that_is_not_there_is_lost_with_its_rows(void **state)
{
    struct history h = good();
    (void)state;
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, LOST);
}

static void a_run_that_was_deleted_need_not_be_there(void **state)
{
    struct history h = good();
    (void)state;
    EVENT(&h, .kind = FACT_RUN_STATE, .run = RUN, .state = 4, .count = 5);
    STEP(&h);
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, VERDICTS);
}

static void a_unit_that_comes_in_while_the_store_is_full_is_a_wrong_state(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) { /* full; with room again; begun anew */
        struct history h = begin();
        FEED(&h, .kind = FACT_FULL, .flag = true);
        STEP(&h);
        if (how == 1)
            FEED(&h, .kind = FACT_FULL);
        if (how == 2)
            EVENT(&h, .kind = FACT_BOOT);
        STEP(&h);
        put_unit(&h, 1);
        judged(&h, how ? VERDICTS : WRONG_STATE);
    }
}

static void a_unit_that_has_not_come_to_its_end_is_unfinished(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    tell_run(&h, 1, 0);
    FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .row = 101, .digest = row_digest_of(101));
    FEED(&h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = 0, .state = CK_READY);
    FEED(&h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = 1, .state = CK_BLOCKED);
    FEED(&h, .kind = FACT_ALL_TOLD);
    judged(&h, UNFINISHED);
}

/* Subscriber 5 is one of all, 6 of the run, 7 of the hub. */
static void everybody_saw(struct history *h, uint64_t all, uint64_t run, uint64_t hub)
{
    const uint64_t seen[] = { all, run, hub };
    for (uint64_t i = 0; i < 3; i++) {
        FEED(h, .kind = FACT_SUBSCRIBER, .worker = 5 + i, .seq = seen[i]);
        FEED(h, .kind = FACT_SUBSCRIBED, .worker = 5 + i, .run = i == 1 ? RUN : 0, .hub = i == 2 ? HUB : 0);
    }
}

static void a_subscriber_of_any_stream_that_did_not_see_its_last_event_has_a_gap(void **state)
{
    (void)state;
    for (int behind = 0; behind < 4; behind++) {
        struct history h = good();
        uint64_t of_run = h.seq;
        EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION, .flag = true);
        uint64_t of_hub = h.seq;
        EVENT(&h, .kind = FACT_EVENT);
        STEP(&h);
        everybody_saw(&h, h.seq - (behind == 1), of_run - (behind == 2), of_hub - (behind == 3));
        judged(&h, behind ? EVENT_GAP : VERDICTS);
    }
}

static void what_the_stores_own_check_names_is_a_verdict(void **state)
{
    (void)state;
    for (int recount = 0; recount < 2; recount++) {
        struct history h = drained();
        FEED(&h, .kind = FACT_DAMAGE, .flag = recount, .text = recount ? "run 1" : "table unit, key 1");
        judged(&h, recount ? COUNTERS : WRONG_STATE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_done_is_handed_out_once),
        cmocka_unit_test(a_unit_that_is_done_and_not_handed_out_is_lost),
        cmocka_unit_test(a_unit_that_is_handed_out_again_is_duplicated),
        cmocka_unit_test(an_answer_that_its_station_does_not_hand_out_is_lost),
        cmocka_unit_test(an_answer_that_its_station_hands_out_again_is_duplicated),
        cmocka_unit_test(a_station_that_hands_out_nothing_in_an_answers_place_has_lost_it),
        cmocka_unit_test(a_runs_row_holds_the_answer_of_each_station_that_did_the_unit),
        cmocka_unit_test(a_run_that_is_not_there_is_lost_with_its_rows),
        cmocka_unit_test(a_run_that_was_deleted_need_not_be_there),
        cmocka_unit_test(a_unit_that_comes_in_while_the_store_is_full_is_a_wrong_state),
        cmocka_unit_test(a_unit_that_has_not_come_to_its_end_is_unfinished),
        cmocka_unit_test(a_subscriber_of_any_stream_that_did_not_see_its_last_event_has_a_gap),
        cmocka_unit_test(what_the_stores_own_check_names_is_a_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
