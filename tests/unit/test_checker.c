/* The checker is checked: a good history gives no verdict, and each of these bad ones gives exactly the verdict that it deserves. */
#include "tests/unit/checker_world.h"

static void a_good_history_has_no_verdict(void **state)
{
    struct history h = good();
    (void)state;
    tell_good(&h);
    FEED(&h, .kind = FACT_COUNTS, .run = RUN, .station = 1, .index = 0, .counts = { [CK_DONE] = 2 });
    FEED(&h, .kind = FACT_COUNTS, .run = RUN, .station = 2, .index = 1, .counts = { [CK_SKIPPED] = 2 });
    judged(&h, VERDICTS);
}

static void an_acknowledged_row_that_is_not_there_is_lost(void **state)
{
    struct history h = good();
    (void)state;
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 999, .digest = 1, .worker = 9);
    FEED(&h, .kind = FACT_ROW_ACKED, .run = RUN, .row = 999);
    tell_good(&h);
    judged(&h, LOST);
}

static void an_acknowledged_result_that_is_not_there_is_lost(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    answer(&h, 1, 1, 1, ANNA, 0);
    tell_run(&h, 1, 1);
    FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .state = 1, .row = 101, .digest = row_digest_of(101));
    FEED(&h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = 0, .state = CK_DONE);
    FEED(&h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = 1, .state = CK_SKIPPED);
    judged(&h, LOST); /* its assignment is in no story */
}

static void a_row_that_nobody_sent_is_unexpected(void **state)
{
    struct history h = good();
    (void)state;
    tell_good(&h);
    FEED(&h, .kind = FACT_OUTPUT, .run = RUN, .unit = 3, .row = 555, .digest = 1);
    judged(&h, UNEXPECTED);
}

static void a_result_that_nobody_submitted_is_unexpected(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
    EVENT(&h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 2, .why = 1);
    STEP(&h);
    FEED(&h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = 0, .assignment = 1, .state = CK_COUNTED,
         .digest = 1);
    judged(&h, UNEXPECTED);
}

static void one_row_in_two_units_is_duplicated(void **state)
{
    struct history h = good();
    (void)state;
    tell_run(&h, 2, 2);
    tell_unit(&h, 1, 1);
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 200, .digest = 3, .worker = 9);
    tell_unit(&h, 2, 2);
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 300, .digest = 4, .worker = 9);
    FEED(&h, .kind = FACT_ROW_ACKED, .run = RUN, .row = 300, .unit = 3);
    FEED(&h, .kind = FACT_ROW_ACKED, .run = RUN, .row = 300, .unit = 4);
    FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 4, .state = 0, .row = 300, .digest = 4);
    assert_true(checker_count(h.c, DUPLICATED) == 1);
    assert_true(checker_count(h.c, UNEXPECTED) == 1); /* no event told of unit 4 */
    checker_free(&h.c);
}

static void two_results_that_count_are_a_double_accept(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 3);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 3);
    STEP(&h);
    give(&h, 2, 1, 1, ROBOT);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 2, .result = 1);
    EVENT(&h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 2, .why = 1);
    STEP(&h);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 2);
    STEP(&h);
    judged(&h, DOUBLE_ACCEPT);
}

static void a_start_under_an_assignment_that_is_over_is_a_stale_token(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 5);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 5);
    STEP(&h);
    FEED(&h, .kind = FACT_ACT, .act = 0, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 0);
    judged(&h, STALE_ACCEPTED);
}

static void a_late_result_that_counts_though_another_has_begun_is_a_stale_token(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 5);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 5);
    STEP(&h);
    give(&h, 2, 1, 1, ROBOT);
    EVENT(&h, .kind = FACT_STARTED, .assignment = 2);
    STEP(&h);
    FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 0);
    judged(&h, STALE_ACCEPTED);
}

static void other_bytes_are_seen(void **state)
{
    struct history h = good();
    (void)state;
    FEED(&h, .kind = FACT_SEEN, .assignment = 1, .row = 101, .digest = 12345, .worker = ANNA);
    judged(&h, BYTES_DIFFER);
    h = good();
    FEED(&h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = 0, .assignment = 1, .state = CK_COUNTED,
         .digest = 1);
    judged(&h, BYTES_DIFFER);
    h = good();
    FEED(&h, .kind = FACT_SEEN, .assignment = 1, .row = 102, .digest = row_digest_of(102),
         .worker = ANNA); /* another unit's row */
    judged(&h, BYTES_DIFFER);
}

static void overtaking_at_first_dispatch_is_not_first_in_first_out(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    put_unit(&h, 2);
    give(&h, 1, 2, 1, ANNA);
    judged(&h, FIFO);
}

static void what_came_back_is_served_before_what_is_fresh(void **state)
{
    (void)state;
    for (uint64_t next = 1; next <= 2; next++) {
        struct history h = begin();
        put_unit(&h, 1);
        put_unit(&h, 2);
        give(&h, 1, 1, 1, ANNA);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 3);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 3);
        STEP(&h);
        give(&h, 2, next, 1, ROBOT);
        judged(&h, next == 1 ? VERDICTS : FIFO);
    }
}

static void what_its_worker_declined_may_be_passed_by(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    put_unit(&h, 2);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 4);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 4);
    STEP(&h);
    give(&h, 2, 2, 1, ANNA);
    judged(&h, VERDICTS);
}

static void rows_that_lie_out_of_their_order_are_not_first_in_first_out(void **state)
{
    struct history h = begin();
    (void)state;
    for (uint64_t unit = 1; unit <= 2; unit++) {
        FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 103 - unit, .digest = row_digest_of(103 - unit),
             .flag = true, .worker = 9);
        EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN, .unit = unit);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = unit, .station = 1);
        STEP(&h);
    }
    EVENT(&h, .kind = FACT_DROPPED, .run = RUN, .unit = 1);
    EVENT(&h, .kind = FACT_DROPPED, .run = RUN, .unit = 2);
    STEP(&h);
    FEED(&h, .kind = FACT_RUN_COUNTS, .run = RUN, .flag = true, .counts = { 2, 0, 2 });
    for (uint64_t unit = 1; unit <= 2; unit++)
        FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = unit, .state = 2, .row = 103 - unit,
             .digest = row_digest_of(103 - unit));
    judged(&h, FIFO);
}

/* Equals, with eight units each at one station. */
static void two_runs(struct history *h)
{
    FEED(h, .kind = FACT_STATION, .station = 9, .index = 0, .stations = 1, .first = 9, .line = LINE, .when_on = -1,
         .attempts = 3);
    for (uint64_t run = 2; run <= 3; run++) {
        FEED(h, .kind = FACT_RUN, .run = run, .station = 9, .count = 5);
        for (uint64_t unit = 1; unit <= 8; unit++) {
            EVENT(h, .kind = FACT_UNITS_ADDED, .run = run, .unit = unit);
            EVENT(h, .kind = FACT_READY, .run = run, .unit = unit, .station = 9);
            STEP(h);
        }
    }
}

static void a_run_that_gets_all_the_workers_is_unfair(void **state)
{
    struct history h = begin();
    uint64_t assignment = 0;
    (void)state;
    two_runs(&h);
    for (uint64_t unit = 1; unit <= 5; unit++) {
        assignment++;
        EVENT(&h, .kind = FACT_ASSIGNED, .run = 2, .unit = unit, .station = 9, .assignment = assignment, .worker = ANNA,
              .hub = HUB);
        STEP(&h);
    }
    judged(&h, FAIRNESS);
}

/* A start ends sessions; shares go on. Before and after it as many as cannot be held against anybody by themselves. */
static void a_run_that_gets_ahead_a_little_more_at_each_start_is_unfair(void **state)
{
    (void)state;
    for (int drifts = 0; drifts <= 1; drifts++) {
        struct history h = begin();
        two_runs(&h);
        for (uint64_t unit = 1; unit <= 4; unit++) {
            EVENT(&h, .kind = FACT_BOOT);
            EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION + unit, .flag = true);
            FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION + unit, .level = { 2 });
            FEED(&h, .kind = FACT_GRANT, .session = SESSION + unit, .worker = ANNA, .count = 10);
            STEP(&h);
            uint64_t run = drifts ? 2 : 2 + unit % 2;
            EVENT(&h, .kind = FACT_ASSIGNED, .run = run, .unit = drifts ? unit : (unit + 1) / 2, .station = 9,
                  .assignment = unit, .worker = ANNA, .hub = HUB);
            STEP(&h);
        }
        judged(&h, drifts ? FAIRNESS : VERDICTS);
    }
}

static void counters_that_a_recount_does_not_give(void **state)
{
    struct history h = good();
    (void)state;
    FEED(&h, .kind = FACT_COUNTS, .run = RUN, .station = 1, .index = 0, .counts = { [CK_DONE] = 1, [CK_READY] = 1 });
    judged(&h, COUNTERS);
    h = good();
    FEED(&h, .kind = FACT_RUN_COUNTS, .run = RUN, .counts = { 2, 1 });
    judged(&h, COUNTERS);
}

static void ready_for(struct history *h, uint32_t station)
{
    put_unit(h, 1);
    if (station == 2) {
        give(h, 1, 1, 1, ANNA);
        answer(h, 1, 1, 1, ANNA, 1);
    }
}

static void not_for_this_worker(void **state)
{
    struct history h = begin();
    (void)state;
    ready_for(&h, 2);
    give(&h, 2, 1, 2, ROBOT); /* a station for people */
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 2);
    FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 1 }); /* her level was lowered */
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = ANNA, .count = 10);
    give(&h, 2, 1, 2, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 1);
    FEED(&h, .kind = FACT_SIGN_OFF, .session = SESSION, .worker = ANNA);
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 1);
    EVENT(&h, .kind = FACT_RUN_STATE, .run = RUN, .flag = true, .count = 5); /* paused */
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 1);
    EVENT(&h, .kind = FACT_STATION_STATE, .line = LINE, .index = 0, .flag = true);
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 4);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 4);
    STEP(&h);
    give(&h, 2, 1, 1, ANNA); /* she has declined it */
    judged(&h, NOT_ELIGIBLE);
}

static void who_left_the_roster_gets_nothing_and_signs_in_anew_when_he_is_back(void **state)
{
    struct history h = begin();
    (void)state;
    ready_for(&h, 1);
    FEED(&h, .kind = FACT_ROSTER, .session = SESSION); /* nobody is on it */
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = begin();
    ready_for(&h, 1);
    FEED(&h, .kind = FACT_ROSTER, .session = SESSION);
    FEED(&h, .kind = FACT_ROSTER, .session = SESSION);
    FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 2 });
    give(&h, 1, 1, 1, ANNA);
    assert_true(checker_count(h.c, NOT_ELIGIBLE) == 1);
    assert_true(checker_count(h.c, CREDIT_NEGATIVE) == 1); /* what was granted before he left is void */
    checker_free(&h.c);
}

static void declined(struct history *h, uint64_t assignment, uint64_t worker)
{
    give(h, assignment, 1, 1, worker);
    EVENT(h, .kind = FACT_RETURNED, .assignment = assignment, .unit = 1, .why = 4);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 4);
}

static void what_all_have_declined_is_parked_and_nothing_else(void **state)
{
    struct history h = begin();
    (void)state;
    ready_for(&h, 1);
    declined(&h, 1, ANNA);
    STEP(&h);
    declined(&h, 2, ROBOT);
    EVENT(&h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = 1, .why = 6);
    STEP(&h);
    judged(&h, VERDICTS);
    h = begin();
    ready_for(&h, 1);
    declined(&h, 1, ANNA);
    STEP(&h);
    declined(&h, 2, ROBOT);
    STEP(&h); /* it waits, for nobody */
    judged(&h, WRONG_STATE);
    h = begin();
    ready_for(&h, 1);
    declined(&h, 1, ANNA);
    EVENT(&h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = 1, .why = 6); /* the robot could do it */
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void a_second_assignment_of_one_task_is_asked_too_much(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    give(&h, 2, 1, 1, ROBOT);
    assert_true(checker_count(h.c, OVER_ASKED) == 1);
    assert_true(checker_count(h.c, WRONG_STATE) == 1); /* and the task was not ready */
    checker_free(&h.c);
}

static void more_than_was_granted_is_negative_credit(void **state)
{
    struct history h = begin();
    (void)state;
    for (uint64_t unit = 1; unit <= 11; unit++)
        put_unit(&h, unit);
    for (uint64_t unit = 1; unit <= 11; unit++)
        give(&h, unit, unit, 1, ANNA);
    judged(&h, CREDIT_NEGATIVE);
}

static void credit_of_a_session_that_is_over_counts_no_more(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = 78, .flag = true);
    STEP(&h);
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = ANNA, .count = 20);
    give(&h, 1, 1, 1, ANNA);
    judged(&h, NOT_ELIGIBLE);
}

static void transitions_that_the_matrix_does_not_have(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    EVENT(&h, .kind = FACT_SKIPPED, .run = RUN, .unit = 1, .station = 1); /* it was ready */
    judged(&h, WRONG_STATE);
    h = begin();
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    EVENT(&h, .kind = FACT_STARTED, .assignment = 1);
    EVENT(&h, .kind = FACT_STARTED, .assignment = 1);
    judged(&h, WRONG_STATE);
    h = begin();
    put_unit(&h, 1);
    FEED(&h, .kind = FACT_ACT, .act = 1, .assignment = 9, .worker = ANNA, .session = SESSION, .code = 0);
    judged(&h, WRONG_STATE);
    h = good();
    FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION,
         .code = 32); /* a repeat is DUPLICATE, not STALE */
    judged(&h, WRONG_STATE);
    h = begin();
    put_unit(&h, 1);
    EVENT(&h, .kind = FACT_UNIT_DONE, .run = RUN, .unit = 1); /* its tasks are not */
    STEP(&h);
    judged(&h, WRONG_STATE);
}

static void a_unit_that_went_the_wrong_way(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001,
         .route = 1); /* asks for station 2 */
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
    EVENT(&h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = 1);
    EVENT(&h, .kind = FACT_SKIPPED, .run = RUN, .unit = 1, .station = 2);
    EVENT(&h, .kind = FACT_UNIT_DONE, .run = RUN, .unit = 1);
    STEP(&h);
    tell_run(&h, 1, 1);
    tell_unit(&h, 1, 1);
    judged(&h, WRONG_STATE);
}

static void an_expiry_before_its_time_is_too_early(void **state)
{
    struct history h = begin();
    (void)state;
    FEED(&h, .kind = FACT_STATION, .station = 1, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
         .attempts = 3, .lease_us = 100, .start_by_us = 50);
    put_unit(&h, 1);
    give(&h, 1, 1, 1, ANNA);
    FEED(&h, .kind = FACT_ACT, .act = 0, .assignment = 1, .worker = ANNA, .session = SESSION, .at = 40);
    EVENT(&h, .kind = FACT_STARTED, .assignment = 1, .at = 40);
    STEP(&h);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 5, .at = 139);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 5, .at = 139);
    STEP(&h);
    judged(&h, TOO_EARLY);
}

static void more_in_hand_than_a_station_allows_is_over_a_limit(void **state)
{
    (void)state;
    for (unsigned allowed = 2; allowed <= 3; allowed++) {
        struct history h = begin();
        FEED(&h, .kind = FACT_STATION, .station = 1, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
             .attempts = 3, .at_once = allowed);
        for (uint64_t unit = 1; unit <= 4; unit++)
            put_unit(&h, unit);
        give(&h, 1, 1, 1, ANNA);
        give(&h, 2, 2, 1, ROBOT);
        answer(&h, 1, 1, 1, ANNA, 0); /* there is room again */
        give(&h, 3, 3, 1, ANNA);
        give(&h, 4, 4, 1, ROBOT);
        judged(&h, allowed == 2 ? OVER_LIMIT : VERDICTS);
    }
}

static void more_in_a_day_than_allowed_is_over_a_limit(void **state)
{
    static const int64_t midnights[] = { 1000, 2000, 3000 };
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        struct history h = begin();
        bool of_station = kind >= 3;
        FEED(&h, .kind = FACT_DAYS, .session = SESSION, .times = midnights, .count = 3);
        FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 2 },
             .per_day = of_station ? 0 : 1);
        FEED(&h, .kind = FACT_STATION, .station = 1, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
             .attempts = 3, .per_day = of_station);
        put_unit(&h, 1);
        put_unit(&h, 2);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN, .unit = 1, .station = 1, .assignment = 1, .worker = ANNA,
              .hub = HUB, .wall = 1500);
        STEP(&h);
        if (kind % 3 == 2) { /* it goes back, and does not count */
            EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 3, .wall = 1600);
            EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 3, .wall = 1600);
            STEP(&h);
        }
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN, .unit = kind % 3 == 2 ? 1 : 2, .station = 1, .assignment = 2,
              .worker = ANNA, .hub = HUB, .wall = kind % 3 == 1 ? 2000 : 1999);
        STEP(&h);
        judged(&h, kind % 3 == 0 ? OVER_LIMIT : VERDICTS);
    }
}

/* After a shift's end: a touch that found nothing left of the lease, and said so, or said that all is well. */
static void an_expiry_after_a_touch_is_judged_by_what_it_was_told(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct history h = begin();
        FEED(&h, .kind = FACT_STATION, .station = 1, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
             .attempts = 3, .lease_us = 100, .start_by_us = 50);
        put_unit(&h, 1);
        give(&h, 1, 1, 1, ANNA);
        FEED(&h, .kind = FACT_ACT, .act = 0, .assignment = 1, .worker = ANNA, .session = SESSION, .at = 40);
        EVENT(&h, .kind = FACT_STARTED, .assignment = 1, .at = 40);
        STEP(&h);
        FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 2 }, .digest = 7);
        FEED(&h, .kind = FACT_ACT, .act = 1, .assignment = 1, .worker = ANNA, .session = SESSION, .at = 141,
             .flag = told);
        STEP(&h);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 5, .at = 142);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 5, .at = 142);
        STEP(&h);
        FEED(&h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .state = 0, .row = 101, .digest = row_digest_of(101));
        judged(&h, told ? VERDICTS : TOO_EARLY);
    }
}

static void a_task_that_goes_on_after_its_last_attempt(void **state)
{
    struct history h = begin();
    (void)state;
    put_unit(&h, 1);
    for (uint64_t i = 1; i <= 3; i++) {
        give(&h, i, 1, 1, ANNA);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = i, .unit = 1, .why = 6);
        EVENT(&h, .kind = FACT_WAITING, .run = RUN, .unit = 1, .station = 1, .why = 6);
        STEP(&h);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = 1, .why = 2);
        STEP(&h);
    }
    judged(&h, WRONG_STATE);
}

static void what_does_not_end_is_unfinished(void **state)
{
    struct history h = good();
    (void)state;
    FEED(&h, .kind = FACT_STUCK, .text = "run 1 is open");
    judged(&h, UNFINISHED);
}

/* Two who say other things, and a third who agrees with the second. */
static struct history three(void)
{
    struct history h = several(TIES_MORE, 3);
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    say(&h, 1, 1, ANNA, 0);
    say(&h, 2, 2, ROBOT, 1);
    want(&h, 3, 11);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
    STEP(&h);
    hand(&h, 3, CARL, false);
    say(&h, 3, 3, CARL, 1);
    return h;
}

/* Both fail, the second one at 50; the task rests until 100, then until `due`. */
static struct history two_rests(int64_t due)
{
    struct history h = several(TIES_MORE, 3);
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    for (uint64_t i = 1; i <= 2; i++) {
        EVENT(&h, .kind = FACT_RETURNED, .run = RUN2, .assignment = i, .unit = 1, .why = 6, .at = 50);
        EVENT(&h, .kind = FACT_WAITING, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 6, .at = 50,
              .due = i == 1 ? 100 : due);
        STEP(&h);
    }
    return h;
}

static void ready_at(struct history *h, int64_t at)
{
    EVENT(h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 2, .at = at);
    STEP(h);
    FEED(h, .kind = FACT_STORY_UNIT, .run = RUN2, .unit = 1, .state = 0, .row = 201, .digest = row_digest_of(201));
}

static void a_task_that_rests_for_two_failures_is_ready_after_both(void **state)
{
    struct history h = two_rests(150);
    (void)state;
    ready_at(&h, 150);
    judged(&h, VERDICTS);
    h = two_rests(100);
    ready_at(&h, 100);
    judged(&h, VERDICTS);
    h = two_rests(150);
    ready_at(&h, 149);
    judged(&h, TOO_EARLY);
    h = two_rests(99); /* the second must not shorten the first one's */
    ready_at(&h, 100);
    judged(&h, TOO_EARLY);
}

static void copies_that_come_to_agree_are_good(void **state)
{
    struct history h = three();
    (void)state;
    decide(&h, 4, 2, 3, 2);
    tell_several(&h, 3);
    judged(&h, VERDICTS);
}

static void a_wrong_winner_is_seen(void **state)
{
    struct history h = three();
    (void)state;
    decide(&h, 4, 1, 3, 2);
    tell_several(&h, 3);
    judged(&h, WRONG_STATE);
}

static void a_copy_beyond_what_is_wanted_is_asked_too_much(void **state)
{
    struct history h = several(TIES_MORE, 3);
    (void)state;
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    hand(&h, 3, CARL, false);
    judged(&h, OVER_ASKED);
}

static void an_answer_that_nobody_needed_is_asked_too_much(void **state)
{
    struct history h = several(TIES_MORE, 3);
    (void)state;
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    say(&h, 1, 1, ANNA, 1);
    say(&h, 2, 2, ROBOT, 1); /* they agree */
    want(&h, 3, 11);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
    STEP(&h);
    hand(&h, 3, CARL, false);
    say(&h, 3, 3, CARL, 1);
    decide(&h, 4, 1, 3, 3);
    tell_several(&h, 3);
    judged(&h, OVER_ASKED);
}

static void one_more_than_is_wanted_must_be_told_and_not_before_all_are_in(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct history h = several(i == 3 ? TIES_FIRST : TIES_MORE, i == 4 ? 2 : 3);
        hand(&h, 1, ANNA, true);
        hand(&h, 2, ROBOT, false);
        say(&h, 1, 1, ANNA, 0);
        if (i == 1) /* one answer is still out */
            want(&h, 3, 11);
        say(&h, 2, 2, ROBOT, 1);
        if (i == 2)
            want(&h, 4, 11); /* two more */
        if (i > 2)
            want(&h, 3, 11); /* a tie that asks nobody; more than the most */
        EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
        STEP(&h);
        judged(&h, OVER_ASKED);
    }
}

static void two_late_answers_in_one_step_of_which_the_second_follows_a_tie_are_good(void **state)
{
    struct history h = several(TIES_MORE, 3);
    (void)state;
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ROBOT, false);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 3);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 3);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 2, .unit = 1, .why = 3);
    STEP(&h);
    hand(&h, 3, CARL, true);
    say(&h, 3, 1, CARL, 0);
    STEP(&h);
    say(&h, 1, 2, ANNA, 1);
    want(&h, 3, 11); /* it is ready, and stays so */
    say(&h, 2, 3, ROBOT, 1);
    decide(&h, 4, 1, 3, 2);
    tell_several(&h, 3);
    judged(&h, VERDICTS);
}

static void a_place_that_was_begun_goes_only_to_its_workers_own_answer(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) {
        struct history h = several(TIES_MORE, 3);
        hand(&h, 1, ANNA, true);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 3);
        STEP(&h);
        hand(&h, 2, ANNA, true);
        FEED(&h, .kind = FACT_ACT, .act = 0, .assignment = 2, .worker = ANNA, .session = SESSION, .code = 0);
        EVENT(&h, .kind = FACT_STARTED, .assignment = 2);
        STEP(&h);
        if (own) {
            FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = ANNA, .digest = 5001, .route = 0);
            FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = 1, .worker = ANNA, .session = SESSION, .code = 0);
        }
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 2, .unit = 1, .why = 8);
        if (own)
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1);
        STEP(&h);
        judged(&h, own ? VERDICTS : WRONG_STATE);
    }
}

static void the_same_worker_twice_is_not_eligible(void **state)
{
    struct history h = several(TIES_MORE, 3);
    (void)state;
    hand(&h, 1, ANNA, true);
    hand(&h, 2, ANNA, false);
    judged(&h, NOT_ELIGIBLE);
}

/* Both answers of a station that keeps all, then what it hands out. */
static struct history both_kept(void)
{
    struct history h = several(TIES_ALL, 2);
    hand(&h, 1, ANNA, true);
    hand(&h, 2, CARL, false);
    say(&h, 1, 1, ANNA, 0);
    STEP(&h);
    say(&h, 2, 2, CARL, 1);
    decide(&h, 3, 2, 2, 2);
    tell_several(&h, 2);
    return h;
}

static void hands_out(struct history *h, uint32_t of, uint64_t first, uint64_t second)
{
    FEED(h, .kind = FACT_HANDED_OUT, .run = RUN2, .unit = 1, .index = 0, .state = of, .digest = first);
    if (second)
        FEED(h, .kind = FACT_HANDED_OUT, .run = RUN2, .unit = 1, .index = 0, .state = of, .count = 1, .digest = second);
}

static void a_station_that_keeps_all_answers_hands_out_each_in_its_order(void **state)
{
    (void)state;
    struct history h = both_kept();
    hands_out(&h, 2, 5001, 5002);
    judged(&h, VERDICTS);
    h = both_kept();
    hands_out(&h, 2, 5002, 5001);
    judged(&h, BYTES_DIFFER);
    h = both_kept();
    hands_out(&h, 1, 5001, 0);
    judged(&h, LOST);
}

static void what_a_station_hands_out_and_nobody_answered_differs(void **state)
{
    (void)state;
    for (uint64_t digest = 5001; digest <= 5002; digest++) {
        struct history h = good();
        tell_good(&h);
        FEED(&h, .kind = FACT_HANDED_OUT, .run = RUN, .unit = 1, .index = 0, .digest = digest);
        judged(&h, digest == 5001 ? VERDICTS : BYTES_DIFFER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_history_has_no_verdict),
        cmocka_unit_test(an_acknowledged_row_that_is_not_there_is_lost),
        cmocka_unit_test(an_acknowledged_result_that_is_not_there_is_lost),
        cmocka_unit_test(a_row_that_nobody_sent_is_unexpected),
        cmocka_unit_test(a_result_that_nobody_submitted_is_unexpected),
        cmocka_unit_test(one_row_in_two_units_is_duplicated),
        cmocka_unit_test(two_results_that_count_are_a_double_accept),
        cmocka_unit_test(a_start_under_an_assignment_that_is_over_is_a_stale_token),
        cmocka_unit_test(a_late_result_that_counts_though_another_has_begun_is_a_stale_token),
        cmocka_unit_test(other_bytes_are_seen),
        cmocka_unit_test(overtaking_at_first_dispatch_is_not_first_in_first_out),
        cmocka_unit_test(what_came_back_is_served_before_what_is_fresh),
        cmocka_unit_test(what_its_worker_declined_may_be_passed_by),
        cmocka_unit_test(rows_that_lie_out_of_their_order_are_not_first_in_first_out),
        cmocka_unit_test(a_run_that_gets_all_the_workers_is_unfair),
        cmocka_unit_test(a_run_that_gets_ahead_a_little_more_at_each_start_is_unfair),
        cmocka_unit_test(counters_that_a_recount_does_not_give),
        cmocka_unit_test(not_for_this_worker),
        cmocka_unit_test(who_left_the_roster_gets_nothing_and_signs_in_anew_when_he_is_back),
        cmocka_unit_test(what_all_have_declined_is_parked_and_nothing_else),
        cmocka_unit_test(a_second_assignment_of_one_task_is_asked_too_much),
        cmocka_unit_test(more_than_was_granted_is_negative_credit),
        cmocka_unit_test(more_in_hand_than_a_station_allows_is_over_a_limit),
        cmocka_unit_test(more_in_a_day_than_allowed_is_over_a_limit),
        cmocka_unit_test(credit_of_a_session_that_is_over_counts_no_more),
        cmocka_unit_test(transitions_that_the_matrix_does_not_have),
        cmocka_unit_test(a_unit_that_went_the_wrong_way),
        cmocka_unit_test(an_expiry_before_its_time_is_too_early),
        cmocka_unit_test(an_expiry_after_a_touch_is_judged_by_what_it_was_told),
        cmocka_unit_test(a_task_that_goes_on_after_its_last_attempt),
        cmocka_unit_test(what_does_not_end_is_unfinished),
        cmocka_unit_test(a_task_that_rests_for_two_failures_is_ready_after_both),
        cmocka_unit_test(copies_that_come_to_agree_are_good),
        cmocka_unit_test(a_wrong_winner_is_seen),
        cmocka_unit_test(a_copy_beyond_what_is_wanted_is_asked_too_much),
        cmocka_unit_test(an_answer_that_nobody_needed_is_asked_too_much),
        cmocka_unit_test(one_more_than_is_wanted_must_be_told_and_not_before_all_are_in),
        cmocka_unit_test(two_late_answers_in_one_step_of_which_the_second_follows_a_tie_are_good),
        cmocka_unit_test(a_place_that_was_begun_goes_only_to_its_workers_own_answer),
        cmocka_unit_test(the_same_worker_twice_is_not_eligible),
        cmocka_unit_test(a_station_that_keeps_all_answers_hands_out_each_in_its_order),
        cmocka_unit_test(what_a_station_hands_out_and_nobody_answered_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
