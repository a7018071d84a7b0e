/* The ready order: for each (station, run) two lanes in READY, of tasks that came back and of fresh ones; each a list of segments of unit
 * ranges at positions that only grow. The first segment is kept decoded; if it is used up in the batch that made it, the
 * store never hears of it.
 *
 * An entry may be stale (its unit was dropped, or a late result ended it): the unit's state decides, entries are only looked at on the way. */
#include "broker/engine/internal.h"

static void lane_key(uint8_t *k, const struct rq *q, enum lane l, uint64_t pos)
{
    key_u64(key_u8(key_u32(key_u32(k, q->st->id), q->run->id), (uint8_t)l), pos);
}
#define LANE_KEY 17

/* Behind its ranges a segment tells when it was made, on the elapsed clock: since then its tasks wait. */
static void seg_put(struct engine *e, const struct rq *q, enum lane l, uint64_t pos, int64_t since_us,
                    const struct ranges *r, uint32_t from, uint32_t n)
{
    uint8_t k[LANE_KEY], b[SL_SEGMENT_BYTES_MAX + 512];
    struct rec rc = { b, 0, sizeof b, 0 };
    ranges_write(&rc, r, from, n);
    rec_i64(&rc, since_us);
    assert(!rc.bad);
    lane_key(k, q, l, pos);
    e_put(e, TABLE_READY, k, sizeof k, b, rc.n);
}

/* Ranges from `from` on, behind each other from position pos; as many segments as they need. */
static void segs_put(struct engine *e, const struct rq *q, enum lane l, uint64_t pos, int64_t since_us,
                     const struct ranges *r, uint32_t from)
{
    while (from < r->n) {
        uint32_t n = r->n - from < RANGES_MAX ? r->n - from : RANGES_MAX;
        seg_put(e, q, l, pos, since_us, r, from, n);
        for (; n; n--)
            pos += r->v[from++].count;
    }
}

void lane_append(struct engine *e, struct rq *q, enum lane l, const struct ranges *r)
{
    struct lane_q *L = &q->lane[l];
    for (uint32_t from = 0; from < r->n;) {
        uint32_t n = r->n - from < RANGES_MAX ? r->n - from : RANGES_MAX;
        uint64_t pos = L->next_pos, total = 0;
        for (uint32_t i = from; i < from + n; i++)
            total += r->v[i].count;
        if (L->count == 0) { /* it becomes the head, in memory first */
            ranges_clear(&L->head.r);
            for (uint32_t i = from; i < from + n; i++)
                ranges_add(e, &L->head.r, r->v[i].first, r->v[i].count);
            L->head.pos = pos;
            L->head.since_us = e->now_us;
            L->head.stored = false;
            L->head.dirty = true;
            L->loaded = true;
        } else {
            seg_put(e, q, l, pos, e->now_us, r, from, n);
        }
        L->next_pos += total;
        L->count += total;
        from += n;
    }
    rq_dirty(e, q);
}

void queue_ready(struct engine *e, struct rq *q, enum lane l, uint64_t unit, enum why why)
{
    if (!q->pending) {
        struct rq **v = grow(e, e->pending, &e->pending_cap, e->pendings + 1, sizeof *v);
        if (!v)
            return;
        e->pending = v;
        e->pending[e->pendings++] = q;
        q->pending = true;
    }
    q->declined = q->declined || why == WHY_DECLINED;
    ranges_add(e, &q->pend[l], unit, 1);
    ev_task(e, EV_TASKS_READY, q->run, q->st, why, unit, 1);
}

/* ---- tasks that are not for everybody ---- */

/* The workers who will never get this task, for whatever it is that they did; at most EXCLUDED_MAX of them are worth remembering. */
#define EXCLUDED_MAX 16

static uint32_t excluded(struct engine *e, const struct rq *q, uint64_t unit, uint32_t *who)
{
    uint32_t n = 0;
    const struct ld_station *s = q->st->def;
    uint8_t *h = unit_head(e, q->run, unit, false), copy[STATE_GROUP_BYTES_MAX];
    if (!h)
        return 0;
    /* the cache moves on with the next unit */
    memcpy(copy, h, STATE_UNIT_BYTES + STATE_STATION_BYTES * q->run->lv->station_count);
    for (uint32_t i = 0; i <= s->not_did_count; i++) {
        bool own = i == s->not_did_count;
        const uint8_t *t = unit_station(copy, own ? q->st->idx : s->not_did[i]);
        if (own && !(t[ST_FLAGS] & STATE_FLAG_DECLINED))
            break;
        for (uint64_t no = get_u48(t + ST_ASSIGN); no && n < EXCLUDED_MAX && !e->rc;) {
            struct aseg *a = assign_find(e, no);
            if (!a)
                break;
            const struct aentry *x = assign_entry(a, no);
            if (own ? is_declined(x) : x->state == ASSIGN_COUNTED)
                who[n++] = x->worker;
            no = x->prev;
        }
    }
    return n;
}

/* What was just appended at these positions: those who may do none of it learn that now, while it is at hand. */
static void learn(struct engine *e, struct rq *q, enum lane l, const struct ranges *r, uint64_t from)
{
    uint32_t who[EXCLUDED_MAX], n = 0;
    bool first = true;
    for (uint32_t i = 0; i < r->n; i++)
        for (uint64_t u = r->v[i].first; u < r->v[i].first + r->v[i].count && (first || n) && !e->rc;
             u++, first = false) {
            uint32_t here[EXCLUDED_MAX], m = excluded(e, q, u, here), kept = 0;
            if (first) {
                memcpy(who, here, (n = m) * sizeof *who);
                continue;
            }
            for (uint32_t k = 0; k < n; k++)
                for (uint32_t j = 0; j < m; j++)
                    if (here[j] == who[k]) {
                        who[kept++] = who[k];
                        break;
                    }
            n = kept;
        }
    for (uint32_t k = 0; k < n && !e->rc; k++) {
        struct skip *s = skip_make(e, q, l, worker_at(e, who[k]));
        if (s)
            skip_appended(e, s, from, q->lane[l].next_pos);
    }
}

void queue_flush_pending(struct engine *e)
{
    for (uint32_t i = 0; i < e->pendings; i++) {
        struct rq *q = e->pending[i];
        for (enum lane l = 0; l < LANES; l++)
            if (q->pend[l].n) {
                uint64_t from = q->lane[l].next_pos;
                lane_append(e, q, l, &q->pend[l]);
                if (q->declined || q->st->def->not_did_count)
                    learn(e, q, l, &q->pend[l], from);
                ranges_clear(&q->pend[l]);
            }
        q->pending = q->declined = false;
        match_rq_ready(e, q);
    }
    e->pendings = 0;
}

/* Decode the first segment of the lane, if there is one and it is not there yet. */
static bool head_load(struct engine *e, struct rq *q, enum lane l)
{
    struct lane_q *L = &q->lane[l];
    if (L->count == 0)
        return false;
    if (L->loaded)
        return true;
    uint8_t k[LANE_KEY];
    struct store_cursor c;
    lane_key(k, q, l, 0);
    enum store_rc rc = store_cursor_open(e->t, TABLE_READY, &c);
    if (rc) {
        fail(e, rc);
        return false;
    }
    rc = store_seek(&c, k, sizeof k);
    if (rc == STORE_OK && c.key.n == LANE_KEY && !memcmp(c.key.p, k, 9)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        if (!ranges_read(e, &rd, &L->head.r))
            fail(e, STORE_CORRUPT);
        L->head.since_us = rdr_i64(&rd); /* 0: made before segments told */
        L->head.pos = key_get_u64((const uint8_t *)c.key.p + 9);
        L->head.stored = true;
        L->head.dirty = false;
        L->loaded = true;
    } else {
        fail(e, rc == STORE_OK || rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc); /* the count says that there is one */
    }
    store_cursor_close(&c);
    return L->loaded;
}

static void range_remove(struct engine *e, struct ranges *r, uint32_t i, uint64_t unit)
{
    struct range *g = &r->v[i];
    r->total--;
    if (g->count == 1) {
        memmove(g, g + 1, (r->n - i - 1) * sizeof *g);
        r->n--;
    } else if (unit == g->first) {
        g->first++;
        g->count--;
    } else if (unit == g->first + g->count - 1) {
        g->count--;
    } else { /* in the middle: split */
        struct range *v = grow(e, r->v, &r->cap, r->n + 1, sizeof *v);
        if (!v)
            return;
        r->v = v;
        g = &r->v[i];
        memmove(g + 2, g + 1, (r->n - i - 1) * sizeof *g);
        g[1] = (struct range){ unit + 1, g->first + g->count - unit - 1 };
        g->count = unit - g->first;
        r->n++;
    }
}

static void head_emptied(struct engine *e, struct rq *q, enum lane l)
{
    struct lane_q *L = &q->lane[l];
    if (L->head.stored) {
        uint8_t k[LANE_KEY];
        lane_key(k, q, l, L->head.pos);
        e_del(e, TABLE_READY, k, sizeof k);
    }
    L->head.dirty = false;
    L->loaded = false;
}

static bool is_counted(const struct aentry *a)
{
    return a->state == ASSIGN_COUNTED;
}

/* Is one of these assignments, from the newest back, this worker's, and is it so with that? */
static bool among(struct engine *e, uint64_t newest, uint32_t worker, bool (*is)(const struct aentry *))
{
    for (uint64_t no = newest; no && !e->rc;) {
        struct aseg *s = assign_find(e, no);
        if (!s)
            break;
        struct aentry *a = assign_entry(s, no);
        if (a->worker == worker && is(a))
            return true;
        no = a->prev;
    }
    return false;
}

/* Did he do what this task builds upon, where the station says that such a one must not? */
static bool did_before(struct engine *e, const struct rq *q, uint64_t unit, uint32_t worker)
{
    for (uint32_t i = 0; i < q->st->def->not_did_count && !e->rc; i++) {
        uint8_t *h = unit_head(e, q->run, unit, false);
        if (h && among(e, get_u48(unit_station(h, q->st->def->not_did[i]) + ST_ASSIGN), worker, is_counted))
            return true;
    }
    return false;
}

enum look {
    LOOK_TAKE,
    LOOK_TAKE_ONE,
    LOOK_STALE,
    LOOK_NOT_NOW,
    LOOK_NOT_YOURS
}; /* ONE: of several places, so the task stays where it is; NOT_NOW: he holds it, and if he gives it back it is his again */

static enum look look(struct engine *e, struct rq *q, struct worker *w, uint64_t unit, struct pick *out)
{
    uint8_t *h = unit_head(e, q->run, unit, false);
    if (!h)
        return LOOK_STALE;
    uint8_t *s = unit_station(h, q->st->idx);
    if (h[UH_STATE] != UNIT_OPEN || s[ST_STATE] != TASK_READY)
        return LOOK_STALE;
    uint64_t newest = get_u48(s + ST_ASSIGN), was = get_u48(s + ST_RESULT);
    uint8_t attempts = s[ST_ATTEMPTS], flags = s[ST_FLAGS];
    unsigned places = has_copies(q->st) ? copies_open(e, q->st->def, s) : 1;
    if (!has_copies(q->st)) {
        if ((flags & STATE_FLAG_DECLINED) && among(e, newest, w->id, is_declined))
            return LOOK_NOT_YOURS;
    } else {
        enum copies_his his = copies_excluded(e, q, unit, newest, w);
        if (his != COPIES_HIS)
            return his == COPIES_NEVER ? LOOK_NOT_YOURS : LOOK_NOT_NOW;
    }
    if (q->st->def->not_did_count && did_before(e, q, unit, w->id))
        return LOOK_NOT_YOURS;
    if ((flags & STATE_FLAG_AUTHORS) && !review_his(e, newest, was, w))
        return LOOK_NOT_YOURS;
    *out = (struct pick){ q, w, unit, 0, (uint8_t)(attempts + 1), 0 };
    return places > 1 ? LOOK_TAKE_ONE : LOOK_TAKE;
}

/* ---- why not ---- */

static void refuse(struct engine *e, struct rq *q, struct worker *w, const struct ranges *r, struct refusals *x)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (uint64_t at = r->v[i].first; at < r->v[i].first + r->v[i].count && x->looked < REFUSALS_MAX; at++) {
            struct pick unused;
            if (x->seen++ == 16 * REFUSALS_MAX)
                return;
            uint8_t *h = unit_head(e, q->run, at, false);
            enum look k = h ? look(e, q, w, at, &unused) : LOOK_STALE;
            if (k == LOOK_STALE)
                continue;
            x->looked++;
            x->own += k == LOOK_NOT_YOURS && q->st->def->not_did_count && did_before(e, q, at, w->id);
        }
}

/* One search of a lane for a worker: what is known of where his task can be, and what was met on the way. */
struct search {
    struct rq *q;
    enum lane lane;
    struct worker *w;
    struct skip *skip;
    uint32_t passed; /* tasks that are not his */
    bool again;      /* so many that it is time to ask what was learned of old */
    uint64_t
        held; /* the first in the segment at hand that he holds or has just got, and may give back to where it is; 0: none */
    bool kept; /* there was such a one: what lies behind it must be looked at again */
};
#define SKIP_WORTH 16

static bool ascending(const struct ranges *r)
{
    for (uint32_t i = 1; i < r->n; i++)
        if (r->v[i].first < r->v[i - 1].first)
            return false;
    return true;
}

/* Search one decoded segment, units up to `after` aside; what is stale is removed on the way. *changed tells that it must be written. */
static bool seg_take(struct engine *e, struct search *x, struct ranges *r, uint64_t after, struct pick *out,
                     bool *changed)
{
    struct lane_q *L = &x->q->lane[x->lane];
    for (uint32_t i = 0; i < r->n && !e->rc;) {
        uint64_t at = r->v[i].first, end = at + r->v[i].count;
        bool cut = false, kept_before = false;
        if (at <= after)
            at = after < end ? after + 1 : end;
        for (; at < end && !cut; at++) {
            enum look k = look(e, x->q, x->w, at, out);
            if ((k == LOOK_NOT_NOW || k == LOOK_TAKE_ONE) && !x->held)
                x->held = at;
            if (k == LOOK_NOT_YOURS || k == LOOK_NOT_NOW) {
                if (++x->passed == SKIP_WORTH && !x->skip) {
                    x->again = true;
                    return false;
                }
                continue;
            }
            if (k == LOOK_TAKE_ONE)
                return true;
            kept_before = at != r->v[i].first;
            range_remove(e, r, i, at);
            L->count--;
            *changed = true;
            if (k == LOOK_TAKE)
                return true;
            cut = true; /* stale: the ranges have moved, look at this place again */
        }
        if (!cut || kept_before)
            i++; /* what lies before the removed one was looked at already */
    }
    return false;
}

/* The segment at pos: search it, and remember. */
static bool look_in(struct engine *e, struct search *x, uint64_t pos, struct ranges *r, struct pick *out, bool *changed)
{
    bool sorted = x->skip && ascending(r);
    uint64_t after = sorted ? skip_unit(x->skip, pos) : 0;
    x->held = 0;
    bool got = seg_take(e, x, r, after, out, changed);
    uint64_t upto = !sorted && (got || x->held) ? 0 : x->held ? x->held - 1 : got ? out->unit : UINT64_MAX;
    if (x->skip && !x->again && !x->kept)
        skip_looked(e, x->skip, pos, upto, x->passed);
    x->kept = x->kept || x->held;
    return got;
}

static bool head_take(struct engine *e, struct search *x, struct pick *out)
{
    struct rq *q = x->q;
    struct lane_q *L = &q->lane[x->lane];
    while (!e->rc && head_load(e, q, x->lane)) {
        bool changed = false, got;
        if (x->skip && skip_past(x->skip, L->head.pos) != L->head.pos)
            return false;
        got = look_in(e, x, L->head.pos, &L->head.r, out, &changed);
        out->since_us = L->head.since_us;
        if (changed) {
            L->head.dirty = true;
            rq_dirty(e, q);
        }
        if (L->head.r.n == 0)
            head_emptied(e, q, x->lane);
        if (got || x->again || L->loaded) /* loaded: the head holds only what this worker may not do */
            return got;
    }
    return false;
}

/* The first segment at pos or behind it; false: there is none. */
static bool seg_read(struct engine *e, struct search *x, uint64_t *pos, struct ranges *r, int64_t *since_us)
{
    uint8_t k[LANE_KEY];
    struct store_cursor c;
    bool here = false;
    lane_key(k, x->q, x->lane, *pos);
    enum store_rc rc = store_cursor_open(e->t, TABLE_READY, &c);
    if (rc == STORE_OK)
        rc = store_seek(&c, k, sizeof k);
    if (rc == STORE_OK && c.key.n == LANE_KEY && !memcmp(c.key.p, k, 9)) {
        uint64_t at = key_get_u64((const uint8_t *)c.key.p + 9);
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        here = true;
        *pos = at;
        if (!ranges_read(e, &rd, r))
            fail(e, STORE_CORRUPT);
        *since_us = rdr_i64(&rd);
    } else {
        walked(e, rc);
    }
    store_cursor_close(&c);
    return here && !e->rc;
}

bool queue_segment(struct engine *e, struct rq *q, enum lane l, uint64_t *pos, struct ranges *r)
{
    struct search x = { .q = q, .lane = l };
    int64_t since_us;
    ranges_clear(r);
    if (!head_load(e, q, l))
        return false;
    const struct seg *head = &q->lane[l].head;
    if (*pos <= head->pos) { /* as it is now: what is stored may be older */
        for (uint32_t i = 0; i < head->r.n; i++)
            ranges_add(e, r, head->r.v[i].first, head->r.v[i].count);
        *pos = head->pos + 1;
        return !e->rc;
    }
    if (!seg_read(e, &x, pos, r, &since_us))
        return false;
    ++*pos;
    return true;
}

/* Beyond the head, in the store. */
static bool rest_take(struct engine *e, struct search *x, struct pick *out)
{
    struct rq *q = x->q;
    struct lane_q *L = &q->lane[x->lane];
    struct ranges r = { 0 };
    uint64_t pos = L->head.pos + 1;
    int64_t since_us;
    bool got = false;
    for (;;) {
        uint64_t past = x->skip ? skip_past(x->skip, pos) : pos;
        pos = past;
        if (!seg_read(e, x, &pos, &r, &since_us))
            break;
        if (x->skip && skip_past(x->skip, pos) != pos)
            continue;
        bool changed = false;
        got = look_in(e, x, pos, &r, out, &changed);
        out->since_us = since_us;
        if (changed) {
            if (r.n) {
                segs_put(e, q, x->lane, pos, since_us, &r, 0);
            } else {
                uint8_t k[LANE_KEY];
                lane_key(k, q, x->lane, pos);
                e_del(e, TABLE_READY, k, sizeof k);
            }
            rq_dirty(e, q);
        }
        if (got || x->again)
            break;
        pos++;
    }
    ranges_free(&r);
    return got;
}

static bool lane_take(struct engine *e, struct rq *q, enum lane l, struct worker *w, struct pick *out)
{
    struct lane_q *L = &q->lane[l];
    struct search x = { .q = q, .lane = l, .w = w, .skip = skip_find(e, q, l, w) };
    for (;;) {
        x.again = x.kept = false;
        if (head_take(e, &x, out))
            return true;
        if (!x.again && (e->rc || L->count == 0 || (L->loaded && L->count == L->head.r.total)))
            return false;
        if (!x.again && rest_take(e, &x, out))
            return true;
        if (!x.again)
            return false;
        if (!(x.skip = skip_make(e, q, l, w)))
            return false;
    }
}

void queue_refusals(struct engine *e, struct rq *q, struct worker *w, struct refusals *x)
{
    struct ranges r = { 0 };
    for (enum lane l = 0; l < LANES; l++) {
        struct search s = { .q = q, .lane = l, .w = w };
        int64_t since_us;
        if (!head_load(e, q, l))
            continue;
        refuse(e, q, w, &q->lane[l].head.r, x);
        for (uint64_t pos = q->lane[l].head.pos + 1;
             x->looked < REFUSALS_MAX && x->seen < 16 * REFUSALS_MAX && seg_read(e, &s, &pos, &r, &since_us); pos++)
            refuse(e, q, w, &r, x);
    }
    ranges_free(&r);
}

bool queue_take(struct engine *e, struct rq *q, struct worker *w, struct pick *out)
{
    return lane_take(e, q, LANE_RETURNED, w, out) || lane_take(e, q, LANE_FRESH, w, out);
}

/* The hub that did the last of the stations before this one, for the first task in the queue. */
const struct hub *queue_head_hub(struct engine *e, struct rq *q)
{
    const struct ld_station *s = q->st->def;
    for (enum lane l = 0; l < LANES; l++) {
        if (!head_load(e, q, l) || !q->lane[l].head.r.n)
            continue;
        uint8_t *h = unit_head(e, q->run, q->lane[l].head.r.v[0].first, false);
        uint64_t newest = 0;
        for (uint32_t i = 0; h && i < s->after_count; i++) {
            uint64_t no = get_u48(unit_station(h, s->after[i]) + ST_ASSIGN);
            newest = no > newest ? no : newest;
        }
        const struct aseg *a = newest ? assign_find(e, newest) : NULL;
        return a ? a->hub : NULL;
    }
    return NULL;
}

void queue_write_heads(struct engine *e, struct rq *q)
{
    for (enum lane l = 0; l < LANES; l++) {
        struct lane_q *L = &q->lane[l];
        if (!L->loaded || !L->head.dirty)
            continue;
        struct ranges *r = &L->head.r;
        segs_put(e, q, l, L->head.pos, L->head.since_us, r, 0);
        while (r->n >
               RANGES_MAX) /* taking from the middle splits ranges: what outgrew the segment lies behind it now */
            r->total -= r->v[--r->n].count;
        L->head.stored = true;
        L->head.dirty = false;
    }
}

#define OLDEST_LOOKS 1000 /* at entries that may be stale: what lies behind so many is told as waiting since then */

static bool any_ready(struct engine *e, const struct rq *q, const struct ranges *r, uint32_t *looks)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (uint64_t u = r->v[i].first; u < r->v[i].first + r->v[i].count; u++) {
            if (*looks == OLDEST_LOOKS)
                return true;
            ++*looks;
            uint8_t *h = unit_head(e, q->run, u, false);
            if (h && h[UH_STATE] == UNIT_OPEN && unit_station(h, q->st->idx)[ST_STATE] == TASK_READY)
                return true;
        }
    return false;
}

static int64_t lane_oldest_us(struct engine *e, struct rq *q, enum lane l, bool stale, uint32_t *looks)
{
    struct search x = { .q = q, .lane = l };
    struct ranges r = { 0 };
    if (!q->lane[l].count || !head_load(e, q, l))
        return INT64_MAX;
    int64_t since_us = q->lane[l].head.since_us;
    uint64_t pos = q->lane[l].head.pos + 1;
    bool found = !stale || any_ready(e, q, &q->lane[l].head.r, looks);
    for (; !found && seg_read(e, &x, &pos, &r, &since_us); pos++)
        found = any_ready(e, q, &r, looks);
    ranges_free(&r);
    return found && since_us ? since_us : INT64_MAX;
}

int64_t queue_oldest_us(struct engine *e, struct rq *q)
{
    int64_t oldest = INT64_MAX;
    uint64_t entries = q->lane[LANE_RETURNED].count + q->lane[LANE_FRESH].count;
    uint32_t looks = 0;
    for (enum lane l = 0; l < LANES; l++) {
        int64_t us = lane_oldest_us(e, q, l, entries != q->c.n[TASK_READY], &looks);
        oldest = us < oldest ? us : oldest;
    }
    return oldest;
}

void queue_free(struct rq *q)
{
    for (enum lane l = 0; l < LANES; l++) {
        ranges_free(&q->lane[l].head.r);
        ranges_free(&q->pend[l]);
    }
}
