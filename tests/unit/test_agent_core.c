/* The agent's core, on a clock that the test turns: messages in, frames out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker-agent/core.h"

#define S 1000000ll
#define HEARTBEAT_US (5 * S)
#define GRACE_US (30 * S)
#define FRAMES_MAX 256

/* ---------------------------------------------------------------- a world of one core */
struct frame { struct slp_msg m; char *bytes; };
struct world {
    struct core *core;
    struct core_outs outs;
    int64_t now_us;
    struct frame frames[FRAMES_MAX]; /* sent since the last step */
    size_t frame_count, relinks;
    struct core_member members[8];
    struct core_roster roster;
    struct slp_buf packed[8];
};

static struct slp_bytes text(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static void forget_outs(struct world *w)
{
    core_outs_clear(&w->outs);
    for (size_t i = 0; i < w->frame_count; i++)
        free(w->frames[i].bytes);
    w->frame_count = w->relinks = 0;
}

static void step(struct world *w, struct core_in in)
{
    size_t from = w->outs.n;
    in.now_us = w->now_us;
    in.wall_us = 1700000000000000ll + w->now_us;
    assert_int_equal(core_step(w->core, &in, &w->outs), 0);
    for (size_t i = from; i < w->outs.n; i++) {
        const struct core_out *o = &w->outs.v[i];
        struct slp_fault fault;
        w->relinks += o->kind == CORE_OUT_RELINK;
        if (o->kind != CORE_OUT_SEND)
            continue;
        assert_true(w->frame_count < FRAMES_MAX && o->n <= SL_FRAME_BYTES_MAX);
        struct frame *f = &w->frames[w->frame_count++];
        f->bytes = malloc(o->n);
        memcpy(f->bytes, w->outs.bytes.p + o->off, o->n);
        if (slp_decode(f->bytes, o->n, SLP_A2B, &f->m, &fault) != 0)
            fail_msg("the core sent what nobody can read: %s at %s", slp_error_name(fault.code), fault.place);
    }
}

static void tick(struct world *w) { step(w, (struct core_in){ .kind = CORE_IN_TICK }); }

/* Only what this step and tick say is looked at afterwards. */
static void act(struct world *w, struct core_in in)
{
    forget_outs(w);
    step(w, in);
    tick(w);
}

static void pass(struct world *w, int64_t us)
{
    forget_outs(w);
    w->now_us += us;
    tick(w);
}

static void deliver(struct world *w, uint64_t type, uint64_t id, const void *body)
{
    struct slp_buf b = { 0 };
    struct slp_msg m;
    struct slp_fault fault;
    assert_int_equal(slp_encode(&b, type, id, body), 0);
    if (slp_decode(b.p, b.n, SLP_B2A, &m, &fault) != 0)
        fail_msg("the test sent what nobody can read: %s at %s", slp_error_name(fault.code), fault.place);
    act(w, (struct core_in){ .kind = CORE_IN_MESSAGE, .msg = &m });
    slp_buf_free(&b);
}

/* The n-th frame of a type since the last act, or NULL. */
static const struct slp_msg *sent_nth(const struct world *w, uint64_t type, size_t n)
{
    for (size_t i = 0; i < w->frame_count; i++)
        if (w->frames[i].m.type == type && n-- == 0)
            return &w->frames[i].m;
    return NULL;
}
static const struct slp_msg *sent(const struct world *w, uint64_t type) { return sent_nth(w, type, 0); }
static const struct slp_msg *must_send(const struct world *w, uint64_t type)
{
    const struct slp_msg *m = sent(w, type);
    if (!m)
        fail_msg("no frame of type %llu was sent", (unsigned long long)type);
    return m;
}

static const struct core_out *said_nth(const struct world *w, enum core_out_kind kind, size_t n)
{
    for (size_t i = 0; i < w->outs.n; i++)
        if (w->outs.v[i].kind == kind && n-- == 0)
            return &w->outs.v[i];
    return NULL;
}
static const struct core_out *said(const struct world *w, enum core_out_kind kind) { return said_nth(w, kind, 0); }
static size_t count_said(const struct world *w, enum core_out_kind kind)
{
    size_t n = 0;
    while (said_nth(w, kind, n))
        n++;
    return n;
}

static void add_member(struct world *w, const char *name, bool robot, uint32_t capacity, uint32_t prefetch)
{
    uint32_t i = w->roster.count++;
    struct slp_item_worker_def d = { .name = text(name), .kind = robot, .capacity = capacity };
    slp_pack_item(&w->packed[i], SLP_ITEM_worker_def, &d);
    w->members[i] = (struct core_member){ name, robot, capacity, prefetch, { w->packed[i].p, (uint32_t)w->packed[i].n } };
    w->roster.members = w->members;
    w->roster.digest[0]++;
}

static void give_roster(struct world *w) { act(w, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &w->roster }); }

/* Workers by name: asha (person, 1+1), crane (robot, 2+2). */
static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct core_config c = { .hub = "pokhara", .zone = "Asia/Kathmandu", .incarnation = 7, .data_id = "0123456789abcde", .seed = 1 };
    w->now_us = 1000 * S;
    w->core = core_new(&c);
    add_member(w, "crane", true, 2, 2);
    add_member(w, "asha", false, 1, 1);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    forget_outs(w);
    core_outs_free(&w->outs);
    core_free(&w->core);
    for (size_t i = 0; i < 8; i++)
        slp_buf_free(&w->packed[i]);
    free(w);
    return 0;
}

/* ---------------------------------------------------------------- the broker's part, by hand */
enum { ASHA = 11, CRANE = 12, STATION = 5 };

static void welcome(struct world *w, uint64_t session, bool roster_wanted, const uint64_t *recalled, uint32_t n)
{
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    struct slp_buf list = { 0 };
    for (uint32_t i = 0; i < n; i++)
        slp_pack_u64(&list, recalled[i]);
    struct slp_welcome m = { .session = session, .heartbeat_us = HEARTBEAT_US, .grace_us = GRACE_US, .roster_wanted = roster_wanted,
                             .recalled = { list.p, (uint32_t)list.n, n }, .hub_id = 1 };
    deliver(w, SLP_WELCOME, h->id, &m);
    slp_buf_free(&list);
}

static void roster_done(struct world *w)
{
    const struct slp_msg *r = must_send(w, SLP_ROSTER);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA); /* the core sends them by name */
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, r->id, &m);
    slp_buf_free(&list);
}

static void crane_ready(struct world *w) { act(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true }); }

/* A session with all that comes before work. */
static void connect_up(struct world *w, uint64_t session)
{
    give_roster(w);
    welcome(w, session, true, NULL, 0);
    roster_done(w);
    crane_ready(w);
}

static void push(struct world *w, uint64_t session, uint64_t push_no, uint64_t worker, uint64_t first, uint32_t n)
{
    struct slp_buf list = { 0 }, fields = { 0 };
    slp_pack_cstr(&fields, "text");
    for (uint32_t i = 0; i < n; i++) {
        struct slp_item_assignment a = { .assignment = first + i, .worker = worker, .attempt = 1, .fields = { fields.p, (uint32_t)fields.n, 1 } };
        slp_pack_item(&list, SLP_ITEM_assignment, &a);
    }
    struct slp_push m = { .session = session, .push_no = push_no, .station_id = STATION, .lease_us = 60 * S, .start_by_us = 300 * S,
                          .assignments = { list.p, (uint32_t)list.n, n } };
    deliver(w, SLP_PUSH, 0, &m);
    slp_buf_free(&list);
    slp_buf_free(&fields);
}

static void form_known(struct world *w) { act(w, (struct core_in){ .kind = CORE_IN_FORM, .station_id = STATION, .ok = true }); }

static void finish(struct world *w, uint64_t assignment, uint64_t worker, uint64_t seq)
{
    struct slp_buf b = { 0 }, values = { 0 };
    slp_pack_cstr(&values, "yes");
    struct slp_item_result r = { .assignment = assignment, .worker = worker, .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&b, SLP_ITEM_result, &r);
    act(w, (struct core_in){ .kind = CORE_IN_FINISH, .assignment = assignment, .seq = seq, .item = { b.p, (uint32_t)b.n } });
    slp_buf_free(&b);
    slp_buf_free(&values);
}

struct told { uint64_t code, assignment; int64_t lease_us; };
static void outcomes(struct world *w, uint64_t id, const struct told *t, uint32_t n)
{
    struct slp_buf list = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        struct slp_item_outcome o = { .code = t[i].code, .assignment = t[i].assignment, .lease_us = t[i].lease_us };
        if (o.lease_us)
            SLP_SET(&o, item_outcome, lease_us);
        slp_pack_item(&list, SLP_ITEM_outcome, &o);
    }
    struct slp_outcomes m = { .ok = 0, .outcomes = { list.p, (uint32_t)list.n, n } };
    if (n)
        SLP_SET(&m, outcomes, outcomes);
    deliver(w, SLP_OUTCOMES, id, &m);
    slp_buf_free(&list);
}

static void refuse(struct world *w, uint64_t id, uint64_t code)
{
    struct slp_error m = { .code = code, .retry = slp_error_retry(code), .text = text("no") };
    deliver(w, SLP_ERROR, id, &m);
}

static void beat(struct world *w, uint64_t last_push)
{
    const struct slp_msg *h = must_send(w, SLP_HEARTBEAT);
    struct slp_heartbeat_ack m = { .last_push = last_push };
    deliver(w, SLP_HEARTBEAT_ACK, h->id, &m);
}

static uint64_t granted_to(const struct slp_list grants, uint64_t worker)
{
    struct slp_cursor each = slp_each(grants);
    struct slp_item_credit g;
    uint64_t total = 0;
    while (slp_next_credit(&each, &g))
        if (g.worker == worker)
            total = g.total;
    return total;
}

static uint32_t results_in(const struct slp_msg *m, uint64_t *numbers)
{
    struct slp_cursor each = slp_each(m->u.submit.results);
    struct slp_item_result r;
    uint32_t n = 0;
    while (slp_next_result(&each, &r))
        numbers[n++] = r.assignment;
    return n;
}

/* ---------------------------------------------------------------- sessions */
static void it_says_hello_as_soon_as_it_has_a_roster(void **state)
{
    struct world *w = *state;
    act(w, (struct core_in){ .kind = CORE_IN_TICK });
    assert_null(sent(w, SLP_HELLO));
    give_roster(w);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->incarnation, 7);
    assert_int_equal(h->held.count, 0);
    assert_memory_equal(h->hub.p, "pokhara", 7);
    assert_false(SLP_IS(h, hello, takeover));
}

static void a_wanted_roster_is_sent_by_name_and_its_numbers_are_used(void **state)
{
    struct world *w = *state;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    const struct slp_roster *r = &must_send(w, SLP_ROSTER)->u.roster;
    struct slp_cursor each = slp_each(r->workers);
    struct slp_item_worker_def d;
    assert_true(slp_next_worker_def(&each, &d));
    assert_memory_equal(d.name.p, "asha", 4);
    assert_true(r->last);
    assert_int_equal(r->session, 100);
    assert_null(sent(w, SLP_CREDIT)); /* numbers are not known yet */
    crane_ready(w);
    forget_outs(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, 2, &m);
    slp_buf_free(&list);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 0); /* not signed in */
}

static void a_roster_that_the_broker_has_is_asked_for_its_numbers(void **state)
{
    struct world *w = *state;
    give_roster(w);
    step(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
    welcome(w, 100, false, NULL, 0);
    const struct slp_msg *g = must_send(w, SLP_ROSTER_GET);
    struct slp_buf numbers = { 0 }, names = { 0 };
    slp_pack_u64(&numbers, ASHA);
    slp_pack_u64(&numbers, CRANE);
    slp_pack_cstr(&names, "asha");
    slp_pack_cstr(&names, "crane");
    struct slp_roster_ids m = { .workers = { numbers.p, (uint32_t)numbers.n, 2 }, .names = { names.p, (uint32_t)names.n, 2 } };
    deliver(w, SLP_ROSTER_IDS, g->id, &m);
    slp_buf_free(&numbers);
    slp_buf_free(&names);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
}

static void hello_is_repeated_on_a_new_socket_with_growing_jittered_waits(void **state)
{
    struct world *w = *state;
    give_roster(w);
    int64_t waits[8];
    for (size_t i = 0; i < 8; i++) {
        int64_t due = core_next_due_us(w->core);
        waits[i] = due - w->now_us;
        pass(w, due - 1 - w->now_us);
        assert_null(sent(w, SLP_HELLO));
        pass(w, 1);
        assert_int_equal(w->relinks, 1);
        must_send(w, SLP_HELLO);
        assert_true(waits[i] >= CORE_HELLO_MIN_US && waits[i] <= CORE_HELLO_MAX_US);
    }
    assert_true(waits[7] >= CORE_HELLO_MAX_US / 2);
}

static void silence_for_three_heartbeats_ends_the_session(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    beat(w, 0);
    for (int i = 0; i < 5; i++)
        pass(w, HEARTBEAT_US / 2); /* heartbeats leave, nothing comes back */
    assert_null(sent(w, SLP_HELLO));
    pass(w, HEARTBEAT_US / 2);
    assert_int_equal(w->relinks, 1);
    must_send(w, SLP_HELLO);
}

static void no_session_leads_to_hello_and_the_results_follow_in_the_new_one(void **state)
{
    struct world *w = *state;
    uint64_t got[4];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    uint64_t id = must_send(w, SLP_SUBMIT)->id;
    w->now_us += 2 * S;
    refuse(w, id, SLP_E_NO_SESSION);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->held.count, 1); /* not acknowledged: still ours */
    welcome(w, 101, false, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_int_equal(m->u.submit.session, 101);
    assert_int_equal(results_in(m, got), 1);
    assert_int_equal(got[0], 50);
    outcomes(w, m->id, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 1);
}

static void an_agent_that_was_replaced_stops(void **state)
{
    struct world *w = *state;
    give_roster(w);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_OTHER_AGENT);
    assert_int_equal(said(w, CORE_OUT_EXIT)->code, SLP_E_OTHER_AGENT);
    assert_int_equal(core_next_due_us(w->core), INT64_MAX);
}

static void another_version_is_no_reason_to_stop(void **state)
{
    struct world *w = *state;
    give_roster(w);
    refuse(w, must_send(w, SLP_HELLO)->id, SLP_E_BAD_VERSION);
    assert_null(said(w, CORE_OUT_EXIT));
    pass(w, CORE_HELLO_MAX_US);
    must_send(w, SLP_HELLO);
}

static void a_stopping_broker_is_left_and_found_again(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    struct slp_control m = { .order = 1 };
    deliver(w, SLP_CONTROL, 0, &m);
    assert_null(sent(w, SLP_HELLO));
    pass(w, core_next_due_us(w->core) - w->now_us);
    assert_int_equal(w->relinks, 1);
    must_send(w, SLP_HELLO);
}

/* ---------------------------------------------------------------- pushes, robots */
static void tasks_wait_for_their_form_and_run_up_to_the_capacity(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    assert_int_equal(must_send(w, SLP_FORM_GET)->u.form_get.station_id, STATION);
    assert_null(said(w, CORE_OUT_RUN));
    form_known(w);
    assert_int_equal(count_said(w, CORE_OUT_RUN), 2);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 50); /* first in, first out */
    finish(w, 50, CRANE, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52);
}

static void credit_is_what_was_pushed_plus_the_room_and_rides_with_results(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    assert_null(sent(w, SLP_CREDIT)); /* full: 2 + 2 */
    form_known(w);
    finish(w, 51, CRANE, 1);
    assert_int_equal(granted_to(must_send(w, SLP_SUBMIT)->u.submit.grants, CRANE), 5);
    assert_null(sent(w, SLP_CREDIT));
    push(w, 100, 2, CRANE, 60, 1);
    assert_null(sent(w, SLP_CREDIT));
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 50, .act = 4, .text = text("broken") });
    assert_int_equal(granted_to(must_send(w, SLP_ACTS)->u.acts.grants, CRANE), 6);
}

static void credit_that_nothing_came_of_is_told_again(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    bool again = false;
    for (int i = 0; i < 40 && !again; i++) {
        pass(w, HEARTBEAT_US / 2);
        again = sent(w, SLP_CREDIT) != NULL;
        if (!again)
            beat(w, 0);
    }
    assert_true(again);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4); /* the same total */
}

static void a_quick_robots_start_is_never_told(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    pass(w, CORE_START_DELAY_US - 1);
    assert_null(sent(w, SLP_ACTS));
    finish(w, 50, CRANE, 1);
    must_send(w, SLP_SUBMIT);
    pass(w, S);
    assert_null(sent(w, SLP_ACTS));
}

static void a_slow_robots_start_is_told_and_its_lease_touched(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    pass(w, CORE_START_DELAY_US);
    const struct slp_msg *m = must_send(w, SLP_ACTS);
    assert_int_equal(m->u.acts.acts.count, 2); /* both in one frame */
    outcomes(w, m->id, (struct told[]){ { 0, 50, 60 * S }, { 0, 51, 60 * S } }, 2);
    int touches = 0;
    for (int i = 0; i < 20; i++) { /* 50 s with a lease of 60 s: at 20 s and 40 s */
        pass(w, HEARTBEAT_US / 2);
        const struct slp_msg *t = sent(w, SLP_ACTS);
        if (t) {
            touches++;
            assert_int_equal(t->u.acts.acts.count, 2);
            struct slp_cursor each = slp_each(t->u.acts.acts);
            struct slp_item_act a;
            assert_true(slp_next_act(&each, &a));
            assert_int_equal(a.act, 1);
            uint64_t id = t->id;
            const struct slp_msg *h = sent(w, SLP_HEARTBEAT);
            uint64_t heartbeat_id = h ? h->id : 0;
            outcomes(w, id, (struct told[]){ { 0, 50, 60 * S }, { 0, 51, 60 * S } }, 2);
            if (heartbeat_id)
                deliver(w, SLP_HEARTBEAT_ACK, heartbeat_id, &(struct slp_heartbeat_ack){ .last_push = 1 });
        } else if (sent(w, SLP_HEARTBEAT)) {
            beat(w, 1);
        }
    }
    assert_int_equal(touches, 2);
}

static void a_recall_drops_what_is_not_started_and_leaves_the_rest(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, 50);
    slp_pack_u64(&list, 52);
    slp_pack_u64(&list, 999);
    struct slp_recall m = { .session = 100, .assignments = { list.p, (uint32_t)list.n, 3 }, .code = 2 };
    deliver(w, SLP_RECALL, 0, &m);
    slp_buf_free(&list);
    assert_null(core_find(w->core, 52));
    assert_true(core_find(w->core, 50)->recalled);
    assert_int_equal(core_find(w->core, 50)->state, CORE_STARTED);
    finish(w, 50, CRANE, 1); /* it may still count, perhaps late */
    must_send(w, SLP_SUBMIT);
}

static void a_push_of_another_session_is_not_taken(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 99, 1, CRANE, 50, 1);
    assert_null(core_find(w->core, 50));
}

static void a_hole_in_the_pushes_leads_to_hello_with_what_is_held(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    push(w, 100, 1, CRANE, 50, 1); /* a replay changes nothing */
    assert_null(sent(w, SLP_HELLO));
    w->now_us += 2 * S;
    push(w, 100, 3, CRANE, 54, 1);
    const struct slp_hello *h = &must_send(w, SLP_HELLO)->u.hello;
    assert_int_equal(h->held.count, 2);
    struct slp_cursor each = slp_each(h->held);
    uint64_t a, sum = 0;
    while (slp_next_u64(&each, &a))
        sum += a;
    assert_int_equal(sum, 104);
}

static void an_acknowledgement_that_counts_more_pushes_leads_to_hello_the_second_time(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    beat(w, 1);
    assert_null(sent(w, SLP_HELLO));
    pass(w, HEARTBEAT_US / 2);
    beat(w, 1);
    must_send(w, SLP_HELLO);
}

static void what_comes_before_the_numbers_are_known_waits_and_takes_no_credit(void **state)
{
    struct world *w = *state;
    give_roster(w);
    step(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
    welcome(w, 100, true, NULL, 0);
    uint64_t roster_id = must_send(w, SLP_ROSTER)->id;
    push(w, 100, 1, CRANE, 50, 2); /* right behind the welcome, before anybody has a number here */
    form_known(w);
    assert_null(said(w, CORE_OUT_RUN));
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, roster_id, &m);
    slp_buf_free(&list);
    assert_int_equal(count_said(w, CORE_OUT_RUN), 2);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 2); /* room for two more */
}

static void what_is_pushed_again_after_a_new_welcome_takes_no_credit(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    form_known(w);
    w->now_us += 2 * S;
    struct slp_control order = { .order = 0 };
    deliver(w, SLP_CONTROL, 0, &order);
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, 50);
    struct slp_welcome m = { .session = 101, .heartbeat_us = HEARTBEAT_US, .grace_us = GRACE_US, .missing = { list.p, (uint32_t)list.n, 1 }, .hub_id = 1 };
    SLP_SET(&m, welcome, missing);
    deliver(w, SLP_WELCOME, h->id, &m);
    slp_buf_free(&list);
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, CRANE), 4);
    push(w, 101, 1, CRANE, 50, 1);
    assert_null(sent(w, SLP_CREDIT)); /* it fills room, but the four that were granted are still to come */
    push(w, 101, 2, CRANE, 60, 4);
    finish(w, 50, CRANE, 1);
    assert_false(SLP_IS(&must_send(w, SLP_SUBMIT)->u.submit, submit, grants)); /* five were held with room for four */
    finish(w, 60, CRANE, 2);
    assert_int_equal(granted_to(must_send(w, SLP_SUBMIT)->u.submit.grants, CRANE), 5);
}

static void work_for_a_stranger_is_handed_back(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, 77, 50, 1);
    struct slp_cursor each = slp_each(must_send(w, SLP_ACTS)->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 2);
    assert_int_equal(a.assignment, 50);
}

static void a_slot_that_rests_takes_nothing(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 50, .act = 2, .text = text("later"), .hold_us = 10 * S });
    assert_null(said(w, CORE_OUT_RUN));                                               /* one slot at work, one at rest */
    assert_false(SLP_IS(&must_send(w, SLP_ACTS)->u.acts, acts, grants));             /* and no new credit for it */
    w->now_us += 10 * S - 1;
    tick(w);
    assert_null(said(w, CORE_OUT_RUN));
    pass(w, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52);
}

static void what_was_not_started_in_time_is_handed_back(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    for (int i = 0; i < 121; i++) {
        pass(w, HEARTBEAT_US / 2);
        if (sent(w, SLP_HEARTBEAT))
            beat(w, 1);
    }
    finish(w, 50, CRANE, 1); /* a slot is free, 301 s after the push with start_by 300 s */
    assert_null(said(w, CORE_OUT_RUN));
    assert_int_equal(core_find(w->core, 52)->state, CORE_ENDED);
}

/* ---------------------------------------------------------------- offline */
static void nothing_is_started_after_nine_tenths_of_the_grace(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int64_t contact = w->now_us;
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    w->now_us = contact + 26 * S;
    finish(w, 50, CRANE, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 52); /* silent, but within the limit */
    w->now_us = contact + 27 * S;
    finish(w, 51, CRANE, 2);
    assert_null(said(w, CORE_OUT_RUN));
    assert_false(core_may_start(w->core, w->now_us));
    assert_int_equal(core_find(w->core, 52)->state, CORE_STARTED); /* what is started goes on */
}

static void frames_that_only_come_in_are_no_contact(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int64_t contact = w->now_us;
    form_known(w);
    for (uint64_t i = 1; i <= 12; i++) {
        w->now_us = contact + (int64_t)i * 2 * S;
        struct slp_recall m = { .session = 100, .code = 1 };
        deliver(w, SLP_RECALL, 0, &m);
    }
    assert_true(core_may_start(w->core, contact + 27 * S - 1));
    assert_false(core_may_start(w->core, contact + 27 * S));
}

static void contact_counts_from_when_the_answered_request_was_sent(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    pass(w, HEARTBEAT_US / 2);
    int64_t sent_us = w->now_us;
    uint64_t id = must_send(w, SLP_HEARTBEAT)->id;
    w->now_us += 4 * S;
    deliver(w, SLP_HEARTBEAT_ACK, id, &(struct slp_heartbeat_ack){ .last_push = 0 });
    assert_true(core_may_start(w->core, sent_us + 27 * S - 1));
    assert_false(core_may_start(w->core, sent_us + 27 * S));
}

static void with_contact_again_it_goes_on(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    w->now_us += 100 * S;
    finish(w, 50, CRANE, 1);
    assert_null(said(w, CORE_OUT_RUN));
    must_send(w, SLP_HELLO);
    welcome(w, 101, false, (uint64_t[]){ 52 }, 1); /* it was given to others meanwhile */
    assert_null(core_find(w->core, 52));
    assert_null(said(w, CORE_OUT_RUN));
    push(w, 101, 1, CRANE, 60, 1);
    assert_int_equal(said(w, CORE_OUT_RUN)->assignment, 60);
}

/* ---------------------------------------------------------------- results and acts until they are answered */
static void unanswered_results_are_sent_again_in_order(void **state)
{
    struct world *w = *state;
    uint64_t got[8];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    finish(w, 51, CRANE, 2);
    bool again = false;
    for (int i = 0; i < 8 && !again; i++) {
        pass(w, HEARTBEAT_US / 2);
        const struct slp_msg *m = sent(w, SLP_SUBMIT);
        again = m != NULL;
        if (m) {
            assert_int_equal(results_in(m, got), 2);
            assert_int_equal(got[0], 50);
            assert_int_equal(got[1], 51);
        } else {
            beat(w, 1);
        }
    }
    assert_true(again);
}

static void outcomes_that_are_not_listed_are_good(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 4);
    form_known(w);
    forget_outs(w);
    finish(w, 50, CRANE, 1);
    uint64_t first = must_send(w, SLP_SUBMIT)->id;
    finish(w, 51, CRANE, 2);
    uint64_t second = must_send(w, SLP_SUBMIT)->id;
    outcomes(w, first, (struct told[]){ { SLP_E_STALE, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->code, SLP_E_STALE);
    outcomes(w, second, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 2);
    assert_int_equal(said(w, CORE_OUT_ACKED)->code, SLP_E_OK);
    struct core_view v;
    core_view(w->core, &v);
    assert_int_equal(v.results_unsent, 0);
}

static void late_and_duplicate_are_acknowledged(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_LATE, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_ACKED)->code, SLP_E_LATE);
    finish(w, 51, CRANE, 2);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_DUPLICATE, 51, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 2);
}

static void one_bad_result_does_not_hold_up_the_others(void **state)
{
    struct world *w = *state;
    uint64_t got[8];
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 2);
    form_known(w);
    finish(w, 50, CRANE, 1);
    uint64_t first = must_send(w, SLP_SUBMIT)->id;
    finish(w, 51, CRANE, 2);
    refuse(w, must_send(w, SLP_SUBMIT)->id, SLP_E_NO_SESSION); /* so that both go back and share a frame */
    w->now_us += 2 * S;
    forget_outs(w);
    tick(w);
    welcome(w, 101, false, NULL, 0);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_int_equal(results_in(m, got), 2);
    assert_true(m->id != first);
    refuse(w, m->id, SLP_E_MALFORMED);
    const struct slp_msg *a = sent_nth(w, SLP_SUBMIT, 0), *b = sent_nth(w, SLP_SUBMIT, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(results_in(a, got), 1);
    assert_int_equal(got[0], 50);
    uint64_t bad = a->id, good = b->id;
    refuse(w, bad, SLP_E_MALFORMED);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->assignment, 50);
    outcomes(w, good, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->assignment, 51);
}

static void a_busy_broker_gets_the_same_later(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    struct slp_error m = { .code = SLP_E_BUSY, .retry = SLP_RETRY_LATER, .after_ms = 1500, .text = text("busy") };
    SLP_SET(&m, error, after_ms);
    deliver(w, SLP_ERROR, must_send(w, SLP_SUBMIT)->id, &m);
    assert_null(sent(w, SLP_SUBMIT));
    pass(w, 1499999);
    assert_null(sent(w, SLP_SUBMIT));
    assert_true(core_next_due_us(w->core) <= w->now_us + 1);
    pass(w, 1);
    must_send(w, SLP_SUBMIT);
}

static void a_result_that_does_not_fit_is_put_aside_and_its_task_failed(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    finish(w, 50, CRANE, 1);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, (struct told[]){ { SLP_E_BAD_RESULT, 50, 0 } }, 1);
    assert_int_equal(said(w, CORE_OUT_REFUSED)->seq, 1);
    const struct slp_msg *m = must_send(w, SLP_ACTS);
    struct slp_cursor each = slp_each(m->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 4);
    outcomes(w, m->id, NULL, 0);
    assert_null(core_find(w->core, 50));
}

static void results_of_an_earlier_life_go_first_and_are_not_done_twice(void **state)
{
    struct world *w = *state;
    struct slp_buf b = { 0 };
    struct slp_item_result r = { .assignment = 40, .worker = CRANE };
    slp_pack_item(&b, SLP_ITEM_result, &r);
    act(w, (struct core_in){ .kind = CORE_IN_UNSENT, .assignment = 40, .seq = 9, .item = { b.p, (uint32_t)b.n } });
    slp_buf_free(&b);
    give_roster(w);
    assert_int_equal(must_send(w, SLP_HELLO)->u.hello.held.count, 1);
    welcome(w, 100, true, NULL, 0);
    uint64_t id = must_send(w, SLP_SUBMIT)->id, roster_id = must_send(w, SLP_ROSTER)->id; /* before any number is known */
    push(w, 100, 1, CRANE, 40, 1);
    form_known(w);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA);
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, roster_id, &m);
    slp_buf_free(&list);
    crane_ready(w);
    assert_null(said(w, CORE_OUT_RUN));
    outcomes(w, id, NULL, 0);
    assert_int_equal(said(w, CORE_OUT_ACKED)->seq, 9);
    assert_null(core_find(w->core, 40));
}

static void many_results_share_frames_and_few_frames_are_under_way(void **state)
{
    struct world *w = *state;
    w->members[0].capacity = 20000;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    roster_done(w);
    crane_ready(w);
    form_known(w);
    for (uint32_t i = 0; i < 8; i++)
        push(w, 100, i + 1, CRANE, 1000 + i * 1024, 1024);
    struct slp_buf values = { 0 };
    slp_pack_cstr(&values, "yes");
    forget_outs(w);
    for (uint32_t i = 0; i < 8 * 1024; i++) {
        struct slp_buf b = { 0 };
        struct slp_item_result r = { .assignment = 1000 + i, .worker = CRANE, .values = { values.p, (uint32_t)values.n, 1 } };
        slp_pack_item(&b, SLP_ITEM_result, &r);
        step(w, (struct core_in){ .kind = CORE_IN_FINISH, .assignment = 1000 + i, .seq = i + 1, .item = { b.p, (uint32_t)b.n } });
        slp_buf_free(&b);
    }
    slp_buf_free(&values);
    tick(w);
    size_t frames = 0;
    while (sent_nth(w, SLP_SUBMIT, frames)) {
        assert_int_equal(sent_nth(w, SLP_SUBMIT, frames)->u.submit.results.count, CORE_FRAME_ITEMS);
        frames++;
    }
    assert_int_equal(frames, CORE_INFLIGHT_MAX);
    outcomes(w, sent_nth(w, SLP_SUBMIT, 0)->id, NULL, 0);
    assert_int_equal(count_said(w, CORE_OUT_ACKED), CORE_FRAME_ITEMS);
    must_send(w, SLP_SUBMIT); /* the next one */
}

/* ---------------------------------------------------------------- people */
static void a_person_gets_work_after_signing_in_and_starts_by_hand(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 2);
    push(w, 100, 1, ASHA, 70, 2);
    assert_null(said(w, CORE_OUT_OFFER));
    form_known(w);
    assert_non_null(said(w, CORE_OUT_OFFER));
    assert_null(said(w, CORE_OUT_RUN)); /* nobody starts for a person */
    assert_int_equal(core_next_task(w->core, "asha")->assignment, 70);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    must_send(w, SLP_ACTS); /* told at once */
    assert_int_equal(core_find(w->core, 70)->state, CORE_STARTED);
    act(w, (struct core_in){ .kind = CORE_IN_GIVE_UP, .assignment = 71, .act = 3, .text = text("not my field") });
    struct slp_cursor each = slp_each(must_send(w, SLP_ACTS)->u.acts.acts);
    struct slp_item_act a;
    assert_true(slp_next_act(&each, &a));
    assert_int_equal(a.act, 3);
    assert_memory_equal(a.reason.p, "not my field", 12);
}

static void signing_off_hands_back_what_is_not_started(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    push(w, 100, 1, ASHA, 70, 2);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = "asha" });
    struct slp_cursor each = slp_each(must_send(w, SLP_CREDIT)->u.credit.sign_off);
    uint64_t number;
    assert_true(slp_next_u64(&each, &number));
    assert_int_equal(number, ASHA);
    assert_null(core_find(w->core, 71));
    assert_int_equal(core_find(w->core, 70)->state, CORE_STARTED);
    assert_int_equal(said(w, CORE_OUT_DROPPED)->assignment, 71);
}

static void signing_in_again_is_told_although_the_credit_stands(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = "asha" });
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 2);
}

static void a_refused_roster_is_tried_again_later_without_haste(void **state)
{
    struct world *w = *state;
    give_roster(w);
    welcome(w, 100, true, NULL, 0);
    refuse(w, must_send(w, SLP_ROSTER)->id, SLP_E_BAD_NAME);
    assert_true(core_next_due_us(w->core) >= w->now_us + CORE_HELLO_MAX_US);
    pass(w, CORE_HELLO_MAX_US);
    must_send(w, SLP_HELLO);
}

static void an_idle_core_asks_for_nothing_but_heartbeats(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    int ticks = 0;
    for (int64_t end = w->now_us + 100 * S; w->now_us < end; ticks++) {
        pass(w, core_next_due_us(w->core) - w->now_us);
        if (sent(w, SLP_HEARTBEAT))
            beat(w, 0);
    }
    assert_true(ticks <= 45); /* a heartbeat each 2.5 s, and little else */
}

static void a_person_cannot_start_offline(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    push(w, 100, 1, ASHA, 70, 1);
    form_known(w);
    w->now_us += 60 * S;
    act(w, (struct core_in){ .kind = CORE_IN_START, .assignment = 70 });
    assert_int_equal(core_find(w->core, 70)->state, CORE_WAITING);
}

static void a_persons_begun_task_outlives_the_agent(void **state)
{
    struct world *w = *state;
    struct core_task t = { .assignment = 70, .worker_no = ASHA, .station_id = STATION, .attempt = 1, .lease_us = 60 * S };
    act(w, (struct core_in){ .kind = CORE_IN_RESTORE, .task = &t });
    give_roster(w);
    assert_int_equal(must_send(w, SLP_HELLO)->u.hello.held.count, 1);
    welcome(w, 100, true, NULL, 0);
    must_send(w, SLP_ACTS); /* the start may not have got through */
    roster_done(w);
    form_known(w);
    assert_int_equal(core_next_task(w->core, "asha")->assignment, 70);
    act(w, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = "asha" });
    assert_int_equal(granted_to(must_send(w, SLP_CREDIT)->u.credit.grants, ASHA), 1); /* one of 1 + 1 is full */
    finish(w, 70, ASHA, 1);
    assert_int_equal(must_send(w, SLP_SUBMIT)->u.submit.results.count, 1);
}

static void why_is_asked_of_the_broker(void **state)
{
    struct world *w = *state;
    act(w, (struct core_in){ .kind = CORE_IN_WHY, .name = "asha", .token = 3 });
    assert_int_equal(said(w, CORE_OUT_WHY)->code, UINT64_MAX); /* no contact */
    connect_up(w, 100);
    act(w, (struct core_in){ .kind = CORE_IN_WHY, .name = "asha", .token = 4 });
    const struct slp_msg *m = must_send(w, SLP_WHY_GET);
    assert_int_equal(m->u.why_get.worker, ASHA);
    struct slp_why y = { .code = 2, .text = text("skill english") };
    deliver(w, SLP_WHY, m->id, &y);
    assert_int_equal(said(w, CORE_OUT_WHY)->token, 4);
    assert_int_equal(said(w, CORE_OUT_WHY)->code, 2);
}

/* ---------------------------------------------------------------- rosters, the end */
static void a_worker_who_leaves_the_roster_finishes_what_is_begun(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    w->members[0] = w->members[1]; /* only asha stays */
    w->roster.count = 1;
    w->roster.digest[1]++;
    give_roster(w);
    assert_int_equal(must_send(w, SLP_ROSTER)->u.roster.workers.count, 1);
    assert_null(core_find(w->core, 52));
    assert_int_equal(core_find(w->core, 50)->state, CORE_STARTED);
    finish(w, 50, CRANE, 1);
    const struct slp_msg *m = must_send(w, SLP_SUBMIT);
    assert_false(SLP_IS(&m->u.submit, submit, grants));
}

static void quiet_waits_for_robots_and_answers_then_says_bye(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 3);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 30 * S });
    assert_null(sent(w, SLP_BYE));
    finish(w, 50, CRANE, 1);
    assert_null(said(w, CORE_OUT_RUN)); /* no new starts */
    outcomes(w, must_send(w, SLP_SUBMIT)->id, NULL, 0);
    assert_null(sent(w, SLP_BYE));
    finish(w, 51, CRANE, 2);
    outcomes(w, must_send(w, SLP_SUBMIT)->id, NULL, 0);
    uint64_t id = must_send(w, SLP_BYE)->id;
    assert_null(said(w, CORE_OUT_BYE));
    deliver(w, SLP_DONE, id, &(struct slp_done){ 0 });
    assert_non_null(said(w, CORE_OUT_BYE));
}

static void quiet_ends_at_its_deadline_in_any_case(void **state)
{
    struct world *w = *state;
    connect_up(w, 100);
    push(w, 100, 1, CRANE, 50, 1);
    form_known(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 4 * S });
    pass(w, 4 * S);
    must_send(w, SLP_BYE);
    pass(w, 2 * S); /* no answer to it either */
    assert_non_null(said(w, CORE_OUT_BYE));
}

static void quiet_without_contact_does_not_wait_for_the_broker(void **state)
{
    struct world *w = *state;
    give_roster(w);
    act(w, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = w->now_us + 30 * S });
    assert_non_null(said(w, CORE_OUT_BYE));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_says_hello_as_soon_as_it_has_a_roster),
        T(a_wanted_roster_is_sent_by_name_and_its_numbers_are_used),
        T(a_roster_that_the_broker_has_is_asked_for_its_numbers),
        T(hello_is_repeated_on_a_new_socket_with_growing_jittered_waits),
        T(silence_for_three_heartbeats_ends_the_session),
        T(no_session_leads_to_hello_and_the_results_follow_in_the_new_one),
        T(an_agent_that_was_replaced_stops),
        T(another_version_is_no_reason_to_stop),
        T(a_stopping_broker_is_left_and_found_again),
        T(tasks_wait_for_their_form_and_run_up_to_the_capacity),
        T(credit_is_what_was_pushed_plus_the_room_and_rides_with_results),
        T(credit_that_nothing_came_of_is_told_again),
        T(a_quick_robots_start_is_never_told),
        T(a_slow_robots_start_is_told_and_its_lease_touched),
        T(a_recall_drops_what_is_not_started_and_leaves_the_rest),
        T(a_push_of_another_session_is_not_taken),
        T(a_hole_in_the_pushes_leads_to_hello_with_what_is_held),
        T(an_acknowledgement_that_counts_more_pushes_leads_to_hello_the_second_time),
        T(what_comes_before_the_numbers_are_known_waits_and_takes_no_credit),
        T(what_is_pushed_again_after_a_new_welcome_takes_no_credit),
        T(work_for_a_stranger_is_handed_back),
        T(a_slot_that_rests_takes_nothing),
        T(what_was_not_started_in_time_is_handed_back),
        T(nothing_is_started_after_nine_tenths_of_the_grace),
        T(frames_that_only_come_in_are_no_contact),
        T(contact_counts_from_when_the_answered_request_was_sent),
        T(with_contact_again_it_goes_on),
        T(unanswered_results_are_sent_again_in_order),
        T(outcomes_that_are_not_listed_are_good),
        T(late_and_duplicate_are_acknowledged),
        T(one_bad_result_does_not_hold_up_the_others),
        T(a_busy_broker_gets_the_same_later),
        T(a_result_that_does_not_fit_is_put_aside_and_its_task_failed),
        T(results_of_an_earlier_life_go_first_and_are_not_done_twice),
        T(many_results_share_frames_and_few_frames_are_under_way),
        T(a_person_gets_work_after_signing_in_and_starts_by_hand),
        T(signing_off_hands_back_what_is_not_started),
        T(signing_in_again_is_told_although_the_credit_stands),
        T(a_refused_roster_is_tried_again_later_without_haste),
        T(an_idle_core_asks_for_nothing_but_heartbeats),
        T(a_person_cannot_start_offline),
        T(a_persons_begun_task_outlives_the_agent),
        T(why_is_asked_of_the_broker),
        T(a_worker_who_leaves_the_roster_finishes_what_is_begun),
        T(quiet_waits_for_robots_and_answers_then_says_bye),
        T(quiet_ends_at_its_deadline_in_any_case),
        T(quiet_without_contact_does_not_wait_for_the_broker),
    };
    return cmocka_run_group_tests_name("agent core", tests, NULL, NULL);
}
