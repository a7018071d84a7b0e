/* Text to outline, fields of the outline to fields of the text. */
#include "client/cli/csv_outline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/csv_scan.h"

#define STAND_IN 'x'

static int never(unsigned char c)
{
    (void)c;
    return 0;
}

bool csv_outline_init(struct csv_outline *o)
{
    *o = (struct csv_outline){ .n = 0 };
    if (csv_init(&o->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return false;
    }
    csv_set_space_func(&o->parser, never); /* libcsv would strip spaces; RFC 4180: they belong to the field */
    return true;
}

void csv_outline_free(struct csv_outline *o)
{
    csv_free(&o->parser);
    free(o->runs);
    free(o->places);
    free(o->cells);
    slp_buf_free(&o->text);
}

void csv_outline_begin(struct csv_outline *o)
{
    o->row_done = false;
    o->run_count = o->runs_used = 0;
    o->cell_count = 0;
    slp_buf_clear(&o->text);
}

/* ---- libcsv's callbacks ---- */
static bool more_cells(struct csv_outline *o)
{
    uint32_t cap = o->cell_cap ? o->cell_cap * 2 : 64;
    struct csv_place *places = realloc(o->places, cap * sizeof *places);
    o->places = places ? places : o->places;
    struct slp_bytes *cells = realloc(o->cells, cap * sizeof *cells);
    o->cells = cells ? cells : o->cells;
    if (!places || !cells) {
        return false;
    }
    o->cell_cap = cap;
    return true;
}

static struct csv_run next_run(struct csv_outline *o)
{
    assert(o->runs_used < o->run_count);
    return o->runs[o->runs_used++];
}

/* Where a field stands that has a run, and no quote inside. */
static struct csv_place found(struct csv_outline *o, const char *p, size_t n)
{
    const char *first = memchr(p, STAND_IN, n);
    struct csv_place place = { .at = o->runs[o->runs_used].at - (uint32_t)(first - p) };
    for (size_t i = 0; i < n; i++) {
        place.n += p[i] == STAND_IN ? next_run(o).n : 1;
    }
    return place;
}

static struct csv_place put_together(struct csv_outline *o, const char *p, size_t n)
{
    struct csv_place place = { .at = (uint32_t)o->text.n, .copied = true };
    for (size_t i = 0; i < n; i++) {
        if (p[i] == STAND_IN) {
            struct csv_run run = next_run(o);
            slp_buf_add(&o->text, o->record + run.at, run.n);
        } else {
            slp_buf_add(&o->text, p + i, 1);
        }
    }
    place.n = (uint32_t)o->text.n - place.at;
    o->nomem = o->nomem || o->text.failed;
    return place;
}

static void on_cell(void *bytes, size_t n, void *arg)
{
    struct csv_outline *o = arg;
    const char *p = bytes;
    if (o->cell_count == o->cell_cap && !more_cells(o)) {
        o->nomem = true;
    }
    if (o->nomem) {
        return;
    }
    struct csv_place *place = &o->places[o->cell_count++];
    if (n == 0) {
        *place = (struct csv_place){ .n = 0 };
    } else if (n == 1 && *p == STAND_IN) {
        struct csv_run run = next_run(o);
        *place = (struct csv_place){ .at = run.at, .n = run.n };
    } else if (memchr(p, '"', n) || !memchr(p, STAND_IN, n)) {
        *place = put_together(o, p, n);
    } else {
        *place = found(o, p, n);
    }
}

static void on_row(int c, void *arg)
{
    (void)c;
    struct csv_outline *o = arg;
    assert(!o->row_done); /* one physical line ends one record at most */
    o->row_done = true;
}

/* ---- showing ---- */
bool csv_outline_show(struct csv_outline *o, const char *record)
{
    size_t n = o->n;
    o->n = 0;
    o->record = record;
    return csv_parse(&o->parser, o->bytes, n, on_cell, on_row, o) == n && !o->nomem;
}

bool csv_outline_finish(struct csv_outline *o, const char *record)
{
    o->record = record;
    return csv_fini(&o->parser, on_cell, on_row, o) == 0 && !o->nomem;
}

/* Place for so many bytes, and as many runs. */
static bool make_room(struct csv_outline *o, const char *record, size_t n)
{
    if (CSV_OUTLINE_BYTES - o->n < n && !csv_outline_show(o, record)) {
        return false;
    }
    if (o->run_cap - o->run_count >= n) {
        return true;
    }
    uint32_t cap = o->run_cap ? o->run_cap * 2 : 256;
    struct csv_run *runs = realloc(o->runs, cap * sizeof *runs);
    if (!runs) {
        o->nomem = true;
        return false;
    }
    o->runs = runs;
    o->run_cap = cap;
    return true;
}

bool csv_outline_byte(struct csv_outline *o, const char *record, char c)
{
    if (!make_room(o, record, 1)) {
        return false;
    }
    o->bytes[o->n++] = (unsigned char)c;
    return true;
}

static inline void add_run(struct csv_outline *o, size_t from, size_t to)
{
    if (from < to) {
        o->runs[o->run_count++] = (struct csv_run){ (uint32_t)from, (uint32_t)(to - from) };
        o->bytes[o->n++] = STAND_IN;
    }
}

bool csv_outline_line(struct csv_outline *o, const char *record, size_t *at, size_t end, char *ends)
{
    size_t run_at = *at, step;
    *ends = 0;
    for (size_t word_at = *at; word_at < end; word_at += step) {
        step = end - word_at < CSV_WORD_BYTES ? end - word_at : CSV_WORD_BYTES;
        uint64_t marks = csv_marks(record + word_at, step);
        if (marks && !make_room(o, record, 2 * CSV_WORD_BYTES)) {
            return false;
        }
        for (; marks; marks &= marks - 1) {
            size_t i = word_at + csv_mark_at(marks);
            add_run(o, run_at, i);
            o->bytes[o->n++] = (unsigned char)record[i];
            run_at = i + 1;
            if (record[i] == '\n' || record[i] == '\r') {
                *ends = record[i];
                *at = run_at;
                return true;
            }
        }
    }
    if (!make_room(o, record, 1)) {
        return false;
    }
    add_run(o, run_at, end);
    *at = end;
    return true;
}

/* ---- the record ---- */
bool csv_outline_between(const struct csv_outline *o)
{
    return o->cell_count == 0 && o->parser.pstate == 0;
}

const struct slp_bytes *csv_outline_cells(struct csv_outline *o, const char *record)
{
    for (uint32_t i = 0; i < o->cell_count; i++) {
        const struct csv_place *place = &o->places[i];
        o->cells[i] = (struct slp_bytes){ (place->copied ? o->text.p : record) + place->at, place->n };
    }
    return o->cells;
}
