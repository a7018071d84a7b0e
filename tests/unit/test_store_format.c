/* What the store is told by its own marks (the format, the tables, LMDB's header), and by whoever made the files: an older program, another one, nobody. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/unit/store_world.h"

static void raw_open(const struct world *w, MDB_env **env, MDB_txn **mt)
{
    assert_int_equal(mdb_env_create(env), 0);
    assert_int_equal(mdb_env_set_maxdbs(*env, STORE_TABLE_COUNT + 8), 0);
    assert_int_equal(mdb_env_open(*env, w->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(*env, NULL, 0, mt), 0);
}

static void raw_close(MDB_env *env, MDB_txn *mt)
{
    assert_int_equal(mdb_txn_commit(mt), 0);
    mdb_env_close(env);
}

static void drop_tables_from(struct world *w, int first)
{
    MDB_env *env;
    MDB_txn *mt;
    raw_open(w, &env, &mt);
    for (int i = first; i < STORE_TABLE_COUNT; i++) {
        char name[12];
        MDB_dbi dbi;
        snprintf(name, sizeof name, "%02d", i);
        assert_int_equal(mdb_dbi_open(mt, name, 0, &dbi), 0);
        assert_int_equal(mdb_drop(mt, dbi, 1), 0);
    }
    raw_close(env, mt);
}

static void set_format(struct world *w, uint32_t format, size_t n)
{
    uint8_t v[FORMAT_BYTES];
    struct store_txn *t = begin(w);
    memcpy(key_u32(v, format), ID, sizeof ID);
    assert_int_equal(store_put(t, TABLE_META, FORMAT_KEY, strlen(FORMAT_KEY), v, n), STORE_OK);
    commit(t);
    store_close(&w->s);
}

static void refused(struct world *w, bool looks, enum store_rc want, const char *says)
{
    struct store_options o = options(w);
    o.read_only = looks;
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), want);
    assert_null(w->s);
    if (strstr(w->text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", w->text, says);
}

/* ---- a newer store ---- */

/* What it has beyond ours is no damage: its format says what it is. */
static void a_newer_store_that_has_more_tables_is_refused_by_its_format(void **state)
{
    struct world *w = *state;
    MDB_env *env;
    MDB_txn *mt;
    open_store(w);
    set_format(w, STORE_FORMAT_VERSION + 1, FORMAT_BYTES);
    raw_open(w, &env, &mt);
    for (int i = STORE_TABLE_COUNT; i < STORE_TABLE_COUNT + 3; i++) {
        char name[12];
        MDB_dbi dbi;
        snprintf(name, sizeof name, "%02d", i);
        assert_int_equal(mdb_dbi_open(mt, name, MDB_CREATE, &dbi), 0);
    }
    raw_close(env, mt);
    refused(w, false, STORE_BAD_FORMAT, "this program knows formats up to");
    refused(w, true, STORE_BAD_FORMAT, "this program knows formats up to");
}

/* ---- an older store ---- */

#define TABLES_AT_FIRST 20

static void tables_that_an_older_store_has_not_are_empty_to_whoever_looks(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    struct store_cursor c;
    struct store_verified checked;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "key", "v");
    commit(t);
    set_format(w, 1, FORMAT_BYTES);
    drop_tables_from(w, TABLES_AT_FIRST);
    o.read_only = true;
    open_with(w, o);
    t = begin_read(w);
    expect(t, TABLE_RUN, "key", "v");
    expect(t, TABLE_GOLD, "key", NULL);
    assert_int_equal(store_cursor_open(t, TABLE_GOLD, &c), STORE_OK);
    expect_at(store_seek(&c, "", 0), &c, NULL);
    expect_at(store_seek(&c, "key", 3), &c, NULL);
    expect_at(store_seek_le(&c, "key", 3), &c, NULL);
    expect_at(store_next(&c), &c, NULL);
    store_cursor_close(&c);
    store_abort(&t);
    assert_int_equal(store_verify(w->s, TABLE_GOLD, &checked, NULL, NULL), STORE_OK);
    assert_int_equal(checked.records, 0);
    store_close(&w->s);
    open_store(w); /* its owner makes them */
    t = begin(w);
    put(t, TABLE_GOLD, "key", "v");
    commit(t);
}

static void a_table_that_is_missing_though_it_always_was_there_is_told(void **state)
{
    struct world *w = *state;
    open_store(w);
    set_format(w, 1, FORMAT_BYTES);
    drop_tables_from(w, TABLES_AT_FIRST - 1);
    refused(w, true, STORE_BAD_FORMAT, "a table is missing");
}

static void so_is_one_of_a_store_of_today(void **state)
{
    struct world *w = *state;
    open_store(w);
    store_close(&w->s);
    drop_tables_from(w, STORE_TABLE_COUNT - 1);
    refused(w, true, STORE_BAD_FORMAT, "a table is missing");
}

/* ---- marks that cannot be ---- */

static void a_format_that_cannot_be_is_refused(void **state)
{
    struct world *w = *state;
    open_store(w);
    set_format(w, 0, FORMAT_BYTES);
    refused(w, false, STORE_BAD_FORMAT, "format 0, this program knows formats up to 3");
    assert_int_equal(remove_tree(w->dir), 0);
    open_store(w);
    set_format(w, 3, FORMAT_BYTES - 1);
    refused(w, false, STORE_CORRUPT, "META \"format\": too short");
}

static void a_format_that_was_damaged_is_refused(void **state)
{
    struct world *w = *state;
    MDB_env *env;
    MDB_txn *mt;
    MDB_dbi meta;
    MDB_val key = val_of(FORMAT_KEY, strlen(FORMAT_KEY)), v;
    uint8_t record[64];
    open_store(w);
    store_close(&w->s);
    raw_open(w, &env, &mt);
    assert_int_equal(mdb_dbi_open(mt, "00", 0, &meta), 0);
    assert_int_equal(mdb_get(mt, meta, &key, &v), 0);
    memcpy(record, v.mv_data, v.mv_size);
    record[7] ^= 1;
    v.mv_data = record;
    assert_int_equal(mdb_put(mt, meta, &key, &v, 0), 0);
    raw_close(env, mt);
    refused(w, false, STORE_CORRUPT, "META \"format\": checksum");
}

static void an_lmdb_file_whose_own_keys_are_like_our_tables_is_refused(void **state)
{
    struct world *w = *state;
    MDB_env *env;
    MDB_txn *mt;
    MDB_dbi dbi;
    MDB_val key = val_of("00", 2), v = val_of("plain", 5);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    raw_open(w, &env, &mt);
    assert_int_equal(mdb_dbi_open(mt, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(mt, dbi, &key, &v, 0), 0);
    raw_close(env, mt);
    refused(w, false, STORE_BAD_FORMAT, "another program's");
    refused(w, true, STORE_BAD_FORMAT, "another program's");
}

static void patch(const struct world *w, off_t at, const void *p, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, p, n, at), n);
    close(fd);
}

static void a_file_of_another_version_of_lmdb_is_refused(void **state)
{
    struct world *w = *state;
    open_store(w);
    store_close(&w->s);
    for (off_t page = 0; page < 8192; page += 4096)
        patch(w, page + 20, "\x02", 1); /* behind the magic */
    refused(w, false, STORE_BAD_FORMAT, "is not a store");
}

/* ---- no store yet ---- */

static void an_empty_file_is_the_beginning_of_a_store(void **state)
{
    struct world *w = *state;
    char path[128];
    assert_int_equal(mkdir(w->dir, 0700), 0);
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    refused(w, true, STORE_BAD_FORMAT, "there is no store here");
    open_store(w);
}

/* Of what LMDB writes first, with one thing changed: it is no store that was being made, and stays as it is. */
static void what_only_looks_like_a_store_that_was_being_made_is_left_alone(void **state)
{
    static const struct {
        off_t at;
        const char *bytes;
    } changes[] = { { 16, "?" }, { 136, "\x05" }, { 144, "\x05" } }; /* magic, last page, number of the last commit */
    struct world *w = *state;
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct store_options o = options(w);
        MDB_env *env;
        assert_int_equal(mkdir(w->dir, 0700), 0);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_open(env, w->dir, 0, 0600), 0);
        mdb_env_close(env);
        patch(w, changes[i].at, changes[i].bytes, 1);
        patch(w, 4096 + changes[i].at, changes[i].bytes, 1);
        assert_int_not_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_OK);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 8192);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

/* ---- who opens it ---- */

static void a_copy_that_becomes_a_store_of_its_own_says_so_in_lock(void **state)
{
    static const uint8_t own[16] = "an id of its own";
    struct world *w = *state;
    char path[128], hex[33] = "";
    open_store(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_set_own(t, own), STORE_OK);
    commit(t);
    assert_memory_equal(store_id(w->s), own, sizeof own);
    snprintf(path, sizeof path, "%s/lock", w->dir);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(hex, 1, 32, f), 32);
    fclose(f);
    assert_string_equal(hex, "616e206964206f6620697473206f776e");
    store_close(&w->s);
    int fd = open(path, O_WRONLY); /* somebody wrote into it */
    assert_int_equal(pwrite(fd, "?", 1, 0), 1);
    close(fd);
    open_store(w);
    f = fopen(path, "rb");
    assert_int_equal(fread(hex, 1, 32, f), 32);
    fclose(f);
    assert_string_equal(hex, "616e206964206f6620697473206f776e");
}

/* ---- the order of what is synced ---- */

static char named_when
    [64]; /* what was in `lock` at each sync of the store's folder in which data.mdb had a name, a letter each: "-" nothing, "i" the id */
static const char *watched;

/* Instead of the C library's. */
int fsync(int fd)
{
    struct stat st, data, lock;
    char path[128];
    size_t n = strlen(named_when);
    if (watched != NULL && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && fstatat(fd, "data.mdb", &data, 0) == 0 &&
        n + 1 < sizeof named_when) {
        snprintf(path, sizeof path, "%s/lock", watched);
        named_when[n] = stat(path, &lock) == 0 && lock.st_size > 0 ? 'i' : '-';
        named_when[n + 1] = '\0';
    }
    return (int)syscall(SYS_fsync, fd);
}

/* Else a cut of the power could leave the id beside no data.mdb, and the next start would take that for a store that was lost. */
static void the_name_of_data_mdb_is_certain_before_the_id_is_in_lock(void **state)
{
    struct world *w = *state;
    watched = w->dir;
    open_store(w);
    watched = NULL;
    assert_int_equal(named_when[0], '-');
}

static void words_are_told_only_to_who_has_room_for_them(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    char none[1] = "x";
    o.read_only = true;
    assert_int_equal(store_open(&w->s, &o, NULL, NULL, 0), STORE_IO);
    assert_int_equal(store_open(&w->s, &o, NULL, none, 0), STORE_IO);
    assert_int_equal(none[0], 'x');
    assert_int_equal(store_open(&w->s, &o, NULL, none, 1), STORE_IO);
    assert_int_equal(none[0], '\0');
}

static void what_lmdb_says_is_told_as_what_it_is(void **state)
{
    static const struct {
        int code;
        enum store_rc rc;
    } cases[] = {
        { 0, STORE_OK },
        { MDB_NOTFOUND, STORE_NOT_FOUND },
        { ENOMEM, STORE_NO_MEMORY },
        { MDB_PAGE_NOTFOUND, STORE_CORRUPT },
        { MDB_CORRUPTED, STORE_CORRUPT },
        { MDB_CURSOR_FULL, STORE_CORRUPT },
        { MDB_VERSION_MISMATCH, STORE_BAD_FORMAT },
        { MDB_INVALID, STORE_BAD_FORMAT },
        { EIO, STORE_IO },
        { MDB_PANIC, STORE_IO },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(store_rc_of(cases[i].code), cases[i].rc);
    assert_string_equal(store_table_name(STORE_TABLE_COUNT), "?");
}

/* LMDB has slots for 126 readers, of all processes together. */
static void more_readers_than_lmdb_has_slots_for_are_refused(void **state)
{
    struct world *w = *state;
    struct world look[3] = { { .s = NULL } };
    struct store_options o = options(w);
    struct store_txn *t[3][STORE_READERS_MAX];
    unsigned refusals = 0, n[3] = { 0 };
    open_store(w);
    o.read_only = true;
    for (int i = 0; i < 3; i++) /* all first: LMDB takes a process for alone that opens anew, and clears the slots */
        open_with(&look[i], o);
    for (int i = 0; i < 3; i++) {
        for (enum store_rc rc = STORE_OK; n[i] < STORE_READERS_MAX && rc == STORE_OK;) {
            rc = store_begin_read(look[i].s, &t[i][n[i]]);
            n[i] += rc == STORE_OK;
            refusals += rc == STORE_NO_MEMORY;
        }
    }
    assert_int_equal(refusals, 1);
    assert_in_range(n[0] + n[1] + n[2], 2 * STORE_READERS_MAX + 1, 126);
    for (int i = 0; i < 3; i++) {
        while (n[i] > 0)
            store_abort(&t[i][--n[i]]);
        store_close(&look[i].s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tables_that_an_older_store_has_not_are_empty_to_whoever_looks),
        TEST(a_newer_store_that_has_more_tables_is_refused_by_its_format),
        TEST(a_table_that_is_missing_though_it_always_was_there_is_told),
        TEST(so_is_one_of_a_store_of_today),
        TEST(a_format_that_cannot_be_is_refused),
        TEST(a_format_that_was_damaged_is_refused),
        TEST(an_lmdb_file_whose_own_keys_are_like_our_tables_is_refused),
        TEST(a_file_of_another_version_of_lmdb_is_refused),
        TEST(an_empty_file_is_the_beginning_of_a_store),
        TEST(what_only_looks_like_a_store_that_was_being_made_is_left_alone),
        TEST(a_copy_that_becomes_a_store_of_its_own_says_so_in_lock),
        TEST(the_name_of_data_mdb_is_certain_before_the_id_is_in_lock),
        TEST(words_are_told_only_to_who_has_room_for_them),
        TEST(what_lmdb_says_is_told_as_what_it_is),
        TEST(more_readers_than_lmdb_has_slots_for_are_refused),
    };
    return cmocka_run_group_tests_name("marks of a store", tests, NULL, NULL);
}
