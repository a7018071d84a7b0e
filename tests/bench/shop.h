/* A broker's engine and store in this process, with a whole company around it: hubs full of workers with skills, lines of stations that ask for them.
 * What the engine sends is read, so that the hubs can answer. For benches that look at the engine's own cost, without a wire. */
#ifndef TESTS_BENCH_SHOP_H
#define TESTS_BENCH_SHOP_H
#include "broker/engine/engine.h"

struct shop_plan {
    const char *dir;
    uint32_t hubs, workers, on_shift; /* workers and on_shift: of a hub */
    uint32_t profiles, stations;      /* stations: five to a line, side by side */
    uint32_t copies;                  /* answers to a task; 0: one, and that is that */
};
/* Of each hub the first on_shift workers work by shift "day", which is on from the beginning, as many behind them by "night", which is off; the others by
 * none. */
struct shop_task { uint64_t assignment; uint32_t worker; };
struct shop_hub {
    uint64_t session, next_held;
    uint64_t *number, *granted; /* of each of its workers */
    struct shop_task *held;     /* given, not yet answered */
    uint32_t holds, held_cap;
};
struct cost { double wall_s, cpu_s; uint64_t instructions; }; /* of engine_step and engine_batch_end; instructions 0: cannot be counted here */
struct shop {
    struct shop_plan p;
    struct store *store;
    struct engine *engine;
    struct store_txn *t;
    struct effects out;
    struct shop_hub *hub;
    uint64_t *run;
    int64_t now_us, wall_us;
    uint64_t id, put, assigned;
    struct cost cost;       /* since shop_measure, while `counting` */
    bool counting, no_more; /* no_more: who hands in asks for nothing */
    double commit_s;
    struct slp_buf b, b2, frame;
    struct slp_msg reply;   /* the last one that was no push; its bytes lie in `kept` */
    struct slp_buf kept;
};

void shop_open(struct shop *s, const struct shop_plan *p); /* a new store, or the one that is there; BOOT is done */
void shop_close(struct shop *s);                           /* the store stays */
void shop_measure(struct shop *s);                         /* costs count from here on */
bool shop_counts(void);                                    /* instructions can be counted */
void shop_tick(struct shop *s);
void shop_commit(struct shop *s);                          /* the batch that is open; reads what was sent */
void shop_lines(struct shop *s);                           /* applies the lines, starts a run on each */
void shop_review(struct shop *s);                          /* instead: one line, where b reviews what others did at a */
void shop_hello(struct shop *s, uint32_t hub);             /* and its roster */
void shop_grant(struct shop *s, uint32_t hub, uint32_t first, uint32_t n, uint32_t more); /* credit for its workers first .. first + n - 1 */
void shop_sign_off(struct shop *s, uint32_t hub, uint32_t first, uint32_t n);
void shop_put(struct shop *s, uint32_t line, uint32_t units);
void shop_turn(struct shop *s, uint32_t hub, int64_t in_us); /* the hub tells: then the day ends and the night begins */
double shop_spent_s(const struct shop *s);                 /* in the engine, while `counting`, and in commits */
uint32_t shop_submit(struct shop *s, uint32_t hub, uint32_t n); /* results of what it holds, oldest first, and as much new credit; how many */
#endif
