/* Hubs and the sessions of their agents. A session lives in memory only: after a restart of either side the agent says hello again, tells
 * what it holds, and both make good the difference. Assignments are durable and do not notice.
 *
 * A silent hub: after three heartbeats it gets no new work; after its grace what it has not started goes elsewhere. What is started keeps its
 * lease. The agent fences itself a margin earlier, by its own clock. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define CLOCK_OFF_MAX_US (120ll * 1000000)
#define HUB_BITS 20

/* ---- records ---- */

static struct hub *hub_new(struct engine *e, uint32_t id)
{
    struct hub **v = grow(e, e->hub, &e->hub_cap, id, sizeof *v);
    struct hub *h = v ? calloc(1, sizeof *h) : NULL;
    if (v)
        e->hub = v;
    if (!h) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    h->id = id;
    e->hub[id - 1] = h;
    return h;
}

static void hub_write(struct engine *e, struct hub *h)
{
    uint8_t k[4], b[320];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_str(&rc, h->name.s, h->name.n);
    rec_str(&rc, h->zone.s, h->zone.n);
    rec_u64(&rc, h->incarnation);
    rec_bytes(&rc, h->data_id, sizeof h->data_id);
    rec_bytes(&rc, h->roster_digest, sizeof h->roster_digest);
    rec_i64(&rc, h->seen_wall_us);
    rec_i64(&rc, h->grace_us);
    rec_u64(&rc, h->last_event);
    assert(!rc.bad);
    key_u32(k, h->id);
    e_put(e, TABLE_HUB, k, sizeof k, b, rc.n);
    h->dirty = false;
}

void hubs_write(struct engine *e)
{
    for (uint32_t i = 0; i < e->dirty_hubs; i++) {
        const char *next = (const char *)e->dirty_hub[i + 1 < e->dirty_hubs ? i + 1 : i];
        for (size_t at = 0; at < offsetof(struct hub, uploading); at += LINE_PAIR / 2)
            __builtin_prefetch(next + at);
        hub_write(e, e->dirty_hub[i]);
    }
    e->dirty_hubs = 0;
}

void hub_dirty(struct engine *e, struct hub *h)
{
    if (h->dirty)
        return;
    struct hub **v = grow(e, e->dirty_hub, &e->dirty_hub_cap, e->dirty_hubs + 1, sizeof *v);
    if (!v)
        return;
    e->dirty_hub = v;
    e->dirty_hub[e->dirty_hubs++] = h;
    h->dirty = true;
}

void hubs_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_HUB, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct rdr r = rdr_on(c.val.p, c.val.n);
        size_t n, zn;
        const char *name = rdr_str(&r, &n), *zone = rdr_str(&r, &zn);
        if (r.bad || n > SL_NAME_BYTES_MAX || zn > SL_NAME_BYTES_MAX) {
            fail(e, STORE_CORRUPT);
            break;
        }
        uint32_t id = number_of_key(e, &c, 4, e->meta.hub);
        struct hub *h = id ? hub_new(e, id) : NULL;
        if (!h)
            break;
        name_set(&h->name, name, n);
        name_set(&h->zone, zone, zn);
        h->incarnation = rdr_u64(&r);
        const uint8_t *d = rdr_bytes(&r, sizeof h->data_id), *g = rdr_bytes(&r, sizeof h->roster_digest);
        if (d)
            memcpy(h->data_id, d, sizeof h->data_id);
        if (g)
            memcpy(h->roster_digest, g, sizeof h->roster_digest);
        h->seen_wall_us = rdr_i64(&r);
        h->grace_us = rdr_i64(&r);
        h->last_event = rdr_u64(&r);
        h->seen_us = e->now_us;
        if (r.bad || name_find(e, NAME_HUB, name, n) != h->id)
            fail(e, STORE_CORRUPT);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void hubs_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->hub_cap; i++)
        free(e->hub[i]);
    free(e->hub);
}

/* ---- sessions ---- */

static bool anybody(const struct worker *w)
{
    (void)w;
    return true;
}

static void session_event(struct engine *e, struct hub *h, bool connected)
{
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 6);
    slp_pack_cstr(&e->b3, "hub");
    slp_pack_u64(&e->b3, h->id);
    slp_pack_cstr(&e->b3, "name");
    slp_pack_cstr(&e->b3, h->name.s);
    slp_pack_cstr(&e->b3, "zone");
    slp_pack_cstr(&e->b3, h->zone.s);
    slp_pack_cstr(&e->b3, "signed_in");
    slp_pack_u64(&e->b3, h->signed_in);
    slp_pack_cstr(&e->b3, "session");
    slp_pack_u64(&e->b3, h->session);
    slp_pack_cstr(&e->b3, "connected");
    slp_pack_bool(&e->b3, connected);
    ev_emit(e, EV_HUB_SESSION, NULL, NULL, h, &e->b3);
}

static void sign_off_all(struct engine *e, struct hub *h)
{
    for (struct worker *w = h->members; w; w = w->hub_next) {
        worker_sign_off(e, w);
        w->granted = w->sent = 0;
    }
}

void hubs_boot(struct engine *e)
{
    for (uint32_t i = 0; i < e->meta.hub; i++) {
        struct hub *h = e->hub[i];
        sign_off_all(e, h);
        h->connected = h->handed_back = false;
        h->full = h->holding >= SL_HELD_ITEMS_MAX;
        h->session = 0;
        h->seen_us = e->now_us; /* the grace of hubs that have not come back counts from here */
    }
}

/* See who is silent at this moment, if not before. */
static void look_at(struct engine *e, int64_t at_us)
{
    if (!e->hub_check_us || e->hub_check_us > at_us)
        e->hub_check_us = at_us;
}

struct hub *hub_session(struct engine *e, uint64_t session)
{
    uint64_t id = session & ((1u << HUB_BITS) - 1);
    struct hub *h = id && id <= e->meta.hub ? e->hub[id - 1] : NULL;
    if (h)
        __builtin_prefetch((const char *)h + LINE_PAIR / 2, 1);
    if (!h || !session || h->session != session) {
        reply_error(e, SLP_E_NO_SESSION, "session", "say hello first");
        return NULL;
    }
    h->peer = e->in->peer; /* a link that reconnected by itself comes from another peer */
    h->seen_us = e->now_us;
    h->seen_wall_us = e->wall_us;
    hub_dirty(e, h);
    h->handed_back = false;
    if (!h->connected) {
        h->connected = true;
        look_at(e, h->seen_us + 3 * e->cfg.heartbeat_us + 1);
        session_event(e, h, true);
        for (struct worker *w = h->members; w; w = w->hub_next)
            match_worker(e, w);
    }
    return h;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return order_of(x, y);
}

struct numbers {
    uint64_t *v;
    size_t n, cap;
};

static void number_add(struct engine *e, struct numbers *s, uint64_t no)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        uint64_t *v = realloc(s->v, cap * sizeof *v);
        if (!v) {
            fail(e, STORE_NO_MEMORY);
            return;
        }
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = no;
}

static bool number_in(const struct numbers *s, uint64_t no)
{
    return s->n && bsearch(&no, s->v, s->n, sizeof no, by_number);
}

static uint32_t pack_numbers(struct slp_buf *b, const struct numbers *s)
{
    uint32_t n = s->n < SL_HELD_ITEMS_MAX / 2 ? (uint32_t)s->n : SL_HELD_ITEMS_MAX / 2;
    slp_buf_clear(b);
    for (uint32_t i = 0; i < n; i++)
        slp_pack_u64(b, s->v[i]);
    return n;
}

/* What the agent holds against what the broker says it holds. */
static void welcome(struct engine *e, struct hub *h, const struct slp_hello *q)
{
    static const uint8_t none[32]; /* no roster has come yet */
    struct numbers held = { 0 }, live = { 0 }, recalled = { 0 }, missing = { 0 };
    struct slp_cursor c = slp_each(q->held);
    for (uint64_t no; slp_next_u64(&c, &no);)
        number_add(e, &held, no);
    for (struct aseg *s = h->asegs; s; s = s->hub_next)
        for (uint32_t i = 0; i < s->n; i++)
            if (s->e[i].state <= ASSIGN_STARTED)
                number_add(e, &live, s->first + i);
    if (held.n)
        qsort(held.v, held.n, sizeof *held.v, by_number);
    if (live.n)
        qsort(live.v, live.n, sizeof *live.v, by_number);
    for (size_t i = 0; i < held.n; i++)
        if (!number_in(&live, held.v[i]))
            number_add(e, &recalled, held.v[i]);
    for (size_t i = 0; i < live.n; i++)
        if (!number_in(&held, live.v[i]))
            number_add(e, &missing, live.v[i]);
    if (!e->rc) {
        uint32_t nr = pack_numbers(&e->b1, &recalled), nm = pack_numbers(&e->b2, &missing);
        struct slp_welcome a = { .session = h->session,
                                 .heartbeat_us = (uint64_t)e->cfg.heartbeat_us,
                                 .grace_us = (uint64_t)h->grace_us,
                                 .roster_wanted = !memcmp(h->roster_digest, none, 32) ||
                                                  memcmp(h->roster_digest, q->roster_digest.p, 32) != 0,
                                 .recalled = { e->b1.p, (uint32_t)e->b1.n, nr },
                                 .missing = { e->b2.p, (uint32_t)e->b2.n, nm },
                                 .hub_id = h->id,
                                 .wall_us = e->wall_us,
                                 .store_id = { (const char *)store_id(e->store), 16 } };
        SLP_SET(&a, welcome, missing);
        SLP_SET(&a, welcome, store_id);
        reply(e, SLP_WELCOME, &a);
        assign_push_again(e, h, missing.v, missing.n);
    }
    free(held.v);
    free(live.v);
    free(recalled.v);
    free(missing.v);
}

/* How far a clock is ahead of what it should show; behind it: less than 0. */
static int64_t ahead_us(int64_t clock, int64_t should)
{
    int64_t off;
    if (__builtin_sub_overflow(clock, should, &off) || off == INT64_MIN)
        off = clock < 0 ? -INT64_MAX : INT64_MAX;
    return off;
}

static bool clock_is_off(int64_t off)
{
    return off > CLOCK_OFF_MAX_US || off < -CLOCK_OFF_MAX_US;
}

static void clock_refused(struct engine *e, int64_t off, const char *then)
{
    reply_error(e, SLP_E_CLOCK_OFF, "wall_us", "the hub's clock is %lld s %s the broker's: set it by NTP%s",
                (long long)((off < 0 ? -off : off) / 1000000), off < 0 ? "behind" : "ahead of", then);
}

void on_hello(struct engine *e, const struct slp_msg *m)
{
    const struct slp_hello *q = &m->u.hello;
    static const uint8_t none[16];
    int64_t off = ahead_us(q->wall_us, e->wall_us);
    if (q->data_id.n != 16 || q->roster_digest.n != 32) {
        reply_error(e, SLP_E_BAD_VALUE, q->data_id.n != 16 ? "data_id" : "roster_digest",
                    "a data_id has 16 bytes, a digest 32");
        return;
    }
    if (clock_is_off(off)) {
        clock_refused(e, off, ", then start again");
        return;
    }
    uint32_t id = name_find(e, NAME_HUB, q->hub.p, q->hub.n);
    struct hub *h = id ? e->hub[id - 1] : NULL;
    if (h && memcmp(h->data_id, none, 16) && memcmp(h->data_id, q->data_id.p, 16) && !q->takeover) {
        reply_error(e, SLP_E_OTHER_AGENT, "data_id",
                    "hub %s is served from another data directory; --takeover replaces it", h->name.s);
        return;
    }
    if (h && !memcmp(h->data_id, q->data_id.p, 16) && q->incarnation < h->incarnation) {
        reply_error(
            e, SLP_E_TAKEN_OVER, "incarnation",
            "a newer agent serves hub %s: stop one of the two; what this one has not sent is sent when it is started "
            "again alone",
            h->name.s);
        return;
    }
    if (!h) {
        if (e->meta.hub + 1 >= 1u << HUB_BITS) {
            reply_error(e, SLP_E_BUSY, "hub", "no more hubs");
            return;
        }
        if (!(h = hub_new(e, e->meta.hub + 1)))
            return;
        e->meta.hub++;
        name_set(&h->name, q->hub.p, q->hub.n);
        name_put(e, NAME_HUB, q->hub.p, q->hub.n, h->id);
        hub_named_check(e, h);
    }
    sign_off_all(e, h);
    bool moved = h->zone.n != q->zone.n || (q->zone.n && memcmp(h->zone.s, q->zone.p, q->zone.n));
    if (moved)
        days_settle(e, h);
    name_set(&h->zone, q->zone.p, q->zone.n);
    if (moved)
        days_settle(e, h);
    h->incarnation = q->incarnation;
    memcpy(h->data_id, q->data_id.p, 16);
    h->grace_us = SLP_IS(q, hello, grace_us) && q->grace_us && q->grace_us < INT64_MAX / 2 ? (int64_t)q->grace_us
                                                                                           : e->cfg.grace_us;
    h->session = ((e->session_seed + ++e->sessions) & 0xfffffffffffull) << HUB_BITS | h->id;
    h->peer = e->in->peer;
    h->push_no = 0;
    h->seen_us = e->now_us;
    h->seen_wall_us = e->wall_us;
    h->connected = h->greeted = true;
    h->handed_back = h->clock_off = false;
    h->wall_at_hello_us = e->wall_us - e->now_us;
    hub_dirty(e, h);
    memset(h->uploading, 0, sizeof h->uploading);
    look_at(e, e->now_us + 1000000);
    session_event(e, h, true);
    welcome(e, h, q);
}

/* Its clock may have been set since hello. If the broker's was, it is not the hub's fault: then it is right by what the broker's would show. */
static bool clock_right(struct engine *e, struct hub *h, int64_t wall_us)
{
    int64_t off = ahead_us(wall_us, e->wall_us);
    bool is_off = clock_is_off(off) && clock_is_off(ahead_us(wall_us, h->wall_at_hello_us + e->now_us)),
         was_off = h->clock_off;
    h->clock_off = is_off;
    for (struct worker *w = is_off != was_off ? h->members : NULL; w; w = w->hub_next)
        match_worker(e, w);
    if (is_off && !was_off) {
        hub_hand_back(e, h, anybody);
        recalls_flush(e);
    }
    if (is_off)
        clock_refused(e, off, "; until then it begins no work");
    return !is_off;
}

void on_heartbeat(struct engine *e, const struct slp_msg *m)
{
    struct hub *h = hub_session(e, m->u.heartbeat.session);
    if (!h || !clock_right(e, h, m->u.heartbeat.wall_us))
        return;
    struct slp_heartbeat_ack a = { .last_push = h->push_no, .wall_us = e->wall_us };
    reply(e, SLP_HEARTBEAT_ACK, &a);
}

void hub_hand_back(struct engine *e, struct hub *h, bool (*which)(const struct worker *))
{
    for (struct aseg *s = h->asegs; s && !e->rc; s = s->hub_next)
        for (uint32_t i = 0; i < s->n; i++)
            if (s->e[i].state == ASSIGN_HANDED && which(worker_at(e, s->e[i].worker))) {
                task_return(e, s, s->first + i, WHY_RECALLED, "", 0);
                recall(e, h, s->first + i, 5);
            }
}

void on_bye(struct engine *e, const struct slp_msg *m)
{
    struct hub *h = hub_session(e, m->u.bye.session);
    if (!h)
        return;
    sign_off_all(e, h);
    hub_hand_back(e, h, anybody);
    recalls_flush(e);
    session_event(e, h, false);
    h->session = 0;
    h->connected = false;
    h->handed_back = true;
    hub_dirty(e, h);
    reply_done(e, 0);
}

void hubs_tick(struct engine *e)
{
    if (!e->hub_check_us || e->now_us < e->hub_check_us)
        return;
    int64_t next =
        INT64_MAX; /* the first moment at which one of them can be silent for too long, if it says nothing more */
    for (uint32_t i = 0; i < e->meta.hub; i++) {
        struct hub *h = e->hub[i];
        int64_t silent = e->now_us - h->seen_us;
        if (h->connected && silent > 3 * e->cfg.heartbeat_us) {
            h->connected = false;
            hub_dirty(e, h);
            for (struct worker *w = h->members; w; w = w->hub_next)
                match_worker(e, w);
            session_event(e, h, false);
        }
        if (!h->handed_back && !h->connected && silent > h->grace_us) {
            hub_hand_back(e, h, anybody);
            h->handed_back = true;
            h->session = 0; /* over: what it still holds is compared at its next hello */
        }
        int64_t at = h->connected      ? h->seen_us + 3 * e->cfg.heartbeat_us + 1
                     : !h->handed_back ? h->seen_us + h->grace_us + 1
                                       : INT64_MAX;
        if (at < next)
            next = at;
    }
    e->hub_check_us = next == INT64_MAX ? 0 : next; /* an idle broker writes nothing meanwhile */
}

/* ---- credit and presence ---- */

static bool just_signed_off(const struct worker *w)
{
    return w->signing_off;
}

#define PRESENT_EVENT_MAX 300 /* worker numbers in one event: it must fit a value */

/* Who came or went, in e->b2, as one event; more of them make another. */
static void presence_event(struct engine *e, struct hub *h, bool in, uint32_t *n)
{
    static const char *const key[] = { "in", "out" };
    if (!*n)
        return;
    if (e->b2.failed)
        fail(e, STORE_NO_MEMORY);
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 3);
    slp_pack_cstr(&e->b3, "hub");
    slp_pack_u64(&e->b3, h->id);
    for (int i = 0; i < 2; i++) {
        bool here = in == (i == 0);
        slp_pack_cstr(&e->b3, key[i]);
        slp_pack_array(&e->b3, here ? *n : 0);
        if (here)
            slp_buf_add(&e->b3, e->b2.p, e->b2.n);
    }
    ev_emit(e, EV_WORKERS_PRESENT, NULL, NULL, h, &e->b3);
    *n = 0;
    if (e->b2.failed)
        fail(e, STORE_NO_MEMORY);
    slp_buf_clear(&e->b2);
}

static void presence_add(struct engine *e, struct hub *h, bool in, uint32_t worker, uint32_t *n)
{
    if (!*n)
        slp_buf_clear(&e->b2);
    slp_pack_u64(&e->b2, worker);
    if (++*n == PRESENT_EVENT_MAX)
        presence_event(e, h, in, n);
}

static struct worker *own_worker(struct engine *e, struct hub *h, uint64_t id)
{
    struct worker *w = id && id <= e->meta.worker ? worker_at(e, id) : NULL;
    return w && w->hub == h->id && w->on_roster ? w : NULL;
}

/* Of a frame with many, the workers who come next are fetched while one is served. */
#define GRANTS_AHEAD 4

static void fetch_next(const struct engine *e, struct slp_cursor *ahead)
{
    struct slp_item_credit it;
    const struct worker *w = slp_next_credit(ahead, &it) && it.worker && it.worker <= e->meta.worker
                                 ? worker_place(e, (uint32_t)it.worker)
                                 : NULL;
    if (w) {
        __builtin_prefetch(w);
        __builtin_prefetch((const char *)w + LINE_PAIR / 2);
    }
}

void hub_apply_credit(struct engine *e, struct hub *h, const struct slp_list *grants)
{
    struct slp_cursor c = slp_each(*grants), ahead = c;
    struct slp_item_credit it;
    uint32_t in = 0;
    for (int i = 0; i < GRANTS_AHEAD; i++)
        fetch_next(e, &ahead);
    while (slp_next_credit(&c, &it)) {
        fetch_next(e, &ahead);
        struct worker *w = own_worker(e, h, it.worker);
        if (!w)
            continue; /* it left the roster while the grant was under way */
        worker_soon(w);
        if (w->credit_session !=
            h->session) { /* he was not on this roster at welcome: what another session granted is void */
            w->credit_session = h->session;
            w->granted = w->sent = 0;
        }
        uint64_t cap = w->sent + SL_WORKER_CREDIT_MAX;
        if (it.total > w->granted)
            w->granted = it.total < cap ? it.total : cap;
        if (!w->signed_in) {
            worker_set_signed_in(e, w, true);
            presence_add(e, h, true, w->id, &in);
        }
        match_worker(e, w);
    }
    presence_event(e, h, true, &in);
}

void on_credit(struct engine *e, const struct slp_msg *m)
{
    const struct slp_credit *q = &m->u.credit;
    struct slp_cursor c = slp_each(q->grants);
    fetch_next(e, &c);
    struct hub *h = hub_session(e, q->session);
    if (!h)
        return;
    c = slp_each(q->sign_off);
    uint64_t id;
    uint32_t out = 0;
    bool left = false;
    while (slp_next_u64(&c, &id)) {
        struct worker *w = own_worker(e, h, id);
        if (!w || !w->signed_in)
            continue;
        worker_sign_off(e, w);
        w->signing_off = left = true;
        presence_add(e, h, false, w->id, &out);
    }
    presence_event(e, h, false, &out);
    if (left) {
        hub_hand_back(e, h, just_signed_off);
        c = slp_each(q->sign_off);
        while (slp_next_u64(&c, &id)) {
            struct worker *w = own_worker(e, h, id);
            if (w)
                w->signing_off = false;
        }
    }
    hub_apply_credit(e, h, &q->grants);
}

void on_hubs_get(struct engine *e, const struct slp_msg *m)
{
    struct slp_hubs a = { 0 };
    uint32_t n = 0;
    slp_buf_clear(&e->b1);
    for (uint64_t id = m->u.hubs_get.after; id++ < e->meta.hub;) {
        const struct hub *h = e->hub[id - 1];
        if (page_over(e, n)) {
            a.more = true;
            break;
        }
        struct slp_item_hub_row row = { .hub = h->id,
                                        .name = name_bytes(&h->name),
                                        .zone = name_bytes(&h->zone),
                                        .connected = h->connected,
                                        .workers = h->workers,
                                        .signed_in = h->signed_in,
                                        .holding = h->holding,
                                        .seen_wall_us = h->seen_wall_us };
        slp_pack_item(&e->b1, SLP_ITEM_hub_row, &row);
        n++;
    }
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, n };
    reply(e, SLP_HUBS, &a);
}
