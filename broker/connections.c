/* Connections, watched from outside: see connections.h. */
#include "broker/connections.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h> /* the C library's own has not got tcpi_bytes_received yet */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#define LOOK_EVERY_US 100000       /* at what they have brought ... */
#define LOOK_PER_CONNECTION_US 100 /* ... less often if there are many: at most about one percent of a processor */
#define IDLE_BYTES_PER_S 1024      /* heartbeats are no messages: so much may come all the time */

struct connection {
    bool open, delivered; /* delivered: since the last look */
    uint64_t taken_bytes; /* by the kernel, at the last look */
    uint64_t stuck_bytes; /* since a message came through */
};

struct connections {
    void *socket, *monitor;
    int fd;    /* the monitor's */
    bool news; /* it has to be asked */
    uint32_t count, count_max;
    uint64_t stuck_bytes_max;
    int64_t looked_us;
    int high; /* no open fd is at or above */
    int capacity;
    struct connection *v; /* by fd */
};

struct connections *connections_new(void *context, void *socket, const char *name, uint32_t connections_max,
                                    uint64_t stuck_bytes_max)
{
    char address[64];
    int unlimited = 0;
    struct connections *c = calloc(1, sizeof *c);
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    c->count_max = connections_max;
    c->stuck_bytes_max = stuck_bytes_max;
    snprintf(address, sizeof address, "inproc://connections-%s", name);
    c->monitor = zmq_socket(context, ZMQ_PAIR);
    /* ZeroMQ's own thread writes the events, and would wait if there were no room. */
    if (!c->monitor || zmq_setsockopt(c->monitor, ZMQ_RCVHWM, &unlimited, sizeof unlimited) < 0 ||
        zmq_socket_monitor(socket, address, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED) < 0) {
        connections_free(&c);
        return NULL;
    }
    c->socket = socket;
    size_t n = sizeof c->fd;
    if (zmq_connect(c->monitor, address) < 0 || zmq_getsockopt(c->monitor, ZMQ_FD, &c->fd, &n) < 0) {
        connections_free(&c);
        return NULL;
    }
    c->news = true;
    return c;
}

void connections_free(struct connections **cc)
{
    struct connections *c = *cc;
    if (!c) {
        return;
    }
    int why = errno;
    if (c->socket) {
        zmq_socket_monitor(c->socket, NULL, 0);
    }
    if (c->monitor) {
        zmq_close(c->monitor);
    }
    free(c->v);
    free(c);
    *cc = NULL;
    errno = why;
}

static struct connection *at(struct connections *c, int fd)
{
    return fd >= 0 && fd < c->high && c->v[fd].open ? &c->v[fd] : NULL;
}

void connections_delivered(struct connections *c, int fd)
{
    struct connection *e = at(c, fd);
    if (e) {
        e->delivered = true;
    }
}

static void forget(struct connections *c, int fd)
{
    if (at(c, fd)) {
        c->v[fd].open = false;
        c->count--;
        while (c->high > 0 && !c->v[c->high - 1].open) {
            c->high--;
        }
    }
}

static bool add(struct connections *c, int fd)
{
    if (fd >= c->capacity) {
        int capacity = c->capacity ? c->capacity : 64;
        while (capacity <= fd) {
            capacity *= 2;
        }
        struct connection *v = realloc(c->v, (size_t)capacity * sizeof *v);
        if (!v) {
            return false;
        }
        memset(v + c->capacity, 0, (size_t)(capacity - c->capacity) * sizeof *v);
        c->v = v;
        c->capacity = capacity;
    }
    forget(c, fd); /* its end was not reported */
    c->v[fd] = (struct connection){ .open = true };
    c->count++;
    if (fd >= c->high) {
        c->high = fd + 1;
    }
    return true;
}

/* One event: a frame of number (16 bits) and value (32 bits), and one with the address. */
static bool next_event(struct connections *c, uint16_t *event, int *fd)
{
    uint8_t frame[6];
    char address[256];
    int32_t value;
    int n;
    while ((n = zmq_recv(c->monitor, frame, sizeof frame, ZMQ_DONTWAIT)) < 0 && errno == EINTR) {}
    if (n < 0) {
        return false;
    }
    assert(n == (int)sizeof frame);
    memcpy(event, frame, 2);
    memcpy(&value, frame + 2, 4);
    *fd = value;
    while (zmq_recv(c->monitor, address, sizeof address, ZMQ_DONTWAIT) < 0 && errno == EINTR) {}
    return true;
}

/* What the kernel has taken in on this connection. False: it is none of TCP, or gone. */
static bool taken_bytes(int fd, uint64_t *bytes)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ||
        n < offsetof(struct tcp_info, tcpi_bytes_received) + 8) {
        return false;
    }
    *bytes = info.tcpi_bytes_received;
    return true;
}

static uint32_t look(struct connections *c, int64_t since_us, int *cut_fd, uint64_t *cut_bytes)
{
    uint32_t cut = 0;
    uint64_t idle_bytes = (uint64_t)since_us * IDLE_BYTES_PER_S / 1000000;
    for (int fd = 0; fd < c->high; fd++) {
        struct connection *e = &c->v[fd];
        uint64_t taken;
        if (!e->open || !taken_bytes(fd, &taken)) {
            continue;
        }
        if (e->delivered || taken < e->taken_bytes) { /* less than before: another connection has this fd now */
            e->stuck_bytes = 0;
        } else {
            e->stuck_bytes += taken - e->taken_bytes;
            e->stuck_bytes -= e->stuck_bytes < idle_bytes ? e->stuck_bytes : idle_bytes;
        }
        e->delivered = false;
        e->taken_bytes = taken;
        if (e->stuck_bytes > c->stuck_bytes_max) {
            shutdown(fd, SHUT_RDWR);
            *cut_fd = fd;
            *cut_bytes = e->stuck_bytes;
            e->stuck_bytes = 0;
            cut++;
        }
    }
    return cut;
}

uint32_t connections_watch(struct connections *c, int64_t now_us, int *fd, uint64_t *bytes)
{
    uint16_t event;
    int event_fd;
    uint32_t cut = 0;
    while (c->news && (c->news = next_event(c, &event, &event_fd))) {
        if (event != ZMQ_EVENT_ACCEPTED) {
            forget(c, event_fd);
        } else if (!add(c, event_fd) || c->count > c->count_max) {
            shutdown(event_fd, SHUT_RDWR);
            *fd = event_fd;
            *bytes = 0;
            cut++;
        }
    }
    int64_t every_us = LOOK_EVERY_US + (int64_t)c->count * LOOK_PER_CONNECTION_US;
    if (now_us - c->looked_us >= every_us) {
        cut += look(c, now_us - c->looked_us, fd, bytes);
        c->looked_us = now_us;
    }
    return cut;
}

int connections_fd(const struct connections *c)
{
    return c->fd;
}

void connections_news(struct connections *c)
{
    c->news = true;
}

uint32_t connections_count(const struct connections *c)
{
    return c->count;
}
