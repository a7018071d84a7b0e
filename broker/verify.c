/* A store's records, verified: see verify.h. */
#include "broker/verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/engine/engine.h"

static void damage(void *arg, enum store_table tb, const void *key, size_t n)
{
    uint64_t *damaged = arg;
    char what[256];
    ++*damaged;
    if (!key) {
        printf("damaged\t%s: records are missing, or too many, or cannot be walked\n", store_table_name(tb));
        return;
    }
    engine_describe_key(tb, key, n, what, sizeof what);
    printf("damaged\t%s ", store_table_name(tb));
    for (size_t i = 0; i < n; i++) {
        printf("%02x", ((const unsigned char *)key)[i]);
    }
    printf(": ");
    for (const char *c = what; *c; c++) {
        putchar(*c < ' ' || *c == 0x7f ? '?' : *c); /* a key may hold anything */
    }
    putchar('\n');
}

int verify(const char *dir)
{
    struct store *s;
    char text[512] = "";
    uint64_t checked = 0, damaged = 0;
    const struct store_options o = { .dir = dir, .read_only = true };
    static const uint8_t no_id[16];
    if (store_open(&s, &o, no_id, text, sizeof text) != STORE_OK) {
        fprintf(stderr, "sunlined: %s: %s\n", dir, text);
        return 1;
    }
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        uint64_t n = 0, before = damaged;
        enum store_rc rc = store_verify(s, (enum store_table)tb, &n, damage, &damaged);
        checked += n;
        if (rc != STORE_OK && damaged == before) { /* not a record's fault */
            fprintf(stderr, "sunlined: %s: %s cannot be read: %s\n", dir, store_table_name((enum store_table)tb),
                    store_error_text(s));
            damaged++;
        }
    }
    store_close(&s);
    printf("%" PRIu64 " records checked, %" PRIu64 " damaged\n", checked, damaged);
    return damaged ? VERIFY_DAMAGED : 0;
}
