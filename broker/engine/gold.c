/* See gold.h. */
#include "broker/engine/gold.h"

#include <stdio.h>

#include "broker/engine/agree.h"
#include "broker/engine/internal.h"
#include "broker/engine/standing.h"

#define SEEN_KEY 17

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdull;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 33;
}

/* ---- which ---- */

static void seen_key(uint8_t *k, uint32_t worker, uint32_t key, uint64_t digest)
{
    key_u64(key_u32(key_u32(key_u8(k, 0), worker), key), digest);
}

/* What is known of a control task and a worker; `k` becomes the key of the row that says so. */
enum seen { NEVER, UNBEGUN, HANDED, AGAIN, SEEN, ANSWERED };

static enum seen seen(struct engine *e, uint8_t k[SEEN_KEY], uint32_t worker, uint32_t key, uint64_t digest)
{
    struct store_val v;
    seen_key(k, worker, key, digest);
    if (!e_get(e, TABLE_GOLD, k, SEEN_KEY, &v))
        return NEVER;
    switch (v.n ? *(const char *)v.p : 0) {
    case 0: return HANDED;
    case 'u': return UNBEGUN;
    case 'g': return AGAIN;
    case 'a': return ANSWERED;
    default: return SEEN;
    }
}

static uint32_t common(uint32_t a, uint32_t b)
{
    return b ? common(b, a % b) : a;
}

/* The next row that this worker has not seen, in an order of his own; UINT32_MAX: he has seen them all. One that his agent had and he did not begin is
 * taken when nothing else is left. */
static uint32_t next_row(struct engine *e, const struct station *st, const struct repute *r)
{
    uint32_t unbegun = UINT32_MAX;
    const struct ld_gold *g = &st->def->gold;
    uint64_t h = mix(g->secret ^ r->worker * 0x9E3779B97F4A7C15ull);
    uint32_t n = g->row_count, start = (uint32_t)(h % n), step = (uint32_t)(mix(h) % n) + 1;
    while (common(step, n) != 1)
        step++;
    for (uint32_t i = 0; i < n && !e->rc; i++) {
        uint32_t row = (uint32_t)((start + (r->golds + i) % n * (uint64_t)step) % n);
        uint8_t k[SEEN_KEY];
        enum seen how = seen(e, k, r->worker, r->key, g->digest[row]);
        if (how == NEVER)
            return row;
        if (how == UNBEGUN && unbegun == UINT32_MAX)
            unbegun = row;
    }
    return unbegun;
}

/* ---- when ---- */

bool gold_take(struct engine *e, struct rq *q, struct worker *w, struct pick *out)
{
    const struct ld_gold *g = &q->st->def->gold;
    if (!g->row_count)
        return false;
    struct repute *r = repute_of(e, w->id, q->st->key);
    if (!r || r->gold_dry == g->secret)
        return false;
    uint64_t block = r->handed / g->every;
    if (r->gold_block == block + 1 ||
        r->handed % g->every < mix(g->secret ^ mix(w->id * 0x9E3779B97F4A7C15ull + block)) % g->every)
        return false;
    uint32_t row = next_row(e, q->st, r);
    r->dirty = true;
    if (row == UINT32_MAX) {
        r->gold_dry = g->secret; /* until there is another version with others */
        return false;
    }
    uint8_t k[SEEN_KEY];
    bool again = seen(e, k, w->id, q->st->key, g->digest[row]) == UNBEGUN;
    e_put(e, TABLE_GOLD, k, sizeof k, "g", again);
    r->gold_block = block + 1;
    r->golds++;
    *out = (struct pick){ q, w, GOLD_UNIT + row, 0, 1, 0 };
    return !e->rc;
}

static enum seen seen_of(struct engine *e, const struct aseg *s, uint64_t no, uint8_t k[SEEN_KEY])
{
    const struct aentry *a = &s->e[no - s->first];
    return seen(e, k, a->worker, s->st->key, s->st->def->gold.digest[a->unit - GOLD_UNIT]);
}

void gold_unseen(struct engine *e, const struct aseg *s, uint64_t no)
{
    uint8_t k[SEEN_KEY];
    struct repute *r;
    if (seen_of(e, s, no, k) >= SEEN || !(r = repute_of(e, s->e[no - s->first].worker, s->st->key)))
        return;
    e_put(e, TABLE_GOLD, k, sizeof k, "u", 1);
    r->golds -= r->golds > 0;
    r->gold_dry = 0;
    r->dirty = true;
}

void gold_seen(struct engine *e, const struct aseg *s, uint64_t no)
{
    uint8_t k[SEEN_KEY];
    enum seen how = seen_of(e, s, no, k);
    struct repute *r;
    if (how >= SEEN || !(r = repute_of(e, s->e[no - s->first].worker, s->st->key)))
        return;
    e_put(e, TABLE_GOLD, k, sizeof k, "s", 1);
    r->golds += how == UNBEGUN;
    r->dirty = true;
}

bool gold_counts(struct engine *e, const struct aseg *s, uint64_t no)
{
    uint8_t k[SEEN_KEY];
    enum seen how = seen_of(e, s, no, k);
    if (how > HANDED && how < ANSWERED) /* there is, or was, another assignment of it */
        e_put(e, TABLE_GOLD, k, sizeof k, "a", 1);
    return how != ANSWERED;
}

void gold_handed(struct engine *e, const struct station *st, uint32_t worker)
{
    struct repute *r = st->def->gold.row_count ? repute_of(e, worker, st->key) : NULL;
    if (!r)
        return;
    r->handed++;
    r->dirty = true;
}

/* ---- what ---- */

void gold_show(const struct station *st, uint64_t unit, struct slp_buf *b)
{
    const struct ld_station *s = st->def;
    uint64_t row = unit - GOLD_UNIT;
    assert(row < s->gold.row_count);
    slp_pack_array(b, s->show_count);
    for (uint32_t i = 0; i < s->show_count; i++) {
        struct slp_bytes v = s->gold.shown[row * s->show_count + i];
        slp_buf_add(b, v.p, v.n);
    }
}

void gold_segment(struct engine *e, const struct aseg *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->n && !any; i++)
        any = is_gold(s->e[i].unit);
    if (!any)
        return;
    uint8_t k[13];
    key_u64(key_u32(key_u8(k, 1), s->run->id), s->first);
    e_put(e, TABLE_GOLD, k, sizeof k, "", 0);
}

/* ---- the answer ---- */

static bool right(const struct station *st, uint64_t row, const struct slp_list *values)
{
    const struct ld_station *s = st->def;
    for (uint32_t i = 0; i < s->gold.answer_count; i++) {
        const struct ld_gold_answer *a = &s->gold.answer[i];
        struct slp_bytes wanted = s->gold.wanted[row * s->gold.answer_count + i];
        struct ld_copies how = { .ignore_case = a->ignore_case,
                                 .ignore_space = a->ignore_space,
                                 .tolerance_micros = a->tolerance_micros };
        if (wanted.p && !agree_value_same(&s->fields[a->field], &how, wanted, list_element(values, a->field)))
            return false;
    }
    return true;
}

static void announce(struct engine *e, const struct aseg *s, uint64_t no, uint32_t worker, bool good)
{
    static const char *const keys[] = { "run", "station", "hub", "assignment", "worker" };
    const uint64_t values[] = { s->run->id, s->st->id, s->hub->id, no, worker };
    ev_data(e, keys, values, sizeof keys / sizeof *keys, 1);
    slp_pack_cstr(&e->b3, "right");
    slp_pack_bool(&e->b3, good);
    ev_emit(e, EV_GOLD_ANSWERED, s->run->line, s->run, s->hub, &e->b3);
}

/* ---- what follows ---- */

static struct tally so_far(struct engine *e, const struct station *st, uint32_t worker)
{
    return repute_tally(e, st, worker, MEASURE_GOLD);
}

/* What he showed there is forgotten, and keeps him out of it no more. */
static void begin_anew(struct engine *e, uint32_t worker, uint32_t key)
{
    struct repute *r = repute_of(e, worker, key);
    if (!r)
        return;
    r->windows &= (uint16_t) ~(1u << MEASURE_GOLD);
    r->dirty = true;
    standing_measured(e, worker, key);
}

/* Are there so many of its control tasks that he has not seen? What it showed in other versions is not among them. */
static bool has_left(struct engine *e, const struct station *st, uint32_t worker, uint32_t wanted)
{
    const struct ld_gold *g = &st->def->gold;
    uint32_t n = 0;
    uint8_t k[SEEN_KEY];
    for (uint32_t row = 0; row < g->row_count && n < wanted && !e->rc; row++)
        n += seen(e, k, worker, st->key, g->digest[row]) <= UNBEGUN;
    return n >= wanted;
}

/* To the station that trains; who has too few of its control tasks left unseen to come back is suspended instead. */
static void train(struct engine *e, struct worker *w, const struct station *s, const struct ld_gold_rule *rule,
                  const char *why, size_t n)
{
    const struct station *at = e->station[s->line->version[s->version - 1].first_station - 1 + (uint32_t)rule->at];
    static const char none_left[] = "too few control tasks are left to train with";
    if (!has_left(e, at, w->id, rule->after)) {
        standing_set(e, w, s->key, STANDING_BY_RULE, none_left, sizeof none_left - 1);
        return;
    }
    begin_anew(e, w->id, at->key);
    standing_set(e, w, s->key, STANDING_TRAINING, why, n);
}

/* The first rule that his answers at the station fall under. */
static void judge_by_rules(struct engine *e, struct station *st, struct worker *w)
{
    const struct station *s = station_latest(e, st->key);
    struct tally t = so_far(e, st, w->id);
    char why[160];
    for (uint32_t i = 0; i < s->def->gold.rule_count; i++) {
        const struct ld_gold_rule *rule = &s->def->gold.rules[i];
        if (t.n < rule->after || t.sum * 1000000 >= t.n * rule->below_micros)
            continue;
        snprintf(why, sizeof why, "%llu of %llu control answers are right", (unsigned long long)t.sum,
                 (unsigned long long)t.n);
        switch (rule->what) {
        case LD_SUSPEND: standing_set(e, w, st->key, STANDING_BY_RULE, why, strlen(why)); break;
        case LD_LOWER:
            if (skill_lower(e, w, rule->skill))
                begin_anew(e, w->id, st->key); /* or the next answer would lower it again */
            break;
        case LD_TRAIN: train(e, w, s, rule, why, strlen(why)); break;
        }
        return;
    }
}

/* Is it good enough for this rule that sends here? */
static bool trained(const struct engine *e, const struct station *from, const struct ld_gold_rule *rule,
                    const struct station *here, struct tally t)
{
    uint32_t first = from->line->version[from->version - 1].first_station;
    return rule->what == LD_TRAIN && e->station[first - 1 + (uint32_t)rule->at]->key == here->key &&
           t.n >= rule->after && t.sum * 1000000 >= t.n * rule->until_micros;
}

/* Stations of the line that sent him here for training, and to which he may come back: of each name the newest, which not every version has. */
static void judge_training(struct engine *e, struct station *st, struct worker *w)
{
    const struct line *l = st->line;
    struct tally t = so_far(e, st, w->id);
    static const char good_enough[] = "trained";
    for (uint32_t v = l->newest; v; v--)
        for (uint32_t k = 0; k < l->version[v - 1].def->station_count; k++) {
            const struct station *s = e->station[l->version[v - 1].first_station - 1 + k];
            for (uint32_t i = 0; s == station_latest(e, s->key) && i < s->def->gold.rule_count; i++) {
                const struct repute *r =
                    trained(e, s, &s->def->gold.rules[i], st, t) ? repute_of(e, w->id, s->key) : NULL;
                if (r && r->standing == STANDING_TRAINING)
                    standing_set(e, w, s->key, STANDING_GOOD, good_enough, sizeof good_enough - 1);
            }
        }
}

void gold_judge(struct engine *e, struct aseg *s, uint64_t no, const struct slp_list *values)
{
    const struct aentry *a = assign_entry(s, no);
    struct worker *w = worker_at(e, a->worker);
    bool good = right(s->st, a->unit - GOLD_UNIT, values);
    announce(e, s, no, w->id, good);
    repute_gold(e, s->st, w->id, good);
    judge_by_rules(e, s->st, w);
    judge_training(e, s->st, w);
}
