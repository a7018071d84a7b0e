/* The records of what is measured of workers, and their windows. See repute.h.
 *
 *   REPUTE  worker u32, key u32 (the station's, or 0: all stations)
 *           standing u8 (enum standing), if not good: since i64, reason; varints: control tasks handed, assignments handed, newest result that is void, block of the last control task, of which he has seen all;
 *           number of windows u8, each: measure u8, parts u8, each part: since (minutes, difference) zigzag, n varint, sum varint
 *
 * Those that were touched lie in a hash table until the batch ends; then the changed ones are written in the order of their keys, and all are let go. */
#include "broker/engine/repute.h"

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"
#include "broker/engine/standing.h"

#define RECORD_BYTES_MAX 3600
#define KEPT                                                                                                           \
    4096 /* records of memory that stay for the next batch: of as many results as a full batch brings, at the station and over all */

/* ---- records ---- */

static void record_key(uint8_t *k, const struct repute *r)
{
    key_u32(key_u32(k, r->worker), r->key);
}

bool repute_decode(struct store_val v, struct repute *r)
{
    struct rdr rd = rdr_on(v.p, v.n);
    size_t n;
    r->windows = r->reason_n = 0;
    r->since_wall_us = 0;
    r->standing = rdr_u8(&rd);
    if (r->standing) {
        r->since_wall_us = rdr_i64(&rd);
        const char *reason = rdr_str(&rd, &n);
        r->reason_n = (uint16_t)(n <= sizeof r->reason ? n : 0);
        rd.bad |= n > sizeof r->reason || r->standing >= STANDINGS;
        if (r->reason_n)
            memcpy(r->reason, reason, r->reason_n);
    }
    r->golds = rdr_varint(&rd);
    r->handed = rdr_varint(&rd);
    r->void_result = rdr_varint(&rd);
    r->gold_block = rdr_varint(&rd);
    r->gold_dry = rdr_varint(&rd);
    uint8_t windows = rdr_u8(&rd);
    while (windows-- && !rd.bad) {
        uint8_t m = rdr_u8(&rd), parts = rdr_u8(&rd);
        int64_t at = 0;
        if (m >= MEASURES || parts > WINDOW_PARTS)
            return false;
        struct window *w = &r->w[m];
        r->windows |= (uint16_t)(1u << m);
        for (w->parts = 0; w->parts < parts && !rd.bad; w->parts++) {
            at += rdr_zigzag(&rd);
            w->part[w->parts].since_min = (uint32_t)at;
            w->part[w->parts].n = (uint32_t)rdr_varint(&rd);
            w->part[w->parts].sum = rdr_varint(&rd);
        }
    }
    return !rd.bad;
}

static size_t encode(const struct repute *r, uint8_t b[RECORD_BYTES_MAX])
{
    struct rec rc = { b, 0, RECORD_BYTES_MAX, 0 };
    rec_u8(&rc, r->standing);
    if (r->standing) {
        rec_i64(&rc, r->since_wall_us);
        rec_str(&rc, r->reason, r->reason_n);
    }
    rec_varint(&rc, r->golds);
    rec_varint(&rc, r->handed);
    rec_varint(&rc, r->void_result);
    rec_varint(&rc, r->gold_block);
    rec_varint(&rc, r->gold_dry);
    rec_u8(&rc, (uint8_t)__builtin_popcount(r->windows));
    for (int m = 0; m < MEASURES; m++) {
        const struct window *w = &r->w[m];
        int64_t at = 0;
        if (!(r->windows >> m & 1))
            continue;
        rec_u8(&rc, (uint8_t)m);
        rec_u8(&rc, w->parts);
        for (uint8_t i = 0; i < w->parts; i++) {
            rec_zigzag(&rc, (int64_t)w->part[i].since_min - at);
            rec_varint(&rc, w->part[i].n);
            rec_varint(&rc, w->part[i].sum);
            at = w->part[i].since_min;
        }
    }
    assert(!rc.bad);
    return rc.n;
}

/* ---- those at hand ---- */

static uint32_t home(const struct engine *e, uint32_t worker, uint32_t key)
{
    return (uint32_t)((worker * 0x9E3779B97F4A7C15ull ^ key * 0xC2B2AE3D27D4EB4Full) >> 32) & (e->repute.slots - 1);
}

static bool slots_double(struct engine *e)
{
    uint32_t n = e->repute.slots ? e->repute.slots * 2 : 64;
    struct repute **v = calloc(n, sizeof(struct repute *));
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    free(e->repute.slot);
    e->repute.slot = v;
    e->repute.slots = n;
    for (uint32_t i = 0; i < e->repute.n; i++) {
        struct repute *r = e->repute.v[i].r;
        struct repute **at = &v[home(e, r->worker, r->key)];
        r->hash_next = *at;
        *at = r;
    }
    return true;
}

static void of_worker(struct repute *r, uint32_t worker, uint32_t key)
{
    memset(r, 0, offsetof(struct repute, w));
    r->worker = worker;
    r->key = key;
}

/* From the pool, or new, not read: NULL after fail(). */
static struct repute *take(struct engine *e, uint32_t worker, uint32_t key)
{
    if (e->repute.n >= e->repute.slots && !slots_double(e))
        return NULL;
    struct repute_at *v = grow(e, e->repute.v, &e->repute.cap, e->repute.n + 1, sizeof *v);
    if (!v)
        return NULL;
    e->repute.v = v;
    struct repute *r = v[e->repute.n].r; /* behind the last one lie those that were let go */
    if (!r && !(r = malloc(sizeof *r))) {
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    of_worker(r, worker, key);
    v[e->repute.n++] = (struct repute_at){ (uint64_t)worker << 32 | key, r };
    struct repute **at = &e->repute.slot[home(e, worker, key)];
    r->hash_next = *at;
    *at = r;
    return r;
}

static struct repute *at_hand(const struct engine *e, uint32_t worker, uint32_t key)
{
    struct repute *r = e->repute.slots ? e->repute.slot[home(e, worker, key)] : NULL;
    while (r && (r->worker != worker || r->key != key))
        r = r->hash_next;
    return r;
}

static void window_more(struct repute *r, enum measure m, uint32_t last, int64_t within_us, int64_t wall_us, uint32_t n,
                        uint64_t sum)
{
    if (!(r->windows >> m & 1))
        r->w[m].parts = 0;
    r->windows |= (uint16_t)(1u << m);
    window_add(&r->w[m], last, within_us, wall_us, n, sum);
}

/* And what was measured meanwhile. */
static void read_record(struct engine *e, struct repute *r)
{
    struct repute_later later[REPUTE_LATER_MAX];
    uint8_t k[8], n = r->laters;
    struct store_val v;
    if (n)
        memcpy(later, r->later, n * sizeof *later);
    r->read = true;
    r->laters = 0;
    record_key(k, r);
    if (e_get(e, TABLE_REPUTE, k, sizeof k, &v) && !repute_decode(v, r))
        fail(e, STORE_CORRUPT);
    for (uint8_t i = 0; i < n; i++) {
        const struct repute_later *x = &later[i];
        window_more(r, x->measure, x->last, x->within_us, x->wall_us, x->n, x->sum);
    }
}

struct repute *repute_of(struct engine *e, uint32_t worker, uint32_t key)
{
    struct repute *r = at_hand(e, worker, key);
    if (!r)
        r = take(e, worker, key);
    if (r && !r->read)
        read_record(e, r);
    return r;
}

const struct repute *repute_look(struct engine *e, uint32_t worker, uint32_t key, struct repute *alone)
{
    struct repute *r = at_hand(e, worker, key);
    if (!r)
        of_worker(r = alone, worker, key);
    if (!r->read)
        read_record(e, r);
    return r;
}

static int by_id(const void *a, const void *b)
{
    return order_of(((const struct repute_at *)a)->id, ((const struct repute_at *)b)->id);
}

/* One that was not read is read here, beside where it is put: between its neighbours, into memory that is at hand. */
static void record_write(struct engine *e, const struct repute *r)
{
    uint8_t k[8], b[RECORD_BYTES_MAX];
    struct repute here;
    if (!r->read) {
        memcpy(&here, r, offsetof(struct repute, later) + r->laters * sizeof *r->later);
        read_record(e, &here);
        r = &here;
    }
    record_key(k, r);
    e_put(e, TABLE_REPUTE, k, sizeof k, b, encode(r, b));
}

void reputes_write(struct engine *e)
{
    struct repute_at *v = e->repute.v;
    uint32_t n = e->repute.n;
    if (!n)
        return;
    sort(e, v, n, sizeof *v, by_id);
    for (uint32_t i = 0; i < n; i++) {
        const char *soon = (const char *)v[i + 4 < n ? i + 4 : i].r;
        for (size_t at = 0; at < offsetof(struct repute, later[4]); at += LINE_PAIR / 2)
            __builtin_prefetch(soon + at);
        if (v[i].r->dirty)
            record_write(e, v[i].r);
    }
    e->repute.n = 0;
    memset(e->repute.slot, 0, e->repute.slots * sizeof *e->repute.slot);
    for (uint32_t i = KEPT; i < e->repute.cap && v[i].r;
         i++) { /* a large batch leaves no more than a usual one needs */
        free(v[i].r);
        v[i].r = NULL;
    }
}

void reputes_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->repute.cap; i++)
        free(e->repute.v[i].r);
    free(e->repute.v);
    free(e->repute.slot);
}

/* ---- measuring ---- */

/* All versions share the windows: the newest says how long they are. */
static uint32_t last_of(const struct engine *e, const struct station *st)
{
    return st ? station_latest(e, st->key)->def->window_last : WINDOW_LAST;
}

int64_t repute_within_us(const struct engine *e, const struct station *st)
{
    return st ? station_latest(e, st->key)->def->window_within_us : WINDOW_WITHIN_US;
}

static struct repute *record_of(struct engine *e, const struct station *st, uint32_t worker)
{
    return repute_of(e, worker, st ? st->key : 0);
}

static void add(struct engine *e, const struct station *st, uint32_t worker, enum measure m, uint32_t n, uint64_t sum)
{
    uint32_t key = st ? st->key : 0, last = last_of(e, st);
    int64_t within_us = repute_within_us(e, st);
    struct repute *r = at_hand(e, worker, key);
    if (!r && !(r = take(e, worker, key)))
        return;
    r->dirty = true;
    if (!r->read && r->laters < REPUTE_LATER_MAX) {
        r->later[r->laters++] = (struct repute_later){ sum, e->wall_us, within_us, n, last, (uint8_t)m };
        return;
    }
    if (!r->read)
        read_record(e, r);
    window_more(r, m, last, within_us, e->wall_us, n, sum);
}

/* At the station and over all. */
static void measured(struct engine *e, struct station *st, uint32_t worker, enum measure m, uint32_t n, uint64_t sum)
{
    assert(worker && worker <= e->meta.worker);
    add(e, st, worker, m, n, sum);
    add(e, NULL, worker, m, n, sum);
    worker_at(e, worker)->class_known = false;
    standing_measured(e, worker, st->key);
}

void repute_verdict(struct engine *e, struct station *st, uint32_t worker, enum repute_verdict v)
{
    measured(e, st, worker, MEASURE_APPROVED, 1, v == REPUTE_ACCEPTED);
    measured(e, st, worker, MEASURE_RETURNED, 1, v == REPUTE_REJECTED);
}

void repute_placed(struct engine *e, struct station *st, uint32_t worker, uint32_t place, uint32_t of)
{
    assert(place >= 1 && place <= of);
    measured(e, st, worker, MEASURE_WON, 1, place == 1);
    if (of > 1)
        measured(e, st, worker, MEASURE_BEATEN, of - 1, of - place);
}

void repute_outcome(struct engine *e, struct station *st, uint32_t worker, bool agreed)
{
    measured(e, st, worker, MEASURE_AGREED, 1, agreed);
}

void repute_gold(struct engine *e, struct station *st, uint32_t worker, bool right)
{
    measured(e, st, worker, MEASURE_GOLD, 1, right);
}

void repute_abandoned(struct engine *e, struct station *st, uint32_t worker)
{
    measured(e, st, worker, MEASURE_ABANDONED, 1, 1);
}

void repute_result(struct engine *e, struct station *st, uint32_t worker, int64_t lease_us, uint64_t active_us)
{
    bool active = active_us > 0 && active_us <= SL_LEASE_US_MAX;
    measured(e, st, worker, MEASURE_ABANDONED, 1, 0);
    if (lease_us > 0 && lease_us <= SL_LEASE_US_MAX)
        measured(e, st, worker, MEASURE_LEASE, 1, (uint64_t)lease_us / 1000);
    if (!active)
        return;
    measured(e, st, worker, MEASURE_ACTIVE, 1, active_us / 1000);
    uint64_t usual_us = pace_active_us(st), pace = usual_us * 256 / active_us;
    if (usual_us)
        add(e, NULL, worker, MEASURE_PACE, 1, pace < 64 ? 64 : pace > 1024 ? 1024 : pace);
}

struct tally repute_tally(struct engine *e, const struct station *st, uint32_t worker, enum measure m)
{
    struct repute *r = record_of(e, st, worker);
    return r ? repute_count(r, m, repute_within_us(e, st), e->wall_us) : (struct tally){ 0, 0 };
}

/* ---- the class ---- */

/* In 256ths, as far as there are enough; else `otherwise`. */
static uint32_t share(const struct engine *e, const struct repute *r, enum measure m, uint32_t otherwise)
{
    struct tally t = repute_count(r, m, WINDOW_WITHIN_US, e->wall_us);
    return t.n < WORKER_MEASURED_MIN ? otherwise : (uint32_t)(t.sum * 256 / t.n);
}

uint8_t repute_class(struct engine *e, uint32_t worker)
{
    static const uint8_t quality[] = { MEASURE_AGREED, MEASURE_GOLD, MEASURE_APPROVED, MEASURE_BEATEN };
    struct repute alone;
    const struct repute *r = repute_look(e, worker, 0, &alone);
    uint32_t kept = 256 - share(e, r, MEASURE_ABANDONED, 0), pace = share(e, r, MEASURE_PACE, 256);
    uint32_t class = kept * pace / 256 * 7 / 256, n = 0, sum = 0;
    for (size_t i = 0; i < sizeof quality; i++) {
        uint32_t q = share(e, r, quality[i], UINT32_MAX);
        if (q == UINT32_MAX)
            continue;
        sum += q;
        n++;
    }
    class = class > 15 ? 15 : class;
    if (n) /* how well counts as much as how fast and how reliably */
        class = (class + sum / n * 15 / 256 + 1) / 2;
    return class > 15 ? 15 : (uint8_t) class;
}
