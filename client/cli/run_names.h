/* Names for run numbers: tasks carry numbers only. */
#ifndef SUNLINE_CLI_RUN_NAMES_H
#define SUNLINE_CLI_RUN_NAMES_H
#include "client/cli/session.h"

struct run_names {
    struct { uint64_t run_id; char name[SL_NAME_SIZE]; } *v; /* ascending by run_id, as the broker lists them */
    size_t n, cap;
    bool nomem;
};
/* The runs of a line. An exit code; free in any case. */
int run_names_load(struct run_names *names, struct cli *cli, const char *line);
const char *run_names_get(const struct run_names *names, uint64_t run_id); /* "?" if there is none */
void run_names_free(struct run_names *names);
#endif
