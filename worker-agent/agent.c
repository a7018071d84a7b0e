#include "worker-agent/agent.h"
#include "worker-agent/local.h"
#include "worker-agent/log.h"
#include "worker-agent/rota.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define MESSAGES_A_TURN 256
#define LAST_FRAMES_MS 1000
#define ROUNDS_A_TURN 16

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t agent_now_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}
int64_t agent_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static void end(struct agent *a, int exit_code)
{
    a->over = true;
    a->exit_code = exit_code;
}

static void out_of_memory(struct agent *a)
{
    log_line(LOG_ERROR, "no-memory", "what counts is on disk; start again");
    end(a, 1);
}

void agent_step(struct agent *a, struct core_in in)
{
    in.now_us = agent_now_us();
    in.wall_us = agent_wall_us();
    size_t before = a->outs.n;
    if (core_step(a->core, &in, &a->outs) != 0) {
        a->outs.n = before; /* half a step is not carried out */
        out_of_memory(a);
    }
}

const struct form *agent_form(const struct agent *a, uint64_t station_id)
{
    return station_id ? u64map_get(&a->forms, station_id) : NULL;
}

/* ---------------------------------------------------------------- forms */
/* 0 or errno's code. */
static int take_form(struct agent *a, struct slp_bytes body)
{
    char text[512];
    struct form *f = form_new(body.p, body.n, text, sizeof text);
    if (!f) {
        int rc = errno;
        log_line(LOG_ERROR, "form-unreadable", "reason=\"%s\"", text);
        return rc;
    }
    struct form *old = f->station_id ? u64map_get(&a->forms, f->station_id) : NULL;
    if (f->station_id == 0 || !u64map_put(&a->forms, f->station_id, f)) {
        int rc = f->station_id == 0 ? EBADMSG : ENOMEM;
        form_free(&f);
        return rc;
    }
    form_free(&old);
    return 0;
}

static void on_form(struct agent *a, const struct core_out *o)
{
    struct slp_bytes body = { a->outs.bytes.p + o->off, (uint32_t)o->n };
    int rc = take_form(a, body);
    if (rc == ENOMEM)
        out_of_memory(a); /* a station whose form is called bad gets no work here until the next start */
    else
        agent_step(a, (struct core_in){ .kind = CORE_IN_FORM, .station_id = o->station_id, .ok = rc == 0 });
}

/* ---------------------------------------------------------------- robots */
static void give_up(struct agent *a, uint64_t assignment, uint64_t act, const char *reason, int64_t hold_us)
{
    agent_step(a, (struct core_in){ .kind = CORE_IN_GIVE_UP,
                                    .assignment = assignment,
                                    .act = act,
                                    .text = { reason, (uint32_t)strlen(reason) },
                                    .hold_us = hold_us });
}

static void on_values(struct agent *a, const struct core_task *t, const struct run_done *d)
{
    const struct form *f = agent_form(a, t->station_id);
    struct slp_buf values = { 0 }, item = { 0 };
    char text[SL_TEXT_BYTES_MAX];
    int wrong = f ? form_values(f, t, d->values, &values, NULL, text, sizeof text) : FORM_WRONG;
    if (wrong != 0) {
        if (wrong == FORM_NO_MEMORY) /* not the robot's fault */
            give_up(a, t->assignment, 2, "out of memory", 1000000);
        else
            give_up(a, t->assignment, 4, f ? text : "the form is gone", 0);
        slp_buf_free(&values);
        return;
    }
    struct slp_item_result r = { .assignment = t->assignment,
                                 .worker = t->worker_no,
                                 .values = { values.p, (uint32_t)values.n, f->field_count },
                                 .active_us = (uint64_t)d->active_us,
                                 .done_wall_us = agent_wall_us() };
    SLP_SET(&r, item_result, active_us);
    SLP_SET(&r, item_result, done_wall_us);
    slp_pack_item(&item, SLP_ITEM_result, &r);
    /* On a full disk it goes without: it can be made again, and must not gather in memory instead. */
    uint64_t seq = item.failed || a->disk_full ? 0
                                               : agent_outbox_add(a->outbox, t->assignment, t->worker_no, false,
                                                                  (struct slp_bytes){ item.p, (uint32_t)item.n });
    if (seq || (a->disk_full && !item.failed))
        agent_step(a, (struct core_in){ .kind = CORE_IN_FINISH,
                                        .assignment = t->assignment,
                                        .seq = seq,
                                        .item = { item.p, (uint32_t)item.n } });
    else
        give_up(a, t->assignment, 2, "out of memory", 1000000);
    slp_buf_free(&values);
    slp_buf_free(&item);
}

static void on_done(void *arg, const struct run_done *d)
{
    struct agent *a = arg;
    const struct core_task *t = core_find(a->core, d->assignment);
    if (!t || t->state != CORE_STARTED)
        return;
    switch (d->end) {
    case RUN_VALUES: on_values(a, t, d); break;
    case RUN_FAIL: give_up(a, d->assignment, 4, d->reason, 0); break;
    case RUN_AGAIN: give_up(a, d->assignment, 2, d->reason, d->hold_us); break;
    case RUN_BURY: give_up(a, d->assignment, 5, d->reason, 0); break;
    }
}

static void on_ready(void *arg, const char *robot, bool ready)
{
    agent_step(arg, (struct core_in){ .kind = CORE_IN_READY, .name = robot, .ok = ready });
}

static void on_run(struct agent *a, uint64_t assignment)
{
    const struct core_task *t = core_find(a->core, assignment);
    const struct form *f = t ? agent_form(a, t->station_id) : NULL;
    if (!t || t->state != CORE_STARTED)
        return;
    json_t *task = f ? form_task_json(f, t) : NULL;
    if (task)
        runners_run(a->runners, core_task_worker(t), assignment, task, agent_now_us());
    else
        give_up(a, assignment, 2, "the task cannot be shown", 1000000);
    json_decref(task);
}

/* ---------------------------------------------------------------- results */
/* A person's result that the broker refused for good is put aside, readable, synced, before the outbox forgets it. */
static int put_aside(struct agent *a, const struct core_out *o)
{
    struct slp_buf packed = { 0 };
    int rc = agent_outbox_read(a->outbox, o->seq, &packed);
    json_t *item = rc == 0 ? json_of_packed(packed.p, packed.n) : NULL;
    slp_buf_free(&packed);
    json_t *row = item ? json_pack("{s:I, s:s, s:s, s:I, s:o}", "assignment", (json_int_t)o->assignment, "code",
                                   slp_error_name(o->code), "text", a->outs.bytes.p + o->off, "put_aside_wall_us",
                                   (json_int_t)agent_wall_us(), "result", item)
                       : NULL;
    char *line = row ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    if (!line)
        return rc ? rc : ENOMEM;
    int fd = openat(a->dir.fd, "refused.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0 || fsync(fd) != 0 || fsync(a->dir.fd) != 0) /* its name, too */
        rc = errno;
    if (fd >= 0)
        close(fd);
    free(line);
    return rc;
}

static void on_refused(struct agent *a, const struct core_out *o)
{
    bool person = agent_outbox_is_person(a->outbox, o->seq);
    log_line(person ? LOG_ERROR : LOG_WARN, "result-refused", "assignment=%" PRIu64 " code=%s text=\"%s\"%s",
             o->assignment, slp_error_name(o->code), a->outs.bytes.p + o->off, person ? " kept=refused.jsonl" : "");
    int rc = person ? put_aside(a, o) : 0;
    if (rc == 0)
        agent_outbox_ack(a->outbox, o->seq);
    else /* it stays in the outbox, and is offered again after the next start */
        log_line(LOG_ERROR, "put-aside", "assignment=%" PRIu64 " reason=\"%s\"", o->assignment, strerror(rc));
    journal_over(a->journal, o->assignment);
}

/* ---------------------------------------------------------------- what the core says */
static void carry_out(struct agent *a, struct core_out o) /* a copy: the array may grow under it */
{
    const char *text = a->outs.bytes.p + o.off;
    char name[SL_NAME_BYTES_MAX + 1];
    switch (o.kind) {
    case CORE_OUT_SEND:
        if (!link_send(a->link, text, o.n))
            log_line(LOG_DEBUG, "send-dropped", "bytes=%zu", o.n);
        break;
    case CORE_OUT_RELINK: {
        int rc = link_reopen(a->link);
        if (rc != 0)
            log_line(LOG_WARN, "link", "reason=\"%s\"", zmq_strerror(rc));
        break;
    }
    case CORE_OUT_RUN: on_run(a, o.assignment); break;
    case CORE_OUT_OFFER:
        snprintf(name, sizeof name, "%s", text);
        local_offer(a->local, name);
        break;
    case CORE_OUT_DROPPED:
        snprintf(name, sizeof name, "%s", text);
        local_dropped(a->local, name, o.assignment, o.code);
        break;
    case CORE_OUT_FORM: on_form(a, &o); break;
    case CORE_OUT_ACKED:
        agent_outbox_ack(a->outbox, o.seq);
        journal_over(a->journal, o.assignment);
        break;
    case CORE_OUT_REFUSED: on_refused(a, &o); break;
    case CORE_OUT_ENDED: journal_over(a->journal, o.assignment); break;
    case CORE_OUT_WHY: local_why(a->local, o.token, o.code, text); break;
    case CORE_OUT_LOG: log_line((enum log_level)o.level, o.event, "%s", text); break;
    case CORE_OUT_BYE:
        log_line(LOG_INFO, "bye", "results_kept=%" PRIu64, agent_outbox_count(a->outbox));
        end(a, 0);
        break;
    case CORE_OUT_EXIT:
        log_line(LOG_ERROR, "must-stop", "code=%s text=\"%s\"", slp_error_name(o.code), text);
        end(a, 1);
        break;
    }
}

static void write_files(struct agent *a)
{
    int rc = agent_outbox_write(a->outbox), rc2 = journal_write(a->journal);
    local_written(a->local, rc == 0, rc2 == 0);
    if (rc == 0)
        rc = rc2;
    a->disk_full = rc != 0;
    if (rc == 0)
        return;
    int64_t now = agent_now_us();
    if (now - a->disk_warned_us > 10000000) {
        log_line(LOG_ERROR, "disk", "reason=\"%s\": results of robots go on, people's cannot be taken", strerror(rc));
        a->disk_warned_us = now;
    }
    local_write_failed(a->local, rc);
    if (rc == EIO)
        end(a, 1);
}

/* Tick the core and do what it says, until it has nothing more to say. Files are written before frames leave. */
static void pump(struct agent *a)
{
    for (int round = 0; round < ROUNDS_A_TURN && !a->over; round++) {
        agent_step(a, (struct core_in){ .kind = CORE_IN_TICK });
        write_files(a);
        if (a->outs_done == a->outs.n)
            break;
        while (a->outs_done < a->outs.n)
            carry_out(a, a->outs.v[a->outs_done++]);
        core_outs_clear(&a->outs);
        a->outs_done = 0;
    }
}

/* ---------------------------------------------------------------- what comes in */
static void take_messages(struct agent *a)
{
    struct slp_msg m;
    struct slp_fault fault;
    const char *body;
    size_t n;
    for (int i = 0; i < MESSAGES_A_TURN && (body = link_receive(a->link, &n)); i++) {
        if (slp_decode(body, n, SLP_B2A, &m, &fault) != 0)
            log_line(LOG_WARN, "bad-message", "code=%s place=%s", slp_error_name(fault.code), fault.place);
        else
            agent_step(a, (struct core_in){ .kind = CORE_IN_MESSAGE, .msg = &m });
    }
}

static void print_problem(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_ERROR, "config", "%s", text);
}

/* -1: they cannot be made now. */
static int make_rota(struct agent *a, const struct hub_config *c, struct core_shifts *rota)
{
    const char *zone;
    bool failed = rota_make(c, agent_wall_us(), rota, &zone) != 0;
    a->rota_due_us = agent_now_us() + (failed ? ROTA_RETRY_US : ROTA_AGAIN_US);
    if (failed && !a->rota_failed) /* said once: it is tried again soon, and the broker has the shifts of a week */
        log_line(LOG_ERROR, "rota", "%s%s: the broker keeps the shifts that it has",
                 zone ? "the time zone cannot be read: " : "no memory", zone ? zone : "");
    if (!failed && a->rota_failed)
        log_line(LOG_INFO, "rota", "the shifts can be made again");
    a->rota_failed = failed;
    return failed ? -1 : 0;
}

/* The core passes on what has changed. */
static void tell_rota(struct agent *a, struct core_shifts *rota)
{
    agent_step(a, (struct core_in){ .kind = CORE_IN_SHIFTS, .shifts = rota });
    rota_free(rota);
}

/* Tell the core the shifts of the days ahead. */
static int look_at_rota(struct agent *a)
{
    struct core_shifts rota;
    if (make_rota(a, a->cfg, &rota) != 0)
        return -1;
    tell_rota(a, &rota);
    return 0;
}

static void reload(struct agent *a)
{
    struct hub_config *c = hub_config_load(a->options.config, print_problem, NULL), *old = a->cfg;
    if (!c) {
        log_line(LOG_ERROR, "reload", "the hub file has mistakes: the roster stays as it was");
        return;
    }
    if (strcmp(c->hub, a->cfg->hub) != 0 || strcmp(c->zone, a->cfg->zone) != 0) {
        log_line(LOG_ERROR, "reload", "hub and zone change with a restart only: the roster stays as it was");
        hub_config_free(&c);
        return;
    }
    struct core_shifts rota;
    if (make_rota(a, c, &rota) != 0) {
        log_line(LOG_ERROR, "reload", "the shifts cannot be made: the roster stays as it was");
        hub_config_free(&c);
        return;
    }
    a->cfg = c;
    tell_rota(a, &rota);
    agent_step(a, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &c->roster });
    int rc = runners_configure(a->runners, c, agent_now_us());
    if (rc != 0)
        log_line(LOG_ERROR, "reload", "reason=\"%s\"", strerror(rc));
    hub_config_free(&old); /* robots that are still at work hold it */
    local_roster_changed(a->local);
    log_line(LOG_INFO, "reload", "workers=%u", c->member_count);
}

static void take_signals(struct agent *a)
{
    struct signalfd_siginfo s;
    while (read(a->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGHUP) {
            reload(a);
            continue;
        }
        log_line(LOG_INFO, "quiet", "signal=%u running=%u drain_ms=%" PRId64, s.ssi_signo, runners_running(a->runners),
                 a->cfg->drain_us / 1000);
        agent_step(a, (struct core_in){ .kind = CORE_IN_QUIET, .deadline_us = agent_now_us() + a->cfg->drain_us });
    }
}

static void group_sync(struct agent *a)
{
    int rc;
    if (syncer_busy(a->syncer) && syncer_done(a->syncer, &rc)) {
        local_synced(a->local, rc);
        if (rc != 0) { /* what the disk holds is not known any more: a fresh start reads it */
            log_line(LOG_ERROR, "sync", "reason=\"%s\"", strerror(rc));
            end(a, 1);
        }
    }
    if (!a->sync_wanted || syncer_busy(a->syncer) || a->over)
        return;
    write_files(a);
    local_sync_begins(a->local);
    rc = syncer_begin(a->syncer, agent_outbox_fd(a->outbox), journal_fd(a->journal));
    a->sync_wanted = rc != 0; /* out of descriptors: the next turn tries again */
}

static long timeout_ms(const struct agent *a)
{
    int64_t due = core_next_due_us(a->core), now = agent_now_us(), other = runners_next_due_us(a->runners);
    if (a->rota_due_us < due)
        due = a->rota_due_us;
    if (other < due)
        due = other;
    other = local_next_due_us(a->local);
    if (other < due)
        due = other;
    if (a->outs_done < a->outs.n || due <= now)
        return 0;
    int64_t ms = (due - now + 999) / 1000;
    return ms < 60000 ? (long)ms : 60000;
}

int agent_run(struct agent *a)
{
    pump(a);
    while (!a->over) {
        zmq_pollitem_t items[] = { { link_socket(a->link), -1, ZMQ_POLLIN, 0 },
                                   { local_socket(a->local), -1, ZMQ_POLLIN, 0 },
                                   { NULL, a->signal_fd, ZMQ_POLLIN, 0 },
                                   { NULL, runners_fd(a->runners), ZMQ_POLLIN, 0 },
                                   { NULL, syncer_fd(a->syncer), ZMQ_POLLIN, 0 } };
        if (zmq_poll(items, 5, timeout_ms(a)) < 0 && errno != EINTR) {
            log_line(LOG_ERROR, "poll", "reason=\"%s\"", zmq_strerror(errno));
            return 1;
        }
        int64_t now = agent_now_us();
        if (now >= a->rota_due_us)
            (void)look_at_rota(a);
        take_signals(a);
        take_messages(a);
        runners_poll(a->runners, now);
        runners_tick(a->runners, now);
        local_receive(a->local);
        local_tick(a->local, now);
        group_sync(a);
        pump(a);
    }
    write_files(a);
    return a->exit_code;
}

/* ---------------------------------------------------------------- life */
struct restored {
    struct agent *a;
    uint64_t results, tasks;
};

static void on_unsent(void *arg, const struct outbox_entry *e)
{
    struct restored *r = arg;
    r->results++;
    agent_step(r->a, (struct core_in){
                         .kind = CORE_IN_UNSENT, .assignment = e->assignment, .seq = e->seq, .item = e->packed });
}

static void on_kept_form(void *arg, struct slp_bytes body)
{
    struct agent *a = ((struct restored *)arg)->a;
    struct slp_msg m;
    struct slp_fault fault;
    int rc = take_form(a, body);
    if (rc == ENOMEM)
        out_of_memory(a);
    else if (rc == 0 && slp_decode(body.p, body.n, SLP_B2A, &m, &fault) == 0)
        agent_step(a, (struct core_in){ .kind = CORE_IN_FORM, .station_id = m.u.form.station_id, .ok = true });
}

static void on_begun(void *arg, const struct core_task *t)
{
    struct restored *r = arg;
    r->tasks++;
    agent_step(r->a, (struct core_in){ .kind = CORE_IN_RESTORE, .task = t });
}

static int open_files(struct agent *a, const char *data)
{
    char text[512];
    int rc = 0;
    if (datadir_open(&a->dir, data, text, sizeof text) != 0) {
        log_line(LOG_ERROR, "data", "%s", text);
        return -1;
    }
    a->hub = strdup(a->cfg->hub); /* the core's as long as it lives, whichever hub file is in force */
    a->zone = strdup(a->cfg->zone);
    if (!a->hub || !a->zone) {
        log_line(LOG_ERROR, "data", "%s", strerror(ENOMEM));
        return -1;
    }
    struct core_config cc = { .hub = a->hub,
                              .zone = a->zone,
                              .incarnation = a->dir.incarnation,
                              .takeover = a->options.takeover,
                              .grace_us = a->cfg->grace_us };
    memcpy(cc.data_id, a->dir.id, sizeof cc.data_id);
    if (getrandom(&cc.seed, sizeof cc.seed, 0) != (ssize_t)sizeof cc.seed)
        cc.seed = (uint64_t)agent_now_us();
    a->core = core_new(&cc);
    struct restored r = { .a = a };
    struct journal_events found = { on_kept_form, on_begun, &r };
    if (a->core)
        a->journal = journal_open(a->dir.fd, &found, &rc);
    if (a->journal)
        a->outbox = agent_outbox_open(a->dir.fd, 0, on_unsent, &r, &rc);
    if (!a->outbox) {
        log_line(LOG_ERROR, "data", "%s: %s: %s", data, a->journal ? "outbox" : "journal", strerror(rc ? rc : ENOMEM));
        return -1;
    }
    if (agent_outbox_damaged(a->outbox))
        log_line(LOG_ERROR, "outbox-damaged", "bytes=%" PRIu64 ": stepped over; what could be read is kept",
                 agent_outbox_damaged(a->outbox));
    log_line(LOG_INFO, "data", "dir=%s incarnation=%" PRIu64 " results_unsent=%" PRIu64 " tasks_begun=%" PRIu64, data,
             a->dir.incarnation, r.results, r.tasks);
    return 0;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread is made: all of them inherit it */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is met as a full disk is: by a failed write */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int agent_open(struct agent *a, const struct agent_options *o)
{
    char text[512], endpoint[4200];
    int rc = 0;
    *a = (struct agent){ .options = *o, .dir = { .fd = -1, .lock_fd = -1 }, .signal_fd = open_signals() };
    a->disk_warned_us = INT64_MIN / 2;
    a->cfg = hub_config_load(o->config, print_problem, NULL);
    if (!a->cfg)
        return -1;
    const char *data = o->data ? o->data : a->cfg->data, *broker = o->broker ? o->broker : a->cfg->broker;
    if (!data) {
        log_line(LOG_ERROR, "data", "no data directory: give --data DIR, or key 'data' in the hub file");
        return -1;
    }
    if (a->signal_fd < 0 || open_files(a, data) != 0)
        return -1;
    struct runner_events events = { on_done, on_ready, a };
    a->zmq = zmq_ctx_new();
    a->syncer = syncer_new(&rc);
    a->runners = a->syncer ? runners_new(&events, &rc) : NULL;
    if (!a->zmq || !a->runners) {
        log_line(LOG_ERROR, "start", "reason=\"%s\"", strerror(rc ? rc : errno));
        return -1;
    }
    a->link = link_open(a->zmq, broker, text, sizeof text);
    if (!a->link) {
        log_line(LOG_ERROR, "broker", "%s", text);
        return -1;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s/local.sock", data);
    a->local = local_open(a, a->cfg->local ? a->cfg->local : endpoint, text, sizeof text);
    if (!a->local) {
        log_line(LOG_ERROR, "local", "%s", text);
        return -1;
    }
    if (look_at_rota(a) != 0)
        return -1;
    agent_step(a, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &a->cfg->roster });
    rc = runners_configure(a->runners, a->cfg, agent_now_us());
    if (rc != 0) {
        log_line(LOG_ERROR, "robots", "reason=\"%s\"", strerror(rc));
        return -1;
    }
    log_line(LOG_INFO, "start", "hub=%s broker=%s local=%s workers=%u version=%s", a->cfg->hub, broker,
             local_endpoint(a->local), a->cfg->member_count, SUNLINE_VERSION);
    return 0;
}

void agent_close(struct agent *a)
{
    runners_free(&a->runners);
    syncer_free(&a->syncer);
    link_close(&a->link, LAST_FRAMES_MS);
    local_close(&a->local);
    if (a->zmq)
        zmq_ctx_term(a->zmq);
    agent_outbox_close(&a->outbox);
    journal_close(&a->journal);
    core_free(&a->core);
    core_outs_free(&a->outs);
    for (size_t i = 0; i < a->forms.cap; i++)
        if (a->forms.keys[i]) {
            struct form *f = a->forms.values[i];
            form_free(&f);
        }
    u64map_free(&a->forms);
    datadir_close(&a->dir);
    hub_config_free(&a->cfg);
    free(a->hub);
    free(a->zone);
    if (a->signal_fd >= 0)
        close(a->signal_fd);
}
