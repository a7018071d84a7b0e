/* Inside the runners: what runner.c (the table, time), exec.c and coprocess.c share. */
#ifndef SUNLINE_AGENT_RUNNER_PRIV_H
#define SUNLINE_AGENT_RUNNER_PRIV_H
#include "worker-agent/child.h"
#include "worker-agent/runner.h"

#define RUN_KILL_US 2000000ll        /* between SIGTERM and SIGKILL */
#define RUN_REST_MIN_US 1000000ll    /* a slot rests after "again": doubles ... */
#define RUN_REST_MAX_US 60000000ll   /* ... up to this; a success ends it */
#define COPROCESS_RESTART_MIN_US 500000ll
#define COPROCESS_RESTART_MAX_US 30000000ll
#define STDERR_TAIL 4096
#define EXIT_AGAIN 75

/* A process with its pipes on the epoll; exec jobs and coprocesses are built on it. */
struct proc;
struct proc_ops {
    void (*out)(struct proc *p, int64_t now_us);                              /* p->stdout_buf has grown */
    /* reaped; everything it wrote has been read */
    void (*ended)(struct proc *p, int status, int exec_errno, int64_t now_us);
    void (*tick)(struct proc *p, int64_t now_us);                             /* p->deadline_us has come */
};
struct proc {
    const struct proc_ops *ops;
    struct runners *r;
    struct robot *robot;
    struct child child;
    struct watch { struct proc *proc; int what; } watch[4];
    struct slp_buf to_stdin;
    size_t to_stdin_done;
    bool close_stdin_after;   /* exec: end of input once the task is written */
    bool dead;                /* on the heap of the finished, freed after the events at hand */
    struct slp_buf stdout_buf;
    char err_tail[STDERR_TAIL + 1];
    size_t err_n;
    int64_t deadline_us;      /* next moment of interest; INT64_MAX: none */
    int64_t kill_at_us;       /* SIGTERM was sent: SIGKILL at; 0: not */
    struct proc *prev, *next; /* in r->procs, or in r->dead */
};

struct robot {
    struct hub_config *of; /* held: its member is ... */
    const struct hub_member *m;
    bool retired;          /* freed with its last process */
    uint32_t again_run;       /* "again" so many times running */
    uint32_t running;
    struct proc *coprocess;   /* RUNNER_COPROCESS: the one alive; NULL while it rests */
    int64_t restart_at_us;    /* coprocess: when to start it; INT64_MAX: not */
    int64_t backoff_us;
    struct robot *next;
};

struct runners {
    struct runner_events events;
    int epoll_fd;
    struct robot *robots, *retired;
    struct proc *procs, *dead;
    uint32_t running;
};

/* runner.c */
/* 0 or an errno; p zeroed by the caller */
int proc_start(struct runners *r, struct robot *robot, struct proc *p, const struct proc_ops *ops);
void proc_write(struct proc *p);                   /* push what waits in to_stdin */
void proc_terminate(struct proc *p, int64_t now_us); /* SIGTERM, later SIGKILL */
const char *proc_last_line(struct proc *p);        /* of stderr; "" if it said nothing */
void run_ended(struct runners *r, struct robot *robot, struct run_done *d); /* counts and tells */
int64_t run_rest_us(struct robot *robot);          /* for the next "again" */

/* exec.c, coprocess.c */
void exec_run(struct runners *r, struct robot *robot, uint64_t assignment, json_t *task, int64_t now_us);
void coprocess_start(struct runners *r, struct robot *robot, int64_t now_us);
void coprocess_stop(struct robot *robot, int64_t now_us); /* when it is idle: end of input, then a signal */
void coprocess_run(struct runners *r, struct robot *robot, uint64_t assignment, json_t *task, int64_t now_us);
void coprocess_free(struct proc *p);
void exec_free(struct proc *p);
#endif
