/* See agree.h. */
#include "broker/engine/agree.h"

#include <assert.h>
#include <string.h>

#include "proto/ld_text.h"
#include "proto/reader.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

/* ---- numbers: fixed point, twelve decimals ---- */

#define FIXED_DECIMALS 12
#define FIXED_ONE 1000000000000ll
static const wide fixed_max = (wide)FIXED_ONE * 1000000000000000ll; /* beyond 10^15 a number has no fixed point here */

static bool fixed_decimal(const struct ld_decimal *d, wide *out)
{
    wide v = 0;
    int32_t power = (int32_t)d->whole_n - 1 + d->exponent; /* of the digit at hand */
    for (uint32_t i = 0; i < d->whole_n + d->part_n && power >= -FIXED_DECIMALS; i++, power--) {
        v = v * 10 + ((i < d->whole_n ? d->whole[i] : d->part[i - d->whole_n]) - '0');
        if (v > fixed_max)
            return false;
    }
    for (power++; v && power > -FIXED_DECIMALS; power--) {
        v *= 10;
        if (v > fixed_max)
            return false;
    }
    *out = d->negative ? -v : v;
    return true;
}

/* A binary fraction, rounded to the nearest: its bits are taken apart, for arithmetic on doubles need not be the same everywhere. */
static bool fixed_double(double d, wide *out)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    int e = (int)(bits >> 52 & 0x7ff);
    uint64_t m = (bits & 0xfffffffffffffull) | (e ? 1ull << 52 : 0);
    e = (e ? e : 1) - 1075; /* d = m * 2^e */
    if (e > -3)             /* 2^53 * 2^-3 is more than 10^15 */
        return false;
    wide v = (wide)m * FIXED_ONE;
    v = -e > 126 ? 0 : (v + ((wide)1 << (-e - 1))) >> -e;
    *out = bits >> 63 ? -v : v;
    return true;
}

static struct ld_decimal integer_decimal(char digits[24], uint64_t u, bool negative)
{
    uint32_t i = 24;
    struct ld_decimal d;
    do
        digits[--i] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    bool good = ld_decimal(digits + i, 24 - i, &d);
    assert(good);
    d.negative = negative;
    return d;
}

struct number {
    bool decimal, fixed;
    struct ld_decimal d;
    wide v;
    char digits[24];
};

static bool number_of(const struct slr_value *p, struct number *n)
{
    n->decimal = true;
    switch (p->type) {
    case SLR_U64: n->d = integer_decimal(n->digits, p->u64, false); break;
    case SLR_I64: n->d = integer_decimal(n->digits, -(uint64_t)p->i64, true); break;
    case SLR_STR:
        if (!ld_decimal(p->p, p->n, &n->d))
            return false;
        break;
    case SLR_DOUBLE:
        n->decimal = false;
        n->fixed = fixed_double(p->d, &n->v);
        return true;
    default: return false;
    }
    n->fixed = fixed_decimal(&n->d, &n->v);
    return true;
}

static bool same_numbers(const struct slr_value *a, const struct slr_value *b, int64_t tolerance_micros)
{
    struct number x, y;
    if (!number_of(a, &x) || !number_of(b, &y))
        return false;
    if (x.decimal && y.decimal && (tolerance_micros == 0 || !x.fixed || !y.fixed))
        return ld_decimal_compare(&x.d, &y.d) == 0;
    if (!x.fixed || !y.fixed)
        return a->type == SLR_DOUBLE && b->type == SLR_DOUBLE && a->d == b->d;
    wide apart = x.v < y.v ? y.v - x.v : x.v - y.v;
    return apart <= (wide)tolerance_micros * (FIXED_ONE / 1000000);
}

/* ---- texts ---- */

struct letters {
    const uint8_t *p, *end;
    bool ignore_case, ignore_space;
};

static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

static uint32_t without_case(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) ||
        (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c == 0x178)
        return 0xff;
    if ((c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) || (c >= 0x14a && c <= 0x177))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c + (c & 1);
    return c >= 0x400 && c <= 0x40f ? c + 80 : c;
}

/* Strings were found to be UTF-8 when they came in. */
static uint32_t code_point(struct letters *l)
{
    uint32_t c = *l->p++, more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    c &= more == 0 ? 0xff : 0x3fu >> more;
    for (; more && l->p < l->end; more--)
        c = c << 6 | (*l->p++ & 0x3f);
    return c;
}

static bool skip_blanks(struct letters *l)
{
    bool any = false;
    while (l->p < l->end) {
        struct letters ahead = *l;
        if (!is_blank(code_point(&ahead)))
            break;
        *l = ahead;
        any = true;
    }
    return any;
}

#define THE_END UINT32_MAX

/* The next letter that counts. */
static uint32_t next_letter(struct letters *l)
{
    if (l->ignore_space && skip_blanks(l) && l->p < l->end)
        return ' ';
    if (l->p == l->end)
        return THE_END;
    uint32_t c = code_point(l);
    return l->ignore_case ? without_case(c) : c;
}

static bool same_texts(const struct ld_copies *c, const struct slr_value *a, const struct slr_value *b)
{
    if (!c->ignore_case && !c->ignore_space)
        return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
    struct letters x = { (const uint8_t *)a->p, (const uint8_t *)a->p + a->n, c->ignore_case, c->ignore_space };
    struct letters y = { (const uint8_t *)b->p, (const uint8_t *)b->p + b->n, c->ignore_case, c->ignore_space };
    if (c->ignore_space) {
        skip_blanks(&x);
        skip_blanks(&y);
    }
    for (;;) {
        uint32_t p = next_letter(&x), q = next_letter(&y);
        if (p != q)
            return false;
        if (p == THE_END)
            return true;
    }
}

/* ---- values ---- */

/* Each is chosen once: the same number of them, and each of one among those of the other. */
static bool same_lists(struct slr a, uint32_t n, struct slr b, uint32_t m)
{
    struct slr_value x, y;
    for (uint32_t i = 0; n == m && i < n; i++) {
        struct slr r = b;
        bool found = false;
        slr_next(&a, &x);
        for (uint32_t k = 0; k < m && !found && slr_next(&r, &y) == 0; k++)
            found = x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
        if (!found)
            return false;
    }
    return n == m;
}

static bool is_null(const struct slr_value *v)
{
    return v->type == SLR_NIL || ((v->type == SLR_STR || v->type == SLR_ARRAY) && v->n == 0);
}

static bool same_values(const struct ld_field *f, const struct ld_copies *c, struct slr a, struct slr b)
{
    static const struct slr_value nil = { .type = SLR_NIL };
    const char *at = a.p, *bt = b.p;
    struct slr_value x = nil, y = nil;
    if ((a.p < a.end && slr_next(&a, &x)) || (b.p < b.end && slr_next(&b, &y)))
        return false;
    if (is_null(&x) || is_null(&y))
        return is_null(&x) && is_null(&y);
    if (f->type == LD_NUMBER)
        return same_numbers(&x, &y, c->tolerance_micros);
    if (x.type == SLR_ARRAY && y.type == SLR_ARRAY)
        return same_lists(a, x.n, b, y.n);
    if (x.type == SLR_STR && y.type == SLR_STR)
        return same_texts(c, &x, &y);
    return a.p - at == b.p - bt && memcmp(at, bt, (size_t)(a.p - at)) == 0;
}

bool agree_value_same(const struct ld_field *f, const struct ld_copies *c, struct slp_bytes a, struct slp_bytes b)
{
    return same_values(f, c, slr_on(a.p ? a.p : "", a.n), slr_on(b.p ? b.p : "", b.n));
}

bool agree_same(const struct ld_station *s, const struct slp_list *a, const struct slp_list *b)
{
    const struct ld_copies *c = &s->copies;
    struct slr x = slr_on(a->p, a->bytes), y = slr_on(b->p, b->bytes);
    for (uint32_t i = 0, f = 0; i < c->on_count; f++) {
        if (c->on[i] == f) {
            if (!same_values(&s->form[f], c, x, y))
                return false;
            i++;
        }
        if ((x.p < x.end && slr_skip(&x, SL_DEPTH_MAX)) || (y.p < y.end && slr_skip(&y, SL_DEPTH_MAX)))
            return false;
    }
    return true;
}

/* ---- the posterior ---- */

struct weight { /* m * 2^e, the highest bit of m is set */
    uint64_t m;
    int32_t e;
};

static struct weight weight_of(uwide v, int32_t e)
{
    while (v >> 64) {
        v >>= 1;
        e++;
    }
    uint64_t m = (uint64_t)v;
    while (!(m >> 63)) {
        m <<= 1;
        e--;
    }
    return (struct weight){ m, e };
}

/* Times num / den. The quotient has at least 62 bits: num is at least 1, and what is divided was made as long as 128 bits allow. */
static struct weight weight_times(struct weight w, uint64_t num, uint64_t den)
{
    uwide v = (uwide)w.m * num;
    int32_t e = w.e;
    while (!(v >> 127)) {
        v <<= 1;
        e--;
    }
    v /= den;
    return weight_of(v, e);
}

static bool lesser(const struct agree_answer *a, const struct agree_answer *b)
{
    return a->correct != b->correct ? a->correct < b->correct : a->total < b->total;
}

/* The product over a group's answers, in an order that depends on what they are and not on when they came. */
static struct weight group_weight(const struct ld_copies *c, const struct agree_answer *a, uint32_t n, uint32_t group)
{
    struct weight w = { 1ull << 63, -63 };
    const struct agree_answer *last = NULL;
    for (;;) {
        const struct agree_answer *next = NULL;
        uint32_t times = 0;
        for (uint32_t i = 0; i < n; i++)
            if (a[i].group == group && (!last || lesser(last, &a[i]))) {
                if (!next || lesser(&a[i], next)) {
                    next = &a[i];
                    times = 0;
                }
                times += !lesser(next, &a[i]);
            }
        if (!next)
            return w;
        while (times--)
            w = weight_times(w, (c->answers - 1) * (1 + 2ull * next->correct),
                             1 + 2ull * (next->total - next->correct));
        last = next;
    }
}

static bool heavier(struct weight a, struct weight b)
{
    return a.e != b.e ? a.e > b.e : a.m > b.m;
}

/* In units of 2^e, cut. */
static uint64_t share_of(struct weight w, int32_t e)
{
    return e - w.e > 63 ? 0 : w.m >> (e - w.e);
}

/* The leading group, and its share in millionths. */
static uint32_t posterior(const struct ld_copies *c, const struct agree_answer *a, uint32_t n, uint32_t *micros)
{
    struct weight w[256];
    uint32_t groups = 0, first[256], lead = 0;
    assert(n <= 256);
    if (c->answers < 2) { /* there is only one answer to give */
        *micros = 1000000;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        if (a[i].group == i) {
            w[groups] = group_weight(c, a, n, i);
            first[groups++] = i;
        }
    for (uint32_t g = 1; g < groups; g++)
        lead = heavier(w[g], w[lead]) ? g : lead;
    /* Relative to the heaviest. What nobody answered has 1, if there is any: else it would dwarf the answers of those who are all mostly wrong. */
    uint64_t others = c->answers > groups ? c->answers - groups : 0;
    int32_t e = others && w[lead].e < -63 ? -63 : w[lead].e;
    uwide sum = others ? (uwide)(e > 0 ? 0 : (1ull << 63) >> (e + 63)) * others : 0;
    for (uint32_t g = 0; g < groups; g++)
        sum += share_of(w[g], e);
    *micros = (uint32_t)((uwide)share_of(w[lead], e) * 1000000 / sum);
    return first[lead];
}

/* ---- the decision ---- */

static uint32_t votes_of(const struct agree_answer *a, uint32_t n, uint32_t group)
{
    uint32_t votes = 0;
    for (uint32_t i = 0; i < n; i++)
        votes += a[i].group == group;
    return votes;
}

static void by_plurality(const struct ld_copies *c, const struct agree_answer *a, uint32_t n, struct agree_verdict *v)
{
    bool tie = false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t votes = a[i].group == i ? votes_of(a, n, i) : 0;
        tie = votes > v->votes ? false : tie || (votes && votes == v->votes);
        if (votes > v->votes) {
            v->votes = votes;
            v->winner = i;
        }
    }
    v->confidence_micros = (uint32_t)(1000000ull * v->votes / n);
    if (!tie) {
        v->rule = LD_RULE_PLURALITY;
        return;
    }
    static const enum ld_rule rules[] = { [LD_TIES_MORE] = LD_RULE_MAX,
                                          [LD_TIES_FIRST] = LD_RULE_FIRST,
                                          [LD_TIES_REVIEW] = LD_RULE_REVIEW,
                                          [LD_TIES_FAIL] = LD_RULE_PLURALITY };
    v->rule = rules[c->ties];
    if (c->ties == LD_TIES_FAIL)
        v->what = AGREE_FAIL;
    else if (c->ties == LD_TIES_MORE && n < c->max)
        v->what = AGREE_MORE;
}

void agree_group(const struct ld_station *s, struct agree_answer *a, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        a[i].group = i;
        for (uint32_t k = 0; k < i; k++)
            if (a[k].group == k && agree_same(s, &a[k].values, &a[i].values)) {
                a[i].group = k;
                break;
            }
    }
}

void agree_decide(const struct ld_station *s, struct agree_answer *a, uint32_t n, struct agree_verdict *v)
{
    const struct ld_copies *c = &s->copies;
    assert(n > 0);
    *v = (struct agree_verdict){ .what = AGREE_DONE, .answers = n };
    if (c->method == LD_ALL) {
        v->rule = LD_RULE_ALL;
        v->winner = n - 1;
        v->votes = n;
        return;
    }
    agree_group(s, a, n);
    if (c->method == LD_PLURALITY) {
        by_plurality(c, a, n, v);
        return;
    }
    v->winner = posterior(c, a, n, &v->confidence_micros);
    v->votes = votes_of(a, n, v->winner);
    v->rule = LD_RULE_POSTERIOR;
    if (v->confidence_micros < c->confidence_micros) {
        v->rule = LD_RULE_MAX;
        v->what = n < c->max ? AGREE_MORE : AGREE_DONE;
    }
}
