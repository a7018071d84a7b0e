/* Answers, and the numbers that stand for their names. */
#include "client/votes.h"

#include <stdlib.h>
#include <string.h>

#define VOTES_MAX (1u << 31)

/* ---- names ---- */

static uint32_t hash(const char *s)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

/* Where s stands or would stand. */
static uint32_t *slot_of(const struct votes_names *t, const char *s)
{
    uint32_t at = hash(s) & (t->slots - 1);
    while (t->slot[at] && strcmp(t->name[t->slot[at] - 1], s) != 0)
        at = (at + 1) & (t->slots - 1);
    return &t->slot[at];
}

static bool names_make_room(struct votes_names *t)
{
    if (t->n == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 64;
        char **name = realloc(t->name, cap * sizeof *name);
        if (!name)
            return false;
        t->name = name;
        t->cap = cap;
    }
    if (t->n * 2 < t->slots)
        return true;
    struct votes_names grown = *t;
    grown.slots = t->slots ? t->slots * 2 : 128;
    grown.slot = calloc(grown.slots, sizeof *grown.slot);
    if (!grown.slot)
        return false;
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(&grown, t->name[i]) = i + 1;
    free(t->slot);
    *t = grown;
    return true;
}

static bool names_number(struct votes_names *t, const char *s, uint32_t *number)
{
    if (!names_make_room(t))
        return false;
    uint32_t *slot = slot_of(t, s);
    if (!*slot) {
        char *name = strdup(s);
        if (!name)
            return false;
        t->name[t->n++] = name;
        *slot = t->n;
    }
    *number = *slot - 1;
    return true;
}

static void names_free(struct votes_names *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        free(t->name[i]);
    free(t->name);
    free(t->slot);
}

/* ---- answers ---- */

int sl_votes_new(struct sl_votes **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? SL_OK : SL_NO_MEMORY;
}

void sl_votes_free(struct sl_votes **v)
{
    if (!*v)
        return;
    names_free(&(*v)->items);
    names_free(&(*v)->workers);
    names_free(&(*v)->labels);
    free((*v)->vote);
    free(*v);
    *v = NULL;
}

int sl_votes_add(struct sl_votes *v, const char *item, const char *worker, const char *label)
{
    if (!v || !item || !*item || !worker || !*worker || !label || !*label)
        return SL_MISUSE;
    if (v->n == VOTES_MAX)
        return SL_TOO_MANY;
    if (v->n == v->cap) {
        uint32_t cap = v->cap ? v->cap * 2 : 256;
        struct sl_vote *grown = realloc(v->vote, (size_t)cap * sizeof *grown);
        if (!grown)
            return SL_NO_MEMORY;
        v->vote = grown;
        v->cap = cap;
    }
    struct sl_vote vote;
    /* A name that stays without an answer after a failure would be an item that nobody answered: taken back. */
    uint32_t items = v->items.n, workers = v->workers.n;
    if (!names_number(&v->items, item, &vote.item))
        return SL_NO_MEMORY;
    bool whole = names_number(&v->workers, worker, &vote.worker) && names_number(&v->labels, label, &vote.label);
    if (!whole) {
        if (v->workers.n > workers) {
            *slot_of(&v->workers, worker) = 0; /* the newest of its chain: nothing lies behind it */
            free(v->workers.name[--v->workers.n]);
        }
        if (v->items.n > items) {
            *slot_of(&v->items, item) = 0;
            free(v->items.name[--v->items.n]);
        }
        return SL_NO_MEMORY;
    }
    v->vote[v->n++] = vote;
    return SL_OK;
}

uint64_t sl_votes_count(const struct sl_votes *v)
{
    return v->n;
}

uint32_t sl_votes_items(const struct sl_votes *v)
{
    return v->items.n;
}

uint32_t sl_votes_workers(const struct sl_votes *v)
{
    return v->workers.n;
}

uint32_t sl_votes_labels(const struct sl_votes *v)
{
    return v->labels.n;
}

static const char *name_at(const struct votes_names *t, uint32_t i)
{
    return i < t->n ? t->name[i] : NULL;
}

const char *sl_votes_item(const struct sl_votes *v, uint32_t i)
{
    return name_at(&v->items, i);
}

const char *sl_votes_worker(const struct sl_votes *v, uint32_t i)
{
    return name_at(&v->workers, i);
}

const char *sl_votes_label(const struct sl_votes *v, uint32_t i)
{
    return name_at(&v->labels, i);
}

const struct sl_vote *sl_votes_at(const struct sl_votes *v, uint64_t i)
{
    return i < v->n ? &v->vote[i] : NULL;
}

/* ---- the index ---- */

static int by_bytes(const void *a, const void *b, void *names)
{
    char **name = names;
    return strcmp(name[*(const uint32_t *)a], name[*(const uint32_t *)b]);
}

static int by_rank(const void *a, const void *b, void *ranks)
{
    const struct sl_vote *x = a, *y = b;
    const uint32_t *rank = ranks;
    if (x->label != y->label)
        return rank[x->label] < rank[y->label] ? -1 : 1;
    return x->worker < y->worker ? -1 : x->worker > y->worker;
}

int votes_index_make(struct votes_index *x, const struct sl_votes *v)
{
    uint32_t *order = malloc((v->labels.n + 1ul) * sizeof *order);
    x->first = calloc(v->items.n + 2ul, sizeof *x->first);
    x->vote = malloc((v->n + 1ul) * sizeof *x->vote);
    x->rank = malloc((v->labels.n + 1ul) * sizeof *x->rank);
    if (!order || !x->first || !x->vote || !x->rank) {
        free(order);
        votes_index_free(x);
        return SL_NO_MEMORY;
    }
    for (uint32_t i = 0; i < v->labels.n; i++)
        order[i] = i;
    qsort_r(order, v->labels.n, sizeof *order, by_bytes, v->labels.name);
    for (uint32_t i = 0; i < v->labels.n; i++)
        x->rank[order[i]] = i;
    free(order);

    /* Sorted by counting: first[item + 1] is where the next answer of the item goes, and at the end where the next item begins. */
    for (uint32_t i = 0; i < v->n; i++)
        x->first[v->vote[i].item + 2]++;
    for (uint32_t i = 2; i <= v->items.n + 1; i++)
        x->first[i] += x->first[i - 1];
    for (uint32_t i = 0; i < v->n; i++)
        x->vote[x->first[v->vote[i].item + 1]++] = v->vote[i];
    for (uint32_t i = 0; i < v->items.n; i++)
        qsort_r(x->vote + x->first[i], x->first[i + 1] - x->first[i], sizeof *x->vote, by_rank, x->rank);
    return SL_OK;
}

void votes_index_free(struct votes_index *x)
{
    free(x->first);
    free(x->vote);
    free(x->rank);
    *x = (struct votes_index){ .first = NULL };
}
