/* The CSV reader. libcsv does the states of quoting and knows no positions; so it is fed one physical line at a time,
 * and a record's lines stay in the window until the record is handed out: that gives line numbers and the raw bytes for
 * nothing.
 *
 * window:   0 ... record_at ... pos ... end        [record_at, pos) is fed, [pos, end) is read but not fed */
#include "client/cli/csv_in.h"

#include <assert.h>
#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/reader.h"

#define READ_BYTES (256 * 1024)

struct csv_in {
    int fd;
    bool begun, eof, broken, row_done, nomem;
    struct csv_parser parser;
    char *window;
    size_t window_cap, record_at, pos, end;
    uint64_t read_bytes, line, record, record_line;
    char *text; /* the cells' bytes of the present record, one after the other */
    size_t text_n, text_cap;
    size_t *cell_ends;
    struct slp_bytes *cells;
    uint32_t cell_count, cell_cap;
    void (*tap)(void *, const char *, size_t);
    void *tap_arg;
    char error[256];
};

static int never(unsigned char c)
{
    (void)c;
    return 0;
}

struct csv_in *csv_in_new(int fd)
{
    struct csv_in *in = calloc(1, sizeof *in);
    if (!in) {
        return NULL;
    }
    in->fd = fd;
    in->window_cap = READ_BYTES;
    in->window = malloc(in->window_cap);
    if (!in->window || csv_init(&in->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(in->window);
        free(in);
        return NULL;
    }
    csv_set_space_func(&in->parser, never); /* libcsv would strip spaces; RFC 4180: they belong to the field */
    return in;
}

void csv_in_free(struct csv_in **in)
{
    if (*in) {
        csv_free(&(*in)->parser);
        free((*in)->window);
        free((*in)->text);
        free((*in)->cell_ends);
        free((*in)->cells);
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

const char *csv_in_error(const struct csv_in *in)
{
    return in->error;
}

uint64_t csv_in_bytes(const struct csv_in *in)
{
    return in->read_bytes - (in->end - in->pos);
}

/* ---- libcsv's callbacks ---- */
static void on_cell(void *bytes, size_t n, void *arg)
{
    struct csv_in *in = arg;
    if (in->cell_count == in->cell_cap) {
        uint32_t cap = in->cell_cap ? in->cell_cap * 2 : 64;
        size_t *ends = realloc(in->cell_ends, cap * sizeof *ends);
        in->cell_ends = ends ? ends : in->cell_ends;
        struct slp_bytes *cells = realloc(in->cells, cap * sizeof *cells);
        in->cells = cells ? cells : in->cells;
        if (!ends || !cells) {
            in->nomem = true;
            return;
        }
        in->cell_cap = cap;
    }
    if (n > in->text_cap - in->text_n) {
        size_t cap = (in->text_n + n) * 2;
        char *text = realloc(in->text, cap);
        if (!text) {
            in->nomem = true;
            return;
        }
        in->text = text;
        in->text_cap = cap;
    }
    if (n) {
        memcpy(in->text + in->text_n, bytes, n);
    }
    in->text_n += n;
    in->cell_ends[in->cell_count++] = in->text_n;
}

static void on_row(int c, void *arg)
{
    (void)c;
    struct csv_in *in = arg;
    assert(!in->row_done); /* one physical line ends one record at most */
    in->row_done = true;
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
    } while (n < 0 && errno == EINTR);
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

/* The end of the physical line at pos, newline included, as far as it is in the window. *ends: the newline is there. */
static size_t line_end(struct csv_in *in, bool *ends)
{
    for (;;) {
        const char *p = in->window + in->pos;
        size_t n = in->end - in->pos;
        const char *lf = memchr(p, '\n', n);
        const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);
        if (!cr) {
            *ends = lf != NULL;
            return lf ? (size_t)(lf - in->window) + 1 : in->end;
        }
        size_t offset = (size_t)(cr - p); /* from pos: fill moves the window */
        if (in->pos + offset + 1 == in->end && fill(in)) {
            continue; /* is it CRLF? */
        }
        *ends = true;
        size_t at = in->pos + offset;
        return at + 1 < in->end && in->window[at + 1] == '\n' ? at + 2 : at + 1;
    }
}

static enum csv_rc refuse_parse(struct csv_in *in)
{
    char what[200];
    if (csv_error(&in->parser) != CSV_EPARSE) {
        in->nomem = true;
        return broken(in, "out of memory");
    }
    snprintf(what, sizeof what, "field %u: %s", in->cell_count + 1,
             in->parser.quoted ? "text after the closing quote (a quote inside a field must be doubled)"
                               : "a quote inside an unquoted field (put the field in quotes and double the quote)");
    return broken(in, what);
}

static enum csv_rc hand_out(struct csv_in *in, struct csv_row *row)
{
    size_t at = 0;
    for (uint32_t i = 0; i < in->cell_count; i++) {
        in->cells[i] = (struct slp_bytes){ in->text + at, (uint32_t)(in->cell_ends[i] - at) };
        at = in->cell_ends[i];
    }
    *row = (struct csv_row){ .record = ++in->record,
                             .line = in->record_line,
                             .count = in->cell_count,
                             .cells = in->cells,
                             .raw = { in->window + in->record_at, (uint32_t)(in->pos - in->record_at) } };
    return CSV_ROW;
}

/* At the end of the file the last record may lack its newline. */
static enum csv_rc finish(struct csv_in *in, struct csv_row *row)
{
    if (csv_fini(&in->parser, on_cell, on_row, in) != 0) {
        char what[160];
        bool parse = csv_error(&in->parser) == CSV_EPARSE;
        in->line = in->record_line;
        snprintf(what, sizeof what,
                 "the record that begins here ends in a quoted field that is never closed (field %u)",
                 in->cell_count + 1);
        return broken(in, parse ? what : "out of memory");
    }
    if (in->nomem) {
        return broken(in, "out of memory");
    }
    return in->row_done ? hand_out(in, row) : CSV_END;
}

enum csv_rc csv_in_next(struct csv_in *in, struct csv_row *row)
{
    if (in->broken || (!in->begun && !begin(in))) {
        return in->broken ? CSV_BROKEN : broken(in, "out of memory");
    }
    in->row_done = false;
    in->cell_count = 0;
    in->text_n = 0;
    in->record_at = in->pos;
    in->record_line = in->line;
    for (;;) {
        if (in->pos == in->end && !fill(in)) {
            if (in->broken || in->nomem) {
                return in->broken ? CSV_BROKEN : broken(in, "out of memory");
            }
            return finish(in, row);
        }
        bool ends;
        size_t to = line_end(in, &ends);
        if (in->broken || in->nomem) {
            return in->broken ? CSV_BROKEN : broken(in, "out of memory");
        }
        size_t n = to - in->pos;
        if (csv_parse(&in->parser, in->window + in->pos, n, on_cell, on_row, in) != n) {
            return refuse_parse(in);
        }
        if (in->nomem) {
            return broken(in, "out of memory");
        }
        in->pos = to;
        in->line += ends;
        if (in->row_done) {
            return hand_out(in, row);
        }
        bool blank =
            ends && in->cell_count == 0 && in->parser.pstate == 0; /* libcsv is between records: it skipped the line */
        if (blank) {
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
