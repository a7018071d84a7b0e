/* Interned names: NAME maps (kind, name) to a number. Numbers are never reused. */
#include "broker/engine/internal.h"

#define BYTES_MAX (4 + SL_SHIFT_NAME_BYTES_MAX) /* the longest: a shift's, with its hub's number before it */

static size_t name_key(uint8_t *k, enum name_kind kind, const void *p, size_t n)
{
    assert(n <= BYTES_MAX); /* the codec bounds them, and so does whoever reads a record */
    *k = (uint8_t)kind;
    memcpy(k + 1, p, n);
    return n + 1;
}

uint32_t name_find(struct engine *e, enum name_kind kind, const void *p, size_t n)
{
    uint8_t k[1 + BYTES_MAX];
    struct store_val v;
    if (!n || !e_get(e, TABLE_NAME, k, name_key(k, kind, p, n), &v))
        return 0;
    const uint32_t given[] = { [NAME_LINE] = e->meta.line,
                               [NAME_RUN] = e->meta.run,
                               [NAME_HUB] = e->meta.hub,
                               [NAME_WORKER] = e->meta.worker,
                               [NAME_SHIFT] = e->meta.shift };
    struct rdr r = rdr_on(v.p, v.n);
    uint32_t id = rdr_u32(&r);
    if (id - 1 < given[kind])
        return id;
    fail(e, STORE_CORRUPT); /* a number that was never given, or none */
    return 0;
}

void name_put(struct engine *e, enum name_kind kind, const void *p, size_t n, uint32_t id)
{
    uint8_t k[1 + BYTES_MAX], v[4];
    put_u32(v, id);
    e_put(e, TABLE_NAME, k, name_key(k, kind, p, n), v, sizeof v);
}

void name_drop(struct engine *e, enum name_kind kind, const void *p, size_t n)
{
    uint8_t k[1 + BYTES_MAX];
    e_del(e, TABLE_NAME, k, name_key(k, kind, p, n));
}
