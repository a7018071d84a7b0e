/* When what the log holds is committed by LMDB, and who waits for that. */
#include "tests/unit/wal_world.h"

/* ---- readers on other threads ---- */

static void a_reader_on_another_thread_asks_the_writer_and_waits_for_it(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    assert_int_equal(store_settle(e.w->s, SETTLE_DUE), STORE_OK); /* nobody waits yet */
    uint64_t before = settles(e.w);
    reader_waits(&e);
    assert_int_equal(settles(e.w), before);
    e.w->s->settled_at_us = store_now_us() + 1000000000; /* a moment ago, however long that was */
    assert_false(store_settle_due(e.w->s));
    assert_int_equal(store_settle(e.w->s, SETTLE_DUE), STORE_OK); /* work goes on, and the last one was just served */
    assert_int_equal(settles(e.w), before);
    e.w->s->settled_at_us = store_now_us() - 10000;
    assert_true(store_settle_due(e.w->s));
    assert_int_equal(store_settle(e.w->s, SETTLE_DUE), STORE_OK);
    assert_true(reader_saw(&e));
    assert_int_equal(settles(e.w), before + 1);
}

static void a_reader_who_waits_is_served_at_the_first_quiet_moment(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    reader_waits(&e);
    e.w->s->settled_at_us = store_now_us() + 1000000000; /* a moment ago, however long that was */
    assert_int_equal(store_settle(e.w->s, SETTLE_IDLE), STORE_OK);
    assert_true(reader_saw(&e));
}

static void a_reader_that_waits_is_told_when_the_writer_stops_without_settling(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    reader_waits(&e);
    store_stop(e.w->s);
    assert_false(reader_saw(&e));
    open_again(e.w);
    expect_now(e.w, "a", "1");
    store_stop(e.w->s); /* all is settled: nothing to tell */
    expect_now(e.w, "a", "1");
}

static void a_reader_that_waits_is_told_when_the_store_fails(void **state)
{
    struct elsewhere e = { .w = *state };
    struct store_txn *t;
    open_asked(&e);
    reader_waits(&e);
    t = begin(e.w);
    put(t, TABLE_RUN, "b", "2");
    store_faults(e.w->s)->fail_commit_after = 1;
    assert_int_equal(store_commit(&t), STORE_IO);
    assert_false(reader_saw(&e));
}

/* ---- when it is settled ---- */

static void a_batch_that_does_not_fit_is_a_commit_of_lmdbs_with_all_before_it(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "young");
    uint64_t before = settles(w);
    put_bytes(w, 0, 100, 1000);
    assert_int_equal(settles(w), before + 1);
    open_again(w);
    expect_now(w, "a", "young");
}

static void a_full_log_is_settled_before_the_next_batch(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 10240;
    open_with(w, o);
    for (uint32_t i = 0; i < 50; i++)
        put_bytes(w, i, 1, 900);
    assert_int_equal(store_counters(w->s)->commits, 50);
    assert_in_range(settles(w), 6, 9); /* nine fit */
    open_again(w);
    struct store_txn *t = begin_read(w);
    for (uint32_t i = 0; i < 50; i++) {
        uint8_t key[4];
        struct store_val v;
        key_u32(key, i);
        assert_int_equal(store_get(t, TABLE_UNIT, key, sizeof key, &v), STORE_OK);
        assert_int_equal(v.n, 900);
    }
    store_abort(&t);
}

static void an_idle_store_settles_a_quarter_of_the_log_or_all_if_it_is_asked_for(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 10240;
    open_with(w, o);
    put_bytes(w, 0, 1, 900);
    uint64_t before = settles(w);
    assert_int_equal(store_settle(w->s, SETTLE_IDLE), STORE_OK);
    assert_int_equal(settles(w), before);
    put_bytes(w, 1, 2, 900);
    assert_int_equal(store_settle(w->s, SETTLE_DUE), STORE_OK);
    assert_int_equal(settles(w), before);
    assert_int_equal(store_settle(w->s, SETTLE_IDLE), STORE_OK);
    assert_int_equal(settles(w), before + 1);
    put_bytes(w, 3, 1, 900);
    settle_all(w);
    assert_int_equal(settles(w), before + 2);
    settle_all(w); /* nothing to do */
    assert_int_equal(settles(w), before + 2);
}

static void pages_that_were_changed_are_settled_before_the_map_is_short_of_room(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 8 << 20;
    open_with(w, o); /* a map of 64 MB: a quarter of its headroom are 2,048 pages */
    for (uint32_t i = 0; i < 400; i++)
        put_bytes(w, 10 * i, 10, 1000); /* three of them fill a page */
    assert_in_range(settles(w), 2, 4);
}

static void changes_of_the_same_few_pages_do_not_settle(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 8 << 20;
    open_with(w, o);
    put_bytes(w, 0, 100, 1);
    uint64_t before = settles(w);
    for (uint32_t i = 0; i < 300; i++)
        put_bytes(w, 0, 100, 1);
    assert_int_equal(settles(w), before);
}

static void an_aborted_batch_leaves_those_before_it(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "kept");
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "a", "lost");
    store_abort(&t);
    t = begin(w);
    expect(t, TABLE_RUN, "a", "kept");
    uint8_t big[1000] = { 0 };
    for (uint8_t i = 1; i < 100; i++) /* too much for the log */
        assert_int_equal(store_put(t, TABLE_UNIT, &i, 1, big, sizeof big), STORE_OK);
    store_abort(&t);
    put_in_a_batch(w, "b", "too");
    expect_now(w, "a", "kept");
    expect_now(w, "b", "too");
    t = begin(w);
    put(t, TABLE_RUN, "a", "lost");
    store_abort(&t);
    expect_now(w, "a", "kept"); /* a reader, before there is another batch */
    open_again(w);
    expect_now(w, "a", "kept");
    expect_now(w, "b", "too");
}

static void a_batch_that_was_dropped_does_not_hold_the_map(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    struct store_space space;
    o.map_bytes = 1 << 20;
    open_with(w, o);
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    struct store_txn *t = begin(w);
    store_abort(&t);
    settle_all(w);
    assert_null(w->s->write.mt); /* nor would another thread wait for this one */
    put_bytes(w, 0, 500, 1000);
    t = begin(w);
    store_abort(&t);
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_OK);
    assert_true(space.map_bytes > 1 << 20);
    put_in_a_batch(w, "a", "2");
    expect_now(w, "a", "2");
}

static void where_the_disk_may_have_no_room_the_log_is_kept(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    put_bytes(w, 0, 50, 1);
    uint64_t before = settles(w);
    w->s->disk_known = true; /* a disk with nothing left */
    w->s->disk_free_bytes = w->s->reusable_bytes = 0;
    settle_all(w);
    assert_int_equal(settles(w), before);
    assert_null(w->s->write.mt);
    put_in_a_batch(w, "b", "2"); /* results are still taken */
    assert_int_equal(settles(w), before);
    w->s->disk_free_bytes = 1 << 20;
    settle_all(w);
    assert_int_equal(settles(w), before + 1);
    expect_now(w, "b", "2");
}

static void what_is_not_settled_counts_against_the_disk(void **state)
{
    struct world *w = *state;
    struct store_space before, after;
    struct store_options o = with_log(w);
    o.wal_bytes = 8 << 20;
    open_with(w, o);
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    assert_int_equal(store_pressure(w->s, 1, &before), STORE_OK);
    for (uint32_t i = 0; i < 900; i += 100)
        put_bytes(w, i, 100, 1000);                              /* three of them fill a page */
    assert_int_equal(store_pressure(w->s, 2, &after), STORE_OK); /* the same answer of the disk */
    assert_true(before.disk_free_bytes - after.disk_free_bytes >= 300 * 4096);
    assert_int_equal(before.used_bytes, after.used_bytes); /* of the file */
}

/* ---- who waits ---- */

static void a_batch_takes_a_reader_along_who_waited_long_enough(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    reader_waits(&e);
    uint64_t before = settles(e.w);
    e.w->s->settled_at_us = store_now_us() - 10000;
    put_in_a_batch(e.w, "b", "2");
    assert_true(reader_saw(&e));
    assert_int_equal(settles(e.w), before + 1);
}

static void a_reader_waits_where_the_disk_may_have_no_room(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    struct store *s = e.w->s;
    reader_waits(&e);
    uint64_t before = settles(e.w);
    s->settled_at_us = store_now_us() - 10000;
    s->disk_known = true; /* a disk with nothing left */
    s->disk_free_bytes = s->reusable_bytes = 0;
    s->file_bytes = 0;
    assert_int_equal(store_settle(s, SETTLE_DUE), STORE_OK);
    assert_int_equal(store_settle(s, SETTLE_IDLE), STORE_OK);
    put_in_a_batch(e.w, "b", "2");
    assert_int_equal(settles(e.w), before);
    s->disk_free_bytes = 1 << 20;
    assert_int_equal(store_settle(s, SETTLE_DUE), STORE_OK);
    assert_true(reader_saw(&e));
}

static void a_log_that_is_nearly_full_is_settled_whatever_the_disk_said(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    while (!settle_needed(w->s))
        put_bytes(w, 0, 1, 900);
    uint64_t before = settles(w);
    w->s->disk_known = true;
    w->s->disk_free_bytes = w->s->reusable_bytes = w->s->file_bytes = 0;
    assert_int_equal(store_settle(w->s, SETTLE_DUE), STORE_OK);
    assert_int_equal(settles(w), before + 1);
}

static void a_writer_that_was_given_nobody_to_ask_serves_a_reader_when_it_settles(void **state)
{
    struct elsewhere e = { .w = *state };
    struct world *w = e.w;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    assert_int_equal(pthread_create(&e.thread, NULL, reads_elsewhere, &e), 0);
    while (atomic_load(&w->s->wanted) == 0)
        sched_yield();
    settle_all(w);
    assert_true(reader_saw(&e));
}

static void several_readers_wait_for_the_same_settling(void **state)
{
    struct elsewhere e = { .w = *state }, more = { .w = *state };
    open_asked(&e);
    reader_waits(&e);
    atomic_store(&e.asked, false); /* whoever comes second asks, too */
    assert_int_equal(pthread_create(&more.thread, NULL, reads_elsewhere, &more), 0);
    while (!atomic_load(&e.asked))
        sched_yield();
    uint64_t before = settles(e.w);
    settle_all(e.w);
    assert_true(reader_saw(&e));
    assert_true(reader_saw(&more));
    assert_int_equal(settles(e.w), before + 1);
}

struct copier {
    struct elsewhere *e;
    pthread_t thread;
    enum store_rc rc;
    char text[300];
};

static void *copies_elsewhere(void *arg)
{
    struct copier *c = arg;
    char path[128];
    snprintf(path, sizeof path, "%s/backup", c->e->w->base);
    c->rc = store_backup(c->e->w->s, path, c->text, sizeof c->text);
    return NULL;
}

static void a_backup_that_waits_is_told_when_the_writer_stops(void **state)
{
    struct elsewhere e = { .w = *state };
    struct copier c = { .e = &e };
    open_asked(&e);
    assert_int_equal(pthread_create(&c.thread, NULL, copies_elsewhere, &c), 0);
    while (!atomic_load(&e.asked))
        sched_yield();
    store_stop(e.w->s);
    assert_int_equal(pthread_join(c.thread, NULL), 0);
    assert_int_equal(c.rc, STORE_IO);
    assert_non_null(strstr(c.text, "/backup: "));
    open_again(e.w);
    expect_now(e.w, "a", "1");
}

static void who_only_looks_has_nothing_to_settle(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    store_close(&w->s);
    o.read_only = true;
    open_with(w, o);
    settle_all(w);
    store_stop(w->s);
    expect_now(w, "a", "1");
}

/* ---- how full ---- */

static void a_batch_that_does_not_fit_the_rest_of_the_log_takes_all_along(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    while (w->s->wal.at < 40000)
        put_bytes(w, 0, 1, 900);
    uint64_t before = settles(w);
    put_bytes(w, 0, 30, 1000);
    assert_int_equal(settles(w), before + 1);
    assert_int_equal(w->s->wal.at, 0);
    open_again(w);
    expect_now(w, "a", "1");
}

static void a_log_may_be_full_to_its_last_sector(void **state)
{
    struct world *w = *state;
    struct store_options o = with_log(w);
    o.wal_bytes = 8 * SECTOR_BYTES;
    open_with(w, o);
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    for (int i = 0; i < 7; i++)
        put_in_a_batch(w, "b", "2");
    put_in_a_batch(w, "c", "3");
    assert_int_equal(w->s->wal.at, w->s->wal.bytes);
    store_close(&w->s);
    open_with(w, o);
    expect_now(w, "b", "2");
    expect_now(w, "c", "3");
    put_in_a_batch(w, "d", "4");
    expect_now(w, "d", "4");
}

static void a_sync_that_fails_ends_the_store_and_the_batch_may_be_there(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "b", "2");
    store_faults(w->s)->fail_sync_after = 1;
    assert_int_equal(store_commit(&t), STORE_IO);
    assert_int_equal(store_begin(w->s, &t), STORE_IO);
    open_again(w);
    expect_now(w, "a", "1");
    expect_now(w, "b", "2"); /* nobody was told so */
}

static void a_payload_of_parts_is_one_value_and_counted(void **state)
{
    struct world *w = *state;
    static const struct store_val part[] = { { "one ", 4 }, { NULL, 0 }, { "whole", 5 } };
    open_logged(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_append_parts(t, TABLE_RESULT, "key", 3, part, 3), STORE_OK);
    commit(t);
    open_again(w);
    t = begin_read(w);
    expect(t, TABLE_RESULT, "key", "one whole");
    store_abort(&t);
    t = begin(w);
    assert_int_equal(store_append_parts(t, TABLE_RESULT, "kez", 3, part, 3), STORE_OK);
    assert_int_equal(store_counters(w->s)->payload_bytes, 9);
    assert_int_equal(store_counters(w->s)->payload_copied_bytes, 9);
    commit(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_on_another_thread_asks_the_writer_and_waits_for_it),
        TEST(a_reader_who_waits_is_served_at_the_first_quiet_moment),
        TEST(a_reader_that_waits_is_told_when_the_writer_stops_without_settling),
        TEST(a_reader_that_waits_is_told_when_the_store_fails),
        TEST(a_batch_that_does_not_fit_is_a_commit_of_lmdbs_with_all_before_it),
        TEST(a_full_log_is_settled_before_the_next_batch),
        TEST(an_idle_store_settles_a_quarter_of_the_log_or_all_if_it_is_asked_for),
        TEST(pages_that_were_changed_are_settled_before_the_map_is_short_of_room),
        TEST(changes_of_the_same_few_pages_do_not_settle),
        TEST(an_aborted_batch_leaves_those_before_it),
        TEST(a_batch_that_was_dropped_does_not_hold_the_map),
        TEST(where_the_disk_may_have_no_room_the_log_is_kept),
        TEST(what_is_not_settled_counts_against_the_disk),
        TEST(a_batch_takes_a_reader_along_who_waited_long_enough),
        TEST(a_reader_waits_where_the_disk_may_have_no_room),
        TEST(a_log_that_is_nearly_full_is_settled_whatever_the_disk_said),
        TEST(a_writer_that_was_given_nobody_to_ask_serves_a_reader_when_it_settles),
        TEST(several_readers_wait_for_the_same_settling),
        TEST(a_backup_that_waits_is_told_when_the_writer_stops),
        TEST(who_only_looks_has_nothing_to_settle),
        TEST(a_batch_that_does_not_fit_the_rest_of_the_log_takes_all_along),
        TEST(a_log_may_be_full_to_its_last_sector),
        TEST(a_sync_that_fails_ends_the_store_and_the_batch_may_be_there),
        TEST(a_payload_of_parts_is_one_value_and_counted),
    };
    return cmocka_run_group_tests_name("settling", tests, NULL, NULL);
}
