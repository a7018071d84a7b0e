/* The engine: a mass operation takes what was there when it began, however long it goes on: what is parked meanwhile, and what is of a run that is over, is not meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

enum event_type {
#define EVENT(NAME, number, ids, data, text) EV_##NAME = number,
#include "proto/events.def"
#undef EVENT
};
enum { BURY = 5, REQUEUE = 0, DROP = 1, CANCEL = 3 };

static const char *const simple = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                                  "  - name: s\n    form: {fields: [{name: a, type: short_answer}]}\n";

static struct world_task t[4001]; /* one more than is ever asked for */

/* So many are given, and parked, but for this one (n: none), which its worker keeps in hand. */
static struct world_task bury_all_but(struct world_scene *s, unsigned n, unsigned kept)
{
    world_clear(&s->w);
    world_credit(&s->w, &s->h, 0, n);
    assert_int_equal(world_tasks(&s->w, &s->h, t, 4000), n);
    for (unsigned i = 0; i < n; i++)
        if (i != kept)
            assert_int_equal(world_act(&s->w, &s->h, &t[i], BURY, "no", NULL), SLP_E_OK);
    return t[kept];
}

static void pass_ticks(struct world_scene *s)
{
    for (int i = 0; i < 20; i++)
        world_tick(&s->w);
}

/* Of 1200 units all are parked but number 1101, and are requeued or dropped; in the midst of that 1101 is parked, too. */
static void parked_in_the_midst(struct world_scene *s, unsigned action)
{
    world_scene(s, simple, 1, 1);
    world_put(&s->w, s->run, 1200);
    struct world_task last = bury_all_but(s, 1200, 1100);
    assert_int_equal(world_tasks_set(&s->w, s->station, action, NULL, NULL, 0), 1199);
    world_tick(&s->w);
    assert_int_equal(world_act(&s->w, &s->h, &last, BURY, "no", NULL), SLP_E_OK);
    pass_ticks(s);
}

/* What is parked of a run that was cancelled a moment ago takes no part in a requeue of the station. */
static void a_requeue_after_a_cancel_brings_back_what_it_said(void **state)
{
    (void)state;
    struct world_scene s;
    world_scene(&s, simple, 1, 1);
    world_put(&s.w, s.run, 1200);
    bury_all_but(&s, 1200, 1200);
    uint64_t b = world_run(&s.w, "l", "b");
    world_put(&s.w, b, 3);
    bury_all_but(&s, 3, 3);
    assert_int_equal(world_run_set(&s.w, "r", CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_tasks_set(&s.w, s.station, REQUEUE, NULL, NULL, 0), 3);
    pass_ticks(&s);
    assert_int_equal(world_count(&s.w, "b", "s", TASK_DEAD), 0);
    world_end(&s.w);
}

/* What is parked while a requeue goes on does not take the place of what was parked before. */
static void a_requeue_brings_back_all_that_was_parked(void **state)
{
    (void)state;
    struct world_scene s;
    parked_in_the_midst(&s, REQUEUE);
    assert_int_not_equal(world_story(&s.w, "r", 1200, "stations[0].state"), TASK_DEAD);
    world_end(&s.w);
}

/* ... nor is it dropped with them: nobody has seen it. */
static void a_drop_takes_none_that_was_parked_since(void **state)
{
    (void)state;
    struct world_scene s;
    parked_in_the_midst(&s, DROP);
    assert_int_equal(world_story(&s.w, "r", 1101, "stations[0].state"), TASK_DEAD);
    world_end(&s.w);
}

/* What the last mass operation of this kind tells that it changed; UINT64_MAX: none came to its end. */
static uint64_t told(struct world_scene *s, enum sweep_what what)
{
    struct slp_events_get q = { .since = 1 };
    struct slp_msg *m;
    uint64_t count = UINT64_MAX;
    do {
        m = world_read(&s->w, SLP_EVENTS_GET, &q);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event e; slp_next_event(&c, &e);)
            if (e.type == EV_SWEPT && world_number(world_at(e.data, "what")) == what)
                count = world_number(world_at(e.data, "count"));
        q.since = m->u.events.next_since;
    } while (m->u.events.more);
    return count;
}

/* As a simulated world asks for it: a tick takes no more than that of what goes in portions, a start goes on, and all comes to the same end. */
static void a_portion_is_no_larger_than_it_may_be(void **state)
{
    (void)state;
    struct world_scene s;
    world_scene(&s, simple, 1, 1);
    world_put(&s.w, s.run, 6);
    bury_all_but(&s, 6, 6);
    s.w.cfg.portion_max = 2;
    world_restart(&s.w);
    assert_int_equal(world_tasks_set(&s.w, s.station, DROP, NULL, NULL, 0), 6);
    for (unsigned left = 6, was = left; left; was = left) {
        world_tick(&s.w);
        left = (unsigned)world_count(&s.w, "r", "s", TASK_DEAD);
        assert_in_range(was - left, 0, 2);
        if (left == 4)
            world_restart(&s.w);
    }
    assert_int_equal(told(&s, SWEEP_DROP), 6);
    world_end(&s.w);
}

/* Not how many records went: those depend on what came together, and on what had been written by then. */
static void a_cancel_and_a_deletion_tell_how_many_units_they_ended(void **state)
{
    (void)state;
    for (unsigned batch = 1; batch < 200; batch += 198) {
        struct world_scene s;
        world_scene(&s, simple, 1, 1);
        world_batch(&s.w, batch);
        world_put(&s.w, s.run, 1200);
        struct slp_run_set q = { .run = world_str("r"), .action = CANCEL };
        world_send(&s.w, WORLD_CLIENT, SLP_RUN_SET, &q);
        pass_ticks(&s);
        world_batch(&s.w, batch);
        assert_int_equal(told(&s, SWEEP_CANCEL), 1200);
        q.action = RUN_SET_DELETE;
        world_send(&s.w, WORLD_CLIENT, SLP_RUN_SET, &q);
        pass_ticks(&s);
        world_batch(&s.w, 1);
        assert_int_equal(told(&s, SWEEP_DELETE), 1200);
        world_end(&s.w);
    }
}

/* A pause that is taken back before its sweep came by recalls nothing, though the line's first station is paused for itself. */
static void a_pause_that_was_taken_back_recalls_nothing(void **state)
{
    (void)state;
    for (int of_run = 0; of_run < 2; of_run++) {
        struct world_scene s;
        world_scene(&s,
                    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                    "  - name: a\n    form: {fields: [{name: x, type: short_answer}]}\n"
                    "  - name: b\n    after: []\n    form: {fields: [{name: x, type: short_answer}]}\n",
                    1, 1);
        assert_int_equal(world_station_set(&s.w, "l", "a", 0), SLP_E_OK);
        pass_ticks(&s);
        world_put(&s.w, s.run, 1);
        assert_int_equal(world_take(&s, 0, 1), 1);
        for (unsigned back = 0; back < 2; back++)
            assert_int_equal(of_run ? world_run_set(&s.w, "r", back ? RUN_SET_RESUME : RUN_SET_PAUSE, 0)
                                    : world_line_set(&s.w, "l", back, false),
                             SLP_E_OK);
        pass_ticks(&s);
        assert_null(world_sent(&s.w, s.h.peer, SLP_RECALL, 0));
        assert_int_equal(world_count(&s.w, "r", "b", TASK_ASSIGNED), 1);
        world_end(&s.w);
    }
}

/* However many runs are being deleted: what is paused now is recalled now. */
static void a_pause_does_not_wait_for_deletions(void **state)
{
    (void)state;
    struct world_scene s;
    char name[20];
    world_scene(&s, simple, 1, 1);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "old-%u", i);
        world_put(&s.w, world_run(&s.w, "l", name), 1);
        assert_int_equal(world_run_set(&s.w, name, RUN_SET_CANCEL, 0), SLP_E_OK);
    }
    pass_ticks(&s);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_take(&s, 0, 1), 1);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "old-%u", i);
        assert_int_equal(world_run_set(&s.w, name, RUN_SET_DELETE, 0), SLP_E_OK);
    }
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    world_tick(&s.w);
    assert_int_equal(world_count(&s.w, "r", "s", TASK_READY), 1);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_requeue_after_a_cancel_brings_back_what_it_said),
        cmocka_unit_test(a_requeue_brings_back_all_that_was_parked),
        cmocka_unit_test(a_drop_takes_none_that_was_parked_since),
        cmocka_unit_test(a_pause_that_was_taken_back_recalls_nothing),
        cmocka_unit_test(a_pause_does_not_wait_for_deletions),
        cmocka_unit_test(a_portion_is_no_larger_than_it_may_be),
        cmocka_unit_test(a_cancel_and_a_deletion_tell_how_many_units_they_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
