/* When hubs are awake: see awake.h. */
#include "client/cli/awake.h"

#define RING (AWAKE_HOURS + 1)
#define UNKNOWN (-1)

static int32_t *hour_of(struct awake *a, int64_t hour)
{
    return &a->most[hour % RING];
}

void awake_begin(struct awake *a, int64_t us)
{
    *a = (struct awake){ .begin = us / AWAKE_HOUR_US, .hour = us / AWAKE_HOUR_US };
}

void awake_until(struct awake *a, int64_t us)
{
    int64_t hour = us / AWAKE_HOUR_US;
    if (hour - a->hour > RING) {
        a->hour = hour - RING;
    }
    while (a->hour < hour) {
        *hour_of(a, ++a->hour) = a->in;
    }
}

static void now_in(struct awake *a, int32_t in)
{
    a->in = in;
    if (in < a->low) {
        a->low = in;
    }
    if (in > *hour_of(a, a->hour)) {
        *hour_of(a, a->hour) = in;
    }
}

void awake_change(struct awake *a, int64_t us, uint32_t came, uint32_t went)
{
    awake_until(a, us);
    now_in(a, a->in + (int32_t)came); /* whoever came was there, also if he went at once */
    int32_t left = a->in - (int32_t)went;
    now_in(a, a->known && left < 0 ? 0 : left);
}

/* So many were there at the beginning. */
static void resolve(struct awake *a, int32_t beginning)
{
    if (a->known) {
        return;
    }
    for (int i = 0; i < RING; i++) {
        a->most[i] += beginning;
    }
    a->in += beginning;
    a->known = true;
}

void awake_set(struct awake *a, int64_t us, uint32_t signed_in)
{
    bool knew = a->known;
    awake_until(a, us);
    if (!knew) {
        resolve(a, -a->low); /* at least those were there who went */
        for (int i = 0; i < RING; i++) {
            a->most[i] = a->most[i] ? a->most[i] : UNKNOWN; /* perhaps others, all the time */
        }
    }
    if (knew || signed_in) {
        now_in(a, (int32_t)signed_in);
    }
    a->in = (int32_t)signed_in;
}

void awake_listed(struct awake *a, int64_t us, uint32_t signed_in)
{
    awake_until(a, us);
    resolve(a, (int32_t)signed_in - a->in);
    now_in(a, (int32_t)signed_in);
}

void awake_strip(const struct awake *a, int64_t now_us, char to[AWAKE_HOURS + 1])
{
    int64_t first = now_us / AWAKE_HOUR_US - AWAKE_HOURS + 1;
    int32_t beginning = a->known ? 0 : -a->low;
    for (int i = 0; i < AWAKE_HOURS; i++) {
        int64_t hour = first + i;
        bool counted = hour >= a->begin && hour <= a->hour && hour > a->hour - RING;
        if (!counted) {
            to[i] = ' ';
        } else if (a->most[hour % RING] + beginning > 0) {
            to[i] = '#';
        } else {
            to[i] = a->known && a->most[hour % RING] != UNKNOWN ? '.' : ' ';
        }
    }
    to[AWAKE_HOURS] = 0;
}
