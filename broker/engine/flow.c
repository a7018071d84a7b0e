/* How a unit goes through its line: what follows when a task is done, and when a unit has passed.
 *
 * A station's turn comes when all stations that it names in `after` are done or skipped; where a review comes after one of these, the review as well (the
 * compiler has put it among them). Then its `when` decides: ready, or skipped; at a review, whether this unit is to be reviewed. A jury has no condition: it
 * passes by with its tournament. What is skipped may bring the next one's turn, and so on down the line. */
#include "broker/engine/internal.h"

struct unit_ref {
    struct engine *e;
    struct run *r;
    uint64_t unit;
};

static struct slp_bytes field(void *arg, struct ld_ref ref)
{
    struct unit_ref *u = arg;
    return unit_field(u->e, u->r, u->unit, ref);
}

static bool is_final(uint8_t state)
{
    return state == TASK_DONE || state == TASK_SKIPPED;
}

static bool turn_has_come(const uint8_t *head, const struct ld_station *s)
{
    for (uint32_t i = 0; i < s->after_count; i++)
        if (!is_final(unit_station((uint8_t *)(uintptr_t)head, s->after[i])[ST_STATE]))
            return false;
    return true;
}

static bool takes(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx)
{
    struct unit_ref u = { e, r, unit };
    const struct ld_station *s = &r->lv->stations[idx];
    if (s->type == LD_JURY)
        return unit_station(head, s->partner)[ST_STATE] == TASK_DONE;
    enum review_turn turn = s->type == LD_IMPROVE ? review_turn(e, r, unit, head, idx) : REVIEW_AS_WHEN_SAYS;
    if (turn != REVIEW_AS_WHEN_SAYS || !review_exhausted(r->lv, head, idx))
        return turn == REVIEW_YES;
    return !s->when || ld_when(s, field, &u);
}

static void left_one(uint8_t *head)
{
    put_u16(head + UH_LEFT, (uint16_t)(get_u16(head + UH_LEFT) - 1));
}

/* The stations whose turn may have come, and what follows them when they are skipped, or decided before anybody is asked. */
static void settle(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint16_t *turns, uint32_t n,
                   enum why why, struct ranges *delayed)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t idx = turns[i];
        const struct ld_station *s = &r->lv->stations[idx];
        if (unit_station(head, idx)[ST_STATE] != TASK_BLOCKED || !turn_has_come(head, s))
            continue;
        bool taken = takes(e, r, unit, head, idx), ended = false;
        if (taken && s->type == LD_JURY) {
            ended = tournament_ends_at_once(e, r, unit, idx);
            if (!(head = unit_head(e, r, unit, true)))
                return;
        }
        if (taken && !ended) {
            if (delayed) {
                task_set(e, r, head, idx, TASK_WAITING);
                ranges_add(e, &delayed[idx], unit, 1);
            } else {
                task_set(e, r, head, idx, TASK_READY);
                bool again = s->type == LD_IMPROVE && review_round(r->rq[idx].st, head) > 0;
                queue_ready(e, &r->rq[idx], again ? LANE_RETURNED : LANE_FRESH, unit, why);
                if (s->not_did_count) {
                    nobody_check(e, &r->rq[idx], unit);
                    if (!(head = unit_head(e, r, unit, true)))
                        return;
                }
            }
            continue;
        }
        if (!ended) {
            task_set(e, r, head, idx, TASK_SKIPPED);
            ev_task(e, EV_TASKS_SKIPPED, r, r->rq[idx].st, 0, unit, 1);
        }
        left_one(head);
        /* What was looked at is not needed again; of what is left none is there twice, so it fits. */
        if (n + s->next_count > 2 * SL_LINE_STATIONS_MAX) {
            memmove(turns, turns + i + 1, (n - i - 1) * sizeof *turns);
            n -= i + 1;
            i = UINT32_MAX;
        }
        for (uint32_t k = 0; k < s->next_count; k++) {
            bool there = false;
            for (uint32_t j = i + 1; j < n && !there; j++)
                there = turns[j] == s->next[k];
            if (!there) {
                assert(n < 2 * SL_LINE_STATIONS_MAX);
                turns[n++] = s->next[k];
            }
        }
    }
    if (get_u16(head + UH_LEFT) == 0 && head[UH_STATE] == UNIT_OPEN) {
        head[UH_STATE] = UNIT_DONE;
        r->done++;
        r->changed_wall_us = e->wall_us;
        run_dirty(e, r);
        ev_task(e, EV_UNITS_DONE, r, NULL, 0, unit, 1);
        run_check_done(e, r);
    }
}

void flow_enter(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, struct ranges *delayed)
{
    uint16_t turns[2 * SL_LINE_STATIONS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->lv->station_count; i++)
        if (r->lv->stations[i].after_count == 0)
            turns[n++] = (uint16_t)i;
    settle(e, r, unit, head, turns, n, WHY_NEW, delayed);
}

void flow_done(struct engine *e, struct run *r, uint64_t unit, uint32_t idx)
{
    uint16_t turns[2 * SL_LINE_STATIONS_MAX];
    const struct ld_station *s = &r->lv->stations[idx];
    uint8_t *head = unit_head(e, r, unit, true);
    if (!head)
        return;
    left_one(head);
    if (s->next_count)
        memcpy(turns, s->next, s->next_count * sizeof *turns);
    settle(e, r, unit, head, turns, s->next_count, WHY_UPSTREAM, NULL);
}
