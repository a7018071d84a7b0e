/* Skills that end: what counts when, what the events tell of it, and that nothing of it takes long at once, however many end together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/engine/skills.h"
#include "tests/unit/scene.h"

enum { GRANT = 2, REVOKE };

static struct world_scene s;

static void open_scene(void)
{
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    worker: {skills: {law: "
                "1}}\n    form: {fields: [{name: a, type: short_answer}]}\n",
                2, 0);
}

static enum slp_code set(uint64_t action, const char *worker, const char *skill, uint64_t level, int64_t until)
{
    struct slp_worker_set q = {
        .name = world_str(worker), .action = action, .skill = world_str(skill), .level = level, .until_wall_us = until
    };
    SLP_SET(&q, worker_set, skill);
    SLP_SET(&q, worker_set, level);
    if (until)
        SLP_SET(&q, worker_set, until_wall_us);
    return world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q));
}

/* How many events there are of skills from this source. *since (may be NULL): only those behind it, and then it is the newest. last (may be NULL) gets the
 * data of the last one, borrowed. */
static unsigned told(const char *source, uint64_t *since, struct slp_bytes *last)
{
    unsigned n = 0;
    bool more = true;
    struct slp_events_get q = { .since = since ? *since + 1 : 1 };
    while (more) {
        struct slp_msg *m = world_read(&s.w, SLP_EVENTS_GET, &q);
        assert_int_equal(m->type, SLP_EVENTS);
        struct slp_cursor c = slp_each(m->u.events.events);
        more = false;
        for (struct slp_item_event e; slp_next_event(&c, &e);) {
            q.since = e.seq + 1;
            more = true;
            struct slp_bytes v = e.type == EV_WORKER_SKILL ? world_at(e.data, "source") : (struct slp_bytes){ NULL, 0 };
            struct slr r = slr_on(v.p, v.n);
            struct slr_value x;
            if (!v.p || slr_next(&r, &x) || x.n != strlen(source) || memcmp(x.p, source, x.n) != 0)
                continue;
            n++;
            if (last)
                *last = e.data;
        }
    }
    if (since)
        *since = q.since - 1;
    return n;
}

/* The hub's roster anew: n workers w0 ..., each with this skill until then (0: for good), the last one until `last`. */
static void roster_but_last(unsigned n, const char *skill, int64_t until, int64_t last)
{
    static unsigned edition;
    struct slp_buf b = { 0 }, sk = { 0 };
    char digest[32] = { 0 };
    snprintf(digest, sizeof digest, "edition %u", ++edition);
    for (unsigned i = 0; i < n; i++) {
        char name[16];
        struct slp_item_skill it = { .name = world_str(skill), .level = 1, .until_wall_us = i == n - 1 ? last : until };
        if (it.until_wall_us)
            SLP_SET(&it, item_skill, until_wall_us);
        slp_buf_clear(&sk);
        slp_pack_item(&sk, SLP_ITEM_skill, &it);
        snprintf(name, sizeof name, "w%u", i);
        struct slp_item_worker_def d = { .name = world_str(name),
                                         .capacity = 1,
                                         .skills = { sk.p, (uint32_t)sk.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    }
    struct slp_roster q = {
        .session = s.h.session, .digest = { digest, 32 }, .workers = { b.p, (uint32_t)b.n, n }, .last = true
    };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ROSTER, &q)->type, SLP_ROSTER_DONE);
    slp_buf_free(&b);
    slp_buf_free(&sk);
}

static void roster(unsigned n, const char *skill, int64_t until)
{
    roster_but_last(n, skill, until, until);
}

/* Each of the hub's n waits for a task. */
static void all_wait(unsigned n)
{
    struct slp_buf v = { 0 };
    struct slp_workers_get q = { .hub = world_str("hub") };
    SLP_SET(&q, workers_get, hub);
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows);
    unsigned found = 0;
    for (struct slp_item_worker_row r; slp_next_worker_row(&c, &r); found++) {
        struct slp_item_credit it = { .worker = r.worker, .total = 1 };
        slp_pack_item(&v, SLP_ITEM_credit, &it);
    }
    assert_int_equal(found, n);
    struct slp_credit credit = { .session = s.h.session, .grants = { v.p, (uint32_t)v.n, n } };
    SLP_SET(&credit, credit, grants);
    world_send(&s.w, s.h.peer, SLP_CREDIT, &credit);
    slp_buf_free(&v);
}

static void a_skill_that_ends_is_told_once(void **state)
{
    struct slp_bytes data = { NULL, 0 };
    (void)state;
    open_scene();
    assert_int_equal(set(GRANT, "hub-0", "law", 2, s.w.wall_us + 8 * SECOND), SLP_E_OK);
    assert_int_equal(set(GRANT, "hub-0", "art", 2, 0), SLP_E_OK);
    assert_int_equal(told("expired", NULL, NULL), 0);
    pass(&s, 9 * SECOND);
    assert_int_equal(told("expired", NULL, &data), 1);
    assert_int_equal(world_number(world_at(data, "level")), 0);
    assert_int_equal(world_number(world_at(data, "worker")), s.h.worker[0]);
    world_restart(&s.w);
    pass(&s, 9 * SECOND);
    assert_int_equal(told("expired", NULL, NULL), 1);
    world_end(&s.w);
}

static void a_grant_that_ends_leaves_what_the_hub_declares(void **state)
{
    struct slp_bytes data = { NULL, 0 };
    (void)state;
    open_scene();
    roster(1, "law", 0);
    assert_int_equal(set(GRANT, "w0", "law", 3, s.w.wall_us + 8 * SECOND), SLP_E_OK);
    pass(&s, 9 * SECOND);
    assert_int_equal(told("expired", NULL, &data), 1);
    assert_int_equal(world_number(world_at(data, "level")), 1);
    world_end(&s.w);
}

static void what_ends_while_the_broker_is_down_is_told_when_it_is_up(void **state)
{
    (void)state;
    open_scene();
    roster(3, "law", s.w.wall_us + 8 * SECOND);
    world_down(&s.w);
    s.w.wall_us += 20 * SECOND;
    s.w.now_us += 20 * SECOND;
    world_up(&s.w);
    assert_int_equal(told("expired", NULL, NULL), 3);
    world_end(&s.w);
}

static void a_clock_that_is_set_back_gives_it_back_and_tells_so(void **state)
{
    struct slp_bytes data = { NULL, 0 };
    (void)state;
    open_scene();
    int64_t until = s.w.wall_us + 8 * SECOND;
    assert_int_equal(set(GRANT, "hub-0", "law", 2, until), SLP_E_OK);
    pass(&s, 9 * SECOND);
    s.w.wall_us -= 5 * SECOND;
    world_tick(&s.w);
    assert_int_equal(told("granted", NULL, &data), 2);
    assert_int_equal(world_number(world_at(data, "level")), 2);
    assert_int_equal(world_number(world_at(data, "until_wall_us")), until);
    pass(&s, 6 * SECOND);
    assert_int_equal(told("expired", NULL, NULL), 2);
    world_end(&s.w);
}

static void many_that_end_together_are_looked_at_in_portions_and_each_is_told_once(void **state)
{
    enum { MANY = 1300 };
    (void)state;
    open_scene();
    roster(MANY, "law", s.w.wall_us + 8 * SECOND);
    uint64_t seen = 0;
    unsigned all = 0, steps = 0;
    told("expired", &seen, NULL);
    s.w.wall_us += 10 * SECOND;
    s.w.now_us += 10 * SECOND;
    do {
        world_tick(&s.w);
        unsigned now = told("expired", &seen, NULL);
        assert_true(now <= SKILLS_A_STEP);
        all += now;
        if (steps == 0)
            world_restart(&s.w), all += told("expired", &seen, NULL);
    } while (++steps < 10 && engine_next_due_us(s.w.engine) <= s.w.now_us);
    assert_int_equal(all, MANY);
    s.w.wall_us -= 5 * SECOND; /* and back */
    for (all = steps = 0; steps < 10 && (!steps || engine_backlog(s.w.engine)); steps++) {
        world_tick(&s.w);
        unsigned now = told("declared", &seen, NULL);
        assert_true(now <= SKILLS_A_STEP);
        all += now;
    }
    assert_int_equal(all, MANY);
    world_end(&s.w);
}

static void what_many_have_back_is_told_of_each_though_the_broker_starts_meanwhile(void **state)
{
    enum { MANY = 1300 };
    (void)state;
    open_scene();
    roster(MANY, "law", s.w.wall_us + 8 * SECOND);
    uint64_t seen = 0;
    unsigned all = 0;
    s.w.wall_us += 10 * SECOND;
    s.w.now_us += 10 * SECOND;
    for (unsigned i = 0; i < 10; i++)
        world_tick(&s.w);
    told("declared", &seen, NULL);
    s.w.wall_us -= 5 * SECOND;
    world_tick(&s.w);
    assert_true(engine_backlog(s.w.engine));
    world_restart(&s.w);
    for (unsigned i = 0; i < 10; i++)
        world_tick(&s.w);
    all = told("declared", &seen, NULL);
    assert_int_equal(all, MANY);
    world_end(&s.w);
}

/* A clock that is set back is often set a little further at once. */
static void so_it_is_where_the_clock_is_set_further_back_before_all_were_told(void **state)
{
    enum { MANY = 1300 };
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        uint64_t seen = 0;
        open_scene();
        roster(MANY, "law", s.w.wall_us + 8 * SECOND);
        s.w.wall_us += 10 * SECOND;
        s.w.now_us += 10 * SECOND;
        for (unsigned i = 0; i < 10; i++)
            world_tick(&s.w);
        told("declared", &seen, NULL);
        s.w.wall_us -= 3 * SECOND;
        world_tick(&s.w);
        world_tick(&s.w);
        s.w.wall_us -= 1;
        world_tick(&s.w);
        assert_true(engine_backlog(s.w.engine));
        if (restarts)
            world_restart(&s.w);
        for (unsigned i = 0; i < 10; i++)
            world_tick(&s.w);
        assert_false(engine_backlog(s.w.engine));
        assert_int_equal(told("declared", &seen, NULL), MANY);
        world_end(&s.w);
    }
}

static void who_is_not_looked_at_yet_is_given_nothing_for_a_skill_that_has_ended(void **state)
{
    enum { MANY = 1300 };
    (void)state;
    open_scene();
    roster(MANY, "law", s.w.wall_us + 8 * SECOND);
    all_wait(MANY);
    s.w.wall_us += 10 * SECOND;
    s.w.now_us += 10 * SECOND;
    world_clear(&s.w);
    world_put(&s.w, s.run, 1);
    assert_true(told("expired", NULL, NULL) < MANY);
    for (unsigned i = 0; i < 10; i++)
        world_tick(&s.w);
    assert_int_equal(told("expired", NULL, NULL), MANY);
    assert_null(world_sent(&s.w, s.h.peer, SLP_PUSH, 0));
    world_end(&s.w);
}

static void he_is_given_it_if_the_clock_is_set_back_before_he_is_looked_at(void **state)
{
    (void)state;
    open_scene();
    int64_t begin = s.w.wall_us;
    roster_but_last(SKILLS_A_STEP + 1, "law", begin + 8 * SECOND, begin + 9 * SECOND);
    all_wait(SKILLS_A_STEP + 1);
    s.w.wall_us = begin + 10 * SECOND;
    s.w.now_us += 10 * SECOND;
    world_clear(&s.w);
    world_put(&s.w, s.run, 1);
    assert_int_equal(told("expired", NULL, NULL), SKILLS_A_STEP);
    assert_null(world_sent(&s.w, s.h.peer, SLP_PUSH, 0));
    s.w.wall_us = begin + 8 * SECOND;
    world_tick(&s.w);
    assert_non_null(world_sent(&s.w, s.h.peer, SLP_PUSH, 0));
    world_end(&s.w);
}

static void a_worker_has_no_more_skills_than_can_be_told(void **state)
{
    char name[16];
    (void)state;
    open_scene();
    roster(1, "law", 0);
    for (unsigned i = 0; i < SL_SKILLS_MAX - 1; i++) {
        snprintf(name, sizeof name, "s%u", i);
        assert_int_equal(set(GRANT, "w0", name, 1, 0), SLP_E_OK);
    }
    assert_int_equal(set(GRANT, "w0", "one-more", 1, 0), SLP_E_TOO_MANY);
    assert_int_equal(set(GRANT, "w0", "s3", 2, 0), SLP_E_OK);  /* another level of what he has */
    assert_int_equal(set(GRANT, "w0", "law", 2, 0), SLP_E_OK); /* likewise */
    assert_int_equal(set(REVOKE, "w0", "s3", 0, 0), SLP_E_OK);
    assert_int_equal(set(GRANT, "w0", "one-more", 1, 0), SLP_E_OK);
    world_end(&s.w);
}

/* What is required of many who wait for work is asked of them in portions, too. */
static void who_does_not_meet_a_new_requirement_is_kept_out_in_portions(void **state)
{
    enum { MANY = 1300 };
    static const char *const stricter =
        "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    worker: {skills: {law: 1}}\n   "
        " "
        "require: {approval: '>= 0.5', of: all, newcomers: refuse}\n    form: {fields: [{name: a, type: "
        "short_answer}]}\n";
    (void)state;
    open_scene();
    roster(MANY, "law", 0);
    unsigned steps = 0;
    all_wait(MANY);
    world_line(&s.w, stricter);
    for (; engine_backlog(s.w.engine) && steps < 10; steps++)
        world_tick(&s.w);
    assert_int_equal(steps, 1); /* a portion went with the line, one with the look for its stations */
    world_clear(&s.w);
    world_put(&s.w, world_run(&s.w, "l", "stricter"), 1);
    world_put(&s.w, s.run, 1); /* of the version before: the newest decides */
    assert_null(world_sent(&s.w, s.h.peer, SLP_PUSH, 0));
    world_end(&s.w);
}

/* The worker that roster() named first: what world_* know of the hub's first one is his from here on. */
static void first_of_roster(uint64_t number)
{
    s.h.worker[0] = number;
    s.h.granted[0] = 0;
}

static uint64_t number_of(const char *worker)
{
    struct slp_workers_get q = { .name = world_str(worker) };
    SLP_SET(&q, workers_get, name);
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows);
    struct slp_item_worker_row row;
    assert_true(slp_next_worker_row(&c, &row));
    return row.worker;
}

static const char *lowering(const char *skill)
{
    static char yaml[800];
    snprintf(yaml, sizeof yaml,
             "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    worker: {skills: {art: 1, "
             "law: 1}}\n    form: {fields: [{name: a, type: short_answer}]}\n"
             "    gold: {every: 1, columns: [text, a], cells: [g1, a, g2, a, g3, a, g4, a, g5, a, g6, a],\n"
             "      rules: [{below: 0.7, after: 1, do: lower, skill: %s}]}\n",
             skill);
    return yaml;
}

static void a_skill_is_lowered_from_what_counts_and_others_with_it_stay(void **state)
{
    (void)state;
    world_scene(&s, lowering("law"), 2, 0);
    roster(1, "law", 0);
    first_of_roster(number_of("w0"));
    assert_int_equal(set(GRANT, "w0", "art", 3, 0), SLP_E_OK);
    assert_int_equal(set(GRANT, "w0", "law", 2, s.w.wall_us + MINUTE), SLP_E_OK);
    world_put(&s.w, s.run, 10);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(told("lowered", NULL, NULL), 1);
    pass(&s, MINUTE + SECOND); /* the grant is over: the hub says 1, and no more was left to him */
    assert_int_equal(told("expired", NULL, NULL), 0);
    struct slp_bytes data;
    world_line(&s.w, lowering("art"));
    t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(told("lowered", NULL, &data), 2);
    assert_int_equal(world_number(world_at(data, "level")), 2);
    world_line(&s.w, lowering("law"));
    t = given(&s, 0);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    roster(1, "other", 0); /* he has it no more: there is nothing to lower */
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(told("lowered", NULL, NULL), 2);
    world_end(&s.w);
}

static void of_a_skill_that_is_lowered_to_nothing_nothing_is_left_whatever_the_hub_says(void **state)
{
    (void)state;
    world_scene(&s, lowering("law"), 2, 0);
    roster(1, "law", 0);
    first_of_roster(number_of("w0"));
    assert_int_equal(set(GRANT, "w0", "art", 1, 0), SLP_E_OK);
    world_put(&s.w, s.run, 10);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    world_end(&s.w);
}

static void what_comes_back_is_told_by_whose_word_it_counts_though_others_were_lowered(void **state)
{
    struct slp_bytes data = { NULL, 0 };
    (void)state;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text}\nstations:\n  - name: judge\n    worker: {skills: {law: "
                "1}}\n    form: {fields: [{name: a, type: short_answer}]}\n"
                "    gold: {every: 1, columns: [text, a], cells: [g1, a, g2, a], rules: [{below: 0.7, after: 1, do: "
                "lower, skill: law}]}\n",
                1, 0);
    assert_int_equal(set(GRANT, "hub-0", "law", 3, 0), SLP_E_OK);
    world_put(&s.w, s.run, 3);
    struct world_task t = given(&s, 0);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "wrong"), SLP_E_OK);
    assert_int_equal(set(GRANT, "hub-0", "art", 2, s.w.wall_us + 8 * SECOND), SLP_E_OK);
    pass(&s, 9 * SECOND);
    assert_int_equal(told("expired", NULL, NULL), 1);
    unsigned granted = told("granted", NULL, NULL);
    s.w.wall_us -= 5 * SECOND;
    world_tick(&s.w);
    assert_int_equal(told("granted", NULL, &data), granted + 1);
    assert_int_equal(world_number(world_at(data, "level")), 2);
    world_end(&s.w);
}

static void of_more_skills_than_can_be_told_those_of_the_hub_count_first(void **state)
{
    struct slp_buf b = { 0 }, sk = { 0 };
    (void)state;
    open_scene();
    roster(1, "law", 0);
    assert_int_equal(set(GRANT, "w0", "extra", 1, 0), SLP_E_OK);
    for (unsigned i = 0; i < SL_SKILLS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%u", i);
        struct slp_item_skill it = { .name = world_str(name), .level = 1, .until_wall_us = s.w.wall_us + 8 * SECOND };
        SLP_SET(&it, item_skill, until_wall_us);
        slp_pack_item(&sk, SLP_ITEM_skill, &it);
    }
    struct slp_item_worker_def d = { .name = world_str("w0"),
                                     .capacity = 1,
                                     .skills = { sk.p, (uint32_t)sk.n, SL_SKILLS_MAX } };
    slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    struct slp_roster q = { .session = s.h.session,
                            .digest = { "another one, of thirty-two bytes", 32 },
                            .workers = { b.p, (uint32_t)b.n, 1 },
                            .last = true };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ROSTER, &q)->type, SLP_ROSTER_DONE);
    slp_buf_free(&b);
    slp_buf_free(&sk);
    unsigned granted = told("granted", NULL, NULL);
    pass(&s, 9 * SECOND);
    assert_int_equal(told("expired", NULL, NULL), SL_SKILLS_MAX);
    assert_int_equal(told("granted", NULL, NULL), granted + 1); /* now there is room for it */
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_skill_that_ends_is_told_once),
        cmocka_unit_test(a_grant_that_ends_leaves_what_the_hub_declares),
        cmocka_unit_test(what_ends_while_the_broker_is_down_is_told_when_it_is_up),
        cmocka_unit_test(a_clock_that_is_set_back_gives_it_back_and_tells_so),
        cmocka_unit_test(many_that_end_together_are_looked_at_in_portions_and_each_is_told_once),
        cmocka_unit_test(what_many_have_back_is_told_of_each_though_the_broker_starts_meanwhile),
        cmocka_unit_test(so_it_is_where_the_clock_is_set_further_back_before_all_were_told),
        cmocka_unit_test(a_worker_has_no_more_skills_than_can_be_told),
        cmocka_unit_test(who_is_not_looked_at_yet_is_given_nothing_for_a_skill_that_has_ended),
        cmocka_unit_test(he_is_given_it_if_the_clock_is_set_back_before_he_is_looked_at),
        cmocka_unit_test(who_does_not_meet_a_new_requirement_is_kept_out_in_portions),
        cmocka_unit_test(a_skill_is_lowered_from_what_counts_and_others_with_it_stay),
        cmocka_unit_test(of_a_skill_that_is_lowered_to_nothing_nothing_is_left_whatever_the_hub_says),
        cmocka_unit_test(what_comes_back_is_told_by_whose_word_it_counts_though_others_were_lowered),
        cmocka_unit_test(of_more_skills_than_can_be_told_those_of_the_hub_count_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
