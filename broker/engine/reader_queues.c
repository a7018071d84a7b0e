/* Which tasks the tables READY, DELAY and DEAD hold, asked by unit: for a check, which comes from the units' states. Those tables are in the order of queues, of due
 * times and of stations; so they are read once, all three in the transaction under way, and what they hold is put into the order of runs and units.
 *
 * Only a window of that order is kept, so that memory is bounded: from the unit that was asked for on, KEPT ranges of tasks (more where the first place alone has
 * more). Who asks in the order of runs and units reads the tables once for each window.
 * The window stays from one portion of a check to the next, while the broker works on. What it lacks may have come since: then it is read again, once in a
 * transaction, before a task is said to be in no queue. */
#include <assert.h>
#include <stdlib.h>

#include "broker/engine/reader.h"

#define KEPT (1u << 18)        /* ranges: 4 MiB, and as much again while they are gathered */
#define PLACE_UNITS (1u << 16) /* of one run: a place */

/* Tasks of units that are neighbours, in one state at one station. */
struct queued {
    uint64_t place;       /* run u32, the units' number without its last 16 bits u32 */
    uint16_t what;        /* READY, DELAY or DEAD, and the station in its line */
    uint16_t first, last; /* the number's last 16 bits */
};

enum { IN_READY, IN_DELAY, IN_DEAD, KINDS };

struct rd_queues {
    struct queued *v;
    size_t n, cap;
    uint64_t from, upto;      /* places: the window, its end not in it */
    uint64_t request;         /* in which it was read */
    bool damaged[KINDS];      /* something in the table could not be read: whatever is missing may be there */
    uint32_t looked, station; /* the newest station that was asked for ... */
    uint16_t idx;             /* ... and where it is in its line */
};

void rd_queues_free(struct reader *r)
{
    if (r->queues)
        free(r->queues->v);
    free(r->queues);
    r->queues = NULL;
}

static uint64_t place_of(uint32_t run, uint64_t unit)
{
    return (uint64_t)run << 32 | (uint32_t)(unit / PLACE_UNITS);
}

static uint16_t what_of(unsigned kind, unsigned idx)
{
    return (uint16_t)(kind << 14 | idx);
}
static_assert(SL_LINE_STATIONS_MAX < 1 << 14, "a station beside its kind");

static int order(const struct queued *x, uint64_t place, uint16_t what, uint16_t first)
{
    if (x->place != place)
        return x->place < place ? -1 : 1;
    if (x->what != what)
        return x->what < what ? -1 : 1;
    return x->first < first ? -1 : x->first > first;
}

static int by_place(const void *a, const void *b)
{
    const struct queued *y = b;
    return order(a, y->place, y->what, y->first);
}

/* In order, and ranges that touch are one. */
static void put_in_order(struct rd_queues *q)
{
    size_t n = 0;
    if (q->n)
        qsort(q->v, q->n, sizeof *q->v, by_place);
    for (size_t i = 0; i < q->n; i++) {
        struct queued *x = &q->v[i], *to = n ? &q->v[n - 1] : NULL;
        if (to && to->place == x->place && to->what == x->what && x->first <= to->last + 1)
            to->last = x->last > to->last ? x->last : to->last;
        else
            q->v[n++] = *x;
    }
    q->n = n;
}

/* Room for another: what lies furthest on leaves the window. */
static void make_room(struct reader *r, struct rd_queues *q)
{
    put_in_order(q);
    if (q->n <= q->cap / 2)
        return;
    uint64_t upto = q->v[q->cap / 2].place;
    if (upto > q->v[0].place) {
        q->upto = upto;
        while (q->v[q->n - 1].place >= upto)
            q->n--;
        return;
    }
    struct queued *v = realloc(q->v, 2 * q->cap * sizeof *v);
    if (!v) {
        rd_walked(r, STORE_NO_MEMORY);
        return;
    }
    q->v = v;
    q->cap *= 2;
}

static void add(struct reader *r, struct rd_queues *q, unsigned kind, uint32_t run, uint64_t first, uint64_t count)
{
    uint64_t end = first + count; /* not in it */
    if (first > end || end > (uint64_t)PLACE_UNITS << 32)
        return; /* no unit's number: told where it lies */
    if (place_of(run, first) < q->from)
        first = run < q->from >> 32 ? end : (q->from & UINT32_MAX) * PLACE_UNITS;
    while (first < end && place_of(run, first) < q->upto && !r->rc) {
        uint64_t last = first | (PLACE_UNITS - 1);
        if (last >= end)
            last = end - 1;
        q->v[q->n++] = (struct queued){ place_of(run, first), what_of(kind, q->idx), (uint16_t)first, (uint16_t)last };
        first = last + 1;
        if (q->n == q->cap)
            make_room(r, q);
    }
}

/* The station of a record, and where it is in its line. False: that is told where the record itself is looked at. */
static bool station_is(struct reader *r, struct rd_queues *q, uint32_t station)
{
    uint32_t line, version;
    if (q->station != station || !station) {
        q->station = 0;
        if (!rd_station(r, station, &line, &version, &q->idx) || q->idx >= SL_LINE_STATIONS_MAX)
            return false;
        q->station = station;
    }
    return true;
}

static void add_ranges(struct reader *r, struct rd_queues *q, unsigned kind, uint32_t run, struct rdr *rd)
{
    uint64_t at = 0;
    uint16_t n = rdr_u16(rd);
    for (uint16_t i = 0; i < n && !rd->bad && !r->rc; i++) {
        uint64_t first = at + (uint64_t)rdr_zigzag(rd), count = rdr_varint(rd);
        if (!rd->bad)
            add(r, q, kind, run, first, count);
        at = first + count;
    }
}

static void add_record(struct reader *r, struct rd_queues *q, enum store_table tb, const struct store_cursor *c)
{
    const uint8_t *k = c->key.p;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    if (tb == TABLE_DELAY) {
        uint32_t station = rdr_u32(&rd), run = rdr_u32(&rd);
        rdr_u8(&rd);
        if (station_is(r, q, station))
            add_ranges(r, q, IN_DELAY, run, &rd);
    } else if (tb == TABLE_READY && c->key.n == 17) {
        if (!(k[8] & READY_SKIPS) && station_is(r, q, key_get_u32(k)))
            add_ranges(r, q, IN_READY, key_get_u32(k + 4), &rd);
    } else if (tb == TABLE_DEAD && c->key.n == 16 && station_is(r, q, key_get_u32(k))) {
        add(r, q, IN_DEAD, key_get_u32(k + 4), key_get_u64(k + 8), 1);
    }
}

/* All that the tables hold from that place on, as far as there is room for it. */
static void read_all(struct reader *r, struct rd_queues *q, uint64_t from)
{
    static const enum store_table table[KINDS] = { TABLE_READY, TABLE_DELAY, TABLE_DEAD };
    *q = (struct rd_queues){ .v = q->v, .cap = q->cap, .from = from, .upto = UINT64_MAX, .request = r->requests };
    for (int kind = 0; kind < KINDS && !r->rc; kind++) {
        struct store_cursor c;
        enum store_rc rc = store_cursor_open(r->t, table[kind], &c);
        for (rc = rc ? rc : store_seek(&c, "", 0);
             (rc == STORE_OK || (rc == STORE_CORRUPT && c.key.n && !c.astray)) && !r->rc; rc = store_next(&c)) {
            q->looked++;
            if (rc == STORE_OK)
                add_record(r, q, table[kind], &c);
            if (rc == STORE_CORRUPT || r->rc == STORE_CORRUPT) { /* told where it lies */
                q->damaged[kind] = true;
                r->rc = STORE_OK;
            }
        }
        if (rc == STORE_CORRUPT)
            q->damaged[kind] = true;
        else
            rd_walked(r, rc);
        store_cursor_close(&c);
    }
    put_in_order(q);
}

static bool held(const struct rd_queues *q, uint64_t place, uint16_t what, uint16_t unit)
{
    size_t from = 0, to = q->n; /* the last one that begins at the unit or before it */
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (order(&q->v[mid], place, what, unit) <= 0)
            from = mid + 1;
        else
            to = mid;
    }
    const struct queued *x = from ? &q->v[from - 1] : NULL;
    return x && x->place == place && x->what == what && x->last >= unit;
}

static struct rd_queues *queues(struct reader *r)
{
    if (!r->queues) {
        struct rd_queues *q = calloc(1, sizeof *q);
        struct queued *v = malloc(2 * KEPT * sizeof *v);
        if (!q || !v) {
            free(q);
            free(v);
            rd_walked(r, STORE_NO_MEMORY);
            return NULL;
        }
        q->v = v;
        q->cap = 2 * KEPT;
        r->queues = q;
    }
    return r->queues;
}

bool rd_queued(struct reader *r, uint32_t run, uint32_t station, uint64_t unit, enum task_state state, uint32_t *looked)
{
    struct rd_queues *q = queues(r);
    unsigned kind = state == TASK_READY ? IN_READY : state == TASK_WAITING ? IN_DELAY : IN_DEAD;
    uint64_t place = place_of(run, unit);
    if (!q)
        return true; /* it cannot be told, and the answer is that */
    for (;;) {
        bool in_window = q->request && place >= q->from && place < q->upto;
        if (in_window && held(q, place, what_of(kind, station), (uint16_t)unit))
            return true;
        if (in_window && q->request == r->requests)
            return q->damaged[kind];
        read_all(r, q, place);
        *looked += q->looked;
        if (r->rc)
            return true;
    }
}

/* ---- how many a queue holds ---- */

struct first_station {
    uint32_t line, version, station;
};

static bool is_not_it(void *arg, const struct store_cursor *c)
{
    struct first_station *x = arg;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    bool same = rdr_u32(&rd) == x->line;
    same = rdr_u32(&rd) == x->version && same;
    if (same && rdr_u16(&rd) == 0 && c->key.n == 4)
        x->station = key_get_u32(c->key.p);
    return !x->station;
}

/* A version's stations have numbers in a row. 0: the first cannot be told. */
static uint32_t first_station(struct reader *r, const struct rd_run *run, uint32_t *looked)
{
    if (r->first_line != run->line || r->first_version != run->version) {
        struct first_station x = { run->line, run->version, 0 };
        if (!rd_each(r, TABLE_STATION, "", 0, is_not_it, &x, looked) || !x.station)
            return 0;
        r->first_line = run->line;
        r->first_version = run->version;
        r->first_station = x.station;
    }
    return r->first_station;
}

static bool add_lane(void *arg, const struct store_cursor *c)
{
    uint64_t *held = arg;
    uint8_t lane = c->key.n == 17 ? ((const uint8_t *)c->key.p)[8] : LANES;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    uint16_t n = rdr_u16(&rd);
    for (; lane < LANES && n && !rd.bad; n--) {
        rdr_zigzag(&rd);
        held[lane] += rdr_varint(&rd);
    }
    return true;
}

bool rd_lanes(struct reader *r, const struct rd_run *run, uint32_t idx, struct rdr rd, uint32_t *looked)
{
    uint64_t should[LANES], held[LANES] = { 0 };
    uint8_t k[8];
    rdr_bytes(&rd, 8 * TASK_STATES);
    for (enum lane l = 0; l < LANES; l++) {
        rdr_u64(&rd);
        should[l] = rdr_u64(&rd);
    }
    if (rd.bad ||
        run->state > RUN_CLOSED) /* what is over is emptied at one stroke, and its entries go piece by piece */
        return !rd.bad;
    uint32_t first = first_station(r, run, looked);
    key_u32(key_u32(k, first + idx), run->id);
    return !first || !rd_each(r, TABLE_READY, k, sizeof k, add_lane, held, looked) ||
           !memcmp(should, held, sizeof should); /* one that cannot be read may be what is missing */
}
