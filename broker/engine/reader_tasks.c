/* TASKS_GET: pages through what is ready, waiting or dead at a station, without touching it. `next` is the key of the segment where the page ended,
 * the first unit in it that was not told, and how many stood there from it on; so it stays valid while the queue moves on: segments are used
 * up from the front, and where that unit itself has gone, as many from the end are told. */
#include "broker/engine/reader.h"

#define SEGMENTS_LOOKED_AT_MAX 5000 /* in one page */
#define PLACE_BYTES 16              /* the unit, what is left from it on */
#define MARK_BYTES_MAX (17 + PLACE_BYTES)

struct page {
    struct reader *r;
    const struct slp_tasks_get *q;
    uint32_t run, rows, limit;    /* run 0: all */
    uint8_t mark[MARK_BYTES_MAX]; /* where the page ends: a key, then the place in it; of the dead the key alone */
    size_t mark_n;
    bool more;
};

/* Until when a task rests that may have several entries in DELAY: those of others of its delays, and of rests that are over (copies.c, review.c). 0: it has one. */
static int64_t rest_us(struct reader *r, const struct rd_run *run, uint16_t idx, const uint8_t *t)
{
    const struct ld_station *s = &run->lv->stations[idx];
    bool copies = s->copies.max != 0, again = s->type == LD_IMPROVE || s->reviewed_by >= 0;
    int64_t until = 0;
    struct rd_assignment a;
    uint64_t no = copies || again ? get_u48(t + ST_ASSIGN) : 0;
    for (; no && rd_linked(r, run, no, &a); no = copies ? rd_earlier(r, &a) : 0)
        if (a.state > ASSIGN_STARTED && a.due_us > until)
            until = a.due_us;
    return until;
}

/* at_us: when its entry in DELAY is due. */
static bool tell(struct page *p, const struct rd_run *run, uint64_t unit, uint16_t idx, uint8_t state, int64_t at_us,
                 struct slp_bytes reason)
{
    int64_t due_us = at_us > p->r->elapsed_us ? at_us - p->r->elapsed_us : 0, rest;
    uint8_t buf[STATE_GROUP_BYTES_MAX], *h = rd_unit(p->r, run, unit, buf);
    if (!h || h[0] != UNIT_OPEN)
        return true;
    const uint8_t *t = h + STATE_UNIT_BYTES + STATE_STATION_BYTES * idx;
    if (t[0] != state)
        return true; /* stale */
    if (state == TASK_WAITING && (rest = rest_us(p->r, run, idx, t)) && rest != at_us)
        return true; /* told at the entry with which it comes back */
    if (p->r->rc)
        return false;
    if (p->rows == p->limit || p->r->b.n > PAGE_BYTES_MAX)
        return false;
    struct slp_item_task_row row = {
        .run_id = run->id, .unit = unit, .state = state, .attempts = t[1], .due_us = due_us, .reason = reason
    };
    if (state == TASK_WAITING)
        SLP_SET(&row, item_task_row, due_us);
    if (reason.n)
        SLP_SET(&row, item_task_row, reason);
    slp_pack_item(&p->r->b, SLP_ITEM_task_row, &row);
    p->rows++;
    return true;
}

struct place {
    uint64_t unit, left;
}; /* in a segment; unit 0: its beginning */

static struct place place_read(const char *p)
{
    return (struct place){ key_get_u64(p), key_get_u64(p + 8) };
}

static void mark_set(struct page *p, const void *key, size_t key_n, struct place at)
{
    memcpy(p->mark, key, key_n);
    key_u64(key_u64(p->mark + key_n, at.unit), at.left);
    p->mark_n = key_n + PLACE_BYTES;
    p->more = true;
}

static bool range_next(struct rdr *rd, uint64_t *at, uint64_t *first, uint64_t *count)
{
    *first = *at + (uint64_t)rdr_zigzag(rd);
    *count = rdr_varint(rd);
    *at = *first + *count;
    return !rd->bad;
}

/* How many of a segment's tasks come before the place. */
static uint64_t before_place(struct rdr rd, struct place from, uint64_t *total)
{
    uint64_t at = 0, first, count, found = UINT64_MAX;
    uint16_t n = rdr_u16(&rd);
    *total = 0;
    for (uint16_t i = 0; i < n && range_next(&rd, &at, &first, &count); i++) {
        if (from.unit >= first && from.unit < at)
            found = *total + (from.unit - first);
        *total += count;
    }
    return !from.unit ? 0 : found != UINT64_MAX ? found : *total > from.left ? *total - from.left : 0;
}

/* Tell a segment's ranges from a place on; false: the page is full, and the mark is set. */
static bool tell_ranges(struct page *p, const struct rd_run *run, uint16_t idx, uint8_t state, int64_t at_us,
                        struct rdr *rd, struct place from, const void *key, size_t key_n)
{
    uint64_t at = 0, first, count, total, skip = before_place(*rd, from, &total), place = 0;
    uint16_t n = rdr_u16(rd);
    for (uint16_t i = 0; i < n && range_next(rd, &at, &first, &count); place += count, i++)
        for (uint64_t k = skip > place ? skip - place : 0; k < count; k++)
            if (!tell(p, run, first + k, idx, state, at_us, (struct slp_bytes){ NULL, 0 })) {
                mark_set(p, key, key_n, (struct place){ first + k, total - place - k });
                return false;
            }
    if (rd->bad)
        p->r->rc = STORE_CORRUPT;
    return !rd->bad;
}

/* The run of a row, from the last row if it is the same one; false: it is over, or gone. */
static bool run_of(struct page *p, uint32_t id, uint16_t idx, struct rd_run *run)
{
    if ((!id || run->id != id) && !rd_run_get(p->r, id, run)) /* 0: none was read, and there is none */
        return false;
    if (idx >= run->lv->station_count) /* the station's record is not what it should be */
        p->r->rc = STORE_CORRUPT;
    return !p->r->rc && run->state <= RUN_CLOSED;
}

static void tasks_ready(struct page *p, uint16_t idx)
{
    uint8_t k[MARK_BYTES_MAX] = { 0 };
    struct rd_run run = { 0 };
    struct store_cursor c;
    size_t prefix = p->run ? 8 : 4, kn = prefix;
    static const struct place beginning;
    struct place from = beginning;
    uint32_t looked = 0;
    key_u32(key_u32(k, (uint32_t)p->q->station_id), p->run);
    if (p->q->after.n == 17 + PLACE_BYTES && !memcmp(p->q->after.p, k, prefix)) {
        memcpy(k, p->q->after.p, kn = 17);
        from = place_read(p->q->after.p + 17);
    }
    uint8_t want[17];
    memcpy(want, k, 17);
    enum store_rc rc = store_cursor_open(p->r->t, TABLE_READY, &c);
    for (rc = rc ? rc : store_seek(&c, k, kn); rc == STORE_OK && !memcmp(c.key.p, k, prefix) && !p->r->rc;
         rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        bool same = kn == 17 && !memcmp(c.key.p, want, 17);
        if (((const uint8_t *)c.key.p)[8] & READY_SKIPS)
            continue;
        if (looked++ == SEGMENTS_LOOKED_AT_MAX) {
            mark_set(p, c.key.p, 17, beginning);
            break;
        }
        if (!run_of(p, key_get_u32((const uint8_t *)c.key.p + 4), idx, &run))
            continue;
        if (!tell_ranges(p, &run, idx, TASK_READY, 0, &rd, same ? from : beginning, c.key.p, 17))
            break;
    }
    rd_walked(p->r, rc);
    store_cursor_close(&c);
}

static void tasks_waiting(struct page *p, uint16_t idx)
{
    uint8_t k[16] = { 0 };
    struct rd_run run = { 0 };
    struct store_cursor c;
    static const struct place beginning;
    struct place from = beginning;
    uint32_t looked = 0;
    if (p->q->after.n == 16 + PLACE_BYTES) {
        memcpy(k, p->q->after.p, 16);
        from = place_read(p->q->after.p + 16);
    }
    enum store_rc rc = store_cursor_open(p->r->t, TABLE_DELAY, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k); rc == STORE_OK && !p->r->rc; rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        int64_t due = (int64_t)key_get_u64(c.key.p);
        struct place at = memcmp(c.key.p, k, sizeof k) ? beginning : from;
        if (looked++ == SEGMENTS_LOOKED_AT_MAX) {
            mark_set(p, c.key.p, 16, beginning);
            break;
        }
        uint32_t station = rdr_u32(&rd), id = rdr_u32(&rd);
        if (rdr_u8(&rd) == WHY_OFFERED) /* does not wait: it is its author's until then */
            continue;
        if (station != p->q->station_id || (p->run && id != p->run) || !run_of(p, id, idx, &run))
            continue;
        if (!tell_ranges(p, &run, idx, TASK_WAITING, due, &rd, at, c.key.p, 16))
            break;
    }
    rd_walked(p->r, rc);
    store_cursor_close(&c);
}

static void tasks_dead(struct page *p, uint16_t idx)
{
    uint8_t k[16] = { 0 };
    struct rd_run run = { 0 };
    struct store_cursor c;
    size_t prefix = p->run ? 8 : 4, kn = prefix;
    key_u32(key_u32(k, (uint32_t)p->q->station_id), p->run);
    if (p->q->after.n == 16 && !memcmp(p->q->after.p, k, prefix))
        memcpy(k, p->q->after.p, kn = 16);
    enum store_rc rc = store_cursor_open(p->r->t, TABLE_DEAD, &c);
    for (rc = rc ? rc : store_seek(&c, k, kn); rc == STORE_OK && !memcmp(c.key.p, k, prefix) && !p->r->rc;
         rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        size_t n;
        rdr_bytes(&rd, 9);
        const char *reason = rdr_str(&rd, &n);
        if (!run_of(p, key_get_u32((const uint8_t *)c.key.p + 4), idx, &run))
            continue;
        if (!tell(p, &run, key_get_u64((const uint8_t *)c.key.p + 8), idx, TASK_DEAD, 0,
                  (struct slp_bytes){ reason, reason ? (uint32_t)n : 0 })) {
            memcpy(p->mark, c.key.p, p->mark_n = 16);
            p->more = true;
            break;
        }
    }
    rd_walked(p->r, rc);
    store_cursor_close(&c);
}

int rd_tasks(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_tasks_get *q = &m->u.tasks_get;
    struct page p = { .r = r, .q = q, .limit = q->limit ? (uint32_t)q->limit : 1000 };
    uint32_t line, version;
    uint16_t idx;
    if (q->station_id > UINT32_MAX || !rd_station(r, (uint32_t)q->station_id, &line, &version, &idx))
        return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "station_id", "there is no station of that number");
    if (SLP_IS(q, tasks_get, run) && !(p.run = rd_name(r, NAME_RUN, q->run)))
        return rd_refuse(out, m->id, SLP_E_NOT_FOUND, "run", "there is no run of that name");
    slp_buf_clear(&r->b);
    if (q->which == 0)
        tasks_ready(&p, idx);
    else if (q->which == 1)
        tasks_waiting(&p, idx);
    else
        tasks_dead(&p, idx);
    struct slp_tasks a = { .rows = { r->b.p, (uint32_t)r->b.n, p.rows } };
    if (p.more) {
        a.next = (struct slp_bytes){ (const char *)p.mark, (uint32_t)p.mark_n };
        SLP_SET(&a, tasks, next);
    }
    return r->b.failed ? -1 : rd_reply(out, SLP_TASKS, m->id, &a);
}
