/* See amap.h. */
#include "broker/engine/amap.h"

#include <assert.h>

#include "broker/engine/large.h"

#define FIRST_CAP 4096
#define GONE UINT64_MAX /* in the old room: deleted, but others of its row lie behind it */

/* Eight neighbours share two cache lines; the lines lie scattered. Were all numbers side by side, the live ones would be one long row without a gap, and
 * each deletion would walk to its end. */
static uint64_t home(const struct amap_table *t, uint64_t no)
{
    return (((no >> 3) * 0x9E3779B97F4A7C15ull >> 32) << 3 | (no & 7)) & (t->cap - 1);
}

static void insert(struct amap_table *t, struct amap_entry x)
{
    uint64_t at = home(t, x.no);
    while (t->v[at].no)
        at = (at + 1) & (t->cap - 1);
    t->v[at] = x;
    t->n++;
}

/* Where it is, at `from` or behind it; cap: nowhere. */
static uint64_t find(const struct amap_table *t, uint64_t no, uint64_t from)
{
    if (!t->n)
        return t->cap;
    for (uint64_t at = home(t, no); t->v[at].no; at = (at + 1) & (t->cap - 1))
        if (t->v[at].no == no)
            return at >= from ? at : t->cap;
    return t->cap;
}

/* Entries behind it move up if their place allows. */
static void cut(struct amap_table *t, uint64_t at)
{
    uint64_t mask = t->cap - 1;
    t->n--;
    for (uint64_t next = at;;) {
        t->v[at].no = 0;
        for (;;) {
            next = (next + 1) & mask;
            if (!t->v[next].no)
                return;
            if (((next - home(t, t->v[next].no)) & mask) >= ((next - at) & mask))
                break;
        }
        t->v[at] = t->v[next];
        at = next;
    }
}

/* What has moved stays behind as it is, so that rows of the old room keep together; before `moved` nothing counts. */
static void move_some(struct amap *m)
{
    struct amap_table *o = &m->old;
    for (int i = 0; i < AMAP_MOVES && o->n; i++) {
        struct amap_entry x = o->v[m->moved++];
        if (x.no && x.no != GONE) {
            insert(&m->now, x);
            o->n--;
        }
    }
    if (o->cap && !o->n) {
        large_free(o->v);
        *o = (struct amap_table){ 0 };
    }
}

static bool more_room(struct amap *m)
{
    struct amap_table t = { .cap = m->now.cap ? m->now.cap * 2 : FIRST_CAP };
    assert(!m->old.cap); /* there were puts enough to empty it, since it had half as much room */
    if (!(t.v = large_calloc(t.cap * sizeof *t.v, true)))
        return false;
    m->old = m->now;
    m->now = t;
    m->moved = 0;
    return true;
}

bool amap_put(struct amap *m, uint64_t no, struct aseg *s)
{
    if ((m->now.n + m->old.n + 1) * 2 > m->now.cap && !more_room(m))
        return false;
    insert(&m->now, (struct amap_entry){ no, s });
    move_some(m);
    return true;
}

struct aseg *amap_get(const struct amap *m, uint64_t no)
{
    uint64_t at = find(&m->now, no, 0);
    if (at < m->now.cap)
        return m->now.v[at].s;
    at = find(&m->old, no, m->moved);
    return at < m->old.cap ? m->old.v[at].s : NULL;
}

void amap_del(struct amap *m, uint64_t no)
{
    uint64_t at = find(&m->now, no, 0);
    if (at < m->now.cap) {
        cut(&m->now, at);
        return;
    }
    at = find(&m->old, no, m->moved);
    if (at == m->old.cap) /* nowhere: memory ran out when it was to be put, and the batch is given up */
        return;
    m->old.v[at].no = GONE;
    m->old.n--;
}

void amap_soon(const struct amap *m, uint64_t no)
{
    if (m->now.cap)
        __builtin_prefetch(&m->now.v[home(&m->now, no)], 1);
}

void amap_free(struct amap *m)
{
    large_free(m->now.v);
    large_free(m->old.v);
    *m = (struct amap){ 0 };
}
