/* What workers can do, and who says so. A hub declares skills on its roster, perhaps until a day; an operator grants others, or higher levels, to one of
 * its workers; a rule of control tasks may lower one. What counts is the highest level that is declared or granted and has not expired, but
 * no more than what it was lowered to. A grant of a skill ends its being lowered.
 *
 *   SKILL  worker u32
 *          count u8, each: source u8 (enum skill_source), level u8, until i64 (wall; 0: without end), since i64, name
 *
 * Workers with a skill that will expire stand in a heap by the next such moment. By the wall clock: one that is set back gives back what had expired. Where many end
 * together they are looked at in portions, in the heap's order, which is by that moment and then by the worker's number: META tells how far it came, so that a restart tells
 * each of them once; so, too, where a clock was set back, in the order of their numbers. */
#include "broker/engine/skills.h"

#include <stdio.h>

#include "broker/engine/internal.h"
#include "broker/engine/numbers.h"

#define RECORD_BYTES_MAX 3800
#define WORDS_MAX SL_SKILLS_MAX /* grants and lowerings of one worker */

struct word {
    uint8_t source, level;
    int64_t until_us, since_us;
    struct slp_bytes name;
};
struct words {
    uint32_t n;
    struct word v[WORDS_MAX];
    uint8_t copy[RECORD_BYTES_MAX]; /* the names lie here: what was read ends with the next write */
};

/* False: damaged. */
static bool words_parse(struct words *w, struct store_val v)
{
    w->n = 0;
    if (v.n > sizeof w->copy)
        return false;
    if (v.n)
        memcpy(w->copy, v.p, v.n);
    struct rdr r = rdr_on(w->copy, v.n);
    uint8_t n = v.n ? rdr_u8(&r) : 0;
    for (; w->n < n && n <= WORDS_MAX && !r.bad; w->n++) {
        size_t len;
        struct word *x = &w->v[w->n];
        x->source = rdr_u8(&r);
        x->level = rdr_u8(&r);
        x->until_us = rdr_i64(&r);
        x->since_us = rdr_i64(&r);
        x->name.p = rdr_str(&r, &len);
        x->name.n = (uint32_t)len;
        r.bad |= len > SL_NAME_BYTES_MAX;
    }
    return !r.bad && n <= WORDS_MAX;
}

static bool words_read(struct engine *e, uint32_t worker, struct words *w)
{
    uint8_t k[4];
    struct store_val v;
    key_u32(k, worker);
    w->n = 0;
    if (!e_get(e, TABLE_SKILL, k, sizeof k, &v))
        return e->rc == STORE_OK;
    if (!words_parse(w, v))
        fail(e, STORE_CORRUPT);
    return e->rc == STORE_OK;
}

static void words_write(struct engine *e, uint32_t worker, const struct words *w)
{
    uint8_t k[4], b[RECORD_BYTES_MAX];
    struct rec rc = { b, 0, sizeof b, 0 };
    rec_u8(&rc, (uint8_t)w->n);
    for (uint32_t i = 0; i < w->n; i++) {
        rec_u8(&rc, w->v[i].source);
        rec_u8(&rc, w->v[i].level);
        rec_i64(&rc, w->v[i].until_us);
        rec_i64(&rc, w->v[i].since_us);
        rec_str(&rc, w->v[i].name.p, w->v[i].name.n);
    }
    assert(!rc.bad); /* 32 of at most 84 bytes */
    key_u32(k, worker);
    if (w->n)
        e_put(e, TABLE_SKILL, k, sizeof k, b, rc.n);
    else
        e_del(e, TABLE_SKILL, k, sizeof k);
}

/* ---- what counts ---- */

static bool same(struct slp_bytes a, struct slp_bytes b)
{
    return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

/* Is it over? If not, and if it will be, *due is no later than that. */
static bool over(int64_t wall_us, int64_t until_us, int64_t *due)
{
    if (!until_us)
        return false;
    if (until_us <= wall_us)
        return true;
    *due = until_us < *due ? until_us : *due;
    return false;
}

static void count_in(struct skill_set *s, const struct slp_item_skill *it)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (same(s->v[i].name, it->name)) {
            if (it->level > s->v[i].level)
                s->v[i] = *it;
            return;
        }
    if (s->n < SL_SKILLS_MAX)
        s->v[s->n++] = *it;
}

static void sum(const struct slp_list *declared, const struct words *w, int64_t wall_us, struct skill_set *s)
{
    struct slp_cursor c = slp_each(*declared);
    struct slp_item_skill it;
    s->n = 0;
    s->due_us = INT64_MAX;
    s->expires = false;
    while (slp_next_skill(&c, &it)) {
        bool ends = SLP_IS(&it, item_skill, until_wall_us);
        s->expires = s->expires || ends;
        it.source = SKILL_DECLARED;
        if (!over(wall_us, ends ? it.until_wall_us : 0, &s->due_us))
            count_in(s, &it);
    }
    for (uint32_t i = 0; i < w->n; i++) {
        const struct word *x = &w->v[i];
        s->expires = s->expires || x->until_us;
        if (x->source != SKILL_GRANTED || over(wall_us, x->until_us, &s->due_us))
            continue;
        memcpy(s->name[i], x->name.p, x->name.n);
        it = (struct slp_item_skill){ .name = { s->name[i], x->name.n }, .level = x->level, .source = x->source };
        if (x->until_us) {
            it.until_wall_us = x->until_us;
            SLP_SET(&it, item_skill, until_wall_us);
        }
        count_in(s, &it);
    }
    for (uint32_t i = 0; i < w->n; i++)
        for (uint32_t k = 0; k < s->n && w->v[i].source == SKILL_LOWERED; k++)
            if (same(s->v[k].name, w->v[i].name) && s->v[k].level > w->v[i].level) {
                s->v[k].level = w->v[i].level;
                s->v[k].source = SKILL_LOWERED;
            }
}

void skills_of(struct engine *e, uint32_t worker, const struct slp_list *declared, struct skill_set *s)
{
    struct words w;
    if (!words_read(e, worker, &w))
        w.n = 0;
    sum(declared, &w, e->wall_us, s);
}

void skills_loaded(struct engine *e, uint32_t worker, const struct slp_list *declared, struct skill_set *s)
{
    struct words w;
    if (!words_read(e, worker, &w))
        w.n = 0;
    if (e->meta.skills_back && worker >= e->meta.skills_back)
        sum(declared, &w, e->meta.skills_was_us - (worker > e->meta.skills_was_worker), s);
    else
        sum(declared, &w, e->meta.skills_wall_us - (worker > e->meta.skills_worker), s);
}

bool skills_sum(const struct slp_list *declared, const void *record, size_t n, int64_t wall_us, struct skill_set *s)
{
    struct words w;
    bool good = slp_items_ok(SLP_ITEM_skill, *declared) && words_parse(&w, (struct store_val){ record, n });
    if (good)
        sum(declared, &w, wall_us, s);
    return good;
}

/* ---- the heap of those whose skills will expire ---- */

static bool sooner(const struct worker *a, const struct worker *b)
{
    return a->skills_due_us != b->skills_due_us ? a->skills_due_us < b->skills_due_us : a->id < b->id;
}

static void place(struct engine *e, uint32_t i, struct worker *w)
{
    e->expiring[i] = w;
    w->expiring_i = i + 1;
}

static void sift(struct engine *e, uint32_t i)
{
    struct worker *w = e->expiring[i];
    for (; i && sooner(w, e->expiring[(i - 1) / 2]); i = (i - 1) / 2)
        place(e, i, e->expiring[(i - 1) / 2]);
    for (uint32_t kid; (kid = 2 * i + 1) < e->expiring_n; i = kid) {
        if (kid + 1 < e->expiring_n && sooner(e->expiring[kid + 1], e->expiring[kid]))
            kid++;
        if (!sooner(e->expiring[kid], w))
            break;
        place(e, i, e->expiring[kid]);
    }
    place(e, i, w);
}

void skills_forget(struct engine *e, struct worker *w)
{
    uint32_t i = w->expiring_i;
    w->skills_expire = false;
    if (!i)
        return;
    w->expiring_i = 0;
    struct worker *last = e->expiring[--e->expiring_n];
    if (last == w)
        return;
    place(e, i - 1, last);
    sift(e, i - 1);
}

void skills_watch(struct engine *e, struct worker *w, const struct skill_set *s)
{
    skills_forget(e, w);
    w->skills_expire = s->expires;
    if (s->due_us == INT64_MAX)
        return;
    struct worker **v = grow(e, e->expiring, &e->expiring_cap, e->expiring_n + 1, sizeof(struct worker *));
    if (!v)
        return;
    e->expiring = v;
    w->skills_due_us = s->due_us;
    place(e, e->expiring_n++, w);
    sift(e, e->expiring_n - 1);
}

int64_t skills_next_due(const struct engine *e)
{
    int64_t due = e->expiring_n ? e->expiring[0]->skills_due_us : INT64_MAX, in;
    if (due == INT64_MAX)
        return due;
    in = due > e->wall_us ? due - e->wall_us : 0;
    return from_now(e, in);
}

void skills_free(struct engine *e)
{
    free(e->expiring);
}

/* ---- words of the broker's own ---- */

static void announce(struct engine *e, const struct worker *w, struct slp_bytes name, enum skill_source source,
                     uint8_t level, int64_t until_us)
{
    static const char *const words[] = { "declared", "granted", "lowered", "expired" };
    static const char *const keys[] = { "worker", "hub" };
    const uint64_t values[] = { w->id, w->hub };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 4);
    slp_pack_cstr(&e->b3, "skill");
    slp_pack_str(&e->b3, name.p, name.n);
    slp_pack_cstr(&e->b3, "source");
    slp_pack_cstr(&e->b3, words[source]);
    slp_pack_cstr(&e->b3, "level");
    slp_pack_u64(&e->b3, level);
    slp_pack_cstr(&e->b3, "until_wall_us");
    slp_pack_i64(&e->b3, until_us);
    ev_emit(e, EV_WORKER_SKILL, NULL, NULL, e->hub[w->hub - 1], &e->b3);
}

/* ---- time goes on, or back ---- */

static uint8_t level_of(const struct profile *p, uint32_t name)
{
    for (uint16_t i = 0; i < p->skills; i++)
        if (p->skill[i].name == name)
            return p->skill[i].level;
    return 0;
}

static struct slp_bytes skill_text(const struct engine *e, uint32_t name)
{
    return (struct slp_bytes){ e->skill_name[name], (uint32_t)strlen(e->skill_name[name]) };
}

/* He has it again: by whose word? */
static void announce_back(struct engine *e, const struct worker *w, uint32_t name, uint8_t level)
{
    struct words s;
    struct slp_bytes text = skill_text(e, name);
    if (!words_read(e, w->id, &s))
        return;
    for (uint32_t i = 0; i < s.n; i++)
        if (s.v[i].source == SKILL_GRANTED && s.v[i].level == level && same(s.v[i].name, text)) {
            announce(e, w, text, SKILL_GRANTED, level, s.v[i].until_us);
            return;
        }
    announce(e, w, text, SKILL_DECLARED, level, 0);
}

/* What counts at this moment, and what is other than before is told. */
static void anew(struct engine *e, struct worker *w)
{
    struct needs was[SL_SKILLS_MAX], is[SL_SKILLS_MAX];
    uint16_t n = 0, now = 0;
    if (w->profile)
        memcpy(was, w->profile->skill, (n = w->profile->skills) * sizeof *was);
    worker_skills_changed(e, w);
    if (e->rc || !w->profile)
        return;
    memcpy(is, w->profile->skill, (now = w->profile->skills) * sizeof *is);
    for (uint16_t i = 0; i < n; i++) {
        uint8_t level = level_of(w->profile, was[i].name);
        if (level < was[i].level)
            announce(e, w, skill_text(e, was[i].name), SKILL_EXPIRED, level, 0);
    }
    for (uint16_t i = 0; i < now; i++) {
        uint8_t level = 0;
        for (uint16_t k = 0; k < n; k++)
            level = was[k].name == is[i].name ? was[k].level : level;
        if (is[i].level > level)
            announce_back(e, w, is[i].name, is[i].level);
    }
}

#define LOOKS_A_STEP 65536 /* at workers of whom nothing ends */

void skills_now(struct engine *e)
{
    uint32_t room = portion(e, SKILLS_A_STEP), looks = portion(e, LOOKS_A_STEP);
    /* One that is set further back meanwhile has its turn when all were looked at: META tells of one time that some still stand at. */
    if (e->wall_us < e->meta.skills_wall_us && !e->meta.skills_back) {
        e->meta.skills_was_us = e->meta.skills_wall_us;
        e->meta.skills_was_worker = e->meta.skills_worker;
        e->meta.skills_back = e->meta.worker != 0;
        e->meta.skills_wall_us = e->wall_us;
        e->meta.skills_worker = UINT32_MAX;
    }
    for (; e->meta.skills_back && room && looks && !e->rc; looks--) {
        struct worker *w = worker_at(e, e->meta.skills_back);
        e->meta.skills_back = e->meta.skills_back < e->meta.worker ? e->meta.skills_back + 1 : 0;
        if (w->skills_expire) {
            anew(e, w);
            room--;
        }
    }
    for (; room && e->expiring_n && e->expiring[0]->skills_due_us <= e->wall_us && !e->rc; room--) {
        struct worker *w = e->expiring[0];
        if (w->skills_due_us >= e->meta.skills_wall_us) {
            e->meta.skills_wall_us = w->skills_due_us;
            e->meta.skills_worker = w->id;
        }
        anew(e, w);
    }
    if (e->expiring_n && e->expiring[0]->skills_due_us <= e->wall_us)
        return;
    if (e->wall_us >= e->meta.skills_wall_us) {
        e->meta.skills_wall_us = e->wall_us;
        e->meta.skills_worker = UINT32_MAX;
    }
    if (e->skills_passed_over) { /* and the clock was set back to before he would have been looked at */
        e->skills_passed_over = false;
        for (uint32_t i = 0; i < e->expiring_n; i++)
            match_worker(e, e->expiring[i]);
    }
}

bool skills_ended(struct engine *e, const struct worker *w)
{
    if (!w->expiring_i || w->skills_due_us > e->wall_us)
        return false;
    e->skills_passed_over = true;
    return true;
}

bool skills_backlog(const struct engine *e)
{
    return e->meta.skills_back || e->meta.wall_us < e->meta.skills_wall_us;
}

/* ---- operators and rules ---- */

/* Every word on this skill goes. */
static bool forget(struct words *w, struct slp_bytes name)
{
    uint32_t kept = 0, n = w->n;
    for (uint32_t i = 0; i < n; i++)
        if (!same(w->v[i].name, name))
            w->v[kept++] = w->v[i];
    w->n = kept;
    return kept < n;
}

/* Would he have more skills than can be told, whether they count at this moment or not? */
static bool one_too_many(struct engine *e, const struct worker *w, const struct words *s, struct slp_bytes name)
{
    struct slp_list declared;
    struct slp_item_skill it;
    uint32_t n = 0;
    if (!worker_declared(e, w, &declared))
        return false;
    struct slp_cursor c = slp_each(declared);
    for (; slp_next_skill(&c, &it); n++)
        if (same(it.name, name))
            return false; /* another level of what he has */
    for (uint32_t i = 0; i < s->n; i++) {
        bool there = s->v[i].source != SKILL_GRANTED;
        for (c = slp_each(declared); !there && slp_next_skill(&c, &it);)
            there = same(it.name, s->v[i].name);
        n += !there;
    }
    return n >= SL_SKILLS_MAX;
}

bool skill_grant(struct engine *e, struct worker *w, struct slp_bytes name, uint8_t level, int64_t until_us)
{
    struct words s;
    if (!words_read(e, w->id, &s))
        return true;
    bool had = forget(&s, name);
    if (level && (s.n == WORDS_MAX || one_too_many(e, w, &s, name)))
        return false;
    if (!level && !had)
        return true;
    if (level)
        s.v[s.n++] = (struct word){ SKILL_GRANTED, level, until_us, e->wall_us, name };
    words_write(e, w->id, &s);
    announce(e, w, name, level ? SKILL_GRANTED : SKILL_DECLARED, level, until_us);
    worker_skills_changed(e, w);
    return true;
}

bool skill_lower(struct engine *e, struct worker *w, struct slp_bytes name)
{
    struct words s;
    uint8_t level = 0;
    if (!w->profile)
        return false;
    for (uint16_t i = 0; i < w->profile->skills; i++)
        if (strlen(e->skill_name[w->profile->skill[i].name]) == name.n &&
            !memcmp(e->skill_name[w->profile->skill[i].name], name.p, name.n))
            level = w->profile->skill[i].level;
    if (!level || !words_read(e, w->id, &s))
        return false;
    for (uint32_t i = 0; i < s.n; i++)
        if (s.v[i].source == SKILL_LOWERED && same(s.v[i].name, name)) {
            memmove(s.v + i, s.v + i + 1, (s.n - i - 1) * sizeof *s.v);
            s.n--;
            break;
        }
    if (s.n == WORDS_MAX) /* so many grants and lowerings as a worker can have: it stays as it is */
        return false;
    s.v[s.n++] = (struct word){ SKILL_LOWERED, (uint8_t)(level - 1), 0, e->wall_us, name };
    words_write(e, w->id, &s);
    announce(e, w, name, SKILL_LOWERED, (uint8_t)(level - 1), 0);
    worker_skills_changed(e, w);
    return true;
}
