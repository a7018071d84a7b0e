/* sunline worker: what is measured of a worker, and what an operator can do to him. The measures come as a tree (PROTOCOL.md says of what); here they become a table, a row
 * for all stations together and one for each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/args.h"
#include "client/cli/cmd_worker.h"
#include "client/cli/family.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

#define MEASURE_HEADINGS                                                                                               \
    "STATION|STANDING|>ABANDONED|>AGREED|>GOLD RIGHT|>ACCEPTED|>RETURNED|>WON|>BEATEN|>LEASE TIME|>ACTIVE TIME"

static uint64_t number_in(const struct sl_value *map, const char *key)
{
    struct sl_value v;
    return sl_map_get(map, key, &v) ? sl_uint(&v) : 0;
}

/* "18 of 20"; "-" where nothing was measured. */
static void put_share(struct table *t, const struct sl_value *measures, const char *measure, const char *part)
{
    struct sl_value m;
    char text[64];
    if (!sl_map_get(measures, measure, &m)) {
        table_str(t, "-");
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64, number_in(&m, part), number_in(&m, "of"));
    table_str(t, text);
}

static void put_time(struct table *t, const struct sl_value *measures, const char *measure)
{
    struct sl_value m;
    char text[TEXT_TIME_BYTES];
    bool there = sl_map_get(measures, measure, &m);
    table_str(t, there ? text_duration((int64_t)number_in(&m, "mean_us"), text) : "-");
}

static void put_row(struct table *t, const char *name, struct slp_bytes standing, const struct sl_value *of)
{
    struct sl_value m = { .type = SL_T_MAP };
    sl_map_get(of, "measures", &m);
    table_str(t, name);
    table_text(t, standing);
    put_share(t, &m, "abandonment", "abandoned");
    put_share(t, &m, "agreement", "agreed");
    put_share(t, &m, "gold", "right");
    put_share(t, &m, "approval", "accepted");
    put_share(t, &m, "returned", "returned");
    put_share(t, &m, "tournaments", "won");
    put_share(t, &m, "contestants", "beaten");
    put_time(t, &m, "lease");
    put_time(t, &m, "active");
}

/* "LINE/STATION", and how he stands there. */
static void put_station(struct table *t, const struct sl_value *station)
{
    struct sl_value line = { 0 }, name = { 0 }, standing = { 0 };
    char text[160];
    sl_map_get(station, "line", &line);
    sl_map_get(station, "station", &name);
    sl_map_get(station, "standing", &standing);
    snprintf(text, sizeof text, "%.*s/%.*s", (int)line.n, line.p ? line.p : "", (int)name.n, name.p ? name.p : "");
    put_row(t, text, (struct slp_bytes){ standing.p, standing.n }, station);
}

int worker_measures(struct cli *cli, const char *worker, json_t *row)
{
    struct sl_value story, stations, station;
    struct table t;
    int code = session_check(cli, sl_repute(cli->sl, worker, &story), NULL);
    if (code) {
        json_decref(row);
        return code;
    }
    if (cli->json) {
        json_object_set_new(row, "reputation", json_of_value(&story));
        return json_line(cli, row);
    }
    fputc('\n', cli->out);
    table_begin(&t, cli->out, true, cli->color, MEASURE_HEADINGS);
    put_row(&t, "all", (struct slp_bytes){ "-", 1 }, &story);
    if (sl_map_get(&story, "stations", &stations)) {
        struct sl_cursor c = sl_inside(&stations);
        while (sl_next(&c, &station))
            put_station(&t, &station);
    }
    return table_end(&t) ? CLI_DONE : cli_nomem(cli);
}

/* ---- suspend, readmit, grant, revoke ---- */

static int change(struct cli *cli, const struct sl_worker_change *c)
{
    uint64_t count;
    int code = session_check(cli, sl_worker_set(cli->sl, c, &count), NULL);
    if (code)
        return code;
    if (cli->json)
        return json_line(cli, json_pack("{s:s, s:I}", "worker", c->worker, "changed", (json_int_t)count));
    if (!count)
        cli_note(cli, "nothing has changed: it was so already");
    return CLI_DONE;
}

static int standing(struct cli *cli, int argc, char **argv, enum sl_worker_action action)
{
    const char *reason = NULL;
    bool given = false;
    const struct arg args[] = { { "--reason", ARG_TEXT, &reason, &given, 0, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 2, 2) < 0)
        return CLI_USAGE;
    char *slash = strchr(argv[2], '/');
    if (!slash || slash == argv[2] || !slash[1])
        return cli_misuse(cli, "a station is named LINE/STATION, not '%s'", argv[2]);
    if (session_open(cli))
        return CLI_FAILED;
    *slash = 0;
    return change(cli,
                  &(struct sl_worker_change){
                      .worker = argv[1], .action = action, .line = argv[2], .station = slash + 1, .reason = reason });
}

int cmd_worker_suspend(struct cli *cli, int argc, char **argv)
{
    return standing(cli, argc, argv, SL_WORKER_SUSPEND);
}

int cmd_worker_readmit(struct cli *cli, int argc, char **argv)
{
    return standing(cli, argc, argv, SL_WORKER_READMIT);
}

/* The end of that day in UTC; 0: this is no date. */
static int64_t end_of_day(const char *text)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    return rest && !*rest && strlen(text) == 10 ? ((int64_t)timegm(&tm) + 86400) * 1000000 : 0;
}

int cmd_worker_grant(struct cli *cli, int argc, char **argv)
{
    const char *until = NULL;
    bool given = false;
    uint64_t level = 1;
    const struct arg args[] = { { "--level", ARG_U64, &level, NULL, SL_SKILL_LEVEL_MAX, 0 },
                                { "--until", ARG_TEXT, &until, &given, 0, 0 },
                                { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 2, 2) < 0)
        return CLI_USAGE;
    int64_t end_us = given ? end_of_day(until) : 0;
    if (given && !end_us)
        return cli_misuse(cli, "'%s' is no date: YYYY-MM-DD", until);
    if (session_open(cli))
        return CLI_FAILED;
    return change(
        cli,
        &(struct sl_worker_change){
            .worker = argv[1], .action = SL_WORKER_GRANT, .skill = argv[2], .level = level, .until_wall_us = end_us });
}

int cmd_worker_revoke(struct cli *cli, int argc, char **argv)
{
    if (args_parse(cli, argc, argv, NULL, 2, 2) < 0)
        return CLI_USAGE;
    if (session_open(cli))
        return CLI_FAILED;
    return change(cli, &(struct sl_worker_change){ .worker = argv[1], .action = SL_WORKER_REVOKE, .skill = argv[2] });
}
