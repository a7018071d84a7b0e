/* sunline station: queues. A station is named LINE/STATION, of one version with @VERSION; every version of it has a
 * queue of its own. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/json_out.h"
#include "client/cli/run_names.h"
#include "client/cli/station_table.h"
#include "client/cli/text.h"
#include "proto/limits.h"

#define LIMIT_DEFAULT 100
#define QUEUES_MAX 4096 /* versions of one station that are looked at */

struct station_name {
    char line[SL_NAME_SIZE], station[SL_NAME_SIZE];
    uint64_t version; /* 0: not said */
};

/* "line/station[@version]". CLI_DONE or CLI_USAGE after a message. */
static int parse_name(struct cli *cli, const char *text, struct station_name *name)
{
    const char *slash = strchr(text, '/');
    const char *at = slash ? strchr(slash, '@') : NULL;
    size_t line_n = slash ? (size_t)(slash - text) : 0;
    size_t station_n = slash ? (at ? (size_t)(at - slash) - 1 : strlen(slash + 1)) : 0;
    *name = (struct station_name){ .version = 0 };
    if (!line_n || !station_n || line_n >= SL_NAME_SIZE || station_n >= SL_NAME_SIZE ||
        (at && !args_u64(at + 1, 0, &name->version))) {
        return cli_misuse(cli, "a station is named LINE/STATION or LINE/STATION@VERSION, not '%s'", text);
    }
    memcpy(name->line, text, line_n);
    memcpy(name->station, slash + 1, station_n);
    return CLI_DONE;
}

int cmd_station_list(struct cli *cli, int argc, char **argv)
{
    struct station_table s;
    int n = args_parse(cli, argc, argv, NULL, 0, 1);
    if (n < 0) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    station_table_begin(&s, cli, true);
    int rc = sl_stations(cli->sl, n ? argv[1] : NULL, station_table_row, &s);
    int code = station_table_end(&s);
    return code ? code : session_check(cli, rc, n ? argv[1] : NULL);
}

int cmd_station_show(struct cli *cli, int argc, char **argv)
{
    struct station_table s;
    struct station_name name;
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0 || parse_name(cli, argv[1], &name)) {
        return CLI_USAGE;
    }
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    station_table_begin(&s, cli, true);
    s.station = name.station;
    s.version = name.version;
    int rc = sl_stations(cli->sl, name.line, station_table_row, &s);
    int code = station_table_end(&s);
    if (code || session_check(cli, rc, name.line)) {
        return CLI_FAILED;
    }
    return s.rows ? CLI_DONE : cli_fail(cli, "NOT_FOUND: there is no station '%s'", argv[1]);
}

static int set_state(struct cli *cli, int argc, char **argv, int (*set)(struct sl *, const char *, const char *),
                     const char *now)
{
    struct station_name name;
    if (args_parse(cli, argc, argv, NULL, 1, 1) < 0 || parse_name(cli, argv[1], &name)) {
        return CLI_USAGE;
    }
    if (name.version) {
        return cli_misuse(cli, "a station is paused and resumed in all versions; leave out '@%llu'",
                          (unsigned long long)name.version);
    }
    if (session_open(cli) || session_check(cli, set(cli->sl, name.line, name.station), argv[1])) {
        return CLI_FAILED;
    }
    if (cli->json) {
        return json_line(cli, json_pack("{s:s, s:s}", "station", argv[1], "changed", now));
    }
    fprintf(cli->out, "station %s: %s\n", argv[1], now);
    return CLI_DONE;
}

int cmd_station_pause(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_station_pause, "paused");
}

int cmd_station_resume(struct cli *cli, int argc, char **argv)
{
    return set_state(cli, argc, argv, sl_station_resume, "resumed");
}

/* ---- which queues are meant ---- */
struct queues {
    const struct station_name *name;
    struct sl_station_row *rows; /* ascending by version */
    size_t count;
    bool nomem;
};

static int on_queue(void *arg, const struct sl_station_row *r)
{
    struct queues *q = arg;
    if (strcmp(r->name, q->name->station) != 0 || (q->name->version && q->name->version != r->version) ||
        q->count == QUEUES_MAX) {
        return 0;
    }
    struct sl_station_row *rows = realloc(q->rows, (q->count + 1) * sizeof *rows);
    if (!rows) {
        q->nomem = true;
        return 1;
    }
    q->rows = rows;
    q->rows[q->count++] = *r;
    return 0;
}

/* The queues of the station; those of the run's version only, if a run is named. An exit code; q->rows is the
 * caller's to free in any case. */
static int find_queues(struct cli *cli, const char *text, struct station_name *name, const char *run, struct queues *q)
{
    *q = (struct queues){ .name = name };
    if (session_open(cli)) {
        return CLI_FAILED;
    }
    if (run) {
        struct sl_run_row r;
        if (session_check(cli, sl_run_info(cli->sl, run, &r, NULL, NULL), run)) {
            return CLI_FAILED;
        }
        if (strcmp(r.line, name->line) != 0 || (name->version && name->version != r.version)) {
            return cli_fail(cli, "run %s goes through %s@%llu, not through %s", run, r.line,
                            (unsigned long long)r.version, text);
        }
        name->version = r.version;
    }
    int rc = sl_stations(cli->sl, name->line, on_queue, q);
    if (q->nomem) {
        return cli_nomem(cli);
    }
    if (session_check(cli, rc, name->line)) {
        return CLI_FAILED;
    }
    return q->count ? CLI_DONE : cli_fail(cli, "NOT_FOUND: there is no station '%s'", text);
}

static uint64_t held(const struct sl_station_row *r, enum sl_tasks_which which)
{
    return which == SL_TASKS_READY ? r->ready : which == SL_TASKS_WAITING ? r->waiting : r->dead;
}

/* The newest version that holds such tasks, else the newest. */
static const struct sl_station_row *newest_with(const struct queues *q, enum sl_tasks_which which)
{
    for (size_t i = q->count; i > 0; i--) {
        if (held(&q->rows[i - 1], which)) {
            return &q->rows[i - 1];
        }
    }
    return &q->rows[q->count - 1];
}

/* ---- peek and dead ---- */
struct listing {
    struct cli *cli;
    struct run_names names;
    struct table table;
    enum sl_tasks_which which;
    int code;
};

static int on_task(void *arg, const struct sl_task_row *r)
{
    struct listing *l = arg;
    char name[SL_NAME_SIZE + 24], due[TEXT_TIME_BYTES];
    if (l->cli->json) {
        l->code = json_line(l->cli, json_of_task(r, run_names_get(&l->names, r->run_id)));
        return l->code;
    }
    snprintf(name, sizeof name, "%s/%llu", run_names_get(&l->names, r->run_id), (unsigned long long)r->unit);
    table_str(&l->table, name);
    table_u64(&l->table, r->attempts);
    if (l->which == SL_TASKS_WAITING) {
        table_str(&l->table, text_duration(r->due_us, due));
    }
    table_str(&l->table, r->reason[0] ? r->reason : "-");
    return 0;
}

static int list_tasks(struct cli *cli, int argc, char **argv, enum sl_tasks_which which)
{
    struct listing l = { .cli = cli, .which = which };
    struct station_name name;
    struct queues q;
    const char *run = NULL;
    uint64_t limit = LIMIT_DEFAULT;
    bool waiting = false, run_given = false, limit_given = false;
    const struct arg args[] = { { "--run", ARG_TEXT, &run, &run_given, 0, 0 },
                                { "--limit", ARG_U64, &limit, &limit_given, 0, 0 },
                                { which == SL_TASKS_READY ? "--waiting" : NULL, ARG_FLAG, &waiting, NULL, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 1, 1) < 0 || parse_name(cli, argv[1], &name)) {
        return CLI_USAGE;
    }
    l.which = waiting ? SL_TASKS_WAITING : which;
    int code = find_queues(cli, argv[1], &name, run, &q);
    if (!code) {
        code = run_names_load(&l.names, cli, name.line);
    }
    if (!code) {
        const struct sl_station_row *queue = newest_with(&q, l.which);
        table_begin(&l.table, cli->out, cli->out_tty, cli->color,
                    l.which == SL_TASKS_WAITING ? "UNIT|>ATTEMPTS|DUE IN|REASON" : "UNIT|>ATTEMPTS|REASON");
        int rc = sl_tasks(cli->sl, queue->station_id, l.which, run, limit, on_task, &l);
        bool ok = table_end(&l.table);
        code = l.code ? l.code : !ok ? cli_nomem(cli) : session_check(cli, rc, argv[1]);
        if (!code && !run && limit && held(queue, l.which) > limit && cli->out_tty) {
            cli_note(cli, "%llu of %llu shown; --limit shows more", (unsigned long long)limit,
                     (unsigned long long)held(queue, l.which));
        }
    }
    run_names_free(&l.names);
    free(q.rows);
    return code;
}

int cmd_station_peek(struct cli *cli, int argc, char **argv)
{
    return list_tasks(cli, argc, argv, SL_TASKS_READY);
}

int cmd_station_dead(struct cli *cli, int argc, char **argv)
{
    return list_tasks(cli, argc, argv, SL_TASKS_DEAD);
}

/* ---- requeue and drop ---- */
typedef int change_fn(struct sl *sl, uint64_t station_id, const char *run, const uint64_t *units, uint32_t n,
                      const char *reason, uint64_t *count);

/* UNITs are numbers (with --run) or RUN/NUMBER, of one run. CLI_DONE, or CLI_USAGE after a message. run_name holds a
 * run that came with a unit. */
static int parse_units(struct cli *cli, int n, char **argv, const char **run, char run_name[SL_NAME_SIZE],
                       uint64_t *units)
{
    for (int i = 0; i < n; i++) {
        const char *slash = strrchr(argv[i], '/');
        if (slash) {
            size_t run_n = (size_t)(slash - argv[i]);
            if (run_n == 0 || run_n >= SL_NAME_SIZE) {
                return cli_misuse(cli, "a unit is RUN/NUMBER, not '%s'", argv[i]);
            }
            if (!*run) {
                memcpy(run_name, argv[i], run_n);
                run_name[run_n] = 0;
                *run = run_name;
            } else if (strlen(*run) != run_n || strncmp(*run, argv[i], run_n) != 0) {
                return cli_misuse(cli, "units of one run at a time: '%s' is not of run %s", argv[i], *run);
            }
        } else if (!*run) {
            return cli_misuse(cli, "of which run is unit '%s'? Say RUN/NUMBER, or --run RUN", argv[i]);
        }
        if (!args_u64(slash ? slash + 1 : argv[i], 0, &units[i]) || units[i] == 0) {
            return cli_misuse(cli, "a unit is RUN/NUMBER, with a number from 1 on, not '%s'", argv[i]);
        }
    }
    return CLI_DONE;
}

static int report(struct cli *cli, const char *station, const char *what, uint64_t count)
{
    if (cli->json) {
        return json_line(cli,
                         json_pack("{s:s, s:s, s:I}", "station", station, "action", what, "count", (json_int_t)count));
    }
    fprintf(cli->out, "station %s: %llu %s\n", station, (unsigned long long)count, what);
    return CLI_DONE;
}

static int change(struct cli *cli, int argc, char **argv, change_fn *act, const char *what)
{
    struct station_name name;
    struct queues q;
    const char *run = NULL, *reason = NULL;
    char run_name[SL_NAME_SIZE] = "";
    bool all = false, run_given = false, reason_given = false;
    const struct arg args[] = { { "--all", ARG_FLAG, &all, NULL, 0, 0 },
                                { "--run", ARG_TEXT, &run, &run_given, 0, 0 },
                                { "--reason", ARG_TEXT, &reason, &reason_given, 0, 0 },
                                { .name = NULL } };
    int n = args_parse(cli, argc, argv, args, 1, 1 + SL_BATCH_ITEMS_MAX);
    if (n < 0 || parse_name(cli, argv[1], &name)) {
        return CLI_USAGE;
    }
    n--;
    if (all == (n > 0)) {
        return cli_misuse(cli, all ? "--all and single units exclude each other" : "name units, or say --all");
    }
    uint64_t *units = calloc((size_t)n + 1, sizeof *units);
    if (!units) {
        return cli_nomem(cli);
    }
    uint64_t total = 0, stay = 0;
    int code = parse_units(cli, n, argv + 2, &run, run_name, units);
    q.rows = NULL;
    code = code ? code : find_queues(cli, argv[1], &name, run, &q);
    for (size_t i = 0; !code && i < q.count; i++) {
        uint64_t count = 0;
        if (all && q.rows[i].dead == 0) {
            continue;
        }
        code = session_check(
            cli, act(cli->sl, q.rows[i].station_id, run, n ? units : NULL, (uint32_t)n, reason, &count), argv[1]);
        total += count;
        stay += all && !run && act == sl_requeue && q.rows[i].dead > count ? q.rows[i].dead - count : 0;
    }
    free(q.rows);
    free(units);
    if (!code && stay) {
        cli_note(cli, "%llu stay parked: nobody is left who may do them (sunline station dead %s)",
                 (unsigned long long)stay, argv[1]);
    }
    if (!code && total < (uint64_t)n) { /* units were named: what is not there, or not in that state, is no success */
        report(cli, argv[1], what, total);
        return cli_fail(cli, "%llu of %d units were %s: the others are not there, or not in a state for it",
                        (unsigned long long)total, n, what);
    }
    return code ? code : report(cli, argv[1], what, total);
}

int cmd_station_requeue(struct cli *cli, int argc, char **argv)
{
    return change(cli, argc, argv, sl_requeue, "requeued");
}

int cmd_station_drop(struct cli *cli, int argc, char **argv)
{
    return change(cli, argc, argv, sl_drop, "dropped");
}
