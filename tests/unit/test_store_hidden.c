/* Records that a damaged leaf hides: LMDB looks for a key by halves, among keys of which some are zeros, and comes to a place where it is not. "It is
 * not there" is an answer as well, and must be right. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/store_image.h"

#define PAGE 4096u
#define SECTOR 512u
#define RECORDS 200u

static const char value[] = "a value that is there";

static void key_of(uint8_t key[4], uint32_t i)
{
    key_u32(key, 2 * i + 1);
}

static void put_records(struct world *w)
{
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint8_t key[4];
        key_of(key, i * 77 % RECORDS);
        assert_int_equal(store_put(t, TABLE_UNIT, key, sizeof key, value, sizeof value), STORE_OK);
    }
    commit(t);
    store_close(&w->s);
}

enum found { SOUND, NAMED, HIDDEN, REFUSED };

/* What is said of every record. */
static enum found look(struct store_txn *t)
{
    enum found found = SOUND;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint8_t key[4];
        struct store_val v;
        key_of(key, i);
        enum store_rc rc = store_get(t, TABLE_UNIT, key, sizeof key, &v);
        if (rc == STORE_NOT_FOUND || (rc == STORE_OK && (v.n != sizeof value || memcmp(v.p, value, v.n) != 0)))
            return HIDDEN;
        found = rc == STORE_OK ? found : NAMED;
    }
    return found;
}

/* In a child: over a damaged page LMDB may end it. What that comes to in a broker is for others (broken_tree.h) to test. */
static enum found looked_at(struct world *w, bool writer)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL }; /* which cmocka has taken */
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            signal(signals[i], SIG_DFL);
        struct store_options o = options(w);
        struct store_txn *t;
        if (store_open(&w->s, &o, ID, w->text, sizeof w->text) != STORE_OK)
            _exit(REFUSED);
        if ((writer ? store_begin(w->s, &t) : store_begin_read(w->s, &t)) != STORE_OK)
            _exit(REFUSED);
        _exit((int)look(t));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? (enum found)WEXITSTATUS(status) : REFUSED;
}

static enum found looked_at_with(struct world *w, struct image im, size_t at, const uint8_t *with, size_t n,
                                 bool writer)
{
    uint8_t was[SECTOR];
    memcpy(was, im.p + at, n);
    memcpy(im.p + at, with, n);
    save(w, im.p, im.n);
    memcpy(im.p + at, was, n);
    enum found found = looked_at(w, writer);
    if (found == HIDDEN)
        fail_msg("%zu bytes from byte %zu on", n, at);
    return found;
}

/* Of each of the table's leaves each sector but for that with its head, and a bit of every 151st byte behind the head. */
static void over_each_damage(struct world *w, bool writer)
{
    static const uint8_t zeros[SECTOR];
    unsigned sectors = 0, bits = 0, pages = 0;
    open_store(w);
    put_records(w);
    struct image im = load(w);
    assert_int_equal(looked_at_with(w, im, 0, im.p, 1, writer), SOUND); /* nothing is changed */
    for (size_t page = 2 * PAGE; page + PAGE <= im.n; page += PAGE) {
        if (im.p[page + 10] != 2 || memmem(im.p + page, PAGE, value, sizeof value) == NULL)
            continue;
        pages++;
        for (size_t at = page + SECTOR; at < page + PAGE; at += SECTOR)
            sectors += looked_at_with(w, im, at, zeros, SECTOR, writer) == NAMED;
        for (size_t at = page + 16; at < page + PAGE; at += 151) {
            uint8_t turned = im.p[at] ^ (uint8_t)(1u << at % 8);
            bits += looked_at_with(w, im, at, &turned, 1, writer) == NAMED;
        }
    }
    free(im.p);
    assert_true(pages >= 2);
    assert_true(sectors >= 3 * pages && bits >= 4 * pages); /* a page that was split is half empty */
}

static void no_sector_of_zeros_and_no_bit_behind_a_leafs_head_hides_a_record_from_a_reader(void **state)
{
    over_each_damage(*state, false);
}

static void nor_from_the_engine(void **state)
{
    over_each_damage(*state, true);
}

/* Nothing is damaged: what was never there is not there, before, between and behind the others, and in an empty table. */
static void what_was_never_there_is_not_there(void **state)
{
    struct world *w = *state;
    open_store(w);
    put_records(w);
    open_store(w);
    for (int writer = 0; writer < 2; writer++) {
        struct store_txn *t = writer ? begin(w) : begin_read(w);
        for (uint32_t i = 0; i <= RECORDS; i++) {
            uint8_t key[4];
            struct store_val v;
            key_u32(key, 2 * i);
            assert_int_equal(store_get(t, TABLE_UNIT, key, sizeof key, &v), STORE_NOT_FOUND);
            for (unsigned tb = 0; tb < STORE_TABLE_COUNT; tb++)
                assert_int_equal(store_get(t, tb, key, sizeof key, &v), STORE_NOT_FOUND);
        }
        assert_int_equal(look(t), SOUND);
        store_abort(&t);
    }
}

/* In the order of keys the middle one's value is damaged: what is asked for, and is not there, comes next to it. */
static void what_is_damaged_beside_a_key_that_is_not_there_is_named(void **state)
{
    struct world *w = *state;
    put_three(w);
    leave_flipped(w, "middle");
    open_store(w);
    static const char *const beside[] = { "lllm", "nnnn" };
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        struct store_val v;
        struct store_txn *t = begin_read(w);
        assert_int_equal(store_get(t, TABLE_ASSIGN, beside[i], 4, &v), STORE_CORRUPT);
        assert_non_null(strstr(store_txn_error_text(t), "ASSIGN 6d6d6d6d"));
        assert_int_equal(store_get(t, TABLE_ASSIGN, "AAAA", 4, &v), STORE_NOT_FOUND);
        assert_int_equal(store_get(t, TABLE_ASSIGN, "zzzzz", 5, &v), STORE_NOT_FOUND);
        store_abort(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_sector_of_zeros_and_no_bit_behind_a_leafs_head_hides_a_record_from_a_reader,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_from_the_engine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_beside_a_key_that_is_not_there_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_never_there_is_not_there, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store hidden", tests, NULL, NULL);
}
