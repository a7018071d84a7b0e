/* The first half of an import: nothing is put in before every row has been looked at. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "client/cli/csv_out.h"
#include "client/cli/digest.h"
#include "client/cli/file_out.h"
#include "client/cli/import.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"

#define PROGRESS_EVERY_ROWS 1024
#define NAMES_BYTES_MAX 600

struct check {
    struct import *im;
    struct csv_in *in;
    struct digest *digest;
    struct file_out rejects;
    bool rejecting; /* the rejects file is begun */
    bool progressing;
    struct progress progress;
};

static void on_bytes(void *arg, const char *p, size_t n)
{
    digest_add(arg, p, n);
}

/* ---- the header ---- */
static void add_name(char list[NAMES_BYTES_MAX], struct slp_bytes name)
{
    size_t at = strlen(list);
    snprintf(list + at, NAMES_BYTES_MAX - at, "%s'%.*s'", at ? ", " : "",
             (int)(name.n > SL_NAME_BYTES_MAX ? SL_NAME_BYTES_MAX : name.n), name.p);
}

static bool same(struct slp_bytes a, struct slp_bytes b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int find_column(const struct csv_row *header, struct slp_bytes name)
{
    for (uint32_t i = 0; i < header->count; i++) {
        if (same(header->cells[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

static int check_header_text(struct import *im, const struct csv_row *header)
{
    char reason[128];
    for (uint32_t i = 0; i < header->count; i++) {
        if (csv_cell_problem(header->cells[i], reason, sizeof reason)) {
            return cli_fail(im->cli, "%s: header, column %u: %s", im->path, i + 1, reason);
        }
        if (header->cells[i].n == 0) {
            return cli_fail(im->cli, "%s: header, column %u: has no name", im->path, i + 1);
        }
        if (find_column(header, header->cells[i]) < (int)i) {
            return cli_fail(im->cli, "%s: header: column '%.*s' is there twice", im->path, TEXT_ARG(header->cells[i]));
        }
    }
    return CLI_DONE;
}

/* Which column feeds which field. What is missing and what is too much is named all at once. */
static int map_header(struct import *im, const struct csv_row *header)
{
    char missing[NAMES_BYTES_MAX] = "", extra[NAMES_BYTES_MAX] = "", known[NAMES_BYTES_MAX] = "";
    if (check_header_text(im, header)) {
        return CLI_FAILED;
    }
    for (uint32_t i = 0; i < im->line->input_count; i++) {
        im->source[i] = find_column(header, im->line->inputs[i].name);
        add_name(known, im->line->inputs[i].name);
        if (im->source[i] < 0 && im->line->inputs[i].required) {
            add_name(missing, im->line->inputs[i].name);
        }
    }
    for (uint32_t i = 0; i < header->count; i++) {
        bool used = false;
        for (uint32_t k = 0; k < im->line->input_count; k++) {
            used = used || im->source[k] == (int)i;
        }
        if (!used) {
            add_name(extra, header->cells[i]);
        }
    }
    im->column_count = header->count;
    if (*missing) {
        cli_note(im->cli, "%s: header: missing: %s", im->path, missing);
    }
    if (*extra) {
        cli_note(im->cli, "%s: header: line %s has no input field: %s", im->path, im->line_name, extra);
    }
    return *missing || *extra ? cli_fail(im->cli, "%s: line %s takes: %s", im->path, im->line_name, known) : CLI_DONE;
}

/* ---- bad rows ---- */
/* A record as it stands in the file, with the reason as one more field. */
static void write_reject(struct check *c, const struct csv_row *row, const char *column, const char *reason)
{
    struct slp_buf b = { 0 };
    char text[400];
    size_t n = row->raw.n;
    while (n > 0 && (row->raw.p[n - 1] == '\n' || row->raw.p[n - 1] == '\r')) {
        n--; /* only the record's own end: inside, newlines stand before a quote */
    }
    slp_buf_add(&b, row->raw.p, n);
    snprintf(text, sizeof text, "%s%s%s", column, *column ? ": " : "", reason);
    csv_out_cell(&b, false, true, text, strlen(text));
    csv_out_end(&b);
    if (!b.failed) {
        fwrite(b.p, 1, b.n, c->rejects.f); /* errors are seen when the file is finished */
    }
    slp_buf_free(&b);
}

static void bad_row(struct check *c, const struct csv_row *row, const char *column, const char *reason)
{
    struct import *im = c->im;
    if (im->bad++ < IMPORT_LISTED_MAX) {
        if (c->progressing) {
            progress_abort(&c->progress);
        }
        cli_note(im->cli, "%s: row %llu (line %llu)%s%s%s: %s", im->path, (unsigned long long)(row->record - 1),
                 (unsigned long long)row->line, *column ? ", column '" : "", column, *column ? "'" : "", reason);
    }
    if (c->rejecting) {
        write_reject(c, row, column, reason);
    }
}

static int begin_rejects(struct check *c, const struct csv_row *header)
{
    struct import *im = c->im;
    struct stat in, out;
    if (fstat(im->fd, &in) == 0 && stat(im->rejects_path, &out) == 0 && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino) {
        return cli_fail(im->cli, "%s: is the input; bad rows need a file of their own", im->rejects_path);
    }
    int code = file_out_begin(&c->rejects, im->cli, im->rejects_path);
    if (!code) {
        c->rejecting = true;
        write_reject(c, header, "", "reason");
    }
    return code;
}

/* Not kept: rows of a file that is refused anyway, or that is too large; such a file is read again if it must be. */
static int keep(struct import *im, uint64_t number)
{
    bool wanted = im->rejects_path || im->bad == 0;
    bool small = !im->seekable || kept_bytes(im->kept) < IMPORT_KEPT_BYTES_MAX;
    if (wanted && small && kept_add(im->kept, number, im->row.p, im->row.n)) {
        return CLI_DONE;
    }
    if (wanted && !im->seekable) {
        return cli_fail(im->cli, "%s: cannot keep its rows in a temporary file: %s; nothing was put in", im->path,
                        strerror(errno));
    }
    kept_free(&im->kept);
    return CLI_DONE;
}

static int no_record(struct check *c)
{
    if (session_interrupted()) {
        return cli_fail(c->im->cli, "interrupted; nothing was put in");
    }
    return cli_fail(c->im->cli, "%s: %s; nothing was put in", c->im->path, csv_in_error(c->in));
}

static int check_rows(struct check *c)
{
    struct import *im = c->im;
    struct csv_row row;
    char column[SL_NAME_BYTES_MAX + 1], reason[256];
    enum csv_rc rc;
    while ((rc = csv_in_next(c->in, &row)) == CSV_ROW) {
        im->rows++;
        if (!import_pack(im, &row, true, column, sizeof column, reason, sizeof reason)) {
            bad_row(c, &row, column, reason);
        } else if (im->kept && keep(im, row.record - 1)) {
            return CLI_FAILED;
        }
        if (im->row.failed) {
            return cli_nomem(im->cli);
        }
        if (im->rows % PROGRESS_EVERY_ROWS == 0) {
            if (session_interrupted()) {
                return cli_fail(im->cli, "interrupted; nothing was put in");
            }
            progress_update(&c->progress, im->rows,
                            im->file_bytes ? (double)csv_in_bytes(c->in) / (double)im->file_bytes : -1);
        }
    }
    if (rc == CSV_BROKEN) {
        progress_abort(&c->progress);
        return no_record(c);
    }
    return session_interrupted() ? no_record(c) : CLI_DONE;
}

static int verdict(struct import *im)
{
    if (im->bad > IMPORT_LISTED_MAX) {
        cli_note(im->cli, "%s: ... and %llu more bad rows", im->path,
                 (unsigned long long)(im->bad - IMPORT_LISTED_MAX));
    }
    if (im->bad && !im->rejects_path) {
        return cli_fail(im->cli,
                        "%s: %llu of %llu rows are bad: nothing was put in (--skip-bad REJECTS.csv takes the others)",
                        im->path, (unsigned long long)im->bad, (unsigned long long)im->rows);
    }
    if (im->bad) {
        cli_note(im->cli, "%s: %llu of %llu rows are bad; they are in %s", im->path, (unsigned long long)im->bad,
                 (unsigned long long)im->rows, im->rejects_path);
    }
    return CLI_DONE;
}

static int check_file(struct check *c)
{
    struct import *im = c->im;
    struct csv_row header;
    enum csv_rc rc = csv_in_next(c->in, &header);
    if (rc != CSV_ROW) {
        return rc == CSV_END ? cli_fail(im->cli, "%s: is empty; a header row is needed", im->path) : no_record(c);
    }
    int code = map_header(im, &header);
    if (!code && im->rejects_path) {
        code = begin_rejects(c, &header);
    }
    if (!code) {
        progress_begin(&c->progress, im->cli->err, im->cli->err_tty, "checking", "rows", 0);
        c->progressing = true;
        code = check_rows(c);
    }
    if (!code && c->progress.drawn) {
        progress_end(&c->progress, im->rows, 1);
    }
    if (c->rejecting) {
        if (code) {
            file_out_abandon(&c->rejects);
        } else {
            code = file_out_finish(&c->rejects);
        }
    }
    return code ? code : verdict(im);
}

int import_check(struct import *im)
{
    struct check c = { .im = im };
    im->rows = im->bad = 0;
    c.in = csv_in_new(im->fd);
    c.digest = digest_new();
    im->kept = kept_new();
    if (!c.in || !c.digest || !im->kept) {
        csv_in_free(&c.in);
        digest_free(&c.digest);
        return cli_nomem(im->cli);
    }
    csv_in_tap(c.in, on_bytes, c.digest);
    csv_in_stop(c.in, session_interrupted);
    int code = check_file(&c);
    const char *choice = im->rejects_path ? "good rows" : "all rows";
    digest_add(c.digest, choice, strlen(choice));
    digest_get(c.digest, im->digest);
    digest_free(&c.digest);
    csv_in_free(&c.in);
    return code;
}
