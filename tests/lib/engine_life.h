/* A random life of the engine: two runs of a line with branches, two hubs of two workers each, and whatever producers, workers, operators and the clock
 * may do to them, in an order that only the seed decides. The inputs do not depend on answers, so the same life can be lived in batches of any size. */
#ifndef TESTS_ENGINE_LIFE_H
#define TESTS_ENGINE_LIFE_H
#include "tests/lib/engine_world.h"

struct life {
    uint64_t seed;
    unsigned steps, batch;
    unsigned restart_at; /* after this step (0: never) the broker starts anew, and the hubs say hello again ... */
    bool really;         /* ... from the store; false: the engine only hears that it did */
    unsigned at_once;    /* so many tasks of the first station may be in hand; 0: any number */
};
void life_live(struct world *w, const struct life *l); /* opens the world; the caller closes it */
#endif
