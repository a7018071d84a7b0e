/* What the matcher keeps: gates, profiles, cells, masks and what is done with them. Part of internal.h. The idea stands at the head of match.c, the argument in
 * docs/adr/0013-matching.md. */
#ifndef SUNLINE_MATCHER_H
#define SUNLINE_MATCHER_H
#include "broker/engine/order.h"
#include "proto/linedef.h"

struct engine;
struct heads;
struct limit;
struct run;
struct station;
struct worker;

#define WORKER_MEASURED_MIN 8 /* assignments before a worker's measure says anything */

/* A worker is not asked at a gate: until something new lies in one of its queues, or until his day is over. */
enum mask_why { MASK_NOTHING, MASK_DAY, MASK_TURN, MASK_WHYS };

struct needs { uint32_t name; uint8_t level; }; /* a skill by its interned name */

/* What a station asks of a worker, whatever the task. Stations that ask the same share a gate; its number is its bit. One at which workers can be kept
 * out (bars.c) has a gate of its own, which its versions share as long as they ask the same. */
struct gate {
    bool used, listed; /* listed: it names hubs or teams */
    uint32_t key;      /* of the station whose own it is; 0: of all that ask the same */
    uint8_t kind, prefer;
    uint16_t skills;
    const struct ld_station *def; /* one of those that ask this: the texts are its */
    struct needs *skill;          /* ascending by name */
    struct mask *masks[MASK_WHYS]; /* workers who are not asked here */
    struct limit *limit;          /* its stations have this one: a gate of their own; NULL: they have none */
    uint32_t limit_next;          /* number + 1 of the limit's next gate */
    uint64_t *kin;                /* gates with which it shares workers; perhaps some more */
    uint32_t staff;               /* how many workers on rosters pass it, as of ... (staff.c) */
    uint64_t staff_at;            /* ... staff_changes + 1 */
    struct heads *heads;          /* the same where it must be counted; NULL: nobody asked yet */
    uint64_t clock[SL_PRIORITY_MAX + 1]; /* by priority: the virtual time of the run served last; memory only */
    uint32_t awake[SL_PRIORITY_MAX + 1]; /* queues of such runs that may have work here */
    uint16_t others;                     /* match_gates_anew: bits of priorities of which somebody is awake here already */
};

/* Workers of the same kind and skills. */
struct profile {
    uint32_t id, workers;   /* workers: who has it; without any it is freed */
    uint32_t hash;
    uint8_t kind;
    uint16_t skills;
    struct profile *hash_next;
    uint64_t *fits;         /* bit: a gate */
    struct needs skill[];   /* ascending by name */
};

/* Stations at which workers are kept out (bars.c). */
struct bar {
    uint32_t id, users, keys, hash; /* users: workers and cells that have it; without any it is freed */
    struct bar *hash_next;
    uint64_t *bits;                 /* the gates that it shuts */
    uint32_t key[];                 /* ascending */
};

enum idle_list { IDLE_ALL, IDLE_HUB, IDLE_LISTS };

/* Workers between whom no gate tells a difference: of one profile, where a gate prefers the best of one class (worker_class), and, where a gate names their
 * hub or their team, of that hub and team. Those who are idle stand in its list, the one idle the longest first. A worker with masks has a cell of his own. */
struct cell {
    struct profile *profile;
    struct bar *bar;        /* NULL: its workers are kept out of nowhere */
    struct worker *solo;
    uint32_t id, hub, team; /* hub, team 0: of any that no gate names */
    uint8_t class;
    bool of_hub, listed;    /* of_hub: in its hub's order, for `prefer: hub`; listed: somebody is idle, and it stands in the orders */
    struct worker *first, *last;
    uint64_t *bits;         /* the gates that its workers pass */
    uint32_t workers;       /* who belong to it, idle or not */
    struct cell *hash_next; /* of the free list, too */
};

struct mask {
    struct worker *w;
    uint32_t gate;
    uint8_t why;
    uint16_t rank;         /* of MASK_TURN: what lies behind this place in the order of runs and their stations is his again */
    struct order_key upto;
    struct mask *w_next, *g_prev, *g_next;
};

struct matcher {
    uint32_t words;               /* of a set of gates */
    struct gate *gate;
    uint32_t gates, gate_cap, listed, best, by_hub; /* listed .. by_hub: how many of them name hubs or teams, prefer the best, the hub */
    struct profile **profile;     /* by id - 1; NULL: freed */
    uint32_t profiles, profile_cap, *free_profile, free_profiles, free_profile_cap;
    struct profile **profile_slot; /* by hash */
    uint32_t profile_slots, profiles_used;
    struct cell **cell;           /* by id - 1 */
    uint32_t cells, cell_cap, cells_used, cell_slots;
    struct cell **cell_slot, *free_cells;
    struct mask *free_masks;
    uint32_t turns;               /* how many masks are MASK_TURN: none between steps */
    struct bar **bar_slot;        /* by hash */
    uint32_t bar_slots, bars, bar_ids;
    struct order idle, best_idle, runs; /* cells by the one idle the longest; by class first; runs by priority, then virtual time */
    uint32_t idle_root, best_root, run_root;
    bool best_kept;               /* best_idle is: some gate prefers the best */
    uint64_t *scratch, *blocked;  /* sets of gates: for one question; gates whose stations are as full as they may be */
    bool *team_named;             /* by interned name: a gate names this team */
    uint32_t team_named_cap;
    uint64_t idle_seq;
};

/* mask.c: who is not asked where */
void mask_add(struct engine *e, struct worker *w, uint32_t gate, enum mask_why why);
/* He is not asked at this gate before the turn of this place has come. */
void mask_turn(struct engine *e, struct worker *w, uint32_t gate, struct order_key upto, uint16_t rank);
bool mask_turn_came(struct engine *e, struct order_key at, uint16_t rank); /* the first of such masks falls, if that is no further; false: it is, or there is none */
bool mask_turn_before(const struct worker *w, struct order_key at, uint16_t rank); /* he has one of a place before this one */
void mask_clear(struct engine *e, struct worker *w);
void masks_news(struct engine *e, uint32_t gate); /* something new lies in one of its queues */
void mask_clear_days(struct engine *e, struct worker *w); /* his day is over, or he gave something back */
void masks_day(struct engine *e, uint32_t gate);          /* what a day may bring there is another number */
bool mask_has(const struct worker *w, uint32_t gate);
void masks_free(struct engine *e);
#endif
