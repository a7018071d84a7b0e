/* See tcp.h. */
#include "tests/bench/peers/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/common.h"

#define IN_BYTES (1u << 20)

void tcp_wrap(struct tcp *c, int fd)
{
    int one = 1;
    *c = (struct tcp){ .fd = fd, .in = malloc(IN_BYTES), .out = malloc(TCP_OUT_BYTES), .in_cap = IN_BYTES };
    if (!c->in || !c->out)
        die("no memory");
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void tcp_open(struct tcp *c, const char *host, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("cannot connect to %s:%d: %s", host, port, strerror(errno));
    tcp_wrap(c, fd);
}

void tcp_flush(struct tcp *c)
{
    for (size_t at = 0; at < c->out_n;) {
        ssize_t n = send(c->fd, c->out + at, c->out_n - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            die("cannot send: %s", strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    c->out_n = 0;
}

char *tcp_room(struct tcp *c, size_t n)
{
    if (c->out_n + n > TCP_OUT_BYTES)
        tcp_flush(c);
    if (n > TCP_OUT_BYTES)
        die("a request of %zu bytes", n);
    c->out_n += n;
    return c->out + c->out_n - n;
}

void tcp_add(struct tcp *c, const void *p, size_t n)
{
    memcpy(tcp_room(c, n), p, n);
}

void tcp_text(struct tcp *c, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text)
        die("a command that is too long");
    tcp_add(c, text, (size_t)n);
}

static void read_more(struct tcp *c, int flags)
{
    if (c->in_at == c->in_n)
        c->in_at = c->in_n = 0;
    if (c->in_n == c->in_cap) {
        memmove(c->in, c->in + c->in_at, c->in_n - c->in_at);
        c->in_n -= c->in_at;
        c->in_at = 0;
    }
    if (c->in_n == c->in_cap)
        die("an answer that is too long");
    ssize_t n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, flags);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        die("the connection ended");
    c->in_n += n > 0 ? (size_t)n : 0;
}

void tcp_fill(struct tcp *c)
{
    read_more(c, MSG_DONTWAIT);
}

char *tcp_peek(struct tcp *c, size_t n, bool wait)
{
    while (c->in_n - c->in_at < n) {
        if (!wait)
            return NULL;
        read_more(c, 0);
    }
    return c->in + c->in_at;
}

char *tcp_bytes(struct tcp *c, size_t n, bool wait)
{
    char *p = tcp_peek(c, n, wait);
    if (p)
        c->in_at += n;
    return p;
}

char *tcp_line(struct tcp *c, bool wait)
{
    for (;;) {
        char *from = c->in + c->in_at, *end = memmem(from, c->in_n - c->in_at, "\r\n", 2);
        if (end) {
            *end = 0;
            c->in_at += (size_t)(end - from) + 2;
            return from;
        }
        if (!wait)
            return NULL;
        read_more(c, 0);
    }
}
