/* What the engine's files share: the objects that live in memory, and one group of functions for each file. Not for outside.
 *
 * Memory holds what is active (lines, runs, hubs, workers, live assignments, the head of each queue), never the backlog. All of it but
 * sessions and credit can be rebuilt from the store; objects that changed are marked dirty and written by engine_batch_end.
 *
 * Errors of the store and of memory are sticky: a function that meets one calls fail() and goes on harmlessly; engine_step returns it, and the
 * process ends without a reply. So only the world's mistakes need handling on the way. Commands check first, then change. */
#ifndef SUNLINE_ENGINE_INTERNAL_H
#define SUNLINE_ENGINE_INTERNAL_H
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "broker/blocks.h"
#include "broker/engine/amap.h"
#include "broker/engine/arrivals.h"
#include "broker/engine/blob.h"
#include "broker/engine/counted.h"
#include "broker/engine/engine.h"
#include "broker/engine/large.h"
#include "broker/engine/matcher.h"
#include "broker/engine/pace.h"
#include "broker/engine/presence.h"
#include "broker/engine/records.h"
#include "broker/engine/repute.h"
#include "broker/engine/skills.h"
#include "proto/linedef.h"
#include "proto/reader.h"

enum event_type {
#define EVENT(NAME, number, ids, data, text) EV_##NAME = number,
#include "proto/events.def"
#undef EVENT
};

#define RESULT_SEGMENT_MAX 256
#define RESULT_BLOBS 16
#define STATS_SECONDS 64 /* totals are remembered so long: the last minute */

struct counts { uint64_t n[TASK_STATES]; };
struct name { char s[SL_NAME_BYTES_MAX + 1]; uint8_t n; };

/* ---- lines and stations (lines.c) ---- */
struct line_version { struct ld_line *def; uint32_t first_station; };
struct line {
    uint32_t id, newest; /* versions 1..newest */
    uint8_t state;
    struct name name;
    struct line_version *version; /* [version - 1] */
    uint64_t runs_open, last_event;
    bool dirty;
    struct arrivals *arrivals; /* NULL: no unit came yet */
};
#define LATENCY_BUCKETS 32 /* bucket i: up to 2^i ms; the last one everything above, from 12 days on */
struct latency { uint64_t count, total_us, bucket[LATENCY_BUCKETS]; };
#define MINUTE_PARTS 6
struct minute { int64_t newest; uint32_t part[MINUTE_PARTS + 1]; }; /* how often, by tens of seconds; the newest is under way */
/* Of a station's name in a line, whatever the version (limits.c). */
struct limit {
    struct limit *next;         /* of all limits */
    uint32_t station;           /* the key of its stations, and of its counts (days.c) */
    uint32_t at_once, per_day;  /* 0: no limit */
    uint32_t gates;             /* number + 1 of its first gate */
    bool full;                  /* as many are in hand as may be */
    uint64_t in_hand;           /* memory only: what LIVE names */
};
struct station {
    uint32_t id, version, key;   /* key: the first station of the line that has this name; what is by name is under it */
    uint16_t idx;
    bool paused, guarded;       /* guarded, of a key: workers can be kept out (bars.c); never ends */
    struct line *line;
    struct station *latest;     /* of a station that is a key: the newest one under it */
    const struct ld_line *lv;
    const struct ld_station *def;
    struct limit *limit;
    struct counts c;            /* over all runs; memory only, summed at open */
    uint64_t results;           /* likewise: handed in, late ones too */
    uint64_t nobody, declined;  /* likewise: parked since nobody is left; ready, and declined by somebody (without copies) */
    uint32_t most_shut_out;     /* of one task, as far as was seen since the start (nobody.c) */
    struct latency waited, worked; /* since the start: ready to assigned, assigned to submitted */
    uint64_t submitted, returned; /* since the start */
    struct minute submits;
    struct pace *pace;          /* NULL: nothing measured yet */
    uint32_t gate;              /* its number + 1 (gate.c); 0: none yet */
    uint16_t rank;              /* within its line: the furthest downstream first */
};

/* ---- runs and their queues (runs.c, queue.c) ---- */
struct seg { uint64_t pos; int64_t since_us; bool stored, dirty; struct ranges r; };
struct lane_q {
    uint64_t next_pos, count; /* persisted: positions only grow; count is what lies in READY, stale entries included */
    struct seg head;          /* the first segment, decoded; valid if loaded */
    bool loaded;
};
struct rq { /* one station's queue of one run */
    struct run *run;
    struct station *st;
    struct counts c;
    uint64_t results;         /* handed in, late ones too */
    uint64_t nobody, declines; /* as a station's nobody, declined */
    struct lane_q lane[LANES];
    struct ranges pend[LANES]; /* became ready in this step */
    bool dirty, pending, declined; /* declined: somebody declined what is in pend */
    struct skip *skips;            /* who need not look where (skip.c) */
};
struct run {
    uint32_t id;
    uint8_t state, priority;
    bool paused, dirty;
    struct name name;
    struct line *line;
    uint32_t version;
    const struct ld_line *lv;
    uint8_t fingerprint[32], fingerprint_n;
    uint64_t units, done, dropped, cancelled, dead, quota, vtime;
    int64_t created_wall_us, changed_wall_us;
    int64_t hour;        /* since 1970: in which units came last, and how many so far (arrivals.c) */
    uint64_t hour_units;
    uint64_t keys_from;  /* from this unit on a state tells whether it came with a key */
    uint32_t producers;  /* that number their rows; PRODUCERS_UNKNOWN: begun by 0.1.0, which did not count them */
    uint64_t numbered;   /* rows that they numbered, all together */
    uint64_t last_event;
    unsigned shift; /* units a state group */
    struct rq *rq;  /* one a station */
    bool awake;     /* in the matcher's order of runs */
    uint64_t ready[SL_LINE_STATIONS_MAX / 64]; /* by rank: queues that may have something to offer */
    uint64_t *gates;   /* of those queues */
    uint8_t *by_rank;  /* station index */
    struct aseg *asegs;
};

/* ---- hubs and workers (hubs.c, workers.c) ---- */
/* A broker has many hubs, workers and shifts, and mostly none of them at hand in a processor's cache: what every frame and every assignment reads stands
 * together at the beginning. */
struct hub {
    uint32_t id;
    bool dirty;
    bool connected, handed_back, full; /* full: it holds as much as a hello can name */
    bool greeted;           /* it said hello since the broker's start */
    bool named;             /* a gate names it */
    bool clock_off;         /* as its last heartbeat told: it gets no work */
    uint32_t idle_root;     /* its idle workers, where a gate prefers the hub */
    uint64_t session, peer, push_no, signed_in, holding; /* the session: memory only */
    int64_t seen_us; /* elapsed; counts from boot for hubs that have not come back yet */
    int64_t seen_wall_us;   /* persisted, as id, last_event, incarnation .. zone and presence */
    uint64_t last_event;
    uint64_t assigned, submitted, returned; /* since the start */
    struct aseg *asegs;
    struct minute submits;
    uint64_t incarnation;
    uint8_t data_id[16], roster_digest[32];
    int64_t grace_us;
    uint32_t workers; /* on the roster */
    struct name name, zone;
    uint8_t uploading[32]; /* digest of the roster that is coming in */
    uint8_t shifts_uploading[32]; /* likewise of the shifts */
    uint32_t upload_mark, shift_mark;
    int64_t wall_at_hello_us; /* the broker's wall time less its elapsed one */
    struct shift *shifts;
    struct zone_days *zones; /* when days begin there */
    struct worker *members; /* workers of this hub */
    struct hub_presence presence; /* (presence.c) */
};
struct worker {
    _Alignas(LINE_PAIR) uint32_t id; /* 0: nobody has this number */
    uint32_t hub, team, per_day, holding;   /* team: interned name + 1; 0: none. per_day: so many tasks a day; 0: no limit */
    bool on_roster, signed_in, idle, signing_off;
    uint8_t kind;
    uint8_t class;                          /* as measured (repute.h), while class_known */
    bool class_known, bar_known, skills_expire; /* skills_expire: some of them have an end (skills.c) */
    bool hub_cell;                          /* at[IDLE_HUB] has a cell */
    struct profile *profile;
    struct shift *shift;                    /* NULL: on whenever signed in */
    uint64_t granted, sent, credit_session; /* credit = granted - sent, both since welcome of ... */
    uint64_t idle_seq;
    struct bar *bar;                        /* where he is kept out, while bar_known */
    struct mask *masks;                     /* gates at which he is not asked (mask.c) */
    struct day *days;                       /* what he has had, where a limit asks (days.c) */
    struct { struct cell *cell; struct worker *next, *prev; } at[IDLE_LISTS]; /* while idle listed there (idle.c) */
    /* from at[IDLE_HUB] on: what giving him work does not read, mostly */
    struct worker *shift_next, *shift_prev; /* of its shift's members */
    struct worker *hub_next, *hub_prev;     /* of its hub's members */
    uint32_t capacity, upload_mark;
    uint64_t done;
    int64_t result_wall_us;                 /* his last one, since the broker's start (pace.c) */
    int64_t skills_due_us;
    uint32_t expiring_i;                    /* place in the heap + 1 */
};
static_assert(offsetof(struct worker, at[IDLE_HUB]) == LINE_PAIR && sizeof(struct worker) == 2 * LINE_PAIR, "a worker's layout");
#define WORKER_BLOCK 8192u

/* ---- shifts (shifts.c) ---- */
struct shift {
    uint32_t id, times;
    uint32_t next;           /* its first time that is still to come; memory only, as all from told on */
    bool on, settling;       /* settling: what its last change brings with it is not done yet */
    int64_t *time;           /* beginning, end, beginning, end ... UTC */
    struct hub *hub;
    char *name;
    const char *zone, *text; /* in told */
    int64_t until_us, overtime_us;
    uint64_t returned;       /* since it ended: what was given back */
    int64_t off_us;          /* elapsed time at which its last end was seen */
    char *told;
    int64_t due_us;          /* wall time of its next change; INT64_MIN: it is overdue */
    uint32_t heap_i, upload_mark, workers, signed_in;
    bool listed;             /* in the hub's last upload */
    struct worker *members, *at; /* at: the next one to be looked at while it settles */
    struct shift *hub_next;
};

/* When days begin in a zone of a hub (days.c). */
struct zone_days {
    struct zone_days *next;
    uint32_t mark, n;      /* mark: of the upload that told it last */
    int64_t at[SL_ZONE_DAYS_MAX]; /* midnights, UTC, ascending */
    char name[];
};

/* ---- live assignments (assign.c) ---- */
/* due_us: of its start, then of its lease; after its end, until when a task with copies (copies.c) or one that may come again (review.c) rests for it, or
 * with a verdict until when the work is its author's alone; 0: it does not. */
struct aentry {
    uint64_t unit, prev, result, active_us;
    int64_t due_us, started_wall_us, ended_wall_us;
    uint32_t worker;
    uint8_t state, why, attempt, round; /* round: of the task's, or at a review of the work's it is about (review.c); of an entry of a tournament its place (tournament.c) */
};
/* By its worker, who is not asked again: nor is he where he answered it too late after all. An answer that counts is what it is. */
static inline bool is_declined(const struct aentry *a) { return a->why == WHY_DECLINED && a->state != ASSIGN_COUNTED; }
struct aseg {
    uint64_t first;
    uint32_t n, live, heap_i; /* heap_i: place in the timer heap + 1; 0: not in it */
    uint8_t size_class;
    bool dirty, listed, live_stored, dropped; /* live_stored: it stands in LIVE; dropped: its run is being deleted, the record is gone */
    struct run *run;
    struct station *st;
    struct hub *hub;
    int64_t wall_us, elapsed_us; /* when it was made; elapsed_us 0: by 0.1.0, which did not tell */
    int64_t due_us;              /* a lower bound of what its entries are due */
    struct aseg *run_next, *run_prev, *hub_next, *hub_prev, *dirty_next;
    struct aentry e[];
};

/* ---- groups of unit states (state.c) ---- */
struct group {
    struct run *run;
    uint64_t no;
    uint8_t *b; /* STATE_GROUP_BYTES_MAX, apart from these heads: a set of them is two cache lines */
    uint32_t hand; /* of when it was used last */
    uint16_t bytes;
    bool used : 1, dirty : 1, stored : 1;
};

struct pick { struct rq *rq; struct worker *w; uint64_t unit; uint32_t at; uint8_t attempt; int64_t since_us; };

/* ---- events of the step (events.c) ---- */
struct evacc {
    uint8_t type, why;
    struct run *run;
    struct station *st;
    struct hub *hub;
    uint64_t first;
    struct ranges r, r2;
};

struct sweep {
    uint64_t job, cursor, count, at_unit;
    uint32_t run, station, at_run; /* at_run, at_unit: the row of DEAD to go on from */
    uint16_t reason_n;
    uint8_t what;
    char reason[SL_TEXT_BYTES_MAX];
};

struct engine {
    struct store *store;
    struct engine_config cfg;
    enum store_rc rc; /* sticky */

    /* the batch, the step */
    struct store_txn *t;
    struct effects *out;
    const struct input *in;
    int64_t now_us, wall_us;
    uint64_t batch;

    /* META "engine" */
    struct {
        uint32_t line, run, hub, worker, station, shift; /* last numbers given */
        uint64_t assignment, result, event, delay, job;
        uint64_t oldest_event;
        int64_t elapsed_us, wall_us;
        int64_t skills_wall_us;  /* skills stand as at this moment ... */
        uint32_t skills_worker;  /* ... of workers up to this one; of the others, just before it */
        uint32_t skills_back;    /* a clock was set back: the next worker to look at; 0: none. From him on they stand as they did ... */
        int64_t skills_was_us;   /* ... before that, as skills_wall_us and skills_worker said then */
        uint32_t skills_was_worker;
        uint64_t vclock[SL_PRIORITY_MAX + 1];
    } meta;
    uint64_t counted[COUNTED_TABLES], held[COUNTED_TABLES]; /* counted.c: as they should be; as LMDB has them */
    bool full, full_results, booting, counted_kept;

    struct line **line;       /* by id - 1, as all the following */
    struct station **station;
    struct run **run;         /* NULL where deleted */
    struct hub **hub;
    struct worker **worker;   /* by (id - 1) / WORKER_BLOCK; see worker_at */
    struct shift **shift;     /* NULL where deleted */
    uint32_t line_cap, station_cap, run_cap, hub_cap, worker_cap, shift_cap;
    struct shift **shift_heap;
    uint32_t shift_heap_n, shift_heap_cap, shifts_settling, shift_hand;
    int64_t shift_wall_us;    /* wall time at which the shifts stand */
    struct limit *limits;
    struct day **day_heap, *dirty_days, **day_list; /* day_list: scratch of days_write */
    uint32_t day_heap_n, day_heap_cap, dirty_days_n, day_list_cap;
    uint64_t session_seed, sessions;

    struct group *group;      /* a cache of GROUPS, by hash; the dirty ones are written at the batch's end */
    struct group *group_last; /* the one asked for last: mostly the one asked for next */
    uint8_t *group_bytes;
    uint32_t group_n, group_hand;
    struct group **group_sorted;

    struct amap amap;
    struct timer { int64_t due_us; uint64_t first; struct aseg *s; } *timer; /* a heap: when which segment is looked at */
    uint32_t timer_n, timer_cap;
    struct aseg *dirty_asegs, *free_asegs[4], **sorted_asegs; /* sorted: scratch of assigns_write */
    uint32_t sorted_aseg_cap;

    struct matcher m;
    char **skill_name;    /* of skills and teams */
    uint32_t *skill_slot; /* by hash: index + 1 in skill_name */
    uint32_t skill_slots;
    uint32_t skill_names, skill_name_cap;
    struct skip **skip_slot, *free_skips;
    uint32_t skips, skip_slots;
    struct pick *pick;
    uint32_t *picked, picked_cap, picked_n; /* copies.c: by hash, index + 1 in pick */
    uint32_t picks, pick_cap;
    struct rq **pending;
    uint32_t pendings, pending_cap;
    struct rq **dirty_rq;
    uint32_t dirty_rqs, dirty_rq_cap;
    struct run **dirty_run;
    struct line **dirty_line;
    struct hub **dirty_hub;
    struct station **dirty_pace;
    uint32_t dirty_paces, dirty_pace_cap;
    struct line **dirty_arrival;
    uint32_t dirty_arrivals, dirty_arrival_cap;
    int64_t arrival_hour;     /* at the last tick */
    int64_t boot_us, presence_slot; /* presence.c: elapsed time of the start; when it was looked at last */
    uint32_t dirty_runs, dirty_run_cap, dirty_lines, dirty_line_cap, dirty_hubs, dirty_hub_cap;
    struct ranges delayed[SL_LINE_STATIONS_MAX]; /* intake.c: scratch of a put */

    struct evacc *acc;
    uint32_t accs, acc_cap;
    struct slp_buf evdata;    /* one event in the making */
    int64_t ev_oldest_wall_us, keep_wall_us; /* keep_wall_us: see ev_clock() */
    struct slp_buf evbuf; /* the batch's events: segments that are whole, and behind them, from ev_at on, the one in the making */
    uint64_t ev_first, ev_n, ev_flushed;
    size_t ev_at;
    struct evseg { uint64_t first; size_t at, n; } *evseg;
    uint32_t evsegs, evseg_cap;

    uint64_t staff_changes; /* who is on rosters and what they can, since the start */
    bool staff_gained, staff_lost; /* by this frame, ... */
    uint32_t staff_came;           /* ... and so many came, or may do something else now */
    bool heads_news;          /* at some gate, by this step (staff.c) */
    uint32_t heads_counting;
    uint32_t *parted, parted_cap; /* nobody.c: who was shut out of the task at hand */
    struct sweep *sweep;
    uint32_t sweeps, sweep_cap;

    int64_t delay_due_us, hub_check_us; /* delay_due_us: head of DELAY; INT64_MAX: none */
    struct worker **expiring; /* a heap: whose skills end next */
    uint32_t expiring_n, expiring_cap;
    bool skills_passed_over; /* somebody who waits for work, until the heap's first is due no more */
    uint32_t bars_anew;       /* what is required has changed: the next worker to look at; 0: none */
    struct { uint32_t worker, key; } *unsettled; /* what was measured in this command, where that can keep somebody out */
    uint32_t unsettled_n, unsettled_cap, guards, guards_of_all, *guard_of_all, guard_of_all_cap; /* guards: stations (keys) that are guarded; of_all: that require something measured at all stations */
    struct { struct repute_at { uint64_t id; struct repute *r; } *v; struct repute **slot; uint32_t n, cap, slots; } repute; /* records at hand, until the batch ends (repute.c) */
    struct slp_buf b1, b2, b3; /* scratch: of the listings and frames being made, of rows and fields, of events */
    struct slp_buf answer;     /* the items of the command's answer, while it goes on */
    /* payload.c: the segments that were looked at last, while they lie where they were: until the next write. n 0: none. One of units, and one of
     * results for each station, modulo: neighbours' results lie together, station by station. */
    uint64_t unit_cache_run;
    struct blob unit_blob, result_blob[RESULT_BLOBS];
    bool results_cached;
    struct slp_buf scratch[4];
    uint32_t scratch_at;
    /* payload.c: the frame that is being made of what tasks show. Payloads stay where they lie (in the map, mostly) until all are known: b1 has what stands
     * between them, b2 those that could not stay. */
    struct blocks *blocks;     /* what such frames lie in */
    struct piece { const char *p; uint32_t n, at; } *piece; /* goes in at this place of b1; p NULL: it lies in b2, behind the one before */
    uint32_t pieces, piece_cap;
    char *sort_scratch;   /* sort.c */
    size_t sort_cap;
    struct keyed *keyed;  /* scratch of intake.c: the keys of a frame */
    uint32_t keyed_cap;
    size_t piece_bytes;
    struct { /* results of this frame, not written yet: two parts each, the head and the values where they lie in the frame, or copied to b */
        struct run *run;
        uint64_t first;
        uint32_t n;
        size_t bytes;
        struct store_val part[2 * RESULT_SEGMENT_MAX];
        uint8_t head[RESULT_SEGMENT_MAX][RESULT_HEAD_BYTES];
        bool copied[RESULT_SEGMENT_MAX];
        struct slp_buf b;
    } rseg;
    struct { struct hub *hub; uint64_t no; unsigned code; } *recalled;
    uint32_t recalls, recall_cap;
    struct totals { uint64_t units, assigned, started, submitted, late, returned, expired, steps, in_copied_bytes, shown_bytes, shown_copied_bytes; } total, second[STATS_SECONDS];
    int64_t second_now;       /* elapsed seconds of the newest of them */
};

/* Workers lie in blocks that never move: his number leads to him without a list of pointers to look into first. NULL: nobody has it; 1 to meta.worker only. */
static inline struct worker *worker_place(const struct engine *e, uint32_t id)
{
    struct worker *block = e->worker[(id - 1) / WORKER_BLOCK];
    return block ? block + (id - 1) % WORKER_BLOCK : NULL;
}
static inline struct worker *worker_at(const struct engine *e, uint32_t id)
{
    struct worker *w = worker_place(e, id);
    return w && w->id ? w : NULL;
}

/* He is about to be listed or given work: what that reads is fetched at once, instead of one after the other. */
static inline void worker_soon(const struct worker *w)
{
    __builtin_prefetch(w->at[IDLE_ALL].cell);
    __builtin_prefetch(w->shift);
}

/* sort.c */
void sort(struct engine *e, void *v, size_t n, size_t size, int (*order)(const void *, const void *)); /* allocates nothing, mostly */

/* engine.c */
void fail(struct engine *e, enum store_rc rc);
void walked(struct engine *e, enum store_rc rc); /* a walk or a search ended with this: what is not the table's end is a failure */
/* The number in front of the key of key_n bytes under which a cursor stands; 0 after a failure: it is none that was given. */
uint32_t number_of_key(struct engine *e, const struct store_cursor *c, size_t key_n, uint32_t newest);
void *grow(struct engine *e, void *p, uint32_t *cap, uint32_t need, size_t size); /* the array, or NULL after fail() */
bool e_get(struct engine *e, enum store_table tb, const void *k, size_t kn, struct store_val *v); /* false: not there (or failed) */
void e_put(struct engine *e, enum store_table tb, const void *k, size_t kn, const void *v, size_t n);
void e_append(struct engine *e, enum store_table tb, const void *k, size_t kn, const void *v, size_t n);
void e_del(struct engine *e, enum store_table tb, const void *k, size_t kn);
void reply(struct engine *e, uint64_t type, const void *any);                 /* to the input's peer, with its request id */
/* Beside the answer KEY_REUSED, for the log: the place in the frame by the format, and the key, if it was one. */
void note_key_reuse(struct engine *e, const struct run *r, struct slp_bytes key, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void reply_error(struct engine *e, enum slp_code code, const char *place, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void reply_done(struct engine *e, uint64_t count);
static inline uint32_t portion(const struct engine *e, uint32_t usual) { return e->cfg.portion_max && e->cfg.portion_max < usual ? e->cfg.portion_max : usual; } /* so much a tick does at once */
static inline bool page_full(const struct engine *e) { return e->b1.n > SL_FRAME_BYTES_MAX - 16384; } /* rows of a listing lie in b1 */
void send_frame(struct engine *e, uint64_t peer, uint64_t type, uint64_t id, const void *any);
void send_shown(struct engine *e, uint64_t peer, uint64_t type, const void *any); /* the message's last list has as its elements what was shown since show_begin */
void name_set(struct name *n, const void *p, size_t len);
static inline struct slp_bytes name_bytes(const struct name *n) { return (struct slp_bytes){ n->s, n->n }; }
bool ranges_add(struct engine *e, struct ranges *r, uint64_t first, uint64_t count); /* appends, joins to the last where it fits */
void ranges_clear(struct ranges *r);
void ranges_free(struct ranges *r);
void ranges_write(struct rec *rc, const struct ranges *r, uint32_t from, uint32_t n);
bool ranges_read(struct engine *e, struct rdr *rd, struct ranges *r);

/* names.c */
uint32_t name_find(struct engine *e, enum name_kind k, const void *p, size_t n); /* 0: none */
void name_put(struct engine *e, enum name_kind k, const void *p, size_t n, uint32_t id);
void name_drop(struct engine *e, enum name_kind k, const void *p, size_t n);

/* lines.c */
void lines_load(struct engine *e);
void lines_write(struct engine *e);
void line_dirty(struct engine *e, struct line *l);
void lines_free(struct engine *e);
struct line *line_named(struct engine *e, struct slp_bytes n);
void station_write(struct engine *e, const struct station *s);
struct station *station_named(const struct engine *e, const struct line *l, struct slp_bytes name); /* its key; NULL: no version has it */
static inline struct station *station_latest(const struct engine *e, uint32_t key) { return e->station[key - 1]->latest; } /* NULL: this is no key */
bool station_open(const struct station *s); /* neither it nor its line is paused or deleted */
void on_line_apply(struct engine *e, const struct slp_msg *m);
void on_lines_get(struct engine *e, const struct slp_msg *m);
void on_line_get(struct engine *e, const struct slp_msg *m);
void on_line_set(struct engine *e, const struct slp_msg *m);
void on_station_set(struct engine *e, const struct slp_msg *m);
void on_stations_get(struct engine *e, const struct slp_msg *m);
void on_form_get(struct engine *e, const struct slp_msg *m);
void station_row(const struct station *s, const struct counts *c, struct slp_item_station_row *row);

/* runs.c */
void runs_load(struct engine *e);
void runs_write(struct engine *e);
void runs_free(struct engine *e);
struct run *run_named(struct engine *e, struct slp_bytes n);
void run_drop(struct engine *e, struct run *r); /* the last step of a deletion */
void run_dirty(struct engine *e, struct run *r);
void rq_dirty(struct engine *e, struct rq *q);
void run_check_done(struct engine *e, struct run *r);
void run_event(struct engine *e, struct run *r);
void run_activate(struct engine *e, struct run *r); /* (un)list its queues after its or its line's state changed */
void run_recall(struct engine *e, struct run *r); /* paused, it or its line: nothing more is given, and what was not begun goes back */
void run_cancel(struct engine *e, struct run *r);
void on_run_start(struct engine *e, const struct slp_msg *m);
void on_run_set(struct engine *e, const struct slp_msg *m);
void on_runs_get(struct engine *e, const struct slp_msg *m);
void on_run_get(struct engine *e, const struct slp_msg *m);

/* intake.c */
void on_put(struct engine *e, const struct slp_msg *m);
void on_producer_get(struct engine *e, const struct slp_msg *m);

/* payload.c */
void unit_segment_put(struct engine *e, struct run *r, uint64_t first, uint32_t n, const struct store_val *values);
bool unit_values(struct engine *e, struct run *r, uint64_t unit, struct slp_list *values); /* borrowed until the next write */
/* Returns its number. done_wall_us: by the hub's clock. stays: the values lie where they are (in the frame) until result_flush, which ends the command; else they are copied. */
uint64_t result_add(struct engine *e, struct run *r, uint64_t assignment, int64_t done_wall_us, const struct slp_list *values, bool stays);
void result_flush(struct engine *e);
bool result_values(struct engine *e, uint64_t result, uint32_t station, struct slp_list *values); /* station: of its line, whose result it is */
uint64_t result_assignment(struct engine *e, uint64_t result, uint32_t station); /* that it came from, or that an outcome follows */
void payload_forget(struct engine *e); /* something was written: what was borrowed is void */
struct slp_bytes list_element(const struct slp_list *l, uint32_t i); /* packed; {NULL, 0}: nil, or not there */
/* One field of a unit as its result stands; {NULL, 0}: null. */
struct slp_bytes unit_field(struct engine *e, struct run *r, uint64_t unit, struct ld_ref ref);
/* A frame of what tasks show, in the making. Its payloads are copied once, from where they lie into the frame, by show_copy; so a write in between, which ends what was
 * borrowed, must be told by show_keep before. */
void show_begin(struct engine *e);
bool unit_show(struct engine *e, struct run *r, uint64_t unit, const struct ld_station *s, uint32_t worker); /* the array of what station s shows this worker of the unit. false: too big */
void show_field(struct engine *e, struct slp_bytes v); /* a packed field, borrowed, at the end of b1 as it is now; {NULL, 0}: nil */
void show_keep(struct engine *e);
size_t show_bytes(const struct engine *e);
struct shown { size_t b1_n; uint32_t pieces; };
static inline struct shown show_mark(const struct engine *e) { return (struct shown){ e->b1.n, e->pieces }; }
void show_cut(struct engine *e, struct shown back_to);
void show_copy(struct engine *e, char *to);

/* state.c */
bool groups_open(struct engine *e);
void groups_close(struct engine *e);
void groups_write(struct engine *e);
void groups_forget(struct engine *e, struct run *r);       /* the run is gone */
void groups_forget_dirty(struct engine *e, struct run *r); /* the run's states are read from the store from here on: write, then forget */
uint8_t *unit_head(struct engine *e, struct run *r, uint64_t unit, bool change);   /* NULL: no such unit */
bool unit_at_hand(const struct engine *e, const struct run *r, uint64_t unit);     /* asking for its head will write nothing */
static inline uint8_t *unit_station(uint8_t *head, uint32_t idx) { return head + STATE_UNIT_BYTES + STATE_STATION_BYTES * idx; }
uint8_t *unit_create(struct engine *e, struct run *r, uint64_t unit);
#define UH_STATE 0
#define UH_FLAGS STATE_UNIT_FLAGS
#define UH_LEFT 2
#define UH_DEAD 4
#define UH_KEY STATE_UNIT_KEY

/* queue.c */
void lane_append(struct engine *e, struct rq *q, enum lane l, const struct ranges *r);
void queue_ready(struct engine *e, struct rq *q, enum lane l, uint64_t unit, enum why why); /* this task became ready in this step */
void queue_flush_pending(struct engine *e); /* at the end of a command: what became ready goes into the lanes */
/* Take the first task that `w` may do; false: none. Skips and removes stale entries. */
bool queue_take(struct engine *e, struct rq *q, struct worker *w, struct pick *out);
/* Of the first tasks in it: how many were looked at, how many build upon his own work. Adds to what was found elsewhere. */
#define REFUSALS_MAX 64
struct refusals { uint32_t seen, looked, own; }; /* seen: what is stale, too */
void queue_refusals(struct engine *e, struct rq *q, struct worker *w, struct refusals *x);
/* The units of the first segment of a lane at *pos or behind it; *pos moves behind it. False: there is none. */
bool queue_segment(struct engine *e, struct rq *q, enum lane l, uint64_t *pos, struct ranges *r);
const struct hub *queue_head_hub(struct engine *e, struct rq *q); /* which did what came before, for its first task; NULL: none */
void queue_write_heads(struct engine *e, struct rq *q);
void queue_free(struct rq *q);
int64_t queue_oldest_us(struct engine *e, struct rq *q); /* elapsed time since which its first task waits; INT64_MAX: none does, or nobody knows */

/* skip.c: where a worker's first task in a lane can be */
struct skip *skip_find(const struct engine *e, const struct rq *q, enum lane l, const struct worker *w); /* NULL: anywhere */
struct skip *skip_make(struct engine *e, struct rq *q, enum lane l, const struct worker *w); /* with what was stored; NULL after fail() */
uint64_t skip_past(const struct skip *k, uint64_t pos);  /* the first position from this one on where something may be for him */
uint64_t skip_unit(const struct skip *k, uint64_t seg);  /* in this segment, if its units ascend, nothing up to this unit */
void skip_looked(struct engine *e, struct skip *k, uint64_t seg, uint64_t unit, uint32_t looks); /* nothing before, nor in it up to this unit */
void skip_appended(struct engine *e, struct skip *k, uint64_t from, uint64_t to); /* nothing in segments at these positions */
void skips_forget(struct engine *e, struct rq *q, const struct worker *w); /* NULL: of everybody */
void skips_run_free(struct engine *e, struct rq *q);     /* memory only */
void skips_boot(struct engine *e);
void skips_free(struct engine *e);

/* delay.c */
void delay_open(struct engine *e);
void delay_put(struct engine *e, struct rq *q, int64_t due_us, enum why why, const struct ranges *r); /* tells nobody */
void delay_add(struct engine *e, struct rq *q, int64_t due_us, enum why why, const struct ranges *r);
void delay_tick(struct engine *e);

/* gate.c: what stations ask, and who has it */
uint32_t skill_intern(struct engine *e, struct slp_bytes n);
uint32_t gate_of(struct engine *e, struct station *s);  /* its number; made if it is not there. UINT32_MAX after fail() */
void gate_bits(struct engine *e, const struct profile *p, uint32_t hub, uint32_t team, uint64_t *bits); /* the gates that such a worker passes */
struct profile *profile_for(struct engine *e, uint8_t kind, const struct skill_set *has); /* one worker more has it */
void profile_drop(struct engine *e, struct profile **p);
void gates_free(struct engine *e);
bool gate_takes(struct engine *e, uint32_t gate, const struct worker *w); /* is he on a roster, and passes it? */
/* May a worker of this kind, skills, hub and team work at the station at all? If not, why tells (may be NULL), and *code as in `why`. */
bool station_takes(struct engine *e, const struct worker *w, const struct station *s, char *why, size_t why_size, int *code);
void hub_named_check(struct engine *e, struct hub *h);

/* staff.c: how many may work at a gate, and how many of them are kept out of its station */
bool staff_known(struct engine *e, uint32_t gate, uint32_t *staff, uint32_t *out); /* false: they are being counted */
bool staff_is_out(const struct engine *e, uint32_t gate, uint32_t worker); /* one who passes it; once it is known */
void staff_leaves(struct engine *e, struct worker *w); /* before his place on the roster, profile or team changes */
void staff_joins(struct engine *e, struct worker *w);  /* after it */
void staff_measured(struct engine *e, struct worker *w, uint32_t key); /* his standing there may be another; 0: anywhere that is counted */
void staff_anew(struct engine *e, uint32_t key); /* the station of this name asks for something else */
void staff_counted_anew(struct engine *e, uint32_t gate); /* windows may have forgotten something since those who are not signed in were counted last */
void staff_step(struct engine *e);
void staff_news(const struct engine *e, const struct station *st, bool *gained, bool *lost); /* by this step, besides rosters */
void staff_told(struct engine *e);
void staff_forget(struct engine *e, struct gate *g);

/* bars.c: where workers are kept out */
struct bar *bar_for(struct engine *e, const uint32_t *key, uint32_t n); /* ascending; one user more. NULL for none (or after fail()) */
void bar_drop(struct engine *e, struct bar **b);
bool bar_has(const struct bar *b, uint32_t key);
bool bars_widen(struct engine *e, uint32_t words);
void bars_gate(struct engine *e, uint32_t gate); /* this one came or went */
void bars_free(struct engine *e);

/* standing.c: who is kept out */
struct bar *standing_bar(struct engine *e, struct worker *w); /* of one who is signed in; read when it is not known */
void standing_measured(struct engine *e, uint32_t worker, uint32_t key); /* something was: at the end of the command his bar is made anew */
void standings_settle(struct engine *e);
void standing_sign_off(struct engine *e, struct worker *w);
bool standing_out(struct engine *e, const struct worker *w, uint32_t key); /* is he kept out? By his bar, while it is known */
bool standing_out_now(struct engine *e, uint32_t worker, uint32_t key); /* the same by his records, with all that this command has measured already */
bool standing_refuses(struct engine *e, const struct station *st, uint32_t worker); /* no result of his counts there now */
/* What keeps him from the station, as `why` tells it; false: nothing. */
bool standing_why(struct engine *e, const struct worker *w, const struct station *st, char *why, size_t why_size, int *code);
void station_guard(struct engine *e, struct station *key);  /* it is guarded from now on */
void stations_guard_newest(struct engine *e, struct line *l); /* there is a new version: what does it ask? */
void guards_count(struct engine *e);
void on_worker_set(struct engine *e, const struct slp_msg *m);

/* idle.c: who waits for work */
void idle_list(struct engine *e, struct worker *w);
void idle_again(struct engine *e, struct worker *w); /* idle_unlist, then idle_list: he took a task, and wants more */
void idle_unlist(struct engine *e, struct worker *w);
struct worker *idle_pick(struct engine *e, uint32_t gate, enum idle_list list, const struct hub *h, bool best); /* NULL: nobody */
void idle_gates_changed(struct engine *e); /* gates came or went: all cells' bits are made anew */
void idle_relist_hub(struct engine *e, struct hub *h);
void idle_masks_changed(struct engine *e, struct worker *w); /* he keeps his place */
void idle_free(struct engine *e);

/* match.c */
void match_rq_ready(struct engine *e, struct rq *q);       /* it has ready tasks now (or its run or station opened) */
void match_priority(struct engine *e, struct run *r, uint8_t priority); /* it has this one now */
void match_closed(struct engine *e, struct run *r); /* paused, or a station of it: what it may not offer sleeps, and wakes up as what comes back to its equals */
void match_forget_run(struct engine *e, struct run *r);
void match_worker(struct engine *e, struct worker *w);     /* its credit or presence changed: list or unlist it as idle */
void match_hub_held(struct engine *e, struct hub *h, int change); /* what it holds grew or shrank */
void match_run(struct engine *e);                          /* the end of each step: assign what can be assigned */
void match_gates_moved(struct engine *e);                  /* the sets of gates became wider */
void match_gates_anew(struct engine *e, uint32_t key);     /* the stations of this name ask something else than before */
bool rq_open(const struct rq *q);
struct run *match_run_behind(const struct engine *e, const struct run *r, uint32_t gate); /* the next that may have work there; r NULL: the first */

/* limits.c: how much of a station may be in hand at once */
struct limit *limit_of(struct engine *e, const struct station *s); /* that of this name; made */
void limit_set(struct engine *e, const struct station *s); /* what this version says holds for all */
static inline bool limit_any(const struct limit *l) { return l->at_once || l->per_day; }
void limit_taken(struct engine *e, const struct station *s);
void limit_given_back(struct engine *e, const struct station *s);
void limit_gate_made(struct engine *e, struct limit *l, uint32_t gate);
void limit_gate_dropped(struct engine *e, uint32_t gate);
void limits_free(struct engine *e);

/* days.c: how much a worker has had today */
void days_load(struct engine *e);
void days_write(struct engine *e);
void days_free(struct engine *e);
uint32_t day_used(const struct engine *e, const struct worker *w, const struct station *s); /* NULL: of all stations; known where a limit asks */
bool day_full(const struct engine *e, const struct worker *w); /* he gets nothing more today */
bool day_full_at(const struct engine *e, const struct worker *w, const struct station *s);
void day_count(struct engine *e, struct worker *w, const struct station *s); /* he was given a task of this station */
void day_uncount(struct engine *e, struct worker *w, const struct station *s, int64_t given_wall_us); /* it came back, and was nobody's fault */
int64_t day_ends(const struct engine *e, const struct worker *w); /* wall time */
/* Counts of days that are over are nothing from now on: before, and after, he comes to work in another zone (days_settle: everybody of a hub, before and after a zone's days are others there). */
void day_settle(struct engine *e, struct worker *w);
void days_settle(struct engine *e, const struct hub *h);
void days_anew(struct engine *e);   /* the clock was set */
void days_tick(struct engine *e);   /* days end */
bool days_backlog(const struct engine *e);
int64_t days_next_due(const struct engine *e);
bool days_ok(struct engine *e, const struct slp_shifts *q); /* false after an error reply */
void days_told(struct engine *e, struct hub *h, const struct slp_shifts *q);

/* assign.c */
void assigns_load(struct engine *e);
void assigns_write(struct engine *e);
void assigns_free(struct engine *e);
void assign_picks(struct engine *e);                       /* turns e->pick into assignments and push frames */
struct aseg *assign_find(struct engine *e, uint64_t no);   /* live or from the store; NULL: never was, or its run is deleted */
static inline struct aentry *assign_entry(struct aseg *s, uint64_t no) { return &s->e[no - s->first]; }
/* Those who were given a task, from the newest back: for (struct link x = chain_at(e, newest); x.no && !e->rc; x = chain_next(e, x)). */
struct link { uint64_t no; struct aseg *s; struct aentry *a; }; /* no 0: there is none, or it failed */
struct link chain_at(struct engine *e, uint64_t no);
static inline struct link chain_next(struct engine *e, struct link x) { return chain_at(e, x.a->prev); }
void assign_dirty(struct engine *e, struct aseg *s);
void assign_end(struct engine *e, struct aseg *s, uint64_t no, enum assign_state st, enum why why); /* no longer live */
void assign_due(struct engine *e, struct aseg *s, struct aentry *a, int64_t due_us);
void assign_timers(struct engine *e);
int64_t assign_next_due(const struct engine *e);
void assign_push_again(struct engine *e, struct hub *h, const uint64_t *no, size_t n);
void assigns_drop_run(struct engine *e, struct run *r);

/* task.c */
void task_set(struct engine *e, struct run *r, uint8_t *head, uint32_t idx, enum task_state to); /* state byte and counters */
void task_return(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t reason_n); /* handed or started -> ready again, uncounted */
void task_expire(struct engine *e, struct aseg *s, uint64_t no);
void task_dead(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx, enum dead_why why, const char *reason, size_t n);
void unit_drop(struct engine *e, struct run *r, uint64_t unit, const char *reason, size_t n);
/* why (of NOBODY_TEXT bytes, at first empty) tells why a dead task stays so. */
bool task_requeue(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, const char *reason, size_t n, char *why);
void recall(struct engine *e, struct hub *h, uint64_t no, unsigned code);
void recalls_flush(struct engine *e);
void on_acts(struct engine *e, const struct slp_msg *m);
void on_submit(struct engine *e, const struct slp_msg *m);
void on_tasks_set(struct engine *e, const struct slp_msg *m);

int64_t task_backoff_us(const struct station *st, unsigned attempts);
void task_end_return(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n); /* the assignment only */
void dead_forget(struct engine *e, struct run *r, uint32_t idx, uint64_t unit); /* its row in DEAD */

/* copies.c: at stations that ask for several answers to a task. A place is a wanted answer; it is open, held by an assignment, or counted. */
static inline bool has_copies(const struct station *st) { return st->def->copies.max != 0; }
unsigned copies_open(struct engine *e, const struct ld_station *s, const uint8_t *t); /* 0 after fail() */
int64_t copies_rest_us(struct engine *e, uint64_t newest);
void copies_taken(struct engine *e, struct run *r, uint8_t *head, uint32_t idx, uint32_t pick); /* a place goes to e->pick[pick] */
void copies_not_shown(uint8_t *head, uint32_t idx); /* and comes back */
void copies_picks_over(struct engine *e);
/* Has the worker answered this task or declined it: is it never his? Or does he hold it: not now? */
enum copies_his { COPIES_HIS, COPIES_NOT_NOW, COPIES_NEVER };
enum copies_his copies_excluded(struct engine *e, const struct rq *q, uint64_t unit, uint64_t newest, const struct worker *w);
void copies_assigned(struct engine *e, struct aseg *s);            /* its ASSIGNED is told: which tasks want more workers */
void copies_started(struct engine *e, struct aseg *s, uint64_t no);
void copies_returned(struct engine *e, struct aseg *s, uint64_t no, enum why why, const char *reason, size_t n, int64_t wait_us);
uint8_t *copies_counts(struct engine *e, struct aseg *s, uint64_t no); /* the unit's head if a result counts; its place is counted then */
void copies_counted(struct engine *e, struct aseg *s, uint64_t no, int64_t done_wall_us); /* the result is stored: enough? */
const char *copies_requeue(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx); /* NULL: it has a place again; else why not */
void copies_recall(struct engine *e, uint8_t *head, uint32_t idx, unsigned code); /* those not started */

/* review.c: stations that review the one before them */
static inline bool is_review(const struct station *st) { return st->def->type == LD_IMPROVE; }
enum review_turn { REVIEW_NO, REVIEW_AS_WHEN_SAYS, REVIEW_YES };
enum review_turn review_turn(struct engine *e, const struct run *r, uint64_t unit, uint8_t *head, uint32_t idx); /* the work is done or was passed by */
bool review_exhausted(const struct ld_line *l, uint8_t *head, uint32_t idx); /* may it go to this station? Only what was rejected to the last, if a review says so */
uint8_t review_round(const struct station *st, uint8_t *head);
bool review_past(struct engine *e, struct aseg *s, uint64_t no, uint8_t *head); /* is it of a round that was sent back since? */
bool review_current(struct aseg *s, uint64_t no, uint8_t *head); /* is a review's assignment about the work as it is now? */
/* What a reviewer handed in: *values become the result (in e->b2), *verdict an enum ld_verdict; -1: it comes too late to be one. False: it does not go together. */
bool review_read(struct engine *e, struct aseg *s, uint64_t no, const struct slp_list *given, struct slp_list *values, int *verdict, char *text, size_t size);
bool review_goes_on(struct engine *e, struct aseg *s, uint64_t no, int verdict, const struct slp_list *given); /* false: the work was sent back */
bool review_his(struct engine *e, uint64_t newest, uint64_t result, const struct worker *w); /* is this result of the task his? */
static inline bool may_come_again(const struct station *st) { return is_review(st) || st->def->reviewed_by >= 0; } /* though it was done, or was to rest */
int64_t review_rest_us(struct engine *e, uint64_t newest); /* of such a task: until when its newest assignment made it rest */
void review_offer(struct engine *e, struct run *r, uint64_t unit, uint32_t idx); /* its author's time is over */
/* Append what its worker is told besides the fields: a map. False: nothing. */
bool review_context(struct engine *e, struct run *r, uint64_t unit, const struct station *st, size_t room); /* goes into what is shown */

/* nobody.c: tasks for which nobody is left of those who are registered */
#define NOBODY_TEXT 300
void nobody_check(struct engine *e, struct rq *q, uint64_t unit); /* parks it if it is ready and one of these; else nothing */
bool nobody_for(struct engine *e, struct rq *q, uint64_t unit, char *why, size_t size); /* is it one, whatever its state? Then why says so */
static inline bool dead_for_want(uint8_t why) { return why >= DEAD_NOBODY && why <= DEAD_KEPT_OUT; }
void nobody_boot(struct engine *e);
void nobody_gates_anew(struct engine *e, uint32_t key); /* the stations of this name have other gates than before */
void nobody_rosters(struct engine *e);                           /* the end of a step: somebody came, can more than before or may come back; left, can less or is kept out */
bool nobody_step_staffed(struct engine *e, struct sweep *s, uint32_t rows); /* of their sweeps; true: at the end */
bool nobody_step_unstaffed(struct engine *e, struct sweep *s, uint32_t units);

/* tournament.c */
void tournament_entered(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx); /* all entries are in */
bool tournament_ends_at_once(struct engine *e, struct run *r, uint64_t unit, uint32_t idx); /* the jury's task, before anybody is asked: true, and it is done */
struct ballot;
void tournament_decide(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, uint32_t idx, const struct ballot *votes, int64_t done_wall_us);
/* Append the entries as this juror sees them. */
void tournament_show(struct engine *e, struct run *r, uint64_t unit, const struct ld_station *jury, uint32_t juror);

/* flow.c */
void flow_enter(struct engine *e, struct run *r, uint64_t unit, uint8_t *head, struct ranges *delayed); /* a new unit: its entry stations */
void flow_done(struct engine *e, struct run *r, uint64_t unit, uint32_t idx); /* a task is done: what follows */

/* hubs.c, workers.c */
void hubs_load(struct engine *e);
void hubs_write(struct engine *e);
void hubs_boot(struct engine *e); /* sessions are over */
void hub_dirty(struct engine *e, struct hub *h);
void hubs_free(struct engine *e);
struct hub *hub_session(struct engine *e, uint64_t session); /* the session of this input's peer; NULL after an error reply */
void hub_apply_credit(struct engine *e, struct hub *h, const struct slp_list *grants);
void hubs_tick(struct engine *e);
void on_hello(struct engine *e, const struct slp_msg *m);
void on_heartbeat(struct engine *e, const struct slp_msg *m);
void on_bye(struct engine *e, const struct slp_msg *m);
void on_credit(struct engine *e, const struct slp_msg *m);
void on_hubs_get(struct engine *e, const struct slp_msg *m);
void workers_load(struct engine *e);
bool workers_room(struct engine *e, uint32_t last); /* for numbers up to this one; false after fail() */
void workers_free(struct engine *e);
void on_roster(struct engine *e, const struct slp_msg *m);
void on_roster_get(struct engine *e, const struct slp_msg *m);
void on_workers_get(struct engine *e, const struct slp_msg *m);
struct worker *worker_by_name(struct engine *e, struct slp_bytes n); /* NULL: nobody ever was */
bool worker_name(struct engine *e, uint32_t worker, struct name *n); /* from the store */
void worker_set_signed_in(struct engine *e, struct worker *w, bool in); /* the flag and its counters */
void worker_sign_off(struct engine *e, struct worker *w); /* takes no more work; what it holds stays */
void hub_hand_back(struct engine *e, struct hub *h, bool (*which)(const struct worker *)); /* unstarted assignments go back */

void worker_skills_changed(struct engine *e, struct worker *w); /* his profile is made anew */
bool worker_declared(struct engine *e, const struct worker *w, struct slp_list *skills); /* what his hub says he can, borrowed until the next write; false: he is on no roster */

/* pace.c */
void paces_load(struct engine *e);
void paces_write(struct engine *e);
void paces_free(struct engine *e);
void pace_add(struct engine *e, struct station *st, const struct aentry *a, int64_t assigned_wall_us); /* a result came */
int64_t pace_usual_us(const struct station *st); /* 90% of its tasks take no longer; its lease while too little is measured */
uint64_t pace_active_us(const struct station *st); /* the mean time of work of its latest tasks; 0: nobody told it */

/* repute_get.c */
void on_repute_get(struct engine *e, const struct slp_msg *m);

/* arrivals.c */
void arrivals_load(struct engine *e); /* after lines and runs */
void all_arrivals_write(struct engine *e);
void arrivals_free(struct engine *e);
void arrivals_add(struct engine *e, struct run *r, uint64_t units); /* its head is written after it */
void arrivals_forget(struct engine *e, struct run *r);              /* it is about to be deleted */
void arrivals_tick(struct engine *e);

/* presence.c */
void presence_load(struct engine *e);
void presence_boot(struct engine *e);
void presence_tick(struct engine *e);
/* why.c */
enum { /* codes of `why` */
    WHY_NOTHING_MISSING, WHY_NOTHING_QUEUED, WHY_SKILL, WHY_LEVEL, WHY_PAUSED, WHY_NO_CREDIT, WHY_NOT_SIGNED_IN, WHY_ALL_ANSWERED, WHY_OFF_SHIFT, WHY_SHIFT_ENDS,
    WHY_HUB_AWAY, WHY_HUB_FULL, WHY_KIND, WHY_HUB, WHY_TEAM, WHY_KEPT_OUT = 17, WHY_REQUIRE, WHY_TRAINING, WHY_DAY, WHY_FULL, WHY_OWN, WHY_CLOCK
};
void on_why_get(struct engine *e, const struct slp_msg *m);
void on_worker_why_get(struct engine *e, const struct slp_msg *m);

/* shifts.c */
void shifts_load(struct engine *e);
void shifts_free(struct engine *e);
void shifts_now(struct engine *e);  /* the beginning of each step: each shift is as the wall time says */
void shifts_tick(struct engine *e); /* a chunk of what follows from shifts that changed */
int64_t shifts_next_due(const struct engine *e);
struct shift *shift_for(struct engine *e, struct hub *h, struct slp_bytes name); /* made if it is not there: never on */
void shift_join(struct shift *s, struct worker *w);
void shift_leave(struct worker *w);
void shift_moved_into(struct engine *e, struct shift *s); /* somebody who holds something works by it now, and it is off */
void shifts_forget_unused(struct engine *e, struct hub *h);
bool worker_on_shift(const struct worker *w);
uint64_t hub_on_shift(const struct hub *h); /* how many are signed in and on shift; 0 while the hub is away */
int64_t worker_time_left(const struct engine *e, const struct worker *w); /* of its shift; INT64_MAX: it has none */
int64_t worker_shift_change(const struct worker *w); /* wall time of the next beginning or end; 0: not known */
void on_shifts(struct engine *e, const struct slp_msg *m);
void on_shifts_get(struct engine *e, const struct slp_msg *m);

/* events.c */
void ev_task(struct engine *e, enum event_type t, struct run *r, struct station *s, enum why why, uint64_t unit, uint64_t count);
void ev_waiting(struct engine *e, struct run *r, struct station *s, enum why why, int64_t due_us, uint64_t unit, uint64_t count);
void ev_assign(struct engine *e, enum event_type t, struct aseg *s, uint64_t no, uint64_t extra); /* STARTED, SUBMITTED */
/* Begin the data of an event, in b3: a map of n + more pairs, the first n of them numbers. */
void ev_data(struct engine *e, const char *const *keys, const uint64_t *values, uint32_t n, uint32_t more);
/* Any other event: data is a packed map. NULL for streams it does not belong to. Flushes what was gathered before it. */
void ev_emit(struct engine *e, enum event_type t, struct line *l, struct run *r, struct hub *h, const struct slp_buf *data);
void ev_order(struct engine *e); /* what follows is told behind what was gathered: a task may change more than once in a step */
void ev_flush(struct engine *e); /* the end of a step */
void ev_write(struct engine *e); /* the end of a batch */
void ev_clock(struct engine *e, int64_t passed_us);
void ev_retain(struct engine *e);
void ev_free(struct engine *e);

/* history.c */
void history_add(struct engine *e, struct run *r, uint64_t unit, uint32_t idx, enum why what, uint64_t assignment, uint32_t worker, const char *reason, size_t n);

/* sweep.c */
void sweeps_load(struct engine *e);
/* Rows by prefix. */
struct row {
    uint8_t k[STORE_KEY_BYTES_MAX];
    size_t n;
    struct store_val v; /* borrowed until the next write */
};
/* The first row from that key on whose key shares its first `shared` bytes and has as many or more; false: there is none, or it failed. */
bool row_from(struct engine *e, enum store_table tb, const uint8_t *key, size_t n, size_t shared, struct row *row);
void sweep_start(struct engine *e, enum sweep_what what, uint32_t run, uint32_t station, const char *reason, size_t n);
void sweeps_step(struct engine *e);

/* stats.c */
void latency_add(struct latency *l, int64_t us);
void minute_add(struct minute *m, int64_t now_us);
void stats_second(struct engine *e); /* in every step: remembers the totals, once a second */
void on_stats_get(struct engine *e, const struct slp_msg *m);

#endif
