/* The engine: a store that fails under a batch. Whichever write fails, the batch ends with an error, nothing more is written, and what is
 * reopened is what was there before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n    lease: 10m\n";

static struct world w;
static struct world_hub h;

static uint64_t units_of(const char *run)
{
    struct slp_cursor c = slp_each(world_run_get(&w, run)->u.run_info.run);
    struct slp_item_run_row row = { 0 };
    assert_true(slp_next_run_row(&c, &row));
    uint64_t n = row.units;
    world_clear(&w);
    return n;
}

static enum store_rc one(struct input in)
{
    in.elapsed_us = w.now_us;
    in.wall_us = w.wall_us;
    return engine_step(w.engine, &in);
}

/* Rows for the run, some of which go to a hub that is waiting, and a result; then a tick. False: a write failed. */
static bool busy_batch(uint64_t run, uint64_t assignment, uint64_t fail_put_after)
{
    struct slp_buf rows = { 0 }, values = { 0 }, results = { 0 };
    char text[3000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 5; i++) {
        slp_pack_array(&rows, 1);
        slp_pack_str(&rows, text, sizeof text);
    }
    slp_pack_cstr(&values, "an answer");
    struct slp_item_result r = { .assignment = assignment,
                                 .worker = h.worker[0],
                                 .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&results, SLP_ITEM_result, &r);
    struct slp_msg put = { .type = SLP_PUT, .id = 1 }, submit = { .type = SLP_SUBMIT, .id = 2 };
    put.u.put = (struct slp_put){ .run_id = run, .rows = { rows.p, (uint32_t)rows.n, 5 } };
    submit.u.submit = (struct slp_submit){ .session = h.session, .results = { results.p, (uint32_t)results.n, 1 } };
    struct store_txn *t;
    assert_int_equal(store_begin(w.store, &t), STORE_OK);
    store_faults(w.store)->fail_put_after = fail_put_after;
    enum store_rc rc = engine_batch_begin(w.engine, t, &w.out);
    if (!rc)
        rc = one((struct input){ .kind = INPUT_MESSAGE, .peer = 1, .msg = &put });
    if (!rc)
        rc = one((struct input){ .kind = INPUT_MESSAGE, .peer = h.peer, .msg = &submit });
    if (!rc)
        rc = one((struct input){ .kind = INPUT_TICK });
    enum store_rc ended = engine_batch_end(w.engine);
    assert_true(ended == rc || rc == STORE_OK);
    store_abort(&t); /* in either case: the next round begins where this one did */
    slp_buf_free(&rows);
    slp_buf_free(&values);
    slp_buf_free(&results);
    return ended == STORE_OK;
}

static void a_batch_whose_write_fails_writes_nothing_after_it_whichever_it_is(void **state)
{
    struct world_task t[4];
    uint64_t k = 0;
    (void)state;
    world_open(&w);
    world_line(&w, simple);
    uint64_t run = world_run(&w, "simple", "r");
    world_put(&w, run, 10);
    bool ok = false;
    for (k = 1; !ok && k < 200; k++) {
        if (k == 1)
            world_hub(&w, &h, "hub", 1, 0);
        else
            world_hello(&w, &h, NULL, 0);
        world_clear(&w);
        world_credit(&w, &h, 0, 1);
        size_t n = world_tasks(&w, &h, t, 4);
        ok = busy_batch(run, n ? t[0].assignment : 1, k);
        world_restart(&w);
        assert_int_equal(units_of("r"), 10);
    }
    assert_true(ok);
    assert_in_range(k, 10, 199); /* it was a batch of many writes */
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_whose_write_fails_writes_nothing_after_it_whichever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
