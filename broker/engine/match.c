/* Matching: which worker gets which task.
 *
 * A queue is a station's tasks of one run. What a station asks of its workers, whatever the task, is its gate (gate.c). Workers who are idle stand in
 * an order by how long they are (idle.c), runs that have work in an order by priority, then by virtual time (start-time fair queueing, Goyal,
 * Vin, Cheng 1996: a run's time grows by one with each of its assignments, at whatever station; one that wakes up starts with the others, see
 * begin_at), then by number. Both orders know for each subtree which gates are in it (order.h), so that the first run which has work for
 * somebody who is idle is found in O(log runs), the first worker who passes its gate in O(log cells): neither the number of workers, profiles and
 * stations nor the length of a queue is ever walked. docs/adr/0013-matching.md has the whole argument.
 *
 * The first such run comes first; within it the station furthest downstream; of the workers the one whom the station prefers; he gets the
 * first task of the queue that he may do. One who may do none of them gets the first that he may of the queues behind it at the same gate, but not before
 * it is the turn of that one: what lies between, at another gate of his, comes first. If there is none he is asked there no more until there is something
 * new (mask.c).
 *
 * That a queue is empty or closed is found out when its turn comes: nobody has to be told. That a station is as full as it may be takes its gate out of
 * the question (limits.c); that a worker has had as many as his day may bring takes him out of it, or masks him at the station's gate (days.c). */
#include "broker/engine/gold.h"
#include "broker/engine/internal.h"

/* ---- runs that have work ---- */

static bool gate_bit(const uint64_t *bits, uint32_t gate)
{
    return bits[gate / 64] >> (gate % 64) & 1;
}

static struct order_key run_key(const struct run *r)
{
    assert(r->vtime < 1ull << 56);
    return (struct order_key){ (uint64_t)(SL_PRIORITY_MAX - r->priority) << 56 | r->vtime, r->id };
}

struct run *match_run_behind(const struct engine *e, const struct run *r, uint32_t gate)
{
    struct order_key at = r ? run_key(r) : (struct order_key){ 0, 0 };
    uint32_t id = order_after_bit(&e->m.runs, e->m.run_root, at, gate);
    return id ? e->run[id - 1] : NULL;
}

static void run_gates(struct engine *e, struct run *r)
{
    memset(r->gates, 0, e->m.words * sizeof *r->gates);
    for (uint32_t w = 0; w < sizeof r->ready / sizeof *r->ready; w++)
        for (uint64_t left = r->ready[w]; left; left &= left - 1) {
            uint32_t rank = w * 64 + (uint32_t)__builtin_ctzll(left);
            uint32_t gate = r->rq[r->by_rank[rank]].st->gate - 1;
            r->gates[gate / 64] |= 1ull << (gate % 64);
        }
}

static void run_out(struct engine *e, struct run *r)
{
    if (r->awake)
        order_del(&e->m.runs, &e->m.run_root, r->id);
    r->awake = false;
}

static void run_in(struct engine *e, struct run *r)
{
    order_put(&e->m.runs, &e->m.run_root, r->id, run_key(r), r->gates);
    r->awake = true;
}

bool rq_open(const struct rq *q)
{
    const struct run *r = q->run;
    return r->state <= RUN_CLOSED && !r->paused && station_open(q->st);
}

static bool rq_offers(const struct rq *q)
{
    return q->c.n[TASK_READY] && rq_open(q);
}

static bool any_ready(const struct run *r)
{
    for (uint32_t w = 0; w < sizeof r->ready / sizeof *r->ready; w++)
        if (r->ready[w])
            return true;
    return false;
}

static uint32_t gate_no(const struct rq *q)
{
    return q->st->gate - 1;
}

static bool is_awake(const struct rq *q)
{
    return q->run->ready[q->st->rank / 64] >> (q->st->rank % 64) & 1;
}

/* It was found empty or closed. */
static void rq_sleeps(struct engine *e, struct rq *q)
{
    struct run *r = q->run;
    if (!is_awake(q))
        return;
    assert(e->m.gate[gate_no(q)].awake[r->priority] > 0);
    e->m.gate[gate_no(q)].awake[r->priority]--;
    r->ready[q->st->rank / 64] &= ~(1ull << (q->st->rank % 64));
    if (q->skips && !q->c.n[TASK_READY])
        skips_forget(e, q, NULL);
    run_gates(e, r);
    if (!any_ready(r))
        run_out(e, r);
    else if (r->awake)
        order_changed(&e->m.runs, e->m.run_root, r->id);
}

/* Where a run begins that wakes up at this gate: with the others that have work there (its clock is the time of the one it served last). If there
 * are none, with those that the same workers serve at other gates: at the furthest of their clocks, so that it gets ahead of nobody. If there are
 * none either, at the priority's clock, which no run is ahead of. docs/adr/0008-fair-shares.md tells what that guarantees, and why neither one
 * clock for all nor the furthest behind of all would do. */
static uint64_t begin_at(const struct engine *e, uint8_t priority, uint32_t gate)
{
    const struct gate *g = &e->m.gate[gate];
    uint64_t at = 0;
    bool found = false;
    if (g->awake[priority])
        return g->clock[priority];
    for (uint32_t w = 0; w < e->m.words; w++)
        for (uint64_t left = g->kin[w]; left; left &= left - 1) {
            const struct gate *k = &e->m.gate[w * 64 + (uint32_t)__builtin_ctzll(left)];
            if (!k->used || !k->awake[priority])
                continue;
            found = true;
            at = k->clock[priority] > at ? k->clock[priority] : at;
        }
    return found ? at : e->meta.vclock[priority];
}

/* goes_on: nobody slept, whatever was put to sleep. The clock is that of who is furthest behind then, as at a start. */
static void rq_wakes(struct engine *e, struct rq *q, bool goes_on)
{
    struct run *r = q->run;
    uint32_t gate = gate_no(q);
    struct gate *g = &e->m.gate[gate];
    if (!r->awake && !goes_on) {
        uint64_t at = begin_at(e, r->priority, gate), was = r->vtime;
        if (r->vtime < at)
            r->vtime = at;
        else if (g->awake[r->priority] && r->lv->station_count == 1 && r->vtime > at + 1)
            r->vtime = at + 1; /* they began behind it while it slept: it owes them nothing */
        if (r->vtime != was)
            run_dirty(e, r);
    }
    if (!g->awake[r->priority]++ || (goes_on && r->vtime < g->clock[r->priority]))
        g->clock[r->priority] = r->vtime;
    r->ready[q->st->rank / 64] |= 1ull << (q->st->rank % 64);
    r->gates[gate / 64] |= 1ull << (gate % 64);
    if (r->awake)
        order_changed(&e->m.runs, e->m.run_root, r->id);
    else
        run_in(e, r);
}

static void rq_ready(struct engine *e, struct rq *q, bool goes_on)
{
    struct run *r = q->run;
    if (!rq_offers(q))
        return;
    uint32_t gate = gate_of(e, q->st);
    if (gate == UINT32_MAX)
        return;
    if (e->m.gate[gate].masks[MASK_NOTHING])
        masks_news(e, gate);
    if (is_awake(q))
        return;
    if (!r->gates)
        r->gates = calloc(e->m.words, sizeof *r->gates);
    if (r->gates && order_room(&e->m.runs, e->meta.run, e->m.words))
        rq_wakes(e, q, goes_on);
    else
        fail(e, STORE_NO_MEMORY);
}

void match_rq_ready(struct engine *e, struct rq *q)
{
    rq_ready(e, q, e->booting);
}

/* All versions of a station move to another gate, which is theirs alone from now on or shared again. The runs that have work there keep their times: what each was
 * given before holds among them as it did. Where others have work at that gate already they begin as those who wake up do. */
void match_gates_anew(struct engine *e, uint32_t key)
{
    bool any = false;
    _Static_assert(SL_PRIORITY_MAX < 16, "bits of others");
    for (uint32_t i = 0; i < e->meta.station; i++)
        any = any || (e->station[i] && e->station[i]->key == key && e->station[i]->gate);
    for (uint32_t i = 0; any && i < e->meta.run; i++)
        for (uint32_t k = 0; e->run[i] && k < e->run[i]->lv->station_count; k++)
            if (e->run[i]->rq[k].st->key == key && e->run[i]->rq[k].st->gate)
                rq_sleeps(e, &e->run[i]->rq[k]);
    for (uint32_t i = 0; any && i < e->meta.station; i++)
        if (e->station[i] && e->station[i]->key == key) /* of an old store not all are there yet */
            e->station[i]->gate = 0;
    for (uint32_t i = 0; any && i < e->m.gates; i++) {
        e->m.gate[i].others = 0;
        for (uint32_t p = 0; p <= SL_PRIORITY_MAX; p++)
            e->m.gate[i].others |= (uint16_t)((e->m.gate[i].awake[p] > 0) << p);
    }
    for (uint32_t i = 0; any && i < e->meta.run; i++)
        for (uint32_t k = 0; e->run[i] && k < e->run[i]->lv->station_count; k++) {
            struct rq *q = &e->run[i]->rq[k];
            uint32_t gate = q->st->key == key && rq_offers(q) ? gate_of(e, q->st) : UINT32_MAX;
            if (gate != UINT32_MAX)
                rq_ready(e, q, !(e->m.gate[gate].others >> q->run->priority & 1));
        }
    if (any)
        nobody_gates_anew(e, key);
}

/* Among its new equals it begins as one that wakes up does; its time among the old ones means nothing here, be it more or less. */
void match_priority(struct engine *e, struct run *r, uint8_t priority)
{
    uint64_t at = 0;
    bool awake = r->awake;
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        if (is_awake(&r->rq[k])) {
            uint64_t there = begin_at(e, priority, gate_no(&r->rq[k]));
            at = there > at ? there : at;
        }
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        if (is_awake(&r->rq[k])) {
            struct gate *g = &e->m.gate[gate_no(&r->rq[k])];
            g->awake[r->priority]--;
            if (!g->awake[priority]++)
                g->clock[priority] = at;
        }
    run_out(e, r);
    r->priority = priority;
    r->vtime = at; /* asleep: from 0 on, that is wherever it wakes up */
    if (awake)
        run_in(e, r);
}

void match_closed(struct engine *e, struct run *r)
{
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        if (!rq_offers(&r->rq[k]))
            rq_sleeps(e, &r->rq[k]);
}

void match_forget_run(struct engine *e, struct run *r)
{
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        rq_sleeps(e, &r->rq[k]);
}

static const uint64_t *own_gates(void *arg, uint32_t run)
{
    return ((struct engine *)arg)->run[run - 1]->gates;
}

void match_gates_moved(struct engine *e)
{
    order_refresh(&e->m.runs, e->m.run_root, own_gates, e);
}

/* ---- workers ---- */

static bool wants_work(const struct engine *e, const struct worker *w)
{
    const struct hub *h = e->hub[w->hub - 1];
    return w->signed_in && w->on_roster && worker_on_shift(w) && w->granted > w->sent && h->connected && !h->full &&
           !h->clock_off && w->profile && !day_full(e, w);
}

void match_worker(struct engine *e, struct worker *w)
{
    if (wants_work(e, w))
        idle_list(e, w);
    else
        idle_unlist(e, w);
}

void match_hub_held(struct engine *e, struct hub *h, int change)
{
    h->holding = (uint64_t)((int64_t)h->holding + change);
    bool full = h->full ? h->holding > SL_HELD_ITEMS_MAX / 4 * 3 : h->holding >= SL_HELD_ITEMS_MAX;
    if (full == h->full)
        return;
    h->full = full;
    for (struct worker *w = h->members; w; w = w->hub_next)
        match_worker(e, w);
}

/* ---- the choice ---- */

/* The best queue that somebody who is idle could serve; NULL: there is none. */
static struct rq *best_queue(struct engine *e)
{
    struct matcher *m = &e->m;
    const struct order_key end = { UINT64_MAX, UINT64_MAX };
    for (;;) {
        if (!m->run_root || !m->idle_root) {
            while (mask_turn_came(e, end, UINT16_MAX))
                ;
            return NULL;
        }
        const uint64_t *idle = order_union(&m->idle, m->idle_root);
        for (uint32_t w = 0; w < m->words; w++)
            m->scratch[w] = idle[w] & ~m->blocked[w];
        uint32_t id = order_first(&m->runs, m->run_root, m->scratch);
        if (!id && mask_turn_came(e, end, UINT16_MAX))
            continue;
        if (!id)
            return NULL;
        struct run *r = e->run[id - 1];
        bool slept = false, came = false;
        for (uint32_t w = 0; w < sizeof r->ready / sizeof *r->ready && !came; w++)
            for (uint64_t left = r->ready[w]; left && !came; left &= left - 1) {
                struct rq *q = &r->rq[r->by_rank[w * 64 + (uint32_t)__builtin_ctzll(left)]];
                if (!gate_bit(m->scratch, gate_no(q)))
                    continue;
                if (!rq_offers(q)) {
                    rq_sleeps(e, q);
                    slept = true;
                } else if (mask_turn_came(e, run_key(r), q->st->rank)) {
                    came = true;
                } else {
                    return q;
                }
            }
        assert(slept || came); /* a run's gates are those of its queues */
    }
}

static void picked(struct engine *e, struct pick *pk)
{
    struct rq *q = pk->rq;
    struct run *r = q->run;
    struct worker *w = pk->w;
    bool gold = is_gold(pk->unit);
    uint8_t *h = gold ? NULL : unit_head(e, r, pk->unit, true);
    struct pick *v = h || gold ? grow(e, e->pick, &e->pick_cap, e->picks + 1, sizeof *v) : NULL;
    if (!v)
        return;
    e->pick = v;
    pk->at = e->picks;
    e->pick[e->picks++] = *pk;
    amap_soon(&e->amap, e->meta.assignment + e->picks);
    gold_handed(e, q->st, w->id);
    if (!gold && has_copies(q->st))
        copies_taken(e, r, h, q->st->idx, e->picks - 1);
    else if (!gold)
        task_set(e, r, h, q->st->idx, TASK_ASSIGNED);
    e->hub[w->hub - 1]->assigned++;
    if (pk->since_us)
        latency_add(&q->st->waited, e->now_us - pk->since_us);
    uint64_t *clock = &e->m.gate[gate_no(q)].clock[r->priority];
    if (e->meta.vclock[r->priority] < r->vtime)
        e->meta.vclock[r->priority] = r->vtime;
    if (*clock < r->vtime)
        *clock = r->vtime;
    r->vtime++;
    if (!order_stays(&e->m.runs, e->m.run_root, r->id, run_key(r))) {
        order_del(&e->m.runs, &e->m.run_root, r->id);
        order_put(&e->m.runs, &e->m.run_root, r->id, run_key(r), r->gates);
    }
    run_dirty(e, r);
    w->sent++;
    w->holding++;
    day_count(e, w, q->st);
    limit_taken(e, q->st);
    match_hub_held(e, e->hub[w->hub - 1], 1);
    if (wants_work(e, w))
        idle_again(e, w);
    else
        idle_unlist(e, w);
}

/* What the station's tasks usually take fits into what is left of his shift. */
static bool time_for(const struct engine *e, const struct worker *w, const struct rq *q)
{
    return worker_time_left(e, w) >= pace_usual_us(q->st);
}

/* Of the runs that have work at another gate where he is asked, the first; 0: there is none. Leaves these gates in scratch. */
static uint32_t first_elsewhere(struct engine *e, const struct worker *w, uint32_t gate)
{
    struct matcher *m = &e->m;
    const uint64_t *his = w->at[IDLE_ALL].cell->bits;
    for (uint32_t i = 0; i < m->words; i++)
        m->scratch[i] = his[i] & ~m->blocked[i];
    m->scratch[gate / 64] &= ~(1ull << (gate % 64));
    return order_first(&m->runs, m->run_root, m->scratch);
}

/* Does something come before this queue that he is, or will be, asked about at another gate? */
static bool comes_later(const struct engine *e, const struct worker *w, uint32_t other, const struct rq *q)
{
    const struct run *r = q->run;
    struct order_key at = run_key(r), before = other ? run_key(e->run[other - 1]) : at;
    if (mask_turn_before(w, at, q->st->rank))
        return true;
    if (other != r->id)
        return other && (before.hi != at.hi ? before.hi < at.hi : before.lo < at.lo);
    for (uint32_t rank = 0; rank < q->st->rank; rank++)
        if (r->ready[rank / 64] >> (rank % 64) & 1 && gate_bit(e->m.scratch, gate_no(&r->rq[r->by_rank[rank]])))
            return true;
    return false;
}

enum elsewhere { ELSEWHERE_NONE, ELSEWHERE_TAKEN, ELSEWHERE_LATER };

/* The first task that this worker may do, in any queue of the gate but this one, in the order of the runs. LATER: before such a queue something else comes, and he has a mask. */
static enum elsewhere take_elsewhere(struct engine *e, const struct rq *but, struct worker *w, struct pick *pk)
{
    struct matcher *m = &e->m;
    uint32_t gate = gate_no(but), other = first_elsewhere(e, w, gate);
    struct order_key at = { 0, 0 };
    for (uint32_t id; (id = order_after_bit(&m->runs, m->run_root, at, gate)) != 0 && !e->rc;) {
        struct run *r = e->run[id - 1];
        at = run_key(r);
        for (uint32_t i = 0; i < sizeof r->ready / sizeof *r->ready; i++)
            for (uint64_t left = r->ready[i]; left; left &= left - 1) {
                struct rq *q = &r->rq[r->by_rank[i * 64 + (uint32_t)__builtin_ctzll(left)]];
                if (q == but || gate_no(q) != gate || !rq_offers(q) || !time_for(e, w, q))
                    continue;
                if (comes_later(e, w, other, q)) {
                    mask_turn(e, w, gate, at, q->st->rank);
                    return ELSEWHERE_LATER;
                }
                if (queue_take(e, q, w, pk))
                    return ELSEWHERE_TAKEN;
            }
    }
    return ELSEWHERE_NONE;
}

static struct worker *preferred(struct engine *e, struct rq *q, uint32_t gate)
{
    switch (q->st->def->prefer) {
    case LD_PREFER_BEST: return idle_pick(e, gate, IDLE_ALL, NULL, true);
    case LD_PREFER_HUB: {
        const struct hub *h = queue_head_hub(e, q);
        struct worker *w = h ? idle_pick(e, gate, IDLE_HUB, h, false) : NULL;
        if (w)
            return w;
        break;
    }
    case LD_PREFER_IDLE: break;
    }
    return idle_pick(e, gate, IDLE_ALL, NULL, false);
}

/* He may do nothing in this queue. */
static void asked_elsewhere(struct engine *e, const struct rq *q, struct worker *w, struct pick *pk)
{
    enum elsewhere x = take_elsewhere(e, q, w, pk);
    if (x == ELSEWHERE_TAKEN)
        picked(e, pk);
    else if (x == ELSEWHERE_NONE && rq_offers(q) && !e->rc)
        mask_add(e, w, gate_no(q), MASK_NOTHING);
}

void match_run(struct engine *e)
{
    while (!e->rc) {
        struct rq *q = best_queue(e);
        if (!q) {
            if (!e->picks)
                return;
            assign_picks(e); /* may give credit back, and so somebody is idle again */
            continue;
        }
        struct pick pk;
        uint32_t gate = gate_no(q);
        struct worker *w = preferred(e, q, gate);
        assert(w);
        if (!worker_on_shift(w) || skills_ended(e, w)) /* over, and not yet settled for him */
            idle_unlist(e, w);
        else if (day_full_at(e, w, q->st)) /* his gate is of this limit alone */
            mask_add(e, w, gate, MASK_DAY);
        else if (time_for(e, w, q) && (gold_take(e, q, w, &pk) || queue_take(e, q, w, &pk)))
            picked(e, &pk);
        else if (rq_offers(q))
            asked_elsewhere(e, q, w, &pk);
    }
}
