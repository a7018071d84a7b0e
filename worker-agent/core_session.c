/* Sessions: hello, welcome, the roster and its numbers, heartbeats, silence, bye. */
#include "worker-agent/core_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HELD_BYTES_MAX (160 * 1024) /* of assignment numbers in a hello */
#define HELD_MAX SL_HELD_ITEMS_MAX

/* ---------------------------------------------------------------- hello */
static bool held_add(struct core *c, uint64_t assignment, uint32_t *count)
{
    if (*count == HELD_MAX || c->list.n + 9 > HELD_BYTES_MAX)
        return false;
    slp_pack_u64(&c->list, assignment);
    ++*count;
    return true;
}

static void held_waiting(struct core *c, struct task_list *l, uint32_t *count)
{
    for (struct core_task *t = l->head, *next; t; t = next) {
        next = t->next;
        /* What does not fit is no longer held: the broker finds it missing and pushes it again. */
        if (!held_add(c, t->assignment, count))
            work_forget(c, t);
    }
}

/* All that is in hand and not acknowledged: begun and finished things first. */
static struct slp_list pack_held(struct core *c)
{
    uint32_t count = 0;
    slp_buf_clear(&c->list);
    for (struct core_task *t = c->started.head; t; t = t->next)
        held_add(c, t->assignment, &count);
    for (struct core_task *t = c->closing.head; t; t = t->next)
        held_add(c, t->assignment, &count);
    held_waiting(c, &c->orphans, &count);
    for (uint32_t i = 0; i < c->worker_count; i++)
        held_waiting(c, &c->workers[i]->waiting, &count);
    c->failed |= c->list.failed;
    return (struct slp_list){ c->list.p, (uint32_t)c->list.n, count };
}

static void say_hello(struct core *c)
{
    requests_unsend_all(c);
    if (c->relink_wanted)
        core_emit(c, CORE_OUT_RELINK);
    c->relink_wanted = c->hello_wanted = false;
    c->session = 0;
    c->state = S_HELLO;
    c->hello_sent_us = c->now_us;
    memcpy(c->hello_digest, c->digest, sizeof c->hello_digest);
    struct request *r = request_new(c, REQ_HELLO, 0);
    struct slp_hello m = { .hub = { c->cfg.hub, (uint32_t)strlen(c->cfg.hub) },
                           .incarnation = c->cfg.incarnation,
                           .data_id = { (const char *)c->cfg.data_id, sizeof c->cfg.data_id },
                           .takeover = c->cfg.takeover,
                           .zone = { c->cfg.zone, (uint32_t)strlen(c->cfg.zone) },
                           .roster_digest = { (const char *)c->digest, sizeof c->digest },
                           .held = pack_held(c),
                           .wall_us = c->wall_us,
                           .grace_us = (uint64_t)c->cfg.grace_us };
    if (c->cfg.takeover)
        SLP_SET(&m, hello, takeover);
    if (c->cfg.grace_us > 0)
        SLP_SET(&m, hello, grace_us);
    core_send(c, SLP_HELLO, r->id, &m);
}

void session_lose(struct core *c, const char *why, bool relink)
{
    if (c->state == S_OVER)
        return;
    if (!c->hello_wanted && (c->state == S_UP || c->state == S_NUMBERS))
        core_log(c, CORE_INFO, "session-over", "session=%llu why=\"%s\"", (unsigned long long)c->session, why);
    c->hello_wanted = true;
    c->relink_wanted |= relink;
}

/* ---------------------------------------------------------------- the clock */
static void clock_off(struct core *c, const struct slp_error *m)
{
    if (!c->clock_off)
        core_log(c, CORE_ERROR, "clock-off", "text=\"%.*s\"", (int)m->text.n, m->text.p);
    c->clock_off = true;
}

static void clock_right(struct core *c)
{
    if (!c->clock_off)
        return;
    c->clock_off = false;
    core_log(c, CORE_INFO, "clock-right", "work is begun again");
    for (uint32_t i = 0; i < c->worker_count; i++)
        work_poke(c, c->workers[i]);
}

/* ---------------------------------------------------------------- welcome, roster */
static void session_up(struct core *c)
{
    c->state = S_UP;
    c->numbers_known = true;
    work_numbers_known(c);
    /* Results may have gone out before, with grants that lacked the numbers. */
    for (uint32_t i = 0; i < c->worker_count; i++)
        work_credit(c, c->workers[i]);
    core_log(c, CORE_INFO, "session-up", "session=%llu hub=%s workers=%u", (unsigned long long)c->session, c->cfg.hub,
             c->worker_count);
}

/* One frame at a time: the last one makes the roster current, so all others must have arrived before it. */
static void send_roster(struct core *c)
{
    struct request *r = request_new(c, REQ_ROSTER, 0);
    if (!r)
        return; /* the next tick tries again */
    uint32_t i = c->roster_acked;
    slp_buf_clear(&c->list);
    while (i < c->worker_count && i - c->roster_acked < SL_BATCH_ITEMS_MAX &&
           c->list.n + c->packed[i].n <= CORE_FRAME_BYTES) {
        slp_buf_add(&c->list, c->packed[i].p, c->packed[i].n);
        i++;
    }
    c->failed |= c->list.failed;
    c->roster_sent = i;
    struct slp_roster m = { .session = c->session,
                            .digest = { (const char *)c->digest, sizeof c->digest },
                            .workers = { c->list.p, (uint32_t)c->list.n, i - c->roster_acked },
                            .last = i == c->worker_count };
    core_send(c, SLP_ROSTER, r->id, &m);
}

static void get_numbers(struct core *c, uint64_t after)
{
    struct request *r = request_new(c, REQ_ROSTER_GET, after);
    if (!r)
        return;
    struct slp_roster_get m = { .session = c->session, .after = after };
    SLP_SET(&m, roster_get, after);
    core_send(c, SLP_ROSTER_GET, r->id, &m);
}

static void forget_numbers(struct core *c)
{
    c->numbers_known = false;
    c->roster_sent = c->roster_acked = 0;
}

/* Stations are known by their numbers, and in another store a number may be another station's: a broker that was started from a backup has made
 * its lines anew. What came with begun tasks over a restart of ours is of a store that is not known. */
static void know_store(struct core *c, const struct slp_welcome *m)
{
    if (m->store_id.n != sizeof c->store_id || memcmp(c->store_id, m->store_id.p, sizeof c->store_id) == 0)
        return;
    memcpy(c->store_id, m->store_id.p, sizeof c->store_id);
    for (struct station *s = c->first_station; s; s = s->next)
        if (s->form != FORM_ASKED) /* of this broker */
            s->form = FORM_WANTED;
}

void session_welcome(struct core *c, const struct slp_welcome *m, const struct request *r)
{
    know_store(c, m);
    clock_right(c);
    c->session = m->session;
    c->hub_id = m->hub_id;
    c->state = S_NUMBERS;
    c->contact_us = r->sent_us;
    c->heartbeat_us =
        m->heartbeat_us >= 1000 && m->heartbeat_us < 3600000000ull ? (int64_t)m->heartbeat_us : HEARTBEAT_DEFAULT_US;
    c->grace_us = m->grace_us < (uint64_t)SL_DELAY_US_MAX ? (int64_t)m->grace_us : SL_DELAY_US_MAX;
    c->heartbeat_due_us = c->now_us + c->heartbeat_us / 2;
    c->hello_wait_us = CORE_HELLO_MIN_US;
    c->last_push = 0;
    c->suspect_push = UINT64_MAX;
    c->pause_until_us = 0;
    for (uint32_t i = 0; i < c->worker_count; i++) {
        struct core_worker *w = c->workers[i];
        w->received = w->granted = 0; /* credit begins at nothing */
        w->off_untold = false;        /* so does presence */
        work_credit(c, w);
        work_poke(c, w);
    }
    c->offs_untold = false;
    struct slp_cursor each = slp_each(m->recalled);
    uint64_t a;
    while (slp_next_u64(&each, &a))
        work_recall(c, a, 0);
    u64map_free(&c->pushed_again);
    each = slp_each(m->missing);
    while (slp_next_u64(&each, &a))
        if (a && !u64map_put(&c->pushed_again, a, c))
            c->failed = true;
    core_shifts_begin(c); /* before the roster that names them */
    /* It judged the digest that hello told: a roster that came since is sent in any case. */
    if (m->roster_wanted || memcmp(c->hello_digest, c->digest, sizeof c->digest) != 0) {
        forget_numbers(c);
        send_roster(c);
    } else if (!c->numbers_known) {
        get_numbers(c, 0);
    } else {
        session_up(c);
    }
}

static void set_number(struct core *c, struct core_worker *w, uint64_t number)
{
    if (w->number == number)
        return;
    if (w->number)
        u64map_del(&c->by_number, w->number);
    w->number = number;
    if (number && !u64map_put(&c->by_number, number, w))
        c->failed = true;
}

void session_roster_done(struct core *c, const struct slp_roster_done *m)
{
    if (c->state != S_NUMBERS && c->state != S_UP)
        return;
    struct slp_cursor each = slp_each(m->workers), hubs = slp_each(m->hubs);
    uint64_t number;
    for (uint32_t i = c->roster_acked; i < c->roster_sent && slp_next_u64(&each, &number); i++) {
        struct core_worker *w = c->workers[i];
        w->elsewhere = number == 0;
        set_number(c, w, number);
        struct slp_bytes hub = { "another hub", 11 };
        if (w->elsewhere) {
            slp_next_str(&hubs, &hub);
            core_log(
                c, CORE_ERROR, "worker-elsewhere",
                "worker=%s hub=\"%.*s\": on that roster too, and so without work here; take it off one of the two, "
                "there first, then reload (SIGHUP) both",
                w->name, (int)hub.n, hub.p);
        }
    }
    c->roster_acked = c->roster_sent;
    if (c->roster_acked < c->worker_count)
        send_roster(c);
    else
        session_up(c);
}

void session_roster_ids(struct core *c, const struct slp_roster_ids *m)
{
    if (c->state != S_NUMBERS)
        return;
    struct slp_cursor numbers = slp_each(m->workers), names = slp_each(m->names);
    uint64_t number, last = 0;
    struct slp_bytes name;
    while (slp_next_u64(&numbers, &number) && slp_next_str(&names, &name)) {
        char text[SL_NAME_BYTES_MAX + 1];
        last = number;
        if (name.n > SL_NAME_BYTES_MAX)
            continue;
        memcpy(text, name.p, name.n);
        text[name.n] = 0;
        struct core_worker *w = worker_named(c, text);
        if (w && number) {
            w->elsewhere = false;
            set_number(c, w, number);
        }
    }
    if (m->more && last) {
        get_numbers(c, last);
        return;
    }
    for (uint32_t i = 0; i < c->worker_count; i++)
        /* Either it is on another hub's roster, or the broker's copy is not ours: sending it tells. */
        if (c->workers[i]->number == 0) {
            forget_numbers(c);
            send_roster(c);
            return;
        }
    session_up(c);
}

static int by_name(const void *a, const void *b)
{
    const struct core_member *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The worker of that name from the roster before, taken over, or a new one. NULL: no memory. */
static struct core_worker *worker_for(struct core *c, const struct core_member *m)
{
    struct core_worker *w = worker_named(c, m->name);
    if (!w) {
        w = calloc(1, sizeof *w);
        if (w && !(w->name = strdup(m->name))) {
            free(w);
            w = NULL;
        }
        if (!w)
            return NULL;
    } else if (w->robot != m->robot) {
        w->signed_in = w->ready = false;
    }
    w->robot = m->robot;
    w->capacity = m->capacity;
    w->prefetch = m->prefetch;
    return w;
}

static void worker_leaves(struct core *c, struct core_worker *w)
{
    work_drop_waiting(c, w, 5);
    if (w->number)
        u64map_del(&c->by_number, w->number);
    core_log(c, CORE_INFO, "worker-left", "worker=%s begun=%u", w->name, w->started);
    work_free_worker(c, w);
}

/* Somebody of this roster is on another hub's, too: when that one has let him go, the same roster is asked for again. */
static bool any_elsewhere(const struct core *c)
{
    for (uint32_t i = 0; i < c->worker_count; i++)
        if (c->workers[i]->elsewhere)
            return true;
    return false;
}

void session_set_roster(struct core *c, const struct core_roster *roster)
{
    uint32_t n = roster->count;
    const struct core_member **sorted = calloc(n + 1, sizeof *sorted);
    struct core_worker **workers = calloc(n + 1, sizeof *workers);
    struct slp_buf *packed = calloc(n + 1, sizeof *packed);
    if (!sorted || !workers || !packed) {
        free(sorted);
        free(workers);
        free(packed);
        c->failed = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = &roster->members[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (uint32_t i = 0; i < c->worker_count; i++)
        c->workers[i]->on_roster = false;
    for (uint32_t i = 0; i < n; i++) {
        workers[i] = worker_for(c, sorted[i]);
        slp_buf_add(&packed[i], sorted[i]->packed.p, sorted[i]->packed.n);
        if (!workers[i] || packed[i].failed) {
            c->failed = true; /* the process ends; what was made so far is of no more use */
            return;
        }
        workers[i]->on_roster = true;
    }
    struct core_worker **old = c->workers;
    uint32_t old_count = c->worker_count;
    for (uint32_t i = 0; i < old_count; i++) {
        slp_buf_free(&c->packed[i]);
        if (!old[i]->on_roster)
            worker_leaves(c, old[i]);
    }
    free(old);
    free(c->packed);
    free(sorted);
    c->workers = workers;
    c->packed = packed;
    c->worker_count = n;
    for (uint32_t i = 0; i < n; i++) {
        work_credit(c, workers[i]);
        work_poke(c, workers[i]);
    }
    bool changed = !c->have_roster || memcmp(c->digest, roster->digest, sizeof c->digest) != 0;
    memcpy(c->digest, roster->digest, sizeof c->digest);
    c->have_roster = true;
    if (!changed && !any_elsewhere(c))
        return;
    forget_numbers(c);
    /* An upload of the old roster that is under way must not go on with the new one. */
    for (uint32_t i = 0; i < c->request_count;)
        if (c->requests[i].kind == REQ_ROSTER || c->requests[i].kind == REQ_ROSTER_GET)
            request_end(c, &c->requests[i]);
        else
            i++;
    if (c->state == S_UP || c->state == S_NUMBERS) {
        c->state = S_NUMBERS;
        send_roster(c);
    }
}

/* ---------------------------------------------------------------- heartbeats */
static void send_heartbeat(struct core *c)
{
    c->heartbeat_due_us = c->now_us + c->heartbeat_us / 2;
    struct request *r = request_new(c, REQ_HEARTBEAT, 0);
    if (!r)
        return;
    struct slp_heartbeat m = {
        .session = c->session, .last_push = c->last_push, .held = c->tasks.count, .wall_us = c->wall_us
    };
    core_send(c, SLP_HEARTBEAT, r->id, &m);
}

void session_heartbeat_ack(struct core *c, const struct slp_heartbeat_ack *m)
{
    clock_right(c);
    if (m->last_push <= c->last_push) {
        c->suspect_push = UINT64_MAX;
        return;
    }
    /* Pushes come before the acknowledgement that counts them, unless one was lost. Twice is certain. */
    if (c->suspect_push == c->last_push)
        session_lose(c, "a push was lost", false);
    else
        c->suspect_push = c->last_push;
}

/* ---------------------------------------------------------------- refusals */
static void refuse_to_go_on(struct core *c, const struct slp_error *m)
{
    struct core_out *o = core_emit(c, CORE_OUT_EXIT);
    o->code = m->code;
    core_emit_text(c, o, m->text.p, m->text.n);
    c->state = S_OVER;
}

static int64_t after_us(const struct slp_error *m)
{
    return m->after_ms > 0 && m->after_ms < 3600000 ? (int64_t)m->after_ms * 1000 : HELLO_GAP_US;
}

static void hello_refused(struct core *c, const struct slp_error *m)
{
    bool later = m->retry == SLP_RETRY_LATER || m->retry == SLP_RETRY_NOW;
    c->state = S_DOWN;
    c->hello_at_us = c->now_us + (later ? after_us(m) : CORE_HELLO_MAX_US);
    core_log(c, later ? CORE_WARN : CORE_ERROR, "hello-refused", "code=%s text=\"%.*s\" place=\"%.*s\"",
             slp_error_name(m->code), (int)m->text.n, m->text.p, (int)m->place.n, m->place.p ? m->place.p : "");
}

void session_error(struct core *c, const struct slp_error *m, struct request *r)
{
    if (m->code == SLP_E_CLOCK_OFF && r &&
        c->hub_id) { /* it was right when this agent began: what is in hand is not left for it */
        clock_off(c, m);
        if (r->kind != REQ_HELLO) {
            if (r->kind == REQ_ACTS || r->kind == REQ_SUBMIT) { /* what they carry stays ours */
                c->pause_until_us = c->now_us + c->heartbeat_us;
                request_unsend(c, r);
            } else {
                request_end(c, r);
            }
            return;
        }
    } else if (m->code == SLP_E_TAKEN_OVER || m->code == SLP_E_OTHER_AGENT || m->code == SLP_E_CLOCK_OFF) {
        if (r || m->code == SLP_E_TAKEN_OVER)
            refuse_to_go_on(c, m);
        return;
    }
    if (!r)
        return;
    if (m->code == SLP_E_NO_SESSION && r->kind != REQ_HELLO) {
        request_unsend(c, r);
        session_lose(c, "the broker does not know it", false);
        return;
    }
    switch (r->kind) {
    case REQ_HELLO:
        request_end(c, r);
        hello_refused(c, m);
        return;
    case REQ_ACTS:
    case REQ_SUBMIT: send_refused(c, r, m); return;
    case REQ_BYE:
        request_end(c, r);
        c->state = S_OVER;
        core_emit(c, CORE_OUT_BYE);
        return;
    case REQ_WHY: {
        struct core_out *o = core_emit(c, CORE_OUT_WHY);
        o->token = r->arg;
        o->code = UINT64_MAX;
        core_emit_text(c, o, m->text.p, m->text.n);
        request_end(c, r);
        return;
    }
    case REQ_FORM: {
        uint64_t station = r->arg;
        request_end(c, r);
        if (m->retry == SLP_RETRY_NEVER)
            work_form(c, station, false);
        else
            session_lose(c, "no form yet", false); /* hello asks for all that is missing again */
        return;
    }
    case REQ_ROSTER:
    case REQ_ROSTER_GET:
        core_log(c, CORE_ERROR, "roster-refused", "code=%s text=\"%.*s\" place=\"%.*s\"", slp_error_name(m->code),
                 (int)m->text.n, m->text.p, (int)m->place.n, m->place.p ? m->place.p : "");
        requests_unsend_all(c);
        c->state = S_DOWN;
        c->session = 0;
        c->hello_at_us = c->now_us + (m->retry == SLP_RETRY_NEVER ? CORE_HELLO_MAX_US : after_us(m));
        return;
    case REQ_SHIFTS:
        request_end(c, r);
        core_shifts_refused(c, m, after_us(m));
        return;
    case REQ_HEARTBEAT:
    case REQ_CREDIT:
        core_log(c, CORE_WARN, "refused", "code=%s text=\"%.*s\"", slp_error_name(m->code), (int)m->text.n, m->text.p);
        request_end(c, r);
        return;
    }
}

/* ---------------------------------------------------------------- time */
static bool robots_at_work(const struct core *c)
{
    for (const struct core_task *t = c->started.head; t; t = t->next)
        if (t->worker && t->worker->robot)
            return true;
    return false;
}

static void quiet_tick(struct core *c)
{
    bool late = c->now_us >= c->quiet_deadline_us;
    if (c->bye_sent) {
        if (c->now_us < c->bye_sent_us + BYE_WAIT_US)
            return;
    } else {
        if (!late && (robots_at_work(c) || (c->state == S_UP && !send_idle(c))))
            return;
        struct request *r = c->state == S_UP ? request_new(c, REQ_BYE, 0) : NULL;
        if (r) {
            send_flush(c); /* sign-offs first */
            struct slp_bye m = { .session = c->session };
            core_send(c, SLP_BYE, r->id, &m);
            c->bye_sent = true;
            c->bye_sent_us = c->now_us;
            return;
        }
    }
    c->state = S_OVER;
    core_emit(c, CORE_OUT_BYE);
}

static void wait_longer(struct core *c)
{
    c->hello_wait_us = c->hello_wait_us * 2 < CORE_HELLO_MAX_US ? c->hello_wait_us * 2 : CORE_HELLO_MAX_US;
    c->hello_wait_us = c->hello_wait_us / 2 + (int64_t)(core_random(c) % (uint64_t)(c->hello_wait_us / 2 + 1));
    if (c->hello_wait_us < CORE_HELLO_MIN_US)
        c->hello_wait_us = CORE_HELLO_MIN_US;
}

void session_tick(struct core *c)
{
    if (!c->have_roster)
        return;
    switch (c->state) {
    case S_DOWN:
        if (c->now_us >= c->hello_at_us)
            say_hello(c);
        break;
    case S_HELLO:
        if (c->now_us >= c->hello_sent_us + c->hello_wait_us) {
            wait_longer(c);
            core_log(c, CORE_WARN, "no-answer", "the broker does not answer; next_ms=%lld",
                     (long long)(c->hello_wait_us / 1000));
            c->relink_wanted = true;
            say_hello(c);
        }
        break;
    case S_NUMBERS:
    case S_UP:
        if (c->now_us >= c->contact_us + 3 * c->heartbeat_us)
            session_lose(c, "no answer for three heartbeats", true);
        if (c->hello_wanted && c->now_us >= c->hello_sent_us + HELLO_GAP_US) {
            say_hello(c);
            break;
        }
        if (c->hello_wanted)
            break;
        if (c->state == S_NUMBERS) { /* a roster frame or a page may have been lost */
            bool asked = false;
            for (uint32_t i = 0; i < c->request_count; i++)
                asked |= c->requests[i].kind == REQ_ROSTER || c->requests[i].kind == REQ_ROSTER_GET;
            if (!asked) {
                forget_numbers(c);
                send_roster(c);
            }
        }
        core_shifts_tick(c);
        if (c->now_us >= c->heartbeat_due_us)
            send_heartbeat(c);
        break;
    case S_OVER: return;
    }
    if (c->quiet)
        quiet_tick(c);
}

int64_t session_due_us(const struct core *c)
{
    int64_t due = INT64_MAX;
    if (!c->have_roster)
        return due;
    switch (c->state) {
    case S_DOWN: due = c->hello_at_us; break;
    case S_HELLO: due = c->hello_sent_us + c->hello_wait_us; break;
    case S_NUMBERS:
    case S_UP:
        due = c->heartbeat_due_us;
        if (c->contact_us + 3 * c->heartbeat_us < due)
            due = c->contact_us + 3 * c->heartbeat_us;
        if (c->hello_wanted)
            due = c->hello_sent_us + HELLO_GAP_US;
        break;
    case S_OVER: break;
    }
    if (c->quiet) {
        int64_t quiet = c->bye_sent ? c->bye_sent_us + BYE_WAIT_US : c->quiet_deadline_us;
        if (quiet < due)
            due = quiet;
    }
    return due;
}
