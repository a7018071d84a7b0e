/* The engine beside the executable model (tests/sim/model.h): random commands to both, the same answers and the same counters. And the engine beside
 * itself: the same inputs in batches of other sizes leave the same state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"
#include "tests/sim/model.h"
#include "tests/sim/rng.h"

#define SECOND ((int64_t)1000000)
#define SEEDS 40
#define COMMANDS 250

static const char *const routes[] = { "x", "y", "z" };
static const char line_text[] =
    "line: modelled\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: s0\n    worker: {kind: any}\n    after: []\n    lease: 60s\n    start_by: 40s\n    backoff: 7s\n    "
    "attempts: 2\n    at_once: 5\n    form:\n      fields:\n"
    "        - {name: route, type: radio, options: [x, y, z], required: true}\n"
    "  - name: s1\n    worker: {kind: human}\n    after: [s0]\n    when: s0.route == \"x\"\n    lease: 90s\n    "
    "start_by: 30s\n    backoff: 5s\n    attempts: 1\n"
    "    form:\n      fields:\n        - {name: route, type: radio, options: [x, y, z], required: true}\n"
    "  - name: s2\n    worker: {kind: any, not_who_did: [s0]}\n    after: [s0]\n    lease: 50s\n    start_by: 60s\n    "
    "backoff: 11s\n    "
    "attempts: 3\n"
    "    form:\n      fields:\n        - {name: route, type: radio, options: [x, y, z], required: true}\n"
    "  - name: s3\n    worker: {kind: any, per_day: 4}\n    after: [s1, s2]\n    when: s1.route == \"y\" or s2.route "
    "== \"y\"\n    "
    "lease: 40s\n    start_by: 40s\n"
    "    backoff: 3s\n    attempts: 2\n    form:\n      fields:\n        - {name: route, type: radio, options: [x, y, "
    "z], required: true}\n";

struct beside {
    struct world w;
    struct world_hub h;
    struct model m;
    struct rng rng;
    uint64_t seed, run_id, step;
    uint32_t first_station;
    /* what was put in, to be put in again in other batches */
    struct recorded {
        enum { R_MESSAGE, R_TICK, R_RESTART } kind;
        int64_t now_us, wall_us;
        uint64_t peer, type;
        char *bytes;
        size_t n;
    } * r;
    size_t n, cap;
};

static void failed(const struct beside *b, const char *what)
{
    fail_msg("seed %llu, command %llu: %s", (unsigned long long)b->seed, (unsigned long long)b->step, what);
}

static struct recorded *record(struct beside *b, int kind)
{
    if (b->n == b->cap && !(b->r = realloc(b->r, (b->cap = b->cap * 2 + 256) * sizeof *b->r)))
        abort();
    struct recorded *r = &b->r[b->n++];
    *r = (struct recorded){ .kind = kind, .now_us = b->w.now_us, .wall_us = b->w.wall_us };
    return r;
}

static struct slp_msg *ask(struct beside *b, uint64_t peer, uint64_t type, const void *any)
{
    struct recorded *r = record(b, R_MESSAGE);
    struct slp_buf body = { 0 };
    r->peer = peer;
    r->type = type;
    assert_int_equal(slp_encode(&body, type, 1, any), 0);
    r->bytes = body.p;
    r->n = body.n;
    return world_send(&b->w, peer, type, any);
}

static void tick(struct beside *b)
{
    record(b, R_TICK);
    world_tick(&b->w);
}

/* ---- the model hears of every task that was handed out ---- */

static void take_pushes(struct beside *b)
{
    struct slp_msg *p;
    for (size_t i = 0; (p = world_sent(&b->w, b->h.peer, SLP_PUSH, i)); i++) {
        struct slp_cursor c = slp_each(p->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
            struct slp_cursor f = slp_each(a.fields);
            struct slp_bytes text;
            uint32_t worker = MODEL_WORKERS;
            for (uint32_t k = 0; k < MODEL_WORKERS; k++)
                worker = b->h.worker[k] == a.worker ? k : worker;
            if (a.assignment <= b->m.assignments)
                continue; /* again, after a hello */
            assert_true(slp_next_str(&f, &text) && text.n < 20);
            uint32_t unit = 0;
            for (uint32_t k = 1; k < text.n; k++)
                unit = unit * 10 + (uint32_t)(text.p[k] - '0');
            const char *wrong =
                model_push(&b->m, a.assignment, worker, (uint32_t)p->u.push.station_id - b->first_station, unit);
            if (wrong)
                failed(b, wrong);
        }
    }
    world_clear(&b->w);
}

/* Tick while the engine asks for it at this moment (sweeps), and let the model see what came of it. */
static void settle(struct beside *b)
{
    for (int i = 0; i < 100 && (engine_backlog(b->w.engine) || engine_next_due_us(b->w.engine) <= b->w.now_us); i++)
        tick(b);
    take_pushes(b);
}

static void compare(struct beside *b)
{
    char text[200];
    struct slp_msg *m = world_run_get(&b->w, "r");
    struct slp_item_run_row r;
    struct slp_item_station_row s;
    struct slp_cursor c = slp_each(m->u.run_info.run);
    assert_true(slp_next_run_row(&c, &r));
    c = slp_each(m->u.run_info.stations);
    for (uint32_t i = 0; slp_next_station_row(&c, &s); i++) {
        const uint64_t is[M_TASKS] = { s.blocked, s.waiting, s.ready, s.assigned, s.started,
                                       s.done,    s.skipped, s.dead,  s.ended };
        for (enum m_task k = 0; k < M_TASKS; k++)
            if (is[k] != model_count(&b->m, i, k)) {
                snprintf(text, sizeof text, "station %u: the engine has %llu tasks in state %d, the model %llu", i,
                         (unsigned long long)is[k], (int)k, (unsigned long long)model_count(&b->m, i, k));
                failed(b, text);
            }
    }
    const uint64_t want[] = { b->m.units, model_units(&b->m, 1), model_units(&b->m, 2), model_units(&b->m, 3),
                              (uint64_t)b->m.run };
    const uint64_t is[] = { r.units, r.done, r.dropped, r.cancelled, r.state };
    for (int i = 0; i < 5; i++)
        if (is[i] != want[i]) {
            snprintf(text, sizeof text, "figure %d of the run: the engine has %llu, the model %llu", i,
                     (unsigned long long)is[i], (unsigned long long)want[i]);
            failed(b, text);
        }
    const char *idle = model_idle(&b->m);
    if (idle)
        failed(b, idle);
    world_clear(&b->w);
}

/* ---- commands ---- */

static void expect(struct beside *b, const char *what, uint64_t got, uint64_t want)
{
    char text[120];
    snprintf(text, sizeof text, "%s: the engine says %llu, the model %llu", what, (unsigned long long)got,
             (unsigned long long)want);
    if (got != want)
        failed(b, text);
}

static uint64_t code_of(const struct slp_msg *m)
{
    if (m->type == SLP_ERROR)
        return m->u.error.code;
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o = { .code = SLP_E_OK };
    slp_next_outcome(&c, &o);
    return o.code;
}

static void do_put(struct beside *b)
{
    struct slp_buf rows = { 0 };
    uint32_t n = (uint32_t)rng_range(&b->rng, 1, 6);
    if (b->m.units + n > MODEL_UNITS_MAX)
        return;
    for (uint32_t i = 0; i < n; i++) {
        char text[20];
        snprintf(text, sizeof text, "u%u", b->m.units + 1 + i);
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, text);
    }
    struct slp_put q = { .run_id = b->run_id, .rows = { rows.p, (uint32_t)rows.n, n } };
    struct slp_msg *m = ask(b, WORLD_CLIENT, SLP_PUT, &q);
    if (b->m.run == 0)
        model_put(&b->m, n);
    else
        expect(b, "a put into a closed run", m->type == SLP_ERROR ? m->u.error.code : 0, M_RUN_CLOSED);
    slp_buf_free(&rows);
}

static uint64_t any_assignment(struct beside *b) /* mostly a live one */
{
    uint64_t no = (uint64_t)rng_range(&b->rng, 0, (int64_t)b->m.assignments + 1);
    for (int i = 0;
         i < 20 && (no == 0 || no > b->m.assignments || b->m.a[no].state > M_BEGUN) && rng_chance(&b->rng, 900000); i++)
        no = (uint64_t)rng_range(&b->rng, 1, (int64_t)b->m.assignments + 1);
    return no;
}

static uint32_t its_worker(struct beside *b, uint64_t no) /* mostly the right one */
{
    bool right = no && no <= b->m.assignments && rng_chance(&b->rng, 950000);
    return right ? b->m.a[no].worker : (uint32_t)rng_below(&b->rng, MODEL_WORKERS);
}

static void do_act(struct beside *b)
{
    static const char *const name[] = { "start", "touch", "release", "decline", "fail", "bury" };
    struct slp_buf items = { 0 };
    uint64_t no = any_assignment(b);
    uint32_t w = its_worker(b, no);
    static const uint8_t dice[] = { 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 5 };
    bool picky = b->seed % 2 && rng_chance(&b->rng, 850000); /* in every other world tasks run out of people */
    struct slp_item_act it = { .act = picky ? M_DECLINE : dice[rng_below(&b->rng, sizeof dice)],
                               .assignment = no,
                               .worker = b->h.worker[w] };
    if (it.act == M_FAIL && rng_chance(&b->rng, 300000)) {
        it.delay_us = (uint64_t)rng_range(&b->rng, 1, 100) * SECOND;
        SLP_SET(&it, item_act, delay_us);
    }
    slp_pack_item(&items, SLP_ITEM_act, &it);
    struct slp_acts q = { .session = b->h.session, .acts = { items.p, (uint32_t)items.n, 1 } };
    struct slp_msg *m = ask(b, b->h.peer, SLP_ACTS, &q);
    expect(b, name[it.act], code_of(m), model_act(&b->m, (enum m_act)it.act, no, w, (int64_t)it.delay_us));
    slp_buf_free(&items);
}

static void do_submit(struct beside *b)
{
    struct slp_buf items = { 0 }, values = { 0 };
    uint64_t no = any_assignment(b);
    uint32_t w = its_worker(b, no);
    int route = (int)rng_below(&b->rng, 3);
    slp_pack_cstr(&values, routes[route]);
    struct slp_item_result it = { .assignment = no,
                                  .worker = b->h.worker[w],
                                  .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&items, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = b->h.session, .results = { items.p, (uint32_t)items.n, 1 } };
    struct slp_msg *m = ask(b, b->h.peer, SLP_SUBMIT, &q);
    expect(b, "submit", code_of(m), model_submit(&b->m, no, w, route));
    slp_buf_free(&items);
    slp_buf_free(&values);
}

static void do_credit(struct beside *b)
{
    struct slp_buf v = { 0 };
    uint32_t w = (uint32_t)rng_below(&b->rng, MODEL_WORKERS);
    struct slp_credit q = { .session = b->h.session };
    if (rng_chance(&b->rng, 100000)) {
        slp_pack_u64(&v, b->h.worker[w]);
        q.sign_off = (struct slp_list){ v.p, (uint32_t)v.n, 1 };
        SLP_SET(&q, credit, sign_off);
        model_sign_off(&b->m, w);
    } else {
        uint64_t more = (uint64_t)rng_range(&b->rng, 1, 4);
        struct slp_item_credit it = { .worker = b->h.worker[w], .total = b->h.granted[w] += more };
        slp_pack_item(&v, SLP_ITEM_credit, &it);
        q.grants = (struct slp_list){ v.p, (uint32_t)v.n, 1 };
        SLP_SET(&q, credit, grants);
        model_credit(&b->m, w, more);
    }
    ask(b, b->h.peer, SLP_CREDIT, &q);
    slp_buf_free(&v);
}

static void do_run_set(struct beside *b, uint64_t action)
{
    struct slp_run_set q = { .run = world_str("r"), .action = action };
    bool was_over = b->m.run > 1;
    struct slp_msg *m = ask(b, WORLD_CLIENT, SLP_RUN_SET, &q);
    uint64_t want = M_OK;
    if (action == 0)
        want = model_close(&b->m);
    else if (action == 3)
        want = model_cancel(&b->m);
    else if (was_over)
        want = M_BAD_STATE;
    else
        model_pause(&b->m, action == 1);
    expect(b, "run_set", m->type == SLP_ERROR ? m->u.error.code : SLP_E_OK, want);
}

static void do_tasks_set(struct beside *b)
{
    struct slp_buf v = { 0 };
    uint32_t s = (uint32_t)rng_below(&b->rng, MODEL_STATIONS), unit = (uint32_t)rng_range(&b->rng, 1, b->m.units + 1);
    struct slp_tasks_set q = { .station_id = b->first_station + s,
                               .action = rng_chance(&b->rng, 300000),
                               .run = world_str("r") };
    bool all = q.action == 0 && rng_chance(&b->rng, 700000);
    SLP_SET(&q, tasks_set, run);
    if (!all) {
        slp_pack_u64(&v, unit);
        q.units = (struct slp_list){ v.p, (uint32_t)v.n, 1 };
        SLP_SET(&q, tasks_set, units);
    }
    struct slp_msg *m = ask(b, WORLD_CLIENT, SLP_TASKS_SET, &q);
    expect(b, q.action ? "drop" : "requeue", world_code(m) == SLP_E_BAD_STATE ? 0 : m->u.done.count,
           q.action ? model_drop(&b->m, s, unit) : model_requeue(&b->m, s, all ? 0 : unit));
    slp_buf_free(&v);
}

/* Time goes on in steps: to each moment at which something is due in the model or in the engine. */
static void do_time(struct beside *b)
{
    int64_t end = b->w.now_us + rng_spread(&b->rng, SECOND, 150 * SECOND);
    while (b->w.now_us < end) {
        int64_t due = model_next_due(&b->m), engine = engine_next_due_us(b->w.engine), to = end;
        to = due < to ? due : to;
        to = engine < to && engine > b->w.now_us ? engine : to;
        if (to <= b->w.now_us)
            to = b->w.now_us + 1;
        b->w.wall_us += to - b->w.now_us;
        b->w.now_us = to;
        model_time(&b->m, to);
        tick(b);
        settle(b);
    }
}

static void say_hello(struct beside *b)
{
    struct slp_buf held = { 0 };
    uint32_t n = 0;
    uint8_t digest[32] = { 0 };
    memcpy(digest, b->h.id, 16);
    for (uint64_t no = 1; no <= b->m.assignments; no++)
        if (b->m.a[no].state <= M_BEGUN && rng_chance(&b->rng, 800000)) {
            slp_pack_u64(&held, no);
            n++;
        }
    struct slp_hello q = { .hub = world_str(b->h.name),
                           .incarnation = 1,
                           .data_id = { (char *)b->h.id, 16 },
                           .zone = world_str("Africa/Nairobi"),
                           .roster_digest = { (char *)digest, 32 },
                           .held = { held.p, (uint32_t)held.n, n },
                           .wall_us = b->w.wall_us };
    struct slp_msg *m = ask(b, b->h.peer, SLP_HELLO, &q);
    assert_int_equal(m->type, SLP_WELCOME);
    b->h.session = m->u.welcome.session;
    memset(b->h.granted, 0, sizeof b->h.granted);
    model_restart(&b->m);
    slp_buf_free(&held);
}

static void do_restart(struct beside *b)
{
    record(b, R_RESTART);
    world_restart(&b->w);
    say_hello(b);
}

static void command(struct beside *b)
{
    uint64_t dice = rng_below(&b->rng, 100);
    if (dice < 12)
        do_put(b);
    else if (dice < 32)
        do_credit(b);
    else if (dice < 60)
        do_act(b);
    else if (dice < 78)
        do_submit(b);
    else if (dice < 88)
        do_time(b);
    else if (dice < 93)
        do_tasks_set(b);
    else if (dice < 96)
        do_run_set(b, b->m.paused ? 2 : rng_below(&b->rng, 3) ? 2 : 1);
    else if (dice < 98)
        do_restart(b);
    else if (b->step > COMMANDS * 3 / 4)
        do_run_set(b, rng_chance(&b->rng, 100000) ? 3 : 0);
    else
        say_hello(b);
    settle(b);
}

/* ---- one world of both ---- */

static void both_open(struct beside *b, uint64_t seed)
{
    static const struct m_station st[MODEL_STATIONS] = {
        { 0, 2, 0, 5, 0, false, -1, 0, 60 * SECOND, 40 * SECOND, 7 * SECOND },
        { 1, 1, 0, 0, 0, true, 0, 0, 90 * SECOND, 30 * SECOND, 5 * SECOND },
        { 1, 3, 1, 0, 0, false, -1, 0, 50 * SECOND, 60 * SECOND, 11 * SECOND },
        { 6, 2, 0, 0, 4, false, -1, 0, 40 * SECOND, 40 * SECOND, 3 * SECOND },
    };
    memset(b, 0, sizeof *b);
    b->seed = seed;
    b->rng = rng_of(seed, "beside", 0);
    memcpy(b->m.st, st, sizeof st);
    b->m.worker[0].human = b->m.worker[1].human = true;
    b->w.cfg =
        (struct engine_config){ .heartbeat_us = 400ll * 24 * 3600 * SECOND, .grace_us = 400ll * 24 * 3600 * SECOND };
    world_open(&b->w);
    b->w.wall_us = 1700006400000000 - 600 * SECOND; /* ten minutes to midnight: a day may end meanwhile */
    b->m.wall_off_us = b->w.wall_us - b->w.now_us;
}

/* Everything up to the first command, recorded like the rest. */
static void both_begin(struct beside *b, const char *text)
{
    b->first_station = world_line(&b->w, text);
    b->run_id = world_run(&b->w, "modelled", "r");
    world_hub(&b->w, &b->h, "nairobi", MODEL_WORKERS, 0);
    world_clear(&b->w);
}

static void both_close(struct beside *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->r[i].bytes);
    free(b->r);
    world_close(&b->w);
}

/* ---- tests ---- */

static char *simple_when(void) /* the model's conditions look at one station: the last station's `when` is left out */
{
    char *t = strdup(line_text), *at = strstr(t, "    when: s1.route == \"y\" or");
    memmove(at, strchr(at, '\n') + 1, strlen(strchr(at, '\n') + 1) + 1);
    return t;
}

static void engine_and_model_agree(void **state)
{
    char *text = simple_when();
    uint64_t parked = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct beside b;
        both_open(&b, seed);
        both_begin(&b, text);
        b.m.worker[2].human = true; /* world_hub makes workers of one kind: kinds are the checker's matter */
        b.m.now_us = b.w.now_us;
        for (b.step = 0; b.step < COMMANDS; b.step++) {
            command(&b);
            compare(&b);
        }
        parked += b.m.parked;
        both_close(&b);
    }
    assert_true(parked > SEEDS / 2); /* that nobody is left happens often enough to be compared */
    free(text);
}

/* Put what was recorded into a fresh world, in batches of this size; its state at the end. */
static void replay(const struct beside *b, const char *text, unsigned batch, uint8_t hash[16])
{
    struct beside again;
    both_open(&again, b->seed);
    both_begin(&again, text);
    world_batch(&again.w, batch);
    for (size_t i = 0; i < b->n; i++) {
        const struct recorded *r = &b->r[i];
        struct slp_msg m;
        struct slp_fault fault;
        again.w.now_us = r->now_us;
        again.w.wall_us = r->wall_us;
        switch (r->kind) {
        case R_TICK: world_tick(&again.w); break;
        case R_RESTART:
            world_flush(&again.w);
            world_restart(&again.w);
            break;
        case R_MESSAGE:
            assert_int_equal(slp_decode(r->bytes, r->n, SLP_A2B | SLP_C2B, &m, &fault), 0);
            world_send(&again.w, r->peer == b->h.peer ? again.h.peer : r->peer, r->type, &m.u);
            break;
        }
        if (batch == 1)
            world_clear(&again.w);
    }
    world_hash(&again.w, hash);
    both_close(&again);
}

static void batches_of_any_size_leave_the_same_state(void **state)
{
    static const unsigned size[] = { 1, 2, 7, 50, 200 };
    char *text = simple_when();
    (void)state;
    for (uint64_t seed = 101; seed <= 108; seed++) {
        struct beside b;
        uint8_t want[16], got[16];
        both_open(&b, seed);
        both_begin(&b, text);
        b.m.worker[2].human = true;
        b.m.now_us = b.w.now_us;
        for (b.step = 0; b.step < COMMANDS; b.step++)
            command(&b);
        world_hash(&b.w, want);
        for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
            replay(&b, text, size[i], got);
            if (memcmp(want, got, sizeof got))
                fail_msg("seed %llu: batches of %u leave another state", (unsigned long long)seed, size[i]);
        }
        both_close(&b);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_and_model_agree),
        cmocka_unit_test(batches_of_any_size_leave_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
