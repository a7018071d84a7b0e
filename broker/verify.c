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

/* What was found. */
struct found {
    uint64_t checked, damaged;
    bool failed; /* memory or the disk: something could not be looked at, which is no damage */
};

/* What records refer to, as a broker would look at it: every page of a check. Damage was told already. */
static void references(struct store *s, const char *dir, struct found *to)
{
    struct reader *r = reader_new(s);
    struct slp_buf page = { 0 };
    uint8_t next[160];
    uint32_t next_n = 0;
    bool answered = r != NULL, ok = answered;
    for (bool more = ok; more;) {
        struct slp_msg ask = { .version = SL_PROTOCOL_VERSION, .type = SLP_CHECK_GET, .id = 1 }, m;
        struct slp_fault fault;
        ask.u.check_get.after = (struct slp_bytes){ (const char *)next, next_n };
        if (next_n)
            SLP_SET(&ask.u.check_get, check_get, after);
        slp_buf_clear(&page);
        answered = reader_answer(r, &ask, 0, &page) == 0;
        ok = answered && slp_decode(page.p, page.n, SLP_B2C, &m, &fault) == 0 && m.type == SLP_CHECK;
        if (!ok)
            break;
        struct slp_cursor c = slp_each(m.u.check.damage);
        for (struct slp_bytes d; slp_next_str(&c, &d);)
            if (memmem(d.p, d.n, " refers to ", 11)) {
                to->damaged++;
                printf("damaged\t%.*s\n", (int)d.n, d.p);
            }
        next_n = m.u.check.next.n;
        more = next_n > 0 && next_n <= sizeof next;
        if (more)
            memcpy(next, m.u.check.next.p, next_n);
    }
    slp_buf_free(&page);
    reader_free(&r);
    if (!answered || (!ok && !to->damaged)) {
        fprintf(stderr, "sunlined: %s: what records refer to cannot be followed%s\n", dir,
                answered ? "" : ": no memory, or the disk, or LMDB, failed");
        to->failed = to->failed || !answered;
        to->damaged += answered;
    }
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
static bool table(struct store **s, const char *dir, enum store_table tb, struct found *to)
{
    struct store_verified v;
    at = store_table_name(tb);
    enum store_rc rc = store_verify(*s, tb, &v, damage, &to->damaged);
    to->checked += v.records;
    if (rc != STORE_OK && rc != STORE_CORRUPT) {
        fprintf(stderr, "sunlined: %s: %s cannot be read: %s\n", dir, at,
                rc == STORE_NO_MEMORY ? "no memory" : "the disk, or LMDB, failed");
        to->failed = true;
    }
    if (v.whole) {
        return true;
    }
    /* Where the log holds some of it all is read in one transaction, which may be spoiled now for the other tables. */
    at = NULL;
    store_close(s);
    to->failed = !open_store(s, dir) || to->failed;
    return *s != NULL;
}

/* Damage that was found is damage, whatever else could not be looked at. */
static int status(const struct found *f)
{
    return f->damaged ? VERIFY_DAMAGED : f->failed ? 1 : 0;
}

int verify(const char *dir)
{
    struct store *s;
    struct found found = { .checked = 0 };
    setlinebuf(stdout); /* what was found before a page is lost has been told then */
    lost_page_catch(page_lost);
    broken_tree_catch(dir, tree_broken);
    endless_watch(ENDLESS_LOOK_S);
    if (!open_store(&s, dir)) {
        return 1;
    }
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        if (!table(&s, dir, (enum store_table)tb, &found)) {
            return status(&found);
        }
    }
    at = "what records refer to";
    references(s, dir, &found);
    store_close(&s);
    printf("%" PRIu64 " records checked, %" PRIu64 " damaged\n", found.checked, found.damaged);
    return status(&found);
}
