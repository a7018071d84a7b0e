/* Usual arrivals of each line: see arrivals.h.
 *
 * What comes in is counted in the head of its run, which is written with each put anyway: no record more in the batches that must be fast. The sum of the
 * hour under way is made of the runs' heads at a start. When the hour is over (the first tick or put after it tells), the line's own records are written: its hour,
 * and the day of the week that changed. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

static struct arrivals *arrivals_of(struct engine *e, struct line *l)
{
    if (!l->arrivals && !(l->arrivals = calloc(1, sizeof *l->arrivals)))
        fail(e, STORE_NO_MEMORY);
    return l->arrivals;
}

static void arrivals_dirty(struct engine *e, struct line *l)
{
    struct line **v = grow(e, e->dirty_arrival, &e->dirty_arrival_cap, e->dirty_arrivals + 1, sizeof *v);
    if (!v || l->arrivals->dirty)
        return;
    e->dirty_arrival = v;
    e->dirty_arrival[e->dirty_arrivals++] = l;
    l->arrivals->dirty = true;
}

static void hour_is(struct engine *e, struct line *l)
{
    int64_t hour = e->wall_us / HOUR_US;
    if (l->arrivals->hour == hour)
        return;
    arrivals_until(l->arrivals, hour);
    arrivals_dirty(e, l);
}

void arrivals_add(struct engine *e, struct run *r, uint64_t units)
{
    struct line *l = r->line;
    bool first = !l->arrivals;
    struct arrivals *a = arrivals_of(e, l);
    if (!a)
        return;
    if (first) {
        a->hour = e->wall_us / HOUR_US;
        arrivals_dirty(e, l);
    }
    hour_is(e, l);
    if (r->hour != a->hour)
        r->hour_units = 0;
    r->hour = a->hour;
    r->hour_units += units;
    a->count += units;
}

void arrivals_forget(struct engine *e, struct run *r)
{
    struct arrivals *a = r->line->arrivals;
    if (!a || r->hour != a->hour || !r->hour_units)
        return;
    a->gone += r->hour_units;
    arrivals_dirty(e, r->line);
}

void arrivals_tick(struct engine *e)
{
    int64_t hour = e->wall_us / HOUR_US;
    if (e->arrival_hour == hour)
        return;
    e->arrival_hour = hour;
    for (uint32_t i = 0; i < e->meta.line && !e->rc; i++)
        if (e->line[i]->arrivals)
            hour_is(e, e->line[i]);
}

static void arrivals_write(struct engine *e, const struct line *l)
{
    const struct arrivals *a = l->arrivals;
    uint8_t k[5], b[24 * 20];
    key_u32(k, l->id);
    for (unsigned day = 0; day < 7; day++) {
        struct rec r = { b, 0, sizeof b, 0 };
        if (!(a->days >> day & 1))
            continue;
        for (unsigned i = 0; i < 24; i++) {
            const struct arrival_hour *u = &a->usual[day * 24 + i];
            rec_u32(&r, u->weight);
            rec_u64(&r, u->sum);
            rec_u64(&r, u->squares);
        }
        assert(!r.bad);
        k[4] = (uint8_t)(day + 1);
        e_put(e, TABLE_ARRIVAL, k, sizeof k, b, r.n);
    }
    struct rec r = { b, 0, sizeof b, 0 };
    rec_i64(&r, a->hour);
    rec_u64(&r, a->gone);
    k[4] = 0;
    e_put(e, TABLE_ARRIVAL, k, sizeof k, b, r.n);
}

static int by_line(const void *a, const void *b)
{
    const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;
    return order_of(x->id, y->id);
}

void all_arrivals_write(struct engine *e)
{
    if (e->dirty_arrivals)
        sort(e, e->dirty_arrival, e->dirty_arrivals, sizeof *e->dirty_arrival, by_line);
    for (uint32_t i = 0; i < e->dirty_arrivals; i++) {
        arrivals_write(e, e->dirty_arrival[i]);
        e->dirty_arrival[i]->arrivals->dirty = false;
        e->dirty_arrival[i]->arrivals->days = 0;
    }
    e->dirty_arrivals = 0;
}

bool arrivals_read(struct arrivals *a, unsigned piece, struct rdr *r)
{
    if (piece == 0) {
        a->hour = rdr_i64(r);
        a->gone = rdr_u64(r);
    }
    for (unsigned i = 0; piece && piece <= 7 && i < 24; i++) {
        struct arrival_hour *u = &a->usual[(piece - 1) * 24 + i];
        u->weight = rdr_u32(r);
        u->sum = rdr_u64(r);
        u->squares = rdr_u64(r);
    }
    return !r->bad && piece <= 7;
}

void arrivals_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_ARRIVAL, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        uint32_t id = key_get_u32(c.key.p);
        struct arrivals *a = id && id <= e->meta.line ? arrivals_of(e, e->line[id - 1]) : NULL;
        struct rdr r = rdr_on(c.val.p, c.val.n);
        if (c.key.n != 5 || !a || !arrivals_read(a, ((const uint8_t *)c.key.p)[4], &r))
            fail(e, STORE_CORRUPT);
    }
    walked(e, rc);
    store_cursor_close(&c);
    for (uint32_t i = 0; i < e->meta.line && !e->rc; i++)
        if (e->line[i] && e->line[i]->arrivals)
            e->line[i]->arrivals->count = e->line[i]->arrivals->gone;
    for (uint32_t i = 0; i < e->meta.run && !e->rc; i++) {
        const struct run *r = e->run[i];
        struct arrivals *a = r ? r->line->arrivals : NULL;
        if (a && r->hour == a->hour)
            a->count += r->hour_units;
    }
    e->arrival_hour = -1;
}

void arrivals_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->line_cap; i++) /* what was loaded before an open failed, too */
        if (e->line[i])
            free(e->line[i]->arrivals);
    free(e->dirty_arrival);
}
