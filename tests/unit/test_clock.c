/* The clock that outlives restarts, and the small files beside the store. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/clock.h"
#include "broker/files.h"

#define BOOT_A "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
#define BOOT_B "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
#define STORE_1 "11111111111111111111111111111111"
#define STORE_2 "22222222222222222222222222222222"

static void elapsed_goes_on_by_the_rule(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct clock_record then, now;
        int64_t stored, expected;
    } rows[] = {
        { "same boot: as if it had never stopped",
          { BOOT_A, STORE_1, 1000, 50 },
          { BOOT_A, STORE_1, 4000, 0 },
          70,
          3050 },
        { "another boot: the time since it", { BOOT_A, STORE_1, 1000, 50 }, { BOOT_B, STORE_1, 400, 0 }, 70, 470 },
        { "another store's file: where the store stands",
          { BOOT_A, STORE_2, 1000, 50 },
          { BOOT_A, STORE_1, 4000, 0 },
          70,
          70 },
        { "boot time went back: where the store stands",
          { BOOT_A, STORE_1, 1000, 50 },
          { BOOT_A, STORE_1, 400, 0 },
          70,
          70 },
        { "never below what is stored", { BOOT_A, STORE_1, 1000, 50 }, { BOOT_A, STORE_1, 1001, 0 }, 70, 70 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (clock_elapsed_at(&rows[i].then, &rows[i].now, rows[i].stored) != rows[i].expected) {
            fail_msg("%s", rows[i].what);
        }
    }
    assert_int_equal(clock_elapsed_at(NULL, &rows[0].now, 70), 70);
}

static void a_record_survives_its_text_and_anything_else_is_refused(void **state)
{
    (void)state;
    struct clock_record r = { BOOT_A, STORE_1, 123456789012345, 987654321098765 }, back;
    char text[256];
    assert_true(clock_format(&r, text, sizeof text));
    assert_true(clock_parse(text, &back));
    assert_memory_equal(&r, &back, sizeof r);
    assert_false(clock_format(&r, text, 20));
    static const char *const bad[] = { "",
                                       "x",
                                       "sunline-clock 2 " BOOT_A " " STORE_1 " 1 2\n",
                                       "sunline-clock 1 " BOOT_A " " STORE_1 " 1\n",
                                       "sunline-clock 1 " BOOT_A " " STORE_1 " 1 -2\n",
                                       "sunline-clock 1 short " STORE_1 " 1 2\n",
                                       "sunline-clock 1 " BOOT_A " " STORE_1 " 1 2 3\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(clock_parse(bad[i], &back));
    }
}

struct folder {
    char path[64];
};

static struct folder make_folder(void)
{
    struct folder f = { "/tmp/sunline-clock-XXXXXX" };
    assert_non_null(mkdtemp(f.path));
    return f;
}

static void remove_file(const struct folder *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(unlink(path), 0);
}

static void a_restart_on_the_same_boot_loses_no_time(void **state)
{
    (void)state;
    struct folder f = make_folder();
    static const uint8_t store[16] = { 1, 2, 3 }, other[16] = { 9 };
    struct clock first, second, third;
    assert_int_equal(clock_start(&first, f.path, store, 5000), 0);
    int64_t t = clock_elapsed_us(&first);
    assert_true(t >= 5000 && t < 5000 + 60ll * 1000000);
    assert_int_equal(clock_start(&second, f.path, store, 5001), 0);
    assert_int_equal(second.offset_us, first.offset_us);
    assert_int_equal(clock_start(&third, f.path, other, 7), 0); /* the store was exchanged */
    assert_true(clock_elapsed_us(&third) < 60ll * 1000000);
    remove_file(&f, "clock");
    assert_int_equal(rmdir(f.path), 0); /* and no temporary file is left */
}

static void a_damaged_clock_file_counts_as_none(void **state)
{
    (void)state;
    struct folder f = make_folder();
    static const uint8_t store[16] = { 1 };
    struct clock c;
    assert_int_equal(file_replace(f.path, "clock", "garbage\0garbage", 15), 0);
    assert_int_equal(clock_start(&c, f.path, store, 1000), 0);
    assert_true(clock_elapsed_us(&c) >= 1000);
    remove_file(&f, "clock");
    assert_int_equal(rmdir(f.path), 0);
}

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    struct folder f = make_folder();
    char text[16];
    assert_int_equal(file_read(f.path, "a", text, sizeof text), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(file_replace(f.path, "a", "first and long", 14), 0);
    assert_int_equal(file_replace(f.path, "a", "second", 6), 0);
    assert_int_equal(file_read(f.path, "a", text, sizeof text), 6);
    assert_string_equal(text, "second");
    assert_int_equal(file_read(f.path, "a", text, 6), -1); /* no room for its end */
    assert_int_equal(errno, EFBIG);
    assert_int_equal(file_replace("/nonexistent", "a", "x", 1), -1);
    remove_file(&f, "a");
    assert_int_equal(rmdir(f.path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elapsed_goes_on_by_the_rule),
        cmocka_unit_test(a_record_survives_its_text_and_anything_else_is_refused),
        cmocka_unit_test(a_restart_on_the_same_boot_loses_no_time),
        cmocka_unit_test(a_damaged_clock_file_counts_as_none),
        cmocka_unit_test(a_file_is_replaced_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
