/* The link to the broker: one DEALER socket. Bytes only; what they mean the core knows. ZeroMQ connects and reconnects
 * below by itself; the core
 * asks for a new socket (link_reopen) when the silence lasts, so that nothing stale waits in an old one. */
#ifndef SUNLINE_AGENT_LINK_H
#define SUNLINE_AGENT_LINK_H
#include <stdbool.h>
#include <stddef.h>

struct link;
/* ctx: a ZeroMQ context that outlives the link. endpoint is copied. NULL with a sentence in text. */
struct link *link_open(void *ctx, const char *endpoint, char *text, size_t text_size);
int link_reopen(struct link *l); /* a new socket; what waits in the old one is dropped. 0 or an errno */
void link_close(struct link **l, int linger_ms); /* last frames get linger_ms to leave; safe to repeat */
void *link_socket(const struct link *l); /* for zmq_poll */
/* never blocks; false: dropped (the core sends it again when nothing is heard of it) */
bool link_send(struct link *l, const void *p, size_t n);
/* The next body that has arrived: NULL if none. Borrowed until the next call. Messages of several frames are passed
 * over. */
const char *link_receive(struct link *l, size_t *n);
#endif
