/* Runs: starting, changing, looking at, waiting for. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

#define WAIT_INTERVAL_MS 500

/* The pointers and the texts behind them, in one block that the handle keeps. */
static int keep_columns(struct sl *sl, struct slp_list columns, struct sl_run *out)
{
    const char **v = malloc(columns.count * sizeof *v + columns.bytes + columns.count + 1);
    if (!v)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    char *at = (char *)(v + columns.count);
    struct slp_cursor c = slp_each(columns);
    struct slp_bytes s;
    for (uint32_t i = 0; slp_next_str(&c, &s); i++) {
        v[i] = at;
        sl__copy(at, s.n + 1, s);
        at += s.n + 1;
    }
    free(sl->columns);
    sl->columns = v;
    out->columns = v;
    out->column_count = columns.count;
    return SL_OK;
}

int sl_run_start(struct sl *sl, const struct sl_run_options *o, struct sl_run *out)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && (!o || o->fingerprint_bytes > 32 || (o->set_priority && o->priority > SL_PRIORITY_MAX)))
        rc = sl__fail(sl, SL_MISUSE, "options", NULL);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, o->line, "line");
    if (rc == SL_OK)
        rc = sl__name_ok(sl, o->name, "name");
    if (rc != SL_OK)
        return rc;
    struct slp_run_start s = { .line = sl__bytes(o->line), .name = sl__bytes(o->name) };
    if (o->set_priority) {
        s.priority = o->priority;
        SL__SET(&s, run_start, priority);
    }
    if (o->fingerprint) {
        s.fingerprint = (struct slp_bytes){ o->fingerprint, (uint32_t)o->fingerprint_bytes };
        SL__SET(&s, run_start, fingerprint);
    }
    if (o->version) {
        s.version = o->version;
        SL__SET(&s, run_start, version);
    }
    if (o->quota_units) {
        s.quota_units = o->quota_units;
        SL__SET(&s, run_start, quota_units);
    }
    struct slp_msg m;
    rc = sl__request(sl, SLP_RUN_START, &s, SLP_RUN_STARTED, &m);
    if (rc != SL_OK)
        return rc;
    *out = (struct sl_run){ .id = m.u.run_started.run_id,
                            .version = m.u.run_started.version,
                            .existing = m.u.run_started.existing };
    return keep_columns(sl, m.u.run_started.columns, out);
}

static int run_set(struct sl *sl, struct slp_run_set *s, const char *run)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, run, "run");
    s->run = sl__bytes(run);
    return rc == SL_OK ? sl__request(sl, SLP_RUN_SET, s, SLP_DONE, NULL) : rc;
}

int sl_run_close(struct sl *sl, const char *run)
{
    return run_set(sl, &(struct slp_run_set){ .action = 0 }, run);
}

int sl_run_pause(struct sl *sl, const char *run)
{
    return run_set(sl, &(struct slp_run_set){ .action = 1 }, run);
}

int sl_run_resume(struct sl *sl, const char *run)
{
    return run_set(sl, &(struct slp_run_set){ .action = 2 }, run);
}

int sl_run_cancel(struct sl *sl, const char *run)
{
    return run_set(sl, &(struct slp_run_set){ .action = 3 }, run);
}

int sl_run_delete(struct sl *sl, const char *run, bool force)
{
    struct slp_run_set s = { .action = 4, .force = force };
    if (force)
        SL__SET(&s, run_set, force);
    return run_set(sl, &s, run);
}

int sl_run_priority(struct sl *sl, const char *run, unsigned priority)
{
    if (sl && !sl->in_callback && priority > SL_PRIORITY_MAX)
        return sl__fail(sl, SL_BAD_VALUE, "priority", "priorities go from 0 to 9");
    struct slp_run_set s = { .action = 5, .priority = priority };
    SL__SET(&s, run_set, priority);
    return run_set(sl, &s, run);
}

struct runs_walk {
    struct slp_runs_get get;
    sl_run_fn *fn;
    void *arg;
};

static int on_run(void *arg, struct slp_cursor *c)
{
    struct runs_walk *w = arg;
    struct slp_item_run_row in;
    struct sl_run_row row;
    slp_next_run_row(c, &in);
    sl__run_row(&row, &in);
    w->get.after = row.run_id;
    SL__SET(&w->get, runs_get, after);
    return w->fn(w->arg, &row);
}

int sl_runs(struct sl *sl, const char *line, sl_run_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && line)
        rc = sl__name_ok(sl, line, "line");
    if (rc != SL_OK)
        return rc;
    struct runs_walk w = { .get = { .line = sl__bytes(line) }, .fn = fn, .arg = arg };
    if (line)
        SL__SET(&w.get, runs_get, line);
    return sl__list(sl, &(struct sl__listing){ SLP_RUNS_GET, SLP_RUNS, &w.get, SL__PAGE(runs), on_run, &w });
}

static int get_run(struct sl *sl, const char *run, int64_t timeout_ms, struct slp_msg *m, struct sl_run_row *out)
{
    struct slp_run_get g = { .run = sl__bytes(run) };
    int rc = sl__request_with(sl, SLP_RUN_GET, &g, SLP_RUN_INFO, m, timeout_ms, true);
    if (rc != SL_OK)
        return rc;
    struct slp_cursor c = slp_each(m->u.run_info.run);
    struct slp_item_run_row in;
    if (!slp_next_run_row(&c, &in))
        return sl__fail(sl, SL_BAD_REPLY, "run_info.run", "there is no row");
    sl__run_row(out, &in);
    return SL_OK;
}

int sl_run_info(struct sl *sl, const char *run, struct sl_run_row *out, sl_station_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, run, "run");
    if (rc != SL_OK)
        return rc;
    struct slp_msg m;
    rc = get_run(sl, run, sl->o.timeout_ms, &m, out);
    if (rc != SL_OK || !fn)
        return rc;
    return sl__station_rows(sl, m.u.run_info.stations, fn, arg);
}

/* One look: SL_OK with *over told, or why not. */
static int look(struct sl *sl, const char *run, const struct sl_wait_options *o, int64_t waited_us, int64_t timeout_ms,
                bool *over, int *code)
{
    struct slp_msg m;
    struct sl_progress p = { .waited_ms = waited_us / 1000 };
    int rc = get_run(sl, run, timeout_ms, &m, &p.run);
    if (rc != SL_OK)
        return rc;
    struct slp_cursor c = slp_each(m.u.run_info.stations);
    struct sl_station_row *rows = malloc((m.u.run_info.stations.count + 1ul) * sizeof *rows);
    if (!rows)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    struct slp_item_station_row in;
    while (slp_next_station_row(&c, &in))
        sl__station_row(&rows[p.station_count++], &in);
    p.stations = rows;
    *over = sl__run_over(&p.run, rows, p.station_count, code);
    if (o->progress) {
        sl->in_callback = true;
        rc = o->progress(o->arg, &p) ? SL_STOPPED : SL_OK;
        sl->in_callback = false;
    }
    free(rows);
    return rc == SL_OK ? SL_OK : sl__fail(sl, SL_STOPPED, "", NULL);
}

int sl_run_wait(struct sl *sl, const char *run, const struct sl_wait_options *o)
{
    static const struct sl_wait_options none;
    if (!o)
        o = &none;
    int rc = sl__enter(sl);
    if (rc == SL_OK && (o->timeout_ms < 0 || o->interval_ms < 0 || o->interval_ms > INT_MAX))
        rc = sl__fail(sl, SL_MISUSE, "options", NULL);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, run, "run");
    if (rc != SL_OK)
        return rc;
    int64_t began_us = sl__now_us(), interval_us = (o->interval_ms ? o->interval_ms : WAIT_INTERVAL_MS) * 1000;
    int64_t end_us =
        !o->timeout_ms || o->timeout_ms > (INT64_MAX - began_us) / 1000 ? INT64_MAX : began_us + o->timeout_ms * 1000;
    for (;;) {
        int64_t now_us = sl__now_us(), timeout_ms = sl->o.timeout_ms;
        if (end_us != INT64_MAX && end_us - now_us < timeout_ms * 1000)
            timeout_ms = end_us > now_us ? (end_us - now_us + 999) / 1000 : 1;
        bool over = false;
        int code = SL_OK;
        rc = look(sl, run, o, now_us - began_us, timeout_ms, &over, &code);
        if (rc == SL_OK && over)
            return code == SL_OK ? SL_OK : sl__fail(sl, code, run, NULL);
        /* it will be back, perhaps */
        bool away = sl_error_retry(rc) == SL_RETRY_LATER && rc != SL_NO_MEMORY && !sl->ended;
        if (rc != SL_OK && !away)
            return rc;
        int64_t next_us = now_us + interval_us;
        if (next_us > end_us)
            next_us = end_us;
        while (sl__now_us() < next_us)
            if (sl__turn(sl, false, NULL, next_us) != SL_OK)
                return sl__fail(sl, SL_STOPPED, "", NULL);
        if (sl__now_us() >= end_us)
            return rc == SL_OK ? sl__fail(sl, SL_TIMEOUT, run, "the run is not over yet") : rc;
    }
}
