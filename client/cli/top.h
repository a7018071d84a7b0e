/* What `sunline top` shows, apart from the screen: rows of five tables, made from listings, the figures and the event stream as any monitor could. */
#ifndef SUNLINE_CLI_TOP_H
#define SUNLINE_CLI_TOP_H
#include "client/cli/session.h"

#define TOP_COLUMNS_MAX 10
#define TOP_CELL_BYTES 40
#define TOP_ROWS_MAX 5000 /* of one table; what comes behind is not shown */

enum top_view { TOP_LINES, TOP_RUNS, TOP_STATIONS, TOP_HUBS, TOP_WORKERS, TOP_VIEWS };

struct top_column { const char *heading; int width; bool right; }; /* width 0 ends the list; the first column takes what room is left */
struct top_row { char cell[TOP_COLUMNS_MAX][TOP_CELL_BYTES]; double key[TOP_COLUMNS_MAX]; }; /* key: what the column is sorted by; the first: by text */

struct top; /* with what it remembers from one look to the next */

extern const struct top_column top_columns[TOP_VIEWS][TOP_COLUMNS_MAX + 1];
extern const char *const top_titles[TOP_VIEWS];

struct top *top_new(struct cli *cli); /* NULL: no memory */
void top_free(struct top **t);
/* Look again: the figures, the table of this view, and events for a moment. SL_OK or why not (then the old rows stay). */
int top_look(struct top *t, enum top_view view);
struct top_row *top_rows(struct top *t, uint32_t *n, bool *full); /* of the last look; may be put into another order. full: there are more */
/* Two lines about the whole. */
void top_summary(const struct top *t, char *one, char *two, size_t size);
#endif
