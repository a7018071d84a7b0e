/* Items of the protocol to rows of sunline.h, and what can be told from them. */
#include "client/internal.h"

void sl__station_row(struct sl_station_row *out, const struct slp_item_station_row *in)
{
    *out = (struct sl_station_row){
        .station_id = in->station_id,
        .version = in->version,
        .paused = in->paused,
        .blocked = in->blocked,
        .waiting = in->waiting,
        .ready = in->ready,
        .assigned = in->assigned,
        .started = in->started,
        .done = in->done,
        .skipped = in->skipped,
        .dead = in->dead,
        .ended = in->ended,
        .mean_us = in->mean_us,
        .at_once = in->at_once,
        .in_hand = in->in_hand,
        .per_day = in->per_day,
    };
    sl__copy(out->line, sizeof out->line, in->line);
    sl__copy(out->name, sizeof out->name, in->name);
}

void sl__run_row(struct sl_run_row *out, const struct slp_item_run_row *in)
{
    *out = (struct sl_run_row){
        .run_id = in->run_id,
        .version = in->version,
        .state = in->state,
        .priority = in->priority,
        .paused = in->paused,
        .units = in->units,
        .done = in->done,
        .dropped = in->dropped,
        .cancelled = in->cancelled,
        .dead = in->dead,
        .created_wall_us = in->created_wall_us,
        .changed_wall_us = in->changed_wall_us,
    };
    sl__copy(out->name, sizeof out->name, in->name);
    sl__copy(out->line, sizeof out->line, in->line);
}

/* Is there anything left to wait for? Dead tasks end the waiting only when nothing else can move: other stations may
 * still work on the units that they hold up. */
bool sl__run_over(const struct sl_run_row *r, const struct sl_station_row *stations, uint32_t n, int *code)
{
    if (r->state == SL_RUN_IS_DONE) {
        *code = SL_OK;
        return true;
    }
    if (r->state == SL_RUN_IS_CANCELLED || r->state == SL_RUN_IS_BEING_DELETED) {
        *code = SL_RUN_CANCELLED;
        return true;
    }
    if (r->state != SL_RUN_IS_CLOSED || r->dead == 0 || r->done + r->dropped + r->cancelled + r->dead < r->units)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (stations[i].waiting + stations[i].ready + stations[i].assigned + stations[i].started > 0)
            return false;
    *code = SL_ONLY_DEAD;
    return true;
}
