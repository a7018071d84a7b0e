/* beanstalkd: put; reserve, delete. Its text protocol lets every command be pipelined. */
#include <stdio.h>
#include <string.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"
#include "tests/bench/peers/tcp.h"

static struct tcp link_;

static void open_tube(const struct life *l, const char *command)
{
    tcp_open(&link_, l->host, l->port);
    tcp_text(&link_, "%s life\r\n", command);
    tcp_flush(&link_);
    tcp_line(&link_, true);
}

static void prepare(const struct life *l)
{
    (void)l; /* a tube comes into being when it is used */
}

static void open_producer(const struct life *l)
{
    open_tube(l, "use");
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        tcp_text(&link_, "put 1000 0 3600 %zu\r\n", (size_t)l->payload_bytes);
        life_payload(first + i, tcp_room(&link_, l->payload_bytes), l->payload_bytes);
        tcp_add(&link_, "\r\n", 2);
    }
}

static uint64_t acks(const struct life *l, bool wait)
{
    uint64_t n = 0;
    (void)l;
    tcp_flush(&link_);
    if (!wait)
        tcp_fill(&link_);
    for (char *line; (line = tcp_line(&link_, wait && n == 0)); n++)
        if (strncmp(line, "INSERTED ", 9) != 0)
            die("put: %s", line);
    return n;
}

static int producer_fd(const struct life *l)
{
    (void)l;
    return link_.fd;
}

/* A reserve that waits holds up what stands behind it, so there must not be one too many. */
static void reserve(uint64_t n)
{
    static uint64_t asked;
    for (; n > 0 && asked < life_total(); n--, asked++)
        tcp_text(&link_, "reserve\r\n");
}

static void open_consumer(const struct life *l)
{
    open_tube(l, "watch");
    reserve(l->window);
}

/* A reservation that is deleted makes room in the window for another. */
static uint64_t serve(const struct life *l)
{
    uint64_t done = 0;
    unsigned long long id;
    size_t n;
    (void)l;
    tcp_flush(&link_);
    for (char *line = tcp_line(&link_, true); line; line = tcp_line(&link_, false)) {
        if (sscanf(line, "RESERVED %llu %zu", &id, &n) == 2) {
            life_received(tcp_bytes(&link_, n + 2, true), n);
            tcp_text(&link_, "delete %llu\r\n", id);
            reserve(1); /* behind the delete, so never more than the window */
        } else if (strcmp(line, "DELETED") == 0) {
            done++;
        } else {
            die("reserve or delete: %s", line);
        }
    }
    return done;
}

int main(int argc, char **argv)
{
    static const struct life_client c = { "beanstalkd", prepare,     open_producer, put,
                                          acks,         producer_fd, open_consumer, serve };
    return life_main(argc, argv, &c);
}
