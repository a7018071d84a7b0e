/* Segments of values: what UNIT and RESULT hold. A segment has a first number and holds n values that follow it; a value that is larger than a
 * segment has one of its own, cut into pieces. Key: a prefix, the first number u64, the piece u16.
 *
 *   piece 0:  run u32, n u16, bytes u32 (of all values together), n end offsets u16 (only if n > 1), the values
 *   others:   the bytes that go on
 *
 * Works on a transaction alone, so the engine and the readers share it. */
#ifndef SUNLINE_ENGINE_BLOB_H
#define SUNLINE_ENGINE_BLOB_H
#include "broker/store/store.h"
#include "proto/codec.h"

#define BLOB_HEAD_BYTES 10
struct blob { uint32_t run, n; uint64_t first; const uint8_t *ends, *body; size_t bytes; };

#define BLOB_VALUES_MAX 512
/* Write a segment of n values, each of `parts` parts that lie side by side in `part`. */
enum store_rc blob_put(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n, uint32_t run, uint64_t first,
                       uint32_t n, const struct store_val *part, uint32_t parts);
/* Find the segment that holds `number`. Borrowed from the map, or from `scratch` where it was cut. NOT_FOUND: there is none. */
enum store_rc blob_find(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n, uint64_t number,
                        struct slp_buf *scratch, struct blob *b);
/* The same for one value, in the pieces in which it lies in the map: each is told. If it has neighbours, *b is as blob_find leaves it, else only its n is good. */
enum store_rc blob_pieces(struct store_txn *t, enum store_table tb, const uint8_t *prefix, size_t prefix_n, uint64_t number, struct blob *b,
                          void (*piece)(void *arg, const void *p, size_t n), void *arg);
struct slp_bytes blob_value(const struct blob *b, uint64_t number);
#endif
