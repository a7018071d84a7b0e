/* See shop.h. */
#include "tests/bench/shop.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/common.h"

#define PER_LINE 5
#define SKILLS 5 /* of a profile */
#define ROSTER_ITEMS 1000
#define PRODUCER 1

static void must(bool ok, const char *what)
{
    if (!ok)
        die("%s", what);
}

/* ---- what it costs ---- */

static int counter = -2;

static int counter_open(void)
{
    struct perf_event_attr a = { .type = PERF_TYPE_HARDWARE,
                                 .size = sizeof a,
                                 .config = PERF_COUNT_HW_INSTRUCTIONS,
                                 .exclude_kernel = 1,
                                 .exclude_hv = 1 };
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

bool shop_counts(void)
{
    if (counter == -2)
        counter = counter_open();
    return counter >= 0;
}

static uint64_t instructions(void)
{
    uint64_t n = 0;
    return shop_counts() && read(counter, &n, sizeof n) == sizeof n ? n : 0;
}

static double cpu_thread_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cost begin(void)
{
    return (struct cost){ now_s(), cpu_thread_s(), instructions() };
}

static void end(struct shop *s, struct cost was)
{
    uint64_t n = instructions();
    if (!s->counting)
        return;
    s->cost.cpu_s += cpu_thread_s() - was.cpu_s;
    s->cost.wall_s += now_s() - was.wall_s;
    s->cost.instructions += n - was.instructions;
}

void shop_measure(struct shop *s)
{
    s->cost = (struct cost){ 0, 0, 0 };
    s->commit_s = 0;
    s->counting = true;
}

/* ---- inputs and what comes of them ---- */

static void step(struct shop *s, enum input_kind kind, uint64_t peer, const struct slp_msg *m)
{
    struct input in = {
        .kind = kind, .elapsed_us = s->now_us, .wall_us = s->wall_us + s->now_us, .peer = peer, .msg = m, .restart = 77
    };
    struct cost was = begin();
    if (!s->t) {
        must(store_begin(s->store, &s->t) == STORE_OK, "begin");
        must(engine_batch_begin(s->engine, s->t, &s->out) == STORE_OK, "batch");
    }
    must(engine_step(s->engine, &in) == STORE_OK, "step");
    end(s, was);
}

double shop_spent_s(const struct shop *s)
{
    return s->cost.wall_s + s->commit_s;
}

static int by_assignment(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void recalled(struct shop *s, uint64_t peer, const struct slp_recall *r)
{
    struct shop_hub *h = &s->hub[peer - 2];
    uint64_t v[SL_BATCH_ITEMS_MAX];
    uint32_t n = 0, kept = 0;
    struct slp_cursor c = slp_each(r->assignments);
    while (n < SL_BATCH_ITEMS_MAX && slp_next_u64(&c, &v[n]))
        n++;
    qsort(v, n, sizeof *v, by_assignment);
    for (uint32_t i = 0; i < h->holds; i++)
        if (!bsearch(&h->held[i].assignment, v, n, sizeof *v, by_assignment))
            h->held[kept++] = h->held[i];
    h->holds = kept;
}

static void taken(struct shop *s, uint64_t peer, const struct slp_push *p)
{
    struct shop_hub *h = &s->hub[peer - 2];
    struct slp_cursor c = slp_each(p->assignments);
    for (struct slp_item_assignment a; slp_next_assignment(&c, &a); s->assigned++) {
        if (h->holds == h->held_cap) {
            h->held_cap = h->held_cap ? h->held_cap * 2 : 64;
            must((h->held = realloc(h->held, h->held_cap * sizeof *h->held)) != NULL, "out of memory");
        }
        h->held[h->holds++] = (struct shop_task){ a.assignment, (uint32_t)a.worker };
    }
}

void shop_commit(struct shop *s)
{
    if (!s->t)
        return;
    struct cost was = begin();
    must(engine_batch_end(s->engine) == STORE_OK, "batch end");
    end(s, was);
    double from = now_s();
    must(store_commit(&s->t) == STORE_OK, "commit");
    s->commit_s += now_s() - from;
    for (size_t i = 0; i < s->out.n; i++) {
        struct slp_msg m;
        struct slp_fault fault;
        const struct effect *x = &s->out.v[i];
        must(slp_decode(effect_frame(&s->out, x), x->n, SLP_B2C | SLP_B2A | SLP_B2M, &m, &fault) == 0, "decode");
        if (m.type == SLP_ERROR)
            die("the engine refused: %.*s", (int)m.u.error.text.n, m.u.error.text.p);
        if (m.type == SLP_PUSH) {
            taken(s, x->peer, &m.u.push);
            continue;
        }
        if (m.type == SLP_RECALL) {
            recalled(s, x->peer, &m.u.recall);
            continue;
        }
        slp_buf_clear(&s->kept);
        slp_buf_add(&s->kept, effect_frame(&s->out, x), x->n);
        must(slp_decode(s->kept.p, s->kept.n, SLP_B2C | SLP_B2A | SLP_B2M, &s->reply, &fault) == 0, "decode");
    }
}

static void send(struct shop *s, uint64_t peer, uint64_t type, const void *any)
{
    struct slp_msg m;
    struct slp_fault fault;
    slp_buf_clear(&s->frame);
    must(slp_encode(&s->frame, type, ++s->id, any) == 0, "encode");
    must(slp_decode(s->frame.p, s->frame.n, SLP_C2B | SLP_A2B, &m, &fault) == 0, "decode");
    step(s, INPUT_MESSAGE, peer, &m);
}

void shop_tick(struct shop *s)
{
    step(s, INPUT_TICK, 0, NULL);
}

/* ---- life ---- */

void shop_open(struct shop *s, const struct shop_plan *p)
{
    static const uint8_t id[16] = "bench-workers";
    char text[300];
    enum store_rc rc;
    struct store_options o = { .dir = p->dir, .map_bytes = 1ull << 33 };
    *s = (struct shop){ .p = *p, .now_us = 1000000, .wall_us = 1700000000000000 };
    if (store_open(&s->store, &o, id, text, sizeof text))
        die("%s", text);
    must((s->engine = engine_open(s->store, NULL, &rc)) != NULL, "engine_open");
    s->now_us = engine_elapsed_us(s->engine) + 1000000;
    must((s->hub = calloc(p->hubs, sizeof *s->hub)) != NULL, "out of memory");
    must((s->run = calloc(p->stations / PER_LINE + 1, sizeof *s->run)) != NULL, "out of memory");
    for (uint32_t h = 0; h < p->hubs; h++) {
        must((s->hub[h].number = calloc(p->workers, sizeof(uint64_t))) != NULL, "out of memory");
        must((s->hub[h].granted = calloc(p->workers, sizeof(uint64_t))) != NULL, "out of memory");
    }
    step(s, INPUT_BOOT, 0, NULL);
    shop_commit(s);
}

void shop_close(struct shop *s)
{
    shop_commit(s);
    engine_close(&s->engine);
    store_close(&s->store);
    effects_free(&s->out);
    for (uint32_t h = 0; h < s->p.hubs; h++) {
        free(s->hub[h].number);
        free(s->hub[h].granted);
        free(s->hub[h].held);
    }
    free(s->hub);
    free(s->run);
    slp_buf_free(&s->b);
    slp_buf_free(&s->b2);
    slp_buf_free(&s->frame);
    slp_buf_free(&s->kept);
}

/* ---- lines ---- */

static struct slp_bytes str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static void pack_form(struct slp_buf *b)
{
    slp_pack_cstr(b, "form");
    slp_pack_map(b, 1);
    slp_pack_cstr(b, "fields");
    slp_pack_array(b, 1);
    slp_pack_map(b, 2);
    slp_pack_cstr(b, "name");
    slp_pack_cstr(b, "answer");
    slp_pack_cstr(b, "type");
    slp_pack_cstr(b, "short_answer");
}

static void pack_copies(struct slp_buf *b, uint32_t copies)
{
    slp_pack_cstr(b, "copies");
    slp_pack_map(b, 1);
    slp_pack_cstr(b, "min");
    slp_pack_u64(b, copies);
    slp_pack_cstr(b, "agree");
    slp_pack_map(b, 2);
    slp_pack_cstr(b, "method");
    slp_pack_cstr(b, "plurality");
    slp_pack_cstr(b, "ties");
    slp_pack_cstr(b, "first");
}

static void pack_station(struct slp_buf *b, uint32_t number, uint32_t copies)
{
    char name[16];
    snprintf(name, sizeof name, "s%u", number);
    slp_pack_map(b, copies ? 6 : 4);
    slp_pack_cstr(b, "name");
    slp_pack_cstr(b, name);
    slp_pack_cstr(b, "after");
    slp_pack_array(b, 0);
    slp_pack_cstr(b, "worker");
    slp_pack_map(b, 1);
    slp_pack_cstr(b, "skills");
    slp_pack_map(b, 1);
    slp_pack_cstr(b, name); /* the skill is called as the station */
    slp_pack_u64(b, 1 + number % 3);
    pack_form(b);
    if (copies)
        pack_copies(b, copies);
}

void shop_lines(struct shop *s)
{
    for (uint32_t l = 0; l < s->p.stations / PER_LINE; l++) {
        char name[16];
        snprintf(name, sizeof name, "line-%u", l);
        slp_buf_clear(&s->b);
        slp_pack_map(&s->b, 3);
        slp_pack_cstr(&s->b, "line");
        slp_pack_cstr(&s->b, name);
        slp_pack_cstr(&s->b, "input");
        slp_pack_array(&s->b, 1);
        slp_pack_map(&s->b, 2);
        slp_pack_cstr(&s->b, "name");
        slp_pack_cstr(&s->b, "text");
        slp_pack_cstr(&s->b, "type");
        slp_pack_cstr(&s->b, "text");
        slp_pack_cstr(&s->b, "stations");
        slp_pack_array(&s->b, PER_LINE);
        for (uint32_t i = 0; i < PER_LINE; i++)
            pack_station(&s->b, l * PER_LINE + i, s->p.copies);
        struct slp_line_apply q = { .definition = { s->b.p, (uint32_t)s->b.n } };
        send(s, PRODUCER, SLP_LINE_APPLY, &q);
        struct slp_run_start r = { .line = str(name), .name = str(name) };
        send(s, PRODUCER, SLP_RUN_START, &r);
        shop_commit(s);
        s->run[l] = s->reply.u.run_started.run_id;
    }
}

void shop_review(struct shop *s)
{
    struct slp_buf *b = &s->b;
    slp_buf_clear(b);
    slp_pack_map(b, 3);
    slp_pack_cstr(b, "line");
    slp_pack_cstr(b, "review");
    slp_pack_cstr(b, "input");
    slp_pack_array(b, 1);
    slp_pack_map(b, 2);
    slp_pack_cstr(b, "name");
    slp_pack_cstr(b, "text");
    slp_pack_cstr(b, "type");
    slp_pack_cstr(b, "text");
    slp_pack_cstr(b, "stations");
    slp_pack_array(b, 2);
    for (int i = 0; i < 2; i++) {
        slp_pack_map(b, 2 + (uint32_t)i);
        slp_pack_cstr(b, "name");
        slp_pack_cstr(b, i ? "b" : "a");
        pack_form(b);
        if (!i)
            continue;
        slp_pack_cstr(b, "worker");
        slp_pack_map(b, 1);
        slp_pack_cstr(b, "not_who_did");
        slp_pack_array(b, 1);
        slp_pack_cstr(b, "a");
    }
    struct slp_line_apply q = { .definition = { b->p, (uint32_t)b->n } };
    send(s, PRODUCER, SLP_LINE_APPLY, &q);
    struct slp_run_start r = { .line = str("review"), .name = str("review") };
    send(s, PRODUCER, SLP_RUN_START, &r);
    shop_commit(s);
    s->run[0] = s->reply.u.run_started.run_id;
}

void shop_put(struct shop *s, uint32_t line, uint32_t units)
{
    static char text[201];
    memset(text, 'x', 200);
    slp_buf_clear(&s->b);
    slp_buf_clear(&s->b2);
    for (uint32_t i = 0; i < units; i++) {
        slp_pack_array(&s->b, 1);
        slp_pack_str(&s->b, text, 200);
    }
    struct slp_put q = { .run_id = s->run[line], .rows = { s->b.p, (uint32_t)s->b.n, units } };
    send(s, PRODUCER, SLP_PUT, &q);
    s->put += units;
}

/* ---- hubs ---- */

/* Worker i of all has one of the profiles; profile k has five of the skills that stations ask for, at levels from 1 to 5. */
static void pack_worker(struct shop *s, uint32_t hub, uint32_t i)
{
    char name[32], skill[SKILLS][16];
    uint32_t profile = (uint32_t)(((uint64_t)hub * s->p.workers + i) * 7919 % s->p.profiles);
    snprintf(name, sizeof name, "w-%u-%u", hub, i);
    slp_buf_clear(&s->b2);
    for (uint32_t k = 0; k < SKILLS; k++) {
        snprintf(skill[k], sizeof skill[k], "s%u", (profile * 13 + k * 37 + profile / s->p.stations) % s->p.stations);
        struct slp_item_skill it = { .name = str(skill[k]), .level = 1 + (profile + k) % 5 };
        slp_pack_item(&s->b2, SLP_ITEM_skill, &it);
    }
    struct slp_item_worker_def d = { .name = str(name),
                                     .capacity = 4,
                                     .skills = { s->b2.p, (uint32_t)s->b2.n, SKILLS } };
    if (i < 2 * s->p.on_shift) {
        d.shift = str(i < s->p.on_shift ? "day" : "night");
        SLP_SET(&d, item_worker_def, shift);
    }
    slp_pack_item(&s->b, SLP_ITEM_worker_def, &d);
}

static void tell_shifts(struct shop *s, uint32_t hub, int64_t turn_wall_us)
{
    const int64_t begin = s->wall_us - 3600000000, end = s->wall_us + 8 * 86400000000;
    const int64_t times[2][2] = { { begin, turn_wall_us }, { turn_wall_us, end } };
    uint8_t digest[32] = { 2 };
    memcpy(digest + 8, &turn_wall_us, sizeof turn_wall_us);
    slp_buf_clear(&s->b);
    for (int i = 0; i < 2; i++) {
        slp_buf_clear(&s->b2);
        slp_pack_u64(&s->b2, (uint64_t)times[i][0]);
        slp_pack_u64(&s->b2, (uint64_t)times[i][1]);
        struct slp_item_shift_def d = { .name = str(i ? "night" : "day"),
                                        .zone = str("Africa/Nairobi"),
                                        .text = str(""),
                                        .overtime_us = 1800000000,
                                        .times = { s->b2.p, (uint32_t)s->b2.n, 2 } };
        slp_pack_item(&s->b, SLP_ITEM_shift_def, &d);
    }
    struct slp_shifts q = { .session = s->hub[hub].session,
                            .digest = { (const char *)digest, 32 },
                            .shifts = { s->b.p, (uint32_t)s->b.n, 2 },
                            .until_wall_us = end,
                            .last = true };
    send(s, hub + 2, SLP_SHIFTS, &q);
    shop_commit(s);
}

void shop_turn(struct shop *s, uint32_t hub, int64_t in_us)
{
    tell_shifts(s, hub, s->wall_us + s->now_us + in_us);
}

void shop_hello(struct shop *s, uint32_t hub)
{
    char name[16];
    uint8_t id[16] = { 1 }, digest[32] = { 1 };
    struct shop_hub *h = &s->hub[hub];
    snprintf(name, sizeof name, "hub-%u", hub);
    memcpy(id + 8, &hub, sizeof hub);
    memcpy(digest + 8, &hub, sizeof hub);
    struct slp_hello q = { .hub = str(name),
                           .incarnation = 1,
                           .data_id = { (const char *)id, 16 },
                           .zone = str("Africa/Nairobi"),
                           .roster_digest = { (const char *)digest, 32 },
                           .wall_us = s->wall_us + s->now_us };
    send(s, hub + 2, SLP_HELLO, &q);
    shop_commit(s);
    must(s->reply.type == SLP_WELCOME, "no welcome");
    h->session = s->reply.u.welcome.session;
    memset(h->granted, 0, s->p.workers * sizeof *h->granted);
    bool wanted = s->reply.u.welcome.roster_wanted;
    tell_shifts(s, hub, s->wall_us + 7 * 86400000000);
    for (uint32_t first = 0; wanted && first < s->p.workers; first += ROSTER_ITEMS) {
        uint32_t n = s->p.workers - first < ROSTER_ITEMS ? s->p.workers - first : ROSTER_ITEMS, i = first;
        slp_buf_clear(&s->b);
        for (; i < first + n; i++)
            pack_worker(s, hub, i);
        struct slp_roster r = { .session = h->session,
                                .digest = { (const char *)digest, 32 },
                                .workers = { s->b.p, (uint32_t)s->b.n, n },
                                .last = i == s->p.workers };
        send(s, hub + 2, SLP_ROSTER, &r);
        shop_commit(s);
        must(s->reply.type == SLP_ROSTER_DONE, "no roster_done");
        struct slp_cursor c = slp_each(s->reply.u.roster_done.workers);
        for (i = first; i < first + n; i++)
            must(slp_next_u64(&c, &h->number[i]), "a number is missing");
    }
}

void shop_grant(struct shop *s, uint32_t hub, uint32_t first, uint32_t n, uint32_t more)
{
    struct shop_hub *h = &s->hub[hub];
    slp_buf_clear(&s->b);
    for (uint32_t i = first; i < first + n; i++) {
        struct slp_item_credit it = { .worker = h->number[i], .total = h->granted[i] += more };
        slp_pack_item(&s->b, SLP_ITEM_credit, &it);
    }
    struct slp_credit q = { .session = h->session, .grants = { s->b.p, (uint32_t)s->b.n, n } };
    SLP_SET(&q, credit, grants);
    send(s, hub + 2, SLP_CREDIT, &q);
}

void shop_sign_off(struct shop *s, uint32_t hub, uint32_t first, uint32_t n)
{
    struct shop_hub *h = &s->hub[hub];
    slp_buf_clear(&s->b);
    for (uint32_t i = first; i < first + n; i++)
        slp_pack_u64(&s->b, h->number[i]);
    struct slp_credit q = { .session = h->session, .sign_off = { s->b.p, (uint32_t)s->b.n, n } };
    SLP_SET(&q, credit, sign_off);
    send(s, hub + 2, SLP_CREDIT, &q);
}

uint32_t shop_submit(struct shop *s, uint32_t hub, uint32_t n)
{
    struct shop_hub *h = &s->hub[hub];
    if (n > h->holds)
        n = h->holds;
    if (!n)
        return 0;
    slp_buf_clear(&s->b);
    slp_buf_clear(&s->b2);
    for (uint32_t i = 0; i < n; i++) {
        static const char answer[] = "\xa6"
                                     "answer";
        struct slp_item_result it = { .assignment = h->held[i].assignment,
                                      .worker = h->held[i].worker,
                                      .values = { answer, sizeof answer - 1, 1 },
                                      .active_us = 60000000 };
        slp_pack_item(&s->b, SLP_ITEM_result, &it);
        uint32_t at = (uint32_t)(h->held[i].worker - h->number[0]); /* a hub's numbers follow each other */
        struct slp_item_credit g = { .worker = h->held[i].worker, .total = h->granted[at] += !s->no_more };
        slp_pack_item(&s->b2, SLP_ITEM_credit, &g);
    }
    struct slp_submit q = { .session = h->session,
                            .results = { s->b.p, (uint32_t)s->b.n, n },
                            .grants = { s->b2.p, (uint32_t)s->b2.n, n } };
    SLP_SET(&q, submit, grants);
    h->holds -= n;
    memmove(h->held, h->held + n, h->holds * sizeof *h->held);
    send(s, hub + 2, SLP_SUBMIT, &q);
    return n;
}
