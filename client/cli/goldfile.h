/* A file of control tasks: CSV with a header row, as `gold: {file: ...}` of a line file names it. Its cells go into the definition. */
#ifndef SUNLINE_CLI_GOLDFILE_H
#define SUNLINE_CLI_GOLDFILE_H
#include <stdbool.h>

#include "proto/codec.h"

/* Append the pairs "columns" and "cells" of the definition, as packed. `beside`: the line file, in whose folder a relative path is looked for. False:
 * why[] says what is wrong with the file, with its line. At most SL_LINE_BYTES_MAX bytes of it are taken. */
bool goldfile_pack(const char *beside, const char *path, size_t path_n, struct slp_buf *b, char *why, size_t why_size);
#endif
