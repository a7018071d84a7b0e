/* What operators do to workers: suspend and readmit, grant and revoke. */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/standing.h"

enum { SUSPEND, READMIT, GRANT, REVOKE };

static void standing_command(struct engine *e, struct worker *w, const struct slp_worker_set *q)
{
    if (!SLP_IS(q, worker_set, line) || !SLP_IS(q, worker_set, station)) {
        reply_error(e, SLP_E_MISSING_FIELD, SLP_IS(q, worker_set, line) ? "station" : "line", "which station?");
        return;
    }
    struct line *l = line_named(e, q->line);
    struct station *key = l ? station_named(e, l, q->station) : NULL;
    if (!key) {
        if (l)
            reply_error(e, SLP_E_NOT_FOUND, "station", "line %s has no station %.*s", l->name.s, (int)q->station.n,
                        q->station.p);
        else
            reply_error(e, SLP_E_NOT_FOUND, "line", "there is no line %.*s", (int)q->line.n, q->line.p);
        return;
    }
    struct repute *r = repute_of(e, w->id, key->id);
    enum standing to = q->action == SUSPEND ? STANDING_SUSPENDED : STANDING_GOOD;
    bool changes = r && r->standing != to;
    if (changes)
        standing_set(e, w, key->id, to, q->reason.p, q->reason.n);
    reply_done(e, changes);
}

static void skill_command(struct engine *e, struct worker *w, const struct slp_worker_set *q)
{
    uint64_t level = SLP_IS(q, worker_set, level) ? q->level : 1;
    if (!SLP_IS(q, worker_set, skill)) {
        reply_error(e, SLP_E_MISSING_FIELD, "skill", "which skill?");
        return;
    }
    if (q->action == GRANT && level == 0) {
        reply_error(e, SLP_E_BAD_VALUE, "level", "a level is 1 to %d", SL_SKILL_LEVEL_MAX);
        return;
    }
    if (q->action == GRANT && SLP_IS(q, worker_set, until_wall_us) && q->until_wall_us <= e->wall_us) {
        reply_error(e, SLP_E_BAD_VALUE, "until_wall_us", "that is over");
        return;
    }
    if (!skill_grant(e, w, q->skill, q->action == GRANT ? (uint8_t)level : 0,
                     SLP_IS(q, worker_set, until_wall_us) ? q->until_wall_us : 0)) {
        reply_error(
            e, SLP_E_TOO_MANY, "skill",
            "this worker has as many skills as can be: %d, those of his hub and those granted or lowered by the broker",
            SL_SKILLS_MAX);
        return;
    }
    reply_done(e, 1);
}

void on_worker_set(struct engine *e, const struct slp_msg *m)
{
    const struct slp_worker_set *q = &m->u.worker_set;
    struct worker *w = worker_by_name(e, q->name);
    if (!w) {
        reply_error(e, SLP_E_NOT_FOUND, "name", "there is no worker %.*s", (int)q->name.n, q->name.p);
        return;
    }
    if (q->action <= READMIT)
        standing_command(e, w, q);
    else
        skill_command(e, w, q);
}
