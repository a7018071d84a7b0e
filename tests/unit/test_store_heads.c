/* What LMDB and the log are found by, damaged behind a broker's back that died: LMDB's two heads, its list of tables, and the records of META. What was acknowledged is in the log: whoever opens
 * the store has it, or is refused. */
#include "tests/unit/store_image.h"

#define COMMIT_AT 144 /* in each of LMDB's heads */
#define PAGE_BYTES_AT 40
#define LIST_AT 128
#define ENTRY_BYTES 58 /* of a table, in their list */
#define PAGE_BYTES 4096

static struct store_options logged(const struct world *w)
{
    struct store_options o = options(w);
    o.wal_bytes = 64 << 10;
    return o;
}

/* A store as a broker that died left it: its log has a batch. */
static void leave_dead(struct world *w, struct world *dead)
{
    char cmd[300];
    open_with(w, logged(w));
    for (int i = 0; i < 5; i++) {
        struct store_txn *t = begin(w);
        put(t, TABLE_UNIT, "first", "settled");
        commit(t);
        assert_int_equal(store_settle(w->s, SETTLE_ALL), STORE_OK);
    }
    struct store_txn *t = begin(w);
    put(t, TABLE_UNIT, "second", "in the log");
    commit(t);
    *dead = (struct world){ 0 };
    snprintf(dead->dir, sizeof dead->dir, "%s/dead", w->base);
    snprintf(cmd, sizeof cmd, "cp -r '%s' '%s'", w->dir, dead->dir);
    assert_int_equal(system(cmd), 0);
    store_close(&w->s);
}

static enum store_rc open_dead(struct world *dead, bool looks)
{
    struct store_options o = logged(dead);
    o.read_only = looks;
    return store_open(&dead->s, &o, ID, dead->text, sizeof dead->text);
}

static void expect_whole_or_refused(struct world *dead, bool may_be_whole)
{
    for (int looks = 1; looks >= 0; looks--) {
        enum store_rc rc = open_dead(dead, looks);
        if (rc == STORE_OK && !may_be_whole)
            fail_msg("it was opened");
        if (rc == STORE_OK) {
            struct store_txn *t = begin_read(dead);
            expect(t, TABLE_UNIT, "second", "in the log");
            store_abort(&t);
        } else {
            assert_int_equal(rc, STORE_CORRUPT);
            assert_non_null(strstr(dead->text, "data.mdb") ? dead->text : strstr(dead->text, "wal"));
        }
        store_close(&dead->s);
    }
}

/* Each of so many bits, at this place of both heads. */
static void flip_each_bit(struct world *w, size_t place, size_t bits)
{
    struct world dead;
    leave_dead(w, &dead);
    struct image im = load(&dead);
    for (size_t head = 0; head < 2; head++)
        for (size_t bit = 0; bit < bits; bit++) {
            uint8_t *at = im.p + head * PAGE_BYTES + place + bit / 8;
            *at ^= (uint8_t)(1u << bit % 8);
            save(&dead, im.p, im.n);
            *at ^= (uint8_t)(1u << bit % 8);
            expect_whole_or_refused(&dead, false);
        }
    save(&dead, im.p, im.n);
    free(im.p);
    expect_whole_or_refused(&dead, true);
}

static void no_bit_of_the_number_of_a_commit_flips_and_takes_the_log_along(void **state)
{
    flip_each_bit(*state, COMMIT_AT, 64);
}

static void no_bit_of_the_size_of_a_page_flips_unseen(void **state)
{
    flip_each_bit(*state, PAGE_BYTES_AT, 32);
}

/* Each bit of the record by which the log is found, in all places where an old or a new page has it. */
static void no_bit_of_the_record_that_tells_of_the_log_flips_and_hides_it(void **state)
{
    struct world *w = *state, dead;
    leave_dead(w, &dead);
    struct image im = load(&dead), bad = { malloc(im.n), im.n };
    assert_non_null(bad.p);
    for (size_t bit = 0; bit < 8 * (3 + ENVELOPE_BYTES + WAL_KEY_BYTES); bit++) {
        unsigned flipped = 0;
        memcpy(bad.p, im.p, im.n);
        for (uint8_t *at = bad.p; (at = memmem(at, im.n - (size_t)(at - bad.p), "\x03\0wal", 5)) != NULL; flipped++) {
            at += 2;
            at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(flipped > 0);
        save(&dead, bad.p, bad.n);
        if (open_dead(&dead, false) != STORE_CORRUPT)
            fail_msg("bit %zu: \"%s\"", bit, dead.text);
        if (strstr(dead.text, "META") == NULL)
            fail_msg("\"%s\" does not name META", dead.text);
    }
    free(im.p);
    free(bad.p);
}

/* Each bit of the page that tells where the tables are, but for where their trees begin: what is put to a table that is not found where it was is lost. */
static void no_bit_of_the_list_of_tables_flips_and_loses_one(void **state)
{
    struct world *w = *state, dead;
    uint64_t commit[2], list;
    leave_dead(w, &dead);
    struct image im = load(&dead);
    for (int head = 0; head < 2; head++)
        memcpy(&commit[head], im.p + head * PAGE_BYTES + COMMIT_AT, sizeof commit[head]);
    memcpy(&list, im.p + (commit[1] > commit[0] ? PAGE_BYTES : 0) + LIST_AT, sizeof list);
    uint8_t *page = im.p + list * PAGE_BYTES;
    unsigned lower = page[12] + page[13] * 256u;
    assert_int_equal(lower, 16 + 2 * STORE_TABLE_COUNT);
    for (size_t at = 12; at < PAGE_BYTES; at++) {
        size_t in_entry = (at - (PAGE_BYTES - STORE_TABLE_COUNT * ENTRY_BYTES)) % ENTRY_BYTES;
        bool told = at < lower || (at >= PAGE_BYTES - STORE_TABLE_COUNT * ENTRY_BYTES && in_entry < 10);
        for (unsigned bit = 0; told && bit < 8; bit++) {
            page[at] ^= (uint8_t)(1u << bit);
            save(&dead, im.p, im.n);
            page[at] ^= (uint8_t)(1u << bit);
            if (open_dead(&dead, false) != STORE_CORRUPT)
                fail_msg("byte %zu, bit %u: \"%s\"", at, bit, dead.text);
            assert_non_null(strstr(dead.text, "data.mdb: its list of tables is damaged"));
        }
    }
    save(&dead, im.p, im.n);
    free(im.p);
    expect_whole_or_refused(&dead, true);
}

static void who_only_looks_comes_to_the_damage_in_meta_and_names_it(void **state)
{
    struct world *w = *state, dead;
    struct store_verified checked;
    leave_dead(w, &dead);
    struct image im = load(&dead);
    for (uint8_t *at = im.p; (at = memmem(at, im.n - (size_t)(at - im.p), "\x03\0wal", 5)) != NULL;)
        at[4] ^= 1; /* "wam" */
    save(&dead, im.p, im.n);
    free(im.p);
    assert_int_equal(open_dead(&dead, true), STORE_OK);
    assert_int_equal(store_verify(dead.s, TABLE_META, &checked, NULL, NULL), STORE_CORRUPT);
    store_close(&dead.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_bit_of_the_number_of_a_commit_flips_and_takes_the_log_along),
        TEST(no_bit_of_the_size_of_a_page_flips_unseen),
        TEST(no_bit_of_the_record_that_tells_of_the_log_flips_and_hides_it),
        TEST(no_bit_of_the_list_of_tables_flips_and_loses_one),
        TEST(who_only_looks_comes_to_the_damage_in_meta_and_names_it),
    };
    return cmocka_run_group_tests_name("heads of a store", tests, NULL, NULL);
}
