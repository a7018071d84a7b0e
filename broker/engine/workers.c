/* Workers: rosters as the hubs send them. A worker's number is global and never reused; his name is his id within all hubs. */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define WORKER_RECORD_MAX 3800

/* ---- records: hub, kind, capacity, on roster, name, team, title, skills as packed items, shift, tasks a day (since 0.2) ---- */

struct stored {
    uint32_t hub, capacity, skill_count, shift, per_day;
    uint8_t kind, on_roster;
    struct slp_bytes name, team, title, skills;
};

static bool stored_read(struct store_val v, struct stored *s)
{
    struct rdr r = rdr_on(v.p, v.n);
    size_t n;
    s->hub = rdr_u32(&r);
    s->capacity = rdr_u32(&r);
    s->kind = rdr_u8(&r);
    s->on_roster = rdr_u8(&r);
    s->name.p = rdr_str(&r, &n), s->name.n = (uint32_t)n;
    s->team.p = rdr_str(&r, &n), s->team.n = (uint32_t)n;
    s->title.p = rdr_str(&r, &n), s->title.n = (uint32_t)n;
    s->skill_count = rdr_u16(&r);
    s->skills.p = rdr_str(&r, &n), s->skills.n = (uint32_t)n;
    s->shift = r.p < r.end ? rdr_u32(&r) : 0;
    s->per_day = r.p < r.end ? rdr_u32(&r) : 0;
    /* what goes into frames is within what they allow */
    return !r.bad && s->kind <= 1 && s->name.n <= SL_NAME_BYTES_MAX && s->team.n <= SL_NAME_BYTES_MAX &&
           s->skill_count <= SL_SKILLS_MAX &&
           slp_items_ok(SLP_ITEM_skill, (struct slp_list){ s->skills.p, s->skills.n, s->skill_count });
}

static void stored_write(struct engine *e, uint32_t id, const struct stored *s)
{
    uint8_t k[4], b[WORKER_RECORD_MAX];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_u32(&rc, s->hub);
    rec_u32(&rc, s->capacity);
    rec_u8(&rc, s->kind);
    rec_u8(&rc, s->on_roster);
    rec_str(&rc, s->name.p, s->name.n);
    rec_str(&rc, s->team.p, s->team.n);
    rec_str(&rc, s->title.p, s->title.n);
    rec_u16(&rc, (uint16_t)s->skill_count);
    rec_str(&rc, s->skills.p, s->skills.n);
    rec_u32(&rc, s->shift);
    rec_u32(&rc, s->per_day);
    assert(!rc.bad); /* 32 skills of 70 bytes, two names and a title */
    key_u32(k, id);
    e_put(e, TABLE_WORKER, k, sizeof k, b, rc.n);
}

static bool stored_get(struct engine *e, uint32_t id, struct stored *s)
{
    uint8_t k[4];
    struct store_val v;
    key_u32(k, id);
    if (!e_get(e, TABLE_WORKER, k, sizeof k, &v) || !stored_read(v, s)) {
        fail(e, STORE_CORRUPT);
        return false;
    }
    return true;
}

struct worker *worker_by_name(struct engine *e, struct slp_bytes n)
{
    uint32_t id = name_find(e, NAME_WORKER, n.p, n.n);
    return id && id <= e->meta.worker ? worker_at(e, id) : NULL;
}

bool worker_name(struct engine *e, uint32_t worker, struct name *n)
{
    struct stored s;
    if (!stored_get(e, worker, &s))
        return false;
    name_set(n, s.name.p, s.name.n);
    return true;
}

/* ---- memory ---- */

static void member_add(struct hub *h, struct worker *w)
{
    w->hub = h->id;
    w->hub_prev = NULL;
    w->hub_next = h->members;
    if (h->members)
        h->members->hub_prev = w;
    h->members = w;
    h->workers++;
}

static void member_remove(struct hub *h, struct worker *w)
{
    *(w->hub_prev ? &w->hub_prev->hub_next : &h->members) = w->hub_next;
    if (w->hub_next)
        w->hub_next->hub_prev = w->hub_prev;
    w->hub_next = w->hub_prev = NULL;
    h->workers--;
}

bool workers_room(struct engine *e, uint32_t last)
{
    struct worker **v = grow(e, e->worker, &e->worker_cap, (last + WORKER_BLOCK - 1) / WORKER_BLOCK, sizeof *v);
    e->worker = v ? v : e->worker;
    return v || !last;
}

static struct worker *worker_new(struct engine *e, uint32_t id)
{
    uint32_t i = (id - 1) / WORKER_BLOCK;
    if (workers_room(e, id) && !e->worker[i]) /* a small company has one block, and uses little of it */
        e->worker[i] = large_calloc(WORKER_BLOCK * sizeof(struct worker), i > 0);
    struct worker *w = i < e->worker_cap ? worker_place(e, id) : NULL;
    if (w)
        w->id = id;
    else
        fail(e, STORE_NO_MEMORY);
    return w;
}

void workers_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->worker_cap; i++)
        large_free(e->worker[i]);
    free(e->worker);
}

void workers_load(struct engine *e)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(e->t, TABLE_WORKER, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !e->rc; rc = store_next(&c)) {
        struct stored s;
        uint32_t id = number_of_key(e, &c, 4, e->meta.worker);
        struct worker *w = id ? worker_new(e, id) : NULL;
        if (!w)
            break;
        if (!stored_read(c.val, &s) || !s.hub || s.hub > e->meta.hub ||
            (s.on_roster && s.shift && (s.shift > e->meta.shift || !e->shift[s.shift - 1]))) {
            fail(e, STORE_CORRUPT);
            break;
        }
        struct slp_list skills = { s.skills.p, s.skills.n, s.skill_count };
        w->hub = s.hub;
        w->kind = s.kind;
        w->capacity = s.capacity;
        w->on_roster = s.on_roster;
        w->per_day = s.per_day;
        if (s.on_roster) {
            struct skill_set has;
            skills_loaded(e, w->id, &skills, &has);
            w->profile = profile_for(e, s.kind, &has);
            skills_watch(e, w, &has);
        }
        w->team = s.on_roster && s.team.n ? skill_intern(e, s.team) + 1 : 0;
        if (w->on_roster)
            member_add(e->hub[s.hub - 1], w);
        if (w->on_roster && s.shift)
            shift_join(e->shift[s.shift - 1], w);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

void worker_set_signed_in(struct engine *e, struct worker *w, bool in)
{
    if (w->signed_in == in)
        return;
    struct hub *h = e->hub[w->hub - 1];
    w->signed_in = in;
    h->signed_in += in ? 1 : UINT64_MAX;
    if (w->shift)
        w->shift->signed_in += in ? 1 : UINT32_MAX;
}

void worker_sign_off(struct engine *e, struct worker *w)
{
    worker_set_signed_in(e, w, false);
    mask_clear(e, w);
    match_worker(e, w);
    standing_sign_off(e, w);
}

/* ---- rosters ---- */

static bool leaving(const struct worker *w)
{
    return !w->on_roster;
}

/* Another profile or team: out of the old cell before they change. */
static void profile_set(struct engine *e, struct worker *w, struct profile *p, uint32_t team)
{
    bool other = w->profile != p || w->team != team || !w->on_roster;
    if (other) {
        e->staff_gained = true;
        e->staff_came++;
        e->staff_lost = e->staff_lost || w->on_roster; /* he may do less than before, too */
        staff_leaves(e, w);
    }
    if (w->profile != p || w->team != team) {
        bool was = w->signed_in;
        w->signed_in = false;
        mask_clear(e, w);
        match_worker(e, w);
        w->signed_in = was;
    }
    profile_drop(e, &w->profile);
    w->profile = p;
    w->team = team;
    w->on_roster = true;
    if (other)
        staff_joins(e, w);
}

void worker_skills_changed(struct engine *e, struct worker *w)
{
    struct stored s;
    struct skill_set has;
    if (!w->on_roster || !stored_get(e, w->id, &s)) {
        skills_forget(e, w);
        return;
    }
    struct slp_list declared = { s.skills.p, s.skills.n, s.skill_count };
    skills_of(e, w->id, &declared, &has);
    struct profile *p = profile_for(e, w->kind, &has);
    skills_watch(e, w, &has);
    if (!p)
        return;
    profile_set(e, w, p, w->team);
    match_worker(e, w);
}

bool worker_declared(struct engine *e, const struct worker *w, struct slp_list *skills)
{
    struct stored s;
    if (!w->on_roster || !stored_get(e, w->id, &s))
        return false;
    *skills = (struct slp_list){ s.skills.p, s.skills.n, s.skill_count };
    return true;
}

/* His number; 0 and *elsewhere: he is on that hub's roster, which must let him go first. */
static uint32_t roster_worker(struct engine *e, struct hub *h, const struct slp_item_worker_def *d,
                              const struct hub **elsewhere)
{
    struct worker *w = worker_by_name(e, d->name);
    *elsewhere = w && w->on_roster && w->hub != h->id ? e->hub[w->hub - 1] : NULL;
    if (*elsewhere)
        return 0;
    if (!w) {
        if (!(w = worker_new(e, e->meta.worker + 1)))
            return 0;
        e->meta.worker++;
        name_put(e, NAME_WORKER, d->name.p, d->name.n, w->id);
    }
    struct slp_cursor c = slp_each(d->skills);
    struct slp_item_skill sk;
    slp_buf_clear(&e->b2); /* packed anew: as they came they may hold elements that we skip */
    while (slp_next_skill(&c, &sk))
        slp_pack_item(&e->b2, SLP_ITEM_skill, &sk);
    if (e->b2.failed) {
        fail(e, STORE_NO_MEMORY);
        return 0;
    }
    struct shift *shift = d->shift.n ? shift_for(e, h, d->shift) : NULL;
    struct stored s = { .hub = h->id,
                        .capacity = (uint32_t)d->capacity,
                        .skill_count = d->skills.count,
                        .shift = shift ? shift->id : 0,
                        .per_day = (uint32_t)d->per_day,
                        .kind = (uint8_t)d->kind,
                        .on_roster = 1,
                        .name = d->name,
                        .team = d->team,
                        .title = d->title,
                        .skills = { e->b2.p, (uint32_t)e->b2.n } };
    day_settle(e, w); /* before he moves, and behind it */
    stored_write(e, w->id, &s);
    if (!w->on_roster)
        member_add(h, w);
    if (w->shift != shift) {
        shift_leave(w);
        if (shift)
            shift_join(shift, w);
        mask_clear(e, w); /* there may be time now */
        if (shift && !shift->on && w->holding)
            shift_moved_into(e, shift);
    }
    w->per_day = (uint32_t)d->per_day;
    day_settle(e, w);
    struct skill_set has;
    skills_of(e, w->id, &d->skills, &has);
    struct profile *p = profile_for(e, (uint8_t)d->kind, &has);
    skills_watch(e, w, &has);
    uint32_t team = d->team.n ? skill_intern(e, d->team) + 1 : 0;
    profile_set(e, w, p, team);
    w->kind = (uint8_t)d->kind;
    w->capacity = (uint32_t)d->capacity;
    w->upload_mark = h->upload_mark;
    if (p)
        match_worker(e, w);
    return w->id;
}

#define ROSTER_EVENT_BYTES 2400 /* of names and numbers in one event: it must fit a value */

/* The workers in `list` came onto the hub's roster (pairs of number and name), or left it (numbers): an event, and the list is empty again. */
static void roster_event(struct engine *e, struct hub *h, bool joined, struct slp_buf *list, uint32_t *n)
{
    if (!*n)
        return;
    if (list->failed) /* clearing it takes the mark away */
        fail(e, STORE_NO_MEMORY);
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 3);
    slp_pack_cstr(&e->b3, "hub");
    slp_pack_u64(&e->b3, h->id);
    slp_pack_cstr(&e->b3, "joined");
    slp_pack_array(&e->b3, joined ? *n : 0);
    if (joined)
        slp_buf_add(&e->b3, list->p, list->n);
    slp_pack_cstr(&e->b3, "left");
    slp_pack_array(&e->b3, joined ? 0 : *n);
    if (!joined)
        slp_buf_add(&e->b3, list->p, list->n);
    ev_emit(e, EV_ROSTER_WORKERS, NULL, NULL, h, &e->b3);
    slp_buf_clear(list);
    *n = 0;
}

static void roster_current(struct engine *e, struct hub *h, struct slp_bytes digest)
{
    uint32_t left = 0;
    slp_buf_clear(&e->answer);
    for (struct worker *w = h->members, *next; w; w = next) {
        next = w->hub_next;
        if (w->upload_mark == h->upload_mark)
            continue;
        struct stored s;
        if (!stored_get(e, w->id, &s))
            return;
        uint8_t copy[WORKER_RECORD_MAX]; /* what was read ends with the write: keep the texts */
        struct rec rc = { copy, 0, sizeof copy, 0 };
        struct slp_bytes *part[] = { &s.name, &s.team, &s.title, &s.skills };
        for (size_t i = 0; i < 4; i++) {
            const char *at = (const char *)copy + rc.n;
            rec_bytes(&rc, part[i]->p, part[i]->n);
            part[i]->p = at;
        }
        s.on_roster = 0;
        s.shift = 0;
        stored_write(e, w->id, &s);
        worker_sign_off(e, w);
        staff_leaves(e, w);
        day_settle(e, w);
        w->on_roster = false;
        day_settle(e, w);
        w->credit_session = 0; /* his agent forgets him: should he come back, it counts his credit from nothing */
        e->staff_lost = true;
        mask_clear(e, w);
        match_worker(e, w);
        profile_drop(e, &w->profile);
        member_remove(h, w);
        shift_leave(w);
        skills_forget(e, w);
        slp_pack_u64(&e->answer, w->id);
        left++;
        if (e->answer.n >= ROSTER_EVENT_BYTES)
            roster_event(e, h, false, &e->answer, &left);
    }
    roster_event(e, h, false, &e->answer, &left);
    hub_hand_back(e, h, leaving);
    shifts_forget_unused(e, h);
    memcpy(h->roster_digest, digest.p, 32);
    hub_dirty(e, h);
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 2);
    slp_pack_cstr(&e->b3, "hub");
    slp_pack_u64(&e->b3, h->id);
    slp_pack_cstr(&e->b3, "workers");
    slp_pack_u64(&e->b3, h->workers);
    ev_emit(e, EV_ROSTER_CURRENT, NULL, NULL, h, &e->b3);
}

/* Names are names: the decoder has seen to that. */
static bool roster_ok(struct engine *e, const struct slp_roster *q)
{
    static const uint8_t none[32];
    if (q->digest.n == 32 && memcmp(q->digest.p, none, 32) != 0)
        return true;
    reply_error(e, SLP_E_BAD_VALUE, "digest", "a digest has 32 bytes, not all of them zero");
    return false;
}

void on_roster(struct engine *e, const struct slp_msg *m)
{
    const struct slp_roster *q = &m->u.roster;
    struct hub *h = hub_session(e, q->session);
    if (!h || !roster_ok(e, q))
        return;
    if (memcmp(h->uploading, q->digest.p, 32)) { /* another roster begins */
        memcpy(h->uploading, q->digest.p, 32);
        h->upload_mark++;
    }
    struct slp_cursor c = slp_each(q->workers);
    struct slp_item_worker_def d;
    uint32_t n = 0, joined = 0, elsewhere = 0;
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->answer);
    slp_buf_clear(&e->scratch[0]);
    while (slp_next_worker_def(&c, &d) && !e->rc) {
        const struct hub *other;
        uint32_t members = h->workers, id = roster_worker(e, h, &d, &other);
        slp_pack_u64(&e->b1, id);
        n++;
        if (other) {
            slp_pack_cstr(&e->scratch[0], other->name.s);
            elsewhere++;
        }
        if (h->workers == members)
            continue;
        slp_pack_array(&e->answer, 2);
        slp_pack_u64(&e->answer, id);
        slp_pack_str(&e->answer, d.name.p, d.name.n);
        joined++;
        if (e->answer.n >= ROSTER_EVENT_BYTES)
            roster_event(e, h, true, &e->answer, &joined);
    }
    if (e->b1.failed || e->rc) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    roster_event(e, h, true, &e->answer, &joined);
    if (q->last) {
        roster_current(e, h, q->digest);
        memset(h->uploading, 0, sizeof h->uploading);
    }
    struct slp_roster_done a = { .workers = { e->b1.p, (uint32_t)e->b1.n, n },
                                 .hubs = { e->scratch[0].p, (uint32_t)e->scratch[0].n, elsewhere } };
    if (elsewhere)
        SLP_SET(&a, roster_done, hubs);
    reply(e, SLP_ROSTER_DONE, &a);
}

static int by_id(const void *a, const void *b)
{
    const struct worker *x = *(struct worker *const *)a, *y = *(struct worker *const *)b;
    return order_of(x->id, y->id);
}

void on_roster_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_roster_get *q = &m->u.roster_get;
    struct hub *h = hub_session(e, q->session);
    if (!h)
        return;
    struct worker **v = malloc((h->workers + 1) * sizeof *v);
    struct slp_roster_ids a = { 0 };
    uint32_t n = 0, rows = 0;
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    for (struct worker *w = h->members; w; w = w->hub_next)
        if (w->id > q->after)
            v[n++] = w;
    qsort(v, n, sizeof *v, by_id);
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->b2);
    for (; rows < n && rows < 2000 && !e->rc; rows++) {
        struct stored s;
        if (!stored_get(e, v[rows]->id, &s))
            break;
        slp_pack_u64(&e->b1, v[rows]->id);
        slp_pack_str(&e->b2, s.name.p, s.name.n);
    }
    a.more = rows < n;
    free(v);
    a.workers = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, rows };
    a.names = (struct slp_list){ e->b2.p, (uint32_t)e->b2.n, rows };
    reply(e, SLP_ROSTER_IDS, &a);
}

void on_workers_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_workers_get *q = &m->u.workers_get;
    uint64_t id = q->after + 1, last = e->meta.worker, hub = 0;
    struct slp_workers a = { 0 };
    uint32_t n = 0;
    if (SLP_IS(q, workers_get, hub) && !(hub = name_find(e, NAME_HUB, q->hub.p, q->hub.n))) {
        reply_error(e, SLP_E_NOT_FOUND, "hub", "there is no hub %.*s", (int)q->hub.n, q->hub.p);
        return;
    }
    if (SLP_IS(q, workers_get, name) && !(id = last = name_find(e, NAME_WORKER, q->name.p, q->name.n))) {
        reply_error(e, SLP_E_NOT_FOUND, "name", "there is no worker %.*s", (int)q->name.n, q->name.p);
        return;
    }
    slp_buf_clear(&e->b1);
    for (; id && id <= last && !e->rc; id++) {
        const struct worker *w = worker_at(e, id);
        struct stored s;
        if (!w->on_roster || (hub && w->hub != hub))
            continue;
        if (page_over(e, n)) {
            a.more = true;
            break;
        }
        if (!stored_get(e, w->id, &s))
            return;
        struct skill_set has;
        struct slp_list declared = { s.skills.p, s.skills.n, s.skill_count };
        skills_of(e, w->id, &declared, &has);
        slp_buf_clear(&e->b2);
        for (uint32_t i = 0; i < has.n; i++) {
            SLP_SET(&has.v[i], item_skill, source);
            slp_pack_item(&e->b2, SLP_ITEM_skill, &has.v[i]);
        }
        struct slp_item_worker_row row = { .worker = w->id,
                                           .name = s.name,
                                           .hub = name_bytes(&e->hub[w->hub - 1]->name),
                                           .kind = w->kind,
                                           .signed_in = w->signed_in,
                                           .holding = w->holding,
                                           .credit = w->granted - w->sent,
                                           .done = w->done,
                                           .skills = { e->b2.p, (uint32_t)e->b2.n, has.n },
                                           .on_shift = worker_on_shift(w),
                                           .capacity = w->capacity,
                                           .team = s.team };
        SLP_SET(&row, item_worker_row, capacity);
        if (s.team.n)
            SLP_SET(&row, item_worker_row, team);
        SLP_SET(&row, item_worker_row, on_shift);
        if (w->shift) {
            row.shift = (struct slp_bytes){ w->shift->name, (uint32_t)strlen(w->shift->name) };
            row.zone = (struct slp_bytes){ w->shift->zone, (uint32_t)strlen(w->shift->zone) };
            SLP_SET(&row, item_worker_row, shift);
            SLP_SET(&row, item_worker_row, zone);
        }
        if ((row.per_day = w->per_day)) {
            row.today = day_used(e, w, NULL);
            SLP_SET(&row, item_worker_row, per_day);
            SLP_SET(&row, item_worker_row, today);
        }
        if ((row.change_wall_us = worker_shift_change(w)))
            SLP_SET(&row, item_worker_row, change_wall_us);
        slp_pack_item(&e->b1, SLP_ITEM_worker_row, &row);
        n++;
    }
    a.rows = (struct slp_list){ e->b1.p, (uint32_t)e->b1.n, n };
    reply(e, SLP_WORKERS, &a);
}
