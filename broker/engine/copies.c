/* Tasks that ask for several answers. Such a task has places: as many answers as are wanted now, at first the station's least. A place is open, held by
 * an assignment, or counted; the unit's state keeps how many of each (records.h). Places counted and held never exceed those wanted,
 * so nobody is asked for nothing. When the last answer that is wanted is in, agree.c decides: enough, one more, or no agreement.
 *
 *   state     ready while a place is open (waiting while it must rest), else started or assigned as those who hold places are
 *   queue     the task's entry stays where it is until no place is open
 *   one person answers once: whoever stands in the task's chain of assignments with an answer, holds a place or declined is not offered it
 *   a late result takes a place that is open, or one of the same worker, or that of an answer which is void, or one that nobody has begun; else it is kept as late
 *   attempts count for the task, whoever failed; when it is parked, those who have begun go on, and a result of theirs brings it back
 *   it rests until the last of the delays since it began to rest is over: each stands in the assignment it comes from. DELAY has an entry of each,
 *   and one that is due while another is not changes nothing */
#include "broker/engine/copies.h"

#include <stdio.h>

#include "broker/engine/gold.h"
#include "broker/engine/standing.h"

static unsigned wanted(const struct ld_station *s, const uint8_t *t)
{
    return t[ST_WANTED] ? t[ST_WANTED] : s->copies.min;
}

/* Places that do not go together, or not with the assignments that hold them: a page of the past. */
static bool damaged(struct engine *e, bool is)
{
    if (is)
        fail(e, STORE_CORRUPT);
    return is;
}

unsigned copies_open(struct engine *e, const struct ld_station *s, const uint8_t *t)
{
    unsigned taken = t[ST_COUNTED] + t[ST_HELD];
    if (damaged(e, taken > wanted(s, t) || t[ST_BEGUN] > t[ST_HELD]))
        return 0;
    return wanted(s, t) - taken;
}

/* A place is held no more. */
static bool let_go(struct engine *e, uint8_t *t, bool begun)
{
    if (damaged(e, !t[ST_HELD] || t[ST_BEGUN] < begun))
        return false;
    t[ST_HELD]--;
    t[ST_BEGUN] = (uint8_t)(t[ST_BEGUN] - begun);
    return true;
}

/* Nothing else tells it: a task that is ready or waiting already stays so. */
void copies_want(struct engine *e, struct run *r, uint64_t unit, uint8_t *t, uint32_t idx, unsigned n, enum why why)
{
    static const char *const keys[] = { "run", "station", "unit", "wanted", "why" };
    const uint64_t values[] = { r->id, r->rq[idx].st->id, unit, n, why };
    assert(n > wanted(r->rq[idx].st->def, t) && n <= COUNTED_MAX);
    t[ST_WANTED] = (uint8_t)n;
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 0);
    ev_emit(e, EV_TASK_WANTS, r->line, r, NULL, &e->b3);
}

static enum task_state in_hand(const uint8_t *t)
{
    return t[ST_BEGUN] ? TASK_STARTED : TASK_ASSIGNED;
}

static bool is_open(const uint8_t *t)
{
    switch ((enum task_state)t[ST_STATE]) {
    case TASK_WAITING:
    case TASK_READY:
    case TASK_ASSIGNED:
    case TASK_STARTED:
    case TASK_DEAD: return true;
    default: return false;
    }
}

/* The unit's head if the task is not over. */
static uint8_t *open_task(struct engine *e, struct aseg *s, uint64_t no)
{
    if (s->run->state > RUN_CLOSED)
        return NULL;
    uint8_t *h = unit_head(e, s->run, assign_entry(s, no)->unit, true);
    return h && h[UH_STATE] == UNIT_OPEN && is_open(unit_station(h, s->st->idx)) ? h : NULL;
}

/* ---- the chain of those who were given the task ---- */

/* Until when the task rests; not in the future: it does not. */
int64_t copies_rest_us(struct engine *e, uint64_t newest)
{
    int64_t until = 0;
    for (struct link x = chain_at(e, newest); x.no; x = chain_next(e, x))
        if (x.a->state > ASSIGN_STARTED && x.a->due_us > until)
            until = x.a->due_us;
    return until;
}

/* It rests no more, though its delays may not be over: they must not make a later rest longer. */
static void wake(struct engine *e, const uint8_t *t)
{
    for (struct link x = chain_at(e, get_u48(t + ST_ASSIGN)); x.no; x = chain_next(e, x))
        if (x.a->state > ASSIGN_STARTED && x.a->due_us) {
            x.a->due_us = 0;
            assign_dirty(e, x.s);
        }
}

/* `why`: if it becomes ready. */
void copies_settle(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t idx, enum why why)
{
    uint8_t *t = unit_station(h, idx);
    struct rq *q = &r->rq[idx];
    enum task_state from = t[ST_STATE], to = in_hand(t);
    if (copies_open(e, q->st->def, t))
        to = from == TASK_WAITING ? TASK_WAITING : TASK_READY;
    if (to == from) {
        if (to == TASK_READY) { /* whoever gave a place back may be the only one who waits for it */
            match_rq_ready(e, q);
            nobody_check(e, q, unit);
        }
        return;
    }
    if (from == TASK_WAITING)
        wake(e, t);
    task_set(e, r, h, idx, to);
    if (to == TASK_READY) {
        queue_ready(e, q, LANE_RETURNED, unit, why);
        ev_order(e); /* another result of this frame may take the place at once */
        nobody_check(e, q, unit);
    } else if (from != TASK_ASSIGNED && from != TASK_STARTED) {
        ev_order(e);
        ev_task(e, EV_TASKS_HELD, r, q->st, 0, unit, 1);
        ev_order(e);
    }
}

/* ---- who holds what ---- */

/* A held place is taken back. */
static void withdraw(struct engine *e, struct link x, uint8_t *t, unsigned code)
{
    bool begun = x.a->state == ASSIGN_STARTED;
    task_end_return(e, x.s, x.no, WHY_RECALLED, "", 0);
    recall(e, x.s->hub, x.no, code);
    let_go(e, t, begun);
}

void copies_recall(struct engine *e, uint8_t *head, uint32_t idx, unsigned code)
{
    uint8_t *t = unit_station(head, idx);
    for (struct link x = chain_at(e, get_u48(t + ST_ASSIGN)); x.no && t[ST_HELD] > t[ST_BEGUN]; x = chain_next(e, x))
        if (x.a->state == ASSIGN_HANDED)
            withdraw(e, x, t, code);
}

static uint32_t pick_home(const struct engine *e, const struct pick *p)
{
    uint64_t x = (p->unit * 0x9E3779B97F4A7C15ull ^ p->w->id) * 0xC2B2AE3D27D4EB4Full + p->rq->st->id;
    return (uint32_t)(x >> 32) & (e->picked_cap - 1);
}

static void picked_put(struct engine *e, uint32_t pick)
{
    uint32_t at = pick_home(e, &e->pick[pick]);
    while (e->picked[at])
        at = (at + 1) & (e->picked_cap - 1);
    e->picked[at] = pick + 1;
}

void copies_picks_over(struct engine *e)
{
    if (e->picked_n)
        memset(e->picked, 0, e->picked_cap * sizeof *e->picked);
    e->picked_n = 0;
}

void copies_taken(struct engine *e, struct run *r, uint8_t *head, uint32_t idx, uint32_t pick)
{
    uint8_t *t = unit_station(head, idx);
    t[ST_HELD]++;
    if (!copies_open(e, r->rq[idx].st->def, t))
        task_set(e, r, head, idx, in_hand(t));
    if (2 * (e->picked_n + 1) > e->picked_cap) {
        uint32_t cap = e->picked_cap ? 2 * e->picked_cap : 64, *v = calloc(cap, sizeof *v);
        if (!v) {
            fail(e, STORE_NO_MEMORY);
            return;
        }
        free(e->picked);
        e->picked = v;
        e->picked_cap = cap;
        for (uint32_t i = 0; i < pick; i++)
            if (has_copies(e->pick[i].rq->st) && !is_gold(e->pick[i].unit))
                picked_put(e, i);
    }
    picked_put(e, pick);
    e->picked_n++;
}

void copies_not_shown(uint8_t *head, uint32_t idx)
{
    unit_station(head, idx)[ST_HELD]--; /* the task is parked next: its state says so then */
}

enum copies_his copies_excluded(struct engine *e, const struct rq *q, uint64_t unit, uint64_t newest,
                                const struct worker *w)
{
    if (e->picked_n) { /* of this step, and not yet in the chain */
        struct pick me = { .rq = (struct rq *)(uintptr_t)q, .w = (struct worker *)(uintptr_t)w, .unit = unit };
        for (uint32_t at = pick_home(e, &me); e->picked[at]; at = (at + 1) & (e->picked_cap - 1)) {
            const struct pick *p = &e->pick[e->picked[at] - 1];
            if (p->rq == q && p->w == w && p->unit == unit)
                return COPIES_NOT_NOW;
        }
    }
    for (struct link x = chain_at(e, newest); x.no; x = chain_next(e, x)) {
        if (x.a->worker != w->id)
            continue;
        if (x.a->state == ASSIGN_HANDED || x.a->state == ASSIGN_STARTED)
            return COPIES_NOT_NOW;
        if (x.a->state != ASSIGN_RETURNED || is_declined(x.a))
            return COPIES_NEVER;
    }
    return COPIES_HIS;
}

void copies_assigned(struct engine *e, struct aseg *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint64_t unit = s->e[i].unit;
        bool told = false; /* a unit may stand here with several of its places */
        for (uint32_t k = 0; k < i && !told; k++)
            told = s->e[k].unit == unit;
        const uint8_t *h = told ? NULL : unit_head(e, s->run, unit, false);
        if (h && h[STATE_UNIT_BYTES + STATE_STATION_BYTES * s->st->idx] == TASK_READY)
            ev_task(e, EV_TASKS_READY, s->run, s->st, WHY_COPIES, unit, 1);
    }
}

void copies_started(struct engine *e, struct aseg *s, uint64_t no)
{
    uint8_t *h = open_task(e, s, no);
    if (!h)
        return;
    uint8_t *t = unit_station(h, s->st->idx);
    if (damaged(e, t[ST_BEGUN] >= t[ST_HELD]))
        return;
    t[ST_BEGUN]++;
    if (t[ST_STATE] == TASK_ASSIGNED)
        task_set(e, s->run, h, s->st->idx, TASK_STARTED);
}

/* ---- an assignment ends without a result ---- */

void copies_park(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t idx, enum dead_why why,
                 const char *reason, size_t n)
{
    if (unit_station(h, idx)[ST_STATE] == TASK_WAITING)
        wake(e, unit_station(h, idx));
    if (unit_station(h, idx)[ST_STATE] == TASK_DEAD) /* a result has just brought it back */
        task_set(e, r, h, idx, TASK_ASSIGNED);
    task_dead(e, r, unit, h, idx, why, reason, n);
    copies_recall(e, h, idx, 4);
}

void copies_returned(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n,
                     int64_t wait_us)
{
    struct aentry *a = assign_entry(s, no);
    struct run *r = s->run;
    uint32_t idx = s->st->idx;
    uint64_t unit = a->unit;
    bool begun = a->state == ASSIGN_STARTED, attempt = why == WHY_FAILED || (why == WHY_EXPIRED && begun);
    bool open = open_task(e, s, no) != NULL;
    task_end_return(e, s, no, why, reason, n);
    uint8_t *h = open ? unit_head(e, r, unit, true) : NULL;
    if (!h)
        return;
    uint8_t *t = unit_station(h, idx);
    if (!let_go(e, t, begun))
        return;
    if (attempt)
        t[ST_ATTEMPTS] += t[ST_ATTEMPTS] < UINT8_MAX;
    if (why == WHY_DECLINED)
        t[ST_FLAGS] |= STATE_FLAG_DECLINED;
    if (t[ST_STATE] == TASK_DEAD)
        return;
    if (why == WHY_BURIED || (attempt && t[ST_ATTEMPTS] >= s->st->def->attempts)) {
        copies_park(e, r, unit, h, idx, why == WHY_BURIED ? DEAD_BURIED : DEAD_ATTEMPTS, reason, n);
        return;
    }
    if (why == WHY_FAILED && !wait_us)
        wait_us = task_backoff_us(s->st, t[ST_ATTEMPTS]);
    if (!wait_us) {
        copies_settle(e, r, unit, h, idx, why);
        return;
    }
    struct range one = { unit, 1 };
    struct ranges rs = { 1, 1, &one, 1 };
    int64_t until = e->now_us + wait_us, rest = copies_rest_us(e, get_u48(t + ST_ASSIGN));
    a->due_us = until; /* the assignment's end has made it dirty */
    if (t[ST_STATE] != TASK_WAITING)
        task_set(e, r, h, idx, TASK_WAITING);
    ev_order(e);
    if (until > rest)
        delay_add(e, &r->rq[idx], until, why, &rs);
    else /* there is an entry for that time */
        ev_waiting(e, r, s->st, why, rest, unit, 1);
}

/* ---- a result ---- */

/* Answers of those who were suspended since they gave them count no more (standing.c). They are looked for when another answer comes: then it is known
 * how many are wanted in their place, and not before that does it matter. More than the least may have been wanted because of them: what is in hand and in is
 * enough to ask agree.c again, or jury.c, which wants another where it must. (Entries are all wanted.) `coming`: so many answers are about to be counted. */
static void drop_void(struct engine *e, struct run *r, uint64_t unit, uint8_t *t, struct station *st, unsigned coming)
{
    uint32_t n = 0;
    if (!e->station[st->key - 1]->guarded)
        return;
    slp_buf_clear(&e->b2);
    for (struct link x = chain_at(e, get_u48(t + ST_ASSIGN)); x.no; x = chain_next(e, x)) {
        const struct repute *his = x.a->state == ASSIGN_COUNTED ? repute_of(e, x.a->worker, st->key) : NULL;
        if (!his || x.a->result > his->void_result)
            continue;
        x.a->state = ASSIGN_LATE;
        x.a->why = WHY_SUSPENDED;
        assign_dirty(e, x.s);
        if (damaged(e, !t[ST_COUNTED]))
            return;
        t[ST_COUNTED]--;
        t[ST_FLAGS] |= STATE_FLAG_DECLINED; /* he is not asked again */
        slp_pack_u64(&e->b2, x.no);
        n++;
    }
    if (!n)
        return;
    unsigned least = st->def->copies.min, need = t[ST_COUNTED] + t[ST_HELD] + coming;
    if (st->def->copies.method != LD_ENTRIES && wanted(st->def, t) > least && wanted(st->def, t) > need)
        t[ST_WANTED] = (uint8_t)(need > least ? need : least);
    static const char *const keys[] = { "run", "station", "unit" };
    const uint64_t values[] = { r->id, st->id, unit };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 2);
    slp_pack_cstr(&e->b3, "assignments");
    slp_pack_array(&e->b3, n);
    slp_buf_add(&e->b3, e->b2.p, e->b2.n);
    slp_pack_cstr(&e->b3, "wanted");
    slp_pack_u64(&e->b3, wanted(st->def, t));
    ev_emit(e, EV_ANSWERS_VOID, r->line, r, NULL, &e->b3);
}

/* Room for a result of an assignment that had ended: a place of the same worker, whatever he has made of it; an open one; that of an answer which is void; one not
 * begun. */
static bool room_for_late(struct engine *e, struct aseg *s, uint64_t no, uint8_t *t)
{
    struct link mine = { 0 }, idle = { 0 };
    uint32_t worker = assign_entry(s, no)->worker;
    for (struct link x = chain_at(e, get_u48(t + ST_ASSIGN)); x.no; x = chain_next(e, x)) {
        bool live = x.a->state == ASSIGN_HANDED || x.a->state == ASSIGN_STARTED;
        if (x.a->worker == worker && x.a->state == ASSIGN_COUNTED)
            return false; /* he has answered */
        if (live && x.a->worker == worker)
            mine = x;
        else if (x.a->state == ASSIGN_HANDED && !idle.no)
            idle = x;
    }
    if (!mine.no && !copies_open(e, s->st->def, t))
        drop_void(e, s->run, assign_entry(s, no)->unit, t, s->st, 1);
    if (!mine.no && copies_open(e, s->st->def, t))
        return true;
    if (!mine.no && !idle.no)
        return false;
    withdraw(e, mine.no ? mine : idle, t, 4);
    return true;
}

uint8_t *copies_counts(struct engine *e, struct aseg *s, uint64_t no)
{
    const struct aentry *a = assign_entry(s, no);
    uint8_t *h = open_task(e, s, no);
    if (!h)
        return NULL;
    uint8_t *t = unit_station(h, s->st->idx);
    bool returned = a->state == ASSIGN_RETURNED;
    if (standing_refuses(e, s->st, a->worker) || (returned && !room_for_late(e, s, no, t))) {
        t[ST_FLAGS] |= STATE_FLAG_DECLINED; /* he has had his say: he is not asked again */
        return NULL;
    }
    if (!returned && !let_go(e, t, a->state == ASSIGN_STARTED))
        return NULL;
    t[ST_COUNTED]++;
    if (t[ST_STATE] == TASK_DEAD)
        dead_forget(e, s->run, s->st->idx, a->unit);
    return h;
}

/* ---- the decision ---- */

/* Of a posterior: how its worker answered the control tasks of the station. */
static void measure(struct engine *e, const struct station *st, uint32_t worker, struct agree_answer *a)
{
    if (st->def->copies.method != LD_POSTERIOR)
        return;
    struct tally t = repute_tally(e, st, worker, MEASURE_GOLD);
    a->correct = (uint32_t)t.sum;
    a->total = (uint32_t)t.n;
}

bool copies_gather(struct engine *e, const struct station *st, uint64_t newest, struct ballot *b)
{
    struct slp_buf *values = &e->b2;
    struct slp_list l;
    b->n = 0;
    for (struct link x = chain_at(e, newest); x.no; x = chain_next(e, x)) {
        if (x.a->state != ASSIGN_COUNTED)
            continue;
        if (damaged(e, b->n == COUNTED_MAX))
            return false;
        uint32_t i = b->n++;
        for (; i && b->result[i - 1] > x.a->result; i--) {
            b->result[i] = b->result[i - 1];
            b->no[i] = b->no[i - 1];
            b->worker[i] = b->worker[i - 1];
        }
        b->result[i] = x.a->result;
        b->no[i] = x.no;
        b->worker[i] = x.a->worker;
    }
    slp_buf_clear(values); /* copied: what was borrowed ends with the next but few */
    for (uint32_t i = 0; i < b->n; i++) {
        b->off[i] = (uint32_t)values->n;
        if (result_values(e, b->result[i], i, &l))
            slp_buf_add(values, l.p, l.bytes);
    }
    b->off[b->n] = (uint32_t)values->n;
    if (values->failed)
        fail(e, STORE_NO_MEMORY);
    for (uint32_t i = 0; i < b->n; i++) {
        b->a[i] =
            (struct agree_answer){ .values = { values->p + b->off[i], b->off[i + 1] - b->off[i], SL_FORM_FIELDS_MAX } };
        measure(e, st, b->worker[i], &b->a[i]);
    }
    return !e->rc;
}

/* The fields of all answers, each as a list. */
static void pack_all(struct slp_buf *b, const struct ld_station *s, const struct ballot *v)
{
    for (uint32_t f = 0; f < s->field_count; f++) {
        slp_pack_array(b, v->n);
        for (uint32_t i = 0; i < v->n; i++) {
            struct slp_bytes x = list_element(&v->a[i].values, f);
            if (x.p)
                slp_buf_add(b, x.p, x.n);
            else
                slp_pack_nil(b);
        }
    }
}

void copies_pack_verdict(struct slp_buf *b, const struct agree_verdict *v)
{
    char share[16];
    slp_pack_u64(b, v->answers);
    slp_pack_u64(b, v->votes);
    snprintf(share, sizeof share, "%u.%06u", v->confidence_micros / 1000000, v->confidence_micros % 1000000);
    slp_pack_cstr(b, share);
    slp_pack_cstr(b, ld_rule_word(v->rule));
}

static void pack_outcome(struct slp_buf *b, const struct ld_station *s, const struct ballot *all,
                         const struct agree_verdict *v)
{
    slp_buf_clear(b);
    if (s->copies.method == LD_ALL) {
        pack_all(b, s, all);
        slp_pack_u64(b, v->answers);
        return;
    }
    slp_buf_add(b, all->a[v->winner].values.p, all->a[v->winner].values.bytes);
    copies_pack_verdict(b, v);
}

static void announce(struct engine *e, struct run *r, struct station *st, uint64_t unit, uint64_t result, uint64_t no,
                     const struct agree_verdict *v)
{
    static const char *const keys[] = { "run",        "station", "unit",  "result",
                                        "assignment", "answers", "votes", "confidence" };
    const uint64_t values[] = { r->id, st->id, unit, result, no, v->answers, v->votes, v->confidence_micros };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 1);
    slp_pack_cstr(&e->b3, "decided");
    slp_pack_cstr(&e->b3, ld_rule_word(v->rule));
    ev_emit(e, EV_TASK_DECIDED, r->line, r, NULL, &e->b3);
}

/* Each of those who answered: beside what was decided. With one answer, or where all are kept, there is nothing to compare. */
static void tell_outcome(struct engine *e, struct station *st, const struct ballot *b, const struct agree_verdict *v)
{
    if (st->def->copies.method == LD_ALL || b->n == 1)
        return;
    for (uint32_t i = 0; i < b->n; i++)
        repute_outcome(e, st, b->worker[i], b->a[i].group == b->a[v->winner].group);
}

void copies_close(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, const struct slp_list *values,
                  uint64_t follows, const struct agree_verdict *v, int64_t done_wall_us)
{
    struct station *st = r->rq[idx].st;
    uint64_t result = result_add(e, r, follows, done_wall_us, values, false);
    uint8_t *h = unit_head(e, r, unit, true);
    if (!h)
        return;
    task_set(e, r, h, idx, TASK_DONE);
    put_u48(unit_station(h, idx) + ST_RESULT, result);
    announce(e, r, st, unit, result, follows, v);
    ev_task(e, EV_TASKS_DONE, r, st, 0, unit, 1);
}

static void finish(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t idx, const struct ballot *b,
                   const struct agree_verdict *v, int64_t done_wall_us)
{
    struct station *st = r->rq[idx].st;
    static const char large[] = "all answers together are larger than a result may be";
    pack_outcome(&e->b3, st->def, b, v);
    if (e->b3.failed) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    if (st->def->copies.method == LD_ALL && e->b3.n > SL_RESULT_BYTES_MAX) {
        copies_park(e, r, unit, h, idx, DEAD_TOO_BIG, large, sizeof large - 1);
        return;
    }
    struct slp_list values = { e->b3.p, (uint32_t)e->b3.n, st->def->value_count };
    copies_close(e, r, unit, idx, &values, b->no[v->winner], v, done_wall_us);
    tell_outcome(e, st, b, v);
    flow_done(e, r, unit, idx);
}

static void decide(struct engine *e, struct run *r, uint64_t unit, uint8_t *h, uint32_t idx, int64_t done_wall_us)
{
    struct ballot b;
    struct agree_verdict v;
    struct station *st = r->rq[idx].st;
    uint8_t *t = unit_station(h, idx);
    char why[80];
    if (st->def->copies.method == LD_ENTRIES) {
        tournament_entered(e, r, unit, h, idx);
        return;
    }
    if (!copies_gather(e, st, get_u48(t + ST_ASSIGN), &b))
        return;
    if (damaged(e, b.n != t[ST_COUNTED]))
        return;
    if (st->def->copies.method == LD_VOTES) {
        tournament_decide(e, r, unit, h, idx, &b, done_wall_us);
        return;
    }
    agree_decide(st->def, b.a, b.n, &v);
    if (v.what == AGREE_MORE) {
        copies_want(e, r, unit, t, idx, b.n + 1, WHY_COPIES);
        copies_settle(e, r, unit, h, idx, WHY_COPIES);
    } else if (v.what == AGREE_FAIL) {
        snprintf(why, sizeof why, "no agreement: of %u answers %u say the same, and as many another", v.answers,
                 v.votes);
        copies_park(e, r, unit, h, idx, DEAD_NO_AGREEMENT, why, strlen(why));
    } else {
        finish(e, r, unit, h, idx, &b, &v, done_wall_us);
    }
}

void copies_counted(struct engine *e, struct aseg *s, uint64_t no, int64_t done_wall_us)
{
    uint64_t unit = assign_entry(s, no)->unit;
    uint8_t *h = unit_head(e, s->run, unit, true);
    if (!h)
        return;
    uint8_t *t = unit_station(h, s->st->idx);
    drop_void(e, s->run, unit, t, s->st, 0);
    if (t[ST_COUNTED] == wanted(s->st->def, t))
        decide(e, s->run, unit, h, s->st->idx, done_wall_us);
    else
        copies_settle(e, s->run, unit, h, s->st->idx, WHY_COPIES);
}

/* ---- the operator ---- */

const char *copies_requeue(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx)
{
    uint8_t *t = unit_station(head, idx);
    enum ld_method method = r->rq[idx].st->def->copies.method;
    if (copies_open(e, r->rq[idx].st->def, t))
        return NULL;
    if ((method == LD_ENTRIES || method == LD_VOTES) && t[ST_HELD])
        return "it takes no more than it wants: those who have begun bring it back, or leave their places";
    if (t[ST_COUNTED] + t[ST_HELD] >= COUNTED_MAX)
        return "it has as many answers as a task may have";
    copies_want(e, r, unit, t, idx, t[ST_COUNTED] + t[ST_HELD] + 1u,
                WHY_REQUEUED); /* nobody could agree: another is asked */
    return NULL;
}
