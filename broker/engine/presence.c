/* Who is there of those who should be: see presence.h. Looked at by ticks, which come while any hub is connected; a record a hub, each ten minutes. While all
 * hubs are away nobody is looked at: it may be the broker that is cut off.
 *
 * Sessions live in memory only, so a hub that has not said hello since the broker's start is not looked at, until ABSENT_US have gone by: then it is away. */
#include "broker/engine/internal.h"

#define ABSENT_US 3600000000ll

static void presence_write(struct engine *e, const struct hub *h)
{
    uint8_t k[4], b[8 + PRESENCES * PRESENCE_BYTES];
    struct rec r = { b, 0, sizeof b, 0 };
    rec_i64(&r, h->presence.day);
    for (unsigned i = 0; i < PRESENCES; i++) {
        const struct presence *p = &h->presence.of[i];
        rec_u32(&r, p->weight);
        rec_u32(&r, p->samples);
        rec_u64(&r, p->expected);
        rec_u64(&r, p->present);
        rec_u64(&r, p->sum);
        rec_u64(&r, p->squares);
    }
    assert(!r.bad);
    key_u32(k, h->id);
    e_put(e, TABLE_PRESENCE, k, sizeof k, b, r.n);
}

bool presence_read(struct hub_presence *h, struct rdr *r)
{
    h->day = rdr_i64(r);
    for (unsigned i = 0; i < PRESENCES; i++) {
        struct presence *p = &h->of[i];
        p->weight = rdr_u32(r);
        p->samples = rdr_u32(r);
        p->expected = rdr_u64(r);
        p->present = rdr_u64(r);
        p->sum = rdr_u64(r);
        p->squares = rdr_u64(r);
    }
    return !r->bad;
}

static void add(struct presence *p, uint64_t expected, uint64_t present)
{
    if (!expected)
        return;
    p->expected += expected;
    p->present += present;
    p->samples++;
}

static void look(struct engine *e, struct hub *h)
{
    int64_t day = e->wall_us / PRESENCE_DAY_US;
    struct hub_presence *p = &h->presence;
    if (!h->greeted && e->now_us - e->boot_us < ABSENT_US)
        return;
    if (p->day != day)
        for (unsigned i = 0; i < PRESENCES; i++)
            presence_close(&p->of[i]);
    p->day = day;
    bool there = h->greeted && h->connected;
    uint64_t on = 0, on_in = 0, by_shift = 0, by_shift_in = 0;
    for (const struct shift *s = h->shifts; s; s = s->hub_next) {
        by_shift += s->workers;
        by_shift_in += s->signed_in;
        on += s->on ? s->workers : 0;
        on_in += s->on ? s->signed_in : 0;
    }
    add(&p->of[PRESENCE_BY_SHIFT], on, there ? on_in : 0);
    add(&p->of[PRESENCE_ANYTIME], h->workers - by_shift, there ? h->signed_in - by_shift_in : 0);
    presence_write(e, h);
}

void presence_tick(struct engine *e)
{
    int64_t slot = e->wall_us / PRESENCE_EVERY_US;
    if (slot == e->presence_slot)
        return;
    e->presence_slot = slot;
    for (uint32_t i = 0; i < e->meta.hub && !e->rc; i++)
        if (e->hub[i]->workers)
            look(e, e->hub[i]);
}

void presence_boot(struct engine *e)
{
    e->boot_us = e->now_us;
    e->presence_slot = e->wall_us / PRESENCE_EVERY_US;
    for (uint32_t i = 0; i < e->meta.hub; i++)
        e->hub[i]->greeted = false;
    for (uint32_t i = 0; i < e->meta.worker; i++)
        worker_at(e, i + 1)->result_wall_us = 0;
}

void presence_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_PRESENCE, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        uint32_t id = number_of_key(e, &c, 4, e->meta.hub);
        struct rdr r = rdr_on(c.val.p, c.val.n);
        if (id && !presence_read(&e->hub[id - 1]->presence, &r))
            fail(e, STORE_CORRUPT);
    }
    walked(e, rc);
    store_cursor_close(&c);
}
