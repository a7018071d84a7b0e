/* The codec. messages.def becomes tables of fields (here) and structs (codec_gen.h); decoding and encoding walk the tables, so no
 * message has code of its own. Only stepping through lists of items, the hot path of the engine, is unrolled for each item.
 *
 * Depth: the body's map is 1, a list in it 2, an item 3; what may still be nested is counted down from SL_DEPTH_MAX. */
#include <assert.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/reader.h"

/* ---------------------------------------------------------------- the catalogue as tables */

/* A LIST of item x has kind LIST + SLP_ITEM_x. */
enum kind { U64, I64, BOOL, STR, NAME, BIN, RAW, U64S, STRS, RAWS, LIST };
enum {
#define ITEM(name, what) LIST_##name = LIST + SLP_ITEM_##name,
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END
    LIST_LAST
};
enum { R = 1, O = 0 };

struct field {
    const char *name;
    uint16_t offset;
    uint8_t key, kind, required;
    uint64_t max; /* 0: any */
};

struct shape { /* a message or an item */
    const char *name;
    const struct field *fields;
    uint32_t count, size;
};

#define ITEM(name, what) static const struct field fields_item_##name[] = {
#define I(item, type, field, req, max, what) {#field, offsetof(struct slp_item_##item, field), 0, type, req, max},
#define ITEM_END(name) {0}};
#define MSG(UPPER, name, number, way, what) static const struct field fields_##name[] = {
#define F(msg, key, type, field, req, max, what) {#field, offsetof(struct slp_##msg, field), key, type, req, max},
#define MSG_END(name) {0}};
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

#define COUNT(fields) (sizeof(fields) / sizeof *(fields) - 1) /* without the end mark */

#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)

#define ITEM(name, what) {#name, fields_item_##name, COUNT(fields_item_##name), sizeof(struct slp_item_##name)},
#define MSG(UPPER, name, number, way, what)
static const struct shape items[] = {
#include "proto/messages.def"
};
#undef ITEM
#undef MSG

#define ITEM(name, what)
#define MSG(UPPER, name, number, way, what) {#name, fields_##name, COUNT(fields_##name), sizeof(struct slp_##name)},
static const struct shape shapes[] = {
#include "proto/messages.def"
};
#undef MSG

#define MSG(UPPER, name, number, way, what) {#name, number, SLP_##way, what},
static const struct slp_msg_info infos[] = { /* in step with shapes */
#include "proto/messages.def"
};
#undef MSG

#define NUMBER_MAX 255
enum {
#define MSG(UPPER, name, number, way, what) PLACE_##name,
#include "proto/messages.def"
#undef MSG
    PLACES
};
#define MSG(UPPER, name, number, way, what) [number] = 1 + PLACE_##name,
static const uint8_t places[NUMBER_MAX + 1] = { /* message number -> 1 + place in shapes; 0: none */
#include "proto/messages.def"
};
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

#define KEY_VERSION 0
#define KEY_TYPE 1
#define KEY_ID 2
#define KEY_FIRST 4
#define KEYS_MAX 64 /* keys are 0..63: a set of them fits a word */

#define MSG(UPPER, name, number, way, what) _Static_assert(number <= NUMBER_MAX, "the number of " #name " fits the table of places");
#define F(msg, key, type, field, req, max, what) \
    _Static_assert(key >= KEY_FIRST && key < KEYS_MAX && SLP_BIT_##msg##_##field < 32, "key and bit of " #msg "." #field);
#define MSG_END(name)
#define ITEM(name, what)
#define I(item, type, field, req, max, what) _Static_assert(SLP_BIT_item_##item##_##field < 15, "an item is a fixarray");
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#undef MSG
#undef F
#undef MSG_END

static int place_of(uint64_t type) { return type <= NUMBER_MAX ? places[type] - 1 : -1; }

const struct slp_msg_info *slp_info(uint64_t type)
{
    int at = place_of(type);
    return at < 0 ? NULL : &infos[at];
}

const struct slp_msg_info *slp_info_all(size_t *count)
{
    *count = sizeof infos / sizeof *infos;
    return infos;
}

/* ---------------------------------------------------------------- decoding */

/* Where we are: a chain on the stack, read only when something is wrong. */
struct where {
    const struct where *up;
    const char *name; /* a message or field; NULL: an element */
    uint64_t index;
};

static size_t write_place(const struct where *w, char *text, size_t size)
{
    if (!w)
        return 0;
    size_t n = write_place(w->up, text, size);
    if (n >= size)
        return n;
    int more = w->name ? snprintf(text + n, size - n, "%s%s", n ? "." : "", w->name)
                       : snprintf(text + n, size - n, "[%llu]", (unsigned long long)w->index);
    return n + (size_t)(more > 0 ? more : 0);
}

static int refuse(struct slp_fault *fault, enum slp_code code, const struct where *w)
{
    fault->code = code;
    fault->place[0] = 0;
    write_place(w, fault->place, sizeof fault->place);
    return -1;
}

static enum slp_code code_of(enum slr_why why)
{
    return why == SLR_KEY_TWICE ? SLP_E_DUPLICATE_KEY : why == SLR_TOO_MANY ? SLP_E_TOO_MANY : SLP_E_MALFORMED;
}

/* A RAW value: all of it is checked here. */
static int check_raw(struct slr *r, int depth, const struct where *w, struct slp_fault *fault)
{
    enum slr_why why = slr_check_why(r, depth);
    return why == SLR_OK ? 0 : refuse(fault, code_of(why), w);
}

static int decode_shape(const struct shape *s, struct slr *r, uint32_t n, int depth, void *out, const struct where *w,
                        struct slp_fault *fault);

/* One element of a list, checked, not kept: who wants it steps through the list later. */
static int check_element(const struct field *f, struct slr *r, int depth, const struct where *w, struct slp_fault *fault)
{
    if (f->kind == RAWS)
        return check_raw(r, depth, w, fault);
    struct slr_value v;
    if (slr_next(r, &v))
        return refuse(fault, SLP_E_MALFORMED, w);
    if (f->kind == U64S)
        return v.type == SLR_U64 ? 0 : refuse(fault, SLP_E_BAD_TYPE, w);
    if (f->kind == STRS) {
        if (v.type != SLR_STR)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (v.n > SL_TEXT_BYTES_MAX)
            return refuse(fault, SLP_E_TOO_BIG, w);
        return sl_utf8_ok(v.p, v.n) ? 0 : refuse(fault, SLP_E_MALFORMED, w);
    }
    if (v.type != SLR_ARRAY)
        return refuse(fault, SLP_E_BAD_TYPE, w);
    if (depth <= 0)
        return refuse(fault, SLP_E_MALFORMED, w);
    return decode_shape(&items[f->kind - LIST], r, v.n, depth - 1, NULL, w, fault);
}

static int decode_list(const struct field *f, struct slr *r, uint32_t n, int depth, struct slp_list *out, const struct where *w,
                       struct slp_fault *fault)
{
    if (f->max && n > f->max)
        return refuse(fault, SLP_E_TOO_MANY, w);
    const char *start = r->p;
    struct where here = {.up = w};
    for (uint32_t i = 0; i < n; i++) {
        here.index = i;
        if (check_element(f, r, depth, &here, fault))
            return -1;
    }
    *out = (struct slp_list){start, (uint32_t)(r->p - start), n};
    return 0;
}

/* One field's value into *out, which is zeroed and of the type of the field's kind. *there: false when an optional value is nil. */
static int decode_value(const struct field *f, struct slr *r, int depth, void *out, bool *there, const struct where *w,
                        struct slp_fault *fault)
{
    *there = true;
    struct slr_value v;
    const char *start = r->p;
    struct slr ahead = *r;
    if (slr_next(&ahead, &v))
        return refuse(fault, SLP_E_MALFORMED, w);
    if (v.type == SLR_NIL && !f->required) {
        *r = ahead;
        *there = false;
        return 0;
    }
    if (f->kind == RAW) {
        if (check_raw(r, depth, w, fault))
            return -1;
        if (f->max && (uint64_t)(r->p - start) > f->max)
            return refuse(fault, SLP_E_TOO_BIG, w);
        *(struct slp_bytes *)out = (struct slp_bytes){start, (uint32_t)(r->p - start)};
        return 0;
    }
    *r = ahead;
    switch (f->kind) {
    case U64:
        if (v.type != SLR_U64)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (f->max && v.u64 > f->max)
            return refuse(fault, SLP_E_BAD_VALUE, w);
        *(uint64_t *)out = v.u64;
        return 0;
    case I64:
        if (v.type != SLR_I64 && v.type != SLR_U64)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (v.type == SLR_U64 && v.u64 > INT64_MAX)
            return refuse(fault, SLP_E_BAD_VALUE, w);
        *(int64_t *)out = v.i64;
        return 0;
    case BOOL:
        if (v.type != SLR_BOOL)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        *(bool *)out = v.b;
        return 0;
    case STR:
    case NAME:
    case BIN:
        if (v.type != (f->kind == BIN ? SLR_BIN : SLR_STR))
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (f->kind == NAME && !sl_name_ok(v.p, v.n))
            return refuse(fault, SLP_E_BAD_NAME, w);
        if (f->max && v.n > f->max)
            return refuse(fault, SLP_E_TOO_BIG, w);
        if (f->kind == STR && !sl_utf8_ok(v.p, v.n))
            return refuse(fault, SLP_E_MALFORMED, w);
        *(struct slp_bytes *)out = (struct slp_bytes){v.p, v.n};
        return 0;
    default:
        if (v.type != SLR_ARRAY)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (depth <= 0)
            return refuse(fault, SLP_E_MALFORMED, w);
        return decode_list(f, r, v.n, depth - 1, out, w, fault);
    }
}

union any_value { uint64_t u64; int64_t i64; bool b; struct slp_bytes bytes; struct slp_list list; };

/* An item: n elements behind r, fields by position. out NULL: only check. */
static int decode_shape(const struct shape *s, struct slr *r, uint32_t n, int depth, void *out, const struct where *w,
                        struct slp_fault *fault)
{
    struct where here = {.up = w};
    for (uint32_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        here.name = f->name;
        if (i >= n) {
            if (f->required)
                return refuse(fault, SLP_E_MISSING_FIELD, &here);
            continue;
        }
        union any_value scratch;
        bool there;
        if (decode_value(f, r, depth, out ? (char *)out + f->offset : (void *)&scratch, &there, &here, fault))
            return -1;
    }
    for (uint32_t i = s->count; i < n; i++) {
        here = (struct where){.up = w, .index = i};
        if (slr_skip(r, depth)) /* from a newer peer */
            return refuse(fault, SLP_E_MALFORMED, &here);
    }
    return 0;
}

/* The request id of a body that was refused, as far as it can be read. */
static uint64_t find_id(const char *p, size_t n)
{
    struct slr r = slr_on(p, n);
    struct slr_value map, key, v;
    if (slr_next(&r, &map) || map.type != SLR_MAP)
        return 0;
    for (uint32_t i = 0; i < map.n && i < KEYS_MAX; i++) {
        if (slr_next(&r, &key) || key.type != SLR_U64)
            return 0;
        if (key.u64 == KEY_ID)
            return slr_next(&r, &v) == 0 && v.type == SLR_U64 ? v.u64 : 0;
        if (slr_skip(&r, SL_DEPTH_MAX))
            return 0;
    }
    return 0;
}

/* State of one slp_decode. */
struct decoding {
    struct slr r;
    unsigned ways;
    struct slp_msg *m;
    struct slp_fault *fault;
    uint64_t seen;               /* keys */
    const struct shape *shape;   /* NULL until version and type are known and good */
    const char *late[KEYS_MAX];  /* values that came before the type: where they begin */
};

static const struct field *find_field(const struct shape *s, uint64_t key)
{
    uint64_t guess = key - KEY_FIRST; /* keys mostly have no holes */
    if (guess < s->count && s->fields[guess].key == key)
        return &s->fields[guess];
    for (uint32_t i = 0; i < s->count; i++)
        if (s->fields[i].key == key)
            return &s->fields[i];
    return NULL;
}

static int decode_field(struct decoding *d, struct slr *r, uint64_t key)
{
    const struct field *f = find_field(d->shape, key);
    struct where msg = {.name = d->shape->name}, here = {.up = &msg, .index = key};
    if (!f) /* from a newer peer */
        return slr_skip(r, SL_DEPTH_MAX - 1) ? refuse(d->fault, SLP_E_MALFORMED, &here) : 0;
    here.name = f->name;
    bool there;
    if (decode_value(f, r, SL_DEPTH_MAX - 1, (char *)&d->m->u + f->offset, &there, &here, d->fault))
        return -1;
    if (there)
        *(uint32_t *)&d->m->u |= 1u << (f - d->shape->fields); /* every struct begins with its `has` */
    return 0;
}

/* Version, type and id. */
static int decode_head(struct decoding *d, uint64_t key)
{
    static const char *const names[] = {"version", "type", "id"};
    struct where here = {.name = names[key]};
    struct slr_value v;
    if (slr_next(&d->r, &v))
        return refuse(d->fault, SLP_E_MALFORMED, &here);
    if (v.type != SLR_U64)
        return refuse(d->fault, SLP_E_BAD_TYPE, &here);
    if (key == KEY_ID) {
        d->m->id = v.u64;
        return 0;
    }
    if (key == KEY_VERSION) {
        d->m->version = v.u64;
        if (v.u64 != SL_PROTOCOL_VERSION)
            return refuse(d->fault, SLP_E_BAD_VERSION, &here);
    } else {
        d->m->type = v.u64;
    }
    uint64_t both = 1u << KEY_VERSION | 1u << KEY_TYPE;
    if ((d->seen & both) == both) {
        int at = place_of(d->m->type);
        here.name = names[KEY_TYPE];
        if (at < 0 || !(infos[at].way & d->ways))
            return refuse(d->fault, SLP_E_UNKNOWN_MESSAGE, &here);
        d->shape = &shapes[at];
        memset(&d->m->u, 0, d->shape->size);
    }
    return 0;
}

static int decode_pair(struct decoding *d, uint64_t index)
{
    struct where here = {.index = index};
    struct slr_value k;
    if (slr_next(&d->r, &k))
        return refuse(d->fault, SLP_E_MALFORMED, &here);
    if (k.type != SLR_U64)
        return refuse(d->fault, SLP_E_BAD_TYPE, &here);
    here.index = k.u64;
    if (k.u64 >= KEYS_MAX)
        return refuse(d->fault, SLP_E_BAD_VALUE, &here);
    if (d->seen >> k.u64 & 1)
        return refuse(d->fault, SLP_E_DUPLICATE_KEY, &here);
    d->seen |= 1ull << k.u64;
    if (k.u64 <= KEY_ID)
        return decode_head(d, k.u64);
    if (d->shape)
        return decode_field(d, &d->r, k.u64);
    d->late[k.u64] = d->r.p;
    return slr_skip(&d->r, SL_DEPTH_MAX - 1) ? refuse(d->fault, SLP_E_MALFORMED, &here) : 0;
}

/* What can be said only when all pairs were seen. */
static int decode_rest(struct decoding *d, uint64_t early)
{
    static const struct where version = {.name = "version"}, type = {.name = "type"};
    if (!(d->seen >> KEY_VERSION & 1))
        return refuse(d->fault, SLP_E_MISSING_FIELD, &version);
    if (!d->shape)
        return refuse(d->fault, SLP_E_MISSING_FIELD, &type);
    for (unsigned key = KEY_ID + 1; key < KEYS_MAX && early; key++) {
        if (!(early >> key & 1))
            continue;
        struct slr r = {d->late[key], d->r.end};
        if (decode_field(d, &r, key))
            return -1;
    }
    struct where msg = {.name = d->shape->name};
    for (uint32_t i = 0; i < d->shape->count; i++) {
        const struct field *f = &d->shape->fields[i];
        struct where here = {.up = &msg, .name = f->name};
        if (f->required && !(d->seen >> f->key & 1))
            return refuse(d->fault, SLP_E_MISSING_FIELD, &here);
    }
    return 0;
}

static int decode_body(struct decoding *d)
{
    static const struct where body = {.name = "body"};
    struct slr_value map;
    if (slr_next(&d->r, &map) || map.type != SLR_MAP)
        return refuse(d->fault, SLP_E_MALFORMED, &body);
    if (map.n > KEYS_MAX)
        return refuse(d->fault, SLP_E_TOO_MANY, &body);
    uint64_t early = 0; /* keys whose values wait in `late` */
    for (uint32_t i = 0; i < map.n; i++) {
        bool known = d->shape != NULL;
        uint64_t before = d->seen;
        if (decode_pair(d, i))
            return -1;
        if (!known)
            early |= (d->seen & ~before) >> (KEY_ID + 1) << (KEY_ID + 1);
    }
    if (d->r.p != d->r.end)
        return refuse(d->fault, SLP_E_MALFORMED, &body);
    return decode_rest(d, early);
}

int slp_decode(const char *p, size_t n, unsigned ways, struct slp_msg *m, struct slp_fault *fault)
{
    static const struct where body = {.name = "body"};
    m->version = m->type = m->id = 0;
    if (n > SL_FRAME_BYTES_MAX)
        return refuse(fault, SLP_E_TOO_BIG, &body);
    struct decoding d = {.r = slr_on(p, n), .ways = ways, .m = m, .fault = fault};
    if (decode_body(&d) == 0)
        return 0;
    m->id = find_id(p, n);
    return -1;
}

/* ---------------------------------------------------------------- stepping through lists */

/* These read what was checked already: what cannot be is a bug of ours, hence the asserts. */

struct slp_cursor slp_each(struct slp_list l) { return (struct slp_cursor){l.p, l.bytes, l.count}; }

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
    *v = (struct slp_bytes){got.p, got.n};
    moved(c, &r);
    return true;
}

bool slp_next_raw(struct slp_cursor *c, struct slp_bytes *v)
{
    if (c->left == 0)
        return false;
    struct slr r = slr_on(c->p, c->bytes);
    skip(&r);
    *v = (struct slp_bytes){c->p, (uint32_t)(r.p - c->p)};
    moved(c, &r);
    return true;
}

/* take_TYPE: one field of an item; false: nil. */
static inline bool is_nil(const struct slr *r) { return r->p < r->end && (uint8_t)*r->p == 0xc0; }

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
    *out = (struct slp_bytes){v.p, v.n};
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
        *out = (struct slp_bytes){start, (uint32_t)(r->p - start)};
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
    *out = (struct slp_list){start, (uint32_t)(r->p - start), v.n};
    return true;
}
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
        if (i < n && take_##type(&r, req, &v->field))                 \
            v->has |= 1u << SLP_BIT_item_##item##_##field;            \
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

/* ---------------------------------------------------------------- encoding */

void slp_buf_clear(struct slp_buf *b)
{
    b->n = 0;
    b->failed = false;
}

void slp_buf_free(struct slp_buf *b)
{
    free(b->p);
    *b = (struct slp_buf){0};
}

static bool grow(struct slp_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->n < n) {
        if (cap > SIZE_MAX / 2)
            return false;
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

void slp_pack_nil(struct slp_buf *b) { msgpack_packer k = packer(b); msgpack_pack_nil(&k); }
void slp_pack_u64(struct slp_buf *b, uint64_t v) { msgpack_packer k = packer(b); msgpack_pack_uint64(&k, v); }
void slp_pack_i64(struct slp_buf *b, int64_t v) { msgpack_packer k = packer(b); msgpack_pack_int64(&k, v); }
void slp_pack_double(struct slp_buf *b, double v) { msgpack_packer k = packer(b); msgpack_pack_double(&k, v); }
void slp_pack_array(struct slp_buf *b, uint32_t n) { msgpack_packer k = packer(b); msgpack_pack_array(&k, n); }
void slp_pack_map(struct slp_buf *b, uint32_t n) { msgpack_packer k = packer(b); msgpack_pack_map(&k, n); }
void slp_pack_cstr(struct slp_buf *b, const char *s) { slp_pack_str(b, s, strlen(s)); }

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
    case U64:
        assert(f->max == 0 || *(const uint64_t *)at <= f->max);
        slp_pack_u64(b, *(const uint64_t *)at);
        break;
    case I64: slp_pack_i64(b, *(const int64_t *)at); break;
    case BOOL: slp_pack_bool(b, *(const bool *)at); break;
    case STR:
    case NAME:
        assert(f->max == 0 || s->n <= f->max);
        slp_pack_str(b, s->p, s->n);
        break;
    case BIN:
        assert(f->max == 0 || s->n <= f->max);
        slp_pack_bin(b, s->p, s->n);
        break;
    case RAW:
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

static inline bool written(const struct shape *s, uint32_t has, uint32_t i) { return s->fields[i].required || (has >> i & 1); }

int slp_encode(struct slp_buf *b, uint64_t type, uint64_t id, const void *any)
{
    int at = place_of(type);
    assert(at >= 0);
    const struct shape *s = &shapes[at];
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
    for (uint32_t i = 0; i < s->count; i++) {
        if (!written(s, has, i))
            continue;
        slp_pack_u64(b, s->fields[i].key);
        pack_value(b, &s->fields[i], (const char *)any + s->fields[i].offset);
    }
    return b->failed ? -1 : 0;
}

void slp_pack_item(struct slp_buf *b, int item, const void *any)
{
    assert(item >= 0 && item < SLP_ITEM_COUNT);
    const struct shape *s = &items[item];
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
