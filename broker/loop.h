/* The loop: the only wiring. It opens store, engine, clock and sockets, starts the threads, and is itself the thread of
 * the sockets:
 *
 *             sockets thread                        committer                     reader, publisher, backup
 *   poll -> receive -> decode -> route  --inbox-->  one batch, one transaction
 *   send <-----------------------------outbox-----  effects, once on disk   ----- answers, event frames
 *
 * Where messages come one at a time, the committer does what the sockets' thread does, too (leader.h).
 *
 * Data goes one way. What is refused (malformed, too much) is answered by the sockets' thread at once and has changed
 * nothing. */
#ifndef SUNLINE_BROKER_LOOP_H
#define SUNLINE_BROKER_LOOP_H
#include <stdbool.h>

#include "broker/config.h"

/* Read the configuration again, all of it: file and command line. False: it has mistakes, which were reported. */
typedef bool loop_reload_fn(void *arg, struct config *fresh);

struct loop_options {
    const struct config *config;
    loop_reload_fn *reload;
    void *reload_arg;
    int ready_fd; /* -1, or: the three endpoints are written here as a line once all is ready, then it is closed */
};

struct loop;
/* SIGTERM, SIGINT and SIGHUP must be blocked: the loop takes them from a signalfd. Returns 0 and *l; or the process's
 * exit code: what was wrong has been logged. */
int loop_start(struct loop **l, const struct loop_options *o);
int loop_run(struct loop *l);    /* until SIGTERM or SIGINT, then until all is answered. The exit code */
void loop_stop(struct loop **l); /* close everything; safe with NULL */
#endif
