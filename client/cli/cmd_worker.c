/* sunline worker show: a worker, and what is measured of him. The measures come as a tree (PROTOCOL.md says of what); here they become a table, a row
 * for all stations together and one for each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
