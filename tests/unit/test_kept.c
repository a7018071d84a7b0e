/* Rows kept between the check of a file and its import: what comes out is what went in, from memory and from a file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/kept.h"
#include "proto/limits.h"

static size_t size_of(uint64_t i)
{
    return i * 2654435761u % 3 ? (size_t)(i * 40503u % 500) : (size_t)(i * 2654435761u % (SL_UNIT_BYTES_MAX + 1));
}

static void fill(char *row, uint64_t i)
{
    for (size_t k = 0; k < size_of(i); k++) {
        row[k] = (char)(i * 31 + k * 7);
    }
}

static struct kept *with_rows(uint64_t n)
{
    static char row[SL_UNIT_BYTES_MAX];
    struct kept *k = kept_new();
    assert_non_null(k);
    for (uint64_t i = 1; i <= n; i++) {
        fill(row, i);
        assert_true(kept_add(k, i * 3, row, size_of(i)));
    }
    return k;
}

static void come_back(struct kept *k, uint64_t n)
{
    static char row[SL_UNIT_BYTES_MAX];
    uint64_t number;
    const char *p;
    size_t bytes;
    assert_true(kept_rewind(k));
    for (uint64_t i = 1; i <= n; i++) {
        assert_int_equal(kept_next(k, &number, &p, &bytes), KEPT_ROW);
        assert_int_equal(number, i * 3);
        assert_int_equal(bytes, size_of(i));
        fill(row, i);
        assert_memory_equal(p, row, bytes);
    }
    assert_int_equal(kept_next(k, &number, &p, &bytes), KEPT_END);
    assert_int_equal(kept_next(k, &number, &p, &bytes), KEPT_END);
}

static void rows_come_back_in_order_as_often_as_they_are_wanted(void **state)
{
    (void)state;
    static const uint64_t counts[] = { 0, 1, 20, 100, 1000 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct kept *k = with_rows(counts[i]);
        come_back(k, counts[i]);
        come_back(k, counts[i]);
        kept_free(&k);
        kept_free(&k);
    }
}

static void a_walk_that_is_broken_off_begins_anew(void **state)
{
    (void)state;
    struct kept *k = with_rows(1000);
    assert_true(kept_bytes(k) > 4 * KEPT_BLOCK_BYTES);
    uint64_t number;
    const char *p;
    size_t bytes;
    assert_true(kept_rewind(k));
    for (int i = 0; i < 700; i++) {
        assert_int_equal(kept_next(k, &number, &p, &bytes), KEPT_ROW);
    }
    come_back(k, 1000);
    kept_free(&k);
}

static void few_rows_need_no_file_and_many_say_why_they_cannot_have_one(void **state)
{
    (void)state;
    char row[1000] = "";
    setenv("TMPDIR", "/nowhere/at all", 1);
    struct kept *k = with_rows(10);
    come_back(k, 10);
    kept_free(&k);
    k = kept_new();
    int added = 0;
    for (; added < 2000 && kept_add(k, 1, row, sizeof row); added++) {}
    assert_int_equal(errno, ENOENT);
    assert_in_range(added, 1000, 1100);
    kept_free(&k);
    unsetenv("TMPDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_in_order_as_often_as_they_are_wanted),
        cmocka_unit_test(a_walk_that_is_broken_off_begins_anew),
        cmocka_unit_test(few_rows_need_no_file_and_many_say_why_they_cannot_have_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
