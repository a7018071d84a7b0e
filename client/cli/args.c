/* Argument parsing: one pass over argv, two tables (the command's options, and those that every command takes). */
#include "client/cli/args.h"

#include <assert.h>
#include <string.h>

#define COMMON_COUNT 4
#define CANDIDATES_MAX 32

static void common_args(struct cli *cli, struct arg table[COMMON_COUNT + 1])
{
    table[0] = (struct arg){ .name = "--broker", .kind = ARG_TEXT, .to = &cli->endpoint };
    table[1] = (struct arg){ .name = "--json", .kind = ARG_FLAG, .to = &cli->json };
    table[2] = (struct arg){ .name = "--timeout", .kind = ARG_U64, .to = &cli->timeout_s, .max = CLI_TIMEOUT_S_MAX };
    table[3] = (struct arg){ .name = "--help", .kind = ARG_FLAG, .to = &cli->help, .letter = 'h' };
    table[COMMON_COUNT] = (struct arg){ .name = NULL };
}

bool args_u64(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *value = v;
    return max == 0 || v <= max;
}

/* Does `word` name this option? *value: what stands behind "=", NULL if nothing does. */
static bool names(const struct arg *a, const char *word, const char **value)
{
    *value = NULL;
    if (word[1] != '-') {
        if (!a->letter || word[1] != a->letter) {
            return false;
        }
        *value = word[2] ? word + 2 : NULL;
        return true;
    }
    size_t n = strlen(a->name);
    if (strncmp(word, a->name, n) != 0 || (word[n] && word[n] != '=')) {
        return false;
    }
    *value = word[n] == '=' ? word + n + 1 : NULL;
    return true;
}

static const struct arg *find(const struct arg *table, const char *word, const char **value)
{
    for (; table && table->name; table++) {
        if (names(table, word, value)) {
            return table;
        }
    }
    return NULL;
}

static int unknown(struct cli *cli, const char *word, const struct arg *args, const struct arg *common)
{
    const char *candidates[CANDIDATES_MAX + 1];
    int n = 0;
    for (; args && args->name && n < CANDIDATES_MAX; args++) {
        candidates[n++] = args->name;
    }
    for (; common->name && n < CANDIDATES_MAX; common++) {
        candidates[n++] = common->name;
    }
    candidates[n] = NULL;
    const char *near = cli_did_you_mean(word, candidates);
    cli_misuse(cli, near ? "unknown option '%s', did you mean '%s'?" : "unknown option '%s'", word, near);
    return -1;
}

/* Store the option at argv[*i]; moves *i past a value of its own. False after a usage message. */
static bool store(struct cli *cli, const struct arg *a, const char *value, int argc, char **argv, int *i)
{
    if (a->given) {
        if (*a->given) {
            cli_misuse(cli, "%s is given twice", a->name);
            return false;
        }
        *a->given = true;
    }
    if (a->kind == ARG_FLAG) {
        if (value) {
            cli_misuse(cli, "%s takes no value", a->name);
            return false;
        }
        *(bool *)a->to = true;
        return true;
    }
    if (!value) {
        if (*i + 1 >= argc) {
            cli_misuse(cli, "%s needs a value", a->name);
            return false;
        }
        value = argv[++*i];
    }
    if (a->kind == ARG_TEXT) {
        *(const char **)a->to = value;
    } else if (!args_u64(value, a->max, a->to)) {
        if (a->max) {
            cli_misuse(cli, "%s takes a whole number from 0 to %llu, not '%s'", a->name, (unsigned long long)a->max,
                       value);
        } else {
            cli_misuse(cli, "%s takes a whole number, not '%s'", a->name, value);
        }
        return false;
    }
    return true;
}

int args_global(struct cli *cli, int argc, char **argv)
{
    struct arg common[COMMON_COUNT + 1];
    common_args(cli, common);
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *value;
        const struct arg *a = find(common, argv[i], &value);
        if (!a) {
            return unknown(cli, argv[i], NULL, common);
        }
        if (!store(cli, a, value, argc, argv, &i)) {
            return -1;
        }
    }
    return i;
}

int args_parse(struct cli *cli, int argc, char **argv, const struct arg *args, int min, int max)
{
    struct arg common[COMMON_COUNT + 1];
    common_args(cli, common);
    int count = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (!options || argv[i][0] != '-' || !argv[i][1]) {
            argv[1 + count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            options = false;
            continue;
        }
        const char *value;
        const struct arg *a = find(args, argv[i], &value);
        a = a ? a : find(common, argv[i], &value);
        if (!a) {
            return unknown(cli, argv[i], args, common);
        }
        if (!store(cli, a, value, argc, argv, &i)) {
            return -1;
        }
    }
    if (count < min || count > max) {
        cli_misuse(cli, count < min ? "too few arguments" : "too many arguments, beginning at '%s'",
                   count < min ? "" : argv[1 + max]);
        return -1;
    }
    return count;
}
