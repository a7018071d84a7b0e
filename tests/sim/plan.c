/* From a seed to a world: how many, how fast, how bad. About half of the kinds of faults are absent in each world, so that worlds differ. */
#include <inttypes.h>

#include "tests/sim/sim.h"

static uint32_t sometimes(struct rng *r, uint32_t max_ppm)
{
    return rng_chance(r, 500000) ? 0 : (uint32_t)rng_spread(r, 100, max_ppm);
}

static int64_t now_and_then(struct rng *r, int64_t lo, int64_t hi) /* the mean time between two; NEVER: not at all */
{
    return rng_chance(r, 400000) ? NEVER : rng_spread(r, lo, hi);
}

/* The rest of what --no takes away: here nothing else of the plan changes with it, so that a world that shrinks stays the world it was. */
static void leave_out(struct plan *p, const struct options *o)
{
    if (o->no_subscribers)
        p->watchers = 0;
    if (o->no_staff)
        p->staff = 1;
    if (o->no_twins)
        p->takeover_every_us = NEVER;
    if (o->no_damage)
        p->damage_ppm = 0;
    if (o->no_restores)
        p->lose_every_us = NEVER;
    p->bars = p->bars && !o->no_bars;
    p->contests = p->contests && !o->no_tournaments;
    p->scarce = p->scarce && !o->no_scarce;
    if (o->no_portions)
        p->portion_max = 0;
    if (o->no_alike) {
        p->alike = p->apart = false;
        p->meddle_every_us = NEVER;
    }
}

/* Few hubs, hands and tasks, so that much can happen to the same ones, and quickly after each other. */
static void make_dense(struct plan *p, struct rng *r)
{
    p->dense = true;
    p->hours_us = p->hours_us < 16 * HOUR ? p->hours_us : 16 * HOUR;
    p->hubs = (uint32_t)rng_range(r, 2, 4);
    p->staff = (uint32_t)rng_range(r, 2, 5);
    p->lines = (uint32_t)rng_range(r, 1, 2);
    p->runs = (uint32_t)rng_range(r, 1, 3);
    p->rows = (uint32_t)rng_range(r, 30, 200);
    p->judge_every_us = rng_spread(r, 5 * SEC, 3 * MINUTE);
    p->roster_every_us = rng_spread(r, MINUTE, 20 * MINUTE);
    p->crash_every_us = rng_spread(r, 30 * SEC, 20 * MINUTE);
    p->down_max_us = rng_spread(r, SEC, MINUTE);
    p->operate_every_us = rng_spread(r, 10 * SEC, 5 * MINUTE);
    p->agent_crash_every_us = rng_spread(r, 5 * MINUTE, HOUR);
    p->agent_down_max_us = rng_spread(r, SEC, 2 * MINUTE);
    p->decline_ppm = (uint32_t)rng_range(r, 50000, 400000);
    p->forget_ppm = (uint32_t)rng_range(r, 20000, 150000);
    p->release_ppm = (uint32_t)rng_range(r, 20000, 150000);
    p->fail_ppm = (uint32_t)rng_range(r, 20000, 150000);
    p->bury_ppm = (uint32_t)rng_range(r, 5000, 50000);
    p->reapplies = true;
}

void plan_make(struct plan *p, const struct options *o)
{
    struct rng sr = rng_of(o->seed, "plan", 0), *r = &sr;
    *p = (struct plan){ .seed = o->seed };
    p->hours_us = (o->hours >= 0 ? o->hours : rng_range(r, 6, 36)) * HOUR;
    p->hubs = (uint32_t)rng_spread(r, 2, HUBS_MAX);
    p->staff = (uint32_t)rng_range(r, 1, STAFF_MAX);
    p->lines = (uint32_t)rng_range(r, 1, LINES_MAX);
    p->runs = (uint32_t)rng_range(r, 2, 8);
    p->rows = (uint32_t)rng_spread(r, 30, 1500);
    p->watchers = (uint32_t)rng_range(r, 1, WATCHERS_MAX - 1); /* beside who watches a line */

    p->loss_ppm = sometimes(r, 300000);
    p->dup_ppm = sometimes(r, 500000);
    p->late_ppm = sometimes(r, 20000);
    p->reorder = rng_chance(r, 500000);
    p->delay_max_us = rng_spread(r, 2000, 20 * SEC);
    p->late_max_us = rng_spread(r, MINUTE, 4 * HOUR);
    p->cut_every_us = now_and_then(r, 10 * MINUTE, 12 * HOUR);
    p->cut_max_us = rng_spread(r, 10 * SEC, 3 * HOUR);
    p->relink_every_us = now_and_then(r, 10 * MINUTE, 12 * HOUR);

    p->agent_crash_every_us = now_and_then(r, 20 * MINUTE, DAY);
    p->agent_down_max_us = rng_spread(r, 5 * SEC, 2 * HOUR);
    p->freeze_every_us = now_and_then(r, HOUR, DAY);
    p->power_ppm = (uint32_t)rng_range(r, 0, 500000);
    p->confuse_every_us = now_and_then(r, 5 * MINUTE, 6 * HOUR);

    p->crash_every_us = now_and_then(r, 5 * MINUTE, 12 * HOUR);
    p->down_max_us = rng_spread(r, SEC, HOUR);
    p->pressure_every_us = now_and_then(r, 10 * MINUTE, 6 * HOUR);
    p->wall_every_us = now_and_then(r, HOUR, DAY);
    p->batch_max_us = rng_spread(r, 1, 2 * SEC);
    p->sync_max_us = rng_spread(r, 50, SEC);
    p->batch_max = (uint32_t)rng_spread(r, 1, 200);
    p->reboot_ppm = 300000;
    p->io_ppm = (uint32_t)rng_range(r, 0, 500000);
    p->heartbeat_us = rng_spread(r, 20 * SEC, 2 * MINUTE);
    p->grace_us = p->heartbeat_us * rng_range(r, 4, 10);
    p->start_by_us = rng_spread(r, 2 * MINUTE, 2 * HOUR);
    p->quota = rng_chance(r, 200000) ? (uint64_t)rng_range(r, 8, 60) : 0;

    p->decline_ppm = sometimes(r, 300000);
    p->fail_ppm = sometimes(r, 200000);
    p->bury_ppm = sometimes(r, 50000);
    p->forget_ppm = sometimes(r, 100000);
    p->release_ppm = sometimes(r, 100000);
    p->bad_ppm = sometimes(r, 20000);

    p->operate_every_us = now_and_then(r, 2 * MINUTE, 2 * HOUR);
    p->cancels = rng_chance(r, 300000);
    p->drops = rng_chance(r, 500000);
    p->reapplies = rng_chance(r, 500000);
    p->deletes = rng_chance(r, 100000);
    p->alike = rng_chance(r, 200000);

    p->agent_copy_every_us = now_and_then(r, 20 * MINUTE, DAY);
    p->takeover_every_us = now_and_then(r, HOUR, DAY);
    p->roster_every_us = now_and_then(r, 10 * MINUTE, 12 * HOUR);
    p->agent_wall_every_us = now_and_then(r, HOUR, DAY);
    p->agent_memory_ppm = sometimes(r, 2000);
    p->memory_ppm = rng_chance(r, 500000) ? 0 : (uint32_t)rng_range(r, 0, 400000);
    p->damage_ppm = sometimes(r, 300000);
    p->epochs = rng_chance(r, 700000);
    p->lapse_every_us = rng_spread(r, 5 * MINUTE, DAY);
    p->wal_bytes = rng_chance(r, 300000) ? 1 : rng_chance(r, 500000) ? 512 * (uint64_t)rng_spread(r, 8, 256) : 0;
    p->tick_late_us = rng_spread(r, 1000, 16 * SEC); /* a loop that has other things to do */

    struct rng cr = rng_of(o->seed, "copies", 0); /* a die of their own: the other worlds stay as they were */
    p->copies = !o->no_copies && !p->alike && rng_chance(&cr, 400000);

    struct rng vr = rng_of(o->seed, "reviews", 0);
    p->reviews = !o->no_reviews && !p->alike && rng_chance(&vr, 400000);

    struct rng tr = rng_of(o->seed, "contests", 0);
    p->contests = !o->no_copies && !p->alike && !p->reviews && rng_chance(&tr, 350000);
    p->scarce = !p->reviews && (p->copies || p->contests) && rng_chance(&tr, 500000);
    struct rng fewer = rng_of(o->seed, "scarce", 0); /* where one answer is enough, too */
    p->scarce = p->scarce || (!p->alike && !p->copies && !p->contests && rng_chance(&fewer, 300000));

    struct rng fr = rng_of(o->seed, "few hands", 0);
    uint32_t hubs = (uint32_t)rng_range(&fr, 2, 4);
    int64_t roster_every_us = rng_spread(&fr, 10 * MINUTE, 2 * HOUR);
    p->few = !o->no_few && !p->alike && !p->copies && !p->reviews && !p->contests && rng_chance(&fr, 250000);
    if (p->few) {
        p->scarce = true;
        p->hubs = p->hubs < hubs ? p->hubs : hubs;
        p->roster_every_us = p->roster_every_us < roster_every_us ? p->roster_every_us : roster_every_us;
    }

    struct rng jr = rng_of(o->seed, "judge every", 0);
    p->judge_every_us = rng_chance(&jr, 500000) ? NEVER : rng_spread(&jr, 20 * SEC, 2 * HOUR);

    struct rng wr = rng_of(o->seed, "bars", 1);
    p->bars = !p->alike && rng_chance(&wr, 400000);

    struct rng br = rng_of(o->seed, "restores", 1);
    p->backup_every_us = rng_spread(&br, 10 * MINUTE, 8 * HOUR);
    p->lose_every_us = rng_chance(&br, 750000) ? NEVER : rng_spread(&br, HOUR, 12 * HOUR);
    if (p->lose_every_us != NEVER)
        p->deletes = false; /* a run that is gone is begun again: whether it was lost or deleted, nobody knows */

    struct rng gr = rng_of(o->seed, "beside", 0);
    p->beside_ppm =
        p->wal_bytes == 1 || o->no_beside || rng_chance(&gr, 300000) ? 0 : (uint32_t)rng_range(&gr, 100000, 1000000);

    int64_t crash_every_us = rng_spread(&gr, 5 * MINUTE, 2 * HOUR);
    if (p->beside_ppm && p->crash_every_us > crash_every_us)
        p->crash_every_us = crash_every_us;

    struct rng kr = rng_of(o->seed, "disk", 0);
    p->disk_ppm = o->no_disk || rng_chance(&kr, 500000) ? 0 : (uint32_t)rng_range(&kr, 100000, 700000);

    struct rng lr = rng_of(o->seed, "lends", 0);
    p->lend_every_us = p->alike || o->no_lends || rng_chance(&lr, 500000) ? NEVER : rng_spread(&lr, MINUTE, 2 * HOUR);

    struct rng hr = rng_of(o->seed, "honesty", 0);
    p->honesty = !o->no_honesty && !o->no_people && rng_chance(&hr, 500000);

    p->within_ppm = o->no_midstep ? 0 : 500000;

    struct rng nr = rng_of(o->seed, "training", 0);
    p->trains = !o->no_training && p->bars && rng_chance(&nr, 400000);

    struct rng er = rng_of(o->seed, "streams", 0);
    bool watched = rng_chance(&er, 500000), few = rng_chance(&er, 300000), by_count = rng_chance(&er, 500000);
    /* more than one batch tells, which the checker reads when it is committed: a sweep parks or drops 500 in a tick, at two events each */
    uint64_t keep = (uint64_t)rng_spread(&er, 2500, 6000) + 20 * p->batch_max;
    int64_t keep_us = rng_spread(&er, 10 * MINUTE, 4 * HOUR), away_us = rng_spread(&er, 20 * MINUTE, 8 * HOUR);
    few = few && !o->no_streams;
    p->line_watched = watched && !o->no_streams;
    p->watchers += p->line_watched;
    p->event_keep = few && by_count ? keep : 0;
    p->event_keep_us = few && !by_count ? keep_us : 400 * DAY;
    p->away_every_us = few ? away_us : NEVER;

    struct rng pr = rng_of(o->seed, "portions", 0);
    p->portion_max = rng_chance(&pr, 500000) ? (uint32_t)rng_spread(&pr, 1, 60) : 0;

    struct rng mr = rng_of(o->seed, "moves", 0);
    int64_t moves_every_us = rng_spread(&mr, 5 * MINUTE, 2 * HOUR);
    p->moves = !o->no_moves && rng_chance(&mr, 400000);
    if (p->moves && p->roster_every_us > moves_every_us)
        p->roster_every_us = moves_every_us;

    struct rng dr = rng_of(o->seed, "dense", 0);
    if (!o->no_dense && rng_chance(&dr, 300000))
        make_dense(p, &dr);

    struct rng xr = rng_of(o->seed, "harsh", 0); /* the network at its worst */
    if (!o->no_harsh && !p->dense && rng_chance(&xr, 100000)) {
        p->loss_ppm = (uint32_t)rng_range(&xr, 200001, 300000);
        p->dup_ppm = (uint32_t)rng_range(&xr, 300001, 500000);
        p->hubs = (uint32_t)rng_range(&xr, 15, HUBS_MAX);
    }

    struct rng ar = rng_of(o->seed, "alike", 0);
    p->apart = p->alike && rng_chance(&ar, 500000);
    p->meddle_every_us = p->alike ? rng_spread(&ar, 20 * SEC, 10 * MINUTE) : NEVER;
    if (p->alike && p->rows < 300) /* there must be work for a while */
        p->rows = 300;

    if (o->hubs < p->hubs)
        p->hubs = o->hubs;
    if (o->runs < p->runs)
        p->runs = o->runs;
    if (o->rows < p->rows)
        p->rows = o->rows;
    if (o->lines < p->lines)
        p->lines = o->lines;
    if (o->no_net) {
        p->loss_ppm = p->dup_ppm = p->late_ppm = p->reorder = 0;
        p->delay_max_us = 20000;
        p->cut_every_us = p->relink_every_us = NEVER;
    }
    if (o->no_agents) {
        p->agent_crash_every_us = p->freeze_every_us = p->confuse_every_us = NEVER;
        p->agent_copy_every_us = p->takeover_every_us = p->roster_every_us = p->agent_wall_every_us = NEVER;
        p->agent_memory_ppm = 0;
    }
    if (o->no_broker) {
        p->crash_every_us = p->pressure_every_us = p->wall_every_us = NEVER;
        p->lose_every_us = NEVER;
        p->io_ppm = p->memory_ppm = p->damage_ppm = p->disk_ppm = 0;
    }
    if (o->no_operator)
        p->operate_every_us = p->meddle_every_us = p->judge_every_us = p->lend_every_us = NEVER;
    if (o->no_people)
        p->decline_ppm = p->fail_ppm = p->bury_ppm = p->forget_ppm = p->release_ppm = p->bad_ppm = 0;
    leave_out(p, o);
}

static void every(FILE *f, const char *what, int64_t us)
{
    if (us != NEVER)
        fprintf(f, ", %s every %" PRId64 " min", what, us / MINUTE);
}

void plan_print(const struct plan *p, FILE *f)
{
    fprintf(f, "seed %" PRIu64 ": %" PRId64 " h, %u hubs, %u lines, %u runs of %u rows; batches of %u", p->seed,
            p->hours_us / HOUR, p->hubs, p->lines, p->runs, p->rows, p->batch_max);
    fprintf(f, "; loss %u.%02u%%, replay %u.%02u%%, late %u.%02u%%%s, delay to %" PRId64 " ms", p->loss_ppm / 10000,
            p->loss_ppm / 100 % 100, p->dup_ppm / 10000, p->dup_ppm / 100 % 100, p->late_ppm / 10000,
            p->late_ppm / 100 % 100, p->reorder ? ", reordered" : "", p->delay_max_us / 1000);
    every(f, "cuts", p->cut_every_us);
    every(f, "relinks", p->relink_every_us);
    every(f, "agent crashes", p->agent_crash_every_us);
    every(f, "freezes", p->freeze_every_us);
    every(f, "confusion", p->confuse_every_us);
    every(f, "broker crashes", p->crash_every_us);
    every(f, "full stores", p->pressure_every_us);
    every(f, "lost stores", p->lose_every_us);
    every(f, "wall clock steps", p->wall_every_us);
    every(f, "copies of agents' data", p->agent_copy_every_us);
    every(f, "takeovers", p->takeover_every_us);
    every(f, "rosters", p->roster_every_us);
    every(f, "agents' clock steps", p->agent_wall_every_us);
    every(f, "operator", p->operate_every_us);
    every(f, "meddling", p->meddle_every_us);
    every(f, "suspensions and grants", p->judge_every_us);
    every(f, "skills for a while", p->lend_every_us);
    if (p->copies)
        fprintf(f, ", copies");
    if (p->bars)
        fprintf(f, ", bars");
    if (p->reviews)
        fprintf(f, ", reviews");
    if (p->contests)
        fprintf(f, ", tournaments");
    if (p->scarce)
        fprintf(f, ", scarce workers");
    if (p->few)
        fprintf(f, ", few hands");
    if (p->portion_max)
        fprintf(f, ", portions of %u", p->portion_max);
    if (p->moves)
        fprintf(f, ", workers move");
    if (p->dense)
        fprintf(f, ", dense");
    if (p->honesty)
        fprintf(f, ", honest and dishonest workers");
    if (p->trains)
        fprintf(f, ", trainings");
    if (p->line_watched)
        fprintf(f, ", a line is watched");
    if (p->event_keep)
        fprintf(f, ", %" PRIu64 " events are kept", p->event_keep);
    if (p->event_keep_us < DAY)
        fprintf(f, ", events are kept for %" PRId64 " min", p->event_keep_us / MINUTE);
    if (p->beside_ppm)
        fprintf(f, ", batches beside each other");
    if (p->disk_ppm)
        fprintf(f, ", a bad disk");
    fprintf(f, "\n");
}
