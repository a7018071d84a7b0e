/* The items of lists, over the whole catalogue: each field of each item in each list of each message, absent, nil, of another type, above its limit,
 * cut off. What is wrong is named to the field; what may be absent is stepped over. Made from the codec's own tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec_tables.h"
#include "tests/lib/codec_walk.h"

#define ANY_WAY (SLP_C2B | SLP_B2C | SLP_A2B | SLP_B2A | SLP_B2M)

enum how { GOOD, ABSENT, NIL, OTHER_TYPE, OVER, NOT_UTF8, CUT };

/* The one field of an item that is not as the others: in the list of this message, item and field. */
static struct {
    const struct field *list, *field;
    enum how how;
    size_t whole; /* where its value ends, in the frame */
} odd;

static void pack_shape(struct slp_buf *b, const struct shape *s);

static void pack_string(struct slp_buf *b, const struct field *f, size_t n)
{
    char *text = malloc(n + 1);
    memset(text, odd.how == NOT_UTF8 && odd.field == f ? 0xff : 'a', n + 1);
    if (f->kind == KIND_BIN)
        slp_pack_bin(b, text, n);
    else
        slp_pack_str(b, text, n);
    free(text);
}

static bool is_list(const struct field *f)
{
    return f->kind >= KIND_U64S;
}

static void pack_over(struct slp_buf *b, const struct field *f)
{
    if (f->kind == KIND_U64) {
        slp_pack_u64(b, f->max + 1);
    } else if (f->kind == KIND_I64) {
        slp_pack_u64(b, (uint64_t)INT64_MAX + 1);
    } else if (is_list(f)) {
        slp_pack_array(b, (uint32_t)f->max + 1);
        for (uint64_t i = 0; i <= f->max; i++)
            slp_pack_nil(b);
    } else {
        pack_string(b, f, f->max + 1);
    }
}

static void pack_good(struct slp_buf *b, const struct field *f)
{
    switch (f->kind) {
    case KIND_U64: slp_pack_u64(b, 1); break;
    case KIND_I64: slp_pack_i64(b, -1); break;
    case KIND_BOOL: slp_pack_bool(b, true); break;
    case KIND_STR:
    case KIND_NAME:
    case KIND_BIN: pack_string(b, f, 1); break;
    case KIND_RAW: slp_pack_cstr(b, "raw"); break;
    case KIND_U64S:
        slp_pack_array(b, 1);
        slp_pack_u64(b, 1);
        break;
    case KIND_STRS:
    case KIND_RAWS:
        slp_pack_array(b, 1);
        slp_pack_cstr(b, "one");
        break;
    default: slp_pack_array(b, 1); pack_shape(b, &codec_items[f->kind - KIND_LIST]);
    }
}

static void pack_field(struct slp_buf *b, const struct field *f)
{
    enum how how = f == odd.field ? odd.how : GOOD;
    switch (how) {
    case NIL: slp_pack_nil(b); break;
    case OTHER_TYPE:
        if (f->kind == KIND_BOOL)
            slp_pack_u64(b, 1);
        else
            slp_pack_bool(b, true);
        break;
    case OVER: pack_over(b, f); break;
    default: pack_good(b, f);
    }
    if (f == odd.field)
        odd.whole = b->n;
}

/* An item of all its fields, or of those before the odd one. */
static void pack_shape(struct slp_buf *b, const struct shape *s)
{
    uint32_t n = s->count;
    for (uint32_t i = 0; i < s->count; i++)
        if (&s->fields[i] == odd.field && odd.how == ABSENT)
            n = i;
    slp_pack_array(b, n);
    for (uint32_t i = 0; i < n; i++)
        pack_field(b, &s->fields[i]);
}

/* A message of its required fields and the odd one's list. */
static void pack_message(struct slp_buf *b, uint64_t type, const struct shape *s)
{
    uint32_t n = 2;
    for (uint32_t i = 0; i < s->count; i++)
        n += s->fields[i].required || &s->fields[i] == odd.list;
    slp_pack_map(b, n);
    slp_pack_u64(b, KEY_VERSION);
    slp_pack_u64(b, SL_PROTOCOL_VERSION);
    slp_pack_u64(b, KEY_TYPE);
    slp_pack_u64(b, type);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        if (!f->required && f != odd.list)
            continue;
        slp_pack_u64(b, f->key);
        pack_good(b, f);
    }
}

/* Of a message with an odd item: what it is refused for; SLP_E_OK: it was taken. Each byte of it lies in a copy of exactly its size. */
static enum slp_code judged(uint64_t type, const struct shape *s, char place[96])
{
    static struct slp_msg m;
    struct slp_buf b = { 0 }, again = { 0 };
    struct slp_fault fault = { .code = SLP_E_OK };
    pack_message(&b, type, s);
    size_t n = odd.how == CUT ? odd.whole - 1 : b.n;
    char *copy = malloc(n);
    memcpy(copy, b.p, n);
    if (slp_decode(copy, n, ANY_WAY, &m, &fault) == 0) {
        walk_msg(&m, &again);
        fault.code = SLP_E_OK;
    }
    memcpy(place, fault.place, sizeof fault.place);
    free(copy);
    slp_buf_free(&b);
    slp_buf_free(&again);
    return fault.code;
}

/* For each field of each item in each list of each message, also of lists in items. */
typedef void each_field(uint64_t type, const struct shape *s, const char *place);

static void each_of_item(uint64_t type, const struct shape *s, const struct shape *item, const char *up,
                         each_field *each)
{
    for (uint32_t i = 0; i < item->count; i++) {
        char place[200];
        odd.field = &item->fields[i];
        snprintf(place, sizeof place, "%s[0].%s", up, odd.field->name);
        each(type, s, place);
        if (item->fields[i].kind >= KIND_LIST)
            each_of_item(type, s, &codec_items[item->fields[i].kind - KIND_LIST], place, each);
    }
}

static void each_item_field(each_field *each)
{
    size_t n;
    const struct slp_msg_info *info = slp_info_all(&n);
    unsigned lists = 0;
    for (size_t k = 0; k < n; k++) {
        const struct shape *s = codec_shape(info[k].type);
        for (uint32_t i = 0; i < s->count; i++) {
            char place[100];
            if (s->fields[i].kind < KIND_LIST)
                continue;
            odd.list = &s->fields[i];
            snprintf(place, sizeof place, "%s.%s", s->name, odd.list->name);
            each_of_item(info[k].type, s, &codec_items[odd.list->kind - KIND_LIST], place, each);
            lists++;
        }
    }
    assert_true(lists > 20);
    memset(&odd, 0, sizeof odd);
}

static void refused(uint64_t type, const struct shape *s, enum how how, enum slp_code code, const char *place)
{
    char got[96];
    odd.how = how;
    enum slp_code is = judged(type, s, got);
    if (is != code || (code && strcmp(got, place)))
        fail_msg("%s at '%s', not %s at '%s'", slp_error_name(is), got, slp_error_name(code), place);
}

static void as_it_should_be(uint64_t type, const struct shape *s, const char *place)
{
    refused(type, s, GOOD, SLP_E_OK, place);
}
static void absent(uint64_t type, const struct shape *s, const char *place)
{
    bool needed = odd.field->required;
    const struct field *f = odd.field;
    for (; !needed && f->name; f++) /* those behind it are absent, too */
        needed = needed || f->required;
    if (needed && !odd.field->required)
        return;
    refused(type, s, ABSENT, needed ? SLP_E_MISSING_FIELD : SLP_E_OK, place);
}
static void nil(uint64_t type, const struct shape *s, const char *place)
{
    bool taken = !odd.field->required || odd.field->kind == KIND_RAW;
    refused(type, s, NIL, taken ? SLP_E_OK : SLP_E_BAD_TYPE, place);
}
static void of_another_type(uint64_t type, const struct shape *s, const char *place)
{
    refused(type, s, OTHER_TYPE, odd.field->kind == KIND_RAW ? SLP_E_OK : SLP_E_BAD_TYPE, place);
}
static void above_its_limit(uint64_t type, const struct shape *s, const char *place)
{
    const struct field *f = odd.field;
    if (f->kind == KIND_I64)
        refused(type, s, OVER, SLP_E_BAD_VALUE, place);
    else if (f->max && f->kind == KIND_U64)
        refused(type, s, OVER, SLP_E_BAD_VALUE, place);
    else if (f->max && f->kind == KIND_NAME)
        refused(type, s, OVER, SLP_E_BAD_NAME, place);
    else if (f->max && f->max < SL_FRAME_BYTES_MAX / 2 && (f->kind == KIND_STR || f->kind == KIND_BIN))
        refused(type, s, OVER, SLP_E_TOO_BIG, place);
    else if (f->max && is_list(f))
        refused(type, s, OVER, SLP_E_TOO_MANY, place);
}
static void not_utf8(uint64_t type, const struct shape *s, const char *place)
{
    if (odd.field->kind == KIND_STR)
        refused(type, s, NOT_UTF8, SLP_E_MALFORMED, place);
}
static void cut_off(uint64_t type, const struct shape *s, const char *place)
{
    char got[96];
    (void)place;
    odd.how = CUT;
    assert_int_equal(judged(type, s, got), SLP_E_MALFORMED);
}

static void an_item_of_all_its_fields_is_taken(void **state)
{
    (void)state;
    each_item_field(as_it_should_be);
}
static void an_item_may_end_before_what_is_optional_and_not_before_what_is_required(void **state)
{
    (void)state;
    each_item_field(absent);
}
static void an_optional_field_of_an_item_may_be_nil_and_a_required_one_may_not(void **state)
{
    (void)state;
    each_item_field(nil);
}
static void a_field_of_an_item_that_is_of_another_type_is_named(void **state)
{
    (void)state;
    each_item_field(of_another_type);
}
static void a_field_of_an_item_above_its_limit_is_named(void **state)
{
    (void)state;
    each_item_field(above_its_limit);
}
static void a_text_in_an_item_that_is_not_utf8_is_named(void **state)
{
    (void)state;
    each_item_field(not_utf8);
}
static void a_message_that_ends_in_the_middle_of_an_item_is_malformed(void **state)
{
    (void)state;
    each_item_field(cut_off);
}

/* ---- steps ---- */

/* Elements of a newer peer behind an item's own are stepped over, whatever they are. */
static void elements_behind_an_items_own_are_stepped_over(void **state)
{
    (void)state;
    struct slp_buf b = { 0 };
    for (int i = 0; i < 2; i++) {
        slp_pack_array(&b, 5);
        slp_pack_u64(&b, 7);
        slp_pack_u64(&b, 100 + (uint64_t)i);
        slp_pack_map(&b, 1);
        slp_pack_cstr(&b, "newer");
        slp_pack_nil(&b);
        slp_pack_bool(&b, true);
        slp_pack_cstr(&b, "still");
    }
    struct slp_cursor c = slp_each((struct slp_list){ b.p, (uint32_t)b.n, 2 });
    struct slp_item_credit v;
    for (uint64_t i = 0; i < 2; i++) {
        assert_true(slp_next_credit(&c, &v));
        assert_int_equal(v.worker, 7);
        assert_int_equal(v.total, 100 + i);
    }
    assert_false(slp_next_credit(&c, &v));
    slp_buf_free(&b);
}

/* The `has` of an item that was stepped to says which fields were there, for each optional one alone. */
static void an_items_field_is_there_or_not_one_by_one(void **state)
{
    (void)state;
    for (int field = 0; field < 2; field++) {
        struct slp_buf b = { 0 };
        struct slp_item_worker_def in = { .name = { "ann", 3 }, .capacity = 1 }, out;
        if (field == 0) {
            in.team = (struct slp_bytes){ "red", 3 };
            SLP_SET(&in, item_worker_def, team);
        } else {
            in.shift = (struct slp_bytes){ "day", 3 };
            SLP_SET(&in, item_worker_def, shift);
        }
        slp_pack_item(&b, SLP_ITEM_worker_def, &in);
        struct slp_cursor c = slp_each((struct slp_list){ b.p, (uint32_t)b.n, 1 });
        assert_true(slp_next_worker_def(&c, &out));
        assert_int_equal(SLP_IS(&out, item_worker_def, team), field == 0);
        assert_int_equal(SLP_IS(&out, item_worker_def, shift), field == 1);
        slp_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_of_all_its_fields_is_taken),
        cmocka_unit_test(an_item_may_end_before_what_is_optional_and_not_before_what_is_required),
        cmocka_unit_test(an_optional_field_of_an_item_may_be_nil_and_a_required_one_may_not),
        cmocka_unit_test(a_field_of_an_item_that_is_of_another_type_is_named),
        cmocka_unit_test(a_field_of_an_item_above_its_limit_is_named),
        cmocka_unit_test(a_text_in_an_item_that_is_not_utf8_is_named),
        cmocka_unit_test(a_message_that_ends_in_the_middle_of_an_item_is_malformed),
        cmocka_unit_test(elements_behind_an_items_own_are_stepped_over),
        cmocka_unit_test(an_items_field_is_there_or_not_one_by_one),
    };
    return cmocka_run_group_tests_name("items of the catalogue", tests, NULL, NULL);
}
