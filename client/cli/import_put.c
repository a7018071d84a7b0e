/* The second half of an import: the good rows, numbered, through a pipe of the library. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/import.h"
#include "client/cli/progress.h"

#define PROGRESS_EVERY_ROWS 256
#define FRAME_UNITS 1000 /* what is put together is stored together */
#define GIVE_UP_MS 60000 /* without any progress, a broker that is away is given up after this */
#define EPOCH 1          /* one file, one producer: nobody takes over from anybody */

struct put {
    struct import *im;
    struct import_counts *counts;
    struct progress progress;
    uint64_t good; /* rows that have to be on disk in the end */
    uint64_t over; /* rows that are on disk, with those of before */
};

/* Is it this row's fault? Any other code is the pipe's end, which is told once and not for every row that was under way. */
static bool is_bad_row(int code)
{
    return code == SL_BAD_UNIT || code == SL_TOO_BIG || code == SL_BAD_VALUE || code == SL_BAD_TYPE ||
           code == SL_MALFORMED;
}

static void on_row(void *arg, const struct sl_put_result *r)
{
    struct put *p = arg;
    if (r->code == SL_OK || r->code == SL_DUPLICATE) {
        p->over++;
        *(r->code == SL_OK ? &p->counts->accepted : &p->counts->duplicates) += 1;
    } else if (is_bad_row(r->code) && p->counts->refused++ < IMPORT_LISTED_MAX) {
        progress_abort(&p->progress);
        cli_note(p->im->cli, "%s: row %llu was refused: %s: %s", p->im->path, (unsigned long long)r->tag,
                 sl_error_name(r->code), r->text);
    }
    if (p->over % PROGRESS_EVERY_ROWS == 0) {
        progress_update(&p->progress, p->over, p->good ? (double)p->over / (double)p->good : -1);
    }
}

/* Is the file still the one that was checked? */
static bool same_file(const struct import *im)
{
    struct stat st;
    return fstat(im->fd, &st) == 0 && (uint64_t)st.st_size == im->file_bytes &&
           (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == im->changed_ns;
}

static int file_changed(struct import *im)
{
    return cli_fail(im->cli, "%s: the file was changed while it was read; look at what is in the run before going on",
                    im->path);
}

/* Put all good rows from number `next` on. *rc: what the pipe said; an exit code for everything else. */
static int put_kept(struct put *p, struct sl_pipe *pipe, uint64_t next, int *rc)
{
    struct import *im = p->im;
    struct sl_buf row = { .count = im->line->input_count };
    uint64_t number = 0, tag;
    const char *packed;
    enum kept_rc kept = kept_rewind(im->kept) ? KEPT_ROW : KEPT_FAILED;
    while (kept == KEPT_ROW && (kept = kept_next(im->kept, &tag, &packed, &row.n)) == KEPT_ROW) {
        if (++number < next) {
            continue;
        }
        row.p = (char *)(uintptr_t)packed; /* a pipe only reads it */
        *rc = sl_pipe_put(pipe, &row, NULL, tag);
        if (*rc != SL_OK) {
            return CLI_DONE;
        }
    }
    if (kept == KEPT_FAILED) {
        return cli_fail(im->cli, "%s: cannot read the temporary file that keeps its rows: %s", im->path,
                        strerror(errno));
    }
    *rc = sl_flush(pipe);
    return CLI_DONE;
}

/* The same, from the file. */
static int put_again(struct put *p, struct csv_in *in, struct sl_pipe *pipe, uint64_t next, int *rc)
{
    struct import *im = p->im;
    struct csv_row row;
    char column[SL_NAME_BYTES_MAX + 1], reason[256];
    uint64_t number = 0;
    enum csv_rc csv = csv_in_next(in, &row); /* the header */
    bool check = im->bad > 0;                /* if all rows were good, they still are */
    while (csv == CSV_ROW && (csv = csv_in_next(in, &row)) == CSV_ROW) {
        if (!check && number + 1 < next) {
            number++;
            continue;
        }
        if (!import_pack(im, &row, check, column, sizeof column, reason, sizeof reason)) {
            if (im->row.failed) {
                return cli_nomem(im->cli);
            }
            if (!check) {
                return file_changed(im);
            }
            continue;
        }
        if (++number < next) {
            continue;
        }
        *rc = sl_pipe_put(pipe, &im->row, NULL, row.record - 1);
        if (*rc != SL_OK) {
            return CLI_DONE;
        }
    }
    if (csv == CSV_BROKEN) {
        return cli_fail(im->cli, "%s: %s", im->path, csv_in_error(in));
    }
    *rc = sl_flush(pipe);
    return CLI_DONE;
}

/* One attempt: from what is on disk to the end of the file, or to what stops it. */
static int attempt(struct put *p, uint64_t run_id, const uint8_t *producer, int *rc)
{
    struct import *im = p->im;
    struct sl_pipe *pipe = NULL;
    struct sl_pipe_options o = { .run_id = run_id,
                                 .producer = producer,
                                 .epoch = EPOCH,
                                 .frame_units = FRAME_UNITS,
                                 .give_up_ms = GIVE_UP_MS,
                                 .on_row = on_row,
                                 .arg = p };
    *rc = sl_pipe_open(im->cli->sl, &o, &pipe);
    if (*rc != SL_OK) {
        return CLI_DONE;
    }
    uint64_t next = sl_pipe_next(pipe);
    p->over = next - 1;
    int code;
    if (im->kept) {
        code = put_kept(p, pipe, next, rc);
    } else {
        struct csv_in *in = lseek(im->fd, 0, SEEK_SET) == 0 ? csv_in_new(im->fd) : NULL;
        code = in ? put_again(p, in, pipe, next, rc) : cli_nomem(im->cli);
        csv_in_free(&in);
    }
    sl_pipe_close(&pipe);
    return code;
}

static bool is_pressure(int rc)
{
    return rc == SL_QUEUE_FULL || rc == SL_STORE_FULL || rc == SL_BUSY;
}

static bool can_go_on(int rc)
{
    return rc == SL_STOPPED || rc == SL_DISCONNECTED || rc == SL_TIMEOUT || rc == SL_SHUTTING_DOWN || is_pressure(rc);
}

int import_put(struct import *im, uint64_t run_id, const uint8_t producer[SL_PRODUCER_SIZE],
               struct import_counts *counts)
{
    struct put p = { .im = im, .counts = counts, .good = im->rows - im->bad };
    uint64_t epoch;
    *counts = (struct import_counts){ 0 };
    if (session_check(im->cli, sl_producer_get(im->cli->sl, run_id, producer, &epoch, &counts->before), NULL)) {
        return CLI_FAILED;
    }
    if (counts->before >= p.good) {
        return CLI_DONE; /* an earlier attempt brought all of it; the run may be closed by now */
    }
    progress_begin(&p.progress, im->cli->err, im->cli->err_tty, "importing", "rows", counts->before);
    int rc, code = attempt(&p, run_id, producer, &rc);
    while (!code && is_pressure(rc)) { /* for longer than the pipe waits: a quota may be used up for hours */
        progress_abort(&p.progress);
        cli_note(im->cli, "%s: waiting, %llu of %llu rows are in: %s: %s", im->path, (unsigned long long)p.over,
                 (unsigned long long)p.good, sl_error_name(rc), sl_error_text(rc));
        code = attempt(&p, run_id, producer, &rc);
    }
    if (code || rc != SL_OK) {
        progress_abort(&p.progress);
        code = code ? code : session_check(im->cli, rc, im->path);
        cli_note(im->cli, "%s: %llu of %llu rows are in%s", im->path, (unsigned long long)p.over,
                 (unsigned long long)p.good, can_go_on(rc) ? "; the same command again goes on behind them" : "");
        return code;
    }
    progress_end(&p.progress, p.over, 1);
    /* All are in, or refused: the others came by another hand, perhaps meanwhile. */
    counts->before = p.good - counts->accepted - counts->duplicates - counts->refused;
    if (im->seekable && !same_file(im)) {
        return file_changed(im);
    }
    if (counts->refused) {
        code = cli_fail(im->cli, "%s: the broker refused %llu rows", im->path, (unsigned long long)counts->refused);
    }
    return code;
}
