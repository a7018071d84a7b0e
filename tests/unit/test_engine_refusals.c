/* What the engine refuses, command by command: the code, the place, and that nothing has changed; and what lists leave out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

static const char *const two = "line: twin\ninput:\n  - {name: text, type: text}\nstations:\n"
                               "  - name: aa\n    form: {fields: [{name: x, type: short_answer}]}\n"
                               "  - name: bb\n    form: {fields: [{name: x, type: short_answer}]}\n";
static const char *const other = "line: else\ninput:\n  - {name: text, type: text}\nstations:\n"
                                 "  - name: aa\n    form: {fields: [{name: x, type: short_answer}]}\n";

static struct world w;
static struct world_hub h;
static uint8_t before[16];

static int open_two(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    world_open(&w);
    world_line(&w, two);
    world_line(&w, other);
    world_run(&w, "twin", "r");
    world_hub(&w, &h, "hub", 2, 0);
    world_clear(&w);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

/* What a refused step may write is the time, no more. */
static void counters(uint8_t hash[16])
{
    struct slp_msg *m = world_read(&w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ 0 });
    assert_int_equal(m->type, SLP_SNAPSHOT);
    uint64_t sum = m->u.snapshot.seq;
    for (uint32_t i = 0; i < m->u.snapshot.rows.bytes; i++)
        sum = sum * 31 + (uint8_t)m->u.snapshot.rows.p[i];
    memset(hash, 0, 16);
    memcpy(hash, &sum, sizeof sum);
}

static void refused_to(uint64_t peer, uint64_t type, const void *any, enum slp_code code, const char *place)
{
    uint8_t after[16];
    counters(before);
    struct slp_msg *m = world_send(&w, peer, type, any);
    assert_non_null(m);
    if (m->type != SLP_ERROR)
        fail_msg("it was taken, not refused with %s", slp_error_name(code));
    if (m->u.error.code != code)
        fail_msg("refused with %s, not %s", slp_error_name(m->u.error.code), slp_error_name(code));
    if (m->u.error.place.n != strlen(place) || memcmp(m->u.error.place.p, place, strlen(place)))
        fail_msg("refused at '%.*s', not '%s'", (int)m->u.error.place.n, m->u.error.place.p, place);
    assert_true(m->u.error.text.n > 0);
    counters(after);
    assert_memory_equal(before, after, sizeof after);
}

static void refused(uint64_t type, const void *any, enum slp_code code, const char *place)
{
    refused_to(WORLD_CLIENT, type, any, code, place);
}

/* ---- lines ---- */

static struct slp_bytes packed(const char *v, size_t n)
{
    return (struct slp_bytes){ v, (uint32_t)n };
}

static void a_definition_with_mistakes_is_refused_with_all_of_them(void **state)
{
    struct slp_buf b = { 0 };
    (void)state;
    slp_pack_map(&b, 2);
    slp_pack_cstr(&b, "line");
    slp_pack_u64(&b, 7);
    slp_pack_cstr(&b, "nothing");
    slp_pack_nil(&b);
    struct slp_line_apply q = { .definition = packed(b.p, b.n) };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    assert_int_equal(m->type, SLP_ERROR);
    assert_int_equal(m->u.error.code, SLP_E_BAD_LINE);
    assert_true(m->u.error.problems.count >= 2);
    slp_buf_free(&b);
}

/* More than fit half a frame are not told. */
static void of_very_many_mistakes_as_many_are_told_as_fit(void **state)
{
    struct slp_buf b = { 0 };
    (void)state;
    slp_pack_map(&b, 1);
    slp_pack_cstr(&b, "stations");
    slp_pack_array(&b, 5000);
    for (int i = 0; i < 5000; i++)
        slp_pack_u64(&b, 1);
    struct slp_line_apply q = { .definition = packed(b.p, b.n) };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    assert_int_equal(m->type, SLP_ERROR);
    assert_int_equal(m->u.error.code, SLP_E_BAD_LINE);
    assert_true(m->u.error.problems.count > 0 && m->u.error.problems.count <= SL_BATCH_ITEMS_MAX);
    slp_buf_free(&b);
}

static void a_dry_run_tells_the_version_and_makes_none(void **state)
{
    (void)state;
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINE_GET, &(struct slp_line_get){ .line = world_str("twin") });
    struct slp_buf same = { 0 };
    slp_buf_add(&same, m->u.line.definition.p, m->u.line.definition.n);
    struct slp_line_apply q = { .definition = packed(same.p, same.n), .dry_run = true };
    SLP_SET(&q, line_apply, dry_run);
    m = world_send(&w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    assert_int_equal(m->type, SLP_LINE_APPLIED);
    assert_int_equal(m->u.line_applied.version, 1);
    assert_false(m->u.line_applied.changed);
    char *at = memmem(same.p, same.n, "bb", 2); /* another station's name: another definition */
    memcpy(at, "cc", 2);
    m = world_send(&w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    assert_int_equal(m->u.line_applied.version, 2);
    assert_true(m->u.line_applied.changed);
    at = memmem(same.p, same.n, "twin", 4);
    memcpy(at, "newl", 4);
    m = world_send(&w, WORLD_CLIENT, SLP_LINE_APPLY, &q);
    assert_int_equal(m->u.line_applied.version, 1);
    refused(SLP_LINE_GET, &(struct slp_line_get){ .line = world_str("newl") }, SLP_E_NOT_FOUND, "line");
    slp_buf_free(&same);
}

static void a_line_or_version_that_is_not_there_is_named(void **state)
{
    (void)state;
    refused(SLP_LINE_GET, &(struct slp_line_get){ .line = world_str("none") }, SLP_E_NOT_FOUND, "line");
    refused(SLP_LINE_SET, &(struct slp_line_set){ .line = world_str("none") }, SLP_E_NOT_FOUND, "line");
    struct slp_line_get q = { .line = world_str("twin"), .version = 2 };
    SLP_SET(&q, line_get, version);
    refused(SLP_LINE_GET, &q, SLP_E_NOT_FOUND, "version");
    q.version = 1;
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_LINE_GET, &q)->u.line.version, 1);
}

static void a_line_with_open_runs_is_deleted_by_force_only(void **state)
{
    (void)state;
    struct slp_line_set q = { .line = world_str("twin"), .action = 2 };
    refused(SLP_LINE_SET, &q, SLP_E_IN_USE, "line");
    assert_int_equal(world_line_set(&w, "twin", 2, true), SLP_E_OK);
    refused(SLP_LINE_SET, &q, SLP_E_NOT_FOUND, "line");
    assert_int_equal(world_line_set(&w, "else", 2, false), SLP_E_OK); /* without runs */
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINES_GET, &(struct slp_lines_get){ 0 });
    assert_int_equal(m->u.lines.rows.count, 0);
    m = world_send(&w, WORLD_CLIENT, SLP_STATIONS_GET, &(struct slp_stations_get){ 0 });
    assert_int_equal(m->u.stations.rows.count, 0);
}

static void a_station_is_paused_by_its_own_name_only(void **state)
{
    (void)state;
    struct slp_station_set q = { .line = world_str("twin"), .station = world_str("cc") };
    refused(SLP_STATION_SET, &q, SLP_E_NOT_FOUND, "station");
    q.line = world_str("none");
    refused(SLP_STATION_SET, &q, SLP_E_NOT_FOUND, "line");
    assert_int_equal(world_station_set(&w, "twin", "bb", 0), SLP_E_OK);
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINE_GET, &(struct slp_line_get){ .line = world_str("twin") });
    struct slp_item_station_row row;
    struct slp_cursor c = slp_each(m->u.line.stations);
    assert_true(slp_next_station_row(&c, &row));
    assert_false(row.paused);
    assert_true(slp_next_station_row(&c, &row));
    assert_true(row.paused);
    q = (struct slp_station_set){ .line = world_str("twin"), .station = world_str("bb") };
    m = world_send(&w, WORLD_CLIENT, SLP_STATION_SET, &q); /* again: nothing changes */
    assert_int_equal(m->type, SLP_DONE);
    assert_int_equal(m->u.done.count, 0);
}

static void a_form_is_of_a_station_that_is_there(void **state)
{
    (void)state;
    refused(SLP_FORM_GET, &(struct slp_form_get){ .station_id = 0 }, SLP_E_NOT_FOUND, "station_id");
    refused(SLP_FORM_GET, &(struct slp_form_get){ .station_id = 4 }, SLP_E_NOT_FOUND, "station_id");
}

static void lists_of_lines_go_on_after_a_name(void **state)
{
    static const char *const names[] = { "else", "elser", "twin" };
    char yaml[300];
    (void)state;
    snprintf(yaml, sizeof yaml, "line: elser\n%s", strchr(other, '\n') + 1);
    world_line(&w, yaml);
    for (unsigned from = 0; from <= 3; from++) {
        struct slp_lines_get q = { 0 };
        if (from) {
            q.after = world_str(names[from - 1]);
            SLP_SET(&q, lines_get, after);
        }
        struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_LINES_GET, &q);
        struct slp_cursor c = slp_each(m->u.lines.rows);
        struct slp_item_line_row row;
        for (unsigned i = from; i < 3; i++) {
            assert_true(slp_next_line_row(&c, &row));
            assert_int_equal(row.name.n, strlen(names[i]));
            assert_memory_equal(row.name.p, names[i], row.name.n);
        }
        assert_false(slp_next_line_row(&c, &row));
        assert_false(m->u.lines.more);
    }
}

static void lists_of_one_line_leave_out_others_whose_names_are_as_long(void **state)
{
    (void)state;
    struct slp_stations_get q = { .line = world_str("else") };
    SLP_SET(&q, stations_get, line);
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_STATIONS_GET, &q)->u.stations.rows.count, 1);
    q.line = world_str("elsewhere");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_STATIONS_GET, &q)->u.stations.rows.count, 0);
    world_run(&w, "else", "o");
    struct slp_runs_get r = { .line = world_str("else") };
    SLP_SET(&r, runs_get, line);
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUNS_GET, &r)->u.runs.rows.count, 1);
    r.line = world_str("twin");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUNS_GET, &r)->u.runs.rows.count, 1);
    r.line = world_str("elsewhere");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUNS_GET, &r)->u.runs.rows.count, 0);
}

/* ---- runs ---- */

static void a_run_is_started_again_by_the_same_input_only(void **state)
{
    struct slp_run_start q = { .line = world_str("twin"),
                               .name = world_str("f"),
                               .fingerprint = { "0123456789abcdef", 16 } };
    (void)state;
    SLP_SET(&q, run_start, fingerprint);
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q);
    assert_false(m->u.run_started.existing);
    m = world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q);
    assert_true(m->u.run_started.existing);
    q.fingerprint.p = "0123456789abcdeX";
    refused(SLP_RUN_START, &q, SLP_E_KEY_REUSED, "name");
    q.fingerprint.n = 8;
    refused(SLP_RUN_START, &q, SLP_E_KEY_REUSED, "name");
    q.line = world_str("else");
    refused(SLP_RUN_START, &q, SLP_E_EXISTS, "name");
    q.line = world_str("none");
    refused(SLP_RUN_START, &q, SLP_E_NOT_FOUND, "line");
}

static void a_run_begins_at_a_version_that_is_there(void **state)
{
    struct slp_run_start q = { .line = world_str("twin"), .name = world_str("v"), .version = 2 };
    (void)state;
    SLP_SET(&q, run_start, version);
    refused(SLP_RUN_START, &q, SLP_E_NOT_FOUND, "version");
    q.version = 1;
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q)->u.run_started.version, 1);
}

static void a_quota_of_nothing_is_the_brokers_own(void **state)
{
    struct slp_run_start q = { .line = world_str("twin"), .name = world_str("q") };
    (void)state;
    SLP_SET(&q, run_start, quota_units);
    uint64_t run = world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q)->u.run_started.run_id;
    assert_int_not_equal(world_put(&w, run, 5), 0);
}

static void a_run_that_is_over_is_only_deleted(void **state)
{
    struct slp_run_set q = { .run = world_str("r"), .action = RUN_SET_DELETE };
    (void)state;
    refused(SLP_RUN_SET, &q, SLP_E_IN_USE, "run");
    q.action = RUN_SET_PRIORITY;
    refused(SLP_RUN_SET, &q, SLP_E_MISSING_FIELD, "priority");
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CANCEL, 0), SLP_E_OK); /* it is */
    for (unsigned action = RUN_SET_CLOSE; action <= RUN_SET_RESUME; action++) {
        q.action = action;
        refused(SLP_RUN_SET, &q, SLP_E_BAD_STATE, "run");
    }
    q.action = RUN_SET_DELETE;
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_RUN_SET, &q)), SLP_E_OK);
    refused(SLP_RUN_SET, &q, SLP_E_NOT_FOUND, "run");
    refused(SLP_RUN_GET, &(struct slp_run_get){ .run = world_str("r") }, SLP_E_NOT_FOUND, "run");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUNS_GET, &(struct slp_runs_get){ 0 })->u.runs.rows.count, 0);
    world_pass(&w, 1000000);
}

static void a_run_without_units_is_done_when_it_is_closed_and_may_be_closed_again(void **state)
{
    (void)state;
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    struct slp_run_set q = { .run = world_str("r"), .action = RUN_SET_CANCEL };
    refused(SLP_RUN_SET, &q, SLP_E_BAD_STATE, "run");
}

static void pausing_twice_changes_nothing_the_second_time(void **state)
{
    static const unsigned action[] = { RUN_SET_PAUSE, RUN_SET_PAUSE, RUN_SET_RESUME, RUN_SET_RESUME };
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct slp_run_set q = { .run = world_str("r"), .action = action[i] };
        assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_RUN_SET, &q)->u.done.count, i % 2 == 0);
    }
}

/* ---- hubs and workers ---- */

static struct slp_hello hello(void)
{
    return (struct slp_hello){ .hub = world_str("hub"),
                               .incarnation = 1,
                               .data_id = { (char *)h.id, 16 },
                               .zone = world_str("UTC"),
                               .roster_digest = { "0123456789abcdef0123456789abcdef", 32 },
                               .wall_us = w.wall_us };
}

static void a_hello_from_another_time_or_directory_is_refused(void **state)
{
    static const int64_t off[] = { 121000000, -121000000, INT64_MAX, INT64_MIN };
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct slp_hello q = hello();
        q.wall_us = i < 2 ? q.wall_us + off[i] : off[i];
        refused_to(7, SLP_HELLO, &q, SLP_E_CLOCK_OFF, "wall_us");
    }
    struct slp_hello q = hello();
    q.data_id.p = "another data dir";
    refused_to(7, SLP_HELLO, &q, SLP_E_OTHER_AGENT, "data_id");
    q.data_id.n = 8;
    refused_to(7, SLP_HELLO, &q, SLP_E_BAD_VALUE, "data_id");
    q = hello();
    q.roster_digest.n = 31;
    refused_to(7, SLP_HELLO, &q, SLP_E_BAD_VALUE, "roster_digest");
    q = hello();
    q.incarnation = 0;
    refused_to(7, SLP_HELLO, &q, SLP_E_TAKEN_OVER, "incarnation");
    q.incarnation = 1;
    q.data_id.p = "another data dir";
    q.takeover = true;
    SLP_SET(&q, hello, takeover);
    assert_int_equal(world_send(&w, 7, SLP_HELLO, &q)->type, SLP_WELCOME);
}

static void a_grace_of_nothing_or_beyond_all_time_is_the_brokers_own(void **state)
{
    static const uint64_t grace[] = { 0, UINT64_MAX, 60000000 };
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct slp_hello q = hello();
        q.grace_us = grace[i];
        SLP_SET(&q, hello, grace_us);
        assert_int_equal(world_send(&w, h.peer, SLP_HELLO, &q)->u.welcome.grace_us, i < 2 ? 30000000 : 60000000);
    }
}

static void without_a_session_nothing_is_taken(void **state)
{
    static const uint64_t session[] = { 0, 1, 5, UINT64_MAX };
    (void)state;
    for (int i = 0; i < 4; i++) {
        uint64_t s = session[i];
        refused_to(7, SLP_HEARTBEAT, &(struct slp_heartbeat){ .session = s }, SLP_E_NO_SESSION, "session");
        refused_to(7, SLP_BYE, &(struct slp_bye){ .session = s }, SLP_E_NO_SESSION, "session");
        refused_to(7, SLP_ROSTER_GET, &(struct slp_roster_get){ .session = s }, SLP_E_NO_SESSION, "session");
        refused_to(7, SLP_WHY_GET, &(struct slp_why_get){ .session = s }, SLP_E_NO_SESSION, "session");
        refused_to(7, SLP_ACTS, &(struct slp_acts){ .session = s }, SLP_E_NO_SESSION, "session");
        refused_to(7, SLP_SUBMIT, &(struct slp_submit){ .session = s }, SLP_E_NO_SESSION, "session");
        struct slp_roster r = { .session = s, .digest = { (char *)h.id, 16 } };
        refused_to(7, SLP_ROSTER, &r, SLP_E_NO_SESSION, "session");
        struct slp_shifts sh = { .session = s, .digest = { (char *)h.id, 16 } };
        refused_to(7, SLP_SHIFTS, &sh, SLP_E_NO_SESSION, "session");
        struct slp_credit c = { .session = s };
        refused_to(7, SLP_CREDIT, &c, SLP_E_NO_SESSION, "session");
    }
}

static void a_roster_has_a_digest(void **state)
{
    static const char none[32];
    struct slp_roster q = { .session = h.session, .digest = { none, 32 }, .last = true };
    (void)state;
    refused_to(h.peer, SLP_ROSTER, &q, SLP_E_BAD_VALUE, "digest");
    q.digest = (struct slp_bytes){ "0123456789abcdef", 16 };
    refused_to(h.peer, SLP_ROSTER, &q, SLP_E_BAD_VALUE, "digest");
}

static void workers_are_listed_by_hub_and_by_name(void **state)
{
    struct slp_workers_get q = { .hub = world_str("none") };
    (void)state;
    SLP_SET(&q, workers_get, hub);
    refused(SLP_WORKERS_GET, &q, SLP_E_NOT_FOUND, "hub");
    q.hub = world_str("hub");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows.count, 2);
    q.name = world_str("none");
    SLP_SET(&q, workers_get, name);
    refused(SLP_WORKERS_GET, &q, SLP_E_NOT_FOUND, "name");
    q.name = world_str("hub-1");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows.count, 1);
    static struct world_hub g;
    world_hub(&w, &g, "hubb", 1, 0);
    q.hub = world_str("hubb"); /* he is on another hub's roster */
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows.count, 0);
    struct slp_workers_get after = { .after = 2 };
    SLP_SET(&after, workers_get, after);
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_WORKERS_GET, &after)->u.workers.rows.count, 1);
    refused(SLP_WORKER_WHY_GET, &(struct slp_worker_why_get){ .name = world_str("none") }, SLP_E_NOT_FOUND, "name");
}

/* ---- shifts ---- */

static enum slp_code shift(const char *name, const uint64_t *v, unsigned n, uint32_t digest_n, bool last)
{
    struct slp_buf times = { 0 }, item = { 0 };
    for (unsigned i = 0; i < n; i++)
        slp_pack_u64(&times, v[i]);
    struct slp_item_shift_def d = { .name = world_str(name),
                                    .zone = world_str("UTC"),
                                    .text = world_str("as told"),
                                    .times = { times.p, (uint32_t)times.n, n } };
    slp_pack_item(&item, SLP_ITEM_shift_def, &d);
    struct slp_shifts q = { .session = h.session,
                            .digest = { "0123456789abcdef0123456789abcdef", digest_n },
                            .shifts = { item.p, (uint32_t)item.n, 1 },
                            .until_wall_us = w.wall_us + 86400000000,
                            .last = last };
    enum slp_code code = world_code(world_send(&w, h.peer, SLP_SHIFTS, &q));
    slp_buf_free(&times);
    slp_buf_free(&item);
    return code;
}

static void a_shift_has_a_name_and_times_in_pairs_that_ascend(void **state)
{
    uint64_t now = (uint64_t)w.wall_us, good[] = { now, now + 1000 }, back[] = { now, now - 1 },
             far[] = { now, UINT64_MAX };
    (void)state;
    assert_int_equal(shift("day", good, 2, 31, true), SLP_E_BAD_VALUE);
    assert_int_equal(shift("", good, 2, 32, true), SLP_E_BAD_VALUE);
    assert_int_equal(shift("day", good, 1, 32, true), SLP_E_BAD_VALUE);
    assert_int_equal(shift("day", back, 2, 32, true), SLP_E_BAD_VALUE);
    assert_int_equal(shift("day", far, 2, 32, true), SLP_E_BAD_VALUE);
    assert_int_equal(
        world_send(&w, WORLD_CLIENT, SLP_SHIFTS_GET, &(struct slp_shifts_get){ 0 })->u.shift_rows.rows.count, 0);
    assert_int_equal(shift("day", good, 2, 32, false), SLP_E_OK);
    assert_int_equal(shift("night", good, 0, 32, true), SLP_E_OK);
}

static void shifts_are_listed_by_hub(void **state)
{
    uint64_t now = (uint64_t)w.wall_us, times[] = { now, now + 1000 };
    static struct world_hub g;
    (void)state;
    assert_int_equal(shift("day", times, 2, 32, true), SLP_E_OK);
    world_hub(&w, &g, "hubb", 1, 0);
    struct slp_shifts_get q = { .hub = world_str("none") };
    SLP_SET(&q, shifts_get, hub);
    refused(SLP_SHIFTS_GET, &q, SLP_E_NOT_FOUND, "hub");
    q.hub = world_str("hubb");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_SHIFTS_GET, &q)->u.shift_rows.rows.count, 0);
    q.hub = world_str("hub");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_SHIFTS_GET, &q)->u.shift_rows.rows.count, 1);
}

/* ---- readers ---- */

static enum slp_code read_code(uint64_t type, const void *any)
{
    return world_code(world_read(&w, type, any));
}

static void reads_of_what_is_not_there_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_code(SLP_OUTPUT_GET, &(struct slp_output_get){ .run = world_str("none") }), SLP_E_NOT_FOUND);
    struct slp_output_get o = { .run = world_str("r"), .station = world_str("zz") };
    SLP_SET(&o, output_get, station);
    assert_int_equal(read_code(SLP_OUTPUT_GET, &o), SLP_E_NOT_FOUND);
    assert_int_equal(read_code(SLP_UNIT_GET, &(struct slp_unit_get){ .run = world_str("none"), .unit = 1 }),
                     SLP_E_NOT_FOUND);
    assert_int_equal(read_code(SLP_UNIT_GET, &(struct slp_unit_get){ .run = world_str("r"), .unit = 1 }),
                     SLP_E_NOT_FOUND);
    assert_int_equal(read_code(SLP_TASKS_GET, &(struct slp_tasks_get){ .station_id = 99 }), SLP_E_NOT_FOUND);
    struct slp_tasks_get t = { .station_id = 1, .run = world_str("none") };
    SLP_SET(&t, tasks_get, run);
    assert_int_equal(read_code(SLP_TASKS_GET, &t), SLP_E_NOT_FOUND);
}

static void a_stream_is_of_something_that_is_there(void **state)
{
    static const struct {
        const char *stream;
        enum slp_code code;
    } v[] = { { "all", SLP_E_OK },         { "run/r", SLP_E_OK },
              { "line/twin", SLP_E_OK },   { "hub/hub", SLP_E_OK },
              { "run/", SLP_E_NOT_FOUND }, { "run/none", SLP_E_NOT_FOUND },
              { "any", SLP_E_NOT_FOUND },  { "worker/hub-0", SLP_E_NOT_FOUND } };
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct slp_events_get q = { .since = 1, .stream = world_str(v[i].stream) };
        SLP_SET(&q, events_get, stream);
        assert_int_equal(read_code(SLP_EVENTS_GET, &q), v[i].code);
    }
    assert_int_equal(read_code(SLP_EVENTS_GET, &(struct slp_events_get){ .since = 1 << 20 }), SLP_E_GONE);
}

static void a_next_that_nobody_gave_is_refused_or_harmless(void **state)
{
    char odd[160];
    (void)state;
    world_put(&w, 1, 3);
    memset(odd, 0xff, sizeof odd);
    for (uint32_t n = 1; n <= 160; n++) {
        struct slp_check_get c = { .after = { odd, n } };
        SLP_SET(&c, check_get, after);
        assert_int_equal(read_code(SLP_CHECK_GET, &c), SLP_E_BAD_VALUE);
        c.recount = true;
        SLP_SET(&c, check_get, recount);
        enum slp_code code = read_code(SLP_CHECK_GET, &c);
        assert_true(code == SLP_E_BAD_VALUE || (n == 13 && code == SLP_E_OK));
        struct slp_snapshot_get s = { .after = { odd, n } };
        SLP_SET(&s, snapshot_get, after);
        if (n <= 64)
            assert_int_equal(read_code(SLP_SNAPSHOT_GET, &s), SLP_E_BAD_VALUE);
    }
}

/* A piece of a check or a snapshot is as small as is asked for; together they are what one large piece is. */
static void pieces_of_a_check_and_a_snapshot_make_the_whole(void **state)
{
    (void)state;
    world_put(&w, 1, 40);
    for (int recount = 0; recount < 2; recount++) {
        uint64_t whole = 0, pieces = 0, calls = 0;
        for (int small = 0; small < 2; small++) {
            struct slp_check_get q = { .limit = small, .recount = recount };
            uint8_t next[160];
            if (small)
                SLP_SET(&q, check_get, limit);
            SLP_SET(&q, check_get, recount);
            for (bool more = true; more; calls++) {
                struct slp_msg *m = world_read(&w, SLP_CHECK_GET, &q);
                assert_int_equal(m->type, SLP_CHECK);
                *(small ? &pieces : &whole) += m->u.check.records;
                more = SLP_IS(&m->u.check, check, next);
                if (more) {
                    memcpy(next, m->u.check.next.p, m->u.check.next.n);
                    q.after = (struct slp_bytes){ (char *)next, m->u.check.next.n };
                    SLP_SET(&q, check_get, after);
                }
            }
        }
        assert_int_equal(whole, pieces);
        assert_true(calls > pieces);
    }
    uint64_t whole = 0, pieces = 0;
    for (int small = 0; small < 2; small++) {
        struct slp_snapshot_get q = { .limit = 1 };
        uint8_t next[64];
        if (small)
            SLP_SET(&q, snapshot_get, limit);
        for (bool more = true; more;) {
            struct slp_msg *m = world_read(&w, SLP_SNAPSHOT_GET, &q);
            assert_int_equal(m->type, SLP_SNAPSHOT);
            *(small ? &pieces : &whole) += m->u.snapshot.rows.count;
            more = SLP_IS(&m->u.snapshot, snapshot, next);
            if (more) {
                memcpy(next, m->u.snapshot.next.p, m->u.snapshot.next.n);
                q.after = (struct slp_bytes){ (char *)next, m->u.snapshot.next.n };
                SLP_SET(&q, snapshot_get, after);
            }
        }
    }
    assert_int_equal(whole, pieces);
}

/* Units of a cancelled run are told as cancelled, though their records were not touched; and counted so. */
static void a_cancelled_run_is_told_and_counted_as_cancelled(void **state)
{
    (void)state;
    world_put(&w, 1, 3);
    world_credit(&w, &h, 0, 2);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    struct slp_msg *m = world_read(&w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ 0 });
    unsigned cancelled = 0;
    struct slp_bytes row;
    for (struct slp_cursor c = slp_each(m->u.snapshot.rows); slp_next_raw(&c, &row);)
        cancelled += world_number(world_at(row, "[3]")) == UNIT_CANCELLED && world_number(world_at(row, "[2]")) <= 3 &&
                     world_at(row, "[0]").n == 5;
    assert_int_equal(cancelled, 3);
    struct slp_check_get q = { .recount = true };
    SLP_SET(&q, check_get, recount);
    m = world_read(&w, SLP_CHECK_GET, &q);
    assert_int_equal(m->u.check.counts.count, 1);
    struct slp_cursor c = slp_each(m->u.check.counts);
    assert_true(slp_next_raw(&c, &row));
    assert_int_equal(world_number(world_at(row, "[5][2]")), 3); /* counted ... */
    assert_int_equal(world_number(world_at(row, "[6][3]")), 3); /* ... as it is kept */
    world_pass(&w, 1000000);
}

static void dead_tasks_of_a_run_are_asked_for_at_a_station_of_its_own_version(void **state)
{
    (void)state;
    world_run(&w, "else", "elsewhere");
    struct slp_tasks_set q = { .station_id = 1, .run = world_str("elsewhere") };
    SLP_SET(&q, tasks_set, run);
    refused(SLP_TASKS_SET, &q, SLP_E_NOT_FOUND, "run");
    q.run = world_str("nowhere");
    refused(SLP_TASKS_SET, &q, SLP_E_NOT_FOUND, "run");
    q.run = world_str("r");
    assert_int_equal(world_send(&w, WORLD_CLIENT, SLP_TASKS_SET, &q)->type, SLP_DONE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_two, end)
    const struct CMUnitTest tests[] = {
        TEST(a_definition_with_mistakes_is_refused_with_all_of_them),
        TEST(of_very_many_mistakes_as_many_are_told_as_fit),
        TEST(a_dry_run_tells_the_version_and_makes_none),
        TEST(a_line_or_version_that_is_not_there_is_named),
        TEST(a_line_with_open_runs_is_deleted_by_force_only),
        TEST(a_station_is_paused_by_its_own_name_only),
        TEST(a_form_is_of_a_station_that_is_there),
        TEST(lists_of_lines_go_on_after_a_name),
        TEST(lists_of_one_line_leave_out_others_whose_names_are_as_long),
        TEST(a_run_is_started_again_by_the_same_input_only),
        TEST(a_run_begins_at_a_version_that_is_there),
        TEST(a_quota_of_nothing_is_the_brokers_own),
        TEST(a_run_that_is_over_is_only_deleted),
        TEST(a_run_without_units_is_done_when_it_is_closed_and_may_be_closed_again),
        TEST(pausing_twice_changes_nothing_the_second_time),
        TEST(a_hello_from_another_time_or_directory_is_refused),
        TEST(a_grace_of_nothing_or_beyond_all_time_is_the_brokers_own),
        TEST(without_a_session_nothing_is_taken),
        TEST(a_roster_has_a_digest),
        TEST(workers_are_listed_by_hub_and_by_name),
        TEST(a_shift_has_a_name_and_times_in_pairs_that_ascend),
        TEST(shifts_are_listed_by_hub),
        TEST(reads_of_what_is_not_there_are_refused),
        TEST(a_stream_is_of_something_that_is_there),
        TEST(a_next_that_nobody_gave_is_refused_or_harmless),
        TEST(pieces_of_a_check_and_a_snapshot_make_the_whole),
        TEST(dead_tasks_of_a_run_are_asked_for_at_a_station_of_its_own_version),
        TEST(a_cancelled_run_is_told_and_counted_as_cancelled),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
