/* COVERAGE_GET: what a forecast is made from (docs/adr/0018-forecast.md), in pages. First the stations that were asked for, with what is measured of them
 * and of their lines; then the hubs' presence; then who works: the stored workers are walked, and those of one hub and shift who pass the same of these
 * stations are counted as one crew. A page's crews are those of its workers only: who asks adds pages up.
 *
 * Which workers pass a station is decided by takes(), from the texts: with the skills that count at the moment of the last commit (skills_sum, shared with the engine), and
 * but for those who are suspended or in training there (REPUTE). The engine's gates (gate.c) decide the same by numbers. A test holds the two together. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/engine/arrivals.h"
#include "broker/engine/pace.h"
#include "broker/engine/presence.h"
#include "broker/engine/reader.h"
#include "broker/engine/skills.h"
#include "broker/engine/standing.h"

#define RECORDS_LOOKED_AT_MAX 20000 /* in one page: of workers, and of what is measured of them */
#define CREWS_MAX 2048              /* rows of a page */
#define CREW_SLOTS 4096             /* twice that: a hash table */
#define KIND_SLOTS 512              /* answers remembered within a page: workers of a hub are mostly alike */
#define BUSY_ENOUGH 20              /* results of workers who had enough to do: fewer say nothing of their pauses */
#define WORDS (SL_COVERAGE_STATIONS_MAX / 64)
_Static_assert(SL_COVERAGE_STATIONS_MAX % 64 == 0, "whole words");

enum phase { STATIONS, HUBS, WORKERS, PHASES }; /* `next`: phase u8, number u32 */
#define NEXT_BYTES 5

struct wanted {
    uint32_t id, line;
    uint16_t idx;
    const struct ld_line *lv;
};

struct coverage {
    struct reader *r;
    const struct slp_coverage_get *q;
    struct slp_coverage a;
    struct wanted station[SL_COVERAGE_STATIONS_MAX];
    uint32_t stations, at; /* at: where this page begins, then where the next one does */
    bool more;
    int64_t wall_us;
};

static bool stations_find(struct coverage *c)
{
    struct slp_cursor s = slp_each(c->q->stations);
    for (uint64_t id; slp_next_u64(&s, &id);) {
        struct wanted *w = &c->station[c->stations++];
        uint32_t version;
        if (!id || id > UINT32_MAX || !rd_station(c->r, (uint32_t)id, &w->line, &version, &w->idx))
            return false;
        w->id = (uint32_t)id;
        if (!(w->lv = rd_line(c->r, w->line, version)))
            return false;
        if (w->idx >= w->lv->station_count) {
            c->r->rc = STORE_CORRUPT;
            return false;
        }
    }
    return true;
}

/* ---- stations and lines ---- */

static int names_text(char *to, size_t size, const char *word, const struct ld_names *v)
{
    int n = 0;
    for (uint32_t i = 0; i < v->count && n < (int)size; i++)
        n += snprintf(to + n, size - (size_t)n, "%s%.*s", i ? ", " : word, (int)v->name[i].n, v->name[i].p);
    return n;
}

/* What the station asks of its workers, for people; cut where it gets too long. */
static struct slp_bytes needs_text(const struct ld_station *s, char *to, size_t size)
{
    static const char *const kind[] = { [LD_ANY] = "anybody", [LD_HUMAN] = "human", [LD_ROBOT] = "robot" };
    const struct {
        const char *word;
        const struct ld_names *v;
    } list[] = { { "; hub ", &s->only_hubs },
                 { "; not hub ", &s->not_hubs },
                 { "; team ", &s->only_teams },
                 { "; not team ", &s->not_teams } };
    int n = snprintf(to, size, "%s", kind[s->kind]);
    for (uint32_t i = 0; i < s->skill_count && n < (int)size; i++)
        n += snprintf(to + n, size - (size_t)n, " %.*s:%u", (int)s->skills[i].name.n, s->skills[i].name.p,
                      s->skills[i].level);
    for (size_t i = 0; i < sizeof list / sizeof *list && n < (int)size; i++)
        n += names_text(to + n, size - (size_t)n, list[i].word, list[i].v);
    return (struct slp_bytes){ to, (uint32_t)strlen(to) };
}

/* Pairs of milliseconds and how many took no longer (but longer than the pair before tells). */
static void times_pack(struct coverage *c, uint32_t station, struct slp_item_coverage_station *row, struct slp_buf *b)
{
    uint8_t k[4];
    struct store_val v;
    struct pace p = { .count = 0 };
    uint32_t used = 0;
    key_u32(k, station);
    if (!rd_get(c->r, TABLE_PACE, k, sizeof k, &v))
        return;
    struct rdr rd = rdr_on(v.p, v.n);
    if (!pace_read(&p, &rd))
        c->r->rc = STORE_CORRUPT;
    for (unsigned i = 0; i < PACE_BUCKETS; i++)
        if (p.bucket[i]) {
            slp_pack_u64(b, pace_bucket_end_ms(i));
            slp_pack_u64(b, p.bucket[i]);
            used++;
        }
    row->mean_us = p.busy_n >= BUSY_ENOUGH ? p.taken_us / p.busy_n : p.count ? p.total_us / p.count : 0;
    row->times = (struct slp_list){ b->p, (uint32_t)b->n, used * 2 };
}

static void station_pack(struct coverage *c, const struct wanted *w)
{
    const struct ld_station *s = &w->lv->stations[w->idx];
    struct slp_buf after = { 0 }, times = { 0 };
    char needs[SL_TEXT_BYTES_MAX];
    struct slp_item_coverage_station row = { .station_id = w->id,
                                             .answers = s->copies.max ? s->copies.min : 1,
                                             .lease_us = (uint64_t)s->lease_us,
                                             .needs = needs_text(s, needs, sizeof needs) };
    for (uint32_t i = 0; i < s->after_count; i++)
        slp_pack_u64(&after, w->id - w->idx + s->after[i]); /* a version's stations have numbers in a row */
    row.after = (struct slp_list){ after.p, (uint32_t)after.n, s->after_count };
    times_pack(c, w->id, &row, &times);
    if (after.failed || times.failed)
        c->r->b.failed = true;
    else
        slp_pack_item(&c->r->b, SLP_ITEM_coverage_station, &row);
    c->a.stations.count++;
    slp_buf_free(&after);
    slp_buf_free(&times);
}

static uint64_t root(uint64_t v)
{
    uint64_t lo = 0, hi = 1ull << 32;
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (mid * mid <= v)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Spread in the unit of sum / weight. */
static uint64_t spread(uint32_t weight, uint64_t sum, uint64_t squares)
{
    uint64_t mean = weight ? sum / weight : 0, square = weight ? squares / weight : 0;
    return square > mean * mean ? root(square - mean * mean) : 0;
}

static void line_pack(struct coverage *c, uint32_t line)
{
    struct arrivals a = { .hour = 0 };
    struct slp_buf v[3] = { { 0 } };
    struct store_cursor cur;
    uint8_t k[5] = { 0 };
    bool any = false;
    key_u32(k, line);
    enum store_rc rc = store_cursor_open(c->r->t, TABLE_ARRIVAL, &cur);
    for (rc = rc ? rc : store_seek(&cur, k, sizeof k); rc == STORE_OK && !memcmp(cur.key.p, k, 4) && !c->r->rc;
         rc = store_next(&cur)) {
        struct rdr rd = rdr_on(cur.val.p, cur.val.n);
        any = true;
        if (cur.key.n != sizeof k || !arrivals_read(&a, ((const uint8_t *)cur.key.p)[4], &rd))
            c->r->rc = STORE_CORRUPT;
    }
    rd_walked(c->r, rc);
    store_cursor_close(&cur);
    for (unsigned i = 0; any && i < WEEK_HOURS; i++) {
        const struct arrival_hour *u = &a.usual[i];
        slp_pack_u64(&v[0], u->weight);
        slp_pack_u64(&v[1], u->weight ? u->sum * 1000 / u->weight : 0);
        slp_pack_u64(&v[2], spread(u->weight, u->sum, u->squares) * 1000);
    }
    struct slp_item_coverage_line row = { .line = rd_name_of(c->r, NAME_LINE, line) };
    struct slp_list *to[] = { &row.weights, &row.units_milli, &row.spread_milli };
    for (unsigned i = 0; i < 3; i++) {
        *to[i] = (struct slp_list){ v[i].p, (uint32_t)v[i].n, any ? WEEK_HOURS : 0 };
        c->r->b2.failed = c->r->b2.failed || v[i].failed;
    }
    if (!c->r->b2.failed)
        slp_pack_item(&c->r->b2, SLP_ITEM_coverage_line, &row);
    c->a.lines.count++;
    for (unsigned i = 0; i < 3; i++)
        slp_buf_free(&v[i]);
}

static void stations_tell(struct coverage *c)
{
    for (; c->at < c->stations && !c->r->rc; c->at++) {
        const struct wanted *w = &c->station[c->at];
        bool first = true;
        if (c->r->b.n + c->r->b2.n > PAGE_BYTES_MAX - 16384) {
            c->more = true;
            break;
        }
        for (uint32_t i = 0; i < c->at; i++)
            first = first && c->station[i].line != w->line;
        station_pack(c, w);
        if (first)
            line_pack(c, w->line);
    }
    c->a.stations = (struct slp_list){ c->r->b.p, (uint32_t)c->r->b.n, c->a.stations.count };
    c->a.lines = (struct slp_list){ c->r->b2.p, (uint32_t)c->r->b2.n, c->a.lines.count };
    SLP_SET(&c->a, coverage, stations);
    SLP_SET(&c->a, coverage, lines);
}

/* ---- hubs ---- */

static void group_tell(struct presence p, uint64_t *weight, uint64_t *share, uint64_t *wide)
{
    if (!p.weight) /* no day is over yet: the one under way says something */
        presence_close(&p);
    *weight = p.weight;
    *share = p.weight ? p.sum / p.weight : 0;
    *wide = spread(p.weight, p.sum, p.squares);
}

static void hubs_tell(struct coverage *c)
{
    struct store_cursor cur;
    uint8_t k[4];
    uint32_t n = 0;
    key_u32(k, c->at);
    enum store_rc rc = store_cursor_open(c->r->t, TABLE_PRESENCE, &cur);
    for (rc = rc ? rc : store_seek(&cur, k, sizeof k); rc == STORE_OK && !c->r->rc; rc = store_next(&cur)) {
        struct hub_presence h;
        struct rdr rd = rdr_on(cur.val.p, cur.val.n);
        uint32_t id = key_get_u32(cur.key.p);
        if (n == SL_PAGE_ITEMS_MAX || c->r->b.n > PAGE_BYTES_MAX) {
            c->at = id;
            c->more = true;
            break;
        }
        if (cur.key.n != 4 || !presence_read(&h, &rd)) {
            c->r->rc = STORE_CORRUPT;
            break;
        }
        struct slp_item_coverage_hub row = { .hub = id };
        group_tell(h.of[PRESENCE_BY_SHIFT], &row.weight, &row.share, &row.spread);
        group_tell(h.of[PRESENCE_ANYTIME], &row.anytime_weight, &row.anytime_share, &row.anytime_spread);
        slp_pack_item(&c->r->b, SLP_ITEM_coverage_hub, &row);
        n++;
    }
    rd_walked(c->r, rc);
    store_cursor_close(&cur);
    c->a.hubs = (struct slp_list){ c->r->b.p, (uint32_t)c->r->b.n, n };
    SLP_SET(&c->a, coverage, hubs);
}

/* ---- workers ---- */

struct kind { /* what decides which stations a worker passes; points into the transaction */
    uint32_t hub;
    uint8_t robot;
    struct slp_bytes team, skills; /* skills: as declared */
    uint32_t skill_count;
};
struct known {
    bool used;
    struct kind kind;
    uint64_t fits[WORDS];
};
struct crew {
    uint32_t hub, shift;
    uint64_t fits[WORDS], workers, slots;
};
struct crews {
    struct known known[KIND_SLOTS];
    struct crew crew[CREWS_MAX];
    uint16_t slot[CREW_SLOTS]; /* index + 1 */
    uint32_t n;
};

static bool same(struct slp_bytes a, struct slp_bytes b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

static bool among(const struct ld_names *v, struct slp_bytes name)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (same(v->name[i], name))
            return true;
    return false;
}

static bool has_skill(const struct skill_set *has, const struct ld_skill *wanted)
{
    for (uint32_t i = 0; i < has->n; i++)
        if (same(has->v[i].name, wanted->name) && has->v[i].level >= wanted->level)
            return true;
    return false;
}

static bool takes(const struct ld_station *s, const struct kind *k, const struct skill_set *has, struct slp_bytes hub)
{
    if (s->kind != LD_ANY && (s->kind == LD_ROBOT) != (k->robot == 1))
        return false;
    if ((s->only_hubs.count && !among(&s->only_hubs, hub)) || among(&s->not_hubs, hub))
        return false;
    if ((s->only_teams.count && !(k->team.n && among(&s->only_teams, k->team))) ||
        (k->team.n && among(&s->not_teams, k->team)))
        return false;
    for (uint32_t i = 0; i < s->skill_count; i++)
        if (!has_skill(has, &s->skills[i]))
            return false;
    return true;
}

static uint32_t mix(uint32_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 16777619u; /* FNV-1a */
    return h;
}

/* With what an operator granted and rules lowered (the worker's record in SKILL; n 0: none), as it counts at the moment of the last commit. */
static void fits_make(struct coverage *c, const struct kind *k, struct store_val words, uint64_t *fits)
{
    struct slp_list declared = { k->skills.p, k->skills.n, k->skill_count };
    struct skill_set has;
    struct slp_bytes hub = rd_name_of(c->r, NAME_HUB, k->hub);
    if (!skills_sum(&declared, words.p, words.n, c->wall_us, &has)) {
        c->r->rc = STORE_CORRUPT;
        return;
    }
    for (uint32_t i = 0; i < c->stations; i++)
        if (takes(&c->station[i].lv->stations[c->station[i].idx], k, &has, hub))
            fits[i / 64] |= 1ull << (i % 64);
}

static const uint64_t *fits_of(struct coverage *c, struct crews *cr, const struct kind *k)
{
    uint32_t h = mix(mix(mix(2166136261u, &k->hub, sizeof k->hub), k->team.p, k->team.n), k->skills.p, k->skills.n);
    struct known *known = &cr->known[(h ^ h >> 16 ^ k->robot) % KIND_SLOTS];
    if (known->used && known->kind.hub == k->hub && known->kind.robot == k->robot && same(known->kind.team, k->team) &&
        same(known->kind.skills, k->skills))
        return known->fits;
    *known = (struct known){ .used = true, .kind = *k };
    fits_make(c, k, (struct store_val){ NULL, 0 }, known->fits);
    return known->fits;
}

/* ---- what else is told of a worker, in tables that are walked beside the workers ---- */

/* The first record of this worker or a later one. */
static void beside(struct coverage *c, struct store_cursor *cur, enum store_rc *rc, uint32_t worker)
{
    while (*rc == STORE_OK && key_get_u32(cur->key.p) < worker)
        *rc = store_next(cur);
    rd_walked(c->r, *rc);
}

static bool of_worker(const struct store_cursor *cur, enum store_rc rc, uint32_t worker)
{
    return rc == STORE_OK && key_get_u32(cur->key.p) == worker;
}

/* Who is suspended at a station (by its name, in all versions), or in training there, gets none of its tasks. */
static void bar(struct coverage *c, uint32_t key, uint64_t *fits)
{
    uint32_t line, version;
    uint16_t idx;
    if (!rd_station(c->r, key, &line, &version, &idx))
        return;
    const struct ld_line *lv = rd_line(c->r, line, version);
    for (uint32_t i = 0; lv && idx < lv->station_count && i < c->stations; i++) {
        const struct wanted *w = &c->station[i];
        if (w->line == line && same(w->lv->stations[w->idx].name, lv->stations[idx].name))
            fits[i / 64] &= ~(1ull << (i % 64));
    }
}

/* False: there is no room for one more crew. */
static bool crew_add(struct crews *cr, uint32_t hub, uint32_t shift, const uint64_t *fits, uint32_t slots)
{
    uint32_t h = mix(mix(mix(2166136261u, &hub, sizeof hub), &shift, sizeof shift), fits, WORDS * sizeof *fits);
    uint32_t at = (h ^ h >> 16) % CREW_SLOTS;
    for (; cr->slot[at]; at = (at + 1) % CREW_SLOTS) {
        struct crew *w = &cr->crew[cr->slot[at] - 1];
        if (w->hub == hub && w->shift == shift && !memcmp(w->fits, fits, sizeof w->fits)) {
            w->workers++;
            w->slots += slots;
            return true;
        }
    }
    if (cr->n == CREWS_MAX)
        return false;
    struct crew *w = &cr->crew[cr->n++];
    *w = (struct crew){ .hub = hub, .shift = shift, .workers = 1, .slots = slots };
    memcpy(w->fits, fits, sizeof w->fits);
    cr->slot[at] = (uint16_t)cr->n;
    return true;
}

struct tables {
    struct store_cursor skill, repute;
    enum store_rc skill_rc, repute_rc;
};

/* Returns how many records were looked at. */
static uint32_t worker_count(struct coverage *c, struct crews *cr, struct tables *t, uint32_t id, struct store_val v,
                             bool *full)
{
    static const uint64_t none[WORDS];
    struct rdr rd = rdr_on(v.p, v.n);
    struct kind k;
    size_t n;
    uint64_t fits[WORDS] = { 0 };
    uint32_t looked = 1;
    k.hub = rdr_u32(&rd);
    uint32_t capacity = rdr_u32(&rd);
    k.robot = rdr_u8(&rd);
    bool on_roster = rdr_u8(&rd);
    rdr_str(&rd, &n);
    k.team.p = rdr_str(&rd, &n), k.team.n = (uint32_t)n;
    rdr_str(&rd, &n);
    k.skill_count = rdr_u16(&rd);
    k.skills.p = rdr_str(&rd, &n), k.skills.n = (uint32_t)n;
    uint32_t shift = rd.p < rd.end ? rdr_u32(&rd) : 0; /* since format 2 */
    if (rd.bad) {
        c->r->rc = STORE_CORRUPT;
        return looked;
    }
    if (!on_roster)
        return looked;
    beside(c, &t->skill, &t->skill_rc, id);
    if (of_worker(&t->skill, t->skill_rc, id))
        fits_make(c, &k, t->skill.val, fits);
    else
        memcpy(fits, fits_of(c, cr, &k), sizeof fits);
    beside(c, &t->repute, &t->repute_rc, id);
    for (; of_worker(&t->repute, t->repute_rc, id) && !c->r->rc; t->repute_rc = store_next(&t->repute), looked++) {
        uint32_t key = t->repute.key.n == 8 ? key_get_u32((const uint8_t *)t->repute.key.p + 4) : 0;
        if (key && t->repute.val.n && *(const uint8_t *)t->repute.val.p != STANDING_GOOD)
            bar(c, key, fits);
    }
    if (memcmp(fits, none, sizeof none) && !crew_add(cr, k.hub, shift, fits, capacity)) {
        c->at = id;
        *full = true;
    }
    return looked;
}

/* At the first record of the page's first worker, or a later one's. */
static enum store_rc table_open(struct coverage *c, enum store_table tb, struct store_cursor *cur)
{
    uint8_t k[4];
    key_u32(k, c->at);
    enum store_rc rc = store_cursor_open(c->r->t, tb, cur);
    return rc ? rc : store_seek(cur, k, sizeof k);
}

/* The wall time of the last commit: what is past by then is past. */
static void wall_read(struct coverage *c)
{
    struct store_val v;
    if (rd_get(c->r, TABLE_META, META_KEY, sizeof META_KEY - 1, &v) && v.n >= META_WALL_AT + 8)
        c->wall_us = (int64_t)get_u64((const uint8_t *)v.p + META_WALL_AT);
}

static void workers_tell(struct coverage *c)
{
    struct tables t;
    struct crews *cr = calloc(1, sizeof *cr);
    struct store_cursor cur;
    uint8_t k[4];
    uint32_t looked = 0;
    bool full = false;
    if (!cr) {
        c->r->rc = STORE_NO_MEMORY;
        return;
    }
    key_u32(k, c->at);
    wall_read(c);
    t.skill_rc = table_open(c, TABLE_SKILL, &t.skill);
    t.repute_rc = table_open(c, TABLE_REPUTE, &t.repute);
    enum store_rc rc = store_cursor_open(c->r->t, TABLE_WORKER, &cur);
    for (rc = rc ? rc : store_seek(&cur, k, sizeof k); rc == STORE_OK && !c->r->rc && !full; rc = store_next(&cur)) {
        uint32_t id = key_get_u32(cur.key.p);
        if (looked >= RECORDS_LOOKED_AT_MAX) {
            c->at = id;
            full = true;
            break;
        }
        looked += worker_count(c, cr, &t, id, cur.val, &full);
    }
    rd_walked(c->r, rc);
    rd_walked(c->r, t.skill_rc); /* the last worker's records may have been the last that were looked at */
    rd_walked(c->r, t.repute_rc);
    store_cursor_close(&cur);
    store_cursor_close(&t.skill);
    store_cursor_close(&t.repute);
    for (uint32_t i = 0; i < cr->n; i++) {
        struct crew *w = &cr->crew[i];
        uint8_t bits[WORDS * 8];
        for (uint32_t j = 0; j < WORDS; j++)
            put_u64(bits + 8 * j, w->fits[j]);
        struct slp_item_coverage_crew row = { .hub = w->hub,
                                              .shift = w->shift,
                                              .fits = { (const char *)bits, (c->stations + 7) / 8 },
                                              .workers = w->workers,
                                              .slots = w->slots };
        slp_pack_item(&c->r->b, SLP_ITEM_coverage_crew, &row);
    }
    c->a.crews = (struct slp_list){ c->r->b.p, (uint32_t)c->r->b.n, cr->n };
    SLP_SET(&c->a, coverage, crews);
    c->more = full;
    free(cr);
}

int rd_coverage(struct reader *r, const struct slp_msg *m, struct slp_buf *out)
{
    static void (*const tell[PHASES])(struct coverage *) = { stations_tell, hubs_tell, workers_tell };
    struct coverage c = { .r = r, .q = &m->u.coverage_get };
    const struct slp_bytes *after = &c.q->after;
    unsigned phase = STATIONS;
    uint8_t next[NEXT_BYTES];
    if (after->n && (after->n != NEXT_BYTES || (uint8_t)after->p[0] >= PHASES))
        return rd_refuse(out, m->id, SLP_E_BAD_VALUE, "after", "that is no `next` of a coverage");
    if (after->n) {
        phase = (uint8_t)after->p[0];
        c.at = key_get_u32(after->p + 1);
    }
    if (!stations_find(&c))
        return r->rc ? -1 : rd_refuse(out, m->id, SLP_E_NOT_FOUND, "stations", "there is no station of that number");
    slp_buf_clear(&r->b);
    slp_buf_clear(&r->b2);
    tell[phase](&c);
    if (!c.more && ++phase < PHASES) {
        c.more = true;
        c.at = 0;
    }
    if (c.more) {
        next[0] = (uint8_t)phase;
        key_u32(next + 1, c.at);
        c.a.next = (struct slp_bytes){ (const char *)next, sizeof next };
        SLP_SET(&c.a, coverage, next);
    }
    return r->rc || r->b.failed || r->b2.failed ? -1 : rd_reply(out, SLP_COVERAGE, m->id, &c.a);
}
