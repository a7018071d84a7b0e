/* The checker is checked, continued: tournaments, and tasks for which nobody is left. A good history gives no verdict, each of these bad ones the one that it deserves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/checker_model.h"

/* One line: a tournament of two (station 1) and its jury of at most three (station 2). One hub with five workers. */
struct history {
    struct checker *c;
    uint64_t seq, assignment, result;
};
#define FEED(h, ...) checker_feed((h)->c, &(struct fact){ __VA_ARGS__ })
#define EVENT(h, ...) checker_feed((h)->c, &(struct fact){ .seq = ++(h)->seq, __VA_ARGS__ })
#define STEP(h) FEED(h, .kind = FACT_STEP)

enum { LINE = 1, HUB = 1, SESSION = 77, RUN = 1, PICK = 1, JURY = 2, WORKERS = 5 };

static void roster(struct history *h, unsigned workers)
{
    FEED(h, .kind = FACT_ROSTER, .session = SESSION);
    for (uint64_t w = 1; w <= workers; w++) {
        FEED(h, .kind = FACT_WORKER, .worker = w, .session = SESSION);
        FEED(h, .kind = FACT_GRANT, .session = SESSION, .worker = w, .count = 10);
    }
}

static struct history begin(unsigned workers)
{
    struct history h = { checker_new(NULL), 0, 0, 0 };
    FEED(&h, .kind = FACT_STATION, .station = PICK, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
         .attempts = 3, .copies_min = 2, .copies_max = 2, .ties = TIES_ENTRIES, .jury = 1);
    FEED(&h, .kind = FACT_STATION, .station = JURY, .index = 1, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
         .attempts = 3, .after = 1, .not_did = 1, .copies_min = 2, .copies_max = 3, .ties = TIES_JURY_FIRST, .jury = 0);
    EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION, .flag = true);
    roster(&h, workers);
    FEED(&h, .kind = FACT_RUN, .run = RUN, .station = 1, .count = 5);
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN, .row = 101, .digest = 3, .flag = true, .worker = 9);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = PICK);
    STEP(&h);
    FEED(&h, .kind = FACT_ROW_ACKED, .run = RUN, .row = 101, .unit = 1);
    return h;
}

/* Given, and answered at once. entry: what a juror's vote is for; 0: this is an entry. */
static void answer(struct history *h, uint32_t station, uint64_t worker, uint64_t entry, bool more)
{
    uint64_t a = ++h->assignment;
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN, .unit = 1, .station = station, .assignment = a, .worker = worker,
          .hub = HUB);
    if (more)
        EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = station, .why = 11);
    STEP(h);
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = a, .worker = worker, .digest = 5000 + a, .result = entry);
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = a, .result = ++h->result);
}

static void entered(struct history *h)
{
    answer(h, PICK, 1, 0, true);
    answer(h, PICK, 2, 0, false);
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = PICK);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 1);
}

static void decided(struct history *h, uint64_t winner, uint32_t votes, uint64_t cast, uint32_t first, uint32_t second)
{
    EVENT(h, .kind = FACT_DECIDED, .run = RUN, .unit = 1, .station = JURY, .result = ++h->result, .assignment = winner,
          .count = cast, .state = votes);
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN, .unit = 1, .station = JURY);
    EVENT(h, .kind = FACT_PLACED, .run = RUN, .unit = 1, .station = PICK, .assignment = 1,
          .count = first < second ? 2 : 1, .state = first);
    EVENT(h, .kind = FACT_PLACED, .run = RUN, .unit = 1, .station = PICK, .assignment = 2,
          .count = first < second ? 1 : 2, .state = second);
    EVENT(h, .kind = FACT_UNIT_DONE, .run = RUN, .unit = 1);
    STEP(h);
}

/* ... in a world that has just begun. */
static struct history begin_entered(unsigned workers)
{
    struct history h = begin(workers);
    entered(&h);
    STEP(&h);
    return h;
}

/* Workers 3 and 4 vote for the second entry. */
static void agreed(struct history *h)
{
    answer(h, JURY, 3, 2, true);
    answer(h, JURY, 4, 2, false);
}

/* After two votes that leave it open a third one is asked for, of worker 5, and is for the second entry. */
static void third_vote(struct history *h)
{
    EVENT(h, .kind = FACT_WANTS, .run = RUN, .unit = 1, .station = JURY, .count = 3, .why = 11);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 11);
    STEP(h);
    answer(h, JURY, 5, 2, false);
}

static void judged(struct history *h, enum verdict v)
{
    for (int i = 0; i < VERDICTS; i++)
        if ((checker_count(h->c, i) != 0) != (i == (int)v))
            fail_msg("%s: %s", verdict_name(i), checker_first(h->c, i));
    checker_free(&h->c);
}

/* All is told, and judged: this verdict and no other; VERDICTS: none. untold: but for this assignment (0: none), since so many behind it came back. */
static void expect_but(struct history *h, uint64_t untold, uint64_t back, bool dropped, enum verdict v)
{
    FEED(h, .kind = FACT_RUN_COUNTS, .run = RUN, .state = 0, .flag = true, .counts = { 1, !dropped, dropped });
    FEED(h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = 1, .state = dropped ? 2 : 1, .row = 101, .digest = 3);
    for (uint32_t i = 0; i < 2; i++)
        FEED(h, .kind = FACT_STORY_TASK, .run = RUN, .unit = 1, .index = i,
             .state = dropped && i == 1 ? CK_ENDED : CK_DONE);
    for (uint64_t a = 1; a <= h->assignment; a++) {
        bool returned = a > untold && a <= untold + back;
        if (a != untold)
            FEED(h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = 1, .index = a > 2, .assignment = a,
                 .state = returned ? CK_RETURNED : CK_COUNTED, .why = returned ? 3 : 0,
                 .digest = returned ? 0 : 5000 + a);
    }
    checker_end(h->c);
    judged(h, v);
}

static void expect_of(struct history *h, bool dropped, enum verdict v)
{
    expect_but(h, 0, 0, dropped, v);
}

static void expect(struct history *h, enum verdict v)
{
    expect_of(h, false, v);
}

static void a_jury_that_agrees_is_good(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    agreed(&h);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, VERDICTS);
}

/* A story tells the newest hundred assignments of a task. */
static struct history begin_agreed_late(void)
{
    struct history h = begin_entered(WORKERS);
    answer(&h, JURY, 3, 2, true);
    for (unsigned i = 0; i < 100; i++) {
        EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN, .unit = 1, .station = JURY, .assignment = ++h.assignment,
              .worker = 4, .hub = HUB);
        STEP(&h);
        EVENT(&h, .kind = FACT_RETURNED, .run = RUN, .unit = 1, .station = JURY, .assignment = h.assignment, .why = 3);
        EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 3);
        STEP(&h);
        FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = 4, .count = 12 + i);
    }
    answer(&h, JURY, 4, 2, false);
    return h;
}

static void a_vote_that_no_story_tells_any_more_is_as_it_was_sent(void **state)
{
    struct history good = begin_agreed_late(), bad = begin_agreed_late();
    (void)state;
    decided(&good, 2, 2, 2, 0, 2);
    expect_but(&good, 3, 100, false, VERDICTS);
    decided(&bad, 1, 2, 2, 2, 0);
    expect_but(&bad, 3, 100, false, WRONG_STATE);
}

static void another_than_the_one_with_the_votes_wins(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    agreed(&h);
    decided(&h, 1, 2, 2, 2, 0);
    expect(&h, WRONG_STATE);
}

static void a_place_that_the_votes_do_not_give(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    agreed(&h);
    decided(&h, 2, 2, 2, 3, 2); /* told the other way round */
    expect(&h, WRONG_STATE);
}

static void who_entered_votes(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    answer(&h, JURY, 3, 2, true);
    answer(&h, JURY, 1, 2, false);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, NOT_ELIGIBLE);
}

static void a_vote_more_than_could_matter(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    agreed(&h);
    third_vote(&h);
    decided(&h, 2, 3, 3, 0, 3);
    expect(&h, OVER_ASKED);
}

static void a_third_vote_after_one_each_is_good(void **state)
{
    struct history h = begin_entered(WORKERS);
    (void)state;
    answer(&h, JURY, 3, 2, true);
    answer(&h, JURY, 4, 1, false);
    third_vote(&h);
    decided(&h, 2, 2, 3, 1, 2);
    expect(&h, VERDICTS);
}

/* The jury's task is parked, as there is nobody for it of so many; a larger roster brings it back, and it is decided. */
static void nobody_and_then_somebody(struct history *h, unsigned workers)
{
    *h = begin(workers);
    entered(h);
    EVENT(h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = JURY, .why = 7);
    STEP(h);
    roster(h, WORKERS);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 15);
    STEP(h);
    agreed(h);
    decided(h, 2, 2, 2, 0, 2);
}

static void a_jury_that_cannot_be_seated_waits_for_a_roster(void **state)
{
    struct history h;
    (void)state;
    nobody_and_then_somebody(&h, 2);
    expect(&h, VERDICTS);
}

static void a_jury_that_cannot_be_seated_and_is_not_told_so(void **state)
{
    struct history h = begin_entered(2);
    (void)state;
    roster(&h, WORKERS);
    agreed(&h);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, WRONG_STATE);
}

static void parked_for_nobody_though_somebody_could(void **state)
{
    struct history h;
    (void)state;
    nobody_and_then_somebody(&h, 3);
    expect(&h, WRONG_STATE);
}

/* At the end of a world: the jury's task is parked, as there is nobody for it; the unit is given up. */
static void given_up(struct history *h, bool parked, unsigned workers)
{
    *h = begin(2);
    entered(h);
    if (parked)
        EVENT(h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = JURY, .why = 7);
    else
        roster(h, WORKERS);
    STEP(h);
    if (workers > 2)
        roster(h, workers);
    FEED(h, .kind = FACT_LEFT_OVER);
    EVENT(h, .kind = FACT_DROPPED, .run = RUN, .unit = 1);
    STEP(h);
}

static void what_nobody_may_do_is_given_up_at_last(void **state)
{
    struct history h;
    (void)state;
    given_up(&h, true, 2);
    expect_of(&h, true, VERDICTS);
}

static void given_up_though_somebody_could(void **state)
{
    struct history h;
    (void)state;
    given_up(&h, true, 3);
    expect_of(&h, true, UNFINISHED);
}

static void given_up_though_nothing_of_it_was_parked(void **state)
{
    struct history h;
    (void)state;
    given_up(&h, false, 2);
    expect_of(&h, true, UNFINISHED);
}

static void suspended_at_the_jury(struct history *h, uint64_t worker, unsigned standing)
{
    EVENT(h, .kind = FACT_STANDING, .worker = worker, .hub = HUB, .line = LINE, .index = 16, .state = standing,
          .flag = standing < 2);
    STEP(h);
}

static void parked_since_the_last_juror_is_kept_out(void **state)
{
    struct history h = begin(3);
    (void)state;
    suspended_at_the_jury(&h, 3, 1);
    entered(&h);
    EVENT(&h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = JURY, .why = 7);
    STEP(&h);
    suspended_at_the_jury(&h, 3, 0);
    roster(&h, WORKERS);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 15);
    STEP(&h);
    agreed(&h);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, VERDICTS);
}

static void not_parked_though_the_last_juror_is_kept_out(void **state)
{
    struct history h = begin(3);
    (void)state;
    suspended_at_the_jury(&h, 3, 1);
    entered(&h);
    STEP(&h);
    suspended_at_the_jury(&h, 3, 0);
    roster(&h, WORKERS);
    agreed(&h);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, WRONG_STATE);
}

/* All who are left for an entry are kept out, and nobody has had it: it waits. Then the one from whom it was taken answers too late, and is not asked again. */
static struct history answered_too_late_by_the_last_one(void)
{
    struct history h = begin(1);
    EVENT(&h, .kind = FACT_ASSIGNED, .run = RUN, .unit = 1, .station = PICK, .assignment = 1, .worker = 1, .hub = HUB);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = PICK, .why = 11);
    STEP(&h);
    EVENT(&h, .kind = FACT_STANDING, .worker = 1, .hub = HUB, .line = LINE, .state = 1, .flag = true);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .why = 17);
    STEP(&h);
    FEED(&h, .kind = FACT_SUBMIT_SENT, .assignment = 1, .worker = 1, .digest = 5001);
    EVENT(&h, .kind = FACT_SUBMITTED, .assignment = 1, .result = 1, .flag = true);
    return h;
}

static void parked_since_the_last_one_answered_too_late(void **state)
{
    struct history h = answered_too_late_by_the_last_one();
    (void)state;
    EVENT(&h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = PICK, .why = 8);
    STEP(&h);
    judged(&h, VERDICTS);
}

static void not_parked_though_the_last_one_answered_too_late(void **state)
{
    struct history h = answered_too_late_by_the_last_one();
    (void)state;
    STEP(&h);
    judged(&h, WRONG_STATE);
}

/* Where portions are small it may wait so for a while, and no longer. */
static void not_parked_for_longer_than_a_portion_may_take(void **state)
{
    enum { PATIENCE = 1000 };
    (void)state;
    for (int64_t at = PATIENCE - 1; at <= PATIENCE; at++) {
        struct history h = answered_too_late_by_the_last_one();
        checker_patience(h.c, PATIENCE);
        STEP(&h);
        EVENT(&h, .kind = FACT_STANDING, .worker = 3, .hub = HUB, .line = LINE, .index = 16, .state = 1, .flag = true,
              .at = at);
        STEP(&h);
        judged(&h, at < PATIENCE ? VERDICTS : WRONG_STATE);
    }
}

static void parked_as_if_somebody_were_kept_out(void **state)
{
    struct history h = begin(2);
    (void)state;
    entered(&h);
    EVENT(&h, .kind = FACT_DEAD, .run = RUN, .unit = 1, .station = JURY, .why = 8);
    STEP(&h);
    roster(&h, WORKERS);
    EVENT(&h, .kind = FACT_READY, .run = RUN, .unit = 1, .station = JURY, .why = 15);
    STEP(&h);
    agreed(&h);
    decided(&h, 2, 2, 2, 0, 2);
    expect(&h, WRONG_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jury_that_agrees_is_good),
        cmocka_unit_test(a_vote_that_no_story_tells_any_more_is_as_it_was_sent),
        cmocka_unit_test(another_than_the_one_with_the_votes_wins),
        cmocka_unit_test(a_place_that_the_votes_do_not_give),
        cmocka_unit_test(who_entered_votes),
        cmocka_unit_test(a_vote_more_than_could_matter),
        cmocka_unit_test(a_third_vote_after_one_each_is_good),
        cmocka_unit_test(a_jury_that_cannot_be_seated_waits_for_a_roster),
        cmocka_unit_test(a_jury_that_cannot_be_seated_and_is_not_told_so),
        cmocka_unit_test(parked_for_nobody_though_somebody_could),
        cmocka_unit_test(what_nobody_may_do_is_given_up_at_last),
        cmocka_unit_test(given_up_though_somebody_could),
        cmocka_unit_test(given_up_though_nothing_of_it_was_parked),
        cmocka_unit_test(parked_since_the_last_juror_is_kept_out),
        cmocka_unit_test(not_parked_though_the_last_juror_is_kept_out),
        cmocka_unit_test(parked_since_the_last_one_answered_too_late),
        cmocka_unit_test(not_parked_though_the_last_one_answered_too_late),
        cmocka_unit_test(not_parked_for_longer_than_a_portion_may_take),
        cmocka_unit_test(parked_as_if_somebody_were_kept_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
