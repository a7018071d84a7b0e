/* What is in a store: opens it as the broker would, after a power cut or damage, and hands out all that a client could read of one run. For a driver:
 * a line of stdin is "DIR RUN", or "DIR RUN records", the answer goes to stdout:
 *
 *   damage TABLE N       a table with N damaged records
 *   refused TEXT         it cannot be opened, the engine does not start, or a read failed; nothing follows but `end`
 *   error HEX            a read was refused: the body
 *   page HEX             a body of OUTPUT, all units; the driver decodes it with its own decoder
 *   missing              there is no such run
 *   whole                the output was read to its end
 *   check HEX            a body of CHECK, after all that: each page of the records, then of the recount; the driver decodes it, too
 *   records HEX ID N     if asked for: a sum over all records as that start left them, but the log's, whose salt is random; the store's id; its newest assignment
 *   end
 *
 * The engine takes a BOOT and a tick over it and commits, so what a start writes is part of the test. Nothing is synced: the driver's disk is
 * made of memory. What the broker catches it catches as well, and ends: with TREE_BROKEN where LMDB falls over its tree, with PAGE_LOST where it leads out of the
 * file, with ENDLESS where it does not come back. Any other end is a mistake of ours, and for the driver to notice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broken_tree.h"
#include "broker/endless.h"
#include "broker/engine/internal.h"
#include "broker/lost_page.h"

#define PAGE_ROWS 500

enum { TREE_BROKEN = 3, PAGE_LOST = 4, ENDLESS = 5 };
#define LOOK_S 3

static void hex(const char *what, const char *p, size_t n)
{
    printf("%s ", what);
    for (size_t i = 0; i < n; i++)
        printf("%02x", (unsigned char)p[i]);
    putchar('\n');
}

static enum store_rc start(struct store *s, struct engine *e, struct effects *out)
{
    int64_t now_us = engine_elapsed_us(e);
    struct input boot = { .kind = INPUT_BOOT, .elapsed_us = now_us, .wall_us = 1700000000000000, .restart = 4711 };
    struct input tick = { .kind = INPUT_TICK, .elapsed_us = now_us + 1, .wall_us = 1700000000000001 };
    struct store_txn *t;
    enum store_rc rc = store_begin(s, &t);
    if (rc != STORE_OK)
        return rc;
    rc = engine_batch_begin(e, t, out);
    if (rc == STORE_OK)
        rc = engine_step(e, &boot);
    if (rc == STORE_OK)
        rc = engine_step(e, &tick);
    if (rc == STORE_OK)
        rc = engine_batch_end(e);
    if (rc == STORE_OK)
        return store_commit(&t);
    store_abort(&t);
    return rc;
}

/* Every unit of the run, page by page. */
static void read_out(struct store *s, int64_t elapsed_us, const char *run)
{
    struct reader *r = reader_new(s);
    struct slp_buf page = { 0 };
    uint64_t after = 0;
    if (r == NULL)
        abort();
    for (bool more = true; more;) {
        struct slp_msg ask = { .version = SL_PROTOCOL_VERSION, .type = SLP_OUTPUT_GET, .id = 1 }, got;
        struct slp_output_get *g = &ask.u.output_get;
        struct slp_fault fault;
        g->run = (struct slp_bytes){ run, (uint32_t)strlen(run) };
        g->after_unit = after;
        g->all_units = true;
        g->limit = PAGE_ROWS;
        SLP_SET(g, output_get, after_unit);
        SLP_SET(g, output_get, all_units);
        SLP_SET(g, output_get, limit);
        slp_buf_clear(&page);
        more = false;
        if (reader_answer(r, &ask, elapsed_us, &page) != 0) {
            printf("refused a read failed\n");
        } else if (slp_decode(page.p, page.n, SLP_B2C, &got, &fault) != 0) {
            abort(); /* the reader made what the decoder does not take */
        } else if (got.type == SLP_ERROR) {
            if (got.u.error.code == SLP_E_NOT_FOUND)
                printf("missing\n");
            else
                hex("error", page.p, page.n);
        } else {
            more = got.u.output.more;
            after = got.u.output.next_after;
            hex("page", page.p, page.n);
            if (!more)
                printf("whole\n");
        }
    }
    slp_buf_free(&page);
    reader_free(&r);
}

/* All that a check says, of records or of counters. */
static void check(struct store *s, int64_t elapsed_us, bool recount)
{
    struct reader *r = reader_new(s);
    struct slp_buf page = { 0 };
    uint8_t next[160];
    uint32_t next_n = 0;
    if (r == NULL)
        abort();
    for (bool more = true; more;) {
        struct slp_msg ask = { .version = SL_PROTOCOL_VERSION, .type = SLP_CHECK_GET, .id = 1 }, got;
        struct slp_check_get *g = &ask.u.check_get;
        struct slp_fault fault;
        g->recount = recount;
        g->after = (struct slp_bytes){ (const char *)next, next_n };
        SLP_SET(g, check_get, recount);
        if (next_n)
            SLP_SET(g, check_get, after);
        slp_buf_clear(&page);
        more = false;
        if (reader_answer(r, &ask, elapsed_us, &page) != 0) {
            printf("refused a check failed\n");
        } else if (slp_decode(page.p, page.n, SLP_B2C, &got, &fault) != 0) {
            abort();
        } else if (got.type == SLP_ERROR) {
            hex("error", page.p, page.n);
        } else {
            next_n = got.u.check.next.n;
            more = next_n > 0 && next_n <= sizeof next;
            if (more)
                memcpy(next, got.u.check.next.p, next_n);
            hex("check", page.p, page.n);
        }
    }
    slp_buf_free(&page);
    reader_free(&r);
}

static uint64_t sum_over(uint64_t sum, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3; /* FNV-1a */
    return sum;
}

/* Two stores with the same sum say the same about everything. */
static enum store_rc sum_records(struct store *s, uint64_t *sum, uint64_t *assignment)
{
    struct store_txn *t;
    struct store_val v;
    enum store_rc rc = store_begin_read(s, &t);
    if (rc != STORE_OK)
        return rc;
    *sum = 0xcbf29ce484222325;
    for (int tb = 0; tb < STORE_TABLE_COUNT && rc == STORE_OK; tb++) {
        struct store_cursor c;
        if ((rc = store_cursor_open(t, (enum store_table)tb, &c)) != STORE_OK)
            break;
        for (rc = store_seek(&c, "", 0); rc == STORE_OK; rc = store_next(&c)) {
            if (tb == TABLE_META && c.key.n == 3 && memcmp(c.key.p, "wal", 3) == 0)
                continue;
            *sum = sum_over(sum_over(sum_over(*sum, &tb, sizeof tb), &c.key.n, sizeof c.key.n), c.key.p, c.key.n);
            *sum = sum_over(sum_over(*sum, &c.val.n, sizeof c.val.n), c.val.p, c.val.n);
        }
        store_cursor_close(&c);
        rc = rc == STORE_NOT_FOUND ? STORE_OK : rc;
    }
    if (rc == STORE_OK)
        rc = store_get(t, TABLE_META, META_KEY, sizeof META_KEY - 1, &v);
    if (rc == STORE_OK)
        *assignment = get_u64((const uint8_t *)v.p + META_ASSIGNMENT_AT);
    store_abort(&t);
    return rc;
}

static void tell_records(struct store *s)
{
    uint64_t sum, assignment;
    if (sum_records(s, &sum, &assignment) != STORE_OK) {
        printf("refused a record could not be read\n");
        return;
    }
    printf("records %016llx ", (unsigned long long)sum);
    for (int i = 0; i < 16; i++)
        printf("%02x", store_id(s)[i]);
    printf(" %llu\n", (unsigned long long)assignment);
}

static void count_damage(void *arg, enum store_table tb, const void *key, size_t key_n)
{
    (void)tb, (void)key, (void)key_n;
    ++*(unsigned *)arg;
}

static void look(const char *dir, const char *run, bool records)
{
    static const uint8_t new_id[16] = "a store of cuts", copy_id[16] = "a copy of one";
    struct store_options o = {
        .dir = dir, .map_bytes = 1 << 28, .no_sync = true, .lmdb_asserted = broken_tree_asserted
    };
    struct engine_config config = { 0 };
    struct effects out = { 0 };
    struct store *s;
    char text[600];
    enum store_rc rc = store_open(&s, &o, new_id, text, sizeof text);
    if (rc != STORE_OK) {
        printf("refused %s\n", text);
        return;
    }
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        struct store_verified checked;
        unsigned n = 0;
        rc = store_verify(s, (enum store_table)tb, &checked, count_damage, &n);
        if (rc != STORE_OK)
            printf("damage %s %u\n", store_table_name((enum store_table)tb), n);
    }
    uint64_t first;
    rc = store_is_copy(s) ? engine_restore(s, copy_id, 1700000000000000, &first) : STORE_OK;
    struct engine *e = rc == STORE_OK ? engine_open(s, &config, &rc) : NULL;
    if (e != NULL && (rc = start(s, e, &out)) == STORE_OK) {
        read_out(s, engine_elapsed_us(e), run);
        check(s, engine_elapsed_us(e), false);
        check(s, engine_elapsed_us(e), true);
        if (records)
            tell_records(s);
    } else {
        printf("refused the engine does not start: %d %s\n", (int)rc, store_error_text(s));
    }
    effects_free(&out);
    engine_close(&e);
    store_close(&s);
}

static int tree_broken(const struct broken_tree *tree)
{
    return tree->endless ? ENDLESS : TREE_BROKEN;
}

static int page_lost(const struct lost_page *page)
{
    (void)page;
    return PAGE_LOST;
}

int main(void)
{
    char line[4096];
    setlinebuf(stdout); /* what was handed out before an end has been told then */
    lost_page_catch(page_lost);
    broken_tree_catch("", tree_broken);
    endless_watch(LOOK_S);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *run = strchr(line, ' ');
        if (run == NULL)
            return 2;
        *run++ = '\0';
        run[strcspn(run, "\n")] = '\0';
        char *more = strchr(run, ' ');
        if (more != NULL)
            *more++ = '\0';
        look(line, run, more != NULL && strcmp(more, "records") == 0);
        printf("end\n");
        fflush(stdout);
    }
    return 0;
}
