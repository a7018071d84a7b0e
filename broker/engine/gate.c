/* Gates and profiles: what a station asks of its workers, and what workers have.
 *
 * Stations that ask the same (kind, skills with levels, hubs, teams, preference) and have no limit (limits.c) share a gate, workers of the same kind and skills a profile, and a
 * profile knows by a bit for each gate whether it passes. So the strings of definitions and rosters are compared when one of the two is new, and
 * never when work is handed out. Gates are numbered densely, for the bits; when the bits are used up, those at which no open run has a station
 * give up their numbers. */
#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

/* ---- names of skills and teams, as numbers ---- */

static uint32_t text_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    return h;
}

static bool skill_slots_double(struct engine *e)
{
    uint32_t n = e->skill_slots ? e->skill_slots * 2 : 64, *slot = calloc(n, sizeof *slot);
    if (!slot) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < e->skill_names; i++) {
        uint32_t at = text_hash(e->skill_name[i], strlen(e->skill_name[i])) & (n - 1);
        while (slot[at])
            at = (at + 1) & (n - 1);
        slot[at] = i + 1;
    }
    free(e->skill_slot);
    e->skill_slot = slot;
    e->skill_slots = n;
    return true;
}

uint32_t skill_intern(struct engine *e, struct slp_bytes n)
{
    if (e->skill_names * 2 >= e->skill_slots && !skill_slots_double(e))
        return UINT32_MAX;
    uint32_t at = text_hash(n.p, n.n) & (e->skill_slots - 1);
    for (; e->skill_slot[at]; at = (at + 1) & (e->skill_slots - 1)) {
        const char *s = e->skill_name[e->skill_slot[at] - 1];
        if (strlen(s) == n.n && !memcmp(s, n.p, n.n))
            return e->skill_slot[at] - 1;
    }
    char **v = grow(e, e->skill_name, &e->skill_name_cap, e->skill_names + 1, sizeof *v),
         *s = v ? strndup(n.p, n.n) : NULL;
    if (v)
        e->skill_name = v;
    if (!s) {
        fail(e, STORE_NO_MEMORY);
        return UINT32_MAX;
    }
    e->skill_name[e->skill_names] = s;
    e->skill_slot[at] = e->skill_names + 1;
    return e->skill_names++;
}

static int by_name(const void *a, const void *b)
{
    const struct needs *x = a, *y = b;
    return order_of(x->name, y->name);
}

static bool named(struct slp_bytes a, const char *s, size_t n)
{
    return a.n == n && !memcmp(a.p, s, n);
}

static bool in_names(const struct ld_names *v, const char *s, size_t n)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (named(v->name[i], s, n))
            return true;
    return false;
}

/* ---- does it fit? ---- */

static bool skills_fit(const struct gate *g, const struct profile *p)
{
    uint16_t j = 0;
    if (g->kind != LD_ANY && (g->kind == LD_ROBOT) != (p->kind == 1))
        return false;
    for (uint16_t i = 0; i < g->skills; i++) {
        while (j < p->skills && p->skill[j].name < g->skill[i].name)
            j++;
        if (j == p->skills || p->skill[j].name != g->skill[i].name || p->skill[j].level < g->skill[i].level)
            return false;
    }
    return true;
}

static bool name_fits(const struct ld_names *only, const struct ld_names *never, const char *s,
                      size_t n) /* s NULL: none that is named */
{
    return (!only->count || (s && in_names(only, s, n))) && !(never->count && s && in_names(never, s, n));
}

/* hub, team 0: one that no gate names. */
static bool hub_fits(struct engine *e, const struct ld_station *s, uint32_t hub)
{
    const struct name *h = hub ? &e->hub[hub - 1]->name : NULL;
    return name_fits(&s->only_hubs, &s->not_hubs, h ? h->s : NULL, h ? h->n : 0);
}

static bool team_fits(struct engine *e, const struct ld_station *s, uint32_t team)
{
    const char *t = team ? e->skill_name[team - 1] : NULL;
    return name_fits(&s->only_teams, &s->not_teams, t, t ? strlen(t) : 0);
}

bool station_takes(struct engine *e, const struct worker *w, const struct station *st, char *why, size_t why_size,
                   int *code)
{
    const struct ld_station *s = st->def;
    const struct profile *p = w->profile;
    int n = (int)s->name.n;
    if (s->kind != LD_ANY && (s->kind == LD_ROBOT) != (p->kind == 1)) {
        snprintf(why, why_size, "station %.*s is for %s", n, s->name.p, s->kind == LD_ROBOT ? "robots" : "people");
        *code = WHY_KIND;
        return false;
    }
    for (uint32_t i = 0; i < s->skill_count; i++) {
        int has = -1;
        for (uint16_t j = 0; j < p->skills; j++) {
            const char *skill = e->skill_name[p->skill[j].name];
            if (named(s->skills[i].name, skill, strlen(skill)))
                has = p->skill[j].level;
        }
        if (has >= (int)s->skills[i].level)
            continue;
        int k = (int)s->skills[i].name.n;
        if (has < 0)
            snprintf(why, why_size, "station %.*s asks for skill %.*s", n, s->name.p, k, s->skills[i].name.p);
        else
            snprintf(why, why_size, "station %.*s asks for level %u of %.*s, this worker has %d", n, s->name.p,
                     s->skills[i].level, k, s->skills[i].name.p, has);
        *code = has < 0 ? WHY_SKILL : WHY_LEVEL;
        return false;
    }
    if (!hub_fits(e, s, w->hub)) {
        snprintf(why, why_size, "station %.*s gives nothing to hub %s", n, s->name.p, e->hub[w->hub - 1]->name.s);
        *code = WHY_HUB;
        return false;
    }
    if (!team_fits(e, s, w->team)) {
        if (w->team)
            snprintf(why, why_size, "station %.*s gives nothing to team %s", n, s->name.p, e->skill_name[w->team - 1]);
        else
            snprintf(why, why_size, "station %.*s is for certain teams, and this worker is in none", n, s->name.p);
        *code = WHY_TEAM;
        return false;
    }
    return true;
}

/* ---- the numbers of gates ---- */

static bool widen(struct engine *e, uint32_t words)
{
    struct matcher *m = &e->m;
    uint64_t *scratch = calloc(words, sizeof *scratch), *blocked = calloc(words, sizeof *blocked);
    bool ok = scratch && blocked && order_room(&m->idle, m->cells, words) &&
              order_room(&m->best_idle, m->cells, words) && order_room(&m->runs, e->meta.run, words);
    if (ok && m->words)
        memcpy(blocked, m->blocked, m->words * sizeof *blocked);
    for (uint32_t i = 0; ok && i < m->profiles; i++) {
        struct profile *p = m->profile[i];
        uint64_t *v = p ? realloc(p->fits, words * sizeof *v) : NULL;
        if (p && !v) {
            ok = false;
        } else if (p) {
            memset(v + m->words, 0, (words - m->words) * sizeof *v);
            p->fits = v;
        }
    }
    for (uint32_t i = 0; ok && i < m->gates; i++) {
        struct gate *g = &m->gate[i];
        uint64_t *v = g->used ? realloc(g->kin, words * sizeof *v) : NULL;
        if (g->used && !v) {
            ok = false;
        } else if (v) {
            memset(v + m->words, 0, (words - m->words) * sizeof *v);
            g->kin = v;
        }
    }
    ok = ok && bars_widen(e, words);
    for (uint32_t i = 0; ok && i < m->cells; i++) {
        uint64_t *v = realloc(m->cell[i]->bits, words * sizeof *v);
        ok = v != NULL;
        if (ok)
            m->cell[i]->bits = v; /* filled by idle_gates_changed */
    }
    for (uint32_t i = 0; ok && e->run && i < e->meta.run; i++) {
        struct run *r = e->run[i];
        uint64_t *v = r && r->gates ? realloc(r->gates, words * sizeof *v) : NULL;
        if (r && r->gates && !v) {
            ok = false;
        } else if (v) {
            memset(v + m->words, 0, (words - m->words) * sizeof *v);
            r->gates = v;
        }
    }
    if (!ok) {
        free(scratch);
        free(blocked);
        fail(e, STORE_NO_MEMORY); /* the process ends: what was widened already does no harm */
        return false;
    }
    free(m->scratch);
    free(m->blocked);
    m->scratch = scratch;
    m->blocked = blocked;
    m->words = words;
    match_gates_moved(e);
    idle_gates_changed(e);
    return true;
}

static void gate_drop(struct engine *e, uint32_t i)
{
    struct matcher *m = &e->m;
    struct gate *g = &m->gate[i];
    masks_news(e, i);
    masks_day(e, i);
    limit_gate_dropped(e, i);
    staff_forget(e, g);
    m->listed -= g->listed;
    m->best -= g->prefer == LD_PREFER_BEST;
    m->by_hub -= g->prefer == LD_PREFER_HUB;
    free(g->skill);
    free(g->kin);
    *g = (struct gate){ 0 };
    bars_gate(e, i);
    for (uint32_t k = 0; k < m->gates; k++)
        if (m->gate[k].used)
            m->gate[k].kin[i / 64] &= ~(1ull << (i % 64));
    for (uint32_t k = 0; k < m->profiles; k++)
        if (m->profile[k])
            m->profile[k]->fits[i / 64] &= ~(1ull << (i % 64));
}

/* Gates at which no open run has a station give up their numbers; runs that are over leave the order. True: there is room again. */
static bool gates_collect(struct engine *e)
{
    struct matcher *m = &e->m;
    bool *keep = calloc(m->gates + 1, sizeof *keep);
    uint32_t kept = 0;
    if (!keep) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; e->run && i < e->meta.run; i++) {
        struct run *r = e->run[i];
        if (!r)
            continue;
        if (r->state > RUN_CLOSED) {
            match_forget_run(e, r);
            continue;
        }
        for (uint32_t k = 0; k < r->lv->station_count; k++)
            if (r->rq[k].st->gate)
                keep[r->rq[k].st->gate - 1] = true;
    }
    for (uint32_t i = 0; i < e->meta.station; i++)
        if (e->station[i] && e->station[i]->gate && !keep[e->station[i]->gate - 1])
            e->station[i]->gate = 0;
    for (uint32_t i = 0; i < m->gates; i++) {
        kept += keep[i];
        if (m->gate[i].used && !keep[i])
            gate_drop(e, i);
    }
    free(keep);
    return kept < m->words * 48; /* a quarter is free: it was worth it, and will not be asked for again at once */
}

static bool same_names(const struct ld_names *a, const struct ld_names *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = named(a->name[i], b->name[i].p, b->name[i].n);
    return same;
}

static struct limit *limit_at(const struct station *st)
{
    return limit_any(st->limit) ? st->limit : NULL;
}

static bool same_gate(const struct gate *g, uint32_t key, const struct station *st, const struct needs *skill)
{
    const struct ld_station *d = g->def, *s = st->def;
    bool same = g->used && g->key == key && g->kind == s->kind && g->prefer == s->prefer &&
                g->skills == s->skill_count && g->limit == limit_at(st);
    for (uint16_t i = 0; same && i < g->skills; i++)
        same = g->skill[i].name == skill[i].name && g->skill[i].level == skill[i].level;
    return same && same_names(&d->only_hubs, &s->only_hubs) && same_names(&d->not_hubs, &s->not_hubs) &&
           same_names(&d->only_teams, &s->only_teams) && same_names(&d->not_teams, &s->not_teams);
}

void hub_named_check(struct engine *e, struct hub *h)
{
    bool is = false;
    for (uint32_t i = 0; i < e->m.gates && !is; i++)
        is = e->m.gate[i].listed && (in_names(&e->m.gate[i].def->only_hubs, h->name.s, h->name.n) ||
                                     in_names(&e->m.gate[i].def->not_hubs, h->name.s, h->name.n));
    if (is && !h->named) {
        h->named = true;
        idle_relist_hub(e, h);
    }
}

static bool team_named(struct engine *e, struct slp_bytes name)
{
    uint32_t t = skill_intern(e, name);
    bool *v = t == UINT32_MAX ? NULL : grow(e, e->m.team_named, &e->m.team_named_cap, t + 1, sizeof *v);
    if (!v)
        return false;
    e->m.team_named = v;
    bool news = !v[t];
    v[t] = true;
    return news;
}

/* The hubs and teams that it names are told apart from the others from now on. */
static void gate_names(struct engine *e, const struct ld_station *s)
{
    bool teams = false;
    for (uint32_t i = 0; i < s->only_teams.count; i++)
        teams = team_named(e, s->only_teams.name[i]) || teams;
    for (uint32_t i = 0; i < s->not_teams.count; i++)
        teams = team_named(e, s->not_teams.name[i]) || teams;
    for (uint32_t i = 0; i < e->meta.hub && e->hub; i++) {
        struct hub *h = e->hub[i];
        if (!h)
            continue;
        if (!h->named)
            hub_named_check(e, h);
        if (teams)
            idle_relist_hub(e, h);
    }
}

/* The gates that workers with these bits pass share workers from now on. */
static void make_kin(struct matcher *m, const uint64_t *fits)
{
    for (uint32_t w = 0; w < m->words; w++)
        for (uint64_t left = fits[w]; left; left &= left - 1) {
            struct gate *g = &m->gate[w * 64 + (uint32_t)__builtin_ctzll(left)];
            for (uint32_t k = 0; k < m->words; k++)
                g->kin[k] |= fits[k];
        }
}

static uint32_t gate_new(struct engine *e, uint32_t key, const struct station *st, struct needs *skill)
{
    struct matcher *m = &e->m;
    const struct ld_station *s = st->def;
    uint32_t at = 0;
    while (at < m->gates && m->gate[at].used)
        at++;
    if (at == m->words * 64) {
        if (!(m->words && gates_collect(e)) && !widen(e, m->words + 1))
            return UINT32_MAX;
        for (at = 0; at < m->gates && m->gate[at].used;)
            at++;
    }
    struct gate *v = grow(e, m->gate, &m->gate_cap, at + 1, sizeof *v);
    struct needs *copy = v ? malloc((s->skill_count + 1) * sizeof *copy) : NULL;
    uint64_t *kin = copy ? calloc(m->words, sizeof *kin) : NULL;
    if (v)
        m->gate = v;
    if (!kin) {
        free(copy);
        fail(e, STORE_NO_MEMORY);
        return UINT32_MAX;
    }
    memcpy(copy, skill, s->skill_count * sizeof *copy);
    struct gate *g = &m->gate[at];
    *g = (struct gate){ .used = true,
                        .key = key,
                        .listed = s->only_hubs.count || s->not_hubs.count || s->only_teams.count || s->not_teams.count,
                        .kind = (uint8_t)s->kind,
                        .prefer = (uint8_t)s->prefer,
                        .skills = (uint16_t)s->skill_count,
                        .def = s,
                        .skill = copy,
                        .kin = kin };
    if (at == m->gates)
        m->gates++;
    m->listed += g->listed;
    m->best += g->prefer == LD_PREFER_BEST;
    m->by_hub += g->prefer == LD_PREFER_HUB;
    bars_gate(e, at);
    for (uint32_t i = 0; i < m->profiles; i++)
        if (m->profile[i] && skills_fit(g, m->profile[i])) {
            m->profile[i]->fits[at / 64] |= 1ull << (at % 64);
            for (uint32_t w = 0; w < m->words; w++)
                kin[w] |= m->profile[i]->fits[w];
        }
    for (uint32_t i = 0; i < m->gates; i++)
        if (kin[i / 64] >> (i % 64) & 1)
            m->gate[i].kin[at / 64] |= 1ull << (at % 64);
    if (limit_at(st))
        limit_gate_made(e, st->limit, at);
    idle_gates_changed(e);
    if (g->listed)
        gate_names(e, s);
    return at;
}

uint32_t gate_of(struct engine *e, struct station *st)
{
    struct needs skill[SL_SKILLS_MAX];
    const struct ld_station *s = st->def;
    if (st->gate)
        return st->gate - 1;
    assert(s->skill_count <= SL_SKILLS_MAX);
    for (uint32_t i = 0; i < s->skill_count; i++)
        skill[i] = (struct needs){ skill_intern(e, s->skills[i].name), (uint8_t)s->skills[i].level };
    if (e->rc)
        return UINT32_MAX;
    qsort(skill, s->skill_count, sizeof *skill, by_name);
    uint32_t at = 0, key = e->station[st->key - 1]->guarded ? st->key : 0;
    while (at < e->m.gates && !same_gate(&e->m.gate[at], key, st, skill))
        at++;
    if (at == e->m.gates)
        at = gate_new(e, key, st, skill);
    if (at != UINT32_MAX)
        st->gate = at + 1;
    return at;
}

void gate_bits(struct engine *e, const struct profile *p, uint32_t hub, uint32_t team, uint64_t *bits)
{
    struct matcher *m = &e->m;
    memcpy(bits, p->fits, m->words * sizeof *bits);
    for (uint32_t i = 0; m->listed && i < m->gates; i++)
        if (m->gate[i].listed && (bits[i / 64] >> (i % 64) & 1) &&
            !(hub_fits(e, m->gate[i].def, hub) && team_fits(e, m->gate[i].def, team)))
            bits[i / 64] &= ~(1ull << (i % 64));
}

bool gate_takes(struct engine *e, uint32_t gate, const struct worker *w)
{
    const struct gate *g = &e->m.gate[gate];
    return w->on_roster && w->profile && w->profile->fits[gate / 64] >> (gate % 64) & 1 &&
           (!g->listed || (hub_fits(e, g->def, w->hub) && team_fits(e, g->def, w->team)));
}

/* ---- profiles ---- */

static bool profile_slots_double(struct engine *e)
{
    struct matcher *m = &e->m;
    uint32_t n = m->profile_slots ? m->profile_slots * 2 : 64;
    struct profile **v = calloc(n, sizeof(struct profile *));
    if (!v) {
        fail(e, STORE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < m->profiles; i++)
        if (m->profile[i]) {
            m->profile[i]->hash_next = v[m->profile[i]->hash & (n - 1)];
            v[m->profile[i]->hash & (n - 1)] = m->profile[i];
        }
    free(m->profile_slot);
    m->profile_slot = v;
    m->profile_slots = n;
    return true;
}

static struct profile *profile_new(struct engine *e, uint8_t kind, const struct needs *skill, uint16_t n, uint32_t hash)
{
    struct matcher *m = &e->m;
    if (m->profiles_used >= m->profile_slots && !profile_slots_double(e))
        return NULL;
    struct profile **v = grow(e, m->profile, &m->profile_cap, m->profiles + 1, sizeof *v);
    struct profile *p = v ? malloc(sizeof *p + n * sizeof *skill) : NULL;
    uint64_t *fits = p ? calloc(m->words + 1, sizeof *fits) : NULL;
    if (v)
        m->profile = v;
    if (!fits) {
        free(p);
        fail(e, STORE_NO_MEMORY);
        return NULL;
    }
    uint32_t id = m->free_profiles ? m->free_profile[--m->free_profiles] : ++m->profiles;
    *p = (struct profile){ .id = id, .hash = hash, .kind = kind, .skills = n, .fits = fits };
    memcpy(p->skill, skill, n * sizeof *skill);
    for (uint32_t i = 0; i < m->gates; i++)
        if (m->gate[i].used && skills_fit(&m->gate[i], p))
            fits[i / 64] |= 1ull << (i % 64);
    make_kin(m, fits);
    p->hash_next = m->profile_slot[hash & (m->profile_slots - 1)];
    m->profile_slot[hash & (m->profile_slots - 1)] = p;
    m->profile[id - 1] = p;
    m->profiles_used++;
    return p;
}

struct profile *profile_for(struct engine *e, uint8_t kind, const struct skill_set *has)
{
    struct needs skill[SL_SKILLS_MAX];
    uint16_t kept = 0;
    for (uint32_t i = 0; i < has->n; i++)
        if (has->v[i].level || has->v[i].source != SKILL_LOWERED) /* lowered to nothing: he has it no more */
            skill[kept++] = (struct needs){ skill_intern(e, has->v[i].name), (uint8_t)has->v[i].level };
    if (e->rc)
        return NULL;
    qsort(skill, kept, sizeof *skill, by_name);
    uint32_t hash = kind + 1u;
    for (uint16_t i = 0; i < kept; i++)
        hash = (hash ^ (skill[i].name * 256 + skill[i].level)) * 2654435761u;
    hash ^= hash >> 15;
    struct profile *p = e->m.profile_slots ? e->m.profile_slot[hash & (e->m.profile_slots - 1)] : NULL;
    for (; p; p = p->hash_next) {
        bool same = p->hash == hash && p->kind == kind && p->skills == kept;
        for (uint16_t j = 0; same && j < kept; j++)
            same = p->skill[j].name == skill[j].name && p->skill[j].level == skill[j].level;
        if (same)
            break;
    }
    if (!p)
        p = profile_new(e, kind, skill, kept, hash);
    if (p)
        p->workers++;
    return p;
}

void profile_drop(struct engine *e, struct profile **pp)
{
    struct matcher *m = &e->m;
    struct profile *p = *pp;
    *pp = NULL;
    if (!p || --p->workers)
        return;
    uint32_t *v = grow(e, m->free_profile, &m->free_profile_cap, m->free_profiles + 1, sizeof *v);
    if (!v)
        return;
    m->free_profile = v;
    v[m->free_profiles++] = p->id;
    struct profile **at = &m->profile_slot[p->hash & (m->profile_slots - 1)];
    while (*at != p)
        at = &(*at)->hash_next;
    *at = p->hash_next;
    m->profile[p->id - 1] = NULL;
    m->profiles_used--;
    free(p->fits);
    free(p);
}

void gates_free(struct engine *e)
{
    struct matcher *m = &e->m;
    for (uint32_t i = 0; i < m->profiles; i++)
        if (m->profile[i]) {
            free(m->profile[i]->fits);
            free(m->profile[i]);
        }
    for (uint32_t i = 0; i < m->gates; i++) {
        staff_forget(e, &m->gate[i]);
        free(m->gate[i].skill);
        free(m->gate[i].kin);
    }
    for (uint32_t i = 0; i < e->skill_names; i++)
        free(e->skill_name[i]);
    free(m->gate);
    free(m->profile);
    free(m->profile_slot);
    free(m->free_profile);
    free(m->scratch);
    free(m->blocked);
    free(m->team_named);
    bars_free(e);
    free(e->skill_name);
    free(e->skill_slot);
}
