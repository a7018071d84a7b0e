/* The forecast as a function: who can do how much, in which order slots are given out, when runs are done, and what the range makes of what is uncertain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "client/sunline_forecast.h"

#define HOUR 3600000000ll
#define DAY (24 * HOUR)
#define MINUTE_US 60e6
#define NOW (1795996800000000ll + 9 * HOUR) /* Monday 2026-11-30 09:00 UTC */

/* A case in the making. */
static struct sl_forecast_station station[8];
static struct sl_forecast_line line[4];
static struct sl_forecast_hub hub[2];
static struct sl_forecast_crew crew[8];
static struct sl_forecast_run run[8];
static struct sl_forecast_queue queue[8][8];
static struct sl_forecast_usual usual[SL_FORECAST_WEEK_HOURS];
static const uint16_t number[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
static struct sl_forecast_input in;
static struct sl_forecast *f;
static const struct sl_forecast_time ten_minutes[] = { { 8 * MINUTE_US, 20 },
                                                       { 10 * MINUTE_US, 60 },
                                                       { 14 * MINUTE_US, 20 } };

/* A line of n stations in a row that take ten minutes, none in its queues, nobody to work. */
static int set_up(void **state)
{
    (void)state;
    memset(station, 0, sizeof station);
    memset(line, 0, sizeof line);
    memset(hub, 0, sizeof hub);
    memset(crew, 0, sizeof crew);
    memset(run, 0, sizeof run);
    memset(queue, 0, sizeof queue);
    memset(usual, 0, sizeof usual);
    f = NULL;
    in = (struct sl_forecast_input){
        .now_us = NOW, .hubs = 2, .station = station, .line = line, .hub = hub, .crew = crew, .run = run
    };
    hub[0].by_shift = hub[0].anytime = hub[1].by_shift = hub[1].anytime = (struct sl_forecast_present){ 1, 0, 30 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_forecast_free(&f);
    sl_forecast_free(&f);
    return 0;
}

static void a_line(uint16_t n)
{
    line[in.lines++] = (struct sl_forecast_line){ .first = (uint16_t)in.stations, .count = n };
    for (uint16_t i = 0; i < n; i++) {
        uint16_t at = (uint16_t)in.stations++;
        station[at] = (struct sl_forecast_station){ .open = true,
                                                    .rank = (uint16_t)(n - 1 - i),
                                                    .after_count = i > 0,
                                                    .after = &number[at ? at - 1 : 0],
                                                    .time_count = 3,
                                                    .time = ten_minutes,
                                                    .mean_us = 10 * MINUTE_US,
                                                    .lease_us = 20 * MINUTE_US,
                                                    .answers = 1 };
    }
}

static struct sl_forecast_crew *people(double n, uint64_t fits)
{
    crew[in.crews] = (struct sl_forecast_crew){ .anytime = true, .workers = n, .slots = n, .fits = { fits } };
    return &crew[in.crews++];
}

static void by_shift(struct sl_forecast_crew *c, const int64_t *time, uint32_t n)
{
    c->anytime = false;
    c->time = time;
    c->time_count = n;
    c->until_us = NOW + 8 * DAY;
}

static struct sl_forecast_queue *a_run(uint16_t of_line, uint8_t priority, double first)
{
    uint32_t i = in.runs++;
    run[i] = (struct sl_forecast_run){ .line = of_line, .priority = priority, .queue = queue[i] };
    queue[i][0].ready = first;
    return queue[i];
}

static void forecast(uint32_t hours)
{
    sl_forecast_free(&f);
    assert_int_equal(sl_forecast_new(&in, &(struct sl_forecast_options){ .hours = hours }, &f), SL_OK);
}

static double hours_until(int64_t us)
{
    return (double)(us - NOW) / HOUR;
}

static void ends_near(uint32_t i, double hours, double within)
{
    assert_int_equal(f->run[i].state, SL_END_WITHIN);
    double mid = hours_until(f->run[i].mid_us);
    if (fabs(mid - hours) > within)
        fail_msg("run %u ends in %.2f hours, not in %.2f", i, mid, hours);
    assert_true(f->run[i].low_us <= f->run[i].mid_us && f->run[i].mid_us <= f->run[i].high_us);
}

static void what_is_queued_is_done_at_the_pace_of_those_who_are_there(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 600); /* 60 an hour */
    forecast(24);
    ends_near(0, 10, 0.5);
    assert_true(fabs(f->cell[3].able - 60) < 0.5);
    assert_true(fabs(f->cell[3].done - 60) < 1);
    assert_true(fabs(f->cell[3].slots - 10) < 0.01);
    assert_true(fabs(f->cell[4].queue - 300) < 15);
    assert_true(f->cell[4].queue_low <= f->cell[4].queue && f->cell[4].queue <= f->cell[4].queue_high);
    assert_int_equal(f->gaps, 0);
}

static void a_shift_counts_while_it_is_on_and_the_hours_without_anybody_are_named(void **state)
{
    static const int64_t time[] = { NOW + 2 * HOUR, NOW + 6 * HOUR, NOW + 26 * HOUR, NOW + 30 * HOUR };
    (void)state;
    a_line(1);
    by_shift(people(10, 1), time, 4);
    a_run(0, 5, 300); /* 240 in the first four hours, 60 in the fifth, tomorrow */
    forecast(24);
    ends_near(0, 27, 0.7);
    assert_true(f->cell[0].able < 0.01 && fabs(f->cell[2].able - 60) < 0.5 && f->cell[6].able < 0.01);
    assert_int_equal(f->gaps, 2);
    assert_int_equal(f->gap[0].from_us, NOW);
    assert_int_equal(f->gap[0].to_us, NOW + 2 * HOUR);
    assert_int_equal(f->gap[1].from_us, NOW + 6 * HOUR);
    assert_int_equal(f->gap[1].to_us, NOW + 24 * HOUR);
    assert_int_equal(f->known_until_us[0], NOW + 8 * DAY);
    assert_true(f->cell[23].known);
    forecast(168);
    assert_true(f->cell[167].known);
    assert_int_equal(f->gaps, 3);
}

static void shifts_that_follow_each_other_leave_no_gap(void **state)
{
    static const int64_t day[] = { NOW - HOUR, NOW + 8 * HOUR }, night[] = { NOW + 8 * HOUR, NOW + 30 * HOUR };
    (void)state;
    a_line(1);
    by_shift(people(1, 1), day, 2);
    by_shift(people(1, 1), night, 2);
    forecast(24);
    assert_int_equal(f->gaps, 0);
}

static void who_fits_two_stations_is_one_slot(void **state)
{
    (void)state;
    a_line(2);
    people(10, 3);
    a_run(0, 5, 300); /* 600 tasks in all */
    forecast(24);
    ends_near(0, 10, 0.7);
    for (uint32_t h = 0; h < 9; h++) { /* each could do 60 alone */
        assert_true(f->cell[h].able > 59 && f->cell[24 + h].able > 59);
        assert_true(f->cell[h].done + f->cell[24 + h].done < 63);
    }
}

static void the_station_furthest_downstream_is_served_first(void **state)
{
    (void)state;
    a_line(2);
    people(10, 3);
    a_run(0, 5, 300)[1].ready = 60;
    forecast(24);
    assert_true(f->cell[24].done > 55 && f->cell[0].done < 8); /* in the first hour */
}

static void slots_that_fit_less_are_used_first(void **state)
{
    (void)state;
    a_line(1);
    a_line(1);
    people(10, 3);
    people(10, 1);
    a_run(0, 5, 300);
    a_run(1, 5, 300);
    forecast(24);
    ends_near(0, 5, 0.7); /* not 2.5, with the others waiting for who fits both */
    ends_near(1, 5, 0.7);
}

static void a_higher_priority_goes_first_and_equals_share(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 300);
    a_run(0, 5, 30);
    a_run(0, 9, 60);
    forecast(24);
    ends_near(2, 1, 0.3);
    ends_near(1, 2, 0.3);
    ends_near(0, 6.5, 0.4);
}

static void a_sum_of_runs_gets_as_many_shares(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 60);
    a_run(0, 5, 600);
    run[1].weight = 5;
    forecast(24);
    ends_near(0, 6, 0.4);
}

static void units_pass_by_in_the_share_that_was_measured(void **state)
{
    (void)state;
    a_line(2);
    people(10, 1);
    people(1, 2);
    station[1].done = 10;
    station[1].skipped = 90;
    a_run(0, 5, 600);
    forecast(24);
    ends_near(0, 10.2, 1.5); /* 60 of them are looked at, six an hour, while the others are done */
    station[1].done = 100;
    station[1].skipped = 0;
    forecast(24);
    assert_int_equal(f->run[0].state, SL_END_WITHIN);
    assert_true(hours_until(f->run[0].mid_us) > 90); /* one for six hundred */
}

static void a_task_costs_as_many_answers_as_were_measured(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 100);
    station[0].answers = 3; /* nothing is measured */
    forecast(24);
    ends_near(0, 5, 0.7);
    station[0].done = 200;
    station[0].results = 800;
    forecast(24);
    ends_near(0, 6.7, 0.4);
}

static void two_ways_join_when_both_are_done(void **state)
{
    static const uint16_t both[] = { 1, 2 };
    (void)state;
    a_line(4);
    station[0].rank = 3;
    station[1].rank = station[2].rank = 2;
    station[3].rank = 1;
    station[2].after = &number[0];
    station[3].after = both;
    station[3].after_count = 2;
    people(10, 1);
    people(10, 2);
    people(1, 4); /* the slow way: six an hour */
    people(10, 8);
    a_run(0, 5, 60);
    forecast(24);
    ends_near(0, 10.4, 0.7);
    assert_true(f->relief[2] > 10 * f->relief[1] && f->relief[2] > 10 * f->relief[3]);
}

static void the_bottleneck_is_where_one_more_would_help_most(void **state)
{
    uint32_t at = 9;
    (void)state;
    a_line(3);
    people(10, 1);
    people(2, 2);
    people(10, 4);
    a_run(0, 5, 100);
    forecast(24);
    assert_true(sl_forecast_bottleneck(f, &in, 0, &at));
    assert_int_equal(at, 1);
    queue[0][0].ready = 0;
    forecast(24);
    assert_false(sl_forecast_bottleneck(f, &in, 0, &at));
}

static void what_is_begun_is_half_through(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    station[0].mean_us = 60 * MINUTE_US;
    a_run(0, 5, 0)[0].begun = 10;
    forecast(24);
    assert_int_equal(f->run[0].state, SL_END_WITHIN);
    assert_in_range(f->run[0].mid_us, NOW + HOUR / 2, NOW + HOUR * 3 / 2);
}

static void usual_arrivals_take_their_share(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 300);
    for (int i = 0; i < SL_FORECAST_WEEK_HOURS; i++)
        usual[i] = (struct sl_forecast_usual){ 30, 0, 100 };
    line[0].usual = usual;
    forecast(24);
    assert_true(fabs(f->cell[1].arrive - 30) < 1);
    ends_near(0, 9.5, 1); /* the half of 60 an hour, as long as there are both */
    for (int i = 0; i < SL_FORECAST_WEEK_HOURS; i++)
        usual[i].weeks = i < 20; /* not yet a day */
    forecast(24);
    ends_near(0, 5, 0.5);
}

static void an_hour_that_was_never_seen_is_as_that_of_other_days(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    for (int i = 0; i < 48; i++) /* Monday and Tuesday are known */
        usual[i] = (struct sl_forecast_usual){ i % 24 == 12 ? 40 : 0, 0, 4 };
    line[0].usual = usual;
    forecast(168);
    assert_true(fabs(f->cell[3].arrive - 40) < 1);      /* Monday 12:00 */
    assert_true(fabs(f->cell[3 + 96].arrive - 40) < 1); /* Friday 12:00 */
    assert_true(f->cell[4 + 96].arrive < 0.01);
}

static double width(void)
{
    return hours_until(f->run[0].high_us) - hours_until(f->run[0].low_us);
}

static void the_less_is_known_the_wider_the_range(void **state)
{
    (void)state;
    a_line(1);
    people(10, 1);
    a_run(0, 5, 600);
    forecast(24);
    double narrow = width();
    hub[0].anytime = (struct sl_forecast_present){ 0.8, 0.15, 30 };
    forecast(24);
    ends_near(0, 12.5, 1);
    double wide = width();
    assert_true(wide > 1.5 * narrow);
    hub[0].anytime.days = 1;
    forecast(24);
    assert_true(width() > wide);
    hub[0].anytime = (struct sl_forecast_present){ 0, 0, 0 };
    forecast(24);
    assert_true(hours_until(f->run[0].mid_us) > 10);
    station[0].time_count = 0;
    station[0].mean_us = 0;
    forecast(24);
    assert_true(width() > wide); /* between nothing and the lease */
}

/* Days differ by more than is left to everybody's being there; that must not make fewer come on the average. */
static void what_is_uncertain_does_not_make_the_middle_late(void **state)
{
    (void)state;
    a_line(1);
    people(40, 1);
    hub[0].anytime = (struct sl_forecast_present){ 0.92, 0.15, 30 };
    a_run(0, 5, 40 * 0.92 * 6 * 120); /* five days */
    assert_int_equal(sl_forecast_new(&in, &(struct sl_forecast_options){ .repeats = 2000 }, &f), SL_OK);
    assert_int_equal(f->repeats, 2000);
    assert_true(fabs(hours_until(f->run[0].mid_us) / 120 - 1) < 0.012);
}

static void a_run_that_cannot_end_says_why(void **state)
{
    static const int64_t time[] = { NOW + 2 * HOUR, NOW + 3 * HOUR };
    (void)state;
    a_line(2);
    by_shift(people(1, 1), time, 2);
    a_run(0, 5, 0);
    a_run(0, 5, 1);
    run[1].paused = true;
    a_run(0, 5, 4);
    a_run(0, 5, 100);
    forecast(24);
    assert_int_equal(f->run[0].state, SL_END_NOW);
    assert_int_equal(f->run[1].state, SL_END_PAUSED);
    assert_int_equal(f->run[1].stuck, in.stations);
    assert_int_equal(f->run[2].state, SL_END_NOBODY); /* the second station has nobody */
    assert_int_equal(f->run[2].stuck, 1);
    people(10, 2);
    in.runs = 3;
    forecast(24);
    assert_int_equal(f->run[2].state, SL_END_WITHIN);
    in.runs = 4;
    forecast(24);
    assert_int_equal(f->run[3].state, SL_END_BEYOND); /* six tasks in the only hour there is */
    station[1].open = false;
    forecast(24);
    assert_int_equal(f->run[2].state, SL_END_PAUSED);
    assert_int_equal(f->run[2].stuck, 1);
}

static void shifts_that_are_not_known_yet_are_said_to_be(void **state)
{
    static const int64_t time[] = { NOW, NOW + 4 * HOUR };
    (void)state;
    a_line(1);
    by_shift(people(1, 1), time, 2);
    crew[0].until_us = NOW + 10 * HOUR;
    forecast(24);
    assert_int_equal(f->known_until_us[0], NOW + 10 * HOUR);
    assert_true(f->cell[9].known);
    assert_false(f->cell[10].known);
}

static void the_same_input_gives_the_same_forecast(void **state)
{
    (void)state;
    a_line(2);
    people(10, 3);
    hub[0].anytime = (struct sl_forecast_present){ 0.8, 0.15, 30 };
    a_run(0, 5, 300);
    forecast(24);
    struct sl_forecast_end a = f->run[0];
    forecast(24);
    assert_int_equal(a.low_us, f->run[0].low_us);
    assert_int_equal(a.high_us, f->run[0].high_us);
    sl_forecast_free(&f);
    assert_int_equal(sl_forecast_new(&in, &(struct sl_forecast_options){ .seed = 7 }, &f), SL_OK);
    assert_true(a.low_us != f->run[0].low_us || a.high_us != f->run[0].high_us);
}

static void tasks_that_take_days_and_hours_that_are_broken_do_no_harm(void **state)
{
    static const struct sl_forecast_time days[] = { { 5 * 24 * 60 * MINUTE_US, 1 } };
    (void)state;
    a_line(1);
    station[0].time = days;
    station[0].time_count = 1;
    station[0].mean_us = 72 * 60 * MINUTE_US;
    people(3, 1);
    a_run(0, 0, 2);
    in.now_us = NOW + 1234567890;
    forecast(168);
    assert_int_equal(f->from_us, NOW);
    assert_int_equal(f->run[0].state, SL_END_WITHIN); /* a day: longer ones count as so long */
}

static void what_does_not_hold_together_is_refused(void **state)
{
    static const uint16_t itself[] = { 0 };
    struct sl_forecast_options o = { .hours = 169 };
    (void)state;
    a_line(2);
    people(1, 1);
    a_run(0, 5, 1);
    assert_int_equal(sl_forecast_new(NULL, NULL, &f), SL_MISUSE);
    assert_null(f);
    assert_int_equal(sl_forecast_new(&in, &o, &f), SL_MISUSE);
    o = (struct sl_forecast_options){ .level = 1 };
    assert_int_equal(sl_forecast_new(&in, &o, &f), SL_MISUSE);
    station[0].after = itself;
    station[0].after_count = 1;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_MISUSE);
    station[0].after_count = 0;
    crew[0].hub = 2;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_MISUSE);
    crew[0].hub = 0;
    run[0].line = 1;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_MISUSE);
    run[0].line = 0;
    queue[0][1].ready = NAN;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_MISUSE);
    queue[0][1].ready = 0;
    line[0].count = 3;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_MISUSE);
    line[0].count = 2;
    in.stations = SL_FORECAST_STATIONS_MAX + 1;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_TOO_MANY);
    in.stations = 2;
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_OK);
    in = (struct sl_forecast_input){ .now_us = NOW };
    sl_forecast_free(&f);
    assert_int_equal(sl_forecast_new(&in, NULL, &f), SL_OK); /* nothing is nothing */
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_queued_is_done_at_the_pace_of_those_who_are_there),
        T(a_shift_counts_while_it_is_on_and_the_hours_without_anybody_are_named),
        T(shifts_that_follow_each_other_leave_no_gap),
        T(who_fits_two_stations_is_one_slot),
        T(the_station_furthest_downstream_is_served_first),
        T(slots_that_fit_less_are_used_first),
        T(a_higher_priority_goes_first_and_equals_share),
        T(a_sum_of_runs_gets_as_many_shares),
        T(units_pass_by_in_the_share_that_was_measured),
        T(a_task_costs_as_many_answers_as_were_measured),
        T(two_ways_join_when_both_are_done),
        T(the_bottleneck_is_where_one_more_would_help_most),
        T(what_is_begun_is_half_through),
        T(usual_arrivals_take_their_share),
        T(an_hour_that_was_never_seen_is_as_that_of_other_days),
        T(the_less_is_known_the_wider_the_range),
        T(what_is_uncertain_does_not_make_the_middle_late),
        T(a_run_that_cannot_end_says_why),
        T(shifts_that_are_not_known_yet_are_said_to_be),
        T(the_same_input_gives_the_same_forecast),
        T(tasks_that_take_days_and_hours_that_are_broken_do_no_harm),
        T(what_does_not_hold_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
