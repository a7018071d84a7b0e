/* A hub's agent: the real core, and around it what agent.c does with files (data.c), robots and people, on the virtual clock. */
#include <inttypes.h>

#include "tests/sim/memory.h"
#include "proto/reader.h"
#include "tests/sim/sim.h"

static happening due, restart, crash, freeze, relink, confuse, keep_copy, set_clock, change_roster, rota;

int64_t hub_now_us(const struct sim *s, const struct hub *h)
{
    return s->now_us - h->boot_us;
}

/* ---- where a step may end ---- */

/* A place between two things of a step. True: it ends here, or has; nothing more is done, until hub_pump buries it. */
static bool ends_at(struct sim *s, struct hub *h, enum hub_place at)
{
    struct tally *t = &s->tally;
    const struct {
        const char *where;
        uint64_t *count;
    } of[] = {
        [BEFORE_SYNC] = { "between a write and its sync", &t->agent_ends_before_sync },
        [BEFORE_FRAME] = { "before the frame of what it keeps", &t->agent_ends_before_frame },
        [AFTER_FRAME] = { "behind a frame", &t->agent_ends_after_frame },
        [BETWEEN_TWO] = { "between two things of a step", &t->agent_ends_between },
    };
    if (h->doomed || s->calm || h->dies_at != at)
        return h->doomed;
    if (h->spared) {
        h->spared--;
        return false;
    }
    TELL(s, "%s: the agent ends %s", h->name, of[at].where);
    ++*of[at].count;
    return h->dying = h->doomed = true;
}

void hub_begun(struct sim *s, struct hub *h, uint64_t assignment)
{
    const struct core_task *t = core_find(h->core, assignment);
    if (!t || t->state != CORE_STARTED)
        return;
    hub_data_begun(s, h, t);
    if (!ends_at(s, h, BEFORE_SYNC))
        hub_data_sync(h);
}

/* ---- results ---- */

/* Does whoever answers mean well, this time? */
enum will { AS_THE_DICE_FALL, WELL, ILL };

static enum will will_of(struct sim *s, struct hub *h, const struct core_task *t)
{
    const struct member *m = s->plan.honesty ? staff_member(h, core_task_worker(t)) : NULL;
    return !m ? AS_THE_DICE_FALL : rng_chance(&h->honest, m->honest_ppm) ? WELL : ILL;
}

static uint64_t row_of_task(const struct core_task *t)
{
    struct slp_cursor c = slp_each(t->fields);
    struct slp_bytes text;
    return slp_next_str(&c, &text) ? row_of_text(text) : 0;
}

/* The assignment that a text is the answer of, as it tells itself (hub_finish); 0: it is none. */
static uint64_t answer_of(const struct slr_value *v)
{
    return v->type == SLR_STR && v->n > 7 && !memcmp(v->p, "answer ", 7) ? strtoull(v->p + 7, NULL, 10) : 0;
}

/* The work that a review is about, as it was handed in; NULL: nobody remembers, or somebody has improved it. */
static const struct answered *work_of(const struct sim *s, const struct core_task *t, uint32_t station)
{
    const struct answered *found = NULL;
    struct slp_cursor c = slp_each(t->fields);
    for (struct slp_bytes raw; slp_next_raw(&c, &raw);) {
        struct slr r = slr_on(raw.p, raw.n);
        struct slr_value v;
        uint64_t no = slr_next(&r, &v) ? 0 : answer_of(&v);
        const struct answered *a = &s->answered[no % ANSWERS_MAX];
        if (no && a->assignment == no && a->station == station)
            found = a;
    }
    return found;
}

/* Whoever means well accepts what is right, and nothing else. */
static unsigned honest_lot(struct sim *s, struct hub *h, const struct core_task *t, enum will will, unsigned lot)
{
    const struct sim_station *st = lines_station(s, t->station_id);
    const struct answered *work = will && st && st->review ? work_of(s, t, st->review - 1) : NULL;
    if (!work)
        return lot;
    s->tally.wrong_verdicts += will == ILL;
    return work->wrong == (will == ILL) ? 0 : 4 + (unsigned)rng_below(&h->honest, 6);
}

/* A worker's own answer: right or wrong, as he means it, and remembered for whoever reviews it. */
static int honest_route(struct sim *s, struct hub *h, const struct core_task *t, enum will will, int route)
{
    const struct sim_station *st = lines_station(s, t->station_id);
    uint64_t row = row_of_task(t);
    if (!will || !st || !row)
        return route;
    int truth = row_truth(s, row, st->index);
    s->answered[t->assignment % ANSWERS_MAX] = (struct answered){ t->assignment, st->index, will == ILL };
    s->tally.wrong_answers += will == ILL;
    return will == WELL ? truth : (truth + 1 + (int)rng_below(&h->honest, 2)) % 3;
}

/* A verdict; *text and *route are what it changes, n 0 and -1: nothing. Who is calm finds nothing to say. Nobody rejects beyond the rounds that the line gives: an
 * operator who asks for one more wants it to end. */
static void verdict(struct sim *s, struct hub *h, const struct core_task *t, const struct fact *st, bool bad,
                    enum will will, struct slp_buf *values, const char *text, int *n, int *route)
{
    struct slr r = slr_on(t->context.p, t->context.n), at;
    struct slr_value v, round = { .type = SLR_NIL };
    CHECK(s, t->context.n && slr_next(&r, &v) == 0 && v.type == SLR_MAP && slr_find(r, v.n, "round", &at) &&
                 slr_next(&at, &round) == 0 && round.type == SLR_U64);
    unsigned lot = s->calm ? 0 : honest_lot(s, h, t, will, (unsigned)rng_below(&h->rng, 10));
    bool improve = lot >= 4 && lot < 7, reject = lot >= 7 && st->rejects && round.u64 <= st->rounds;
    if (bad) /* nothing is changed, and yet it says so */
        improve = true;
    if (!improve || bad)
        *n = 0;
    *route = -1;
    if (*n)
        slp_pack_str(values, text, (size_t)*n);
    else
        slp_pack_nil(values);
    slp_pack_nil(values);
    slp_pack_cstr(values, improve ? "improve" : reject ? "reject" : "accept");
    slp_pack_cstr(values, "as the dice fell");
    if (st->rejects && reject && !improve)
        slp_pack_cstr(values, "worse");
    else if (st->rejects)
        slp_pack_nil(values);
}

/* The first entry that is right, or that is not; otherwise the one that the dice chose. */
static uint32_t honest_choice(struct sim *s, const struct core_task *t, const struct sim_station *st, struct slr r,
                              uint32_t n, enum will will, uint32_t choice)
{
    int truth = row_truth(s, row_of_task(t), st->jury);
    for (uint32_t i = 0; will && i < n; i++) {
        struct slr at = r, route;
        struct slr_value m, x;
        CHECK(s, slr_next(&at, &m) == 0 && m.type == SLR_MAP && slr_find(at, m.n, "route", &route) &&
                     slr_next(&route, &x) == 0 && x.type == SLR_STR && slr_skip(&r, 8) == 0);
        bool right = x.n == 1 && *x.p == *route_names[truth];
        if (right == (will == WELL)) {
            s->tally.wrong_verdicts += will == ILL;
            return i;
        }
    }
    return choice;
}

/* A juror chooses one of the entries that he sees. False: this is no jury's task. *entry: its assignment, which its text tells. */
static bool votes(struct sim *s, struct hub *h, const struct core_task *t, enum will will, char ballot[12],
                  uint64_t *entry)
{
    const struct sim_station *st = lines_station(s, t->station_id);
    struct slp_cursor c = slp_each(t->fields);
    struct slp_bytes raw, last = { NULL, 0 };
    struct slr_value v;
    if (!st || st->ties < TIES_JURY_FIRST)
        return false;
    while (slp_next_raw(&c, &raw))
        last = raw;
    struct slr r = slr_on(last.p, last.n);
    CHECK(s, slr_next(&r, &v) == 0 && v.type == SLR_ARRAY &&
                 v.n == lines_station(s, t->station_id - st->index + st->jury)->copies_max);
    uint32_t choice = honest_choice(s, t, st, r, v.n, will, (uint32_t)rng_below(&h->rng, v.n));
    snprintf(ballot, 12, "%u", choice + 1);
    for (uint32_t i = 0; i <= choice; i++) {
        struct slr at = r, answer;
        struct slr_value m, x;
        CHECK(s, slr_next(&at, &m) == 0 && m.type == SLR_MAP && slr_find(at, m.n, "answer", &answer) &&
                     slr_next(&answer, &x) == 0 && (*entry = answer_of(&x)) && slr_skip(&r, 8) == 0);
    }
    return true;
}

/* It is in the outbox: a person's is synced, and he is told so, before the core has it, and sends it. */
static void handed_in(struct sim *s, struct hub *h, uint64_t assignment, bool lost)
{
    const struct outboxed *o = &h->outbox[h->outbox_n - 1];
    uint64_t seq = o->seq;
    struct slp_bytes item = { o->item, o->n };
    if (o->person) {
        if (ends_at(s, h, BEFORE_SYNC))
            return;
        hub_data_sync(h);
        if (!lost)
            hub_promise(s, h, assignment, true);
    }
    if (!ends_at(s, h, BEFORE_FRAME))
        hub_input(s, h, (struct core_in){ .kind = CORE_IN_FINISH, .assignment = assignment, .seq = seq, .item = item });
}

void hub_finish(struct sim *s, struct hub *h, uint64_t assignment, bool person, bool bad)
{
    const struct core_task *t = core_find(h->core, assignment);
    struct slp_buf values = { 0 }, item = { 0 };
    char text[400];
    if (!t || t->state != CORE_STARTED)
        return;
    int route = (int)rng_below(&h->rng, 3);
    uint64_t entry = 0;
    char ballot[12];
    bool lost = checker_lost(s->checker, assignment); /* whatever it says, nobody will take it */
    enum will will = lost || bad ? AS_THE_DICE_FALL : will_of(s, h, t);
    bool judges = !lost && votes(s, h, t, will, ballot, &entry);
    int n = snprintf(text, sizeof text, "answer %" PRIu64 " of %s, %" PRIu64 " ", assignment, core_task_worker(t),
                     rng_u64(&h->rng));
    for (uint64_t k = rng_spread(&h->rng, 1, 200); k && n < (int)sizeof text - 1; k--)
        text[n++] = (char)('a' + rng_below(&h->rng, 26));
    const struct fact *st = checker_station(s->checker, t->station_id);
    CHECK(s, st || lost);
    if (!lost && st->review) {
        verdict(s, h, t, st, bad, will, &values, text, &n, &route);
    } else {
        if (!judges)
            route = honest_route(s, h, t, will, route);
        if (bad)
            slp_pack_nil(&values);
        else
            slp_pack_str(&values, judges ? ballot : text, judges ? strlen(ballot) : (size_t)n);
        if (!judges)
            slp_pack_cstr(&values, route_names[route]);
    }
    struct slp_item_result r = { .assignment = assignment,
                                 .worker = t->worker_no,
                                 .values = { values.p, (uint32_t)values.n,
                                             judges                ? 1u
                                             : lost || !st->review ? 2u
                                             : st->rejects         ? 5u
                                                                   : 4u },
                                 .active_us = 1000 };
    SLP_SET(&r, item_result, active_us);
    slp_pack_item(&item, SLP_ITEM_result, &r);
    hub_data_result(s, h, t, &item, person);
    if (bad)
        checker_feed(s->checker, &(struct fact){ .kind = FACT_BAD_SENT, .assignment = assignment });
    else if (!lost)
        checker_feed(s->checker,
                     &(struct fact){ .kind = FACT_SUBMIT_SENT,
                                     .assignment = assignment,
                                     .worker = t->worker_no,
                                     .digest = judges ? digest(ballot, strlen(ballot)) : digest(text, (size_t)n),
                                     .result = entry,
                                     .route = route,
                                     .flag = n == 0 });
    h->finished++;
    TELL(s, "%s: %s finishes assignment %" PRIu64 "%s", h->name, core_task_worker(t), assignment, bad ? " badly" : "");
    handed_in(s, h, assignment, lost);
    slp_buf_free(&values);
    slp_buf_free(&item);
}

/* ---- the core and what it says ---- */

void hub_ends(struct sim *s, struct hub *h, int64_t down_us)
{
    core_free(&h->core);
    h->up = false;
    h->life++;
    for (uint32_t i = 0; i < h->staff_n; i++)
        h->staff[i].busy = 0;
    sched_at(s, s->now_us + down_us, restart, h->index, h->life);
}

static void killed(struct sim *s, struct hub *h, bool by_power, int64_t down_us)
{
    TELL(s, "%s: %s, down for %" PRId64 " s", h->name, by_power ? "the power fails" : "the agent is killed",
         down_us / SEC);
    if (by_power)
        hub_data_power_cut(h);
    s->tally.agent_power_cuts += by_power;
    s->tally.agent_kills += !by_power;
    hub_ends(s, h, down_us);
}

/* At once, between two things that it does; or soon, within a step. */
static void dies(struct sim *s, struct hub *h, bool by_power, int64_t down_us)
{
    if (!rng_chance(&h->within, s->plan.within_ppm)) {
        killed(s, h, by_power, down_us);
        return;
    }
    h->dies_at = 1 + (enum hub_place)rng_below(&h->within, HUB_PLACES - 1);
    h->spared = (uint32_t)rng_below(&h->within, 3);
    h->by_power = by_power;
    h->down_us = down_us;
}

static void seen(struct sim *s, struct hub *h, uint64_t assignment)
{
    const struct core_task *t = core_find(h->core, assignment);
    struct slp_cursor c = t ? slp_each(t->fields) : (struct slp_cursor){ 0 };
    struct slp_bytes text, route;
    if (t && slp_next_str(&c, &text) && slp_next_str(&c, &route))
        checker_feed(s->checker, &(struct fact){ .kind = FACT_SEEN,
                                                 .assignment = assignment,
                                                 .worker = t->worker_no,
                                                 .row = row_of_text(text),
                                                 .digest = row_digest(text, route) });
}

static void carry_out(struct sim *s, struct hub *h, const struct core_outs *outs, const struct core_out *o)
{
    const char *text = outs->bytes.p + o->off;
    struct outboxed *b;
    switch (o->kind) {
    case CORE_OUT_SEND: net_send_up(s, &h->wire, text, o->n); break;
    case CORE_OUT_RELINK: h->wire.peer = net_peer(s, SIDE_HUB, h->index); break;
    case CORE_OUT_RUN:
        h->seen = o->assignment > h->seen ? o->assignment : h->seen;
        seen(s, h, o->assignment);
        staff_run(s, h, o->assignment);
        break;
    case CORE_OUT_OFFER: staff_offer(s, h, text); break;
    case CORE_OUT_DROPPED: hub_over(h, o->assignment); break;
    case CORE_OUT_FORM:
        hub_input(s, h, (struct core_in){ .kind = CORE_IN_FORM, .station_id = o->station_id, .ok = true });
        break;
    case CORE_OUT_ACKED:
        if ((b = hub_data_outboxed(h, o->seq)))
            b->acked = true;
        hub_over(h, o->assignment);
        break;
    case CORE_OUT_REFUSED:
        h->refused++;
        TELL(s, "%s: the result of assignment %" PRIu64 " is refused: %s", h->name, o->assignment,
             slp_error_name(o->code));
        if ((b = hub_data_outboxed(h, o->seq)))
            b->acked = true;
        hub_over(h, o->assignment);
        break;
    case CORE_OUT_ENDED: hub_over(h, o->assignment); break;
    case CORE_OUT_LOG:
        if (s->story)
            TELL(s, "%s: %s %s", h->name, o->event, text);
        break;
    case CORE_OUT_BYE:
        TELL(s, "%s: the agent stops quietly", h->name);
        hub_ends(s, h, rng_spread(&h->rng, SEC, s->plan.agent_down_max_us));
        break;
    case CORE_OUT_EXIT:
        TELL(s, "%s: the agent must stop: %s", h->name, slp_error_name(o->code));
        hub_ends(s, h, rng_spread(&h->rng, 10 * SEC, 30 * MINUTE));
        break;
    case CORE_OUT_WHY: break;
    }
}

static void step(struct sim *s, struct hub *h, struct core_in *in, struct core_outs *outs)
{
    in->now_us = hub_now_us(s, h);
    in->wall_us = WALL_BEGIN_US + s->now_us + h->wall_off_us;
    if (h->doomed)
        return;
    if (!s->calm && rng_chance(&h->rng, s->plan.agent_memory_ppm))
        memory_arm((uint64_t)rng_spread(&h->rng, 1, 16));
    memory_go();
    int rc = core_step(h->core, in, outs);
    memory_pause();
    if (rc != 0 && !memory_failed())
        sim_broken(s, "%s: the agent's core ran out of memory", h->name);
    h->doomed = rc != 0; /* the process ends; what is on its disk counts */
    memory_disarm();
}

/* Inputs from inside of carry_out go through the same queue. */
void hub_input(struct sim *s, struct hub *h, struct core_in in)
{
    if (h->up)
        step(s, h, &in, &h->outs);
}

void hub_pump(struct sim *s, struct hub *h)
{
    for (int round = 0; round < 16 && h->up; round++) {
        struct core_in in = { .kind = CORE_IN_TICK };
        step(s, h, &in, &h->outs);
        if (!h->outs.n)
            break;
        struct core_outs now = h->outs; /* it may grow meanwhile: take what is there */
        h->outs = h->spare;
        uint64_t life = h->life;
        for (size_t i = 0; i < now.n && h->up && life == h->life && !h->doomed; i++) {
            carry_out(s, h, &now, &now.v[i]);
            if (h->up && life == h->life && now.v[i].kind == CORE_OUT_SEND)
                ends_at(s, h, AFTER_FRAME);
            else if (h->up && life == h->life && now.v[i].kind != CORE_OUT_LOG && i + 1 < now.n)
                ends_at(s, h, BETWEEN_TWO);
        }
        core_outs_clear(&now);
        h->spare = now;
    }
    if (h->up && h->dying) {
        killed(s, h, h->by_power, h->down_us);
    } else if (h->up && h->doomed) {
        s->tally.agent_memory_failures++;
        TELL(s, "%s: the agent ends for want of memory", h->name);
        hub_ends(s, h, rng_spread(&h->rng, SEC, MINUTE));
    }
    if (!h->up)
        return;
    int64_t at = core_next_due_us(h->core);
    at = at == INT64_MAX ? NEVER : at + h->boot_us;
    if (at != NEVER && at <= s->now_us)
        at = s->now_us + 1;
    if (at != NEVER && (h->due_us <= s->now_us || at < h->due_us)) {
        h->due_us = at;
        sched_at(s, at, due, h->index, (uint64_t)at);
    }
}

static void due(struct sim *s, uint64_t index, uint64_t at)
{
    struct hub *h = &s->hub[index];
    if (!h->up || (int64_t)at != h->due_us)
        return;
    h->due_us = 0;
    if (s->now_us < h->frozen_us) {
        h->due_us = h->frozen_us;
        sched_at(s, h->frozen_us, due, index, (uint64_t)h->due_us);
        return;
    }
    hub_pump(s, h);
}

static void thaw(struct sim *s, uint64_t frame, uint64_t index)
{
    struct frame *f = (struct frame *)(uintptr_t)frame;
    struct hub *h = &s->hub[index];
    if (h->wire.peer == f->peer)
        hub_take(s, h, f);
    if (--f->refs == 0)
        free(f);
}

void hub_take(struct sim *s, struct hub *h, const struct frame *f)
{
    struct slp_msg m;
    struct slp_fault fault;
    if (!h->up)
        return;
    if (s->now_us < h->frozen_us) { /* it waits in the socket */
        struct frame *kept = malloc(sizeof *kept + f->n);
        CHECK(s, kept);
        memcpy(kept, f, sizeof *kept + f->n);
        kept->refs = 1;
        sched_at(s, h->frozen_us, thaw, (uint64_t)(uintptr_t)kept, h->index);
        return;
    }
    if (slp_decode(f->bytes, f->n, SLP_B2A, &m, &fault) != 0)
        sim_broken(s, "%s got what cannot be read: %s at %s", h->name, slp_error_name(fault.code), fault.place);
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_MESSAGE, .msg = &m });
    hub_pump(s, h);
}

/* ---- life ---- */

static void start(struct sim *s, struct hub *h)
{
    struct core_config cc = { .hub = h->name,
                              .zone = "Africa/Nairobi",
                              .incarnation = ++h->incarnation,
                              .takeover = h->takeover,
                              .seed = rng_u64(&h->rng) };
    memcpy(cc.data_id, h->data_id, 16);
    CHECK(s, h->core = core_new(&cc));
    h->up = true;
    h->quiet = h->doomed = h->dying = false;
    h->dies_at = NOWHERE;
    h->takeover = h->takeover && s->calm; /* said once, by whoever starts it by hand */
    h->due_us = 0;
    h->wire.peer = net_peer(s, SIDE_HUB, h->index);
    core_outs_clear(&h->outs);
    TELL(s, "%s: the agent starts, incarnation %" PRIu64 ", %zu results unsent, %zu tasks begun", h->name,
         h->incarnation, h->outbox_n, h->journal_n);
    for (size_t i = 0; i < h->journal_n; i++) {
        const struct journaled *j = &h->journal[i];
        hub_input(s, h, (struct core_in){ .kind = CORE_IN_FORM, .station_id = j->station, .ok = true });
        struct core_task t = { .assignment = j->assignment,
                               .worker_no = j->worker_no,
                               .station_id = j->station,
                               .attempt = j->attempt,
                               .lease_us = j->lease_us,
                               .fields = { j->fields, j->fields_n, j->fields_count },
                               .context = { j->context, j->context_n } };
        hub_input(s, h, (struct core_in){ .kind = CORE_IN_RESTORE, .task = &t });
    }
    for (size_t i = 0; i < h->outbox_n; i++)
        if (!h->outbox[i].acked)
            hub_input(s, h,
                      (struct core_in){ .kind = CORE_IN_UNSENT,
                                        .assignment = h->outbox[i].assignment,
                                        .seq = h->outbox[i].seq,
                                        .item = { h->outbox[i].item, h->outbox[i].n } });
    staff_rota(s, h);
    struct core_roster r = { .count = h->members_n, .members = h->members };
    memcpy(r.digest, h->digest, sizeof r.digest);
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &r });
    staff_start(s, h);
    hub_pump(s, h);
}

/* As agent.c does: look again now and then; the core passes on what has changed. */
static void rota(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (h->up && s->now_us >= h->frozen_us) {
        staff_rota(s, h);
        hub_pump(s, h);
    }
    sched_at(s, s->now_us + 3 * HOUR, rota, index, 0);
}

static void restart(struct sim *s, uint64_t index, uint64_t life)
{
    struct hub *h = &s->hub[index];
    if (h->up || life != h->life || !h->wanted)
        return;
    if (!s->calm && rng_chance(&h->rng, 300000)) {
        h->boot_us = s->now_us - rng_range(&h->rng, SEC, MINUTE); /* its machine was rebooted */
        s->tally.agent_reboots++;
    }
    start(s, h);
}

static void again(struct sim *s, struct hub *h, int64_t mean, happening *what)
{
    if (mean != NEVER && !s->calm)
        sched_at(s, s->now_us + rng_range(&h->rng, mean / 10 + 1, mean * 2), what, h->index, 0);
}

static void crash(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    if (h->up && s->now_us >= h->frozen_us) {
        h->crashes++;
        int64_t down = rng_spread(&h->rng, SEC, s->plan.agent_down_max_us);
        if (rng_chance(&h->rng, 200000)) {
            TELL(s, "%s: the agent is told to stop", h->name);
            s->tally.agent_stops++;
            hub_input(s, h,
                      (struct core_in){ .kind = CORE_IN_QUIET,
                                        .deadline_us = hub_now_us(s, h) + rng_spread(&h->rng, SEC, 10 * MINUTE) });
            hub_pump(s, h);
        } else if (rng_chance(&h->rng, s->plan.power_ppm)) {
            dies(s, h, true, down);
        } else if (h->old.there && rng_chance(&h->rng, 500000)) {
            TELL(s, "%s: the disk fails; an old copy of the data is put back, down for %" PRId64 " s", h->name,
                 down / SEC);
            hub_ends(s, h, down);
            hub_data_put(s, h, &h->old);
            s->tally.agent_old_data++;
        } else {
            dies(s, h, false, down);
        }
    }
    again(s, h, s->plan.agent_crash_every_us, crash);
}

static void freeze(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    h->frozen_us = s->now_us + rng_spread(&h->rng, SEC, 2 * HOUR);
    s->tally.agent_freezes += h->up;
    TELL(s, "%s: the agent freezes for %" PRId64 " s", h->name, (h->frozen_us - s->now_us) / SEC);
    again(s, h, s->plan.freeze_every_us, freeze);
}

static void relink(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    h->wire.peer =
        net_peer(s, SIDE_HUB, h->index); /* TCP broke, the socket reconnected by itself: the core does not notice */
    TELL(s, "%s: the link reconnects", h->name);
    s->tally.relinks += h->up;
    again(s, h, s->plan.relink_every_us, relink);
}

/* Something at this hub sends acts of its own: under numbers that are over, of others, or right in the middle of somebody's work. */
static void confuse(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    struct core_view v;
    struct core_worker_view w;
    uint32_t member = (uint32_t)rng_below(&h->rng, h->staff_n);
    (void)unused;
    if (s->calm)
        return;
    if (h->up)
        core_view(h->core, &v);
    if (h->up && v.connected && !h->staff[member].steady && core_worker_view(h->core, h->staff[member].name, &w)) {
        struct slp_buf items = { 0 }, b = { 0 };
        uint32_t n = (uint32_t)rng_range(&h->rng, 1, 20);
        for (uint32_t i = 0; i < n; i++) {
            struct slp_item_act it = { .act = rng_below(&h->rng, 6),
                                       .assignment = s->tally.restores && h->seen > 200
                                                         ? h->seen - rng_below(&h->rng, 200)
                                                         : (uint64_t)rng_range(&h->rng, 0, (int64_t)h->seen + 2),
                                       .worker = w.number };
            slp_pack_item(&items, SLP_ITEM_act, &it);
        }
        struct slp_acts q = { .session = v.session, .acts = { items.p, (uint32_t)items.n, n } };
        CHECK(s, slp_encode(&b, SLP_ACTS, 1ull << 40 | ++h->confused, &q) == 0);
        TELL(s, "%s: sends %u acts of %s that nobody meant", h->name, n, h->staff[member].name);
        net_send_up(s, &h->wire, b.p, b.n);
        s->tally.confused_acts += n;
        slp_buf_free(&items);
        slp_buf_free(&b);
    }
    again(s, h, s->plan.confuse_every_us, confuse);
}

static void keep_copy(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    hub_data_copy(s, h, &h->old);
    again(s, h, s->plan.agent_copy_every_us, keep_copy);
}

static void set_clock(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    h->wall_off_us = h->wall_off_us && rng_chance(&h->rng, 500000) ? 0 : rng_range(&h->rng, -3 * DAY, 3 * DAY);
    s->tally.agent_clock_steps++;
    TELL(s, "%s: its wall clock is %+" PRId64 " s off", h->name, h->wall_off_us / SEC);
    again(s, h, s->plan.agent_wall_every_us, set_clock);
}

static void change_roster(struct sim *s, uint64_t index, uint64_t unused)
{
    struct hub *h = &s->hub[index];
    (void)unused;
    if (s->calm)
        return;
    if (s->now_us >= h->frozen_us)
        staff_change(s, h);
    again(s, h, s->plan.roster_every_us, change_roster);
}

void hub_comes_up(struct sim *s, struct hub *h)
{
    h->wanted = true;
    start(s, h);
}

void hubs_open(struct sim *s)
{
    s->hubs = s->plan.hubs;
    for (uint32_t i = 0; i < s->plan.hubs; i++) {
        struct hub *h = &s->hub[i];
        h->index = h->like = i;
        h->wanted = true;
        h->rng = rng_of(s->plan.seed, "hub", i);
        h->within = rng_of(s->plan.seed, "within", i);
        h->boot_us = -rng_range(&h->rng, SEC, DAY);
        snprintf(h->name, sizeof h->name, "hub%u", i);
        for (int k = 0; k < 16; k++)
            h->data_id[k] = (uint8_t)rng_u64(&h->rng);
        staff_make(s, h);
        sched_at(s, s->now_us + rng_range(&h->rng, 0, 10 * SEC), restart, i, 0);
        sched_at(s, s->now_us + 3 * HOUR, rota, i, 0);
        again(s, h, s->plan.agent_crash_every_us, crash);
        again(s, h, s->plan.freeze_every_us, freeze);
        again(s, h, s->plan.relink_every_us, relink);
        net_cuts(s, SIDE_HUB, i, &h->rng);
        again(s, h, s->plan.confuse_every_us, confuse);
        again(s, h, s->plan.agent_copy_every_us, keep_copy);
        again(s, h, s->plan.agent_wall_every_us, set_clock);
        again(s, h, s->plan.roster_every_us, change_roster);
    }
    staff_guests(s);
    twins_open(s);
}

void hub_calm(struct sim *s, struct hub *h)
{
    h->frozen_us = 0;
    h->wall_off_us = 0;
    h->takeover = true; /* whoever had its place is gone */
    if ((s->plan.scarce && h->like == 0) || s->plan.few)
        staff_change(s, h); /* everybody who can do everything is back, and begins */
    if (!h->up)
        start(s, h);
    else
        staff_start(s, h);
    hub_pump(s, h);
}

void hubs_close(struct sim *s)
{
    for (size_t i = 0; i < s->sched.n; i++)
        if (s->sched.v[i].what == thaw) {
            struct frame *f = (struct frame *)(uintptr_t)s->sched.v[i].a;
            if (--f->refs == 0)
                free(f);
        }
    for (uint32_t i = 0; i < s->hubs; i++) {
        struct hub *h = &s->hub[i];
        hub_data_free(&h->old);
        core_free(&h->core);
        core_outs_free(&h->outs);
        core_outs_free(&h->spare);
        hub_data_drop(h);
        free(h->members);
        for (uint32_t k = 0; k < MEMBERS_MAX; k++)
            slp_buf_free(&h->packed[k]);
    }
}
