/* Round the clock: a day and an hour of three hubs on three continents, on the real engine, in seconds. The clock is an input, so nothing here waits.
 *
 *   round-the-clock            a chart of who did what when, and sums
 *   round-the-clock --facts    the same as lines of words and numbers, for a test
 *
 * Twelve people are signed in all the time, shift or no shift; the agents' own code turns their local shifts into UTC, the engine decides who gets what. What
 * three of four in each hub write in the day, the fourth reviews, mostly at night: accepts, improves, or sends back. What is sent back waits six hours for whoever wrote it, who mostly
 * sleeps, and then goes to whoever writes by then. A person takes three to nine minutes
 * for a task, by a fixed sequence of numbers. Whoever is handed a task is looked up again, for the very moment, by other arithmetic than the agents': the C library says
 * what time it is at his place, and the hours are those of the table below. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/engine_staff.h"
#include "worker-agent/shift.h"

#define SECOND 1000000ll
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define HOURS 25
#define CELLS (HOURS * 2)
#define UNITS 1500
#define HUBS 3
#define PEOPLE 4
#define BEGIN_US 1795662000000000ll /* 2026-11-26 03:00 UTC, a Thursday: Kathmandu opens in a quarter of an hour */

static const char *const line_yaml =
    "line: letters\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: write\n    worker: {kind: human, skills: {write: 1}}\n    lease: 20m\n    start_by: 12h\n"
    "    form: {fields: [{name: answer, type: short_answer}]}\n"
    "  - name: improve\n    type: improve\n    worker: {kind: human, skills: {review: 1}}\n    lease: 20m\n    "
    "start_by: "
    "12h\n"
    "    reasons: [unclear]\n    return_to_author: 6h\n    rounds: 4\n";

struct person {
    const char *name;
    bool reviewer;
    uint16_t first, end; /* his shift, minutes of the local day */
    struct world_task waiting[8], task;
    unsigned waits;
    bool busy;
    int64_t until_us;
    struct shift_time on[8];
    int shifts;
    unsigned done[CELLS];
};

struct place {
    const char *name, *zone;
    struct person p[PEOPLE];
    struct world_hub h;
    unsigned wrote, improved;
};

#define PERSON(n, r, from, to)                                                                                         \
    {                                                                                                                  \
        .name = n, .reviewer = r, .first = from, .end = to                                                             \
    }
#define AT(h, m) ((h)*60 + (m)) /* beyond 24 h it is the next day */
static struct place place[HUBS] = {
    { .name = "kathmandu",
      .zone = "Asia/Kathmandu",
      .p = { PERSON("asha", false, AT(9, 0), AT(17, 0)), PERSON("bina", false, AT(9, 0), AT(17, 0)),
             PERSON("deepak", false, AT(10, 0), AT(18, 0)), PERSON("mina", true, AT(21, 0), AT(29, 0)) } },
    { .name = "nairobi",
      .zone = "Africa/Nairobi",
      .p = { PERSON("njeri", false, AT(14, 0), AT(22, 15)), PERSON("otieno", false, AT(14, 0), AT(22, 15)),
             PERSON("wanjiru", false, AT(15, 0), AT(22, 0)), PERSON("kamau", true, AT(22, 0), AT(30, 0)) } },
    { .name = "medellin",
      .zone = "America/Bogota",
      .p = { PERSON("luz", false, AT(14, 0), AT(22, 20)), PERSON("mateo", false, AT(14, 0), AT(22, 20)),
             PERSON("sofia", false, AT(15, 0), AT(23, 0)), PERSON("ana", true, AT(17, 0), AT(25, 0)) } },
};

static struct world w;
static uint64_t seed = 42, run_id;
static unsigned off_shift, recalled, submitted;
static unsigned accepted, changed, sent_back, again_by_author, again_by_others;
static struct {
    uint8_t wrote, improved;
} unit_by[UNITS + 1]; /* hub number, from 1 */

static unsigned dice(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % n;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "round-the-clock: %s\n", what);
    exit(1);
}

/* ---- the hubs tell what their files would say ---- */

static void tell_shifts(struct place *pl)
{
    struct staff_shift told[PEOPLE];
    int64_t at_us[PEOPLE][16];
    struct shift_zone *zone = shift_zone_open(pl->zone);
    must(zone, "a time zone is not known here: is tzdata installed?");
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct person *p = &pl->p[i];
        struct shift_week week = { .from_day = INT64_MIN };
        for (int d = 0; d < 7; d++)
            week.day[d] = (struct shift_day){ 1, { { p->first, p->end } } };
        struct shift s = { .week_count = 1, .week = &week };
        p->shifts = shift_utc(&s, zone, BEGIN_US - 24 * HOUR, BEGIN_US + 48 * HOUR, p->on, 8);
        for (int k = 0; k < p->shifts; k++) {
            at_us[i][2 * k] = p->on[k].first_us;
            at_us[i][2 * k + 1] = p->on[k].end_us;
        }
        told[i] = (struct staff_shift){ p->name, pl->zone, 1800 * SECOND, at_us[i], (unsigned)p->shifts * 2 };
    }
    shift_zone_close(&zone);
    staff_shifts(&w, &pl->h, told, PEOPLE, BEGIN_US + 9 * 24 * HOUR);
}

static void tell_roster(struct place *pl)
{
    struct staff people[PEOPLE];
    const char *by[PEOPLE];
    for (unsigned i = 0; i < PEOPLE; i++) {
        people[i] =
            (struct staff){ .name = pl->p[i].name, .skill = pl->p[i].reviewer ? "review" : "write", .level = 1 };
        by[i] = pl->p[i].name;
    }
    staff_roster_by(&w, &pl->h, people, by, 1, PEOPLE);
}

/* ---- what comes, and what is done with it ---- */

/* By nothing of what the engine was told. */
static bool on_shift(const struct place *pl, const struct person *p, int64_t wall_us)
{
    time_t s = wall_us / SECOND;
    struct tm here;
    must(setenv("TZ", pl->zone, 1) == 0, "out of memory");
    tzset();
    must(localtime_r(&s, &here), "this is no time");
    int now = AT(here.tm_hour, here.tm_min), since_yesterday = now + AT(24, 0);
    return (p->first <= now && now < p->end) || since_yesterday < p->end;
}

static int64_t ends_in(const struct person *p, int64_t wall_us)
{
    for (int i = 0; i < p->shifts; i++)
        if (p->on[i].first_us <= wall_us && wall_us < p->on[i].end_us)
            return p->on[i].end_us - wall_us;
    return 0;
}

static void take_in(struct place *pl)
{
    static struct world_task t[600];
    size_t n = world_tasks(&w, &pl->h, t, 600);
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < PEOPLE; k++) {
            struct person *p = &pl->p[k];
            if (pl->h.worker[k] != t[i].worker)
                continue;
            off_shift += !on_shift(pl, p, w.wall_us);
            must(p->waits < 8, "more was handed out than granted");
            p->waiting[p->waits++] = t[i];
        }
    struct slp_msg *m;
    for (size_t i = 0; (m = world_sent(&w, pl->h.peer, SLP_RECALL, i)); i++) {
        struct slp_cursor c = slp_each(m->u.recall.assignments);
        for (uint64_t no; slp_next_u64(&c, &no);)
            for (unsigned k = 0; k < PEOPLE; k++) {
                struct person *p = &pl->p[k];
                for (unsigned j = 0; j < p->waits; j++)
                    if (p->waiting[j].assignment == no) {
                        p->waiting[j--] = p->waiting[--p->waits];
                        recalled++;
                        world_credit(&w, &pl->h, k, 1); /* the slot is free again */
                    }
            }
    }
}

static void all_take_in(void)
{
    for (unsigned h = 0; h < HUBS; h++)
        take_in(&place[h]);
    world_clear(&w);
}

/* A letter, or a verdict on one. */
static enum slp_code hand_in(struct place *pl, const struct person *p)
{
    struct slp_buf b = { 0 }, v = { 0 };
    unsigned lot = p->reviewer ? dice(10) : 0;
    const char *const letter[] = { "done" }, *const verdict[][4] = { { NULL, "reject", "what is meant?", "unclear" },
                                                                     { "done well", "improve", NULL, NULL },
                                                                     { NULL, "accept", NULL, NULL } };
    unsigned which = lot == 0 ? 0 : lot <= 3 ? 1 : 2, n = p->reviewer ? 4 : 1;
    const char *const *text = p->reviewer ? verdict[which] : letter;
    for (unsigned i = 0; i < n; i++)
        if (text[i])
            slp_pack_cstr(&v, text[i]);
        else
            slp_pack_nil(&v);
    struct slp_item_result it = { .assignment = p->task.assignment,
                                  .worker = p->task.worker,
                                  .values = { v.p, (uint32_t)v.n, n } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = pl->h.session, .results = { b.p, (uint32_t)b.n, 1 } };
    struct slp_msg *m = world_send(&w, pl->h.peer, SLP_SUBMIT, &q);
    slp_buf_free(&b);
    slp_buf_free(&v);
    if (p->reviewer)
        *(which == 0 ? &sent_back : which == 1 ? &changed : &accepted) += 1;
    struct slp_cursor c = slp_each(m->u.outcomes.outcomes);
    struct slp_item_outcome o = { .code = SLP_E_OK };
    return m->type == SLP_OUTCOMES && slp_next_outcome(&c, &o) ? (enum slp_code)o.code : world_code(m);
}

static void work(struct place *pl, struct person *p)
{
    if (p->busy && w.wall_us >= p->until_us) {
        must(hand_in(pl, p) == SLP_E_OK, "a result did not count");
        p->busy = false;
        p->done[(w.wall_us - BEGIN_US) / (HOUR / 2) < CELLS ? (w.wall_us - BEGIN_US) / (HOUR / 2) : CELLS - 1]++;
        *(p->reviewer ? &pl->improved : &pl->wrote) += 1;
        submitted++;
        world_credit(&w, &pl->h, (unsigned)(p - pl->p), 1);
    }
    if (p->busy || !p->waits || ends_in(p, w.wall_us) < 4 * MINUTE)
        return; /* nobody begins what cannot be finished: it stays unstarted until the shift ends */
    p->task = p->waiting[0];
    memmove(p->waiting, p->waiting + 1, --p->waits * sizeof *p->waiting);
    if (world_act(&w, &pl->h, &p->task, ACT_START, NULL, NULL) != SLP_E_OK)
        return;
    p->busy = true;
    p->until_us = w.wall_us + (3 + dice(7)) * MINUTE;
}

static int who(uint64_t unit, int station, unsigned assignment)
{
    char path[80];
    snprintf(path, sizeof path, "stations[%d].assignments[%u].worker", station, assignment);
    for (unsigned h = 0; h < HUBS; h++)
        for (unsigned k = 0; k < PEOPLE; k++)
            if (world_story_is(&w, "day", unit, path, place[h].p[k].name))
                return (int)(h * PEOPLE + k);
    return -1;
}

/* Which hub wrote what which hub improved, and who wrote again what came back: out of the units' stories. */
static void look_back(void)
{
    for (uint64_t u = 1; u <= UNITS; u++) {
        int author = -1;
        for (unsigned a = 0; a < 16; a++) {
            char path[80];
            snprintf(path, sizeof path, "stations[0].assignments[%u].state", a);
            uint64_t state = world_story(&w, "day", u, path);
            if (state == UINT64_MAX)
                break;
            if (state != ASSIGN_COUNTED)
                continue;
            int by = who(u, 0, a);
            if (author >= 0)
                *(by == author ? &again_by_author : &again_by_others) += 1;
            author = by;
        }
        for (int s = 0; s < 2; s++)
            for (unsigned a = 0; a < 16; a++) {
                char path[80];
                snprintf(path, sizeof path, "stations[%d].assignments[%u].state", s, a);
                uint64_t state = world_story(&w, "day", u, path);
                if (state == UINT64_MAX)
                    break;
                if (state != ASSIGN_COUNTED)
                    continue;
                for (unsigned h = 0; h < HUBS; h++) {
                    snprintf(path, sizeof path, "stations[%d].assignments[%u].hub", s, a);
                    if (world_story_is(&w, "day", u, path, place[h].name))
                        *(s ? &unit_by[u].improved : &unit_by[u].wrote) = (uint8_t)(h + 1);
                }
            }
    }
}

/* ---- the outcome ---- */

static char cell(const struct place *pl, const struct person *p, int i)
{
    int64_t from = BEGIN_US + i * (HOUR / 2);
    bool on = on_shift(pl, p, from) || on_shift(pl, p, from + HOUR / 2 - 1);
    return p->done[i] ? (char)('0' + (p->done[i] < 9 ? p->done[i] : 9)) : on ? '-' : '.';
}

static void chart(void)
{
    printf("Results handed in, each half hour from 2026-11-26 03:00 UTC on; - on shift, . off shift, though signed "
           "in:\n\n%-28s",
           "UTC");
    for (int i = 0; i < HOURS; i += 3)
        printf("%02d    ", (3 + i) % 24);
    printf("\n");
    for (unsigned h = 0; h < HUBS; h++)
        for (unsigned k = 0; k < PEOPLE; k++) {
            const struct person *p = &place[h].p[k];
            printf("%-10s %-8s %-8s", place[h].name, p->name, p->reviewer ? "improve" : "write");
            for (int i = 0; i < CELLS; i++)
                putchar(cell(&place[h], p, i));
            putchar('\n');
        }
}

static void sums(bool facts, double seconds)
{
    unsigned by[HUBS + 1][HUBS + 1] = { { 0 } }, night = 0;
    for (unsigned u = 1; u <= UNITS; u++)
        by[unit_by[u].wrote][unit_by[u].improved]++;
    for (unsigned a = 1; a <= HUBS; a++)
        for (unsigned b = 1; b <= HUBS; b++)
            night += a != b ? by[a][b] : 0;
    if (facts) {
        printf("off_shift %u\nrecalled %u\nresults %u\nimproved_elsewhere %u\n", off_shift, recalled, submitted, night);
        printf("accepted %u\nchanged %u\nsent_back %u\nagain_by_author %u\nagain_by_others %u\n", accepted, changed,
               sent_back, again_by_author, again_by_others);
        for (unsigned h = 0; h < HUBS; h++)
            printf("hub %s wrote %u improved %u\n", place[h].name, place[h].wrote, place[h].improved);
        for (unsigned h = 0; h < HUBS; h++)
            for (unsigned k = 0; k < PEOPLE; k++) {
                printf("person %s %s ", place[h].name, place[h].p[k].name);
                for (int i = 0; i < CELLS; i++)
                    putchar(cell(&place[h], &place[h].p[k], i));
                putchar('\n');
            }
        return;
    }
    printf("\n");
    for (unsigned h = 0; h < HUBS; h++)
        printf("%-10s wrote %3u, reviewed %3u (%u of its own, %u that others wrote)\n", place[h].name, place[h].wrote,
               place[h].improved, by[h + 1][h + 1], place[h].improved - by[h + 1][h + 1]);
    printf("Reviews: %u accepted, %u improved, %u sent back; of these %u were written again by their author, %u by "
           "others.\n",
           accepted, changed, sent_back, again_by_author, again_by_others);
    printf("%u results in %d hours; %u %s handed back at a shift's end; given to somebody off shift: %u. It took %.1f "
           "s.\n",
           submitted, HOURS, recalled, recalled == 1 ? "task was" : "tasks were", off_shift, seconds);
}

int main(int argc, char **argv)
{
    bool facts = argc > 1 && !strcmp(argv[1], "--facts");
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    world_open(&w);
    w.wall_us = BEGIN_US;
    world_line(&w, line_yaml);
    run_id = world_run(&w, "letters", "day");
    for (unsigned h = 0; h < HUBS; h++) {
        struct place *pl = &place[h];
        world_hub(&w, &pl->h, pl->name, 0, 0);
        tell_shifts(pl);
        tell_roster(pl);
        for (unsigned k = 0; k < PEOPLE; k++)
            world_credit(&w, &pl->h, k, 2); /* one at hand, one behind it */
    }
    for (unsigned n = 0; n < UNITS; n += 500)
        world_put(&w, run_id, 500);
    for (int64_t minute = 0; minute < HOURS * 60; minute++) {
        for (unsigned h = 0; h < HUBS; h++) {
            world_beat(&w, &place[h].h);
            for (unsigned k = 0; k < PEOPLE; k++)
                work(&place[h], &place[h].p[k]);
        }
        all_take_in();
        for (int s = 0; s < 6; s++) { /* the hubs must not fall silent */
            world_pass(&w, 10 * SECOND - 1);
            all_take_in(); /* shifts begin and end at whole minutes: what held at the last moment held for all ten seconds */
            world_pass(&w, 1);
            for (unsigned h = 0; h < HUBS; h++)
                world_beat(&w, &place[h].h);
            all_take_in();
        }
    }
    look_back();
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (!facts)
        chart();
    sums(facts, (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    world_close(&w);
    return off_shift != 0;
}
