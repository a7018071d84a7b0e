/* The engine: what can happen to a task and to its assignment. Every cell of the two matrices of PROTOCOL.md, section 4, and the rules around them: late
 * results, expiry, back-off, attempts, exclusion after a decline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "broker/clock.h"
#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    form:\n      fields:\n        - {name: answer, type: short_answer, required: true}\n"
    "    lease: 10m\n    backoff: 10s\n    attempts: 3\n";
static const char *const twins =
    "line: twins\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: left\n    form: {fields: [{name: answer, type: short_answer, required: true}]}\n"
    "  - name: right\n    after: []\n    form: {fields: [{name: answer, type: short_answer, required: true}]}\n"
    "  - name: last\n    after: [left, right]\n    form: {fields: [{name: answer, type: short_answer, required: "
    "true}]}\n";

/* The newest assignment pushed; none: number 0. */
static struct world_task newest(struct world_scene *s)
{
    struct world_task t[64] = { 0 };
    size_t n = world_tasks(&s->w, &s->h, t, 64);
    return n ? t[n - 1] : (struct world_task){ 0 };
}

static struct world_task given(struct world_scene *s, unsigned worker)
{
    world_clear(&s->w);
    world_credit(&s->w, &s->h, worker, 1);
    return newest(s);
}

static uint64_t state(struct world_scene *s)
{
    return world_story(&s->w, "r", 1, "stations[0].state");
}
static uint64_t attempts(struct world_scene *s)
{
    return world_story(&s->w, "r", 1, "stations[0].attempts");
}
static enum slp_code act(struct world_scene *s, const struct world_task *t, unsigned a)
{
    return world_act(&s->w, &s->h, t, a, "since", NULL);
}

/* ---- assignment state x act ---- */

enum { HANDED, STARTED, COUNTED, LATE, RELEASED, DECLINED, FAILED, BURIED, RECALLED, EXPIRED, ENDS };

/* An assignment of unit 1 brought into the state, as little else happening as possible. */
static struct world_task in_state(struct world_scene *s, int end)
{
    world_scene(s, simple, 2, 0);
    world_put(&s->w, s->run, 1);
    struct world_task t = given(s, 0);
    assert_int_equal(t.attempt, 1);
    static const int by[ENDS] = { [STARTED] = ACT_START,
                                  [RELEASED] = ACT_RELEASE,
                                  [DECLINED] = ACT_DECLINE,
                                  [FAILED] = ACT_FAIL,
                                  [BURIED] = ACT_BURY };
    if (by[end] || end == STARTED)
        assert_int_equal(act(s, &t, (unsigned)by[end]), SLP_E_OK);
    if (end == COUNTED)
        assert_int_equal(world_submit(&s->w, &s->h, &t, "a"), SLP_E_OK);
    if (end == LATE) {
        uint64_t unit = 1;
        assert_int_equal(act(s, &t, ACT_START), SLP_E_OK);
        assert_int_equal(world_tasks_set(&s->w, s->station, 1, "r", &unit, 1), 1);
        assert_int_equal(world_submit(&s->w, &s->h, &t, "a"), SLP_E_LATE);
    }
    if (end == RECALLED) {
        assert_int_equal(world_run_set(&s->w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
        world_pass(&s->w, 0);
    }
    if (end == EXPIRED) {
        world_sign_off(&s->w, &s->h, 1);
        for (int i = 0; i < 62; i++) { /* the agent is there, but nobody starts */
            world_beat(&s->w, &s->h);
            world_pass(&s->w, 5 * SECOND);
        }
    }
    return t;
}

static void every_act_meets_every_state_as_the_matrix_says(void **state_)
{
    (void)state_;
    enum { OK = SLP_E_OK, DUP = SLP_E_DUPLICATE, STALE = SLP_E_STALE, BAD = SLP_E_BAD_STATE };
    static const int want[6][ENDS] = {
        /*               HANDED STARTED COUNTED LATE  RELEASED DECLINED FAILED BURIED RECALLED EXPIRED */
        [ACT_START] = { OK, DUP, STALE, STALE, STALE, STALE, STALE, STALE, STALE, STALE },
        [ACT_TOUCH] = { BAD, OK, STALE, STALE, STALE, STALE, STALE, STALE, STALE, STALE },
        [ACT_RELEASE] = { OK, OK, STALE, STALE, DUP, STALE, STALE, STALE, STALE, STALE },
        [ACT_DECLINE] = { OK, OK, STALE, STALE, STALE, DUP, STALE, STALE, STALE, STALE },
        [ACT_FAIL] = { OK, OK, STALE, STALE, STALE, STALE, DUP, STALE, STALE, STALE },
        [ACT_BURY] = { OK, OK, STALE, STALE, STALE, STALE, STALE, DUP, STALE, STALE },
    };
    for (unsigned a = 0; a < 6; a++)
        for (int end = 0; end < ENDS; end++) {
            struct world_scene s;
            struct world_task t = in_state(&s, end);
            uint8_t before[16], after[16];
            uint64_t was = state(&s);
            world_pass(&s.w, 1);    /* so that a touch renews something */
            world_beat(&s.w, &s.h); /* that the hub was there is no change of the act's */
            world_hash(&s.w, before);
            int got = act(&s, &t, a);
            if (got != want[a][end])
                print_error("act %u on state %d\n", a, end);
            assert_int_equal(got, want[a][end]);
            world_hash(&s.w, after);
            if (got != SLP_E_OK) { /* a refused or repeated command has changed nothing */
                assert_int_equal(state(&s), was);
                assert_memory_equal(before, after, 16);
            } else {
                assert_memory_not_equal(before, after, 16);
            }
            world_end(&s.w);
        }
}

static void a_submit_meets_every_state_as_the_matrix_says(void **state_)
{
    (void)state_;
    static const int want[ENDS] = { SLP_E_OK, SLP_E_OK, SLP_E_DUPLICATE, SLP_E_LATE, SLP_E_OK,
                                    SLP_E_OK, SLP_E_OK, SLP_E_OK,        SLP_E_OK,   SLP_E_OK };
    for (int end = 0; end < ENDS; end++) {
        struct world_scene s;
        struct world_task t = in_state(&s, end);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), want[end]);
        assert_int_equal(state(&s), end == LATE ? TASK_ENDED : TASK_DONE);
        for (int again = 0; again < 3; again++) /* settled for good, and once */
            assert_int_equal(world_submit(&s.w, &s.h, &t, "b"), end == LATE ? SLP_E_LATE : SLP_E_DUPLICATE);
        assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].result.answer", "a"));
        world_restart(&s.w);
        assert_int_equal(state(&s), end == LATE ? TASK_ENDED : TASK_DONE);
        world_end(&s.w);
    }
}

/* Once it counts, whatever repeats it changes nothing: the answer is the same to the byte, also by a broker that was started in between. */
static void the_same_result_a_hundred_times_counts_once_and_is_answered_alike(void **state_)
{
    struct world_scene s;
    struct slp_buf said = { 0 };
    uint8_t before[16], after[16];
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_OK);
    for (int again = 0; again < 100; again++) {
        if (again == 50) {
            world_restart(&s.w);
            world_hello(&s.w, &s.h, NULL, 0);
        }
        world_hash(&s.w, before);
        world_clear(&s.w);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_DUPLICATE);
        const struct slp_outcomes *m = &world_sent(&s.w, s.h.peer, SLP_OUTCOMES, 0)->u.outcomes;
        if (again == 0)
            slp_buf_add(&said, m->outcomes.p, m->outcomes.bytes);
        assert_int_equal(m->ok, 1); /* it is there */
        assert_int_equal(m->outcomes.count, 1);
        assert_int_equal(m->outcomes.bytes, said.n);
        assert_memory_equal(m->outcomes.p, said.p, said.n);
        world_hash(&s.w, after);
        assert_memory_equal(before, after, 16);
    }
    assert_int_equal(state(&s), TASK_DONE);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].state"), ASSIGN_COUNTED);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[1].state"), UINT64_MAX); /* there is no other */
    slp_buf_free(&said);
    world_end(&s.w);
}

static void a_start_repeated_tells_what_is_left_of_the_lease(void **state_)
{
    struct world_scene s;
    int64_t lease;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, &lease), SLP_E_OK);
    assert_int_equal(lease, 10 * MINUTE);
    world_pass(&s.w, 4 * SECOND);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, &lease), SLP_E_DUPLICATE);
    assert_int_equal(lease, 10 * MINUTE - 4 * SECOND);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_OK);
    assert_int_equal(lease, 10 * MINUTE);
    world_end(&s.w);
}

static void another_worker_or_hub_is_refused_and_an_unknown_number_not_found(void **state_)
{
    struct world_scene s;
    struct world_hub other;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0), u = t;
    world_hub(&s.w, &other, "other", 1, 0);
    u.worker = s.h.worker[1];
    assert_int_equal(act(&s, &u, ACT_START), SLP_E_NOT_YOURS);
    assert_int_equal(world_submit(&s.w, &s.h, &u, "a"), SLP_E_NOT_YOURS);
    assert_int_equal(world_submit(&s.w, &other, &t, "a"), SLP_E_NOT_YOURS);
    assert_int_equal(world_act(&s.w, &other, &t, ACT_RELEASE, NULL, NULL), SLP_E_NOT_YOURS);
    static const uint64_t none[] = { 0, 2, 1000, UINT64_MAX, 1ull << 48 };
    for (size_t i = 0; i < 5; i++) {
        u = (struct world_task){ .assignment = none[i], .worker = t.worker };
        assert_int_equal(act(&s, &u, ACT_START), SLP_E_NOT_FOUND);
        assert_int_equal(world_submit(&s.w, &s.h, &u, "a"), SLP_E_NOT_FOUND);
    }
    assert_int_equal(state(&s), TASK_ASSIGNED);
    world_end(&s.w);
}

static void a_result_that_does_not_fit_the_form_changes_nothing(void **state_)
{
    struct world_scene s;
    uint8_t before[16], after[16];
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    world_hash(&s.w, before);
    assert_int_equal(world_submit(&s.w, &s.h, &t, ""), SLP_E_BAD_RESULT); /* a required field left empty */
    world_hash(&s.w, after);
    assert_memory_equal(before, after, 16);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "good"), SLP_E_OK);
    world_end(&s.w);
}

/* ---- late ---- */

static void a_result_after_the_lease_counts_while_nobody_else_has_started(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    act(&s, &t, ACT_START);
    world_pass(&s.w, 11 * MINUTE);
    assert_int_equal(state(&s), TASK_READY);
    assert_int_equal(attempts(&s), 1);
    world_beat(&s.w, &s.h);
    world_hello(&s.w, &s.h, NULL, 0); /* the grace ended its session: it says hello again */
    struct world_task u = given(&s, 1);
    assert_int_not_equal(u.assignment, 0);
    assert_int_equal(u.attempt, 2);
    world_clear(&s.w);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "first"), SLP_E_OK);
    struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_RECALL, 0); /* the other one had not begun: it is taken back */
    assert_non_null(m);
    uint64_t no;
    struct slp_cursor c = slp_each(m->u.recall.assignments);
    assert_true(slp_next_u64(&c, &no));
    assert_int_equal(no, u.assignment);
    assert_int_equal(act(&s, &u, ACT_START), SLP_E_STALE);
    assert_int_equal(world_submit(&s.w, &s.h, &u, "second"), SLP_E_LATE);
    struct slp_output_get q = { .run = world_str("r") };
    m = world_read(&s.w, SLP_OUTPUT_GET, &q);
    assert_int_equal(m->u.output.rows.count, 1);
    struct slr r = slr_on(m->u.output.rows.p, m->u.output.rows.bytes);
    struct slr_value v;
    for (int i = 0; i < 4; i++)
        assert_int_equal(slr_next(&r, &v), 0);
    assert_true(slr_str_is(&v, "first"));
    world_end(&s.w);
}

static void a_result_after_the_lease_is_kept_as_late_once_another_has_started(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    act(&s, &t, ACT_START);
    world_pass(&s.w, 11 * MINUTE);
    world_hello(&s.w, &s.h, NULL, 0);
    struct world_task u = given(&s, 1);
    act(&s, &u, ACT_START);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "late one"), SLP_E_LATE);
    assert_int_equal(state(&s), TASK_STARTED);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "late one"), SLP_E_LATE);
    assert_int_equal(world_submit(&s.w, &s.h, &u, "counted"), SLP_E_OK);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[1].state"),
                     ASSIGN_COUNTED); /* from the newest back */
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].state"), ASSIGN_LATE);
    assert_true(world_story_is(&s.w, "r", 1, "stations[0].assignments[0].result.answer", "late one"));
    world_end(&s.w);
}

static void a_result_after_the_task_was_done_by_another_is_late(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    assert_int_equal(act(&s, &t, ACT_RELEASE), SLP_E_OK);
    struct world_task u = given(&s, 1);
    assert_int_equal(world_submit(&s.w, &s.h, &u, "theirs"), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "mine"), SLP_E_LATE);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 1);
    world_end(&s.w);
}

static void a_result_of_a_buried_or_waiting_task_still_counts(void **state_)
{
    static const unsigned acts[] = { ACT_BURY, ACT_FAIL };
    (void)state_;
    for (int i = 0; i < 2; i++) {
        struct world_scene s;
        world_scene(&s, simple, 1, 0);
        world_put(&s.w, s.run, 1);
        struct world_task t = given(&s, 0);
        act(&s, &t, acts[i]);
        assert_int_equal(state(&s), i ? TASK_WAITING : TASK_DEAD);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "after all"), SLP_E_OK);
        assert_int_equal(state(&s), TASK_DONE);
        world_pass(&s.w, 20 * SECOND); /* the entry of its back-off is stale now: nothing happens */
        assert_int_equal(state(&s), TASK_DONE);
        struct slp_tasks_get q = { .station_id = s.station, .which = 2 };
        assert_int_equal(world_read(&s.w, SLP_TASKS_GET, &q)->u.tasks.rows.count, 0);
        world_end(&s.w);
    }
}

/* ---- time ---- */

static void what_is_not_started_in_time_goes_back_uncounted(void **state_)
{
    struct world_scene s;
    struct world_task t = in_state(&s, EXPIRED);
    (void)state_;
    assert_int_equal(state(&s), TASK_READY);
    assert_int_equal(attempts(&s), 0);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].assignments[0].why"), WHY_EXPIRED);
    assert_true(world_story_is(&s.w, "r", 1, "history[0].reason", "not started in time"));
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_RECALL, 0)->u.recall.code, 4);
    struct world_task u = given(&s, 0);
    assert_int_equal(u.attempt, 1);
    assert_int_not_equal(u.assignment, t.assignment);
    world_end(&s.w);
}

static void a_touch_renews_the_lease_and_a_silent_worker_loses_it(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    act(&s, &t, ACT_START);
    for (int i = 0; i < 4 * 60; i++) { /* twenty minutes of a lease of ten */
        world_pass(&s.w, 5 * SECOND);
        assert_int_equal(act(&s, &t, ACT_TOUCH), SLP_E_OK);
    }
    assert_int_equal(state(&s), TASK_STARTED);
    world_pass(&s.w, 10 * MINUTE - 1);
    assert_int_equal(state(&s), TASK_STARTED);
    world_pass(&s.w, 1);
    assert_int_equal(state(&s), TASK_READY);
    assert_int_equal(attempts(&s), 1);
    world_end(&s.w);
}

static void a_lease_runs_on_through_restarts_and_a_clock_that_is_set(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    act(&s, &t, ACT_START);
    world_pass(&s.w, 9 * MINUTE);
    s.w.wall_us += 3ll * 24 * 3600 * SECOND; /* somebody sets the clock three days ahead */
    world_restart(&s.w);
    world_pass(&s.w, 30 * SECOND);
    assert_int_equal(state(&s), TASK_STARTED);
    s.w.wall_us -= 6ll * 24 * 3600 * SECOND;
    world_pass(&s.w, 29 * SECOND);
    assert_int_equal(state(&s), TASK_STARTED);
    world_pass(&s.w, SECOND);
    assert_int_equal(state(&s), TASK_READY);
    world_end(&s.w);
}

/* The machine of the broker sleeps, or goes down and up, in the fourth minute of a lease of ten. Nothing ticks meanwhile: one moment comes after the other. */
static void while_the_machine_is_away(struct world_scene *s, int64_t away_us, int64_t up_us)
{
    struct clock_record then = { .boot_id = "a", .store_id = "s", .boot_us = HOUR, .elapsed_us = s->w.now_us };
    struct clock_record now = { .boot_id = "a", .store_id = "s", .boot_us = up_us ? up_us : HOUR + away_us };
    now.boot_id[0] = up_us ? 'b' : 'a';
    s->w.wall_us += away_us;
    if (!up_us) {
        s->w.now_us = clock_elapsed_at(&then, &now, s->w.now_us);
        world_tick(&s->w);
        return;
    }
    int64_t stored_us = engine_elapsed_us(s->w.engine);
    assert_int_equal(stored_us, s->w.now_us); /* as of the last commit */
    world_down(&s->w);
    s->w.now_us = clock_elapsed_at(&then, &now, stored_us);
    world_up(&s->w);
    world_pass(&s->w, 0);
}

static void over_a_suspension_and_a_reboot_a_lease_holds_or_ends_by_the_rule(void **state_)
{
    static const struct {
        int64_t away_us, up_us; /* up_us: since it booted; 0: it was only asleep */
        int64_t left_us;        /* of the lease; 0: it is over */
    } rows[] = {
        { 5 * MINUTE, 0, MINUTE },
        { 6 * MINUTE, 0, 0 },
        { 72 * HOUR, 0, 0 },
        { 72 * HOUR, 30 * SECOND, 5 * MINUTE + 30 * SECOND }, /* how long it was off nobody knows: it does not count */
        { 72 * HOUR, 6 * MINUTE, 0 },
    };
    (void)state_;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world_scene s;
        int64_t left_us;
        world_scene(&s, simple, 2, 0);
        world_put(&s.w, s.run, 1);
        struct world_task t = given(&s, 0);
        act(&s, &t, ACT_START);
        world_pass(&s.w, 4 * MINUTE);
        while_the_machine_is_away(&s, rows[i].away_us, rows[i].up_us);
        world_hello(&s.w, &s.h, &t.assignment, 1);
        assert_int_equal(state(&s), rows[i].left_us ? TASK_STARTED : TASK_READY);
        if (rows[i].left_us) {
            assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, &left_us), SLP_E_DUPLICATE);
            assert_int_equal(left_us, rows[i].left_us);
            world_pass(&s.w, left_us - 1);
            assert_int_equal(state(&s), TASK_STARTED);
            world_pass(&s.w, 1);
            assert_int_equal(state(&s), TASK_READY);
        }
        assert_int_equal(attempts(&s), 1);
        world_hello(&s.w, &s.h, NULL, 0); /* and nothing is stuck: somebody else does it */
        t = given(&s, 1);
        assert_int_equal(t.attempt, 2);
        assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_OK);
        assert_int_equal(state(&s), TASK_DONE);
        world_end(&s.w);
    }
}

static void a_release_with_a_delay_rests_the_task_and_counts_nothing(void **state_)
{
    struct world_scene s;
    struct slp_buf b = { 0 };
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    struct slp_item_act it = {
        .act = ACT_RELEASE, .assignment = t.assignment, .worker = t.worker, .delay_us = 3 * SECOND
    };
    SLP_SET(&it, item_act, delay_us);
    slp_pack_item(&b, SLP_ITEM_act, &it);
    struct slp_acts q = { .session = s.h.session, .acts = { b.p, (uint32_t)b.n, 1 } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ACTS, &q)->u.outcomes.ok, 1);
    slp_buf_free(&b);
    assert_int_equal(state(&s), TASK_WAITING);
    world_pass(&s.w, 3 * SECOND - 1);
    assert_int_equal(state(&s), TASK_WAITING);
    world_pass(&s.w, 1);
    assert_int_equal(state(&s), TASK_READY);
    assert_int_equal(attempts(&s), 0);
    world_end(&s.w);
}

static void back_off_doubles_and_the_last_attempt_kills(void **state_)
{
    struct world_scene s;
    int64_t wait = 10 * SECOND;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned attempt = 1; attempt <= 2; attempt++, wait *= 2) {
        struct world_task t = given(&s, 0);
        assert_int_equal(t.attempt, attempt);
        act(&s, &t, ACT_START);
        assert_int_equal(world_act(&s.w, &s.h, &t, ACT_FAIL, "no luck", NULL), SLP_E_OK);
        assert_int_equal(state(&s), TASK_WAITING);
        assert_int_equal(attempts(&s), attempt);
        world_beat(&s.w, &s.h);
        world_pass(&s.w, wait - 1);
        assert_int_equal(state(&s), TASK_WAITING);
        world_beat(&s.w, &s.h);
        world_pass(&s.w, 1);
        assert_int_equal(state(&s), TASK_READY);
    }
    world_hello(&s.w, &s.h, NULL, 0);
    struct world_task t = given(&s, 0);
    assert_int_equal(t.attempt, 3);
    world_act(&s.w, &s.h, &t, ACT_FAIL, "the third time", NULL);
    assert_int_equal(state(&s), TASK_DEAD);
    struct slp_tasks_get q = { .station_id = s.station, .which = 2 };
    struct slp_msg *m = world_read(&s.w, SLP_TASKS_GET, &q);
    struct slp_cursor c = slp_each(m->u.tasks.rows);
    struct slp_item_task_row row;
    assert_true(slp_next_task_row(&c, &row));
    assert_int_equal(row.attempts, 3);
    assert_int_equal(row.reason.n, strlen("the third time"));
    assert_memory_equal(row.reason.p, "the third time", row.reason.n);
    world_end(&s.w);
}

static void a_failure_may_name_its_own_delay_but_not_a_year_and_a_day(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    static const uint64_t delay[] = { UINT64_MAX, (uint64_t)SL_DELAY_US_MAX + 1, 3 * SECOND };
    static const int want[] = { SLP_E_BAD_VALUE, SLP_E_BAD_VALUE, SLP_E_OK };
    for (int i = 0; i < 3; i++) {
        struct slp_buf b = { 0 };
        struct slp_item_act it = {
            .act = ACT_FAIL, .assignment = t.assignment, .worker = t.worker, .delay_us = delay[i]
        };
        SLP_SET(&it, item_act, delay_us);
        slp_pack_item(&b, SLP_ITEM_act, &it);
        struct slp_acts q = { .session = s.h.session, .acts = { b.p, (uint32_t)b.n, 1 } };
        struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_ACTS, &q);
        struct slp_item_outcome o = { .code = SLP_E_OK };
        struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
        slp_next_outcome(&c, &o);
        assert_int_equal(o.code, want[i]);
        assert_int_equal(m->u.outcomes.ok, want[i] == SLP_E_OK);
        slp_buf_free(&b);
    }
    world_pass(&s.w, 3 * SECOND - 1);
    assert_int_equal(state(&s), TASK_WAITING);
    world_pass(&s.w, 1);
    assert_int_equal(state(&s), TASK_READY);
    world_end(&s.w);
}

static void leases_that_run_out_count_as_attempts_until_the_task_is_dead(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 1; i <= 3; i++) {
        world_hello(&s.w, &s.h, NULL, 0);
        struct world_task t = given(&s, 0);
        assert_int_equal(t.attempt, i);
        act(&s, &t, ACT_START);
        world_pass(&s.w, 10 * MINUTE);
        assert_int_equal(attempts(&s), i);
        assert_int_equal(state(&s), i < 3 ? TASK_READY : TASK_DEAD);
    }
    assert_int_equal(world_run_get(&s.w, "r")->u.run_info.run.count, 1);
    world_end(&s.w);
}

static void a_task_that_ends_whoever_has_it_is_parked_with_its_story_and_the_others_flow(void **state_)
{
    struct world_scene s;
    unsigned done = 0;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 9);
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        struct world_task t = given(&s, 0), u;
        assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), "unit 1");
        assert_int_equal(t.attempt, attempt);
        act(&s, &t, ACT_START);
        for (int i = 0; i < 2; i++, done++) { /* beside it */
            u = given(&s, 1);
            assert_int_equal(world_submit(&s.w, &s.h, &u, "a"), SLP_E_OK);
        }
        world_pass(&s.w, 10 * MINUTE); /* nothing is heard of who has it */
        assert_int_equal(attempts(&s), attempt);
        assert_int_equal(state(&s), attempt < 3 ? TASK_READY : TASK_DEAD);
        world_hello(&s.w, &s.h, NULL, 0);
    }
    for (struct world_task t; t = given(&s, 0), t.assignment; done++) /* behind it */
        assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_OK);
    assert_int_equal(done, 8);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 8);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DEAD), 1);
    for (unsigned i = 0; i < 3; i++) {
        char what[64], why[64];
        snprintf(what, sizeof what, "history[%u].what", i);
        snprintf(why, sizeof why, "stations[0].assignments[%u].why", i);
        assert_int_equal(world_story(&s.w, "r", 1, what), WHY_EXPIRED);
        assert_int_equal(world_story(&s.w, "r", 1, why), WHY_EXPIRED);
    }
    world_end(&s.w);
}

/* ---- decline ---- */

static void who_declined_a_task_gets_the_next_one_and_another_gets_this(void **state_)
{
    struct world_scene s;
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 2);
    struct world_task t = given(&s, 0);
    assert_int_equal(act(&s, &t, ACT_DECLINE), SLP_E_OK);
    assert_int_equal(attempts(&s), 0);
    struct world_task u = given(&s, 0); /* the declined one comes first, but not to him */
    assert_string_equal(world_shown(&s.w, &s.h, u.assignment, 0), "unit 2");
    assert_int_equal(given(&s, 0).assignment, 0); /* nothing is left that he may do */
    struct slp_why_get q = { .session = s.h.session, .worker = s.h.worker[0] };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 7);
    struct world_task v = given(&s, 1);
    assert_string_equal(world_shown(&s.w, &s.h, v.assignment, 0), "unit 1");
    act(&s, &v, ACT_FAIL); /* the exclusion outlives other ends of the task */
    world_beat(&s.w, &s.h);
    world_pass(&s.w, 10 * SECOND);
    assert_int_equal(state(&s), TASK_READY);
    world_restart(&s.w);
    uint64_t held = u.assignment;
    world_hello(&s.w, &s.h, &held, 1);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_not_equal(given(&s, 1).assignment, 0);
    world_end(&s.w);
}

/* ---- operators ---- */

static void a_requeue_wakes_the_dead_only_and_attempts_begin_again(void **state_)
{
    struct world_scene s;
    uint64_t unit = 1, none[] = { 0, 2, UINT64_MAX };
    (void)state_;
    world_scene(&s, simple, 2, 0);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", none, 3), 0);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 0); /* ready */
    struct world_task t = given(&s, 0);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 0); /* assigned */
    act(&s, &t, ACT_START);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 0); /* started */
    act(&s, &t, ACT_FAIL);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 0); /* waiting */
    world_beat(&s.w, &s.h);
    world_pass(&s.w, 10 * SECOND);
    t = given(&s, 0);
    act(&s, &t, ACT_BURY);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 1); /* dead */
    assert_int_equal(state(&s), TASK_READY);
    assert_int_equal(attempts(&s), 0);
    t = given(&s, 0);
    assert_int_equal(t.attempt, 1);
    world_submit(&s.w, &s.h, &t, "a");
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", &unit, 1), 0); /* done */
    world_end(&s.w);
}

static void a_drop_ends_the_unit_and_recalls_its_siblings(void **state_)
{
    struct world_scene s;
    uint64_t unit = 1;
    (void)state_;
    world_scene(&s, twins, 2, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0), u = given(&s, 1);
    act(&s, &t, ACT_START);
    world_clear(&s.w);
    assert_int_equal(world_tasks_set(&s.w, s.station + 2, 1, "r", &unit, 1), 1); /* by way of the blocked one */
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_RECALL, 0)->u.recall.code, 3);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DROPPED);
    for (int i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof path, "stations[%d].state", i);
        assert_int_equal(world_story(&s.w, "r", 1, path), TASK_ENDED);
    }
    assert_int_equal(act(&s, &u, ACT_START), SLP_E_STALE); /* recalled */
    assert_int_equal(world_story(&s.w, "r", 1, "stations[1].assignments[0].why"), WHY_RECALLED);
    assert_int_equal(act(&s, &t, ACT_TOUCH), SLP_E_OK); /* a started one goes on, and is payable */
    assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_LATE);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", &unit, 1), 0); /* ended */
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    struct slp_cursor c = slp_each(world_run_get(&s.w, "r")->u.run_info.run);
    struct slp_item_run_row row;
    assert_true(slp_next_run_row(&c, &row));
    assert_int_equal(row.state, RUN_DONE); /* all that it had is done or dropped */
    world_end(&s.w);
}

static void a_drop_of_what_is_done_or_skipped_is_not_counted(void **state_)
{
    static const char *const yaml =
        "line: skip\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
        "  - name: first\n    form: {fields: [{name: answer, type: short_answer}]}\n"
        "  - name: never\n    when: first.answer == \"yes\"\n    form: {fields: [{name: answer, type: short_answer}]}\n"
        "  - name: last\n    after: [first]\n    form: {fields: [{name: answer, type: short_answer}]}\n";
    struct world_scene s;
    uint64_t unit = 1;
    (void)state_;
    world_scene(&s, yaml, 1, 0);
    world_put(&s.w, s.run, 1);
    struct world_task t = given(&s, 0);
    world_submit(&s.w, &s.h, &t, "no");
    assert_int_equal(world_story(&s.w, "r", 1, "stations[1].state"), TASK_SKIPPED);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", &unit, 1), 0);
    assert_int_equal(world_tasks_set(&s.w, s.station + 1, 1, "r", &unit, 1), 0);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_OPEN);
    assert_int_equal(world_tasks_set(&s.w, s.station + 2, 1, "r", &unit, 1), 1);
    world_end(&s.w);
}

static void all_the_dead_are_requeued_or_dropped_in_one_command(void **state_)
{
    struct world_scene s;
    struct world_task t[20];
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 20);
    for (int round = 0; round < 2; round++) {
        world_clear(&s.w);
        world_credit(&s.w, &s.h, 0, 20);
        assert_int_equal(world_tasks(&s.w, &s.h, t, 20), 20);
        for (int i = 0; i < 20; i++)
            assert_int_equal(act(&s, &t[i], ACT_BURY), SLP_E_OK);
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_DEAD), 20);
        assert_int_equal(world_tasks_set(&s.w, s.station, (unsigned)round, round ? "r" : NULL, NULL, 0), 20);
        world_pass(&s.w, 0);
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_DEAD), 0);
        assert_int_equal(world_count(&s.w, "r", "judge", round ? TASK_ENDED : TASK_READY), 20);
    }
    assert_true(world_story_is(&s.w, "r", 7, "history[3].reason", "by hand"));
    world_end(&s.w);
}

static void operators_name_what_is_there_or_get_a_code(void **state_)
{
    struct world_scene s;
    struct slp_buf b = { 0 };
    (void)state_;
    world_scene(&s, simple, 1, 0);
    slp_pack_u64(&b, 1);
    struct slp_tasks_set q = { .station_id = s.station + 1 };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_TASKS_SET, &q)), SLP_E_NOT_FOUND);
    q.station_id = UINT64_MAX;
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_TASKS_SET, &q)), SLP_E_NOT_FOUND);
    q = (struct slp_tasks_set){ .station_id = s.station, .units = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&q, tasks_set, units);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_TASKS_SET, &q)), SLP_E_MISSING_FIELD);
    q.run = world_str("nobody");
    SLP_SET(&q, tasks_set, run);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_TASKS_SET, &q)), SLP_E_NOT_FOUND);
    slp_buf_free(&b);
    world_end(&s.w);
}

/* The line's back-off and how many hours it comes to, attempt by attempt. */
static void rests_so_long(const char *backoff, const int64_t *hours)
{
    struct world_scene s;
    char yaml[300];
    snprintf(yaml, sizeof yaml,
             "line: slow\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    backoff: %s\n    "
             "attempts: 9\n    form: {fields: [{name: answer, type: short_answer}]}\n",
             backoff);
    world_scene(&s, yaml, 1, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 0; i < 5; i++) {
        struct world_task t = given(&s, 0);
        assert_int_equal(t.attempt, i + 1);
        assert_int_equal(world_act(&s.w, &s.h, &t, ACT_FAIL, "no luck", NULL), SLP_E_OK);
        world_pass(&s.w, hours[i] * 60 * MINUTE - 1);
        assert_int_equal(state(&s), TASK_WAITING);
        world_pass(&s.w, 1);
        assert_int_equal(state(&s), TASK_READY);
        world_hello(&s.w, &s.h, NULL, 0);
    }
    world_end(&s.w);
}

static void a_back_off_is_doubled_up_to_a_day(void **state_)
{
    (void)state_;
    rests_so_long("7h", (const int64_t[]){ 7, 14, 24, 24, 24 });
}

static void a_back_off_that_is_longer_than_a_day_is_what_the_line_says(void **state_)
{
    (void)state_;
    rests_so_long("3d", (const int64_t[]){ 72, 72, 72, 72, 72 });
}

static void those_that_fail_in_one_frame_wait_each_as_long_as_was_said(void **state_)
{
    struct world_scene s;
    struct slp_buf b = { 0 };
    (void)state_;
    world_scene(&s, simple, 1, 0);
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_take(&s, 0, 3), 3);
    for (unsigned i = 0; i < 3; i++) {
        struct slp_item_act a = { .act = ACT_FAIL,
                                  .assignment = s.t[i].assignment,
                                  .worker = s.t[i].worker,
                                  .reason = world_str("later"),
                                  .delay_us = (uint64_t)(i + 1) * MINUTE };
        SLP_SET(&a, item_act, reason);
        SLP_SET(&a, item_act, delay_us);
        slp_pack_item(&b, SLP_ITEM_act, &a);
    }
    struct slp_acts q = { .session = s.h.session, .acts = { b.p, (uint32_t)b.n, 3 } };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ACTS, &q)->u.outcomes.ok, 3);
    slp_buf_free(&b);
    struct slp_tasks_get waiting = { .station_id = s.station, .which = 1 };
    struct slp_cursor c = slp_each(world_read(&s.w, SLP_TASKS_GET, &waiting)->u.tasks.rows);
    struct slp_item_task_row row;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(slp_next_task_row(&c, &row));
        assert_int_equal(row.unit, i + 1);
        assert_int_equal(row.due_us, (i + 1) * MINUTE);
    }
    struct slp_events_get e = { .since = 1 };
    struct slp_cursor events = slp_each(world_read(&s.w, SLP_EVENTS_GET, &e)->u.events.events);
    unsigned n = 0;
    for (struct slp_item_event ev; slp_next_event(&events, &ev);)
        n += ev.type == 8; /* TASKS_WAITING: an event has one due time */
    assert_int_equal(n, 3);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_act_meets_every_state_as_the_matrix_says),
        cmocka_unit_test(a_submit_meets_every_state_as_the_matrix_says),
        cmocka_unit_test(the_same_result_a_hundred_times_counts_once_and_is_answered_alike),
        cmocka_unit_test(a_start_repeated_tells_what_is_left_of_the_lease),
        cmocka_unit_test(another_worker_or_hub_is_refused_and_an_unknown_number_not_found),
        cmocka_unit_test(a_result_that_does_not_fit_the_form_changes_nothing),
        cmocka_unit_test(a_result_after_the_lease_counts_while_nobody_else_has_started),
        cmocka_unit_test(a_result_after_the_lease_is_kept_as_late_once_another_has_started),
        cmocka_unit_test(a_result_after_the_task_was_done_by_another_is_late),
        cmocka_unit_test(a_result_of_a_buried_or_waiting_task_still_counts),
        cmocka_unit_test(what_is_not_started_in_time_goes_back_uncounted),
        cmocka_unit_test(a_touch_renews_the_lease_and_a_silent_worker_loses_it),
        cmocka_unit_test(a_lease_runs_on_through_restarts_and_a_clock_that_is_set),
        cmocka_unit_test(over_a_suspension_and_a_reboot_a_lease_holds_or_ends_by_the_rule),
        cmocka_unit_test(a_release_with_a_delay_rests_the_task_and_counts_nothing),
        cmocka_unit_test(back_off_doubles_and_the_last_attempt_kills),
        cmocka_unit_test(a_failure_may_name_its_own_delay_but_not_a_year_and_a_day),
        cmocka_unit_test(leases_that_run_out_count_as_attempts_until_the_task_is_dead),
        cmocka_unit_test(a_task_that_ends_whoever_has_it_is_parked_with_its_story_and_the_others_flow),
        cmocka_unit_test(who_declined_a_task_gets_the_next_one_and_another_gets_this),
        cmocka_unit_test(a_requeue_wakes_the_dead_only_and_attempts_begin_again),
        cmocka_unit_test(a_drop_ends_the_unit_and_recalls_its_siblings),
        cmocka_unit_test(a_drop_of_what_is_done_or_skipped_is_not_counted),
        cmocka_unit_test(all_the_dead_are_requeued_or_dropped_in_one_command),
        cmocka_unit_test(operators_name_what_is_there_or_get_a_code),
        cmocka_unit_test(a_back_off_is_doubled_up_to_a_day),
        cmocka_unit_test(a_back_off_that_is_longer_than_a_day_is_what_the_line_says),
        cmocka_unit_test(those_that_fail_in_one_frame_wait_each_as_long_as_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
