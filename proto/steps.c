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

/* An item that is being taken apart: its elements that are left. */
struct taking {
    struct slr r;
    uint32_t left;
};

/* Another element; false: the item ends before it. */
static inline bool element(struct taking *t)
{
    if (t->left == 0)
        return false;
    t->left--;
    return true;
}

/* take_TYPE: one field of an item; false: nil, or the item ends before it. */
static inline bool is_nil(const struct slr *r)
{
    return (uint8_t)*r->p == 0xc0;
}

static inline bool take_U64(struct taking *t, bool required, uint64_t *out)
{
    (void)required;
    if (!element(t))
        return false;
    struct slr_value v = take(&t->r);
    *out = v.type == SLR_U64 ? v.u64 : 0;
    return v.type != SLR_NIL;
}

static inline bool take_I64(struct taking *t, bool required, int64_t *out)
{
    (void)required;
    if (!element(t))
        return false;
    struct slr_value v = take(&t->r);
    *out = v.type == SLR_NIL ? 0 : v.i64;
    return v.type != SLR_NIL;
}

static inline bool take_BOOL(struct taking *t, bool required, bool *out)
{
    (void)required;
    if (!element(t))
        return false;
    struct slr_value v = take(&t->r);
    *out = v.type == SLR_BOOL && v.b;
    return v.type != SLR_NIL;
}

static inline bool take_STR(struct taking *t, bool required, struct slp_bytes *out)
{
    (void)required;
    if (!element(t))
        return false;
    struct slr_value v = take(&t->r);
    if (v.type == SLR_NIL)
        return false;
    *out = (struct slp_bytes){ v.p, v.n };
    return true;
}
#define take_NAME take_STR
#define take_BIN take_STR

static inline bool take_RAW(struct taking *t, bool required, struct slp_bytes *out)
{
    if (!element(t))
        return false;
    bool there = required || !is_nil(&t->r); /* nil is a value like any other where one is required */
    const char *start = t->r.p;
    skip(&t->r);
    if (there)
        *out = (struct slp_bytes){ start, (uint32_t)(t->r.p - start) };
    return there;
}

static inline bool take_RAWS(struct taking *t, bool required, struct slp_list *out)
{
    (void)required;
    if (!element(t))
        return false;
    struct slr_value v = take(&t->r);
    if (v.type == SLR_NIL)
        return false;
    const char *start = t->r.p;
    for (uint32_t i = 0; i < v.n; i++)
        skip(&t->r);
    *out = (struct slp_list){ start, (uint32_t)(t->r.p - start), v.n };
    return true;
}

/* The next item of a list; false: there is none. */
static inline bool item_begin(const struct slp_cursor *c, struct taking *t)
{
    if (c->left == 0)
        return false;
    t->r = slr_on(c->p, c->bytes);
    struct slr_value head = take(&t->r);
    assert(head.type == SLR_ARRAY);
    t->left = head.n;
    return true;
}

static inline void item_end(struct slp_cursor *c, struct taking *t)
{
    while (element(t)) /* from a newer peer */
        skip(&t->r);
    moved(c, &t->r);
}

/* The field's bit in `has`. */
static inline uint32_t bit(bool there, bool required, unsigned place)
{
    assert(there || !required); /* it was decoded */
    return (uint32_t)there << place;
}
// clang-format off
#define take_U64S take_RAWS
#define take_STRS take_RAWS
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#define ITEM(name, what) \
    static inline bool take_LIST_##name(struct taking *t, bool required, struct slp_list *out) { return take_RAWS(t, required, out); }
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

#define ITEM(name, what)                                              \
    bool slp_next_##name(struct slp_cursor *c, struct slp_item_##name *v) \
    {                                                                 \
        struct taking t;                                              \
        if (!item_begin(c, &t))                                       \
            return false;                                             \
        memset(v, 0, sizeof *v);
#define I(item, type, field, req, max, what)                          \
        v->has |= bit(take_##type(&t, req, &v->field), req, SLP_BIT_item_##item##_##field);
#define ITEM_END(name)                                                \
        item_end(c, &t);                                              \
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
