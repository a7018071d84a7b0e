/* The engine: how units go through a line, from put to done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    type: work\n    worker: {kind: any}\n    form:\n      fields:\n"
    "        - {name: answer, type: short_answer, required: true}\n    lease: 10m\n    attempts: 3\n";

static void a_unit_is_assigned_submitted_and_done(void **state)
{
    struct world w = { 0 };
    struct world_hub h;
    struct world_task t[10];
    (void)state;
    world_open(&w);
    world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r1");
    world_hub(&w, &h, "nairobi", 1, 1);
    world_credit(&w, &h, 0, 4);
    world_clear(&w);
    assert_int_equal(world_put(&w, run, 3), 1);
    assert_int_equal(world_tasks(&w, &h, t, 10), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(world_submit(&w, &h, &t[i], "yes"), SLP_E_OK);
    assert_int_equal(world_count(&w, "r1", "judge", TASK_DONE), 3);
    assert_int_equal(world_submit(&w, &h, &t[0], "yes"), SLP_E_DUPLICATE);
    world_restart(&w);
    assert_int_equal(world_count(&w, "r1", "judge", TASK_DONE), 3);
    struct slp_output_get q = { .run = world_str("r1") };
    struct slp_msg *m = world_read(&w, SLP_OUTPUT_GET, &q);
    assert_int_equal(m->type, SLP_OUTPUT);
    assert_int_equal(m->u.output.rows.count, 3);
    world_close(&w);
}

static void a_backlog_is_served_first_in_first_out_after_a_restart(void **state)
{
    struct world w = { 0 };
    struct world_hub h;
    static struct world_task t[3000];
    (void)state;
    world_open(&w);
    world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r1");
    for (int i = 0; i < 20; i++)
        world_put(&w, run, 100);
    world_restart(&w);
    world_hub(&w, &h, "nairobi", 1, 1);
    world_clear(&w);
    world_credit(&w, &h, 0, 700);
    world_credit(&w, &h, 0, 700);
    size_t n = world_tasks(&w, &h, t, 3000);
    assert_int_equal(n, 1400);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t[i].assignment, i + 1);
    world_restart(&w);
    uint64_t held[1];
    world_clear(&w);
    world_hello(&w, &h, held, 0);
    assert_int_equal(world_tasks(&w, &h, t, 3000), 1400); /* pushed again: the agent held none of them */
    for (size_t i = 0; i < 1400; i++)
        assert_int_equal(world_submit(&w, &h, &t[i], "x"), SLP_E_OK);
    world_clear(&w);
    world_credit(&w, &h, 0, 700);
    assert_int_equal(world_tasks(&w, &h, t, 3000), 600);
    assert_int_equal(world_count(&w, "r1", "judge", TASK_READY), 0);
    assert_int_equal(world_count(&w, "r1", "judge", TASK_DONE), 1400);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_is_assigned_submitted_and_done),
        cmocka_unit_test(a_backlog_is_served_first_in_first_out_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
