/* The simulated world: the real engine over the real store, the real agent core, and around them producers, hubs with robots and people,
 * operators and subscribers, all in one thread on one virtual clock, driven by one seed.
 *
 *   plan.c      seed -> how large the world is, and how bad
 *   sched.c     the clock: what happens when
 *   net.c       frames between actors and the broker, and what befalls them
 *   server.c    the broker: crashes, restarts, clocks, pressure                      tap.c   what it did, as facts for the checker
 *   batch.c     its batches and ticks: one after the other, or one beside the other
 *   hub.c       an agent process: core, outbox, journal, crashes                     staff.c its robots and people
 *   producer.c  hands rows in, and in again          operator.c  changes things by hand
 *   watcher.c   subscribers of the event stream      finish.c    faults over: is everything there, is everything at its end?
 *   lines.c     the lines of this world              memory.h  allocations that fail
 *   twin.c      a second agent of a hub              damage.c  bits that turn in the store: the world forks
 *   outcomes.c  what of a frame an answer is about   restore.c an old backup is put back
 *   disk.h      the disk of the broker's machine
 *   inspect.c   the store's own check, at the end             endings.c how a branch over a damaged store may end
 *
 * Everything is a function of (seed, options): no pointer, hash order, file or real time decides anything. The trace hash covers each frame that
 * was delivered, with its time; the same seed gives the same hash. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H
// clang-format off
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "proto/codec.h"
#include "tests/sim/checker.h"
#include "tests/sim/disk.h"
#include "tests/sim/endings.h"
#include "tests/sim/rng.h"
#include "worker-agent/core.h"

#define SEC ((int64_t)1000000)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WALL_BEGIN_US 1700000000000000ll

#define HUBS_MAX 20
#define TWINS_MAX 2 /* second agents of hubs */
#define STAFF_MAX 8
#define GUESTS_MAX 4 /* of another hub's staff, who may come to this one */
#define MEMBERS_MAX (STAFF_MAX + GUESTS_MAX)
#define STEADY_WITH_REVIEWS 7 /* of the first hub, who can do everything */
#define RUNS_MAX 12
#define LINES_MAX 4
#define VARIANTS_MAX 4 /* of a line, applied one after the other */
#define VARIANTS_ALL (VARIANTS_MAX + 1) /* and one that keeps nobody out, for the end; in worlds with bars */
#define WATCHERS_MAX 4
#define NEVER INT64_MAX

struct sim;
typedef void happening(struct sim *s, uint64_t a, uint64_t b);

/* ---- plan.c ---- */
struct plan { /* parts in a million are _ppm; 0: this fault does not happen */
    uint64_t seed;
    int64_t hours_us;            /* with faults; then they stop */
    uint32_t hubs, lines, runs, rows, watchers, staff;
    /* network */
    uint32_t loss_ppm, dup_ppm, late_ppm, reorder;
    int64_t delay_max_us, late_max_us, cut_every_us, cut_max_us, relink_every_us;
    /* agents */
    int64_t agent_crash_every_us, agent_down_max_us, freeze_every_us, confuse_every_us;
    int64_t agent_copy_every_us, takeover_every_us, roster_every_us, agent_wall_every_us;
    uint32_t power_ppm, agent_memory_ppm; /* of inputs whose memory runs out */
    uint32_t within_ppm; /* of kills and power cuts of agents: they come within a step */
    /* broker */
    int64_t crash_every_us, down_max_us, pressure_every_us, wall_every_us, batch_max_us, sync_max_us, tick_late_us;
    uint32_t batch_max, reboot_ppm, io_ppm, memory_ppm, damage_ppm, disk_ppm; /* of crashes, of restarts */
    uint32_t beside_ppm; /* of batches that are written while the next one is applied */
    int64_t heartbeat_us, grace_us, start_by_us, lapse_every_us;
    uint64_t quota, wal_bytes;
    uint32_t portion_max; /* of what a tick does in portions; 0: the usual ones, which are more than a world has */
    /* people */
    uint32_t decline_ppm, fail_ppm, bury_ppm, forget_ppm, release_ppm, bad_ppm;
    /* operators */
    int64_t operate_every_us, meddle_every_us, judge_every_us, lend_every_us; /* meddle: with a run among its equals, and back again; judge: suspend, readmit, grant, revoke; lend: grant for a while what somebody lacks */
    int64_t backup_every_us, lose_every_us; /* the broker's disk, and an old backup is put back */
    bool cancels, drops, reapplies, deletes, epochs;
    bool copies; /* some stations ask several workers */
    bool honesty; /* there is a right answer, and each worker gives it as often as he is honest; otherwise all answer as the dice fall */
    bool bars; /* some ask for what was measured of their workers, and have rules for control answers */
    bool reviews; /* some stations review the one before them */
    bool contests, scarce; /* some are tournaments; those who can do everything come and go like others, while there are faults: tasks run out of people */
    bool few; /* of worlds with scarce workers: most stations shut out who did what comes before, and hardly anybody else can do their tasks */
    bool alike; /* lines of one station, and most runs through the same one, at the same priority: who gets what can be judged */
    bool trains; /* of worlds that have bars by their seed: many are sent to training, where there is something to do, and come back */
    bool line_watched; /* somebody subscribes to the stream of a line */
    uint64_t event_keep; /* so many events are kept; 0: that is no limit */
    int64_t event_keep_us, away_every_us; /* away: a subscriber is, for a while, so that he meets what is no longer kept */
    bool moves; /* people and robots leave their hub's roster and come to another's, with what they have begun */
    bool dense; /* a small world in which what is rare elsewhere comes every few minutes, so that it meets */
    bool apart; /* and robots do what people do not: some lines are faster */
};
/* What can be left out of a world, whatever its seed says: --no NAME. Each has a line in plan.c. */
#define LEFT_OUT(K) \
    K(net) K(agents) K(broker) K(operator) K(people) K(copies) K(reviews) K(beside) K(lends) K(honesty) \
    K(subscribers) K(staff) K(twins) K(damage) K(restores) K(bars) K(tournaments) K(scarce) K(alike) K(disk) \
    K(training) K(harsh) K(streams) K(midstep) K(few) K(portions) K(moves) K(dense)
#define PORTIONS_US (3 * HOUR) /* at the latest, all that goes in portions has come to its end, where they are small */
struct options { /* what shrinking and the command line take away; UINT32_MAX, -1: as the seed says */
    uint64_t seed;
    int64_t hours;
    uint32_t hubs, runs, rows, lines;
#define K(n) bool no_##n;
    LEFT_OUT(K)
#undef K
    bool trace;
    uint64_t branch; /* the story of this one over a damaged store is told, too; 0: of none */
    const char *dir; /* where stores are made */
};
void plan_make(struct plan *p, const struct options *o);
void plan_print(const struct plan *p, FILE *f);

/* What befell this world, counted: a fault that never happened was not tested. The report and the table of docs/reliability.md show each. */
#define TALLIES(T) \
    T(agent_kills) T(agent_power_cuts) T(agent_stops) T(agent_freezes) T(agent_reboots) T(agent_clock_steps) T(agent_memory_failures) \
    T(agent_ends_before_sync) T(agent_ends_before_frame) T(agent_ends_after_frame) T(agent_ends_between) \
    T(agent_old_data) T(takeovers) T(agent_copies) T(roster_changes) T(moves) T(links_cut_inwards) T(links_cut_outwards) T(links_cut_both_ways) T(relinks) T(confused_acts) \
    T(producers_cut_inwards) T(producers_cut_outwards) T(producers_cut_both_ways) T(operators_cut_inwards) T(operators_cut_outwards) T(operators_cut_both_ways) \
    T(subscribers_cut_inwards) T(subscribers_cut_outwards) T(subscribers_cut_both_ways) \
    T(producer_restarts) T(raised_epochs) T(fenced_frames) T(operator_acts) \
    T(wrong_answers) T(wrong_verdicts) T(suspensions) T(sent_to_training) T(back_from_training) T(suspended_by_rule) T(readmissions) T(skills_lowered) T(taken_back) T(void_answers) T(grants) \
    T(broker_kills_before) T(broker_kills_after) T(failed_writes) T(failed_commits) T(failed_syncs) T(failed_store_calls) T(broker_memory_failures) T(broker_reboots) \
    T(batches_beside) T(pressure_beside) T(kills_while_written) T(kills_when_written) T(failed_writes_beside) T(failed_syncs_beside) T(failures_beside) T(failures_between) \
    T(lost_syncs) T(broker_power_cuts) T(full_disks) T(sectors_lost) T(disk_faults_beside) T(disk_faults_settling) T(disk_faults_at_starts) \
    T(broker_clock_steps) T(times_gone_back) T(late_ticks) T(full_stores) T(backups) T(restores) T(lost_events) T(damaged_stores) T(damage_named) T(damage_file_named) T(damage_stops) T(damage_unharmed) \
    T(left_with_nobody) T(left_by_own_work) T(staffed_again) T(gone_told) T(requeued_in_calm) T(worlds_of_heavy_loss) T(worlds_of_heavy_replay) T(worlds_of_many_hubs) T(worlds_of_small_portions) T(dense_worlds)
struct tally {
#define T(n) uint64_t n;
    TALLIES(T)
#undef T
};

/* ---- sched.c ---- */
struct due { int64_t at; uint64_t seq, a, b; happening *what; };
struct sched { struct due *v; size_t n, cap; uint64_t seq; };
void sched_at(struct sim *s, int64_t at, happening *what, uint64_t a, uint64_t b);
bool sched_step(struct sim *s, int64_t until); /* let the next thing happen, if it is due by then; moves the clock */

/* ---- net.c ---- */
enum side { SIDE_HUB, SIDE_PRODUCER, SIDE_OPERATOR, SIDE_WATCHER };
struct way { int64_t last_us, newest_us; }; /* last: what is kept in order arrives no sooner; newest: the latest arrival of all so far */
struct peer { enum side side; uint32_t index; bool open; struct way up, down; };
struct wire { /* a way between an actor and the broker, whatever peer number it has now */
    uint64_t peer;
    int64_t cut_up_us, cut_down_us; /* nothing passes until then */
    struct rng *die;                /* by which it is cut; NULL: it never is */
};
struct frame { uint64_t peer; uint32_t n, refs; char bytes[]; };
struct net { struct peer *peer; size_t peers, cap, stopped; /* what producers sent before that one does not arrive any more */ struct rng rng; uint64_t sent, lost, doubled, late, overtaken; /* overtaken: frames that another one, sent later, came before */ };
void net_open(struct sim *s);
uint64_t net_peer(struct sim *s, enum side side, uint32_t index); /* a new one; what was under way to the actor's old one is lost */
void net_send_up(struct sim *s, struct wire *w, const char *p, size_t n);
void net_send_down(struct sim *s, uint64_t peer, const char *p, size_t n);
void net_redeliver(struct sim *s, struct frame *f, int64_t at); /* to a broker that was down */
void net_cuts(struct sim *s, enum side side, uint32_t index, struct rng *die); /* from now on it is cut now and then: in one direction, the other, or both */
void net_calm(struct sim *s);                                                 /* whatever is cut is healed */
void net_free(struct sim *s);
struct wire *net_wire(struct sim *s, enum side side, uint32_t index);

/* ---- lines.c ---- */
#define STATIONS_MAX 8
#define NUMBERS_MAX 20000 /* of stations, in one world */
/* shut_hubs, shut_teams: bits of those who get nothing; not_did: bits of stations; only: told as only_hubs instead of not_hubs; prefer: as in a line */
struct sim_station {
    uint32_t index, kind, attempts, after, shut_hubs, shut_teams, not_did, prefer;
    bool only;
    uint8_t level[CHECKER_SKILLS];
    int when_on, when_is;
    int64_t lease_us, backoff_us, start_by_us;
    uint32_t review, rounds; /* review: of which station, its index + 1 */
    bool rejects;
    int64_t return_us;
    uint32_t copies_min, copies_max, ties;
    uint32_t jury, equal; /* jury: of a tournament its jury's index, of a jury its tournament's; equal: entries of the same route that end it at once, 0 never */
    uint32_t at_once, per_day, gold_every, gold_rows;
    uint32_t abandoned_most, gold_least, agreed_least, approved_least, returned_most, asks_after;
    uint32_t rule, rule_below, rule_after, rule_at, rule_until, rule_skill;
    bool asks_of_all, refuses_new;
    uint32_t window_last;
    int64_t window_within_us;
};
/* Behind the `named` stations of the file come juries. */
struct sim_variant { uint32_t named, stations, version, first_station; struct sim_station st[STATIONS_MAX]; char *packed; uint32_t packed_n; bool applied; };
struct sim_line { char name[16]; uint64_t id; uint32_t variants; struct sim_variant v[VARIANTS_ALL]; };
void lines_make(struct sim *s);
void lines_free_all(struct sim *s);
void lines_number(struct sim *s, uint64_t station_id, const struct sim_station *st);
const struct sim_station *lines_station(const struct sim *s, uint64_t station_id); /* NULL: nobody applied it yet */
/* The variant of which this is the definition. */
struct sim_variant *line_variant(struct sim *s, const char *packed, size_t n, struct sim_line **line);
/* Rows and results can be told apart by their texts, and checked: the filler is a function of the number. */
void row_pack(struct slp_buf *b, uint64_t row, int route);           /* one array */
int row_route(struct sim *s, uint64_t row);
int row_truth(const struct sim *s, uint64_t row, uint32_t station); /* the route that is right at a station; of a control task, what its line says */
uint64_t row_of_text(struct slp_bytes text);                         /* 0: not one of ours */
uint64_t digest(const void *p, size_t n);
uint64_t row_digest(struct slp_bytes text, struct slp_bytes route);
extern const char *const route_names[3], *const skill_names[CHECKER_SKILLS];

/* ---- server.c, batch.c, tap.c ---- */
struct store;
struct store_txn;
enum fate { LIVES, DIES_BEFORE, DIES_AFTER, PUT_FAILS, COMMIT_FAILS, SYNC_FAILS, LMDB_FAILS, NO_MEMORY, DISK_FAILS, SETTLING_FAILS }; /* of one batch; the last two as trouble says: at its commit, or, when it is on the disk, at the settling of the log */
/* Of a batch that is being written, while the next one is applied: killed before it is on the disk, or some sectors of it are; killed when it is there, and nobody was answered; its write fails, or its sync, and it is
 * there all the same; a step of the next one fails; the next one comes to its end in one of the ways of `fate` when this one was answered. Behind DOOMS: the disk does what trouble says to this one, to the next one, or
 * to the settling of both. */
enum doom { UNHARMED, CUT_OFF, UNANSWERED, WRITE_FAILS_BESIDE, SYNC_FAILS_BESIDE, NEXT_FAILS, BETWEEN, DOOMS, DISK_FAILS_BESIDE = DOOMS, DISK_FAILS_NEXT, SETTLING_FAILS_BESIDE, DISK_DOOMS };
struct tapped { struct slp_msg m; int64_t at, wall_us, wall_off_us; uint64_t peer, last_event; size_t from, to; bool message, pressure, full; };
#define ROW_MAX 4
struct batch {
    struct sim *s;
    struct effects out;
    struct tapped *tap;
    size_t tap_n, tap_cap;
    struct frame **frame;
    size_t frames, frame_cap;
    bool there, answered; /* on the disk; its answers are out */
};
struct server {
    struct rng rng, beside, disk;
    struct store *store;
    struct engine *engine;
    struct reader *reader;
    char dir[256]; /* with room for what damage.c appends */
    bool up, full, told_full, batch_due;
    int64_t elapsed_base_us, wall_off_us, tick_at_us, fed_us; /* fed_us: the greatest elapsed time that an input carried */
    uint64_t life, batches, commits, crashes, restarts, inputs;
    struct frame **inbox;
    size_t inbox_n, inbox_cap;
    struct batch row[ROW_MAX];  /* one after the other, not told of yet; the last one is open if there is a transaction */
    size_t row_n;
    struct batch *in_flight;    /* which is being written; NULL: none */
    struct store_txn *txn;
    const struct batch *told;   /* by the tap */
    enum doom doom;             /* what is to befall the one in flight, */
    uint32_t spared;            /* or one behind it: so many more are spared */
    uint64_t flights;
    bool strikes;               /* the disk will, at a batch that promises something: most do not, and that one of those is lost shows nothing */
    bool mute;                  /* a batch that comes to the disk is not answered any more */
    int64_t seen_off_us;    /* how far off the wall clock was with the last input that the tap has seen */
    uint64_t next_event;    /* the first that the tap has not seen */
    struct slp_buf page;
    bool went_back;         /* what it finds at the next start is another store */
    enum disk_fault trouble;    /* what the disk is to do, where fate or doom says so */
    struct batch *in_doubt;     /* its write failed: whether it is there the disk knows; NULL: none */
    bool power_went;
    int64_t no_room_until_us;   /* a start before then finds the disk full */
};
void server_open(struct sim *s);
void server_close(struct sim *s);
void server_take(struct sim *s, struct frame *f);  /* a frame has arrived; takes the reference */
int64_t server_elapsed_us(const struct sim *s);
int64_t server_wall_us(const struct sim *s);
/* Ask the reader, without network: NULL if the broker is down. The message lives until the next call. */
const struct slp_msg *server_read(struct sim *s, uint64_t type, const void *any);
/* Ask the engine, in a batch of its own, without network. */
const struct slp_msg *server_ask(struct sim *s, uint64_t type, const void *any);
const struct slp_msg *server_page(struct sim *s, uint64_t type, const void *any); /* of whatever v->reader reads */
void server_refused_as_damaged(struct sim *s, const struct slp_buf *page);
void server_arm_lmdb(struct sim *s, const char *what, int64_t calls_max);
void server_arm_disk(struct sim *s, int64_t calls_max); /* as v->trouble says */
void server_disk_struck(struct sim *s, struct batch *b); /* it dies of it; b: whose write that was, NULL: nobody's */
void server_lands(struct sim *s); /* what is under way comes to its end: nothing is in flight or open any more; it may die of it */
void server_die(struct sim *s, const char *how);
bool server_disk_strikes(struct sim *s); /* now, if that waited for what is in the inbox */
void server_disk_dies(struct sim *s, const char *how); /* nobody will see what was under way to it */
void batches_run(struct sim *s, bool ticks, enum fate fate, bool beside); /* what has come; beside: the next one is applied while it is written, whatever the dice say */
bool batches_boot(struct sim *s, struct input *boot);                     /* false: it died */
void batches_plan_tick(struct sim *s);
void batches_forget(struct server *v);
void batches_free(struct server *v);
void server_calm(struct sim *s); /* the faults are over: come up, stay up, clocks right */
uint64_t event_digest(const struct slp_item_event *e);
void tap_batch(struct sim *s, const struct batch *b); /* what was committed, told to the checker */

/* ---- damage.c; endings.c ---- */
void damage_maybe(struct sim *s);                       /* before the store is opened; may return in a branch */
void damage_ends(struct sim *s, const char *text);      /* the broker ends, with this text. No return in a branch; else nothing, as in each of these */
void damage_refused(struct sim *s);                     /* something could not be read: the store's own check must say why */
void damage_wrong(struct sim *s, const char *text);
_Noreturn void damage_over(struct sim *s);

/* ---- hub.c, staff.c, twin.c ---- */
struct outboxed { uint64_t seq, assignment, worker; char *item; uint32_t n; bool person, synced, acked, ack_synced; };
struct journaled { uint64_t assignment, worker_no, station, attempt; int64_t lease_us; char *fields, *context; uint32_t fields_n, fields_count, context_n; bool synced; };
struct member {
    char name[40];
    bool robot, steady, here, on; /* steady: never fails, declines or forgets; on: the roster has it */
    uint32_t capacity, prefetch, kind, team; /* team 0: none */
    uint8_t level[CHECKER_SKILLS];
    int64_t speed_us;
    uint32_t honest_ppm;  /* of his answers are right; the others are wrong */
    uint32_t shift_from, shift_hours; /* when he is at his place; by_shift: and this is what the hub file says */
    bool by_shift;
    uint32_t per_day;     /* 0: no limit */
    uint64_t busy;        /* a person's assignment */
    bool forgotten;
    struct member *double_of; /* the same one, on the roster of his own hub; NULL: this is he */
};
struct data { /* a data directory */
    struct outboxed *outbox;
    struct journaled *journal;
    size_t outbox_n, journal_n;
    uint64_t seq, incarnation;
    uint8_t id[16];
    bool there;
};
/* Places within a step, between two things that an agent does: written, not synced; kept, the frame not sent; a frame sent, nothing behind it; between two others that the core wants. */
enum hub_place { NOWHERE, BEFORE_SYNC, BEFORE_FRAME, AFTER_FRAME, BETWEEN_TWO, HUB_PLACES };
struct hub {
    char name[16];
    uint32_t like;        /* the hub whose name and staff it has; its own index, but for a twin */
    uint32_t index;
    uint64_t number, session; /* as the broker's events call it, and its newest session there; 0: it was never told of */
    struct rng rng, honest, within;
    struct wire wire;
    struct core *core;
    struct core_member *members; /* as the core has them */
    struct member staff[MEMBERS_MAX];
    uint32_t staff_n, members_n;
    bool up, quiet, takeover, wanted, doomed; /* takeover: with the next start; wanted: may start; doomed: its memory ran out */
    enum hub_place dies_at; /* where in a step it is to end, of such places when it has come by `spared` more, */
    uint32_t spared;
    bool dying, by_power;   /* and there it was: nothing more is done; its power is cut then, or it is killed */
    int64_t down_us;
    int64_t boot_us;      /* its machine's boot clock is now - boot_us */
    int64_t wall_off_us, frozen_us, due_us;
    uint64_t life, incarnation, seq, roster_version;
    uint8_t data_id[16], digest[32];
    struct outboxed *outbox;
    size_t outbox_n, outbox_cap;
    struct journaled *journal;
    size_t journal_n, journal_cap;
    struct slp_buf packed[MEMBERS_MAX];
    struct core_outs outs, spare;
    struct data old;
    uint64_t finished, refused, crashes, seen, confused; /* seen: the greatest assignment number */
};
void hubs_open(struct sim *s);
void hubs_close(struct sim *s);
void hub_take(struct sim *s, struct hub *h, const struct frame *f);
void hub_calm(struct sim *s, struct hub *h);
/* data.c */
bool hub_idle(const struct hub *h); /* nothing unsent in its outbox */
struct outboxed *hub_data_outboxed(struct hub *h, uint64_t seq);
void hub_data_begun(struct sim *s, struct hub *h, const struct core_task *t);
void hub_data_result(struct sim *s, struct hub *h, const struct core_task *t, const struct slp_buf *item, bool person);
void hub_over(struct hub *h, uint64_t assignment); /* what a person began: out of the journal */
void hub_data_sync(struct hub *h);                 /* everything that was written is on the disk now */
void hub_data_power_cut(struct hub *h);            /* what was not synced is gone */
void hub_data_drop(struct hub *h);
void hub_promise(struct sim *s, const struct hub *h, uint64_t assignment, bool kept);
void hub_promises_end(struct sim *s, const struct hub *h); /* of what it has in its outbox: that is gone for good */
void hub_data_copy(struct sim *s, const struct hub *h, struct data *d);
void hub_data_put(struct sim *s, struct hub *h, struct data *d); /* it has these now; d is empty */
void hub_data_free(struct data *d);
/* What was answered, for whoever reviews it: of each assignment, if no later one took its place. */
#define ANSWERS_MAX 65536
struct answered { uint64_t assignment; uint32_t station; bool wrong; };
/* between hub.c and staff.c */
void hub_input(struct sim *s, struct hub *h, struct core_in in);
void hub_pump(struct sim *s, struct hub *h);
int64_t hub_now_us(const struct sim *s, const struct hub *h);
void hub_finish(struct sim *s, struct hub *h, uint64_t assignment, bool person, bool bad);
void hub_begun(struct sim *s, struct hub *h, uint64_t assignment); /* a person began: into the journal */
void hub_ends(struct sim *s, struct hub *h, int64_t down_us);      /* its process does */
void hub_comes_up(struct sim *s, struct hub *h);
void twins_open(struct sim *s);
void twins_calm(struct sim *s);
void staff_make(struct sim *s, struct hub *h);
const struct member *staff_member(const struct hub *h, const char *name);
void staff_guests(struct sim *s); /* who may come to a hub from another; when all staff is made */
void staff_roster(struct sim *s, struct hub *h); /* pack who is on the roster */
void staff_change(struct sim *s, struct hub *h); /* another roster, while work goes on */
void staff_start(struct sim *s, struct hub *h);  /* the agent is up: robots ready, people come as their shifts say */
void staff_run(struct sim *s, struct hub *h, uint64_t assignment);
void staff_offer(struct sim *s, struct hub *h, const char *name);
void staff_rota(struct sim *s, struct hub *h);   /* the shifts of the days ahead, into the core */

/* ---- producer.c ---- */
#define PUTS_MAX 4
struct put_sent { uint64_t id, from, count; int64_t at_us; }; /* id 0: free */
struct producer {
    struct rng rng, cuts;
    struct wire wire;
    uint32_t index, line, window, priority, unanswered; /* unanswered: waits that ended so since it last heard anything */
    char run[24];
    uint64_t run_id, rows, next_id, life, epoch, base, sent_max, fenced_id; /* base: rows of earlier epochs; numbers begin behind them */
    uint8_t id[16];
    uint64_t acked, next_row;  /* numbered: rows acknowledged in order, or left to an earlier epoch; the next one to send */
    uint8_t *got;              /* keyed: which rows are acknowledged */
    uint64_t asking;           /* the request that is not a put: its id; 0: none */
    int64_t asked_us, wait_us, pace_us;
    struct put_sent sent[PUTS_MAX];
    enum { P_START, P_WHERE, P_PUT, P_CLOSE, P_OVER } state;
    bool numbered, restored; /* restored: the store is not the one that it began with */
};
void producer_lost(struct sim *s, struct producer *p, bool again); /* the store went back; again: an operator begins the import anew, at the latest if it was over */
void producers_open(struct sim *s);
void producer_take(struct sim *s, struct producer *p, const struct frame *f);
void producers_calm(struct sim *s);
void producers_close(struct sim *s);

/* ---- operator.c ---- */
#define WORKERS_MAX 512
#define KEPT_OUT_MAX 4096
#define ASKED_MAX 16
struct kept_out { uint64_t worker, line; char station[12]; };
struct asked { uint64_t id; int64_t begun_us, at_us; struct slp_buf body; }; /* at_us: when it was sent last; id 0: it was answered, or given up */
struct operator {
    struct rng rng, meddler, judge, lender, cuts;
    struct wire wire;
    uint64_t next_id;
    struct asked asked[ASKED_MAX]; /* by id, one after the other */
    const char *name[WORKERS_MAX]; /* of workers, by number */
    struct kept_out out[KEPT_OUT_MAX];
    uint32_t outs;
    uint8_t lowered[WORKERS_MAX]; /* of workers, by number: bits of skills that a rule lowered */
};
void operator_open(struct sim *s);
void operator_take(struct sim *s, const struct frame *f);
void operator_meets(struct sim *s, uint64_t worker, struct slp_bytes name);
void operator_heard(struct sim *s, uint64_t worker, uint64_t line, struct slp_bytes station, bool out);
void operator_heard_skill(struct sim *s, uint64_t worker, uint32_t skill, bool lowered);
void operator_close(struct sim *s);
void operator_applies_anew(struct sim *s); /* lines that are not there */
void operator_forgives(struct sim *s); /* whoever is kept out of anything may come back, and can what he could */

/* ---- watcher.c ---- */
enum watched { WATCHES_ALL, WATCHES_RUN, WATCHES_HUB, WATCHES_LINE };
struct watcher { struct rng cuts; struct wire wire; enum watched of; uint64_t seq, since, gone, asking, asked_from, next_id; int64_t asked_us, away_us; char stream[32]; }; /* gone: what is before it is no longer kept, he was told; away_us: until then */
void watchers_open(struct sim *s);
void watcher_take(struct sim *s, struct watcher *w, const struct frame *f);
/* What it has subscribed to, as a fact. Neither run nor hub nor line: all. What its stream is of may not be there, and then there is no such stream: UINT64_MAX. */
struct fact watcher_about(const struct sim *s, uint32_t index);
void watchers_publish(struct sim *s, const struct effects *of); /* what a batch told of, that is on disk */

/* ---- restore.c ---- */
struct backup {
    char dir[300];
    struct checker *checker; /* as it was; NULL: there is no backup */
    uint64_t next_event, seq[WATCHERS_MAX], since[WATCHERS_MAX], gone[WATCHERS_MAX];
    int64_t seen_off_us;
    struct { uint64_t id; uint32_t version[VARIANTS_ALL], first_station[VARIANTS_ALL]; bool applied[VARIANTS_ALL]; } line[LINES_MAX];
    const struct sim_station *numbered[NUMBERS_MAX];
    const char *name[WORKERS_MAX];
    struct kept_out out[KEPT_OUT_MAX];
    uint32_t outs;
    uint8_t lowered[WORKERS_MAX];
};
struct restore { struct rng rng; struct backup copy; };
void restore_open(struct sim *s);
void restore_close(struct sim *s);

/* ---- the whole ---- */
struct sim {
    struct plan plan;
    struct options opt;
    int64_t now_us;
    bool calm;        /* the faults are over */
    struct sched sched;
    struct net net;
    struct server server;
    struct hub hub[HUBS_MAX + TWINS_MAX];
    uint32_t hubs;    /* with twins */
    struct producer producer[RUNS_MAX];
    struct operator operator;
    struct watcher watcher[WATCHERS_MAX];
    struct restore restore;
    struct sim_line line[LINES_MAX];
    const struct sim_station *numbered[NUMBERS_MAX]; /* by station number */
    struct checker *checker;
    struct answered answered[ANSWERS_MAX];
    FILE *story;      /* NULL: not wanted */
    uint64_t hash, happened;
    struct tally tally;
    int64_t branch_until_us; /* damage.c: this process is a branch; 0: it is not */
    int64_t drained_us;
};
void sim_run(struct sim *s, const struct options *o);
void sim_free(struct sim *s);
void sim_finish(struct sim *s); /* finish.c */
void sim_inspect(struct sim *s); /* inspect.c: what the store's own check finds, to the checker */
void sim_damage(struct sim *s, void (*each)(struct sim *s, const char *text)); /* what it finds of records, a text for each */
void sim_read_all(struct sim *s); /* units, results and outputs as they are now, to the checker */
void sim_hash(struct sim *s, const void *p, size_t n);
#define TELL(s, ...) do { if ((s)->story) sim_tell((s), __VA_ARGS__); } while (0)
void sim_tell(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void sim_broken(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* the simulator cannot go on: a failure, too */
#define CHECK(s, x) do { if (!(x)) sim_broken((s), "%s:%d: %s", __FILE__, __LINE__, #x); } while (0)
#endif
