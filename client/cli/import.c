/* Opening an import, and what makes a row good. */
#include "client/cli/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/text.h"

#define ROW_HEADER_BYTES 3 /* of the array that a row is on the wire */

static int open_file(struct import *im, const char *path)
{
    bool standard_input = strcmp(path, "-") == 0;
    struct stat st;
    im->path = standard_input ? "standard input" : path;
    im->fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (im->fd < 0 || fstat(im->fd, &st) != 0) {
        return cli_fail(im->cli, "%s: %s", im->path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return cli_fail(im->cli, "%s: is a folder", im->path);
    }
    im->seekable = !standard_input && lseek(im->fd, 0, SEEK_CUR) == 0; /* no named pipe, no <(...) */
    if (im->seekable) {
        im->file_bytes = (uint64_t)st.st_size;
        im->changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    return CLI_DONE;
}

static void on_problem(void *arg, const char *path, const char *text)
{
    struct import *im = arg;
    cli_note(im->cli, "line %s: %s: %s", im->line_name, path, text);
}

static int fetch_line(struct import *im, const char *line, uint64_t version)
{
    struct sl_value definition;
    int rc = sl_line_get(im->cli->sl, line, version, &im->line_version, &definition, NULL, NULL);
    if (session_check(im->cli, rc, line)) {
        return CLI_FAILED;
    }
    struct slp_buf packed = { 0 };
    slp_pack_map(&packed, definition.n);
    slp_buf_add(&packed, definition.p, definition.bytes);
    if (packed.failed) {
        slp_buf_free(&packed);
        return cli_nomem(im->cli);
    }
    im->line_name = line;
    im->line = ld_compile(packed.p, packed.n, on_problem, im);
    slp_buf_free(&packed);
    return im->line ? CLI_DONE
                    : cli_fail(im->cli,
                               "line %s: this program does not understand its definition; is the broker newer?", line);
}

int import_open(struct import *im, struct cli *cli, const char *path, const char *line, uint64_t version,
                const char *rejects_path)
{
    *im = (struct import){ .cli = cli, .fd = -1, .rejects_path = rejects_path };
    int code = open_file(im, path);
    return code ? code : fetch_line(im, line, version);
}

void import_close(struct import *im)
{
    if (im->fd >= 0) {
        close(im->fd);
        im->fd = -1;
    }
    kept_free(&im->kept);
    ld_free(&im->line);
    sl_buf_free(&im->row);
}

bool import_pack(struct import *im, const struct csv_row *row, bool check, char *column, size_t column_size,
                 char *reason, size_t reason_size)
{
    column[0] = 0;
    if (row->count != im->column_count) {
        snprintf(reason, reason_size, "has %u field%s, the header has %u", row->count, row->count == 1 ? "" : "s",
                 im->column_count);
        return false;
    }
    sl_buf_clear(&im->row);
    bool suspect = check && memchr(row->raw.p, 0, row->raw.n); /* of a NUL; what is not UTF-8 is found on packing */
    for (uint32_t i = 0; i < im->line->input_count; i++) {
        int from = im->source[i];
        if (from < 0 || row->cells[from].n == 0) {
            sl_add_nil(&im->row); /* CSV cannot tell an empty text from none; whether none will do, the line says */
            continue;
        }
        sl_add_str(&im->row, row->cells[from].p, row->cells[from].n);
        if ((suspect || im->row.bad) && csv_cell_problem(row->cells[from], reason, reason_size)) {
            snprintf(column, column_size, "%.*s", TEXT_ARG(im->line->inputs[i].name));
            return false;
        }
    }
    if (!check || im->row.failed) {
        return !im->row.failed;
    }
    if (im->row.n + ROW_HEADER_BYTES > SL_UNIT_BYTES_MAX) {
        snprintf(reason, reason_size, "is %zu bytes, a unit may be %d", im->row.n + ROW_HEADER_BYTES,
                 SL_UNIT_BYTES_MAX);
        return false;
    }
    uint32_t field;
    if (ld_check_values(im->line->inputs, im->line->input_count, im->row.p, im->row.n, im->line->input_count, &field,
                        reason, reason_size) == 0) {
        return true;
    }
    if (field < im->line->input_count) {
        snprintf(column, column_size, "%.*s", TEXT_ARG(im->line->inputs[field].name));
    }
    return false;
}
