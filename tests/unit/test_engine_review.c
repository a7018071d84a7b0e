/* The engine: stations that review the one before them. What a verdict is, who may give it, what others see and when, and what becomes of work that is sent back. */
#include "tests/unit/review_world.h"

#define CHECK "  - name: check\n    type: improve\n    after: [write]\n    author: true\n" REASONS
#define CHECK_2 "  - name: second\n    type: improve\n    after: [check]\n" REASONS

enum { W, C, P, S }; /* places of write, check, publish, second */

static void who_comes_after_the_work_waits_for_the_verdict(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK PUBLISH, "Sun", "It rises.");
    struct world_task t;
    assert_int_equal(story(&s, "stations[0].state"), TASK_DONE);
    assert_int_equal(story(&s, "stations[1].state"), TASK_READY);
    assert_int_equal(story(&s, "stations[2].state"), TASK_BLOCKED);
    t = taken(&s, 1, C);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 1), "Sun");
    assert_string_equal(told(&s, t.assignment, "author"), "hub-0");
    assert_string_equal(told(&s, t.assignment, "round"), "1");
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    assert_int_equal(story(&s, "stations[1].state"), TASK_DONE);
    t = taken(&s, 0, P); /* what is not a review may be done by anybody */
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 3), "Sun");
    assert_int_equal(hand_in(&s, &t, NULL, 0, NULL), SLP_E_OK);
    assert_int_equal(story(&s, "state"), UNIT_DONE);
    assert_string_equal(output(&s, NULL, false, 0, "check.title"), "Sun");
    assert_string_equal(output(&s, NULL, false, 0, "check.verdict"), "accept");
    assert_string_equal(output(&s, NULL, false, 0, "check.changed"), "-");
    world_end(&s.w);
}

static void an_improvement_stands_beside_what_was_handed_in(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK PUBLISH, "Sun", "It rises.");
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(verdict(&s, &t, "improve", "The sun", NULL, "an article", NULL), SLP_E_OK);
    t = taken(&s, 2, P);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 1), "Sun");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 3), "The sun");
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 4), "It rises.");
    assert_int_equal(hand_in(&s, &t, NULL, 0, NULL), SLP_E_OK);
    assert_string_equal(output(&s, NULL, false, 0, "write.title"), "Sun");
    assert_string_equal(output(&s, NULL, false, 0, "check.title"), "The sun");
    assert_string_equal(output(&s, NULL, false, 0, "check.body"), "It rises.");
    assert_string_equal(output(&s, NULL, false, 0, "check.changed"), "title");
    assert_string_equal(output(&s, NULL, false, 0, "check.note"), "an article");
    assert_string_equal(output(&s, "check", true, 0, "check.verdict"), "improve");
    assert_string_equal(output(&s, "check", true, 0, "check.changed"), "title");
    assert_string_equal(output(&s, "check", true, 0, "worker"), "hub-1");
    assert_string_equal(output(&s, "check", true, 0, "stands"), "true");
    assert_true(story_is(&s, "stations[1].assignments[0].changes.title[0]", "Sun"));
    assert_true(story_is(&s, "stations[1].assignments[0].changes.title[1]", "The sun"));
    assert_true(story_is(&s, "stations[1].reviews", "write"));
    world_end(&s.w);
}

static uint64_t measured(struct world_scene *s, const char *worker, const char *path)
{
    struct slp_repute_get q = { .name = world_str(worker) };
    struct slp_msg *m = world_send(&s->w, WORLD_CLIENT, SLP_REPUTE_GET, &q);
    assert_true(m && m->type == SLP_REPUTE);
    return world_number(world_at(m->u.repute.story, path));
}

static void verdicts_are_measured_of_the_author(void **state_)
{
    static const char *const verdicts[] = { "accept", "improve", "reject" };
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE CHECK);
    world_put(&s.w, s.run, 3);
    for (unsigned i = 0; i < 3; i++) {
        struct world_task t = taken(&s, 0, W);
        assert_int_equal(write_it(&s, &t, "Sun", "It rises."), SLP_E_OK);
        t = taken(&s, 1, C);
        assert_int_equal(verdict(&s, &t, verdicts[i], i == 1 ? "The sun" : NULL, NULL, "so", i == 2 ? "wrong" : NULL),
                         SLP_E_OK);
    }
    assert_int_equal(measured(&s, "hub-0", "measures.approval.of"), 3);
    assert_int_equal(measured(&s, "hub-0", "measures.approval.accepted"), 1);
    assert_int_equal(measured(&s, "hub-0", "measures.returned.returned"), 1);
    assert_int_equal(measured(&s, "hub-1", "measures.approval.of"), UINT64_MAX); /* nobody reviewed the reviewer */
    world_end(&s.w);
}

static void a_verdict_that_contradicts_itself_is_refused_by_field(void **state_)
{
    struct world_scene s;
    char text[256];
    (void)state_;
    open_written(&s, WRITE CHECK, "Sun", NULL);
    struct world_task t = taken(&s, 1, C);
    static const struct {
        const char *v[5], *says;
    } bad[] = {
        { { NULL, NULL, NULL, NULL, NULL }, "verdict: is required" },
        { { NULL, NULL, "good", NULL, NULL }, "verdict: 'good' is not one of the options" },
        { { "Moon", NULL, "accept", NULL, NULL }, "title: is changed, but the verdict is accept: say improve" },
        { { NULL, NULL, "improve", NULL, NULL }, "verdict: improve, but nothing is changed: say accept" },
        { { "Sun", "", "improve", NULL, NULL }, "verdict: improve, but nothing is changed: say accept" },
        { { "", NULL, "improve", NULL, NULL }, "title: is required" },
        { { NULL, NULL, "accept", NULL, "wrong" }, "reason: a reason is for what is rejected" },
        { { NULL, NULL, "reject", "no", NULL }, "reason: is required when work is rejected" },
        { { NULL, NULL, "reject", "no", "ugly" }, "reason: 'ugly' is not one of the options" },
        { { "Moon", NULL, "reject", "no", "wrong" },
          "title: is changed, but the verdict is reject: what is sent back stays as it is" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(hand_in(&s, &t, bad[i].v, 5, text), SLP_E_BAD_RESULT);
        assert_string_equal(text, bad[i].says);
    }
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "Sun", NULL, "accept" }, 3, text), SLP_E_BAD_RESULT);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "Sun", NULL, "accept", "fine", NULL }, 5, text), SLP_E_OK);
    world_end(&s.w);
}

static void nobody_reviews_what_he_had_a_part_in_however_far_back(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "  - name: find\n    form: {fields: [{name: where, type: short_answer}]}\n" WRITE CHECK CHECK_2);
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "there" }, 1, NULL), SLP_E_OK);
    t = taken(&s, 1, 1);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(given(&s, 1).assignment, 0);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 0).assignment, 0);
    assert_int_equal(given(&s, 1).assignment, 0);
    t = taken(&s, 2, 2);
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    assert_int_equal(given(&s, 2).assignment, 0);
    t = taken(&s, 3, 3);
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    world_end(&s.w);
}

static void rejected_work_goes_to_its_author_with_the_note_first(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK PUBLISH, "Sum", "It rises.");
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, "a typing mistake"), SLP_E_OK);
    assert_int_equal(story(&s, "stations[0].state"), TASK_READY);
    assert_int_equal(story(&s, "stations[0].round"), 2);
    assert_int_equal(story(&s, "stations[1].state"), TASK_BLOCKED);
    assert_int_equal(given(&s, 2).assignment, 0);
    assert_int_equal(given(&s, 1).assignment, 0);
    t = taken(&s, 0, W);
    assert_int_equal(t.attempt, 1);
    assert_string_equal(told(&s, t.assignment, "note"), "a typing mistake");
    assert_string_equal(told(&s, t.assignment, "reason"), "wrong");
    assert_string_equal(told(&s, t.assignment, "answer.title"), "Sum");
    assert_string_equal(told(&s, t.assignment, "round"), "2");
    world_clear(&s.w);
    assert_int_equal(write_it(&s, &t, "Sun", "It rises."), SLP_E_OK);
    t = pushed(&s); /* 1 and 2 wait: who rejected it may look again */
    assert_int_equal(t.station_id, s.station + C);
    assert_string_equal(told(&s, t.assignment, "round"), "2");
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    assert_false(story_is(&s, "stations[0].assignments[0].stands", "x"));
    assert_string_equal(output(&s, "write", true, 0, "stands"), "false");
    assert_string_equal(output(&s, "write", true, 1, "stands"), "true");
    assert_string_equal(output(&s, "check", true, 0, "check.verdict"), "reject");
    assert_string_equal(output(&s, "check", true, 0, "check.reason"), "wrong");
    assert_string_equal(output(&s, "check", true, 1, "check.verdict"), "accept");
    assert_true(story_is(&s, "history[0].reason", "wrong: a typing mistake"));
    assert_int_equal(story(&s, "history[0].what"), WHY_REJECTED);
    world_end(&s.w);
}

static void after_a_while_it_goes_to_others(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK "    return_to_author: 2h\n", "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    pass(&s, 2 * HOUR - SECOND);
    world_restart(&s.w);
    world_hello(&s.w, &s.h, NULL, 0);
    assert_int_equal(given(&s, 2).assignment, 0);
    pass(&s, 2 * SECOND); /* 2 waits for it */
    t = pushed(&s);
    assert_int_equal(t.worker, s.h.worker[2]);
    assert_int_equal(t.station_id, s.station + W);
    assert_string_equal(told(&s, t.assignment, "answer.title"), "Sum");
    world_clear(&s.w);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0); /* he had a part in it all the same */
    t = taken(&s, 1, C);
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    world_end(&s.w);
}

static void it_goes_to_others_at_once_if_its_author_declines_or_has_left_or_the_line_says_so(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    t = taken(&s, 0, W);
    assert_int_equal(act(&s, &t, ACT_RELEASE), SLP_E_OK); /* it is still his */
    assert_int_equal(given(&s, 2).assignment, 0);
    t = taken(&s, 0, W);
    assert_int_equal(act(&s, &t, ACT_DECLINE), SLP_E_OK);
    t = pushed(&s);
    assert_int_equal(t.worker, s.h.worker[2]);
    world_end(&s.w);
    open_scene(&s, WRITE CHECK "    return_to_author: 0s\n");
    world_put(&s.w, s.run, 1);
    t = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Sum", NULL), SLP_E_OK);
    t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    taken(&s, 2, W);
    world_end(&s.w);
}

static void set_worker(struct world_scene *s, unsigned action, const char *worker, const char *station,
                       const char *skill)
{
    struct slp_worker_set q = { .name = world_str(worker), .action = action };
    if (station) {
        q.line = world_str("l");
        q.station = world_str(station);
        SLP_SET(&q, worker_set, line);
        SLP_SET(&q, worker_set, station);
    } else {
        q.skill = world_str(skill);
        SLP_SET(&q, worker_set, skill);
    }
    assert_int_equal(world_code(world_send(&s->w, WORLD_CLIENT, SLP_WORKER_SET, &q)), SLP_E_OK);
}
enum { SUSPEND, READMIT, GRANT, REVOKE };

static void it_goes_to_others_at_once_if_its_author_is_suspended(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    set_worker(&s, SUSPEND, "hub-0", "write", NULL);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    taken(&s, 2, W);
    world_end(&s.w);
}

static void it_goes_to_others_at_once_if_the_rejection_lets_its_author_fall_short(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE "    require: {approval: \">= 0.9\", after: 1}\n" CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    taken(&s, 2, W);
    world_end(&s.w);
}

static void it_goes_to_others_at_once_if_its_author_has_not_the_skill_any_more(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE "    worker: {skills: {spell: 1}}\n" CHECK);
    set_worker(&s, GRANT, "hub-0", NULL, "spell");
    set_worker(&s, GRANT, "hub-2", NULL, "spell");
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Sum", NULL), SLP_E_OK);
    t = taken(&s, 1, C);
    set_worker(&s, REVOKE, "hub-0", NULL, "spell");
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    taken(&s, 2, W);
    world_end(&s.w);
}

/* He gave it back, was given it again and declined that; then came what he had done before. */
static void it_goes_to_others_at_once_if_its_author_has_declined_it(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE CHECK);
    world_put(&s.w, s.run, 1);
    struct world_task old = taken(&s, 0, W);
    assert_int_equal(act(&s, &old, ACT_RELEASE), SLP_E_OK);
    struct world_task t = taken(&s, 0, W);
    assert_int_equal(act(&s, &t, ACT_DECLINE), SLP_E_OK);
    assert_int_equal(write_it(&s, &old, "Sum", NULL), SLP_E_OK);
    t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    taken(&s, 2, W);
    world_end(&s.w);
}

static uint64_t figure(struct world_scene *s, const char *name)
{
    struct slp_stats_get q = { 0 };
    struct slp_msg *m = world_send(&s->w, WORLD_CLIENT, SLP_STATS_GET, &q);
    assert_non_null(m);
    return world_number(world_at(m->u.stats.figures, name));
}

static void an_answer_that_comes_back_is_copied_once(void **state_)
{
    struct world_scene s;
    char body[801] = "";
    (void)state_;
    memset(body, 'x', 800);
    open_written(&s, WRITE CHECK, "Sun", body);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, "shorter"), SLP_E_OK);
    uint64_t out = figure(&s, "payload_out_bytes_total"), copied = figure(&s, "payload_out_copied_bytes_total");
    t = taken(&s, 0, W);
    assert_string_equal(told(&s, t.assignment, "note"), "shorter");
    out = figure(&s, "payload_out_bytes_total") - out;
    assert_true(out > 800); /* the answer's, and the input's */
    assert_int_equal(figure(&s, "payload_out_copied_bytes_total") - copied, out);
    world_end(&s.w);
}

static void the_time_of_an_earlier_round_does_not_end_that_of_a_later_one(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK "    return_to_author: 2h\n    rounds: 9\n", "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    pass(&s, HOUR);
    t = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Som", NULL), SLP_E_OK);
    t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    pass(&s, HOUR + MINUTE);
    assert_int_equal(given(&s, 2).assignment, 0);
    pass(&s, HOUR);
    assert_int_equal(pushed(&s).worker, s.h.worker[2]);
    world_end(&s.w);
}

static void the_last_round_parks_the_work_and_an_operator_gives_one_more(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE CHECK PUBLISH "  - name: x\n");
    world_put(&s.w, s.run, 1);
    for (unsigned round = 1; round <= 4; round++) {
        struct world_task t = taken(&s, 0, W);
        assert_int_equal(write_it(&s, &t, "Sum", NULL), SLP_E_OK);
        t = taken(&s, 1, C);
        assert_int_equal(reject_it(&s, &t, "no"), SLP_E_OK);
        assert_int_equal(story(&s, "stations[1].state"), TASK_BLOCKED);
        assert_int_equal(story(&s, "stations[0].state"), round < 3 ? TASK_READY : TASK_DEAD);
        if (round == 3)
            assert_int_equal(world_tasks_set(&s.w, s.station, 0, "r", (const uint64_t[]){ 1 }, 1), 1);
    }
    assert_int_equal(world_count(&s.w, "r", "write", TASK_DEAD), 1);
    world_check(&s.w);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", (const uint64_t[]){ 1 }, 1), 1);
    assert_int_equal(story(&s, "state"), UNIT_DROPPED);
    world_end(&s.w);
}

static void the_last_round_may_lead_to_another_station_that_others_pass_by(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE CHECK "    rounds: 1\n    on_exhausted: expert\n  - name: expert\n    form: {fields: [{name: "
                               "title, type: short_answer}]}\n" PUBLISH);
    world_put(&s.w, s.run, 2);
    struct world_task t = taken(&s, 0, W), u = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Sum", NULL), SLP_E_OK);
    assert_int_equal(write_it(&s, &u, "Moon", NULL), SLP_E_OK);
    t = taken(&s, 1, C);
    u = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, "no"), SLP_E_OK);
    assert_int_equal(story(&s, "stations[1].state"), TASK_DONE);
    assert_int_equal(story(&s, "stations[2].state"), TASK_READY);
    assert_int_equal(accept_it(&s, &u), SLP_E_OK);
    assert_int_equal(world_story(&s.w, "r", 2, "stations[2].state"), TASK_SKIPPED);
    t = taken(&s, 2, 2);
    assert_int_equal(hand_in(&s, &t, (const char *[]){ "Sun" }, 1, NULL), SLP_E_OK);
    assert_string_equal(output(&s, NULL, false, 0, "write.title"), "Sum");
    assert_string_equal(output(&s, NULL, false, 0, "check.verdict"), "reject");
    assert_string_equal(output(&s, NULL, false, 0, "expert.title"), "Sun");
    world_end(&s.w);
}

static void a_verdict_on_work_that_has_changed_since_comes_too_late(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK "    lease: 10m\n    return_to_author: 0s\n", "Sum", NULL);
    struct world_task t, first, second;
    first = taken(&s, 1, C);
    assert_int_equal(act(&s, &first, ACT_START), SLP_E_OK);
    pass(&s, 11 * MINUTE); /* his lease is over */
    second = taken(&s, 2, C);
    assert_int_equal(reject_it(&s, &second, "no"), SLP_E_OK);
    assert_int_equal(reject_it(&s, &first, "no, too"), SLP_E_LATE); /* there is nothing to review */
    t = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
    second = taken(&s, 3, C);
    assert_int_equal(act(&s, &second, ACT_START), SLP_E_OK);
    pass(&s, 11 * MINUTE);
    assert_int_equal(story(&s, "stations[1].state"), TASK_READY);
    assert_int_equal(reject_it(&s, &first, "no, too"), SLP_E_LATE); /* known already */
    assert_int_equal(accept_it(&s, &second), SLP_E_OK);             /* this one is about the work as it is */
    assert_int_equal(story(&s, "stations[1].state"), TASK_DONE);
    world_end(&s.w);
}

static void a_late_verdict_of_an_earlier_round_does_not_count_in_a_later_one(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK "    lease: 10m\n    return_to_author: 0s\n", "Sum", NULL);
    struct world_task t, first, second;
    first = taken(&s, 1, C);
    assert_int_equal(act(&s, &first, ACT_START), SLP_E_OK);
    pass(&s, 11 * MINUTE);
    second = taken(&s, 2, C);
    assert_int_equal(reject_it(&s, &second, "no"), SLP_E_OK);
    t = taken(&s, 0, W);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
    assert_int_equal(story(&s, "stations[1].state"), TASK_READY);
    assert_int_equal(reject_it(&s, &first, "no, too"), SLP_E_LATE);
    assert_int_equal(story(&s, "stations[1].state"), TASK_READY);
    second = taken(&s, 1, C);
    assert_int_equal(accept_it(&s, &second), SLP_E_OK);
    world_end(&s.w);
}

static void a_review_may_be_reviewed_and_sent_back_to_its_reviewer(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK PUBLISH CHECK_2, "Sum", "It rises.");
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(accept_it(&s, &t), SLP_E_OK);
    assert_int_equal(story(&s, "stations[2].state"), TASK_BLOCKED); /* it waits for both */
    t = taken(&s, 2, S);
    assert_int_equal(reject_it(&s, &t, "look again"), SLP_E_OK);
    assert_int_equal(story(&s, "stations[0].state"), TASK_DONE);
    assert_int_equal(story(&s, "stations[1].state"), TASK_READY);
    assert_int_equal(story(&s, "stations[3].state"), TASK_BLOCKED);
    assert_int_equal(given(&s, 3).assignment, 0);
    t = taken(&s, 1, C);
    assert_string_equal(told(&s, t.assignment, "note"), "look again");
    assert_string_equal(told(&s, t.assignment, "answer.verdict"), "accept");
    assert_string_equal(told(&s, t.assignment, "author"), "hub-0");
    assert_int_equal(verdict(&s, &t, "improve", "Sun", NULL, NULL, NULL), SLP_E_OK);
    t = pushed(&s);
    assert_int_equal(t.station_id, s.station + S);
    assert_int_equal(verdict(&s, &t, "improve", NULL, "It rises in the east.", NULL, NULL), SLP_E_OK);
    assert_int_equal(story(&s, "stations[2].state"), TASK_READY);
    assert_string_equal(output(&s, NULL, false, 0, "write.title"), "Sum");
    assert_string_equal(output(&s, NULL, false, 0, "check.title"), "Sun");
    assert_string_equal(output(&s, NULL, false, 0, "second.title"), "Sun");
    assert_string_equal(output(&s, NULL, false, 0, "second.body"), "It rises in the east.");
    world_end(&s.w);
}

static void what_passes_by_a_review_passes_with_its_work(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s,
                 WRITE CHECK "    when: write.title == \"bad\"\n  - name: publish\n    when: check.title == "
                             "\"good\"\n    shows: [check.title]\n",
                 "good", NULL);
    struct world_task t;
    assert_int_equal(story(&s, "stations[1].state"), TASK_SKIPPED);
    t = taken(&s, 1, P);
    assert_string_equal(world_shown(&s.w, &s.h, t.assignment, 0), "good");
    assert_string_equal(output(&s, NULL, false, 0, "check.title"), "good");
    assert_string_equal(output(&s, NULL, false, 0, "check.verdict"), "-");
    world_end(&s.w);
}

static void where_there_is_no_work_there_is_no_review(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "  - name: first\n" WRITE "    when: text == \"unit 2\"\n" CHECK "  - name: last\n");
    world_put(&s.w, s.run, 1);
    struct world_task t = taken(&s, 0, 0);
    assert_int_equal(hand_in(&s, &t, NULL, 0, NULL), SLP_E_OK);
    assert_int_equal(story(&s, "stations[1].state"), TASK_SKIPPED);
    assert_int_equal(story(&s, "stations[2].state"), TASK_SKIPPED);
    assert_int_equal(story(&s, "stations[3].state"), TASK_READY);
    world_end(&s.w);
}

static void a_sample_is_the_same_wherever_it_is_drawn_and_near_its_share(void **state_)
{
    static uint64_t chosen[2][1000], n[2];
    (void)state_;
    for (int i = 0; i < 2; i++) {
        struct world_scene s;
        open_scene(&s, WRITE CHECK "    sample: 0.1\n");
        if (i) /* another run before it: numbers differ, names do not */
            world_put(&s.w, world_run(&s.w, "l", "other"), 1);
        world_put(&s.w, s.run, 1000);
        if (i)
            assert_int_equal(world_run_set(&s.w, "other", RUN_SET_CANCEL, 0), SLP_E_OK);
        world_batch(&s.w, 100);
        world_clear(&s.w);
        for (unsigned k = 0; k < 1000; k += 10) {
            world_batch(&s.w, 1);
            world_clear(&s.w);
            world_credit(&s.w, &s.h, 0, 10);
            struct world_task t[16];
            size_t m = world_tasks(&s.w, &s.h, t, 16);
            assert_int_equal(m, 10);
            for (size_t j = 0; j < m; j++)
                assert_int_equal(write_it(&s, &t[j], "x", NULL), SLP_E_OK);
        }
        for (uint64_t u = 1; u <= 1000; u++)
            if (world_story(&s.w, "r", u, "stations[1].state") == TASK_READY)
                chosen[i][n[i]++] = u;
        world_end(&s.w);
    }
    static const uint64_t told[] = { 7, 21, 29, 35, 43, 60, 72, 91, 112 }; /* in PROTOCOL.md */
    assert_memory_equal(chosen[0], told, sizeof told);
    assert_int_equal(n[0], 89);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(chosen[0], chosen[1], sizeof chosen[0]);
}

static void the_first_results_of_each_worker_are_reviewed(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE "  - name: check\n    type: improve\n    first: 3\n");
    world_put(&s.w, s.run, 8);
    for (unsigned i = 0; i < 5; i++) {
        struct world_task t = taken(&s, 0, W);
        assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
        if (i == 1) {
            world_restart(&s.w);
            world_hello(&s.w, &s.h, NULL, 0);
        }
    }
    assert_int_equal(world_count(&s.w, "r", "check", TASK_READY), 3);
    assert_int_equal(world_count(&s.w, "r", "check", TASK_SKIPPED), 2);
    struct world_task t = taken(&s, 1, C); /* he is new at reviewing, which nobody reviews */
    assert_int_equal(hand_in(&s, &t, (const char *[]){ NULL, NULL, "accept", NULL }, 4, NULL), SLP_E_OK);
    world_end(&s.w);
}

/* A later version remembers fewer results than `first` of the one that the run goes by: its workers do not stay new for ever. */
static void a_smaller_window_of_a_later_version_ends_being_new_earlier(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, WRITE "  - name: check\n    type: improve\n    first: 40\n");
    world_line(&s.w, INPUT WRITE "    window: {last: 8}\n  - name: check\n    type: improve\n    first: 3\n");
    world_put(&s.w, s.run, 12);
    for (unsigned i = 0; i < 12; i++) {
        struct world_task t = taken(&s, 0, W);
        assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK);
    }
    assert_int_equal(world_count(&s.w, "r", "check", TASK_READY), 6); /* one less than the window is sure to hold */
    assert_int_equal(world_count(&s.w, "r", "check", TASK_SKIPPED), 6);
    world_end(&s.w);
}

/* A rest that a late result ended has an entry that is due later: it must not end a rest of the next round. */
static void a_rest_of_an_earlier_round_does_not_end_that_of_a_later_one(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(&s, "  - name: write\n    attempts: 9\n    backoff: 40s\n    lease: 5m\n    form: {fields: [{name: "
                   "title, type: short_answer, required: true}, {name: body, type: long_answer}]}\n" CHECK
                   "    return_to_author: 0s\n");
    world_put(&s.w, s.run, 1);
    struct world_task first = taken(&s, 0, W);
    assert_int_equal(act(&s, &first, ACT_START), SLP_E_OK);
    assert_int_equal(act(&s, &first, ACT_FAIL), SLP_E_OK); /* rests until 40 s */
    pass(&s, 10 * SECOND);
    assert_int_equal(write_it(&s, &first, "Sun", NULL), SLP_E_OK); /* he did it after all */
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    t = taken(&s, 2, W);
    assert_int_equal(act(&s, &t, ACT_FAIL), SLP_E_OK); /* rests until 50 s */
    assert_int_equal(story(&s, "stations[0].state"), TASK_WAITING);
    pass(&s, 35 * SECOND);
    assert_int_equal(story(&s, "stations[0].state"), TASK_WAITING);
    pass(&s, 6 * SECOND);
    assert_int_not_equal(story(&s, "stations[0].state"), TASK_WAITING);
    world_end(&s.w);
}

static void a_result_of_an_earlier_round_does_not_count_in_a_later_one(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_scene(
        &s,
        "  - name: write\n    lease: 5m\n    form: {fields: [{name: title, type: short_answer, required: true}, {name: "
        "body, type: long_answer}]}\n" CHECK "    return_to_author: 0s\n");
    world_put(&s.w, s.run, 1);
    struct world_task slow = taken(&s, 0, W), t;
    assert_int_equal(act(&s, &slow, ACT_START), SLP_E_OK);
    pass(&s, 6 * MINUTE);
    t = taken(&s, 1, W);
    assert_int_equal(write_it(&s, &t, "Sum", NULL), SLP_E_OK);
    t = taken(&s, 2, C);
    assert_int_equal(reject_it(&s, &t, "a typing mistake"), SLP_E_OK);
    assert_int_equal(write_it(&s, &slow, "Sam", NULL), SLP_E_LATE); /* he has not seen the note */
    assert_int_equal(story(&s, "stations[0].state"), TASK_READY);
    t = taken(&s, 3, W);
    assert_int_equal(act(&s, &t, ACT_RELEASE), SLP_E_OK);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_OK); /* late as well, and of this round */
    assert_int_equal(story(&s, "stations[0].state"), TASK_DONE);
    world_end(&s.w);
}

static void a_run_that_is_cancelled_takes_no_verdict(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_CANCEL, 0), SLP_E_OK);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_LATE);
    world_end(&s.w);
}

static void what_is_sent_back_in_a_paused_run_waits_and_is_dropped_with_its_unit(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(act(&s, &t, ACT_START), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_PAUSE, 0), SLP_E_OK);
    pass(&s, SECOND);
    assert_int_equal(reject_it(&s, &t, NULL), SLP_E_OK);
    assert_int_equal(given(&s, 0).assignment, 0);
    world_clear(&s.w);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_RESUME, 0), SLP_E_OK);
    t = pushed(&s);
    assert_int_equal(t.worker, s.h.worker[0]);
    assert_int_equal(world_tasks_set(&s.w, s.station, 1, "r", (const uint64_t[]){ 1 }, 1), 1);
    assert_int_equal(write_it(&s, &t, "Sun", NULL), SLP_E_LATE);
    pass(&s, 5 * HOUR);
    world_end(&s.w);
}

static void a_deleted_run_leaves_nothing_of_its_reviews(void **state_)
{
    struct world_scene s;
    (void)state_;
    open_written(&s, WRITE CHECK, "Sum", NULL);
    struct world_task t = taken(&s, 1, C);
    assert_int_equal(reject_it(&s, &t, "no"), SLP_E_OK);
    assert_int_equal(world_run_set(&s.w, "r", RUN_SET_DELETE, 0), SLP_E_OK);
    pass(&s, 5 * HOUR);
    world_end(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_after_the_work_waits_for_the_verdict),
        cmocka_unit_test(an_improvement_stands_beside_what_was_handed_in),
        cmocka_unit_test(verdicts_are_measured_of_the_author),
        cmocka_unit_test(a_verdict_that_contradicts_itself_is_refused_by_field),
        cmocka_unit_test(nobody_reviews_what_he_had_a_part_in_however_far_back),
        cmocka_unit_test(rejected_work_goes_to_its_author_with_the_note_first),
        cmocka_unit_test(after_a_while_it_goes_to_others),
        cmocka_unit_test(it_goes_to_others_at_once_if_its_author_declines_or_has_left_or_the_line_says_so),
        cmocka_unit_test(it_goes_to_others_at_once_if_its_author_is_suspended),
        cmocka_unit_test(it_goes_to_others_at_once_if_the_rejection_lets_its_author_fall_short),
        cmocka_unit_test(it_goes_to_others_at_once_if_its_author_has_not_the_skill_any_more),
        cmocka_unit_test(it_goes_to_others_at_once_if_its_author_has_declined_it),
        cmocka_unit_test(an_answer_that_comes_back_is_copied_once),
        cmocka_unit_test(the_time_of_an_earlier_round_does_not_end_that_of_a_later_one),
        cmocka_unit_test(the_last_round_parks_the_work_and_an_operator_gives_one_more),
        cmocka_unit_test(the_last_round_may_lead_to_another_station_that_others_pass_by),
        cmocka_unit_test(a_verdict_on_work_that_has_changed_since_comes_too_late),
        cmocka_unit_test(a_late_verdict_of_an_earlier_round_does_not_count_in_a_later_one),
        cmocka_unit_test(a_review_may_be_reviewed_and_sent_back_to_its_reviewer),
        cmocka_unit_test(what_passes_by_a_review_passes_with_its_work),
        cmocka_unit_test(where_there_is_no_work_there_is_no_review),
        cmocka_unit_test(a_sample_is_the_same_wherever_it_is_drawn_and_near_its_share),
        cmocka_unit_test(the_first_results_of_each_worker_are_reviewed),
        cmocka_unit_test(a_smaller_window_of_a_later_version_ends_being_new_earlier),
        cmocka_unit_test(a_rest_of_an_earlier_round_does_not_end_that_of_a_later_one),
        cmocka_unit_test(a_result_of_an_earlier_round_does_not_count_in_a_later_one),
        cmocka_unit_test(a_run_that_is_cancelled_takes_no_verdict),
        cmocka_unit_test(what_is_sent_back_in_a_paused_run_waits_and_is_dropped_with_its_unit),
        cmocka_unit_test(a_deleted_run_leaves_nothing_of_its_reviews),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
