/* Who is kept out of which station: because an operator or a rule suspended him there, because he is in training, or because what is measured of him does
 * not meet what the station requires. His record says which (standing.h); together it is his bar (bars.c), which takes the gates from him.
 *
 * The newest version of a line that has the station decides for all of them, at once. A measure of fewer than `after` things says nothing: of a newcomer,
 * whom `newcomers: refuse` keeps out and `admit` does not.
 *
 * The bar is made anew at the end of a command in which something was measured that can matter, and when he signs in. Time alone (a window that
 * forgets) changes nothing before that.
 *
 * Who is suspended loses at once what he holds there, begun or not, and none of his results counts there while he is; and what he answered at tasks that
 * are not decided counts no more: `void_result` is the newest result then (copies.c looks at it). It stays so when he may come back. */
#include "broker/engine/standing.h"

#include <stdio.h>

#include "broker/engine/internal.h"
#include "proto/utf8.h"

#define REASON_TOLD_MAX 200 /* bytes of a suspension's reason, in an answer to why */

/* ---- what is required ---- */

static const char *const measure_words[] = { "approval", "returned", "gold",       "agreement",  "abandonment",
                                             "won",      "beaten",   "lease_time", "active_time" };

static struct tally tally_of(const struct engine *e, const struct station *st, const struct repute *r,
                             enum ld_measure m)
{
    static const uint8_t measure[] = {
        [LD_APPROVAL] = MEASURE_APPROVED, [LD_RETURNED] = MEASURE_RETURNED,     [LD_GOLD] = MEASURE_GOLD,
        [LD_AGREEMENT] = MEASURE_AGREED,  [LD_ABANDONMENT] = MEASURE_ABANDONED, [LD_WON] = MEASURE_WON,
        [LD_BEATEN] = MEASURE_BEATEN,     [LD_LEASE_TIME] = MEASURE_LEASE,      [LD_ACTIVE_TIME] = MEASURE_ACTIVE
    };
    return repute_count(r, measure[m], repute_within_us(e, r->key ? st : NULL), e->wall_us);
}

/* The first bound that the record does not meet; NULL: it meets all. */
static const struct ld_bound *unmet(const struct engine *e, const struct station *st, const struct repute *r)
{
    const struct ld_require *q = &st->def->require;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct ld_bound *o = &q->bound[i];
        struct tally t = tally_of(e, st, r, o->measure);
        uint64_t is = t.sum * (ld_measures_time(o->measure) ? 1000 : 1000000), asked = t.n * o->micros;
        if (t.n < q->after ? q->refuse_new : is == asked ? !o->equal : (is < asked) != o->less)
            return o;
    }
    return NULL;
}

/* Is he kept out of the station that the record is of (or, with the record over all, of this one)? */
static bool kept_out(const struct engine *e, const struct station *st, const struct repute *r)
{
    if (r->key && r->standing != STANDING_GOOD)
        return true;
    return st->def->require.of_all == !r->key && unmet(e, st, r) != NULL;
}

bool standing_out_now(struct engine *e, uint32_t worker, uint32_t key)
{
    struct repute alone;
    const struct station *st = station_latest(e, key);
    if (!e->station[key - 1]->guarded)
        return false;
    return kept_out(e, st, repute_look(e, worker, key, &alone)) ||
           (st->def->require.of_all && kept_out(e, st, repute_look(e, worker, 0, &alone)));
}

bool standing_out(struct engine *e, const struct worker *w, uint32_t key)
{
    return w->bar_known ? bar_has(w->bar, key) : standing_out_now(e, w->id, key);
}

/* ---- his bar ---- */

struct keys {
    uint32_t *v, n, cap;
};

static void key_add(struct engine *e, struct keys *k, uint32_t key)
{
    uint32_t i = k->n, *v = grow(e, k->v, &k->cap, k->n + 1, sizeof *v);
    if (!v)
        return;
    k->v = v;
    for (; i && v[i - 1] > key; i--)
        v[i] = v[i - 1];
    if (i && v[i - 1] == key) { /* it is there: move back what was moved */
        memmove(v + i, v + i + 1, (k->n - i) * sizeof *v);
        return;
    }
    v[i] = key;
    k->n++;
}

/* Stations that ask for what is measured over all. */
static void add_of_all(struct engine *e, struct worker *w, struct keys *k)
{
    struct repute *all = e->guards_of_all ? repute_of(e, w->id, 0) : NULL;
    for (uint32_t i = 0; all && i < e->guards_of_all; i++) {
        const struct station *st = station_latest(e, e->guard_of_all[i]);
        if (st->line->state != LINE_DELETED && kept_out(e, st, all))
            key_add(e, k, st->key);
    }
}

/* Of all his records. What the batch has changed is written first, so that one walk sees everything. */
static void add_all(struct engine *e, struct worker *w, struct keys *k)
{
    uint8_t key[8];
    struct store_cursor c;
    reputes_write(e);
    key_u32(key_u32(key, w->id), 1);
    enum store_rc rc = e->rc ? e->rc : store_cursor_open(e->t, TABLE_REPUTE, &c);
    if (rc != STORE_OK) {
        fail(e, rc);
        return;
    }
    for (rc = store_seek(&c, key, sizeof key); rc == STORE_OK && !memcmp(c.key.p, key, 4) && !e->rc;
         rc = store_next(&c)) {
        struct repute r = { .worker = w->id, .key = key_get_u32((const uint8_t *)c.key.p + 4) };
        if (!r.key || r.key > e->meta.station || !station_latest(e, r.key) || !repute_decode(c.val, &r))
            fail(e, STORE_CORRUPT);
        else if (e->station[r.key - 1]->guarded && kept_out(e, station_latest(e, r.key), &r))
            key_add(e, k, r.key);
    }
    walked(e, rc);
    store_cursor_close(&c);
}

static void bar_set(struct engine *e, struct worker *w, const struct keys *k)
{
    struct bar *was = w->bar, *now = bar_for(e, k->v, k->n);
    bool relist = w->idle && was != now;
    w->bar = now;
    w->bar_known = true;
    if (relist) {
        idle_unlist(e, w);
        idle_list(e, w);
    }
    bar_drop(e, &was);
}

struct bar *standing_bar(struct engine *e, struct worker *w)
{
    struct keys k = { 0 };
    if (w->bar_known)
        return w->bar;
    if (!e->guards) { /* nobody is kept out anywhere: no record need be read */
        w->bar_known = true;
        return w->bar;
    }
    add_all(e, w, &k);
    add_of_all(e, w, &k);
    bar_drop(e, &w->bar);
    w->bar = bar_for(e, k.v, k.n);
    w->bar_known = true;
    free(k.v);
    staff_measured(e, w, 0);
    return w->bar;
}

void standing_sign_off(struct engine *e, struct worker *w)
{
    bar_drop(e, &w->bar);
    w->bar_known = false;
}

void standing_measured(struct engine *e, uint32_t worker, uint32_t key)
{
    if (!e->guards_of_all && !e->station[key - 1]->guarded)
        return;
    typeof(e->unsettled) v = grow(e, e->unsettled, &e->unsettled_cap, e->unsettled_n + 1, sizeof *v);
    if (!v)
        return;
    e->unsettled = v;
    v[e->unsettled_n].worker = worker;
    v[e->unsettled_n++].key = key;
}

/* His bar with this station in it or not, and all those that go by what is measured over all. */
static void settle(struct engine *e, struct worker *w, uint32_t key)
{
    struct keys k = { 0 };
    for (uint32_t i = 0; w->bar && i < w->bar->keys; i++)
        if (w->bar->key[i] != key && !station_latest(e, w->bar->key[i])->def->require.of_all)
            key_add(e, &k, w->bar->key[i]);
    struct repute *r = repute_of(e, w->id, key);
    if (r && e->station[key - 1]->guarded && kept_out(e, station_latest(e, key), r))
        key_add(e, &k, key);
    for (uint32_t i = 0; w->bar && i < w->bar->keys && !e->rc;
         i++) { /* he may be suspended where the measure over all is required */
        uint32_t other = w->bar->key[i];
        if (other != key && station_latest(e, other)->def->require.of_all && (r = repute_of(e, w->id, other)) &&
            r->standing)
            key_add(e, &k, other);
    }
    add_of_all(e, w, &k);
    bar_set(e, w, &k);
    free(k.v);
}

static void bars_step(struct engine *e);

void standings_settle(struct engine *e)
{
    for (uint32_t i = 0; i < e->unsettled_n && !e->rc; i++) {
        struct worker *w = worker_at(e, e->unsettled[i].worker);
        bool told = i && e->unsettled[i - 1].worker == w->id && e->unsettled[i - 1].key == e->unsettled[i].key;
        if (told)
            continue;
        if (w->bar_known) /* else it is made when he signs in */
            settle(e, w, e->unsettled[i].key);
        staff_measured(e, w, e->unsettled[i].key);
        for (uint32_t k = 0; k < e->guards_of_all; k++)
            staff_measured(e, w, e->guard_of_all[k]);
    }
    e->unsettled_n = 0;
    if (e->bars_anew)
        bars_step(e);
}

/* ---- guarded stations ---- */

static bool asks(const struct ld_station *s)
{
    return s->require.count || s->gold.rule_count;
}

void station_guard(struct engine *e, struct station *key)
{
    if (key->guarded)
        return;
    key->guarded = true;
    e->guards++;
    station_write(e, key);
    match_gates_anew(e, key->id);
}

#define BARS_A_STEP 500
#define LOOKS_A_STEP 65536 /* at workers whose bar nobody asked for */

/* Everybody who is signed in may be kept out elsewhere than before: a portion of them. Until it is his turn the old bar counts. */
static void bars_step(struct engine *e)
{
    uint32_t room = portion(e, BARS_A_STEP);
    for (uint32_t looks = portion(e, LOOKS_A_STEP); e->bars_anew && room && looks && !e->rc; looks--) {
        struct worker *w = worker_at(e, e->bars_anew);
        e->bars_anew = e->bars_anew < e->meta.worker ? e->bars_anew + 1 : 0;
        if (!w->bar_known)
            continue;
        bool idle = w->idle;
        if (idle)
            idle_unlist(e, w);
        standing_sign_off(e, w);
        if (idle)
            idle_list(e, w);
        staff_measured(e, w, 0);
        room--;
    }
}

void guards_count(struct engine *e)
{
    e->guards_of_all = e->guards = 0;
    for (uint32_t i = 0; i < e->meta.station; i++) {
        e->guards += e->station[i]->guarded;
        const struct station *s = e->station[i]->latest; /* NULL: it is no key */
        if (!s || !s->def->require.of_all || s->line->state == LINE_DELETED)
            continue;
        uint32_t *v = grow(e, e->guard_of_all, &e->guard_of_all_cap, e->guards_of_all + 1, sizeof *v);
        if (!v)
            return;
        e->guard_of_all = v;
        v[e->guards_of_all++] = s->key;
    }
}

void stations_guard_newest(struct engine *e, struct line *l)
{
    const struct line_version *v = &l->version[l->newest - 1];
    bool any = false;
    guards_count(e);
    for (uint32_t k = 0; k < v->def->station_count && !e->rc; k++) {
        struct station *key = e->station[e->station[v->first_station - 1 + k]->key - 1];
        if (asks(&v->def->stations[k]))
            station_guard(e, key);
        any = any || key->guarded;
        staff_anew(e, key->id);
    }
    if (any)
        e->bars_anew = e->meta.worker != 0;
}

/* ---- suspension ---- */

static void announce(struct engine *e, const struct worker *w, const struct station *st, const struct repute *r)
{
    static const char *const keys[] = { "worker", "hub", "line" };
    const uint64_t values[] = { w->id, w->hub, st->line->id };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 3);
    slp_pack_cstr(&e->b3, "station");
    slp_pack_str(&e->b3, st->def->name.p, st->def->name.n);
    slp_pack_cstr(&e->b3, "standing");
    slp_pack_cstr(&e->b3, standing_word(r->standing));
    slp_pack_cstr(&e->b3, "reason");
    slp_pack_str(&e->b3, r->reason, r->reason_n);
    ev_emit(e, EV_WORKER_STANDING, st->line, NULL, e->hub[w->hub - 1], &e->b3);
}

/* Of what he holds, *left in all, what is of the station goes back if it is at this hub. */
static void take_back_at(struct engine *e, struct hub *h, const struct worker *w, uint32_t key, uint32_t *left)
{
    for (struct aseg *s = h->asegs; s && *left && !e->rc; s = s->hub_next)
        for (uint32_t i = 0; i < s->n && *left; i++)
            if (s->e[i].worker == w->id && s->e[i].state <= ASSIGN_STARTED) {
                --*left;
                if (s->st->key != key)
                    continue;
                task_return(e, s, s->first + i, WHY_SUSPENDED, "", 0);
                recall(e, h, s->first + i, 7);
            }
}

/* What he holds at the station goes back, whether he has begun it or not; also where he was before he came to his hub. */
static void take_back(struct engine *e, struct worker *w, uint32_t key)
{
    uint32_t left = w->holding;
    take_back_at(e, e->hub[w->hub - 1], w, key, &left);
    for (uint32_t i = 0; i < e->meta.hub && left; i++)
        if (i != w->hub - 1)
            take_back_at(e, e->hub[i], w, key, &left);
}

static void set_at(struct engine *e, struct worker *w, uint32_t key, enum standing to, const char *reason, size_t n)
{
    station_guard(e, e->station[key - 1]);
    struct repute *r = repute_of(e, w->id, key);
    if (!r || r->standing == to)
        return;
    bool loses = to != STANDING_GOOD && r->standing == STANDING_GOOD;
    r->standing = (uint8_t)to;
    r->since_wall_us = to ? e->wall_us : 0;
    r->reason_n = (uint16_t)sl_utf8_cut(reason, n < sizeof r->reason ? n : sizeof r->reason);
    if (r->reason_n)
        memcpy(r->reason, reason, r->reason_n);
    if (to == STANDING_GOOD) /* he begins anew: what he was suspended for would suspend him again */
        r->windows &= (uint16_t) ~(1u << MEASURE_GOLD);
    if (loses)
        r->void_result = e->meta.result;
    r->dirty = true;
    standing_measured(e, w->id, key);
    announce(e, w, station_latest(e, key), r);
    if (loses) /* others may be listed anew, which writes the records at hand: r is not to be used behind it */
        take_back(e, w, key);
}

/* The key of a tournament's jury; 0: it is none. */
static uint32_t jury_of(const struct engine *e, uint32_t key)
{
    const struct station *s = station_latest(e, key);
    return s->def->type == LD_TOURNAMENT ? e->station[s->id - s->idx + s->def->partner - 1]->key : 0;
}

static enum standing standing_at(struct engine *e, const struct worker *w, uint32_t key)
{
    const struct repute *r = repute_of(e, w->id, key);
    return r ? (enum standing)r->standing : STANDING_GOOD;
}

/* Who may not enter may not judge either, and may again together with that; who was kept out of a jury alone, or for something else, stays so. */
void standing_set(struct engine *e, struct worker *w, uint32_t key, enum standing to, const char *reason, size_t n)
{
    uint32_t jury = jury_of(e, key);
    enum standing was = standing_at(e, w, key);
    if (jury && was != to && standing_at(e, w, jury) == (to == STANDING_GOOD ? was : STANDING_GOOD))
        set_at(e, w, jury, to, reason, n);
    set_at(e, w, key, to, reason, n);
}

bool standing_refuses(struct engine *e, const struct station *st, uint32_t worker)
{
    if (!e->station[st->key - 1]->guarded)
        return false;
    const struct repute *r = repute_of(e, worker, st->key);
    return r && r->standing != STANDING_GOOD;
}

static void say_short(const struct station *s, const struct ld_bound *o, struct tally t, char *why, size_t why_size)
{
    unsigned long long whole = o->micros / 1000000, rest = o->micros % 1000000, n = t.n, sum = t.sum;
    int at = snprintf(why, why_size, "station %.*s requires %s %s%s ", (int)s->def->name.n, s->def->name.p,
                      measure_words[o->measure], o->less ? "<" : ">", o->equal ? "=" : "");
    if (at < 0 || (size_t)at >= why_size)
        return;
    why += at;
    why_size -= (size_t)at;
    if (ld_measures_time(o->measure))
        snprintf(why, why_size, "%llu.%03llu s, this worker has %llu.%03llu s in the mean of %llu", whole, rest / 1000,
                 sum / n / 1000, sum / n % 1000, n);
    else
        snprintf(why, why_size, "%llu.%06llu, this worker has %llu of %llu", whole, rest, sum, n);
}

bool standing_why(struct engine *e, const struct worker *w, const struct station *st, char *why, size_t why_size,
                  int *code)
{
    const struct station *s = station_latest(e, st->key);
    const struct repute *r = repute_of(e, w->id, st->key);
    int n = (int)s->def->name.n;
    if (!r || !e->station[st->key - 1]->guarded)
        return false;
    if (r->standing != STANDING_GOOD) {
        size_t some = sl_utf8_cut(r->reason, r->reason_n < REASON_TOLD_MAX ? r->reason_n : REASON_TOLD_MAX);
        *code = r->standing == STANDING_TRAINING ? WHY_TRAINING : WHY_KEPT_OUT;
        snprintf(why, why_size, "%s at station %.*s%s%.*s",
                 r->standing == STANDING_TRAINING ? "in training, so nothing" : "suspended", n, s->def->name.p,
                 some ? ": " : "", (int)some, r->reason);
        return true;
    }
    if (s->def->require.of_all)
        r = repute_of(e, w->id, 0);
    const struct ld_bound *o = r ? unmet(e, s, r) : NULL;
    if (!o)
        return false;
    struct tally t = tally_of(e, s, r, o->measure);
    *code = WHY_REQUIRE;
    if (t.n < s->def->require.after)
        snprintf(why, why_size,
                 "station %.*s refuses newcomers: it asks for %s, measured over at least %u, this worker has %llu", n,
                 s->def->name.p, measure_words[o->measure], s->def->require.after, (unsigned long long)t.n);
    else
        say_short(s, o, t, why, why_size);
    return true;
}
