/* A broad life of the engine, as a list of steps: lines, runs, units of every kind, hubs with rosters and shifts, work in all its ways, operators,
 * readers, time. Tests take the steps one after the other, over a product that fails in between. Each step can be taken again after a failure. */
#ifndef TESTS_ENGINE_PLAY_H
#define TESTS_ENGINE_PLAY_H
#include "tests/lib/engine_staff.h"

/* What the life knows of itself; there is one at a time. */
extern struct play {
    struct world w;
    struct world_hub hub[2];
    unsigned hubs; /* that have come */
    uint64_t run, other, more;
    uint32_t station, more_station; /* the first ones of their lines */
    struct world_task t[64];
    size_t n; /* tasks that were handed out in this step */
} play;

struct play_step {
    const char *what;
    void (*take)(void);
    bool checks; /* it asks for a check of the store: what others refer to and is damaged is named where its own turn comes */
};
extern const struct play_step play_steps[]; /* ends with { NULL } */
extern const struct play_step play_watched_steps[]; /* another life: of people who are watched (engine_play_watched.c) */
extern const struct play_step play_crowd_steps[];   /* of authors who may not check, and of very many stations (engine_play_crowd.c) */

/* The step, to the end of its batch, with `around` about each call of the product; the next start must find what the last commit left. */
void play_take(const struct play_step *s, void (*around)(bool in));
/* The steps before `until` are lived, in a world of its own, without failures; then the broker is down. */
void play_until(const struct play_step *steps, const char *until, uint64_t wal_bytes);
/* It starts over what they left, with `around` about each call of the product, and goes down again; how that went. */
enum store_rc play_start(void (*around)(bool in));
void play_put(uint64_t run, unsigned n); /* so many units of one text */
void play_anew(void); /* the broker starts anew, and the hubs that there are say hello */
#endif
