/* LMDB's list of free pages, damaged behind a broker's back that died: LMDB moves memory by what stands on its pages. Each bit of them is turned once: the store is refused, or the bit is one of those
 * that harm nothing of what LMDB does in memory:
 *
 *   the pad of a page's head, and the key of a branch's first entry: LMDB looks at neither;
 *   the number of a commit that stays between its neighbours' and is none to come: its pages are used a little earlier or later;
 *   a count that becomes 0: those pages are never used again;
 *   a page's number that stays between its neighbours' and is in no other record. That page may be a table's: LMDB will write over it, which the records' checksums tell. Nothing short of reading all
 *   pages of all tables would find it here. */
#include "tests/unit/store_image.h"

#define PAGE_BYTES 4096
#define COMMIT_AT 144 /* in each of LMDB's heads */
#define FREE_AT 40    /* 48 bytes, the root last */
#define OPENED 997    /* one of so many that are refused is so by store_open, too */

enum kind { UNUSED, STRICT, PAD, FIRST_KEY, COMMIT, COUNT, NUMBER };

struct list {
    struct image im;
    enum kind *kind; /* of each byte */
    unsigned branches, leaves, longs, records;
};

static uint64_t u64_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static unsigned u16_at(const uint8_t *p)
{
    return p[0] + p[1] * 256u;
}

static void mark(struct list *l, const uint8_t *p, size_t n, enum kind kind)
{
    for (size_t i = 0; i < n; i++)
        l->kind[p - l->im.p + (ptrdiff_t)i] = kind;
}

static void mark_numbers(struct list *l, const uint8_t *p)
{
    mark(l, p, 8, COUNT);
    mark(l, p + 8, 8 * u64_at(p), NUMBER);
}

static void mark_page(struct list *l, uint64_t number)
{
    const uint8_t *page = l->im.p + number * PAGE_BYTES;
    bool leaf = page[10] == 2;
    mark(l, page, 16 + 2 * nodes_of(page), STRICT);
    mark(l, page + 8, 2, PAD);
    for (unsigned i = 0; i < nodes_of(page); i++) {
        const uint8_t *e = page + u16_at(page + 16 + 2 * i);
        mark(l, e, 8, STRICT);
        mark(l, e + 8, u16_at(e + 6), leaf || i > 0 ? COMMIT : FIRST_KEY);
        if (!leaf) {
            mark_page(l, u16_at(e) | (uint64_t)u16_at(e + 2) << 16);
        } else if (u16_at(e + 4) == 1) {
            const uint8_t *first = l->im.p + u64_at(e + 16) * PAGE_BYTES;
            mark(l, e + 16, 8, STRICT);
            mark(l, first, 16, STRICT);
            mark(l, first + 8, 2, PAD);
            mark_numbers(l, first + 16);
            l->longs++;
        } else
            mark_numbers(l, e + 16);
        l->records += leaf;
    }
    l->branches += !leaf;
    l->leaves += leaf;
}

static struct list look_at(const struct world *dead)
{
    struct list l = { .im = load(dead) };
    l.kind = calloc(l.im.n, sizeof *l.kind);
    assert_non_null(l.kind);
    const uint8_t *head =
        l.im.p + (u64_at(l.im.p + PAGE_BYTES + COMMIT_AT) > u64_at(l.im.p + COMMIT_AT) ? PAGE_BYTES : 0);
    mark(&l, head + FREE_AT, 48, STRICT);
    mark_page(&l, u64_at(head + FREE_AT + 40));
    return l;
}

static void copy_dead(const struct world *w, struct world *dead)
{
    char cmd[300];
    *dead = (struct world){ 0 };
    snprintf(dead->dir, sizeof dead->dir, "%s/dead", w->base);
    snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -r '%s' '%s'", dead->dir, w->dir, dead->dir);
    assert_int_equal(system(cmd), 0);
}

static void put_n(struct world *w, unsigned first, unsigned n, size_t bytes)
{
    static uint8_t value[4000];
    struct store_txn *t = begin(w);
    for (unsigned i = first; i < first + n; i++) {
        uint8_t key[4];
        key_u32(key, i);
        assert_int_equal(store_put(t, TABLE_UNIT, key, sizeof key, value, bytes), STORE_OK);
    }
    commit(t);
}

static void delete_n(struct world *w, unsigned first, unsigned n)
{
    struct store_txn *t = begin(w);
    for (unsigned i = first; i < first + n; i++) {
        uint8_t key[4];
        key_u32(key, i);
        enum store_rc rc = store_del(t, TABLE_UNIT, key, sizeof key);
        assert_true(rc == STORE_OK || rc == STORE_NOT_FOUND);
    }
    commit(t);
}

static struct store_options quick(const struct world *w)
{
    struct store_options o = options(w);
    o.no_sync = true;
    return o;
}

static enum store_rc look(const struct world *w)
{
    const char *wrong = NULL;
    int dir = open(w->dir, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    enum store_rc rc = heads_look(dir, &wrong);
    close(dir);
    return rc;
}

static void expect_refused(struct world *dead, size_t at, unsigned bit)
{
    for (int looks = 1; looks >= 0; looks--) {
        struct store_options o = quick(dead);
        o.read_only = looks;
        if (store_open(&dead->s, &o, ID, dead->text, sizeof dead->text) != STORE_CORRUPT)
            fail_msg("byte %zu, bit %u: \"%s\"", at, bit, dead->text);
        assert_non_null(strstr(dead->text, "data.mdb: its "));
    }
}

/* LMDB goes on with it, and nothing is harmed. */
static void expect_harmless(struct world *dead, const struct list *l)
{
    struct store_verified checked;
    open_with(dead, quick(dead));
    for (unsigned i = 0; i < 4; i++) {
        put_n(dead, 5000 + 100 * i, 60, 700);
        delete_n(dead, 5000 + 100 * i, 30);
    }
    store_close(&dead->s);
    assert_int_equal(look(dead), STORE_OK);
    open_with(dead, quick(dead));
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++)
        assert_int_equal(store_verify(dead->s, tb, &checked, NULL, NULL), STORE_OK);
    store_close(&dead->s);
    save(dead, l->im.p, l->im.n);
}

/* Of the pages' numbers, one bit of so many. */
static void flip_each(struct world *dead, unsigned step)
{
    struct list l = look_at(dead);
    char path[128];
    data_path(dead, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    size_t refused = 0, numbers = 0, passed[NUMBER + 1] = { 0 };
    for (size_t at = 0; at < l.im.n; at++)
        for (unsigned bit = 0; bit < 8 && l.kind[at] != UNUSED; bit++) {
            uint8_t bad = l.im.p[at] ^ (uint8_t)(1u << bit);
            enum kind kind = l.kind[at];
            if (kind == NUMBER && numbers++ % step != 0)
                continue;
            assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
            enum store_rc rc = look(dead);
            if (rc == STORE_OK && kind == STRICT)
                fail_msg("page %zu, byte %zu, bit %u is not seen", at / PAGE_BYTES, at % PAGE_BYTES, bit);
            if (rc != STORE_OK && refused++ % OPENED == 0)
                expect_refused(dead, at, bit);
            if (rc == STORE_OK && kind == COUNT)
                assert_int_equal(bad, 0);
            if (rc == STORE_OK && kind != NUMBER && passed[kind] % 8 == 0)
                expect_harmless(dead, &l);
            passed[kind] += rc == STORE_OK;
            assert_int_equal(pwrite(fd, l.im.p + at, 1, (off_t)at), 1);
        }
    print_message("%u branches, %u leaves, %u long, %u records: refused %zu, let through: pad %zu, first key %zu, "
                  "commit %zu, count %zu, page %zu\n",
                  l.branches, l.leaves, l.longs, l.records, refused, passed[PAD], passed[FIRST_KEY], passed[COMMIT],
                  passed[COUNT], passed[NUMBER]);
    close(fd);
    expect_harmless(dead, &l);
    free(l.im.p);
    free(l.kind);
}

static void no_bit_of_one_page_turns_unseen_and_harms(void **state)
{
    struct world *w = *state, dead;
    open_with(w, quick(w));
    put_n(w, 0, 300, 300);
    for (unsigned i = 0; i < 12; i++) {
        put_n(w, 10 * i, 10, 300 + i);
        delete_n(w, 200 + 5 * i, 5);
    }
    store_close(&w->s);
    copy_dead(w, &dead);
    flip_each(&dead, 1);
}

/* A reader keeps LMDB from using what was given back: the list grows. */
static void no_bit_of_branches_and_long_values_turns_unseen_and_harms(void **state)
{
    struct world *w = *state, dead;
    open_with(w, quick(w));
    put_n(w, 0, 700, 3000);
    struct store_txn *reader = begin_read(w);
    for (unsigned i = 0; i < 100; i++)
        put_n(w, i, 1, 300);
    delete_n(w, 200, 400);
    for (unsigned i = 0; i < 20; i++)
        put_n(w, i, 1, 300);
    store_abort(&reader);
    copy_dead(w, &dead);
    store_close(&w->s);
    struct list l = look_at(&dead);
    assert_true(l.branches > 0 && l.leaves > 1 && l.longs > 0);
    free(l.im.p);
    free(l.kind);
    flip_each(&dead, 7);
}

/* What LMDB writes is never taken for damage: after each of many commits, of all sizes, with readers that stay and go. */
static void a_sound_list_is_never_refused(void **state)
{
    struct world *w = *state;
    uint64_t x = 88172645463325252u;
    struct store_txn *reader = NULL;
    open_with(w, quick(w));
    assert_int_equal(look(w), STORE_OK);
    for (unsigned i = 0; i < 1000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned first = (unsigned)(x >> 8) % 600, n = (x >> 20) % 16 == 0 ? 400 : 1 + (unsigned)(x >> 24) % 12;
        if (x % 3 == 0)
            delete_n(w, first, n);
        else
            put_n(w, first, n, (x >> 32) % 32 == 0 && n < 20 ? 4000 : (x >> 40) % 1500);
        if ((x >> 48) % 40 == 0) {
            if (reader != NULL)
                store_abort(&reader);
            else
                reader = begin_read(w);
        }
        assert_int_equal(look(w), STORE_OK);
        if ((x >> 54) % 100 == 0 && reader == NULL)
            store_close(&w->s), open_with(w, quick(w));
    }
    if (reader != NULL)
        store_abort(&reader);
    delete_n(w, 0, 1200);
    assert_int_equal(look(w), STORE_OK);
    put_n(w, 0, 3, 100);
    assert_int_equal(look(w), STORE_OK);
    struct world copy = { 0 };
    snprintf(copy.dir, sizeof copy.dir, "%s/copy", w->base);
    assert_int_equal(store_backup(w->s, copy.dir, w->text, sizeof w->text), STORE_OK);
    assert_int_equal(look(&copy), STORE_OK);
    open_with(&copy, quick(&copy));
    for (unsigned i = 0; i < 50; i++) {
        put_n(&copy, i, 1, 500);
        assert_int_equal(look(&copy), STORE_OK);
    }
    store_close(&copy.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_bit_of_one_page_turns_unseen_and_harms),
        TEST(no_bit_of_branches_and_long_values_turns_unseen_and_harms),
        TEST(a_sound_list_is_never_refused),
    };
    return cmocka_run_group_tests_name("free list of a store", tests, NULL, NULL);
}
