/* The loops, the clock and the figures of the common workload: see life.h.
 *
 *   PROGRAM --op OP [--seconds S] [--tasks N] [--rate R] [--window W] [--frame F] [--payload BYTES] [--port P] [--where TEXT] [--variant TEXT]
 *           [--pid PID] [--since T]
 *
 * life   lives for S seconds, then until all that was enqueued is done. What was queued before goes first, so the same run measures depth.
 * deep   the same where it is done again and again on top of one backlog: what comes may be of the run before, so nothing is followed one by one.
 * rate   R tasks a second for S seconds, one a request, each sent when it is due: latency.
 * fill   enqueue N tasks, nobody receives.
 * drain  receive and complete N tasks that were enqueued before, nobody enqueues.
 * first  wait until one task is received; T is the monotonic clock's time, in seconds, at which the server was started.
 * PID is the server's: its CPU, and the most memory that it held, and those of its children, go into the figures.
 *
 * A server may hand out tasks of the run before: what RabbitMQ has not taken of its consumer's last acknowledgements when he goes, it puts back. life and rate know
 * them by their stamps, complete them, and do not count them; more than a window of them, and the queue was not what the run takes it for. */
#include "tests/bench/life.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/common.h"

#define TASKS_MAX 8000000u  /* of one measured run */
#define BACKLOG UINT64_MAX  /* the number of what `fill` and `deep` enqueue: it is not followed one by one */
#define OVERTIME_S 120      /* a run that lasts so much longer than asked for has failed */
#define MEMORY_EVERY_S 0.05 /* how often the server's memory is looked at: what it holds for a moment counts */
#define PAYLOAD_BYTES_MAX 65536

enum op { OP_LIFE, OP_DEEP, OP_RATE, OP_FILL, OP_DRAIN, OP_FIRST };
static const char *const op_names[] = { "life", "deep", "rate", "fill", "drain", "first" };

struct shared {
    _Atomic int ready, go;
    _Atomic uint64_t total;                         /* UINT64_MAX until the producer knows */
    _Atomic uint64_t received, done, of_other_runs; /* done: without those of other runs */
    uint64_t done_by_both;                          /* while there was a producer */
    double start, end_ack, end_done, first_received, cpu_producer, cpu_consumer;
    double *sent, *acked, *got; /* by number */
};

static struct shared *sh;
static struct life life = { .window = 256, .payload_bytes = 200, .host = "127.0.0.1", .where = "", .variant = "" };
static const struct life_client *client;
static enum op op;
static uint32_t this_run; /* the upper half of its stamps; the lower one is the task's number */
static double seconds = 5, rate;
static uint64_t fill_tasks;
static int server; /* its process, or 0 */
static double rss_anon_most_mb;

/* ---- payloads ---- */

static bool followed(void)
{
    return op == OP_LIFE || op == OP_RATE;
}

/* Letters, for text protocols: each payload's own, drawn from its number, so that a server that compresses finds nothing. */
static void fill_text(uint64_t number, char *to, uint64_t bytes)
{
    uint64_t x = (number + 1) * 0x9E3779B97F4A7C15ull;
    while (bytes) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift */
        uint64_t letters = (x & 0x0f0f0f0f0f0f0f0full) + 0x6161616161616161ull, n = bytes < 8 ? bytes : 8;
        memcpy(to, &letters, n);
        to += n, bytes -= n;
    }
}

void life_payload(uint64_t number, char *to, uint64_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t stamp = followed() ? (uint64_t)this_run << 32 | number : BACKLOG;
    for (int i = 0; i < LIFE_STAMP_BYTES; i++)
        to[i] = digits[stamp >> (4 * (LIFE_STAMP_BYTES - 1 - i)) & 15];
    fill_text(number, to + LIFE_STAMP_BYTES, bytes - LIFE_STAMP_BYTES);
    if (stamp != BACKLOG)
        sh->sent[number] = now_s();
}

void life_received(const void *payload, size_t n)
{
    char stamp[LIFE_STAMP_BYTES + 1] = "", *end;
    if (n != life.payload_bytes)
        die("a payload of %zu bytes came back", n);
    memcpy(stamp, payload, LIFE_STAMP_BYTES);
    uint64_t value = strtoull(stamp, &end, 16), number = value & UINT32_MAX;
    double t = now_s();
    if (*end)
        die("task %s came from nowhere", stamp);
    if (followed() && value != BACKLOG && value >> 32 != this_run) {
        if (++sh->of_other_runs > life.window)
            die("more than a window of tasks came that are of another run: the queue was not empty");
        return;
    }
    if (!sh->received++)
        sh->first_received = t;
    if (!followed() || value == BACKLOG)
        return;
    if (number >= TASKS_MAX || sh->got[number] != 0)
        die("task %s came twice, or from nowhere", stamp);
    sh->got[number] = t;
}

uint64_t life_total(void)
{
    uint64_t total = sh->total;
    return op == OP_FIRST || total == UINT64_MAX ? UINT64_MAX : total + sh->of_other_runs;
}

/* ---- the two sides ---- */

static void wait_for_go(void)
{
    sh->ready++;
    while (!sh->go)
        nanosleep(&(struct timespec){ 0, 200000 }, NULL);
}

static uint64_t take_acks(uint64_t acked, bool wait)
{
    uint64_t n = client->acks(&life, wait);
    double t = now_s();
    for (uint64_t i = 0; i < n && followed(); i++)
        sh->acked[acked + i] = t;
    if (n)
        sh->end_ack = t;
    return acked + n;
}

static void produce_in_window(void)
{
    uint64_t sent = 0, acked = 0, total = op == OP_FILL ? fill_tasks : UINT64_MAX;
    double until = sh->start + seconds;
    while (acked < total) {
        while (sent < total && sent - acked + life.frame <= life.window) {
            /* The end is set before the last tasks go out, so that the consumer knows of it when they arrive. */
            if (op != OP_FILL && total == UINT64_MAX && (now_s() >= until || sent + 2 * life.window > TASKS_MAX))
                sh->total = total = sent + life.window;
            uint64_t n = total - sent < life.frame ? total - sent : life.frame;
            client->put(&life, sent, n);
            sent += n;
        }
        acked = take_acks(acked, true);
    }
    sh->done_by_both = sh->done;
}

static void produce_at_rate(void)
{
    uint64_t sent = 0, acked = 0, total = (uint64_t)(rate * seconds);
    sh->total = total;
    while (acked < total) {
        double t = now_s(), due = sh->start + (double)sent / rate;
        if (sent < total && t >= due) {
            client->put(&life, sent++, 1);
            acked = take_acks(acked, false);
            continue;
        }
        struct timespec left = { 0, sent < total ? (long)((due - t) * 1e9) : 100000000 };
        struct pollfd p = { client->producer_fd(&life), POLLIN, 0 };
        ppoll(&p, 1, &left, NULL);
        acked = take_acks(acked, false);
    }
}

static void producer(void)
{
    client->open_producer(&life);
    wait_for_go();
    double cpu = cpu_self_s();
    if (op == OP_RATE)
        produce_at_rate();
    else
        produce_in_window();
    sh->cpu_producer = cpu_self_s() - cpu;
}

static void consumer(void)
{
    client->open_consumer(&life);
    wait_for_go();
    double cpu = cpu_self_s();
    uint64_t all = 0;
    while (sh->done < sh->total) {
        uint64_t n = client->serve(&life), others = sh->of_other_runs;
        if (n)
            sh->end_done = now_s();
        /* Whatever came of other runs counts as done at once: so no own one is missing at the end. */
        all += n;
        sh->done = all > others ? all - others : 0;
        if (op == OP_FIRST && sh->received)
            break;
    }
    sh->cpu_consumer = cpu_self_s() - cpu;
}

static pid_t child(void (*side)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        side();
        _exit(0);
    }
    return pid;
}

static void look_at_memory(void)
{
    static double next;
    double t = now_s();
    if (!server || t < next)
        return;
    double mb = tree_rss_anon_mb(server);
    if (mb > rss_anon_most_mb)
        rss_anon_most_mb = mb;
    double took = now_s() - t; /* it is to disturb nobody */
    next = t + (took * 20 > MEMORY_EVERY_S ? took * 20 : MEMORY_EVERY_S);
}

/* Both sides, or one. False: a side failed or took too long. */
static bool run_sides(bool produces, bool consumes)
{
    pid_t pids[2] = { produces ? child(producer) : 0, consumes ? child(consumer) : 0 };
    int left = produces + consumes;
    bool ok = true;
    for (int want = left; sh->ready < want && ok;) {
        ok = waitpid(-1, NULL, WNOHANG) == 0;
        nanosleep(&(struct timespec){ 0, 200000 }, NULL);
    }
    double until = (sh->start = now_s()) + seconds + OVERTIME_S;
    sh->go = 1;
    while (left && ok) {
        int status;
        look_at_memory();
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            left--;
            ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        } else if ((followed() || op == OP_DEEP) && now_s() > until) {
            fprintf(stderr, "bench: it does not come to an end: %llu received of %llu\n",
                    (unsigned long long)sh->received, (unsigned long long)sh->total);
            ok = false;
        }
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    for (int i = 0; i < 2 && !ok; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    return ok;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Destroys `at`. */
static void print_latency(const char *name, double *at, uint64_t n)
{
    uint64_t known = 0;
    for (uint64_t i = 0; i < n; i++)
        if (at[i] != 0)
            at[known++] = (at[i] - sh->sent[i]) * 1e3;
    if (known == 0)
        return;
    qsort(at, known, sizeof *at, by_value);
    printf(",\"%s_p50_ms\":%.3f,\"%s_p99_ms\":%.3f", name, at[known / 2], name, at[known * 99 / 100]);
}

/* Whoever receives more slowly than he is sent to has the rest for himself at the end: how much of the time that is, and the rate while both were at work. */
static void print_both(double seconds_all)
{
    double both = sh->end_ack - sh->start;
    printf(",\"alone_share\":%.4f,\"both_per_s\":%.1f", sh->end_done > sh->end_ack ? 1 - both / seconds_all : 0,
           (double)sh->done_by_both / both);
}

static void print_figures(double server_cpu)
{
    bool fill = op == OP_FILL;
    uint64_t n = fill ? fill_tasks : sh->total;
    double s = (sh->end_done > sh->end_ack ? sh->end_done : sh->end_ack) - sh->start, lives = (double)n;
    printf("{\"queue\":\"%s\",\"variant\":\"%s\",\"op\":\"%s\",\"window\":%llu,\"frame\":%llu,\"tasks\":%llu,"
           "\"seconds\":%.3f,\"per_s\":%.1f",
           client->name, life.variant, op_names[op], (unsigned long long)life.window, (unsigned long long)life.frame,
           (unsigned long long)n, s, lives / s);
    printf(",\"producer_cpu_us\":%.2f,\"consumer_cpu_us\":%.2f", sh->cpu_producer * 1e6 / lives,
           sh->cpu_consumer * 1e6 / lives);
    if (server)
        printf(",\"server_cpu_us\":%.2f,\"rss_anon_mb\":%.1f", server_cpu * 1e6 / lives, rss_anon_most_mb);
    if (op == OP_LIFE || op == OP_DEEP)
        print_both(s);
    if (followed()) {
        print_latency("ack", sh->acked, n);
        print_latency("received", sh->got, n);
    }
    if (sh->of_other_runs)
        printf(",\"of_other_runs\":%llu", (unsigned long long)sh->of_other_runs);
    printf("}\n");
}

/* ---- the program ---- */

/* Another one for each run within some weeks, and never the upper half of BACKLOG. */
static uint32_t name_of_run(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint32_t)(((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000) % UINT32_MAX);
}

static void *map_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die("no memory");
    return p;
}

static enum op op_named(const char *name)
{
    for (int i = 0; i <= OP_FIRST; i++)
        if (!strcmp(op_names[i], name))
            return (enum op)i;
    die("no such op: %s", name);
}

int life_main(int argc, char **argv, const struct life_client *c)
{
    double since = 0;
    client = c;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *k = argv[i], *v = argv[i + 1];
        if (!strcmp(k, "--op"))
            op = op_named(v);
        else if (!strcmp(k, "--seconds"))
            seconds = atof(v);
        else if (!strcmp(k, "--tasks"))
            fill_tasks = strtoull(v, NULL, 10);
        else if (!strcmp(k, "--rate"))
            rate = atof(v);
        else if (!strcmp(k, "--window"))
            life.window = strtoull(v, NULL, 10);
        else if (!strcmp(k, "--frame"))
            life.frame = strtoull(v, NULL, 10);
        else if (!strcmp(k, "--payload"))
            life.payload_bytes = strtoull(v, NULL, 10);
        else if (!strcmp(k, "--port"))
            life.port = atoi(v);
        else if (!strcmp(k, "--where"))
            life.where = v;
        else if (!strcmp(k, "--variant"))
            life.variant = v;
        else if (!strcmp(k, "--pid"))
            server = atoi(v);
        else if (!strcmp(k, "--since"))
            since = atof(v);
        else
            die("unknown option %s", k);
    }
    life.frame = op == OP_RATE || op == OP_FIRST || !life.frame ? 1 : life.frame;
    if (!life.window || life.frame > life.window || life.payload_bytes < LIFE_STAMP_BYTES ||
        life.payload_bytes > PAYLOAD_BYTES_MAX || (op == OP_RATE && (rate <= 0 || rate * seconds > TASKS_MAX)))
        die("options that make no sense together");
    signal(SIGPIPE, SIG_IGN);
    this_run = name_of_run();
    sh = map_shared(sizeof *sh);
    sh->sent = map_shared(sizeof *sh->sent * TASKS_MAX);
    sh->acked = map_shared(sizeof *sh->acked * TASKS_MAX);
    sh->got = map_shared(sizeof *sh->got * TASKS_MAX);
    sh->total = op == OP_DRAIN ? fill_tasks : UINT64_MAX;
    if (op != OP_FIRST && op != OP_DRAIN)
        client->prepare(&life);
    double cpu = server ? tree_cpu_s(server) : 0;
    if (!run_sides(op != OP_FIRST && op != OP_DRAIN, op != OP_FILL))
        return 1;
    if (op == OP_FIRST)
        printf("{\"queue\":\"%s\",\"variant\":\"%s\",\"op\":\"first\",\"seconds\":%.3f,\"rss_anon_mb\":%.1f}\n",
               client->name, life.variant, sh->first_received - since, rss_anon_most_mb);
    else
        print_figures(server ? tree_cpu_s(server) - cpu : 0);
    return 0;
}
