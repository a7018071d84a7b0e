/* The skills of a worker that count at this moment, each with its source. */
#ifndef SUNLINE_ENGINE_SKILLS_H
#define SUNLINE_ENGINE_SKILLS_H
#include "proto/codec.h"

struct engine;
struct worker;

enum skill_source { SKILL_DECLARED, SKILL_GRANTED, SKILL_LOWERED, SKILL_EXPIRED }; /* by the hub, by an operator; by a rule of control tasks; the last is only told: what had been declared or granted is over */

struct skill_set {
    uint32_t n;
    struct slp_item_skill v[SL_SKILLS_MAX]; /* source is set; names lie in what was declared, or in `name` */
    int64_t due_us;  /* wall time at which the next of them ends; INT64_MAX: none does */
    bool expires;    /* any has an end, perhaps behind us: a clock that is set back may matter */
    char name[SL_SKILLS_MAX][SL_NAME_BYTES_MAX];
};

/* The same without an engine, for readers: from the roster's list and the worker's record in SKILL (n 0: none). False: the record is damaged. */
bool skills_sum(const struct slp_list *declared, const void *record, size_t n, int64_t wall_us, struct skill_set *s);
void skills_of(struct engine *e, uint32_t worker, const struct slp_list *declared, struct skill_set *s);
void skills_loaded(struct engine *e, uint32_t worker, const struct slp_list *declared, struct skill_set *s); /* at the start: as they stood */
/* The worker's skills count until then (of skills_of); he is looked at again. */
void skills_watch(struct engine *e, struct worker *w, const struct skill_set *s);
void skills_forget(struct engine *e, struct worker *w); /* he left */
/* The beginning of each step: what has expired counts no more, and is told. So many workers at most; with more, the engine asks for another step at once. */
#define SKILLS_A_STEP 500
void skills_now(struct engine *e);
/* Something that he could do has ended, and he was not looked at yet: he is given nothing until he was, or until it ends no more, since the clock was set back. */
bool skills_ended(struct engine *e, const struct worker *w);
bool skills_backlog(const struct engine *e); /* there is more of that to do at once */
int64_t skills_next_due(const struct engine *e);        /* elapsed time */
void skills_free(struct engine *e);

/* An operator's word; false: with the others it is more than a worker may have. level 0: the broker's own word on this skill is taken back, be it a grant or a lowering. */
bool skill_grant(struct engine *e, struct worker *w, struct slp_bytes name, uint8_t level, int64_t until_us);
bool skill_lower(struct engine *e, struct worker *w, struct slp_bytes name); /* by one level, for good; false: he has none, or is on no roster */
#endif
