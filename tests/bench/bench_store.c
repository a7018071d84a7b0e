/* What the store costs: puts a second, appended, overwritten in place and at random keys, with 1,000 puts a commit;
 * gets; and what one commit of one put takes. One JSON line a measurement.
 *   bench_store [--dir DIR] [--rows N] [--value BYTES] [--wal BYTES]   DIR is made, and removed at the end */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/store/store.h"

#define PUTS_A_COMMIT 1000
#define SINGLE_COMMITS 300

struct bench {
    struct store *s;
    uint64_t rows;
    size_t value_bytes;
    uint8_t value[4000];
    uint64_t seed;
};

static double now_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next_random(struct bench *b) /* xorshift64*: the same keys each time */
{
    b->seed ^= b->seed >> 12;
    b->seed ^= b->seed << 25;
    b->seed ^= b->seed >> 27;
    return b->seed * 2685821657736338717ull;
}

static void must(struct bench *b, enum store_rc r)
{
    if (r == STORE_OK)
        return;
    fprintf(stderr, "bench_store: %d %s\n", (int)r, store_error_text(b->s));
    exit(1);
}

typedef enum store_rc (*op)(struct bench *b, struct store_txn *t, uint64_t i);

static enum store_rc append(struct bench *b, struct store_txn *t, uint64_t i)
{
    uint8_t key[8];
    key_u64(key, i);
    return store_append(t, TABLE_UNIT, key, sizeof key, b->value, b->value_bytes);
}

static enum store_rc overwrite(struct bench *b, struct store_txn *t, uint64_t i)
{
    uint8_t key[8];
    key_u64(key, i);
    b->value[0]++;
    return store_put(t, TABLE_UNIT, key, sizeof key, b->value, b->value_bytes);
}

static enum store_rc put_random(struct bench *b, struct store_txn *t, uint64_t i)
{
    uint8_t key[8];
    (void)i;
    key_u64(key, next_random(b));
    return store_put(t, TABLE_DEDUP, key, sizeof key, b->value, b->value_bytes);
}

static enum store_rc get_in_order(struct bench *b, struct store_txn *t, uint64_t i)
{
    uint8_t key[8];
    struct store_val v;
    (void)b;
    key_u64(key, i);
    return store_get(t, TABLE_UNIT, key, sizeof key, &v);
}

static enum store_rc get_random(struct bench *b, struct store_txn *t, uint64_t i)
{
    (void)i;
    return get_in_order(b, t, next_random(b) % b->rows);
}

static enum store_rc consume(struct bench *b, struct store_txn *t, uint64_t i) /* take the front, append at the back */
{
    uint8_t key[8];
    struct store_val v;
    key_u64(key, i);
    enum store_rc r = store_get(t, TABLE_UNIT, key, sizeof key, &v);
    if (r == STORE_OK)
        r = store_del(t, TABLE_UNIT, key, sizeof key);
    return r == STORE_OK ? append(b, t, b->rows + i) : r;
}

static void run(struct bench *b, const char *name, op f)
{
    const struct store_counters *c = store_counters(b->s);
    struct store_space space;
    uint64_t commits = c->commits, commit_us = c->commit_us_total;
    double wall = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID), ops = 0;
    for (uint64_t i = 0; i < b->rows;) {
        struct store_txn *t;
        must(b, store_pressure(b->s, (int64_t)(now_s(CLOCK_MONOTONIC) * 1e6), &space));
        must(b, store_begin(b->s, &t));
        double begun = now_s(CLOCK_MONOTONIC);
        for (int k = 0; k < PUTS_A_COMMIT && i < b->rows; k++, i++)
            must(b, f(b, t, i));
        ops += now_s(CLOCK_MONOTONIC) - begun;
        must(b, store_commit(&t));
    }
    wall = now_s(CLOCK_MONOTONIC) - wall;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double rows = (double)b->rows, n = (double)(c->commits - commits);
    printf("{\"bench\":\"store\",\"case\":\"%s\",\"rows\":%.0f,\"value_bytes\":%zu,\"per_s\":%.0f,", name, rows,
           b->value_bytes, rows / wall);
    printf("\"ns_each_before_commit\":%.0f,\"cpu_us_each\":%.2f,\"commit_us_mean\":%.0f}\n", ops * 1e9 / rows,
           cpu * 1e6 / rows, (double)(c->commit_us_total - commit_us) / n);
    fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_single(struct bench *b)
{
    static double us[SINGLE_COMMITS];
    for (uint64_t i = 0; i < SINGLE_COMMITS; i++) {
        struct store_txn *t;
        double begun = now_s(CLOCK_MONOTONIC);
        must(b, store_begin(b->s, &t));
        must(b, append(b, t, 4 * b->rows + i));
        must(b, store_commit(&t));
        us[i] = (now_s(CLOCK_MONOTONIC) - begun) * 1e6;
    }
    qsort(us, SINGLE_COMMITS, sizeof us[0], by_value);
    printf("{\"bench\":\"store\",\"case\":\"commit_of_one_put\",\"commits\":%d,\"p50_us\":%.0f,\"p99_us\":%.0f,"
           "\"max_us\":%.0f}\n",
           SINGLE_COMMITS, us[SINGLE_COMMITS / 2], us[SINGLE_COMMITS * 99 / 100], us[SINGLE_COMMITS - 1]);
}

static void run_crc(struct bench *b)
{
    static const size_t sizes[] = { 20, 200, 3500 };
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        uint32_t crc = 0;
        const int n = 200000;
        double begun = now_s(CLOCK_MONOTONIC);
        for (int i = 0; i < n; i++)
            crc = store_crc32c(crc, b->value, sizes[k]);
        double took = now_s(CLOCK_MONOTONIC) - begun;
        printf("{\"bench\":\"store\",\"case\":\"crc32c\",\"bytes\":%zu,\"ns\":%.1f,\"crc\":%u}\n", sizes[k],
               took * 1e9 / n, crc);
    }
}

int main(int argc, char **argv)
{
    struct bench b = { .rows = 200000, .value_bytes = 200, .seed = 88172645463325252ull };
    char dir[] = "bench-store-XXXXXX";
    const char *at = NULL;
    uint64_t wal = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--dir") == 0)
            at = argv[i + 1];
        else if (strcmp(argv[i], "--rows") == 0)
            b.rows = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--value") == 0)
            b.value_bytes = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--wal") == 0)
            wal = strtoull(argv[i + 1], NULL, 10);
        else
            return fprintf(stderr, "bench_store: unknown option %s\n", argv[i]), 2;
    }
    if (b.rows == 0 || b.value_bytes == 0 || b.value_bytes > sizeof b.value) {
        return fprintf(stderr, "bench_store: bad size\n"), 2;
    }
    if (at == NULL && (at = mkdtemp(dir)) == NULL)
        return perror("bench_store"), 1;
    for (size_t i = 0; i < sizeof b.value; i++)
        b.value[i] = (uint8_t)next_random(&b);

    char text[300];
    struct store_options o = { .dir = at, .wal_bytes = wal };
    if (store_open(&b.s, &o, b.value, text, sizeof text) != STORE_OK) {
        return fprintf(stderr, "bench_store: %s\n", text), 1;
    }
    run_crc(&b);
    run(&b, "append", append);
    run(&b, "overwrite_in_order", overwrite);
    run(&b, "get_in_order", get_in_order);
    run(&b, "get_random", get_random);
    run(&b, "put_random", put_random);
    run(&b, "consume_and_append", consume);
    run_single(&b);
    store_close(&b.s);
    static const char *const files[] = { "data.mdb", "lock.mdb", "lock" };
    for (size_t i = 0; i < 3; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", at, files[i]);
        unlink(path);
    }
    rmdir(at);
    return 0;
}
