/* SNAPSHOT_GET: the state that events change, table by table, in short read transactions. Each page names the last event at its reading; whoever
 * follows the events from the first page's sequence on, and skips for each row what its page had seen already, holds the state exactly.
 * docs/events.md describes the rows. */
#include <assert.h>

#include "broker/engine/reader.h"
#include "broker/engine/standing.h"

#define ROWS_SPARE 64     /* a record may make so many rows: a group of units, a segment of assignments */
#define RECORDS_MAX 20000 /* looked at for one page */
#define NEXT_BYTES_MAX 64

struct page {
    struct reader *r;
    uint32_t rows;
    struct rd_run run;
    bool run_there;
};

static void row_begin(struct page *p, const char *what, uint32_t elements)
{
    slp_pack_array(&p->r->b, elements + 1);
    slp_pack_cstr(&p->r->b, what);
    p->rows++;
}

static void numbers(struct page *p, const uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slp_pack_u64(&p->r->b, v[i]);
}
#define NUMBERS(p, ...)                                                                                                \
    numbers(p, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void line_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    size_t n;
    if (key_get_u32(k + 4)) /* a piece of a definition: line_get has it */
        return;
    uint8_t state = rdr_u8(&rd);
    uint32_t newest = rdr_u32(&rd);
    const char *name = rdr_str(&rd, &n);
    row_begin(p, "line", 4);
    NUMBERS(p, key_get_u32(k));
    slp_pack_str(&p->r->b, name, n);
    NUMBERS(p, newest, state);
    p->r->rc = rd.bad ? STORE_CORRUPT : p->r->rc;
}

static void station_row_(struct page *p, const uint8_t *k, struct rdr rd)
{
    uint32_t line = rdr_u32(&rd), version = rdr_u32(&rd);
    uint16_t idx = rdr_u16(&rd);
    uint8_t paused = rdr_u8(&rd);
    const struct ld_line *l = rd.bad ? NULL : rd_line(p->r, line, version);
    if (!l || idx >= l->station_count) {
        p->r->rc = p->r->rc ? p->r->rc : STORE_CORRUPT;
        return;
    }
    row_begin(p, "station", 6);
    NUMBERS(p, key_get_u32(k), line, version, idx);
    slp_pack_str(&p->r->b, l->stations[idx].name.p, l->stations[idx].name.n);
    slp_pack_bool(&p->r->b, paused);
}

static void hub_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    size_t n, zn;
    const char *name = rdr_str(&rd, &n), *zone = rdr_str(&rd, &zn);
    row_begin(p, "hub", 3);
    NUMBERS(p, key_get_u32(k));
    slp_pack_str(&p->r->b, name, n);
    slp_pack_str(&p->r->b, zone, zn);
    p->r->rc = rd.bad ? STORE_CORRUPT : p->r->rc;
}

static void worker_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    size_t n;
    uint32_t hub = rdr_u32(&rd);
    rdr_u32(&rd);
    uint8_t kind = rdr_u8(&rd), on_roster = rdr_u8(&rd);
    const char *name = rdr_str(&rd, &n);
    row_begin(p, "worker", 5);
    NUMBERS(p, key_get_u32(k));
    slp_pack_str(&p->r->b, name, n);
    NUMBERS(p, hub, kind);
    slp_pack_bool(&p->r->b, on_roster);
    p->r->rc = rd.bad ? STORE_CORRUPT : p->r->rc;
}

/* The run that what follows belongs to; false: it is gone, or going. */
static bool run_of(struct page *p, uint32_t id)
{
    if (p->run.id != id) {
        p->run_there = rd_run_get(p->r, id, &p->run);
        p->run.id = id;
    }
    return p->run_there && p->run.state != RUN_DELETING;
}

static void run_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    const struct rd_run *r = &p->run;
    (void)rd;
    if ((k[4] | k[5]) != 0 || !run_of(p, key_get_u32(k)))
        return;
    row_begin(p, "run", 12);
    NUMBERS(p, r->id);
    slp_pack_cstr(&p->r->b, r->name);
    NUMBERS(p, r->line, r->version, r->state);
    slp_pack_bool(&p->r->b, r->paused);
    NUMBERS(p, r->priority, r->units, r->done, r->dropped, r->cancelled, r->dead);
}

/* At a station with copies, while answers are still wanted: how many, those that count among them (copies.c). */
static unsigned wanted(const struct ld_station *s, const uint8_t *t, bool ended)
{
    if (!s->copies.max || ended || t[ST_STATE] == TASK_DONE || t[ST_STATE] == TASK_SKIPPED || t[ST_STATE] == TASK_ENDED)
        return 0;
    return t[ST_WANTED] ? t[ST_WANTED] : s->copies.min;
}

static void unit_rows(struct page *p, const uint8_t *k, struct rdr rd)
{
    if (!run_of(p, key_get_u32(k)))
        return;
    uint32_t stations = p->run.lv->station_count;
    uint64_t unit = (key_get_u64(k + 4) << p->run.shift) + 1;
    for (; unit <= p->run.units && rd.p < rd.end; unit++) {
        const uint8_t *h = rdr_bytes(&rd, STATE_UNIT_BYTES + STATE_STATION_BYTES * stations);
        if (!h) {
            p->r->rc = STORE_CORRUPT;
            return;
        }
        bool cancelled = p->run.state == RUN_CANCELLED &&
                         h[0] == UNIT_OPEN; /* a run is cancelled in one record: its units are not touched */
        row_begin(p, "unit", 4);
        NUMBERS(p, p->run.id, unit, cancelled ? UNIT_CANCELLED : h[0]);
        slp_pack_array(&p->r->b, stations);
        for (uint32_t i = 0; i < stations; i++) {
            const uint8_t *t = h + STATE_UNIT_BYTES + STATE_STATION_BYTES * i;
            bool ended = cancelled && t[0] != TASK_DONE && t[0] != TASK_SKIPPED;
            slp_pack_array(&p->r->b, 5);
            NUMBERS(p, ended ? TASK_ENDED : t[0], t[1], get_u48(t + ST_ASSIGN), st_result(t),
                    wanted(&p->run.lv->stations[i], t, ended));
        }
    }
}

static void assignment_rows(struct page *p, const uint8_t *k, struct rdr rd)
{
    uint32_t run = rdr_u32(&rd), station = rdr_u32(&rd), hub = rdr_u32(&rd), n = rdr_u32(&rd);
    rdr_bytes(&rd, 16);
    if (!run_of(p, run))
        return;
    uint32_t line, version;
    uint16_t idx;
    bool tournament = rd_station(p->r, station, &line, &version, &idx) && idx < p->run.lv->station_count &&
                      p->run.lv->stations[idx].type == LD_TOURNAMENT;
    for (uint32_t i = 0; i < n && !rd.bad; i++) {
        uint64_t unit = rdr_u64(&rd);
        uint32_t worker = rdr_u32(&rd);
        uint8_t state = rdr_u8(&rd), why = rdr_u8(&rd);
        rdr_u8(&rd);
        uint8_t place = rdr_u8(&rd); /* of an entry, once its tournament is decided; of others the round */
        if (!tournament)
            place = 0;
        rdr_bytes(&rd, 5 * 8);
        uint64_t result = rdr_u64(&rd);
        row_begin(p, "assignment", 10);
        NUMBERS(p, key_get_u64(k) + i, run, station, hub, unit, worker, state, why, result, place);
    }
    p->r->rc = rd.bad ? STORE_CORRUPT : p->r->rc;
}

static void shift_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    size_t n;
    uint32_t hub = rdr_u32(&rd);
    uint8_t on = rdr_u8(&rd);
    rdr_bytes(&rd, 1 + 4 * 8); /* what the broker still has to do about it, and its overtime */
    const char *name = rdr_str(&rd, &n);
    if (rd.bad) {
        p->r->rc = STORE_CORRUPT;
        return;
    }
    row_begin(p, "shift", 4);
    NUMBERS(p, key_get_u32(k), hub);
    slp_pack_str(&p->r->b, name, n);
    slp_pack_bool(&p->r->b, on);
}

/* Workers who may not work at a station: those who may have no row. */
static void standing_row(struct page *p, const uint8_t *k, struct rdr rd)
{
    uint32_t key = key_get_u32(k + 4), line, version;
    uint16_t idx;
    uint8_t standing = rdr_u8(&rd);
    if (!key || !standing || !rd_station(p->r, key, &line, &version, &idx))
        return;
    const struct ld_line *l = rd_line(p->r, line, version);
    if (!l || idx >= l->station_count || standing >= STANDINGS)
        return;
    row_begin(p, "standing", 4);
    NUMBERS(p, key_get_u32(k), line);
    slp_pack_str(&p->r->b, l->stations[idx].name.p, l->stations[idx].name.n);
    slp_pack_cstr(&p->r->b, standing_word(standing));
}

static const struct {
    enum store_table tb;
    size_t key_n;
    void (*rows)(struct page *, const uint8_t *, struct rdr);
} sections[] = {
    { TABLE_LINE, 10, line_row },         { TABLE_STATION, 4, station_row_ }, { TABLE_HUB, 4, hub_row },
    { TABLE_WORKER, 4, worker_row },      { TABLE_RUN, 6, run_row },          { TABLE_STATE, 12, unit_rows },
    { TABLE_ASSIGN, 8, assignment_rows }, { TABLE_SHIFT, 4, shift_row },      { TABLE_REPUTE, 8, standing_row },
};
#define SECTIONS (sizeof sections / sizeof *sections)

/* Rows of one section from `at` on (a key, and the byte that makes it the next one). True: the section is at its end. */
static bool section_rows(struct page *p, size_t s, uint8_t *at, size_t *at_n, uint32_t limit, uint32_t *looked)
{
    struct store_cursor c;
    bool full = false;
    enum store_rc rc = store_cursor_open(p->r->t, sections[s].tb, &c);
    for (rc = rc ? rc : store_seek(&c, at, *at_n); rc == STORE_OK && !p->r->rc; rc = store_next(&c)) {
        if (p->rows >= limit || p->r->b.n > PAGE_BYTES_MAX || *looked == RECORDS_MAX) {
            full = true;
            break;
        }
        (*looked)++;
        assert(c.key.n < NEXT_BYTES_MAX - 2);
        memcpy(at, c.key.p, c.key.n);
        at[c.key.n] = 0; /* the smallest key behind this one */
        *at_n = c.key.n + 1;
        if (c.key.n != sections[s].key_n)
            p->r->rc = STORE_CORRUPT;
        else
            sections[s].rows(p, c.key.p, rdr_on(c.val.p, c.val.n));
    }
    if (!full && rc != STORE_OK && rc != STORE_NOT_FOUND)
        p->r->rc = rc;
    store_cursor_close(&c);
    return !full;
}

int rd_snapshot(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    const struct slp_snapshot_get *q = &m->u.snapshot_get;
    uint8_t next[NEXT_BYTES_MAX] = { 0 };
    size_t at_n = 0, s = 0;
    uint32_t looked = 0, limit = q->limit && q->limit < SL_PAGE_ITEMS_MAX - ROWS_SPARE ? (uint32_t)q->limit
                                                                                       : SL_PAGE_ITEMS_MAX - ROWS_SPARE;
    struct page p = { .r = r };
    struct slp_snapshot a = { .seq = 0 };
    if (q->after.n) {
        s = (uint8_t)q->after.p[0];
        at_n = q->after.n - 1;
        if (s >= SECTIONS || at_n > NEXT_BYTES_MAX - 1)
            return rd_refuse(out, m->id, SLP_E_BAD_VALUE, "after", "that is no `next` of a snapshot");
        memcpy(next + 1, q->after.p + 1, at_n);
    }
    rd_oldest_event(r, &a.seq);
    slp_buf_clear(&r->b);
    while (s < SECTIONS && !r->rc && section_rows(&p, s, next + 1, &at_n, limit, &looked)) {
        s++;
        at_n = 0;
    }
    if (r->rc)
        return -1;
    if (s < SECTIONS) {
        next[0] = (uint8_t)s;
        a.next = (struct slp_bytes){ (const char *)next, (uint32_t)at_n + 1 };
        SLP_SET(&a, snapshot, next);
    }
    a.rows = (struct slp_list){ r->b.p, (uint32_t)r->b.n, p.rows };
    return r->b.failed ? -1 : rd_reply(out, SLP_SNAPSHOT, m->id, &a);
}
