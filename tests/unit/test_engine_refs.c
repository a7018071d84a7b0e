/* What a record refers to or implies and is not there is named by a check of the store: for each table a reference is broken, with a good checksum, and records
 * are taken away. And whatever the engine itself writes refers to nothing in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "broker/engine/counted.h"
#include "broker/engine/presence.h"
#include "broker/engine/records.h"
#include "tests/lib/engine_life.h"

#define TEXT_BYTES 20000

static void all_that_random_lives_leave_behind_refers_to_what_is_there(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world w = { 0 };
        static char text[TEXT_BYTES];
        life_live(&w,
                  &(struct life){ .seed = seed, .steps = 150 + 50 * (unsigned)seed, .batch = 1 + (unsigned)seed % 5 });
        if (world_named(&w, text, sizeof text))
            fail_msg("seed %u: %s", (unsigned)seed, text);
        world_close(&w);
    }
}

/* A world with something in every table. */
static void settle(struct world *w)
{
    static const char *const yaml =
        "line: pair\ninput:\n  - {name: text, type: text}\nstations:\n"
        "  - {name: a, worker: {kind: any, per_day: 50}, attempts: 1, backoff: 1h, form: {fields: [{name: x, type: "
        "short_answer}]}}\n"
        "  - {name: b, worker: {kind: any}, form: {fields: [{name: y, type: short_answer}]}}\n";
    struct world_hub h;
    struct world_task t[8];
    world_open(w);
    world_line(w, yaml);
    uint64_t run = world_run(w, "pair", "r");
    world_hub(w, &h, "accra", 2, 0);
    struct slp_buf rows = { 0 }, keys = { 0 };
    for (int i = 0; i < 6; i++) {
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, "text");
        slp_pack_cstr(&keys, i == 2 ? "key" : "");
    }
    struct slp_put q = { .run_id = run,
                         .rows = { rows.p, (uint32_t)rows.n, 6 },
                         .keys = { keys.p, (uint32_t)keys.n, 6 } };
    SLP_SET(&q, put, keys);
    assert_int_equal(world_send(w, WORLD_CLIENT, SLP_PUT, &q)->type, SLP_PUT_DONE);
    struct slp_put numbered = { .run_id = run,
                                .rows = { rows.p, (uint32_t)rows.n, 6 },
                                .producer = { "0123456789abcdef", 16 },
                                .epoch = 1,
                                .first_seq = 1,
                                .delay_us = 3600000000 };
    SLP_SET(&numbered, put, producer);
    SLP_SET(&numbered, put, epoch);
    SLP_SET(&numbered, put, first_seq);
    SLP_SET(&numbered, put, delay_us);
    assert_int_equal(world_send(w, WORLD_CLIENT, SLP_PUT, &numbered)->type, SLP_PUT_DONE);
    world_clear(w);
    world_credit(w, &h, 0, 3);
    assert_int_equal(world_tasks(w, &h, t, 8), 3);
    assert_int_equal(world_act(w, &h, &t[0], ACT_START, NULL, NULL), SLP_E_OK);
    w->wall_us += 1000000; /* what took time is measured */
    assert_int_equal(world_submit(w, &h, &t[0], "yes"), SLP_E_OK);
    assert_int_equal(world_act(w, &h, &t[1], ACT_BURY, "torn", NULL), SLP_E_OK); /* dead, with its history */
    assert_int_equal(world_act(w, &h, &t[2], ACT_START, NULL, NULL), SLP_E_OK);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
    world_clear(w);
    w->wall_us += PRESENCE_EVERY_US; /* and somebody looks who is there */
    world_tick(w);
    world_tasks_set(w, t[0].station_id, 0, "r", NULL, 0); /* under way until the next tick */
    world_clear(w);
}

enum where { IN_KEY, IN_VALUE };
struct plant {
    enum store_table tb;
    enum where where;
    size_t at, bytes; /* which field of the table's first record ... */
    uint64_t number;  /* ... becomes this */
    bool instead;     /* the record itself is changed; else a copy under the changed key is added */
    const char *says;
};

static void plant(struct world *w, const struct plant *p)
{
    struct store_txn *t;
    struct store_cursor c;
    uint8_t key[STORE_KEY_BYTES_MAX], val[SL_VALUE_BYTES_MAX];
    world_flush(w);
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, p->tb, &c), STORE_OK);
    assert_int_equal(store_seek(&c, "", 0), STORE_OK);
    size_t key_n = c.key.n, n = c.val.n;
    memcpy(key, c.key.p, key_n);
    if (n)
        memcpy(val, c.val.p, n);
    store_cursor_close(&c);
    for (size_t i = 0; i < p->bytes; i++) {
        if (p->where == IN_KEY)
            key[p->at + i] = (uint8_t)(p->number >> 8 * (p->bytes - 1 - i));
        else
            val[p->at + i] = (uint8_t)(p->number >> 8 * i);
    }
    assert_true(p->where == IN_KEY ? p->at + p->bytes <= key_n : p->at + p->bytes <= n);
    assert_int_equal(store_put(t, p->tb, key, key_n, val, n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

static void a_reference_that_leads_nowhere_is_named_in_every_table(void **state)
{
    (void)state;
    static const struct plant plants[] = {
        { TABLE_NAME, IN_VALUE, 0, 4, 999, true, "refers to number 999, which has another name or none" },
        { TABLE_NAME, IN_KEY, 1, 1, 'Q', false, "refers to number" },
        { TABLE_RUN, IN_KEY, 4, 2, 77, false, "refers to station 77 of its line, which has 2" },
        { TABLE_RUN, IN_VALUE, 3, 4, 77, true, "refers to a line's version or a head that cannot be read" },
        { TABLE_STATION, IN_VALUE, 0, 4, 77, true, "refers to version 1 of line 77, which is not there" },
        { TABLE_STATION, IN_VALUE, 8, 2, 9, true, "refers to station 10 of its line, which has 2" },
        { TABLE_HUB, IN_VALUE, 2, 1, 'q', true, "refers to its own name, by which number 0 is found" },
        { TABLE_WORKER, IN_VALUE, 0, 4, 66, true, "refers to hub 66, which is not there" },
        { TABLE_UNIT, IN_KEY, 0, 4, 55, false, "refers to run 55, which is not there" },
        { TABLE_UNIT, IN_VALUE, 4, 2, 2000, true, "refers to units 1 to 2000 of run 1, which has 12" },
        { TABLE_STATE, IN_KEY, 0, 4, 55, false, "refers to run 55, which is not there" },
        { TABLE_STATE, IN_VALUE, 12, 6, 4711, true, "refers to assignment 4711, which is not there" },
        { TABLE_STATE, IN_VALUE, 12, 6, 2, true, "refers to assignment 2, which is of unit 2 of run 1" },
        { TABLE_STATE, IN_VALUE, 18, 6, 4711, true, "refers to result 4711, which is not there" },
        { TABLE_READY, IN_KEY, 0, 4, 44, false, "refers to station 44, which is not there" },
        { TABLE_READY, IN_KEY, 4, 4, 55, false, "refers to run 55, which is not there" },
        { TABLE_READY, IN_VALUE, 2, 1, 2 * 50, true, "refers to units 50 to" },
        { TABLE_DELAY, IN_VALUE, 0, 4, 44, true, "refers to station 44, which is not there" },
        { TABLE_DELAY, IN_VALUE, 4, 4, 55, true, "refers to run 55, which never was: the newest is 1" },
        { TABLE_DELAY, IN_VALUE, 11, 1, 2 * 50, true, "refers to units 50 to" },
        { TABLE_SWEEP, IN_VALUE, 0, 1, 77, true, "refers to nothing that there is to do: 77" },
        { TABLE_SWEEP, IN_VALUE, 1, 4, 55, true, "refers to run 55, which never was: the newest is 1" },
        { TABLE_SWEEP, IN_VALUE, 5, 4, 44, true, "refers to station 44, which is not there" },
        { TABLE_ASSIGN, IN_VALUE, 0, 4, 55, true, "refers to run 55, which is not there" },
        { TABLE_ASSIGN, IN_VALUE, 4, 4, 44, true, "refers to station 44, which is not there" },
        { TABLE_ASSIGN, IN_VALUE, 8, 4, 66, true, "refers to hub 66, which is not there" },
        { TABLE_ASSIGN, IN_VALUE, ASSIGN_HEAD_BYTES, 8, 5000, true,
          "refers to units 5000 to 5000 of run 1, which has 12" },
        { TABLE_ASSIGN, IN_VALUE, ASSIGN_HEAD_BYTES + 8, 4, 88, true, "refers to worker 88, which is not there" },
        { TABLE_LIVE, IN_KEY, 0, 8, 4711, false, "refers to assignments that are not there" },
        { TABLE_RESULT, IN_VALUE, 0, 4, 55, true, "refers to result" }, /* by the state that has it */
        { TABLE_EVENT, IN_VALUE, 0, 2, 0, true, "refers to no event" },
        { TABLE_DEDUP, IN_VALUE, 0, 8, 5000, true, "refers to units 5000 to 5000 of run 1, which has 12" },
        { TABLE_DEDUP, IN_KEY, 0, 4, 55, false, "refers to run 55, which is not there" },
        { TABLE_DEDUP, IN_VALUE, 0, 8, 4, true, "refers to unit 4, which came with another key or none" },
        { TABLE_DEDUP, IN_KEY, 4, 1, 'q', false, "refers to unit 3, which came with another key or none" },
        { TABLE_STATE, IN_VALUE, 1, 1, 1, true, "refers to the idempotency key of unit 1, which is not in DEDUP" },
        { TABLE_PRODUCER, IN_KEY, 4, 1, 'q', false,
          "refers to 1 producers that number their rows, of which PRODUCER has 2" },
        { TABLE_PRODUCER, IN_VALUE, 8, 8, 5, true, "refers to rows up to 5 of 6, the last frame 6 from 1" },
        { TABLE_PRODUCER, IN_VALUE, 32, 8, 7, true, "refers to 6 numbered rows, of which its producers have 7" },
        { TABLE_REPUTE, IN_VALUE, 1, 1, 1, true, "refers to more control tasks than assignments" },
        { TABLE_REPUTE, IN_VALUE, 7, 1, 3, true, "refers to what is measured at his stations, where it is not" },
        { TABLE_REPUTE, IN_KEY, 4, 4, 44, false, "refers to station 44, which is not there" },
        { TABLE_PACE, IN_KEY, 0, 4, 44, false, "refers to station 44, which is not there" },
        { TABLE_PRODUCER, IN_KEY, 0, 4, 55, false, "refers to run 55, which is not there" },
        { TABLE_HISTORY, IN_KEY, 4, 8, 5000, false, "refers to units 5000 to 5000 of run 1, which has 12" },
        { TABLE_HISTORY, IN_VALUE, 9, 2, 9, true, "refers to station 10 of its line, which has 2" },
        { TABLE_HISTORY, IN_VALUE, 11, 8, 4711, true, "refers to assignment 4711, which is not there" },
        { TABLE_HISTORY, IN_VALUE, 19, 4, 88, true, "refers to worker 88, which is not there" },
        { TABLE_DEAD, IN_KEY, 0, 4, 44, false, "refers to station 44, which is not there" },
        { TABLE_DAY, IN_KEY, 0, 4, 88, false, "refers to worker 88, which is not there" },
        { TABLE_DAY, IN_KEY, 4, 4, 44, false, "refers to station 44, which is not there" },
        { TABLE_DAY, IN_KEY, 0, 4, 0, false, "refers to nothing: its key has 8 bytes" },
        { TABLE_ARRIVAL, IN_KEY, 0, 4, 44, false, "refers to line 44, which is not there" },
        { TABLE_ARRIVAL, IN_VALUE, 0, 8, 1u << 30, true, "refers to what usually arrives for line 1 on day" },
        { TABLE_PRESENCE, IN_KEY, 0, 4, 66, false, "refers to hub 66, which is not there" },
        { TABLE_DEAD, IN_KEY, 8, 8, 5000, false, "refers to units 5000 to 5000 of run 1, which has 12" },
    };
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        struct world w = { 0 };
        static char text[TEXT_BYTES];
        settle(&w);
        assert_int_equal(world_named(&w, text, sizeof text), 0);
        plant(&w, &plants[i]);
        unsigned named = world_named(&w, text, sizeof text);
        if (!named || !strstr(text, plants[i].says))
            fail_msg("%s, plant %u: \"%s\" was named, not \"%s\"", store_table_name(plants[i].tb), (unsigned)i, text,
                     plants[i].says);
        world_close(&w);
    }
}

/* ---- records that are gone ---- */

struct record {
    uint8_t key[STORE_KEY_BYTES_MAX], val[SL_VALUE_BYTES_MAX];
    size_t key_n, n;
};

/* Does anything in `crowd` say that this record must be there? */
static bool implied(enum store_table tb, const struct store_cursor *c)
{
    const uint8_t *k = c->key.p, *v = c->val.p;
    switch (tb) {
    case TABLE_READY: return k[8] < LANES; /* what workers need not look at is but a memory (skip.c) */
    case TABLE_HISTORY:                    /* nothing tells that a task was requeued, but that it was dead before */
        return v[8] != WHY_REQUEUED && v[8] != WHY_STAFFED && v[8] != WHY_RELEASED && v[8] != WHY_RECALLED &&
               (v[8] != WHY_BURIED || get_u64(v + 11));
    case TABLE_META: /* the others are the store's own: without them it is not opened */
        return (c->key.n == sizeof META_KEY - 1 && !memcmp(k, META_KEY, c->key.n)) ||
               (c->key.n == sizeof COUNTED_KEY - 1 && !memcmp(k, COUNTED_KEY, c->key.n));
    default: return true;
    }
}

/* The n-th record of the table that must be there; false: there are not so many. */
static bool record_at(struct world *w, enum store_table tb, unsigned n, struct record *to)
{
    struct store_txn *t;
    struct store_cursor c;
    bool found = false;
    assert_int_equal(store_begin_read(w->store, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, tb, &c), STORE_OK);
    for (enum store_rc rc = store_seek(&c, "", 0); rc == STORE_OK && !found; rc = store_next(&c))
        if (implied(tb, &c) && n-- == 0) {
            found = true;
            memcpy(to->key, c.key.p, to->key_n = c.key.n);
            to->n = c.val.n;
            if (c.val.n)
                memcpy(to->val, c.val.p, c.val.n);
        }
    store_cursor_close(&c);
    store_abort(&t);
    return found;
}

static void take_away(struct world *w, enum store_table tb, const struct record *r)
{
    struct store_txn *t;
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    assert_int_equal(store_del(t, tb, r->key, r->key_n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

static void put_back(struct world *w, enum store_table tb, const struct record *r)
{
    struct store_txn *t;
    assert_int_equal(store_begin(w->store, &t), STORE_OK);
    assert_int_equal(store_put(t, tb, r->key, r->key_n, r->val, r->n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
}

/* What is said when a record of the table is gone. */
static const struct gone {
    enum store_table tb;
    const char *says, *or_says;
} gones[] = {
    { TABLE_META, "refers to the numbers of records that there are", "refers to the store's own counters" },
    { TABLE_NAME, "refers to its own name", NULL },
    { TABLE_LINE, "of line ", "has another name or none" },
    { TABLE_RUN, "refers to run ", "refers to the counters of its station" },
    { TABLE_HUB, "refers to hub ", NULL },
    { TABLE_WORKER, "refers to worker ", NULL },
    { TABLE_STATION, "refers to station ", NULL },
    { TABLE_UNIT, "refers to the input values of unit ", "refers to its piece " },
    { TABLE_STATE, "refers to the states of ", NULL },
    { TABLE_READY, "is ready, and which is not in READY",
      "refers to another number of tasks in its queue than READY has" },
    { TABLE_DELAY, "waits, and which is not in DELAY", NULL },
    { TABLE_DEAD, "is dead, and which is not in DEAD", NULL },
    { TABLE_ASSIGN, "refers to assignment ", "refers to assignments" },
    { TABLE_LIVE, "refers to its entry in LIVE", NULL },
    { TABLE_RESULT, "refers to result ", "refers to its piece " },
    { TABLE_EVENT, "refers to event ", NULL },
    { TABLE_HISTORY, "which is not in HISTORY", NULL },
    { TABLE_SHIFT, "refers to shift ", "which has another name or none" },
    { TABLE_GOLD, "refers to its entry in GOLD", "which is not in GOLD" },
    { TABLE_GOLD, "records of GOLD, which has ", NULL },
    { TABLE_DEDUP, "refers to the idempotency key of unit ", NULL },
    { TABLE_PRODUCER, "producers that number their rows, of which PRODUCER has ", NULL },
    { TABLE_REPUTE, "refers to what is measured of worker ", NULL },
    { TABLE_REPUTE, "records of REPUTE, which has ", NULL },
    { TABLE_PACE, "refers to the usual time of station ", NULL },
    { TABLE_PACE, "records of PACE, which has ", NULL },
    { TABLE_ARRIVAL, "refers to what usually arrives for line ", "records of ARRIVAL, which has " },
    { TABLE_SWEEP, "records of SWEEP, which has ", NULL },
    { TABLE_SKILL, "records of SKILL, which has ", NULL },
    { TABLE_DAY, "records of DAY, which has ", NULL },
    { TABLE_PRESENCE, "records of PRESENCE, which has ", NULL },
};

/* Each record of the table that must be there is taken away, for once; those between the first, the middle and the last only where there are few. Returns how many. */
static unsigned each_is_missed(struct world *w, const struct gone *g)
{
    static char text[200 * TEXT_BYTES / 20];
    struct record r;
    unsigned n = 0;
    world_flush(w);
    while (record_at(w, g->tb, n, &r))
        n++;
    for (unsigned i = 0; i < n; i++) {
        if (n > 12 && i != 0 && i != n / 2 && i != n - 1)
            continue;
        assert_true(record_at(w, g->tb, i, &r));
        take_away(w, g->tb, &r);
        if (!world_named(w, text, sizeof text) || !(strstr(text, g->says) || (g->or_says && strstr(text, g->or_says))))
            fail_msg("record %u of the %u of %s is gone: \"%s\" was named", i + 1, n, store_table_name(g->tb), text);
        put_back(w, g->tb, &r);
    }
    if (world_named(w, text, sizeof text))
        fail_msg("all is there again: %s", text);
    return n;
}

/* A frame of six units: under keys, or of a producer that numbers them. */
static void put_known(struct world *w, uint64_t run, const char *key, const char *producer, uint64_t first)
{
    struct slp_buf rows = { 0 }, keys = { 0 };
    for (unsigned i = 0; i < 6; i++) {
        char text[40] = "";
        if (i % 3) /* some of them have none */
            snprintf(text, sizeof text, "%s-%u", key, i);
        slp_pack_array(&rows, 1);
        slp_pack_cstr(&rows, "text");
        slp_pack_cstr(&keys, text);
    }
    struct slp_put q = { .run_id = run,
                         .rows = { rows.p, (uint32_t)rows.n, 6 },
                         .keys = { keys.p, (uint32_t)keys.n, 6 },
                         .producer = { producer, 16 },
                         .epoch = 1,
                         .first_seq = first };
    if (producer) {
        SLP_SET(&q, put, producer);
        SLP_SET(&q, put, epoch);
        SLP_SET(&q, put, first_seq);
    } else {
        SLP_SET(&q, put, keys);
    }
    assert_int_equal(world_send(w, WORLD_CLIENT, SLP_PUT, &q)->type, SLP_PUT_DONE);
    slp_buf_free(&rows);
    slp_buf_free(&keys);
}

/* What comes with keys and numbers, a skill that was granted, and figures of who is there and of what arrives. */
static void more_of_all(struct world_scene *s)
{
    struct slp_worker_set q = { .name = world_str("hub-0"), .action = 2, .skill = world_str("ga"), .level = 3 };
    SLP_SET(&q, worker_set, skill);
    SLP_SET(&q, worker_set, level);
    assert_int_equal(world_code(world_send(&s->w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    put_known(&s->w, s->run, "k", NULL, 0);
    put_known(&s->w, 2, "k", NULL, 0);
    put_known(&s->w, s->run, "", "0123456789abcdef", 1);
    put_known(&s->w, s->run, "", "0123456789abcdef", 4); /* three of them again */
    put_known(&s->w, s->run, "", "fedcba9876543210", 1);
    put_known(&s->w, 2, "", "fedcba9876543210", 1);
    s->w.wall_us += PRESENCE_EVERY_US;
    world_tick(&s->w);
    world_tasks_set(&s->w, s->station, 0, "r", NULL, 0); /* under way until the next tick */
}

/* Two runs with rows of all lengths, a shift, control tasks, and tasks in every state. */
static void crowd(struct world_scene *s)
{
    static const char *const yaml =
        "line: pair\ninput:\n  - {name: text, type: text}\nstations:\n"
        "  - {name: a, worker: {kind: any, per_day: 500}, attempts: 2, backoff: 1h, form: {fields: [{name: x, type: "
        "short_answer}]},\n"
        "     gold: {every: 3, columns: [text, x], cells: [one, yes, two, yes, three, yes, four, yes]}}\n"
        "  - {name: b, worker: {kind: any}, form: {fields: [{name: y, type: short_answer}]}}\n";
    static const int64_t times[] = { -100, 40000 };
    static char large[9000];
    world_scene(s, yaml, 3, 0);
    world_shift(&s->w, &s->h, "day", times, 2, 0);
    world_roster_by(&s->w, &s->h, "day");
    world_run(&s->w, "pair", "other");
    memset(large, 'x', sizeof large);
    for (unsigned i = 0; i < 12; i++) {
        struct slp_buf rows = { 0 };
        for (unsigned j = 0; j < 6; j++) {
            slp_pack_array(&rows, 1);
            slp_pack_str(&rows, large, i == 3 ? sizeof large : 20);
        }
        struct slp_put q = { .run_id = s->run, .rows = { rows.p, (uint32_t)rows.n, 6 }, .delay_us = 3600000000ull + i };
        if (i % 3 == 2)
            SLP_SET(&q, put, delay_us);
        assert_int_equal(world_send(&s->w, WORLD_CLIENT, SLP_PUT, &q)->type, SLP_PUT_DONE);
        slp_buf_free(&rows);
    }
    for (unsigned round = 0; round < 8; round++) {
        world_clear(&s->w);
        size_t n = world_take(s, round % 3, 6);
        for (size_t i = 0; i < n; i++) {
            switch ((i + round) % 6) {
            case 0:
                assert_int_equal(world_act(&s->w, &s->h, &s->t[i], ACT_START, NULL, NULL), SLP_E_OK);
                s->w.wall_us += 1000000;
                assert_int_equal(world_submit(&s->w, &s->h, &s->t[i], "yes"), SLP_E_OK);
                break;
            case 1: assert_int_equal(world_act(&s->w, &s->h, &s->t[i], ACT_BURY, "torn", NULL), SLP_E_OK); break;
            case 2: assert_int_equal(world_act(&s->w, &s->h, &s->t[i], ACT_FAIL, "dark", NULL), SLP_E_OK); break;
            case 3: assert_int_equal(world_act(&s->w, &s->h, &s->t[i], ACT_DECLINE, "mine", NULL), SLP_E_OK); break;
            case 4: assert_int_equal(world_act(&s->w, &s->h, &s->t[i], ACT_START, NULL, NULL), SLP_E_OK); break;
            default: break;
            }
        }
    }
    world_tasks_set(&s->w, s->station, 1, "r", (const uint64_t[]){ 70 }, 1);
    more_of_all(s);
    world_clear(&s->w);
}

static void a_record_that_others_imply_and_that_is_gone_is_named_whichever_it_is(void **state)
{
    (void)state;
    static struct world_scene s;
    crowd(&s);
    for (size_t i = 0; i < sizeof gones / sizeof *gones; i++)
        if (!each_is_missed(&s.w, &gones[i]))
            fail_msg("there is none in %s", store_table_name(gones[i].tb));
    world_end(&s.w);
}

static void what_is_gone_is_named_in_random_lives_too(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct world w = { 0 };
        life_live(&w, &(struct life){ .seed = seed, .steps = 400, .batch = 3 });
        for (size_t i = 0; i < sizeof gones / sizeof *gones; i++)
            if (gones[i].tb != TABLE_READY && gones[i].tb != TABLE_DELAY && gones[i].tb != TABLE_HISTORY)
                each_is_missed(&w, &gones[i]); /* else it may be of what has gone on since, or of a run that is over */
        world_close(&w);
    }
}

/* What only one record implies is named once, and nothing else with it. */
static void nothing_else_is_named_where_one_record_is_gone(void **state)
{
    static const enum store_table tables[] = { TABLE_DEDUP, TABLE_PRODUCER, TABLE_SKILL,
                                               TABLE_DAY,   TABLE_PRESENCE, TABLE_SWEEP };
    static struct world_scene s;
    static char text[TEXT_BYTES];
    (void)state;
    crowd(&s);
    world_flush(&s.w);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct record r;
        assert_true(record_at(&s.w, tables[i], 0, &r));
        take_away(&s.w, tables[i], &r);
        if (world_named(&s.w, text, sizeof text) != 1)
            fail_msg("of %s: %s", store_table_name(tables[i]), text);
        put_back(&s.w, tables[i], &r);
    }
    world_end(&s.w);
}

/* Its unit was dropped. A broker would come to where it lay, and stop: the queue's counters say that there is something. */
static void an_entry_of_a_task_that_has_gone_on_is_missed_too(void **state)
{
    static const uint64_t units[] = { 4, 5, 6 };
    static struct world_scene s;
    static char text[TEXT_BYTES];
    struct record r;
    (void)state;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                "  - {name: a, form: {fields: [{name: x, type: short_answer}]}}\n",
                1, 0);
    for (unsigned i = 0; i < 3; i++)
        world_put(&s.w, s.run, 3);
    world_tasks_set(&s.w, s.station, 1, "r", units, 3);
    assert_true(record_at(&s.w, TABLE_READY, 1, &r));
    take_away(&s.w, TABLE_READY, &r);
    assert_int_equal(world_named(&s.w, text, sizeof text), 1);
    assert_non_null(strstr(text, "refers to another number of tasks in its queue than READY has"));
    put_back(&s.w, TABLE_READY, &r);
    assert_int_equal(world_take(&s, 0, 9), 6);
    world_end(&s.w);
}

/* The engine that goes on over it must not count what is there. */
static void a_record_that_was_lost_stays_missed_whatever_comes_after(void **state)
{
    static struct world_scene s;
    static char text[TEXT_BYTES];
    struct record r;
    (void)state;
    crowd(&s);
    world_flush(&s.w);
    assert_true(record_at(&s.w, TABLE_SKILL, 0, &r));
    take_away(&s.w, TABLE_SKILL, &r);
    world_restart(&s.w);
    struct slp_worker_set q = { .name = world_str("hub-1"), .action = 2, .skill = world_str("ga") };
    SLP_SET(&q, worker_set, skill);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    world_flush(&s.w);
    assert_int_equal(world_named(&s.w, text, sizeof text), 1);
    assert_non_null(strstr(text, "refers to 2 records of SKILL, which has 1"));
    world_close(&s.w);
}

/* 0.1.0 kept none, and what it left is counted; but not in a store that has been this program's. */
static void a_store_that_has_lost_its_numbers_of_records_is_refused(void **state)
{
    struct world w = { 0 };
    enum store_rc rc;
    struct record r;
    struct store_txn *t;
    (void)state;
    settle(&w);
    world_flush(&w);
    memcpy(r.key, COUNTED_KEY, r.key_n = sizeof COUNTED_KEY - 1);
    take_away(&w, TABLE_META, &r);
    assert_null(engine_open(w.store, NULL, &rc));
    assert_int_equal(rc, STORE_CORRUPT);
    struct store_val v;
    uint8_t left[META_BYTES_MAX];
    assert_int_equal(store_begin(w.store, &t), STORE_OK);
    assert_int_equal(store_get(t, TABLE_META, META_KEY, sizeof META_KEY - 1, &v), STORE_OK);
    assert_true(v.n > META_0_1_0_BYTES && v.n <= sizeof left);
    memcpy(left, v.p, META_0_1_0_BYTES);
    assert_int_equal(store_put(t, TABLE_META, META_KEY, sizeof META_KEY - 1, left, META_0_1_0_BYTES), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    struct engine *e = engine_open(w.store, NULL, &rc);
    assert_non_null(e);
    engine_close(&e);
    world_close(&w);
}

static void a_run_whose_end_nothing_goes_on_with_is_named(void **state)
{
    static const struct {
        unsigned what, named;
        const char *says;
    } ends[] = {
        { RUN_SET_CANCEL, 2, "which was cancelled, and whose queues no mass operation in SWEEP empties" },
        { RUN_SET_DELETE, 2, "refers to its deletion, which is not under way in SWEEP" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct world w = { 0 };
        static char text[TEXT_BYTES];
        struct record r;
        settle(&w);
        assert_int_equal(world_run_set(&w, "r", ends[i].what, 0), SLP_E_OK);
        world_flush(&w);
        assert_int_equal(world_named(&w, text, sizeof text), 0);
        while (record_at(&w, TABLE_SWEEP, 0, &r))
            take_away(&w, TABLE_SWEEP, &r);
        assert_true(world_named(&w, text, sizeof text) >= ends[i].named);
        if (!strstr(text, ends[i].says))
            fail_msg("%s", text);
        world_close(&w);
    }
}

static void a_unit_whose_state_is_gone_is_damage_and_not_a_unit_that_never_was(void **state)
{
    struct world w = { 0 };
    struct store_txn *t;
    struct store_cursor c;
    uint8_t key[STORE_KEY_BYTES_MAX];
    struct slp_unit_get q = { .run = world_str("r"), .unit = 1 };
    (void)state;
    settle(&w);
    assert_int_equal(world_read(&w, SLP_UNIT_GET, &q)->type, SLP_UNIT);
    assert_int_equal(store_begin(w.store, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, TABLE_STATE, &c), STORE_OK);
    assert_int_equal(store_seek(&c, "", 0), STORE_OK);
    size_t n = c.key.n;
    memcpy(key, c.key.p, n);
    store_cursor_close(&c);
    assert_int_equal(store_del(t, TABLE_STATE, key, n), STORE_OK);
    assert_int_equal(store_commit(&t), STORE_OK);
    struct slp_msg *m = world_read(&w, SLP_UNIT_GET, &q);
    assert_int_equal(m->type, SLP_ERROR);
    assert_int_equal(m->u.error.code, SLP_E_CORRUPT);
    q.unit = 13; /* as many as came in, and one */
    assert_int_equal(world_read(&w, SLP_UNIT_GET, &q)->u.error.code, SLP_E_NOT_FOUND);
    world_close(&w);
}

static bool has_records(struct world *w, enum store_table tb)
{
    struct store_txn *t;
    struct store_cursor c;
    assert_int_equal(store_begin_read(w->store, &t), STORE_OK);
    assert_int_equal(store_cursor_open(t, tb, &c), STORE_OK);
    bool has = store_seek(&c, "", 0) == STORE_OK;
    store_cursor_close(&c);
    store_abort(&t);
    return has;
}

static void what_outlives_its_run_is_no_damage(void **state)
{
    (void)state;
    struct world w = { 0 };
    static char text[TEXT_BYTES];
    settle(&w);
    assert_int_equal(world_run_set(&w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    assert_true(has_records(&w, TABLE_SWEEP));
    while (has_records(&w, TABLE_SWEEP)) {
        if (world_named(&w, text, sizeof text))
            fail_msg("%s", text);
        world_tick(&w);
    }
    assert_false(has_records(&w, TABLE_RUN));
    assert_true(has_records(&w, TABLE_DELAY)); /* until it is due */
    if (world_named(&w, text, sizeof text))
        fail_msg("%s", text);
    world_end(&w);
}

/* A portion of a check, from `next` on; false: it was the last. */
static bool check_on(struct world *w, uint8_t next[160], uint32_t *next_n, unsigned *named)
{
    struct slp_check_get q = { .after = { (const char *)next, *next_n } };
    if (*next_n)
        SLP_SET(&q, check_get, after);
    struct slp_msg *m = world_read(w, SLP_CHECK_GET, &q);
    assert_int_equal(m->type, SLP_CHECK);
    *named += m->u.check.damage.count;
    *next_n = m->u.check.next.n;
    if (*next_n)
        memcpy(next, m->u.check.next.p, *next_n);
    world_clear(w);
    return *next_n != 0;
}

static void a_check_ends_while_a_run_with_many_keys_takes_units_in(void **state)
{
    (void)state;
    static struct world_scene s;
    uint8_t next[160];
    uint32_t next_n = 0;
    unsigned portions = 1, named = 0;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                "  - {name: a, worker: {kind: any}, form: {fields: [{name: x, type: short_answer}]}}\n",
                1, 0);
    for (unsigned i = 0; i < 21; i++) { /* so many that one who reads all keys has done all that a portion does */
        world_put_keyed(&s.w, s.run, 1000);
        world_clear(&s.w);
    }
    for (; check_on(&s.w, next, &next_n, &named); portions++) {
        assert_true(portions < 40);
        world_put_keyed(&s.w, s.run, 500);
        world_clear(&s.w);
    }
    assert_int_equal(named, 0);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_random_lives_leave_behind_refers_to_what_is_there),
        cmocka_unit_test(a_reference_that_leads_nowhere_is_named_in_every_table),
        cmocka_unit_test(a_record_that_others_imply_and_that_is_gone_is_named_whichever_it_is),
        cmocka_unit_test(what_is_gone_is_named_in_random_lives_too),
        cmocka_unit_test(an_entry_of_a_task_that_has_gone_on_is_missed_too),
        cmocka_unit_test(nothing_else_is_named_where_one_record_is_gone),
        cmocka_unit_test(a_record_that_was_lost_stays_missed_whatever_comes_after),
        cmocka_unit_test(a_store_that_has_lost_its_numbers_of_records_is_refused),
        cmocka_unit_test(a_run_whose_end_nothing_goes_on_with_is_named),
        cmocka_unit_test(a_unit_whose_state_is_gone_is_damage_and_not_a_unit_that_never_was),
        cmocka_unit_test(what_outlives_its_run_is_no_damage),
        cmocka_unit_test(a_check_ends_while_a_run_with_many_keys_takes_units_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
