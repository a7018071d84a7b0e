/* Rosters with kinds, skills, teams and shifts for tests of the engine: beside engine_world.h, whose world_hub gives everybody the same. */
#ifndef TESTS_ENGINE_STAFF_H
#define TESTS_ENGINE_STAFF_H
#include "tests/lib/engine_world.h"

struct staff { const char *name; unsigned kind; const char *skill; unsigned level; const char *team; }; /* kind 0 human; skill, team NULL: none */
struct staff_shift { const char *name, *zone; int64_t overtime_us; const int64_t *at_us; unsigned n; }; /* at_us: n beginnings and ends */

/* Hello, and this roster. h->worker[] are their numbers, in order; at most 8. */
void staff_hub(struct world *w, struct world_hub *h, const char *name, const struct staff *v, unsigned n);
void staff_roster(struct world *w, struct world_hub *h, const struct staff *v, unsigned n); /* another roster for the session */
void staff_shifts(struct world *w, struct world_hub *h, const struct staff_shift *v, unsigned n, int64_t until_us); /* all that the hub has; before the roster */
/* Each by the shift of that name, with so many tasks at a time. */
void staff_roster_by(struct world *w, struct world_hub *h, const struct staff *v, const char *const *shift, unsigned capacity, unsigned n);
uint64_t staff_why(struct world *w, struct world_hub *h, unsigned worker, const char **text); /* the code of `why`; text (may be NULL) until the next call */
/* The i-th assignment pushed to the hub since the last clear went to this worker of it; UINT_MAX: there is none. */
unsigned staff_got(struct world *w, struct world_hub *h, size_t i);
#endif
