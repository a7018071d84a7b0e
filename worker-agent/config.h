/* The hub file: who works here, which robots run here, where the broker is. docs/agent.md is its manual; config.c holds
 * the tables of keys.
 * Every mistake is told with file, line, column and key: "hub.yml:12:7: unknown key 'skils', did you mean 'skills'?".
 * */
#ifndef SUNLINE_AGENT_CONFIG_H
#define SUNLINE_AGENT_CONFIG_H
#include "worker-agent/core.h"
#include "worker-agent/shift.h"

enum runner_kind { RUNNER_NONE, RUNNER_EXEC, RUNNER_COPROCESS };

/* A shift that somebody works by. The same pattern in another zone, or with a worker's own days off, is a shift of its own, named after
 * both: "day", "day Asia/Kolkata", "day (asha)". */
struct hub_shift { const char *name, *zone, *text; struct shift shift; };
struct hub_skill { const char *name; uint32_t level; int64_t until_wall_us; }; /* until 0: without end */
struct hub_member { /* a person or a robot */
    const char *id, *title, *team;     /* title, team: "" if not given */
    bool robot;
    uint32_t capacity, prefetch, per_day; /* per_day 0: no limit */
    uint32_t skill_count;
    const struct hub_skill *skills;
    const struct hub_shift *shift;     /* NULL: whenever he is signed in; a robot always */
    /* robots only */
    enum runner_kind runner;
    const char *const *command;        /* ends with NULL */
    const char *const *env;            /* "NAME=value", ends with NULL */
    const char *cwd;                   /* NULL: the agent's */
    int64_t time_limit_us;
    uint32_t output_bytes_max;         /* of one task */
    int line;                          /* where it stands in the file */
};

struct hub_config {
    const char *hub, *zone, *broker, *data, *local;
    int64_t grace_us, drain_us, idle_us;
    uint32_t member_count;
    const struct hub_member *members;  /* people, then robots, each in the file's order */
    /* the same, as the broker gets it; digest: SHA-256 of the packed members in order of their ids */
    struct core_roster roster;
    uint32_t shift_count;
    struct hub_shift **shifts;
    struct arena_chunk *arena;
    uint32_t holders; /* beside its owner */
};

typedef void config_problem(void *arg, const char *text); /* "hub.yml:12:7: ..." */

/* Read and check. NULL after at least one problem. */
struct hub_config *hub_config_load(const char *path, config_problem *problem, void *arg);
/* One more who may look into it until he frees it, too: robots that are still at work when the next one is read. */
struct hub_config *hub_config_hold(struct hub_config *c);
void hub_config_free(struct hub_config **c); /* the last one frees; safe to repeat */
const struct hub_member *hub_config_member(const struct hub_config *c, const char *id); /* NULL: no such */
#endif
