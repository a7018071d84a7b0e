/* A hash table from nonzero 64-bit numbers to pointers: open addressing, linear probing, deletion by shifting back, so
 * that it never
 * fills up with graves. Nothing takes its order from it: whoever needs an order keeps a list or a sorted array beside.
 * */
#ifndef SUNLINE_AGENT_U64MAP_H
#define SUNLINE_AGENT_U64MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct u64map { uint64_t *keys; void **values; size_t cap, count; }; /* start from {0}; cap is a power of two */

void *u64map_get(const struct u64map *m, uint64_t key);           /* NULL: not there */
bool u64map_put(struct u64map *m, uint64_t key, void *value);     /* replaces; false: no memory, nothing changed */
void *u64map_del(struct u64map *m, uint64_t key);                 /* what was there, or NULL */
void u64map_free(struct u64map *m);                               /* frees the table, not the values; safe to repeat */
#endif
