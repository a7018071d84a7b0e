#include "worker-agent/link.h"
#include "proto/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

struct link {
    void *ctx, *socket;
    char *endpoint;
    zmq_msg_t body; /* the one handed out last */
    bool have_body;
};

static int open_socket(struct link *l)
{
    l->socket = zmq_socket(l->ctx, ZMQ_DEALER);
    if (!l->socket)
        return errno;
    int zero = 0, first_ms = 100, last_ms = 2000, beat_ms = 5000, gone_ms = 15000, depth = 4096;
    int six = strchr(l->endpoint, '[') != NULL;
    int64_t frame_max = SL_FRAME_BYTES_MAX;
    zmq_setsockopt(l->socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(l->socket, ZMQ_RECONNECT_IVL, &first_ms, sizeof first_ms); /* ZeroMQ adds its own jitter */
    zmq_setsockopt(l->socket, ZMQ_RECONNECT_IVL_MAX, &last_ms, sizeof last_ms);
    zmq_setsockopt(l->socket, ZMQ_HEARTBEAT_IVL, &beat_ms, sizeof beat_ms); /* finds half-open connections */
    zmq_setsockopt(l->socket, ZMQ_HEARTBEAT_TIMEOUT, &gone_ms, sizeof gone_ms);
    zmq_setsockopt(l->socket, ZMQ_SNDHWM, &depth, sizeof depth);
    zmq_setsockopt(l->socket, ZMQ_RCVHWM, &depth, sizeof depth);
    zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    zmq_setsockopt(l->socket, ZMQ_IPV6, &six, sizeof six);
    if (zmq_connect(l->socket, l->endpoint) == 0)
        return 0;
    int rc = errno;
    zmq_close(l->socket);
    l->socket = NULL;
    return rc;
}

struct link *link_open(void *ctx, const char *endpoint, char *text, size_t text_size)
{
    struct link *l = calloc(1, sizeof *l);
    if (l)
        l->endpoint = strdup(endpoint);
    int rc = ENOMEM;
    if (l && l->endpoint) {
        l->ctx = ctx;
        rc = open_socket(l);
    }
    if (rc == 0)
        return l;
    snprintf(text, text_size, "%s: %s", endpoint, zmq_strerror(rc));
    if (l)
        free(l->endpoint);
    free(l);
    return NULL;
}

static void drop_body(struct link *l)
{
    if (l->have_body)
        zmq_msg_close(&l->body);
    l->have_body = false;
}

int link_reopen(struct link *l)
{
    drop_body(l);
    if (l->socket)
        zmq_close(l->socket);
    return open_socket(l);
}

void link_close(struct link **lp, int linger_ms)
{
    struct link *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    drop_body(l);
    if (l->socket) {
        zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(l->socket);
    }
    free(l->endpoint);
    free(l);
}

void *link_socket(const struct link *l)
{
    return l->socket;
}

bool link_send(struct link *l, const void *p, size_t n)
{
    int rc;
    do
        rc = l->socket ? zmq_send(l->socket, p, n, ZMQ_DONTWAIT) : -1;
    while (rc < 0 && l->socket && errno == EINTR);
    return rc >= 0;
}

const char *link_receive(struct link *l, size_t *n)
{
    bool more_before = false;
    drop_body(l);
    while (l->socket) {
        zmq_msg_init(&l->body);
        if (zmq_msg_recv(&l->body, l->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&l->body);
            if (errno == EINTR)
                continue;
            return NULL;
        }
        bool more = zmq_msg_more(&l->body);
        if (!more && !more_before) {
            l->have_body = true;
            *n = zmq_msg_size(&l->body);
            return zmq_msg_data(&l->body);
        }
        zmq_msg_close(&l->body);
        more_before = more;
    }
    return NULL;
}
