/* The connections of one socket, watched from outside, for two things that ZeroMQ 4.3.4 does not bound:
 *
 * - A multipart message is kept in memory until its last part has come, and no limit counts its parts: an endless one
 *   would take all there is, unseen by whoever receives. So the bytes that the kernel took in on a connection are
 *   compared with what was delivered from it: a connection that has brought more than a limit since its last message came
 *   through is cut. (TCP only: who may open an ipc socket is the broker's own user.)
 * - When file descriptors run out, the listener cannot accept and is called again and again. So connections above a
 *   limit are cut as soon as they come; those that were there before go on.
 *
 * A cut is shutdown(2): ZeroMQ sees the end of the connection, forgets it, and frees what it held. One thread. */
#ifndef SUNLINE_BROKER_CONNECTIONS_H
#define SUNLINE_BROKER_CONNECTIONS_H
#include <stdint.h>

/* Above what an honest peer can have under way: the receive queue's high-water mark times the largest frame, and the
 * kernel's buffer. */
#define CONNECTION_STUCK_BYTES_MAX (64u << 20)

struct connections;
/* Watch a socket, before it is bound. `name` goes into an inproc address: unique in the context. NULL with errno. */
struct connections *connections_new(void *context, void *socket, const char *name, uint32_t connections_max,
                                    uint64_t stuck_bytes_max);
void connections_free(struct connections **c);             /* before the watched socket is closed */
void connections_delivered(struct connections *c, int fd); /* a message came through; fd -1 (unknown) is ignored */
/* Take in who came and left, and now and then look at what they have brought. Returns how many connections were cut;
 * *fd and *bytes tell of the last one (bytes 0: it was one too many). */
uint32_t connections_watch(struct connections *c, int64_t now_us, int *fd, uint64_t *bytes);
int connections_fd(const struct connections *c); /* to poll: readable when somebody may have come or left ... */
void connections_news(struct connections *c);    /* ... and then the next watch asks who */
uint32_t connections_count(const struct connections *c);
#endif
