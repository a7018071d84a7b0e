/* The checker's model and what is judged on the way: see checker.h. What is judged at the end is in checker_end.c. */
#include "tests/sim/checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/checker_model.h"

#define FAIR_BOUND 3 /* start-time fair queueing: one served ahead on each side, and one in the step */

const char *verdict_name(enum verdict v)
{
    static const char *const name[VERDICTS] = {
        [LOST] = "lost", [UNEXPECTED] = "unexpected", [DUPLICATED] = "duplicated", [DOUBLE_ACCEPT] = "double_accept",
        [STALE_ACCEPTED] = "stale_token_accepted", [BYTES_DIFFER] = "bytes_differ", [FIFO] = "fifo", [FAIRNESS] = "fairness",
        [EVENT_GAP] = "event_gap", [COUNTERS] = "counters", [NOT_ELIGIBLE] = "not_eligible", [OVER_ASKED] = "over_asked",
        [CREDIT_NEGATIVE] = "credit_negative", [WRONG_STATE] = "wrong_state", [TOO_EARLY] = "too_early", [UNFINISHED] = "unfinished",
    };
    return name[v];
}

void ck_verdict(struct checker *c, enum verdict v, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->count[v]++)
        snprintf(c->text[v], sizeof c->text[v], "%s", text);
    if (c->story && c->count[v] <= 20)
        fprintf(c->story, "VERDICT %s: %s\n", verdict_name(v), text);
}

/* ---- tables ---- */

void *ck_get(const struct table *t, uint64_t key)
{
    for (size_t i = key * 0x9e3779b97f4a7c15ull >> 20; t->cap; i++) {
        const struct slot *s = &t->v[i & (t->cap - 1)];
        if (!s->p)
            return NULL;
        if (s->key == key)
            return s->p;
    }
    return NULL;
}

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "checker: out of memory\n");
        abort();
    }
    return p;
}

static void put(struct table *t, uint64_t key, void *p)
{
    if ((t->n + 1) * 2 > t->cap) {
        struct table big = { .cap = t->cap ? t->cap * 2 : 64 };
        big.v = must(calloc(big.cap, sizeof *big.v));
        for (size_t i = 0; i < t->cap; i++)
            if (t->v[i].p)
                put(&big, t->v[i].key, t->v[i].p);
        free(t->v);
        *t = big;
    }
    size_t i = key * 0x9e3779b97f4a7c15ull >> 20;
    while (t->v[i & (t->cap - 1)].p)
        i++;
    t->v[i & (t->cap - 1)] = (struct slot){ key, p };
    t->n++;
}

/* Find, or make it, zeroed. */
static void *make(struct table *t, uint64_t key, size_t size)
{
    void *p = ck_get(t, key);
    if (!p)
        put(t, key, p = must(calloc(1, size)));
    return p;
}

static void table_free(struct table *t, void (*end)(void *))
{
    for (size_t i = 0; i < t->cap; i++)
        if (t->v[i].p) {
            if (end)
                end(t->v[i].p);
            free(t->v[i].p);
        }
    free(t->v);
}

static void *more(void *p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return p;
    size_t was = *cap;
    *cap = was ? was * 2 : 16;
    p = must(realloc(p, *cap * size));
    memset((char *)p + was * size, 0, (*cap - was) * size);
    return p;
}

struct checker *checker_new(FILE *story)
{
    struct checker *c = must(calloc(1, sizeof *c));
    c->story = story;
    c->step = 1;
    return c;
}

static void run_end(void *p)
{
    struct ck_run *r = p;
    for (size_t i = 0; i < r->units; i++)
        free(r->unit[i]);
    free(r->unit);
    for (size_t i = 0; i < CHECKER_STATIONS_MAX; i++)
        free(r->fifo[i].unit);
}

static void assignment_end(void *p) { free(((struct ck_assignment *)p)->sent); }

void checker_free(struct checker **pc)
{
    struct checker *c = *pc;
    if (!c)
        return;
    table_free(&c->stations, NULL);
    table_free(&c->workers, NULL);
    table_free(&c->hubs, NULL);
    table_free(&c->lines, NULL);
    table_free(&c->runs, run_end);
    table_free(&c->rows, NULL);
    table_free(&c->assignments, assignment_end);
    table_free(&c->grants, NULL);
    table_free(&c->sessions, NULL);
    table_free(&c->subscribers, NULL);
    free(c->touched);
    free(c->pair);
    free(c);
    *pc = NULL;
}

uint64_t checker_count(const struct checker *c, enum verdict v) { return c->count[v]; }
const char *checker_first(const struct checker *c, enum verdict v) { return c->text[v]; }
struct checker_sums checker_sums(const struct checker *c) { return c->sums; }

uint64_t checker_total(const struct checker *c)
{
    uint64_t n = 0;
    for (int v = 0; v < VERDICTS; v++)
        n += c->count[v];
    return n;
}

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
    ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": %s of run %" PRIu64 " unit %" PRIu64 " station %u, which is not there", f->seq, what, f->run, f->unit,
               f->station);
    return NULL;
}

static const char *const state_names[] = { "blocked", "waiting", "ready", "assigned", "started", "done", "skipped", "dead", "ended" };

static void count(struct ck_run *r, uint32_t index, const struct ck_task *t, int by)
{
    r->counts[index][t->state] += (uint64_t)(int64_t)by;
    if (t->state == CK_READY && !t->declined)
        r->free_ready[index] += by;
}

static void move(struct checker *c, struct ck_run *r, const struct fact *f, struct ck_task *t, uint32_t index, enum ck_state to, unsigned from)
{
    if (r->state <= 1 && !(from >> t->state & 1))
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u goes from %s to %s", f->seq, f->run, f->unit, f->station,
                   state_names[t->state], state_names[to]);
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

static uint32_t index_of(const struct checker *c, uint32_t station)
{
    const struct ck_station *s = ck_get(&c->stations, station);
    return s ? s->f.index : 0;
}

static void touch(struct checker *c, uint64_t run, uint64_t unit)
{
    c->touched = more(c->touched, &c->touched_cap, c->touched_n, sizeof *c->touched);
    c->touched[c->touched_n++] = (struct ck_touched){ run, unit };
}

static void units_added(struct checker *c, const struct fact *f)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    if (!r || f->unit != r->units + 1) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": unit %" PRIu64 " of run %" PRIu64 " follows %zu", f->seq, f->unit, f->run, r ? r->units : 0);
        return;
    }
    if (r->state > 0)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": a unit came into run %" PRIu64 ", which is closed", f->seq, f->run);
    r->unit = more(r->unit, &r->unit_cap, r->units, sizeof *r->unit);
    r->unit[r->units++] = must(calloc(1, sizeof(struct ck_unit) + r->stations * sizeof(struct ck_task)));
    for (uint32_t i = 0; i < r->stations; i++)
        r->counts[i][CK_BLOCKED]++;
    c->sums.units++;
    touch(c, f->run, f->unit);
}

/* A task goes on exactly as long as it has attempts left. */
static void attempts_left(struct checker *c, const struct fact *f, const struct ck_task *t, uint32_t index, bool goes_on)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (s && s->f.attempts && (t->attempts < s->f.attempts) != goes_on)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station index %u %s after %u of %u attempts", f->seq, f->run, f->unit, index,
                   goes_on ? "goes on" : "is dead", t->attempts, s->f.attempts);
}

static void waiting(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "waits", &r);
    if (!t)
        return;
    t->due = f->due;
    if (f->why == 6)
        attempts_left(c, f, t, index_of(c, f->station), true);
    move(c, r, f, t, index_of(c, f->station), CK_WAITING, f->why == 0 ? IS(BLOCKED) : IS(ASSIGNED) | IS(STARTED));
}

static void dead(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "dead", &r);
    if (!t)
        return;
    if (f->why == 0)
        attempts_left(c, f, t, index_of(c, f->station), false);
    move(c, r, f, t, index_of(c, f->station), CK_DEAD, IS(ASSIGNED) | IS(STARTED));
}

static void ready(struct checker *c, const struct fact *f)
{
    static const unsigned from[] = { [0] = IS(BLOCKED), [1] = IS(BLOCKED), [2] = IS(WAITING), [3] = IS(ASSIGNED) | IS(STARTED),
                                     [4] = IS(ASSIGNED) | IS(STARTED), [5] = IS(ASSIGNED) | IS(STARTED), [6] = 0, [7] = IS(DEAD), [8] = IS(ASSIGNED) };
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "ready", &r);
    if (!t)
        return;
    uint32_t i = index_of(c, f->station);
    if (f->why == 4 && !t->declined) {
        count(r, i, t, -1);
        t->declined = true;
        count(r, i, t, 1);
    }
    if (f->why == 2 && f->at < t->due)
        ck_verdict(c, TOO_EARLY, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u is ready %" PRId64 " us before its delay is over", f->seq, f->run,
                   f->unit, f->station, t->due - f->at);
    if (f->why == 5)
        attempts_left(c, f, t, i, true);
    move(c, r, f, t, i, CK_READY, f->why <= 8 ? from[f->why] : 0);
    if (f->why == 7)
        t->attempts = 0;
    if (!t->place) { /* its turn at the first dispatch */
        struct ck_fifo *q = &r->fifo[i];
        q->unit = more(q->unit, &q->cap, q->n, sizeof *q->unit);
        q->unit[q->n++] = f->unit;
        t->place = q->n;
    }
}

static void may_do(struct checker *c, const struct fact *f, const struct ck_run *r, const struct ck_station *s, const struct ck_task *t)
{
    const struct ck_worker *w = ck_get(&c->workers, f->worker);
    const struct ck_hub *h = ck_get(&c->hubs, f->hub);
    const struct ck_line *l = ck_get(&c->lines, s->f.line);
    const char *why = NULL;
    if (!w || w->f.hub != f->hub)
        why = "is not of that hub";
    else if (s->f.wkind && (s->f.wkind == 2) != (w->f.wkind == 1))
        why = "is of the wrong kind";
    else if (!h || !h->session || w->session != h->session || !w->signed_in)
        why = "is not signed in";
    else if (r->paused || r->state > 1)
        why = "gets it though the run is paused or over";
    else if (l && (l->state || l->paused >> s->f.index & 1))
        why = "gets it though line or station is paused";
    for (uint32_t i = 0; !why && i < CHECKER_SKILLS; i++)
        if (w->f.level[i] < s->f.level[i])
            why = "lacks a skill";
    for (const struct ck_assignment *a = why ? NULL : ck_get(&c->assignments, t->newest); a; a = ck_get(&c->assignments, a->prev))
        if (a->worker == f->worker && a->state == CK_RETURNED && a->why == 4)
            why = "has declined it";
    if (why)
        ck_verdict(c, NOT_ELIGIBLE, "event %" PRIu64 ": assignment %" PRIu64 " at station %u: worker %" PRIu64 " %s", f->seq, f->assignment, f->station,
                   f->worker, why);
}

static void assigned(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "assigned", &r);
    if (!t)
        return;
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (f->assignment != c->newest_assignment + 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " follows %" PRIu64, f->seq, f->assignment, c->newest_assignment);
    c->newest_assignment = f->assignment;
    may_do(c, f, r, s, t);
    if (t->outstanding + t->accepted >= 1)
        ck_verdict(c, OVER_ASKED, "event %" PRIu64 ": assignment %" PRIu64 " of run %" PRIu64 " unit %" PRIu64 ": %u outstanding, %u accepted already", f->seq,
                   f->assignment, f->run, f->unit, t->outstanding, t->accepted);
    struct ck_worker *w = ck_get(&c->workers, f->worker);
    if (w) {
        const struct ck_grant *g = ck_get(&c->grants, w->session * 0x1000003 ^ f->worker);
        if (++w->sent > (g ? g->total : 0))
            ck_verdict(c, CREDIT_NEGATIVE, "event %" PRIu64 ": worker %" PRIu64 " was sent %" PRIu64 " and granted %" PRIu64, f->seq, f->worker, w->sent,
                       g ? g->total : 0);
    }
    struct ck_assignment *a = make(&c->assignments, f->assignment, sizeof *a);
    *a = (struct ck_assignment){ .run = f->run, .unit = f->unit, .station = f->station, .worker = f->worker, .hub = f->hub, .state = CK_HANDED, .until = f->at + s->f.start_by_us,
                                 .prev = t->newest, .sent = a->sent, .sents = a->sents, .sent_cap = a->sent_cap };
    move(c, r, f, t, s->f.index, CK_ASSIGNED, IS(READY));
    t->newest = t->holder = f->assignment;
    t->outstanding++;
    r->served++;
    if (!t->dispatched) {
        struct ck_fifo *q = &r->fifo[s->f.index];
        t->dispatched = true;
        if (t->place > q->furthest)
            q->furthest = t->place;
        q->dirty = true;
        r->fifo_dirty = c->fifo_dirty = true;
    }
    c->sums.assignments++;
}

static struct ck_assignment *known(struct checker *c, const struct fact *f, const char *what)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    if (!a || !a->run) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " %s, which was never given", f->seq, f->assignment, what);
        return NULL;
    }
    return a;
}

static void move_assignment(struct checker *c, const struct fact *f, struct ck_assignment *a, enum ck_astate to, unsigned from)
{
    static const char *const name[] = { "handed", "started", "counted", "late", "returned" };
    if (!(from >> a->state & 1))
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": assignment %" PRIu64 " goes from %s to %s", f->seq, f->assignment, name[a->state], name[to]);
    if (a->changed != c->step) {
        a->was = a->state;
        a->was_why = a->why;
        a->changed = c->step;
    }
    a->state = to;
}

static struct ck_task *task_at(struct checker *c, const struct ck_assignment *a)
{
    struct ck_unit *u = ck_unit(c, a->run, a->unit);
    return u ? &u->task[index_of(c, a->station)] : NULL;
}

static void started(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "started");
    struct ck_task *t = a ? task_at(c, a) : NULL;
    if (!t)
        return;
    move_assignment(c, f, a, CK_BEGUN, 1u << CK_HANDED);
    struct ck_run *r = ck_get(&c->runs, a->run);
    struct fact at = *f;
    at.run = a->run;
    at.unit = a->unit;
    at.station = a->station;
    if (t->holder == f->assignment && t->state == CK_ASSIGNED)
        move(c, r, &at, t, index_of(c, a->station), CK_STARTED, IS(ASSIGNED));
}

static void returned(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "came back");
    struct ck_task *t = a ? task_at(c, a) : NULL;
    if (!t)
        return;
    if (f->why == 6 || (f->why == 5 && a->state == CK_BEGUN))
        t->attempts++;
    if (f->why == 5 && f->at < a->until)
        ck_verdict(c, TOO_EARLY, "event %" PRIu64 ": assignment %" PRIu64 " expires %" PRId64 " us early", f->seq, f->assignment, a->until - f->at);
    struct ck_run *r = ck_get(&c->runs, a->run);
    bool begun_stays = f->why == 8 && !(r && r->state == 4); /* only with its run does a begun one go */
    move_assignment(c, f, a, CK_RETURNED, begun_stays ? 1u << CK_HANDED : 1u << CK_HANDED | 1u << CK_BEGUN);
    a->why = (uint8_t)f->why;
    if (t->outstanding)
        t->outstanding--;
    if (r && f->why == 4)
        r->fair_reset = true;
}

static void submitted(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = known(c, f, "gave a result");
    struct ck_task *t = a ? task_at(c, a) : NULL;
    if (!t)
        return;
    if (f->result != c->newest_result + 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": result %" PRIu64 " follows %" PRIu64, f->seq, f->result, c->newest_result);
    c->newest_result = f->result;
    if (a->state <= CK_BEGUN && t->outstanding)
        t->outstanding--;
    move_assignment(c, f, a, f->flag ? CK_LATE : CK_COUNTED, 1u << CK_HANDED | 1u << CK_BEGUN | 1u << CK_RETURNED);
    a->result = f->result;
    if (f->flag) {
        c->sums.results_late++;
        return;
    }
    c->sums.results_counted++;
    if (t->accepted++)
        ck_verdict(c, DOUBLE_ACCEPT, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " station %u: assignment %" PRIu64 " counts, %" PRIu64 " counted before",
                   f->seq, a->run, a->unit, a->station, f->assignment, t->winner);
    t->winner = f->assignment;
    touch(c, a->run, a->unit);
}

static void task_done(struct checker *c, const struct fact *f)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, "done", &r);
    if (!t)
        return;
    move(c, r, f, t, index_of(c, f->station), CK_DONE, IS(READY) | IS(WAITING) | IS(ASSIGNED) | IS(STARTED) | IS(DEAD));
    touch(c, f->run, f->unit);
}

static void simple_move(struct checker *c, const struct fact *f, enum ck_state to, unsigned from, const char *what)
{
    struct ck_run *r;
    struct ck_task *t = task_of(c, f, what, &r);
    if (t)
        move(c, r, f, t, index_of(c, f->station), to, from);
    if (t && to == CK_SKIPPED)
        touch(c, f->run, f->unit);
}

static void unit_ends(struct checker *c, const struct fact *f, uint8_t state)
{
    struct ck_run *r = ck_get(&c->runs, f->run);
    struct ck_unit *u = ck_unit(c, f->run, f->unit);
    if (!r || !u || u->state) {
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " unit %" PRIu64 " ends (%u), but it %s", f->seq, f->run, f->unit, state,
                   u ? "had ended" : "is not there");
        return;
    }
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
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " is done with %" PRIu64 " of %zu units at their end", f->seq, f->run, r->done + r->dropped,
                   r->units);
    if (f->state < r->state && r->state > 1)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": run %" PRIu64 " goes from state %u back to %u", f->seq, f->run, r->state, f->state);
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
    if (r->priority != f->count)
        r->fair_reset = true;
    r->priority = (uint8_t)f->count;
}

static uint64_t hub_of(const struct checker *c, uint64_t session)
{
    const struct ck_session *k = ck_get(&c->sessions, session);
    return k ? k->hub : 0;
}

/* ---- answers: what the matrix says, by the state when the step began ---- */

enum { OK_ = 0, DUPLICATE = 1, LATE_ = 2, NOT_FOUND = 30, STALE = 32, BAD_STATE = 40, NOT_YOURS = 43, BAD_RESULT = 52, TOO_BIG = 17, BAD_VALUE = 15 };

static bool submit_counts(const struct checker *c, const struct ck_run *r, const struct ck_unit *u, const struct ck_task *t, uint64_t assignment)
{
    uint8_t state = t->changed == c->step ? t->was : t->state;
    uint64_t holder = t->changed == c->step ? t->was_holder : t->holder;
    if (r->state > 1 || u->state)
        return false;
    if (state == CK_STARTED)
        return holder == assignment;
    return state == CK_ASSIGNED || state == CK_READY || state == CK_WAITING || state == CK_DEAD;
}

static uint32_t expected(struct checker *c, const struct fact *f, const struct ck_assignment *a, const struct ck_task *t)
{
    static const uint8_t ends[] = { [2] = 3, [3] = 4, [4] = 6, [5] = 9 };
    if (a->worker != f->worker || a->hub != hub_of(c, f->session))
        return NOT_YOURS;
    switch (a->state) {
    case CK_HANDED:
        return f->act == 1 ? BAD_STATE : f->act < 6 ? OK_ : submit_counts(c, ck_get(&c->runs, a->run), ck_unit(c, a->run, a->unit), t, f->assignment) ? OK_ : LATE_;
    case CK_BEGUN:
        return f->act == 0 ? DUPLICATE : f->act < 6 ? OK_ : submit_counts(c, ck_get(&c->runs, a->run), ck_unit(c, a->run, a->unit), t, f->assignment) ? OK_ : LATE_;
    case CK_COUNTED:
        return f->act == 6 ? DUPLICATE : STALE;
    case CK_LATE:
        return f->act == 6 ? LATE_ : STALE;
    default:
        if (f->act < 2)
            return STALE;
        if (f->act < 6)
            return a->why == ends[f->act] ? DUPLICATE : STALE;
        return submit_counts(c, ck_get(&c->runs, a->run), ck_unit(c, a->run, a->unit), t, f->assignment) ? OK_ : LATE_;
    }
}

static void act(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = ck_get(&c->assignments, f->assignment);
    struct ck_task *t = a && a->run ? task_at(c, a) : NULL;
    if (f->act == 6 && f->code <= LATE_ && a) /* acknowledged: it must be there at the end */
        a->acked = (uint8_t)(f->code == LATE_ ? 2 : 1);
    if (!t) {
        if (f->code != NOT_FOUND)
            ck_verdict(c, WRONG_STATE, "act %u under assignment %" PRIu64 ", which was never given: code %u", f->act, f->assignment, f->code);
        return;
    }
    if (a->judged == c->step || t->judged == c->step) /* an earlier item of the same frame changed it: its events tell */
        return;
    uint32_t want = expected(c, f, a, t);
    if (f->code == OK_ && f->act < 2) { /* the lease begins, or begins again */
        const struct ck_station *s = ck_get(&c->stations, a->station);
        a->until = f->at + (s ? s->f.lease_us : 0);
    }
    if (f->code == OK_ || f->code == LATE_)
        a->judged = t->judged = c->step;
    if (f->code == want || ((f->code == BAD_RESULT || f->code == TOO_BIG) && f->act == 6 && (want == OK_ || want == LATE_)) ||
        (f->code == BAD_VALUE && f->act < 6))
        return;
    const struct ck_run *r = ck_get(&c->runs, a->run);
    if (r && r->state == 4 && f->code == NOT_FOUND)
        return; /* the run is being deleted, and this part of it is gone */
    bool stale = want == STALE || want == NOT_YOURS || want == LATE_;
    ck_verdict(c, f->code == OK_ && stale ? STALE_ACCEPTED : WRONG_STATE,
               "act %u under assignment %" PRIu64 " (state %u, why %u; task %s) gave code %u, the matrix says %u", f->act, f->assignment, a->state, a->why,
               state_names[t->state], f->code, want);
}

/* ---- what a step must leave behind ---- */

static void judge_fifo(struct checker *c)
{
    for (size_t k = 0; k < c->runs.cap; k++) {
        struct ck_run *r = c->runs.v[k].p;
        if (!r || !r->fifo_dirty)
            continue;
        r->fifo_dirty = false;
        for (uint32_t i = 0; i < r->stations; i++) {
            struct ck_fifo *q = &r->fifo[i];
            for (; q->head < q->n; q->head++) {
                const struct ck_unit *u = r->unit[q->unit[q->head] - 1];
                const struct ck_task *t = &u->task[i];
                if (!t->dispatched && t->state != CK_ENDED && t->state != CK_DONE)
                    break;
            }
            if (q->dirty && q->head < q->furthest)
                ck_verdict(c, FIFO, "run %" PRIu64 " station index %u: unit %" PRIu64 " was dispatched, unit %" PRIu64 " became ready before it", r->id, i,
                           q->unit[q->furthest - 1], q->unit[q->head]);
            q->dirty = false;
            if (q->furthest < q->head)
                q->furthest = q->head;
        }
    }
    c->fifo_dirty = false;
}

static bool offers(const struct checker *c, const struct ck_run *r)
{
    const struct ck_line *l = ck_get(&c->lines, r->line);
    return r->state <= 1 && !r->paused && r->free_ready[0] > 0 && !(l && (l->state || l->paused & 1));
}

/* Runs of one station at the same station: whoever works for one may work for the other. */
static void judge_fairness(struct checker *c)
{
    for (size_t i = 0; i < c->pairs; i++) {
        struct ck_pair *p = &c->pair[i];
        if (!p->a->fair_reset && !p->b->fair_reset && p->a->priority == p->b->priority && offers(c, p->a) && offers(c, p->b)) {
            if (!p->valid) {
                p->valid = true;
                p->base_a = p->a->served;
                p->base_b = p->b->served;
            }
            int64_t ahead = (int64_t)(p->a->served - p->base_a) - (int64_t)(p->b->served - p->base_b);
            if (ahead > FAIR_BOUND || ahead < -FAIR_BOUND) {
                ck_verdict(c, FAIRNESS, "runs %" PRIu64 " and %" PRIu64 " both had work: %" PRIu64 " and %" PRIu64 " were assigned", p->a->id, p->b->id,
                           p->a->served - p->base_a, p->b->served - p->base_b);
                p->valid = false;
            }
        } else {
            p->valid = false;
        }
    }
    for (size_t i = 0; i < c->pairs; i++)
        c->pair[i].a->fair_reset = c->pair[i].b->fair_reset = false;
}

static void step_over(struct checker *c)
{
    for (size_t i = 0; i < c->touched_n; i++) {
        struct ck_run *r = ck_get(&c->runs, c->touched[i].run);
        struct ck_unit *u = ck_unit(c, c->touched[i].run, c->touched[i].unit);
        bool all = u != NULL;
        for (uint32_t k = 0; u && k < r->stations; k++) {
            const struct ck_task *t = &u->task[k];
            all = all && (t->state == CK_DONE || t->state == CK_SKIPPED);
            if ((t->state == CK_DONE) != (t->accepted != 0))
                ck_verdict(c, WRONG_STATE, "run %" PRIu64 " unit %" PRIu64 " station index %u is %s with %u results accepted", r->id, c->touched[i].unit, k,
                           state_names[t->state], t->accepted);
        }
        if (u && u->state < 2 && all != (u->state == 1))
            ck_verdict(c, WRONG_STATE, "run %" PRIu64 " unit %" PRIu64 " is %s, its tasks are %s", r->id, c->touched[i].unit, u->state ? "done" : "open",
                       all ? "done" : "not");
    }
    c->touched_n = 0;
    if (c->fifo_dirty)
        judge_fifo(c);
    if (c->pairs)
        judge_fairness(c);
    c->step++;
}

/* ---- what the world did ---- */

static void new_run(struct checker *c, const struct fact *f)
{
    const struct ck_station *s = ck_get(&c->stations, f->station);
    if (ck_get(&c->runs, f->run) || !s)
        return;
    struct ck_run *r = make(&c->runs, f->run, sizeof *r);
    *r = (struct ck_run){ .id = f->run, .first = f->station, .stations = s->f.stations, .line = s->f.line, .priority = (uint8_t)f->count };
    for (size_t i = 0; r->stations == 1 && i < c->runs.cap; i++) {
        struct ck_run *o = c->runs.v[i].p;
        if (!o || o == r || o->first != r->first)
            continue;
        c->pair = more(c->pair, &c->pair_cap, c->pairs, sizeof *c->pair);
        c->pair[c->pairs++] = (struct ck_pair){ .a = o, .b = r };
    }
}

static void row_sent(struct checker *c, const struct fact *f)
{
    struct ck_row *w = ck_get(&c->rows, f->row);
    if (w)
        return; /* sent again */
    w = make(&c->rows, f->row, sizeof *w);
    *w = (struct ck_row){ .run = f->run, .digest = f->digest, .producer = f->flag ? f->worker : 0, .route = f->route };
    c->sums.rows_sent++;
}

static void row_acked(struct checker *c, const struct fact *f)
{
    struct ck_row *w = ck_get(&c->rows, f->row);
    if (!w) {
        ck_verdict(c, UNEXPECTED, "row %" PRIu64 " was acknowledged and never sent", f->row);
        return;
    }
    c->sums.rows_acked += !w->acked;
    w->acked = true;
    if (f->unit && w->unit && w->unit != f->unit)
        ck_verdict(c, DUPLICATED, "row %" PRIu64 " was acknowledged as unit %" PRIu64 " and as unit %" PRIu64, f->row, w->unit, f->unit);
    if (f->unit)
        w->unit = f->unit;
}

static void submit_sent(struct checker *c, const struct fact *f)
{
    struct ck_assignment *a = make(&c->assignments, f->assignment, sizeof *a);
    a->sent = more(a->sent, &a->sent_cap, a->sents, sizeof *a->sent);
    a->sent[a->sents++] = (struct ck_sent){ f->digest, f->route };
    c->sums.results_sent++;
}

static void grant(struct checker *c, const struct fact *f)
{
    struct ck_worker *w = ck_get(&c->workers, f->worker);
    const struct ck_hub *h = w ? ck_get(&c->hubs, w->f.hub) : NULL;
    if (!h || h->session != f->session)
        return; /* of a session that is over: it must change nothing */
    struct ck_grant *g = make(&c->grants, f->session * 0x1000003 ^ f->worker, sizeof *g);
    if (f->count > g->total)
        g->total = f->count;
    if (w->session != f->session)
        w->sent = 0;
    w->session = f->session;
    w->signed_in = true;
}

static void session(struct checker *c, const struct fact *f)
{
    struct ck_hub *h = make(&c->hubs, f->hub, sizeof *h);
    struct ck_session *k = make(&c->sessions, f->session, sizeof *k);
    k->hub = f->hub;
    if (f->flag && h->session != f->session)
        h->session = f->session;
}

static void subscriber(struct checker *c, const struct fact *f)
{
    struct ck_subscriber *s = make(&c->subscribers, f->worker, sizeof *s);
    if (s->seq != f->prev)
        ck_verdict(c, EVENT_GAP, "subscriber %" PRIu64 ": event %" PRIu64 " says that %" PRIu64 " came before it, the last one seen is %" PRIu64, f->worker,
                   f->seq, f->prev, s->seq);
    s->seq = f->seq;
}

static void event_in_order(struct checker *c, const struct fact *f)
{
    if (f->seq != c->newest_event + 1 && f->seq != c->newest_event) /* one event makes several facts */
        ck_verdict(c, EVENT_GAP, "event %" PRIu64 " follows %" PRIu64, f->seq, c->newest_event);
    c->sums.events += f->seq != c->newest_event;
    c->newest_event = f->seq;
    if (f->at < c->at)
        ck_verdict(c, WRONG_STATE, "event %" PRIu64 ": elapsed time goes back by %" PRId64 " us", f->seq, c->at - f->at);
    if (f->at > c->at)
        c->at = f->at;
}

void checker_feed(struct checker *c, const struct fact *f)
{
    c->sums.facts++;
    if (f->kind >= FACT_EVENT && f->kind < FACT_STEP)
        event_in_order(c, f);
    switch (f->kind) {
    case FACT_STATION: ((struct ck_station *)make(&c->stations, f->station, sizeof(struct ck_station)))->f = *f; break;
    case FACT_WORKER: {
        struct ck_worker *w = make(&c->workers, f->worker, sizeof *w);
        w->f = *f;
        w->f.hub = hub_of(c, f->session);
        break;
    }
    case FACT_RUN: new_run(c, f); break;
    case FACT_ROW_SENT: row_sent(c, f); break;
    case FACT_ROW_ACKED: row_acked(c, f); break;
    case FACT_SUBMIT_SENT: submit_sent(c, f); break;
    case FACT_ACT: act(c, f); break;
    case FACT_GRANT: grant(c, f); break;
    case FACT_SIGN_OFF: {
        struct ck_worker *w = ck_get(&c->workers, f->worker);
        if (w && w->session == f->session)
            w->signed_in = false;
        break;
    }
    case FACT_SEEN: ck_seen(c, f); break;
    case FACT_EVENT: break;
    case FACT_BOOT:
        for (size_t i = 0; i < c->hubs.cap; i++)
            if (c->hubs.v[i].p)
                ((struct ck_hub *)c->hubs.v[i].p)->session = 0;
        for (size_t i = 0; i < c->pairs; i++)
            c->pair[i].valid = false;
        break;
    case FACT_SESSION: session(c, f); break;
    case FACT_LINE_STATE: ((struct ck_line *)make(&c->lines, f->line, sizeof(struct ck_line)))->state = f->state; break;
    case FACT_STATION_STATE: {
        struct ck_line *l = make(&c->lines, f->line, sizeof *l);
        l->paused = f->flag ? l->paused | 1u << f->index : l->paused & ~(1u << f->index);
        break;
    }
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
    case FACT_UNIT_DONE: unit_ends(c, f, 1); break;
    case FACT_DROPPED: unit_ends(c, f, 2); break;
    case FACT_STEP: step_over(c); break;
    case FACT_SUBSCRIBER: subscriber(c, f); break;
    default: ck_end_fact(c, f); break;
    }
}
