/* See engine_play.h: the life of people who are watched. Control tasks, and what follows from their answers; operators who suspend, readmit, grant and revoke;
 * skills with an end, bars, requirements over one station and over all; answers weighed by who gave them; reviews that go back to their author, entries
 * that are equal, and what a forecast asks for. */
#include "tests/lib/engine_play.h"

#include <string.h>

enum {
    LABEL,
    WRITE,
    PRACTICE,
    CHECK_IT,
    PICK,
    NEXT,
    JURY
}; /* places in the line; a jury comes behind all that have a name */

static const char *const yaml[] = {
    "line: watched\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
    "  - name: label\n    worker: {skills: {law: 2}}\n    copies: {min: 2, max: 4}\n    lease: 30s\n"
    "    agree: {on: [kind], method: posterior, confidence: 0.9}\n"
    "    form: {fields: [{name: kind, type: radio, options: [a, b]}]}\n"
    "    gold: {every: 2, columns: [text, kind], cells: [gold 1, a, gold 2, a, gold 3, a, gold 4, a, gold 5, a, gold "
    "6, a],\n"
    "      rules: [{below: 0.9, after: 1, do: lower, skill: law}]}\n"
    "  - name: write\n    after: []\n    attempts: 2\n    backoff: 1s\n    lease: 30s\n"
    "    form: {fields: [{name: title, type: short_answer}, {name: body, type: long_answer}]}\n"
    "    require: {abandonment: \"< 0.5\", after: 2}\n    window: {last: 20}\n"
    "    gold: {every: 2, columns: [text, title], cells: [gold 1, t, gold 2, t, gold 3, t, gold 4, t, gold 5, t],\n"
    "      rules: [{below: 0.6, after: 2, do: train, at: practice, until: 0.9}, {below: 0.3, after: 3, do: suspend}]}\n"
    "  - name: practice\n    after: []\n    form: {fields: [{name: x, type: short_answer}]}\n    lease: 30s\n"
    "    gold: {every: 1, columns: [text, x], cells: [gold 1, y, gold 2, y, gold 3, y, gold 4, y, gold 5, y, gold 6, "
    "y]}\n"
    "  - name: check\n    type: improve\n    after: [write]\n    author: true\n    reasons: [wrong]\n    rounds: 2\n"
    "    return_to_author: 20s\n    on_exhausted: dead\n    lease: 30s\n"
    "  - name: pick\n    type: tournament\n    after: [label]\n    contestants: 2\n    jury: {max: 3, ties: first}\n"
    "    auto_judge: {equal: 2}\n    lease: 30s\n"
    "    form: {fields: [{name: answer, type: short_answer, required: true}]}\n"
    "  - name: next\n    after: [pick, check]\n    worker: {not_who_did: [write], prefer: best}\n    lease: 30s\n",
    "line: strict\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: only\n    lease: 30s\n    form: {fields: [{name: x, type: short_answer}]}\n"
    "    require: {gold: \">= 0.5\", after: 2, of: all, newcomers: refuse}\n",
    "line: strict\ninput:\n  - {name: text, type: text}\nstations:\n"
    "  - name: only\n    lease: 30s\n    form: {fields: [{name: x, type: short_answer}]}\n"
    "    require: {gold: \">= 0.9\", after: 1, of: all}\n",
};

static const struct staff crew[] = { { "ann", 0, "law", 3, "red" },  { "bob", 0, "law", 2, NULL },
                                     { "cat", 0, "law", 2, "blue" }, { "dan", 0, "law", 5, NULL },
                                     { "eve", 0, "law", 2, NULL },   { "fay", 0, NULL, 0, NULL } };
#define CREW (sizeof crew / sizeof *crew)

/* ---- what the steps are made of ---- */

/* Well or badly, as the turn wants; a control task looks like any other, so whoever answers badly fails there. */
static void answer(const struct world_task *t, unsigned turn)
{
    static const char *const good[][5] = { [LABEL] = { "a" },    [WRITE] = { "t", "body" },
                                           [PRACTICE] = { "y" }, [CHECK_IT] = { "t", "body", "accept", NULL, NULL },
                                           [PICK] = { "same" },  [NEXT] = { NULL },
                                           [JURY] = { "1" } };
    static const char *const bad[][5] = {
        [LABEL] = { "b" },    [WRITE] = { "u", NULL },
        [PRACTICE] = { "z" }, [CHECK_IT] = { "t", "body", "reject", "no, no", "wrong" },
        [PICK] = { "other" }, [NEXT] = { NULL },
        [JURY] = { "2" }
    };
    static const unsigned fields[] = {
        [LABEL] = 1, [WRITE] = 2, [PRACTICE] = 1, [CHECK_IT] = 5, [PICK] = 1, [NEXT] = 0, [JURY] = 1
    };
    struct slp_buf v = { 0 }, b = { 0 };
    unsigned place = t->station_id - play.station;
    unsigned n = place <= JURY ? fields[place] : 1;
    for (unsigned i = 0; i < n; i++) {
        const char *text = place > JURY ? "x" : turn % 3 ? good[place][i] : bad[place][i];
        if (text)
            slp_pack_cstr(&v, text);
        else
            slp_pack_nil(&v);
    }
    struct slp_item_result it = { .assignment = t->assignment,
                                  .worker = t->worker,
                                  .values = { v.p, (uint32_t)v.n, n } };
    slp_pack_item(&b, SLP_ITEM_result, &it);
    struct slp_submit q = { .session = play.hub[0].session, .results = { b.p, (uint32_t)b.n, 1 } };
    world_send(&play.w, play.hub[0].peer, SLP_SUBMIT, &q);
    slp_buf_free(&v);
    slp_buf_free(&b);
}

static void take(unsigned more)
{
    world_clear(&play.w);
    for (unsigned i = 0; i < play.hub[0].workers; i++)
        world_credit(&play.w, &play.hub[0], i, more);
    play.n = world_tasks(&play.w, &play.hub[0], play.t, sizeof play.t / sizeof *play.t);
}

enum { SUSPEND, READMIT, GRANT, REVOKE };

static void worker_set(unsigned action, const char *name, const char *what, uint64_t level, int64_t until_us)
{
    struct slp_worker_set q = { .name = world_str(name),
                                .action = action,
                                .level = level,
                                .until_wall_us = until_us,
                                .reason = world_str("so it is") };
    if (action <= READMIT) {
        q.line = world_str("watched");
        q.station = world_str(what);
        SLP_SET(&q, worker_set, line);
        SLP_SET(&q, worker_set, station);
        SLP_SET(&q, worker_set, reason);
    } else {
        q.skill = world_str(what);
        SLP_SET(&q, worker_set, skill);
    }
    if (level)
        SLP_SET(&q, worker_set, level);
    if (until_us)
        SLP_SET(&q, worker_set, until_wall_us);
    world_send(&play.w, WORLD_CLIENT, SLP_WORKER_SET, &q);
}

/* ---- the steps ---- */

static void a_line_that_measures_is_applied(void)
{
    play.station = world_line(&play.w, yaml[0]);
    play.run = world_run(&play.w, "watched", "r");
}
static void a_line_that_asks_for_what_is_measured_is_applied(void)
{
    play.more_station = world_line(&play.w, yaml[1]);
    play.more = world_run(&play.w, "strict", "s");
}
static void a_hub_comes(void)
{
    world_hub(&play.w, &play.hub[0], "west", 0, 0);
    play.hubs = play.w.failed ? 0 : 1;
    if (play.hubs)
        staff_roster(&play.w, &play.hub[0], crew, CREW);
}
static void units_are_put(void)
{
    play_put(play.run, 8);
    play_put(play.more, 3);
}
static void all_is_answered_some_of_it_badly(void)
{
    take(2);
    for (size_t i = 0; i < play.n; i++)
        answer(&play.t[i], (unsigned)i);
}
static void all_is_answered_well(void)
{
    take(2);
    for (size_t i = 0; i < play.n; i++)
        answer(&play.t[i], 1);
}
static void work_is_begun_and_left(void)
{
    take(1);
    for (size_t i = 0; i < play.n; i++) {
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_START, NULL, NULL);
        if (i % 2)
            world_act(&play.w, &play.hub[0], &play.t[i], ACT_RELEASE, "because", NULL);
    }
}
static void some_are_suspended_with_work_in_hand(void)
{
    take(2);
    for (size_t i = 0; i < play.n; i += 2)
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_START, NULL, NULL);
    worker_set(SUSPEND, "ann", "write", 0, 0);
    worker_set(SUSPEND, "bob", "label", 0, 0);
    worker_set(SUSPEND, "bob", "write", 0, 0);
    worker_set(SUSPEND, "dan", "practice", 0, 0);
}
static void work_is_begun_and_done_in_time(void)
{
    take(2);
    for (size_t i = 0; i < play.n; i++)
        world_act(&play.w, &play.hub[0], &play.t[i], ACT_START, NULL, NULL);
    play.w.now_us += 2000000;
    play.w.wall_us += 2000000;
    for (size_t i = 0; i < play.n; i++)
        answer(&play.t[i], 1);
}
static void skills_are_granted(void)
{
    worker_set(GRANT, "fay", "law", 2, play.w.wall_us + 20000000);
    worker_set(GRANT, "bob", "law", 4, play.w.wall_us + 40000000);
    worker_set(GRANT, "bob", "art", 1, 0);
    worker_set(GRANT, "cat", "law", 1, play.w.wall_us + 30000000);
    worker_set(GRANT, "eve", "law", 3, 0);
}
static void half_a_minute_goes_by(void)
{
    world_pass(&play.w, 25000000);
    world_beat(&play.w, &play.hub[0]);
}
static void the_clock_is_set_back(void)
{
    play.w.wall_us -= 20000000;
    world_tick(&play.w);
    play.w.wall_us += 20000000;
    world_tick(&play.w);
}
static void what_was_granted_is_revoked(void)
{
    worker_set(REVOKE, "bob", "law", 0, 0);
    worker_set(REVOKE, "fay", "law", 0, 0);
    worker_set(REVOKE, "ann", "law", 0, 0);
}
static void the_suspended_are_readmitted(void)
{
    worker_set(READMIT, "ann", "write", 0, 0);
    worker_set(READMIT, "bob", "label", 0, 0);
}
static void everybody_is_told_why_he_has_no_work(void)
{
    for (unsigned i = 0; i < CREW; i++) {
        struct slp_worker_why_get q = { .name = world_str(crew[i].name) };
        world_send(&play.w, WORLD_CLIENT, SLP_WORKER_WHY_GET, &q);
    }
}
static void what_is_measured_is_told(void)
{
    for (unsigned i = 0; i < CREW; i++) {
        struct slp_repute_get q = { .name = world_str(crew[i].name) };
        world_send(&play.w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    }
    world_send(&play.w, WORLD_CLIENT, SLP_WORKERS_GET, &(struct slp_workers_get){ 0 });
}
static void a_forecast_is_asked_for(void)
{
    struct slp_buf b = { 0 };
    struct slp_coverage_get q = { 0 };
    char next[16];
    for (unsigned i = 0; i <= JURY; i++)
        slp_pack_u64(&b, play.station + i);
    slp_pack_u64(&b, play.more_station);
    q.stations = (struct slp_list){ b.p, (uint32_t)b.n, JURY + 2 };
    for (bool more = true; more;) {
        struct slp_msg *m = world_read(&play.w, SLP_COVERAGE_GET, &q);
        more = m && m->type == SLP_COVERAGE && SLP_IS(&m->u.coverage, coverage, next) &&
               m->u.coverage.next.n <= sizeof next;
        if (!more)
            break;
        memcpy(next, m->u.coverage.next.p, m->u.coverage.next.n);
        q.after = (struct slp_bytes){ next, m->u.coverage.next.n };
        SLP_SET(&q, coverage_get, after);
    }
    slp_buf_free(&b);
}
static void stories_and_answers_are_read(void)
{
    for (uint64_t unit = 1; unit <= 8; unit++)
        world_read(&play.w, SLP_UNIT_GET, &(struct slp_unit_get){ .run = world_str("r"), .unit = unit });
    static const char *const stations[] = { "label", "write", "check", "pick", "pick.jury" };
    for (size_t i = 0; i < sizeof stations / sizeof *stations; i++) {
        struct slp_output_get q = {
            .run = world_str("r"), .all_units = true, .station = world_str(stations[i]), .answers = true
        };
        SLP_SET(&q, output_get, all_units);
        SLP_SET(&q, output_get, station);
        SLP_SET(&q, output_get, answers);
        world_read(&play.w, SLP_OUTPUT_GET, &q);
    }
    world_read(&play.w, SLP_SNAPSHOT_GET, &(struct slp_snapshot_get){ 0 });
}
static void the_store_is_checked(void)
{
    struct slp_check_get q = { 0 };
    world_read(&play.w, SLP_CHECK_GET, &q);
    q.recount = true;
    SLP_SET(&q, check_get, recount);
    world_read(&play.w, SLP_CHECK_GET, &q);
}
static void what_is_asked_for_changes(void)
{
    world_line(&play.w, yaml[2]);
}
static void people_leave(void)
{
    static const struct staff few[] = { { "ann", 0, "law", 2, NULL }, { "cat", 0, NULL, 0, NULL } };
    staff_roster(&play.w, &play.hub[0], few, 2);
    world_pass(&play.w, 1000000);
}
static void people_come_back(void)
{
    staff_roster(&play.w, &play.hub[0], crew, CREW);
    world_pass(&play.w, 1000000);
}
static void somebody_signs_off_and_on(void)
{
    world_sign_off(&play.w, &play.hub[0], 0);
    take(1);
}
static void the_broker_starts_anew(void)
{
    world_restart(&play.w);
    world_hello(&play.w, &play.hub[0], NULL, 0);
}
static void a_week_goes_by(void)
{
    play.w.wall_us += 7ll * 86400000000;
    world_tick(&play.w);
}
static void the_run_is_deleted(void)
{
    world_run_set(&play.w, "r", RUN_SET_DELETE, 0);
    world_pass(&play.w, 1000);
}

#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, name, false                                                                                             \
    }
const struct play_step play_watched_steps[] = {
    S(a_line_that_measures_is_applied),
    S(a_line_that_asks_for_what_is_measured_is_applied),
    S(a_hub_comes),
    S(units_are_put),
    S(everybody_is_told_why_he_has_no_work),
    S(all_is_answered_some_of_it_badly),
    S(all_is_answered_some_of_it_badly),
    S(work_is_begun_and_left),
    S(all_is_answered_some_of_it_badly),
    S(skills_are_granted),
    S(all_is_answered_some_of_it_badly),
    S(some_are_suspended_with_work_in_hand),
    S(everybody_is_told_why_he_has_no_work),
    S(what_is_measured_is_told),
    S(a_forecast_is_asked_for),
    S(half_a_minute_goes_by),
    S(work_is_begun_and_done_in_time),
    S(all_is_answered_well),
    S(the_clock_is_set_back),
    S(what_was_granted_is_revoked),
    S(the_suspended_are_readmitted),
    S(all_is_answered_well),
    S(what_is_asked_for_changes),
    S(all_is_answered_some_of_it_badly),
    S(stories_and_answers_are_read),
    { "the_store_is_checked", the_store_is_checked, true },
    S(people_leave),
    S(people_come_back),
    S(somebody_signs_off_and_on),
    S(the_broker_starts_anew),
    S(all_is_answered_well),
    S(a_forecast_is_asked_for),
    S(a_week_goes_by),
    S(all_is_answered_well),
    S(stories_and_answers_are_read),
    S(the_run_is_deleted),
    { NULL, NULL, false },
};
#undef S
