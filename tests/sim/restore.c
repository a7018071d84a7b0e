/* The broker's disk is lost, and a backup of some hours ago is put back: the store goes back in time, everybody else lives on. What was acknowledged since the backup is gone and
 * may be; what was before it must hold, and no assignment number may be given again that the lost store gave (docs/adr/0014). Connections broke with the machine: nothing that the
 * lost broker sent arrives any more, what was sent to it still may. Agents find out by themselves. Operators apply what is missing, and begin imports again; some
 * producers live on and find out, too. Monitors compare the store's id, and read the state anew. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sim/sim.h"

static happening back_up, lose;

static void each_file(const char *dir, void (*f)(const char *path, const char *name, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.')
            f(path, e->d_name, arg);
    }
    if (d)
        closedir(d);
}

static void remove_file(const char *path, const char *name, void *arg)
{
    (void)name;
    (void)arg;
    unlink(path);
}

static void copy_file(const char *from, const char *name, void *arg)
{
    static char b[1 << 16];
    struct sim *s = arg;
    char path[700];
    snprintf(path, sizeof path, "%s/%s", s->server.dir, name);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(s, in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, b, sizeof b)) != 0;)
        CHECK(s, n > 0 && write(out, b, (size_t)n) == n);
    close(in);
    close(out);
}

static void forget_copy(struct backup *b)
{
    each_file(b->dir, remove_file, NULL);
    rmdir(b->dir);
    checker_free(&b->checker);
}

/* What the world itself knows of the store: which lines it has, under which numbers. */
static void remember(struct sim *s, struct backup *b)
{
    b->next_event = s->server.next_event;
    b->seen_off_us = s->server.seen_off_us;
    memcpy(b->numbered, s->numbered, sizeof b->numbered);
    for (uint32_t i = 0; i < LINES_MAX; i++) {
        b->line[i].id = s->line[i].id;
        for (uint32_t k = 0; k < VARIANTS_ALL; k++) {
            b->line[i].version[k] = s->line[i].v[k].version;
            b->line[i].first_station[k] = s->line[i].v[k].first_station;
            b->line[i].applied[k] = s->line[i].v[k].applied;
        }
    }
    for (uint32_t i = 0; i < WATCHERS_MAX; i++) {
        b->seq[i] = s->watcher[i].seq;
        b->since[i] = s->watcher[i].since;
        b->gone[i] = s->watcher[i].gone;
    }
    memcpy(b->name, s->operator.name, sizeof b->name);
    memcpy(b->out, s->operator.out, sizeof b->out);
    b->outs = s->operator.outs;
    memcpy(b->lowered, s->operator.lowered, sizeof b->lowered);
}

static void go_back(struct sim *s, const struct backup *b)
{
    s->server.next_event = b->next_event;
    s->server.seen_off_us = b->seen_off_us; /* the checker is told how far the clock is set since then */
    memcpy(s->numbered, b->numbered, sizeof b->numbered);
    for (uint32_t i = 0; i < LINES_MAX; i++) {
        s->line[i].id = b->line[i].id;
        for (uint32_t k = 0; k < VARIANTS_ALL; k++) {
            s->line[i].v[k].version = b->line[i].version[k];
            s->line[i].v[k].first_station = b->line[i].first_station[k];
            s->line[i].v[k].applied = b->line[i].applied[k];
        }
    }
    for (uint32_t i = 0; i < WATCHERS_MAX; i++) {
        s->watcher[i].seq = b->seq[i];
        s->watcher[i].since = b->since[i];
        s->watcher[i].gone = b->gone[i];
        s->watcher[i].asking = 0;
    }
    memcpy(s->operator.name, b->name, sizeof b->name);
    memcpy(s->operator.out, b->out, sizeof b->out);
    s->operator.outs = b->outs;
    memcpy(s->operator.lowered, b->lowered, sizeof b->lowered);
}

static void back_up(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct restore *r = &s->restore;
    struct server *v = &s->server;
    char text[300] = "";
    (void)unused;
    (void)unused2;
    if (s->calm || s->branch_until_us)
        return;
    server_lands(s);
    if (v->up) {
        if (r->copy.checker)
            forget_copy(&r->copy);
        snprintf(r->copy.dir, sizeof r->copy.dir, "%s-backup", v->dir);
        if (BROKER(store_backup(v->store, r->copy.dir, text, sizeof text)) != STORE_OK)
            sim_broken(s, "a backup failed: %s", text);
        r->copy.checker = checker_keep(s->checker);
        remember(s, &r->copy);
        s->tally.backups++;
        TELL(s, "broker: a backup is made, %" PRIu64 " events", v->next_event - 1);
    }
    sched_at(s, s->now_us + rng_range(&r->rng, s->plan.backup_every_us / 10, s->plan.backup_every_us * 2), back_up, 0,
             0);
}

static void lose(struct sim *s, uint64_t unused, uint64_t unused2)
{
    struct restore *r = &s->restore;
    struct server *v = &s->server;
    (void)unused;
    (void)unused2;
    if (s->calm || s->branch_until_us)
        return;
    if (!v->up || !r->copy.checker) {
        sched_at(s, s->now_us + rng_range(&r->rng, MINUTE, 10 * MINUTE), lose, 0, 0);
        return;
    }
    server_disk_dies(s, "with its disk: a backup is put back");
    s->tally.lost_events += v->next_event - r->copy.next_event;
    s->tally.restores++;
    each_file(v->dir, remove_file, NULL);
    each_file(r->copy.dir, copy_file, s);
    disk_new();
    checker_go_back(s->checker, r->copy.checker);
    go_back(s, &r->copy);
    v->went_back = true;
    if (rng_chance(&r->rng, 300000)) { /* on another machine, whose clock is behind until somebody looks */
        v->wall_off_us = -rng_spread(&r->rng, MINUTE, 2 * DAY);
        TELL(s, "broker: its wall clock is %" PRId64 " s behind", -v->wall_off_us / SEC);
        s->tally.broker_clock_steps++;
    }
    bool right =
        v->wall_off_us ==
        0; /* else numbers of runs may be those of a store that was lost: producers are stopped first, as the manual says */
    if (!right)
        s->net.stopped = s->net.peers;
    for (uint32_t i = 0; i < s->hubs; i++)
        s->hub[i].wire.peer = net_peer(s, SIDE_HUB, i);
    s->operator.wire.peer = net_peer(s, SIDE_OPERATOR, 0);
    for (uint32_t i = 0; i < s->plan.watchers; i++)
        s->watcher[i].wire.peer = net_peer(s, SIDE_WATCHER, i);
    for (uint32_t i = 0; i < s->plan.runs; i++) {
        s->producer[i].wire.peer = net_peer(s, SIDE_PRODUCER, i);
        producer_lost(s, &s->producer[i], rng_chance(&r->rng, 600000) || !right);
    }
    operator_applies_anew(s);
    sched_at(s, s->now_us + rng_range(&r->rng, s->plan.lose_every_us / 4, s->plan.lose_every_us * 2), lose, 0, 0);
}

void restore_open(struct sim *s)
{
    s->restore.rng = rng_of(s->plan.seed, "restores", 0);
    if (s->plan.lose_every_us == NEVER)
        return;
    sched_at(s, s->now_us + rng_range(&s->restore.rng, MINUTE, s->plan.backup_every_us), back_up, 0, 0);
    sched_at(s, s->now_us + rng_range(&s->restore.rng, s->plan.lose_every_us / 4, s->plan.lose_every_us), lose, 0, 0);
}

void restore_close(struct sim *s)
{
    if (s->restore.copy.checker)
        forget_copy(&s->restore.copy);
}
