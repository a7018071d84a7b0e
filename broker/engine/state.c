/* Unit states: a write-back cache of the groups of neighbouring units. A group that changes many times in a batch is written once, at
 * its end, in key order. Sets of four with least recently used replacement; a dirty one that must go is written early.
 *
 * A pointer into a group stays valid until another unit's state is asked for three times: use it at once. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define GROUP_WAYS 4
#define GROUP_SETS 1024

bool groups_open(struct engine *e)
{
    e->group = calloc((size_t)GROUP_WAYS * GROUP_SETS, sizeof *e->group);
    e->group_sorted = calloc((size_t)GROUP_WAYS * GROUP_SETS, sizeof(struct group *));
    e->group_bytes = large_calloc((size_t)GROUP_WAYS * GROUP_SETS * STATE_GROUP_BYTES_MAX, true);
    if (!e->group || !e->group_sorted || !e->group_bytes)
        fail(e, STORE_NO_MEMORY);
    for (size_t i = 0; !e->rc && i < (size_t)GROUP_WAYS * GROUP_SETS; i++)
        e->group[i].b = e->group_bytes + i * STATE_GROUP_BYTES_MAX;
    return e->rc == STORE_OK;
}

void groups_close(struct engine *e)
{
    free(e->group);
    large_free(e->group_bytes);
    free(e->group_sorted);
}

static_assert(STATE_GROUP_BYTES_MAX <= UINT16_MAX && sizeof(struct group) == 32, "a head of a group");

static void group_key(uint8_t *k, const struct run *r, uint64_t no)
{
    key_u64(key_u32(k, r->id), no);
}

static void group_write(struct engine *e, struct group *g)
{
    uint8_t k[12];
    group_key(k, g->run, g->no);
    if (g->stored)
        e_put(e, TABLE_STATE, k, sizeof k, g->b, g->bytes);
    else /* mostly the newest of all: pages that are appended to are filled, those that are put into end up half empty */
        e_append(e, TABLE_STATE, k, sizeof k, g->b, g->bytes);
    g->dirty = false;
    g->stored = true;
}

static int by_key(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    if (x->run->id != y->run->id)
        return order_of(x->run->id, y->run->id);
    return order_of(x->no, y->no);
}

void groups_write(struct engine *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->group_n; i++) /* what was written early is not dirty any more */
        if (e->group_sorted[i]->dirty)
            e->group_sorted[n++] = e->group_sorted[i];
    sort(e, e->group_sorted, n, sizeof *e->group_sorted, by_key);
    for (uint32_t i = 0; i < n; i++)
        if (e->group_sorted[i]->dirty) /* it may stand there twice */
            group_write(e, e->group_sorted[i]);
    e->group_n = 0;
}

void groups_forget(struct engine *e, struct run *r)
{
    for (uint32_t i = 0; i < GROUP_WAYS * GROUP_SETS; i++)
        if (e->group[i].used && e->group[i].run == r) {
            e->group[i].used = e->group[i].dirty = false;
        }
}

void groups_forget_dirty(struct engine *e, struct run *r)
{
    groups_write(e);
    groups_forget(e, r);
}

static void mark_dirty(struct engine *e, struct group *g)
{
    if (g->dirty)
        return;
    g->dirty = true;
    if (e->group_n == GROUP_WAYS * GROUP_SETS)
        groups_write(e), g->dirty = true;
    e->group_sorted[e->group_n++] = g;
}

static struct group *group_set(const struct engine *e, const struct run *r, uint64_t no)
{
    return e->group + (no ^ ((uint64_t)r->id * 0x9E3779B97F4A7C15ull)) % GROUP_SETS * GROUP_WAYS;
}

bool unit_at_hand(const struct engine *e, const struct run *r, uint64_t unit)
{
    uint64_t no = (unit - 1) >> r->shift;
    const struct group *last = e->group_last, *set = group_set(e, r, no);
    bool found = last && last->used && last->run == r && last->no == no;
    for (int i = 0; i < GROUP_WAYS && !found; i++)
        found = set[i].used && set[i].run == r && set[i].no == no;
    return found;
}

static struct group *group_at(struct engine *e, struct run *r, uint64_t no, bool create)
{
    struct group *last = e->group_last;
    if (last && last->used && last->run == r && last->no == no)
        return last;
    struct group *set = group_set(e, r, no), *victim = set;
    for (int i = 0; i < GROUP_WAYS; i++) {
        struct group *g = set + i;
        if (g->used && g->run == r && g->no == no) {
            g->hand = ++e->group_hand;
            return e->group_last = g;
        }
        if (!g->used)
            victim = g;
        else if (victim->used && (int32_t)(g->hand - victim->hand) < 0)
            victim = g;
    }
    uint8_t k[12];
    struct store_val v = { 0 };
    group_key(k, r, no);
    bool there = e_get(e, TABLE_STATE, k, sizeof k, &v);
    if (v.n > STATE_GROUP_BYTES_MAX)
        fail(e, STORE_CORRUPT);
    if (e->rc || (!there && !create))
        return NULL;
    /* The bytes are copied before the victim is written: a write ends what was borrowed. */
    uint8_t b[STATE_GROUP_BYTES_MAX];
    if (there)
        memcpy(b, v.p, v.n);
    if (victim->used && victim->dirty)
        group_write(e, victim);
    victim->run = r;
    victim->no = no;
    victim->used = true;
    victim->dirty = false;
    victim->stored = there;
    victim->bytes = (uint16_t)v.n;
    victim->hand = ++e->group_hand;
    if (there)
        memcpy(victim->b, b, v.n);
    return e->group_last = victim;
}

static uint32_t unit_bytes(const struct run *r)
{
    return STATE_UNIT_BYTES + STATE_STATION_BYTES * r->lv->station_count;
}

uint8_t *unit_head(struct engine *e, struct run *r, uint64_t unit, bool change)
{
    if (unit == 0 || unit > r->units)
        return NULL;
    uint64_t no = (unit - 1) >> r->shift;
    uint32_t off = (uint32_t)((unit - 1) - (no << r->shift)) * unit_bytes(r);
    struct group *g = group_at(e, r, no, false);
    if (!g || off + unit_bytes(r) > g->bytes) {
        fail(e, STORE_CORRUPT); /* a unit that was taken in has a state */
        return NULL;
    }
    if (change)
        mark_dirty(e, g);
    return g->b + off;
}

uint8_t *unit_create(struct engine *e, struct run *r, uint64_t unit)
{
    uint64_t no = (unit - 1) >> r->shift;
    uint32_t off = (uint32_t)((unit - 1) - (no << r->shift)) * unit_bytes(r);
    struct group *g = group_at(e, r, no, true);
    if (g && g->bytes != off)
        fail(e, STORE_CORRUPT); /* units come in one after the other */
    if (e->rc)
        return NULL;
    memset(g->b + off, 0, unit_bytes(r));
    put_u16(g->b + off + UH_LEFT, (uint16_t)r->lv->station_count);
    g->bytes = (uint16_t)(off + unit_bytes(r));
    mark_dirty(e, g);
    return g->b + off;
}
