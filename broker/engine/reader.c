/* The readers' side of the store: finding lines, runs, units, results and assignments without the engine's memory. */
#include "broker/engine/reader.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/engine/agree.h"

struct reader *reader_new(struct store *s)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r)
        r->store = s;
    return r;
}

void reader_free(struct reader **pr)
{
    struct reader *r = *pr;
    if (!r)
        return;
    for (uint32_t i = 0; i < r->lines; i++)
        ld_free(&r->line[i].def);
    free(r->line);
    free(r->name);
    rd_streams_free(r);
    rd_queues_free(r);
    rd_keys_free(r);
    rd_station_keys_free(r);
    slp_buf_free(&r->b);
    slp_buf_free(&r->b2);
    slp_buf_free(&r->scratch[0]);
    slp_buf_free(&r->scratch[1]);
    slp_buf_free(&r->outcome);
    free(r);
    *pr = NULL;
}

void rd_walked(struct reader *r, enum store_rc rc)
{
    if (r->rc == STORE_OK && rc != STORE_NOT_FOUND)
        r->rc = rc;
}

bool rd_get(struct reader *r, enum store_table tb, const void *k, size_t n, struct store_val *v)
{
    enum store_rc rc = store_get(r->t, tb, k, n, v);
    rd_walked(r, rc);
    return rc == STORE_OK;
}

enum store_rc rd_look(struct reader *r, enum store_table tb, const void *k, size_t n, struct store_val *v)
{
    enum store_rc rc = store_get(r->t, tb, k, n, v);
    if (rc != STORE_CORRUPT)
        rd_walked(r, rc);
    return rc;
}

bool rd_each(struct reader *r, enum store_table tb, const void *prefix, size_t n,
             bool (*fn)(void *arg, const struct store_cursor *c), void *arg, uint32_t *looked)
{
    struct store_cursor c;
    enum store_rc rc = store_cursor_open(r->t, tb, &c);
    for (rc = rc ? rc : store_seek(&c, prefix, n); rc == STORE_OK && c.key.n >= n && !memcmp(c.key.p, prefix, n);
         rc = store_next(&c)) {
        (*looked)++;
        if (!fn(arg, &c))
            break;
    }
    store_cursor_close(&c);
    if (rc == STORE_CORRUPT)
        return false;
    rd_walked(r, rc);
    return !r->rc;
}

uint32_t rd_name(struct reader *r, enum name_kind kind, struct slp_bytes n)
{
    uint8_t k[SL_NAME_BYTES_MAX + 1];
    struct store_val v;
    if (!n.n || n.n > SL_NAME_BYTES_MAX)
        return 0;
    k[0] = (uint8_t)kind;
    memcpy(k + 1, n.p, n.n);
    if (!rd_get(r, TABLE_NAME, k, n.n + 1, &v) || v.n < 4)
        return 0;
    return get_u32(v.p);
}

/* Where in a kind's record the name lies: they all begin with it, but for a few fields. */
bool rd_name_read(struct reader *r, enum name_kind kind, uint32_t id, struct reader_name *out)
{
    uint8_t k[10] = { 0 };
    struct store_val v;
    size_t n;
    static const struct {
        enum store_table tb;
        size_t key_n, skip;
    } where[] = { [NAME_LINE] = { TABLE_LINE, 10, 5 },
                  [NAME_RUN] = { TABLE_RUN, 6, 0 },
                  [NAME_HUB] = { TABLE_HUB, 4, 0 },
                  [NAME_WORKER] = { TABLE_WORKER, 4, 10 } };
    key_u32(k, id);
    if (!rd_get(r, where[kind].tb, k, where[kind].key_n, &v))
        return false;
    struct rdr rd = rdr_on(v.p, v.n);
    rdr_bytes(&rd, where[kind].skip);
    const char *s = rdr_str(&rd, &n);
    if (rd.bad || n > SL_NAME_BYTES_MAX)
        return false;
    out->kind = (uint8_t)kind;
    out->id = id;
    out->n = (uint8_t)n;
    memcpy(out->s, s, n);
    return true;
}

#define NAMES_KEPT 4096

struct slp_bytes rd_name_of(struct reader *r, enum name_kind kind, uint32_t id)
{
    if (!r->name) {
        r->name = calloc(NAMES_KEPT, sizeof *r->name);
        if (!r->name) {
            r->rc = STORE_NO_MEMORY;
            return (struct slp_bytes){ "", 0 };
        }
    }
    struct reader_name *n = &r->name[(id * 4 + (uint32_t)kind) % NAMES_KEPT];
    if (n->kind != kind || n->id != id)
        if (!id || !rd_name_read(r, kind, id, n))
            return (struct slp_bytes){ "", 0 };
    return (struct slp_bytes){ n->s, n->n };
}

struct ld_line *rd_line_read(struct reader *r, uint32_t line, uint32_t version)
{
    struct slp_buf def = { 0 };
    struct store_val v;
    for (uint32_t piece = 0;; piece++) {
        uint8_t k[10], *q = key_u32(key_u32(k, line), version);
        q[0] = (uint8_t)(piece >> 8);
        q[1] = (uint8_t)piece;
        if (!rd_get(r, TABLE_LINE, k, sizeof k, &v))
            break;
        slp_buf_add(&def, v.p, v.n);
    }
    bool damaged = def.n == 0 && !def.failed;
    struct ld_line *l = damaged || def.failed || r->rc ? NULL : ld_compile_again(def.p, def.n, &damaged);
    slp_buf_free(&def);
    if (!l)
        rd_walked(r, damaged ? STORE_CORRUPT : STORE_NO_MEMORY);
    return l;
}

const struct ld_line *rd_line(struct reader *r, uint32_t line, uint32_t version)
{
    for (uint32_t i = 0; i < r->lines; i++)
        if (r->line[i].line == line && r->line[i].version == version)
            return r->line[i].def;
    struct ld_line *l = rd_line_read(r, line, version);
    if (l && r->lines == r->line_cap) {
        uint32_t cap = r->line_cap ? r->line_cap * 2 : 16;
        struct reader_line *w = realloc(r->line, cap * sizeof *w);
        if (!w) {
            ld_free(&l);
            rd_walked(r, STORE_NO_MEMORY);
        } else {
            r->line = w;
            r->line_cap = cap;
        }
    }
    if (l)
        r->line[r->lines++] = (struct reader_line){ line, version, l };
    return l;
}

bool rd_station(struct reader *r, uint32_t id, uint32_t *line, uint32_t *version, uint16_t *idx)
{
    uint8_t k[4];
    struct store_val v;
    key_u32(k, id);
    if (!rd_get(r, TABLE_STATION, k, sizeof k, &v))
        return false;
    struct rdr rd = rdr_on(v.p, v.n);
    *line = rdr_u32(&rd);
    *version = rdr_u32(&rd);
    *idx = rdr_u16(&rd);
    return !rd.bad;
}

bool rd_run_get(struct reader *r, uint32_t id, struct rd_run *run)
{
    uint8_t k[6] = { 0 };
    struct store_val v;
    size_t n, fn;
    key_u32(k, id);
    if (!rd_get(r, TABLE_RUN, k, sizeof k, &v))
        return false;
    struct rdr rd = rdr_on(v.p, v.n);
    const char *name = rdr_str(&rd, &n);
    *run = (struct rd_run){ .id = id };
    if (name && n <= SL_NAME_BYTES_MAX)
        memcpy(run->name, name, n);
    run->line = rdr_u32(&rd);
    run->version = rdr_u32(&rd);
    run->state = rdr_u8(&rd);
    run->paused = rdr_u8(&rd);
    run->priority = rdr_u8(&rd);
    rdr_str(&rd, &fn);
    run->units = rdr_u64(&rd);
    run->done = rdr_u64(&rd);
    run->dropped = rdr_u64(&rd);
    run->cancelled = rdr_u64(&rd);
    run->dead = rdr_u64(&rd);
    rdr_bytes(&rd, 4 * 8); /* quota, virtual time, two stamps */
    run->last_event = rdr_u64(&rd);
    bool since_0_2 = rd.p < rd.end;
    run->hour = since_0_2 ? rdr_i64(&rd) : 0;
    run->hour_units = since_0_2 ? rdr_u64(&rd) : 0;
    run->keys_from = since_0_2 ? rdr_u64(&rd) : run->units + 1;
    run->producers = since_0_2 ? rdr_u32(&rd) : PRODUCERS_UNKNOWN;
    run->numbered = since_0_2 ? rdr_u64(&rd) : 0;
    if (rd.bad) {
        r->rc = STORE_CORRUPT;
        return false;
    }
    run->lv = rd_line(r, run->line, run->version);
    if (!run->lv)
        return false;
    run->shift = state_shift(run->lv->station_count);
    return true;
}

uint8_t *rd_unit(struct reader *r, const struct rd_run *run, uint64_t unit, uint8_t buf[STATE_GROUP_BYTES_MAX])
{
    uint8_t k[12];
    struct store_val v;
    uint64_t no = (unit - 1) >> run->shift;
    size_t bytes = STATE_UNIT_BYTES + STATE_STATION_BYTES * run->lv->station_count,
           off = ((unit - 1) - (no << run->shift)) * bytes;
    if (!unit || unit > run->units)
        return NULL;
    if (r->group.val.p && r->group.run == run->id && r->group.no == no) {
        v = r->group.val;
    } else {
        key_u64(key_u32(k, run->id), no);
        if (!rd_get(r, TABLE_STATE, k, sizeof k, &v)) {
            if (!r->rc && run->state != RUN_DELETING) /* a unit that came in has a state until its run is deleted */
                r->rc = STORE_CORRUPT;
            return NULL;
        }
        r->group.run = run->id;
        r->group.no = no;
        r->group.val = v;
    }
    if (off + bytes > v.n) {
        r->rc = STORE_CORRUPT;
        return NULL;
    }
    memcpy(buf, (const uint8_t *)v.p + off, bytes);
    return buf;
}

static enum store_rc find_near(struct reader *r, struct reader_near *near, enum store_table tb, uint32_t run,
                               uint64_t number, struct slp_buf *scratch, struct blob *b)
{
    if (near->run == run && number >= near->b.first && number - near->b.first < near->b.n) {
        *b = near->b;
        return STORE_OK;
    }
    uint8_t prefix[4];
    key_u32(prefix, run);
    enum store_rc rc = blob_find(r->t, tb, prefix, run ? sizeof prefix : 0, number, scratch, b);
    if (rc == STORE_OK && b->n > 1) /* a segment with one value is not met again, and may be a copy in scratch */
        *near = (struct reader_near){ run, *b };
    return rc;
}

static struct rd_list rd_list_on(const char *p, size_t n)
{
    return (struct rd_list){ slr_on(p, n), 0 };
}

enum store_rc rd_input(struct reader *r, uint32_t run, uint64_t unit, struct blob *b)
{
    return find_near(r, &r->unit, TABLE_UNIT, run, unit, &r->scratch[0], b);
}

bool rd_values(struct reader *r, const struct rd_run *run, uint64_t unit, struct rd_list *out)
{
    struct blob b;
    enum store_rc rc = rd_input(r, run->id, unit, &b);
    if (rc) {
        r->rc = rc == STORE_NOT_FOUND ? STORE_CORRUPT : rc;
        return false;
    }
    struct slp_bytes v = blob_value(&b, unit);
    *out = rd_list_on(v.p, v.n);
    return true;
}

bool rd_result(struct reader *r, uint16_t station, uint64_t result, struct rd_list *out)
{
    struct blob b;
    enum store_rc rc = find_near(r, &r->result[station], TABLE_RESULT, 0, result, &r->scratch[1], &b);
    struct slp_bytes v = { NULL, 0 };
    if (rc == STORE_OK)
        v = blob_value(&b, result);
    if (rc || v.n < RESULT_HEAD_BYTES) {
        r->rc = rc == STORE_NOT_FOUND || rc == STORE_OK ? STORE_CORRUPT : rc;
        return false;
    }
    *out = rd_list_on(v.p + RESULT_HEAD_BYTES, v.n - RESULT_HEAD_BYTES);
    r->result_assignment = get_u48((const uint8_t *)v.p);
    r->result_done_wall_us = (int64_t)get_u64((const uint8_t *)v.p + 6);
    return true;
}

void rd_element(struct slp_buf *b, struct rd_list *l, uint32_t i)
{
    assert(i >= l->at);
    const char *p = NULL;
    while (l->at <= i && l->rest.p != l->rest.end) {
        p = l->at == i ? l->rest.p : NULL;
        l->at++;
        if (slr_skip(&l->rest, SL_DEPTH_MAX)) {
            l->rest.p = l->rest.end;
            p = NULL;
        }
    }
    if (p)
        slp_buf_add(b, p, (size_t)(l->rest.p - p));
    else
        slp_pack_nil(b);
}

bool rd_assignment(struct reader *r, uint64_t no, struct rd_assignment *a)
{
    uint8_t k[8];
    struct store_cursor c;
    bool ok = false;
    key_u64(k, no);
    enum store_rc rc = store_cursor_open(r->t, TABLE_ASSIGN, &c);
    if (rc == STORE_OK)
        rc = store_seek_le(&c, k, sizeof k);
    if (rc == STORE_OK) {
        uint64_t first = key_get_u64(c.key.p);
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        *a = (struct rd_assignment){ .no = no, .run = rdr_u32(&rd), .station = rdr_u32(&rd), .hub = rdr_u32(&rd) };
        uint32_t n = rdr_u32(&rd);
        a->assigned_wall_us = rdr_i64(&rd);
        rdr_u64(&rd);
        ok = no - first < n && rdr_bytes(&rd, (size_t)(no - first) * ASSIGN_BYTES) != NULL;
        a->unit = rdr_u64(&rd);
        a->worker = rdr_u32(&rd);
        a->state = rdr_u8(&rd);
        a->why = rdr_u8(&rd);
        a->attempt = rdr_u8(&rd);
        a->round = rdr_u8(&rd);
        a->due_us = rdr_i64(&rd);
        a->started_wall_us = rdr_i64(&rd);
        a->ended_wall_us = rdr_i64(&rd);
        a->active_us = rdr_u64(&rd);
        a->prev = rdr_u64(&rd);
        a->result = rdr_u64(&rd);
        ok = ok && !rd.bad;
    } else if (rc != STORE_NOT_FOUND) {
        r->rc = rc;
    }
    store_cursor_close(&c);
    return ok;
}

bool rd_linked(struct reader *r, const struct rd_run *run, uint64_t no, struct rd_assignment *a)
{
    if (rd_assignment(r, no, a))
        return true;
    if (!r->rc && run->state != RUN_DELETING)
        r->rc = STORE_CORRUPT;
    return false;
}

uint64_t rd_earlier(struct reader *r, const struct rd_assignment *a)
{
    if (a->prev < a->no)
        return a->prev;
    r->rc = STORE_CORRUPT;
    return 0;
}

void rd_stands(struct reader *r, struct slp_buf *b, const struct rd_run *run, uint16_t station,
               const struct rd_assignment *a, uint64_t outcome)
{
    const struct ld_station *st = &run->lv->stations[station];
    struct rd_list l, mine;
    if (a->state != ASSIGN_COUNTED || !a->result) {
        slp_pack_bool(b, false);
        return;
    }
    if (!st->copies.max) { /* what a review sent back counted, and stands no more */
        slp_pack_bool(b, a->result == outcome);
        return;
    }
    if (outcome && st->copies.method == LD_ALL) {
        slp_pack_bool(b, true);
        return;
    }
    if (st->type == LD_TOURNAMENT && a->round) { /* an entry: the winner's, or equal to it */
        slp_pack_bool(b, a->round == 1);
        return;
    }
    if (!outcome || !rd_result(r, station, outcome, &l)) {
        slp_pack_nil(b);
        return;
    }
    if (st->type == LD_JURY) { /* a vote: for the entry that the outcome follows */
        uint64_t winner = r->result_assignment, chosen = rd_vote(r, run, station, a);
        slp_pack_bool(b, chosen && chosen == winner);
        return;
    }
    slp_buf_clear(&r->outcome); /* a copy: the next result may lie in the same scratch */
    slp_buf_add(&r->outcome, l.rest.p, (size_t)(l.rest.end - l.rest.p));
    if (r->outcome.failed)
        rd_walked(r, STORE_NO_MEMORY);
    if (r->rc || !rd_result(r, station, a->result, &mine)) {
        slp_pack_nil(b);
        return;
    }
    struct slp_list its = { r->outcome.p, (uint32_t)r->outcome.n, st->value_count };
    struct slp_list his = { mine.rest.p, (uint32_t)(mine.rest.end - mine.rest.p), st->field_count };
    slp_pack_bool(b, agree_same(st, &its, &his));
}

/* ---- answers ---- */

int rd_reply(struct slp_buf *out, uint64_t type, uint64_t id, const void *any)
{
    return slp_encode(out, type, id, any);
}

int rd_refuse(struct slp_buf *out, uint64_t id, enum slp_code code, const char *place, const char *text)
{
    struct slp_error m = { .code = code, .retry = slp_error_retry(code), .text = { text, (uint32_t)strlen(text) } };
    if (place) {
        m.place = (struct slp_bytes){ place, (uint32_t)strlen(place) };
        SLP_SET(&m, error, place);
    }
    return slp_encode(out, SLP_ERROR, id, &m);
}

int reader_answer(struct reader *r, const struct slp_msg *m, int64_t elapsed_us, struct slp_buf *out)
{
    size_t was = out->n;
    int rc = -1;
    r->rc = store_begin_read(r->store, &r->t);
    if (r->rc)
        return -1;
    r->elapsed_us = elapsed_us;
    r->requests++;
    r->group.val.p = NULL; /* what was borrowed from the last transaction */
    r->unit.b.n = 0;
    for (uint32_t i = 0; i < SL_LINE_STATIONS_MAX; i++)
        r->result[i].b.n = 0;
    switch (m->type) {
    case SLP_OUTPUT_GET: rc = rd_output(r, m, out); break;
    case SLP_UNIT_GET: rc = rd_unit_story(r, m, out); break;
    case SLP_COVERAGE_GET: rc = rd_coverage(r, m, out); break;
    case SLP_TASKS_GET: rc = rd_tasks(r, m, out); break;
    case SLP_EVENTS_GET: rc = rd_events(r, m, out); break;
    case SLP_SNAPSHOT_GET: rc = rd_snapshot(r, m, out); break;
    case SLP_CHECK_GET: rc = rd_check(r, m, out); break;
    default: rc = rd_refuse(out, m->id, SLP_E_UNKNOWN_MESSAGE, NULL, "not a reader's message");
    }
    store_abort(&r->t);
    if (r->rc == STORE_CORRUPT) { /* no wrong byte is served: what was packed so far goes */
        out->n = was;
        return rd_refuse(out, m->id, SLP_E_CORRUPT, NULL, "a stored record is damaged; it was not served");
    }
    return r->rc || out->failed ? -1 : rc;
}
