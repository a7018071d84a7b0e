/* Frames between actors and the broker. In calm weather each arrives once, in order, after a moment. Else it may be lost, come several times (now,
 * or much later: a replay), overtake others, or be held up for hours; and each way of each wire may be cut for a while on its own. */
#include <inttypes.h>

#include "tests/sim/sim.h"

#define FOREVER_LATE_DUPS 3

void net_open(struct sim *s)
{
    s->net = (struct net){ .rng = rng_of(s->plan.seed, "net", 0) };
    net_peer(s, SIDE_HUB, UINT32_MAX); /* 0 is nobody */
}

uint64_t net_peer(struct sim *s, enum side side, uint32_t index)
{
    struct net *n = &s->net;
    if (n->peers == n->cap)
        CHECK(s, n->peer = realloc(n->peer, (n->cap = n->cap * 2 + 64) * sizeof *n->peer));
    n->peer[n->peers] = (struct peer){ .side = side, .index = index, .open = true };
    return n->peers++;
}

struct wire *net_wire(struct sim *s, enum side side, uint32_t index)
{
    switch (side) {
    case SIDE_HUB: return &s->hub[index].wire;
    case SIDE_PRODUCER: return &s->producer[index].wire;
    case SIDE_OPERATOR: return &s->operator.wire;
    case SIDE_WATCHER: return &s->watcher[index].wire;
    }
    return NULL;
}

static void drop(struct frame *f)
{
    if (--f->refs == 0)
        free(f);
}

static void arrive_up(struct sim *s, uint64_t frame, uint64_t unused)
{
    struct frame *f = (struct frame *)(uintptr_t)frame;
    (void)unused;
    if (f->peer < s->net.stopped && s->net.peer[f->peer].side == SIDE_PRODUCER) {
        drop(f);
        return;
    }
    sim_hash(s, f->bytes, f->n);
    server_take(s, f);
}

static void arrive_down(struct sim *s, uint64_t frame, uint64_t unused)
{
    struct frame *f = (struct frame *)(uintptr_t)frame;
    struct peer *p = &s->net.peer[f->peer];
    (void)unused;
    sim_hash(s, f->bytes, f->n);
    if (net_wire(s, p->side, p->index)->peer == f->peer) /* else it reconnected meanwhile */
        switch (p->side) {
        case SIDE_HUB: hub_take(s, &s->hub[p->index], f); break;
        case SIDE_PRODUCER: producer_take(s, &s->producer[p->index], f); break;
        case SIDE_OPERATOR: operator_take(s, f); break;
        case SIDE_WATCHER: watcher_take(s, &s->watcher[p->index], f); break;
        }
    drop(f);
}

void net_redeliver(struct sim *s, struct frame *f, int64_t at)
{
    sched_at(s, at, arrive_up, (uint64_t)(uintptr_t)f, 0);
}

static struct frame *frame_new(struct sim *s, uint64_t peer, const char *p, size_t n)
{
    struct frame *f = malloc(sizeof *f + n);
    CHECK(s, f && n <= SL_FRAME_BYTES_MAX);
    *f = (struct frame){ .peer = peer, .n = (uint32_t)n };
    memcpy(f->bytes, p, n);
    return f;
}

/* When it arrives; each copy on its own. */
static int64_t arrival(struct sim *s, struct way *way)
{
    struct rng *r = &s->net.rng;
    const struct plan *p = &s->plan;
    int64_t at = s->now_us + (s->calm ? rng_range(r, 200, 20000) : rng_spread(r, 200, p->delay_max_us));
    bool late = !s->calm && rng_chance(r, p->late_ppm);
    if (late) {
        at = s->now_us + rng_spread(r, SEC, p->late_max_us);
        s->net.late++;
    }
    if (s->calm || !p->reorder) {
        at = at < way->last_us ? way->last_us : at; /* behind the one before it */
        way->last_us = at;
    }
    s->net.overtaken += at < way->newest_us;
    if (at > way->newest_us)
        way->newest_us = at;
    return at;
}

static void send(struct sim *s, struct frame *f, int64_t cut_us, struct way *way, happening *arrive)
{
    struct rng *r = &s->net.rng;
    s->net.sent++;
    f->refs = 1;
    if (!s->calm && (s->now_us < cut_us || rng_chance(r, s->plan.loss_ppm))) {
        s->net.lost++;
        drop(f);
        return;
    }
    int64_t at = arrival(s, way);
    unsigned copies = 1;
    while (!s->calm && copies < FOREVER_LATE_DUPS && rng_chance(r, s->plan.dup_ppm))
        copies++;
    f->refs += copies - 1;
    s->net.doubled += copies - 1;
    sched_at(s, at, arrive, (uint64_t)(uintptr_t)f, 0);
    for (unsigned i = 1; i < copies; i++) /* a replay may come soon, or when everybody has forgotten */
        sched_at(s, at + (rng_chance(r, 300000) ? rng_spread(r, 1, s->plan.late_max_us) : rng_range(r, 1, SEC)), arrive,
                 (uint64_t)(uintptr_t)f, 0);
}

void net_send_up(struct sim *s, struct wire *w, const char *p, size_t n)
{
    struct peer *peer = &s->net.peer[w->peer];
    send(s, frame_new(s, w->peer, p, n), w->cut_up_us, &peer->up, arrive_up);
}

void net_send_down(struct sim *s, uint64_t to, const char *p, size_t n)
{
    struct peer *peer = &s->net.peer[to];
    CHECK(s, to && to < s->net.peers);
    send(s, frame_new(s, to, p, n), net_wire(s, peer->side, peer->index)->cut_down_us, &peer->down, arrive_down);
}

/* ---- cuts ---- */

static happening cut;

static void cut_later(struct sim *s, enum side side, uint32_t index)
{
    int64_t mean = s->plan.cut_every_us;
    if (mean != NEVER && !s->calm)
        sched_at(s, s->now_us + rng_range(net_wire(s, side, index)->die, mean / 10 + 1, mean * 2), cut, side, index);
}

void net_cuts(struct sim *s, enum side side, uint32_t index, struct rng *die)
{
    net_wire(s, side, index)->die = die;
    cut_later(s, side, index);
}

static void count_cut(struct sim *s, enum side side, uint32_t index, uint64_t which)
{
    struct tally *t = &s->tally;
    uint64_t *of[][3] = {
        [SIDE_HUB] = { &t->links_cut_inwards, &t->links_cut_outwards, &t->links_cut_both_ways },
        [SIDE_PRODUCER] = { &t->producers_cut_inwards, &t->producers_cut_outwards, &t->producers_cut_both_ways },
        [SIDE_OPERATOR] = { &t->operators_cut_inwards, &t->operators_cut_outwards, &t->operators_cut_both_ways },
        [SIDE_WATCHER] = { &t->subscribers_cut_inwards, &t->subscribers_cut_outwards, &t->subscribers_cut_both_ways },
    };
    if (side != SIDE_PRODUCER || s->producer[index].state != P_OVER)
        ++*of[side][which];
}

static void cut(struct sim *s, uint64_t side, uint64_t index)
{
    static const char *const who[] = { "hub", "producer", "operator", "subscriber" };
    static const char *const how[] = { "inwards", "outwards", "both ways" };
    struct wire *w = net_wire(s, (enum side)side, (uint32_t)index);
    if (s->calm)
        return;
    int64_t until = s->now_us + rng_spread(w->die, SEC, s->plan.cut_max_us);
    uint64_t which = rng_below(w->die, 3);
    if (which != 0)
        w->cut_up_us = until;
    if (which != 1)
        w->cut_down_us = until;
    count_cut(s, (enum side)side, (uint32_t)index, which);
    TELL(s, "%s%" PRIu64 ": its link is cut %s for %" PRId64 " s", who[side], index, how[which],
         (until - s->now_us) / SEC);
    cut_later(s, (enum side)side, (uint32_t)index);
}

void net_calm(struct sim *s)
{
    for (uint64_t i = 1; i < s->net.peers; i++) {
        struct wire *w = net_wire(s, s->net.peer[i].side, s->net.peer[i].index);
        w->cut_up_us = w->cut_down_us = 0;
    }
}

void net_free(struct sim *s)
{
    for (size_t i = 0; i < s->sched.n; i++) /* what is still under way */
        if (s->sched.v[i].what == arrive_up || s->sched.v[i].what == arrive_down)
            drop((struct frame *)(uintptr_t)s->sched.v[i].a);
    free(s->net.peer);
}
