/* The CSV reader. libcsv does the states of quoting and knows no positions; so it is shown one physical line at a time
 * (as csv_outline.h says), and a record's lines stay in the window until the record is handed out: that gives line
 * numbers and the raw bytes for nothing.
 *
 * window:   0 ... record_at ... pos ... end        [record_at, pos) is looked at, [pos, end) is read only */
#include "client/cli/csv_in.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/csv_outline.h"
#include "proto/reader.h"

#define READ_BYTES (256 * 1024)

struct csv_in {
    int fd;
    bool begun, eof, broken, nomem;
    struct csv_outline outline;
    char *window;
    size_t window_cap, record_at, pos, end;
    uint64_t read_bytes, line, record, record_line;
    void (*tap)(void *, const char *, size_t);
    void *tap_arg;
    bool (*stop)(void);
    char error[256];
};

struct csv_in *csv_in_new(int fd)
{
    struct csv_in *in = calloc(1, sizeof *in);
    if (!in) {
        return NULL;
    }
    in->fd = fd;
    in->window_cap = READ_BYTES;
    in->window = malloc(in->window_cap);
    if (!in->window || !csv_outline_init(&in->outline)) {
        free(in->window);
        free(in);
        return NULL;
    }
    return in;
}

void csv_in_free(struct csv_in **in)
{
    if (*in) {
        csv_outline_free(&(*in)->outline);
        free((*in)->window);
        free(*in);
        *in = NULL;
    }
}

void csv_in_tap(struct csv_in *in, void (*tap)(void *arg, const char *p, size_t n), void *arg)
{
    assert(!in->begun);
    in->tap = tap;
    in->tap_arg = arg;
}

void csv_in_stop(struct csv_in *in, bool (*stop)(void))
{
    in->stop = stop;
}

const char *csv_in_error(const struct csv_in *in)
{
    return in->error;
}

uint64_t csv_in_bytes(const struct csv_in *in)
{
    return in->read_bytes - (in->end - in->pos);
}

/* ---- the window ---- */
static enum csv_rc broken(struct csv_in *in, const char *what)
{
    in->broken = true;
    snprintf(in->error, sizeof in->error, "line %llu: %s", (unsigned long long)in->line, what);
    return CSV_BROKEN;
}

/* Read more behind `end`, keeping [record_at, end). False: nothing came (eof set), or the file is broken. */
static bool fill(struct csv_in *in)
{
    if (in->eof) {
        return false;
    }
    if (in->record_at > 0) {
        memmove(in->window, in->window + in->record_at, in->end - in->record_at);
        in->pos -= in->record_at;
        in->end -= in->record_at;
        in->record_at = 0;
    }
    if (in->window_cap - in->end < READ_BYTES / 2) {
        if (in->end > CSV_RECORD_BYTES_MAX) {
            char what[160];
            snprintf(what, sizeof what,
                     "the record that begins here is larger than %d bytes (a quote that is never closed?)",
                     CSV_RECORD_BYTES_MAX);
            in->line = in->record_line;
            broken(in, what);
            return false;
        }
        size_t cap = in->window_cap * 2;
        char *window = realloc(in->window, cap);
        if (!window) {
            in->nomem = true;
            return false;
        }
        in->window = window;
        in->window_cap = cap;
    }
    ssize_t n;
    do {
        n = read(in->fd, in->window + in->end, in->window_cap - in->end);
    } while (n < 0 && errno == EINTR && !(in->stop && in->stop()));
    if (n < 0) {
        char what[160];
        snprintf(what, sizeof what, "cannot read: %s", strerror(errno));
        broken(in, what);
        return false;
    }
    if (n == 0) {
        in->eof = true;
        return false;
    }
    if (in->tap) {
        in->tap(in->tap_arg, in->window + in->end, (size_t)n);
    }
    in->read_bytes += (uint64_t)n;
    in->end += (size_t)n;
    return true;
}

static bool begins(const struct csv_in *in, const char *mark, size_t n)
{
    return in->end - in->pos >= n && memcmp(in->window + in->pos, mark, n) == 0;
}

/* The byte order mark, and the encodings that are not ours. */
static bool begin(struct csv_in *in)
{
    in->begun = true;
    in->line = in->record_line = 1;
    while (in->end < 4 && fill(in)) {}
    if (in->broken || in->nomem) {
        return false;
    }
    if (begins(in, "\xef\xbb\xbf", 3)) {
        in->pos = in->record_at = 3;
    } else if (begins(in, "\xff\xfe", 2) || begins(in, "\xfe\xff", 2) || begins(in, "\0\0\xfe\xff", 4)) {
        broken(in, "the file is UTF-16 or UTF-32; save it as UTF-8");
        return false;
    }
    return true;
}

/* ---- records ---- */
/* Show libcsv the physical line at pos, newline included, as far as it is in the window. *ends: the newline was there.
 * False: libcsv refuses it, the file is broken, or there is no memory. */
static bool take_line(struct csv_in *in, bool *ends)
{
    size_t at = in->pos - in->record_at;
    char newline;
    if (!csv_outline_line(&in->outline, in->window + in->record_at, &at, in->end - in->record_at, &newline)) {
        return false;
    }
    in->pos = in->record_at + at;
    *ends = newline != 0;
    if (newline == '\r' && (in->pos < in->end || fill(in)) && in->window[in->pos] == '\n') { /* CRLF is one newline */
        if (!csv_outline_byte(&in->outline, in->window + in->record_at, '\n')) {
            return false;
        }
        in->pos++;
    }
    return csv_outline_show(&in->outline, in->window + in->record_at) && !in->broken && !in->nomem;
}

static enum csv_rc no_memory(struct csv_in *in)
{
    return broken(in, "out of memory");
}

static enum csv_rc refuse_line(struct csv_in *in)
{
    char what[200];
    if (in->broken) {
        return CSV_BROKEN;
    }
    if (in->nomem || in->outline.nomem || csv_error(&in->outline.parser) != CSV_EPARSE) {
        return no_memory(in);
    }
    snprintf(what, sizeof what, "field %u: %s", in->outline.cell_count + 1,
             in->outline.parser.quoted
                 ? "text after the closing quote (a quote inside a field must be doubled)"
                 : "a quote inside an unquoted field (put the field in quotes and double the quote)");
    return broken(in, what);
}

static enum csv_rc hand_out(struct csv_in *in, struct csv_row *row)
{
    const char *record = in->window + in->record_at;
    *row = (struct csv_row){ .record = ++in->record,
                             .line = in->record_line,
                             .count = in->outline.cell_count,
                             .cells = csv_outline_cells(&in->outline, record),
                             .raw = { record, (uint32_t)(in->pos - in->record_at) } };
    return CSV_ROW;
}

/* At the end of the file the last record may lack its newline. */
static enum csv_rc finish(struct csv_in *in, struct csv_row *row)
{
    if (!csv_outline_finish(&in->outline, in->window + in->record_at)) {
        char what[160];
        in->line = in->record_line;
        snprintf(what, sizeof what,
                 "the record that begins here ends in a quoted field that is never closed (field %u)",
                 in->outline.cell_count + 1);
        return !in->outline.nomem && csv_error(&in->outline.parser) == CSV_EPARSE ? broken(in, what) : no_memory(in);
    }
    return in->outline.row_done ? hand_out(in, row) : CSV_END;
}

enum csv_rc csv_in_next(struct csv_in *in, struct csv_row *row)
{
    if (in->broken || (!in->begun && !begin(in))) {
        return in->broken ? CSV_BROKEN : no_memory(in);
    }
    csv_outline_begin(&in->outline);
    in->record_at = in->pos;
    in->record_line = in->line;
    for (;;) {
        if (in->pos == in->end && !fill(in)) {
            return in->broken ? CSV_BROKEN : in->nomem ? no_memory(in) : finish(in, row);
        }
        bool ends;
        if (!take_line(in, &ends)) {
            return refuse_line(in);
        }
        in->line += ends;
        if (in->outline.row_done) {
            return hand_out(in, row);
        }
        if (ends && csv_outline_between(&in->outline)) { /* libcsv skipped a blank line */
            in->record_at = in->pos;
            in->record_line = in->line;
        }
    }
}

bool csv_cell_problem(struct slp_bytes cell, char *text, size_t text_size)
{
    if (cell.n && memchr(cell.p, 0, cell.n)) {
        snprintf(text, text_size, "contains a NUL byte");
        return true;
    }
    if (sl_utf8_ok(cell.p, cell.n)) {
        return false;
    }
    size_t good =
        0; /* the longest good beginning: only for the message, so it need not be fast, but it is at most one cell */
    for (size_t n = 1; n <= cell.n; n++) {
        if (sl_utf8_ok(cell.p, n)) {
            good = n;
        } else if (n - good >= 4) {
            break;
        }
    }
    snprintf(text, text_size, "is not UTF-8 (byte %zu)", good + 1);
    return true;
}
