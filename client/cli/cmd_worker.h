/* What is measured of a worker, behind what a listing tells of him. */
#ifndef SUNLINE_CLI_CMD_WORKER_H
#define SUNLINE_CLI_CMD_WORKER_H
#include "client/cli/json_out.h"

/* Asks the broker and prints it; with --json as "reputation" of `row`, which is the worker's own object and is taken. */
int worker_measures(struct cli *cli, const char *worker, json_t *row);
#endif
