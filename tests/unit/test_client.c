/* The client library: values, requests, puts one call at a time. The broker is a thread that misbehaves on order. */
#include "tests/unit/client.h"

#include <math.h>

/* ---- values ---- */

static void codes_have_names_texts_and_classes(void **state)
{
    (void)state;
    assert_string_equal(sl_error_name(SL_QUEUE_FULL), "QUEUE_FULL");
    assert_string_equal(sl_error_name(SL_ONLY_DEAD), "ONLY_DEAD");
    assert_string_equal(sl_error_name(999), "UNKNOWN");
    assert_string_equal(sl_error_name(-1), "UNKNOWN");
    assert_int_equal(sl_error_retry(SL_STORE_FULL), SL_RETRY_LATER);
    assert_int_equal(sl_error_retry(SL_BAD_LINE), SL_RETRY_NEVER);
    assert_int_equal(sl_error_retry(SL_TIMEOUT), SL_RETRY_LATER);
    assert_true(strlen(sl_error_text(SL_DISCONNECTED)) > 0);
    assert_string_equal(sl_event_name(16), "UNITS_DONE");
    assert_string_equal(sl_event_name(60000), "");
}

static void what_was_added_is_read_back(void **state)
{
    (void)state;
    struct sl_buf b = { 0 };
    sl_add_map(&b, 3);
    sl_add_cstr(&b, "list");
    sl_add_array(&b, 4);
    sl_add_int(&b, -5);
    sl_add_uint(&b, UINT64_MAX);
    sl_add_double(&b, 0.1);
    sl_add_nil(&b);
    assert_int_equal(b.pending, 4); /* two pairs */
    sl_add_cstr(&b, "yes");
    sl_add_bool(&b, true);
    sl_add_cstr(&b, "text");
    sl_add_str(&b, "a\0b", 3);
    assert_int_equal(b.pending, 0);
    assert_int_equal(b.count, 1);

    struct sl_cursor c = { b.p, b.p + b.n };
    struct sl_value map, v;
    assert_true(sl_next(&c, &map));
    assert_false(sl_next(&c, &v));
    assert_ptr_equal(c.p, c.end);
    assert_true(sl_map_get(&map, "text", &v));
    assert_int_equal(v.n, 3);
    assert_memory_equal(v.p, "a\0b", 3);
    assert_false(sl_map_get(&map, "other", &v));
    assert_true(sl_map_get(&map, "list", &v));
    assert_int_equal(v.n, 4);
    struct sl_cursor in = sl_inside(&v);
    assert_true(sl_next(&in, &v));
    assert_true(v.type == SL_T_INT && v.v.i64 == -5);
    assert_true(sl_next(&in, &v));
    assert_true(v.type == SL_T_UINT && v.v.u64 == UINT64_MAX);
    assert_true(sl_next(&in, &v));
    char text[32];
    assert_int_equal(sl_text(&v, text, sizeof text), 3);
    assert_string_equal(text, "0.1");
    assert_true(sl_next(&in, &v));
    assert_int_equal(v.type, SL_T_NIL);
    assert_true(isnan(sl_number(&v)));
    assert_false(sl_next(&in, &v));
    sl_buf_free(&b);
    sl_buf_free(&b);
}

static void damaged_bytes_end_a_cursor_early(void **state)
{
    (void)state;
    static const char cut[] = { (char)0x93, 1, 2 }; /* an array of three with two in it */
    struct sl_cursor c = { cut, cut + sizeof cut };
    struct sl_value v;
    assert_false(sl_next(&c, &v));
    assert_ptr_not_equal(c.p, c.end);
}

static void a_text_is_cut_like_snprintf(void **state)
{
    (void)state;
    struct sl_value v = { .type = SL_T_STR, .p = "hello", .n = 5 };
    char out[4];
    assert_int_equal(sl_text(&v, out, sizeof out), 5);
    assert_string_equal(out, "hel");
    assert_int_equal(sl_text(&v, NULL, 0), 5);
}

static void a_string_that_is_not_utf8_is_refused_before_it_is_sent(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct sl_buf row = { 0 };
    sl_add_str(&row, "\xff", 1);
    assert_int_equal(sl_put(sl, FAKE_RUN, &row, NULL, NULL), SL_BAD_VALUE);
    sl_buf_clear(&row);
    sl_add_array(&row, 2);
    assert_int_equal(sl_put(sl, FAKE_RUN, &row, NULL, NULL), SL_MISUSE); /* two elements are missing */
    assert_int_equal(atomic_load(&f->puts), 0);
    sl_buf_free(&row);
    sl_close(&sl);
}

/* ---- requests ---- */

static void a_request_is_answered(void **state)
{
    struct sl *sl = opened(*state, (struct sl_options){ 0 });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    assert_string_equal(i.version, "fake");
    assert_true(sl_connected(sl));
    struct sl_run run;
    assert_int_equal(sl_run_start(sl, &(struct sl_run_options){ .line = "l", .name = "r" }, &run), SL_OK);
    assert_int_equal(run.id, FAKE_RUN);
    assert_int_equal(run.column_count, 1);
    assert_string_equal(run.columns[0], "value");
    sl_close(&sl);
    assert_null(sl);
    sl_close(&sl);
}

static void a_silently_lost_request_is_sent_again_under_its_id(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    atomic_store(&f->swallow_requests, 2);
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    assert_int_equal(atomic_load(&f->requests), 3);
    assert_int_equal(atomic_load(&f->same_id_seen), 2);
    assert_int_equal(sl_last_error(sl)->code, SL_OK);
    sl_close(&sl);
}

static void a_request_goes_again_when_the_link_is_back(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    fake_order(f, 'r'); /* the library may notice the loss before, while or after it asks: it must not matter */
    assert_int_equal(sl_info(sl, &i), SL_OK);
    sl_close(&sl);
}

static void what_must_not_be_done_twice_is_sent_once(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500, .resend_ms = 50 });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    atomic_store(&f->swallow_answers, 1);
    assert_int_equal(sl_drop(sl, 1, NULL, NULL, 0, "no use", NULL), SL_TIMEOUT);
    assert_int_equal(sl_last_error(sl)->code, SL_TIMEOUT);
    assert_int_equal(atomic_load(&f->requests), 2);
    sl_close(&sl);
}

static void a_refusal_comes_with_place_class_and_time(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .no_retry = true });
    atomic_store(&f->refuse_code, SLP_E_STORE_FULL);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 1234);
    atomic_store(&f->refuse, 1);
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_STORE_FULL);
    const struct sl_error *e = sl_last_error(sl);
    assert_int_equal(e->retry, SL_RETRY_LATER);
    assert_int_equal(e->after_ms, 1234);
    assert_string_equal(e->place, "there");
    assert_string_equal(e->text, "because");
    assert_int_equal(sl_info(sl, &i), SL_OK);
    assert_int_equal(e->code, SL_OK);
    sl_close(&sl);
}

static void all_mistakes_of_a_line_are_handed_on(void **state)
{
    struct sl *sl = opened(*state, (struct sl_options){ 0 });
    struct sl_buf b = { 0 };
    sl_add_map(&b, 1);
    sl_add_cstr(&b, "line");
    assert_int_equal(sl_line_apply_buf(sl, &b, true, NULL), SL_MISUSE); /* a value is missing */
    sl_add_cstr(&b, "l");
    assert_int_equal(sl_line_apply_buf(sl, &b, true, NULL), SL_BAD_LINE);
    size_t n;
    const struct sl_problem *p = sl_problems(sl, &n);
    assert_int_equal(n, 2);
    assert_string_equal(p[0].path, "stations[0].type");
    assert_string_equal(p[1].text, "is missing");
    sl_buf_free(&b);
    sl_close(&sl);
}

static void busy_is_waited_for_as_long_as_the_broker_says(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    atomic_store(&f->refuse_code, SLP_E_BUSY);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 80);
    atomic_store(&f->refuse, 2);
    struct sl_info i;
    int64_t began = ms();
    assert_int_equal(sl_info(sl, &i), SL_OK);
    assert_true(ms() - began >= 160);
    assert_int_equal(atomic_load(&f->requests), 3);
    sl_close(&sl);
}

static void what_comes_later_than_the_timeout_is_not_waited_for(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 15000 });
    atomic_store(&f->refuse_code, SLP_E_BUSY);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 3600000);
    atomic_store(&f->refuse, 1);
    struct sl_info i;
    int64_t began = ms();
    assert_int_equal(sl_info(sl, &i), SL_BUSY);
    assert_true(ms() - began < 15000);
    sl_close(&sl);
}

static void an_answer_that_breaks_the_protocol_is_named(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct sl_info i;
    atomic_store(&f->babble, 1);
    assert_int_equal(sl_info(sl, &i), SL_BAD_REPLY);
    atomic_store(&f->other_type, 1);
    assert_int_equal(sl_info(sl, &i), SL_BAD_REPLY);
    assert_int_equal(sl_info(sl, &i), SL_OK);
    sl_close(&sl);
}

static void without_a_broker_there_is_no_link(void **state)
{
    struct fake *f = *state;
    fake_order(f, 'd');
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 150 });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_DISCONNECTED);
    assert_false(sl_connected(sl));
    fake_order(f, 'u');
    int rc = SL_DISCONNECTED;
    for (int64_t end = ms() + 10000; rc != SL_OK && ms() < end;)
        rc = sl_info(sl, &i);
    assert_int_equal(rc, SL_OK);
    sl_close(&sl);
}

static void a_broker_that_is_silent_is_a_timeout(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500 });
    struct sl_info i;
    atomic_store(&f->swallow_requests, 1000);
    assert_int_equal(sl_info(sl, &i), SL_TIMEOUT);
    sl_close(&sl);
}

static void without_reconnect_a_lost_link_is_the_end(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .no_reconnect = true });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    fake_order(f, 'd');
    int64_t began = ms();
    assert_int_equal(sl_info(sl, &i), SL_DISCONNECTED);
    fake_order(f, 'u');
    assert_int_equal(sl_info(sl, &i), SL_DISCONNECTED);
    assert_true(ms() - began < 15000);
    sl_close(&sl);
}

static bool stop_at_third(void *arg)
{
    return ++*(int *)arg >= 3;
}

static void stop_ends_a_wait(void **state)
{
    struct fake *f = *state;
    int asked = 0;
    struct sl *sl = opened(f, (struct sl_options){ .stop = stop_at_third, .stop_arg = &asked });
    atomic_store(&f->swallow_requests, 1000);
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_STOPPED);
    sl_close(&sl);
}

static void bad_arguments_are_named_and_not_sent(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 }), *none;
    assert_int_equal(sl_run_close(sl, "no spaces"), SL_BAD_NAME);
    assert_string_equal(sl_last_error(sl)->place, "run");
    assert_int_equal(sl_run_close(sl, NULL), SL_MISUSE);
    assert_int_equal(sl_run_priority(sl, "r", 10), SL_BAD_VALUE);
    assert_int_equal(sl_backup(sl, "relative", 0), SL_MISUSE);
    assert_int_equal(atomic_load(&f->requests), 0);
    assert_int_equal(sl_open(&(struct sl_options){ .endpoint = "nowhere" }, &none), SL_SYSTEM);
    assert_null(none);
    sl_close(&sl);
}

/* ---- puts ---- */

static void a_put_with_a_key_survives_a_lost_answer(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct sl_buf row = { 0 };
    sl_add_uint(&row, 42);
    atomic_store(&f->swallow_answers, 1);
    uint64_t unit = 0;
    assert_int_equal(sl_put(sl, FAKE_RUN, &row, "key", &unit), SL_DUPLICATE);
    assert_int_equal(unit, 1);
    assert_int_equal(atomic_load(&f->units), 1);
    sl_buf_free(&row);
    sl_close(&sl);
}

static void a_put_without_a_key_is_not_repeated(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500 });
    struct sl_buf row = { 0 };
    sl_add_uint(&row, 42);
    uint64_t unit;
    assert_int_equal(sl_put(sl, FAKE_RUN, &row, NULL, &unit), SL_OK);
    atomic_store(&f->swallow_answers, 1);
    assert_int_equal(sl_put(sl, FAKE_RUN, &row, NULL, &unit), SL_TIMEOUT);
    assert_int_equal(atomic_load(&f->puts), 2);
    sl_buf_free(&row);
    sl_close(&sl);
}

struct seen {
    uint32_t n;
    struct sl_put_result r[8];
    char text[8][64];
};

static void see(void *arg, const struct sl_put_result *r)
{
    struct seen *s = arg;
    assert_true(s->n < 8);
    snprintf(s->text[s->n], sizeof s->text[0], "%s", r->text);
    s->r[s->n++] = *r;
}

static void each_row_of_a_batch_has_its_result(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    atomic_store(&f->bad_rows, 1);
    struct sl_batch *b = sl_batch_new();
    struct sl_buf row = { 0 };
    for (int i = 0; i < 4; i++) {
        sl_buf_clear(&row);
        if (i == 1)
            sl_add_cstr(&row, "bad");
        else
            sl_add_uint(&row, (uint64_t)i);
        assert_int_equal(sl_batch_add(b, &row, i == 0 || i == 2 ? "same" : NULL), SL_OK);
    }
    struct seen s = { 0 };
    struct sl_put_counts c;
    assert_int_equal(sl_put_batch(sl, FAKE_RUN, b, NULL, see, &s, &c), SL_OK);
    assert_int_equal(c.accepted, 2);
    assert_int_equal(c.duplicates, 1);
    assert_int_equal(c.refused, 1);
    static const struct {
        int code;
        uint64_t unit;
    } want[] = { { SL_OK, 1 }, { SL_BAD_UNIT, 0 }, { SL_DUPLICATE, 1 }, { SL_OK, 2 } };
    assert_int_equal(s.n, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(s.r[i].number, i);
        assert_int_equal(s.r[i].code, want[i].code);
        assert_int_equal(s.r[i].unit, want[i].unit);
    }
    assert_string_equal(s.text[1], "field text: no");
    atomic_store(&f->lie_in_counts, 1);
    assert_int_equal(sl_put_batch(sl, FAKE_RUN, b, NULL, see, &s, &c), SL_BAD_REPLY);
    sl_batch_free(&b);
    sl_buf_free(&row);
    sl_close(&sl);
}

static void a_batch_says_when_it_is_full(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct sl_batch *b = sl_batch_new();
    struct sl_buf row = { 0 };
    sl_add_uint(&row, 1);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(sl_batch_add(b, &row, NULL), SL_OK);
    assert_int_equal(sl_batch_add(b, &row, NULL), SL_TOO_MANY);
    assert_int_equal(sl_put_batch(sl, FAKE_RUN, b, NULL, NULL, NULL, NULL), SL_OK);
    sl_batch_clear(b);
    static char big[60000];
    memset(big, 'x', sizeof big);
    sl_buf_clear(&row);
    sl_add_str(&row, big, sizeof big);
    int n = 0;
    while (sl_batch_add(b, &row, NULL) == SL_OK)
        n++;
    assert_int_equal(n, 4);
    assert_int_equal(sl_put_batch(sl, FAKE_RUN, b, NULL, NULL, NULL, NULL), SL_OK); /* what fits a batch fits a frame */
    sl_add_str(&row, big, sizeof big);
    sl_batch_clear(b);
    assert_int_equal(sl_batch_add(b, &row, NULL), SL_TOO_BIG);
    assert_int_equal(sl_batch_count(b), 0);
    sl_batch_free(&b);
    sl_buf_free(&row);
    sl_close(&sl);
}

#define T(f) cmocka_unit_test(f)
#define F(f) cmocka_unit_test_setup_teardown(f, with_fake, without_fake)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(codes_have_names_texts_and_classes),
        T(what_was_added_is_read_back),
        T(damaged_bytes_end_a_cursor_early),
        T(a_text_is_cut_like_snprintf),
        F(a_string_that_is_not_utf8_is_refused_before_it_is_sent),
        F(a_request_is_answered),
        F(a_silently_lost_request_is_sent_again_under_its_id),
        F(a_request_goes_again_when_the_link_is_back),
        F(what_must_not_be_done_twice_is_sent_once),
        F(a_refusal_comes_with_place_class_and_time),
        F(all_mistakes_of_a_line_are_handed_on),
        F(busy_is_waited_for_as_long_as_the_broker_says),
        F(what_comes_later_than_the_timeout_is_not_waited_for),
        F(an_answer_that_breaks_the_protocol_is_named),
        F(without_a_broker_there_is_no_link),
        F(a_broker_that_is_silent_is_a_timeout),
        F(without_reconnect_a_lost_link_is_the_end),
        F(stop_ends_a_wait),
        F(bad_arguments_are_named_and_not_sent),
        F(a_put_with_a_key_survives_a_lost_answer),
        F(a_put_without_a_key_is_not_repeated),
        F(each_row_of_a_batch_has_its_result),
        F(a_batch_says_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
