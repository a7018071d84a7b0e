/* Encoding: structs to bytes along the tables of the catalogue, through msgpack-c's packer with a write function of our own. */
#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec_tables.h"

void slp_buf_clear(struct slp_buf *b)
{
    b->n = 0;
    b->failed = false;
}

void slp_buf_free(struct slp_buf *b)
{
    free(b->p);
    *b = (struct slp_buf){ 0 };
}

static bool grow(struct slp_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->n < n) {
        assert(cap <= SIZE_MAX / 2);
        cap *= 2;
    }
    char *p = realloc(b->p, cap);
    if (!p)
        return false;
    b->p = p;
    b->cap = cap;
    return true;
}

void slp_buf_add(struct slp_buf *b, const void *p, size_t n)
{
    if (b->failed || n == 0)
        return;
    if (b->cap - b->n < n && !grow(b, n)) {
        b->failed = true;
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static int write_to_buf(void *buf, const char *p, size_t n)
{
    slp_buf_add(buf, p, n);
    return 0; /* a failure stays in the buffer */
}

static inline msgpack_packer packer(struct slp_buf *b)
{
    msgpack_packer k;
    msgpack_packer_init(&k, b, write_to_buf);
    return k;
}

void slp_pack_nil(struct slp_buf *b)
{
    msgpack_packer k = packer(b);
    msgpack_pack_nil(&k);
}
void slp_pack_u64(struct slp_buf *b, uint64_t v)
{
    msgpack_packer k = packer(b);
    msgpack_pack_uint64(&k, v);
}
void slp_pack_i64(struct slp_buf *b, int64_t v)
{
    msgpack_packer k = packer(b);
    msgpack_pack_int64(&k, v);
}
void slp_pack_double(struct slp_buf *b, double v)
{
    msgpack_packer k = packer(b);
    msgpack_pack_double(&k, v);
}
void slp_pack_array(struct slp_buf *b, uint32_t n)
{
    msgpack_packer k = packer(b);
    msgpack_pack_array(&k, n);
}
void slp_pack_map(struct slp_buf *b, uint32_t n)
{
    msgpack_packer k = packer(b);
    msgpack_pack_map(&k, n);
}
void slp_pack_cstr(struct slp_buf *b, const char *s)
{
    slp_pack_str(b, s, strlen(s));
}

void slp_pack_bool(struct slp_buf *b, bool v)
{
    msgpack_packer k = packer(b);
    if (v)
        msgpack_pack_true(&k);
    else
        msgpack_pack_false(&k);
}

void slp_pack_str(struct slp_buf *b, const char *p, size_t n)
{
    msgpack_packer k = packer(b);
    msgpack_pack_str(&k, n);
    msgpack_pack_str_body(&k, p, n);
}

void slp_pack_bin(struct slp_buf *b, const void *p, size_t n)
{
    msgpack_packer k = packer(b);
    msgpack_pack_bin(&k, n);
    msgpack_pack_bin_body(&k, p, n);
}

static void pack_value(struct slp_buf *b, const struct field *f, const void *at)
{
    const struct slp_bytes *s = at;
    const struct slp_list *l = at;
    switch (f->kind) {
    case KIND_U64:
        assert(f->max == 0 || *(const uint64_t *)at <= f->max);
        slp_pack_u64(b, *(const uint64_t *)at);
        break;
    case KIND_I64: slp_pack_i64(b, *(const int64_t *)at); break;
    case KIND_BOOL: slp_pack_bool(b, *(const bool *)at); break;
    case KIND_STR:
    case KIND_NAME:
        assert(f->max == 0 || s->n <= f->max);
        slp_pack_str(b, s->p, s->n);
        break;
    case KIND_BIN:
        assert(f->max == 0 || s->n <= f->max);
        slp_pack_bin(b, s->p, s->n);
        break;
    case KIND_RAW:
        assert(s->n > 0 && (f->max == 0 || s->n <= f->max));
        slp_buf_add(b, s->p, s->n);
        break;
    default:
        assert(f->max == 0 || l->count <= f->max);
        assert(l->bytes >= l->count);
        slp_pack_array(b, l->count);
        slp_buf_add(b, l->p, l->bytes);
    }
}

static inline bool written(const struct shape *s, uint32_t has, uint32_t i)
{
    return s->fields[i].required || (has >> i & 1);
}

/* The fields from the first to the n-th, of a body of the message. */
static void encode(struct slp_buf *b, const struct shape *s, uint64_t type, uint64_t id, const void *any, uint32_t n)
{
    uint32_t has = *(const uint32_t *)any, pairs = id ? 3 : 2;
    for (uint32_t i = 0; i < s->count; i++)
        pairs += written(s, has, i);
    slp_pack_map(b, pairs);
    slp_pack_u64(b, KEY_VERSION);
    slp_pack_u64(b, SL_PROTOCOL_VERSION);
    slp_pack_u64(b, KEY_TYPE);
    slp_pack_u64(b, type);
    if (id) {
        slp_pack_u64(b, KEY_ID);
        slp_pack_u64(b, id);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!written(s, has, i))
            continue;
        slp_pack_u64(b, s->fields[i].key);
        pack_value(b, &s->fields[i], (const char *)any + s->fields[i].offset);
    }
}

int slp_encode(struct slp_buf *b, uint64_t type, uint64_t id, const void *any)
{
    const struct shape *s = codec_shape(type);
    assert(s);
    encode(b, s, type, id, any, s->count);
    return b->failed ? -1 : 0;
}

int slp_encode_open(struct slp_buf *b, uint64_t type, uint64_t id, const void *any)
{
    const struct shape *s = codec_shape(type);
    assert(s && s->count > 0);
    const struct field *last = &s->fields[s->count - 1];
    const struct slp_list *l = (const void *)((const char *)any + last->offset);
    assert(last->kind >= KIND_U64S && last->required && (last->max == 0 || l->count <= last->max));
    encode(b, s, type, id, any, s->count - 1);
    slp_pack_u64(b, last->key);
    slp_pack_array(b, l->count);
    return b->failed ? -1 : 0;
}

void slp_pack_item(struct slp_buf *b, int item, const void *any)
{
    assert(item >= 0 && item < SLP_ITEM_COUNT);
    const struct shape *s = &codec_items[item];
    uint32_t has = *(const uint32_t *)any, n = s->count;
    while (n > 0 && !written(s, has, n - 1)) /* trailing absent ones are left out */
        n--;
    slp_pack_array(b, n);
    for (uint32_t i = 0; i < n; i++) {
        if (written(s, has, i))
            pack_value(b, &s->fields[i], (const char *)any + s->fields[i].offset);
        else
            slp_pack_nil(b);
    }
}
