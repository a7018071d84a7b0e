/* The bounded msgpack reader. Every read compares with the end first; a length is compared with what is left before it is used, so
 * that no sum can overflow and nothing announced by a peer is believed. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/reader.h"

static inline size_t left(const struct slr *r)
{
    return (size_t)(r->end - r->p);
}

/* n big-endian bytes, 1, 2, 4 or 8; the caller saw that they are there. */
static inline uint64_t take_be(struct slr *r, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (uint8_t)r->p[i];
    r->p += n;
    return v;
}

static enum slr_why take_bytes(struct slr *r, struct slr_value *v, enum slr_type type, uint64_t n)
{
    if (n > left(r))
        return SLR_TRUNCATED;
    v->type = type;
    v->p = r->p;
    v->n = (uint32_t)n;
    r->p += n;
    return SLR_OK;
}

/* A length of `width` bytes, then (EXT) a type byte, then the bytes. */
static enum slr_why take_long_bytes(struct slr *r, struct slr_value *v, enum slr_type type, size_t width)
{
    if (left(r) < width)
        return SLR_TRUNCATED;
    uint64_t n = take_be(r, width);
    return take_bytes(r, v, type, type == SLR_EXT ? n + 1 : n);
}

static enum slr_why take_container(struct slr *r, struct slr_value *v, enum slr_type type, uint64_t n)
{
    /* Each element takes a byte at least: a giant header is a lie that is seen here, before anybody loops. */
    if (n > left(r) / (type == SLR_MAP ? 2 : 1))
        return SLR_TRUNCATED;
    v->type = type;
    v->p = r->p;
    v->n = (uint32_t)n;
    return SLR_OK;
}

static enum slr_why take_long_container(struct slr *r, struct slr_value *v, enum slr_type type, size_t width)
{
    if (left(r) < width)
        return SLR_TRUNCATED;
    return take_container(r, v, type, take_be(r, width));
}

static enum slr_why take_uint(struct slr *r, struct slr_value *v, size_t width)
{
    if (left(r) < width)
        return SLR_TRUNCATED;
    v->type = SLR_U64;
    v->u64 = take_be(r, width);
    return SLR_OK;
}

static enum slr_why take_int(struct slr *r, struct slr_value *v, size_t width)
{
    if (left(r) < width)
        return SLR_TRUNCATED;
    uint64_t raw = take_be(r, width);
    unsigned unused = (unsigned)(64 - 8 * width);
    v->i64 = (int64_t)(raw << unused) >> unused; /* extend the sign */
    v->type = v->i64 < 0 ? SLR_I64 : SLR_U64;
    return SLR_OK;
}

static enum slr_why take_float(struct slr *r, struct slr_value *v, size_t width)
{
    if (left(r) < width)
        return SLR_TRUNCATED;
    uint64_t raw = take_be(r, width);
    v->type = SLR_DOUBLE;
    if (width == 8) {
        memcpy(&v->d, &raw, 8);
    } else {
        uint32_t half = (uint32_t)raw;
        float f;
        memcpy(&f, &half, 4);
        v->d = (double)f;
    }
    return SLR_OK;
}

static inline enum slr_why next(struct slr *r, struct slr_value *v)
{
    if (r->p >= r->end)
        return SLR_TRUNCATED;
    uint8_t b = (uint8_t)*r->p++;
    v->p = r->p;
    v->n = 0;
    if (b < 0x80) {
        v->type = SLR_U64;
        v->u64 = b;
        return SLR_OK;
    }
    if (b >= 0xe0) {
        v->type = SLR_I64;
        v->i64 = (int8_t)b;
        return SLR_OK;
    }
    if (b >= 0xa0 && b < 0xc0)
        return take_bytes(r, v, SLR_STR, b & 0x1f);
    if (b < 0x90)
        return take_container(r, v, SLR_MAP, b & 0x0f);
    if (b < 0xa0)
        return take_container(r, v, SLR_ARRAY, b & 0x0f);
    switch (b) {
    case 0xc0: v->type = SLR_NIL; return SLR_OK;
    case 0xc2:
    case 0xc3:
        v->type = SLR_BOOL;
        v->b = b == 0xc3;
        return SLR_OK;
    case 0xc4: return take_long_bytes(r, v, SLR_BIN, 1);
    case 0xc5: return take_long_bytes(r, v, SLR_BIN, 2);
    case 0xc6: return take_long_bytes(r, v, SLR_BIN, 4);
    case 0xc7: return take_long_bytes(r, v, SLR_EXT, 1);
    case 0xc8: return take_long_bytes(r, v, SLR_EXT, 2);
    case 0xc9: return take_long_bytes(r, v, SLR_EXT, 4);
    case 0xca: return take_float(r, v, 4);
    case 0xcb: return take_float(r, v, 8);
    case 0xcc: return take_uint(r, v, 1);
    case 0xcd: return take_uint(r, v, 2);
    case 0xce: return take_uint(r, v, 4);
    case 0xcf: return take_uint(r, v, 8);
    case 0xd0: return take_int(r, v, 1);
    case 0xd1: return take_int(r, v, 2);
    case 0xd2: return take_int(r, v, 4);
    case 0xd3: return take_int(r, v, 8);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return take_bytes(r, v, SLR_EXT, 1 + (1ull << (b - 0xd4)));
    case 0xd9: return take_long_bytes(r, v, SLR_STR, 1);
    case 0xda: return take_long_bytes(r, v, SLR_STR, 2);
    case 0xdb: return take_long_bytes(r, v, SLR_STR, 4);
    case 0xdc: return take_long_container(r, v, SLR_ARRAY, 2);
    case 0xdd: return take_long_container(r, v, SLR_ARRAY, 4);
    case 0xde: return take_long_container(r, v, SLR_MAP, 2);
    case 0xdf: return take_long_container(r, v, SLR_MAP, 4);
    default: return SLR_MALFORMED; /* 0xc1, the one byte that msgpack never uses */
    }
}

int slr_next(struct slr *r, struct slr_value *v)
{
    return next(r, v) == SLR_OK ? 0 : -1;
}

/* Elements that follow a container's header; 0 for anything else. */
static inline uint64_t inside(const struct slr_value *v)
{
    return v->type == SLR_ARRAY ? v->n : v->type == SLR_MAP ? 2ull * v->n : 0;
}

int slr_skip(struct slr *r, int depth)
{
    struct slr_value v;
    if (next(r, &v) != SLR_OK)
        return -1;
    if (v.type != SLR_ARRAY && v.type != SLR_MAP)
        return 0;
    if (depth <= 0)
        return -1;
    for (uint64_t n = inside(&v); n > 0; n--)
        if (slr_skip(r, depth - 1))
            return -1;
    return 0;
}

/* ---- map keys: pairwise different, without a quadratic search and without an allocation ---- */


/* Keys are compared as (type, bytes); an integer's bytes are its value, however it was packed. */
struct seen {
    uint32_t hash;
    uint32_t n;
    const char *p;
    uint64_t u64;
};

static uint32_t hash_bytes(const char *p, uint32_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    return h;
}

static bool same_key(const struct seen *a, const struct seen *b)
{
    if (a->hash != b->hash || a->n != b->n || (a->p == NULL) != (b->p == NULL))
        return false;
    return a->p ? memcmp(a->p, b->p, a->n) == 0 : a->u64 == b->u64;
}

#define SLOTS (2 * SL_MAP_PAIRS_MAX)
_Static_assert((SLOTS & (SLOTS - 1)) == 0 && SLOTS <= 65536, "slots are masked, and 16 bits count the keys");

/* Look at the keys of a map of n pairs whose pairs begin at r, and only at them. Not inlined: its tables must not stay on the stack
 * while values are checked. */
__attribute__((noinline)) static enum slr_why check_keys(struct slr r, uint32_t n, int depth)
{
    struct seen keys[SL_MAP_PAIRS_MAX];
    uint16_t slots[SLOTS]; /* 1 + index into keys; 0: free */
    if (n > SL_MAP_PAIRS_MAX)
        return SLR_TOO_MANY;
    uint32_t mask = 15;
    while (mask + 1 < 2 * n)
        mask = mask * 2 + 1;
    memset(slots, 0, (mask + 1) * sizeof *slots);
    for (uint32_t i = 0; i < n; i++) {
        struct slr_value v;
        enum slr_why why = next(&r, &v);
        if (why != SLR_OK)
            return why;
        if (v.type == SLR_STR)
            keys[i] = (struct seen){ .hash = hash_bytes(v.p, v.n), .n = v.n, .p = v.p };
        else if (v.type == SLR_U64)
            keys[i] = (struct seen){ .hash = (uint32_t)(v.u64 ^ v.u64 >> 32) * 2654435769u, .u64 = v.u64 };
        else
            return SLR_BAD_KIND;
        uint32_t at = (keys[i].hash ^ keys[i].hash >> 16) & mask;
        for (; slots[at]; at = (at + 1) & mask)
            if (same_key(&keys[slots[at] - 1], &keys[i]))
                return SLR_KEY_TWICE;
        slots[at] = (uint16_t)(i + 1);
        if (slr_skip(&r, depth))
            return SLR_OK; /* the full check of the values comes next and says what is wrong */
    }
    return SLR_OK;
}

enum slr_why slr_check_why(struct slr *r, int depth)
{
    struct slr_value v;
    enum slr_why why = next(r, &v);
    if (why != SLR_OK)
        return why;
    switch (v.type) {
    case SLR_STR: return sl_utf8_ok(v.p, v.n) ? SLR_OK : SLR_NOT_UTF8;
    case SLR_EXT: return SLR_BAD_KIND;
    case SLR_DOUBLE: return isfinite(v.d) ? SLR_OK : SLR_BAD_KIND;
    case SLR_ARRAY:
    case SLR_MAP: break;
    default: return SLR_OK;
    }
    if (depth <= 0)
        return SLR_TOO_DEEP;
    if (v.type == SLR_MAP && (why = check_keys(*r, v.n, depth - 1)) != SLR_OK)
        return why;
    for (uint64_t n = inside(&v); n > 0; n--)
        if ((why = slr_check_why(r, depth - 1)) != SLR_OK)
            return why;
    return SLR_OK;
}

int slr_check(struct slr *r, int depth)
{
    return slr_check_why(r, depth) == SLR_OK ? 0 : -1;
}

const char *slr_why_text(enum slr_why why)
{
    switch (why) {
    case SLR_OK: return "well-formed";
    case SLR_TRUNCATED: return "truncated";
    case SLR_MALFORMED: return "not msgpack";
    case SLR_TOO_DEEP: return "nested too deep";
    case SLR_NOT_UTF8: return "a string is not UTF-8";
    case SLR_BAD_KIND:
        return "an extension type, a number that is not finite, or a key that is neither string nor unsigned integer";
    case SLR_KEY_TWICE: return "a key stands twice in one map";
    case SLR_TOO_MANY: return "a map has too many pairs";
    }
    assert(!"a reason without a text");
    return "";
}

bool slr_str_is(const struct slr_value *v, const char *s)
{
    return v->type == SLR_STR && strlen(s) == v->n && memcmp(v->p, s, v->n) == 0;
}

bool slr_find(struct slr r, uint32_t pairs, const char *key, struct slr *at)
{
    for (; pairs > 0; pairs--) {
        struct slr_value k;
        if (slr_next(&r, &k))
            return false;
        if (slr_str_is(&k, key)) {
            *at = r;
            return true;
        }
        if (slr_skip(&r, SL_DEPTH_MAX))
            return false;
    }
    return false;
}

/* How many bytes a UTF-8 sequence takes that begins at p; 0 if it is none (overlong, surrogate, above U+10FFFF, cut off). */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        if (p[0] == 0xe0)
            low = 0xa0;
        if (p[0] == 0xed)
            high = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        if (p[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (len > n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool sl_utf8_ok(const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + n;
    while (p < end) {
        uint64_t eight;
        if (end - p >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080ull) == 0)) { /* most text is ASCII */
            p += 8;
        } else if (*p < 0x80) {
            p++;
        } else {
            size_t len = utf8_sequence(p, (size_t)(end - p));
            if (len == 0)
                return false;
            p += len;
        }
    }
    return true;
}

bool sl_name_ok(const char *p, size_t n)
{
    if (n == 0 || n > SL_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return true;
}
