/* The write-ahead log: what was committed, is on disk, and is no commit of LMDB's yet. A broker that dies is a store that is closed without being settled. */
#include <sys/stat.h>

#include "broker/engine/engine.h"
#include "tests/unit/wal_world.h"

/* ---- what it is for ---- */

static void a_batch_is_committed_by_the_log_alone(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1"); /* with this one the file was made */
    uint64_t before = settles(w), bytes = store_counters(w->s)->wal_bytes;
    put_in_a_batch(w, "b", "2");
    assert_int_equal(settles(w), before);
    assert_int_equal(store_counters(w->s)->wal_bytes - bytes, SECTOR_BYTES);
    open_again(w);
    expect_now(w, "a", "1");
    expect_now(w, "b", "2");
}

static void it_is_there_after_a_reopen_and_in_a_backup(void **state)
{
    struct world *w = *state;
    char path[128];
    struct stat st;
    open_logged(w);
    put_in_a_batch(w, "a", "young");
    open_again(w);
    expect_now(w, "a", "young");
    put_in_a_batch(w, "b", "behind it");
    snprintf(path, sizeof path, "%s/backup", w->base);
    assert_int_equal(store_backup(w->s, path, w->text, sizeof w->text), STORE_OK);
    store_close(&w->s);
    snprintf(w->dir, sizeof w->dir, "%s/backup", w->base);
    snprintf(path, sizeof path, "%s/backup/wal", w->base);
    assert_int_equal(stat(path, &st), -1);
    open_logged(w);
    expect_now(w, "a", "young");
    expect_now(w, "b", "behind it");
    put_in_a_batch(w, "c", "in one of its own");
    open_again(w);
    expect_now(w, "c", "in one of its own");
}

static void the_newest_word_on_a_key_counts(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "old");
    settle_all(w);
    put_in_a_batch(w, "a", "new");
    open_again(w);
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
}

static void a_reader_keeps_its_snapshot_and_sees_what_was_committed_before_it(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    struct store_txn *before = begin_read(w);
    put_in_a_batch(w, "a", "2");
    struct store_txn *between = begin_read(w);
    put_in_a_batch(w, "a", "3");
    expect(before, TABLE_RUN, "a", "1");
    expect(between, TABLE_RUN, "a", "2");
    store_abort(&before);
    store_abort(&between);
    expect_now(w, "a", "3");
}

/* ---- power cuts and damage ---- */

static void path_of(const struct world *w, const char *file, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", w->dir, file);
}

static size_t file_read(const struct world *w, const char *file, uint8_t *bytes, size_t size)
{
    char path[128];
    path_of(w, file, path, sizeof path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, size, f);
    fclose(f);
    return n;
}

static void file_write(const struct world *w, const char *file, const uint8_t *bytes, size_t n)
{
    char path[128];
    path_of(w, file, path, sizeof path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#define FILE_MAX (1 << 20)
static uint8_t data_before[FILE_MAX], log_before[FILE_MAX], log_after[FILE_MAX], mixed[FILE_MAX];
static size_t data_n, log_n;

/* Two batches, then one of several sectors; the files as they were before it, and the log after it. */
static uint64_t three_batches(struct world *w, bool settled)
{
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    put_in_a_batch(w, "b", "2");
    if (settled) {
        settle_all(w);
        put_bytes(w, 50, 3, 400); /* so that what the third lies over is not empty */
        settle_all(w);
    }
    data_n = file_read(w, "data.mdb", data_before, FILE_MAX);
    log_n = file_read(w, "wal", log_before, FILE_MAX);
    uint64_t at = w->s->wal.at / SECTOR_BYTES;
    put_bytes(w, 0, 4, 500);
    assert_int_equal(w->s->wal.at / SECTOR_BYTES - at, 5);
    store_close(&w->s);
    file_read(w, "wal", log_after, FILE_MAX);
    return at;
}

static void files_with(struct world *w, uint64_t at, unsigned there)
{
    memcpy(mixed, log_before, log_n);
    for (unsigned i = 0; i < 5; i++)
        if (there >> i & 1)
            memcpy(mixed + (at + i) * SECTOR_BYTES, log_after + (at + i) * SECTOR_BYTES, SECTOR_BYTES);
    file_write(w, "data.mdb", data_before, data_n);
    file_write(w, "wal", mixed, log_n);
}

static bool has_unit(struct store_txn *t, uint32_t unit)
{
    uint8_t key[4];
    struct store_val v;
    key_u32(key, unit);
    return store_get(t, TABLE_UNIT, key, sizeof key, &v) == STORE_OK;
}

/* All of it, or nothing. */
static bool has_third(struct world *w)
{
    struct store_txn *t = begin_read(w);
    bool has = has_unit(t, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(has_unit(t, i), has);
    store_abort(&t);
    return has;
}

static void any_part_of_the_last_batch(struct world *w, bool settled)
{
    uint64_t at = three_batches(w, settled);
    for (unsigned there = 0; there < 32; there++) {
        files_with(w, at, there);
        open_logged(w);
        expect_now(w, "a", "1");
        expect_now(w, "b", "2");
        assert_int_equal(has_third(w), there == 31);
        /* and it goes on: a small batch over what the large one left, and a power cut behind that */
        put_in_a_batch(w, "c", "3");
        open_again(w);
        expect_now(w, "c", "3");
        assert_int_equal(has_third(w), there == 31);
        store_close(&w->s);
    }
}

static void of_a_batch_that_was_cut_short_nothing_is_there_whatever_part_was_written(void **state)
{
    any_part_of_the_last_batch(*state, false);
}

static void so_it_is_where_it_is_the_first_behind_a_settling(void **state)
{
    any_part_of_the_last_batch(*state, true);
}

static void corrupt(struct world *w, const char *says)
{
    struct store_options o = with_log(w);
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_CORRUPT);
    assert_null(w->s);
    if (strstr(w->text, says) == NULL)
        fail_msg("%s", w->text);
    o.read_only = true;
    assert_int_equal(store_open(&w->s, &o, NULL, w->text, sizeof w->text), STORE_CORRUPT);
    if (strstr(w->text, says) == NULL)
        fail_msg("%s", w->text);
}

static void any_bit_that_turned_in_what_was_committed_keeps_the_store_from_opening(void **state)
{
    struct world *w = *state;
    uint64_t at = three_batches(w, false);
    char where[40];
    static uint8_t found[FILE_MAX];
    for (size_t i = 0; i < (at + 5) * SECTOR_BYTES; i += 7) {
        files_with(w, at, 31);
        mixed[i] ^= (uint8_t)(1 << i % 8);
        file_write(w, "wal", mixed, log_n);
        snprintf(where, sizeof where, "wal: at byte %zu:", i / SECTOR_BYTES * SECTOR_BYTES);
        corrupt(w, where);
        assert_int_equal(file_read(w, "wal", found, FILE_MAX), log_n);
        assert_memory_equal(found, mixed, log_n); /* the evidence stays */
    }
}

static void a_batch_that_is_missing_before_another_is_damage(void **state)
{
    struct world *w = *state;
    uint64_t at = three_batches(w, false);
    files_with(w, at, 31);
    memset(mixed + SECTOR_BYTES * (at - 1), 0, SECTOR_BYTES);
    file_write(w, "wal", mixed, log_n);
    corrupt(w, "a batch is missing");
}

static void a_sector_in_the_wrong_place_is_damage(void **state)
{
    struct world *w = *state;
    uint64_t at = three_batches(w, false);
    files_with(w, at, 31);
    memcpy(mixed + SECTOR_BYTES * (at + 1), mixed + SECTOR_BYTES * (at + 2), SECTOR_BYTES);
    file_write(w, "wal", mixed, log_n);
    corrupt(w, "checksum");
}

/* A batch that no writer makes, under right checksums. */
static void log_holds(struct world *w, enum store_table tb, enum change_how how, const char *key, size_t key_n,
                      const char *value)
{
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    struct store_txn *t = begin(w);
    struct store_val v = { value, strlen(value) };
    wal_add(&w->s->wal, tb, how, (struct store_val){ key, key_n }, &v, 1, v.n);
    struct wal_batch sealed = wal_seal(&w->s->wal, mdb_txn_id(t->mt));
    assert_int_equal(wal_write(&sealed, true, NULL, NULL), 0);
    store_abort(&t);
    store_close(&w->s);
}

static void a_log_that_holds_what_nobody_wrote_is_damage(void **state)
{
    struct world *w = *state;
    static const char key[STORE_KEY_BYTES_MAX + 1] = "key";
    const struct {
        enum store_table tb;
        enum change_how how;
        size_t key_n;
        const char *says;
    } cases[] = {
        { STORE_TABLE_COUNT, CHANGE_PUT, 3, "not a row of changes" },
        { TABLE_RUN, CHANGE_DELETE + 1, 3, "not a row of changes" },
        { TABLE_RUN, CHANGE_PUT, 0, "not a row of changes" },
        { TABLE_RUN, CHANGE_PUT, sizeof key, "not a row of changes" },
        { TABLE_RUN, CHANGE_DELETE, 3, "it does not fit the tables" }, /* of a key that is not there */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        log_holds(w, cases[i].tb, cases[i].how, key, cases[i].key_n, "v");
        struct store_options o = with_log(w);
        assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_CORRUPT);
        if (strstr(w->text, cases[i].says) == NULL)
            fail_msg("%s", w->text);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

static void a_log_whose_length_or_key_in_meta_is_wrong_is_refused(void **state)
{
    struct world *w = *state;
    const struct {
        uint64_t bytes;
        size_t n;
    } cases[] = { { 0, 16 }, { 1000, 16 }, { WAL_BYTES_MAX + 512ull, 16 }, { 65536, 8 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t v[16] = { 0 };
        open_store(w);
        struct store_txn *t = begin(w);
        key_u64(v, cases[i].bytes);
        assert_int_equal(store_put(t, TABLE_META, WAL_KEY, strlen(WAL_KEY), v, cases[i].n), STORE_OK);
        commit(t);
        store_close(&w->s);
        corrupt(w, "META \"wal\": no length of a log");
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

static void a_log_that_is_gone_or_cut_off_is_missed(void **state)
{
    struct world *w = *state;
    char path[128];
    uint64_t at = three_batches(w, false);
    path_of(w, "wal", path, sizeof path);
    files_with(w, at, 31);
    assert_int_equal(truncate(path, (off_t)log_n - 1), 0);
    corrupt(w, "missing or cut off");
    assert_int_equal(unlink(path), 0);
    struct store_options o = with_log(w);
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_CORRUPT);
    files_with(w, at, 31);
    open_logged(w); /* put back */
    assert_true(has_third(w));
}

static void a_log_of_a_later_time_than_data_mdb_is_refused(void **state)
{
    struct world *w = *state;
    uint64_t at = three_batches(w, false);
    files_with(w, at, 31);
    open_logged(w);
    put_in_a_batch(w, "c", "later");
    store_close(&w->s);
    file_write(w, "data.mdb", data_before, data_n);
    corrupt(w, "not of one time");
}

/* ---- who looks on ---- */

static void an_inspector_sees_what_a_dead_brokers_log_holds_and_changes_nothing(void **state)
{
    struct world *w = *state;
    uint64_t at = three_batches(w, false);
    struct store_verified checked;
    struct store_options o = with_log(w);
    o.read_only = true;
    files_with(w, at, 31);
    for (int i = 0; i < 2; i++) {
        open_with(w, o);
        expect_now(w, "b", "2");
        assert_true(has_third(w));
        assert_int_equal(store_verify(w->s, TABLE_RUN, &checked, NULL, NULL), STORE_OK);
        assert_int_equal(checked.records, 2);
        struct store_txn *one = begin_read(w), *two = begin_read(w);
        expect(one, TABLE_RUN, "a", "1");
        store_abort(&one);
        expect(two, TABLE_RUN, "a", "1");
        store_abort(&two);
        store_close(&w->s);
    }
    assert_int_equal(file_read(w, "data.mdb", log_before, FILE_MAX), data_n);
    assert_memory_equal(log_before, data_before, data_n);
    assert_int_equal(file_read(w, "wal", log_before, FILE_MAX), log_n);
    assert_memory_equal(log_before, mixed, log_n);
}

static void a_broker_that_starts_while_somebody_looks_is_told_to_come_back(void **state)
{
    struct world *w = *state, one = { 0 }, two = { 0 };
    three_batches(w, false);
    struct store_options o = with_log(w);
    o.read_only = true;
    open_with(&one, o);
    open_with(&two, o); /* several may look */
    assert_true(has_third(&one));
    assert_true(has_third(&two));
    o.read_only = false;
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_IO);
    assert_non_null(strstr(w->text, "somebody looks into this store"));
    store_close(&one.s);
    store_close(&two.s);
    open_logged(w);
    assert_true(has_third(w));
    store_close(&w->s);
    o.read_only = true;
    open_with(&one, o); /* with nothing in the log nobody is kept out */
    open_logged(w);
    store_close(&one.s);
}

static void a_log_of_another_store_is_damage(void **state)
{
    struct world *w = *state;
    three_batches(w, false);
    assert_int_equal(remove_tree(w->dir), 0);
    open_logged(w);
    put_in_a_batch(w, "a", "1"); /* the same steps, as far as the log can tell */
    put_in_a_batch(w, "b", "2");
    store_close(&w->s);
    file_write(w, "wal", log_after, log_n);
    corrupt(w, "wal: at byte 0: checksum");
}

static void beside_a_living_broker_an_inspector_sees_the_last_settling(void **state)
{
    struct world *w = *state, other = { 0 };
    struct store_options o = with_log(w);
    open_logged(w);
    put_in_a_batch(w, "a", "1");
    settle_all(w);
    put_in_a_batch(w, "b", "2");
    o.read_only = true;
    open_with(&other, o);
    expect_now(&other, "a", "1");
    expect_now(&other, "b", NULL);
    settle_all(w);
    expect_now(&other, "b", "2");
    store_close(&other.s);
}

static void a_log_that_is_not_wanted_any_more_goes_to_the_tables(void **state)
{
    struct world *w = *state;
    open_logged(w);
    put_in_a_batch(w, "a", "young");
    reopen(w); /* without one */
    expect_now(w, "a", "young");
    uint64_t before = settles(w);
    put_in_a_batch(w, "b", "at once");
    assert_int_equal(settles(w), before + 1);
    open_again(w);
    expect_now(w, "a", "young");
    expect_now(w, "b", "at once");
}

static void set_format_number(struct world *w, uint32_t format)
{
    uint8_t v[FORMAT_BYTES];
    struct store_txn *t = begin(w);
    memcpy(key_u32(v, format), ID, sizeof ID);
    t->direct = true;
    assert_int_equal(store_put(t, TABLE_META, FORMAT_KEY, strlen(FORMAT_KEY), v, sizeof v), STORE_OK);
    commit(t);
    store_close(&w->s);
}

static void a_store_of_the_first_format_has_no_wal_until_it_is_upgraded(void **state)
{
    struct world *w = *state;
    open_store(w);
    set_format_number(w, 1);
    open_logged(w);
    assert_int_equal(store_format(w->s), 1);
    uint64_t before = settles(w);
    put_in_a_batch(w, "a", "v");
    assert_int_equal(settles(w), before + 1);
    assert_int_equal(engine_upgrade(w->s), STORE_OK);
    assert_int_equal(store_format(w->s), STORE_FORMAT_VERSION);
    put_in_a_batch(w, "b", "v");
    before = settles(w);
    put_in_a_batch(w, "c", "v");
    assert_int_equal(settles(w), before);
    open_again(w);
    assert_int_equal(store_format(w->s), STORE_FORMAT_VERSION);
    assert_memory_equal(store_id(w->s), ID, sizeof ID);
    expect_now(w, "a", "v");
    expect_now(w, "c", "v");
}

static void a_format_that_no_release_had_is_refused(void **state)
{
    struct world *w = *state;
    open_store(w);
    set_format_number(w, 2);
    struct store_options o = with_log(w);
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_BAD_FORMAT);
    assert_non_null(strstr(w->text, "format 2, which no release ever had"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_committed_by_the_log_alone),
        TEST(it_is_there_after_a_reopen_and_in_a_backup),
        TEST(the_newest_word_on_a_key_counts),
        TEST(a_reader_keeps_its_snapshot_and_sees_what_was_committed_before_it),
        TEST(of_a_batch_that_was_cut_short_nothing_is_there_whatever_part_was_written),
        TEST(so_it_is_where_it_is_the_first_behind_a_settling),
        TEST(any_bit_that_turned_in_what_was_committed_keeps_the_store_from_opening),
        TEST(a_batch_that_is_missing_before_another_is_damage),
        TEST(a_sector_in_the_wrong_place_is_damage),
        TEST(a_log_that_holds_what_nobody_wrote_is_damage),
        TEST(a_log_whose_length_or_key_in_meta_is_wrong_is_refused),
        TEST(a_log_that_is_gone_or_cut_off_is_missed),
        TEST(a_log_of_a_later_time_than_data_mdb_is_refused),
        TEST(an_inspector_sees_what_a_dead_brokers_log_holds_and_changes_nothing),
        TEST(a_broker_that_starts_while_somebody_looks_is_told_to_come_back),
        TEST(a_log_of_another_store_is_damage),
        TEST(beside_a_living_broker_an_inspector_sees_the_last_settling),
        TEST(a_log_that_is_not_wanted_any_more_goes_to_the_tables),
        TEST(a_store_of_the_first_format_has_no_wal_until_it_is_upgraded),
        TEST(a_format_that_no_release_had_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
