/* How events move the checker's model: units, tasks and assignments, each by the transitions that PROTOCOL.md has. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

/* ---- units and tasks ---- */

struct ck_unit *ck_unit(struct checker *c, uint64_t run, uint64_t unit)
{
    struct ck_run *r = ck_get(&c->runs, run);
    return r && unit && unit <= r->units ? r->unit[unit - 1] : NULL;
}

static struct ck_task *task_of(struct checker *c, const struct fact *f, const char *what, struct ck_run **run)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    const struct ck_station *s = ck_get(&c->stations, f->station);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    if (run)
        *run = r;
    if (r && s && u && r->first == s->f.first && s->f.index < r->stations)
        return &u->task[s->f.index];
    ck_verdict(c, WRONG_STATE,
               "event %" PRIu64 ": %s of run %" PRIu64 " unit %" PRIu64 " station %u, which is not there", f->seq, what,
               f->run, f->unit, f->station);
    return NULL;
}

const char *const ck_state_names[] = { "blocked", "waiting", "ready", "assigned", "started",
                                       "done",    "skipped", "dead",  "ended" };

static void count(struct ck_run *r, uint32_t index, const struct ck_task *t, int by)
{
    r->counts[index][t->state] += (uint64_t)(int64_t)by;
    if (t->state == CK_READY && !t->declined)
        r->free_ready[index] += by;
}

static void move(struct checker *c, struct ck_run *r, const struct fact *f, struct ck_task *t, uint32_t index,
                 enum ck_state to, unsigned from)
{
    if (r->state <= 1 && !(from >> t->state & 1))
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u goes from %s to %s",
                   f->seq, f->run, f->unit, f->station, ck_state_names[t->state], ck_state_names[to]);
    count(r, index, t, -1);
    if (t->changed != c->step) { /* what it was when this step began: answers are judged by it */
        t->was = t->state;
        t->was_holder = t->holder;
        t->changed = c->step;
    }
    t->state = to;
    count(r, index, t, 1);
}

#define IS(s) (1u << CK_##s)
#define IN_HAND (IS(ASSIGNED) | IS(STARTED))

/* At a station with copies: what it asks, else NULL. */
const struct fact *ck_copies(const struct checker *c, uint32_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    return s && s->f.copies_max ? &s->f : NULL;
}

uint32_t ck_wanted(const struct fact *copies, const struct ck_task *t)
{
    return t->wanted ? t->wanted : copies->copies_min;
}

/* A task in hand is started if one of those who hold it has begun. */
static void in_hand(struct checker *c, struct ck_run *r, const struct fact *f, struct ck_task *t, uint32_t station)
{
    enum ck_state to = t->begun ? CK_STARTED : CK_ASSIGNED;
    if (ck_copies(c, station) && r->state <= 1 && (t->state == CK_ASSIGNED || t->state == CK_STARTED) && t->state != to)
        move(c, r, f, t, ck_index_of(c, station), to, IN_HAND);
}

uint32_t ck_index_of(const struct checker *c, uint32_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    return s ? s->f.index : 0;
}

static void touch(struct checker *c, uint64_t run, uint64_t unit)
{
    c->in_step.touched =
        ck_more(c->in_step.touched, &c->in_step.touched_cap, c->in_step.touched_n, sizeof *c->in_step.touched);
    c->in_step.touched[c->in_step.touched_n++] = (struct ck_touched){ run, unit };
}

static void units_added(struct checker *c, const struct fact *f)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    if (!r || f->unit != r->units + 1) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": unit %" PRIu64 " of run %" PRIu64 " follows %zu", f->seq,
                   f->unit, f->run, r ? r->units : 0);
        return;
    }
    if (c->full)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " came in with the store full",
                   f->seq, f->run, f->unit);
    if (r->state > 0)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": a unit came into run %" PRIu64 ", which is closed", f->seq,
                   f->run);
    r->unit = ck_more(r->unit, &r->unit_cap, r->units, sizeof *r->unit);
    r->unit[r->units++] = ck_must(calloc(1, sizeof(struct ck_unit) + r->stations * sizeof(struct ck_task)));
    for (uint32_t i = 0; i < r->stations; i++)
        r->counts[i][CK_BLOCKED]++;
    c->sums.units++;
    touch(c, f->run, f->unit);
}

/* A task goes on exactly as long as it has attempts left. */
static void attempts_left(struct checker *c, const struct fact *f, const struct ck_task *t, uint32_t index,
                          bool goes_on)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (s && s->f.attempts && (t->attempts < s->f.attempts) != goes_on)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station index %u %s after %u of %u attempts",
                   f->seq, f->run, f->unit, index, goes_on ? "goes on" : "is dead", t->attempts, s->f.attempts);
}

static void waiting(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "waits", &r);
    if (!t)
        return;
    if (t->state == CK_WAITING && f->due < t->due) /* at a station with copies: the rest of all its failures */
        ck_verdict(c, TOO_EARLY,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u rests %" PRId64
                   " us less than it had to",
                   f->seq, f->run, f->unit, f->station, t->due - f->due);
    t->due = f->due;
    if (f->why == 6)
        attempts_left(c, f, t, ck_index_of(c, f->station), true);
    unsigned several = ck_copies(c, f->station) ? IS(READY) | IS(WAITING) : 0; /* another's failure, or more than one */
    move(c, r, f, t, ck_index_of(c, f->station), CK_WAITING, f->why == 0 ? IS(BLOCKED) : IN_HAND | several);
}

bool checker_for_nobody(uint64_t why)
{
    return why >= PARKED_FOR_NOBODY && why <= PARKED_KEPT_OUT;
}

static void dead(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "dead", &r);
    if (!t)
        return;
    if (f->why == 0)
        attempts_left(c, f, t, ck_index_of(c, f->station), false);
    t->parked = (uint8_t)f->why;
    if (f->why == 4 && ck_sent_back(c, f, t)) { /* rejected in the last round */
        move(c, r, f, t, ck_index_of(c, f->station), CK_DEAD, IS(DONE));
        touch(c, f->run, f->unit);
        return;
    }
    if (checker_for_nobody(f->why))
        ck_nobody(c, f, t);
    unsigned several = ck_copies(c, f->station) ? IS(READY) | IS(WAITING) | IS(DEAD) : 0;
    unsigned in = checker_for_nobody(f->why) ? IS(READY) : IN_HAND;
    move(c, r, f, t, ck_index_of(c, f->station), CK_DEAD, in | several);
}

/* When the step is over, is somebody left for it, if it still waits? */
static void waits(struct checker *c, uint64_t run, uint64_t unit, uint32_t station, int64_t wall)
{
    c->waits = ck_more(c->waits, &c->waits_cap, c->waits_n, sizeof *c->waits);
    c->waits[c->waits_n++] = (struct ck_waits){ run, unit, station, wall, c->at };
}

static void ready(struct checker *c, const struct fact *f)
{
    static const unsigned from[] = { [0] = IS(BLOCKED),
                                     [1] = IS(BLOCKED),
                                     [2] = IS(WAITING),
                                     [3] = IS(ASSIGNED) | IS(STARTED),
                                     [4] = IS(ASSIGNED) | IS(STARTED),
                                     [5] = IS(ASSIGNED) | IS(STARTED),
                                     [6] = 0,
                                     [7] = IS(DEAD),
                                     [8] = IS(ASSIGNED),
                                     [11] = IN_HAND | IS(DEAD),
                                     [12] = IS(DONE),
                                     [13] = IS(READY),
                                     [READY_FOR_SOMEBODY] = IS(DEAD),
                                     [17] = IN_HAND };
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "ready", &r);
    if (!t)
        return;
    uint32_t i = ck_index_of(c, f->station);
    if (f->why == 4 && !t->declined) {
        count(r, i, t, -1);
        t->declined = true;
        count(r, i, t, 1);
    }
    if (f->why == 2 && f->at < t->due)
        ck_verdict(c, TOO_EARLY,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is ready %" PRId64
                   " us before its delay is over",
                   f->seq, f->run, f->unit, f->station, t->due - f->at);
    if (f->why == 12 && ck_sent_back(c, f, t))
        touch(c, f->run, f->unit);
    if (f->why == 13 && (!t->author || f->at < t->back_us))
        ck_verdict(c, TOO_EARLY,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is anybody's %" PRId64
                   " us before its author's time is over",
                   f->seq, f->run, f->unit, f->station, t->back_us - f->at);
    if (f->why == 4 || f->why == 7 || f->why == 13)
        t->author = 0;
    const struct fact *copies = ck_copies(c, f->station);
    if (f->why == 5 &&
        !copies) /* with copies, one that had not begun counts nothing, and the task may have been dead before */
        attempts_left(c, f, t, i, true);
    unsigned may = f->why < sizeof from / sizeof *from ? from[f->why] : 0;
    if (copies && f->why == 8)
        may = IN_HAND;
    if (f->why == READY_FOR_SOMEBODY && !checker_for_nobody(t->parked))
        may = 0; /* only what had nobody left comes back by itself */
    move(c, r, f, t, i, CK_READY, may);
    if (copies && t->accepted + t->outstanding >= ck_wanted(copies, t))
        ck_verdict(c, OVER_ASKED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u is ready: %u outstanding, %u accepted of %u wanted",
                   f->seq, f->run, f->unit, f->station, t->outstanding, t->accepted, ck_wanted(copies, t));
    if (f->why == 7)
        t->attempts = 0;
    t->ready_us = f->at;
    waits(c, f->run, f->unit, f->station, f->wall);
    if (!t->place) { /* its turn at the first dispatch */
        struct ck_fifo *q = &r->fifo[i];
        q->unit = ck_more(q->unit, &q->cap, q->n, sizeof *q->unit);
        q->unit[q->n++] = f->unit;
        t->place = q->n;
    } else if (!t->dispatched) {
        t->came_back = true;
    }
}

bool ck_on_shift(const struct checker *c, const struct ck_worker *w, int64_t wall)
{
    const struct ck_shift *s = ck_get(&c->shifts, w->f.digest ^ w->f.hub * 0x1000003);
    if (!w->f.digest)
        return true;
    for (size_t i = 0; s && i + 1 < s->n; i += 2)
        if (s->times[i] - 1000000 <= wall && wall < s->times[i + 1])
            return true;
    return false;
}

bool ck_did_before(struct checker *c, uint64_t run, uint64_t unit, uint64_t worker, const struct ck_station *s)
{
    const struct ck_unit *u = ck_unit(c, run, unit);
    uint32_t not_did = s->f.review ? ck_upstream(c, s) : s->f.not_did;
    for (uint32_t k = 0; u && k < s->f.stations; k++)
        for (const struct ck_assignment *a = not_did >> k & 1 ? ck_get(&c->assignments, u->task[k].newest) : NULL; a;
             a = ck_get(&c->assignments, a->prev))
            if (a->worker == worker && a->state == CK_COUNTED)
                return true;
    return false;
}

void ck_may_do(struct checker *c, const struct fact *f, const struct ck_run *r, const struct ck_station *s,
               uint64_t newest)
{
    const struct ck_worker *w = ck_get(&c->workers, f->worker);
    const struct ck_hub *h = ck_get(&c->hubs, f->hub);
    const struct ck_line *l = ck_get(&c->lines, s->f.line);
    const char *why = NULL;
    if (!w || w->f.hub != f->hub)
        why = "is not of that hub";
    else if (!w->on)
        why = "is not on the roster";
    else if (s->f.wkind && (s->f.wkind == 2) != (w->f.wkind == 1))
        why = "is of the wrong kind";
    else if (!h || !h->session || w->session != h->session || !w->signed_in)
        why = "is not signed in";
    else if (!ck_on_shift(c, w, f->wall))
        why = "is off shift";
    else if (r->paused || r->state > 1)
        why = "gets it though the run is paused or over";
    else if (l && (l->state || l->paused >> (s->f.ties >= TIES_JURY_FIRST ? s->f.jury : s->f.index) & 1))
        why = "gets it though line or station is paused";
    else if (s->f.shut_hubs >> w->f.index & 1)
        why = "is of a hub that gets nothing here";
    else if (s->f.shut_teams >> w->f.team & 1)
        why = "is of a team that gets nothing here";
    else if (ck_did_before(c, f->run, f->unit, f->worker, s))
        why = "did what comes before";
    else if (ck_kept_out(c, f->worker, &s->f))
        why = "is suspended there";
    else if (ck_authors_alone(c, f, s))
        why = "is not its author, whose it is for a while";
    for (uint32_t i = 0; !why && i < CHECKER_SKILLS; i++)
        if (ck_level(c, w, i, f->wall) < s->f.level[i])
            why = "lacks a skill";
    for (const struct ck_assignment *a = why || !newest ? NULL : ck_get(&c->assignments, newest); a;
         a = ck_get(&c->assignments, a->prev))
        if (a->worker == f->worker && ck_declined(a))
            why = "has declined it";
        else if (a->worker == f->worker && a->state != CK_RETURNED && s->f.copies_max)
            why = "holds it or has answered it";
    if (why)
        ck_verdict(c, NOT_ELIGIBLE, "event %" PRIu64 ": assignment %" PRIu64 " at station %u: worker %" PRIu64 " %s",
                   f->seq, f->assignment, f->station, f->worker, why);
}

void ck_assignment_made(struct checker *c, const struct fact *f, struct ck_run *r, const struct ck_station *s,
                        uint64_t prev)
{
    ck_number_given(c, f);
    if (f->assignment != c->newest_assignment + 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " follows %" PRIu64, f->seq, f->assignment,
                   c->newest_assignment);
    c->newest_assignment = f->assignment;
    struct ck_worker *w = ck_get(&c->workers, f->worker);
    if (w) {
        const struct ck_grant *g = ck_get(&c->grants, w->session * 0x1000003 ^ f->worker);
        if (++w->sent > (g ? g->total : 0))
            ck_verdict(c, CREDIT_NEGATIVE,
                       "event %" PRIu64 ": worker %" PRIu64 " was sent %" PRIu64 " and granted %" PRIu64, f->seq,
                       f->worker, w->sent, g ? g->total : 0);
    }
    struct ck_assignment *a = ck_make(&c->assignments, f->assignment, sizeof *a);
    *a = (struct ck_assignment){ .run = f->run,
                                 .unit = f->unit,
                                 .station = f->station,
                                 .worker = f->worker,
                                 .hub = f->hub,
                                 .state = CK_HANDED,
                                 .until = f->at + s->f.start_by_us,
                                 .given = f->wall,
                                 .prev = prev,
                                 .round = ck_round_shown(c, f, s),
                                 .sent = a->sent,
                                 .sents = a->sents,
                                 .bad_sent = a->bad_sent,
                                 .sent_cap = a->sent_cap };
    ck_limit_given(c, f, s, w);
    ck_bar_given(c, f, &s->f);
    r->served++;
    r->served_last = f->unit;
    c->sums.assignments++;
}

static void assigned(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "assigned", &r);
    if (!t)
        return;
    const struct ck_station *s = ck_get(&c->stations, f->station);
    ck_may_do(c, f, r, s, t->newest);
    ck_offered_in_time(c, f, s);
    if (t->outstanding + t->accepted >= (s->f.copies_max ? ck_wanted(&s->f, t) : 1))
        ck_verdict(c, OVER_ASKED,
                   "event %" PRIu64 ": assignment %" PRIu64 " of run %" PRIu64 " unit %" PRIu64
                   ": %u outstanding, %u accepted already",
                   f->seq, f->assignment, f->run, f->unit, t->outstanding, t->accepted);
    ck_assignment_made(c, f, r, s, t->newest);
    ck_gold_counted(c, f, s);
    move(c, r, f, t, s->f.index, CK_ASSIGNED,
         s->f.copies_max ? IS(READY) | IN_HAND : IS(READY)); /* several places in one step */
    t->newest = t->holder = f->assignment;
    t->outstanding++;
    in_hand(c, r, f, t, f->station);
    ck_gave(c, f, r, s->f.index);
    if (!t->dispatched) {
        struct ck_fifo *q = &r->fifo[s->f.index];
        t->dispatched = true;
        if (!t->came_back) {
            c->in_step.firsts =
                ck_more(c->in_step.firsts, &c->in_step.firsts_cap, c->in_step.firsts_n, sizeof *c->in_step.firsts);
            c->in_step.firsts[c->in_step.firsts_n++] = (struct ck_first){ r, t->place, f->worker, s->f.index };
        }
        if (t->place > q->furthest)
            q->furthest = t->place;
        q->dirty = true;
        r->fifo_dirty = c->fifo_dirty = true;
    }
}

static struct ck_assignment *known(struct checker *c, const struct fact *f, const char *what)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    if (!a || !a->run) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " %s, which was never given", f->seq,
                   f->assignment, what);
        return NULL;
    }
    return a;
}

void ck_move_assignment(struct checker *c, const struct fact *f, struct ck_assignment *a, enum ck_astate to,
                        unsigned from)
{
    static const char *const name[] = { "handed", "started", "counted", "late", "returned" };
    if (!(from >> a->state & 1))
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " goes from %s to %s", f->seq,
                   f->assignment, name[a->state], name[to]);
    if (a->changed != c->step) {
        a->was = a->state;
        a->was_why = a->why;
        a->changed = c->step;
    }
    a->state = to;
}

struct ck_task *ck_task_at(struct checker *c, const struct ck_assignment *a)
{
    struct ck_unit *u = ck_unit(c, a->run, a->unit);
    return u ? &u->task[ck_index_of(c, a->station)] : NULL;
}

static void started(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "started");
    struct ck_task *t = a ? ck_task_at(c, a) : NULL;
    if (!t)
        return;
    ck_move_assignment(c, f, a, CK_BEGUN, 1u << CK_HANDED);
    struct ck_run *r = ck_get(&c->runs, a->run);
    struct fact at = *f;
    at.run = a->run;
    at.unit = a->unit;
    at.station = a->station;
    t->begun++;
    if (ck_copies(c, a->station))
        in_hand(c, r, &at, t, a->station);
    else if (t->holder == f->assignment && t->state == CK_ASSIGNED)
        move(c, r, &at, t, ck_index_of(c, a->station), CK_STARTED, IS(ASSIGNED));
}

static void returned(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "came back");
    struct ck_task *t = a ? ck_task_at(c, a) : NULL;
    if (!t)
        return;
    bool begun = a->state == CK_BEGUN;
    if (f->why == 17)
        ck_taken_back(c, f, a);
    if (f->why == 6 || (f->why == 5 && begun))
        t->attempts++;
    if (f->why == 5 && f->at < a->until)
        ck_verdict(c, TOO_EARLY, "event %" PRIu64 ": assignment %" PRIu64 " expires %" PRId64 " us early", f->seq,
                   f->assignment, a->until - f->at);
    struct ck_run *r = ck_get(&c->runs, a->run);
    bool begun_stays = f->why == 8 && !(r && r->state == 4); /* only with its run does a begun one go */
    if (begun_stays && begun && ck_copies(c, a->station)) {  /* or with its worker's late answer, of this step */
        begun_stays = false;
        t->owes = a->worker;
        touch(c, a->run, a->unit);
    }
    ck_limit_over(c, f, a, f->why == 6 || f->why == 9 || (f->why == 5 && begun));
    if (f->why == 6 || (begun && (f->why == 3 || f->why == 5)))
        ck_worked(c, f, a, true);
    ck_move_assignment(c, f, a, CK_RETURNED, begun_stays ? 1u << CK_HANDED : 1u << CK_HANDED | 1u << CK_BEGUN);
    a->why = (uint8_t)f->why;
    if (t->outstanding)
        t->outstanding--;
    t->begun -= begun && t->begun;
    if (r && r->state <= 1 && ck_copies(c, a->station) && t->outstanding)
        in_hand(c, r, f, t, a->station);
    if (r && f->why == 4)
        r->fair_reset = true;
}

static void submitted(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "gave a result");
    struct ck_task *t = a ? ck_task_at(c, a) : NULL;
    if (!t)
        return;
    if (f->result != c->newest_result + 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": result %" PRIu64 " follows %" PRIu64, f->seq, f->result,
                   c->newest_result);
    c->newest_result = f->result;
    const struct fact *copies = ck_copies(c, a->station);
    struct ck_run *run = ck_get(&c->runs, a->run);
    ck_counted(c, f, a);
    if (a->state <= CK_BEGUN && t->outstanding)
        t->outstanding--;
    t->begun -= a->state == CK_BEGUN && t->begun;
    if (a->state <= CK_BEGUN)
        ck_limit_over(c, f, a, true);
    if (run && copies && t->outstanding)
        in_hand(c, run, f, t, a->station);
    ck_move_assignment(c, f, a, f->flag ? CK_LATE : CK_COUNTED, 1u << CK_HANDED | 1u << CK_BEGUN | 1u << CK_RETURNED);
    a->result = f->result;
    if (f->flag) {
        c->sums.results_late++;
        touch(c, a->run, a->unit);
        if (copies) /* its worker is not asked again */
            waits(c, a->run, a->unit, a->station, f->wall);
        return;
    }
    c->sums.results_counted++;
    ck_worked(c, f, a, false);
    if (t->owes == a->worker)
        t->owes = 0;
    for (const struct ck_assignment *o = copies ? ck_get(&c->assignments, t->newest) : NULL; o;
         o = ck_get(&c->assignments, o->prev))
        if (o != a && o->worker == a->worker && o->state == CK_COUNTED)
            ck_verdict(c, DOUBLE_ACCEPT,
                       "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u: worker %" PRIu64
                       " has two answers that count",
                       f->seq, a->run, a->unit, a->station, a->worker);
    if (t->accepted++ && !copies)
        ck_verdict(c, DOUBLE_ACCEPT,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u: assignment %" PRIu64
                   " counts, %" PRIu64 " counted before",
                   f->seq, a->run, a->unit, a->station, f->assignment, t->winner);
    if (copies && t->accepted + t->outstanding > ck_wanted(copies, t))
        ck_verdict(c, OVER_ASKED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u: %u answers count and %u are outstanding, %u were wanted",
                   f->seq, a->run, a->unit, a->station, t->accepted, t->outstanding, ck_wanted(copies, t));
    if (!copies)
        t->winner = f->assignment;
    touch(c, a->run, a->unit);
}

static void task_done(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "done", &r);
    if (!t)
        return;
    move(c, r, f, t, ck_index_of(c, f->station), CK_DONE,
         IS(READY) | IS(WAITING) | IS(ASSIGNED) | IS(STARTED) | IS(DEAD) | (t->at_once ? IS(BLOCKED) : 0));
    touch(c, f->run, f->unit);
    ck_no_void_counts(c, f, t);
    t->author = 0;
    const struct ck_station *s = ck_get(&c->stations, f->station);
    const struct ck_assignment *a = ck_get(&c->assignments, t->winner);
    if (s && s->f.review && (t->goes_back || !a || t->reviewed != a->result))
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is done, and its verdict %s", f->seq,
                   f->run, f->unit, f->station, t->goes_back ? "was to reject" : "was not told");
}

static void blocked(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "waits again", &r);
    if (!t)
        return;
    move(c, r, f, t, ck_index_of(c, f->station), CK_BLOCKED,
         IS(READY) | IS(WAITING) | IS(ASSIGNED) | IS(STARTED) | IS(DEAD));
    ck_goes_back(c, f, t);
    touch(c, f->run, f->unit);
}

static void reviewed(struct checker *c, const struct fact *f)
{
    struct ck_task *t = task_of(c, f, "reviewed", NULL);
    if (t)
        ck_reviewed(c, f, t);
}

/* A late answer took the last open place. */
static void held(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "held", &r);
    const struct fact *copies = ck_copies(c, f->station);
    if (!t)
        return;
    move(c, r, f, t, ck_index_of(c, f->station), t->begun ? CK_STARTED : CK_ASSIGNED,
         IS(READY) | IS(WAITING) | IS(DEAD));
    if (!copies || t->accepted + t->outstanding != ck_wanted(copies, t))
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64
                   " station %u is in hand: %u outstanding, %u accepted of %u wanted",
                   f->seq, f->run, f->unit, f->station, t->outstanding, t->accepted, copies ? ck_wanted(copies, t) : 0);
}

/* One more is asked: where all answers that were wanted are in, or by an operator, where nobody is left to be asked. (Whether they really do not agree
 * is judged at the end.) */
static void wants(struct checker *c, const struct fact *f)
{
    struct ck_task *t = task_of(c, f, "wants one more", NULL);
    const struct fact *copies = ck_copies(c, f->station);
    if (!t)
        return;
    uint32_t old = copies ? ck_wanted(copies, t) : 1;
    bool jury = copies && copies->ties >= TIES_JURY_FIRST;
    bool may = copies && (f->count == old + 1 || (jury && f->why == 11 && f->count > old)) &&
               t->accepted + t->outstanding == old;
    if (f->why == 7)
        may = may && t->state == CK_DEAD;
    else
        may = may && f->why == 11 && !t->outstanding && (jury || copies->ties == TIES_MORE) &&
              f->count <= copies->copies_max;
    if (!may)
        ck_verdict(c, OVER_ASKED,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u (%s) wants %" PRIu64
                   " instead of %u (why %u): %u outstanding, %u accepted",
                   f->seq, f->run, f->unit, f->station, ck_state_names[t->state], f->count, old, f->why, t->outstanding,
                   t->accepted);
    t->wanted = (uint32_t)f->count;
}

/* What the answers came to. Which of them leads is judged at the end, when it is known what they said. */
static void decided(struct checker *c, const struct fact *f)
{
    struct ck_task *t = task_of(c, f, "decided", NULL);
    const struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    const struct fact *copies = ck_copies(c, f->station);
    if (!t)
        return;
    if (f->result != c->newest_result + 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": outcome %" PRIu64 " follows result %" PRIu64, f->seq, f->result,
                   c->newest_result);
    c->newest_result = f->result;
    const struct ck_unit *u = ck_unit(c, f->run, f->unit);
    bool jury = copies && copies->ties >= TIES_JURY_FIRST;
    uint32_t from =
        jury ? f->station - copies->index + copies->jury : f->station; /* where the answers are that it follows */
    uint64_t counted = jury && f->flag ? u->task[copies->jury].accepted : t->accepted;
    t->at_once = f->flag;
    if (!copies || !a || a->state != CK_COUNTED || a->run != f->run || a->unit != f->unit || a->station != from ||
        t->outstanding || f->count != counted || (f->flag ? !jury || t->accepted : t->accepted != ck_wanted(copies, t)))
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is decided by assignment %" PRIu64
                   ", of %" PRIu64 " answers; %u count, %u are outstanding, %u wanted",
                   f->seq, f->run, f->unit, f->station, f->assignment, f->count, t->accepted, t->outstanding,
                   copies ? ck_wanted(copies, t) : 0);
    t->winner = f->assignment;
    t->votes = f->state;
    ck_agreed(c, f, t);
}

static void voided(struct checker *c, const struct fact *f)
{
    struct ck_task *t = task_of(c, f, "lost an answer", NULL);
    if (t)
        ck_void(c, f, t);
}

static void simple_move(struct checker *c, const struct fact *f, enum ck_state to, unsigned from, const char *what)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, what, &r);
    if (t)
        move(c, r, f, t, ck_index_of(c, f->station), to, from);
    if (t && to == CK_SKIPPED)
        touch(c, f->run, f->unit);
}

static void unit_ends(struct checker *c, const struct fact *f, uint8_t state)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    if (!r || !u || u->state) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " ends (%u), but it %s", f->seq,
                   f->run, f->unit, state, u ? "had ended" : "is not there");
        return;
    }
    if (state == 2 && c->left_over)
        ck_left_over(c, f, r, u);
    u->state = state;
    touch(c, f->run, f->unit);
    if (state == 1)
        r->done++;
    else
        r->dropped++;
    for (uint32_t i = 0; state == 2 && i < r->stations; i++)
        if (u->task[i].state != CK_DONE && u->task[i].state != CK_SKIPPED)
            move(c, r, f, &u->task[i], i, CK_ENDED, ~0u);
    c->fifo_dirty = r->fifo_dirty = true;
}

static void run_state(struct checker *c, const struct fact *f)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    if (!r)
        return;
    if (f->state == 2 && r->done + r->dropped != r->units)
        ck_verdict(c, WRONG_STATE,
                   "event %" PRIu64 ": run %" PRIu64 " is done with %" PRIu64 " of %zu units at their end", f->seq,
                   f->run, r->done + r->dropped, r->units);
    if (f->state < r->state && r->state > 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " goes from state %u back to %u", f->seq, f->run,
                   r->state, f->state);
    if (f->state >= 3 && r->state <= 1) {
        for (size_t k = 0; k < r->units; k++) {
            struct ck_unit *u = r->unit[k];
            if (u->state)
                continue;
            u->state = 3;
            r->cancelled++;
            for (uint32_t i = 0; i < r->stations; i++)
                if (u->task[i].state != CK_DONE && u->task[i].state != CK_SKIPPED)
                    move(c, r, f, &u->task[i], i, CK_ENDED, ~0u);
        }
    }
    r->state = (uint8_t)f->state;
    r->paused = f->flag;
    r->told_anew = c->step;
    if (r->priority != f->count)
        r->fair_reset = true;
    r->priority = (uint8_t)f->count;
}

/* True if the fact is one of these. */
bool ck_event(struct checker *c, const struct fact *f)
{
    if (ck_gold_event(c, f))
        return true;
    switch (f->kind) {
    case FACT_RUN_STATE: run_state(c, f); break;
    case FACT_UNITS_ADDED: units_added(c, f); break;
    case FACT_READY: ready(c, f); break;
    case FACT_WAITING: waiting(c, f); break;
    case FACT_SKIPPED: simple_move(c, f, CK_SKIPPED, IS(BLOCKED), "skipped"); break;
    case FACT_ASSIGNED: assigned(c, f); break;
    case FACT_STARTED: started(c, f); break;
    case FACT_RETURNED: returned(c, f); break;
    case FACT_SUBMITTED: submitted(c, f); break;
    case FACT_TASK_DONE: task_done(c, f); break;
    case FACT_DEAD: dead(c, f); break;
    case FACT_HELD: held(c, f); break;
    case FACT_BLOCKED: blocked(c, f); break;
    case FACT_REVIEWED: reviewed(c, f); break;
    case FACT_WANTS: wants(c, f); break;
    case FACT_VOID: voided(c, f); break;
    case FACT_DECIDED: decided(c, f); break;
    case FACT_PLACED: ck_placed(c, f); break;
    case FACT_UNIT_DONE: unit_ends(c, f, 1); break;
    case FACT_DROPPED: unit_ends(c, f, 2); break;
    default: return false;
    }
    return true;
}
