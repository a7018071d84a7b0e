/* What the subscribers of the event stream asked for: a set of topic prefixes. The thread that owns the sockets changes
 * it, the publisher's thread asks; it locks itself. An XPUB socket reports only the first subscription and the last end
 * of each, so that a set is enough.
 *
 * The set is bounded: past TOPICS_MAX prefixes, or one longer than TOPIC_BYTES_MAX, everything counts as wanted from
 * then on: more is sent than need be (ZeroMQ still filters for each subscriber), but nobody misses anything and memory
 * stays where it is. */
#ifndef SUNLINE_BROKER_TOPICS_H
#define SUNLINE_BROKER_TOPICS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPICS_MAX 4096
#define TOPIC_BYTES_MAX 160 /* a stream's name, its last byte 0 and some */

struct topics;
struct topics *topics_new(void); /* NULL: no memory */
void topics_free(struct topics **t);
/* One message of an XPUB socket: byte 1 (subscribe) or 0 (no more), then the prefix. Anything else is not for us and
 * ignored. */
void topics_change(struct topics *t, const void *message, size_t n);
bool topics_any(struct topics *t);                                /* does anyone want anything? */
bool topics_wanted(struct topics *t, const char *topic, size_t n); /* is one of the prefixes a prefix of this topic? */
uint32_t topics_count(struct topics *t);
#endif
