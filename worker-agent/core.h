/* The agent's mind: session, roster numbers, assignments in hand, credit, what is to be sent and what was answered.
 * Pure: no
 * socket, file, clock or random source; the same inputs give the same outputs, so a simulator runs this very code on a
 * virtual clock.
 *
 *   link, runners, people, outbox  --core_step(input)-->  core  --outputs-->  link, runners, people, outbox
 *
 * Time. Every input carries `now_us` (CLOCK_BOOTTIME: it grows through a suspend, and nobody can set it) and `wall_us`
 * (UTC, only passed on).
 * Feed CORE_IN_TICK after each bunch of other inputs and whenever core_next_due_us() has come: frames leave and robots
 * start in it,
 * so that many results share a frame.
 *
 *   a session      DOWN --hello--> HELLO --welcome--> NUMBERS --worker numbers known--> UP
 *                  UP --silence, NO_SESSION, CONTROL--> HELLO ...
 *   an assignment  (push) WAITING --start--> STARTED --finish--> DONE --acknowledged--> forgotten
 *                         WAITING or STARTED --release, decline, fail, bury--> ENDED --acknowledged--> forgotten
 *                         WAITING --recall--> forgotten
 *
 * The rules that are kept here:
 * - Offline: nothing is started unless now < contact + grace * 9/10. Contact is when we SENT the newest request that
 *   was answered: that the
 *   broker's frames still reach us does not prove that ours reach it.
 * - Credit: a worker's cumulative total is (assignments pushed to it on credit in this session) + (what it has room
 *   for now). Totals only grow.
 *   What it held before the session, and what is pushed again after welcome, fills room too but takes no credit: a
 *   reconnected hub is not flooded.
 * - Requests (acts, results) are kept until they are answered, and sent again after a while, and in every new
 *   session, in order.
 *   A result is forgotten only when the broker has it on disk (OK, DUPLICATE, LATE) or refused it for good (then the
 *   outbox keeps a copy).
 * - A pushed assignment that is known already (also: one whose result waits in the outbox) is not started twice.
 * - A robot's start is told only if the task is not finished within `start_delay_us`: a submit implies it. A person's
 *   is told at once. */
#ifndef SUNLINE_AGENT_CORE_H
#define SUNLINE_AGENT_CORE_H
#include "proto/codec.h"

#define CORE_START_DELAY_US 250000ll   /* how long a robot may run before its start is told */
/* of acts or results in one frame: room is left for grants under SL_FRAME_BYTES_MAX */
#define CORE_FRAME_BYTES (192 * 1024)
#define CORE_FRAME_ITEMS 1024          /* acts or results in one frame */
#define CORE_INFLIGHT_MAX 4            /* frames of acts or results that may be unanswered at a time */
#define CORE_HELLO_MIN_US 2000000ll    /* first wait for a welcome; doubles ... */
#define CORE_HELLO_MAX_US 30000000ll   /* ... up to this; each wait is drawn from its upper half */

_Static_assert(CORE_FRAME_BYTES + 32 * 1024 < SL_FRAME_BYTES_MAX, "grants fit beside a full batch");
_Static_assert(CORE_FRAME_ITEMS <= SL_BATCH_ITEMS_MAX, "a batch keeps the protocol's limit");
_Static_assert(SL_RESULT_BYTES_MAX + 1024 < CORE_FRAME_BYTES, "a result fits a frame of its own");

struct core;

struct core_config {
    const char *hub, *zone;  /* borrowed while the core lives */
    uint8_t data_id[16];
    uint64_t incarnation;
    bool takeover;
    int64_t grace_us;        /* wanted from the broker; 0: its default */
    uint64_t seed;           /* of the jitter */
};

/* The roster as the core needs it. Indexes into it are worker indexes only until the next CORE_IN_ROSTER; names stay.
 * */
struct core_member {
    const char *name;        /* borrowed until the next CORE_IN_ROSTER */
    bool robot;
    uint32_t capacity, prefetch;
    struct slp_bytes packed; /* the worker_def item */
};
/* The hub's shifts, each a packed shift_def item, and the days of its zones, packed zone_days items in a row; the core copies them. */
struct core_shifts { uint8_t digest[32]; int64_t until_us; uint32_t count, zone_count; struct slp_buf *packed, zones; };
struct core_roster { uint8_t digest[32]; uint32_t count; const struct core_member *members; };

enum core_state { CORE_WAITING, CORE_STARTED, CORE_DONE, CORE_ENDED };
struct core_worker;
struct core_task { /* an assignment in hand; read only outside of the core */
    uint64_t assignment, worker_no, station_id, attempt;
    struct core_worker *worker;   /* NULL until worker numbers are known, or after the worker left the roster */
    int64_t lease_us, start_by_us;     /* as pushed; start_by_us 0: none */
    int64_t got_us, started_us, lease_end_us; /* boot clock; lease_end_us 0: not told yet */
    enum core_state state;
    /* the broker took it back after it was started: it may still be submitted, perhaps late */
    bool recalled;
    struct slp_list fields;       /* values of what the station shows; owned */
    struct slp_bytes context;     /* packed map, n 0: none; owned */
    /* ---- private ---- */
    bool start_told;
    int64_t again_after_us;       /* released: not before this long; 0: at once */
    int64_t touch_due_us;         /* robots only; 0: not yet */
    struct core_task *prev, *next; /* in the list of its state, see core_priv.h */
};

enum core_in_kind {
    CORE_IN_TICK,     /* time; also: a bunch of inputs is over */
    CORE_IN_MESSAGE,  /* msg: a decoded message of the broker */
    CORE_IN_ROSTER,   /* roster: the first, or another one (SIGHUP) */
    CORE_IN_SHIFTS,   /* shifts: the first, or others (SIGHUP, another day). Without this input the broker is told of none */
    CORE_IN_FORM,     /* station_id, ok: the form was compiled (CORE_OUT_FORM), or cannot be */
    CORE_IN_SIGN_IN,  /* name: a person takes work */
    CORE_IN_SIGN_OFF, /* name: a person takes no more; what it holds unstarted goes back */
    CORE_IN_READY,    /* name, ok: a robot's runner can take tasks, or cannot for the moment */
    CORE_IN_START,    /* assignment: a person begins. Ask core_may_start first */
    CORE_IN_TOUCH,    /* assignment: a person is still at it. (Robots' tasks are touched by the core while they run) */
    CORE_IN_FINISH,   /* assignment, seq, item: the result (packed `result` item) is in the outbox under seq */
    /* assignment, act (2 release, 3 decline, 4 fail, 5 bury), text; hold_us: leave the worker's slot empty for so long
     * */
    CORE_IN_GIVE_UP,
    CORE_IN_RESTORE,  /* task: a person's started task, from the journal; before the first hello */
    CORE_IN_UNSENT,   /* assignment, seq, item: a result in the outbox from an earlier life; before the first hello */
    CORE_IN_WHY,      /* name, token: ask the broker why this worker gets nothing */
    /* no new starts, no credit; say bye when robots and requests are through. deadline_us: then in any case */
    CORE_IN_QUIET
};

struct core_in {
    enum core_in_kind kind;
    int64_t now_us, wall_us;
    const struct slp_msg *msg;
    const struct core_roster *roster;
    const struct core_shifts *shifts;
    const struct core_task *task;
    const char *name;
    uint64_t assignment, station_id, seq, act, token;
    struct slp_bytes item, text;
    int64_t hold_us, deadline_us;
    bool ok;
};

enum core_out_kind {
    CORE_OUT_SEND,    /* bytes: one body for the broker */
    CORE_OUT_RELINK,  /* drop the socket and what waits in it, make a new one */
    CORE_OUT_RUN,     /* assignment: its robot begins it */
    CORE_OUT_OFFER,   /* name: a person who had nothing waiting has a task now */
    /* assignment, name, code: it is no longer the hub's (code: see RECALL; 0: over). A person's screen should know */
    CORE_OUT_DROPPED,
    CORE_OUT_FORM,    /* station_id, bytes: a form arrived, as a body; answer with CORE_IN_FORM */
    /* seq, assignment: the broker has the result, the outbox may forget it; code: OK, DUPLICATE or LATE */
    CORE_OUT_ACKED,
    CORE_OUT_REFUSED, /* seq, assignment, code, text: refused for good; keep a copy aside */
    CORE_OUT_ENDED,   /* assignment: an act that ended it was taken; the journal may forget it */
    CORE_OUT_WHY,     /* token, code, text: the answer, or (code UINT64_MAX) that there is none */
    CORE_OUT_LOG,     /* level, event, text */
    CORE_OUT_BYE,     /* quiet is over: exit 0 */
    CORE_OUT_EXIT     /* code, text: this agent may not go on: exit 1 */
};
enum core_level { CORE_DEBUG, CORE_INFO, CORE_WARN, CORE_ERROR };

struct core_out {
    enum core_out_kind kind;
    enum core_level level;
    const char *event;            /* static */
    size_t off, n;                /* bytes, name or text: in outs->bytes */
    uint64_t assignment, station_id, seq, code, token;
};
struct core_outs { struct core_out *v; size_t n, cap; struct slp_buf bytes; };
void core_outs_clear(struct core_outs *o);
void core_outs_free(struct core_outs *o);

/* NULL: no memory. core_free also forgets all tasks; safe with NULL inside, safe to repeat. */
struct core *core_new(const struct core_config *c);
void core_free(struct core **c);

/* One input. Appends to *out, never clears it. 0, or -1 when memory ran out: the core is then of no use, the process
 * should exit (what
 * counts is on disk). */
int core_step(struct core *c, const struct core_in *in, struct core_outs *out);
int64_t core_next_due_us(const struct core *c); /* when a TICK is wanted at the latest; INT64_MAX: never */

/* ---- looking in ---- */
struct core_view {
    bool connected;                /* a session is up */
    bool clock_off;                /* the broker says that the hub's clock is off: nothing is started */
    uint64_t session, hub_id;
    int64_t contact_us;            /* see above; 0: never */
    int64_t may_start_until_us;    /* the offline rule's limit */
    uint64_t waiting, started, results_unsent, acts_unsent;
};
void core_view(const struct core *c, struct core_view *v);
bool core_may_start(const struct core *c, int64_t now_us);
const struct core_task *core_find(const struct core *c, uint64_t assignment);  /* NULL: not in hand */
/* What a person should do: the task begun first, else the first waiting one whose form is known. NULL: nothing. */
const struct core_task *core_next_task(const struct core *c, const char *worker);
/* Roster knowledge about a worker: false if not on the roster. */
struct core_worker_view { bool robot, signed_in, elsewhere; /* elsewhere: on another hub's roster, says the broker */ uint64_t number; uint32_t capacity, waiting, started; };
bool core_worker_view(const struct core *c, const char *worker, struct core_worker_view *v);
const char *core_task_worker(const struct core_task *t); /* name; "" if unknown */
#endif
