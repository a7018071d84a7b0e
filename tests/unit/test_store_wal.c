/* The write-ahead log: what was committed, is on disk, and is no commit of LMDB's yet. A broker that dies is a store that is closed without being settled. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#include "broker/engine/engine.h"
#include "tests/unit/store_world.h"

static struct store_options with_log(const struct world *w)
{
    struct store_options o = options(w);
    o.wal_bytes = 64 << 10;
    return o;
}

static void open_logged(struct world *w)
{
    open_with(w, with_log(w));
}

static void open_again(struct world *w)
{
    store_close(&w->s);
    open_logged(w);
}

static uint64_t settles(const struct world *w)
{
    return store_counters(w->s)->settles;
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

static void settle_all(struct world *w)
{
    assert_int_equal(store_settle(w->s, SETTLE_ALL), STORE_OK);
}

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

struct elsewhere {
    struct world *w;
    pthread_t thread;
    atomic_bool asked, seen;
};

static void is_asked(void *arg)
{
    struct elsewhere *e = arg;
    atomic_store(&e->asked, true);
}

static void *reads_elsewhere(void *arg)
{
    struct elsewhere *e = arg;
    struct store_txn *t;
    struct store_val v;
    if (store_begin_read(e->w->s, &t) == STORE_OK) {
        atomic_store(&e->seen, store_get(t, TABLE_RUN, "a", 1, &v) == STORE_OK && v.n == 1 && memcmp(v.p, "1", 1) == 0);
        store_abort(&t);
    }
    return NULL;
}

/* A store that holds "1" at "a", in its log alone. */
static void open_asked(struct elsewhere *e)
{
    struct store_options o = with_log(e->w);
    o.settle_wanted = is_asked;
    o.settle_arg = e;
    open_with(e->w, o);
    put_in_a_batch(e->w, "a", "1");
}

static void reader_waits(struct elsewhere *e)
{
    assert_int_equal(pthread_create(&e->thread, NULL, reads_elsewhere, e), 0);
    while (!atomic_load(&e->asked))
        sched_yield();
}

static bool reader_saw(struct elsewhere *e)
{
    assert_int_equal(pthread_join(e->thread, NULL), 0);
    return atomic_load(&e->seen);
}

static void a_reader_on_another_thread_asks_the_writer_and_waits_for_it(void **state)
{
    struct elsewhere e = { .w = *state };
    open_asked(&e);
    assert_int_equal(store_settle(e.w->s, SETTLE_DUE), STORE_OK); /* nobody waits yet */
    uint64_t before = settles(e.w);
    reader_waits(&e);
    assert_int_equal(settles(e.w), before);
    e.w->s->settled_at_us = store_now_us() + 1000000000;          /* a moment ago, however long that was */
    assert_int_equal(store_settle(e.w->s, SETTLE_DUE), STORE_OK); /* work goes on, and the last one was just served */
    assert_int_equal(settles(e.w), before);
    e.w->s->settled_at_us = store_now_us() - 10000;
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
    assert_int_equal(wal_write(&w->s->wal, mdb_txn_id(t->mt), true), 0);
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
    uint64_t at = three_batches(w, false), n;
    struct store_options o = with_log(w);
    o.read_only = true;
    files_with(w, at, 31);
    for (int i = 0; i < 2; i++) {
        open_with(w, o);
        expect_now(w, "b", "2");
        assert_true(has_third(w));
        assert_int_equal(store_verify(w->s, TABLE_RUN, &n, NULL, NULL), STORE_OK);
        assert_int_equal(n, 2);
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
