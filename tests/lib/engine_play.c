/* See engine_play.h. */
#include "tests/lib/engine_play.h"

#include <stdio.h>
#include <string.h>

struct play play;

static const char *const yaml[] = {
    "line: wide\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: a\n    worker: {skills: {english: 2}}\n    form: {fields: [{name: x, type: short_answer}]}\n"
    "    lease: 20s\n    backoff: 2s\n    attempts: 2\n    start_by: 60s\n"
    "  - name: b\n    after: [a]\n    when: a.x == \"1\"\n    copies: {min: 2, max: 3}\n"
    "    agree: {on: [y], method: plurality, ties: more}\n    form: {fields: [{name: y, type: short_answer}]}\n"
    "    lease: 20s\n    backoff: 2s\n"
    "  - name: c\n    after: [a]\n    worker: {not_who_did: [a], not_teams: [red]}\n"
    "    form: {fields: [{name: z, type: long_answer}]}\n    lease: 20s\n    attempts: 1\n"
    "  - name: d\n    after: [b, c]\n    form: {fields: [{name: end, type: short_answer}]}\n    lease: 20s\n",
    "line: wide\ntitle: again\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: a\n    form: {fields: [{name: x, type: short_answer}]}\n",
    "line: other\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: only\n    form: {fields: [{name: x, type: short_answer}]}\n    lease: 20s\n    attempts: 1\n",
    "line: more\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: write\n    worker: {per_day: 500}\n    at_once: 6\n    lease: 20s\n    backoff: 2s\n    attempts: 2\n"
    "    form: {fields: [{name: title, type: short_answer, required: true}]}\n"
    "    window: {last: 20, within: 30d}\n    require: {abandonment: \"< 0.9\", after: 10}\n"
    "    gold: {every: 2, columns: [text, title], cells: [one, uno, two, due], rules: [{below: 0.1, after: 2, do: "
    "suspend}]}\n"
    "  - name: edit\n    type: improve\n    reasons: [copied]\n    rounds: 2\n    lease: 20s\n"
    "  - name: pick\n    type: tournament\n    after: [edit]\n    contestants: 2\n    jury: {max: 3, ties: first}\n"
    "    lease: 20s\n    form: {fields: [{name: answer, type: short_answer, required: true}]}\n",
};

static const struct staff crew[] = { { "ann", 0, "english", 3, "red" },
                                     { "bob", 0, "english", 2, NULL },
                                     { "cat", 1, NULL, 0, "blue" },
                                     { "dan", 0, "english", 5, NULL } };

static void answer(uint64_t type, const void *any)
{
    world_send(&play.w, WORLD_CLIENT, type, any);
}

/* Credit for all of a hub; what came of it, and of what was there, is in play.t. */
static void work(unsigned hub, unsigned more)
{
    world_clear(&play.w);
    for (unsigned i = 0; i < play.hub[hub].workers; i++)
        world_credit(&play.w, &play.hub[hub], i, more);
    play.n = world_tasks(&play.w, &play.hub[hub], play.t, sizeof play.t / sizeof *play.t);
}

static void rows(uint64_t run, unsigned n, const char *key, int64_t delay_us, size_t bytes)
{
    struct slp_buf b = { 0 }, keys = { 0 };
    char text[9000];
    for (unsigned i = 0; i < n; i++) {
        memset(text, 'a' + (int)(play.w.units_put % 26), sizeof text);
        snprintf(text, sizeof text, "unit %u", ++play.w.units_put);
        slp_pack_array(&b, 1);
        slp_pack_str(&b, text, bytes ? bytes : strlen(text));
        slp_pack_cstr(&keys, i ? "" : key);
    }
    struct slp_put q = { .run_id = run,
                         .rows = { b.p, (uint32_t)b.n, n },
                         .keys = { keys.p, (uint32_t)keys.n, n },
                         .delay_us = (uint64_t)delay_us };
    if (*key)
        SLP_SET(&q, put, keys);
    if (delay_us)
        SLP_SET(&q, put, delay_us);
    answer(SLP_PUT, &q);
    slp_buf_free(&b);
    slp_buf_free(&keys);
}

/* ---- the steps ---- */

static void a_line_is_applied(void)
{
    play.station = world_line(&play.w, yaml[0]);
}
static void a_run_is_started(void)
{
    play.run = world_run(&play.w, "wide", "r");
}
static void another_line_and_run(void)
{
    world_line(&play.w, yaml[2]);
    play.other = world_run(&play.w, "other", "o");
}
static void a_hub_comes(void)
{
    world_hub(&play.w, &play.hub[0], "west", 0, 0);
    play.hubs = play.w.failed ? 0 : 1;
    if (play.hubs)
        staff_roster(&play.w, &play.hub[0], crew, 4);
}
static void another_hub_comes_with_a_shift(void)
{
    static const int64_t hours[] = { -3600, 3600, 86400, 90000 };
    world_hub(&play.w, &play.hub[1], "east", 2, 0);
    play.hubs = play.w.failed ? 1 : 2;
    if (play.hubs < 2)
        return;
    world_shift(&play.w, &play.hub[1], "day", hours, 4, 0);
    world_roster_by(&play.w, &play.hub[1], "day");
}
void play_put(uint64_t run, unsigned n)
{
    struct slp_buf b = { 0 };
    for (unsigned i = 0; i < n; i++) {
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, "something to work at");
    }
    struct slp_put q = { .run_id = run, .rows = { b.p, (uint32_t)b.n, n } };
    world_send(&play.w, WORLD_CLIENT, SLP_PUT, &q);
    slp_buf_free(&b);
}

static void units_are_put(void)
{
    rows(play.run, 6, "", 0, 0);
}
static void units_are_put_under_keys(void)
{
    rows(play.run, 2, "key", 0, 0);
}
static void units_are_put_for_later(void)
{
    rows(play.run, 2, "", 3000000, 0);
}
static void large_units_are_put(void)
{
    rows(play.run, 3, "", 0, 9000);
}
static void units_are_put_by_number(void)
{
    struct slp_buf b = { 0 };
    for (unsigned i = 0; i < 2; i++) {
        slp_pack_array(&b, 1);
        slp_pack_cstr(&b, "numbered");
    }
    struct slp_put q = { .run_id = play.run,
                         .rows = { b.p, (uint32_t)b.n, 2 },
                         .producer = { "0123456789abcdef", 16 },
                         .epoch = 1,
                         .first_seq = 1 };
    SLP_SET(&q, put, producer);
    SLP_SET(&q, put, epoch);
    SLP_SET(&q, put, first_seq);
    answer(SLP_PUT, &q);
    slp_buf_free(&b);
    answer(SLP_PRODUCER_GET, &(struct slp_producer_get){ .run_id = play.run, .producer = { "0123456789abcdef", 16 } });
}
static void units_are_put_into_the_other(void)
{
    rows(play.other, 4, "", 0, 0);
}
static void work_is_handed_out(void)
{
    work(0, 2);
}
static void all_is_answered(void)
{
    work(0, 3);
    for (size_t i = 0; i < play.n; i++)
        world_submit(&play.w, &play.hub[0], &play.t[i], i % 3 ? "1" : "0");
}
static void work_is_begun_and_touched(void)
{
    work(0, 2);
    for (size_t i = 0; i < play.n; i++) {
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_START, NULL, NULL);
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_TOUCH, NULL, NULL);
    }
}
static void work_comes_back_in_every_way(void)
{
    work(0, 2);
    for (size_t i = 0; i < play.n; i++)
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_RELEASE + (unsigned)i % 4, "because", NULL);
}
static void a_frame_of_many_acts(void)
{
    struct slp_buf acts = { 0 }, grants = { 0 };
    work(0, 2);
    for (size_t i = 0; i < play.n; i++) {
        struct slp_item_act a = { .act = (unsigned)i % 6,
                                  .assignment = play.t[i].assignment,
                                  .worker = play.t[i].worker };
        slp_pack_item(&acts, SLP_ITEM_act, &a);
    }
    struct slp_item_credit c = { .worker = play.hub[0].worker[0], .total = play.hub[0].granted[0] += 2 };
    slp_pack_item(&grants, SLP_ITEM_credit, &c);
    struct slp_acts q = { .session = play.hub[0].session,
                          .acts = { acts.p, (uint32_t)acts.n, (uint32_t)play.n },
                          .grants = { grants.p, (uint32_t)grants.n, 1 } };
    SLP_SET(&q, acts, grants);
    world_send(&play.w, play.hub[0].peer, SLP_ACTS, &q);
    slp_buf_free(&acts);
    slp_buf_free(&grants);
}
static void half_a_minute_goes_by(void)
{
    world_pass(&play.w, 30000000);
}
static void minutes_go_by(void)
{
    world_pass(&play.w, 400000000);
}
static void the_dead_are_requeued_by_number(void)
{
    static const uint64_t unit[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    for (uint32_t i = 0; i < 4; i++)
        world_tasks_set(&play.w, play.station + i, 0, "r", unit, 9);
}
static void all_dead_are_requeued(void)
{
    for (uint32_t i = 0; i < 4; i++)
        world_tasks_set(&play.w, play.station + i, 0, NULL, NULL, 0);
    world_pass(&play.w, 1000);
}
static void a_unit_is_dropped(void)
{
    static const uint64_t unit[] = { 2 };
    world_tasks_set(&play.w, play.station, 1, "r", unit, 1);
}
static void all_dead_are_dropped(void)
{
    world_tasks_set(&play.w, play.station, 1, "r", NULL, 0);
    world_pass(&play.w, 1000);
}
static void the_run_is_paused_and_resumed(void)
{
    world_run_set(&play.w, "r", RUN_SET_PAUSE, 0);
    world_pass(&play.w, 1000);
    world_run_set(&play.w, "r", RUN_SET_RESUME, 0);
}
static void the_run_gets_another_priority(void)
{
    world_run_set(&play.w, "r", RUN_SET_PRIORITY, 9);
    world_run_set(&play.w, "r", RUN_SET_PRIORITY, 5);
}
static void a_station_is_paused_and_resumed(void)
{
    world_station_set(&play.w, "wide", "a", 0);
    world_pass(&play.w, 1000);
    world_station_set(&play.w, "wide", "a", 1);
}
static void the_line_is_paused_and_resumed(void)
{
    world_line_set(&play.w, "wide", 0, false);
    world_pass(&play.w, 1000);
    world_line_set(&play.w, "wide", 1, false);
}
static void the_line_gets_a_version(void)
{
    world_line(&play.w, yaml[1]);
    world_run(&play.w, "wide", "newer");
}
static void the_roster_changes(void)
{
    static const struct staff fewer[] = { { "ann", 0, "english", 4, NULL }, { "eve", 0, "french", 1, "red" } };
    staff_roster(&play.w, &play.hub[0], crew, 3); /* one leaves, nobody joins */
    staff_roster(&play.w, &play.hub[0], fewer, 2);
    staff_roster(&play.w, &play.hub[0], crew, 4);
}
static void somebody_is_on_two_rosters(void)
{
    static const struct staff guest[] = { { "ann", 0, "english", 4, NULL } };
    staff_roster(&play.w, &play.hub[1], guest, 1);
    world_roster_by(&play.w, &play.hub[1], "day");
}
static void somebody_signs_off(void)
{
    work(0, 1);
    world_sign_off(&play.w, &play.hub[0], 0);
    world_beat(&play.w, &play.hub[0]);
}
static void a_hub_says_hello_again(void)
{
    uint64_t held[3] = { 1, 2, 1u << 20 };
    if (play.n)
        held[0] = play.t[0].assignment;
    world_hello(&play.w, &play.hub[0], held, 3);
}
static void a_hub_says_goodbye(void)
{
    work(1, 2);
    world_send(&play.w, play.hub[1].peer, SLP_BYE, &(struct slp_bye){ .session = play.hub[1].session });
    world_hello(&play.w, &play.hub[1], NULL, 0);
}
/* A line with limits, control tasks, a review and a tournament. */
static void a_line_of_many_kinds_is_applied(void)
{
    play.more_station = world_line(&play.w, yaml[3]);
    play.more = world_run(&play.w, "more", "m");
}
static void units_are_put_into_it(void)
{
    rows(play.more, 4, "", 0, 0);
}

/* An answer of as many values as the station asks for: its own, and of a review a verdict, a note and a reason. */
static void answer_as_asked(struct world_hub *h, const struct world_task *t, unsigned turn)
{
    struct slp_buf v = { 0 }, b = { 0 };
    uint32_t count = 1;
    unsigned place = t->station_id - play.more_station;
    slp_pack_cstr(&v, place == 3 ? "1" : turn % 3 ? "uno" : "another");
    if (place == 1) {
        slp_pack_cstr(&v, turn % 3 ? "accept" : "reject");
        slp_pack_nil(&v);
        if (turn % 3)
            slp_pack_nil(&v);
        else
            slp_pack_cstr(&v, "copied");
        count = 4;
    }
    struct slp_item_result it = { .assignment = t->assignment,
                                  .worker = t->worker,
                                  .values = { v.p, (uint32_t)v.n, count } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = h->session, .results = { b.p, (uint32_t)b.n, 1 } };
    world_send(&play.w, h->peer, SLP_SUBMIT, &q);
    slp_buf_free(&v);
    slp_buf_free(&b);
}
static void work_of_every_kind_is_answered(void)
{
    for (unsigned hub = 0; hub < 2; hub++) {
        work(hub, 2);
        for (size_t i = 0; i < play.n; i++)
            if (play.t[i].station_id >= play.more_station)
                answer_as_asked(&play.hub[hub], &play.t[i], (unsigned)i);
    }
}
static void all_kinds_are_read(void)
{
    for (uint64_t unit = 1; unit < 5; unit++)
        world_read(&play.w, SLP_UNIT_GET, &(struct slp_unit_get){ .run = world_str("m"), .unit = unit });
    world_read(&play.w, SLP_OUTPUT_GET, &(struct slp_output_get){ .run = world_str("m") });
}
static void the_run_of_many_kinds_is_deleted(void)
{
    world_run_set(&play.w, "m", RUN_SET_DELETE, 0);
    world_pass(&play.w, 1000);
}
static void operators_look_around(void)
{
    answer(SLP_LINES_GET, &(struct slp_lines_get){ 0 });
    answer(SLP_LINE_GET, &(struct slp_line_get){ .line = world_str("wide") });
    answer(SLP_RUNS_GET, &(struct slp_runs_get){ 0 });
    answer(SLP_RUN_GET, &(struct slp_run_get){ .run = world_str("r") });
    answer(SLP_STATIONS_GET, &(struct slp_stations_get){ 0 });
    answer(SLP_HUBS_GET, &(struct slp_hubs_get){ 0 });
    answer(SLP_WORKERS_GET, &(struct slp_workers_get){ 0 });
    answer(SLP_SHIFTS_GET, &(struct slp_shifts_get){ 0 });
    answer(SLP_STATS_GET, &(struct slp_stats_get){ 0 });
    answer(SLP_WORKER_WHY_GET, &(struct slp_worker_why_get){ .name = world_str("ann") });
    struct slp_workers_get one = { .name = world_str("bob"), .hub = world_str("west") };
    SLP_SET(&one, workers_get, name);
    SLP_SET(&one, workers_get, hub);
    answer(SLP_WORKERS_GET, &one);
}
static void an_agent_looks_around(void)
{
    uint64_t s = play.hub[0].session, peer = play.hub[0].peer;
    world_send(&play.w, peer, SLP_ROSTER_GET, &(struct slp_roster_get){ .session = s });
    world_send(&play.w, peer, SLP_FORM_GET, &(struct slp_form_get){ .station_id = play.station });
    world_send(&play.w, peer, SLP_WHY_GET, &(struct slp_why_get){ .session = s, .worker = play.hub[0].worker[1] });
}
static void outputs_are_read(void)
{
    struct slp_output_get q = { .run = world_str("r"), .all_units = true };
    SLP_SET(&q, output_get, all_units);
    world_read(&play.w, SLP_OUTPUT_GET, &q);
    q.station = world_str("b");
    q.answers = true;
    SLP_SET(&q, output_get, station);
    world_read(&play.w, SLP_OUTPUT_GET, &q);
    SLP_SET(&q, output_get, answers);
    world_read(&play.w, SLP_OUTPUT_GET, &q);
}
static void stories_are_read(void)
{
    for (uint64_t unit = 1; unit < 7; unit++)
        world_read(&play.w, SLP_UNIT_GET, &(struct slp_unit_get){ .run = world_str("r"), .unit = unit });
}
static void queues_are_read(void)
{
    for (uint32_t i = 0; i < 12; i++)
        world_read(&play.w, SLP_TASKS_GET,
                   &(struct slp_tasks_get){ .station_id = play.station + i / 3, .which = i % 3 });
    struct slp_tasks_get of = { .station_id = play.station, .run = world_str("r") };
    SLP_SET(&of, tasks_get, run);
    world_read(&play.w, SLP_TASKS_GET, &of);
}
static void events_are_read(void)
{
    struct slp_events_get q = { .since = play.w.out.last_event > 6 ? play.w.out.last_event - 6 : 1 };
    world_read(&play.w, SLP_EVENTS_GET, &q);
    static const char *const stream[] = { "run/r", "line/wide", "hub/west" };
    SLP_SET(&q, events_get, stream);
    for (int i = 0; i < 3; i++) {
        q.stream = world_str(stream[i]);
        world_read(&play.w, SLP_EVENTS_GET, &q);
    }
}
static void a_snapshot_is_read(void)
{
    world_read(&play.w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ 0 });
}
static void the_store_is_checked(void)
{
    world_read(&play.w, SLP_CHECK_GET, &(struct slp_check_get){ 0 });
}
static void runs_are_recounted(void)
{
    struct slp_check_get q = { .recount = true };
    SLP_SET(&q, check_get, recount);
    world_read(&play.w, SLP_CHECK_GET, &q);
}
static bool any(void *arg, const char *topic)
{
    (void)arg;
    (void)topic;
    return true;
}
static void count(void *arg, const char *topic, const char *body, size_t n)
{
    (void)topic;
    (void)body;
    (void)n;
    ++*(unsigned *)arg;
}
static void events_are_published(void)
{
    unsigned frames = 0;
    world_publish(&play.w, any, count, &frames);
}
static void work_is_begun_and_done_in_time(void)
{
    work(0, 2);
    for (size_t i = 0; i < play.n; i++)
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_START, NULL, NULL);
    play.w.now_us += 2000000;
    play.w.wall_us += 2000000;
    for (size_t i = 0; i < play.n; i++)
        world_submit(&play.w, &play.hub[0], &play.t[i], "1");
}
/* By the wall clock alone: the hour is over, and who was there is noted. */
static void an_hour_goes_by_at_once(void)
{
    play.w.wall_us += 3600000000;
    world_tick(&play.w);
    world_beat(&play.w, &play.hub[0]);
}
static void some_is_left_in_every_state(void)
{
    rows(play.run, 2, "", 3000000, 0);
    rows(play.run, 6, "", 0, 0);
    work(0, 2);
    for (size_t i = 0; i < play.n; i++)
        if (i % 4 < 3)
            world_act(&play.w, &play.hub[0], &play.t[i],
                      i % 4 == 0   ? ACT_START
                      : i % 4 == 1 ? ACT_FAIL
                                   : ACT_BURY,
                      "because", NULL);
}
static void all_dead_are_asked_for(void)
{
    for (uint32_t i = 0; i < 4; i++)
        world_tasks_set(&play.w, play.station + i, 0, i % 2 ? "r" : NULL, NULL, 0);
}
static void it_settles(void)
{
    world_settle(&play.w);
}
static void the_broker_starts_anew(void)
{
    world_restart(&play.w);
}
static void the_run_is_closed(void)
{
    world_run_set(&play.w, "r", RUN_SET_CLOSE, 0);
}
static void the_run_is_cancelled(void)
{
    world_run_set(&play.w, "r", RUN_SET_CANCEL, 0);
    world_pass(&play.w, 1000);
}
static void the_run_is_deleted(void)
{
    world_run_set(&play.w, "r", RUN_SET_DELETE, 0);
    world_pass(&play.w, 1000);
}
static void the_other_line_is_deleted(void)
{
    world_line_set(&play.w, "other", 2, true);
    world_pass(&play.w, 1000);
}

#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, name, false                                                                                             \
    }
const struct play_step play_steps[] = {
    S(a_line_is_applied),
    S(a_run_is_started),
    S(another_line_and_run),
    S(a_hub_comes),
    S(another_hub_comes_with_a_shift),
    S(units_are_put),
    S(units_are_put_under_keys),
    S(units_are_put_under_keys),
    S(units_are_put_for_later),
    S(large_units_are_put),
    S(units_are_put_by_number),
    S(units_are_put_into_the_other),
    S(work_is_handed_out),
    S(all_is_answered),
    S(operators_look_around),
    S(an_agent_looks_around),
    S(work_is_begun_and_touched),
    S(work_comes_back_in_every_way),
    S(a_frame_of_many_acts),
    S(half_a_minute_goes_by),
    S(all_is_answered),
    S(all_is_answered),
    S(the_dead_are_requeued_by_number),
    S(work_comes_back_in_every_way),
    S(all_dead_are_requeued),
    S(a_unit_is_dropped),
    S(work_comes_back_in_every_way),
    S(all_dead_are_dropped),
    S(a_line_of_many_kinds_is_applied),
    S(units_are_put_into_it),
    S(work_of_every_kind_is_answered),
    S(work_of_every_kind_is_answered),
    S(half_a_minute_goes_by),
    S(work_of_every_kind_is_answered),
    S(work_of_every_kind_is_answered),
    S(all_kinds_are_read),
    S(outputs_are_read),
    S(stories_are_read),
    S(queues_are_read),
    S(events_are_read),
    S(a_snapshot_is_read),
    { "the_store_is_checked", the_store_is_checked, true },
    S(runs_are_recounted),
    S(events_are_published),
    S(the_run_is_paused_and_resumed),
    S(the_run_gets_another_priority),
    S(a_station_is_paused_and_resumed),
    S(the_line_is_paused_and_resumed),
    S(the_line_gets_a_version),
    S(the_roster_changes),
    S(somebody_signs_off),
    S(a_hub_says_hello_again),
    S(a_hub_says_goodbye),
    S(somebody_is_on_two_rosters),
    S(it_settles),
    S(the_broker_starts_anew),
    S(minutes_go_by),
    S(work_is_begun_and_done_in_time),
    S(an_hour_goes_by_at_once),
    S(some_is_left_in_every_state),
    S(all_dead_are_asked_for),
    S(the_run_is_closed),
    S(the_run_is_cancelled),
    S(outputs_are_read),
    S(the_run_is_deleted),
    S(the_run_of_many_kinds_is_deleted),
    S(the_other_line_is_deleted),
    { NULL, NULL, false },
};
#undef S

void play_take(const struct play_step *s, void (*around)(bool in))
{
    world_watch(&play.w);
    play.w.around = around;
    s->take();
    world_flush(&play.w);
    play.w.around = NULL;
}

void play_anew(void)
{
    world_restart(&play.w);
    for (unsigned i = 0; i < play.hubs; i++)
        world_hello(&play.w, &play.hub[i], NULL, 0);
    world_clear(&play.w);
}

void play_until(const struct play_step *steps, const char *until, uint64_t wal_bytes)
{
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = wal_bytes });
    for (const struct play_step *s = steps; strcmp(s->what, until); s++)
        s->take();
    world_down(&play.w);
}

enum store_rc play_start(void (*around)(bool in))
{
    play.w.around = around;
    world_up(&play.w);
    enum store_rc rc = play.w.failed;
    play.w.around = NULL;
    world_down(&play.w);
    world_clear(&play.w);
    return rc;
}
