/* The common workload: the life of a task (enqueue acknowledged, received, completion acknowledged), one producer and one consumer, each a
 * process of its own, against any queue. life.c holds the loops, the clock and the figures; a client says how one queue is driven.
 *
 * The window counts on each side, for every queue alike: at most `window` enqueues are not acknowledged yet, and at most `window` tasks
 * are with the consumer and not done, as the queue counts. At window 1 the next enqueue follows the acknowledgement of the last, and the next task
 * comes when the last is done; what is done and the request for the next go out together. Producer and consumer do not wait for each other. */
#ifndef TESTS_BENCH_LIFE_H
#define TESTS_BENCH_LIFE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFE_STAMP_BYTES                                                                                               \
    16 /* a payload begins with its run and its task's number in hex, which survives text protocols */

struct life {        /* what a client may read; fixed before it is called */
    uint64_t window; /* see above */
    uint64_t frame;  /* tasks in one request, where the queue knows such requests; divides or equals the window */
    uint64_t payload_bytes;
    const char *host, *where,
        *variant; /* where: what the queue needs besides a port (endpoints file, connection string) */
    int port;
};

/* One queue. Every function ends the process with die() when anything is not as it should be. The producer's and the consumer's functions are called in
 * different processes, so each may keep its connection in a static variable. */
struct life_client {
    const char *name;
    void (*prepare)(const struct life *l); /* make the queue if it is not there; before any process starts */
    void (*open_producer)(const struct life *l);
    void (*put)(const struct life *l, uint64_t first,
                uint64_t n); /* enqueue n tasks, numbered from `first` (may wait for flush) */
    uint64_t (*acks)(const struct life *l,
                     bool wait);              /* flush; how many more are acknowledged, in order. wait: at least one */
    int (*producer_fd)(const struct life *l); /* readable when acks() may have something */
    void (*open_consumer)(const struct life *l);
    uint64_t (*serve)(
        const struct life
            *l); /* wait for something; hand tasks to life_received, complete them; how many more are done */
};

/* For clients. */
void life_payload(uint64_t number, char *to, uint64_t bytes); /* writes a payload and notes when it was made */
void life_received(const void *payload, size_t n);            /* checks it and notes when it came */
uint64_t life_total(
    void); /* tasks that there will be, those of other runs that have come with them; UINT64_MAX until the producer knows. What is out plus a window never exceeds it */

/* Options: see life.c. Prints one JSON object. Returns the exit code. */
int life_main(int argc, char **argv, const struct life_client *c);
#endif
