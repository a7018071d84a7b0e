/* Days: how many tasks a worker has had today, of all stations if his roster limits that, and of each station that limits it (limits.c).
 *
 * A day is one in his own zone: that of his shift, else of his hub. The broker knows no zones; a hub tells, with its shifts, when the coming days begin in each
 * of its zones. Beyond what was told days have 24 hours; where nothing was told they are those of UTC.
 *
 * What counts is what he was given since the day began and has not handed back: an assignment that ends without a result and without an attempt that
 * counted comes off again, if it was given today. Counting begins when there is a limit; what he had before it was told is not known. Who comes to another zone
 * begins anew where it is another day, and going back does not bring back what he had had before: what is over is over.
 *
 * Only those counts are kept that a limit asks for, a record each. A count is today's if it was begun since midnight; an older one is nothing. A heap over
 * all of them, by the end of their day, tells when workers who had as many as they may are asked again, a chunk of them in a tick.
 *
 * Flat: one given task costs a look at the worker's few counts, and the record of each that grew, once a batch. */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define DAY_US 86400000000ll
#define CHUNK 4000 /* counts that end in one tick */

struct day {
    struct worker *w;
    struct day *next, *dirty_next; /* of the worker; of those to be written */
    uint32_t station;              /* of a limit; 0: of all stations */
    uint32_t n, heap_i;
    int64_t since_us, end_us; /* wall: when counting began; when the day ends */
    bool dirty, stored, over; /* over: to be forgotten when it is written */
};

/* ---- zones ---- */

static struct zone_days *zone_find(const struct hub *h, const char *name, size_t n)
{
    for (struct zone_days *z = h->zones; z; z = z->next)
        if (strlen(z->name) == n && !memcmp(z->name, name, n))
            return z;
    return NULL;
}

static struct zone_days *zone_make(struct engine *e, struct hub *h, const char *name, size_t n)
{
    struct zone_days *z = zone_find(h, name, n);
    if (z)
        return z;
    if (!(z = calloc(1, sizeof *z + n + 1))) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    memcpy(z->name, name, n);
    z->next = h->zones;
    h->zones = z;
    return z;
}

static size_t zone_key(uint8_t *k, const struct hub *h, const struct zone_days *z)
{
    size_t n = strlen(z->name);
    memcpy(key_u32(key_u32(k, 0), h->id), z->name, n);
    return 8 + n;
}

static void zone_write(struct engine *e, const struct hub *h, const struct zone_days *z)
{
    uint8_t k[8 + SL_NAME_BYTES_MAX], b[2 + 8 * SL_ZONE_DAYS_MAX];
    struct rec r = { b, 0, sizeof b, 0 };
    rec_u16(&r, (uint16_t)z->n);
    for (uint32_t i = 0; i < z->n; i++)
        rec_i64(&r, z->at[i]);
    assert(!r.bad);
    e_put(e, TABLE_DAY, k, zone_key(k, h, z), b, r.n);
}

/* The day of this worker at that wall time: from <= wall < to. */
static void day_of(const struct engine *e, const struct worker *w, int64_t wall, int64_t *from, int64_t *to)
{
    const struct hub *h = e->hub[w->hub - 1];
    const struct zone_days *z = w->shift && *w->shift->zone /* it was told, not only named by a roster */
                                    ? zone_find(h, w->shift->zone, strlen(w->shift->zone))
                                    : zone_find(h, h->zone.s, h->zone.n);
    int64_t near = 0; /* a midnight; days of 24 hours lie around it */
    uint32_t i = 0;
    while (z && i < z->n && z->at[i] <= wall)
        i++;
    if (z && i > 0 && i < z->n) {
        *from = z->at[i - 1];
        *to = z->at[i];
        return;
    }
    if (z && z->n)
        near = z->at[i ? i - 1 : 0];
    int64_t days = (wall - near) / DAY_US - ((wall - near) % DAY_US < 0);
    *from = near + days * DAY_US;
    *to = *from + DAY_US;
}

int64_t day_ends(const struct engine *e, const struct worker *w)
{
    int64_t from, to;
    day_of(e, w, e->wall_us, &from, &to);
    return to;
}

/* ---- the heap of ends ---- */

static bool sooner(const struct day *a, const struct day *b)
{
    if (a->end_us != b->end_us)
        return a->end_us < b->end_us;
    return a->w->id != b->w->id ? a->w->id < b->w->id : a->station < b->station;
}

static void place(struct engine *e, uint32_t i, struct day *d)
{
    e->day_heap[i] = d;
    d->heap_i = i + 1;
}

static void heap_fix(struct engine *e, struct day *d)
{
    uint32_t i = d->heap_i - 1;
    for (; i && sooner(d, e->day_heap[(i - 1) / 2]); i = (i - 1) / 2)
        place(e, i, e->day_heap[(i - 1) / 2]);
    for (uint32_t kid; (kid = 2 * i + 1) < e->day_heap_n; i = kid) {
        if (kid + 1 < e->day_heap_n && sooner(e->day_heap[kid + 1], e->day_heap[kid]))
            kid++;
        if (!sooner(e->day_heap[kid], d))
            break;
        place(e, i, e->day_heap[kid]);
    }
    place(e, i, d);
}

static void heap_remove(struct engine *e, struct day *d)
{
    uint32_t i = d->heap_i - 1;
    struct day *last = e->day_heap[--e->day_heap_n];
    d->heap_i = 0;
    if (last != d) {
        place(e, i, last);
        heap_fix(e, last);
    }
}

/* ---- counts ---- */

static struct day *find(const struct worker *w, uint32_t station)
{
    struct day *d = w->days;
    while (d && d->station != station)
        d = d->next;
    return d;
}

static void dirty(struct engine *e, struct day *d)
{
    if (d->dirty)
        return;
    d->dirty = true;
    d->dirty_next = e->dirty_days;
    e->dirty_days = d;
    e->dirty_days_n++;
}

static struct day *make(struct engine *e, struct worker *w, uint32_t station)
{
    struct day **v = grow(e, e->day_heap, &e->day_heap_cap, e->day_heap_n + 1, sizeof *v);
    if (v)
        e->day_heap = v;
    struct day *d = v ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    d->w = w;
    d->station = station;
    d->end_us = INT64_MAX;
    d->next = w->days;
    w->days = d;
    place(e, e->day_heap_n++, d);
    return d;
}

/* Is it a count of today? When does that end? Of who is on no roster nobody knows which day it will be where he comes back. */
static bool is_today(const struct engine *e, const struct day *d, int64_t wall, int64_t *end)
{
    int64_t from, to;
    if (!d->w->on_roster) {
        *end = d->since_us + 2 * DAY_US;
        return wall < *end;
    }
    day_of(e, d->w, wall, &from, &to);
    bool is = d->since_us >= from && d->since_us < to;
    *end = is ? to : from;
    return is;
}

static bool today(struct engine *e, struct day *d, int64_t wall)
{
    bool is = is_today(e, d, wall, &d->end_us);
    heap_fix(e, d);
    return is;
}

/* Over, whatever day it is where he works next. */
static void nothing(struct engine *e, struct day *d)
{
    if (!d->n)
        return;
    d->n = 0;
    dirty(e, d);
    mask_clear_days(e, d->w); /* by the days that are told next it may be today, which no tick ends soon */
    match_worker(e, d->w);
}

static uint32_t used(const struct engine *e, const struct worker *w, uint32_t station)
{
    const struct day *d = find(w, station);
    int64_t end;
    return d && d->n && is_today(e, d, e->wall_us, &end) ? d->n : 0;
}

uint32_t day_used(const struct engine *e, const struct worker *w, const struct station *s)
{
    return used(e, w, s ? s->limit->station : 0);
}

bool day_full(const struct engine *e, const struct worker *w)
{
    return w->per_day && used(e, w, 0) >= w->per_day;
}

bool day_full_at(const struct engine *e, const struct worker *w, const struct station *s)
{
    return s->limit->per_day && used(e, w, s->limit->station) >= s->limit->per_day;
}

static void count(struct engine *e, struct worker *w, uint32_t station)
{
    struct day *d = find(w, station);
    if (!d && !(d = make(e, w, station)))
        return;
    if (!d->n || !today(e, d, e->wall_us)) {
        d->n = 0;
        d->since_us = e->wall_us;
        today(e, d, e->wall_us);
        mask_clear_days(e, w); /* another version of the station may have kept him out */
    }
    if (d->since_us > e->wall_us) /* the clock was set back */
        d->since_us = e->wall_us;
    d->n++;
    dirty(e, d);
}

void day_count(struct engine *e, struct worker *w, const struct station *s)
{
    /* What comes off again must have been counted, be there a limit at the moment or not. */
    if (w->per_day || used(e, w, 0))
        count(e, w, 0);
    if (s->limit->per_day || used(e, w, s->limit->station))
        count(e, w, s->limit->station);
}

static bool uncount(struct engine *e, struct worker *w, uint32_t station, int64_t given_wall_us)
{
    struct day *d = find(w, station);
    if (!d || !d->n || given_wall_us < d->since_us || !today(e, d, e->wall_us))
        return false;
    d->n--;
    dirty(e, d);
    return true;
}

void day_uncount(struct engine *e, struct worker *w, const struct station *s, int64_t given_wall_us)
{
    if (!w->days)
        return;
    if (uncount(e, w, s->limit->station, given_wall_us))
        mask_clear_days(e, w);
    if (uncount(e, w, 0, given_wall_us))
        match_worker(e, w);
}

void day_settle(struct engine *e, struct worker *w)
{
    for (struct day *d = w->days; d; d = d->next)
        if (!today(e, d, e->wall_us))
            nothing(e, d);
}

void days_settle(struct engine *e, const struct hub *h)
{
    for (struct worker *w = h->members; w; w = w->hub_next)
        day_settle(e, w);
}

/* The clock was set: nothing is where it was in the heap. */
void days_anew(struct engine *e)
{
    for (uint32_t i = 0; i < e->day_heap_n; i++) {
        struct day *d = e->day_heap[i];
        is_today(e, d, e->wall_us, &d->end_us);
    }
    for (uint32_t i = e->day_heap_n / 2; i-- > 0;) { /* Floyd: from the leaves up */
        struct day *d = e->day_heap[i];
        uint32_t at = i;
        for (uint32_t kid; (kid = 2 * at + 1) < e->day_heap_n; at = kid) {
            if (kid + 1 < e->day_heap_n && sooner(e->day_heap[kid + 1], e->day_heap[kid]))
                kid++;
            if (!sooner(e->day_heap[kid], d))
                break;
            place(e, at, e->day_heap[kid]);
        }
        place(e, at, d);
    }
}

/* ---- when days end ---- */

static bool due(const struct engine *e)
{
    return e->day_heap_n && e->day_heap[0]->end_us <= e->wall_us;
}

static void forget(struct engine *e, struct day *d)
{
    struct day **at = &d->w->days;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    heap_remove(e, d);
    d->over = true;
    dirty(e, d); /* freed when its record is gone */
}

void days_tick(struct engine *e)
{
    for (uint32_t n = portion(e, CHUNK); n && due(e) && !e->rc; n--) {
        struct day *d = e->day_heap[0];
        struct worker *w = d->w;
        if (today(e, d, e->wall_us))
            continue; /* the day became longer meanwhile */
        forget(e, d);
        mask_clear_days(e, w);
        match_worker(e, w);
    }
}

bool days_backlog(const struct engine *e)
{
    return due(e);
}

int64_t days_next_due(const struct engine *e)
{
    if (!e->day_heap_n)
        return INT64_MAX;
    int64_t in = due(e) ? 0 : e->day_heap[0]->end_us - e->wall_us;
    return from_now(e, in);
}

/* ---- records ---- */

static int by_key(const void *a, const void *b)
{
    const struct day *x = *(struct day *const *)a, *y = *(struct day *const *)b;
    if (x->w->id != y->w->id)
        return order_of(x->w->id, y->w->id);
    if (x->station != y->station)
        return order_of(x->station, y->station);
    return order_of(y->over, x->over); /* what was forgotten, then what began anew in the same batch */
}

static void day_write(struct engine *e, struct day *d)
{
    uint8_t k[8], b[12];
    struct rec r = { b, 0, sizeof b, 0 };
    key_u32(key_u32(k, d->w->id), d->station);
    d->dirty = false;
    if (d->over) {
        if (d->stored)
            e_del(e, TABLE_DAY, k, sizeof k);
        free(d);
        return;
    }
    rec_i64(&r, d->since_us);
    rec_u32(&r, d->n);
    e_put(e, TABLE_DAY, k, sizeof k, b, r.n);
    d->stored = true;
}

void days_write(struct engine *e)
{
    if (!e->dirty_days)
        return;
    struct day **v = grow(e, e->day_list, &e->day_list_cap, e->dirty_days_n, sizeof *v);
    if (!v)
        return;
    e->day_list = v;
    uint32_t n = 0;
    for (struct day *d = e->dirty_days; d; d = d->dirty_next)
        v[n++] = d;
    e->dirty_days = NULL;
    e->dirty_days_n = 0;
    sort(e, v, n, sizeof *v, by_key);
    for (uint32_t i = 0; i < n; i++)
        day_write(e, v[i]);
}

static bool zone_load(struct engine *e, const struct store_cursor *c, struct rdr r)
{
    uint32_t hub = key_get_u32((const uint8_t *)c->key.p + 4), n = rdr_u16(&r);
    struct zone_days *z = NULL;
    if (hub && hub <= e->meta.hub && c->key.n - 8 <= SL_NAME_BYTES_MAX && n <= SL_ZONE_DAYS_MAX)
        z = zone_make(e, e->hub[hub - 1], (const char *)c->key.p + 8, c->key.n - 8);
    for (uint32_t i = 0; z && i < n; i++)
        z->at[z->n++] = rdr_i64(&r);
    return z && !r.bad;
}

static bool day_load(struct engine *e, const struct store_cursor *c, struct rdr r)
{
    uint32_t id = key_get_u32(c->key.p), station = key_get_u32((const uint8_t *)c->key.p + 4);
    struct day *d = NULL;
    if (c->key.n == 8 && id <= e->meta.worker && worker_at(e, id) && station <= e->meta.station)
        d = make(e, worker_at(e, id), station);
    if (!d)
        return false;
    d->since_us = rdr_i64(&r);
    d->n = rdr_u32(&r);
    d->stored = true;
    today(e, d, e->meta.wall_us);
    return !r.bad;
}

void days_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_DAY, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct rdr r = rdr_on(c.val.p, c.val.n);
        bool ok = c.key.n >= 8 && (key_get_u32(c.key.p) ? day_load(e, &c, r) : zone_load(e, &c, r));
        if (!ok)
            fail(e, STORE_CORRUPT);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void days_free(struct engine *e)
{
    for (struct day *d = e->dirty_days, *next; d; d = next) { /* of a batch that did not end */
        next = d->dirty_next;
        if (d->over)
            free(d);
    }
    for (uint32_t i = 0; i < e->day_heap_n; i++)
        free(e->day_heap[i]);
    for (uint32_t i = 0; i < e->hub_cap; i++)
        for (struct zone_days *z = e->hub[i] ? e->hub[i]->zones : NULL, *next; z; z = next) {
            next = z->next;
            free(z);
        }
    free(e->day_heap);
    free(e->day_list);
}

/* ---- what hubs tell ---- */

bool days_ok(struct engine *e, const struct slp_shifts *q)
{
    struct slp_cursor c = slp_each(q->zones);
    struct slp_item_zone_days z;
    for (uint32_t i = 0; slp_next_zone_days(&c, &z); i++) {
        struct slp_cursor t = slp_each(z.days);
        uint64_t v, last = 0;
        bool ok = z.zone.n > 0;
        while (ok && slp_next_u64(&t, &v)) {
            ok = v > last && v < INT64_MAX / 2;
            last = v;
        }
        if (ok)
            continue;
        char place_[40];
        snprintf(place_, sizeof place_, "zones[%u]", i);
        reply_error(e, SLP_E_BAD_VALUE, place_,
                    "zone '%.*s' needs a name and ascending times, the midnights of its days", (int)z.zone.n, z.zone.p);
        return false;
    }
    return true;
}

void days_told(struct engine *e, struct hub *h, const struct slp_shifts *q)
{
    struct slp_cursor c = slp_each(q->zones);
    bool changed = false;
    for (struct slp_item_zone_days d; slp_next_zone_days(&c, &d) && !e->rc;) {
        int64_t at[SL_ZONE_DAYS_MAX];
        uint32_t n = 0;
        struct slp_cursor t = slp_each(d.days);
        for (uint64_t v; n < SL_ZONE_DAYS_MAX && slp_next_u64(&t, &v);)
            at[n++] = (int64_t)v;
        struct zone_days *z = zone_make(e, h, d.zone.p, d.zone.n);
        if (!z)
            return;
        z->mark = h->shift_mark;
        if (n == z->n && (!n || !memcmp(at, z->at, n * sizeof *at)))
            continue;
        if (!changed)
            days_settle(e, h);
        memcpy(z->at, at, n * sizeof *at);
        z->n = n;
        zone_write(e, h, z);
        changed = true;
    }
    for (struct zone_days **p = &h->zones; q->last && *p;) {
        struct zone_days *z = *p;
        uint8_t k[8 + SL_NAME_BYTES_MAX];
        if (z->mark == h->shift_mark) {
            p = &z->next;
            continue;
        }
        if (!changed)
            days_settle(e, h);
        e_del(e, TABLE_DAY, k, zone_key(k, h, z));
        *p = z->next;
        free(z);
        changed = true;
    }
    if (changed)
        days_settle(e, h);
}
