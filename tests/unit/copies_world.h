/* A run at a station that asks for several answers, and what tests of it do and look at. */
#ifndef TESTS_UNIT_COPIES_WORLD_H
#define TESTS_UNIT_COPIES_WORLD_H
#include "tests/unit/scene.h"

#define WORKERS 8
#define JUDGE 0

/* One run "r" of the line "l": a station "judge" with copies, then "next" for what it is not sure of. */
static inline void open_scene(struct world_scene *s, const char *copies, const char *agree)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n  - name: judge\n    copies: "
             "%s\n    agree: %s\n"
             "    form: {fields: [{name: answer, type: short_answer, required: true}]}\n    lease: 10m\n    backoff: "
             "10s\n    attempts: 3\n"
             "  - name: next\n    %s\n    form: {fields: [{name: answer, type: short_answer}]}\n",
             copies, agree, strstr(agree, "all") ? "when: judge.answers > 100" : "when: judge.confidence < 0.7");
    world_scene(s, yaml, WORKERS, 0);
}

/* ... with one unit. */
static inline void open_task(struct world_scene *s, const char *copies, const char *agree)
{
    open_scene(s, copies, agree);
    world_put(&s->w, s->run, 1);
}

static inline uint64_t judge(struct world_scene *s, const char *what)
{
    return station_story(s, JUDGE, what);
}

static inline bool judge_is(struct world_scene *s, const char *what, const char *text)
{
    return station_story_is(s, JUDGE, what, text);
}

static inline bool stands(struct world_scene *s, unsigned assignment)
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

static inline enum slp_code submit(struct world_scene *s, const struct world_task *t, const char *answer)
{
    return world_submit(&s->w, &s->h, t, answer);
}

static inline void answered(struct world_scene *s, unsigned worker, const char *answer)
{
    struct world_task t = taken(s, worker, JUDGE);
    assert_int_equal(submit(s, &t, answer), SLP_E_OK);
}

#endif
