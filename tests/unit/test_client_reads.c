/* The client library: waiting for runs, output, events. */
#include "tests/unit/client.h"

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
    fake_order(f, 'd');
    o.timeout_ms = 250;
    assert_int_equal(sl_run_wait(sl, "r", &o), SL_DISCONNECTED);
    fake_order(f, 'u');
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
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
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

static int on_answer(void *arg, const struct sl_answer *a)
{
    static const char *const workers[] = { "ann", "bob", "cid" };
    uint64_t *n = arg, unit = *n / 3 + 1, k = *n % 3;
    (*n)++;
    assert_int_equal(a->unit, unit);
    assert_int_equal(a->assignment, unit * 3 + k);
    assert_string_equal(a->worker, workers[k]);
    assert_string_equal(a->hub, "accra");
    assert_int_equal(a->counted, k < 2);
    assert_int_equal(a->stands, unit == 1 ? -1 : k == 0);
    assert_int_equal(a->assigned_wall_us, 1000);
    assert_int_equal(a->started_wall_us, 0);
    assert_int_equal(a->done_wall_us, 3000);
    assert_int_equal(a->active_us, 77);
    assert_int_equal(a->place, unit == 2 ? k + 1 : 0);
    assert_int_equal(a->entry, 0);
    assert_int_equal(a->input_count, 1);
    assert_string_equal(a->inputs[0], "text");
    assert_int_equal(a->field_count, 1);
    assert_string_equal(a->fields[0], "judge.value");
    assert_int_equal(sl_uint(&a->values[0]), unit * 10 + k);
    return *n == 100;
}

static void all_answers_of_a_station_come_though_pages_end_within_a_unit(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct tally t;
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
    assert_int_equal(put_rows(p, 1, 32, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    atomic_store(&f->page_rows, 7);
    uint64_t n = 0;
    assert_int_equal(sl_answers(sl, "r", "judge", on_answer, &n), SL_OK);
    assert_int_equal(n, 96);
    n = 4;
    assert_int_equal(sl_answers(sl, "r", "no/name", on_answer, &n), SL_BAD_NAME);
    assert_int_equal(n, 4);
    sl_close(&sl);
}

struct slow_reader {
    struct fake *f;
    uint64_t n;
    int64_t pause_ms; /* over the first row */
};

static int on_slow_output(void *arg, const struct sl_output_row *row)
{
    struct slow_reader *r = arg;
    assert_int_equal(row->unit, ++r->n);
    if (r->n == 1) {
        int64_t begun = ms();
        while (ms() < begun + 10000 && (atomic_load(&r->f->output_gets) < 2 || ms() < begun + r->pause_ms))
            continue;
    }
    return 0;
}

static void the_next_page_is_asked_for_while_one_is_read(void **state)
{
    struct fake *f = *state;
    struct tally t;
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 200, .resend_ms = 50 });
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
    assert_int_equal(put_rows(p, 1, 150, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    struct slow_reader r = { .f = f, .pause_ms = 300 }; /* longer than anybody would wait for an answer */
    assert_int_equal(sl_output(sl, "r", NULL, on_slow_output, &r, NULL), SL_OK);
    assert_int_equal(r.n, 150);
    assert_int_equal(atomic_load(&f->output_gets), 2); /* the answer had come, nothing was asked for again */
    sl_close(&sl);
}

static int stop_at_once(void *arg, const struct sl_output_row *row)
{
    (void)arg;
    (void)row;
    return 1;
}

static void a_page_that_nobody_wants_any_more_disturbs_no_other_request(void **state)
{
    struct fake *f = *state;
    struct tally t;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
    assert_int_equal(put_rows(p, 1, 350, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    uint64_t last;
    for (int i = 0; i < 50; i++) {
        struct sl_run_row row;
        assert_int_equal(sl_output(sl, "r", NULL, stop_at_once, NULL, &last), SL_STOPPED);
        assert_int_equal(last, 1);
        assert_int_equal(sl_run_info(sl, "r", &row, NULL, NULL), SL_OK);
        struct slow_reader r = { .f = f, .n = 0 };
        assert_int_equal(sl_output(sl, "r", NULL, on_slow_output, &r, NULL), SL_OK);
        assert_int_equal(r.n, 350);
    }
    sl_close(&sl);
}

static void output_outlives_a_lost_request_for_a_page(void **state)
{
    struct fake *f = *state;
    struct tally t;
    struct sl *sl = opened(f, (struct sl_options){ .resend_ms = 30 });
    struct sl_pipe *p = piped(sl, &t, (struct sl_pipe_options){ .producer = PRODUCER });
    assert_int_equal(put_rows(p, 1, 350, false), SL_OK);
    assert_int_equal(sl_flush(p), SL_OK);
    atomic_store(&f->swallow_answers, 2);
    struct slow_reader r = { .f = f };
    assert_int_equal(sl_output(sl, "r", NULL, on_slow_output, &r, NULL), SL_OK);
    assert_int_equal(r.n, 350);
    sl_close(&sl);
}

struct hubs {
    uint64_t n, end_at;
};

static int on_hub(void *arg, const struct sl_hub_row *row)
{
    struct hubs *h = arg;
    char name[SL_NAME_SIZE];
    assert_int_equal(row->hub, ++h->n);
    snprintf(name, sizeof name, "hub-%u", (unsigned)h->n);
    assert_string_equal(row->name, name);
    return h->n == h->end_at;
}

static void a_listing_comes_in_pages_and_can_be_stopped(void **state)
{
    struct fake *f = *state;
    struct sl *sl = opened(f, (struct sl_options){ 0 });
    struct hubs h = { 0 };
    assert_true(atomic_load(&f->page_rows) < FAKE_HUBS);
    assert_int_equal(sl_hubs(sl, on_hub, &h), SL_OK);
    assert_int_equal(h.n, FAKE_HUBS);
    for (uint64_t end = 1; end <= FAKE_HUBS; end += 83) {
        h = (struct hubs){ .end_at = end };
        assert_int_equal(sl_hubs(sl, on_hub, &h), SL_STOPPED);
        assert_int_equal(h.n, end);
    }
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
    struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500 });
    struct sl_events *e;
    fake_happen(f, 2);
    assert_int_equal(sl_events_open(sl, &(struct sl_events_options){ .since = 1, .look_ms = 20 }, &e), SL_OK);
    expect_event(e, 1);
    expect_event(e, 2);
    fake_order(f, 'd');
    struct sl_event v;
    int rc = SL_TIMEOUT;
    for (int64_t end = ms() + 10000; rc == SL_TIMEOUT && ms() < end;)
        rc = sl_events_next(e, 50, &v);
    assert_int_equal(rc, SL_DISCONNECTED);
    fake_order(f, 'u');
    fake_happen(f, 4);
    for (int64_t end = ms() + 10000; rc != SL_OK && ms() < end;)
        rc = sl_events_next(e, 50, &v);
    assert_int_equal(rc, SL_OK);
    assert_int_equal(v.seq, 3);
    expect_event(e, 4);
    sl_close(&sl);
}

/* The store that the broker serves when it is back was made of a backup, and has gone on since, beyond what was read of the lost one. */
static void a_stream_does_not_go_on_in_another_store(void **state)
{
    struct fake *f = *state;
    for (uint64_t first = 3; first <= 13; first += 10) { /* what is new is asked for, and is published */
        struct sl *sl = opened(f, (struct sl_options){ .timeout_ms = 1500 });
        struct sl_events_options o = { .since = first, .look_ms = first == 3 ? 20 : 60000 };
        struct sl_events *e;
        fake_happen(f, first + 1);
        assert_int_equal(sl_events_open(sl, &o, &e), SL_OK);
        await_subscriber(f);
        expect_event(e, first);
        expect_event(e, first + 1);
        fake_order(f, 'd');
        atomic_store(&f->other_store, first == 3);
        fake_happen(f, first + 6);
        fake_order(f, 'u');
        if (first != 3)
            fake_publish(f, "all", first + 2, first + 6);
        struct sl_event v;
        int rc = SL_TIMEOUT;
        for (int64_t end = ms() + 10000; (rc == SL_TIMEOUT || rc == SL_DISCONNECTED) && ms() < end;)
            rc = sl_events_next(e, 50, &v);
        assert_int_equal(rc, SL_GONE);
        assert_int_equal(sl_events_next(e, 0, &v), SL_GONE); /* and stays so */
        assert_int_equal(sl_events_position(e), first + 2);
        sl_close(&sl);
        char end[200];
        assert_true(zmq_recv(f->pub, end, sizeof end, 0) > 0 && end[0] == 0);
    }
}

#define F(f) cmocka_unit_test_setup_teardown(f, with_fake, without_fake)
int main(void)
{
    const struct CMUnitTest tests[] = {
        F(a_run_is_waited_for),
        F(waiting_for_a_run_outlives_the_broker),
        F(output_comes_in_pages_and_can_go_on),
        F(all_answers_of_a_station_come_though_pages_end_within_a_unit),
        F(the_next_page_is_asked_for_while_one_is_read),
        F(a_page_that_nobody_wants_any_more_disturbs_no_other_request),
        F(output_outlives_a_lost_request_for_a_page),
        F(a_listing_comes_in_pages_and_can_be_stopped),
        F(events_come_without_a_hole_and_without_a_repeat),
        F(a_stream_of_its_own_knows_its_own_gaps),
        F(what_the_publisher_lost_last_is_found_in_silence),
        F(a_stream_outlives_a_restart),
        F(a_stream_does_not_go_on_in_another_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
