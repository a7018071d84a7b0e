/* Decoding: one pass over the bytes along the tables of the catalogue, so that no message has code of its own.
 *
 * Depth: the body's map is 1, a list in it 2, an item 3; what may still be nested is counted down from SL_DEPTH_MAX. A field whose value
 * comes before version and type are known is only skipped, its place remembered, and decoded at the end. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/codec_tables.h"
#include "proto/reader.h"

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
static int check_element(const struct field *f, struct slr *r, int depth, const struct where *w,
                         struct slp_fault *fault)
{
    if (f->kind == KIND_RAWS)
        return check_raw(r, depth, w, fault);
    struct slr_value v;
    if (slr_next(r, &v))
        return refuse(fault, SLP_E_MALFORMED, w);
    if (f->kind == KIND_U64S)
        return v.type == SLR_U64 ? 0 : refuse(fault, SLP_E_BAD_TYPE, w);
    if (f->kind == KIND_STRS) {
        if (v.type != SLR_STR)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (v.n > SL_TEXT_BYTES_MAX)
            return refuse(fault, SLP_E_TOO_BIG, w);
        return sl_utf8_ok(v.p, v.n) ? 0 : refuse(fault, SLP_E_MALFORMED, w);
    }
    if (v.type != SLR_ARRAY)
        return refuse(fault, SLP_E_BAD_TYPE, w);
    assert(depth > 0); /* no message is that deep */
    return decode_shape(&codec_items[f->kind - KIND_LIST], r, v.n, depth - 1, NULL, w, fault);
}

static int decode_list(const struct field *f, struct slr *r, uint32_t n, int depth, struct slp_list *out,
                       const struct where *w, struct slp_fault *fault)
{
    if (f->max && n > f->max)
        return refuse(fault, SLP_E_TOO_MANY, w);
    const char *start = r->p;
    struct where here = { .up = w };
    for (uint32_t i = 0; i < n; i++) {
        here.index = i;
        if (check_element(f, r, depth, &here, fault))
            return -1;
    }
    *out = (struct slp_list){ start, (uint32_t)(r->p - start), n };
    return 0;
}

bool slp_items_ok(int item, struct slp_list l)
{
    const struct field f = { .kind = (enum kind)(KIND_LIST + item) };
    struct slr r = slr_on(l.p, l.bytes);
    struct slp_list all;
    struct slp_fault fault;
    return decode_list(&f, &r, l.count, SL_DEPTH_MAX, &all, NULL, &fault) == 0 && r.p == r.end;
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
    if (f->kind == KIND_RAW) {
        if (check_raw(r, depth, w, fault))
            return -1;
        if (f->max && (uint64_t)(r->p - start) > f->max)
            return refuse(fault, SLP_E_TOO_BIG, w);
        *(struct slp_bytes *)out = (struct slp_bytes){ start, (uint32_t)(r->p - start) };
        return 0;
    }
    *r = ahead;
    switch (f->kind) {
    case KIND_U64:
        if (v.type != SLR_U64)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (f->max && v.u64 > f->max)
            return refuse(fault, SLP_E_BAD_VALUE, w);
        *(uint64_t *)out = v.u64;
        return 0;
    case KIND_I64:
        if (v.type != SLR_I64 && v.type != SLR_U64)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (v.type == SLR_U64 && v.u64 > INT64_MAX)
            return refuse(fault, SLP_E_BAD_VALUE, w);
        *(int64_t *)out = v.i64;
        return 0;
    case KIND_BOOL:
        if (v.type != SLR_BOOL)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        *(bool *)out = v.b;
        return 0;
    case KIND_STR:
    case KIND_NAME:
    case KIND_BIN:
        if (v.type != (f->kind == KIND_BIN ? SLR_BIN : SLR_STR))
            return refuse(fault, SLP_E_BAD_TYPE, w);
        if (f->kind == KIND_NAME && !sl_name_ok(v.p, v.n))
            return refuse(fault, SLP_E_BAD_NAME, w);
        if (f->max && v.n > f->max)
            return refuse(fault, SLP_E_TOO_BIG, w);
        if (f->kind == KIND_STR && !sl_utf8_ok(v.p, v.n))
            return refuse(fault, SLP_E_MALFORMED, w);
        *(struct slp_bytes *)out = (struct slp_bytes){ v.p, v.n };
        return 0;
    default:
        if (v.type != SLR_ARRAY)
            return refuse(fault, SLP_E_BAD_TYPE, w);
        assert(depth > 0);
        return decode_list(f, r, v.n, depth - 1, out, w, fault);
    }
}

union any_value {
    uint64_t u64;
    int64_t i64;
    bool b;
    struct slp_bytes bytes;
    struct slp_list list;
};

/* An item: n elements behind r, fields by position. out NULL: only check. */
static int decode_shape(const struct shape *s, struct slr *r, uint32_t n, int depth, void *out, const struct where *w,
                        struct slp_fault *fault)
{
    struct where here = { .up = w };
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
        here = (struct where){ .up = w, .index = i };
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
    uint64_t seen;              /* keys */
    const struct shape *shape;  /* NULL until version and type are known and good */
    const char *late[KEYS_MAX]; /* values that came before the type: where they begin */
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
    struct where msg = { .name = d->shape->name }, here = { .up = &msg, .index = key };
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
    static const char *const names[] = { "version", "type", "id" };
    struct where here = { .name = names[key] };
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
        const struct slp_msg_info *info = slp_info(d->m->type);
        here.name = names[KEY_TYPE];
        if (!info || !(info->way & d->ways))
            return refuse(d->fault, SLP_E_UNKNOWN_MESSAGE, &here);
        d->shape = codec_shape(d->m->type);
        memset(&d->m->u, 0, d->shape->size);
    }
    return 0;
}

static int decode_pair(struct decoding *d, uint64_t index)
{
    struct where here = { .index = index };
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
    static const struct where version = { .name = "version" }, type = { .name = "type" };
    if (!(d->seen >> KEY_VERSION & 1))
        return refuse(d->fault, SLP_E_MISSING_FIELD, &version);
    if (!d->shape)
        return refuse(d->fault, SLP_E_MISSING_FIELD, &type);
    for (unsigned key = KEY_ID + 1; key < KEYS_MAX && early; key++) {
        if (!(early >> key & 1))
            continue;
        struct slr r = { d->late[key], d->r.end };
        if (decode_field(d, &r, key))
            return -1;
    }
    struct where msg = { .name = d->shape->name };
    for (uint32_t i = 0; i < d->shape->count; i++) {
        const struct field *f = &d->shape->fields[i];
        struct where here = { .up = &msg, .name = f->name };
        if (f->required && !(d->seen >> f->key & 1))
            return refuse(d->fault, SLP_E_MISSING_FIELD, &here);
    }
    return 0;
}

static int decode_body(struct decoding *d)
{
    static const struct where body = { .name = "body" };
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
    static const struct where body = { .name = "body" };
    m->version = m->type = m->id = 0;
    if (n > SL_FRAME_BYTES_MAX)
        return refuse(fault, SLP_E_TOO_BIG, &body);
    struct decoding d = { .r = slr_on(p, n), .ways = ways, .m = m, .fault = fault };
    if (decode_body(&d) == 0)
        return 0;
    m->id = find_id(p, n);
    return -1;
}
