/* Subscribers: they take published frames, see by the sequence when some are missing, ask for these, and so must end with every event of their stream. */
#include <inttypes.h>

#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

static happening look, goes_away;
static const char *const streams[] = { "all", "run/run0", "hub/hub1", "line/line0" };

static void ask(struct sim *s, struct watcher *w)
{
    struct slp_events_get q = { .since = w->since + 1,
                                .stream = { w->stream, (uint32_t)strlen(w->stream) },
                                .limit = 500 };
    struct slp_buf b = { 0 };
    SLP_SET(&q, events_get, stream);
    SLP_SET(&q, events_get, limit);
    w->asking = ++w->next_id;
    w->asked_from = q.since;
    w->asked_us = s->now_us;
    CHECK(s, slp_encode(&b, SLP_EVENTS_GET, w->asking, &q) == 0);
    net_send_up(s, &w->wire, b.p, b.n);
    slp_buf_free(&b);
}

/* Take what follows on what was seen; false: something is missing before it, and it was not asked for. Of what was asked for nothing may be missing: the checker is told, and says so. */
static bool take(struct sim *s, struct watcher *w, const struct slp_events *e, bool asked_for)
{
    struct slp_cursor c = slp_each(e->events);
    uint64_t prev = e->prev_seq;
    for (struct slp_item_event it; slp_next_event(&c, &it); prev = it.seq) {
        if (it.seq <= w->seq)
            continue;
        if (prev > w->seq && prev >= w->gone && !asked_for)
            return false;
        checker_feed(s->checker, &(struct fact){ .kind = FACT_SUBSCRIBER,
                                                 .worker = (uint64_t)(w - s->watcher),
                                                 .prev = prev,
                                                 .seq = it.seq,
                                                 .digest = event_digest(&it) });
        w->seq = it.seq;
    }
    if (e->next_since >
        w->since + 1) /* up to there this stream has nothing else: a page may hold none of it, and say where to go on */
        w->since = e->next_since - 1;
    return true;
}

/* He would read the state anew; and goes on from what is kept. */
static void is_told_gone(struct sim *s, struct watcher *w, uint64_t oldest)
{
    checker_feed(s->checker, &(struct fact){ .kind = FACT_GONE,
                                             .worker = (uint64_t)(w - s->watcher),
                                             .prev = w->asked_from,
                                             .seq = oldest,
                                             .count = s->plan.event_keep,
                                             .flag = s->plan.away_every_us != NEVER });
    s->tally.gone_told++;
    TELL(s, "the subscriber of %s asked for events from %" PRIu64 " on, they are kept from %" PRIu64 " on", w->stream,
         w->asked_from, oldest);
    w->gone = oldest > w->gone ? oldest : w->gone;
    if (oldest > w->since + 1) /* he may have got later ones meanwhile */
        w->since = oldest - 1;
    if (oldest > w->asked_from)
        ask(s, w);
}

void watcher_take(struct sim *s, struct watcher *w, const struct frame *f)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (s->now_us < w->away_us && !s->calm)
        return;
    if (slp_decode(f->bytes, f->n, SLP_B2M | SLP_B2C, &m, &fault) != 0)
        sim_broken(s, "a subscriber got what cannot be read: %s", fault.place);
    if (m.id && m.id != w->asking)
        return;
    if (m.id)
        w->asking = 0;
    if (m.type == SLP_ERROR && m.u.error.code == SLP_E_GONE)
        is_told_gone(s, w, m.u.error.oldest);
    if (m.type != SLP_EVENTS)
        return; /* its stream is not there yet */
    if (!take(s, w, &m.u.events, m.id != 0)) {
        if (!w->asking)
            ask(s, w);
    } else if (m.id && m.u.events.more) {
        ask(s, w);
    }
}

static void look(struct sim *s, uint64_t index, uint64_t unused)
{
    struct watcher *w = &s->watcher[index];
    (void)unused;
    bool there = s->now_us >= w->away_us || s->calm;
    bool unanswered = w->asking && s->now_us - w->asked_us > MINUTE;
    if (there && unanswered) /* perhaps it is the link */
        w->wire.peer = net_peer(s, SIDE_WATCHER, (uint32_t)index);
    if (there && (unanswered || !w->asking))
        ask(s, w); /* the last frames before a silence may be lost, too */
    sched_at(s, s->now_us + (s->calm ? MINUTE : 20 * MINUTE), look, index, 0);
}

static void goes_away(struct sim *s, uint64_t index, uint64_t nth)
{
    struct rng r = rng_of(s->plan.seed, "away", nth * WATCHERS_MAX + index);
    if (s->calm)
        return;
    s->watcher[index].away_us = s->now_us + rng_spread(&r, MINUTE, 6 * HOUR);
    sched_at(s, s->watcher[index].away_us + rng_spread(&r, MINUTE, s->plan.away_every_us), goes_away, index, nth + 1);
}

void watchers_open(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.watchers; i++) {
        struct watcher *w = &s->watcher[i];
        w->of = s->plan.line_watched && i + 1 == s->plan.watchers ? WATCHES_LINE : (enum watched)i;
        snprintf(w->stream, sizeof w->stream, "%s", streams[w->of]);
        w->wire.peer = net_peer(s, SIDE_WATCHER, i);
        w->cuts = rng_of(s->plan.seed, "subscriber's cuts", i);
        net_cuts(s, SIDE_WATCHER, i, &w->cuts);
        sched_at(s, s->now_us + (int64_t)(i + 1) * SEC, look, i, 0);
        if (s->plan.away_every_us != NEVER)
            sched_at(s, s->now_us + s->plan.away_every_us / (i + 2), goes_away, i, 0);
    }
}

struct fact watcher_about(const struct sim *s, uint32_t index)
{
    struct fact f = { .kind = FACT_SUBSCRIBED, .worker = index };
    if (s->watcher[index].of == WATCHES_RUN)
        f.run = s->producer[0].run_id ? s->producer[0].run_id : UINT64_MAX;
    if (s->watcher[index].of == WATCHES_HUB)
        f.hub = s->hub[1].number ? s->hub[1].number : UINT64_MAX;
    if (s->watcher[index].of == WATCHES_LINE)
        f.line = s->line[0].id ? s->line[0].id : UINT64_MAX;
    return f;
}

static bool wanted(void *arg, const char *topic)
{
    struct sim *s = arg;
    for (uint32_t i = 0; i < s->plan.watchers; i++)
        if (!strcmp(s->watcher[i].stream, topic))
            return true;
    return false;
}

static void emit(void *arg, const char *topic, const char *body, size_t n)
{
    struct sim *s = arg;
    memory_pause();
    in_broker = false;
    for (uint32_t i = 0; i < s->plan.watchers; i++)
        if (!strcmp(s->watcher[i].stream, topic))
            net_send_down(s, s->watcher[i].wire.peer, body, n);
    in_broker = true;
    memory_go();
}

void watchers_publish(struct sim *s, const struct effects *of)
{
    if (!of->last_event)
        return;
    memory_go();
    int rc = BROKER(reader_publish(s->server.reader, of->first_event, of->last_event, wanted, emit, s));
    memory_pause();
    if (rc && !memory_failed() &&
        !memory_lmdb_failed()) { /* what cannot be read is not published: a gap, and who sees it asks */
        damage_refused(s);
        sim_broken(s, "a publication failed");
    }
}
