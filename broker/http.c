/* The HTTP endpoint: see http.h. */
#include "broker/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "proto/codec.h"
#include "proto/metrics.h"

#define CONNECTIONS_MAX 16
#define CONNECTION_BYTES (32u << 10)
#define CONNECTION_TIMEOUT_S 10
#define ANSWER_MS 2000 /* the broker gets so long */
#define LOOK_MS 100    /* how soon a wait ends when the broker stops */
#define FRESH_MS 1000  /* an answer serves all who ask within this */

struct http {
    struct MHD_Daemon *daemon;
    void *context, *socket;
    char clients[ENDPOINT_BYTES_MAX], endpoint[ENDPOINT_BYTES_MAX];
    /* of libmicrohttpd's thread, the only one that handles requests */
    uint64_t request;
    int64_t asked_ms;
    bool well;
    atomic_bool stopping;
    struct slp_buf scratch, text;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- asking the broker ---- */

static bool connected(struct http *h)
{
    int linger = 0, six = strchr(h->clients, '[') != NULL;
    int64_t bytes_max = SL_FRAME_BYTES_MAX;
    if (h->socket) {
        return true;
    }
    h->socket = zmq_socket(h->context, ZMQ_DEALER);
    if (!h->socket) {
        return false;
    }
    zmq_setsockopt(h->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(h->socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    zmq_setsockopt(h->socket, ZMQ_IPV6, &six, sizeof six);
    if (zmq_connect(h->socket, h->clients) == 0) {
        return true;
    }
    zmq_close(h->socket);
    h->socket = NULL;
    return false;
}

/* The answer to this request, its text made; answers to older ones are passed over. */
static bool take_answer(struct http *h, int64_t until_ms)
{
    for (int64_t left; (left = until_ms - now_ms()) > 0 && !atomic_load(&h->stopping);) {
        zmq_pollitem_t item = { .socket = h->socket, .events = ZMQ_POLLIN };
        zmq_msg_t m;
        struct slp_msg msg;
        struct slp_fault fault;
        if (zmq_poll(&item, 1, left < LOOK_MS ? (long)left : LOOK_MS) <= 0) {
            continue;
        }
        zmq_msg_init(&m);
        bool good = zmq_msg_recv(&m, h->socket, ZMQ_DONTWAIT) >= 0 &&
                    slp_decode(zmq_msg_data(&m), zmq_msg_size(&m), SLP_B2C, &msg, &fault) == 0 && msg.id == h->request;
        bool done = good && msg.type == SLP_STATS;
        if (done) {
            slp_buf_clear(&h->text);
            done = metrics_text(msg.u.stats.figures, &h->text) == 0 && !h->text.failed;
        }
        zmq_msg_close(&m);
        if (good) {
            return done;
        }
    }
    return false;
}

static void ask(struct http *h)
{
    struct slp_stats_get q = { .has = 0 };
    if (h->asked_ms && now_ms() - h->asked_ms < FRESH_MS) {
        return;
    }
    slp_buf_clear(&h->scratch);
    h->well = connected(h) && slp_encode(&h->scratch, SLP_STATS_GET, ++h->request, &q) == 0 &&
              zmq_send(h->socket, h->scratch.p, h->scratch.n, ZMQ_DONTWAIT) >= 0 &&
              take_answer(h, now_ms() + ANSWER_MS);
    h->asked_ms = now_ms();
}

/* ---- answering ---- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, const char *p, size_t n)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)p, MHD_RESPMEM_MUST_COPY);
    if (!r) {
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result plain(struct MHD_Connection *c, unsigned status, const char *text)
{
    return reply(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_n, void **state)
{
    static int seen; /* its address only */
    struct http *h = arg;
    (void)version;
    (void)body;
    if (!*state) { /* the headers are here; answered when the rest is, too */
        *state = &seen;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        if (*body_n) {
            *body_n = 0; /* nobody reads it */
            return MHD_YES;
        }
        return plain(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    }
    bool metrics = strcmp(url, "/metrics") == 0;
    if (!metrics && strcmp(url, "/healthz") != 0) {
        return plain(c, MHD_HTTP_NOT_FOUND, "/metrics or /healthz\n");
    }
    ask(h);
    if (!h->well) {
        return plain(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the broker does not answer\n");
    }
    return metrics ? reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", h->text.p, h->text.n)
                   : plain(c, MHD_HTTP_OK, "ok\n");
}

/* ---- life ---- */

/* "tcp://127.0.0.1:7780", "tcp://[::1]:*" */
static bool parse(const char *address, struct sockaddr_storage *to, socklen_t *n)
{
    char host[64];
    const char *colon = strrchr(address, ':'), *at = address + strlen("tcp://");
    if (strncmp(address, "tcp://", strlen("tcp://")) != 0 || !colon || colon <= at ||
        (size_t)(colon - at) >= sizeof host) {
        return false;
    }
    bool six = *at == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - at) - 2 * six, at + six);
    uint16_t port = htons((uint16_t)(colon[1] == '*' ? 0 : atoi(colon + 1)));
    memset(to, 0, sizeof *to);
    if (six) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)to;
        *n = sizeof *a;
        a->sin6_family = AF_INET6;
        a->sin6_port = port;
        return inet_pton(AF_INET6, host, &a->sin6_addr) == 1;
    }
    struct sockaddr_in *a = (struct sockaddr_in *)to;
    *n = sizeof *a;
    a->sin_family = AF_INET;
    a->sin_port = port;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a->sin_addr) == 1;
}

int http_start(struct http **out, const char *address, const char *clients, char *text, size_t text_size)
{
    struct sockaddr_storage where;
    socklen_t n;
    *out = NULL;
    if (!parse(address, &where, &n)) {
        snprintf(text, text_size, "http: '%s' must be tcp://ADDRESS:PORT with an address in numbers", address);
        return -1;
    }
    struct http *h = calloc(1, sizeof *h);
    if (!h || !(h->context = zmq_ctx_new())) {
        free(h);
        snprintf(text, text_size, "http: out of memory");
        return -1;
    }
    snprintf(h->clients, sizeof h->clients, "%s", clients);
    h->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | (where.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0, NULL,
        NULL, handle, h, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    if (!h->daemon) {
        snprintf(text, text_size, "http: %s cannot be served: is the port taken?", address);
        http_stop(&h);
        return -1;
    }
    const char *end = strrchr(address, ':');
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const char *host = address + strlen("tcp://");
    snprintf(h->endpoint, sizeof h->endpoint, "http://%.*s:%u", (int)(end - host), host, info ? info->port : 0);
    *out = h;
    return 0;
}

void http_stop(struct http **hh)
{
    struct http *h = *hh;
    if (!h) {
        return;
    }
    atomic_store(&h->stopping, true);
    if (h->daemon) {
        MHD_stop_daemon(h->daemon);
    }
    if (h->socket) {
        zmq_close(h->socket);
    }
    zmq_ctx_term(h->context);
    slp_buf_free(&h->scratch);
    slp_buf_free(&h->text);
    free(h);
    *hh = NULL;
}

const char *http_endpoint(const struct http *h)
{
    return h->endpoint;
}
