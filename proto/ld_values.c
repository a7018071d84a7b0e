/* Do values fit fields? Runs for every unit and every result: one walk over the packed bytes, no allocation; words are only put together
 * once something is wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/ld_int.h"
#include "proto/utf8.h"

static int wrong(char *text, size_t text_size, const char *what)
{
    snprintf(text, text_size, "%s", what);
    return -1;
}

static int wrong_value(char *text, size_t text_size, struct slp_bytes s, const char *what)
{
    snprintf(text, text_size, "'%s' %s", LD_Q(s), what);
    text[sl_utf8_cut(text, strlen(text))] = 0; /* not cut inside a character: the text goes over the wire */
    return -1;
}

static bool is_option(const struct ld_field *f, struct slp_bytes s)
{
    for (uint32_t i = 0; i < f->option_count; i++)
        if (ld_same(f->options[i], s))
            return true;
    return false;
}

#define EXACT_MAX                                                                                                      \
    9007199254740992.0 /* 2^53: from here on a bound may have been another number, too, before it became a double */

/* Many numbers share a double. Where one has that of a bound, its digits decide on which side it lies; a bound that is no whole number, or a large one, is
 * itself known as a double only. */
static int beside(const struct slr_value *v, double bound)
{
    char digits[24], text[24];
    struct ld_decimal a, b;
    if (v->type == SLR_DOUBLE || fabs(bound) >= EXACT_MAX || (double)(int64_t)bound != bound)
        return 0;
    int n = 0; /* else it is a decimal text */
    if (v->type == SLR_U64)
        n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v->u64);
    else if (v->type == SLR_I64)
        n = snprintf(digits, sizeof digits, "%lld", (long long)v->i64);
    bool good = ld_decimal(n ? digits : v->p, n ? (uint32_t)n : v->n, &a);
    n = snprintf(text, sizeof text, "%lld", (long long)bound);
    return good && ld_decimal(text, (uint32_t)n, &b) ? ld_decimal_compare(&a, &b) : 0;
}

static int check_number(const struct ld_field *f, const struct slr_value *v, char *text, size_t text_size)
{
    double d = 0;
    struct ld_decimal decimal;
    bool bounded = f->min == f->min || f->max == f->max; /* NaN: no bound */
    switch (v->type) {
    case SLR_U64: d = (double)v->u64; break;
    case SLR_I64: d = (double)v->i64; break;
    case SLR_DOUBLE: d = v->d; break;
    case SLR_STR:
        if (!ld_decimal(v->p, v->n, &decimal))
            return wrong_value(text, text_size, (struct slp_bytes){ v->p, v->n }, "is not a number");
        if (bounded)
            d = ld_decimal_double(v->p, v->n);
        break;
    default: return wrong(text, text_size, "is not a number");
    }
    if (v->type == SLR_DOUBLE && !isfinite(d))
        return wrong(text, text_size, "is not a finite number");
    if (d < f->min || (d == f->min && beside(v, f->min) < 0)) {
        snprintf(text, text_size, "is less than %.15g", f->min);
        return -1;
    }
    if (d > f->max || (d == f->max && beside(v, f->max) > 0)) {
        snprintf(text, text_size, "is more than %.15g", f->max);
        return -1;
    }
    return 0;
}

static int check_text(const struct ld_field *f, struct slp_bytes s, char *text, size_t text_size)
{
    switch (f->type) {
    case LD_EMAIL:
        if (!ld_is_email(s.p, s.n))
            return wrong_value(text, text_size, s, "is not an e-mail address");
        break;
    case LD_URL:
        if (!ld_is_url(s.p, s.n))
            return wrong_value(text, text_size, s, "is not a URL (scheme://...)");
        break;
    case LD_PHONE:
        if (!ld_is_phone(s.p, s.n))
            return wrong_value(text, text_size, s, "is not a phone number");
        break;
    case LD_DATE:
        if (!ld_is_date(s.p, s.n))
            return wrong_value(text, text_size, s, "is not a date (YYYY-MM-DD)");
        break;
    case LD_TIME:
        if (!ld_is_time(s.p, s.n))
            return wrong_value(text, text_size, s, "is not a time (HH:MM or HH:MM:SS)");
        break;
    case LD_DATETIME:
        if (!ld_is_datetime(s.p, s.n))
            return wrong_value(text, text_size, s,
                               "is not a date and time (YYYY-MM-DDTHH:MM:SS, perhaps with Z or +HH:MM)");
        break;
    case LD_TEXT:
    case LD_GENERAL:
    case LD_NUMBER:
    case LD_SHORT_ANSWER:
    case LD_LONG_ANSWER:
    case LD_RADIO:
    case LD_CHECK_BOX:
    case LD_SELECT: break;
    }
    if (f->option_count && !is_option(f, s))
        return wrong_value(text, text_size, s, "is not one of the options");
    if (f->chars_max && s.n > f->chars_max && ld_chars(s.p, s.n) > f->chars_max) {
        snprintf(text, text_size, "has %u characters, more than %u", ld_chars(s.p, s.n), f->chars_max);
        return -1;
    }
    return 0;
}

static int check_list(const struct ld_field *f, struct slr r, uint32_t count, char *text, size_t text_size)
{
    uint64_t seen[(SL_OPTIONS_MAX + 63) / 64] = { 0 };
    if (f->required && count == 0)
        return wrong(text, text_size, "is required");
    for (uint32_t i = 0; i < count; i++) {
        struct slr_value v;
        uint32_t o = 0;
        if (slr_next(&r, &v) != 0 || v.type != SLR_STR)
            return wrong(text, text_size, "must be a list of texts");
        struct slp_bytes s = { v.p, v.n };
        while (o < f->option_count && !ld_same(f->options[o], s))
            o++;
        if (o == f->option_count)
            return wrong_value(text, text_size, s, "is not one of the options");
        if (seen[o / 64] >> (o % 64) & 1)
            return wrong_value(text, text_size, s, "is chosen twice");
        seen[o / 64] |= 1ull << (o % 64);
    }
    return 0;
}

static int check_value(const struct ld_field *f, struct slr r, char *text, size_t text_size)
{
    struct slr_value v;
    if (slr_next(&r, &v) != 0)
        return wrong(text, text_size, "is malformed");
    bool empty = v.type == SLR_NIL || (v.type == SLR_STR && v.n == 0);
    if (empty)
        return f->required ? wrong(text, text_size, "is required") : 0;
    if (f->type == LD_CHECK_BOX)
        return v.type == SLR_ARRAY ? check_list(f, r, v.n, text, text_size)
                                   : wrong(text, text_size, "must be a list of texts");
    if (f->type == LD_NUMBER)
        return check_number(f, &v, text, text_size);
    if (v.type == SLR_STR)
        return check_text(f, (struct slp_bytes){ v.p, v.n }, text, text_size);
    bool plain = v.type == SLR_BOOL || v.type == SLR_U64 || v.type == SLR_I64 || v.type == SLR_DOUBLE;
    if (f->type == LD_GENERAL && plain && f->option_count == 0)
        return 0;
    return wrong(text, text_size, "must be text");
}

int ld_check_values(const struct ld_field *fields, uint32_t field_count, const char *values, size_t bytes,
                    uint32_t count, uint32_t *field, char *text, size_t text_size)
{
    struct slr r = slr_on(values, bytes);
    *field = UINT32_MAX;
    if (count != field_count) {
        snprintf(text, text_size, "%u values for %u fields", count, field_count);
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (check_value(&fields[i], r, text, text_size) != 0) {
            *field = i;
            return -1;
        }
        if (slr_skip(&r, 2) != 0) {
            *field = i;
            return wrong(text, text_size, "is malformed");
        }
    }
    return r.p == r.end ? 0 : wrong(text, text_size, "bytes are left over after the last value");
}
