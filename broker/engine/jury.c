/* See jury.h. */
#include "broker/engine/jury.h"

#include <assert.h>

#include "proto/reader.h"

/* SplitMix64: each call the next number of a sequence that its start determines. */
static uint64_t next_number(uint64_t *at)
{
    uint64_t z = *at += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

void jury_order(uint64_t run, uint64_t unit, uint64_t juror, uint32_t entries, uint8_t order[SL_COPIES_MAX])
{
    uint64_t at = run;
    assert(entries <= SL_COPIES_MAX);
    at = next_number(&at) ^ unit;
    at = next_number(&at) ^ juror;
    for (uint32_t i = 0; i < entries; i++) {
        order[i] = (uint8_t)i;
        uint32_t k = (uint32_t)(next_number(&at) % (i + 1));
        order[i] = order[k];
        order[k] = (uint8_t)i;
    }
}

uint32_t jury_place(const struct slp_list *form)
{
    struct slr r = slr_on(form->p, form->bytes);
    struct slr_value v;
    uint32_t place = 0;
    if (slr_next(&r, &v) || v.type != SLR_STR || v.n == 0 || v.n > 3)
        return 0;
    for (uint32_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return 0;
        place = place * 10 + (uint32_t)(v.p[i] - '0');
    }
    return place;
}

/* With `gift` votes more for entry x, and `left` that may still come for any other. */
static bool certain(const struct ld_copies *c, const uint32_t *votes, uint32_t n, uint32_t x, uint32_t gift,
                    uint32_t left)
{
    for (uint32_t o = 0; o < n; o++) {
        uint32_t has = votes[x] + gift, could = votes[o] + left;
        if (o != x && !(has > could || (has == could && c->ties == LD_TIES_FIRST && x < o)))
            return false;
    }
    return true;
}

void jury_decide(const struct ld_station *jury, const uint32_t *votes, uint32_t n, struct jury_verdict *v)
{
    const struct ld_copies *c = &jury->copies;
    uint32_t cast = 0, leaders = 0;
    assert(n > 0);
    *v = (struct jury_verdict){ .what = AGREE_DONE };
    for (uint32_t i = 0; i < n; i++) {
        cast += votes[i];
        if (votes[i] > votes[v->winner])
            v->winner = i;
    }
    for (uint32_t i = 0; i < n; i++)
        leaders += votes[i] == votes[v->winner];
    v->votes = votes[v->winner];
    v->cast = cast;
    uint32_t left = cast < c->max ? c->max - cast : 0;
    for (uint32_t more = 0; more <= left; more++)
        for (uint32_t x = 0; x < n; x++)
            if (certain(c, votes, n, x, more, left - more)) {
                v->more = more;
                v->what = more ? AGREE_MORE : AGREE_DONE;
                v->rule = leaders > 1 ? LD_RULE_FIRST : LD_RULE_JURY;
                return;
            }
    assert(left == 0 && leaders > 1); /* with all that are left the leader is certain */
    v->rule = LD_RULE_REVIEW;
    if (c->ties == LD_TIES_FAIL)
        v->what = AGREE_FAIL;
}

void jury_places(const uint32_t *score, const bool *won, uint32_t n, uint8_t *place)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = 0;
        for (uint32_t k = 0; k < n; k++)
            before += won[k] || score[k] > score[i];
        place[i] = won[i] ? 1 : (uint8_t)(1 + before);
    }
}
