/* Rows of text: aligned columns with headings on a terminal, plain lines with a tab between the cells otherwise (no
 * headings: the lines are for other programs). Rows are kept only to find the widths, at most TABLE_ROWS_HELD of
 * them. */
#ifndef SUNLINE_CLI_TABLE_H
#define SUNLINE_CLI_TABLE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/codec.h"

#define TABLE_COLUMNS_MAX 24
#define TABLE_ROWS_HELD 500

struct table {
    FILE *out;
    bool aligned, color, headed;
    uint32_t columns, cells;                /* cells: held so far */
    struct { const char *heading; uint32_t width; bool right; } column[TABLE_COLUMNS_MAX];
    struct slp_buf text;                    /* the held cells' text, NUL after each */
    uint64_t rows;
};

/* Headings are separated by '|'; one that begins with '>' is of a right-aligned column. `headings` must outlive the
 * table. */
void table_begin(struct table *t, FILE *out, bool aligned, bool color, const char *headings);
/* The next cell; a row ends by itself with its last one. */
void table_text(struct table *t, struct slp_bytes text);
void table_str(struct table *t, const char *text);
void table_u64(struct table *t, uint64_t n);
/* Write what is held and free it. A table without rows writes nothing at all. False: memory ran out somewhere. */
bool table_end(struct table *t);
#endif
