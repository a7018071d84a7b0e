/* Verification of a store that goes on meanwhile, and of pages that LMDB itself cannot vouch for; maps that grow under whoever looks. */
#include <fcntl.h>

#include "tests/unit/store_world.h"

/* ---- a store that goes on ---- */

struct busy {
    struct world *w;
    int found;
    uint32_t drop;   /* this record goes when the first damage is found */
    const char *add; /* and this one comes */
};

static void key_of(uint8_t key[4], uint32_t i)
{
    key_u32(key, i);
}

static void works_on(void *arg, enum store_table tb, const void *key, size_t key_n)
{
    struct busy *b = arg;
    uint8_t gone[4];
    (void)key, (void)key_n;
    if (b->found++ > 0)
        return;
    struct store_txn *t = begin(b->w);
    key_of(gone, b->drop);
    assert_int_equal(store_del(t, tb, gone, sizeof gone), STORE_OK);
    if (b->add)
        put(t, tb, b->add, "new");
    commit(t);
}

/* 3,000 records, of which one is damaged. */
static void put_damaged(struct world *w, uint32_t bad)
{
    uint8_t key[4];
    open_store(w);
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < 3000; i++) {
        key_of(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, "value", 5), STORE_OK);
    }
    key_of(key, bad);
    MDB_val k = val_of(key, sizeof key), v = val_of("no envelope", 11);
    assert_int_equal(mdb_put(t->mt, w->s->dbi[TABLE_UNIT], &k, &v, 0), 0);
    commit(t);
}

static void a_verification_goes_on_where_the_record_that_it_stood_on_is_gone(void **state)
{
    /* The first read transaction ends at record 1,023; what it stood on goes, and what comes next has a key of the same length, or another. */
    static const char *const add[] = { NULL, "\x00\x00\x03\xff\x01" };
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        struct busy b = { .w = w, .drop = 1023, .add = NULL };
        struct store_verified checked;
        uint8_t key[5];
        put_damaged(w, 1000);
        if (add[i] != NULL) {
            memcpy(key, add[i], sizeof key);
            struct store_txn *t = begin(w);
            assert_int_equal(store_put(t, TABLE_UNIT, key, sizeof key, "v", 1), STORE_OK);
            commit(t);
        }
        assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, works_on, &b), STORE_CORRUPT);
        assert_int_equal(b.found, 1);
        assert_int_equal(checked.records, 3000 + i); /* all that were there when it looked */
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

static void records_that_come_meanwhile_are_not_called_too_many(void **state)
{
    struct world *w = *state;
    struct busy b = { .w = w, .drop = 2999, .add = "zzzz" };
    struct store_verified checked;
    put_damaged(w, 5);
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, works_on, &b), STORE_CORRUPT);
    assert_int_equal(b.found, 1); /* the damaged one */
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, NULL, NULL), STORE_CORRUPT);
}

static void a_key_that_begins_like_the_one_before_it_is_in_order(void **state)
{
    struct world *w = *state;
    struct store_verified checked;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "b", "1");
    put(t, TABLE_RUN, "ba", "2");
    put(t, TABLE_RUN, "bab", "3");
    put(t, TABLE_RUN, "c", "4");
    commit(t);
    assert_int_equal(store_verify(w->s, TABLE_RUN, &checked, NULL, NULL), STORE_OK);
    assert_int_equal(checked.records, 4);
}

/* ---- the file, as bytes ---- */

static uint8_t image[4 << 20];

static size_t load(const struct world *w)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    FILE *f = fopen(path, "rb");
    size_t n = fread(image, 1, sizeof image, f);
    fclose(f);
    return n;
}

static void save(const struct world *w, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(image, 1, n, f), n);
    fclose(f);
}

/* A node lies so: length of its value (4 bytes), flags (2), length of its key (2), key, value. */
static void a_key_of_a_length_that_no_key_has_is_damage(void **state)
{
    static const uint16_t lengths[] = { 0, STORE_KEY_BYTES_MAX + 1 };
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_ASSIGN, "mmmm", "the value of this one");
    commit(t);
    store_close(&w->s);
    size_t n = load(w);
    uint8_t *at = memmem(image, n, "mmmm", 4);
    assert_non_null(at);
    for (int i = 0; i < 2; i++) {
        struct store_cursor c;
        struct store_verified checked;
        memcpy(at - 2, &lengths[i], 2);
        save(w, n);
        open_store(w);
        t = begin_read(w);
        assert_int_equal(store_cursor_open(t, TABLE_ASSIGN, &c), STORE_OK);
        assert_int_equal(store_seek(&c, "", 0), STORE_CORRUPT);
        assert_null(c.key.p);
        assert_non_null(strstr(store_txn_error_text(t), "no key has this size"));
        store_cursor_close(&c);
        store_abort(&t);
        assert_int_equal(store_verify(w->s, TABLE_ASSIGN, &checked, NULL, NULL), STORE_CORRUPT);
        store_close(&w->s);
    }
}

static void a_long_key_is_named_by_its_beginning(void **state)
{
    struct world *w = *state;
    struct store_val v;
    char key[200];
    open_store(w);
    memset(key, 'k', sizeof key);
    struct store_txn *t = begin(w);
    MDB_val k = val_of(key, sizeof key), bad = val_of("no envelope", 11);
    assert_int_equal(mdb_put(t->mt, w->s->dbi[TABLE_RUN], &k, &bad, 0), 0);
    assert_int_equal(store_get(t, TABLE_RUN, key, sizeof key, &v), STORE_CORRUPT);
    assert_non_null(strstr(store_error_text(w->s), "6b6b6b...: checksum"));
    store_abort(&t);
}

/* A branch that leads to the same page twice, with one record in it: the same key comes again. */
static void a_page_that_comes_twice_is_damage_though_its_keys_do_not_go_back(void **state)
{
    struct world *w = *state;
    uint8_t key[4], v[1900];
    struct store_verified checked;
    memset(v, 'v', sizeof v);
    open_store(w);
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < 40; i++) {
        key_of(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    t = begin(w);
    for (uint32_t i = 1; i < 40; i += 2) { /* two records a page: one stays */
        key_of(key, i);
        assert_int_equal(store_del(t, TABLE_UNIT, key, sizeof key), STORE_OK);
    }
    commit(t);
    store_close(&w->s);
    size_t n = load(w);
    unsigned branches = 0;
    for (uint8_t *page = image + 2 * 4096; page + 4096 <= image + n; page += 4096) {
        unsigned nodes = ((unsigned)page[12] + page[13] * 256u - 16) / 2;
        if (page[10] != 1 || page[11] != 0 || nodes < 10 || nodes > 1000)
            continue; /* no branch; one that is not in use any more does no harm */
        const uint8_t *from = page + page[16 + 2 * 5] + page[17 + 2 * 5] * 256;
        memcpy(page + page[16 + 2 * 6] + page[17 + 2 * 6] * 256, from, 6); /* where the page's number is */
        branches++;
    }
    assert_true(branches > 0);
    save(w, n);
    open_store(w);
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, NULL, NULL), STORE_CORRUPT);
}

static void an_envelope_of_another_version_or_of_no_size_is_not_opened(void **state)
{
    (void)state;
    uint8_t record[SL_VALUE_BYTES_MAX + 1] = { 0 }, head[4] = { 2, TABLE_RUN, 3, 0 };
    MDB_val key = val_of("key", 3), none = val_of("", 0), v = val_of(record, ENVELOPE_BYTES + 5);
    struct store_val got;
    memcpy(record + ENVELOPE_BYTES, "value", 5);
    uint32_t crc = store_crc32c(store_crc32c(store_crc32c(0, head, 4), "key", 3), "value", 5);
    for (int i = 0; i < 4; i++)
        record[i] = (uint8_t)(crc >> 8 * i);
    record[4] = 2;
    assert_string_equal(envelope_open(TABLE_RUN, &key, &v, &got), "unknown version of the record's envelope");
    assert_null(got.p);
    assert_string_equal(envelope_open(TABLE_RUN, &none, &v, &got), "no key has this size");
    key.mv_size = STORE_KEY_BYTES_MAX + 1;
    assert_string_equal(envelope_open(TABLE_RUN, &key, &v, &got), "no key has this size");
    key.mv_size = 3;
    v.mv_size = sizeof record;
    assert_string_equal(envelope_open(TABLE_RUN, &key, &v, &got), "no record has this size");
}

/* ---- maps ---- */

static void put_large(struct world *w, uint32_t first, uint32_t n)
{
    uint8_t key[4], v[1000] = { 1 };
    struct store_txn *t = begin(w);
    for (uint32_t i = first; i < first + n; i++) {
        key_of(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
}

static void grow(struct world *w)
{
    struct store_space space;
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(store_pressure(w->s, 1000000ll * i, &space), STORE_OK);
        put_large(w, 300 * i, 300);
    }
    assert_true(space.map_bytes > 1 << 20);
}

static void who_looks_follows_a_map_that_grew_when_nobody_stands_on_the_old_one(void **state)
{
    struct world *w = *state, look = { .s = NULL };
    struct store_options o = options(w);
    struct store_txn *stays, *t;
    o.map_bytes = 1 << 20;
    open_with(w, o);
    o.read_only = true;
    open_with(&look, o);
    t = begin_read(&look); /* a slot that was used before */
    stays = begin_read(&look);
    store_abort(&t);
    grow(w);
    assert_int_equal(store_begin_read(look.s, &t), STORE_IO);
    store_abort(&stays);
    t = begin_read(&look);
    uint8_t key[4];
    struct store_val v;
    key_of(key, 2000);
    assert_int_equal(store_get(t, TABLE_UNIT, key, sizeof key, &v), STORE_OK);
    store_abort(&t);
    store_close(&look.s);
}

static void a_map_of_no_given_size_is_large_and_sparse(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    struct store_space space;
    o.map_bytes = 0;
    open_with(w, o);
    assert_int_equal(store_pressure(w->s, 5000000, &space), STORE_OK);
    assert_true(space.map_bytes == 64ull << 30 && !space.full);
    assert_true(space.used_bytes < 1 << 20);
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_OK); /* a clock that went back asks the disk anew */
    assert_int_equal(w->s->disk_asked_us, 1);
}

static void free_pages_are_counted_so_far_and_no_farther(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    struct store_space space;
    o.no_sync = true;
    o.reserve_bytes = 1ull << 60; /* so that it counts them */
    open_with(w, o);
    struct store_txn *stays = begin_read(w);
    for (int i = 0; i < 1100; i++) { /* each leaves a record in the list, since somebody reads */
        struct store_txn *t = begin(w);
        put(t, TABLE_RUN, "key", "v");
        commit(t);
    }
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_OK);
    uint64_t counted = w->s->reusable_bytes;
    assert_true(counted >= 1024 * 4096);
    store_abort(&stays);
    assert_int_equal(store_pressure(w->s, 2, &space), STORE_OK); /* not asked again so soon */
    assert_int_equal(w->s->reusable_bytes, counted);
}

/* ---- where a backup may lie ---- */

static void a_backup_needs_a_name_that_fits(void **state)
{
    struct world *w = *state;
    char path[5000], text[300], here[200];
    open_store(w);
    snprintf(path, sizeof path, "%s/", w->base);
    assert_int_equal(store_backup(w->s, path, text, sizeof text), STORE_IO);
    assert_non_null(strstr(text, "Invalid argument"));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(store_backup(w->s, path, NULL, 0), STORE_IO);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(w->base), 0);
    enum store_rc rc = store_backup(w->s, "here", text, sizeof text);
    bool there = access("here/data.mdb", F_OK) == 0;
    assert_int_equal(chdir(here), 0);
    assert_int_equal(rc, STORE_OK);
    assert_true(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_verification_goes_on_where_the_record_that_it_stood_on_is_gone),
        TEST(records_that_come_meanwhile_are_not_called_too_many),
        TEST(a_key_that_begins_like_the_one_before_it_is_in_order),
        TEST(a_key_of_a_length_that_no_key_has_is_damage),
        TEST(a_long_key_is_named_by_its_beginning),
        TEST(a_page_that_comes_twice_is_damage_though_its_keys_do_not_go_back),
        TEST(an_envelope_of_another_version_or_of_no_size_is_not_opened),
        TEST(who_looks_follows_a_map_that_grew_when_nobody_stands_on_the_old_one),
        TEST(a_map_of_no_given_size_is_large_and_sparse),
        TEST(free_pages_are_counted_so_far_and_no_farther),
        TEST(a_backup_needs_a_name_that_fits),
    };
    return cmocka_run_group_tests_name("verification and maps", tests, NULL, NULL);
}
