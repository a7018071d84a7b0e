/* The bounded reader: keeps to its bytes, counts depth, tells a lie in a header. */
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/reader.h"

#define ON(bytes) slr_on(bytes, sizeof(bytes) - 1)

static struct slr_value read_one(const char *p, size_t n)
{
    struct slr r = slr_on(p, n);
    struct slr_value v;
    assert_int_equal(slr_next(&r, &v), 0);
    return v;
}

static int check(const char *p, size_t n, int depth)
{
    /* a copy of exactly that size: valgrind and ASan see one byte too far */
    char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    struct slr r = slr_on(copy, n);
    enum slr_why why = slr_check_why(&r, depth);
    free(copy);
    return (int)why;
}
#define CHECK(bytes, depth) check(bytes, sizeof(bytes) - 1, depth)

static void every_width_of_an_integer_reads_as_its_value(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
        uint64_t v;
    } rows[] = {
        { "\x00", 1, 0 },
        { "\x7f", 1, 127 },
        { "\xcc\xff", 2, 255 },
        { "\xcd\xff\xff", 3, 65535 },
        { "\xce\xff\xff\xff\xff", 5, UINT32_MAX },
        { "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX },
        { "\xd0\x05", 2, 5 },
        { "\xd3\0\0\0\0\0\0\0\x09", 9, 9 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slr_value v = read_one(rows[i].p, rows[i].n);
        assert_int_equal(v.type, SLR_U64);
        assert_true(v.u64 == rows[i].v);
    }
}

static void negative_integers_keep_their_sign_at_every_width(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
        int64_t v;
    } rows[] = {
        { "\xff", 1, -1 },
        { "\xe0", 1, -32 },
        { "\xd0\x80", 2, -128 },
        { "\xd1\x80\x00", 3, -32768 },
        { "\xd2\x80\0\0\0", 5, INT32_MIN },
        { "\xd3\x80\0\0\0\0\0\0\0", 9, INT64_MIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slr_value v = read_one(rows[i].p, rows[i].n);
        assert_int_equal(v.type, SLR_I64);
        assert_true(v.i64 == rows[i].v);
    }
}

static void floats_widen_to_double(void **state)
{
    (void)state;
    struct slr_value v = read_one("\xca\x3f\xc0\x00\x00", 5);
    assert_int_equal(v.type, SLR_DOUBLE);
    assert_true(v.d == 1.5);
    v = read_one("\xcb\xbf\xf8\0\0\0\0\0\0", 9);
    assert_true(v.d == -1.5);
}

static void strings_and_binaries_of_every_width_are_handed_out(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
        enum slr_type type;
    } rows[] = {
        { "\xa3"
          "abc",
          4, SLR_STR },
        { "\xd9\x03"
          "abc",
          5, SLR_STR },
        { "\xda\x00\x03"
          "abc",
          6, SLR_STR },
        { "\xdb\0\0\0\x03"
          "abc",
          8, SLR_STR },
        { "\xc4\x03"
          "abc",
          5, SLR_BIN },
        { "\xc5\x00\x03"
          "abc",
          6, SLR_BIN },
        { "\xc6\0\0\0\x03"
          "abc",
          8, SLR_BIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slr_value v = read_one(rows[i].p, rows[i].n);
        assert_int_equal(v.type, rows[i].type);
        assert_int_equal(v.n, 3);
        assert_memory_equal(v.p, "abc", 3);
    }
}

static void every_cut_of_every_format_is_truncated(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } rows[] = {
        { "\xcc\xff", 2 },         { "\xcd\1\1", 3 },
        { "\xce\1\1\1\1", 5 },     { "\xcf\1\1\1\1\1\1\1\1", 9 },
        { "\xd0\1", 2 },           { "\xd1\1\1", 3 },
        { "\xd2\1\1\1\1", 5 },     { "\xd3\1\1\1\1\1\1\1\1", 9 },
        { "\xca\1\1\1\1", 5 },     { "\xcb\1\1\1\1\1\1\1\1", 9 },
        { "\xa2xy", 3 },           { "\xd9\2xy", 4 },
        { "\xda\0\2xy", 5 },       { "\xdb\0\0\0\2xy", 7 },
        { "\xc4\2xy", 4 },         { "\xc5\0\2xy", 5 },
        { "\xc6\0\0\0\2xy", 7 },   { "\x92\1\2", 3 },
        { "\xdc\0\2\1\2", 5 },     { "\xdd\0\0\0\2\1\2", 7 },
        { "\x81\1\2", 3 },         { "\xde\0\1\1\2", 5 },
        { "\xdf\0\0\0\1\1\2", 7 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(check(rows[i].p, rows[i].n, 4), SLR_OK);
        for (size_t n = 0; n < rows[i].n; n++)
            assert_int_equal(check(rows[i].p, n, 4), SLR_TRUNCATED);
    }
}

static void a_header_that_announces_more_than_there_is_is_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } rows[] = {
        { "\xdd\xff\xff\xff\xff\1\1", 7 },
        { "\xdf\xff\xff\xff\xff\1\1", 7 },
        { "\xdb\xff\xff\xff\xff"
          "ab",
          7 },
        { "\xc6\xff\xff\xff\xff"
          "ab",
          7 },
        { "\xc9\xff\xff\xff\xff\1\1", 7 },
        { "\xdc\xff\xff\1", 4 },
        { "\x83\1\2\3\4\5", 6 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slr r = slr_on(rows[i].p, rows[i].n);
        struct slr_value v;
        assert_int_equal(slr_next(&r, &v), -1);
    }
}

static void the_byte_that_msgpack_never_uses_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(CHECK("\xc1", 4), SLR_MALFORMED);
    assert_int_equal(CHECK("\x92\x01\xc1", 4), SLR_MALFORMED);
}

static void depth_is_counted_in_containers(void **state)
{
    (void)state;
    char nest[64];
    memset(nest, 0x91, sizeof nest);
    nest[16] = 1; /* 16 arrays around a number */
    struct slr r = slr_on(nest, 17);
    assert_int_equal(slr_skip(&r, 16), 0);
    assert_ptr_equal(r.p, r.end);
    r = slr_on(nest, 17);
    assert_int_equal(slr_skip(&r, 15), -1);
    assert_int_equal(check(nest, 17, 16), SLR_OK);
    assert_int_equal(check(nest, 17, 15), SLR_TOO_DEEP);
    assert_int_equal(CHECK("\x07", 0), SLR_OK);
    assert_int_equal(CHECK("\x90", 0), SLR_TOO_DEEP);
}

static void a_deep_nest_ends_at_the_limit_and_not_at_the_end_of_the_stack(void **state)
{
    (void)state;
    size_t n = 200000;
    char *nest = malloc(n);
    memset(nest, 0x91, n);
    nest[n - 1] = 1;
    struct slr r = slr_on(nest, n);
    assert_int_equal(slr_check_why(&r, SL_DEPTH_MAX), SLR_TOO_DEEP);
    r = slr_on(nest, n);
    assert_int_equal(slr_skip(&r, SL_DEPTH_MAX), -1);
    free(nest);
}

static void checked_values_have_no_ext_no_nan_and_only_utf8(void **state)
{
    (void)state;
    assert_int_equal(CHECK("\xd4\x01\x00", 4), SLR_BAD_KIND);
    assert_int_equal(CHECK("\x91\xc7\x01\x01\x00", 4), SLR_BAD_KIND);
    assert_int_equal(CHECK("\xcb\x7f\xf8\0\0\0\0\0\0", 4), SLR_BAD_KIND); /* NaN */
    assert_int_equal(CHECK("\xcb\xff\xf0\0\0\0\0\0\0", 4), SLR_BAD_KIND); /* -infinity */
    assert_int_equal(CHECK("\xa1\xff", 4), SLR_NOT_UTF8);
    assert_int_equal(CHECK("\x81\xa1\xff\x01", 4), SLR_NOT_UTF8);
    struct slr r = ON("\xd4\x01\x00"); /* what is only skipped may be an extension of a newer peer */
    assert_int_equal(slr_skip(&r, 1), 0);
}

static void a_key_stands_once_in_a_map_however_it_is_packed(void **state)
{
    (void)state;
    assert_int_equal(CHECK("\x82\xa1"
                           "a\x01\xa1"
                           "b\x02",
                           4),
                     SLR_OK);
    assert_int_equal(CHECK("\x82\xa1"
                           "a\x01\xa1"
                           "a\x02",
                           4),
                     SLR_KEY_TWICE);
    assert_int_equal(CHECK("\x82\xa1"
                           "a\x01\xd9\x01"
                           "a\x02",
                           4),
                     SLR_KEY_TWICE);
    assert_int_equal(CHECK("\x82\x07\x01\xcc\x07\x02", 4), SLR_KEY_TWICE);
    assert_int_equal(CHECK("\x82\x07\x01\xa1\x37\x02", 4), SLR_OK); /* 7 and "7" differ */
    assert_int_equal(CHECK("\x81\xff\x01", 4), SLR_BAD_KIND);
    assert_int_equal(CHECK("\x81\xc0\x01", 4), SLR_BAD_KIND);
    assert_int_equal(CHECK("\x81\xa1"
                           "a\x82\x01\x01\x01\x01",
                           4),
                     SLR_KEY_TWICE); /* in an inner map */
}

static void many_keys_are_compared_without_a_quadratic_search(void **state)
{
    (void)state;
    struct slp_buf b = { 0 };
    for (uint32_t n = 1; n <= SL_MAP_PAIRS_MAX + 1; n += n < 20 ? 1 : n < 1000 ? 49 : 1) {
        for (int twice = 0; twice < 2; twice++) {
            slp_buf_clear(&b);
            slp_pack_map(&b, n);
            for (uint32_t i = 0; i < n; i++) {
                char key[24];
                snprintf(key, sizeof key, "field_%u", (unsigned)(twice && i == n - 1 && n > 1 ? n / 2 - 1 : i));
                slp_pack_cstr(&b, key);
                slp_pack_nil(&b);
            }
            int want = n > SL_MAP_PAIRS_MAX ? SLR_TOO_MANY : twice && n > 1 ? SLR_KEY_TWICE : SLR_OK;
            assert_int_equal(check(b.p, b.n, 2), want);
        }
    }
    slp_buf_free(&b);
}

static void find_walks_over_any_value(void **state)
{
    (void)state;
    const char map[] = "\x83\xa1"
                       "a\x92\x01\x81\xa1"
                       "b\x05\xa1"
                       "b\xcd\x01\x02\xa2"
                       "bc\xc3";
    struct slr r = slr_on(map, sizeof map - 1), at;
    struct slr_value v;
    assert_int_equal(slr_next(&r, &v), 0);
    assert_true(slr_find(r, v.n, "b", &at)); /* the outer one */
    struct slr_value found;
    assert_int_equal(slr_next(&at, &found), 0);
    assert_true(found.u64 == 0x102);
    assert_true(slr_find(r, v.n, "bc", &at));
    assert_false(slr_find(r, v.n, "c", &at));
    assert_false(slr_find(r, v.n, "", &at));
}

static void utf8_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "plain", "नमस्ते", "Medellín", "\xf0\x9f\x8c\x9e", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"
    };
    static const char *const bad[] = { "\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xc3",
                                       "\xe0\x80\x80",
                                       "\xed\xa0\x80",
                                       "\xf0\x80\x80\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "\xe2\x82",
                                       "\xe2\x28\xa1",
                                       "12345678\xc3",
                                       "1234567\xf0\x9f\x8c" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sl_utf8_ok(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sl_utf8_ok(bad[i], strlen(bad[i])));
    assert_true(sl_utf8_ok("a\0b", 3)); /* NUL is a character like any other */
}

static void names_are_short_and_plain(void **state)
{
    (void)state;
    char longest[SL_NAME_BYTES_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_true(sl_name_ok(longest, SL_NAME_BYTES_MAX));
    assert_false(sl_name_ok(longest, SL_NAME_BYTES_MAX + 1));
    assert_true(sl_name_ok("sentence-pairs_2.b", 18));
    assert_true(sl_name_ok("7", 1));
    assert_false(sl_name_ok("", 0));
    assert_false(sl_name_ok(".a", 2));
    assert_false(sl_name_ok("-a", 2));
    assert_false(sl_name_ok("a b", 3));
    assert_false(sl_name_ok("a/b", 3));
    assert_false(sl_name_ok("a\0b", 3));
    assert_false(sl_name_ok("\xc3\xad", 2));
}

static void every_reason_has_a_text(void **state)
{
    (void)state;
    for (int why = SLR_OK; why <= SLR_TOO_MANY; why++)
        assert_true(strlen(slr_why_text((enum slr_why)why)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_of_an_integer_reads_as_its_value),
        cmocka_unit_test(negative_integers_keep_their_sign_at_every_width),
        cmocka_unit_test(floats_widen_to_double),
        cmocka_unit_test(strings_and_binaries_of_every_width_are_handed_out),
        cmocka_unit_test(every_cut_of_every_format_is_truncated),
        cmocka_unit_test(a_header_that_announces_more_than_there_is_is_refused_at_once),
        cmocka_unit_test(the_byte_that_msgpack_never_uses_is_malformed),
        cmocka_unit_test(depth_is_counted_in_containers),
        cmocka_unit_test(a_deep_nest_ends_at_the_limit_and_not_at_the_end_of_the_stack),
        cmocka_unit_test(checked_values_have_no_ext_no_nan_and_only_utf8),
        cmocka_unit_test(a_key_stands_once_in_a_map_however_it_is_packed),
        cmocka_unit_test(many_keys_are_compared_without_a_quadratic_search),
        cmocka_unit_test(find_walks_over_any_value),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(names_are_short_and_plain),
        cmocka_unit_test(every_reason_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
