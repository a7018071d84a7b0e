/* Redis Streams: XADD; XREADGROUP, then XACK and XDEL of what was read, with hiredis. */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/common.h"
#include "tests/bench/life.h"

#define BLOCK_MS "1000"

static redisContext *link_;
static char *payload;
static const char **args; /* of one XACK or XDEL */
static size_t *lengths;

static void open_link(const struct life *l)
{
    link_ = redisConnect(l->host, l->port);
    if (!link_ || link_->err)
        die("cannot connect: %s", link_ ? link_->errstr : "no memory");
    link_->reader->maxbuf = 1 << 20;      /* hiredis would free its buffer again and again */
    for (bool loading = true; loading;) { /* the port is open before its data is read */
        redisReply *r = redisCommand(link_, "PING");
        loading = r && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "LOADING", 7) == 0;
        freeReplyObject(r);
        if (loading)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
}

static redisReply *checked(redisReply *r)
{
    if (r && r->type == REDIS_REPLY_ERROR)
        die("%s", r->str);
    return r;
}

/* What goes out is sent first. */
static redisReply *next(void)
{
    redisReply *r = NULL;
    if (redisGetReply(link_, (void **)&r) != REDIS_OK)
        die("%s", link_->errstr);
    return checked(r);
}

static redisReply *next_if_there(void)
{
    redisReply *r = NULL;
    if (redisGetReplyFromReader(link_, (void **)&r) != REDIS_OK)
        die("%s", link_->errstr);
    return checked(r);
}

static void prepare(const struct life *l)
{
    open_link(l);
    redisReply *r = redisCommand(link_, "XGROUP CREATE life workers 0 MKSTREAM");
    if (!r || (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "BUSYGROUP", 9) != 0))
        die("XGROUP CREATE: %s", r ? r->str : link_->errstr);
    freeReplyObject(r);
    redisFree(link_);
}

static void open_producer(const struct life *l)
{
    open_link(l);
    payload = malloc(l->payload_bytes);
}

static void put(const struct life *l, uint64_t first, uint64_t n)
{
    const char *v[] = { "XADD", "life", "*", "p", payload };
    const size_t bytes[] = { 4, 4, 1, 1, l->payload_bytes };
    for (uint64_t i = 0; i < n; i++) {
        life_payload(first + i, payload, l->payload_bytes);
        redisAppendCommandArgv(link_, 5, v, bytes);
    }
}

static void flush_out(void)
{
    for (int sent = 0; !sent;)
        if (redisBufferWrite(link_, &sent) != REDIS_OK)
            die("%s", link_->errstr);
}

static uint64_t acks(const struct life *l, bool wait)
{
    uint64_t n = 0;
    struct pollfd p = { link_->fd, POLLIN, 0 };
    (void)l;
    flush_out();
    if (!wait && poll(&p, 1, 0) > 0 && redisBufferRead(link_) != REDIS_OK)
        die("%s", link_->errstr);
    for (redisReply *r = wait ? next() : next_if_there(); r; r = next_if_there(), n++)
        freeReplyObject(r);
    return n;
}

static int producer_fd(const struct life *l)
{
    (void)l;
    return link_->fd;
}

static void read_group(const struct life *l)
{
    redisAppendCommand(link_, "XREADGROUP GROUP workers one COUNT %llu BLOCK " BLOCK_MS " STREAMS life >",
                       (unsigned long long)l->window);
}

static void open_consumer(const struct life *l)
{
    open_link(l);
    args = malloc((l->window + 3) * sizeof *args);
    lengths = malloc((l->window + 3) * sizeof *lengths);
    read_group(l);
}

static void append(size_t n, const char *command, const char *group)
{
    const char *head[] = { command, "life", group };
    size_t skip = group ? 0 : 1; /* XDEL names no group: its words begin one later */
    for (size_t i = 0; i < 3 - skip; i++) {
        args[skip + i] = head[i];
        lengths[skip + i] = strlen(head[i]);
    }
    redisAppendCommandArgv(link_, (int)(n + 3 - skip), args + skip, lengths + skip);
}

/* One read is answered; what came is acknowledged and deleted; the next read goes out behind that. */
static uint64_t serve(const struct life *l)
{
    redisReply *r = next();
    uint64_t n = 0;
    if (r->type == REDIS_REPLY_NIL) { /* nothing came for a while */
        freeReplyObject(r);
        read_group(l);
        return 0;
    }
    redisReply *entries = r->element[0]->element[1];
    for (; n < entries->elements; n++) {
        redisReply *id = entries->element[n]->element[0], *body = entries->element[n]->element[1]->element[1];
        life_received(body->str, body->len);
        args[3 + n] = id->str;
        lengths[3 + n] = id->len;
    }
    append(n, "XACK", "workers");
    append(n, "XDEL", NULL);
    read_group(
        l); /* Redis takes it behind them, in the same turn and with the same sync: as ours takes a grant with what is submitted */
    freeReplyObject(next());
    freeReplyObject(next());
    freeReplyObject(r);
    return n;
}

int main(int argc, char **argv)
{
    static const struct life_client c = {
        "redis", prepare, open_producer, put, acks, producer_fd, open_consumer, serve
    };
    return life_main(argc, argv, &c);
}
