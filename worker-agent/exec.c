/* The exec runner: one process a task. */
#include "worker-agent/log.h"
#include "worker-agent/runner_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct job {
    struct proc p; /* first: a job is a process */
    uint64_t assignment;
    int64_t began_us;
    bool over_time, over_size;
};

static struct job *job_of(struct proc *p)
{
    return (struct job *)p;
}

void exec_free(struct proc *p)
{
    free(job_of(p));
}

static void on_out(struct proc *p, int64_t now_us)
{
    struct job *j = job_of(p);
    if (p->stdout_buf.n <= p->robot->m->output_bytes_max && !p->stdout_buf.failed)
        return;
    j->over_size = true;
    slp_buf_clear(&p->stdout_buf); /* a flood is not gathered */
    proc_terminate(p, now_us);
}

static void on_tick(struct proc *p, int64_t now_us)
{
    job_of(p)->over_time = true;
    proc_terminate(p, now_us);
}

static void tell(struct job *j, enum run_end end, json_t *values, const char *reason, int64_t hold_us, int64_t now_us)
{
    struct run_done d = { .assignment = j->assignment,
                          .end = end,
                          .values = values,
                          .reason = reason,
                          .hold_us = hold_us,
                          .active_us = now_us - j->began_us };
    run_ended(j->p.r, j->p.robot, &d);
}

static void ended_well(struct job *j, int64_t now_us)
{
    json_error_t e;
    char text[400];
    json_t *v = json_loadb(j->p.stdout_buf.n ? j->p.stdout_buf.p : "", j->p.stdout_buf.n,
                           JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
    if (v && json_is_object(v)) {
        tell(j, RUN_VALUES, v, NULL, 0, now_us);
    } else {
        if (v)
            snprintf(text, sizeof text, "its output is not a JSON object");
        else
            snprintf(text, sizeof text, "its output is not JSON: line %d, column %d: %s", e.line, e.column, e.text);
        tell(j, RUN_FAIL, NULL, text, 0, now_us);
    }
    json_decref(v);
}

static void on_ended(struct proc *p, int status, int exec_errno, int64_t now_us)
{
    struct job *j = job_of(p);
    const char *said = proc_last_line(p);
    char text[600];
    if (exec_errno != 0) {
        /* The robot is broken, not the task. */
        snprintf(text, sizeof text, "%s cannot be run: %s", p->robot->m->command[0], strerror(exec_errno));
        log_line(LOG_ERROR, "robot-broken", "robot=%s reason=\"%s\"", p->robot->m->id, text);
        tell(j, RUN_AGAIN, NULL, text, run_rest_us(p->robot), now_us);
    } else if (j->over_size) {
        snprintf(text, sizeof text, "its output is larger than %u bytes", p->robot->m->output_bytes_max);
        tell(j, RUN_FAIL, NULL, text, 0, now_us);
    } else if (j->over_time) {
        snprintf(text, sizeof text, "time limit of %lld ms", (long long)(p->robot->m->time_limit_us / 1000));
        tell(j, RUN_FAIL, NULL, text, 0, now_us);
    } else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "killed by signal %d%s%s", WTERMSIG(status), *said ? ": " : "", said);
        tell(j, RUN_FAIL, NULL, text, 0, now_us);
    } else if (WEXITSTATUS(status) == EXIT_AGAIN) {
        tell(j, RUN_AGAIN, NULL, *said ? said : "try again later", run_rest_us(p->robot), now_us);
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(text, sizeof text, "exit code %d", WEXITSTATUS(status));
        tell(j, RUN_FAIL, NULL, *said ? said : text, 0, now_us);
    } else {
        ended_well(j, now_us);
    }
}

static const struct proc_ops exec_ops = { .out = on_out, .ended = on_ended, .tick = on_tick };

void exec_run(struct runners *r, struct robot *robot, uint64_t assignment, json_t *task, int64_t now_us)
{
    struct job *j = calloc(1, sizeof *j);
    char *text = json_dumps(task, JSON_COMPACT);
    int rc = 0;
    if (j && text) {
        slp_buf_add(&j->p.to_stdin, text, strlen(text));
        slp_buf_add(&j->p.to_stdin, "\n", 1);
        j->p.close_stdin_after = true;
        if (!j->p.to_stdin.failed)
            rc = proc_start(r, robot, &j->p, &exec_ops);
    }
    free(text);
    if (!j || j->p.to_stdin.failed || !text || rc != 0) {
        char reason[200];
        snprintf(reason, sizeof reason, "no process: %s", rc ? strerror(rc) : "out of memory");
        log_line(LOG_WARN, "robot-no-process", "robot=%s reason=\"%s\"", robot->m->id, reason);
        struct run_done d = {
            .assignment = assignment, .end = RUN_AGAIN, .reason = reason, .hold_us = run_rest_us(robot)
        };
        if (j)
            slp_buf_free(&j->p.to_stdin);
        free(j);
        run_ended(r, robot, &d);
        return;
    }
    j->assignment = assignment;
    j->began_us = now_us;
    j->p.deadline_us = now_us + robot->m->time_limit_us;
    proc_write(&j->p);
}
