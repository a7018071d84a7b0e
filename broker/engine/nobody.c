/* Tasks for which nobody is left. A task with copies wants answers of people who have had no part in it; there may come a moment when of all who are registered, on
 * whatever roster, nobody is such a one: each of those who pass the station's gate has answered, declined, or did what shuts him out. Such a task must not wait for ever: it is parked,
 * and says why. docs/adr/0016-tournaments.md has the argument.
 *
 *   looked at   when a place of the task is open and nobody holds another one: as it becomes ready, and as its last holder answers, declines or gives it back
 *   and         by a sweep over what is ready at a station, after a roster lost somebody who may have been the last
 *   brought     back by a sweep over what was parked so at a station, after a roster gained somebody
 *
 * A task that nobody has had yet, where nothing shuts anybody out, waits: whoever may do it may come yet, as at any station. Signed in or not, on shift or not makes no
 * difference: only who is registered. Counting them stops at STAFF_MAX; where more pass the gate, a task is not looked at. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/engine/copies.h"

struct taken_part {
    uint32_t n, staff; /* how many of the staff are shut out, and how many there are */
    uint32_t who[STAFF_MAX + 1];
    bool any; /* somebody is, whether he is on a roster or not */
};

static void shut_out(struct engine *e, uint32_t gate, struct taken_part *p, uint32_t worker)
{
    const struct worker *w = e->worker[worker - 1];
    p->any = true;
    if (!gate_takes(e, gate, w))
        return;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->who[i] == worker)
            return;
    assert(p->n < STAFF_MAX);
    p->who[p->n++] = worker;
}

/* Those in this chain of assignments who are shut out by it. */
static void shut_out_by(struct engine *e, uint32_t gate, struct taken_part *p, uint64_t newest, bool own)
{
    for (struct link x = chain_at(e, newest); x.no && !e->rc; x = chain_next(e, x))
        if (own ? x.a->state != ASSIGN_RETURNED || x.a->why == WHY_DECLINED : x.a->state == ASSIGN_COUNTED)
            shut_out(e, gate, p, x.a->worker);
}

/* Is it certain without a look that somebody is left? Each who counted is one, and so is each who did what comes before; who declined or was late is not counted. */
static bool surely_enough(const struct rq *q, const uint8_t *t, uint32_t staff)
{
    const struct ld_station *s = q->st->def;
    uint32_t most = t[ST_COUNTED];
    for (uint32_t i = 0; i < s->not_did_count; i++)
        most += q->run->lv->stations[s->not_did[i]].copies.max ? COUNTED_MAX : SL_ATTEMPTS_MAX;
    return !(t[ST_FLAGS] & STATE_FLAG_DECLINED) && staff > most;
}

/* Nobody is left for another answer to this task, which nobody holds. */
static bool nobody_left(struct engine *e, struct rq *q, uint64_t unit, struct taken_part *p)
{
    const struct ld_station *s = q->st->def;
    uint32_t gate = gate_of(e, q->st);
    uint8_t *h = gate == UINT32_MAX ? NULL : unit_head(e, q->run, unit, false);
    uint64_t newest[1 + SL_LINE_STATIONS_MAX];
    if (!h)
        return false;
    const uint8_t *t = unit_station(h, q->st->idx);
    p->staff = gate_staff(e, gate);
    p->n = 0;
    p->any = false;
    if (p->staff > STAFF_MAX || surely_enough(q, t, p->staff))
        return false;
    newest[0] = get_u48(t + ST_ASSIGN);
    for (uint32_t i = 0; i < s->not_did_count; i++)
        newest[1 + i] = get_u48(unit_station(h, s->not_did[i]) + ST_ASSIGN);
    for (uint32_t i = 0; i <= s->not_did_count && !e->rc; i++)
        shut_out_by(e, gate, p, newest[i], i == 0);
    return !e->rc && p->any && p->n == p->staff;
}

void nobody_check(struct engine *e, struct rq *q, uint64_t unit)
{
    struct taken_part p;
    char why[200];
    uint8_t *h = has_copies(q->st) ? unit_head(e, q->run, unit, false) : NULL;
    const uint8_t *t = h ? unit_station(h, q->st->idx) : NULL;
    if (!t || t[ST_STATE] != TASK_READY || t[ST_HELD] || !nobody_left(e, q, unit, &p))
        return;
    if (!(h = unit_head(e, q->run, unit, true)))
        return;
    t = unit_station(h, q->st->idx);
    unsigned has = t[ST_COUNTED], wants = has + copies_open(q->st->def, t);
    bool jury = q->st->def->type == LD_JURY;
    snprintf(why, sizeof why,
             "nobody is left: of %u %s wanted %u are in, and of %u workers who may %s, all have had a part in it",
             wants,
             jury                                ? "votes"
             : q->st->def->type == LD_TOURNAMENT ? "entries"
                                                 : "answers",
             has, p.staff, jury ? "judge" : "answer");
    copies_park(e, q->run, unit, h, q->st->idx, jury ? DEAD_NO_JURY : DEAD_NOBODY, why, strlen(why));
}

bool nobody_for(struct engine *e, struct rq *q, uint64_t unit)
{
    struct taken_part p;
    uint8_t *h = has_copies(q->st) ? unit_head(e, q->run, unit, false) : NULL;
    return h && !unit_station(h, q->st->idx)[ST_HELD] && nobody_left(e, q, unit, &p);
}

/* A parked one for which there is somebody now. */
static bool bring_back(struct engine *e, struct rq *q, uint64_t unit)
{
    static const char why[] = "somebody has come who may do it";
    uint8_t *h = unit_head(e, q->run, unit, false);
    if (!h || h[UH_STATE] != UNIT_OPEN || unit_station(h, q->st->idx)[ST_STATE] != TASK_DEAD || nobody_for(e, q, unit))
        return false;
    if (!(h = unit_head(e, q->run, unit, true)))
        return false;
    dead_forget(e, q->run, q->st->idx, unit);
    task_set(e, q->run, h, q->st->idx, TASK_READY);
    queue_ready(e, q, LANE_RETURNED, unit, WHY_STAFFED);
    history_add(e, q->run, unit, q->st->idx, WHY_STAFFED, 0, 0, why, sizeof why - 1);
    return true;
}

/* ---- rosters change ---- */

static bool waits_to_begin(const struct engine *e, enum sweep_what what, uint32_t station)
{
    for (uint32_t i = 0; i < e->sweeps; i++)
        if (e->sweep[i].what == what && e->sweep[i].station == station && !e->sweep[i].run && !e->sweep[i].cursor)
            return true;
    return false;
}

void nobody_rosters(struct engine *e)
{
    bool gained = e->staff_gained, lost = e->staff_lost;
    if (!gained && !lost)
        return;
    e->staff_gained = e->staff_lost = false;
    for (uint32_t i = 0; i < e->meta.station && !e->rc; i++) {
        struct station *st = e->station[i];
        if (!has_copies(st))
            continue;
        if (gained && st->c.n[TASK_DEAD] && !waits_to_begin(e, SWEEP_STAFFED, st->id))
            sweep_start(e, SWEEP_STAFFED, 0, st->id, "", 0);
        uint32_t gate = lost && st->c.n[TASK_READY] ? gate_of(e, st) : UINT32_MAX;
        if (gate != UINT32_MAX && gate_staff(e, gate) <= STAFF_MAX && !waits_to_begin(e, SWEEP_UNSTAFFED, st->id))
            sweep_start(e, SWEEP_UNSTAFFED, 0, st->id, "", 0);
    }
}

/* Rows of DEAD from (run, cursor) on: cursor is the next unit. */
bool nobody_step_staffed(struct engine *e, struct sweep *s, uint32_t rows)
{
    struct station *st = e->station[s->station - 1];
    uint8_t k[16];
    for (; rows && !e->rc; rows--) {
        struct store_cursor c;
        uint8_t why = DEAD_ATTEMPTS;
        key_u64(key_u32(key_u32(k, st->id), s->run), s->cursor);
        enum store_rc rc = store_cursor_open(e->t, TABLE_DEAD, &c);
        if (rc == STORE_OK)
            rc = store_seek(&c, k, sizeof k);
        bool here = rc == STORE_OK && c.key.n == sizeof k && key_get_u32(c.key.p) == st->id;
        if (here) {
            struct rdr r = rdr_on(c.val.p, c.val.n);
            memcpy(k, c.key.p, sizeof k);
            why = rdr_u8(&r);
        } else {
            walked(e, rc);
        }
        store_cursor_close(&c);
        if (!here)
            return true;
        s->run = key_get_u32(k + 4);
        s->cursor = key_get_u64(k + 8) + 1;
        struct run *run = s->run && s->run <= e->meta.run ? e->run[s->run - 1] : NULL;
        if ((why == DEAD_NOBODY || why == DEAD_NO_JURY) && run && run->state <= RUN_CLOSED)
            s->count += bring_back(e, &run->rq[st->idx], key_get_u64(k + 8));
    }
    return false;
}

#define LANE_AT 62 /* of the cursor: the lane, then where in it */

/* What is ready at the station: run by run, lane by lane, a segment at a time. */
bool nobody_step_unstaffed(struct engine *e, struct sweep *s, uint32_t units)
{
    struct station *st = e->station[s->station - 1];
    struct ranges r = { 0 };
    uint32_t looked = 0;
    if (!s->run)
        s->run = 1;
    while (s->run <= e->meta.run && looked < units && !e->rc) {
        struct run *run = e->run[s->run - 1];
        enum lane l = (enum lane)(s->cursor >> LANE_AT);
        uint64_t pos = s->cursor & ((1ull << LANE_AT) - 1);
        if (!run || run->state > RUN_CLOSED || run->lv != st->lv || l >= LANES) {
            s->run++;
            s->cursor = 0;
            continue;
        }
        struct rq *q = &run->rq[st->idx];
        if (!q->c.n[TASK_READY] || !queue_segment(e, q, l, &pos, &r)) {
            s->cursor = (uint64_t)(l + 1) << LANE_AT;
            continue;
        }
        s->cursor = (uint64_t)l << LANE_AT | pos;
        for (uint32_t i = 0; i < r.n; i++)
            for (uint64_t u = r.v[i].first; u < r.v[i].first + r.v[i].count && !e->rc; u++, looked++) {
                uint64_t dead = q->c.n[TASK_DEAD];
                nobody_check(e, q, u);
                s->count += q->c.n[TASK_DEAD] - dead;
            }
    }
    ranges_free(&r);
    return s->run > e->meta.run;
}
