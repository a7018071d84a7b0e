/* The socket of a handle, and what its monitor tells. IMMEDIATE makes the socket take a message only while a link
 * stands: so nothing waits in a queue that we cannot see, and what was not answered when a link is lost is exactly
 * what has to be sent again. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "client/internal.h"

#define MONITOR "inproc://monitor" /* each handle has a context of its own */
#define STOP_LOOK_US 250000        /* stop() is asked at least this often */

int64_t sl__now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int set(void *sock, int option, int value)
{
    return zmq_setsockopt(sock, option, &value, sizeof value);
}

static int set_up(struct sl *sl)
{
    int64_t max_bytes = SL_FRAME_BYTES_MAX;
    if (set(sl->sock, ZMQ_LINGER, 0) || set(sl->sock, ZMQ_IMMEDIATE, 1) || set(sl->sock, ZMQ_SNDHWM, 1024) ||
        set(sl->sock, ZMQ_RCVHWM, 16384) || set(sl->sock, ZMQ_RECONNECT_IVL, 50) ||
        set(sl->sock, ZMQ_RECONNECT_IVL_MAX, 2000) || set(sl->sock, ZMQ_HEARTBEAT_IVL, 2000) ||
        set(sl->sock, ZMQ_HEARTBEAT_TIMEOUT, 6000) || set(sl->sock, ZMQ_CONNECT_TIMEOUT, 5000) ||
        set(sl->sock, ZMQ_IPV6, strchr(sl->o.endpoint, '[') != NULL) ||
        zmq_setsockopt(sl->sock, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes))
        return -1;
    if (zmq_socket_monitor(sl->sock, MONITOR, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0)
        return -1;
    return set(sl->monitor, ZMQ_LINGER, 0) || zmq_connect(sl->monitor, MONITOR) || zmq_connect(sl->sock, sl->o.endpoint)
               ? -1
               : 0;
}

int sl__link_open(struct sl *sl)
{
    sl->ctx = zmq_ctx_new();
    if (!sl->ctx)
        return SL_NO_MEMORY;
    sl->sock = zmq_socket(sl->ctx, ZMQ_DEALER);
    sl->monitor = zmq_socket(sl->ctx, ZMQ_PAIR);
    if (!sl->sock || !sl->monitor || set_up(sl) != 0) {
        int code = errno == ENOMEM ? SL_NO_MEMORY : SL_SYSTEM;
        sl__link_close(sl);
        return code;
    }
    return SL_OK;
}

void sl__link_close(struct sl *sl)
{
    if (sl->sock)
        zmq_socket_monitor(sl->sock, NULL, 0);
    if (sl->monitor)
        zmq_close(sl->monitor);
    if (sl->sock)
        zmq_close(sl->sock);
    if (sl->ctx)
        while (zmq_ctx_term(sl->ctx) != 0 && errno == EINTR)
            continue;
    sl->ctx = sl->sock = sl->monitor = NULL;
    sl->up = false;
}

int sl__link_send(struct sl *sl, const struct slp_buf *b)
{
    /* Right after a loss the socket may still take a message for the dying link, where nobody would miss it. */
    if (!sl->up)
        return 0;
    zmq_msg_t m;
    if (zmq_msg_init_size(&m, b->n) != 0)
        return -1;
    memcpy(zmq_msg_data(&m), b->p, b->n);
    int rc;
    while ((rc = zmq_msg_send(&m, sl->sock, ZMQ_DONTWAIT)) < 0 && errno == EINTR)
        continue;
    if (rc >= 0)
        return 1;
    int why = errno;
    zmq_msg_close(&m);
    return why == ENOMEM ? -1 : 0;
}

/* The broker's messages have one frame. Parts of anything else are read and dropped. */
int sl__link_recv(struct sl *sl, zmq_msg_t *m)
{
    int rc;
    while ((rc = zmq_msg_recv(m, sl->sock, ZMQ_DONTWAIT)) < 0 && errno == EINTR)
        continue;
    if (rc < 0)
        return 0;
    if (!zmq_msg_more(m))
        return 1;
    do
        rc = zmq_msg_recv(m, sl->sock, 0); /* all parts arrive together */
    while (rc >= 0 && zmq_msg_more(m));
    zmq_msg_close(m);
    zmq_msg_init(m); /* an empty frame: undecodable, so nobody's answer */
    return 1;
}

void sl__link_watch(struct sl *sl)
{
    for (;;) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, sl->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return;
        }
        uint16_t event = 0;
        if (zmq_msg_size(&m) >= sizeof event)
            memcpy(&event, zmq_msg_data(&m), sizeof event);
        bool more = zmq_msg_more(&m);
        zmq_msg_close(&m);
        while (more) { /* the address */
            zmq_msg_init(&m);
            more = zmq_msg_recv(&m, sl->monitor, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&m);
            zmq_msg_close(&m);
        }
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            sl->up = true;
        else if (event == ZMQ_EVENT_DISCONNECTED && sl->up) {
            sl->up = false;
            sl->losses++;
            sl->ended = sl->ended || sl->o.no_reconnect;
        }
    }
}

void sl__link_sleep(struct sl *sl, bool want_out, void *also, int64_t until_us)
{
    int64_t left_us = until_us - sl__now_us();
    if (left_us < 0)
        left_us = 0;
    if (left_us > STOP_LOOK_US)
        left_us = STOP_LOOK_US;
    zmq_pollitem_t items[] = {
        { .socket = sl->sock, .events = (short)(ZMQ_POLLIN | (want_out && sl->up ? ZMQ_POLLOUT : 0)) },
        { .socket = sl->monitor, .events = ZMQ_POLLIN },
        { .socket = also, .events = ZMQ_POLLIN },
    };
    zmq_poll(items, also ? 3 : 2, (long)((left_us + 999) / 1000)); /* EINTR: the caller looks at stop() anyway */
}
