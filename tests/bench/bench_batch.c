/* What a batch of lives takes, counted and not timed: engine and store in one process, without a wire, the same messages every time. In a batch, `frames` put
 * frames of `tasks` units each come in, and the tasks that the batch before gave out are submitted, `tasks` a frame; one robot does them all. What is counted
 * begins right behind a settling and ends with one, at the least `batches` later, so that each batch has its whole share of it.
 *
 *   bench_batch --dir DIR [--tasks N] [--frames N] [--batches N] [--warm BATCHES] [--stations N] [--keys 1] [--turns 1] [--queued BATCHES]
 *
 * It prints, as JSON, of a task: what the store counted, all together, by table, and by step (`steps`); and with preload/calls.c and preload/copies.c what was written, synced, allocated and
 * copied. Under callgrind with --toggle-collect=measured_* it tells the broker's instructions, step by step, without those of its peers: the part `batch` of tests/bench/run does both.
 * stations: one after the other; keys: each unit has an idempotency key, in no order, instead of a number; turns: puts and submits come in batches of their own, in turn;
 * queued: as many units as that many batches bring came before, so that each is assigned by a submit of a later batch, and not as it comes. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "tests/bench/calls.h"
#include "tests/bench/common.h"

#define CLIENT 1
#define AGENT 2
#define PAYLOAD_BYTES 200
#define TASKS_MAX 1024

static struct store *store;
static struct engine *engine;
static struct store_txn *txn;
static struct effects out;
static struct slp_buf frame, list, grants, reply_bytes;
static struct slp_msg reply;
static int64_t now_us;
static uint64_t next_id, run, session, worker, granted, put_rows, done;
static uint32_t stations = 1, queued;
static bool keys, turns, submits_next;
static struct {
    uint64_t assignment[64 * TASKS_MAX];
    size_t n;
} held;

/* ---- the engine and its peers ---- */

static void must(bool ok, const char *what)
{
    if (!ok)
        die("%s", what);
}

static void step(enum input_kind kind, uint64_t peer, const struct slp_msg *m)
{
    struct input in = {
        .kind = kind, .elapsed_us = now_us, .wall_us = 1700000000000000 + now_us, .peer = peer, .msg = m, .restart = 77
    };
    must(engine_step(engine, &in) == STORE_OK, "step");
}

static void handle(uint64_t peer)
{
    struct slp_msg m;
    struct slp_fault fault;
    must(slp_decode(frame.p, frame.n, SLP_C2B | SLP_A2B, &m, &fault) == 0, "decode");
    step(INPUT_MESSAGE, peer, &m);
}

/* ---- the steps of a batch, and what each of them took ---- */

/* name, what it does. callgrind counts in the functions measured_*. */
#define STEPS(X)                                                                                                       \
    X(begin, must(store_begin(store, &txn) == STORE_OK && engine_batch_begin(engine, txn, &out) == STORE_OK, "begin")) \
    X(put, handle(CLIENT))                                                                                             \
    X(submit, handle(AGENT))                                                                                           \
    X(end, must(engine_batch_end(engine) == STORE_OK, "end"))                                                          \
    X(commit, must(store_commit(&txn) == STORE_OK, "commit"))                                                          \
    X(settle, must(store_settle(store, SETTLE_DUE) == STORE_OK, "settle"))

#define AS_FUNCTION(name, does)                                                                                        \
    static __attribute__((noinline)) void measured_##name(void)                                                        \
    {                                                                                                                  \
        does;                                                                                                          \
    }                                                                                                                  \
    static __attribute__((noinline)) void just_##name(void)                                                            \
    {                                                                                                                  \
        does;                                                                                                          \
    }
STEPS(AS_FUNCTION)

#define AS_ID(name, does) STEP_##name,
enum of_batch { STEPS(AS_ID) STEP_COUNT };
#define AS_ROW(name, does) { #name, just_##name, measured_##name },
static const struct {
    const char *name;
    void (*just)(void), (*measured)(void);
} steps[] = { STEPS(AS_ROW) };

static struct taken {
    struct store_counters store;
    struct calls calls;
    struct copies copies;
} taken[STEP_COUNT];
static bool measuring;

/* What is preloaded into us, if it is. */
static struct {
    const struct calls *calls;
    const struct copies *copies;
} seen;

static const void *ask_preloaded(const char *name, const void *otherwise)
{
    const void *(*counted)(void);
    *(void **)&counted = dlsym(RTLD_DEFAULT, name);
    return counted ? counted() : otherwise;
}

static void find_preloaded(void)
{
    static const struct calls no_calls;
    static const struct copies no_copies;
    seen.calls = ask_preloaded("calls_counted", &no_calls);
    seen.copies = ask_preloaded("copies_counted", &no_copies);
}

/* now - was, added to sum; all of the one are counters, but for the greatest times, which nobody looks at. */
static void add_differences(uint64_t *sum, const uint64_t *now, const uint64_t *was, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *sum; i++)
        sum[i] += now[i] - was[i];
}

static void go(enum of_batch s)
{
    if (!measuring) {
        steps[s].just();
        return;
    }
    struct taken was = { *store_counters(store), *seen.calls, *seen.copies };
    steps[s].measured();
    add_differences((uint64_t *)&taken[s].store, (const uint64_t *)store_counters(store), (uint64_t *)&was.store,
                    sizeof was.store);
    add_differences((uint64_t *)&taken[s].calls, (const uint64_t *)seen.calls, (uint64_t *)&was.calls,
                    sizeof was.calls);
    add_differences((uint64_t *)&taken[s].copies, (const uint64_t *)seen.copies, (uint64_t *)&was.copies,
                    sizeof was.copies);
}

static void begin(void)
{
    go(STEP_begin);
    now_us += 1000;
}

static void receive(uint64_t peer, uint64_t type, const void *any)
{
    slp_buf_clear(&frame);
    must(slp_encode(&frame, type, ++next_id, any) == 0, "encode");
    if (type == SLP_PUT)
        go(STEP_put);
    else if (type == SLP_SUBMIT)
        go(STEP_submit);
    else
        handle(peer);
}

/* ---- its peers ---- */

static void take_pushes(const struct slp_push *p)
{
    struct slp_cursor c = slp_each(p->assignments);
    for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
        must(held.n < sizeof held.assignment / sizeof *held.assignment, "too many at once");
        held.assignment[held.n++] = a.assignment;
    }
}

static void commit(void)
{
    go(STEP_end);
    go(STEP_commit);
    for (size_t i = 0; i < out.n; i++) {
        struct slp_fault fault;
        struct slp_msg m;
        must(slp_decode(effect_frame(&out, &out.v[i]), out.v[i].n, SLP_B2C | SLP_B2A, &m, &fault) == 0, "decode");
        if (m.type == SLP_ERROR)
            die("refused: %.*s", (int)m.u.error.text.n, m.u.error.text.p);
        if (m.type == SLP_PUSH) {
            take_pushes(&m.u.push);
            continue;
        }
        slp_buf_clear(&reply_bytes);
        slp_buf_add(&reply_bytes, effect_frame(&out, &out.v[i]), out.v[i].n);
        must(slp_decode(reply_bytes.p, reply_bytes.n, SLP_B2C | SLP_B2A, &reply, &fault) == 0, "decode");
    }
    go(STEP_settle);
}

static const struct slp_msg *ask(uint64_t peer, uint64_t type, const void *any)
{
    begin();
    receive(peer, type, any);
    commit();
    return &reply;
}

static struct slp_bytes str(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static void pair(struct slp_buf *b, const char *k, const char *v)
{
    slp_pack_cstr(b, k);
    slp_pack_cstr(b, v);
}

static void make_line(void)
{
    slp_pack_map(&list, 3);
    pair(&list, "line", "bench");
    slp_pack_cstr(&list, "input");
    slp_pack_array(&list, 1);
    slp_pack_map(&list, 2);
    pair(&list, "name", "payload");
    pair(&list, "type", "text");
    slp_pack_cstr(&list, "stations");
    slp_pack_array(&list, stations);
    for (uint32_t i = 0; i < stations; i++) {
        char name[12];
        snprintf(name, sizeof name, "s%u", i);
        slp_pack_map(&list, 4);
        pair(&list, "name", name);
        pair(&list, "type", "work");
        slp_pack_cstr(&list, "worker");
        slp_pack_map(&list, 1);
        pair(&list, "kind", "robot");
        slp_pack_cstr(&list, "form");
        slp_pack_map(&list, 1);
        slp_pack_cstr(&list, "fields");
        slp_pack_array(&list, 1);
        slp_pack_map(&list, 2);
        pair(&list, "name", "ok");
        pair(&list, "type", "short_answer");
    }
    struct slp_line_apply a = { .definition = { list.p, (uint32_t)list.n } };
    ask(CLIENT, SLP_LINE_APPLY, &a);
    struct slp_run_start s = { .line = str("bench"), .name = str("r") };
    run = ask(CLIENT, SLP_RUN_START, &s)->u.run_started.run_id;
}

static void pack_grant(uint64_t more)
{
    granted += more;
    struct slp_item_credit grant = { .worker = worker, .total = granted };
    slp_buf_clear(&grants);
    slp_pack_item(&grants, SLP_ITEM_credit, &grant);
}

static void say_hello(uint64_t credit)
{
    static const char digest[32] = "bench roster";
    struct slp_item_worker_def bot = { .name = str("bot"), .kind = 1, .capacity = 1 };
    struct slp_hello h = {
        .hub = str("bench"), .data_id = { "bench data id 16", 16 }, .zone = str("UTC"), .roster_digest = { digest, 32 }
    };
    h.wall_us = 1700000000000000;
    h.incarnation = 1;
    session = ask(AGENT, SLP_HELLO, &h)->u.welcome.session;
    slp_buf_clear(&list);
    slp_pack_item(&list, SLP_ITEM_worker_def, &bot);
    struct slp_roster r = {
        .session = session, .digest = { digest, 32 }, .workers = { list.p, (uint32_t)list.n, 1 }, .last = true
    };
    struct slp_cursor c = slp_each(ask(AGENT, SLP_ROSTER, &r)->u.roster_done.workers);
    must(slp_next_u64(&c, &worker), "the roster was not taken");
    pack_grant(credit);
    struct slp_credit q = { .session = session, .grants = { grants.p, (uint32_t)grants.n, 1 } };
    SLP_SET(&q, credit, grants);
    ask(AGENT, SLP_CREDIT, &q);
}

/* ---- the lives ---- */

static void put(uint32_t n)
{
    static struct slp_buf key_list;
    char payload[PAYLOAD_BYTES], key[40];
    memset(payload, COPIES_MARK, sizeof payload);
    slp_buf_clear(&list);
    for (uint32_t i = 0; i < n; i++) {
        slp_pack_array(&list, 1);
        slp_pack_str(&list, payload, sizeof payload);
    }
    struct slp_put q = { .run_id = run, .rows = { list.p, (uint32_t)list.n, n } };
    if (keys) {
        slp_buf_clear(&key_list);
        for (uint32_t i = 0; i < n; i++) {
            snprintf(key, sizeof key, "customer-%016llx", (unsigned long long)((put_rows + i) * 0x9E3779B97F4A7C15ull));
            slp_pack_cstr(&key_list, key);
        }
        q.keys = (struct slp_list){ key_list.p, (uint32_t)key_list.n, n };
        SLP_SET(&q, put, keys);
    } else {
        q.producer = (struct slp_bytes){ "bench producer 1", 16 };
        q.first_seq = put_rows + 1;
        SLP_SET(&q, put, producer);
        SLP_SET(&q, put, epoch);
        SLP_SET(&q, put, first_seq);
    }
    put_rows += n;
    receive(CLIENT, SLP_PUT, &q);
}

static void submit(const uint64_t *assignment, uint32_t n)
{
    static const char yes[] = "\xa1y";
    slp_buf_clear(&list);
    for (uint32_t i = 0; i < n; i++) {
        struct slp_item_result it = { .assignment = assignment[i], .worker = worker, .values = { yes, 2, 1 } };
        slp_pack_item(&list, SLP_ITEM_result, &it);
    }
    pack_grant(n);
    struct slp_submit q = { .session = session,
                            .results = { list.p, (uint32_t)list.n, n },
                            .grants = { grants.p, (uint32_t)grants.n, 1 } };
    SLP_SET(&q, submit, grants);
    receive(AGENT, SLP_SUBMIT, &q);
    done += n;
}

static void batch(uint32_t tasks, uint32_t frames)
{
    static uint64_t now_held[sizeof held.assignment / sizeof *held.assignment];
    size_t n = held.n, at = 0;
    memcpy(now_held, held.assignment, n * sizeof *now_held);
    bool puts = !turns || !submits_next, submits = !turns || submits_next;
    submits_next = !submits_next;
    held.n = submits ? 0 : n;
    begin();
    for (uint32_t f = 0; (puts && f < frames) || (submits && at < n); f++) {
        if (puts && f < frames)
            put(tasks);
        uint32_t k = !submits ? 0 : n - at < tasks ? (uint32_t)(n - at) : tasks;
        if (k)
            submit(now_held + at, k);
        at += k;
    }
    commit();
}

/* At the least n batches, and on until the store settles; how many there were. */
static uint64_t batches_to_a_settling(uint32_t tasks, uint32_t frames, uint32_t n)
{
    uint64_t settles, i = 0;
    do {
        settles = store_counters(store)->settles;
        batch(tasks, frames);
        i++;
    } while (i < n || store_counters(store)->settles == settles);
    return i;
}

/* ---- what is told ---- */

static void print_taken(const struct taken *t, double lives)
{
    const struct store_counters *c = &t->store;
    const struct {
        const char *name;
        uint64_t n;
    } all[] = { { "gets", c->gets },
                { "seeks", c->seeks },
                { "puts", c->puts },
                { "appends", c->appends },
                { "dels", c->dels },
                { "put_bytes", c->put_bytes },
                { "copied_bytes", t->copies.bytes },
                { "payload_copied_bytes", t->copies.of_payload },
                { "payload_written_bytes", t->copies.payload_written },
                { "written_bytes", t->calls.written_bytes },
                { "syncs", t->calls.syncs },
                { "allocations", t->calls.allocations } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        printf("%s\"%s\":%.4f", i ? "," : "", all[i].name, (double)all[i].n / lives);
}

static void print_tables(const struct store_counters *c, double lives)
{
    const char *comma = "";
    for (int i = 0; i < STORE_TABLE_COUNT; i++)
        if (c->table[i].writes) {
            printf("%s\"%s\":{\"writes\":%.4f,\"bytes\":%.2f}", comma, store_table_name((enum store_table)i),
                   (double)c->table[i].writes / lives, (double)c->table[i].bytes / lives);
            comma = ",";
        }
}

static void print(uint64_t batches, double lives)
{
    static const struct taken none;
    struct taken all = { 0 };
    for (int i = 0; i < STEP_COUNT; i++) {
        add_differences((uint64_t *)&all.store, (uint64_t *)&taken[i].store, (const uint64_t *)&none.store,
                        sizeof all.store);
        add_differences((uint64_t *)&all.calls, (uint64_t *)&taken[i].calls, (const uint64_t *)&none.calls,
                        sizeof all.calls);
        add_differences((uint64_t *)&all.copies, (uint64_t *)&taken[i].copies, (const uint64_t *)&none.copies,
                        sizeof all.copies);
    }
    double commits = (double)batches, settles = (double)all.store.settles, log_bytes = (double)all.store.wal_bytes;
    double page_bytes = (double)all.calls.written_bytes - log_bytes;
    printf("{\"stations\":%u,\"done\":%.0f,\"done_a_commit\":%.2f,\"commits\":%.0f,\"settles\":%.0f,"
           "\"commits_a_settling\":%.1f,\"log_kib_a_commit\":%.2f,\"pages_kib_a_commit\":%.2f,"
           "\"pages_kib_a_settling\":%.1f,\"syncs_a_commit\":%.4f,\"copied\":%.4f,",
           stations, lives, lives / commits, commits, settles, commits / settles, log_bytes / commits / 1024,
           page_bytes / commits / 1024, page_bytes / settles / 1024, (double)all.calls.syncs / commits,
           (double)all.copies.of_payload / lives / PAYLOAD_BYTES);
    print_taken(&all, lives);
    printf(",\"tables\":{");
    print_tables(&all.store, lives);
    printf("},\"steps\":{");
    for (int i = 0; i < STEP_COUNT; i++) {
        printf("%s\"%s\":{", i ? "," : "", steps[i].name);
        print_taken(&taken[i], lives);
        printf("}");
    }
    printf("}}\n");
}

int main(int argc, char **argv)
{
    uint32_t tasks = 64, frames = 2, batches = 200, warm = 200;
    struct store_options o = { .dir = NULL, .map_bytes = 1ull << 33 };
    static const struct engine_config config;
    static const uint8_t id[16] = "bench batch";
    char text[256] = "";
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *k = argv[i], *v = argv[i + 1];
        if (!strcmp(k, "--dir"))
            o.dir = v;
        else if (!strcmp(k, "--tasks"))
            tasks = (uint32_t)atoi(v);
        else if (!strcmp(k, "--frames"))
            frames = (uint32_t)atoi(v);
        else if (!strcmp(k, "--batches"))
            batches = (uint32_t)atoi(v);
        else if (!strcmp(k, "--stations"))
            stations = (uint32_t)atoi(v);
        else if (!strcmp(k, "--keys"))
            keys = atoi(v) != 0;
        else if (!strcmp(k, "--turns"))
            turns = atoi(v) != 0;
        else if (!strcmp(k, "--queued"))
            queued = (uint32_t)atoi(v);
        else if (!strcmp(k, "--warm"))
            warm = (uint32_t)atoi(v);
        else
            die("unknown option %s", k);
    }
    if (!o.dir || tasks == 0 || tasks > TASKS_MAX || frames == 0 || frames > 32 || stations == 0 || stations > 9 ||
        tasks * frames * stations > sizeof held.assignment / sizeof *held.assignment)
        die("options that make no sense together");
    if (store_open(&store, &o, id, text, sizeof text) != STORE_OK)
        die("%s", text);
    enum store_rc rc;
    find_preloaded();
    engine = engine_open(store, &config, &rc);
    must(engine != NULL, "engine");
    begin();
    step(INPUT_BOOT, 0, NULL);
    commit();
    make_line();
    say_hello((uint64_t)tasks * frames * stations);
    for (uint32_t i = 0; i < queued;
         i++) { /* the first are given out; what comes from then on waits until these are done */
        begin();
        for (uint32_t f = 0; f < frames; f++)
            put(tasks);
        commit();
    }
    batches_to_a_settling(tasks, frames, warm); /* until what is freed and what is taken have come to a balance */
    uint64_t done_before = done;
    measuring = true;
    uint64_t n = batches_to_a_settling(tasks, frames, batches);
    print(n, (double)(done - done_before));
    engine_close(&engine);
    store_close(&store);
    effects_free(&out);
    return 0;
}
