/* What a batch did, told to the checker once it is on disk: for each input, in order, what was asked and answered, then the events that it caused.
 * The events are read back through the reader, as a monitor would. */
#include <inttypes.h>

#include "proto/reader.h"
#include "tests/sim/outcomes.h"
#include "tests/sim/sim.h"

enum { /* the catalogue's numbers, from the document: the simulator does not include the engine's */
       LINE_APPLIED = 1,
       LINE_STATE,
       STATION_STATE,
       RUN_STARTED,
       RUN_STATE,
       UNITS_ADDED,
       TASKS_READY,
       TASKS_WAITING,
       TASKS_SKIPPED,
       ASSIGNED,
       STARTED,
       RETURNED,
       SUBMITTED,
       TASKS_DONE,
       TASKS_DEAD,
       UNITS_DONE,
       UNITS_DROPPED,
       HUB_SESSION,
       BROKER_STARTED = 22,
       TASKS_HELD = 25,
       TASK_DECIDED = 26,
       TASK_WANTS = 27,
       REVIEWED = 32,
       TASKS_BLOCKED = 33,
       TASK_PLACED = 36,
       WORKER_STANDING = 40,
       WORKER_SKILL,
       GOLD_ANSWERED,
       ANSWERS_VOID
};

/* ---- the data of an event: a map with string keys ---- */

static bool at(struct slp_bytes data, const char *key, struct slr *to)
{
    struct slr r = slr_on(data.p, data.n);
    struct slr_value v;
    return slr_next(&r, &v) == 0 && v.type == SLR_MAP && slr_find(r, v.n, key, to);
}

static uint64_t number(struct slp_bytes data, const char *key)
{
    struct slr r;
    struct slr_value v;
    if (!at(data, key, &r) || slr_next(&r, &v))
        return 0;
    return v.type == SLR_BOOL ? v.b : v.type == SLR_U64 ? v.u64 : 0;
}

static struct slp_bytes text(struct slp_bytes data, const char *key)
{
    struct slr r;
    struct slr_value v;
    if (!at(data, key, &r) || slr_next(&r, &v) || v.type != SLR_STR)
        return (struct slp_bytes){ "", 0 };
    return (struct slp_bytes){ v.p, v.n };
}

struct pairs {
    struct slr r;
    uint32_t left;
    uint64_t next, count;
}; /* [first, count, ...] or [value, count, ...] */

static struct pairs pairs(struct slp_bytes data, const char *key)
{
    struct pairs p = { .left = 0 };
    struct slr_value v;
    if (at(data, key, &p.r) && slr_next(&p.r, &v) == 0 && v.type == SLR_ARRAY)
        p.left = v.n / 2;
    return p;
}

static bool pair(struct pairs *p, uint64_t *first, uint64_t *count)
{
    struct slr_value a, b;
    if (!p->left || slr_next(&p->r, &a) || slr_next(&p->r, &b))
        return false;
    p->left--;
    *first = a.u64;
    *count = b.u64;
    return true;
}

/* Numbers of ranges, one by one. */
static bool each(struct pairs *p, uint64_t *n)
{
    if (!p->count && !pair(p, &p->next, &p->count))
        return false;
    p->count--;
    *n = p->next++;
    return true;
}

/* ---- events ---- */

/* What comes after a tournament comes after its jury. */
static uint32_t after_juries(const struct sim_variant *v, const struct sim_station *st)
{
    uint32_t after = st->after;
    for (uint32_t k = 0; st->ties < TIES_JURY_FIRST && k < v->named; k++)
        if ((st->after >> k & 1) && v->st[k].ties == TIES_ENTRIES)
            after = (after & ~(1u << k)) | 1u << v->st[k].jury;
    return after;
}

/* Each entry's place: [assignment, place, votes]. */
static void placed(struct sim *s, struct fact *f, struct slp_bytes data)
{
    struct slr r;
    struct slr_value v, x[3];
    CHECK(s, at(data, "places", &r) && slr_next(&r, &v) == 0 && v.type == SLR_ARRAY);
    f->kind = FACT_PLACED;
    for (uint32_t n = v.n; n; n--) {
        CHECK(s, slr_next(&r, &v) == 0 && v.n == 3 && !slr_next(&r, &x[0]) && !slr_next(&r, &x[1]) &&
                     !slr_next(&r, &x[2]));
        f->assignment = x[0].u64;
        f->count = x[1].u64;
        f->state = (uint32_t)x[2].u64;
        checker_feed(s->checker, f);
    }
}

static void line_applied(struct sim *s, struct fact *f, struct slp_bytes data, const struct tapped *t)
{
    struct sim_line *l = NULL;
    struct sim_variant *v = t->m.type == SLP_LINE_APPLY
                                ? line_variant(s, t->m.u.line_apply.definition.p, t->m.u.line_apply.definition.n, &l)
                                : NULL;
    struct slr r;
    struct slr_value x;
    if (!v || !at(data, "stations", &r) || slr_next(&r, &x))
        sim_broken(s, "event %" PRIu64 ": a line that nobody applied", f->seq);
    l->id = number(data, "line");
    v->version = (uint32_t)number(data, "version");
    v->applied = true;
    for (uint32_t i = 0, n = x.n; i < n; i++) {
        struct sim_station *st = &v->st[i];
        st->index = i;
        CHECK(s, i < v->stations && slr_next(&r, &x) == 0 && x.n == 2 && slr_next(&r, &x) == 0);
        uint32_t id = (uint32_t)x.u64;
        if (i == 0)
            v->first_station = id;
        lines_number(s, id, st);
        CHECK(s, slr_next(&r, &x) == 0);
        struct fact st_fact = { .kind = FACT_STATION,
                                .station = id,
                                .index = i,
                                .stations = v->stations,
                                .first = id - i,
                                .line = l->id,
                                .wkind = st->kind,
                                .after = after_juries(v, st),
                                .when_on = st->when_on >= 0 && v->st[st->when_on].ties == TIES_ENTRIES
                                               ? (int)v->st[st->when_on].jury
                                               : st->when_on,
                                .when_is = st->when_is,
                                .attempts = st->attempts,
                                .jury = st->jury,
                                .equal = st->equal,
                                .copies_min = st->copies_min,
                                .copies_max = st->copies_max,
                                .ties = st->ties,
                                .lease_us = st->lease_us,
                                .start_by_us = st->start_by_us ? st->start_by_us : s->plan.start_by_us };
        st_fact.shut_hubs = st->shut_hubs;
        st_fact.shut_teams = st->shut_teams;
        st_fact.not_did = st->not_did;
        st_fact.review = st->review;
        st_fact.rejects = st->rejects;
        st_fact.rounds = st->rounds;
        st_fact.return_us = st->return_us;
        st_fact.at_once = st->at_once;
        st_fact.gold_every = st->gold_every;
        st_fact.gold_rows = st->gold_rows;
        st_fact.per_day = st->per_day;
        st_fact.abandoned_most = st->abandoned_most;
        st_fact.gold_least = st->gold_least;
        st_fact.agreed_least = st->agreed_least;
        st_fact.approved_least = st->approved_least;
        st_fact.returned_most = st->returned_most;
        st_fact.asks_of_all = st->asks_of_all;
        st_fact.refuses_new = st->refuses_new;
        st_fact.window_last = st->window_last;
        st_fact.window_within_us = st->window_within_us;
        st_fact.rule_until = st->rule_until;
        st_fact.rule_skill = st->rule_skill;
        st_fact.asks_after = st->asks_after;
        st_fact.rule = st->rule;
        st_fact.rule_below = st->rule_below;
        st_fact.rule_after = st->rule_after;
        st_fact.rule_at = st->rule_at;
        memcpy(st_fact.level, st->level, sizeof st_fact.level);
        checker_feed(s->checker, &st_fact);
    }
}

static void run_started(struct sim *s, struct fact *f, struct slp_bytes data)
{
    struct slp_bytes line = text(data, "line");
    uint32_t version = (uint32_t)number(data, "version");
    for (uint32_t i = 0; i < s->plan.lines; i++)
        for (uint32_t k = 0; k < VARIANTS_ALL; k++)
            if (s->line[i].v[k].applied && s->line[i].v[k].version == version && strlen(s->line[i].name) == line.n &&
                !memcmp(s->line[i].name, line.p, line.n)) {
                struct fact run = { .kind = FACT_RUN,
                                    .run = f->run,
                                    .station = s->line[i].v[k].first_station,
                                    .count = number(data, "priority") };
                checker_feed(s->checker, &run);
                return;
            }
    sim_broken(s, "event %" PRIu64 ": a run of a line that nobody applied", f->seq);
}

static void units(struct sim *s, struct fact *f, struct slp_bytes data, enum fact_kind kind)
{
    struct pairs p = pairs(data, "units");
    f->kind = kind;
    f->why = (uint32_t)number(data, "why");
    f->due = (int64_t)number(data, "due");
    while (each(&p, &f->unit)) {
        checker_feed(s->checker, f);
        bool parked = kind == FACT_DEAD && checker_for_nobody(f->why);
        s->tally.left_with_nobody += parked;
        s->tally.left_by_own_work += parked && checker_own_work(s->checker, f);
        s->tally.staffed_again += kind == FACT_READY && f->why == READY_FOR_SOMEBODY;
    }
}

static void assigned(struct sim *s, struct fact *f, struct slp_bytes data)
{
    struct pairs u = pairs(data, "units"), w = pairs(data, "workers");
    uint64_t left = 0;
    f->kind = FACT_ASSIGNED;
    f->assignment = number(data, "first");
    while (each(&u, &f->unit)) {
        if (!left && !pair(&w, &f->worker, &left))
            sim_broken(s, "event %" PRIu64 ": more units than workers", f->seq);
        left--;
        checker_feed(s->checker, f);
        f->assignment++;
    }
}

static void submitted(struct sim *s, struct fact *f, struct slp_bytes data)
{
    struct pairs a = pairs(data, "assignments"), late = pairs(data, "late");
    uint64_t place = 0, next_late = UINT64_MAX;
    bool is = each(&late, &next_late);
    f->kind = FACT_SUBMITTED;
    f->result = number(data, "first");
    for (; each(&a, &f->assignment); place++, f->result++) {
        f->flag = is && place == next_late;
        if (f->flag)
            is = each(&late, &next_late);
        checker_feed(s->checker, f);
    }
}

static bool is(struct slp_bytes text, const char *word)
{
    return text.n == strlen(word) && !memcmp(text.p, word, text.n);
}

static void standing(struct sim *s, struct fact *f, struct slp_bytes data, bool asked)
{
    static const char *const words[] = { "good", "suspended", "suspended by rule", "in training" };
    struct slp_bytes name = text(data, "station"), word = text(data, "standing");
    CHECK(s, name.n >= 2 && name.p[0] == 's');
    f->kind = FACT_STANDING;
    f->flag = asked;
    f->worker = number(data, "worker");
    f->index = (uint32_t)(name.p[1] - '0') + (name.n > 2 ? 16 : 0);
    while (f->state < 3 && !is(word, words[f->state]))
        f->state++;
    checker_feed(s->checker, f);
    s->tally.suspended_by_rule += f->state == 2;
    s->tally.sent_to_training += f->state == 3;
    s->tally.back_from_training += !f->state && !asked;
    operator_heard(s, f->worker, f->line, name, f->state != 0);
}

/* What began or ended by itself was known before: only what somebody said is told. */
static void skill(struct sim *s, struct fact *f, struct slp_bytes data, bool asked)
{
    struct slp_bytes name = text(data, "skill"), source = text(data, "source");
    bool lowered = is(source, "lowered");
    if (is(source, "expired") || (!asked && !lowered)) {
        f->kind = FACT_EVENT;
        checker_feed(s->checker, f);
        return;
    }
    f->kind = FACT_SKILL;
    f->worker = number(data, "worker");
    while (f->index < CHECKER_SKILLS && !is(name, skill_names[f->index]))
        f->index++;
    CHECK(s, f->index < CHECKER_SKILLS);
    f->state = is(source, "granted") ? SKILL_IS_GRANTED : lowered ? SKILL_IS_LOWERED : SKILL_SAYS_HUB;
    f->count = number(data, "level");
    f->due = (int64_t)number(data, "until_wall_us");
    checker_feed(s->checker, f);
    s->tally.skills_lowered += lowered;
    operator_heard_skill(s, f->worker, f->index, lowered);
}

static void answers_void(struct sim *s, struct fact *f, struct slp_bytes data)
{
    struct slr r;
    struct slr_value v, no;
    CHECK(s, at(data, "assignments", &r) && slr_next(&r, &v) == 0 && v.type == SLR_ARRAY);
    f->kind = FACT_VOID;
    for (uint32_t n = v.n; n; n--) {
        CHECK(s, slr_next(&r, &no) == 0);
        f->assignment = no.u64;
        checker_feed(s->checker, f);
        s->tally.void_answers++;
    }
    f->assignment = 0;
    f->count = number(data, "wanted");
    checker_feed(s->checker, f);
}

uint64_t event_digest(const struct slp_item_event *e)
{
    return (digest(e->data.p, e->data.n) ^ e->type) * 0x9e3779b97f4a7c15ull ^ (uint64_t)e->wall_us;
}

static void event(struct sim *s, const struct slp_item_event *e, const struct tapped *t)
{
    struct fact f = { .seq = e->seq,
                      .at = t->at,
                      .wall = e->wall_us,
                      .run = number(e->data, "run"),
                      .station = (uint32_t)number(e->data, "station"),
                      .hub = number(e->data, "hub"),
                      .line = number(e->data, "line"),
                      .state = (uint32_t)number(e->data, "state"),
                      .unit = number(e->data, "unit"),
                      .assignment = number(e->data, "assignment"),
                      .why = (uint32_t)number(e->data, "why"),
                      .session = number(e->data, "session") };
    struct slp_bytes name;
    struct pairs p;
    bool asked = t->message && t->m.type == SLP_WORKER_SET;
    sim_hash(s, e->data.p, e->data.n);
    checker_feed(s->checker, &(struct fact){ .kind = FACT_BODY, .seq = e->seq, .digest = event_digest(e) });
    switch (e->type) {
    case LINE_APPLIED: line_applied(s, &f, e->data, t); break;
    case LINE_STATE: f.kind = FACT_LINE_STATE; break;
    case STATION_STATE:
        name = text(e->data, "station");
        if (name.n > 2)
            break; /* a jury, with its tournament */
        f.index = name.n == 2 ? (uint32_t)(name.p[1] - '0') : 0;
        f.flag = number(e->data, "paused");
        f.kind = FACT_STATION_STATE;
        break;
    case RUN_STARTED: run_started(s, &f, e->data); break;
    case RUN_STATE:
        f.kind = FACT_RUN_STATE;
        f.flag = number(e->data, "paused");
        f.count = number(e->data, "priority");
        break;
    case UNITS_ADDED: units(s, &f, e->data, FACT_UNITS_ADDED); return;
    case TASKS_READY: units(s, &f, e->data, FACT_READY); return;
    case TASKS_WAITING: units(s, &f, e->data, FACT_WAITING); return;
    case TASKS_SKIPPED: units(s, &f, e->data, FACT_SKIPPED); return;
    case TASKS_DONE: units(s, &f, e->data, FACT_TASK_DONE); return;
    case TASKS_DEAD: units(s, &f, e->data, FACT_DEAD); return;
    case TASKS_HELD: units(s, &f, e->data, FACT_HELD); return;
    case TASK_DECIDED:
        f.kind = FACT_DECIDED;
        f.result = number(e->data, "result");
        f.count = number(e->data, "answers");
        f.state = (uint32_t)number(e->data, "votes");
        name = text(e->data, "decided");
        f.flag = name.n == 4 && !memcmp(name.p, "auto", 4);
        break;
    case TASKS_BLOCKED: units(s, &f, e->data, FACT_BLOCKED); return;
    case REVIEWED:
        f.kind = FACT_REVIEWED;
        f.result = number(e->data, "result");
        f.count = number(e->data, "round");
        name = text(e->data, "verdict");
        f.state = name.n && *name.p == 'r' ? REVIEW_REJECT : name.n && *name.p == 'i' ? REVIEW_IMPROVE : REVIEW_ACCEPT;
        break;
    case TASK_WANTS:
        f.kind = FACT_WANTS;
        f.count = number(e->data, "wanted");
        break;
    case TASK_PLACED: placed(s, &f, e->data); return;
    case WORKER_STANDING: standing(s, &f, e->data, asked); return;
    case WORKER_SKILL: skill(s, &f, e->data, asked); return;
    case GOLD_ANSWERED:
        f.kind = FACT_GOLD;
        f.flag = number(e->data, "right");
        break;
    case ANSWERS_VOID: answers_void(s, &f, e->data); return;
    case UNITS_DONE: units(s, &f, e->data, FACT_UNIT_DONE); return;
    case UNITS_DROPPED: units(s, &f, e->data, FACT_DROPPED); return;
    case ASSIGNED: assigned(s, &f, e->data); return;
    case SUBMITTED: submitted(s, &f, e->data); return;
    case STARTED:
        f.kind = FACT_STARTED;
        for (p = pairs(e->data, "assignments"); each(&p, &f.assignment);)
            checker_feed(s->checker, &f);
        return;
    case RETURNED:
        f.kind = FACT_RETURNED;
        s->tally.taken_back += f.why == 17;
        break;
    case HUB_SESSION:
        f.kind = FACT_SESSION;
        f.flag = number(e->data, "connected");
        name = text(e->data, "name");
        for (uint32_t i = 0; i < s->plan.hubs; i++)
            if (is(name, s->hub[i].name)) {
                s->hub[i].number = f.hub;
                s->hub[i].session = f.session;
            }
        break;
    case BROKER_STARTED: f.kind = FACT_BOOT; break;
    default: break;
    }
    if (!f.kind)
        f.kind = FACT_EVENT;
    checker_feed(s->checker, &f);
}

/* ---- requests and their answers ---- */

/* The answer of this input, among the frames that it caused; an error counts as none. */
static bool answer(struct sim *s, const struct tapped *t, uint64_t type, struct slp_msg *m)
{
    const struct effects *out = &s->server.told->out;
    struct slp_fault fault;
    for (size_t i = t->from; i < t->to; i++) {
        const struct effect *x = &out->v[i];
        if (x->peer == t->peer && slp_decode(effect_frame(out, x), x->n, SLP_B2A | SLP_B2C, m, &fault) == 0 &&
            m->id == t->m.id && m->type == type)
            return true;
    }
    return false;
}

static bool refused(struct sim *s, const struct tapped *t)
{
    struct slp_msg m;
    return answer(s, t, SLP_ERROR, &m);
}

static void grants(struct sim *s, uint64_t session, struct slp_list list)
{
    struct slp_cursor c = slp_each(list);
    for (struct slp_item_credit g; slp_next_credit(&c, &g);)
        checker_feed(s->checker,
                     &(struct fact){ .kind = FACT_GRANT, .session = session, .worker = g.worker, .count = g.total });
}

static void acts(struct sim *s, const struct tapped *t, const struct slp_msg *a)
{
    struct slp_cursor c = slp_each(t->m.u.acts.acts), o = slp_each(a->u.outcomes.outcomes);
    struct slp_item_outcome out;
    for (struct slp_item_act it; c.left;) {
        bool listed = act_is_listed(c, o);
        CHECK(s, slp_next_act(&c, &it));
        struct fact f = { .kind = FACT_ACT,
                          .at = t->at,
                          .act = (uint32_t)it.act,
                          .assignment = it.assignment,
                          .worker = it.worker,
                          .session = t->m.u.acts.session };
        if (listed && slp_next_outcome(&o, &out)) {
            f.code = (uint32_t)out.code;
            f.flag = SLP_IS(&out, item_outcome, lease_us);
            f.lease_us = f.flag ? out.lease_us : 0;
        }
        checker_feed(s->checker, &f);
    }
    if (slp_next_outcome(&o, &out))
        sim_broken(s, "an outcome for assignment %" PRIu64 " that was not asked about", out.assignment);
    grants(s, t->m.u.acts.session, t->m.u.acts.grants);
}

static void submits(struct sim *s, const struct tapped *t, const struct slp_msg *a)
{
    struct slp_cursor c = slp_each(t->m.u.submit.results), o = slp_each(a->u.outcomes.outcomes);
    struct slp_item_outcome out;
    for (struct slp_item_result it; c.left;) {
        bool listed = result_is_listed(c, o);
        CHECK(s, slp_next_result(&c, &it));
        struct fact f = { .kind = FACT_ACT,
                          .at = t->at,
                          .act = 6,
                          .assignment = it.assignment,
                          .worker = it.worker,
                          .session = t->m.u.submit.session };
        if (listed && slp_next_outcome(&o, &out))
            f.code = (uint32_t)out.code;
        checker_feed(s->checker, &f);
    }
    if (slp_next_outcome(&o, &out))
        sim_broken(s, "an outcome for assignment %" PRIu64 " that was not submitted", out.assignment);
    grants(s, t->m.u.submit.session, t->m.u.submit.grants);
}

static uint64_t shift_digest(struct slp_bytes name)
{
    return name.n ? digest(name.p, name.n) | 1 : 0;
}

static void shifts(struct sim *s, const struct tapped *t)
{
    struct slp_cursor c = slp_each(t->m.u.shifts.shifts);
    for (struct slp_item_shift_def d; slp_next_shift_def(&c, &d);) {
        int64_t times[SL_SHIFT_TIMES_MAX];
        struct fact f = {
            .kind = FACT_SHIFT, .session = t->m.u.shifts.session, .digest = shift_digest(d.name), .times = times
        };
        struct slp_cursor v = slp_each(d.times);
        for (uint64_t us; slp_next_u64(&v, &us);)
            times[f.count++] = (int64_t)us;
        checker_feed(s->checker, &f);
    }
    struct slp_cursor z = slp_each(t->m.u.shifts.zones);
    for (struct slp_item_zone_days d; slp_next_zone_days(&z, &d);) { /* a hub has one zone here */
        int64_t times[SL_ZONE_DAYS_MAX];
        struct fact f = { .kind = FACT_DAYS, .session = t->m.u.shifts.session, .times = times, .wall = t->wall_us };
        struct slp_cursor v = slp_each(d.days);
        for (uint64_t us; slp_next_u64(&v, &us);)
            times[f.count++] = (int64_t)us;
        checker_feed(s->checker, &f);
    }
}

/* The hub whose newest session this is. */
static uint32_t hub_index(struct sim *s, uint64_t session)
{
    for (uint32_t h = 0; h < s->plan.hubs; h++)
        if (s->hub[h].session == session)
            return h;
    sim_broken(s, "session %" PRIu64 " is no hub's", session);
    return 0;
}

static void roster(struct sim *s, const struct tapped *t, const struct slp_msg *a)
{
    struct slp_cursor c = slp_each(t->m.u.roster.workers), n = slp_each(a->u.roster_done.workers);
    struct slp_item_worker_def d;
    checker_feed(s->checker,
                 &(struct fact){ .kind = FACT_ROSTER, .session = t->m.u.roster.session, .wall = t->wall_us });
    for (uint64_t no; slp_next_worker_def(&c, &d) && slp_next_u64(&n, &no);) {
        struct fact f = { .kind = FACT_WORKER,
                          .worker = no,
                          .session = t->m.u.roster.session,
                          .wkind = (uint32_t)d.kind,
                          .wall = t->wall_us,
                          .digest = shift_digest(d.shift) };
        struct slp_cursor k = slp_each(d.skills);
        f.index = hub_index(s, f.session);
        f.per_day = (uint32_t)d.per_day;
        f.team = d.team.n ? (uint32_t)(d.team.p[4] - '0') : 0;
        for (struct slp_item_skill sk; slp_next_skill(&k, &sk);)
            for (int i = 0; i < CHECKER_SKILLS; i++)
                if (is(sk.name, skill_names[i]))
                    f.level[i] = (uint8_t)sk.level;
        if (no)
            checker_feed(s->checker, &f);
        operator_meets(s, no, d.name);
    }
}

static void heartbeat(struct sim *s, const struct tapped *t)
{
    struct slp_msg a;
    bool right = answer(s, t, SLP_HEARTBEAT_ACK, &a);
    if (right || (answer(s, t, SLP_ERROR, &a) && a.u.error.code == SLP_E_CLOCK_OFF))
        checker_feed(s->checker,
                     &(struct fact){ .kind = FACT_HUB_CLOCK, .session = t->m.u.heartbeat.session, .flag = !right });
}

static void request(struct sim *s, const struct tapped *t)
{
    struct slp_msg a;
    struct slp_cursor c;
    uint64_t no;
    switch (t->m.type) {
    case SLP_ACTS:
        if (answer(s, t, SLP_OUTCOMES, &a))
            acts(s, t, &a);
        break;
    case SLP_SUBMIT:
        if (answer(s, t, SLP_OUTCOMES, &a))
            submits(s, t, &a);
        break;
    case SLP_ROSTER:
        if (answer(s, t, SLP_ROSTER_DONE, &a))
            roster(s, t, &a);
        break;
    case SLP_SHIFTS:
        if (answer(s, t, SLP_DONE, &a))
            shifts(s, t);
        break;
    case SLP_HEARTBEAT: heartbeat(s, t); break;
    case SLP_CREDIT:
        if (refused(s, t))
            break;
        c = slp_each(t->m.u.credit.sign_off);
        while (slp_next_u64(&c, &no))
            checker_feed(s->checker,
                         &(struct fact){ .kind = FACT_SIGN_OFF, .session = t->m.u.credit.session, .worker = no });
        grants(s, t->m.u.credit.session, t->m.u.credit.grants);
        break;
    default: break;
    }
}

/* ---- */

/* What is on the disk is not in the stream. The checker's model cannot go on without it. */
static void events_gone(struct sim *s, uint64_t last)
{
    checker_feed(s->checker, &(struct fact){ .kind = FACT_LAST_EVENT, .seq = last });
    sim_broken(s, "of a batch that was committed, events from %" PRIu64 " to %" PRIu64 " are not there",
               s->server.next_event, last);
}

void tap_batch(struct sim *s, const struct batch *b)
{
    struct server *v = &s->server;
    struct slp_events_get q = { .since = v->next_event };
    const struct slp_msg *page = NULL;
    struct slp_cursor c = { 0 };
    bool have = false, more = true;
    struct slp_item_event e;
    v->told = b;
    for (size_t i = 0; i < b->tap_n; i++) {
        const struct tapped *t = &b->tap[i];
        if (t->wall_off_us != v->seen_off_us)
            checker_feed(s->checker, &(struct fact){ .kind = FACT_CLOCK, .wall = t->wall_off_us - v->seen_off_us });
        v->seen_off_us = t->wall_off_us;
        if (t->pressure)
            checker_feed(s->checker, &(struct fact){ .kind = FACT_FULL, .flag = t->full });
        if (t->message)
            request(s, t);
        while (v->next_event <= t->last_event) {
            if (!have || !slp_next_event(&c, &e)) {
                if (!more && b->answered && !v->engine)
                    break; /* the dead broker answered, and has lost it: the checker will find what */
                if (!more)
                    events_gone(s, t->last_event);
                q.since = v->next_event;
                CHECK(s, (page = server_page(s, SLP_EVENTS_GET, &q)) && page->type == SLP_EVENTS);
                c = slp_each(page->u.events.events);
                more = page->u.events.events.count > 0;
                have = true;
                continue;
            }
            event(s, &e, t);
            v->next_event = e.seq + 1;
        }
        /* A broker leaves what is too much for one step (bars, shifts, skills of hundreds of workers) for the next ones; no world has so many. */
        checker_feed(s->checker, &(struct fact){ .kind = FACT_STEP, .wall = t->wall_us, .flag = true });
    }
}
