/* Which of two threads leads: broker/leader.h. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "broker/leader.h"

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void let_pass(int64_t us)
{
    nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL);
}

/* The committer's side, on a thread of its own. */
struct committer {
    struct leader *leader;
    int64_t stays_us; /* at the sockets */
    int64_t ended_us; /* then it gave the lead back */
    atomic_int turns; /* it enters and leaves so often */
};

static void *stays_then_returns(void *arg)
{
    struct committer *c = arg;
    assert_true(leader_enter(c->leader));
    let_pass(c->stays_us);
    c->ended_us = now_us();
    leader_return(c->leader);
    return NULL;
}

static void *comes_and_goes(void *arg)
{
    struct committer *c = arg;
    for (int i = 0; i < c->turns; i++) {
        assert_true(leader_enter(c->leader));
        let_pass(c->stays_us);
        leader_leave(c->leader);
    }
    c->ended_us = now_us();
    leader_return(c->leader);
    return NULL;
}

static void *leaves_for_good(void *arg)
{
    struct committer *c = arg;
    assert_true(leader_enter(c->leader));
    let_pass(c->stays_us);
    c->ended_us = now_us();
    leader_leave(c->leader);
    return NULL;
}

/* Pass, let the other do that, wait. When this thread led again. */
static int64_t lead_is_back_us(struct committer *c, void *(*does)(void *))
{
    pthread_t thread;
    leader_pass(c->leader);
    assert_true(leader_passed(c->leader));
    assert_int_equal(pthread_create(&thread, NULL, does, c), 0);
    leader_wait(c->leader);
    int64_t back_us = now_us();
    pthread_join(thread, NULL);
    assert_false(leader_passed(c->leader) || leader_enter(c->leader));
    return back_us;
}

static void the_sockets_thread_leads_until_it_passes(void **state)
{
    (void)state;
    struct leader *l = leader_new();
    assert_false(leader_passed(l) || leader_enter(l));
    leader_return(l); /* what it has not got it may give back */
    assert_false(leader_enter(l));
    leader_pass(l);
    assert_true(leader_enter(l));
    leader_leave(l);
    assert_true(leader_enter(l)); /* it leads on */
    leader_return(l);
    assert_false(leader_enter(l));
    leader_wait(l); /* does not wait */
    leader_free(&l);
}

static void who_is_at_the_sockets_leads_for_as_long_as_he_likes(void **state)
{
    (void)state;
    struct committer c = { .leader = leader_new(), .stays_us = 8 * LEADER_AWAY_US };
    assert_true(lead_is_back_us(&c, stays_then_returns) >= c.ended_us);
    leader_free(&c.leader);
}

static void who_comes_back_in_time_leads_on(void **state)
{
    (void)state;
    struct committer c = { .leader = leader_new(), .stays_us = LEADER_AWAY_US / 10, .turns = 50 };
    assert_true(lead_is_back_us(&c, comes_and_goes) >= c.ended_us);
    leader_free(&c.leader);
}

static void who_stays_away_loses_the_lead(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* also when nobody had watched him any more */
        struct committer c = { .leader = leader_new(), .stays_us = i * 8 * LEADER_AWAY_US };
        int64_t back_us = lead_is_back_us(&c, leaves_for_good);
        assert_true(back_us >= c.ended_us + LEADER_AWAY_US);
        leader_free(&c.leader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sockets_thread_leads_until_it_passes),
        cmocka_unit_test(who_is_at_the_sockets_leads_for_as_long_as_he_likes),
        cmocka_unit_test(who_comes_back_in_time_leads_on),
        cmocka_unit_test(who_stays_away_loses_the_lead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
