/* What can happen to a task, and to the assignment that stands for it. The matrix of PROTOCOL.md is `act_matrix` below for the commands of a
 * worker, on_submit for results, task_expire for the clock, and task_requeue and unit_drop for the operator. */
#include <stdio.h>

#include "broker/engine/gold.h"
#include "broker/engine/internal.h"

enum act { ACT_START, ACT_TOUCH, ACT_RELEASE, ACT_DECLINE, ACT_FAIL, ACT_BURY, ACTS };

/* ---- the state of a task ---- */

void task_set(struct engine *e, struct run *r, uint8_t *head, uint32_t idx, enum task_state to)
{
    uint8_t *s = unit_station(head, idx);
    struct rq *q = &r->rq[idx];
    enum task_state from = s[ST_STATE];
    if (from >= TASK_STATES || q->c.n[from] == 0 || q->st->c.n[from] == 0) {
        fail(e, STORE_CORRUPT); /* states and counters that do not belong together: a page of the past */
        return;
    }
    q->c.n[from]--;
    q->c.n[to]++;
    q->st->c.n[from]--;
    q->st->c.n[to]++;
    s[ST_STATE] = (uint8_t)to;
    if (s[ST_FLAGS] & STATE_FLAG_DECLINED && !has_copies(q->st)) {
        uint64_t more = to == TASK_READY, fewer = from == TASK_READY;
        q->declines += more - fewer;
        q->st->declined += more - fewer;
    }
    rq_dirty(e, q);
    uint16_t dead = get_u16(head + UH_DEAD);
    if (to == TASK_DEAD) {
        put_u16(head + UH_DEAD, (uint16_t)(dead + 1));
        r->dead += dead == 0;
        run_dirty(e, r);
    } else if (from == TASK_DEAD) {
        put_u16(head + UH_DEAD, (uint16_t)(dead - 1));
        r->dead -= dead == 1;
        run_dirty(e, r);
    }
}

static void dead_key(uint8_t *k, const struct run *r, uint32_t idx, uint64_t unit)
{
    key_u64(key_u32(key_u32(k, r->rq[idx].st->id), r->id), unit);
}

void dead_forget(struct engine *e, struct run *r, uint32_t idx, uint64_t unit)
{
    uint8_t k[16];
    struct store_val v;
    struct rq *q = &r->rq[idx];
    dead_key(k, r, idx, unit);
    if (q->nobody && e_get(e, TABLE_DEAD, k, sizeof k, &v) && v.n && dead_for_want(*(const uint8_t *)v.p)) {
        q->nobody--;
        q->st->nobody--;
        rq_dirty(e, q);
    }
    e_del(e, TABLE_DEAD, k, sizeof k);
}

void task_dead(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx, enum dead_why why,
               const char *reason, size_t n)
{
    uint8_t k[16], b[SL_TEXT_BYTES_MAX + 32];
    struct rec rc = { b, 0, sizeof b, 0 };
    task_set(e, r, head, idx, TASK_DEAD);
    r->rq[idx].nobody += dead_for_want((uint8_t)why);
    r->rq[idx].st->nobody += dead_for_want((uint8_t)why);
    rec_u8(&rc, (uint8_t)why);
    rec_i64(&rc, e->wall_us);
    rec_str(&rc, reason, n);
    rec_u64(&rc, e->meta.job);
    assert(!rc.bad);
    dead_key(k, r, idx, unit);
    e_put(e, TABLE_DEAD, k, sizeof k, b, rc.n);
    if (why != DEAD_BURIED) /* a burial stands there already, with its assignment */
        history_add(e, r, unit, idx, WHY_BURIED, 0, 0, reason, n);
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 5);
    slp_pack_cstr(&e->b3, "run");
    slp_pack_u64(&e->b3, r->id);
    slp_pack_cstr(&e->b3, "station");
    slp_pack_u64(&e->b3, r->rq[idx].st->id);
    slp_pack_cstr(&e->b3, "units");
    slp_pack_array(&e->b3, 2);
    slp_pack_u64(&e->b3, unit);
    slp_pack_u64(&e->b3, 1);
    slp_pack_cstr(&e->b3, "why");
    slp_pack_u64(&e->b3, why);
    slp_pack_cstr(&e->b3, "reason");
    slp_pack_str(&e->b3, reason, n);
    ev_emit(e, EV_TASKS_DEAD, r->line, r, NULL, &e->b3);
}

/* ---- recalls: gathered in the step, sent at its end ---- */

void recall(struct engine *e, struct hub *h, uint64_t no, unsigned code)
{
    typeof(e->recalled) v = grow(e, e->recalled, &e->recall_cap, e->recalls + 1, sizeof *v);
    if (!v)
        return;
    e->recalled = v;
    v[e->recalls].hub = h;
    v[e->recalls].no = no;
    v[e->recalls++].code = code;
}

void recalls_flush(struct engine *e)
{
    for (uint32_t i = 0, j; i < e->recalls; i = j) {
        struct hub *h = e->recalled[i].hub;
        slp_buf_clear(&e->b1);
        for (j = i; j < e->recalls && j - i < SL_BATCH_ITEMS_MAX && e->recalled[j].hub == h &&
                    e->recalled[j].code == e->recalled[i].code;
             j++)
            slp_pack_u64(&e->b1, e->recalled[j].no);
        if (!h->session)
            continue;
        struct slp_recall m = { .session = h->session,
                                .assignments = { e->b1.p, (uint32_t)e->b1.n, j - i },
                                .code = e->recalled[i].code };
        send_frame(e, h->peer, SLP_RECALL, 0, &m);
    }
    e->recalls = 0;
}

/* ---- the end of an assignment without a result ---- */

static void announce_return(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n,
                            bool begun)
{
    static const char *const keys[] = { "run", "station", "hub", "assignment", "unit", "why" };
    const uint64_t values[] = { s->run->id, s->st->id, s->hub->id, no, assign_entry(s, no)->unit, why };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 2);
    slp_pack_cstr(&e->b3, "reason");
    slp_pack_str(&e->b3, reason, n);
    slp_pack_cstr(&e->b3, "attempt");
    slp_pack_bool(&e->b3, why == WHY_FAILED || (why == WHY_EXPIRED && begun));
    ev_emit(e, EV_RETURNED, s->run->line, s->run, s->hub, &e->b3);
}

/* The task of this assignment, if it is still what the unit waits for; else NULL: dropped, cancelled, done by another. */
static uint8_t *current(struct engine *e, struct aseg *s, uint64_t no)
{
    if (s->run->state > RUN_CLOSED)
        return NULL;
    uint8_t *h = unit_head(e, s->run, assign_entry(s, no)->unit, true);
    if (!h || h[UH_STATE] != UNIT_OPEN)
        return NULL;
    uint8_t *t = unit_station(h, s->st->idx);
    bool in_hand = t[ST_STATE] == TASK_ASSIGNED || t[ST_STATE] == TASK_STARTED;
    return in_hand && get_u48(t + ST_ASSIGN) == no ? h : NULL;
}

void task_end_return(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n)
{
    const struct aentry *a = assign_entry(s, no);
    bool begun = a->state == ASSIGN_STARTED;
    assign_end(e, s, no, ASSIGN_RETURNED, why);
    announce_return(e, s, no, why, reason, n, begun);
    e->total.returned++;
    s->st->returned++;
    s->hub->returned++;
    if (is_gold(a->unit) && !begun && why == WHY_RELEASED)
        gold_unseen(e, s, no);
    if (why == WHY_FAILED || (begun && (why == WHY_EXPIRED || why == WHY_RELEASED)))
        repute_abandoned(e, s->st, a->worker);
    if (why != WHY_FAILED && why != WHY_BURIED && !(why == WHY_EXPIRED && begun))
        day_uncount(e, worker_at(e, a->worker), s->st, s->wall_us);
    if (!is_gold(a->unit) && (n || why == WHY_FAILED || why == WHY_EXPIRED || why == WHY_DECLINED || why == WHY_BURIED))
        history_add(e, s->run, a->unit, s->st->idx, why, no, a->worker, reason, n);
}

/* The assignment ends without a result; the head of its unit, if the task is this assignment's still. */
static uint8_t *end_current(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n)
{
    bool open = current(e, s, no) != NULL;
    task_end_return(e, s, no, why, reason, n);
    return open ? unit_head(e, s->run, assign_entry(s, no)->unit, true) : NULL;
}

void task_return(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n)
{
    if (has_copies(s->st)) {
        copies_returned(e, s, no, why, reason, n, 0);
        return;
    }
    uint64_t unit = assign_entry(s, no)->unit;
    uint8_t *h = end_current(e, s, no, why, reason, n);
    if (!h)
        return;
    if (why == WHY_DECLINED)
        unit_station(h, s->st->idx)[ST_FLAGS] =
            (uint8_t)((unit_station(h, s->st->idx)[ST_FLAGS] | STATE_FLAG_DECLINED) & ~STATE_FLAG_AUTHORS);
    task_set(e, s->run, h, s->st->idx, TASK_READY);
    queue_ready(e, &s->run->rq[s->st->idx], LANE_RETURNED, unit, why);
    nobody_check(e, &s->run->rq[s->st->idx], unit);
}

/* An attempt that counted ends; true if it was the last one. */
static bool attempt_over(struct engine *e, struct aseg *s, uint8_t *h, uint64_t unit, const char *reason, size_t n)
{
    uint8_t *t = unit_station(h, s->st->idx);
    t[ST_ATTEMPTS] += t[ST_ATTEMPTS] < UINT8_MAX;
    if (t[ST_ATTEMPTS] < s->st->def->attempts)
        return false;
    task_dead(e, s->run, unit, h, s->st->idx, DEAD_ATTEMPTS, reason, n);
    return true;
}

void task_expire(struct engine *e, struct aseg *s, uint64_t no)
{
    struct aentry *a = assign_entry(s, no);
    bool started = a->state == ASSIGN_STARTED;
    uint64_t unit = a->unit;
    static const char lease[] = "the lease ran out", start_by[] = "not started in time";
    e->total.expired++;
    recall(e, s->hub, no, 4);
    if (!started) {
        task_return(e, s, no, WHY_EXPIRED, start_by, sizeof start_by - 1);
        return;
    }
    if (has_copies(s->st)) {
        copies_returned(e, s, no, WHY_EXPIRED, lease, sizeof lease - 1, 0);
        return;
    }
    uint8_t *h = end_current(e, s, no, WHY_EXPIRED, lease, sizeof lease - 1);
    if (h && !attempt_over(e, s, h, unit, lease, sizeof lease - 1)) {
        task_set(e, s->run, h, s->st->idx, TASK_READY);
        queue_ready(e, &s->run->rq[s->st->idx], LANE_RETURNED, unit, WHY_EXPIRED);
        nobody_check(e, &s->run->rq[s->st->idx], unit);
    }
}

#define BACKOFF_DOUBLED_MAX_US                                                                                         \
    (24ll * 3600 * 1000000) /* by doubling; one that the line says is longer stays what it is */

int64_t task_backoff_us(const struct station *st, unsigned attempts)
{
    int64_t us = st->def->backoff_us, most = us > BACKOFF_DOUBLED_MAX_US ? us : BACKOFF_DOUBLED_MAX_US;
    for (unsigned i = 1; i < attempts && us < most; i++)
        us *= 2;
    return us < most ? us : most;
}

/* The task of an assignment that has ended comes back after a while. */
static void rest(struct engine *e, struct aseg *s, uint64_t no, uint8_t *h, enum why why, int64_t us)
{
    struct aentry *a = assign_entry(s, no);
    struct range one = { a->unit, 1 };
    struct ranges r = { 1, 1, &one, 1 };
    if (may_come_again(s->st))
        a->due_us = e->now_us + us; /* the assignment's end has made it dirty */
    task_set(e, s->run, h, s->st->idx, TASK_WAITING);
    delay_add(e, &s->run->rq[s->st->idx], e->now_us + us, why, &r);
}

static void act_fail(struct engine *e, struct aseg *s, uint64_t no, const struct slp_item_act *it)
{
    uint64_t unit = assign_entry(s, no)->unit;
    if (has_copies(s->st)) {
        copies_returned(e, s, no, WHY_FAILED, it->reason.p, it->reason.n, (int64_t)it->delay_us);
        return;
    }
    uint8_t *h = end_current(e, s, no, WHY_FAILED, it->reason.p, it->reason.n);
    if (!h || attempt_over(e, s, h, unit, it->reason.p, it->reason.n))
        return;
    int64_t us =
        it->delay_us ? (int64_t)it->delay_us : task_backoff_us(s->st, unit_station(h, s->st->idx)[ST_ATTEMPTS]);
    rest(e, s, no, h, WHY_FAILED, us);
}

/* Not now, uncounted: the task waits, so that it does not come back to the next free slot at once. */
static void act_release_later(struct engine *e, struct aseg *s, uint64_t no, const struct slp_item_act *it)
{
    if (has_copies(s->st)) {
        copies_returned(e, s, no, WHY_RELEASED, it->reason.p, it->reason.n, (int64_t)it->delay_us);
        return;
    }
    uint8_t *h = end_current(e, s, no, WHY_RELEASED, it->reason.p, it->reason.n);
    if (h)
        rest(e, s, no, h, WHY_RELEASED, (int64_t)it->delay_us);
}

static void act_bury(struct engine *e, struct aseg *s, uint64_t no, const struct slp_item_act *it)
{
    uint64_t unit = assign_entry(s, no)->unit;
    if (has_copies(s->st)) {
        copies_returned(e, s, no, WHY_BURIED, it->reason.p, it->reason.n, 0);
        return;
    }
    uint8_t *h = end_current(e, s, no, WHY_BURIED, it->reason.p, it->reason.n);
    if (h)
        task_dead(e, s->run, unit, h, s->st->idx, DEAD_BURIED, it->reason.p, it->reason.n);
}

static void act_start(struct engine *e, struct aseg *s, uint64_t no)
{
    struct aentry *a = assign_entry(s, no);
    a->state = ASSIGN_STARTED;
    a->started_wall_us = e->wall_us;
    assign_due(e, s, a, e->now_us + s->st->def->lease_us);
    uint8_t *h = has_copies(s->st) ? NULL : current(e, s, no);
    if (has_copies(s->st))
        copies_started(e, s, no);
    else if (h)
        task_set(e, s->run, h, s->st->idx, TASK_STARTED);
    ev_assign(e, EV_STARTED, s, no, 0);
    e->total.started++;
}

/* ---- commands of workers ---- */

/* Assignment state x act. GO: do it. SAME: a repeat of what ended it is harmless, anything else is stale. */
enum verdict { GO, AGAIN, BAD, STALE_, SAME };
static const uint8_t act_matrix[ACTS][5] = {
    /*               HANDED STARTED COUNTED LATE    RETURNED */
    [ACT_START] = { GO, AGAIN, STALE_, STALE_, STALE_ }, [ACT_TOUCH] = { BAD, GO, STALE_, STALE_, STALE_ },
    [ACT_RELEASE] = { GO, GO, STALE_, STALE_, SAME },    [ACT_DECLINE] = { GO, GO, STALE_, STALE_, SAME },
    [ACT_FAIL] = { GO, GO, STALE_, STALE_, SAME },       [ACT_BURY] = { GO, GO, STALE_, STALE_, SAME },
};
static const uint8_t act_why[ACTS] = {
    [ACT_RELEASE] = WHY_RELEASED, [ACT_DECLINE] = WHY_DECLINED, [ACT_FAIL] = WHY_FAILED, [ACT_BURY] = WHY_BURIED
};

static struct aseg *find_own(struct engine *e, struct hub *h, uint64_t no, uint64_t worker, enum slp_code *code)
{
    struct aseg *s = assign_find(e, no);
    *code = SLP_E_OK;
    if (!s)
        *code = SLP_E_NOT_FOUND;
    else if (s->hub != h || assign_entry(s, no)->worker != worker)
        *code = SLP_E_NOT_YOURS;
    return *code == SLP_E_OK ? s : NULL;
}

/* After the end of its worker's shift a lease is renewed until the overtime ends, no further; what it was once given is never shortened. */
static int64_t lease_until(const struct engine *e, const struct aseg *s, const struct aentry *a)
{
    const struct worker *w = worker_at(e, a->worker);
    int64_t until = e->now_us + s->st->def->lease_us;
    if (!worker_on_shift(w) && until > w->shift->off_us + w->shift->overtime_us)
        until = w->shift->off_us + w->shift->overtime_us;
    return until > a->due_us ? until : a->due_us;
}

/* 0: it is over, and the tick that takes the assignment back has not come yet. */
static int64_t lease_left(const struct engine *e, const struct aentry *a)
{
    return a->due_us > e->now_us ? a->due_us - e->now_us : 0;
}

/* What does not count any more may still tell that he has seen a control task: all but that it is given back. */
static enum slp_code stale(struct engine *e, const struct aseg *s, uint64_t no, uint64_t act)
{
    const struct aentry *a = &s->e[no - s->first];
    if (a->state == ASSIGN_RETURNED && is_gold(a->unit) && act != ACT_RELEASE)
        gold_seen(e, s, no);
    return SLP_E_STALE;
}

static enum slp_code act(struct engine *e, struct hub *h, const struct slp_item_act *it, int64_t *lease_us)
{
    enum slp_code code;
    uint64_t no = it->assignment;
    struct aseg *s = find_own(e, h, no, it->worker, &code);
    *lease_us = -1;
    if (!s)
        return code;
    if (it->delay_us > SL_DELAY_US_MAX)
        return SLP_E_BAD_VALUE;
    struct aentry *a = assign_entry(s, no);
    switch ((enum verdict)act_matrix[it->act][a->state]) {
    case BAD: return SLP_E_BAD_STATE;
    case STALE_: return stale(e, s, no, it->act);
    case SAME: return a->why == act_why[it->act] ? SLP_E_DUPLICATE : stale(e, s, no, it->act);
    case AGAIN: *lease_us = lease_left(e, a); return SLP_E_DUPLICATE;
    case GO: break;
    }
    switch ((enum act)it->act) {
    case ACT_START:
        act_start(e, s, no);
        *lease_us = s->st->def->lease_us;
        break;
    case ACT_TOUCH:
        assign_due(e, s, a, lease_until(e, s, a));
        *lease_us = lease_left(e, a);
        break;
    case ACT_RELEASE:
        if (it->delay_us) {
            act_release_later(e, s, no, it);
            break;
        }
        task_return(e, s, no, WHY_RELEASED, it->reason.p, it->reason.n);
        break;
    case ACT_DECLINE: task_return(e, s, no, act_why[it->act], it->reason.p, it->reason.n); break;
    case ACT_FAIL: act_fail(e, s, no, it); break;
    case ACT_BURY: act_bury(e, s, no, it); break;
    case ACTS: assert(!"checked by the decoder");
    }
    return SLP_E_OK;
}

static void outcome(struct engine *e, uint32_t *n, enum slp_code code, uint64_t no, int64_t lease_us, const char *text)
{
    struct slp_item_outcome o = { .code = code, .assignment = no };
    if (lease_us >= 0) {
        o.lease_us = lease_us;
        SLP_SET(&o, item_outcome, lease_us);
    }
    if (text && e->answer.n < SL_FRAME_BYTES_MAX / 2) {
        o.text = (struct slp_bytes){ text, (uint32_t)strlen(text) };
        SLP_SET(&o, item_outcome, text);
    }
    slp_pack_item(&e->answer, SLP_ITEM_outcome, &o);
    (*n)++;
}

static void reply_outcomes(struct engine *e, uint32_t n, uint64_t ok)
{
    struct slp_outcomes m = { .ok = ok };
    if (n) {
        m.outcomes = (struct slp_list){ e->answer.p, (uint32_t)e->answer.n, n };
        SLP_SET(&m, outcomes, outcomes);
    }
    if (e->answer.failed)
        fail(e, STORE_NO_MEMORY);
    else
        reply(e, SLP_OUTCOMES, &m);
}

void on_acts(struct engine *e, const struct slp_msg *m)
{
    const struct slp_acts *q = &m->u.acts;
    struct hub *h = hub_session(e, q->session);
    if (!h)
        return;
    struct slp_cursor c = slp_each(q->acts);
    struct slp_item_act it;
    uint32_t n = 0;
    uint64_t ok = 0;
    slp_buf_clear(&e->answer);
    while (slp_next_act(&c, &it) && !e->rc) {
        int64_t lease_us;
        enum slp_code code = act(e, h, &it, &lease_us);
        ok += slp_error_retry(code) == SLP_RETRY_OK;
        if (code != SLP_E_OK || lease_us >= 0)
            outcome(e, &n, code, it.assignment, lease_us, NULL);
    }
    reply_outcomes(e, n, ok);
    hub_apply_credit(e, h, &q->grants);
}

/* ---- results ---- */

/* Does a result of this assignment still count? If another holds the task without having begun, he loses it. */
static uint8_t *counts(struct engine *e, struct aseg *s, uint64_t no)
{
    struct run *r = s->run;
    if (r->state > RUN_CLOSED || standing_refuses(e, s->st, assign_entry(s, no)->worker))
        return NULL;
    uint8_t *h = unit_head(e, r, assign_entry(s, no)->unit, true);
    if (!h || h[UH_STATE] != UNIT_OPEN || (is_review(s->st) && !review_current(s, no, h)) || review_past(e, s, no, h))
        return NULL;
    uint8_t *t = unit_station(h, s->st->idx);
    uint64_t holder = get_u48(t + ST_ASSIGN);
    switch ((enum task_state)t[ST_STATE]) {
    case TASK_STARTED: return holder == no ? h : NULL;
    case TASK_ASSIGNED:
        if (holder != no) {
            struct aseg *other = assign_find(e, holder);
            if (!other) {
                fail(e, STORE_CORRUPT);
                return NULL;
            }
            task_end_return(e, other, holder, WHY_RECALLED, "", 0);
            recall(e, other->hub, holder, 4);
        }
        return unit_head(e, r, assign_entry(s, no)->unit, true);
    case TASK_READY:
    case TASK_WAITING: /* its entry in READY or DELAY is stale now, and skipped when it comes up */ return h;
    case TASK_DEAD: dead_forget(e, r, s->st->idx, assign_entry(s, no)->unit); return h;
    default: return NULL;
    }
}

static enum slp_code submit(struct engine *e, struct hub *h, const struct slp_item_result *it, char *text,
                            size_t text_size)
{
    enum slp_code code;
    uint64_t no = it->assignment;
    struct aseg *s = find_own(e, h, no, it->worker, &code);
    text[0] = 0;
    if (!s)
        return code;
    struct aentry *a = assign_entry(s, no);
    if (a->state == ASSIGN_COUNTED)
        return SLP_E_DUPLICATE;
    if (a->state == ASSIGN_LATE)
        return SLP_E_LATE;
    uint32_t bad;
    char what[256];
    const struct ld_station *def = s->st->def;
    if (it->values.bytes > SL_RESULT_BYTES_MAX)
        return SLP_E_TOO_BIG;
    if (ld_check_values(def->form, def->field_count, it->values.p, it->values.bytes, it->values.count, &bad, what,
                        sizeof what)) {
        if (bad < def->field_count)
            snprintf(text, text_size, "%.*s: %s", (int)def->form[bad].name.n, def->form[bad].name.p, what);
        else
            snprintf(text, text_size, "%s", what);
        return SLP_E_BAD_RESULT;
    }
    struct slp_list values = it->values;
    int verdict = -1;
    if (is_review(s->st) && !review_read(e, s, no, &it->values, &values, &verdict, text, text_size))
        return SLP_E_BAD_RESULT;
    if (e->rc) /* what it is about could not be read: the batch is given up */
        return SLP_E_OK;
    bool gold = is_gold(a->unit);
    uint8_t *head = gold ? NULL : has_copies(s->st) ? copies_counts(e, s, no) : counts(e, s, no);
    if (gold && a->state == ASSIGN_RETURNED)
        gold_seen(e, s, no);
    bool taken = gold ? s->run->state <= RUN_CLOSED && !standing_refuses(e, s->st, a->worker) && gold_counts(e, s, no)
                      : head != NULL;
    struct run *r = s->run;
    if (!head) { /* too late: kept as it came */
        values = it->values;
        verdict = -1;
    }
    a->result = result_add(e, r, no, it->done_wall_us, &values, verdict < 0);
    a->active_us = it->active_us;
    enum assign_state end = taken ? ASSIGN_COUNTED : ASSIGN_LATE;
    if (a->state == ASSIGN_RETURNED) {
        a->state = (uint8_t)end;
        a->ended_wall_us = e->wall_us;
        assign_dirty(e, s);
    } else {
        assign_end(e, s, no, end, WHY_NEW);
    }
    ev_assign(e, EV_SUBMITTED, s, no, a->result);
    e->total.submitted++;
    s->st->submitted++;
    if (!gold) {
        s->st->results++;
        r->rq[s->st->idx].results++;
    }
    rq_dirty(e, &r->rq[s->st->idx]);
    s->hub->submitted++;
    minute_add(&s->st->submits, e->now_us);
    minute_add(&s->hub->submits, e->now_us);
    if (s->elapsed_us)
        latency_add(&s->st->worked, e->now_us - s->elapsed_us);
    pace_add(e, s->st, a, s->wall_us);
    if (!taken) {
        e->total.late++;
        /* with copies he is not asked again: he may have been the last one left */
        if (!gold && has_copies(s->st) && r->state <= RUN_CLOSED)
            nobody_check(e, &r->rq[s->st->idx], a->unit);
        return SLP_E_LATE;
    }
    worker_at(e, a->worker)->done++;
    repute_result(e, s->st, a->worker, a->started_wall_us ? e->wall_us - a->started_wall_us : 0, a->active_us);
    if (gold) {
        gold_judge(e, s, no, &it->values);
        return SLP_E_OK;
    }
    if (has_copies(s->st)) {
        copies_counted(e, s, no, it->done_wall_us);
        return SLP_E_OK;
    }
    uint8_t *t = unit_station(head, s->st->idx);
    put_u48(t + ST_RESULT, a->result);
    put_u48(t + ST_ASSIGN, no > get_u48(t + ST_ASSIGN) ? no : get_u48(t + ST_ASSIGN));
    t[ST_FLAGS] &= (uint8_t)~STATE_FLAG_AUTHORS;
    if (is_review(s->st) && !review_goes_on(e, s, no, verdict, &it->values))
        return SLP_E_OK;
    if (!(head = unit_head(e, r, a->unit, true)))
        return SLP_E_OK;
    task_set(e, r, head, s->st->idx, TASK_DONE);
    ev_task(e, EV_TASKS_DONE, r, s->st, 0, a->unit, 1);
    flow_done(e, r, a->unit, s->st->idx);
    return SLP_E_OK;
}

void on_submit(struct engine *e, const struct slp_msg *m)
{
    const struct slp_submit *q = &m->u.submit;
    struct hub *h = hub_session(e, q->session);
    if (!h)
        return;
    if (e->full_results) {
        reply_error(e, SLP_E_STORE_FULL, NULL, "the store has no room left for results; they wait with the agent");
        return;
    }
    struct slp_cursor c = slp_each(q->results);
    struct slp_item_result it;
    uint32_t n = 0;
    uint64_t ok = 0;
    slp_buf_clear(&e->answer);
    while (slp_next_result(&c, &it) && !e->rc) {
        char text[400];
        enum slp_code code = submit(e, h, &it, text, sizeof text);
        ok += code == SLP_E_OK || code == SLP_E_DUPLICATE;
        if (code != SLP_E_OK)
            outcome(e, &n, code, it.assignment, -1, text[0] ? text : NULL);
    }
    result_flush(e);
    reply_outcomes(e, n, ok);
    hub_apply_credit(e, h, &q->grants);
}

/* ---- commands of operators ---- */

bool task_requeue(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, const char *reason, size_t n, char *why)
{
    uint8_t *h = r->state <= RUN_CLOSED ? unit_head(e, r, unit, true) : NULL;
    if (!h || h[UH_STATE] != UNIT_OPEN || unit_station(h, idx)[ST_STATE] != TASK_DEAD)
        return false;
    if (nobody_for(e, &r->rq[idx], unit, why, NOBODY_TEXT) || !(h = unit_head(e, r, unit, true)))
        return false;
    const char *full = has_copies(r->rq[idx].st) ? copies_requeue(e, r, unit, h, idx) : NULL;
    if (full) {
        snprintf(why, NOBODY_TEXT, "%s", full);
        return false;
    }
    dead_forget(e, r, idx, unit);
    unit_station(h, idx)[ST_ATTEMPTS] = 0;
    unit_station(h, idx)[ST_FLAGS] &= (uint8_t)~STATE_FLAG_AUTHORS;
    task_set(e, r, h, idx, TASK_READY);
    queue_ready(e, &r->rq[idx], LANE_RETURNED, unit, WHY_REQUEUED);
    history_add(e, r, unit, idx, WHY_REQUEUED, 0, 0, reason, n);
    return true;
}

void unit_drop(struct engine *e, struct run *r, uint64_t unit, const char *reason, size_t n)
{
    uint8_t *h = unit_head(e, r, unit, true);
    if (!h || h[UH_STATE] != UNIT_OPEN)
        return;
    for (uint32_t i = 0; i < r->lv->station_count && !e->rc; i++) {
        h = unit_head(e, r, unit, true);
        uint8_t *t = unit_station(h, i);
        uint64_t holder = get_u48(t + ST_ASSIGN);
        enum task_state was = t[ST_STATE];
        if (was == TASK_DONE || was == TASK_SKIPPED)
            continue;
        task_set(e, r, h, i, TASK_ENDED);
        if (was == TASK_DEAD)
            dead_forget(e, r, i, unit);
        if (has_copies(r->rq[i].st)) {
            copies_recall(e, h, i, 3);
        } else if (was == TASK_ASSIGNED) { /* a started one goes on: its result is kept, and payable */
            struct aseg *s = assign_find(e, holder);
            if (!s) {
                fail(e, STORE_CORRUPT);
                return;
            }
            task_end_return(e, s, holder, WHY_RECALLED, "", 0);
            recall(e, s->hub, holder, 3);
        }
    }
    if (!(h = unit_head(e, r, unit, true)))
        return;
    h[UH_STATE] = UNIT_DROPPED;
    r->dropped++;
    r->changed_wall_us = e->wall_us;
    run_dirty(e, r);
    history_add(e, r, unit, UINT16_MAX, WHY_DROPPED, 0, 0, reason, n); /* the unit, at no station */
    slp_buf_clear(&e->b3);
    slp_pack_map(&e->b3, 3);
    slp_pack_cstr(&e->b3, "run");
    slp_pack_u64(&e->b3, r->id);
    slp_pack_cstr(&e->b3, "units");
    slp_pack_array(&e->b3, 2);
    slp_pack_u64(&e->b3, unit);
    slp_pack_u64(&e->b3, 1);
    slp_pack_cstr(&e->b3, "reason");
    slp_pack_str(&e->b3, reason, n);
    ev_emit(e, EV_UNITS_DROPPED, r->line, r, NULL, &e->b3);
    run_check_done(e, r);
}

void on_tasks_set(struct engine *e, const struct slp_msg *m)
{
    const struct slp_tasks_set *q = &m->u.tasks_set;
    if (q->station_id == 0 || q->station_id > e->meta.station) {
        reply_error(e, SLP_E_NOT_FOUND, "station_id", "there is no station %llu", (unsigned long long)q->station_id);
        return;
    }
    struct station *st = e->station[q->station_id - 1];
    struct run *r = NULL;
    if (SLP_IS(q, tasks_set, run) && (!(r = run_named(e, q->run)) || r->lv != st->lv)) {
        reply_error(e, SLP_E_NOT_FOUND, "run", "there is no run %.*s at this station", (int)q->run.n, q->run.p);
        return;
    }
    bool requeue = q->action == 0;
    if (!SLP_IS(q, tasks_set, units)) {
        uint64_t n = r ? r->rq[st->idx].c.n[TASK_DEAD] : st->c.n[TASK_DEAD],
                 stay = !requeue ? 0
                        : r      ? r->rq[st->idx].nobody
                                 : st->nobody; /* who comes brings them back, not a requeue */
        if (n > stay)
            sweep_start(e, requeue ? SWEEP_REQUEUE : SWEEP_DROP, r ? r->id : 0, st->id, q->reason.p, q->reason.n);
        reply_done(e, n > stay ? n - stay : 0);
        return;
    }
    if (!r) {
        reply_error(e, SLP_E_MISSING_FIELD, "run", "units are numbered within a run: name it");
        return;
    }
    struct slp_cursor c = slp_each(q->units);
    uint64_t unit, n = 0, stays = 0;
    char why[NOBODY_TEXT], first[NOBODY_TEXT];
    while (slp_next_u64(&c, &unit) && !e->rc) {
        if (requeue) {
            why[0] = 0;
            n += task_requeue(e, r, unit, st->idx, q->reason.p, q->reason.n, why);
            if (why[0] && !stays) {
                stays = unit;
                memcpy(first, why, sizeof first);
            }
        } else if (r->state <= RUN_CLOSED) {
            uint8_t *h = unit_head(e, r, unit, false);
            uint8_t state = h ? unit_station(h, st->idx)[ST_STATE] : TASK_DONE;
            if (h && h[UH_STATE] == UNIT_OPEN && state != TASK_DONE && state != TASK_SKIPPED) {
                unit_drop(e, r, unit, q->reason.p, q->reason.n);
                n++;
            }
        }
    }
    if (!n && stays)
        reply_error(e, SLP_E_BAD_STATE, "units", "unit %llu stays parked: %s", (unsigned long long)stays, first);
    else
        reply_done(e, n);
}
