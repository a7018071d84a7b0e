/* The engine's frame: open, batch, step, and the small tools that all its files use. What a message does is in the file of its family;
 * the table below is the only place that knows which. */
#include <stdarg.h>
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/skills.h"
#include "broker/engine/standing.h"
#include "proto/utf8.h"

/* ---- tools ---- */

void fail(struct engine *e, enum store_rc rc)
{
    if (e->rc == STORE_OK)
        e->rc = rc;
}

void walked(struct engine *e, enum store_rc rc)
{
    if (rc != STORE_NOT_FOUND)
        fail(e, rc);
}

uint32_t number_of_key(struct engine *e, const struct store_cursor *c, size_t key_n, uint32_t newest)
{
    uint32_t id = c->key.n == key_n ? key_get_u32(c->key.p) : 0;
    if (id && id <= newest)
        return id;
    fail(e, STORE_CORRUPT);
    return 0;
}

void *grow(struct engine *e, void *p, uint32_t *cap, uint32_t need, size_t size)
{
    if (need <= *cap)
        return p;
    uint64_t cap2 = *cap ? *cap : 16;
    while (cap2 < need)
        cap2 *= 2;
    void *q = cap2 > UINT32_MAX ? NULL : realloc(p, cap2 * size);
    if (!q) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    memset((char *)q + (size_t)*cap * size, 0, (cap2 - *cap) * size);
    *cap = (uint32_t)cap2;
    return q;
}

bool e_get(struct engine *e, enum store_table tb, const void *k, size_t kn, struct store_val *v)
{
    enum store_rc rc = store_get(e->t, tb, k, kn, v);
    walked(e, rc);
    return rc == STORE_OK;
}

static void wrote(struct engine *e, enum store_rc rc)
{
    payload_forget(e); /* values borrowed from the map end with the next write */
    if (rc != STORE_OK)
        fail(e, rc);
}

/* A write that failed spoils the transaction, and only an abort may follow: after any failure nothing more is written. */
void e_put(struct engine *e, enum store_table tb, const void *k, size_t kn, const void *v, size_t n)
{
    if (!e->rc)
        wrote(e, store_put(e->t, tb, k, kn, v, n));
}

void e_append(struct engine *e, enum store_table tb, const void *k, size_t kn, const void *v, size_t n)
{
    if (!e->rc)
        wrote(e, store_append(e->t, tb, k, kn, v, n));
}

void e_del(struct engine *e, enum store_table tb, const void *k, size_t kn)
{
    enum store_rc rc = e->rc ? STORE_OK : store_del(e->t, tb, k, kn);
    wrote(e, rc == STORE_NOT_FOUND ? STORE_OK : rc);
}

void name_set(struct name *n, const void *p, size_t len)
{
    assert(len <= SL_NAME_BYTES_MAX);
    if (len)
        memcpy(n->s, p, len);
    n->s[len] = 0;
    n->n = (uint8_t)len;
}

/* ---- ranges ---- */

bool ranges_add(struct engine *e, struct ranges *r, uint64_t first, uint64_t count)
{
    if (r->n && r->v[r->n - 1].first + r->v[r->n - 1].count == first) {
        r->v[r->n - 1].count += count;
    } else {
        struct range *v = grow(e, r->v, &r->cap, r->n + 1, sizeof *v);
        if (!v)
            return false;
        r->v = v;
        r->v[r->n++] = (struct range){ first, count };
    }
    r->total += count;
    return true;
}

void ranges_clear(struct ranges *r)
{
    r->n = 0;
    r->total = 0;
}

void ranges_free(struct ranges *r)
{
    free(r->v);
    *r = (struct ranges){ 0 };
}

void ranges_write(struct rec *rc, const struct ranges *r, uint32_t from, uint32_t n)
{
    uint64_t at = 0;
    rec_u16(rc, (uint16_t)n);
    for (uint32_t i = from; i < from + n; i++) {
        rec_zigzag(rc, (int64_t)(r->v[i].first - at));
        rec_varint(rc, r->v[i].count);
        at = r->v[i].first + r->v[i].count;
    }
}

bool ranges_read(struct engine *e, struct rdr *rd, struct ranges *r)
{
    uint64_t at = 0;
    uint16_t n = rdr_u16(rd);
    ranges_clear(r);
    for (uint16_t i = 0; i < n && !rd->bad; i++) {
        uint64_t first = at + (uint64_t)rdr_zigzag(rd), count = rdr_varint(rd);
        if (!ranges_add(e, r, first, count))
            return false;
        at = first + count;
    }
    return !rd->bad;
}

/* ---- effects ---- */

void effects_clear(struct effects *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->v[i].block)
            blocks_give(x->v[i].block);
    x->n = 0;
    slp_buf_clear(&x->bytes);
    x->first_event = x->last_event = 0;
    x->reused.times = 0;
}

void effects_free(struct effects *x)
{
    effects_clear(x);
    free(x->v);
    slp_buf_free(&x->bytes);
    *x = (struct effects){ 0 };
}

/* A buffer that could not grow lacks something: what was made of it must not be committed. Looked at before each frame, for which
 * lists were made in them, and at the end of each step: clearing one forgets it. */
static void check_buffers(struct engine *e)
{
    bool failed = e->b1.failed || e->b2.failed || e->b3.failed || e->answer.failed || e->evdata.failed ||
                  e->evbuf.failed || e->rseg.b.failed;
    for (size_t i = 0; i < sizeof e->scratch / sizeof *e->scratch; i++)
        failed = failed || e->scratch[i].failed;
    if (failed)
        fail(e, STORE_NO_MEMORY);
}

/* Room for one more frame, and nothing that it is made of is incomplete. */
static bool may_send(struct engine *e)
{
    struct effects *x = e->out;
    check_buffers(e);
    if (e->rc)
        return false;
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 64;
        struct effect *v = realloc(x->v, cap * sizeof *v);
        if (!v) {
            fail(e, STORE_NO_MEMORY);
            return false;
        }
        x->v = v;
        x->cap = cap;
    }
    return true;
}

void send_frame(struct engine *e, uint64_t peer, uint64_t type, uint64_t id, const void *any)
{
    struct effects *x = e->out;
    if (!may_send(e))
        return;
    size_t off = x->bytes.n;
    if (slp_encode(&x->bytes, type, id, any)) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    x->v[x->n++] = (struct effect){ peer, off, x->bytes.n - off, NULL };
}

void send_shown(struct engine *e, uint64_t peer, uint64_t type, const void *any)
{
    struct effects *x = e->out;
    if (!may_send(e))
        return;
    slp_buf_clear(&e->b3);
    if (slp_encode_open(&e->b3, type, 0, any)) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    size_t n = e->b3.n + show_bytes(e);
    char *block = blocks_take(e->blocks, n);
    if (!block) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    memcpy(block, e->b3.p, e->b3.n);
    show_copy(e, block + e->b3.n);
    x->v[x->n++] = (struct effect){ peer, 0, n, block };
}

void reply(struct engine *e, uint64_t type, const void *any)
{
    send_frame(e, e->in->peer, type, e->in->msg->id, any);
}

void reply_error(struct engine *e, enum slp_code code, const char *place, const char *fmt, ...)
{
    char text[SL_TEXT_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct slp_error m = { .code = code,
                           .retry = slp_error_retry(code),
                           .text = { text, (uint32_t)sl_utf8_cut(text, strlen(text)) } };
    if (m.retry == SLP_RETRY_LATER) {
        m.after_ms = code == SLP_E_QUEUE_FULL ? 100 : 1000; /* a queue drains all the time, a disk does not */
        SLP_SET(&m, error, after_ms);
    }
    if (place) {
        m.place = (struct slp_bytes){ place, (uint32_t)strlen(place) };
        SLP_SET(&m, error, place);
    }
    reply(e, SLP_ERROR, &m);
}

void note_key_reuse(struct engine *e, const struct run *r, struct slp_bytes key, const char *fmt, ...)
{
    struct key_reuse *k = &e->out->reused;
    va_list ap;
    if (k->times++)
        return;
    snprintf(k->run, sizeof k->run, "%s", r->name.s);
    va_start(ap, fmt);
    vsnprintf(k->place, sizeof k->place, fmt, ap);
    va_end(ap);
    k->key_bytes = key.n < sizeof k->key ? key.n : sizeof k->key;
    memcpy(k->key, key.n ? key.p : "", k->key_bytes);
}

void reply_done(struct engine *e, uint64_t count)
{
    struct slp_done m = { .count = count };
    SLP_SET(&m, done, count);
    reply(e, SLP_DONE, &m);
}

/* ---- META ---- */

#define PLACES_MAX (1u << 28) /* numbers of lines, runs and the like are places in arrays: no store comes so far */

static void meta_load(struct engine *e)
{
    struct store_val v;
    if (!e_get(e, TABLE_META, META_KEY, sizeof META_KEY - 1, &v)) {
        e->meta.oldest_event = 1;
        return;
    }
    struct rdr r = rdr_on(v.p, v.n);
    e->meta.line = rdr_u32(&r);
    e->meta.run = rdr_u32(&r);
    e->meta.hub = rdr_u32(&r);
    e->meta.worker = rdr_u32(&r);
    e->meta.station = rdr_u32(&r);
    e->meta.assignment = rdr_u64(&r);
    e->meta.result = rdr_u64(&r);
    e->meta.event = rdr_u64(&r);
    e->meta.delay = rdr_u64(&r);
    e->meta.job = rdr_u64(&r);
    e->meta.oldest_event = rdr_u64(&r);
    e->meta.elapsed_us = rdr_i64(&r);
    e->meta.wall_us = rdr_i64(&r);
    e->keep_wall_us = e->meta.wall_us;
    for (int i = 0; i <= SL_PRIORITY_MAX; i++)
        e->meta.vclock[i] = rdr_u64(&r);
    if (r.p < r.end) /* 0.1.0 knew no shifts */
        e->meta.shift = rdr_u32(&r);
    e->meta.skills_wall_us = r.p < r.end ? rdr_i64(&r) : e->meta.wall_us;
    e->meta.skills_worker = r.p < r.end ? rdr_u32(&r) : UINT32_MAX;
    if (r.p < r.end) { /* a clock was set back, and not all were looked at since */
        e->meta.skills_back = rdr_u32(&r);
        e->meta.skills_was_us = rdr_i64(&r);
        e->meta.skills_was_worker = rdr_u32(&r);
    }
    if (r.bad || e->meta.skills_back > e->meta.worker ||
        ((e->meta.line | e->meta.run | e->meta.hub | e->meta.worker | e->meta.station | e->meta.shift) &
         ~(PLACES_MAX - 1)))
        fail(e, STORE_CORRUPT);
}

static void meta_write(struct engine *e)
{
    uint8_t b[META_BYTES_MAX];
    struct rec r = { b, 0, sizeof b, 0 };
    rec_u32(&r, e->meta.line);
    assert(r.n == META_RUN_AT);
    rec_u32(&r, e->meta.run);
    rec_u32(&r, e->meta.hub);
    rec_u32(&r, e->meta.worker);
    rec_u32(&r, e->meta.station);
    assert(r.n == META_ASSIGNMENT_AT && META_STATION_AT == META_ASSIGNMENT_AT - 4);
    rec_u64(&r, e->meta.assignment);
    rec_u64(&r, e->meta.result);
    assert(r.n == META_EVENT_AT);
    rec_u64(&r, e->meta.event);
    rec_u64(&r, e->meta.delay);
    rec_u64(&r, e->meta.job);
    assert(r.n == META_OLDEST_EVENT_AT);
    rec_u64(&r, e->meta.oldest_event);
    rec_i64(&r, e->meta.elapsed_us);
    assert(r.n == META_WALL_AT);
    rec_i64(&r, e->meta.wall_us);
    for (int i = 0; i <= SL_PRIORITY_MAX; i++)
        rec_u64(&r, e->meta.vclock[i]);
    assert(r.n == META_0_1_0_BYTES);
    rec_u32(&r, e->meta.shift);
    rec_i64(&r, e->meta.skills_wall_us);
    rec_u32(&r, e->meta.skills_worker);
    if (e->meta.skills_back) {
        rec_u32(&r, e->meta.skills_back);
        rec_i64(&r, e->meta.skills_was_us);
        rec_u32(&r, e->meta.skills_was_worker);
    }
    assert(!r.bad);
    e_put(e, TABLE_META, META_KEY, sizeof META_KEY - 1, b, r.n);
}

/* ---- life ---- */

/* Room for all numbers that were given, before anything is loaded: whoever walks up to the last one may, however far a load came. */
static void make_room(struct engine *e)
{
    struct line **line = grow(e, e->line, &e->line_cap, e->meta.line, sizeof *line);
    struct station **station = grow(e, e->station, &e->station_cap, e->meta.station, sizeof *station);
    struct hub **hub = grow(e, e->hub, &e->hub_cap, e->meta.hub, sizeof *hub);
    e->line = line ? line : e->line;
    e->station = station ? station : e->station;
    e->hub = hub ? hub : e->hub;
    workers_room(e, e->meta.worker);
}

/* Numbers are given without holes (runs may be deleted, shifts go): each one up to the last must have been loaded, before anything that refers to it is. */
static void all_there(struct engine *e, const void *array, uint32_t n)
{
    void *const *v = array;
    for (uint32_t i = 0; i < n && !e->rc; i++)
        if (!v[i])
            fail(e, STORE_CORRUPT);
}

struct engine *engine_open(struct store *s, const struct engine_config *c, enum store_rc *rc)
{
    assert(!store_is_copy(s)); /* engine_restore first */
    struct engine *e = calloc(1, sizeof *e);
    if (!e) {
        *rc = STORE_NO_MEMORY;
        return NULL;
    }
    e->store = s;
    if (c)
        e->cfg = *c;
    if (!e->cfg.heartbeat_us)
        e->cfg.heartbeat_us = 5000000;
    if (!e->cfg.grace_us)
        e->cfg.grace_us = 30000000;
    if (!e->cfg.start_by_us)
        e->cfg.start_by_us = 300000000;
    if (!e->cfg.queue_tasks_max)
        e->cfg.queue_tasks_max = SL_QUEUE_TASKS_DEFAULT_MAX;
    if (!e->cfg.event_keep_max)
        e->cfg.event_keep_max = 10000000;
    if (!e->cfg.event_keep_us)
        e->cfg.event_keep_us = 7ll * 24 * 3600 * 1000000;
    e->delay_due_us = INT64_MAX;
    e->booting = true;
    if (!(e->blocks = blocks_new()))
        fail(e, STORE_NO_MEMORY);
    if (!e->rc)
        fail(e, engine_upgrade(s));
    if (!e->rc)
        fail(e, store_begin_read(s, &e->t));
    if (!e->rc && groups_open(e)) {
        meta_load(e);
    }
    if (!e->rc) {
        e->now_us = e->meta.elapsed_us;
        make_room(e);
        lines_load(e);
        all_there(e, e->line, e->meta.line);
        all_there(e, e->station, e->meta.station);
        runs_load(e);
        hubs_load(e);
        all_there(e, e->hub, e->meta.hub);
        paces_load(e);
        shifts_load(e);
        workers_load(e);
        for (uint32_t id = 1; id <= e->meta.worker && !e->rc; id++)
            if (!worker_at(e, id))
                fail(e, STORE_CORRUPT);
        days_load(e);
        assigns_load(e);
        delay_open(e);
        sweeps_load(e);
        arrivals_load(e);
        presence_load(e);
        counted_load(e);
    }
    if (!e->rc)
        guards_count(e);
    store_abort(&e->t);
    *rc = e->rc;
    if (e->rc)
        engine_close(&e);
    return e;
}

void engine_close(struct engine **pe)
{
    struct engine *e = *pe;
    if (!e)
        return;
    assigns_free(e);
    masks_free(e);
    idle_free(e);
    skips_free(e);
    days_free(e);
    hubs_free(e);
    workers_free(e);
    shifts_free(e);
    runs_free(e);
    paces_free(e);
    reputes_free(e);
    arrivals_free(e);
    skills_free(e);
    lines_free(e);
    gates_free(e);
    groups_close(e);
    ev_free(e);
    free(e->unsettled);
    free(e->guard_of_all);
    free(e->pick);
    free(e->picked);
    free(e->parted);
    free(e->pending);
    free(e->dirty_rq);
    free(e->dirty_run);
    free(e->dirty_line);
    free(e->dirty_hub);
    for (size_t i = 0; i < SL_LINE_STATIONS_MAX; i++)
        ranges_free(&e->delayed[i]);
    free(e->sweep);
    slp_buf_free(&e->b1);
    slp_buf_free(&e->b2);
    slp_buf_free(&e->b3);
    slp_buf_free(&e->answer);
    for (size_t i = 0; i < sizeof e->scratch / sizeof *e->scratch; i++)
        slp_buf_free(&e->scratch[i]);
    slp_buf_free(&e->rseg.b);
    free(e->recalled);
    free(e->piece);
    free(e->sort_scratch);
    free(e->keyed);
    blocks_free(&e->blocks);
    free(e);
    *pe = NULL;
}

enum store_rc engine_batch_begin(struct engine *e, struct store_txn *t, struct effects *out)
{
    assert(!e->t);
    e->t = t;
    e->out = out;
    e->batch++;
    effects_clear(out);
    payload_forget(e);
    return e->rc;
}

enum store_rc engine_batch_end(struct engine *e)
{
    ev_write(e);
    groups_write(e);
    assigns_write(e);
    runs_write(e);
    hubs_write(e);
    paces_write(e);
    reputes_write(e);
    days_write(e);
    all_arrivals_write(e);
    lines_write(e);
    meta_write(e);
    counted_write(e);
    if (e->out->bytes.failed)
        fail(e, STORE_NO_MEMORY);
    e->t = NULL;
    e->out = NULL;
    return e->rc;
}

/* ---- the step ---- */

static const struct {
    uint64_t type;
    void (*handle)(struct engine *, const struct slp_msg *);
} handlers[] = {
    { SLP_PUT, on_put },
    { SLP_SUBMIT, on_submit },
    { SLP_ACTS, on_acts },
    { SLP_CREDIT, on_credit },
    { SLP_HEARTBEAT, on_heartbeat },
    { SLP_HELLO, on_hello },
    { SLP_BYE, on_bye },
    { SLP_ROSTER, on_roster },
    { SLP_ROSTER_GET, on_roster_get },
    { SLP_FORM_GET, on_form_get },
    { SLP_WHY_GET, on_why_get },
    { SLP_LINE_APPLY, on_line_apply },
    { SLP_LINES_GET, on_lines_get },
    { SLP_LINE_GET, on_line_get },
    { SLP_LINE_SET, on_line_set },
    { SLP_STATION_SET, on_station_set },
    { SLP_STATIONS_GET, on_stations_get },
    { SLP_RUN_START, on_run_start },
    { SLP_RUN_SET, on_run_set },
    { SLP_RUNS_GET, on_runs_get },
    { SLP_RUN_GET, on_run_get },
    { SLP_PRODUCER_GET, on_producer_get },
    { SLP_TASKS_SET, on_tasks_set },
    { SLP_HUBS_GET, on_hubs_get },
    { SLP_WORKERS_GET, on_workers_get },
    { SLP_STATS_GET, on_stats_get },
    { SLP_SHIFTS, on_shifts },
    { SLP_SHIFTS_GET, on_shifts_get },
    { SLP_WORKER_WHY_GET, on_worker_why_get },
    { SLP_REPUTE_GET, on_repute_get },
    { SLP_WORKER_SET, on_worker_set },
};

static void on_message(struct engine *e, const struct slp_msg *m)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].type == m->type) {
            handlers[i].handle(e, m);
            return;
        }
    reply_error(e, SLP_E_UNKNOWN_MESSAGE, NULL, "the engine has no command %llu", (unsigned long long)m->type);
}

static void on_boot(struct engine *e, const struct input *in)
{
    e->session_seed = in->restart;
    e->shift_hand = 0;
    for (uint32_t i = 0; i < e->meta.worker; i++)
        worker_at(e, i + 1)->class_known = false;
    skips_boot(e);
    presence_boot(e);
    hubs_boot(e);
    if (e->meta.hub)
        e->hub_check_us = e->now_us + 1000000;
    slp_buf_clear(&e->b1);
    slp_pack_map(&e->b1, 1);
    slp_pack_cstr(&e->b1, "elapsed");
    slp_pack_i64(&e->b1, e->now_us);
    ev_emit(e, EV_BROKER_STARTED, NULL, NULL, NULL, &e->b1);
    /* An engine that lives on (replayed, or a copy) begins with what a start finds in the store, too: queues that only memory takes for awake, and clocks,
     * would let runs begin elsewhere. */
    for (uint32_t i = 0; i < e->meta.run; i++)
        if (e->run[i])
            match_forget_run(e, e->run[i]);
    e->booting = true;
    for (uint32_t i = 0; i < e->meta.run; i++)
        if (e->run[i])
            run_activate(e, e->run[i]);
    e->booting = false; /* from here on, a run that wakes up begins at the present */
    nobody_boot(e);
}

enum store_rc engine_step(struct engine *e, const struct input *in)
{
    if (e->rc)
        return e->rc;
    e->in = in;
    e->total.steps++;
    int64_t before_us = e->meta.elapsed_us;
    if (in->elapsed_us > e->meta.elapsed_us) /* never back, whatever the caller's clock does */
        e->meta.elapsed_us = in->elapsed_us;
    e->now_us = e->meta.elapsed_us;
    e->wall_us = e->meta.wall_us = in->wall_us;
    ev_clock(e, e->now_us - before_us);
    stats_second(e);
    shifts_now(e);
    skills_now(e);
    switch (in->kind) {
    case INPUT_BOOT: on_boot(e, in); break;
    case INPUT_MESSAGE: on_message(e, in->msg); break;
    case INPUT_TICK:
        delay_tick(e);
        assign_timers(e);
        hubs_tick(e);
        shifts_tick(e);
        days_tick(e);
        staff_step(e);
        sweeps_step(e);
        arrivals_tick(e);
        presence_tick(e);
        ev_retain(e);
        break;
    case INPUT_PRESSURE:
        e->full = in->full;
        e->full_results = in->full && in->room_bytes < SL_FRAME_BYTES_MAX * 16;
        break;
    }
    standings_settle(e);
    nobody_rosters(e);
    queue_flush_pending(e);
    recalls_flush(e);
    match_run(e);
    ev_flush(e);
    check_buffers(e);
    return e->rc;
}

int64_t engine_elapsed_us(const struct engine *e)
{
    return e->meta.elapsed_us;
}
bool engine_backlog(const struct engine *e)
{
    return e->sweeps || e->heads_counting || e->shifts_settling || days_backlog(e) || skills_backlog(e) ||
           e->bars_anew || e->delay_due_us <= e->now_us || assign_next_due(e) <= e->now_us;
}

int64_t engine_next_due_us(const struct engine *e)
{
    int64_t due = assign_next_due(e);
    if (e->delay_due_us < due)
        due = e->delay_due_us;
    if (e->hub_check_us && e->hub_check_us < due)
        due = e->hub_check_us;
    int64_t shift = shifts_next_due(e), day = days_next_due(e), skill = skills_next_due(e);
    due = shift < due ? shift : due;
    due = skill < due ? skill : due;
    return day < due ? day : due;
}
