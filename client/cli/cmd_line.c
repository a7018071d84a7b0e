/* sunline line: definitions. A file's mistakes are told with their places, whether they are found here or by the
 * broker. */
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/linefile.h"
#include "client/cli/station_table.h"
#include "client/cli/text.h"

#define FILES_MAX 1000
#define PLACE_BYTES 1024

static const char *const states[] = { "active", "paused", "deleted" };

/* One file: its mistakes on err. The file is the caller's to free. */
static int check_file(struct cli *cli, const char *path, struct linefile **file)
{
    *file = linefile_read(path);
    if (!*file) {
        return cli_nomem(cli);
    }
    if (linefile_check(*file) == 0) {
        return CLI_DONE;
    }
    for (size_t i = 0; i < linefile_problem_count(*file); i++) {
        const char *problem = linefile_problem(*file, i); /* file:line:column: first, so that editors can jump there */
        text_put(cli->err, problem, strlen(problem));
        fputc('\n', cli->err);
    }
    return CLI_FAILED;
}

int cmd_line_check(struct cli *cli, int argc, char **argv)
{
    int n = args_parse(cli, argc, argv, NULL, 1, FILES_MAX);
    if (n < 0) {
        return CLI_USAGE;
    }
    int code = CLI_DONE;
    for (int i = 1; i <= n; i++) {
        struct linefile *file;
        if (check_file(cli, argv[i], &file)) {
            code = CLI_FAILED;
        } else {
            const struct ld_line *line = linefile_line(file);
            char name[SL_NAME_SIZE];
            snprintf(name, sizeof name, "%.*s", TEXT_ARG(line->name));
            if (cli->json) {
                json_line(cli, json_pack("{s:s, s:s, s:i, s:i}", "file", argv[i], "line", name, "stations",
                                         (int)line->station_count, "inputs", (int)line->input_count));
            } else {
                fprintf(cli->out, "%s: line %s, %u station%s: no mistakes\n", argv[i], name, line->station_count,
                        line->station_count == 1 ? "" : "s");
            }
        }
        linefile_free(&file);
    }
    return code;
}

/* What the broker found, at the places in the file. */
static int show_problems(struct cli *cli, const struct linefile *file)
{
    size_t count;
    const struct sl_problem *problems = sl_problems(cli->sl, &count);
    for (size_t i = 0; i < count; i++) {
        char place[PLACE_BYTES];
        linefile_place(file, text_bytes(problems[i].path), text_bytes(problems[i].text), place, sizeof place);
        text_put(cli->err, place, strlen(place));
        fputc('\n', cli->err);
    }
    return count ? CLI_FAILED : session_check(cli, SL_BAD_LINE, NULL);
}

static int apply_file(struct cli *cli, const char *path, bool dry_run)
{
    struct linefile *file;
    struct sl_applied applied;
    int code = check_file(cli, path, &file);
    code = code ? code : session_open(cli);
    if (!code) {
        struct slp_bytes packed = linefile_packed(file);
        int rc = sl_line_apply(cli->sl, packed.p, packed.n, dry_run, &applied);
        code = rc == SL_BAD_LINE ? show_problems(cli, file) : session_check(cli, rc, path);
    }
    linefile_free(&file);
    if (code) {
        return code;
    }
    if (cli->json) {
        return json_line(cli,
                         json_pack("{s:s, s:I, s:b, s:b}", "line", applied.line, "version", (json_int_t)applied.version,
                                   "changed", (int)applied.changed, "dry_run", (int)dry_run));
    }
    fprintf(cli->out, "line %s: version %llu%s\n", applied.line, (unsigned long long)applied.version,
            dry_run           ? " (nothing was changed)"
            : applied.changed ? ""
                              : " already, nothing has changed");
    return CLI_DONE;
}

int cmd_line_apply(struct cli *cli, int argc, char **argv)
{
    bool dry_run = false;
    const struct arg args[] = { { "--dry-run", ARG_FLAG, &dry_run, NULL, 0, 0 }, { .name = NULL } };
    int n = args_parse(cli, argc, argv, args, 1, FILES_MAX);
    if (n < 0) {
        return CLI_USAGE;
    }
    for (int i = 1; i <= n; i++) {
        int code = apply_file(cli, argv[i], dry_run);
        if (code) {
            return code;
        }
    }
    return CLI_DONE;
}

struct listing {
    struct cli *cli;
    struct table table;
    int code;
};

static int on_line(void *arg, const struct sl_line_row *r)
{
    struct listing *l = arg;
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_line(r));
        return l->code;
    }
    table_str(&l->table, r->name);
    table_u64(&l->table, r->version);
    table_str(&l->table, r->state < 3 ? states[r->state] : "unknown");
    table_u64(&l->table, r->stations);
    table_u64(&l->table, r->runs_open);
    table_str(&l->table, r->title[0] ? r->title : "-");
    return 0;
}

int cmd_line_list(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    if (args_parse(cli, argc, argv, NULL, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    table_begin(&l.table, cli->out, cli->out_tty, cli->color, "LINE|>VERSION|STATE|>STATIONS|>OPEN RUNS|TITLE");
    int rc = sl_lines(cli->sl, on_line, &l);
    bool ok = table_end(&l.table);
    return l.code ? l.code : ok ? session_check(cli, rc, NULL) : cli_nomem(cli);
}

static int collect_station(void *arg, const struct sl_station_row *r)
{
    return json_array_append_new(arg, json_of_station(r));
}

static int show_json(struct cli *cli, const char *line, uint64_t version)
{
    struct sl_value definition;
    uint64_t actual;
    json_t *stations = json_array();
    int rc =
        stations ? sl_line_get(cli->sl, line, version, &actual, &definition, collect_station, stations) : SL_NO_MEMORY;
    if (rc != SL_OK) {
        json_decref(stations);
        return session_check(cli, rc, line);
    }
    return json_line(cli, json_pack("{s:s, s:I, s:o, s:o}", "line", line, "version", (json_int_t)actual, "definition",
                                    json_of_value(&definition), "stations", stations));
}

static void show_text(FILE *out, const char *name, const struct sl_value *definition, const char *key)
{
    struct sl_value v;
    if (sl_map_get(definition, key, &v) && v.type == SL_T_STR && v.n) {
        fprintf(out, "%-9s ", name);
        text_put(out, v.p, v.n);
        fputc('\n', out);
    }
}

int cmd_line_show(struct cli *cli, int argc, char **argv)
{
    uint64_t version = 0, actual;
    bool given = false;
    const struct arg args[] = { { "--version", ARG_U64, &version, &given, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return show_json(cli, argv[1], version);
    }
    struct station_table stations;
    struct sl_value definition;
    station_table_begin(&stations, cli, false);
    int code = session_check(
        cli, sl_line_get(cli->sl, argv[1], version, &actual, &definition, station_table_row, &stations), argv[1]);
    if (!code) {
        fprintf(cli->out, "line      %s, version %llu\n", argv[1], (unsigned long long)actual);
        show_text(cli->out, "title", &definition, "title");
        fputc('\n', cli->out);
    }
    int table_code = station_table_end(&stations);
    return code ? code : table_code;
}

static int changed(struct cli *cli, int rc, const char *line, const char *now)
{
    if (session_check(cli, rc, line)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:s}", "line", line, "changed", now));
    }
    fprintf(cli->out, "line %s: %s\n", line, now);
    return CLI_DONE;
}

int cmd_line_pause(struct cli *cli, int argc, char **argv)
{
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    return session_open(cli) ? CLI_FAILED : changed(cli, sl_line_pause(cli->sl, argv[1]), argv[1], "paused");
}

int cmd_line_resume(struct cli *cli, int argc, char **argv)
{
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    return session_open(cli) ? CLI_FAILED : changed(cli, sl_line_resume(cli->sl, argv[1]), argv[1], "resumed");
}

int cmd_line_delete(struct cli *cli, int argc, char **argv)
{
    bool force = false;
    const struct arg args[] = { { "--force", ARG_FLAG, &force, NULL, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    return session_open(cli) ? CLI_FAILED : changed(cli, sl_line_delete(cli->sl, argv[1], force), argv[1], "deleted");
}
