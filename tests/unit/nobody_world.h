/* A hub whose staff may come to an end for a task, and what tests of that do and look at. */
#ifndef TESTS_UNIT_NOBODY_WORLD_H
#define TESTS_UNIT_NOBODY_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"

static struct world w;
static struct world_hub h;
static struct world_task t[64];
static uint64_t run;
static uint32_t station;

enum { ASHA, BINA, CHANDRA, DEEPA, ESHA, FULBA, STAFF };
static const char *const names[STAFF] = { "asha", "bina", "chandra", "deepa", "esha", "fulba" };

#define HEAD "line: l\ninput:\n  - {name: text, type: text}\nstations:\n"
#define FORM "    form: {fields: [{name: a, type: short_answer}]}\n"
static const char *const copies =
    HEAD "  - name: s\n    worker: {skills: {make: 1}}\n    copies: {min: 3}\n    agree: {method: all}\n" FORM;

/* The first n of them, who all have this skill and team. */
static inline void roster(unsigned n, const char *skill, const char *team)
{
    struct staff v[STAFF];
    for (unsigned i = 0; i < n; i++)
        v[i] = (struct staff){ names[i], 0, skill, 1, team };
    staff_roster(&w, &h, v, n);
}

static inline void open_world(const char *line, unsigned workers)
{
    memset(&h, 0, sizeof h);
    memset(&w, 0, sizeof w);
    world_open(&w);
    station = world_line(&w, line);
    run = world_run(&w, "l", "r");
    staff_hub(&w, &h, "hub", NULL, 0);
    roster(workers, "make", "red");
    world_clear(&w);
}

static inline struct world_task given(unsigned worker)
{
    world_clear(&w);
    world_credit(&w, &h, worker, 1);
    return world_tasks(&w, &h, t, 64) ? t[0] : (struct world_task){ 0 };
}

static inline struct world_task taken(unsigned worker)
{
    struct world_task a = given(worker);
    assert_int_not_equal(a.assignment, 0);
    return a;
}

static inline void answers(unsigned worker, const char *text)
{
    struct world_task a = taken(worker);
    assert_int_equal(world_submit(&w, &h, &a, text), SLP_E_OK);
}

static inline uint64_t at(unsigned idx, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "stations[%u].%s", idx, what);
    return world_story(&w, "r", 1, path);
}

/* The text with which it was parked begins so. */
static inline void parked_because(const char *text)
{
    struct slp_tasks_get q = { .station_id = station, .which = 2 };
    struct slp_item_task_row row;
    for (uint32_t i = 0; i < 2; i++) {
        q.station_id = station + i;
        const struct slp_msg *m = world_read(&w, SLP_TASKS_GET, &q);
        if (m->type != SLP_TASKS)
            break;
        struct slp_cursor c = slp_each(m->u.tasks.rows);
        if (slp_next_task_row(&c, &row)) {
            assert_true(row.reason.n >= strlen(text));
            assert_memory_equal(row.reason.p, text, strlen(text));
            return;
        }
    }
    fail_msg("nothing is parked");
}

/* A requeue of unit 1 by hand is refused, with a text that begins so. */
static inline void stays_parked(const char *text)
{
    struct slp_buf b = { 0 };
    slp_pack_u64(&b, 1);
    struct slp_tasks_set q = { .station_id = station, .run = world_str("r"), .units = { b.p, (uint32_t)b.n, 1 } };
    SLP_SET(&q, tasks_set, run);
    SLP_SET(&q, tasks_set, units);
    const struct slp_msg *m = world_send(&w, WORLD_CLIENT, SLP_TASKS_SET, &q);
    slp_buf_free(&b);
    assert_int_equal(world_code(m), SLP_E_BAD_STATE);
    assert_true(m->u.error.text.n >= strlen(text));
    assert_memory_equal(m->u.error.text.p, text, strlen(text));
}

static const char *const plain = HEAD "  - name: s\n    worker: {skills: {make: 1}}\n" FORM;

static inline void declines(unsigned worker)
{
    struct world_task a = taken(worker);
    assert_int_equal(world_act(&w, &h, &a, ACT_DECLINE, NULL, NULL), SLP_E_OK);
}

static inline void settled(void)
{
    for (unsigned i = 0; i < 20; i++)
        world_tick(&w);
    assert_false(engine_backlog(w.engine));
}

#define CROWD 2300

/* A roster of so many more, who can do the same, behind the names of the others; their numbers are those behind deepa's. */
static inline void crowd(unsigned first, unsigned n)
{
    static uint64_t digests = 1ull << 32;
    uint64_t digest[4] = { ++digests };
    for (unsigned from = 0; from <= n; from += 500) {
        struct slp_buf b = { 0 }, skills = { 0 };
        unsigned count = n - from < 500 ? n - from : 500;
        struct slp_item_skill s = { .name = world_str("make"), .level = 1 };
        slp_pack_item(&skills, SLP_ITEM_skill, &s);
        for (unsigned i = from; i < from + count; i++) {
            char name[32];
            snprintf(name, sizeof name, "w%u", first + i);
            struct slp_item_worker_def d = { .name = world_str(name),
                                             .capacity = 1,
                                             .skills = { skills.p, (uint32_t)skills.n, 1 } };
            slp_pack_item(&b, SLP_ITEM_worker_def, &d);
        }
        struct slp_roster q = { .session = h.session,
                                .digest = { (const char *)digest, 32 },
                                .workers = { b.p, (uint32_t)b.n, count },
                                .last = from + 500 > n };
        assert_int_equal(world_send(&w, h.peer, SLP_ROSTER, &q)->type, SLP_ROSTER_DONE);
        slp_buf_free(&b);
        slp_buf_free(&skills);
    }
    memcpy(h.roster, digest, sizeof digest);
}

#endif
