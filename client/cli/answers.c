/* The answers of a station, page by page, into votes. */
#include "client/cli/answers.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/json_out.h"

#define NONE UINT32_MAX

struct reading {
    struct cli *cli;
    struct answers *a;
    const char *station, *field;
    uint32_t label_at, worker_at; /* columns; NONE: not known yet */
    int code;
};

/* A column "station.field" that a worker fills in. What the engine adds to a station's result has no such column among answers. */
static bool is_field(const struct reading *r, const char *column)
{
    size_t n = strlen(r->station);
    return strncmp(column, r->station, n) == 0 && column[n] == '.' &&
           (!r->field || strcmp(column + n + 1, r->field) == 0);
}

static int find_columns(struct reading *r, const struct sl_output_row *row)
{
    uint32_t fields = 0;
    for (uint32_t i = 0; i < row->column_count; i++) {
        if (is_field(r, row->columns[i])) {
            r->label_at = i;
            fields++;
        } else if (strcmp(row->columns[i], "worker") == 0) {
            r->worker_at = i; /* an input field may be called so, too: the station's own stands behind all of these */
        }
    }
    if (fields == 0 && r->field) {
        return cli_fail(r->cli, "station %s has no field '%s'", r->station, r->field);
    }
    if (fields != 1 || r->worker_at == NONE) {
        return cli_fail(r->cli, "station %s has %u fields: say which with --field", r->station, fields);
    }
    r->a->column = strdup(row->columns[r->label_at]);
    return r->a->column ? CLI_DONE : cli_nomem(r->cli);
}

/* A value as a label, in memory of its own; "": it says nothing. NULL: no memory. */
static char *label_of(const struct sl_value *v)
{
    if (v->type == SL_T_ARRAY || v->type == SL_T_MAP || v->type == SL_T_BIN) {
        json_t *tree = json_of_value(v);
        char *text = tree ? json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
        json_decref(tree);
        return text;
    }
    size_t n = sl_text(v, NULL, 0);
    char *text = malloc(n + 1);
    if (text) {
        sl_text(v, text, n + 1);
    }
    return text;
}

static int on_row(void *arg, const struct sl_output_row *row)
{
    struct reading *r = arg;
    char unit[24], worker[SL_NAME_SIZE];
    if (r->label_at == NONE) {
        r->code = find_columns(r, row);
        if (r->code) {
            return r->code;
        }
    }
    char *label = label_of(&row->values[r->label_at]);
    if (!label) {
        return r->code = cli_nomem(r->cli);
    }
    if (!*label) {
        r->a->empty++;
    } else {
        snprintf(unit, sizeof unit, "%llu", (unsigned long long)row->unit);
        sl_text(&row->values[r->worker_at], worker, sizeof worker);
        int rc = sl_votes_add(r->a->votes, unit, worker, label);
        if (rc != SL_OK) {
            r->code = cli_fail(r->cli, "unit %s: %s", unit, sl_error_text(rc));
        }
    }
    free(label);
    return r->code;
}

int answers_read(struct cli *cli, const char *run, const char *station, const char *field, struct answers *a)
{
    struct reading r = { .cli = cli, .a = a, .station = station, .field = field, .label_at = NONE, .worker_at = NONE };
    struct sl_output_options all = { .station = station, .all_units = true, .answers = true };
    *a = (struct answers){ .votes = NULL };
    if (sl_votes_new(&a->votes)) {
        return cli_nomem(cli);
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    int rc = sl_output(cli->sl, run, &all, on_row, &r, NULL);
    if (r.code) {
        return r.code;
    }
    if (session_check(cli, rc, run)) {
        return CLI_FAILED;
    }
    if (sl_votes_count(a->votes) == 0) {
        return cli_fail(cli, "run %s has no answers at station %s%s", run, station, a->empty ? " in this field" : "");
    }
    return CLI_DONE;
}

void answers_free(struct answers *a)
{
    sl_votes_free(&a->votes);
    free(a->column);
    a->column = NULL;
}
