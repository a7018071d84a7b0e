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

/* A unit with a key: its bit. */
static bool mark(void *arg, const struct store_cursor *c)
{
    struct rd_keys *q = arg;
    uint64_t unit = c->val.n >= 8 ? get_u64(c->val.p) : 0;
    if (unit >= q->from && unit < q->upto)
        q->bits[(unit - q->from) / 8] |= (uint8_t)(1u << (unit - q->from) % 8);
    return true;
}

static void read_all(struct reader *r, const struct rd_run *run, uint64_t from, uint32_t *looked)
{
    uint64_t left = run->units - from + 1, units = left < WINDOW_UNITS ? left : WINDOW_UNITS;
    uint8_t k[4];
    if (!room(r, units))
        return;
    struct rd_keys *q = r->keys;
    *q = (struct rd_keys){ 0, from, from + units, left > units, false, q->cap, q->bits };
    memset(q->bits, 0, q->cap);
    key_u32(k, run->id);
    q->damaged = !rd_each(r, TABLE_DEDUP, k, sizeof k, mark, q, looked);
    if (r->rc == STORE_OK)
        q->run = run->id;
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

struct numbered {
    uint32_t n;
    uint64_t rows;
};

static bool add_rows(void *arg, const struct store_cursor *c)
{
    struct numbered *all = arg;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    rdr_bytes(&rd, PRODUCER_ROWS_AT);
    all->n++;
    all->rows += rdr_u64(&rd);
    return true;
}

bool rd_producers(struct reader *r, uint32_t run, uint32_t *n, uint64_t *rows, uint32_t *looked)
{
    struct numbered all = { 0 };
    uint8_t k[4];
    key_u32(k, run);
    bool told = rd_each(r, TABLE_PRODUCER, k, sizeof k, add_rows, &all, looked);
    *n = all.n;
    *rows = all.rows;
    return told;
}

struct sweep_of {
    uint32_t run;
    enum sweep_what what;
    bool found;
};

static bool is_other_sweep(void *arg, const struct store_cursor *c)
{
    struct sweep_of *s = arg;
    struct rdr rd = rdr_on(c->val.p, c->val.n);
    s->found = rdr_u8(&rd) == s->what;
    s->found = rdr_u32(&rd) == s->run && s->found;
    return !s->found;
}

bool rd_sweeping(struct reader *r, uint32_t run, enum sweep_what what, uint32_t *looked)
{
    struct sweep_of s = { run, what, false };
    return !rd_each(r, TABLE_SWEEP, "", 0, is_other_sweep, &s, looked) ||
           s.found; /* one that cannot be read may be it */
}
