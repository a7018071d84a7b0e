/* The counters of stations as a table: used for lines, runs and stations alike. */
#ifndef SUNLINE_CLI_STATION_TABLE_H
#define SUNLINE_CLI_STATION_TABLE_H
#include "client/cli/session.h"
#include "client/cli/table.h"

struct station_table {
    struct cli *cli;
    struct table table;
    const char *station; /* this one only; NULL: all */
    uint64_t version;    /* this version only; 0: all */
    uint64_t rows;
    bool with_line;
    bool json;           /* print each row as JSON, instead */
    int code;
};
/* with_line: the listing spans lines and versions, so each row names its own. Without: part of what is shown of one thing,
 * aligned with headings also where no terminal is. */
void station_table_begin(struct station_table *s, struct cli *cli, bool with_line);
int station_table_row(void *arg, const struct sl_station_row *r); /* a sl_station_fn; arg: the station_table */
int station_table_end(struct station_table *s); /* an exit code */
#endif
