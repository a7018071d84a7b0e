/* Assignments in hand: pushes, recalls, starts, ends; room and credit; the offline rule. */
#include "proto/reader.h"
#include "worker-agent/core_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"

/* ---------------------------------------------------------------- lists */
void list_add(struct task_list *l, struct core_task *t)
{
    t->prev = l->tail;
    t->next = NULL;
    *(l->tail ? &l->tail->next : &l->head) = t;
    l->tail = t;
    l->count++;
}

void list_del(struct task_list *l, struct core_task *t)
{
    assert(l->count > 0);
    *(t->prev ? &t->prev->next : &l->head) = t->next;
    *(t->next ? &t->next->prev : &l->tail) = t->prev;
    t->prev = t->next = NULL;
    l->count--;
}

struct task_list *list_of(struct core *c, struct core_task *t)
{
    switch (t->state) {
    case CORE_WAITING: return t->worker ? &t->worker->waiting : &c->orphans;
    case CORE_STARTED: return &c->started;
    default: return &c->closing;
    }
}

struct core_worker *worker_named(const struct core *c, const char *name)
{
    uint32_t lo = 0, hi = c->worker_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = strcmp(c->workers[mid]->name, name);
        if (order == 0)
            return c->workers[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---------------------------------------------------------------- credit */
void work_poke(struct core *c, struct core_worker *w)
{
    if (w->poked || !w->on_roster)
        return;
    w->poked = true;
    w->poke_next = NULL;
    if (c->poke_tail)
        c->poke_tail->poke_next = w;
    else
        c->poke_head = w;
    c->poke_tail = w;
}

void work_credit(struct core *c, struct core_worker *w)
{
    if (w->credit_dirty || !w->on_roster)
        return;
    w->credit_dirty = true;
    w->credit_next = NULL;
    if (c->credit_tail)
        c->credit_tail->credit_next = w;
    else
        c->credit_head = w;
    c->credit_tail = w;
}

void work_sign_off(struct core *c, struct core_worker *w)
{
    w->signed_in = false;
    w->off_untold = c->session != 0;
    c->offs_untold |= w->off_untold;
    work_drop_waiting(c, w, 0);
}

void work_drop_waiting(struct core *c, struct core_worker *w, uint64_t code)
{
    while (w->waiting.head) {
        struct core_task *t = w->waiting.head;
        if (!w->robot) {
            struct core_out *o = core_emit(c, CORE_OUT_DROPPED);
            o->assignment = t->assignment;
            o->code = code;
            core_emit_text(c, o, w->name, strlen(w->name));
        }
        work_forget(c, t);
    }
}

/* A worker that left the roster: its begun tasks still point at it, so it stays, unfound, until the core ends. */
void work_free_worker(struct core *c, struct core_worker *w)
{
    for (struct core_worker **p = &c->credit_head; *p; p = &(*p)->credit_next)
        if (*p == w) {
            *p = w->credit_next;
            break;
        }
    c->credit_tail = NULL;
    for (struct core_worker *x = c->credit_head; x; x = x->credit_next)
        c->credit_tail = x;
    for (struct core_worker **p = &c->poke_head; *p; p = &(*p)->poke_next)
        if (*p == w) {
            *p = w->poke_next;
            break;
        }
    c->poke_tail = NULL;
    for (struct core_worker *x = c->poke_head; x; x = x->poke_next)
        c->poke_tail = x;
    w->signed_in = w->ready = w->credit_dirty = w->poked = false;
    w->poke_next = c->gone;
    c->gone = w;
}

void work_hold(struct core *c, struct core_worker *w, int64_t until_us)
{
    if (c->hold_count == c->hold_cap) {
        uint32_t cap = c->hold_cap ? c->hold_cap * 2 : 16;
        struct hold *v = realloc(c->holds, cap * sizeof *v);
        if (!v) {
            c->failed = true;
            return;
        }
        c->holds = v;
        c->hold_cap = cap;
    }
    c->holds[c->hold_count++] = (struct hold){ w, until_us };
    w->holds++;
}

/* ---------------------------------------------------------------- tasks in and out of the table */
static struct core_task *task_new(struct core *c, uint64_t assignment, struct slp_list fields, struct slp_bytes context)
{
    struct core_task *t = calloc(1, sizeof *t + fields.bytes + context.n);
    if (!t || !u64map_put(&c->tasks, assignment, t)) {
        free(t);
        c->failed = true;
        return NULL;
    }
    char *p = (char *)(t + 1);
    if (fields.bytes)
        memcpy(p, fields.p, fields.bytes);
    if (context.n)
        memcpy(p + fields.bytes, context.p, context.n);
    t->assignment = assignment;
    t->fields = (struct slp_list){ p, fields.bytes, fields.count };
    t->context = (struct slp_bytes){ p + fields.bytes, context.n };
    t->got_us = c->now_us;
    return t;
}

void work_forget(struct core *c, struct core_task *t)
{
    struct core_worker *w = t->worker;
    if (w && t->state == CORE_STARTED)
        w->started--;
    bool had_room = t->state > CORE_STARTED;
    list_del(list_of(c, t), t);
    u64map_del(&c->tasks, t->assignment);
    free(t);
    if (w && !had_room) {
        work_credit(c, w);
        work_poke(c, w);
    }
}

void work_free_tasks(struct core *c)
{
    for (size_t i = 0; i < c->tasks.cap; i++)
        if (c->tasks.keys[i])
            free(c->tasks.values[i]);
}

/* The task leaves its worker's hands; it stays known until the broker has acknowledged what ended it. */
static void close_task(struct core *c, struct core_task *t, enum core_state state)
{
    assert(t->state <= CORE_STARTED && state > CORE_STARTED);
    struct core_worker *w = t->worker;
    list_del(list_of(c, t), t);
    if (w && t->state == CORE_STARTED)
        w->started--;
    t->state = state;
    list_add(&c->closing, t);
    if (w) {
        work_credit(c, w);
        work_poke(c, w);
    }
}

/* ---------------------------------------------------------------- stations' forms */
static struct station *station_of(struct core *c, uint64_t id)
{
    struct station *s = u64map_get(&c->stations, id);
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s || !u64map_put(&c->stations, id, s)) {
        free(s);
        c->failed = true;
        return NULL;
    }
    s->id = id;
    *(c->last_station ? &c->last_station->next : &c->first_station) = s;
    c->last_station = s;
    return s;
}

/* A person's tasks are begun with the form on screen; a robot's output is checked against it. Without one nothing can
 * be done here. */
static void refuse_formless(struct core *c, struct task_list *l, uint64_t station_id)
{
    for (struct core_task *t = l->head, *next; t; t = next) {
        next = t->next;
        if (t->station_id == station_id)
            work_give_up(c, t, 2, (struct slp_bytes){ "the agent cannot read the station's form", 40 });
    }
}

void work_form(struct core *c, uint64_t station_id, bool ok)
{
    if (station_id == 0)
        return;
    struct station *s = station_of(c, station_id);
    if (!s)
        return;
    s->form = ok ? FORM_OK : FORM_BAD;
    if (!ok)
        core_log(c, CORE_ERROR, "form-bad", "station=%llu", (unsigned long long)station_id);
    for (uint32_t i = 0; i < c->worker_count; i++) {
        if (!c->workers[i]->waiting.head)
            continue;
        if (ok)
            work_poke(c, c->workers[i]);
        else
            refuse_formless(c, &c->workers[i]->waiting, station_id);
    }
}

/* ---------------------------------------------------------------- pushes and recalls */
static bool takes_work(const struct core *c, const struct core_worker *w)
{
    return w->on_roster && !c->quiet && (w->robot || w->signed_in);
}

/* A task whose worker is known now: into the worker's hands, or back. */
static void hand_over(struct core *c, struct core_task *t, struct core_worker *w)
{
    list_del(&c->orphans, t);
    t->worker = w;
    list_add(&w->waiting, t);
    if (takes_work(c, w))
        work_poke(c, w);
    else
        work_give_up(c, t, 2, (struct slp_bytes){ "not signed in", 13 });
}

void work_push(struct core *c, const struct slp_push *m)
{
    if (m->push_no <= c->last_push)
        return; /* a replay */
    if (m->push_no != c->last_push + 1)
        session_lose(c, "a push is missing", false);
    c->last_push = m->push_no;
    if (!station_of(c, m->station_id ? m->station_id : UINT64_MAX))
        return;
    struct slp_cursor each = slp_each(m->assignments);
    struct slp_item_assignment a;
    while (slp_next_assignment(&each, &a)) {
        struct core_worker *w = u64map_get(&c->by_number, a.worker ? a.worker : UINT64_MAX);
        /* What welcome called missing takes no credit. */
        bool again = a.assignment && u64map_del(&c->pushed_again, a.assignment);
        if (w && !again) {
            w->received++;
            work_credit(c, w);
        }
        if (a.assignment == 0 || u64map_get(&c->tasks, a.assignment))
            continue;
        struct core_task *t = task_new(c, a.assignment, a.fields, a.context);
        if (!t)
            return;
        t->worker_no = a.worker;
        t->station_id = m->station_id ? m->station_id : UINT64_MAX;
        t->attempt = a.attempt;
        t->lease_us = m->lease_us < (uint64_t)SL_LEASE_US_MAX ? (int64_t)m->lease_us : SL_LEASE_US_MAX;
        t->start_by_us = m->start_by_us && m->start_by_us < (uint64_t)SL_DELAY_US_MAX ? (int64_t)m->start_by_us : 0;
        list_add(&c->orphans, t);
        if (c->numbers_known && c->state == S_UP) {
            if (w)
                hand_over(c, t, w);
            else
                work_give_up(c, t, 2, (struct slp_bytes){ "not on this hub's roster", 24 });
        }
    }
}

void work_numbers_known(struct core *c)
{
    for (struct core_task *t = c->orphans.head, *next; t; t = next) {
        next = t->next;
        struct core_worker *w = u64map_get(&c->by_number, t->worker_no ? t->worker_no : UINT64_MAX);
        if (w) {
            hand_over(c, t, w);
        } else {
            work_give_up(c, t, 2, (struct slp_bytes){ "not on this hub's roster", 24 });
        }
    }
    for (struct core_task *t = c->started.head; t; t = t->next) {
        bool in_hand =
            t->worker && t->worker->on_roster; /* else: from the journal, or of somebody who left, and may be back */
        struct core_worker *w = in_hand ? NULL : u64map_get(&c->by_number, t->worker_no ? t->worker_no : UINT64_MAX);
        if (w) {
            if (t->worker)
                t->worker->started--;
            t->worker = w;
            w->started++;
            work_credit(c, w);
        }
    }
    for (struct core_task *t = c->started.head, *next; t; t = next) {
        next = t->next;
        if (!t->worker && t->recalled) { /* from the journal: neither the broker nor anybody here has a use for it */
            core_emit(c, CORE_OUT_ENDED)->assignment = t->assignment;
            work_forget(c, t);
        }
    }
}

static void tell_dropped(struct core *c, const struct core_task *t, uint64_t code)
{
    if (t->worker && t->worker->robot)
        return;
    struct core_out *o = core_emit(c, CORE_OUT_DROPPED);
    o->assignment = t->assignment;
    o->code = code;
    const char *name = core_task_worker(t);
    core_emit_text(c, o, name, strlen(name));
}

void work_recall(struct core *c, uint64_t assignment, uint64_t code)
{
    struct core_task *t = assignment ? u64map_get(&c->tasks, assignment) : NULL;
    if (!t)
        return;
    if (t->state == CORE_WAITING) {
        tell_dropped(c, t, code);
        work_forget(c, t);
    } else if (t->state == CORE_STARTED && !t->recalled) {
        t->recalled = true;
        tell_dropped(c, t, code);
    }
    /* DONE and ENDED: their own answers will come */
}

/* ---------------------------------------------------------------- begin and end */
void work_begin(struct core *c, struct core_task *t)
{
    assert(t->state == CORE_WAITING && t->worker);
    list_del(&t->worker->waiting, t);
    t->state = CORE_STARTED;
    t->started_us = c->now_us;
    t->worker->started++;
    list_add(&c->started, t);
}

static void start_later(struct core *c, uint64_t assignment)
{
    if (c->starts_count == c->starts_cap) {
        uint32_t cap = c->starts_cap ? c->starts_cap * 2 : 64;
        struct start_due *v = calloc(cap, sizeof *v);
        if (!v) {
            c->failed = true;
            return;
        }
        for (uint32_t i = 0; i < c->starts_count; i++)
            v[i] = c->starts[(c->starts_head + i) % c->starts_cap];
        free(c->starts);
        c->starts = v;
        c->starts_cap = cap;
        c->starts_head = 0;
    }
    c->starts[(c->starts_head + c->starts_count++) % c->starts_cap] =
        (struct start_due){ assignment, c->now_us + CORE_START_DELAY_US };
}

void work_finish(struct core *c, const struct core_in *in)
{
    struct core_task *t = u64map_get(&c->tasks, in->assignment);
    if (t && t->state <= CORE_STARTED)
        close_task(c, t, CORE_DONE);
    send_result(c, in->assignment, in->seq, in->item);
}

void work_give_up(struct core *c, struct core_task *t, uint64_t act, struct slp_bytes reason)
{
    static const enum item_kind kinds[] = {
        ITEM_RELEASE, ITEM_RELEASE, ITEM_RELEASE, ITEM_DECLINE, ITEM_FAIL, ITEM_BURY
    };
    assert(act >= 2 && act < sizeof kinds / sizeof *kinds);
    if (reason.n > SL_TEXT_BYTES_MAX)
        reason.n = SL_TEXT_BYTES_MAX;
    reason.n = (uint32_t)sl_utf8_cut(reason.p, reason.n); /* what was no text from the start shrinks to what is */
    send_act(c, kinds[act], t, reason);
    close_task(c, t, CORE_ENDED);
}

void work_restore(struct core *c, const struct core_task *from)
{
    if (u64map_get(&c->tasks, from->assignment) || !station_of(c, from->station_id))
        return;
    struct core_task *t = task_new(c, from->assignment, from->fields, from->context);
    if (!t)
        return;
    t->worker_no = from->worker_no;
    t->station_id = from->station_id;
    t->attempt = from->attempt;
    t->lease_us = from->lease_us;
    t->state = CORE_STARTED;
    t->started_us = c->now_us;
    t->start_told = true;
    list_add(&c->started, t);
    /* It may not have got through; a repeat only tells what is left of the lease. */
    send_act(c, ITEM_START, t, (struct slp_bytes){ 0 });
}

void work_unsent(struct core *c, const struct core_in *in)
{
    struct core_task *t = u64map_get(&c->tasks, in->assignment);
    if (!t) {
        t = task_new(c, in->assignment, (struct slp_list){ 0 }, (struct slp_bytes){ 0 });
        if (!t)
            return;
        t->state = CORE_DONE;
        list_add(&c->closing, t);
    } else if (t->state <= CORE_STARTED) { /* a person's, journaled as begun and submitted just before the end */
        close_task(c, t, CORE_DONE);
    }
    send_result(c, in->assignment, in->seq, in->item);
}

/* ---------------------------------------------------------------- time */
static bool overdue(const struct core *c, const struct core_task *t)
{
    return t->start_by_us && c->now_us >= t->got_us + t->start_by_us;
}

static void run_robot(struct core *c, struct core_worker *w)
{
    for (struct core_task *t = w->waiting.head, *next; t && w->started + w->holds < w->capacity; t = next) {
        next = t->next;
        struct station *s = u64map_get(&c->stations, t->station_id);
        if (!s || s->form != FORM_OK)
            continue;
        if (overdue(c, t)) {
            work_give_up(c, t, 2, (struct slp_bytes){ "not started in time", 19 });
            continue;
        }
        work_begin(c, t);
        start_later(c, t->assignment);
        core_emit(c, CORE_OUT_RUN)->assignment = t->assignment;
    }
}

static void run_poked(struct core *c)
{
    if (!core_may_start(c, c->now_us))
        return; /* they stay listed until there is contact again */
    struct core_worker *w = c->poke_head;
    c->poke_head = c->poke_tail = NULL;
    while (w) {
        struct core_worker *next = w->poke_next;
        w->poke_next = NULL;
        w->poked = false;
        if (w->robot && w->ready) {
            run_robot(c, w);
        } else if (!w->robot && w->signed_in && core_next_task(c, w->name)) {
            struct core_out *o = core_emit(c, CORE_OUT_OFFER);
            core_emit_text(c, o, w->name, strlen(w->name));
        }
        w = next;
    }
}

static void tell_due_starts(struct core *c)
{
    while (c->starts_count && c->starts[c->starts_head].due_us <= c->now_us) {
        struct core_task *t = u64map_get(&c->tasks, c->starts[c->starts_head].assignment);
        c->starts_head = (c->starts_head + 1) % c->starts_cap;
        c->starts_count--;
        if (t && t->state == CORE_STARTED && !t->start_told) {
            t->start_told = true;
            send_act(c, ITEM_START, t, (struct slp_bytes){ 0 });
        }
    }
}

/* Robots' tasks are touched at a third of the lease. (A person's lease is renewed when the person does something.) */
static void touch_due(struct core *c)
{
    if (c->now_us < c->touch_next_us)
        return;
    c->touch_next_us = INT64_MAX;
    for (struct core_task *t = c->started.head; t; t = t->next) {
        if (t->touch_due_us == 0 || t->recalled)
            continue;
        if (t->touch_due_us <= c->now_us) {
            send_act(c, ITEM_TOUCH, t, (struct slp_bytes){ 0 });
            t->touch_due_us = c->now_us + t->lease_us / 3;
        }
        if (t->touch_due_us < c->touch_next_us)
            c->touch_next_us = t->touch_due_us;
    }
}

static void end_holds(struct core *c)
{
    for (uint32_t i = 0; i < c->hold_count;) {
        if (c->holds[i].until_us > c->now_us) {
            i++;
            continue;
        }
        struct core_worker *w = c->holds[i].worker;
        c->holds[i] = c->holds[--c->hold_count];
        w->holds--;
        work_credit(c, w);
        work_poke(c, w);
    }
}

void work_tick(struct core *c)
{
    end_holds(c);
    tell_due_starts(c);
    touch_due(c);
    run_poked(c);
}

int64_t work_due_us(const struct core *c)
{
    int64_t due = c->touch_next_us;
    if (c->starts_count && c->starts[c->starts_head].due_us < due)
        due = c->starts[c->starts_head].due_us;
    for (uint32_t i = 0; i < c->hold_count; i++)
        if (c->holds[i].until_us < due)
            due = c->holds[i].until_us;
    if (c->poke_head && core_may_start(c, c->now_us))
        due = c->now_us;
    return due;
}
