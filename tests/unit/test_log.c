/* Log lines: one event a line, whatever the values are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/log.h"

/* What stands behind time and level. */
static const char *after_level(const struct log_line *l)
{
    static char text[LOG_LINE_BYTES_MAX + 1];
    memcpy(text, l->p, l->n);
    text[l->n] = '\0';
    char *event = strstr(text, "event=");
    assert_non_null(event);
    return event;
}

static void values_are_quoted_when_they_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } rows[] = {
        { "plain", "event=e k=plain" },
        { "tcp://127.0.0.1:7710", "event=e k=tcp://127.0.0.1:7710" },
        { "", "event=e k=\"\"" },
        { "two words", "event=e k=\"two words\"" },
        { "a=b", "event=e k=\"a=b\"" },
        { "say \"hi\" \\ there", "event=e k=\"say \\\"hi\\\" \\\\ there\"" },
        { "line\nbreak", "event=e k=\"line\\nbreak\"" },
        { "\x1b[31m\r\t\x7f", "event=e k=\"\\x1b[31m\\x0d\\x09\\x7f\"" },
        { "K\xc3\xa4se", "event=e k=K\xc3\xa4se" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct log_line l;
        log_begin(&l, LOG_LEVEL_INFO, "e");
        log_str(&l, "k", rows[i].value);
        assert_string_equal(after_level(&l), rows[i].line);
    }
}

static void a_line_has_time_level_event_and_numbers(void **state)
{
    (void)state;
    struct log_line l;
    log_begin(&l, LOG_LEVEL_WARN, "e");
    log_u64(&l, "big", UINT64_MAX);
    log_i64(&l, "small", INT64_MIN);
    log_i64(&l, "none", 0);
    assert_string_equal(after_level(&l), "event=e big=18446744073709551615 small=-9223372036854775808 none=0");
    int y, mo, d, h, mi, s, ms;
    char level[8];
    l.p[l.n] = '\0';
    assert_int_equal(sscanf(l.p, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %7s ", &y, &mo, &d, &h, &mi, &s, &ms, level), 8);
    assert_string_equal(level, "warn");
}

static void no_value_makes_a_line_too_long_or_two(void **state)
{
    (void)state;
    char big[5000];
    struct log_line l;
    memset(big, '\n', sizeof big - 1); /* each becomes two bytes */
    big[sizeof big - 1] = '\0';
    log_begin(&l, LOG_LEVEL_ERROR, "e");
    for (int i = 0; i < 10; i++) {
        log_str(&l, "k", big);
    }
    assert_true(l.n < LOG_LINE_BYTES_MAX);
    assert_null(memchr(l.p, '\n', l.n));

    memset(big, 'x', sizeof big - 1);
    memcpy(big + LOG_VALUE_BYTES_MAX - 1, "\xc3\xa4", 2); /* a character across the cut */
    log_begin(&l, LOG_LEVEL_ERROR, "e");
    log_str(&l, "k", big);
    assert_memory_equal(l.p + l.n - 4, "x...", 4);
}

static void every_days_stamp_is_the_calendars(void **state)
{
    (void)state;
    for (time_t s = 0; s < 450ll * 366 * 86400; s += 86399) { /* each hour of a day comes, too */
        const struct timespec at = { s, s % 1000 * 1000000l + 999999 };
        struct log_line l;
        struct tm utc;
        char want[32];
        gmtime_r(&s, &utc);
        size_t n = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &utc);
        log_begin_at(&l, LOG_LEVEL_ERROR, "e", &at);
        snprintf(want + n, sizeof want - n, ".%03dZ ", (int)(s % 1000));
        assert_memory_equal(l.p, want, strlen(want));
    }
}

/* The line goes to standard error as one write. */
static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    int fds[2], was = dup(STDERR_FILENO);
    char text[4096];
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    log_set_level(LOG_LEVEL_WARN);
    log_text(LOG_LEVEL_INFO, "quiet", "x");
    log_text(LOG_LEVEL_WARN, "loud", "x");
    log_set_level(LOG_LEVEL_DEBUG);
    log_text(LOG_LEVEL_DEBUG, "all", "x");
    log_set_level(LOG_LEVEL_INFO);
    dup2(was, STDERR_FILENO);
    close(was);
    close(fds[1]);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, " warn event=loud text=x\n"));
    assert_non_null(strstr(text, " debug event=all text=x\n"));
}

static void a_flood_is_counted_and_not_written(void **state)
{
    (void)state;
    struct log_limit g = { 0 };
    uint64_t suppressed, lines = 0;
    for (int i = 0; i < 1000; i++) {
        lines += log_allowed(&g, 5000000 + i, &suppressed);
    }
    assert_int_equal(lines, LOG_LIMIT_EVENTS_MAX);
    assert_true(log_allowed(&g, 6000000, &suppressed));
    assert_int_equal(suppressed, 1000 - LOG_LIMIT_EVENTS_MAX);
    assert_true(log_allowed(&g, 6000001, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_string_equal(log_level_name(LOG_LEVEL_ERROR), "error");
    assert_false(log_level_parse("DEBUG", &level));
    assert_false(log_level_parse("", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_quoted_when_they_must_be),
        cmocka_unit_test(a_line_has_time_level_event_and_numbers),
        cmocka_unit_test(every_days_stamp_is_the_calendars),
        cmocka_unit_test(no_value_makes_a_line_too_long_or_two),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_flood_is_counted_and_not_written),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
