/* The engine: a deterministic state machine. step(store transaction, input) -> effects. No clock, socket, file, random source or
 * environment in here; time and everything else that is not in the store comes in with an input. */
#ifndef SUNLINE_ENGINE_H
#define SUNLINE_ENGINE_H
#include "broker/store/store.h"
#include "proto/codec.h"

struct engine;

struct engine_config { /* what the daemon's configuration may change; part of the deterministic input */
    int64_t heartbeat_us;       /* agents say something this often. 0: 5 s */
    int64_t grace_us;           /* a silent hub's unstarted assignments go back after this. 0: 30 s */
    int64_t start_by_us;        /* an assignment must be started within this. 0: 5 min */
    uint64_t queue_tasks_max;   /* open units of a run. 0: SL_QUEUE_TASKS_DEFAULT_MAX */
    uint64_t event_keep_max;    /* events kept. 0: 10,000,000 */
    int64_t event_keep_us;      /* and for how long. 0: 7 days */
    uint32_t portion_max;       /* of what is done in portions, a tick takes no more at once: rows, assignments, workers. 0: what each kind of work has for its own bound */
};

enum input_kind {
    INPUT_BOOT,     /* first one after open: boot_us tells how much time passed since the last commit, if that is known */
    INPUT_MESSAGE,  /* a decoded message of a peer */
    INPUT_TICK,     /* time went on: timers, sweeps, sessions that fell silent */
    INPUT_PRESSURE  /* the store's headroom changed: full tells */
};

struct input {
    enum input_kind kind;
    int64_t elapsed_us;  /* stored total of CLOCK_BOOTTIME deltas; never goes back */
    int64_t wall_us;     /* UTC */
    uint64_t peer;       /* MESSAGE: whom to answer; opaque, never 0 */
    const struct slp_msg *msg;
    bool full;           /* PRESSURE */
    uint64_t room_bytes; /* PRESSURE: what the store can still take; tells whether results can be taken too */
    uint64_t restart;    /* BOOT: a random number that tells this start from others (sessions are made from it) */
};

/* What must happen once the transaction is on disk, in order. Frames are complete bodies: in one arena, or, those that show payloads, each in a block of
 * its own (broker/blocks.h), so that it goes out as it lies. Whoever sends such a block takes it: sets `block` to NULL and gives it back when it is sent. */
struct effect { uint64_t peer; size_t off, n; void *block; };
/* A key, the numbers of rows or a run's name came again with other bytes: a mistake of whoever sends them, which the log tells. How often in this batch; of the
 * first time, the run, the place in the frame, and the key, if it was one. */
struct key_reuse {
    uint64_t times;
    char run[SL_NAME_BYTES_MAX + 1], place[40], key[SL_KEY_BYTES_MAX];
    size_t key_bytes;
};
struct effects {
    struct effect *v;
    size_t n, cap;
    struct slp_buf bytes;
    uint64_t first_event, last_event; /* sequences written in this batch; 0, 0: none */
    struct key_reuse reused;
};
static inline const char *effect_frame(const struct effects *e, const struct effect *v)
{
    return v->block ? (const char *)v->block : e->bytes.p + v->off;
}
void effects_clear(struct effects *e); /* gives back the blocks that nobody took */
void effects_free(struct effects *e);

/* Bring a store of an older format to this program's, step by step (upgrade.c). engine_open does it first of all; store_format tells before
 * and after. */
enum store_rc engine_upgrade(struct store *s);

/* Make a store of its own of a copy (store_is_copy; or one that the caller knows to be one): in one transaction it gets this id (random bytes), loses the mark, and
 * its next assignment is *first, a number that the original cannot have given by wall_us (restore.c). Upgrades it before. NOT_FOUND: no broker ever
 * served it. FULL: the wall clock is so far ahead of the copy's that the numbers would not last; nothing has changed. */
enum store_rc engine_restore(struct store *s, const uint8_t id[16], int64_t wall_us, uint64_t *first);

/* Open the engine over a store, which is no copy any more: reads what lives in memory too (lines, open runs, hubs, workers, live assignments), never the
 * backlog. NULL with *rc on failure. */
struct engine *engine_open(struct store *s, const struct engine_config *c, enum store_rc *rc);
void engine_close(struct engine **e);

/* Begin a batch, step any number of inputs, end it: END writes the records that the steps touched in memory. The caller commits, then sends the
 * effects. Any STORE_* but OK ends the process's use of this engine: abort, close, reopen. */
enum store_rc engine_batch_begin(struct engine *e, struct store_txn *t, struct effects *out);
enum store_rc engine_step(struct engine *e, const struct input *in);
enum store_rc engine_batch_end(struct engine *e);

int64_t engine_elapsed_us(const struct engine *e);  /* the stored total at open: the loop goes on counting from it */
int64_t engine_next_due_us(const struct engine *e); /* elapsed time at which a TICK is wanted; INT64_MAX: none */
bool engine_backlog(const struct engine *e);        /* sweeps are under way: tick again soon */

/* Digest over all logical records (not sessions): the same inputs give the same hash, whatever compiler, flags and batching. */
enum store_rc engine_state_hash(struct store *s, uint8_t hash[16]);

/* Peers that agents' frames go to. The transport tells when one is gone for good by simply not delivering; the engine finds out by silence. */

/* ---- the reader's side: long reads from short read transactions, no engine memory; any thread ---- */
struct reader;
struct reader *reader_new(struct store *s); /* NULL: no memory. Caches compiled lines */
void reader_free(struct reader **r);
/* Answer one of OUTPUT_GET, UNIT_GET, TASKS_GET, COVERAGE_GET, EVENTS_GET, SNAPSHOT_GET, CHECK_GET: appends one body to out (an error body if refused). 0; -1 no memory or STORE_IO. */
int reader_answer(struct reader *r, const struct slp_msg *m, int64_t elapsed_us, struct slp_buf *out);
/* Frames for the event streams: events first..last (committed), packed per stream. Calls emit(arg, topic, body) for each frame. */
int reader_publish(struct reader *r, uint64_t first, uint64_t last, bool (*wanted)(void *, const char *topic), void (*emit)(void *, const char *topic, const char *body, size_t n), void *arg);
/* What the record under this key belongs to, from the key alone: "units 17 and on of run 3". For damage, whose value is not to be trusted. */
void engine_describe_key(enum store_table tb, const void *key, size_t n, char *text, size_t size);
#endif
