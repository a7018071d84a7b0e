/* A store's records, verified: see verify.h. */
#include "broker/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "broker/endless.h"
#include "broker/engine/engine.h"
#include "broker/log.h"
#include "broker/lost_page.h"

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

/* What records refer to, as a broker would look at it: every page of a check. Damage was told already. */
static bool references(struct store *s, uint64_t *broken)
{
    struct reader *r = reader_new(s);
    struct slp_buf page = { 0 };
    uint8_t next[160];
    uint32_t next_n = 0;
    bool ok = r != NULL;
    for (bool more = ok; more;) {
        struct slp_msg ask = { .version = SL_PROTOCOL_VERSION, .type = SLP_CHECK_GET, .id = 1 }, m;
        struct slp_fault fault;
        ask.u.check_get.after = (struct slp_bytes){ (const char *)next, next_n };
        if (next_n)
            SLP_SET(&ask.u.check_get, check_get, after);
        slp_buf_clear(&page);
        ok = reader_answer(r, &ask, 0, &page) == 0 && slp_decode(page.p, page.n, SLP_B2C, &m, &fault) == 0 &&
             m.type == SLP_CHECK;
        if (!ok)
            break;
        struct slp_cursor c = slp_each(m.u.check.damage);
        for (struct slp_bytes d; slp_next_str(&c, &d);)
            if (memmem(d.p, d.n, " refers to ", 11)) {
                ++*broken;
                printf("damaged\t%.*s\n", (int)d.n, d.p);
            }
        next_n = m.u.check.next.n;
        more = next_n > 0 && next_n <= sizeof next;
        if (more)
            memcpy(next, m.u.check.next.p, next_n);
    }
    slp_buf_free(&page);
    reader_free(&r);
    return ok;
}

static const char *volatile at; /* what is being read: a table, or what leads through many; NULL: nothing yet */

/* In a handler of signals, or in the middle of LMDB. Lines of stdout are written by then. */
static void tell_place(void)
{
    char text[128];
    if (at != NULL) {
        char *end = stpcpy(stpcpy(stpcpy(text, "damaged\t"), at), ": it cannot be read to its end\n");
        log_raw(STDOUT_FILENO, text, (size_t)(end - text));
    }
}

static int page_lost(const struct lost_page *page)
{
    tell_place();
    lost_page_print(page);
    return VERIFY_DAMAGED;
}

static int tree_broken(const struct broken_tree *tree)
{
    tell_place();
    broken_tree_print(tree);
    return VERIFY_DAMAGED;
}

static bool open_store(struct store **s, const char *dir)
{
    static const uint8_t no_id[16];
    const struct store_options o = { .dir = dir, .read_only = true, .lmdb_asserted = broken_tree_asserted };
    char text[512] = "";
    if (store_open(s, &o, no_id, text, sizeof text) == STORE_OK) {
        return true;
    }
    fprintf(stderr, "sunlined: %s: %s\n", dir, text);
    return false;
}

/* False: the store cannot be opened again. */
static bool table(struct store **s, const char *dir, enum store_table tb, uint64_t *checked, uint64_t *damaged)
{
    uint64_t n = 0;
    at = store_table_name(tb);
    enum store_rc rc = store_verify(*s, tb, &n, damage, damaged);
    *checked += n;
    if (rc == STORE_OK) {
        return true;
    }
    if (rc != STORE_CORRUPT) {
        fprintf(stderr, "sunlined: %s: %s cannot be read: %s\n", dir, at,
                rc == STORE_NO_MEMORY ? "no memory" : "the disk, or LMDB, failed");
        ++*damaged;
    }
    /* Where the log holds some of it all is read in one transaction, which may be spoiled now for the other tables. */
    at = NULL;
    store_close(s);
    return open_store(s, dir);
}

int verify(const char *dir)
{
    struct store *s;
    uint64_t checked = 0, damaged = 0;
    setlinebuf(stdout); /* what was found before a page is lost has been told then */
    lost_page_catch(page_lost);
    broken_tree_catch(dir, tree_broken);
    endless_watch(ENDLESS_LOOK_S);
    if (!open_store(&s, dir)) {
        return 1;
    }
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        if (!table(&s, dir, (enum store_table)tb, &checked, &damaged)) {
            return VERIFY_DAMAGED;
        }
    }
    at = "what records refer to";
    if (!references(s, &damaged) && !damaged) {
        fprintf(stderr, "sunlined: %s: what records refer to cannot be followed\n", dir);
        damaged++;
    }
    store_close(&s);
    printf("%" PRIu64 " records checked, %" PRIu64 " damaged\n", checked, damaged);
    return damaged ? VERIFY_DAMAGED : 0;
}
