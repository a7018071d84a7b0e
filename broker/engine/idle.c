/* Who waits for work: cells of like workers, and the order in which they are asked.
 *
 * Workers that no gate can tell apart share a cell. A cell in which somebody is idle stands in the order of idle cells, by the one idle the
 * longest, and, if any gate prefers the best, in a second one, by class first. To list a worker in a cell where others are idle already costs
 * nothing more; to find the first who passes a gate costs the logarithm of the number of cells, whatever the number of workers. */
#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

/* What `prefer: best` compares, from 0 to 15 (repute.c); 0 of everybody while no gate prefers the best, so that nobody's record is read for nothing. Between
 * workers of one class the one idle the longest is first, so that small differences do not starve anybody. */
static uint8_t worker_class(struct engine *e, struct worker *w)
{
    if (!e->m.best_kept)
        return 0;
    if (!w->class_known)
        w->class = repute_class(e, w->id);
    w->class_known = true;
    return w->class;
}

/* ---- cells ---- */

struct cell_key {
    struct profile *profile;
    struct bar *bar;
    struct worker *solo;
    uint32_t hub, team;
    uint8_t class;
    bool of_hub;
};

static uint32_t key_hash(const struct cell_key *k)
{
    uint64_t h = k->profile->id * 0x9E3779B97F4A7C15ull ^ k->hub * 0xC2B2AE3D27D4EB4Full ^
                 k->team * 0x165667B19E3779F9ull ^ (k->solo ? k->solo->id : 0) * 0x27D4EB2F165667C5ull ^
                 (k->class * 2u + k->of_hub) * 0x85EBCA6B27D4EB4Full ^
                 (k->bar ? k->bar->id : 0) * 0xFF51AFD7ED558CCDull;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static bool cell_is(const struct cell *c, const struct cell_key *k)
{
    return c->profile == k->profile && c->bar == k->bar && c->solo == k->solo && c->hub == k->hub &&
           c->team == k->team && c->class == k->class && c->of_hub == k->of_hub;
}

static struct cell_key key_of(const struct cell *c)
{
    return (struct cell_key){ c->profile, c->bar, c->solo, c->hub, c->team, c->class, c->of_hub };
}

static bool slots_double(struct engine *e)
{
    struct matcher *m = &e->m;
    uint32_t n = m->cell_slots ? m->cell_slots * 2 : 64;
    struct cell **v = calloc(n, sizeof(struct cell *));
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < m->cell_slots; i++)
        for (struct cell *c = m->cell_slot[i], *next; c; c = next) {
            struct cell_key k = key_of(c);
            struct cell **at = &v[key_hash(&k) & (n - 1)];
            next = c->hash_next;
            c->hash_next = *at;
            *at = c;
        }
    free(m->cell_slot);
    m->cell_slot = v;
    m->cell_slots = n;
    return true;
}

static void cell_fill(struct engine *e, struct cell *c)
{
    gate_bits(e, c->profile, c->hub, c->team, c->bits);
    for (uint32_t w = 0; c->bar && w < e->m.words; w++)
        c->bits[w] &= ~c->bar->bits[w];
    for (const struct mask *k = c->solo ? c->solo->masks : NULL; k; k = k->w_next)
        c->bits[k->gate / 64] &= ~(1ull << (k->gate % 64));
}

static struct cell *cell_get(struct engine *e, const struct cell_key *k)
{
    struct matcher *m = &e->m;
    if (m->cells_used >= m->cell_slots && !slots_double(e))
        return NULL;
    struct cell **slot = &m->cell_slot[key_hash(k) & (m->cell_slots - 1)];
    for (struct cell *c = *slot; c; c = c->hash_next)
        if (cell_is(c, k))
            return c;
    struct cell *c = m->free_cells;
    if (c) {
        m->free_cells = c->hash_next;
    } else {
        struct cell **v = grow(e, m->cell, &m->cell_cap, m->cells + 1, sizeof *v);
        if (v)
            m->cell = v;
        if (v && (c = calloc(1, sizeof *c)) && !(c->bits = calloc(m->words + 1, sizeof *c->bits))) {
            free(c);
            c = NULL;
        }
        if (!c || !order_room(&m->idle, m->cells + 1, m->words ? m->words : 1) ||
            !order_room(&m->best_idle, m->cells + 1, m->words ? m->words : 1)) {
            if (c)
                free(c->bits);
            free(c);
            fail(e, STORE_NO_MEMORY);
            return NULL;
        }
        c->id = ++m->cells;
        m->cell[c->id - 1] = c;
    }
    c->profile = k->profile;
    if ((c->bar = k->bar) != NULL)
        c->bar->users++;
    c->solo = k->solo;
    c->hub = k->hub;
    c->team = k->team;
    c->class = k->class;
    c->of_hub = k->of_hub;
    c->hash_next = *slot;
    *slot = c;
    m->cells_used++;
    if (m->words)
        cell_fill(e, c);
    return c;
}

static void cell_release(struct engine *e, struct cell **pc)
{
    struct matcher *m = &e->m;
    struct cell *c = *pc;
    *pc = NULL;
    if (!c || --c->workers)
        return;
    assert(!c->listed && !c->first);
    struct cell_key k = key_of(c);
    struct cell **at = &m->cell_slot[key_hash(&k) & (m->cell_slots - 1)];
    while (*at != c)
        at = &(*at)->hash_next;
    *at = c->hash_next;
    c->hash_next = m->free_cells;
    m->free_cells = c;
    c->profile = NULL;
    bar_drop(e, &c->bar);
    c->solo = NULL;
    m->cells_used--;
}

/* ---- the orders ---- */

static uint32_t *root_of(struct engine *e, const struct cell *c)
{
    return c->of_hub ? &e->hub[c->hub - 1]->idle_root : &e->m.idle_root;
}

static struct order_key best_key(const struct cell *c)
{
    return (struct order_key){ 15u - c->class, c->first->idle_seq };
}

static void cell_into(struct engine *e, struct cell *c)
{
    struct matcher *m = &e->m;
    if (!m->words)
        return; /* no station asks for anybody yet */
    order_put(&m->idle, root_of(e, c), c->id, (struct order_key){ 0, c->first->idle_seq }, c->bits);
    if (m->best_kept && !c->of_hub)
        order_put(&m->best_idle, &m->best_root, c->id, best_key(c), c->bits);
    c->listed = true;
}

static void cell_out(struct engine *e, struct cell *c)
{
    if (!c->listed)
        return;
    order_del(&e->m.idle, root_of(e, c), c->id);
    if (e->m.best_kept && !c->of_hub)
        order_del(&e->m.best_idle, &e->m.best_root, c->id);
    c->listed = false;
}

/* ---- listing ---- */

static void list_in(struct engine *e, struct worker *w, enum idle_list l, const struct cell_key *k)
{
    struct cell *c = w->at[l].cell;
    if (!c || !cell_is(c, k)) {
        cell_release(e, &w->at[l].cell);
        if (!(c = cell_get(e, k)))
            return;
        c->workers++;
        w->at[l].cell = c;
    } else if (c->solo && e->m.words) {
        cell_fill(e, c); /* masks that fell while he was busy */
    }
    w->at[l].next = NULL;
    w->at[l].prev = c->last;
    *(c->last ? &c->last->at[l].next : &c->first) = w;
    c->last = w;
    if (c->first == w)
        cell_into(e, c);
}

static bool in_list(const struct worker *w, enum idle_list l)
{
    return w->at[l].cell && (w->at[l].prev || w->at[l].cell->first == w);
}

static void list_out(struct engine *e, struct worker *w, enum idle_list l)
{
    struct cell *c = w->at[l].cell;
    if (!in_list(w, l))
        return;
    bool was_first = c->first == w;
    *(w->at[l].prev ? &w->at[l].prev->at[l].next : &c->first) = w->at[l].next;
    *(w->at[l].next ? &w->at[l].next->at[l].prev : &c->last) = w->at[l].prev;
    w->at[l].next = w->at[l].prev = NULL;
    if (!was_first)
        return;
    cell_out(e, c);
    if (c->first)
        cell_into(e, c);
}

static struct cell_key key_for(struct engine *e, struct worker *w)
{
    const struct hub *h = e->hub[w->hub - 1];
    bool team = w->team && w->team <= e->m.team_named_cap && e->m.team_named[w->team - 1];
    return (struct cell_key){ w->profile,
                              standing_bar(e, w),
                              w->masks ? w : NULL,
                              h->named ? h->id : 0,
                              team ? w->team : 0,
                              worker_class(e, w),
                              false };
}

static void list(struct engine *e, struct worker *w)
{
    const struct hub *h = e->hub[w->hub - 1];
    struct cell_key k = key_for(e, w);
    w->idle = true;
    list_in(e, w, IDLE_ALL, &k);
    if (!e->m.by_hub)
        return;
    k.hub = h->id;
    k.class = 0;
    k.of_hub = true;
    list_in(e, w, IDLE_HUB, &k);
    w->hub_cell = w->at[IDLE_HUB].cell;
}

void idle_list(struct engine *e, struct worker *w)
{
    if (w->idle)
        return;
    w->idle_seq = ++e->m.idle_seq;
    list(e, w);
}

void idle_unlist(struct engine *e, struct worker *w)
{
    if (w->idle) {
        list_out(e, w, IDLE_ALL);
        if (w->hub_cell)
            list_out(e, w, IDLE_HUB);
        w->idle = false;
    }
    if (!w->signed_in || !w->on_roster) { /* gone for longer */
        cell_release(e, &w->at[IDLE_ALL].cell);
        cell_release(e, &w->at[IDLE_HUB].cell);
        w->hub_cell = false;
    }
}

/* Mostly he is alone in his cell, and it keeps its place or nearly so: then only the cell's key changes. */
void idle_again(struct engine *e, struct worker *w)
{
    struct cell *c = w->at[IDLE_ALL].cell;
    if (w->idle && !e->m.by_hub && !e->m.best_kept && c->listed && c->first == w && c->last == w && !w->masks) {
        struct cell_key k = key_for(e, w);
        struct order_key seq = { 0, e->m.idle_seq + 1 };
        if (cell_is(c, &k) && order_stays(&e->m.idle, e->m.idle_root, c->id, seq)) {
            w->idle_seq = ++e->m.idle_seq;
            return;
        }
    }
    idle_unlist(e, w);
    idle_list(e, w);
}

/* Into a cell of his own, where he keeps his place: in the cell of others he would come last. He stays in it until he is idle no more. */
void idle_masks_changed(struct engine *e, struct worker *w)
{
    struct matcher *m = &e->m;
    if (!w->idle)
        return;
    if (w->at[IDLE_ALL].cell->solo != w) {
        list_out(e, w, IDLE_ALL);
        list_out(e, w, IDLE_HUB);
        list(e, w);
        return;
    }
    for (enum idle_list l = 0; l < IDLE_LISTS; l++) {
        struct cell *c = w->at[l].cell;
        if (!c || !c->listed)
            continue;
        cell_fill(e, c);
        order_changed(&m->idle, *root_of(e, c), c->id);
        if (m->best_kept && !c->of_hub)
            order_changed(&m->best_idle, m->best_root, c->id);
    }
}

struct worker *idle_pick(struct engine *e, uint32_t gate, enum idle_list l, const struct hub *h, bool best)
{
    struct matcher *m = &e->m;
    uint32_t c = best            ? order_first_bit(&m->best_idle, m->best_root, gate)
                 : l == IDLE_HUB ? order_first_bit(&m->idle, h->idle_root, gate)
                                 : order_first_bit(&m->idle, m->idle_root, gate);
    return c ? m->cell[c - 1]->first : NULL;
}

/* ---- when gates or what they tell apart change: seldom, and everybody idle is looked at ---- */

static int by_seq(const void *a, const void *b)
{
    const struct worker *x = *(struct worker *const *)a, *y = *(struct worker *const *)b;
    return order_of(x->idle_seq, y->idle_seq);
}

/* Those of this hub who are idle are listed anew, at their places among each other. */
void idle_relist_hub(struct engine *e, struct hub *h)
{
    struct worker **v = malloc((h->signed_in + 1) * sizeof *v);
    uint64_t n = 0;
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    for (struct worker *w = h->members; w; w = w->hub_next)
        if (w->idle)
            v[n++] = w;
    qsort(v, n, sizeof *v, by_seq);
    for (uint64_t i = 0; i < n; i++)
        idle_unlist(e, v[i]);
    for (uint64_t i = 0; i < n; i++)
        idle_list(e, v[i]);
    free(v);
}

static const uint64_t *own_bits(void *arg, uint32_t cell)
{
    return ((struct matcher *)arg)->cell[cell - 1]->bits;
}

/* The first gate that prefers the best came: those who are idle go to cells of their class, each at his place. */
static void best_begins(struct engine *e)
{
    struct matcher *m = &e->m;
    uint64_t n = 0;
    for (uint32_t i = 0; i < m->cells; i++)
        n += m->cell[i]->of_hub ? 0 : m->cell[i]->workers;
    struct worker **v = malloc((n + 1) * sizeof *v);
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return;
    }
    n = 0;
    for (uint32_t i = 0; i < m->cells; i++)
        for (struct worker *w = m->cell[i]->of_hub ? NULL : m->cell[i]->first; w; w = w->at[IDLE_ALL].next)
            v[n++] = w;
    qsort(v, n, sizeof *v, by_seq);
    for (uint64_t i = 0; i < n; i++)
        list_out(e, v[i], IDLE_ALL);
    m->best_kept = true;
    for (uint64_t i = 0; i < n; i++) {
        struct cell_key k = key_for(e, v[i]);
        list_in(e, v[i], IDLE_ALL, &k);
    }
    free(v);
}

void idle_gates_changed(struct engine *e)
{
    struct matcher *m = &e->m;
    for (uint32_t i = 0; i < m->cells; i++)
        if (m->cell[i]->profile)
            cell_fill(e, m->cell[i]);
    order_refresh(&m->idle, m->idle_root, own_bits, m);
    for (uint32_t i = 0; e->hub && i < e->meta.hub; i++)
        if (e->hub[i])
            order_refresh(&m->idle, e->hub[i]->idle_root, own_bits, m);
    if (!m->best) {
        m->best_root = 0;
        m->best_kept = false;
    } else if (m->best_kept) {
        order_refresh(&m->best_idle, m->best_root, own_bits, m);
    } else {
        best_begins(e);
    }
    for (uint32_t i = 0; i < m->cells; i++)
        if (m->cell[i]->first && !m->cell[i]->listed) /* this is the very first gate */
            cell_into(e, m->cell[i]);
    uint32_t more = 0; /* a gate that prefers the hub is the first of its kind: nobody stands in the hubs' lists yet */
    for (uint32_t i = 0; m->by_hub && e->hub && i < e->meta.hub; i++)
        for (struct worker *w = e->hub[i] ? e->hub[i]->members : NULL; w && !more; w = w->hub_next)
            more = w->idle && !in_list(w, IDLE_HUB);
    for (uint32_t i = 0; more && i < e->meta.hub; i++)
        idle_relist_hub(e, e->hub[i]);
}

void idle_free(struct engine *e)
{
    struct matcher *m = &e->m;
    for (uint32_t i = 0; i < m->cells; i++) {
        free(m->cell[i]->bits);
        free(m->cell[i]);
    }
    free(m->cell);
    free(m->cell_slot);
    order_free(&m->idle);
    order_free(&m->best_idle);
    order_free(&m->runs);
}
