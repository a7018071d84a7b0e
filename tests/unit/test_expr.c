/* Conditions: what is true, what binds how, what null does to it, and how numbers and texts compare. */
#include "tests/unit/line_world.h"

/* Values of the fields that the conditions below name: a, b, c of the input. */
struct values {
    const char *packed[3];
    size_t n[3];
};
static struct slp_bytes get(void *arg, struct ld_ref ref)
{
    const struct values *v = arg;
    assert_int_equal(ref.station, -1);
    assert_in_range(ref.field, 0, 2);
    return (struct slp_bytes){ v->packed[ref.field], (uint32_t)v->n[ref.field] };
}

static bool eval_with(const char *when, const struct values *v)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "line: l\ninput: [{name: a, type: general}, {name: b, type: general}, {name: c, type: general}]\n"
             "stations:\n  - name: s\n    when: >-\n      %s\n",
             when);
    struct ld_line *l = good_line(yaml);
    bool yes = ld_when(&l->stations[0], get, (void *)(uintptr_t)v);
    ld_free(&l);
    return yes;
}

enum kind { NIL, TEXT, INT, DOUBLE, TRUE, FALSE, LIST };
struct operand {
    enum kind kind;
    const char *text;
    double number;
};
static void pack(struct slp_buf *b, struct operand o)
{
    switch (o.kind) {
    case NIL: slp_pack_nil(b); break;
    case TEXT: slp_pack_cstr(b, o.text); break;
    case INT: slp_pack_i64(b, (int64_t)o.number); break;
    case DOUBLE: slp_pack_double(b, o.number); break;
    case TRUE:
    case FALSE: slp_pack_bool(b, o.kind == TRUE); break;
    case LIST:
        slp_pack_array(b, 1);
        slp_pack_cstr(b, "x");
        break;
    }
}

static bool eval(const char *when, struct operand a, struct operand b)
{
    struct slp_buf pa = { 0 }, pb = { 0 };
    pack(&pa, a);
    pack(&pb, b);
    struct values v = { { pa.p, pb.p, NULL }, { pa.n, pb.n, 0 } };
    bool yes = eval_with(when, &v);
    slp_buf_free(&pa);
    slp_buf_free(&pb);
    return yes;
}
#define T(s) ((struct operand){ TEXT, s, 0 })
#define I(v) ((struct operand){ INT, NULL, v })
#define D(v) ((struct operand){ DOUBLE, NULL, v })
#define N ((struct operand){ NIL, NULL, 0 })
#define YES ((struct operand){ TRUE, NULL, 0 })
#define NO ((struct operand){ FALSE, NULL, 0 })

/* How a and b compare, as one word: "<", "=", ">", "!" (differ, neither is less), "-" (nothing is true). */
static char relation(struct operand a, struct operand b)
{
    bool eq = eval("a == b", a, b), ne = eval("a != b", a, b), lt = eval("a < b", a, b), le = eval("a <= b", a, b),
         gt = eval("a > b", a, b), ge = eval("a >= b", a, b);
    if (eq && !ne && !lt && le && !gt && ge)
        return '=';
    if (!eq && ne && lt && le && !gt && !ge)
        return '<';
    if (!eq && ne && !lt && !le && gt && ge)
        return '>';
    if (!eq && ne && !lt && !le && !gt && !ge)
        return '!';
    return !eq && !ne && !lt && !le && !gt && !ge ? '-' : '?';
}

static void values_compare(void **state)
{
    (void)state;
    const struct {
        struct operand a, b;
        char relation;
    } rows[] = {
        /* numbers, however they come */
        { I(2), I(10), '<' },
        { T("2"), T("10"), '<' },
        { T("2"), I(10), '<' },
        { I(2), D(2.0), '=' },
        { T("0.1"), D(0.1), '=' },
        { T("1.50"), T("1.5"), '=' },
        { T("1e2"), T("100"), '=' },
        { T("-1"), T("-2"), '>' },
        { I(-1), I(1), '<' },
        { T("-0"), T("0.0"), '=' },
        { T("+5"), T("5"), '=' },
        { T(".5"), T("0.5"), '=' },
        { T("1e-3"), T("0.001"), '=' },
        { T("007"), T("7"), '=' },
        { T("10"), T("9.99"), '>' },
        { T("-10"), T("9.99"), '<' },
        { T("1e9999"), T("1e-9999"), '>' },
        { I(-9223372036854775807.0 - 1), T("-9223372036854775808"), '=' },
        /* exact, where doubles would not be */
        { T("12345678901234567890"), T("12345678901234567891"), '<' },
        { T("0.1000000000000000000001"), T("0.1"), '>' },
        /* texts, by bytes */
        { T("abc"), T("abd"), '<' },
        { T("abc"), T("ab"), '>' },
        { T("B"), T("a"), '<' },
        { T("x"), T("x"), '=' },
        { T(""), T("a"), '<' },
        { T("\xc3\xa4"), T("z"), '>' },
        { T("10a"), T("9"), '<' },
        { T("0x10"), T("16"), '<' },
        { T(" 1"), T("1"), '<' },
        { T("1e"), T("1"), '>' },
        { T("."), T("."), '=' },
        { T("inf"), T("inf"), '=' },
        { T("1e99999"), T("1e99999"), '=' },
        { I(5), T("abc"), '<' },
        /* a number with a fraction has no text of its own */
        { D(0.5), T("abc"), '!' },
        { D(0.5), T("0.5"), '=' },
        { D(0.0 / 0.0), D(1), '!' },
        /* booleans are their words */
        { YES, YES, '=' },
        { YES, T("true"), '=' },
        { NO, T("false"), '=' },
        { NO, YES, '<' },
        { YES, I(1), '>' },
        /* null: nothing is true */
        { N, N, '-' },
        { N, T(""), '-' },
        { N, I(0), '-' },
        { N, NO, '-' },
        { T("x"), N, '-' },
        { { LIST, NULL, 0 }, T("x"), '!' },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char mirrored = rows[i].relation == '<' ? '>' : rows[i].relation == '>' ? '<' : rows[i].relation;
        if (relation(rows[i].a, rows[i].b) != rows[i].relation || relation(rows[i].b, rows[i].a) != mirrored)
            fail_msg("row %zu: %c, wanted %c", i, relation(rows[i].a, rows[i].b), rows[i].relation);
    }
}

static void null_makes_comparisons_false_and_is_tested_with_equals(void **state)
{
    (void)state;
    const struct {
        const char *when;
        bool null, given;
    } rows[] = {
        { "a == null", true, false },
        { "a != null", false, true },
        { "null == a", true, false },
        { "null != a", false, true },
        { "a == 1", false, true },
        { "a != 1", false, false },
        { "a != 2", false, true },
        { "not a == 1", true, false },
        { "not a != 2", true, false },
        { "a < 5 or a >= 5", false, true },
        { "a == null or a != 2", true, true },
        { "a", false, false },
        { "not a", true, true },
        { "null == null", true, true },
        { "null != null", false, false },
        { "a == b", false, false },
        { "a == a", false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (eval(rows[i].when, N, N) != rows[i].null || eval(rows[i].when, T("1"), N) != rows[i].given)
            fail_msg("%s", rows[i].when);
    struct values nothing = { { NULL, NULL, NULL }, { 0, 0, 0 } }; /* a skipped field: no bytes at all */
    assert_true(eval_with("a == null and b == null", &nothing));
    assert_false(eval_with("a == 1 or a != 1 or a < 1 or a >= 1", &nothing));
}

static void a_field_alone_is_true_if_it_says_true(void **state)
{
    (void)state;
    const struct {
        struct operand a;
        bool yes;
    } rows[] = {
        { YES, true },     { NO, false },   { T("true"), true }, { T("false"), false }, { T("True"), false },
        { T("1"), false }, { I(1), false }, { D(1), false },     { N, false },          { T(""), false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(eval("a", rows[i].a, N), rows[i].yes);
        assert_int_equal(eval("not a", rows[i].a, N), !rows[i].yes);
    }
    assert_true(eval("true", N, N));
    assert_false(eval("false", N, N));
}

static bool truth(int bits, int i)
{
    return bits >> i & 1;
}

static void and_or_not_bind_as_documented(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        bool a = truth(bits, 0), b = truth(bits, 1), c = truth(bits, 2);
        static const char t[] = "\xc3", f[] = "\xc2";
        struct values v = { { a ? t : f, b ? t : f, c ? t : f }, { 1, 1, 1 } };
        const struct {
            const char *when;
            bool yes;
        } rows[] = {
            { "a and b", a && b },
            { "a or b", a || b },
            { "not a", !a },
            { "not not a", a },
            { "a or b and c", a || (b && c) },
            { "a and b or c", (a && b) || c },
            { "(a or b) and c", (a || b) && c },
            { "not a and b", !a && b },
            { "not a or b", !a || b },
            { "not (a and b)", !(a && b) },
            { "not (a or b) and c", !(a || b) && c },
            { "a and not b and not c", a && !b && !c },
            { "a or not b or not c", a || !b || !c },
            { "not a == true", !a },
            { "not a == b", !(a == b) },
            { "a == b and b == c", a == b && b == c },
            { "a == b or b == c and a", a == b || (b == c && a) },
            { "((a)) and (((b or c)))", a && (b || c) },
            { "true and a", a },
            { "false or not a", !a },
            { "a!=b", a != b },
            { "(a)and(b)", a && b },
            { "not(a)", !a },
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (eval_with(rows[i].when, &v) != rows[i].yes)
                fail_msg("%s with a=%d b=%d c=%d", rows[i].when, a, b, c);
    }
}

static void literals_are_read_as_written(void **state)
{
    (void)state;
    assert_true(eval("a == 'it is \"so\"'", T("it is \"so\""), N));
    assert_true(eval("a == \"it's\"", T("it's"), N));
    assert_true(eval("a == -1.5e+2", I(-150), N));
    assert_true(eval("a==+2", I(2), N));
    assert_true(eval("a<-1", I(-2), N));
    assert_true(eval("'' == a", T(""), N));
    assert_true(eval("'a' < 'b'", N, N));
    assert_true(eval("2 < 10", N, N));
    assert_true(eval("'2' < '10'", N, N)); /* decimal texts are numbers here, too */
    assert_true(eval("a == 'and or not (null) \\ '", T("and or not (null) \\ "), N));
}

static void a_long_condition_compiles_up_to_the_limit(void **state)
{
    (void)state;
    char when[8192] = "a";
    for (int i = 1; i < 64; i++) /* 64 tests and 63 ors: 127 */
        strcat(when, " or a");
    struct values v = { { "\xc2", NULL, NULL }, { 1, 0, 0 } };
    char yaml[10000];
    const char *head = "line: l\ninput: [{name: a, type: general}]\nstations:\n  - name: s\n    when: ";
    snprintf(yaml, sizeof yaml, "%s%s\n", head, when);
    struct ld_line *l = good_line(yaml);
    assert_false(ld_when(&l->stations[0], get, &v));
    ld_free(&l);
    strcat(when, " or a");
    snprintf(yaml, sizeof yaml, "%s%s\n", head, when);
    expect_problems(yaml,
                    "l.yml:5:5: 'when', column 1: the condition is too long: more than 128 operators and values\n");
    snprintf(yaml, sizeof yaml, "%s%.*sa%.*s\n", head, 64,
             "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", 64,
             "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))");
    l = good_line(yaml);
    ld_free(&l);
    snprintf(yaml, sizeof yaml, "%s(%.*sa%.*s)\n", head, 64,
             "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", 64,
             "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))");
    expect_problems(yaml, "l.yml:5:5: 'when', column 65: the condition is nested too deeply\n");
}

static void names_may_look_like_much(void **state)
{
    (void)state;
    struct ld_line *l =
        good_line("line: l\ninput: [{name: 2nd-try, type: text}, {name: order, type: text}]\nstations:\n"
                  "  - {name: v1.2, form: {fields: [{name: not-ok, type: text}]}}\n"
                  "  - {name: s, when: 2nd-try == 1 and v1.2.not-ok == null or order == 2}\n");
    assert_non_null(l->stations[1].when);
    assert_null(l->stations[0].when);
    assert_true(ld_when(&l->stations[0], get, NULL)); /* no condition: always */
    ld_free(&l);
}

static void what_is_no_condition_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *when, *says;
    } rows[] = {
        { "''", "column 1: the condition ends where a value should stand" },
        { "'a =='", "column 5: the condition ends where a value should stand" },
        { "'== 1'", "column 1: a value should stand here" },
        { "'a == )'", "column 6: a value should stand here" },
        { "'(a == 1'", "column 1: this parenthesis is not closed" },
        { "'a == 1)'", "column 7: " },
        { "'a == 1 2'", "column 8: " },
        { "'a and'", "column 6: the condition ends where a value should stand" },
        { "'not'", "column 4: the condition ends where a value should stand" },
        { "'a or (b and )'", "column 13: a value should stand here" },
        { "'a = 1'", "column 3: '=' does not compare: write ==" },
        { "'a <> 1'", "column 3: '<>' is written !=" },
        { "'a && b'", "column 3: '&&' is written and" },
        { "'a || b'", "column 3: '||' is written or" },
        { "'!a'", "column 1: '!' is written not" },
        { "'a == #'", "column 6: this character has no meaning here" },
        { "'a == \"x'", "column 6: the closing quote is missing" },
        { "'a == -'", "column 6: this is neither a number nor a name" },
        { "'a == -x'", "column 6: this is neither a number nor a name" },
        { "'a == +x'", "column 6: this is neither a number nor a name" },
        { "'a == .x'", "column 6: this is neither a number nor a name" },
        { "'a == 1 and d == 2'", "column 12: " },
        { "'1'", "column 1: " },
        { "'\"x\"'", "column 1: " },
        { "'null'", "column 1: " },
        { "'null < a'", "column " },
        { "'a < null'", "column " },
        { "'radio == 1'", "'1' is no option of 'radio'" },
        { "'radio != \"z\"'", "'z' is no option of 'radio'" },
        { "'\"z\" == radio'", "'z' is no option of 'radio'" },
        { "'radio == true'", "'true' is no option of 'radio'" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml,
                 "line: l\ninput: [{name: a, type: general}, {name: b, type: general}, {name: radio, type: text, "
                 "options: [x, y]}]\n"
                 "stations:\n  - name: s\n    when: %s\n",
                 rows[i].when);
        struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
        assert_non_null(f);
        size_t n = linefile_check(f);
        if (n != 1 || !strstr(linefile_problem(f, 0), rows[i].says))
            fail_msg("%s: %zu problems, '%s', not '%s'", rows[i].when, n, n ? linefile_problem(f, 0) : "",
                     rows[i].says);
        linefile_free(&f);
    }
}

static void options_may_be_compared_with_what_is_none_where_it_says_something(void **state)
{
    (void)state;
    static const char *const rows[] = { "radio == null", "radio < \"z\"", "radio == \"x\"",
                                        "radio != a",    "a == \"z\"",    "a\\t==\\n1\\r and b" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char yaml[1024];
        bool quoted = strchr(rows[i], '\\') != NULL; /* with escapes of YAML: blanks of every kind */
        snprintf(yaml, sizeof yaml,
                 "line: l\ninput: [{name: a, type: general}, {name: b, type: general}, {name: radio, type: text, "
                 "options: [x, y]}]\n"
                 "stations:\n  - name: s\n    when: %s%s%s\n",
                 quoted ? "\"" : "'", rows[i], quoted ? "\"" : "'");
        struct ld_line *l = good_line(yaml);
        ld_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_compare),
        cmocka_unit_test(null_makes_comparisons_false_and_is_tested_with_equals),
        cmocka_unit_test(a_field_alone_is_true_if_it_says_true),
        cmocka_unit_test(and_or_not_bind_as_documented),
        cmocka_unit_test(literals_are_read_as_written),
        cmocka_unit_test(a_long_condition_compiles_up_to_the_limit),
        cmocka_unit_test(names_may_look_like_much),
        cmocka_unit_test(what_is_no_condition_is_told_with_its_place),
        cmocka_unit_test(options_may_be_compared_with_what_is_none_where_it_says_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
