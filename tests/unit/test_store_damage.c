/* The store when its files were changed behind its back, when its process dies, and when somebody else has it. What
 * must never happen is that wrong bytes are served, or that an acknowledged commit is gone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/store_image.h"

static off_t data_size(const struct world *w)
{
    char path[128];
    struct stat st;
    data_path(w, path);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void expect_refusal(struct world *w, enum store_rc want, const char *word)
{
    struct store_options o = options(w);
    assert_int_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), want);
    assert_null(w->s);
    if (strstr(w->text, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", w->text, word);
}

struct damages {
    int n;
    enum store_table tb;
    uint8_t key[64];
    size_t key_n;
};

static void note_damage(void *arg, enum store_table tb, const void *key, size_t key_n)
{
    struct damages *d = arg;
    d->n++;
    d->tb = tb;
    d->key_n = key_n < sizeof d->key ? key_n : sizeof d->key;
    if (d->key_n > 0)
        memcpy(d->key, key, d->key_n);
}

static void put_many_of(struct world *w, uint32_t n, size_t value_bytes)
{
    struct store_txn *t = begin(w);
    uint8_t key[4], v[900];
    assert_true(value_bytes <= sizeof v);
    for (uint32_t i = 0; i < n; i++) {
        key_u32(key, i);
        memset(v, (int)i, value_bytes);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, value_bytes), STORE_OK);
    }
    commit(t);
}

static void put_many(struct world *w, uint32_t n)
{
    put_many_of(w, n, 900);
}

/* ---- envelope ---- */

static void the_checksum_is_crc32c_by_either_way(void **state)
{
    (void)state;
    uint8_t b[4200];
    assert_int_equal(store_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_by_table(0, "123456789", 9), 0xe3069283);
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(i * i + 3 * i);
    for (size_t n = 0; n < sizeof b - 8; n += n < 300 ? 1 : 97) {
        for (size_t at = 0; at < 8; at++) {
            uint32_t whole = crc32c_by_table(0, b + at, n);
            assert_int_equal(store_crc32c(0, b + at, n), whole);
            assert_int_equal(store_crc32c(store_crc32c(0, b + at, n / 3), b + at + n / 3, n - n / 3), whole);
        }
    }
    if (!crc32c_has_hardware())
        skip();
    assert_int_equal(crc32c_by_hardware(7, b, sizeof b), crc32c_by_table(7, b, sizeof b));
}

static void an_envelope_opens_only_under_its_own_table_and_key(void **state)
{
    (void)state;
    uint8_t record[ENVELOPE_BYTES + 5];
    memcpy(record + ENVELOPE_BYTES, "value", 5);
    envelope_seal(TABLE_RUN, "key", 3, record, 5);
    MDB_val key = { 3, (void *)(uintptr_t) "key" }, other = { 3, (void *)(uintptr_t) "kez" };
    MDB_val v = { sizeof record, record }, cut = { sizeof record - 1, record }, tiny = { ENVELOPE_BYTES - 1, record };
    struct store_val got;
    assert_null(envelope_open(TABLE_RUN, &key, &v, &got));
    assert_int_equal(got.n, 5);
    assert_memory_equal(got.p, "value", 5);
    assert_non_null(envelope_open(TABLE_LINE, &key, &v, &got));
    assert_null(got.p);
    assert_non_null(envelope_open(TABLE_RUN, &other, &v, &got));
    assert_non_null(envelope_open(TABLE_RUN, &key, &cut, &got));
    assert_non_null(envelope_open(TABLE_RUN, &key, &tiny, &got));
}

/* ---- bit flips ---- */

static void a_flipped_bit_is_named_by_table_and_key(void **state)
{
    struct world *w = *state;
    struct store_val v;
    struct store_cursor c;
    put_three(w);
    leave_flipped(w, "the middle one");
    open_store(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_get(t, TABLE_ASSIGN, "mmmm", 4, &v), STORE_CORRUPT);
    assert_null(v.p);
    assert_string_equal(store_error_text(w->s), "ASSIGN 6d6d6d6d: checksum");
    store_abort(&t);

    t = begin_read(w);
    expect(t, TABLE_ASSIGN, "aaaa", "the first one's value");
    assert_int_equal(store_cursor_open(t, TABLE_ASSIGN, &c), STORE_OK);
    expect_at(store_seek(&c, "", 0), &c, "aaaa");
    assert_int_equal(store_next(&c), STORE_CORRUPT);
    assert_memory_equal(c.key.p, "mmmm", 4);
    assert_null(c.val.p);
    assert_string_equal(store_txn_error_text(t), "ASSIGN 6d6d6d6d: checksum");
    expect_at(store_next(&c), &c, "zzzz");
    store_cursor_close(&c);
    store_abort(&t);

    struct damages d = { 0 };
    struct store_verified checked;
    assert_int_equal(store_verify(w->s, TABLE_ASSIGN, &checked, note_damage, &d), STORE_CORRUPT);
    assert_int_equal(checked.records, 3);
    assert_true(checked.whole);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.tb, TABLE_ASSIGN);
    assert_memory_equal(d.key, "mmmm", 4);
    assert_int_equal(store_verify(w->s, TABLE_RUN, &checked, note_damage, &d), STORE_OK);
}

static void no_bit_of_a_record_flips_unseen(void **state)
{
    struct world *w = *state;
    put_three(w);
    struct image im = load(w);
    uint8_t *value = memmem(im.p, im.n, "the middle one's value", 22);
    assert_non_null(value);
    uint8_t *from = value - ENVELOPE_BYTES - 4, *to = value + 22; /* LMDB lays out key, then data */
    assert_memory_equal(from, "mmmm", 4);
    for (uint8_t *at = from; at < to; at++) {
        uint8_t was = *at;
        *at ^= (uint8_t)(1u << ((at - from) % 8));
        save(w, im.p, im.n);
        *at = was;
        open_store(w);
        struct damages d = { 0 };
        struct store_verified checked;
        assert_int_equal(store_verify(w->s, TABLE_ASSIGN, &checked, note_damage, &d), STORE_CORRUPT);
        assert_int_equal(checked.records, 3);
        assert_int_equal(d.n, 1);
        store_close(&w->s);
    }
    free(im.p);
}

static void verification_goes_on_over_many_short_transactions(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    uint8_t key[4], v[24];
    for (uint32_t i = 0; i < 5000; i++) {
        key_u32(key, i);
        memcpy(v, "a value worth looking at", sizeof v);
        key_u32(v, i * 2654435761u);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    store_close(&w->s);
    static const uint32_t bad[] = { 0, 1023, 1024, 3000, 4999 };
    struct image im = load(w);
    for (int i = 0; i < 5; i++) {
        key_u32(v, bad[i] * 2654435761u);
        memcpy(v + 4, "lue worth", 9);
        uint8_t *at = memmem(im.p, im.n, v, 13);
        assert_non_null(at);
        at[0] ^= 1;
    }
    save(w, im.p, im.n);
    free(im.p);
    open_store(w);
    struct damages d = { 0 };
    struct store_verified checked;
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, note_damage, &d), STORE_CORRUPT);
    assert_int_equal(checked.records, 5000);
    assert_int_equal(d.n, 5);
    assert_int_equal(key_get_u32(d.key), 4999);
}

static void a_pointer_to_the_wrong_page_is_found_though_every_record_is_fine(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, 300);
    store_close(&w->s);
    struct image im = load(w), bad = { malloc(im.n), im.n };
    assert_non_null(bad.p);
    for (int i = 0; i < WRONG_PAGES; i++) {
        struct damages d = { 0 };
        struct store_verified checked;
        memcpy(bad.p, im.p, im.n);
        mislead(bad, wrong_page[i][0], wrong_page[i][1]);
        save(w, bad.p, bad.n);
        open_store(w);
        assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, note_damage, &d), STORE_CORRUPT);
        assert_true(d.n > 0);
        store_close(&w->s);
    }
    free(im.p);
    free(bad.p);
}

/* Where the child `to` and the next one lead to the pages of `from` and the one behind it; then look at or before a key that is in one of the two. */
static enum store_rc look_where_it_is_misled(struct world *w, struct image im, int from, int to, int of, bool before)
{
    struct image bad = { malloc(im.n), im.n };
    struct store_txn *t;
    struct store_cursor c;
    uint8_t key[5] = { 0 };
    assert_non_null(bad.p);
    memcpy(bad.p, im.p, im.n);
    mislead(bad, from, to);
    mislead(bad, from + 1, to + 1);
    memcpy(key, child_of(im, of) + 8, 4); /* the key with which it begins */
    save(w, bad.p, bad.n);
    free(bad.p);
    open_store(w);
    assert_int_equal(store_begin_read(w->s, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, TABLE_UNIT, &c), STORE_OK);
    enum store_rc rc = before ? store_seek_le(&c, key, sizeof key) : store_seek(&c, key, sizeof key);
    store_cursor_close(&c);
    store_abort(&t);
    store_close(&w->s);
    return rc;
}

static void a_search_that_arrives_on_the_wrong_side_of_its_key_is_damage(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, 300);
    store_close(&w->s);
    struct image im = load(w);
    for (int before = 0; before < 2; before++)
        assert_int_equal(look_where_it_is_misled(w, im, 2, 8, 8, before), STORE_CORRUPT); /* at an earlier one */
    assert_int_equal(look_where_it_is_misled(w, im, 8, 2, 3, true), STORE_CORRUPT);       /* at a later one */
    free(im.p);
}

/* Records of which a page leads back. */
static void leave_a_step_that_goes_back(struct world *w)
{
    open_store(w);
    put_many(w, 300);
    store_close(&w->s);
    leave_leading_back(w);
    open_store(w);
}

static void expect_a_step_that_goes_back(struct store_txn *t)
{
    struct store_cursor c;
    assert_int_equal(store_cursor_open(t, TABLE_UNIT, &c), STORE_OK);
    enum store_rc rc = store_seek(&c, NULL, 0);
    unsigned steps = 0;
    for (; rc == STORE_OK; steps++)
        rc = store_next(&c);
    assert_int_equal(rc, STORE_CORRUPT);
    assert_in_range(steps, 8, 60); /* of 300 */
    store_cursor_close(&c);
}

static void a_step_that_goes_back_is_damage(void **state)
{
    struct world *w = *state;
    leave_a_step_that_goes_back(w);
    struct store_txn *t = begin_read(w);
    expect_a_step_that_goes_back(t);
    store_abort(&t);
}

static void so_it_is_where_the_writer_steps(void **state)
{
    struct world *w = *state;
    leave_a_step_that_goes_back(w);
    struct store_txn *t = begin(w);
    expect_a_step_that_goes_back(t);
    store_abort(&t);
}

static void behind_a_step_that_goes_back_it_is_told_that_the_table_cannot_be_walked(void **state)
{
    struct world *w = *state;
    struct damages d = { 0 };
    struct store_verified checked;
    leave_a_step_that_goes_back(w);
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, note_damage, &d), STORE_CORRUPT);
    assert_in_range(checked.records, 8, 60);
    assert_false(checked.whole);
    assert_int_equal(d.n, 2); /* where it goes back, and that the rest was not looked at */
    assert_int_equal(d.key_n, 0);
}

static void a_record_that_a_search_for_its_key_does_not_find_is_damage(void **state)
{
    static const int by[] = { 1, -1 };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        struct damages d = { 0 };
        struct store_verified checked;
        open_store(w);
        put_many(w, 300);
        store_close(&w->s);
        uint32_t key = leave_branch_key_off_by(w, 5, by[i]), hidden = by[i] > 0 ? key : key - 1;
        open_store(w);
        assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, note_damage, &d), STORE_CORRUPT);
        assert_int_equal(d.n, 1);
        assert_int_equal(d.key_n, 4);
        assert_int_equal(key_get_u32(d.key), hidden);
        assert_true(checked.whole);
        assert_int_equal(checked.records, 300);
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

/* Each step of a verification begins with a search for where the one before ended. */
static void what_the_first_search_of_a_step_would_step_over_is_looked_at(void **state)
{
    struct world *w = *state;
    struct damages d = { 0 };
    struct store_verified checked;
    open_store(w);
    put_many_of(w, 3000, 5);
    store_close(&w->s);
    struct image im = load(w);
    int child = 1;
    while (key_get_u32(child_of(im, child) + 8) <= 1023) /* the last record of the first step */
        child++;
    uint32_t first = key_get_u32(child_of(im, child) + 8);
    free(im.p);
    leave_branch_key_off_by(w, child, 1021 - (int)first);
    open_store(w);
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, note_damage, &d), STORE_CORRUPT);
    assert_int_equal(checked.records, 3000);
    assert_int_equal(d.n, first - 1021);
    assert_int_equal(key_get_u32(d.key), first - 1);
}

/* The engine steps on in a table while it writes to others, and pages that were changed may move. */
static void a_step_of_the_writer_is_held_against_the_key_before_whatever_was_put_in_between(void **state)
{
    struct world *w = *state;
    struct store_cursor c;
    open_store(w);
    put_many(w, 300);
    struct store_txn *t = begin(w);
    assert_int_equal(store_cursor_open(t, TABLE_UNIT, &c), STORE_OK);
    enum store_rc rc = store_seek(&c, NULL, 0);
    unsigned steps = 0;
    for (; rc == STORE_OK; steps++) {
        put(t, TABLE_RUN, "beside", "a value");
        rc = store_next(&c);
    }
    assert_int_equal(rc, STORE_NOT_FOUND);
    assert_int_equal(steps, 300);
    store_cursor_close(&c);
    store_abort(&t);
}

/* ---- format ---- */

static void a_newer_format_is_refused_by_name(void **state)
{
    struct world *w = *state;
    uint8_t v[20];
    struct store_val got;
    open_store(w);
    struct store_txn *t = begin(w);
    assert_int_equal(store_get(t, TABLE_META, "format", 6, &got), STORE_OK);
    assert_int_equal(got.n, sizeof v);
    memcpy(v, got.p, sizeof v);
    key_u32(v, STORE_FORMAT_VERSION + 1);
    assert_int_equal(store_put(t, TABLE_META, "format", 6, v, sizeof v), STORE_OK);
    commit(t);
    store_close(&w->s);
    expect_refusal(w, STORE_BAD_FORMAT, "has format 4, this program knows formats up to 3");
    expect_refusal(w, STORE_BAD_FORMAT, "has format 4"); /* and it is still there, untouched */
}

static void files_of_other_programs_are_refused_and_left_alone(void **state)
{
    struct world *w = *state;
    static const char text[] = "station,worker\njudge,anita\n";
    assert_int_equal(mkdir(w->dir, 0700), 0);
    save(w, text, sizeof text - 1);
    expect_refusal(w, STORE_BAD_FORMAT, "not a store");
    struct image im = load(w);
    assert_int_equal(im.n, sizeof text - 1);
    assert_memory_equal(im.p, text, im.n);
    free(im.p);
}

static void an_lmdb_file_of_another_program_is_refused(void **state)
{
    struct world *w = *state;
    MDB_env *env;
    MDB_txn *mt;
    MDB_dbi dbi;
    MDB_val k = { 3, (void *)(uintptr_t) "key" };
    assert_int_equal(mkdir(w->dir, 0700), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, w->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &mt), 0);
    assert_int_equal(mdb_dbi_open(mt, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(mt, dbi, &k, &k, 0), 0);
    assert_int_equal(mdb_txn_commit(mt), 0);
    mdb_env_close(env);
    expect_refusal(w, STORE_BAD_FORMAT, "another program");
}

static void a_directory_that_cannot_be_made_is_an_error_that_names_it(void **state)
{
    struct world *w = *state;
    snprintf(w->dir, sizeof w->dir, "%s/no/such/place", w->base);
    expect_refusal(w, STORE_IO, "/no/such/place: No such file");
}

/* ---- truncation and loss ---- */

static void cut(const struct world *w, off_t n)
{
    char path[128];
    data_path(w, path);
    assert_int_equal(truncate(path, n), 0);
}

static void a_file_that_was_cut_off_is_refused(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, 500);
    store_close(&w->s);
    for (off_t n = data_size(w) - 4096; n > 8192; n = n / 2 / 512 * 512) {
        cut(w, n);
        expect_refusal(w, STORE_CORRUPT, "cut off");
        assert_int_equal(data_size(w), n); /* the evidence stays */
    }
    cut(w, 5000);
    struct store_options o = options(w);
    assert_int_not_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_OK);
}

/* Pages that a transaction took and gave back are never written: the file may be shorter than LMDB's count, and
 * whole. */
static void a_file_that_lacks_only_free_pages_is_whole(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, 500);
    struct store_txn *t = begin(w);
    uint8_t key[4];
    for (uint32_t i = 0; i < 500; i++) {
        key_u32(key, i);
        assert_int_equal(store_del(t, TABLE_UNIT, key, sizeof key), STORE_OK);
    }
    put(t, TABLE_RUN, "run", "kept");
    commit(t);
    for (int i = 0; i < 3; i++) { /* what is live moves to the free pages in front */
        t = begin(w);
        put(t, TABLE_RUN, "run", "kept");
        commit(t);
    }
    store_close(&w->s);
    off_t whole = data_size(w);
    cut(w, whole - 4096);
    open_store(w);
    assert_int_equal(data_size(w), whole); /* as long as the map needs it */
    t = begin_read(w);
    expect(t, TABLE_RUN, "run", "kept");
    store_abort(&t);
    put_many(w, 500);
    struct store_verified checked;
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, NULL, NULL), STORE_OK);
    assert_int_equal(checked.records, 500);
}

static void a_store_that_is_gone_is_not_taken_for_a_new_one(void **state)
{
    struct world *w = *state;
    char path[128];
    put_three(w);
    cut(w, 0);
    expect_refusal(w, STORE_CORRUPT, "missing or empty");
    data_path(w, path);
    assert_int_equal(unlink(path), 0);
    expect_refusal(w, STORE_CORRUPT, "restore a backup");
    snprintf(path, sizeof path, "%s/lock", w->dir); /* what the message says */
    assert_int_equal(unlink(path), 0);
    open_store(w);
}

/* ---- who has it ---- */

/* LMDB writes its first two pages in one go and not synced: a power cut or kill -9 can leave any part of them. */
static void a_store_whose_making_was_cut_short_is_made_again(void **state)
{
    struct world *w = *state;
    char path[128], first[8192], torn[8192];
    MDB_env *env; /* what LMDB itself writes when it makes a file */
    assert_int_equal(mkdir(w->dir, 0700) == 0 || errno == EEXIST, 1);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, w->dir, 0, 0600), 0);
    mdb_env_close(env);
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(first, 1, sizeof first, f), sizeof first);
    fclose(f);
    static const struct {
        size_t n, zero_from, zero_n;
    } cuts[] = {
        { 4096, 0, 0 }, { 8192, 0, 512 }, { 8192, 4096, 4096 }, { 8192, 0, 8192 }, { 512, 0, 0 }, { 6000, 0, 4096 },
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        memcpy(torn, first, sizeof torn);
        memset(torn + cuts[i].zero_from, 0, cuts[i].zero_n);
        assert_int_equal(remove_tree(w->dir), 0);
        assert_int_equal(mkdir(w->dir, 0700), 0);
        assert_non_null(f = fopen(path, "wb"));
        assert_int_equal(fwrite(torn, 1, cuts[i].n, f), cuts[i].n);
        fclose(f);
        open_store(w);
        struct store_txn *t = begin(w);
        put(t, TABLE_META, "k", "v");
        commit(t);
        store_close(&w->s);
    }
}

/* The beginning of a store that lost its end must not be taken for a new one, not even where no `lock` tells (a copied backup). */
static void a_store_cut_off_behind_its_first_pages_is_refused(void **state)
{
    struct world *w = *state;
    char path[128];
    open_store(w);
    for (int i = 0; i < 3; i++) {
        struct store_txn *t = begin(w);
        put(t, TABLE_META, "k", "v");
        commit(t);
    }
    store_close(&w->s);
    for (int i = 0; i < 4; i++) {
        static const off_t down[] = { 8192, 4436, 4096, 100 };
        snprintf(path, sizeof path, "%s/lock", w->dir);
        unlink(path);
        snprintf(path, sizeof path, "%s/data.mdb", w->dir);
        assert_int_equal(truncate(path, down[i]), 0);
        struct store_options o = options(w);
        char text[200];
        struct store *cut;
        assert_int_not_equal(store_open(&cut, &o, ID, text, sizeof text), STORE_OK);
        assert_null(cut);
    }
}

static void a_second_broker_is_locked_out_until_the_first_is_gone(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store *second;
    struct store_options o = options(w);
    char text[200];
    assert_int_equal(store_open(&second, &o, ID, text, sizeof text), STORE_LOCKED);
    assert_null(second);
    assert_non_null(strstr(text, "another broker"));
    store_close(&w->s);
    assert_int_equal(store_open(&second, &o, ID, text, sizeof text), STORE_OK);
    store_close(&second);
}

static void no_file_of_the_store_is_inherited_across_exec(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "a", "b");
    commit(t);
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        skip();
    int ours = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char link[300], to[300] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%s", e->d_name);
        if (readlink(link, to, sizeof to - 1) < 0 || strncmp(to, w->dir, strlen(w->dir)) != 0)
            continue;
        ours++;
        assert_true(fcntl(atoi(e->d_name), F_GETFD) & FD_CLOEXEC);
    }
    closedir(d);
    assert_true(ours >= 4); /* directory, lock, LMDB's two */
}

static void an_inspector_reads_beside_the_broker_and_follows_its_growth(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    o.map_bytes = 1 << 20;
    open_with(w, o);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "run", "first");
    commit(t);
    store_close(&w->s);
    int up[2], down[2];
    assert_int_equal(pipe(up) | pipe(down), 0);
    pid_t child = fork(); /* nothing is open here: LMDB must not be carried over a fork */
    if (child == 0) {
        struct store *s;
        struct store_val v;
        char text[200], c = 0;
        o.read_only = true;
        if (read(down[0], &c, 1) != 1)
            _exit(10);
        if (store_open(&s, &o, NULL, text, sizeof text) != STORE_OK)
            _exit(11);
        if (store_begin_read(s, &t) != STORE_OK || store_get(t, TABLE_RUN, "run", 3, &v) != STORE_OK)
            _exit(12);
        store_abort(&t);
        if (write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1)
            _exit(13);
        if (store_begin_read(s, &t) != STORE_OK || store_get(t, TABLE_RUN, "run", 3, &v) != STORE_OK)
            _exit(14);
        bool second = v.n == 6 && memcmp(v.p, "second", 6) == 0;
        store_abort(&t);
        store_close(&s);
        _exit(second ? 0 : 15);
    }
    o.read_only = false;
    open_with(w, o);
    char c = 0;
    assert_int_equal(write(down[1], &c, 1), 1);
    assert_int_equal(read(up[0], &c, 1), 1);
    struct store_space space;
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(store_pressure(w->s, i * 1000000ll, &space), STORE_OK);
        put_many(w, 500 + i);
        t = begin(w);
        put(t, i % 2 == 0 ? TABLE_RUN : TABLE_LINE, "run", "second");
        commit(t);
    }
    assert_true(space.map_bytes > 1 << 20);
    assert_int_equal(write(down[1], &c, 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++)
        close(up[i]), close(down[i]);
}

static void an_inspector_makes_nothing(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    o.read_only = true;
    assert_int_equal(store_open(&w->s, &o, NULL, w->text, sizeof w->text), STORE_IO);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    assert_int_equal(store_open(&w->s, &o, NULL, w->text, sizeof w->text), STORE_BAD_FORMAT);
    assert_non_null(strstr(w->text, "no store here"));
    assert_int_equal(rmdir(w->dir), 0);
}

/* ---- death ---- */

static void commit_until_killed(const struct world *w, int to, uint64_t from)
{
    struct store *s;
    struct store_options o = options(w);
    uint8_t key[8], v[300];
    if (store_open(&s, &o, ID, NULL, 0) != STORE_OK)
        _exit(1);
    for (uint64_t n = from;; n++) {
        struct store_txn *t;
        if (store_begin(s, &t) != STORE_OK)
            _exit(2);
        for (uint64_t i = 0; i < 20; i++) {
            key_u64(key, n * 20 + i);
            memset(v, (int)n, sizeof v);
            if (store_append(t, TABLE_RESULT, key, sizeof key, v, sizeof v) != STORE_OK)
                _exit(3);
        }
        key_u64(v, n);
        if (store_put(t, TABLE_META, "last", 4, v, 8) != STORE_OK || store_commit(&t) != STORE_OK)
            _exit(4);
        if (write(to, &n, sizeof n) != sizeof n)
            _exit(5);
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct world *w = *state;
    uint64_t next = 0;
    for (unsigned round = 0; round < 12; round++) {
        int ack[2];
        assert_int_equal(pipe(ack), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ack[0]);
            commit_until_killed(w, ack[1], next);
        }
        close(ack[1]);
        uint64_t acked = 0, n, got = 0;
        while (got < 3 + round * 5 && read(ack[0], &n, sizeof n) == sizeof n)
            acked = n, got++;
        assert_int_equal(got, 3 + round * 5);
        usleep(37 * round); /* not to wait for anything: to strike at another point of a commit each time */
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ack[0], &n, sizeof n) == sizeof n)
            acked = n;
        close(ack[0]);

        open_store(w);
        struct store_txn *t = begin_read(w);
        struct store_val v;
        assert_int_equal(store_get(t, TABLE_META, "last", 4, &v), STORE_OK);
        uint64_t last = key_get_u64(v.p);
        struct store_verified checked;
        store_abort(&t);
        assert_true(last == acked || last == acked + 1);
        assert_int_equal(store_verify(w->s, TABLE_RESULT, &checked, NULL, NULL), STORE_OK);
        assert_true(checked.records == (last + 1) * 20); /* whole commits, and all of them */
        next = last + 1;
        store_close(&w->s);
    }
}

static int find_pid(const char *line, void *arg)
{
    int *pid = arg;
    if (atoi(line) == *pid)
        *pid = 0;
    return 0;
}

static void a_dead_readers_slot_is_cleared(void **state)
{
    struct world *w = *state;
    put_three(w);
    int up[2];
    assert_int_equal(pipe(up), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        struct store_txn *t;
        struct store_options o = options(w);
        o.read_only = true;
        if (store_open(&s, &o, NULL, NULL, 0) != STORE_OK || store_begin_read(s, &t) != STORE_OK)
            _exit(1);
        if (write(up[1], "x", 1) != 1)
            _exit(2);
        pause();
    }
    char c;
    assert_int_equal(read(up[0], &c, 1), 1);
    open_store(w);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    int pid = child;
    mdb_reader_list(w->s->env, find_pid, &pid);
    assert_int_equal(pid, 0); /* it was there */
    store_reader_check(w->s);
    pid = child;
    mdb_reader_list(w->s->env, find_pid, &pid);
    assert_int_equal(pid, child);
    close(up[0]), close(up[1]);
}

/* ---- failing calls ---- */

static void a_failed_commit_is_for_good(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "a", "1");
    commit(t);
    store_faults(w->s)->fail_commit_after = 1;
    t = begin(w);
    put(t, TABLE_RUN, "a", "2");
    assert_int_equal(store_commit(&t), STORE_IO);
    assert_null(t);
    assert_int_equal(store_begin(w->s, &t), STORE_IO);
    assert_null(t);
    assert_int_equal(store_begin_read(w->s, &t), STORE_IO);
    assert_non_null(strstr(store_error_text(w->s), "commit"));
    reopen(w);
    t = begin_read(w);
    expect(t, TABLE_RUN, "a", "1");
    store_abort(&t);
}

static void a_failed_put_spoils_its_transaction_and_no_other(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "a", "1");
    store_faults(w->s)->fail_put_after = 2;
    put(t, TABLE_RUN, "b", "1");
    assert_int_equal(store_put(t, TABLE_RUN, "c", 1, "1", 1), STORE_IO);
    assert_non_null(strstr(store_error_text(w->s), "RUN 63"));
    store_abort(&t);
    t = begin(w);
    expect(t, TABLE_RUN, "a", NULL);
    put(t, TABLE_RUN, "c", "1");
    commit(t);
    t = begin(w);
    store_faults(w->s)->fail_put_after = 1;
    assert_int_equal(store_append(t, TABLE_RUN, "d", 1, "1", 1), STORE_IO);
    assert_int_equal(store_commit(&t), STORE_IO); /* it must not be committed by mistake */
    reopen(w);
    t = begin_read(w);
    expect(t, TABLE_RUN, "c", "1");
    expect(t, TABLE_RUN, "d", NULL);
    store_abort(&t);
}

static void a_failed_begin_may_be_tried_again(void **state)
{
    struct world *w = *state;
    struct store_txn *t;
    open_store(w);
    store_faults(w->s)->fail_begin_after = 1;
    assert_int_equal(store_begin(w->s, &t), STORE_NO_MEMORY);
    assert_null(t);
    t = begin(w);
    store_abort(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_checksum_is_crc32c_by_either_way),
        TEST(an_envelope_opens_only_under_its_own_table_and_key),
        TEST(a_flipped_bit_is_named_by_table_and_key),
        TEST(no_bit_of_a_record_flips_unseen),
        TEST(verification_goes_on_over_many_short_transactions),
        TEST(a_pointer_to_the_wrong_page_is_found_though_every_record_is_fine),
        TEST(a_search_that_arrives_on_the_wrong_side_of_its_key_is_damage),
        TEST(a_step_that_goes_back_is_damage),
        TEST(so_it_is_where_the_writer_steps),
        TEST(behind_a_step_that_goes_back_it_is_told_that_the_table_cannot_be_walked),
        TEST(a_record_that_a_search_for_its_key_does_not_find_is_damage),
        TEST(what_the_first_search_of_a_step_would_step_over_is_looked_at),
        TEST(a_step_of_the_writer_is_held_against_the_key_before_whatever_was_put_in_between),
        TEST(a_newer_format_is_refused_by_name),
        TEST(files_of_other_programs_are_refused_and_left_alone),
        TEST(an_lmdb_file_of_another_program_is_refused),
        TEST(a_directory_that_cannot_be_made_is_an_error_that_names_it),
        TEST(a_file_that_was_cut_off_is_refused),
        TEST(a_file_that_lacks_only_free_pages_is_whole),
        TEST(a_store_that_is_gone_is_not_taken_for_a_new_one),
        TEST(a_store_whose_making_was_cut_short_is_made_again),
        TEST(a_store_cut_off_behind_its_first_pages_is_refused),
        TEST(a_second_broker_is_locked_out_until_the_first_is_gone),
        TEST(no_file_of_the_store_is_inherited_across_exec),
        TEST(an_inspector_reads_beside_the_broker_and_follows_its_growth),
        TEST(an_inspector_makes_nothing),
        TEST(what_was_acknowledged_survives_kill_9),
        TEST(a_dead_readers_slot_is_cleared),
        TEST(a_failed_commit_is_for_good),
        TEST(a_failed_put_spoils_its_transaction_and_no_other),
        TEST(a_failed_begin_may_be_tried_again),
    };
    return cmocka_run_group_tests_name("store damage", tests, NULL, NULL);
}
