/* Inside the core: shared by core.c (inputs, time), core_session.c (hello to bye), core_work.c (assignments, credit)
 * and core_send.c
 * (requests and their answers). Nobody else includes this. */
#ifndef SUNLINE_AGENT_CORE_PRIV_H
#define SUNLINE_AGENT_CORE_PRIV_H
#include "worker-agent/core.h"
#include "worker-agent/u64map.h"

#define REQUESTS_MAX 64          /* unanswered requests of all kinds; forms and whys wait beyond it */
#define GRANTS_BESIDE_MAX 1024   /* grants that ride with acts or results; more take a CREDIT frame of their own */
#define HEARTBEAT_DEFAULT_US 5000000ll
#define HELLO_GAP_US 1000000ll   /* between two hellos, whatever happens */
#define BYE_WAIT_US 2000000ll    /* for the answer to bye */
/* credit that nothing came of is told again after so many: a frame may have been lost */
#define REGRANT_HEARTBEATS 12

enum session_state { S_DOWN, S_HELLO, S_NUMBERS, S_UP, S_OVER };

/* A task stands in exactly one list: WAITING with a worker: worker->waiting; WAITING without: core->orphans; STARTED:
 * core->started;
 * DONE, ENDED: core->closing. */
struct task_list { struct core_task *head, *tail; uint64_t count; };

struct core_worker {
    char *name;
    bool robot, on_roster, elsewhere; /* elsewhere: the broker says another hub has it */
    uint32_t capacity, prefetch;
    uint64_t number;                  /* 0: not known yet */
    bool signed_in, ready;            /* wanted by the person; the robot's runner can take tasks */
    bool off_untold;                  /* signed off, and this session has not been told */
    struct task_list waiting;
    uint32_t started, holds;          /* tasks begun; slots left empty for a while */
    uint64_t received, granted;       /* of this session */
    int64_t granted_us;
    bool credit_dirty, poked;
    struct core_worker *credit_next, *poke_next;
};

/* Something that must reach the broker: a packed `act` or `result` item. */
enum item_kind { ITEM_START, ITEM_TOUCH, ITEM_RELEASE, ITEM_DECLINE, ITEM_FAIL, ITEM_BURY, ITEM_RESULT };
struct item {
    struct item *next;
    enum item_kind kind;
    uint64_t assignment, seq;
    uint64_t turn; /* counts all items: those that come back find their places by it */
    uint32_t n;
    char packed[];
};
struct item_list { struct item *head, *tail; uint64_t count; };

enum request_kind {
    REQ_HELLO, REQ_ROSTER, REQ_ROSTER_GET, REQ_SHIFTS, REQ_ACTS, REQ_SUBMIT, REQ_HEARTBEAT, REQ_FORM, REQ_WHY, REQ_BYE, REQ_CREDIT
};
struct request {
    uint64_t id, arg; /* arg: station (FORM), token (WHY) */
    enum request_kind kind;
    int64_t sent_us;
    struct item_list items;
};

enum form_state { FORM_WANTED, FORM_ASKED, FORM_OK, FORM_BAD };
struct station { uint64_t id; enum form_state form; struct station *next; };
struct why { uint64_t token; char name[SL_NAME_BYTES_MAX + 1]; struct why *next; };
struct hold { struct core_worker *worker; int64_t until_us; };
struct start_due { uint64_t assignment; int64_t due_us; };

struct core {
    struct core_config cfg;
    int64_t now_us, wall_us;
    struct core_outs *out;
    bool failed;                  /* memory ran out in this step */
    uint64_t rng;

    enum session_state state;
    uint64_t session, hub_id, next_id, last_push;
    uint8_t store_id[16];         /* of the broker's store, as the last welcome told; 0: not told yet */
    int64_t heartbeat_us, grace_us, contact_us;
    /* DOWN: say hello at; HELLO: when it was said, how long to wait */
    int64_t hello_at_us, hello_sent_us, hello_wait_us;
    bool hello_wanted, relink_wanted;
    int64_t heartbeat_due_us;
    uint64_t suspect_push;        /* our last_push when an acknowledgement spoke of a later one; UINT64_MAX: none */
    int64_t pause_until_us;       /* acts and results wait: the broker said retry later */
    uint32_t solo;                /* so many results go one a frame: a batch was refused as a whole */

    uint8_t digest[32], hello_digest[32]; /* of the roster; as the last hello told it */
    bool have_roster, numbers_known;
    struct core_worker **workers; /* on the roster, by name */
    uint32_t worker_count;
    struct slp_buf *packed;       /* worker_def of each, same order */
    uint32_t roster_sent, roster_acked;
    struct core_shifts shifts;    /* our copy */
    bool have_shifts, shifts_told; /* told: this session has them, or refused them for good */
    uint32_t shifts_sent, shifts_acked;
    int64_t shifts_after_us;      /* the broker said retry later */
    struct core_worker *gone;     /* left the roster with tasks begun; linked by poke_next */
    struct u64map by_number, tasks, stations;
    struct u64map pushed_again;   /* assignments that welcome called missing, until they are pushed */
    struct task_list started, closing, orphans;
    struct station *first_station, *last_station;
    struct core_worker *credit_head, *credit_tail, *poke_head, *poke_tail;
    bool offs_untold;

    struct item_list acts, results; /* each in the order of turns */
    uint64_t last_turn;
    struct request requests[REQUESTS_MAX];
    uint32_t request_count, batches_out;
    struct why *whys;
    struct hold *holds;
    uint32_t hold_count, hold_cap;
    struct start_due *starts;     /* ring */
    uint32_t starts_head, starts_count, starts_cap;
    int64_t touch_next_us;

    bool clock_off;               /* says the broker: nothing is started */
    bool quiet, bye_sent;
    int64_t quiet_deadline_us, bye_sent_us;
    struct slp_buf list, list2;   /* scratch for packed lists */
};

/* core.c */
struct core_out *core_emit(struct core *c, enum core_out_kind kind);
void core_emit_text(struct core *c, struct core_out *o, const char *p, size_t n);
void core_log(struct core *c, enum core_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint64_t core_random(struct core *c);
void core_send(struct core *c, uint64_t type, uint64_t id, const void *msg);

/* core_session.c */
void session_tick(struct core *c);
void session_lose(struct core *c, const char *why, bool relink); /* say hello as soon as the gap allows */
void session_welcome(struct core *c, const struct slp_welcome *m, const struct request *r);
void session_roster_done(struct core *c, const struct slp_roster_done *m);
void session_roster_ids(struct core *c, const struct slp_roster_ids *m);
void session_heartbeat_ack(struct core *c, const struct slp_heartbeat_ack *m);
void session_error(struct core *c, const struct slp_error *m, struct request *r); /* r NULL: of no request we know */
void session_set_roster(struct core *c, const struct core_roster *r);

/* core_shifts.c */
void core_shifts_set(struct core *c, const struct core_shifts *s);
void core_shifts_begin(struct core *c); /* a session has begun: tell it */
void core_shifts_tick(struct core *c);
void core_shifts_done(struct core *c);  /* a frame was taken */
void core_shifts_refused(struct core *c, const struct slp_error *m, int64_t after_us);
void core_shifts_forget(struct core *c);
int64_t session_due_us(const struct core *c);

/* core_work.c */
void work_push(struct core *c, const struct slp_push *m);
void work_recall(struct core *c, uint64_t assignment, uint64_t code);
void work_numbers_known(struct core *c);
void work_begin(struct core *c, struct core_task *t);
void work_finish(struct core *c, const struct core_in *in);
void work_give_up(struct core *c, struct core_task *t, uint64_t act, struct slp_bytes reason);
void work_hold(struct core *c, struct core_worker *w, int64_t until_us);
void work_restore(struct core *c, const struct core_task *from);
void work_unsent(struct core *c, const struct core_in *in);
void work_forget(struct core *c, struct core_task *t);
void work_drop_waiting(struct core *c, struct core_worker *w, uint64_t code);
void work_sign_off(struct core *c, struct core_worker *w);
void work_form(struct core *c, uint64_t station_id, bool ok);
void work_tick(struct core *c);
int64_t work_due_us(const struct core *c);
void work_poke(struct core *c, struct core_worker *w);
void work_credit(struct core *c, struct core_worker *w); /* its room may have grown: grant more at the next flush */
void work_free_worker(struct core *c, struct core_worker *w);
void work_free_tasks(struct core *c);
void list_add(struct task_list *l, struct core_task *t);
void list_del(struct task_list *l, struct core_task *t);
struct task_list *list_of(struct core *c, struct core_task *t);
struct core_worker *worker_named(const struct core *c, const char *name);

/* core_send.c */
void send_act(struct core *c, enum item_kind kind, const struct core_task *t, struct slp_bytes reason);
void send_result(struct core *c, uint64_t assignment, uint64_t seq, struct slp_bytes packed);
void send_flush(struct core *c);
struct request *request_new(struct core *c, enum request_kind kind, uint64_t arg); /* NULL: too many under way */
struct request *request_find(struct core *c, uint64_t id);
/* it was answered, or is of no more interest; its items are freed */
void request_end(struct core *c, struct request *r);
void request_unsend(struct core *c, struct request *r);        /* what it carried goes back to be sent again; ends it */
void requests_unsend_all(struct core *c);
void send_outcomes(struct core *c, const struct slp_outcomes *m, struct request *r);
/* a whole frame of acts or results was refused */
void send_refused(struct core *c, struct request *r, const struct slp_error *m);
bool send_idle(const struct core *c);
int64_t send_due_us(const struct core *c);
void items_free(struct item_list *l);
#endif
