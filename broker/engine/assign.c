/* Assignments: made from the matcher's picks, kept in segments of neighbours (one run, station and hub, one step), fenced by their numbers.
 *
 * Segments with a live assignment are in memory, found by number through a map (amap.h) and by time through a heap with one entry a segment. Others are loaded when somebody asks and forgotten at the batch's end. LIVE names
 * the live ones, so that a start reads no history. */
#include "broker/engine/gold.h"
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

static void map(struct engine *e, uint64_t no, struct aseg *s)
{
    if (!amap_put(&e->amap, no, s))
        fail(e, STORE_NO_MEMORY);
}

/* ---- the timer heap: entries tell when, so that to compare them no segment is looked into ---- */

static bool sooner(const struct timer *a, const struct timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->first < b->first;
}

static void timer_place(struct engine *e, uint32_t i, struct timer t)
{
    e->timer[i] = t;
    t.s->heap_i = i + 1;
}

static void timer_up(struct engine *e, uint32_t i)
{
    struct timer t = e->timer[i];
    for (; i && sooner(&t, &e->timer[(i - 1) / 2]); i = (i - 1) / 2)
        timer_place(e, i, e->timer[(i - 1) / 2]);
    timer_place(e, i, t);
}

static void timer_down(struct engine *e, uint32_t i)
{
    struct timer t = e->timer[i];
    for (uint32_t kid; (kid = 2 * i + 1) < e->timer_n; i = kid) {
        if (kid + 1 < e->timer_n && sooner(&e->timer[kid + 1], &e->timer[kid]))
            kid++;
        if (!sooner(&e->timer[kid], &t))
            break;
        timer_place(e, i, e->timer[kid]);
    }
    timer_place(e, i, t);
}

static void timer_add(struct engine *e, struct aseg *s)
{
    struct timer *v = grow(e, e->timer, &e->timer_cap, e->timer_n + 1, sizeof *v);
    if (!v)
        return;
    e->timer = v;
    e->timer[e->timer_n++] = (struct timer){ s->due_us, s->first, s };
    timer_up(e, e->timer_n - 1);
}

static void timer_remove(struct engine *e, struct aseg *s)
{
    if (!s->heap_i)
        return;
    uint32_t i = s->heap_i - 1;
    s->heap_i = 0;
    struct timer last = e->timer[--e->timer_n];
    if (last.s == s)
        return;
    timer_place(e, i, last);
    timer_up(e, i);
    timer_down(e, last.s->heap_i - 1);
}

/* Its entries are due then at the earliest. */
static void timer_set(struct engine *e, struct aseg *s, int64_t due_us)
{
    bool sooner_now = due_us < s->due_us;
    s->due_us = due_us;
    if (!s->heap_i)
        return;
    e->timer[s->heap_i - 1].due_us = due_us;
    if (sooner_now)
        timer_up(e, s->heap_i - 1);
    else
        timer_down(e, s->heap_i - 1);
}

int64_t assign_next_due(const struct engine *e)
{
    return e->timer_n ? e->timer[0].due_us : INT64_MAX;
}

static bool is_live(const struct aentry *a)
{
    return a->state == ASSIGN_HANDED || a->state == ASSIGN_STARTED;
}

static int64_t true_due(const struct aseg *s)
{
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < s->n; i++)
        if (is_live(&s->e[i]) && s->e[i].due_us < due)
            due = s->e[i].due_us;
    return due;
}

void assign_due(struct engine *e, struct aseg *s, struct aentry *a, int64_t due_us)
{
    a->due_us = due_us;
    assign_dirty(e, s);
    if (due_us < s->due_us && s->heap_i)
        timer_set(e, s, due_us);
}

void assign_timers(struct engine *e)
{
    for (uint32_t n = 0; n < 4096 && e->timer_n && e->timer[0].due_us <= e->now_us && !e->rc;) {
        struct aseg *s = e->timer[0].s;
        int64_t due = true_due(s);
        if (due != s->due_us) { /* what it was set for is over; order by what is really next */
            timer_set(e, s, due);
            continue;
        }
        for (uint32_t i = 0; i < s->n; i++)
            if (is_live(&s->e[i]) && s->e[i].due_us <= e->now_us) {
                task_expire(e, s, s->first + i);
                n++;
            }
        if (s->heap_i)
            timer_set(e, s, true_due(s));
    }
}

/* ---- segments in memory ---- */

static const uint32_t size_class[4] = { 1, 8, 24, ASSIGN_SEGMENT_MAX };

static struct aseg *aseg_new(struct engine *e, uint32_t n)
{
    uint8_t k = 0;
    while (size_class[k] < n)
        k++;
    struct aseg *s = e->free_asegs[k];
    size_t bytes = sizeof *s + size_class[k] * sizeof s->e[0];
    if (s)
        e->free_asegs[k] = s->dirty_next;
    else if (!(s = malloc(bytes))) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    memset(s, 0, bytes);
    s->size_class = k;
    s->n = n;
    s->due_us = INT64_MAX;
    return s;
}

static void aseg_link(struct aseg *s)
{
    s->run_next = s->run->asegs;
    if (s->run_next)
        s->run_next->run_prev = s;
    s->run->asegs = s;
    s->hub_next = s->hub->asegs;
    if (s->hub_next)
        s->hub_next->hub_prev = s;
    s->hub->asegs = s;
}

static void aseg_spare(struct engine *e, struct aseg *s)
{
    s->dirty_next = e->free_asegs[s->size_class];
    e->free_asegs[s->size_class] = s;
}

static void aseg_forget(struct engine *e, struct aseg *s)
{
    timer_remove(e, s);
    for (uint32_t i = 0; i < s->n; i++)
        amap_del(&e->amap, s->first + i);
    *(s->run_prev ? &s->run_prev->run_next : &s->run->asegs) = s->run_next;
    if (s->run_next)
        s->run_next->run_prev = s->run_prev;
    *(s->hub_prev ? &s->hub_prev->hub_next : &s->hub->asegs) = s->hub_next;
    if (s->hub_next)
        s->hub_next->hub_prev = s->hub_prev;
    aseg_spare(e, s);
}

static void list_for_end(struct engine *e, struct aseg *s)
{
    if (s->listed)
        return;
    s->listed = true;
    s->dirty_next = e->dirty_asegs;
    e->dirty_asegs = s;
}

void assign_dirty(struct engine *e, struct aseg *s)
{
    s->dirty = true;
    list_for_end(e, s);
}

/* live: it stands in LIVE. After the start all that do are in memory: one that is read later and has live entries is damaged. */
static struct aseg *aseg_read(struct engine *e, uint64_t first, struct store_val v, bool live)
{
    struct rdr r = rdr_on(v.p, v.n);
    uint32_t run = rdr_u32(&r), station = rdr_u32(&r), hub = rdr_u32(&r), n = rdr_u32(&r);
    int64_t wall = rdr_i64(&r), elapsed = rdr_i64(&r);
    if (r.bad || !n || n > ASSIGN_SEGMENT_MAX || !run || run > e->meta.run || !station || station > e->meta.station ||
        !hub || hub > e->meta.hub) {
        fail(e, STORE_CORRUPT);
        return NULL;
    }
    if (!e->run[run - 1])
        return NULL; /* its run is deleted */
    if (e->station[station - 1]->lv != e->run[run - 1]->lv) {
        fail(e, STORE_CORRUPT);
        return NULL;
    }
    struct aseg *s = aseg_new(e, n);
    if (!s)
        return NULL;
    s->first = first;
    s->run = e->run[run - 1];
    s->st = e->station[station - 1];
    s->hub = e->hub[hub - 1];
    s->wall_us = wall;
    s->elapsed_us = elapsed;
    for (uint32_t i = 0; i < n; i++) {
        struct aentry *a = &s->e[i];
        a->unit = rdr_u64(&r);
        a->worker = rdr_u32(&r);
        a->state = rdr_u8(&r);
        a->why = rdr_u8(&r);
        a->attempt = rdr_u8(&r);
        a->round = rdr_u8(&r);
        a->due_us = rdr_i64(&r);
        a->started_wall_us = rdr_i64(&r);
        a->ended_wall_us = rdr_i64(&r);
        a->active_us = rdr_u64(&r);
        a->prev = rdr_u64(&r);
        a->result = rdr_u64(&r);
        s->live += is_live(a);
        r.bad |= !a->worker || a->worker > e->meta.worker || a->state > ASSIGN_RETURNED ||
                 a->prev >= first + i; /* a walk back ends */
    }
    if (r.bad || (s->live && !live)) {
        fail(e, STORE_CORRUPT);
        aseg_spare(e, s);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        map(e, first + i, s);
    aseg_link(s);
    return s;
}

static void aseg_write(struct engine *e, struct aseg *s)
{
    uint8_t k[8], b[ASSIGN_HEAD_BYTES + ASSIGN_SEGMENT_MAX * ASSIGN_BYTES];
    struct rec r = { b, 0, sizeof b, 0 };
    rec_u32(&r, s->run->id);
    rec_u32(&r, s->st->id);
    rec_u32(&r, s->hub->id);
    rec_u32(&r, s->n);
    rec_i64(&r, s->wall_us);
    rec_i64(&r, s->elapsed_us);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct aentry *a = &s->e[i];
        rec_u64(&r, a->unit);
        rec_u32(&r, a->worker);
        rec_u8(&r, a->state);
        rec_u8(&r, a->why);
        rec_u8(&r, a->attempt);
        rec_u8(&r, a->round);
        rec_i64(&r, a->due_us);
        rec_i64(&r, a->started_wall_us);
        rec_i64(&r, a->ended_wall_us);
        rec_u64(&r, a->active_us);
        rec_u64(&r, a->prev);
        rec_u64(&r, a->result);
    }
    assert(!r.bad);
    key_u64(k, s->first);
    e_append(e, TABLE_ASSIGN, k, sizeof k, b, r.n);
    if (s->live && !s->live_stored)
        e_append(e, TABLE_LIVE, k, sizeof k, "", 0);
    else if (!s->live && s->live_stored)
        e_del(e, TABLE_LIVE, k, sizeof k);
    s->live_stored = s->live > 0;
    s->dirty = false;
}

static int by_first(const void *a, const void *b)
{
    const struct aseg *x = *(struct aseg *const *)a, *y = *(struct aseg *const *)b;
    return order_of(x->first, y->first);
}

void assigns_write(struct engine *e)
{
    /* In order of their numbers: new ones append. */
    uint32_t n = 0;
    for (struct aseg *s = e->dirty_asegs; s; s = s->dirty_next)
        n++;
    struct aseg **v = grow(e, e->sorted_asegs, &e->sorted_aseg_cap, n, sizeof *v);
    if (!v)
        return;
    e->sorted_asegs = v;
    uint32_t at = n; /* the list begins with the one that came last */
    for (struct aseg *s = e->dirty_asegs; s; s = s->dirty_next)
        v[--at] = s;
    e->dirty_asegs = NULL;
    sort(e, v, n, sizeof *v, by_first);
    for (uint32_t i = 0; i < n; i++) {
        if (v[i]->dirty && !v[i]->dropped)
            aseg_write(e, v[i]);
        v[i]->listed = false;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!v[i]->live)
            aseg_forget(e, v[i]);
}

struct aseg *assign_find(struct engine *e, uint64_t no)
{
    struct aseg *s = amap_get(&e->amap, no);
    if (s && s->dropped)
        return NULL; /* its run is being deleted, and it went in this batch: what is added to it now nobody would delete */
    if (s || !no || no > e->meta.assignment)
        return s;
    uint8_t k[8], b[SL_VALUE_BYTES_MAX];
    struct store_cursor c;
    struct store_val v = { b, 0 };
    uint64_t first = 0;
    key_u64(k, no);
    enum store_rc rc = store_cursor_open(e->t, TABLE_ASSIGN, &c);
    if (rc == STORE_OK)
        rc = store_seek_le(&c, k, sizeof k);
    if (rc == STORE_OK) {
        first = key_get_u64(c.key.p);
        v.n = c.val.n;
        memcpy(b, c.val.p, c.val.n);
    } else if (rc != STORE_NOT_FOUND) {
        fail(e, rc);
    }
    store_cursor_close(&c);
    struct rdr head = rdr_on(v.p, v.n);
    rdr_bytes(&head, 3 * 4);
    if (!first || no >= first + rdr_u32(&head))
        return NULL; /* a hole: the run of this number is deleted. The segment before it may be in memory: it is not read again */
    if ((s = aseg_read(e, first, v, false)) != NULL)
        list_for_end(e, s);
    return s;
}

struct link chain_at(struct engine *e, uint64_t no)
{
    struct aseg *s = no ? assign_find(e, no) : NULL;
    if (no && !s && !e->rc)
        fail(e, STORE_CORRUPT); /* assignments are kept as long as their run */
    return s ? (struct link){ no, s, assign_entry(s, no) } : (struct link){ 0 };
}

void assign_end(struct engine *e, struct aseg *s, uint64_t no, enum assign_state st, enum why why)
{
    struct aentry *a = assign_entry(s, no);
    assert(is_live(a));
    a->state = (uint8_t)st;
    a->why = (uint8_t)why;
    a->ended_wall_us = e->wall_us;
    a->due_us = 0;
    assert(s->live > 0);
    s->live--;
    struct worker *w = worker_at(e, a->worker);
    assert(w->holding > 0);
    w->holding--;
    limit_given_back(e, s->st);
    match_hub_held(e, s->hub, -1);
    if (!s->live)
        timer_remove(e, s);
    assign_dirty(e, s);
}

void assigns_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_LIVE, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        uint64_t first = key_get_u64(c.key.p);
        struct store_val v;
        if (c.key.n != 8 || !e_get(e, TABLE_ASSIGN, c.key.p, 8, &v)) {
            fail(e, STORE_CORRUPT);
            break;
        }
        struct aseg *s = aseg_read(e, first, v, true);
        if (!s) {
            if (!e->rc)
                fail(e, STORE_CORRUPT);
            break;
        }
        s->live_stored = true;
        for (uint32_t i = 0; i < s->n; i++)
            if (is_live(&s->e[i])) {
                worker_at(e, s->e[i].worker)->holding++;
                s->hub->holding++;
                limit_taken(e, s->st);
            }
        s->due_us = true_due(s);
        timer_add(e, s);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void assigns_free(struct engine *e)
{
    for (uint32_t i = 0; e->hub && i < e->meta.hub; i++)
        for (struct aseg *s = e->hub[i] ? e->hub[i]->asegs : NULL, *next; s; s = next) {
            next = s->hub_next;
            free(s);
        }
    for (int k = 0; k < 4; k++)
        for (struct aseg *s = e->free_asegs[k], *next; s; s = next) {
            next = s->dirty_next;
            free(s);
        }
    amap_free(&e->amap);
    free(e->timer);
    free(e->sorted_asegs);
}

void assigns_drop_run(struct engine *e, struct run *r)
{
    while (r->asegs) { /* a deleted run has no live ones left; what was loaded on the way goes now */
        struct aseg *s = r->asegs;
        struct aseg **p = &e->dirty_asegs;
        while (s->listed && *p != s)
            p = &(*p)->dirty_next;
        if (s->listed)
            *p = s->dirty_next;
        assert(!s->live);
        aseg_forget(e, s);
    }
}

/* ---- from picks to assignments and frames ---- */

static int by_target(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    if (x->w->hub != y->w->hub)
        return order_of(x->w->hub, y->w->hub);
    if (x->rq->st->id != y->rq->st->id)
        return order_of(x->rq->st->id, y->rq->st->id);
    if (x->rq->run->id != y->rq->run->id)
        return order_of(x->rq->run->id, y->rq->run->id);
    return order_of(x->at, y->at);
}

enum item { ITEM_IN, ITEM_NO_ROOM, ITEM_TOO_BIG };

/* What a reviewer should know, or whoever does it again. */
static bool context(struct engine *e, struct run *r, uint64_t unit, const struct station *st, size_t shown)
{
    size_t room = shown < SL_PUSH_FIELDS_BYTES_MAX ? SL_PUSH_FIELDS_BYTES_MAX - shown : 0;
    if (is_gold(unit) || (!is_review(st) && st->def->reviewed_by < 0))
        return false;
    if (!unit_at_hand(e, r, unit))
        show_keep(e);
    return review_context(e, r, unit, st, room);
}

static bool show(struct engine *e, struct run *r, uint64_t unit, const struct station *st, uint32_t worker)
{
    if (!is_gold(unit))
        return unit_show(e, r, unit, st->def, worker);
    gold_show(st, unit, &e->b1);
    return true;
}

/* One more task in the frame, unless it does not fit. */
static enum item push_item(struct engine *e, struct run *r, const struct station *st, uint64_t no,
                           const struct aentry *a)
{
    struct shown was = show_mark(e);
    slp_pack_array(&e->b1, 4);
    slp_pack_u64(&e->b1, no);
    slp_pack_u64(&e->b1, a->worker);
    slp_pack_u64(&e->b1, a->attempt);
    size_t before = show_bytes(e);
    enum item got = show(e, r, a->unit, st, a->worker) ? ITEM_IN : ITEM_TOO_BIG;
    if (got == ITEM_IN && context(e, r, a->unit, st, show_bytes(e) - before) && !e->b1.failed)
        e->b1.p[was.b1_n]++; /* an element more than was said */
    if (got == ITEM_IN && show_bytes(e) > SL_FRAME_BYTES_MAX - 4096)
        got = ITEM_NO_ROOM;
    if (got != ITEM_IN)
        show_cut(e, was);
    return got;
}

static int64_t start_by_us(const struct engine *e, const struct station *st)
{
    return st->def->start_by_us ? st->def->start_by_us : e->cfg.start_by_us;
}

static void push_send(struct engine *e, struct hub *h, struct station *st, uint32_t count)
{
    if (!count || !h->session)
        return;
    struct slp_push m = { .session = h->session,
                          .push_no = ++h->push_no,
                          .station_id = st->id,
                          .lease_us = (uint64_t)st->def->lease_us,
                          .start_by_us = (uint64_t)start_by_us(e, st),
                          .assignments = { .count = count } };
    send_shown(e, h->peer, SLP_PUSH, &m);
}

/* ASSIGNED: the units and the workers of one segment. */
static void announce(struct engine *e, const struct aseg *s)
{
    static const char *const keys[] = { "run", "station", "hub", "first" };
    const uint64_t values[] = { s->run->id, s->st->id, s->hub->id, s->first };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 2);
    uint32_t units = 0, workers = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        units += i == 0 || s->e[i].unit != s->e[i - 1].unit + 1;
        workers += i == 0 || s->e[i].worker != s->e[i - 1].worker;
    }
    slp_pack_cstr(&e->b3, "units");
    slp_pack_array(&e->b3, units * 2);
    for (uint32_t i = 0, j; i < s->n; i = j) {
        for (j = i + 1; j < s->n && s->e[j].unit == s->e[j - 1].unit + 1; j++)
            ;
        slp_pack_u64(&e->b3, s->e[i].unit);
        slp_pack_u64(&e->b3, j - i);
    }
    slp_pack_cstr(&e->b3, "workers");
    slp_pack_array(&e->b3, workers * 2);
    for (uint32_t i = 0, j; i < s->n; i = j) {
        for (j = i + 1; j < s->n && s->e[j].worker == s->e[i].worker; j++)
            ;
        slp_pack_u64(&e->b3, s->e[i].worker);
        slp_pack_u64(&e->b3, j - i);
    }
    ev_emit(e, EV_ASSIGNED, s->run->line, s->run, s->hub, &e->b3);
}

static void segment_make(struct engine *e, struct pick *v, uint32_t n)
{
    struct aseg *s = aseg_new(e, n);
    if (!s)
        return;
    s->first = e->meta.assignment + 1;
    s->run = v->rq->run;
    s->st = v->rq->st;
    s->hub = e->hub[v->w->hub - 1];
    s->wall_us = e->wall_us;
    s->elapsed_us = e->now_us;
    s->live = n;
    s->due_us = e->now_us + start_by_us(e, s->st);
    e->meta.assignment += n;
    e->total.assigned += n;
    for (uint32_t i = 0; i < n; i++) {
        struct aentry *a = &s->e[i];
        *a = (struct aentry){ .unit = v[i].unit,
                              .worker = v[i].w->id,
                              .state = ASSIGN_HANDED,
                              .attempt = v[i].attempt,
                              .due_us = s->due_us };
        map(e, s->first + i, s);
        uint8_t *h = unit_head(e, s->run, a->unit, true);
        if (!h)
            continue;
        a->round = review_round(s->st, h);
        a->prev = get_u48(unit_station(h, s->st->idx) + ST_ASSIGN);
        if (a->prev >= s->first + i)
            fail(e, STORE_CORRUPT);
        put_u48(unit_station(h, s->st->idx) + ST_ASSIGN, s->first + i);
    }
    aseg_link(s);
    timer_add(e, s);
    assign_dirty(e, s);
    gold_segment(e, s);
    announce(e, s);
    if (has_copies(s->st))
        copies_assigned(e, s);
}

/* The task cannot be shown to anybody: it is parked, and its worker's credit comes back. */
static void too_big(struct engine *e, struct pick *p)
{
    uint8_t *h = unit_head(e, p->rq->run, p->unit, true);
    p->w->sent--;
    p->w->holding--;
    limit_given_back(e, p->rq->st);
    day_uncount(e, p->w, p->rq->st, e->wall_us);
    match_hub_held(e, e->hub[p->w->hub - 1], -1);
    match_worker(e, p->w);
    if (h && has_copies(p->rq->st))
        copies_not_shown(h, p->rq->st->idx);
    if (h && unit_station(h, p->rq->st->idx)[ST_STATE] != TASK_DEAD)
        task_dead(e, p->rq->run, p->unit, h, p->rq->st->idx, DEAD_TOO_BIG,
                  "what the station shows is larger than a frame", 45);
}

void assign_picks(struct engine *e)
{
    struct pick *v = e->pick;
    uint32_t n = e->picks;
    e->picks = 0;
    copies_picks_over(e);
    sort(e, v, n, sizeof *v, by_target);
    for (uint32_t i = 0; i < n && !e->rc;) { /* one push frame a turn: one hub, one station */
        struct hub *h = e->hub[v[i].w->hub - 1];
        struct station *st = v[i].rq->st;
        uint32_t count = 0, seg = i; /* v[seg..i) are shown, and not yet in a segment */
        show_begin(e);
        uint64_t base = e->meta.assignment;
        while (i < n && count < SL_PUSH_ITEMS_MAX && v[i].rq->st == st && v[i].w->hub == h->id && !e->rc) {
            struct aentry a = { .unit = v[i].unit, .worker = v[i].w->id, .attempt = v[i].attempt };
            enum item got = push_item(e, v[i].rq->run, st, base + 1, &a);
            if (got == ITEM_NO_ROOM)
                break;
            if (got == ITEM_TOO_BIG) {
                struct pick bad = v[i];
                memmove(v + i, v + i + 1, (n - i - 1) * sizeof *v);
                n--;
                show_keep(e);
                too_big(e, &bad);
                continue;
            }
            base++;
            count++;
            i++;
        }
        push_send(e, h, st, count); /* before anything is written: the payloads lie where they are only until then */
        uint32_t end = i;
        while (seg < end) { /* numbers are given in the order of the frame */
            uint32_t k = 1;
            while (seg + k < end && k < ASSIGN_SEGMENT_MAX && v[seg + k].rq == v[seg].rq)
                k++;
            segment_make(e, v + seg, k);
            seg += k;
        }
    }
}

void assign_push_again(struct engine *e, struct hub *h, const uint64_t *no, size_t n)
{
    for (size_t i = 0; i < n && !e->rc;) {
        struct station *st = NULL;
        uint32_t count = 0;
        show_begin(e);
        for (; i < n && count < SL_PUSH_ITEMS_MAX && !e->rc; i++) {
            struct aseg *s = assign_find(e, no[i]);
            if (!s)
                continue;
            if (st && s->st != st)
                break;
            enum item got = push_item(e, s->run, s->st, no[i], assign_entry(s, no[i]));
            if (got == ITEM_NO_ROOM)
                break;
            if (got == ITEM_TOO_BIG)
                continue;
            st = s->st;
            count++;
        }
        if (st)
            push_send(e, h, st, count);
    }
}
