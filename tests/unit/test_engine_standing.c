/* The engine: who is kept out of what, and what people can do until when, with many of them at a time. One by one they stand in test_gold.c. */
#include "tests/lib/engine_staff.h"
#include "tests/unit/scene.h"

static struct world w;
static struct world_task t[512];

enum { SUSPEND, READMIT, GRANT, REVOKE };

struct set {
    unsigned action;
    const char *name, *line, *station, *skill;
    uint64_t level;
    int64_t until_us;
    const char *reason;
};

static enum slp_code set(struct set s)
{
    struct slp_worker_set q = {
        .name = world_str(s.name), .action = s.action, .level = s.level, .until_wall_us = s.until_us
    };
#define TEXT(field)                                                                                                    \
    if (s.field) {                                                                                                     \
        q.field = world_str(s.field);                                                                                  \
        SLP_SET(&q, worker_set, field);                                                                                \
    }
    TEXT(line)
    TEXT(station)
    TEXT(skill)
    TEXT(reason)
#undef TEXT
    if (s.level)
        SLP_SET(&q, worker_set, level);
    if (s.until_us)
        SLP_SET(&q, worker_set, until_wall_us);
    return world_code(world_send(&w, WORLD_CLIENT, SLP_WORKER_SET, &q));
}

static const char *named(const char *hub, unsigned worker)
{
    static char text[64];
    snprintf(text, sizeof text, "%s-%u", hub, worker);
    return text;
}

/* n stations "s0", "s1" ... side by side, each with what `more` says of it (%u: its number). */
static uint32_t line_of(const char *name, unsigned n, const char *more)
{
    static char yaml[20000];
    int at = snprintf(yaml, sizeof yaml, "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n", name);
    for (unsigned i = 0; i < n; i++) {
        at += snprintf(yaml + at, sizeof yaml - (size_t)at,
                       "  - name: s%u\n    after: []\n    form: {fields: [{name: a, type: short_answer}]}\n", i);
        at += snprintf(yaml + at, sizeof yaml - (size_t)at, more, i);
    }
    return world_line(&w, yaml);
}

/* Which stations of those from `first` he gets work of, a bit each; what came is given back unbegun. */
static unsigned gets(struct world_hub *h, unsigned worker, uint32_t first, unsigned stations)
{
    unsigned bits = 0;
    world_clear(&w);
    world_credit(&w, h, worker, 2 * stations);
    size_t n = world_tasks(&w, h, t, 512);
    for (size_t i = 0; i < n; i++) {
        bits |= t[i].station_id >= first && t[i].station_id < first + stations ? 1u << (t[i].station_id - first) : 0;
        assert_int_equal(world_act(&w, h, &t[i], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    }
    world_sign_off(&w, h, worker);
    return bits;
}

#define STATIONS 5

/* 32 workers, each kept out of the stations that the bits of his number name. */
static void everybody_is_kept_out_of_his_own_stations_and_of_no_others(void **state)
{
    struct world_hub h[4];
    (void)state;
    world_open(&w);
    uint32_t first = line_of("l", STATIONS, "");
    uint64_t run = world_run(&w, "l", "r");
    for (unsigned i = 0; i < 4; i++)
        world_hub(&w, &h[i], (const char *[]){ "west", "east", "north", "south" }[i], 8, 0);
    for (unsigned i = 0; i < 32; i++)
        world_credit(&w, &h[i / 8], i % 8, 1); /* signed in: what he may do is known, and changes */
    for (unsigned s = 0; s < STATIONS; s++)
        for (unsigned i = 0; i < 32; i++) {
            char station[8];
            snprintf(station, sizeof station, "s%u", s);
            if (i >> s & 1)
                assert_int_equal(
                    set((struct set){ SUSPEND, named(h[i / 8].name, i % 8), .line = "l", .station = station }),
                    SLP_E_OK);
        }
    for (unsigned i = 0; i < 32; i++)
        world_sign_off(&w, &h[i / 8], i % 8);
    world_put(&w, run, 1);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 32; i++)
            if (gets(&h[i / 8], i % 8, first, STATIONS) != (~i & 31))
                fail_msg("turn %u: worker %u", turn, i);
        world_restart(&w); /* and so it is after a start */
        for (unsigned i = 0; i < 4; i++)
            world_hello(&w, &h[i], NULL, 0);
    }
    for (unsigned i = 0; i < 32; i++)
        if (i >> 2 & 1)
            assert_int_equal(set((struct set){ READMIT, named(h[i / 8].name, i % 8), .line = "l", .station = "s2" }),
                             SLP_E_OK);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(gets(&h[i / 8], i % 8, first, STATIONS), (~i & 31) | 4);
    world_end(&w);
}

/* So many stations that differ that a bit for each needs several words, while somebody is kept out. */
static void who_is_kept_out_stays_so_while_stations_become_many(void **state)
{
    struct world_hub h;
    (void)state;
    world_open(&w);
    uint32_t first = line_of("l", 2, "");
    world_put(&w, world_run(&w, "l", "r"), 1);
    world_hub(&w, &h, "west", 2, 0);
    world_credit(&w, &h, 1, 0);
    assert_int_equal(set((struct set){ SUSPEND, "west-1", .line = "l", .station = "s0" }), SLP_E_OK);
    world_credit(&w, &h, 1, 1);
    assert_int_equal(world_tasks(&w, &h, t, 512), 1);
    assert_int_equal(t[0].station_id, first + 1);
    assert_int_equal(world_act(&w, &h, &t[0], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    uint32_t many = line_of("many", 100, "    worker: {skills: {k%u: 1}}\n");
    world_put(&w, world_run(&w, "many", "m"), 1);
    assert_int_equal(gets(&h, 1, first, 2), 2);
    assert_int_equal(gets(&h, 0, first, 2), 3);
    assert_int_equal(set((struct set){ GRANT, "west-1", .skill = "k3", .level = 1 }), SLP_E_OK);
    assert_int_equal(set((struct set){ GRANT, "west-1", .skill = "k4", .level = 1 }), SLP_E_OK);
    assert_int_equal(set((struct set){ SUSPEND, "west-1", .line = "many", .station = "s3" }), SLP_E_OK);
    assert_int_equal(gets(&h, 1, many, 8), 1u << 4);
    assert_int_equal(world_line_set(&w, "many", 2, true), SLP_E_OK); /* deleted: its gates are others' from then on */
    world_pass(&w, SECOND);
    uint32_t later = line_of("later", 4, "    worker: {skills: {q%u: 1}}\n");
    world_put(&w, world_run(&w, "later", "t"), 1);
    assert_int_equal(gets(&h, 1, later, 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        char skill[8];
        snprintf(skill, sizeof skill, "q%u", i);
        assert_int_equal(set((struct set){ GRANT, "west-1", .skill = skill, .level = 1 }), SLP_E_OK);
    }
    assert_int_equal(gets(&h, 1, later, 4), 15);
    assert_int_equal(gets(&h, 1, first, 2), 2);
    world_end(&w);
}

static void grants_end_in_the_order_of_their_days_whatever_that_of_their_making(void **state)
{
    static const unsigned ends[8] = { 50, 10, 70, 30, 20, 80, 40, 60 }; /* seconds */
    struct world_hub h;
    (void)state;
    world_open(&w);
    uint32_t first = line_of("l", 1, "    worker: {skills: {law: 2}}\n");
    world_put(&w, world_run(&w, "l", "r"), 1);
    world_hub(&w, &h, "west", 8, 0);
    int64_t begin = w.wall_us;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(set((struct set){ GRANT, named("west", i), .skill = "law", .level = 2,
                                           .until_us = begin + ends[i] * SECOND }),
                         SLP_E_OK);
    /* one is taken back, one gets more time */
    assert_int_equal(set((struct set){ REVOKE, "west-3", .skill = "law" }), SLP_E_OK);
    assert_int_equal(set((struct set){ GRANT, "west-4", .skill = "law", .level = 3, .until_us = begin + 75 * SECOND }),
                     SLP_E_OK);
    for (unsigned second = 5; second < 95; second += 10) {
        world_pass(&w, begin + second * SECOND - w.wall_us);
        world_beat(&w, &h);
        for (unsigned i = 0; i < 8; i++) {
            unsigned until = i == 3 ? 0 : i == 4 ? 75 : ends[i];
            if (gets(&h, i, first, 1) != (until > second))
                fail_msg("worker %u at %u s", i, second);
        }
    }
    w.wall_us = begin + 45 * SECOND; /* the clock is set back: what was over is not */
    world_tick(&w);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(gets(&h, i, first, 1), i != 3 && (i == 4 || ends[i] > 45));
    world_end(&w);
}

/* A roster of one, who says that he has law at this level until then (0: without end). */
static void declares(struct world_hub *h, unsigned level, int64_t until_us)
{
    struct slp_buf skills = { 0 }, b = { 0 };
    uint64_t digest[4] = { ++w.next_id };
    struct slp_item_skill s = { .name = world_str("law"), .level = level, .until_wall_us = until_us };
    if (until_us)
        SLP_SET(&s, item_skill, until_wall_us);
    slp_pack_item(&skills, SLP_ITEM_skill, &s);
    struct slp_item_worker_def d = { .name = world_str("west-0"),
                                     .capacity = 10,
                                     .skills = { skills.p, (uint32_t)skills.n, 1 } };
    slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    struct slp_roster q = { .session = h->session,
                            .digest = { (const char *)digest, 32 },
                            .workers = { b.p, (uint32_t)b.n, 1 },
                            .last = true };
    assert_int_equal(world_send(&w, h->peer, SLP_ROSTER, &q)->type, SLP_ROSTER_DONE);
    memcpy(h->roster, digest, sizeof digest);
    slp_buf_free(&skills);
    slp_buf_free(&b);
}

static void the_highest_level_that_is_not_over_counts_whoever_says_it(void **state)
{
    struct world_hub h;
    (void)state;
    world_open(&w);
    uint32_t first = line_of("l", 3, "    worker: {skills: {law: 1%u}}\n"); /* 10, 11, 12 */
    world_put(&w, world_run(&w, "l", "r"), 1);
    world_hub(&w, &h, "west", 1, 0);
    declares(&h, 10, w.wall_us + 20 * SECOND);
    assert_int_equal(gets(&h, 0, first, 3), 1);
    assert_int_equal(
        set((struct set){ GRANT, "west-0", .skill = "law", .level = 12, .until_us = w.wall_us + 10 * SECOND }),
        SLP_E_OK);
    assert_int_equal(gets(&h, 0, first, 3), 7);
    declares(&h, 11, w.wall_us + 20 * SECOND);
    assert_int_equal(gets(&h, 0, first, 3), 7);
    world_pass(&w, 11 * SECOND);
    world_beat(&w, &h);
    assert_int_equal(gets(&h, 0, first, 3), 3);
    assert_int_equal(set((struct set){ GRANT, "west-0", .skill = "law", .level = 10 }),
                     SLP_E_OK); /* less than he says */
    assert_int_equal(gets(&h, 0, first, 3), 3);
    world_pass(&w, 10 * SECOND);
    world_beat(&w, &h);
    assert_int_equal(gets(&h, 0, first, 3), 1); /* the hub's word is over, the operator's is not */
    assert_int_equal(set((struct set){ REVOKE, "west-0", .skill = "law" }), SLP_E_OK);
    assert_int_equal(gets(&h, 0, first, 3), 0);
    declares(&h, 12, INT64_MAX); /* the end of time does not overflow */
    assert_int_equal(gets(&h, 0, first, 3), 7);
    world_pass(&w, 10 * SECOND);
    world_beat(&w, &h);
    assert_int_equal(gets(&h, 0, first, 3), 7);
    world_end(&w);
}

static void commands_that_name_nothing_or_too_much_are_refused(void **state)
{
    struct world_hub h;
    (void)state;
    world_open(&w);
    line_of("l", 1, "");
    world_hub(&w, &h, "west", 1, 0);
    static const struct {
        struct set s;
        enum slp_code code;
    } rows[] = {
        { { SUSPEND, "west-0", .line = NULL, .station = "s0" }, SLP_E_MISSING_FIELD },
        { { SUSPEND, "west-0", .line = "l", .station = NULL }, SLP_E_MISSING_FIELD },
        { { SUSPEND, "west-0", .line = "k", .station = "s0" }, SLP_E_NOT_FOUND },
        { { SUSPEND, "west-0", .line = "l", .station = "s1" }, SLP_E_NOT_FOUND },
        { { SUSPEND, "west-9", .line = "l", .station = "s0" }, SLP_E_NOT_FOUND },
        { { READMIT, "west-0", .line = "l", .station = "s0" }, SLP_E_OK }, /* nothing changes */
        { { REVOKE, "west-0", .skill = "law" }, SLP_E_OK },
        { { GRANT, "west-0", .level = 2 }, SLP_E_MISSING_FIELD },
        { { GRANT, "west-0", .skill = "law" }, SLP_E_OK }, /* level 1 */
        { { GRANT, "west-0", .skill = "law", .until_us = 1 }, SLP_E_BAD_VALUE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (set(rows[i].s) != rows[i].code)
            fail_msg("row %zu", i);
    struct slp_worker_set zero = {
        .name = world_str("west-0"), .action = GRANT, .skill = world_str("law"), .level = 0
    };
    SLP_SET(&zero, worker_set, skill);
    SLP_SET(&zero, worker_set, level);
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_WORKER_SET, &zero)), SLP_E_BAD_VALUE);
    for (unsigned i = 1; i < SL_SKILLS_MAX; i++) {
        char skill[16];
        snprintf(skill, sizeof skill, "skill%u", i);
        assert_int_equal(set((struct set){ GRANT, "west-0", .skill = skill, .level = 1 }), SLP_E_OK);
    }
    assert_int_equal(set((struct set){ GRANT, "west-0", .skill = "one-more", .level = 1 }), SLP_E_TOO_MANY);
    assert_int_equal(set((struct set){ GRANT, "west-0", .skill = "skill7", .level = 2 }),
                     SLP_E_OK); /* in the other's place */
    assert_int_equal(set((struct set){ REVOKE, "west-0", .skill = "skill7" }), SLP_E_OK);
    assert_int_equal(set((struct set){ GRANT, "west-0", .skill = "one-more", .level = 1 }), SLP_E_OK);
    world_end(&w);
}

/* ---- what he is told ---- */

static void expect_why(struct world_hub *h, uint64_t code, const char *wanted)
{
    const char *text;
    assert_int_equal(staff_why(&w, h, 0, &text), code);
    if (strcmp(text, wanted))
        fail_msg("'%s' is told, not '%s'", text, wanted);
}

static void why_tells_what_keeps_him_out(void **state)
{
    struct world_hub h;
    char reason[SL_TEXT_BYTES_MAX + 1], wanted[400];
    (void)state;
    world_open(&w);
    line_of("l", 1, "    require: {abandonment: '<= 0.25', after: 2}\n");
    world_put(&w, world_run(&w, "l", "r"), 6);
    world_hub(&w, &h, "west", 1, 0);
    assert_int_equal(set((struct set){ SUSPEND, "west-0", .line = "l", .station = "s0" }), SLP_E_OK);
    world_credit(&w, &h, 0, 30);
    expect_why(&h, 17, "suspended at station s0");
    assert_int_equal(set((struct set){ READMIT, "west-0", .line = "l", .station = "s0" }), SLP_E_OK);
    assert_int_equal(set((struct set){ SUSPEND, "west-0", .line = "l", .station = "s0", .reason = "he sleeps" }),
                     SLP_E_OK);
    expect_why(&h, 17, "suspended at station s0: he sleeps");
    assert_int_equal(set((struct set){ READMIT, "west-0", .line = "l", .station = "s0" }), SLP_E_OK);
    memset(reason, 'x',
           sizeof reason - 1); /* as long as it may be; what is told of it ends before a character that would be cut */
    reason[sizeof reason - 1] = 0;
    memcpy(reason + 199, "\xc3\xa9", 2);
    assert_int_equal(set((struct set){ SUSPEND, "west-0", .line = "l", .station = "s0", .reason = reason }), SLP_E_OK);
    snprintf(wanted, sizeof wanted, "suspended at station s0: %.199s", reason);
    expect_why(&h, 17, wanted);
    world_restart(&w);
    world_hello(&w, &h, NULL, 0);
    world_credit(&w, &h, 0, 30);
    expect_why(&h, 17, wanted);
    world_clear(&w);
    assert_int_equal(set((struct set){ READMIT, "west-0", .line = "l", .station = "s0" }), SLP_E_OK);
    assert_int_equal(world_tasks(&w, &h, t, 512), 6);
    for (unsigned i = 0; i < 2; i++) { /* he begins and leaves */
        assert_int_equal(world_act(&w, &h, &t[i], ACT_START, NULL, NULL), SLP_E_OK);
        assert_int_equal(world_act(&w, &h, &t[i], ACT_RELEASE, NULL, NULL), SLP_E_OK);
    }
    expect_why(&h, 18, "station s0 requires abandonment <= 0.250000, this worker has 2 of 2");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_is_kept_out_of_his_own_stations_and_of_no_others),
        cmocka_unit_test(who_is_kept_out_stays_so_while_stations_become_many),
        cmocka_unit_test(grants_end_in_the_order_of_their_days_whatever_that_of_their_making),
        cmocka_unit_test(the_highest_level_that_is_not_over_counts_whoever_says_it),
        cmocka_unit_test(commands_that_name_nothing_or_too_much_are_refused),
        cmocka_unit_test(why_tells_what_keeps_him_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
