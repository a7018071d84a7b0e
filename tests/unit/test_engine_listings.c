/* The engine: what is too much for one frame. Listings of a large company lead from page to page, each thing once; figures name as many lines, stations and
 * hubs as they may, and put the others together; a forecast tells crews without number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define LINES 1000 /* of 4 stations, and a run each */
#define RUNS 2500
#define HUBS 2800
#define STAFF 2300 /* each by a shift of his own */
#define TOLD 64    /* of lines, stations and hubs, in figures */

static struct world w;
static struct world_hub big;
static uint32_t station;

/* As long as a name may be. */
static const char *name_of(const char *what, unsigned i)
{
    static char name[SL_NAME_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%s-%05u-%050d", what, i, 0);
    return name;
}

static void lines_and_runs(void)
{
    static char yaml[2000], title[201];
    memset(title, 't', sizeof title - 1);
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(yaml, sizeof yaml,
                 "line: %s\ntitle: %s\ninput:\n  - {name: text, type: text}\nstations:\n"
                 "  - {name: a, form: {fields: [{name: x, type: short_answer}]}}\n  - {name: b}\n  - {name: c}\n  - "
                 "{name: d}\n",
                 name_of("line", i), title);
        uint32_t s = world_line(&w, yaml);
        station = station ? station : s;
        world_clear(&w);
    }
    for (unsigned i = 0; i < RUNS; i++) {
        char line[SL_NAME_BYTES_MAX + 1];
        strcpy(line, name_of("line", i % LINES));
        world_run(&w, line, name_of("run", i));
        world_clear(&w);
    }
}

static void hubs_and_staff(void)
{
    struct slp_buf shifts = { 0 }, staff = { 0 };
    uint8_t digest[32] = { 7 };
    world_hub(&w, &big, "big", 0, 0);
    for (unsigned i = 0; i < STAFF; i++) {
        char name[SL_NAME_BYTES_MAX + 1], by[SL_NAME_BYTES_MAX + 1];
        strcpy(by, name_of("shift", i));
        struct slp_bytes shift = world_str(by);
        struct slp_item_shift_def d = { .name = shift,
                                        .zone = world_str("Africa/Nairobi"),
                                        .text = world_str("whenever it suits") };
        slp_pack_item(&shifts, SLP_ITEM_shift_def, &d);
        strcpy(name, name_of("worker", i));
        struct slp_item_worker_def p = { .name = world_str(name), .capacity = 1 + i % 9, .shift = shift };
        SLP_SET(&p, item_worker_def, shift);
        slp_pack_item(&staff, SLP_ITEM_worker_def, &p);
        if (i + 1 < STAFF && (i + 1) % 1000)
            continue;
        uint32_t n = i % 1000 + 1;
        struct slp_shifts q = { .session = big.session,
                                .digest = { (char *)digest, 32 },
                                .shifts = { shifts.p, (uint32_t)shifts.n, n },
                                .until_wall_us = w.wall_us + 86400000000ll,
                                .last = i + 1 == STAFF };
        assert_int_equal(world_code(world_send(&w, big.peer, SLP_SHIFTS, &q)), SLP_E_OK);
        struct slp_roster r = { .session = big.session,
                                .digest = { (char *)digest, 32 },
                                .workers = { staff.p, (uint32_t)staff.n, n },
                                .last = i + 1 == STAFF };
        assert_int_equal(world_code(world_send(&w, big.peer, SLP_ROSTER, &r)), SLP_E_OK);
        slp_buf_clear(&shifts);
        slp_buf_clear(&staff);
        world_clear(&w);
    }
    for (unsigned i = 1; i < HUBS; i++) {
        struct slp_hello h = { .hub = world_str(name_of("hub", i)),
                               .incarnation = 1,
                               .data_id = { "0123456789abcdef", 16 },
                               .zone = world_str("Africa/Nairobi"),
                               .roster_digest = { (char *)digest, 32 },
                               .wall_us = w.wall_us };
        assert_int_equal(world_code(world_send(&w, 1000 + i, SLP_HELLO, &h)), SLP_E_OK);
        world_clear(&w);
    }
    slp_buf_free(&shifts);
    slp_buf_free(&staff);
}

static int large_company(void **state)
{
    (void)state;
    world_open(&w);
    lines_and_runs();
    hubs_and_staff();
    return 0;
}

static int end_company(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* ---- listings ---- */

/* Follows the pages of a listing by number, whose rows are FIELD of the answer: each row's number is higher than the one before; how many there were. */
#define WALK(TYPE, query, ANSWER, answer, item, number)                                                                \
    for (bool more = true; more;) {                                                                                    \
        struct slp_##query q = { .after = last };                                                                      \
        SLP_SET(&q, query, after);                                                                                     \
        struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_##TYPE, &q);                                              \
        assert_int_equal(m->type, SLP_##ANSWER);                                                                       \
        struct slp_cursor c = slp_each(m->u.answer.rows);                                                              \
        pages++;                                                                                                       \
        for (struct slp_item_##item row; slp_next_##item(&c, &row); n++) {                                             \
            assert_true(row.number > last);                                                                            \
            last = row.number;                                                                                         \
        }                                                                                                              \
        more = m->u.answer.more;                                                                                       \
        assert_true(m->u.answer.rows.count > 0);                                                                       \
        world_clear(&w);                                                                                               \
    }

static void pages_of_each_listing_lead_to_all_there_is(void **state)
{
    uint64_t last = 0;
    unsigned n = 0, pages = 0;
    (void)state;
    WALK(RUNS_GET, runs_get, RUNS, runs, run_row, run_id)
    assert_int_equal(n, RUNS);
    assert_in_range(pages, 2, 10);
    n = pages = 0, last = 0;
    WALK(STATIONS_GET, stations_get, STATIONS, stations, station_row, station_id)
    assert_int_equal(n, 4 * LINES);
    assert_in_range(pages, 2, 10);
    n = pages = 0, last = 0;
    WALK(HUBS_GET, hubs_get, HUBS, hubs, hub_row, hub)
    assert_int_equal(n, HUBS);
    assert_in_range(pages, 2, 10);
    n = pages = 0, last = 0;
    WALK(WORKERS_GET, workers_get, WORKERS, workers, worker_row, worker)
    assert_int_equal(n, STAFF);
    assert_in_range(pages, 2, 10);
    n = pages = 0, last = 0;
    WALK(SHIFTS_GET, shifts_get, SHIFT_ROWS, shift_rows, shift_row, shift)
    assert_int_equal(n, STAFF);
    assert_in_range(pages, 2, 10);
}

static void lines_are_listed_by_name_from_page_to_page(void **state)
{
    char last[SL_NAME_BYTES_MAX + 1] = "";
    unsigned n = 0, pages = 0;
    (void)state;
    for (bool more = true; more; pages++) {
        struct slp_lines_get q = { .after = world_str(last) };
        if (*last)
            SLP_SET(&q, lines_get, after);
        struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINES_GET, &q);
        struct slp_cursor c = slp_each(m->u.lines.rows);
        for (struct slp_item_line_row row; slp_next_line_row(&c, &row); n++) {
            char name[SL_NAME_BYTES_MAX + 1];
            snprintf(name, sizeof name, "%.*s", (int)row.name.n, row.name.p);
            assert_true(strcmp(last, name) < 0);
            strcpy(last, name);
        }
        more = m->u.lines.more;
        world_clear(&w);
    }
    assert_int_equal(n, LINES);
    assert_in_range(pages, 2, 10);
}

/* An agent that starts again asks which numbers its workers have. */
static void an_agent_learns_all_numbers_of_its_roster(void **state)
{
    uint64_t last = 0;
    unsigned n = 0;
    (void)state;
    for (bool more = true; more;) {
        struct slp_roster_get q = { .session = big.session, .after = last };
        SLP_SET(&q, roster_get, after);
        struct slp_msg *m = world_send(&w, big.peer, SLP_ROSTER_GET, &q);
        assert_int_equal(m->type, SLP_ROSTER_IDS);
        assert_int_equal(m->u.roster_ids.names.count, m->u.roster_ids.workers.count);
        struct slp_cursor c = slp_each(m->u.roster_ids.workers);
        for (uint64_t id; slp_next_u64(&c, &id); n++) {
            assert_true(id > last);
            last = id;
        }
        more = m->u.roster_ids.more;
        world_clear(&w);
    }
    assert_int_equal(n, STAFF);
}

/* ---- figures ---- */

/* How many there are below this key, and the sum of one of their figures; other: the figure of what stands together. */
static unsigned labels(const char *key, const char *figure, uint64_t *sum, uint64_t *other)
{
    struct slp_stats_get q = { 0 };
    char name[SL_NAME_BYTES_MAX + 40];
    struct slp_bytes all = world_at(world_send(&w, WORLD_CLIENT, SLP_STATS_GET, &q)->u.stats.figures, key), v;
    struct slr r = slr_on(all.p, all.n);
    struct slr_value map, label;
    *sum = *other = 0;
    assert_int_equal(slr_next(&r, &map), 0);
    assert_int_equal(map.type, SLR_MAP);
    for (uint32_t i = 0; i < map.n; i++) {
        assert_int_equal(slr_next(&r, &label), 0);
        v.p = r.p;
        assert_int_equal(slr_skip(&r, SL_DEPTH_MAX), 0);
        v.n = (uint32_t)(r.p - v.p);
        uint64_t number = world_number(world_at(v, figure));
        assert_int_not_equal(number, UINT64_MAX);
        *sum += number;
        snprintf(name, sizeof name, "%.*s", (int)label.n, label.p);
        if (!strcmp(name, "(other)"))
            *other = number;
    }
    world_clear(&w);
    return map.n;
}

static void figures_name_so_many_and_put_the_others_together(void **state)
{
    uint64_t sum, other;
    (void)state;
    assert_int_equal(labels("by_line", "runs_open", &sum, &other), TOLD);
    assert_int_equal(sum, RUNS);
    assert_in_range(other, RUNS - TOLD * (RUNS / LINES + 1), RUNS - (TOLD - 1));
    assert_int_equal(labels("by_hub", "workers", &sum, &other), TOLD);
    assert_int_equal(sum, STAFF); /* the oldest hub is told by its name */
    assert_int_equal(other, 0);
    world_put(&w, 1, 5); /* at the oldest line: among the others */
    assert_int_equal(labels("by_station", "ready", &sum, &other), TOLD);
    assert_int_equal(sum, 5);
    assert_int_equal(other, 5);
    world_put(&w, LINES, 2); /* and at the newest */
    labels("by_station", "ready", &sum, &other);
    assert_int_equal(sum, 7);
    assert_int_equal(other, 5);
}

static void a_deleted_line_counts_among_the_others(void **state)
{
    uint64_t sum, other;
    char newest[SL_NAME_BYTES_MAX + 1];
    (void)state;
    strcpy(newest, name_of("line", LINES - 1));
    assert_int_equal(world_line_set(&w, newest, 2, true), SLP_E_OK);
    assert_int_equal(labels("by_line", "runs_open", &sum, &other), TOLD);
    assert_int_equal(labels("by_station", "ready", &sum, &other), TOLD);
    assert_int_equal(sum, other);
}

/* ---- a forecast ---- */

static void crews_of_shifts_without_number_are_told_in_pages(void **state)
{
    struct slp_buf b = { 0 };
    char next[16];
    uint64_t workers = 0, slots = 0;
    unsigned crews = 0, pages = 0;
    (void)state;
    slp_pack_u64(&b, station);
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 } };
    for (bool more = true; more; pages++) {
        struct slp_msg *m = world_read(&w, SLP_COVERAGE_GET, &q);
        assert_int_equal(m->type, SLP_COVERAGE);
        struct slp_cursor c = slp_each(m->u.coverage.crews);
        for (struct slp_item_coverage_crew crew; slp_next_coverage_crew(&c, &crew); crews++) {
            workers += crew.workers;
            slots += crew.slots;
        }
        if ((more = SLP_IS(&m->u.coverage, coverage, next))) {
            memcpy(next, m->u.coverage.next.p, m->u.coverage.next.n);
            q.after = (struct slp_bytes){ next, m->u.coverage.next.n };
            SLP_SET(&q, coverage_get, after);
        }
        world_clear(&w);
    }
    assert_int_equal(workers, STAFF);
    assert_int_equal(crews, STAFF); /* nobody shares a shift */
    uint64_t wanted = 0;
    for (unsigned i = 0; i < STAFF; i++)
        wanted += 1 + i % 9;
    assert_int_equal(slots, wanted);
    assert_in_range(pages, 4, 10); /* of stations, of hubs, and two or more of crews */
    slp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_each_listing_lead_to_all_there_is),
        cmocka_unit_test(lines_are_listed_by_name_from_page_to_page),
        cmocka_unit_test(an_agent_learns_all_numbers_of_its_roster),
        cmocka_unit_test(figures_name_so_many_and_put_the_others_together),
        cmocka_unit_test(a_deleted_line_counts_among_the_others),
        cmocka_unit_test(crews_of_shifts_without_number_are_told_in_pages),
    };
    return cmocka_run_group_tests_name("listings", tests, large_company, end_company);
}
