/* Memory that runs out inside of GLib: the agent's process ends with a word and a status, or goes on; never by a signal. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALLOC_EVERYWHERE
#include "tests/unit/alloc_world.h"
#include "worker-agent/config.h"
#include "worker-agent/glib_memory.h"
#include "worker-agent/rota.h"
#include "worker-agent/shift.h"

#define S 1000000ll

static char path[] = "/tmp/sunline-glib-XXXXXX";

static void on_problem(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static void on_line(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

/* All that the agent asks of GLib: the digests of a roster and of shifts, zones, and times in words. */
static void life(void)
{
    struct core_shifts rota;
    struct hub_config *c = hub_config_load(path, on_problem, NULL);
    if (c != NULL) {
        rota_print(c, 1700000000 * S, on_line, NULL);
        if (rota_make(c, 1700000000 * S, &rota) == 0)
            rota_free(&rota);
        hub_config_free(&c);
    }
}

struct end {
    int status;
    char said[256];
};

/* A process of its own, in which the n-th allocation fails, or (on) all from it on. Its status is 0 where it went on to its end, 7 where no allocation was refused. */
static struct end end_of(void (*run)(void), uint64_t n, bool on)
{
    struct end e = { 0 };
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fd[1], STDERR_FILENO);
        close(fd[0]);
        glib_memory_catch();
        alloc_arm(n, on);
        run();
        alloc_disarm();
        _exit(alloc_state.failed > 0 ? 0 : 7);
    }
    close(fd[1]);
    for (size_t at = 0; at < sizeof e.said - 1;) {
        ssize_t got = read(fd[0], e.said + at, sizeof e.said - 1 - at);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    close(fd[0]);
    assert_int_equal(waitpid(child, &e.status, 0), child);
    return e;
}

static void at_every_allocation(bool on)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it brings its own allocator, and GLib is refused nothing */
#endif
    unsigned ended = 0, went_on = 0;
    for (uint64_t n = 1;; n++) {
        struct end e = end_of(life, n, on);
        if (!WIFEXITED(e.status))
            fail_msg("allocation %llu failed, and the process ended by signal %d: %s", (unsigned long long)n,
                     WTERMSIG(e.status), e.said);
        if (WEXITSTATUS(e.status) == 7)
            break;
        if (WEXITSTATUS(e.status) == 0) {
            went_on++;
            continue;
        }
        assert_int_equal(WEXITSTATUS(e.status), GLIB_NO_MEMORY_STATUS);
        assert_non_null(strstr(e.said, "no-memory"));
        ended++;
    }
    print_message("# %u times the process ended by its word, %u times it went on\n", ended, went_on);
    assert_true(ended > 0 && went_on > 0);
}

static void an_allocation_that_glib_is_refused_ends_the_agent_with_a_word(void **state)
{
    (void)state;
    at_every_allocation(false);
}

static void so_does_memory_that_is_gone_for_good(void **state)
{
    (void)state;
    at_every_allocation(true);
}

static void aborts(void)
{
    abort();
}

static void an_abort_outside_of_glib_is_an_abort(void **state)
{
    (void)state;
    struct end e = end_of(aborts, 0, false);
    assert_true(WIFSIGNALED(e.status));
    assert_int_equal(WTERMSIG(e.status), SIGABRT);
}

int main(void)
{
    static const char hub[] =
        "hub: x\nzone: Asia/Kathmandu\ndata: /tmp/x\nshifts:\n  day:\n    week: {mon-sun: 08:00-16:00}\n"
        "  night:\n    zone: Europe/Berlin\n    week: {mon-sun: 22:00-06:00}\n"
        "workers:\n  - {id: p, shift: day}\n  - {id: q, shift: night}\n";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, hub, sizeof hub - 1) != (ssize_t)(sizeof hub - 1))
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_glib_is_refused_ends_the_agent_with_a_word),
        cmocka_unit_test(so_does_memory_that_is_gone_for_good),
        cmocka_unit_test(an_abort_outside_of_glib_is_an_abort),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
