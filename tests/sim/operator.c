/* Operators: they apply lines, and change runs, lines and stations by hand at any moment. */
#include <inttypes.h>

#include "tests/sim/sim.h"

#define UNANSWERED_US (2 * MINUTE) /* so long it waits for an answer, and asks again; */
#define GIVEN_UP_US (2 * HOUR)     /* so old, nobody wants it any more */

static happening lend, apply_first, operate, meddle, undo, judge, ask_again;

static struct slp_bytes name_of(const char *n)
{
    return (struct slp_bytes){ n, (uint32_t)strlen(n) };
}

static void send(struct sim *s, uint64_t type, const void *any)
{
    struct operator* o = & s->operator;
    struct asked *a = &o->asked[++o->next_id % ASKED_MAX];
    slp_buf_free(&a->body);
    *a = (struct asked){ .id = o->next_id, .begun_us = s->now_us, .at_us = s->now_us };
    CHECK(s, slp_encode(&a->body, type, a->id, any) == 0);
    net_send_up(s, &o->wire, a->body.p, a->body.n);
}

/* What nobody answered is asked again, by a new link, as by somebody who starts his command once more: whether it was done already he does not know. */
static void ask_again(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct operator* o = & s->operator;
    bool linked = false;
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    for (uint64_t id = o->next_id > ASKED_MAX ? o->next_id - ASKED_MAX + 1 : 1; id <= o->next_id; id++) {
        struct asked *a = &o->asked[id % ASKED_MAX];
        if (!a->id || s->now_us - a->at_us < UNANSWERED_US)
            continue;
        if (s->now_us - a->begun_us > GIVEN_UP_US) {
            a->id = 0;
            continue;
        }
        if (!linked)
            o->wire.peer = net_peer(s, SIDE_OPERATOR, 0);
        linked = true;
        a->at_us = s->now_us;
        TELL(s, "operator: asks again, request %" PRIu64, id);
        net_send_up(s, &o->wire, a->body.p, a->body.n);
    }
    sched_at(s, s->now_us + UNANSWERED_US, ask_again, 0, 0);
}

void operator_close(struct sim *s)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++)
        slp_buf_free(&s->operator.asked[i].body);
}

static void apply(struct sim *s, uint32_t line, uint32_t variant)
{
    const struct sim_variant *v = &s->line[line].v[variant];
    struct slp_line_apply q = { .definition = { v->packed, v->packed_n } };
    send(s, SLP_LINE_APPLY, &q);
}

static void apply_first(struct sim *s, uint64_t line, uint64_t unused)
{
    (void)unused;
    for (uint32_t k = 0; k < VARIANTS_MAX; k++)
        if (s->line[line].v[k].applied)
            return;
    apply(s, (uint32_t)line, 0);
    s->operator.asked[s->operator.next_id % ASKED_MAX].id = 0; /* it is asked again here */
    sched_at(s, s->now_us + 20 * SEC, apply_first, line, 0);
}

static void set_run(struct sim *s, uint32_t run, uint64_t action, uint64_t priority)
{
    struct slp_run_set q = {
        .run = name_of(s->producer[run].run), .action = action, .priority = priority, .force = true
    };
    SLP_SET(&q, run_set, priority);
    SLP_SET(&q, run_set, force);
    TELL(s, "operator: run_set %s action %" PRIu64, s->producer[run].run, action);
    send(s, SLP_RUN_SET, &q);
}

static void set_tasks(struct sim *s, struct rng *r, uint32_t run, uint64_t action)
{
    const struct sim_line *l = &s->line[s->producer[run].line];
    const struct sim_variant *v = &l->v[rng_below(r, l->variants)];
    struct slp_buf units = { 0 };
    if (!v->applied)
        return;
    struct slp_tasks_set q = { .station_id = v->first_station + rng_below(r, v->stations),
                               .action = action,
                               .reason = name_of("by hand") };
    SLP_SET(&q, tasks_set, reason);
    bool some = action == 1 || rng_chance(r, 500000); /* never drop all that is dead: that is most of the world */
    if (some || rng_chance(r, 500000)) {
        q.run = name_of(s->producer[run].run);
        SLP_SET(&q, tasks_set, run);
    }
    if (some) {
        uint64_t from = (uint64_t)rng_range(r, 1, (int64_t)s->producer[run].rows), n = rng_below(r, 4);
        for (uint64_t i = 0; i <= n; i++)
            slp_pack_u64(&units, from + i);
        q.units = (struct slp_list){ units.p, (uint32_t)units.n, (uint32_t)n + 1 };
        SLP_SET(&q, tasks_set, units);
    }
    TELL(s, "operator: tasks_set station %" PRIu64 " action %" PRIu64 " of %s", q.station_id, action,
         some ? "some" : "all");
    send(s, SLP_TASKS_SET, &q);
    slp_buf_free(&units);
}

static void peek(struct sim *s, struct rng *r, uint32_t line)
{
    const struct sim_variant *v = &s->line[line].v[0];
    if (!v->applied)
        return;
    struct slp_tasks_get q = { .station_id = v->first_station + rng_below(r, v->stations), .which = rng_below(r, 3) };
    send(s, SLP_TASKS_GET, &q);
    struct slp_buf b = { 0 };
    for (uint32_t i = 0; i < v->stations; i++)
        slp_pack_u64(&b, v->first_station + i);
    struct slp_coverage_get c = { .stations = { b.p, (uint32_t)b.n, v->stations } };
    if (!b.failed)
        send(s, SLP_COVERAGE_GET, &c);
    slp_buf_free(&b);
}

static void operate(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct rng *r = &s->operator.rng;
    uint32_t run = (uint32_t)rng_below(r, s->plan.runs), line = (uint32_t)rng_below(r, s->plan.lines);
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    s->tally.operator_acts++;
    switch (rng_below(r, 16)) {
    case 0: set_run(s, run, 1, 0); break;
    case 1:
    case 2: set_run(s, run, 2, 0); break;
    case 3: set_run(s, run, 5, rng_below(r, 10)); break;
    case 4:
        if (s->plan.cancels && rng_chance(r, 300000))
            set_run(s, run, 3, 0);
        break;
    case 5:
        if (s->plan.deletes && rng_chance(r, 300000))
            set_run(s, run, 4, 0);
        break;
    case 6:
    case 7: {
        struct slp_line_set q = { .line = name_of(s->line[line].name), .action = rng_chance(r, 300000) ? 0 : 1 };
        TELL(s, "operator: line_set %s action %" PRIu64, s->line[line].name, q.action);
        send(s, SLP_LINE_SET, &q);
        break;
    }
    case 8:
    case 9: {
        char st[3] = { 's', (char)('0' + rng_below(r, s->line[line].v[0].stations)), 0 };
        struct slp_station_set q = { .line = name_of(s->line[line].name),
                                     .station = name_of(st),
                                     .action = rng_chance(r, 400000) ? 0 : 1 };
        TELL(s, "operator: station_set %s %s action %" PRIu64, s->line[line].name, st, q.action);
        send(s, SLP_STATION_SET, &q);
        break;
    }
    case 10: set_tasks(s, r, run, 0); break;
    case 11:
    case 14:
    case 15:
        if (s->plan.drops)
            set_tasks(s, r, run, 1);
        break;
    case 12:
        if (s->plan.reapplies)
            apply(s, line, (uint32_t)rng_below(r, VARIANTS_MAX));
        break;
    case 13: peek(s, r, line); break;
    }
    sched_at(s, s->now_us + rng_range(r, s->plan.operate_every_us / 10 + 1, s->plan.operate_every_us * 2), operate, 0,
             0);
}

/* A run among its equals is moved away from them, or paused, and after a while comes back: where does it begin? */
static void undo(struct sim *s, uint64_t run, uint64_t action)
{
    if (!s->calm)
        set_run(s, (uint32_t)run, action, 5);
}

static void meddle(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct rng *r = &s->operator.meddler;
    uint32_t run = (uint32_t)rng_below(r, s->plan.runs);
    bool pause = rng_chance(r, 500000);
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    s->tally.operator_acts++;
    set_run(s, run, pause ? 1 : 5, pause ? 0 : rng_chance(r, 500000) ? 4 : 6);
    sched_at(s, s->now_us + rng_spread(r, 10 * SEC, 30 * MINUTE), undo, run, pause ? 2 : 5);
    sched_at(s, s->now_us + rng_range(r, s->plan.meddle_every_us / 10, s->plan.meddle_every_us * 2), meddle, 0, 0);
}

void operator_applies_anew(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.lines; i++)
        sched_at(s, s->now_us + (int64_t)(i + 1) * MINUTE, apply_first, i, 0);
}

/* ---- workers ---- */

void operator_meets(struct sim *s, uint64_t worker, struct slp_bytes name)
{
    for (uint32_t h = 0; h < s->plan.hubs; h++)
        for (uint32_t i = 0; worker && i < s->hub[h].staff_n; i++)
            if (strlen(s->hub[h].staff[i].name) == name.n && !memcmp(s->hub[h].staff[i].name, name.p, name.n)) {
                CHECK(s, worker < WORKERS_MAX);
                s->operator.name[worker] = s->hub[h].staff[i].name;
            }
}

void operator_heard(struct sim *s, uint64_t worker, uint64_t line, struct slp_bytes station, bool out)
{
    struct operator* o = & s->operator;
    uint32_t i = 0;
    while (i < o->outs && (o->out[i].worker != worker || o->out[i].line != line ||
                           strlen(o->out[i].station) != station.n || memcmp(o->out[i].station, station.p, station.n)))
        i++;
    if (out && i == o->outs) {
        CHECK(s, i < KEPT_OUT_MAX && station.n < sizeof o->out[i].station);
        o->out[i] = (struct kept_out){ .worker = worker, .line = line };
        memcpy(o->out[i].station, station.p, station.n);
        o->outs++;
    } else if (!out && i < o->outs) {
        o->out[i] = o->out[--o->outs];
    }
    s->tally.suspensions += out;
    s->tally.readmissions += !out;
}

void operator_heard_skill(struct sim *s, uint64_t worker, uint32_t skill, bool lowered)
{
    uint8_t *of = &s->operator.lowered[worker];
    *of = (uint8_t)((*of & ~(1u << skill)) | (unsigned)lowered << skill);
}

static const char *line_name(struct sim *s, uint64_t id)
{
    uint32_t i = 0;
    while (s->line[i].id != id)
        CHECK(s, ++i < s->plan.lines);
    return s->line[i].name;
}

void operator_forgives(struct sim *s)
{
    struct operator* o = & s->operator;
    for (uint32_t n = o->outs; n--;) { /* each that comes back leaves the list */
        struct slp_worker_set q = { .name = name_of(o->name[o->out[n].worker]),
                                    .action = 1,
                                    .line = name_of(line_name(s, o->out[n].line)),
                                    .station = name_of(o->out[n].station) };
        SLP_SET(&q, worker_set, line);
        SLP_SET(&q, worker_set, station);
        server_ask(s, SLP_WORKER_SET, &q);
    }
    for (uint64_t w = 0; w < WORKERS_MAX; w++)
        for (uint32_t k = 0; o->lowered[w] && k < CHECKER_SKILLS; k++) {
            struct slp_worker_set q = { .name = name_of(o->name[w]), .action = 3, .skill = name_of(skill_names[k]) };
            SLP_SET(&q, worker_set, skill);
            if (o->lowered[w] >> k & 1)
                server_ask(s, SLP_WORKER_SET, &q);
        }
}

/* Anybody of any hub, and any station of a variant of a line. */
static const struct member *somebody_somewhere(struct sim *s, struct rng *r, const struct sim_line **l,
                                               const struct sim_variant **v, uint32_t *station)
{
    const struct hub *h = &s->hub[rng_below(r, s->plan.hubs)];
    const struct member *m = &h->staff[rng_below(r, h->staff_n)];
    *l = &s->line[rng_below(r, s->plan.lines)];
    *v = &(*l)->v[rng_below(r, (*l)->variants)];
    *station = (uint32_t)rng_below(r, (*v)->stations);
    return m;
}

/* Somebody is suspended, or may come back; somebody is granted a skill, for good or for a while, or it is taken back. In the middle of whatever he does. Those on whom it depends
 * that there is an end are let alone where tasks ask for several of them: an answer that is void is never asked of the same worker again. */
static void judge(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct operator* o = & s->operator;
    struct rng *r = &o->judge;
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    const struct sim_line *l;
    const struct sim_variant *v;
    uint32_t at;
    const struct member *m = somebody_somewhere(s, r, &l, &v, &at);
    bool jury = v->st[at].ties >= TIES_JURY_FIRST;
    char station[12];
    snprintf(station, sizeof station, "s%u%s", jury ? v->st[at].jury : at, jury ? ".jury" : "");
    struct slp_worker_set q = { .name = name_of(m->name), .line = name_of(l->name), .station = name_of(station) };
    uint64_t lot = rng_below(r, 20);
    bool several = s->plan.copies || s->plan.contests || s->plan.reviews;
    q.action = lot < 7 ? 0 : lot < 12 ? 1 : lot < 17 ? 2 : 3;
    if (q.action == 1 && o->outs && rng_chance(r, 800000)) { /* somebody who is kept out */
        const struct kept_out *k = &o->out[rng_below(r, o->outs)];
        q.name = name_of(o->name[k->worker]);
        q.line = name_of(line_name(s, k->line));
        q.station = name_of(k->station);
    }
    if (q.action < 2) {
        SLP_SET(&q, worker_set, line);
        SLP_SET(&q, worker_set, station);
        q.reason = name_of("as the dice fell");
        SLP_SET(&q, worker_set, reason);
    } else {
        q.skill = name_of(skill_names[rng_below(r, CHECKER_SKILLS)]);
        SLP_SET(&q, worker_set, skill);
    }
    if (q.action == 2) {
        q.level = (uint64_t)rng_range(r, 1, 3);
        SLP_SET(&q, worker_set, level);
        if (rng_chance(r, 500000)) {
            q.until_wall_us = server_wall_us(s) + rng_spread(r, MINUTE, DAY);
            SLP_SET(&q, worker_set, until_wall_us);
        }
    }
    TELL(s, "operator: worker_set %.*s action %" PRIu64 " at %.*s %.*s", (int)q.name.n, q.name.p, q.action,
         (int)q.line.n, q.line.p, (int)q.station.n, q.station.p);
    if (q.action || !m->steady || !several)
        send(s, SLP_WORKER_SET, &q);
    s->tally.grants += q.action == 2;
    sched_at(s, s->now_us + rng_range(r, s->plan.judge_every_us / 10 + 1, s->plan.judge_every_us * 2), judge, 0, 0);
}

/* Somebody lacks what a station requires, and is granted all of it for a while: he works there, and then no more. */
static void lend(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct rng *r = &s->operator.lender;
    (void)unused;
    (void)unused2;
    if (s->calm)
        return;
    const struct sim_line *l;
    const struct sim_variant *v;
    uint32_t at;
    const struct member *m = somebody_somewhere(s, r, &l, &v, &at);
    const struct sim_station *st = &v->st[at];
    int64_t until_us = server_wall_us(s) + rng_spread(r, MINUTE, HOUR);
    for (uint32_t k = 0; k < CHECKER_SKILLS; k++) {
        struct slp_worker_set q = { .name = name_of(m->name),
                                    .action = 2,
                                    .skill = name_of(skill_names[k]),
                                    .level = st->level[k],
                                    .until_wall_us = until_us };
        if (st->level[k] <= m->level[k])
            continue;
        SLP_SET(&q, worker_set, skill);
        SLP_SET(&q, worker_set, level);
        SLP_SET(&q, worker_set, until_wall_us);
        TELL(s, "operator: %s is granted %s %u for %" PRId64 " s", m->name, skill_names[k], st->level[k],
             (until_us - server_wall_us(s)) / SEC);
        send(s, SLP_WORKER_SET, &q);
        s->tally.grants++;
    }
    sched_at(s, s->now_us + rng_range(r, s->plan.lend_every_us / 10 + 1, s->plan.lend_every_us * 2), lend, 0, 0);
}

void operator_open(struct sim *s)
{
    s->operator.rng = rng_of(s->plan.seed, "operator", 0);
    s->operator.lender = rng_of(s->plan.seed, "lender", 0);
    if (s->plan.lend_every_us != NEVER)
        sched_at(s, s->now_us + s->plan.lend_every_us, lend, 0, 0);
    s->operator.wire.peer = net_peer(s, SIDE_OPERATOR, 0);
    s->operator.cuts = rng_of(s->plan.seed, "operator's cuts", 0);
    net_cuts(s, SIDE_OPERATOR, 0, &s->operator.cuts);
    sched_at(s, s->now_us + UNANSWERED_US, ask_again, 0, 0);
    for (uint32_t i = 0; i < s->plan.lines; i++)
        sched_at(s, s->now_us + rng_range(&s->operator.rng, 1, MINUTE), apply_first, i, 0);
    s->operator.meddler = rng_of(s->plan.seed, "meddler", 0);
    if (s->plan.meddle_every_us != NEVER)
        sched_at(s, s->now_us + MINUTE, meddle, 0, 0);
    s->operator.judge = rng_of(s->plan.seed, "judge", 0);
    if (s->plan.judge_every_us != NEVER)
        sched_at(s, s->now_us + MINUTE, judge, 0, 0);
    if (s->plan.operate_every_us != NEVER)
        sched_at(s, s->now_us + s->plan.operate_every_us, operate, 0, 0);
}

void operator_take(struct sim *s, const struct frame *f)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (slp_decode(f->bytes, f->n, SLP_B2C | SLP_B2M, &m, &fault) != 0)
        sim_broken(s, "the operator got what cannot be read: %s", fault.place);
    if (s->operator.asked[m.id % ASKED_MAX].id == m.id)
        s->operator.asked[m.id % ASKED_MAX].id = 0;
    if (m.type == SLP_ERROR && m.u.error.code != SLP_E_NOT_FOUND && m.u.error.code != SLP_E_BAD_STATE &&
        m.u.error.code != SLP_E_BAD_VALUE) /* a grant that ended while the request was under way */
        sim_broken(s, "the operator is refused: %s %.*s", slp_error_name(m.u.error.code), (int)m.u.error.text.n,
                   m.u.error.text.p);
}
