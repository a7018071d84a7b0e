/* Windows: counts of the latest things, in eight parts. See repute.h. Pure. */
#include "broker/engine/repute.h"

#include <string.h>

static uint32_t minute_of(int64_t wall_us)
{
    int64_t minute = wall_us / 60000000;
    return minute < 0 ? 0 : minute > UINT32_MAX ? UINT32_MAX : (uint32_t)minute;
}

/* How long ago the part began; 0 if the clock was set back since. */
static uint32_t age_min(uint32_t since_min, int64_t wall_us)
{
    uint32_t now = minute_of(wall_us);
    return now > since_min ? now - since_min : 0;
}

static void drop_oldest(struct window *w)
{
    memmove(w->part, w->part + 1, --w->parts * sizeof *w->part);
}

static uint64_t held(const struct window *w)
{
    uint64_t n = 0;
    for (uint8_t i = 0; i < w->parts; i++)
        n += w->part[i].n;
    return n;
}

void window_add(struct window *w, uint32_t last, int64_t within_us, int64_t wall_us, uint32_t n, uint64_t sum)
{
    uint32_t room = (last + WINDOW_PARTS - 1) / WINDOW_PARTS; /* of one part */
    uint64_t long_min = (uint64_t)within_us / 60000000 / WINDOW_PARTS;
    while (w->parts && held(w) + n > last) /* eight times a part's room may be more */
        drop_oldest(w);
    if (!w->parts || w->part[w->parts - 1].n >= room || age_min(w->part[w->parts - 1].since_min, wall_us) > long_min) {
        if (w->parts == WINDOW_PARTS)
            drop_oldest(w);
        w->part[w->parts].since_min = minute_of(wall_us);
        w->part[w->parts].n = 0;
        w->part[w->parts++].sum = 0;
    }
    w->part[w->parts - 1].n += n;
    w->part[w->parts - 1].sum += sum;
}

struct tally window_tally(const struct window *w, int64_t within_us, int64_t wall_us)
{
    struct tally t = { 0, 0 };
    for (uint8_t i = 0; i < w->parts; i++)
        if (age_min(w->part[i].since_min, wall_us) <= (uint64_t)within_us / 60000000) {
            t.n += w->part[i].n;
            t.sum += w->part[i].sum;
        }
    return t;
}
