/* The disk format: which table holds what, under which key. Keys are big-endian and composed left to right (store.h); values are
 * little-endian, packed by the writers named below. store.h puts every value into an envelope with a checksum.
 *
 * What grows with the backlog lies in UNIT, STATE, READY, DELAY; it is only touched where work happens. Everything that lives in memory too
 * (lines, runs, hubs, workers, live assignments) is written from memory at the end of each batch, once, however often it changed.
 *
 * table     key                                   value                                                       written by
 * META      "engine"                              counters: next numbers, elapsed, virtual clocks             engine.c
 * META      "records"                             how many records some tables hold                           counted.c
 * META      "copy"                                a backup that is no store of its own yet (restore.c)         store/backup.c
 * NAME      kind u8, name                         id u32                                                      names.c
 * LINE      line u32, 0 u32, 0 u16                head: state, newest version, name                           lines.c
 * LINE      line u32, version u32, piece u16      the packed definition, cut into pieces                      lines.c
 * STATION   station u32                           line, version, index, paused, guarded (since 0.2)            lines.c
 * RUN       run u32, 0 u16                        head: name, line, state, priority, counters                 runs.c
 * RUN       run u32, 1 + station index u16        its queue: counters by task state, lane positions           runs.c
 * HUB       hub u32                               name, zone, incarnation, data id, roster digest             hubs.c
 * WORKER    worker u32                            name, hub, kind, capacity, skills, shift, tasks a day        workers.c
 * UNIT      run u32, first unit u64, piece u16    segment: the input values of units put in one frame         payload.c
 * STATE     run u32, group u64                    the states of 2^shift neighbouring units                    state.c
 * READY     station u32, run u32, lane u8, pos u64  segment: ranges of units that are ready, in order         queue.c
 * READY     station u32, run u32, 0x80 + lane u8, worker u64  where that worker's first task in the lane can be   skip.c
 * DELAY     due u64, seq u64                      segment: ranges of units that wait until then               delay.c
 * ASSIGN    first assignment u64                  segment: assignments given by one step to one hub           assign.c
 * LIVE      first assignment u64                  nothing: its ASSIGN segment has assignments that are not over    assign.c
 * RESULT    first result u64, piece u16           segment: results of one run that came in one frame          payload.c
 * EVENT     first sequence u64                    segment: events of one step                                 events.c
 * DEDUP     run u32, idempotency key              unit u64                                                    intake.c
 * PRODUCER  run u32, producer 16 bytes            epoch, last sequence, last frame, all rows numbered         intake.c
 * HISTORY   run u32, unit u64, sequence u64       what happened besides results, with the reason              history.c
 * DEAD      station u32, run u32, unit u64        why, when, reason, number of the newest mass operation then (none in 0.1.0's)   task.c
 * SWEEP     job u64                               a mass operation under way: what, where it is               sweep.c
 * SHIFT     shift u32                             hub, on, what is still to be done, name, zone, text, times  shifts.c
 * PACE      station u32                           how long its tasks take: a histogram of the latest ones     pace.c
 * GOLD      0, worker u32, station u32, digest u64  nothing: he was handed this control task; "u": given back unbegun; "g": handed again; "s": he did begin it, as was told late; "a": and answered it   gold.c
 * GOLD      1, run u32, first assignment u64      nothing: this ASSIGN segment has control tasks              gold.c
 * SKILL     worker u32                            skills granted by operators, or lowered by rules           skills.c
 * REPUTE    worker u32, station u32 (0: all)      what is measured of him there, and his standing             repute.c
 * DAY       0 u32, hub u32, zone                  when the coming days begin there, as the hub told           days.c
 * DAY       worker u32, station u32 or 0          since when, how many: what he was given today, where a limit asks; 0: of all stations   days.c
 * ARRIVAL   line u32, 0 u8                        the hour under way, units of deleted runs in it             arrivals.c
 * ARRIVAL   line u32, 1 + day of the week u8      how many units its 24 hours usually bring                   arrivals.c
 * PRESENCE  hub u32                               of those on shift, what share is there, by day              presence.c
 *
 * A unit has a number within its run, from 1, in input order. Its state record is an array of fixed size, so its place is computed:
 * group = (unit - 1) >> shift, where shift is the largest with (8 + 16 * stations) << shift <= 2000 (at most 4): a pure function
 * of the line version, so that groups do not depend on how the units came in.
 *
 *   unit head, 8 bytes:  state u8, flags u8, unfinished stations u16, dead stations u16, digest of the key that it came with u16
 *   per station, 16:     state u8, attempts u8, flags u8, round u8 (how often a review sent it back), newest assignment u48, result u48 (where it is not
 *     done: of the round before, or a review's last verdict)
 *     with copies, until it is done, in place of the result: wanted u8 (0: the station's least), counted u8, held u8, begun u8 (of those held),
 *     spare u16 (copies.c); then the result is the outcome, made of the answers, and cites the assignment that it follows
 *
 * From the newest assignment, `prev` leads through all the earlier ones of that task: with HISTORY that is the unit's whole story.
 * Assignments are kept as long as their run, so that a late submit finds out whose it was. A segment is cut where a frame of a peer ends
 * (never where a commit ends), where the run changes, or when it is full: batching does not change the state.
 *
 * To change a record: add fields at its end where the reader takes the length into account, else raise STORE_FORMAT_VERSION (store.h) and write
 * the step from the old one (upgrade.c); keep a store made by each released version in the tests. */
#ifndef SUNLINE_ENGINE_RECORDS_H
#define SUNLINE_ENGINE_RECORDS_H
#include <endian.h>
#include <stdint.h>
#include <string.h>

enum name_kind { NAME_LINE = 1, NAME_RUN = 2, NAME_HUB = 3, NAME_WORKER = 4, NAME_SHIFT = 5 /* hub u32, name */ };

enum task_state { TASK_BLOCKED, TASK_WAITING, TASK_READY, TASK_ASSIGNED, TASK_STARTED, TASK_DONE, TASK_SKIPPED, TASK_DEAD, TASK_ENDED, TASK_STATES };
enum unit_state { UNIT_OPEN, UNIT_DONE, UNIT_DROPPED, UNIT_CANCELLED };
enum assign_state { ASSIGN_HANDED, ASSIGN_STARTED, ASSIGN_COUNTED, ASSIGN_LATE, ASSIGN_RETURNED };
/* Why a task became ready, or an assignment ended without a result; numbers are part of events and of the protocol. */
enum why { WHY_NEW, WHY_UPSTREAM, WHY_DELAY, WHY_RELEASED, WHY_DECLINED, WHY_EXPIRED, WHY_FAILED, WHY_REQUEUED, WHY_RECALLED, WHY_BURIED, WHY_DROPPED, WHY_COPIES, WHY_REJECTED, WHY_OFFERED,
           WHY_STAFFED = 15, WHY_SUSPENDED = 17 };
enum dead_why { DEAD_ATTEMPTS, DEAD_BURIED, DEAD_TOO_BIG, DEAD_NO_AGREEMENT, DEAD_REJECTED, DEAD_NOBODY = 6, DEAD_NO_JURY, DEAD_KEPT_OUT };
enum run_state { RUN_OPEN, RUN_CLOSED, RUN_DONE, RUN_CANCELLED, RUN_DELETING };
enum sweep_what { SWEEP_RECALL_RUN = 1, SWEEP_RECALL_STATION, SWEEP_CANCEL, SWEEP_DELETE, SWEEP_REQUEUE, SWEEP_DROP, SWEEP_STAFFED, SWEEP_UNSTAFFED };
enum line_state { LINE_ACTIVE, LINE_PAUSED, LINE_DELETED };
enum lane { LANE_RETURNED, LANE_FRESH, LANES };
#define READY_SKIPS 0x80 /* with a lane: what a worker need not look at there (skip.c) */

#define STATE_UNIT_BYTES 8
#define STATE_STATION_BYTES 16
#define STATE_UNIT_FLAGS 1 /* where they lie within the 8 bytes of a unit's head */
#define STATE_UNIT_KEY 6
#define STATE_GROUP_BYTES_MAX 2056 /* one unit of a line with the most stations */
#define ST_STATE 0 /* where they lie within a station's 16 bytes */
#define ST_ATTEMPTS 1
#define ST_FLAGS 2
#define ST_ROUND 3
#define ST_ASSIGN 4
#define ST_RESULT 10
#define ST_WANTED 10
#define ST_COUNTED 11
#define ST_HELD 12
#define ST_BEGUN 13
#define UNIT_FLAG_KEY 1            /* of a unit: it came with an idempotency key */
#define PRODUCERS_UNKNOWN UINT32_MAX
#define PRODUCER_ROWS_AT 32 /* within its record */
#define STATE_FLAG_DECLINED 1      /* somebody declined this task, or with copies answered it too late: look before offering it */
#define STATE_FLAG_AUTHORS 2       /* sent back, and for a while its author's alone */
#define STATE_FLAG_EXHAUSTED 4     /* of a review: it rejected, and there is no round left (review.c) */

/* The result of a task, as it is handed on; 0: none yet. */
#define st_result(t) ((t)[ST_STATE] == TASK_DONE ? get_u48((t) + ST_RESULT) : 0)

static inline unsigned state_shift(uint32_t stations)
{
    unsigned shift = 0;
    while (shift < 4 && ((STATE_UNIT_BYTES + STATE_STATION_BYTES * stations) << (shift + 1)) <= 2000)
        shift++;
    return shift;
}

/* META "engine": what others than engine.c look at. */
#define META_KEY "engine"
#define META_RUN_AT 4         /* the newest run, u32 */
#define META_STATION_AT 16    /* the newest station, u32 */
#define META_ASSIGNMENT_AT 20 /* the newest assignment, u64 */
#define META_EVENT_AT 36      /* the newest event, u64 */
#define META_OLDEST_EVENT_AT 60 /* and the oldest that is kept, u64 */
#define META_WALL_AT 76       /* wall clock of the last commit, i64 */
#define META_0_1_0_BYTES (META_WALL_AT + 8 + 8 * (SL_PRIORITY_MAX + 1)) /* as 0.1.0 left it; any later one is longer */
#define META_BYTES_MAX 256

/* One assignment inside its segment: ASSIGN_HEAD_BYTES (run, station, hub, how many u32, when they were made: wall i64, elapsed i64), then ASSIGN_BYTES each. */
#define ASSIGN_HEAD_BYTES 32
#define ASSIGN_BYTES 64
#define ASSIGN_SEGMENT_MAX 54

/* One result inside its segment: the assignment u48, when it was done by the hub's clock i64 (0: not told), the packed values. A verdict that counted: behind its
 * station's values the number of the result that it is about. */
#define RESULT_HEAD_BYTES 14

/* ---- little-endian packing ---- */
static inline void put_u16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); }
static inline void put_u32(uint8_t *p, uint32_t v) { v = htole32(v); memcpy(p, &v, 4); } /* one store: compilers do not see through a loop */
static inline void put_u48(uint8_t *p, uint64_t v) { v = htole64(v); memcpy(p, &v, 6); }
static inline void put_u64(uint8_t *p, uint64_t v) { v = htole64(v); memcpy(p, &v, 8); }
static inline uint16_t get_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t get_u32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline uint64_t get_u48(const uint8_t *p) { return get_u32(p) | (uint64_t)get_u16(p + 4) << 32; }
static inline uint64_t get_u64(const uint8_t *p) { return get_u32(p) | (uint64_t)get_u32(p + 4) << 32; }

/* A record being written or read field by field. Reading past the end yields zeros and sets `bad`: a damaged or foreign record. */
struct rec { uint8_t *p; size_t n, cap; int bad; };
static inline void rec_u8(struct rec *r, uint8_t v) { if (r->n + 1 > r->cap) { r->bad = 1; return; } r->p[r->n++] = v; }
static inline void rec_u16(struct rec *r, uint16_t v) { if (r->n + 2 > r->cap) { r->bad = 1; return; } put_u16(r->p + r->n, v); r->n += 2; }
static inline void rec_u32(struct rec *r, uint32_t v) { if (r->n + 4 > r->cap) { r->bad = 1; return; } put_u32(r->p + r->n, v); r->n += 4; }
static inline void rec_u64(struct rec *r, uint64_t v) { if (r->n + 8 > r->cap) { r->bad = 1; return; } put_u64(r->p + r->n, v); r->n += 8; }
static inline void rec_i64(struct rec *r, int64_t v) { rec_u64(r, (uint64_t)v); }
static inline void rec_bytes(struct rec *r, const void *p, size_t n) { if (r->n + n > r->cap) { r->bad = 1; return; } if (n) memcpy(r->p + r->n, p, n); r->n += n; }
static inline void rec_str(struct rec *r, const void *p, size_t n) { rec_u16(r, (uint16_t)n); rec_bytes(r, p, n); }
static inline void rec_varint(struct rec *r, uint64_t v) { while (v >= 0x80) { rec_u8(r, (uint8_t)(v | 0x80)); v >>= 7; } rec_u8(r, (uint8_t)v); }
static inline void rec_zigzag(struct rec *r, int64_t v) { rec_varint(r, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }

struct rdr { const uint8_t *p, *end; int bad; };
static inline struct rdr rdr_on(const void *p, size_t n) { return (struct rdr){ (const uint8_t *)p, (const uint8_t *)p + n, 0 }; }
static inline const uint8_t *rdr_bytes(struct rdr *r, size_t n) { if ((size_t)(r->end - r->p) < n) { r->bad = 1; r->p = r->end; return 0; } const uint8_t *q = r->p; r->p += n; return q; }
static inline uint8_t rdr_u8(struct rdr *r) { const uint8_t *q = rdr_bytes(r, 1); return q ? *q : 0; }
static inline uint16_t rdr_u16(struct rdr *r) { const uint8_t *q = rdr_bytes(r, 2); return q ? get_u16(q) : 0; }
static inline uint32_t rdr_u32(struct rdr *r) { const uint8_t *q = rdr_bytes(r, 4); return q ? get_u32(q) : 0; }
static inline uint64_t rdr_u64(struct rdr *r) { const uint8_t *q = rdr_bytes(r, 8); return q ? get_u64(q) : 0; }
static inline int64_t rdr_i64(struct rdr *r) { return (int64_t)rdr_u64(r); }
static inline const char *rdr_str(struct rdr *r, size_t *n) { *n = rdr_u16(r); const uint8_t *q = rdr_bytes(r, *n); if (!q) *n = 0; return (const char *)q; }
static inline uint64_t rdr_varint(struct rdr *r)
{
    uint64_t v = 0;
    for (int s = 0; s < 64; s += 7) {
        uint8_t b = rdr_u8(r);
        v |= (uint64_t)(b & 0x7f) << s;
        if (!(b & 0x80))
            return v;
    }
    r->bad = 1;
    return 0;
}
static inline int64_t rdr_zigzag(struct rdr *r) { uint64_t v = rdr_varint(r); return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* ---- ranges of numbers, in order: what READY, DELAY and events hold ---- */
struct range { uint64_t first; uint64_t count; };
#define RANGES_MAX 180 /* in one segment: at most 20 bytes each when packed */
struct ranges { uint32_t n, cap; struct range *v; uint64_t total; };

#endif
