/* The checker is checked: a worker who gets something else than what comes first of all that he may do, or nothing though there is something. Each bad history has good ones beside it, in which the
 * same is right, since one thing differs. */
#include "tests/unit/checker_world.h"

enum { HIGH = 2, LOW = 3, AT_HIGH = 9, AT_LOW = 10 };

/* Two lines of one station each, with a run of each: one of priority 7, one of 5. The first asks something, and has copies or a limit. */
static struct history two_priorities(struct fact station)
{
    struct history h = begin();
    station.kind = FACT_STATION;
    station.station = station.first = AT_HIGH;
    station.line = 2;
    station.stations = 1;
    station.when_on = -1;
    station.attempts = 3;
    checker_feed(h.c, &station);
    FEED(&h, .kind = FACT_STATION, .station = AT_LOW, .index = 0, .stations = 1, .first = AT_LOW, .line = 3,
         .when_on = -1, .attempts = 3);
    FEED(&h, .kind = FACT_RUN, .run = HIGH, .station = AT_HIGH, .count = 7);
    FEED(&h, .kind = FACT_RUN, .run = LOW, .station = AT_LOW, .count = 5);
    STEP(&h);
    return h;
}

static void fill(struct history *h, uint64_t run, uint32_t station, uint64_t unit)
{
    EVENT(h, .kind = FACT_UNITS_ADDED, .run = run, .unit = unit);
    EVENT(h, .kind = FACT_READY, .run = run, .unit = unit, .station = station);
}

static void to_anna(struct history *h, uint64_t assignment, uint64_t run, uint64_t unit, uint32_t station)
{
    EVENT(h, .kind = FACT_ASSIGNED, .run = run, .unit = unit, .station = station, .assignment = assignment,
          .worker = ANNA, .hub = HUB);
    STEP(h);
}

static void a_worker_who_could_do_a_run_of_a_higher_priority_gets_a_lower_one(void **state)
{
    struct history h = two_priorities((struct fact){ 0 });
    (void)state;
    fill(&h, HIGH, AT_HIGH, 1);
    fill(&h, LOW, AT_LOW, 1);
    STEP(&h);
    to_anna(&h, 1, LOW, 1, AT_LOW);
    judged(&h, FAIRNESS);
    h = two_priorities((struct fact){ 0 }); /* the other one first; then there is nothing else left */
    fill(&h, HIGH, AT_HIGH, 1);
    fill(&h, LOW, AT_LOW, 1);
    STEP(&h);
    to_anna(&h, 1, HIGH, 1, AT_HIGH);
    to_anna(&h, 2, LOW, 1, AT_LOW);
    judged(&h, VERDICTS);
}

static void what_a_run_offers_to_others_only_is_passed_by(void **state)
{
    static const struct fact stations[] = {
        { .wkind = 2 },      { .level = { 3 } },     { .shut_hubs = 1 }, { .shut_teams = 1 },
        { .at_once = 1000 }, { .per_day = 1000000 }, /* what there is room for is not told of the middle of a step */
    };
    (void)state;
    for (size_t i = 0; i < sizeof stations / sizeof *stations; i++) {
        struct history h = two_priorities(stations[i]);
        fill(&h, HIGH, AT_HIGH, 1);
        fill(&h, LOW, AT_LOW, 1);
        STEP(&h);
        to_anna(&h, 1, LOW, 1, AT_LOW);
        judged(&h, VERDICTS);
    }
}

/* And as soon as it is open again, it comes first. */
static void what_is_paused_is_passed_by(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++)
        for (int open = 0; open < 3; open++) { /* closed; opened in the same step; before it */
            struct history h = two_priorities((struct fact){ 0 });
            fill(&h, HIGH, AT_HIGH, 1);
            fill(&h, LOW, AT_LOW, 1);
            for (int shut = 1; shut >= (open ? 0 : 1); shut--) {
                STEP(&h);
                switch (what) {
                case 0: EVENT(&h, .kind = FACT_RUN_STATE, .run = HIGH, .flag = shut, .count = 7); break;
                case 1: EVENT(&h, .kind = FACT_LINE_STATE, .line = 2, .state = (uint32_t)shut); break;
                default: EVENT(&h, .kind = FACT_STATION_STATE, .line = 2, .index = 0, .flag = shut); break;
                }
            }
            if (open != 1)
                STEP(&h);
            to_anna(&h, 1, LOW, 1, AT_LOW);
            judged(&h, open == 2 ? FAIRNESS : VERDICTS);
        }
}

static void what_its_worker_may_not_do_any_more_is_passed_by(void **state)
{
    (void)state;
    for (uint64_t units = 1; units <= 2; units++) { /* the second one she may do */
        struct history h = two_priorities((struct fact){ 0 });
        fill(&h, HIGH, AT_HIGH, 1);
        STEP(&h);
        to_anna(&h, 1, HIGH, 1, AT_HIGH);
        EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 4);
        EVENT(&h, .kind = FACT_READY, .run = HIGH, .unit = 1, .station = AT_HIGH, .why = 4);
        for (uint64_t unit = 2; unit <= units; unit++)
            fill(&h, HIGH, AT_HIGH, unit);
        fill(&h, LOW, AT_LOW, 1);
        STEP(&h);
        to_anna(&h, 2, LOW, 1, AT_LOW);
        judged(&h, units == 2 ? FAIRNESS : VERDICTS);
    }
}

static void a_place_of_several_that_its_worker_has_not_is_offered_to_him(void **state)
{
    (void)state;
    for (uint64_t first = ANNA; first <= ROBOT; first++) {
        struct history h = two_priorities((struct fact){ .copies_min = 2, .copies_max = 2 });
        fill(&h, HIGH, AT_HIGH, 1);
        fill(&h, LOW, AT_LOW, 1);
        STEP(&h);
        EVENT(&h, .kind = FACT_ASSIGNED, .run = HIGH, .unit = 1, .station = AT_HIGH, .assignment = 1, .worker = first,
              .hub = HUB);
        EVENT(&h, .kind = FACT_READY, .run = HIGH, .unit = 1, .station = AT_HIGH, .why = 11);
        STEP(&h);
        to_anna(&h, 2, LOW, 1, AT_LOW);
        judged(&h, first == ROBOT ? FAIRNESS : VERDICTS);
    }
}

/* Waiting for its time, ready in this very step, or gone. */
static void what_is_not_ready_is_passed_by(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct history h = two_priorities((struct fact){ 0 });
        fill(&h, LOW, AT_LOW, 1);
        EVENT(&h, .kind = FACT_UNITS_ADDED, .run = HIGH, .unit = 1);
        if (how == 0)
            EVENT(&h, .kind = FACT_WAITING, .run = HIGH, .unit = 1, .station = AT_HIGH, .due = 100);
        else
            EVENT(&h, .kind = FACT_READY, .run = HIGH, .unit = 1, .station = AT_HIGH);
        if (how == 2)
            EVENT(&h, .kind = FACT_DROPPED, .run = HIGH, .unit = 1);
        if (how != 1)
            STEP(&h);
        to_anna(&h, 1, LOW, 1, AT_LOW);
        judged(&h, VERDICTS);
    }
}

static void a_priority_holds_from_the_step_after_it_was_told(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct history h = two_priorities((struct fact){ 0 });
        fill(&h, HIGH, AT_HIGH, 1);
        fill(&h, LOW, AT_LOW, 1);
        STEP(&h);
        EVENT(&h, .kind = FACT_RUN_STATE, .run = LOW, .count = 8);
        STEP(&h);
        EVENT(&h, .kind = FACT_RUN_STATE, .run = LOW, .count = 3);
        if (later)
            STEP(&h);
        to_anna(&h, 1, LOW, 1, AT_LOW);
        judged(&h, later ? FAIRNESS : VERDICTS);
    }
}

/* A skill for a while ends by a clock, a shift may leave no time for a task: neither is held against anybody. */
static void what_time_decides_is_not_judged(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct history h = two_priorities((struct fact){ .level = { 2 } });
        int64_t shift[] = { 0, 1000000 };
        fill(&h, HIGH, AT_HIGH, 1);
        fill(&h, LOW, AT_LOW, 1);
        if (how == 1)
            EVENT(&h, .kind = FACT_SKILL, .worker = ANNA, .index = 0, .state = SKILL_IS_GRANTED, .count = 2,
                  .due = 1000);
        if (how == 2) {
            FEED(&h, .kind = FACT_SHIFT, .session = SESSION, .digest = 5, .times = shift, .count = 2);
            FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 2 }, .digest = 5);
        }
        STEP(&h);
        to_anna(&h, 1, LOW, 1, AT_LOW);
        judged(&h, how ? VERDICTS : FAIRNESS);
    }
}

/* A line of three stations, each behind the one before; the last asks nothing, or what Anna has not. */
static void what_is_begun_is_finished_first(void **state)
{
    enum { LAST_FIRST, CANNOT, FRESH_FIRST };
    (void)state;
    for (int how = LAST_FIRST; how <= FRESH_FIRST; how++) {
        struct history h = begin();
        for (uint32_t i = 0; i < 3; i++)
            FEED(&h, .kind = FACT_STATION, .station = 20 + i, .index = i, .stations = 3, .first = 20, .line = 2,
                 .when_on = -1, .attempts = 3, .after = i ? 1u << (i - 1) : 0,
                 .level = { i == 2 && how == CANNOT ? 3 : 0 });
        FEED(&h, .kind = FACT_RUN, .run = HIGH, .station = 20, .count = 5);
        fill(&h, HIGH, 20, 1);
        fill(&h, HIGH, 20, 2);
        STEP(&h);
        for (uint32_t i = 0; i < 2; i++) {
            EVENT(&h, .kind = FACT_ASSIGNED, .run = HIGH, .unit = 1, .station = 20 + i, .assignment = i + 1,
                  .worker = ROBOT, .hub = HUB);
            STEP(&h);
            FEED(&h, .kind = FACT_ACT, .act = 6, .assignment = i + 1, .worker = ROBOT, .session = SESSION);
            EVENT(&h, .kind = FACT_SUBMITTED, .assignment = i + 1, .result = i + 1);
            EVENT(&h, .kind = FACT_TASK_DONE, .run = HIGH, .unit = 1, .station = 20 + i);
            EVENT(&h, .kind = FACT_READY, .run = HIGH, .unit = 1, .station = 21 + i, .why = 1);
            STEP(&h);
        }
        if (how == LAST_FIRST)
            to_anna(&h, 3, HIGH, 1, 22);
        to_anna(&h, how == LAST_FIRST ? 4 : 3, HIGH, 2, 20);
        judged(&h, how == FRESH_FIRST ? FIFO : VERDICTS);
    }
}

/* ---- who stands idle ---- */

#define REST(h) FEED(h, .kind = FACT_STEP, .flag = true) /* and the broker has nothing left to hand out */

/* A unit that waits for Anna: robots may not do it. */
static struct history waits_for_anna(struct fact station)
{
    station.wkind = 1;
    struct history h = two_priorities(station);
    fill(&h, HIGH, AT_HIGH, 1);
    REST(&h);
    return h;
}

static void a_worker_with_credit_who_gets_nothing_of_what_he_may_do_stands_idle(void **state)
{
    (void)state;
    struct history h = waits_for_anna((struct fact){ 0 });
    REST(&h);
    judged(&h, FAIRNESS);
    h = waits_for_anna((struct fact){ 0 }); /* she gets it at once */
    to_anna(&h, 1, HIGH, 1, AT_HIGH);
    REST(&h);
    judged(&h, VERDICTS);
    h = waits_for_anna((struct fact){ 0 }); /* it is not told that the broker had time */
    STEP(&h);
    judged(&h, VERDICTS);
}

static void who_is_not_there_for_work_does_not_stand_idle(void **state)
{
    enum { SIGNED_OFF, LEFT, CONNECTION_LOST, BYE, GREETED_ANEW, BROKER_ANEW, CLOCK_OFF, CREDIT_USED, WAYS };
    (void)state;
    for (int how = SIGNED_OFF; how < WAYS; how++) {
        struct history h = two_priorities((struct fact){ .wkind = 1 });
        for (uint64_t unit = 1; unit <= 11; unit++)
            fill(&h, HIGH, AT_HIGH, unit);
        switch (how) {
        case SIGNED_OFF: FEED(&h, .kind = FACT_SIGN_OFF, .session = SESSION, .worker = ANNA); break;
        case LEFT: FEED(&h, .kind = FACT_ROSTER, .session = SESSION); break;
        case CONNECTION_LOST:
        case BYE: EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = how == BYE ? 0 : SESSION); break;
        case GREETED_ANEW: EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION + 1, .flag = true); break;
        case BROKER_ANEW: EVENT(&h, .kind = FACT_BOOT); break;
        case CLOCK_OFF: FEED(&h, .kind = FACT_HUB_CLOCK, .session = SESSION, .flag = true); break;
        default:
            for (uint64_t unit = 1; unit <= 10; unit++)
                EVENT(&h, .kind = FACT_ASSIGNED, .run = HIGH, .unit = unit, .station = AT_HIGH, .assignment = unit,
                      .worker = ANNA, .hub = HUB);
        }
        REST(&h);
        REST(&h);
        judged(&h, VERDICTS);
    }
}

/* The same session, connected again; a clock that is right again; more credit, in a new session, too. */
static void who_is_there_again_is_given_work_in_that_very_step(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct history h = two_priorities((struct fact){ .wkind = 1 });
        fill(&h, HIGH, AT_HIGH, 1);
        if (how == 0)
            EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION);
        else if (how == 1)
            FEED(&h, .kind = FACT_HUB_CLOCK, .session = SESSION, .flag = true);
        else if (how == 2)
            FEED(&h, .kind = FACT_SIGN_OFF, .session = SESSION, .worker = ANNA);
        else
            EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION + 1, .flag = true);
        REST(&h);
        REST(&h);
        assert_int_equal(checker_total(h.c), 0);
        if (how == 0)
            EVENT(&h, .kind = FACT_SESSION, .hub = HUB, .session = SESSION, .flag = true);
        else if (how == 1)
            FEED(&h, .kind = FACT_HUB_CLOCK, .session = SESSION);
        else
            FEED(&h, .kind = FACT_GRANT, .session = SESSION + (how == 3), .worker = ANNA, .count = 11);
        REST(&h);
        judged(&h, FAIRNESS);
    }
}

static void who_may_do_nothing_of_what_is_ready_does_not_stand_idle(void **state)
{
    static const struct fact stations[] = {
        { .level = { 3 } }, { .shut_hubs = 1 }, { .at_once = 9 }, { .per_day = 9 }
    };
    (void)state;
    for (size_t i = 0; i < sizeof stations / sizeof *stations; i++) {
        struct history h = waits_for_anna(stations[i]);
        REST(&h);
        assert_true(checker_sums(h.c).idle_judged > 0);
        judged(&h, VERDICTS);
    }
    struct history h =
        waits_for_anna((struct fact){ 0 }); /* she has declined it, and who else may do it is not there */
    FEED(&h, .kind = FACT_WORKER, .worker = CARL, .session = SESSION);
    to_anna(&h, 1, HIGH, 1, AT_HIGH);
    EVENT(&h, .kind = FACT_RETURNED, .assignment = 1, .unit = 1, .why = 4);
    EVENT(&h, .kind = FACT_READY, .run = HIGH, .unit = 1, .station = AT_HIGH, .why = 4);
    REST(&h);
    REST(&h);
    judged(&h, VERDICTS);
}

/* Suspended there, or the run paused; when that ends she may be asked again, which is judged behind the step in which it did. */
static void what_changes_in_a_step_is_owed_in_the_next(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++)
        for (int again = 0; again < 2; again++) {
            struct history h = two_priorities((struct fact){ .wkind = 1 });
            fill(&h, HIGH, AT_HIGH, 1);
            for (int shut = 1; shut >= (again ? 0 : 1); shut--) {
                switch (what) {
                case 0:
                    EVENT(&h, .kind = FACT_STANDING, .worker = ANNA, .line = 2, .index = 0, .state = (uint32_t)shut,
                          .flag = true);
                    break;
                case 1: EVENT(&h, .kind = FACT_RUN_STATE, .run = HIGH, .flag = shut, .count = 7); break;
                default: EVENT(&h, .kind = FACT_STATION_STATE, .line = 2, .index = 0, .flag = shut); break;
                }
                REST(&h);
                assert_int_equal(checker_total(h.c), 0);
            }
            REST(&h);
            judged(&h, again ? FAIRNESS : VERDICTS);
        }
}

/* It asks less than before, or she can do more. */
static void what_a_station_asks_and_a_worker_can_do_is_owed_in_the_next_step(void **state)
{
    (void)state;
    for (int she_can = 0; she_can < 2; she_can++)
        for (int later = 0; later < 2; later++) {
            struct history h = waits_for_anna((struct fact){ .level = { 3 } });
            REST(&h);
            if (she_can)
                FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .level = { 3 });
            else
                FEED(&h, .kind = FACT_STATION, .station = AT_HIGH, .stations = 1, .first = AT_HIGH, .line = 2,
                     .wkind = 1, .when_on = -1, .attempts = 3);
            REST(&h);
            if (later)
                REST(&h);
            judged(&h, later ? FAIRNESS : VERDICTS);
        }
}

static void who_comes_by_shifts_or_has_so_many_a_day_is_not_judged(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct history h = two_priorities((struct fact){ .wkind = 1 });
        int64_t shift[] = { 0, 1000000 };
        FEED(&h, .kind = FACT_SHIFT, .session = SESSION, .digest = 5, .times = shift, .count = 2);
        FEED(&h, .kind = FACT_WORKER, .worker = ANNA, .session = SESSION, .digest = how == 1 ? 5 : 0,
             .per_day = how == 2 ? 9 : 0);
        fill(&h, HIGH, AT_HIGH, 1);
        REST(&h);
        REST(&h);
        judged(&h, how ? VERDICTS : FAIRNESS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_who_could_do_a_run_of_a_higher_priority_gets_a_lower_one),
        cmocka_unit_test(what_a_run_offers_to_others_only_is_passed_by),
        cmocka_unit_test(what_is_paused_is_passed_by),
        cmocka_unit_test(what_its_worker_may_not_do_any_more_is_passed_by),
        cmocka_unit_test(a_place_of_several_that_its_worker_has_not_is_offered_to_him),
        cmocka_unit_test(what_is_not_ready_is_passed_by),
        cmocka_unit_test(a_priority_holds_from_the_step_after_it_was_told),
        cmocka_unit_test(what_time_decides_is_not_judged),
        cmocka_unit_test(what_is_begun_is_finished_first),
        cmocka_unit_test(a_worker_with_credit_who_gets_nothing_of_what_he_may_do_stands_idle),
        cmocka_unit_test(who_is_not_there_for_work_does_not_stand_idle),
        cmocka_unit_test(who_is_there_again_is_given_work_in_that_very_step),
        cmocka_unit_test(who_may_do_nothing_of_what_is_ready_does_not_stand_idle),
        cmocka_unit_test(what_changes_in_a_step_is_owed_in_the_next),
        cmocka_unit_test(what_a_station_asks_and_a_worker_can_do_is_owed_in_the_next_step),
        cmocka_unit_test(who_comes_by_shifts_or_has_so_many_a_day_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
