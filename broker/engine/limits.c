/* Limits of stations: how many of a station's tasks may be in hand at once, over all runs, versions and hubs, and how many of them a worker gets in a day
 * (the counting of days is in days.c).
 *
 * A limit is by name, as a pause is: the newest version of the line that has the station says what holds for all its versions, from then on. What is in
 * hand beyond a limit that was lowered stays; nothing is added to it.
 *
 * A station with a limit has a gate of its own (gate.c), so that "as full as it may be" is one bit, which the matcher takes out of each question that it
 * asks. How many are in hand is not stored: it is what LIVE names. */
#include "broker/engine/internal.h"

struct limit *limit_of(struct engine *e, const struct station *s)
{
    struct limit *l = s->key == s->id ? NULL : e->station[s->key - 1]->limit;
    if (l || !(l = calloc(1, sizeof *l))) {
        if (!l)
            fail(e, STORE_NO_MEMORY);
        return l;
    }
    l->station = s->key;
    l->next = e->limits;
    e->limits = l;
    return l;
}

void limits_free(struct engine *e)
{
    for (struct limit *l = e->limits, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    e->limits = NULL;
}

/* ---- its gates ---- */

static void block(struct engine *e, uint32_t gate, bool full)
{
    uint64_t bit = 1ull << (gate % 64);
    if (full)
        e->m.blocked[gate / 64] |= bit;
    else
        e->m.blocked[gate / 64] &= ~bit;
}

void limit_gate_made(struct engine *e, struct limit *l, uint32_t gate)
{
    e->m.gate[gate].limit = l;
    e->m.gate[gate].limit_next = l->gates;
    l->gates = gate + 1;
    block(e, gate, l->full);
}

void limit_gate_dropped(struct engine *e, uint32_t gate)
{
    struct limit *l = e->m.gate[gate].limit;
    if (!l)
        return;
    uint32_t *at = &l->gates;
    while (*at != gate + 1)
        at = &e->m.gate[*at - 1].limit_next;
    *at = e->m.gate[gate].limit_next;
    block(e, gate, false);
}

static void look(struct engine *e, struct limit *l)
{
    bool full = l->at_once && l->in_hand >= l->at_once;
    if (full == l->full)
        return;
    l->full = full;
    for (uint32_t g = l->gates; g; g = e->m.gate[g - 1].limit_next)
        block(e, g - 1, full);
}

void limit_taken(struct engine *e, const struct station *s)
{
    s->limit->in_hand++;
    look(e, s->limit);
}

void limit_given_back(struct engine *e, const struct station *s)
{
    assert(s->limit->in_hand > 0);
    s->limit->in_hand--;
    look(e, s->limit);
}

void limit_set(struct engine *e, const struct station *s)
{
    struct limit *l = s->limit;
    bool had = limit_any(l), other_day = l->per_day != s->def->per_day;
    l->at_once = s->def->at_once;
    l->per_day = s->def->per_day;
    look(e, l);
    for (uint32_t g = l->gates; other_day && g; g = e->m.gate[g - 1].limit_next)
        masks_day(e, g - 1);
    if (had != limit_any(l))
        match_gates_anew(e, s->key);
}
