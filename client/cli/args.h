/* The arguments of a command: options from a small table, the rest by position. The options that every command takes
 * (--broker, --json,
 * --timeout, --help) are known here; they may stand before the command's words as well as after them.
 * "--name VALUE" and "--name=VALUE"; "--" ends the options; a lone "-" is a positional argument (standard input). */
#ifndef SUNLINE_CLI_ARGS_H
#define SUNLINE_CLI_ARGS_H
#include "client/cli/cli.h"

enum arg_kind { ARG_FLAG, ARG_TEXT, ARG_U64 };

struct arg {
    const char *name;   /* "--input"; NULL ends the table */
    enum arg_kind kind;
    void *to;           /* bool *, const char **, uint64_t * */
    bool *given;        /* set if it stood there; may be NULL */
    uint64_t max;       /* U64: the largest value; 0: any */
    char letter;        /* 'o' for -o; 0: none */
};

/* Take the common options out of argv[1..], as far as the first word (a command's words follow). Returns the index
 * of the first word, argc if there is none, or -1 after a usage message. */
int args_global(struct cli *cli, int argc, char **argv);

/* Parse argv[1..]. Positional arguments are moved to argv[1..] in order. Returns how many there are, or -1 after a
 * usage message: fewer than `min` or more than `max`, an unknown option, a missing or unfit value, an option given
 * twice. */
int args_parse(struct cli *cli, int argc, char **argv, const struct arg *args, int min, int max);
bool args_u64(const char *text, uint64_t max, uint64_t *value); /* decimal digits only; max 0: any */
#endif
