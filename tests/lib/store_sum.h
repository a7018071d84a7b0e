/* A sum over every record of a store, table by table in key order, as engine_state_hash() is one; eight bytes at a time, for it is taken with each
 * failure that a test plants. */
#ifndef TESTS_LIB_STORE_SUM_H
#define TESTS_LIB_STORE_SUM_H
#include <string.h>

#include "broker/store/store.h"
#include "tests/lib/check.h"

static inline void store_sum_mix(uint64_t h[2], const char *p, size_t n)
{
    while (n) {
        uint64_t word = 0;
        size_t k = n < sizeof word ? n : sizeof word;
        memcpy(&word, p, k);
        p += k;
        n -= k;
        h[0] = (h[0] ^ word) * 0x9e3779b97f4a7c15ull;
        h[0] ^= h[0] >> 32;
        h[1] = (h[1] ^ word) * 0xc2b2ae3d27d4eb4full + 1;
        h[1] ^= h[1] >> 29;
    }
}

static inline void store_sum(struct store *s, uint64_t h[2])
{
    struct store_txn *t;
    h[0] = h[1] = 1;
    CHECK(store_begin_read(s, &t) == STORE_OK);
    for (enum store_table tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        struct store_cursor c;
        enum store_rc rc;
        CHECK(store_cursor_open(t, tb, &c) == STORE_OK);
        for (rc = store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c)) {
            uint64_t head[] = { tb, c.key.n, c.val.n };
            if (tb == TABLE_META && !(c.key.n == 6 && !memcmp(c.key.p, "engine", 6)))
                continue; /* the store's own, as in engine_state_hash() */
            store_sum_mix(h, (const char *)head, sizeof head);
            store_sum_mix(h, (const char *)c.key.p, c.key.n);
            store_sum_mix(h, (const char *)c.val.p, c.val.n);
        }
        CHECK(rc == STORE_NOT_FOUND);
        store_cursor_close(&c);
    }
    store_abort(&t);
}

#endif
