/* Requests: what must reach the broker, what is under way, what was answered. Acts and results wait in two lists, in order; a frame takes from the
 * front; what was not answered goes back to its place in that order, whichever of several frames came back first. */
#include "worker-agent/core_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- items */
static void items_add(struct item_list *l, struct item *i)
{
    i->next = NULL;
    if (l->tail)
        l->tail->next = i;
    else
        l->head = i;
    l->tail = i;
    l->count++;
}

static struct item *items_take(struct item_list *l)
{
    struct item *i = l->head;
    if (i) {
        l->head = i->next;
        if (!l->head)
            l->tail = NULL;
        l->count--;
    }
    return i;
}

/* Each of `from` goes to its place in `l`; from is empty then. */
static void items_put_back(struct item_list *l, struct item_list *from)
{
    struct item **at = &l->head;
    for (struct item *i; (i = items_take(from));) {
        while (*at && (*at)->turn < i->turn)
            at = &(*at)->next;
        i->next = *at;
        *at = i;
        if (!i->next)
            l->tail = i;
        l->count++;
    }
}

void items_free(struct item_list *l)
{
    for (struct item *i; (i = items_take(l));)
        free(i);
}

static void item_new(struct core *c, struct item_list *l, enum item_kind kind, uint64_t assignment, uint64_t seq,
                     struct slp_bytes packed)
{
    struct item *i = malloc(sizeof *i + packed.n);
    if (!i) {
        c->failed = true;
        return;
    }
    *i = (struct item){ .kind = kind, .assignment = assignment, .seq = seq, .turn = ++c->last_turn, .n = packed.n };
    memcpy(i->packed, packed.p, packed.n);
    items_add(l, i);
}

void send_act(struct core *c, enum item_kind kind, const struct core_task *t, struct slp_bytes reason)
{
    struct slp_item_act a = { .act = kind, .assignment = t->assignment, .worker = t->worker_no, .reason = reason };
    _Static_assert(ITEM_START == 0 && ITEM_TOUCH == 1 && ITEM_RELEASE == 2 && ITEM_DECLINE == 3 && ITEM_FAIL == 4 &&
                       ITEM_BURY == 5,
                   "kinds of items are the protocol's acts");
    if (reason.n)
        SLP_SET(&a, item_act, reason);
    if (t->again_after_us > 0) {
        a.delay_us = (uint64_t)t->again_after_us;
        SLP_SET(&a, item_act, delay_us);
    }
    slp_buf_clear(&c->list2);
    slp_pack_item(&c->list2, SLP_ITEM_act, &a);
    if (c->list2.failed) {
        c->failed = true;
        return;
    }
    item_new(c, &c->acts, kind, t->assignment, 0, (struct slp_bytes){ c->list2.p, (uint32_t)c->list2.n });
}

void send_result(struct core *c, uint64_t assignment, uint64_t seq, struct slp_bytes packed)
{
    item_new(c, &c->results, ITEM_RESULT, assignment, seq, packed);
}

/* ---------------------------------------------------------------- requests under way */
struct request *request_new(struct core *c, enum request_kind kind, uint64_t arg)
{
    if (c->request_count == REQUESTS_MAX)
        return NULL;
    struct request *r = &c->requests[c->request_count++];
    *r = (struct request){ .id = ++c->next_id, .kind = kind, .arg = arg, .sent_us = c->now_us };
    if (kind == REQ_ACTS || kind == REQ_SUBMIT)
        c->batches_out++;
    return r;
}

struct request *request_find(struct core *c, uint64_t id)
{
    for (uint32_t i = 0; i < c->request_count; i++)
        if (c->requests[i].id == id)
            return &c->requests[i];
    return NULL;
}

void request_end(struct core *c, struct request *r)
{
    if (r->kind == REQ_ACTS || r->kind == REQ_SUBMIT)
        c->batches_out--;
    items_free(&r->items);
    size_t at = (size_t)(r - c->requests);
    memmove(r, r + 1, (c->request_count - at - 1) * sizeof *r); /* oldest first: what goes back goes back in order */
    c->request_count--;
}

void request_unsend(struct core *c, struct request *r)
{
    if (r->kind == REQ_ACTS)
        items_put_back(&c->acts, &r->items);
    else if (r->kind == REQ_SUBMIT)
        items_put_back(&c->results, &r->items);
    else if (r->kind == REQ_FORM) {
        struct station *s = u64map_get(&c->stations, r->arg);
        if (s && s->form == FORM_ASKED)
            s->form = FORM_WANTED;
    } else if (r->kind == REQ_WHY) {
        struct core_out *o = core_emit(c, CORE_OUT_WHY);
        o->token = r->arg;
        o->code = UINT64_MAX;
        core_emit_text(c, o, "no answer from the broker", 25);
    }
    request_end(c, r);
}

void requests_unsend_all(struct core *c)
{
    while (c->request_count)
        request_unsend(c, &c->requests[c->request_count - 1]); /* newest first, each to the front */
}

bool send_idle(const struct core *c)
{
    return !c->acts.head && !c->results.head && c->batches_out == 0 && !c->offs_untold;
}

/* ---------------------------------------------------------------- frames out */
/* What a worker may be sent now beyond what it has: its room. */
static uint64_t room_of(const struct core *c, const struct core_worker *w)
{
    if (c->quiet || w->number == 0 || !(w->robot ? w->ready : w->signed_in))
        return 0;
    uint64_t size = (uint64_t)w->capacity + w->prefetch, full = w->waiting.count + w->started + w->holds;
    return size > full ? size - full : 0;
}

/* Packs up to `max` grants into c->list. */
static struct slp_list pack_grants(struct core *c, uint32_t max)
{
    uint32_t count = 0;
    slp_buf_clear(&c->list);
    while (c->credit_head && count < max) {
        struct core_worker *w = c->credit_head;
        c->credit_head = w->credit_next;
        if (!c->credit_head)
            c->credit_tail = NULL;
        w->credit_dirty = false;
        w->credit_next = NULL;
        uint64_t total = w->received + room_of(c, w);
        if (total <= w->granted)
            continue;
        w->granted = total;
        w->granted_us = c->now_us;
        struct slp_item_credit g = { .worker = w->number, .total = total };
        slp_pack_item(&c->list, SLP_ITEM_credit, &g);
        count++;
    }
    c->failed |= c->list.failed;
    return (struct slp_list){ c->list.p, (uint32_t)c->list.n, count };
}

/* Moves items from a list into a request's, their bytes into c->list2. */
static struct slp_list pack_items(struct core *c, struct item_list *from, struct request *r, uint32_t max)
{
    slp_buf_clear(&c->list2);
    while (from->head && r->items.count < max &&
           (r->items.count == 0 || c->list2.n + from->head->n <= CORE_FRAME_BYTES)) {
        struct item *i = items_take(from);
        slp_buf_add(&c->list2, i->packed, i->n);
        items_add(&r->items, i);
    }
    c->failed |= c->list2.failed;
    return (struct slp_list){ c->list2.p, (uint32_t)c->list2.n, (uint32_t)r->items.count };
}

static bool batch_allowed(const struct core *c, enum request_kind kind)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < c->request_count; i++)
        out += c->requests[i].kind == kind;
    return out < CORE_INFLIGHT_MAX;
}

static void flush_acts(struct core *c)
{
    while (c->acts.head && batch_allowed(c, REQ_ACTS)) {
        struct request *r = request_new(c, REQ_ACTS, 0);
        if (!r)
            return;
        struct slp_acts m = { .session = c->session,
                              .acts = pack_items(c, &c->acts, r, c->solo ? 1 : CORE_FRAME_ITEMS) };
        if (!c->acts.head && !c->results.head && c->credit_head) {
            m.grants = pack_grants(c, GRANTS_BESIDE_MAX);
            if (m.grants.count)
                SLP_SET(&m, acts, grants);
        }
        core_send(c, SLP_ACTS, r->id, &m);
    }
}

static void flush_results(struct core *c)
{
    while (c->results.head && batch_allowed(c, REQ_SUBMIT)) {
        struct request *r = request_new(c, REQ_SUBMIT, 0);
        if (!r)
            return;
        struct slp_submit m = { .session = c->session,
                                .results = pack_items(c, &c->results, r, c->solo ? 1 : CORE_FRAME_ITEMS) };
        if (!c->results.head && c->credit_head) {
            m.grants = pack_grants(c, GRANTS_BESIDE_MAX);
            if (m.grants.count)
                SLP_SET(&m, submit, grants);
        }
        core_send(c, SLP_SUBMIT, r->id, &m);
    }
}

static struct slp_list pack_offs(struct core *c)
{
    uint32_t count = 0;
    slp_buf_clear(&c->list2);
    c->offs_untold = false;
    for (uint32_t i = 0; i < c->worker_count; i++) {
        struct core_worker *w = c->workers[i];
        if (!w->off_untold)
            continue;
        if (count == SL_BATCH_ITEMS_MAX) {
            c->offs_untold = true;
            break;
        }
        w->off_untold = false;
        if (w->number) {
            slp_pack_u64(&c->list2, w->number);
            count++;
        }
    }
    c->failed |= c->list2.failed;
    return (struct slp_list){ c->list2.p, (uint32_t)c->list2.n, count };
}

static void flush_credit(struct core *c)
{
    while (c->credit_head || c->offs_untold) {
        struct slp_credit m = { .session = c->session, .grants = pack_grants(c, SL_BATCH_ITEMS_MAX) };
        if (c->offs_untold)
            m.sign_off = pack_offs(c);
        if (m.grants.count)
            SLP_SET(&m, credit, grants);
        if (m.sign_off.count)
            SLP_SET(&m, credit, sign_off);
        if (m.has)
            core_send(c, SLP_CREDIT, ++c->next_id, &m);
    }
}

/* Forms are asked for in any session, once. */
static void flush_forms(struct core *c)
{
    for (struct station *s = c->first_station; s; s = s->next) {
        if (s->form != FORM_WANTED)
            continue;
        struct request *r = c->request_count < REQUESTS_MAX / 2 ? request_new(c, REQ_FORM, s->id) : NULL;
        if (!r)
            return;
        struct slp_form_get m = { .station_id = s->id };
        core_send(c, SLP_FORM_GET, r->id, &m);
        s->form = FORM_ASKED;
    }
}

static void flush_whys(struct core *c, bool up)
{
    while (c->whys) {
        struct why *w = c->whys;
        struct core_worker *worker = worker_named(c, w->name);
        struct request *r = NULL;
        if (up && worker && worker->number) {
            r = c->request_count < REQUESTS_MAX / 2 ? request_new(c, REQ_WHY, w->token) : NULL;
            if (!r)
                return; /* later */
            struct slp_why_get m = { .session = c->session, .worker = worker->number };
            core_send(c, SLP_WHY_GET, r->id, &m);
        } else {
            struct core_out *o = core_emit(c, CORE_OUT_WHY);
            o->token = w->token;
            o->code = UINT64_MAX;
            const char *text = up ? "not on this hub's roster" : "the hub has no contact with the broker";
            core_emit_text(c, o, text, strlen(text));
        }
        c->whys = w->next;
        free(w);
    }
}

/* Credit is told and not answered: a frame that was lost on a dying link would leave a worker idle. What nothing came
 * of is told again. */
static void regrant(struct core *c)
{
    int64_t old_us = c->now_us - REGRANT_HEARTBEATS * c->heartbeat_us;
    for (uint32_t i = 0; i < c->worker_count; i++) {
        struct core_worker *w = c->workers[i];
        if (w->granted > w->received && w->granted_us <= old_us && w->waiting.count == 0 && w->started == 0) {
            w->granted = w->received;
            work_credit(c, w);
        }
    }
}

static void resend_unanswered(struct core *c)
{
    int64_t old_us = c->now_us - 3 * c->heartbeat_us;
    for (uint32_t i = c->request_count; i-- > 0;)
        if (c->requests[i].sent_us <= old_us && c->requests[i].kind != REQ_HELLO)
            request_unsend(c, &c->requests[i]);
}

void send_flush(struct core *c)
{
    bool up = c->state == S_UP && !c->hello_wanted;
    if (c->whys)
        flush_whys(c, up);
    if (c->state != S_UP && c->state != S_NUMBERS)
        return;
    resend_unanswered(c);
    if (c->hello_wanted)
        return;
    if (c->now_us >= c->pause_until_us) {
        flush_acts(c);
        flush_results(c);
    }
    if (!up)
        return;
    flush_forms(c);
    if (c->heartbeat_due_us == c->now_us + c->heartbeat_us / 2) /* a heartbeat has just left: a slow clock of our own */
        regrant(c);
    flush_credit(c);
}

int64_t send_due_us(const struct core *c)
{
    int64_t due = INT64_MAX;
    bool up = c->state == S_UP && !c->hello_wanted;
    if (up && (c->credit_head || c->offs_untold))
        return c->now_us;
    if ((c->state == S_UP || c->state == S_NUMBERS) && !c->hello_wanted && c->pause_until_us > c->now_us &&
        (c->acts.head || c->results.head))
        due = c->pause_until_us;
    for (uint32_t i = 0; i < c->request_count && (c->state == S_UP || c->state == S_NUMBERS); i++)
        if (c->requests[i].kind != REQ_HELLO && c->requests[i].sent_us + 3 * c->heartbeat_us < due)
            due = c->requests[i].sent_us + 3 * c->heartbeat_us;
    return due;
}

/* ---------------------------------------------------------------- answers */
static void lease_told(struct core *c, struct core_task *t, const struct request *r, int64_t lease_us)
{
    if (lease_us <= 0)
        return;
    t->lease_end_us = r->sent_us + lease_us; /* counted from when we asked: never too long */
    if (t->worker && t->worker->robot && t->state == CORE_STARTED) {
        t->touch_due_us = c->now_us + t->lease_us / 3;
        if (t->touch_due_us < c->touch_next_us)
            c->touch_next_us = t->touch_due_us;
    }
}

static void act_answered(struct core *c, const struct item *i, const struct slp_item_outcome *o,
                         const struct request *r)
{
    struct core_task *t = u64map_get(&c->tasks, i->assignment);
    bool ok = o->code == SLP_E_OK || o->code == SLP_E_DUPLICATE;
    if (i->kind == ITEM_START || i->kind == ITEM_TOUCH) {
        if (!t)
            return;
        if (ok)
            lease_told(c, t, r, o->lease_us);
        else if (i->kind == ITEM_START ||
                 o->code != SLP_E_BAD_STATE) /* not started: the start was lost, and comes again */
            work_recall(c, i->assignment, 4);
        return;
    }
    if (t && t->state == CORE_ENDED)
        work_forget(c, t);
    struct core_out *out = core_emit(c, CORE_OUT_ENDED);
    out->assignment = i->assignment;
    out->code = o->code;
    if (!ok)
        core_log(c, CORE_DEBUG, "act-refused", "assignment=%llu act=%d code=%s", (unsigned long long)i->assignment,
                 (int)i->kind, slp_error_name(o->code));
}

static void result_answered(struct core *c, const struct item *i, const struct slp_item_outcome *o)
{
    bool kept = o->code == SLP_E_OK || o->code == SLP_E_DUPLICATE || o->code == SLP_E_LATE;
    struct core_task *t = u64map_get(&c->tasks, i->assignment);
    struct core_out *out = core_emit(c, kept ? CORE_OUT_ACKED : CORE_OUT_REFUSED);
    out->assignment = i->assignment;
    out->seq = i->seq;
    out->code = o->code;
    core_emit_text(c, out, o->text.p, o->text.n);
    if (!t || t->state != CORE_DONE)
        return;
    if (o->code == SLP_E_BAD_RESULT && t->worker) { /* still open and ours: say that it came to nothing here */
        t->state = CORE_ENDED;
        send_act(c, ITEM_FAIL, t, o->text.n ? o->text : (struct slp_bytes){ "BAD_RESULT", 10 });
        return;
    }
    work_forget(c, t);
}

void send_outcomes(struct core *c, const struct slp_outcomes *m, struct request *r)
{
    struct request was = *r; /* answering may make room for new requests: take it out first, keep its items */
    r->items = (struct item_list){ 0 };
    request_end(c, r);
    struct item_list again = { 0 };
    struct slp_cursor each = slp_each(m->outcomes);
    struct slp_item_outcome o = { 0 };
    bool have = slp_next_outcome(&each, &o);
    for (struct item *i; (i = items_take(&was.items));) {
        /* In order; what is not listed went well (starts and touches are always listed). */
        bool mine = have && o.assignment == i->assignment;
        struct slp_item_outcome fine = { .code = SLP_E_OK, .assignment = i->assignment }, *answer = mine ? &o : &fine;
        enum slp_retry retry = slp_error_retry(answer->code);
        if (retry == SLP_RETRY_NOW || retry == SLP_RETRY_LATER) {
            items_add(&again, i);
            if (retry == SLP_RETRY_LATER)
                c->pause_until_us = c->now_us + c->heartbeat_us / 5;
        } else {
            if (i->kind == ITEM_RESULT)
                result_answered(c, i, answer);
            else
                act_answered(c, i, answer, &was);
            free(i);
        }
        if (mine)
            have = slp_next_outcome(&each, &o);
    }
    items_put_back(was.kind == REQ_ACTS ? &c->acts : &c->results, &again);
    if (c->solo && was.kind == REQ_SUBMIT)
        c->solo--;
}

void send_refused(struct core *c, struct request *r, const struct slp_error *m)
{
    core_log(c, CORE_WARN, "batch-refused", "items=%llu code=%s text=\"%.*s\" place=\"%.*s\"",
             (unsigned long long)r->items.count, slp_error_name(m->code), (int)m->text.n, m->text.p, (int)m->place.n,
             m->place.p ? m->place.p : "");
    if (m->retry != SLP_RETRY_NEVER || m->code == SLP_E_BAD_VERSION || m->code == SLP_E_FORBIDDEN) {
        /* The place or the time is wrong, not the work: keep it. */
        int64_t wait_us = m->after_ms > 0 && m->after_ms < 3600000 ? (int64_t)m->after_ms * 1000 : c->heartbeat_us;
        if (m->retry != SLP_RETRY_NOW)
            c->pause_until_us = c->now_us + wait_us;
        request_unsend(c, r);
        return;
    }
    if (r->items.count > 1) { /* one bad item must not hold up the others: send them one by one */
        c->solo = (uint32_t)r->items.count;
        request_unsend(c, r);
        return;
    }
    struct request was = *r;
    r->items = (struct item_list){ 0 };
    request_end(c, r);
    struct item *i = items_take(&was.items);
    struct slp_item_outcome o = { .code = m->code, .assignment = i->assignment, .text = m->text };
    if (i->kind == ITEM_RESULT)
        result_answered(c, i, &o);
    else
        act_answered(c, i, &o, &was);
    free(i);
    if (c->solo)
        c->solo--;
}
