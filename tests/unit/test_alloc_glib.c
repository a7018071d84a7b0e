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
#include "tests/unit/child.h"
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
    const char *zone;
    struct hub_config *c = hub_config_load(path, on_problem, NULL);
    if (c != NULL) {
        rota_print(c, 1700000000 * S, on_line, NULL);
        if (rota_make(c, 1700000000 * S, &rota, &zone) == 0)
            rota_free(&rota);
        hub_config_free(&c);
    }
}

struct starved {
    void (*run)(void);
    uint64_t n;
    bool on; /* all from the n-th on, not only that one */
};

#define NONE_REFUSED 7 /* the status of who came to its end before the n-th allocation */

static void starve(void *arg, int said_fd)
{
    const struct starved *v = arg;
    dup2(said_fd, STDERR_FILENO);
    glib_memory_catch();
    alloc_arm(v->n, v->on);
    v->run();
    alloc_disarm();
    _exit(alloc_state.failed > 0 ? 0 : NONE_REFUSED);
}

static void at_every_allocation(bool on)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it brings its own allocator, and GLib is refused nothing */
#endif
    unsigned ended = 0, went_on = 0;
    for (uint64_t n = 1;; n++) {
        struct end e = in_a_child(starve, &(struct starved){ .run = life, .n = n, .on = on });
        if (!WIFEXITED(e.status))
            fail_msg("allocation %llu failed, and the process ended by signal %d: %s", (unsigned long long)n,
                     WTERMSIG(e.status), e.said);
        if (WEXITSTATUS(e.status) == NONE_REFUSED)
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
    struct end e = in_a_child(starve, &(struct starved){ .run = aborts });
    expect_signal(&e, SIGABRT);
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
