/* See order.h. A treap (Seidel, Aragon 1996): by key a search tree, by the mixed numbers of its members a heap, so that its expected depth is
 * logarithmic whatever the order of arrival. */
#include "broker/engine/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 160 /* of a tree of 2^32: the odds against it are beyond all hardware */

static uint32_t weight(uint32_t member)
{
    uint64_t z = member * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9ull;
    return (uint32_t)(z >> 32);
}

static bool heavier(uint32_t a, uint32_t b)
{
    uint32_t x = weight(a), y = weight(b);
    return x != y ? x > y : a > b;
}

static bool before(struct order_key a, struct order_key b)
{
    return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}

static uint64_t *all_of(const struct order *o, uint32_t n)
{
    return o->all + (size_t)n * o->words;
}

/* True: its union is another one. */
static bool pull(struct order *o, uint32_t n)
{
    const struct order_node *t = &o->node[n];
    uint64_t *all = all_of(o, n), changed = 0;
    const uint64_t *l = all_of(o, t->left), *r = all_of(o, t->right);
    for (uint32_t w = 0; w < o->words; w++) {
        uint64_t now = t->own[w] | l[w] | r[w];
        changed |= all[w] ^ now;
        all[w] = now;
    }
    return changed;
}

bool order_room(struct order *o, uint32_t last, uint32_t words)
{
    if (last < o->cap && words <= o->words)
        return true;
    uint32_t cap = o->cap ? o->cap : 64;
    while (cap <= last)
        cap *= 2;
    if (words < o->words)
        words = o->words;
    uint64_t *all = calloc((size_t)cap * words, sizeof *all);
    struct order_node *node = all ? realloc(o->node, cap * sizeof *node) : NULL;
    if (!node) {
        free(all);
        return false;
    }
    memset(node + o->cap, 0, (cap - o->cap) * sizeof *node);
    if (words == o->words && o->cap)
        memcpy(all, o->all, (size_t)o->cap * words * sizeof *all);
    free(o->all);
    *o = (struct order){ node, all, cap, words };
    return true;
}

void order_free(struct order *o)
{
    free(o->node);
    free(o->all);
    *o = (struct order){ 0 };
}

/* ---- changes: down to the place by an explicit path, then the unions anew from there up ---- */

struct path {
    uint32_t *link[DEPTH_MAX], node[DEPTH_MAX];
    int n;
};

/* The first `above` of them lost or changed a member below them, and are else as they were: where the union is the same, so it is above. */
static void path_pull(struct order *o, struct path *p, int above)
{
    while (p->n > above)
        pull(o, p->node[--p->n]);
    while (p->n && pull(o, p->node[p->n - 1]))
        p->n--;
}

static void path_add(struct path *p, uint32_t *link)
{
    assert(p->n < DEPTH_MAX);
    p->link[p->n] = link;
    p->node[p->n++] = *link;
}

/* Cut the tree at *link into those before the key and those behind it. The nodes on the way are pulled from below. */
static void split(struct order *o, uint32_t t, struct order_key key, uint32_t *low, uint32_t *high)
{
    struct path p = { .n = 0 };
    while (t) {
        p.node[p.n++] = t;
        assert(p.n < DEPTH_MAX);
        if (before(o->node[t].key, key)) {
            *low = t;
            low = &o->node[t].right;
        } else {
            *high = t;
            high = &o->node[t].left;
        }
        t = before(o->node[t].key, key) ? o->node[t].right : o->node[t].left;
    }
    *low = *high = 0;
    path_pull(o, &p, 0);
}

void order_put(struct order *o, uint32_t *root, uint32_t member, struct order_key key, const uint64_t *own)
{
    uint32_t *link = root;
    assert(member && member < o->cap);
    while (*link && !heavier(member, *link)) {
        assert(*link != member);
        struct order_node *t = &o->node[*link];
        uint64_t *all = all_of(o, *link);
        for (uint32_t w = 0; w < o->words; w++) /* it is one more below this one */
            all[w] |= own[w];
        link = before(key, t->key) ? &t->left : &t->right;
    }
    struct order_node *m = &o->node[member];
    uint32_t rest = *link;
    m->key = key;
    m->own = own;
    m->left = m->right = 0;
    split(o, rest, key, &m->left, &m->right);
    *link = member;
    pull(o, member);
}

static void find(struct order *o, uint32_t *root, uint32_t member, struct path *p)
{
    struct order_key key = o->node[member].key;
    uint32_t *link = root;
    while (*link != member) {
        assert(*link); /* it is in this set */
        path_add(p, link);
        struct order_node *t = &o->node[*link];
        link = before(key, t->key) ? &t->left : &t->right;
    }
    path_add(p, link);
}

void order_del(struct order *o, uint32_t *root, uint32_t member)
{
    struct path p = { .n = 0 };
    find(o, root, member, &p);
    uint32_t *link = p.link[--p.n], l = o->node[member].left, r = o->node[member].right;
    int above = p.n;
    while (l && r) { /* join what was below it */
        if (heavier(l, r)) {
            *link = l;
            path_add(&p, link);
            link = &o->node[l].right;
            l = *link;
        } else {
            *link = r;
            path_add(&p, link);
            link = &o->node[r].left;
            r = *link;
        }
    }
    *link = l ? l : r;
    path_pull(o, &p, above);
}

bool order_stays(struct order *o, uint32_t root, uint32_t member, struct order_key key)
{
    struct order_node *m = &o->node[member];
    for (uint32_t t = root; t != member;) { /* between whom it stands, above it ... */
        const struct order_node *n = &o->node[t];
        assert(t);
        bool left = before(m->key, n->key);
        if (left != before(key, n->key))
            return false;
        t = left ? n->left : n->right;
    }
    uint32_t last = m->left, first = m->right; /* ... and below it */
    while (last && o->node[last].right)
        last = o->node[last].right;
    while (first && o->node[first].left)
        first = o->node[first].left;
    if ((last && before(key, o->node[last].key)) || (first && before(o->node[first].key, key)))
        return false;
    m->key = key;
    return true;
}

void order_changed(struct order *o, uint32_t root, uint32_t member)
{
    struct path p = { .n = 0 };
    find(o, &root, member, &p);
    path_pull(o, &p, p.n);
}

void order_refresh(struct order *o, uint32_t root, const uint64_t *(*own)(void *, uint32_t), void *arg)
{
    if (!root)
        return;
    o->node[root].own = own(arg, root);
    order_refresh(o, o->node[root].left, own, arg);
    order_refresh(o, o->node[root].right, own, arg);
    pull(o, root);
}

/* ---- finding ---- */

static bool hit(const struct order *o, const uint64_t *bits, const uint64_t *mask)
{
    for (uint32_t w = 0; w < o->words; w++)
        if (bits[w] & mask[w])
            return true;
    return false;
}

uint32_t order_first(const struct order *o, uint32_t root, const uint64_t *mask)
{
    if (!root || !hit(o, all_of(o, root), mask))
        return 0;
    for (uint32_t t = root;;) { /* one of this tree has it */
        const struct order_node *n = &o->node[t];
        if (n->left && hit(o, all_of(o, n->left), mask))
            t = n->left;
        else if (hit(o, n->own, mask))
            return t;
        else
            t = n->right;
    }
}

uint32_t order_first_bit(const struct order *o, uint32_t root, uint32_t bit)
{
    uint32_t w = bit / 64;
    uint64_t b = 1ull << (bit % 64);
    if (!root || !(all_of(o, root)[w] & b))
        return 0;
    for (uint32_t t = root;;) {
        const struct order_node *n = &o->node[t];
        if (all_of(o, n->left)[w] & b)
            t = n->left;
        else if (n->own[w] & b)
            return t;
        else
            t = n->right;
    }
}

uint32_t order_after_bit(const struct order *o, uint32_t root, struct order_key key, uint32_t bit)
{
    uint32_t w = bit / 64,
             best = 0; /* best: the lowest tree on the way that is behind the key and has it, node or right side */
    uint64_t b = 1ull << (bit % 64);
    for (uint32_t t = root; t && (all_of(o, t)[w] & b);) {
        const struct order_node *n = &o->node[t];
        if (!before(key, n->key)) {
            t = n->right;
            continue;
        }
        if ((n->own[w] & b) || (all_of(o, n->right)[w] & b))
            best = t;
        t = n->left;
    }
    if (!best || (o->node[best].own[w] & b))
        return best;
    return order_first_bit(o, o->node[best].right, bit);
}

uint32_t order_from(const struct order *o, uint32_t root, struct order_key key)
{
    uint32_t best = 0;
    for (uint32_t t = root; t;) {
        if (before(o->node[t].key, key)) {
            t = o->node[t].right;
        } else {
            best = t;
            t = o->node[t].left;
        }
    }
    return best;
}
