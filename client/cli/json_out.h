/* JSON for --json: packed values and the library's rows as jansson trees, and one object a line on the output. Lists
 * print an object a line (JSON lines), so that they need no memory and every line stands alone. */
#ifndef SUNLINE_CLI_JSON_OUT_H
#define SUNLINE_CLI_JSON_OUT_H
#include <jansson.h>

#include "client/cli/session.h"

/* A packed value. Binary becomes a hex string; unsigned numbers above what JSON tools hold exactly in 64 bits signed
 * become strings. NULL: no memory, or the bytes are damaged. */
json_t *json_of_value(const struct sl_value *v);
json_t *json_of_line(const struct sl_line_row *r);
json_t *json_of_station(const struct sl_station_row *r);
json_t *json_of_run(const struct sl_run_row *r);
json_t *json_of_task(const struct sl_task_row *r, const char *run);
json_t *json_of_hub(const struct sl_hub_row *r);
json_t *json_of_worker(const struct sl_worker_row *r);
json_t *json_of_shift(const struct sl_shift_row *r);

/* Print a tree on a line of its own and drop it. CLI_DONE; CLI_FAILED after a message if tree is NULL. */
int json_line(struct cli *cli, json_t *tree);
/* A string of the library's, which may hold any bytes a stranger sent: never NULL for bad UTF-8. */
json_t *json_text(const char *p, size_t n);
#endif
