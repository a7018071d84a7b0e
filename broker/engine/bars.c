/* Where workers are kept out. A bar is a set of stations (by key) at which a worker is given nothing, whatever he has learned: he is suspended there, or
 * what is measured of him does not meet what the station requires. Workers who are kept out of the same stations share a bar, so that they share
 * cells too, and matching costs what it cost before: a bar has a bit for each gate, taken out of the bits of its cells.
 *
 * A bit is a gate's, so a station where anybody can be kept out has a gate of its own (struct gate, key); it is `guarded` from then on. */
#include "broker/engine/internal.h"

static uint32_t hash_of(const uint32_t *key, uint32_t n)
{
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ key[i]) * 2654435761u;
    return h ^ h >> 15;
}

static bool slots_double(struct engine *e)
{
    struct matcher *m = &e->m;
    uint32_t n = m->bar_slots ? m->bar_slots * 2 : 16;
    struct bar **v = calloc(n, sizeof(struct bar *));
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < m->bar_slots; i++)
        for (struct bar *b = m->bar_slot[i], *next; b; b = next) {
            next = b->hash_next;
            b->hash_next = v[b->hash & (n - 1)];
            v[b->hash & (n - 1)] = b;
        }
    free(m->bar_slot);
    m->bar_slot = v;
    m->bar_slots = n;
    return true;
}

bool bar_has(const struct bar *b, uint32_t key)
{
    for (uint32_t lo = 0, hi = b ? b->keys : 0; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (b->key[mid] == key)
            return true;
        if (b->key[mid] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* Which gates are shut by it. */
static void fill(struct engine *e, struct bar *b)
{
    memset(b->bits, 0, e->m.words * sizeof *b->bits);
    for (uint32_t i = 0; i < e->m.gates; i++)
        if (e->m.gate[i].used && e->m.gate[i].key && bar_has(b, e->m.gate[i].key))
            b->bits[i / 64] |= 1ull << (i % 64);
}

struct bar *bar_for(struct engine *e, const uint32_t *key, uint32_t n)
{
    struct matcher *m = &e->m;
    uint32_t hash = hash_of(key, n);
    if (!n || (m->bars >= m->bar_slots && !slots_double(e)))
        return NULL;
    struct bar **slot = &m->bar_slot[hash & (m->bar_slots - 1)], *b = *slot;
    while (b && (b->hash != hash || b->keys != n || memcmp(b->key, key, n * sizeof *key) != 0))
        b = b->hash_next;
    if (!b) {
        b = malloc(sizeof *b + n * sizeof *key);
        uint64_t *bits = b ? calloc(m->words + 1, sizeof *bits) : NULL;
        if (!bits) {
            free(b);
            fail(e, STORE_NO_MEMORY);
            return NULL;
        }
        *b = (struct bar){ .id = ++m->bar_ids, .keys = n, .hash = hash, .hash_next = *slot, .bits = bits };
        memcpy(b->key, key, n * sizeof *key);
        *slot = b;
        m->bars++;
        fill(e, b);
    }
    b->users++;
    return b;
}

void bar_drop(struct engine *e, struct bar **pb)
{
    struct bar *b = *pb;
    *pb = NULL;
    if (!b || --b->users)
        return;
    struct bar **at = &e->m.bar_slot[b->hash & (e->m.bar_slots - 1)];
    while (*at != b)
        at = &(*at)->hash_next;
    *at = b->hash_next;
    e->m.bars--;
    free(b->bits);
    free(b);
}

bool bars_widen(struct engine *e, uint32_t words)
{
    struct matcher *m = &e->m;
    for (uint32_t i = 0; i < m->bar_slots; i++)
        for (struct bar *b = m->bar_slot[i]; b; b = b->hash_next) {
            uint64_t *v = realloc(b->bits, words * sizeof *v);
            if (!v)
                return false;
            memset(v + m->words, 0, (words - m->words) * sizeof *v);
            b->bits = v;
        }
    return true;
}

void bars_gate(struct engine *e, uint32_t gate)
{
    struct matcher *m = &e->m;
    const struct gate *g = &m->gate[gate];
    for (uint32_t i = 0; i < m->bar_slots; i++)
        for (struct bar *b = m->bar_slot[i]; b; b = b->hash_next) {
            b->bits[gate / 64] &= ~(1ull << (gate % 64));
            if (g->used && g->key && bar_has(b, g->key))
                b->bits[gate / 64] |= 1ull << (gate % 64);
        }
}

void bars_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->m.bar_slots; i++)
        for (struct bar *b = e->m.bar_slot[i], *next; b; b = next) {
            next = b->hash_next;
            free(b->bits);
            free(b);
        }
    free(e->m.bar_slot);
}
