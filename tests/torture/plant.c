/* A wrong counter, planted: plant DIR RUN STATION|- N adds N to the first counter of a run (-: its units done; else the station's ready tasks), with a
 * checksum that is right, in a store that nobody serves. What `sunline check --recount` is for. Or a record that is gone: plant DIR RUN key KEY takes away an
 * idempotency key of the run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/engine/records.h"
#include "broker/store/store.h"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "plant: %s\n", what);
    exit(1);
}

/* Where a run's units done stand: behind name, line, version, state, paused, priority, fingerprint and units. */
static size_t done_at(const struct store_val *v)
{
    size_t n;
    struct rdr rd = rdr_on(v->p, v->n);
    rdr_str(&rd, &n);
    rdr_bytes(&rd, 2 * 4 + 3);
    rdr_str(&rd, &n);
    rdr_bytes(&rd, 8);
    if (rd.bad)
        die("that is no record of a run");
    return (size_t)((const char *)rd.p - (const char *)v->p);
}

static void take_key_away(struct store *s, uint32_t run, const char *key)
{
    uint8_t k[STORE_KEY_BYTES_MAX];
    struct store_txn *t;
    size_t n = strlen(key);
    if (n > sizeof k - 4)
        die("that is no key");
    memcpy(key_u32(k, run), key, n);
    if (store_begin(s, &t) != STORE_OK || store_del(t, TABLE_DEDUP, k, 4 + n) != STORE_OK ||
        store_commit(&t) != STORE_OK)
        die("there is no such key");
    store_close(&s);
}

int main(int argc, char **argv)
{
    static const uint8_t id[16];
    char text[512];
    uint8_t k[6] = { 0 }, b[1024];
    struct store *s;
    struct store_txn *t;
    struct store_val v;
    if (argc != 5)
        die("DIR RUN_NUMBER STATION_PLACE|- N");
    const struct store_options o = { .dir = argv[1], .map_bytes = 1ull << 30 };
    if (store_open(&s, &o, id, text, sizeof text) != STORE_OK)
        die(text);
    key_u32(k, (uint32_t)atoi(argv[2]));
    if (strcmp(argv[3], "key") == 0) {
        take_key_away(s, (uint32_t)atoi(argv[2]), argv[4]);
        return 0;
    }
    bool whole = strcmp(argv[3], "-") == 0;
    if (!whole)
        k[5] = (uint8_t)(atoi(argv[3]) + 1);
    if (store_begin(s, &t) != STORE_OK || store_get(t, TABLE_RUN, k, sizeof k, &v) != STORE_OK || v.n > sizeof b)
        die("there is no such run");
    size_t at = whole ? done_at(&v) : 8 * TASK_READY;
    memcpy(b, v.p, v.n);
    struct rdr rd = rdr_on(b + at, 8);
    struct rec rc = { b + at, 0, 8, 0 };
    rec_u64(&rc, rdr_u64(&rd) + strtoull(argv[4], NULL, 10));
    if (store_put(t, TABLE_RUN, k, sizeof k, b, v.n) != STORE_OK || store_commit(&t) != STORE_OK)
        die("it cannot be written");
    store_close(&s);
    return 0;
}
