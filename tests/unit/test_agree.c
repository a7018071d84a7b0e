/* How answers become one (agree.h): what is the same, who leads, what a tie means, and the posterior against figures computed by hand. */
#include <stdio.h>

#include "broker/engine/agree.h"
#include "tests/unit/line_world.h"

/* Answers of a station, as packed rows. */
struct poll {
    struct ld_line *line;
    struct slp_buf b[16];
    struct agree_answer a[16];
    uint32_t n;
    struct agree_verdict v;
};

static void open_poll(struct poll *p, const char *copies, const char *fields)
{
    char yaml[2048];
    memset(p, 0, sizeof *p);
    snprintf(yaml, sizeof yaml,
             "line: l\ninput: [{name: i, type: text}]\nstations:\n  - name: s\n    %s\n    form: {fields: [%s]}\n",
             copies, fields);
    p->line = good_line(yaml);
}

static void close_poll(struct poll *p)
{
    for (uint32_t i = 0; i < 16; i++)
        slp_buf_free(&p->b[i]);
    ld_free(&p->line);
}

static struct slp_buf *answer(struct poll *p)
{
    struct slp_buf *b = &p->b[p->n++];
    slp_buf_clear(b);
    return b;
}

static void say(struct poll *p, const char *text)
{
    slp_pack_cstr(answer(p), text);
}

static void decide(struct poll *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        p->a[i].values = (struct slp_list){ p->b[i].p, (uint32_t)p->b[i].n, 1 };
    }
    agree_decide(&p->line->stations[0], p->a, p->n, &p->v);
}

static void say_all(struct poll *p, const char *letters)
{
    for (p->n = 0; *letters; letters++)
        say(p, (char[]){ *letters, 0 });
    decide(p);
}

static bool same(struct poll *p)
{
    assert_int_equal(p->n, 2);
    decide(p);
    p->n = 0;
    return p->v.votes == 2;
}

static bool same_texts(struct poll *p, const char *a, const char *b)
{
    say(p, a);
    say(p, b);
    return same(p);
}

#define RADIO "{name: f, type: radio, options: [a, b, c], required: true}"

static void most_votes_win(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 3, max: 5}\n    agree: {method: plurality, ties: more}", RADIO);
    say_all(&p, "bab");
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.rule, LD_RULE_PLURALITY);
    assert_int_equal(p.v.winner, 0);
    assert_int_equal(p.v.votes, 2);
    assert_int_equal(p.v.answers, 3);
    assert_int_equal(p.v.confidence_micros, 666666);
    say_all(&p, "abbccc");
    assert_int_equal(p.v.winner, 3);
    assert_int_equal(p.v.confidence_micros, 500000);
    close_poll(&p);
}

static void a_tie_is_what_the_station_says(void **state)
{
    (void)state;
    static const struct {
        const char *ties, *answers;
        enum agree_what what;
        enum ld_rule rule;
        uint32_t winner;
    } cases[] = {
        { "more", "abc", AGREE_MORE, LD_RULE_MAX, 0 },       { "more", "abcab", AGREE_DONE, LD_RULE_MAX, 0 },
        { "first", "cab", AGREE_DONE, LD_RULE_FIRST, 0 },    { "first", "acbcb", AGREE_DONE, LD_RULE_FIRST, 1 },
        { "review", "abc", AGREE_DONE, LD_RULE_REVIEW, 0 },  { "fail", "abc", AGREE_FAIL, LD_RULE_PLURALITY, 0 },
        { "fail", "abb", AGREE_DONE, LD_RULE_PLURALITY, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct poll p;
        char copies[128];
        snprintf(copies, sizeof copies, "copies: {min: 3, max: 5}\n    agree: {method: plurality, ties: %s}",
                 cases[i].ties);
        open_poll(&p, copies, RADIO);
        say_all(&p, cases[i].answers);
        assert_int_equal(p.v.what, cases[i].what);
        if (p.v.what == AGREE_DONE) {
            assert_int_equal(p.v.rule, cases[i].rule);
            assert_int_equal(p.v.winner, cases[i].winner);
        }
        close_poll(&p);
    }
}

static void all_are_kept_by_method_all(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 3}\n    agree: {method: all}", RADIO);
    say_all(&p, "abc");
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.rule, LD_RULE_ALL);
    assert_int_equal(p.v.answers, 3);
    assert_int_equal(p.v.votes, 3);
    close_poll(&p);
}

static void texts_agree_to_the_byte_unless_told_otherwise(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first}", "{name: f, type: short_answer}");
    assert_true(same_texts(&p, "Ram Bahadur", "Ram Bahadur"));
    assert_false(same_texts(&p, "Ram Bahadur", "ram bahadur"));
    assert_false(same_texts(&p, "Ram", "Ram "));
    assert_true(same_texts(&p, "", ""));
    close_poll(&p);
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first, ignore: [case, space]}",
              "{name: f, type: short_answer}");
    assert_true(same_texts(&p, "  Ram   Bahadur", "ram bahadur\t\n"));
    assert_true(same_texts(&p, "Medellín ÁÉÍÑÜ", "MEDELLÍN áéíñü"));
    assert_true(same_texts(&p, "ŁÓDŹ Žižkov Ÿ", "łódź ŽIŽKOV ÿ"));
    assert_true(same_texts(&p, "ΑΘΗΝΑ Москва Ёлка", "αθηνα МОСКВА ёлка"));
    assert_true(same_texts(&p, "काठमाडौं", " काठमाडौं "));
    assert_false(same_texts(&p, "काठमाडौं", "काठमाडौ"));
    assert_false(same_texts(&p, "ab", "a b"));
    assert_false(same_texts(&p, "×", "÷")); /* 0xd7 is no letter */
    assert_false(same_texts(&p, "ab", "abc"));
    assert_false(same_texts(&p, "abc", "ab"));
    slp_pack_str(answer(&p), "ab\0", 3);
    slp_pack_cstr(answer(&p), "ab");
    assert_false(same(&p)); /* a NUL is a letter, too */
    assert_true(same_texts(&p, "a\xc2\xa0z\rb", "a z b"));
    close_poll(&p);
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first, ignore: [space]}",
              "{name: f, type: short_answer}");
    assert_true(same_texts(&p, "a  b ", "a b"));
    assert_false(same_texts(&p, "A b", "a b"));
    assert_true(same_texts(&p, "   ", "\t"));
    close_poll(&p);
}

static bool same_number_texts(struct poll *p, const char *a, const char *b)
{
    return same_texts(p, a, b);
}

static bool same_doubles(struct poll *p, double a, double b)
{
    slp_pack_double(answer(p), a);
    slp_pack_double(answer(p), b);
    return same(p);
}

static void numbers_agree_by_value(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first}", "{name: f, type: number}");
    assert_true(same_number_texts(&p, "1.50", "1.5"));
    assert_true(same_number_texts(&p, "1e3", "1000"));
    assert_true(same_number_texts(&p, "123456789012345678901234567890.5", "123456789012345678901234567890.50"));
    assert_false(same_number_texts(&p, "123456789012345678901234567890.5", "123456789012345678901234567890.51"));
    assert_false(same_number_texts(&p, "1", "-1"));
    slp_pack_u64(answer(&p), 12);
    slp_pack_cstr(answer(&p), "12.0");
    assert_true(same(&p));
    slp_pack_i64(answer(&p), -12);
    slp_pack_cstr(answer(&p), "-12");
    assert_true(same(&p));
    slp_pack_double(answer(&p), 0.1);
    slp_pack_cstr(answer(&p), "0.1");
    assert_true(same(&p));
    assert_true(same_doubles(&p, 1e300, 1e300));
    assert_false(same_doubles(&p, 1e300, 1e301));
    assert_true(same_doubles(&p, 0.0, -0.0));
    slp_pack_nil(answer(&p));
    slp_pack_u64(answer(&p), 0);
    assert_false(same(&p));
    slp_pack_nil(answer(&p));
    slp_pack_cstr(answer(&p), "");
    assert_true(same(&p));
    close_poll(&p);
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first, tolerance: 0.05}",
              "{name: f, type: number}");
    assert_true(same_number_texts(&p, "10", "10.05"));
    assert_false(same_number_texts(&p, "10", "10.050001"));
    assert_true(same_number_texts(&p, "-0.02", "0.03"));
    assert_true(same_number_texts(&p, "1e-9", "0"));
    assert_true(same_number_texts(&p, "1.00000000000000000000001", "1.01"));
    assert_true(
        same_number_texts(&p, "1e20", "100000000000000000000")); /* so large that only what is equal is the same */
    assert_false(same_number_texts(&p, "1e20", "100000000000000000000.01"));
    assert_false(same_number_texts(&p, "1e20", "1"));
    assert_false(same_number_texts(&p, "1", "1e20"));
    assert_true(same_doubles(&p, 2.50, 2.55));
    assert_true(same_number_texts(&p, "99999999999999999999999", "99999999999999999999999"));
    assert_false(same_number_texts(&p, "99999999999999999999999", "99999999999999999999998"));
    close_poll(&p);
}

static void lists_agree_in_any_order(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 2}\n    agree: {method: plurality, ties: first}",
              "{name: f, type: check_box, options: [a, b, c]}");
    struct slp_buf *b = answer(&p);
    slp_pack_array(b, 2);
    slp_pack_cstr(b, "a");
    slp_pack_cstr(b, "c");
    b = answer(&p);
    slp_pack_array(b, 2);
    slp_pack_cstr(b, "c");
    slp_pack_cstr(b, "a");
    assert_true(same(&p));
    b = answer(&p);
    slp_pack_array(b, 1);
    slp_pack_cstr(b, "a");
    b = answer(&p);
    slp_pack_array(b, 2);
    slp_pack_cstr(b, "a");
    slp_pack_cstr(b, "b");
    assert_false(same(&p));
    slp_pack_array(answer(&p), 0);
    slp_pack_nil(answer(&p));
    assert_true(same(&p));
    close_poll(&p);
}

static void only_the_fields_named_must_agree(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 2}\n    agree: {on: [g], method: plurality, ties: first}",
              "{name: f, type: short_answer}, {name: g, type: short_answer}, {name: h, type: short_answer}");
    for (int i = 0; i < 2; i++) {
        struct slp_buf *b = answer(&p);
        slp_pack_cstr(b, i ? "x" : "y");
        slp_pack_cstr(b, "same");
        slp_pack_cstr(b, i ? "z" : "w");
    }
    decide(&p);
    assert_int_equal(p.v.votes, 2);
    close_poll(&p);
}

#define POSTERIOR "copies: {min: 1, max: 10}\n    agree: {method: posterior, confidence: 0.95}"
#define TWO "{name: f, type: radio, options: [a, b], required: true}"

/* q = (0.5 + correct) / (1 + total); with two answers the factor of a vote is q / (1 - q). */
static void the_posterior_is_that_of_the_formula(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, POSTERIOR, TWO);
    p.a[0].correct = 9, p.a[0].total = 9; /* q = 9.5/10 = 0.95, odds 19 */
    say_all(&p, "a");
    assert_in_range(p.v.confidence_micros, 949999, 950000);
    p.a[0].correct = 3, p.a[0].total = 4; /* q = 3.5/5 = 0.7, odds 7/3; another of q = 4.5/5 = 0.9, odds 9 */
    p.a[1].correct = 4, p.a[1].total = 4;
    say_all(&p, "aa"); /* 21 / 22 */
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.rule, LD_RULE_POSTERIOR);
    assert_in_range(p.v.confidence_micros, 954544, 954545);
    say_all(&p, "ab"); /* 9 / (9 + 7/3) */
    assert_int_equal(p.v.what, AGREE_MORE);
    assert_int_equal(p.v.winner, 1);
    assert_int_equal(p.v.votes, 1);
    assert_in_range(p.v.confidence_micros, 794116, 794117);
    p.a[0].correct = 0,
    p.a[0].total = 9; /* q = 0.05: who is mostly wrong speaks for the other answer, which nobody gave */
    say_all(&p, "a");
    assert_in_range(p.v.confidence_micros, 49999, 50000);
    assert_int_equal(p.v.what, AGREE_MORE);
    assert_int_equal(p.v.winner, 0);
    close_poll(&p);
}

static void where_there_is_only_one_answer_to_give_it_is_certain(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, "copies: {min: 2, max: 3}\n    agree: {method: posterior, confidence: 0.9}",
              "{name: f, type: radio, options: [a], required: true}");
    say_all(&p, "aa");
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.confidence_micros, 1000000);
    close_poll(&p);
}

static void without_control_answers_two_options_stay_even(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, POSTERIOR, TWO);
    say_all(&p, "aaaaaaaaa"); /* q = 0.5 of two answers tells nothing */
    assert_int_equal(p.v.confidence_micros, 500000);
    assert_int_equal(p.v.what, AGREE_MORE);
    say_all(&p, "aaaaaaaaab");
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.rule, LD_RULE_MAX);
    close_poll(&p);
    open_poll(&p, POSTERIOR, RADIO);
    say_all(&p, "aaa"); /* of three, q / ((1 - q) / 2) = 2 a vote: 8 / (8 + 1 + 1) */
    assert_in_range(p.v.confidence_micros, 799999, 800000);
    close_poll(&p);
}

static void the_order_of_answers_does_not_move_a_posterior(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, POSTERIOR, RADIO);
    static const uint32_t correct[6] = { 3, 0, 7, 2, 2, 11 }, total[6] = { 4, 1, 9, 5, 2, 13 };
    uint32_t first = 0;
    for (int turn = 0; turn < 6; turn++) {
        char letters[7] = "";
        for (int i = 0; i < 6; i++) {
            int k = (i + turn) % 6;
            p.a[i].correct = correct[k], p.a[i].total = total[k];
            letters[i] = k < 4 ? 'a' : 'b';
        }
        say_all(&p, letters);
        if (turn == 0)
            first = p.v.confidence_micros;
        assert_int_equal(p.v.confidence_micros, first);
    }
    close_poll(&p);
}

/* The largest qualities and the most answers: no overflow, a share of at most one. */
static void extreme_qualities_stay_in_bounds(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, POSTERIOR, TWO);
    for (int i = 0; i < 10; i++)
        p.a[i].correct = p.a[i].total = 2000000000;
    say_all(&p, "aaaaaaaaaa");
    assert_in_range(p.v.confidence_micros, 999999, 1000000);
    say_all(&p, "aaaaabbbbb");
    assert_in_range(p.v.confidence_micros, 499999, 500000);
    for (int i = 0; i < 10; i++)
        p.a[i].correct = 0;
    say_all(&p, "aaaaaaaaaa");
    assert_in_range(p.v.confidence_micros, 0, 1);
    close_poll(&p);
}

/* Both of two answers were given, by workers who were right nowhere: what nobody answered is no more there to compare with, and neither vanishes beside it. */
static void where_all_answers_were_given_by_who_is_mostly_wrong_they_still_have_shares(void **state)
{
    (void)state;
    struct poll p;
    open_poll(&p, POSTERIOR, TWO);
    for (int i = 0; i < 10; i++)
        p.a[i].correct = 0, p.a[i].total = 10000;
    say_all(&p, "aaaaabbbbb");
    assert_int_equal(p.v.winner, 0);
    assert_in_range(p.v.confidence_micros, 499999, 500000);
    p.a[0].total = 9999; /* (1 / 19999) / (1 / 19999 + 1 / 20001) */
    say_all(&p, "aaaaabbbbb");
    assert_in_range(p.v.confidence_micros, 500024, 500025);
    for (int i = 0; i < 8; i++) /* 2^-57: not nothing beside what nobody answered, but cut short */
        p.a[i].total = i < 4 ? 10000 : 9800;
    say_all(&p, "aaaabbbb"); /* 20001^4 / (20001^4 + 19601^4) */
    assert_int_equal(p.v.winner, 4);
    assert_in_range(p.v.confidence_micros, 520190, 520191);
    close_poll(&p);
    open_poll(&p, "copies: {min: 1, max: 14}\n    agree: {method: posterior, confidence: 0.95}", RADIO);
    for (int i = 0; i < 14; i++)
        p.a[i].correct = 0, p.a[i].total = 10000;
    say_all(&p, "aaaaaaaabbbbbb"); /* beside c, which nobody gave, both are nothing: b is less unlikely */
    assert_int_equal(p.v.what, AGREE_DONE);
    assert_int_equal(p.v.winner, 8);
    assert_int_equal(p.v.confidence_micros, 0);
    close_poll(&p);
}

/* One field's values, as packed bytes; "" is missing. */
static void values_are_the_same_as_their_kind_says(void **state)
{
    (void)state;
    enum { CASE = 1, SPACE = 2 };
    static const struct {
        enum ld_type type;
        const char *a, *b;
        unsigned ignore;
        int64_t tolerance;
        bool same;
    } rows[] = {
        { LD_NUMBER, "\x05",
          "\xa3"
          "5.0",
          0, 0, true },
        { LD_NUMBER, "\x05", "\xff", 0, 0, false },
        { LD_NUMBER, "\xff",
          "\xa2"
          "-1",
          0, 0, true },
        { LD_NUMBER, "\xff", "\xd1\xff\xff", 0, 0, true },
        { LD_NUMBER, "\x05", "\xcb\x40\x14\0\0\0\0\0\0", 0, 0, true },
        { LD_NUMBER, "\x05", "\xcb\x40\x14\1\0\0\0\0\0", 0, 0, false },
        { LD_NUMBER, "\xcb\x40\x14\0\0\0\0\0\1", "\xcb\x40\x14\0\0\0\0\0\1", 0, 0, true },
        { LD_NUMBER, "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", 0, 5,
          true }, /* too large to be fixed */
        { LD_NUMBER, "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xfe", 0, 5, false },
        { LD_NUMBER, "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "\x05", 0, 5, false },
        { LD_NUMBER, "\x05", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", 0, 5, false },
        { LD_NUMBER,
          "\xa5"
          "1e400",
          "\xa6"
          "10e399",
          0, 5, true },
        { LD_NUMBER,
          "\xa5"
          "1e400",
          "\xa5"
          "1e401",
          0, 5, false },
        { LD_NUMBER,
          "\xa5"
          "1e400",
          "\xcb\x40\x14\0\0\0\0\0\0", 0, 5, false },
        { LD_NUMBER,
          "\xa4"
          "1.01",
          "\xa4"
          "1.02",
          0, 10000, true },
        { LD_NUMBER,
          "\xa4"
          "1.02",
          "\xa4"
          "1.01",
          0, 9999, false },
        { LD_NUMBER,
          "\xa3"
          "one",
          "\x01", 0, 0, false },
        { LD_NUMBER, "\x01",
          "\xa3"
          "one",
          0, 0, false },
        { LD_NUMBER, "\xc3", "\xc3", 0, 0, false }, /* what is no number is like none */
        { LD_NUMBER, "\x01", "\xc3", 0, 0, false },
        { LD_TEXT, "", "\xc0", 0, 0, true },
        { LD_TEXT, "\xa0", "\x90", 0, 0, true },
        { LD_TEXT, "\xa1x", "\xc0", 0, 0, false },
        { LD_TEXT, "\xc0", "\xa1x", 0, 0, false },
        { LD_TEXT, "\xc1", "\xa1x", 0, 0, false }, /* what cannot be read agrees with nothing */
        { LD_TEXT, "\xa1x", "\xc1", 0, 0, false },
        { LD_TEXT, "\xa1x", "\x91\xa1x", 0, 0, false },
        { LD_TEXT, "\x91\xa1x", "\xa1x", 0, 0, false },
        { LD_TEXT, "\xc3", "\xc3", 0, 0, true },
        { LD_TEXT, "\xc3", "\xc2", 0, 0, false },
        { LD_TEXT, "\x01", "\xc3", 0, 0, false },
        { LD_TEXT, "\xa1x", "\xc3", 0, 0, false },
        { LD_TEXT, "\xa1x", "\xa2xy", 0, 0, false },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa5 a\t b", SPACE, 0, true },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa4"
          "a b ",
          SPACE, 0, true },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa2"
          "ab",
          SPACE, 0, false },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa3"
          "A b",
          SPACE, 0, false },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa4"
          "A  b",
          CASE, 0, false }, /* blanks count where only case does not */
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa4"
          "a\xc2\xa0"
          "b",
          SPACE, 0, true },
        { LD_TEXT,
          "\xa3"
          "a b",
          "\xa3"
          "a\x1f"
          "b",
          SPACE, 0, false },
        { LD_TEXT,
          "\xa1"
          "Q",
          "\xa1"
          "q",
          CASE, 0, true },
        { LD_TEXT,
          "\xa1"
          "@",
          "\xa1"
          "`",
          CASE, 0, false }, /* 0x40 and 0x60, the other side of A */
        { LD_TEXT,
          "\xa1"
          "[",
          "\xa1"
          "{",
          CASE, 0, false },                                          /* ... and of Z */
        { LD_TEXT, "\xa2\xc3\x9e", "\xa2\xc3\xbe", CASE, 0, true },  /* thorn */
        { LD_TEXT, "\xa2\xc3\x97", "\xa2\xc3\xb7", CASE, 0, false }, /* a times is no capital division */
        { LD_TEXT, "\xa2\xc3\x9f", "\xa2\xc3\xbf", CASE, 0, false }, /* sharp s has no such small one */
        { LD_TEXT, "\xa2\xc5\xb8", "\xa2\xc3\xbf", CASE, 0, true },  /* Y with diaeresis */
        { LD_TEXT, "\xa2\xc4\x80", "\xa2\xc4\x81", CASE, 0, true },  /* A with macron */
        { LD_TEXT, "\xa2\xc4\xb0", "\xa2\xc4\xb1", CASE, 0, false }, /* I with a dot, i without one */
        { LD_TEXT, "\xa2\xc4\xb6", "\xa2\xc4\xb7", CASE, 0, true },
        { LD_TEXT, "\xa2\xc4\xb8", "\xa2\xc4\xb9", CASE, 0, false }, /* kra, L with acute */
        { LD_TEXT, "\xa2\xc4\xb9", "\xa2\xc4\xba", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\x87", "\xa2\xc5\x88", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\x89", "\xa2\xc5\x8a", CASE, 0, false },
        { LD_TEXT, "\xa2\xc5\x8a", "\xa2\xc5\x8b", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\xb6", "\xa2\xc5\xb7", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\xb9", "\xa2\xc5\xba", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\xbd", "\xa2\xc5\xbe", CASE, 0, true },
        { LD_TEXT, "\xa2\xc5\xbf", "\xa2\xc6\x80", CASE, 0, false },
        { LD_TEXT, "\xa2\xce\x91", "\xa2\xce\xb1", CASE, 0, true },  /* alpha */
        { LD_TEXT, "\xa2\xce\xa9", "\xa2\xcf\x89", CASE, 0, true },  /* omega */
        { LD_TEXT, "\xa2\xce\xa2", "\xa2\xcf\x82", CASE, 0, false }, /* there is no capital final sigma */
        { LD_TEXT, "\xa2\xce\xaa", "\xa2\xcf\x8a", CASE, 0, false },
        { LD_TEXT, "\xa2\xd0\x90", "\xa2\xd0\xb0", CASE, 0, true }, /* a */
        { LD_TEXT, "\xa2\xd0\x81", "\xa2\xd1\x91", CASE, 0, true }, /* yo */
        { LD_TEXT, "\xa2\xd0\xaf", "\xa2\xd1\x8f", CASE, 0, true },
        { LD_TEXT, "\xa2\xd0\xb0", "\xa2\xd1\x90", CASE, 0, false },
        { LD_TEXT, "\xa3\xe2\x82\xac", "\xa3\xe2\x82\xad", CASE, 0, false },
        { LD_TEXT, "\xa4\xf0\x9f\x98\x80", "\xa4\xf0\x9f\x98\x80", CASE, 0, true },
        { LD_TEXT, "\xa4\xf0\x9f\x98\x80", "\xa4\xf0\x9f\x98\x81", CASE, 0, false },
        { LD_CHECK_BOX, "\x92\xa1x\xa1y", "\x92\xa1y\xa1x", 0, 0, true },
        { LD_CHECK_BOX, "\x92\xa1x\xa1y", "\x91\xa1x", 0, 0, false },
        { LD_CHECK_BOX, "\x92\xa1x\xa1y", "\x92\xa1x\xa1z", 0, 0, false },
        { LD_CHECK_BOX, "\x91\xa1x", "\x91\xa2xy", 0, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct ld_field f = { .type = rows[i].type };
        const struct ld_copies how = { .ignore_case = rows[i].ignore & CASE,
                                       .ignore_space = rows[i].ignore & SPACE,
                                       .tolerance_micros = rows[i].tolerance };
        /* a double's zeros end no string */
        struct slp_bytes a = { rows[i].a, (uint8_t)rows[i].a[0] == 0xcb ? 9 : (uint32_t)strlen(rows[i].a) };
        struct slp_bytes b = { rows[i].b, (uint8_t)rows[i].b[0] == 0xcb ? 9 : (uint32_t)strlen(rows[i].b) };
        if (!a.n)
            a.p = NULL;
        if (agree_value_same(&f, &how, a, b) != rows[i].same)
            fail_msg("row %zu: '%s' and '%s' should%s be the same", i, rows[i].a, rows[i].b,
                     rows[i].same ? "" : " not");
        if (agree_value_same(&f, &how, b, a) != rows[i].same)
            fail_msg("row %zu: the other way round it is not so", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_votes_win),
        cmocka_unit_test(a_tie_is_what_the_station_says),
        cmocka_unit_test(all_are_kept_by_method_all),
        cmocka_unit_test(texts_agree_to_the_byte_unless_told_otherwise),
        cmocka_unit_test(numbers_agree_by_value),
        cmocka_unit_test(lists_agree_in_any_order),
        cmocka_unit_test(only_the_fields_named_must_agree),
        cmocka_unit_test(the_posterior_is_that_of_the_formula),
        cmocka_unit_test(where_there_is_only_one_answer_to_give_it_is_certain),
        cmocka_unit_test(without_control_answers_two_options_stay_even),
        cmocka_unit_test(the_order_of_answers_does_not_move_a_posterior),
        cmocka_unit_test(extreme_qualities_stay_in_bounds),
        cmocka_unit_test(where_all_answers_were_given_by_who_is_mostly_wrong_they_still_have_shares),
        cmocka_unit_test(values_are_the_same_as_their_kind_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
