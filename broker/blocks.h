/* Blocks of memory that one thread takes and any thread gives back: the bytes of frames on their way out, which ZeroMQ's own threads let go when they are
 * sent. What came back is used again, so that sending allocates nothing once it has run for a while; a little is kept (at most twice BLOCKS_KEPT_BYTES_MAX), the rest is freed. */
#ifndef SUNLINE_BROKER_BLOCKS_H
#define SUNLINE_BROKER_BLOCKS_H
#include <stddef.h>
#include <stdint.h>

#define BLOCKS_KEPT_BYTES_MAX (4u << 20)

struct blocks;
struct blocks *blocks_new(void);               /* NULL: no memory */
void blocks_free(struct blocks **b);           /* blocks that are still out stay good until they are given back */
void *blocks_take(struct blocks *b, size_t n); /* NULL: no memory. Always the same thread */
void blocks_give(void *p);                     /* any thread */
size_t blocks_bytes(void *p);                  /* memory that it takes: blocks come in sizes, so mostly more than was asked for */
size_t blocks_bytes_for(size_t n);             /* the same of a block for n bytes */

/* Beside a block, for whoever holds it. */
struct block_note {
    void *who[2];
    uint64_t bytes;
};
struct block_note *blocks_note(void *p);
#endif
