/* RabbitMQ: publisher confirms; manual acknowledgements. librabbitmq logs in and declares; then frames of AMQP 0-9-1 are written and read here, so that
 * a whole window goes out at once. variant: quorum, classic (durable, persistent), transient.
 *
 * An acknowledged completion: AMQP does not confirm acknowledgements, so the channel's end is asked for a round trip behind them (basic.qos)
 * once a window: it comes back when the channel has dealt with all that was sent before, which is as much as AMQP can tell. It does not tell that a quorum queue
 * has taken them: some of the last ones are lost when the connection closes behind the answer, and their messages come to the next run (life.c passes them over). */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"
#include "tests/bench/peers/tcp.h"

#define CHANNEL 1
#define FRAME_METHOD 1
#define FRAME_HEADER 2
#define FRAME_BODY 3
#define FRAME_END '\xce'
#define METHOD(class, method) ((uint32_t)(class) << 16 | (method))
#define QUEUE "\4life"

static struct tcp link_;

static amqp_connection_state_t log_in(const struct life *l)
{
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *s = amqp_tcp_socket_new(c);
    if (!s || amqp_socket_open(s, l->host, l->port) != AMQP_STATUS_OK)
        die("cannot connect");
    if (amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type != AMQP_RESPONSE_NORMAL ||
        !amqp_channel_open(c, CHANNEL))
        die("cannot log in");
    return c;
}

static void take_over(amqp_connection_state_t c)
{
    if (amqp_data_in_buffer(c) || amqp_frames_enqueued(c))
        die("the library has read ahead");
    tcp_wrap(&link_, amqp_get_sockfd(c));
}

static void prepare(const struct life *l)
{
    amqp_connection_state_t c = log_in(l);
    amqp_table_entry_t type = { .key = amqp_cstring_bytes("x-queue-type") };
    amqp_table_t table = { 0, &type };
    type.value.kind = AMQP_FIELD_KIND_UTF8;
    type.value.value.bytes = amqp_cstring_bytes("quorum");
    table.num_entries = strcmp(l->variant, "quorum") == 0;
    if (!amqp_queue_declare(c, CHANNEL, amqp_cstring_bytes("life"), 0, strcmp(l->variant, "transient") != 0, 0, 0,
                            table))
        die("cannot declare the queue");
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
}

static char *begin_frame(char type, uint32_t n)
{
    char *p = tcp_room(&link_, n + 8);
    const uint16_t channel = htons(CHANNEL);
    const uint32_t size = htonl(n);
    p[0] = type;
    memcpy(p + 1, &channel, 2);
    memcpy(p + 3, &size, 4);
    p[7 + n] = FRAME_END;
    return p + 7;
}

static void send_frame(char type, const void *p, uint32_t n)
{
    memcpy(begin_frame(type, n), p, n);
}

struct frame {
    char type;
    uint32_t n, method;
    char *p;
};

static bool next_frame(struct frame *f, bool wait)
{
    char *head = tcp_peek(&link_, 7, wait);
    if (!head)
        return false;
    memcpy(&f->n, head + 3, 4);
    f->n = ntohl(f->n);
    char *all = tcp_bytes(&link_, f->n + 8, wait);
    if (!all)
        return false;
    f->type = all[0];
    f->p = all + 7;
    f->method = 0;
    if (f->type == FRAME_METHOD) {
        memcpy(&f->method, f->p, 4);
        f->method = ntohl(f->method);
    }
    if (f->method == METHOD(10, 50) || f->method == METHOD(20, 40))
        die("closed: %.*s", (int)f->n - 7, f->p + 7);
    return true;
}

static uint64_t u64_at(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return be64toh(v);
}

/* ---- the producer ---- */

static uint64_t first_open = 1, *confirmed_early, early_n; /* delivery tags: quorum queues may confirm out of order */

static void open_producer(const struct life *l)
{
    amqp_connection_state_t c = log_in(l);
    if (!amqp_confirm_select(c, CHANNEL))
        die("confirm.select");
    confirmed_early = calloc(l->window, sizeof *confirmed_early);
    take_over(c);
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    static const char publish[] =
        "\0\74\0\50\0\0\0" QUEUE; /* basic.publish: ticket, exchange "", routing key; no flags */
    char header[15] = { 0, 60, 0, 0 };
    uint64_t size = htobe64(l->payload_bytes);
    memcpy(header + 4, &size, 8);
    header[12] = 0x10; /* one property: the delivery mode */
    header[14] = strcmp(l->variant, "transient") == 0 ? 1 : 2;
    for (uint64_t i = 0; i < n; i++) {
        send_frame(FRAME_METHOD, publish, sizeof publish);
        send_frame(FRAME_HEADER, header, sizeof header);
        life_payload(first + i, begin_frame(FRAME_BODY, (uint32_t)l->payload_bytes), l->payload_bytes);
    }
}

/* How many further tags are confirmed without a hole. */
static uint64_t confirm(uint64_t tag, bool multiple)
{
    uint64_t from = first_open;
    if (tag < first_open)
        return 0;
    if (multiple)
        first_open = tag + 1;
    else if (tag == first_open)
        first_open++;
    else
        confirmed_early[early_n++] = tag;
    for (uint64_t i = 0; i < early_n;) {
        if (confirmed_early[i] <= first_open) {
            first_open += confirmed_early[i] == first_open;
            confirmed_early[i] = confirmed_early[--early_n];
            i = 0;
        } else {
            i++;
        }
    }
    return first_open - from;
}

static uint64_t acks(const struct life *l, bool wait)
{
    struct frame f;
    uint64_t n = 0;
    (void)l;
    tcp_flush(&link_);
    if (!wait)
        tcp_fill(&link_);
    while (next_frame(&f, wait && n == 0)) {
        if (f.method == METHOD(60, 120))
            die("a message was refused");
        if (f.method == METHOD(60, 80))
            n += confirm(u64_at(f.p + 4), f.p[12] & 1);
    }
    return n;
}

static int producer_fd(const struct life *l)
{
    (void)l;
    return link_.fd;
}

/* ---- the consumer ---- */

static uint64_t tag, unacked, unconfirmed,
    barrier; /* barrier: how many completions the round trip under way stands behind */

static void open_consumer(const struct life *l)
{
    static const char consume[] =
        "\0\74\0\24\0\0" QUEUE "\0\0\0\0\0"; /* basic.consume: no tag, no flags, no arguments */
    amqp_connection_state_t c = log_in(l);
    if (!amqp_basic_qos(c, CHANNEL, 0, (uint16_t)l->window, 0))
        die("basic.qos");
    take_over(c);
    send_frame(FRAME_METHOD, consume, sizeof consume);
}

static void acknowledge(const struct life *l)
{
    char ack[13] = { 0, 60, 0, 80 };
    uint64_t t = htobe64(tag);
    memcpy(ack + 4, &t, 8);
    ack[12] = l->window > 1; /* multiple: up to this one */
    send_frame(FRAME_METHOD, ack, sizeof ack);
    unconfirmed += unacked;
    unacked = 0;
}

/* The prefetch again, as it is: only its answer matters. */
static void ask_round_trip(const struct life *l)
{
    char qos[11] = { 0, 60, 0, 10 };
    const uint16_t prefetch = htons((uint16_t)l->window);
    memcpy(qos + 8, &prefetch, 2);
    send_frame(FRAME_METHOD, qos, sizeof qos);
    barrier = unconfirmed;
    unconfirmed = 0;
}

static uint64_t serve(const struct life *l)
{
    struct frame f;
    uint64_t done = 0;
    tcp_flush(&link_);
    for (bool wait = true; next_frame(&f, wait); wait = false) {
        if (f.method == METHOD(60, 60)) {
            tag = u64_at(f.p + 5 + (unsigned char)f.p[4]);
        } else if (f.type == FRAME_BODY) {
            life_received(f.p, f.n);
            if (++unacked * 4 >= l->window)
                acknowledge(l); /* several times a window, so that deliveries go on */
        } else if (f.method == METHOD(60, 11)) {
            done += barrier;
            barrier = 0;
        }
    }
    if (unacked)
        acknowledge(l);
    if (!barrier && unconfirmed)
        ask_round_trip(l);
    return done;
}

int main(int argc, char **argv)
{
    static const struct life_client c = { "rabbitmq", prepare,     open_producer, put,
                                          acks,       producer_fd, open_consumer, serve };
    return life_main(argc, argv, &c);
}
