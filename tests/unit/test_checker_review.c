/* The checker and reviews: a good history of work that is sent back gives no verdict, and each of these bad ones the one that it deserves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/checker_model.h"

/* A line of work (station 1) and its review (2), and three who may do both. */
struct history {
    struct checker *c;
    uint64_t seq, assignment, result;
    int64_t at;
};
#define FEED(h, ...) checker_feed((h)->c, &(struct fact){ __VA_ARGS__ })
#define EVENT(h, ...) checker_feed((h)->c, &(struct fact){ .seq = ++(h)->seq, .at = (h)->at, __VA_ARGS__ })
#define STEP(h) FEED(h, .kind = FACT_STEP)

enum { LINE = 1, HUB = 1, SESSION = 77, RUN = 1, ANNA = 1, BELA = 2, CARL = 3, WORK = 1, CHECK = 2, HOUR = 3600 };
static const uint64_t row_digest = 4711;

static struct history begin(void)
{
    struct history h = { .c = checker_new(NULL) };
    FEED(&h, .kind = FACT_STATION, .station = WORK, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
         .attempts = 3);
    FEED(&h, .kind = FACT_STATION, .station = CHECK, .index = 1, .stations = 2, .first = 1, .line = LINE, .after = 1,
         .when_on = -1, .attempts = 3, .review = 1, .rejects = true, .rounds = 2, .return_us = HOUR);
    EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION, .flag = true);
    for (uint64_t w = ANNA; w <= CARL; w++) {
        FEED(&h, .kind = FACT_WORKER, .worker = w, .session = SESSION);
        FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = w, .count = 10);
    }
    FEED(&h, .kind = FACT_RUN, .run = RUN, .station = 1, .count = 5);
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 101, .digest = row_digest, .flag = true, .worker = 9);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK);
    STEP(&h);
    return h;
}

static uint64_t give(struct history *h, uint32_t station, uint64_t worker)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN, .unit = 1, .station = station, .assignment = ++h->assignment,
          .worker = worker, .hub = HUB);
    STEP(h);
    return h->assignment;
}

/* What an assignment's worker sends, and that it counts; `changes`: of a verdict. */
static void submit(struct history *h, uint64_t assignment, uint64_t worker, bool verdict, bool changes)
{
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = assignment, .worker = worker,
         .digest = verdict && !changes ? 1 : 5000 + assignment, .route = verdict ? -1 : 0, .flag = verdict && !changes);
    FEED(h, .kind = FACT_ACT, .act = 6, .assignment = assignment, .worker = worker, .session = SESSION, .code = 0);
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = assignment, .result = ++h->result);
}

static void work(struct history *h, uint64_t assignment, uint64_t worker)
{
    submit(h, assignment, worker, false, true);
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = WORK);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = CHECK, .why = 1);
    STEP(h);
}

static void says(struct history *h, uint64_t assignment, uint64_t round, uint32_t verdict)
{
    EVENT(h, .kind = FACT_REVIEWED, .run = RUN, .unit = 1, .station = CHECK, .assignment = assignment,
          .result = h->result, .count = round, .state = verdict);
}

static void back(struct history *h, uint64_t assignment, uint64_t worker, uint64_t round)
{
    submit(h, assignment, worker, true, false);
    says(h, assignment, round, REVIEW_REJECT);
    EVENT(h, .kind = FACT_BLOCKED, .run = RUN, .unit = 1, .station = CHECK);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK, .why = 12);
    STEP(h);
}

static void done(struct history *h)
{
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = CHECK);
    EVENT(h, .kind = FACT_UNIT_DONE, .run = RUN, .unit = 1);
    STEP(h);
}

static void judged(struct history *h, enum verdict v)
{
    FEED(h, .kind = FACT_LAST_EVENT, .seq = h->seq);
    checker_end(h->c);
    for (enum verdict k = 0; k < VERDICTS; k++)
        if ((k == v) != (checker_count(h->c, k) > 0))
            fail_msg("%s: %llu, %s", verdict_name(k), (unsigned long long)checker_count(h->c, k),
                     checker_first(h->c, k));
    checker_free(&h->c);
}

/* Anna works, Bela sends it back at 0. */
static struct history sent_back(void)
{
    struct history h = begin();
    work(&h, give(&h, WORK, ANNA), ANNA);
    back(&h, give(&h, CHECK, BELA), BELA, 1);
    return h;
}

/* It is done, at both stations. */
static void tell_unit(struct history *h)
{
    FEED(h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .state = 1, .row = 101, .digest = row_digest);
    for (uint32_t i = 0; i < 2; i++)
        FEED(h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = i, .state = CK_DONE);
    FEED(h, .kind = FACT_RUN_COUNTS, .run = RUN, .state = 0, .flag = true, .counts = { 1, 1 });
}

static void tell(struct history *h, uint64_t assignment, uint32_t index, uint64_t digest)
{
    FEED(h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = index, .assignment = assignment,
         .state = CK_COUNTED, .digest = digest);
}

/* Anna does it again, and Bela improves it: assignments 1 and 3 are Anna's, 2 and 4 Bela's. */
static struct history whole(uint32_t second, bool changes)
{
    struct history h = sent_back();
    work(&h, give(&h, WORK, ANNA), ANNA);
    submit(&h, give(&h, CHECK, BELA), BELA, true, changes);
    says(&h, 4, 2, second);
    done(&h);
    tell_unit(&h);
    tell(&h, 1, 0, 5001);
    tell(&h, 3, 0, 5003);
    tell(&h, 2, 1, 5001); /* as it was then */
    return h;
}

static void work_that_is_sent_back_and_then_accepted_or_improved_is_good(void **state)
{
    (void)state;
    struct history h = whole(REVIEW_IMPROVE, true);
    tell(&h, 4, 1, 5004);
    judged(&h, VERDICTS);
    h = whole(REVIEW_ACCEPT, false);
    tell(&h, 4, 1, 5003);
    judged(&h, VERDICTS);
}

static void a_verdict_that_stands_with_other_bytes_than_work_or_change_is_told(void **state)
{
    (void)state;
    struct history h = whole(REVIEW_ACCEPT, false);
    tell(&h, 4, 1, 5001); /* of the first round */
    judged(&h, BYTES_DIFFER);
    h = whole(REVIEW_IMPROVE, true);
    tell(&h, 4, 1, 5003);
    judged(&h, BYTES_DIFFER);
}

/* Carl gave the review back, Bela accepts; what Carl sends after all comes too late, so that nobody looks at what it says. */
static void a_verdict_that_says_nothing_and_comes_too_late_is_kept_as_it_came(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        struct history h = begin();
        work(&h, give(&h, WORK, ANNA), ANNA);
        uint64_t late = give(&h, CHECK, CARL);
        EVENT(&h, .kind = FACT_RETURNED, .run = RUN, .unit = 1, .station = CHECK, .assignment = late, .why = 3);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = CHECK, .why = 3);
        STEP(&h);
        uint64_t counted = give(&h, CHECK, BELA);
        submit(&h, counted, BELA, true, false);
        says(&h, counted, 1, REVIEW_ACCEPT);
        done(&h);
        if (bad)
            FEED(&h, .kind = FACT_BAD_SENT, .assignment = late);
        FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = late, .worker = CARL, .session = SESSION, .code = 2);
        EVENT(&h, .kind = FACT_SUBMITTED, .assignment = late, .result = ++h.result, .flag = true);
        STEP(&h);
        tell_unit(&h);
        tell(&h, 1, 0, 5001);
        FEED(&h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = 1, .assignment = late, .state = CK_LATE,
             .digest = 99);
        tell(&h, counted, 1, 5001);
        judged(&h, bad ? VERDICTS : UNEXPECTED);
    }
}

static void put_another(struct history *h, uint64_t unit)
{
    FEED(h, .kind = FACT_ROW_SENT, .run = RUN, .row = 100 + unit, .digest = row_digest + unit, .flag = true,
         .worker = 9);
    EVENT(h, .kind = FACT_UNITS_ADDED, .run = RUN, .unit = unit);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = unit, .station = WORK);
    STEP(h);
}

static void given_to(struct history *h, uint64_t unit, uint32_t station, uint64_t worker)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN, .unit = unit, .station = station, .assignment = ++h->assignment,
          .worker = worker, .hub = HUB);
}

/* Work of three units, by Anna, Carl and Anna, is done in another order than it came in; the reviews wait in that of the work: 2, 1, 3. */
static struct history three_reviews(void)
{
    static const uint64_t order[] = { 2, 1, 3 }, by[] = { 0, ANNA, CARL, ANNA };
    struct history h = begin();
    put_another(&h, 2);
    put_another(&h, 3);
    for (uint64_t unit = 1; unit <= 3; unit++) {
        given_to(&h, unit, WORK, by[unit]);
        STEP(&h);
    }
    for (unsigned i = 0; i < 3; i++) {
        submit(&h, order[i], by[order[i]], false, true);
        EVENT(&h, .kind = FACT_TASK_DONE, .run = RUN, .unit = order[i], .station = WORK);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = order[i], .station = CHECK, .why = 1);
        STEP(&h);
    }
    return h;
}

static void each_reviewer_gets_the_first_that_is_not_his_own(void **state)
{
    (void)state;
    struct history h = three_reviews();
    given_to(&h, 1, CHECK, CARL); /* 2 is his own */
    STEP(&h);
    given_to(&h, 2, CHECK, BELA);
    STEP(&h);
    given_to(&h, 3, CHECK, BELA);
    STEP(&h);
    judged(&h, VERDICTS);
}

static void two_reviewers_of_one_step_may_get_theirs_in_any_order(void **state)
{
    (void)state;
    struct history h = three_reviews();
    given_to(&h, 1, CHECK, BELA);
    given_to(&h, 2, CHECK, ANNA);
    STEP(&h);
    judged(&h, VERDICTS);
}

static void a_review_that_overtakes_one_that_its_reviewer_may_do_is_not_first_in_first_out(void **state)
{
    (void)state;
    struct history h = three_reviews();
    given_to(&h, 1, CHECK, BELA); /* in the order of the units, but the work of 2 was done before */
    STEP(&h);
    judged(&h, FIFO);
    h = three_reviews();
    given_to(&h, 3, CHECK, CARL); /* 2 is his own, 1 is not */
    STEP(&h);
    judged(&h, FIFO);
}

static void nobody_reviews_his_own(void **state)
{
    struct history h = begin();
    (void)state;
    work(&h, give(&h, WORK, ANNA), ANNA);
    give(&h, CHECK, ANNA);
    judged(&h, NOT_ELIGIBLE);
    h = sent_back(); /* nor what he had done before it was sent back */
    h.at = HOUR;
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK, .why = 13);
    STEP(&h);
    work(&h, give(&h, WORK, CARL), CARL);
    give(&h, CHECK, ANNA);
    judged(&h, NOT_ELIGIBLE);
}

static void what_is_sent_back_is_its_authors_for_a_while(void **state)
{
    struct history h = sent_back();
    (void)state;
    give(&h, WORK, CARL);
    judged(&h, NOT_ELIGIBLE);
    h = sent_back();
    h.at = HOUR - 1;
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK, .why = 13);
    STEP(&h);
    judged(&h, TOO_EARLY);
    h = sent_back();
    h.at = HOUR;
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK, .why = 13);
    STEP(&h);
    give(&h, WORK, CARL);
    judged(&h, VERDICTS);
    h = sent_back();
    h.at = HOUR + 700 * INT64_C(1000000); /* and nobody was told that it is anybody's */
    give(&h, WORK, ANNA);
    judged(&h, WRONG_STATE);
}

static void a_verdict_about_an_earlier_round_is_stale(void **state)
{
    struct history h = begin();
    (void)state;
    work(&h, give(&h, WORK, ANNA), ANNA);
    uint64_t old = give(&h, CHECK, CARL);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = old, .unit = 1, .why = 3);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = CHECK, .why = 3);
    STEP(&h);
    back(&h, give(&h, CHECK, BELA), BELA, 1);
    work(&h, give(&h, WORK, ANNA), ANNA);
    submit(&h, old, CARL, true, false);
    says(&h, old, 2, REVIEW_ACCEPT);
    done(&h);
    judged(&h, STALE_ACCEPTED);
}

static void work_goes_back_only_when_it_was_rejected_and_as_often_as_the_line_says(void **state)
{
    struct history h = begin();
    (void)state;
    work(&h, give(&h, WORK, ANNA), ANNA);
    submit(&h, give(&h, CHECK, BELA), BELA, true, false);
    says(&h, 2, 1, REVIEW_ACCEPT);
    EVENT(&h, .kind = FACT_BLOCKED, .run = RUN, .unit = 1, .station = CHECK);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = WORK, .why = 12);
    judged(&h, WRONG_STATE);
    h = sent_back();
    work(&h, give(&h, WORK, ANNA), ANNA);
    back(&h, give(&h, CHECK, CARL), CARL, 2); /* there was no round left */
    judged(&h, WRONG_STATE);
    h = begin();
    work(&h, give(&h, WORK, ANNA), ANNA);
    submit(&h, give(&h, CHECK, BELA), BELA, true, false);
    says(&h, 2, 1, REVIEW_REJECT);
    done(&h); /* it was to go back */
    judged(&h, WRONG_STATE);
}

static void a_review_that_is_done_without_a_verdict_is_wrong(void **state)
{
    struct history h = begin();
    (void)state;
    work(&h, give(&h, WORK, ANNA), ANNA);
    submit(&h, give(&h, CHECK, BELA), BELA, true, false);
    done(&h);
    judged(&h, WRONG_STATE);
}

/* The newest version of the line asks for more of who works there. */
static void who_was_rejected_is_given_nothing_where_that_is_required_of_him(void **state)
{
    (void)state;
    static const struct {
        uint32_t approved_least, returned_most, after;
        bool given;
    } asks[] = { { 5, 0, 1, false }, { 0, 5, 1, false }, { 5, 5, 2, true } };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct history h = sent_back();
        FEED(&h, .kind = FACT_STATION, .station = 3, .index = 0, .stations = 2, .first = 3, .line = LINE, .when_on = -1,
             .approved_least = asks[i].approved_least, .returned_most = asks[i].returned_most,
             .asks_after = asks[i].after);
        give(&h, WORK, ANNA);
        assert_int_equal(checker_count(h.c, NOT_ELIGIBLE), !asks[i].given);
        checker_free(&h.c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_that_is_sent_back_and_then_accepted_or_improved_is_good),
        cmocka_unit_test(a_verdict_that_stands_with_other_bytes_than_work_or_change_is_told),
        cmocka_unit_test(a_verdict_that_says_nothing_and_comes_too_late_is_kept_as_it_came),
        cmocka_unit_test(each_reviewer_gets_the_first_that_is_not_his_own),
        cmocka_unit_test(two_reviewers_of_one_step_may_get_theirs_in_any_order),
        cmocka_unit_test(a_review_that_overtakes_one_that_its_reviewer_may_do_is_not_first_in_first_out),
        cmocka_unit_test(nobody_reviews_his_own),
        cmocka_unit_test(what_is_sent_back_is_its_authors_for_a_while),
        cmocka_unit_test(a_verdict_about_an_earlier_round_is_stale),
        cmocka_unit_test(work_goes_back_only_when_it_was_rejected_and_as_often_as_the_line_says),
        cmocka_unit_test(a_review_that_is_done_without_a_verdict_is_wrong),
        cmocka_unit_test(who_was_rejected_is_given_nothing_where_that_is_required_of_him),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
