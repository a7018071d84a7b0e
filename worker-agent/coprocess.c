/* The coprocess runner: one process that lives on, a JSON line a task each way. */
#include "worker-agent/log.h"
#include "worker-agent/runner_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct flight {
    uint64_t assignment;
    int64_t began_us;
    struct flight *next;
};
struct coprocess {
    struct proc p;          /* first: a coprocess is a process */
    struct flight *flights; /* oldest first: time limits are the same for all, so the first one's ends first */
    size_t scanned;         /* of stdout_buf: no line's end in these */
    bool broken;            /* it was told to end: what it says no longer counts */
    bool stopping;          /* retired: its end is no accident */
};

static struct coprocess *of(struct proc *p)
{
    return (struct coprocess *)p;
}

void coprocess_free(struct proc *p)
{
    struct coprocess *c = of(p);
    while (c->flights) {
        struct flight *f = c->flights;
        c->flights = f->next;
        free(f);
    }
    free(c);
}

static void set_deadline(struct coprocess *c)
{
    if (!c->p.kill_at_us)
        c->p.deadline_us = c->flights ? c->flights->began_us + c->p.robot->m->time_limit_us : INT64_MAX;
}

/* Take the first flight off and tell its end. */
static void land(struct coprocess *c, struct flight **at, struct run_done d, int64_t now_us)
{
    struct flight *f = *at;
    *at = f->next;
    d.assignment = f->assignment;
    d.active_us = now_us - f->began_us;
    free(f);
    set_deadline(c);
    run_ended(c->p.r, c->p.robot, &d);
}

static void land_all(struct coprocess *c, enum run_end end, const char *reason, int64_t now_us)
{
    while (c->flights)
        land(c, &c->flights, (struct run_done){ .end = end, .reason = reason, .hold_us = 0 }, now_us);
}

/* It may not go on: the robot is not ready from here on, its end starts the back-off. */
static void give_up(struct coprocess *c, int64_t now_us)
{
    struct robot *b = c->p.robot;
    c->broken = true;
    if (b->coprocess == &c->p) {
        b->coprocess = NULL;
        if (!b->retired)
            c->p.r->events.ready(c->p.r->events.arg, b->m->id, false);
    }
    proc_terminate(&c->p, now_us);
}

static void on_answer(struct coprocess *c, json_t *answer, int64_t now_us)
{
    struct robot *b = c->p.robot;
    json_int_t id = json_integer_value(json_object_get(answer, "id"));
    struct flight **at = &c->flights;
    while (*at && (json_int_t)(*at)->assignment != id)
        at = &(*at)->next;
    if (!*at) {
        log_line(LOG_WARN, "robot-unknown-id", "robot=%s id=%lld", b->m->id, (long long)id);
        return;
    }
    json_t *values = json_object_get(answer, "values"), *fail = json_object_get(answer, "fail"),
           *again = json_object_get(answer, "again"), *bury = json_object_get(answer, "bury");
    struct run_done d = { .end = RUN_FAIL, .reason = "its answer has neither values nor fail, again or bury" };
    if (json_is_object(values))
        d = (struct run_done){ .end = RUN_VALUES, .values = values };
    else if (fail)
        d.reason = json_is_string(fail) ? json_string_value(fail) : "failed";
    else if (again)
        d = (struct run_done){ .end = RUN_AGAIN,
                               .reason = json_is_string(again) ? json_string_value(again) : "try again later",
                               .hold_us = run_rest_us(b) };
    else if (bury)
        d = (struct run_done){ .end = RUN_BURY, .reason = json_is_string(bury) ? json_string_value(bury) : "buried" };
    b->backoff_us = 0; /* it works */
    land(c, at, d, now_us);
    if (b->retired && b->running == 0)
        coprocess_stop(b, now_us);
}

static void on_line(struct coprocess *c, const char *line, size_t n, int64_t now_us)
{
    json_error_t e;
    while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' '))
        n--;
    if (n == 0)
        return;
    json_t *answer = json_loadb(line, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
    if (json_is_object(answer) && json_is_integer(json_object_get(answer, "id"))) {
        on_answer(c, answer, now_us);
    } else { /* whose answer it was nobody can tell, and what comes next neither */
        char text[300];
        snprintf(text, sizeof text, "it wrote a line that is no answer: %s",
                 answer ? "not an object with an id" : e.text);
        log_line(LOG_ERROR, "robot-broken", "robot=%s reason=\"%s\"", c->p.robot->m->id, text);
        give_up(c, now_us);
        land_all(c, RUN_FAIL, text, now_us);
    }
    json_decref(answer);
}

static void on_out(struct proc *p, int64_t now_us)
{
    struct coprocess *c = of(p);
    size_t start = 0;
    if (p->stdout_buf.failed)
        give_up(c, now_us);
    while (!c->broken) {
        char *end = memchr(p->stdout_buf.p + c->scanned, '\n', p->stdout_buf.n - c->scanned);
        if (!end)
            break;
        on_line(c, p->stdout_buf.p + start, (size_t)(end - (p->stdout_buf.p + start)), now_us);
        start = c->scanned = (size_t)(end - p->stdout_buf.p) + 1;
    }
    if (c->broken) {
        slp_buf_clear(&p->stdout_buf);
        c->scanned = 0;
        return;
    }
    if (start > 0)
        memmove(p->stdout_buf.p, p->stdout_buf.p + start, p->stdout_buf.n - start);
    p->stdout_buf.n -= start;
    c->scanned = p->stdout_buf.n;
    if (p->stdout_buf.n > p->robot->m->output_bytes_max) {
        char text[200];
        snprintf(text, sizeof text, "it wrote a line of more than %u bytes", p->robot->m->output_bytes_max);
        give_up(c, now_us);
        land_all(c, RUN_FAIL, text, now_us);
    }
}

/* The oldest task is out of time. It alone is to blame: the others go back uncounted. */
static void on_tick(struct proc *p, int64_t now_us)
{
    struct coprocess *c = of(p);
    char text[100];
    if (!c->flights) {
        p->deadline_us = INT64_MAX;
        return;
    }
    snprintf(text, sizeof text, "time limit of %lld ms", (long long)(p->robot->m->time_limit_us / 1000));
    give_up(c, now_us);
    land(c, &c->flights, (struct run_done){ .end = RUN_FAIL, .reason = text }, now_us);
    land_all(c, RUN_AGAIN, "the robot was stopped because of another task", now_us);
}

static void on_ended(struct proc *p, int status, int exec_errno, int64_t now_us)
{
    struct coprocess *c = of(p);
    struct robot *b = p->robot;
    const char *said = proc_last_line(p);
    char text[600];
    if (exec_errno != 0)
        snprintf(text, sizeof text, "%s cannot be run: %s", b->m->command[0], strerror(exec_errno));
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "the robot was killed by signal %d%s%s", WTERMSIG(status), *said ? ": " : "", said);
    else
        snprintf(text, sizeof text, "the robot ended with exit code %d%s%s", WEXITSTATUS(status), *said ? ": " : "",
                 said);
    if (!c->stopping && !c->broken)
        log_line(LOG_ERROR, "robot-ended", "robot=%s reason=\"%s\"", b->m->id, text);
    if (b->coprocess == p) {
        b->coprocess = NULL;
        if (!b->retired)
            p->r->events.ready(p->r->events.arg, b->m->id, false);
    }
    if (!b->retired) {
        b->backoff_us = b->backoff_us ? b->backoff_us * 2 : COPROCESS_RESTART_MIN_US;
        if (b->backoff_us > COPROCESS_RESTART_MAX_US)
            b->backoff_us = COPROCESS_RESTART_MAX_US;
        b->restart_at_us = now_us + b->backoff_us;
    }
    land_all(c, exec_errno != 0 ? RUN_AGAIN : RUN_FAIL, text, now_us);
}

static const struct proc_ops coprocess_ops = { .out = on_out, .ended = on_ended, .tick = on_tick };

void coprocess_start(struct runners *r, struct robot *b, int64_t now_us)
{
    struct coprocess *c = calloc(1, sizeof *c);
    int rc = c ? proc_start(r, b, &c->p, &coprocess_ops) : 0;
    b->restart_at_us = INT64_MAX;
    if (!c || rc != 0) {
        log_line(LOG_ERROR, "robot-no-process", "robot=%s reason=\"%s\"", b->m->id,
                 rc ? strerror(rc) : "out of memory");
        free(c);
        b->backoff_us = b->backoff_us ? b->backoff_us * 2 : COPROCESS_RESTART_MIN_US;
        if (b->backoff_us > COPROCESS_RESTART_MAX_US)
            b->backoff_us = COPROCESS_RESTART_MAX_US;
        b->restart_at_us = now_us + b->backoff_us;
        return;
    }
    b->coprocess = &c->p;
    r->events.ready(r->events.arg, b->m->id, true);
}

void coprocess_stop(struct robot *b, int64_t now_us)
{
    struct proc *p = b->coprocess;
    b->coprocess = NULL;
    of(p)->stopping = true;
    proc_terminate(p, now_us);
}

void coprocess_run(struct runners *r, struct robot *b, uint64_t assignment, json_t *task, int64_t now_us)
{
    struct flight *f = calloc(1, sizeof *f);
    struct coprocess *c = b->coprocess ? of(b->coprocess) : NULL;
    json_t *line = json_pack("{s:I}", "id", (json_int_t)assignment);
    char *text = line && json_object_update(line, task) == 0 ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    size_t before = c ? c->p.to_stdin.n : 0;
    if (c && text) {
        slp_buf_add(&c->p.to_stdin, text, strlen(text));
        slp_buf_add(&c->p.to_stdin, "\n", 1);
    }
    free(text);
    if (!f || !c || !text || c->p.to_stdin.failed) {
        if (c && c->p.to_stdin.failed) {
            c->p.to_stdin.failed = false;
            c->p.to_stdin.n = before;
        }
        free(f);
        struct run_done d = { .assignment = assignment,
                              .end = RUN_AGAIN,
                              .reason = c ? "out of memory" : "the robot is not running",
                              .hold_us = run_rest_us(b) };
        run_ended(r, b, &d);
        return;
    }
    *f = (struct flight){ assignment, now_us, NULL };
    struct flight **end = &c->flights;
    while (*end)
        end = &(*end)->next;
    *end = f;
    set_deadline(c);
    proc_write(&c->p);
}
