/* A run at a station that asks for several answers, and what tests of it do and look at. */
#ifndef TESTS_UNIT_COPIES_WORLD_H
#define TESTS_UNIT_COPIES_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/reader.h"
#include "tests/lib/engine_world.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define WORKERS 8

enum {
#define EVENT(NAME, number, ids, data, text) EV_##NAME = number,
#include "proto/events.def"
#undef EVENT
};

/* One run "r" of the line "l": a station "judge" with copies, then "next" for what it is not sure of. */
struct scene {
    struct world w;
    struct world_hub h;
    uint64_t run;
    uint32_t station;
    struct world_task t[64];
    size_t n;
};

static inline void open_scene(struct scene *s, const char *copies, const char *agree)
{
    char yaml[1024];
    memset(s, 0, sizeof *s);
    snprintf(yaml, sizeof yaml,
             "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n  - name: judge\n    copies: "
             "%s\n    agree: %s\n"
             "    form: {fields: [{name: answer, type: short_answer, required: true}]}\n    lease: 10m\n    backoff: "
             "10s\n    attempts: 3\n"
             "  - name: next\n    %s\n    form: {fields: [{name: answer, type: short_answer}]}\n",
             copies, agree, strstr(agree, "all") ? "when: judge.answers > 100" : "when: judge.confidence < 0.7");
    world_open(&s->w);
    s->station = world_line(&s->w, yaml);
    s->run = world_run(&s->w, "l", "r");
    world_hub(&s->w, &s->h, "hub", WORKERS, 0);
    world_clear(&s->w);
}

/* What the worker is given at the station with copies for one more credit; number 0: nothing. */
static inline struct world_task given(struct scene *s, unsigned worker)
{
    world_clear(&s->w);
    world_credit(&s->w, &s->h, worker, 1);
    s->n = world_tasks(&s->w, &s->h, s->t, 64);
    return s->n ? s->t[0] : (struct world_task){ 0 };
}

static inline struct world_task taken(struct scene *s, unsigned worker)
{
    struct world_task t = given(s, worker);
    assert_int_not_equal(t.assignment, 0);
    assert_int_equal(t.station_id, s->station);
    return t;
}

static inline uint64_t judge(struct scene *s, const char *what)
{
    char path[80];
    snprintf(path, sizeof path, "stations[0].%s", what);
    return world_story(&s->w, "r", 1, path);
}

static inline bool judge_is(struct scene *s, const char *what, const char *text)
{
    char path[80];
    snprintf(path, sizeof path, "stations[0].%s", what);
    return world_story_is(&s->w, "r", 1, path, text);
}

static inline bool stands(struct scene *s, unsigned assignment)
{
    char path[80];
    struct slp_unit_get q = { .run = world_str("r"), .unit = 1 };
    snprintf(path, sizeof path, "stations[0].assignments[%u].stands", assignment);
    struct slp_bytes b = world_at(world_read(&s->w, SLP_UNIT_GET, &q)->u.unit.story, path);
    struct slr r = slr_on(b.p, b.n);
    struct slr_value v;
    assert_int_equal(slr_next(&r, &v), 0);
    assert_int_equal(v.type, SLR_BOOL);
    return v.b;
}

static inline enum slp_code submit(struct scene *s, const struct world_task *t, const char *answer)
{
    return world_submit(&s->w, &s->h, t, answer);
}

static inline void answered(struct scene *s, unsigned worker, const char *answer)
{
    struct world_task t = taken(s, worker);
    assert_int_equal(submit(s, &t, answer), SLP_E_OK);
}

static inline enum slp_code act(struct scene *s, const struct world_task *t, unsigned a)
{
    return world_act(&s->w, &s->h, t, a, "since", NULL);
}

#endif
