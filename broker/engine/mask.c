/* Masks: a worker who found nothing at a gate that he may do is not asked there again until something new lies in one of its queues; one who has had as
 * many as a day may bring, not before the day is over (days.c). Without
 * them, each step would search the same queue for the same worker again. A mask takes its gate out of the worker's own bits, so he has a cell of
 * his own while he has one; he keeps his place among those who wait. */
#include "broker/engine/internal.h"

bool mask_has(const struct worker *w, uint32_t gate)
{
    for (const struct mask *k = w->masks; k; k = k->w_next)
        if (k->gate == gate)
            return true;
    return false;
}

void mask_add(struct engine *e, struct worker *w, uint32_t gate, enum mask_why why)
{
    struct matcher *m = &e->m;
    struct mask *k = m->free_masks;
    assert(!mask_has(w, gate));
    if (k)
        m->free_masks = k->w_next;
    else if (!(k = malloc(sizeof *k))) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    *k = (struct mask){
        .w = w, .gate = gate, .why = (uint8_t)why, .w_next = w->masks, .g_next = m->gate[gate].masks[why]
    };
    w->masks = k;
    if (k->g_next)
        k->g_next->g_prev = k;
    m->gate[gate].masks[why] = k;
    idle_masks_changed(e, w);
}

static void drop(struct engine *e, struct mask *k)
{
    struct mask **at = &k->w->masks;
    while (*at != k)
        at = &(*at)->w_next;
    *at = k->w_next;
    *(k->g_prev ? &k->g_prev->g_next : &e->m.gate[k->gate].masks[k->why]) = k->g_next;
    if (k->g_next)
        k->g_next->g_prev = k->g_prev;
    e->m.turns -= k->why == MASK_TURN;
    k->w_next = e->m.free_masks;
    e->m.free_masks = k;
}

/* ---- until the turn of something has come ---- */

static bool is_before(struct order_key a, uint16_t a_rank, struct order_key b, uint16_t b_rank)
{
    return a.hi != b.hi ? a.hi < b.hi : a.lo != b.lo ? a.lo < b.lo : a_rank < b_rank;
}

void mask_turn(struct engine *e, struct worker *w, uint32_t gate, struct order_key upto, uint16_t rank)
{
    mask_add(e, w, gate, MASK_TURN);
    if (e->rc)
        return;
    w->masks->upto = upto;
    w->masks->rank = rank;
    e->m.turns++;
}

bool mask_turn_came(struct engine *e, struct order_key at, uint16_t rank)
{
    struct mask *first = NULL;
    for (uint32_t i = 0; e->m.turns && i < e->m.gates; i++)
        for (struct mask *k = e->m.gate[i].masks[MASK_TURN]; k; k = k->g_next)
            if (!first || is_before(k->upto, k->rank, first->upto, first->rank))
                first = k;
    if (!first || is_before(at, rank, first->upto, first->rank))
        return false;
    struct worker *w = first->w;
    drop(e, first);
    idle_masks_changed(e, w);
    return true;
}

bool mask_turn_before(const struct worker *w, struct order_key at, uint16_t rank)
{
    for (const struct mask *k = w->masks; k; k = k->w_next)
        if (k->why == MASK_TURN && is_before(k->upto, k->rank, at, rank))
            return true;
    return false;
}

void mask_clear(struct engine *e, struct worker *w)
{
    if (!w->masks)
        return;
    while (w->masks)
        drop(e, w->masks);
    idle_masks_changed(e, w);
}

void mask_clear_days(struct engine *e, struct worker *w)
{
    bool any = false;
    for (struct mask *k = w->masks, *next; k; k = next) {
        next = k->w_next;
        any = any || k->why == MASK_DAY;
        if (k->why == MASK_DAY)
            drop(e, k);
    }
    if (any)
        idle_masks_changed(e, w);
}

static void all_of(struct engine *e, uint32_t gate, enum mask_why why)
{
    for (struct mask *k = e->m.gate[gate].masks[why], *next; k; k = next) {
        struct worker *w = k->w;
        next = k->g_next;
        drop(e, k);
        idle_masks_changed(e, w);
    }
}

void masks_news(struct engine *e, uint32_t gate)
{
    all_of(e, gate, MASK_NOTHING);
}

void masks_day(struct engine *e, uint32_t gate)
{
    all_of(e, gate, MASK_DAY);
}

void masks_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->m.gates; i++)
        for (enum mask_why why = 0; why < MASK_WHYS; why++)
            while (e->m.gate[i].masks[why])
                drop(e, e->m.gate[i].masks[why]);
    for (struct mask *k = e->m.free_masks, *next; k; k = next) {
        next = k->w_next;
        free(k);
    }
    e->m.free_masks = NULL;
}
