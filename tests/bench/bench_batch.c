/* What a batch of lives takes, counted and not timed: engine and store in one process, without a wire, the same messages every time. In a batch, `frames` put
 * frames of `tasks` units each come in, and the tasks that the batch before gave out are submitted, `tasks` a frame; one robot does them all.
 *
 *   bench_batch --dir DIR [--tasks N] [--frames N] [--batches N] [--warm BATCHES] [--stations N] [--keys 1]
 *
 * It prints what was written (bytes of the log, and of LMDB's pages when they were settled, a commit) and what the store counted, as JSON. Under callgrind with
 * --toggle-collect=measured_receive --toggle-collect=measured_end it tells the broker's instructions, step by step, without those of its peers: the part
 * `batch` of tests/bench/run does that. stations: one after the other; keys: each unit has an idempotency key, in no order, instead of a number. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "broker/engine/engine.h"
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
static uint32_t stations = 1;
static bool keys;
static struct {
    uint64_t assignment[64 * TASKS_MAX];
    size_t n;
} held;
static uint64_t written_bytes;

/* ---- what is written: the calls pass here ---- */

static void note(ssize_t n)
{
    written_bytes += n > 0 ? (uint64_t)n : 0;
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
    note((ssize_t)n);
    return next(fd, p, n, at);
}

__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

__attribute__((visibility("default"))) ssize_t writev(int fd, const struct iovec *v, int n)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "writev");
    ssize_t wrote = next(fd, v, n);
    note(wrote);
    return wrote;
}

/* ---- the engine and its peers ---- */

static void must(bool ok, const char *what)
{
    if (!ok)
        die("%s", what);
}

static void begin(void)
{
    must(store_begin(store, &txn) == STORE_OK && engine_batch_begin(engine, txn, &out) == STORE_OK, "begin");
    now_us += 1000;
}

static void step(enum input_kind kind, uint64_t peer, const struct slp_msg *m)
{
    struct input in = {
        .kind = kind, .elapsed_us = now_us, .wall_us = 1700000000000000 + now_us, .peer = peer, .msg = m, .restart = 77
    };
    must(engine_step(engine, &in) == STORE_OK, "step");
}

/* What the broker does with a frame, and at a batch's end. callgrind counts in the measured ones. */
static inline __attribute__((always_inline)) void handle(uint64_t peer)
{
    struct slp_msg m;
    struct slp_fault fault;
    must(slp_decode(frame.p, frame.n, SLP_C2B | SLP_A2B, &m, &fault) == 0, "decode");
    step(INPUT_MESSAGE, peer, &m);
}

static inline __attribute__((always_inline)) void end(void)
{
    must(engine_batch_end(engine) == STORE_OK && store_commit(&txn) == STORE_OK, "commit");
}

static __attribute__((noinline)) void measured_receive(uint64_t peer)
{
    handle(peer);
}

static __attribute__((noinline)) void measured_end(void)
{
    end();
}

static bool measuring;

static void receive(uint64_t peer, uint64_t type, const void *any)
{
    slp_buf_clear(&frame);
    must(slp_encode(&frame, type, ++next_id, any) == 0, "encode");
    if (measuring)
        measured_receive(peer);
    else
        handle(peer);
}

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
    if (measuring)
        measured_end();
    else
        end();
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
    memset(payload, 'p', sizeof payload);
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
    held.n = 0;
    begin();
    for (uint32_t f = 0; f < frames || at < n; f++) {
        if (f < frames)
            put(tasks);
        uint32_t k = n - at < tasks ? (uint32_t)(n - at) : tasks;
        if (k)
            submit(now_held + at, k);
        at += k;
    }
    commit();
}

int main(int argc, char **argv)
{
    uint32_t tasks = 64, frames = 2, batches = 200, warm = 200;
    struct store_options o = { .dir = NULL, .map_bytes = 1ull << 33, .no_sync = true };
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
    engine = engine_open(store, &config, &rc);
    must(engine != NULL, "engine");
    begin();
    step(INPUT_BOOT, 0, NULL);
    commit();
    make_line();
    say_hello((uint64_t)tasks * frames * stations);
    for (uint32_t i = 0; i < warm; i++) /* until what is freed and what is taken have come to a balance */
        batch(tasks, frames);
    struct store_counters was = *store_counters(store);
    uint64_t tasks_done = done;
    written_bytes = 0;
    measuring = true;
    for (uint32_t i = 0; i < batches; i++)
        batch(tasks, frames);
    const struct store_counters *c = store_counters(store);
    tasks_done = done - tasks_done;
    double commits = (double)(c->commits - was.commits), l = (double)tasks_done;
    double log_bytes = (double)(c->wal_bytes - was.wal_bytes);
    printf("{\"tasks\":%u,\"frames\":%u,\"stations\":%u,\"done\":%llu,\"done_a_commit\":%.2f,\"log_kib_a_commit\":%.2f,"
           "\"pages_kib_a_commit\":%.2f,\"put_bytes\":%.1f,\"gets\":%.3f,\"seeks\":%.3f,\"puts\":%.3f,\"appends\":%.3f,"
           "\"dels\":%.3f,\"copied\":%.4f,\"tables\":{",
           tasks, frames, stations, (unsigned long long)tasks_done, l / commits, log_bytes / commits / 1024,
           ((double)written_bytes - log_bytes) / commits / 1024, (double)(c->put_bytes - was.put_bytes) / l,
           (double)(c->gets - was.gets) / l, (double)(c->seeks - was.seeks) / l, (double)(c->puts - was.puts) / l,
           (double)(c->appends - was.appends) / l, (double)(c->dels - was.dels) / l,
           (double)(c->payload_copied_bytes - was.payload_copied_bytes) /
               (double)(c->payload_bytes - was.payload_bytes));
    const char *comma = "";
    for (int i = 0; i < STORE_TABLE_COUNT; i++)
        if (c->table[i].writes != was.table[i].writes) {
            printf("%s\"%s\":{\"writes\":%.4f,\"bytes\":%.2f}", comma, store_table_name((enum store_table)i),
                   (double)(c->table[i].writes - was.table[i].writes) / l,
                   (double)(c->table[i].bytes - was.table[i].bytes) / l);
            comma = ",";
        }
    printf("}}\n");
    engine_close(&engine);
    store_close(&store);
    effects_free(&out);
    return 0;
}
