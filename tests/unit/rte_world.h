/* The answers of 164 people to 800 sentence pairs (Snow et al. 2008), ten of them to each, and workers who come and answer again what they answered then.
 * Without the data (rte_data.h) the tests are skipped. */
#ifndef TESTS_UNIT_RTE_WORLD_H
#define TESTS_UNIT_RTE_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"
#include "tests/unit/rte_data.h"

#define ITEMS 800
#define WORKERS 164
#define RUNS                                                                                                           \
    8 /* of 100 items each: a worker who is given all there is looks at each queue again for each of its tasks */
#define PART (ITEMS / RUNS)

static struct rte {
    bool there;
    uint32_t item[ITEMS], items, workers, votes[ITEMS][2];
    uint8_t gold[ITEMS];
    char worker[WORKERS][SL_NAME_BYTES_MAX];
    int8_t answer[WORKERS][ITEMS]; /* -1: never saw it */
} rte;

static inline uint32_t item_at(uint32_t item)
{
    uint32_t i = 0;
    while (i < rte.items && rte.item[i] != item)
        i++;
    return i;
}

static inline int read_data(void **state)
{
    (void)state;
    char path[512], dir[256];
    find_data(dir, sizeof dir);
    unsigned item, answer;
    char worker[64], line[256];
    snprintf(path, sizeof path, "%s/gold.csv", dir);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%u,%u", &item, &answer) == 2 && rte.items < ITEMS) {
            rte.item[rte.items] = item;
            rte.gold[rte.items++] = (uint8_t)answer;
        }
    fclose(f);
    snprintf(path, sizeof path, "%s/answers.csv", dir);
    f = fopen(path, "re");
    if (!f)
        return 0;
    memset(rte.answer, -1, sizeof rte.answer);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%u,%63[^,],%u", &item, worker, &answer) != 3)
            continue;
        uint32_t w = 0, i = item_at(item);
        while (w < rte.workers && strcmp(rte.worker[w], worker) != 0)
            w++;
        assert_true(w < WORKERS && i < ITEMS && answer < 2);
        if (w == rte.workers)
            snprintf(rte.worker[rte.workers++], sizeof rte.worker[0], "%s", worker);
        rte.answer[w][i] = (int8_t)answer;
        rte.votes[i][answer]++;
    }
    fclose(f);
    rte.there = rte.items == ITEMS && rte.workers == WORKERS;
    return 0;
}

/* ---- a hub with all of them ---- */

static uint64_t number[WORKERS];

static inline void take_roster(struct world *w, struct world_hub *h)
{
    struct slp_buf b = { 0 };
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct slp_item_worker_def d = { .name = world_str(rte.worker[i]), .kind = 0, .capacity = 1 };
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    }
    char digest[32] = "164 people";
    struct slp_roster q = {
        .session = h->session, .digest = { digest, 32 }, .workers = { b.p, (uint32_t)b.n, WORKERS }, .last = true
    };
    struct slp_msg *m = world_send(w, h->peer, SLP_ROSTER, &q);
    assert_true(m && m->type == SLP_ROSTER_DONE);
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_true(slp_next_u64(&c, &number[i]) && number[i]);
    slp_buf_free(&b);
}

/* PART items, by their places in the data. */
static inline void put_items(struct world *w, uint64_t run, const uint32_t *at)
{
    struct slp_buf b = { 0 };
    for (uint32_t i = 0; i < PART; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", rte.item[at[i]]);
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, text);
    }
    struct slp_put q = { .run_id = run, .rows = { b.p, (uint32_t)b.n, PART } };
    struct slp_msg *m = world_send(w, WORLD_CLIENT, SLP_PUT, &q);
    assert_true(m && m->type == SLP_PUT_DONE && m->u.put_done.accepted == PART);
    slp_buf_free(&b);
}

/* The worker comes, is given all that he may have, and answers or declines it. */
static inline void comes(struct world *w, struct world_hub *h, uint32_t worker)
{
    struct slp_buf b = { 0 }, results = { 0 }, declines = { 0 };
    uint32_t answered = 0, declined = 0;
    struct slp_item_credit all = { .worker = number[worker], .total = ITEMS };
    slp_pack_item(&b, SLP_ITEM_credit, &all);
    struct slp_credit q = { .session = h->session, .grants = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&q, credit, grants);
    world_clear(w);
    world_send(w, h->peer, SLP_CREDIT, &q);
    struct slp_msg *m;
    for (size_t i = 0; (m = world_sent(w, h->peer, SLP_PUSH, i)); i++) {
        struct slp_cursor c = slp_each(m->u.push.assignments);
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a);) {
            struct slr r = slr_on(a.fields.p, a.fields.bytes);
            struct slr_value v;
            assert_true(slr_next(&r, &v) == 0 && v.type == SLR_STR && a.worker == number[worker]);
            char item[16];
            snprintf(item, sizeof item, "%.*s", (int)v.n, v.p);
            int8_t answer = rte.answer[worker][item_at((uint32_t)strtoul(item, NULL, 10))];
            char text[2] = { (char)('0' + answer), 0 };
            struct slp_buf packed = { 0 };
            slp_pack_cstr(&packed, text);
            struct slp_item_result it = { .assignment = a.assignment,
                                          .worker = a.worker,
                                          .values = { packed.p, (uint32_t)packed.n, 1 } };
            struct slp_item_act no = { .act = ACT_DECLINE, .assignment = a.assignment, .worker = a.worker };
            if (answer >= 0)
                slp_pack_item(&results, SLP_ITEM_result, &it), answered++;
            else
                slp_pack_item(&declines, SLP_ITEM_act, &no), declined++;
            slp_buf_free(&packed);
        }
    }
    struct slp_acts acts = { .session = h->session, .acts = { declines.p, (uint32_t)declines.n, declined } };
    struct slp_submit submit = { .session = h->session, .results = { results.p, (uint32_t)results.n, answered } };
    if (declined)
        assert_int_equal(world_send(w, h->peer, SLP_ACTS, &acts)->u.outcomes.ok, declined);
    if (answered)
        assert_int_equal(world_send(w, h->peer, SLP_SUBMIT, &submit)->u.outcomes.ok, answered);
    slp_buf_clear(&b);
    slp_pack_u64(&b, number[worker]);
    struct slp_credit off = { .session = h->session, .sign_off = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&off, credit, sign_off);
    world_send(w, h->peer, SLP_CREDIT, &off);
    slp_buf_free(&b);
    slp_buf_free(&results);
    slp_buf_free(&declines);
}

/* ---- what came out ---- */

struct outcome {
    char entails, rule[16];
    uint64_t answers, votes;
};

static inline void read_outcomes(struct world *w, const char *run, struct outcome out[PART])
{
    struct slp_output_get q = { .run = world_str(run) };
    uint32_t n = 0;
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(w, SLP_OUTPUT_GET, &q);
        assert_true(m && m->type == SLP_OUTPUT);
        struct slp_bytes row;
        for (struct slp_cursor c = slp_each(m->u.output.rows); slp_next_raw(&c, &row); n++) {
            struct slr r = slr_on(row.p, row.n);
            struct slr_value v[8]; /* the array; unit, item, entails, answers, votes, confidence, decided */
            for (int i = 0; i < 8; i++)
                assert_int_equal(slr_next(&r, &v[i]), 0);
            assert_true(v[1].u64 == n + 1 && n < PART);
            out[n] = (struct outcome){ .entails = v[3].p[0], .answers = v[4].u64, .votes = v[5].u64 };
            snprintf(out[n].rule, sizeof out[n].rule, "%.*s", (int)v[7].n, v[7].p);
        }
        more = m->u.output.more;
        q.after_unit = m->u.output.next_after;
        SLP_SET(&q, output_get, after_unit);
    }
    assert_int_equal(n, PART);
}

/* Numbers from 0 on, in an order that the seed tells. */
static inline void shuffle(uint32_t *order, uint32_t n, uint64_t seed)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t k = (uint32_t)(seed >> 33) % (i + 1), was = order[i];
        order[i] = order[k];
        order[k] = was;
    }
}

#endif
