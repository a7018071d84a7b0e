/* The due-time index: DELAY holds, under the elapsed time at which they are due, ranges of tasks that wait. Durable, so a delay survives
 * restarts; in elapsed time, so a clock that is set changes nothing. Entries may be stale, as in queue.c. */
#include "broker/engine/internal.h"

#define DELAY_KEY 16
#define DELAY_SEGMENTS_A_TICK 64 /* the rest at the next tick: a million tasks due at once must not stop the others */

static void delay_key(uint8_t *k, int64_t due_us, uint64_t seq)
{
    key_u64(key_u64(k, (uint64_t)due_us), seq);
}

static void look_at_head(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_DELAY, &c);
    if (rc == STORE_OK)
        rc = store_seek(&c, "", 0);
    e->delay_due_us = rc == STORE_OK ? (int64_t)key_get_u64(c.key.p) : INT64_MAX;
    walked(e, rc);
    store_cursor_close(&c);
}

void delay_open(struct engine *e)
{
    look_at_head(e);
}

void delay_put(struct engine *e, struct rq *q, int64_t due_us, enum why why, const struct ranges *r)
{
    for (uint32_t from = 0; from < r->n;) {
        uint32_t n = r->n - from < RANGES_MAX ? r->n - from : RANGES_MAX;
        uint8_t k[DELAY_KEY], b[SL_SEGMENT_BYTES_MAX + 512];
        struct rec rc = { b, 0, sizeof b, 0 };
        rec_u32(&rc, q->st->id);
        rec_u32(&rc, q->run->id);
        rec_u8(&rc, (uint8_t)why);
        ranges_write(&rc, r, from, n);
        assert(!rc.bad);
        delay_key(k, due_us, ++e->meta.delay);
        e_put(e, TABLE_DELAY, k, sizeof k, b, rc.n);
        from += n;
    }
    if (due_us < e->delay_due_us)
        e->delay_due_us = due_us;
}

void delay_add(struct engine *e, struct rq *q, int64_t due_us, enum why why, const struct ranges *r)
{
    delay_put(e, q, due_us, why, r);
    for (uint32_t i = 0; i < r->n; i++)
        ev_waiting(e, q->run, q->st, why, due_us, r->v[i].first, r->v[i].count);
}

static void segment_due(struct engine *e, const uint8_t *b, size_t n)
{
    struct rdr rd = rdr_on(b, n);
    uint32_t station = rdr_u32(&rd), run = rdr_u32(&rd);
    enum why why = rdr_u8(&rd);
    struct ranges r = { 0 };
    if (!ranges_read(e, &rd, &r) || !run || run > e->meta.run || !station || station > e->meta.station) {
        fail(e, STORE_CORRUPT);
        return;
    }
    struct run *rn = e->run[run - 1];
    struct station *st = e->station[station - 1];
    if (rn && rn->state <= RUN_CLOSED) {
        struct rq *q = &rn->rq[st->idx];
        for (uint32_t i = 0; i < r.n; i++)
            for (uint64_t u = r.v[i].first; u < r.v[i].first + r.v[i].count; u++) {
                if (why == WHY_OFFERED) {
                    review_offer(e, rn, u, st->idx);
                    continue;
                }
                uint8_t *h = unit_head(e, rn, u, true);
                if (!h || h[UH_STATE] != UNIT_OPEN || unit_station(h, st->idx)[ST_STATE] != TASK_WAITING)
                    continue;
                if (has_copies(st) && copies_rest_us(e, get_u48(unit_station(h, st->idx) + ST_ASSIGN)) > e->now_us)
                    continue; /* another of its delays is not over, and has its own entry */
                if (may_come_again(st) && review_rest_us(e, get_u48(unit_station(h, st->idx) + ST_ASSIGN)) > e->now_us)
                    continue; /* this entry is of a rest that a late result had ended */
                task_set(e, rn, h, st->idx, TASK_READY);
                queue_ready(e, q, why == WHY_NEW ? LANE_FRESH : LANE_RETURNED, u, WHY_DELAY);
                nobody_check(e, q, u);
            }
    }
    ranges_free(&r);
}

void delay_tick(struct engine *e)
{
    for (uint32_t left = portion(e, DELAY_SEGMENTS_A_TICK); left && e->delay_due_us <= e->now_us && !e->rc; left--) {
        uint8_t k[DELAY_KEY], b[SL_VALUE_BYTES_MAX];
        struct store_cursor c;
        size_t n = 0;
        enum store_rc rc = store_cursor_open(e->t, TABLE_DELAY, &c);
        if (rc == STORE_OK)
            rc = store_seek(&c, "", 0);
        if (rc == STORE_OK && c.key.n == sizeof k) {
            memcpy(k, c.key.p, sizeof k);
            memcpy(b, c.val.p, n = c.val.n);
        } else { /* under another key it would stand there, and be due, for ever */
            fail(e, rc == STORE_NOT_FOUND || rc == STORE_OK ? STORE_CORRUPT : rc);
        }
        store_cursor_close(&c);
        if (e->rc)
            return;
        e_del(e, TABLE_DELAY, k, sizeof k);
        segment_due(e, b, n);
        look_at_head(e);
    }
}
