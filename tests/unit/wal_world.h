/* A store with a log of 64 KiB, and somebody on another thread who waits to read what is in it. */
#ifndef SUNLINE_TEST_WAL_WORLD_H
#define SUNLINE_TEST_WAL_WORLD_H
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "tests/unit/store_world.h"

static inline struct store_options with_log(const struct world *w)
{
    struct store_options o = options(w);
    o.wal_bytes = 64 << 10;
    return o;
}

static inline void open_logged(struct world *w)
{
    open_with(w, with_log(w));
}

static inline void open_again(struct world *w)
{
    store_close(&w->s);
    open_logged(w);
}

static inline uint64_t settles(const struct world *w)
{
    return store_counters(w->s)->settles;
}

static inline void put_in_a_batch(struct world *w, const char *key, const char *v)
{
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, key, v);
    commit(t);
}

static inline void expect_now(struct world *w, const char *key, const char *v)
{
    struct store_txn *t = begin_read(w);
    expect(t, TABLE_RUN, key, v);
    store_abort(&t);
}

static inline void put_bytes(struct world *w, uint32_t first, uint32_t n, size_t each)
{
    uint8_t key[4], v[1000] = { 0 };
    struct store_txn *t = begin(w);
    for (uint32_t i = first; i < first + n; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, each), STORE_OK);
    }
    commit(t);
}

static inline void settle_all(struct world *w)
{
    assert_int_equal(store_settle(w->s, SETTLE_ALL), STORE_OK);
}

/* ---- a reader on another thread ---- */

struct elsewhere {
    struct world *w;
    pthread_t thread;
    atomic_bool asked, seen;
};

static inline void is_asked(void *arg)
{
    struct elsewhere *e = arg;
    atomic_store(&e->asked, true);
}

static inline void *reads_elsewhere(void *arg)
{
    struct elsewhere *e = arg;
    struct store_txn *t;
    struct store_val v;
    if (store_begin_read(e->w->s, &t) == STORE_OK) {
        atomic_store(&e->seen, store_get(t, TABLE_RUN, "a", 1, &v) == STORE_OK && v.n == 1 && memcmp(v.p, "1", 1) == 0);
        store_abort(&t);
    }
    return NULL;
}

/* A store that holds "1" at "a", in its log alone. */
static inline void open_asked(struct elsewhere *e)
{
    struct store_options o = with_log(e->w);
    o.settle_wanted = is_asked;
    o.settle_arg = e;
    open_with(e->w, o);
    put_in_a_batch(e->w, "a", "1");
}

static inline void reader_waits(struct elsewhere *e)
{
    assert_int_equal(pthread_create(&e->thread, NULL, reads_elsewhere, e), 0);
    while (!atomic_load(&e->asked))
        sched_yield();
}

static inline bool reader_saw(struct elsewhere *e)
{
    assert_int_equal(pthread_join(e->thread, NULL), 0);
    return atomic_load(&e->seen);
}
#endif
