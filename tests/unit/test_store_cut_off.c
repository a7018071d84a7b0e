/* A store's file that was cut off is refused, by each start that looks at it, however the one before ended. */
#include "tests/unit/child.h"
#include "tests/unit/store_image.h"

static void open_cut_off(void *arg, int said_fd)
{
    struct world *w = arg;
    struct store_options o = options(w);
    struct store *s;
    enum store_rc rc = store_open(&s, &o, ID, w->text, sizeof w->text);
    dprintf(said_fd, "%d %s", (int)rc, w->text);
}

static void a_file_that_was_cut_off_is_no_store_after_a_start_that_died_over_it(void **state)
{
    struct world *w = *state;
    struct store_txn *held, *t;
    unsigned opened = 0;
    open_store(w);
    for (uint32_t i = 0; i < 600; i++) { /* its list of free pages has several pages, and lies at the end of the file */
        if (i == 10)
            assert_int_equal(store_begin_read(w->s, &held), STORE_OK);
        uint8_t key[4], v[900];
        t = begin(w);
        for (uint32_t k = 0; k < 8; k++) {
            key_u32(key, i * 7919 % 97 + k * 97);
            memset(v, (int)i, sizeof v);
            assert_int_equal(store_put(t, TABLE_HUB, key, sizeof key, v, sizeof v), STORE_OK);
        }
        commit(t);
    }
    store_abort(&held);
    store_close(&w->s);
    struct image im = load(w);
    for (size_t cut = 1; cut <= 20; cut++) {
        save(w, im.p, im.n - cut * 4096);
        struct end first = in_a_child(open_cut_off, w), again = in_a_child(open_cut_off, w);
        bool whole = first.said[0] == '0'; /* what is missing is free */
        if (!whole && again.said[0] == '0')
            print_message("%zu pages are missing: status %x, '%s'; then '%s'\n", cut, first.status, first.said,
                          again.said);
        opened += !whole && again.said[0] == '0';
    }
    free(im.p);
    assert_int_equal(opened, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(a_file_that_was_cut_off_is_no_store_after_a_start_that_died_over_it) };
    return cmocka_run_group_tests_name("store cut off", tests, NULL, NULL);
}
