/* sunline run output: what a run produced, page after page, so that a run of any size needs no memory here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/csv_out.h"
#include "client/cli/family.h"
#include "client/cli/file_out.h"
#include "client/cli/json_out.h"
#include "client/internal.h"
#include "proto/reader.h"

#define FLUSH_BYTES (256 * 1024)

struct output {
    struct cli *cli;
    FILE *to;
    bool jsonl, guard;
    struct slp_buf buf;
    uint64_t rows;
    bool *
        namesake; /* JSONL: of each column, is it an input field's that is called as one of ours? NULL before the first row: all have the same columns */
    int code;
};

static int write_out(struct output *o)
{
    if (o->buf.failed) {
        return cli_nomem(o->cli);
    }
    if (fwrite(o->buf.p, 1, o->buf.n, o->to) != o->buf.n && o->buf.n) {
        return cli_fail(o->cli, "cannot write the output: %s", strerror(errno));
    }
    slp_buf_clear(&o->buf);
    return CLI_DONE;
}

/* A cell: text as it is, numbers in their shortest form, null as nothing, a list of choices as JSON. */
static bool csv_value(struct output *o, bool first, const struct sl_value *v)
{
    char number[64];
    if (v->type == SL_T_NIL) {
        csv_out_cell(&o->buf, first, o->guard, NULL, 0);
    } else if (v->type == SL_T_STR) {
        csv_out_cell(&o->buf, first, o->guard, v->n ? v->p : "", v->n);
    } else if (v->type == SL_T_ARRAY || v->type == SL_T_MAP || v->type == SL_T_BIN) {
        json_t *tree = json_of_value(v);
        char *text = tree ? json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        json_decref(tree);
        if (!text) {
            return false;
        }
        csv_out_cell(&o->buf, first, o->guard, text, strlen(text));
        free(text);
    } else {
        csv_out_cell(&o->buf, first, o->guard, number, sl_text(v, number, sizeof number));
    }
    return true;
}

/* The header stands also above no rows at all, and the library hands out columns with rows only: so ask for one. */
static int csv_header(struct output *o, const char *run, const struct sl_output_options *options)
{
    struct sl *sl = o->cli->sl;
    struct slp_output_get get = { .run = sl__bytes(run), .station = sl__bytes(options->station), .limit = 1 };
    SL__SET(&get, output_get, limit);
    if (options->station) {
        SL__SET(&get, output_get, station);
    }
    struct slp_msg reply;
    if (options->answers) {
        get.answers = true;
        SL__SET(&get, output_get, answers);
    }
    if (session_check(o->cli, sl__request(sl, SLP_OUTPUT_GET, &get, SLP_OUTPUT, &reply), run)) {
        return CLI_FAILED;
    }
    struct slp_cursor c = slp_each(reply.u.output.columns);
    struct slp_bytes name;
    for (bool first = true; slp_next_str(&c, &name); first = false) {
        csv_out_cell(&o->buf, first, o->guard, name.p, name.n);
    }
    csv_out_end(&o->buf);
    return CLI_DONE;
}

/* An input field may be called `unit`, or `worker`, as columns of ours are. It comes behind the one and before the other. */
static bool find_namesakes(struct output *o, const struct sl_output_row *r)
{
    o->namesake = calloc(r->column_count + 1, sizeof *o->namesake);
    for (uint32_t i = 1; o->namesake && i < r->column_count; i++) {
        o->namesake[i] = strcmp(r->columns[0], r->columns[i]) == 0;
        for (uint32_t k = i + 1; k < r->column_count && !o->namesake[i]; k++) {
            o->namesake[i] = strcmp(r->columns[k], r->columns[i]) == 0;
        }
    }
    return o->namesake != NULL;
}

/* A key of its own for each column: a namesake's is `input.unit`, since no field's name has a dot. */
static bool json_set_column(const struct output *o, json_t *object, const struct sl_output_row *r, uint32_t i)
{
    char key[4 * SL_NAME_SIZE];
    snprintf(key, sizeof key, "%s%s", o->namesake[i] ? "input." : "", r->columns[i]);
    return json_object_set_new(object, key, json_of_value(&r->values[i])) == 0;
}

static int jsonl_row(struct output *o, const struct sl_output_row *r)
{
    if (!o->namesake && !find_namesakes(o, r)) {
        return cli_nomem(o->cli);
    }
    json_t *object = json_object();
    char *text = NULL;
    for (uint32_t i = 0; i < r->column_count && object; i++) {
        if (!json_set_column(o, object, r, i)) {
            json_decref(object);
            object = NULL;
        }
    }
    if (object) {
        text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    if (!text) {
        return cli_nomem(o->cli);
    }
    slp_buf_add(&o->buf, text, strlen(text));
    slp_buf_add(&o->buf, "\n", 1);
    free(text);
    return CLI_DONE;
}

static int on_row(void *arg, const struct sl_output_row *r)
{
    struct output *o = arg;
    o->rows++;
    if (o->jsonl) {
        o->code = jsonl_row(o, r);
    } else {
        for (uint32_t i = 0; i < r->column_count && !o->code; i++) {
            o->code = csv_value(o, i == 0, &r->values[i]) ? CLI_DONE : cli_nomem(o->cli);
        }
        csv_out_end(&o->buf);
    }
    if (!o->code && o->buf.n >= FLUSH_BYTES) {
        o->code = write_out(o);
    }
    return o->code;
}

int cmd_run_output(struct cli *cli, int argc, char **argv)
{
    struct output o = { .cli = cli, .to = cli->out };
    struct sl_output_options options = { 0 };
    const char *format = NULL, *file = NULL;
    bool raw = false, format_given = false, file_given = false, station_given = false;
    const struct arg args[] = { { "--station", ARG_TEXT, &options.station, &station_given, 0, 0 },
                                { "--format", ARG_TEXT, &format, &format_given, 0, 0 },
                                { "--raw", ARG_FLAG, &raw, NULL, 0, 0 },
                                { "--all", ARG_FLAG, &options.all_units, NULL, 0, 0 },
                                { "--answers", ARG_FLAG, &options.answers, NULL, 0, 0 },
                                { "--output", ARG_TEXT, &file, &file_given, 0, 'o' },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    o.jsonl = cli->json;
    if (format) {
        o.jsonl = strcmp(format, "jsonl") == 0;
        if (!o.jsonl && strcmp(format, "csv") != 0) {
            return cli_misuse(cli, "--format is csv or jsonl, not '%s'", format);
        }
    }
    if (options.answers && !options.station) {
        return cli_misuse(cli, "--answers are those of one station: name it with --station");
    }
    o.guard = !raw;
    if (options.station && !sl_name_ok(options.station, strlen(options.station))) {
        return cli_misuse(cli, "'%s': %s", options.station, sl_error_text(SL_BAD_NAME));
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    struct sl_run_row row;
    if (session_check(cli, sl_run_info(cli->sl, argv[1], &row, NULL, NULL), argv[1])) {
        return CLI_FAILED;
    }
    struct file_out out_file;
    bool to_file = file && strcmp(file, "-") != 0;
    if (to_file) {
        session_catch_signals(); /* so that an unfinished file does not stay behind */
        if (file_out_begin(&out_file, cli, file)) {
            return CLI_FAILED;
        }
        o.to = out_file.f;
    }
    int code = o.jsonl ? CLI_DONE : csv_header(&o, argv[1], &options);
    if (!code) {
        int rc = sl_output(cli->sl, argv[1], &options, on_row, &o, NULL);
        code = o.code ? o.code : session_check(cli, rc, argv[1]);
    }
    code = code ? code : write_out(&o);
    slp_buf_free(&o.buf);
    free(o.namesake);
    if (!to_file) {
        return code;
    }
    if (code) {
        file_out_abandon(&out_file);
        return code;
    }
    code = file_out_finish(&out_file);
    if (!code) {
        cli_note(cli, "%llu %s written to %s", (unsigned long long)o.rows, options.answers ? "answers" : "units", file);
    }
    return code;
}
