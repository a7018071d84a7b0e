/* See order.h. A treap (Seidel, Aragon 1996): by key a search tree, by the mixed numbers of its members a heap, so that its expected depth is
 * logarithmic whatever the order of arrival. */
#include "broker/engine/order.h"

#include <assert.h>
#include <string.h>

#include "broker/engine/large.h"

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

/* True: its union is another one. */
static bool pull(struct order *o, uint32_t n)
{
    struct order_node *t = order_at(o, n);
    uint64_t *all = t->all, changed = 0;
    const uint64_t *l = order_at(o, t->left)->all, *r = order_at(o, t->right)->all;
    for (uint32_t w = 0; w < o->words; w++) {
        uint64_t now = t->own[w] | l[w] | r[w];
        changed |= all[w] ^ now;
        all[w] = now;
    }
    return changed;
}

#define LINE 64

bool order_room(struct order *o, uint32_t last, uint32_t words)
{
    if (last < o->cap && words <= o->words)
        return true;
    uint32_t cap = o->cap ? o->cap : 64;
    while (cap <= last)
        cap *= 2;
    if (words < o->words)
        words = o->words;
    size_t bytes = (sizeof(struct order_node) + words * sizeof(uint64_t) + LINE - 1) / LINE * LINE;
    struct order to = { large_calloc(cap * bytes, false), cap, words, bytes };
    if (!to.nodes)
        return false;
    for (uint32_t i = 0; i < o->cap; i++) /* with more words its bits are given anew */
        memcpy(order_at(&to, i), order_at(o, i),
               sizeof(struct order_node) + (words == o->words ? words : 0) * sizeof(uint64_t));
    large_free(o->nodes);
    *o = to;
    return true;
}

void order_free(struct order *o)
{
    large_free(o->nodes);
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
        if (before(order_at(o, t)->key, key)) {
            *low = t;
            low = &order_at(o, t)->right;
        } else {
            *high = t;
            high = &order_at(o, t)->left;
        }
        t = before(order_at(o, t)->key, key) ? order_at(o, t)->right : order_at(o, t)->left;
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
        struct order_node *t = order_at(o, *link);
        uint64_t *all = t->all;
        for (uint32_t w = 0; w < o->words; w++) /* it is one more below this one */
            all[w] |= own[w];
        link = before(key, t->key) ? &t->left : &t->right;
    }
    struct order_node *m = order_at(o, member);
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
    struct order_key key = order_at(o, member)->key;
    uint32_t *link = root;
    while (*link != member) {
        assert(*link); /* it is in this set */
        path_add(p, link);
        struct order_node *t = order_at(o, *link);
        link = before(key, t->key) ? &t->left : &t->right;
    }
    path_add(p, link);
}

void order_del(struct order *o, uint32_t *root, uint32_t member)
{
    struct path p = { .n = 0 };
    find(o, root, member, &p);
    uint32_t *link = p.link[--p.n], l = order_at(o, member)->left, r = order_at(o, member)->right;
    int above = p.n;
    while (l && r) { /* join what was below it */
        if (heavier(l, r)) {
            *link = l;
            path_add(&p, link);
            link = &order_at(o, l)->right;
            l = *link;
        } else {
            *link = r;
            path_add(&p, link);
            link = &order_at(o, r)->left;
            r = *link;
        }
    }
    *link = l ? l : r;
    path_pull(o, &p, above);
}

bool order_stays(struct order *o, uint32_t root, uint32_t member, struct order_key key)
{
    struct order_node *m = order_at(o, member);
    for (uint32_t t = root; t != member;) { /* between whom it stands, above it ... */
        const struct order_node *n = order_at(o, t);
        assert(t);
        bool left = before(m->key, n->key);
        if (left != before(key, n->key))
            return false;
        t = left ? n->left : n->right;
    }
    uint32_t last = m->left, first = m->right; /* ... and below it */
    while (last && order_at(o, last)->right)
        last = order_at(o, last)->right;
    while (first && order_at(o, first)->left)
        first = order_at(o, first)->left;
    if ((last && before(key, order_at(o, last)->key)) || (first && before(order_at(o, first)->key, key)))
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
    order_at(o, root)->own = own(arg, root);
    order_refresh(o, order_at(o, root)->left, own, arg);
    order_refresh(o, order_at(o, root)->right, own, arg);
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
    if (!root || !hit(o, order_at(o, root)->all, mask))
        return 0;
    for (uint32_t t = root;;) { /* one of this tree has it */
        const struct order_node *n = order_at(o, t);
        if (n->left && hit(o, order_at(o, n->left)->all, mask))
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
    if (!root || !(order_at(o, root)->all[w] & b))
        return 0;
    for (uint32_t t = root;;) {
        const struct order_node *n = order_at(o, t);
        if (order_at(o, n->left)->all[w] & b)
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
    for (uint32_t t = root; t && (order_at(o, t)->all[w] & b);) {
        const struct order_node *n = order_at(o, t);
        if (!before(key, n->key)) {
            t = n->right;
            continue;
        }
        if ((n->own[w] & b) || (order_at(o, n->right)->all[w] & b))
            best = t;
        t = n->left;
    }
    if (!best || (order_at(o, best)->own[w] & b))
        return best;
    return order_first_bit(o, order_at(o, best)->right, bit);
}

uint32_t order_from(const struct order *o, uint32_t root, struct order_key key)
{
    uint32_t best = 0;
    for (uint32_t t = root; t;) {
        if (before(order_at(o, t)->key, key)) {
            t = order_at(o, t)->right;
        } else {
            best = t;
            t = order_at(o, t)->left;
        }
    }
    return best;
}
