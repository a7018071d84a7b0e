/* Arguments: what is taken, what is refused, and how a mistake is told. */
#include "tests/unit/cli_world.h"

#include "client/cli/args.h"

struct options {
    bool open, name_given, count_given;
    const char *name;
    uint64_t count;
};

/* Parse a line of words against a small table; argv is the caller's, to look at the positions. */
static int parse(struct cli_world *w, char *line, struct options *o, char *argv[WORDS_MAX + 1], int min, int max)
{
    const struct arg args[] = { { "--open", ARG_FLAG, &o->open, NULL, 0, 0 },
                                { "--name", ARG_TEXT, &o->name, &o->name_given, 0, 'n' },
                                { "--count", ARG_U64, &o->count, &o->count_given, 9, 0 },
                                { .name = NULL } };
    int argc = cli_words(line, argv);
    *o = (struct options){ 0 };
    int n = args_parse(&w->cli, argc, argv, args, min, max);
    fflush(w->cli.err);
    return n;
}

static void options_and_positions_mix(void **state)
{
    (void)state;
    struct cli_world w;
    struct options o;
    char *argv[WORDS_MAX + 1];
    char line[] = "start first --open --name=x second --count 7 -";
    cli_world_begin(&w);
    assert_int_equal(parse(&w, line, &o, argv, 3, 3), 3);
    assert_string_equal(argv[1], "first");
    assert_string_equal(argv[2], "second");
    assert_string_equal(argv[3], "-");
    assert_true(o.open && o.name_given);
    assert_string_equal(o.name, "x");
    assert_int_equal(o.count, 7);
    cli_world_end(&w);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    struct cli_world w;
    struct options o;
    char *argv[WORDS_MAX + 1];
    char line[] = "start -n x -- --open";
    cli_world_begin(&w);
    assert_int_equal(parse(&w, line, &o, argv, 1, 1), 1);
    assert_string_equal(argv[1], "--open");
    assert_string_equal(o.name, "x");
    assert_false(o.open);
    cli_world_end(&w);
}

static void common_options_stand_anywhere(void **state)
{
    (void)state;
    struct cli_world w;
    struct options o;
    char *argv[WORDS_MAX + 1];
    char line[] = "start --json x --broker ipc:///tmp/b --timeout=3";
    cli_world_begin(&w);
    assert_int_equal(parse(&w, line, &o, argv, 1, 1), 1);
    assert_true(w.cli.json);
    assert_string_equal(w.cli.endpoint, "ipc:///tmp/b");
    assert_int_equal(w.cli.timeout_s, 3);
    cli_world_end(&w);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        { "start x --opne", "unknown option '--opne', did you mean '--open'?" },
        { "start x --jsn", "unknown option '--jsn', did you mean '--json'?" },
        { "start x --zzzzzzzzzz", "unknown option '--zzzzzzzzzz'" },
        { "start x -q", "unknown option '-q'" },
        { "start x --name", "--name needs a value" },
        { "start x --open=1", "--open takes no value" },
        { "start x --name a --name b", "--name is given twice" },
        { "start x --count 10", "--count takes a whole number from 0 to 9, not '10'" },
        { "start x --count -1", "--count takes a whole number from 0 to 9, not '-1'" },
        { "start x --count 1x", "--count takes a whole number from 0 to 9, not '1x'" },
        { "start x --count=", "--count takes a whole number from 0 to 9, not ''" },
        { "start", "too few arguments" },
        { "start x y", "too many arguments, beginning at 'y'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_world w;
        struct options o;
        char *argv[WORDS_MAX + 1], line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        cli_world_begin(&w);
        assert_int_equal(parse(&w, line, &o, argv, 1, 1), -1);
        cli_contains(w.err, cases[i].message);
        cli_contains(w.err, "usage: ");
        cli_world_end(&w);
    }
}

static void numbers_are_digits_only_and_fit(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(args_u64("0", 0, &v) && v == 0);
    assert_true(args_u64("18446744073709551615", 0, &v) && v == UINT64_MAX);
    assert_false(args_u64("18446744073709551616", 0, &v));
    assert_false(args_u64("99999999999999999999", 0, &v));
    assert_false(args_u64("", 0, &v));
    assert_false(args_u64("+1", 0, &v));
    assert_false(args_u64(" 1", 0, &v));
    assert_false(args_u64("0x1", 0, &v));
    assert_true(args_u64("9", 9, &v));
    assert_false(args_u64("10", 9, &v));
}

static void near_words_are_found_and_far_ones_are_not(void **state)
{
    (void)state;
    static const char *const words[] = { "run start", "run show", "station list", "events", NULL };
    assert_string_equal(cli_did_you_mean("run strat", words), "run start");
    assert_string_equal(cli_did_you_mean("runstart", words), "run start");
    assert_string_equal(cli_did_you_mean("evnets", words), "events");
    assert_string_equal(cli_did_you_mean("station lst", words), "station list");
    assert_null(cli_did_you_mean("backup", words));
    assert_null(cli_did_you_mean("", words));
    char word[300];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = 0;
    assert_null(cli_did_you_mean(word, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_positions_mix),       cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(common_options_stand_anywhere),   cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(numbers_are_digits_only_and_fit), cmocka_unit_test(near_words_are_found_and_far_ones_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
