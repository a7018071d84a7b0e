/* Why a worker gets no work: what keeps him from all work, in the order in which a person would look for it; else the nearest reason of all stations. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/engine/internal.h"

struct reason {
    int code;
    char text[300];
};

/* "2026-11-26 03:15 UTC": days of the calendar without any library's help (the engine has no clock). */
static void utc_text(int64_t us, char *to, size_t size)
{
    int64_t minutes = us / 60000000, day = minutes / 1440, z = day + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;
    snprintf(to, size, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 " %02" PRId64 ":%02" PRId64 " UTC",
             yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1, minutes / 60 % 24, minutes % 60);
}

static bool of_himself(struct engine *e, const struct worker *w, struct reason *y)
{
    const struct hub *h = e->hub[w->hub - 1];
    char when[64];
    if (!h->connected) {
        y->code = WHY_HUB_AWAY;
        snprintf(y->text, sizeof y->text, "hub %s is not connected", h->name.s);
    } else if (h->clock_off) {
        y->code = WHY_CLOCK;
        snprintf(y->text, sizeof y->text,
                 "the clock of hub %s differs from the broker's by more than two minutes: set it by NTP", h->name.s);
    } else if (!worker_on_shift(w)) {
        int64_t change = worker_shift_change(w);
        y->code = WHY_OFF_SHIFT;
        utc_text(change, when, sizeof when);
        snprintf(y->text, sizeof y->text,
                 change ? "off shift until %s (shift %s)" : "off shift%.0s: shift %s has no times in the days ahead",
                 change ? when : "", w->shift->name);
    } else if (!w->signed_in) {
        y->code = WHY_NOT_SIGNED_IN;
        snprintf(y->text, sizeof y->text, "not signed in");
    } else if (h->full) {
        y->code = WHY_HUB_FULL;
        snprintf(y->text, sizeof y->text, "hub %s holds %" PRIu64 " assignments, as many as a hub can", h->name.s,
                 h->holding);
    } else if (day_full(e, w)) {
        y->code = WHY_DAY;
        utc_text(day_ends(e, w), when, sizeof when);
        snprintf(y->text, sizeof y->text, "%u tasks today, as many as a day may bring; the next day begins at %s",
                 day_used(e, w, NULL), when);
    } else if (w->granted <= w->sent) {
        y->code = WHY_NO_CREDIT;
        snprintf(y->text, sizeof y->text, "no credit: %u in hand", w->holding);
    } else {
        return false;
    }
    return true;
}

/* A station where something is ready, and that the worker fits. */
static void of_open_station(struct engine *e, struct worker *w, const struct station *s, struct reason *y)
{
    int n = (int)s->def->name.n;
    const char *name = s->def->name.p;
    char when[64];
    bool open = false;
    struct refusals x = { 0 };
    /* Only runs that have work for such workers: where something is ready in an open one, it is among them. */
    for (struct run *r = NULL; s->gate && x.looked < REFUSALS_MAX && (r = match_run_behind(e, r, s->gate - 1));) {
        struct rq *q = r->lv == s->lv ? &r->rq[s->idx] : NULL;
        if (!q || !rq_open(q) || !q->c.n[TASK_READY])
            continue;
        open = true;
        if (!s->def->not_did_count)
            break;
        queue_refusals(e, q, w, &x);
    }
    if (!station_open(s)) {
        y->code = WHY_PAUSED;
        snprintf(y->text, sizeof y->text, "station %.*s is paused", n, name);
    } else if (!open) {
        y->code = WHY_PAUSED;
        snprintf(y->text, sizeof y->text, "the runs at station %.*s are paused", n, name);
    } else if (s->limit->full) {
        y->code = WHY_FULL;
        snprintf(y->text, sizeof y->text, "station %.*s: %" PRIu64 " tasks are in hand, %u may be at once", n, name,
                 s->limit->in_hand, s->limit->at_once);
    } else if (day_full_at(e, w, s)) {
        y->code = WHY_DAY;
        utc_text(day_ends(e, w), when, sizeof when);
        snprintf(y->text, sizeof y->text,
                 "station %.*s: %u tasks today, as many as a day may bring; the next day begins at %s", n, name,
                 day_used(e, w, s), when);
    } else if (worker_time_left(e, w) < pace_usual_us(s)) {
        y->code = WHY_SHIFT_ENDS;
        snprintf(y->text, sizeof y->text,
                 "station %.*s: a task usually takes %" PRId64 " s, the shift ends in %" PRId64 " s", n, name,
                 (pace_usual_us(s) + 999999) / 1000000, worker_time_left(e, w) / 1000000);
    } else if (x.own && x.own == x.looked) {
        y->code = WHY_OWN;
        snprintf(y->text, sizeof y->text, "station %.*s: all that is ready builds upon this worker's own work%s", n,
                 name, x.looked < REFUSALS_MAX ? "" : ", as far as was looked");
    } else {
        y->code = WHY_ALL_ANSWERED;
        snprintf(y->text, sizeof y->text,
                 x.own ? "station %.*s: all that is ready builds upon this worker's own work, or he has declined or "
                         "answered it%s%s"
                       : "station %.*s: all that is ready, this worker has declined or answered%s%s",
                 n, name, has_copies(s) ? ", or has in hand" : "",
                 s->def->reviewed_by >= 0 ? ", or it is kept for its author for a while" : "");
    }
}

/* How near to work he is whom only this keeps from it: the nearest reason is told. */
static int nearness(int code)
{
    static const int order[] = { WHY_NOTHING_QUEUED, WHY_KIND,         WHY_HUB,      WHY_TEAM,   WHY_SKILL, WHY_LEVEL,
                                 WHY_TRAINING,       WHY_REQUIRE,      WHY_KEPT_OUT, WHY_PAUSED, WHY_OWN,   WHY_DAY,
                                 WHY_SHIFT_ENDS,     WHY_ALL_ANSWERED, WHY_FULL };
    for (int i = 0; i < (int)(sizeof order / sizeof *order); i++)
        if (order[i] == code)
            return i;
    return -1;
}

static void why(struct engine *e, struct worker *w)
{
    struct reason y = { WHY_NOTHING_QUEUED, "nothing is queued" };
    bool himself = of_himself(e, w, &y);
    for (uint32_t i = 0; !himself && i < e->meta.station; i++) {
        struct station *s = e->station[i];
        struct reason here;
        if (!s->c.n[TASK_READY])
            continue;
        if (station_takes(e, w, s, here.text, sizeof here.text, &here.code) &&
            !standing_why(e, w, s, here.text, sizeof here.text, &here.code))
            of_open_station(e, w, s, &here);
        if (nearness(here.code) > nearness(y.code))
            y = here;
    }
    struct slp_why a = { .code = (uint64_t)y.code, .text = { y.text, (uint32_t)strlen(y.text) } };
    reply(e, SLP_WHY, &a);
}

void on_why_get(struct engine *e, const struct slp_msg *m)
{
    const struct slp_why_get *q = &m->u.why_get;
    struct hub *h = hub_session(e, q->session);
    if (!h)
        return;
    struct worker *w = q->worker && q->worker <= e->meta.worker ? worker_at(e, q->worker) : NULL;
    if (!w || w->hub != h->id || !w->on_roster)
        reply_error(e, SLP_E_NOT_FOUND, "worker", "worker %llu is not on this hub's roster",
                    (unsigned long long)q->worker);
    else
        why(e, w);
}

void on_worker_why_get(struct engine *e, const struct slp_msg *m)
{
    struct slp_bytes name = m->u.worker_why_get.name;
    struct worker *w = worker_by_name(e, name);
    if (!w || !w->on_roster)
        reply_error(e, SLP_E_NOT_FOUND, "name", "there is no worker %.*s", (int)name.n, name.p);
    else
        why(e, w);
}
