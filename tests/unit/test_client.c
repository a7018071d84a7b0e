/* The client library against a broker in a thread that misbehaves on order (fake_broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <time.h>

#include "client/sunline.h"
#include "tests/unit/fake_broker.h"

static const char producer[SL_PRODUCER_SIZE] = "producer-number1";

static struct sl *opened(const struct fake *f, struct sl_options o)
{
    struct sl *sl;
    o.endpoint = f->endpoint;
    o.resend_ms = o.resend_ms ? o.resend_ms : 60;
    o.timeout_ms = o.timeout_ms ? o.timeout_ms : 20000;
    assert_int_equal(sl_open(&o, &sl), SL_OK);
    return sl;
}

static int with_fake(void **state)
{
    *state = fake_start();
    return 0;
}

static int without_fake(void **state)
{
    fake_end(*state);
    return 0;
}

static int64_t ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

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
    fake_order('r'); /* the library may notice the loss before, while or after it asks: it must not matter */
    assert_int_equal(sl_info(sl, &i), SL_OK);
    sl_close(&sl);
}

static void what_must_not_be_done_twice_is_sent_once(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 400, .resend_ms = 50 });
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
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 500 });
    atomic_store(&f->refuse_code, SLP_E_BUSY);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 3600000);
    atomic_store(&f->refuse, 1);
    struct sl_info i;
    int64_t began = ms();
    assert_int_equal(sl_info(sl, &i), SL_BUSY);
    assert_true(ms() - began < 500);
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
    fake_order('d');
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 150 });
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_DISCONNECTED);
    assert_false(sl_connected(sl));
    fake_order('u');
    int rc = SL_DISCONNECTED;
    for (int64_t end = ms() + 10000; rc != SL_OK && ms() < end;)
        rc = sl_info(sl, &i);
    assert_int_equal(rc, SL_OK);
    sl_close(&sl);
}

static void a_broker_that_is_silent_is_a_timeout(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 200 });
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
    fake_order('d');
    int64_t began = ms();
    assert_int_equal(sl_info(sl, &i), SL_DISCONNECTED);
    fake_order('u');
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
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 300 });
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

/* ---- pipes ---- */

struct tally {
    uint64_t next, ok, duplicate, bad, other, last_unit;
    int last_code;
    struct sl *sl;
    int inside;
};

static void tally(void *arg, const struct sl_put_result *r)
{
    struct tally *t = arg;
    assert_int_equal(r->number, t->next); /* in order, none left out, none twice */
    assert_int_equal(r->tag, r->number * 3);
    t->next++;
    t->last_code = r->code;
    if (r->code == SL_OK) {
        assert_true(r->unit > t->last_unit);
        t->last_unit = r->unit;
        t->ok++;
    } else if (r->code == SL_DUPLICATE) {
        t->duplicate++;
    } else if (r->code == SL_BAD_UNIT) {
        t->bad++;
    } else {
        t->other++;
    }
    if (t->sl) {
        struct sl_info i;
        t->inside = sl_info(t->sl, &i);
    }
}

static struct sl_pipe *piped(struct sl *sl, struct tally *t, struct sl_pipe_options o)
{
    struct sl_pipe *p;
    *t = (struct tally){ .next = 1 };
    o.run_id = FAKE_RUN;
    o.on_row = tally;
    o.arg = t;
    assert_int_equal(sl_pipe_open(sl, &o, &p), SL_OK);
    return p;
}

/* Puts rows first..last, whose value and (with `keyed`) key are their number. Returns the first code that is not OK. */
static int put_rows(struct sl_pipe *p, uint64_t first, uint64_t last, bool keyed)
{
    struct sl_buf row = { 0 };
    char key[32];
    int rc = SL_OK;
    for (uint64_t i = first; i <= last && rc == SL_OK; i++) {
        sl_buf_clear(&row);
        sl_add_uint(&row, i);
        snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
        rc = sl_pipe_put(p, &row, keyed ? key : NULL, i * 3);
    }
    sl_buf_free(&row);
    return rc;
}

/* Exactly the values 1..n, in order. */
static void units_are(struct fake *f, uint64_t n)
{
    assert_int_equal(atomic_load(&f->units), n);
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(f->unit_value[i], i + 1);
}

static void rows_go_in_frames_and_come_back_in_order(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    assert_int_equal(put_rows(p, 1, 20000, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 20000);
    assert_int_equal(sl_pipe_open_rows(p, NULL), 0);
    units_are(f, 20000);
    struct sl_pipe_stats s;
    sl_pipe_stats(p, &s);
    assert_true(s.frames < 300); /* of 79 full ones, a few more that went early */
    assert_int_equal(atomic_load(&f->put_rows_max), 256);
    assert_int_equal(s.accepted, 20000);
    assert_int_equal(s.resent_frames, 0);
    sl_pipe_close(&p);
    sl_close(&sl);
}

static void a_lost_frame_is_mended_by_its_number(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 }); /* so the gap must tell, not the silence */
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .frame_units = 10, .window_units = 1000 });
    atomic_store(&f->swallow_put_at, 5);
    assert_int_equal(put_rows(p, 1, 2000, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 2000);
    units_are(f, 2000);
    sl_close(&sl);
}

static void a_lost_last_frame_is_mended_by_silence(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 40 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    atomic_store(&f->swallow_requests, 2);
    assert_int_equal(put_rows(p, 1, 1, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 1);
    units_are(f, 1);
    sl_close(&sl);
}

static void lost_answers_are_counted_as_duplicates(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 40 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .frame_units = 10, .linger_ms = 1000 });
    atomic_store(&f->swallow_answers, 3);
    assert_int_equal(put_rows(p, 1, 100, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 70);
    assert_int_equal(t.duplicate, 30);
    units_are(f, 100);
    sl_close(&sl);
}

static void a_restarted_broker_gets_what_it_did_not_answer(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 }); /* the link's loss must tell */
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .frame_units = 16, .window_units = 500 });
    uint64_t at = 1;
    for (int round = 0; round < 5; round++, at += 1000) {
        assert_int_equal(put_rows(p, at, at + 999, false), SL_OK);
        fake_order('r');
    }
    assert_int_equal(put_rows(p, at, at + 999, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok + t.duplicate, 6000);
    units_are(f, 6000);
    sl_close(&sl);
}

static void a_producer_that_comes_back_goes_on_where_it_was(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    assert_int_equal(put_rows(p, 1, 700, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(put_rows(p, 701, 900, false), SL_OK);
    sl_close(&sl); /* without flush: what became of the 200 is not known */

    sl = opened(f, (struct sl_options){ 0 });
    p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    uint64_t next = sl_pipe_next(p);
    assert_true(next >= 701 && next <= 901);
    t.next = next;
    t.last_unit = next - 1;
    assert_int_equal(put_rows(p, next, 2000, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    units_are(f, 2000);

    struct sl_pipe *old;
    assert_int_equal(
        sl_pipe_open(sl,
                     &(struct sl_pipe_options){ .run_id = FAKE_RUN, .producer = producer, .epoch = 2, .first_seq = 1 },
                     &old),
        SL_OK);
    struct sl_buf row = { 0 };
    sl_add_uint(&row, 2001);
    assert_int_equal(sl_pipe_put(old, &row, NULL, 0), SL_OK);
    assert_int_equal(sl_flush(old), SL_OK);
    assert_int_equal(sl_pipe_put(p, &row, NULL, 2001 * 3), SL_OK);
    assert_int_equal(sl_flush(p), SL_OLD_EPOCH); /* it was fenced */
    assert_int_equal(t.last_code, SL_OLD_EPOCH);
    sl_pipe_close(&p);
    assert_int_equal(
        sl_pipe_open(sl, &(struct sl_pipe_options){ .run_id = FAKE_RUN, .producer = producer, .epoch = 1 }, &p),
        SL_OLD_EPOCH);
    sl_buf_free(&row);
    sl_close(&sl);
}

static void a_full_queue_is_waited_for_in_order(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 });
    struct tally t;
    struct sl_pipe *p = piped(
        sl, &t,
        (struct sl_pipe_options){ .producer = producer, .frame_units = 10, .window_units = 200, .linger_ms = 1000 });
    atomic_store(&f->quota, 60);
    assert_int_equal(put_rows(p, 1, 200, false), SL_OK);
    for (int64_t end = ms() + 10000; t.ok < 60 && ms() < end;)
        assert_int_equal(sl_poll(sl, 10), SL_OK);
    assert_int_equal(t.ok, 60);
    for (unsigned quota = 110; quota <= 510; quota += 200) {
        atomic_store(&f->quota, quota);
        for (int64_t end = ms() + 10000; t.next < (quota > 200 ? 201 : quota + 1) && ms() < end;)
            assert_int_equal(sl_poll(sl, 10), SL_OK);
    }
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 200);
    units_are(f, 200);
    struct sl_pipe_stats s;
    sl_pipe_stats(p, &s);
    assert_true(s.waited_us > 0);
    assert_true(s.resent_frames < 200); /* probes, not floods */
    sl_close(&sl);
}

static void the_pause_is_at_least_what_the_broker_says(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1 });
    atomic_store(&f->refuse_code, SLP_E_STORE_FULL);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 120);
    atomic_store(&f->refuse, 1);
    int64_t began = ms();
    assert_int_equal(put_rows(p, 1, 3, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_true(ms() - began >= 120);
    units_are(f, 3); /* rows without numbers, too: a refusal changed nothing */
    sl_close(&sl);
}

static void a_pipe_gives_up_when_told_to(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .give_up_ms = 150 });
    atomic_store(&f->quota, 1);
    assert_int_equal(put_rows(p, 1, 1, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(put_rows(p, 2, 9, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_QUEUE_FULL);
    assert_int_equal(t.other, 8);
    assert_int_equal(put_rows(p, 10, 10, false), SL_QUEUE_FULL); /* it has failed for good */
    assert_int_equal(t.next, 10);
    sl_close(&sl);
}

static void rows_without_number_or_key_are_not_sent_twice(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 300 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1 });
    assert_int_equal(put_rows(p, 1, 5, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    atomic_store(&f->swallow_answers, 1);
    assert_int_equal(put_rows(p, 6, 10, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK); /* the pipe is well; the rows' fate was told */
    assert_int_equal(t.other, 5);
    assert_int_equal(t.last_code, SL_TIMEOUT);
    units_are(f, 10);

    atomic_store(&f->hold_puts, 1);
    int puts = atomic_load(&f->puts);
    assert_int_equal(put_rows(p, 11, 12, false), SL_OK);
    for (int64_t end = ms() + 10000; atomic_load(&f->puts) == puts && ms() < end;)
        sl_poll(sl, 1);
    fake_order('r');
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.last_code, SL_DISCONNECTED);
    assert_int_equal(t.next, 13);
    units_are(f, 12);
    sl_close(&sl);
}

static void rows_with_keys_are_sent_again_and_known(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1, .frame_units = 5 });
    atomic_store(&f->swallow_answers, 2);
    assert_int_equal(put_rows(p, 1, 50, true), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.duplicate, 10);
    assert_int_equal(t.ok, 40);
    units_are(f, 50);
    sl_close(&sl);
}

static void resend_allows_what_might_be_twice(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1, .resend = true });
    atomic_store(&f->swallow_answers, 1);
    assert_int_equal(put_rows(p, 1, 1, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 1);
    assert_int_equal(atomic_load(&f->units), 2);
    sl_close(&sl);
}

static void a_refused_row_does_not_stop_the_others(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    atomic_store(&f->bad_rows, 1);
    assert_int_equal(put_rows(p, 1, 10, false), SL_OK);
    struct sl_buf row = { 0 };
    sl_add_cstr(&row, "bad");
    assert_int_equal(sl_pipe_put(p, &row, NULL, 33), SL_OK);
    assert_int_equal(put_rows(p, 12, 20, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 19);
    assert_int_equal(t.bad, 1);
    sl_buf_free(&row);
    sl_close(&sl);
}

static void a_refused_frame_ends_a_numbered_pipe(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .frame_units = 10 });
    atomic_store(&f->refuse_code, SLP_E_RUN_CLOSED);
    atomic_store(&f->refuse_retry, SLP_RETRY_NEVER);
    atomic_store(&f->refuse_puts_only, 1);
    assert_int_equal(put_rows(p, 1, 10, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    atomic_store(&f->refuse, 1);
    int rc = put_rows(p, 11, 200, false);
    if (rc == SL_OK)
        rc = sl_flush(p);
    assert_int_equal(rc, SL_RUN_CLOSED);
    assert_string_equal(sl_last_error(sl)->text, "because");
    assert_int_equal(t.ok, 10);
    assert_int_equal(sl_pipe_open_rows(p, NULL), 0);
    assert_int_equal(sl_flush(p), SL_RUN_CLOSED);
    units_are(f, 10);
    sl_close(&sl);
}

static void a_broken_answer_ends_a_numbered_pipe(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    atomic_store(&f->babble, 1);
    put_rows(p, 1, 1, false);
    assert_int_equal(sl_flush(p), SL_BAD_REPLY);
    sl_pipe_close(&p);
    p = piped(sl, &t, (struct sl_pipe_options){ .first_seq = 1 });
    atomic_store(&f->lie_in_counts, 1);
    put_rows(p, 1, 1, false);
    assert_int_equal(sl_flush(p), SL_BAD_REPLY);
    assert_int_equal(t.last_code, SL_BAD_REPLY);
    sl_close(&sl);
}

static void the_window_is_kept_in_rows_and_bytes(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .window_units = 100, .frame_units = 7 });
    for (int round = 0; round < 20; round++) {
        atomic_store(&f->hold_puts, 1);
        assert_int_equal(put_rows(p, t.next, t.next + 99, false), SL_OK); /* a window's worth goes without an answer */
        size_t bytes;
        assert_int_equal(sl_pipe_open_rows(p, &bytes), 100);
        assert_true(bytes >= 100 && bytes <= 100 * 16);
        atomic_store(&f->hold_puts, 0);
        assert_int_equal(sl_flush(p), SL_OK);
    }
    assert_true(atomic_load(&f->rows_held_max) <= 100);
    units_are(f, 2000);
    sl_pipe_close(&p);

    p = piped(sl, &t, (struct sl_pipe_options){ .window_bytes = 1000 });
    struct sl_buf row = { 0 };
    sl_add_str(&row, (char[300]){ 0 }, 300);
    atomic_store(&f->hold_puts, 1);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(sl_pipe_put(p, &row, NULL, i * 3), SL_OK);
    size_t bytes;
    assert_int_equal(sl_pipe_open_rows(p, &bytes), 3);
    assert_true(bytes <= 1000);
    atomic_store(&f->hold_puts, 0);
    assert_int_equal(sl_pipe_put(p, &row, NULL, 12), SL_OK); /* waits for the answers */
    assert_true(t.next > 1);
    assert_int_equal(sl_flush(p), SL_OK);
    sl_buf_free(&row);
    sl_close(&sl);
}

static void a_window_of_one_goes_row_by_row(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = producer, .window_units = 1, .linger_ms = 60000 });
    assert_int_equal(put_rows(p, 1, 200, false), SL_OK); /* a full window does not wait for the linger */
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(atomic_load(&f->puts), 200);
    assert_int_equal(atomic_load(&f->put_rows_max), 1);
    units_are(f, 200);
    sl_close(&sl);
}

static void linger_gathers_and_then_sends_by_itself(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 30 });
    assert_int_equal(put_rows(p, 1, 20, false), SL_OK);
    for (int64_t end = ms() + 10000; t.next < 21 && ms() < end;)
        assert_int_equal(sl_poll(sl, 100), SL_OK);
    assert_int_equal(t.ok, 20);
    assert_true(atomic_load(&f->puts) <= 2); /* one, unless this machine slept in between */
    sl_close(&sl);
}

static void a_callback_may_not_use_the_handle(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .window_units = 10 });
    t.sl = sl;
    assert_int_equal(put_rows(p, 1, 1, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.inside, SL_MISUSE);
    sl_close(&sl);
}

static void requests_and_pipes_share_a_handle(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t, u;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1 });
    struct sl_pipe *q = piped(sl, &u, (struct sl_pipe_options){ .frame_units = 3 });
    struct sl_info i;
    for (uint64_t n = 1; n <= 300; n++) {
        assert_int_equal(put_rows(p, n, n, false), SL_OK);
        assert_int_equal(put_rows(q, n, n, false), SL_OK);
        if (n % 50 == 0)
            assert_int_equal(sl_info(sl, &i), SL_OK);
    }
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(sl_flush(q), SL_OK);
    assert_int_equal(t.ok, 300);
    assert_int_equal(u.ok, 300);
    sl_close(&sl);
}

/* ---- waiting, output, events ---- */

struct looks {
    struct fake *f;
    int n, end_at;
    uint64_t state, dead, ready;
};

static int on_progress(void *arg, const struct sl_progress *p)
{
    struct looks *l = arg;
    assert_int_equal(p->station_count, 1);
    assert_string_equal(p->stations[0].name, "s");
    if (++l->n == l->end_at) {
        pthread_mutex_lock(&l->f->lock);
        l->f->run.state = l->state;
        l->f->run.dead = l->dead;
        l->f->station.ready = l->ready;
        pthread_mutex_unlock(&l->f->lock);
    }
    return l->n > 100;
}

static void a_run_is_waited_for(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct looks l = { .f = f, .end_at = 3, .state = SL_RUN_IS_DONE };
    struct sl_wait_options o = { .interval_ms = 5, .progress = on_progress, .arg = &l };
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_OK);
    assert_int_equal(l.n, 4);

    f->run.state = SL_RUN_IS_CLOSED;
    f->run.units = 3;
    f->run.done = 2;
    f->station.ready = 1;
    l = (struct looks){ .f = f, .end_at = 2, .state = SL_RUN_IS_CLOSED, .dead = 1, .ready = 0 };
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_ONLY_DEAD);
    assert_int_equal(l.n, 3);

    f->run.state = SL_RUN_IS_OPEN; /* more may come */
    o = (struct sl_wait_options){ .interval_ms = 5, .timeout_ms = 60 };
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_TIMEOUT);
    f->run.state = SL_RUN_IS_CANCELLED;
    assert_int_equal(sl_run_wait(sl, "r", NULL), SL_RUN_CANCELLED);
    sl_close(&sl);
}

static void waiting_for_a_run_outlives_the_broker(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 100 });
    struct looks l = { .f = f, .end_at = 1, .state = SL_RUN_IS_DONE };
    struct sl_wait_options o = { .interval_ms = 5, .progress = on_progress, .arg = &l };
    fake_order('d');
    o.timeout_ms = 250;
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_DISCONNECTED);
    fake_order('u');
    o.timeout_ms = 20000;
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_OK);
    sl_close(&sl);
}

static int on_output(void *arg, const struct sl_output_row *row)
{
    uint64_t *n = arg;
    assert_int_equal(row->unit, ++*n);
    assert_int_equal(row->column_count, 2);
    assert_string_equal(row->columns[1], "value");
    assert_int_equal(sl_uint(&row->values[1]), *n);
    return *n == 250;
}

static void output_comes_in_pages_and_can_go_on(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = producer });
    assert_int_equal(put_rows(p, 1, 350, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    uint64_t n = 0, last = 0;
    assert_int_equal(sl_output(sl, "r", NULL, on_output, &n, &last), SL_STOPPED);
    assert_int_equal(last, 250);
    assert_int_equal(sl_output(sl, "r", &(struct sl_output_options){ .after_unit = last }, on_output, &n, &last),
                     SL_OK);
    assert_int_equal(n, 350);
    assert_int_equal(last, 350);
    sl_close(&sl);
}

static void expect_event(struct sl_events *e, uint64_t seq)
{
    struct sl_event v;
    assert_int_equal(sl_events_next(e, 10000, &v), SL_OK);
    assert_int_equal(v.seq, seq);
    assert_string_equal(v.name, "RUN_STARTED");
    struct sl_value run;
    assert_true(sl_map_get(&v.data, "run", &run));
    assert_int_equal(sl_uint(&run), seq);
    assert_int_equal(sl_events_position(e), seq + 1);
}

/* Until the subscription is there, or what we publish would be for nobody. */
static void await_subscriber(struct fake *f)
{
    char m[200];
    zmq_pollitem_t item = { .socket = f->pub, .events = ZMQ_POLLIN };
    assert_int_equal(zmq_poll(&item, 1, 10000), 1);
    assert_true(zmq_recv(f->pub, m, sizeof m, 0) > 0 && m[0] == 1);
}

static void events_come_without_a_hole_and_without_a_repeat(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    atomic_store(&f->page_rows, 40);
    fake_happen(f, 100);
    struct sl_events *e;
    assert_int_equal(sl_events_open(sl, &(struct sl_events_options){ .since = 11, .look_ms = 60000 }, &e), SL_OK);
    await_subscriber(f);
    fake_happen(f, 103);
    fake_publish(f, "all", 101, 103); /* comes while the past is still being read */
    for (uint64_t s = 11; s <= 103; s++)
        expect_event(e, s);
    int gets = atomic_load(&f->events_gets);
    fake_happen(f, 110);
    fake_publish(f, "all", 104, 106);
    fake_publish(f, "all", 104, 106); /* twice */
    fake_publish(f, "all", 106, 108); /* overlapping */
    for (uint64_t s = 104; s <= 108; s++)
        expect_event(e, s);
    assert_int_equal(atomic_load(&f->events_gets), gets); /* no need to ask */
    fake_happen(f, 120);
    fake_publish(f, "all", 115, 116); /* 109..114 were dropped by the publisher */
    for (uint64_t s = 109; s <= 120; s++)
        expect_event(e, s);
    struct sl_event v;
    assert_int_equal(sl_events_next(e, 0, &v), SL_TIMEOUT);
    sl_events_close(&e);
    sl_close(&sl);
}

static void a_stream_of_its_own_knows_its_own_gaps(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    fake_happen(f, 21);
    struct sl_events *e;
    assert_int_equal(
        sl_events_open(sl, &(struct sl_events_options){ .stream = "run/a", .since = 1, .look_ms = 60000 }, &e), SL_OK);
    await_subscriber(f);
    for (uint64_t s = 2; s <= 20; s += 2)
        expect_event(e, s);
    int gets = atomic_load(&f->events_gets);
    fake_happen(f, 30);
    fake_publish(f, "run/ab", 22, 30); /* another run, whose name begins the same */
    fake_publish(f, "run/a", 22, 24);
    expect_event(e, 22);
    expect_event(e, 24);
    assert_int_equal(atomic_load(&f->events_gets), gets);
    fake_publish(f, "run/a", 30, 30);
    for (uint64_t s = 26; s <= 30; s += 2)
        expect_event(e, s);
    sl_close(&sl);
}

static void what_the_publisher_lost_last_is_found_in_silence(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    fake_happen(f, 5);
    struct sl_events *e;
    assert_int_equal(sl_events_open(sl, &(struct sl_events_options){ .since = SL_EVENTS_NOW, .look_ms = 30 }, &e),
                     SL_OK);
    assert_int_equal(sl_events_position(e), 6);
    fake_happen(f, 7);
    expect_event(e, 6);
    expect_event(e, 7);
    sl_events_close(&e);
    assert_int_equal(sl_events_open(sl, &(struct sl_events_options){ .stream = "other" }, &e), SL_MISUSE);
    assert_null(e);
    sl_close(&sl);
}

static void a_stream_outlives_a_restart(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 500 });
    struct sl_events *e;
    fake_happen(f, 2);
    assert_int_equal(sl_events_open(sl, &(struct sl_events_options){ .since = 1, .look_ms = 20 }, &e), SL_OK);
    expect_event(e, 1);
    expect_event(e, 2);
    fake_order('d');
    struct sl_event v;
    int rc = SL_TIMEOUT;
    for (int64_t end = ms() + 10000; rc == SL_TIMEOUT && ms() < end;)
        rc = sl_events_next(e, 50, &v);
    assert_int_equal(rc, SL_DISCONNECTED);
    fake_order('u');
    fake_happen(f, 4);
    for (int64_t end = ms() + 10000; rc != SL_OK && ms() < end;)
        rc = sl_events_next(e, 50, &v);
    assert_int_equal(rc, SL_OK);
    assert_int_equal(v.seq, 3);
    expect_event(e, 4);
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
        F(rows_go_in_frames_and_come_back_in_order),
        F(a_lost_frame_is_mended_by_its_number),
        F(a_lost_last_frame_is_mended_by_silence),
        F(lost_answers_are_counted_as_duplicates),
        F(a_restarted_broker_gets_what_it_did_not_answer),
        F(a_producer_that_comes_back_goes_on_where_it_was),
        F(a_full_queue_is_waited_for_in_order),
        F(the_pause_is_at_least_what_the_broker_says),
        F(a_pipe_gives_up_when_told_to),
        F(rows_without_number_or_key_are_not_sent_twice),
        F(rows_with_keys_are_sent_again_and_known),
        F(resend_allows_what_might_be_twice),
        F(a_refused_row_does_not_stop_the_others),
        F(a_refused_frame_ends_a_numbered_pipe),
        F(a_broken_answer_ends_a_numbered_pipe),
        F(the_window_is_kept_in_rows_and_bytes),
        F(a_window_of_one_goes_row_by_row),
        F(linger_gathers_and_then_sends_by_itself),
        F(a_callback_may_not_use_the_handle),
        F(requests_and_pipes_share_a_handle),
        F(a_run_is_waited_for),
        F(waiting_for_a_run_outlives_the_broker),
        F(output_comes_in_pages_and_can_go_on),
        F(events_come_without_a_hole_and_without_a_repeat),
        F(a_stream_of_its_own_knows_its_own_gaps),
        F(what_the_publisher_lost_last_is_found_in_silence),
        F(a_stream_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
