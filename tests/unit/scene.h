/* What tests of the engine share that follow one task at a time, in a world_scene. */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

enum {
#define EVENT(NAME, number, ids, data, text) EV_##NAME = number,
#include "proto/events.def"
#undef EVENT
};

/* What the worker is given for one more credit; number 0: nothing. */
static inline struct world_task given(struct world_scene *s, unsigned worker)
{
    return world_take(s, worker, 1) ? s->t[0] : (struct world_task){ 0 };
}

/* ... and it is of the line's station with this index. */
static inline struct world_task taken(struct world_scene *s, unsigned worker, unsigned station)
{
    struct world_task t = given(s, worker);
    assert_int_not_equal(t.assignment, 0);
    assert_int_equal(t.station_id, s->station + station);
    return t;
}

/* Time goes on, and the hub is heard all the while. */
static inline void pass(struct world_scene *s, int64_t us)
{
    for (int64_t step; us > 0; us -= step) {
        step = us < 10 * SECOND ? us : 10 * SECOND;
        world_pass(&s->w, step);
        world_beat(&s->w, &s->h);
    }
}

static inline enum slp_code act(struct world_scene *s, const struct world_task *t, unsigned a)
{
    return world_act(&s->w, &s->h, t, a, "since", NULL);
}

/* Of unit 1 at the line's station with this index. */
static inline uint64_t station_story(struct world_scene *s, unsigned station, const char *what)
{
    char path[100];
    snprintf(path, sizeof path, "stations[%u].%s", station, what);
    return world_story(&s->w, "r", 1, path);
}

static inline bool station_story_is(struct world_scene *s, unsigned station, const char *what, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "stations[%u].%s", station, what);
    return world_story_is(&s->w, "r", 1, path, text);
}
#endif
