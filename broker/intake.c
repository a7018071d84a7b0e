/* Intake: from the sockets to whoever handles a message. Here a peer's bytes are checked completely; past this point
 * there are only well-formed messages. */
#include <assert.h>
#include <string.h>

#include "broker/dispatch.h"
#include "broker/parts.h"
#include "broker/answer.h"

#define BURST_MESSAGES 512 /* handed over at once, so that an idle committer begins early */
#define BURST_BYTES (512u << 10)
#define BUSY_AFTER_MS 200

static const unsigned ways_of[] = { [SIDE_CLIENTS] = SLP_C2B, [SIDE_AGENTS] = SLP_A2B };
static const char *const side_names[] = { [SIDE_CLIENTS] = "clients", [SIDE_AGENTS] = "agents" };

/* Answer the message received last on that side with an error; nothing was changed by it. */
static void refuse(struct loop *l, enum transport_side side, uint64_t id, enum slp_code code, const char *place,
                   const char *text, int64_t now_us)
{
    uint64_t suppressed;
    bool busy = code == SLP_E_BUSY;
    *(busy ? &l->busy_answers : &l->refused) += 1;
    if (answer_error(&l->scratch, id, code, place, text, busy ? BUSY_AFTER_MS : 0) == 0) {
        transport_answer(l->transport, side, l->scratch.p, l->scratch.n);
    }
    if (log_allowed(&l->refusals, now_us, &suppressed)) {
        struct log_line line;
        log_begin(&line, LOG_LEVEL_WARN, busy ? "busy" : "refused");
        log_str(&line, "side", side_names[side]);
        log_str(&line, "code", slp_error_name(code));
        log_str(&line, "place", place ? place : "");
        log_u64(&line, "id", id);
        log_u64(&line, "suppressed", suppressed);
        log_end(&line);
    }
}

static void answer_info(struct loop *l, enum transport_side side, uint64_t id)
{
    static const char version[] = SUNLINE_VERSION;
    const char *events = transport_endpoint(l->transport, SIDE_EVENTS);
    struct slp_info i;
    memset(&i, 0, sizeof i);
    i.version = (struct slp_bytes){ version, sizeof version - 1 };
    i.protocol = SL_PROTOCOL_VERSION;
    i.store_id = (struct slp_bytes){ (const char *)store_id(l->store), 16 };
    i.event_seq = l->last_event;
    i.wall_us = clock_wall_us();
    i.events_endpoint = (struct slp_bytes){ events, (uint32_t)strlen(events) };
    SLP_SET(&i, info, events_endpoint);
    slp_buf_clear(&l->scratch);
    if (slp_encode(&l->scratch, SLP_INFO, id, &i) == 0) {
        transport_answer(l->transport, side, l->scratch.p, l->scratch.n);
    }
}

/* Hand a decoded message on. True: the item is somebody else's now. */
static bool route(struct loop *l, enum transport_side side, struct item *i, struct items *batch, int64_t now_us)
{
    const struct dispatch_row *row = dispatch_find(i->msg.type);
    if (!row) { /* in the catalogue, but not for us: a test sees that there is none */
        refuse(l, side, i->msg.id, SLP_E_UNKNOWN_MESSAGE, NULL, NULL, now_us);
        return false;
    }
    switch (row->handler) {
    case BY_ENGINE: items_add(batch, i); return true;
    case BY_READER:
        if (readers_put(l->readers, i)) {
            return true;
        }
        refuse(l, side, i->msg.id, SLP_E_BUSY, NULL, "too many reads wait", now_us);
        return false;
    case BY_BACKUP:
        if (readers_backup(l->readers, i)) {
            return true;
        }
        refuse(l, side, i->msg.id, SLP_E_BUSY, NULL, "a backup is under way", now_us);
        return false;
    case BY_LOOP:
        assert(i->msg.type == SLP_INFO_GET);
        answer_info(l, side, i->msg.id);
        return false;
    }
    return false;
}

/* False: nothing waits on that side, or there is no memory for it now. */
static bool receive_one(struct loop *l, enum transport_side side, struct items *batch, int64_t now_us)
{
    struct item *i = item_new(&l->items);
    struct slp_fault fault;
    if (!i) {
        return false; /* it stays in the socket; memory may be there later */
    }
    enum transport_got got = transport_receive(l->transport, side, now_us, &i->frame, &i->peer);
    bool handed_on = false;
    switch (got) {
    case GOT_NOTHING: break;
    case GOT_MULTIPART:
        refuse(l, side, 0, SLP_E_MALFORMED, "frame", "a message is exactly one frame; use a DEALER socket", now_us);
        break;
    case GOT_CROWD: refuse(l, side, 0, SLP_E_BUSY, NULL, "too many peers", now_us); break;
    case GOT_MESSAGE:
        if (slp_decode(zmq_msg_data(&i->frame), zmq_msg_size(&i->frame), ways_of[side], &i->msg, &fault) < 0) {
            refuse(l, side, i->msg.id, fault.code, fault.place, NULL, now_us);
        } else {
            handed_on = route(l, side, i, batch, now_us);
        }
        break;
    }
    if (!handed_on) {
        item_done(&l->items, i);
    }
    return got != GOT_NOTHING;
}

uint32_t intake(struct loop *l, int64_t now_us)
{
    uint32_t used_items, n = 0;
    uint64_t used_bytes, bytes_max = committer_batch_bytes(l->committer);
    struct items batch = { 0 };
    bool more[] = { [SIDE_CLIENTS] = true, [SIDE_AGENTS] = true };
    if (bytes_max > l->config.batch_bytes) {
        bytes_max = l->config.batch_bytes;
    }
    inbox_used(l->inbox, &used_items, &used_bytes);
    l->crowded = l->drained = false;
    while (n < BURST_MESSAGES && batch.bytes < BURST_BYTES) {
        if (used_items + batch.count >= l->config.batch_items || used_bytes + batch.bytes >= bytes_max) {
            l->crowded = true;
            break;
        }
        if (!more[SIDE_CLIENTS] && !more[SIDE_AGENTS]) {
            l->drained = true;
            break;
        }
        /* In turn, so that neither side can keep the other waiting. */
        enum transport_side side = n % 2 && more[SIDE_AGENTS] ? SIDE_AGENTS
                                   : more[SIDE_CLIENTS]       ? SIDE_CLIENTS
                                                              : SIDE_AGENTS;
        more[side] = receive_one(l, side, &batch, now_us);
        n += more[side];
    }
    if (batch.first) {
        inbox_put(l->inbox, &batch);
    }
    l->crowded = l->crowded && inbox_crowded(l->inbox);
    return n;
}
