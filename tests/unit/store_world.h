/* A directory and a store for each test, and shorthand for what the store's tests say over and over. */
#ifndef SUNLINE_TEST_STORE_WORLD_H
#define SUNLINE_TEST_STORE_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/store/internal.h"

static const uint8_t ID[16] = "a store's own id";

/* ---- a world for each test: a directory of its own ---- */

struct world {
    char base[64], dir[80];
    struct store *s;
    char text[512];
};

/* Without a log: what a test puts lies in its table. test_store_wal.c is about the log. */
static inline struct store_options options(const struct world *w)
{
    return (struct store_options){ .dir = w->dir, .map_bytes = 64 << 20, .wal_bytes = 1 };
}

static inline int remove_tree(const char *path)
{
    char cmd[256];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
    return system(cmd);
}

static inline void open_with(struct world *w, struct store_options o)
{
    enum store_rc r = store_open(&w->s, &o, ID, w->text, sizeof w->text);
    if (r != STORE_OK) fail_msg("store_open: %d %s", r, w->text);
}

static inline void open_store(struct world *w)
{
    open_with(w, options(w));
}

static inline void reopen(struct world *w)
{
    store_close(&w->s);
    open_store(w);
}

static inline int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    const char *tmp = getenv("TMPDIR");
    snprintf(w->base, sizeof w->base, "%s/sunline-store-XXXXXX", tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
    if (mkdtemp(w->base) == NULL) return -1;
    snprintf(w->dir, sizeof w->dir, "%s/data", w->base);
    *state = w;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *w = *state;
    store_close(&w->s);
    remove_tree(w->base);
    free(w);
    return 0;
}

/* ---- shorthand ---- */

static inline struct store_txn *begin(struct world *w)
{
    struct store_txn *t;
    assert_int_equal(store_begin(w->s, &t), STORE_OK);
    return t;
}

static inline struct store_txn *begin_read(struct world *w)
{
    struct store_txn *t;
    assert_int_equal(store_begin_read(w->s, &t), STORE_OK);
    return t;
}

static inline void commit(struct store_txn *t)
{
    assert_int_equal(store_commit(&t), STORE_OK);
    assert_null(t);
}

static inline void put(struct store_txn *t, enum store_table tb, const char *key, const char *v)
{
    assert_int_equal(store_put(t, tb, key, strlen(key), v, strlen(v)), STORE_OK);
}

static inline void expect(struct store_txn *t, enum store_table tb, const char *key, const char *want)
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

static inline void expect_at(enum store_rc r, const struct store_cursor *c, const char *key)
{
    if (key == NULL) {
        assert_int_equal(r, STORE_NOT_FOUND);
        return;
    }
    assert_int_equal(r, STORE_OK);
    assert_int_equal(c->key.n, strlen(key));
    assert_memory_equal(c->key.p, key, c->key.n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#endif
