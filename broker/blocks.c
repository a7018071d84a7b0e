/* Memory that travels between threads: see blocks.h.
 *
 * Given blocks are pushed onto one list; the taker takes that list as a whole and sorts it into its own, one a size. So nobody pops from a list that others
 * change, and no lock is needed. Neither list grows beyond BLOCKS_KEPT_BYTES_MAX: what comes on top is freed by whoever gives it. The owner counts as one who holds it, each block that is out as another: the last one frees all. */
#include "broker/blocks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define SIZES 11 /* 512 bytes, each twice the last: up to twice a frame; SIZES itself stands for larger ones */
#define SIZE_BYTES(i) ((size_t)512 << (i))

struct block {
    struct blocks *home;
    struct block *next;
    unsigned size;
    size_t bytes;
    struct block_note note;
    _Alignas(max_align_t) char p[];
};

struct blocks {
    _Atomic(struct block *) given;
    atomic_size_t given_bytes; /* of that list; may be told too large for a moment */
    atomic_size_t held;
    struct block *kept[SIZES]; /* the taker's */
    size_t kept_bytes;
};

struct blocks *blocks_new(void)
{
    struct blocks *b = calloc(1, sizeof *b);
    if (b) {
        atomic_init(&b->held, 1);
    }
    return b;
}

static void collect(struct blocks *b)
{
    for (struct block *k = atomic_exchange(&b->given, NULL), *next; k; k = next) {
        next = k->next;
        atomic_fetch_sub(&b->given_bytes, k->bytes);
        if (b->kept_bytes + k->bytes > BLOCKS_KEPT_BYTES_MAX) {
            free(k);
            continue;
        }
        b->kept_bytes += k->bytes;
        k->next = b->kept[k->size];
        b->kept[k->size] = k;
    }
}

static unsigned size_for(size_t n)
{
    unsigned size = 0;
    while (size < SIZES && SIZE_BYTES(size) < n) {
        size++;
    }
    return size;
}

size_t blocks_bytes_for(size_t n)
{
    unsigned size = size_for(n);
    return sizeof(struct block) + (size < SIZES ? SIZE_BYTES(size) : n);
}

void *blocks_take(struct blocks *b, size_t n)
{
    unsigned size = size_for(n);
    if (size == SIZES || !b->kept[size]) {
        collect(b);
    }
    struct block *k = size < SIZES ? b->kept[size] : NULL;
    if (k) {
        b->kept[size] = k->next;
        b->kept_bytes -= k->bytes;
    } else if (!(k = malloc(blocks_bytes_for(n)))) {
        return NULL;
    }
    k->home = b;
    k->size = size;
    k->bytes = blocks_bytes_for(n);
    atomic_fetch_add(&b->held, 1);
    return k->p;
}

static struct block *block_of(void *p)
{
    return (struct block *)((char *)p - offsetof(struct block, p));
}

size_t blocks_bytes(void *p)
{
    return block_of(p)->bytes;
}

struct block_note *blocks_note(void *p)
{
    return &block_of(p)->note;
}

static void let_go(struct blocks *b)
{
    if (atomic_fetch_sub(&b->held, 1) > 1) {
        return;
    }
    collect(b);
    for (unsigned i = 0; i < SIZES; i++) {
        for (struct block *k = b->kept[i], *next; k; k = next) {
            next = k->next;
            free(k);
        }
    }
    free(b);
}

void blocks_give(void *p)
{
    struct block *k = block_of(p);
    struct blocks *b = k->home;
    if (k->size == SIZES || atomic_fetch_add(&b->given_bytes, k->bytes) + k->bytes > BLOCKS_KEPT_BYTES_MAX) {
        if (k->size < SIZES) {
            atomic_fetch_sub(&b->given_bytes, k->bytes);
        }
        free(k);
    } else {
        k->next = atomic_load(&b->given);
        while (!atomic_compare_exchange_weak(&b->given, &k->next, k)) {}
    }
    let_go(b);
}

void blocks_free(struct blocks **b)
{
    if (*b) {
        let_go(*b);
        *b = NULL;
    }
}
