/* The life of a task: enqueue acknowledged, assigned, submitted, acknowledged done. Three processes: the broker as shipped, one producer, one
 * agent that answers at once, over the real protocol, with a real line of one station, events on, results kept. The producer numbers its units.
 *
 *   bench_life --build DIR --base DIR --window N [--tasks N] [--frame N] [--depth N] [--rate N] [--payload BYTES] [--keys]
 *
 * window: lives that may be under way. frame: units in one put and results in one submit, at most. depth: tasks that are queued before the
 * clock starts, in the same run: what is done is taken from the front, what is put goes behind them (no latency then). rate: tasks a second, for latency. Prints one JSON object. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/codec.h"
#include "tests/bench/server.h"

struct shared {
    _Atomic int ready, go;
    _Atomic uint64_t acked, done;
    double start, end_ack, end_done, cpu_producer, cpu_agent;
    double *sent, *ack, *got;
};

#define BACKLOG UINT64_MAX /* the number in the payload of what was queued before */

static struct shared *sh;
static struct server server;
static uint64_t tasks = 200000, window = 1000, frame = 0, depth, payload = 200;
static double rate;
static bool keys;

/* ---- a peer ---- */

struct peer { void *ctx, *sock; struct slp_buf out; zmq_msg_t in; uint64_t id; struct slp_msg m; };

static void peer_open(struct peer *p, const char *endpoint)
{
    int zero = 0;
    memset(p, 0, sizeof *p);
    p->ctx = zmq_ctx_new();
    p->sock = zmq_socket(p->ctx, ZMQ_DEALER);
    zmq_setsockopt(p->sock, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(p->sock, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(p->sock, ZMQ_LINGER, &zero, sizeof zero);
    if (zmq_connect(p->sock, endpoint))
        die("cannot connect to %s", endpoint);
    zmq_msg_init(&p->in);
}

static uint64_t peer_send(struct peer *p, uint64_t type, const void *any)
{
    slp_buf_clear(&p->out);
    if (slp_encode(&p->out, type, ++p->id, any) || zmq_send(p->sock, p->out.p, p->out.n, 0) < 0)
        die("cannot send");
    return p->id;
}

static bool peer_recv(struct peer *p, int flags)
{
    struct slp_fault fault;
    if (zmq_msg_recv(&p->in, p->sock, flags) < 0)
        return false;
    if (slp_decode(zmq_msg_data(&p->in), zmq_msg_size(&p->in), SLP_B2C | SLP_B2A, &p->m, &fault))
        die("a frame is refused: %s at %s", slp_error_name(fault.code), fault.place);
    if (p->m.type == SLP_ERROR)
        die("refused: %s %.*s", slp_error_name(p->m.u.error.code), (int)p->m.u.error.text.n, p->m.u.error.text.p);
    return true;
}

static struct slp_msg *peer_ask(struct peer *p, uint64_t type, const void *any)
{
    uint64_t id = peer_send(p, type, any);
    while (peer_recv(p, 0) && p->m.id != id)
        ;
    return &p->m;
}

static struct slp_bytes str(const char *s) { return (struct slp_bytes){ s, (uint32_t)strlen(s) }; }

/* ---- the line ---- */

static void pair(struct slp_buf *b, const char *k, const char *v)
{
    slp_pack_cstr(b, k);
    slp_pack_cstr(b, v);
}

static uint64_t run_start(struct peer *p, const char *name, uint64_t priority)
{
    struct slp_run_start q = { .line = str("bench"), .name = str(name), .priority = priority };
    SLP_SET(&q, run_start, priority);
    return peer_ask(p, SLP_RUN_START, &q)->u.run_started.run_id;
}

static void line_apply(struct peer *p)
{
    struct slp_buf b = { 0 };
    slp_pack_map(&b, 3);
    pair(&b, "line", "bench");
    slp_pack_cstr(&b, "input");
    slp_pack_array(&b, 1);
    slp_pack_map(&b, 2);
    pair(&b, "name", "payload");
    pair(&b, "type", "text");
    slp_pack_cstr(&b, "stations");
    slp_pack_array(&b, 1);
    slp_pack_map(&b, 4);
    pair(&b, "name", "work");
    pair(&b, "type", "work");
    slp_pack_cstr(&b, "worker");
    slp_pack_map(&b, 1);
    pair(&b, "kind", "robot");
    slp_pack_cstr(&b, "form");
    slp_pack_map(&b, 1);
    slp_pack_cstr(&b, "fields");
    slp_pack_array(&b, 1);
    slp_pack_map(&b, 2);
    pair(&b, "name", "ok");
    pair(&b, "type", "short_answer");
    struct slp_line_apply q = { .definition = { b.p, (uint32_t)b.n } };
    peer_ask(p, SLP_LINE_APPLY, &q);
    slp_buf_free(&b);
}

/* ---- the producer ---- */

static void pack_rows(struct slp_buf *b, uint64_t seq, uint64_t n)
{
    static char text[65536];
    memset(text, 'x', payload);
    for (uint64_t i = 0; i < n; i++) {
        char number[17];
        snprintf(number, sizeof number, "%016llx", (unsigned long long)(seq == BACKLOG ? seq : seq + i));
        memcpy(text, number, 16);
        slp_pack_array(b, 1);
        slp_pack_str(b, text, payload);
    }
}

static void fill(struct peer *p, uint64_t run, uint64_t n)
{
    struct slp_buf b = { 0 };
    uint64_t sent = 0, open = 0;
    while (sent < n || open) {
        while (sent < n && open < 8) {
            uint64_t k = n - sent < 500 ? n - sent : 500;
            slp_buf_clear(&b);
            pack_rows(&b, BACKLOG, k);
            struct slp_put q = { .run_id = run, .rows = { b.p, (uint32_t)b.n, (uint32_t)k } };
            peer_send(p, SLP_PUT, &q);
            sent += k;
            open++;
        }
        peer_recv(p, 0);
        open--;
    }
    slp_buf_free(&b);
}

static void put(struct peer *p, uint64_t run, struct slp_buf *rows, struct slp_buf *names, uint64_t first, uint64_t n)
{
    struct slp_put q = { .run_id = run };
    slp_buf_clear(rows);
    pack_rows(rows, first, n);
    q.rows = (struct slp_list){ rows->p, (uint32_t)rows->n, (uint32_t)n };
    if (keys) {
        slp_buf_clear(names);
        for (uint64_t i = 0; i < n; i++) {
            char key[40];
            snprintf(key, sizeof key, "customer-%016llx", (unsigned long long)((first + i) * 0x9E3779B97F4A7C15ull));
            slp_pack_cstr(names, key);
        }
        q.keys = (struct slp_list){ names->p, (uint32_t)names->n, (uint32_t)n };
        SLP_SET(&q, put, keys);
    } else {
        q.producer = (struct slp_bytes){ "bench producer 1", 16 };
        q.first_seq = first + 1;
        SLP_SET(&q, put, producer);
        SLP_SET(&q, put, epoch);
        SLP_SET(&q, put, first_seq);
    }
    peer_send(p, SLP_PUT, &q);
}

static uint64_t take_acks(struct peer *p, uint64_t acked, int flags)
{
    while (peer_recv(p, flags)) {
        double t = now_s();
        for (uint64_t i = 0, n = p->m.u.put_done.accepted; i < n; i++)
            sh->ack[acked++] = t;
        sh->end_ack = t;
        flags = ZMQ_DONTWAIT;
    }
    return acked;
}

/* Tasks at a steady rate, one a frame. */
static void produce_at_rate(struct peer *p, uint64_t run, struct slp_buf *rows, struct slp_buf *names)
{
    uint64_t acked = 0;
    for (uint64_t sent = 0; acked < tasks;) {
        double t = now_s(), due = sh->start + (double)sent / rate;
        if (sent < tasks && t >= due) {
            sh->sent[sent] = t;
            put(p, run, rows, names, sent++, 1);
            continue;
        }
        zmq_pollitem_t item = { p->sock, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll(&item, 1, sent == tasks ? 100 : (long)((due - t) * 1e3)) > 0)
            acked = take_acks(p, acked, ZMQ_DONTWAIT);
    }
}

/* As many as the window lets. A life under way counts from its put until it is done; at window 1 the next put follows the acknowledgement. */
static void produce_in_window(struct peer *p, uint64_t run, struct slp_buf *rows, struct slp_buf *names)
{
    uint64_t sent = 0, acked = 0;
    while (acked < tasks) {
        for (;;) {
            uint64_t over = window == 1 ? acked : sh->done, open = sent - over, n = window - open < frame ? window - open : frame;
            if (open >= window || sent == tasks)
                break;
            if (tasks - sent < n)
                n = tasks - sent;
            if (n < frame && n < tasks - sent && open)
                break; /* full frames, unless nothing is under way */
            double t = now_s();
            for (uint64_t i = 0; i < n; i++)
                sh->sent[sent + i] = t;
            put(p, run, rows, names, sent, n);
            sent += n;
        }
        uint64_t had = acked;
        if (acked < sent)
            acked = take_acks(p, acked, window == 1 || sent == tasks ? 0 : ZMQ_DONTWAIT);
        if (acked == had && acked < tasks)
            nanosleep(&(struct timespec){ 0, 20000 }, NULL);
    }
}

static void producer(uint64_t run)
{
    struct peer p;
    struct slp_buf rows = { 0 }, names = { 0 };
    peer_open(&p, server.clients);
    struct slp_info_get hi = { 0 };
    peer_ask(&p, SLP_INFO_GET, &hi);
    sh->ready++;
    while (!sh->go)
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    double cpu = cpu_self_s();
    if (rate)
        produce_at_rate(&p, run, &rows, &names);
    else
        produce_in_window(&p, run, &rows, &names);
    sh->cpu_producer = cpu_self_s() - cpu;
}

/* ---- the agent ---- */

static void agent(void)
{
    struct peer p;
    struct slp_buf list = { 0 }, grants = { 0 };
    struct slp_item_worker_def def = { .name = str("bot"), .kind = 1, .capacity = 1 };
    char digest[32] = "bench roster";
    uint64_t worker = 0, granted = window < 64 ? 64 : window, done = 0;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    peer_open(&p, server.agents);
    struct slp_hello h = { .hub = str("bench"), .incarnation = 1, .data_id = { "bench data id 16", 16 }, .zone = str("UTC"),
                           .roster_digest = { digest, 32 }, .wall_us = ts.tv_sec * 1000000ll + ts.tv_nsec / 1000 };
    uint64_t session = peer_ask(&p, SLP_HELLO, &h)->u.welcome.session;
    slp_pack_item(&list, SLP_ITEM_worker_def, &def);
    struct slp_roster r = { .session = session, .digest = { digest, 32 }, .workers = { list.p, (uint32_t)list.n, 1 }, .last = true };
    struct slp_cursor c = slp_each(peer_ask(&p, SLP_ROSTER, &r)->u.roster_done.workers);
    slp_next_u64(&c, &worker);
    struct slp_item_credit grant = (struct slp_item_credit){ .worker = worker, .total = granted };
    slp_pack_item(&grants, SLP_ITEM_credit, &grant);
    struct slp_credit cr = { .session = session, .grants = { grants.p, (uint32_t)grants.n, 1 } };
    SLP_SET(&cr, credit, grants);
    sh->ready++;
    while (!sh->go)
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    double cpu = cpu_self_s();
    peer_send(&p, SLP_CREDIT, &cr);
    while (done < tasks) {
        if (!peer_recv(&p, 0))
            continue;
        if (p.m.type == SLP_OUTCOMES) {
            done += p.m.u.outcomes.ok;
            sh->done = done;
            sh->end_done = now_s();
            continue;
        }
        if (p.m.type != SLP_PUSH)
            continue;
        double t = now_s();
        uint32_t n = 0;
        slp_buf_clear(&list);
        c = slp_each(p.m.u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
            struct slp_cursor f = slp_each(a.fields);
            struct slp_bytes text;
            char number[17] = "";
            if (!slp_next_str(&f, &text) || text.n < 16)
                die("an assignment without its payload");
            memcpy(number, text.p, 16);
            uint64_t seq = strtoull(number, NULL, 16);
            if (seq != BACKLOG && (seq >= tasks || sh->got[seq] != 0))
                die("task %llu came twice, or from nowhere", (unsigned long long)seq);
            if (seq != BACKLOG)
                sh->got[seq] = t;
            static const char yes[] = "\xa1y";
            struct slp_item_result it = { .assignment = a.assignment, .worker = worker, .values = { yes, 2, 1 } };
            slp_pack_item(&list, SLP_ITEM_result, &it);
            n++;
        }
        granted += n;
        grant.total = granted;
        slp_buf_clear(&grants);
        slp_pack_item(&grants, SLP_ITEM_credit, &grant);
        struct slp_submit q = { .session = session, .results = { list.p, (uint32_t)list.n, n }, .grants = { grants.p, (uint32_t)grants.n, 1 } };
        SLP_SET(&q, submit, grants);
        peer_send(&p, SLP_SUBMIT, &q);
    }
    sh->cpu_agent = cpu_self_s() - cpu;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void latency(const char *name, double *at, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        at[i] = (at[i] - sh->sent[i]) * 1e3;
    qsort(at, n, sizeof *at, by_value);
    printf(",\"%s_p50_ms\":%.3f,\"%s_p99_ms\":%.3f", name, at[n / 2], name, at[(uint64_t)((double)n * 0.99)]);
}

static const char *option(int argc, char **argv, const char *name, const char *other)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    return other;
}

static pid_t child(void (*run)(uint64_t), uint64_t arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        run(arg);
        _exit(0);
    }
    return pid;
}

static void agent_child(uint64_t unused)
{
    (void)unused;
    agent();
}

int main(int argc, char **argv)
{
    const char *build = option(argc, argv, "--build", "build"), *base = option(argc, argv, "--base", ".");
    tasks = strtoull(option(argc, argv, "--tasks", "200000"), NULL, 10);
    window = strtoull(option(argc, argv, "--window", "1000"), NULL, 10);
    frame = strtoull(option(argc, argv, "--frame", "0"), NULL, 10);
    depth = strtoull(option(argc, argv, "--depth", "0"), NULL, 10);
    payload = strtoull(option(argc, argv, "--payload", "200"), NULL, 10);
    rate = atof(option(argc, argv, "--rate", "0"));
    for (int i = 1; i < argc; i++)
        keys = keys || !strcmp(argv[i], "--keys");
    if (rate)
        window = tasks, frame = 1;
    if (!frame)
        frame = window == 1 ? 1 : window / 4 < 256 ? window / 4 : 256;
    if (payload < 16 || payload > 60000 || !tasks || !window)
        die("nonsense options");
    size_t bytes = sizeof *sh + 3 * sizeof(double) * tasks;
    sh = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED)
        die("no memory");
    sh->sent = (double *)(sh + 1);
    sh->ack = sh->sent + tasks;
    sh->got = sh->ack + tasks;
    server_start(&server, build, base);
    struct peer p;
    peer_open(&p, server.clients);
    line_apply(&p);
    double start_s = server.ready_s;
    uint64_t empty_bytes = server_store_bytes(&server);
    uint64_t run = run_start(&p, "life", 5);
    if (depth) {
        fill(&p, run, depth);
        zmq_close(p.sock);
        server_stop(&server);
        server_start(&server, build, base);
        peer_open(&p, server.clients);
        start_s = server.ready_s;
    }
    uint64_t depth_bytes = server_store_bytes(&server);
    pid_t a = child(producer, run), b = child(agent_child, 0);
    while (sh->ready < 2)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    double cpu = server_cpu_s(&server);
    sh->start = now_s();
    sh->go = 1;
    for (int left = 2, status; left;) {
        pid_t w = waitpid(-1, &status, 0);
        if (w == server.pid)
            die("the broker ended");
        if (w == a || w == b) {
            if (!WIFEXITED(status) || WEXITSTATUS(status))
                die("the %s ended badly", w == a ? "producer" : "agent");
            left--;
        }
    }
    double s = (sh->end_done > sh->end_ack ? sh->end_done : sh->end_ack) - sh->start;
    cpu = server_cpu_s(&server) - cpu;
    printf("{\"bench\":\"life\",\"window\":%llu,\"frame\":%llu,\"tasks\":%llu,\"depth\":%llu,\"payload_bytes\":%llu,\"rate\":%.0f,\"keys\":%s"
           ",\"tasks_per_s\":%.0f,\"broker_cpu_us\":%.2f,\"producer_cpu_us\":%.2f,\"agent_cpu_us\":%.2f",
           (unsigned long long)window, (unsigned long long)frame, (unsigned long long)tasks, (unsigned long long)depth,
           (unsigned long long)payload, rate, keys ? "true" : "false", (double)tasks / s, cpu * 1e6 / (double)tasks,
           sh->cpu_producer * 1e6 / (double)tasks, sh->cpu_agent * 1e6 / (double)tasks);
    latency("ack", sh->ack, tasks);
    if (!depth)
        latency("assigned", sh->got, tasks);
    printf(",\"rss_anon_mb\":%.1f,\"start_s\":%.3f", (double)server_rss_anon_bytes(&server) / 1e6, start_s);
    if (depth)
        printf(",\"store_bytes_per_queued\":%.0f", (double)(depth_bytes - empty_bytes) / (double)depth);
    printf(",\"store_mb\":%.1f}\n", (double)server_store_bytes(&server) / 1e6);
    zmq_close(p.sock);
    server_stop(&server);
    server_remove(&server);
    return 0;
}
