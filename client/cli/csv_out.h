/* Writing CSV: RFC 4180 quoting with LF line ends. A null is an empty cell, an empty string is "".
 *
 * The guard: a spreadsheet takes a cell that begins with = + - @ TAB or CR for a formula, and a formula in
 * somebody's answer can run commands on the desk of whoever opens the file. Such a cell gets a leading apostrophe,
 * unless it is a plain number such as -5. Without the guard (--raw) the bytes are as they were submitted. */
#ifndef SUNLINE_CLI_CSV_OUT_H
#define SUNLINE_CLI_CSV_OUT_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/codec.h"

bool csv_looks_like_formula(const char *p, size_t n);

/* Append a cell to b, after a comma unless `first`. p NULL: a null. */
void csv_out_cell(struct slp_buf *b, bool first, bool guard, const char *p, size_t n);
void csv_out_end(struct slp_buf *b);
#endif
