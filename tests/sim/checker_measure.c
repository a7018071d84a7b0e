/* What was measured of workers, from the history alone: the things themselves, in their order, where the engine has sums. From the document: a window counts the latest N things, none that
 * is older than T, and forgets in eighths: a thing counts for sure as long as the share of N that came after it and the share of T that passed since are together less than
 * 7/8. So of each list an end of it counts, which begins somewhere between two places: what is said of a worker must hold wherever that is. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

#define MINUTE_US 60000000ll /* as finely as ages are known */
#define SLACK_US (8 * MINUTE_US)
#define ALL_LAST 64
#define ALL_WITHIN_US (90ll * 24 * 60 * MINUTE_US)

static void add(struct checker *c, uint64_t place, enum ck_measured what, enum ck_so so, int64_t wall)
{
    struct ck_measures *all = ck_make(&c->measures, place, sizeof *all);
    struct ck_measure *m = &all->of[what];
    all->changed = c->step;
    m->v = ck_more(m->v, &m->cap, m->n, sizeof *m->v);
    const struct ck_thing *before = m->n ? &m->v[m->n - 1] : NULL;
    m->v[m->n++] = (struct ck_thing){ .wall = wall,
                                      .moved = c->moved,
                                      .least = (before ? before->least : 0) + (so == CK_YES),
                                      .most = (before ? before->most : 0) + (so != CK_NO) };
}

void ck_measure(struct checker *c, const struct fact *station, uint64_t worker, enum ck_measured what, enum ck_so so,
                int64_t wall)
{
    add(c, ck_place(worker, station->line, ck_name_of(station)), what, so, wall);
    add(c, ck_place(worker, 0, 0), what, so, wall);
}

void ck_measure_anew(struct checker *c, uint64_t place, enum ck_measured what)
{
    struct ck_measures *all = ck_get(&c->measures, place);
    if (!all)
        return;
    all->changed = c->step;
    all->of[what].n = 0;
}

void ck_measures_end(void *p)
{
    struct ck_measures *all = p;
    for (int i = 0; i < CK_MEASURED; i++)
        free(all->of[i].v);
}

/* ---- how many of the latest count ---- */

static int64_t apart(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* So many at least. */
static size_t surely(const struct checker *c, const struct ck_measure *m, uint64_t last, int64_t within_us, int64_t now)
{
    size_t n = 0;
    const struct ck_thing *oldest = m->n ? &m->v[0] : NULL;
    if (oldest &&
        (double)m->n / (double)last +
                (double)(apart(now, oldest->wall) + 4 * (c->moved - oldest->moved) + SLACK_US) / (double)within_us <
            7.0 / 8)
        return m->n; /* all, whatever their clocks were */
    for (; n < m->n; n++) {
        const struct ck_thing *x = &m->v[m->n - 1 - n];
        double passed = (double)(apart(now, x->wall) + 2 * (c->moved - x->moved) + SLACK_US);
        if ((double)n / (double)last + passed / (double)within_us >= 7.0 / 8)
            break;
    }
    return n;
}

/* And so many at most. */
static size_t perhaps(const struct checker *c, const struct ck_measure *m, uint64_t last, int64_t within_us,
                      int64_t now)
{
    size_t n = 0;
    while (n < m->n && n < last && now - m->v[m->n - 1 - n].wall <= within_us + MINUTE_US + c->moved)
        n++;
    return n;
}

static bool meets(const struct ck_ask *ask, uint64_t n, uint64_t so)
{
    if (n < ask->after)
        return !ask->refuses_new;
    return ask->most ? so * 10 <= n * ask->tenths : so * 10 >= n * ask->tenths;
}

unsigned ck_meets(const struct checker *c, uint64_t place, const struct fact *station, const struct ck_ask *ask,
                  int64_t from, int64_t to)
{
    static const struct ck_measure none;
    const struct ck_measures *all = ck_get(&c->measures, place);
    const struct ck_measure *m = all ? &all->of[ask->what] : &none;
    uint64_t last = station ? station->window_last : ALL_LAST;
    int64_t within_us = station ? station->window_within_us : ALL_WITHIN_US;
    if (station && !last) /* nothing is forgotten */
        last = UINT64_MAX, within_us = INT64_MAX / 4;
    size_t n = surely(c, m, last, within_us, to), most = perhaps(c, m, last, within_us, from);
    unsigned is = 0;
    most = most > n ? most : n;
    if (n < most && m->v[m->n - most].moved != c->moved)
        return CK_MET | CK_UNMET; /* clocks that were set: what is forgotten first is not known */
    for (; n <= most; n++) {
        const struct ck_thing *end = m->n ? &m->v[m->n - 1] : NULL, *before = n < m->n ? &m->v[m->n - 1 - n] : NULL;
        uint64_t least = end ? end->least - (before ? before->least : 0) : 0,
                 so = end ? end->most - (before ? before->most : 0) : 0;
        is |= meets(ask, n, n ? least : 0) ? CK_MET : CK_UNMET;
        is |= meets(ask, n, n ? so : 0) ? CK_MET : CK_UNMET;
    }
    return is;
}

int64_t ck_measured_at(const struct checker *c, uint64_t place, enum ck_measured what, int64_t otherwise)
{
    const struct ck_measures *all = ck_get(&c->measures, place);
    const struct ck_measure *m = all ? &all->of[what] : NULL;
    return m && m->n && m->v[m->n - 1].wall < otherwise ? m->v[m->n - 1].wall : otherwise;
}

void ck_measures_tell(const struct checker *c, uint64_t place, enum ck_measured what, char *text, size_t size)
{
    const struct ck_measures *all = ck_get(&c->measures, place);
    const struct ck_measure *m = all && all->of[what].n ? &all->of[what] : NULL;
    snprintf(text, size, "%" PRIu64 " of %zu", m ? m->v[m->n - 1].most : 0, m ? m->n : 0);
}
