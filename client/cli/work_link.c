#include "client/cli/work_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define NAME_BYTES_MAX 256
#define LOOK_MS 200 /* how often a signal is looked for while waiting */

struct work_link {
    void *ctx, *socket;
    char worker[NAME_BYTES_MAX];
    json_int_t last_id;
    int64_t alive_ms, said_ms;
    work_notice *notice;
    void *arg;
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct work_link *work_link_open(const char *endpoint, const char *worker, work_notice *notice, void *arg, char *text,
                                 size_t size)
{
    char full[4200];
    bool directory = !strstr(endpoint, "://");
    if (directory && access(endpoint, X_OK) != 0) { /* ZeroMQ would wait for it to appear */
        snprintf(text, size, "%s: %s", endpoint, strerror(errno));
        return NULL;
    }
    snprintf(full, sizeof full, directory ? "ipc://%s/local.sock" : "%s", endpoint);
    struct work_link *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(text, size, "out of memory");
        return NULL;
    }
    snprintf(l->worker, sizeof l->worker, "%s", worker);
    l->notice = notice;
    l->arg = arg;
    l->alive_ms = 20000;
    l->said_ms = now_ms();
    l->ctx = zmq_ctx_new();
    l->socket = l->ctx ? zmq_socket(l->ctx, ZMQ_DEALER) : NULL;
    int linger_ms = 500, six = strchr(full, '[') != NULL;
    if (l->socket) {
        zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_setsockopt(l->socket, ZMQ_IPV6, &six, sizeof six);
    }
    if (!l->socket || zmq_connect(l->socket, full) != 0) {
        snprintf(text, size, "%s: %s", full, zmq_strerror(errno));
        work_link_close(&l);
        return NULL;
    }
    return l;
}

void work_link_close(struct work_link **lp)
{
    struct work_link *l = *lp;
    if (!l) {
        return;
    }
    *lp = NULL;
    if (l->socket) {
        zmq_close(l->socket);
    }
    if (l->ctx) {
        zmq_ctx_term(l->ctx);
    }
    free(l);
}

void work_link_alive_ms(struct work_link *l, int64_t ms)
{
    l->alive_ms = ms < 100 ? 100 : ms;
}

/* Takes over o. Returns its id. */
static json_int_t send_request(struct work_link *l, const char *verb, json_t *o)
{
    json_object_set_new(o, "id", json_integer(++l->last_id));
    json_object_set_new(o, "verb", json_string(verb));
    json_object_set_new(o, "worker", json_string(l->worker));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (text) {
        zmq_send(l->socket, text, strlen(text), ZMQ_DONTWAIT);
    }
    free(text);
    l->said_ms = now_ms();
    return l->last_id;
}

static void say_alive(struct work_link *l)
{
    if (now_ms() >= l->said_ms + l->alive_ms) {
        send_request(l, "touch", json_object()); /* nobody waits for this answer */
    }
}

/* What has arrived: notices are handed on; the answer to `id` is returned, other answers are dropped. */
static json_t *take(struct work_link *l, json_int_t id)
{
    for (;;) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, l->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return NULL;
        }
        json_t *o = json_loadb(zmq_msg_data(&frame), zmq_msg_size(&frame), JSON_ALLOW_NUL, NULL);
        zmq_msg_close(&frame);
        if (json_object_get(o, "notice")) {
            l->notice(l->arg, o);
        } else if (id && json_integer_value(json_object_get(o, "id")) == id) {
            return o;
        }
        json_decref(o);
    }
}

json_t *work_link_ask(struct work_link *l, const char *verb, json_t *request, int64_t timeout_ms,
                      const volatile int *stop)
{
    int64_t end_ms = now_ms() + timeout_ms;
    if (!request) {
        return NULL;
    }
    json_int_t id = send_request(l, verb, request);
    for (;;) {
        json_t *answer = take(l, id);
        int64_t left_ms = end_ms - now_ms();
        if (answer || left_ms <= 0 || (stop && *stop)) {
            return answer;
        }
        zmq_pollitem_t item = { l->socket, -1, ZMQ_POLLIN, 0 };
        zmq_poll(&item, 1, left_ms < LOOK_MS ? (long)left_ms : LOOK_MS);
        say_alive(l);
    }
}

bool work_link_wait(struct work_link *l, int fd, const volatile int *stop)
{
    for (;;) {
        zmq_pollitem_t items[] = { { l->socket, -1, ZMQ_POLLIN, 0 }, { NULL, fd, ZMQ_POLLIN | ZMQ_POLLERR, 0 } };
        if (*stop) {
            return false;
        }
        zmq_poll(items, 2, LOOK_MS);
        take(l, 0);
        if (items[1].revents) {
            return true;
        }
        say_alive(l);
    }
}
