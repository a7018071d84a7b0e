/* A second agent of a hub: somebody starts one on another machine, over another data directory (with --takeover) or over a copy of the first one's.
 * Both run for a while; the broker lets only one of them have the hub, and the other must stop. Later the second one goes for good, whatever it
 * still held, and the first is started again by hand. */
#include <inttypes.h>

#include "tests/sim/sim.h"

static happening comes, goes;

static void later(struct sim *s, struct hub *t, int64_t mean, happening *what)
{
    if (mean != NEVER && !s->calm)
        sched_at(s, s->now_us + rng_range(&t->rng, mean / 10 + 1, mean * 2), what, t->index, 0);
}

static void comes(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *t = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    struct hub *h = &s->hub[t->like];
    struct data d = { 0 };
    bool copied = rng_chance(&t->rng, 400000);
    if (copied) {
        hub_data_copy(s, h, &d);
        s->tally.agent_copies++;
    } else {
        d.there = true;
        CHECK(s, (d.outbox = calloc(1, sizeof *d.outbox)) && (d.journal = calloc(1, sizeof *d.journal)));
        for (int k = 0; k < 16; k++)
            d.id[k] = (uint8_t)rng_u64(&t->rng);
        s->tally.takeovers++;
    }
    hub_data_put(s, t, &d);
    t->takeover = !copied;
    t->boot_us = s->now_us - rng_range(&t->rng, SEC, DAY);
    TELL(s, "%s: a second agent starts over %s", t->name,
         copied ? "a copy of the first one's data" : "data of its own, taking over");
    hub_comes_up(s, t);
    sched_at(s, s->now_us + rng_spread(&t->rng, SEC, 6 * HOUR), goes, index, 0);
}

static void stop(struct sim *s, struct hub *t)
{
    t->wanted = false;
    if (t->up)
        hub_ends(s, t, SEC);
}

static void goes(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *t = &s->hub[index], *h = &s->hub[t->like];
    (void)unused;
    if (s->calm)
        return;
    TELL(s, "%s: the second agent is switched off", t->name);
    stop(s, t);
    if (h->up)
        hub_ends(s, h, rng_spread(&t->rng, SEC, MINUTE));
    h->takeover = true;
    later(s, t, s->plan.takeover_every_us, comes);
}

void twins_open(struct sim *s)
{
    if (s->plan.takeover_every_us == NEVER)
        return;
    struct rng r = rng_of(s->plan.seed, "twins", 0);
    for (uint32_t i = 0; i < TWINS_MAX; i++) {
        struct hub *t = &s->hub[s->hubs];
        t->index = s->hubs++;
        t->like = (uint32_t)rng_below(&r, s->plan.hubs);
        t->rng = rng_of(s->plan.seed, "twin", i);
        memcpy(t->name, s->hub[t->like].name, sizeof t->name);
        staff_make(s, t);
        later(s, t, s->plan.takeover_every_us, comes);
    }
}

void twins_calm(struct sim *s)
{
    for (uint32_t i = s->plan.hubs; i < s->hubs; i++) {
        stop(s, &s->hub[i]);
        hub_promises_end(s, &s->hub[i]);
    }
}
