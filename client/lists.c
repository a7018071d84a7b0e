/* Tasks in queues, hubs, workers, figures, the backup. */
#include <limits.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

static int task_page(struct sl *sl, struct slp_list rows, uint64_t *left, sl_task_fn *fn, void *arg)
{
    struct slp_cursor c = slp_each(rows);
    struct slp_item_task_row in;
    while (*left > 0 && slp_next_task_row(&c, &in)) {
        struct sl_task_row row = {
            .run_id = in.run_id, .unit = in.unit, .state = in.state, .attempts = in.attempts, .due_us = in.due_us
        };
        sl__copy(row.reason, sizeof row.reason, in.reason);
        --*left;
        sl->in_callback = true;
        int stop = fn(arg, &row);
        sl->in_callback = false;
        if (stop)
            return sl__fail(sl, SL_STOPPED, "", NULL);
    }
    return SL_OK;
}

int sl_tasks(struct sl *sl, uint64_t station_id, enum sl_tasks_which which, const char *run, uint64_t limit,
             sl_task_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && run)
        rc = sl__name_ok(sl, run, "run");
    if (rc == SL_OK && (unsigned)which > SL_TASKS_DEAD)
        rc = sl__fail(sl, SL_MISUSE, "which", NULL);
    char after[64];
    uint32_t after_n = 0;
    uint64_t left = limit ? limit : UINT64_MAX;
    for (bool more = true; more && left > 0 && rc == SL_OK;) {
        struct slp_tasks_get g = {
            .station_id = station_id, .which = which, .run = sl__bytes(run), .after = { after, after_n }
        };
        if (after_n)
            SL__SET(&g, tasks_get, after);
        if (run)
            SL__SET(&g, tasks_get, run);
        if (left < SL_PAGE_ITEMS_MAX) {
            g.limit = left;
            SL__SET(&g, tasks_get, limit);
        }
        struct slp_msg m;
        rc = sl__request(sl, SLP_TASKS_GET, &g, SLP_TASKS, &m);
        if (rc != SL_OK)
            return rc;
        after_n = m.u.tasks.next.n; /* at most 64: the catalogue says so */
        if (after_n > 0)
            memcpy(after, m.u.tasks.next.p, after_n);
        more = after_n > 0;
        rc = task_page(sl, m.u.tasks.rows, &left, fn, arg);
    }
    return rc;
}

static int tasks_set(struct sl *sl, uint64_t action, uint64_t station_id, const char *run, const uint64_t *units,
                     uint32_t n, const char *reason, uint64_t *count)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && (run || units))
        rc = sl__name_ok(sl, run, "run");
    if (rc == SL_OK && units && n > SL_BATCH_ITEMS_MAX)
        rc = sl__fail(sl, SL_TOO_MANY, "units", NULL);
    if (rc == SL_OK && reason)
        rc = sl__text_ok(sl, reason, "reason");
    if (rc != SL_OK)
        return rc;
    struct slp_tasks_set s = {
        .station_id = station_id, .action = action, .run = sl__bytes(run), .reason = sl__bytes(reason)
    };
    if (run)
        SL__SET(&s, tasks_set, run);
    if (reason)
        SL__SET(&s, tasks_set, reason);
    if (units) {
        slp_buf_clear(&sl->list);
        for (uint32_t i = 0; i < n; i++)
            slp_pack_u64(&sl->list, units[i]);
        if (sl->list.failed)
            return sl__fail(sl, SL_NO_MEMORY, "", NULL);
        s.units = (struct slp_list){ sl->list.p, (uint32_t)sl->list.n, n };
        SL__SET(&s, tasks_set, units);
    }
    struct slp_msg m;
    rc = sl__request(sl, SLP_TASKS_SET, &s, SLP_DONE, &m);
    if (rc == SL_OK && count)
        *count = m.u.done.count;
    return rc;
}

int sl_requeue(struct sl *sl, uint64_t station_id, const char *run, const uint64_t *units, uint32_t n,
               const char *reason, uint64_t *count)
{
    return tasks_set(sl, 0, station_id, run, units, n, reason, count);
}

int sl_drop(struct sl *sl, uint64_t station_id, const char *run, const uint64_t *units, uint32_t n, const char *reason,
            uint64_t *count)
{
    return tasks_set(sl, 1, station_id, run, units, n, reason, count);
}

struct hubs_walk {
    struct slp_hubs_get get;
    sl_hub_fn *fn;
    void *arg;
};

static int on_hub(void *arg, struct slp_cursor *c)
{
    struct hubs_walk *w = arg;
    struct slp_item_hub_row in;
    slp_next_hub_row(c, &in);
    struct sl_hub_row row = { .hub = in.hub,
                              .workers = in.workers,
                              .signed_in = in.signed_in,
                              .holding = in.holding,
                              .connected = in.connected,
                              .seen_wall_us = in.seen_wall_us };
    sl__copy(row.name, sizeof row.name, in.name);
    sl__copy(row.zone, sizeof row.zone, in.zone);
    w->get.after = row.hub;
    SL__SET(&w->get, hubs_get, after);
    return w->fn(w->arg, &row);
}

int sl_hubs(struct sl *sl, sl_hub_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct hubs_walk w = { .fn = fn, .arg = arg };
    return sl__list(sl, &(struct sl__listing){ SLP_HUBS_GET, SLP_HUBS, &w.get, SL__PAGE(hubs), on_hub, &w });
}

struct workers_walk {
    struct slp_workers_get get;
    sl_worker_fn *fn;
    void *arg;
};

static int on_worker(void *arg, struct slp_cursor *c)
{
    struct workers_walk *w = arg;
    struct slp_item_worker_row in;
    slp_next_worker_row(c, &in);
    struct sl_worker_row row = { .worker = in.worker,
                                 .kind = in.kind,
                                 .holding = in.holding,
                                 .credit = in.credit,
                                 .done = in.done,
                                 .signed_in = in.signed_in };
    sl__copy(row.name, sizeof row.name, in.name);
    sl__copy(row.hub, sizeof row.hub, in.hub);
    row.skills =
        (struct sl_value){ .type = SL_T_ARRAY, .n = in.skills.count, .p = in.skills.p, .bytes = in.skills.bytes };
    sl__copy(row.shift, sizeof row.shift, in.shift);
    sl__copy(row.shift_zone, sizeof row.shift_zone, in.zone);
    row.on_shift = in.on_shift || !SLP_IS(&in, item_worker_row, on_shift); /* a broker without shifts */
    row.change_wall_us = in.change_wall_us;
    row.capacity = in.capacity;
    row.per_day = in.per_day;
    row.today = in.today;
    sl__copy(row.team, sizeof row.team, in.team);
    w->get.after = row.worker;
    SL__SET(&w->get, workers_get, after);
    return w->fn(w->arg, &row);
}

int sl_workers(struct sl *sl, const char *hub, const char *name, sl_worker_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && hub)
        rc = sl__name_ok(sl, hub, "hub");
    if (rc == SL_OK && name)
        rc = sl__name_ok(sl, name, "name");
    if (rc != SL_OK)
        return rc;
    struct workers_walk w = { .get = { .hub = sl__bytes(hub), .name = sl__bytes(name) }, .fn = fn, .arg = arg };
    if (hub)
        SL__SET(&w.get, workers_get, hub);
    if (name)
        SL__SET(&w.get, workers_get, name);
    return sl__list(sl,
                    &(struct sl__listing){ SLP_WORKERS_GET, SLP_WORKERS, &w.get, SL__PAGE(workers), on_worker, &w });
}

struct shifts_walk {
    struct slp_shifts_get get;
    sl_shift_fn *fn;
    void *arg;
};

static int on_shift(void *arg, struct slp_cursor *c)
{
    struct shifts_walk *w = arg;
    struct slp_item_shift_row in;
    slp_next_shift_row(c, &in);
    struct sl_shift_row row = { .shift = in.shift,
                                .workers = in.workers,
                                .overtime_us = in.overtime_us,
                                .on = in.on,
                                .until_wall_us = in.until_wall_us };
    sl__copy(row.hub, sizeof row.hub, in.hub);
    sl__copy(row.name, sizeof row.name, in.name);
    sl__copy(row.zone, sizeof row.zone, in.zone);
    sl__copy(row.pattern, sizeof row.pattern, in.text);
    row.times = (struct sl_value){ .type = SL_T_ARRAY, .n = in.times.count, .p = in.times.p, .bytes = in.times.bytes };
    w->get.after = row.shift;
    SL__SET(&w->get, shifts_get, after);
    return w->fn(w->arg, &row);
}

int sl_shifts(struct sl *sl, const char *hub, sl_shift_fn *fn, void *arg)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK && hub)
        rc = sl__name_ok(sl, hub, "hub");
    if (rc != SL_OK)
        return rc;
    struct shifts_walk w = { .get = { .hub = sl__bytes(hub) }, .fn = fn, .arg = arg };
    if (hub)
        SL__SET(&w.get, shifts_get, hub);
    return sl__list(
        sl, &(struct sl__listing){ SLP_SHIFTS_GET, SLP_SHIFT_ROWS, &w.get, SL__PAGE(shift_rows), on_shift, &w });
}

int sl_worker_why(struct sl *sl, const char *worker, uint64_t *code, char *text, size_t size)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, worker, "worker");
    if (rc != SL_OK)
        return rc;
    struct slp_msg m;
    rc = sl__request(sl, SLP_WORKER_WHY_GET, &(struct slp_worker_why_get){ .name = sl__bytes(worker) }, SLP_WHY, &m);
    if (rc == SL_OK) {
        *code = m.u.why.code;
        sl__copy(text, size, m.u.why.text);
    }
    return rc;
}

int sl_repute(struct sl *sl, const char *worker, struct sl_value *story)
{
    int rc = sl__enter(sl);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, worker, "worker");
    if (rc != SL_OK)
        return rc;
    struct slp_msg m;
    rc = sl__request(sl, SLP_REPUTE_GET, &(struct slp_repute_get){ .name = sl__bytes(worker) }, SLP_REPUTE, &m);
    if (rc == SL_OK && (!sl__value(m.u.repute.story, story) || story->type != SL_T_MAP))
        rc = sl__fail(sl, SL_BAD_REPLY, "repute.story", NULL);
    return rc;
}

int sl_worker_set(struct sl *sl, const struct sl_worker_change *c, uint64_t *count)
{
    bool skill = c->action >= SL_WORKER_GRANT;
    int rc = sl__enter(sl);
    if (rc == SL_OK && (unsigned)c->action > SL_WORKER_REVOKE)
        rc = sl__fail(sl, SL_MISUSE, "action", NULL);
    if (rc == SL_OK)
        rc = sl__name_ok(sl, c->worker, "worker");
    if (rc == SL_OK)
        rc = skill ? sl__name_ok(sl, c->skill, "skill") : sl__name_ok(sl, c->line, "line");
    if (rc == SL_OK && !skill)
        rc = sl__name_ok(sl, c->station, "station");
    if (rc == SL_OK && c->level > SL_SKILL_LEVEL_MAX)
        rc = sl__fail(sl, SL_BAD_VALUE, "level", NULL);
    if (rc == SL_OK && c->reason)
        rc = sl__text_ok(sl, c->reason, "reason");
    if (rc != SL_OK)
        return rc;
    struct slp_worker_set s = { .name = sl__bytes(c->worker), .action = c->action };
    if (skill) {
        s.skill = sl__bytes(c->skill);
        SL__SET(&s, worker_set, skill);
    } else {
        s.line = sl__bytes(c->line);
        s.station = sl__bytes(c->station);
        SL__SET(&s, worker_set, line);
        SL__SET(&s, worker_set, station);
    }
    if (c->action == SL_WORKER_GRANT) {
        s.level = c->level;
        SL__SET(&s, worker_set, level);
    }
    if (c->until_wall_us) {
        s.until_wall_us = c->until_wall_us;
        SL__SET(&s, worker_set, until_wall_us);
    }
    if (c->reason) {
        s.reason = sl__bytes(c->reason);
        SL__SET(&s, worker_set, reason);
    }
    struct slp_msg m;
    rc = sl__request(sl, SLP_WORKER_SET, &s, SLP_DONE, &m);
    if (rc == SL_OK && count)
        *count = m.u.done.count;
    return rc;
}

int sl_stats(struct sl *sl, struct sl_value *figures)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct slp_msg m;
    rc = sl__request(sl, SLP_STATS_GET, &(struct slp_stats_get){ .has = 0 }, SLP_STATS, &m);
    if (rc == SL_OK && (!sl__value(m.u.stats.figures, figures) || figures->type != SL_T_MAP))
        rc = sl__fail(sl, SL_BAD_REPLY, "stats.figures", NULL);
    return rc;
}

int sl_backup(struct sl *sl, const char *path, int64_t timeout_ms)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (!path || path[0] != '/' || timeout_ms < 0)
        return sl__fail(sl, SL_MISUSE, "path", "an absolute path is required");
    rc = sl__text_ok(sl, path, "path");
    if (rc != SL_OK)
        return rc;
    return sl__request_with(sl, SLP_BACKUP, &(struct slp_backup){ .path = sl__bytes(path) }, SLP_DONE, NULL,
                            timeout_ms ? timeout_ms : INT64_MAX, false);
}
