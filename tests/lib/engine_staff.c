/* See engine_staff.h. */
#include "tests/lib/engine_staff.h"

#include <limits.h>
#include <string.h>

#include "tests/lib/check.h"

void staff_roster_by(struct world *w, struct world_hub *h, const struct staff *v, const char *const *shift,
                     unsigned capacity, unsigned n)
{
    static uint64_t digests;
    struct slp_buf b = { 0 };
    uint64_t digest[4] = { ++digests };
    CHECK(n <= 8);
    for (unsigned i = 0; i < n; i++) {
        struct slp_buf skills = { 0 };
        struct slp_item_worker_def d = { .name = world_str(v[i].name), .kind = v[i].kind, .capacity = capacity };
        if (v[i].skill) {
            struct slp_item_skill s = { .name = world_str(v[i].skill), .level = v[i].level };
            slp_pack_item(&skills, SLP_ITEM_skill, &s);
            d.skills = (struct slp_list){ skills.p, (uint32_t)skills.n, 1 };
        }
        if (v[i].team) {
            d.team = world_str(v[i].team);
            SLP_SET(&d, item_worker_def, team);
        }
        if (shift) {
            d.shift = world_str(shift[i]);
            SLP_SET(&d, item_worker_def, shift);
        }
        slp_pack_item(&b, SLP_ITEM_worker_def, &d);
        slp_buf_free(&skills);
    }
    struct slp_roster q = { .session = h->session,
                            .digest = { (const char *)digest, 32 },
                            .workers = { b.p, (uint32_t)b.n, n },
                            .last = true };
    struct slp_msg *m = world_send(w, h->peer, SLP_ROSTER, &q);
    CHECK(m && (m->type == SLP_ROSTER_DONE || !m->type));
    struct slp_cursor c = slp_each(m->u.roster_done.workers);
    if (m->type)
        memcpy(h->roster, digest, sizeof digest);
    h->workers = n;
    for (unsigned i = 0; i < n; i++)
        CHECK(slp_next_u64(&c, &h->worker[i]) || !m->type);
    slp_buf_free(&b);
}

void staff_roster(struct world *w, struct world_hub *h, const struct staff *v, unsigned n)
{
    staff_roster_by(w, h, v, NULL, 10, n);
}

void staff_shifts(struct world *w, struct world_hub *h, const struct staff_shift *v, unsigned n, int64_t until_us)
{
    static uint64_t digests;
    struct slp_buf items = { 0 }, times = { 0 };
    uint64_t digest[4] = { ++digests };
    for (unsigned i = 0; i < n; i++) {
        slp_buf_clear(&times);
        for (unsigned k = 0; k < v[i].n; k++)
            slp_pack_u64(&times, (uint64_t)v[i].at_us[k]);
        struct slp_item_shift_def d = { .name = world_str(v[i].name),
                                        .zone = world_str(v[i].zone),
                                        .text = world_str(""),
                                        .overtime_us = (uint64_t)v[i].overtime_us,
                                        .times = { times.p, (uint32_t)times.n, v[i].n } };
        slp_pack_item(&items, SLP_ITEM_shift_def, &d);
    }
    struct slp_shifts q = { .session = h->session,
                            .digest = { (const char *)digest, 32 },
                            .shifts = { items.p, (uint32_t)items.n, n },
                            .until_wall_us = until_us,
                            .last = true };
    CHECK(world_code(world_send(w, h->peer, SLP_SHIFTS, &q)) == SLP_E_OK);
    slp_buf_free(&items);
    slp_buf_free(&times);
}

void staff_hub(struct world *w, struct world_hub *h, const char *name, const struct staff *v, unsigned n)
{
    world_hub(w, h, name, 0, 0);
    staff_roster(w, h, v, n);
}

uint64_t staff_why(struct world *w, struct world_hub *h, unsigned worker, const char **text)
{
    static char copy[SL_TEXT_BYTES_MAX + 1];
    struct slp_why_get q = { .session = h->session, .worker = h->worker[worker] };
    struct slp_msg *m = world_send(w, h->peer, SLP_WHY_GET, &q);
    CHECK(m && m->type == SLP_WHY && m->u.why.text.n < sizeof copy);
    memcpy(copy, m->u.why.text.p, m->u.why.text.n);
    copy[m->u.why.text.n] = 0;
    if (text)
        *text = copy;
    return m->u.why.code;
}

unsigned staff_got(struct world *w, struct world_hub *h, size_t i)
{
    struct world_task t[256];
    size_t n = world_tasks(w, h, t, 256);
    for (unsigned k = 0; i < n && k < h->workers; k++)
        if (h->worker[k] == t[i].worker)
            return k;
    return UINT_MAX;
}
