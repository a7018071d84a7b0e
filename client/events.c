/* A stream of events without a hole and without a repeat. Three sources tell of the same sequence: pages of past
 * events (by request), published frames (which may be lost), and, in silence, a page again (for what was lost last,
 * when no later frame shows the gap).
 *
 * `passed` is the invariant: every event of this stream up to it was handed out, none behind it was. A published
 * frame whose prev_seq is larger shows a gap: then the frame is dropped and a page asked for, which brings its
 * events too. Events up to `passed` are skipped. So every source may lose, repeat and overtake, and `passed` still
 * only moves forward over what was handed out. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

#define LOOK_MS 1000
#define FIRST_LOOK_US 50000 /* a subscription takes a moment to arrive: this look finds what happened in between */
#define SUB_HWM 1000        /* frames of at most 32 KiB; what is dropped beyond it is asked for */
#define STREAM_BYTES_MAX 128

struct sl_events {
    struct sl *sl;
    struct sl_events *next;
    char *stream;
    int64_t look_us, look_at_us;
    void *sub; /* NULL: nobody told where events are published, pages must do */
    uint64_t passed;
    bool oldest;            /* from the oldest that is kept, whichever that is: until something was passed */
    zmq_msg_t frame;        /* what the batch lies in; initialised always */
    struct slp_cursor rest; /* events of the batch that were not looked at yet */
    uint64_t batch_end;     /* after the batch, everything up to here is passed */
    bool more;              /* the page said that more are there now */
    bool known;             /* whose events these are: the store's id, asked for when the link had been lost so often */
    uint8_t store_id[16];
    uint64_t losses;
};

const char *sl_event_name(unsigned type)
{
    switch (type) {
#define EVENT(NAME, number, streams, keys, meaning)                                                                    \
    case number:                                                                                                       \
        return #NAME;
#include "proto/events.def"
#undef EVENT
    default: return "";
    }
}

uint64_t sl_events_position(const struct sl_events *e)
{
    return e->oldest && !e->passed ? 0 : e->passed + 1;
}

static void use_batch(struct sl_events *e, const struct slp_events *m, uint64_t end)
{
    e->rest = slp_each(m->events);
    e->batch_end = end;
}

/* The frame must lie in e->frame already. false: it is no events message. */
static bool decode(const struct sl_events *e, struct slp_msg *m)
{
    struct slp_fault fault;
    zmq_msg_t *f = (zmq_msg_t *)(uintptr_t)&e->frame; /* libzmq takes no const */
    return slp_decode(zmq_msg_data(f), zmq_msg_size(f), SLP_B2M | SLP_B2C, m, &fault) == 0 && m->type == SLP_EVENTS;
}

/* Nobody knows whether there is something new. */
static int unanswered(struct sl_events *e)
{
    e->look_at_us = 0;
    return sl__fail(e->sl, SL_DISCONNECTED, "events", "the broker did not answer in time");
}

static void know(struct sl_events *e, const uint8_t store_id[16], uint64_t losses)
{
    memcpy(e->store_id, store_id, sizeof e->store_id);
    e->losses = losses;
    e->known = true;
}

/* Since a link was lost, another store may be behind the next one: one that was made of a backup has other events under the numbers behind it. */
static bool is_known(const struct sl_events *e)
{
    sl__link_watch(e->sl);
    return e->known && e->losses == e->sl->losses;
}

/* Whose events are they? SL_GONE: of another store than those before. */
static int look_at_store(struct sl_events *e, int64_t timeout_ms)
{
    if (is_known(e))
        return SL_OK;
    struct slp_msg m;
    uint8_t store_id[16] = { 0 };
    uint64_t losses = e->sl->losses;
    int rc = sl__request_with(e->sl, SLP_INFO_GET, &(struct slp_info_get){ 0 }, SLP_INFO, &m, timeout_ms, true);
    if (rc != SL_OK)
        return rc == SL_TIMEOUT ? unanswered(e) : rc;
    struct slp_bytes id = m.u.info.store_id;
    memcpy(store_id, id.p, id.n < sizeof store_id ? id.n : sizeof store_id);
    if (e->known && memcmp(store_id, e->store_id, sizeof store_id) != 0)
        return sl__fail(e->sl, SL_GONE, "events", "the broker serves another store, made of a backup");
    know(e, store_id, losses);
    return SL_OK;
}

static int ask_page(struct sl_events *e, int64_t timeout_ms)
{
    struct slp_events_get g = { .since = e->oldest && !e->passed ? 0 : e->passed + 1, .stream = sl__bytes(e->stream) };
    SL__SET(&g, events_get, stream);
    struct slp_msg m;
    int rc;
    do { /* until who answers is whom we know */
        rc = look_at_store(e, timeout_ms);
        if (rc == SL_OK)
            rc = sl__request_with(e->sl, SLP_EVENTS_GET, &g, SLP_EVENTS, &m, timeout_ms, true);
    } while (rc == SL_OK && !is_known(e));
    e->look_at_us = sl__now_us() + e->look_us;
    if (rc != SL_OK)
        return rc == SL_TIMEOUT ? unanswered(e) : rc;
    zmq_msg_move(&e->frame, &e->sl->reply_frame);
    if (!decode(e, &m)) /* where it lies now */
        return sl__fail(e->sl, SL_BAD_REPLY, "events", NULL);
    uint64_t end = m.u.events.next_since > 0 ? m.u.events.next_since - 1 : 0;
    use_batch(e, &m.u.events, end);
    e->more = m.u.events.more && end > e->passed;
    return SL_OK;
}

/* The next published frame of this very stream (subscriptions go by prefix: run/a also brings run/ab). false: none
 * is there. */
static bool take_published(struct sl_events *e, bool *gap)
{
    *gap = false;
    while (e->sub) {
        int rc = zmq_msg_recv(&e->frame, e->sub, ZMQ_DONTWAIT);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return false;
        while (rc >= 0 && zmq_msg_more(&e->frame)) /* topic first, the body last */
            rc = zmq_msg_recv(&e->frame, e->sub, 0);
        struct slp_msg m;
        if (rc < 0 || !decode(e, &m) || m.u.events.stream.n != strlen(e->stream) ||
            memcmp(m.u.events.stream.p, e->stream, m.u.events.stream.n) != 0)
            continue;
        *gap = m.u.events.prev_seq > e->passed;
        if (!*gap) {
            /* Only what brings news puts off the look: a broker set back to a backup publishes numbers we have passed. */
            if (m.u.events.next_since > e->passed + 1)
                e->look_at_us = sl__now_us() + e->look_us;
            use_batch(e, &m.u.events, 0);
        }
        return true;
    }
    return false;
}

/* The next event of the batch in hand. SL_OK, SL_TIMEOUT: the batch is at its end, SL_BAD_REPLY. */
static int take_event(struct sl_events *e, struct sl_event *out)
{
    struct slp_item_event v;
    while (slp_next_event(&e->rest, &v)) {
        if (v.seq <= e->passed)
            continue;
        *out = (struct sl_event){ .seq = v.seq,
                                  .type = v.type > UINT_MAX ? UINT_MAX : (unsigned)v.type,
                                  .wall_us = v.wall_us };
        out->name = sl_event_name(out->type);
        if (!sl__value(v.data, &out->data))
            return sl__fail(e->sl, SL_BAD_REPLY, "event.data", NULL);
        e->passed = v.seq;
        return SL_OK;
    }
    if (e->batch_end > e->passed)
        e->passed = e->batch_end;
    return SL_TIMEOUT;
}

int sl_events_next(struct sl_events *e, int64_t timeout_ms, struct sl_event *out)
{
    struct sl *sl = e->sl;
    int rc = sl__enter(sl);
    if (rc == SL_OK && (timeout_ms < 0 || timeout_ms > INT_MAX))
        rc = sl__fail(sl, SL_MISUSE, "timeout_ms", NULL);
    if (rc != SL_OK)
        return rc;
    int64_t deadline_us = sl__now_us() + timeout_ms * 1000;
    /* a page gets its time, but a broker that is away does not hold the caller up */
    int64_t page_ms = timeout_ms < 1000 ? 1000 : timeout_ms;
    if (page_ms > sl->o.timeout_ms)
        page_ms = sl->o.timeout_ms;
    for (;;) {
        rc = take_event(e, out);
        if (rc != SL_TIMEOUT)
            return rc;
        bool gap = false, known = is_known(e);
        if (!e->more && known && take_published(e, &gap) && !gap)
            continue;
        int64_t now_us = sl__now_us();
        if (e->more || gap || now_us >= e->look_at_us || (!known && sl->up)) {
            rc = ask_page(e, page_ms);
            if (rc != SL_OK)
                return rc;
            continue;
        }
        if (now_us >= deadline_us)
            return sl__fail(sl, SL_TIMEOUT, "events", "nothing new");
        if (sl__turn(sl, false, e->sub, deadline_us < e->look_at_us ? deadline_us : e->look_at_us) != SL_OK)
            return sl__fail(sl, SL_STOPPED, "", NULL);
    }
}

static int subscribe(struct sl_events *e, const char *endpoint)
{
    int hwm = SUB_HWM, linger = 0, six = strchr(endpoint, '[') != NULL;
    int64_t bytes_max = SL_FRAME_BYTES_MAX;
    e->sub = zmq_socket(e->sl->ctx, ZMQ_SUB);
    if (!e->sub || zmq_setsockopt(e->sub, ZMQ_RCVHWM, &hwm, sizeof hwm) ||
        zmq_setsockopt(e->sub, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_setsockopt(e->sub, ZMQ_IPV6, &six, sizeof six) ||
        zmq_setsockopt(e->sub, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) ||
        zmq_setsockopt(e->sub, ZMQ_SUBSCRIBE, e->stream, strlen(e->stream)) || zmq_connect(e->sub, endpoint))
        return sl__fail(e->sl, SL_SYSTEM, "events_endpoint", zmq_strerror(errno));
    return SL_OK;
}

static bool stream_ok(const char *s)
{
    if (strlen(s) > STREAM_BYTES_MAX || !sl_utf8_ok(s, strlen(s)))
        return false;
    return strcmp(s, "all") == 0 || strncmp(s, "line/", 5) == 0 || strncmp(s, "run/", 4) == 0 ||
           strncmp(s, "hub/", 4) == 0;
}

static int start(struct sl_events *e, uint64_t since)
{
    struct sl_info info = { .protocol = 0 };
    const char *endpoint = e->sl->o.events_endpoint;
    uint64_t losses = e->sl->losses;
    if (since == SL_EVENTS_NOW || !endpoint) {
        int rc = sl_info(e->sl, &info);
        if (rc != SL_OK)
            return rc;
    }
    if (info.protocol != 0)
        know(e, info.store_id, losses);
    e->oldest = since == 0;
    e->passed = since == SL_EVENTS_NOW ? info.event_seq : since > 0 ? since - 1 : 0;
    if (!endpoint && *info.events_endpoint)
        endpoint = info.events_endpoint;
    return endpoint ? subscribe(e, endpoint) : SL_OK;
}

int sl_events_open(struct sl *sl, const struct sl_events_options *o, struct sl_events **out)
{
    static const struct sl_events_options none;
    if (!o)
        o = &none;
    *out = NULL;
    int rc = sl__enter(sl);
    if (rc != SL_OK)
        return rc;
    if (o->look_ms < 0 || o->look_ms > INT_MAX || (o->stream && !stream_ok(o->stream)))
        return sl__fail(sl, SL_MISUSE, "stream", "a stream is all, line/NAME, run/NAME or hub/NAME");
    struct sl_events *e = calloc(1, sizeof *e);
    if (!e)
        return sl__fail(sl, SL_NO_MEMORY, "", NULL);
    e->sl = sl;
    e->look_us = (o->look_ms ? o->look_ms : LOOK_MS) * 1000;
    zmq_msg_init(&e->frame);
    e->next = sl->events;
    sl->events = e;
    e->stream = strdup(o->stream ? o->stream : "all");
    rc = e->stream ? start(e, o->since) : sl__fail(sl, SL_NO_MEMORY, "", NULL);
    if (rc != SL_OK) {
        struct sl_error why = sl->error;
        sl_events_close(&e);
        sl->error = why;
        return rc;
    }
    /* Past events first; without any to ask for, a look soon after the subscription went out. */
    e->more = o->since != SL_EVENTS_NOW;
    e->look_at_us = sl__now_us() + FIRST_LOOK_US;
    *out = e;
    return SL_OK;
}

void sl_events_close(struct sl_events **events)
{
    struct sl_events *e = events ? *events : NULL;
    if (!e || e->sl->in_callback)
        return;
    struct sl_events **at = &e->sl->events;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    if (e->sub)
        zmq_close(e->sub);
    zmq_msg_close(&e->frame);
    free(e->stream);
    free(e);
    *events = NULL;
}
