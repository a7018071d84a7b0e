#include "worker-agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { IN_READ, IN_WRITE, OUT_READ, OUT_WRITE, ERR_READ, ERR_WRITE, EXEC_READ, EXEC_WRITE, PIPE_ENDS };

static void close_all(int fds[PIPE_ENDS])
{
    for (int i = 0; i < PIPE_ENDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int make_pipes(int fds[PIPE_ENDS])
{
    for (int i = 0; i < PIPE_ENDS; i++)
        fds[i] = -1;
    for (int i = 0; i < PIPE_ENDS; i += 2)
        if (pipe2(&fds[i], O_CLOEXEC) != 0) {
            int rc = errno;
            close_all(fds);
            return rc;
        }
    fcntl(fds[IN_WRITE], F_SETFL, O_NONBLOCK);
    fcntl(fds[OUT_READ], F_SETFL, O_NONBLOCK);
    fcntl(fds[ERR_READ], F_SETFL, O_NONBLOCK);
    fcntl(fds[EXEC_READ], F_SETFL, O_NONBLOCK);
    return 0;
}

/* Our environment with env's names replaced. One block; NULL: no memory. Made before the fork: after it only
 * async-signal-safe calls. */
static char **merge_env(const char *const *env)
{
    size_t ours = 0, theirs = 0;
    while (environ[ours])
        ours++;
    while (env[theirs])
        theirs++;
    char **merged = calloc(ours + theirs + 1, sizeof *merged);
    size_t n = 0;
    for (size_t i = 0; merged && i < ours; i++) {
        bool replaced = false;
        for (size_t k = 0; k < theirs; k++) {
            size_t name = strcspn(env[k], "=") + 1;
            replaced |= strncmp(environ[i], env[k], name) == 0;
        }
        if (!replaced)
            merged[n++] = environ[i];
    }
    for (size_t k = 0; merged && k < theirs; k++)
        merged[n++] = (char *)(uintptr_t)env[k];
    return merged;
}

static _Noreturn void become(const int fds[PIPE_ENDS], pid_t parent, const char *const *argv, char **env,
                             const char *cwd)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the agent died before we could ask to be told */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    int rc = 0, keep = fds[EXEC_WRITE];
    if (dup2(fds[IN_READ], 0) < 0 || dup2(fds[OUT_WRITE], 1) < 0 || dup2(fds[ERR_WRITE], 2) < 0 ||
        (keep != 3 && dup3(keep, 3, O_CLOEXEC) < 0))
        rc = errno;
    syscall(SYS_close_range, 4u, ~0u, 0u); /* whatever a library forgot to mark close-on-exec */
    if (rc == 0 && cwd && chdir(cwd) != 0)
        rc = errno;
    if (rc == 0) {
        execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
        rc = errno;
    }
    ssize_t ignored = write(3, &rc, sizeof rc);
    (void)ignored;
    _exit(127);
}

int child_spawn(struct child *c, const char *const *argv, const char *const *env, const char *cwd)
{
    int fds[PIPE_ENDS];
    *c = (struct child){ .pid_fd = -1, .in = -1, .out = -1, .err = -1, .exec_fd = -1 };
    int rc = make_pipes(fds);
    if (rc != 0)
        return rc;
    char **merged = merge_env(env);
    pid_t parent = getpid(), pid = merged ? fork() : -1;
    if (pid == 0)
        become(fds, parent, argv, merged, cwd);
    rc = !merged ? ENOMEM : pid < 0 ? errno : 0;
    free(merged);
    if (rc == 0) {
        setpgid(pid, pid); /* both sides do it: whoever comes first */
        c->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (c->pid_fd < 0) {
            rc = errno;
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
    if (rc != 0) {
        close_all(fds);
        return rc;
    }
    close(fds[IN_READ]);
    close(fds[OUT_WRITE]);
    close(fds[ERR_WRITE]);
    close(fds[EXEC_WRITE]);
    c->pid = pid;
    c->in = fds[IN_WRITE];
    c->out = fds[OUT_READ];
    c->err = fds[ERR_READ];
    c->exec_fd = fds[EXEC_READ];
    return 0;
}

void child_signal(const struct child *c, int signal)
{
    if (c->pid > 0)
        kill(-c->pid, signal);
}

void child_reap(struct child *c, int *status, int *exec_errno)
{
    child_signal(c, SIGKILL); /* before it is reaped: its number cannot be somebody else's yet */
    *status = 0;
    while (waitpid(c->pid, status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    if (read(c->exec_fd, exec_errno, sizeof *exec_errno) != (ssize_t)sizeof *exec_errno)
        *exec_errno = 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void child_close(struct child *c)
{
    close_one(&c->pid_fd);
    close_one(&c->in);
    close_one(&c->out);
    close_one(&c->err);
    close_one(&c->exec_fd);
}
