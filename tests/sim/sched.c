/* The clock: a heap of what is due, the earliest first; of those at the same time, the one that was planned first. */
#include "tests/sim/sim.h"

static bool before(const struct due *a, const struct due *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sched_at(struct sim *s, int64_t at, happening *what, uint64_t a, uint64_t b)
{
    struct sched *q = &s->sched;
    if (at == NEVER)
        return;
    if (q->n == q->cap)
        CHECK(s, q->v = realloc(q->v, (q->cap = q->cap * 2 + 64) * sizeof *q->v));
    struct due x = { at < s->now_us ? s->now_us : at, ++q->seq, a, b, what };
    size_t i = q->n++;
    for (; i && before(&x, &q->v[(i - 1) / 2]); i = (i - 1) / 2)
        q->v[i] = q->v[(i - 1) / 2];
    q->v[i] = x;
}

bool sched_step(struct sim *s, int64_t until)
{
    struct sched *q = &s->sched;
    if (!q->n || q->v[0].at > until)
        return false;
    struct due now = q->v[0], x = q->v[--q->n];
    size_t i = 0;
    for (size_t kid; (kid = 2 * i + 1) < q->n; i = kid) {
        if (kid + 1 < q->n && before(&q->v[kid + 1], &q->v[kid]))
            kid++;
        if (!before(&q->v[kid], &x))
            break;
        q->v[i] = q->v[kid];
    }
    q->v[i] = x;
    if (s->branch_until_us && now.at > s->branch_until_us)
        damage_over(s);
    s->now_us = now.at;
    s->happened++;
    now.what(s, now.a, now.b);
    return true;
}
