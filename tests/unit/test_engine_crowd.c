/* The engine: a large staff, nobody like another. Thousands whose results come in one frame, a forecast over hundreds of kinds of workers, stations that ask for
 * more than a line of text can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

static struct world w;
static struct world_hub hub[2];

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    lease: 1d\n    start_by: 12h\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static int open_world(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    memset(hub, 0, sizeof hub);
    world_open(&w);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

/* A roster of n, whom `describe` tells; they are asked for in frames of some hundreds. id: their numbers. */
static void roster(struct world_hub *h, unsigned n, void (*describe)(unsigned i, struct slp_item_worker_def *d),
                   uint64_t *id)
{
    static uint64_t digests = 1ull << 40;
    uint64_t digest[4] = { ++digests };
    struct slp_buf b = { 0 }, skills = { 0 };
    for (unsigned from = 0; from < n; from += 400) {
        unsigned count = n - from < 400 ? n - from : 400;
        slp_buf_clear(&b);
        for (unsigned i = from; i < from + count; i++) {
            char name[48], skill[48];
            snprintf(name, sizeof name, "%s-%u", h->name, i);
            snprintf(skill, sizeof skill, "skill-%u", i);
            struct slp_item_skill s = { .name = world_str(skill), .level = 1 + i % 3 };
            slp_buf_clear(&skills);
            slp_pack_item(&skills, SLP_ITEM_skill, &s);
            struct slp_item_worker_def d = { .name = world_str(name),
                                             .capacity = 1,
                                             .skills = { skills.p, (uint32_t)skills.n, 1 } };
            if (describe)
                describe(i, &d);
            slp_pack_item(&b, SLP_ITEM_worker_def, &d);
        }
        struct slp_roster q = { .session = h->session,
                                .digest = { (const char *)digest, 32 },
                                .workers = { b.p, (uint32_t)b.n, count },
                                .last = from + 400 >= n };
        struct slp_msg *m = world_send(&w, h->peer, SLP_ROSTER, &q);
        assert_int_equal(m->type, SLP_ROSTER_DONE);
        struct slp_cursor c = slp_each(m->u.roster_done.workers);
        for (unsigned i = from; i < from + count; i++)
            assert_true(slp_next_u64(&c, &id[i]));
    }
    memcpy(h->roster, digest, sizeof digest);
    slp_buf_free(&b);
    slp_buf_free(&skills);
}

/* ---- thousands who are measured at once ---- */

#define MANY 2100

static uint64_t worker[MANY];

/* How many of the worker's assignments ended, as his measures at the only station tell. */
static uint64_t ended_of(unsigned i)
{
    char name[48];
    snprintf(name, sizeof name, "hub-%u", i);
    struct slp_repute_get q = { .name = world_str(name) };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    assert_int_equal(m->type, SLP_REPUTE);
    return world_number(world_at(m->u.repute.story, "stations[0].measures.abandonment.of"));
}

static void the_results_of_thousands_in_one_frame_are_measured_each(void **state)
{
    static struct world_task t[MANY];
    struct slp_buf b = { 0 }, v = { 0 };
    (void)state;
    world_line(&w, simple);
    world_put(&w, world_run(&w, "simple", "r"), MANY);
    world_hub(&w, &hub[0], "hub", 0, 0);
    roster(&hub[0], MANY, NULL, worker);
    for (unsigned i = 0; i < MANY; i++) {
        struct slp_item_credit c = { .worker = worker[i], .total = 1 };
        slp_pack_item(&b, SLP_ITEM_credit, &c);
    }
    struct slp_credit credit = { .session = hub[0].session, .grants = { b.p, (uint32_t)b.n, MANY } };
    SLP_SET(&credit, credit, grants);
    world_clear(&w);
    world_send(&w, hub[0].peer, SLP_CREDIT, &credit);
    assert_int_equal(world_tasks(&w, &hub[0], t, MANY), MANY);
    slp_buf_clear(&b);
    slp_pack_cstr(&v, "yes");
    for (unsigned i = 0; i < MANY; i++) {
        struct slp_item_result it = { .assignment = t[i].assignment,
                                      .worker = t[i].worker,
                                      .values = { v.p, (uint32_t)v.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
    }
    struct slp_submit q = { .session = hub[0].session, .results = { b.p, (uint32_t)b.n, MANY } };
    assert_int_equal(world_send(&w, hub[0].peer, SLP_SUBMIT, &q)->u.outcomes.ok, MANY);
    slp_buf_free(&b);
    slp_buf_free(&v);
    for (unsigned i = 0; i < MANY; i += 300)
        assert_int_equal(ended_of(i), 1);
}

/* ---- hundreds of kinds of workers ---- */

#define KINDS 700
#define STATIONS 250
enum { HUMAN = 200, ROBOT, RED, NORTH }; /* stations that ask for this; the others ask for a skill, by its number */

static void of_every_kind(unsigned i, struct slp_item_worker_def *d)
{
    d->kind = i % 5 == 0;
    if (i % 3 == 0) {
        d->team = world_str(i % 2 ? "red" : "blue");
        SLP_SET(d, item_worker_def, team);
    }
}

static uint32_t line_of_many_wishes(void)
{
    char *yaml = malloc(STATIONS * 200 + 100);
    size_t n = (size_t)sprintf(yaml, "line: wishes\ninput:\n  - {name: text, type: text}\nstations:\n");
    for (unsigned i = 0; i < STATIONS / 2; i++) /* a line has 128 stations at most: there are two lines */
        n += (size_t)sprintf(yaml + n, "  - {name: s%u, after: [], worker: {skills: {skill-%u: 1}}}\n", i, i);
    uint32_t first = world_line(&w, yaml);
    n = (size_t)sprintf(yaml, "line: more\ninput:\n  - {name: text, type: text}\nstations:\n");
    for (unsigned i = STATIONS / 2; i < STATIONS; i++)
        n += (size_t)sprintf(yaml + n,
                             i == HUMAN   ? "  - {name: s%u, after: [], worker: {kind: human}}\n"
                             : i == ROBOT ? "  - {name: s%u, after: [], worker: {kind: robot}}\n"
                             : i == RED   ? "  - {name: s%u, after: [], worker: {only_teams: [red]}}\n"
                             : i == NORTH ? "  - {name: s%u, after: [], worker: {only_hubs: [north]}}\n"
                                          : "  - {name: s%u, after: [], worker: {skills: {skill-%u: 1}}}\n",
                             i, i);
    world_line(&w, yaml);
    free(yaml);
    return first;
}

/* Of all pages: how many workers pass each of the stations, and how many crews they are. */
static unsigned crews_of(uint32_t first, uint64_t *pass)
{
    struct slp_buf b = { 0 };
    unsigned crews = 0;
    char next[16];
    for (unsigned i = 0; i < STATIONS; i++)
        slp_pack_u64(&b, first + i);
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, STATIONS } };
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&w, SLP_COVERAGE_GET, &q);
        assert_int_equal(m->type, SLP_COVERAGE);
        struct slp_cursor c = slp_each(m->u.coverage.crews);
        for (struct slp_item_coverage_crew x; slp_next_coverage_crew(&c, &x); crews++)
            for (unsigned i = 0; i < STATIONS; i++)
                pass[i] += (uint8_t)x.fits.p[i / 8] >> (i % 8) & 1 ? x.workers : 0;
        more = SLP_IS(&m->u.coverage, coverage, next);
        if (more) {
            memcpy(next, m->u.coverage.next.p, m->u.coverage.next.n);
            q.after = (struct slp_bytes){ next, m->u.coverage.next.n };
            SLP_SET(&q, coverage_get, after);
        }
    }
    slp_buf_free(&b);
    return crews;
}

static void however_many_kinds_of_workers_there_are_each_passes_where_he_fits(void **state)
{
    static uint64_t pass[STATIONS], id[KINDS];
    (void)state;
    memset(pass, 0, sizeof pass);
    uint32_t first = line_of_many_wishes();
    world_hub(&w, &hub[0], "north", 0, 0);
    roster(&hub[0], KINDS, of_every_kind, id);
    world_hub(&w, &hub[1], "south", 0, 0);
    roster(&hub[1], KINDS, of_every_kind, id);
    assert_in_range(crews_of(first, pass), 2 * (STATIONS - 4), 2 * KINDS);
    for (unsigned i = 0; i < STATIONS; i++) {
        uint64_t want = i == HUMAN   ? 2 * (KINDS - KINDS / 5)
                        : i == ROBOT ? 2 * (KINDS / 5)
                        : i == RED   ? 2 * 117 /* 3, 9, 15 .. 699 */
                        : i == NORTH ? KINDS
                                     : 2;
        if (pass[i] != want)
            fail_msg("%llu workers pass station %u, not %llu", (unsigned long long)pass[i], i,
                     (unsigned long long)want);
    }
}

/* ---- what a station asks for, in words ---- */

static struct slp_bytes needs_of(uint32_t station)
{
    struct slp_buf b = { 0 };
    slp_pack_u64(&b, station);
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_read(&w, SLP_COVERAGE_GET, &q);
    slp_buf_free(&b);
    assert_int_equal(m->type, SLP_COVERAGE);
    struct slp_cursor c = slp_each(m->u.coverage.stations);
    struct slp_item_coverage_station row;
    assert_true(slp_next_coverage_station(&c, &row));
    return row.needs;
}

/* "skills: {LONG-NAME-0: 1, ...}", or a list of such names. */
static uint32_t line_asking(const char *what, const char *open, const char *item, const char *close)
{
    char yaml[4000];
    size_t n =
        (size_t)snprintf(yaml, sizeof yaml,
                         "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: {%s: %s",
                         what, what, open);
    for (unsigned i = 0; i < 20; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, item, i ? ", " : "", i, 0);
    snprintf(yaml + n, sizeof yaml - n, "%s}\n", close);
    return world_line(&w, yaml);
}

static void what_a_station_asks_for_is_told_as_far_as_there_is_room(void **state)
{
    char text[100];
    (void)state;
    struct slp_bytes skills = needs_of(line_asking("skills", "{", "%sskill-%02u-%040d: 1", "}"));
    snprintf(text, sizeof text, "anybody skill-00-%040d:1 skill-01-", 0);
    assert_in_range(skills.n, 500, SL_TEXT_BYTES_MAX);
    assert_memory_equal(skills.p, text, strlen(text));
    struct slp_bytes hubs = needs_of(line_asking("only_hubs", "[", "%shub-%02u-%040d", "]"));
    snprintf(text, sizeof text, "anybody; hub hub-00-%040d, hub-01-", 0);
    assert_in_range(hubs.n, 500, SL_TEXT_BYTES_MAX);
    assert_memory_equal(hubs.p, text, strlen(text));
}

static void stations_without_a_number_are_not_there(void **state)
{
    static const uint64_t none[] = { 0, (1ull << 32) + 1, UINT64_MAX };
    (void)state;
    world_line(&w, simple);
    for (unsigned i = 0; i < 3; i++) {
        struct slp_buf b = { 0 };
        slp_pack_u64(&b, none[i]);
        struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_code(world_read(&w, SLP_COVERAGE_GET, &q)), SLP_E_NOT_FOUND);
        slp_buf_free(&b);
        struct slp_tasks_set set = { .station_id = none[i] };
        assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_TASKS_SET, &set)), SLP_E_NOT_FOUND);
        struct slp_tasks_get get = { .station_id = none[i] };
        assert_int_equal(world_code(world_read(&w, SLP_TASKS_GET, &get)), SLP_E_NOT_FOUND);
    }
}

/* ---- what does not fit into one page or one tick ---- */

static void stations_that_a_page_has_no_room_for_come_with_the_next(void **state)
{
    enum { LINES = 200 };
    static bool seen[LINES + 1];
    struct slp_buf b = { 0 };
    char yaml[2500], next[16];
    unsigned pages = 0, lines = 0;
    (void)state;
    for (unsigned i = 0; i < LINES; i++) {
        size_t n = (size_t)snprintf(
            yaml, sizeof yaml,
            "line: l%u\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    worker: {skills: {", i);
        for (unsigned k = 0; k < 10; k++)
            n += (size_t)snprintf(yaml + n, sizeof yaml - n, "%sskill-%02u-%040d: 1", k ? ", " : "", k, 0);
        snprintf(yaml + n, sizeof yaml - n, "}}\n");
        slp_pack_u64(&b, world_line(&w, yaml));
        char name[16];
        snprintf(name, sizeof name, "l%u", i);
        world_put(&w, world_run(&w, name, name), 1);
        world_clear(&w);
    }
    world_pass(&w, 3600ll * 1000000 + 1); /* then it is known what usually comes in at this hour */
    struct slp_coverage_get q = { .stations = { b.p, (uint32_t)b.n, LINES } };
    for (bool more = true; more; pages++) {
        struct slp_msg *m = world_read(&w, SLP_COVERAGE_GET, &q);
        struct slp_cursor c = slp_each(m->u.coverage.stations);
        for (struct slp_item_coverage_station x; slp_next_coverage_station(&c, &x);) {
            assert_false(seen[x.station_id]);
            seen[x.station_id] = true;
        }
        lines += m->u.coverage.lines.count;
        more = SLP_IS(&m->u.coverage, coverage, next) && m->u.coverage.next.p[0] == 0; /* of stations yet */
        if (more) {
            memcpy(next, m->u.coverage.next.p, m->u.coverage.next.n);
            q.after = (struct slp_bytes){ next, m->u.coverage.next.n };
            SLP_SET(&q, coverage_get, after);
        }
    }
    slp_buf_free(&b);
    assert_in_range(pages, 2, 4);
    assert_int_equal(lines, LINES);
    for (unsigned i = 1; i <= LINES; i++)
        assert_true(seen[i]);
}

static void by_shift(unsigned i, struct slp_item_worker_def *d)
{
    (void)i;
    d->shift = world_str("day");
    SLP_SET(d, item_worker_def, shift);
}

static void a_shift_of_thousands_begins_and_ends_for_all_of_them_in_portions(void **state)
{
    enum { SHIFT = 4300 };
    static uint64_t id[SHIFT];
    static const int64_t hours[] = { 60, 600 };
    struct slp_buf b = { 0 };
    struct world_task t[8];
    (void)state;
    world_line(&w, "line: quick\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    lease: 1m\n    "
                   "form: {fields: [{name: answer, type: short_answer}]}\n");
    world_put(&w, world_run(&w, "quick", "r"), 3);
    world_hub(&w, &hub[0], "hub", 0, 0);
    world_shift(&w, &hub[0], "day", hours, 2, 0);
    roster(&hub[0], SHIFT, by_shift, id);
    for (unsigned i = 0; i < 3; i++) { /* the first, one in the middle, the last */
        struct slp_item_credit c = { .worker = id[i * (SHIFT - 1) / 2], .total = 1 };
        slp_pack_item(&b, SLP_ITEM_credit, &c);
    }
    struct slp_credit credit = { .session = hub[0].session, .grants = { b.p, (uint32_t)b.n, 3 } };
    SLP_SET(&credit, credit, grants);
    world_clear(&w);
    world_send(&w, hub[0].peer, SLP_CREDIT, &credit);
    slp_buf_free(&b);
    assert_int_equal(world_tasks(&w, &hub[0], t, 8), 0);
    for (unsigned i = 0; i < 7; i++) {
        world_beat(&w, &hub[0]);
        world_pass(&w, 10000000);
    }
    assert_int_equal(world_tasks(&w, &hub[0], t, 8), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_act(&w, &hub[0], &t[i], ACT_RELEASE, "", NULL), SLP_E_OK);
    world_clear(&w);
    for (unsigned i = 0; i < 60; i++) {
        world_beat(&w, &hub[0]);
        world_pass(&w, 10000000);
    }
    assert_int_equal(world_count(&w, "r", "judge", TASK_READY), 3); /* whoever had one again has given it back */
}

static void thousands_who_leave_together_are_told_each(void **state)
{
    unsigned left = 0;
    (void)state;
    world_hub(&w, &hub[0], "hub", 0, 0);
    roster(&hub[0], MANY, NULL, worker);
    roster(&hub[0], 10, NULL, worker);
    struct slp_events_get q = { .since = 1 };
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event ev; slp_next_event(&c, &ev);)
            for (unsigned i = 0; ev.type == 23; i++, left++) { /* ROSTER_WORKERS */
                char path[16];
                snprintf(path, sizeof path, "left[%u]", i);
                if (world_number(world_at(ev.data, path)) == UINT64_MAX)
                    break;
            }
        q.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    assert_int_equal(left, MANY - 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_results_of_thousands_in_one_frame_are_measured_each, open_world, end_world),
        cmocka_unit_test_setup_teardown(however_many_kinds_of_workers_there_are_each_passes_where_he_fits, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(what_a_station_asks_for_is_told_as_far_as_there_is_room, open_world, end_world),
        cmocka_unit_test_setup_teardown(stations_without_a_number_are_not_there, open_world, end_world),
        cmocka_unit_test_setup_teardown(stations_that_a_page_has_no_room_for_come_with_the_next, open_world, end_world),
        cmocka_unit_test_setup_teardown(a_shift_of_thousands_begins_and_ends_for_all_of_them_in_portions, open_world,
                                        end_world),
        cmocka_unit_test_setup_teardown(thousands_who_leave_together_are_told_each, open_world, end_world),
    };
    return cmocka_run_group_tests_name("a large staff", tests, NULL, NULL);
}
