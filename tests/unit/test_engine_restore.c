/* The first start on a copy of a store: assignment numbers go on where the original cannot have come, all at once or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/engine_world.h"

static const char echo[] =
    "line: echo\ninput: [{name: text, type: text}]\nstations:\n"
    "  - name: say\n    form: {title: Say, fields: [{name: loud, type: short_answer, required: true}]}\n";

#define SPARE (1ull << 36)
static const uint8_t NEW_ID[16] = "a copy's own id.";

static struct world_scene s;
static char copy_dir[64], original[64];

static int begin(void **state)
{
    (void)state;
    world_scene(&s, echo, 1, 0);
    snprintf(original, sizeof original, "%s", s.w.dir);
    snprintf(copy_dir, sizeof copy_dir, "%.40s-copy", s.w.dir);
    return 0;
}

static void remove_dir(const char *dir)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    assert_int_equal(system(cmd), 0);
}

static int end(void **state)
{
    (void)state;
    world_end(&s.w); /* with a check of every record and counter: holes are no damage */
    remove_dir(original);
    remove_dir(copy_dir);
    return 0;
}

static void back_up(void)
{
    char text[300];
    if (store_backup(s.w.store, copy_dir, text, sizeof text) != STORE_OK)
        fail_msg("%s", text);
}

static struct store *open_copy(void)
{
    struct store *c;
    struct store_options o = { .dir = copy_dir, .map_bytes = 1 << 28, .no_sync = true };
    char text[300];
    if (store_open(&c, &o, NEW_ID, text, sizeof text) != STORE_OK)
        fail_msg("%s", text);
    return c;
}

/* The world goes on over the copy, which is restored so long after its last commit. Returns its first assignment. */
static uint64_t go_on(int64_t later_us)
{
    struct store *c = open_copy();
    uint64_t first = 0;
    assert_true(store_is_copy(c));
    assert_int_equal(engine_restore(c, NEW_ID, s.w.wall_us + later_us, &first), STORE_OK);
    assert_false(store_is_copy(c));
    assert_memory_equal(store_id(c), NEW_ID, 16);
    store_close(&c);
    strcpy(s.w.dir, copy_dir);
    world_restart(&s.w);
    assert_false(store_is_copy(s.w.store));
    assert_memory_equal(store_id(s.w.store), NEW_ID, 16);
    world_clear(&s.w);
    return first;
}

static void numbers_go_on_behind_the_spare_and_the_time_since_the_copy(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 10);
    assert_int_equal(world_take(&s, 0, 4), 4);
    back_up();
    assert_false(store_is_copy(s.w.store)); /* the original is none */
    uint64_t first = go_on(80000000);       /* 80 s: 125,000 a second */
    assert_int_equal(first, 4 + SPARE + 10000000 + 1);
    world_hello(&s.w, &s.h, NULL, 0);
    world_clear(&s.w);
    assert_int_equal(world_take(&s, 0, 2), 2);
    assert_int_equal(s.t[0].assignment, first);
    assert_int_equal(s.t[1].assignment, first + 1);
}

static uint64_t first_of(const char *dir, const uint8_t id[16], int64_t wall_us)
{
    struct store *c;
    struct store_options o = { .dir = dir, .map_bytes = 1 << 28, .no_sync = true };
    char text[300];
    uint64_t first = 0;
    assert_int_equal(store_open(&c, &o, id, text, sizeof text), STORE_OK);
    assert_int_equal(engine_restore(c, id, wall_us, &first), STORE_OK);
    store_close(&c);
    return first;
}

static void a_copy_put_back_twice_by_a_wall_clock_that_is_behind_gives_other_numbers_each_time(void **state)
{
    static const uint8_t id[2][16] = { { 0x9c, 3, 0x70, 0x15, 0xe1, 0x44, 7, 0xb2 },
                                       { 0x51, 0xf0, 0xd, 0x68, 0x3a, 0x99, 0x2e, 0x14 } };
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_take(&s, 0, 1), 1);
    back_up();
    uint64_t first[2];
    for (int i = 0; i < 2; i++) {
        char cmd[256], again[64];
        snprintf(again, sizeof again, "%.50s-%d", copy_dir, i);
        snprintf(cmd, sizeof cmd, "cp -r '%s' '%s'", copy_dir, again);
        assert_int_equal(system(cmd), 0);
        first[i] = first_of(again, id[i], s.w.wall_us - 3600000000 * (i + 1));
        remove_dir(again);
        assert_in_range(first[i], 1 + SPARE + 1, 1 + SPARE + SPARE); /* behind what the original can have given */
    }
    assert_true(first[1] > first[0] + 1000000000 || first[0] > first[1] + 1000000000);
}

static void what_the_original_gave_after_the_copy_is_not_found_and_recalled(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 4);
    assert_int_equal(world_take(&s, 0, 1), 1);
    struct world_task before = s.t[0];
    back_up();
    assert_int_equal(world_take(&s, 0, 2), 2);
    struct world_task lost[2] = { s.t[0], s.t[1] };
    uint64_t first = go_on(0), held[3] = { before.assignment, lost[0].assignment, lost[1].assignment };
    world_hello(&s.w, &s.h, held, 3);
    const struct slp_msg *welcome = world_sent(&s.w, s.h.peer, SLP_WELCOME, 0);
    assert_non_null(welcome);
    assert_int_equal(welcome->u.welcome.recalled.count, 2);
    world_clear(&s.w);
    assert_int_equal(world_take(&s, 0, 3), 3);
    assert_int_equal(s.t[0].assignment, first);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world_submit(&s.w, &s.h, &lost[i], "for another unit"), SLP_E_NOT_FOUND);
        assert_int_equal(world_act(&s.w, &s.h, &lost[i], ACT_START, NULL, NULL), SLP_E_NOT_FOUND);
        assert_int_equal(world_act(&s.w, &s.h, &lost[i], ACT_BURY, "x", NULL), SLP_E_NOT_FOUND);
    }
    struct world_task inside = { .assignment = first - 1, .worker = before.worker },
                      next = { .assignment = first + 3, .worker = before.worker };
    assert_int_equal(world_submit(&s.w, &s.h, &inside, "x"), SLP_E_NOT_FOUND);
    assert_int_equal(world_submit(&s.w, &s.h, &next, "x"), SLP_E_NOT_FOUND);
    assert_int_equal(world_count(&s.w, "r", "say", TASK_DONE), 0);
    assert_int_equal(world_submit(&s.w, &s.h, &before, "in time"), SLP_E_OK); /* given before the copy: it is known */
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &s.t[i], "again"), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[2], "again"), SLP_E_DUPLICATE);
    assert_int_equal(world_count(&s.w, "r", "say", TASK_DONE), 4);
}

static void a_task_keeps_its_story_over_the_hole(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_take(&s, 0, 1), 1);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_RELEASE, "later", NULL), SLP_E_OK);
    back_up();
    uint64_t first = go_on(0);
    world_hello(&s.w, &s.h, NULL, 0);
    world_clear(&s.w);
    assert_int_equal(world_take(&s, 0, 1), 1);
    world_restart(&s.w); /* read from the store: live assignments behind the hole, and those before it */
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].assignment"), 1);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[1].assignment"), first);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[2].assignment"), UINT64_MAX);
}

static void what_is_put_into_a_run_begun_after_the_copy_comes_into_no_other(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    back_up();
    uint64_t lost = world_run(&s.w, "echo", "lost");
    world_put(&s.w, lost, 1);
    go_on(0);
    assert_int_equal(world_run(&s.w, "echo", "found"), s.run + 4096 + 1);
    struct slp_buf rows = { 0 };
    slp_pack_array(&rows, 1);
    slp_pack_cstr(&rows, "of the lost run");
    struct slp_put q = { .run_id = lost, .rows = { rows.p, (uint32_t)rows.n, 1 } };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_PUT, &q)), SLP_E_NOT_FOUND);
    slp_buf_free(&rows);
    world_put(&s.w, s.run, 1); /* those from before it go on */
    world_restart(&s.w);
    assert_int_equal(world_run(&s.w, "echo", "next"), s.run + 4096 + 2);
}

/* A producer of the first time lives on: what it puts into its run may come into no run of the second. */
static void one_backup_put_back_twice_begins_other_runs_the_second_time(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    back_up();
    char again_dir[80], was[64], cmd[200];
    snprintf(again_dir, sizeof again_dir, "%.50s-again", copy_dir);
    snprintf(cmd, sizeof cmd, "cp -r '%s' '%s'", copy_dir, again_dir);
    assert_int_equal(system(cmd), 0);
    go_on(60000000);
    uint64_t first = world_run(&s.w, "echo", "first"), second = world_run(&s.w, "echo", "second");
    assert_true(first > s.run + 4096);
    snprintf(was, sizeof was, "%s", copy_dir);
    snprintf(copy_dir, sizeof copy_dir, "%.60s", again_dir);
    go_on(3600000000);
    uint64_t other = world_run(&s.w, "echo", "other");
    assert_true(other > second + 100 && other < second + 200); /* one each half a minute since */
    remove_dir(was);
}

static void a_copy_of_a_copy_goes_on_again(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    back_up();
    uint64_t first = go_on(8000000);
    assert_int_equal(first, SPARE + 1000000 + 1);
    char was[64];
    strcpy(was, copy_dir);
    strcat(copy_dir, "2");
    back_up();
    assert_int_equal(go_on(8), first + SPARE + 1);
    remove_dir(was);
}

/* Each write and the commit fail in turn: the copy is one still, with the same id and the same counters, and the next start does it all. */
static void a_step_that_fails_leaves_the_copy_as_it_was(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_take(&s, 0, 2), 2);
    uint8_t id[16];
    memcpy(id, store_id(s.w.store), 16);
    back_up();
    for (int i = 0; i < 3; i++) {
        struct store *c = open_copy();
        uint64_t first;
        struct store_faults *f = store_faults(c);
        *(i == 0 ? &f->fail_begin_after : i == 1 ? &f->fail_put_after : &f->fail_commit_after) = 1;
        assert_int_equal(engine_restore(c, NEW_ID, s.w.wall_us, &first), i == 0 ? STORE_NO_MEMORY : STORE_IO);
        assert_true(store_is_copy(c));
        store_close(&c);
        c = open_copy();
        assert_true(store_is_copy(c));
        assert_memory_equal(store_id(c), id, 16);
        store_close(&c);
    }
    assert_int_equal(go_on(8), 2 + SPARE + 1 + 1);
}

static void a_wall_clock_decades_ahead_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    back_up();
    struct store *c = open_copy();
    uint64_t first;
    assert_int_equal(engine_restore(c, NEW_ID, s.w.wall_us + 72ll * 366 * 86400 * 1000000, &first), STORE_FULL);
    assert_int_equal(engine_restore(c, NEW_ID, INT64_MAX, &first), STORE_FULL);
    assert_true(store_is_copy(c));
    store_close(&c);
    assert_int_equal(go_on(8), SPARE + 1 + 1);
}

static void a_store_that_no_broker_served_has_nothing_to_go_on_from(void **state)
{
    (void)state;
    struct store *c = open_copy(); /* makes one */
    uint64_t first;
    assert_false(store_is_copy(c));
    assert_int_equal(engine_restore(c, NEW_ID, s.w.wall_us, &first), STORE_NOT_FOUND);
    store_close(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_go_on_behind_the_spare_and_the_time_since_the_copy),
        TEST(a_copy_put_back_twice_by_a_wall_clock_that_is_behind_gives_other_numbers_each_time),
        TEST(what_the_original_gave_after_the_copy_is_not_found_and_recalled),
        TEST(a_task_keeps_its_story_over_the_hole),
        TEST(what_is_put_into_a_run_begun_after_the_copy_comes_into_no_other),
        TEST(one_backup_put_back_twice_begins_other_runs_the_second_time),
        TEST(a_copy_of_a_copy_goes_on_again),
        TEST(a_step_that_fails_leaves_the_copy_as_it_was),
        TEST(a_wall_clock_decades_ahead_is_refused_and_nothing_changes),
        TEST(a_store_that_no_broker_served_has_nothing_to_go_on_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
