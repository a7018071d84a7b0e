/* Pipes of the client library: exactly once and in order, whatever the broker and the link do. */
#include <math.h>

#include "tests/unit/client.h"

static void rows_go_in_frames_and_come_back_in_order(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
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
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 10, .window_units = 1000 });
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
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
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
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 10, .linger_ms = 1000 });
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
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 16, .window_units = 500 });
    uint64_t at = 1;
    for (int round = 0; round < 5; round++, at += 1000) {
        assert_int_equal(put_rows(p, at, at + 999, false), SL_OK);
        fake_order(f, 'r');
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
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
    assert_int_equal(put_rows(p, 1, 700, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(put_rows(p, 701, 900, false), SL_OK);
    sl_close(&sl); /* without flush: what became of the 200 is not known */

    sl = opened(f, (struct sl_options){ 0 });
    p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
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
                     &(struct sl_pipe_options){ .run_id = FAKE_RUN, .producer = PRODUCER, .epoch = 2, .first_seq = 1 },
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
        sl_pipe_open(sl, &(struct sl_pipe_options){ .run_id = FAKE_RUN, .producer = PRODUCER, .epoch = 1 }, &p),
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
        (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 10, .window_units = 200, .linger_ms = 1000 });
    atomic_store(&f->quota, 60);
    assert_int_equal(put_rows(p, 1, 200, false), SL_OK);
    struct sl_pipe_stats s = { 0 };
    for (int64_t end = ms() + 10000; s.waited_us == 0 && ms() < end; sl_pipe_stats(p, &s)) /* full to the last place */
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
    sl_pipe_stats(p, &s);
    assert_true(s.resent_frames < 200); /* probes, not floods */
    sl_close(&sl);
}

static void a_queue_with_room_for_less_than_a_frame_is_filled(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 60000 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 64, .linger_ms = 1000 });
    atomic_store(&f->quota, 5);
    assert_int_equal(put_rows(p, 1, 150, true), SL_OK);
    for (unsigned quota = 5; quota < 150; quota += 9) { /* as if units ended, and others came in their place */
        atomic_store(&f->quota, quota);
        for (int64_t end = ms() + 10000; t.next < quota + 1 && ms() < end;)
            assert_int_equal(sl_poll(sl, 20), SL_OK);
        assert_int_equal(atomic_load(&f->units), quota);
        assert_int_equal(sl_pipe_open_rows(p, NULL), 150 - quota);
    }
    atomic_store(&f->quota, 0);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 150);
    units_are(f, 150);
    for (uint32_t i = 0; i < f->key_count; i++) { /* keys went with their rows */
        char key[16];
        snprintf(key, sizeof key, "k%u", i + 1);
        assert_string_equal(f->keys[i].key, key);
    }
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
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .give_up_ms = 1000 });
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
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500 });
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
    fake_order(f, 'r');
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

/* All frames have to come again later, but one: it was lost. Nobody waits for its answer for ever. */
static void a_lost_answer_behind_a_frame_that_has_to_wait_is_mended_by_silence(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 40 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .frame_units = 10, .linger_ms = 60000, .give_up_ms = 10000 });
    atomic_store(&f->refuse_code, SLP_E_BUSY);
    atomic_store(&f->refuse_retry, SLP_RETRY_LATER);
    atomic_store(&f->refuse_after_ms, 20);
    atomic_store(&f->refuse_puts_only, 1);
    atomic_store(&f->refuse, 4);
    atomic_store(&f->swallow_put_at, 3);
    fake_order(f, 'd'); /* so that all leave together */
    while (sl_connected(sl))
        assert_int_equal(sl_poll(sl, 10), SL_OK);
    assert_int_equal(put_rows(p, 1, 50, true), SL_OK);
    fake_order(f, 'u');
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 50);
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

/* Rows 1..20, of which the 11th is bad. */
static int put_with_a_bad_one(struct sl_pipe *p)
{
    struct sl_buf row = { 0 };
    int rc = put_rows(p, 1, 10, false);
    sl_add_cstr(&row, "bad");
    if (rc == SL_OK)
        rc = sl_pipe_put(p, &row, NULL, 33);
    if (rc == SL_OK)
        rc = put_rows(p, 12, 20, false);
    sl_buf_free(&row);
    return rc == SL_OK ? sl_flush(p) : rc;
}

static void a_refused_row_does_not_stop_the_others(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1 });
    atomic_store(&f->bad_rows, 1);
    assert_int_equal(put_with_a_bad_one(p), SL_OK);
    assert_int_equal(t.ok, 19);
    assert_int_equal(t.bad, 1);
    sl_close(&sl);
}

/* The broker would refuse the whole message for it, and with it all rows beside it. */
static void a_number_that_the_wire_does_not_have_is_refused_before_it_is_sent(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .linger_ms = 1000 });
    const double no_numbers[] = { NAN, INFINITY, -INFINITY };
    assert_int_equal(put_rows(p, 1, 10, false), SL_OK);
    for (int i = 0; i < 3; i++) {
        struct sl_buf row = { 0 };
        sl_add_double(&row, no_numbers[i]);
        assert_int_equal(sl_pipe_put(p, &row, NULL, 0), SL_BAD_VALUE);
        sl_buf_free(&row);
    }
    assert_int_equal(put_rows(p, 11, 20, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    assert_int_equal(t.ok, 20);
    sl_close(&sl);
}

static void a_refused_row_ends_a_numbered_pipe_and_is_named(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p =
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 4, .linger_ms = 1000 });
    atomic_store(&f->bad_rows, 1);
    assert_int_equal(put_with_a_bad_one(p), SL_BAD_UNIT);
    assert_string_equal(sl_last_error(sl)->text, "row 11: because");
    assert_int_equal(t.bad, 1);
    assert_int_equal(t.ok, 8);                /* the frames before its own */
    assert_int_equal(t.not_put, t.next - 10); /* beside it and behind it */
    units_are(f, 8);
    sl_close(&sl);
}

static void a_refused_frame_ends_a_numbered_pipe(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .frame_units = 10 });
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
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
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
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .window_units = 100, .frame_units = 7 });
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
        piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER, .window_units = 1, .linger_ms = 60000 });
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

struct nosy {
    struct sl *sl;
    int inside, calls;
};

static bool nosy_stop(void *arg)
{
    struct nosy *n = arg;
    struct sl_info i;
    if (n->sl && n->calls++ < 10) /* each of them would ask again */
        n->inside = sl_info(n->sl, &i);
    return false;
}

static void stop_may_not_use_the_handle_either(void **state)
{
    struct fake *f = *state;
    struct nosy n = { NULL, SL_OK, 0 };
    struct sl *sl = opened(f, (struct sl_options){ .stop = nosy_stop, .stop_arg = &n });
    n.sl = sl;
    struct sl_info i;
    assert_int_equal(sl_info(sl, &i), SL_OK);
    assert_int_equal(n.inside, SL_MISUSE);
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

#define F(f) cmocka_unit_test_setup_teardown(f, with_fake, without_fake)
int main(void)
{
    const struct CMUnitTest tests[] = {
        F(rows_go_in_frames_and_come_back_in_order),
        F(a_lost_frame_is_mended_by_its_number),
        F(a_lost_last_frame_is_mended_by_silence),
        F(lost_answers_are_counted_as_duplicates),
        F(a_restarted_broker_gets_what_it_did_not_answer),
        F(a_producer_that_comes_back_goes_on_where_it_was),
        F(a_full_queue_is_waited_for_in_order),
        F(a_queue_with_room_for_less_than_a_frame_is_filled),
        F(the_pause_is_at_least_what_the_broker_says),
        F(a_pipe_gives_up_when_told_to),
        F(rows_without_number_or_key_are_not_sent_twice),
        F(rows_with_keys_are_sent_again_and_known),
        F(a_lost_answer_behind_a_frame_that_has_to_wait_is_mended_by_silence),
        F(resend_allows_what_might_be_twice),
        F(a_refused_row_does_not_stop_the_others),
        F(a_number_that_the_wire_does_not_have_is_refused_before_it_is_sent),
        F(a_refused_row_ends_a_numbered_pipe_and_is_named),
        F(a_refused_frame_ends_a_numbered_pipe),
        F(a_broken_answer_ends_a_numbered_pipe),
        F(the_window_is_kept_in_rows_and_bytes),
        F(a_window_of_one_goes_row_by_row),
        F(linger_gathers_and_then_sends_by_itself),
        F(a_callback_may_not_use_the_handle),
        F(stop_may_not_use_the_handle_either),
        F(requests_and_pipes_share_a_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
