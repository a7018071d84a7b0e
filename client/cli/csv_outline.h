/* What libcsv is shown of a text, and the fields that it finds there.
 *
 * libcsv looks at every byte, though only four of them mean anything to it: comma, quote, CR and LF. So it gets an
 * outline: these four as they stand, and one stand-in for each run of other bytes, whatever its length. All its states
 * take a second ordinary byte as they took the first, so it finds the same fields, records and mistakes in the outline
 * as in the text; and where a field that it hands out has a stand-in, the next run is put in.
 *
 *   text:      39,"Mr. C, ""down"" to",Bill
 *   outline:   x,"x,x""x""x",x                runs: 39 | Mr. C | _ | down | _to | Bill      (_ is a space)
 *
 * A field of the outline that has no quote inside stands in the text as it is; others are put together.
 *
 * `record` is where the present record begins in memory; it may be elsewhere at each call, as long as the record's bytes
 * are there. Positions count from it. */
#ifndef SUNLINE_CLI_CSV_OUTLINE_H
#define SUNLINE_CLI_CSV_OUTLINE_H
#include <csv.h>

#include "proto/codec.h"

#define CSV_OUTLINE_BYTES 4096 /* shown at once */

struct csv_run { uint32_t at, n; };
struct csv_place { uint32_t at, n; bool copied; }; /* in `text`; otherwise in the record */

struct csv_outline {
    struct csv_parser parser;
    unsigned char bytes[CSV_OUTLINE_BYTES]; /* not shown yet */
    size_t n;
    const char *record;       /* during a call */
    struct csv_run *runs;     /* of this record */
    uint32_t run_count, run_cap, runs_used;
    struct csv_place *places; /* of its fields */
    struct slp_bytes *cells;
    uint32_t cell_count, cell_cap;
    struct slp_buf text;
    bool row_done, nomem;
};

bool csv_outline_init(struct csv_outline *o); /* false: out of memory */
void csv_outline_free(struct csv_outline *o);
void csv_outline_begin(struct csv_outline *o); /* another record */

/* Look through record[*at, end) up to the end of a physical line: *at goes behind its first newline byte, or to `end`.
 * *ends: that byte, 0 if there was none. False, of all of these: libcsv refuses the text, or (nomem) memory ran out. */
bool csv_outline_line(struct csv_outline *o, const char *record, size_t *at, size_t end, char *ends);
bool csv_outline_byte(struct csv_outline *o, const char *record, char c); /* one of the four */
bool csv_outline_show(struct csv_outline *o, const char *record);         /* what there is; row_done: the record is over */
bool csv_outline_finish(struct csv_outline *o, const char *record);       /* the text is over */

bool csv_outline_between(const struct csv_outline *o); /* nothing of a record was shown yet: blank lines are none */
const struct slp_bytes *csv_outline_cells(struct csv_outline *o, const char *record); /* of a record that is over */
#endif
