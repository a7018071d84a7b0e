/* The engine: tournaments. Who enters, what a juror sees, when a winner is certain, and what is kept of it. */
#include "broker/engine/jury.h"
#include "tests/unit/scene.h"

#define WORKERS 8
#define PICK 0 /* stations of the line, as a story tells them */
#define NEXT 1
#define JURY 2

static struct world_task entered[8]; /* as they were taken by enter() */

static void open_scene(struct world_scene *s, const char *keys, const char *jury)
{
    char yaml[2048];
    snprintf(
        yaml, sizeof yaml,
        "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
        "  - name: pick\n    type: tournament\n    %s\n    jury: %s\n"
        "    form: {fields: [{name: answer, type: short_answer, required: true}]}\n    backoff: 10s\n    attempts: 3\n"
        "  - name: next\n    worker: {kind: robot}\n    when: pick.confidence < 0.5\n    form: {fields: [{name: "
        "answer, type: short_answer}]}\n",
        keys, jury);
    world_scene(s, yaml, WORKERS, 0);
}

/* Workers 0, 1 ... enter these. */
static void enter(struct world_scene *s, unsigned n, const char *const *answers)
{
    for (unsigned i = 0; i < n; i++) {
        entered[i] = taken(s, i, PICK);
        assert_int_equal(world_submit(&s->w, &s->h, &entered[i], answers[i]), SLP_E_OK);
    }
}

/* ... for the run's one unit. */
static void open_entered(struct world_scene *s, const char *keys, const char *jury, unsigned n,
                         const char *const *answers)
{
    open_scene(s, keys, jury);
    world_put(&s->w, s->run, 1);
    enter(s, n, answers);
}

/* The place at which this juror sees the entry, as a text. */
static const char *place_of(struct world_scene *s, const struct world_task *t, unsigned entries, unsigned entry)
{
    static char text[8];
    uint8_t order[SL_COPIES_MAX];
    jury_order(s->run, 1, t->worker, entries, order);
    for (unsigned i = 0; i < entries; i++)
        if (order[i] == entry)
            snprintf(text, sizeof text, "%u", i + 1);
    return text;
}

static void votes(struct world_scene *s, unsigned worker, unsigned entries, unsigned entry)
{
    struct world_task t = taken(s, worker, JURY);
    assert_int_equal(world_submit(&s->w, &s->h, &t, place_of(s, &t, entries, entry)), SLP_E_OK);
}

static const char *const three[] = { "red", "green", "blue" };

/* How many events of the type there are. */
static unsigned events(struct world_scene *s, uint64_t type, struct slp_item_event *last)
{
    struct slp_events_get q = { .since = 1 };
    struct slp_cursor c = slp_each(world_read(&s->w, SLP_EVENTS_GET, &q)->u.events.events);
    unsigned n = 0;
    for (struct slp_item_event e; slp_next_event(&c, &e);)
        if (e.type == type) {
            n++;
            if (last)
                *last = e;
        }
    return n;
}

static void contestants_enter_a_jury_votes_and_the_winner_goes_on(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "contestants: 3", "{max: 3, ties: first}");
    world_put(&s.w, s.run, 1);
    assert_int_equal(station_story(&s, PICK, "state"), TASK_READY);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_BLOCKED);
    enter(&s, 3, three);
    assert_int_equal(station_story(&s, PICK, "state"), TASK_DONE);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_READY);
    assert_int_equal(station_story(&s, JURY, "outcome.wanted"), 2);
    votes(&s, 3, 3, 1);
    assert_int_equal(station_story(&s, NEXT, "state"), TASK_BLOCKED);
    votes(&s, 4, 3, 1); /* two of three: nobody can overtake it */
    assert_int_equal(station_story(&s, JURY, "state"), TASK_DONE);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "green"));
    assert_int_equal(station_story(&s, JURY, "outcome.answers"), 2);
    assert_int_equal(station_story(&s, JURY, "outcome.votes"), 2);
    assert_true(station_story_is(&s, JURY, "outcome.confidence", "1.000000"));
    assert_true(station_story_is(&s, JURY, "outcome.decided", "jury"));
    assert_int_equal(station_story(&s, NEXT, "state"), TASK_SKIPPED);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    world_restart(&s.w);
    assert_int_equal(station_story(&s, PICK, "assignments[0].place"), 2);
    assert_int_equal(station_story(&s, PICK, "assignments[1].place"), 1);
    assert_int_equal(station_story(&s, PICK, "assignments[2].place"), 2);
    assert_int_equal(station_story(&s, JURY, "assignments[0].entry"), entered[1].assignment);
    world_end(&s.w);
}

static void nobody_judges_what_he_entered(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 3", "{max: 1, ties: first}", 3, three);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(given(&s, i).assignment, 0);
    votes(&s, 3, 3, 2);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "blue"));
    world_end(&s.w);
}

/* The value of what a juror was shown as the entries: the texts, in his order. */
static void shown_entries(struct world_scene *s, const struct world_task *t, char to[3][16])
{
    for (unsigned i = 0; i < 3; i++)
        to[i][0] = 0;
    for (size_t k = 0;; k++) {
        const struct slp_msg *m = world_sent(&s->w, s->h.peer, SLP_PUSH, k);
        struct slp_item_assignment a;
        if (!m)
            break;
        for (struct slp_cursor c = slp_each(m->u.push.assignments); slp_next_assignment(&c, &a);)
            for (unsigned i = 0; i < 3 && a.assignment == t->assignment; i++) {
                char path[40];
                struct slr_value v;
                snprintf(path, sizeof path, "[1][%u].answer", i);
                struct slp_buf b = { 0 };
                slp_pack_array(&b, a.fields.count);
                slp_buf_add(&b, a.fields.p, a.fields.bytes);
                struct slp_bytes x = world_at((struct slp_bytes){ b.p, (uint32_t)b.n }, path);
                struct slr r = slr_on(x.p, x.n);
                assert_int_equal(slr_next(&r, &v), 0);
                snprintf(to[i], 16, "%.*s", (int)v.n, v.p);
                slp_buf_free(&b);
            }
    }
}

static void each_juror_sees_the_entries_in_an_order_of_his_own_that_stays(void **state)
{
    struct world_scene s;
    unsigned at_first[3] = { 0 };
    (void)state;
    for (bool once = true; once; once = false) {
        open_scene(&s, "contestants: 3", "{max: 9, ties: first}");
        world_put(&s.w, s.run, 1);
        enter(&s, 3, three);
        for (unsigned i = 3; i < 8; i++) {
            char seen[3][16], again[3][16];
            uint8_t order[SL_COPIES_MAX];
            struct world_task t = taken(&s, i, JURY);
            assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), "unit 1");
            shown_entries(&s, &t, seen);
            jury_order(s.run, 1, t.worker, 3, order);
            for (unsigned k = 0; k < 3; k++)
                assert_string_equal(seen[k], three[order[k]]);
            at_first[order[0]]++;
            world_restart(&s.w);
            world_clear(&s.w);
            world_hello(&s.w, &s.h, NULL, 0); /* he lost it: it is pushed again */
            shown_entries(&s, &t, again);
            for (unsigned k = 0; k < 3; k++)
                assert_string_equal(again[k], seen[k]);
        }
        world_end(&s.w);
    }
    assert_true(at_first[0] + at_first[1] + at_first[2] == 5);
}

static void orders_are_fair(void **state)
{
    unsigned at[5][5] = { { 0 } };
    (void)state;
    for (uint64_t juror = 1; juror <= 10000; juror++) {
        uint8_t order[SL_COPIES_MAX];
        bool seen[5] = { 0 };
        jury_order(7, 3, juror, 5, order);
        for (unsigned i = 0; i < 5; i++) {
            assert_true(order[i] < 5 && !seen[order[i]]);
            seen[order[i]] = true;
            at[order[i]][i]++;
        }
    }
    for (unsigned i = 0; i < 5; i++)
        for (unsigned k = 0; k < 5; k++)
            assert_in_range(at[i][k], 1800, 2200);
}

static void a_jury_is_asked_for_no_vote_that_could_not_matter(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 3", "{max: 5, ties: review}", 3, three);
    assert_int_equal(station_story(&s, JURY, "outcome.wanted"), 3);
    struct world_task t[3];
    for (unsigned i = 0; i < 3; i++)
        t[i] = taken(&s, 3 + i, JURY);
    assert_int_equal(given(&s, 6).assignment, 0); /* three can make it certain: no fourth */
    static const unsigned choice[] = { 0, 1, 0 };
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_submit(&s.w, &s.h, &t[i], place_of(&s, &t[i], 3, choice[i])), SLP_E_OK);
    assert_int_equal(station_story(&s, JURY, "outcome.wanted"), 4); /* 2:1, one more for the leader ends it */
    world_sign_off(&s.w, &s.h, 6);
    world_end(&s.w);
}

/* Two votes differ, so a third is wanted; then the juror of one of them is suspended. The third is the second for its entry: nobody can overtake it. */
static void a_vote_that_falls_away_makes_others_needless(void **state)
{
    struct world_scene s;
    struct slp_worker_set q = { .name = world_str("hub-4"), .line = world_str("l"), .station = world_str("pick.jury") };
    (void)state;
    open_entered(&s, "contestants: 3", "{max: 3, ties: review}", 3, three);
    votes(&s, 3, 3, 1);
    votes(&s, 4, 3, 2);
    assert_int_equal(station_story(&s, JURY, "outcome.wanted"), 3);
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    votes(&s, 5, 3, 1);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_DONE);
    assert_int_equal(station_story(&s, JURY, "outcome.votes"), 2);
    world_end(&s.w);
}

static void rules(const char *what, enum ld_ties ties, uint32_t max, const char *votes_of, enum agree_what then,
                  enum ld_rule rule, uint32_t winner, uint32_t more)
{
    uint32_t v[8] = { 0 }, n = 0;
    struct ld_station jury = { .copies = { .max = max, .ties = ties, .method = LD_VOTES } };
    struct jury_verdict j;
    for (const char *p = votes_of; *p; p++)
        v[n++] = (uint32_t)(*p - '0');
    jury_decide(&jury, v, n, &j);
    if (j.what != then || (then == AGREE_DONE && (j.rule != rule || j.winner != winner)) ||
        (then == AGREE_MORE && j.more != more))
        fail_msg("%s: what %d, rule %d, winner %u, more %u", what, j.what, j.rule, j.winner, j.more);
}

static void certain_and_tied_as_the_rules_say(void **state)
{
    (void)state;
    rules("all of the least", LD_TIES_FIRST, 3, "020", AGREE_DONE, LD_RULE_JURY, 1, 0);
    rules("first of four, two are enough", LD_TIES_FIRST, 4, "200", AGREE_DONE, LD_RULE_JURY, 0, 0);
    rules("a later one could be tied", LD_TIES_FIRST, 4, "020", AGREE_MORE, 0, 0, 1);
    rules("with review a tie would not be certain", LD_TIES_REVIEW, 4, "200", AGREE_MORE, 0, 0, 1);
    rules("one each of three", LD_TIES_FIRST, 3, "111", AGREE_DONE, LD_RULE_FIRST, 0, 0);
    rules("one each of three, looked at again", LD_TIES_REVIEW, 3, "111", AGREE_DONE, LD_RULE_REVIEW, 0, 0);
    rules("one each of three, no winner", LD_TIES_FAIL, 3, "111", AGREE_FAIL, 0, 0, 0);
    rules("a requeue's vote", LD_TIES_FAIL, 3, "112", AGREE_DONE, LD_RULE_JURY, 2, 0);
    rules("the tie is not of the first", LD_TIES_FIRST, 4, "022", AGREE_DONE, LD_RULE_FIRST, 1, 0);
    rules("two apart, two left", LD_TIES_REVIEW, 5, "210", AGREE_MORE, 0, 0, 1);
    rules("even, three left", LD_TIES_REVIEW, 7, "220", AGREE_MORE, 0, 0, 2);
    rules("a juror of one", LD_TIES_FAIL, 1, "001", AGREE_DONE, LD_RULE_JURY, 2, 0);
}

static void places_follow_the_votes(void **state)
{
    static const uint32_t score[] = { 1, 3, 1, 0, 3 };
    static const bool won[] = { false, true, false, false, false };
    uint8_t place[5];
    (void)state;
    jury_places(score, won, 5, place);
    static const uint8_t want[] = { 3, 1, 3, 5, 2 };
    assert_memory_equal(place, want, 5);
}

static void enough_equal_entries_end_it_without_a_jury(void **state)
{
    static const char *const answers[] = { "red", "Green", "green " };
    struct world_scene s;
    struct slp_item_event e;
    (void)state;
    open_entered(&s, "contestants: 3\n    auto_judge: {equal: 2, ignore: [case, space]}", "{max: 3, ties: first}", 3,
                 answers);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_DONE);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "Green"));
    assert_int_equal(station_story(&s, JURY, "outcome.answers"), 3);
    assert_int_equal(station_story(&s, JURY, "outcome.votes"), 2);
    assert_true(station_story_is(&s, JURY, "outcome.decided", "auto"));
    assert_int_equal(station_story(&s, PICK, "assignments[0].place"), 3);
    assert_int_equal(station_story(&s, PICK, "assignments[1].place"), 1);
    assert_int_equal(station_story(&s, PICK, "assignments[2].place"), 1);
    assert_int_equal(world_story(&s.w, "r", 1, "state"), UNIT_DONE);
    assert_int_equal(events(&s, EV_TASK_PLACED, &e), 1);
    assert_int_equal(world_number(world_at(e.data, "places[2][0]")), entered[2].assignment);
    assert_int_equal(world_number(world_at(e.data, "places[2][1]")), 1);
    assert_int_equal(world_number(world_at(e.data, "places[2][2]")), 2);
    world_restart(&s.w);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "Green"));
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    world_pass(&s.w, 60 * 1000000ll);
    world_end(&s.w);
}

static void too_few_equal_ones_go_to_the_jury(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 3\n    auto_judge: {equal: 2}", "{max: 1, ties: first}", 3, three);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_READY);
    votes(&s, 5, 3, 0);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "red"));
    world_end(&s.w);
}

static void a_tie_that_fails_is_parked_and_a_requeue_asks_one_juror_more(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 2", "{max: 2, ties: fail}", 2, three);
    votes(&s, 3, 2, 0);
    votes(&s, 4, 2, 1);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_DEAD);
    assert_int_equal(world_tasks_set(&s.w, s.station + JURY, 0, "r", NULL, 0), 1);
    world_tick(&s.w);
    votes(&s, 5, 2, 1);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "green"));
    assert_int_equal(station_story(&s, JURY, "outcome.answers"), 3);
    world_end(&s.w);
}

static void a_vote_that_is_late_is_kept_and_one_that_is_declined_is_asked_of_another(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 2", "{max: 1, ties: first, lease: 60s}", 2, three);
    struct world_task t = taken(&s, 3, JURY);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_DECLINE, "not me", NULL), SLP_E_OK);
    assert_int_equal(given(&s, 3).assignment, 0);
    t = taken(&s, 4, JURY);
    assert_int_equal(world_act(&s.w, &s.h, &t, ACT_START, NULL, NULL), SLP_E_OK);
    pass(&s, 61 * SECOND); /* his lease is over */
    votes(&s, 5, 2, 1);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "green"));
    assert_int_equal(world_submit(&s.w, &s.h, &t, "1"), SLP_E_LATE);
    assert_int_equal(station_story(&s, JURY, "outcome.answers"), 1);
    world_end(&s.w);
}

static void a_pause_of_it_pauses_its_jury_and_a_drop_ends_both(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "contestants: 2", "{max: 1, ties: first}");
    world_put(&s.w, s.run, 2);
    entered[0] = taken(&s, 0, PICK);
    entered[1] = taken(&s, 1, PICK);
    assert_int_equal(world_submit(&s.w, &s.h, &entered[0], "a"), SLP_E_OK);
    assert_int_equal(world_submit(&s.w, &s.h, &entered[1], "b"), SLP_E_OK);
    assert_int_equal(world_station_set(&s.w, "l", "pick", 0), SLP_E_OK);
    assert_int_equal(events(&s, EV_STATION_STATE, NULL), 2);
    assert_int_equal(given(&s, 3).assignment, 0);
    assert_int_equal(world_station_set(&s.w, "l", "pick.jury", 1), SLP_E_OK);
    world_clear(&s.w);
    world_tick(&s.w);
    assert_int_equal(world_station_set(&s.w, "l", "pick", 1), SLP_E_OK);
    world_tick(&s.w);
    uint64_t unit[] = { 1, 2 };
    assert_int_equal(world_tasks_set(&s.w, s.station + JURY, 1, "r", unit, 2), 2);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_ENDED);
    world_end(&s.w);
}

static void a_tournament_that_is_passed_by_takes_its_jury_along(void **state)
{
    struct world_scene s;
    (void)state;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                "  - name: pick\n    type: tournament\n    when: text == \"never\"\n    contestants: 2\n"
                "    jury: {max: 3, ties: first}\n    form: {fields: [{name: answer, type: text}]}\n"
                "  - name: next\n    shows: [text, pick.answer]\n    form: {fields: [{name: a, type: text}]}\n",
                WORKERS, 0);
    world_put(&s.w, s.run, 1);
    assert_int_equal(station_story(&s, PICK, "state"), TASK_SKIPPED);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_SKIPPED);
    assert_int_equal(station_story(&s, NEXT, "state"), TASK_READY);
    world_end(&s.w);
}

static void who_entered_or_judged_is_shut_out_behind_it(void **state)
{
    struct world_scene s;
    struct world_task t;
    (void)state;
    world_scene(&s,
                "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                "  - name: pick\n    type: tournament\n    contestants: 2\n"
                "    jury: {max: 1, ties: first}\n    form: {fields: [{name: answer, type: text}]}\n"
                "  - name: next\n    worker: {not_who_did: [pick]}\n    form: {fields: [{name: a, type: text}]}\n",
                WORKERS, 0);
    world_put(&s.w, s.run, 1);
    enter(&s, 2, three);
    votes(&s, 2, 2, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(given(&s, i).assignment, 0);
    t = taken(&s, 3, NEXT);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 1), "red");
    world_end(&s.w);
}

static void what_came_out_is_called_by_the_tournaments_name(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 3", "{max: 1, ties: first}", 3, three);
    votes(&s, 3, 3, 2);
    struct slp_output_get q = { .run = world_str("r"), .station = world_str("pick") };
    SLP_SET(&q, output_get, station);
    const struct slp_output *o = &world_read(&s.w, SLP_OUTPUT_GET, &q)->u.output;
    struct slp_cursor c = slp_each(o->columns);
    static const char *const want[] = { "unit",         "text",       "pick.answer",
                                        "pick.answers", "pick.votes", "pick.confidence",
                                        "pick.decided", "worker",     "done_wall_us" };
    struct slp_bytes name;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(slp_next_str(&c, &name));
        assert_int_equal(name.n, strlen(want[i]));
        assert_memory_equal(name.p, want[i], name.n);
    }
    assert_int_equal(o->rows.count, 1);
    q.answers = true;
    SLP_SET(&q, output_get, answers);
    o = &world_read(&s.w, SLP_OUTPUT_GET, &q)->u.output;
    assert_int_equal(o->rows.count, 3);
    struct slp_bytes row, last = { NULL, 0 };
    for (c = slp_each(o->rows); slp_next_raw(&c, &row);)
        last = row;
    assert_int_equal(world_number(world_at(last, "[12]")), 1); /* place */
    q.station = world_str("pick.jury");
    o = &world_read(&s.w, SLP_OUTPUT_GET, &q)->u.output;
    assert_int_equal(o->rows.count, 1);
    for (c = slp_each(o->rows); slp_next_raw(&c, &row);)
        assert_int_equal(world_number(world_at(row, "[13]")), entered[2].assignment); /* entry */
    world_end(&s.w);
}

static void a_failure_counts_and_a_requeue_asks_for_the_rest(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "contestants: 2", "{max: 1, ties: first}");
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, PICK), o;
    assert_int_equal(world_submit(&s.w, &s.h, &t, "a"), SLP_E_OK);
    for (unsigned i = 1; i < 4; i++) {
        o = taken(&s, i, PICK);
        assert_int_equal(world_act(&s.w, &s.h, &o, ACT_FAIL, "no", NULL), SLP_E_OK);
        pass(&s, 60 * SECOND);
    }
    assert_int_equal(station_story(&s, PICK, "state"), TASK_DEAD);
    assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", NULL, 0), 1);
    world_tick(&s.w);
    t = taken(&s, 6, PICK);
    assert_int_equal(world_submit(&s.w, &s.h, &t, "b"), SLP_E_OK);
    assert_int_equal(station_story(&s, JURY, "state"), TASK_READY);
    votes(&s, 7, 2, 1);
    assert_true(station_story_is(&s, JURY, "outcome.answer", "b"));
    world_end(&s.w);
}

/* 0 suspend, 1 readmit. */
static void standing(struct world_scene *s, unsigned worker, unsigned action, const char *station)
{
    char name[16];
    snprintf(name, sizeof name, "hub-%u", worker);
    struct slp_worker_set q = {
        .name = world_str(name), .action = action, .line = world_str("l"), .station = world_str(station)
    };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    assert_int_equal(world_code(world_send(&s->w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
}

static void who_is_suspended_from_it_judges_no_more_either(void **state)
{
    struct world_scene s;
    struct slp_item_event last;
    (void)state;
    open_entered(&s, "contestants: 2", "{max: 1, ties: first}", 2, three);
    world_put(&s.w, s.run, 1);
    standing(&s, 3, 0, "pick");
    assert_int_equal(events(&s, EV_WORKER_STANDING, &last), 2);
    assert_int_equal(given(&s, 3).assignment, 0); /* neither unit 2 to enter nor unit 1 to judge */
    standing(&s, 3, 1, "pick");
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 4), 1);
    assert_int_equal(s.t[0].station_id, s.station + JURY); /* finish what is begun */
    world_end(&s.w);
}

static void who_is_suspended_from_its_jury_may_enter(void **state)
{
    struct world_scene s;
    (void)state;
    open_entered(&s, "contestants: 2", "{max: 1, ties: first}", 2, three);
    world_put(&s.w, s.run, 1);
    standing(&s, 3, 0, "pick.jury");
    taken(&s, 3, PICK);
    standing(&s, 3, 0, "pick"); /* and now from both */
    assert_int_equal(given(&s, 3).assignment, 0);
    standing(&s, 3, 1, "pick.jury");
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 4), 1);
    assert_int_equal(s.t[0].station_id, s.station + JURY);
    world_end(&s.w);
}

static uint64_t repute(struct world_scene *s, const char *worker, const char *path)
{
    struct slp_repute_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s->w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    assert_true(m && m->type == SLP_REPUTE);
    return world_number(world_at(m->u.repute.story, path));
}

#define DUELS 8 /* a measure of so many moves somebody up or down */

/* So many times worker 0 and worker 1 enter, and worker 2 votes for the entry of worker 0. */
static void open_after_duels(struct world_scene *s)
{
    world_scene(s,
                "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 1, ties: first}\n"
                "    form: {fields: [{name: answer, type: text, required: true}]}\n",
                WORKERS, 0);
    for (unsigned i = 0; i < DUELS; i++) {
        uint64_t unit = world_put(&s->w, s->run, 1);
        uint8_t order[SL_COPIES_MAX];
        enter(s, 2, three);
        struct world_task vote = taken(s, 2, 1);
        jury_order(s->run, unit, vote.worker, 2, order);
        assert_int_equal(world_submit(&s->w, &s->h, &vote, order[0] == 0 ? "1" : "2"), SLP_E_OK);
    }
}

static void placings_are_measured(void **state)
{
    struct world_scene s;
    (void)state;
    open_after_duels(&s);
    assert_int_equal(repute(&s, "hub-0", "measures.tournaments.of"), DUELS);
    assert_int_equal(repute(&s, "hub-0", "measures.tournaments.won"), DUELS);
    assert_int_equal(repute(&s, "hub-0", "measures.contestants.of"), DUELS);
    assert_int_equal(repute(&s, "hub-0", "measures.contestants.beaten"), DUELS);
    assert_int_equal(repute(&s, "hub-1", "stations[0].measures.tournaments.of"), DUELS);
    assert_int_equal(repute(&s, "hub-1", "stations[0].measures.tournaments.won"), 0);
    assert_int_equal(repute(&s, "hub-1", "stations[0].measures.contestants.of"), DUELS);
    assert_int_equal(repute(&s, "hub-1", "stations[0].measures.contestants.beaten"), 0);
    assert_int_equal(repute(&s, "hub-2", "measures.tournaments.of"), UINT64_MAX); /* a juror is not placed */
    world_end(&s.w);
}

static void who_won_too_seldom_enters_no_more(void **state)
{
    struct world_scene s;
    (void)state;
    open_after_duels(&s);
    static const char *const asks[] = { "{won: '> 0', after: 8}", "{beaten: '>= 0.5', after: 8}" };
    for (unsigned i = 0; i < 2; i++) {
        char yaml[500];
        snprintf(yaml, sizeof yaml,
                 "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                 "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 1, ties: first}\n"
                 "    require: %s\n    form: {fields: [{name: answer, type: text, required: true}]}\n",
                 asks[i]);
        world_line(&s.w, yaml);
        world_put(&s.w, s.run, 1);
        world_tick(&s.w);
        assert_int_equal(given(&s, 1).assignment, 0);
        assert_int_not_equal(given(&s, 0).assignment, 0);
    }
    world_end(&s.w);
}

static void who_won_too_seldom_is_kept_out_of_other_lines_that_ask_so(void **state)
{
    struct world_scene s;
    (void)state;
    open_after_duels(&s);
    static const char *const asks[] = { "{won: '> 0', after: 8, of: all}", "{beaten: '>= 0.5', after: 8, of: all}" };
    for (unsigned i = 0; i < 2; i++) {
        char yaml[500];
        snprintf(yaml, sizeof yaml,
                 "line: other\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n    require: %s\n"
                 "    form: {fields: [{name: answer, type: text}]}\n",
                 asks[i]);
        world_line(&s.w, yaml);
        world_put(&s.w, world_run(&s.w, "other", i ? "second" : "first"), 1);
        world_tick(&s.w);
        assert_int_equal(given(&s, 1).assignment, 0);
        assert_int_not_equal(given(&s, 0).assignment, 0);
    }
    world_end(&s.w);
}

static void who_won_is_preferred_to_whom_he_beat(void **state)
{
    struct world_scene s;
    (void)state;
    open_after_duels(&s);
    uint64_t winner = entered[0].worker, loser = entered[1].worker;
    world_line(&s.w, "line: best\ninput:\n  - {name: text, type: text}\nstations:\n  - name: a\n    worker: {prefer: "
                     "best}\n    form: {fields: [{name: a, type: short_answer}]}\n");
    uint64_t run = world_run(&s.w, "best", "best");
    world_clear(&s.w);
    world_credit(&s.w, &s.h, 1, 1); /* waits the longest */
    world_credit(&s.w, &s.h, 0, 1);
    world_put(&s.w, run, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 4), 1);
    assert_int_equal(s.t[0].worker, winner);
    world_put(&s.w, run, 1);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 4), 2);
    assert_int_equal(s.t[1].worker, loser);
    world_end(&s.w);
}

static void a_vote_is_a_text_of_up_to_three_digits(void **state)
{
    (void)state;
    static const struct {
        const char *packed;
        uint32_t place;
    } rows[] = {
        { "\xa1"
          "1",
          1 },
        { "\xa2"
          "10",
          10 },
        { "\xa3"
          "255",
          255 },
        { "\xa3"
          "007",
          7 },
        { "\xa1"
          "0",
          0 },
        { "\xa0", 0 },
        { "\xa4"
          "1000",
          0 },
        { "\xa2"
          "1a",
          0 },
        { "\xa2"
          "-1",
          0 },
        { "\xa2"
          " 1",
          0 },
        { "\x01", 0 },
        { "\xc0", 0 },
        { "\x91\xa1"
          "1",
          0 },
        { "\xa3"
          "12",
          0 },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slp_list form = { rows[i].packed, (uint32_t)strlen(rows[i].packed), 1 };
        assert_int_equal(jury_place(&form), rows[i].place);
    }
}

static void a_tournament_that_is_paused_keeps_its_jury_paused_in_the_next_version(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "contestants: 3", "{max: 3, ties: first}");
    assert_int_equal(world_station_set(&s.w, "l", "pick", 0), SLP_E_OK);
    s.station = world_line(&s.w, "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                 "  - name: pick\n    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: "
                                 "first}\n    form: {fields: [{name: answer, type: short_answer, required: true}]}\n"
                                 "  - name: grand\n    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: "
                                 "first}\n    form: {fields: [{name: answer, type: short_answer, required: true}]}\n");
    world_put(&s.w, world_run(&s.w, "l", "second"), 1);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(world_station_set(&s.w, "l", "pick", 1), SLP_E_OK);
    assert_int_equal(world_tasks(&s.w, &s.h, s.t, 8), 1); /* who waited gets it */
    world_end(&s.w);
}

static void a_tournament_that_comes_new_into_a_paused_line_has_its_jury_paused(void **state)
{
    static const char *const yaml = "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                    "  - name: pick\n%s    form: {fields: [{name: answer, type: short_answer, "
                                    "required: true}]}\n";
    struct world_scene s;
    char text[600];
    (void)state;
    snprintf(text, sizeof text, yaml, "");
    world_scene(&s, text, 4, 0);
    assert_int_equal(world_station_set(&s.w, "l", "pick", 0), SLP_E_OK);
    snprintf(text, sizeof text, yaml, "    type: tournament\n    contestants: 2\n    jury: {max: 3, ties: first}\n");
    s.station = world_line(&s.w, text);
    struct slp_line_get q = { .line = world_str("l") };
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_LINE_GET, &q)->u.line.stations);
    unsigned n = 0;
    for (struct slp_item_station_row row; slp_next_station_row(&c, &row); n++)
        assert_true(row.paused);
    assert_int_equal(n, 2);
    world_end(&s.w);
}

/* A pause is by name: what holds for a jury in the versions there are holds in the next one, too. */
static void a_jury_that_goes_on_alone_does_so_in_the_next_version(void **state)
{
    static const char *const yaml = "line: l\ninput:\n  - {name: text, type: text, required: true}\nstations:\n"
                                    "  - name: pick\n    type: tournament\n    contestants: %s\n    jury: {max: 3, "
                                    "ties: first}\n    form: {fields: [{name: answer, type: short_answer, required: "
                                    "true}]}\n";
    struct world_scene s;
    char text[600];
    (void)state;
    snprintf(text, sizeof text, yaml, "2");
    world_scene(&s, text, 4, 0);
    assert_int_equal(world_station_set(&s.w, "l", "pick", 0), SLP_E_OK);
    assert_int_equal(world_station_set(&s.w, "l", "pick.jury", 1), SLP_E_OK);
    snprintf(text, sizeof text, yaml, "3");
    world_line(&s.w, text);
    struct slp_stations_get q = { 0 };
    struct slp_cursor c = slp_each(world_send(&s.w, WORLD_CLIENT, SLP_STATIONS_GET, &q)->u.stations.rows);
    unsigned n = 0;
    for (struct slp_item_station_row row; slp_next_station_row(&c, &row); n++)
        assert_int_equal(row.paused, n % 2 == 0); /* in both versions the tournament, and not its jury */
    assert_int_equal(n, 4);
    world_end(&s.w);
}

static void who_was_never_kept_out_of_a_tournament_is_let_in_without_effect(void **state)
{
    struct world_scene s;
    (void)state;
    open_scene(&s, "contestants: 3", "{max: 3, ties: first}");
    struct slp_worker_set q = { .name = world_str("hub-0"), .action = 0, .line = world_str("l") };
    SLP_SET(&q, worker_set, line);
    SLP_SET(&q, worker_set, station);
    q.station = world_str("pick.jury");
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    q.action = 1;
    q.station = world_str("pick");
    assert_int_equal(world_code(world_send(&s.w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
    world_put(&s.w, s.run, 1);
    for (unsigned i = 1; i < 4; i++) {
        struct world_task t = taken(&s, i, PICK);
        assert_int_equal(world_submit(&s.w, &s.h, &t, three[i - 1]), SLP_E_OK);
    }
    assert_int_equal(given(&s, 0).assignment, 0); /* from the jury alone he is kept out still */
    taken(&s, 5, JURY);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contestants_enter_a_jury_votes_and_the_winner_goes_on),
        cmocka_unit_test(nobody_judges_what_he_entered),
        cmocka_unit_test(each_juror_sees_the_entries_in_an_order_of_his_own_that_stays),
        cmocka_unit_test(orders_are_fair),
        cmocka_unit_test(a_jury_is_asked_for_no_vote_that_could_not_matter),
        cmocka_unit_test(a_vote_that_falls_away_makes_others_needless),
        cmocka_unit_test(certain_and_tied_as_the_rules_say),
        cmocka_unit_test(places_follow_the_votes),
        cmocka_unit_test(enough_equal_entries_end_it_without_a_jury),
        cmocka_unit_test(too_few_equal_ones_go_to_the_jury),
        cmocka_unit_test(a_tie_that_fails_is_parked_and_a_requeue_asks_one_juror_more),
        cmocka_unit_test(a_vote_that_is_late_is_kept_and_one_that_is_declined_is_asked_of_another),
        cmocka_unit_test(a_pause_of_it_pauses_its_jury_and_a_drop_ends_both),
        cmocka_unit_test(a_tournament_that_is_passed_by_takes_its_jury_along),
        cmocka_unit_test(who_entered_or_judged_is_shut_out_behind_it),
        cmocka_unit_test(what_came_out_is_called_by_the_tournaments_name),
        cmocka_unit_test(a_failure_counts_and_a_requeue_asks_for_the_rest),
        cmocka_unit_test(who_is_suspended_from_it_judges_no_more_either),
        cmocka_unit_test(who_is_suspended_from_its_jury_may_enter),
        cmocka_unit_test(placings_are_measured),
        cmocka_unit_test(who_won_too_seldom_enters_no_more),
        cmocka_unit_test(who_won_too_seldom_is_kept_out_of_other_lines_that_ask_so),
        cmocka_unit_test(who_won_is_preferred_to_whom_he_beat),
        cmocka_unit_test(a_vote_is_a_text_of_up_to_three_digits),
        cmocka_unit_test(a_tournament_that_is_paused_keeps_its_jury_paused_in_the_next_version),
        cmocka_unit_test(a_tournament_that_comes_new_into_a_paused_line_has_its_jury_paused),
        cmocka_unit_test(a_jury_that_goes_on_alone_does_so_in_the_next_version),
        cmocka_unit_test(who_was_never_kept_out_of_a_tournament_is_let_in_without_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
