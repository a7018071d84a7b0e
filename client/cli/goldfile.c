/* See goldfile.h. What the cells mean, the compiler of definitions judges (proto/ld_gold.c). */
#include "client/cli/goldfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/csv_in.h"

static char *path_beside(const char *beside, const char *path, size_t n)
{
    const char *slash = path[0] == '/' ? NULL : strrchr(beside, '/');
    size_t folder = slash ? (size_t)(slash - beside) + 1 : 0;
    char *p = malloc(folder + n + 1);
    if (!p)
        return NULL;
    memcpy(p, beside, folder);
    memcpy(p + folder, path, n);
    p[folder + n] = 0;
    return p;
}

struct sheet {
    struct slp_buf columns, cells;
    uint32_t column_count, cell_count;
};

static bool take_row(struct sheet *s, const struct csv_row *row, char *why, size_t why_size)
{
    bool head = row->record == 1;
    char what[80];
    if (!head && row->count != s->column_count) {
        snprintf(why, why_size, "line %" PRIu64 " has %u cells, its header %u", row->line, row->count, s->column_count);
        return false;
    }
    for (uint32_t i = 0; i < row->count; i++) {
        if (csv_cell_problem(row->cells[i], what, sizeof what)) {
            snprintf(why, why_size, "line %" PRIu64 ": a cell %s", row->line, what);
            return false;
        }
        slp_pack_str(head ? &s->columns : &s->cells, row->cells[i].p, row->cells[i].n);
    }
    s->column_count = head ? row->count : s->column_count;
    s->cell_count += head ? 0 : row->count;
    if (s->columns.n + s->cells.n > SL_LINE_BYTES_MAX) {
        snprintf(why, why_size, "it has more than %d bytes, and a definition holds no more", SL_LINE_BYTES_MAX);
        return false;
    }
    return true;
}

static bool take_file(struct sheet *s, int fd, char *why, size_t why_size)
{
    struct csv_in *in = csv_in_new(fd);
    struct csv_row row;
    enum csv_rc rc = CSV_ROW;
    bool good = in != NULL;
    snprintf(why, why_size, "memory ran out");
    while (good && (rc = csv_in_next(in, &row)) == CSV_ROW)
        good = take_row(s, &row, why, why_size);
    if (good && rc == CSV_BROKEN)
        snprintf(why, why_size, "%s", csv_in_error(in));
    good = good && rc == CSV_END;
    if (good && !s->column_count) {
        snprintf(why, why_size, "it is empty");
        good = false;
    }
    csv_in_free(&in);
    return good && !s->columns.failed && !s->cells.failed;
}

bool goldfile_pack(const char *beside, const char *path, size_t path_n, struct slp_buf *b, char *why, size_t why_size)
{
    struct sheet s = { .column_count = 0 };
    char *full = path_beside(beside, path, path_n);
    int fd = full ? open(full, O_RDONLY | O_CLOEXEC) : -1;
    bool good = fd >= 0;
    if (!good)
        snprintf(why, why_size, "cannot be read: %s", full ? strerror(errno) : "memory ran out");
    else
        good = take_file(&s, fd, why, why_size);
    if (fd >= 0)
        close(fd);
    if (good) {
        slp_pack_cstr(b, "columns");
        slp_pack_array(b, s.column_count);
        slp_buf_add(b, s.columns.p, s.columns.n);
        slp_pack_cstr(b, "cells");
        slp_pack_array(b, s.cell_count);
        slp_buf_add(b, s.cells.p, s.cells.n);
    }
    slp_buf_free(&s.columns);
    slp_buf_free(&s.cells);
    free(full);
    return good;
}
