/* The engine's figures: counters since open and gauges, all from memory, so they cost nothing at any depth. */
#include "broker/engine/internal.h"

static void figure(struct slp_buf *b, uint32_t *n, const char *name, uint64_t v)
{
    slp_pack_cstr(b, name);
    slp_pack_u64(b, v);
    (*n)++;
}

void on_stats_get(struct engine *e, const struct slp_msg *m)
{
    static const char *const state_name[TASK_STATES] = { "tasks_blocked",  "tasks_waiting", "tasks_ready",
                                                         "tasks_assigned", "tasks_started", "tasks_done",
                                                         "tasks_skipped",  "tasks_dead",    "tasks_ended" };
    struct counts c = { 0 };
    uint64_t connected = 0, signed_in = 0, holding = 0, workers = 0, open = 0;
    uint32_t n = 0;
    (void)m;
    for (uint32_t i = 0; i < e->meta.station; i++)
        for (int k = 0; k < TASK_STATES; k++)
            c.n[k] += e->station[i]->c.n[k];
    for (uint32_t i = 0; i < e->meta.hub; i++) {
        connected += e->hub[i]->connected;
        signed_in += e->hub[i]->signed_in;
        holding += e->hub[i]->holding;
        workers += e->hub[i]->workers;
    }
    for (uint32_t i = 0; i < e->meta.line; i++)
        open += e->line[i]->runs_open;
    struct slp_buf *b = &e->b1;
    slp_buf_clear(b);
    for (int k = 0; k < TASK_STATES; k++)
        figure(b, &n, state_name[k], c.n[k]);
    figure(b, &n, "runs_open", open);
    figure(b, &n, "hubs", e->meta.hub);
    figure(b, &n, "hubs_connected", connected);
    figure(b, &n, "workers", workers);
    figure(b, &n, "workers_signed_in", signed_in);
    figure(b, &n, "assignments_held", holding);
    figure(b, &n, "units_total", e->total.units);
    figure(b, &n, "assignments_total", e->total.assigned);
    figure(b, &n, "results_total", e->total.submitted);
    figure(b, &n, "results_late_total", e->total.late);
    figure(b, &n, "returned_total", e->total.returned);
    figure(b, &n, "expired_total", e->total.expired);
    figure(b, &n, "steps_total", e->total.steps);
    figure(b, &n, "event_seq", e->meta.event);
    figure(b, &n, "event_oldest_seq", e->meta.oldest_event);
    figure(b, &n, "sweeps_under_way", e->sweeps);
    const struct store_counters *s = store_counters(e->store);
    figure(b, &n, "store_commits_total", s->commits);
    figure(b, &n, "store_gets_total", s->gets);
    figure(b, &n, "store_puts_total", s->puts + s->appends);
    figure(b, &n, "store_dels_total", s->dels);
    figure(b, &n, "store_put_bytes_total", s->put_bytes);
    /* The map's header comes first, so the pairs move behind it. */
    slp_buf_clear(&e->b2);
    slp_pack_map(&e->b2, n);
    slp_buf_add(&e->b2, b->p, b->n);
    struct slp_stats a = { .figures = { e->b2.p, (uint32_t)e->b2.n } };
    reply(e, SLP_STATS, &a);
}
