/* A world of one agent core for its tests: a clock that the test turns, messages in, frames out, the broker's part by
 * hand. */
#ifndef SUNLINE_TEST_AGENT_WORLD_H
#define SUNLINE_TEST_AGENT_WORLD_H
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
struct frame {
    struct slp_msg m;
    char *bytes;
};
struct world {
    struct core *core;
    struct core_outs outs;
    int64_t now_us;
    struct frame frames[FRAMES_MAX]; /* sent since the last step */
    size_t frame_count, relinks;
    struct core_member members[8];
    struct core_roster roster;
    struct slp_buf packed[8];
    bool may_fail, over; /* memory may run out; it did: from then on nothing happens any more, as the process would have ended */
};

#ifndef AROUND_CORE /* a test may count and fail what is allocated inside */
#define AROUND_CORE(CALL) (CALL)
#endif

static inline struct slp_bytes text(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)strlen(s) };
}

static inline void forget_outs(struct world *w)
{
    core_outs_clear(&w->outs);
    for (size_t i = 0; i < w->frame_count; i++)
        free(w->frames[i].bytes);
    w->frame_count = w->relinks = 0;
}

static inline void step(struct world *w, struct core_in in)
{
    size_t from = w->outs.n;
    in.now_us = w->now_us;
    in.wall_us = 1700000000000000ll + w->now_us;
    if (w->over)
        return;
    w->over = AROUND_CORE(core_step(w->core, &in, &w->outs)) != 0;
    assert_true(!w->over || w->may_fail);
    if (w->over)
        return;
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

static inline void tick(struct world *w)
{
    step(w, (struct core_in){ .kind = CORE_IN_TICK });
}

/* Only what this step and tick say is looked at afterwards. */
static inline void act(struct world *w, struct core_in in)
{
    forget_outs(w);
    step(w, in);
    tick(w);
}

static inline void pass(struct world *w, int64_t us)
{
    forget_outs(w);
    w->now_us += us;
    tick(w);
}

static inline void deliver(struct world *w, uint64_t type, uint64_t id, const void *body)
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
static inline const struct slp_msg *sent_nth(const struct world *w, uint64_t type, size_t n)
{
    for (size_t i = 0; i < w->frame_count; i++)
        if (w->frames[i].m.type == type && n-- == 0)
            return &w->frames[i].m;
    return NULL;
}
static inline const struct slp_msg *sent(const struct world *w, uint64_t type)
{
    return sent_nth(w, type, 0);
}
static inline const struct slp_msg *must_send(const struct world *w, uint64_t type)
{
    static const struct slp_msg nothing;
    const struct slp_msg *m = sent(w, type);
    if (!m && w->over)
        return &nothing;
    if (!m)
        fail_msg("no frame of type %llu was sent", (unsigned long long)type);
    return m;
}

static inline const struct core_out *said_nth(const struct world *w, enum core_out_kind kind, size_t n)
{
    for (size_t i = 0; i < w->outs.n; i++)
        if (w->outs.v[i].kind == kind && n-- == 0)
            return &w->outs.v[i];
    return NULL;
}
static inline const struct core_out *said(const struct world *w, enum core_out_kind kind)
{
    return said_nth(w, kind, 0);
}
static inline size_t count_said(const struct world *w, enum core_out_kind kind)
{
    size_t n = 0;
    while (said_nth(w, kind, n))
        n++;
    return n;
}

static inline void add_member(struct world *w, const char *name, bool robot, uint32_t capacity, uint32_t prefetch)
{
    uint32_t i = w->roster.count++;
    struct slp_item_worker_def d = { .name = text(name), .kind = robot, .capacity = capacity };
    slp_pack_item(&w->packed[i], SLP_ITEM_worker_def, &d);
    w->members[i] =
        (struct core_member){ name, robot, capacity, prefetch, { w->packed[i].p, (uint32_t)w->packed[i].n } };
    w->roster.members = w->members;
    w->roster.digest[0]++;
}

static inline void give_roster(struct world *w)
{
    act(w, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &w->roster });
}

/* Workers by name: asha (person, 1+1), crane (robot, 2+2). */
static inline int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct core_config c = {
        .hub = "pokhara", .zone = "Asia/Kathmandu", .incarnation = 7, .data_id = "0123456789abcde", .seed = 1
    };
    w->now_us = 1000 * S;
    w->core = core_new(&c);
    add_member(w, "crane", true, 2, 2);
    add_member(w, "asha", false, 1, 1);
    *state = w;
    return 0;
}

static inline int tear_down(void **state)
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

static inline void welcome(struct world *w, uint64_t session, bool roster_wanted, const uint64_t *recalled, uint32_t n)
{
    const struct slp_msg *h = must_send(w, SLP_HELLO);
    struct slp_buf list = { 0 };
    for (uint32_t i = 0; i < n; i++)
        slp_pack_u64(&list, recalled[i]);
    struct slp_welcome m = { .session = session,
                             .heartbeat_us = HEARTBEAT_US,
                             .grace_us = GRACE_US,
                             .roster_wanted = roster_wanted,
                             .recalled = { list.p, (uint32_t)list.n, n },
                             .hub_id = 1 };
    deliver(w, SLP_WELCOME, h->id, &m);
    slp_buf_free(&list);
}

static inline void roster_done(struct world *w)
{
    const struct slp_msg *r = must_send(w, SLP_ROSTER);
    struct slp_buf list = { 0 };
    slp_pack_u64(&list, ASHA); /* the core sends them by name */
    slp_pack_u64(&list, CRANE);
    struct slp_roster_done m = { .workers = { list.p, (uint32_t)list.n, 2 } };
    deliver(w, SLP_ROSTER_DONE, r->id, &m);
    slp_buf_free(&list);
}

static inline void crane_ready(struct world *w)
{
    act(w, (struct core_in){ .kind = CORE_IN_READY, .name = "crane", .ok = true });
}

/* A session with all that comes before work. */
static inline void connect_up(struct world *w, uint64_t session)
{
    give_roster(w);
    welcome(w, session, true, NULL, 0);
    roster_done(w);
    crane_ready(w);
}

static inline void push(struct world *w, uint64_t session, uint64_t push_no, uint64_t worker, uint64_t first,
                        uint32_t n)
{
    struct slp_buf list = { 0 }, fields = { 0 };
    slp_pack_cstr(&fields, "text");
    for (uint32_t i = 0; i < n; i++) {
        struct slp_item_assignment a = {
            .assignment = first + i, .worker = worker, .attempt = 1, .fields = { fields.p, (uint32_t)fields.n, 1 }
        };
        slp_pack_item(&list, SLP_ITEM_assignment, &a);
    }
    struct slp_push m = { .session = session,
                          .push_no = push_no,
                          .station_id = STATION,
                          .lease_us = 60 * S,
                          .start_by_us = 300 * S,
                          .assignments = { list.p, (uint32_t)list.n, n } };
    deliver(w, SLP_PUSH, 0, &m);
    slp_buf_free(&list);
    slp_buf_free(&fields);
}

static inline void form_known(struct world *w)
{
    act(w, (struct core_in){ .kind = CORE_IN_FORM, .station_id = STATION, .ok = true });
}

static inline void finish(struct world *w, uint64_t assignment, uint64_t worker, uint64_t seq)
{
    struct slp_buf b = { 0 }, values = { 0 };
    slp_pack_cstr(&values, "yes");
    struct slp_item_result r = { .assignment = assignment,
                                 .worker = worker,
                                 .values = { values.p, (uint32_t)values.n, 1 } };
    slp_pack_item(&b, SLP_ITEM_result, &r);
    act(w, (struct core_in){
               .kind = CORE_IN_FINISH, .assignment = assignment, .seq = seq, .item = { b.p, (uint32_t)b.n } });
    slp_buf_free(&b);
    slp_buf_free(&values);
}

struct told {
    uint64_t code, assignment;
    int64_t lease_us;
};
static inline void outcomes(struct world *w, uint64_t id, const struct told *t, uint32_t n)
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

static inline void refuse(struct world *w, uint64_t id, uint64_t code)
{
    struct slp_error m = { .code = code, .retry = slp_error_retry(code), .text = text("no") };
    deliver(w, SLP_ERROR, id, &m);
}

static inline void beat(struct world *w, uint64_t last_push)
{
    const struct slp_msg *h = must_send(w, SLP_HEARTBEAT);
    struct slp_heartbeat_ack m = { .last_push = last_push };
    deliver(w, SLP_HEARTBEAT_ACK, h->id, &m);
}

static inline uint64_t granted_to(const struct slp_list grants, uint64_t worker)
{
    struct slp_cursor each = slp_each(grants);
    struct slp_item_credit g;
    uint64_t total = 0;
    while (slp_next_credit(&each, &g))
        if (g.worker == worker)
            total = g.total;
    return total;
}

static inline uint32_t results_in(const struct slp_msg *m, uint64_t *numbers)
{
    struct slp_cursor each = slp_each(m->u.submit.results);
    struct slp_item_result r;
    uint32_t n = 0;
    while (slp_next_result(&each, &r))
        numbers[n++] = r.assignment;
    return n;
}
#endif
