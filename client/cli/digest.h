/* SHA-256 of what comes in pieces. libgcrypt's, which uses the processor's instructions for it: GLib's, in plain C, took
 * longer than everything else that an import does with a file. It is made on a thread of its own. */
#ifndef SUNLINE_CLI_DIGEST_H
#define SUNLINE_CLI_DIGEST_H
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

struct digest;
struct digest *digest_new(void); /* NULL: out of memory */
void digest_add(struct digest *d, const void *p, size_t n);
void digest_get(struct digest *d, uint8_t out[DIGEST_BYTES]); /* of all that was added; nothing can be added then */
void digest_free(struct digest **d);                          /* safe to repeat */
#endif
