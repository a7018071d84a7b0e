/* Histories for the checker, in the making: what tests of it feed it with. */
#ifndef TESTS_UNIT_CHECKER_WORLD_H
#define TESTS_UNIT_CHECKER_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/checker_model.h"

/* ---- a history in the making: one line, stations 1 (for all) and 2 (after 1, where the route is 1), one hub with two workers ---- */

struct history {
    struct checker *c;
    uint64_t seq;
};
#define FEED(h, ...) checker_feed((h)->c, &(struct fact){ __VA_ARGS__ })
#define EVENT(h, ...) checker_feed((h)->c, &(struct fact){ .seq = ++(h)->seq, __VA_ARGS__ })
#define STEP(h) FEED(h, .kind = FACT_STEP)

enum { LINE = 1, HUB = 1, SESSION = 77, RUN = 1, ANNA = 1, ROBOT = 2 };

static inline uint64_t row_digest_of(uint64_t row)
{
    return row * 7919 + 1;
}

static inline struct history begin(void)
{
    struct history h = { checker_new(NULL), 0 };
    FEED(&h, .kind = FACT_STATION, .station = 1, .index = 0, .stations = 2, .first = 1, .line = LINE, .when_on = -1,
         .attempts = 3);
    FEED(&h, .kind = FACT_STATION, .station = 2, .index = 1, .stations = 2, .first = 1, .line = LINE, .after = 1,
         .when_on = 0, .when_is = 1, .wkind = 1, .level = { 2 }, .attempts = 3);
    EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION, .flag = true);
    FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .wkind = 0, .level = { 2 });
    FEED(&h, .kind = FACT_WORKER, .worker = ROBOT, .session = SESSION, .wkind = 1, .level = { 3 });
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = ANNA, .count = 10);
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = ROBOT, .count = 10);
    FEED(&h, .kind = FACT_RUN, .run = RUN, .station = 1, .count = 5);
    STEP(&h);
    return h;
}

/* Row 100 + n becomes unit n, ready at station 1, acknowledged. */
static inline void put_unit(struct history *h, uint64_t unit)
{
    FEED(h, .kind = FACT_ROW_SENT, .run = RUN, .row = 100 + unit, .digest = row_digest_of(100 + unit), .route = 0,
         .flag = true, .worker = 9);
    EVENT(h, .kind = FACT_UNITS_ADDED, .run = RUN, .unit = unit);
    EVENT(h, .kind = FACT_READY, .run = RUN, .unit = unit, .station = 1);
    STEP(h);
    FEED(h, .kind = FACT_ROW_ACKED, .run = RUN, .row = 100 + unit, .unit = unit);
}

static inline void give(struct history *h, uint64_t assignment, uint64_t unit, uint32_t station, uint64_t worker)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN, .unit = unit, .station = station, .assignment = assignment,
          .worker = worker, .hub = HUB);
    STEP(h);
}

/* A result that counts; the unit goes on to station 2 if the route is 1, else it is done. */
static inline void answer(struct history *h, uint64_t assignment, uint64_t result, uint64_t unit, uint64_t worker, int route)
{
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = assignment, .worker = worker, .digest = 5000 + assignment,
         .route = route);
    FEED(h, .kind = FACT_ACT, .act = 6, .assignment = assignment, .worker = worker, .session = SESSION, .code = 0);
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = assignment, .result = result);
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN, .unit = unit, .station = 1);
    if (route == 1) {
        EVENT(h, .kind = FACT_READY, .run = RUN, .unit = unit, .station = 2, .why = 1);
    } else {
        EVENT(h, .kind = FACT_SKIPPED, .run = RUN, .unit = unit, .station = 2);
        EVENT(h, .kind = FACT_UNIT_DONE, .run = RUN, .unit = unit);
    }
    STEP(h);
}

/* What the store tells at the end of unit n, done by this assignment. */
static inline void tell_story(struct history *h, uint64_t unit, uint64_t assignment)
{
    FEED(h, .kind = FACT_STORY_UNIT, .run = RUN, .unit = unit, .state = 1, .row = 100 + unit,
         .digest = row_digest_of(100 + unit));
    FEED(h, .kind = FACT_STORY_TASK, .run = RUN, .unit = unit, .index = 0, .state = CK_DONE);
    FEED(h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN, .unit = unit, .index = 0, .assignment = assignment,
         .state = CK_COUNTED, .digest = 5000 + assignment);
    FEED(h, .kind = FACT_STORY_TASK, .run = RUN, .unit = unit, .index = 1, .state = CK_SKIPPED);
}

static inline void tell_unit(struct history *h, uint64_t unit, uint64_t assignment)
{
    tell_story(h, unit, assignment);
    FEED(h, .kind = FACT_OUTPUT, .run = RUN, .unit = unit, .row = 100 + unit, .digest = row_digest_of(100 + unit));
}

static inline void tell_run(struct history *h, uint64_t units, uint64_t done)
{
    FEED(h, .kind = FACT_RUN_COUNTS, .run = RUN, .state = 0, .flag = true, .counts = { units, done });
}

/* Units 1 and 2 go through; all is told. */
static inline struct history good(void)
{
    struct history h = begin();
    put_unit(&h, 1);
    put_unit(&h, 2);
    give(&h, 1, 1, 1, ANNA);
    give(&h, 2, 2, 1, ROBOT);
    answer(&h, 1, 1, 1, ANNA, 0);
    answer(&h, 2, 2, 2, ROBOT, 2);
    return h;
}

static inline void tell_good(struct history *h)
{
    tell_run(h, 2, 2);
    tell_unit(h, 1, 1);
    tell_unit(h, 2, 2);
}

/* The end of a test: this verdict, and no other. */
static inline void judged(struct history *h, enum verdict v)
{
    FEED(h, .kind = FACT_LAST_EVENT, .seq = h->seq);
    checker_end(h->c);
    for (enum verdict k = 0; k < VERDICTS; k++)
        if ((k == v) != (checker_count(h->c, k) > 0))
            fail_msg("%s: %llu, %s", verdict_name(k), (unsigned long long)checker_count(h->c, k),
                     checker_first(h->c, k));
    checker_free(&h->c);
}

/* ---- stations with copies: run 2 at station 9, which asks two, and up to `max` while they do not agree ---- */

enum { SEVERAL = 9, RUN2 = 2, CARL = 3 };

static inline struct history several(uint32_t ties, uint32_t max)
{
    struct history h = begin();
    FEED(&h, .kind = FACT_STATION, .station = SEVERAL, .index = 0, .stations = 1, .first = SEVERAL, .line = LINE,
         .when_on = -1, .attempts = 3, .copies_min = 2, .copies_max = max, .ties = ties);
    FEED(&h, .kind = FACT_WORKER, .worker = CARL, .session = SESSION);
    FEED(&h, .kind = FACT_GRANT, .session = SESSION, .worker = CARL, .count = 10);
    FEED(&h, .kind = FACT_RUN, .run = RUN2, .station = SEVERAL, .count = 5);
    FEED(&h, .kind = FACT_ROW_SENT, .run = RUN2, .row = 201, .digest = row_digest_of(201), .flag = true, .worker = 9);
    EVENT(&h, .kind = FACT_UNITS_ADDED, .run = RUN2, .unit = 1);
    EVENT(&h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL);
    STEP(&h);
    FEED(&h, .kind = FACT_ROW_ACKED, .run = RUN2, .row = 201, .unit = 1);
    return h;
}

static inline void hand(struct history *h, uint64_t assignment, uint64_t worker, bool wants_more)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = RUN2, .unit = 1, .station = SEVERAL, .assignment = assignment,
          .worker = worker, .hub = HUB);
    if (wants_more)
        EVENT(h, .kind = FACT_READY, .run = RUN2, .unit = 1, .station = SEVERAL, .why = 11);
    STEP(h);
}

static inline void say(struct history *h, uint64_t assignment, uint64_t result, uint64_t worker, int route)
{
    FEED(h, .kind = FACT_SUBMIT_SENT, .assignment = assignment, .worker = worker, .digest = 5000 + assignment,
         .route = route);
    FEED(h, .kind = FACT_ACT, .act = 6, .assignment = assignment, .worker = worker, .session = SESSION, .code = 0);
    EVENT(h, .kind = FACT_SUBMITTED, .assignment = assignment, .result = result);
}

static inline void decide(struct history *h, uint64_t result, uint64_t winner, uint64_t answers, uint32_t votes)
{
    EVENT(h, .kind = FACT_DECIDED, .run = RUN2, .unit = 1, .station = SEVERAL, .result = result, .assignment = winner,
          .count = answers, .state = votes);
    EVENT(h, .kind = FACT_TASK_DONE, .run = RUN2, .unit = 1, .station = SEVERAL);
    EVENT(h, .kind = FACT_UNIT_DONE, .run = RUN2, .unit = 1);
    STEP(h);
}

static inline void tell_several(struct history *h, uint64_t assignments)
{
    FEED(h, .kind = FACT_STORY_UNIT, .run = RUN2, .unit = 1, .state = 1, .row = 201, .digest = row_digest_of(201));
    FEED(h, .kind = FACT_STORY_TASK, .run = RUN2, .unit = 1, .index = 0, .state = CK_DONE);
    for (uint64_t a = 1; a <= assignments; a++)
        FEED(h, .kind = FACT_STORY_ASSIGNMENT, .run = RUN2, .unit = 1, .index = 0, .assignment = a, .state = CK_COUNTED,
             .digest = 5000 + a);
    FEED(h, .kind = FACT_OUTPUT, .run = RUN2, .unit = 1, .row = 201, .digest = row_digest_of(201));
    FEED(h, .kind = FACT_RUN_COUNTS, .run = RUN2, .state = 0, .flag = true, .counts = { 1, 1 });
}

static inline void want(struct history *h, uint64_t n, uint32_t why)
{
    EVENT(h, .kind = FACT_WANTS, .run = RUN2, .unit = 1, .station = SEVERAL, .count = n, .why = why);
}

#endif
