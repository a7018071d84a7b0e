/* The engine: shifts. Who is offered work when, what happens at a shift's end, and what clocks that are set do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/engine_world.h"

#define SECOND 1000000ll
#define HOUR (3600 * SECOND)
#define LEASE_US (600 * SECOND)
#define OVERTIME_US (900 * SECOND)

static const char *const simple =
    "line: simple\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: judge\n    lease: 10m\n    start_by: 12h\n    form: {fields: [{name: answer, type: short_answer}]}\n";

struct scene {
    struct world w;
    struct world_hub h, other;
    uint64_t run;
    uint32_t station;
    struct world_task t[600];
};
static struct scene s;

/* Hub `h` has two workers by shift `day`, which nobody has told times of yet; hub `other` has one by none. A unit is there for each test to use. */
static int set_up(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    world_open(&s.w);
    s.station = world_line(&s.w, simple);
    s.run = world_run(&s.w, "simple", "r");
    world_hub(&s.w, &s.h, "hub", 2, 0);
    world_hub(&s.w, &s.other, "other", 1, 0);
    world_roster_by(&s.w, &s.h, "day");
    world_clear(&s.w);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&s.w);
    return 0;
}

static void day(int64_t from_s, int64_t to_s)
{
    int64_t v[] = { from_s, to_s };
    world_shift(&s.w, &s.h, "day", v, 2, OVERTIME_US);
}

static size_t pushed(struct world_hub *h)
{
    return world_tasks(&s.w, h, s.t, 600);
}

/* Hubs say something every second on the way, so that none falls silent. */
static void pass(int64_t us)
{
    for (; us > 0; us -= 10 * SECOND) {
        world_beat(&s.w, &s.h);
        world_beat(&s.w, &s.other);
        world_pass(&s.w, us < 10 * SECOND ? us : 10 * SECOND);
    }
}

static uint64_t why(const char *name, char *text, size_t size)
{
    struct slp_worker_why_get q = { .name = world_str(name) };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_WORKER_WHY_GET, &q);
    assert_true(m && m->type == SLP_WHY);
    if (text)
        snprintf(text, size, "%.*s", (int)m->u.why.text.n, m->u.why.text.p);
    return m->u.why.code;
}

/* The i-th event of this number in the hub's stream, packed data; {NULL, 0}: none. */
static struct slp_bytes event(const char *stream, uint64_t type, unsigned i)
{
    struct slp_events_get q = { .since = 1, .stream = world_str(stream) };
    SLP_SET(&q, events_get, stream);
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&s.w, SLP_EVENTS_GET, &q);
        assert_int_equal(m->type, SLP_EVENTS);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event e; slp_next_event(&c, &e);)
            if (e.type == type && i-- == 0)
                return e.data;
        q.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    return (struct slp_bytes){ NULL, 0 };
}
enum { EV_SHIFT = 30, EV_HANDOVER = 31 };

static void nobody_is_given_work_before_the_shift_begins(void **state)
{
    (void)state;
    day(100, 3600);
    world_put(&s.w, s.run, 5);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 0);
    pass(99 * SECOND);
    assert_int_equal(pushed(&s.h), 0);
    pass(SECOND);
    assert_int_equal(pushed(&s.h), 2);
}

static void whose_shift_is_not_told_yet_is_off(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 5);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 0);
    day(-10, 36000);
    world_tick(&s.w);
    assert_int_equal(pushed(&s.h), 2);
}

static void without_a_shift_work_comes_whenever_one_is_signed_in(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 5);
    world_credit(&s.w, &s.other, 0, 1);
    assert_int_equal(pushed(&s.other), 1);
    world_roster_by(&s.w, &s.h, NULL);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 2);
}

static void at_the_end_what_is_not_started_goes_back_and_to_others_at_once(void **state)
{
    (void)state;
    day(-10, 3600);
    world_put(&s.w, s.run, 4);
    world_credit(&s.w, &s.h, 0, 2);
    world_credit(&s.w, &s.h, 1, 2);
    assert_int_equal(pushed(&s.h), 4);
    struct world_task mine = s.t[0];
    assert_int_equal(world_act(&s.w, &s.h, &mine, ACT_START, NULL, NULL), SLP_E_OK);
    world_credit(&s.w, &s.other, 0, 10);
    pass(3599 * SECOND);
    world_act(&s.w, &s.h, &mine, ACT_TOUCH, NULL, NULL);
    world_clear(&s.w);
    int64_t before = s.w.now_us;
    pass(SECOND);
    assert_int_equal(pushed(&s.other), 3); /* by itself, in the second of the end */
    assert_true(s.w.now_us - before <= SECOND);
    struct slp_msg *m = world_sent(&s.w, s.h.peer, SLP_RECALL, 0);
    assert_non_null(m);
    assert_int_equal(m->u.recall.code, 6);
    assert_int_equal(m->u.recall.assignments.count, 3);
    assert_int_equal(world_submit(&s.w, &s.h, &mine, "done"), SLP_E_OK); /* what was begun counts */
}

static void the_handover_says_how_many_went_back_and_how_many_are_begun(void **state)
{
    (void)state;
    day(-10, 60);
    world_put(&s.w, s.run, 4);
    for (unsigned i = 0; i < 2; i++)
        world_credit(&s.w, &s.h, i, 2);
    assert_int_equal(pushed(&s.h), 0); /* the lease would not fit: nothing is measured yet */
    day(-10, 3600);
    world_tick(&s.w);
    assert_int_equal(pushed(&s.h), 4);
    world_act(&s.w, &s.h, &s.t[2], ACT_START, NULL, NULL);
    day(-10, 30); /* the hub's file has changed: it ends earlier */
    pass(31 * SECOND);
    struct slp_bytes e = event("hub/hub", EV_HANDOVER, 0);
    assert_int_equal(world_number(world_at(e, "returned")), 3);
    assert_int_equal(world_number(world_at(e, "started")), 1);
    assert_null(event("hub/hub", EV_HANDOVER, 1).p);
    assert_non_null(event("hub/hub", EV_SHIFT, 1).p); /* it began, it ended */
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 3);
}

static void what_would_not_fit_before_the_end_is_not_given(void **state)
{
    (void)state;
    day(-10, 1000);
    world_put(&s.w, s.run, 50);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 1); /* the lease of 600 s fits into 1000 s */
    world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL);
    pass(401 * SECOND);
    world_submit(&s.w, &s.h, &s.t[0], "x");
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 0); /* 599 s are left */
    char text[200];
    assert_int_equal(why("hub-0", text, sizeof text), 9);
    assert_string_equal(text, "station judge: a task usually takes 600 s, the shift ends in 599 s");
    day(-2000, 3000); /* longer: what waits is given, though nothing new has come */
    assert_int_equal(pushed(&s.h), 1);
}

static void who_is_moved_to_a_shift_that_is_off_hands_back_and_may_finish(void **state)
{
    int64_t left;
    (void)state;
    pass(2000 * SECOND);
    day(-10, 36000);
    world_put(&s.w, s.run, 2);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 2);
    assert_int_equal(world_act(&s.w, &s.h, &s.t[0], ACT_START, NULL, NULL), SLP_E_OK);
    world_shift(&s.w, &s.h, "free", NULL, 0, OVERTIME_US);
    world_credit(&s.w, &s.other, 0, 1);
    world_clear(&s.w);
    struct world_task begun = s.t[0];
    world_roster_by(&s.w, &s.h, "free"); /* today off, says the hub file */
    world_tick(&s.w);
    assert_int_equal(pushed(&s.other), 1);
    assert_non_null(world_sent(&s.w, s.h.peer, SLP_RECALL, 0));
    assert_non_null(event("hub/hub", EV_HANDOVER, 0).p);
    pass(300 * SECOND);
    assert_int_equal(world_act(&s.w, &s.h, &begun, ACT_TOUCH, NULL, &left), SLP_E_OK);
    assert_in_range(left, 590 * SECOND, 600 * SECOND); /* as long as the overtime lasts, counted from the move */
    assert_int_equal(world_submit(&s.w, &s.h, &begun, "x"), SLP_E_OK);
}

static void what_is_measured_counts_more_than_the_lease(void **state)
{
    (void)state;
    world_put(&s.w, s.run, 100);
    for (int i = 0; i < 30; i++) { /* the other hub shows that 20 s are enough */
        world_clear(&s.w);
        world_credit(&s.w, &s.other, 0, 1);
        assert_int_equal(pushed(&s.other), 1);
        world_act(&s.w, &s.other, &s.t[0], ACT_START, NULL, NULL);
        pass(20 * SECOND);
        world_submit(&s.w, &s.other, &s.t[0], "x");
    }
    struct slp_msg *m = world_run_get(&s.w, "r");
    struct slp_cursor c = slp_each(m->u.run_info.stations);
    struct slp_item_station_row row;
    assert_true(slp_next_station_row(&c, &row));
    assert_int_equal(row.mean_us, 20 * SECOND);
    day(-10, 30);
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 1);
    pass(10 * SECOND); /* 20 s are left, and it takes up to 24 s: a quarter of an octave above */
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 1, 1);
    assert_int_equal(pushed(&s.h), 0);
    uint8_t before[16], after[16];
    world_hash(&s.w, before);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    day(-20, 40);
    world_roster_by(&s.w, &s.h, "day");
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 1, 1);
    assert_int_equal(pushed(&s.h),
                     1); /* a restart has forgotten nothing: with the lease of 600 s it would not be given */
    world_hash(&s.w, after);
    assert_memory_not_equal(before, after, 16);
}

static void after_the_end_a_lease_is_renewed_until_the_overtime_is_over(void **state)
{
    (void)state;
    day(-10, 1000);
    world_put(&s.w, s.run, 1);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 1);
    int64_t lease;
    struct world_task t = s.t[0];
    world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL);
    pass(500 * SECOND);
    world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease);
    assert_int_equal(lease, LEASE_US);
    pass(550 * SECOND); /* 50 s over the end */
    world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease);
    assert_int_equal(lease, LEASE_US); /* 850 s of the overtime are left */
    pass(500 * SECOND);
    world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease);
    assert_in_range(lease, 345 * SECOND, 350 * SECOND);
    pass(300 * SECOND);
    world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease);
    assert_in_range(lease, 45 * SECOND, 50 * SECOND);
    pass(60 * SECOND);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_STALE);
}

static void a_touch_that_comes_after_the_overtime_is_told_that_nothing_is_left(void **state)
{
    (void)state;
    day(-10, 1000);
    world_put(&s.w, s.run, 1);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 1);
    int64_t lease;
    struct world_task t = s.t[0];
    world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL);
    for (int64_t left = 1000 * SECOND + OVERTIME_US - 10 * SECOND; left > 0; left -= 500 * SECOND) {
        pass(left < 500 * SECOND ? left : 500 * SECOND);
        assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_OK);
    }
    assert_in_range(lease, 1, 15 * SECOND);
    s.w.now_us += lease + SECOND; /* and no tick yet, which would take it back */
    s.w.wall_us += lease + SECOND;
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_OK);
    assert_int_equal(lease, 0);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, &lease), SLP_E_DUPLICATE);
    assert_int_equal(lease, 0);
    world_tick(&s.w);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_STALE);
}

static void who_stays_signed_in_is_offered_work_again_at_the_next_beginning(void **state)
{
    (void)state;
    int64_t v[] = { -10, 1000, 2000, 4000 };
    world_shift(&s.w, &s.h, "day", v, 4, OVERTIME_US);
    world_credit(&s.w, &s.h, 0, 1);
    pass(1500 * SECOND);
    world_put(&s.w, s.run, 1);
    char text[200];
    assert_int_equal(why("hub-0", text, sizeof text), 8);
    assert_string_equal(text, "off shift until 2023-11-14 22:46 UTC (shift day)"); /* the world began at 22:13:20 */
    assert_int_equal(pushed(&s.h), 0);
    pass(500 * SECOND);
    assert_int_equal(pushed(&s.h), 1);
}

static void why_says_what_is_missing(void **state)
{
    (void)state;
    day(-10, 36000);
    assert_int_equal(why("hub-0", NULL, 0), 6);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(why("hub-0", NULL, 0), 1);
    world_put(&s.w, s.run, 1);
    assert_int_equal(why("hub-0", NULL, 0), 5);
    struct slp_worker_why_get q = { .name = world_str("nobody") };
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_WHY_GET, &q)), SLP_E_NOT_FOUND);
    world_pass(&s.w, 60 * SECOND);
    assert_int_equal(why("hub-0", NULL, 0), 10);
}

/* ---- clocks that are set ---- */

static void a_clock_set_days_ahead_and_back_expires_and_freezes_nothing(void **state)
{
    (void)state;
    day(-10, 5000);
    world_put(&s.w, s.run, 3);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 2);
    struct world_task t = s.t[0];
    int64_t lease;
    world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL);
    s.w.wall_us += 3 * 24 * HOUR;
    pass(SECOND);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2); /* not started: given back, which costs nothing */
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_OK);
    assert_int_equal(lease, LEASE_US); /* the lease that it had, whole, though the shift seems to be over for days */
    pass(LEASE_US - 2 * SECOND);
    s.w.wall_us -= 3 * 24 * HOUR;
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 1, 1);
    assert_int_equal(pushed(&s.h), 1); /* on shift again at once */
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_TOUCH, NULL, &lease), SLP_E_OK);
    assert_int_equal(lease, LEASE_US);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "x"), SLP_E_OK);
}

static void a_clock_that_jitters_by_less_than_a_second_turns_no_shift_twice(void **state)
{
    (void)state;
    day(10, 5000);
    pass(10 * SECOND);
    for (int i = 0; i < 5; i++) {
        s.w.wall_us -= 400000;
        world_tick(&s.w);
        s.w.wall_us += 400000;
        world_tick(&s.w);
    }
    assert_non_null(event("hub/hub", EV_SHIFT, 0).p);
    assert_null(event("hub/hub", EV_SHIFT, 1).p);
}

static void an_end_that_came_while_the_broker_was_down_is_seen_at_the_start(void **state)
{
    (void)state;
    day(-10, 1000);
    world_put(&s.w, s.run, 2);
    world_credit(&s.w, &s.h, 0, 2);
    assert_int_equal(pushed(&s.h), 2);
    world_flush(&s.w);
    s.w.wall_us += 1500 * SECOND;
    world_restart(&s.w);
    world_pass(&s.w, SECOND);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 2);
    assert_int_equal(world_number(world_at(event("hub/hub", EV_HANDOVER, 0), "returned")), 2);
}

static void a_handover_goes_on_after_a_restart(void **state)
{
    (void)state;
    day(-10, 1000);
    world_put(&s.w, s.run, 1500);
    world_credit(&s.w, &s.h, 0, 1500);
    s.w.wall_us += 1500 * SECOND;
    world_tick(&s.w);
    world_flush(&s.w);
    uint64_t first = world_count(&s.w, "r", "judge", TASK_READY);
    assert_in_range(first, 1, 1499); /* a chunk */
    world_restart(&s.w);
    world_pass(&s.w, SECOND);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_READY), 1500);
    assert_int_equal(world_number(world_at(event("hub/hub", EV_HANDOVER, 0), "returned")), 1500);
    assert_null(event("hub/hub", EV_HANDOVER, 1).p);
}

/* ---- many at one moment ---- */

#define MANY_HUBS 5
#define MANY (MANY_HUBS * 4000) /* people, all by one pattern, each signed in and idle or with a task in hand */

/* A hub of 4,000 people by shift `day`, each signed in with credit for one. */
static void large_hub(struct world_hub *h, const char *name, int64_t from_s, int64_t to_s)
{
    struct slp_buf roster = { 0 }, credit = { 0 };
    int64_t v[] = { from_s, to_s };
    char text[40];
    world_hub(&s.w, h, name, 0, 0);
    world_shift(&s.w, h, "day", v, 2, OVERTIME_US);
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(text, sizeof text, "%s-p%u", name, i);
        struct slp_item_worker_def d = { .name = world_str(text), .capacity = 1, .shift = world_str("day") };
        SLP_SET(&d, item_worker_def, shift);
        slp_pack_item(&roster, SLP_ITEM_worker_def, &d);
    }
    struct slp_roster r = { .session = h->session,
                            .digest = { "0123456789abcdef0123456789abcdef", 32 },
                            .workers = { roster.p, (uint32_t)roster.n, 4000 },
                            .last = true };
    struct slp_msg *m = world_send(&s.w, h->peer, SLP_ROSTER, &r);
    assert_true(m && m->type == SLP_ROSTER_DONE);
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    for (uint64_t no; slp_next_u64(&c, &no);) {
        struct slp_item_credit it = { .worker = no, .total = 1 };
        slp_pack_item(&credit, SLP_ITEM_credit, &it);
    }
    struct slp_credit q = { .session = h->session, .grants = { credit.p, (uint32_t)credit.n, 4000 } };
    SLP_SET(&q, credit, grants);
    world_send(&s.w, h->peer, SLP_CREDIT, &q);
    slp_buf_free(&roster);
    slp_buf_free(&credit);
    world_clear(&s.w);
}

static uint64_t written(void)
{
    const struct store_counters *c = store_counters(s.w.store);
    return c->puts + c->appends + c->dels;
}

static void a_shift_change_of_many_goes_in_chunks_and_delays_nobody(void **state)
{
    (void)state;
    static struct world_hub many[MANY_HUBS];
    char name[16];
    world_put(&s.w, s.run, 3000);
    for (unsigned i = 0; i < MANY_HUBS; i++) {
        snprintf(name, sizeof name, "many%u", i);
        large_hub(&many[i], name, -10, 1000);
    }
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), 3000);
    s.w.wall_us += 1010 * SECOND; /* all of them go at once */
    uint64_t before = written();
    world_clear(&s.w);
    world_credit(&s.w, &s.other, 0, 1); /* somebody else asks in the very step in which that is seen */
    world_flush(&s.w);
    assert_true(written() - before < 100); /* a change is one record for each hub */
    unsigned ticks = 0;
    size_t got = 0;
    uint64_t most = 0;
    while (engine_backlog(s.w.engine) && ++ticks < 1000) {
        before = written();
        world_tick(&s.w);
        world_flush(&s.w);
        most = written() - before > most ? written() - before : most;
        if (!got && (got = pushed(&s.other)))
            assert_int_equal(ticks, 1); /* the first chunk is enough for him */
    }
    assert_int_equal(got, 1);
    assert_in_range(ticks, 3000 / 500, 3000 / 500 + MANY / 4000 + 2);
    assert_in_range(most, 10, 600); /* 500 assignments a tick; neighbours share records */
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), 1);
    for (unsigned i = 0; i < MANY_HUBS; i++) {
        snprintf(name, sizeof name, "hub/many%u", i);
        assert_non_null(event(name, EV_HANDOVER, 0).p);
    }
}

static void a_shift_that_begins_for_many_is_served_in_chunks(void **state)
{
    (void)state;
    static struct world_hub h;
    large_hub(&h, "many", 1000, 9000);
    world_put(&s.w, s.run, 10);
    s.w.wall_us += 1010 * SECOND;
    world_tick(&s.w);
    world_flush(&s.w);
    assert_int_equal(pushed(&h), 10);
    while (engine_backlog(s.w.engine))
        world_tick(&s.w);
    world_put(&s.w, s.run, 500);
    world_flush(&s.w);
    assert_int_equal(pushed(&h), 510);
}

/* ---- what the hub tells ---- */

static size_t shifts_listed(void)
{
    struct slp_shifts_get q = { .hub = world_str("hub") };
    SLP_SET(&q, shifts_get, hub);
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_SHIFTS_GET, &q);
    assert_true(m && m->type == SLP_SHIFT_ROWS);
    return m->u.shift_rows.rows.count;
}

static void a_shift_goes_when_it_is_neither_told_nor_used(void **state)
{
    (void)state;
    int64_t v[] = { -10, 3600 };
    day(-10, 3600);
    assert_int_equal(shifts_listed(), 1);
    world_shift(&s.w, &s.h, "night", v, 2, 0);
    assert_int_equal(shifts_listed(), 2); /* people still work by `day` */
    world_credit(&s.w, &s.h, 0, 1);
    world_put(&s.w, s.run, 1);
    assert_int_equal(pushed(&s.h), 1);
    world_roster_by(&s.w, &s.h, "night");
    assert_int_equal(shifts_listed(), 1);
    struct slp_bytes e = event("hub/hub", EV_SHIFT, 2); /* both began; one is no more, and whoever follows is told so */
    assert_memory_equal(world_at(e, "name").p,
                        "\xa3"
                        "day",
                        4);
    assert_int_equal((uint8_t)world_at(e, "on").p[0], 0xc2);
    assert_int_equal(world_count(&s.w, "r", "judge", TASK_ASSIGNED), 1); /* what is in hand stays there */
    world_restart(&s.w);
    assert_int_equal(shifts_listed(), 1);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(shifts_listed(), 1);
    world_roster_by(&s.w, &s.h, NULL); /* a roster without any */
    assert_int_equal(shifts_listed(), 0);
}

/* Agents put a zone or a worker behind the name that the roster gives. */
static void a_shift_with_the_longest_name_is_found_by_it(void **state)
{
    static const int64_t v[] = { -10, 36000 };
    char name[SL_SHIFT_NAME_BYTES_MAX + 1];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    world_shift(&s.w, &s.h, name, v, 2, OVERTIME_US);
    world_roster_by(&s.w, &s.h, name);
    assert_int_equal(shifts_listed(), 1); /* `day` is gone, and both work by this one */
    world_shift(&s.w, &s.h, name, v, 2, 0);
    assert_int_equal(shifts_listed(), 1); /* told again, it is the same */
    world_put(&s.w, s.run, 1);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 1);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    world_roster_by(&s.w, &s.h, NULL);
    assert_int_equal(shifts_listed(), 0);
}

static void shifts_that_make_no_sense_are_refused_and_change_nothing(void **state)
{
    (void)state;
    day(-10, 3600);
    uint8_t before[16], after[16];
    static const int64_t bad[][3] = { { 10, 5 }, { 5, 5 }, { 5, 6, 7 } };
    for (size_t i = 0; i < 3; i++) {
        struct slp_buf times = { 0 }, item = { 0 };
        uint32_t n = i == 2 ? 3 : 2;
        for (uint32_t k = 0; k < n; k++)
            slp_pack_u64(&times, (uint64_t)bad[i][k]);
        struct slp_item_shift_def d = { .name = world_str("x"),
                                        .zone = world_str("UTC"),
                                        .text = world_str(""),
                                        .times = { times.p, (uint32_t)times.n, n } };
        slp_pack_item(&item, SLP_ITEM_shift_def, &d);
        struct slp_shifts q = { .session = s.h.session,
                                .digest = { "0123456789abcdef0123456789abcdef", 32 },
                                .shifts = { item.p, (uint32_t)item.n, 1 },
                                .last = true };
        world_beat(&s.w, &s.h);
        world_hash(&s.w, before);
        struct slp_msg *m = world_send(&s.w, s.h.peer, SLP_SHIFTS, &q);
        assert_int_equal(world_code(m), SLP_E_BAD_VALUE);
        assert_memory_equal(m->u.error.place.p, "shifts[0]", 9);
        world_hash(&s.w, after);
        slp_buf_free(&times);
        slp_buf_free(&item);
        assert_int_equal(shifts_listed(), 1);
    }
}

static void listings_tell_the_shift_and_its_next_change(void **state)
{
    (void)state;
    day(-10, 3600);
    struct slp_workers_get q = { .name = world_str("hub-1") };
    SLP_SET(&q, workers_get, name);
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q);
    struct slp_cursor c = slp_each(m->u.workers.rows);
    struct slp_item_worker_row row;
    assert_true(slp_next_worker_row(&c, &row));
    assert_true(row.on_shift);
    assert_int_equal(row.change_wall_us, s.w.wall_us + 3600 * SECOND);
    assert_memory_equal(row.shift.p, "day", 3);
    assert_int_equal(row.capacity, 10);
    pass(3600 * SECOND);
    m = world_send(&s.w, WORLD_CLIENT, SLP_WORKERS_GET, &q);
    c = slp_each(m->u.workers.rows);
    assert_true(slp_next_worker_row(&c, &row));
    assert_false(row.on_shift);
    assert_false(SLP_IS(&row, item_worker_row, change_wall_us));
}

static void who_is_signed_in_and_off_shift_does_not_count_as_on_shift(void **state)
{
    struct slp_stats_get q = { 0 };
    (void)state;
    day(100, 3600);
    world_credit(&s.w, &s.h, 0, 1);
    world_credit(&s.w, &s.other, 0, 1);
    struct slp_bytes f = world_send(&s.w, WORLD_CLIENT, SLP_STATS_GET, &q)->u.stats.figures;
    assert_int_equal(world_number(world_at(f, "workers_signed_in")), 2);
    assert_int_equal(world_number(world_at(f, "workers_on_shift")), 1);
    assert_int_equal(world_number(world_at(f, "by_hub.hub.on_shift")), 0);
    pass(101 * SECOND);
    f = world_send(&s.w, WORLD_CLIENT, SLP_STATS_GET, &q)->u.stats.figures;
    assert_int_equal(world_number(world_at(f, "by_hub.hub.on_shift")), 1);
}

static void a_worker_on_two_rosters_is_told_with_the_other_hub(void **state)
{
    (void)state;
    struct slp_buf b = { 0 };
    struct slp_item_worker_def d = { .name = world_str("hub-0"), .capacity = 1 };
    slp_pack_item(&b, SLP_ITEM_worker_def, &d);
    struct slp_roster r = { .session = s.other.session,
                            .digest = { "0123456789abcdef0123456789abcdef", 32 },
                            .workers = { b.p, (uint32_t)b.n, 1 },
                            .last = true };
    struct slp_msg *m = world_send(&s.w, s.other.peer, SLP_ROSTER, &r);
    slp_buf_free(&b);
    assert_int_equal(m->type, SLP_ROSTER_DONE);
    struct slp_cursor c = slp_each(m->u.roster_done.workers), hubs = slp_each(m->u.roster_done.hubs);
    uint64_t id;
    struct slp_bytes hub;
    assert_true(slp_next_u64(&c, &id) && id == 0 && slp_next_str(&hubs, &hub));
    assert_memory_equal(hub.p, "hub", 3);
}

/* A shift as it is told, and as it is listed then. */
static void told_as(const char *zone, const char *text, int64_t overtime_us, int64_t until_us, int64_t end_us)
{
    struct slp_buf times = { 0 }, item = { 0 };
    uint64_t digest[4] = { ++s.w.next_id };
    slp_pack_u64(&times, (uint64_t)s.w.wall_us + 1000 * SECOND);
    slp_pack_u64(&times, (uint64_t)end_us);
    struct slp_item_shift_def d = { .name = world_str("day"),
                                    .zone = world_str(zone),
                                    .text = world_str(text),
                                    .overtime_us = (uint64_t)overtime_us,
                                    .times = { times.p, (uint32_t)times.n, 2 } };
    slp_pack_item(&item, SLP_ITEM_shift_def, &d);
    struct slp_shifts q = { .session = s.h.session,
                            .digest = { (char *)digest, 32 },
                            .shifts = { item.p, (uint32_t)item.n, 1 },
                            .until_wall_us = until_us,
                            .last = true };
    assert_int_equal(world_send(&s.w, s.h.peer, SLP_SHIFTS, &q)->type, SLP_DONE);
    slp_buf_free(&times);
    slp_buf_free(&item);
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_SHIFTS_GET, &(struct slp_shifts_get){ 0 });
    struct slp_cursor c = slp_each(m->u.shift_rows.rows);
    struct slp_item_shift_row row;
    assert_true(slp_next_shift_row(&c, &row));
    assert_int_equal(row.zone.n, strlen(zone));
    assert_memory_equal(row.zone.p, zone, row.zone.n);
    assert_int_equal(row.text.n, strlen(text));
    assert_memory_equal(row.text.p, text, row.text.n);
    assert_int_equal(row.overtime_us, overtime_us);
    assert_int_equal(row.until_wall_us, until_us);
    struct slp_cursor at = slp_each(row.times);
    uint64_t v = 0;
    assert_true(slp_next_u64(&at, &v) && slp_next_u64(&at, &v));
    assert_int_equal(v, end_us);
}

static void whatever_changes_of_a_shift_that_is_told_again_is_taken(void **state)
{
    (void)state;
    int64_t until = s.w.wall_us + 8 * 86400 * SECOND, end = s.w.wall_us + 2000 * SECOND;
    static const struct {
        const char *zone, *text;
        int64_t overtime_us, later_us, longer_us;
    } rows[] = {
        { "Africa/Nairobi", "early", 0, 0, 0 },
        { "Africa/Nairobi", "early", 0, 0, 0 },
        { "Africa/Nairobi", "later", 0, 0, 0 },
        { "Africa/Nairobi", "late", 0, 0, 0 },
        { "Africa/Nairobi", "", 0, 0, 0 },
        { "Africa/Nairobi", "", 0, 0, 0 },
        { "Africa/Kampala", "", 0, 0, 0 },
        { "UTC", "", 0, 0, 0 },
        { "UTC", "", 1000, 0, 0 },
        { "UTC", "", 1000, 5, 0 },
        { "UTC", "", 1000, 5, 7 },
        { "UTC", "", 1000, 5, 7 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int twice = 0; twice < 2; twice++)
            told_as(rows[i].zone, rows[i].text, rows[i].overtime_us, until + rows[i].later_us, end + rows[i].longer_us);
    }
}

static void why_tells_the_day_of_the_next_change_in_every_month(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_s;
        const char *says;
    } rows[] = {
        { 1704067200, "2024-01-01 00:20 UTC" },        { 1709164800 - 1200, "2024-02-29 00:00 UTC" },
        { 1709251200 - 1200, "2024-03-01 00:00 UTC" }, { 1735689600 - 1201, "2024-12-31 23:59 UTC" },
        { 1735689600 - 1200, "2025-01-01 00:00 UTC" }, { 951782400 - 1200, "2000-02-29 00:00 UTC" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300], wanted[100];
        s.w.wall_us = rows[i].wall_s * SECOND;
        world_tick(&s.w);
        day(1200, 3600);
        snprintf(wanted, sizeof wanted, "off shift until %s (shift day)", rows[i].says);
        why("hub-0", text, sizeof text);
        assert_string_equal(text, wanted);
    }
}

/* A shift that ends in 500 s is too short for a task of 600 s. Then the clock, which was 1000 s ahead, is set right. */
static void for_whom_a_clock_that_was_ahead_left_too_little_time_is_asked_when_it_is_set_right(void **state)
{
    (void)state;
    day(-5000, 500);
    world_put(&s.w, s.run, 5);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 0);
    assert_int_equal(why("hub-0", NULL, 0), 9);
    pass(2 * SECOND); /* the shift's beginning is settled */
    assert_int_equal(pushed(&s.h), 0);
    s.w.wall_us -= 1000 * SECOND;
    world_tick(&s.w);
    world_tick(&s.w);
    assert_int_not_equal(why("hub-0", NULL, 0), 9);
    assert_int_equal(pushed(&s.h), 1);
}

/* The lease stands for what a task takes until 20 are measured. From then on it is 5 s, and the shift is long enough. */
static void for_whom_the_shift_was_too_short_until_enough_was_measured_is_asked_then(void **state)
{
    (void)state;
    day(-10, 500);
    world_put(&s.w, s.run, 50);
    world_credit(&s.w, &s.h, 0, 1);
    assert_int_equal(pushed(&s.h), 0);
    for (int i = 0; i < 25; i++) {
        world_clear(&s.w);
        world_credit(&s.w, &s.other, 0, 1);
        assert_int_equal(pushed(&s.other), 1);
        struct world_task t = s.t[0];
        assert_int_equal(world_act(&s.w, &s.other, &t, ACT_START, NULL, NULL), SLP_E_OK);
        pass(5 * SECOND);
        world_clear(&s.w);
        assert_int_equal(world_submit(&s.w, &s.other, &t, "x"), SLP_E_OK);
        if (pushed(&s.h))
            break;
    }
    assert_int_not_equal(why("hub-0", NULL, 0), 9);
    assert_int_equal(pushed(&s.h), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_given_work_before_the_shift_begins),
        TEST(whose_shift_is_not_told_yet_is_off),
        TEST(without_a_shift_work_comes_whenever_one_is_signed_in),
        TEST(at_the_end_what_is_not_started_goes_back_and_to_others_at_once),
        TEST(the_handover_says_how_many_went_back_and_how_many_are_begun),
        TEST(what_would_not_fit_before_the_end_is_not_given),
        TEST(who_is_moved_to_a_shift_that_is_off_hands_back_and_may_finish),
        TEST(what_is_measured_counts_more_than_the_lease),
        TEST(after_the_end_a_lease_is_renewed_until_the_overtime_is_over),
        TEST(a_touch_that_comes_after_the_overtime_is_told_that_nothing_is_left),
        TEST(who_stays_signed_in_is_offered_work_again_at_the_next_beginning),
        TEST(why_says_what_is_missing),
        TEST(a_clock_set_days_ahead_and_back_expires_and_freezes_nothing),
        TEST(a_clock_that_jitters_by_less_than_a_second_turns_no_shift_twice),
        TEST(an_end_that_came_while_the_broker_was_down_is_seen_at_the_start),
        TEST(a_handover_goes_on_after_a_restart),
        TEST(a_shift_change_of_many_goes_in_chunks_and_delays_nobody),
        TEST(a_shift_that_begins_for_many_is_served_in_chunks),
        TEST(a_shift_goes_when_it_is_neither_told_nor_used),
        TEST(a_shift_with_the_longest_name_is_found_by_it),
        TEST(shifts_that_make_no_sense_are_refused_and_change_nothing),
        TEST(listings_tell_the_shift_and_its_next_change),
        TEST(who_is_signed_in_and_off_shift_does_not_count_as_on_shift),
        TEST(a_worker_on_two_rosters_is_told_with_the_other_hub),
        TEST(whatever_changes_of_a_shift_that_is_told_again_is_taken),
        TEST(why_tells_the_day_of_the_next_change_in_every_month),
        TEST(for_whom_a_clock_that_was_ahead_left_too_little_time_is_asked_when_it_is_set_right),
        TEST(for_whom_the_shift_was_too_short_until_enough_was_measured_is_asked_then),
    };
    return cmocka_run_group_tests_name("engine shifts", tests, NULL, NULL);
}
