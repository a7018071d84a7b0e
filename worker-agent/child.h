/* One child process: in a process group of its own, its three standard streams as non-blocking pipes on our side, dying
 * with the agent
 * (PR_SET_PDEATHSIG), inheriting nothing else. */
#ifndef SUNLINE_AGENT_CHILD_H
#define SUNLINE_AGENT_CHILD_H
#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;             /* 0: none */
    int pid_fd;            /* readable once it has ended */
    int in, out, err;      /* our ends: we write in, read out and err. -1: closed */
    int exec_fd;           /* tells why it could not be run */
};

/* 0, or an errno (EAGAIN, EMFILE, ENOMEM: try later); then nothing is left behind. argv and env end with NULL; env is
 * added to ours. */
int child_spawn(struct child *c, const char *const *argv, const char *const *env, const char *cwd);
void child_signal(const struct child *c, int signal); /* to the whole group */
/* It has ended: what is left of its group is killed, it is reaped, its pipes stay open to be drained. *status as from
 * waitpid; *exec_errno: 0, or why
 * the program could not be run. */
void child_reap(struct child *c, int *status, int *exec_errno);
void child_close(struct child *c); /* closes what is open; safe to repeat. Does not wait */
#endif
