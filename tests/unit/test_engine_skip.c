/* The engine: tasks that are not for everybody. Who did what comes before does not get what follows, who declined is not asked again, and however many such
 * tasks lie before his first one, finding it costs the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"
#include "tests/sim/rng.h"

static struct world w;
static struct world_hub h;
static struct world_task t[5000];
static uint64_t run;

enum { ASHA, BINA, WORKERS };

static const char *const reviewed =
    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: make\n    worker: {skills: {make: 1}}\n    form: {fields: [{name: a, type: short_answer}]}\n"
    "  - name: check\n    worker: {skills: {check: 1}, not_who_did: [make]}\n    form: {fields: [{name: a, type: "
    "short_answer}]}\n";
static const char *const simple = "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
                                  "  - name: s\n    form: {fields: [{name: a, type: short_answer}]}\n";

static const char *const copies =
    "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: s\n    copies: {min: 2}\n    agree: {method: all}\n    form: {fields: [{name: a, type: "
    "short_answer}]}\n";

/* Two workers; each has the one skill that is named. */
static void skills(const char *asha, const char *bina)
{
    struct staff v[] = { { "asha", 0, asha, 1, NULL }, { "bina", 0, bina, 1, NULL } };
    staff_roster(&w, &h, v, WORKERS);
}

static void open_world(const char *line)
{
    memset(&h, 0, sizeof h);
    memset(&w, 0, sizeof w);
    world_open(&w);
    world_line(&w, line);
    run = world_run(&w, "l", "r");
    staff_hub(&w, &h, "hub", NULL, 0);
    skills("make", "make");
    world_clear(&w);
}

static size_t take(unsigned worker, unsigned n)
{
    world_clear(&w);
    world_credit(&w, &h, worker, n);
    return world_tasks(&w, &h, t, 5000);
}

static unsigned unit_of(size_t i)
{
    unsigned n = 0;
    assert_int_equal(sscanf(world_shown(&w, &h, t[i].assignment, 0), "unit %u", &n), 1);
    return n;
}

static void make(unsigned worker, unsigned n)
{
    world_put(&w, run, n);
    assert_int_equal(take(worker, n), n);
    struct world_task *mine = malloc(n * sizeof *mine);
    memcpy(mine, t, n * sizeof *mine);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(world_submit(&w, &h, &mine[i], "a"), SLP_E_OK);
    free(mine);
}

static void nobody_gets_to_check_what_he_made(void **state)
{
    (void)state;
    open_world(reviewed);
    make(ASHA, 3);
    make(BINA, 2);
    skills("check", "check");
    assert_int_equal(take(ASHA, 10), 2); /* bina's */
    assert_int_equal(unit_of(0), 4);
    assert_int_equal(unit_of(1), 5);
    assert_int_equal(take(BINA, 10), 3); /* asha's */
    assert_int_equal(unit_of(0), 1);
    world_end(&w);
}

static void who_waits_gets_what_comes_later_and_is_not_his(void **state)
{
    (void)state;
    open_world(reviewed);
    make(ASHA, 40);
    skills("check", "make");
    assert_int_equal(take(ASHA, 1), 0);
    make(BINA, 1);
    assert_int_equal(world_tasks(&w, &h, t, 10), 2); /* bina's own, and then asha's */
    assert_int_equal(unit_of(1), 41);
    world_end(&w);
}

static uint64_t reads(void)
{
    const struct store_counters *c = store_counters(w.store);
    return c->gets + c->seeks + c->steps;
}

/* What it costs to find asha's first task to check behind n of her own, in reads of the store. */
static uint64_t behind(unsigned n, bool again)
{
    open_world(reviewed);
    for (unsigned i = 0; i < n; i += 1000)
        make(ASHA, 1000);
    make(BINA, 1);
    if (again) {
        world_restart(&w);
        world_hello(&w, &h, NULL, 0);
    }
    skills("check", "make");
    uint64_t from = reads();
    assert_int_equal(take(ASHA, 1), 1);
    uint64_t cost = reads() - from;
    assert_int_equal(unit_of(0), n + 1);
    world_end(&w);
    return cost;
}

static void however_many_of_his_own_lie_before_it_his_first_one_costs_the_same(void **state)
{
    (void)state;
    uint64_t few = behind(1000, false), many = behind(8000, false);
    assert_true(many <= few + 20);
}

static void a_restart_does_not_make_it_dear(void **state)
{
    (void)state;
    uint64_t few = behind(1000, true), many = behind(8000, true);
    assert_true(many <= few + 20);
}

static void a_thousand_declined_are_not_looked_at_each_time(void **state)
{
    (void)state;
    open_world(simple);
    world_put(&w, run, 3000);
    for (unsigned i = 0; i < 3000; i += 500) {
        assert_int_equal(take(ASHA, 500), 500);
        struct world_task mine[500];
        memcpy(mine, t, sizeof mine);
        for (unsigned k = 0; k < 500; k++)
            assert_int_equal(world_act(&w, &h, &mine[k], ACT_DECLINE, NULL, NULL), SLP_E_OK);
    }
    uint64_t from = reads();
    world_put(&w, run, 1);
    assert_int_equal(take(ASHA, 1), 1);
    assert_true(reads() - from < 200);
    assert_int_equal(unit_of(0), 3001);
    assert_int_equal(take(BINA, 1), 1); /* for her they are all there, in order */
    assert_int_equal(unit_of(0), 1);
    world_end(&w);
}

/* What it costs who answered the first n tasks of a queue with copies, which all wait for somebody else, to get the next. */
static uint64_t answered(unsigned n, bool again)
{
    open_world(copies);
    for (unsigned i = 0; i < n; i += 1000)
        make(ASHA, 1000);
    world_put(&w, run, 2);
    if (again) {
        world_restart(&w);
        world_hello(&w, &h, NULL, 0);
        skills("make", "make");
    }
    uint64_t from = reads();
    assert_int_equal(take(ASHA, 1), 1);
    uint64_t cost = reads() - from;
    assert_int_equal(unit_of(0), n + 1);
    world_end(&w);
    return cost;
}

static void who_answered_the_first_of_many_gets_the_next_at_the_usual_cost(void **state)
{
    (void)state;
    uint64_t few = answered(1000, false), many = answered(8000, false);
    assert_true(many <= few + 20);
    few = answered(1000, true), many = answered(8000, true);
    assert_true(many <= few + 20);
}

/* Each task wants two answers. Beside a list that is searched from end to end: what came back first, in the order in which it did, then what is fresh; a task
 * stays where it is while a place of it is open. */
static void what_he_gives_back_of_several_answers_is_his_again(void **state)
{
    enum { UNITS = 300, OPEN = 2 };
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng r = rng_of(seed, "copies", 0);
        static unsigned queue[100000];
        static bool never[WORKERS][UNITS + 1], holds[WORKERS][UNITS + 1];
        static struct world_task held[WORKERS][UNITS + 1];
        static unsigned taken[UNITS + 1]; /* places held or counted */
        unsigned back_end = 0, put = 0;
        memset(never, 0, sizeof never);
        memset(holds, 0, sizeof holds);
        memset(taken, 0, sizeof taken);
        open_world(copies);
        for (unsigned step = 0; step < 1200; step++) {
            unsigned who = rng_below(&r, 10) < 7 ? ASHA : BINA, expected = 0;
            if (put < UNITS && rng_chance(&r, 300000)) {
                unsigned n = 1 + (unsigned)rng_below(&r, UNITS - put > 30 ? 30 : UNITS - put);
                world_put(&w, run, n);
                put += n;
            }
            if (rng_chance(&r, 450000)) { /* something that he holds ends */
                unsigned u = put ? 1 + (unsigned)rng_below(&r, put) : 0;
                while (u && u <= put && !holds[who][u])
                    u++;
                if (!u || u > put)
                    continue;
                unsigned act = (unsigned)rng_below(&r, 3);
                holds[who][u] = false;
                world_clear(&w);
                if (act == 0) {
                    assert_int_equal(world_submit(&w, &h, &held[who][u], "a"), SLP_E_OK);
                } else {
                    assert_int_equal(world_act(&w, &h, &held[who][u], act == 1 ? ACT_DECLINE : ACT_RELEASE, NULL, NULL),
                                     SLP_E_OK);
                    if (taken[u]-- == OPEN) /* it was in hand, and is ready again: behind what came back before */
                        queue[back_end++] = u;
                }
                never[who][u] = act != 2;
                if (never[ASHA][u] && never[BINA][u] && taken[u] < OPEN)
                    taken[u] = OPEN; /* nobody is left: it is parked */
                continue;
            }
            for (unsigned i = 0; i < back_end && !expected; i++)
                if (taken[queue[i]] < OPEN && !never[who][queue[i]] && !holds[who][queue[i]])
                    expected = queue[i];
            for (unsigned u = 1; u <= put && !expected; u++)
                if (taken[u] < OPEN && !never[who][u] && !holds[who][u])
                    expected = u;
            if (!expected)
                continue;
            assert_int_equal(take(who, 1), 1);
            assert_int_equal(unit_of(0), expected);
            held[who][expected] = t[0];
            holds[who][expected] = true;
            if (++taken[expected] == OPEN) /* it is in no queue any more */
                for (unsigned i = 0; i < back_end; i++)
                    if (queue[i] == expected)
                        memmove(queue + i, queue + i + 1, (--back_end - i) * sizeof *queue), i--;
        }
        world_end(&w);
    }
}

/* Beside a list that is searched from end to end: what came back first, then what is fresh, without what the worker declined. */
static void what_is_skipped_is_never_what_he_may_do(void **state)
{
    enum { UNITS = 400 };
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng r = rng_of(seed, "skips", 0);
        static unsigned queue[200000];
        static bool declined[WORKERS][UNITS + 1];
        unsigned back = 0, back_end = 0, fresh = 1, put = 0;
        static bool gone[200000];
        memset(declined, 0, sizeof declined);
        memset(gone, 0, sizeof gone);
        open_world(simple);
        for (unsigned step = 0; step < 1500; step++) {
            unsigned who = (unsigned)rng_below(&r, 10) < 7 ? ASHA : BINA, expected = 0;
            if (put < UNITS && rng_chance(&r, 300000)) {
                unsigned n = 1 + (unsigned)rng_below(&r, UNITS - put > 30 ? 30 : UNITS - put);
                world_put(&w, run, n);
                put += n;
            }
            if (rng_chance(&r, 5000)) {
                world_restart(&w);
                world_hello(&w, &h, NULL, 0);
                skills("make", "make");
            }
            for (unsigned i = back; i < back_end && !expected; i++)
                if (!gone[i] && !declined[who][queue[i]]) {
                    expected = queue[i];
                    gone[i] = true;
                }
            if (!expected && fresh <= put)
                expected = fresh++;
            if (!expected)
                continue;
            assert_int_equal(take(who, 1), 1);
            assert_int_equal(unit_of(0), expected);
            unsigned act = rng_chance(&r, who == ASHA ? 850000 : 200000) ? ACT_DECLINE : ACT_RELEASE;
            if (rng_chance(&r, 150000)) {
                assert_int_equal(world_submit(&w, &h, &t[0], "a"), SLP_E_OK);
                continue;
            }
            assert_int_equal(world_act(&w, &h, &t[0], act, NULL, NULL), SLP_E_OK);
            declined[who][expected] = declined[who][expected] || act == ACT_DECLINE;
            queue[back_end++] = expected;
        }
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_gets_to_check_what_he_made),
        cmocka_unit_test(who_waits_gets_what_comes_later_and_is_not_his),
        cmocka_unit_test(however_many_of_his_own_lie_before_it_his_first_one_costs_the_same),
        cmocka_unit_test(a_restart_does_not_make_it_dear),
        cmocka_unit_test(a_thousand_declined_are_not_looked_at_each_time),
        cmocka_unit_test(what_is_skipped_is_never_what_he_may_do),
        cmocka_unit_test(who_answered_the_first_of_many_gets_the_next_at_the_usual_cost),
        cmocka_unit_test(what_he_gives_back_of_several_answers_is_his_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
