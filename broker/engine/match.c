/* Matching: which worker gets which task.
 *
 * Workers with the same kind and skills share a profile. A profile keeps a heap of the queues that have ready tasks it may do, ordered by
 * priority, then by the run's virtual time (start-time fair queueing, Goyal, Vin, Cheng 1996: a run's time grows by one with each of its
 * assignments, at whatever station; one that wakes up starts with the others, see begin_at), then run, then the station furthest
 * downstream. Virtual times only grow, so an entry that has become too early is corrected when it reaches the top, and an entry whose queue
 * is empty or paused is dropped there: no assignment ever touches other profiles' heaps.
 *
 * A worker who may take work stands in its profile's idle list; the one idle the longest is served first. */
#include <stdio.h>

#include "broker/engine/internal.h"

/* ---- profiles ---- */

static uint32_t skill_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    return h;
}

static bool skill_slots_double(struct engine *e)
{
    uint32_t n = e->skill_slots ? e->skill_slots * 2 : 64, *slot = calloc(n, sizeof *slot);
    if (!slot) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < e->skill_names; i++) {
        uint32_t at = skill_hash(e->skill_name[i], strlen(e->skill_name[i])) & (n - 1);
        while (slot[at])
            at = (at + 1) & (n - 1);
        slot[at] = i + 1;
    }
    free(e->skill_slot);
    e->skill_slot = slot;
    e->skill_slots = n;
    return true;
}

uint32_t skill_intern(struct engine *e, struct slp_bytes n)
{
    if (e->skill_names * 2 >= e->skill_slots && !skill_slots_double(e))
        return UINT32_MAX;
    uint32_t at = skill_hash(n.p, n.n) & (e->skill_slots - 1);
    for (; e->skill_slot[at]; at = (at + 1) & (e->skill_slots - 1)) {
        const char *s = e->skill_name[e->skill_slot[at] - 1];
        if (strlen(s) == n.n && !memcmp(s, n.p, n.n))
            return e->skill_slot[at] - 1;
    }
    char **v = grow(e, e->skill_name, &e->skill_name_cap, e->skill_names + 1, sizeof *v),
         *s = v ? strndup(n.p, n.n) : NULL;
    if (v)
        e->skill_name = v;
    if (!s) {
        fail(e, STORE_NO_MEMORY);
        return UINT32_MAX;
    }
    e->skill_name[e->skill_names] = s;
    e->skill_slot[at] = e->skill_names + 1;
    return e->skill_names++;
}

bool profile_fits(struct engine *e, const struct profile *p, const struct ld_station *s, char *why, size_t why_size,
                  int *code)
{
    if (s->kind != LD_ANY && (s->kind == LD_ROBOT) != (p->kind == 1)) {
        if (why)
            snprintf(why, why_size, "station %.*s is for %s", (int)s->name.n, s->name.p,
                     s->kind == LD_ROBOT ? "robots" : "people");
        if (code)
            *code = 2;
        return false;
    }
    for (uint32_t i = 0; i < s->skill_count; i++) {
        int has = -1;
        for (uint16_t j = 0; j < p->skills; j++) {
            const char *n = e->skill_name[p->skill[j].name];
            if (strlen(n) == s->skills[i].name.n && !memcmp(n, s->skills[i].name.p, s->skills[i].name.n))
                has = p->skill[j].level;
        }
        if (has >= (int)s->skills[i].level)
            continue;
        if (why)
            snprintf(why, why_size,
                     has < 0 ? "station %.*s asks for skill %.*s" : "station %.*s asks for a higher level of %.*s",
                     (int)s->name.n, s->name.p, (int)s->skills[i].name.n, s->skills[i].name.p);
        if (code)
            *code = has < 0 ? 2 : 3;
        return false;
    }
    return true;
}

static void fit(struct engine *e, struct profile *p, struct station *s)
{
    if (!profile_fits(e, p, s->def, NULL, 0, NULL))
        return;
    struct profile **pv = grow(e, s->profile, &s->profile_cap, s->profiles + 1, sizeof *pv);
    if (!pv)
        return;
    s->profile = pv;
    uint32_t cap = p->station_cap;
    struct station **sv = grow(e, p->station, &p->station_cap, p->stations + 1, sizeof *sv);
    if (!sv)
        return;
    p->station = sv;
    uint32_t *bits = grow(e, p->station_bit, &cap, p->stations + 1, sizeof *bits);
    if (!bits)
        return;
    p->station_bit = bits;
    p->station[p->stations] = s;
    p->station_bit[p->stations++] = s->profiles;
    s->profile[s->profiles++] = p;
}

void match_station_added(struct engine *e, struct station *s)
{
    for (uint32_t i = 0; i < e->profiles; i++)
        fit(e, e->profile[i], s);
}

static int by_name(const void *a, const void *b)
{
    uint32_t x = ((const uint32_t *)a)[0], y = ((const uint32_t *)b)[0];
    return x < y ? -1 : x > y;
}

struct profile *profile_for(struct engine *e, uint8_t kind, const struct slp_list *skills)
{
    struct profile want = { .kind = kind };
    struct slp_cursor c = slp_each(*skills);
    struct slp_item_skill it;
    while (slp_next_skill(&c, &it) && want.skills < SL_SKILLS_MAX) {
        uint32_t n = skill_intern(e, it.name);
        if (n == UINT32_MAX)
            return NULL; /* no memory: the batch is given up */
        want.skill[want.skills].name = n;
        want.skill[want.skills++].level = (uint8_t)it.level;
    }
    _Static_assert(sizeof want.skill[0] == 8, "by_name sees the name first");
    qsort(want.skill, want.skills, sizeof want.skill[0], by_name);
    uint16_t kept = 0;
    for (uint16_t i = 0; i < want.skills; i++) { /* a skill that is told twice counts at its higher level */
        if (kept && want.skill[kept - 1].name == want.skill[i].name) {
            if (want.skill[i].level > want.skill[kept - 1].level)
                want.skill[kept - 1].level = want.skill[i].level;
        } else {
            want.skill[kept++] = want.skill[i];
        }
    }
    want.skills = kept;
    for (uint32_t i = 0; i < e->profiles; i++) {
        struct profile *p = e->profile[i];
        bool same = p->kind == kind && p->skills == want.skills;
        for (uint16_t j = 0; same && j < p->skills; j++)
            same = p->skill[j].name == want.skill[j].name && p->skill[j].level == want.skill[j].level;
        if (same)
            return p;
    }
    struct profile **v = grow(e, e->profile, &e->profile_cap, e->profiles + 1, sizeof *v);
    struct profile *p = malloc(sizeof *p);
    if (v)
        e->profile = v;
    if (!v || !p) {
        free(p);
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    *p = want;
    p->id = e->profiles;
    e->profile[e->profiles++] = p;
    for (uint32_t i = 0; i < e->meta.station; i++) {
        uint32_t had = p->stations;
        fit(e, p, e->station[i]);
        if (p->stations == had)
            continue;
        for (uint32_t r = 0; r < e->meta.run; r++) /* what is ready there already; a new profile is rare */
            if (e->run[r] && e->run[r]->lv == e->station[i]->lv)
                match_rq_ready(e, &e->run[r]->rq[e->station[i]->idx]);
    }
    return p;
}

void profiles_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->profiles; i++) {
        free(e->profile[i]->station);
        free(e->profile[i]->station_bit);
        free(e->profile[i]->heap);
        free(e->profile[i]);
    }
    for (uint32_t i = 0; i < e->skill_names; i++)
        free(e->skill_name[i]);
    free(e->profile);
    free(e->skill_name);
    free(e->skill_slot);
    free(e->touched_list);
}

/* ---- the heap of a profile ---- */

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->vtime != b->vtime)
        return a->vtime < b->vtime;
    if (a->rq->run->id != b->rq->run->id)
        return a->rq->run->id < b->rq->run->id;
    if (a->rq->st->def->depth != b->rq->st->def->depth)
        return a->rq->st->def->depth > b->rq->st->def->depth;
    return a->rq->st->id < b->rq->st->id;
}

static void sift_down(struct profile *p, uint32_t i)
{
    struct heap_entry x = p->heap[i];
    for (uint32_t kid; (kid = 2 * i + 1) < p->heap_n; i = kid) {
        if (kid + 1 < p->heap_n && before(&p->heap[kid + 1], &p->heap[kid]))
            kid++;
        if (!before(&p->heap[kid], &x))
            break;
        p->heap[i] = p->heap[kid];
    }
    p->heap[i] = x;
}

static void heap_push(struct engine *e, struct profile *p, struct rq *q, uint32_t bit)
{
    struct heap_entry *v = grow(e, p->heap, &p->heap_cap, p->heap_n + 1, sizeof *v);
    if (!v)
        return;
    p->heap = v;
    struct heap_entry x = { q->run->vtime, q, bit, (uint8_t)q->run->priority };
    uint32_t i = p->heap_n++;
    for (; i && before(&x, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = x;
}

static void heap_pop(struct profile *p)
{
    if (--p->heap_n) {
        p->heap[0] = p->heap[p->heap_n];
        sift_down(p, 0);
    }
}

static void mark(struct rq *q, uint32_t bit, bool on)
{
    if (on)
        q->in_heap[bit / 64] |= 1ull << (bit % 64);
    else
        q->in_heap[bit / 64] &= ~(1ull << (bit % 64));
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

static void touch(struct engine *e, struct profile *p)
{
    if (p->touched || !p->idle_first)
        return;
    struct profile **v = grow(e, e->touched_list, &e->touched_cap, e->touched + 1, sizeof *v);
    if (!v)
        return;
    e->touched_list = v;
    e->touched_list[e->touched++] = p;
    p->touched = true;
}

/* Of the queues that this profile may take from, how far those of the best priority have been served; false: nothing of this priority is there. The
 * run that asks does not count. */
static bool level_of(const struct profile *p, const struct run *r, uint64_t *at)
{
    bool found = false;
    for (uint32_t i = 0; i < 3 && i < p->heap_n; i++) { /* the top, or the one below it that will be */
        const struct rq *q = p->heap[i].rq;
        if (q->run == r || q->run->priority != r->priority || (found && q->run->vtime >= *at))
            continue;
        *at = q->run->vtime;
        found = true;
        if (i == 0)
            break;
    }
    return found;
}

/* Where a run begins that wakes up at this station: with the others that have work there (the station's clock is the time of the one it served
 * last). If there are none, with those that the same workers serve at other stations: as far as the best served of these, so that it gets
 * ahead of nobody. If there are none either, at the priority's clock, which no run is ahead of. docs/adr/0008-fair-shares.md tells what that
 * guarantees, and why neither one clock for all nor the furthest behind of all would do. */
static uint64_t begin_at(const struct engine *e, const struct run *r, const struct station *s)
{
    uint64_t at = 0, v;
    bool found = false;
    if (s->awake[r->priority])
        return s->clock[r->priority];
    for (uint32_t i = 0; i < s->profiles; i++)
        if (level_of(s->profile[i], r, &v)) {
            found = true;
            at = v > at ? v : at;
        }
    return found ? at : e->meta.vclock[r->priority];
}

static void rq_wakes(struct engine *e, struct rq *q)
{
    struct run *r = q->run;
    struct station *s = q->st;
    uint64_t *clock = &s->clock[r->priority];
    q->active = true;
    if (r->active_rqs++ == 0 && !e->booting) {
        uint64_t at = begin_at(e, r, s);
        if (r->vtime < at) {
            r->vtime = at;
            run_dirty(e, r);
        }
    }
    if (!s->awake[r->priority]++ || (e->booting && r->vtime < *clock))
        *clock = r->vtime;
}

static void rq_sleeps(struct rq *q)
{
    if (q->active) {
        q->active = false;
        assert(q->run->active_rqs > 0 && q->st->awake[q->run->priority] > 0);
        q->run->active_rqs--;
        q->st->awake[q->run->priority]--;
    }
}

void match_rq_ready(struct engine *e, struct rq *q)
{
    if (!rq_offers(q))
        return;
    struct station *s = q->st;
    if (!q->active)
        rq_wakes(e, q);
    uint32_t words = (s->profiles + 63) / 64;
    if (words > q->in_heap_words) {
        uint64_t *w = realloc(q->in_heap, words * sizeof *w);
        if (!w) {
            fail(e, STORE_NO_MEMORY);
            return;
        }
        memset(w + q->in_heap_words, 0, (words - q->in_heap_words) * sizeof *w);
        q->in_heap = w;
        q->in_heap_words = words;
    }
    for (uint32_t i = 0; i < s->profiles; i++) {
        if (!(q->in_heap[i / 64] >> (i % 64) & 1)) {
            heap_push(e, s->profile[i], q, i);
            mark(q, i, true);
        }
        touch(e, s->profile[i]);
    }
}

/* Among its new equals it begins as one that wakes up does; its time among the old ones means nothing here, be it more or less. */
void match_priority_changed(struct engine *e, struct run *r, uint8_t was)
{
    uint64_t at = 0;
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        if (r->rq[k].active) {
            uint64_t there = begin_at(e, r, r->rq[k].st);
            at = there > at ? there : at;
        }
    r->vtime = at; /* asleep: from 0 on, that is wherever it wakes up */
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        if (r->rq[k].active) {
            struct station *s = r->rq[k].st;
            s->awake[was]--;
            if (!s->awake[r->priority]++)
                s->clock[r->priority] = at;
        }
    for (uint32_t i = 0; i < e->profiles; i++) {
        struct profile *p = e->profile[i];
        for (uint32_t j = 0; j < p->heap_n; j++)
            if (p->heap[j].rq->run == r)
                p->heap[j] = (struct heap_entry){ r->vtime, p->heap[j].rq, p->heap[j].bit, (uint8_t)r->priority };
        for (uint32_t j = p->heap_n / 2; j-- > 0;)
            sift_down(p, j);
        touch(e, p);
    }
}

void match_forget_run(struct engine *e, struct run *r)
{
    for (uint32_t k = 0; k < r->lv->station_count; k++)
        rq_sleeps(&r->rq[k]);
    for (uint32_t i = 0; i < e->profiles; i++) {
        struct profile *p = e->profile[i];
        uint32_t n = 0;
        for (uint32_t j = 0; j < p->heap_n; j++)
            if (p->heap[j].rq->run != r)
                p->heap[n++] = p->heap[j];
        p->heap_n = n;
        for (uint32_t j = n / 2; j-- > 0;)
            sift_down(p, j);
    }
}

/* The best queue for the profile, its entry made current; NULL: none. */
static struct rq *heap_best(struct engine *e, struct profile *p)
{
    (void)e;
    while (p->heap_n) {
        struct heap_entry *top = &p->heap[0];
        struct rq *q = top->rq;
        if (!rq_offers(q)) {
            mark(q, top->bit, false);
            heap_pop(p);
            rq_sleeps(q);
        } else if (top->vtime != q->run->vtime || top->priority != q->run->priority) {
            top->vtime = q->run->vtime;
            top->priority = (uint8_t)q->run->priority;
            sift_down(p, 0);
        } else {
            return q;
        }
    }
    return NULL;
}

/* ---- idle workers ---- */

static void idle_unlink(struct worker *w)
{
    struct profile *p = w->profile;
    if (!w->idle)
        return;
    *(w->prev ? &w->prev->next : &p->idle_first) = w->next;
    *(w->next ? &w->next->prev : &p->idle_last) = w->prev;
    w->next = w->prev = NULL;
    w->idle = false;
}

static void idle_append(struct engine *e, struct worker *w)
{
    struct profile *p = w->profile;
    w->idle_seq = ++e->idle_seq;
    w->next = NULL;
    w->prev = p->idle_last;
    *(p->idle_last ? &p->idle_last->next : &p->idle_first) = w;
    p->idle_last = w;
    w->idle = true;
}

void match_worker(struct engine *e, struct worker *w)
{
    bool wants = w->signed_in && w->on_roster && worker_on_shift(w) && w->granted > w->sent &&
                 e->hub[w->hub - 1]->connected && !e->hub[w->hub - 1]->full;
    if (wants && !w->idle)
        idle_append(e, w);
    else if (!wants)
        idle_unlink(w);
    if (wants)
        touch(e, w->profile);
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

static int64_t quickest_us(const struct engine *e, struct profile *p)
{
    if (p->quickest_step != e->total.steps) {
        p->quickest_step = e->total.steps;
        p->quickest_us = INT64_MAX;
        for (uint32_t i = 0; i < p->stations; i++)
            if (pace_usual_us(p->station[i]) < p->quickest_us)
                p->quickest_us = pace_usual_us(p->station[i]);
    }
    return p->quickest_us;
}

/* Take a task for this worker from the best queue that has one it may do. Queues that hold only tasks it declined, or whose tasks usually take longer
 * than its shift still lasts, are set aside. */
static bool choose(struct engine *e, struct profile *p, struct worker *w)
{
    struct heap_entry aside[64];
    uint32_t n = 0;
    bool got = false;
    struct rq *q;
    int64_t left_us = worker_time_left(e, w);
    while (n < 64 && (q = heap_best(e, p)) && !e->rc) {
        struct pick pk;
        bool fits = left_us >= pace_usual_us(q->st);
        if (fits && queue_take(e, q, w, &pk)) {
            uint8_t *h = unit_head(e, q->run, pk.unit, true);
            if (!h)
                break;
            struct pick *v = grow(e, e->pick, &e->pick_cap, e->picks + 1, sizeof *v);
            if (!v)
                break;
            e->pick = v;
            pk.at = e->picks;
            e->hub[w->hub - 1]->assigned++;
            if (pk.since_us)
                latency_add(&q->st->waited, e->now_us - pk.since_us);
            e->pick[e->picks++] = pk;
            if (has_copies(q->st))
                copies_taken(e, q->run, h, q->st->idx, e->picks - 1);
            else
                task_set(e, q->run, h, q->st->idx, TASK_ASSIGNED);
            if (e->meta.vclock[q->run->priority] < q->run->vtime)
                e->meta.vclock[q->run->priority] = q->run->vtime;
            if (q->st->clock[q->run->priority] < q->run->vtime)
                q->st->clock[q->run->priority] = q->run->vtime;
            q->run->vtime++;
            run_dirty(e, q->run);
            got = true;
            break;
        }
        if (fits && !rq_offers(q))
            continue; /* it held only stale entries: heap_best drops it */
        aside[n++] = p->heap[0];
        heap_pop(p);
    }
    for (uint32_t i = 0; i < n; i++)
        heap_push(e, p, aside[i].rq, aside[i].bit);
    return got;
}

static bool serve_one(struct engine *e, struct profile *p)
{
    for (struct worker *w = p->idle_first, *next; w && heap_best(e, p) && !e->rc; w = next) {
        next = w->next;
        if (!worker_on_shift(w) || worker_time_left(e, w) < quickest_us(e, p)) {
            idle_unlink(w); /* nothing more for it in this shift: when the next one begins it is listed again */
            continue;
        }
        if (!choose(e, p, w))
            continue; /* all that is there, this worker has declined, or it takes too long */
        w->sent++;
        w->holding++;
        idle_unlink(w);
        match_hub_held(e, e->hub[w->hub - 1], 1);
        match_worker(e, w);
        return true;
    }
    return false;
}

void match_run(struct engine *e)
{
    while ((e->touched || e->picks) && !e->rc) {
        if (!e->touched) { /* may give credit back, and so touch a profile again */
            assign_picks(e);
            continue;
        }
        struct profile *best = NULL;
        uint32_t n = 0;
        for (uint32_t i = 0; i < e->touched; i++) { /* few: those whose workers or queues changed in this step */
            struct profile *p = e->touched_list[i];
            if (!p->idle_first || !heap_best(e, p)) {
                p->touched = false;
                continue;
            }
            e->touched_list[n++] = p;
            if (!best || p->idle_first->idle_seq < best->idle_first->idle_seq)
                best = p;
        }
        e->touched = n;
        if (best && !serve_one(e, best)) {
            best->touched = false;
            for (uint32_t i = 0; i < e->touched; i++)
                if (e->touched_list[i] == best)
                    e->touched_list[i] = e->touched_list[--e->touched];
        }
    }
}
