/* Station counters. */
#include "client/cli/station_table.h"

#include <string.h>

#include "client/cli/json_out.h"
#include "client/cli/text.h"

#define COUNTERS ">BLOCKED|>WAITING|>READY|>ASSIGNED|>STARTED|>DONE|>SKIPPED|>DEAD|>ENDED"

void station_table_begin(struct station_table *s, struct cli *cli, bool with_line)
{
    *s = (struct station_table){ .cli = cli, .json = cli->json, .with_line = with_line };
    bool aligned = cli->out_tty || !with_line; /* below a line or a run it is for people, wherever it goes */
    table_begin(&s->table, cli->out, aligned, cli->color,
                with_line ? "STATION|>VERSION|STATE|" COUNTERS "|LIMITS" : "STATION|STATE|" COUNTERS);
}

/* "5 of 20 at once, 40 a day" */
static void limits(struct station_table *s, const struct sl_station_row *r)
{
    char text[120] = "-";
    int n = 0;
    if (r->at_once)
        n = snprintf(text, sizeof text, "%llu of %llu at once", (unsigned long long)r->in_hand,
                     (unsigned long long)r->at_once);
    if (r->per_day)
        snprintf(text + n, sizeof text - (size_t)n, "%s%llu a day", n ? ", " : "", (unsigned long long)r->per_day);
    table_str(&s->table, text);
}

int station_table_row(void *arg, const struct sl_station_row *r)
{
    struct station_table *s = arg;
    if ((s->station && strcmp(s->station, r->name) != 0) || (s->version && s->version != r->version)) {
        return 0;
    }
    s->rows++;
    if (s->json) {
        s->code = json_line(s->cli, json_of_station(r));
        return s->code;
    }
    if (s->with_line) {
        char name[2 * SL_NAME_SIZE];
        snprintf(name, sizeof name, "%s/%s", r->line, r->name);
        table_str(&s->table, name);
        table_u64(&s->table, r->version);
    } else {
        table_str(&s->table, r->name);
    }
    table_str(&s->table, r->paused ? "paused" : "active");
    const uint64_t counters[] = { r->blocked, r->waiting, r->ready, r->assigned, r->started,
                                  r->done,    r->skipped, r->dead,  r->ended };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        table_u64(&s->table, counters[i]);
    }
    if (s->with_line)
        limits(s, r);
    return 0;
}

int station_table_end(struct station_table *s)
{
    bool ok = table_end(&s->table);
    return s->code ? s->code : ok ? CLI_DONE : cli_nomem(s->cli);
}
