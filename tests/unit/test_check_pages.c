/* A check of the store, as a broker answers it while it works, over pages that were changed behind its back: it names what offline verification names, and
 * ends whatever it meets. */
#include "broker/engine/engine.h"
#include "broker/engine/reader.h"
#include "broker/engine/records.h"
#include "tests/unit/store_image.h"

#define TEXT_BYTES 400000

/* So many records of so many bytes each, whose numbers are their keys; they refer to nothing (META), or to names that there are not (HUB). */
static void put_many_of(struct world *w, enum store_table tb, uint32_t n, size_t value_bytes)
{
    struct store_txn *t = begin(w);
    uint8_t key[4], v[900];
    assert_true(value_bytes <= sizeof v);
    for (uint32_t i = 1; i <= n; i++) {
        key_u32(key, i);
        memset(v, (int)i, value_bytes);
        assert_int_equal(store_put(t, tb, key, sizeof key, v, value_bytes), STORE_OK);
    }
    commit(t);
}

static void put_many(struct world *w, enum store_table tb, uint32_t n)
{
    put_many_of(w, tb, n, 900);
}

struct named {
    unsigned damaged, portions;
    uint64_t records;
    char text[TEXT_BYTES];
};

/* All portions of a check, of at most `limit` records each (0: as the broker likes). */
static void check(struct world *w, uint64_t limit, struct named *to)
{
    struct reader *r = reader_new(w->s);
    struct slp_buf page = { 0 };
    uint8_t next[160];
    uint32_t next_n = 0;
    size_t len = 0;
    *to = (struct named){ 0 };
    do {
        struct slp_msg ask = { .version = SL_PROTOCOL_VERSION, .type = SLP_CHECK_GET, .id = 1 }, m;
        struct slp_fault fault;
        ask.u.check_get.after = (struct slp_bytes){ (const char *)next, next_n };
        ask.u.check_get.limit = limit;
        if (next_n)
            SLP_SET(&ask.u.check_get, check_get, after);
        if (limit)
            SLP_SET(&ask.u.check_get, check_get, limit);
        slp_buf_clear(&page);
        assert_int_equal(reader_answer(r, &ask, 0, &page), 0);
        assert_in_range(page.n, 1,
                        SL_FRAME_BYTES_MAX); /* else the answer is lost, and the check stands still there for ever */
        assert_int_equal(slp_decode(page.p, page.n, SLP_B2C, &m, &fault), 0);
        assert_int_equal(m.type, SLP_CHECK);
        to->records += m.u.check.records;
        to->portions++;
        assert_true(to->portions < 10000);
        struct slp_cursor c = slp_each(m.u.check.damage);
        for (struct slp_bytes d; slp_next_str(&c, &d); to->damaged++)
            if (len + d.n + 2 < sizeof to->text)
                len += (size_t)snprintf(to->text + len, sizeof to->text - len, "%.*s\n", (int)d.n, d.p);
        next_n = m.u.check.next.n;
        if (next_n)
            memcpy(next, m.u.check.next.p, next_n);
    } while (next_n);
    slp_buf_free(&page);
    reader_free(&r);
}

static void says(const struct named *n, const char *what)
{
    if (!strstr(n->text, what))
        fail_msg("\"%s\" was named, not \"%s\"", n->text, what);
}

static void a_pointer_to_the_wrong_page_is_named_in_one_portion_and_in_many(void **state)
{
    static const uint64_t limits[] = { 0, 1, 4, 100 }; /* 4: as many as a page has */
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_META, 300);
    check(w, 0, &n);
    assert_int_equal(n.damaged, 0);
    store_close(&w->s);
    struct image im = load(w), bad = { malloc(im.n), im.n };
    assert_non_null(bad.p);
    for (int i = 0; i < WRONG_PAGES; i++)
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
            memcpy(bad.p, im.p, im.n);
            mislead(bad, wrong_page[i][0], wrong_page[i][1]);
            save(w, bad.p, bad.n);
            open_store(w);
            check(w, limits[k], &n);
            says(&n, "META");
            store_close(&w->s);
        }
    free(im.p);
    free(bad.p);
}

static void where_a_page_leads_back_the_record_and_the_table_are_named(void **state)
{
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_META, 300);
    store_close(&w->s);
    leave_leading_back(w);
    open_store(w);
    check(w, 0, &n);
    says(&n, " is out of order\n");
    says(&n, "META: records are missing, or too many, or cannot be walked");
    assert_int_equal(n.damaged, 2);
}

/* A key in a page that only leads to others: one that is too great hides the first record behind it, one that is too small the last before it. */
static void a_record_that_a_search_for_its_key_does_not_find_is_named(void **state)
{
    static const int by[] = { 1, -1 };
    static struct named n;
    struct world *w = *state;
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        open_store(w);
        put_many(w, TABLE_META, 300);
        store_close(&w->s);
        uint32_t key = leave_branch_key_off_by(w, 5, by[i]);
        char hidden[80];
        snprintf(hidden, sizeof hidden, "META %08x: ", by[i] > 0 ? key : key - 1);
        open_store(w);
        check(w, 0, &n);
        says(&n, hidden);
        says(&n, " is not found by its key\n");
        assert_int_equal(n.damaged, 1);
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

/* Each portion begins with a search for where the one before ended, and that may be one of those that are misled. */
static void what_a_portions_first_search_would_step_over_is_looked_at(void **state)
{
    static const uint64_t limits[] = { 0, 1, 4, 100 };
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_HUB, 300);
    store_close(&w->s);
    uint32_t key = leave_branch_key_off_by(w, 5, -3); /* that of the page before, which has three records */
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char hidden[80];
        open_store(w);
        check(w, limits[i], &n);
        assert_int_equal(n.records, 301); /* META has one */
        for (uint32_t k = key - 2; k < key; k++) {
            snprintf(hidden, sizeof hidden, "HUB %08x: hub %u is not found", k, k);
            says(&n, hidden);
        }
        store_close(&w->s);
    }
}

/* Of the largest branch all keys but the first few: searches find nothing behind those any more. They become greater than any
 * number, and less than "format", without which it is no store. */
static void leave_misled(struct world *w)
{
    struct image im = load(w);
    for (unsigned i = 5; i < nodes_of(largest_branch(im)); i++)
        memset(child_of(im, (int)i) + 8, 'e', 4);
    save(w, im.p, im.n);
    free(im.p);
}

/* A portion ends where a search comes back to; where none does, it names so many and ends the table. */
static void where_searches_find_nothing_any_more_the_table_is_given_up(void **state)
{
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many_of(w, TABLE_META, 4000, 100);
    store_close(&w->s);
    leave_misled(w);
    open_store(w);
    check(w, 0, &n);
    says(&n, " is not found by its key\n");
    says(&n, "META: records are missing, or too many, or cannot be walked");
    assert_int_equal(n.damaged, 2001);
    assert_in_range(n.records, 2001, 2500); /* of 4,000 */
}

/* How many records of the queues are looked at for one task, which cannot be found there. */
static uint32_t look_into_queues(struct world *w)
{
    uint32_t looked = 0;
    struct reader *r = reader_new(w->s);
    assert_non_null(r);
    assert_int_equal(store_begin_read(w->s, &r->t), STORE_OK);
    r->requests = 1;
    assert_true(rd_queued(r, 1, 0, 1, TASK_READY, &looked)); /* nobody can tell */
    assert_int_equal(r->rc, STORE_OK);
    store_abort(&r->t);
    reader_free(&r);
    return looked;
}

static void a_queue_is_read_up_to_where_a_page_leads_back(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_READY, 300);
    store_close(&w->s);
    leave_leading_back(w);
    open_store(w);
    assert_in_range(look_into_queues(w), 8, 60); /* of 300 */
}

static void a_queue_is_read_behind_a_record_whose_checksum_is_wrong(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_READY, 300);
    struct store_txn *t = begin(w);
    put(t, TABLE_READY, "a", "a value that will be damaged"); /* behind those */
    put(t, TABLE_READY, "b", "another");
    commit(t);
    store_close(&w->s);
    leave_flipped(w, "a value that");
    open_store(w);
    assert_int_equal(look_into_queues(w), 302);
}

/* What is under way is committed, with a value of another table; then that page's pointer leads out of the file, and the value is damaged. */
static void leave_damaged(struct world *w, struct store_txn *t, int page)
{
    put(t, TABLE_DEDUP, "four", "a value that will be damaged");
    commit(t);
    store_close(&w->s);
    struct image im = load(w);
    mislead_out(im, page);
    save(w, im.p, im.n);
    free(im.p);
    leave_flipped(w, "a value that");
    open_store(w);
}

static void a_pointer_to_a_page_that_is_not_there_is_named_and_the_next_tables_are_looked_at(void **state)
{
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_META, 300);
    struct store_txn *t = begin(w);
    leave_damaged(w, t, 5);
    for (uint64_t limit = 0; limit < 3; limit++) {
        check(w, limit, &n);
        says(&n, "META: records are missing, or too many, or cannot be walked");
        says(&n, "DEDUP 666f7572");
        assert_int_equal(n.damaged, 2);
    }
}

static void what_leads_to_a_page_that_is_not_there_does_not_end_the_check(void **state)
{
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_many(w, TABLE_HUB, 300);
    struct store_txn *t = begin(w);
    for (uint32_t i = 1; i <= 40; i++) {
        uint8_t key[4] = { NAME_HUB, 'h', (uint8_t)('0' + i / 10), (uint8_t)('0' + i % 10) }, v[4];
        put_u32(v, i);
        assert_int_equal(store_put(t, TABLE_NAME, key, sizeof key, v, sizeof v), STORE_OK);
    }
    leave_damaged(w, t, 2);
    check(w, 0, &n);
    says(&n, "NAME 03683031"); /* whose page is there, and has another name */
    says(&n, "NAME 03683430");
    says(&n, "HUB: records are missing, or too many, or cannot be walked");
    says(&n, "DEDUP 666f7572");
}

static void a_flipped_bit_of_a_record_is_named_once(void **state)
{
    static struct named n;
    struct world *w = *state;
    struct store_options looks = options(w); /* a broker does not begin over damage in META */
    looks.read_only = true;
    open_store(w);
    put_many(w, TABLE_META, 20);
    struct store_txn *t = begin(w);
    put(t, TABLE_META, "mmmm", "the middle one's value");
    commit(t);
    store_close(&w->s);
    struct image im = load(w);
    uint8_t *value = memmem(im.p, im.n, "the middle one's value", 22);
    assert_non_null(value);
    uint8_t *key = value - ENVELOPE_BYTES - 4;
    for (uint8_t *at = key; at < value + 22; at++) {
        *at ^= 0x20;
        save(w, im.p, im.n);
        *at ^= 0x20;
        open_with(w, looks);
        check(w, 0, &n);
        says(&n, "META");
        /* Of the key's first byte it puts the record in front of the one before it: then the table is named, too, since the walk ends there. */
        assert_int_equal(n.damaged, at == key ? 2 : 1);
        store_close(&w->s);
    }
    free(im.p);
}

#define KEY_TEXT_BYTES 36 /* a UUID */

/* Records of DEDUP of one run, as a producer with UUIDs for keys makes them. */
static void put_keys(struct world *w, uint32_t n)
{
    struct store_txn *t = begin(w);
    uint8_t key[4 + KEY_TEXT_BYTES + 1], v[8] = { 1 };
    key_u32(key, 1);
    for (uint32_t i = 1; i <= n; i++) {
        snprintf((char *)key + 4, KEY_TEXT_BYTES + 1, "%08x-0000-4000-8000-000000000000", i);
        assert_int_equal(store_append(t, TABLE_DEDUP, key, 4 + KEY_TEXT_BYTES, v, sizeof v), STORE_OK);
    }
    commit(t);
}

static void what_a_check_names_of_long_keys_fits_a_frame(void **state)
{
    static struct named n;
    struct world *w = *state;
    open_store(w);
    put_keys(w, 4000);
    store_close(&w->s);
    leave_misled(w);
    open_store(w);
    check(w, 0, &n);
    says(&n, "DEDUP: records are missing");
    assert_true(n.damaged > 500);
}

/* A table that is given up is no word on those behind it. */
static void behind_a_table_that_is_given_up_the_others_are_looked_at(void **state)
{
    static struct named n;
    struct world *w = *state;
    unsigned hubs = 0;
    open_store(w);
    put_many_of(w, TABLE_META, 4000, 100);
    put_many_of(w, TABLE_HUB, 10, 100);
    store_close(&w->s);
    leave_misled(w);
    open_store(w);
    check(w, 0, &n);
    says(&n, "META: records are missing");
    assert_null(strstr(n.text, "HUB: records are missing"));
    for (const char *at = n.text; (at = strstr(at, "\nHUB ")) != NULL; at++)
        hubs++;
    assert_int_equal(hubs, 10); /* what they refer to is not there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pointer_to_the_wrong_page_is_named_in_one_portion_and_in_many),
        TEST(where_a_page_leads_back_the_record_and_the_table_are_named),
        TEST(a_record_that_a_search_for_its_key_does_not_find_is_named),
        TEST(what_a_portions_first_search_would_step_over_is_looked_at),
        TEST(where_searches_find_nothing_any_more_the_table_is_given_up),
        TEST(a_queue_is_read_up_to_where_a_page_leads_back),
        TEST(a_queue_is_read_behind_a_record_whose_checksum_is_wrong),
        TEST(a_pointer_to_a_page_that_is_not_there_is_named_and_the_next_tables_are_looked_at),
        TEST(what_leads_to_a_page_that_is_not_there_does_not_end_the_check),
        TEST(a_flipped_bit_of_a_record_is_named_once),
        TEST(what_a_check_names_of_long_keys_fits_a_frame),
        TEST(behind_a_table_that_is_given_up_the_others_are_looked_at),
    };
    return cmocka_run_group_tests_name("check of pages", tests, NULL, NULL);
}
