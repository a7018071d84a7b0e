/* The state hash: two independent 64-bit FNV-1a sums over every logical record, table by table in key order. */
#include "broker/engine/internal.h"

static void mix(uint64_t h[2], const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        h[0] = (h[0] ^ b[i]) * 0x100000001b3ull;
        h[1] = (h[1] ^ (uint8_t)(b[i] + 0x5b)) * 0x100000001b3ull;
    }
}

enum store_rc engine_state_hash(struct store *s, uint8_t hash[16])
{
    uint64_t h[2] = { 0xcbf29ce484222325ull, 0x9ae16a3b2f90404full };
    struct store_txn *t;
    enum store_rc rc = store_begin_read(s, &t);
    if (rc)
        return rc;
    for (enum store_table tb = 0; tb < STORE_TABLE_COUNT && rc == STORE_OK; tb++) {
        struct store_cursor c;
        rc = store_cursor_open(t, tb, &c);
        for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c)) {
            uint8_t head[9] = { (uint8_t)tb };
            if (tb == TABLE_META && !(c.key.n == 6 && !memcmp(c.key.p, "engine", 6)))
                continue; /* the store's own: its id is random */
            put_u32(head + 1, (uint32_t)c.key.n);
            put_u32(head + 5, (uint32_t)c.val.n);
            mix(h, head, sizeof head);
            mix(h, c.key.p, c.key.n);
            mix(h, c.val.p, c.val.n);
        }
        store_cursor_close(&c);
        if (rc == STORE_NOT_FOUND)
            rc = STORE_OK;
    }
    store_abort(&t);
    put_u64(hash, h[0]);
    put_u64(hash + 8, h[1]);
    return rc;
}
