/* A batch that is still being written while the next one is put to its tables. */
#include "tests/unit/wal_world.h"

/* ---- a sync that is held up ---- */

struct held {
    struct world *w;
    pthread_t lets_go;
    atomic_bool hold;
    atomic_int syncs, told, failed; /* begun; batches that were told of as on disk, and as failed */
    int told_at_sync[4];            /* how many had been, when each sync began */
};

static void at_sync(void *arg)
{
    struct held *h = arg;
    int n = atomic_load(&h->syncs);
    if (n < 4)
        h->told_at_sync[n] = atomic_load(&h->told);
    atomic_fetch_add(&h->syncs, 1);
    while (atomic_load(&h->hold))
        sched_yield();
}

static void is_told(void *arg, bool good)
{
    struct held *h = arg;
    atomic_fetch_add(good ? &h->told : &h->failed, 1);
}

static void open_held(struct held *h)
{
    open_logged(h->w);
    atomic_store(&h->hold, true);
    store_faults(h->w->s)->syncing = at_sync;
    store_faults(h->w->s)->syncing_arg = h;
}

static void until_syncs(struct held *h, int n)
{
    while (atomic_load(&h->syncs) < n)
        sched_yield();
}

/* A batch of one row; *writing says if it is on its way. */
static enum store_rc hand_over(struct held *h, const char *key, const char *v, bool *writing)
{
    struct store_txn *t = begin(h->w);
    put(t, TABLE_RUN, key, v);
    enum store_rc r = store_commit_begin(&t, is_told, h, writing);
    assert_null(t);
    return r;
}

/* "1" at "a": written, and its sync is held up. */
static void one_is_held_up(struct held *h)
{
    bool writing;
    open_held(h);
    assert_int_equal(hand_over(h, "a", "1", &writing), STORE_OK);
    assert_true(writing);
    until_syncs(h, 1);
}

static void *lets_go_soon(void *arg)
{
    struct held *h = arg;
    usleep(20000);
    atomic_store(&h->hold, false);
    return NULL;
}

/* Whatever is called next has to wait for it. */
static void let_go_soon(struct held *h)
{
    assert_int_equal(pthread_create(&h->lets_go, NULL, lets_go_soon, h), 0);
}

static void joined(struct held *h)
{
    pthread_join(h->lets_go, NULL);
}

static void ends(struct held *h)
{
    atomic_store(&h->hold, false);
    assert_int_equal(store_commit_end(h->w->s), STORE_OK);
}

/* ---- order ---- */

static void a_batch_is_told_of_when_its_sync_is_done_and_not_before(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    usleep(5000);
    assert_int_equal(atomic_load(&h.told), 0);
    ends(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    assert_int_equal(store_counters(h.w->s)->commits, 1);
    open_again(h.w);
    expect_now(h.w, "a", "1");
}

static void the_next_batch_is_put_and_sees_the_one_that_is_being_written(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    struct store_txn *t = begin(h.w);
    expect(t, TABLE_RUN, "a", "1");
    put(t, TABLE_RUN, "b", "2");
    assert_int_equal(atomic_load(&h.told), 0);
    let_go_soon(&h);
    commit(t);
    joined(&h);
    assert_int_equal(h.told_at_sync[1], 1);
    open_again(h.w);
    expect_now(h.w, "a", "1");
    expect_now(h.w, "b", "2");
}

static void no_batch_is_written_before_the_one_before_it_is_synced(void **state)
{
    struct held h = { .w = *state };
    bool writing;
    one_is_held_up(&h);
    let_go_soon(&h);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hand_over(&h, "b", "2", &writing), STORE_OK);
        assert_true(writing);
    }
    ends(&h);
    joined(&h);
    for (int i = 0; i < 4; i++)
        assert_int_equal(h.told_at_sync[i], i);
    open_again(h.w);
    expect_now(h.w, "b", "2");
}

/* ---- what goes to LMDB at once, or nowhere ---- */

static void a_batch_that_the_log_does_not_take_waits_for_the_one_before_and_is_done_at_once(void **state)
{
    struct held h = { .w = *state };
    uint8_t key[4], v[1000] = { 0 };
    bool writing;
    one_is_held_up(&h);
    let_go_soon(&h);
    struct store_txn *t = begin(h.w);
    for (uint32_t i = 0; i < 100; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    uint64_t before = settles(h.w);
    assert_int_equal(store_commit_begin(&t, is_told, &h, &writing), STORE_OK);
    joined(&h);
    assert_false(writing);
    assert_int_equal(settles(h.w), before + 1);
    assert_int_equal(atomic_load(&h.told), 1); /* of the one before; of itself nobody had to be told */
    open_again(h.w);
    expect_now(h.w, "a", "1");
}

static void a_batch_that_changed_nothing_is_not_written(void **state)
{
    struct held h = { .w = *state };
    bool writing = true;
    open_held(&h);
    struct store_txn *t = begin(h.w);
    assert_int_equal(store_commit_begin(&t, is_told, &h, &writing), STORE_OK);
    assert_false(writing);
    assert_int_equal(atomic_load(&h.syncs), 0);
    assert_int_equal(store_commit_end(h.w->s), STORE_OK); /* nothing is: nothing to wait for */
}

/* ---- who waits ---- */

static void a_settling_waits_for_what_is_being_written(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    uint64_t before = settles(h.w);
    let_go_soon(&h);
    settle_all(h.w);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    assert_int_equal(settles(h.w), before + 1);
    assert_int_equal(h.w->s->wal.at, 0);
}

static void a_batch_that_begins_with_a_settling_does_too(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    h.w->s->wal.at = h.w->s->wal.bytes - h.w->s->wal.bytes / 16 / SECTOR_BYTES * SECTOR_BYTES; /* nearly full */
    let_go_soon(&h);
    struct store_txn *t = begin(h.w);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    commit(t);
}

static void the_writers_last_word_does_too(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    let_go_soon(&h);
    store_stop(h.w->s);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    open_again(h.w);
    expect_now(h.w, "a", "1");
}

static void a_store_that_is_closed_does_too(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    let_go_soon(&h);
    open_again(h.w);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    expect_now(h.w, "a", "1");
}

static void an_abort_of_the_next_one_does_too_and_keeps_it(void **state)
{
    struct held h = { .w = *state };
    one_is_held_up(&h);
    struct store_txn *t = begin(h.w);
    put(t, TABLE_RUN, "a", "2");
    let_go_soon(&h);
    store_abort(&t);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    expect_now(h.w, "a", "1");
}

static void a_backup_holds_what_was_told_of_and_waits_for_it(void **state)
{
    struct held h = { .w = *state };
    struct world copy = { 0 };
    one_is_held_up(&h);
    let_go_soon(&h);
    snprintf(copy.dir, sizeof copy.dir, "%s/copy", h.w->base);
    assert_int_equal(store_backup(h.w->s, copy.dir, NULL, 0), STORE_OK);
    joined(&h);
    assert_int_equal(atomic_load(&h.told), 1);
    open_logged(&copy);
    expect_now(&copy, "a", "1");
    store_close(&copy.s);
}

static void whoever_reads_when_a_batch_was_told_of_sees_it(void **state)
{
    struct elsewhere e = { .w = *state };
    struct held h = { .w = *state };
    bool writing;
    struct store_options o = with_log(e.w);
    o.settle_wanted = is_asked;
    o.settle_arg = &e;
    open_with(e.w, o);
    assert_int_equal(hand_over(&h, "a", "1", &writing), STORE_OK);
    while (atomic_load(&h.told) == 0) /* and the writer has not looked yet */
        sched_yield();
    reader_waits(&e);
    assert_int_equal(store_settle(e.w->s, SETTLE_IDLE), STORE_OK);
    assert_true(reader_saw(&e));
}

/* ---- failures ---- */

static void of_a_failed_sync_nobody_is_told_and_the_next_batch_is_nowhere(void **state)
{
    for (int by = 0; by < 3; by++) {
        struct held h = { .w = *state };
        bool writing;
        open_held(&h);
        store_faults(h.w->s)->fail_sync_after = 1;
        assert_int_equal(hand_over(&h, "a", "1", &writing), STORE_OK);
        assert_true(writing);
        struct store_txn *t = begin(h.w);
        put(t, TABLE_RUN, "b", "2");
        atomic_store(&h.hold, false);
        if (by == 2)
            assert_int_equal(store_commit_end(h.w->s), STORE_IO);
        assert_int_equal(by == 0 ? store_commit(&t) : store_commit_begin(&t, is_told, &h, &writing), STORE_IO);
        assert_null(t);
        assert_int_equal(store_commit_end(h.w->s), STORE_IO);
        assert_int_equal(store_begin(h.w->s, &t), STORE_IO);
        assert_int_equal(atomic_load(&h.told), 0);
        assert_int_equal(atomic_load(&h.failed), 1);
        open_again(h.w);
        expect_now(h.w, "b", NULL);
        store_close(&h.w->s);
    }
}

static void file_of(const struct world *w, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", w->dir, name);
}

/* As after a power cut while it syncs: with `sectors` of the log zeroed from `at` on. */
static void cut_here(struct held *h, struct world *copy, uint64_t at, uint64_t sectors)
{
    char cmd[512], log[128];
    static const uint8_t zeros[SECTOR_BYTES];
    snprintf(copy->base, sizeof copy->base, "%s", h->w->base);
    snprintf(copy->dir, sizeof copy->dir, "%s/cut", h->w->base);
    snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -r '%s' '%s'", copy->dir, h->w->dir, copy->dir);
    assert_int_equal(system(cmd), 0);
    file_of(copy, "wal", log, sizeof log);
    int fd = open(log, O_WRONLY);
    for (uint64_t i = 0; i < sectors; i++)
        assert_int_equal(pwrite(fd, zeros, sizeof zeros, (off_t)(at + i * SECTOR_BYTES)), sizeof zeros);
    close(fd);
    open_logged(copy);
}

static void where_the_one_that_syncs_was_cut_short_nothing_is_behind_it_and_the_store_opens(void **state)
{
    struct held h = { .w = *state };
    struct world copy = { 0 };
    bool writing;
    uint8_t key[4], v[900] = { 0 };
    open_held(&h);
    atomic_store(&h.hold, false);
    put_in_a_batch(h.w, "a", "1");
    atomic_store(&h.hold, true);
    uint64_t at = h.w->s->wal.at;
    struct store_txn *t = begin(h.w);
    put(t, TABLE_RUN, "b", "2");
    for (uint32_t i = 0; i < 4; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    assert_int_equal(store_commit_begin(&t, is_told, &h, &writing), STORE_OK);
    until_syncs(&h, 2);
    uint64_t sectors = (h.w->s->wal.at - at) / SECTOR_BYTES;
    t = begin(h.w);
    put(t, TABLE_RUN, "c", "3"); /* applied, and not in the file */
    for (uint64_t cut = 0; cut <= sectors; cut++) {
        cut_here(&h, &copy, at + (sectors - cut) * SECTOR_BYTES, cut);
        expect_now(&copy, "a", "1");
        expect_now(&copy, "b", cut == 0 ? "2" : NULL);
        expect_now(&copy, "c", NULL);
        store_close(&copy.s);
    }
    atomic_store(&h.hold, false);
    commit(t);
}

/* ---- in a simulation ---- */

static void open_simulated(struct held *h)
{
    struct store_options o = with_log(h->w);
    o.no_sync = true;
    open_with(h->w, o);
}

static void in_a_simulation_whoever_waits_for_a_batch_writes_it(void **state)
{
    for (int by = 0; by < 3; by++) {
        struct held h = { .w = *state };
        bool writing;
        open_simulated(&h);
        assert_int_equal(hand_over(&h, "a", by == 0 ? "1" : by == 1 ? "2" : "3", &writing), STORE_OK);
        assert_true(writing);
        struct store_txn *t = begin(h.w);
        put(t, TABLE_RUN, "b", "2");
        assert_int_equal(atomic_load(&h.told), 0);
        if (by == 0)
            assert_int_equal(store_commit_end(h.w->s), STORE_OK);
        if (by == 1)
            store_abort(&t);
        else
            commit(t);
        assert_int_equal(atomic_load(&h.told), 1);
        if (by == 2) {
            assert_int_equal(hand_over(&h, "c", "3", &writing), STORE_OK);
            store_close(&h.w->s);
            assert_int_equal(atomic_load(&h.told), 2);
            open_simulated(&h);
            expect_now(h.w, "c", "3");
        }
        open_again(h.w);
        expect_now(h.w, "a", by == 0 ? "1" : by == 1 ? "2" : "3");
        expect_now(h.w, "b", "2");
        store_close(&h.w->s);
    }
}

static void in_a_simulation_a_write_is_cut_where_told_and_fails(void **state)
{
    static const uint64_t cuts[] = { 1, 2, 1000, UINT64_MAX };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct held h = { .w = *state };
        uint8_t key[4], v[900] = { 0 };
        char name[2] = { (char)('a' + i), 0 };
        bool writing;
        open_simulated(&h);
        struct store_txn *t = begin(h.w);
        put(t, TABLE_RUN, name, "1");
        for (uint32_t k = 0; k < 4; k++) {
            key_u32(key, k);
            assert_int_equal(store_put(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
        }
        assert_int_equal(store_commit_begin(&t, is_told, &h, &writing), STORE_OK);
        assert_true(writing);
        t = begin(h.w);
        put(t, TABLE_RUN, "next", "2");
        store_faults(h.w->s)->cut_write = cuts[i];
        assert_int_equal(store_commit_end(h.w->s), STORE_IO);
        assert_int_equal(store_commit(&t), STORE_IO);
        assert_int_equal(atomic_load(&h.told), 0);
        assert_int_equal(atomic_load(&h.failed), 1);
        open_again(h.w);
        expect_now(h.w, name, cuts[i] == UINT64_MAX ? "1" : NULL);
        expect_now(h.w, "next", NULL);
        store_close(&h.w->s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_told_of_when_its_sync_is_done_and_not_before),
        TEST(the_next_batch_is_put_and_sees_the_one_that_is_being_written),
        TEST(no_batch_is_written_before_the_one_before_it_is_synced),
        TEST(a_batch_that_the_log_does_not_take_waits_for_the_one_before_and_is_done_at_once),
        TEST(a_batch_that_changed_nothing_is_not_written),
        TEST(a_settling_waits_for_what_is_being_written),
        TEST(a_batch_that_begins_with_a_settling_does_too),
        TEST(the_writers_last_word_does_too),
        TEST(a_store_that_is_closed_does_too),
        TEST(an_abort_of_the_next_one_does_too_and_keeps_it),
        TEST(a_backup_holds_what_was_told_of_and_waits_for_it),
        TEST(whoever_reads_when_a_batch_was_told_of_sees_it),
        TEST(of_a_failed_sync_nobody_is_told_and_the_next_batch_is_nowhere),
        TEST(in_a_simulation_whoever_waits_for_a_batch_writes_it),
        TEST(in_a_simulation_a_write_is_cut_where_told_and_fails),
        TEST(where_the_one_that_syncs_was_cut_short_nothing_is_behind_it_and_the_store_opens),
    };
    return cmocka_run_group_tests_name("the log's writer", tests, NULL, NULL);
}
