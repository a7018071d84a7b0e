/* Definitions in their packed form: what the compiled line holds, what is refused that no YAML file can say, versions, and values. */
#include "tests/unit/line_world.h"

#include "proto/ld_text.h"
#include "proto/reader.h"

static void the_compiled_line_holds_what_was_said(void **state)
{
    (void)state;
    struct ld_line *l = good_line(
        "line: pairs\ntitle: Pairs\ncurrency: NPR\ninput:\n"
        "  - {name: text, type: text, required: true, label: Text, chars_max: 80}\n"
        "  - {name: n, type: number, min: 1, max: 5}\n"
        "stations:\n"
        "  - name: judge\n    title: Judge it\n    worker: {kind: human, skills: {english: 2, reading: 255}}\n"
        "    lease: 20m\n    backoff: 500ms\n    start_by: 1h\n    attempts: 5\n    reward: 0.000001\n"
        "    form:\n      title: Read\n      instruction: Read it all.\n      fields:\n"
        "        - {name: yes, label: Yes?, hint: really, type: radio, options: [a, b], required: true}\n"
        "        - {name: why, type: long_answer}\n"
        "  - name: robot\n    worker: {kind: robot}\n    when: judge.yes == 'a'\n    shows: [judge.why, text]\n"
        "    form: {title: For robots}\n");
    assert_true(is(l->name, "pairs") && is(l->title, "Pairs") && is(l->currency, "NPR"));
    assert_int_equal(l->input_count, 2);
    assert_int_equal(l->inputs[0].chars_max, 80);
    assert_true(l->inputs[0].required && is(l->inputs[0].label, "Text") && l->inputs[1].min == 1 &&
                l->inputs[1].max == 5);
    assert_true(l->inputs[0].min != l->inputs[0].min); /* NaN: no limit */
    const struct ld_station *j = &l->stations[0], *r = &l->stations[1];
    assert_true(is(j->title, "Judge it") && is(j->instruction, "Read it all.") && j->kind == LD_HUMAN &&
                j->type == LD_WORK);
    assert_int_equal(j->skill_count, 2);
    assert_true(is(j->skills[1].name, "reading") && j->skills[1].level == 255);
    assert_true(j->lease_us == 1200000000 && j->backoff_us == 500000 && j->start_by_us == 3600000000 &&
                j->attempts == 5 && j->reward_micros == 1);
    assert_true(is(j->fields[0].hint, "really") && j->fields[0].option_count == 2 && is(j->fields[0].options[1], "b") &&
                j->fields[0].required);
    struct slr form = slr_on(j->form_raw.p, j->form_raw.n);
    assert_int_equal(slr_check(&form, 8), 0);
    assert_ptr_equal(form.p, form.end);
    assert_true(j->form_raw.p > l->definition.p && j->form_raw.p + j->form_raw.n <= l->definition.p + l->definition.n);
    assert_true(r->kind == LD_ROBOT && is(r->title, "For robots") && r->when && !j->when);
    assert_true(r->lease_us == 600000000 && r->backoff_us == 10000000 && r->start_by_us == 0 && r->attempts == 3 &&
                r->reward_micros == 0);
    assert_int_equal(r->show_count, 2);
    assert_true(is(r->show_names[0], "judge.why") && is(r->show_names[1], "text"));
    assert_true(r->shows[0].station == 0 && r->shows[0].field == 1 && r->shows[1].station == -1 &&
                r->shows[1].field == 0);
    assert_int_equal(j->show_count, 2); /* by default all that comes to it */
    assert_int_equal(l->out_count, 4);
    assert_true(is(l->out_names[0], "text") && is(l->out_names[3], "judge.why"));
    assert_true(j->next_count == 1 && j->next[0] == 1 && r->after_count == 1 && r->after[0] == 0 && r->depth == 1);
    ld_free(&l);
    ld_free(&l);
    l = good_line("line: a\ninput: [{name: i, type: text}]\nstations: [{name: s}]\n");
    assert_true(is(l->currency, "USD") && is(l->stations[0].form_raw, "\x80") && l->stations[0].kind == LD_ANY &&
                l->stations[0].title.n == 0);
    ld_free(&l);
}

static void stations_stand_in_topological_order(void **state)
{
    (void)state;
    /* e after c, d; b before a in work, though after it in the file */
    struct ld_line *l = good_line("line: a\ninput: [{name: i, type: text}]\nstations:\n"
                                  "  - {name: e, after: [c, d]}\n  - {name: a, after: [b]}\n  - {name: b, after: []}\n"
                                  "  - {name: c, after: [a]}\n  - {name: d, after: [b]}\n");
    static const uint16_t order[] = { 2, 1, 3, 4, 0 };
    static const uint32_t depth[] = { 3, 1, 0, 2, 1 };
    for (int i = 0; i < 5; i++) {
        assert_int_equal(l->order[i], order[i]);
        assert_int_equal(l->stations[i].depth, depth[i]);
    }
    assert_int_equal(l->stations[2].next_count, 2);
    assert_true(l->stations[2].next[0] == 1 && l->stations[2].next[1] == 4);
    assert_true(l->stations[0].after_count == 2 && l->stations[0].after[0] == 3 && l->stations[0].after[1] == 4);
    ld_free(&l);
}

/* Ten stations with names of 60 letters, each after the next: told as far as there is room. */
static void a_long_cycle_is_told_by_its_beginning(void **state)
{
    (void)state;
    char yaml[4000], name[64];
    int n = snprintf(yaml, sizeof yaml, "line: l\ninput: [{name: i, type: text}]\nstations:\n");
    memset(name, 'x', sizeof name);
    name[60] = 0;
    for (int i = 0; i < 10; i++)
        n += snprintf(yaml + n, sizeof yaml - (size_t)n, "  - {name: s%d%s, after: [s%d%s]}\n", i, name, (i + 1) % 10,
                      name);
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_int_equal(linefile_check(f), 1);
    const char *says = linefile_problem(f, 0);
    assert_non_null(strstr(says, "'after' makes a cycle: s0"));
    assert_non_null(strstr(says, " -> ... (10 stations) -> s0"));
    linefile_free(&f);
}

/* Packed lines, for what YAML cannot say. */
static void pack_field(struct slp_buf *b, const char *name, const char *type)
{
    slp_pack_map(b, 2);
    slp_pack_cstr(b, "name");
    slp_pack_cstr(b, name);
    slp_pack_cstr(b, "type");
    slp_pack_cstr(b, type);
}

static void big_graphs_compile(void **state)
{
    (void)state;
    struct slp_buf b = { 0 }, problems = { 0 };
    char name[16];
    slp_pack_map(&b, 3);
    slp_pack_cstr(&b, "line");
    slp_pack_cstr(&b, "big");
    slp_pack_cstr(&b, "input");
    slp_pack_array(&b, SL_INPUT_FIELDS_MAX);
    for (int i = 0; i < SL_INPUT_FIELDS_MAX; i++) {
        snprintf(name, sizeof name, "i%d", i);
        pack_field(&b, name, "text");
    }
    slp_pack_cstr(&b, "stations");
    slp_pack_array(&b, SL_LINE_STATIONS_MAX);
    for (int i = 0; i < SL_LINE_STATIONS_MAX; i++) { /* each after all before it */
        slp_pack_map(&b, 3);
        snprintf(name, sizeof name, "s%d", i);
        slp_pack_cstr(&b, "name");
        slp_pack_cstr(&b, name);
        slp_pack_cstr(&b, "after");
        slp_pack_array(&b, (uint32_t)i);
        for (int j = 0; j < i; j++) {
            snprintf(name, sizeof name, "s%d", j);
            slp_pack_cstr(&b, name);
        }
        slp_pack_cstr(&b, "form");
        slp_pack_map(&b, 1);
        slp_pack_cstr(&b, "fields");
        slp_pack_array(&b, 8);
        for (int f = 0; f < 8; f++) {
            snprintf(name, sizeof name, "f%d", f);
            pack_field(&b, name, "text");
        }
    }
    assert_true(!b.failed && b.n < SL_LINE_BYTES_MAX);
    struct ld_line *l = ld_compile(b.p, b.n, collect, &problems);
    assert_non_null(l);
    const struct ld_station *last = &l->stations[SL_LINE_STATIONS_MAX - 1];
    assert_int_equal(last->depth, SL_LINE_STATIONS_MAX - 1);
    assert_int_equal(last->after_count, SL_LINE_STATIONS_MAX - 1);
    assert_int_equal(last->show_count, SL_INPUT_FIELDS_MAX + 8 * (SL_LINE_STATIONS_MAX - 1));
    assert_int_equal(l->out_count, SL_INPUT_FIELDS_MAX + 8 * SL_LINE_STATIONS_MAX);
    assert_true(is(l->out_names[l->out_count - 1], "s127.f7"));
    ld_free(&l);
    slp_buf_free(&b);
    slp_buf_free(&problems);
}

static void limits_are_kept(void **state)
{
    (void)state;
    static char yaml[200000];
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "line: a\ninput: [{name: i, type: text}]\nstations:\n");
    for (int i = 0; i <= SL_LINE_STATIONS_MAX; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  - {name: s%d, after: []}\n", i);
    expect_problems(yaml, "l.yml:3:1: 'stations' has 129 stations, more than 128\n");
    n = (size_t)snprintf(yaml, sizeof yaml, "line: a\ninput:\n");
    for (int i = 0; i <= SL_INPUT_FIELDS_MAX; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  - {name: i%d, type: text}\n", i);
    snprintf(yaml + n, sizeof yaml - n, "stations: [{name: s}]\n");
    expect_problems(yaml, "l.yml:2:1: 'input' has 129 fields, more than 128\n");
    n = (size_t)snprintf(yaml, sizeof yaml,
                         "line: a\ninput: [{name: i, type: text}]\nstations:\n  - name: s\n    form: {fields: [{name: "
                         "f, type: radio, options: [");
    for (int i = 0; i <= SL_OPTIONS_MAX; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "%d,", i);
    snprintf(yaml + n, sizeof yaml - n, "]}]}\n");
    expect_problems(yaml, "l.yml:5:44: 'options' has 257 items, more than 256\n");
    n = (size_t)snprintf(yaml, sizeof yaml,
                         "line: a\ninput: [{name: i, type: text}]\nstations:\n  - name: s\n    worker: {skills: {");
    for (int i = 0; i <= SL_SKILLS_MAX; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "k%d: 1,", i);
    snprintf(yaml + n, sizeof yaml - n, "}}\n");
    expect_problems(yaml, "l.yml:5:14: 'skills' has 33 skills, more than 32\n");
    /* a long chain of rich stations: the last would show too much */
    n = (size_t)snprintf(yaml, sizeof yaml, "line: a\ninput: [{name: i, type: text}]\nstations:\n");
    for (int s = 0; s < 18; s++) {
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  - name: s%d\n    form: {fields: [", s);
        for (int i = 0; i < (s < 17 ? SL_FORM_FIELDS_MAX : 0); i++)
            n += (size_t)snprintf(yaml + n, sizeof yaml - n, "{name: f%d, type: text},", i);
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "]}\n");
    }
    expect_problems(yaml, "l.yml:36:5: station 's16' would show 2049 fields, more than 2048: choose with 'shows', or "
                          "hand on less with 'passes' upstream\n"
                          "l.yml:38:5: station 's17' would show 2177 fields, more than 2048: choose with 'shows', or "
                          "hand on less with 'passes' upstream\n");
    /* more mistakes than are named */
    n = (size_t)snprintf(yaml, sizeof yaml, "line: a\ninput: [{name: i, type: text}]\nstations: [{name: s, after: [");
    for (int i = 0; i < 128; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "x%d,", i);
    n += (size_t)snprintf(yaml + n, sizeof yaml - n, "], shows: [");
    for (int i = 0; i < 130; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "y%d,", i);
    snprintf(yaml + n, sizeof yaml - n, "]}]\n");
    struct linefile *f = linefile_parse("l.yml", yaml, strlen(yaml));
    assert_int_equal(linefile_check(f), SL_PROBLEMS_MAX + 1);
    assert_string_equal(linefile_problem(f, SL_PROBLEMS_MAX), "l.yml:1:1: and 2 more mistakes");
    linefile_free(&f);
}

static void expect_packed(const void *p, size_t n, const char *wanted)
{
    struct slp_buf problems = { 0 };
    struct ld_line *l = ld_compile(p, n, collect, &problems);
    assert_null(l);
    slp_buf_add(&problems, "", 1);
    assert_string_equal(problems.p, wanted);
    slp_buf_free(&problems);
}
#define PACKED(bytes) bytes, sizeof(bytes) - 1
#define GOOD_REST "\xa5input\x91\x82\xa4name\xa1i\xa4type\xa4text\xa8stations\x91\x81\xa4name\xa1s"

static void what_no_yaml_file_can_say_is_refused(void **state)
{
    (void)state;
    static const char not_one[] = ": the definition is not one well-formed msgpack value, at most 16 levels deep\n";
    expect_packed(PACKED(""), not_one);
    expect_packed(PACKED("\x83\xa4line\xa1l" GOOD_REST "\xc0"), not_one);
    expect_packed(PACKED("\x83\xa4line\xa1l\xa5input\x91\x82\xa4name"), not_one);
    expect_packed(PACKED("\xdd\xff\xff\xff\xff"), not_one);
    expect_packed(PACKED("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0"), not_one);
    expect_packed(PACKED("\xc0"), ": a line definition must be a map of keys, not nothing\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\xa4line\xa1m" GOOD_REST), "line: duplicate key 'line'\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\x05\xa1m" GOOD_REST), ": a key must be text, not a number\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\x81\xc0\xc0\x91\xc0" GOOD_REST), ": a key must be text, not a map\n");
    expect_packed(PACKED("\x83\xa4line\xc4\x01l" GOOD_REST), "line: 'line' must be a name, not binary data\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\xa5title\xa2\xff\xfe" GOOD_REST), "title: 'title' is not UTF-8\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\xa4\x1b[2J\xc0" GOOD_REST), "\\x1b[2J: unknown key '\\x1b[2J'\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\xa4\xc2\x9b\xff_\xc0" GOOD_REST),
                  "\\xc2\\x9b\\xff_: unknown key '\\xc2\\x9b\\xff_'\n");
    expect_packed(PACKED("\x84\xa4line\xa1l\xa5t\xc3\xa4xt\xc0" GOOD_REST), "t\xc3\xa4xt: unknown key 't\xc3\xa4xt'\n");
    static char large[SL_LINE_BYTES_MAX + 1];
    expect_packed(large, sizeof large, ": the definition has 131073 bytes, more than 131072\n");
}

static void money_may_come_as_a_number(void **state)
{
    (void)state;
    static const double amounts[] = { 0, 0.03, 0.1, 1.1, 12.345678, 999999.999999, 1000000, 0.000001 };
    static const int64_t micros[] = { 0, 30000, 100000, 1100000, 12345678, 999999999999, 1000000000000, 1 };
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        int64_t m = -1;
        assert_int_equal(ld_money_double(amounts[i], &m), 0);
        assert_true(m == micros[i]);
    }
    int64_t m;
    assert_int_equal(ld_money_double(0.0000001, &m), -2);
    assert_int_equal(ld_money_double(1.2345678, &m), -2);
    assert_int_equal(ld_money_double(-0.5, &m), -1);
    assert_int_equal(ld_money_double(0.0 / 0.0, &m), -1);
    assert_int_equal(ld_money_double(1000000.5, &m), -3);
    assert_int_equal(ld_money_double(1e300, &m), -3);
}

static void likeness_is_counted_in_edits(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint32_t edits;
    } rows[] = {
        { "rewrad", "reward", 1 }, { "reward", "reward", 0 }, { "kitten", "sitting", 3 }, { "", "abc", 3 },
        { "abc", "", 3 },          { "ab", "ba", 1 },         { "abcdef", "uvwxyz", 4 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slp_bytes a = { rows[i].a, (uint32_t)strlen(rows[i].a) }, b = { rows[i].b, (uint32_t)strlen(rows[i].b) };
        assert_int_equal(ld_edits(a, b, 3), rows[i].edits);
    }
}

struct change {
    const char *from, *to;
    bool compatible;
};

/* Each change of the good line alone: is what it makes of the line compatible with it? */
static void expect_changes(const char *base, const struct change *rows, size_t n)
{
    struct ld_line *old_line = good_line(base), *same = good_line(base);
    assert_true(ld_compatible(old_line, same));
    ld_free(&same);
    for (size_t i = 0; i < n; i++) {
        char text[2048];
        const char *at = strstr(base, rows[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, rows[i].to, at + strlen(rows[i].from));
        if (strstr(rows[i].to, "after: []")) /* then s.f is not upstream any more */
            strcpy(strstr(text, "when: s.f == 'a', "), "shows: [i]}\n");
        struct ld_line *l = good_line(text);
        if (ld_compatible(old_line, l) != rows[i].compatible)
            fail_msg("%s -> %s", rows[i].from, rows[i].to);
        ld_free(&l);
    }
    ld_free(&old_line);
}

static void only_harmless_changes_are_compatible(void **state)
{
    (void)state;
    static const char base[] =
        "line: a\ninput: [{name: i, type: number, min: 1}]\nstations:\n"
        "  - name: s\n    title: T\n    reward: 1\n    lease: 1m\n    worker: {kind: human, skills: {e: 1}}\n"
        "    form: {title: F, fields: [{name: f, type: radio, options: [a, b], label: L}]}\n"
        "  - {name: t, when: s.f == 'a', shows: [i]}\n";
    static const struct change rows[] = {
        { "title: T", "title: Other", true },
        { "reward: 1", "reward: 2", true },
        { "lease: 1m", "lease: 2m", true },
        { "lease: 1m", "backoff: 1m", true },
        { "lease: 1m", "attempts: 9", true },
        { "title: F", "title: G", true },
        { "label: L", "label: M", true },
        { "line: a", "title: x\nline: a", true },
        { "label: L", "hint: H", true },
        { "line: a", "line: b", false },
        { "line: a", "currency: EUR\nline: a", false },
        { "min: 1", "min: 2", false },
        { "min: 1", "max: 1", false },
        { "name: t", "name: u", false },
        { "kind: human", "kind: any", false },
        { "{e: 1", "{e: 2", false },
        { "{e: 1", "{d: 1", false },
        { "[a, b]", "[a, c]", false },
        { "[a, b]", "[a]", false },
        { "type: radio", "type: select", false },
        { "label: L", "required: true", false },
        { "== 'a'", "!= 'a'", false },
        { "shows: [i]", "shows: [s.f]", false },
        { "shows: [i]", "shows: []", false },
        { "when: s.f == 'a', ", "", false },
        { "{name: t", "{after: [], name: t", false },
    };
    expect_changes(base, rows, sizeof rows / sizeof *rows);
}

static void what_decides_who_works_and_what_stands_is_not_harmless(void **state)
{
    (void)state;
    static const char base[] =
        "line: a\ninput: [{name: i, type: text}]\nstations:\n"
        "  - name: s\n    form: {fields: [{name: f, type: short_answer}, {name: g, type: number}]}\n"
        "    worker: {only_hubs: [h], not_teams: [t], prefer: idle}\n    copies: {min: 2, max: 4}\n"
        "    agree: {on: [f, g], method: plurality, ties: first, ignore: [case], tolerance: 0.5}\n"
        "  - name: w\n    after: []\n    form: {fields: [{name: x, type: short_answer}]}\n"
        "  - name: r\n    type: improve\n    after: [w]\n    reasons: [bad]\n    rounds: 2\n    sample: 0.5\n    "
        "first: 3\n"
        "  - name: z\n    after: [s, r]\n    worker: {not_who_did: [w]}\n    shows: [i]\n"
        "  - name: p\n    type: tournament\n    after: []\n    contestants: 3\n    auto_judge: {equal: 2}\n"
        "    jury: {max: 3, ties: first}\n    form: {fields: [{name: q, type: short_answer}]}\n";
    static const struct change rows[] = {
        { "min: 2", "min: 3", false },
        { "max: 4", "max: 5", false },
        { "plurality, ties: first", "plurality, ties: more", false },
        { "on: [f, g], method: plurality, ties: first, ignore: [case], tolerance: 0.5", "method: all", false },
        { "on: [f, g]", "on: [g, f]", true }, /* in whatever order: the same fields */
        { "tolerance: 0.5", "tolerance: 0.6", false },
        { "ignore: [case]", "ignore: [space]", false },
        { "ignore: [case]", "ignore: [case, space]", false },
        { "on: [f, g], method: plurality, ties: first, ignore: [case], tolerance: 0.5",
          "on: [f], method: plurality, ties: first, ignore: [case]", false },
        { "only_hubs: [h]", "only_hubs: [k]", false },
        { "only_hubs: [h]", "only_hubs: [h, k]", false },
        { "only_hubs: [h]", "not_hubs: [h]", false },
        { "not_teams: [t]", "only_teams: [t]", false },
        { "not_teams: [t]", "not_teams: [u]", false },
        { "prefer: idle", "prefer: best", false },
        { "not_who_did: [w]", "not_who_did: [s]", false },
        { "not_who_did: [w]", "not_who_did: [w, s]", false },
        { "reasons: [bad]", "reasons: [worse]", false },
        { "reasons: [bad]", "reasons: [bad, worse]", false },
        { "rounds: 2", "rounds: 3", false },
        { "sample: 0.5", "sample: 0.4", false },
        { "first: 3", "first: 4", false },
        { "reasons: [bad]", "reasons: [bad]\n    author: true", false },
        { "reasons: [bad]", "reasons: [bad]\n    on_exhausted: z", false },
        { "reasons: [bad]", "reasons: [bad]\n    return_to_author: 1m", true },
        { "after: [s, r]", "after: [r, p]", false },
        { "shows: [i]", "shows: [s.f]", false },
        { "equal: 2", "equal: 3", false },
        { "contestants: 3", "contestants: 4", false },
        { "jury: {max: 3", "jury: {max: 5", false },
        { "  - name: z", "  - name: y\n    after: [w]\n  - name: z", false },
    };
    expect_changes(base, rows, sizeof rows / sizeof *rows);
}

/* ---- values ---- */
static const char *check_one(const char *field, const struct slp_buf *value)
{
    static char text[256];
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "line: a\ninput: [{name: i, type: text}]\nstations: [{name: s, form: {fields: [{name: f, %s}]}}]\n",
             field);
    struct ld_line *l = good_line(yaml);
    char *copy = malloc(value->n); /* of exactly that size: ASan sees one byte too far */
    memcpy(copy, value->p, value->n);
    uint32_t wrong_field = 77;
    text[0] = 0;
    int rc = ld_check_values(l->stations[0].fields, 1, copy, value->n, 1, &wrong_field, text, sizeof text);
    assert_true((rc == 0) == (text[0] == 0));
    if (rc != 0)
        assert_int_equal(wrong_field, 0);
    free(copy);
    ld_free(&l);
    return text;
}

static void expect_text(const char *field, const char *value, const char *wanted)
{
    struct slp_buf b = { 0 };
    slp_pack_cstr(&b, value);
    const char *text = check_one(field, &b);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s with \"%s\": \"%s\", wanted \"%s\"", field, value, text, wanted);
    slp_buf_free(&b);
}

static void texts_have_the_form_of_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *good[16], *bad[24];
        const char *text;
    } rows[] = {
        { "date",
          { "2012-02-29", "2000-02-29", "0001-01-01", "9999-12-31" },
          { "2013-02-29", "1900-02-29", "2012-13-01", "2012-00-10", "2012-04-31", "2012-01-00", "0000-01-01",
            "2012-1-1", "12-01-2012", "2012-01-01 ", "2012/01/01", "today" },
          "is not a date (YYYY-MM-DD)" },
        { "time",
          { "00:00", "23:59", "23:59:59" },
          { "24:00", "12:60", "12:00:60", "1:00", "12:00:", "12.00", "noon", "12:0a" },
          "is not a time (HH:MM or HH:MM:SS)" },
        { "datetime",
          { "2012-02-29T12:00", "2012-02-29 12:00:00", "2012-02-29T12:00:00Z", "2012-02-29T12:00:00.123+05:45",
            "2012-02-29T12:00-0700", "2012-02-29T12:00:00,5+05" },
          { "2012-02-29", "2012-02-30T12:00", "2012-02-29T25:00", "2012-02-29T12:00:00.", "2012-02-29T12:00+5",
            "2012-02-29T12:00X", "2012-02-29T12:00+24:00", "2012-02-29T12:00.5", "2012-02-29T12:00+05:4",
            "2012-02-29T12:00:00.1234567890" },
          "is not a date and time (YYYY-MM-DDTHH:MM:SS, perhaps with Z or +HH:MM)" },
        { "email",
          { "a@b.co", "first.last+tag@mail.example.org", "o'neill@example.com",
            "\xc3\xbc@b\xc3\xbc"
            "cher.example" },
          { "a", "a@", "@b.co", "a@b", "a b@c.de", "a@b..co", "a@-b.co", "a@b-.co", ".a@b.co", "a.@b.co", "a..b@c.de",
            "a@b@c.de", "a@b.co\n" },
          "is not an e-mail address" },
        { "url",
          { "http://example.com", "https://example.com:8080/a?b=c#d", "ftp://x", "s3://bucket/key", "file:///tmp/x",
            "HTTP://x" },
          { "example.com", "http:/example.com", "http://", "://x", "http://a b", "1http://x", "http:///x",
            "javascript:alert(1)", "http://x\n", "http://<x>" },
          "is not a URL (scheme://...)" },
        { "phone",
          { "+977 1-4411-234", "(0)20 7946 0958", "911", "+1.212.555.0100" },
          { "12", "+", "phone", "1234567890123456", "12+34567", "555-CALL" },
          "is not a phone number" },
        { "number",
          { "0", "-1.5", "+3", "1e6", ".5", "12345678901234567890" },
          { "abc", "1,5", "1 000", "0x10", "inf", "nan", "1e", " 1", "1 ", "--1", "1.2.3", "e5", "." },
          "is not a number" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char field[64], wanted[256];
        snprintf(field, sizeof field, "type: %s", rows[i].type);
        for (int k = 0; rows[i].good[k]; k++)
            expect_text(field, rows[i].good[k], "");
        for (int k = 0; rows[i].bad[k]; k++) {
            struct slp_bytes bad = { rows[i].bad[k], (uint32_t)strlen(rows[i].bad[k]) };
            snprintf(wanted, sizeof wanted, "'%s' %s", LD_Q(bad), rows[i].text);
            expect_text(field, rows[i].bad[k], wanted);
        }
        expect_text(field, "", ""); /* empty: not given */
        snprintf(field, sizeof field, "type: %s, required: true", rows[i].type);
        expect_text(field, "", "is required");
    }
}

static void texts_keep_options_and_lengths(void **state)
{
    (void)state;
    static const char *const texts[] = { "text", "general", "short_answer", "long_answer" };
    for (int i = 0; i < 4; i++) {
        char field[64];
        snprintf(field, sizeof field, "type: %s, chars_max: 3", texts[i]);
        expect_text(field, "abc", "");
        expect_text(field, "\xc3\xa4\xc3\xb6\xc3\xbc", "");
        expect_text(field, "abcd", "has 4 characters, more than 3");
        snprintf(field, sizeof field, "type: %s", texts[i]);
        expect_text(field, "anything\n at all, \"even\" this", "");
    }
    expect_text("type: radio, options: [a, b]", "a", "");
    expect_text("type: radio, options: [a, b]", "A", "'A' is not one of the options");
    expect_text("type: select, options: [a, b]", "ab", "'ab' is not one of the options");
    expect_text("type: select, options: [a, b], required: true", "", "is required");
    expect_text("type: select, options: [a, b]", "", "");
    expect_text("type: text, options: [a, b]", "c", "'c' is not one of the options");
    expect_text("type: check_box, options: [a, b]", "a", "must be a list of texts");
    expect_text("type: number, min: -1.5, max: 10", "-1.5", "");
    expect_text("type: number, min: -1.5, max: 10", "-1.6", "is less than -1.5");
    expect_text("type: number, min: -1.5, max: 10", "10.0", "");
    expect_text("type: number, min: -1.5, max: 10", "1e9", "is more than 10");
    expect_text("type: number, max: 10", "1e9999", "is more than 10");
}

static void packed_values_are_checked_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *field, *packed;
        size_t n;
        const char *wanted;
    } rows[] = {
        { "type: text", PACKED("\xc0"), "" },
        { "type: text, required: true", PACKED("\xc0"), "is required" },
        { "type: text", PACKED("\x05"), "must be text" },
        { "type: text", PACKED("\xc3"), "must be text" },
        { "type: text", PACKED("\x91\xa1x"), "must be text" },
        { "type: text", PACKED("\xc4\x01x"), "must be text" },
        { "type: text", PACKED("\x80"), "must be text" },
        { "type: general", PACKED("\x05"), "" },
        { "type: general", PACKED("\xc2"), "" },
        { "type: general", PACKED("\xcb\x3f\xe0\0\0\0\0\0\0"), "" },
        { "type: general", PACKED("\x90"), "must be text" },
        { "type: general, options: ['5']", PACKED("\x05"), "must be text" },
        { "type: number, max: 5", PACKED("\x05"), "" },
        { "type: number, max: 5", PACKED("\x06"), "is more than 5" },
        { "type: number, min: 0", PACKED("\xff"), "is less than 0" },
        { "type: number", PACKED("\xcb\x3f\xe0\0\0\0\0\0\0"), "" },
        { "type: number", PACKED("\xcb\x7f\xf0\0\0\0\0\0\0"), "is not a finite number" },
        { "type: number", PACKED("\xcb\x7f\xf8\0\0\0\0\0\0"), "is not a finite number" },
        { "type: number", PACKED("\xc3"), "is not a number" },
        { "type: date", PACKED("\x05"), "must be text" },
        { "type: check_box, options: [a, b]",
          PACKED("\x92\xa1"
                 "b\xa1"
                 "a"),
          "" },
        { "type: check_box, options: [a, b]", PACKED("\x90"), "" },
        { "type: check_box, options: [a, b]", PACKED("\xc0"), "" },
        { "type: check_box, options: [a, b], required: true", PACKED("\x90"), "is required" },
        { "type: check_box, options: [a, b]",
          PACKED("\x92\xa1"
                 "a\xa1"
                 "a"),
          "'a' is chosen twice" },
        { "type: check_box, options: [a, b]",
          PACKED("\x91\xa1"
                 "c"),
          "'c' is not one of the options" },
        { "type: check_box, options: [a, b]", PACKED("\x91\x01"), "must be a list of texts" },
        { "type: check_box, options: [a, b]",
          PACKED("\x91\x91\xa1"
                 "a"),
          "must be a list of texts" },
        { "type: check_box, options: [a, b]",
          PACKED("\x81\xa1"
                 "a\xa1"
                 "b"),
          "must be a list of texts" },
        { "type: text",
          PACKED("\xa5"
                 "abc"),
          "is malformed" },
        { "type: text", PACKED("\xc1"), "is malformed" },
        { "type: check_box, options: [a, b]",
          PACKED("\x92\xa1"
                 "a"),
          "must be a list of texts" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slp_buf b = { .n = rows[i].n };
        b.p = malloc(rows[i].n);
        memcpy(b.p, rows[i].packed, rows[i].n);
        const char *text = check_one(rows[i].field, &b);
        if (strcmp(text, rows[i].wanted) != 0)
            fail_msg("row %zu, %s: \"%s\", wanted \"%s\"", i, rows[i].field, text, rows[i].wanted);
        free(b.p);
    }
}

static void the_wrong_value_is_named_by_its_index(void **state)
{
    (void)state;
    struct ld_line *l = good_line("line: a\ninput: [{name: i, type: text}, {name: j, type: number}, {name: k, type: "
                                  "text, required: true}]\nstations: [{name: s}]\n");
    uint32_t field;
    char text[128];
    static const char row[] = "\xa1x\xa1y\xa1z";
    assert_int_equal(ld_check_values(l->inputs, 3, row, 6, 3, &field, text, sizeof text), -1);
    assert_int_equal(field, 1);
    assert_string_equal(text, "'y' is not a number");
    assert_int_equal(ld_check_values(l->inputs, 3, row, 4, 2, &field, text, sizeof text), -1);
    assert_int_equal(field, UINT32_MAX);
    assert_string_equal(text, "2 values for 3 fields");
    assert_int_equal(ld_check_values(l->inputs, 3, "\xa1x\x07\xa1z", 5, 3, &field, text, sizeof text), 0);
    assert_int_equal(ld_check_values(l->inputs, 3, "\xa1x\x07\xc0", 4, 3, &field, text, sizeof text), -1);
    assert_int_equal(field, 2);
    assert_int_equal(ld_check_values(l->inputs, 3, "\xa1x\x07", 3, 3, &field, text, sizeof text), -1);
    assert_int_equal(field, 2);
    assert_int_equal(ld_check_values(l->inputs, 3, "\xa1x\x07\xa1z\xc0", 6, 3, &field, text, sizeof text), -1);
    assert_int_equal(field, UINT32_MAX);
    ld_free(&l);
}

static void what_is_wrong_is_cut_between_characters(void **state)
{
    (void)state;
    struct ld_line *l = good_line("line: a\ninput: [{name: d, type: date}]\nstations: [{name: s}]\n");
    static const char value[] = "\xa9\xc3\xa4\xc3\xb6\xe2\x82\xac\xc3\xbc"; /* two, two, three, two bytes */
    for (size_t size = 2; size < 40; size++) {
        uint32_t field;
        char text[40];
        assert_int_equal(ld_check_values(l->inputs, 1, value, sizeof value - 1, 1, &field, text, size), -1);
        assert_true(strlen(text) < size && strlen(text) + 4 > (size < 38 ? size : 0) && sl_utf8_ok(text, strlen(text)));
    }
    ld_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_compiled_line_holds_what_was_said),
        cmocka_unit_test(stations_stand_in_topological_order),
        cmocka_unit_test(big_graphs_compile),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(what_no_yaml_file_can_say_is_refused),
        cmocka_unit_test(money_may_come_as_a_number),
        cmocka_unit_test(likeness_is_counted_in_edits),
        cmocka_unit_test(a_long_cycle_is_told_by_its_beginning),
        cmocka_unit_test(only_harmless_changes_are_compatible),
        cmocka_unit_test(what_decides_who_works_and_what_stands_is_not_harmless),
        cmocka_unit_test(texts_have_the_form_of_their_type),
        cmocka_unit_test(texts_keep_options_and_lengths),
        cmocka_unit_test(packed_values_are_checked_by_kind),
        cmocka_unit_test(the_wrong_value_is_named_by_its_index),
        cmocka_unit_test(what_is_wrong_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
