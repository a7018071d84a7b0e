/* An ordered set that finds the first member which has one of some bits: a treap whose nodes also know the union of the bits below them.
 *
 * Matching asks it twice: among the workers who are idle, the first who fits this station; among the runs that have work, the first that has work for
 * somebody who is idle. All operations cost O(words * log members); with one bit asked for, finding costs O(log members).
 *
 * Members are numbers from 1, chosen by the caller, and lie in one array; several sets (roots) may share it as long as each member is in one
 * of them at most. Keys are unique and decide the order; the shape of the tree comes from the numbers and decides nothing. */
#ifndef SUNLINE_ORDER_H
#define SUNLINE_ORDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order_key { uint64_t hi, lo; };
/* What a walk reads of a node lies in one line of a processor's cache, up to four words of bits. */
struct order_node { struct order_key key; uint32_t left, right; const uint64_t *own; uint64_t all[]; }; /* all: the bits of the node and of those below it */
struct order {
    char *nodes;         /* the first one: no one, with no bits */
    uint32_t cap, words; /* words of 64 bits of a member */
    size_t node_bytes;
};
static inline struct order_node *order_at(const struct order *o, uint32_t n) { return (struct order_node *)(o->nodes + n * o->node_bytes); }

/* Room for members 1..last, each with so many words. May be called again with more of either; with more words the caller must give all members'
 * `own` anew by order_refresh. False: out of memory, and nothing changed. */
bool order_room(struct order *o, uint32_t last, uint32_t words);
void order_free(struct order *o);

/* Put in a member that is in no set. `own` are its bits; it stays the caller's and must stay where it is while the member is in. */
void order_put(struct order *o, uint32_t *root, uint32_t member, struct order_key key, const uint64_t *own);
void order_del(struct order *o, uint32_t *root, uint32_t member); /* it must be in this set */
/* It has another key from here on, if that leaves it between the same neighbours. False: nothing has changed. */
bool order_stays(struct order *o, uint32_t root, uint32_t member, struct order_key key);
void order_changed(struct order *o, uint32_t root, uint32_t member); /* its own bits changed in place */
/* All members' bits changed, or moved: own(arg, member) tells where they are now. O(members * words). */
void order_refresh(struct order *o, uint32_t root, const uint64_t *(*own)(void *arg, uint32_t member), void *arg);

/* The bits that any member has: `words` words. */
static inline const uint64_t *order_union(const struct order *o, uint32_t root) { return order_at(o, root)->all; }
uint32_t order_first(const struct order *o, uint32_t root, const uint64_t *mask); /* the first that has one of these bits; 0: none */
uint32_t order_first_bit(const struct order *o, uint32_t root, uint32_t bit);
uint32_t order_after_bit(const struct order *o, uint32_t root, struct order_key key, uint32_t bit); /* the first behind this key */
uint32_t order_from(const struct order *o, uint32_t root, struct order_key key); /* the first at this key or behind it, whatever its bits */
#endif
