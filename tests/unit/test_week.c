/* A week of ten hubs on the real engine, on a clock that the test moves: are shares fair between runs, and does nobody starve inside a priority? The figures
 * are printed; what must hold is asserted.
 *
 * Eighty people in two shifts a day, from Apia to Medellin. Each takes ten minutes to half an hour for a task, by a fixed sequence of numbers. Of one
 * priority: a run that never ends, one that brings some units every three hours, one that brings few every hour, one whose line has two stations, and one that two
 * hubs alone may see. Of a higher one: a run that comes once a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/engine_staff.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MONDAY_US 1795392000000000ll /* 2026-11-23 00:00 UTC */
#define STEP (5 * MINUTE)
#define STEPS (7 * 24 * 12)
#define HUBS 10
#define PEOPLE 8
#define EV_ASSIGNED 10

struct person {
    struct world_task task;
    bool late, busy; /* late: by the second shift of the day */
    int64_t until_us;
};
struct place {
    const char *name;
    int minutes_east;
    struct person p[PEOPLE];
    struct world_hub h;
};
static struct place place[HUBS] = {
    { .name = "apia", .minutes_east = 780 },      { .name = "lord-howe", .minutes_east = 660 },
    { .name = "tokyo", .minutes_east = 540 },     { .name = "kathmandu", .minutes_east = 345 },
    { .name = "kolkata", .minutes_east = 330 },   { .name = "nairobi", .minutes_east = 180 },
    { .name = "accra", .minutes_east = 0 },       { .name = "london", .minutes_east = 0 },
    { .name = "new-york", .minutes_east = -300 }, { .name = "medellin", .minutes_east = -300 },
};

enum { LONG, SOME, FEW, TWO, REGION, URGENT, RUNS };
static struct {
    const char *name, *line;
    unsigned each, every_steps;                  /* so many units, each so many steps; 0: once */
    uint64_t id, since, served, base, base_long; /* base: when the stretch began in which it and LONG both have work */
    int64_t waits_us,
        gap_us;    /* with work, and somebody there who may do it, since then without an assignment; the longest */
    uint64_t lead; /* the greatest difference to LONG in such a stretch */
    bool together;
} run[RUNS] = {
    [LONG] = { .name = "long", .line = "plain", .each = 20000 },
    [SOME] = { .name = "some", .line = "plain", .each = 60, .every_steps = 36 },
    [FEW] = { .name = "few", .line = "plain", .each = 5, .every_steps = 12 },
    [TWO] = { .name = "two", .line = "reviewed", .each = 40, .every_steps = 24 },
    [REGION] = { .name = "region", .line = "near", .each = 30, .every_steps = 24 },
    [URGENT] = { .name = "urgent", .line = "plain", .each = 120, .every_steps = 288 },
};

static struct world w;
static uint64_t seed = 7;
static unsigned off_shift, submitted;

static unsigned dice(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % n;
}

/* ---- the hubs ---- */

static int64_t begins(const struct place *pl, bool late, int day)
{
    return MONDAY_US + day * DAY + (late ? 13 : 7) * HOUR - pl->minutes_east * MINUTE;
}

static bool on_shift(const struct place *pl, const struct person *p)
{
    for (int d = -1; d < 9; d++)
        if (begins(pl, p->late, d) <= w.wall_us && w.wall_us < begins(pl, p->late, d) + 8 * HOUR)
            return true;
    return false;
}

static void tell(struct place *pl)
{
    static char name[PEOPLE][40];
    struct staff_shift shift[2];
    struct staff people[PEOPLE];
    const char *by[PEOPLE];
    int64_t at_us[2][20];
    for (int late = 0; late < 2; late++) {
        unsigned n = 0;
        for (int d = -1; d < 9; d++) {
            at_us[late][n++] = begins(pl, late, d);
            at_us[late][n++] = begins(pl, late, d) + 8 * HOUR;
        }
        shift[late] = (struct staff_shift){ late ? "late" : "early", "Africa/Nairobi", HOUR, at_us[late], n };
    }
    staff_shifts(&w, &pl->h, shift, 2, MONDAY_US + 9 * DAY);
    for (unsigned i = 0; i < PEOPLE; i++) {
        pl->p[i].late = i >= PEOPLE / 2;
        snprintf(name[i], sizeof name[i], "%s-%u", pl->name, i);
        people[i] = (struct staff){ .name = name[i] };
        by[i] = pl->p[i].late ? "late" : "early";
    }
    staff_roster_by(&w, &pl->h, people, by, 1, PEOPLE);
}

static void take_in(struct place *pl)
{
    static struct world_task t[200];
    for (size_t i = 0, n = world_tasks(&w, &pl->h, t, 200); i < n; i++)
        for (unsigned k = 0; k < PEOPLE; k++) {
            struct person *p = &pl->p[k];
            if (pl->h.worker[k] != t[i].worker)
                continue;
            assert_false(p->busy);
            off_shift += !on_shift(pl, p);
            p->task = t[i];
            p->busy = true;
            p->until_us = w.wall_us + (2 + dice(5)) * STEP;
            assert_int_equal(world_act(&w, &pl->h, &p->task, ACT_START, NULL, NULL), SLP_E_OK);
        }
}

static void work(struct place *pl)
{
    for (unsigned k = 0; k < PEOPLE; k++) {
        struct person *p = &pl->p[k];
        if (!p->busy || w.wall_us < p->until_us)
            continue;
        assert_int_equal(world_submit(&w, &pl->h, &p->task, "done"), SLP_E_OK);
        p->busy = false;
        submitted++;
        world_credit(&w, &pl->h, k, 1);
    }
}

/* ---- what is looked at after each step ---- */

static uint64_t ready(int r)
{
    uint64_t n = 0;
    static const char *const stations[] = { "s", "review" };
    for (int i = 0; i < 1 + (r == TWO); i++)
        n += world_count(&w, run[r].name, stations[i], TASK_READY);
    return n;
}

static void count_served(int r)
{
    char stream[40];
    snprintf(stream, sizeof stream, "run/%s", run[r].name);
    struct slp_events_get q = { .since = run[r].since ? run[r].since : 1, .stream = world_str(stream) };
    SLP_SET(&q, events_get, stream);
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&w, SLP_EVENTS_GET, &q);
        assert_int_equal(m->type, SLP_EVENTS);
        struct slp_cursor c = slp_each(m->u.events.events);
        for (struct slp_item_event e; slp_next_event(&c, &e);)
            for (unsigned i = 1; e.type == EV_ASSIGNED; i += 2) {
                char path[24];
                snprintf(path, sizeof path, "units[%u]", i);
                uint64_t n = world_number(world_at(e.data, path));
                if (n == UINT64_MAX)
                    break;
                run[r].served += n;
            }
        q.since = m->u.events.next_since;
        more = m->u.events.more;
    }
    run[r].since = q.since;
}

/* Somebody is on shift who may work for this run, and has no task or is at one: hands that could have come to it. */
static bool hands(int r)
{
    for (int h = 0; h < HUBS; h++)
        for (int k = 0; k < PEOPLE; k++)
            if ((r != REGION || h == 3 || h == 4) && on_shift(&place[h], &place[h].p[k]))
                return true;
    return false;
}

static void judge(void)
{
    uint64_t was[RUNS], left[RUNS];
    for (int r = 0; r < RUNS; r++) {
        was[r] = run[r].served;
        count_served(r);
        left[r] = ready(r);
    }
    for (int r = 0; r < RUNS; r++) {
        if (run[r].served != was[r] || !left[r] || !hands(r) || (r != URGENT && left[URGENT]))
            run[r].waits_us = 0;
        else
            run[r].waits_us += STEP;
        if (run[r].waits_us > run[r].gap_us)
            run[r].gap_us = run[r].waits_us;
        if (r == LONG || r == URGENT || r == TWO || r == REGION)
            continue;                      /* at other stations too, or of another priority: no bound is claimed */
        bool both = left[r] && left[LONG]; /* and all the time since the last look: units come right behind one */
        if (!run[r].together || !both) {
            run[r].base = run[r].served;
            run[r].base_long = run[LONG].served;
        }
        run[r].together = both;
        int64_t d = (int64_t)(run[r].served - run[r].base) - (int64_t)(run[LONG].served - run[r].base_long);
        uint64_t lead = (uint64_t)(d < 0 ? -d : d);
        run[r].lead = lead > run[r].lead ? lead : run[r].lead;
    }
}

static void a_week_of_ten_hubs_is_fair_and_nobody_starves(void **state)
{
    static const char text[] =
        "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n  - name: s\n    lease: 1h\n    start_by: 1d\n%s"
        "    form: {fields: [{name: answer, type: short_answer}]}\n%s";
    char yaml[700];
    (void)state;
    w.cfg.heartbeat_us = HOUR;
    world_open(&w);
    w.wall_us = MONDAY_US;
    snprintf(yaml, sizeof yaml, text, "plain", "", "");
    world_line(&w, yaml);
    snprintf(yaml, sizeof yaml, text, "near", "    worker: {only_hubs: [kathmandu, kolkata]}\n", "");
    world_line(&w, yaml);
    snprintf(yaml, sizeof yaml, text, "reviewed", "",
             "  - name: review\n    lease: 1h\n    start_by: 1d\n    worker: {not_who_did: [s]}\n    form: {fields: "
             "[{name: answer, type: short_answer}]}\n");
    world_line(&w, yaml);
    for (int r = 0; r < RUNS; r++)
        run[r].id = world_run(&w, run[r].line, run[r].name);
    assert_int_equal(world_run_set(&w, "urgent", RUN_SET_PRIORITY, 8), SLP_E_OK);
    for (int h = 0; h < HUBS; h++) {
        world_hub(&w, &place[h].h, place[h].name, 0, 0);
        tell(&place[h]);
        for (unsigned k = 0; k < PEOPLE; k++)
            world_credit(&w, &place[h].h, k, 1);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        for (int r = 0; r < RUNS; r++)
            if (run[r].every_steps ? step % run[r].every_steps == (unsigned)r : step == 0)
                for (unsigned n = run[r].each; n; n -= n < 500 ? n : 500)
                    world_put(&w, run[r].id, n < 500 ? n : 500);
        for (int h = 0; h < HUBS; h++)
            take_in(&place[h]);
        world_clear(&w);
        for (int h = 0; h < HUBS; h++) {
            world_beat(&w, &place[h].h);
            work(&place[h]);
        }
        world_pass(&w, STEP);
        for (int h = 0; h < HUBS; h++)
            take_in(&place[h]);
        world_clear(&w);
        judge();
        world_clear(&w);
    }
    print_message("a week, %d hubs of %d people, %u results; given to somebody off shift: %u\n", HUBS, PEOPLE,
                  submitted, off_shift);
    for (int r = 0; r < RUNS; r++) {
        print_message("  %-7s %5llu assignments; longest without one, though it had work and hands, and no higher "
                      "priority had: %3lld min",
                      run[r].name, (unsigned long long)run[r].served, (long long)(run[r].gap_us / MINUTE));
        if (r == SOME || r == FEW)
            print_message("; furthest from `long` while both had work: %llu", (unsigned long long)run[r].lead);
        print_message("\n");
    }
    for (int r = 0; r < RUNS; r++) {
        assert_in_range(run[r].gap_us, 0, HOUR);
        assert_in_range(run[r].lead, 0, 2);
        assert_true(run[r].served > 0);
    }
    assert_int_equal(off_shift, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_week_of_ten_hubs_is_fair_and_nobody_starves) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
