/* Does what a record refers to exist? Each table's references, as records.h names them; a check of the store asks for every record. And does what it implies? The
 * state of a unit asks for its input values, for the entry of each of its tasks that is ready, waits or is dead in READY, DELAY or DEAD, and for the reason why it was dropped or sent back in HISTORY;
 * an assignment for its LIVE entry and for its reason; a run for its stations' counters, as many entries of its queues as these say, its name and all groups of its units; an event for the next one, up to the newest.
 *
 * What a run that is being deleted refers to goes piece by piece, and queues may name units that have gone on (their state decides): neither is damage. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/engine/arrivals.h"
#include "broker/engine/counted.h"
#include "broker/engine/gold.h"
#include "broker/engine/reader.h"

#define SHIFT_NAME_AT 38 /* behind hub, on, settling, and four numbers: shifts.c */

struct refs {
    struct reader *r;
    char *text; /* the first thing that is wrong; "" while nothing is */
    size_t size;
    uint32_t looked;
    struct rd_run run;
};

static void wrong(struct refs *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct refs *f, const char *format, ...)
{
    va_list ap;
    if (f->text[0])
        return;
    va_start(ap, format);
    vsnprintf(f->text, f->size, format, ap);
    va_end(ap);
}

/* Damage met on the way is told where it lies: here it is only a reference that cannot be followed. */
static bool lost(struct refs *f)
{
    if (f->r->rc != STORE_CORRUPT)
        return f->r->rc != STORE_OK;
    f->r->rc = STORE_OK;
    return false;
}

/* The length of every key that has one. */
static size_t key_bytes(enum store_table tb)
{
    switch (tb) {
    case TABLE_LINE: return 10;
    case TABLE_RUN: return 6;
    case TABLE_STATE: return 12;
    case TABLE_READY: return 17;
    case TABLE_DELAY:
    case TABLE_DEAD: return 16;
    case TABLE_REPUTE: return 8;
    case TABLE_HISTORY:
    case TABLE_PRODUCER: return 20;
    case TABLE_UNIT: return 14;
    case TABLE_RESULT: return 10;
    case TABLE_STATION:
    case TABLE_HUB:
    case TABLE_SHIFT:
    case TABLE_PACE:
    case TABLE_PRESENCE:
    case TABLE_SKILL:
    case TABLE_WORKER: return 4;
    case TABLE_ARRIVAL: return 5;
    case TABLE_ASSIGN:
    case TABLE_LIVE:
    case TABLE_EVENT:
    case TABLE_SWEEP: return 8;
    default: return 0;
    }
}

/* False: there is none, or what belongs to it is not to be looked at. */
static bool run_there(struct refs *f, uint32_t id)
{
    f->looked++;
    if ((!id || f->run.id != id) && !rd_run_get(f->r, id, &f->run)) { /* 0: none was read, and there is none */
        bool damaged = f->r->rc == STORE_CORRUPT; /* named where it lies, not by each that refers to it */
        f->run.id = 0;
        if (!lost(f) && !damaged)
            wrong(f, "run %" PRIu32 ", which is not there", id);
        return false;
    }
    return f->run.state != RUN_DELETING;
}

/* So too for what outlives its run: it may be deleted by now, but must have been there once. */
static bool run_once(struct refs *f, uint32_t id)
{
    struct store_val v;
    f->looked++;
    if (rd_run_get(f->r, id, &f->run))
        return f->run.state != RUN_DELETING;
    f->run.id = 0;
    bool damaged = f->r->rc == STORE_CORRUPT;
    if (lost(f) || damaged)
        return false;
    if (rd_look(f->r, TABLE_META, META_KEY, sizeof META_KEY - 1, &v) == STORE_OK && v.n >= META_RUN_AT + 4) {
        uint32_t newest = get_u32((const uint8_t *)v.p + META_RUN_AT);
        if (!id || id > newest)
            wrong(f, "run %" PRIu32 ", which never was: the newest is %" PRIu32, id, newest);
    }
    return false;
}

static void unit_there(struct refs *f, uint64_t first, uint64_t count)
{
    if (!first || count > f->run.units || first - 1 > f->run.units - count)
        wrong(f, "units %" PRIu64 " to %" PRIu64 " of run %" PRIu32 ", which has %" PRIu64, first, first + count - 1,
              f->run.id, f->run.units);
}

/* of_run: it must be one of its line's version. Returns its place there, -1 if it has none. */
static int station_there(struct refs *f, uint32_t id, bool of_run)
{
    uint32_t line, version;
    uint16_t idx;
    f->looked++;
    if (!rd_station(f->r, id, &line, &version, &idx)) {
        bool damaged = f->r->rc == STORE_CORRUPT;
        if (!lost(f) && !damaged)
            wrong(f, "station %" PRIu32 ", which is not there", id);
        return -1;
    }
    if (of_run && (line != f->run.line || version != f->run.version || idx >= f->run.lv->station_count)) {
        wrong(f, "station %" PRIu32 ", which is none of run %" PRIu32, id, f->run.id);
        return -1;
    }
    return idx;
}

static bool record_there(struct refs *f, enum store_table tb, uint32_t id, const char *what)
{
    uint8_t k[10] = { 0 }; /* of a line: its head */
    struct store_val v;
    key_u32(k, id);
    f->looked++;
    enum store_rc rc = rd_look(f->r, tb, k, key_bytes(tb), &v);
    if (rc == STORE_NOT_FOUND)
        wrong(f, "%s %" PRIu32 ", which is not there", what, id);
    return rc == STORE_OK;
}

static void assignment_there(struct refs *f, uint64_t no, uint64_t unit)
{
    struct rd_assignment a;
    f->looked++;
    if (!rd_assignment(f->r, no, &a)) {
        if (!lost(f))
            wrong(f, "assignment %" PRIu64 ", which is not there", no);
    } else if (a.run != f->run.id || (unit && a.unit != unit)) {
        wrong(f, "assignment %" PRIu64 ", which is of unit %" PRIu64 " of run %" PRIu32, no, a.unit, a.run);
    }
}

static void result_there(struct refs *f, uint64_t no)
{
    struct blob b;
    f->looked++;
    enum store_rc rc = blob_find(f->r->t, TABLE_RESULT, NULL, 0, no, &f->r->scratch[1], &b);
    if (rc == STORE_NOT_FOUND)
        wrong(f, "result %" PRIu64 ", which is not there", no);
    else if (rc == STORE_OK && b.run != f->run.id)
        wrong(f, "result %" PRIu64 ", which is of run %" PRIu32, no, b.run);
    else if (rc != STORE_OK && rc != STORE_CORRUPT)
        f->r->rc = rc;
}

static void ranges_there(struct refs *f, struct rdr *rd)
{
    uint64_t at = 0;
    uint16_t n = rdr_u16(rd);
    for (uint16_t i = 0; i < n && !rd->bad; i++) {
        uint64_t first = at + (uint64_t)rdr_zigzag(rd), count = rdr_varint(rd);
        if (!rd->bad)
            unit_there(f, first, count);
        at = first + count;
    }
    if (rd->bad)
        wrong(f, "less than its length says");
}

static bool has(struct refs *f, enum store_table tb, const void *k, size_t n)
{
    struct store_val v;
    f->looked++;
    return rd_look(f->r, tb, k, n, &v) != STORE_NOT_FOUND;
}

/* A value that was cut has all its pieces: each behind the first has the one before it, and the first says which is the last. */
static void pieces_there(struct refs *f, enum store_table tb, const uint8_t *k, size_t n, struct store_val v)
{
    uint8_t at[STORE_KEY_BYTES_MAX];
    unsigned piece = (unsigned)k[n - 2] << 8 | k[n - 1], other = piece - 1;
    if (!piece) {
        struct rdr rd = rdr_on(v.p, v.n);
        rdr_u32(&rd);
        unsigned values = rdr_u16(&rd);
        uint64_t bytes = rdr_u32(&rd), here = (uint64_t)(rd.end - rd.p);
        if (rd.bad || values != 1 || bytes <= here)
            return;
        other = (unsigned)((bytes - here + SL_SEGMENT_BYTES_MAX - 1) / SL_SEGMENT_BYTES_MAX);
    }
    memcpy(at, k, n);
    at[n - 2] = (uint8_t)(other >> 8);
    at[n - 1] = (uint8_t)other;
    if (!has(f, tb, at, n))
        wrong(f, "its piece %u, which is not there", other);
}

struct story {
    unsigned what, idx, n;
    uint64_t assignment;
};

static bool count_told(void *arg, const struct store_cursor *c)
{
    struct story *s = arg;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    rdr_i64(&rd);
    bool same = rdr_u8(&rd) == s->what;
    same = rdr_u16(&rd) == s->idx && same;
    s->n += same && (!s->assignment || rdr_u64(&rd) == s->assignment);
    return true;
}

/* How often this stands in the unit's history: at a station (UINT16_MAX: the unit itself), of an assignment (0: of any). */
static unsigned told(struct refs *f, uint64_t unit, unsigned what, unsigned idx, uint64_t assignment)
{
    struct story s = { what, idx, 0, assignment };
    uint8_t k[12];
    key_u64(key_u32(k, f->run.id), unit);
    return rd_each(f->r, TABLE_HISTORY, k, sizeof k, count_told, &s, &f->looked) ? s.n
                                                                                 : UINT32_MAX; /* it may be the one */
}

/* The store's own counters, of which the number at `at` is told. */
static uint64_t counter(struct refs *f, size_t at, size_t bytes)
{
    struct store_val v;
    f->looked++;
    enum store_rc rc = rd_look(f->r, TABLE_META, META_KEY, sizeof META_KEY - 1, &v);
    if (rc == STORE_NOT_FOUND || (rc == STORE_OK && v.n < at + bytes))
        wrong(f, "the store's own counters, which are not there");
    if (rc != STORE_OK || v.n < at + bytes)
        return 0;
    const uint8_t *p = (const uint8_t *)v.p + at;
    return bytes == 4 ? get_u32(p) : get_u64(p);
}

/* ---- table by table ---- */

/* A shift's name is one of its hub's: hub u32, name. */
static bool shift_is(struct refs *f, uint32_t id, const uint8_t *k, size_t n)
{
    uint8_t key[4];
    struct store_val v;
    size_t len;
    key_u32(key, id);
    enum store_rc rc = rd_look(f->r, TABLE_SHIFT, key, sizeof key, &v);
    if (rc != STORE_OK)
        return rc == STORE_CORRUPT;
    struct rdr rd = rdr_on(v.p, v.n);
    uint32_t hub = rdr_u32(&rd);
    rdr_bytes(&rd, SHIFT_NAME_AT - 4);
    const char *name = rdr_str(&rd, &len);
    return !rd.bad && n == 4 + len && hub == key_get_u32(k) && memcmp(name, k + 4, len) == 0;
}

static void of_name(struct refs *f, const uint8_t *k, size_t n, struct rdr rd)
{
    uint32_t id = rdr_u32(&rd);
    bool right;
    f->looked++;
    if (k[0] == NAME_SHIFT) {
        right = shift_is(f, id, k + 1, n - 1);
    } else {
        struct reader_name name;
        right = k[0] >= NAME_LINE && k[0] <= NAME_WORKER && rd_name_read(f->r, k[0], id, &name) && name.n == n - 1 &&
                memcmp(name.s, k + 1, n - 1) == 0;
    }
    if (!lost(f) && !right)
        wrong(f, "number %" PRIu32 ", which has another name or none", id);
}

/* The other way round: whoever has a name is found by it. */
static void named(struct refs *f, enum name_kind kind, uint32_t id, struct rdr *rd)
{
    size_t n;
    const char *name = rdr_str(rd, &n);
    uint32_t found = rd_name(f->r, kind, (struct slp_bytes){ name, (uint32_t)n });
    f->looked++;
    if (!lost(f) && found != id)
        wrong(f, "its own name, by which number %" PRIu32 " is found", found);
}

static void of_worker(struct refs *f, const uint8_t *k, struct rdr rd)
{
    size_t n;
    uint32_t hub = rdr_u32(&rd);
    rdr_bytes(&rd, 5);
    bool on_roster = rdr_u8(&rd) != 0;
    if (hub)
        record_there(f, TABLE_HUB, hub, "hub");
    named(f, NAME_WORKER, key_get_u32(k), &rd);
    rdr_str(&rd, &n);
    rdr_str(&rd, &n);
    rdr_u16(&rd);
    rdr_str(&rd, &n);
    uint32_t shift = rd.p < rd.end ? rdr_u32(&rd) : 0; /* since format 2 */
    if (shift && on_roster)
        record_there(f, TABLE_SHIFT, shift, "shift");
}

/* The producers that number a run's rows, and how many rows these are. */
static void producers_there(struct refs *f)
{
    uint64_t rows;
    uint32_t n;
    if (f->run.producers == PRODUCERS_UNKNOWN || !rd_producers(f->r, f->run.id, &n, &rows, &f->looked))
        return;
    if (n != f->run.producers)
        wrong(f, "%" PRIu32 " producers that number their rows, of which PRODUCER has %" PRIu32, f->run.producers, n);
    else if (rows != f->run.numbered)
        wrong(f, "%" PRIu64 " numbered rows, of which its producers have %" PRIu64, f->run.numbered, rows);
}

/* A run in which units came says in which hour: its line's figures go on from there. */
static void arrivals_there(struct refs *f)
{
    uint8_t k[5] = { 0 };
    struct store_val v;
    if (!f->run.hour_units)
        return;
    key_u32(k, f->run.line);
    f->looked++;
    enum store_rc rc = rd_look(f->r, TABLE_ARRIVAL, k, sizeof k, &v);
    if (rc == STORE_NOT_FOUND)
        wrong(f, "what usually arrives for line %" PRIu32 ", which is not there", f->run.line);
    if (rc != STORE_OK || v.n < 8 || (int64_t)get_u64(v.p) <= f->run.hour || f->run.hour < 0)
        return;
    k[4] = (uint8_t)(1 + week_hour(f->run.hour) / 24);
    if (!has(f, TABLE_ARRIVAL, k, sizeof k))
        wrong(f, "what usually arrives for line %" PRIu32 " on day %u of the week, which is not there", f->run.line,
              k[4]);
}

static void of_run(struct refs *f, const uint8_t *k, struct rdr rd)
{
    unsigned queue = (unsigned)k[4] << 8 | k[5];
    if (!run_there(f, key_get_u32(k))) {
        if (!f->run.id)
            wrong(f, "a line's version or a head that cannot be read");
        else if (!queue && !rd_sweeping(f->r, f->run.id, SWEEP_DELETE, &f->looked))
            wrong(f, "its deletion, which is not under way in SWEEP");
        return;
    }
    if (queue > f->run.lv->station_count)
        wrong(f, "station %u of its line, which has %" PRIu32, queue, f->run.lv->station_count);
    else if (queue && !rd_lanes(f->r, &f->run, queue - 1, rd, &f->looked))
        wrong(f, "another number of tasks in its queue than READY has");
    if (queue)
        return;
    named(f, NAME_RUN, f->run.id, &rd);
    producers_there(f);
    arrivals_there(f);
    uint8_t other[12] = { 0 };
    memcpy(other, k, 4);
    for (unsigned i = 1; i <= f->run.lv->station_count; i++) {
        other[4] = (uint8_t)(i >> 8);
        other[5] = (uint8_t)i;
        if (!has(f, TABLE_RUN, other, 6))
            wrong(f, "the counters of its station %u, which are not there", i);
    }
    memset(other + 4, 0, 8);
    if (f->run.units && !has(f, TABLE_STATE, other, sizeof other))
        wrong(f, "the states of its first units, which are not there");
}

static void of_line(struct refs *f, const uint8_t *k, struct rdr rd)
{
    uint32_t version = key_get_u32(k + 4);
    unsigned piece = (unsigned)k[8] << 8 | k[9];
    if (version && piece) {
        uint8_t first[10] = { 0 };
        memcpy(first, k, 8);
        if (!has(f, TABLE_LINE, first, sizeof first))
            wrong(f, "its first piece, which is not there");
    } else if (version) {
        struct ld_line *l = rd_line_read(f->r, key_get_u32(k), version);
        if (!lost(f) && !l)
            wrong(f, "a definition that is not whole");
        ld_free(&l);
    }
    if (version)
        return;
    unsigned state = rdr_u8(&rd);
    rdr_u32(&rd);
    if (state != LINE_DELETED)
        named(f, NAME_LINE, key_get_u32(k), &rd);
}

static void of_shift(struct refs *f, const uint8_t *k, struct rdr rd)
{
    uint8_t name[5 + SL_SHIFT_NAME_BYTES_MAX] = { NAME_SHIFT };
    struct store_val v;
    size_t n;
    uint32_t hub = rdr_u32(&rd);
    record_there(f, TABLE_HUB, hub, "hub");
    rdr_bytes(&rd, SHIFT_NAME_AT - 4);
    const char *s = rdr_str(&rd, &n);
    if (rd.bad || n > SL_SHIFT_NAME_BYTES_MAX) {
        wrong(f, "less than a shift");
        return;
    }
    memcpy(key_u32(name + 1, hub), s, n);
    f->looked++;
    enum store_rc rc = rd_look(f->r, TABLE_NAME, name, 5 + n, &v);
    if (rc == STORE_NOT_FOUND || (rc == STORE_OK && (v.n < 4 || get_u32(v.p) != key_get_u32(k))))
        wrong(f, "its own name, by which it is not found");
}

/* Stations are never deleted, and numbered in order. */
static void next_station(struct refs *f, uint32_t id)
{
    if (id < counter(f, META_STATION_AT, 4))
        record_there(f, TABLE_STATION, id + 1, "station");
}

static void event_there(struct refs *f, uint64_t seq)
{
    uint8_t k[8];
    key_u64(k, seq);
    if (seq <= counter(f, META_EVENT_AT, 8) && !has(f, TABLE_EVENT, k, sizeof k))
        wrong(f, "event %" PRIu64 ", which is not there", seq);
}

static void events(struct refs *f, uint64_t first, uint16_t n)
{
    if (!n)
        wrong(f, "no event");
    event_there(f, first + n);
}

/* How many records there are in tables of which nothing else tells. */
static void counted_there(struct refs *f, struct store_val v)
{
    struct rdr rd = rdr_on(v.p, v.n);
    for (enum counted i = 0; i < COUNTED_TABLES; i++) {
        uint64_t should = rdr_u64(&rd), records, commit;
        enum store_rc rc = store_count(f->r->t, counted_table(i), &records, &commit);
        if (rc != STORE_OK && rc != STORE_CORRUPT)
            rd_walked(f->r, rc);
        else if (rc == STORE_OK && records != should)
            wrong(f, "%" PRIu64 " records of %s, which has %" PRIu64, should, store_table_name(counted_table(i)),
                  records);
    }
    if (rd.bad)
        wrong(f, "less than the tables that it counts");
}

static void of_meta(struct refs *f, const uint8_t *k, size_t n, struct store_val v)
{
    if (n == sizeof COUNTED_KEY - 1 && memcmp(k, COUNTED_KEY, n) == 0)
        counted_there(f, v);
    if (n != sizeof META_KEY - 1 || memcmp(k, META_KEY, n) != 0)
        return;
    if (v.n > META_0_1_0_BYTES && !has(f, TABLE_META, COUNTED_KEY, sizeof COUNTED_KEY - 1))
        wrong(f, "the numbers of records that there are, which are not in META");
    next_station(f, 0);
    event_there(f, counter(f, META_OLDEST_EVENT_AT, 8));
}

static void of_station(struct refs *f, const uint8_t *k, struct rdr rd)
{
    uint32_t line = rdr_u32(&rd), version = rdr_u32(&rd);
    unsigned idx = rdr_u16(&rd);
    const struct ld_line *lv = rd_line(f->r, line, version);
    f->looked++;
    if (lost(f))
        return;
    uint8_t first[10] = { 0 };
    key_u32(key_u32(first, line), version);
    if (lv && idx >= lv->station_count)
        wrong(f, "station %u of its line, which has %" PRIu32, idx + 1, lv->station_count);
    if (!lv || !has(f, TABLE_LINE, first, sizeof first)) /* it may be remembered */
        wrong(f, "version %" PRIu32 " of line %" PRIu32 ", which is not there", version, line);
    next_station(f, key_get_u32(k));
}

/* The state of a task says that it is in a queue: is it? */
static void queued_there(struct refs *f, uint32_t idx, uint64_t unit, enum task_state state)
{
    static const char *const where[TASK_STATES] = {
        [TASK_READY] = "is ready, and which is not in READY",
        [TASK_WAITING] = "waits, and which is not in DELAY",
        [TASK_DEAD] = "is dead, and which is not in DEAD",
    };
    if (state < TASK_STATES && where[state] && !rd_queued(f->r, f->run.id, idx, unit, state, &f->looked))
        wrong(f, "the task of unit %" PRIu64 " at station %" PRIu32 ", which %s", unit, idx + 1, where[state]);
}

/* What a unit implies by its own state; its stations by theirs. */
static void of_unit(struct refs *f, uint64_t unit, const uint8_t *h)
{
    struct blob b;
    f->looked++;
    enum store_rc rc = rd_input(f->r, f->run.id, unit, &b);
    if (rc == STORE_NOT_FOUND)
        wrong(f, "the input values of unit %" PRIu64 ", which are not in UNIT", unit);
    else if (rc != STORE_OK && rc != STORE_CORRUPT)
        f->r->rc = rc;
    if (h[0] == UNIT_DROPPED && !told(f, unit, WHY_DROPPED, UINT16_MAX, 0))
        wrong(f, "why unit %" PRIu64 " was dropped, which is not in HISTORY", unit);
    if (h[STATE_UNIT_FLAGS] & UNIT_FLAG_KEY && !rd_keyed(f->r, &f->run, unit, &f->looked))
        wrong(f, "the idempotency key of unit %" PRIu64 ", which is not in DEDUP", unit);
    for (uint32_t i = 0; i < f->run.lv->station_count; i++) {
        const uint8_t *s = h + STATE_UNIT_BYTES + STATE_STATION_BYTES * (size_t)i;
        if (h[0] == UNIT_OPEN && f->run.state <= RUN_CLOSED) /* else it has ended, whatever its stations were at */
            queued_there(f, i, unit, s[ST_STATE]);
        if (s[ST_ROUND] && told(f, unit, WHY_REJECTED, i, 0) < s[ST_ROUND])
            wrong(f, "why unit %" PRIu64 " was sent back to station %" PRIu32 ", which is not in HISTORY", unit, i + 1);
    }
}

/* The groups of a run are all there, up to its last unit. */
static void next_group(struct refs *f, uint64_t group)
{
    uint8_t k[12];
    uint64_t unit = ((group + 1) << f->run.shift) + 1;
    key_u64(key_u32(k, f->run.id), group + 1);
    if (unit <= f->run.units && !has(f, TABLE_STATE, k, sizeof k))
        wrong(f, "the states of unit %" PRIu64 " and on, which are not there", unit);
}

static void of_states(struct refs *f, const uint8_t *k, struct store_val v)
{
    if (!run_there(f, key_get_u32(k)))
        return;
    uint32_t stations = f->run.lv->station_count;
    size_t bytes = STATE_UNIT_BYTES + STATE_STATION_BYTES * (size_t)stations;
    uint64_t unit = (key_get_u64(k + 4) << f->run.shift) + 1;
    const uint8_t *h = v.p;
    if (v.n % bytes != 0)
        wrong(f, "a part of a unit");
    for (size_t off = 0; off + bytes <= v.n && !f->text[0] && !f->r->rc; off += bytes, unit++) {
        if (unit > f->run.units) /* room in the group for those to come */
            break;
        of_unit(f, unit, h + off);
        for (uint32_t i = 0; i < stations; i++) {
            const uint8_t *s = h + off + STATE_UNIT_BYTES + STATE_STATION_BYTES * (size_t)i;
            uint64_t assignment = get_u48(s + 4), result = get_u48(s + 10);
            if (s[0] >= TASK_STATES)
                wrong(f, "a state that there is not: %u", s[0]);
            if (assignment)
                assignment_there(f, assignment, unit);
            if (result &&
                (s[0] == TASK_DONE || !f->run.lv->stations[i].copies.max)) /* else it counts copies (records.h) */
                result_there(f, result);
        }
    }
    uint64_t group = key_get_u64(k + 4), next = (group + 1) << f->run.shift;
    if (unit <= f->run.units && unit <= next && !f->text[0] && !f->r->rc)
        wrong(f, "the state of unit %" PRIu64 ", which is not in it", unit);
    next_group(f, group);
}

/* A control task is a row of its station's definition. */
static void gold_there(struct refs *f, uint32_t station, int idx, uint64_t row)
{
    if (row >= f->run.lv->stations[idx].gold.row_count)
        wrong(f, "control task %" PRIu64 " of station %" PRIu32 ", which has %" PRIu32, row + 1, station,
              f->run.lv->stations[idx].gold.row_count);
}

static void gold_told(struct refs *f, uint32_t station, int idx, uint32_t worker, uint64_t row)
{
    uint8_t k[17];
    const struct ld_gold *g = &f->run.lv->stations[idx].gold;
    uint32_t key = rd_station_key(f->r, station, &f->looked);
    lost(f);
    if (!key || row >= g->row_count)
        return;
    key_u64(key_u32(key_u32(key_u8(k, 0), worker), key), g->digest[row]);
    if (!has(f, TABLE_GOLD, k, sizeof k))
        wrong(f,
              "that worker %" PRIu32 " was handed control task %" PRIu64 " of station %" PRIu32
              ", which is not in GOLD",
              worker, row + 1, station);
}

/* A result that counted was measured: of its worker, there and over all, and of its station. */
static void measured_there(struct refs *f, const struct rd_assignment *a)
{
    uint32_t key = rd_station_key(f->r, a->station, &f->looked);
    int64_t us = a->started_wall_us ? a->ended_wall_us - a->started_wall_us : (int64_t)a->active_us;
    lost(f);
    if (!rd_measured(f->r, a->worker, 0, &f->looked))
        wrong(f, "what is measured of worker %" PRIu32 ", which is not in REPUTE", a->worker);
    else if (key && !rd_measured(f->r, a->worker, key, &f->looked))
        wrong(f, "what is measured of worker %" PRIu32 " at station %" PRIu32 ", which is not in REPUTE", a->worker,
              key);
    if (us > 0 && us <= SL_LEASE_US_MAX)
        record_there(f, TABLE_PACE, a->station, "the usual time of station");
}

static void of_gold(struct refs *f, const uint8_t *k, size_t n)
{
    struct store_val v;
    if (n != (k[0] ? 13 : 17) || k[0] > 1) {
        wrong(f, "nothing: its key is of no kind");
    } else if (k[0] == 0) {
        record_there(f, TABLE_WORKER, key_get_u32(k + 1), "worker");
        station_there(f, key_get_u32(k + 5), false);
        if (!has(f, TABLE_REPUTE, k + 1, 8))
            wrong(f, "what is measured of worker %" PRIu32 " at station %" PRIu32 ", which is not in REPUTE",
                  key_get_u32(k + 1), key_get_u32(k + 5));
    } else if (run_there(f, key_get_u32(k + 1)) && rd_look(f->r, TABLE_ASSIGN, k + 5, 8, &v) == STORE_NOT_FOUND) {
        wrong(f, "assignments that are not there");
    }
}

static void of_assignments(struct refs *f, const uint8_t *k, struct rdr rd)
{
    uint32_t run = rdr_u32(&rd), station = rdr_u32(&rd), hub = rdr_u32(&rd), n = rdr_u32(&rd);
    bool live = false, gold = false;
    rdr_bytes(&rd, 8);
    bool measured = rdr_i64(&rd) != 0; /* 0.1.0 did not tell when, and measured nobody */
    if (!run_there(f, run))
        return;
    int idx = station_there(f, station, true);
    record_there(f, TABLE_HUB, hub, "hub");
    for (uint32_t i = 0; i < n && !f->text[0] && !f->r->rc; i++) {
        struct rd_assignment a;
        uint64_t no = key_get_u64(k) + i;
        if (!rd_assignment(f->r, no, &a)) {
            if (!lost(f))
                wrong(f, "%" PRIu32 " assignments, but holds less", n);
            return;
        }
        if (is_gold(a.unit) && idx >= 0) {
            gold_there(f, station, idx, a.unit - GOLD_UNIT);
            gold_told(f, station, idx, a.worker, a.unit - GOLD_UNIT);
        }
        if (!is_gold(a.unit))
            unit_there(f, a.unit, 1);
        record_there(f, TABLE_WORKER, a.worker, "worker");
        if (measured && a.state == ASSIGN_COUNTED)
            measured_there(f, &a);
        if (a.prev >= no)
            wrong(f, "assignment %" PRIu64 " as an earlier one than %" PRIu64, a.prev, no);
        else if (a.prev)
            assignment_there(f, a.prev, a.unit);
        if (a.result)
            result_there(f, a.result);
        live = live || a.state <= ASSIGN_STARTED;
        gold = gold || is_gold(a.unit);
        bool reason = a.state == ASSIGN_RETURNED &&
                      (a.why == WHY_FAILED || a.why == WHY_EXPIRED || a.why == WHY_DECLINED || a.why == WHY_BURIED);
        if (reason && !is_gold(a.unit) && idx >= 0 && !told(f, a.unit, a.why, (unsigned)idx, no))
            wrong(f, "why assignment %" PRIu64 " of unit %" PRIu64 " ended, which is not in HISTORY", no, a.unit);
    }
    if (live && !has(f, TABLE_LIVE, k, 8))
        wrong(f, "its entry in LIVE, which is not there");
    uint8_t its[13] = { 1 };
    memcpy(key_u32(its + 1, run), k, 8);
    if (gold && !has(f, TABLE_GOLD, its, sizeof its))
        wrong(f, "its entry in GOLD, which is not there");
}

static void of_results(struct refs *f, const uint8_t *k, size_t key_n, struct store_val val)
{
    struct blob b;
    if (key_n != 10)
        return;
    pieces_there(f, TABLE_RESULT, k, key_n, val);
    if (k[8] | k[9]) /* a piece that goes on */
        return;
    uint64_t first = key_get_u64(k);
    enum store_rc rc = blob_find(f->r->t, TABLE_RESULT, NULL, 0, first, &f->r->scratch[1], &b);
    if (rc != STORE_OK) {
        if (rc == STORE_NOT_FOUND)
            wrong(f, "pieces that are not there");
        else if (rc != STORE_CORRUPT) /* a damaged piece is named where its own turn comes */
            f->r->rc = rc;
        return;
    }
    struct blob at = b; /* what follows may use the scratch buffer again: numbers first */
    if (!run_there(f, at.run))
        return;
    for (uint32_t i = 0; i < at.n && !f->text[0] && !f->r->rc; i++) {
        struct slp_bytes v = blob_value(&at, first + i);
        uint64_t from = v.n >= RESULT_HEAD_BYTES ? get_u48((const uint8_t *)v.p) : 0;
        if (v.n < RESULT_HEAD_BYTES)
            wrong(f, "less than a result");
        else if (from)
            assignment_there(f, from, 0);
    }
}

static void of_history(struct refs *f, const uint8_t *k, struct rdr rd)
{
    rdr_bytes(&rd, 9);
    unsigned idx = rdr_u16(&rd);
    uint64_t assignment = rdr_u64(&rd);
    uint32_t worker = rdr_u32(&rd);
    if (!run_there(f, key_get_u32(k)))
        return;
    unit_there(f, key_get_u64(k + 4), 1);
    if (idx != UINT16_MAX && idx >= f->run.lv->station_count)
        wrong(f, "station %u of its line, which has %" PRIu32, idx + 1, f->run.lv->station_count);
    if (assignment)
        assignment_there(f, assignment, key_get_u64(k + 4));
    if (worker)
        record_there(f, TABLE_WORKER, worker, "worker");
}

static void of_units(struct refs *f, const uint8_t *k, size_t key_n, struct store_val v)
{
    struct rdr rd = rdr_on(v.p, v.n);
    if (key_n != 14 || !run_there(f, key_get_u32(k)))
        return;
    pieces_there(f, TABLE_UNIT, k, key_n, v);
    if (k[12] | k[13]) { /* a piece that goes on */
        unit_there(f, key_get_u64(k + 4), 1);
        return;
    }
    if (rdr_u32(&rd) != f->run.id)
        wrong(f, "another run");
    unit_there(f, key_get_u64(k + 4), rdr_u16(&rd));
}

/* Tasks that wait: of a run that is gone they are passed over when they are due. */
static void of_delay(struct refs *f, struct rdr rd)
{
    uint32_t station = rdr_u32(&rd), run = rdr_u32(&rd);
    bool lives = run_once(f, run);
    station_there(f, station, lives);
    rdr_u8(&rd);
    if (lives)
        ranges_there(f, &rd);
}

/* What a run that was cancelled has in queues, its mass operation takes out. */
static void swept_there(struct refs *f)
{
    if (f->run.state == RUN_CANCELLED && !rd_sweeping(f->r, f->run.id, SWEEP_CANCEL, &f->looked))
        wrong(f, "run %" PRIu32 ", which was cancelled, and whose queues no mass operation in SWEEP empties",
              f->run.id);
}

/* Why a task is dead stands in its unit's history, too. */
static void of_dead(struct refs *f, const uint8_t *k)
{
    uint64_t unit = key_get_u64(k + 8);
    if (!run_there(f, key_get_u32(k + 4)))
        return;
    int idx = station_there(f, key_get_u32(k), true);
    unit_there(f, unit, 1);
    swept_there(f);
    if (!f->text[0] && idx >= 0 && !told(f, unit, WHY_BURIED, (unsigned)idx, 0))
        wrong(f, "why unit %" PRIu64 " is dead at station %d, which is not in HISTORY", unit, idx + 1);
}

/* A mass operation: of one run (which may be gone meanwhile: there is nothing left to do), of one station, or of both. */
static void of_sweep(struct refs *f, struct rdr rd)
{
    unsigned what = rdr_u8(&rd);
    uint32_t run = rdr_u32(&rd), station = rdr_u32(&rd);
    bool by_itself = what == SWEEP_STAFFED || what == SWEEP_UNSTAFFED; /* its run is only where it is */
    if ((run || what == SWEEP_DELETE) && !by_itself)
        run_once(f, run);
    if (station && what != SWEEP_DELETE) /* of a deletion it is the phase */
        station_there(f, station, false);
    if (rd.bad || what < SWEEP_RECALL_RUN || what > SWEEP_UNSTAFFED || (!run && !station))
        wrong(f, "nothing that there is to do: %u", what);
}

static void of_day(struct refs *f, const uint8_t *k, size_t key_n)
{
    uint32_t worker = key_n >= 8 ? key_get_u32(k) : 0;
    if (key_n < 8 || (worker ? key_n != 8 : key_n == 8)) {
        wrong(f, "nothing: its key has %zu bytes", key_n);
    } else if (!worker) {
        record_there(f, TABLE_HUB, key_get_u32(k + 4), "hub");
    } else {
        record_there(f, TABLE_WORKER, worker, "worker");
        if (key_get_u32(k + 4))
            station_there(f, key_get_u32(k + 4), false);
    }
}

/* A key leads to the unit that came with it, and with no other. */
static void of_key(struct refs *f, const uint8_t *k, size_t key_n, struct rdr rd)
{
    uint8_t buf[STATE_GROUP_BYTES_MAX];
    uint64_t unit = rdr_u64(&rd);
    if (key_n <= 4 || !run_there(f, key_get_u32(k)))
        return;
    unit_there(f, unit, 1);
    if (f->text[0] || unit < f->run.keys_from)
        return;
    const uint8_t *h = rd_unit(f->r, &f->run, unit, buf);
    f->looked++;
    if (lost(f) || !h) /* told by the states before it */
        return;
    if (!(h[STATE_UNIT_FLAGS] & UNIT_FLAG_KEY) ||
        get_u16(h + STATE_UNIT_KEY) != (uint16_t)store_crc32c(0, k + 4, key_n - 4))
        wrong(f, "unit %" PRIu64 ", which came with another key or none", unit);
}

/* The last frame ends with the last row, and no epoch has more rows than all. */
static void of_producer(struct refs *f, const uint8_t *k, struct rdr rd)
{
    if (!run_there(f, key_get_u32(k)))
        return;
    rdr_u64(&rd);
    uint64_t last = rdr_u64(&rd), first = rdr_u64(&rd), n = rdr_u32(&rd);
    rdr_u32(&rd);
    uint64_t rows = rd.p < rd.end ? rdr_u64(&rd) : last;
    if (rd.bad || last + 1 != first + n || last > rows)
        wrong(f, "rows up to %" PRIu64 " of %" PRIu64 ", the last frame %" PRIu64 " from %" PRIu64, last, rows, n,
              first);
}

static void of_repute(struct refs *f, const uint8_t *k, struct store_val v)
{
    uint32_t worker = key_get_u32(k), key = key_get_u32(k + 4);
    record_there(f, TABLE_WORKER, worker, "worker");
    if (key)
        station_there(f, key, false);
    const char *what = rd_figures(f->r, worker, key, v, &f->looked);
    if (what)
        wrong(f, "%s", what);
}

static void follow(struct refs *f, enum store_table tb, const uint8_t *k, size_t key_n, struct store_val v)
{
    struct rdr rd = rdr_on(v.p, v.n);
    switch (tb) {
    case TABLE_META: of_meta(f, k, key_n, v); break;
    case TABLE_LINE: of_line(f, k, rd); break;
    case TABLE_EVENT: events(f, key_get_u64(k), rdr_u16(&rd)); break;
    case TABLE_NAME: of_name(f, k, key_n, rd); break;
    case TABLE_RUN: of_run(f, k, rd); break;
    case TABLE_STATION: of_station(f, k, rd); break;
    case TABLE_HUB: named(f, NAME_HUB, key_get_u32(k), &rd); break;
    case TABLE_WORKER: of_worker(f, k, rd); break;
    case TABLE_SHIFT: of_shift(f, k, rd); break;
    case TABLE_PACE: station_there(f, key_get_u32(k), false); break;
    case TABLE_REPUTE: of_repute(f, k, v); break;
    case TABLE_DAY: of_day(f, k, key_n); break;
    case TABLE_ARRIVAL: record_there(f, TABLE_LINE, key_get_u32(k), "line"); break;
    case TABLE_PRESENCE: record_there(f, TABLE_HUB, key_get_u32(k), "hub"); break;
    case TABLE_GOLD: of_gold(f, k, key_n); break;
    case TABLE_SKILL: record_there(f, TABLE_WORKER, key_get_u32(k), "worker"); break;
    case TABLE_UNIT: of_units(f, k, key_n, v); break;
    case TABLE_STATE: of_states(f, k, v); break;
    case TABLE_READY:
        if (run_there(f, key_get_u32(k + 4))) {
            station_there(f, key_get_u32(k), true);
            swept_there(f);
            if (k[8] & READY_SKIPS)
                record_there(f, TABLE_WORKER, (uint32_t)key_get_u64(k + 9), "worker");
            else
                ranges_there(f, &rd);
        }
        break;
    case TABLE_DELAY: of_delay(f, rd); break;
    case TABLE_ASSIGN: of_assignments(f, k, rd); break;
    case TABLE_LIVE:
        f->looked++;
        if (rd_look(f->r, TABLE_ASSIGN, k, key_n, &v) == STORE_NOT_FOUND)
            wrong(f, "assignments that are not there");
        break;
    case TABLE_RESULT: of_results(f, k, key_n, v); break;
    case TABLE_DEDUP: of_key(f, k, key_n, rd); break;
    case TABLE_PRODUCER: of_producer(f, k, rd); break;
    case TABLE_HISTORY: of_history(f, k, rd); break;
    case TABLE_DEAD: of_dead(f, k); break;
    case TABLE_SWEEP: of_sweep(f, rd); break;
    default: break;
    }
}

uint32_t rd_refs(struct reader *r, enum store_table tb, struct store_val key, struct store_val v, char *text,
                 size_t size)
{
    struct refs f = { .r = r, .text = text, .size = size };
    size_t n = key_bytes(tb);
    text[0] = '\0';
    if (n && key.n != n)
        wrong(&f, "nothing: its key has %zu bytes", key.n);
    else
        follow(&f, tb, key.p, key.n, v);
    return f.looked;
}
