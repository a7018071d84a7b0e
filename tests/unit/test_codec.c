/* The codec, over the whole catalogue: what is made from messages.def is tested with tests made from messages.def, so that a new
 * message is tested the day it is written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/reader.h"
#include "tests/lib/codec_walk.h"

#define ANY_WAY (SLP_C2B | SLP_B2C | SLP_A2B | SLP_B2A | SLP_B2M)
#define ID 77

/* ---- memory that a test borrows from; freed after each ---- */
static struct slp_buf arena[512];
static size_t arena_used;

static struct slp_buf *borrow(void)
{
    assert_true(arena_used < sizeof arena / sizeof *arena);
    return &arena[arena_used++];
}

static int give_back(void **state)
{
    (void)state;
    while (arena_used > 0)
        slp_buf_free(&arena[--arena_used]);
    return 0;
}

/* ---- a value for each type, and whether two are the same ---- */
enum fullness { REQUIRED_ONLY, EVERYTHING };
enum { R = 1, O = 0 };

static void fill_U64(uint64_t *v, uint64_t max)
{
    *v = max ? max : UINT64_MAX - 1;
}
static void fill_I64(int64_t *v, uint64_t max)
{
    (void)max;
    *v = -1234567890123;
}
static void fill_BOOL(bool *v, uint64_t max)
{
    (void)max;
    *v = true;
}
static void fill_NAME(struct slp_bytes *v, uint64_t max)
{
    (void)max;
    *v = (struct slp_bytes){ "kathmandu-1", 11 };
}

static void fill_BIN(struct slp_bytes *v, uint64_t max)
{
    static const char bytes[] = "\x00\xff\xc1 0123456789abcdef";
    *v = (struct slp_bytes){ bytes, (uint32_t)(max < 16 ? max : 16) };
}

static void fill_STR(struct slp_bytes *v, uint64_t max) /* as long as may be */
{
    struct slp_buf *b = borrow();
    for (uint64_t i = 0; i < max; i++)
        slp_buf_add(b, i % 9 ? "x" : "\x7f", 1);
    *v = (struct slp_bytes){ b->p, (uint32_t)b->n };
}

static void pack_some_map(struct slp_buf *b)
{
    slp_pack_map(b, 3);
    slp_pack_cstr(b, "title");
    slp_pack_cstr(b, "नमस्ते");
    slp_pack_cstr(b, "fields");
    slp_pack_array(b, 3);
    slp_pack_nil(b);
    slp_pack_double(b, 0.25);
    slp_pack_bool(b, false);
    slp_pack_cstr(b, "n");
    slp_pack_i64(b, -5);
}

static void fill_RAW(struct slp_bytes *v, uint64_t max)
{
    (void)max;
    struct slp_buf *b = borrow();
    pack_some_map(b);
    *v = (struct slp_bytes){ b->p, (uint32_t)b->n };
}

static struct slp_list list_of(const struct slp_buf *b, uint32_t count)
{
    return (struct slp_list){ b->p, (uint32_t)b->n, count };
}

static void fill_U64S(struct slp_list *v, uint64_t max)
{
    (void)max;
    struct slp_buf *b = borrow();
    slp_pack_u64(b, 0);
    slp_pack_u64(b, UINT64_MAX);
    slp_pack_u64(b, 300);
    *v = list_of(b, 3);
}

static void fill_STRS(struct slp_list *v, uint64_t max)
{
    (void)max;
    struct slp_buf *b = borrow();
    slp_pack_cstr(b, "");
    slp_pack_cstr(b, "judge.entails");
    *v = list_of(b, 2);
}

static void fill_RAWS(struct slp_list *v, uint64_t max)
{
    (void)max;
    struct slp_buf *b = borrow();
    slp_pack_nil(b);
    pack_some_map(b);
    slp_pack_bin(b, "\0\1", 2);
    *v = list_of(b, 3);
}

static bool same_U64(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}
static bool same_I64(const int64_t *a, const int64_t *b)
{
    return *a == *b;
}
static bool same_BOOL(const bool *a, const bool *b)
{
    return *a == *b;
}
static bool same_STR(const struct slp_bytes *a, const struct slp_bytes *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}
#define same_NAME same_STR
#define same_BIN same_STR
#define same_RAW same_STR
static bool same_RAWS(const struct slp_list *a, const struct slp_list *b)
{
    return a->count == b->count && a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->p, b->p, a->bytes) == 0);
}
#define same_U64S same_RAWS
#define same_STRS same_RAWS

// clang-format off
/* ---- items: two in each list, one full and one bare ---- */
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#define ITEM(name, what)                                                                 \
    static void fill_item_##name(struct slp_item_##name *v, enum fullness full);         \
    static void fill_LIST_##name(struct slp_list *l, uint64_t max)                       \
    {                                                                                    \
        struct slp_item_##name v;                                                        \
        struct slp_buf *b = borrow();                                                    \
        fill_item_##name(&v, EVERYTHING);                                                \
        slp_pack_item(b, SLP_ITEM_##name, &v);                                           \
        if (max != 1) {                                                                  \
            fill_item_##name(&v, REQUIRED_ONLY);                                         \
            slp_pack_item(b, SLP_ITEM_##name, &v);                                       \
        }                                                                                \
        *l = list_of(b, max == 1 ? 1 : 2);                                               \
    }                                                                                    \
    static bool same_LIST_##name(const struct slp_list *a, const struct slp_list *b) { return same_RAWS(a, b); }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
#define ITEM(name, what)                                                                 \
    static void fill_item_##name(struct slp_item_##name *v, enum fullness full)          \
    {                                                                                    \
        memset(v, 0, sizeof *v);
#define I(item, type, field, req, max, what)                                             \
        if (req || full == EVERYTHING) {                                                 \
            fill_##type(&v->field, max);                                                 \
            SLP_SET(v, item_##item, field);                                              \
        }
#define ITEM_END(name) }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

/* An item that was stepped to is the one that was packed. */
#define ITEM(name, what)                                                                 \
    static void steps_##name(void)                                                       \
    {                                                                                    \
        struct slp_list l;                                                               \
        struct slp_item_##name got, want;                                                \
        fill_LIST_##name(&l, 0);                                                         \
        struct slp_cursor c = slp_each(l);                                               \
        for (int full = EVERYTHING; full >= REQUIRED_ONLY; full--) {                     \
            fill_item_##name(&want, (enum fullness)full);                                \
            assert_true(slp_next_##name(&c, &got));                                      \
            assert_int_equal(got.has, want.has);
#define I(item, type, field, req, max, what) assert_true(same_##type(&got.field, &want.field));
#define ITEM_END(name)                                                                   \
        }                                                                                \
        assert_false(slp_next_##name(&c, &got));                                         \
        assert_int_equal(c.bytes, 0);                                                    \
    }
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END

static void every_item_is_stepped_to_as_it_was_packed(void **state)
{
    (void)state;
#define ITEM(name, what) steps_##name();
#define I(item, type, field, req, max, what)
#define ITEM_END(name)
#include "proto/messages.def"
#undef ITEM
#undef I
#undef ITEM_END
}
#undef MSG
#undef F
#undef MSG_END

/* ---- messages ---- */
#define ITEM(name, what)
#define I(item, type, field, req, max, what)
#define ITEM_END(name)

#define MSG(UPPER, name, number, way, what)                                              \
    static void fill_##name(struct slp_##name *v, enum fullness full)                    \
    {                                                                                    \
        (void)full;                                                                      \
        memset(v, 0, sizeof *v);
#define F(msg, key, type, field, req, max, what)                                         \
        if (req || full == EVERYTHING) {                                                 \
            fill_##type(&v->field, max);                                                 \
            SLP_SET(v, msg, field);                                                      \
        }
#define MSG_END(name) }
#include "proto/messages.def"
#undef MSG
#undef F
#undef MSG_END

#define MSG(UPPER, name, number, way, what)                                              \
    static bool same_msg_##name(const struct slp_##name *a, const struct slp_##name *b)  \
    {                                                                                    \
        return a->has == b->has
#define F(msg, key, type, field, req, max, what) && same_##type(&a->field, &b->field)
#define MSG_END(name) ; }
#include "proto/messages.def"
#undef MSG
#undef F
#undef MSG_END

static void encode_message(struct slp_buf *b, uint64_t type, enum fullness full)
{
    switch (type) {
#define F(msg, key, type, field, req, max, what)
#define MSG_END(name)
#define MSG(UPPER, name, number, way, what)                                              \
    case number: {                                                                       \
        struct slp_##name v;                                                             \
        fill_##name(&v, full);                                                           \
        assert_int_equal(slp_encode(b, number, ID, &v), 0);                              \
        break;                                                                           \
    }
#include "proto/messages.def"
#undef MSG
    default: fail_msg("no message %u", (unsigned)type);
    }
}

static bool same_message(uint64_t type, const struct slp_msg *m, enum fullness full)
{
    switch (type) {
#define MSG(UPPER, name, number, way, what)                                              \
    case number: {                                                                       \
        struct slp_##name v;                                                             \
        fill_##name(&v, full);                                                           \
        return same_msg_##name(&v, &m->u.name);                                          \
    }
#include "proto/messages.def"
#undef MSG
    default: return false;
    }
}
#undef F
#undef MSG_END

// clang-format on
/* Decode a copy of exactly n bytes: valgrind and ASan see one byte too far. */
static int decode(const struct slp_buf *b, struct slp_fault *fault)
{
    static struct slp_msg m;
    char *copy = malloc(b->n ? b->n : 1);
    if (b->n)
        memcpy(copy, b->p, b->n);
    memset(fault, 0, sizeof *fault);
    int rc = slp_decode(copy, b->n, ANY_WAY, &m, fault);
    if (rc == 0) {
        struct slp_buf again = { 0 };
        walk_msg(&m, &again);
        slp_buf_free(&again);
    }
    free(copy);
    return rc;
}

static void refused(const struct slp_buf *b, enum slp_code code, const char *place)
{
    struct slp_fault fault;
    if (decode(b, &fault) == 0)
        fail_msg("was taken, not refused with %s at %s", slp_error_name(code), place);
    if (fault.code != code || strcmp(fault.place, place))
        fail_msg("refused with %s at '%s', not %s at '%s'", slp_error_name(fault.code), fault.place,
                 slp_error_name(code), place);
}

static void taken(const struct slp_buf *b)
{
    struct slp_fault fault;
    if (decode(b, &fault))
        fail_msg("refused with %s at '%s'", slp_error_name(fault.code), fault.place);
}

#define EACH_MESSAGE(info)                                                                                             \
    size_t info##_count;                                                                                               \
    const struct slp_msg_info *info = slp_info_all(&info##_count);                                                     \
    for (const struct slp_msg_info *info##_end = info + info##_count; info < info##_end; info++)

static void every_message_comes_back_as_it_went(void **state)
{
    (void)state;
    EACH_MESSAGE(info)
    {
        for (int full = REQUIRED_ONLY; full <= EVERYTHING; full++) {
            struct slp_buf *b = borrow(), *again = borrow();
            struct slp_msg m;
            struct slp_fault fault;
            encode_message(b, info->type, (enum fullness)full);
            if (slp_decode(b->p, b->n, info->way, &m, &fault))
                fail_msg("%s: %s at %s", info->name, slp_error_name(fault.code), fault.place);
            assert_int_equal(m.type, info->type);
            assert_int_equal(m.id, ID);
            assert_int_equal(m.version, SL_PROTOCOL_VERSION);
            assert_true(same_message(info->type, &m, (enum fullness)full));
            walk_msg(&m, again);
            assert_int_equal(again->n, b->n);
            assert_memory_equal(again->p, b->p, b->n);
            give_back(NULL);
        }
    }
}

static void a_message_in_the_wrong_direction_is_unknown(void **state)
{
    (void)state;
    EACH_MESSAGE(info)
    {
        struct slp_buf *b = borrow();
        struct slp_msg m;
        struct slp_fault fault;
        encode_message(b, info->type, REQUIRED_ONLY);
        assert_int_equal(slp_decode(b->p, b->n, ANY_WAY & ~info->way, &m, &fault), -1);
        assert_int_equal(fault.code, SLP_E_UNKNOWN_MESSAGE);
        assert_int_equal(m.id, ID);
        assert_int_equal(m.type, info->type);
        give_back(NULL);
    }
}

static void no_prefix_of_a_message_is_a_message(void **state)
{
    (void)state;
    EACH_MESSAGE(info)
    {
        struct slp_buf *b = borrow();
        encode_message(b, info->type, EVERYTHING);
        size_t whole = b->n, step = whole > 4000 ? 37 : 1; /* long ones repeat themselves */
        for (size_t n = 0; n<whole; n += n> 300 ? step : 1) {
            struct slp_fault fault;
            b->n = n;
            if (decode(b, &fault) == 0)
                fail_msg("%s: its first %zu bytes were taken", info->name, n);
            assert_int_equal(fault.code, SLP_E_MALFORMED);
        }
        b->n = whole;
        slp_buf_add(b, "\xc0", 1);
        refused(b, SLP_E_MALFORMED, "body");
        give_back(NULL);
    }
}

/* ---- one field at a time: the catalogue as rows ---- */
struct row {
    const char *msg, *kind, *field;
    uint64_t type, max;
    int key;
    bool required;
};
static const struct row rows[] = {
#define MSG(UPPER, name, number, way, what)
#define F(msg, key, type, field, req, max, what) { #msg, #type, #field, 0, max, key, req },
#define MSG_END(name)
#include "proto/messages.def"
#undef MSG
#undef F
#undef MSG_END
};
#undef ITEM
#undef I
#undef ITEM_END
#define ROWS (sizeof rows / sizeof *rows)

static uint64_t number_of(const char *name)
{
    EACH_MESSAGE(info)
    if (!strcmp(info->name, name))
        return info->type;
    fail_msg("no message %s", name);
    return 0;
}

/* Copy body `in` to a new one, with another value for `key` (value NULL: without the pair; key not there: added). */
static struct slp_buf *with(const struct slp_buf *in, int key, const struct slp_buf *value)
{
    struct slp_buf *pairs = borrow(), *out = borrow();
    struct slr r = slr_on(in->p, in->n);
    struct slr_value map, k;
    uint32_t n = 0;
    bool found = false;
    assert_int_equal(slr_next(&r, &map), 0);
    for (uint32_t i = 0; i < map.n; i++) {
        const char *start = r.p;
        assert_int_equal(slr_next(&r, &k), 0);
        const char *at = r.p;
        assert_int_equal(slr_skip(&r, SL_DEPTH_MAX), 0);
        bool this = k.u64 == (uint64_t)key;
        found |= this;
        if (this && !value)
            continue;
        slp_buf_add(pairs, start, this ? (size_t)(at - start) : (size_t)(r.p - start));
        if (this)
            slp_buf_add(pairs, value->p, value->n);
        n++;
    }
    if (!found && value) {
        slp_pack_u64(pairs, (uint64_t)key);
        slp_buf_add(pairs, value->p, value->n);
        n++;
    }
    slp_pack_map(out, n);
    slp_buf_add(out, pairs->p, pairs->n);
    return out;
}

static struct slp_buf *body(const char *name)
{
    struct slp_buf *b = borrow();
    encode_message(b, number_of(name), EVERYTHING);
    return b;
}

static struct slp_buf *hex_value(const char *bytes, size_t n)
{
    struct slp_buf *b = borrow();
    slp_buf_add(b, bytes, n);
    return b;
}
#define VALUE(bytes) hex_value(bytes, sizeof(bytes) - 1)

static const char *place_of_row(const struct row *w)
{
    static char place[96];
    snprintf(place, sizeof place, "%s.%s", w->msg, w->field);
    return place;
}

static void a_required_field_that_is_missing_is_named(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        struct slp_buf *b = with(body(w->msg), w->key, NULL);
        if (w->required)
            refused(b, SLP_E_MISSING_FIELD, place_of_row(w));
        else
            taken(b);
        give_back(NULL);
    }
}

static void an_optional_field_may_be_nil_and_a_required_one_may_not(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        struct slp_buf *b = with(body(w->msg), w->key, VALUE("\xc0"));
        if (!w->required || !strcmp(w->kind, "RAW")) /* nil is a value like any other */
            taken(b);
        else
            refused(b, SLP_E_BAD_TYPE, place_of_row(w));
        give_back(NULL);
    }
}

static void a_value_of_another_type_is_named(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        if (!strcmp(w->kind, "RAW"))
            continue;
        refused(with(body(w->msg), w->key, VALUE("\x80")), SLP_E_BAD_TYPE, place_of_row(w));
        give_back(NULL);
    }
}

static bool is_list(const struct row *w)
{
    return w->kind[strlen(w->kind) - 1] == 'S' || !strncmp(w->kind, "LIST_", 5);
}

static void a_value_above_its_limit_is_named(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        struct slp_buf *v = borrow();
        if (w->max == 0 || w->max >= SL_FRAME_BYTES_MAX)
            continue;
        char *long_text = malloc((size_t)w->max + 1);
        memset(long_text, 'y', (size_t)w->max + 1);
        enum slp_code code = SLP_E_TOO_BIG;
        if (!strcmp(w->kind, "U64")) {
            slp_pack_u64(v, w->max + 1);
            code = SLP_E_BAD_VALUE;
        } else if (!strcmp(w->kind, "BIN")) {
            slp_pack_bin(v, long_text, (size_t)w->max + 1);
        } else if (is_list(w)) {
            slp_pack_array(v, (uint32_t)w->max + 1);
            for (uint64_t i = 0; i <= w->max; i++)
                slp_pack_nil(v);
            code = SLP_E_TOO_MANY;
        } else {
            slp_pack_str(v, long_text, (size_t)w->max + 1);
            if (!strcmp(w->kind, "NAME"))
                code = SLP_E_BAD_NAME;
        }
        refused(with(body(w->msg), w->key, v), code, place_of_row(w));
        free(long_text);
        give_back(NULL);
    }
}

static void bytes_inside_a_value_are_checked(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        char element[104];
        snprintf(element, sizeof element, "%s[0]", place_of_row(w));
        if (!strcmp(w->kind, "STR")) {
            refused(with(body(w->msg), w->key, VALUE("\xa2\xc3\x28")), SLP_E_MALFORMED, place_of_row(w));
        } else if (!strcmp(w->kind, "NAME")) {
            refused(with(body(w->msg), w->key, VALUE("\xa2-x")), SLP_E_BAD_NAME, place_of_row(w));
            refused(with(body(w->msg), w->key, VALUE("\xa0")), SLP_E_BAD_NAME, place_of_row(w));
        } else if (!strcmp(w->kind, "RAW")) {
            refused(with(body(w->msg), w->key,
                         VALUE("\x81\xa1"
                               "a\xd4\x01\x01")),
                    SLP_E_MALFORMED, place_of_row(w));
            refused(with(body(w->msg), w->key,
                         VALUE("\x82\xa1"
                               "a\x01\xa1"
                               "a\x01")),
                    SLP_E_DUPLICATE_KEY, place_of_row(w));
        } else if (!strcmp(w->kind, "RAWS")) {
            refused(with(body(w->msg), w->key, VALUE("\x91\xa1\xff")), SLP_E_MALFORMED, element);
        } else if (!strcmp(w->kind, "U64S")) {
            refused(with(body(w->msg), w->key, VALUE("\x91\xff")), SLP_E_BAD_TYPE, element);
        } else if (!strcmp(w->kind, "STRS")) {
            refused(with(body(w->msg), w->key, VALUE("\x91\x01")), SLP_E_BAD_TYPE, element);
            refused(with(body(w->msg), w->key, VALUE("\x91\xa1\xff")), SLP_E_MALFORMED, element);
        } else if (!strncmp(w->kind, "LIST_", 5)) {
            refused(with(body(w->msg), w->key, VALUE("\x91\x01")), SLP_E_BAD_TYPE, element);
        }
        give_back(NULL);
    }
}

static void keys_of_a_newer_peer_are_skipped(void **state)
{
    (void)state;
    EACH_MESSAGE(info)
    {
        struct slp_buf *b = borrow(), *v = borrow();
        encode_message(b, info->type, EVERYTHING);
        pack_some_map(v);
        taken(with(b, 3, v));
        taken(with(b, 63, v));
        taken(with(b, 63, VALUE("\xd4\x01\x01"))); /* even a type that we do not use */
        refused(with(b, 64, v), SLP_E_BAD_VALUE, "[64]");
        char place[64];
        snprintf(place, sizeof place, "%s[63]", info->name);
        refused(with(b, 63, VALUE("\xc1")), SLP_E_MALFORMED, place);
        give_back(NULL);
    }
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    for (const struct row *w = rows; w < rows + ROWS; w++) {
        struct slp_buf *b = body(w->msg), *twice = borrow();
        struct slr r = slr_on(b->p, b->n);
        struct slr_value map;
        assert_int_equal(slr_next(&r, &map), 0);
        slp_pack_map(twice, map.n + 1);
        slp_buf_add(twice, r.p, (size_t)(r.end - r.p));
        slp_pack_u64(twice, (uint64_t)w->key);
        slp_pack_nil(twice);
        char place[16];
        snprintf(place, sizeof place, "[%d]", w->key);
        refused(twice, SLP_E_DUPLICATE_KEY, place);
        give_back(NULL);
    }
}

static void the_order_of_keys_does_not_matter(void **state)
{
    (void)state;
    EACH_MESSAGE(info)
    {
        struct slp_buf *b = borrow(), *turned = borrow(), *pairs = borrow();
        encode_message(b, info->type, EVERYTHING);
        struct slr r = slr_on(b->p, b->n);
        struct slr_value map;
        assert_int_equal(slr_next(&r, &map), 0);
        const char *starts[65];
        for (uint32_t i = 0; i < map.n; i++) {
            starts[i] = r.p;
            assert_int_equal(slr_skip(&r, 1), 0);
            assert_int_equal(slr_skip(&r, SL_DEPTH_MAX), 0);
        }
        starts[map.n] = r.p;
        slp_pack_map(turned, map.n);
        for (uint32_t i = map.n; i-- > 0;)
            slp_buf_add(turned, starts[i], (size_t)(starts[i + 1] - starts[i]));
        struct slp_msg m;
        struct slp_fault fault;
        assert_int_equal(slp_decode(turned->p, turned->n, info->way, &m, &fault), 0);
        assert_int_equal(m.id, ID);
        assert_true(same_message(info->type, &m, EVERYTHING));
        walk_msg(&m, pairs);
        assert_memory_equal(pairs->p, b->p, b->n);
        give_back(NULL);
    }
}

static void version_and_type_are_judged_first(void **state)
{
    (void)state;
    struct slp_buf *b = body("put");
    refused(with(b, 0, VALUE("\x02")), SLP_E_BAD_VERSION, "version");
    refused(with(b, 0,
                 VALUE("\xa1"
                       "1")),
            SLP_E_BAD_TYPE, "version");
    refused(with(b, 0, NULL), SLP_E_MISSING_FIELD, "version");
    refused(with(b, 1, VALUE("\xcd\xff\xff")), SLP_E_UNKNOWN_MESSAGE, "type");
    refused(with(b, 1, VALUE("\x05")), SLP_E_UNKNOWN_MESSAGE, "type");
    refused(with(b, 1, NULL), SLP_E_MISSING_FIELD, "type");
    refused(with(b, 2, VALUE("\xff")), SLP_E_BAD_TYPE, "id");
    taken(with(b, 2, NULL));
    refused(VALUE("\x80"), SLP_E_MISSING_FIELD, "version");
    refused(VALUE("\x90"), SLP_E_MALFORMED, "body");
    refused(VALUE(""), SLP_E_MALFORMED, "body");
    refused(VALUE("\x81\xa1"
                  "a\x01"),
            SLP_E_BAD_TYPE, "[0]");
}

static void the_id_of_a_refused_request_is_known_wherever_it_stands(void **state)
{
    (void)state;
    struct slp_msg m;
    struct slp_fault fault;
    static const char before[] = "\x84\x02\x2a\x00\x01\x01\x28\x04\xa0",
                      after[] = "\x84\x00\x01\x01\x28\x04\xa0\x02\x2a";
    assert_int_equal(slp_decode(before, sizeof before - 1, SLP_C2B, &m, &fault), -1);
    assert_int_equal(m.id, 42);
    assert_int_equal(slp_decode(after, sizeof after - 1, SLP_C2B, &m, &fault), -1);
    assert_int_equal(m.id, 42);
    assert_string_equal(fault.place, "put.run_id");
    assert_int_equal(slp_decode("\xff", 1, SLP_C2B, &m, &fault), -1);
    assert_int_equal(m.id, 0);
}

static void a_frame_above_the_limit_is_too_big(void **state)
{
    (void)state;
    struct slp_buf *b = borrow();
    char page[1024] = { 0 };
    while (b->n <= SL_FRAME_BYTES_MAX)
        slp_buf_add(b, page, sizeof page);
    refused(b, SLP_E_TOO_BIG, "body");
}

static void nesting_is_counted_from_the_body_on(void **state)
{
    (void)state;
    char nest[32];
    memset(nest, 0x91, sizeof nest);
    for (int deep = 1; deep <= 20; deep++) {
        nest[deep] = 0x01;
        struct slp_buf *v = hex_value(nest, (size_t)deep + 1);
        struct slp_buf *b = with(body("line_apply"), 4, v); /* the body's map is one */
        if (deep + 1 <= SL_DEPTH_MAX)
            taken(b);
        else
            refused(b, SLP_E_MALFORMED, "line_apply.definition");
        struct slp_buf *list = borrow(); /* the body, the list of rows */
        slp_pack_array(list, 1);
        slp_buf_add(list, v->p, v->n);
        b = with(body("put"), 6, list);
        if (deep + 2 <= SL_DEPTH_MAX)
            taken(b);
        else
            refused(b, SLP_E_MALFORMED, "put.rows[0]");
        b = with(body("put"), 50, v); /* skipped, but counted */
        if (deep + 1 <= SL_DEPTH_MAX)
            taken(b);
        else
            refused(b, SLP_E_MALFORMED, "put[50]");
        nest[deep] = (char)0x91;
        give_back(NULL);
    }
}

static struct slp_buf *acts_with(const char *items, size_t n)
{
    return with(body("acts"), 5, hex_value(items, n));
}
#define ACTS(bytes) acts_with(bytes, sizeof(bytes) - 1)

static void a_mistake_in_an_item_is_named_to_the_field(void **state)
{
    (void)state;
    refused(ACTS("\x92\x93\x00\x01\x01\x92\x00\x01"), SLP_E_MISSING_FIELD, "acts.acts[1].worker");
    refused(ACTS("\x91\x93\x06\x01\x01"), SLP_E_BAD_VALUE, "acts.acts[0].act");
    refused(ACTS("\x91\x93\x00\xc0\x01"), SLP_E_BAD_TYPE, "acts.acts[0].assignment");
    refused(ACTS("\x91\x94\x00\x01\x01\x05"), SLP_E_BAD_TYPE, "acts.acts[0].reason");
    refused(ACTS("\x91\x96\x00\x01\x01\xc0\xc0\xc1"), SLP_E_MALFORMED, "acts.acts[0][5]");
    taken(ACTS("\x91\x97\x00\x01\x01\xc0\xc0\xd4\x01\x01\x80")); /* further elements of a newer peer */
    taken(ACTS("\x90"));
    refused(with(body("roster"), 6, VALUE("\x91\x94\xa1w\x00\x01\x91\x92\xa1!\x01")), SLP_E_BAD_NAME,
            "roster.workers[0].skills[0].name");
    refused(with(body("roster"), 6, VALUE("\x91\x94\xa1w\x00\x01\x91\x92\xa1s\xcd\x01\x00")), SLP_E_BAD_VALUE,
            "roster.workers[0].skills[0].level");
    refused(with(body("submit"), 5, VALUE("\x91\x93\x01\x01\x91\xc7\x01\x01\x01")), SLP_E_MALFORMED,
            "submit.results[0].values[0]");
    refused(with(body("roster_ids"), 5, VALUE("\x91\xda\x02\x01")), SLP_E_MALFORMED, "roster_ids.names[0]");
}

static void an_absent_middle_element_is_packed_as_nil(void **state)
{
    (void)state;
    struct slp_buf *b = borrow();
    struct slp_item_act act = { .act = 4, .assignment = 12, .worker = 3, .delay_us = 77 }, got;
    SLP_SET(&act, item_act, delay_us);
    slp_pack_item(b, SLP_ITEM_act, &act);
    assert_int_equal(b->n, 6);
    assert_memory_equal(b->p, "\x95\x04\x0c\x03\xc0\x4d", 6);
    struct slp_cursor c = slp_each(list_of(b, 1));
    assert_true(slp_next_act(&c, &got));
    assert_false(SLP_IS(&got, item_act, reason));
    assert_true(SLP_IS(&got, item_act, delay_us));
    assert_true(got.delay_us == 77);
}

static void a_random_change_of_a_valid_message_never_reads_outside(void **state)
{
    (void)state;
    uint32_t seed = 2463534242u;
    EACH_MESSAGE(info)
    {
        struct slp_buf *b = borrow(), *wild = borrow();
        encode_message(b, info->type, EVERYTHING);
        for (int round = 0; round < 200; round++) {
            slp_buf_clear(wild);
            slp_buf_add(wild, b->p, b->n);
            for (uint32_t changes = 1 + seed % 4; changes > 0; changes--) {
                seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
                wild->p[seed % wild->n] = (char)(seed >> 24);
            }
            struct slp_fault fault;
            if (decode(wild, &fault)) {
                assert_string_not_equal(slp_error_name(fault.code), "UNKNOWN");
                assert_int_not_equal(fault.code, SLP_E_OK);
                assert_true(strlen(fault.place) > 0);
            }
        }
        give_back(NULL);
    }
}

static void errors_have_names_texts_and_retry_classes(void **state)
{
    (void)state;
#define ERR(NAME, number, retry, text)                                                                                 \
    assert_string_equal(slp_error_name(number), #NAME);                                                                \
    assert_string_equal(slp_error_text(number), text);                                                                 \
    assert_int_equal(slp_error_retry(number), SLP_RETRY_##retry);
#include "proto/errors.def"
#undef ERR
    assert_string_equal(slp_error_name(9999), "UNKNOWN");
    assert_int_equal(slp_error_retry(9999), SLP_RETRY_NEVER);
    assert_true(strlen(slp_error_text(9999)) > 0);
}

#define TEST(f) cmocka_unit_test_teardown(f, give_back)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_message_comes_back_as_it_went),
        TEST(every_item_is_stepped_to_as_it_was_packed),
        TEST(a_message_in_the_wrong_direction_is_unknown),
        TEST(no_prefix_of_a_message_is_a_message),
        TEST(a_required_field_that_is_missing_is_named),
        TEST(an_optional_field_may_be_nil_and_a_required_one_may_not),
        TEST(a_value_of_another_type_is_named),
        TEST(a_value_above_its_limit_is_named),
        TEST(bytes_inside_a_value_are_checked),
        TEST(keys_of_a_newer_peer_are_skipped),
        TEST(a_key_that_stands_twice_is_refused),
        TEST(the_order_of_keys_does_not_matter),
        TEST(version_and_type_are_judged_first),
        TEST(the_id_of_a_refused_request_is_known_wherever_it_stands),
        TEST(a_frame_above_the_limit_is_too_big),
        TEST(nesting_is_counted_from_the_body_on),
        TEST(a_mistake_in_an_item_is_named_to_the_field),
        TEST(an_absent_middle_element_is_packed_as_nil),
        TEST(a_random_change_of_a_valid_message_never_reads_outside),
        TEST(errors_have_names_texts_and_retry_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
