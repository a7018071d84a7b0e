/* The store: what it keeps, in what order, and what it says when the disk, the file or the caller's process does its worst. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/store/internal.h"
#include "broker/store/store.h"

static const uint8_t ID[16] = "a store's own id";

/* ---- a world for each test: a directory of its own ---- */

struct world {
    char base[64], dir[80];
    struct store *s;
    char text[512];
};

static struct store_options options(const struct world *w)
{
    return (struct store_options){ .dir = w->dir, .map_bytes = 64 << 20, .ahead_bytes = 1 };
}

static int remove_tree(const char *path)
{
    char cmd[256];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
    return system(cmd);
}

static void open_with(struct world *w, struct store_options o)
{
    enum store_rc r = store_open(&w->s, &o, ID, w->text, sizeof w->text);
    if (r != STORE_OK) fail_msg("store_open: %d %s", r, w->text);
}

static void open_store(struct world *w)
{
    open_with(w, options(w));
}

static void reopen(struct world *w)
{
    store_close(&w->s);
    open_store(w);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    const char *tmp = getenv("TMPDIR");
    snprintf(w->base, sizeof w->base, "%s/sunline-store-XXXXXX", tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
    if (mkdtemp(w->base) == NULL) return -1;
    snprintf(w->dir, sizeof w->dir, "%s/data", w->base);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    store_close(&w->s);
    remove_tree(w->base);
    free(w);
    return 0;
}

/* ---- shorthand ---- */

static struct store_txn *begin(struct world *w)
{
    struct store_txn *t;
    assert_int_equal(store_begin(w->s, &t), STORE_OK);
    return t;
}

static struct store_txn *begin_read(struct world *w)
{
    struct store_txn *t;
    assert_int_equal(store_begin_read(w->s, &t), STORE_OK);
    return t;
}

static void commit(struct store_txn *t)
{
    assert_int_equal(store_commit(&t), STORE_OK);
    assert_null(t);
}

static void put(struct store_txn *t, enum store_table tb, const char *key, const char *v)
{
    assert_int_equal(store_put(t, tb, key, strlen(key), v, strlen(v)), STORE_OK);
}

static void expect(struct store_txn *t, enum store_table tb, const char *key, const char *want)
{
    struct store_val v;
    enum store_rc r = store_get(t, tb, key, strlen(key), &v);
    if (want == NULL) {
        assert_int_equal(r, STORE_NOT_FOUND);
        return;
    }
    assert_int_equal(r, STORE_OK);
    assert_int_equal(v.n, strlen(want));
    assert_memory_equal(v.p, want, v.n);
}

static void expect_at(enum store_rc r, const struct store_cursor *c, const char *key)
{
    if (key == NULL) {
        assert_int_equal(r, STORE_NOT_FOUND);
        return;
    }
    assert_int_equal(r, STORE_OK);
    assert_int_equal(c->key.n, strlen(key));
    assert_memory_equal(c->key.p, key, c->key.n);
}

/* ---- what it keeps ---- */

static void what_was_committed_is_there_after_a_reopen(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "run", "a value");
    commit(t);
    reopen(w);
    t = begin_read(w);
    expect(t, TABLE_RUN, "run", "a value");
    expect(t, TABLE_RUN, "other", NULL);
    store_abort(&t);
    assert_memory_equal(store_id(w->s), ID, 16);
}

static void every_table_is_a_world_of_its_own(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    for (int i = 0; i < STORE_TABLE_COUNT; i++) put(t, (enum store_table)i, "key", store_table_name((enum store_table)i));
    commit(t);
    reopen(w);
    t = begin_read(w);
    for (int i = 0; i < STORE_TABLE_COUNT; i++) expect(t, (enum store_table)i, "key", store_table_name((enum store_table)i));
    store_abort(&t);
}

static void cursors_walk_in_the_order_of_bytes(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_READY, "b", "2");
    put(t, TABLE_READY, "d", "4");
    put(t, TABLE_READY, "a", "1");
    put(t, TABLE_READY, "ba", "3");
    struct store_cursor c;
    assert_int_equal(store_cursor_open(t, TABLE_READY, &c), STORE_OK);
    expect_at(store_seek(&c, "", 0), &c, "a");
    expect_at(store_next(&c), &c, "b");
    expect_at(store_next(&c), &c, "ba");
    expect_at(store_next(&c), &c, "d");
    expect_at(store_next(&c), &c, NULL);
    expect_at(store_last(&c), &c, "d");
    expect_at(store_prev(&c), &c, "ba");
    expect_at(store_seek(&c, "b", 1), &c, "b");
    expect_at(store_prev(&c), &c, "a");
    expect_at(store_prev(&c), &c, NULL);
    expect_at(store_seek(&c, "bb", 2), &c, "d");
    expect_at(store_seek(&c, "e", 1), &c, NULL);
    expect_at(store_seek_le(&c, "bb", 2), &c, "ba");
    expect_at(store_seek_le(&c, "b", 1), &c, "b");
    expect_at(store_seek_le(&c, "z", 1), &c, "d");
    expect_at(store_seek_le(&c, "A", 1), &c, NULL);
    store_cursor_close(&c);
    store_abort(&t);
}

static void an_aborted_transaction_leaves_no_trace(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "kept", "1");
    commit(t);
    t = begin(w);
    put(t, TABLE_RUN, "kept", "2");
    put(t, TABLE_RUN, "gone", "3");
    store_abort(&t);
    t = begin(w);
    expect(t, TABLE_RUN, "kept", "1");
    expect(t, TABLE_RUN, "gone", NULL);
    store_abort(&t);
}

static void a_second_broker_is_locked_out(void **state)
{
    struct world *w = *state;
    open_store(w);
    struct store *second;
    struct store_options o = options(w);
    char text[200];
    assert_int_equal(store_open(&second, &o, ID, text, sizeof text), STORE_LOCKED);
    assert_null(second);
    assert_non_null(strstr(text, "another broker"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there_after_a_reopen),
        TEST(every_table_is_a_world_of_its_own),
        TEST(cursors_walk_in_the_order_of_bytes),
        TEST(an_aborted_transaction_leaves_no_trace),
        TEST(a_second_broker_is_locked_out),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
