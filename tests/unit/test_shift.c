/* Shifts: what local times become in UTC, everywhere, and when the clocks change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "worker-agent/shift.h"

static int64_t utc(const char *text) /* "2026-03-29 01:00:00" */
{
    int y, mo, d, h, mi, s = 0;
    assert_true(sscanf(text, "%d-%d-%d %d:%d:%d", &y, &mo, &d, &h, &mi, &s) >= 5);
    return ((shift_day_of(y, (unsigned)mo, (unsigned)d) * 24 + h) * 3600 + mi * 60 + s) * 1000000ll;
}

static const char *told(int64_t us)
{
    static char text[4][40];
    static int at;
    time_t s = us / 1000000;
    struct tm tm;
    at = (at + 1) % 4;
    strftime(text[at], sizeof text[at], "%Y-%m-%d %H:%M:%S", gmtime_r(&s, &tm));
    return text[at];
}

/* The same spans on every day of the week. */
static struct shift_week every_day(uint16_t first, uint16_t end)
{
    struct shift_week w = { .from_day = INT64_MIN };
    for (int i = 0; i < 7; i++)
        w.day[i] = (struct shift_day){ 1, { { first, end } } };
    return w;
}

static int in_utc(const struct shift *s, const char *zone, int64_t from_us, int64_t until_us, struct shift_time *v,
                  int max)
{
    struct shift_zone *z = shift_zone_open(zone);
    assert_non_null(z);
    int n = shift_utc(s, z, from_us, until_us, v, max);
    shift_zone_close(&z);
    shift_zone_close(&z);
    return n;
}

/* On the local day DATE, 'first-end' in this zone is exactly this in UTC ("": nothing at all). */
static void becomes(const char *zone, const char *date, uint16_t first, uint16_t end, const char *expected)
{
    int y;
    unsigned m, d;
    char text[100] = "";
    assert_int_equal(sscanf(date, "%d-%u-%u", &y, &m, &d), 3);
    struct shift_extra x = { shift_day_of(y, m, d), { 1, { { first, end } } } };
    struct shift s = { .extra_count = 1, .extra = &x };
    struct shift_time v[4];
    int n = in_utc(&s, zone, (x.day - 5) * 86400000000, (x.day + 5) * 86400000000, v, 4);
    assert_true(n == 0 || n == 1);
    if (n)
        snprintf(text, sizeof text, "%s to %s", told(v[0].first_us), told(v[0].end_us));
    if (strcmp(text, expected) != 0)
        fail_msg("%s %s: %s, expected %s", zone, date, text, expected);
}
#define HM(h, m) ((h)*60 + (m))

static void kathmandu_is_five_hours_and_three_quarters_ahead(void **state)
{
    (void)state;
    becomes("Asia/Kathmandu", "2026-11-26", HM(9, 0), HM(17, 0), "2026-11-26 03:15:00 to 2026-11-26 11:15:00");
    becomes("Asia/Kathmandu", "2026-11-26", HM(22, 0), HM(30, 0), "2026-11-26 16:15:00 to 2026-11-27 00:15:00");
    becomes("Asia/Kathmandu", "2026-11-26", HM(0, 0), HM(5, 45), "2026-11-25 18:15:00 to 2026-11-26 00:00:00");
}

static void places_without_clock_changes_are_the_same_all_year(void **state)
{
    (void)state;
    becomes("Asia/Kolkata", "2026-01-15", HM(9, 0), HM(17, 0), "2026-01-15 03:30:00 to 2026-01-15 11:30:00");
    becomes("Asia/Kolkata", "2026-07-15", HM(9, 0), HM(17, 0), "2026-07-15 03:30:00 to 2026-07-15 11:30:00");
    becomes("Africa/Nairobi", "2026-01-15", HM(8, 0), HM(16, 0), "2026-01-15 05:00:00 to 2026-01-15 13:00:00");
    becomes("Africa/Nairobi", "2026-07-15", HM(8, 0), HM(16, 0), "2026-07-15 05:00:00 to 2026-07-15 13:00:00");
    becomes("Africa/Accra", "2026-07-15", HM(8, 0), HM(16, 0), "2026-07-15 08:00:00 to 2026-07-15 16:00:00");
    becomes("UTC", "2026-07-15", HM(8, 0), HM(16, 0), "2026-07-15 08:00:00 to 2026-07-15 16:00:00");
}

/* London, 2026-03-29: 01:00 becomes 02:00 at 01:00 UTC. */
static void a_shift_that_starts_in_a_gap_starts_at_the_gaps_end(void **state)
{
    (void)state;
    becomes("Europe/London", "2026-03-29", HM(1, 30), HM(9, 0), "2026-03-29 01:00:00 to 2026-03-29 08:00:00");
    becomes("Europe/London", "2026-03-29", HM(0, 59), HM(9, 0), "2026-03-29 00:59:00 to 2026-03-29 08:00:00");
    becomes("Europe/London", "2026-03-29", HM(1, 0), HM(9, 0), "2026-03-29 01:00:00 to 2026-03-29 08:00:00");
    becomes("Europe/London", "2026-03-29", HM(2, 0), HM(9, 0), "2026-03-29 01:00:00 to 2026-03-29 08:00:00");
    becomes("America/New_York", "2026-03-08", HM(2, 30), HM(6, 0), "2026-03-08 07:00:00 to 2026-03-08 10:00:00");
}

static void a_shift_that_ends_in_a_gap_ends_at_the_gaps_end(void **state)
{
    (void)state;
    becomes("Europe/London", "2026-03-28", HM(22, 0), HM(25, 30), "2026-03-28 22:00:00 to 2026-03-29 01:00:00");
    becomes("Europe/London", "2026-03-29", HM(1, 10), HM(1, 50), ""); /* inside of the gap: there is no such time */
}

/* London, 2026-10-25: 02:00 becomes 01:00 at 01:00 UTC; 01:30 comes twice, first at 00:30 UTC. */
static void a_shift_that_starts_in_an_overlap_starts_at_the_first_occurrence(void **state)
{
    (void)state;
    becomes("Europe/London", "2026-10-25", HM(1, 30), HM(9, 0), "2026-10-25 00:30:00 to 2026-10-25 09:00:00");
    becomes("Europe/London", "2026-10-25", HM(1, 0), HM(9, 0), "2026-10-25 00:00:00 to 2026-10-25 09:00:00");
    becomes("Europe/London", "2026-10-25", HM(2, 0), HM(9, 0), "2026-10-25 02:00:00 to 2026-10-25 09:00:00");
    becomes("America/New_York", "2026-11-01", HM(1, 30), HM(6, 0), "2026-11-01 05:30:00 to 2026-11-01 11:00:00");
}

static void a_shift_that_ends_in_an_overlap_ends_at_the_first_occurrence(void **state)
{
    (void)state;
    becomes("Europe/London", "2026-10-24", HM(22, 0), HM(25, 30), "2026-10-24 21:00:00 to 2026-10-25 00:30:00");
    becomes("Europe/London", "2026-10-25", HM(1, 10), HM(1, 50), "2026-10-25 00:10:00 to 2026-10-25 00:50:00");
}

/* Lord Howe goes half an hour: +10:30 and +11. 2026-04-05 02:00 becomes 01:30; 2026-10-04 02:00 becomes 02:30; both at 15:00 or 15:30 UTC the day before. */
static void lord_howe_changes_by_half_an_hour(void **state)
{
    (void)state;
    becomes("Australia/Lord_Howe", "2026-01-15", HM(9, 0), HM(17, 0), "2026-01-14 22:00:00 to 2026-01-15 06:00:00");
    becomes("Australia/Lord_Howe", "2026-07-15", HM(9, 0), HM(17, 0), "2026-07-14 22:30:00 to 2026-07-15 06:30:00");
    becomes("Australia/Lord_Howe", "2026-04-05", HM(1, 45), HM(9, 0), "2026-04-04 14:45:00 to 2026-04-04 22:30:00");
    becomes("Australia/Lord_Howe", "2026-10-04", HM(2, 15), HM(9, 0), "2026-10-03 15:30:00 to 2026-10-03 22:00:00");
}

/* Samoa left out 2011-12-30 altogether, when it went from one side of the date line to the other: a gap of a day. */
static void a_day_that_apia_left_out_has_no_shift(void **state)
{
    (void)state;
    becomes("Pacific/Apia", "2026-07-15", HM(9, 0), HM(17, 0), "2026-07-14 20:00:00 to 2026-07-15 04:00:00");
    becomes("Pacific/Apia", "2011-12-29", HM(9, 0), HM(17, 0), "2011-12-29 19:00:00 to 2011-12-30 03:00:00");
    becomes("Pacific/Apia", "2011-12-30", HM(9, 0), HM(17, 0), "");
    becomes("Pacific/Apia", "2011-12-31", HM(9, 0), HM(17, 0), "2011-12-30 19:00:00 to 2011-12-31 03:00:00");
    becomes("Pacific/Apia", "2011-12-29", HM(22, 0), HM(30, 0), "2011-12-30 08:00:00 to 2011-12-30 10:00:00");
}

/* Mexico gave up summer time in 2022; Juba moved its standard time back by an hour in the night to 2021-02-01. */
static void zones_whose_rules_changed_follow_the_rule_of_the_day(void **state)
{
    (void)state;
    becomes("America/Mexico_City", "2022-06-15", HM(9, 0), HM(17, 0), "2022-06-15 14:00:00 to 2022-06-15 22:00:00");
    becomes("America/Mexico_City", "2023-06-15", HM(9, 0), HM(17, 0), "2023-06-15 15:00:00 to 2023-06-15 23:00:00");
    becomes("Africa/Juba", "2021-01-31", HM(9, 0), HM(17, 0), "2021-01-31 06:00:00 to 2021-01-31 14:00:00");
    becomes("Africa/Juba", "2021-02-01", HM(9, 0), HM(17, 0), "2021-02-01 07:00:00 to 2021-02-01 15:00:00");
    becomes("Africa/Juba", "2021-01-31", HM(23, 30), HM(26, 0), "2021-01-31 20:30:00 to 2021-02-01 00:00:00");
}

static void several_spans_a_day_days_off_and_extra_days_add_up(void **state)
{
    (void)state;
    struct shift_week w[2] = { { .from_day = INT64_MIN }, { .from_day = shift_day_of(2026, 12, 9) } };
    for (int i = 0; i < 5; i++) {
        w[0].day[i] = (struct shift_day){ 2, { { HM(8, 0), HM(12, 0) }, { HM(13, 0), HM(17, 0) } } };
        w[1].day[i] = (struct shift_day){ 1, { { HM(7, 0), HM(15, 0) } } };
    }
    int64_t tuesday = shift_day_of(2026, 12, 8), sunday = tuesday + 5;
    struct shift_off off = { tuesday, tuesday };
    struct shift_extra extra = { sunday, { 1, { { HM(10, 0), HM(11, 0) } } } };
    struct shift s = { 2, 1, 1, w, &off, &extra, 0 };
    struct shift_time v[20];
    assert_int_equal(shift_weekday(tuesday), 1);
    int n = in_utc(&s, "Africa/Nairobi", utc("2026-12-07 00:00"), utc("2026-12-14 00:00"), v, 20);
    static const char *const first[] = { "2026-12-07 05:00:00", "2026-12-07 10:00:00", "2026-12-09 04:00:00",
                                         "2026-12-10 04:00:00", "2026-12-11 04:00:00", "2026-12-13 07:00:00" };
    assert_int_equal(n, 6);
    for (int i = 0; i < n; i++)
        assert_string_equal(told(v[i].first_us), first[i]);
}

static void a_day_off_takes_what_begins_on_it_the_night_before_goes_on(void **state)
{
    (void)state;
    struct shift_week w = every_day(HM(22, 0), HM(30, 0));
    struct shift_off off = { shift_day_of(2026, 12, 25), shift_day_of(2026, 12, 25) };
    struct shift s = { 1, 1, 0, &w, &off, NULL, 0 };
    struct shift_time v[4];
    int n = in_utc(&s, "UTC", utc("2026-12-25 00:00"), utc("2026-12-27 00:00"), v, 4);
    assert_int_equal(n, 2);
    assert_string_equal(told(v[0].first_us), "2026-12-24 22:00:00");
    assert_string_equal(told(v[0].end_us), "2026-12-25 06:00:00");
    assert_string_equal(told(v[1].first_us), "2026-12-26 22:00:00");
}

static void spans_that_touch_are_one(void **state)
{
    (void)state;
    struct shift_week w = every_day(0, HM(24, 0));
    struct shift s = { 1, 0, 0, &w, NULL, NULL, 0 };
    struct shift_time v[4];
    assert_int_equal(in_utc(&s, "Europe/London", utc("2026-03-20 00:00"), utc("2026-03-31 00:00"), v, 4), 1);
    assert_true(v[0].first_us <= utc("2026-03-20 00:00") && v[0].end_us > utc("2026-03-31 00:00"));
}

static void what_is_asked_for_is_told_whole_and_at_most_so_many(void **state)
{
    (void)state;
    struct shift_week w = every_day(HM(9, 0), HM(17, 0));
    struct shift s = { 1, 0, 0, &w, NULL, NULL, 0 };
    struct shift_time v[4];
    assert_int_equal(in_utc(&s, "UTC", utc("2026-07-01 16:59"), utc("2026-07-02 09:00"), v, 4), 1);
    assert_string_equal(told(v[0].first_us), "2026-07-01 09:00:00");
    assert_int_equal(in_utc(&s, "UTC", utc("2026-07-01 17:00"), utc("2026-07-02 09:00"), v, 4), 0);
    assert_int_equal(in_utc(&s, "UTC", utc("2026-07-01 00:00"), utc("2026-08-01 09:00"), v, 4), 4);
}

static void only_what_the_database_names_is_a_zone(void **state)
{
    (void)state;
    static const char *const none[] = { "Mars/Olympus",
                                        "EST5EDT4,M3.2.0,M11.1.0",
                                        "+05:45",
                                        "",
                                        "Africa/Nairobi/",
                                        "Africa",
                                        "CST6CDT,M3.2.0/2,M11.1.0/2",
                                        "/usr/share/zoneinfo/Asia/Kathmandu",
                                        "../zoneinfo/Europe/London",
                                        "Europe/../Europe/London",
                                        "Europe//London",
                                        "right/Europe/London",
                                        "posix/Europe/London",
                                        "zone.tab" };
    static const char *const some[] = { "Asia/Kathmandu", "America/Port-au-Prince", "Etc/GMT+5", "UTC" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (shift_zone_open(none[i]))
            fail_msg("'%s' is taken for a zone", none[i]);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        struct shift_zone *z = shift_zone_open(some[i]);
        if (!z)
            fail_msg("'%s' is no zone", some[i]);
        shift_zone_close(&z);
    }
}

/* Fourteen zones, fifteen years, four times a day: the moment shows the local time, or it is where the clock jumps over it; and none before it does. */
static void the_rule_holds_on_every_day_of_fifteen_years(void **state)
{
    (void)state;
    static const char *const zones[] = { "Asia/Kathmandu",    "Asia/Kolkata",        "Africa/Nairobi",
                                         "Africa/Accra",      "Europe/London",       "Europe/Dublin",
                                         "America/New_York",  "Pacific/Apia",        "Australia/Lord_Howe",
                                         "Africa/Juba",       "America/Mexico_City", "Africa/Casablanca",
                                         "America/Sao_Paulo", "Asia/Pyongyang" };
    char *old = getenv("TZ") ? strdup(getenv("TZ")) : NULL;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        setenv("TZ", zones[i], 1); /* the C library's opinion, which reads the same database by code of its own */
        tzset();
        struct shift_zone *z = shift_zone_open(zones[i]);
        for (int64_t day = shift_day_of(2011, 1, 1); day < shift_day_of(2026, 1, 1); day++)
            for (uint16_t first = 30; first < 1440; first += 360) {
                struct shift_extra x = { day, { 1, { { first, first + 1440 } } } };
                struct shift s = { .extra_count = 1, .extra = &x };
                struct shift_time v[1];
                if (shift_utc(&s, z, (day - 3) * 86400000000, (day + 4) * 86400000000, v, 1) != 1)
                    continue; /* Apia's missing day */
                time_t at = v[0].first_us / 1000000, before = at - 1;
                struct tm tm;
                int64_t want = day * 86400 + first * 60;
                localtime_r(&at, &tm);
                int64_t shown = at + tm.tm_gmtoff;
                localtime_r(&before, &tm);
                if (shown < want || before + tm.tm_gmtoff >= want)
                    fail_msg("%s day %lld minute %u: %s", zones[i], (long long)day, first, told(v[0].first_us));
            }
        shift_zone_close(&z);
    }
    old ? setenv("TZ", old, 1) : unsetenv("TZ");
    tzset();
    free(old);
}

/* The midnights of a zone, UTC, joined by commas, from the day that has `from` in it. */
static const char *midnights(const char *zone, const char *from, int64_t for_us)
{
    static char text[400];
    int64_t v[16];
    struct shift_zone *z = shift_zone_open(zone);
    assert_non_null(z);
    int n = shift_days(z, utc(from), utc(from) + for_us, v, 16);
    shift_zone_close(&z);
    text[0] = 0;
    for (int i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.16s", i ? ", " : "", told(v[i]));
    return text;
}

static void days_begin_at_local_midnight_and_the_first_one_is_past(void **state)
{
    const int64_t day = 86400000000;
    (void)state;
    assert_string_equal(midnights("Asia/Kathmandu", "2026-11-26 00:00", 2 * day),
                        "2026-11-25 18:15, 2026-11-26 18:15, 2026-11-27 18:15");
    assert_string_equal(midnights("America/New_York", "2026-10-31 12:00", 3 * day), /* a day of 25 hours */
                        "2026-10-31 04:00, 2026-11-01 04:00, 2026-11-02 05:00, 2026-11-03 05:00");
    assert_string_equal(midnights("America/Havana", "2026-03-07 12:00", 2 * day), /* 00:00 is skipped on the 8th */
                        "2026-03-07 05:00, 2026-03-08 05:00, 2026-03-09 04:00");
    assert_string_equal(midnights("Pacific/Apia", "2011-12-29 12:00", 2 * day), /* the 30th never was */
                        "2011-12-29 10:00, 2011-12-30 10:00, 2011-12-31 10:00");
}

static void overlaps_are_found(void **state)
{
    (void)state;
    struct shift_week w = every_day(HM(9, 0), HM(17, 0)), change[2];
    struct shift s = { 1, 0, 0, &w, NULL, NULL, 0 };
    int64_t day;
    char text[100];
    assert_false(shift_overlaps(&s, &day, text, sizeof text));
    w.day[2] = (struct shift_day){ 2, { { HM(9, 0), HM(13, 0) }, { HM(13, 0), HM(17, 0) } } };
    assert_false(shift_overlaps(&s, &day, text, sizeof text)); /* touching */
    w.day[2].span[1].first = HM(12, 59);
    assert_true(shift_overlaps(&s, &day, text, sizeof text));
    assert_int_equal(shift_weekday(day), 2);
    assert_string_equal(text, "09:00-13:00 and 12:59-17:00");
    /* from Sunday's night into Monday's morning */
    w = every_day(HM(5, 0), HM(9, 0));
    w.day[6] = (struct shift_day){ 1, { { HM(22, 0), HM(30, 0) } } };
    assert_true(shift_overlaps(&s, &day, text, sizeof text));
    assert_int_equal(shift_weekday(day), 0);
    /* an extra span, across midnight into the ordinary day after */
    w = every_day(HM(5, 0), HM(9, 0));
    struct shift_extra x = { shift_day_of(2026, 12, 24), { 1, { { HM(22, 0), HM(30, 0) } } } };
    s.extra = &x;
    s.extra_count = 1;
    assert_true(shift_overlaps(&s, &day, text, sizeof text));
    assert_int_equal(day, shift_day_of(2026, 12, 25));
    struct shift_off off = { x.day + 1, x.day + 1 };
    s.off = &off;
    s.off_count = 1;
    assert_false(shift_overlaps(&s, &day, text, sizeof text)); /* that day is off */
    /* where one pattern follows another */
    change[0] = every_day(HM(22, 0), HM(30, 0));
    change[1] = every_day(HM(5, 0), HM(9, 0));
    change[1].from_day = shift_day_of(2027, 1, 4);
    s = (struct shift){ 2, 0, 0, change, NULL, NULL, 0 };
    assert_true(shift_overlaps(&s, &day, text, sizeof text));
    assert_int_equal(day, shift_day_of(2027, 1, 4));
}

static void dates_and_days_agree(void **state)
{
    (void)state;
    assert_int_equal(shift_day_of(1970, 1, 1), 0);
    assert_int_equal(shift_day_of(2000, 3, 1), 11017);
    assert_int_equal(shift_weekday(0), 3); /* a Thursday */
    for (int64_t d = -200000; d < 200000; d += 13) {
        int y;
        unsigned m, dm;
        shift_date_of(d, &y, &m, &dm);
        assert_int_equal(shift_day_of(y, m, dm), d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kathmandu_is_five_hours_and_three_quarters_ahead),
        cmocka_unit_test(places_without_clock_changes_are_the_same_all_year),
        cmocka_unit_test(a_shift_that_starts_in_a_gap_starts_at_the_gaps_end),
        cmocka_unit_test(a_shift_that_ends_in_a_gap_ends_at_the_gaps_end),
        cmocka_unit_test(a_shift_that_starts_in_an_overlap_starts_at_the_first_occurrence),
        cmocka_unit_test(a_shift_that_ends_in_an_overlap_ends_at_the_first_occurrence),
        cmocka_unit_test(lord_howe_changes_by_half_an_hour),
        cmocka_unit_test(a_day_that_apia_left_out_has_no_shift),
        cmocka_unit_test(zones_whose_rules_changed_follow_the_rule_of_the_day),
        cmocka_unit_test(several_spans_a_day_days_off_and_extra_days_add_up),
        cmocka_unit_test(a_day_off_takes_what_begins_on_it_the_night_before_goes_on),
        cmocka_unit_test(spans_that_touch_are_one),
        cmocka_unit_test(what_is_asked_for_is_told_whole_and_at_most_so_many),
        cmocka_unit_test(only_what_the_database_names_is_a_zone),
        cmocka_unit_test(the_rule_holds_on_every_day_of_fifteen_years),
        cmocka_unit_test(days_begin_at_local_midnight_and_the_first_one_is_past),
        cmocka_unit_test(overlaps_are_found),
        cmocka_unit_test(dates_and_days_agree),
    };
    return cmocka_run_group_tests_name("shift", tests, NULL, NULL);
}
