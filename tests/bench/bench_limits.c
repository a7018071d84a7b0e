/* What the disk, LMDB and ZeroMQ do alone, on this machine: the limits that docs/performance.md measures a life against.
 *
 *   bench_limits --dir DIR [--seconds S] [--probe 1]     S: for each case; probe: only what the disk takes for 2 KiB, as our log is written, to tell how it is just now
 *
 * disk   write a block and fdatasync: behind the end of the file, and into a part that was written before; 32 pages side by side, and in 8 pieces. In turn over 8 MiB, as our log is written, while no
 *        processor is idle, as none is under load: whom the disk has answered must then not wait for a processor to wake up
 * lmdb   200-byte values, synced commits: one put a commit; 1,000 puts a commit at the end, and at random keys
 * zeromq an echo over TCP: frames of one task, one at a time and 1,000 under way; frames of 64 tasks
 * Disk and echo also at 200 a second, each when it is due: between two all sleep, as a broker's threads and its disk do when tasks come alone. */
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/bench/common.h"

#define SAMPLES_MAX 200000
#define RATE 200 /* where things come one at a time */

static const char *dir;
static double seconds = 1;
static const off_t log_area = 8 << 20; /* as our log, unless told otherwise */
static off_t area = 64 << 20;          /* of the file, where it is written before */
static double us[SAMPLES_MAX];
static uint64_t samples;

static void sample(double since_s)
{
    if (samples < SAMPLES_MAX)
        us[samples++] = (now_s() - since_s) * 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Until the n-th of them is due. */
static double due(double start_s, uint64_t n, unsigned rate)
{
    double left_s = start_s + (double)n / rate - now_s();
    if (left_s > 0)
        nanosleep(&(struct timespec){ 0, (long)(left_s * 1e9) }, NULL);
    return now_s();
}

/* n: how many things were done in wall_s, at cpu_s of this process and its echo. */
static void print(const char *limit, const char *name, double n, double wall_s, double cpu_s)
{
    printf("{\"limit\":\"%s\",\"case\":\"%s\",\"per_s\":%.1f,\"cpu_us\":%.3f", limit, name, n / wall_s,
           cpu_s * 1e6 / n);
    if (samples) {
        qsort(us, samples, sizeof *us, by_value);
        double sum = 0;
        for (uint64_t i = 0; i < samples; i++)
            sum += us[i];
        printf(",\"mean_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f", sum / (double)samples, us[samples / 2],
               us[samples * 99 / 100]);
    }
    printf("}\n");
    samples = 0;
}

/* ---- processors that are not idle ---- */

#define LOOPS_MAX CPU_SETSIZE
static pid_t loops[LOOPS_MAX];

/* It gives way to everything else, says so, and ends with `bench`, however that one ends. */
static _Noreturn void loop(int cpu, pid_t bench, int up)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != bench ||
        sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }) != 0 ||
        sched_setaffinity(0, sizeof one, &one) != 0 || write(up, "", 1) != 1)
        _exit(1);
    close(up);
    for (volatile unsigned n = 0;;)
        n++;
}

static void keep_awake(void)
{
    cpu_set_t ours;
    int up[2];
    pid_t bench = getpid();
    unsigned begun = 0;
    char byte;
    if (sched_getaffinity(0, sizeof ours, &ours) != 0)
        die("cannot tell the processors");
    if (pipe(up) != 0)
        die("no pipe");
    for (int cpu = 0; cpu < LOOPS_MAX; cpu++)
        if (CPU_ISSET(cpu, &ours)) {
            if ((loops[cpu] = fork()) < 0)
                die("no loop on processor %d", cpu);
            if (loops[cpu] == 0)
                loop(cpu, bench, up[1]);
            begun++;
        }
    close(up[1]); /* whoever lives has closed it too once it gave way: one that died leaves an end, and not silence */
    for (; begun > 0; begun--)
        if (read(up[0], &byte, 1) != 1)
            die("a processor has no loop that keeps it from being idle");
    close(up[0]);
}

static void let_sleep(void)
{
    for (int cpu = 0; cpu < LOOPS_MAX; cpu++)
        if (loops[cpu] > 0) {
            if (waitpid(loops[cpu], NULL, WNOHANG) != 0)
                die("the loop on processor %d ended meanwhile", cpu);
            kill(loops[cpu], SIGKILL);
            waitpid(loops[cpu], NULL, 0);
            loops[cpu] = 0;
        }
}

/* ---- disk ---- */

/* pieces: so many blocks are written before each sync, 16 to 32 pages apart. rate: so often a second; 0: one after the other. */
static void disk(const char *name, size_t bytes, unsigned pieces, bool written_before, unsigned rate)
{
    char path[4096];
    static char block[4 << 20];
    memset(block, 'x', sizeof block);
    snprintf(path, sizeof path, "%s/bench-limits-disk", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die("cannot make %s", path);
    unlink(path);
    for (off_t at = 0; written_before && at < area; at += (off_t)sizeof block)
        if (pwrite(fd, block, sizeof block, at) != (ssize_t)sizeof block)
            die("cannot write %s", path);
    if (fsync(fd) != 0)
        die("cannot sync %s", path);
    double start = now_s(), cpu = cpu_self_s(), t = start;
    uint64_t n = 0;
    for (off_t at = 0; t - start < seconds; n++, at += (off_t)bytes) {
        if (written_before && at + (off_t)(pieces * (bytes + (128 << 10))) > area)
            at = 0;
        t = rate ? due(start, n, rate) : t;
        bool wrote = true;
        for (unsigned i = 0; i < pieces; i++) {
            wrote = wrote && pwrite(fd, block, bytes, at) == (ssize_t)bytes;
            at += pieces > 1 ? (off_t)bytes + (off_t)((16 + (n + i) % 16) << 12) : 0;
        }
        if (!wrote || fdatasync(fd) != 0)
            die("cannot write %s", path);
        sample(t);
        t = now_s();
    }
    print("disk", name, (double)n, t - start, cpu_self_s() - cpu);
    close(fd);
}

/* ---- LMDB ---- */

static void must(int rc)
{
    if (rc)
        die("lmdb: %s", mdb_strerror(rc));
}

static void without_lmdb(const char *path)
{
    char file[4200];
    snprintf(file, sizeof file, "%s/data.mdb", path);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", path);
    unlink(file);
    rmdir(path);
}

static void lmdb(const char *name, uint64_t puts, bool random)
{
    char path[4096];
    char value[200];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    memset(value, 'x', sizeof value);
    snprintf(path, sizeof path, "%s/bench-limits-lmdb", dir);
    without_lmdb(path); /* of a run that was broken off */
    mkdir(path, 0700);
    must(mdb_env_create(&env));
    must(mdb_env_set_mapsize(env, 16ull << 30));
    must(mdb_env_open(env, path, MDB_NORDAHEAD, 0600));
    must(mdb_txn_begin(env, NULL, 0, &txn));
    must(mdb_dbi_open(txn, NULL, 0, &dbi));
    must(mdb_txn_commit(txn));
    double start = now_s(), cpu = cpu_self_s(), t = start;
    uint64_t n = 0, x = 88172645463325252ull;
    while (t - start < seconds) {
        must(mdb_txn_begin(env, NULL, 0, &txn));
        for (uint64_t i = 0; i < puts; i++, n++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            uint64_t key = __builtin_bswap64(random ? x : n + 1);
            MDB_val k = { sizeof key, &key }, v = { sizeof value, value };
            must(mdb_put(txn, dbi, &k, &v, random ? 0 : MDB_APPEND));
        }
        must(mdb_txn_commit(txn));
        sample(t);
        t = now_s();
    }
    print("lmdb", name, (double)n, t - start, cpu_self_s() - cpu);
    mdb_env_close(env);
    without_lmdb(path);
}

/* ---- ZeroMQ ---- */

static void echo(void *sock)
{
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    for (;;) {
        if (zmq_msg_recv(&id, sock, 0) < 0 || zmq_msg_recv(&body, sock, 0) < 0)
            _exit(1);
        bool last = zmq_msg_size(&body) == 1;
        if (zmq_msg_send(&id, sock, ZMQ_SNDMORE) < 0 || zmq_msg_send(&body, sock, 0) < 0 || last)
            break;
    }
    zmq_close(sock);
}

static void set_unbounded(void *sock)
{
    int zero = 0;
    zmq_setsockopt(sock, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(sock, ZMQ_RCVHWM, &zero, sizeof zero);
}

static void zeromq(const char *name, size_t bytes, uint64_t window, unsigned rate)
{
    int way[2];
    char endpoint[256] = "";
    size_t n = sizeof endpoint;
    if (pipe(way) != 0)
        die("no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        void *ctx = zmq_ctx_new(), *sock = zmq_socket(ctx, ZMQ_ROUTER);
        set_unbounded(sock);
        if (zmq_bind(sock, "tcp://127.0.0.1:*") != 0 || zmq_getsockopt(sock, ZMQ_LAST_ENDPOINT, endpoint, &n) != 0 ||
            write(way[1], endpoint, sizeof endpoint) != (ssize_t)sizeof endpoint)
            _exit(1);
        echo(sock);
        zmq_ctx_term(ctx);
        _exit(0);
    }
    if (read(way[0], endpoint, sizeof endpoint) != (ssize_t)sizeof endpoint)
        die("the echo did not come up");
    void *ctx = zmq_ctx_new(), *sock = zmq_socket(ctx, ZMQ_DEALER);
    set_unbounded(sock);
    if (zmq_connect(sock, endpoint) != 0)
        die("cannot connect to %s", endpoint);
    static char body[65536];
    uint64_t sent = 0, back = 0;
    zmq_send(sock, body, 2, 0); /* the connection is made outside the measured time */
    zmq_recv(sock, body, sizeof body, 0);
    double start = now_s(), cpu = cpu_self_s() + tree_cpu_s(pid), t = start;
    for (bool more = true; more || back < sent;) {
        while (more && sent - back < window) {
            t = rate ? due(start, sent, rate) : t;
            if (zmq_send(sock, body, bytes, 0) < 0)
                die("cannot send");
            sent++;
        }
        if (zmq_recv(sock, body, sizeof body, 0) < 0)
            die("cannot receive");
        back++;
        if (window == 1)
            sample(t);
        t = now_s();
        more = t - start < seconds;
    }
    cpu = cpu_self_s() + tree_cpu_s(pid) - cpu;
    zmq_send(sock, body, 1, 0);
    zmq_recv(sock, body, sizeof body, 0);
    waitpid(pid, NULL, 0);
    print("zeromq", name, (double)back, t - start, cpu);
    zmq_close(sock);
    zmq_ctx_term(ctx);
    close(way[0]);
    close(way[1]);
}

int main(int argc, char **argv)
{
    dir = option(argc, argv, "--dir", ".");
    seconds = atof(option(argc, argv, "--seconds", "1"));
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(option(argc, argv, "--probe", "0"), "0") != 0) {
        area = log_area;
        keep_awake();
        disk("probe", 2048, 1, true, 0);
        let_sleep();
        return 0;
    }
    disk("4 KiB behind the end, synced", 4096, 1, false, 0);
    disk("4 KiB where it was written before, synced", 4096, 1, true, 0);
    disk("4 KiB where it was written before, synced, 200 a second", 4096, 1, true, RATE);
    off_t whole = area;
    keep_awake();
    area = log_area;
    disk("2 KiB in turn over 8 MiB, synced, no processor idle", 2048, 1, true, 0);
    disk("256 KiB in turn over 8 MiB, synced, no processor idle", 256 << 10, 1, true, 0);
    area = whole;
    disk("4 MiB in turn over 64 MiB, synced, no processor idle", 4 << 20, 1, true, 0);
    let_sleep();
    disk("32 pages of 4 KiB side by side where it was written before, synced", 32 << 12, 1, true, 0);
    disk("the same in 8 pieces, synced", 4 << 12, 8, true, 0);
    lmdb("one put a commit", 1, false);
    lmdb("1,000 appended puts a commit", 1000, false);
    lmdb("1,000 puts at random keys a commit", 1000, true);
    zeromq("echo, 250 bytes, one at a time", 250, 1, 0);
    zeromq("echo, 250 bytes, 200 a second", 250, 1, RATE);
    zeromq("echo, 250 bytes, 1,000 under way", 250, 1000, 0);
    zeromq("echo, 16,000 bytes, 16 under way", 16000, 16, 0);
    return 0;
}
