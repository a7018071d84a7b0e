/* Runners with real child processes: every way to end, limits that kill the whole group, and a coprocess that comes
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "worker-agent/runner.h"
#include "worker-agent/log.h"

#define S 1000000ll
#define DEADLINE_S 20

struct ended {
    uint64_t assignment;
    enum run_end end;
    char text[1024];
    int64_t hold_us;
};
struct world {
    struct runners *r;
    struct ended ended[64];
    size_t n;
    int ready, changes; /* of the robot: its state, how often it changed */
    struct hub_member members[2];
    struct hub_config config;
    const char *command[8], *env[4];
    char dir[64];
    json_t *task;
};

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * S + ts.tv_nsec / 1000;
}

static void on_done(void *arg, const struct run_done *d)
{
    struct world *w = arg;
    struct ended *e = &w->ended[w->n++];
    assert_true(w->n <= 64);
    *e = (struct ended){ .assignment = d->assignment, .end = d->end, .hold_us = d->hold_us };
    char *values = d->end == RUN_VALUES ? json_dumps(d->values, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    snprintf(e->text, sizeof e->text, "%s", values ? values : d->reason);
    free(values);
}

static void on_ready(void *arg, const char *robot, bool ready)
{
    struct world *w = arg;
    assert_string_equal(robot, "parrot");
    w->ready = ready;
    w->changes++;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct runner_events events = { on_done, on_ready, w };
    int rc = 0;
    signal(SIGPIPE, SIG_IGN);
    log_from(LOG_ERROR + 1);
    snprintf(w->dir, sizeof w->dir, "/tmp/sunline-runner-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->r = runners_new(&events, &rc);
    assert_non_null(w->r);
    w->members[0] = (struct hub_member){ .id = "parrot",
                                         .title = "",
                                         .team = "",
                                         .robot = true,
                                         .capacity = 4,
                                         .command = w->command,
                                         .env = w->env,
                                         .time_limit_us = DEADLINE_S * S,
                                         .output_bytes_max = 65536 };
    w->config = (struct hub_config){ .member_count = 1, .members = w->members };
    w->task = json_pack("{s:i, s:{s:s}}", "assignment", 7, "fields", "text", "hello");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    runners_free(&w->r);
    json_decref(w->task);
    DIR *d = opendir(w->dir);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(w->dir);
    free(w);
    return 0;
}

/* The robot: a shell script, with what it may need in the environment. */
static void robot(struct world *w, enum runner_kind kind, const char *script)
{
    w->members[0].runner = kind;
    w->command[0] = "sh";
    w->command[1] = "-c";
    w->command[2] = script;
    static char dir[80];
    snprintf(dir, sizeof dir, "DIR=%s", w->dir);
    w->env[0] = dir;
    assert_int_equal(runners_configure(w->r, &w->config, now_us()), 0);
}

static void run(struct world *w, uint64_t assignment)
{
    json_object_set_new(w->task, "assignment", json_integer((json_int_t)assignment));
    runners_run(w->r, "parrot", assignment, w->task, now_us());
}

/* Turn the loop until the condition holds, or fail. */
#define until(w, condition)                                                                                            \
    do {                                                                                                               \
        int64_t give_up_us = now_us() + DEADLINE_S * S;                                                                \
        while (!(condition)) {                                                                                         \
            if (now_us() > give_up_us)                                                                                 \
                fail_msg("waited %d s for: %s", DEADLINE_S, #condition);                                               \
            turn(w);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void turn(struct world *w)
{
    int64_t due = runners_next_due_us(w->r), now = now_us(),
            ms = due == INT64_MAX ? 100
                 : due > now      ? (due - now + 999) / 1000
                                  : 0;
    struct pollfd p = { runners_fd(w->r), POLLIN, 0 };
    poll(&p, 1, ms < 100 ? (int)ms : 100);
    runners_poll(w->r, now_us());
    runners_tick(w->r, now_us());
}

static bool alive(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL;
    return state && state[2] != 'Z' && state[2] != 'X';
}

static pid_t pid_in(const struct world *w, const char *name)
{
    char path[160], text[32] = "";
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && text[n - 1] == '\n' ? (pid_t)atoi(text) : 0;
}

/* ---------------------------------------------------------------- exec */
static void an_answer_is_taken_from_stdout(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "read line; echo \"{\\\"got\\\": $line}\"");
    assert_int_equal(w->ready, 1);
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_VALUES);
    assert_string_equal(w->ended[0].text, "{\"got\":{\"assignment\":7,\"fields\":{\"text\":\"hello\"}}}");
    assert_int_equal(runners_running(w->r), 0);
}

static void a_failure_gives_the_last_line_of_stderr(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "echo first >&2; echo 'no such word' >&2; echo >&2; exit 3");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "no such word");
}

static void a_failure_without_words_gives_its_code(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "exit 3");
    run(w, 7);
    until(w, w->n == 1);
    assert_string_equal(w->ended[0].text, "exit code 3");
}

static void exit_75_means_later_and_the_rests_grow(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "echo 'the model is loading' >&2; exit 75");
    for (size_t i = 0; i < 9; i++) {
        run(w, 7 + i);
        until(w, w->n == i + 1);
        assert_int_equal(w->ended[i].end, RUN_AGAIN);
        assert_true(w->ended[i].hold_us >= (i ? w->ended[i - 1].hold_us : S) && w->ended[i].hold_us <= 60 * S);
    }
    assert_string_equal(w->ended[0].text, "the model is loading");
    assert_int_equal(w->ended[8].hold_us, 60 * S);
}

static void a_signal_is_a_failure(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "kill -SEGV $$");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "killed by signal 11");
}

static void output_that_is_no_json_fails(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "echo 'hello there'");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_non_null(strstr(w->ended[0].text, "not JSON"));
}

static void output_that_is_no_object_fails(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "echo '[1]'");
    run(w, 7);
    until(w, w->n == 1);
    assert_string_equal(w->ended[0].text, "its output is not a JSON object");
}

static void a_flood_of_output_is_cut_off(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "yes");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "its output is larger than 65536 bytes");
}

static void the_time_limit_kills_the_whole_group_even_if_it_ignores_TERM(void **state)
{
    struct world *w = *state;
    w->members[0].time_limit_us = S / 2;
    robot(w, RUNNER_EXEC,
          "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >\"$DIR/child\"; while :; do sleep 1; done' & echo $$ "
          ">\"$DIR/pid\"; while :; do sleep 1; done");
    run(w, 7);
    until(w, pid_in(w, "pid") && pid_in(w, "child"));
    pid_t pid = pid_in(w, "pid"), child = pid_in(w, "child");
    assert_true(alive(pid) && alive(child));
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "time limit of 500 ms");
    until(w, !alive(pid) && !alive(child));
}

static void what_a_robot_leaves_behind_is_killed(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC,
          "sh -c 'echo $$ >\"$DIR/child\"; while :; do sleep 1; done' & while [ ! -s \"$DIR/child\" ]; do :; done; "
          "echo '{}'");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_VALUES);
    pid_t child = pid_in(w, "child");
    assert_true(child > 0);
    until(w, !alive(child));
}

static void a_program_that_cannot_be_run_is_the_robots_fault_not_the_tasks(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "");
    w->command[0] = "/no/such/program";
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_AGAIN);
    assert_string_equal(w->ended[0].text, "/no/such/program cannot be run: No such file or directory");
}

static void a_robot_inherits_its_streams_and_nothing_else(void **state)
{
    struct world *w = *state;
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a careless library would */
    assert_true(leak >= 0);
    robot(w, RUNNER_EXEC, "n=0; for f in /proc/$$/fd/*; do n=$((n + 1)); done; echo \"{\\\"open\\\": $n}\"");
    run(w, 7);
    until(w, w->n == 1);
    close(leak);
    /* dash keeps one of its own */
    assert_true(strcmp(w->ended[0].text, "{\"open\":3}") == 0 || strcmp(w->ended[0].text, "{\"open\":4}") == 0);
}

static void a_large_task_reaches_a_slow_reader_whole(void **state)
{
    struct world *w = *state;
    char *text = malloc(180001);
    memset(text, 'x', 180000);
    text[180000] = 0;
    json_object_set_new(json_object_get(w->task, "fields"), "text", json_string(text));
    free(text);
    robot(w, RUNNER_EXEC, "sleep 0.2; n=$(wc -c); echo \"{\\\"bytes\\\": $n}\"");
    run(w, 7);
    until(w, w->n == 1);
    assert_string_equal(w->ended[0].text, "{\"bytes\":180038}");
}

static void a_robot_that_reads_nothing_does_no_harm(void **state)
{
    struct world *w = *state;
    char *text = malloc(180001);
    memset(text, 'x', 180000);
    text[180000] = 0;
    json_object_set_new(json_object_get(w->task, "fields"), "text", json_string(text));
    free(text);
    robot(w, RUNNER_EXEC, "exec <&-; echo '{}'");
    run(w, 7);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_VALUES);
}

static void many_run_side_by_side(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "read line; sleep 0.1; echo '{}'");
    for (uint64_t i = 0; i < 16; i++)
        run(w, 100 + i);
    assert_int_equal(runners_running(w->r), 16);
    until(w, w->n == 16);
    uint64_t seen = 0;
    for (size_t i = 0; i < 16; i++)
        seen |= 1ull << (w->ended[i].assignment - 100);
    assert_int_equal(seen, 0xffff);
}

/* ---------------------------------------------------------------- coprocess */
#define ECHO                                                                                                           \
    "while read -r line; do id=${line#*\\\"id\\\":}; id=${id%%,*}; echo \"{\\\"id\\\": $id, \\\"values\\\": "          \
    "{\\\"by\\\": $$}}\"; done"

static void a_coprocess_does_many_tasks_with_one_process(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS, ECHO);
    assert_int_equal(w->ready, 1);
    for (uint64_t i = 0; i < 4; i++)
        run(w, 50 + i);
    until(w, w->n == 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(w->ended[i].end, RUN_VALUES);
        assert_string_equal(w->ended[i].text, w->ended[0].text); /* the same pid */
    }
}

static void answers_may_come_in_any_order_and_of_any_kind(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS,
          "read a; read b; read c; read d; echo '{\"id\": 53, \"bury\": \"never\"}'; echo '{\"id\": 52, \"again\": "
          "\"not yet\"}';"
          "echo '{\"id\": 51, \"fail\": \"no\"}'; echo '{\"id\": 999, \"values\": {}}'; printf '{\"id\": 50, '; sleep "
          "0.1; echo '\"values\": {\"x\": 1}}'; cat >/dev/null");
    for (uint64_t i = 0; i < 4; i++)
        run(w, 50 + i);
    until(w, w->n == 4);
    assert_int_equal(w->ended[0].end, RUN_BURY);
    assert_int_equal(w->ended[1].end, RUN_AGAIN);
    assert_true(w->ended[1].hold_us > 0);
    assert_int_equal(w->ended[2].end, RUN_FAIL);
    assert_string_equal(w->ended[2].text, "no");
    assert_int_equal(w->ended[3].assignment, 50);
    assert_string_equal(w->ended[3].text, "{\"x\":1}");
}

static void a_dead_coprocess_fails_its_tasks_and_is_started_again(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS,
          "if [ -e \"$DIR/second\" ]; then " ECHO
          "; fi; : >\"$DIR/second\"; read line; echo 'out of paper' >&2; exit 4");
    run(w, 50);
    run(w, 51);
    until(w, w->n == 2);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "the robot ended with exit code 4: out of paper");
    assert_int_equal(w->ready, 0);
    until(w, w->ready == 1);
    run(w, 52);
    until(w, w->n == 3);
    assert_int_equal(w->ended[2].end, RUN_VALUES);
}

static void restarts_wait_longer_each_time(void **state)
{
    struct world *w = *state;
    int64_t began = now_us();
    robot(w, RUNNER_COPROCESS, "exit 1");
    until(w, w->changes >= 6); /* up and down three times: 0.5 s and 1 s between */
    assert_true(now_us() - began >= 1500000);
}

static void a_task_out_of_time_fails_and_the_others_go_back(void **state)
{
    struct world *w = *state;
    w->members[0].time_limit_us = S / 2;
    robot(w, RUNNER_COPROCESS, "if [ -e \"$DIR/second\" ]; then " ECHO "; fi; : >\"$DIR/second\"; cat >/dev/null");
    run(w, 50);
    int64_t until_us = now_us() + 100000;
    until(w, now_us() >= until_us);
    run(w, 51);
    until(w, w->n == 2);
    assert_int_equal(w->ended[0].assignment, 50);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_string_equal(w->ended[0].text, "time limit of 500 ms");
    assert_int_equal(w->ended[1].end, RUN_AGAIN);
    assert_int_equal(w->ready, 0);
    until(w, w->ready == 1);
    run(w, 52);
    until(w, w->n == 3);
    assert_int_equal(w->ended[2].end, RUN_VALUES);
}

static void a_line_that_is_no_answer_ends_the_coprocess(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS, "read line; echo 'Traceback: I am confused'; cat >/dev/null");
    run(w, 50);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].end, RUN_FAIL);
    assert_non_null(strstr(w->ended[0].text, "no answer"));
    until(w, w->ready == 1);
}

static void a_line_without_end_is_cut_off(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS, "read line; tr '\\0' x </dev/zero");
    run(w, 50);
    until(w, w->n == 1);
    assert_string_equal(w->ended[0].text, "it wrote a line of more than 65536 bytes");
}

static void a_changed_robot_takes_over_from_the_old_one(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_COPROCESS,
          "read line; while [ ! -e \"$DIR/go\" ]; do sleep 0.01; done; echo '{\"id\": 50, \"values\": {\"old\": 1}}'; "
          "cat >/dev/null");
    run(w, 50);
    const char *command[] = { "sh", "-c", ECHO, NULL };
    struct hub_member changed = w->members[0];
    changed.command = command;
    struct hub_config config = { .member_count = 1, .members = &changed };
    assert_int_equal(runners_configure(w->r, &config, now_us()), 0);
    until(w, w->ready == 1);
    run(w, 51);
    until(w, w->n == 1);
    assert_int_equal(w->ended[0].assignment, 51);
    char path[80];
    snprintf(path, sizeof path, "%s/go", w->dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    until(w, w->n == 2); /* what the old one had is not lost */
    assert_string_equal(w->ended[1].text, "{\"old\":1}");
    runners_free(&w->r);
}

static void a_hub_file_is_held_until_the_last_robot_of_it_has_ended(void **state)
{
    struct world *w = *state;
    const char *command[] = { "sh", "-c", ECHO, NULL };
    for (enum runner_kind kind = RUNNER_EXEC; kind <= RUNNER_COPROCESS; kind++) {
        robot(w, kind,
              kind == RUNNER_EXEC ? "while [ ! -e \"$DIR/go\" ]; do sleep 0.01; done; echo '{}'"
                                  : "read line; while [ ! -e \"$DIR/go\" ]; do sleep 0.01; done; "
                                    "echo '{\"id\": 50, \"values\": {}}'; cat >/dev/null");
        assert_int_equal(w->config.holders, 1);
        assert_int_equal(runners_configure(w->r, &w->config, now_us()), 0); /* the same again */
        assert_int_equal(w->config.holders, 1);
        run(w, 50);
        struct hub_member changed = w->members[0], none = { .id = "nobody" };
        changed.command = command;
        struct hub_config config = { .member_count = 1, .members = &changed },
                          last = { .member_count = 1, .members = &none };
        assert_int_equal(runners_configure(w->r, &config, now_us()), 0);
        assert_int_equal(config.holders, 1);
        assert_int_equal(w->config.holders, 1); /* it goes on with the old one */
        char path[80];
        snprintf(path, sizeof path, "%s/go", w->dir);
        close(open(path, O_CREAT | O_WRONLY, 0600));
        until(w, w->n == 1 && w->config.holders == 0);
        assert_int_equal(runners_configure(w->r, &last, now_us()), 0);
        until(w, config.holders == 0);
        unlink(path);
        w->n = 0;
    }
}

static void the_end_of_the_runners_ends_every_process(void **state)
{
    struct world *w = *state;
    robot(w, RUNNER_EXEC, "echo $$ >\"$DIR/pid\"; while :; do sleep 1; done");
    run(w, 7);
    until(w, pid_in(w, "pid"));
    pid_t pid = pid_in(w, "pid");
    runners_free(&w->r);
    assert_false(alive(pid));
    assert_int_equal(w->n, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_is_taken_from_stdout),
        T(a_failure_gives_the_last_line_of_stderr),
        T(a_failure_without_words_gives_its_code),
        T(exit_75_means_later_and_the_rests_grow),
        T(a_signal_is_a_failure),
        T(output_that_is_no_json_fails),
        T(output_that_is_no_object_fails),
        T(a_flood_of_output_is_cut_off),
        T(the_time_limit_kills_the_whole_group_even_if_it_ignores_TERM),
        T(what_a_robot_leaves_behind_is_killed),
        T(a_program_that_cannot_be_run_is_the_robots_fault_not_the_tasks),
        T(a_robot_inherits_its_streams_and_nothing_else),
        T(a_large_task_reaches_a_slow_reader_whole),
        T(a_robot_that_reads_nothing_does_no_harm),
        T(many_run_side_by_side),
        T(a_coprocess_does_many_tasks_with_one_process),
        T(answers_may_come_in_any_order_and_of_any_kind),
        T(a_dead_coprocess_fails_its_tasks_and_is_started_again),
        T(restarts_wait_longer_each_time),
        T(a_task_out_of_time_fails_and_the_others_go_back),
        T(a_line_that_is_no_answer_ends_the_coprocess),
        T(a_line_without_end_is_cut_off),
        T(a_changed_robot_takes_over_from_the_old_one),
        T(a_hub_file_is_held_until_the_last_robot_of_it_has_ended),
        T(the_end_of_the_runners_ends_every_process),
    };
    return cmocka_run_group_tests_name("agent runner", tests, NULL, NULL);
}
