/* Masks: a worker who found nothing at a gate that he may do is not asked there again until something new lies in one of its queues. Without
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
    *k = (struct mask){ w, gate, (uint8_t)why, w->masks, NULL, m->gate[gate].masks };
    w->masks = k;
    if (k->g_next)
        k->g_next->g_prev = k;
    m->gate[gate].masks = k;
    idle_masks_changed(e, w);
}

static void drop(struct engine *e, struct mask *k)
{
    struct mask **at = &k->w->masks;
    while (*at != k)
        at = &(*at)->w_next;
    *at = k->w_next;
    *(k->g_prev ? &k->g_prev->g_next : &e->m.gate[k->gate].masks) = k->g_next;
    if (k->g_next)
        k->g_next->g_prev = k->g_prev;
    k->w_next = e->m.free_masks;
    e->m.free_masks = k;
}

void mask_clear(struct engine *e, struct worker *w)
{
    if (!w->masks)
        return;
    while (w->masks)
        drop(e, w->masks);
    idle_masks_changed(e, w);
}

void masks_news(struct engine *e, uint32_t gate)
{
    for (struct mask *k = e->m.gate[gate].masks, *next; k; k = next) {
        struct worker *w = k->w;
        next = k->g_next;
        drop(e, k);
        idle_masks_changed(e, w);
    }
}

void masks_free(struct engine *e)
{
    for (uint32_t i = 0; i < e->m.gates; i++)
        while (e->m.gate[i].masks)
            drop(e, e->m.gate[i].masks);
    for (struct mask *k = e->m.free_masks, *next; k; k = next) {
        next = k->w_next;
        free(k);
    }
    e->m.free_masks = NULL;
}
