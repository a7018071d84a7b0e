/* What the unit test and the fuzzer both do with a decoded message: step through every list in it, touch every byte that was handed
 * out (so that a sanitizer sees a borrowed pointer that leaves the frame), and write the message again. Made from messages.def. */
#ifndef SUNLINE_TESTS_CODEC_WALK_H
#define SUNLINE_TESTS_CODEC_WALK_H
#include <assert.h>
#include <stdlib.h>

#include "proto/codec.h"
#include "proto/reader.h"

static volatile unsigned char walk_sink;

static inline void walk_bytes(const char *p, size_t n)
{
    unsigned char sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (unsigned char)(sum + (unsigned char)p[i]);
    walk_sink = sum;
}

static inline void walk_U64(const uint64_t *v) { (void)v; }
static inline void walk_I64(const int64_t *v) { (void)v; }
static inline void walk_BOOL(const bool *v) { assert(*v == true || *v == false); }
static inline void walk_STR(const struct slp_bytes *v) { walk_bytes(v->p, v->n); }
static inline void walk_NAME(const struct slp_bytes *v) { assert(v->n == 0 || sl_name_ok(v->p, v->n)); }
static inline void walk_BIN(const struct slp_bytes *v) { walk_bytes(v->p, v->n); }

static inline void walk_RAW(const struct slp_bytes *v)
{
    struct slr r = slr_on(v->p, v->n);
    if (v->n > 0)
        assert(slr_check(&r, 16) == 0 && r.p == r.end);
}

static inline void walk_U64S(const struct slp_list *l)
{
    struct slp_cursor c = slp_each(*l);
    uint64_t v;
    uint32_t n = 0;
    while (slp_next_u64(&c, &v))
        n++;
    assert(n == l->count && c.bytes == 0);
}

static inline void walk_STRS(const struct slp_list *l)
{
    struct slp_cursor c = slp_each(*l);
    struct slp_bytes v;
    uint32_t n = 0;
    for (; slp_next_str(&c, &v); n++)
        assert(sl_utf8_ok(v.p, v.n));
    assert(n == l->count && c.bytes == 0);
}

static inline void walk_RAWS(const struct slp_list *l)
{
    struct slp_cursor c = slp_each(*l);
    struct slp_bytes v;
    uint32_t n = 0;
    for (; slp_next_raw(&c, &v); n++)
        walk_RAW(&v);
    assert(n == l->count && c.bytes == 0);
}

#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#define ITEM(name, what) static inline void walk_LIST_##name(const struct slp_list *l);
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#define ITEM(name, what)                                                 \
    static inline void walk_LIST_##name(const struct slp_list *l)        \
    {                                                                    \
        struct slp_cursor c = slp_each(*l);                              \
        struct slp_item_##name v;                                        \
        uint32_t n = 0;                                                  \
        for (; slp_next_##name(&c, &v); n++) {
#define I(item, type, field, req, max, what) walk_##type(&v.field);
#define ITEM_END(name)                                                   \
        }                                                                \
        assert(n == l->count && c.bytes == 0);                           \
    }
#include "proto/messages.def"
#undef MSG
#undef F
#undef MSG_END
#undef ITEM
#undef I
#undef ITEM_END

/* Walk it and append it to `again` as slp_encode writes it. */
static inline void walk_msg(const struct slp_msg *m, struct slp_buf *again)
{
    switch (m->type) {
#define ITEM(name, what)
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define MSG(UPPER, name, number, way, what) case SLP_##UPPER: {
#define F(msg, key, type, field, req, max, what) walk_##type(&m->u.msg.field);
#define MSG_END(name) assert(slp_encode(again, m->type, m->id, &m->u.name) == 0); break; }
#include "proto/messages.def"
#undef MSG
#undef F
#undef MSG_END
#undef ITEM
#undef I
#undef ITEM_END
    default:
        assert(!"a message that is not in the catalogue was decoded");
    }
}
#endif
