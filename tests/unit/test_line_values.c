/* Every value of a definition that uses nearly every key, in turn replaced by values of every other kind, and every key by another one. The compiler
 * takes what is left as a line or tells what is wrong with it, in words; never both, never neither. */
#include "proto/ld_text.h"
#include "proto/reader.h"
#include "tests/unit/line_world.h"

static const char *const whole[] = {
    "line: whole\ntitle: A line\ncurrency: EUR\ninput:\n"
    "  - {name: text, type: text, required: true}\n  - {name: kind, type: text, options: [x, y, z]}\n"
    "  - {name: size, type: number, min: 0, max: 10.5}\n"
    "stations:\n"
    "  - name: judge\n    title: Judge\n    reward: 0.05\n    lease: 10m\n    start_by: "
    "2m\n"
    "    attempts: 3\n    backoff: 30s\n"
    "    worker: {kind: human, skills: {english: 2, law: 1}, prefer: best, not_hubs: [west], not_teams: [red]}\n"
    "    form: {title: Judge it, fields: [{name: verdict, type: radio, options: [yes, no], required: true},\n"
    "      {name: tags, type: check_box, options: [a, b, c]}, {name: score, type: number, min: 1, max: 5},\n"
    "      {name: note, type: long_answer, chars_max: 500}]}\n"
    "    copies: {min: 2, max: 5}\n"
    "    agree: {on: [verdict, note, score], method: plurality, ties: more, tolerance: 0.1, ignore: [case, space]}\n"
    "  - name: check\n    after: [judge]\n    when: judge.confidence < 0.9 and (kind == \"x\" or not size > 3)\n"
    "    worker: {kind: any, only_hubs: [east], only_teams: [blue], not_who_did: [judge]}\n"
    "    shows: [text, judge.verdict]\n    passes: [text]\n"
    "    form: {fields: [{name: fine, type: radio, options: [yes, no]}]}\n"
    "  - name: last\n    after: [judge, check]\n    worker: {kind: robot}\n    form: {fields: [{name: done, type: "
    "date}]}\n",
    "line: whole\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: write\n    form: {fields: [{name: title, type: short_answer, required: true}, {name: pages, type: "
    "number}]}\n"
    "  - name: edit\n    type: improve\n    reasons: [copied, short]\n    author: true\n    rounds: 5\n"
    "    return_to_author: 90m\n    sample: 0.5\n    form: {title: Look, instruction: well}\n",
    "line: whole\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: first}\n"
    "    form: {fields: [{name: answer, type: short_answer, required: true}]}\n",
    "line: whole\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: all\n    copies: {min: 2, max: 2}\n    agree: {method: all}\n    form: {fields: [{name: a, type: "
    "email}]}\n"
    "  - name: sure\n    after: [all]\n    copies: {min: 1, max: 4}\n"
    "    agree: {on: [b], method: posterior, confidence: 0.9}\n"
    "    form: {fields: [{name: b, type: radio, options: [1, 2, 3]}]}\n",
    /* what is measured, and what is asked for */
    "line: whole\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: write\n    at_once: 5\n    worker: {per_day: 9, skills: {law: 2}}\n    window: {last: 40, within: 3d}\n"
    "    form: {fields: [{name: x, type: short_answer}, {name: c, type: check_box, options: [p, q]}, {name: n, type: "
    "number}]}\n"
    "    require: {approval: '> 0.5', returned: '< 0.5', gold: '>= 0.8', abandonment: '<= 0.25', after: 7}\n"
    "    gold: {every: 3, columns: [text, x, c, n], cells: [one, A, 'p|q', '1', two, '', p, ''],\n"
    "      match: [{field: x, ignore: [case, space]}, {field: n, tolerance: 0.1}],\n"
    "      rules: [{below: 0.5, after: 2, do: train, at: practice, until: 0.9}, {below: 0.4, after: 1, do: lower, "
    "skill: law},\n"
    "        {below: 0.2, after: 2, do: suspend}]}\n"
    "  - name: practice\n    after: []\n    form: {fields: [{name: x, type: short_answer}]}\n"
    "    gold: {every: 1, columns: [text, x], cells: [one, A, two, B, three, C]}\n"
    "  - name: check\n    type: improve\n    after: [write]\n    reasons: [copied]\n    first: 5\n    on_exhausted: "
    "more\n"
    "  - name: more\n    after: [check]\n    require: {agreement: '>= 0.5', of: all, newcomers: refuse}\n",
    "line: whole\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: pick\n    type: tournament\n    contestants: 4\n    worker: {only_teams: [red], not_hubs: [west]}\n"
    "    auto_judge: {equal: 2, on: [a, n], ignore: [case], tolerance: 0.5}\n"
    "    jury: {max: 3, ties: fail, title: Judge, instruction: well, lease: 1m, reward: 0.1, worker: {skills: {law: "
    "1}, not_who_did: []}}\n"
    "    form: {fields: [{name: a, type: short_answer, required: true}, {name: n, type: number}]}\n"
    "  - name: after\n    when: pick.confidence > 0.5 and pick.a != ''\n    form: {fields: [{name: z, type: time}]}\n",
};

/* ---- places of values and keys ---- */

struct place {
    size_t from, to;
    bool key;
};
static struct place place[2000];
static size_t places;

static void walk(const char *base, struct slr *r)
{
    struct slr_value v;
    size_t from = (size_t)(r->p - base), at = places++;
    assert_true(places < sizeof place / sizeof *place);
    assert_int_equal(slr_next(r, &v), 0);
    for (uint32_t i = 0; i < v.n && v.type == SLR_ARRAY; i++)
        walk(base, r);
    for (uint32_t i = 0; i < v.n && v.type == SLR_MAP; i++) {
        struct slr_value k;
        size_t begin = (size_t)(r->p - base);
        assert_int_equal(slr_next(r, &k), 0);
        place[places++] = (struct place){ begin, (size_t)(r->p - base), true };
        walk(base, r);
    }
    place[at] = (struct place){ from, (size_t)(r->p - base), false };
}

/* ---- what is judged ---- */

struct told {
    unsigned n;
    bool odd;
};

static void tell(void *arg, const char *path, const char *text)
{
    struct told *t = arg;
    size_t n = strlen(text);
    t->n++;
    t->odd = t->odd || n == 0 || n >= SL_TEXT_BYTES_MAX || !sl_utf8_ok(text, n) || !sl_utf8_ok(path, strlen(path)) ||
             strlen(path) > 255 || strpbrk(text, "\n\r\t");
}

static unsigned good, bad;

static void judge(const struct slp_buf *b, const struct ld_line *original, size_t at, unsigned with)
{
    struct told t = { 0 };
    struct ld_line *l = ld_compile(b->p, b->n, tell, &t);
    if (!l != (t.n > 0))
        fail_msg("place %zu, value %u: %s, and %u problems are told", at, with, l ? "a line" : "no line", t.n);
    if (t.odd)
        fail_msg("place %zu, value %u: a problem is not told in words", at, with);
    if (l) { /* whether two are compatible does not depend on which is the older */
        assert_true(ld_compatible(l, l));
        assert_int_equal(ld_compatible(original, l), ld_compatible(l, original));
    }
    good += l != NULL;
    bad += l == NULL;
    ld_free(&l);
}

static void pack_other(struct slp_buf *b, unsigned which)
{
    char text[4000];
    memset(text, 'x', sizeof text);
    switch (which) {
    case 0: slp_pack_nil(b); break;
    case 1: slp_pack_bool(b, true); break;
    case 2: slp_pack_bool(b, false); break;
    case 3: slp_pack_u64(b, 0); break;
    case 4: slp_pack_u64(b, 1); break;
    case 5: slp_pack_u64(b, UINT64_MAX); break;
    case 6: slp_pack_i64(b, -1); break;
    case 7: slp_pack_double(b, 0.5); break;
    case 8: slp_pack_double(b, -2.5); break;
    case 9: slp_pack_double(b, 1.0 / 0.0); break;
    case 10: slp_pack_cstr(b, ""); break;
    case 11: slp_pack_cstr(b, "judge"); break;
    case 12: slp_pack_cstr(b, "text"); break;
    case 13: slp_pack_cstr(b, "1h"); break;
    case 14: slp_pack_cstr(b, "0.25"); break;
    case 15: slp_pack_cstr(b, "-7.125"); break;
    case 16: slp_pack_str(b, text, sizeof text); break;
    case 17: slp_pack_cstr(b, "\xff\xfe"); break;
    case 18: slp_pack_cstr(b, "a\tb\xc2\x85\x7f c"); break;
    case 19: slp_pack_bin(b, "\0\1", 2); break;
    case 20: slp_pack_array(b, 0); break;
    case 21: slp_pack_map(b, 0); break;
    case 22:
        slp_pack_array(b, 3);
        slp_pack_u64(b, 1);
        slp_pack_cstr(b, "x");
        slp_pack_cstr(b, "x");
        break;
    case 23:
        slp_pack_array(b, 2);
        slp_pack_map(b, 0);
        slp_pack_nil(b);
        break;
    case 24:
        slp_pack_map(b, 2);
        slp_pack_cstr(b, "name");
        slp_pack_cstr(b, "judge");
        slp_pack_cstr(b, "typ");
        slp_pack_cstr(b, "radio");
        break;
    case 25:
        slp_pack_map(b, 1);
        slp_pack_u64(b, 3);
        slp_pack_u64(b, 3);
        break;
    case 26: slp_pack_cstr(b, "other"); break;
    case 27: slp_pack_u64(b, 7); break;
    default: slp_pack_cstr(b, "all"); break;
    }
}
#define OTHERS 29

static void each_of(const char *yaml, bool keys)
{
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_non_null(f);
    if (linefile_check(f))
        fail_msg("%s", linefile_problem(f, 0));
    struct slp_bytes packed = linefile_packed(f);
    struct told none = { 0 };
    struct ld_line *original = ld_compile(packed.p, packed.n, tell, &none);
    assert_non_null(original);
    struct slr r = slr_on(packed.p, packed.n);
    places = 0;
    walk(packed.p, &r);
    for (size_t i = 0; i < places; i++)
        for (unsigned k = 0; place[i].key == keys && k < OTHERS; k++) {
            struct slp_buf b = { 0 };
            slp_buf_add(&b, packed.p, place[i].from);
            pack_other(&b, k);
            slp_buf_add(&b, packed.p + place[i].to, packed.n - place[i].to);
            judge(&b, original, i, k);
            slp_buf_free(&b);
        }
    ld_free(&original);
    linefile_free(&f);
}

static void a_value_of_any_other_kind_is_taken_or_told_in_words(void **state)
{
    (void)state;
    good = bad = 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        each_of(whole[i], false);
    print_message("# %u lines, %u refused\n", good, bad);
    assert_true(good > 100 && bad > 1000);
}

static void another_key_is_told_in_words(void **state)
{
    (void)state;
    good = bad = 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        each_of(whole[i], true);
    assert_true(bad > 1000);
}

/* ---- texts that have a form ---- */

static const struct {
    bool (*is)(const char *, uint32_t);
    const char *good[16], *bad[40];
} forms[] = {
    { ld_is_date,
      { "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2023-04-30" },
      { "2023-02-29", "1900-02-29", "2023-13-01", "2023-00-01", "2023-01-00", "2023-04-31", "0000-01-01", "2023/04-30",
        "2023-04/30", "202a-04-30", "2023-0a-30", "2023-04-3a", "2023-4-3", "", "2023-04-301" } },
    { ld_is_time,
      { "00:00", "23:59", "23:59:59" },
      { "24:00", "23:60", "23:59:60", "2359", "23-59", "a3:59", "23:5a", "23:59:5a", "23:59-59", "23:59:5", "" } },
    { ld_is_datetime,
      { "2024-02-29T12:00", "2024-02-29t12:00:30Z", "2024-02-29 12:00z", "2024-02-29T12:00:30.5+02",
        "2024-02-29T12:00:30,123456789-0230", "2024-02-29T12:00+02:30" },
      { "2024-02-29", "2024-02-30T12:00", "2024-02-29x12:00", "2024-02-29T25:00", "2024-02-29T12:00:30.",
        "2024-02-29T12:00:30.1234567890", "2024-02-29T12:00x", "2024-02-29T12:00+2", "2024-02-29T12:00+2a",
        "2024-02-29T12:00+24", "2024-02-29T12:00+0260", "2024-02-29T12:00+02a0", "2024-02-29T12:00+02-30",
        "2024-02-29T12:00+02:3a", "2024-02-29T12:00+02:301", "2024-02-29T12:00:61", "2024-02-29T12:00Zz" } },
    { ld_is_email,
      { "a@b.org", "first.last+tag@sub.example.org", "!#$%&'*+-/=?^_`{|}~@x.yz", "\xc3\xa4@\xc3\xb6.at" },
      { "a", "@b.org", "a@", "a@b", ".a@b.org", "a.@b.org", "a..b@c.org", "a b@c.org", "a@-b.org", "a@b-.org",
        "a@b..org", "a@.org", "a@b_c.org", "a@b.org.", "a(b@c.org",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.org",
        "a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org" } },
    { ld_is_url,
      { "http://a", "https://example.org/x?y#z", "file:///etc/hosts", "svn+ssh.x-1://h/" },
      { "", "a", "://a", "1http://a", "http:/a", "http:a//b", "http://", "http:///a", "ht tp://a", "http://a b",
        "http://a<b", "http://a\x7f", "+x://a", "h\xc3\xa4://a", "http://?", "filx:///a", "ht_p://a", "http://a\\b" } },
    { ld_is_phone,
      { "123", "+41 (0)44 123-45-67", "044/123.45.67" },
      { "12", "", "1+23", "12a", "1234567890123456", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7", "---" } },
};

static void texts_that_have_a_form_are_told_from_those_that_have_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (size_t k = 0; forms[i].good[k]; k++)
            if (!forms[i].is(forms[i].good[k], (uint32_t)strlen(forms[i].good[k])))
                fail_msg("form %zu: '%s' is refused", i, forms[i].good[k]);
        for (size_t k = 0; forms[i].bad[k]; k++)
            if (forms[i].is(forms[i].bad[k], (uint32_t)strlen(forms[i].bad[k])))
                fail_msg("form %zu: '%s' is taken", i, forms[i].bad[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_any_other_kind_is_taken_or_told_in_words),
        cmocka_unit_test(another_key_is_told_in_words),
        cmocka_unit_test(texts_that_have_a_form_are_told_from_those_that_have_not),
    };
    return cmocka_run_group_tests_name("values of definitions", tests, NULL, NULL);
}
