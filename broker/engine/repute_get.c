/* What is measured of a worker, over all stations and at each, and how he stands there. */
#include "broker/engine/internal.h"
#include "broker/engine/standing.h"

static const struct {
    enum measure m;
    const char *of, *sum;
} shares[] = {
    { MEASURE_APPROVED, "approval", "accepted" },
    { MEASURE_RETURNED, "returned", "returned" },
    { MEASURE_GOLD, "gold", "right" },
    { MEASURE_AGREED, "agreement", "agreed" },
    { MEASURE_ABANDONED, "abandonment", "abandoned" },
    { MEASURE_WON, "tournaments", "won" },
    { MEASURE_BEATEN, "contestants", "beaten" },
};
static const struct {
    enum measure m;
    const char *of;
} times[] = { { MEASURE_LEASE, "lease" }, { MEASURE_ACTIVE, "active" } };

static void pack_pair(struct slp_buf *b, const char *key, uint64_t value)
{
    slp_pack_cstr(b, key);
    slp_pack_u64(b, value);
}

/* Each measure with anything in its window: how many things, of these how many so; of times the mean. */
static void pack_measures(struct slp_buf *b, const struct repute *r, int64_t within_us, int64_t wall_us)
{
    struct tally t[MEASURES];
    uint32_t n = 0;
    for (int m = 0; m < MEASURE_PACE; m++) {
        t[m] = repute_count(r, (enum measure)m, within_us, wall_us);
        n += t[m].n > 0;
    }
    slp_pack_cstr(b, "measures");
    slp_pack_map(b, n);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (t[shares[i].m].n) {
            slp_pack_cstr(b, shares[i].of);
            slp_pack_map(b, 2);
            pack_pair(b, "of", t[shares[i].m].n);
            pack_pair(b, shares[i].sum, t[shares[i].m].sum);
        }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (t[times[i].m].n) {
            slp_pack_cstr(b, times[i].of);
            slp_pack_map(b, 2);
            pack_pair(b, "of", t[times[i].m].n);
            pack_pair(b, "mean_us", t[times[i].m].sum * 1000 / t[times[i].m].n);
        }
}

/* At one station; false: it is of a line that is no more. */
static bool pack_station(struct engine *e, struct slp_buf *b, const struct repute *r)
{
    if (!r->key || r->key > e->meta.station || !station_latest(e, r->key)) {
        fail(e, STORE_CORRUPT);
        return false;
    }
    const struct station *s = station_latest(e, r->key);
    if (s->line->state == LINE_DELETED)
        return false;
    slp_pack_map(b, r->standing ? 6 : 4);
    slp_pack_cstr(b, "line");
    slp_pack_cstr(b, s->line->name.s);
    slp_pack_cstr(b, "station");
    slp_pack_str(b, s->def->name.p, s->def->name.n);
    slp_pack_cstr(b, "standing");
    slp_pack_cstr(b, standing_word(r->standing));
    if (r->standing) {
        slp_pack_cstr(b, "since_wall_us");
        slp_pack_i64(b, r->since_wall_us);
        slp_pack_cstr(b, "reason");
        slp_pack_str(b, r->reason, r->reason_n);
    }
    pack_measures(b, r, repute_within_us(e, s), e->wall_us);
    return true;
}

/* Of each station at which he has a record, as many as fit a frame; how many they are. Records that the batch has changed and not written yet count. */
static uint32_t pack_stations(struct engine *e, uint32_t worker, struct slp_buf *b)
{
    uint8_t k[8];
    uint32_t n = 0, after = 0;
    reputes_write(e);
    while (!e->rc && b->n < SL_FRAME_BYTES_MAX / 2) { /* a cursor must not stand while something else is asked */
        struct store_cursor c;
        struct repute r = { .worker = worker };
        key_u32(key_u32(k, worker), after + 1);
        enum store_rc rc = store_cursor_open(e->t, TABLE_REPUTE, &c);
        if (rc == STORE_OK)
            rc = store_seek(&c, k, sizeof k);
        bool here = rc == STORE_OK && !memcmp(c.key.p, k, 4);
        if (here) {
            r.key = after = key_get_u32((const uint8_t *)c.key.p + 4);
            if (!repute_decode(c.val, &r))
                fail(e, STORE_CORRUPT);
        } else {
            walked(e, rc);
        }
        store_cursor_close(&c);
        if (!here || e->rc)
            break;
        n += pack_station(e, b, &r);
    }
    return n;
}

void on_repute_get(struct engine *e, const struct slp_msg *m)
{
    struct slp_bytes name = m->u.repute_get.name;
    const struct worker *w = worker_by_name(e, name);
    if (!w) {
        reply_error(e, SLP_E_NOT_FOUND, "name", "there is no worker %.*s", (int)name.n, name.p);
        return;
    }
    slp_buf_clear(&e->b2);
    uint32_t n = pack_stations(e, w->id, &e->b2);
    struct repute *all = repute_of(e, w->id, 0);
    if (!all)
        return;
    slp_buf_clear(&e->b1);
    slp_pack_map(&e->b1, 4);
    slp_pack_cstr(&e->b1, "worker");
    slp_pack_u64(&e->b1, w->id);
    slp_pack_cstr(&e->b1, "class");
    slp_pack_u64(&e->b1, repute_class(e, w->id));
    pack_measures(&e->b1, all, WINDOW_WITHIN_US, e->wall_us);
    slp_pack_cstr(&e->b1, "stations");
    slp_pack_array(&e->b1, n);
    slp_buf_add(&e->b1, e->b2.p, e->b2.n);
    struct slp_repute a = { .story = { e->b1.p, (uint32_t)e->b1.n } };
    reply(e, SLP_REPUTE, &a);
}
