/* The table of robots, and processes on an epoll descriptor. */
#include "worker-agent/log.h"
#include "worker-agent/runner_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WATCH_END, WATCH_IN, WATCH_OUT, WATCH_ERR };

/* ---------------------------------------------------------------- processes */
static void proc_unlink(struct proc *p)
{
    *(p->prev ? &p->prev->next : &p->r->procs) = p->next;
    if (p->next)
        p->next->prev = p->prev;
    p->prev = p->next = NULL;
}

/* Take a descriptor off epoll before it is closed. Closing alone is not enough: a child that another fork has just made
 * holds a copy until it
 * execs, and as long as it does the old registration lives, with a pointer to a process that may be another one by
 * then. */
static void unwatch(const struct runners *r, int fd)
{
    if (fd >= 0)
        epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void unwatch_all(const struct proc *p)
{
    unwatch(p->r, p->child.pid_fd);
    unwatch(p->r, p->child.in);
    unwatch(p->r, p->child.out);
    unwatch(p->r, p->child.err);
}

/* An event at hand may still point at it: it is freed when they are through. */
static void proc_bury(struct proc *p)
{
    unwatch_all(p);
    child_close(&p->child);
    proc_unlink(p);
    p->dead = true;
    p->next = p->r->dead;
    p->r->dead = p;
}

static void proc_free(struct proc *p, bool is_coprocess)
{
    child_close(&p->child);
    slp_buf_free(&p->to_stdin);
    slp_buf_free(&p->stdout_buf);
    if (is_coprocess)
        coprocess_free(p);
    else
        exec_free(p);
}

static int watch(struct proc *p, int what, int fd, uint32_t events)
{
    p->watch[what].proc = p;
    p->watch[what].what = what;
    struct epoll_event e = { .events = events, .data.ptr = &p->watch[what] };
    return epoll_ctl(p->r->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : errno;
}

int proc_start(struct runners *r, struct robot *robot, struct proc *p, const struct proc_ops *ops)
{
    p->ops = ops;
    p->r = r;
    p->robot = robot;
    p->deadline_us = INT64_MAX;
    int rc = child_spawn(&p->child, robot->m->command, robot->m->env, robot->m->cwd);
    if (rc != 0)
        return rc;
    rc = watch(p, WATCH_END, p->child.pid_fd, EPOLLIN);
    if (rc == 0)
        rc = watch(p, WATCH_OUT, p->child.out, EPOLLIN);
    if (rc == 0)
        rc = watch(p, WATCH_ERR, p->child.err, EPOLLIN);
    if (rc == 0)
        rc = watch(p, WATCH_IN, p->child.in, EPOLLOUT | EPOLLET); /* edges: an idle pipe is always writable */
    if (rc != 0) {
        int status, exec_errno;
        child_signal(&p->child, SIGKILL);
        child_reap(&p->child, &status, &exec_errno);
        unwatch_all(p);
        child_close(&p->child);
        return rc;
    }
    p->next = r->procs;
    if (r->procs)
        r->procs->prev = p;
    r->procs = p;
    return 0;
}

void proc_write(struct proc *p)
{
    while (p->child.in >= 0 && p->to_stdin_done < p->to_stdin.n) {
        ssize_t n = write(p->child.in, p->to_stdin.p + p->to_stdin_done, p->to_stdin.n - p->to_stdin_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) { /* it does not read: that is its business; its end tells the rest */
            p->to_stdin_done = p->to_stdin.n;
            break;
        }
        p->to_stdin_done += (size_t)n;
    }
    slp_buf_clear(&p->to_stdin);
    p->to_stdin_done = 0;
    if (p->close_stdin_after && p->child.in >= 0) {
        unwatch(p->r, p->child.in);
        close(p->child.in);
        p->child.in = -1;
    }
}

void proc_terminate(struct proc *p, int64_t now_us)
{
    if (p->kill_at_us != 0)
        return;
    child_signal(&p->child, SIGTERM);
    p->kill_at_us = p->deadline_us = now_us + RUN_KILL_US;
}

static void keep_tail(struct proc *p, const char *b, size_t n)
{
    if (n >= STDERR_TAIL) {
        memcpy(p->err_tail, b + n - STDERR_TAIL, STDERR_TAIL);
        p->err_n = STDERR_TAIL;
        return;
    }
    if (p->err_n + n > STDERR_TAIL) {
        size_t cut = p->err_n + n - STDERR_TAIL;
        memmove(p->err_tail, p->err_tail + cut, p->err_n - cut);
        p->err_n -= cut;
    }
    memcpy(p->err_tail + p->err_n, b, n);
    p->err_n += n;
}

const char *proc_last_line(struct proc *p)
{
    size_t n = p->err_n;
    while (n > 0 && (p->err_tail[n - 1] == '\n' || p->err_tail[n - 1] == '\r' || p->err_tail[n - 1] == ' '))
        n--;
    size_t start = n;
    while (start > 0 && p->err_tail[start - 1] != '\n')
        start--;
    p->err_tail[n] = 0;
    if (n - start > 400) /* the line's beginning says the most */
        p->err_tail[start + 400] = 0;
    return p->err_tail + start;
}

/* Read what is there, a bounded amount at a time, so that one chatterbox does not starve the others; if it has ended,
 * all that it may have left. */
static void read_pipe(struct proc *p, int *fd, bool is_out, bool all, int64_t now_us)
{
    char chunk[16384];
    size_t room = all ? (size_t)p->robot->m->output_bytes_max + 16 * sizeof chunk : 4 * sizeof chunk;
    while (*fd >= 0 && room > 0 && !p->dead) {
        ssize_t n = read(*fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            unwatch(p->r, *fd);
            close(*fd);
            *fd = -1;
            return;
        }
        room -= room < (size_t)n ? room : (size_t)n;
        if (!is_out) {
            keep_tail(p, chunk, (size_t)n);
            continue;
        }
        slp_buf_add(&p->stdout_buf, chunk, (size_t)n);
        p->ops->out(p, now_us);
    }
}

static void proc_ended(struct proc *p, int64_t now_us)
{
    int status, exec_errno;
    child_reap(&p->child, &status, &exec_errno);
    read_pipe(p, &p->child.out, true, true, now_us);
    read_pipe(p, &p->child.err, false, true, now_us);
    p->ops->ended(p, status, exec_errno, now_us);
    proc_bury(p);
}

/* ---------------------------------------------------------------- the table */
struct runners *runners_new(const struct runner_events *events, int *rc)
{
    struct runners *r = calloc(1, sizeof *r);
    if (r)
        r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!r || r->epoll_fd < 0) {
        *rc = r ? errno : ENOMEM;
        free(r);
        return NULL;
    }
    r->events = *events;
    return r;
}

static void free_dead(struct runners *r)
{
    while (r->dead) {
        struct proc *p = r->dead;
        r->dead = p->next;
        proc_free(p, p->robot->m->runner == RUNNER_COPROCESS);
    }
}

static void robot_free(struct robot *b)
{
    hub_config_free(&b->of);
    free(b);
}

static void free_robots(struct robot *b)
{
    while (b) {
        struct robot *next = b->next;
        robot_free(b);
        b = next;
    }
}

static bool has_process(const struct robot *b, const struct proc *p)
{
    while (p && p->robot != b)
        p = p->next;
    return p;
}

static void free_retired(struct runners *r)
{
    for (struct robot **p = &r->retired, *b; (b = *p);)
        if (has_process(b, r->procs) || has_process(b, r->dead)) {
            p = &b->next;
        } else {
            *p = b->next;
            robot_free(b);
        }
}

void runners_free(struct runners **rp)
{
    struct runners *r = *rp;
    if (!r)
        return;
    *rp = NULL;
    for (struct proc *p = r->procs, *next; p; p = next) {
        int status, exec_errno;
        next = p->next;
        child_signal(&p->child, SIGKILL);
        child_reap(&p->child, &status, &exec_errno);
        proc_free(p, p->robot->m->runner == RUNNER_COPROCESS);
    }
    free_dead(r);
    free_robots(r->robots);
    free_robots(r->retired);
    close(r->epoll_fd);
    free(r);
}

static bool same_words(const char *const *a, const char *const *b)
{
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

static bool same_robot(const struct hub_member *a, const struct hub_member *b)
{
    return a->runner == b->runner && a->capacity == b->capacity && a->time_limit_us == b->time_limit_us &&
           a->output_bytes_max == b->output_bytes_max && same_words(a->command, b->command) &&
           same_words(a->env, b->env) && strcmp(a->cwd ? a->cwd : "", b->cwd ? b->cwd : "") == 0;
}

static struct robot *robot_named(const struct runners *r, const char *id)
{
    for (struct robot *b = r->robots; b; b = b->next)
        if (strcmp(b->m->id, id) == 0)
            return b;
    return NULL;
}

static void retire(struct runners *r, struct robot *b, int64_t now_us)
{
    b->retired = true;
    b->restart_at_us = INT64_MAX;
    b->next = r->retired;
    r->retired = b;
    if (b->coprocess && b->running == 0)
        coprocess_stop(b, now_us);
}

int runners_configure(struct runners *r, struct hub_config *c, int64_t now_us)
{
    struct robot *before = r->robots, *b;
    struct robot **end = &r->robots;
    r->robots = NULL;
    for (uint32_t i = 0; i < c->member_count; i++) {
        const struct hub_member *m = &c->members[i];
        if (!m->robot)
            continue;
        struct robot **p = &before;
        while (*p && (strcmp((*p)->m->id, m->id) != 0 || !same_robot((*p)->m, m)))
            p = &(*p)->next;
        b = *p;
        if (b) {
            *p = b->next;
            hub_config_free(&b->of);
        } else {
            b = calloc(1, sizeof *b);
            if (!b) {
                *end = before;
                return ENOMEM;
            }
            b->restart_at_us = m->runner == RUNNER_COPROCESS ? now_us : INT64_MAX;
            if (m->runner == RUNNER_EXEC)
                r->events.ready(r->events.arg, m->id, true);
        }
        b->of = hub_config_hold(c);
        b->m = m;
        b->next = NULL;
        *end = b;
        end = &b->next;
    }
    while (before) {
        b = before;
        before = b->next;
        struct robot *successor = robot_named(r, b->m->id); /* until it is up, nobody of that name can take tasks */
        if (!successor || successor->m->runner == RUNNER_COPROCESS)
            r->events.ready(r->events.arg, b->m->id, false);
        retire(r, b, now_us);
    }
    runners_tick(r, now_us);
    return 0;
}

int runners_fd(const struct runners *r)
{
    return r->epoll_fd;
}
uint32_t runners_running(const struct runners *r)
{
    return r->running;
}

void run_ended(struct runners *r, struct robot *robot, struct run_done *d)
{
    robot->running--;
    r->running--;
    if (d->end == RUN_AGAIN)
        robot->again_run++;
    else
        robot->again_run = 0;
    r->events.done(r->events.arg, d);
}

int64_t run_rest_us(struct robot *robot)
{
    uint32_t doublings = robot->again_run < 6 ? robot->again_run : 6;
    int64_t rest = RUN_REST_MIN_US << doublings;
    return rest < RUN_REST_MAX_US ? rest : RUN_REST_MAX_US;
}

void runners_run(struct runners *r, const char *name, uint64_t assignment, json_t *task, int64_t now_us)
{
    struct robot *b = robot_named(r, name);
    if (!b) {
        struct run_done d = {
            .assignment = assignment, .end = RUN_AGAIN, .reason = "the robot has gone", .hold_us = RUN_REST_MIN_US
        };
        r->events.done(r->events.arg, &d);
        return;
    }
    b->running++;
    r->running++;
    if (b->m->runner == RUNNER_EXEC)
        exec_run(r, b, assignment, task, now_us);
    else
        coprocess_run(r, b, assignment, task, now_us);
}

/* ---------------------------------------------------------------- events and time */
void runners_poll(struct runners *r, int64_t now_us)
{
    struct epoll_event events[64];
    int n = epoll_wait(r->epoll_fd, events, 64, 0);
    for (int i = 0; i < n; i++) {
        struct watch *w = events[i].data.ptr;
        struct proc *p = w->proc;
        if (p->dead)
            continue;
        switch (w->what) {
        case WATCH_IN: proc_write(p); break;
        case WATCH_OUT: read_pipe(p, &p->child.out, true, false, now_us); break;
        case WATCH_ERR: read_pipe(p, &p->child.err, false, false, now_us); break;
        default: proc_ended(p, now_us); break;
        }
    }
    free_dead(r);
    free_retired(r);
}

void runners_tick(struct runners *r, int64_t now_us)
{
    for (struct proc *p = r->procs, *next; p; p = next) {
        next = p->next;
        if (p->kill_at_us && now_us >= p->kill_at_us) {
            child_signal(&p->child, SIGKILL);
            p->kill_at_us = p->deadline_us = now_us + RUN_KILL_US;
        } else if (!p->kill_at_us && now_us >= p->deadline_us) {
            p->ops->tick(p, now_us);
        }
    }
    for (struct robot *b = r->robots; b; b = b->next)
        if (now_us >= b->restart_at_us)
            coprocess_start(r, b, now_us);
    free_retired(r);
}

int64_t runners_next_due_us(const struct runners *r)
{
    int64_t due = INT64_MAX;
    for (const struct proc *p = r->procs; p; p = p->next)
        if (p->deadline_us < due)
            due = p->deadline_us;
    for (const struct robot *b = r->robots; b; b = b->next)
        if (b->restart_at_us < due)
            due = b->restart_at_us;
    return due;
}
