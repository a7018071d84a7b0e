/* How long the tasks of a station take, from start to result: a histogram of the latest few hundred, kept in the store, so that a restart changes nothing.
 * All in integers. A bucket is a quarter of an octave of milliseconds, so a percentile is at most 25% too high and never too low.
 *
 * The first EVERY results all count, later ones at most one each INTERVAL_US: under load the record is written a few times a second, not with each
 * batch. At WINDOW all counts are halved: what was long ago fades. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define EVERY 64
#define INTERVAL_US 100000ll
#define WINDOW 512
#define ENOUGH 20 /* fewer say nothing: the lease stands for them */
#define AT_ONCE_US 10000000ll

static unsigned bucket_of(uint64_t ms)
{
    if (ms < 4)
        return (unsigned)ms;
    unsigned log = 63 - (unsigned)__builtin_clzll(ms), i = 4 * (log - 1) + (unsigned)(ms >> (log - 2) & 3);
    return i < PACE_BUCKETS ? i : PACE_BUCKETS - 1;
}

static void halve(struct pace *p)
{
    p->count = 0;
    for (unsigned i = 0; i < PACE_BUCKETS; i++)
        p->count += p->bucket[i] /= 2;
    p->total_us /= 2;
    p->busy_n /= 2;
    p->taken_us /= 2;
    p->active_n /= 2;
    p->active_us /= 2;
}

static void measure(struct pace *p)
{
    uint64_t n = 0;
    unsigned i = 0;
    while (i < PACE_BUCKETS - 1 && (n += p->bucket[i]) * 10 < p->count * 9)
        i++;
    p->usual_us = (int64_t)pace_bucket_end_ms(i) * 1000;
}

static struct pace *pace_of(struct engine *e, struct station *st)
{
    if (!st->pace && !(st->pace = calloc(1, sizeof *st->pace)))
        fail(e, STORE_NO_MEMORY);
    return st->pace;
}

/* What a worker who has enough to do is taken up by a task: from his last result to this one, pauses and ways between included. Only of those who had this one by
 * then, or got it at once: whoever waited for work tells nothing of that, nor does one who does several at a time. 0: he tells nothing. */
static int64_t taken_us(const struct engine *e, const struct worker *w, int64_t assigned_wall_us, int64_t us)
{
    if (w->capacity != 1 || !w->result_wall_us || assigned_wall_us > w->result_wall_us + AT_ONCE_US)
        return 0;
    int64_t taken = e->wall_us - w->result_wall_us;
    return taken < us ? us : taken > SL_LEASE_US_MAX ? SL_LEASE_US_MAX : taken;
}

void pace_add(struct engine *e, struct station *st, const struct aentry *a, int64_t assigned_wall_us)
{
    struct worker *w = worker_at(e, a->worker);
    int64_t us = a->started_wall_us ? e->wall_us - a->started_wall_us : (int64_t)a->active_us;
    int64_t taken = taken_us(e, w, assigned_wall_us, us);
    w->result_wall_us = e->wall_us;
    if (us <= 0 || us > SL_LEASE_US_MAX)
        return; /* not told, or a clock was set meanwhile */
    struct pace *p = pace_of(e, st);
    if (!p || (p->count >= EVERY && e->now_us < p->next_us))
        return;
    if (!p->dirty) {
        struct station **v = grow(e, e->dirty_pace, &e->dirty_pace_cap, e->dirty_paces + 1, sizeof *v);
        if (!v)
            return;
        e->dirty_pace = v;
        e->dirty_pace[e->dirty_paces++] = st;
        p->dirty = true;
    }
    int64_t was = pace_usual_us(st); /* the lease, while too little is measured */
    p->next_us = e->now_us + INTERVAL_US;
    p->bucket[bucket_of((uint64_t)us / 1000)]++;
    p->total_us += (uint64_t)us;
    if (taken) {
        p->busy_n++;
        p->taken_us += (uint64_t)taken;
    }
    if (a->active_us && a->active_us <= SL_LEASE_US_MAX) {
        p->active_n++;
        p->active_us += a->active_us;
    }
    if (++p->count >= WINDOW)
        halve(p);
    measure(p);
    if (pace_usual_us(st) < was && st->gate) /* for whom the shift was too short, it may be long enough */
        masks_news(e, st->gate - 1);
}

int64_t pace_usual_us(const struct station *st)
{
    return st->pace && st->pace->count >= ENOUGH ? st->pace->usual_us : st->def->lease_us;
}

uint64_t pace_active_us(const struct station *st)
{
    return st->pace && st->pace->active_n ? st->pace->active_us / st->pace->active_n : 0;
}

static void pace_write(struct engine *e, const struct station *st)
{
    const struct pace *p = st->pace;
    uint8_t k[4], b[64 + PACE_BUCKETS * 3];
    struct rec r = { b, 0, sizeof b, 0 };
    uint16_t used = 0;
    for (unsigned i = 0; i < PACE_BUCKETS; i++)
        used += p->bucket[i] > 0;
    rec_u64(&r, p->total_us);
    rec_i64(&r, p->next_us);
    rec_u16(&r, used);
    for (unsigned i = 0; i < PACE_BUCKETS; i++)
        if (p->bucket[i]) {
            rec_u8(&r, (uint8_t)i);
            rec_u16(&r, (uint16_t)p->bucket[i]);
        }
    rec_u64(&r, p->active_n);
    rec_u64(&r, p->active_us);
    rec_u64(&r, p->busy_n);
    rec_u64(&r, p->taken_us);
    assert(!r.bad);
    key_u32(k, st->id);
    e_put(e, TABLE_PACE, k, sizeof k, b, r.n);
}

static int by_station(const void *a, const void *b)
{
    const struct station *x = *(struct station *const *)a, *y = *(struct station *const *)b;
    return order_of(x->id, y->id);
}

void paces_write(struct engine *e)
{
    if (e->dirty_paces)
        sort(e, e->dirty_pace, e->dirty_paces, sizeof *e->dirty_pace, by_station);
    for (uint32_t i = 0; i < e->dirty_paces; i++) {
        pace_write(e, e->dirty_pace[i]);
        e->dirty_pace[i]->pace->dirty = false;
    }
    e->dirty_paces = 0;
}

bool pace_read(struct pace *p, struct rdr *r)
{
    p->total_us = rdr_u64(r);
    p->next_us = rdr_i64(r);
    uint16_t used = rdr_u16(r);
    while (used-- && !r->bad) {
        unsigned i = rdr_u8(r);
        uint32_t n = rdr_u16(r);
        if (i >= PACE_BUCKETS)
            r->bad = 1;
        else
            p->count += p->bucket[i] = n;
    }
    if (r->p < r->end) { /* 0.1.0 kept none */
        p->active_n = rdr_u64(r);
        p->active_us = rdr_u64(r);
        p->busy_n = rdr_u64(r);
        p->taken_us = rdr_u64(r);
    }
    return !r->bad;
}

void paces_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_PACE, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        uint32_t id = number_of_key(e, &c, 4, e->meta.station);
        struct pace *p = id ? pace_of(e, e->station[id - 1]) : NULL;
        struct rdr r = rdr_on(c.val.p, c.val.n);
        if (!p)
            break;
        if (!pace_read(p, &r))
            fail(e, STORE_CORRUPT);
        measure(p);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void paces_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->station_cap; i++) /* what was loaded before an open failed, too */
        if (e->station[i])
            free(e->station[i]->pace);
    free(e->dirty_pace);
}
