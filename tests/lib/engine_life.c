/* A random life: see engine_life.h. */
#include "tests/lib/engine_life.h"

#include <stdio.h>
#include <string.h>

static const char *const line = "line: life\ninput:\n  - {name: text, type: text}\nstations:\n"
                                "  - name: a\n    form: {fields: [{name: answer, type: short_answer}]}\n    lease: "
                                "20s\n    backoff: 2s\n    attempts: 2\n"
                                "  - name: b\n    when: a.answer == \"1\"\n    form: {fields: [{name: answer, type: "
                                "short_answer}]}\n    lease: 10s\n"
                                "  - name: c\n    after: [a]\n    form: {fields: [{name: answer, type: "
                                "short_answer}]}\n    start_by: 5s\n    lease: 10s\n"
                                "  - name: d\n    after: [b, c]\n    form: {fields: [{name: answer, type: "
                                "short_answer}]}\n    lease: 10s\n    attempts: 1\n";
static const char *const run_name[] = { "one", "two" };

static unsigned roll(uint64_t *seed, unsigned n) /* xorshift64* */
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (unsigned)((*seed * 2685821657736338717ull) >> 40) % n;
}

struct cast {
    struct world *w;
    struct world_hub hub[2];
    uint64_t run[2], seed;
    uint32_t station;
    unsigned top;
};

static void put_some(struct cast *c)
{
    struct slp_buf b = { 0 };
    unsigned n = 1 + roll(&c->seed, 8);
    for (unsigned i = 0; i < n; i++) {
        char text[32];
        snprintf(text, sizeof text, "unit %u", ++c->w->units_put);
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, text);
    }
    struct slp_put q = { .run_id = c->run[roll(&c->seed, 2)],
                         .rows = { b.p, (uint32_t)b.n, n },
                         .delay_us = roll(&c->seed, 4) ? 0 : 3000000 };
    SLP_SET(&q, put, delay_us);
    world_send(c->w, WORLD_CLIENT, SLP_PUT, &q);
    slp_buf_free(&b);
}

/* Whose an assignment is nobody knows here: all four claim it, and three are refused. */
static void work_some(struct cast *c)
{
    if (!c->top)
        return;
    struct world_task t = { .assignment = 1 + roll(&c->seed, c->top) };
    unsigned what = roll(&c->seed, 15);
    char answer[2] = { (char)('0' + roll(&c->seed, 2)), 0 };
    for (unsigned i = 0; i < 4; i++) {
        struct world_hub *h = &c->hub[i / 2];
        t.worker = h->worker[i % 2];
        if (what < 6)
            world_submit(c->w, h, &t, answer);
        else
            world_act(c->w, h, &t, what > 11 ? ACT_START : what - 6, "why not", NULL);
    }
}

static void operate(struct cast *c)
{
    const char *run = run_name[roll(&c->seed, 2)];
    struct slp_run_set set = { .run = world_str(run), .action = RUN_SET_PAUSE + roll(&c->seed, 2) };
    struct slp_station_set station = { .line = world_str("life"),
                                       .station = world_str("c"),
                                       .action = roll(&c->seed, 2) };
    struct slp_buf b = { 0 };
    struct slp_tasks_set tasks = { .station_id = c->station + roll(&c->seed, 4),
                                   .action = roll(&c->seed, 8) == 0,
                                   .run = world_str(run) };
    switch (roll(&c->seed, 5)) {
    case 0: world_send(c->w, WORLD_CLIENT, SLP_RUN_SET, &set); break;
    case 1:
        set.action = RUN_SET_PRIORITY;
        set.priority = 4 + roll(&c->seed, 3);
        SLP_SET(&set, run_set, priority);
        world_send(c->w, WORLD_CLIENT, SLP_RUN_SET, &set);
        break;
    case 2: world_send(c->w, WORLD_CLIENT, SLP_STATION_SET, &station); break;
    default:
        SLP_SET(&tasks, tasks_set, run);
        if (roll(&c->seed, 3)) {
            uint32_t n = 1 + roll(&c->seed, 3);
            for (uint32_t i = 0; i < n; i++)
                slp_pack_u64(&b, 1 + roll(&c->seed, 60));
            tasks.units = (struct slp_list){ b.p, (uint32_t)b.n, n };
            SLP_SET(&tasks, tasks_set, units);
        }
        world_send(c->w, WORLD_CLIENT, SLP_TASKS_SET, &tasks);
    }
    slp_buf_free(&b);
}

static void start_anew(struct cast *c, bool really, unsigned batch)
{
    world_batch(c->w, 1);
    if (really)
        world_restart(c->w);
    else
        world_boot(c->w);
    for (int i = 0; i < 2; i++) {
        world_hello(c->w, &c->hub[i], NULL, 0);
        for (unsigned k = 0; k < 2; k++)
            world_credit(c->w, &c->hub[i], k, 2);
    }
    world_batch(c->w, batch);
}

void life_live(struct world *w, const struct life *l)
{
    struct cast c = { .w = w, .seed = l->seed * 0x9E3779B97F4A7C15ull + 1 };
    world_open(w);
    char limited[sizeof "line: life\n" + 1000];
    const char *first = strstr(line, "  - name: b");
    snprintf(limited, sizeof limited, "%.*s    at_once: %u\n%s", (int)(first - line), line, l->at_once, first);
    c.station = world_line(w, l->at_once ? limited : line);
    for (int i = 0; i < 2; i++) {
        c.run[i] = world_run(w, "life", run_name[i]);
        world_hub(w, &c.hub[i], i ? "east" : "west", 2, (unsigned)i);
    }
    world_batch(w, l->batch);
    for (unsigned step = 1; step <= l->steps; step++) {
        unsigned us = roll(&c.seed, 800000);
        w->now_us += us;
        w->wall_us += us;
        unsigned what = roll(&c.seed, 16);
        if (what < 2) {
            put_some(&c);
        } else if (what < 5) {
            unsigned more = 1 + roll(&c.seed, 3);
            c.top += more;
            struct world_hub *h = &c.hub[roll(&c.seed, 2)];
            world_credit(w, h, roll(&c.seed, 2), more);
        } else if (what < 12) {
            work_some(&c);
        } else if (what < 14) {
            world_tick(w);
        } else if (what == 14) {
            operate(&c);
        } else {
            unsigned hub = roll(&c.seed, 2), who = roll(&c.seed, 2);
            if (roll(&c.seed, 4))
                world_beat(w, &c.hub[hub]);
            else
                world_sign_off(w, &c.hub[hub], who);
        }
        if (step == l->restart_at)
            start_anew(&c, l->really, l->batch);
    }
    world_batch(w, 1);
    world_pass(w, 2000000);
}
