/* The engine alone, over a real store in a directory of its own, on a clock that the test moves. Each message is one batch with a commit, unless
 * world_batch() says otherwise; what the engine sends is kept, decoded, until the next world_clear. */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H
#include "broker/engine/engine.h"
#include "broker/engine/records.h"

struct world_frame { uint64_t peer; char *bytes; size_t n; struct slp_msg m; };

struct world {
    char dir[64];
    struct store *store;
    struct engine *engine;
    struct engine_config cfg;
    struct effects out;
    struct reader *reader;
    int64_t now_us, wall_us;
    uint64_t next_id, restarts, hellos;
    unsigned units_put;
    struct world_frame *frame; /* everything sent since the last clear */
    size_t frames, cap;
    /* a batch that is open */
    struct store_txn *t;
    unsigned batch, in_batch;
    struct slp_buf kept[256];
    struct world_how { /* world_open_with; all 0: world_open */
        uint64_t wal_bytes; /* as in store_options */
    } how;
    bool watched;     /* from world_watch until the next restart: ... */
    uint8_t hash[16]; /* ... what it must find, as the last commit left it */
    /* Called before and after each call of the product, if it is set: then a failure is no mistake of the test. It stays in `failed` until
     * world_restart, nothing more is asked meanwhile, and each answer is a message of type 0. */
    void (*around)(bool in);
    bool refusals; /* and a refusal is none either: it counts as such a message */
    enum store_rc failed;
    struct slp_msg nothing;
};

void world_open(struct world *w);            /* a new store; BOOT is done */
void world_open_with(struct world *w, struct world_how how);
void world_restart(struct world *w);         /* as after a crash: the store is reopened, sessions are gone */
void world_boot(struct world *w);            /* the same input, but the engine goes on: what world_restart must not differ from */
void world_down(struct world *w);            /* half of a restart: store and engine are closed */
void world_up(struct world *w);              /* the other half */
void world_close(struct world *w);           /* and its directory is removed */
void world_end(struct world *w);             /* world_check, then world_close */
/* What a check of the store names: how many records are damaged or refer to what is not there; as many of the texts as fit, a line each. */
unsigned world_named(struct world *w, char *text, size_t size);
/* Counts the units' states through the reader, by each unit's story, and compares them with the counters of every run; and nothing may be named. */
void world_check(struct world *w);
void world_clear(struct world *w);
/* How many inputs make a batch from here on (1 is the start). world_flush ends the one that is open. */
void world_batch(struct world *w, unsigned inputs);
void world_flush(struct world *w);
void world_pass(struct world *w, int64_t us); /* time goes on, with ticks at each moment that the engine asked for */
void world_tick(struct world *w);
/* Send; returns the reply of this request (owned by the world until world_clear), or NULL if none came. */
struct slp_msg *world_send(struct world *w, uint64_t peer, uint64_t type, const void *any);
struct slp_msg *world_read(struct world *w, uint64_t type, const void *any); /* a reader's request */
/* All events, as the publisher hands them out. */
void world_publish(struct world *w, bool (*wanted)(void *, const char *topic), void (*emit)(void *, const char *topic, const char *body, size_t n), void *arg);
void world_settle(struct world *w); /* all that is in the log */
/* The i-th frame of this type sent to the peer since the last clear, from 0; NULL: none. */
struct slp_msg *world_sent(struct world *w, uint64_t peer, uint64_t type, size_t i);
void world_hash(struct world *w, uint8_t hash[16]);
void world_watch(struct world *w); /* the next restart finds what the last commit before it left */

/* ---- shorthands; they assert that the broker agreed ---- */
#define WORLD_CLIENT 1
struct slp_bytes world_str(const char *s);
uint32_t world_line(struct world *w, const char *yaml);                  /* apply; returns the station_id of its first station */
uint64_t world_run(struct world *w, const char *line, const char *name); /* start; returns run_id */
void world_put_keyed(struct world *w, uint64_t run_id, unsigned n);      /* so too, each with an idempotency key of its own */
uint64_t world_put(struct world *w, uint64_t run_id, unsigned n);        /* n units of one text field each: "unit NUMBER"; returns the first unit */
struct slp_msg *world_run_get(struct world *w, const char *name);
enum slp_code world_code(const struct slp_msg *m); /* OK, or the code of an ERROR */
enum { RUN_SET_CLOSE, RUN_SET_PAUSE, RUN_SET_RESUME, RUN_SET_CANCEL, RUN_SET_DELETE, RUN_SET_PRIORITY };
enum slp_code world_run_set(struct world *w, const char *run, unsigned action, unsigned priority); /* deletes with force */
enum slp_code world_line_set(struct world *w, const char *line, unsigned action, bool force);
enum slp_code world_station_set(struct world *w, const char *line, const char *station, unsigned action);
/* Requeue (0) or drop (1) units of a run; n 0: all that are dead. Returns the count of the answer. */
uint64_t world_tasks_set(struct world *w, uint32_t station_id, unsigned action, const char *run, const uint64_t *unit, unsigned n);
/* A value in a unit's story: "stations[0].assignments[1].why". The number, or UINT64_MAX where there is none. */
uint64_t world_story(struct world *w, const char *run, uint64_t unit, const char *path);
bool world_story_is(struct world *w, const char *run, uint64_t unit, const char *path, const char *text); /* a string, equal to the text */
/* The packed value at such a path below a packed map or array; {NULL, 0}: none. */
struct slp_bytes world_at(struct slp_bytes value, const char *path);
uint64_t world_number(struct slp_bytes value); /* UINT64_MAX: not a number */
uint64_t world_count(struct world *w, const char *run, const char *station, enum task_state s);
struct world_hub {
    uint64_t peer, session, worker[8];
    unsigned workers, kind;
    uint8_t id[16], roster[32]; /* roster: digest of the one that the broker took last */
    char name[32];
    uint64_t granted[8];
};
/* A hub with n workers NAME-0.. of the kind (0 human, 1 robot), without skills; hello and roster are done. */
void world_hub(struct world *w, struct world_hub *h, const char *name, unsigned n, unsigned kind);
/* The roster stays the one that was told last, by whomever. */
void world_hello(struct world *w, struct world_hub *h, const uint64_t *held, size_t n);
void world_credit(struct world *w, struct world_hub *h, unsigned worker, unsigned more);
/* The assignments pushed to the hub since the last clear, in order; returns how many (at most max). */
struct world_task { uint64_t assignment, worker, attempt; uint32_t station_id; };
size_t world_tasks(struct world *w, struct world_hub *h, struct world_task *v, size_t max);
/* Field i of what was pushed with the assignment, as text; "-" for nil. Owned by the world until the next call. */
const char *world_shown(struct world *w, struct world_hub *h, uint64_t assignment, unsigned i);
void world_sign_off(struct world *w, struct world_hub *h, unsigned worker);
/* The hub tells one shift: n beginnings and ends, in seconds from now (wall); with n 0 it has no times. Replaces what it told before. */
void world_shift(struct world *w, struct world_hub *h, const char *name, const int64_t *in_s, unsigned n, int64_t overtime_us);
void world_roster_by(struct world *w, struct world_hub *h, const char *shift); /* the same roster, all by this shift; NULL: by none */
void world_beat(struct world *w, struct world_hub *h); /* a heartbeat */
enum { ACT_START, ACT_TOUCH, ACT_RELEASE, ACT_DECLINE, ACT_FAIL, ACT_BURY };
enum slp_code world_submit(struct world *w, struct world_hub *h, const struct world_task *t, const char *answer);
/* What many tests begin with: run "r" of a line, and a hub "hub" with workers. */
struct world_scene {
    struct world w;
    struct world_hub h;
    uint64_t run;
    uint32_t station; /* the line's first */
    struct world_task t[5000]; /* of the last world_take */
};
void world_scene(struct world_scene *s, const char *yaml, unsigned workers, unsigned kind); /* end with world_end(&s->w) */
size_t world_take(struct world_scene *s, unsigned worker, unsigned n); /* n more credits; how many tasks came */
enum slp_code world_act(struct world *w, struct world_hub *h, const struct world_task *t, unsigned act, const char *reason, int64_t *lease_us);
#endif
