/* Monitors for `make bench-events`, on the library and on bare sockets.
 *
 *   bench_events --op replay --clients EP [--count N]    follow stream `all` from the oldest on, N events; prints how fast
 *   bench_events --op decode --clients EP [--count N]    the same, looking into each event's data
 *   bench_events --op subscribe --events EP --count N    N subscribers that take and drop every frame, until killed; prints "ready" first
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "client/sunline.h"
#include "tests/bench/common.h"

static void check(struct sl *sl, int rc, const char *what)
{
    if (rc != SL_OK)
        die("%s: %s %s", what, sl_error_name(rc), sl ? sl_last_error(sl)->text : "");
}

static void replay(const char *endpoint, uint64_t count, bool look)
{
    struct sl *sl = NULL;
    struct sl_events *events;
    struct sl_event e;
    struct sl_value figures, v;
    uint64_t n = 0, keys = 0, last = 0;
    check(NULL, sl_open(&(struct sl_options){ .endpoint = endpoint }, &sl), "open");
    check(sl, sl_stats(sl, &figures), "stats");
    uint64_t oldest = sl_map_get(&figures, "event_oldest_seq", &v) ? sl_uint(&v) : 1;
    check(sl, sl_events_open(sl, &(struct sl_events_options){ .since = oldest }, &events), "events");
    double begin = now_s(), cpu = cpu_self_s();
    for (; n < count; n++) {
        check(sl, sl_events_next(events, 10000, &e), "next");
        if (last && e.seq != last + 1)
            die("event %llu after %llu", (unsigned long long)e.seq, (unsigned long long)last);
        last = e.seq;
        if (look)
            keys += e.data.n;
    }
    double took = now_s() - begin;
    printf("{\"events\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,\"client_cpu_us\":%.3f,\"keys\":%llu}\n",
           (unsigned long long)n, took, (double)n / took, (cpu_self_s() - cpu) * 1e6 / (double)n,
           (unsigned long long)keys);
    sl_close(&sl);
}

static void subscribe(const char *endpoint, uint64_t count)
{
    void *context = zmq_ctx_new();
    zmq_pollitem_t *items = calloc(count, sizeof *items);
    if (!context || !items)
        die("out of memory");
    for (uint64_t i = 0; i < count; i++) {
        items[i].socket = zmq_socket(context, ZMQ_SUB);
        items[i].events = ZMQ_POLLIN;
        if (!items[i].socket || zmq_setsockopt(items[i].socket, ZMQ_SUBSCRIBE, "all", 4) ||
            zmq_connect(items[i].socket, endpoint))
            die("cannot subscribe to %s", endpoint);
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        if (zmq_poll(items, (int)count, -1) < 0)
            die("poll");
        for (uint64_t i = 0; i < count; i++) {
            zmq_msg_t m;
            zmq_msg_init(&m);
            while (items[i].revents && zmq_msg_recv(&m, items[i].socket, ZMQ_DONTWAIT) >= 0) {}
            zmq_msg_close(&m);
        }
    }
}

int main(int argc, char **argv)
{
    const char *op = option(argc, argv, "--op", "");
    uint64_t count = strtoull(option(argc, argv, "--count", "1000000"), NULL, 10);
    if (strcmp(op, "replay") == 0 || strcmp(op, "decode") == 0)
        replay(option(argc, argv, "--clients", ""), count, op[0] == 'd');
    else if (strcmp(op, "subscribe") == 0)
        subscribe(option(argc, argv, "--events", ""), count);
    else
        die("--op replay, decode or subscribe");
    return 0;
}
