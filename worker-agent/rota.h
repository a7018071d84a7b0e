/* The rota: all shifts of a hub file, as the broker gets them, for the days that lie ahead of a moment. */
#ifndef SUNLINE_AGENT_ROTA_H
#define SUNLINE_AGENT_ROTA_H
#include "worker-agent/config.h"

#define ROTA_DAYS 8           /* at least so many days ahead */
#define ROTA_AGAIN_US 900000000ll /* how often to look whether it is still the same ... */
#define ROTA_RETRY_US 10000000ll  /* ... and how soon again if it could not be made */

/* What holds at wall_us. The days are cut at UTC's midnights, so it is the same all day (unless the zone database changes), and `digest` with it.
 * 0; or -1: this *zone cannot be read now, though it could when the file was; *zone NULL: no memory. Free it with rota_free, which is safe to repeat. */
int rota_make(const struct hub_config *c, int64_t wall_us, struct core_shifts *rota, const char **zone);
void rota_free(struct core_shifts *rota);

/* For --check: what each shift is in the next days, in its own time and in UTC, a line each. False: a zone cannot be read, which a line tells. */
bool rota_print(const struct hub_config *c, int64_t wall_us, void (*line)(void *arg, const char *text), void *arg);
#endif
