/* Limits, judged from the history alone: how many of a station's assignments are in hand at once, how many a worker had in a day. See checker_model.h.
 *
 * The newest version of a line says what holds for a station of that name. A day is one between two midnights
 * that the worker's hub told, or of UTC where it told none; what was given and came back as nobody's fault is not counted, if it was given since
 * counting began. */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/checker_model.h"

#define DAY_US 86400000000ll

static struct ck_limit *limit_at(struct checker *c, const struct fact *station)
{
    return ck_make(&c->limits, station->line << 8 | ck_name_of(station), sizeof(struct ck_limit));
}

void ck_limit_told(struct checker *c, const struct fact *f)
{
    struct ck_limit *l = limit_at(c, f);
    l->at_once = f->at_once;
    l->per_day = f->per_day;
}

bool ck_limited(struct checker *c, const struct fact *station)
{
    const struct ck_limit *l = limit_at(c, station);
    return l->at_once || l->per_day;
}

static void day_of(const struct checker *c, const struct ck_worker *w, int64_t wall, int64_t *from, int64_t *to)
{
    const struct ck_shift *d = ck_get(&c->days, w->f.hub);
    for (size_t i = 0; d && i + 1 < d->n; i++)
        if (d->times[i] <= wall && wall < d->times[i + 1]) {
            *from = d->times[i];
            *to = d->times[i + 1];
            return;
        }
    int64_t near = !d || !d->n ? 0 : wall < d->times[0] ? d->times[0] : d->times[d->n - 1], since = wall - near;
    *from = near + (since >= 0 ? since / DAY_US : -((-since + DAY_US - 1) / DAY_US)) * DAY_US;
    *to = *from + DAY_US;
}

/* Whose day it is no more, by where he works now, begins anew; and what is over does not come back where it is another day. */
void ck_days_settle(struct checker *c, const struct ck_worker *w, int64_t wall)
{
    int64_t from, to;
    day_of(c, w, wall, &from, &to);
    for (size_t i = 0; i < c->counts.cap; i++) {
        struct ck_count *n = c->counts.v[i].p;
        if (n && c->counts.v[i].key >> 32 == w->f.worker && (n->since < from || n->since >= to))
            n->n = 0;
    }
}

static void settle_hub(struct checker *c, uint64_t hub, int64_t wall)
{
    for (size_t i = 0; i < c->workers.cap; i++) {
        const struct ck_worker *w = c->workers.v[i].p;
        if (w && w->f.hub == hub)
            ck_days_settle(c, w, wall);
    }
}

void ck_days_told(struct checker *c, const struct fact *f)
{
    settle_hub(c, ck_hub_of(c, f->session), f->wall);
    struct ck_shift *d = ck_make(&c->days, ck_hub_of(c, f->session), sizeof *d);
    free(d->times);
    d->n = (size_t)f->count;
    d->times = ck_must(malloc((d->n + 1) * sizeof *d->times));
    for (size_t i = 0; i < d->n; i++)
        d->times[i] = f->times[i];
    settle_hub(c, ck_hub_of(c, f->session), f->wall);
}

static struct ck_count *count_of(struct checker *c, uint64_t worker, uint64_t limit)
{
    return ck_make(&c->counts, worker << 32 | limit, sizeof(struct ck_count));
}

static void count(struct checker *c, const struct fact *f, const struct ck_worker *w, uint64_t limit, uint32_t most)
{
    struct ck_count *n = count_of(c, f->worker, limit);
    int64_t from, to;
    if (!most)
        return;
    day_of(c, w, f->wall, &from, &to);
    if (!n->n || n->since < from || n->since >= to)
        *n = (struct ck_count){ .since = f->wall };
    if (++n->n > most)
        ck_verdict(c, OVER_LIMIT, "event %" PRIu64 ": worker %" PRIu64 " gets task %u of a day, %u are allowed%s",
                   f->seq, f->worker, n->n, most, limit ? " at this station" : "");
}

void ck_limit_given(struct checker *c, const struct fact *f, const struct ck_station *s, const struct ck_worker *w)
{
    struct ck_limit *l = limit_at(c, &s->f);
    l->in_hand++;
    if (l->at_once && l->in_hand > l->at_once)
        ck_verdict(c, OVER_LIMIT,
                   "event %" PRIu64 ": %" PRIu64 " assignments of station %u are in hand, %u are allowed", f->seq,
                   l->in_hand, f->station, l->at_once);
    if (!w)
        return;
    count(c, f, w, 0, w->f.per_day);
    count(c, f, w, s->f.line << 8 | ck_name_of(&s->f) | 1u << 24, l->per_day);
}

static void uncount(struct checker *c, const struct fact *f, const struct ck_worker *w, int64_t given, uint64_t limit)
{
    struct ck_count *n = count_of(c, w->f.worker, limit);
    int64_t from, to;
    day_of(c, w, f->wall, &from, &to);
    bool today =
        !w->on || (n->since >= from && n->since < to); /* which day it is for who is on no roster, nobody knows */
    n->n -= n->n && given >= n->since && today;
}

/* worked: it ended with a result, or with an attempt. */
void ck_limit_over(struct checker *c, const struct fact *f, const struct ck_assignment *a, bool worked)
{
    const struct ck_station *s = ck_get(&c->stations, a->station);
    const struct ck_worker *w = ck_get(&c->workers, a->worker);
    struct ck_limit *l = limit_at(c, &s->f);
    l->in_hand -= l->in_hand > 0;
    if (worked || !w)
        return;
    uncount(c, f, w, a->given, 0);
    uncount(c, f, w, a->given, s->f.line << 8 | ck_name_of(&s->f) | 1u << 24);
}
