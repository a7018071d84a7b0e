/* The local protocol's server side. docs/agent.md is its manual; the table of verbs below is the whole of it. */
#include "worker-agent/local.h"
#include "worker-agent/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#define PEER_BYTES_MAX 255
#define REQUESTS_A_TURN 64
#define REQUEST_BYTES_MAX (512 * 1024)
#define WAIT_MS_MAX 60000
#define RETRY_MS 2000 /* told with "no task": when asking again makes sense */

struct peer {
    uint8_t id[PEER_BYTES_MAX];
    size_t n;
};
struct ask {
    struct peer peer;
    json_t *id;
}; /* whom to answer, and under which request id */

struct person { /* signed in */
    char name[SL_NAME_BYTES_MAX + 1];
    struct peer peer;
    int64_t seen_us;
    bool parked; /* a `next` that waits for a task */
    struct ask next_ask;
    int64_t park_until_us;
    struct person *next;
};
struct pending_why {
    uint64_t token;
    struct ask ask;
    struct pending_why *next;
};
struct waiting { /* a draft or a result that the disk does not have yet */
    struct ask ask;
    uint64_t assignment, seq; /* seq 0: a draft */
    struct slp_buf item, values;
    bool written; /* in the file, and synced by the next sync */
    bool syncing; /* the sync under way covers it */
    struct waiting *next;
};

struct local {
    struct agent *a;
    void *socket;
    char endpoint[512];
    struct person *people;
    struct pending_why *whys;
    struct waiting *waiting;
    uint64_t next_token;
};

/* ---------------------------------------------------------------- frames */
static void send_json(struct local *l, const struct peer *peer, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!text)
        return; /* out of memory: the client asks again */
    if (zmq_send(l->socket, peer->id, peer->n, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
        zmq_send(l->socket, text, strlen(text), ZMQ_DONTWAIT);
    free(text);
}

/* Answers take over o's reference. */
static void answer(struct local *l, const struct ask *ask, json_t *o)
{
    if (o) {
        json_object_set(o, "id", ask->id);
        json_object_set_new(o, "ok", json_true());
    }
    send_json(l, &ask->peer, o);
}

static void refuse(struct local *l, const struct ask *ask, const char *code, const char *format, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    json_t *o = json_pack("{s:O, s:b, s:s, s:s}", "id", ask->id, "ok", 0, "error", code, "text", text);
    if (!o) /* the text holds what is no UTF-8 */
        o = json_pack("{s:O, s:b, s:s, s:s}", "id", ask->id, "ok", 0, "error", code, "text", code);
    send_json(l, &ask->peer, o);
}

static struct ask ask_keep(const struct ask *ask)
{
    json_incref(ask->id);
    return *ask;
}

static void ask_drop(struct ask *ask)
{
    json_decref(ask->id);
    ask->id = NULL;
}

/* ---------------------------------------------------------------- people */
static struct person *person_named(struct local *l, const char *name)
{
    for (struct person *p = l->people; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool same_peer(const struct peer *a, const struct peer *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n) == 0;
}

static void unpark(struct person *p)
{
    if (p->parked)
        ask_drop(&p->next_ask);
    p->parked = false;
}

static void person_leaves(struct local *l, struct person *p, const char *why)
{
    for (struct person **q = &l->people; *q; q = &(*q)->next)
        if (*q == p) {
            *q = p->next;
            break;
        }
    if (why)
        send_json(l, &p->peer, json_pack("{s:s, s:s, s:s}", "notice", "signed_off", "worker", p->name, "text", why));
    log_line(LOG_INFO, "signed-off", "worker=%s%s%s", p->name, why ? " why=" : "", why ? why : "");
    agent_step(l->a, (struct core_in){ .kind = CORE_IN_SIGN_OFF, .name = p->name });
    unpark(p);
    free(p);
}

/* ---------------------------------------------------------------- tasks */
static json_t *task_json(struct local *l, const struct core_task *t)
{
    const struct form *f = agent_form(l->a, t->station_id);
    json_t *o = f ? form_task_json(f, t) : NULL;
    if (!o)
        return NULL;
    bool started = t->state == CORE_STARTED;
    json_object_set_new(o, "state", json_string(started ? "started" : "waiting"));
    json_object_set_new(o, "lease_ms", json_integer(t->lease_us / 1000));
    if (started && t->lease_end_us)
        json_object_set_new(o, "lease_left_ms", json_integer((t->lease_end_us - agent_now_us()) / 1000));
    if (t->recalled)
        json_object_set_new(o, "recalled", json_true());
    struct slp_bytes draft = journal_draft_of(l->a->journal, t->assignment);
    if (draft.n)
        json_object_set_new(o, "draft", json_loadb(draft.p, draft.n, JSON_ALLOW_NUL, NULL));
    return o;
}

static bool offer_task(struct local *l, const struct ask *ask, const char *worker)
{
    const struct core_task *t = core_next_task(l->a->core, worker);
    json_t *task = t ? task_json(l, t) : NULL;
    if (!task)
        return false;
    answer(l, ask, json_pack("{s:o}", "task", task));
    return true;
}

static void ask_why(struct local *l, const struct ask *ask, const char *worker)
{
    struct pending_why *w = calloc(1, sizeof *w);
    if (!w) {
        refuse(l, ask, "BUSY", "out of memory");
        return;
    }
    *w = (struct pending_why){ ++l->next_token, ask_keep(ask), l->whys };
    l->whys = w;
    agent_step(l->a, (struct core_in){ .kind = CORE_IN_WHY, .name = worker, .token = w->token });
}

/* ---------------------------------------------------------------- requests */
struct request_in {
    struct ask ask;
    const char *worker;
    const json_t *body;
    struct person *person;        /* of a signed-in worker */
    const struct core_task *task; /* of `assignment` */
};

static void on_sign_in(struct local *l, struct request_in *r)
{
    struct core_worker_view v;
    struct person *p = person_named(l, r->worker);
    if (!core_worker_view(l->a->core, r->worker, &v)) {
        refuse(l, &r->ask, "NOT_FOUND", "'%s' is not on this hub's roster", r->worker);
        return;
    }
    if (v.robot) {
        refuse(l, &r->ask, "NOT_A_PERSON", "'%s' is a robot", r->worker);
        return;
    }
    if (v.elsewhere) {
        refuse(l, &r->ask, "ELSEWHERE", "'%s' is on another hub's roster too, and gets work there", r->worker);
        return;
    }
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p) {
            refuse(l, &r->ask, "BUSY", "out of memory");
            return;
        }
        snprintf(p->name, sizeof p->name, "%s", r->worker);
        p->next = l->people;
        l->people = p;
        log_line(LOG_INFO, "signed-in", "worker=%s", p->name);
    } else if (!same_peer(&p->peer, &r->ask.peer)) { /* a new screen of the same person: the old one is told */
        send_json(l, &p->peer,
                  json_pack("{s:s, s:s, s:s}", "notice", "signed_off", "worker", p->name, "text",
                            "signed in at another screen"));
        unpark(p);
    }
    p->peer = r->ask.peer;
    p->seen_us = agent_now_us();
    agent_step(l->a, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = p->name });
    answer(l, &r->ask,
           json_pack("{s:s, s:s, s:I}", "worker", p->name, "hub", l->a->cfg->hub, "idle_ms",
                     (json_int_t)(l->a->cfg->idle_us / 1000)));
}

static void on_sign_off(struct local *l, struct request_in *r)
{
    answer(l, &r->ask, json_pack("{s:s}", "worker", r->person->name));
    person_leaves(l, r->person, NULL);
}

static void on_next(struct local *l, struct request_in *r)
{
    json_int_t wait_ms = json_integer_value(json_object_get(r->body, "wait_ms"));
    if (offer_task(l, &r->ask, r->worker))
        return;
    if (wait_ms <= 0) {
        ask_why(l, &r->ask, r->worker);
        return;
    }
    unpark(r->person);
    r->person->parked = true;
    r->person->next_ask = ask_keep(&r->ask);
    r->person->park_until_us = agent_now_us() + (wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX) * 1000;
}

static void on_start(struct local *l, struct request_in *r)
{
    const struct form *f = agent_form(l->a, r->task->station_id);
    if (r->task->state == CORE_WAITING) {
        struct core_view v;
        core_view(l->a->core, &v);
        if (v.clock_off) {
            refuse(
                l, &r->ask, "CLOCK_OFF",
                "this hub's clock differs from the broker's by more than two minutes: set it by NTP. What is started "
                "can be finished");
            return;
        }
        if (!core_may_start(l->a->core, agent_now_us())) {
            refuse(l, &r->ask, "OFFLINE",
                   "no contact with the broker for too long: this task may be with somebody else by now. What is "
                   "started can be finished");
            return;
        }
        int rc = f ? journal_begun(l->a->journal, r->task, f->body) : ENOENT;
        if (rc == 0)
            rc = journal_write(l->a->journal);
        if (rc != 0) {
            journal_over(l->a->journal, r->task->assignment);
            refuse(l, &r->ask, "DISK", "the start could not be noted: %s", strerror(rc));
            return;
        }
        agent_step(l->a, (struct core_in){ .kind = CORE_IN_START, .assignment = r->task->assignment });
    }
    answer(l, &r->ask, json_pack("{s:I}", "lease_ms", (json_int_t)(r->task->lease_us / 1000)));
}

static void on_touch(struct local *l, struct request_in *r)
{
    if (r->task)
        agent_step(l->a, (struct core_in){ .kind = CORE_IN_TOUCH, .assignment = r->task->assignment });
    answer(l, &r->ask, r->task && r->task->recalled ? json_pack("{s:b}", "recalled", 1) : json_object());
}

static struct waiting *wait_for_disk(struct local *l, const struct ask *ask, uint64_t assignment, uint64_t seq)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct waiting){ .ask = ask_keep(ask), .assignment = assignment, .seq = seq };
    struct waiting **end = &l->waiting;
    while (*end)
        end = &(*end)->next;
    *end = w;
    l->a->sync_wanted = true;
    return w;
}

static void on_draft(struct local *l, struct request_in *r)
{
    const json_t *values = json_object_get(r->body, "values");
    char *text = json_is_object(values) ? json_dumps(values, JSON_COMPACT) : NULL;
    if (!text || strlen(text) > 2 * SL_RESULT_BYTES_MAX) {
        refuse(l, &r->ask, text ? "TOO_BIG" : "BAD_REQUEST", text ? "the draft is too large" : "values is an object");
        free(text);
        return;
    }
    int rc = journal_draft(l->a->journal, r->task->assignment, text, strlen(text));
    free(text);
    if (rc != 0 || !wait_for_disk(l, &r->ask, r->task->assignment, 0))
        refuse(l, &r->ask, "DISK", "the draft could not be noted: %s", strerror(rc ? rc : ENOMEM));
}

static void on_submit(struct local *l, struct request_in *r)
{
    const struct form *f = agent_form(l->a, r->task->station_id);
    struct slp_buf values = { 0 };
    char text[512] = "the form is gone", field[SL_NAME_BYTES_MAX + 1] = "";
    int wrong =
        f ? form_values(f, r->task, json_object_get(r->body, "values"), &values, field, text, sizeof text) : FORM_WRONG;
    if (wrong == FORM_NO_MEMORY) {
        refuse(l, &r->ask, "BUSY", "out of memory: nothing was kept, submit again");
        slp_buf_free(&values);
        return;
    }
    if (wrong != 0) {
        json_t *o = json_pack("{s:O, s:b, s:s, s:s, s:s}", "id", r->ask.id, "ok", 0, "error", "BAD_VALUES", "text",
                              text, "field", field);
        send_json(l, &r->ask.peer, o);
        slp_buf_free(&values);
        return;
    }
    for (struct waiting *w = l->waiting; w; w = w->next)
        if (w->seq && w->assignment == r->task->assignment) {
            bool same = w->values.n == values.n && memcmp(w->values.p, values.p, values.n) == 0;
            if (same) { /* sent twice: it is on its way */
                ask_drop(&w->ask);
                w->ask = ask_keep(&r->ask);
            } else {
                refuse(l, &r->ask, "NO_TASK", "another answer to it is being kept already");
            }
            slp_buf_free(&values);
            return;
        }
    json_int_t active_ms = json_integer_value(json_object_get(r->body, "active_ms"));
    struct slp_item_result item = { .assignment = r->task->assignment,
                                    .worker = r->task->worker_no,
                                    .values = { values.p, (uint32_t)values.n, f->field_count },
                                    .active_us = active_ms > 0 ? (uint64_t)active_ms * 1000
                                                               : (uint64_t)(agent_now_us() - r->task->started_us),
                                    .done_wall_us = agent_wall_us() };
    SLP_SET(&item, item_result, active_us);
    SLP_SET(&item, item_result, done_wall_us);
    struct slp_buf packed = { 0 };
    slp_pack_item(&packed, SLP_ITEM_result, &item);
    uint64_t seq = packed.failed ? 0
                                 : agent_outbox_add(l->a->outbox, r->task->assignment, r->task->worker_no, true,
                                                    (struct slp_bytes){ packed.p, (uint32_t)packed.n });
    struct waiting *w = seq ? wait_for_disk(l, &r->ask, r->task->assignment, seq) : NULL;
    if (!w) {
        if (seq)
            agent_outbox_take_back(l->a->outbox, seq);
        slp_buf_free(&packed);
        slp_buf_free(&values);
        refuse(l, &r->ask, "DISK", "out of memory: nothing was kept, submit again");
        return;
    }
    w->item = packed;
    w->values = values;
}

static void give_back(struct local *l, struct request_in *r, uint64_t act)
{
    const char *reason = json_string_value(json_object_get(r->body, "reason"));
    if (!reason)
        reason = "";
    for (struct waiting *w = l->waiting; w; w = w->next)
        if (w->seq && w->assignment == r->task->assignment) {
            refuse(l, &r->ask, "NO_TASK", "its result is being kept already");
            return;
        }
    journal_over(l->a->journal, r->task->assignment);
    agent_step(l->a, (struct core_in){ .kind = CORE_IN_GIVE_UP,
                                       .assignment = r->task->assignment,
                                       .act = act,
                                       .text = { reason, (uint32_t)strlen(reason) } });
    answer(l, &r->ask, json_object());
}

static void on_decline(struct local *l, struct request_in *r)
{
    give_back(l, r, 3);
}
static void on_release(struct local *l, struct request_in *r)
{
    give_back(l, r, 2);
}

static void on_status(struct local *l, struct request_in *r)
{
    struct core_view v;
    core_view(l->a->core, &v);
    int64_t now = agent_now_us();
    json_t *o =
        json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I}", "hub", l->a->cfg->hub, "connected", v.connected, "waiting",
                  (json_int_t)v.waiting, "started", (json_int_t)v.started, "results_unsent",
                  (json_int_t)agent_outbox_count(l->a->outbox), "acts_unsent", (json_int_t)v.acts_unsent,
                  "may_start_ms", (json_int_t)(v.may_start_until_us > now ? (v.may_start_until_us - now) / 1000 : 0));
    struct core_worker_view w;
    if (o && r->worker && core_worker_view(l->a->core, r->worker, &w))
        json_object_set_new(o, "worker",
                            json_pack("{s:s, s:b, s:b, s:i, s:i, s:i}", "name", r->worker, "robot", w.robot,
                                      "signed_in", person_named(l, r->worker) != NULL, "capacity", (int)w.capacity,
                                      "waiting", (int)w.waiting, "started", (int)w.started));
    answer(l, &r->ask, o);
}

/* What a verb needs before its handler runs. */
enum { ANYBODY = 0, WORKER = 1, SIGNED_IN = 2, TASK = 4, STARTED = 8, TASK_IF_GIVEN = 16 };
static const struct verb {
    const char *name;
    int needs;
    void (*handle)(struct local *l, struct request_in *r);
} verbs[] = {
    { "sign_in", WORKER, on_sign_in },
    { "next", WORKER | SIGNED_IN, on_next },
    { "start", WORKER | SIGNED_IN | TASK, on_start },
    { "touch", WORKER | SIGNED_IN | TASK_IF_GIVEN, on_touch },
    { "draft", WORKER | SIGNED_IN | TASK | STARTED, on_draft },
    { "submit", WORKER | SIGNED_IN | TASK | STARTED, on_submit },
    { "decline", WORKER | SIGNED_IN | TASK, on_decline },
    { "release", WORKER | SIGNED_IN | TASK, on_release },
    { "sign_off", WORKER | SIGNED_IN, on_sign_off },
    { "status", ANYBODY, on_status },
};

/* Is the task in this person's hands? true, or refused. */
static bool find_task(struct local *l, struct request_in *r, int needs)
{
    const json_t *number = json_object_get(r->body, "assignment");
    if (!json_is_integer(number) || json_integer_value(number) <= 0) {
        refuse(l, &r->ask, "BAD_REQUEST", "assignment is a number");
        return false;
    }
    r->task = core_find(l->a->core, (uint64_t)json_integer_value(number));
    if (!r->task || r->task->state > CORE_STARTED || strcmp(core_task_worker(r->task), r->worker) != 0) {
        refuse(l, &r->ask, "NO_TASK", "assignment %" JSON_INTEGER_FORMAT " is not in %s's hands",
               json_integer_value(number), r->worker);
        return false;
    }
    if ((needs & STARTED) && r->task->state != CORE_STARTED) {
        refuse(l, &r->ask, "NOT_STARTED", "start the task first");
        return false;
    }
    return true;
}

/* Who is signed in asks from his screen. Who has left the roster cannot sign in any more, and hands in what he has begun. */
static bool may_ask(struct local *l, const struct request_in *r, int needs)
{
    struct core_worker_view v;
    if (!(needs & SIGNED_IN))
        return true;
    if (r->person)
        return same_peer(&r->person->peer, &r->ask.peer);
    return (needs & STARTED) && !core_worker_view(l->a->core, r->worker, &v);
}

static void handle(struct local *l, const struct peer *peer, const char *p, size_t n)
{
    json_error_t e;
    json_t *body = json_loadb(p, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
    struct request_in r = { .ask = { *peer, json_incref(json_object_get(body, "id")) }, .body = body };
    if (!r.ask.id)
        r.ask.id = json_null();
    const char *name = json_string_value(json_object_get(body, "verb"));
    const struct verb *v = NULL;
    for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            v = &verbs[i];
    r.worker = json_string_value(json_object_get(body, "worker"));
    r.person = r.worker ? person_named(l, r.worker) : NULL;
    if (r.person && same_peer(&r.person->peer, peer))
        r.person->seen_us = agent_now_us();
    if (!json_is_object(body))
        refuse(l, &r.ask, "BAD_REQUEST", "not a JSON object: %s", e.text);
    else if (!v)
        refuse(l, &r.ask, "UNKNOWN_VERB",
               "verb is one of sign_in, next, start, touch, draft, submit, decline, release, sign_off, status");
    else if ((v->needs & WORKER) && !r.worker)
        refuse(l, &r.ask, "BAD_REQUEST", "worker is missing");
    else if (!may_ask(l, &r, v->needs))
        refuse(l, &r.ask, "NOT_SIGNED_IN", r.person ? "'%s' is signed in at another screen" : "'%s' is not signed in",
               r.worker);
    else if (((v->needs & TASK) || ((v->needs & TASK_IF_GIVEN) && json_object_get(body, "assignment"))) &&
             !find_task(l, &r, v->needs))
        ; /* refused */
    else
        v->handle(l, &r);
    ask_drop(&r.ask);
    json_decref(body);
}

void local_receive(struct local *l)
{
    for (int i = 0; i < REQUESTS_A_TURN; i++) {
        zmq_msg_t frame;
        struct peer peer = { .n = 0 };
        int frames = 0;
        bool more = true, usable = true;
        while (more) {
            zmq_msg_init(&frame);
            if (zmq_msg_recv(&frame, l->socket, ZMQ_DONTWAIT) < 0) {
                zmq_msg_close(&frame);
                return;
            }
            more = zmq_msg_more(&frame);
            size_t n = zmq_msg_size(&frame);
            if (frames == 0 && n > 0 && n <= PEER_BYTES_MAX) {
                memcpy(peer.id, zmq_msg_data(&frame), n);
                peer.n = n;
            } else if (frames == 1 && n == 0 && more) {
                frames--; /* REQ's empty frame */
            } else if (frames == 1 && !more && usable) {
                handle(l, &peer, zmq_msg_data(&frame), n);
            } else {
                usable = false;
            }
            frames++;
            zmq_msg_close(&frame);
        }
    }
}

/* ---------------------------------------------------------------- the disk */
void local_sync_begins(struct local *l)
{
    for (struct waiting *w = l->waiting; w; w = w->next)
        w->syncing = true;
}

static void waiting_free(struct waiting *w)
{
    ask_drop(&w->ask);
    slp_buf_free(&w->item);
    slp_buf_free(&w->values);
    free(w);
}

void local_synced(struct local *l, int rc)
{
    for (struct waiting **p = &l->waiting; *p;) {
        struct waiting *w = *p;
        if (!w->syncing) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        if (rc != 0) {
            refuse(l, &w->ask, "DISK", "not known to be kept: %s. Submit again after the agent's restart",
                   strerror(rc));
        } else {
            if (w->seq) {
                journal_over(l->a->journal, w->assignment);
                agent_step(l->a, (struct core_in){ .kind = CORE_IN_FINISH,
                                                   .assignment = w->assignment,
                                                   .seq = w->seq,
                                                   .item = { w->item.p, (uint32_t)w->item.n } });
            }
            answer(l, &w->ask, json_pack("{s:b}", "kept", 1));
        }
        waiting_free(w);
    }
}

void local_written(struct local *l, bool results, bool drafts)
{
    for (struct waiting *w = l->waiting; w; w = w->next)
        w->written |= w->seq ? results : drafts;
}

void local_write_failed(struct local *l, int rc)
{
    for (struct waiting **p = &l->waiting; *p;) {
        struct waiting *w = *p;
        if (w->syncing || w->written) { /* before, while the disk was busy with others: it is there */
            p = &w->next;
            continue;
        }
        *p = w->next;
        if (w->seq)
            agent_outbox_take_back(l->a->outbox, w->seq);
        refuse(l, &w->ask, "DISK", "it could not be kept: %s. Nothing is lost on your screen: submit again",
               strerror(rc));
        waiting_free(w);
    }
}

/* ---------------------------------------------------------------- what the core tells */
void local_offer(struct local *l, const char *worker)
{
    struct person *p = person_named(l, worker);
    if (!p)
        return;
    if (!p->parked)
        send_json(l, &p->peer, json_pack("{s:s, s:s}", "notice", "task", "worker", p->name));
    else if (offer_task(l, &p->next_ask, p->name))
        unpark(p);
}

void local_dropped(struct local *l, const char *worker, uint64_t assignment, uint64_t code)
{
    static const char *const words[] = { "it is over",
                                         "the work is paused",
                                         "the run was cancelled",
                                         "the unit was dropped",
                                         "it took too long, and went back",
                                         "the worker has left",
                                         "the shift is over" };
    struct person *p = person_named(l, worker);
    const struct core_task *t = core_find(l->a->core, assignment);
    if (!t || t->state == CORE_WAITING) /* a begun one stays in the journal: it may still be submitted */
        journal_over(l->a->journal, assignment);
    if (p)
        send_json(l, &p->peer,
                  json_pack("{s:s, s:s, s:I, s:I, s:s}", "notice", "recalled", "worker", p->name, "assignment",
                            (json_int_t)assignment, "code", (json_int_t)code, "text",
                            code < sizeof words / sizeof *words ? words[code] : "it was taken back"));
}

void local_why(struct local *l, uint64_t token, uint64_t code, const char *text)
{
    for (struct pending_why **p = &l->whys; *p; p = &(*p)->next) {
        struct pending_why *w = *p;
        if (w->token != token)
            continue;
        *p = w->next;
        answer(l, &w->ask,
               json_pack("{s:n, s:{s:I, s:s}, s:i}", "task", "why", "code",
                         code == UINT64_MAX ? (json_int_t)-1 : (json_int_t)code, "text", text, "retry_ms", RETRY_MS));
        ask_drop(&w->ask);
        free(w);
        return;
    }
}

void local_roster_changed(struct local *l)
{
    for (struct person *p = l->people, *next; p; p = next) {
        struct core_worker_view v;
        next = p->next;
        if (!core_worker_view(l->a->core, p->name, &v) || v.robot)
            person_leaves(l, p, "no longer on this hub's roster");
        else
            agent_step(l->a, (struct core_in){ .kind = CORE_IN_SIGN_IN, .name = p->name });
    }
}

/* ---------------------------------------------------------------- time, life */
void local_tick(struct local *l, int64_t now_us)
{
    for (struct person *p = l->people, *next; p; p = next) {
        next = p->next;
        if (p->parked && now_us >= p->park_until_us) {
            struct ask ask = p->next_ask;
            p->parked = false;
            if (!offer_task(l, &ask, p->name))
                ask_why(l, &ask, p->name);
            ask_drop(&ask);
        }
        /* A screen that has gone away says nothing: its tasks must not wait for it. */
        if (!p->parked && now_us >= p->seen_us + l->a->cfg->idle_us)
            person_leaves(l, p, "nothing was heard from the screen");
    }
}

int64_t local_next_due_us(const struct local *l)
{
    int64_t due = INT64_MAX;
    for (const struct person *p = l->people; p; p = p->next) {
        int64_t at = p->parked ? p->park_until_us : p->seen_us + l->a->cfg->idle_us;
        if (at < due)
            due = at;
    }
    return due;
}

struct local *local_open(struct agent *a, const char *endpoint, char *text, size_t text_size)
{
    struct local *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(text, text_size, "out of memory");
        return NULL;
    }
    l->a = a;
    if (strncmp(endpoint, "tcp://", 6) == 0 && strncmp(endpoint, "tcp://127.", 10) != 0 &&
        strncmp(endpoint, "tcp://[::1]", 11) != 0) {
        snprintf(text, text_size, "%s: people's socket has no passwords: it is bound to 127.0.0.1 or ipc:// only",
                 endpoint);
        free(l);
        return NULL;
    }
    l->socket = zmq_socket(a->zmq, ZMQ_ROUTER);
    int yes = 1, linger_ms = 200;
    int64_t bytes_max = REQUEST_BYTES_MAX;
    size_t n = sizeof l->endpoint;
    mode_t before = umask(0077); /* an ipc socket is the owner's */
    if (l->socket) {
        zmq_setsockopt(l->socket, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);
        zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
        zmq_setsockopt(l->socket, ZMQ_IPV6, &(int){ strchr(endpoint, '[') != NULL }, sizeof(int));
    }
    bool ok = l->socket && zmq_bind(l->socket, endpoint) == 0;
    umask(before);
    if (!ok) {
        snprintf(text, text_size, "%s: %s", endpoint, zmq_strerror(errno));
        local_close(&l);
        return NULL;
    }
    zmq_getsockopt(l->socket, ZMQ_LAST_ENDPOINT, l->endpoint, &n);
    return l;
}

void local_close(struct local **lp)
{
    struct local *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    while (l->people) {
        struct person *p = l->people;
        l->people = p->next;
        send_json(l, &p->peer,
                  json_pack("{s:s, s:s, s:s}", "notice", "signed_off", "worker", p->name, "text", "the agent stops"));
        unpark(p);
        free(p);
    }
    while (l->whys) {
        struct pending_why *w = l->whys;
        l->whys = w->next;
        ask_drop(&w->ask);
        free(w);
    }
    while (l->waiting) {
        struct waiting *w = l->waiting;
        l->waiting = w->next;
        waiting_free(w);
    }
    if (l->socket)
        zmq_close(l->socket);
    free(l);
}

void *local_socket(const struct local *l)
{
    return l->socket;
}
const char *local_endpoint(const struct local *l)
{
    return l->endpoint;
}
