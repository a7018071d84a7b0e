/* See engine_play.h: a short life of what comes up only where there is much of it. Authors for whom all that waits is their own; the days of a zone; and so many
 * stations, each for other people, that the matcher's words must widen while somebody waits, is suspended, and runs are open. */
#include "tests/lib/engine_play.h"

#include <stdio.h>
#include <string.h>

#define MANY 100
#define DAY_US 86400000000ll

static const char *const yaml = "line: checked\ninput:\n  - {name: text, type: text}\nstations:\n"
                                "  - name: make\n    form: {fields: [{name: a, type: short_answer}]}\n"
                                "  - name: check\n    worker: {not_who_did: [make], skills: {craft: 1}}\n"
                                "    form: {fields: [{name: b, type: short_answer}]}\n";

static const struct staff crew[] = { { "ann", 0, "craft", 1, NULL }, { "bob", 0, "craft", 2, "red" } };

/* Stations that ask for a skill each, at this level: the gate of none is another's. */
static void many_stations(const char *name, unsigned level)
{
    static char text[20000];
    size_t n = (size_t)snprintf(text, sizeof text, "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n", name);
    for (unsigned i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "  - {name: s%u, after: [], worker: {skills: {k%u: %u}}, form: {fields: [{name: f%u, "
                              "type: short_answer}]}}\n",
                              i, i, level, i);
    world_line(&play.w, text);
    play_put(world_run(&play.w, name, name), 1); /* which is ready at all of them at once */
}

/* ---- the steps ---- */

static void a_line_is_applied(void)
{
    play.station = world_line(&play.w, yaml);
    play.run = world_run(&play.w, "checked", "r");
}
static void a_hub_comes(void)
{
    world_hub(&play.w, &play.hub[0], "west", 0, 0);
    play.hubs = play.w.failed ? 0 : 1;
    if (play.hubs)
        staff_roster(&play.w, &play.hub[0], crew, 2);
}
static void the_days_of_a_zone_are_told(void)
{
    struct slp_buf at = { 0 }, item = { 0 };
    char digest[32] = { 1 };
    for (int i = 0; i < 3; i++)
        slp_pack_u64(&at, (uint64_t)((play.w.wall_us / DAY_US + i) * DAY_US));
    struct slp_item_zone_days z = { .zone = world_str("UTC"), .days = { at.p, (uint32_t)at.n, 3 } };
    slp_pack_item(&item, SLP_ITEM_zone_days, &z);
    struct slp_shifts q = { .session = play.hub[0].session,
                            .digest = { digest, sizeof digest },
                            .until_wall_us = play.w.wall_us + 3 * DAY_US,
                            .last = true,
                            .zones = { item.p, (uint32_t)item.n, 1 } };
    SLP_SET(&q, shifts, zones);
    world_send(&play.w, play.hub[0].peer, SLP_SHIFTS, &q);
    slp_buf_free(&at);
    slp_buf_free(&item);
}
static void somebody_is_suspended(void)
{
    struct slp_worker_set q = { .name = world_str("bob"),
                                .line = world_str("checked"),
                                .station = world_str("make"),
                                .reason = world_str("so it is") };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    SLP_SET(&q, worker_set, reason);
    world_send(&play.w, WORLD_CLIENT, SLP_WORKER_SET, &q);
}
static void units_are_made(void)
{
    play_put(play.run, 5);
    world_clear(&play.w);
    world_credit(&play.w, &play.hub[0], 0, 5);
    play.n = world_tasks(&play.w, &play.hub[0], play.t, sizeof play.t / sizeof *play.t);
    for (size_t i = 0; i < play.n; i++)
        world_submit(&play.w, &play.hub[0], &play.t[i], "made");
}
static void authors_ask_for_what_they_made_themselves(void)
{
    world_credit(&play.w, &play.hub[0], 0, 2);
}
static void more_stations_than_a_word_has_bits(void)
{
    world_credit(&play.w, &play.hub[0], 1, 1); /* the suspended one waits */
    many_stations("many", 1);
}
static void runs_are_over(void)
{
    world_run_set(&play.w, "many", RUN_SET_CANCEL, 0);
    world_pass(&play.w, 1000000);
}
static void others_take_their_place(void)
{
    many_stations("others", 2);
}

#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, name, false                                                                                             \
    }
const struct play_step play_crowd_steps[] = {
    S(a_line_is_applied),
    S(a_hub_comes),
    S(the_days_of_a_zone_are_told),
    S(somebody_is_suspended),
    S(units_are_made),
    S(authors_ask_for_what_they_made_themselves),
    S(more_stations_than_a_word_has_bits),
    S(runs_are_over),
    S(others_take_their_place),
    { NULL, NULL, false },
};
#undef S
