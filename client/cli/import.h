/* A CSV file into a run: checked from end to end first, then put in with every row numbered, so that it can be broken
 * off at any moment and done again, and ends with exactly one unit a row. Checked rows are kept as they will be put; of
 * a file above IMPORT_KEPT_BYTES_MAX, or where there is no place for them, they are read from the file again.
 *
 *   import_open -> import_check -> import_put -> import_close
 *
 * The rows that go in are numbered 1, 2, 3 ... in file order: the same file, the same choice about bad rows and the
 * same line version give the same numbers. The broker keeps the highest one on disk; import_put asks for it and goes
 * on behind it. Memory does not grow with the file. */
#ifndef SUNLINE_CLI_IMPORT_H
#define SUNLINE_CLI_IMPORT_H
#include "client/cli/csv_in.h"
#include "client/cli/digest.h"
#include "client/cli/kept.h"
#include "client/cli/session.h"
#include "proto/linedef.h"

#define IMPORT_LISTED_MAX 20 /* bad rows that are shown one by one */
#define IMPORT_KEPT_BYTES_MAX (1ull << 30) /* a temporary file of any size would be a bad surprise */

struct import {
    struct cli *cli;
    const char *path;         /* as in messages; "standard input" */
    int fd;
    bool seekable;            /* it can be read again: no pipe, not standard input */
    uint64_t file_bytes;      /* 0: nobody knows */
    int64_t changed_ns;       /* the file's time of change when it was opened */
    struct ld_line *line;     /* owned: what rows are checked against */
    const char *line_name;
    uint64_t line_version;
    const char *rejects_path; /* where bad rows go; NULL: one bad row refuses all */

    uint32_t column_count;    /* of the header */
    int source[SL_INPUT_FIELDS_MAX]; /* for each input field the column that holds it, -1: the file has none */
    uint64_t rows, bad;       /* data rows in all; of these, bad ones */
    uint8_t digest[DIGEST_BYTES]; /* of the file's bytes and of the choice whether bad rows are left out */
    struct sl_buf row;        /* scratch: a row's packed values */
    struct kept *kept;        /* the good rows, numbered as in the file; NULL: they have to be read again */
};

/* Open `path` ("-": standard input) and fetch the definition of the line (version 0: the newest). An exit code;
 * close in any case. */
int import_open(struct import *im, struct cli *cli, const char *path, const char *line, uint64_t version,
                const char *rejects_path);
void import_close(struct import *im);

/* Read the whole file: header, rows, digest; keep the good rows. Bad rows are listed on err with row, line and column (and written
 * to the rejects file). An exit code: CLI_FAILED if the header does not fit, the file is broken, or there are bad
 * rows and no rejects file. */
int import_check(struct import *im);

struct import_counts {
    uint64_t before;     /* rows that were on disk from an earlier attempt */
    uint64_t accepted, duplicates;
    uint64_t refused;    /* by the broker, though the check found nothing: listed on err */
};
/* Put the good rows into a run. */
int import_put(struct import *im, uint64_t run_id, const uint8_t producer[SL_PRODUCER_SIZE],
               struct import_counts *counts);

/* ---- shared by the two passes ---- */
/* Pack a data row into im->row, in the order of the line's inputs. False: it is bad; column (at most the size of a
 * field name, or "") and reason say why. */
bool import_pack(struct import *im, const struct csv_row *row, bool check, char *column, size_t column_size,
                 char *reason, size_t reason_size);
#endif
