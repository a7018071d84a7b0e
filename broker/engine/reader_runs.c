/* What the producers and the operators of a run left, for a check: keys, numbered producers, mass operations under way.
 *
 * Which units of a run a record of DEDUP leads to is asked by unit: a check comes from the units' states. DEDUP is in the order of keys; so a run's are
 * read once, in the transaction under way, and a bit is set for each unit. Only a window of the units is kept, so that memory is bounded; it holds so
 * many that few runs need a second one.
 *
 * The window stays from one portion of a check to the next, while the broker works on: a key comes with its unit, and goes with the run alone. Units that came
 * after the keys were read are left to the next check: else one would not end while a large run takes units in. */
#include <stdlib.h>

#include "broker/engine/reader.h"

#define WINDOW_UNITS (1u << 26) /* 8 MiB */

struct rd_keys {
    uint32_t run;        /* 0: none has been read */
    uint64_t from, upto; /* its end is not in it */
    bool cut;            /* the run had more units than the window has room for */
    bool damaged;        /* something could not be read: whatever is missing may be there */
    size_t cap;
    uint8_t *bits;
};

void rd_keys_free(struct reader *r)
{
    if (r->keys)
        free(r->keys->bits);
    free(r->keys);
    r->keys = NULL;
}

static bool room(struct reader *r, uint64_t units)
{
    size_t bytes = (size_t)(units / 8 + 1);
    if (!r->keys)
        r->keys = calloc(1, sizeof *r->keys);
    if (r->keys) /* nothing half read stays if this fails: it is asked for again */
        r->keys->run = 0;
    if (r->keys && r->keys->cap < bytes) {
        free(r->keys->bits);
        r->keys->bits = malloc(bytes);
        r->keys->cap = r->keys->bits ? bytes : 0;
    }
    if (r->keys && r->keys->bits)
        return true;
    rd_walked(r, STORE_NO_MEMORY);
    return false;
}

static void read_all(struct reader *r, const struct rd_run *run, uint64_t from, uint32_t *looked)
{
    uint64_t left = run->units - from + 1, units = left < WINDOW_UNITS ? left : WINDOW_UNITS;
    struct store_cursor c;
    bool damaged = false;
    uint8_t k[4];
    if (!room(r, units))
        return;
    struct rd_keys *q = r->keys;
    memset(q->bits, 0, q->cap);
    key_u32(k, run->id);
    enum store_rc rc = store_cursor_open(r->t, TABLE_DEDUP, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k);
         (rc == STORE_OK || (rc == STORE_CORRUPT && c.key.n)) && c.key.n >= sizeof k && !memcmp(c.key.p, k, sizeof k);
         rc = store_next(&c)) {
        uint64_t unit = rc == STORE_OK && c.val.n >= 8 ? get_u64(c.val.p) : 0;
        (*looked)++;
        damaged |= rc == STORE_CORRUPT;
        if (unit >= from && unit - from < units)
            q->bits[(unit - from) / 8] |= (uint8_t)(1u << (unit - from) % 8);
    }
    store_cursor_close(&c);
    if (rc != STORE_CORRUPT)
        rd_walked(r, rc);
    if (r->rc == STORE_OK)
        *q = (struct rd_keys){ run->id, from,   from + units, left > units, damaged || rc == STORE_CORRUPT,
                               q->cap,  q->bits };
}

bool rd_keyed(struct reader *r, const struct rd_run *run, uint64_t unit, uint32_t *looked)
{
    const struct rd_keys *q = r->keys;
    bool of_run = q && q->run == run->id;
    if (of_run && unit >= q->upto && !q->cut) /* it came since */
        return true;
    if (!of_run || unit < q->from || unit >= q->upto)
        read_all(r, run, unit, looked);
    q = r->keys;
    if (r->rc) /* it cannot be told, and the answer is that */
        return true;
    return q->damaged || q->bits[(unit - q->from) / 8] >> (unit - q->from) % 8 & 1;
}

bool rd_producers(struct reader *r, uint32_t run, uint32_t *n, uint64_t *rows, uint32_t *looked)
{
    uint8_t k[4];
    struct store_cursor c;
    *n = 0;
    *rows = 0;
    key_u32(k, run);
    enum store_rc rc = store_cursor_open(r->t, TABLE_PRODUCER, &c);
    for (rc = rc ? rc : store_seek(&c, k, sizeof k);
         rc == STORE_OK && c.key.n >= sizeof k && !memcmp(c.key.p, k, sizeof k); rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        (*looked)++;
        (*n)++;
        rdr_bytes(&rd, PRODUCER_ROWS_AT);
        *rows += rdr_u64(&rd);
    }
    store_cursor_close(&c);
    if (rc != STORE_CORRUPT) /* named where it lies */
        rd_walked(r, rc);
    return rc != STORE_CORRUPT && !r->rc;
}

bool rd_sweeping(struct reader *r, uint32_t run, enum sweep_what what, uint32_t *looked)
{
    struct store_cursor c;
    bool found = false;
    enum store_rc rc = store_cursor_open(r->t, TABLE_SWEEP, &c);
    for (rc = rc ? rc : store_seek(&c, "", 0); rc == STORE_OK && !found; rc = store_next(&c)) {
        struct rdr rd = rdr_on(c.val.p, c.val.n);
        (*looked)++;
        found = rdr_u8(&rd) == what;
        found = rdr_u32(&rd) == run && found;
    }
    store_cursor_close(&c);
    if (rc == STORE_CORRUPT) /* it may be the one; named where it lies */
        return true;
    rd_walked(r, rc);
    return found || r->rc;
}
