/* Segments of values: see blob.h. */
#include "broker/engine/blob.h"

#include <assert.h>

#include "broker/engine/records.h"

#define PREFIX_MAX 8
#define BLOB_PARTS_MAX 2

static size_t blob_key(uint8_t *k, const uint8_t *prefix, size_t prefix_n, uint64_t number, uint16_t piece)
{
    assert(prefix_n <= PREFIX_MAX);
    if (prefix_n)
        memcpy(k, prefix, prefix_n);
    uint8_t *q = key_u64(k + prefix_n, number);
    q[0] = (uint8_t)(piece >> 8);
    q[1] = (uint8_t)piece;
    return prefix_n + 10;
}

/* The first piece holds the head, the ends of the values if there are several, and as much as fits; a single value may have more pieces. */
enum store_rc blob_put(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n, uint32_t run,
                       uint64_t first, uint32_t n, const struct store_val *part, uint32_t parts)
{
    uint8_t k[PREFIX_MAX + 10], head[BLOB_HEAD_BYTES + 2 * BLOB_VALUES_MAX];
    struct store_val piece[1 + BLOB_PARTS_MAX * BLOB_VALUES_MAX];
    struct rec r = { head, 0, sizeof head, 0 };
    size_t bytes = 0, room = SL_SEGMENT_BYTES_MAX + 256;
    assert(n && n <= BLOB_VALUES_MAX && parts && parts <= BLOB_PARTS_MAX);
    for (uint32_t i = 0; i < n * parts; i++)
        bytes += part[i].n;
    rec_u32(&r, run);
    rec_u16(&r, (uint16_t)n);
    rec_u32(&r, (uint32_t)bytes);
    for (size_t i = 0, end = 0; n > 1 && i < n; i++) {
        for (uint32_t j = 0; j < parts; j++)
            end += part[i * parts + j].n;
        rec_u16(&r, (uint16_t)end);
    }
    assert(!r.bad && (n == 1 || r.n + bytes <= room));
    enum store_rc rc = STORE_OK;
    size_t at = 0, skip = 0; /* so many parts are written, and so much of the next one */
    piece[0] = (struct store_val){ head, r.n };
    room -= r.n;
    for (uint16_t no = 0; rc == STORE_OK && (no == 0 || at < (size_t)n * parts); no++) {
        size_t pieces = no == 0;
        while (at < (size_t)n * parts && room > 0) {
            size_t left = part[at].n - skip, m = left < room ? left : room;
            piece[pieces++] = (struct store_val){ (const uint8_t *)part[at].p + skip, m };
            room -= m;
            skip = m < left ? skip + m : 0;
            at += m == left;
        }
        rc = store_append_parts(t, tb, k, blob_key(k, prefix, prefix_n, first, no), piece, pieces);
        room = SL_SEGMENT_BYTES_MAX;
    }
    return rc;
}

/* The cursor comes to stand on the first piece of the segment that holds `number`, and *out tells what is in it; `here`: bytes of it in this piece. */
static enum store_rc find(struct store_cursor *c, const uint8_t *prefix, size_t prefix_n, uint64_t number,
                          struct blob *out, size_t *here)
{
    uint8_t k[PREFIX_MAX + 10];
    size_t kn = blob_key(k, prefix, prefix_n, number, UINT16_MAX);
    enum store_rc rc = store_seek_le(c, k, kn);
    if (rc == STORE_OK && (c->key.n != kn || memcmp(c->key.p, k, prefix_n)))
        rc = STORE_NOT_FOUND;
    if (rc == STORE_OK) {
        const uint8_t *key = c->key.p;
        uint16_t piece = (uint16_t)(key[kn - 2] << 8 | key[kn - 1]);
        out->first = key_get_u64(key + prefix_n);
        if (piece) { /* the last piece of a cut value: go to its beginning */
            kn = blob_key(k, prefix, prefix_n, out->first, 0);
            rc = store_seek(c, k, kn);
            if (rc == STORE_OK && memcmp(c->key.p, k, kn))
                rc = STORE_CORRUPT;
        }
    }
    if (rc != STORE_OK)
        return rc;
    struct rdr r = rdr_on(c->val.p, c->val.n);
    out->run = rdr_u32(&r);
    out->n = rdr_u16(&r);
    out->bytes = rdr_u32(&r);
    out->ends = out->n > 1 ? rdr_bytes(&r, 2u * out->n) : NULL;
    out->body = r.p;
    *here = (size_t)(r.end - r.p);
    if (r.bad || !out->n || (out->n > 1 && *here != out->bytes) || *here > out->bytes)
        return STORE_CORRUPT;
    return number >= out->first + out->n ? STORE_NOT_FOUND : STORE_OK;
}

/* From the first piece, where the cursor stands, to the last: one behind the other, or one is not there. */
static enum store_rc each_piece(struct store_cursor *c, const struct blob *b, size_t here,
                                void (*piece)(void *, const void *, size_t), void *arg)
{
    enum store_rc rc = STORE_OK;
    size_t got = here, kn = c->key.n;
    uint8_t k[PREFIX_MAX + 10];
    memcpy(k, c->key.p, kn);
    piece(arg, b->body, here);
    for (uint16_t no = 1; rc == STORE_OK && got < b->bytes; no++) {
        k[kn - 2] = (uint8_t)(no >> 8);
        k[kn - 1] = (uint8_t)no;
        rc = store_next(c);
        if (rc == STORE_OK && (c->key.n != kn || memcmp(c->key.p, k, kn) != 0 || c->val.n > b->bytes - got))
            rc = STORE_CORRUPT;
        if (rc == STORE_OK) {
            piece(arg, c->val.p, c->val.n);
            got += c->val.n;
        }
    }
    return rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc;
}

static void put_together(void *scratch, const void *p, size_t n)
{
    slp_buf_add(scratch, p, n);
}

enum store_rc blob_find(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n,
                        uint64_t number, struct slp_buf *scratch, struct blob *out)
{
    struct store_cursor c;
    size_t here = 0;
    enum store_rc rc = store_cursor_open(t, tb, &c);
    if (rc)
        return rc;
    rc = find(&c, prefix, prefix_n, number, out, &here);
    if (rc == STORE_OK && here < out->bytes) {
        slp_buf_clear(scratch);
        rc = each_piece(&c, out, here, put_together, scratch);
        if (scratch->failed)
            rc = STORE_NO_MEMORY;
        out->body = (const uint8_t *)scratch->p;
    }
    store_cursor_close(&c);
    return rc;
}

enum store_rc blob_pieces(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n,
                          uint64_t number, struct blob *out, void (*piece)(void *, const void *, size_t), void *arg)
{
    struct store_cursor c;
    size_t here = 0;
    enum store_rc rc = store_cursor_open(t, tb, &c);
    if (rc)
        return rc;
    rc = find(&c, prefix, prefix_n, number, out, &here);
    if (rc == STORE_OK && out->n > 1) {
        struct slp_bytes v = blob_value(out, number);
        piece(arg, v.p, v.n);
    } else if (rc == STORE_OK) {
        rc = each_piece(&c, out, here, piece, arg);
    }
    store_cursor_close(&c);
    return rc;
}

struct slp_bytes blob_value(const struct blob *b, uint64_t number)
{
    uint32_t i = (uint32_t)(number - b->first);
    assert(number >= b->first && i < b->n);
    if (b->n == 1)
        return (struct slp_bytes){ (const char *)b->body, (uint32_t)b->bytes };
    uint32_t from = i ? get_u16(b->ends + 2 * (i - 1)) : 0, to = get_u16(b->ends + 2 * i);
    if (to < from || to > b->bytes)
        return (struct slp_bytes){ NULL, 0 };
    return (struct slp_bytes){ (const char *)b->body + from, to - from };
}
