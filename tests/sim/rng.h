/* The only source of chance in the simulation: xoshiro256** (Blackman, Vigna), seeded by splitmix64. Each actor has a generator of its own, made
 * from the seed and the actor's name, so that taking one actor out (shrinking) leaves the dice of the others alone. */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H
#include <stdbool.h>
#include <stdint.h>

struct rng { uint64_t s[4]; };

static inline uint64_t rng_split(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline struct rng rng_of(uint64_t seed, const char *name, uint64_t index)
{
    struct rng r;
    uint64_t x = seed * 0x2545f4914f6cdd1dull + index;
    for (; *name; name++)
        x = (x ^ (uint8_t)*name) * 0x100000001b3ull;
    for (int i = 0; i < 4; i++)
        r.s[i] = rng_split(&x);
    return r;
}

static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, m = s[1] * 5, out = (m << 7 | m >> 57) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return out;
}

static inline uint64_t rng_below(struct rng *r, uint64_t n) { return n ? rng_u64(r) % n : 0; }
static inline int64_t rng_range(struct rng *r, int64_t lo, int64_t hi) { return lo + (int64_t)rng_below(r, (uint64_t)(hi - lo) + 1); }
static inline bool rng_chance(struct rng *r, uint32_t ppm) { return rng_below(r, 1000000) < ppm; } /* parts in a million */

/* A time between lo and hi whose order of magnitude is evenly spread: many short ones, some long ones. No libm: halvings. */
static inline int64_t rng_spread(struct rng *r, int64_t lo, int64_t hi)
{
    int64_t top = hi;
    unsigned n = 0;
    for (int64_t v = hi; v / 2 >= lo && v > 1; v /= 2)
        n++;
    for (uint64_t k = rng_below(r, n + 1); k; k--)
        top /= 2;
    return top <= lo ? lo : rng_range(r, lo, top);
}
#endif
