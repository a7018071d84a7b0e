/* producer: puts what comes on stdin into a run, exactly once, however often it is broken off and started again.
 *
 *     producer [--broker ENDPOINT] [--csv] [--keep-open] LINE RUN < FILE
 *
 * Without --csv every line of text is a unit with one value, for a line with one input field. With --csv the first
 * record names the fields. Then it closes the run (unless told to keep it open) and prints how it stands.
 *
 * What it shows: sl_run_start finds the run if it is there already. A numbered producer gives every row a number, its
 * place in the file. The broker keeps the highest number that it has on disk, so after a crash we ask where to go on
 * and skip the rows before: no unit is lost, none comes twice. The pipe does the rest: frames, windows, resending. */
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sunline.h>

struct job {
    struct sl *sl;
    struct sl_pipe *pipe;
    struct sl_buf row; /* used for every row: its memory is allocated once */
    uint64_t run_id, number, skip_below;
    uint64_t refused;
    int rc;               /* the first thing that went wrong */
    const char **columns; /* --csv: the first record */
    uint32_t column_count;
};

static int complain(const struct sl *sl, const char *what, int rc)
{
    const struct sl_error *e = sl_last_error(sl);
    fprintf(stderr, "producer: %s: %s%s%s: %s\n", what, sl_error_name(rc), *e->place ? " at " : "", e->place,
            e->code == rc ? e->text : sl_error_text(rc));
    return EXIT_FAILURE;
}

/* Called once for every row, in order, when it is on disk (or will never be). It must not use the handle. */
static void on_row(void *arg, const struct sl_put_result *r)
{
    struct job *j = arg;
    if (r->code == SL_OK || r->code == SL_DUPLICATE)
        return;
    if (j->refused++ < 10)
        fprintf(stderr, "producer: row %llu: %s: %s\n", (unsigned long long)r->number, sl_error_name(r->code), r->text);
}

/* A producer's id must be the same whenever the same input is put into the same run: so it is made from the run's name. */
static void producer_id(const char *run, unsigned char id[SL_PRODUCER_SIZE])
{
    unsigned long long h[2] = { 0xcbf29ce484222325ull, 0x84222325cbf29ce4ull }; /* FNV-1a, twice */
    for (const char *p = run; *p; p++)
        for (int i = 0; i < 2; i++)
            h[i] = (h[i] ^ (unsigned char)*p) * 0x100000001b3ull;
    memcpy(id, h, SL_PRODUCER_SIZE);
}

static int open_pipe(struct job *j, const char *run)
{
    unsigned char id[SL_PRODUCER_SIZE];
    producer_id(run, id);
    int rc = sl_pipe_open(j->sl,
                          &(struct sl_pipe_options){ .run_id = j->run_id,
                                                     .producer = id,
                                                     .columns = j->columns,
                                                     .column_count = j->column_count,
                                                     .on_row = on_row,
                                                     .arg = j },
                          &j->pipe);
    if (rc == SL_OK)
        j->skip_below = sl_pipe_next(j->pipe);
    return rc;
}

/* The row is complete. Rows before skip_below are on disk already, from an earlier try. */
static void put_row(struct job *j)
{
    if (j->rc == SL_OK && ++j->number >= j->skip_below)
        j->rc = sl_pipe_put(j->pipe, &j->row, NULL, 0);
    sl_buf_clear(&j->row);
}

/* ---- lines ---- */

static int put_lines(struct job *j, const char *run)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    j->rc = open_pipe(j, run);
    while (j->rc == SL_OK && (n = getline(&line, &size, stdin)) > 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        sl_add_str(&j->row, line, (size_t)n);
        put_row(j);
    }
    free(line);
    return j->rc;
}

/* ---- CSV ---- */

struct csv_job {
    struct job *j;
    const char *run;
};

static void on_field(void *p, size_t n, void *arg)
{
    struct job *j = ((struct csv_job *)arg)->j;
    if (!j->pipe) { /* the first record: names of fields */
        const char **more = realloc(j->columns, (j->column_count + 1) * sizeof *more);
        char *name = more ? strndup(p, n) : NULL;
        if (more)
            j->columns = more;
        if (!name) {
            j->rc = SL_NO_MEMORY;
            return;
        }
        j->columns[j->column_count++] = name;
    } else if (n == 0) {
        sl_add_nil(&j->row); /* an empty cell is no value */
    } else {
        sl_add_str(&j->row, p, n); /* numbers may go as text: the broker knows the field's type */
    }
}

static void on_record(int end, void *arg)
{
    (void)end;
    struct csv_job *c = arg;
    if (c->j->rc != SL_OK)
        return;
    if (c->j->pipe)
        put_row(c->j);
    else
        c->j->rc = open_pipe(c->j, c->run);
}

static int put_csv(struct job *j, const char *run)
{
    struct csv_parser parser;
    struct csv_job c = { j, run };
    char block[65536];
    size_t n;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        return SL_NO_MEMORY;
    bool first = true;
    while (j->rc == SL_OK && (n = fread(block, 1, sizeof block, stdin)) > 0) {
        size_t bom = first && n >= 3 && memcmp(block, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        first = false;
        if (csv_parse(&parser, block + bom, n - bom, on_field, on_record, &c) != n - bom && j->rc == SL_OK) {
            fprintf(stderr, "producer: after record %llu: %s\n", (unsigned long long)j->number + 1,
                    csv_strerror(csv_error(&parser)));
            j->rc = SL_MALFORMED;
        }
    }
    if (j->rc == SL_OK && csv_fini(&parser, on_field, on_record, &c) != 0) {
        fprintf(stderr, "producer: the input ends within a quoted cell\n");
        j->rc = SL_MALFORMED;
    }
    csv_free(&parser);
    return j->rc;
}

/* ---- the whole ---- */

static int print_run(struct sl *sl, const char *run)
{
    struct sl_run_row r;
    int rc = sl_run_info(sl, run, &r, NULL, NULL);
    if (rc != SL_OK)
        return complain(sl, run, rc);
    printf("run %s of %s: %llu units, %llu done\n", r.name, r.line, (unsigned long long)r.units,
           (unsigned long long)r.done);
    return EXIT_SUCCESS;
}

static int produce(struct sl *sl, const char *line, const char *run_name, bool csv, bool keep_open)
{
    struct sl_run run;
    int rc = sl_run_start(sl, &(struct sl_run_options){ .line = line, .name = run_name }, &run);
    if (rc != SL_OK)
        return complain(sl, run_name, rc);
    struct job j = { .sl = sl, .run_id = run.id };
    rc = csv ? put_csv(&j, run_name) : put_lines(&j, run_name);
    if (rc == SL_OK && j.pipe)
        rc = sl_flush(j.pipe); /* from here on every row is on disk */
    int status = rc == SL_OK ? EXIT_SUCCESS : complain(sl, "put", rc);
    if (status == EXIT_SUCCESS && !keep_open && (rc = sl_run_close(sl, run_name)) != SL_OK)
        status = complain(sl, "close", rc);
    sl_pipe_close(&j.pipe);
    sl_buf_free(&j.row);
    for (uint32_t i = 0; i < j.column_count; i++)
        free((void *)(uintptr_t)j.columns[i]);
    free(j.columns);
    if (status == EXIT_SUCCESS)
        status = print_run(sl, run_name);
    return j.refused ? EXIT_FAILURE : status;
}

int main(int argc, char **argv)
{
    const char *broker = getenv("SUNLINE_BROKER"); /* the library looks at no environment: the program does */
    bool csv = false, keep_open = false;
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--csv") == 0)
            csv = true;
        else if (strcmp(argv[i], "--keep-open") == 0)
            keep_open = true;
        else if (strcmp(argv[i], "--broker") == 0 && i + 1 < argc)
            broker = argv[++i];
        else
            break;
    }
    if (argc - i != 2) {
        fprintf(stderr, "usage: producer [--broker ENDPOINT] [--csv] [--keep-open] LINE RUN < FILE\n");
        return 2;
    }
    struct sl *sl;
    int rc = sl_open(&(struct sl_options){ .endpoint = broker }, &sl);
    if (rc != SL_OK) {
        fprintf(stderr, "producer: %s: %s\n", broker ? broker : "open", sl_error_text(rc));
        return EXIT_FAILURE;
    }
    int status = produce(sl, argv[i], argv[i + 1], csv, keep_open);
    sl_close(&sl);
    return status;
}
