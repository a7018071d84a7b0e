/* What the store keeps, in what order, and who sees it when. */
#include <pthread.h>

#include "tests/unit/store_world.h"

/* ---- what it keeps ---- */

static void what_was_committed_is_there_after_a_reopen(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "run", "a value");
    commit(t);
    reopen(w);
    t = begin_read(w);
    expect(t, TABLE_RUN, "run", "a value");
    expect(t, TABLE_RUN, "other", NULL);
    store_abort(&t);
    assert_memory_equal(store_id(w->s), ID, 16);
}

static void every_table_is_a_world_of_its_own(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    for (enum store_table i = 0; i < STORE_TABLE_COUNT; i++)
        put(t, i, "key", store_table_name(i));
    commit(t);
    reopen(w);
    t = begin_read(w);
    for (enum store_table i = 0; i < STORE_TABLE_COUNT; i++)
        expect(t, i, "key", store_table_name(i));
    store_abort(&t);
    assert_string_equal(store_table_name(TABLE_ASSIGN), "ASSIGN");
}

static void the_store_keeps_its_id_whatever_a_later_open_offers(void **state)
{
    struct world *w = *state;
    open_store(w);
    store_close(&w->s);
    static const uint8_t other[16] = "another store id";
    struct store_options o = options(w);
    assert_int_equal(store_open(&w->s, &o, other, NULL, 0), STORE_OK);
    assert_memory_equal(store_id(w->s), ID, 16);
}

static void empty_and_largest_values_and_longest_keys_come_back_whole(void **state)
{
    struct world *w = *state;
    uint8_t key[STORE_KEY_BYTES_MAX], v[SL_VALUE_BYTES_MAX - ENVELOPE_BYTES];
    struct store_val got;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof v; i++)
        v[i] = (uint8_t)(i * 31 >> 3);
    open_store(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_put(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    assert_int_equal(store_put(t, TABLE_UNIT, "e", 1, NULL, 0), STORE_OK);
    commit(t);
    t = begin(w);
    assert_int_equal(store_get(t, TABLE_UNIT, key, sizeof key, &got), STORE_OK);
    assert_int_equal(got.n, sizeof v);
    assert_memory_equal(got.p, v, sizeof v);
    assert_int_equal(store_get(t, TABLE_UNIT, "e", 1, &got), STORE_OK);
    assert_int_equal(got.n, 0);
    store_abort(&t);
}

static void an_append_that_is_not_the_greatest_is_a_put(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_append(t, TABLE_EVENT, "b", 1, "1", 1), STORE_OK);
    assert_int_equal(store_append(t, TABLE_EVENT, "c", 1, "2", 1), STORE_OK);
    assert_int_equal(store_append(t, TABLE_EVENT, "a", 1, "3", 1), STORE_OK);
    assert_int_equal(store_append(t, TABLE_EVENT, "c", 1, "4", 1), STORE_OK);
    expect(t, TABLE_EVENT, "a", "3");
    expect(t, TABLE_EVENT, "b", "1");
    expect(t, TABLE_EVENT, "c", "4");
    commit(t);
}

static void a_deleted_key_is_not_found_again(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_DELAY, "key", "value");
    assert_int_equal(store_del(t, TABLE_DELAY, "key", 3), STORE_OK);
    assert_int_equal(store_del(t, TABLE_DELAY, "key", 3), STORE_NOT_FOUND);
    expect(t, TABLE_DELAY, "key", NULL);
    commit(t);
}

static void keys_may_lie_in_the_store_itself(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    uint8_t key[4], big[1500];
    memset(big, 'x', sizeof big);
    for (uint32_t i = 0; i < 200; i++) {
        key_u32(key, i);
        memcpy(big, key, sizeof key);
        assert_int_equal(store_put(t, TABLE_READY, key, sizeof key, big, sizeof big), STORE_OK);
    }
    /* Move every record to the other end of the same table, and delete it by the key where it lies: pages split and move under it. */
    for (uint32_t i = 0; i < 200; i++) {
        struct store_cursor c;
        assert_int_equal(store_cursor_open(t, TABLE_READY, &c), STORE_OK);
        assert_int_equal(store_seek(&c, "", 0), STORE_OK);
        key_u32(key, 1000 + i);
        assert_int_equal(key_get_u32(c.key.p), i);
        memcpy(big, c.val.p, c.val.n);
        assert_int_equal(store_put(t, TABLE_READY, key, sizeof key, big, c.val.n), STORE_OK);
        assert_int_equal(store_seek(&c, "", 0), STORE_OK);
        assert_int_equal(store_del(t, TABLE_READY, c.key.p, c.key.n), STORE_OK);
        store_cursor_close(&c);
    }
    for (uint32_t i = 0; i < 200; i++) {
        struct store_val v;
        key_u32(key, 1000 + i);
        assert_int_equal(store_get(t, TABLE_READY, key, sizeof key, &v), STORE_OK);
        assert_int_equal(v.n, sizeof big);
        assert_int_equal(key_get_u32(v.p), i);
    }
    commit(t);
}

/* ---- order ---- */

static void cursors_walk_in_the_order_of_bytes(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_READY, "b", "2");
    put(t, TABLE_READY, "d", "4");
    put(t, TABLE_READY, "a", "1");
    put(t, TABLE_READY, "ba", "3");
    struct store_cursor c;
    assert_int_equal(store_cursor_open(t, TABLE_READY, &c), STORE_OK);
    expect_at(store_seek(&c, "", 0), &c, "a");
    expect_at(store_next(&c), &c, "b");
    expect_at(store_next(&c), &c, "ba");
    expect_at(store_next(&c), &c, "d");
    expect_at(store_next(&c), &c, NULL);
    expect_at(store_seek(&c, "b", 1), &c, "b");
    expect_at(store_seek_le(&c, "az", 2), &c, "a");
    expect_at(store_next(&c), &c, "b");
    expect_at(store_seek(&c, "bb", 2), &c, "d");
    expect_at(store_seek(&c, "e", 1), &c, NULL);
    expect_at(store_seek_le(&c, "bb", 2), &c, "ba");
    expect_at(store_seek_le(&c, "b", 1), &c, "b");
    expect_at(store_seek_le(&c, "z", 1), &c, "d");
    expect_at(store_seek_le(&c, "A", 1), &c, NULL);
    store_cursor_close(&c);
    store_abort(&t);
}

static void a_cursor_on_an_empty_table_finds_nothing(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin_read(w);
    struct store_cursor c;
    assert_int_equal(store_cursor_open(t, TABLE_DEAD, &c), STORE_OK);
    expect_at(store_seek(&c, "", 0), &c, NULL);
    expect_at(store_seek(&c, "a", 1), &c, NULL);
    expect_at(store_seek_le(&c, "a", 1), &c, NULL);
    store_cursor_close(&c);
    store_abort(&t);
}

static void big_endian_keys_sort_as_numbers(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    static const uint64_t n[] = { 1ull << 40, 255, 256, 0, UINT64_MAX, 65536 };
    static const uint64_t sorted[] = { 0, 255, 256, 65536, 1ull << 40, UINT64_MAX };
    uint8_t key[13];
    for (int i = 0; i < 6; i++) {
        assert_ptr_equal(key_u64(key_u32(key_u8(key, 3), 9), n[i]), key + 13);
        assert_int_equal(store_put(t, TABLE_READY, key, sizeof key, "", 0), STORE_OK);
    }
    struct store_cursor c;
    assert_int_equal(store_cursor_open(t, TABLE_READY, &c), STORE_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(i == 0 ? store_seek(&c, "", 0) : store_next(&c), STORE_OK);
        assert_int_equal(key_get_u32((const uint8_t *)c.key.p + 1), 9);
        assert_true(key_get_u64((const uint8_t *)c.key.p + 5) == sorted[i]);
    }
    store_cursor_close(&c);
    store_abort(&t);
}

/* ---- transactions ---- */

static void an_aborted_transaction_leaves_no_trace(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "kept", "1");
    commit(t);
    t = begin(w);
    put(t, TABLE_RUN, "kept", "2");
    put(t, TABLE_RUN, "gone", "3");
    store_abort(&t);
    assert_null(t);
    t = begin(w);
    expect(t, TABLE_RUN, "kept", "1");
    expect(t, TABLE_RUN, "gone", NULL);
    store_abort(&t);
    store_abort(&t); /* safe with NULL */
}

static void a_reader_keeps_its_snapshot_while_the_writer_commits(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "run", "old");
    commit(t);
    struct store_txn *before = begin_read(w);
    expect(before, TABLE_RUN, "run", "old");
    t = begin(w);
    put(t, TABLE_RUN, "run", "new");
    expect(before, TABLE_RUN, "run", "old");
    commit(t);
    expect(before, TABLE_RUN, "run", "old");
    struct store_txn *after = begin_read(w);
    expect(after, TABLE_RUN, "run", "new");
    store_abort(&before);
    store_abort(&after);
    before = begin_read(w); /* a used slot is renewed, not stuck in the past */
    expect(before, TABLE_RUN, "run", "new");
    store_abort(&before);
}

static void more_readers_than_there_are_slots_are_refused_and_may_come_back(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *r[STORE_READERS_MAX], *more;
    for (int i = 0; i < STORE_READERS_MAX; i++)
        r[i] = begin_read(w);
    assert_int_equal(store_begin_read(w->s, &more), STORE_NO_MEMORY);
    assert_null(more);
    store_abort(&r[7]);
    r[7] = begin_read(w);
    for (int i = 0; i < STORE_READERS_MAX; i++)
        store_abort(&r[i]);
}

static void the_counters_count_what_the_writer_did(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    struct store_cursor c;
    put(t, TABLE_RUN, "a", "xyz");
    assert_int_equal(store_append(t, TABLE_RUN, "b", 1, "xy", 2), STORE_OK);
    expect(t, TABLE_RUN, "a", "xyz");
    expect(t, TABLE_RUN, "c", NULL);
    assert_int_equal(store_del(t, TABLE_RUN, "b", 1), STORE_OK);
    assert_int_equal(store_cursor_open(t, TABLE_RUN, &c), STORE_OK);
    expect_at(store_seek(&c, "a", 1), &c, "a");
    expect_at(store_next(&c), &c, NULL);
    store_cursor_close(&c);
    commit(t);
    t = begin_read(w);
    expect(t, TABLE_RUN, "a", "xyz");
    store_abort(&t);
    const struct store_counters *n = store_counters(w->s);
    assert_int_equal(n->commits, 1);
    assert_int_equal(n->puts, 1);
    assert_int_equal(n->appends, 1);
    assert_int_equal(n->put_bytes, 4 + 3);
    assert_int_equal(n->gets, 2);
    assert_int_equal(n->dels, 1);
    assert_int_equal(n->seeks, 1);
    assert_int_equal(n->steps, 1);
    assert_true(n->commit_us_max > 0 && n->commit_us_total >= n->commit_us_max);
}

/* ---- many readers beside one writer: each sees a state that was committed, whole ---- */

struct pair_reader {
    struct world *w;
    atomic_bool *stop;
    uint64_t seen, looks;
    bool torn;
};

static void *read_pairs(void *arg)
{
    struct pair_reader *r = arg;
    while (!atomic_load(r->stop) && !r->torn) {
        struct store_txn *t;
        struct store_val a, b;
        if (store_begin_read(r->w->s, &t) != STORE_OK)
            r->torn = true;
        else {
            enum store_rc ra = store_get(t, TABLE_RUN, "left", 4, &a), rb = store_get(t, TABLE_STATE, "right", 5, &b);
            r->torn = ra != STORE_OK || rb != STORE_OK || a.n != 8 || b.n != 8 || key_get_u64(a.p) != key_get_u64(b.p);
            r->torn = r->torn || key_get_u64(a.p) < r->seen;
            r->seen = r->torn ? 0 : key_get_u64(a.p);
            r->looks++;
            store_abort(&t);
        }
    }
    return NULL;
}

static void write_pair(struct world *w, uint64_t n)
{
    uint8_t v[8];
    key_u64(v, n);
    struct store_txn *t = begin(w);
    assert_int_equal(store_put(t, TABLE_RUN, "left", 4, v, 8), STORE_OK);
    assert_int_equal(store_put(t, TABLE_STATE, "right", 5, v, 8), STORE_OK);
    commit(t);
}

#define READERS 6 /* more than processors: some are held up in the middle of a begin */

static void readers_on_other_threads_see_whole_commits_in_order(void **state)
{
    struct world *w = *state;
    open_store(w);
    write_pair(w, 0);
    atomic_bool stop = false;
    struct pair_reader r[READERS];
    pthread_t thread[READERS];
    for (int i = 0; i < READERS; i++) {
        r[i] = (struct pair_reader){ .w = w, .stop = &stop };
        assert_int_equal(pthread_create(&thread[i], NULL, read_pairs, &r[i]), 0);
    }
    for (uint64_t n = 1; n <= 300; n++)
        write_pair(w, n);
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < READERS; i++)
        assert_false(r[i].torn);
}

/* ---- a seeded mix of everything against a plain model: keys are 0..MODEL_KEYS-1, a value is known by its length
 * and its seed ---- */

#define MODEL_KEYS 400
struct model {
    struct {
        bool there;
        uint32_t seed;
        uint16_t n;
    } at[MODEL_KEYS];
};

static uint64_t rng;
static uint32_t pick(uint32_t below)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return (uint32_t)((rng * 2685821657736338717ull >> 32) % below);
}

static void fill(uint8_t *v, uint32_t seed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)((seed += 0x9e3779b9u) >> 24);
}

static void check_value(const struct model *m, uint32_t k, struct store_val v)
{
    uint8_t want[SL_VALUE_BYTES_MAX];
    assert_true(m->at[k].there);
    assert_int_equal(v.n, m->at[k].n);
    fill(want, m->at[k].seed, v.n);
    assert_memory_equal(v.p, want, v.n);
}

static void check_found(const struct model *m, enum store_rc r, const struct store_cursor *c, int want)
{
    if (want < 0) {
        assert_int_equal(r, STORE_NOT_FOUND);
        return;
    }
    assert_int_equal(r, STORE_OK);
    assert_int_equal(key_get_u32(c->key.p), want);
    check_value(m, (uint32_t)want, c->val);
}

static int neighbour(const struct model *m, int k, int step) /* k or the next one there, going by step */
{
    while (k >= 0 && k < MODEL_KEYS && !m->at[k].there)
        k += step;
    return k >= 0 && k < MODEL_KEYS ? k : -1;
}

static void check_walk(const struct model *m, struct store_txn *t)
{
    struct store_cursor c;
    uint8_t key[4];
    int k = (int)pick(MODEL_KEYS);
    key_u32(key, (uint32_t)k);
    assert_int_equal(store_cursor_open(t, TABLE_STATE, &c), STORE_OK);
    int at = neighbour(m, k, 1);
    check_found(m, store_seek(&c, key, 4), &c, at);
    for (int i = 0; i < 5 && at >= 0; i++)
        check_found(m, store_next(&c), &c, at = neighbour(m, at + 1, 1));
    at = neighbour(m, k, -1);
    check_found(m, store_seek_le(&c, key, 4), &c, at);
    for (int i = 0; i < 5 && at > 0; i++) {
        key_u32(key, (uint32_t)at - 1);
        check_found(m, store_seek_le(&c, key, 4), &c, at = neighbour(m, at - 1, -1));
    }
    if (at >= 0)
        check_found(m, store_next(&c), &c, neighbour(m, at + 1, 1));
    store_cursor_close(&c);
}

static void change(struct model *m, struct store_txn *t)
{
    uint8_t key[4], v[SL_VALUE_BYTES_MAX];
    uint32_t k = pick(MODEL_KEYS), what = pick(10);
    key_u32(key, k);
    if (what < 6) {
        bool same_size = m->at[k].there && pick(2) == 0;
        uint32_t below = pick(4) == 0 ? SL_VALUE_BYTES_MAX - ENVELOPE_BYTES + 1 : 100;
        uint16_t n = same_size ? m->at[k].n : (uint16_t)pick(below);
        m->at[k].there = true;
        m->at[k].seed = pick(UINT32_MAX);
        m->at[k].n = n;
        fill(v, m->at[k].seed, n);
        assert_int_equal((what < 5 ? store_put : store_append)(t, TABLE_STATE, key, 4, v, n), STORE_OK);
    } else if (what < 9) {
        assert_int_equal(store_del(t, TABLE_STATE, key, 4), m->at[k].there ? STORE_OK : STORE_NOT_FOUND);
        m->at[k].there = false;
    } else {
        struct store_val got;
        enum store_rc r = store_get(t, TABLE_STATE, key, 4, &got);
        assert_int_equal(r, m->at[k].there ? STORE_OK : STORE_NOT_FOUND);
        if (r == STORE_OK)
            check_value(m, k, got);
    }
}

static void agrees_with_a_plain_model(struct world *w, uint64_t wal_bytes)
{
    static struct model committed, m;
    struct store_options o = options(w);
    o.no_sync = true;
    o.wal_bytes = wal_bytes;
    uint64_t logged = 0, settled = 0;
    memset(&m, 0, sizeof m);
    open_with(w, o);
    rng = 20260101;
    for (int batch = 0; batch < 600; batch++) {
        struct store_txn *t = begin(w);
        committed = m;
        for (uint32_t i = pick(3) == 0 ? pick(80) : pick(4); i > 0; i--) {
            change(&m, t);
            if (pick(4) == 0)
                check_walk(&m, t);
        }
        if (pick(5) == 0) {
            store_abort(&t);
            m = committed;
        } else {
            commit(t);
        }
        t = begin_read(w);
        check_walk(&m, t);
        store_abort(&t);
        if (pick(50) == 0) {
            logged += store_counters(w->s)->wal_bytes;
            settled += store_counters(w->s)->settles;
            store_close(&w->s);
            open_with(w, o);
        }
        if (pick(20) == 0)
            assert_int_equal(store_settle(w->s, pick(2) == 0 ? SETTLE_ALL : SETTLE_IDLE), STORE_OK);
    }
    assert_int_equal(store_settle(w->s, SETTLE_ALL), STORE_OK);
    struct store_verified checked;
    uint64_t want = 0;
    for (int k = 0; k < MODEL_KEYS; k++)
        want += m.at[k].there;
    assert_int_equal(store_verify(w->s, TABLE_STATE, &checked, NULL, NULL), STORE_OK);
    assert_int_equal(checked.records, want);
    assert_true(settled > 20 && (wal_bytes == 1 ? logged == 0 : logged > 0)); /* it was tried */
}

static void any_mix_of_writes_agrees_with_a_plain_model(void **state)
{
    agrees_with_a_plain_model(*state, 0);
}

static void without_a_log_too(void **state)
{
    agrees_with_a_plain_model(*state, 1);
}

static void with_a_small_log_too(void **state)
{
    agrees_with_a_plain_model(*state, 3072);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there_after_a_reopen),
        TEST(every_table_is_a_world_of_its_own),
        TEST(the_store_keeps_its_id_whatever_a_later_open_offers),
        TEST(empty_and_largest_values_and_longest_keys_come_back_whole),
        TEST(an_append_that_is_not_the_greatest_is_a_put),
        TEST(a_deleted_key_is_not_found_again),
        TEST(keys_may_lie_in_the_store_itself),
        TEST(cursors_walk_in_the_order_of_bytes),
        TEST(a_cursor_on_an_empty_table_finds_nothing),
        TEST(big_endian_keys_sort_as_numbers),
        TEST(an_aborted_transaction_leaves_no_trace),
        TEST(a_reader_keeps_its_snapshot_while_the_writer_commits),
        TEST(more_readers_than_there_are_slots_are_refused_and_may_come_back),
        TEST(the_counters_count_what_the_writer_did),
        TEST(readers_on_other_threads_see_whole_commits_in_order),
        TEST(any_mix_of_writes_agrees_with_a_plain_model),
        TEST(without_a_log_too),
        TEST(with_a_small_log_too),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
