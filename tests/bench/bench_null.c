/* The least that a broker on ZeroMQ can do and still sync: a bound for ours. It receives all that has come, appends so many bytes a task to a file that was written before, syncs once, then answers, and
 * hands what is queued to the consumer. It checks nothing, keeps its queue in memory, and could not tell after a crash what it had. Driven by the common loops (life.h).
 *
 *   bench_null --serve FILE --dir DIR --bytes N     a broker whose endpoint stands in FILE; N: what it writes for each task that is put, and that is done
 *   bench_null --op OP --where FILE ...             a client, as life.c says */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"

#define LOG_BYTES (8u << 20) /* as ours, unless told otherwise */
#define QUEUE_BYTES (64u << 20)
#define BATCH_MAX 64

/* A message: what it is, how many tasks, and their payloads if there are any. */
enum what { PUT, PUT_DONE, READY, PUSH, DONE, DONE_TOO };
struct head {
    uint32_t what, n;
};

static void no_bound(void *sock)
{
    int zero = 0;
    zmq_setsockopt(sock, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(sock, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(sock, ZMQ_LINGER, &zero, sizeof zero);
}

static FILE *open_file(const char *name, const char *how)
{
    FILE *f = fopen(name, how);
    if (!f)
        die("cannot open %s", name);
    return f;
}

/* ---- the broker ---- */

struct peer {
    char id[16];
    size_t n;
};

static struct {
    void *sock;
    int fd;
    off_t at;
    uint64_t bytes_a_task;
    char *queue;
    uint64_t put, pushed, slots; /* tasks that ever came to the queue and left it */
    struct peer consumer;
    uint32_t credit, task_bytes;
} broker;

static void answer(const struct peer *to, enum what what, uint32_t n, const void *payload, size_t bytes)
{
    struct head h = { what, n };
    zmq_msg_t m;
    if (zmq_msg_init_size(&m, sizeof h + bytes) != 0)
        die("no memory");
    memcpy(zmq_msg_data(&m), &h, sizeof h);
    if (bytes)
        memcpy((char *)zmq_msg_data(&m) + sizeof h, payload, bytes);
    if (zmq_send(broker.sock, to->id, to->n, ZMQ_SNDMORE) < 0 || zmq_msg_send(&m, broker.sock, 0) < 0)
        die("cannot answer");
}

/* The queue is a ring of whole tasks, all of one size. */
static void enqueue(const char *payload, size_t bytes, uint32_t n)
{
    broker.task_bytes = (uint32_t)(bytes / n);
    broker.slots = QUEUE_BYTES / broker.task_bytes;
    if (broker.put - broker.pushed + n > broker.slots)
        die("the consumer is too far behind");
    for (uint32_t i = 0; i < n; i++, broker.put++)
        memcpy(broker.queue + broker.put % broker.slots * broker.task_bytes, payload + (size_t)i * broker.task_bytes,
               broker.task_bytes);
}

static void push(void)
{
    while (broker.credit && broker.put > broker.pushed) {
        uint64_t at = broker.pushed % broker.slots, n = broker.put - broker.pushed;
        n = n < broker.credit ? n : broker.credit;
        n = n < broker.slots - at ? n : broker.slots - at; /* in one piece */
        answer(&broker.consumer, PUSH, (uint32_t)n, broker.queue + at * broker.task_bytes, n * broker.task_bytes);
        broker.credit -= (uint32_t)n;
        broker.pushed += n;
    }
}

static void append_and_sync(uint64_t tasks)
{
    static char block[4 << 20];
    uint64_t bytes = (tasks * broker.bytes_a_task + 511) / 512 * 512;
    if (bytes > sizeof block)
        die("a batch is too large");
    if (bytes == 0)
        return;
    if (broker.at + (off_t)bytes > LOG_BYTES)
        broker.at = 0;
    if (pwrite(broker.fd, block, bytes, broker.at) != (ssize_t)bytes || fdatasync(broker.fd) != 0)
        die("cannot write");
    broker.at += (off_t)bytes;
}

static bool receive(struct peer *from, zmq_msg_t *m, int flags)
{
    int n = zmq_recv(broker.sock, from->id, sizeof from->id, flags);
    if (n < 0 || zmq_msg_recv(m, broker.sock, 0) < (int)sizeof(struct head))
        return false;
    from->n = (size_t)n;
    return true;
}

static void batch(void)
{
    static struct {
        struct peer to;
        struct head h;
    } answers[BATCH_MAX];
    unsigned n = 0;
    uint64_t tasks = 0;
    zmq_msg_t m;
    zmq_msg_init(&m);
    while (n < BATCH_MAX && receive(&answers[n].to, &m, n ? ZMQ_DONTWAIT : 0)) {
        struct head h;
        memcpy(&h, zmq_msg_data(&m), sizeof h);
        if (h.what == PUT)
            enqueue((char *)zmq_msg_data(&m) + sizeof h, zmq_msg_size(&m) - sizeof h, h.n);
        else
            broker.credit += h.n, broker.consumer = answers[n].to;
        tasks += h.what == READY ? 0 : h.n;
        answers[n++].h = h;
    }
    append_and_sync(tasks);
    for (unsigned i = 0; i < n; i++)
        if (answers[i].h.what != READY)
            answer(&answers[i].to, answers[i].h.what == PUT ? PUT_DONE : DONE_TOO, answers[i].h.n, NULL, 0);
    push();
    zmq_msg_close(&m);
}

static void open_log(const char *dir)
{
    static const char zeros[64 << 10];
    char path[4096];
    snprintf(path, sizeof path, "%s/log", dir);
    broker.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (off_t at = 0; broker.fd >= 0 && at < LOG_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(broker.fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            die("cannot write %s", path);
    if (broker.fd < 0 || fsync(broker.fd) != 0)
        die("cannot make %s", path);
}

static int serve_for_good(const char *file, const char *dir, uint64_t bytes)
{
    char endpoint[256], tmp[4096];
    size_t n = sizeof endpoint;
    broker.bytes_a_task = bytes;
    broker.queue = malloc(QUEUE_BYTES);
    if (!broker.queue)
        die("no memory");
    open_log(dir);
    broker.sock = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    no_bound(broker.sock);
    if (zmq_bind(broker.sock, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(broker.sock, ZMQ_LAST_ENDPOINT, endpoint, &n) != 0)
        die("cannot bind");
    snprintf(tmp, sizeof tmp, "%s.new", file);
    FILE *f = open_file(tmp, "w");
    fprintf(f, "%s\n", endpoint);
    if (fclose(f) != 0 || rename(tmp, file) != 0)
        die("cannot write %s", file);
    for (;;)
        batch();
}

/* ---- its clients ---- */

static struct {
    void *sock;
    char out[sizeof(struct head) + (1 << 20)];
    zmq_msg_t in;
    struct head h;
} me;

static void connect_to(const struct life *l)
{
    char endpoint[256] = "";
    FILE *f = open_file(l->where, "r");
    if (!fgets(endpoint, sizeof endpoint, f))
        die("%s is empty", l->where);
    fclose(f);
    endpoint[strcspn(endpoint, "\n")] = 0;
    me.sock = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    no_bound(me.sock);
    if (zmq_connect(me.sock, endpoint) != 0)
        die("cannot connect to %s", endpoint);
    zmq_msg_init(&me.in);
}

static void tell(enum what what, uint32_t n, size_t payload_bytes)
{
    struct head h = { what, n };
    memcpy(me.out, &h, sizeof h);
    if (zmq_send(me.sock, me.out, sizeof h + payload_bytes, 0) < 0)
        die("cannot send");
}

static bool hear(int flags)
{
    if (zmq_msg_recv(&me.in, me.sock, flags) < (int)sizeof me.h)
        return false;
    memcpy(&me.h, zmq_msg_data(&me.in), sizeof me.h);
    return true;
}

static void prepare(const struct life *l)
{
    if (l->frame * l->payload_bytes > sizeof me.out - sizeof(struct head))
        die("too much for one message");
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        life_payload(first + i, me.out + sizeof(struct head) + i * l->payload_bytes, l->payload_bytes);
    tell(PUT, (uint32_t)n, n * l->payload_bytes);
}

static uint64_t acks(const struct life *l, bool wait)
{
    uint64_t n = 0;
    (void)l;
    while (hear(wait && n == 0 ? 0 : ZMQ_DONTWAIT))
        n += me.h.n;
    return n;
}

static int producer_fd(const struct life *l)
{
    int fd;
    size_t n = sizeof fd;
    (void)l;
    zmq_getsockopt(me.sock, ZMQ_FD, &fd, &n);
    return fd;
}

static void open_consumer(const struct life *l)
{
    connect_to(l);
    tell(READY, (uint32_t)l->window, 0);
}

static uint64_t serve(const struct life *l)
{
    if (!hear(0))
        return 0;
    if (me.h.what == DONE_TOO)
        return me.h.n;
    for (uint32_t i = 0; i < me.h.n; i++)
        life_received((char *)zmq_msg_data(&me.in) + sizeof me.h + i * l->payload_bytes, l->payload_bytes);
    tell(DONE, me.h.n, 0);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct life_client c = { "null", prepare, connect_to, put, acks, producer_fd, open_consumer, serve };
    const char *file = option(argc, argv, "--serve", NULL);
    if (file)
        return serve_for_good(file, option(argc, argv, "--dir", "."),
                              strtoull(option(argc, argv, "--bytes", "2048"), NULL, 10));
    return life_main(argc, argv, &c);
}
