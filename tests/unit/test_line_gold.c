/* Definitions: control tasks, requirements and windows. What can never do anything is a mistake, and is told where it stands. */
#include <unistd.h>

#include "broker/engine/repute.h"
#include "tests/unit/line_world.h"

#define HEAD "line: l\ninput: [{name: text, type: text, required: true}, {name: n, type: number}]\nstations:\n"
#define STATION                                                                                                        \
    "  - name: s\n    worker: {skills: {law: 1}}\n    shows: [text]\n    form: {fields: [{name: a, type: "             \
    "short_answer}, {name: t, type: number}, {name: c, type: check_box, options: [x, y]}]}\n"

static void good_control_tasks_are_compiled(void **state)
{
    (void)state;
    struct ld_line *l = good_line(
        HEAD STATION
        "    require: {gold: '>= 0.8', abandonment: '< 0.25', after: 7}\n    window: {last: 80, within: 3d}\n"
        "    gold:\n      every: 4\n      columns: [text, a, c]\n      cells: [one, A, 'x|y', two, '', x]\n"
        "      match: [{field: a, ignore: [case]}]\n      rules: [{below: 0.5, after: 2, do: lower, skill: law}]\n");
    const struct ld_station *s = &l->stations[0];
    assert_int_equal(s->gold.every, 4);
    assert_int_equal(s->gold.row_count, 2);
    assert_int_equal(s->gold.answer_count, 2);
    assert_true(s->gold.answer[0].ignore_case && !s->gold.answer[1].ignore_case);
    assert_null(s->gold.wanted[2].p); /* of the second row the first answer is not compared */
    assert_non_null(s->gold.wanted[3].p);
    assert_int_equal((unsigned char)s->gold.wanted[1].p[0], 0x92); /* a list of two */
    assert_true(s->gold.digest[0] != s->gold.digest[1] && s->gold.secret);
    assert_int_equal(s->gold.rules[0].below_micros, 500000);
    assert_int_equal(s->require.count, 2);
    assert_int_equal(s->require.after, 7);
    assert_int_equal(s->require.bound[0].micros, 800000);
    assert_true(s->require.bound[0].equal && !s->require.bound[0].less && s->require.bound[1].less);
    assert_int_equal(s->window_last, 80);
    assert_int_equal(s->window_within_us, 3ll * 86400 * 1000000);
    ld_free(&l);
}

static void times_and_placings_can_be_required(void **state)
{
    (void)state;
    struct ld_line *l = good_line(HEAD STATION "    require: {lease_time: '<= 5m', active_time: '> 1500ms'}\n");
    const struct ld_bound *o = l->stations[0].require.bound;
    assert_int_equal(l->stations[0].require.count, 2);
    assert_true(o[0].measure == LD_LEASE_TIME && o[0].less && o[0].equal && o[0].micros == 300 * 1000000ull);
    assert_true(o[1].measure == LD_ACTIVE_TIME && !o[1].less && !o[1].equal && o[1].micros == 1500000);
    ld_free(&l);
    l = good_line(HEAD "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 1, ties: first}\n    "
                       "require: {won: '>= 0.25', beaten: '> 0.5'}\n    form: {fields: [{name: a, type: "
                       "short_answer}]}\n" STATION "    require: {won: '> 0', of: all}\n");
    o = l->stations[0].require.bound;
    assert_true(o[0].measure == LD_WON && o[0].micros == 250000 && o[1].measure == LD_BEATEN);
    ld_free(&l);
}

static void a_gold_file_must_fit_the_form(void **state)
{
    static const struct {
        const char *columns, *cells, *says;
    } bad[] = {
        { "[text, b]", "[one, A]", "the gold file has a column 'b', but the station neither shows nor asks that" },
        { "[a]", "[A]", "the gold file has no column 'text', which the station shows" },
        { "[text]", "[one]", "the gold file has no column of an answer: none is named like a field of the form" },
        { "[text, a]", "[one, A, two]", "the gold file has a row that is shorter than its header" },
        { "[text, a]", "[]", "the gold file has no rows" },
        { "[text, t]", "[one, many]", "row 1 of the gold file: t: 'many' is not a number" },
        { "[text, c]", "[one, 'x|z']", "row 1 of the gold file: c: 'z' is not one of the options" },
        { "[text, a]", "['', A]", "row 1 of the gold file: text: is required" },
        { "[text, a]", "[one, '']", "row 1 of the gold file has no answer" },
        { "[text, a]", "[one, A, one, B]", "row 2 of the gold file shows the same as row 1" },
        { "[text, a, a]", "[one, A, B]", "the gold file has two columns 'a'" },
        { "[text, text, a]", "[one, two, B]", "the gold file has two columns 'text'" },
        { "[text, answer.b]", "[one, A]",
          "the gold file has a column 'answer.b', but the station neither shows nor asks that" },
        { "[text, a]", "[one, {x: y}]", "'cells' must hold texts" },
        { "[text, a]", "[one, A, two, B, three]", "the gold file has a row that is shorter than its header" },
        { "[]", "[one]", "the gold file has no column 'text', which the station shows" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml, HEAD STATION "    gold: {columns: %s, cells: %s}\n", bad[i].columns, bad[i].cells);
        struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
        assert_non_null(f);
        bool found = false;
        for (size_t k = 0, n = linefile_check(f); k < n; k++)
            found = found || strstr(linefile_problem(f, k), bad[i].says);
        if (!found)
            fail_msg("'%s' is not told, but '%s'", bad[i].says,
                     linefile_problem_count(f) ? linefile_problem(f, 0) : "nothing");
        linefile_free(&f);
    }
}

/* A cell is packed as an agent packs an answer, whatever its length. */
static void cells_of_any_length_are_answers(void **state)
{
    static const unsigned bytes[] = { 1, 31, 32, 255, 256, 20000 };
    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        static char yaml[30000], text[20001];
        memset(text, 'x', bytes[i]);
        text[bytes[i]] = 0;
        snprintf(
            yaml, sizeof yaml,
            "line: l\ninput: [{name: text, type: text}]\nstations:\n  - name: s\n    form: {fields: [{name: a, type: "
            "long_answer}]}\n    gold: {columns: [text, answer.a], cells: [one, %s]}\n",
            text);
        struct ld_line *l = good_line(yaml);
        struct slp_bytes wanted = l->stations[0].gold.wanted[0];
        struct slp_buf b = { 0 };
        slp_pack_cstr(&b, text);
        assert_int_equal(wanted.n, b.n);
        assert_memory_equal(wanted.p, b.p, b.n);
        slp_buf_free(&b);
        ld_free(&l);
    }
}

static void boxes_checked_in_any_number_are_a_list(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 20; n++) {
        char yaml[2000] = "", boxes[200] = "", cell[200] = "";
        struct slp_buf b = { 0 };
        slp_pack_array(&b, n);
        for (unsigned i = 0; i < n; i++) {
            char name[8];
            snprintf(name, sizeof name, "o%u", i);
            slp_pack_cstr(&b, name);
            snprintf(boxes + strlen(boxes), sizeof boxes - strlen(boxes), "%s%s", i ? ", " : "", name);
            snprintf(cell + strlen(cell), sizeof cell - strlen(cell), "%s%s", i ? "|" : "", name);
        }
        snprintf(
            yaml, sizeof yaml,
            "line: l\ninput: [{name: text, type: text}]\nstations:\n  - name: s\n    form: {fields: [{name: c, type: "
            "check_box, options: [%s]}]}\n    gold: {columns: [text, c], cells: [one, %s]}\n",
            boxes, cell);
        struct ld_line *l = good_line(yaml);
        struct slp_bytes wanted = l->stations[0].gold.wanted[0];
        assert_int_equal(wanted.n, b.n);
        assert_memory_equal(wanted.p, b.p, b.n);
        slp_buf_free(&b);
        ld_free(&l);
    }
}

static void options_that_cannot_agree_are_mistakes(void **state)
{
    static const struct {
        const char *keys, *says;
    } bad[] = {
        { "    gold: {every: 3}\n", "missing key 'file'" },
        { "    gold: {columns: [text, a], cells: [one, A], every: 0}\n", "'every' is 0" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, do: suspend}]}\n",
          "waits for 5 control answers, but there are 1 control tasks" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 2, after: 1, do: suspend}]}\n",
          "must be a share" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: lower}]}\n",
          "missing key 'skill'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: lower, skill: art}]}\n",
          "which the station does not ask for" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: suspend, skill: law}]}\n",
          "'skill' goes with 'do: lower'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: train}]}\n",
          "missing key 'at'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: train, at: s}]}\n",
          "must name another one" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: train, at: o}]}\n",
          "training there would never end" },
        { "    gold: {columns: [text, a], cells: [one, A], match: [{field: a, tolerance: 1}]}\n",
          "'tolerance' is for numbers" },
        { "    gold: {columns: [text, t], cells: [one, 1], match: [{field: t, ignore: [case]}]}\n",
          "'ignore' is for texts" },
        { "    gold: {columns: [text, a], cells: [one, A], match: [{field: t}]}\n",
          "the gold file has no such answer" },
        { "    require: {gold: '>= 0.5'}\n", "'gold' is never measured here" },
        { "    require: {agreement: '>= 0.5'}\n", "'agreement' is never measured here" },
        { "    require: {approval: '> 0.5'}\n", "no station reviews this one" },
        { "    require: {approval: 'good'}\n", "must be a comparison with a share" },
        { "    require: {after: 3}\n", "names no measure" },
        { "    require: {won: '>= 0.5'}\n", "the station is no tournament" },
        { "    require: {beaten: '> 0.5'}\n", "the station is no tournament" },
        { "    require: {lease_time: '< 0.5'}\n", "must be a comparison with a time" },
        { "    require: {lease_time: '< 0'}\n", "must be a comparison with a time" },
        { "    require: {lease_time: '5m'}\n", "must be a comparison with a time" },
        { "    require: {active_time: '< 31d'}\n", "must be a comparison with a time" },
        { "    require: {active_time: '<'}\n", "must be a comparison with a time" },
        { "    require: {abandonment: '< 5m'}\n", "must be a comparison with a share" },
        { "    require: {abandonment: '< 0.1', newcomers: refuse}\n", "refuse goes with 'of: all'" },
        { "    require: {abandonment: '< 0.1', after: 60}\n", "nobody would ever be measured" },
        { "    window: {last: 3}\n", "'last' is 3" },
        { "    window: {within: 1m}\n", "'within'" },
        { "    window: 5\n", "'window' must be a map" },
        { "    require: 5\n", "'require' must be a map" },
        { "    require: {abandonment: '> '}\n", "must be a comparison with a share" },
        { "    require: {abandonment: '> 1.5'}\n", "must be a comparison with a share" },
        { "    require: {abandonment: '> half'}\n", "must be a comparison with a share" },
        { "    require: {abandonment: '= 0.5'}\n", "must be a comparison with a share" },
        { "    require: {abandonment: ''}\n", "must be a comparison with a share" },
        { "    require: {returned: '< 0.5'}\n", "no station reviews this one" },
        { "    window: {last: 10}\n    require: {abandonment: '< 0.5'}\n", "nobody would ever be measured" },
        { "    window: {last: 10000}\n    require: {abandonment: '< 0.5', of: all, after: 57}\n",
          "nobody would ever be measured" }, /* over all stations it is always the last 64 */
        { "    copies: {min: 2}\n    agree: {method: all}\n    require: {agreement: '> 0.5'}\n",
          "'agreement' is never measured here" },
        { "    gold: 5\n", "'gold' must be a map" },
        { "    gold: {columns: [text, a]}\n", "missing key 'file'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{after: 1, do: suspend}]}\n",
          "missing key 'below'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: dance}]}\n",
          "unknown do 'dance'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0, after: 1, do: suspend}]}\n",
          "must be a share" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: suspend, at: o}]}\n",
          "'at' goes with 'do: train'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: suspend, until: 0.9}]}\n",
          "'until' goes with 'do: train'" },
        { "    gold: {columns: [text, a], cells: [one, A], rules: [{below: 0.5, after: 1, do: train, at: x}]}\n",
          "there is no such station" },
        { "    gold: {columns: [text, a], cells: [one, A], match: [{tolerance: 1}]}\n", "missing key 'field'" },
        { "    gold: {columns: [text, a], cells: [one, A], match: [{field: a, ignore: [blanks]}]}\n",
          "not one of case, space" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml, HEAD STATION "%s  - name: o\n", bad[i].keys);
        struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
        assert_non_null(f);
        bool found = false;
        for (size_t k = 0, n = linefile_check(f); k < n; k++)
            found = found || strstr(linefile_problem(f, k), bad[i].says);
        if (!found)
            fail_msg("'%s' is not told, but '%s'", bad[i].says,
                     linefile_problem_count(f) ? linefile_problem(f, 0) : "nothing");
        linefile_free(&f);
    }
}

/* The line of two stations, the first of which sends to the second: how many problems it has; the first is told to begin so. */
static size_t trained_at(const char *rule, const char *gold, const char *says)
{
    static const char *const rows = "[one, A, two, A, three, A, four, A, five, A, six, A, seven, A, eight, A]";
    char yaml[2048];
    snprintf(yaml, sizeof yaml,
             HEAD STATION
             "    gold: {columns: [text, a], cells: %s, rules: [{below: 0.5, do: train, at: o, %s}]}\n"
             "  - name: o\n    after: []\n    shows: [text]\n    form: {fields: [{name: a, type: short_answer}]}\n%s",
             rows, rule, gold);
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_non_null(f);
    size_t n = linefile_check(f);
    if (says)
        assert_non_null(strstr(n ? linefile_problem(f, 0) : "nothing", says));
    linefile_free(&f);
    return n;
}

static bool may_ask(uint32_t contestants, uint32_t last, uint64_t after)
{
    char yaml[500];
    snprintf(yaml, sizeof yaml,
             HEAD "  - name: pick\n    type: tournament\n    contestants: %u\n    jury: {max: 1, ties: first}\n"
                  "    window: {last: %u}\n    require: {beaten: '>= 0.5', after: %llu}\n"
                  "    form: {fields: [{name: a, type: short_answer}]}\n",
             contestants, last, (unsigned long long)after);
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_non_null(f);
    size_t n = linefile_check(f);
    for (size_t i = 0; i < n; i++)
        if (!strstr(linefile_problem(f, i), "nobody would ever be measured"))
            fail_msg("%s", linefile_problem(f, i));
    linefile_free(&f);
    return n == 0;
}

/* A tournament counts all whom somebody met in it at once, and a window that is full lets so many go. */
static void of_opponents_beaten_no_more_can_be_asked_than_a_full_window_always_holds(void **state)
{
    static const uint32_t lasts[] = { 8, 9, 17, 40, 64, 100 };
    (void)state;
    for (size_t k = 0; k < sizeof lasts / sizeof *lasts; k++)
        for (uint32_t contestants = 2; contestants <= SL_COPIES_MAX; contestants++) {
            uint32_t last = lasts[k], sure = last - last / 8;
            struct window w = { 0 };
            for (uint32_t i = 0; i < 8 * last; i++) {
                window_add(&w, last, 86400000000, 0, contestants - 1, 0);
                uint64_t n = window_tally(&w, 86400000000, 0).n;
                if (i >= 2 * last && n < sure)
                    sure = (uint32_t)n;
            }
            if (!may_ask(contestants, last, sure) || may_ask(contestants, last, sure + 1))
                fail_msg("of %u contestants a window of %u always holds %u", contestants, last, sure);
        }
}

static void a_training_that_could_never_end_is_a_mistake(void **state)
{
    static const char *const never = "fewer control tasks, or a smaller window, than the ";
    (void)state;
    assert_int_equal(trained_at("after: 2", "    gold: {columns: [text, a], cells: [one, A, two, A]}\n", NULL), 0);
    assert_int_equal(trained_at("after: 2", "    gold: {columns: [text, a], cells: [one, A]}\n", never), 1);
    static const char *const eight = "    gold: {columns: [text, a], cells: [one, A, two, A, three, A, four, A, five, "
                                     "A, six, A, seven, A, eight, A]}\n"
                                     "    window: {last: 8}\n"; /* of which it is sure to hold seven */
    assert_int_equal(trained_at("after: 7", eight, NULL), 0);
    assert_int_equal(trained_at("after: 8", eight, never), 1);
}

static void a_gold_file_lies_beside_the_line_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/sunline-gold-XXXXXX", line[64], gold[64];
    assert_non_null(mkdtemp(dir));
    snprintf(line, sizeof line, "%s/l.yml", dir);
    snprintf(gold, sizeof gold, "%s/g.csv", dir);
    FILE *f = fopen(line, "we");
    assert_non_null(f);
    fputs(HEAD STATION "    gold: {file: g.csv, every: 3}\n", f);
    fclose(f);
    struct linefile *lf = linefile_read(line);
    assert_true(linefile_check(lf) == 1 && strstr(linefile_problem(lf, 0), "gold file 'g.csv': cannot be read"));
    linefile_free(&lf);
    static const struct {
        const char *text, *says;
    } files[] = {
        { "", "it is empty" },
        { "text,a\none\n", "line 2 has 1 cells, its header 2" },
        { "text,a\none,\"A\n", "quote" },
        { "text,a\n\"one, two\",A\nthree,B\n", NULL },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        f = fopen(gold, "we");
        assert_non_null(f);
        fputs(files[i].text, f);
        fclose(f);
        lf = linefile_read(line);
        size_t n = linefile_check(lf);
        if (files[i].says)
            assert_true(n >= 1 && strstr(linefile_problem(lf, 0), files[i].says));
        else
            assert_true(n == 0 && linefile_line(lf)->stations[0].gold.row_count == 2);
        linefile_free(&lf);
    }
    unlink(line);
    unlink(gold);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_control_tasks_are_compiled),
        cmocka_unit_test(times_and_placings_can_be_required),
        cmocka_unit_test(a_gold_file_must_fit_the_form),
        cmocka_unit_test(cells_of_any_length_are_answers),
        cmocka_unit_test(boxes_checked_in_any_number_are_a_list),
        cmocka_unit_test(options_that_cannot_agree_are_mistakes),
        cmocka_unit_test(of_opponents_beaten_no_more_can_be_asked_than_a_full_window_always_holds),
        cmocka_unit_test(a_training_that_could_never_end_is_a_mistake),
        cmocka_unit_test(a_gold_file_lies_beside_the_line_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
