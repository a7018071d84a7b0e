/* The hub's shifts, and the days of its zones, on their way to the broker: all of them, in every session and whenever they change, a frame at a time. */
#include "worker-agent/core_priv.h"

#include <stdlib.h>
#include <string.h>

void core_shifts_forget(struct core *c)
{
    for (uint32_t i = 0; i < c->shifts.count; i++)
        slp_buf_free(&c->shifts.packed[i]);
    slp_buf_free(&c->shifts.zones);
    free(c->shifts.packed);
    c->shifts = (struct core_shifts){ 0 };
}

static bool under_way(const struct core *c)
{
    for (uint32_t i = 0; i < c->request_count; i++)
        if (c->requests[i].kind == REQ_SHIFTS)
            return true;
    return false;
}

static void send_some(struct core *c)
{
    struct request *r = request_new(c, REQ_SHIFTS, 0);
    if (!r)
        return; /* the next tick tries again */
    uint32_t i = c->shifts_acked;
    slp_buf_clear(&c->list);
    size_t room = CORE_FRAME_BYTES - (i == 0 ? c->shifts.zones.n : 0);
    while (i < c->shifts.count && i - c->shifts_acked < SL_BATCH_ITEMS_MAX &&
           c->list.n + c->shifts.packed[i].n <= room) {
        slp_buf_add(&c->list, c->shifts.packed[i].p, c->shifts.packed[i].n);
        i++;
    }
    c->failed |= c->list.failed;
    c->shifts_sent = i;
    struct slp_shifts m = { .session = c->session,
                            .digest = { (const char *)c->shifts.digest, sizeof c->shifts.digest },
                            .shifts = { c->list.p, (uint32_t)c->list.n, i - c->shifts_acked },
                            .until_wall_us = c->shifts.until_us,
                            .last = i == c->shifts.count,
                            .zones = { c->shifts.zones.p, (uint32_t)c->shifts.zones.n, c->shifts.zone_count } };
    if (c->shifts.zone_count && c->shifts_acked == 0) /* with the first frame */
        SLP_SET(&m, shifts, zones);
    core_send(c, SLP_SHIFTS, r->id, &m);
}

void core_shifts_begin(struct core *c)
{
    c->shifts_told = !c->have_shifts;
    c->shifts_acked = c->shifts_sent = 0;
    c->shifts_after_us = 0;
    if (!c->shifts_told)
        send_some(c);
}

void core_shifts_set(struct core *c, const struct core_shifts *s)
{
    if (c->have_shifts ? memcmp(c->shifts.digest, s->digest, sizeof s->digest) == 0
                       : s->count == 0 && s->zone_count == 0)
        return; /* the same; or none, and the broker was never told of any */
    core_shifts_forget(c);
    c->shifts = *s;
    c->shifts.packed = calloc(s->count + 1, sizeof *s->packed);
    c->shifts.zones = (struct slp_buf){ 0 };
    if (!c->shifts.packed) {
        c->shifts.count = 0;
        c->failed = true;
        return;
    }
    slp_buf_add(&c->shifts.zones, s->zones.p, s->zones.n);
    c->failed |= c->shifts.zones.failed;
    for (uint32_t i = 0; i < s->count; i++) {
        slp_buf_add(&c->shifts.packed[i], s->packed[i].p, s->packed[i].n);
        c->failed |= c->shifts.packed[i].failed;
    }
    c->have_shifts = true;
    for (uint32_t i = 0; i < c->request_count;) /* an upload of the old ones must not go on with the new */
        if (c->requests[i].kind == REQ_SHIFTS)
            request_end(c, &c->requests[i]);
        else
            i++;
    if (c->state == S_UP || c->state == S_NUMBERS)
        core_shifts_begin(c);
}

void core_shifts_done(struct core *c)
{
    c->shifts_acked = c->shifts_sent;
    if (c->shifts_acked < c->shifts.count)
        send_some(c);
    else
        c->shifts_told = true;
}

void core_shifts_refused(struct core *c, const struct slp_error *m, int64_t after_us)
{
    core_log(c, CORE_ERROR, "shifts-refused", "code=%s text=\"%.*s\" place=\"%.*s\"", slp_error_name(m->code),
             (int)m->text.n, m->text.p, (int)m->place.n, m->place.p ? m->place.p : "");
    if (m->retry == SLP_RETRY_NEVER)
        c->shifts_told = true; /* until others come */
    c->shifts_acked = 0;
    c->shifts_after_us = c->now_us + after_us;
}

void core_shifts_tick(struct core *c)
{
    if (!c->shifts_told && c->now_us >= c->shifts_after_us && !under_way(c))
        send_some(c);
}
