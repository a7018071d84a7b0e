/* The core's face: inputs are sorted to their parts, outputs are gathered, time is told on. See core.h. */
#include "worker-agent/core_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- outputs */
void core_outs_clear(struct core_outs *o)
{
    o->n = 0;
    slp_buf_clear(&o->bytes);
}

void core_outs_free(struct core_outs *o)
{
    free(o->v);
    slp_buf_free(&o->bytes);
    *o = (struct core_outs){ 0 };
}

struct core_out *core_emit(struct core *c, enum core_out_kind kind)
{
    static struct core_out lost; /* written to when memory ran out; core_step then returns -1 and nobody reads it */
    struct core_outs *o = c->out;
    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 64;
        struct core_out *v = realloc(o->v, cap * sizeof *v);
        if (!v) {
            c->failed = true;
            return &lost;
        }
        o->v = v;
        o->cap = cap;
    }
    o->v[o->n] = (struct core_out){ .kind = kind, .off = o->bytes.n };
    return &o->v[o->n++];
}

void core_emit_text(struct core *c, struct core_out *o, const char *p, size_t n)
{
    o->off = c->out->bytes.n;
    o->n = n;
    slp_buf_add(&c->out->bytes, p, n);
    slp_buf_add(&c->out->bytes, "", 1); /* so that texts can be printed as they are */
    if (c->out->bytes.failed)
        c->failed = true;
}

void core_log(struct core *c, enum core_level level, const char *event, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n >= (int)sizeof text)
        n = sizeof text - 1;
    struct core_out *o = core_emit(c, CORE_OUT_LOG);
    o->level = level;
    o->event = event;
    core_emit_text(c, o, text, (size_t)n);
}

void core_send(struct core *c, uint64_t type, uint64_t id, const void *msg)
{
    if (c->failed) /* a list may be shorter than its count says; the step's outputs are not carried out any more */
        return;
    struct core_out *o = core_emit(c, CORE_OUT_SEND);
    if (slp_encode(&c->out->bytes, type, id, msg) != 0)
        c->failed = true;
    else
        o->n = c->out->bytes.n - o->off;
    assert(c->failed || o->n <= SL_FRAME_BYTES_MAX);
}

uint64_t core_random(struct core *c) /* splitmix64: jitter only */
{
    uint64_t z = c->rng += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* ---------------------------------------------------------------- life */
struct core *core_new(const struct core_config *cfg)
{
    struct core *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->cfg = *cfg;
    c->rng = cfg->seed;
    c->heartbeat_us = HEARTBEAT_DEFAULT_US;
    c->suspect_push = UINT64_MAX;
    c->hello_wait_us = CORE_HELLO_MIN_US;
    c->hello_sent_us = INT64_MIN / 2;
    c->touch_next_us = INT64_MAX;
    return c;
}

void core_free(struct core **cp)
{
    struct core *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    for (uint32_t i = 0; i < c->request_count; i++)
        items_free(&c->requests[i].items);
    items_free(&c->acts);
    items_free(&c->results);
    core_shifts_forget(c);
    work_free_tasks(c);
    for (uint32_t i = 0; i < c->worker_count; i++) {
        slp_buf_free(&c->packed[i]);
        free(c->workers[i]->name);
        free(c->workers[i]);
    }
    while (c->gone) {
        struct core_worker *w = c->gone;
        c->gone = w->poke_next;
        free(w->name);
        free(w);
    }
    while (c->first_station) {
        struct station *s = c->first_station;
        c->first_station = s->next;
        free(s);
    }
    while (c->whys) {
        struct why *w = c->whys;
        c->whys = w->next;
        free(w);
    }
    u64map_free(&c->by_number);
    u64map_free(&c->pushed_again);
    u64map_free(&c->tasks);
    u64map_free(&c->stations);
    free(c->workers);
    free(c->packed);
    free(c->holds);
    free(c->starts);
    slp_buf_free(&c->list);
    slp_buf_free(&c->list2);
    free(c);
}

/* ---------------------------------------------------------------- messages */
static void on_why(struct core *c, const struct slp_why *m, const struct request *r)
{
    struct core_out *o = core_emit(c, CORE_OUT_WHY);
    o->token = r->arg;
    o->code = m->code;
    core_emit_text(c, o, m->text.p, m->text.n);
}

static void on_form(struct core *c, const struct slp_msg *m)
{
    struct core_out *o = core_emit(c, CORE_OUT_FORM);
    o->station_id = m->u.form.station_id;
    if (slp_encode(&c->out->bytes, SLP_FORM, 0, &m->u.form) != 0)
        c->failed = true;
    else
        o->n = c->out->bytes.n - o->off;
}

/* Does this message belong to the session we are in? Those of earlier sessions are answered by silence. */
static bool of_session(const struct core *c, uint64_t session)
{
    return c->session != 0 && session == c->session && (c->state == S_NUMBERS || c->state == S_UP);
}

static void on_control(struct core *c, const struct slp_control *m)
{
    if (m->order == 0) {
        session_lose(c, "the broker asked for it", false);
        return;
    }
    core_log(c, CORE_INFO, "broker-stops", "reconnecting when it is back");
    requests_unsend_all(c);
    c->state = S_DOWN;
    c->session = 0;
    c->hello_at_us = c->now_us + HELLO_GAP_US / 2 + (int64_t)(core_random(c) % HELLO_GAP_US);
    c->relink_wanted = true;
}

/* Pushes, recalls and orders: nobody asked for them. Returns false if m is something else. */
static bool unasked(struct core *c, const struct slp_msg *m)
{
    switch (m->type) {
    case SLP_PUSH:
        if (of_session(c, m->u.push.session))
            work_push(c, &m->u.push);
        return true;
    case SLP_RECALL:
        if (of_session(c, m->u.recall.session)) {
            struct slp_cursor each = slp_each(m->u.recall.assignments);
            uint64_t a;
            while (slp_next_u64(&each, &a))
                work_recall(c, a, m->u.recall.code);
        }
        return true;
    case SLP_CONTROL: on_control(c, &m->u.control); return true;
    default: return false;
    }
}

static void on_message(struct core *c, const struct slp_msg *m)
{
    if (unasked(c, m))
        return;
    struct request *r = m->id ? request_find(c, m->id) : NULL;
    if (m->type == SLP_ERROR) {
        session_error(c, &m->u.error, r);
        return;
    }
    if (!r)
        return; /* a late answer to something that was sent again since, or a replay */
    if (r->sent_us > c->contact_us)
        c->contact_us = r->sent_us;
    switch (m->type) {
    case SLP_WELCOME:
        if (r->kind == REQ_HELLO) {
            struct request was = *r;
            request_end(c, r);
            session_welcome(c, &m->u.welcome, &was);
        }
        return;
    case SLP_ROSTER_DONE:
        if (r->kind == REQ_ROSTER) {
            request_end(c, r);
            session_roster_done(c, &m->u.roster_done);
        }
        return;
    case SLP_ROSTER_IDS:
        if (r->kind == REQ_ROSTER_GET) {
            request_end(c, r);
            session_roster_ids(c, &m->u.roster_ids);
        }
        return;
    case SLP_OUTCOMES:
        if (r->kind == REQ_ACTS || r->kind == REQ_SUBMIT)
            send_outcomes(c, &m->u.outcomes, r);
        return;
    case SLP_HEARTBEAT_ACK:
        if (r->kind == REQ_HEARTBEAT) {
            request_end(c, r);
            session_heartbeat_ack(c, &m->u.heartbeat_ack);
        }
        return;
    case SLP_FORM:
        if (r->kind == REQ_FORM && r->arg == m->u.form.station_id) {
            request_end(c, r);
            on_form(c, m);
        }
        return;
    case SLP_WHY:
        if (r->kind == REQ_WHY) {
            on_why(c, &m->u.why, r);
            request_end(c, r);
        }
        return;
    case SLP_DONE:
        if (r->kind == REQ_SHIFTS) {
            request_end(c, r);
            core_shifts_done(c);
            return;
        }
        if (r->kind == REQ_BYE) {
            request_end(c, r);
            c->state = S_OVER;
            core_emit(c, CORE_OUT_BYE);
        }
        return;
    default: return;
    }
}

/* ---------------------------------------------------------------- people and runners */
static void sign_in(struct core *c, const char *name)
{
    struct core_worker *w = worker_named(c, name);
    if (!w || w->robot || w->signed_in || c->quiet)
        return;
    w->signed_in = true;
    w->off_untold = false;
    w->granted = w->received; /* what was granted before is told again: the grant is what signs in */
    work_credit(c, w);
    work_poke(c, w);
}

static void sign_off(struct core *c, const char *name)
{
    struct core_worker *w = worker_named(c, name);
    if (w && !w->robot && w->signed_in)
        work_sign_off(c, w);
}

static void runner_ready(struct core *c, const char *name, bool ready)
{
    struct core_worker *w = worker_named(c, name);
    if (!w || !w->robot || w->ready == ready)
        return;
    w->ready = ready;
    if (ready) {
        work_credit(c, w);
        work_poke(c, w);
    }
}

static void go_quiet(struct core *c, int64_t deadline_us)
{
    if (c->quiet) {
        c->quiet_deadline_us = deadline_us < c->quiet_deadline_us ? deadline_us : c->quiet_deadline_us;
        return;
    }
    c->quiet = true;
    c->quiet_deadline_us = deadline_us;
    for (uint32_t i = 0; i < c->worker_count; i++)
        if (c->workers[i]->signed_in || c->workers[i]->robot) /* robots: else what goes back would come again */
            work_sign_off(c, c->workers[i]);
}

static void ask_why(struct core *c, const struct core_in *in)
{
    struct why *w = calloc(1, sizeof *w);
    if (!w) {
        c->failed = true;
        return;
    }
    w->token = in->token;
    snprintf(w->name, sizeof w->name, "%s", in->name);
    struct why **end = &c->whys;
    while (*end)
        end = &(*end)->next;
    *end = w;
}

static void start_by_hand(struct core *c, uint64_t assignment)
{
    struct core_task *t = u64map_get(&c->tasks, assignment);
    if (!t || t->state != CORE_WAITING || !t->worker || !core_may_start(c, c->now_us))
        return;
    work_begin(c, t);
    t->start_told = true;
    send_act(c, ITEM_START, t, (struct slp_bytes){ 0 });
}

static void touch_by_hand(struct core *c, uint64_t assignment)
{
    struct core_task *t = u64map_get(&c->tasks, assignment);
    if (t && t->state == CORE_STARTED && !t->recalled)
        send_act(c, ITEM_TOUCH, t, (struct slp_bytes){ 0 });
}

static void give_up(struct core *c, const struct core_in *in)
{
    struct core_task *t = u64map_get(&c->tasks, in->assignment);
    if (!t || t->state > CORE_STARTED)
        return;
    struct core_worker *w = t->worker;
    if (in->act == ITEM_RELEASE)
        t->again_after_us = in->hold_us; /* the task rests as long as the slot: else the next slot gets it at once */
    work_give_up(c, t, in->act, in->text);
    if (w && in->hold_us > 0)
        work_hold(c, w, c->now_us + in->hold_us);
}

static void tick(struct core *c)
{
    session_tick(c);
    if (c->state == S_OVER)
        return;
    work_tick(c);
    send_flush(c);
}

int core_step(struct core *c, const struct core_in *in, struct core_outs *out)
{
    c->out = out;
    c->failed = out->bytes.failed;
    if (in->now_us > c->now_us)
        c->now_us = in->now_us;
    c->wall_us = in->wall_us;
    if (c->state == S_OVER)
        return 0;
    switch (in->kind) {
    case CORE_IN_TICK: tick(c); break;
    case CORE_IN_MESSAGE: on_message(c, in->msg); break;
    case CORE_IN_ROSTER: session_set_roster(c, in->roster); break;
    case CORE_IN_SHIFTS: core_shifts_set(c, in->shifts); break;
    case CORE_IN_FORM: work_form(c, in->station_id, in->ok); break;
    case CORE_IN_SIGN_IN: sign_in(c, in->name); break;
    case CORE_IN_SIGN_OFF: sign_off(c, in->name); break;
    case CORE_IN_READY: runner_ready(c, in->name, in->ok); break;
    case CORE_IN_START: start_by_hand(c, in->assignment); break;
    case CORE_IN_TOUCH: touch_by_hand(c, in->assignment); break;
    case CORE_IN_FINISH: work_finish(c, in); break;
    case CORE_IN_GIVE_UP: give_up(c, in); break;
    case CORE_IN_RESTORE: work_restore(c, in->task); break;
    case CORE_IN_UNSENT: work_unsent(c, in); break;
    case CORE_IN_WHY: ask_why(c, in); break;
    case CORE_IN_QUIET: go_quiet(c, in->deadline_us); break;
    }
    return c->failed ? -1 : 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t core_next_due_us(const struct core *c)
{
    if (c->state == S_OVER)
        return INT64_MAX;
    return least(session_due_us(c), least(work_due_us(c), send_due_us(c)));
}

/* ---------------------------------------------------------------- looking in */
static int64_t start_limit_us(const struct core *c)
{
    return c->contact_us ? c->contact_us + c->grace_us - c->grace_us / 10 : 0;
}

bool core_may_start(const struct core *c, int64_t now_us)
{
    return c->contact_us != 0 && !c->quiet && !c->clock_off && c->state != S_OVER && now_us < start_limit_us(c);
}

void core_view(const struct core *c, struct core_view *v)
{
    *v = (struct core_view){ .connected = c->state == S_UP,
                             .clock_off = c->clock_off,
                             .session = c->session,
                             .hub_id = c->hub_id,
                             .contact_us = c->contact_us,
                             .may_start_until_us = start_limit_us(c),
                             .waiting = c->orphans.count,
                             .started = c->started.count,
                             .results_unsent = c->results.count,
                             .acts_unsent = c->acts.count };
    for (uint32_t i = 0; i < c->worker_count; i++)
        v->waiting += c->workers[i]->waiting.count;
    for (uint32_t i = 0; i < c->request_count; i++)
        *(c->requests[i].kind == REQ_SUBMIT ? &v->results_unsent : &v->acts_unsent) += c->requests[i].items.count;
}

const struct core_task *core_find(const struct core *c, uint64_t assignment)
{
    return assignment ? u64map_get(&c->tasks, assignment) : NULL;
}

const struct core_task *core_next_task(const struct core *c, const char *worker)
{
    struct core_worker *w = worker_named(c, worker);
    if (!w)
        return NULL;
    for (const struct core_task *t = c->started.head; t; t = t->next)
        if (t->worker == w)
            return t;
    for (const struct core_task *t = w->waiting.head; t; t = t->next) {
        const struct station *s = u64map_get(&c->stations, t->station_id);
        if (s && s->form == FORM_OK)
            return t;
    }
    return NULL;
}

bool core_worker_view(const struct core *c, const char *worker, struct core_worker_view *v)
{
    struct core_worker *w = worker_named(c, worker);
    if (!w)
        return false;
    *v = (struct core_worker_view){ .robot = w->robot,
                                    .signed_in = w->signed_in,
                                    .elsewhere = w->elsewhere,
                                    .number = w->number,
                                    .capacity = w->capacity,
                                    .waiting = (uint32_t)w->waiting.count,
                                    .started = w->started };
    return true;
}

const char *core_task_worker(const struct core_task *t)
{
    return t->worker ? t->worker->name : "";
}
