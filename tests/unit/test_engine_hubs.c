/* The engine: hubs, their sessions and their workers. What hello compares, who takes over from whom, what silence does, how credit is counted, and how
 * rosters change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define SECOND 1000000ll

static const char *const simple = "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                  "  - name: judge\n    form: {fields: [{name: answer, type: short_answer}]}\n";

static struct world_scene s;

static int set_up(void **state)
{
    (void)state;
    world_scene(&s, simple, 2, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&s.w);
    return 0;
}

static size_t take(unsigned worker, unsigned n)
{
    return world_take(&s, worker, n);
}

static bool lists(struct slp_list l, uint64_t no)
{
    struct slp_cursor c = slp_each(l);
    for (uint64_t v; slp_next_u64(&c, &v);)
        if (v == no)
            return true;
    return false;
}

struct hello {
    const char *hub, *data_id;
    uint64_t incarnation;
    bool takeover;
    int64_t clock_off_us;
};

static struct slp_msg *hello(struct hello q)
{
    static const char digest[32] = "another digest";
    struct slp_hello m = { .hub = world_str(q.hub),
                           .incarnation = q.incarnation,
                           .data_id = { q.data_id, 16 },
                           .takeover = q.takeover,
                           .zone = world_str("Africa/Nairobi"),
                           .roster_digest = { digest, 32 },
                           .wall_us = s.w.wall_us + q.clock_off_us };
    SLP_SET(&m, hello, takeover);
    return world_send(&s.w, 77, SLP_HELLO, &m);
}

/* ---- hello ---- */

static void a_hello_compares_what_is_held_with_what_is_known(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 4);
    assert_int_equal(take(0, 4), 4);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "a"), SLP_E_OK);
    uint64_t held[] = { s.t[0].assignment, s.t[1].assignment, 999 };
    uint64_t lost[] = { s.t[2].assignment, s.t[3].assignment };
    world_restart(&s.w);
    world_clear(&s.w);
    world_hello(&s.w, &s.h, held, 3);
    struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_WELCOME, 0);
    assert_false(m->u.welcome.roster_wanted);
    assert_int_equal(m->u.welcome.recalled.count, 2);
    assert_true(lists(m->u.welcome.recalled, held[0]) && lists(m->u.welcome.recalled, 999)); /* done, and never been */
    assert_int_equal(m->u.welcome.missing.count, 2);
    assert_true(lists(m->u.welcome.missing, lost[0]) && lists(m->u.welcome.missing, lost[1]));
    struct world_task again[5];
    assert_int_equal(world_tasks(&s.w, &s.h, again, 5), 2); /* pushed again, the same ones */
    assert_int_equal(again[0].assignment, lost[0]);
    assert_int_equal(again[1].assignment, lost[1]);
    assert_string_equal(world_shown(&s.w, &s.h, lost[1], 0), "unit 4");
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_PUSH, 0)->u.push.push_no, 1);
}

static void a_lost_push_shows_in_the_heartbeat(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    take(0, 1);
    take(0, 1);
    world_beat(&s.w, &s.h);
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_HEARTBEAT_ACK, 0)->u.heartbeat_ack.last_push, 2);
}

static void of_two_agents_the_higher_incarnation_wins(void **state)
{
    (void)state;
    uint64_t old = s.h.session;
    static const char *const same = "id hub\0\0\0\0\0\0\0\0\0\0";
    assert_int_equal(world_code(hello((struct hello){ "hub", same, 5, false, 0 })), SLP_E_OK);
    s.h.session = old;
    assert_int_equal(world_submit(&s.w, &s.h, &(struct world_task){ 1, 1, 1, 1 }, "a"), SLP_E_NO_SESSION);
    assert_int_equal(world_code(hello((struct hello){ "hub", same, 4, false, 0 })), SLP_E_TAKEN_OVER);
    assert_int_equal(world_code(hello((struct hello){ "hub", same, 5, false, 0 })),
                     SLP_E_OK); /* the same one, reconnected */
    world_restart(&s.w);        /* incarnations are remembered */
    assert_int_equal(world_code(hello((struct hello){ "hub", same, 4, false, 0 })), SLP_E_TAKEN_OVER);
}

static void another_data_directory_needs_a_takeover(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(take(0, 1), 1);
    assert_int_equal(world_code(hello((struct hello){ "hub", "another data id!", 9, false, 0 })), SLP_E_OTHER_AGENT);
    struct slp_msg *m = hello((struct hello){ "hub", "another data id!", 1, true, 0 });
    assert_int_equal(m->type, SLP_WELCOME);
    assert_int_equal(m->u.welcome.missing.count, 1); /* the assignments are the hub's, whoever serves it */
    assert_int_equal(world_code(hello((struct hello){ "hub", "id hub\0\0\0\0\0\0\0\0\0\0", 99, false, 0 })),
                     SLP_E_OTHER_AGENT);
}

static void a_clock_that_is_off_is_refused_however_far(void **state)
{
    static const int64_t off[] = { 121 * SECOND, -121 * SECOND, 119 * SECOND, -119 * SECOND };
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(world_code(hello((struct hello){ "other", "0123456789abcdef", 1, false, off[i] })),
                         i < 2 ? SLP_E_CLOCK_OFF : SLP_E_OK);
    s.w.wall_us += 10;
    static const int64_t any[] = { INT64_MAX, INT64_MIN, INT64_MIN + 1, 0, -1 };
    for (int i = 0; i < 5; i++) {
        struct slp_hello q = { .hub = world_str("other"),
                               .incarnation = 1,
                               .data_id = { "0123456789abcdef", 16 },
                               .zone = world_str(""),
                               .roster_digest = { "01234567890123456789012345678901", 32 },
                               .wall_us = any[i] };
        assert_int_equal(world_code(world_send(&s.w, 77, SLP_HELLO, &q)), SLP_E_CLOCK_OFF);
    }
}

static enum slp_code beat_at(int64_t wall_us)
{
    struct slp_heartbeat q = { .session = s.h.session, .wall_us = wall_us };
    world_clear(&s.w);
    return world_code(world_send(&s.w, s.h.peer, SLP_HEARTBEAT, &q));
}

static uint64_t why_nothing(void)
{
    struct slp_why_get q = { .session = s.h.session, .worker = s.h.worker[0] };
    return world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code;
}

static void a_clock_that_steps_off_later_begins_nothing_until_it_is_right_again(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(0, 2), 2);
    struct world_task begun = s.t[0], waiting = s.t[1], again[4];
    assert_int_equal(world_act(&s.w, &s.h, &begun, ACT_START, "", NULL), SLP_E_OK);
    assert_int_equal(beat_at(s.w.wall_us + 119 * SECOND), SLP_E_OK);
    for (int i = 0; i < 3; i++) { /* as long as it is off; what was not begun goes back the first time */
        assert_int_equal(beat_at(i == 1 ? INT64_MIN : s.w.wall_us - 121 * SECOND), SLP_E_CLOCK_OFF);
        struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_RECALL, 0);
        assert_int_equal(m ? m->u.recall.assignments.count : 0, i == 0);
        assert_true(i || lists(m->u.recall.assignments, waiting.assignment));
    }
    world_credit(&s.w, &s.h, 1, 3);
    assert_int_equal(world_tasks(&s.w, &s.h, again, 4), 0);
    assert_int_equal(why_nothing(), 23);
    assert_int_equal(world_submit(&s.w, &s.h, &begun, "a"), SLP_E_OK); /* what is begun is ended */
    assert_int_equal(beat_at(s.w.wall_us), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, again, 4), 2);
}

static void a_clock_that_is_off_says_by_how_much_and_how_to_mend_it(void **state)
{
    (void)state;
    struct slp_heartbeat q = { .session = s.h.session, .wall_us = s.w.wall_us + 180 * SECOND };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_HEARTBEAT, &q);
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)m->u.error.text.n, m->u.error.text.p);
    assert_non_null(strstr(text, "180 s ahead of the broker's"));
    assert_non_null(strstr(text, "set it by NTP"));
}

static void the_brokers_own_clock_that_is_set_is_no_hubs_fault(void **state)
{
    (void)state;
    int64_t right = s.w.wall_us;
    world_put(&s.w, s.run, 1);
    s.w.wall_us += 3 * 86400 * SECOND; /* and back, later; the hub's stays right */
    assert_int_equal(beat_at(right), SLP_E_OK);
    assert_int_equal(take(0, 1), 1);
    assert_int_equal(beat_at(s.w.wall_us), SLP_E_OK);                   /* it was set as well */
    assert_int_equal(beat_at(right + 86400 * SECOND), SLP_E_CLOCK_OFF); /* this one is off whichever is right */
}

static void a_new_session_begins_with_a_clock_that_was_found_right(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(beat_at(0), SLP_E_CLOCK_OFF);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(take(0, 1), 1);
}

static void ids_of_a_wrong_length_are_refused(void **state)
{
    (void)state;
    struct slp_hello q = { .hub = world_str("other"),
                           .incarnation = 1,
                           .data_id = { "short", 5 },
                           .zone = world_str(""),
                           .roster_digest = { "01234567890123456789012345678901", 32 },
                           .wall_us = s.w.wall_us };
    assert_int_equal(world_code(world_send(&s.w, 77, SLP_HELLO, &q)), SLP_E_BAD_VALUE);
    q.data_id = (struct slp_bytes){ "0123456789abcdef", 16 };
    q.roster_digest.n = 31;
    assert_int_equal(world_code(world_send(&s.w, 77, SLP_HELLO, &q)), SLP_E_BAD_VALUE);
}

static void a_session_that_was_never_given_is_none(void **state)
{
    static const uint64_t none[] = { 0, 1, UINT64_MAX, 1ull << 20 };
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct slp_heartbeat q = { .session = none[i] };
        assert_int_equal(world_code(world_send(&s.w, 77, SLP_HEARTBEAT, &q)), SLP_E_NO_SESSION);
    }
}

/* ---- silence ---- */

static void a_silent_hub_gets_nothing_new_after_three_heartbeats(void **state)
{
    (void)state;
    assert_int_equal(take(0, 10), 0);
    world_pass(&s.w, 15 * SECOND);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 1);
    world_pass(&s.w, 2 * SECOND);
    world_put(&s.w, s.run, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 1);
    world_beat(&s.w, &s.h); /* it was only slow: session and credit are as they were */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 2);
}

static void an_idle_broker_is_called_only_when_a_hub_can_have_been_silent_too_long(void **state)
{
    (void)state;
    world_pass(&s.w, 1500000);
    int64_t seen_us = s.w.now_us;
    world_beat(&s.w, &s.h);
    world_pass(&s.w, 14 * SECOND);
    assert_in_range(engine_next_due_us(s.w.engine) - seen_us, 15 * SECOND,
                    15 * SECOND + 10000); /* three heartbeats of 5 s */
    world_pass(&s.w, 2 * SECOND);
    assert_in_range(engine_next_due_us(s.w.engine) - seen_us, 30 * SECOND, 30 * SECOND + 10000); /* its grace */
    world_beat(&s.w, &s.h); /* it was only slow: looked after as before */
    assert_in_range(engine_next_due_us(s.w.engine) - s.w.now_us, 13 * SECOND, 15 * SECOND + 10000);
    world_pass(&s.w, 3600 * SECOND);
    assert_int_equal(engine_next_due_us(s.w.engine), INT64_MAX); /* nobody is there */
}

static void what_a_silent_hub_has_not_started_goes_elsewhere_after_its_grace(void **state)
{
    struct world_hub other;
    struct world_task t[5];
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(0, 2), 2);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL), SLP_E_OK);
    world_hub(&s.w, &other, "other", 1, 0);
    world_credit(&s.w, &other, 0, 5);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(world_tasks(&s.w, &other, t, 5), 0);
        world_pass(&s.w, 5 * SECOND);
        world_beat(&s.w, &other);
    }
    world_pass(&s.w, 2 * SECOND);
    assert_int_equal(world_tasks(&s.w, &other, t, 5), 1);
    assert_string_equal(world_shown(&s.w, &other, t[0].assignment, 0), "unit 2");
    assert_int_equal(world_act(&s.w, &s.h, &s.t[1], ACT_START, NULL, NULL),
                     SLP_E_NO_SESSION); /* its session went with the grace */
    uint64_t held[] = { s.t[0].assignment, s.t[1].assignment };
    world_hello(&s.w, &s.h, held, 2);
    struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_WELCOME, 0);
    assert_int_equal(m->u.welcome.recalled.count, 1);
    assert_true(lists(m->u.welcome.recalled, held[1]));
    assert_int_equal(world_act(&s.w, &s.h, &s.t[1], ACT_START, NULL, NULL), SLP_E_STALE);
    assert_int_equal(world_submit(&s.w, &s.h, &s.t[0], "a"), SLP_E_OK); /* what is started keeps its lease */
}

static void a_hub_that_comes_back_twice_is_watched_each_time(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(0, 1), 1);
        world_pass(&s.w, 60 * SECOND);
        assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 1);
        world_hello(&s.w, &s.h, NULL, 0);
    }
}

static void a_hub_that_does_not_come_back_after_a_restart_loses_what_it_has_not_started(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 1);
    assert_int_equal(take(0, 1), 1);
    world_restart(&s.w);
    world_pass(&s.w, 29 * SECOND);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), 1);
    world_pass(&s.w, 3 * SECOND);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 1);
}

static void a_bye_gives_back_at_once_what_is_not_started(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(take(0, 2), 2);
    world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL);
    struct slp_bye q = { .session = s.h.session };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_BYE, &q)->type, SLP_DONE);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 1);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_STARTED), 1);
    assert_int_equal(world_code(world_send(&s.w, s.h.peer, SLP_BYE, &q)), SLP_E_NO_SESSION);
}

/* ---- credit ---- */

static void grant(unsigned worker, uint64_t total)
{
    s.h.granted[worker] = total;
    world_clear(&s.w);
    world_credit(&s.w, &s.h, worker, 0);
}

static void credit_is_a_total_so_repeats_and_older_ones_do_no_harm(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 20);
    static const struct {
        uint64_t total;
        size_t given;
    } steps[] = { { 3, 3 }, { 3, 0 }, { 1, 0 }, { 0, 0 }, { 5, 2 }, { 4, 0 }, { 6, 1 } };
    for (size_t i = 0; i < 7; i++) {
        grant(0, steps[i].total);
        assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), steps[i].given);
    }
    grant(1, 2);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 2);
    assert_int_equal(s.t[0].worker, s.h.worker[1]);
}

static void a_restart_or_a_hello_begins_credit_at_nothing(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 20);
    grant(0, 5);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 5);
    world_hello(&s.w, &s.h, (uint64_t[]){ 1, 2, 3, 4, 5 }, 5);
    world_put(&s.w, s.run, 1);
    world_clear(&s.w);
    grant(0, 2); /* not seven */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 2);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, (uint64_t[]){ 1, 2, 3, 4, 5, 6, 7 }, 7);
    world_clear(&s.w);
    grant(0, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 1);
}

static void more_credit_than_a_worker_may_hold_is_cut_and_workers_of_others_are_skipped(void **state)
{
    struct world_hub other;
    (void)state;
    grant(0, UINT64_MAX);
    struct slp_workers_get q = { .name = world_str("hub-0") };
    SLP_SET(&q, workers_get, name);
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows);
    struct slp_item_worker_row row;
    assert_true(slp_next_worker_row(&c, &row));
    assert_int_equal(row.credit, SL_WORKER_CREDIT_MAX);
    world_hub(&s.w, &other, "other", 1, 0);
    static const uint64_t none[] = { 0, 99, UINT64_MAX };
    uint64_t mine = other.worker[0];
    for (int i = 0; i < 3; i++) {
        other.worker[0] = none[i];
        world_credit(&s.w, &other, 0, 5);
    }
    other.worker[0] = s.h.worker[1]; /* another hub's */
    world_credit(&s.w, &other, 0, 5);
    world_put(&s.w, s.run, 3);
    assert_int_equal(world_tasks(&s.w, &other, s.t, 5), 0);
    other.worker[0] = mine;
}

static void a_sign_off_hands_back_and_a_grant_signs_in_again(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(0, 2), 2);
    assert_int_equal(take(1, 1), 1);
    world_clear(&s.w);
    world_sign_off(&s.w, &s.h, 0);
    struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_RECALL, 0);
    assert_int_equal(m->u.recall.assignments.count, 2); /* his, not his colleague's */
    assert_int_equal(m->u.recall.code, 5);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
    assert_int_equal(take(0, 2), 2);
    world_sign_off(&s.w, &s.h, 0);
    world_sign_off(&s.w, &s.h, 0); /* the same again */
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
}

static void the_one_idle_the_longest_is_served_first(void **state)
{
    (void)state;
    take(0, 1);
    take(1, 1);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5), 2);
    assert_int_equal(s.t[0].worker, s.h.worker[0]);
    assert_int_equal(s.t[1].worker, s.h.worker[1]);
    take(1, 1);
    take(0, 1);
    world_clear(&s.w);
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5), 2);
    assert_int_equal(s.t[0].worker, s.h.worker[1]);
}

/* ---- rosters ---- */

/* Send a roster of these names (and one skill each where given); returns the number of the first. */
static uint64_t roster(struct world_hub *h, const char *digest, const char *const *names, const char *skill,
                       uint64_t level, bool last)
{
    struct slp_buf b = { 0 }, sk = { 0 };
    char d[32] = { 0 };
    uint32_t n = 0;
    snprintf(d, sizeof d, "%s", digest);
    if (skill) {
        struct slp_item_skill it = { 0 };
        it.name = world_str(skill);
        it.level = level;
        slp_pack_item(&sk, SLP_ITEM_skill, &it);
    }
    for (; names[n]; n++) {
        struct slp_item_worker_def def = { .name = world_str(names[n]), .kind = 0, .capacity = 5 };
        if (skill)
            def.skills = (struct slp_list){ sk.p, (uint32_t)sk.n, 1 };
        slp_pack_item(&b, SLP_ITEM_worker_def, &def);
    }
    struct slp_roster q = {
        .session = h->session, .digest = { d, 32 }, .workers = { b.p, (uint32_t)b.n, n }, .last = last
    };
    struct slp_msg *m = world_send(&s.w, h->peer, SLP_ROSTER, &q);
    assert_int_equal(m->type, SLP_ROSTER_DONE);
    assert_int_equal(m->u.roster_done.workers.count, n);
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    uint64_t first = 0;
    slp_next_u64(&c, &first);
    slp_buf_free(&b);
    slp_buf_free(&sk);
    return first;
}

static uint32_t workers_of(const char *hub)
{
    struct slp_workers_get q = { .hub = world_str(hub) };
    SLP_SET(&q, workers_get, hub);
    return world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q)->u.workers.rows.count;
}

static void who_is_not_on_the_new_roster_leaves_and_hands_back(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 3);
    assert_int_equal(take(0, 2), 2);
    assert_int_equal(take(1, 1), 1);
    world_clear(&s.w);
    assert_int_equal(roster(&s.h, "new", (const char *[]){ "hub-1", "fresh", NULL }, NULL, 0, true),
                     s.h.worker[1]); /* numbers stay */
    assert_int_equal(workers_of("hub"), 2);
    assert_int_equal(world_sent(&s.w, s.h.peer, SLP_RECALL, 0)->u.recall.assignments.count, 2);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
    assert_int_equal(take(0, 5), 0); /* he is gone */
    world_restart(&s.w);
    assert_int_equal(workers_of("hub"), 2);
}

static void a_roster_in_several_frames_counts_when_the_last_has_come(void **state)
{
    (void)state;
    roster(&s.h, "long", (const char *[]){ "a", "b", NULL }, NULL, 0, false);
    assert_int_equal(workers_of("hub"), 4); /* the old ones are still there */
    roster(&s.h, "long", (const char *[]){ "c", NULL }, NULL, 0, false);
    roster(&s.h, "long", (const char *[]){ "d", NULL }, NULL, 0, true);
    assert_int_equal(workers_of("hub"), 4); /* a to d */
    struct slp_roster_get q = { .session = s.h.session };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_ROSTER_GET, &q);
    assert_int_equal(m->u.roster_ids.workers.count, 4);
    assert_false(m->u.roster_ids.more);
    struct slp_cursor c = slp_each(m->u.roster_ids.names);
    struct slp_bytes name;
    assert_true(slp_next_str(&c, &name));
    assert_memory_equal(name.p, "a", 1);
    q.after = UINT64_MAX;
    SLP_SET(&q, roster_get, after);
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_ROSTER_GET, &q)->u.roster_ids.workers.count, 0);
}

static void a_worker_is_on_one_roster_at_a_time_and_may_move(void **state)
{
    struct world_hub other;
    struct world_task t[20];
    (void)state;
    world_put(&s.w, s.run, 30);
    assert_int_equal(take(0, 10), 10);
    world_hub(&s.w, &other, "other", 1, 0);
    assert_int_equal(roster(&other, "x", (const char *[]){ "hub-0", NULL }, NULL, 0, true),
                     0); /* not before the first one lets him go */
    assert_int_equal(workers_of("other"), 0);
    roster(&s.h, "y", (const char *[]){ "hub-1", NULL }, NULL, 0, true);
    uint64_t moved = roster(&other, "z", (const char *[]){ "hub-0", NULL }, NULL, 0, true);
    assert_int_equal(moved, s.h.worker[0]);
    other.worker[0] = moved;
    other.granted[0] = 0;
    world_clear(&s.w);
    world_credit(&s.w, &other, 0, 3); /* what the other session granted him is void */
    assert_int_equal(world_tasks(&s.w, &other, t, 20), 3);
}

static void who_comes_back_on_the_roster_has_the_credit_of_the_new_session(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 30);
    assert_int_equal(take(0, 10), 10);
    roster(&s.h, "without", (const char *[]){ "hub-1", NULL }, NULL, 0, true);
    world_hello(&s.w, &s.h, NULL, 0); /* its digest is another one: it sends both again */
    assert_int_equal(take(0, 3), 3);
}

static void who_comes_back_on_the_roster_in_the_same_session_begins_credit_anew(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 30);
    assert_int_equal(take(0, 10), 10);
    roster(&s.h, "without", (const char *[]){ "hub-1", NULL }, NULL, 0, true);
    roster(&s.h, "with", (const char *[]){ "hub-0", "hub-1", NULL }, NULL, 0, true);
    grant(0, 3); /* his agent forgot him, and counts from nothing */
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 3);
    grant(0, 4);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 30), 1);
}

static void a_pause_is_a_reason_be_it_the_stations_or_the_runs(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 2);
    assert_int_equal(world_station_set(&s.w, "simple", "judge", 0), SLP_E_OK);
    assert_int_equal(take(0, 1), 0);
    assert_int_equal(why_nothing(), 4);
    assert_int_equal(world_station_set(&s.w, "simple", "judge", 1), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 1);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 0);
    assert_int_equal(why_nothing(), 4);
}

/* Its workers ask for more than that, and there is more. */
static void fill_the_hub(void)
{
    for (unsigned left = SL_HELD_ITEMS_MAX + 1000, n; left; left -= n)
        world_put(&s.w, s.run, n = left < 4000 ? left : 4000);
    take(0, SL_HELD_ITEMS_MAX / 2);
    take(1, SL_HELD_ITEMS_MAX);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), SL_HELD_ITEMS_MAX);
}

static void a_hub_that_holds_as_much_as_a_hello_can_name_gets_no_more(void **state)
{
    (void)state;
    fill_the_hub();
    struct slp_why_get q = { .session = s.h.session, .worker = s.h.worker[1] };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 11);
}

static void skills_decide_and_change_with_the_roster(void **state)
{
    (void)state;
    world_line(&s.w, "line: hard\ninput:\n  - {name: text, type: text}\nstations:\n  - name: read\n    worker: {kind: "
                     "human, skills: {english: 3}}\n");
    uint64_t run = world_run(&s.w, "hard", "h");
    world_put(&s.w, run, 5);
    struct slp_why_get q = { .session = s.h.session, .worker = s.h.worker[0] };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 6);
    assert_int_equal(take(0, 2), 0);
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 2);
    roster(&s.h, "two", (const char *[]){ "hub-0", NULL }, "english", 2, true);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 0);
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 3);
    roster(&s.h, "three", (const char *[]){ "hub-0", NULL }, "english", 3, true);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 10), 2);
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)->u.why.code, 5);
    q.worker = 99;
    assert_int_equal(world_code(world_send(&s.w, s.h.peer, SLP_WHY_GET, &q)), SLP_E_NOT_FOUND);
    world_restart(&s.w);
    struct slp_workers_get g = { .name = world_str("hub-0") };
    SLP_SET(&g, workers_get, name);
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &g)->u.workers.rows), sk;
    struct slp_item_worker_row row;
    struct slp_item_skill skill;
    assert_true(slp_next_worker_row(&c, &row));
    sk = slp_each(row.skills);
    assert_true(slp_next_skill(&sk, &skill));
    assert_int_equal(skill.level, 3);
}

/* A skill item may carry further elements, which are skipped: they must not swell what is stored of a worker. */
static void elements_behind_a_skill_are_skipped_not_stored(void **state)
{
    struct slp_buf b = { 0 };
    static char text[60000];
    char d[32] = "swollen";
    (void)state;
    memset(text, 'x', sizeof text);
    slp_pack_array(&b, 4); /* name, kind, capacity, skills */
    slp_pack_cstr(&b, "swollen");
    slp_pack_u64(&b, 0);
    slp_pack_u64(&b, 1);
    slp_pack_array(&b, 1);
    slp_pack_array(&b, 5); /* name, level, until, source */
    slp_pack_cstr(&b, "english");
    slp_pack_u64(&b, 2);
    slp_pack_nil(&b);
    slp_pack_nil(&b);
    slp_pack_str(&b, text, sizeof text);
    struct slp_roster q = {
        .session = s.h.session, .digest = { d, 32 }, .workers = { b.p, (uint32_t)b.n, 1 }, .last = true
    };
    struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_ROSTER, &q);
    assert_int_equal(m->type, SLP_ROSTER_DONE);
    assert_int_equal(workers_of("hub"), 1);
    slp_buf_free(&b);
}

static void people_and_robots_get_what_is_for_them(void **state)
{
    struct world_hub robots;
    struct world_task t[5];
    (void)state;
    world_line(
        &s.w, "line: kinds\ninput:\n  - {name: text, type: text}\nstations:\n  - name: man\n    worker: {kind: human}\n"
              "  - name: machine\n    after: []\n    worker: {kind: robot}\n");
    uint64_t run = world_run(&s.w, "kinds", "k");
    world_hub(&s.w, &robots, "robots", 1, 1);
    world_credit(&s.w, &robots, 0, 5);
    assert_int_equal(take(0, 5), 0);
    world_put(&s.w, run, 1);
    assert_int_equal(world_tasks(&s.w, &robots, t, 5), 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 5), 1);
    assert_int_equal(t[0].station_id, s.t[0].station_id + 1);
}

static void a_clock_as_far_off_as_a_number_can_tell_is_refused_too(void **state)
{
    (void)state;
    struct slp_hello q = { .hub = world_str("other"),
                           .incarnation = 1,
                           .data_id = { "0123456789abcdef", 16 },
                           .zone = world_str("Africa/Nairobi"),
                           .roster_digest = { "01234567890123456789012345678901", 32 },
                           .wall_us = INT64_MIN + s.w.wall_us }; /* the difference has no positive */
    struct slp_msg *m = world_send(&s.w, 77, SLP_HELLO, &q);
    assert_int_equal(world_code(m), SLP_E_CLOCK_OFF);
    assert_non_null(memmem(m->u.error.text.p, m->u.error.text.n, "behind", 6));
}

static void a_hub_may_have_no_zone_and_one_without_a_data_directory_may_get_one(void **state)
{
    static const char none[16];
    (void)state;
    struct slp_hello q = { .hub = world_str("nowhere"),
                           .incarnation = 1,
                           .data_id = { none, 16 },
                           .zone = world_str(""),
                           .roster_digest = { "01234567890123456789012345678901", 32 },
                           .wall_us = s.w.wall_us };
    assert_int_equal(world_send(&s.w, 77, SLP_HELLO, &q)->type, SLP_WELCOME);
    assert_int_equal(world_send(&s.w, 77, SLP_HELLO, &q)->type, SLP_WELCOME);
    q.data_id = (struct slp_bytes){ "0123456789abcdef", 16 };
    q.incarnation = 2;
    assert_int_equal(world_send(&s.w, 77, SLP_HELLO, &q)->type, SLP_WELCOME); /* no other one can be meant */
    q.data_id = (struct slp_bytes){ "fedcba9876543210", 16 };
    q.incarnation = 3;
    assert_int_equal(world_send(&s.w, 77, SLP_HELLO, &q)->type, SLP_ERROR);
}

/* It is full before the restart, and after it. */
static void a_hub_that_holds_as_much_as_a_hello_can_name_gets_no_more_after_a_restart(void **state)
{
    (void)state;
    fill_the_hub();
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 0, 10);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), SL_HELD_ITEMS_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hello_compares_what_is_held_with_what_is_known),
        TEST(a_lost_push_shows_in_the_heartbeat),
        TEST(of_two_agents_the_higher_incarnation_wins),
        TEST(another_data_directory_needs_a_takeover),
        TEST(a_clock_that_is_off_is_refused_however_far),
        TEST(a_clock_that_steps_off_later_begins_nothing_until_it_is_right_again),
        TEST(a_clock_that_is_off_says_by_how_much_and_how_to_mend_it),
        TEST(the_brokers_own_clock_that_is_set_is_no_hubs_fault),
        TEST(a_new_session_begins_with_a_clock_that_was_found_right),
        TEST(ids_of_a_wrong_length_are_refused),
        TEST(a_session_that_was_never_given_is_none),
        TEST(a_silent_hub_gets_nothing_new_after_three_heartbeats),
        TEST(an_idle_broker_is_called_only_when_a_hub_can_have_been_silent_too_long),
        TEST(what_a_silent_hub_has_not_started_goes_elsewhere_after_its_grace),
        TEST(a_hub_that_comes_back_twice_is_watched_each_time),
        TEST(a_hub_that_does_not_come_back_after_a_restart_loses_what_it_has_not_started),
        TEST(a_bye_gives_back_at_once_what_is_not_started),
        TEST(credit_is_a_total_so_repeats_and_older_ones_do_no_harm),
        TEST(a_restart_or_a_hello_begins_credit_at_nothing),
        TEST(more_credit_than_a_worker_may_hold_is_cut_and_workers_of_others_are_skipped),
        TEST(a_sign_off_hands_back_and_a_grant_signs_in_again),
        TEST(the_one_idle_the_longest_is_served_first),
        TEST(who_is_not_on_the_new_roster_leaves_and_hands_back),
        TEST(a_roster_in_several_frames_counts_when_the_last_has_come),
        TEST(a_worker_is_on_one_roster_at_a_time_and_may_move),
        TEST(who_comes_back_on_the_roster_has_the_credit_of_the_new_session),
        TEST(who_comes_back_on_the_roster_in_the_same_session_begins_credit_anew),
        TEST(a_pause_is_a_reason_be_it_the_stations_or_the_runs),
        TEST(a_hub_that_holds_as_much_as_a_hello_can_name_gets_no_more),
        TEST(skills_decide_and_change_with_the_roster),
        TEST(elements_behind_a_skill_are_skipped_not_stored),
        TEST(people_and_robots_get_what_is_for_them),
        cmocka_unit_test_setup_teardown(a_clock_as_far_off_as_a_number_can_tell_is_refused_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hub_may_have_no_zone_and_one_without_a_data_directory_may_get_one, set_up,
                                        tear_down),
        TEST(a_hub_that_holds_as_much_as_a_hello_can_name_gets_no_more_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
