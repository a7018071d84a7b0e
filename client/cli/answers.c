/* The answers of a station, page by page, into votes. */
#include "client/cli/answers.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/json_out.h"
#include "proto/codec.h"

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

/* ---- whose answers ---- */

struct stations {
    struct cli *cli;
    char (*name)[SL_NAME_SIZE];
    size_t n;
    bool no_memory;
};

static int on_station(void *arg, const struct sl_station_row *row)
{
    struct stations *s = arg;
    void *v = realloc(s->name, (s->n + 1) * sizeof *s->name);
    if (!v) {
        s->no_memory = true;
        return 1;
    }
    s->name = v;
    memcpy(s->name[s->n++], row->name, SL_NAME_SIZE);
    return 0;
}

static int has_one(void *arg, const struct sl_output_row *row)
{
    *(bool *)arg = true;
    (void)row;
    return 1;
}

/* Of those stations the ones with answers stay. */
static int keep_answered(struct stations *s, const char *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool any = false;
        struct sl_output_options first = { .station = s->name[i], .page_rows = 1, .all_units = true, .answers = true };
        int rc = sl_output(s->cli->sl, run, &first, has_one, &any, NULL);
        if (!any && session_check(s->cli, rc, run)) {
            return CLI_FAILED;
        }
        if (any) {
            memmove(s->name[kept++], s->name[i], SL_NAME_SIZE);
        }
    }
    s->n = kept;
    return CLI_DONE;
}

static int say_choices(const struct stations *s, const char *run)
{
    struct slp_buf b = { 0 };
    for (size_t i = 0; i < s->n; i++) {
        slp_buf_add(&b, ", ", i ? 2 : 0);
        slp_buf_add(&b, s->name[i], strlen(s->name[i]));
    }
    int code = b.failed ? cli_nomem(s->cli)
                        : cli_fail(s->cli, "run %s has answers at %zu stations: say which with --station: %.*s", run,
                                   s->n, (int)b.n, b.p);
    slp_buf_free(&b);
    return code;
}

/* Into `station`: the only one of the run that has answers. */
static int only_station(struct cli *cli, const char *run, char station[SL_NAME_SIZE])
{
    struct sl_run_row row;
    struct stations s = { .cli = cli };
    int rc = sl_run_info(cli->sl, run, &row, on_station, &s);
    int code = s.no_memory ? cli_nomem(cli) : session_check(cli, rc, run);
    if (!code) {
        code = keep_answered(&s, run);
    }
    if (!code && s.n == 1) {
        memcpy(station, s.name[0], SL_NAME_SIZE);
    } else if (!code) {
        code = s.n ? say_choices(&s, run) : cli_fail(cli, "run %s has no answers at any station", run);
    }
    free(s.name);
    return code;
}

/* ---- */

int answers_read(struct cli *cli, const char *run, const char *station, const char *field, struct answers *a)
{
    *a = (struct answers){ .votes = NULL };
    if (sl_votes_new(&a->votes)) {
        return cli_nomem(cli);
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    if (!station) {
        int code = only_station(cli, run, a->station);
        if (code) {
            return code;
        }
        station = a->station;
    }
    struct reading r = { .cli = cli, .a = a, .station = station, .field = field, .label_at = NONE, .worker_at = NONE };
    struct sl_output_options all = { .station = station, .all_units = true, .answers = true };
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
