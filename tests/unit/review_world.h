/* A run whose work is reviewed, and what tests of it do and look at. */
#ifndef TESTS_UNIT_REVIEW_WORLD_H
#define TESTS_UNIT_REVIEW_WORLD_H
#include "tests/unit/hand_in.h"
#include "tests/unit/scene.h"

#define WORKERS 6

#define INPUT "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
#define WRITE                                                                                                          \
    "  - name: write\n    attempts: 2\n    form:\n      fields:\n        - {name: title, type: short_answer, "         \
    "required: "                                                                                                       \
    "true}\n        - {name: body, type: long_answer}\n"
#define PUBLISH "  - name: publish\n    after: [write]\n"
#define REASONS "    reasons: [wrong, \"too short\"]\n"

/* Line "l" of these stations, run "r", and workers 0 to 5. */
static inline void open_scene(struct world_scene *s, const char *stations)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml, "%s%s", INPUT, stations);
    world_scene(s, yaml, WORKERS, 0);
}

/* What was pushed last, to anybody. */
static inline struct world_task pushed(struct world_scene *s)
{
    size_t n = world_tasks(&s->w, &s->h, s->t, 64);
    assert_int_not_equal(n, 0);
    return s->t[n - 1];
}

static inline enum slp_code write_it(struct world_scene *s, const struct world_task *t, const char *title,
                                     const char *body)
{
    return hand_in(s, t, (const char *[]){ title, body }, 2, NULL);
}

/* The same, and worker 0 has written the run's one unit. */
static inline void open_written(struct world_scene *s, const char *stations, const char *title, const char *body)
{
    open_scene(s, stations);
    world_put(&s->w, s->run, 1);
    struct world_task t = taken(s, 0, 0);
    assert_int_equal(write_it(s, &t, title, body), SLP_E_OK);
}

/* title and body NULL: as they were. */
static inline enum slp_code verdict(struct world_scene *s, const struct world_task *t, const char *word,
                                    const char *title, const char *body, const char *note, const char *reason)
{
    return hand_in(s, t, (const char *[]){ title, body, word, note, reason }, 5, NULL);
}

static inline enum slp_code accept_it(struct world_scene *s, const struct world_task *t)
{
    return verdict(s, t, "accept", NULL, NULL, NULL, NULL);
}

static inline enum slp_code reject_it(struct world_scene *s, const struct world_task *t, const char *note)
{
    return verdict(s, t, "reject", NULL, NULL, note, "wrong");
}

static inline uint64_t story(struct world_scene *s, const char *path)
{
    return world_story(&s->w, "r", 1, path);
}

static inline bool story_is(struct world_scene *s, const char *path, const char *text)
{
    return world_story_is(&s->w, "r", 1, path, text);
}

/* A field of what the worker of this assignment is told beside the task, as text; "-": it is not there. */
static inline const char *told(struct world_scene *s, uint64_t assignment, const char *key)
{
    static char text[256];
    for (size_t i = 0;; i++) {
        struct slp_msg *m = world_sent(&s->w, s->h.peer, SLP_PUSH, i);
        struct slp_cursor c = slp_each(m ? m->u.push.assignments : (struct slp_list){ "", 0, 0 });
        struct slp_item_assignment a;
        if (!m)
            return "-";
        while (slp_next_assignment(&c, &a))
            if (a.assignment == assignment) {
                struct slp_bytes v = a.context.n ? world_at(a.context, key) : (struct slp_bytes){ NULL, 0 };
                struct slr r = slr_on(v.p, v.n);
                struct slr_value x;
                if (!v.p || slr_next(&r, &x))
                    return "-";
                if (x.type == SLR_U64)
                    snprintf(text, sizeof text, "%llu", (unsigned long long)x.u64);
                else
                    snprintf(text, sizeof text, "%.*s", (int)x.n, x.p);
                return text;
            }
    }
}

/* A value of a finished unit's row in the output; "-": nil. station NULL: of the whole line. */
static inline const char *output(struct world_scene *s, const char *station, bool answers, unsigned row,
                                 const char *column)
{
    static char text[256];
    struct slp_output_get q = { .run = world_str("r"), .all_units = true, .answers = answers };
    SLP_SET(&q, output_get, all_units);
    if (station) {
        q.station = world_str(station);
        SLP_SET(&q, output_get, station);
    }
    if (answers)
        SLP_SET(&q, output_get, answers);
    struct slp_msg *m = world_read(&s->w, SLP_OUTPUT_GET, &q);
    assert_int_equal(m->type, SLP_OUTPUT);
    struct slp_cursor c = slp_each(m->u.output.columns), rows = slp_each(m->u.output.rows);
    struct slp_bytes name, v;
    unsigned at = 0;
    while (slp_next_str(&c, &name) && !(name.n == strlen(column) && !memcmp(name.p, column, name.n)))
        at++;
    if (at == m->u.output.columns.count)
        return "no such column";
    for (unsigned i = 0; i <= row; i++)
        if (!slp_next_raw(&rows, &v))
            return "no such row";
    snprintf(text, sizeof text, "[%u]", at);
    v = world_at(v, text);
    struct slr r = slr_on(v.p, v.n);
    struct slr_value x;
    assert_int_equal(slr_next(&r, &x), 0);
    switch (x.type) {
    case SLR_STR: snprintf(text, sizeof text, "%.*s", (int)x.n, x.p); break;
    case SLR_BOOL: snprintf(text, sizeof text, "%s", x.b ? "true" : "false"); break;
    case SLR_ARRAY: /* of texts */
        text[0] = 0;
        for (uint32_t n = x.n, i = 0; i < n && slr_next(&r, &x) == 0; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", i ? " " : "", (int)x.n, x.p);
        break;
    case SLR_U64: snprintf(text, sizeof text, "%llu", (unsigned long long)x.u64); break;
    default: snprintf(text, sizeof text, "-");
    }
    return text;
}

#endif
