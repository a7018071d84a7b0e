/* Runs: a set of units going through one version of a line, and the queues of its stations. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define PRIORITY_DEFAULT 5

struct run *run_named(struct engine *e, struct slp_bytes n)
{
    uint32_t id = name_find(e, NAME_RUN, n.p, n.n);
    return id ? e->run[id - 1] : NULL;
}

void run_dirty(struct engine *e, struct run *r)
{
    if (r->dirty)
        return;
    struct run **v = grow(e, e->dirty_run, &e->dirty_run_cap, e->dirty_runs + 1, sizeof *v);
    if (!v)
        return;
    e->dirty_run = v;
    e->dirty_run[e->dirty_runs++] = r;
    r->dirty = true;
}

void rq_dirty(struct engine *e, struct rq *q)
{
    if (q->dirty)
        return;
    struct rq **v = grow(e, e->dirty_rq, &e->dirty_rq_cap, e->dirty_rqs + 1, sizeof *v);
    if (!v)
        return;
    e->dirty_rq = v;
    e->dirty_rq[e->dirty_rqs++] = q;
    q->dirty = true;
}

/* ---- records ---- */

static void run_key(uint8_t *k, const struct run *r, uint32_t part)
{
    uint8_t *q = key_u32(k, r->id);
    q[0] = (uint8_t)(part >> 8);
    q[1] = (uint8_t)part;
}

static void run_write(struct engine *e, struct run *r)
{
    uint8_t k[6], b[512];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_str(&rc, r->name.s, r->name.n);
    rec_u32(&rc, r->line->id);
    rec_u32(&rc, r->version);
    rec_u8(&rc, r->state);
    rec_u8(&rc, r->paused);
    rec_u8(&rc, r->priority);
    rec_str(&rc, r->fingerprint, r->fingerprint_n);
    rec_u64(&rc, r->units);
    rec_u64(&rc, r->done);
    rec_u64(&rc, r->dropped);
    rec_u64(&rc, r->cancelled);
    rec_u64(&rc, r->dead);
    rec_u64(&rc, r->quota);
    rec_u64(&rc, r->vtime);
    rec_i64(&rc, r->created_wall_us);
    rec_i64(&rc, r->changed_wall_us);
    rec_u64(&rc, r->last_event);
    rec_i64(&rc, r->hour);
    rec_u64(&rc, r->hour_units);
    rec_u64(&rc, r->keys_from);
    rec_u32(&rc, r->producers);
    rec_u64(&rc, r->numbered);
    assert(!rc.bad);
    run_key(k, r, 0);
    e_put(e, TABLE_RUN, k, sizeof k, b, rc.n);
    r->dirty = false;
}

static void rq_write(struct engine *e, struct rq *q)
{
    uint8_t k[6], b[160];
    struct rec rc = { b, 0, sizeof b, 0 };
    for (int i = 0; i < TASK_STATES; i++)
        rec_u64(&rc, q->c.n[i]);
    for (enum lane l = 0; l < LANES; l++) {
        rec_u64(&rc, q->lane[l].next_pos);
        rec_u64(&rc, q->lane[l].count);
    }
    rec_u64(&rc, q->results);
    rec_u64(&rc, q->nobody);
    rec_u64(&rc, q->declines);
    assert(!rc.bad);
    run_key(k, q->run, q->st->idx + 1u);
    e_put(e, TABLE_RUN, k, sizeof k, b, rc.n);
    queue_write_heads(e, q);
    q->dirty = false;
}

void runs_write(struct engine *e)
{
    for (uint32_t i = 0; i < e->dirty_rqs; i++)
        if (e->dirty_rq[i])
            rq_write(e, e->dirty_rq[i]);
    for (uint32_t i = 0; i < e->dirty_runs; i++)
        if (e->dirty_run[i])
            run_write(e, e->dirty_run[i]);
    e->dirty_rqs = e->dirty_runs = 0;
}

static struct run *run_new(struct engine *e, struct line *l, uint32_t version)
{
    struct run *r = calloc(1, sizeof *r);
    struct line_version *v = &l->version[version - 1];
    if (r) {
        r->rq = calloc(v->def->station_count, sizeof *r->rq);
        r->by_rank = malloc(v->def->station_count);
    }
    if (!r || !r->rq || !r->by_rank) {
        if (r) {
            free(r->rq);
            free(r->by_rank);
        }
        free(r);
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    r->line = l;
    r->version = version;
    r->lv = v->def;
    r->shift = state_shift(v->def->station_count);
    for (uint32_t i = 0; i < v->def->station_count; i++) {
        r->rq[i].run = r;
        r->rq[i].st = e->station[v->first_station - 1 + i];
        r->by_rank[r->rq[i].st->rank] = (uint8_t)i;
    }
    return r;
}

static void run_free(struct run *r)
{
    for (uint32_t i = 0; i < r->lv->station_count; i++)
        queue_free(&r->rq[i]);
    free(r->rq);
    free(r->by_rank);
    free(r->gates);
    free(r);
}

static void head_load(struct engine *e, uint32_t id, struct rdr *rd)
{
    size_t n, fn;
    const char *name = rdr_str(rd, &n);
    uint32_t line = rdr_u32(rd), version = rdr_u32(rd);
    if (rd->bad || n > SL_NAME_BYTES_MAX || !line || line > e->meta.line || !version ||
        version > e->line[line - 1]->newest) {
        fail(e, STORE_CORRUPT);
        return;
    }
    struct run *r = run_new(e, e->line[line - 1], version);
    if (!r)
        return;
    r->id = id;
    name_set(&r->name, name, n);
    r->state = rdr_u8(rd);
    r->paused = rdr_u8(rd);
    r->priority = rdr_u8(rd);
    const char *f = rdr_str(rd, &fn);
    if (fn > sizeof r->fingerprint || r->priority > SL_PRIORITY_MAX)
        rd->bad = 1;
    else if (fn)
        memcpy(r->fingerprint, f, r->fingerprint_n = (uint8_t)fn);
    r->units = rdr_u64(rd);
    r->done = rdr_u64(rd);
    r->dropped = rdr_u64(rd);
    r->cancelled = rdr_u64(rd);
    r->dead = rdr_u64(rd);
    r->quota = rdr_u64(rd);
    r->vtime = rdr_u64(rd);
    r->created_wall_us = rdr_i64(rd);
    r->changed_wall_us = rdr_i64(rd);
    r->last_event = rdr_u64(rd);
    if (rd->p < rd->end) { /* since 0.2 */
        r->hour = rdr_i64(rd);
        r->hour_units = rdr_u64(rd);
        r->keys_from = rdr_u64(rd);
        r->producers = rdr_u32(rd);
        r->numbered = rdr_u64(rd);
    } else {
        r->keys_from = r->units + 1;
        r->producers = PRODUCERS_UNKNOWN;
    }
    e->run[id - 1] = r;
    r->line->runs_open += r->state <= RUN_CLOSED;
    if (rd->bad || (r->state != RUN_DELETING && name_find(e, NAME_RUN, name, n) != id))
        fail(e, STORE_CORRUPT);
}

static void queue_load(struct engine *e, uint32_t id, uint32_t part, struct rdr *rd)
{
    struct run *r = e->run[id - 1];
    if (!r || part > r->lv->station_count) {
        fail(e, STORE_CORRUPT);
        return;
    }
    struct rq *q = &r->rq[part - 1];
    for (int i = 0; i < TASK_STATES; i++) {
        q->c.n[i] = rdr_u64(rd);
        q->st->c.n[i] += q->c.n[i];
    }
    for (enum lane l = 0; l < LANES; l++) {
        q->lane[l].next_pos = rdr_u64(rd);
        q->lane[l].count = rdr_u64(rd);
    }
    if (rd->p < rd->end) { /* since 0.2 */
        q->st->results += q->results = rdr_u64(rd);
        q->st->nobody += q->nobody = rdr_u64(rd);
        q->st->declined += q->declines = rdr_u64(rd);
    }
    if (rd->bad)
        fail(e, STORE_CORRUPT);
}

void runs_load(struct engine *e)
{
    struct store_cursor c;
    if (!e->meta.run)
        return;
    struct run **v = grow(e, e->run, &e->run_cap, e->meta.run, sizeof *v);
    if (!v)
        return;
    e->run = v;
    memset(e->run, 0, e->run_cap * sizeof *v);
    enum store_rc rc = store_cursor_open(e->t, TABLE_RUN, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        const uint8_t *k = c.key.p;
        uint32_t id = number_of_key(e, &c, 6, e->meta.run);
        if (!id)
            break;
        uint32_t part = (uint32_t)k[4] << 8 | k[5];
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        if (part == 0)
            head_load(e, id, &rd);
        else
            queue_load(e, id, part, &rd);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void runs_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->run_cap; i++)
        if (e->run[i])
            run_free(e->run[i]);
    free(e->run);
}

void run_drop(struct engine *e, struct run *r)
{
    match_forget_run(e, r);
    arrivals_forget(e, r);
    for (uint32_t i = 0; i < r->lv->station_count; i++)
        skips_run_free(e, &r->rq[i]);
    groups_forget(e, r);
    assigns_drop_run(e, r);
    for (uint32_t i = 0; i < e->dirty_rqs; i++)
        if (e->dirty_rq[i] && e->dirty_rq[i]->run == r)
            e->dirty_rq[i] = NULL;
    for (uint32_t i = 0; i < e->dirty_runs; i++)
        if (e->dirty_run[i] == r)
            e->dirty_run[i] = NULL;
    for (uint32_t i = 0; i <= r->lv->station_count; i++) {
        uint8_t k[6];
        run_key(k, r, i);
        e_del(e, TABLE_RUN, k, sizeof k);
        if (i == 0)
            continue;
        struct rq *q = &r->rq[i - 1];
        for (int s = 0; s < TASK_STATES; s++)
            q->st->c.n[s] -= q->c.n[s];
        q->st->results -= q->results;
        q->st->nobody -= q->nobody;
        q->st->declined -= q->declines;
    }
    e->run[r->id - 1] = NULL;
    run_free(r);
}

/* ---- changes of state ---- */

void run_event(struct engine *e, struct run *r)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 4);
    slp_pack_cstr(&e->b3, "run");
    slp_pack_u64(&e->b3, r->id);
    slp_pack_cstr(&e->b3, "state");
    slp_pack_u64(&e->b3, r->state);
    slp_pack_cstr(&e->b3, "paused");
    slp_pack_bool(&e->b3, r->paused);
    slp_pack_cstr(&e->b3, "priority");
    slp_pack_u64(&e->b3, r->priority);
    ev_emit(e, EV_RUN_STATE, r->line, r, NULL, &e->b3);
}

void run_check_done(struct engine *e, struct run *r)
{
    if (r->state != RUN_CLOSED || r->done + r->dropped != r->units)
        return;
    r->state = RUN_DONE;
    r->line->runs_open--;
    run_dirty(e, r);
    run_event(e, r);
}

void run_activate(struct engine *e, struct run *r)
{
    if (r->state <= RUN_CLOSED && !r->paused)
        for (uint32_t i = 0; i < r->lv->station_count; i++)
            match_rq_ready(e, &r->rq[i]); /* what must not be offered is dropped when it is looked at */
}

void run_recall(struct engine *e, struct run *r)
{
    match_closed(e, r);
    sweep_start(e, SWEEP_RECALL_RUN, r->id, 0, "", 0);
}

void run_cancel(struct engine *e, struct run *r)
{
    static const uint8_t unfinished[] = {
        TASK_BLOCKED, TASK_WAITING, TASK_READY, TASK_ASSIGNED, TASK_STARTED, TASK_DEAD
    };
    r->cancelled = r->units - r->done - r->dropped;
    r->dead = 0;
    r->state = RUN_CANCELLED;
    r->line->runs_open--;
    r->changed_wall_us = e->wall_us;
    for (uint32_t i = 0; i < r->lv->station_count; i++) {
        struct rq *q = &r->rq[i];
        for (size_t k = 0; k < sizeof unfinished; k++) {
            uint64_t n = q->c.n[unfinished[k]];
            q->c.n[unfinished[k]] = 0;
            q->c.n[TASK_ENDED] += n;
            q->st->c.n[unfinished[k]] -= n;
            q->st->c.n[TASK_ENDED] += n;
        }
        q->st->nobody -= q->nobody;
        q->st->declined -= q->declines;
        q->nobody = q->declines = 0;
        rq_dirty(e, q);
    }
    run_dirty(e, r);
    run_event(e, r);
    sweep_start(e, SWEEP_RECALL_RUN, r->id, 0, "", 0);
    sweep_start(e, SWEEP_CANCEL, r->id, 0, "", 0);
}

/* ---- commands ---- */

static void started(struct engine *e, struct run *r, bool existing)
{
    slp_buf_clear(&e->b1);
    for (uint32_t i = 0; i < r->lv->input_count; i++)
        slp_pack_str(&e->b1, r->lv->inputs[i].name.p, r->lv->inputs[i].name.n);
    struct slp_run_started a = { .run_id = r->id,
                                 .version = r->version,
                                 .existing = existing,
                                 .columns = { e->b1.p, (uint32_t)e->b1.n, r->lv->input_count } };
    reply(e, SLP_RUN_STARTED, &a);
}

static void announce_start(struct engine *e, struct run *r)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 7);
    slp_pack_cstr(&e->b3, "run");
    slp_pack_u64(&e->b3, r->id);
    slp_pack_cstr(&e->b3, "name");
    slp_pack_cstr(&e->b3, r->name.s);
    slp_pack_cstr(&e->b3, "line");
    slp_pack_cstr(&e->b3, r->line->name.s);
    slp_pack_cstr(&e->b3, "line_id");
    slp_pack_u64(&e->b3, r->line->id);
    slp_pack_cstr(&e->b3, "version");
    slp_pack_u64(&e->b3, r->version);
    slp_pack_cstr(&e->b3, "priority");
    slp_pack_u64(&e->b3, r->priority);
    slp_pack_cstr(&e->b3, "quota");
    slp_pack_u64(&e->b3, r->quota);
    ev_emit(e, EV_RUN_STARTED, r->line, r, NULL, &e->b3);
}

void on_run_start(struct engine *e, const struct slp_msg *m)
{
    const struct slp_run_start *q = &m->u.run_start;
    struct line *l = line_named(e, q->line);
    struct run *r = run_named(e, q->name);
    if (!l) {
        reply_error(e, SLP_E_NOT_FOUND, "line", "there is no line %.*s", (int)q->line.n, q->line.p);
        return;
    }
    if (r) {
        bool same = r->line == l && r->fingerprint_n == q->fingerprint.n &&
                    !memcmp(r->fingerprint, q->fingerprint.p ? q->fingerprint.p : "", q->fingerprint.n);
        if (!same && r->line == l)
            note_key_reuse(e, r, (struct slp_bytes){ 0 }, "name");
        if (same)
            started(e, r, true);
        else
            reply_error(e, r->line == l ? SLP_E_KEY_REUSED : SLP_E_EXISTS, "name", "run %s is there already, %s",
                        r->name.s, r->line == l ? "made from another input" : "of another line");
        return;
    }
    uint32_t version = q->version ? (uint32_t)q->version : l->newest;
    if (q->version > l->newest) {
        reply_error(e, SLP_E_NOT_FOUND, "version", "line %s has versions 1 to %u", l->name.s, l->newest);
        return;
    }
    struct run **v = grow(e, e->run, &e->run_cap, e->meta.run + 1, sizeof *v);
    if (!v)
        return;
    e->run = v;
    if (!(r = run_new(e, l, version)))
        return;
    r->id = ++e->meta.run;
    e->run[r->id - 1] = r;
    name_set(&r->name, q->name.p, q->name.n);
    name_put(e, NAME_RUN, q->name.p, q->name.n, r->id);
    r->priority = SLP_IS(q, run_start, priority) ? (uint8_t)q->priority : PRIORITY_DEFAULT;
    r->fingerprint_n = (uint8_t)q->fingerprint.n;
    if (q->fingerprint.n)
        memcpy(r->fingerprint, q->fingerprint.p, q->fingerprint.n);
    r->quota = SLP_IS(q, run_start, quota_units) && q->quota_units ? q->quota_units : e->cfg.queue_tasks_max;
    r->created_wall_us = r->changed_wall_us = e->wall_us;
    r->keys_from = 1;
    l->runs_open++;
    for (uint32_t i = 0; i < r->lv->station_count; i++)
        rq_dirty(e, &r->rq[i]);
    run_dirty(e, r);
    announce_start(e, r);
    started(e, r, false);
}

enum { SET_CLOSE, SET_PAUSE, SET_RESUME, SET_CANCEL, SET_DELETE, SET_PRIORITY };

static bool over(const struct run *r)
{
    return r->state > RUN_CLOSED;
}

void on_run_set(struct engine *e, const struct slp_msg *m)
{
    const struct slp_run_set *q = &m->u.run_set;
    struct run *r = run_named(e, q->run);
    if (!r) {
        reply_error(e, SLP_E_NOT_FOUND, "run", "there is no run %.*s", (int)q->run.n, q->run.p);
        return;
    }
    if (over(r) && q->action != SET_DELETE && !(q->action == SET_CLOSE && r->state == RUN_DONE) &&
        !(q->action == SET_CANCEL && r->state == RUN_CANCELLED)) {
        reply_error(e, SLP_E_BAD_STATE, "run", "run %s is over", r->name.s);
        return;
    }
    uint64_t changed = 1;
    switch (q->action) {
    case SET_CLOSE:
        changed = r->state == RUN_OPEN;
        if (changed) {
            r->state = RUN_CLOSED;
            run_event(e, r);
            run_check_done(e, r);
        }
        break;
    case SET_PAUSE:
        changed = !r->paused;
        if (changed) {
            r->paused = true;
            run_event(e, r);
            run_recall(e, r);
        }
        break;
    case SET_RESUME:
        changed = r->paused;
        if (changed) {
            r->paused = false;
            run_event(e, r);
            run_activate(e, r);
        }
        break;
    case SET_CANCEL:
        changed = r->state <= RUN_CLOSED;
        if (changed)
            run_cancel(e, r);
        break;
    case SET_DELETE:
        if (!over(r) && !q->force) {
            reply_error(e, SLP_E_IN_USE, "run", "run %s is not over: cancel it first, or use force", r->name.s);
            return;
        }
        if (!over(r))
            run_cancel(e, r);
        r->state = RUN_DELETING;
        name_drop(e, NAME_RUN, r->name.s, r->name.n);
        run_event(e, r);
        sweep_start(e, SWEEP_DELETE, r->id, 0, "", 0);
        break;
    case SET_PRIORITY:
        if (!SLP_IS(q, run_set, priority)) {
            reply_error(e, SLP_E_MISSING_FIELD, "priority", "which priority?");
            return;
        }
        changed = r->priority != q->priority;
        if (changed) {
            match_priority(e, r, (uint8_t)q->priority);
            run_event(e, r);
        }
        break;
    }
    if (changed)
        run_dirty(e, r);
    reply_done(e, changed);
}

static void run_row(const struct run *r, struct slp_item_run_row *row)
{
    *row = (struct slp_item_run_row){ .run_id = r->id,
                                      .name = name_bytes(&r->name),
                                      .line = name_bytes(&r->line->name),
                                      .version = r->version,
                                      .state = r->state,
                                      .paused = r->paused,
                                      .priority = r->priority,
                                      .units = r->units,
                                      .done = r->done,
                                      .dropped = r->dropped,
                                      .cancelled = r->cancelled,
                                      .dead = r->dead,
                                      .created_wall_us = r->created_wall_us,
                                      .changed_wall_us = r->changed_wall_us };
}

void on_runs_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_runs_get *q = &m->u.runs_get;
    struct slp_runs a = { 0 };
    uint32_t n = 0;
    slp_buf_clear(&e->b1);
    for (uint64_t id = q->after; id++ < e->meta.run;) {
        const struct run *r = e->run[id - 1];
        if (!r || r->state == RUN_DELETING ||
            (SLP_IS(q, runs_get, line) &&
             (r->line->name.n != q->line.n || memcmp(r->line->name.s, q->line.p, q->line.n))))
            continue;
        if (page_over(e, n)) {
            a.more = true;
            break;
        }
        struct slp_item_run_row row;
        run_row(r, &row);
        slp_pack_item(&e->b1, SLP_ITEM_run_row, &row);
        n++;
    }
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, n };
    reply(e, SLP_RUNS, &a);
}

void on_run_get(struct engine *e, const struct slp_msg *m)
{
    struct run *r = run_named(e, m->u.run_get.run);
    if (!r) {
        reply_error(e, SLP_E_NOT_FOUND, "run", "there is no run %.*s", (int)m->u.run_get.run.n, m->u.run_get.run.p);
        return;
    }
    struct slp_item_run_row row;
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->b2);
    run_row(r, &row);
    slp_pack_item(&e->b1, SLP_ITEM_run_row, &row);
    for (uint32_t i = 0; i < r->lv->station_count; i++) {
        struct slp_item_station_row s;
        station_row(r->rq[i].st, &r->rq[i].c, &s);
        slp_pack_item(&e->b2, SLP_ITEM_station_row, &s);
    }
    struct slp_run_info a = { .run = { e->b1.p, (uint32_t)e->b1.n, 1 },
                              .stations = { e->b2.p, (uint32_t)e->b2.n, r->lv->station_count } };
    reply(e, SLP_RUN_INFO, &a);
}
