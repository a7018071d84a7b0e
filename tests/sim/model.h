/* An executable model of what PROTOCOL.md says about units, tasks and assignments: small, in memory, slow, obviously right. It is used beside the
 * engine: the same commands to both must give the same answers and the same counters. Which worker gets which task is the engine's choice; the model
 * is told (model_push) and says whether it was allowed, and whether anybody was left idle who could have worked. One hub, one run, one result a task, nobody
 * works by shifts, and everybody stays on the roster: copies, reviews, shifts and what tells hubs and teams apart are the checker's matter (checker.h). */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_STATIONS 4
#define MODEL_UNITS_MAX 400
#define MODEL_ASSIGNMENTS_MAX 8000
#define MODEL_WORKERS 3

enum m_task { M_BLOCKED, M_WAITING, M_READY, M_ASSIGNED, M_STARTED, M_DONE, M_SKIPPED, M_DEAD, M_ENDED, M_TASKS };
enum m_assignment { M_HANDED, M_BEGUN, M_COUNTED, M_LATE, M_RETURNED };
enum m_code { M_OK = 0, M_DUPLICATE = 1, M_IS_LATE = 2, M_NOT_FOUND = 30, M_STALE = 32, M_BAD_STATE = 40, M_RUN_CLOSED = 41, M_NOT_YOURS = 43 };
enum m_act { M_START, M_TOUCH, M_RELEASE, M_DECLINE, M_FAIL, M_BURY };

/* not_did: bits of stations; who did one of them for a unit does not get this one. at_once, per_day: 0: no limit. */
struct m_station { uint32_t after, attempts, not_did, at_once, per_day; bool humans_only; int when_on, when_is; int64_t lease_us, start_by_us, backoff_us; }; /* when_on -1: always */
struct model {
    struct m_station st[MODEL_STATIONS];
    int64_t now_us, wall_off_us; /* wall time: now_us + wall_off_us */
    uint32_t units;
    struct m_unit {
        uint8_t state; /* 0 open, 1 done, 2 dropped, 3 cancelled */
        struct { uint8_t state; uint32_t attempts; uint64_t holder; int64_t due_us; int route; uint64_t turn; bool dispatched, for_want; } task[MODEL_STATIONS];
    } unit[MODEL_UNITS_MAX + 1]; /* from 1 */
    uint64_t assignments, turns;
    struct { uint32_t unit, station, worker; uint8_t state; int why; int64_t due_us, given_us; bool back; } a[MODEL_ASSIGNMENTS_MAX + 1];
    struct { bool human, here; uint64_t credit; } worker[MODEL_WORKERS]; /* credit: what may still be sent */
    bool paused;
    uint64_t parked; /* so often nobody was left for a task */
    int run; /* 0 open, 1 closed, 2 done, 3 cancelled */
};

void model_put(struct model *m, uint32_t n);
enum m_code model_act(struct model *m, enum m_act act, uint64_t assignment, uint32_t worker, int64_t delay_us);
enum m_code model_submit(struct model *m, uint64_t assignment, uint32_t worker, int route);
void model_credit(struct model *m, uint32_t worker, uint64_t more);
void model_sign_off(struct model *m, uint32_t worker);
void model_pause(struct model *m, bool on);
enum m_code model_close(struct model *m);
enum m_code model_cancel(struct model *m);
uint64_t model_requeue(struct model *m, uint32_t station, uint32_t unit); /* unit 0: all that are dead there; how many are asked for */
uint64_t model_drop(struct model *m, uint32_t station, uint32_t unit);
void model_restart(struct model *m); /* the broker: credit and presence are gone, all else stands */
int64_t model_next_due(const struct model *m); /* INT64_MAX: nothing waits for time */
void model_time(struct model *m, int64_t now_us); /* now_us is at most model_next_due */

/* The engine has handed out a task: NULL, or why that was wrong. */
const char *model_push(struct model *m, uint64_t assignment, uint32_t worker, uint32_t station, uint32_t unit);
/* All pushes of this step were told: NULL, or who could have been given what. */
const char *model_idle(const struct model *m);

uint64_t model_count(const struct model *m, uint32_t station, enum m_task state);
uint64_t model_units(const struct model *m, uint8_t state);
#endif
