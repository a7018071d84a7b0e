/* Mass operations: one record changes at once, the rest is swept in chunks at ticks, between batches of other work. A sweep is durable: it stands in
 * SWEEP until it is over, and a restart goes on with it. Each ends with one SWEPT event. */
#include "broker/engine/internal.h"

#define CHUNK 500       /* rows or assignments in one tick */
#define SWEEPS_A_TICK 8 /* that go on side by side */
#define CHUNK_GROUPS 50 /* state groups of a run that is being deleted */

static void sweep_write(struct engine *e, const struct sweep *s)
{
    uint8_t k[8], b[SL_TEXT_BYTES_MAX + 64];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_u8(&rc, s->what);
    rec_u32(&rc, s->run);
    rec_u32(&rc, s->station);
    rec_u64(&rc, s->cursor);
    rec_u64(&rc, s->count);
    rec_str(&rc, s->reason, s->reason_n);
    rec_u32(&rc, s->at_run);
    rec_u64(&rc, s->at_unit);
    assert(!rc.bad);
    key_u64(k, s->job);
    e_put(e, TABLE_SWEEP, k, sizeof k, b, rc.n);
}

static struct sweep *sweep_add(struct engine *e)
{
    struct sweep *v = grow(e, e->sweep, &e->sweep_cap, e->sweeps + 1, sizeof *v);
    if (!v)
        return NULL;
    e->sweep = v;
    memset(&v[e->sweeps], 0, sizeof *v);
    return &v[e->sweeps++];
}

enum delete_phase {
    PHASE_QUEUES,
    PHASE_LIVE,
    PHASE_CHAINS,
    PHASE_UNIT,
    PHASE_DEDUP,
    PHASE_PRODUCER,
    PHASE_HISTORY,
    PHASE_GOLD,
    PHASES
};

/* Of a deletion `station` is the phase; a recall is of a run or of a station; what comes behind these is at a station. */
static bool of_nothing(const struct engine *e, const struct sweep *s)
{
    if (s->what == SWEEP_DELETE)
        return s->station >= PHASES;
    return s->station > e->meta.station ||
           (s->what > SWEEP_DELETE ? !s->station : s->what <= SWEEP_RECALL_STATION && !s->run && !s->station);
}

void sweeps_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_SWEEP, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct rdr r = rdr_on(c.val.p, c.val.n);
        struct sweep *s = sweep_add(e);
        if (!s)
            break;
        size_t n;
        s->job = key_get_u64(c.key.p);
        s->what = rdr_u8(&r);
        s->run = rdr_u32(&r);
        s->station = rdr_u32(&r);
        s->cursor = rdr_u64(&r);
        s->count = rdr_u64(&r);
        const char *reason = rdr_str(&r, &n);
        s->at_run = r.p < r.end ? rdr_u32(&r) : 0; /* since 0.2 */
        s->at_unit = r.p < r.end ? rdr_u64(&r) : 0;
        if (r.bad || n > sizeof s->reason || s->run > e->meta.run || of_nothing(e, s))
            fail(e, STORE_CORRUPT);
        else if (n)
            memcpy(s->reason, reason, s->reason_n = (uint16_t)n);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void sweep_start(struct engine *e, enum sweep_what what, uint32_t run, uint32_t station, const char *reason, size_t n)
{
    struct sweep *s = sweep_add(e);
    if (!s)
        return;
    s->job = ++e->meta.job;
    s->what = (uint8_t)what;
    s->run = run;
    s->station = station;
    assert(n <= sizeof s->reason); /* an operator's, whose length the codec bounds */
    if (n)
        memcpy(s->reason, reason, n);
    s->reason_n = (uint16_t)n;
    if (what == SWEEP_REQUEUE || what == SWEEP_DROP) /* what is dead now: what dies meanwhile is not meant */
        s->cursor = run ? e->run[run - 1]->rq[e->station[station - 1]->idx].c.n[TASK_DEAD]
                        : e->station[station - 1]->c.n[TASK_DEAD];
    sweep_write(e, s);
}

/* ---- recall what is handed out and not started ---- */

/* Returns how many it recalled of at most `room`. */
static uint32_t recall_of(struct engine *e, struct run *r, const struct station *st, unsigned code, uint32_t room)
{
    uint32_t n = 0;
    for (struct aseg *s = r->asegs; s && n < room; s = s->run_next) {
        if (st && s->st != st)
            continue;
        for (uint32_t i = 0; i < s->n && n < room; i++)
            if (s->e[i].state == ASSIGN_HANDED) {
                task_return(e, s, s->first + i, WHY_RECALLED, "", 0);
                recall(e, s->hub, s->first + i, code);
                n++;
            }
    }
    return n;
}

static bool step_recall(struct engine *e, struct sweep *s)
{
    struct station *st = s->station ? e->station[s->station - 1] : NULL;
    struct run *r = s->run ? e->run[s->run - 1] : NULL;
    uint32_t n = 0, room = portion(e, CHUNK);
    if (s->run) {
        /* Still? A station that is paused for itself has a sweep of its own. */
        bool meant =
            r && (r->paused || r->state == RUN_CANCELLED || r->state == RUN_DELETING || r->line->state != LINE_ACTIVE);
        if (meant)
            n = recall_of(e, r, NULL, r->state > RUN_CLOSED ? 2 : 1, room);
    } else if (!station_open(st)) {
        for (uint32_t i = 0; i < e->meta.run && n < room; i++)
            if (e->run[i] && e->run[i]->lv == st->lv)
                n += recall_of(e, e->run[i], st, 1, room - n);
    }
    s->count += n;
    return n < room;
}

/* ---- rows by prefix ---- */

bool row_from(struct engine *e, enum store_table tb, const uint8_t *key, size_t n, size_t shared, struct row *row)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, tb, &c);
    rc = rc ? rc : store_seek(&c, key, n);
    bool here = rc == STORE_OK && c.key.n >= n && !memcmp(c.key.p, key, shared);
    if (here) {
        memcpy(row->k, c.key.p, row->n = c.key.n);
        row->v = c.val;
    }
    walked(e, rc);
    store_cursor_close(&c);
    return here && !e->rc;
}

/* Delete at most `room` rows of the table whose key begins with the prefix; returns how many. */
static uint32_t delete_prefix(struct engine *e, enum store_table tb, const uint8_t *prefix, size_t n, uint32_t room)
{
    uint32_t done = 0;
    for (struct row row; done < room && row_from(e, tb, prefix, n, n, &row); done++)
        e_del(e, tb, row.k, row.n);
    return done;
}

/* READY and DEAD rows of a run that is over; what waits in DELAY is skipped when it is due. */
static bool step_queues(struct engine *e, struct run *r, struct sweep *s)
{
    uint32_t room = portion(e, CHUNK);
    while (s->cursor < 2 * r->lv->station_count && room) {
        struct rq *q = &r->rq[s->cursor / 2];
        uint8_t p[8];
        for (enum lane l = 0; l < LANES; l++)
            if (q->lane[l].count || q->lane[l].loaded) {
                q->lane[l].loaded = q->lane[l].head.dirty = false;
                q->lane[l].count = 0;
                rq_dirty(e, q);
            }
        key_u32(key_u32(p, q->st->id), r->id);
        uint32_t n = delete_prefix(e, s->cursor % 2 ? TABLE_DEAD : TABLE_READY, p, sizeof p, room);
        room -= n;
        s->cursor += room > 0;
    }
    return s->cursor >= 2 * r->lv->station_count;
}

/* ---- delete a run ---- */

struct chains {
    uint64_t *v;
    uint32_t n, cap;
};

static void chains_add(struct engine *e, struct chains *t, uint64_t no)
{
    uint64_t *v = grow(e, t->v, &t->cap, t->n + 1, sizeof *v);
    if (v) {
        t->v = v;
        t->v[t->n++] = no;
    }
}

static void delete_result(struct engine *e, uint64_t no, uint32_t run)
{
    struct blob b;
    enum store_rc rc = blob_find(e->t, TABLE_RESULT, NULL, 0, no, &e->scratch[0], &b);
    if (rc == STORE_OK && b.run == run) {
        uint8_t k[8];
        key_u64(k, b.first);
        delete_prefix(e, TABLE_RESULT, k, sizeof k, UINT32_MAX);
    } else {
        walked(e, rc);
    }
}

/* Delete the segments of a chain of assignments, and the results they led to. Segments are shared: one that is gone already is no surprise. */
static void delete_chain(struct engine *e, struct run *r, uint64_t newest, struct chains *t)
{
    chains_add(e, t, newest);
    while (t->n && !e->rc) {
        uint64_t no = t->v[--t->n];
        struct aseg *s = no ? assign_find(e, no) : NULL;
        if (!s || s->run != r)
            continue;
        for (uint32_t i = 0; i < s->n; i++) {
            if (s->e[i].prev)
                chains_add(e, t, s->e[i].prev);
            if (s->e[i].result)
                delete_result(e, s->e[i].result, r->id);
        }
        uint8_t k[8];
        key_u64(k, s->first);
        e_del(e, TABLE_ASSIGN, k, sizeof k);
        e_del(e, TABLE_LIVE, k, sizeof k);
        s->dropped = true;
        s->dirty = s->live_stored = false;
    }
}

static void end_live(struct engine *e, struct run *r)
{
    for (struct aseg *s = r->asegs; s; s = s->run_next)
        for (uint32_t i = 0; i < s->n; i++)
            if (s->e[i].state <= ASSIGN_STARTED) {
                task_return(e, s, s->first + i, WHY_RECALLED, "", 0); /* the run is over: its task does not come back */
                recall(e, s->hub, s->first + i, 2);
            }
}

static bool step_chains(struct engine *e, struct run *r)
{
    uint8_t prefix[4], b[SL_VALUE_BYTES_MAX];
    struct chains t = { 0 };
    struct row row;
    uint32_t n = 0, room = portion(e, CHUNK_GROUPS), ub = STATE_UNIT_BYTES + STATE_STATION_BYTES * r->lv->station_count;
    key_u32(prefix, r->id);
    groups_forget_dirty(e, r);
    for (; n < room && row_from(e, TABLE_STATE, prefix, sizeof prefix, sizeof prefix, &row); n++) {
        size_t bytes = row.v.n;
        memcpy(b, row.v.p, bytes);
        for (uint8_t *u = b; u + ub <= b + bytes; u += ub)
            for (uint32_t i = 0; i < r->lv->station_count; i++) {
                if (has_copies(r->rq[i].st) && st_result(unit_station(u, i)))
                    delete_result(e, st_result(unit_station(u, i)), r->id);
                delete_chain(e, r, get_u48(unit_station(u, i) + ST_ASSIGN), &t);
            }
        e_del(e, TABLE_STATE, row.k, row.n);
    }
    free(t.v);
    return n < room;
}

/* Segments with control tasks, which no unit leads to: those that are there still, and what remembers them. */
static bool step_gold(struct engine *e, struct run *r)
{
    uint8_t from[13] = { 0 };
    struct chains t = { 0 };
    struct row row;
    uint32_t n = 0, room = portion(e, CHUNK);
    key_u32(key_u8(from, 1), r->id);
    for (; n < room && row_from(e, TABLE_GOLD, from, sizeof from, 5, &row); n++) {
        delete_chain(e, r, key_get_u64(row.k + 5), &t);
        e_del(e, TABLE_GOLD, row.k, row.n);
    }
    free(t.v);
    return n < room;
}

static bool step_delete(struct engine *e, struct run *r, struct sweep *s)
{
    static const enum store_table table[PHASES] = { [PHASE_UNIT] = TABLE_UNIT,
                                                    [PHASE_DEDUP] = TABLE_DEDUP,
                                                    [PHASE_PRODUCER] = TABLE_PRODUCER,
                                                    [PHASE_HISTORY] = TABLE_HISTORY };
    uint8_t prefix[4];
    bool over = false;
    uint32_t room = portion(e, CHUNK);
    key_u32(prefix, r->id);
    switch ((enum delete_phase)s->station) { /* the phase; `station` has no other use here */
    case PHASE_QUEUES: over = step_queues(e, r, s); break;
    case PHASE_LIVE:
        end_live(e, r);
        over = true;
        break;
    case PHASE_CHAINS: over = step_chains(e, r); break;
    case PHASE_GOLD: over = step_gold(e, r); break;
    default: over = delete_prefix(e, table[s->station], prefix, sizeof prefix, room) < room;
    }
    if (over)
        s->station++;
    if (s->station < PHASES)
        return false;
    return true;
}

/* ---- requeue or drop all that is dead ---- */

/* Was it parked after this sweep had begun? A row without a number (records.h) is taken for one that was before. */
static bool parked_since(struct store_val v, uint64_t job)
{
    struct rdr r = rdr_on(v.p, v.n);
    size_t n;
    rdr_bytes(&r, 9);
    rdr_str(&r, &n);
    return r.p < r.end && rdr_u64(&r) >= job;
}

/* Row by row: one that cannot be requeued stays, and is passed by. */
static bool step_dead(struct engine *e, struct sweep *s)
{
    struct station *st = e->station[s->station - 1];
    if (!s->at_run)
        s->at_run = s->run;
    for (uint32_t n = portion(e, CHUNK); n && s->cursor; n--, s->cursor--) {
        uint8_t k[16];
        struct row row;
        key_u64(key_u32(key_u32(k, st->id), s->at_run), s->at_unit);
        if (!row_from(e, TABLE_DEAD, k, sizeof k, s->run ? 8 : 4, &row))
            return true;
        uint32_t run = key_get_u32(row.k + 4);
        uint64_t unit = key_get_u64(row.k + 8);
        struct run *r = run && run <= e->meta.run ? e->run[run - 1] : NULL;
        s->at_run = run;
        s->at_unit = unit + 1;
        if (parked_since(row.v, s->job)) {
            s->cursor++; /* it was not counted */
        } else if (!r || r->state > RUN_CLOSED) {
            s->cursor++;                        /* nor was this one, if it was over by then */
            e_del(e, TABLE_DEAD, row.k, row.n); /* of a run that is over: its own sweep would get here, too */
        } else if (s->what == SWEEP_REQUEUE) {
            char why[NOBODY_TEXT];
            s->count += task_requeue(e, r, unit, st->idx, s->reason, s->reason_n, why);
        } else {
            unit_drop(e, r, unit, s->reason, s->reason_n);
            s->count++;
        }
    }
    return s->cursor == 0;
}

/* ---- */

static void swept(struct engine *e, const struct sweep *s, struct run *r, struct line *l)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 4);
    slp_pack_cstr(&e->b3, "run");
    slp_pack_u64(&e->b3, s->run);
    slp_pack_cstr(&e->b3, "station");
    slp_pack_u64(&e->b3, s->what == SWEEP_DELETE ? 0 : s->station);
    slp_pack_cstr(&e->b3, "what");
    slp_pack_u64(&e->b3, s->what);
    slp_pack_cstr(&e->b3, "count");
    slp_pack_u64(&e->b3, s->count);
    ev_emit(e, EV_SWEPT, l, r, NULL, &e->b3);
}

/* No operator asked for it: it follows from a roster. Its run is only where it is. */
static bool by_itself(const struct sweep *s)
{
    return s->what == SWEEP_STAFFED || s->what == SWEEP_UNSTAFFED;
}

/* One chunk of the i-th sweep; true: it is over, and gone from the list. */
static bool sweep_step(struct engine *e, uint32_t i)
{
    struct sweep s = e->sweep[i]; /* a copy: steps may start other sweeps, which moves the array */
    struct run *r = s.run ? e->run[s.run - 1] : NULL;
    struct line *l = r && !by_itself(&s)                   ? r->line
                     : s.station && s.what != SWEEP_DELETE ? e->station[s.station - 1]->line
                                                           : NULL;
    bool over = true;
    switch ((enum sweep_what)s.what) {
    case SWEEP_RECALL_RUN:
    case SWEEP_RECALL_STATION: over = step_recall(e, &s); break;
    case SWEEP_CANCEL: over = !r || step_queues(e, r, &s); break;
    case SWEEP_DELETE: over = !r || step_delete(e, r, &s); break;
    case SWEEP_REQUEUE:
    case SWEEP_DROP: over = step_dead(e, &s); break;
    case SWEEP_STAFFED: over = nobody_step_staffed(e, &s, portion(e, CHUNK)); break;
    case SWEEP_UNSTAFFED: over = nobody_step_unstaffed(e, &s, portion(e, CHUNK)); break;
    }
    uint8_t k[8];
    key_u64(k, s.job);
    if (!over) {
        e->sweep[i] = s;
        sweep_write(e, &s);
        return false;
    }
    e_del(e, TABLE_SWEEP, k, sizeof k);
    memmove(e->sweep + i, e->sweep + i + 1, (e->sweeps - i - 1) * sizeof *e->sweep);
    e->sweeps--;
    /* Units, not records: how many of those there were depends on what had been written by then. */
    if (r && (s.what == SWEEP_CANCEL || s.what == SWEEP_DELETE))
        s.count = s.what == SWEEP_CANCEL ? r->cancelled : r->units;
    if (s.what == SWEEP_DELETE && r) {
        recalls_flush(e);
        ev_flush(e); /* before the run is gone */
        run_drop(e, r);
        r = NULL;
    }
    if (by_itself(&s)) {
        s.run = 0; /* it went over all of them */
        r = NULL;
    }
    if (!by_itself(&s) || s.count)
        swept(e, &s, r, l);
    return true;
}

/* It only takes away what is over, and may be long; nobody waits for it. */
static bool tidies(const struct sweep *s)
{
    return s->what == SWEEP_CANCEL || s->what == SWEEP_DELETE;
}

/* A chunk of each of the oldest ones, and as many of those that tidy: long deletions, however many, must not keep a pause waiting. */
void sweeps_step(struct engine *e)
{
    uint32_t left[2] = { SWEEPS_A_TICK, SWEEPS_A_TICK };
    for (uint32_t i = 0, n = e->sweeps; n-- && !e->rc;) {
        uint32_t *room = &left[tidies(&e->sweep[i])];
        bool gone = *room && sweep_step(e, i);
        *room -= *room > 0;
        i += !gone;
    }
}
