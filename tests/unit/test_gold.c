/* Control tasks: when they come and how they look, how answers are judged, and what follows; who is kept out, by whom, and how he comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/gold.h"
#include "proto/reader.h"
#include "tests/unit/gold_scene.h"

#define SECOND 1000000ll

/* ---- when and which ---- */

static void one_of_every_few_is_a_control_task_and_none_comes_twice(void **state)
{
    (void)state;
    bool seen[2][20] = { 0 }, adjacent = false;
    int at[2][20];
    world_scene(&s, gold_line("", 5, 20, ""), 2, 0);
    world_put(&s.w, s.run, 300);
    for (unsigned w = 0; w < 2; w++) {
        unsigned n = 0;
        for (unsigned i = 0; i < 100; i++) {
            struct world_task t = next(w);
            assert_int_not_equal(t.assignment, 0);
            if (shows_gold(t.assignment)) {
                unsigned row = (unsigned)atoi(world_shown(&s.w, &s.h, t.assignment, 0) + 5);
                assert_true(row < 20 && !seen[w][row]);
                seen[w][row] = true;
                assert_int_equal(i / 5, n); /* one of each five */
                at[w][n++] = (int)(i % 5);
            }
            assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
            if (i == 49)
                world_restart(&s.w), world_hello(&s.w, &s.h, NULL, 0);
        }
        assert_int_equal(n, 20);
        for (unsigned i = 1; i < 20; i++)
            adjacent = adjacent || at[w][i] != at[w][i - 1];
    }
    assert_true(adjacent);                               /* not always at the same place */
    assert_memory_not_equal(at[0], at[1], sizeof at[0]); /* nor for everybody at the same */
    assert_int_equal(works(0, 30, true), 0);             /* he has seen them all */
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 200 - 40 + 30);
    world_end(&s.w);
}

static void a_new_version_brings_only_what_he_has_not_seen(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 2, 4, ""), 1, 0);
    world_put(&s.w, s.run, 20);
    assert_int_equal(works(0, 10, true), 4);
    world_line(&s.w, gold_line("", 2, 6, "")); /* two more */
    world_put(&s.w, world_run(&s.w, "l", "second"), 60);
    assert_int_equal(works(0, 40, true), 2);
    world_end(&s.w);
}

/* ---- how they look ---- */

/* The bytes of an assignment as it came, without what must differ: its number, and of what it shows all but how it is written. */
static void bare(const struct slp_bytes *raw, const struct slp_item_assignment *a, char *to, size_t size)
{
    const char *number;
    assert_true(raw->n <= size && a->assignment < 128); /* a number of one byte, as all of them here */
    memcpy(to, raw->p, raw->n);
    assert_non_null(number = memchr(raw->p, (int)a->assignment, raw->n));
    to[number - raw->p] = 0;
    memset(to + (a->fields.p - raw->p) + 1, 'x',
           a->fields.bytes - 1); /* behind the head of the text, which says how long it is */
}

static void a_frame_does_not_tell_them_from_others(void **state)
{
    (void)state;
    unsigned gold = 0, n = 0;
    uint64_t last = 0, number = 0, lease = 0;
    struct {
        char bytes[200];
        uint32_t n;
        bool gold;
    } seen[30];
    world_scene(&s, gold_line("", 3, 20, ""), 1, 0);
    world_put(&s.w, s.run, 100);
    assert_int_equal(world_take(&s, 0, 30), 30);
    struct slp_msg *m;
    for (size_t i = 0; (m = world_sent(&s.w, s.h.peer, SLP_PUSH, i)); i++) {
        const struct slp_push *p = &m->u.push;
        assert_true(!number || p->push_no == number + 1);
        number = p->push_no;
        assert_int_equal(p->station_id, s.station);
        assert_true(!lease || p->lease_us == lease);
        lease = p->lease_us;
        struct slp_cursor c = slp_each(p->assignments), same = c;
        struct slp_bytes raw;
        for (struct slp_item_assignment a; slp_next_assignment(&c, &a) && slp_next_raw(&same, &raw);) {
            assert_true(!last || a.assignment == last + 1); /* numbers without a gap, in the order of the frame */
            last = a.assignment;
            assert_int_equal(a.worker, s.h.worker[0]);
            assert_int_equal(a.attempt, 1);
            assert_int_equal(a.fields.count, 1);
            assert_false(SLP_IS(&a, item_assignment, context));
            seen[n].gold = shows_gold(a.assignment);
            seen[n].n = raw.n;
            bare(&raw, &a, seen[n].bytes, sizeof seen[n].bytes);
            gold += seen[n++].gold;
        }
    }
    assert_int_equal(gold, 10);
    unsigned compared = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n; k++)
            if (seen[i].gold && !seen[k].gold && seen[i].n == seen[k].n) {
                assert_memory_equal(seen[i].bytes, seen[k].bytes, seen[i].n);
                compared++;
            }
    assert_true(compared >= 10);
    world_end(&s.w);
}

static void what_is_told_of_them_to_his_hub_is_as_of_others(void **state)
{
    enum slp_code said[2][4];
    int64_t lease[2] = { 0 };
    bool told[2] = { false };
    (void)state;
    world_scene(&s, gold_line("", 3, 20, ""), 1, 0);
    world_put(&s.w, s.run, 100);
    for (unsigned i = 0; i < 30; i++) { /* one of each, from its start to a second result */
        struct world_task t = next(0);
        bool is = shows_gold(t.assignment);
        if (told[is])
            continue;
        told[is] = true;
        said[is][0] = world_act(&s.w, &s.h, &t, ACT_START, NULL, &lease[is]);
        said[is][1] = world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL);
        said[is][2] = world_submit(&s.w, &s.h, &t, "x");
        said[is][3] = world_submit(&s.w, &s.h, &t, "x");
    }
    assert_true(told[0] && told[1]);
    assert_memory_equal(said[0], said[1], sizeof said[0]);
    assert_int_equal(lease[0], lease[1]);
    world_end(&s.w);
}

/* At a station with so many control tasks, and nothing but them, worker 0 has one, and it is given back unbegun. */
static struct world_task given_back(unsigned rows, char first[32])
{
    world_scene(&s, gold_line("", 1, rows, ""), 1, 0);
    world_put(&s.w, s.run, 9);
    struct world_task t = next(0);
    snprintf(first, 32, "%s", world_shown(&s.w, &s.h, t.assignment, 0));
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    return t;
}

static void answer_another(const char *first)
{
    struct world_task t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_string_not_equal(world_shown(&s.w, &s.h, t.assignment, 0), first);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
}

static void what_he_did_not_begin_comes_again_behind_all_others(void **state)
{
    char first[32];
    (void)state;
    given_back(5, first);
    for (unsigned i = 1; i < 5; i++) {
        answer_another(first);
        if (i == 2)
            world_restart(&s.w), world_hello(&s.w, &s.h, NULL, 0);
    }
    struct world_task t = next(0);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), first);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
    assert_false(shows_gold(next(0).assignment));
    world_end(&s.w);
}

/* Nobody knows whether he had it before him: his hub may have been away while he worked. */
static void what_the_broker_took_back_does_not_come_again(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 1, 1, ""), 1, 0);
    world_put(&s.w, s.run, 9);
    struct world_task t = next(0);
    assert_true(shows_gold(t.assignment));
    world_pass(&s.w, 40 * 86400 * SECOND);
    world_hello(&s.w, &s.h, NULL, 0);
    t = next(0);
    assert_int_not_equal(t.assignment, 0);
    assert_false(shows_gold(t.assignment));
    world_end(&s.w);
}

/* Given back unbegun, as his agent or the end of its session told; then comes a word that he has had it before him. */
static void what_he_is_told_late_to_have_seen_does_not_come_again(void **state)
{
    static const unsigned late[] = { ACT_START, ACT_TOUCH, ACT_DECLINE, ACT_FAIL, ACT_BURY };
    (void)state;
    for (size_t how = 0; how <= sizeof late / sizeof *late; how++) {
        char first[32];
        struct world_task t = given_back(5, first);
        if (how < sizeof late / sizeof *late)
            assert_int_equal(world_act(&s.w, &s.h, &t, late[how], "so", NULL), SLP_E_STALE);
        else
            assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
        for (unsigned i = 1; i < 5; i++)
            answer_another(first);
        assert_false(shows_gold(next(0).assignment));
        world_end(&s.w);
    }
}

static void what_was_answered_late_stays_seen_when_its_second_assignment_is_given_back(void **state)
{
    char first[32];
    (void)state;
    struct world_task old = given_back(1, first);
    struct world_task again = next(0);
    assert_true(shows_gold(again.assignment));
    assert_int_equal(world_submit(&s.w, &s.h, &old, "x"), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &again, ACT_RELEASE, NULL, NULL), SLP_E_OK);
    assert_false(shows_gold(next(0).assignment));
    world_end(&s.w);
}

/* Given back unbegun, and given again; then come answers of both. */
static void what_was_answered_by_both_of_its_assignments_counts_once(void **state)
{
    (void)state;
    for (unsigned first_first = 0; first_first < 2; first_first++) {
        char first[32];
        struct world_task old = given_back(1, first);
        struct world_task again = next(0);
        assert_true(shows_gold(again.assignment));
        assert_int_equal(world_submit(&s.w, &s.h, first_first ? &old : &again, "x"), SLP_E_OK);
        assert_int_equal(world_submit(&s.w, &s.h, first_first ? &again : &old, "x"), SLP_E_LATE);
        assert_int_equal(repute("hub-0", "measures.gold.of"), 1);
        world_end(&s.w);
    }
}

static void what_is_not_answered_does_not_come_back(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 1, 3, ""), 1, 0);
    world_put(&s.w, s.run, 5);
    struct world_task t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_DECLINE, "no", NULL), SLP_E_OK);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 5);
    t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_RELEASE, "no", NULL), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &t, true_answer(t.assignment)),
                     SLP_E_OK); /* an answer counts whenever it comes */
    assert_int_equal(repute("hub-0", "measures.gold.right"), 1);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_DUPLICATE);
    t = next(0);
    assert_true(shows_gold(t.assignment));
    t = next(0);
    assert_false(shows_gold(t.assignment));
    world_end(&s.w);
}

static void they_end_with_their_run(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 1, 6, ""), 1, 0);
    world_put(&s.w, s.run, 5);
    assert_int_equal(works(0, 3, true), 3);
    struct world_task t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    world_pass(&s.w, 60 * SECOND);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_NOT_FOUND);
    world_end(&s.w); /* and nothing refers to what is gone */
}

/* ---- how answers are judged ---- */

static void each_field_is_compared_by_its_own_allowances(void **state)
{
    static const struct {
        const char *name, *total;
        bool right;
    } answers[] = {
        { "  ann   LEE ", "10.004", true },
        { "ann lee", "9.98", false },
        { "ann le", "10", false },
        { "Ann Lee", "10.01", true },
    };
    (void)state;
    world_scene(&s,
                HEAD
                "  - name: judge\n    form: {fields: [{name: name, type: short_answer}, {name: note, type: "
                "short_answer}, {name: total, type: number}]}\n"
                "    gold:\n      every: 1\n      columns: [text, name, total]\n      cells: [one, Ann Lee, '10', two, "
                "Ann Lee, '10', three, Ann Lee, '10', four, "
                "Ann Lee, '']\n      match: [{field: name, ignore: [case, space]}, {field: total, tolerance: 0.01}]\n",
                1, 0);
    world_put(&s.w, s.run, 5);
    unsigned right = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct world_task t = next(0);
        bool open = strcmp(world_shown(&s.w, &s.h, t.assignment, 0), "four") == 0; /* its total is not compared */
        struct slp_buf v = { 0 }, b = { 0 };
        slp_pack_cstr(&v, answers[i].name);
        slp_pack_cstr(&v, "whatever");
        slp_pack_cstr(&v, open ? "77" : answers[i].total);
        struct slp_item_result it = { .assignment = t.assignment,
                                      .worker = t.worker,
                                      .values = { v.p, (uint32_t)v.n, 3 } };
        slp_pack_item(&b, SLP_ITEM_result, &it);
        struct slp_submit q = { .session = s.h.session, .results = { b.p, (uint32_t)b.n, 1 } };
        assert_int_equal(world_send(&s.w, s.h.peer, SLP_SUBMIT, &q)->u.outcomes.ok, 1);
        right += open ? i != 2 : answers[i].right;
        slp_buf_free(&v);
        slp_buf_free(&b);
    }
    assert_int_equal(repute("hub-0", "stations[0].measures.gold.of"), 4);
    assert_int_equal(repute("hub-0", "stations[0].measures.gold.right"), right);
    world_end(&s.w);
}

/* ---- how good each is, in a posterior ---- */

#define OVERLAP                                                                                                        \
    "    copies: {min: 2, max: 5}\n    agree: {method: posterior, confidence: 0.95}\n"                                 \
    "    form: {fields: [{name: a, type: radio, options: [x, y], required: true}]}\n"
#define CHECKED "    gold:\n      every: 1\n      columns: [text, a]\n      cells: [gold 0, x, gold 1, x, gold 2, x]\n"

/* A run of one unit, which each worker comes to when he has answered three control tasks, so many of them right. */
static void overlap(const char *gold, const unsigned *right, unsigned workers)
{
    static char yaml[2000];
    snprintf(yaml, sizeof yaml, HEAD "  - name: judge\n" OVERLAP "%s", gold);
    world_scene(&s, yaml, workers, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned w = 0; w < workers && right; w++)
        for (unsigned i = 0; i < 3; i++) {
            struct world_task t = next(w);
            assert_true(shows_gold(t.assignment));
            assert_int_equal(world_submit(&s.w, &s.h, &t, i < right[w] ? "x" : "y"), SLP_E_OK);
        }
}

static void says(unsigned worker, const char *answer)
{
    struct world_task t = next(worker);
    assert_int_not_equal(t.assignment, 0);
    assert_false(shows_gold(t.assignment));
    assert_int_equal(world_submit(&s.w, &s.h, &t, answer), SLP_E_OK);
}

static uint64_t judged(const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "stations[0].outcome.%s", what);
    return world_story(&s.w, "r", 1, path);
}

static bool judged_is(const char *what, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "stations[0].outcome.%s", what);
    return world_story_is(&s.w, "r", 1, path, text);
}

/* q = (0.5 + right) / (1 + 3): of three right ones 0.875, of none 0.125. So "x" by the good one and "y" by the bad one give x a weight of 0.875 * 0.875, y
 * one of 0.125 * 0.125: 0.98. */
static void who_errs_on_control_tasks_speaks_for_the_other_answer(void **state)
{
    static const unsigned right[] = { 3, 0, 3 };
    (void)state;
    overlap(CHECKED, right, 3);
    says(1, "y");
    says(0, "x");
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].state"), TASK_DONE);
    assert_true(judged_is("a", "x"));
    assert_int_equal(judged("answers"), 2);
    assert_int_equal(judged("votes"), 1);
    assert_true(judged_is("confidence", "0.980000") || judged_is("confidence", "0.979999"));
    assert_true(judged_is("decided", "posterior"));
    world_end(&s.w);
}

/* The same answers, and of the good one's control answers one is wrong: 0.625 * 0.875 against 0.375 * 0.125 is 0.92, which is not enough. */
static void one_wrong_control_answer_more_asks_another_worker(void **state)
{
    static const unsigned right[] = { 2, 0, 3 };
    (void)state;
    overlap(CHECKED, right, 3);
    says(1, "y");
    says(0, "x");
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].state"), TASK_READY);
    says(2, "x"); /* 0.4785 against 0.0059: 0.9879 */
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].state"), TASK_DONE);
    assert_int_equal(judged("answers"), 3);
    assert_true(judged_is("confidence", "0.987903") || judged_is("confidence", "0.987902"));
    world_end(&s.w);
}

/* Every q is 0.5, of two options no answer says anything: only `max` ends it, and the first answer stands. */
static void without_control_answers_only_the_most_ends_it(void **state)
{
    (void)state;
    overlap("", NULL, 5);
    says(0, "y");
    for (unsigned w = 1; w < 5; w++) {
        assert_int_equal(world_story(&s.w, "r", 1, "stations[0].state"), TASK_READY);
        says(w, "x");
    }
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].state"), TASK_DONE);
    assert_int_equal(judged("answers"), 5);
    assert_true(judged_is("a", "y"));
    assert_true(judged_is("confidence", "0.500000"));
    assert_true(judged_is("decided", "max"));
    world_end(&s.w);
}

/* ---- what follows ---- */

static void too_many_wrong_answers_suspend_and_an_operator_lifts_it(void **state)
{
    (void)state;
    world_scene(&s, gold_line("      rules: [{below: 0.7, after: 3, do: suspend}]\n", 2, 20, ""), 2, 0);
    world_put(&s.w, s.run, 50);
    for (unsigned gold = 0; gold < 3;)
        gold += works(0, 1, false);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(why("hub-0"), 17);
    assert_int_not_equal(next(1).assignment, 0); /* others go on */
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(set(READMIT, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1); /* he waits: he is given work at once */
    assert_int_equal(repute("hub-0", "stations[0].measures.gold.of"), UINT64_MAX); /* and begins anew */
    world_end(&s.w);
}

static void who_answers_well_is_left_alone(void **state)
{
    (void)state;
    world_scene(&s, gold_line("      rules: [{below: 0.7, after: 3, do: suspend}]\n", 2, 20, ""), 1, 0);
    world_put(&s.w, s.run, 50);
    works(0, 30, true);
    assert_int_equal(why("hub-0"), 5); /* he has no credit left: nothing else is missing */
    world_end(&s.w);
}

static void what_a_suspended_worker_holds_goes_back_and_his_results_are_late(void **state)
{
    (void)state;
    world_scene(&s, HEAD JUDGE, 2, 0);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_take(&s, 0, 2), 2);
    struct world_task begun = s.t[0], held = s.t[1];
    assert_int_equal(world_act(&s.w, &s.h, &begun, ACT_START, NULL, NULL), SLP_E_OK);
    assert_int_equal(set(SUSPEND, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
    assert_non_null(world_sent(&s.w, s.h.peer, SLP_RECALL, 0));
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
    assert_int_equal(world_submit(&s.w, &s.h, &begun, "x"), SLP_E_LATE);
    assert_int_equal(world_submit(&s.w, &s.h, &held, "x"), SLP_E_LATE);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 0);
    assert_int_equal(next(0).assignment, 0);
    assert_int_not_equal(next(1).assignment, 0);
    world_end(&s.w);
}

static void open_answers_of_a_suspended_worker_are_asked_again(void **state)
{
    (void)state;
    world_scene(&s, HEAD JUDGE "    copies: {min: 3}\n    agree: {method: plurality, ties: first}\n", 5, 0);
    world_put(&s.w, s.run, 2);
    static const char *const answers[] = { "bad", "x", "x", "x" };
    struct world_task t = next(1);
    for (unsigned w = 2; w < 4; w++) { /* the first unit is decided before */
        assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
        t = next(w);
    }
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 1);
    t = next(0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, answers[0]), SLP_E_OK);
    assert_int_equal(set(SUSPEND, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
    assert_int_equal(set(READMIT, "hub-0", "judge", NULL, 0, 0),
                     SLP_E_OK); /* that he may come back does not bring them back */
    for (unsigned w = 1; w < 4; w++) {
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 1);
        t = next(w);
        assert_int_not_equal(t.assignment, 0);
        assert_int_equal(world_submit(&s.w, &s.h, &t, answers[w]), SLP_E_OK);
    }
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 2);
    assert_int_equal(world_story(&s.w, "r", 2, "stations[0].outcome.votes"), 3);
    assert_int_equal(next(0).assignment, 0); /* and he is not asked again himself */
    assert_int_equal(repute("hub-0", "measures.agreement.of"), UINT64_MAX);
    world_end(&s.w);
}

/* The station's gate becomes its own, which lists everybody of the hubs that it names anew. */
static void a_suspension_where_hubs_are_named_holds(void **state)
{
    (void)state;
    world_scene(
        &s,
        HEAD "  - name: judge\n    worker: {only_hubs: [hub]}\n    form: {fields: [{name: a, type: short_answer}]}\n",
        4, 0);
    for (unsigned w = 0; w < 4; w++)
        assert_int_equal(world_take(&s, w, 1), 0);
    assert_int_equal(set(SUSPEND, "hub-1", "judge", NULL, 0, 0), SLP_E_OK);
    world_clear(&s.w);
    world_put(&s.w, s.run, 4);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 3);
    assert_int_equal(why("hub-1"), 17);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(next(1).assignment, 0);
    world_end(&s.w);
}

/* The second answer differs, so a third is wanted; then the first counts no more. The third agrees with the second, and nobody else is asked. */
static void a_void_answer_wants_no_others_any_more(void **state)
{
    (void)state;
    static const char *const answers[] = { "bad", "x", "x" };
    world_scene(&s, HEAD JUDGE "    copies: {min: 2, max: 5}\n    agree: {method: plurality, ties: more}\n", 4, 0);
    world_put(&s.w, s.run, 1);
    for (unsigned w = 0; w < 3; w++) {
        if (w == 2) {
            assert_int_equal(world_story(&s.w, "r", 1, "stations[0].outcome.wanted"), 3);
            assert_int_equal(set(SUSPEND, "hub-0", "judge", NULL, 0, 0), SLP_E_OK);
        }
        struct world_task t = next(w);
        assert_int_not_equal(t.assignment, 0);
        assert_int_equal(world_submit(&s.w, &s.h, &t, answers[w]), SLP_E_OK);
    }
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_DONE), 1);
    assert_int_equal(world_story(&s.w, "r", 1, "stations[0].outcome.votes"), 2);
    assert_int_equal(next(3).assignment, 0);
    world_end(&s.w);
}

static void what_was_not_begun_may_come_another_time(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 1, 1, ""), 1, 0);
    world_put(&s.w, s.run, 5);
    struct world_task t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_RELEASE, "no", NULL), SLP_E_OK);
    t = next(0);
    assert_true(shows_gold(t.assignment));
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &t, true_answer(t.assignment)), SLP_E_LATE); /* as any other */
    world_end(&s.w);
}

static void a_rule_lowers_a_skill_and_a_revoke_gives_it_back(void **state)
{
    (void)state;
    char yaml[8192];
    snprintf(yaml, sizeof yaml, "%s",
             gold_line("      rules: [{below: 0.7, after: 2, do: lower, skill: english}]\n    worker: {skills: "
                       "{english: 2}}\n",
                       1, 20, ""));
    world_scene(&s, yaml, 1, 0);
    assert_int_equal(set(GRANT, "hub-0", NULL, "english", 2, 0), SLP_E_OK);
    world_put(&s.w, s.run, 50);
    assert_int_equal(works(0, 2, false), 2);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(why("hub-0"), 3); /* his level is too low */
    assert_int_equal(set(REVOKE, "hub-0", NULL, "english", 0, 0), SLP_E_OK);
    assert_int_equal(why("hub-0"), 2); /* the hub never said that he has it */
    assert_int_equal(set(GRANT, "hub-0", NULL, "english", 2, 0), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1);
    world_end(&s.w);
}

/* Nobody knows his level then: what he answered still stands, and lowers it when he is back and answers once more. */
static void whose_skill_cannot_be_lowered_does_not_begin_anew(void **state)
{
    (void)state;
    char yaml[8192];
    snprintf(yaml, sizeof yaml, "%s",
             gold_line("      rules: [{below: 0.7, after: 2, do: lower, skill: english}]\n    worker: {skills: "
                       "{english: 2}}\n",
                       1, 20, ""));
    world_scene(&s, yaml, 1, 0);
    assert_int_equal(set(GRANT, "hub-0", NULL, "english", 2, 0), SLP_E_OK);
    world_put(&s.w, s.run, 50);
    assert_int_equal(works(0, 1, false), 1);
    struct world_task t = next(0);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, "", NULL), SLP_E_OK);
    struct slp_roster nobody = { .session = s.h.session,
                                 .digest = { "another one, of thirty-two bytes", 32 },
                                 .last = true };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ROSTER, &nobody)->type, SLP_ROSTER_DONE);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(repute("hub-0", "stations[0].measures.gold.of"), 2);
    world_end(&s.w);
}

/* ---- what is required ---- */

static void who_does_not_meet_what_is_required_gets_nothing(void **state)
{
    (void)state;
    world_scene(&s, gold_line("    require: {gold: '>= 0.5', after: 4}\n", 1, 30, ""), 2, 0);
    world_put(&s.w, s.run, 80);
    works(0, 3, false);
    assert_int_not_equal(next(0).assignment, 0); /* of a newcomer three say nothing */
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "wrong"), SLP_E_OK);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(why("hub-0"), 18);
    assert_int_not_equal(next(1).assignment, 0);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(next(0).assignment, 0);
    world_line(&s.w, gold_line("    require: {gold: '>= 0.5', after: 5}\n", 1, 30,
                               "")); /* the newest version decides, at once */
    assert_int_equal(why("hub-0"), 5);
    world_end(&s.w);
}

static void newcomers_can_be_refused_where_others_measured_them(void **state)
{
    (void)state;
    world_scene(&s, gold_line("", 1, 30, ""), 2, 0);
    world_put(&s.w, s.run, 80);
    works(0, 4, true);
    world_line(&s.w, "line: strict\ninput:\n  - {name: text, type: text, required: true}\nstations:\n  - name: only\n  "
                     "  require: {gold: '>= 0.8', after: 4, of: all, "
                     "newcomers: refuse}\n    form: {fields: [{name: a, type: short_answer}]}\n");
    world_run_set(&s.w, "r", RUN_SET_CANCEL, 0);
    world_put(&s.w, world_run(&s.w, "strict", "strict"), 10);
    assert_int_equal(next(1).assignment, 0);
    assert_int_equal(why("hub-1"), 18);
    assert_int_not_equal(next(0).assignment, 0);
    world_end(&s.w);
}

/* ---- skills ---- */

static void a_granted_skill_ends_with_its_day(void **state)
{
    (void)state;
    world_scene(
        &s,
        HEAD "  - name: judge\n    worker: {skills: {law: 2}}\n    form: {fields: [{name: a, type: short_answer}]}\n",
        1, 0);
    world_put(&s.w, s.run, 10);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(why("hub-0"), 2);
    assert_int_equal(set(GRANT, "hub-0", NULL, "law", 2, s.w.wall_us + 8 * SECOND), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1);
    assert_int_not_equal(next(0).assignment, 0);
    world_pass(&s.w, 9 * SECOND);
    assert_int_equal(next(0).assignment, 0);
    assert_int_equal(why("hub-0"), 2);
    s.w.wall_us -= 5 * SECOND; /* the clock is set back */
    world_clear(&s.w);
    world_tick(&s.w);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1);
    assert_int_equal(set(GRANT, "hub-0", NULL, "law", 2, 1), SLP_E_BAD_VALUE);
    assert_int_equal(set(GRANT, "hub-0", NULL, NULL, 2, 0), SLP_E_MISSING_FIELD);
    assert_int_equal(set(SUSPEND, "hub-0", NULL, NULL, 0, 0), SLP_E_MISSING_FIELD);
    assert_int_equal(set(SUSPEND, "hub-0", "nowhere", NULL, 0, 0), SLP_E_NOT_FOUND);
    assert_int_equal(set(SUSPEND, "nobody", "judge", NULL, 0, 0), SLP_E_NOT_FOUND);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_every_few_is_a_control_task_and_none_comes_twice),
        cmocka_unit_test(a_new_version_brings_only_what_he_has_not_seen),
        cmocka_unit_test(a_frame_does_not_tell_them_from_others),
        cmocka_unit_test(what_is_told_of_them_to_his_hub_is_as_of_others),
        cmocka_unit_test(what_he_did_not_begin_comes_again_behind_all_others),
        cmocka_unit_test(what_the_broker_took_back_does_not_come_again),
        cmocka_unit_test(what_he_is_told_late_to_have_seen_does_not_come_again),
        cmocka_unit_test(what_was_answered_late_stays_seen_when_its_second_assignment_is_given_back),
        cmocka_unit_test(what_was_answered_by_both_of_its_assignments_counts_once),
        cmocka_unit_test(what_is_not_answered_does_not_come_back),
        cmocka_unit_test(they_end_with_their_run),
        cmocka_unit_test(each_field_is_compared_by_its_own_allowances),
        cmocka_unit_test(who_errs_on_control_tasks_speaks_for_the_other_answer),
        cmocka_unit_test(one_wrong_control_answer_more_asks_another_worker),
        cmocka_unit_test(without_control_answers_only_the_most_ends_it),
        cmocka_unit_test(too_many_wrong_answers_suspend_and_an_operator_lifts_it),
        cmocka_unit_test(who_answers_well_is_left_alone),
        cmocka_unit_test(what_a_suspended_worker_holds_goes_back_and_his_results_are_late),
        cmocka_unit_test(open_answers_of_a_suspended_worker_are_asked_again),
        cmocka_unit_test(a_suspension_where_hubs_are_named_holds),
        cmocka_unit_test(a_void_answer_wants_no_others_any_more),
        cmocka_unit_test(what_was_not_begun_may_come_another_time),
        cmocka_unit_test(a_rule_lowers_a_skill_and_a_revoke_gives_it_back),
        cmocka_unit_test(whose_skill_cannot_be_lowered_does_not_begin_anew),
        cmocka_unit_test(who_does_not_meet_what_is_required_gets_nothing),
        cmocka_unit_test(newcomers_can_be_refused_where_others_measured_them),
        cmocka_unit_test(a_granted_skill_ends_with_its_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
