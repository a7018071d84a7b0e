/* Events: what the step did, as facts with gapless numbers, in the transaction that causes them. Changes of many units in one step are gathered
 * into few events of ranges. A step's events are one segment in EVENT:
 *
 *   n u16, then for each: line u32, run u32, hub u32, previous sequence in the line's, run's and hub's stream u64 each, the packed item
 *   (proto: item event) as u16 length and bytes
 *
 * The key is the first sequence. `all` needs no previous sequence of its own: it has no holes. */
#include "broker/engine/internal.h"

#define EVENT_ENTRY_BYTES 38
#define EVENT_DATA_MAX 3000
#define ACC_RANGES_MAX 150 /* of ranges in one gathered event: it must fit a value */

/* The segment in the making is whole. It is written at the batch's end: what batches write while they go on and what they write each time at their end would lie
 * mixed in the file, and cost a commit more pieces. */
static void segment_end(struct engine *e)
{
    if (!e->ev_n)
        return;
    if (e->evbuf.failed) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    struct evseg *v = grow(e, e->evseg, &e->evseg_cap, e->evsegs + 1, sizeof *v);
    if (!v)
        return;
    e->evseg = v;
    put_u16((uint8_t *)e->evbuf.p + e->ev_at, (uint16_t)e->ev_n);
    v[e->evsegs++] = (struct evseg){ e->ev_first, e->ev_at, e->evbuf.n - e->ev_at };
    e->ev_at = e->evbuf.n;
    e->ev_n = 0;
}

void ev_write(struct engine *e)
{
    segment_end(e); /* a tick that forgets what is old is in the midst of its own */
    for (uint32_t i = 0; i < e->evsegs; i++) {
        uint8_t k[8];
        key_u64(k, e->evseg[i].first);
        e_append(e, TABLE_EVENT, k, sizeof k, e->evbuf.p + e->evseg[i].at, e->evseg[i].n);
    }
    e->evsegs = 0;
    e->ev_at = 0;
    slp_buf_clear(&e->evbuf);
}

static void event_write(struct engine *e, enum event_type t, struct line *l, struct run *r, struct hub *h,
                        const struct slp_buf *data)
{
    uint8_t head[EVENT_ENTRY_BYTES], item[32];
    if (data->failed) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    assert(data->n <= EVENT_DATA_MAX + 600);
    if (e->ev_n && e->evbuf.n - e->ev_at + EVENT_ENTRY_BYTES + data->n + 24 > SL_SEGMENT_BYTES_MAX)
        segment_end(e);
    uint64_t seq = ++e->meta.event;
    if (!e->ev_n) {
        e->ev_first = seq;
        slp_buf_add(&e->evbuf, "\0", 2);
    }
    e->ev_n++;
    if (!e->out->first_event)
        e->out->first_event = seq;
    e->out->last_event = seq;
    struct rec rc = { head, 0, sizeof head, 0 };
    rec_u32(&rc, l ? l->id : 0);
    rec_u32(&rc, r ? r->id : 0);
    rec_u32(&rc, h ? h->id : 0);
    rec_u64(&rc, l ? l->last_event : 0);
    rec_u64(&rc, r ? r->last_event : 0);
    rec_u64(&rc, h ? h->last_event : 0);
    /* The item by hand: array of 4, seq u64, type fixint, wall i64, data. */
    struct rec it = { item, 0, sizeof item, 0 };
    rec_u8(&it, 0x94);
    rec_u8(&it, 0xcf);
    for (int i = 7; i >= 0; i--)
        rec_u8(&it, (uint8_t)(seq >> (8 * i)));
    rec_u8(&it, (uint8_t)t);
    rec_u8(&it, e->wall_us < 0 ? 0xd3 : 0xcf);
    for (int i = 7; i >= 0; i--)
        rec_u8(&it, (uint8_t)((uint64_t)e->wall_us >> (8 * i)));
    rec_u16(&rc, (uint16_t)(it.n + data->n));
    assert(!rc.bad && rc.n == EVENT_ENTRY_BYTES && (unsigned)t < 128);
    slp_buf_add(&e->evbuf, head, rc.n);
    slp_buf_add(&e->evbuf, item, it.n);
    slp_buf_add(&e->evbuf, data->p, data->n);
    if (l) {
        l->last_event = seq;
        line_dirty(e, l);
    }
    if (r) {
        r->last_event = seq;
        run_dirty(e, r);
    }
    if (h) {
        h->last_event = seq;
        hub_dirty(e, h);
    }
}

static void pack_ranges(struct slp_buf *b, const struct ranges *r)
{
    slp_pack_array(b, r->n * 2);
    for (uint32_t i = 0; i < r->n; i++) {
        slp_pack_u64(b, r->v[i].first);
        slp_pack_u64(b, r->v[i].count);
    }
}

static void acc_write(struct engine *e, struct evacc *a)
{
    struct slp_buf *b = &e->evdata;
    slp_buf_clear(b);
    bool on_units = a->type != EV_STARTED && a->type != EV_SUBMITTED;
    bool why = a->type == EV_TASKS_READY || a->type == EV_TASKS_WAITING;
    bool due = a->type == EV_TASKS_WAITING;
    slp_pack_map(b, (uint32_t)(2 + (a->st != NULL) + why + due + (a->hub != NULL) + 2 * (a->type == EV_SUBMITTED)));
    slp_pack_cstr(b, "run");
    slp_pack_u64(b, a->run->id);
    if (a->st) {
        slp_pack_cstr(b, "station");
        slp_pack_u64(b, a->st->id);
    }
    if (a->hub) {
        slp_pack_cstr(b, "hub");
        slp_pack_u64(b, a->hub->id);
    }
    slp_pack_cstr(b, on_units ? "units" : "assignments");
    pack_ranges(b, &a->r);
    if (why) {
        slp_pack_cstr(b, "why");
        slp_pack_u64(b, a->why);
    }
    if (due) {
        slp_pack_cstr(b, "due");
        slp_pack_u64(b, a->first);
    }
    if (a->type == EV_SUBMITTED) {
        slp_pack_cstr(b, "first");
        slp_pack_u64(b, a->first);
        slp_pack_cstr(b, "late");
        pack_ranges(b, &a->r2);
    }
    event_write(e, a->type, a->run->line, a->run, a->hub, b);
    ranges_clear(&a->r);
    ranges_clear(&a->r2);
}

/* Write what was gathered, in the order in which it began. */
static void gathered_write(struct engine *e)
{
    for (uint32_t i = 0; i < e->accs; i++)
        acc_write(e, &e->acc[i]);
    e->accs = 0;
}

void ev_order(struct engine *e)
{
    gathered_write(e);
}

static struct evacc *gather(struct engine *e, enum event_type t, struct run *r, struct station *s, struct hub *h,
                            uint8_t why)
{
    for (uint32_t i = e->accs; i-- > 0;) { /* few: a frame is mostly about one run and station */
        struct evacc *a = &e->acc[i];
        if (a->type == t && a->run == r && a->st == s && a->hub == h && a->why == why) {
            if (a->r.n < ACC_RANGES_MAX && a->r2.n < ACC_RANGES_MAX / 2)
                return a;
            break;
        }
    }
    if (e->accs == 256)
        gathered_write(e);
    uint32_t had = e->acc_cap;
    struct evacc *v = grow(e, e->acc, &e->acc_cap, e->accs + 1, sizeof *v);
    if (!v)
        return NULL;
    e->acc = v;
    if (e->acc_cap > had)
        memset(v + had, 0, (e->acc_cap - had) * sizeof *v);
    struct evacc *a = &e->acc[e->accs++];
    struct ranges keep = a->r, keep2 = a->r2;
    *a = (struct evacc){ .type = (uint8_t)t, .why = why, .run = r, .st = s, .hub = h, .r = keep, .r2 = keep2 };
    return a;
}

void ev_task(struct engine *e, enum event_type t, struct run *r, struct station *s, enum why why, uint64_t unit,
             uint64_t count)
{
    struct evacc *a = gather(e, t, r, s, NULL, (uint8_t)why);
    if (a)
        ranges_add(e, &a->r, unit, count);
}

void ev_waiting(struct engine *e, struct run *r, struct station *s, enum why why, int64_t due_us, uint64_t unit,
                uint64_t count)
{
    struct evacc *a = gather(e, EV_TASKS_WAITING, r, s, NULL, (uint8_t)why);
    if (a && a->r.total && a->first != (uint64_t)due_us) { /* an event has one due time */
        gathered_write(e);
        a = gather(e, EV_TASKS_WAITING, r, s, NULL, (uint8_t)why);
    }
    if (a) {
        a->first = (uint64_t)due_us;
        ranges_add(e, &a->r, unit, count);
    }
}

void ev_assign(struct engine *e, enum event_type t, struct aseg *s, uint64_t no, uint64_t result)
{
    struct evacc *a = gather(e, t, s->run, s->st, s->hub, 0);
    if (!a)
        return;
    if (t == EV_SUBMITTED) {
        if (a->r.total &&
            result != a->first + a->r.total) { /* another station's result came between: the numbers must follow */
            gathered_write(e);
            a = gather(e, t, s->run, s->st, s->hub, 0);
            if (!a)
                return;
        }
        if (!a->r.total)
            a->first = result;
        if (assign_entry(s, no)->state == ASSIGN_LATE)
            ranges_add(e, &a->r2, a->r.total, 1);
    }
    ranges_add(e, &a->r, no, 1);
}

void ev_data(struct engine *e, const char *const *keys, const uint64_t *values, uint32_t n, uint32_t more)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, n + more);
    for (uint32_t i = 0; i < n; i++) {
        slp_pack_cstr(&e->b3, keys[i]);
        slp_pack_u64(&e->b3, values[i]);
    }
}

void ev_emit(struct engine *e, enum event_type t, struct line *l, struct run *r, struct hub *h,
             const struct slp_buf *data)
{
    gathered_write(e);
    event_write(e, t, l, r, h, data);
}

/* The clock by which events grow old: it goes on by the time that passed, never beyond the wall clock. So a wall clock that is set days ahead and back
 * again costs no past; the time of a machine that was off counts from the next start but one. */
void ev_clock(struct engine *e, int64_t passed_us)
{
    int64_t us = e->keep_wall_us + passed_us;
    e->keep_wall_us = e->keep_wall_us == 0 || us > e->wall_us ? e->wall_us : us;
}

#define RETAIN_A_STEP 2 /* segments forgotten by a step that wrote any: more than it adds */
#define RETAIN_A_TICK 256

/* Forget what is older than is kept, at most so many segments, so that it never costs much at once. */
static void retain(struct engine *e, int segments)
{
    for (int i = 0; i < segments && !e->rc; i++) {
        if (e->meta.event - e->meta.oldest_event < e->cfg.event_keep_max &&
            e->keep_wall_us < e->ev_oldest_wall_us + e->cfg.event_keep_us)
            return;
        if (e->evsegs && e->meta.oldest_event >= e->evseg[0].first)
            ev_write(e);
        struct store_cursor c;
        uint8_t k[8];
        uint64_t next = 0;
        bool drop = false;
        enum store_rc rc = store_cursor_open(e->t, TABLE_EVENT, &c);
        if (rc == STORE_OK)
            rc = store_seek(&c, "", 0);
        if (rc == STORE_OK) {
            struct rdr r = rdr_on(c.val.p, c.val.n);
            uint16_t n = rdr_u16(&r);
            rdr_bytes(&r, EVENT_ENTRY_BYTES + 11 + 1);
            int64_t wall = 0;
            const uint8_t *w = rdr_bytes(&r, 8);
            if (w)
                wall = (int64_t)key_get_u64(w);
            e->ev_oldest_wall_us = wall;
            memcpy(k, c.key.p, 8);
            next = key_get_u64(k) + n;
            drop = next <= e->meta.event &&
                   (e->meta.event - next >= e->cfg.event_keep_max || wall + e->cfg.event_keep_us < e->keep_wall_us);
        } else if (rc != STORE_NOT_FOUND) {
            fail(e, rc);
        }
        store_cursor_close(&c);
        if (!drop)
            return;
        e_del(e, TABLE_EVENT, k, sizeof k);
        e->meta.oldest_event = next;
    }
}

void ev_retain(struct engine *e)
{
    retain(e, RETAIN_A_TICK);
}

void ev_flush(struct engine *e)
{
    uint64_t before = e->ev_flushed;
    gathered_write(e);
    segment_end(e);
    e->ev_flushed = e->meta.event;
    if (e->ev_flushed != before)
        retain(e, RETAIN_A_STEP);
}

void ev_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->acc_cap; i++) {
        ranges_free(&e->acc[i].r);
        ranges_free(&e->acc[i].r2);
    }
    free(e->acc);
    free(e->evseg);
    slp_buf_free(&e->evbuf);
    slp_buf_free(&e->evdata);
}
