/* Shifts: who is on, by wall time. A hub tells each of its shifts as beginnings and ends in UTC for some days ahead; workers point at theirs, those
 * without one are on whenever they are signed in.
 *
 * A heap over all shifts, by the next moment at which each one changes, is looked at in every step, so that a step never finds a shift in a state
 * that its own wall time contradicts. A change itself is one record: `on` turns. What follows from it (idle workers listed or unlisted, assignments
 * that nobody has started given back) is done in chunks at ticks, durably: `settling` stands in the record, so a restart goes on with it. Meanwhile the
 * matcher asks worker_on_shift, so nobody is given work off shift even when 100,000 go home at once.
 *
 * The wall clock may be set. Forward: what lies between is skipped, each shift is as it should be now. Back by more than BACK_US: likewise. Back by
 * less: a shift that has just changed stays as it is, it does not flicker. Leases are in elapsed time and never notice; what a shift's end limits is
 * how far they are renewed, counted from when that end was seen (task.c: lease_until). */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define BACK_US 1000000ll
#define CHUNK 500          /* assignments given back in one tick, over all shifts */
#define CHUNK_WORKERS 4000 /* workers looked at in one tick */
#define RECORD_MAX 3600

/* ---- the heap of changes ---- */

/* When it changes next, by the times it has. INT64_MIN: it is not what it should be at the present wall time. */
static int64_t shift_due(const struct shift *s)
{
    bool should = s->next & 1;
    return s->on != should ? INT64_MIN : s->next < s->times ? s->time[s->next] : INT64_MAX;
}

static bool sooner(const struct shift *a, const struct shift *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->id < b->id;
}

static void place(struct engine *e, uint32_t i, struct shift *s)
{
    e->shift_heap[i] = s;
    s->heap_i = i + 1;
}

static void heap_fix(struct engine *e, struct shift *s)
{
    uint32_t i = s->heap_i - 1;
    for (; i && sooner(s, e->shift_heap[(i - 1) / 2]); i = (i - 1) / 2)
        place(e, i, e->shift_heap[(i - 1) / 2]);
    for (uint32_t kid; (kid = 2 * i + 1) < e->shift_heap_n; i = kid) {
        if (kid + 1 < e->shift_heap_n && sooner(e->shift_heap[kid + 1], e->shift_heap[kid]))
            kid++;
        if (!sooner(e->shift_heap[kid], s))
            break;
        place(e, i, e->shift_heap[kid]);
    }
    place(e, i, s);
}

static void heap_add(struct engine *e, struct shift *s)
{
    struct shift **v = grow(e, e->shift_heap, &e->shift_heap_cap, e->shift_heap_n + 1, sizeof *v);
    if (!v)
        return;
    e->shift_heap = v;
    place(e, e->shift_heap_n++, s);
    heap_fix(e, s);
}

static void heap_remove(struct engine *e, struct shift *s)
{
    uint32_t i = s->heap_i - 1;
    struct shift *last = e->shift_heap[--e->shift_heap_n];
    s->heap_i = 0;
    if (last != s) {
        place(e, i, last);
        heap_fix(e, last);
    }
}

/* Find its place among its times anew. */
static void shift_seek(struct engine *e, struct shift *s)
{
    uint32_t lo = 0, hi = s->times; /* how many of its times are over */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->time[mid] <= e->shift_wall_us)
            lo = mid + 1;
        else
            hi = mid;
    }
    s->next = lo;
    s->due_us = shift_due(s);
    if (s->heap_i)
        heap_fix(e, s);
}

/* ---- records ---- */

static void shift_write(struct engine *e, const struct shift *s)
{
    uint8_t k[4], b[RECORD_MAX];
    struct rec r = { b, 0, sizeof b, 0 };
    rec_u32(&r, s->hub->id);
    rec_u8(&r, s->on);
    rec_u8(&r, s->settling);
    rec_u64(&r, s->returned);
    rec_i64(&r, s->off_us);
    rec_i64(&r, s->overtime_us);
    rec_i64(&r, s->until_us);
    rec_str(&r, s->name, strlen(s->name));
    rec_str(&r, s->zone, strlen(s->zone));
    rec_str(&r, s->text, strlen(s->text));
    rec_u16(&r, (uint16_t)s->times);
    for (uint32_t i = 0; i < s->times; i++)
        rec_i64(&r, s->time[i]);
    assert(!r.bad); /* 256 times, a name, a zone, a text */
    key_u32(k, s->id);
    e_put(e, TABLE_SHIFT, k, sizeof k, b, r.n);
}

static struct shift *shift_new(struct engine *e, uint32_t id, struct hub *h, const char *name, size_t n)
{
    struct shift **v = grow(e, e->shift, &e->shift_cap, id, sizeof *v);
    struct shift *s = v ? calloc(1, sizeof *s) : NULL;
    if (v)
        e->shift = v;
    if (s)
        s->name = strndup(name, n);
    if (!s || !s->name) {
        free(s);
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    s->id = id;
    s->hub = h;
    s->zone = s->text = "";
    s->hub_next = h->shifts;
    h->shifts = s;
    e->shift[id - 1] = s;
    return s;
}

static void shift_free(struct shift *s)
{
    free(s->name);
    free(s->told);
    free(s->time);
    free(s);
}

/* Zone and text, in one piece of memory. */
static bool shift_tell(struct engine *e, struct shift *s, struct slp_bytes zone, struct slp_bytes text)
{
    char *p = malloc((size_t)zone.n + text.n + 2);
    if (!p) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    memcpy(p, zone.p, zone.n);
    p[zone.n] = 0;
    if (text.n)
        memcpy(p + zone.n + 1, text.p, text.n);
    p[zone.n + 1 + text.n] = 0;
    free(s->told);
    s->told = p;
    s->zone = p;
    s->text = p + zone.n + 1;
    return true;
}

static bool shift_times(struct engine *e, struct shift *s, const int64_t *v, uint32_t n)
{
    int64_t *t = n ? malloc(n * sizeof *t) : NULL;
    if (n && !t) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    if (n)
        memcpy(t, v, n * sizeof *t);
    free(s->time);
    s->time = t;
    s->times = n;
    return true;
}

static size_t name_key(uint8_t *k, const struct hub *h, struct slp_bytes name)
{
    key_u32(k, h->id);
    memcpy(k + 4, name.p, name.n);
    return 4 + name.n;
}

static struct shift *shift_named(struct engine *e, struct hub *h, struct slp_bytes name)
{
    uint8_t k[4 + SL_SHIFT_NAME_BYTES_MAX];
    uint32_t id = name_find(e, NAME_SHIFT, k, name_key(k, h, name));
    return id ? e->shift[id - 1] : NULL;
}

struct shift *shift_for(struct engine *e, struct hub *h, struct slp_bytes name)
{
    struct shift *s = shift_named(e, h, name);
    if (s)
        return s;
    uint8_t k[4 + SL_SHIFT_NAME_BYTES_MAX];
    if (!(s = shift_new(e, e->meta.shift + 1, h, name.p, name.n)))
        return NULL;
    e->meta.shift++;
    name_put(e, NAME_SHIFT, k, name_key(k, h, name), s->id);
    shift_seek(e, s);
    heap_add(e, s);
    shift_write(e, s);
    return s;
}

static void shift_event(struct engine *e, const struct shift *s);

static void shift_drop(struct engine *e, struct shift *s)
{
    uint8_t k[4 + SL_SHIFT_NAME_BYTES_MAX];
    struct slp_bytes name = { s->name, (uint32_t)strlen(s->name) };
    if (s->on) { /* told, so that nobody goes on believing it */
        s->on = false;
        shift_event(e, s);
    }
    name_drop(e, NAME_SHIFT, k, name_key(k, s->hub, name));
    key_u32(k, s->id);
    e_del(e, TABLE_SHIFT, k, 4);
    struct shift **p = &s->hub->shifts;
    while (*p != s)
        p = &(*p)->hub_next;
    *p = s->hub_next;
    heap_remove(e, s);
    if (s->settling)
        e->shifts_settling--;
    e->shift[s->id - 1] = NULL;
    shift_free(s);
}

void shifts_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_SHIFT, &c);
    e->shift_wall_us = e->meta.wall_us;
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct rdr r = rdr_on(c.val.p, c.val.n);
        int64_t time[SL_SHIFT_TIMES_MAX];
        uint32_t hub = rdr_u32(&r), id = number_of_key(e, &c, 4, e->meta.shift);
        bool on = rdr_u8(&r), settling = rdr_u8(&r);
        uint64_t returned = rdr_u64(&r);
        int64_t off = rdr_i64(&r), overtime = rdr_i64(&r), until = rdr_i64(&r);
        size_t n, zn, tn;
        const char *name = rdr_str(&r, &n), *zone = rdr_str(&r, &zn), *text = rdr_str(&r, &tn);
        uint32_t times = rdr_u16(&r);
        for (uint32_t i = 0; i < times && i < SL_SHIFT_TIMES_MAX; i++)
            time[i] = rdr_i64(&r);
        if (r.bad || times > SL_SHIFT_TIMES_MAX || !hub || hub > e->meta.hub || !id || n > SL_SHIFT_NAME_BYTES_MAX ||
            zn > SL_NAME_BYTES_MAX || tn > SL_TEXT_BYTES_MAX) {
            fail(e, STORE_CORRUPT);
            break;
        }
        struct shift *s = shift_new(e, id, e->hub[hub - 1], name, n);
        if (!s ||
            !shift_tell(e, s, (struct slp_bytes){ zone, (uint32_t)zn }, (struct slp_bytes){ text, (uint32_t)tn }) ||
            !shift_times(e, s, time, times))
            break;
        s->on = on;
        s->settling = settling;
        s->returned = returned;
        s->off_us = off;
        s->overtime_us = overtime;
        s->until_us = until;
        e->shifts_settling += settling;
        shift_seek(e, s);
        heap_add(e, s);
    }
    walked(e, rc);
    store_cursor_close(&c);
    if (e->meta.shift) { /* numbers up to the last one may be asked for, whether they are there or not */
        struct shift **v = grow(e, e->shift, &e->shift_cap, e->meta.shift, sizeof *v);
        if (v)
            e->shift = v;
    }
}

void shifts_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->shift_cap; i++) /* what was loaded before an open failed, too */
        if (e->shift[i])
            shift_free(e->shift[i]);
    free(e->shift);
    free(e->shift_heap);
}

/* ---- who works by it ---- */

void shift_join(struct shift *s, struct worker *w)
{
    w->shift = s;
    w->shift_prev = NULL;
    w->shift_next = s->members;
    if (s->members)
        s->members->shift_prev = w;
    s->members = w;
    s->workers++;
    s->signed_in += w->signed_in;
}

void shift_leave(struct worker *w)
{
    struct shift *s = w->shift;
    if (!s)
        return;
    if (s->at == w)
        s->at = w->shift_next;
    *(w->shift_prev ? &w->shift_prev->shift_next : &s->members) = w->shift_next;
    if (w->shift_next)
        w->shift_next->shift_prev = w->shift_prev;
    w->shift_next = w->shift_prev = NULL;
    w->shift = NULL;
    s->workers--;
    s->signed_in -= w->signed_in;
}

void shifts_forget_unused(struct engine *e, struct hub *h)
{
    for (struct shift *s = h->shifts, *next; s; s = next) {
        next = s->hub_next;
        if (!s->workers && !s->listed)
            shift_drop(e, s);
    }
}

/* ---- a shift begins or ends ---- */

/* Which shift it is, in the map of an event that goes on with so many more pairs. */
static void shift_pack(struct engine *e, const struct shift *s, uint32_t more)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 3 + more);
    slp_pack_cstr(&e->b3, "hub");
    slp_pack_u64(&e->b3, s->hub->id);
    slp_pack_cstr(&e->b3, "shift");
    slp_pack_u64(&e->b3, s->id);
    slp_pack_cstr(&e->b3, "name");
    slp_pack_cstr(&e->b3, s->name);
}

static void shift_event(struct engine *e, const struct shift *s)
{
    shift_pack(e, s, 2);
    slp_pack_cstr(&e->b3, "on");
    slp_pack_bool(&e->b3, s->on);
    slp_pack_cstr(&e->b3, "workers");
    slp_pack_u64(&e->b3, s->workers);
    ev_emit(e, EV_SHIFT, NULL, NULL, s->hub, &e->b3);
}

static void handover_event(struct engine *e, const struct shift *s, uint64_t started)
{
    shift_pack(e, s, 2);
    slp_pack_cstr(&e->b3, "returned");
    slp_pack_u64(&e->b3, s->returned);
    slp_pack_cstr(&e->b3, "started");
    slp_pack_u64(&e->b3, started);
    ev_emit(e, EV_HANDOVER, NULL, NULL, s->hub, &e->b3);
}

/* What follows from a change is looked at from its first member on. */
static void settle_anew(struct engine *e, struct shift *s)
{
    e->shifts_settling += !s->settling;
    s->settling = true;
    s->at = s->members;
}

void shift_moved_into(struct engine *e, struct shift *s)
{
    assert(!s->on);
    if (!s->settling)
        s->returned = 0;
    settle_anew(e, s);
    s->off_us = e->now_us; /* what he has begun may be gone on with for the overtime, from now */
    shift_write(e, s);
}

static void shift_turn(struct engine *e, struct shift *s)
{
    s->on = !s->on;
    if (!s->on)
        s->off_us = e->now_us;
    s->returned = 0;
    settle_anew(e, s);
    s->due_us = shift_due(s);
    heap_fix(e, s);
    shift_write(e, s);
    shift_event(e, s);
}

void shifts_now(struct engine *e)
{
    if (e->wall_us < e->shift_wall_us - BACK_US) {
        e->shift_wall_us = e->wall_us;
        for (uint32_t i = 0; i < e->meta.shift; i++)
            if (e->shift[i]) {
                shift_seek(e, e->shift[i]);
                for (struct worker *w = e->shift[i]->on ? e->shift[i]->members : NULL; w; w = w->shift_next)
                    mask_clear(e, w); /* for whom it was too short, it may be long enough now */
            }
        days_anew(e);
    } else if (e->wall_us > e->shift_wall_us) {
        e->shift_wall_us = e->wall_us;
    }
    while (e->shift_heap_n && e->shift_heap[0]->due_us <= e->shift_wall_us && !e->rc) {
        struct shift *s = e->shift_heap[0];
        shift_seek(e, s);
        if (s->due_us == INT64_MIN)
            shift_turn(e, s);
    }
}

/* Give back what the members have not started, at most *room; returns how many they have started. Done: *over. */
static uint64_t give_back(struct engine *e, struct shift *s, uint32_t *room, bool *over)
{
    uint64_t started = 0;
    *over = true;
    for (struct aseg *a = s->hub->asegs; a; a = a->hub_next)
        for (uint32_t i = 0; i < a->n; i++) {
            if (a->e[i].state > ASSIGN_STARTED || worker_at(e, a->e[i].worker)->shift != s)
                continue;
            if (a->e[i].state == ASSIGN_STARTED) {
                started++;
            } else if (*room) {
                task_return(e, a, a->first + i, WHY_RECALLED, "", 0);
                recall(e, s->hub, a->first + i, 6);
                s->returned++;
                --*room;
            } else {
                *over = false;
            }
        }
    return started;
}

static void settle(struct engine *e, struct shift *s, uint32_t *room, uint32_t *workers)
{
    uint64_t started = 0;
    bool over = true;
    if (!s->on)
        started = give_back(e, s, room, &over);
    for (; s->at && *workers; s->at = s->at->shift_next, --*workers) {
        mask_clear(e, s->at); /* there may have been too little time */
        match_worker(e, s->at);
    }
    if (over && !s->at) {
        s->settling = false;
        e->shifts_settling--;
        if (!s->on)
            handover_event(e, s, started);
    }
    shift_write(e, s);
}

void shifts_tick(struct engine *e)
{
    uint32_t room = portion(e, CHUNK), workers = portion(e, CHUNK_WORKERS);
    /* From where the last tick ended, so that a large shift does not keep the others waiting. */
    for (uint32_t n = 0; n < e->meta.shift && e->shifts_settling && room && workers && !e->rc; n++) {
        e->shift_hand = e->shift_hand < e->meta.shift ? e->shift_hand : 0;
        struct shift *s = e->shift[e->shift_hand++];
        if (s && s->settling)
            settle(e, s, &room, &workers);
    }
}

int64_t shifts_next_due(const struct engine *e)
{
    int64_t due = e->shift_heap_n ? e->shift_heap[0]->due_us : INT64_MAX, in;
    if (due == INT64_MAX)
        return due;
    in = due > e->wall_us ? due - e->wall_us : 0;
    return from_now(e, in);
}

bool worker_on_shift(const struct worker *w)
{
    return !w->shift || w->shift->on;
}

uint64_t hub_on_shift(const struct hub *h)
{
    uint64_t n = h->connected ? h->signed_in : 0;
    for (const struct shift *s = h->shifts; n && s; s = s->hub_next)
        n -= s->on ? 0 : s->signed_in;
    return n;
}

int64_t worker_time_left(const struct engine *e, const struct worker *w)
{
    const struct shift *s = w->shift;
    if (!s)
        return INT64_MAX;
    return s->on && s->next < s->times ? s->time[s->next] - e->wall_us : 0;
}

int64_t worker_shift_change(const struct worker *w)
{
    const struct shift *s = w->shift;
    return s && s->next < s->times ? s->time[s->next] : 0;
}

/* ---- messages ---- */

static bool shifts_ok(struct engine *e, const struct slp_shifts *q)
{
    struct slp_cursor c = slp_each(q->shifts);
    struct slp_item_shift_def d;
    if (q->digest.n != 32) {
        reply_error(e, SLP_E_BAD_VALUE, "digest", "a digest has 32 bytes");
        return false;
    }
    for (uint32_t i = 0; slp_next_shift_def(&c, &d); i++) {
        struct slp_cursor t = slp_each(d.times);
        uint64_t v, last = 0;
        bool ok = d.name.n > 0 && d.times.count % 2 == 0;
        while (ok && slp_next_u64(&t, &v)) {
            ok = v > last && v < INT64_MAX / 2;
            last = v;
        }
        if (ok)
            continue;
        char place[40];
        snprintf(place, sizeof place, "shifts[%u]", i);
        reply_error(e, SLP_E_BAD_VALUE, place,
                    "shift '%.*s' needs a name and ascending pairs of times, each with a beginning and an end",
                    (int)d.name.n, d.name.p);
        return false;
    }
    return true;
}

static void shift_set(struct engine *e, struct hub *h, const struct slp_item_shift_def *d, int64_t until_us)
{
    struct shift *s = shift_for(e, h, d->name);
    int64_t time[SL_SHIFT_TIMES_MAX];
    uint32_t n = 0;
    struct slp_cursor c = slp_each(d->times);
    for (uint64_t v; n < SL_SHIFT_TIMES_MAX && slp_next_u64(&c, &v);)
        time[n++] = (int64_t)v;
    if (!s)
        return;
    s->listed = true;
    s->upload_mark = h->shift_mark;
    bool same = n == s->times && (!n || !memcmp(time, s->time, n * sizeof *time)) && s->until_us == until_us &&
                s->overtime_us == (int64_t)d->overtime_us && strlen(s->zone) == d->zone.n &&
                !memcmp(s->zone, d->zone.p, d->zone.n) && strlen(s->text) == d->text.n &&
                (!d->text.n || !memcmp(s->text, d->text.p, d->text.n));
    int64_t ended = s->next < s->times ? s->time[s->next] : 0;
    bool moved = strlen(s->zone) != d->zone.n || memcmp(s->zone, d->zone.p, d->zone.n);
    if (same)
        return;
    for (struct worker *w = moved ? s->members : NULL; w; w = w->shift_next)
        day_settle(e, w);
    if (!shift_tell(e, s, d->zone, d->text) || !shift_times(e, s, time, n))
        return;
    for (struct worker *w = moved ? s->members : NULL; w; w = w->shift_next)
        day_settle(e, w);
    s->until_us = until_us;
    s->overtime_us = (int64_t)d->overtime_us;
    shift_seek(e, s);
    if (ended != (s->next < s->times ? s->time[s->next] : 0)) /* for whom it was too short, it may be long enough now */
        for (struct worker *w = s->members; w; w = w->shift_next)
            mask_clear(e, w);
    if (s->due_us == INT64_MIN)
        shift_turn(e, s); /* writes it */
    else
        shift_write(e, s);
}

void on_shifts(struct engine *e, const struct slp_msg *m)
{
    const struct slp_shifts *q = &m->u.shifts;
    struct hub *h = hub_session(e, q->session);
    if (!h || !shifts_ok(e, q) || !days_ok(e, q))
        return;
    if (memcmp(h->shifts_uploading, q->digest.p, 32) || !h->shift_mark) {
        memcpy(h->shifts_uploading, q->digest.p, 32);
        h->shift_mark++;
    }
    struct slp_cursor c = slp_each(q->shifts);
    struct slp_item_shift_def d;
    while (slp_next_shift_def(&c, &d) && !e->rc)
        shift_set(e, h, &d, q->until_wall_us);
    days_told(e, h, q);
    if (q->last) {
        for (struct shift *s = h->shifts; s; s = s->hub_next)
            s->listed = s->upload_mark == h->shift_mark;
        shifts_forget_unused(e, h);
        h->shift_mark++; /* the same digest again is another upload */
    }
    reply_done(e, q->shifts.count);
}

void on_shifts_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_shifts_get *q = &m->u.shifts_get;
    struct slp_shift_rows a = { 0 };
    uint32_t hub = 0, n = 0;
    if (SLP_IS(q, shifts_get, hub) && !(hub = name_find(e, NAME_HUB, q->hub.p, q->hub.n))) {
        reply_error(e, SLP_E_NOT_FOUND, "hub", "there is no hub %.*s", (int)q->hub.n, q->hub.p);
        return;
    }
    slp_buf_clear(&e->b1);
    for (uint64_t id = q->after; id++ < e->meta.shift && !e->rc;) {
        const struct shift *s = e->shift[id - 1];
        if (!s || (hub && s->hub->id != hub))
            continue;
        if (page_over(e, n)) {
            a.more = true;
            break;
        }
        slp_buf_clear(&e->b2);
        for (uint32_t i = 0; i < s->times; i++)
            slp_pack_u64(&e->b2, (uint64_t)s->time[i]);
        struct slp_item_shift_row row = { .shift = s->id,
                                          .hub = name_bytes(&s->hub->name),
                                          .name = { s->name, (uint32_t)strlen(s->name) },
                                          .zone = { s->zone, (uint32_t)strlen(s->zone) },
                                          .text = { s->text, (uint32_t)strlen(s->text) },
                                          .workers = s->workers,
                                          .on = s->on,
                                          .overtime_us = (uint64_t)s->overtime_us,
                                          .until_wall_us = s->until_us,
                                          .times = { e->b2.p, (uint32_t)e->b2.n, s->times } };
        slp_pack_item(&e->b1, SLP_ITEM_shift_row, &row);
        n++;
    }
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, n };
    reply(e, SLP_SHIFT_ROWS, &a);
}
