/* The engine: limits. So many tasks of a station in hand at once, over all runs, versions and hubs; so many a day for a worker, of all stations by his
 * roster, of one by its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"

#define SECOND 1000000ll
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define NOON_US 1795694400000000ll       /* 2026-11-26 12:00 UTC, 15:00 in Nairobi */
#define MIDNIGHT_US (NOON_US + 9 * HOUR) /* in Nairobi */

static struct world w;
static struct world_hub ktm, nbo;
static struct world_task t[64];

static void roster(struct world_hub *h, const uint32_t *per_day, unsigned n, const char *shift)
{
    static uint64_t digests;
    struct slp_buf b = { 0 };
    uint64_t digest[4] = { ++digests, 1 };
    for (unsigned i = 0; i < n; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s-%u", h->name, i);
        struct slp_item_worker_def d = { .name = world_str(name), .capacity = 10, .per_day = per_day[i] };
        if (per_day[i])
            SLP_SET(&d, item_worker_def, per_day);
        if (shift) {
            d.shift = world_str(shift);
            SLP_SET(&d, item_worker_def, shift);
        }
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    }
    struct slp_roster q = {
        .session = h->session, .digest = { (char *)digest, 32 }, .workers = { b.p, (uint32_t)b.n, n }, .last = true
    };
    struct slp_msg *m = world_send(&w, h->peer, SLP_ROSTER, &q);
    assert_int_equal(m->type, SLP_ROSTER_DONE);
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    h->workers = n;
    for (unsigned i = 0; i < n; i++)
        assert_true(slp_next_u64(&c, &h->worker[i]));
    slp_buf_free(&b);
}

/* The hub tells the days of a zone that is `east` hours ahead of UTC, and a shift there that is always on (NULL: none). */
static struct slp_msg *days(struct world_hub *h, const char *zone, int64_t east, unsigned n, const char *shift)
{
    static uint64_t digests;
    struct slp_buf at = { 0 }, item = { 0 }, shifts = { 0 }, times = { 0 };
    uint64_t digest[4] = { ++digests, 2 };
    int64_t first = (w.wall_us + east * HOUR) / DAY * DAY - east * HOUR;
    for (unsigned i = 0; i < n; i++)
        slp_pack_u64(&at, (uint64_t)(first + i * DAY));
    struct slp_item_zone_days z = { .zone = world_str(zone), .days = { at.p, (uint32_t)at.n, n } };
    slp_pack_item(&item, SLP_ITEM_zone_days, &z);
    slp_pack_u64(&times, (uint64_t)(NOON_US - 9 * DAY));
    slp_pack_u64(&times, (uint64_t)(NOON_US + 90 * DAY));
    struct slp_item_shift_def d = { .name = world_str(shift ? shift : ""),
                                    .zone = world_str(zone),
                                    .text = world_str("always"),
                                    .times = { times.p, (uint32_t)times.n, 2 } };
    slp_pack_item(&shifts, SLP_ITEM_shift_def, &d);
    struct slp_shifts q = { .session = h->session,
                            .digest = { (char *)digest, 32 },
                            .shifts = { shift ? shifts.p : NULL, shift ? (uint32_t)shifts.n : 0, shift != NULL },
                            .until_wall_us = w.wall_us + 90 * DAY,
                            .last = true,
                            .zones = { item.p, (uint32_t)item.n, 1 } };
    SLP_SET(&q, shifts, zones);
    struct slp_msg *m = world_send(&w, h->peer, SLP_SHIFTS, &q);
    slp_buf_free(&at);
    slp_buf_free(&item);
    slp_buf_free(&shifts);
    slp_buf_free(&times);
    return m;
}

static int open_world(void **state)
{
    static const uint32_t none[2];
    (void)state;
    memset(&w, 0, sizeof w);
    memset(&ktm, 0, sizeof ktm);
    memset(&nbo, 0, sizeof nbo);
    world_open(&w);
    w.wall_us = NOON_US;
    world_hub(&w, &ktm, "ktm", 0, 0);
    world_hub(&w, &nbo, "nbo", 0, 0);
    roster(&ktm, none, 2, NULL);
    roster(&nbo, none, 2, NULL);
    world_clear(&w);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void line(const char *worker, const char *more)
{
    char text[600];
    snprintf(text, sizeof text,
             "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n%s"
             "    lease: 10m\n    start_by: 30d\n    backoff: 0\n    attempts: 100\n    form: {fields: [{name: a, "
             "type: short_answer}]}\n",
             worker, more);
    world_line(&w, text);
}

/* How many a worker gets who may have n more. */
static size_t ask(struct world_hub *h, unsigned worker, unsigned n)
{
    world_clear(&w);
    world_credit(&w, h, worker, n);
    return world_tasks(&w, h, t, 64);
}

static void pass(int64_t us)
{
    for (; us > 0; us -= 10 * SECOND) {
        world_beat(&w, &ktm);
        world_beat(&w, &nbo);
        world_pass(&w, us < 10 * SECOND ? us : 10 * SECOND);
    }
}

/* Both hubs come again after a restart, holding nothing that matters here. */
static void restart(void)
{
    uint64_t held[64];
    size_t n = 0;
    for (size_t i = 0; i < 64 && t[i].assignment; i++)
        held[n++] = t[i].assignment;
    world_restart(&w);
    world_hello(&w, &ktm, held, n);
    world_hello(&w, &nbo, NULL, 0);
}

/* ---- at once ---- */

static void no_more_are_in_hand_at_once_than_the_station_says(void **state)
{
    const char *text;
    (void)state;
    line("{}", "    at_once: 3\n");
    world_put(&w, world_run(&w, "l", "a"), 10);
    world_put(&w, world_run(&w, "l", "b"), 10);
    assert_int_equal(ask(&ktm, 0, 2), 2);
    assert_int_equal(ask(&nbo, 0, 5), 1); /* over runs and hubs */
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 21);
    assert_string_equal(text, "station s: 3 tasks are in hand, 3 may be at once");
    assert_int_equal(world_submit(&w, &nbo, &t[0], "x"), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 2); /* the place goes to who waits */
    assert_int_equal(world_act(&w, &nbo, &t[1], ACT_RELEASE, "", NULL), SLP_E_OK);
    assert_int_equal(world_count(&w, "a", "s", TASK_ASSIGNED) + world_count(&w, "b", "s", TASK_ASSIGNED), 3);
}

static void the_newest_version_says_what_holds_for_all(void **state)
{
    (void)state;
    line("{}", "    at_once: 1\n");
    world_put(&w, world_run(&w, "l", "old"), 20);
    assert_int_equal(ask(&ktm, 0, 9), 1);
    world_clear(&w);
    line("{}", "    at_once: 4\n"); /* at once, for the run under way */
    assert_int_equal(world_tasks(&w, &ktm, t, 64), 3);
    world_put(&w, world_run(&w, "l", "new"), 20);
    assert_int_equal(ask(&nbo, 0, 5), 0); /* the versions share the places */
    world_clear(&w);
    line("{}", "    at_once: 2\n"); /* what is in hand stays */
    assert_int_equal(world_submit(&w, &ktm, &t[0], "x"), SLP_E_OK);
    assert_int_equal(world_submit(&w, &ktm, &t[1], "x"), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &ktm, t, 64) + world_tasks(&w, &nbo, t + 30, 30), 0);
    assert_int_equal(world_submit(&w, &ktm, &t[2], "x"), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &ktm, t, 64) + world_tasks(&w, &nbo, t + 30, 30), 1);
    world_clear(&w);
    line("{}", ""); /* no limit any more */
    assert_int_equal(world_tasks(&w, &ktm, t, 64) + world_tasks(&w, &nbo, t + 30, 30), 5 + 5 - 1);
    world_clear(&w);
    line("{}", "    at_once: 5\n");
    assert_int_equal(ask(&ktm, 1, 5), 0);
}

static void what_is_in_hand_is_known_after_a_restart(void **state)
{
    (void)state;
    line("{}", "    at_once: 3\n");
    world_put(&w, world_run(&w, "l", "a"), 10);
    assert_int_equal(ask(&ktm, 0, 2), 2);
    assert_int_equal(world_act(&w, &ktm, &t[0], ACT_START, NULL, NULL), SLP_E_OK);
    restart();
    assert_int_equal(ask(&nbo, 0, 5), 1);
}

static void a_full_station_keeps_nobody_from_others(void **state)
{
    (void)state;
    line("{}", "    at_once: 1\n");
    world_line(&w, "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    start_by: 30d\n");
    world_put(&w, world_run(&w, "l", "a"), 10);
    world_put(&w, world_run(&w, "other", "b"), 10);
    assert_int_equal(world_run_set(&w, "a", RUN_SET_PRIORITY, 9), SLP_E_OK);
    assert_int_equal(ask(&ktm, 0, 5), 5);
    assert_int_equal(world_count(&w, "a", "s", TASK_ASSIGNED), 1);
}

static void copies_count_each(void **state)
{
    (void)state;
    line("{}", "    at_once: 3\n    copies: {min: 2, max: 2}\n    agree: {on: [a], method: plurality, ties: first}\n");
    world_put(&w, world_run(&w, "l", "a"), 10);
    assert_int_equal(ask(&ktm, 0, 9), 3);
    assert_int_equal(ask(&nbo, 0, 9), 0);
}

static void the_station_tells_how_full_it_is(void **state)
{
    (void)state;
    line("{per_day: 7}", "    at_once: 3\n");
    world_put(&w, world_run(&w, "l", "a"), 10);
    assert_int_equal(ask(&ktm, 0, 2), 2);
    struct slp_stations_get q = { .after = 0 };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_STATIONS_GET, &q);
    struct slp_cursor c = slp_each(m->u.stations.rows);
    struct slp_item_station_row row;
    assert_true(slp_next_station_row(&c, &row));
    assert_int_equal(row.at_once, 3);
    assert_int_equal(row.in_hand, 2);
    assert_int_equal(row.per_day, 7);
}

/* ---- a day ---- */

static void a_worker_gets_no_more_a_day_than_his_roster_says(void **state)
{
    const char *text;
    (void)state;
    roster(&nbo, (uint32_t[]){ 3, 0 }, 2, NULL);
    days(&nbo, "Africa/Nairobi", 3, 9, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 10), 3);
    assert_int_equal(ask(&nbo, 1, 10), 10); /* he has no limit */
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 20);
    assert_string_equal(text, "3 tasks today, as many as a day may bring; the next day begins at 2026-11-26 21:00 UTC");
    world_clear(&w);
    pass(MIDNIGHT_US - w.wall_us - SECOND);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 0);
    pass(SECOND); /* midnight in Nairobi, nobody says anything */
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 3);
    pass(DAY);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 6);
}

static void the_day_is_one_of_his_own_zone(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 1 }, 1, "away");
    days(&nbo, "Asia/Kathmandu", 6, 9, "away"); /* rounded: it is 18:00 there */
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 10), 1);
    world_clear(&w);
    pass(6 * HOUR);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    roster(&nbo, (uint32_t[]){ 1 }, 1,
           NULL); /* home again: of Nairobi's days nothing was told, those of UTC hold: it is 18:00 */
    world_clear(&w);
    pass(6 * HOUR - SECOND);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 0);
    pass(SECOND);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
}

/* Whose day is over where he works now has it behind him, wherever he goes next. */
static void what_is_over_in_one_zone_does_not_come_back_in_another(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 3 }, 1, "away");
    days(&nbo, "Asia/Kathmandu", 6, 9, "away"); /* 18:00 there; of Nairobi's days nothing was told, it is 12:00 */
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 3), 3);
    world_clear(&w);
    w.wall_us += 7 * HOUR; /* past midnight there, and no tick has come by */
    roster(&nbo, (uint32_t[]){ 3 }, 1, NULL);
    assert_int_equal(ask(&nbo, 0, 10), 3);
}

/* Nobody gives him credit again, and nothing new comes: that his day is over is news enough, though no tick saw its end, and by what his hub tells now it goes on. */
static void who_has_nothing_of_today_since_the_days_of_his_zone_are_others_is_asked(uint32_t per_day,
                                                                                    const char *worker)
{
    roster(&nbo, &per_day, 1, "away");
    days(&nbo, "Asia/Kathmandu", 6, 9, "away"); /* midnight is at 18:00 UTC */
    line(worker, "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    world_tick(&w); /* the shift has begun, and everybody in it was looked at */
    assert_int_equal(ask(&nbo, 0, 10), 3);
    world_clear(&w);
    w.wall_us += 7 * HOUR;
    days(&nbo, "Asia/Kathmandu", 0, 9, "away");
    world_tick(&w);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 3);
}

static void who_has_nothing_of_today_by_his_roster_since_days_are_others_is_asked(void **state)
{
    (void)state;
    who_has_nothing_of_today_since_the_days_of_his_zone_are_others_is_asked(3, "{}");
}

static void who_has_nothing_of_today_by_the_line_since_days_are_others_is_asked(void **state)
{
    (void)state;
    who_has_nothing_of_today_since_the_days_of_his_zone_are_others_is_asked(0, "{per_day: 3}");
}

/* His roster comes before the shift that it names was told: until then his day is that of his hub, and he has had what he had. */
static void whose_shift_is_not_told_yet_has_the_day_of_his_hub(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 3 }, 1, NULL);
    days(&nbo, "Africa/Nairobi", 3, 9, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    w.wall_us += 10 * HOUR; /* 22:00 by UTC, 01:00 there */
    world_tick(&w);
    assert_int_equal(ask(&nbo, 0, 3), 3);
    w.wall_us += 4 * HOUR; /* another day by UTC */
    roster(&nbo, (uint32_t[]){ 3 }, 1, "later");
    days(&nbo, "Africa/Nairobi", 3, 9, "later");
    world_clear(&w);
    assert_int_equal(ask(&nbo, 0, 10), 0);
}

/* The hub was told of too few days, or did not come again: days of 24 hours follow the last midnight that is known, and come before the first. */
static void days_beyond_those_that_were_told_are_of_24_hours(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 1 }, 1, "away");
    days(&nbo, "Asia/Kathmandu", 6, 2, "away"); /* until 18:00 tomorrow, by our clock */
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    w.wall_us += 3 * DAY; /* 18:00 there, three days on */
    world_tick(&w);
    assert_int_equal(ask(&nbo, 0, 10), 1);
    world_clear(&w);
    pass(6 * HOUR - SECOND);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 0);
    pass(SECOND);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1); /* midnight there */
    w.wall_us -= 8 * DAY;                              /* before the first one */
    world_tick(&w);
    world_clear(&w);
    pass(DAY);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
}

static void a_station_limits_the_day_for_each_worker(void **state)
{
    const char *text;
    (void)state;
    days(&nbo, "Africa/Nairobi", 3, 9, NULL);
    line("{per_day: 2}", "");
    world_line(&w, "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    start_by: 30d\n");
    world_put(&w, world_run(&w, "l", "a"), 50);
    world_put(&w, world_run(&w, "l", "b"), 50);
    assert_int_equal(ask(&nbo, 0, 5), 2);
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 20);
    assert_string_equal(
        text, "station s: 2 tasks today, as many as a day may bring; the next day begins at 2026-11-26 21:00 UTC");
    assert_int_equal(ask(&nbo, 1, 5), 2); /* each his own */
    world_clear(&w);
    world_put(&w, world_run(&w, "other", "c"), 1);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1); /* elsewhere he may go on */
    world_put(&w, world_run(&w, "l", "d"), 5);         /* new work does not make the day longer */
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    world_clear(&w);
    pass(9 * HOUR);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 4);
}

static void what_is_handed_back_does_not_count(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 2 }, 1, NULL);
    line("{per_day: 2}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 9), 2);
    world_clear(&w);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_DECLINE, "", NULL), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1); /* another one in its place */
    world_clear(&w);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_FAIL, "no", NULL), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 0); /* that was work */
    pass(12 * HOUR);                                   /* the other is still in hand, of yesterday */
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 2);
    world_sign_off(&w, &nbo, 0); /* what he had not begun goes back, of today and of yesterday */
    assert_int_equal(world_count(&w, "a", "s", TASK_ASSIGNED), 0);
    nbo.granted[0] += 0;
    assert_int_equal(ask(&nbo, 0, 9), 2);
}

static void counts_survive_a_restart(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 3 }, 1, NULL);
    days(&nbo, "Africa/Nairobi", 3, 9, NULL);
    line("{per_day: 2}", "");
    world_line(&w, "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    start_by: 30d\n");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 9), 2);
    assert_int_equal(world_submit(&w, &nbo, &t[0], "x"), SLP_E_OK);
    assert_int_equal(world_submit(&w, &nbo, &t[1], "x"), SLP_E_OK);
    memset(t, 0, sizeof t);
    restart();
    roster(&nbo, (uint32_t[]){ 3 }, 1, NULL);
    assert_int_equal(ask(&nbo, 0, 9), 0);
    world_put(&w, world_run(&w, "other", "b"), 50);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1); /* the third of his day */
    world_clear(&w);
    pass(9 * HOUR); /* the days that were told are known, too: 21:00 UTC */
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 3);
}

static void limits_change_with_the_roster_and_the_line(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 2 }, 1, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 20), 2);
    world_clear(&w);
    roster(&nbo, (uint32_t[]){ 5 }, 1, NULL);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 3);
    world_clear(&w);
    line("{per_day: 4}", ""); /* counted from now on */
    roster(&nbo, (uint32_t[]){ 0 }, 1, NULL);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 4);
    world_clear(&w);
    line("{per_day: 6}", "");
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 2);
    world_clear(&w);
    line("{}", "");
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 9);
}

static void a_clock_that_is_set_neither_frees_nor_binds_for_long(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 2 }, 1, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 20), 2);
    w.wall_us += 10 * DAY;
    world_tick(&w);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 4);
    w.wall_us -= 10 * DAY; /* it was wrong: what was counted then is of another day */
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 6);
    pass(12 * HOUR);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 8);
}

static void midnights_must_ascend(void **state)
{
    (void)state;
    struct slp_buf at = { 0 }, item = { 0 };
    slp_pack_u64(&at, 5);
    slp_pack_u64(&at, 5);
    struct slp_item_zone_days z = { .zone = world_str("Asia/Tokyo"), .days = { at.p, (uint32_t)at.n, 2 } };
    slp_pack_item(&item, SLP_ITEM_zone_days, &z);
    struct slp_shifts q = { .session = nbo.session,
                            .digest = { "0123456789abcdef0123456789abcdef", 32 },
                            .last = true,
                            .zones = { item.p, (uint32_t)item.n, 1 } };
    SLP_SET(&q, shifts, zones);
    struct slp_msg *m = world_send(&w, nbo.peer, SLP_SHIFTS, &q);
    assert_int_equal(world_code(m), SLP_E_BAD_VALUE);
    assert_int_equal(m->u.error.place.n, 8);
    assert_memory_equal(m->u.error.place.p, "zones[0]", 8);
    slp_buf_free(&at);
    slp_buf_free(&item);
}

static void the_listing_tells_what_he_has_had(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 5 }, 1, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    assert_int_equal(ask(&nbo, 0, 2), 2);
    struct slp_workers_get q = { .name = world_str("nbo-0") };
    SLP_SET(&q, workers_get, name);
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_WORKERS_GET, &q);
    struct slp_cursor c = slp_each(m->u.workers.rows);
    struct slp_item_worker_row row;
    assert_true(slp_next_worker_row(&c, &row));
    assert_int_equal(row.per_day, 5);
    assert_int_equal(row.today, 2);
}

/* ---- why not: the author ---- */

static void two_stations(void)
{
    world_line(&w, "line: two\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n"
                   "    form: {fields: [{name: a, type: short_answer}]}\n  - name: b\n    worker: {not_who_did: [a]}\n"
                   "    form: {fields: [{name: a, type: short_answer}]}\n");
    world_put(&w, world_run(&w, "two", "r"), 2);
}

static void the_author_of_all_that_waits_is_told_so(void **state)
{
    const char *text;
    (void)state;
    two_stations();
    assert_int_equal(ask(&nbo, 0, 3), 2);
    assert_int_equal(world_submit(&w, &nbo, &t[0], "x"), SLP_E_OK);
    assert_int_equal(world_submit(&w, &nbo, &t[1], "x"), SLP_E_OK);
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 22);
    assert_string_equal(text, "station b: all that is ready builds upon this worker's own work");
    assert_int_equal(ask(&nbo, 1, 1), 1); /* for another it is there */
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_DECLINE, "", NULL), SLP_E_OK);
    assert_int_equal(staff_why(&w, &nbo, 1, &text), 5);
}

static void who_is_the_author_of_some_and_declined_the_rest_is_told_both(void **state)
{
    const char *text;
    (void)state;
    two_stations();
    assert_int_equal(ask(&nbo, 0, 1), 1);
    struct world_task his = t[0];
    assert_int_equal(ask(&nbo, 1, 1), 1);
    struct world_task hers = t[0];
    assert_int_equal(world_submit(&w, &nbo, &his, "x"), SLP_E_OK);
    assert_int_equal(world_submit(&w, &nbo, &hers, "x"), SLP_E_OK);
    assert_int_equal(ask(&nbo, 0, 1), 1); /* what she wrote */
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_DECLINE, "", NULL), SLP_E_OK);
    assert_int_equal(ask(&nbo, 0, 1), 0);
    assert_int_equal(staff_why(&w, &nbo, 0, &text), 7);
    assert_string_equal(
        text, "station b: all that is ready builds upon this worker's own work, or he has declined or answered it");
}

/* The first of Nairobi is given one, and does it. */
static void does_one(unsigned worker)
{
    assert_int_equal(ask(&nbo, worker, 1), 1);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_submit(&w, &nbo, &t[0], "x"), SLP_E_OK);
}

/* A roster that leaves him out for a moment, where it is another day than by his shift, is no new day. */
static void who_leaves_a_roster_and_comes_back_has_had_what_he_had(void **state)
{
    static const uint32_t one[] = { 1, 1 };
    (void)state;
    roster(&nbo, one, 2, "away");
    days(&nbo, "Asia/Kathmandu", 6, 9, "away");
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    w.wall_us += 11 * HOUR; /* 05:00 there, 23:00 by UTC */
    world_tick(&w);
    does_one(1);
    roster(&nbo, one, 1, "away");
    w.wall_us += 2 * HOUR; /* 07:00 there, another day by UTC */
    world_tick(&w);
    world_tick(&w);
    roster(&nbo, one, 2, "away");
    assert_int_equal(ask(&nbo, 1, 10), 0);
}

/* One a day, and he has done it. While his roster knows no limit he is given others and gives them back. Then it is one a day again. */
static void what_was_given_while_there_was_no_limit_does_not_come_off_what_counts(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 1 }, 1, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    does_one(0);
    assert_int_equal(ask(&nbo, 0, 1), 0);
    world_clear(&w);
    roster(&nbo, (uint32_t[]){ 0 }, 1, NULL);
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    roster(&nbo, (uint32_t[]){ 1 }, 1, NULL);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(ask(&nbo, 0, 1), 0); /* he has done one today */
}

static void nor_what_was_given_while_the_station_had_no_limit(void **state)
{
    (void)state;
    line("{per_day: 1}", "");
    uint64_t run = world_run(&w, "l", "a");
    world_put(&w, run, 50);
    does_one(0);
    assert_int_equal(ask(&nbo, 0, 1), 0);
    world_clear(&w);
    line("{}", "");
    assert_int_equal(world_tasks(&w, &nbo, t, 64), 1);
    line("{per_day: 1}", "");
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(ask(&nbo, 0, 1), 0);
}

/* The clock was two hours ahead when his first one was given, and is set right: what is given from then on and given back comes off as well. */
static void what_is_given_after_the_clock_was_set_back_comes_off_again(void **state)
{
    (void)state;
    roster(&nbo, (uint32_t[]){ 2 }, 1, NULL);
    line("{}", "");
    world_put(&w, world_run(&w, "l", "a"), 50);
    does_one(0);
    w.wall_us -= 2 * HOUR;
    world_tick(&w);
    world_tick(&w);
    assert_int_equal(ask(&nbo, 0, 1), 1);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_int_equal(ask(&nbo, 0, 1), 1); /* the second of two */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, end_world)
    const struct CMUnitTest tests[] = {
        TEST(no_more_are_in_hand_at_once_than_the_station_says),
        TEST(the_newest_version_says_what_holds_for_all),
        TEST(what_is_in_hand_is_known_after_a_restart),
        TEST(a_full_station_keeps_nobody_from_others),
        TEST(copies_count_each),
        TEST(the_station_tells_how_full_it_is),
        TEST(a_worker_gets_no_more_a_day_than_his_roster_says),
        TEST(the_day_is_one_of_his_own_zone),
        TEST(whose_shift_is_not_told_yet_has_the_day_of_his_hub),
        TEST(what_is_over_in_one_zone_does_not_come_back_in_another),
        TEST(who_leaves_a_roster_and_comes_back_has_had_what_he_had),
        TEST(who_has_nothing_of_today_by_his_roster_since_days_are_others_is_asked),
        TEST(who_has_nothing_of_today_by_the_line_since_days_are_others_is_asked),
        TEST(days_beyond_those_that_were_told_are_of_24_hours),
        TEST(a_station_limits_the_day_for_each_worker),
        TEST(what_is_handed_back_does_not_count),
        TEST(counts_survive_a_restart),
        TEST(limits_change_with_the_roster_and_the_line),
        TEST(a_clock_that_is_set_neither_frees_nor_binds_for_long),
        TEST(midnights_must_ascend),
        TEST(the_listing_tells_what_he_has_had),
        TEST(the_author_of_all_that_waits_is_told_so),
        TEST(who_is_the_author_of_some_and_declined_the_rest_is_told_both),
        TEST(what_was_given_while_there_was_no_limit_does_not_come_off_what_counts),
        TEST(nor_what_was_given_while_the_station_had_no_limit),
        TEST(what_is_given_after_the_clock_was_set_back_comes_off_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
