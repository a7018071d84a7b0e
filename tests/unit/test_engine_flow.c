/* The engine: how units go through a line's graph. Chains, branches, joins, conditions, stations passed by, and what each station is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define HEAD(name)                                                                                                     \
    "line: " name "\ninput:\n  - {name: text, type: text, required: true}\n  - {name: lang, type: text}\nstations:\n"
#define ASKS "    form: {fields: [{name: answer, type: short_answer}]}\n"


static void open_scene(struct world_scene *s, const char *yaml)
{
    world_scene(s, yaml, 1, 1);
    world_credit(&s->w, &s->h, 0, 1000);
    world_clear(&s->w);
}

/* One unit; lang NULL: nil. */
static void put(struct world_scene *s, const char *text, const char *lang)
{
    struct slp_buf b = { 0 };
    slp_pack_array(&b, 2);
    slp_pack_cstr(&b, text);
    if (lang)
        slp_pack_cstr(&b, lang);
    else
        slp_pack_nil(&b);
    struct slp_put q = { .run_id = s->run, .rows = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_send(&s->w, WORLD_CLIENT, SLP_PUT, &q);
    assert_int_equal(m->type, SLP_PUT_DONE);
    assert_int_equal(m->u.put_done.accepted, 1);
    slp_buf_free(&b);
}

/* The newest assignment at a station (index); none: 0. */
static struct world_task at(struct world_scene *s, unsigned station)
{
    struct world_task t[200], found = { 0 };
    size_t n = world_tasks(&s->w, &s->h, t, 200);
    for (size_t i = 0; i < n; i++)
        if (t[i].station_id == s->station + station)
            found = t[i];
    return found;
}

static void answer(struct world_scene *s, unsigned station, const char *text)
{
    struct world_task t = at(s, station);
    assert_int_not_equal(t.assignment, 0);
    assert_int_equal(world_submit(&s->w, &s->h, &t, text), SLP_E_OK);
}

static uint64_t state(struct world_scene *s, uint64_t unit, unsigned station)
{
    char path[32];
    snprintf(path, sizeof path, "stations[%u].state", station);
    return world_story(&s->w, "r", unit, path);
}

static void expect(struct world_scene *s, uint64_t unit, const int *want, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if ((int)state(s, unit, i) != want[i])
            print_error("station %u\n", i);
        assert_int_equal(state(s, unit, i), want[i]);
    }
}
#define EXPECT(s, unit, ...) expect(s, unit, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))
enum { BLOCKED = TASK_BLOCKED, READY = TASK_READY, ASSIGNED = TASK_ASSIGNED, DONE = TASK_DONE, SKIPPED = TASK_SKIPPED };

static void a_chain_goes_one_station_after_the_other(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("chain") "  - name: a\n" ASKS "  - name: b\n" ASKS "  - name: c\n" ASKS);
    put(&s, "x", NULL);
    EXPECT(&s, 1, ASSIGNED, BLOCKED, BLOCKED);
    answer(&s, 0, "1");
    EXPECT(&s, 1, DONE, ASSIGNED, BLOCKED);
    answer(&s, 1, "2");
    EXPECT(&s, 1, DONE, DONE, ASSIGNED);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_OPEN);
    answer(&s, 2, "3");
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_end(&s.w);
}

static void branches_run_side_by_side_and_a_join_waits_for_all(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("diamond") "  - name: a\n" ASKS "  - name: b\n    after: [a]\n" ASKS
                                   "  - name: c\n    after: [a]\n" ASKS "  - name: d\n    after: [a]\n" ASKS
                                   "  - name: join\n    after: [b, c, d]\n" ASKS);
    put(&s, "x", NULL);
    answer(&s, 0, "1");
    EXPECT(&s, 1, DONE, ASSIGNED, ASSIGNED, ASSIGNED, BLOCKED);
    answer(&s, 3, "d");
    answer(&s, 1, "b");
    EXPECT(&s, 1, DONE, DONE, ASSIGNED, DONE, BLOCKED);
    world_restart(&s.w); /* half-way */
    struct world_task c = at(&s, 2);
    world_hello(&s.w, &s.h, &c.assignment, 1);
    world_credit(&s.w, &s.h, 0, 10);
    answer(&s, 2, "c");
    EXPECT(&s, 1, DONE, DONE, DONE, DONE, ASSIGNED);
    answer(&s, 4, "j");
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_end(&s.w);
}

static void a_station_may_follow_one_that_stands_later_in_the_file(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s,
               HEAD("turned") "  - name: second\n    after: [first]\n" ASKS "  - name: first\n    after: []\n" ASKS);
    put(&s, "x", NULL);
    EXPECT(&s, 1, BLOCKED, ASSIGNED);
    answer(&s, 1, "1");
    EXPECT(&s, 1, ASSIGNED, DONE);
    answer(&s, 0, "2");
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_end(&s.w);
}

static void a_condition_sends_units_on_or_past(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("routes") "  - name: sort\n" ASKS "  - name: hard\n    when: sort.answer == \"hard\"\n" ASKS
                                  "  - name: other\n    after: [sort]\n    when: not (sort.answer == \"hard\")\n" ASKS
                                  "  - name: end\n    after: [hard, other]\n" ASKS);
    static const char *const say[] = {
        "hard", "easy", ""
    }; /* "" counts as not given: a comparison with null is false, `not` of it true */
    for (uint64_t u = 1; u <= 3; u++) {
        put(&s, "x", NULL);
        answer(&s, 0, say[u - 1]);
        if (u == 1)
            EXPECT(&s, u, DONE, ASSIGNED, SKIPPED, BLOCKED);
        else
            EXPECT(&s, u, DONE, SKIPPED, ASSIGNED, BLOCKED);
        answer(&s, u == 1 ? 1 : 2, "y");
        answer(&s, 3, "z");
        assert_int_equal(world_story(&s.w, "r", u, "state"), UNIT_DONE);
    }
    world_end(&s.w);
}

static void a_condition_at_the_entry_looks_at_the_input_and_a_nil_there_is_null(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("entry") "  - name: nepali\n    when: lang == \"ne\"\n" ASKS
                                 "  - name: swahili\n    after: []\n    when: lang == \"sw\"\n" ASKS);
    put(&s, "x", "ne");
    put(&s, "x", "sw");
    put(&s, "x", NULL);
    EXPECT(&s, 1, ASSIGNED, SKIPPED);
    EXPECT(&s, 2, SKIPPED, ASSIGNED);
    EXPECT(&s, 3, SKIPPED, SKIPPED);
    assert_int_equal(world_story(&s.w, "r", 3, "state"), UNIT_DONE); /* it passed the whole line without a stop */
    assert_int_equal(world_story(&s.w, "r", 2, "state"), UNIT_OPEN);
    world_end(&s.w);
}

static void a_run_of_units_that_stop_nowhere_is_done_when_it_is_closed(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("past") "  - name: a\n    when: lang == \"ne\"\n" ASKS);
    put(&s, "x", NULL);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    struct slp_cursor c = slp_each(world_run_get(&s.w, "r")->u.run_info.run);
    struct slp_item_run_row row;
    slp_next_run_row(&c, &row);
    assert_int_equal(row.state, RUN_DONE);
    assert_int_equal(row.done, 1);
    world_end(&s.w);
}

static void what_only_leads_through_skipped_stations_is_decided_by_its_own_condition(void **state_)
{
    struct world_scene s;
    (void)state_;
    /* b is passed by; c compares with b's null and is passed by, too; d has no condition: its turn comes, with nil from both. */
    open_scene(&s, HEAD("dead-branch") "  - name: a\n" ASKS "  - name: b\n    when: a.answer == \"b\"\n" ASKS
                                       "  - name: c\n    when: b.answer == \"c\"\n" ASKS "  - name: d\n" ASKS);
    put(&s, "x", NULL);
    answer(&s, 0, "not b");
    EXPECT(&s, 1, DONE, SKIPPED, SKIPPED, ASSIGNED);
    struct world_task t = at(&s, 3);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 2), "not b"); /* text, lang, a, b, c */
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 3), "-");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 4), "-");
    answer(&s, 3, "z");
    world_end(&s.w);
}

static void a_station_is_shown_what_it_asks_for_in_its_order(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("shows") "  - name: a\n" ASKS "  - name: b\n    shows: [a.answer, text]\n" ASKS
                                 "  - name: c\n" ASKS);
    put(&s, "the text", "en");
    assert_string_equal(world_shown(&s.w, &s.h, at(&s, 0).assignment, 0), "the text"); /* an entry: all of the input */
    assert_string_equal(world_shown(&s.w, &s.h, at(&s, 0).assignment, 1), "en");
    answer(&s, 0, "from a");
    assert_string_equal(world_shown(&s.w, &s.h, at(&s, 1).assignment, 0), "from a");
    assert_string_equal(world_shown(&s.w, &s.h, at(&s, 1).assignment, 1), "the text");
    assert_string_equal(world_shown(&s.w, &s.h, at(&s, 1).assignment, 2), "");
    struct slp_form_get q = { .station_id = s.station + 1 };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_FORM_GET, &q);
    assert_int_equal(m->type, SLP_FORM);
    struct slp_cursor c = slp_each(m->u.form.shows);
    struct slp_bytes name;
    assert_true(slp_next_str(&c, &name));
    assert_memory_equal(name.p, "a.answer", 8);
    world_end(&s.w);
}

/* Values of more than a segment are copied out of their pieces; the unit's must not be lost over those of the results. */
static void large_values_are_shown_in_any_order(void **state_)
{
    static const char *const from[] = { "a", "b", "c", "d" };
    struct world_scene s;
    char large[SL_SEGMENT_BYTES_MAX + 501];
    (void)state_;
    open_scene(&s, HEAD("large") "  - name: a\n" ASKS "  - name: b\n" ASKS "  - name: c\n" ASKS "  - name: d\n" ASKS
                                 "  - name: e\n    shows: [a.answer, b.answer, c.answer, d.answer, text]\n" ASKS);
    memset(large, '.', sizeof large - 1);
    large[sizeof large - 1] = 0;
    large[0] = 't';
    put(&s, large, NULL);
    for (unsigned i = 0; i < 4; i++) {
        large[0] = *from[i];
        answer(&s, i, large);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(*world_shown(&s.w, &s.h, at(&s, 4).assignment, i), *from[i]);
    assert_int_equal(*world_shown(&s.w, &s.h, at(&s, 4).assignment, 4), 't');
    world_end(&s.w);
}

static void what_a_station_does_not_pass_on_is_not_seen_downstream(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("passes") "  - name: a\n    passes: [text]\n" ASKS "  - name: b\n" ASKS);
    put(&s, "the text", "a secret");
    answer(&s, 0, "from a");
    struct world_task t = at(&s, 1);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), "the text");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 1), "from a");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 2), "");
    world_end(&s.w);
}

static void a_station_may_show_more_values_than_a_line_has_stations(void **state_)
{
    struct slp_buf yaml = { 0 };
    char text[100];
    struct world_scene s;
    (void)state_;
#define ADD(...) (snprintf(text, sizeof text, __VA_ARGS__), slp_buf_add(&yaml, text, strlen(text)))
    ADD("line: wide\ninput:\n");
    for (int i = 0; i < 128; i++)
        ADD("  - {name: in%d, type: text}\n", i);
    ADD("stations:\n");
    for (int k = 0; k < 3; k++) {
        ADD("  - name: s%d\n    form:\n      fields:\n", k);
        for (int i = 0; i < (k < 2 ? 128 : 1); i++)
            ADD("        - {name: f%d, type: short_answer}\n", i);
    }
    slp_buf_add(&yaml, "", 1);
    open_scene(&s, yaml.p);
    struct slp_buf b = { 0 }, v = { 0 }, one = { 0 };
    slp_pack_array(&b, 128);
    for (int i = 0; i < 128; i++) {
        ADD("in %d", i);
        slp_pack_cstr(&b, text);
    }
    struct slp_put q = { .run_id = s.run, .rows = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)->u.put_done.accepted, 1);
    for (unsigned k = 0; k < 2; k++) {
        struct world_task t = at(&s, k);
        slp_buf_clear(&v);
        slp_buf_clear(&one);
        for (int i = 0; i < 128; i++) {
            ADD("s%u %d", k, i);
            slp_pack_cstr(&v, text);
        }
        struct slp_item_result it = { .assignment = t.assignment,
                                      .worker = t.worker,
                                      .values = { v.p, (uint32_t)v.n, 128 } };
        slp_pack_item(&one, SLP_ITEM_result, &it);
        struct slp_submit r = { .session = s.h.session, .results = { one.p, (uint32_t)one.n, 1 } };
        assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &r)->u.outcomes.ok, 1);
    }
    struct world_task t = at(&s, 2);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 127), "in 127");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 128), "s0 0");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 383), "s1 127");
    slp_buf_free(&yaml);
    slp_buf_free(&b);
    slp_buf_free(&v);
    slp_buf_free(&one);
    world_end(&s.w);
}

static void a_run_keeps_its_version_of_the_line(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, HEAD("v") "  - name: a\n" ASKS);
    put(&s, "x", NULL);
    uint32_t second = world_line(&s.w, HEAD("v") "  - name: a\n" ASKS "  - name: b\n" ASKS);
    assert_int_equal(second, s.station + 1);
    world_run(&s.w, "v", "r2");
    answer(&s, 0, "1");
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    assert_int_equal(world_run_get(&s.w, "r2")->u.run_info.stations.count, 2);
    world_restart(&s.w);
    assert_int_equal(world_run_get(&s.w, "r")->u.run_info.stations.count, 1);
    assert_int_equal(world_run_get(&s.w, "r2")->u.run_info.stations.count, 2);
    world_end(&s.w);
}

static void a_join_behind_two_that_are_passed_by_has_its_turn_once(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s,
               HEAD("l") "  - name: a\n    when: lang == 'ne'\n" ASKS "  - name: b\n    after: []\n    when: lang == "
                         "'ne'\n" ASKS "  - name: c\n    after: [a, b]\n" ASKS);
    put(&s, "x", "en");
    struct world_task t = at(&s, 2);
    assert_int_not_equal(t.assignment, 0);
    assert_int_equal(world_count(&s.w, "r", "a", TASK_SKIPPED), 1);
    assert_int_equal(world_count(&s.w, "r", "b", TASK_SKIPPED), 1);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "y"), SLP_E_OK);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_end(&s.w);
}

static void a_unit_may_pass_by_as_many_stations_as_a_line_has(void **state)
{
    static char yaml[30000];
    struct world_scene s;
    (void)state;
    int n = snprintf(yaml, sizeof yaml, "%s", HEAD("l"));
    for (unsigned i = 0; i < SL_LINE_STATIONS_MAX; i++)
        n += snprintf(yaml + n, sizeof yaml - (size_t)n, "  - {name: s%u, when: lang == '%s'}\n", i,
                      i + 1 < SL_LINE_STATIONS_MAX ? "ne" : "en");
    open_scene(&s, yaml);
    put(&s, "x", "en");
    put(&s, "x", "fr");
    assert_int_equal(world_story(&s.w, "r", 2, "state"), UNIT_DONE);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_OPEN);
    assert_int_not_equal(at(&s, SL_LINE_STATIONS_MAX - 1).assignment, 0);
    assert_int_equal(world_count(&s.w, "r", "s100", TASK_SKIPPED), 2);
    world_end(&s.w);
}

/* Results of one frame are kept in pieces: of one run each, and of so many. */
static void results_of_many_runs_in_one_frame_go_where_they_belong(void **state)
{
    static struct world_scene s;
    struct slp_buf b = { 0 };
    (void)state;
    world_scene(&s, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n" ASKS, 1, 0);
    uint64_t other = world_run(&s.w, "l", "q");
    world_put(&s.w, s.run, 300);
    world_put(&s.w, other, 300);
    size_t n = world_take(&s, 0, 600);
    assert_int_equal(n, 600);
    for (size_t i = 0; i < n; i++) {
        struct slp_buf values = { 0 };
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)s.t[i].assignment);
        slp_pack_cstr(&values, text);
        struct slp_item_result it = { .assignment = s.t[i].assignment,
                                      .worker = s.t[i].worker,
                                      .values = { values.p, (uint32_t)values.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
        slp_buf_free(&values);
    }
    struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, (uint32_t)n } };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_SUBMIT, &q);
    assert_int_equal(m->type, SLP_OUTCOMES);
    assert_int_equal(m->u.outcomes.ok, 600);
    slp_buf_free(&b);
    for (unsigned i = 0; i < 600; i += 7) {
        const char *run = i < 300 ? "r" : "q";
        uint64_t unit = i % 300 + 1, no = world_story(&s.w, run, unit, "stations[0].assignments[0].assignment");
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)no);
        assert_true(world_story_is(&s.w, run, unit, "stations[0].assignments[0].result.answer", text) ||
                    world_story_is(&s.w, run, unit, "stations[0].outcome.answer", text));
    }
    world_end(&s.w);
}

static size_t join(char *to, size_t at, size_t size, const char *name, const char *after, const char *when)
{
    return at +
           (size_t)snprintf(to + at, size - at,
                            "  - name: %s\n    after: [%s]\n%s    form: {fields: [{name: a, type: short_answer}]}\n",
                            name, after, when);
}

/* s1, s2 and s3 are passed by one after the other; all others come after them. 128 stations, as many as a line may have. */
static void stations_that_wait_for_several_that_are_passed_by_one_after_the_other_are_looked_at_again(void **state)
{
    (void)state;
    static char yaml[64 * 1024];
    static const char never[] = "    when: text == \"never\"\n";
    struct world_scene s;
    char name[16];
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "line: l\ninput:\n  - {name: text, type: text}\nstations:\n");
    n = join(yaml, n, sizeof yaml, "s1", "", never);
    for (unsigned i = 0; i < 62; i++) {
        snprintf(name, sizeof name, "c%u", i);
        n = join(yaml, n, sizeof yaml, name, "s1, s2, s3", "");
    }
    n = join(yaml, n, sizeof yaml, "s2", "s1", never);
    for (unsigned i = 0; i < 63; i++) {
        snprintf(name, sizeof name, "d%u", i);
        n = join(yaml, n, sizeof yaml, name, "s2, s3", "");
    }
    n = join(yaml, n, sizeof yaml, "s3", "s2", never);
    world_scene(&s, yaml, 1, 1);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_count(&s.w, "r", "c0", TASK_READY), 1);
    assert_int_equal(world_count(&s.w, "r", "d62", TASK_READY), 1);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_goes_one_station_after_the_other),
        cmocka_unit_test(branches_run_side_by_side_and_a_join_waits_for_all),
        cmocka_unit_test(a_station_may_follow_one_that_stands_later_in_the_file),
        cmocka_unit_test(a_condition_sends_units_on_or_past),
        cmocka_unit_test(a_condition_at_the_entry_looks_at_the_input_and_a_nil_there_is_null),
        cmocka_unit_test(a_run_of_units_that_stop_nowhere_is_done_when_it_is_closed),
        cmocka_unit_test(what_only_leads_through_skipped_stations_is_decided_by_its_own_condition),
        cmocka_unit_test(a_station_is_shown_what_it_asks_for_in_its_order),
        cmocka_unit_test(large_values_are_shown_in_any_order),
        cmocka_unit_test(what_a_station_does_not_pass_on_is_not_seen_downstream),
        cmocka_unit_test(a_station_may_show_more_values_than_a_line_has_stations),
        cmocka_unit_test(a_run_keeps_its_version_of_the_line),
        cmocka_unit_test(a_join_behind_two_that_are_passed_by_has_its_turn_once),
        cmocka_unit_test(a_unit_may_pass_by_as_many_stations_as_a_line_has),
        cmocka_unit_test(results_of_many_runs_in_one_frame_go_where_they_belong),
        cmocka_unit_test(stations_that_wait_for_several_that_are_passed_by_one_after_the_other_are_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
