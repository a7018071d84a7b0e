/* Reading CSV from a file descriptor, a record at a time, in constant memory: RFC 4180 as libcsv parses it, with the
 * positions that people need to find a mistake again, and the record's own bytes.
 *
 * Taken: LF, CRLF or CR at the end of a line; quoted fields with commas, doubled quotes and newlines; a UTF-8 BOM
 * before the first record; a last line without newline. Spaces belong to a field. Blank lines are skipped. Refused,
 * as an error of the whole file, because what follows cannot be trusted: a quote in the middle of an unquoted field,
 * text after a closing quote, a quoted field that never ends, a record above CSV_RECORD_BYTES_MAX, UTF-16 and
 * UTF-32. Not judged here: the number of fields, UTF-8, NUL bytes; csv_cell_problem() judges a cell. */
#ifndef SUNLINE_CLI_CSV_IN_H
#define SUNLINE_CLI_CSV_IN_H
#include "proto/codec.h"

/* Far above SL_UNIT_BYTES_MAX: a record in between is a bad row, not a broken file. */
#define CSV_RECORD_BYTES_MAX (1024 * 1024)
_Static_assert(CSV_RECORD_BYTES_MAX >= 4 * SL_UNIT_BYTES_MAX, "a unit that is too big is found by its row");

struct csv_in;
enum csv_rc { CSV_ROW, CSV_END, CSV_BROKEN };

struct csv_row {                   /* borrowed: valid until the next call */
    uint64_t record;               /* from 1; the header, if there is one, is the first */
    uint64_t line;                 /* physical line on which it begins, from 1 */
    uint32_t count;
    const struct slp_bytes *cells; /* what the fields mean: quotes removed */
    struct slp_bytes raw;          /* the record as it stands in the file, with its newline if it has one */
};

/* Read from fd's present offset on; fd stays the caller's. NULL: out of memory. */
struct csv_in *csv_in_new(int fd);
void csv_in_free(struct csv_in **in); /* safe to repeat */

/* Every byte that is read passes here once, in order (for a digest). Set before the first csv_in_next. */
void csv_in_tap(struct csv_in *in, void (*tap)(void *arg, const char *p, size_t n), void *arg);

/* Asked when a signal breaks a read off: true ends the reading, as CSV_BROKEN. */
void csv_in_stop(struct csv_in *in, bool (*stop)(void));

/* CSV_ROW: *row holds the next record. CSV_END: there are no more. CSV_BROKEN: csv_in_error tells what and where;
 * final. */
enum csv_rc csv_in_next(struct csv_in *in, struct csv_row *row);
const char *csv_in_error(const struct csv_in *in);
uint64_t csv_in_bytes(const struct csv_in *in); /* consumed so far, for a progress bar */

/* What makes a cell unusable whatever its type: "is not UTF-8 (byte 3)", "contains a NUL byte". False: nothing. */
bool csv_cell_problem(struct slp_bytes cell, char *text, size_t text_size);
#endif
