/* The table of commands: every command is found, helps, refuses nonsense before it looks for a broker, and stands in
 * the manual. */
#include "tests/unit/cli_world.h"

#include <ctype.h>

#include "client/cli/commands.h"

#define MANUAL "docs/man/sunline.1" /* tests run in the top folder */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        return NULL;
    }
    char *text = NULL;
    size_t n = 0;
    ssize_t got = getdelim(&text, &n, 0, f);
    fclose(f);
    return got < 0 ? NULL : text;
}

/* The manual without mdoc's escapes and quotes of options: "\-" is "-". */
static void strip(char *text)
{
    char *to = text;
    for (char *p = text; *p; p++) {
        if (p[0] == '\\' && p[1] == '-') {
            continue;
        }
        *to++ = *p;
    }
    *to = 0;
}

static void every_command_is_found_by_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char words[64];
        char *argv[WORDS_MAX + 1];
        int used;
        snprintf(words, sizeof words, "%s", commands[i].words);
        int argc = cli_words(words, argv);
        assert_ptr_equal(command_find(argc, argv, &used), &commands[i]);
        assert_int_equal(used, argc);
        assert_non_null(commands[i].run);
        assert_true(strlen(commands[i].help) > 4);
    }
}

static void every_command_has_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        struct cli_world w;
        char line[100];
        cli_world_begin(&w);
        snprintf(line, sizeof line, "sunline %s --nonsense --help", commands[i].words);
        assert_int_equal(cli_world_run(&w, line), CLI_DONE);
        cli_contains(w.out, commands[i].words);
        cli_contains(w.out, commands[i].help);
        cli_contains(w.out, "--json");
        cli_world_end(&w);
        cli_world_begin(&w);
        snprintf(line, sizeof line, "sunline help %s", commands[i].words);
        assert_int_equal(cli_world_run(&w, line), CLI_DONE);
        cli_contains(w.out, commands[i].help);
        cli_world_end(&w);
    }
}

/* Each option of the usage is explained in the help, and the other way round. */
static void usage_and_options_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const struct command *c = &commands[i];
        const char *texts[] = { c->usage, c->options ? c->options : "" };
        for (int t = 0; t < 2; t++) {
            for (const char *p = texts[t]; (p = strstr(p, "--")); p += 2) {
                char option[40];
                size_t n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-") + 2;
                snprintf(option, sizeof option, "%.*s", (int)n, p);
                bool with_letter = strcmp(option, "--output") == 0 && strstr(c->usage, "-o FILE");
                if (!strstr(texts[!t], option) && !with_letter && strcmp(option, "--input") != 0) {
                    fail_msg("sunline %s: %s stands in only one of usage and options", c->words, option);
                }
            }
        }
    }
}

static void an_unknown_option_is_misuse_without_a_broker(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        struct cli_world w;
        char line[100];
        cli_world_begin(&w);
        w.cli.endpoint = "tcp://127.0.0.1:1"; /* nobody is there; nobody may be asked */
        snprintf(line, sizeof line, "sunline %s --no-such-option", commands[i].words);
        assert_int_equal(cli_world_run(&w, line), CLI_USAGE);
        cli_contains(w.err, "unknown option '--no-such-option'");
        cli_contains(w.err, "usage: sunline ");
        assert_int_equal(w.out_n, 0);
        cli_world_end(&w);
    }
}

static void misuse_is_told_before_a_broker_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        { "sunline", "usage: sunline" },
        { "sunline runn list", "unknown command 'runn list', did you mean 'run list'?" },
        { "sunline run strat", "unknown command 'run strat', did you mean 'run start'?" },
        { "sunline run", "'run' needs another word" },
        { "sunline evnets --follow", "did you mean 'events'?" },
        { "sunline zzz", "unknown command 'zzz'" },
        { "sunline --brokr x run list", "unknown option '--brokr', did you mean '--broker'?" },
        { "sunline --broker", "--broker needs a value" },
        { "sunline --timeout 0x run list", "--timeout takes a whole number" },
        { "sunline run start", "too few arguments" },
        { "sunline run start a b", "too many arguments, beginning at 'b'" },
        { "sunline run start a --input x.csv", "--name RUN is needed" },
        { "sunline run start a --name r", "--input FILE is needed" },
        { "sunline run start a --name r --open --skip-bad x", "--skip-bad goes with --input" },
        { "sunline run start a --name -r- --open", "a name must be 1 to 64" },
        { "sunline run start a --name r --input x --priority 10", "--priority takes a whole number from 0 to 9" },
        { "sunline run add r", "--input FILE is needed" },
        { "sunline run priority r 12", "a priority is 0 to 9, not '12'" },
        { "sunline run watch r --interval 0", "--interval is at least 1 second" },
        { "sunline run output r --format xml", "--format is csv or jsonl, not 'xml'" },
        { "sunline stats --format xml", "--format is text, json or prometheus, not 'xml'" },
        { "sunline station peek nowhere", "a station is named LINE/STATION" },
        { "sunline station peek a/b@x", "a station is named LINE/STATION" },
        { "sunline station peek /b", "a station is named LINE/STATION" },
        { "sunline station pause a/b@3", "in all versions" },
        { "sunline station drop a/b", "name units, or say --all" },
        { "sunline station drop a/b 3", "of which run is unit '3'?" },
        { "sunline station drop a/b r/0", "with a number from 1 on" },
        { "sunline station drop a/b r/1 q/1", "units of one run at a time" },
        { "sunline station drop a/b r/1 --all", "exclude each other" },
        { "sunline unit show r", "name a unit as RUN UNIT or RUN/UNIT" },
        { "sunline unit show r 0", "name a unit as RUN UNIT or RUN/UNIT" },
        { "sunline unit show r/x", "name a unit as RUN UNIT or RUN/UNIT" },
        { "sunline events --topic queue/x", "--topic is all, line/NAME, run/NAME or hub/NAME" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_world w;
        cli_world_begin(&w);
        w.cli.endpoint = "tcp://127.0.0.1:1";
        int code = cli_world_run(&w, cases[i].line);
        if (code != CLI_USAGE) {
            fail_msg("%s: exit %d, said: %s", cases[i].line, code, w.err);
        }
        cli_contains(w.err, cases[i].message);
        cli_world_end(&w);
    }
}

static void a_list_of_one_group_names_only_that_group(void **state)
{
    (void)state;
    struct cli_world w;
    cli_world_begin(&w);
    assert_int_equal(cli_world_run(&w, "sunline station --help"), CLI_DONE);
    cli_contains(w.out, "station requeue");
    assert_null(strstr(w.out, "run start"));
    cli_world_end(&w);
    cli_world_begin(&w);
    assert_int_equal(cli_world_run(&w, "sunline --help"), CLI_DONE);
    for (size_t i = 0; i < command_count; i++) {
        cli_contains(w.out, commands[i].words);
    }
    cli_world_end(&w);
}

static void a_missing_broker_is_named_within_the_timeout(void **state)
{
    (void)state;
    struct cli_world w;
    cli_world_begin(&w);
    assert_int_equal(cli_world_run(&w, "sunline --timeout 1 --broker ipc:///tmp/sunline-no-such-broker run list"),
                     CLI_FAILED);
    cli_contains(w.err, "sunline: ");
    cli_contains(w.err, "ipc:///tmp/sunline-no-such-broker");
    cli_world_end(&w);
    cli_world_begin(&w);
    assert_int_equal(cli_world_run(&w, "sunline --broker nonsense run list"), CLI_FAILED);
    cli_contains(w.err, "'nonsense' is not an endpoint");
    cli_world_end(&w);
}

static void the_environment_names_the_broker(void **state)
{
    (void)state;
    struct cli cli;
    setenv("SUNLINE_BROKER", "tcp://127.0.0.1:9", 1);
    cli_init(&cli);
    assert_string_equal(cli.endpoint, "tcp://127.0.0.1:9");
    setenv("SUNLINE_BROKER", "", 1);
    cli_init(&cli);
    assert_string_equal(cli.endpoint, CLI_ENDPOINT_DEFAULT);
    unsetenv("SUNLINE_BROKER");
}

/* Every command has a heading ".It Cm run Cm start ..." of its own in the manual, with all its options below. */
static void the_manual_describes_every_command(void **state)
{
    (void)state;
    char *manual = read_file(MANUAL);
    assert_non_null(manual);
    strip(manual);
    size_t described = 0;
    for (const char *p = manual; (p = strstr(p, "\n.It Ic ")); p++) {
        described++;
    }
    assert_int_equal(described, command_count);
    for (size_t i = 0; i < command_count; i++) {
        char heading[100];
        snprintf(heading, sizeof heading, "\n.It Ic %s", commands[i].words);
        char *at = manual;
        do { /* "run start" must not be taken for a longer word that begins with it */
            at = strstr(at, heading);
            at = at ? at + strlen(heading) : NULL;
        } while (at && !isspace((unsigned char)*at));
        if (!at) {
            fail_msg("%s does not describe 'sunline %s'", MANUAL, commands[i].words);
        }
        char *end = strstr(at, "\n.It Ic ");
        if (end) {
            *end = 0;
        }
        for (const char *o = commands[i].options; o && (o = strstr(o, "--")); o += 2) {
            char option[48];
            snprintf(option, sizeof option, "Fl %.*s", (int)strspn(o + 1, "abcdefghijklmnopqrstuvwxyz-"), o + 1);
            if (!strstr(at, option)) {
                fail_msg("%s: 'sunline %s' lacks '%s'", MANUAL, commands[i].words, option);
            }
        }
        if (end) {
            *end = '\n';
        }
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_found_by_its_words),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(usage_and_options_agree),
        cmocka_unit_test(an_unknown_option_is_misuse_without_a_broker),
        cmocka_unit_test(misuse_is_told_before_a_broker_is_asked),
        cmocka_unit_test(a_list_of_one_group_names_only_that_group),
        cmocka_unit_test(a_missing_broker_is_named_within_the_timeout),
        cmocka_unit_test(the_environment_names_the_broker),
        cmocka_unit_test(the_manual_describes_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
