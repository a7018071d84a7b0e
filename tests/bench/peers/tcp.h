/* A buffered TCP connection for peers with a text protocol, or with frames that are simple enough to write by hand: so a whole window goes out
 * with one system call. Ends the process when the connection does. */
#ifndef TESTS_BENCH_PEERS_TCP_H
#define TESTS_BENCH_PEERS_TCP_H
#include <stdbool.h>
#include <stddef.h>

struct tcp {
    int fd;
    char *in, *out;
    size_t in_at, in_n, in_cap, out_n;
};
#define TCP_OUT_BYTES (1u << 20)

void tcp_open(struct tcp *c, const char *host, int port);
void tcp_wrap(struct tcp *c, int fd);    /* a connection that a library has made */
char *tcp_room(struct tcp *c, size_t n); /* n bytes at the end of what goes out */
void tcp_add(struct tcp *c, const void *p, size_t n);
void tcp_text(struct tcp *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tcp_flush(struct tcp *c);
void tcp_fill(struct tcp *c); /* take in what the socket holds now; waits for nothing */
/* Input that is there already, or (wait) that comes. NULL only without wait. Valid until the next call. */
char *tcp_line(struct tcp *c, bool wait);            /* up to CRLF, which is cut off */
char *tcp_bytes(struct tcp *c, size_t n, bool wait); /* exactly n */
char *tcp_peek(struct tcp *c, size_t n, bool wait);  /* the next n, which stay */
#endif
