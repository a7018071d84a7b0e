/* A line from YAML text in one call, and the problems of a text as one string. For the tests of definitions. */
#ifndef SUNLINE_TEST_LINE_WORLD_H
#define SUNLINE_TEST_LINE_WORLD_H
#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/linefile.h"
#include "proto/linedef.h"

static inline void collect(void *arg, const char *path, const char *text)
{
    struct slp_buf *b = arg;
    slp_buf_add(b, path, strlen(path));
    slp_buf_add(b, ": ", 2);
    slp_buf_add(b, text, strlen(text));
    slp_buf_add(b, "\n", 1);
}

/* Compile a good line; the test fails with its problems if it is not good. Free with ld_free. */
static inline struct ld_line *good_line(const char *yaml)
{
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_non_null(f);
    if (linefile_problem_count(f))
        fail_msg("%s", linefile_problem(f, 0));
    struct slp_buf problems = { 0 };
    struct slp_bytes packed = linefile_packed(f);
    struct ld_line *l = ld_compile(packed.p, packed.n, collect, &problems);
    if (!l)
        fail_msg("%.*s", (int)problems.n, problems.p);
    assert_int_equal(problems.n, 0);
    slp_buf_free(&problems);
    linefile_free(&f);
    return l;
}

/* All problems of a text, each on a line, as `sunline line check` shows them. */
static inline void expect_problems(const char *yaml, const char *wanted)
{
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_non_null(f);
    size_t n = linefile_check(f);
    struct slp_buf all = { 0 };
    for (size_t i = 0; i < n; i++) {
        slp_buf_add(&all, linefile_problem(f, i), strlen(linefile_problem(f, i)));
        slp_buf_add(&all, "\n", 1);
    }
    slp_buf_add(&all, "", 1);
    assert_string_equal(all.p, wanted);
    assert_true((linefile_line(f) != NULL) == (n == 0));
    slp_buf_free(&all);
    linefile_free(&f);
}

static inline bool is(struct slp_bytes b, const char *s)
{
    return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}
#endif
