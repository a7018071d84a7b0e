/* Lines and stations. */
#include <string.h>

#include "client/internal.h"

int sl_line_apply(struct sl *sl, const void *packed, size_t n, bool dry_run, struct sl_applied *out)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct sl_value v;
    if (!packed || n == 0)
        return sl__fail(sl, SL_MISUSE, "packed", "there is no definition");
    if (n > SL_LINE_BYTES_MAX)
        return sl__fail(sl, SL_TOO_BIG, "packed", "the definition is larger than 128 KB");
    if (!sl__value((struct slp_bytes){ packed, (uint32_t)n }, &v) || v.type != SL_T_MAP)
        return sl__fail(sl, SL_MALFORMED, "packed", "a definition is one packed map");
    struct slp_line_apply a = { .definition = { packed, (uint32_t)n }, .dry_run = dry_run };
    SL__SET(&a, line_apply, dry_run);
    struct slp_msg m;
    rc = sl__request(sl, SLP_LINE_APPLY, &a, SLP_LINE_APPLIED, &m);
    if (rc == SL_OK && out) {
        *out = (struct sl_applied){ .version = m.u.line_applied.version, .changed = m.u.line_applied.changed };
        sl__copy(out->line, sizeof out->line, m.u.line_applied.line);
    }
    return rc;
}

int sl_line_apply_buf(struct sl *sl, const struct sl_buf *d, bool dry_run, struct sl_applied *out)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (d->failed)
        return sl__fail(sl, SL_NO_MEMORY, "definition", NULL);
    if (d->bad)
        return sl__fail(sl, SL_BAD_VALUE, "definition", "a string is not UTF-8, or a number not finite");
    if (d->pending > 0 || d->count != 1)
        return sl__fail(sl, SL_MISUSE, "definition", "a definition is one complete map");
    return sl_line_apply(sl, d->p, d->n, dry_run, out);
}

struct lines_walk {
    struct slp_lines_get get;
    char after[SL_NAME_SIZE];
    sl_line_fn *fn;
    void *arg;
};

static int on_line(void *arg, struct slp_cursor *c)
{
    struct lines_walk *w = arg;
    struct slp_item_line_row in;
    slp_next_line_row(c, &in);
    struct sl_line_row row = {
        .version = in.version, .state = in.state, .stations = in.stations, .runs_open = in.runs_open
    };
    sl__copy(row.name, sizeof row.name, in.name);
    sl__copy(row.title, sizeof row.title, in.title);
    memcpy(w->after, row.name, sizeof w->after);
    w->get.after = sl__bytes(w->after);
    SL__SET(&w->get, lines_get, after);
    return w->fn(w->arg, &row);
}

int sl_lines(struct sl *sl, sl_line_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct lines_walk w = { .fn = fn, .arg = arg };
    return sl__list(sl, &(struct sl__listing){ SLP_LINES_GET, SLP_LINES, &w.get, SL__PAGE(lines), on_line, &w });
}

struct stations_walk {
    struct slp_stations_get get;
    sl_station_fn *fn;
    void *arg;
};

static int on_station(void *arg, struct slp_cursor *c)
{
    struct stations_walk *w = arg;
    struct slp_item_station_row in;
    struct sl_station_row row;
    slp_next_station_row(c, &in);
    sl__station_row(&row, &in);
    w->get.after = row.station_id;
    SL__SET(&w->get, stations_get, after);
    return w->fn(w->arg, &row);
}

int sl__station_rows(struct sl *sl, struct slp_list rows, sl_station_fn *fn, void *arg)
{
    struct stations_walk w = { .fn = fn, .arg = arg };
    return sl__rows(sl, rows, on_station, &w);
}

int sl_line_get(struct sl *sl, const char *line, uint64_t version, uint64_t *actual, struct sl_value *definition,
                sl_station_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, line, "line");
    if (rc != SL_OK)
        return rc;
    struct slp_line_get g = { .line = sl__bytes(line), .version = version };
    if (version)
        SL__SET(&g, line_get, version);
    struct slp_msg m;
    rc = sl__request(sl, SLP_LINE_GET, &g, SLP_LINE, &m);
    if (rc != SL_OK)
        return rc;
    if (actual)
        *actual = m.u.line.version;
    if (definition && !sl__value(m.u.line.definition, definition))
        return sl__fail(sl, SL_BAD_REPLY, "line.definition", NULL);
    return fn ? sl__station_rows(sl, m.u.line.stations, fn, arg) : SL_OK;
}

static int line_set(struct sl *sl, const char *line, uint64_t action, bool force)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, line, "line");
    if (rc != SL_OK)
        return rc;
    struct slp_line_set s = { .line = sl__bytes(line), .action = action, .force = force };
    if (force)
        SL__SET(&s, line_set, force);
    return sl__request(sl, SLP_LINE_SET, &s, SLP_DONE, NULL);
}

int sl_line_pause(struct sl *sl, const char *line)
{
    return line_set(sl, line, 0, false);
}

int sl_line_resume(struct sl *sl, const char *line)
{
    return line_set(sl, line, 1, false);
}

int sl_line_delete(struct sl *sl, const char *line, bool force)
{
    return line_set(sl, line, 2, force);
}

int sl_stations(struct sl *sl, const char *line, sl_station_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && line)
        rc = sl__name_ok(sl, line, "line");
    if (rc != SL_OK)
        return rc;
    struct stations_walk w = { .get = { .line = sl__bytes(line) }, .fn = fn, .arg = arg };
    if (line)
        SL__SET(&w.get, stations_get, line);
    return sl__list(
        sl, &(struct sl__listing){ SLP_STATIONS_GET, SLP_STATIONS, &w.get, SL__PAGE(stations), on_station, &w });
}

static int station_set(struct sl *sl, const char *line, const char *station, uint64_t action)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, line, "line");
    if (rc == SL_OK)
        rc = sl__name_ok(sl, station, "station");
    if (rc != SL_OK)
        return rc;
    struct slp_station_set s = { .line = sl__bytes(line), .station = sl__bytes(station), .action = action };
    return sl__request(sl, SLP_STATION_SET, &s, SLP_DONE, NULL);
}

int sl_station_pause(struct sl *sl, const char *line, const char *station)
{
    return station_set(sl, line, station, 0);
}

int sl_station_resume(struct sl *sl, const char *line, const char *station)
{
    return station_set(sl, line, station, 1);
}
