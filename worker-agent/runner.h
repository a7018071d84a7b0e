/* Runners: the agent's robots at work. Two kinds behind one face.
 *
 *   exec       one process a task: the task as JSON on stdin, an object of answers as JSON on stdout, exit 0. Exit 75
 *              means "try again later" (the task goes back, uncounted, and the slot rests), any other end is a failure
 *              with the last line of stderr as its reason.
 *   coprocess  one process that lives on: a line {"id": N, task ...} for each task on stdin, a line {"id": N,
 *              "values": {...}} (or "fail": "why", "again": "why", "bury": "why") on stdout, in any order; up to
 *              `capacity` at a time. When it dies its tasks fail and it is started again after a back-off.
 *
 * A task has a time limit; after it SIGTERM, 2 s later SIGKILL, to the whole process group. Everything is non-blocking
 * and goes through one epoll
 * descriptor that the loop watches; there are no threads here. */
#ifndef SUNLINE_AGENT_RUNNER_H
#define SUNLINE_AGENT_RUNNER_H
#include "worker-agent/config.h"
#include "worker-agent/jsonval.h"

enum run_end { RUN_VALUES, RUN_FAIL, RUN_AGAIN, RUN_BURY };
struct run_done {
    uint64_t assignment;
    enum run_end end;
    json_t *values;      /* VALUES: borrowed, an object */
    const char *reason;  /* the others */
    int64_t hold_us;     /* AGAIN: let the slot rest for so long */
    int64_t active_us;   /* how long it ran */
};
struct runner_events {
    void (*done)(void *arg, const struct run_done *d);
    void (*ready)(void *arg, const char *robot, bool ready); /* it can take tasks, or cannot for the moment */
    void *arg;
};

struct runners;
struct runners *runners_new(const struct runner_events *events, int *rc); /* NULL with an errno */
void runners_free(struct runners **r);            /* kills what still runs; safe to repeat */
/* The robots of c are those from now on; each holds c as long as it needs it. Robots that stay the same go on; others finish what they have and stop. */
int runners_configure(struct runners *r, struct hub_config *c, int64_t now_us); /* 0, or an errno: some are as they were before */
int runners_fd(const struct runners *r);          /* readable: call runners_poll */
void runners_poll(struct runners *r, int64_t now_us);
void runners_tick(struct runners *r, int64_t now_us); /* time limits, restarts */
int64_t runners_next_due_us(const struct runners *r);
/* Begin a task: `task` is its JSON object (borrowed). events.done comes later, or at once. */
void runners_run(struct runners *r, const char *robot, uint64_t assignment, json_t *task, int64_t now_us);
uint32_t runners_running(const struct runners *r); /* tasks under way */
#endif
