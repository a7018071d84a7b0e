/* The engine: what a forecast is made from. Usual arrivals by the hour of the week, who is there of those who should be, what tasks cost in answers, and the crews that a
 * reader makes of the roster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "broker/engine/arrivals.h"
#include "broker/engine/presence.h"
#include "tests/lib/engine_staff.h"

#define SECOND 1000000ll
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MONDAY_US (1795996800 * SECOND) /* 2026-11-30 00:00 UTC */
#define TEXT_BYTES 4000

static struct world w;
static struct world_hub ktm, nbo;

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    lease: 10m\n    start_by: 12h\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static int open_world(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    world_open(&w);
    w.wall_us = MONDAY_US;
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static struct slp_coverage *ask(const uint64_t *station, unsigned n, struct slp_bytes after)
{
    struct slp_buf b = { 0 };
    for (unsigned i = 0; i < n; i++)
        slp_pack_u64(&b, station[i]);
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, n }, .after = after };
    if (after.n)
        SLP_SET(&q, coverage_get, after);
    struct slp_msg *m = world_read(&w, SLP_COVERAGE_GET, &q);
    slp_buf_free(&b);
    assert_int_equal(m->type, SLP_COVERAGE);
    return &m->u.coverage;
}

/* The page of a phase (1 hubs, 2 workers): pages lead from one to the next. */
static struct slp_coverage *page(const uint64_t *station, unsigned n, unsigned wanted)
{
    struct slp_coverage *c = ask(station, n, (struct slp_bytes){ NULL, 0 });
    for (unsigned i = 0; i < wanted; i++) {
        assert_true(SLP_IS(c, coverage, next));
        c = ask(station, n, c->next);
    }
    return c;
}

struct usual {
    uint64_t weight, units, spread;
};
static struct usual usual_at(uint64_t station, unsigned hour)
{
    struct slp_coverage *c = page(&station, 1, 0);
    struct slp_cursor l = slp_each(c->lines);
    struct slp_item_coverage_line row;
    struct usual u = { 0 };
    assert_true(slp_next_coverage_line(&l, &row));
    if (!row.weights.count)
        return u;
    assert_int_equal(row.weights.count, WEEK_HOURS);
    struct slp_cursor a = slp_each(row.weights), b = slp_each(row.units_milli), s = slp_each(row.spread_milli);
    for (unsigned i = 0; i <= hour; i++)
        assert_true(slp_next_u64(&a, &u.weight) && slp_next_u64(&b, &u.units) && slp_next_u64(&s, &u.spread));
    return u;
}

static void units_are_counted_by_the_hour_of_the_week(void **state)
{
    (void)state;
    uint32_t s = world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r");
    assert_int_equal(usual_at(s, 0).weight, 0);
    w.wall_us += 9 * HOUR + 1800 * SECOND; /* Monday, half past nine */
    world_put(&w, run, 10);
    world_put(&w, run, 20);
    assert_int_equal(usual_at(s, 9).weight, 0); /* the hour is not over */
    world_pass(&w, HOUR);
    struct usual nine = usual_at(s, 9);
    assert_int_equal(nine.weight, 16);
    assert_int_equal(nine.units, 30000);
    assert_int_equal(nine.spread, 0);
    world_pass(&w, 6 * DAY + 22 * HOUR + 1800 * SECOND); /* to the next Monday, nine o'clock: nothing came meanwhile */
    assert_int_equal(usual_at(s, 10).weight, 16);
    assert_int_equal(usual_at(s, 10).units, 0);
    world_put(&w, run, 10);
    world_pass(&w, HOUR);
    nine = usual_at(s, 9); /* 10 weighs 16, 30 weighs 12 */
    assert_int_equal(nine.weight, 28);
    assert_int_equal(nine.units, (10 * 16 + 30 * 12) * 1000 / 28);
    assert_int_equal(nine.spread, 10000); /* the square root in whole units */
}

static void what_came_in_this_hour_outlives_restarts_and_deleted_runs(void **state)
{
    (void)state;
    uint32_t s = world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r");
    uint8_t went_on[16], reopened[16];
    world_put(&w, run, 5);
    world_put(&w, world_run(&w, "simple", "gone"), 7);
    assert_int_equal(world_run_set(&w, "gone", RUN_SET_DELETE, 0), SLP_E_OK);
    for (unsigned i = 0; i < 20; i++)
        world_tick(&w);
    world_restart(&w);
    world_put(&w, run, 1);
    world_restart(&w);
    world_pass(&w, HOUR);
    assert_int_equal(usual_at(s, 0).units, 13000);
    world_hash(&w, went_on);
    world_restart(&w);
    world_hash(&w, reopened);
    assert_memory_not_equal(went_on, reopened,
                            16); /* a start is an event; the next one tells that nothing else was lost */
    assert_int_equal(usual_at(s, 0).units, 13000);
}

static void a_clock_that_jumps_is_followed(void **state)
{
    (void)state;
    uint32_t s = world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r");
    world_put(&w, run, 5);
    w.wall_us -= 2 * HOUR;
    world_put(&w, run, 5); /* Sunday, 22:00: counted with what came */
    world_pass(&w, HOUR);
    assert_int_equal(usual_at(s, 166).units, 10000);
    w.wall_us += 20 * 365 * DAY;
    world_put(&w, run, 1);
    assert_in_range(usual_at(s, 166).units, 0, 100); /* so long ago that it hardly counts */
    assert_in_range(usual_at(s, 166).weight, 56, 64);
}

/* ---- presence ---- */

static void hours(unsigned n, struct world_hub *h)
{
    for (unsigned i = 0; i < n * 360; i++) {
        world_pass(&w, 10 * SECOND);
        world_beat(&w, h);
        world_clear(&w);
    }
}

static struct slp_item_coverage_hub hub_row(uint64_t station)
{
    struct slp_coverage *c = page(&station, 1, 1);
    struct slp_cursor h = slp_each(c->hubs);
    struct slp_item_coverage_hub row = { 0 };
    slp_next_coverage_hub(&h, &row);
    return row;
}

static void who_is_there_is_measured_against_who_should_be(void **state)
{
    (void)state;
    uint32_t s = world_line(&w, simple);
    world_hub(&w, &ktm, "kathmandu", 4, 0);
    world_roster_by(&w, &ktm, "day");
    int64_t day[] = { 7500, 21900, 7500 + 86400, 21900 + 86400 };
    world_shift(&w, &ktm, "day", day, 4, 0);
    assert_int_equal(hub_row(s).weight, 0);
    world_credit(&w, &ktm, 0, 1);
    world_credit(&w, &ktm, 1, 1);
    hours(2, &ktm);
    assert_int_equal(hub_row(s).weight, 0); /* signed in, but nobody is expected */
    hours(2, &ktm);
    assert_int_equal(hub_row(s).share, 5000); /* the day is not over, and says something */
    world_credit(&w, &ktm, 2, 1);
    world_credit(&w, &ktm, 3, 1);
    hours(4, &ktm);
    struct slp_item_coverage_hub row = hub_row(s);
    assert_in_range(row.share, 7400, 7600); /* half of it two, then four of four */
    assert_int_equal(row.anytime_weight, 0);
    world_sign_off(&w, &ktm, 0);
    hours(24, &ktm);
    row = hub_row(s);
    assert_int_equal(row.weight, 64); /* the first day is over and stands alone, the second is under way */
    hours(20, &ktm);
    row = hub_row(s);
    assert_int_equal(row.weight, 64 * 7 / 8 + 64); /* 7,500 at weight 56, 7,500 at 64 */
    assert_in_range(row.share, 7400, 7600);
    world_restart(&w);
    assert_int_equal(hub_row(s).share, row.share);
    world_pass(&w, 1800 * SECOND);
    assert_int_equal(hub_row(s).share, row.share);
}

static void those_without_a_shift_are_measured_apart_and_a_silent_hub_is_away(void **state)
{
    (void)state;
    uint32_t s = world_line(&w, simple);
    world_hub(&w, &nbo, "nairobi", 2, 0);
    world_credit(&w, &nbo, 0, 1);
    hours(1, &nbo);
    struct slp_item_coverage_hub row = hub_row(s);
    assert_int_equal(row.weight, 0);
    assert_int_equal(row.anytime_share, 5000);
    world_hub(&w, &ktm, "kathmandu", 1, 0);
    hours(1, &ktm); /* of nairobi no sign of life */
    assert_in_range(hub_row(s).anytime_share, 2400, 2800);
}

/* ---- results ---- */

static uint64_t results(uint32_t station)
{
    struct slp_stations_get q = { 0 };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_STATIONS_GET, &q);
    struct slp_cursor c = slp_each(m->u.stations.results);
    assert_int_equal(m->u.stations.results.count, m->u.stations.rows.count);
    for (uint64_t v, i = 1; slp_next_u64(&c, &v); i++)
        if (i == station)
            return v;
    return 0;
}

static void results_are_counted_late_ones_too_until_their_run_is_deleted(void **state)
{
    struct world_task t[8], again[8];
    (void)state;
    uint32_t s = world_line(&w, simple);
    world_put(&w, world_run(&w, "simple", "r"), 2);
    world_hub(&w, &nbo, "nairobi", 2, 0);
    world_clear(&w);
    world_credit(&w, &nbo, 0, 1);
    assert_int_equal(world_tasks(&w, &nbo, t, 8), 1);
    assert_int_equal(world_act(&w, &nbo, &t[0], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    world_clear(&w);
    world_credit(&w, &nbo, 1, 1);
    assert_int_equal(world_tasks(&w, &nbo, again, 8), 1);
    assert_int_equal(world_submit(&w, &nbo, &again[0], "a"), SLP_E_OK);
    assert_int_equal(results(s), 1);
    assert_int_equal(world_submit(&w, &nbo, &t[0], "b"), SLP_E_LATE);
    assert_int_equal(results(s), 2);
    world_restart(&w);
    assert_int_equal(results(s), 2);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    for (unsigned i = 0; i < 20; i++)
        world_tick(&w);
    assert_int_equal(results(s), 0);
}

/* ---- crews ---- */

static const char *const asks[] = { "{kind: any}",
                                    "{kind: robot}",
                                    "{kind: human, skills: {english: 2}}",
                                    "{skills: {english: 1}}",
                                    "{only_hubs: [kathmandu]}",
                                    "{not_hubs: [kathmandu]}",
                                    "{only_teams: [blue]}",
                                    "{not_teams: [blue], skills: {nepali: 1}}" };
#define ASKS (sizeof asks / sizeof *asks)
static const struct staff in_ktm[] = { { "asha", 0, "english", 2, NULL },
                                       { "bina", 0, "english", 1, "blue" },
                                       { "arm", 1, NULL, 0, NULL },
                                       { "chet", 0, "nepali", 3, "blue" } };
static const struct staff in_nbo[] = { { "juma", 0, "english", 3, "red" },
                                       { "kira", 0, "nepali", 1, NULL },
                                       { "belt", 1, "english", 1, "blue" } };

static uint64_t fits_of_crew(const struct slp_item_coverage_crew *c)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < c->fits.n; i++)
        bits |= (uint64_t)(uint8_t)c->fits.p[i] << 8 * i;
    return bits;
}

/* 0 suspend him at a station, 2 grant him a skill until then (0: without end). */
static void worker_set(const char *name, unsigned action, const char *line, const char *skill, unsigned level,
                       int64_t until_us)
{
    struct slp_worker_set q = { .name = world_str(name), .action = action };
    if (line) {
        q.line = world_str(line);
        q.station = world_str("s");
        SLP_SET(&q, worker_set, line);
        SLP_SET(&q, worker_set, station);
    }
    if (skill) {
        q.skill = world_str(skill);
        q.level = level;
        SLP_SET(&q, worker_set, skill);
        SLP_SET(&q, worker_set, level);
    }
    if (until_us) {
        q.until_wall_us = until_us;
        SLP_SET(&q, worker_set, until_wall_us);
    }
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
}

/* How many of the hub's crews' workers pass station i, and may be given its tasks by the engine. */
static void a_crew_passes_where_the_engine_gives_it_work(void **state)
{
    uint64_t station[ASKS], run[ASKS];
    (void)state;
    for (unsigned i = 0; i < ASKS; i++) {
        char text[400], name[16];
        snprintf(name, sizeof name, "l%u", i);
        snprintf(text, sizeof text,
                 "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: %s\n    form: "
                 "{fields: [{name: answer, type: short_answer}]}\n",
                 name, asks[i]);
        station[i] = world_line(&w, text);
        run[i] = world_run(&w, name, name);
    }
    staff_hub(&w, &ktm, "kathmandu", in_ktm, 4);
    staff_hub(&w, &nbo, "nairobi", in_nbo, 3);
    worker_set("chet", 2, NULL, "english", 2, 0);                /* more than he says */
    worker_set("kira", 2, NULL, "english", 3, w.wall_us + HOUR); /* but not for long */
    worker_set("asha", 0, "l3", NULL, 0, 0);                     /* not there */
    worker_set("juma", 0, "l2", NULL, 0, 0);
    world_pass(&w, HOUR + SECOND);
    world_hello(&w, &ktm, NULL, 0);
    world_hello(&w, &nbo, NULL, 0);
    struct slp_coverage *c = page(station, ASKS, 2);
    assert_false(SLP_IS(c, coverage, next));
    struct slp_cursor crews = slp_each(c->crews);
    unsigned told[2][ASKS] = { { 0 } }, given[2][ASKS] = { { 0 } }, workers = 0;
    for (struct slp_item_coverage_crew crew; slp_next_coverage_crew(&crews, &crew); workers += (unsigned)crew.workers) {
        assert_int_equal(crew.shift, 0);
        assert_int_equal(crew.slots, 10 * crew.workers);
        for (unsigned i = 0; i < ASKS; i++)
            told[crew.hub - 1][i] += fits_of_crew(&crew) >> i & 1 ? (unsigned)crew.workers : 0;
    }
    assert_int_equal(workers, 7);
    for (unsigned i = 0; i < ASKS; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%u", i);
        for (unsigned k = 0; k < 7; k++) {
            struct world_hub *h = k < 4 ? &ktm : &nbo;
            struct world_task t[8];
            world_put(&w, run[i], 1);
            world_clear(&w);
            world_credit(&w, h, k < 4 ? k : k - 4, 1);
            if (world_tasks(&w, h, t, 8)) {
                given[k < 4 ? 0 : 1][i]++;
                assert_int_equal(world_submit(&w, h, &t[0], "x"), SLP_E_OK);
            }
            world_sign_off(&w, h, k < 4 ? k : k - 4);
            char line[16];
            snprintf(line, sizeof line, "l%u", i);
            assert_int_equal(world_run_set(&w, name, RUN_SET_CANCEL, 0), SLP_E_OK);
            snprintf(name, sizeof name, "l%u-%u", i, k);
            run[i] = world_run(&w, line, name);
        }
    }
    for (unsigned i = 0; i < ASKS; i++)
        for (unsigned h = 0; h < 2; h++)
            if (told[h][i] != given[h][i])
                fail_msg("%s: hub %u has %u who pass, %u got work", asks[i], h + 1, told[h][i], given[h][i]);
}

static void workers_alike_are_one_crew_a_shift_and_leave_with_the_roster(void **state)
{
    (void)state;
    uint64_t s = world_line(&w, simple);
    world_hub(&w, &ktm, "kathmandu", 5, 0);
    world_hub(&w, &nbo, "nairobi", 3, 0);
    world_roster_by(&w, &ktm, "day");
    struct slp_coverage *c = page(&s, 1, 2);
    struct slp_cursor crews = slp_each(c->crews);
    struct slp_item_coverage_crew a, b;
    assert_int_equal(c->crews.count, 2);
    assert_true(slp_next_coverage_crew(&crews, &a) && slp_next_coverage_crew(&crews, &b));
    assert_int_equal(a.workers, 5);
    assert_int_equal(a.shift, 1);
    assert_int_equal(b.workers, 3);
    assert_int_equal(b.shift, 0);
    staff_roster(&w, &nbo, (struct staff[]){ { "juma", 0, NULL, 0, NULL } }, 1);
    c = page(&s, 1, 2);
    crews = slp_each(c->crews);
    assert_true(slp_next_coverage_crew(&crews, &a) && slp_next_coverage_crew(&crews, &b));
    assert_int_equal(b.workers, 1);
}

static void a_request_that_names_what_is_not_there_is_refused(void **state)
{
    uint64_t s = 77;
    struct slp_buf b = { 0 };
    (void)state;
    slp_pack_u64(&b, s);
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_code(world_read(&w, SLP_COVERAGE_GET, &q)), SLP_E_NOT_FOUND);
    slp_buf_clear(&b);
    slp_pack_u64(&b, world_line(&w, simple));
    q = (struct slp_coverage_get){ .stations = { b.p, (uint32_t)b.n, 1 },
                                   .after = { "\x09"
                                              "abcd",
                                              5 } };
    SLP_SET(&q, coverage_get, after);
    assert_int_equal(world_code(world_read(&w, SLP_COVERAGE_GET, &q)), SLP_E_BAD_VALUE);
    q.after = (struct slp_bytes){ "abc", 3 };
    assert_int_equal(world_code(world_read(&w, SLP_COVERAGE_GET, &q)), SLP_E_BAD_VALUE);
    slp_buf_free(&b);
}

static void a_station_tells_what_it_asks_and_what_it_comes_after(void **state)
{
    (void)state;
    uint64_t s[2] = {
        world_line(&w, "line: two\ninput:\n  - {name: text, type: text}\nstations:\n"
                       "  - name: judge\n    worker: {kind: human, skills: {english: 2}, not_hubs: [accra, lima]}\n"
                       "    copies: {min: 3, max: 5}\n    agree: {on: [answer], method: plurality, ties: more}\n    "
                       "form: {fields: "
                       "[{name: answer, type: radio, "
                       "options: [a, b]}]}\n"
                       "  - name: check\n    form: {fields: [{name: better, type: short_answer}]}\n"),
        0
    };
    s[1] = s[0] + 1;
    struct slp_coverage *c = page(s, 2, 0);
    struct slp_cursor rows = slp_each(c->stations);
    struct slp_item_coverage_station a, b;
    assert_true(slp_next_coverage_station(&rows, &a) && slp_next_coverage_station(&rows, &b));
    assert_memory_equal(a.needs.p, "human english:2; not hub accra, lima", a.needs.n);
    assert_int_equal(a.answers, 3);
    assert_int_equal(b.answers, 1);
    assert_int_equal(a.after.count, 0);
    uint64_t before = 0;
    struct slp_cursor after = slp_each(b.after);
    assert_true(slp_next_u64(&after, &before));
    assert_int_equal(before, s[0]);
    assert_int_equal(c->lines.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(units_are_counted_by_the_hour_of_the_week, open_world, end_world),
        cmocka_unit_test_setup_teardown(what_came_in_this_hour_outlives_restarts_and_deleted_runs, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_is_followed, open_world, end_world),
        cmocka_unit_test_setup_teardown(who_is_there_is_measured_against_who_should_be, open_world, end_world),
        cmocka_unit_test_setup_teardown(those_without_a_shift_are_measured_apart_and_a_silent_hub_is_away, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(results_are_counted_late_ones_too_until_their_run_is_deleted, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(a_crew_passes_where_the_engine_gives_it_work, open_world, end_world),
        cmocka_unit_test_setup_teardown(workers_alike_are_one_crew_a_shift_and_leave_with_the_roster, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(a_request_that_names_what_is_not_there_is_refused, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_station_tells_what_it_asks_and_what_it_comes_after, open_world, end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
