/* The executable model: see model.h. No indexes, no heaps, no caches: everything is found by looking at everything. */
#include "tests/sim/model.h"

#include <assert.h>
#include <stdio.h>

enum {
    WHY_NONE,
    WHY_RELEASED = 3,
    WHY_DECLINED = 4,
    WHY_EXPIRED = 5,
    WHY_FAILED = 6,
    WHY_RECALLED = 8,
    WHY_BURIED = 9,
    WHY_DROPPED = 10
};

static bool over(const struct model *m)
{
    return m->run > 1;
}

/* ---- how a unit goes on ---- */

static bool final(uint8_t state)
{
    return state == M_DONE || state == M_SKIPPED;
}

static bool declined(const struct model *m, uint32_t worker, uint32_t s, uint32_t unit)
{
    for (uint64_t no = 1; no <= m->assignments; no++)
        if (m->a[no].worker == worker && m->a[no].station == s && m->a[no].unit == unit &&
            m->a[no].state != M_COUNTED && m->a[no].why == WHY_DECLINED)
            return true;
    return false;
}

static bool did_before(const struct model *m, uint32_t worker, uint32_t s, uint32_t unit)
{
    for (uint64_t no = 1; no <= m->assignments; no++)
        if (m->a[no].unit == unit && m->a[no].worker == worker && m->a[no].state == M_COUNTED &&
            (m->st[s].not_did >> m->a[no].station & 1))
            return true;
    return false;
}

/* Each who fits has declined it, or did what it must not be done by. */
static bool nobody_left(const struct model *m, uint32_t unit, uint32_t s)
{
    bool fits = false;
    for (uint32_t w = 0; w < MODEL_WORKERS; w++) {
        if (m->st[s].humans_only && !m->worker[w].human)
            continue;
        fits = true;
        if (!declined(m, w, s, unit) && !did_before(m, w, s, unit))
            return false;
    }
    return fits;
}

static void make_ready(struct model *m, uint32_t unit, uint32_t s)
{
    if (nobody_left(m, unit, s)) {
        m->unit[unit].task[s].state = M_DEAD;
        m->unit[unit].task[s].for_want = true;
        m->parked++;
        return;
    }
    m->unit[unit].task[s].state = M_READY;
    m->unit[unit].task[s].for_want = false;
    if (!m->unit[unit].task[s].turn)
        m->unit[unit].task[s].turn = ++m->turns;
}

static void check_run(struct model *m)
{
    if (m->run == 1 && model_units(m, 0) == 0)
        m->run = 2;
}

static void flow(struct model *m, uint32_t unit)
{
    struct m_unit *u = &m->unit[unit];
    bool moved = true, all = true;
    while (moved) { /* what is skipped brings the next one's turn */
        moved = false;
        for (uint32_t s = 0; s < MODEL_STATIONS; s++) {
            bool turn = u->task[s].state == M_BLOCKED;
            for (uint32_t k = 0; k < MODEL_STATIONS; k++)
                turn = turn && (!(m->st[s].after >> k & 1) || final(u->task[k].state));
            if (!turn)
                continue;
            int on = m->st[s].when_on;
            if (on < 0 || (u->task[on].state == M_DONE && u->task[on].route == m->st[s].when_is))
                make_ready(m, unit, s);
            else
                u->task[s].state = M_SKIPPED;
            moved = true;
        }
    }
    for (uint32_t s = 0; s < MODEL_STATIONS; s++)
        all = all && final(u->task[s].state);
    if (all) {
        u->state = 1;
        check_run(m);
    }
}

void model_put(struct model *m, uint32_t n)
{
    while (n--) {
        assert(m->units < MODEL_UNITS_MAX);
        flow(m, ++m->units);
    }
}

/* ---- assignments ---- */

/* The assignment ends without a result; the task, if it is still held by it, is left to the caller. True: it is. */
static bool give_back(struct model *m, uint64_t no, int why)
{
    m->a[no].back = why != WHY_FAILED && why != WHY_BURIED && !(why == WHY_EXPIRED && m->a[no].state == M_BEGUN);
    m->a[no].state = M_RETURNED;
    m->a[no].why = why;
    struct m_unit *u = &m->unit[m->a[no].unit];
    uint8_t t = u->task[m->a[no].station].state;
    return u->state == 0 && (t == M_ASSIGNED || t == M_STARTED) && u->task[m->a[no].station].holder == no;
}

static void recall(struct model *m, uint64_t no, int why)
{
    if (give_back(m, no, why))
        make_ready(m, m->a[no].unit, m->a[no].station);
}

/* An attempt that counted is over: true if there are more. */
static bool another_attempt(struct model *m, uint64_t no)
{
    uint32_t s = m->a[no].station, unit = m->a[no].unit;
    if (++m->unit[unit].task[s].attempts < m->st[s].attempts)
        return true;
    m->unit[unit].task[s].state = M_DEAD;
    return false;
}

static enum m_code look(const struct model *m, uint64_t no, uint32_t worker)
{
    if (no == 0 || no > m->assignments)
        return M_NOT_FOUND;
    return m->a[no].worker == worker ? M_OK : M_NOT_YOURS;
}

enum m_code model_act(struct model *m, enum m_act act, uint64_t no, uint32_t worker, int64_t delay_us)
{
    static const int why[] = {
        [M_RELEASE] = WHY_RELEASED, [M_DECLINE] = WHY_DECLINED, [M_FAIL] = WHY_FAILED, [M_BURY] = WHY_BURIED
    };
    enum m_code code = look(m, no, worker);
    if (code != M_OK)
        return code;
    uint32_t s = m->a[no].station, unit = m->a[no].unit;
    uint8_t state = m->a[no].state;
    if (state == M_COUNTED || state == M_LATE)
        return M_STALE;
    if (state == M_RETURNED)
        return act > M_TOUCH && m->a[no].why == why[act] ? M_DUPLICATE : M_STALE;
    switch (act) {
    case M_START:
        if (state == M_BEGUN)
            return M_DUPLICATE;
        m->a[no].state = M_BEGUN;
        m->a[no].due_us = m->now_us + m->st[s].lease_us;
        if (m->unit[unit].state == 0 && m->unit[unit].task[s].holder == no && m->unit[unit].task[s].state == M_ASSIGNED)
            m->unit[unit].task[s].state = M_STARTED;
        return M_OK;
    case M_TOUCH:
        if (state == M_HANDED)
            return M_BAD_STATE;
        m->a[no].due_us = m->now_us + m->st[s].lease_us;
        return M_OK;
    case M_RELEASE:
    case M_DECLINE: recall(m, no, why[act]); return M_OK;
    case M_FAIL:
        if (give_back(m, no, WHY_FAILED) && another_attempt(m, no)) {
            int64_t wait = delay_us;
            if (!wait) {
                wait = m->st[s].backoff_us;
                for (uint32_t i = 1; i < m->unit[unit].task[s].attempts; i++)
                    wait *= 2;
            }
            m->unit[unit].task[s].state = M_WAITING;
            m->unit[unit].task[s].due_us = m->now_us + wait;
        }
        return M_OK;
    case M_BURY:
        if (give_back(m, no, WHY_BURIED))
            m->unit[unit].task[s].state = M_DEAD;
        return M_OK;
    }
    return M_OK;
}

enum m_code model_submit(struct model *m, uint64_t no, uint32_t worker, int route)
{
    enum m_code code = look(m, no, worker);
    if (code != M_OK)
        return code;
    if (m->a[no].state == M_COUNTED)
        return M_DUPLICATE;
    if (m->a[no].state == M_LATE)
        return M_IS_LATE;
    uint32_t s = m->a[no].station, unit = m->a[no].unit;
    struct m_unit *u = &m->unit[unit];
    uint8_t t = u->task[s].state;
    bool counts = u->state == 0 && (t == M_READY || t == M_WAITING || t == M_DEAD || t == M_ASSIGNED ||
                                    (t == M_STARTED && u->task[s].holder == no));
    m->a[no].state = counts ? M_COUNTED : M_LATE;
    if (!counts)
        return M_IS_LATE;
    if (t == M_ASSIGNED && u->task[s].holder != no)
        give_back(m, u->task[s].holder, WHY_RECALLED);
    u->task[s].state = M_DONE;
    u->task[s].route = route;
    flow(m, unit);
    return M_OK;
}

/* ---- operators ---- */

static void recall_unstarted(struct model *m, int why, uint32_t worker) /* worker MODEL_WORKERS: of all */
{
    for (uint64_t no = 1; no <= m->assignments; no++)
        if (m->a[no].state == M_HANDED && (worker == MODEL_WORKERS || m->a[no].worker == worker))
            recall(m, no, why);
}

void model_pause(struct model *m, bool on)
{
    if (over(m))
        return;
    m->paused = on;
    if (on)
        recall_unstarted(m, WHY_RECALLED, MODEL_WORKERS);
}

enum m_code model_close(struct model *m)
{
    if (m->run == 3)
        return M_BAD_STATE;
    if (m->run == 0)
        m->run = 1;
    check_run(m);
    return M_OK;
}

static void end_unit(struct model *m, uint32_t unit, uint8_t state)
{
    for (uint32_t s = 0; s < MODEL_STATIONS; s++)
        if (!final(m->unit[unit].task[s].state))
            m->unit[unit].task[s].state = M_ENDED;
    m->unit[unit].state = state;
}

enum m_code model_cancel(struct model *m)
{
    if (m->run == 2)
        return M_BAD_STATE;
    if (m->run == 3)
        return M_OK;
    m->run = 3;
    for (uint32_t u = 1; u <= m->units; u++)
        if (m->unit[u].state == 0)
            end_unit(m, u, 3);
    recall_unstarted(m, WHY_RECALLED, MODEL_WORKERS);
    return M_OK;
}

uint64_t model_requeue(struct model *m, uint32_t s, uint32_t unit)
{
    uint64_t n = 0;
    for (uint32_t u = 1; u <= m->units; u++)
        if ((!unit || u == unit) && m->unit[u].state == 0 && m->unit[u].task[s].state == M_DEAD) {
            n += unit ? !nobody_left(m, u, s) : !m->unit[u].task[s].for_want; /* of all it is said at once how many */
            if (nobody_left(m, u, s))
                continue; /* nothing would come of it */
            m->unit[u].task[s].attempts = 0;
            make_ready(m, u, s);
        }
    return n;
}

uint64_t model_drop(struct model *m, uint32_t s, uint32_t unit)
{
    if (unit == 0 || unit > m->units || m->unit[unit].state != 0 || final(m->unit[unit].task[s].state))
        return 0;
    end_unit(m, unit, 2);
    for (uint64_t no = 1; no <= m->assignments; no++)
        if (m->a[no].state == M_HANDED && m->a[no].unit == unit)
            give_back(m, no, WHY_DROPPED);
    check_run(m);
    return 1;
}

void model_credit(struct model *m, uint32_t worker, uint64_t more)
{
    m->worker[worker].credit += more;
    m->worker[worker].here = true;
}

void model_sign_off(struct model *m, uint32_t worker)
{
    if (!m->worker[worker].here)
        return;
    m->worker[worker].here = false;
    recall_unstarted(m, WHY_RECALLED, worker);
}

void model_restart(struct model *m)
{
    for (uint32_t w = 0; w < MODEL_WORKERS; w++)
        m->worker[w].here = false, m->worker[w].credit = 0;
}

/* ---- time ---- */

int64_t model_next_due(const struct model *m)
{
    int64_t due = INT64_MAX;
    for (uint64_t no = 1; no <= m->assignments; no++)
        if (m->a[no].state <= M_BEGUN && m->a[no].due_us < due)
            due = m->a[no].due_us;
    for (uint32_t u = 1; u <= m->units; u++)
        for (uint32_t s = 0; s < MODEL_STATIONS; s++)
            if (m->unit[u].task[s].state == M_WAITING && m->unit[u].task[s].due_us < due)
                due = m->unit[u].task[s].due_us;
    return due;
}

void model_time(struct model *m, int64_t now_us)
{
    m->now_us = now_us;
    for (uint64_t no = 1; no <= m->assignments; no++) {
        if (m->a[no].state > M_BEGUN || m->a[no].due_us > now_us)
            continue;
        if (m->a[no].state == M_HANDED)
            recall(m, no, WHY_EXPIRED); /* not started in time: uncounted */
        else if (give_back(m, no, WHY_EXPIRED) && another_attempt(m, no))
            make_ready(m, m->a[no].unit, m->a[no].station);
    }
    for (uint32_t u = 1; u <= m->units; u++)
        for (uint32_t s = 0; s < MODEL_STATIONS; s++)
            if (m->unit[u].task[s].state == M_WAITING && m->unit[u].task[s].due_us <= now_us)
                make_ready(m, u, s);
}

/* ---- who gets what ---- */

/* As many in hand at the station as may be; or as many had today by this worker: what he gave back before it was work is not counted. */
static bool limited(const struct model *m, uint32_t worker, uint32_t s)
{
    const int64_t day_us = 86400000000;
    uint32_t in_hand = 0, today = 0;
    for (uint64_t no = 1; no <= m->assignments; no++) {
        if (m->a[no].station != s)
            continue;
        bool same_day = (m->a[no].given_us + m->wall_off_us) / day_us == (m->now_us + m->wall_off_us) / day_us;
        in_hand += m->a[no].state <= M_BEGUN;
        today += m->a[no].worker == worker && same_day && !m->a[no].back;
    }
    return (m->st[s].at_once && in_hand >= m->st[s].at_once) || (m->st[s].per_day && today >= m->st[s].per_day);
}

static bool may_do(const struct model *m, uint32_t worker, uint32_t s, uint32_t unit)
{
    return !over(m) && !m->paused && m->worker[worker].here && m->worker[worker].credit > 0 &&
           m->unit[unit].task[s].state == M_READY && (!m->st[s].humans_only || m->worker[worker].human) &&
           !declined(m, worker, s, unit) && !did_before(m, worker, s, unit) && !limited(m, worker, s);
}

const char *model_push(struct model *m, uint64_t no, uint32_t worker, uint32_t s, uint32_t unit)
{
    if (no != m->assignments + 1 || no > MODEL_ASSIGNMENTS_MAX)
        return "assignment numbers must follow each other";
    if (worker >= MODEL_WORKERS || s >= MODEL_STATIONS || unit == 0 || unit > m->units)
        return "there is no such worker, station or unit";
    if (!may_do(m, worker, s, unit))
        return "this worker may not do this task now";
    m->assignments = no;
    m->a[no].unit = unit;
    m->a[no].station = s;
    m->a[no].worker = worker;
    m->a[no].state = M_HANDED;
    m->a[no].due_us = m->now_us + m->st[s].start_by_us;
    m->a[no].given_us = m->now_us;
    m->worker[worker].credit--;
    m->unit[unit].task[s].state = M_ASSIGNED;
    m->unit[unit].task[s].holder = no;
    m->unit[unit].task[s].dispatched = true;
    return NULL;
}

const char *model_idle(const struct model *m)
{
    static char text[160];
    for (uint32_t s = 0; s < MODEL_STATIONS; s++)
        for (uint32_t u = 1; u <= m->units; u++) {
            for (uint32_t w = 0; w < MODEL_WORKERS; w++)
                if (may_do(m, w, s, u)) {
                    snprintf(text, sizeof text, "worker %u is idle, unit %u waits at station %u", w, u, s);
                    return text;
                }
            /* first in, first out at first dispatch: whoever came to this station later must not have been dispatched before */
            for (uint32_t v = 1; v <= m->units && m->unit[u].task[s].state == M_READY &&
                                 !m->unit[u].task[s].dispatched && !m->st[s].not_did; /* else: not for each */
                 v++)
                if (m->unit[v].task[s].dispatched && m->unit[v].task[s].turn > m->unit[u].task[s].turn) {
                    snprintf(text, sizeof text, "unit %u was dispatched at station %u before unit %u, which came first",
                             v, s, u);
                    return text;
                }
        }
    return NULL;
}

uint64_t model_count(const struct model *m, uint32_t s, enum m_task state)
{
    uint64_t n = 0;
    for (uint32_t u = 1; u <= m->units; u++)
        n += m->unit[u].task[s].state == state;
    return n;
}

uint64_t model_units(const struct model *m, uint8_t state)
{
    uint64_t n = 0;
    for (uint32_t u = 1; u <= m->units; u++)
        n += m->unit[u].state == state;
    return n;
}
