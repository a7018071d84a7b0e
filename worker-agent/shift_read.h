/* Shifts as the hub file writes them (docs/agent.md), read into struct shift:
 *
 *   day:
 *     week: {mon-fri: 08:00-12:00 13:00-17:00, sat: 08:00-12:00}
 *     off: [2026-12-25, 2026-12-28..2027-01-02]
 *     extra: {2026-12-27: 10:00-14:00}
 *     from: {2027-03-01: {mon-thu: 07:00-15:00}}
 *     overtime: 30m
 *
 * Every mistake is told with its place. What is made lies in the arena. */
#ifndef SUNLINE_AGENT_SHIFT_READ_H
#define SUNLINE_AGENT_SHIFT_READ_H
#include "worker-agent/arena.h"
#include "worker-agent/shift.h"
#include "worker-agent/yamlmap.h"

#define SHIFT_OVERTIME_DEFAULT_US 1800000000ll

/* `name` is for messages. *text: the pattern in a line, for people. After a mistake *to is not to be used. */
void shift_read(struct yaml_walk *w, struct arena *a, const yaml_node_t *node, const char *name, struct shift *to,
                const char **text);
bool shift_read_date(struct yaml_walk *w, const yaml_node_t *node, int64_t *day); /* YYYY-MM-DD; days since 1970. False: reported */
/* A list of days off, `more` behind those of `base` (so that both hold). Returns the whole list, *count long; NULL: none or no memory. */
const struct shift_off *shift_read_off(struct yaml_walk *w, struct arena *a, const yaml_node_t *node,
                                       const struct shift *base, uint32_t *count);
#endif
