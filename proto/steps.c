/* Stepping through the lists of a decoded message: the engine's hot path, so that each item has code of its own, made from messages.def.
 * All of this was checked when it was decoded: what cannot be is a bug of ours, hence the asserts. */
#include <assert.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/reader.h"

enum { O = 0, R = 1 }; /* the catalogue's words for optional and required */

struct slp_cursor slp_each(struct slp_list l)
{
    return (struct slp_cursor){ l.p, l.bytes, l.count };
}

static inline void moved(struct slp_cursor *c, const struct slr *r)
{
    c->bytes = (uint32_t)(r->end - r->p);
    c->p = r->p;
    c->left--;
}

static inline struct slr_value take(struct slr *r)
{
    struct slr_value v;
    int rc = slr_next(r, &v);
    assert(rc == 0);
    (void)rc;
    return v;
}

static inline void skip(struct slr *r)
{
    int rc = slr_skip(r, SL_DEPTH_MAX);
    assert(rc == 0);
    (void)rc;
}

bool slp_next_u64(struct slp_cursor *c, uint64_t *v)
{
    if (c->left == 0)
        return false;
    struct slr r = slr_on(c->p, c->bytes);
    struct slr_value got = take(&r);
    assert(got.type == SLR_U64);
    *v = got.u64;
    moved(c, &r);
    return true;
}

bool slp_next_str(struct slp_cursor *c, struct slp_bytes *v)
{
    if (c->left == 0)
        return false;
    struct slr r = slr_on(c->p, c->bytes);
    struct slr_value got = take(&r);
    assert(got.type == SLR_STR);
    *v = (struct slp_bytes){ got.p, got.n };
    moved(c, &r);
    return true;
}

bool slp_next_raw(struct slp_cursor *c, struct slp_bytes *v)
{
    if (c->left == 0)
        return false;
    struct slr r = slr_on(c->p, c->bytes);
    skip(&r);
    *v = (struct slp_bytes){ c->p, (uint32_t)(r.p - c->p) };
    moved(c, &r);
    return true;
}

/* take_TYPE: one field of an item; false: nil. */
static inline bool is_nil(const struct slr *r)
{
    return r->p < r->end && (uint8_t)*r->p == 0xc0;
}

static inline bool take_U64(struct slr *r, bool required, uint64_t *out)
{
    (void)required;
    struct slr_value v = take(r);
    *out = v.type == SLR_U64 ? v.u64 : 0;
    return v.type != SLR_NIL;
}

static inline bool take_I64(struct slr *r, bool required, int64_t *out)
{
    (void)required;
    struct slr_value v = take(r);
    *out = v.type == SLR_NIL ? 0 : v.i64;
    return v.type != SLR_NIL;
}

static inline bool take_BOOL(struct slr *r, bool required, bool *out)
{
    (void)required;
    struct slr_value v = take(r);
    *out = v.type == SLR_BOOL && v.b;
    return v.type != SLR_NIL;
}

static inline bool take_STR(struct slr *r, bool required, struct slp_bytes *out)
{
    (void)required;
    struct slr_value v = take(r);
    if (v.type == SLR_NIL)
        return false;
    *out = (struct slp_bytes){ v.p, v.n };
    return true;
}
#define take_NAME take_STR
#define take_BIN take_STR

static inline bool take_RAW(struct slr *r, bool required, struct slp_bytes *out)
{
    bool there = required || !is_nil(r); /* nil is a value like any other where one is required */
    const char *start = r->p;
    skip(r);
    if (there)
        *out = (struct slp_bytes){ start, (uint32_t)(r->p - start) };
    return there;
}

static inline bool take_RAWS(struct slr *r, bool required, struct slp_list *out)
{
    (void)required;
    struct slr_value v = take(r);
    if (v.type == SLR_NIL)
        return false;
    const char *start = r->p;
    for (uint32_t i = 0; i < v.n; i++)
        skip(r);
    *out = (struct slp_list){ start, (uint32_t)(r->p - start), v.n };
    return true;
}
// clang-format off
#define take_U64S take_RAWS
#define take_STRS take_RAWS
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#define ITEM(name, what) \
    static inline bool take_LIST_##name(struct slr *r, bool required, struct slp_list *out) { return take_RAWS(r, required, out); }
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

#define ITEM(name, what)                                              \
    bool slp_next_##name(struct slp_cursor *c, struct slp_item_##name *v) \
    {                                                                 \
        if (c->left == 0)                                             \
            return false;                                             \
        struct slr r = slr_on(c->p, c->bytes);                        \
        struct slr_value head = take(&r);                             \
        uint32_t n = head.n, i = 0;                                   \
        assert(head.type == SLR_ARRAY);                               \
        memset(v, 0, sizeof *v);
#define I(item, type, field, req, max, what)                          \
        bool there_##field = i < n && take_##type(&r, req, &v->field);  \
        assert(there_##field || !req); /* it was decoded */             \
        v->has |= (uint32_t)there_##field << SLP_BIT_item_##item##_##field; \
        i++;
#define ITEM_END(name)                                                \
        for (; i < n; i++)                                            \
            skip(&r);                                                 \
        moved(c, &r);                                                 \
        return true;                                                  \
    }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END
// clang-format on
