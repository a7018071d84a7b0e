/* The table of commands: what `sunline` can do, once. Dispatch, help and the test against the man page all read it. */
#ifndef SUNLINE_CLI_COMMANDS_H
#define SUNLINE_CLI_COMMANDS_H
#include <stddef.h>

#include "client/cli/cli.h"

struct command {
    const char *words;   /* "run start" */
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the last word; returns an exit code */
    const char *usage;   /* the arguments */
    const char *help;    /* one line */
    const char *options; /* a line each: "  --open    leave the run open", or NULL */
};
extern const struct command commands[];
extern const size_t command_count;

/* The command that the first arguments name, *used of them (1 or 2). NULL: none. */
const struct command *command_find(int argc, char **argv, int *used);
/* All commands, or those of one group ("run"), a line each. */
void command_list(FILE *f, const char *group);
/* Is there a command that begins with this word? */
bool command_group(const char *word);
void command_usage(FILE *f, const struct command *c);
void command_help(FILE *f, const struct command *c);
/* "unknown command": what was meant, perhaps, and what there is. Returns CLI_USAGE. */
int command_unknown(struct cli *cli, int argc, char **argv);
#endif
