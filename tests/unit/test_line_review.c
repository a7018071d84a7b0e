/* Definitions with reviews: what is compiled, and each mistake by its place. */
#include "tests/unit/line_world.h"

#include <math.h>

#include "worker-agent/form.h"

#define HEAD                                                                                                           \
    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: write\n    form: {fields: [{name: title, "    \
    "type: "                                                                                                           \
    "text, required: true}, {name: pages, type: number, min: 1}]}\n"
#define EDIT "  - name: edit\n    type: improve\n"

static void a_review_has_the_fields_of_the_work_and_a_verdict(void **state)
{
    (void)state;
    struct ld_line *l = good_line(
        HEAD EDIT "    reasons: [copied, short]\n    author: true\n    rounds: 5\n    return_to_author: 90m\n    "
                  "form: {title: Look, instruction: well}\n");
    const struct ld_station *s = &l->stations[1];
    static const char *const names[] = { "title", "pages", "verdict", "note", "reason", "changed" };
    assert_int_equal(s->type, LD_IMPROVE);
    assert_int_equal(s->review.of, 0);
    assert_int_equal(l->stations[0].reviewed_by, 1);
    assert_int_equal(s->review.work, 2);
    assert_int_equal(s->field_count, 5);
    assert_int_equal(s->value_count, 6);
    for (int i = 0; i < 6; i++)
        assert_true(is(s->fields[i].name, names[i]));
    assert_false(s->fields[0].required);
    assert_int_equal(s->fields[2].option_count, 3);
    assert_true(is(s->fields[4].options[1], "short"));
    assert_true(s->review.author);
    assert_int_equal(s->review.rounds, 5);
    assert_int_equal(s->review.return_us, 90 * 60000000ll);
    assert_int_equal(s->review.exhausted, -1);
    assert_int_equal(s->not_did_count, 1);
    ld_free(&l);
    l = good_line(HEAD EDIT); /* it cannot reject: there is nothing to say for what */
    assert_int_equal(l->stations[1].field_count, 4);
    assert_int_equal(l->stations[1].fields[2].option_count, 2);
    assert_true(is(l->out_names[6], "edit.note"));
    ld_free(&l);
}

static void its_form_for_agents_is_one_that_a_line_file_could_have(void **state)
{
    (void)state;
    struct ld_line *l = good_line(HEAD EDIT "    reasons: [copied]\n    form: {title: Look}\n");
    char text[256];
    struct ld_line *f = form_compile(l->stations[1].form_raw, text, sizeof text);
    assert_non_null(f);
    const struct ld_station *s = &f->stations[0];
    assert_true(is(s->title, "Look"));
    assert_int_equal(s->field_count, 5);
    assert_true(s->fields[0].required); /* it may be left out, but not emptied */
    assert_true(s->fields[1].min == 1 && isnan(s->fields[1].max));
    assert_int_equal(s->fields[2].type, LD_RADIO);
    assert_int_equal(s->fields[3].chars_max, SL_TEXT_BYTES_MAX);
    ld_free(&f);
    ld_free(&l);
}

static void all_that_comes_after_the_work_comes_after_its_reviews(void **state)
{
    (void)state;
    struct ld_line *l = good_line(
        HEAD "  - name: print\n    after: [write]\n    when: edit.verdict == \"accept\" and twice.verdict != null\n"
             "  - name: edit\n    type: improve\n    after: [write]\n  - name: twice\n    type: improve\n");
    assert_int_equal(l->stations[1].after_count, 3);
    assert_int_equal(l->stations[1].depth, 3);
    assert_int_equal(l->stations[2].after_count, 1);
    assert_int_equal(l->stations[3].review.of, 2);
    assert_int_equal(l->stations[3].review.work, 2);
    assert_int_equal(l->stations[3].not_did_count, 2);
    assert_int_equal(l->order[3], 1);
    ld_free(&l);
}

struct row {
    const char *yaml, *wanted;
};

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "line: l\ninput:\n  - {name: a, type: text}\nstations:\n" EDIT,
          "l.yml:5:5: a station of type improve comes after one station, whose work it reviews; 'edit' comes after "
          "0\n" },
        { HEAD "  - name: b\n" EDIT "    after: [write, b]\n",
          "l.yml:10:5: a station of type improve comes after one station, whose work it reviews; 'edit' comes after "
          "2\n" },
        { HEAD EDIT "  - name: again\n    type: improve\n    after: [write]\n",
          "l.yml:11:5: station 'write' is reviewed by 'edit' already; to review the review, come after that\n" },
        { HEAD EDIT "    form: {fields: [{name: x, type: text}]}\n",
          "l.yml:9:5: 'fields' do not go with type improve: it has those of the station that it reviews\n" },
        { HEAD EDIT "    rounds: 2\n    return_to_author: 1h\n    on_exhausted: dead\n",
          "l.yml:9:5: 'rounds' is for reviews that can reject: name their 'reasons'\n"
          "l.yml:10:5: 'return_to_author' is for reviews that can reject: name their 'reasons'\n"
          "l.yml:11:5: 'on_exhausted' is for reviews that can reject: name their 'reasons'\n" },
        { HEAD "    author: true\n    sample: 0.5\n    reasons: [a]\n",
          "l.yml:7:5: 'author' is for stations of type improve\nl.yml:8:5: 'sample' is for stations of type improve\n"
          "l.yml:9:5: 'reasons' is for stations of type improve\n" },
        { HEAD EDIT "    reasons: []\n",
          "l.yml:9:5: 'reasons' is empty: name what work can be rejected for, or leave it out\n" },
        { HEAD EDIT "    reasons: [a, \"\", a]\n",
          "l.yml:9:18: a reason must not be empty\nl.yml:9:22: duplicate reason 'a'\n" },
        { HEAD EDIT "    reasons: [a]\n    rounds: 0\n", "l.yml:10:5: 'rounds' is 0, but must be 1 to 100\n" },
        { HEAD EDIT "    reasons: [a]\n    on_exhausted: write\n",
          "l.yml:10:5: 'on_exhausted' names 'write', but no such station comes directly after 'edit' (or say dead)\n" },
        { HEAD EDIT "    reasons: [a]\n    on_exhausted: two\n  - name: two\n    type: improve\n",
          "l.yml:10:5: 'on_exhausted' names 'two', which is a review itself\n" },
        { HEAD EDIT "    sample: 0\n", "l.yml:9:5: 'sample' must be more than 0, and at most 1\n" },
        { HEAD EDIT "    sample: 1.5\n", "l.yml:9:5: 'sample' must be more than 0, and at most 1\n" },
        { HEAD EDIT "    sample: half\n", "l.yml:9:5: 'sample' is 'half', but must be a number such as 0.95\n" },
        { HEAD EDIT "    first: 51\n", "l.yml:9:5: 'first' is 51, but must be 1 to 50\n" },
        { HEAD "    copies: {min: 2}\n    agree: {method: plurality, ties: first}\n" EDIT "    first: 5\n",
          "l.yml:11:5: station 'write' has several answers to a task: there is no one author who may be new\n" },
        { HEAD "    window: {last: 8}\n" EDIT "    first: 20\n",
          "l.yml:10:5: 'first' must be less than 7: station 'write' is sure to remember no more of a worker (7/8 of "
          "its window's 'last'), so he would stay new\n" },
        { HEAD "    window: {last: 57}\n" EDIT "    first: 50\n",
          "l.yml:10:5: 'first' must be less than 50: station 'write' is sure to remember no more of a worker (7/8 of "
          "its window's 'last'), so he would stay new\n" },
        { HEAD EDIT "    copies: {min: 2}\n    agree: {method: all}\n",
          "l.yml:9:5: 'copies' does not go with type improve: one verdict is enough\n" },
        { HEAD "    copies: {min: 2}\n    agree: {method: all}\n" EDIT,
          "l.yml:9:5: station 'write' keeps all answers (method all): there is no one answer to review\n" },
        { HEAD "    copies: {min: 2}\n    agree: {method: plurality, ties: first}\n" EDIT "    reasons: [a]\n",
          "l.yml:11:5: station 'write' has several answers to a task: its work can be improved, but not sent back, so "
          "'reasons' must go\n" },
        { HEAD EDIT "    shows: [text, write.title]\n",
          "l.yml:9:5: 'shows' leaves out 'write.pages', which station 'edit' reviews\n" },
        { "line: l\ninput:\n  - {name: a, type: text}\nstations:\n  - name: w\n    form: {fields: [{name: note, type: "
          "text}]}\n" EDIT,
          "l.yml:7:5: station 'w' has a field 'note': a review adds one of that name\n" },
        { HEAD EDIT "  - name: last\n    when: edit.title == \"a\" and edit.verdict == \"maybe\"\n",
          "l.yml:10:5: 'when', column 39: 'maybe' is no option of 'edit.verdict'\n" },
        /* no second mistake where the first one hides the fields */
        { HEAD "  - name: b\n    form: {fields: 5}\n" EDIT "  - name: last\n    when: edit.x == 1\n",
          "l.yml:8:12: 'fields' must be a list of maps, not a number\n" },
        { HEAD EDIT "    after: [edit]\n", "l.yml:9:13: station 'edit' names itself in 'after'\n" },
        { HEAD "    after: [print]\n" EDIT "    after: [write]\n  - name: print\n    after: [write]\n",
          "l.yml:7:13: 'after' makes a cycle: write -> print -> write\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_problems(rows[i].yaml, rows[i].wanted);
}

static void the_first_results_may_be_as_many_as_the_window_remembers_but_one(void **state)
{
    static const char *const good[] = { HEAD "    window: {last: 8}\n" EDIT "    first: 6\n",
                                        HEAD "    window: {last: 58}\n" EDIT "    first: 50\n",
                                        HEAD EDIT "    first: 50\n    window: {last: 8}\n" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct ld_line *l = good_line(good[i]);
        ld_free(&l);
    }
}

static void a_line_with_a_review_is_compatible_only_with_the_same_one(void **state)
{
    static const char *const other[] = { "    reasons: [a]\n    rounds: 2\n",   "    reasons: [a, b]\n",
                                         "    reasons: [a]\n    sample: 0.5\n", "    reasons: [a]\n    author: true\n",
                                         "    reasons: [a]\n    first: 3\n",    "" };
    (void)state;
    struct ld_line *l = good_line(HEAD EDIT "    reasons: [a]\n"),
                   *same = good_line(HEAD EDIT "    reasons: [a]\n    return_to_author: 1h\n");
    assert_true(ld_compatible(l, same)); /* like lease and back-off */
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml, "%s%s%s", HEAD, EDIT, other[i]);
        struct ld_line *o = good_line(yaml);
        assert_false(ld_compatible(l, o));
        ld_free(&o);
    }
    ld_free(&same);
    ld_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_review_has_the_fields_of_the_work_and_a_verdict),
        cmocka_unit_test(its_form_for_agents_is_one_that_a_line_file_could_have),
        cmocka_unit_test(all_that_comes_after_the_work_comes_after_its_reviews),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(the_first_results_may_be_as_many_as_the_window_remembers_but_one),
        cmocka_unit_test(a_line_with_a_review_is_compatible_only_with_the_same_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
