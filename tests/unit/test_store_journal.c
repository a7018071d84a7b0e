/* The journal: small batches that are on disk, but not in their tables yet. */
#include "broker/engine/engine.h"
#include "tests/unit/store_world.h"

static struct store_options with_journal(const struct world *w)
{
    struct store_options o = options(w);
    o.journal_bytes = 0;
    return o;
}

static void open_journaled(struct world *w)
{
    open_with(w, with_journal(w));
}

static void open_again(struct world *w)
{
    store_close(&w->s);
    open_journaled(w);
}

/* How many records lie in the table itself. */
static uint64_t in_table(struct world *w, enum store_table tb)
{
    uint64_t n;
    assert_int_equal(store_verify(w->s, tb, &n, NULL, NULL), STORE_OK);
    return n;
}

static void put_in_a_batch(struct world *w, const char *key, const char *v)
{
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, key, v);
    commit(t);
}

static void expect_now(struct world *w, const char *key, const char *v)
{
    struct store_txn *t = begin_read(w);
    expect(t, TABLE_RUN, key, v);
    store_abort(&t);
}

static void put_bytes(struct world *w, uint32_t first, uint32_t n, size_t each)
{
    uint8_t key[4], v[1000] = { 0 };
    struct store_txn *t = begin(w);
    for (uint32_t i = first; i < first + n; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, each), STORE_OK);
    }
    commit(t);
}

static void a_small_batch_lies_in_the_journal_alone(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "young");
    assert_int_equal(in_table(w, TABLE_RUN), 0);
    assert_int_equal(in_table(w, TABLE_JOURNAL), 1);
    expect_now(w, "a", "young");
}

static void it_is_there_after_a_reopen_and_in_a_backup(void **state)
{
    struct world *w = *state;
    char path[128];
    open_journaled(w);
    put_in_a_batch(w, "a", "young");
    open_again(w);
    expect_now(w, "a", "young");
    put_in_a_batch(w, "b", "behind it");
    assert_int_equal(in_table(w, TABLE_JOURNAL), 2);
    snprintf(path, sizeof path, "%s/backup", w->base);
    assert_int_equal(store_backup(w->s, path, w->text, sizeof w->text), STORE_OK);
    store_close(&w->s);
    snprintf(w->dir, sizeof w->dir, "%s/backup", w->base);
    open_journaled(w);
    expect_now(w, "a", "young");
    expect_now(w, "b", "behind it");
}

static void the_newest_word_on_a_key_counts(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "old");
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_RUN), 1);
    put_in_a_batch(w, "a", "new");
    expect_now(w, "a", "new");
    struct store_txn *t = begin(w);
    expect(t, TABLE_RUN, "a", "new");
    assert_int_equal(store_del(t, TABLE_RUN, "a", 1), STORE_OK);
    expect(t, TABLE_RUN, "a", NULL);
    assert_int_equal(store_del(t, TABLE_RUN, "a", 1), STORE_NOT_FOUND);
    commit(t);
    expect_now(w, "a", NULL);
    open_again(w);
    expect_now(w, "a", NULL);
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_RUN), 0);
}

/* A batch with 20 KB for its table, and a little for one of STORE_TABLES_OF_LITTLE. */
static void large_batch(struct world *w, uint32_t no, const char *counter)
{
    uint8_t key[4], v[1000] = { 0 };
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < 20; i++) {
        key_u32(key, no * 20 + i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    put(t, TABLE_RUN, "counter", counter);
    expect(t, TABLE_RUN, "counter", counter);
    commit(t);
}

static void of_a_large_batch_the_counters_lie_in_the_journal(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    large_batch(w, 0, "0"); /* nobody knew that it would be one */
    assert_int_equal(in_table(w, TABLE_RUN), 1);
    assert_int_equal(in_table(w, TABLE_JOURNAL), 0);
    for (uint32_t i = 1; i < 5; i++) {
        char counter[2] = { (char)('0' + i), 0 };
        large_batch(w, i, counter);
        assert_int_equal(in_table(w, TABLE_UNIT), 20 * (i + 1));
        assert_int_equal(in_table(w, TABLE_JOURNAL), i);
        expect_now(w, "counter", counter);
    }
    open_again(w);
    expect_now(w, "counter", "4");
    large_batch(w, 5, "5");
    put_in_a_batch(w, "a", "small");
    expect_now(w, "counter", "5");
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_JOURNAL), 0);
    assert_int_equal(in_table(w, TABLE_RUN), 2);
    expect_now(w, "counter", "5");
}

static void what_large_batches_leave_in_the_journal_is_bounded(void **state)
{
    struct world *w = *state;
    uint64_t most = 0;
    open_journaled(w);
    for (uint32_t i = 0; i < 40; i++) {
        char counter[1200];
        memset(counter, 'c', sizeof counter - 1);
        counter[sizeof counter - 1] = 0;
        large_batch(w, i, counter);
        most = in_table(w, TABLE_JOURNAL) > most ? in_table(w, TABLE_JOURNAL) : most;
    }
    assert_in_range(most, 20, 30); /* of 1.2 KB each: 32 KB */
}

static void a_reader_keeps_the_journal_of_its_snapshot(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "1");
    struct store_txn *before = begin_read(w);
    put_in_a_batch(w, "a", "2");
    struct store_txn *between = begin_read(w);
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    put_in_a_batch(w, "a", "3");
    expect(before, TABLE_RUN, "a", "1");
    expect(between, TABLE_RUN, "a", "2");
    store_abort(&before);
    store_abort(&between);
    expect_now(w, "a", "3");
}

static void a_large_batch_goes_to_its_tables_and_takes_the_journal_along(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "young");
    put_bytes(w, 0, 100, 1000);
    assert_int_equal(in_table(w, TABLE_RUN), 1);
    assert_int_equal(in_table(w, TABLE_UNIT), 100);
    assert_int_equal(in_table(w, TABLE_JOURNAL), 0);
    put_bytes(w, 100, 100, 1000); /* and the one behind it does not try the journal first */
    assert_int_equal(in_table(w, TABLE_JOURNAL), 0);
    assert_int_equal(store_counters(w->s)->journaled, 1);
    expect_now(w, "a", "young");
}

static void a_full_journal_goes_to_the_tables_with_the_batch_that_fills_it(void **state)
{
    struct world *w = *state;
    struct store_options o = with_journal(w);
    o.journal_bytes = 10000;
    open_with(w, o);
    for (uint32_t i = 0; i < 50; i++) {
        put_bytes(w, i, 1, 900);
        assert_true(in_table(w, TABLE_JOURNAL) <= 11);
    }
    assert_int_equal(store_counters(w->s)->commits, 50);
    assert_true(store_counters(w->s)->settled >= 30);
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

static void an_idle_store_settles_when_the_journal_is_half_full_or_when_all_is_asked_for(void **state)
{
    struct world *w = *state;
    struct store_options o = with_journal(w);
    o.journal_bytes = 10000;
    open_with(w, o);
    put_bytes(w, 0, 1, 900);
    assert_int_equal(store_settle(w->s, false), STORE_OK);
    assert_int_equal(in_table(w, TABLE_UNIT), 0);
    for (uint32_t i = 1; i < 6; i++)
        put_bytes(w, i, 1, 900);
    assert_int_equal(store_settle(w->s, false), STORE_OK);
    assert_int_equal(in_table(w, TABLE_UNIT), 6);
    put_bytes(w, 6, 1, 900);
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_UNIT), 7);
    uint64_t commits = store_counters(w->s)->commits;
    assert_int_equal(store_settle(w->s, true), STORE_OK); /* nothing to do: no commit */
    assert_int_equal(store_counters(w->s)->commits, commits);
}

static void a_full_store_settles_when_it_has_room_again(void **state)
{
    struct world *w = *state;
    struct store_space space;
    open_journaled(w);
    put_in_a_batch(w, "a", "young");
    store_faults(w->s)->full = true;
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_OK);
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_RUN), 0);
    store_faults(w->s)->full = false;
    assert_int_equal(store_pressure(w->s, 2, &space), STORE_OK);
    assert_int_equal(store_settle(w->s, true), STORE_OK);
    assert_int_equal(in_table(w, TABLE_RUN), 1);
}

static void an_aborted_batch_leaves_the_journal_as_it_was(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "kept");
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "a", "lost");
    store_abort(&t);
    t = begin(w);
    expect(t, TABLE_RUN, "a", "kept");
    uint8_t big[1000] = { 0 };
    for (uint8_t i = 1; i < 30; i++) /* too much for the journal: all of it goes to the tables, and comes back */
        assert_int_equal(store_put(t, TABLE_UNIT, &i, 1, big, sizeof big), STORE_OK);
    store_abort(&t);
    assert_int_equal(in_table(w, TABLE_RUN), 0);
    put_in_a_batch(w, "b", "too");
    expect_now(w, "a", "kept");
    expect_now(w, "b", "too");
    open_again(w);
    expect_now(w, "a", "kept");
}

static void a_cursor_finds_its_way_when_the_journal_is_settled_under_it(void **state)
{
    struct world *w = *state;
    struct store_cursor c;
    uint8_t big[1000] = { 0 };
    open_journaled(w);
    for (char key[2] = "a"; key[0] < 'e'; key[0]++)
        put_in_a_batch(w, key, "v");
    struct store_txn *t = begin(w);
    assert_int_equal(store_cursor_open(t, TABLE_RUN, &c), STORE_OK);
    expect_at(store_seek(&c, "b", 1), &c, "b");
    for (uint8_t i = 1; i < 30; i++)
        assert_int_equal(store_put(t, TABLE_UNIT, &i, 1, big, sizeof big), STORE_OK);
    expect_at(store_next(&c), &c, "c");
    expect_at(store_next(&c), &c, "d");
    expect_at(store_seek_le(&c, "cz", 2), &c, "c");
    expect_at(store_next(&c), &c, "d");
    expect_at(store_next(&c), &c, NULL);
    store_cursor_close(&c);
    commit(t);
}

/* Flip a bit of the file where `what` stands. */
static void flip(const struct world *w, const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    static uint8_t all[1 << 20];
    size_t n = fread(all, 1, sizeof all, f), hits = 0;
    for (uint8_t *at = all; (at = memmem(at, n - (size_t)(at - all), what, strlen(what))) != NULL; at++) {
        at[3] ^= 0x10;
        assert_int_equal(fseek(f, at - all, SEEK_SET), 0);
        assert_int_equal(fwrite(at, 1, strlen(what), f), strlen(what));
        hits++;
    }
    assert_true(hits > 0);
    fclose(f);
}

static void note_table(void *arg, enum store_table tb, const void *key, size_t n)
{
    (void)key;
    (void)n;
    *(enum store_table *)arg = tb;
}

static void a_damaged_journal_is_named_and_nothing_is_read_past_it(void **state)
{
    struct world *w = *state;
    struct store_val v;
    struct store_cursor c;
    enum store_table damaged = TABLE_META;
    uint64_t n;
    open_journaled(w);
    put_in_a_batch(w, "a", "a value that gets hurt");
    store_close(&w->s);
    flip(w, "a value that gets hurt");
    struct store_options o = with_journal(w);
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_CORRUPT);
    assert_non_null(strstr(w->text, "JOURNAL 0000000000000001: checksum"));
    o.read_only = true; /* an inspector gets in and is told */
    assert_int_equal(store_open(&w->s, &o, NULL, w->text, sizeof w->text), STORE_OK);
    struct store_txn *t = begin_read(w);
    assert_int_equal(store_get(t, TABLE_RUN, "a", 1, &v), STORE_CORRUPT);
    assert_int_equal(store_cursor_open(t, TABLE_RUN, &c), STORE_CORRUPT);
    assert_string_equal(store_txn_error_text(t), "JOURNAL 0000000000000001: checksum");
    store_abort(&t);
    assert_int_equal(store_verify(w->s, TABLE_JOURNAL, &n, note_table, &damaged), STORE_CORRUPT);
    assert_int_equal(damaged, TABLE_JOURNAL);
    assert_int_equal(store_verify(w->s, TABLE_RUN, &n, NULL, NULL), STORE_OK);
}

static void a_journal_that_is_not_wanted_any_more_goes_to_the_tables(void **state)
{
    struct world *w = *state;
    open_journaled(w);
    put_in_a_batch(w, "a", "young");
    reopen(w); /* without one */
    expect_now(w, "a", "young");
    put_in_a_batch(w, "b", "at once");
    assert_int_equal(in_table(w, TABLE_RUN), 2);
    assert_int_equal(in_table(w, TABLE_JOURNAL), 0);
}

static void a_store_of_the_first_format_has_no_journal_until_it_is_upgraded(void **state)
{
    struct world *w = *state;
    uint8_t v[FORMAT_BYTES];
    open_journaled(w);
    struct store_txn *t = begin(w);
    memcpy(key_u32(v, 1), ID, sizeof ID);
    t->direct = true;
    assert_int_equal(store_put(t, TABLE_META, FORMAT_KEY, strlen(FORMAT_KEY), v, sizeof v), STORE_OK);
    commit(t);
    open_again(w);
    assert_int_equal(store_format(w->s), 1);
    put_in_a_batch(w, "a", "v");
    assert_int_equal(in_table(w, TABLE_RUN), 1);
    assert_int_equal(engine_upgrade(w->s), STORE_OK);
    assert_int_equal(store_format(w->s), STORE_FORMAT_VERSION);
    open_again(w);
    assert_int_equal(store_format(w->s), STORE_FORMAT_VERSION);
    assert_memory_equal(store_id(w->s), ID, sizeof ID);
    put_in_a_batch(w, "b", "v");
    assert_int_equal(in_table(w, TABLE_RUN), 1);
    expect_now(w, "a", "v");
    expect_now(w, "b", "v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_batch_lies_in_the_journal_alone),
        TEST(it_is_there_after_a_reopen_and_in_a_backup),
        TEST(the_newest_word_on_a_key_counts),
        TEST(of_a_large_batch_the_counters_lie_in_the_journal),
        TEST(what_large_batches_leave_in_the_journal_is_bounded),
        TEST(a_reader_keeps_the_journal_of_its_snapshot),
        TEST(a_large_batch_goes_to_its_tables_and_takes_the_journal_along),
        TEST(a_full_journal_goes_to_the_tables_with_the_batch_that_fills_it),
        TEST(an_idle_store_settles_when_the_journal_is_half_full_or_when_all_is_asked_for),
        TEST(a_full_store_settles_when_it_has_room_again),
        TEST(an_aborted_batch_leaves_the_journal_as_it_was),
        TEST(a_cursor_finds_its_way_when_the_journal_is_settled_under_it),
        TEST(a_damaged_journal_is_named_and_nothing_is_read_past_it),
        TEST(a_journal_that_is_not_wanted_any_more_goes_to_the_tables),
        TEST(a_store_of_the_first_format_has_no_journal_until_it_is_upgraded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
