/* Rows that were checked, kept until they are put: so that a file is parsed once, though nothing of it may be put before
 * its last row was looked at. Memory for KEPT_BLOCK_BYTES, the rest goes to a file that vanishes with us, in $TMPDIR or
 * /var/tmp. They come out in the order in which they went in, as often as they are wanted. */
#ifndef SUNLINE_CLI_KEPT_H
#define SUNLINE_CLI_KEPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEPT_BLOCK_BYTES (1024 * 1024)

struct kept;
struct kept *kept_new(void); /* NULL: out of memory */
void kept_free(struct kept **k); /* safe to repeat */

/* A row of at most SL_UNIT_BYTES_MAX bytes, with a number of the caller's. False: it cannot be kept, errno says why, and
 * what was kept is of no use. Not after kept_rewind. */
bool kept_add(struct kept *k, uint64_t number, const void *p, size_t n);
uint64_t kept_bytes(const struct kept *k);

bool kept_rewind(struct kept *k); /* the next one is the first. False as above */
enum kept_rc { KEPT_ROW, KEPT_END, KEPT_FAILED }; /* FAILED: errno says why */
enum kept_rc kept_next(struct kept *k, uint64_t *number, const char **p, size_t *n); /* borrowed until the next call */
#endif
