/* The bench's common workload against a queue that hands out again what is left of a run before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/bench/common.c"
#include "tests/bench/life.c"
#include "tests/unit/child.h"

#define PAYLOAD 200
#define WINDOW 100

static int queue[2]; /* a pipe of payloads; who reads one has it */
static uint64_t put_n;
static unsigned left_over, given_twice;

static void say_again(const struct life *l, const char *stamp)
{
    char b[PAYLOAD];
    assert_int_equal(l->payload_bytes, sizeof b);
    memset(b, 'x', sizeof b);
    memcpy(b, stamp, LIFE_STAMP_BYTES);
    assert_int_equal(write(queue[1], b, sizeof b), sizeof b);
}

/* What is left of a run whose clock stood elsewhere: its tasks have the numbers that ours will have. */
static void prepare_queue(const struct life *l)
{
    char stamp[LIFE_STAMP_BYTES + 1];
    for (unsigned i = 0; i < left_over; i++) {
        snprintf(stamp, sizeof stamp, "%08x%08x", this_run - 5000, i);
        say_again(l, stamp);
    }
}

static void open_side(const struct life *l)
{
    (void)l;
}

static void put_tasks(const struct life *l, uint64_t first, uint64_t n)
{
    char b[PAYLOAD];
    for (uint64_t i = first; i < first + n; i++) {
        life_payload(i, b, l->payload_bytes);
        for (unsigned k = 0; k < 1 + (i < given_twice); k++)
            assert_int_equal(write(queue[1], b, sizeof b), sizeof b);
    }
    put_n += n;
}

static uint64_t put_acks(const struct life *l, bool wait)
{
    uint64_t n = put_n;
    (void)l, (void)wait;
    put_n = 0;
    return n;
}

static int no_fd(const struct life *l)
{
    (void)l;
    return -1;
}

static uint64_t serve_one(const struct life *l)
{
    char b[PAYLOAD];
    assert_int_equal(read(queue[0], b, sizeof b), sizeof b);
    life_received(b, l->payload_bytes);
    return 1;
}

static void live(void *arg, int said_fd)
{
    static const struct life_client c = { "pipe",   prepare_queue, open_side, put_tasks,
                                          put_acks, no_fd,         open_side, serve_one };
    char words[] = "life --op life --seconds 0.05 --window 100", *args[8];
    int argc = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        args[argc++] = word;
    (void)arg;
    dup2(said_fd, 1);
    dup2(said_fd, 2);
    int rc = pipe(queue) ? 2 : life_main(argc, args, &c);
    fflush(NULL);
    _exit(rc);
}

/* How a run ended; with this exit code, and these words among what it printed. */
static struct end ends(unsigned of_before, unsigned twice, int status, const char *words)
{
    left_over = of_before;
    given_twice = twice;
    fflush(NULL);
    struct end e = in_a_child(live, NULL);
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), status);
    assert_non_null(strstr(e.said, words));
    return e;
}

static void tasks_of_the_run_before_are_passed_over_and_told(void **state)
{
    (void)state;
    ends(7, 0, 0, "\"of_other_runs\":7}");
}

static void a_run_alone_tells_of_no_other_one(void **state)
{
    (void)state;
    struct end e = ends(0, 0, 0, "\"op\":\"life\"");
    assert_null(strstr(e.said, "of_other_runs"));
}

static void more_than_a_window_of_them_ends_the_run(void **state)
{
    (void)state;
    ends(WINDOW + 1, 0, 1, "the queue was not empty");
}

static void an_own_task_that_comes_twice_ends_the_run(void **state)
{
    (void)state;
    ends(0, 1, 1, "came twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_the_run_before_are_passed_over_and_told),
        cmocka_unit_test(a_run_alone_tells_of_no_other_one),
        cmocka_unit_test(more_than_a_window_of_them_ends_the_run),
        cmocka_unit_test(an_own_task_that_comes_twice_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
