/* What subscribers saw: each event of their stream, once, in order, as the store has it; and of what is no longer kept, that it is not. */
#include <inttypes.h>

#include "tests/sim/checker_model.h"

uint64_t checker_newest(const struct checker *c, const struct fact *of)
{
    if (of->run) {
        const struct ck_run *r = ck_get(&c->runs, of->run);
        return r && r->state != RUN_IS_DELETED ? r->newest_event : 0;
    }
    if (of->hub) {
        const struct ck_hub *h = ck_get(&c->hubs, of->hub);
        return h ? h->newest_event : 0;
    }
    if (of->line) {
        const struct ck_line *l = ck_get(&c->lines, of->line);
        return l ? l->newest_event : 0;
    }
    return c->newest_event;
}

static void body(struct checker *c, const struct fact *f)
{
    while (c->bodies < f->seq) {
        c->body = ck_more(c->body, &c->body_cap, c->bodies, sizeof *c->body);
        c->body[c->bodies++] = 0;
    }
    c->body[f->seq - 1] = f->digest;
}

static void saw(struct checker *c, const struct fact *f)
{
    struct ck_subscriber *s = ck_make(&c->subscribers, f->worker, sizeof *s);
    bool gone = s->seq < f->prev && f->prev < s->gone; /* what came before it is not kept, as he was told */
    if (s->seq != f->prev && !gone)
        ck_verdict(c, EVENT_GAP,
                   "subscriber %" PRIu64 ": event %" PRIu64 " says that %" PRIu64
                   " came before it, the last one seen is %" PRIu64,
                   f->worker, f->seq, f->prev, s->seq);
    s->seq = f->seq;
    uint64_t stored = f->seq <= c->bodies ? c->body[f->seq - 1] : 0;
    if (c->bodies && !stored)
        ck_verdict(c, UNEXPECTED, "subscriber %" PRIu64 ": event %" PRIu64 " is not in the store", f->worker, f->seq);
    else if (c->bodies && stored != f->digest)
        ck_verdict(c, BYTES_DIFFER, "subscriber %" PRIu64 ": event %" PRIu64 " is another one in the store", f->worker,
                   f->seq);
}

static void is_gone(struct checker *c, const struct fact *f)
{
    struct ck_subscriber *s = ck_make(&c->subscribers, f->worker, sizeof *s);
    if (!f->flag || f->seq <= f->prev || f->seq > c->newest_event + 1 ||
        (f->count && f->seq + f->count > c->newest_event))
        ck_verdict(c, EVENT_GAP,
                   "subscriber %" PRIu64 ": asked for events from %" PRIu64 " on, of %" PRIu64
                   ", and was told that they are kept from %" PRIu64 " on",
                   f->worker, f->prev, c->newest_event, f->seq);
    if (f->seq > s->gone)
        s->gone = f->seq;
}

static void saw_all(struct checker *c, const struct fact *f)
{
    const struct ck_subscriber *s = ck_get(&c->subscribers, f->worker);
    uint64_t newest = checker_newest(c, f);
    if (newest && (!s || (s->seq != newest && newest >= s->gone)))
        ck_verdict(c, EVENT_GAP, "subscriber %" PRIu64 " ended with event %" PRIu64 " of %" PRIu64, f->worker,
                   s ? s->seq : 0, newest);
}

void ck_stream(struct checker *c, const struct fact *f)
{
    switch (f->kind) {
    case FACT_BODY: body(c, f); break;
    case FACT_SUBSCRIBER: saw(c, f); break;
    case FACT_GONE: is_gone(c, f); break;
    default: saw_all(c, f); break;
    }
}
