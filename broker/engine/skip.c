/* What a worker need not look at again. He declined a task, answered it, or did what it builds upon: that is for ever, so where his first task in a
 * queue can be is remembered, and a queue that begins with a million tasks of his own costs him what one that begins with somebody else's does.
 *
 * For each lane of a queue and worker who met that many of them: a cursor (all segments before it hold nothing for him; in its own the units up to one,
 * where units ascend in it), and spans of segments behind it that hold nothing for him, coalesced as they were appended. Positions only grow and
 * what was appended is never put before anything, so what was true stays true. It is only a memory of what looking would find: it changes costs, never
 * who gets what; a start begins without it, and finds what was stored as soon as somebody has looked in vain for long.
 *
 * Of a task with copies that he holds and may give back it is not so: the cursor stops before the first of these.
 *
 * Stored where the queue is, in READY, under the lane with its highest bit set and the worker in the place of the position; written each time that
 * another stretch was learned, deleted with the run or when the queue is empty. */
#include "broker/engine/internal.h"

#define SPANS_MAX 128
#define SPAN_WORTH 64    /* positions: a shorter span is quicker looked at */
#define WRITE_EVERY 1024 /* looks; positions of a span: 64 */

struct span {
    uint64_t from, to;
};
struct skip {
    struct rq *q;
    enum lane lane;
    uint32_t worker, n, cap;
    uint64_t seg, unit, unwritten; /* unwritten: looks and positions since it was stored */
    bool stored;
    struct span *v;
    struct skip *slot_next, *q_next;
};

static uint32_t slot_of(const struct engine *e, const struct rq *q, enum lane l, uint32_t worker)
{
    uint64_t h = q->run->id * 0x9E3779B97F4A7C15ull ^ (q->st->id * 2u + l) * 0xC2B2AE3D27D4EB4Full ^
                 worker * 0x165667B19E3779F9ull;
    return (uint32_t)(h >> 32) & (e->skip_slots - 1);
}

static void key_of(uint8_t k[17], const struct rq *q, enum lane l, uint32_t worker)
{
    key_u64(key_u8(key_u32(key_u32(k, q->st->id), q->run->id), (uint8_t)(READY_SKIPS | l)), worker);
}

static bool slots_double(struct engine *e)
{
    uint32_t n = e->skip_slots ? e->skip_slots * 2 : 64, was = e->skip_slots;
    struct skip **v = calloc(n, sizeof(struct skip *)), **old = e->skip_slot;
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    e->skip_slots = n;
    for (uint32_t i = 0; i < was; i++)
        for (struct skip *k = old[i], *next; k; k = next) {
            uint32_t at = slot_of(e, k->q, k->lane, k->worker);
            next = k->slot_next;
            k->slot_next = v[at];
            v[at] = k;
        }
    free(old);
    e->skip_slot = v;
    return true;
}

struct skip *skip_find(const struct engine *e, const struct rq *q, enum lane l, const struct worker *w)
{
    if (!q->skips)
        return NULL;
    for (struct skip *k = e->skip_slot[slot_of(e, q, l, w->id)]; k; k = k->slot_next)
        if (k->q == q && k->lane == l && k->worker == w->id)
            return k;
    return NULL;
}

static void read_stored(struct engine *e, struct skip *k)
{
    uint8_t key[17];
    struct store_val v;
    key_of(key, k->q, k->lane, k->worker);
    if (!e_get(e, TABLE_READY, key, sizeof key, &v))
        return;
    struct rdr r = rdr_on(v.p, v.n);
    k->stored = true;
    k->seg = rdr_u64(&r);
    k->unit = rdr_u64(&r);
    uint16_t n = rdr_u16(&r);
    if (n > SPANS_MAX) {
        fail(e, STORE_CORRUPT);
        return;
    }
    struct span *s = grow(e, k->v, &k->cap, n + 1u, sizeof *s);
    if (!s)
        return;
    k->v = s;
    for (; k->n < n; k->n++) {
        uint64_t from = rdr_u64(&r);
        s[k->n] = (struct span){ from, rdr_u64(&r) };
    }
    if (r.bad)
        fail(e, STORE_CORRUPT);
}

struct skip *skip_make(struct engine *e, struct rq *q, enum lane l, const struct worker *w)
{
    struct skip *k = skip_find(e, q, l, w);
    if (k)
        return k;
    if (e->skips >= e->skip_slots && !slots_double(e))
        return NULL;
    k = e->free_skips;
    if (k) {
        e->free_skips = k->q_next;
        *k = (struct skip){ .v = k->v, .cap = k->cap };
    } else if (!(k = calloc(1, sizeof *k))) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    k->q = q;
    k->lane = l;
    k->worker = w->id;
    uint32_t at = slot_of(e, q, l, w->id);
    k->slot_next = e->skip_slot[at];
    e->skip_slot[at] = k;
    k->q_next = q->skips;
    q->skips = k;
    e->skips++;
    read_stored(e, k);
    return k;
}

static void write_down(struct engine *e, struct skip *k)
{
    uint8_t key[17], b[SPANS_MAX * 16 + 32];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_u64(&rc, k->seg);
    rec_u64(&rc, k->unit);
    rec_u16(&rc, (uint16_t)k->n);
    for (uint32_t i = 0; i < k->n; i++) {
        rec_u64(&rc, k->v[i].from);
        rec_u64(&rc, k->v[i].to);
    }
    assert(!rc.bad);
    key_of(key, k->q, k->lane, k->worker);
    e_put(e, TABLE_READY, key, sizeof key, b, rc.n);
    k->stored = true;
    k->unwritten = 0;
}

uint64_t skip_past(const struct skip *k, uint64_t pos)
{
    if (pos < k->seg)
        pos = k->seg;
    for (uint32_t i = 0; i < k->n; i++)
        if (pos >= k->v[i].from && pos < k->v[i].to)
            pos = k->v[i].to;
    return pos;
}

uint64_t skip_unit(const struct skip *k, uint64_t seg)
{
    return k->seg == seg ? k->unit : 0;
}

void skip_looked(struct engine *e, struct skip *k, uint64_t seg, uint64_t unit, uint32_t looks)
{
    uint32_t kept = 0;
    if (seg < k->seg || (seg == k->seg && unit <= k->unit))
        return;
    k->seg = seg;
    k->unit = unit;
    for (uint32_t i = 0; i < k->n; i++)
        if (k->v[i].to > seg)
            k->v[kept++] = k->v[i];
    k->n = kept;
    k->unwritten += looks;
    if (k->unwritten >= WRITE_EVERY)
        write_down(e, k);
}

void skip_appended(struct engine *e, struct skip *k, uint64_t from, uint64_t to)
{
    struct span *last = k->n ? &k->v[k->n - 1] : NULL;
    if (last && last->to == from) {
        last->to = to;
    } else if (last && last->to - last->from < SPAN_WORTH) {
        *last = (struct span){ from, to };
    } else {
        if (k->n == SPANS_MAX) /* the oldest are soon behind the cursor */
            memmove(k->v, k->v + 1, --k->n * sizeof *k->v);
        struct span *v = grow(e, k->v, &k->cap, k->n + 1, sizeof *v);
        if (!v)
            return;
        k->v = v;
        last = &v[k->n++];
        *last = (struct span){ from, to };
    }
    k->unwritten += (to - from) * (WRITE_EVERY / SPAN_WORTH);
    if (k->unwritten >= WRITE_EVERY)
        write_down(e, k);
}

static void drop(struct engine *e, struct skip *k, bool from_store)
{
    struct skip **at = &e->skip_slot[slot_of(e, k->q, k->lane, k->worker)];
    while (*at != k)
        at = &(*at)->slot_next;
    *at = k->slot_next;
    if (k->stored && from_store) {
        uint8_t key[17];
        key_of(key, k->q, k->lane, k->worker);
        e_del(e, TABLE_READY, key, sizeof key);
    }
    k->q_next = e->free_skips;
    e->free_skips = k;
    e->skips--;
}

void skips_forget(struct engine *e, struct rq *q, const struct worker *w)
{
    for (struct skip **at = &q->skips, *k; (k = *at) != NULL;)
        if (!w || k->worker == w->id) {
            *at = k->q_next;
            drop(e, k, true);
        } else {
            at = &k->q_next;
        }
}

void skips_boot(struct engine *e)
{
    for (uint32_t i = 0; e->run && i < e->meta.run; i++)
        for (uint32_t s = 0; e->run[i] && s < e->run[i]->lv->station_count; s++)
            skips_run_free(e, &e->run[i]->rq[s]);
}

void skips_run_free(struct engine *e, struct rq *q)
{
    while (q->skips) {
        struct skip *k = q->skips;
        q->skips = k->q_next;
        drop(e, k, false);
    }
}

void skips_free(struct engine *e)
{
    skips_boot(e);
    for (struct skip *k = e->free_skips, *next; k; k = next) {
        next = k->q_next;
        free(k->v);
        free(k);
    }
    free(e->skip_slot);
}
