/* Run numbers to names, by binary search. */
#include "client/cli/run_names.h"

#include <stdlib.h>
#include <string.h>

static int on_run(void *arg, const struct sl_run_row *r)
{
    struct run_names *names = arg;
    if (names->n == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 64;
        void *v = realloc(names->v, cap * sizeof *names->v);
        if (!v) {
            names->nomem = true;
            return 1;
        }
        names->v = v;
        names->cap = cap;
    }
    names->v[names->n].run_id = r->run_id;
    memcpy(names->v[names->n].name, r->name, sizeof r->name);
    names->n++;
    return 0;
}

int run_names_load(struct run_names *names, struct cli *cli, const char *line)
{
    *names = (struct run_names){ .v = NULL };
    int rc = sl_runs(cli->sl, line, on_run, names);
    return names->nomem ? cli_nomem(cli) : session_check(cli, rc, line);
}

const char *run_names_get(const struct run_names *names, uint64_t run_id)
{
    size_t low = 0, high = names->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names->v[middle].run_id < run_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < names->n && names->v[low].run_id == run_id ? names->v[low].name : "?";
}

void run_names_free(struct run_names *names)
{
    free(names->v);
    *names = (struct run_names){ .v = NULL };
}
