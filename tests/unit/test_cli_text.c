/* What people see: tables, progress lines, times, and texts of strangers. */
#include "tests/unit/cli_world.h"

#include <locale.h>

#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

static void times_are_utc_in_iso_8601(void **state)
{
    (void)state;
    char buf[TEXT_TIME_BYTES];
    assert_string_equal(text_time(1772357400250000, buf), "2026-03-01T09:30:00.250Z");
    assert_string_equal(text_time(-1, buf), "1969-12-31T23:59:59.999Z");
    assert_string_equal(text_time(0, buf), "-");
    assert_string_equal(text_time(INT64_MIN, buf), text_time(INT64_MIN, buf)); /* no crash, whatever it says */
    text_time(INT64_MAX, buf);
    assert_true(strlen(buf) < TEXT_TIME_BYTES);
}

static void durations_keep_two_units(void **state)
{
    (void)state;
    char buf[TEXT_TIME_BYTES];
    assert_string_equal(text_duration(850000, buf), "850ms");
    assert_string_equal(text_duration(12340000, buf), "12.3s");
    assert_string_equal(text_duration(245000000, buf), "4m05s");
    assert_string_equal(text_duration(2 * 3600000000ll + 7 * 60000000ll, buf), "2h07m");
    assert_string_equal(text_duration(76 * 3600000000ll, buf), "3d04h");
    assert_string_equal(text_duration(-5, buf), "0ms");
}

static void counts_are_grouped(void **state)
{
    (void)state;
    char buf[TEXT_TIME_BYTES];
    assert_string_equal(text_count(0, buf), "0");
    assert_string_equal(text_count(999, buf), "999");
    assert_string_equal(text_count(1000, buf), "1,000");
    assert_string_equal(text_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
}

static void columns_count_what_is_seen(void **state)
{
    (void)state;
    assert_int_equal(text_columns("abc", 3), 3);
    assert_int_equal(text_columns("Medell\xc3\xadn", 9), 8);
    assert_int_equal(text_columns("\xe6\x97\xa5\xe6\x9c\xac", 6), 4); /* two wide characters */
    assert_int_equal(text_columns("e\xcc\x81", 3), 1);                /* a combining accent */
    assert_int_equal(text_columns("\xff\xfe", 2), 2);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    static const char evil[] = "a\033[2Jb\nc\td\x7f\xc2\x9b"
                               "e\xff\0f\xc3\xad";
    text_put(f, evil, sizeof evil - 1);
    fclose(f);
    assert_string_equal(text, "a?[2Jb c d??e??f\xc3\xad");
    free(text);
}

static char *table_of(bool aligned)
{
    char *text;
    size_t n;
    struct table t;
    FILE *f = open_memstream(&text, &n);
    table_begin(&t, f, aligned, false, "NAME|>UNITS|STATE");
    table_str(&t, "monday");
    table_u64(&t, 7);
    table_str(&t, "open");
    table_str(&t, "jos\xc3\xa9");
    table_u64(&t, 1234567);
    table_str(&t, "done");
    assert_true(table_end(&t));
    fclose(f);
    return text;
}

static void tables_align_on_a_terminal(void **state)
{
    (void)state;
    char *text = table_of(true);
    assert_string_equal(text, "NAME      UNITS  STATE\nmonday        7  open\njos\xc3\xa9    1234567  done\n");
    free(text);
}

static void tables_are_tabbed_lines_for_programs(void **state)
{
    (void)state;
    char *text = table_of(false);
    assert_string_equal(text, "monday\t7\topen\njos\xc3\xa9\t1234567\tdone\n");
    free(text);
}

static void a_cell_cannot_forge_a_row(void **state)
{
    (void)state;
    char *text;
    size_t n;
    struct table t;
    FILE *f = open_memstream(&text, &n);
    table_begin(&t, f, false, false, "A|B");
    table_str(&t, "x\ny");
    table_str(&t, "1\t2");
    assert_true(table_end(&t));
    fclose(f);
    assert_string_equal(text, "x y\t1 2\n");
    free(text);
}

static void an_empty_table_writes_nothing(void **state)
{
    (void)state;
    char *text;
    size_t n;
    struct table t;
    FILE *f = open_memstream(&text, &n);
    table_begin(&t, f, true, true, "A|B");
    assert_true(table_end(&t));
    fclose(f);
    assert_string_equal(text, "");
    free(text);
}

static void a_long_table_comes_in_blocks(void **state)
{
    (void)state;
    char *text;
    size_t n, lines = 0;
    struct table t;
    FILE *f = open_memstream(&text, &n);
    table_begin(&t, f, true, false, "N|M");
    for (uint64_t i = 0; i < 3 * TABLE_ROWS_HELD + 1; i++) {
        table_u64(&t, i);
        table_u64(&t, i * i);
        assert_true(t.cells <= 2 * TABLE_ROWS_HELD);
    }
    assert_true(table_end(&t));
    fclose(f);
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        lines++;
    }
    assert_int_equal(lines, 3 * TABLE_ROWS_HELD + 2);
    assert_int_equal(t.rows, 3 * TABLE_ROWS_HELD + 1);
    free(text);
}

static void a_progress_line_says_how_far_how_fast_how_long(void **state)
{
    (void)state;
    char line[PROGRESS_LINE_BYTES];
    struct progress_view v = { "importing", "rows", 61000, 0.61, 120345.6, 300000 };
    assert_string_equal(progress_line(&v, 0, line), "importing  61%  61,000 rows  120,345 rows/s  300ms left");
    assert_string_equal(progress_line(&v, 10, line),
                        "importing [======>   ]  61%  61,000 rows  120,345 rows/s  300ms left");
    v.share = 1;
    v.left_us = -1;
    assert_string_equal(progress_line(&v, 4, line), "importing [====] 100%  61,000 rows  120,345 rows/s");
    v.share = -1;
    v.rate = -1;
    assert_string_equal(progress_line(&v, 4, line), "importing  61,000 rows");
    v.share = 17;
    assert_string_equal(progress_line(&v, 4, line), "importing [====] 100%  61,000 rows");
}

static void a_progress_line_keeps_its_size(void **state)
{
    (void)state;
    char line[PROGRESS_LINE_BYTES], name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct progress_view v = { name, name, UINT64_MAX, 0.5, 1e18, INT64_MAX };
    progress_line(&v, 10000, line);
    assert_non_null(memchr(line, 0, sizeof line));
}

static void plain_progress_is_quiet_for_a_second(void **state)
{
    (void)state;
    char *text;
    size_t n;
    struct progress p;
    FILE *f = open_memstream(&text, &n);
    progress_begin(&p, f, false, "importing", "rows", 100);
    for (uint64_t i = 0; i < 100; i++) {
        progress_update(&p, 100 + i, 0.5);
    }
    fflush(f);
    assert_string_equal(text, "");
    progress_end(&p, 200, 1);
    fclose(f);
    cli_contains(text, "importing 100%  200 rows");
    assert_null(strchr(text, '\r'));
    assert_null(strchr(text, '\033'));
    free(text);
}

int main(void)
{
    setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_utc_in_iso_8601),
        cmocka_unit_test(durations_keep_two_units),
        cmocka_unit_test(counts_are_grouped),
        cmocka_unit_test(columns_count_what_is_seen),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(tables_align_on_a_terminal),
        cmocka_unit_test(tables_are_tabbed_lines_for_programs),
        cmocka_unit_test(a_cell_cannot_forge_a_row),
        cmocka_unit_test(an_empty_table_writes_nothing),
        cmocka_unit_test(a_long_table_comes_in_blocks),
        cmocka_unit_test(a_progress_line_says_how_far_how_fast_how_long),
        cmocka_unit_test(a_progress_line_keeps_its_size),
        cmocka_unit_test(plain_progress_is_quiet_for_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
