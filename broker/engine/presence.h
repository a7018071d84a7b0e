/* Presence: of those who should be there, what share is, by hub and UTC day. Part of the engine and of the readers.
 *
 * Each PRESENCE_EVERY_US of wall time a hub is looked at: `expected` grows by those who are on shift (by_shift), or have no shift (anytime); `present` by
 * those of them who are signed in. When another day begins, the share of the one that is over goes into a weighted sum with its square: each day weighs
 * seven eighths of the following one. Days on which nobody was expected do not count. Shares are in ten-thousandths. */
#ifndef SUNLINE_PRESENCE_H
#define SUNLINE_PRESENCE_H
#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_EVERY_US 600000000ll
#define PRESENCE_DAY_US (24 * 3600000000ll)
#define PRESENCE_WHOLE 10000
#define PRESENCE_WEIGHT 64 /* of the newest day; all days together never weigh more than eight times that */
#define PRESENCE_BYTES 40  /* of one group as stored */

struct presence { uint32_t weight, samples; uint64_t expected, present, sum, squares; }; /* samples, expected, present: of the day under way */
enum { PRESENCE_BY_SHIFT, PRESENCE_ANYTIME, PRESENCES };
struct hub_presence { int64_t day; struct presence of[PRESENCES]; };

struct rdr;
bool presence_read(struct hub_presence *h, struct rdr *r); /* false: damaged */

static inline void presence_close(struct presence *p)
{
    if (p->expected) {
        uint64_t share = p->present >= p->expected ? PRESENCE_WHOLE : p->present * PRESENCE_WHOLE / p->expected;
        p->weight = p->weight * 7 / 8 + PRESENCE_WEIGHT;
        p->sum = p->sum * 7 / 8 + share * PRESENCE_WEIGHT;
        p->squares = p->squares * 7 / 8 + share * share * PRESENCE_WEIGHT;
    }
    p->expected = p->present = 0;
    p->samples = 0;
}
#endif
