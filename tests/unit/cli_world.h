/* A command line whose output and errors are strings. */
#ifndef TESTS_UNIT_CLI_WORLD_H
#define TESTS_UNIT_CLI_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/cli.h"

#define WORDS_MAX 32

struct cli_world {
    struct cli cli;
    char *out, *err;
    size_t out_n, err_n;
};

static inline void cli_world_begin(struct cli_world *w)
{
    unsetenv("SUNLINE_BROKER");
    cli_init(&w->cli);
    w->cli.out = open_memstream(&w->out, &w->out_n);
    w->cli.err = open_memstream(&w->err, &w->err_n);
    w->cli.out_tty = w->cli.err_tty = w->cli.color = false;
}

static inline void cli_world_end(struct cli_world *w)
{
    fclose(w->cli.out);
    fclose(w->cli.err);
    free(w->out);
    free(w->err);
}

/* Cut a line of words at its spaces. */
static inline int cli_words(char *line, char *argv[WORDS_MAX + 1])
{
    int argc = 0;
    for (char *word = strtok(line, " "); word && argc < WORDS_MAX; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return argc;
}

/* Run "sunline ..." and return its exit code; w->out and w->err hold what it wrote. */
static inline int cli_world_run(struct cli_world *w, const char *line)
{
    char copy[1024];
    char *argv[WORDS_MAX + 1];
    snprintf(copy, sizeof copy, "%s", line);
    int argc = cli_words(copy, argv);
    int code = cli_main(&w->cli, argc, argv);
    fflush(w->cli.out);
    fflush(w->cli.err);
    return code;
}

static inline void cli_contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part)) {
        fail_msg("'%s' does not contain '%s'", text ? text : "(nothing)", part);
    }
}
#endif
