/* Memory that runs out where much has come together: more requirements than fit the words of bits that are there, a queue in which a worker passes by what is his
 * own, zones whose days are told, a whole staff that changes. Each allocation of these steps fails in turn, our own or LMDB's: the engine says so and nothing has
 * changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/engine_play.h"
#define ALLOC_EVERYWHERE
#include "tests/unit/alloc_world.h"

#define GATES 64 /* requirements that are told apart by the bits of one word */
#define OWN 40

static void line_of(const char *name, unsigned from, unsigned stations)
{
    static char yaml[16000];
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "line: %s\ninput:\n  - {name: text, type: text}\nstations:\n", name);
    for (unsigned i = from; i < from + stations; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                              "  - {name: s%u, after: [], worker: {skills: {skill-%u: 1}}}\n", i, i);
    world_line(&play.w, yaml);
}

static void take(unsigned worker, unsigned more)
{
    world_clear(&play.w);
    world_credit(&play.w, &play.hub[0], worker, more);
    play.n = world_tasks(&play.w, &play.hub[0], play.t, sizeof play.t / sizeof *play.t);
}

/* ---- the steps ---- */

static void many_requirements(void)
{
    line_of("many", 0, GATES);
    play.run = world_run(&play.w, "many", "m");
    line_of("one-more", GATES, 1);
    play.more = world_run(&play.w, "one-more", "one-more");
    play_put(play.run, 2);
}
static void people_come(void)
{
    static const struct staff crew[] = { { "ann", 0, "skill-1", 1, "red" },
                                         { "bob", 0, "skill-2", 1, NULL },
                                         { "cat", 1, "skill-64", 1, "blue" } };
    world_hub(&play.w, &play.hub[0], "west", 0, 0);
    play.hubs = play.w.failed ? 0 : 1;
    if (play.hubs)
        staff_roster(&play.w, &play.hub[0], crew, 3);
}
static void everybody_waits(void)
{
    for (unsigned i = 0; i < 3; i++)
        take(i, 2);
}
static void one_requirement_more_comes(void)
{
    play_put(play.more, 1);
}
static void the_many_are_over(void)
{
    world_run_set(&play.w, "m", RUN_SET_CANCEL, 0);
    world_pass(&play.w, 1000);
}
static void others_come_instead(void)
{
    line_of("others", 100, GATES);
    play.other = world_run(&play.w, "others", "o");
    play_put(play.other, 1);
}

static void reviewed_work(void)
{
    play.station = world_line(&play.w, "line: reviewed\ninput:\n  - {name: text, type: text}\nstations:\n"
                                       "  - {name: make, form: {fields: [{name: a, type: short_answer}]}}\n"
                                       "  - name: look\n    worker: {not_who_did: [make]}\n    form: {fields: [{name: "
                                       "b, type: short_answer}]}\n");
    play.run = world_run(&play.w, "reviewed", "r");
}
static void two_come(void)
{
    world_hub(&play.w, &play.hub[0], "west", 2, 0);
    play.hubs = play.w.failed ? 0 : 1;
}
/* Most of it is the first one's, then comes some of the other. */
static void much_is_made(void)
{
    play_put(play.run, OWN + 4);
    take(0, OWN);
    for (size_t i = 0; i < play.n; i++)
        world_submit(&play.w, &play.hub[0], &play.t[i], "x");
    take(1, 4);
    for (size_t i = 0; i < play.n; i++)
        world_submit(&play.w, &play.hub[0], &play.t[i], "x");
}
static void his_own_is_passed_by(void)
{
    take(0, 2);
}
static void he_asks_why(void)
{
    struct slp_why_get q = { .session = play.hub[0].session, .worker = play.hub[0].worker[0] };
    world_send(&play.w, play.hub[0].peer, SLP_WHY_GET, &q);
}

#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, name, false                                                                                             \
    }
static const struct play_step requirements[] = { S(many_requirements), S(people_come),
                                                 S(everybody_waits),   S(one_requirement_more_comes),
                                                 S(the_many_are_over), S(others_come_instead),
                                                 { NULL, NULL, false } };
static const struct play_step own[] = { S(reviewed_work),        S(two_come),    S(much_is_made),
                                        S(his_own_is_passed_by), S(he_asks_why), { NULL, NULL, false } };
#undef S

static void allocations(bool in)
{
    if (in)
        alloc_rearm();
    else
        alloc_disarm();
}

/* From this step on each is taken again and again, and each allocation of it fails once. */
static void live(const struct play_step *steps, const char *from)
{
    bool fails = false;
    memset(&play, 0, sizeof play);
    world_open_with(&play.w, (struct world_how){ .wal_bytes = 1 });
    for (const struct play_step *s = steps; s->what; s++) {
        uint64_t n = 0;
        fails = fails || !strcmp(s->what, from);
        if (!fails) {
            s->take();
            continue;
        }
        do {
            alloc_arm(++n, false);
            alloc_disarm();
            play_take(s, allocations);
            if (play.w.failed && play.w.failed != STORE_NO_MEMORY && play.w.failed != STORE_IO)
                fail_msg("%s: allocation %llu failed and was told as %d", s->what, (unsigned long long)n,
                         play.w.failed);
            assert_true(alloc_state.failed || play.w.failed == STORE_OK);
            if (alloc_state.failed)
                play_anew();
        } while (alloc_state.failed);
        play.w.watched = false;
        print_message("# %s: %llu allocations failed\n", s->what, (unsigned long long)n - 1);
        assert_true(n > 1 || !ALLOC_LIBRARIES); /* of some steps all is asked for by LMDB */
    }
    assert_true(fails);
    world_end(&play.w);
}

static void more_requirements_than_there_are_bits_for_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    live(requirements, "everybody_waits");
}

static void so_is_a_queue_in_which_much_is_ones_own(void **state)
{
    (void)state;
    live(own, "his_own_is_passed_by");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_requirements_than_there_are_bits_for_are_taken_whole_or_not_at_all),
        cmocka_unit_test(so_is_a_queue_in_which_much_is_ones_own),
    };
    return cmocka_run_group_tests_name("allocations where much has come together", tests, NULL, NULL);
}
