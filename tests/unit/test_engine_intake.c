/* The engine: what comes in with a put. Columns, rows that are refused one by one or all together, numbered producers, idempotency keys, quotas, a store
 * that is full, runs that take no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "broker/store/internal.h"
#include "proto/reader.h"
#include "tests/lib/engine_world.h"

static const char *const three =
    "line: three\ninput:\n  - {name: text, type: text, required: true}\n  - {name: pages, type: number, min: 1}\n"
    "  - {name: lang, type: text, options: [en, ne]}\nstations:\n"
    "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static struct world w;
static uint64_t run;
static struct slp_buf rows, columns, keys;
static struct slp_put put;
static struct slp_put_done done; /* the last answer; its lists are owned by the world */

static int set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    world_open(&w);
    world_line(&w, three);
    run = world_run(&w, "three", "r");
    put = (struct slp_put){ .run_id = run };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&w);
    slp_buf_free(&rows);
    slp_buf_free(&columns);
    slp_buf_free(&keys);
    return 0;
}

static void row(const char *text, const char *pages, const char *lang)
{
    slp_pack_array(&rows, 3);
    const char *v[] = { text, pages, lang };
    for (int i = 0; i < 3; i++)
        if (v[i])
            slp_pack_cstr(&rows, v[i]);
        else
            slp_pack_nil(&rows);
    put.rows.count++;
}

static void key(const char *k)
{
    slp_pack_cstr(&keys, k);
    put.keys.count++;
    SLP_SET(&put, put, keys);
}

static void column(const char *name)
{
    slp_pack_cstr(&columns, name);
    put.columns.count++;
    SLP_SET(&put, put, columns);
}

/* Send what was gathered, and forget it. */
static enum slp_code send(void)
{
    put.rows = (struct slp_list){ rows.p, (uint32_t)rows.n, put.rows.count };
    put.keys = (struct slp_list){ keys.p, (uint32_t)keys.n, put.keys.count };
    put.columns = (struct slp_list){ columns.p, (uint32_t)columns.n, put.columns.count };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_PUT, &put);
    enum slp_code code = world_code(m);
    if (code == SLP_E_OK) {
        assert_int_equal(m->type, SLP_PUT_DONE);
        done = m->u.put_done;
    }
    slp_buf_clear(&rows);
    slp_buf_clear(&columns);
    slp_buf_clear(&keys);
    put = (struct slp_put){ .run_id = run };
    return code;
}

static uint64_t units(void)
{
    struct slp_cursor c = slp_each(world_run_get(&w, "r")->u.run_info.run);
    struct slp_item_run_row r;
    assert_true(slp_next_run_row(&c, &r));
    return r.units;
}

static struct slp_item_unit_result item(unsigned i)
{
    struct slp_cursor c = slp_each(done.items);
    struct slp_item_unit_result it = { 0 };
    for (unsigned k = 0; k <= i; k++)
        assert_true(slp_next_unit_result(&c, &it));
    return it;
}

/* ---- columns ---- */

static void columns_may_stand_in_any_order_and_optional_ones_may_be_missing(void **state)
{
    (void)state;
    column("lang");
    column("text");
    slp_pack_array(&rows, 2);
    slp_pack_cstr(&rows, "ne");
    slp_pack_cstr(&rows, "the text");
    put.rows.count = 1;
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 1);
    assert_true(world_story_is(&w, "r", 1, "input.text", "the text"));
    assert_true(world_story_is(&w, "r", 1, "input.lang", "ne"));
    column("lang"), column("pages"), column("text");
    slp_pack_array(&rows, 3);
    slp_pack_cstr(&rows, "en");
    slp_pack_u64(&rows, 12);
    slp_pack_cstr(&rows, "second");
    put.rows.count = 1;
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(world_story(&w, "r", 2, "input.pages"), 12);
    assert_true(world_story_is(&w, "r", 2, "input.text", "second"));
}

static void unknown_doubled_and_missing_columns_refuse_the_frame(void **state)
{
    static const struct {
        const char *name[3];
        enum slp_code code;
    } cases[] = { { { "text", "nothing", NULL }, SLP_E_BAD_UNIT },
                  { { "text", "text", NULL }, SLP_E_DUPLICATE_KEY },
                  { { "lang", "pages", NULL }, SLP_E_BAD_UNIT },
                  { { "", "text", NULL }, SLP_E_BAD_UNIT } };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (int k = 0; cases[i].name[k]; k++)
            column(cases[i].name[k]);
        slp_pack_array(&rows, 2);
        slp_pack_cstr(&rows, "x");
        slp_pack_cstr(&rows, "en");
        put.rows.count = 1;
        assert_int_equal(send(), cases[i].code);
    }
    assert_int_equal(units(), 0);
}

/* ---- rows ---- */

static void bad_rows_are_named_and_the_good_ones_go_in_in_order(void **state)
{
    (void)state;
    row("first", "1", "en");
    row(NULL, "1", "en"); /* required */
    row("x", "0", "en");  /* below the minimum */
    row("second", NULL, NULL);
    row("x", "1", "fr");      /* not an option */
    slp_pack_array(&rows, 2); /* too short */
    slp_pack_cstr(&rows, "x");
    slp_pack_nil(&rows);
    slp_pack_cstr(&rows, "no row at all");
    put.rows.count += 2;
    row("third", "7", "ne");
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 3);
    assert_int_equal(done.first_unit, 1);
    assert_int_equal(done.items.count, 5);
    static const unsigned want[] = { 1, 2, 4, 5, 6 };
    for (unsigned i = 0; i < 5; i++) {
        struct slp_item_unit_result it = item(i);
        assert_int_equal(it.index, want[i]);
        assert_int_equal(it.code, SLP_E_BAD_UNIT);
        assert_int_equal(it.unit, 0);
        assert_true(it.text.n > 0);
    }
    assert_true(world_story_is(&w, "r", 2, "input.text", "second"));
    assert_true(world_story_is(&w, "r", 3, "input.text", "third"));
}

static void one_bad_row_refuses_all_where_all_or_nothing_is_asked(void **state)
{
    (void)state;
    row("good", NULL, NULL);
    row(NULL, NULL, NULL);
    put.all_or_nothing = true;
    SLP_SET(&put, put, all_or_nothing);
    assert_int_equal(send(), SLP_E_BAD_UNIT);
    assert_int_equal(units(), 0);
    row("good", NULL, NULL);
    row("good, too", NULL, NULL);
    put.all_or_nothing = true;
    SLP_SET(&put, put, all_or_nothing);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(units(), 2);
}

static void a_unit_above_the_limit_is_too_big_and_one_at_it_goes_in(void **state)
{
    static char text[SL_UNIT_BYTES_MAX + 1];
    (void)state;
    memset(text, 'x', sizeof text);
    text[SL_UNIT_BYTES_MAX - 5] = 0; /* with a header of 3 bytes and two nils */
    row(text, NULL, NULL);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 1);
    text[SL_UNIT_BYTES_MAX - 5] = 'x';
    text[SL_UNIT_BYTES_MAX - 4] = 0;
    row(text, NULL, NULL);
    row("small", NULL, NULL);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 1);
    assert_int_equal(item(0).code, SLP_E_TOO_BIG);
    struct slp_output_get q = { .run = world_str("r"), .all_units = true };
    SLP_SET(&q, output_get, all_units);
    assert_int_equal(world_read(&w, SLP_OUTPUT_GET, &q)->u.output.rows.count, 2);
}

/* ---- numbered producers ---- */

static void numbered(uint64_t epoch, uint64_t first_seq)
{
    put.producer = (struct slp_bytes){ "0123456789abcdef", 16 };
    put.epoch = epoch;
    put.first_seq = first_seq;
    SLP_SET(&put, put, producer);
    SLP_SET(&put, put, epoch);
    SLP_SET(&put, put, first_seq);
}

static void producer_is(uint64_t epoch, uint64_t last_seq)
{
    struct slp_producer_get q = { .run_id = run, .producer = { "0123456789abcdef", 16 } };
    struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_PRODUCER_GET, &q);
    assert_int_equal(m->type, SLP_PRODUCER);
    assert_int_equal(m->u.producer.epoch, epoch);
    assert_int_equal(m->u.producer.last_seq, last_seq);
}

static void count_from_to(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char text[20];
        snprintf(text, sizeof text, "row %u", i);
        row(text, NULL, NULL);
    }
}

static void numbered_rows_sent_again_are_counted_as_duplicates(void **state)
{
    (void)state;
    producer_is(0, 0);
    count_from_to(1, 5), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    for (int i = 0; i < 3; i++) {
        count_from_to(1, 5), numbered(1, 1);
        assert_int_equal(send(), SLP_E_OK);
        assert_int_equal(done.accepted, 0);
        assert_int_equal(done.duplicates, 5);
        assert_int_equal(done.first_unit, 0);
        world_restart(&w);
    }
    count_from_to(4, 8), numbered(1, 4); /* a part of it is new */
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 3);
    assert_int_equal(done.duplicates, 2);
    assert_int_equal(done.first_unit, 6);
    producer_is(1, 8);
    assert_true(world_story_is(&w, "r", 8, "input.text", "row 8"));
}

static void a_hole_in_the_numbers_is_refused(void **state)
{
    (void)state;
    count_from_to(1, 2), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_SEQUENCE_GAP);
    count_from_to(4, 4), numbered(1, UINT64_MAX);
    assert_int_equal(send(), SLP_E_SEQUENCE_GAP);
    count_from_to(4, 4), numbered(1, 0);
    assert_int_equal(send(), SLP_E_MISSING_FIELD);
    assert_int_equal(units(), 2);
}

static void a_new_epoch_counts_from_one_and_fences_the_old_one(void **state)
{
    (void)state;
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    count_from_to(4, 4), numbered(2, 4); /* as the old one would have gone on */
    assert_int_equal(send(), SLP_E_SEQUENCE_GAP);
    count_from_to(11, 12), numbered(2, 1);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 2); /* none is taken for a duplicate of the old epoch's */
    producer_is(2, 2);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_OLD_EPOCH);
    assert_int_equal(units(), 5);
}

static void a_raised_epoch_without_rows_fences_the_old_one(void **state)
{
    (void)state;
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    numbered(2, 1);
    assert_int_equal(send(), SLP_E_OK);
    producer_is(2, 0);
    count_from_to(4, 4), numbered(1, 4); /* a late frame of the old one */
    assert_int_equal(send(), SLP_E_OLD_EPOCH);
    assert_int_equal(units(), 3);
}

static void other_bytes_under_the_same_numbers_are_refused(void **state)
{
    (void)state;
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    count_from_to(2, 4), numbered(1, 1);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    assert_int_equal(units(), 3);
}

static void a_numbered_frame_with_a_bad_row_leaves_no_hole(void **state)
{
    (void)state;
    row("good", NULL, NULL), row(NULL, NULL, NULL), row("good", NULL, NULL), numbered(1, 1);
    assert_int_equal(send(), SLP_E_BAD_UNIT);
    producer_is(0, 0);
    put.producer = (struct slp_bytes){ "short", 5 };
    row("good", NULL, NULL);
    put.first_seq = 1;
    SLP_SET(&put, put, producer);
    SLP_SET(&put, put, first_seq);
    assert_int_equal(send(), SLP_E_BAD_VALUE);
    assert_int_equal(units(), 0);
}

/* ---- free keys ---- */

static void a_key_names_one_unit_for_good(void **state)
{
    (void)state;
    row("a", NULL, NULL), key("k1");
    row("b", NULL, NULL), key("");
    row("a", NULL, NULL), key("k1"); /* in the same frame */
    row("c", NULL, NULL), key("k1"); /* with other values */
    row("b", NULL, NULL), key("");   /* without a key: another unit */
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 3);
    assert_int_equal(done.duplicates, 1);
    assert_int_equal(item(0).index, 2);
    assert_int_equal(item(0).code, SLP_E_DUPLICATE);
    assert_int_equal(item(0).unit, 1);
    assert_int_equal(item(1).index, 3);
    assert_int_equal(item(1).code, SLP_E_KEY_REUSED);
    world_restart(&w);
    row("a", NULL, NULL), key("k1"); /* much later */
    row("x", NULL, NULL), key("k1");
    row("d", NULL, NULL), key("k2");
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 1);
    assert_int_equal(done.first_unit, 4);
    assert_int_equal(item(0).code, SLP_E_DUPLICATE);
    assert_int_equal(item(0).unit, 1);
    assert_int_equal(item(1).code, SLP_E_KEY_REUSED);
    assert_int_equal(units(), 4);
}

static void reuse_is_noted(uint64_t times, const char *place, const char *of_key)
{
    const struct key_reuse *k = &w.out.reused;
    assert_int_equal(k->times, times);
    if (times) {
        assert_string_equal(k->run, "r");
        assert_string_equal(k->place, place);
        assert_int_equal(k->key_bytes, strlen(of_key));
        assert_memory_equal(k->key, of_key, k->key_bytes);
    }
}

static void that_a_key_or_numbers_came_with_other_bytes_is_noted_for_the_log(void **state)
{
    (void)state;
    row("a", NULL, NULL), key("k1");
    row("a", NULL, NULL), key("k1");
    assert_int_equal(send(), SLP_E_OK);
    reuse_is_noted(0, NULL, NULL); /* the same again is none */
    row("b", NULL, NULL), key("k2");
    row("x", NULL, NULL), key("k1");
    row("x", NULL, NULL), key("k2");
    assert_int_equal(send(), SLP_E_OK);
    reuse_is_noted(2, "rows[1]", "k1");
    row("c", NULL, NULL), key("k3");
    row("x", NULL, NULL), key("k1"), numbered(1, 1);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    reuse_is_noted(1, "rows[1]", "k1");
    row("c", NULL, NULL), key("k3");
    row("d", NULL, NULL), key("k3"), numbered(1, 1);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    reuse_is_noted(1, "rows[1]", "k3");
    row("c", NULL, NULL), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    row("d", NULL, NULL), numbered(1, 1);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    reuse_is_noted(1, "rows", "");
    struct slp_run_start q = { .line = world_str("three"), .name = world_str("r"), .fingerprint = world_str("other") };
    SLP_SET(&q, run_start, fingerprint);
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q)), SLP_E_KEY_REUSED);
    reuse_is_noted(1, "name", "");
}

static void keys_are_found_across_segments_of_the_same_frame(void **state)
{
    char text[200], k[20];
    (void)state;
    memset(text, 'x', sizeof text);
    text[199] = 0;
    for (unsigned i = 0; i < 100; i++) { /* several segments */
        snprintf(k, sizeof k, "k%u", i % 50);
        row(text, NULL, NULL), key(k);
    }
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 50);
    assert_int_equal(done.duplicates, 50);
    assert_int_equal(item(49).unit, 50);
}

static void a_key_twice_in_a_frame_with_other_values_refuses_a_numbered_frame_whole(void **state)
{
    (void)state;
    row("one", NULL, NULL);
    key("k");
    row("another", NULL, NULL);
    key("k");
    numbered(1, 1);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    assert_int_equal(units(), 0);
    producer_is(0, 0);
    row("one", NULL, NULL);
    key("k");
    row("one", NULL, NULL);
    key("k");
    numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 1);
    assert_int_equal(done.duplicates, 1);
}

/* Keys that begin alike are different ones, however they are sorted; what was sent before under one counts, too. */
static void keys_of_a_numbered_frame_are_told_apart_by_every_byte(void **state)
{
    (void)state;
    static const char *const names[] = { "b", "a", "ab", "abc", "a", "", "b", "ab", "" };
    static const char *const texts[] = { "1", "2", "3", "4", "2", "5", "1", "3", "6" };
    for (unsigned i = 0; i < 9; i++)
        row(texts[i], NULL, NULL), key(names[i]);
    numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 6);
    assert_int_equal(done.duplicates, 3);
    row("4", NULL, NULL), key("abc");
    row("7", NULL, NULL), key("ab"); /* which named "3" */
    numbered(1, 10);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    assert_int_equal(units(), 6);
    producer_is(1, 9);
    row("7", NULL, NULL), key("z"); /* rows that came before are not looked at again */
    row("8", NULL, NULL), key("z");
    numbered(1, 9);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(units(), 7);
}

static void a_producer_has_an_id_of_16_bytes_and_numbers_from_one(void **state)
{
    (void)state;
    static const struct {
        unsigned bytes;
        bool seq;
        uint64_t first;
        enum slp_code code;
    } rows_[] = {
        { 15, true, 1, SLP_E_BAD_VALUE },
        { 16, false, 1, SLP_E_MISSING_FIELD },
        { 16, true, 0, SLP_E_MISSING_FIELD },
        { 16, true, 2, SLP_E_SEQUENCE_GAP },
        { 16, true, 1, SLP_E_OK },
    };
    for (size_t i = 0; i < sizeof rows_ / sizeof *rows_; i++) {
        row("x", NULL, NULL);
        put.producer = (struct slp_bytes){ "0123456789abcdef", rows_[i].bytes };
        put.epoch = 1;
        put.first_seq = rows_[i].first;
        SLP_SET(&put, put, producer);
        SLP_SET(&put, put, epoch);
        if (rows_[i].seq)
            SLP_SET(&put, put, first_seq);
        if (send() != rows_[i].code)
            fail_msg("row %zu", i);
    }
    assert_int_equal(units(), 1);
    static const struct {
        uint64_t run;
        unsigned bytes;
        enum slp_code code;
    } asked[] = { { 0, 16, SLP_E_NOT_FOUND }, { 2, 16, SLP_E_NOT_FOUND }, { 1, 15, SLP_E_BAD_VALUE } };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct slp_producer_get q = { .run_id = asked[i].run, .producer = { "0123456789abcdef", asked[i].bytes } };
        assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_PRODUCER_GET, &q)), asked[i].code);
    }
    assert_int_equal(world_run_set(&w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    for (int i = 0; i < 20; i++)
        world_tick(&w);
    struct slp_producer_get q = { .run_id = 1, .producer = { "0123456789abcdef", 16 } };
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_PRODUCER_GET, &q)), SLP_E_NOT_FOUND);
    row("x", NULL, NULL), key("k");
    assert_int_equal(send(), SLP_E_NOT_FOUND);
}

static void there_are_as_many_keys_as_rows_and_none_is_too_long(void **state)
{
    char k[SL_KEY_BYTES_MAX + 2];
    (void)state;
    row("a", NULL, NULL), row("b", NULL, NULL), key("one");
    assert_int_equal(send(), SLP_E_BAD_VALUE);
    memset(k, 'k', sizeof k);
    k[SL_KEY_BYTES_MAX + 1] = 0;
    row("a", NULL, NULL), key(k);
    assert_int_equal(send(), SLP_E_TOO_BIG);
    k[SL_KEY_BYTES_MAX] = 0;
    row("a", NULL, NULL), key(k);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(units(), 1);
}

/* ---- pressure and state ---- */

static void a_run_above_its_quota_refuses_new_units_until_some_are_done(void **state)
{
    struct world_hub h;
    struct world_task t[5];
    (void)state;
    struct slp_run_start q = { .line = world_str("three"), .name = world_str("small"), .quota_units = 3 };
    SLP_SET(&q, run_start, quota_units);
    put.run_id = run = world_send(&w, WORLD_CLIENT, SLP_RUN_START, &q)->u.run_started.run_id;
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_QUEUE_FULL);
    assert_int_equal(world_sent(&w, WORLD_CLIENT, SLP_ERROR, 0)->u.error.retry, SLP_RETRY_LATER);
    assert_true(world_sent(&w, WORLD_CLIENT, SLP_ERROR, 0)->u.error.after_ms > 0);
    count_from_to(1, 3), numbered(1, 1); /* what is known is still answered */
    assert_int_equal(send(), SLP_E_OK);
    world_hub(&w, &h, "hub", 1, 0);
    world_credit(&w, &h, 0, 1);
    assert_int_equal(world_tasks(&w, &h, t, 5), 1);
    assert_int_equal(world_submit(&w, &h, &t[0], "a"), SLP_E_OK);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_OK);
}

static void pressure(bool full, uint64_t room_bytes)
{
    struct input in = {
        .kind = INPUT_PRESSURE, .elapsed_us = w.now_us, .wall_us = w.wall_us, .full = full, .room_bytes = room_bytes
    };
    assert_int_equal(store_begin(w.store, &w.t), STORE_OK);
    assert_int_equal(engine_batch_begin(w.engine, w.t, &w.out), STORE_OK);
    assert_int_equal(engine_step(w.engine, &in), STORE_OK);
    world_flush(&w);
}

static void a_full_store_takes_results_and_no_units(void **state)
{
    struct world_hub h;
    struct world_task t[5];
    (void)state;
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    world_hub(&w, &h, "hub", 1, 0);
    world_credit(&w, &h, 0, 3);
    assert_int_equal(world_tasks(&w, &h, t, 5), 3);
    pressure(true, 1ull << 30);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_STORE_FULL);
    count_from_to(1, 3), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK); /* nothing new in it */
    assert_int_equal(world_submit(&w, &h, &t[0], "a"), SLP_E_OK);
    pressure(true, 1000); /* not even that */
    assert_int_equal(world_submit(&w, &h, &t[1], "a"), SLP_E_STORE_FULL);
    pressure(false, 1ull << 30);
    assert_int_equal(world_submit(&w, &h, &t[1], "a"), SLP_E_OK);
    count_from_to(4, 4), numbered(1, 4);
    assert_int_equal(send(), SLP_E_OK);
}

/* What the committer does before a batch. */
static struct store_space look_at_space(void)
{
    struct store_space space;
    assert_int_equal(store_pressure(w.store, w.now_us, &space), STORE_OK);
    pressure(space.full, space.free_map_bytes < space.disk_free_bytes ? space.free_map_bytes : space.disk_free_bytes);
    return space;
}

/* Rows of a size of which few fill the map; they are numbered from `seq` on. */
static enum slp_code put_large(unsigned seq, unsigned n)
{
    static char text[60000];
    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < n; i++)
        row(text, NULL, NULL);
    numbered(1, seq);
    return send();
}

static void a_full_map_refuses_units_takes_results_and_recovers_by_growing(void **state)
{
    struct world_hub h;
    struct world_task t[5];
    struct store_txn *stays;
    (void)state;
    world_settle(&w);
    w.store->map_bytes = 32 << 20; /* as if it had been made so, by a small disk */
    w.store->reserve_bytes = 1 << 20;
    assert_int_equal(mdb_env_set_mapsize(w.store->env, w.store->map_bytes), 0);
    unsigned rows_there = 4;
    assert_int_equal(put_large(1, 4), SLP_E_OK);
    world_hub(&w, &h, "hub", 1, 0);
    world_credit(&w, &h, 0, 3);
    assert_int_equal(world_tasks(&w, &h, t, 5), 3);
    struct store_space first = look_at_space(), space = first;
    assert_false(first.full);
    assert_int_equal(store_begin_read(w.store, &stays), STORE_OK); /* a long reader, under which the map cannot grow */
    for (; !space.full; space = look_at_space(), rows_there += 4)
        assert_int_equal(put_large(rows_there + 1, 4), SLP_E_OK);
    assert_int_equal(space.map_bytes, first.map_bytes);
    assert_int_equal(put_large(rows_there + 1, 1), SLP_E_STORE_FULL);
    assert_int_equal(put_large(1, 4), SLP_E_OK); /* nothing new in it */
    assert_int_equal(done.duplicates, 4);
    assert_int_equal(world_submit(&w, &h, &t[0], "a"), SLP_E_OK);
    assert_int_equal(world_story(&w, "r", 1, "stations[0].state"), TASK_DONE); /* reads work */
    assert_int_equal(units(), rows_there);
    store_abort(&stays);
    space = look_at_space();
    assert_false(space.full);
    assert_int_equal(space.map_bytes, 2 * first.map_bytes);
    assert_int_equal(put_large(rows_there + 1, 1), SLP_E_OK);
    assert_int_equal(world_submit(&w, &h, &t[1], "a"), SLP_E_OK);
    assert_int_equal(units(), rows_there + 1);
}

static void a_run_that_is_closed_or_not_there_takes_nothing(void **state)
{
    (void)state;
    count_from_to(1, 2), numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    count_from_to(3, 3), numbered(1, 3);
    assert_int_equal(send(), SLP_E_RUN_CLOSED);
    count_from_to(1, 2), numbered(1, 1); /* a repeat is still answered: its sender cannot know */
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.duplicates, 2);
    static const uint64_t none[] = { 0, 2, UINT64_MAX };
    for (int i = 0; i < 3; i++) {
        row("x", NULL, NULL);
        put.run_id = none[i];
        assert_int_equal(send(), SLP_E_NOT_FOUND);
    }
    struct slp_producer_get q = { .run_id = UINT64_MAX, .producer = { "0123456789abcdef", 16 } };
    assert_int_equal(world_code(world_send(&w, WORLD_CLIENT, SLP_PRODUCER_GET, &q)), SLP_E_NOT_FOUND);
}

static void keys_that_are_known_are_answered_when_the_run_is_closed(void **state)
{
    (void)state;
    row("a", NULL, NULL), key("k1");
    row("b", NULL, NULL), key("k2");
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_CLOSE, 0), SLP_E_OK);
    row("a", NULL, NULL), key("k1"); /* the answer was lost: its sender cannot know */
    row("b", NULL, NULL), key("k2");
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.duplicates, 2);
    row("a", NULL, NULL), key("k1");
    row("c", NULL, NULL), key("k3");
    assert_int_equal(send(), SLP_E_RUN_CLOSED);
    assert_int_equal(units(), 2);
}

static void of_very_many_bad_rows_as_many_are_told_in_words_as_fit(void **state)
{
    unsigned in_words = 0;
    (void)state;
    for (unsigned i = 0; i < 3500; i++)
        row("x", "no number that is told in many words", NULL);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 0);
    assert_int_equal(done.items.count, 3500);
    struct slp_cursor c = slp_each(done.items);
    struct slp_item_unit_result it;
    for (unsigned i = 0; slp_next_unit_result(&c, &it); i++) {
        assert_int_equal(it.index, i);
        assert_int_equal(it.code, SLP_E_BAD_UNIT);
        if (SLP_IS(&it, item_unit_result, text))
            assert_int_equal(in_words++, i); /* the first ones */
    }
    assert_in_range(in_words, 500, 3400);
}

static void keys_of_one_frame_are_told_apart_by_length_and_place(void **state)
{
    (void)state;
    row("a", NULL, NULL), key("kk");
    row("b", NULL, NULL), key("k");
    row("c", NULL, NULL), key("");
    row("d", NULL, NULL), key("");
    row("b", NULL, NULL), key("k"); /* the same again */
    row("e", NULL, NULL), key("j");
    numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 5);
    row("f", NULL, NULL), key("new");
    row("g", NULL, NULL), key("new");
    row("h", NULL, NULL), key("other");
    row("i", NULL, NULL), key("other");
    numbered(1, 7);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    row("longer", NULL, NULL), key("newer");
    row("short", NULL, NULL), key("newer");
    numbered(1, 7);
    assert_int_equal(send(), SLP_E_KEY_REUSED);
    assert_int_equal(units(), 5);
}

static void an_unknown_column_with_a_long_name_is_told_as_far_as_it_fits(void **state)
{
    static char name[SL_TEXT_BYTES_MAX + 1];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    row("x", NULL, NULL);
    column("text"), column("pages"), column(name);
    assert_int_equal(send(), SLP_E_BAD_UNIT);
}

static void an_empty_put_is_answered(void **state)
{
    (void)state;
    assert_int_equal(send(), SLP_E_OK);
    assert_int_equal(done.accepted, 0);
    numbered(1, 1);
    assert_int_equal(send(), SLP_E_OK);
    producer_is(1, 0); /* its epoch stands */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(columns_may_stand_in_any_order_and_optional_ones_may_be_missing),
        TEST(unknown_doubled_and_missing_columns_refuse_the_frame),
        TEST(bad_rows_are_named_and_the_good_ones_go_in_in_order),
        TEST(one_bad_row_refuses_all_where_all_or_nothing_is_asked),
        TEST(a_unit_above_the_limit_is_too_big_and_one_at_it_goes_in),
        TEST(numbered_rows_sent_again_are_counted_as_duplicates),
        TEST(a_hole_in_the_numbers_is_refused),
        TEST(a_new_epoch_counts_from_one_and_fences_the_old_one),
        TEST(a_raised_epoch_without_rows_fences_the_old_one),
        TEST(other_bytes_under_the_same_numbers_are_refused),
        TEST(a_numbered_frame_with_a_bad_row_leaves_no_hole),
        TEST(a_key_names_one_unit_for_good),
        TEST(that_a_key_or_numbers_came_with_other_bytes_is_noted_for_the_log),
        TEST(keys_are_found_across_segments_of_the_same_frame),
        TEST(a_key_twice_in_a_frame_with_other_values_refuses_a_numbered_frame_whole),
        TEST(keys_of_a_numbered_frame_are_told_apart_by_every_byte),
        TEST(a_producer_has_an_id_of_16_bytes_and_numbers_from_one),
        TEST(there_are_as_many_keys_as_rows_and_none_is_too_long),
        TEST(a_run_above_its_quota_refuses_new_units_until_some_are_done),
        TEST(a_full_store_takes_results_and_no_units),
        TEST(a_full_map_refuses_units_takes_results_and_recovers_by_growing),
        TEST(a_run_that_is_closed_or_not_there_takes_nothing),
        TEST(keys_that_are_known_are_answered_when_the_run_is_closed),
        TEST(of_very_many_bad_rows_as_many_are_told_in_words_as_fit),
        TEST(keys_of_one_frame_are_told_apart_by_length_and_place),
        TEST(an_unknown_column_with_a_long_name_is_told_as_far_as_it_fits),
        TEST(an_empty_put_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
