/* A broker in a thread, for tests of the client library: a ROUTER that keeps units in memory and misbehaves as told.
 * It keeps the protocol's promises about puts (numbers, keys, gaps), so that "exactly once" is measured, not
 * assumed. Knobs may be turned at any time; each counts down as it is used. */
#ifndef SUNLINE_TESTS_FAKE_BROKER_H
#define SUNLINE_TESTS_FAKE_BROKER_H
#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>

#include "proto/codec.h"

#define FAKE_UNITS_MAX 200000
#define FAKE_RUN 7
#define FAKE_HUBS 250

struct fake {
    void *ctx, *router, *control, *orders, *pub; /* orders: the test's end of the control pair */
    char endpoint[128], events_endpoint[128];
    pthread_t thread;
    /* knobs */
    atomic_int swallow_requests;        /* the next n requests never came */
    atomic_int swallow_answers;         /* the next n requests are done, but not answered */
    atomic_int swallow_put_at;          /* this put (counting from 1) never came; 0: none */
    atomic_int refuse;                  /* the next n requests get ... */
    atomic_int refuse_code, refuse_after_ms, refuse_retry;
    atomic_int refuse_puts_only;
    atomic_int babble;                  /* the next n answers are not msgpack behind the id */
    atomic_int other_type;              /* the next n answers are of a wrong type */
    atomic_int lie_in_counts;           /* the next n put_done contradict themselves */
    atomic_int hold_puts;               /* answers of puts are kept back until it is 0 again */
    atomic_int bad_rows;                /* rows whose first value is the string "bad" get BAD_UNIT */
    atomic_uint quota;                  /* QUEUE_FULL above so many units; 0: none */
    atomic_int other_store;             /* it was started from a backup: the store's id is another one */
    /* what was seen */
    atomic_int requests, puts, put_rows_max, restarts;
    _Atomic uint64_t last_request_id;
    atomic_int same_id_seen;            /* requests whose id was that of the one before */
    atomic_uint units, rows_held_max;
    /* the store: the first value of each unit, as a number */
    uint64_t unit_value[FAKE_UNITS_MAX];
    uint64_t producer_epoch, producer_seq;
    struct { char key[64]; uint64_t unit; } keys[4096];
    uint32_t key_count;
    /* answers held back */
    struct { zmq_msg_t peer; struct slp_buf body; uint32_t rows; } held[512];
    uint32_t held_count, held_rows;
    /* a run to wait for; and events */
    struct slp_item_run_row run;
    struct slp_item_station_row station;
    pthread_mutex_t lock;               /* run, station, event_last */
    uint64_t event_last;
    atomic_int info_gets, events_gets, output_gets, page_rows;
    struct slp_buf list;
};

struct fake *fake_start(void);
void fake_end(struct fake *f);
/* 'r' restart, 'd' down, 'u' up again: the socket goes, and comes back under the same address; the store stays.
 * Returns when it is done. */
void fake_order(struct fake *f, char order);
/* Events up to `last` have happened and can be asked for. */
void fake_happen(struct fake *f, uint64_t last);
/* Publish events first..last of a stream. */
void fake_publish(struct fake *f, const char *stream, uint64_t first, uint64_t last);
#endif
