/* sunline run: states, listings; start and add are in cmd_import.c, watch in cmd_watch.c, output in cmd_output.c. */
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/station_table.h"
#include "client/cli/text.h"
#include "proto/limits.h"

static const char *state_text(const struct sl_run_row *r)
{
    static const char *const states[] = { "open", "closed", "done", "cancelled", "deleting" };
    return r->paused && r->state <= SL_RUN_IS_CLOSED ? "paused" : r->state < 5 ? states[r->state] : "unknown";
}

/* What all of close, pause ... do after their arguments are known. */
static int changed(struct cli *cli, int rc, const char *run, const char *now)
{
    if (session_check(cli, rc, run)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:s}", "run", run, "changed", now));
    }
    fprintf(cli->out, "run %s: %s\n", run, now);
    return CLI_DONE;
}

static int set_state(struct cli *cli, int argc, char **argv, int (*set)(struct sl *, const char *), const char *now)
{
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    return session_open(cli) ? CLI_FAILED : changed(cli, set(cli->sl, argv[1]), argv[1], now);
}

int cmd_run_close(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_run_close, "closed");
}

int cmd_run_pause(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_run_pause, "paused");
}

int cmd_run_resume(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_run_resume, "resumed");
}

int cmd_run_cancel(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_run_cancel, "cancelled");
}

int cmd_run_delete(struct cli *cli, int argc, char **argv)
{
    bool force = false;
    const struct arg args[] = { { "--force", ARG_FLAG, &force, NULL, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0) {
        return CLI_USAGE;
    }
    return session_open(cli) ? CLI_FAILED : changed(cli, sl_run_delete(cli->sl, argv[1], force), argv[1], "deleted");
}

int cmd_run_priority(struct cli *cli, int argc, char **argv)
{
    uint64_t priority = 0;
    if (args_parse(cli, argc, argv, NULL, 2, 2) < 0) {
        return CLI_USAGE;
    }
    if (!args_u64(argv[2], SL_PRIORITY_MAX, &priority)) {
        return cli_misuse(cli, "a priority is 0 to %d, not '%s'", SL_PRIORITY_MAX, argv[2]);
    }
    return session_open(cli)
               ? CLI_FAILED
               : changed(cli, sl_run_priority(cli->sl, argv[1], (unsigned)priority), argv[1], "priority set");
}

struct listing {
    struct cli *cli;
    struct table table;
    int code;
};

static int on_run(void *arg, const struct sl_run_row *r)
{
    struct listing *l = arg;
    char line[SL_NAME_SIZE + 24], when[TEXT_TIME_BYTES];
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_run(r));
        return l->code;
    }
    snprintf(line, sizeof line, "%s@%llu", r->line, (unsigned long long)r->version);
    table_str(&l->table, r->name);
    table_str(&l->table, line);
    table_str(&l->table, state_text(r));
    table_u64(&l->table, r->priority);
    table_u64(&l->table, r->units);
    table_u64(&l->table, r->done);
    table_u64(&l->table, r->dead);
    table_u64(&l->table, r->dropped);
    table_u64(&l->table, r->cancelled);
    table_str(&l->table, text_time(r->created_wall_us, when));
    return 0;
}

int cmd_run_list(struct cli *cli, int argc, char **argv)
{
    struct listing l = { .cli = cli };
    bool given = false;
    const char *line = NULL;
    const struct arg args[] = { { "--line", ARG_TEXT, &line, &given, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    table_begin(&l.table, cli->out, cli->out_tty, cli->color,
                "RUN|LINE|STATE|>PRIORITY|>UNITS|>DONE|>DEAD|>DROPPED|>CANCELLED|STARTED");
    int rc = sl_runs(cli->sl, line, on_run, &l);
    bool ok = table_end(&l.table);
    return l.code ? l.code : ok ? session_check(cli, rc, line) : cli_nomem(cli);
}

/* The stations of run show --json: an array inside the run's object. */
static int collect_station(void *arg, const struct sl_station_row *r)
{
    return json_array_append_new(arg, json_of_station(r));
}

static int show_json(struct cli *cli, const char *run)
{
    struct sl_run_row row;
    json_t *stations = json_array();
    int rc = stations ? sl_run_info(cli->sl, run, &row, collect_station, stations) : SL_NO_MEMORY;
    if (rc != SL_OK) {
        json_decref(stations);
        return session_check(cli, rc, run);
    }
    json_t *tree = json_of_run(&row);
    if (!tree || json_object_set_new(tree, "stations", stations) != 0) {
        json_decref(tree);
        return cli_nomem(cli);
    }
    return json_line(cli, tree);
}

int cmd_run_show(struct cli *cli, int argc, char **argv)
{
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return show_json(cli, argv[1]);
    }
    struct sl_run_row r;
    struct station_table stations;
    char when[TEXT_TIME_BYTES];
    station_table_begin(&stations, cli, false);
    int code = session_check(cli, sl_run_info(cli->sl, argv[1], &r, station_table_row, &stations), argv[1]);
    if (!code) {
        fprintf(cli->out, "run       %s (number %llu)\nline      %s, version %llu\n", r.name,
                (unsigned long long)r.run_id, r.line, (unsigned long long)r.version);
        fprintf(cli->out, "state     %s\npriority  %llu\n", state_text(&r), (unsigned long long)r.priority);
        fprintf(cli->out, "units     %llu: %llu done, %llu dropped, %llu cancelled, %llu held up by dead tasks\n",
                (unsigned long long)r.units, (unsigned long long)r.done, (unsigned long long)r.dropped,
                (unsigned long long)r.cancelled, (unsigned long long)r.dead);
        fprintf(cli->out, "started   %s\n", text_time(r.created_wall_us, when));
        fprintf(cli->out, "changed   %s\n\n", text_time(r.changed_wall_us, when));
    }
    int table_code = station_table_end(&stations);
    return code ? code : table_code;
}
