/* What ends a process, tried in a child. */
#ifndef SUNLINE_TEST_CHILD_H
#define SUNLINE_TEST_CHILD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
    char said[4096]; /* what it wrote to said_fd */
    int status;      /* as waitpid() has it */
};

/* act() in a child, which leaves no core, and exits with 0 if it returns. */
static inline struct end in_a_child(void (*act)(void *arg, int said_fd), void *arg)
{
    struct end e;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        act(arg, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(fds[0], e.said + n, sizeof e.said - 1 - n)) > 0;)
        n += (size_t)got;
    e.said[n] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &e.status, 0), pid);
    return e;
}

static inline void expect_exit(const struct end *e, int status, const char *said)
{
    assert_string_equal(e->said, said);
    assert_true(WIFEXITED(e->status));
    assert_int_equal(WEXITSTATUS(e->status), status);
}

/* Without a word. */
static inline void expect_signal(const struct end *e, int signo)
{
    assert_string_equal(e->said, "");
    assert_true(WIFSIGNALED(e->status));
    assert_int_equal(WTERMSIG(e->status), signo);
}
#endif
