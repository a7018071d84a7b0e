/* What all commands share: the process's settings, how they report, and how they end. A command is a function of one
 * family file (cmd_run.c ...), found by its words in the table of commands.c. It writes what was asked for to
 * cli->out and everything else to cli->err. */
#ifndef SUNLINE_CLI_CLI_H
#define SUNLINE_CLI_CLI_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_ENDPOINT_DEFAULT "tcp://127.0.0.1:7710"
#define CLI_TIMEOUT_S_DEFAULT 10
#define CLI_TIMEOUT_S_MAX 86400

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command;
struct sl;

struct cli {
    const char *endpoint;          /* the broker's client endpoint */
    bool json;                     /* --json */
    bool help;                     /* --help stood among the arguments */
    bool out_tty, err_tty;         /* they are terminals: tables, bars, redrawing */
    bool color;                    /* out is a terminal and NO_COLOR is not set */
    uint64_t timeout_s;            /* how long a request may take, the connection included */
    const struct command *command; /* the one that runs, for its usage */
    struct sl *sl;                 /* opened by the first command that needs the broker; see session.h */
    FILE *out, *err;
};

/* Settings from the environment and the terminals; out and err are the process's. */
void cli_init(struct cli *cli);
/* Run a command line (argv[0] is the program) and clean up. Returns the exit code. */
int cli_main(struct cli *cli, int argc, char **argv);

/* "sunline: ..." on err, one line whatever is in the text. Both return an exit code, so that they can be returned:
 * cli_fail CLI_FAILED; cli_misuse CLI_USAGE, after the command's usage line. */
int cli_fail(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_misuse(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A remark for people, on err. */
void cli_note(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_nomem(struct cli *cli); /* CLI_FAILED */
/* What was written to out has arrived there, or CLI_FAILED (a full disk must not look like success). Otherwise
 * `code`. */
int cli_flush(struct cli *cli, int code);

/* The candidate nearest to `word`, if one is near enough to be meant; else NULL. Candidates end with NULL. */
const char *cli_did_you_mean(const char *word, const char *const *candidates);
#endif
