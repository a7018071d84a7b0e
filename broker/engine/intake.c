/* Intake: a put frame becomes units. Everything is checked before anything changes; then the rows that are good become segments of input values,
 * states, and ready tasks at the line's entries. */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define UNIT_SEGMENT_MAX BLOB_VALUES_MAX /* units in one segment */

struct intake {
    struct run *r;
    const struct slp_put *q;
    int16_t column[SL_INPUT_FIELDS_MAX]; /* for each input field: its place in a row; -1: not there */
    uint32_t columns;
    bool as_is;    /* rows hold the input fields in their order */
    bool checked;  /* every row is good: rows_ok() has looked */
    uint64_t skip; /* rows that a numbered producer sent before */
    bool raised;   /* a numbered producer came with a higher epoch: it stands, even with no row */
};

/* The segment in the making. Its values lie where they came, in the frame; or, if the columns came in another order, side by side in b1. */
struct segment {
    uint64_t first;
    uint32_t n;
    size_t bytes;
    bool packed; /* in b1, which may move until the end: only lengths are known */
    struct store_val value[UNIT_SEGMENT_MAX];
};

static void segment_point(struct engine *e, struct segment *s)
{
    const char *p = e->b1.p;
    for (uint32_t i = 0; s->packed && i < s->n; p += s->value[i++].n)
        s->value[i].p = p;
}

/* ---- checks ---- */

static bool columns_ok(struct engine *e, struct intake *in)
{
    const struct ld_line *lv = in->r->lv;
    char place[32];
    in->columns = lv->input_count;
    in->as_is = true;
    if (!SLP_IS(in->q, put, columns))
        return true;
    memset(in->column, 0xff, sizeof in->column);
    in->columns = in->q->columns.count;
    in->as_is = in->columns == lv->input_count;
    struct slp_cursor c = slp_each(in->q->columns);
    struct slp_bytes name;
    for (uint32_t i = 0; slp_next_str(&c, &name); i++) {
        uint32_t f = 0;
        while (f < lv->input_count && (lv->inputs[f].name.n != name.n || memcmp(lv->inputs[f].name.p, name.p, name.n)))
            f++;
        snprintf(place, sizeof place, "columns[%u]", i);
        if (f == lv->input_count) {
            reply_error(e, SLP_E_BAD_UNIT, place, "the line has no input field '%.*s'", (int)name.n, name.p);
            return false;
        }
        if (in->column[f] >= 0) {
            reply_error(e, SLP_E_DUPLICATE_KEY, place, "column '%.*s' stands twice", (int)name.n, name.p);
            return false;
        }
        in->column[f] = (int16_t)i;
        in->as_is = in->as_is && f == i;
    }
    for (uint32_t f = 0; f < lv->input_count; f++)
        if (lv->inputs[f].required && in->column[f] < 0) {
            reply_error(e, SLP_E_BAD_UNIT, "columns", "the required field '%.*s' is missing", (int)lv->inputs[f].name.n,
                        lv->inputs[f].name.p);
            return false;
        }
    return true;
}

/* The values of a row in input order; appended to b if they came in another one. Where they are refused, the text says why. */
static enum slp_code row_values(struct engine *e, const struct intake *in, struct slp_bytes row, struct slp_buf *b,
                                struct slp_list *out, char *text, size_t text_size)
{
    const struct ld_line *lv = in->r->lv;
    struct slr r = slr_on(row.p, row.n);
    struct slr_value v;
    slr_next(&r, &v); /* the decoder checked it */
    if (v.type != SLR_ARRAY) {
        snprintf(text, text_size, "a row must be an array");
        return SLP_E_BAD_UNIT;
    }
    if (v.n != in->columns) {
        snprintf(text, text_size, "a row has %u values, %u are expected", v.n, in->columns);
        return SLP_E_BAD_UNIT;
    }
    *out = (struct slp_list){ r.p, (uint32_t)(r.end - r.p), v.n };
    if (!in->as_is) {
        const char *at[SL_INPUT_FIELDS_MAX + 1];
        for (uint32_t i = 0; i < v.n; i++) {
            at[i] = r.p;
            int skipped = slr_skip(&r, SL_DEPTH_MAX);
            assert(!skipped); /* the decoder checked it */
        }
        at[v.n] = r.p;
        size_t from = b->n;
        for (uint32_t f = 0; f < lv->input_count; f++)
            if (in->column[f] < 0)
                slp_pack_nil(b);
            else
                slp_buf_add(b, at[in->column[f]], (size_t)(at[in->column[f] + 1] - at[in->column[f]]));
        if (b->failed) {
            fail(e, STORE_NO_MEMORY);
            return SLP_E_BUSY; /* nobody hears of it */
        }
        *out = (struct slp_list){ b->p + from, (uint32_t)(b->n - from), lv->input_count };
        e->total.in_copied_bytes += out->bytes;
    }
    if (in->checked)
        return SLP_E_OK;
    uint32_t bad;
    char what[200];
    if (out->bytes > SL_UNIT_BYTES_MAX) {
        snprintf(text, text_size, "a unit of %u bytes is larger than %d", out->bytes, SL_UNIT_BYTES_MAX);
        return SLP_E_TOO_BIG;
    }
    if (ld_check_values(lv->inputs, lv->input_count, out->p, out->bytes, out->count, &bad, what, sizeof what)) {
        if (bad < lv->input_count)
            snprintf(text, text_size, "%.*s: %s", (int)lv->inputs[bad].name.n, lv->inputs[bad].name.p, what);
        else
            snprintf(text, text_size, "%s", what);
        return SLP_E_BAD_UNIT;
    }
    return SLP_E_OK;
}

static size_t dedup_key(uint8_t *k, const struct run *r, struct slp_bytes key)
{
    memcpy(key_u32(k, r->id), key.p, key.n);
    return 4 + key.n;
}

/* Is this key known? 0: no. Else the unit; *same tells whether it came with the same bytes. */
static uint64_t dedup_find(struct engine *e, struct run *r, struct slp_bytes key, struct segment *s,
                           const struct slp_list *values, bool *same)
{
    uint8_t k[4 + SL_KEY_BYTES_MAX];
    struct store_val v;
    if (!key.n || !e_get(e, TABLE_DEDUP, k, dedup_key(k, r, key), &v))
        return 0;
    struct rdr rd = rdr_on(v.p, v.n);
    uint64_t unit = rdr_u64(&rd);
    struct slp_list was;
    if (s && s->n && unit >= s->first) { /* of this very frame */
        segment_point(e, s);
        const struct store_val *here = &s->value[unit - s->first];
        was = (struct slp_list){ here->p, (uint32_t)here->n, 0 };
    } else if (rd.bad || !unit_values(e, r, unit, &was)) {
        fail(e, STORE_CORRUPT);
        return 0;
    }
    *same = was.bytes == values->bytes && !memcmp(was.p, values->p, was.bytes);
    return unit;
}

/* ---- numbered producers ---- */

struct producer {
    uint64_t epoch, last_seq, frame_first;
    uint32_t frame_count, frame_crc;
    uint64_t rows; /* under all epochs */
    bool known;
};

static void producer_key(uint8_t *k, const struct run *r, struct slp_bytes id)
{
    memcpy(key_u32(k, r->id), id.p, 16);
}

static struct producer producer_read(struct engine *e, const struct run *r, struct slp_bytes id)
{
    uint8_t k[20];
    struct store_val v;
    struct producer p = { 0 };
    producer_key(k, r, id);
    if (e_get(e, TABLE_PRODUCER, k, sizeof k, &v)) {
        struct rdr rd = rdr_on(v.p, v.n);
        p = (struct producer){ rdr_u64(&rd), rdr_u64(&rd), rdr_u64(&rd), rdr_u32(&rd), rdr_u32(&rd), 0, true };
        p.rows = rd.p < rd.end ? rdr_u64(&rd) : p.last_seq; /* 0.1.0 kept none */
        if (rd.bad)
            fail(e, STORE_CORRUPT);
    }
    return p;
}

static void producer_write(struct engine *e, struct run *r, struct slp_bytes id, const struct producer *p,
                           uint64_t fresh)
{
    uint8_t k[20], b[40];
    struct rec rc = { b, 0, sizeof b, 0 };
    producer_key(k, r, id);
    rec_u64(&rc, p->epoch);
    rec_u64(&rc, p->last_seq);
    rec_u64(&rc, p->frame_first);
    rec_u32(&rc, p->frame_count);
    rec_u32(&rc, p->frame_crc);
    rec_u64(&rc, p->rows);
    assert(!rc.bad);
    e_put(e, TABLE_PRODUCER, k, sizeof k, b, rc.n);
    if (r->producers == PRODUCERS_UNKNOWN)
        return;
    r->producers += !p->known;
    r->numbered += fresh;
    run_dirty(e, r);
}

static bool producer_ok(struct engine *e, struct intake *in, struct producer *p)
{
    const struct slp_put *q = in->q;
    if (q->producer.n != 16 || !SLP_IS(q, put, first_seq) || q->first_seq == 0) {
        reply_error(e, q->producer.n != 16 ? SLP_E_BAD_VALUE : SLP_E_MISSING_FIELD,
                    q->producer.n != 16 ? "producer" : "first_seq",
                    "a numbered producer has an id of 16 bytes and numbers its rows from 1");
        return false;
    }
    *p = producer_read(e, in->r, q->producer);
    uint32_t crc = store_crc32c(0, q->rows.p, q->rows.bytes);
    if (q->epoch < p->epoch) {
        reply_error(e, SLP_E_OLD_EPOCH, "epoch", "epoch %llu has taken over", (unsigned long long)p->epoch);
        return false;
    }
    in->raised = q->epoch > p->epoch;
    if (in->raised)
        *p = (struct producer){ .epoch = q->epoch,
                                .rows = p->rows,
                                .known = p->known }; /* whoever takes over counts from 1 again, and fences at once */
    if (q->first_seq > p->last_seq + 1) {
        reply_error(e, SLP_E_SEQUENCE_GAP, "first_seq", "%llu is expected next", (unsigned long long)(p->last_seq + 1));
        return false;
    }
    if (q->first_seq == p->frame_first && q->rows.count == p->frame_count && crc != p->frame_crc) {
        note_key_reuse(e, in->r, (struct slp_bytes){ 0 }, "rows");
        reply_error(e, SLP_E_KEY_REUSED, "rows", "rows %llu and on came before with other bytes",
                    (unsigned long long)q->first_seq);
        return false;
    }
    uint64_t known =
        p->last_seq + 1 -
        q->first_seq; /* in a variable of its own: gcc 12.2 loses the bound of in->skip at -O1 and above (SRA) */
    in->skip = known < q->rows.count ? known : q->rows.count;
    p->epoch = q->epoch;
    p->last_seq += q->rows.count - in->skip;
    p->rows += q->rows.count - in->skip;
    p->frame_first = q->first_seq;
    p->frame_count = q->rows.count;
    p->frame_crc = crc;
    return true;
}

void on_producer_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_producer_get *q = &m->u.producer_get;
    struct run *r = q->run_id && q->run_id <= e->meta.run ? e->run[q->run_id - 1] : NULL;
    if (!r || q->producer.n != 16) {
        reply_error(e, r ? SLP_E_BAD_VALUE : SLP_E_NOT_FOUND, r ? "producer" : "run_id",
                    r ? "an id has 16 bytes" : "no such run");
        return;
    }
    struct producer p = producer_read(e, r, q->producer);
    struct slp_producer a = { .epoch = p.epoch, .last_seq = p.last_seq };
    reply(e, SLP_PRODUCER, &a);
}

/* ---- the change ---- */

static void segment_end(struct engine *e, struct run *r, struct segment *s)
{
    if (e->b1.failed)
        fail(e, STORE_NO_MEMORY);
    segment_point(e, s);
    if (s->n && !e->rc)
        unit_segment_put(e, r, s->first, s->n, s->value);
    slp_buf_clear(&e->b1);
    s->n = 0;
    s->bytes = 0;
}

static void unit_add(struct engine *e, struct run *r, struct segment *s, const struct slp_list *values,
                     struct slp_bytes key)
{
    if (s->n && (s->n == UNIT_SEGMENT_MAX ||
                 BLOB_HEAD_BYTES + 2 * (s->n + 1) + s->bytes + values->bytes > SL_SEGMENT_BYTES_MAX)) {
        segment_end(e, r, s);
        if (s->packed) { /* they stand behind what has gone */
            memmove(e->b1.p, values->p, values->bytes);
            e->b1.n = values->bytes;
            e->total.in_copied_bytes += values->bytes;
        }
    }
    uint64_t unit = ++r->units;
    if (!s->n)
        s->first = unit;
    s->value[s->n++] = (struct store_val){ s->packed ? NULL : values->p, values->bytes };
    s->bytes += values->bytes;
    uint8_t *head = unit_create(e, r, unit);
    if (!head)
        return;
    if (key.n) {
        head[UH_FLAGS] |= UNIT_FLAG_KEY;
        put_u16(head + UH_KEY, (uint16_t)store_crc32c(0, key.p, key.n));
    }
    for (uint32_t i = 0; i < r->lv->station_count; i++) {
        r->rq[i].c.n[TASK_BLOCKED]++;
        r->rq[i].st->c.n[TASK_BLOCKED]++;
        rq_dirty(e, &r->rq[i]);
    }
    ev_task(e, EV_UNITS_ADDED, r, NULL, 0, unit, 1);
    e->total.units++;
}

static void refuse_item(struct engine *e, uint32_t *n, uint32_t index, enum slp_code code, uint64_t unit,
                        const char *text)
{
    struct slp_item_unit_result it = { .index = index, .code = code, .unit = unit };
    if (text && e->answer.n < SL_FRAME_BYTES_MAX / 2) {
        it.text = (struct slp_bytes){ text, (uint32_t)strlen(text) };
        SLP_SET(&it, item_unit_result, text);
    }
    slp_pack_item(&e->answer, SLP_ITEM_unit_result, &it);
    (*n)++;
}

struct keyed {
    struct slp_bytes key, row;
    uint32_t index;
};

static int by_key_then_index(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    uint32_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int d = n ? memcmp(x->key.p, y->key.p, n) : 0;
    d = d ? d : order_of(x->key.n, y->key.n);
    return d ? d : order_of(x->index, y->index);
}

/* A key that stands twice in the frame with other values; true: refused. (The columns are the same, so rows compare as packed.) */
static bool key_twice(struct engine *e, const struct intake *in)
{
    const struct slp_put *q = in->q;
    struct slp_cursor rows = slp_each(q->rows), keys = slp_each(q->keys);
    struct slp_bytes row, key;
    uint32_t n = 0;
    const struct keyed *bad = NULL;
    struct keyed *v = grow(e, e->keyed, &e->keyed_cap, q->rows.count + 1, sizeof *v);
    if (!v)
        return true;
    e->keyed = v;
    for (uint32_t i = 0; slp_next_raw(&rows, &row) && slp_next_str(&keys, &key); i++)
        if (i >= in->skip && key.n)
            v[n++] = (struct keyed){ key, row, i };
    sort(e, v, n, sizeof *v, by_key_then_index);
    for (uint32_t i = 1; i < n && !bad; i++)
        if (v[i].key.n == v[i - 1].key.n && !memcmp(v[i].key.p, v[i - 1].key.p, v[i].key.n) &&
            (v[i].row.n != v[i - 1].row.n || memcmp(v[i].row.p, v[i - 1].row.p, v[i].row.n)))
            bad = &v[i];
    if (!bad)
        return false;
    char place[40];
    snprintf(place, sizeof place, "rows[%u]", bad->index);
    note_key_reuse(e, in->r, bad->key, "%s", place);
    reply_error(e, SLP_E_KEY_REUSED, place, "the key stands in this frame before, with other values");
    return true;
}

/* Rows that will not go in; with all_or_nothing (and for numbered producers, whose numbers must have no holes) one is enough to refuse. */
static bool rows_ok(struct engine *e, struct intake *in)
{
    const struct slp_put *q = in->q;
    struct slp_cursor rows = slp_each(q->rows), keys = slp_each(q->keys);
    struct slp_bytes row, key = { 0 };
    struct slp_list values;
    char text[300], place[40];
    for (uint32_t i = 0; slp_next_raw(&rows, &row) && !e->rc; i++) {
        bool same, has_key = SLP_IS(q, put, keys) && slp_next_str(&keys, &key);
        if (i < in->skip)
            continue;
        slp_buf_clear(&e->b2);
        enum slp_code code = row_values(e, in, row, &e->b2, &values, text, sizeof text);
        if (code == SLP_E_OK && has_key && dedup_find(e, in->r, key, NULL, &values, &same) && !same) {
            code = SLP_E_KEY_REUSED;
            snprintf(text, sizeof text, "the key was used before with other values");
        }
        if (code == SLP_E_OK)
            continue;
        snprintf(place, sizeof place, "rows[%u]", i);
        if (code == SLP_E_KEY_REUSED)
            note_key_reuse(e, in->r, key, "%s", place);
        reply_error(e, code, place, "%s", text);
        return false;
    }
    if (SLP_IS(q, put, keys) && !e->rc && key_twice(e, in))
        return false;
    in->checked = true;
    return !e->rc;
}

static void take_in(struct engine *e, struct intake *in)
{
    const struct slp_put *q = in->q;
    struct run *r = in->r;
    struct segment s;
    s.n = 0;
    s.bytes = 0;
    s.packed = !in->as_is;
    struct slp_put_done a = { .duplicates = in->skip };
    struct slp_cursor rows = slp_each(q->rows), keys = slp_each(q->keys);
    struct slp_bytes row, key = { 0 };
    struct slp_list values;
    char text[300];
    uint32_t items = 0;
    slp_buf_clear(&e->b1);
    slp_buf_clear(&e->answer);
    for (uint32_t i = 0; slp_next_raw(&rows, &row) && !e->rc; i++) {
        bool has_key = SLP_IS(q, put, keys) && slp_next_str(&keys, &key) && key.n;
        if (i < in->skip)
            continue;
        size_t before = e->b1.n;
        enum slp_code code = row_values(e, in, row, &e->b1, &values, text, sizeof text);
        if (code != SLP_E_OK) {
            e->b1.n = before;
            refuse_item(e, &items, i, code, 0, text);
            continue;
        }
        if (has_key) {
            bool same = false;
            uint64_t known = dedup_find(e, r, key, &s, &values, &same);
            if (known) {
                e->b1.n = before;
                a.duplicates += same;
                if (!same)
                    note_key_reuse(e, r, key, "rows[%u]", i);
                refuse_item(e, &items, i, same ? SLP_E_DUPLICATE : SLP_E_KEY_REUSED, known, NULL);
                continue;
            }
        }
        unit_add(e, r, &s, &values, has_key ? key : (struct slp_bytes){ 0 });
        if (has_key) {
            uint8_t k[4 + SL_KEY_BYTES_MAX], v[8];
            put_u64(v, r->units);
            e_put(e, TABLE_DEDUP, k, dedup_key(k, r, key), v, sizeof v);
        }
        if (!a.accepted++)
            a.first_unit = r->units;
    }
    segment_end(e, r, &s);
    /* Conditions at the entries look at the values: they must be in the store by now. */
    int64_t delay_us = (int64_t)q->delay_us;
    for (uint64_t u = a.first_unit; a.accepted && u <= r->units && !e->rc; u++) {
        uint8_t *head = unit_head(e, r, u, true);
        if (head)
            flow_enter(e, r, u, head, delay_us ? e->delayed : NULL);
    }
    for (uint32_t i = 0; delay_us && i < r->lv->station_count; i++) {
        if (e->delayed[i].n)
            delay_add(e, &r->rq[i], e->now_us + delay_us, WHY_NEW, &e->delayed[i]);
        ranges_clear(&e->delayed[i]);
    }
    if (a.accepted) {
        arrivals_add(e, r, a.accepted);
        r->changed_wall_us = e->wall_us;
        run_dirty(e, r);
    }
    if (items) {
        a.items = (struct slp_list){ e->answer.p, (uint32_t)e->answer.n, items };
        SLP_SET(&a, put_done, items);
    }
    if (e->answer.failed)
        fail(e, STORE_NO_MEMORY);
    else
        reply(e, SLP_PUT_DONE, &a);
}

/* How many rows bring something new, as far as their numbers and keys tell: what is known is still answered when new units are refused. */
static uint64_t fresh_rows(struct engine *e, const struct intake *in)
{
    struct slp_cursor keys = slp_each(in->q->keys);
    struct slp_bytes key;
    uint64_t fresh = in->q->rows.count - in->skip;
    for (uint32_t i = 0; SLP_IS(in->q, put, keys) && slp_next_str(&keys, &key); i++) {
        uint8_t k[4 + SL_KEY_BYTES_MAX];
        struct store_val v;
        if (i >= in->skip && key.n && e_get(e, TABLE_DEDUP, k, dedup_key(k, in->r, key), &v))
            fresh--;
    }
    return fresh;
}

void on_put(struct engine *e, const struct slp_msg *m)
{
    struct intake in = { .q = &m->u.put };
    const struct slp_put *q = in.q;
    struct producer p = { 0 };
    bool numbered = SLP_IS(q, put, producer);
    in.r = q->run_id && q->run_id <= e->meta.run ? e->run[q->run_id - 1] : NULL;
    if (!in.r || in.r->state == RUN_DELETING) {
        reply_error(e, SLP_E_NOT_FOUND, "run_id", "there is no run %llu", (unsigned long long)q->run_id);
        return;
    }
    struct run *r = in.r;
    if (SLP_IS(q, put, keys) && q->keys.count != q->rows.count) {
        reply_error(e, SLP_E_BAD_VALUE, "keys", "%u keys for %u rows", q->keys.count, q->rows.count);
        return;
    }
    struct slp_cursor c = slp_each(q->keys);
    for (struct slp_bytes key; SLP_IS(q, put, keys) && slp_next_str(&c, &key);)
        if (key.n > SL_KEY_BYTES_MAX) {
            reply_error(e, SLP_E_TOO_BIG, "keys", "a key of %u bytes is longer than %d", key.n, SL_KEY_BYTES_MAX);
            return;
        }
    if (q->delay_us > (uint64_t)SL_DELAY_US_MAX) {
        reply_error(e, SLP_E_BAD_VALUE, "delay_us", "longer than %lld us", (long long)SL_DELAY_US_MAX);
        return;
    }
    if (!columns_ok(e, &in) || (numbered && !producer_ok(e, &in, &p)))
        return;
    uint64_t fresh = q->rows.count - in.skip, open = r->units - r->done - r->dropped;
    bool tight = r->state != RUN_OPEN || e->full || open + fresh > r->quota;
    if (tight && fresh)
        fresh = fresh_rows(e, &in);
    if (r->state != RUN_OPEN && fresh) {
        reply_error(e, SLP_E_RUN_CLOSED, "run_id", "run %s takes no more units", r->name.s);
        return;
    }
    if (e->full && fresh) {
        reply_error(e, SLP_E_STORE_FULL, NULL, "the store is nearly full: no new units for now");
        return;
    }
    if (fresh && open + fresh > r->quota) {
        reply_error(e, SLP_E_QUEUE_FULL, "run_id", "run %s holds %llu open units of %llu", r->name.s,
                    (unsigned long long)open, (unsigned long long)r->quota);
        return;
    }
    if ((q->all_or_nothing || numbered) && !rows_ok(e, &in))
        return;
    if (numbered && (in.skip < q->rows.count || in.raised))
        producer_write(e, r, q->producer, &p, q->rows.count - in.skip);
    take_in(e, &in);
}
