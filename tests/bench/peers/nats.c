/* NATS JetStream: a work-queue stream in a file, a push consumer with explicit acknowledgements that are confirmed. The plain NATS protocol is text:
 * written here, without a library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"
#include "tests/bench/peers/tcp.h"

enum sid { SID_API = 1, SID_ACKS, SID_TASKS, SID_DONE };

struct message {
    int sid;
    char *reply, *body;
    size_t n;
};

static struct tcp link_;

/* The next message, if there is one (or wait). Pings are answered on the way. */
static bool next(struct message *m, bool wait)
{
    for (;;) {
        size_t at = link_.in_at;
        char *line = tcp_line(&link_, wait), *word[5] = { NULL };
        if (!line)
            return false;
        if (strcmp(line, "PING") == 0) {
            tcp_text(&link_, "PONG\r\n");
            tcp_flush(&link_);
            continue;
        }
        if (*line == '-')
            die("%s", line);
        if (strncmp(line, "MSG ", 4) != 0)
            continue; /* INFO, PONG */
        char copy[512], *rest = copy;
        size_t length = strlen(line);
        if (length >= sizeof copy)
            die("a subject that is too long");
        memcpy(copy, line, length + 1);
        int words = 0;
        for (char *w; words < 5 && (w = strtok_r(rest, " ", &rest));)
            word[words++] = w;
        m->n = strtoul(word[words - 1], NULL, 10);
        if (!wait && !tcp_peek(&link_, m->n + 2, false)) { /* not all there: read its line again later */
            line[length] = '\r';
            link_.in_at = at;
            return false;
        }
        m->sid = atoi(word[2]);
        static char reply[512];
        m->reply = NULL;
        if (words == 5)
            m->reply = strcpy(reply, word[3]);
        m->body = tcp_bytes(&link_, m->n + 2, true);
        m->body[m->n] = 0;
        return true;
    }
}

static void open_link(const struct life *l)
{
    tcp_open(&link_, l->host, l->port);
    tcp_text(&link_,
             "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\nSUB "
             "api.reply %d\r\n",
             SID_API);
}

/* One call of JetStream's interface. False: it answers with an error. */
static bool call(const char *what, const char *body)
{
    struct message m;
    tcp_text(&link_, "PUB $JS.API.%s api.reply %zu\r\n%s\r\n", what, strlen(body), body);
    tcp_flush(&link_);
    do
        next(&m, true);
    while (m.sid != SID_API);
    return !strstr(m.body, "\"error\"");
}

static void prepare(const struct life *l)
{
    open_link(l);
    if (!call("STREAM.INFO.LIFE", "") &&
        !call("STREAM.CREATE.LIFE", "{\"name\":\"LIFE\",\"subjects\":[\"life\"],\"retention\":\"workqueue\","
                                    "\"storage\":\"file\",\"num_replicas\":1,"
                                    "\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,\"max_age\":0,\"max_msg_"
                                    "size\":-1,\"discard\":\"new\"}"))
        die("cannot make the stream");
}

static void open_producer(const struct life *l)
{
    open_link(l);
    tcp_text(&link_, "SUB acks %d\r\n", SID_ACKS);
    tcp_flush(&link_);
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        tcp_text(&link_, "PUB life acks %zu\r\n", (size_t)l->payload_bytes);
        life_payload(first + i, tcp_room(&link_, l->payload_bytes), l->payload_bytes);
        tcp_add(&link_, "\r\n", 2);
    }
}

static uint64_t acks(const struct life *l, bool wait)
{
    struct message m;
    uint64_t n = 0;
    (void)l;
    tcp_flush(&link_);
    if (!wait)
        tcp_fill(&link_);
    while (next(&m, wait && n == 0)) {
        if (m.sid != SID_ACKS)
            continue;
        if (strstr(m.body, "\"error\"") || !strstr(m.body, "\"seq\""))
            die("publish: %s", m.body);
        n++;
    }
    return n;
}

static int producer_fd(const struct life *l)
{
    (void)l;
    return link_.fd;
}

static void open_consumer(const struct life *l)
{
    char config[512];
    open_link(l);
    call("CONSUMER.DELETE.LIFE.one", ""); /* of an earlier run, with what it held; there may be none */
    tcp_text(&link_, "SUB tasks %d\r\nSUB done %d\r\n", SID_TASKS, SID_DONE);
    snprintf(config, sizeof config,
             "{\"stream_name\":\"LIFE\",\"config\":{\"durable_name\":\"one\",\"deliver_subject\":\"tasks\",\"deliver_"
             "policy\":\"all\","
             "\"ack_policy\":\"explicit\",\"ack_wait\":3600000000000,\"max_ack_pending\":%llu,\"replay_policy\":"
             "\"instant\"}}",
             (unsigned long long)l->window);
    if (!call("CONSUMER.DURABLE.CREATE.LIFE.one", config))
        die("cannot make the consumer");
}

static uint64_t serve(const struct life *l)
{
    struct message m;
    uint64_t done = 0;
    (void)l;
    for (bool wait = true; next(&m, wait); wait = false) {
        if (m.sid == SID_TASKS) {
            life_received(m.body, m.n);
            tcp_text(&link_, "PUB %s done 4\r\n+ACK\r\n", m.reply);
        } else if (m.sid == SID_DONE) {
            done++;
        }
    }
    tcp_flush(&link_);
    return done;
}

int main(int argc, char **argv)
{
    static const struct life_client c = {
        "nats", prepare, open_producer, put, acks, producer_fd, open_consumer, serve
    };
    return life_main(argc, argv, &c);
}
