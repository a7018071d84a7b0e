/* docs/line-files.md against the code: every example compiles, every example of mistakes has exactly these mistakes, and its tables of keys,
 * types and limits say what the compiler's tables say, both ways. Run from the top of the tree. */
#include "tests/unit/line_world.h"

#include "proto/ld_schema.h"

static char *document; /* the text, terminated */

static int read_document(void **state)
{
    (void)state;
    FILE *in = fopen("docs/line-files.md", "re");
    if (!in)
        return -1;
    document = calloc(1, 1 << 20);
    size_t n = document ? fread(document, 1, (1 << 20) - 1, in) : 0;
    fclose(in);
    return n > 0 ? 0 : -1;
}

static int free_document(void **state)
{
    (void)state;
    free(document);
    return 0;
}

/* Copy the body of the code block that begins at `fence` ("```yaml ..."), indented by `indent`. Returns where the block ends. */
static const char *body_of(const char *fence, char *out, size_t size, int indent)
{
    const char *p = strchr(fence, '\n') + 1, *end = strstr(p, "\n```");
    assert_non_null(end);
    size_t n = strlen(out);
    while (p <= end) {
        const char *stop = strchr(p, '\n');
        n += (size_t)snprintf(out + n, size - n, "%*s%.*s\n", indent, "", (int)(stop - p), p);
        assert_true(n < size);
        p = stop + 1;
    }
    return end + 4;
}

/* What stands around an example that shows only a part. */
static const struct {
    const char *kind, *before, *after;
    int indent;
} frames[] = {
    { "\n```yaml\n", "", "", 0 },
    { "\n```yaml input\n", "line: part\ninput:\n", "stations: [{name: s}]\n", 2 },
    { "\n```yaml station\n",
      "line: part\ninput: [{name: length, type: number}, {name: language, type: text}]\nstations:\n  - name: judge\n"
      "    form: {fields: [{name: entails, type: radio, options: ['0', '1']}]}\n",
      "", 2 },
    { "\n```yaml field\n",
      "line: part\ninput: [{name: i, type: text}]\nstations:\n  - name: s\n    form:\n      fields:\n", "", 8 },
};

static void every_example_compiles(void **state)
{
    (void)state;
    static const int least[] = {
        3, 1, 4, 1
    }; /* how many of each kind there are: a fence that is spelled otherwise is not passed over */
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        int count = 0;
        for (const char *p = document; (p = strstr(p, frames[i].kind)); count++) {
            char yaml[8192] = "";
            strcat(yaml, frames[i].before);
            p = body_of(p + 1, yaml, sizeof yaml, frames[i].indent);
            strcat(yaml, frames[i].after);
            expect_problems(yaml, "");
        }
        assert_true(count >= least[i]);
    }
    /* no other kind of example */
    for (const char *p = document; (p = strstr(p, "\n```yaml")); p++) {
        bool known = strncmp(p, "\n```yaml wrong\n", 15) == 0;
        for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
            known = known || strncmp(p, frames[i].kind, strlen(frames[i].kind)) == 0;
        assert_true(known);
    }
}

static void every_example_of_mistakes_has_them(void **state)
{
    (void)state;
    int count = 0;
    for (const char *p = document; (p = strstr(p, "\n```yaml wrong\n")); count++) {
        char yaml[4096] = "", wanted[4096] = "";
        p = body_of(p + 1, yaml, sizeof yaml, 0);
        assert_int_equal(strncmp(p, "\n```text\n", 9), 0);
        p = body_of(p + 1, wanted, sizeof wanted, 0);
        char all[4096] = "";
        struct linefile *f = linefile_parse("line.yml", yaml, strlen(yaml));
        size_t n = linefile_check(f);
        for (size_t i = 0; i < n; i++)
            strcat(strcat(all, linefile_problem(f, i)), "\n");
        linefile_free(&f);
        assert_string_equal(all, wanted);
    }
    assert_true(count >= 2);
}

/* The section under the heading, up to the next heading. */
static char *section(const char *heading)
{
    char line[128];
    snprintf(line, sizeof line, "\n%s\n", heading);
    const char *p = strstr(document, line);
    if (!p)
        fail_msg("there is no section '%s'", heading);
    const char *end = strstr(p + strlen(line), "\n#");
    return strndup(p, end ? (size_t)(end - p) : strlen(p));
}

static void the_tables_of_keys_are_those_of_the_code(void **state)
{
    (void)state;
    for (const struct ld_map *const *m = ld_maps; *m; m++) {
        char heading[64], row[64];
        snprintf(heading, sizeof heading, "### Keys of %s %s", strchr("aeiou", (*m)->what[0]) ? "an" : "a", (*m)->what);
        char *text = section(heading);
        uint32_t rows = 0;
        for (const char *p = text; (p = strstr(p, "\n| `")); p++)
            rows++;
        for (uint32_t i = 0; i < (*m)->count; i++) {
            const struct ld_key *k = &(*m)->keys[i];
            snprintf(row, sizeof row, "\n| `%s` | ", k->name);
            const char *at = strstr(text, row);
            if (!at)
                fail_msg("'%s': no row for the key '%s'", heading, k->name);
            const char *third = strchr(at + strlen(row), '|'); /* the default says whether it is required */
            assert_non_null(third);
            if ((strncmp(third, "| required |", 12) == 0) != k->required)
                fail_msg("'%s': is the key '%s' required?", heading, k->name);
        }
        assert_int_equal(rows, (*m)->count);
        free(text);
    }
}

static void the_table_of_types_is_that_of_the_code(void **state)
{
    (void)state;
    char *text = section("## Types of fields");
    int rows = 0, types = 0;
    for (const char *p = text; (p = strstr(p, "\n| `")); p++)
        rows++;
    for (; ld_type_words[types]; types++) {
        char row[64];
        snprintf(row, sizeof row, "\n| `%s` | ", ld_type_words[types]);
        const char *at = strstr(text, row);
        if (!at)
            fail_msg("no row for type '%s'", ld_type_words[types]);
        const char *where = types < LD_INPUT_TYPES ? "| input, form |" : "| form |", *stop = strchr(at + 1, '\n');
        assert_non_null(stop);
        assert_int_equal(strncmp(stop - strlen(where), where, strlen(where)), 0);
    }
    assert_int_equal(rows, types);
    free(text);
}

static void the_limits_are_those_of_the_code(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        long value;
    } rows[] = {
        { "stations of a line", SL_LINE_STATIONS_MAX },
        { "input fields; fields of a form", SL_INPUT_FIELDS_MAX },
        { "options of a field", SL_OPTIONS_MAX },
        { "values that a station shows", SL_SHOWS_MAX },
        { "operators and values of a condition", SL_EXPR_NODES_MAX },
        { "skills of a station", SL_SKILLS_MAX },
        { "answers to a task", SL_COPIES_MAX },
        { "a title, label, hint or option", SL_TEXT_BYTES_MAX },
        { "mistakes that are named", SL_PROBLEMS_MAX },
    };
    char *text = section("## Limits");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n| %s | ", rows[i].what);
        const char *at = strstr(text, row);
        if (!at || strtol(at + strlen(row), NULL, 10) != rows[i].value)
            fail_msg("'%s' should be %ld", rows[i].what, rows[i].value);
    }
    assert_non_null(strstr(text, "| the file / the definition as packed | 1 MiB / 128 KiB |"));
    assert_true(LINEFILE_BYTES_MAX == 1 << 20 && SL_LINE_BYTES_MAX == 128 * 1024);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_compiles),
        cmocka_unit_test(every_example_of_mistakes_has_them),
        cmocka_unit_test(the_tables_of_keys_are_those_of_the_code),
        cmocka_unit_test(the_table_of_types_is_that_of_the_code),
        cmocka_unit_test(the_limits_are_those_of_the_code),
    };
    return cmocka_run_group_tests(tests, read_document, free_document);
}
