/* Readers over a store whose calls fail: of the reads of a broad life each call to LMDB fails in turn. A read goes unanswered then, or names the damage where it is a
 * check of the store; the next one is answered as if nothing had been. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_play.h"
#include "tests/lib/lmdb_fails.h"

static void calls(bool in)
{
    if (in)
        lmdb_rearm();
    else
        lmdb_disarm();
}

static void read_once(const struct play_step *s, uint64_t n, int code)
{
    lmdb_arm(n, code);
    lmdb_disarm();
    play.w.failed = STORE_OK;
    play.w.around = calls;
    s->take();
    play.w.around = NULL;
    world_clear(&play.w);
}

/* The first calls each, of a long read then only some. */
static uint64_t fail_each(const struct play_step *s, int code)
{
    uint64_t failures = 0;
    for (uint64_t n = 1;; n += 1 + n / 128, failures++) {
        read_once(s, n, code);
        bool failed = lmdb_state.failed != NULL, told = play.w.failed != STORE_OK;
        if (failed && !told && !(s->checks && code == MDB_CORRUPTED))
            fail_msg("%s: call %llu (%s) failed, and it was answered", s->what, (unsigned long long)n,
                     lmdb_state.failed);
        read_once(s, 0, 0);
        if (play.w.failed)
            fail_msg("%s: after call %llu failed it goes on failing", s->what, (unsigned long long)n);
        if (!failed)
            return failures;
    }
}

struct life {
    const struct play_step *steps;
    const char *until, *reads[12];
};
static const struct life broad = { play_steps,
                                   "the_run_is_closed",
                                   { "outputs_are_read", "stories_are_read", "queues_are_read", "events_are_read",
                                     "a_snapshot_is_read", "the_store_is_checked", "runs_are_recounted",
                                     "events_are_published" } };
static const struct life watched = {
    play_watched_steps,
    "what_was_granted_is_revoked",
    { "stories_and_answers_are_read", "the_store_is_checked", "a_forecast_is_asked_for" },
};

static const struct play_step *step_of(const struct life *l, const char *what)
{
    const struct play_step *s = l->steps;
    while (s->what && strcmp(s->what, what) != 0)
        s++;
    assert_non_null(s->what);
    return s;
}

static void live(const struct life *l, int code)
{
    uint64_t failed = 0;
    uint8_t before[16], after[16];
    play_until(l->steps, l->until, 1);
    world_up(&play.w);
    world_hash(&play.w, before);
    for (size_t i = 0; l->reads[i]; i++)
        failed += fail_each(step_of(l, l->reads[i]), code);
    world_hash(&play.w, after);
    assert_memory_equal(before, after, sizeof before);
    print_message("# %llu calls failed\n", (unsigned long long)failed);
    assert_true(failed > 200);
    world_end(&play.w);
}

static void a_read_whose_disk_fails_at_any_call_goes_unanswered(void **state)
{
    (void)state;
    live(&broad, EIO);
}

static void so_does_one_of_people_who_are_watched(void **state)
{
    (void)state;
    live(&watched, EIO);
}

static void damage_at_any_call_is_named_by_a_check_and_ends_any_other_read(void **state)
{
    (void)state;
    live(&broad, MDB_CORRUPTED);
}

static void so_it_does_with_what_is_measured_of_people(void **state)
{
    (void)state;
    live(&watched, MDB_CORRUPTED);
}

/* All of the check from the units' states on, in a portion that belongs to one begun before; -1: it went unanswered. */
static int portion_named(struct world *w, uint64_t n, int code)
{
    static const uint8_t next[] = { TABLE_STATE };
    struct slp_check_get q = { .after = { (const char *)next, sizeof next } };
    SLP_SET(&q, check_get, after);
    lmdb_arm(n, code);
    lmdb_disarm();
    w->failed = STORE_OK;
    w->around = calls;
    struct slp_msg *m = world_read(w, SLP_CHECK_GET, &q);
    int named = w->failed ? -1 : (int)m->u.check.damage.count;
    w->around = NULL;
    w->failed = STORE_OK;
    world_clear(w);
    return named;
}

static void one_station(struct world_scene *s)
{
    world_scene(s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                "  - {name: a, worker: {kind: any}, form: {fields: [{name: x, type: short_answer}]}}\n",
                1, 0);
}

/* Nothing is kept of the check before. */
static void check_anew(struct world *w)
{
    struct slp_check_get first = { .limit = 1 };
    SLP_SET(&first, check_get, limit);
    world_read(w, SLP_CHECK_GET, &first);
}

/* Of the portion each call fails in turn; asked for again, it names `all`. Returns how many calls there are. */
static uint64_t each_call_fails(struct world *w, int all)
{
    uint64_t n = 0;
    for (bool failed = true; failed;) {
        check_anew(w);
        failed = portion_named(w, ++n, EIO) == -1;
        int named = portion_named(w, 0, 0);
        if (named != all)
            fail_msg("after call %llu failed, %d of %d were named", (unsigned long long)n, named, all);
    }
    return n;
}

static void a_portion_of_a_check_that_failed_finds_no_damage_when_it_is_asked_for_again(void **state)
{
    (void)state;
    struct world_scene s;
    one_station(&s);
    world_put_keyed(&s.w, s.run, 40);
    world_run(&s.w, "l", "other");
    world_put_keyed(&s.w, 2, 40);
    assert_true(each_call_fails(&s.w, 0) > 100);
    world_end(&s.w);
}

/* As above, where something is gone: that much is named again. */
static void so_it_names_all_that_it_would_have_named(void **state)
{
    (void)state;
    struct world_scene s;
    one_station(&s);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_take(&s, 0, 1), 1);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL), SLP_E_OK);
    s.w.wall_us += 1000000;
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "yes"), SLP_E_OK);
    world_flush(&s.w);
    struct store_txn *t;
    uint8_t k[8];
    key_u32(key_u32(k, 1), (uint32_t)s.station); /* of the worker at the station; not over all */
    assert_int_equal(store_begin(s.w.store, &t), STORE_OK);
    assert_int_equal(store_del(t, TABLE_REPUTE, k, sizeof k), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    check_anew(&s.w);
    int all = portion_named(&s.w, 0, 0);
    assert_true(all > 0);
    assert_true(each_call_fails(&s.w, all) > 30);
    world_close(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_whose_disk_fails_at_any_call_goes_unanswered),
        cmocka_unit_test(so_does_one_of_people_who_are_watched),
        cmocka_unit_test(damage_at_any_call_is_named_by_a_check_and_ends_any_other_read),
        cmocka_unit_test(so_it_does_with_what_is_measured_of_people),
        cmocka_unit_test(a_portion_of_a_check_that_failed_finds_no_damage_when_it_is_asked_for_again),
        cmocka_unit_test(so_it_names_all_that_it_would_have_named),
    };
    return cmocka_run_group_tests_name("reads that fail", tests, NULL, NULL);
}
