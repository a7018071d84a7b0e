/* The lines of this world: shapes of stations with their requirements, conditions and leases, several variants of each, as an operator would apply
 * them one after the other. And its payloads: a row is a text with its number and a filler made from the number, and a route. */
#include <inttypes.h>

#include "client/cli/linefile.h"
#include "proto/reader.h"
#include "tests/sim/sim.h"

const char *const route_names[3] = { "x", "y", "z" };
const char *const skill_names[CHECKER_SKILLS] = { "english", "typing", "french", "law" };

/* Hubs and teams that get nothing here: never hub 0, and never those of no team, for they must be able to bring everything to its end. */
static void places(struct sim *s, struct rng *r, struct sim_station *t)
{
    if (s->plan.alike)
        return;
    if (s->plan.hubs > 1 && rng_chance(r, 150000)) {
        t->shut_hubs = 1u << rng_range(r, 1, s->plan.hubs - 1);
        if (rng_chance(r, 500000))
            t->shut_hubs |= 1u << rng_range(r, 1, s->plan.hubs - 1);
        t->only = rng_chance(r, 500000);
    }
    if (rng_chance(r, 100000))
        t->shut_teams = 1u << rng_range(r, 1, 2);
    t->prefer = (uint32_t)rng_below(r, 3);
}

static size_t worker_text(const struct sim *s, const struct sim_station *t, char *b, size_t size)
{
    static const char *const prefer[] = { "idle", "best", "hub" };
    size_t n = (size_t)snprintf(b, size, ", prefer: %s", prefer[t->prefer]);
    if (t->per_day)
        n += (size_t)snprintf(b + n, size - n, ", per_day: %u", t->per_day);
    if (t->shut_hubs) {
        n += (size_t)snprintf(b + n, size - n, ", %s: [", t->only ? "only_hubs" : "not_hubs");
        bool first = true;
        for (uint32_t h = 0; h < s->plan.hubs; h++)
            if ((t->shut_hubs >> h & 1) != t->only) {
                n += (size_t)snprintf(b + n, size - n, "%shub%u", first ? "" : ", ", h);
                first = false;
            }
        n += (size_t)snprintf(b + n, size - n, "]");
    }
    for (uint32_t k = 1; k < 3; k++)
        if (t->shut_teams >> k & 1)
            n += (size_t)snprintf(b + n, size - n, ", not_teams: [team%u]", k);
    for (uint32_t k = 0, did = 0; k < STATIONS_MAX; k++)
        if (t->not_did >> k & 1)
            n += (size_t)snprintf(b + n, size - n, "%ss%u", did++ ? ", " : ", not_who_did: [", k);
    return n + (size_t)snprintf(b + n, size - n, "%s", t->not_did ? "]" : "");
}

static void shape(struct sim *s, struct rng *r, struct sim_variant *v, uint64_t index)
{
    struct rng where = rng_of(s->plan.seed, "places", index);
    unsigned kind = s->plan.alike ? 0 : (unsigned)rng_below(r, 5);
    v->stations = kind == 0 ? 1 : kind == 1 ? 3 : kind == 2 ? 4 : (unsigned)rng_range(r, 3, STATIONS_MAX);
    for (uint32_t i = 0; i < v->stations; i++) {
        struct sim_station *t = &v->st[i];
        *t = (struct sim_station){ .when_on = -1, .attempts = (uint32_t)rng_range(r, 1, 4) };
        if (kind == 1) /* a chain */
            t->after = i ? 1u << (i - 1) : 0;
        else if (kind == 2) /* a diamond */
            t->after = i == 0 ? 0 : i < 3 ? 1 : 6;
        else if (kind == 3) /* wide: all but the last begin at once */
            t->after = i + 1 == v->stations ? (1u << i) - 1 : 0;
        else if (kind == 4) /* any graph */
            for (uint32_t k = 0; k < i; k++)
                t->after |= rng_chance(r, 400000) ? 1u << k : 0;
        if (s->plan.trains && i == 1) /* two where units come in, which have control tasks */
            t->after = 0;
        t->kind = (uint32_t)rng_below(r, 3);
        if (s->plan.apart)
            t->kind = index < VARIANTS_MAX ? 1 : 2;
        if (rng_chance(r, 300000))
            t->level[rng_below(r, CHECKER_SKILLS)] = (uint8_t)rng_range(r, 1, 3);
        if (rng_chance(r, 300000)) {
            t->when_on = -2;
            t->when_is = (int)rng_below(r, 3);
        } else if (i && t->after && rng_chance(r, 400000)) {
            uint32_t k = i;
            while (!(t->after >> --k & 1))
                ;
            t->when_on = (int)k;
            t->when_is = (int)rng_below(r, 3);
        }
        places(s, &where, t);
        if (i && t->kind == 0 && t->after &&
            rng_chance(&where, 300000)) { /* of the two who can do everything, one is left */
            uint32_t k = i;
            while (!(t->after >> --k & 1))
                ;
            t->not_did = 1u << k;
        }
        t->lease_us = rng_spread(r, 30 * SEC, HOUR) / SEC * SEC;
        t->backoff_us = rng_spread(r, SEC, 20 * MINUTE) / SEC * SEC;
        t->start_by_us = rng_chance(r, 300000) ? rng_spread(r, MINUTE, HOUR) / SEC * SEC : 0;
    }
}

/* So few at once, so few a day, that it matters; and so many that all comes to its end when the faults are over. */
static void limits(struct sim *s, struct rng *r, struct sim_variant *v)
{
    uint32_t tasks = s->plan.rows * s->plan.runs;
    for (uint32_t i = 0; !s->plan.alike && i < v->stations; i++) {
        v->st[i].at_once = tasks < 2000 && rng_chance(r, 150000) ? (uint32_t)rng_range(r, 3, 9) : 0;
        v->st[i].per_day = rng_chance(r, 150000) ? tasks / 4 + (uint32_t)rng_range(r, 1, 40) : 0;
        if (v->st[i].ties >= TIES_ENTRIES)
            v->st[i].at_once = v->st[i].per_day = 0;
    }
}

/* Some stations ask several workers. There are five who can do everything (staff.c): no more are asked than can come. */
static void copies(struct sim *s, struct rng *r, struct sim_variant *v)
{
    for (uint32_t i = 0; s->plan.copies && i < v->stations; i++) {
        struct sim_station *t = &v->st[i];
        bool followed = false; /* somebody's `when` asks for its route, which lists do not have */
        for (uint32_t k = 0; k < v->stations; k++)
            followed = followed || v->st[k].when_on == (int)i;
        if (rng_chance(r, 500000))
            continue;
        t->kind = 0;
        t->ties = (uint32_t)rng_below(r, followed ? 3 : 4);
        t->copies_min = (uint32_t)rng_range(r, 1, 3);
        t->copies_max =
            t->ties == TIES_MORE ? t->copies_min + (uint32_t)rng_range(r, 1, 4 - t->copies_min) : t->copies_min;
        if (t->ties == TIES_FAIL) /* a requeue asks one more, until the three routes cannot be even */
            t->copies_min = t->copies_max = 2;
    }
    for (uint32_t i = 0; i < v->stations; i++) /* of the five, copies may have kept all but one busy before */
        for (uint32_t k = 0; k < v->stations; k++)
            if ((v->st[i].not_did >> k & 1) && (v->st[i].copies_max || v->st[k].copies_max))
                v->st[i].not_did = 0;
}

/* Where units come in, some stations have control tasks: the same ones in all variants, so that every version of a station hands out one of as many. Which answers
 * are right does not matter here: whoever is judged is judged only. */
static void gold(struct sim *s, uint32_t line, struct sim_variant *v)
{
    for (uint32_t i = 0; i < v->stations; i++) {
        struct rng r = rng_of(s->plan.seed, "gold", line * STATIONS_MAX + i);
        bool has = !s->plan.alike && !v->st[i].after && v->st[i].ties < TIES_ENTRIES &&
                   (rng_chance(&r, 400000) || s->plan.trains);
        v->st[i].gold_every = has ? (uint32_t)rng_range(&r, 1, s->plan.trains ? 2 : 6) : 0;
        v->st[i].gold_rows = has ? (uint32_t)rng_range(&r, s->plan.trains ? 10 : 1, 20) : 0;
    }
}

#define SURE(last) ((last) - (last) / 8) /* so many at least a window holds of what came at once */
#define OF_ALL_LAST 64                   /* of what is measured at all stations together */

/* How much is remembered there: all, or so little that it matters. The same in all variants. */
static void window(struct rng *r, struct sim_station *t)
{
    bool forgets = rng_chance(r, 600000);
    t->window_last = forgets ? (uint32_t)rng_spread(r, 8, 40) : 10000;
    t->window_within_us = forgets ? rng_spread(r, 2 * HOUR, DAY) / MINUTE * MINUTE : 3650 * DAY;
}

static uint32_t tenths(struct rng *r, bool asked, int64_t lo, int64_t hi)
{
    uint32_t share = (uint32_t)rng_range(r, lo, hi);
    return asked ? share : 0;
}

static void requires(struct rng *r, const struct sim_variant *v, uint32_t i, struct sim_station *t)
{
    bool asks = rng_chance(r, 400000), gold = rng_chance(r, 400000), agreed = rng_chance(r, 500000),
         approved = rng_chance(r, 400000), returned = rng_chance(r, 300000), all = rng_chance(r, 200000),
         refuses = rng_chance(r, 300000), reviewed = false;
    for (uint32_t k = 0; k < v->named; k++)
        reviewed = reviewed || (v->st[k].review == i + 1 && !t->copies_max);
    t->abandoned_most = tenths(r, asks, 2, 6);
    t->gold_least = tenths(r, gold && (all || t->gold_every), 1, 5);
    t->agreed_least = tenths(r, agreed && (all || (t->copies_max > 1 && t->ties <= TIES_FAIL)), 3, 8);
    t->approved_least = tenths(r, approved && (all || reviewed), 2, 8);
    t->returned_most = tenths(r, returned && (all || reviewed), 2, 8);
    t->asks_after = (uint32_t)rng_range(r, 3, 12);
    if (t->asks_after > SURE(all ? OF_ALL_LAST : t->window_last))
        t->asks_after = SURE(t->window_last);
    if (!t->abandoned_most && !t->gold_least && !t->agreed_least && !t->approved_least && !t->returned_most)
        t->asks_after = 0;
    t->asks_of_all = all && t->asks_after;
    t->refuses_new = t->asks_of_all && refuses;
}

/* What stations ask of those who work there, and what follows from wrong control answers; the same ones by name in all variants that can have them. */
static void bars(struct sim *s, uint32_t line, struct sim_variant *v)
{
    for (uint32_t i = 0; s->plan.bars && i < v->named; i++) {
        struct rng r = rng_of(s->plan.seed, "bars", line * STATIONS_MAX + i);
        struct sim_station *t = &v->st[i];
        bool rule = rng_chance(&r, 500000), train = rng_chance(&r, 400000), lower = rng_chance(&r, 600000);
        window(&r, t);
        if (t->review || t->ties >= TIES_ENTRIES)
            continue;
        requires(&r, v, i, t);
        t->rule = (rule || s->plan.trains) && t->gold_every;
        t->rule_below = (uint32_t)rng_range(&r, 2, 5);
        t->rule_after = (uint32_t)rng_range(&r, 2, 5);
        t->rule_until = (uint32_t)rng_range(&r, 1, 6);
        if (t->rule_after > t->gold_rows) /* nobody gets one twice */
            t->rule_after = t->gold_rows;
        for (uint32_t k = 0; lower && t->rule && k < CHECKER_SKILLS; k++)
            if (t->level[k]) {
                t->rule = 2;
                t->rule_skill = k;
            }
        train = train || s->plan.trains;
        if (s->plan.trains) /* soon there, and soon back */
            t->rule_until = (uint32_t)rng_range(&r, 1, 3);
        for (uint32_t k = 0; train && t->rule && k < v->named; k++)
            if (k != i && v->st[k].gold_rows >= t->rule_after) {
                t->rule = 3;
                t->rule_at = k;
            }
    }
}

static void no_bars(struct sim_variant *v)
{
    for (uint32_t i = 0; i < v->stations; i++)
        v->st[i].asks_after = v->st[i].rule = 0;
}

/* So many at most have a part in a station's work of one unit, over all its rounds: one more than the line gives, if an operator requeues it. */
static uint32_t hands(const struct sim_variant *v, uint32_t i)
{
    uint32_t n = v->st[i].copies_max ? v->st[i].copies_max + 2 : 1;
    if (v->st[i].review)
        n = hands(v, v->st[i].review - 1);
    for (uint32_t k = 0; k < v->stations; k++)
        if (v->st[k].review == i + 1 && v->st[k].rejects)
            n += v->st[k].rounds;
    return n;
}

/* Whose end a station waits for: those it names, and the reviews of these. */
static uint32_t waits_for(const struct sim_variant *v, uint32_t i)
{
    uint32_t set = v->st[i].after, was;
    do {
        was = set;
        for (uint32_t k = 0; k < v->stations && !v->st[i].review; k++)
            if (v->st[k].review && set >> (v->st[k].review - 1) & 1)
                set |= 1u << k;
    } while (set != was);
    return set;
}

static uint32_t upstream(const struct sim_variant *v, uint32_t i)
{
    uint32_t set = waits_for(v, i), was;
    do {
        was = set;
        for (uint32_t k = 0; k < v->stations; k++)
            if (set >> k & 1)
                set |= waits_for(v, k);
    } while (set != was);
    return set;
}

/* Nobody reviews what he had a part in: of the steady ones there must be somebody left at each review, whoever did what before. */
static bool somebody_left(const struct sim_variant *v)
{
    for (uint32_t i = 0; i < v->stations; i++) {
        uint32_t n = 0, set = v->st[i].review ? upstream(v, i) : 0;
        for (uint32_t k = 0; k < v->stations; k++)
            n += set >> k & 1 ? hands(v, k) : 0;
        if (n >= STEADY_WITH_REVIEWS)
            return false;
    }
    return true;
}

/* Some stations that come after one other review it instead. */
static void reviews(struct sim *s, struct rng *r, struct sim_variant *v)
{
    for (uint32_t i = 1; s->plan.reviews && i < v->stations; i++) {
        struct sim_station *t = &v->st[i], was = *t;
        uint32_t of = t->after ? (uint32_t)__builtin_ctz(t->after) : 0;
        bool taken = !t->after || (t->after & (t->after - 1)) || (v->st[of].copies_max && v->st[of].ties == TIES_ALL);
        for (uint32_t k = 0; k < v->stations; k++)
            taken = taken || v->st[k].review == of + 1;
        if (taken || rng_chance(r, 300000))
            continue;
        t->review = of + 1;
        t->kind = t->copies_min = t->copies_max = t->ties = t->not_did = 0;
        t->rejects = !v->st[of].copies_max && rng_chance(r, 800000);
        t->rounds = (uint32_t)rng_range(r, 1, 3);
        t->return_us = rng_chance(r, 200000) ? 0 : rng_spread(r, MINUTE, 6 * HOUR) / SEC * SEC;
        if (!somebody_left(v))
            *t = was;
    }
}

/* Some stations are tournaments. Seven can do everything in such a world: three enter at most, and three more may have to vote. */
static void contests(struct sim *s, struct rng *r, struct sim_variant *v)
{
    v->named = v->stations;
    for (uint32_t i = 0; s->plan.contests && i < v->named && v->stations < STATIONS_MAX; i++) {
        struct sim_station *t = &v->st[i];
        if (rng_chance(r, 600000))
            continue;
        struct sim_station *j = &v->st[v->stations];
        t->kind = 0;
        t->ties = TIES_ENTRIES;
        t->copies_min = t->copies_max = (uint32_t)rng_range(r, 2, 3);
        t->equal = rng_chance(r, 500000) ? (uint32_t)rng_range(r, 2, t->copies_max) : 0;
        t->at_once = t->per_day = 0;
        t->jury = v->stations;
        *j = *t;
        j->equal = 0;
        j->jury = i;
        j->when_on = -1;
        j->after = 1u << i;
        j->not_did = 1u << i;
        j->ties = rng_chance(r, 500000) ? TIES_JURY_FIRST : t->copies_max == 2 ? TIES_JURY_FAIL : TIES_JURY_REVIEW;
        j->copies_max = j->ties == TIES_JURY_FAIL ? 2 : (uint32_t)rng_range(r, 1, 3);
        j->copies_min = j->ties == TIES_JURY_FIRST ? (j->copies_max + 1) / 2 : j->copies_max / 2 + 1;
        v->stations++;
    }
    for (uint32_t i = 0; i < v->named; i++) /* who did what before is not counted on here */
        for (uint32_t k = 0; k < v->named; k++)
            if ((v->st[i].not_did >> k & 1) && (v->st[i].copies_max || v->st[k].copies_max))
                v->st[i].not_did = 0;
}

/* All that a station's own `after` reaches. */
static uint32_t comes_before(const struct sim_variant *v, uint32_t i)
{
    uint32_t set = v->st[i].after;
    for (uint32_t k = i; k-- > 0;)
        set |= set >> k & 1 ? v->st[k].after : 0;
    return set;
}

/* Most stations ask for what few can do beside the two who can do everything, and shut out whoever did some of what comes before: all who may do a task can
 * have had a part in it. */
static void few_hands(struct sim *s, struct rng *r, struct sim_variant *v)
{
    for (uint32_t i = 1; s->plan.few && i < v->named; i++) {
        struct sim_station *t = &v->st[i];
        if (!t->after || rng_chance(r, 200000))
            continue;
        t->kind = 0;
        t->level[CHECKER_SKILLS - 2] = t->level[CHECKER_SKILLS - 1] = 3;
        for (uint32_t k = 0, before = comes_before(v, i); k < i; k++)
            t->not_did |= (before >> k & 1) && rng_chance(r, 600000) ? 1u << k : 0;
    }
}

/* A definition may be applied more than once: its stations have other numbers then. */
void lines_number(struct sim *s, uint64_t id, const struct sim_station *st)
{
    CHECK(s, id < NUMBERS_MAX);
    s->numbered[id] = st;
}

const struct sim_station *lines_station(const struct sim *s, uint64_t id)
{
    return id < NUMBERS_MAX ? s->numbered[id] : NULL;
}

static size_t rule_text(const struct sim_station *t, char *b, size_t size)
{
    if (!t->rule)
        return 0;
    size_t n = (size_t)snprintf(b, size, "      rules: [{below: 0.%u, after: %u, do: ", t->rule_below, t->rule_after);
    if (t->rule == 3)
        n += (size_t)snprintf(b + n, size - n, "train, at: s%u, until: 0.%u}]\n", t->rule_at, t->rule_until);
    else if (t->rule == 2)
        n += (size_t)snprintf(b + n, size - n, "lower, skill: %s}]\n", skill_names[t->rule_skill]);
    else
        n += (size_t)snprintf(b + n, size - n, "suspend}]\n");
    return n;
}

static size_t require_text(const struct sim_station *t, char *b, size_t size)
{
    const struct {
        const char *name, *than;
        uint32_t tenths;
    } asks[] = { { "abandonment", "<=", t->abandoned_most },
                 { "gold", ">=", t->gold_least },
                 { "agreement", ">=", t->agreed_least },
                 { "approval", ">=", t->approved_least },
                 { "returned", "<=", t->returned_most } };
    size_t n = (size_t)snprintf(b, size, "    require: {after: %u", t->asks_after);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        if (asks[i].tenths)
            n += (size_t)snprintf(b + n, size - n, ", %s: \"%s 0.%u\"", asks[i].name, asks[i].than, asks[i].tenths);
    return n + (size_t)snprintf(b + n, size - n, "%s%s}\n", t->asks_of_all ? ", of: all" : "",
                                t->refuses_new ? ", newcomers: refuse" : "");
}

static void text_of(const struct sim *s, const struct sim_line *l, const struct sim_variant *v, uint32_t number,
                    char *b, size_t size)
{
    static const char *const kinds[] = { "any", "human", "robot" };
    size_t n = (size_t)snprintf(b, size,
                                "line: %s\ntitle: variant %u\ninput:\n  - {name: text, type: text, required: true}\n"
                                "  - {name: kind, type: text, options: [x, y, z]}\nstations:\n",
                                l->name, number);
    for (uint32_t i = 0; i < v->named; i++) {
        const struct sim_station *t = &v->st[i];
        n += (size_t)snprintf(b + n, size - n, "  - name: s%u\n    worker: {kind: %s, skills: {", i, kinds[t->kind]);
        bool first = true;
        for (int k = 0; k < CHECKER_SKILLS; k++)
            if (t->level[k]) {
                n += (size_t)snprintf(b + n, size - n, "%s%s: %u", first ? "" : ", ", skill_names[k], t->level[k]);
                first = false;
            }
        n += (size_t)snprintf(b + n, size - n, "}");
        n += worker_text(s, t, b + n, size - n);
        n += (size_t)snprintf(b + n, size - n, "}\n    after: [");
        first = true;
        for (uint32_t k = 0; k < i; k++)
            if (t->after >> k & 1) {
                n += (size_t)snprintf(b + n, size - n, "%ss%u", first ? "" : ", ", k);
                first = false;
            }
        n += (size_t)snprintf(b + n, size - n, "]\n");
        if (t->when_on == -2)
            n += (size_t)snprintf(b + n, size - n, "    when: kind == \"%s\"\n", route_names[t->when_is]);
        else if (t->when_on >= 0)
            n += (size_t)snprintf(b + n, size - n, "    when: s%d.route == \"%s\"\n", t->when_on,
                                  route_names[t->when_is]);
        if (t->review) {
            n += (size_t)snprintf(b + n, size - n, "    type: improve\n");
            if (t->rejects)
                n += (size_t)snprintf(b + n, size - n,
                                      "    reasons: [bad, worse]\n    rounds: %u\n    return_to_author: %" PRId64 "s\n",
                                      t->rounds, t->return_us / SEC);
        }
        if (!t->review)
            n += (size_t)snprintf(
                b + n, size - n,
                "    form:\n      fields:\n        - {name: answer, type: long_answer, required: true}\n"
                "        - {name: route, type: radio, options: [x, y, z], required: true}\n");
        if (s->plan.bars)
            n += (size_t)snprintf(b + n, size - n, "    window: {last: %u, within: %" PRId64 "m}\n", t->window_last,
                                  t->window_within_us / MINUTE);
        n += (size_t)snprintf(b + n, size - n, "    lease: %" PRId64 "s\n    backoff: %" PRId64 "s\n    attempts: %u\n",
                              t->lease_us / SEC, t->backoff_us / SEC, t->attempts);
        static const char *const ties[] = { "more", "first", "fail" };
        if (t->ties == TIES_ENTRIES) {
            static const char *const tied[] = { "first", "review", "fail" };
            const struct sim_station *j = &v->st[t->jury];
            n += (size_t)snprintf(b + n, size - n,
                                  "    type: tournament\n    contestants: %u\n    jury: {max: %u, ties: %s}\n",
                                  t->copies_max, j->copies_max, tied[j->ties - TIES_JURY_FIRST]);
            if (t->equal)
                n += (size_t)snprintf(b + n, size - n, "    auto_judge: {equal: %u, on: [route]}\n", t->equal);
            n += t->start_by_us
                     ? (size_t)snprintf(b + n, size - n, "    start_by: %" PRId64 "s\n", t->start_by_us / SEC)
                     : 0;
            continue;
        }
        if (t->copies_max)
            n += (size_t)snprintf(b + n, size - n, "    copies: {min: %u, max: %u}\n    agree: ", t->copies_min,
                                  t->copies_max);
        if (t->copies_max && t->ties == TIES_ALL)
            n += (size_t)snprintf(b + n, size - n, "{method: all}\n");
        else if (t->copies_max)
            n += (size_t)snprintf(b + n, size - n, "{on: [route], method: plurality, ties: %s}\n", ties[t->ties]);
        if (t->gold_every) {
            n += (size_t)snprintf(b + n, size - n,
                                  "    shows: [text, kind]\n    gold:\n      every: %u\n      columns: [text, kind, "
                                  "route]\n      cells: [",
                                  t->gold_every);
            for (uint32_t k = 0; k < t->gold_rows; k++)
                n += (size_t)snprintf(b + n, size - n, "%srow %u, %s, %s", k ? ", " : "", CHECKER_GOLD_ROW + k,
                                      route_names[k % 3], route_names[k % 2]);
            n += (size_t)snprintf(b + n, size - n, "]\n");
            n += rule_text(t, b + n, size - n);
        }
        if (t->asks_after)
            n += require_text(t, b + n, size - n);
        if (t->at_once)
            n += (size_t)snprintf(b + n, size - n, "    at_once: %u\n", t->at_once);
        if (t->start_by_us)
            n += (size_t)snprintf(b + n, size - n, "    start_by: %" PRId64 "s\n", t->start_by_us / SEC);
    }
    assert(n < size);
}

static void compile(struct sim *s, struct sim_line *l, uint32_t k)
{
    char text[16384];
    text_of(s, l, &l->v[k], k, text, sizeof text);
    struct linefile *f = linefile_parse(l->name, text, strlen(text));
    CHECK(s, f);
    if (linefile_check(f))
        sim_broken(s, "%s\n%s", linefile_problem(f, 0), text);
    struct slp_bytes packed = linefile_packed(f);
    CHECK(s, l->v[k].packed = malloc(packed.n));
    memcpy(l->v[k].packed, packed.p, l->v[k].packed_n = packed.n);
    linefile_free(&f);
}

void lines_make(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.lines; i++) {
        struct rng r = rng_of(s->plan.seed, "line", i), cr = rng_of(s->plan.seed, "copies", 1 + i),
                   vr = rng_of(s->plan.seed, "reviews", 1 + i), lr = rng_of(s->plan.seed, "limits", i),
                   tr = rng_of(s->plan.seed, "contests", 1 + i), fr = rng_of(s->plan.seed, "few hands", 1 + i);
        struct sim_line *l = &s->line[i];
        snprintf(l->name, sizeof l->name, "line%u", i);
        l->variants = VARIANTS_MAX;
        for (uint32_t k = 0; k < l->variants; k++) {
            if (k && rng_chance(&r, 500000)) { /* the same stations, other times */
                l->v[k] = l->v[k - 1];
                l->v[k].st[0].lease_us = rng_spread(&r, 30 * SEC, HOUR) / SEC * SEC;
                if (l->v[k].st[0].ties == TIES_ENTRIES)
                    l->v[k].st[l->v[k].st[0].jury].lease_us = l->v[k].st[0].lease_us;
            } else {
                shape(s, &r, &l->v[k], i * VARIANTS_MAX + k);
                copies(s, &cr, &l->v[k]);
                reviews(s, &vr, &l->v[k]);
                contests(s, &tr, &l->v[k]);
                few_hands(s, &fr, &l->v[k]);
            }
            limits(s, &lr, &l->v[k]);
            gold(s, i, &l->v[k]);
            bars(s, i, &l->v[k]);
            compile(s, l, k);
        }
        if (!s->plan.bars)
            continue;
        uint32_t most = 0; /* the one that has all names of the others */
        for (uint32_t k = 1; k < l->variants; k++)
            most = l->v[k].named > l->v[most].named ? k : most;
        l->v[VARIANTS_MAX] = l->v[most];
        no_bars(&l->v[VARIANTS_MAX]);
        compile(s, l, VARIANTS_MAX);
    }
}

void lines_free_all(struct sim *s)
{
    for (uint32_t i = 0; i < LINES_MAX; i++)
        for (uint32_t k = 0; k < VARIANTS_ALL; k++)
            free(s->line[i].v[k].packed);
}

struct sim_variant *line_variant(struct sim *s, const char *packed, size_t n, struct sim_line **line)
{
    for (uint32_t i = 0; i < s->plan.lines; i++)
        for (uint32_t k = 0; k < VARIANTS_ALL; k++)
            if (s->line[i].v[k].packed_n == n && !memcmp(s->line[i].v[k].packed, packed, n)) {
                *line = &s->line[i];
                return &s->line[i].v[k];
            }
    return NULL;
}

/* ---- payloads ---- */

uint64_t digest(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3ull;
    return h ? h : 1;
}

static size_t row_text(uint64_t row, char *b, size_t size)
{
    uint64_t x = row * 0x9e3779b97f4a7c15ull;
    size_t filler = (x >> 40) % 97 == 0  ? 3000 + (x >> 48) % 20000
                    : (x >> 40) % 7 == 0 ? (x >> 48) % 3000
                                         : (x >> 48) % 120;
    size_t n = (size_t)snprintf(b, size, "row %" PRIu64 " ", row);
    for (size_t i = 0; i < filler && n < size; i++)
        b[n++] = (char)('a' + (x >> (i % 50)) % 26);
    return n;
}

int row_route(struct sim *s, uint64_t row)
{
    return (int)((row * 0x9e3779b97f4a7c15ull ^ s->plan.seed) >> 33) % 3;
}

int row_truth(const struct sim *s, uint64_t row, uint32_t station)
{
    if (row >= CHECKER_GOLD_ROW)
        return (int)((row - CHECKER_GOLD_ROW) % 2);
    return (int)(((row + 1) * 0xbf58476d1ce4e5b9ull ^ (station + 1) * 0x94d049bb133111ebull ^ s->plan.seed) >> 33) % 3;
}

void row_pack(struct slp_buf *b, uint64_t row, int route)
{
    char text[32768];
    slp_pack_array(b, 2);
    slp_pack_str(b, text, row_text(row, text, sizeof text));
    slp_pack_cstr(b, route_names[route]);
}

uint64_t row_of_text(struct slp_bytes text)
{
    uint64_t row = 0;
    if (text.n < 5 || memcmp(text.p, "row ", 4))
        return 0;
    for (uint32_t i = 4; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        row = row * 10 + (uint64_t)(text.p[i] - '0');
    return row;
}

uint64_t row_digest(struct slp_bytes text, struct slp_bytes route)
{
    return digest(text.p, text.n) * 31 + digest(route.p, route.n);
}
