/* In which hours of the last day somebody was signed in at a hub: from the event stream, which begins somewhere in the middle, and from what a listing
 * says of now. Pure: no clock, no requests.
 *
 * Until something absolute is heard (how many are signed in, not only who came and went), counts are relative to an unknown beginning. A listing, and an
 * event that says how many there were until now, make all that was counted since the beginning absolute, too. An event that says only how many there
 * are from now on does not: before it those are known who came or went, and nothing else is. */
#ifndef SUNLINE_CLI_AWAKE_H
#define SUNLINE_CLI_AWAKE_H
#include <stdbool.h>
#include <stdint.h>

#define AWAKE_HOURS 24
#define AWAKE_HOUR_US (3600ll * 1000000)

struct awake {
    int64_t begin, hour;            /* hours since 1970: the first of which anything is known, and the newest */
    int32_t in, low;                /* signed in now, and the least so far; relative while not known */
    bool known;
    int32_t most[AWAKE_HOURS + 1]; /* by hour, a ring */
};

void awake_begin(struct awake *a, int64_t us);
void awake_until(struct awake *a, int64_t us); /* time went on, and nobody came or went */
void awake_change(struct awake *a, int64_t us, uint32_t came, uint32_t went);
void awake_set(struct awake *a, int64_t us, uint32_t signed_in);    /* an event that says how many are there from now on; were they before? */
void awake_listed(struct awake *a, int64_t us, uint32_t signed_in); /* how many are there now, or were until now: nothing happened in between */
/* '#' somebody was there, '.' nobody, ' ' not known; the last is the hour of now_us. */
void awake_strip(const struct awake *a, int64_t now_us, char to[AWAKE_HOURS + 1]);
#endif
