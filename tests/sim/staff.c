/* The robots and people of a hub: of different speed and skill, and in some worlds honesty (hub.c: what they answer). Robots take what the core hands them. People sign in and off by their shifts,
 * begin, touch (or forget to), decline, release, give up, walk away in the middle of a task, and hand in long after their lease. */
#include <inttypes.h>

#include "tests/sim/sim.h"

static happening robot_done, person_done, person_touch, person_looks, shift;


/* Pack who is on the roster, and as what. */
void staff_roster(struct sim *s, struct hub *h)
{
    struct slp_buf all = { 0 };
    h->members_n = 0;
    for (uint32_t i = 0; i < h->staff_n; i++) {
        struct member *m = &h->staff[i];
        struct slp_buf skills = { 0 };
        uint32_t n = 0;
        if (!m->on)
            continue;
        for (uint32_t k = 0; k < CHECKER_SKILLS; k++) {
            if (!m->level[k])
                continue;
            struct slp_item_skill it = { .name = { skill_names[k], (uint32_t)strlen(skill_names[k]) },
                                         .level = m->level[k] };
            slp_pack_item(&skills, SLP_ITEM_skill, &it);
            n++;
        }
        struct slp_item_worker_def d = { .name = { m->name, (uint32_t)strlen(m->name) },
                                         .kind = m->robot,
                                         .capacity = m->capacity,
                                         .skills = { skills.p, (uint32_t)skills.n, n } };
        if (m->per_day) {
            d.per_day = m->per_day;
            SLP_SET(&d, item_worker_def, per_day);
        }
        if (m->by_shift) { /* each has one of his own */
            d.shift = d.name;
            SLP_SET(&d, item_worker_def, shift);
        }
        char team[8];
        if (m->team) {
            d.team = (struct slp_bytes){ team, (uint32_t)snprintf(team, sizeof team, "team%u", m->team) };
            SLP_SET(&d, item_worker_def, team);
        }
        slp_buf_clear(&h->packed[i]);
        slp_pack_item(&h->packed[i], SLP_ITEM_worker_def, &d);
        h->members[h->members_n++] = (struct core_member){ .name = m->name,
                                                           .robot = m->robot,
                                                           .capacity = m->capacity,
                                                           .prefetch = m->prefetch,
                                                           .packed = { h->packed[i].p, (uint32_t)h->packed[i].n } };
        slp_buf_add(&all, h->packed[i].p, h->packed[i].n);
        slp_buf_free(&skills);
    }
    CHECK(s, !all.failed);
    for (int i = 0; i < 4; i++) {
        uint64_t d = digest(all.p, all.n) + (uint64_t)i;
        memcpy(h->digest + 8 * i, &d, 8);
    }
    slp_buf_free(&all);
}

void staff_make(struct sim *s, struct hub *h)
{
    struct rng r = rng_of(s->plan.seed, "staff", h->like), teams = rng_of(s->plan.seed, "teams", h->like),
               shifts = rng_of(s->plan.seed, "shifts", h->like), days = rng_of(s->plan.seed, "days", h->like),
               honesty = rng_of(s->plan.seed, "honesty", 1 + h->like);
    h->honest = rng_of(s->plan.seed, "honest", h->index);
    h->staff_n = (uint32_t)rng_range(&r, 1, s->plan.staff);
    uint32_t steady =
        s->plan.reviews    ? STEADY_WITH_REVIEWS
        : s->plan.contests ? 7
        : s->plan.copies
            ? 5
            : 2; /* of the first hub can do everything, a robot and people: so everything can come to an end */
    if (h->like == 0 && h->staff_n < steady)
        h->staff_n = steady;
    CHECK(s, h->members = calloc(h->staff_n, sizeof *h->members));
    for (uint32_t i = 0; i < h->staff_n; i++) {
        struct member *m = &h->staff[i];
        m->on = true;
        m->steady = h->like == 0 && i < steady;
        m->robot = m->steady ? i == 0 : rng_chance(&r, 400000);
        m->team = m->steady ? 0 : (uint32_t)rng_below(&teams, 3);
        m->capacity = m->robot ? (uint32_t)rng_range(&r, 1, 8) : 1;
        m->prefetch = (uint32_t)rng_below(&r, 4);
        m->speed_us = m->robot ? rng_spread(&r, 100000, 5 * MINUTE) : rng_spread(&r, 10 * SEC, 30 * MINUTE);
        m->shift_from = (uint32_t)rng_below(&r, 24);
        m->shift_hours = (uint32_t)rng_range(&r, 4, 24);
        m->by_shift = !m->steady && rng_chance(&shifts, 500000);
        m->per_day = !m->steady && rng_chance(&days, 300000) ? (uint32_t)rng_spread(&days, 1, 60) : 0;
        m->honest_ppm = (uint32_t)rng_range(&honesty, 0, 1000000);
        snprintf(m->name, sizeof m->name, "%s-%s%u", h->name, m->robot ? "robot" : "person", i);
        for (uint32_t k = 0; k < CHECKER_SKILLS; k++)
            m->level[k] = m->steady ? 3 : rng_chance(&r, 500000) ? (uint8_t)rng_range(&r, 1, 3) : 0;
    }
    staff_roster(s, h);
}

/* In worlds in which people move each hub may see some of the next one's come: the same ones, by name, of whom its roster knows nothing at first. */
void staff_guests(struct sim *s)
{
    for (uint32_t i = 0; s->plan.moves && s->plan.hubs > 1 && i < s->plan.hubs; i++) {
        struct hub *h = &s->hub[i], *of = &s->hub[(i + 1) % s->plan.hubs];
        uint32_t guests = 0;
        CHECK(s, h->members = realloc(h->members, MEMBERS_MAX * sizeof *h->members));
        for (uint32_t k = 0; k < of->staff_n && guests < GUESTS_MAX; k++) {
            struct member *m = &of->staff[k];
            if (m->steady || m->double_of)
                continue;
            h->staff[h->staff_n] = *m;
            h->staff[h->staff_n].on = false;
            h->staff[h->staff_n++].double_of = m;
            guests++;
        }
    }
}

static void another_roster(struct sim *s, struct hub *h)
{
    staff_roster(s, h);
    s->tally.roster_changes++;
    TELL(s, "%s: another roster, %u of %u", h->name, h->members_n, h->staff_n);
    if (!h->up)
        return;
    struct core_roster r = { .count = h->members_n, .members = h->members };
    memcpy(r.digest, h->digest, sizeof r.digest);
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_ROSTER, .roster = &r });
    for (uint32_t i = 0; i < h->staff_n; i++)
        if (h->staff[i].robot && h->staff[i].on)
            hub_input(s, h, (struct core_in){ .kind = CORE_IN_READY, .name = h->staff[i].name, .ok = true });
    hub_pump(s, h);
}

/* He comes from his own hub, or goes back there, whatever he has begun; sometimes one of the two hubs learns of it much later than the other, so that he is on both rosters, or on none. */
static void moves(struct sim *s, struct hub *h, struct member *guest)
{
    struct member *home = guest->double_of;
    struct hub *of = &s->hub[(h->index + 1) % s->plan.hubs];
    bool both = rng_chance(&h->rng, 800000), first = rng_chance(&h->rng, 500000);
    guest->on = !guest->on;
    guest->here = false;
    memcpy(guest->level, home->level, sizeof home->level);
    s->tally.moves++;
    TELL(s, "%s: %s %s", h->name, guest->name, guest->on ? "comes from his own hub" : "goes back to his own hub");
    if (!both || home->on != guest->on)
        return;
    home->on = !guest->on;
    home->here = false;
    if (!first)
        another_roster(s, h);
    if (s->now_us >= of->frozen_us)
        another_roster(s, of);
}

/* Somebody leaves or comes back, learns or forgets something, takes more or fewer at a time; in the middle of whatever they are doing. */
void staff_change(struct sim *s, struct hub *h)
{
    for (uint32_t i = 0; i < h->staff_n; i++) {
        struct member *m = &h->staff[i];
        if (m->steady && s->plan.scarce && h->like == 0) { /* he will be there at the end */
            m->on = s->calm || rng_chance(&h->rng, 600000);
            m->here = m->here && m->on;
        }
        if (s->calm && s->plan.few) /* he may be the only one who is left for them all */
            m->per_day = 0;
        if (m->steady || m->double_of || s->calm || rng_chance(&h->rng, 500000))
            continue;
        m->on = rng_chance(&h->rng, 750000);
        m->level[rng_below(&h->rng, CHECKER_SKILLS)] = (uint8_t)rng_below(&h->rng, 4);
        if (m->robot)
            m->capacity = (uint32_t)rng_range(&h->rng, 1, 8);
        if (rng_chance(&h->rng, 300000))
            m->per_day = rng_chance(&h->rng, 500000) ? (uint32_t)rng_spread(&h->rng, 1, 60) : 0;
        m->here = m->here && m->on; /* who comes back signs in again */
    }
    for (uint32_t i = 0; i < h->staff_n && !s->calm; i++)
        if (h->staff[i].double_of && rng_chance(&h->rng, 400000))
            moves(s, h, &h->staff[i]);
    another_roster(s, h);
}

const struct member *staff_member(const struct hub *h, const char *name)
{
    for (uint32_t i = 0; i < h->staff_n; i++)
        if (!strcmp(h->staff[i].name, name))
            return &h->staff[i];
    return NULL;
}

static struct member *named(struct hub *h, const char *name, uint32_t *index)
{
    const struct member *m = staff_member(h, name);
    if (!m)
        return NULL;
    *index = (uint32_t)(m - h->staff);
    return &h->staff[*index];
}

static uint64_t pack(uint64_t hub, uint64_t member, uint64_t life)
{
    return hub | member << 8 | life << 16;
}
static struct hub *unpack(struct sim *s, uint64_t a, uint32_t *member) /* NULL: that agent does not live any more */
{
    struct hub *h = &s->hub[a & 255];
    *member = (uint32_t)(a >> 8 & 255);
    return h->up && h->life == a >> 16 ? h : NULL;
}

static void give_up(struct sim *s, struct hub *h, uint64_t assignment, uint64_t act, int64_t hold_us)
{
    static const char reason[] = "as the dice fell";
    TELL(s, "%s: gives up assignment %" PRIu64 ", act %" PRIu64, h->name, assignment, act);
    hub_input(s, h,
              (struct core_in){ .kind = CORE_IN_GIVE_UP,
                                .assignment = assignment,
                                .act = act,
                                .text = { reason, sizeof reason - 1 },
                                .hold_us = hold_us });
}

/* How a task ends under these hands. True: it ended otherwise than by a result. */
static bool gives_up(struct sim *s, struct hub *h, const struct member *m, uint64_t assignment)
{
    const struct plan *p = &s->plan;
    if (s->calm || m->steady)
        return false;
    if (rng_chance(&h->rng, p->fail_ppm))
        give_up(s, h, assignment, 4, 0);
    else if (rng_chance(&h->rng, p->bury_ppm))
        give_up(s, h, assignment, 5, 0);
    else if (rng_chance(&h->rng, p->release_ppm))
        give_up(s, h, assignment, 2, rng_spread(&h->rng, SEC, 10 * MINUTE));
    else
        return false;
    return true;
}

static int64_t takes_us(struct sim *s, struct hub *h, const struct member *m)
{
    return s->calm ? SEC + m->speed_us / 20 : rng_spread(&h->rng, m->speed_us / 4 + 1, m->speed_us * 4);
}

/* ---- robots ---- */

void staff_run(struct sim *s, struct hub *h, uint64_t assignment)
{
    const struct core_task *t = core_find(h->core, assignment);
    uint32_t i;
    struct member *m = t ? named(h, core_task_worker(t), &i) : NULL;
    if (m)
        sched_at(s, s->now_us + takes_us(s, h, m), robot_done, pack(h->index, i, h->life), assignment);
}

static void robot_done(struct sim *s, uint64_t a, uint64_t assignment)
{
    uint32_t i;
    struct hub *h = unpack(s, a, &i);
    if (!h)
        return;
    if (s->now_us < h->frozen_us) {
        sched_at(s, h->frozen_us + 1, robot_done, a, assignment);
        return;
    }
    const struct core_task *t = core_find(h->core, assignment);
    if (t && t->state == CORE_STARTED && !gives_up(s, h, &h->staff[i], assignment))
        hub_finish(s, h, assignment, false, !s->calm && rng_chance(&h->rng, s->plan.bad_ppm));
    hub_pump(s, h);
}

/* ---- people ---- */

static void look_later(struct sim *s, struct hub *h, uint32_t i, int64_t in_us)
{
    sched_at(s, s->now_us + in_us, person_looks, pack(h->index, i, h->life), 0);
}

void staff_offer(struct sim *s, struct hub *h, const char *name)
{
    uint32_t i;
    struct member *m = named(h, name, &i);
    if (m && !m->busy)
        look_later(s, h, i, s->calm ? SEC : rng_spread(&h->rng, SEC, 2 * MINUTE));
}

static void work_on(struct sim *s, struct hub *h, uint32_t i, uint64_t assignment)
{
    struct member *m = &h->staff[i];
    const struct core_task *t = core_find(h->core, assignment);
    uint64_t who = pack(h->index, i, h->life);
    int64_t takes = takes_us(s, h, m);
    m->busy = assignment;
    if (!s->calm && !m->steady &&
        rng_chance(&h->rng, s->plan.forget_ppm)) { /* walks away, comes back long after the lease */
        sched_at(s, s->now_us + t->lease_us + rng_spread(&h->rng, SEC, 4 * HOUR), person_done, who, assignment);
        return;
    }
    sched_at(s, s->now_us + takes, person_done, who, assignment);
    if (takes > t->lease_us / 2)
        sched_at(s, s->now_us + t->lease_us / 2, person_touch, who, assignment);
}

static void person_looks(struct sim *s, uint64_t a, uint64_t unused)
{
    uint32_t i;
    struct hub *h = unpack(s, a, &i);
    struct member *m = h ? &h->staff[i] : NULL;
    (void)unused;
    if (!h || m->busy || m->robot)
        return;
    if (s->now_us < h->frozen_us) {
        sched_at(s, h->frozen_us + SEC, person_looks, a, 0);
        return;
    }
    const struct core_task *t = core_next_task(h->core, m->name);
    if (!t)
        return; /* an offer, or the shift, brings him back */
    uint64_t no = t->assignment;
    if (t->state == CORE_STARTED) { /* begun before the agent was restarted */
        work_on(s, h, i, no);
        return;
    }
    if (!core_may_start(h->core, hub_now_us(s, h))) {
        look_later(s, h, i, MINUTE);
        return;
    }
    struct slp_cursor c = slp_each(t->fields);
    struct slp_bytes text, route;
    if (slp_next_str(&c, &text) && slp_next_str(&c, &route))
        checker_feed(s->checker, &(struct fact){ .kind = FACT_SEEN,
                                                 .assignment = no,
                                                 .worker = t->worker_no,
                                                 .row = row_of_text(text),
                                                 .digest = row_digest(text, route) });
    if (!s->calm && !m->steady && rng_chance(&h->rng, s->plan.decline_ppm)) {
        give_up(s, h, no, 3, 0);
        hub_pump(s, h);
        look_later(s, h, i, SEC);
        return;
    }
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_START, .assignment = no });
    t = core_find(h->core, no);
    if (t && t->state == CORE_STARTED) {
        TELL(s, "%s: %s begins assignment %" PRIu64, h->name, m->name, no);
        hub_begun(s, h, no);
        work_on(s, h, i, no);
    }
    hub_pump(s, h);
}

static void person_touch(struct sim *s, uint64_t a, uint64_t assignment)
{
    uint32_t i;
    struct hub *h = unpack(s, a, &i);
    if (!h || h->staff[i].busy != assignment || s->now_us < h->frozen_us)
        return;
    const struct core_task *t = core_find(h->core, assignment);
    if (!t || (!s->calm && rng_chance(&h->rng, 200000)))
        return; /* forgot to */
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_TOUCH, .assignment = assignment });
    sched_at(s, s->now_us + t->lease_us / 2, person_touch, a, assignment);
    hub_pump(s, h);
}

static void person_done(struct sim *s, uint64_t a, uint64_t assignment)
{
    uint32_t i;
    struct hub *h = unpack(s, a, &i);
    if (!h || h->staff[i].busy != assignment)
        return;
    if (s->now_us < h->frozen_us) {
        sched_at(s, h->frozen_us + SEC, person_done, a, assignment);
        return;
    }
    struct member *m = &h->staff[i];
    const struct core_task *t = core_find(h->core, assignment);
    m->busy = 0;
    if (t && t->state == CORE_STARTED && !gives_up(s, h, m, assignment))
        hub_finish(s, h, assignment, true, false);
    hub_pump(s, h);
    look_later(s, h, i, s->calm ? SEC : rng_spread(&h->rng, SEC, MINUTE));
}

/* ---- shifts ---- */

/* What the hub file says, in the time that is right: he comes and goes at about these hours, some of the time he is not there on shift, or there off shift. */
void staff_rota(struct sim *s, struct hub *h)
{
    struct core_shifts rota = { .until_us = (WALL_BEGIN_US + s->now_us) / DAY * DAY + 9 * DAY };
    struct slp_buf packed[MEMBERS_MAX] = { { 0 } };
    rota.packed = packed;
    for (uint32_t i = 0; i < h->staff_n; i++) {
        const struct member *m = &h->staff[i];
        struct slp_buf times = { 0 };
        uint32_t n = 0;
        int64_t first =
            WALL_BEGIN_US + (s->now_us / DAY - 1) * DAY + ((m->shift_from + 24 - h->like * 3 % 24) % 24) * HOUR;
        for (int k = 0; k < 10 && m->by_shift; k++, n += 2) {
            int64_t hours = m->shift_hours < 23 ? m->shift_hours : 23; /* beginnings and ends ascend */
            slp_pack_u64(&times, (uint64_t)(first + k * DAY));
            slp_pack_u64(&times, (uint64_t)(first + k * DAY + hours * HOUR));
        }
        struct slp_item_shift_def d = { .name = { m->name, (uint32_t)strlen(m->name) },
                                        .zone = { "Africa/Nairobi", 14 },
                                        .text = { "", 0 },
                                        .overtime_us = (uint64_t)(m->shift_hours * MINUTE),
                                        .times = { times.p, (uint32_t)times.n, n } };
        if (m->by_shift)
            slp_pack_item(&packed[rota.count++], SLP_ITEM_shift_def, &d);
        slp_buf_free(&times);
    }
    struct slp_buf midnights = { 0 };
    int64_t east = h->like % 5 * 2 * HOUR + h->like % 2 * 45 * MINUTE;
    for (int k = 0; k < 11; k++)
        slp_pack_u64(&midnights, (uint64_t)(WALL_BEGIN_US + (s->now_us / DAY - 1 + k) * DAY - east));
    struct slp_item_zone_days zone = { .zone = { "Africa/Nairobi", 14 },
                                       .days = { midnights.p, (uint32_t)midnights.n, 11 } };
    if (h->like % 4 != 3) { /* some tell none */
        slp_pack_item(&rota.zones, SLP_ITEM_zone_days, &zone);
        rota.zone_count = 1;
    }
    slp_buf_free(&midnights);
    for (int i = 0; i < 4; i++) {
        uint64_t d = (uint64_t)rota.until_us + (uint64_t)i + h->like;
        memcpy(rota.digest + 8 * i, &d, 8);
    }
    hub_input(s, h, (struct core_in){ .kind = CORE_IN_SHIFTS, .shifts = &rota });
    for (uint32_t i = 0; i < rota.count; i++)
        slp_buf_free(&packed[i]);
    slp_buf_free(&rota.zones);
}

static bool on_shift(const struct sim *s, const struct hub *h, const struct member *m)
{
    uint32_t hour = (uint32_t)((s->now_us / HOUR + h->index * 3) % 24);
    return s->calm || m->steady || (hour + 24 - m->shift_from) % 24 < m->shift_hours;
}

static void shift(struct sim *s, uint64_t a, uint64_t unused)
{
    uint32_t i;
    struct hub *h = unpack(s, a, &i);
    (void)unused;
    if (!h)
        return;
    struct member *m = &h->staff[i];
    bool here = m->on && on_shift(s, h, m);
    if (here != m->here && s->now_us >= h->frozen_us) {
        m->here = here;
        TELL(s, "%s: %s signs %s", h->name, m->name, here ? "in" : "off");
        hub_input(s, h, (struct core_in){ .kind = here ? CORE_IN_SIGN_IN : CORE_IN_SIGN_OFF, .name = m->name });
        hub_pump(s, h);
    }
    if (h->up) {
        look_later(s, h, i, SEC); /* now and then they look by themselves */
        sched_at(s, s->now_us + (s->calm ? 5 * MINUTE : rng_range(&h->rng, 10 * MINUTE, 40 * MINUTE)), shift, a, 0);
    }
}

void staff_start(struct sim *s, struct hub *h)
{
    for (uint32_t i = 0; i < h->staff_n; i++) {
        struct member *m = &h->staff[i];
        m->here = false;
        if (m->robot && m->on)
            hub_input(s, h, (struct core_in){ .kind = CORE_IN_READY, .name = m->name, .ok = true });
        else if (!m->robot)
            sched_at(s, s->now_us + rng_range(&h->rng, 0, 10 * SEC), shift, pack(h->index, i, h->life), 0);
    }
}
