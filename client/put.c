/* Putting units in, a message at a time; and what pipes share with it: checks of rows, and reading what a put_done
 * says. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

#define BATCH_BYTES_MAX (240 * 1024) /* leaves 16 KB of a frame for the rest of the message */

struct sl_batch {
    struct slp_buf rows, keys; /* packed elements; keys: none, or one a row */
    uint32_t count, keyed;     /* rows, and how many of them have a key */
};

int sl__row_ok(const struct sl_buf *row, const char *key)
{
    if (row->failed)
        return SL_NO_MEMORY;
    if (row->bad)
        return SL_BAD_VALUE;
    if (row->pending > 0 || row->count > UINT16_MAX)
        return SL_MISUSE;
    if (row->nested) { /* deep nests would have the whole frame refused: so find out here */
        struct slr r = slr_on(row->p, row->n);
        for (uint32_t i = 0; i < row->count; i++)
            if (slr_check(&r, SL_DEPTH_MAX - 3) != 0)
                return SL_BAD_VALUE;
    }
    if (key && !sl_utf8_ok(key, strlen(key)))
        return SL_BAD_VALUE;
    if (row->n + 3 > SL_UNIT_BYTES_MAX || (key && strlen(key) > SL_KEY_BYTES_MAX))
        return SL_TOO_BIG;
    return SL_OK;
}

/* Appends a row, and its key if it or an earlier one has a key. On failure both buffers are as they were. */
bool sl__put_row(struct slp_buf *rows, struct slp_buf *keys, uint32_t count, uint32_t keyed, const struct sl_buf *row,
                 const char *key)
{
    size_t rows_were = rows->n, keys_were = keys->n;
    slp_pack_array(rows, row->count);
    if (row->n > 0)
        slp_buf_add(rows, row->p, row->n);
    if (key && keyed == 0)
        for (uint32_t i = 0; i < count; i++)
            slp_pack_str(keys, "", 0);
    if (key || keyed > 0)
        slp_pack_cstr(keys, key ? key : "");
    if (!rows->failed && !keys->failed)
        return true;
    rows->failed = keys->failed = false; /* growing failed: what was there is still there */
    rows->n = rows_were;
    keys->n = keys_were;
    return false;
}

bool sl__columns(struct slp_buf *b, const char *const *columns, uint32_t n)
{
    slp_buf_clear(b);
    for (uint32_t i = 0; i < n; i++)
        slp_pack_cstr(b, columns[i]);
    return !b->failed;
}

/* What the items and sums of an answer say must be one story, or we would tell a caller of units that do not exist. */
static bool consistent(const struct slp_put_done *d, uint32_t n, uint64_t *refused, uint64_t *known)
{
    *refused = *known = 0;
    struct slp_cursor c = slp_each(d->items);
    struct slp_item_unit_result u;
    uint64_t next = 0;
    while (slp_next_unit_result(&c, &u)) {
        if (u.index < next || u.index >= n || u.code == SL_OK || u.code >= 1000)
            return false;
        next = u.index + 1;
        (*(u.code == SL_DUPLICATE ? known : refused))++;
    }
    if (d->accepted > n || d->duplicates > n || (d->accepted > 0 && d->first_unit == 0))
        return false;
    return d->duplicates >= *known && d->accepted + d->duplicates + *refused == n;
}

bool sl__put_report(const struct slp_put_done *d, uint32_t n, uint64_t first_number, const uint64_t *tags,
                    sl_put_fn *fn, void *arg, struct sl_put_counts *counts)
{
    uint64_t refused, known;
    if (!consistent(d, n, &refused, &known))
        return false;
    counts->accepted += d->accepted;
    counts->duplicates += d->duplicates;
    counts->refused += refused;
    if (!fn)
        return true;
    /* Numbered rows that were there already are not listed: numbers have no gaps, so they are the first ones. */
    uint64_t unlisted = d->duplicates - known, unit = d->first_unit;
    struct slp_cursor c = slp_each(d->items);
    struct slp_item_unit_result u;
    bool listed = slp_next_unit_result(&c, &u);
    char text[SL_TEXT_SIZE];
    for (uint32_t i = 0; i < n; i++) {
        struct sl_put_result r = { .number = first_number + i, .tag = tags ? tags[i] : 0, .text = "" };
        if (listed && u.index == i) {
            sl__copy(text, sizeof text, u.text);
            r.code = (int)u.code;
            r.unit = u.unit;
            r.text = text;
            listed = slp_next_unit_result(&c, &u);
        } else if (unlisted > 0) {
            r.code = SL_DUPLICATE;
            unlisted--;
        } else {
            r.unit = unit++;
        }
        fn(arg, &r);
    }
    return true;
}

struct sl_batch *sl_batch_new(void)
{
    return calloc(1, sizeof(struct sl_batch));
}

void sl_batch_free(struct sl_batch **b)
{
    if (!b || !*b)
        return;
    slp_buf_free(&(*b)->rows);
    slp_buf_free(&(*b)->keys);
    free(*b);
    *b = NULL;
}

void sl_batch_clear(struct sl_batch *b)
{
    slp_buf_clear(&b->rows);
    slp_buf_clear(&b->keys);
    b->count = b->keyed = 0;
}

uint32_t sl_batch_count(const struct sl_batch *b)
{
    return b->count;
}

int sl_batch_add(struct sl_batch *b, const struct sl_buf *row, const char *key)
{
    if (key && !*key)
        key = NULL;
    int rc = sl__row_ok(row, key);
    if (rc != SL_OK)
        return rc;
    if (b->count == SL_BATCH_ITEMS_MAX)
        return SL_TOO_MANY;
    size_t more = row->n + 3 + (key ? strlen(key) + 2 : 1);
    /* Keys of the rows before count too once the first key comes. */
    size_t keys = b->keyed == 0 && key ? b->count : 0;
    if (b->rows.n + b->keys.n + keys + more > BATCH_BYTES_MAX)
        return SL_TOO_BIG;
    if (!sl__put_row(&b->rows, &b->keys, b->count, b->keyed, row, key))
        return SL_NO_MEMORY;
    b->count++;
    b->keyed += key ? 1 : 0;
    return SL_OK;
}

static int put(struct sl *sl, uint64_t run_id, const struct sl_batch *b, const struct sl_put_options *o,
               struct slp_msg *m)
{
    struct slp_put p = { .run_id = run_id, .rows = { b->rows.p, (uint32_t)b->rows.n, b->count } };
    if (b->keyed > 0) {
        p.keys = (struct slp_list){ b->keys.p, (uint32_t)b->keys.n, b->count };
        SL__SET(&p, put, keys);
    }
    if (o->columns) {
        if (o->column_count > SL_INPUT_FIELDS_MAX)
            return sl__fail(sl, SL_TOO_MANY, "columns", NULL);
        for (uint32_t i = 0; i < o->column_count; i++)
            if (sl__name_ok(sl, o->columns[i], "columns") != SL_OK)
                return sl->error.code;
        if (!sl__columns(&sl->list, o->columns, o->column_count))
            return sl__fail(sl, SL_NO_MEMORY, "", NULL);
        p.columns = (struct slp_list){ sl->list.p, (uint32_t)sl->list.n, o->column_count };
        SL__SET(&p, put, columns);
    }
    if (o->delay_us > 0) {
        p.delay_us = (uint64_t)o->delay_us;
        SL__SET(&p, put, delay_us);
    }
    if (o->all_or_nothing) {
        p.all_or_nothing = true;
        SL__SET(&p, put, all_or_nothing);
    }
    bool safe = o->resend || b->keyed == b->count;
    return sl__request_with(sl, SLP_PUT, &p, SLP_PUT_DONE, m, sl->o.timeout_ms, safe);
}

int sl_put_batch(struct sl *sl, uint64_t run_id, const struct sl_batch *b, const struct sl_put_options *o,
                 sl_put_fn *fn, void *arg, struct sl_put_counts *counts)
{
    static const struct sl_put_options none;
    struct sl_put_counts sums = { 0 };
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (o && (o->delay_us < 0 || o->delay_us > SL_DELAY_US_MAX))
        return sl__fail(sl, SL_BAD_VALUE, "delay_us", NULL);
    if (b->count > 0) {
        struct slp_msg m;
        rc = put(sl, run_id, b, o ? o : &none, &m);
        if (rc != SL_OK)
            return rc;
        sl->in_callback = true;
        bool ok = sl__put_report(&m.u.put_done, b->count, 0, NULL, fn, arg, &sums);
        sl->in_callback = false;
        if (!ok)
            return sl__fail(sl, SL_BAD_REPLY, "put_done", "the counts contradict each other");
    }
    if (counts)
        *counts = sums;
    return SL_OK;
}

struct one {
    int code;
    uint64_t unit;
    char text[SL_TEXT_SIZE];
};

static void take_one(void *arg, const struct sl_put_result *r)
{
    struct one *one = arg;
    one->code = r->code;
    one->unit = r->unit;
    sl__copy(one->text, sizeof one->text, sl__bytes(r->text));
}

int sl_put(struct sl *sl, uint64_t run_id, const struct sl_buf *row, const char *key, uint64_t *unit)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    struct sl_batch b = { .count = 0 };
    struct one one = { .code = SL_BAD_REPLY };
    rc = sl_batch_add(&b, row, key);
    if (rc != SL_OK)
        sl__fail(sl, rc, "row", NULL);
    else
        rc = sl_put_batch(sl, run_id, &b, NULL, take_one, &one, NULL);
    slp_buf_free(&b.rows);
    slp_buf_free(&b.keys);
    if (rc != SL_OK)
        return rc;
    if (unit)
        *unit = one.unit;
    if (one.code == SL_OK || one.code == SL_DUPLICATE)
        return one.code;
    return sl__fail(sl, one.code, "row", *one.text ? one.text : NULL);
}

int sl_producer_get(struct sl *sl, uint64_t run_id, const void *producer, uint64_t *epoch, uint64_t *last_seq)
{
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (!producer)
        return sl__fail(sl, SL_MISUSE, "producer", NULL);
    struct slp_producer_get g = { .run_id = run_id, .producer = { producer, SL_PRODUCER_SIZE } };
    struct slp_msg m;
    rc = sl__request(sl, SLP_PRODUCER_GET, &g, SLP_PRODUCER, &m);
    if (rc == SL_OK) {
        *epoch = m.u.producer.epoch;
        *last_seq = m.u.producer.last_seq;
    }
    return rc;
}
