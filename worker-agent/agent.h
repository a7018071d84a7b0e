/* The agent: the only wiring. It owns core, link, runners, outbox, journal, the people's socket and the disk's thread,
 * and runs one loop over them.
 *
 * One thread is enough for link and work because nothing in the loop waits: robots are child processes behind
 * non-blocking pipes, files are written to
 * the page cache and synced by the disk's thread, sockets never block. So work cannot starve a heartbeat.
 *
 * A turn: poll; take in signals, broker's messages, children's output, people's requests; write outbox and journal;
 * tick the core; do what it says. */
#ifndef SUNLINE_AGENT_AGENT_H
#define SUNLINE_AGENT_AGENT_H
#include "worker-agent/config.h"
#include "worker-agent/core.h"
#include "worker-agent/datadir.h"
#include "worker-agent/form.h"
#include "worker-agent/journal.h"
#include "worker-agent/link.h"
#include "worker-agent/outbox.h"
#include "worker-agent/runner.h"
#include "worker-agent/syncer.h"
#include "worker-agent/u64map.h"

struct local;
struct agent_options { const char *config, *data, *broker; bool takeover; };

struct agent {
    struct agent_options options;
    struct hub_config *cfg;
    char *hub, *zone; /* as at the start: a file with others is not taken */
    struct datadir dir;
    struct outbox *outbox;
    struct journal *journal;
    struct core *core;
    struct core_outs outs;
    size_t outs_done;           /* outputs that were carried out */
    struct link *link;
    struct runners *runners;
    struct syncer *syncer;
    struct local *local;
    void *zmq;
    struct u64map forms;        /* station -> struct form */
    int signal_fd;
    bool sync_wanted, over;
    bool disk_full;             /* the last write failed: robots' results go without the outbox, people's are refused */
    int exit_code;
    int64_t disk_warned_us, rota_due_us; /* rota: the shifts of the days ahead are looked at again */
    bool rota_failed;                    /* they could not be made the last time */
};

/* Everything up and ready, or -1 with the reason logged. */
int agent_open(struct agent *a, const struct agent_options *o);
int agent_run(struct agent *a);     /* until told to stop; the exit code */
void agent_close(struct agent *a);  /* safe after a failed open */

/* ---- for local.c ---- */
int64_t agent_now_us(void);         /* CLOCK_BOOTTIME */
int64_t agent_wall_us(void);
void agent_step(struct agent *a, struct core_in in); /* fills in the times */
const struct form *agent_form(const struct agent *a, uint64_t station_id); /* NULL: not here */
#endif
