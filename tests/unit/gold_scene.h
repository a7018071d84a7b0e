/* A line with control tasks, and a worker who does them: what tests of gold and of training share. Behind the headers that cmocka wants. */
#ifndef SUNLINE_TEST_GOLD_SCENE_H
#define SUNLINE_TEST_GOLD_SCENE_H

#include "broker/engine/gold.h"
#include "proto/reader.h"
#include "tests/lib/engine_world.h"

static struct world_scene s;

#define HEAD "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
#define JUDGE "  - name: judge\n    form: {fields: [{name: a, type: short_answer}]}\n"
/* Rows "gold N", whose answer is "a N". */
static inline const char *gold_line(const char *more, unsigned every, unsigned rows, const char *rest)
{
    static char yaml[8192];
    int n = snprintf(yaml, sizeof yaml,
                     HEAD JUDGE "    gold:\n      every: %u\n      columns: [text, a]\n      cells: [", every);
    for (unsigned i = 0; i < rows; i++)
        n += snprintf(yaml + n, sizeof yaml - (size_t)n, "%sgold %u, a %u", i ? ", " : "", i, i);
    snprintf(yaml + n, sizeof yaml - (size_t)n, "]\n%s%s", more, rest);
    return yaml;
}

static inline bool shows_gold(uint64_t assignment)
{
    return strncmp(world_shown(&s.w, &s.h, assignment, 0), "gold", 4) == 0;
}

/* The answer that the control task wants, or "x". */
static inline const char *true_answer(uint64_t assignment)
{
    static char text[32];
    const char *shown = world_shown(&s.w, &s.h, assignment, 0);
    snprintf(text, sizeof text, shows_gold(assignment) ? "a %s" : "x", shown + 5);
    return text;
}

static inline uint64_t repute(const char *worker, const char *path)
{
    struct slp_repute_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    assert_true(m && m->type == SLP_REPUTE);
    return world_number(world_at(m->u.repute.story, path));
}

static inline enum slp_code set(unsigned action, const char *worker, const char *station, const char *skill,
                                uint64_t level, int64_t until)
{
    struct slp_worker_set q = {
        .name = world_str(worker), .action = action, .line = world_str("l"), .reason = world_str("so")
    };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, reason);
    if (station) {
        q.station = world_str(station);
        SLP_SET(&q, worker_set, station);
    }
    if (skill) {
        q.skill = world_str(skill);
        SLP_SET(&q, worker_set, skill);
    }
    if (level) {
        q.level = level;
        SLP_SET(&q, worker_set, level);
    }
    if (until) {
        q.until_wall_us = until;
        SLP_SET(&q, worker_set, until_wall_us);
    }
    return world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q));
}
enum { SUSPEND, READMIT, GRANT, REVOKE };

static inline uint64_t why(const char *worker)
{
    struct slp_worker_why_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s.w, WORLD_CLIENT, SLP_WORKER_WHY_GET, &q);
    return m->type == SLP_WHY ? m->u.why.code : UINT64_MAX;
}

/* One more credit: the task that comes; number 0: none. Frames of before are forgotten. */
static inline struct world_task next(unsigned worker)
{
    world_clear(&s.w);
    return world_take(&s, worker, 1) ? s.t[0] : (struct world_task){ 0 };
}

/* Does n tasks; answers control tasks right or not. Returns how many of them were control tasks. */
static inline unsigned works(unsigned worker, unsigned n, bool well)
{
    unsigned gold = 0;
    for (unsigned i = 0; i < n; i++) {
        struct world_task t = next(worker);
        assert_int_not_equal(t.assignment, 0);
        bool is = shows_gold(t.assignment);
        gold += is;
        assert_int_equal(world_submit(&s.w, &s.h, &t, well || !is ? true_answer(t.assignment) : "wrong"), SLP_E_OK);
    }
    return gold;
}

#endif
