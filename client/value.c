/* Reading packed values, without showing what they are packed with. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

bool sl_next(struct sl_cursor *c, struct sl_value *out)
{
    struct slr r = { c->p, c->end };
    struct slr_value v;
    if (c->p == c->end || slr_next(&r, &v) != 0)
        return false;
    struct sl_value o = { .n = 0 };
    switch (v.type) {
    case SLR_NIL: o.type = SL_T_NIL; break;
    case SLR_BOOL:
        o.type = SL_T_BOOL;
        o.v.b = v.b;
        break;
    case SLR_U64:
        o.type = SL_T_UINT;
        o.v.u64 = v.u64;
        break;
    case SLR_I64:
        o.type = SL_T_INT;
        o.v.i64 = v.i64;
        break;
    case SLR_DOUBLE:
        o.type = SL_T_DOUBLE;
        o.v.d = v.d;
        break;
    case SLR_STR:
    case SLR_BIN:
        o.type = v.type == SLR_STR ? SL_T_STR : SL_T_BIN;
        o.p = v.p;
        o.n = v.n;
        break;
    case SLR_ARRAY:
    case SLR_MAP: {
        o.type = v.type == SLR_ARRAY ? SL_T_ARRAY : SL_T_MAP;
        o.p = r.p;
        o.n = v.n;
        uint64_t inside = v.type == SLR_ARRAY ? v.n : 2ull * v.n;
        for (uint64_t i = 0; i < inside; i++)
            if (slr_skip(&r, SL_DEPTH_MAX) != 0)
                return false;
        o.bytes = (uint32_t)(r.p - o.p);
        break;
    }
    case SLR_EXT:
    default: return false;
    }
    c->p = r.p;
    *out = o;
    return true;
}

struct sl_cursor sl_inside(const struct sl_value *v)
{
    if (v->type != SL_T_ARRAY && v->type != SL_T_MAP)
        return (struct sl_cursor){ NULL, NULL };
    return (struct sl_cursor){ v->p, v->p + v->bytes };
}

bool sl_map_get(const struct sl_value *map, const char *key, struct sl_value *v)
{
    if (map->type != SL_T_MAP)
        return false;
    struct sl_cursor c = sl_inside(map);
    struct sl_value k;
    while (sl_next(&c, &k)) {
        struct sl_value x;
        if (!sl_next(&c, &x))
            return false;
        if (sl_str_is(&k, key)) {
            *v = x;
            return true;
        }
    }
    return false;
}

bool sl__value(struct slp_bytes raw, struct sl_value *v)
{
    struct sl_cursor c = { raw.p, raw.p + raw.n };
    return sl_next(&c, v) && c.p == c.end;
}

double sl_number(const struct sl_value *v)
{
    switch (v->type) {
    case SL_T_BOOL: return v->v.b ? 1 : 0;
    case SL_T_UINT: return (double)v->v.u64;
    case SL_T_INT: return (double)v->v.i64;
    case SL_T_DOUBLE: return v->v.d;
    case SL_T_NIL:
    case SL_T_STR:
    case SL_T_BIN:
    case SL_T_ARRAY:
    case SL_T_MAP: break;
    }
    return (double)NAN;
}

uint64_t sl_uint(const struct sl_value *v)
{
    return v->type == SL_T_UINT ? v->v.u64 : 0;
}

bool sl_str_is(const struct sl_value *v, const char *s)
{
    return v->type == SL_T_STR && strlen(s) == v->n && memcmp(v->p, s, v->n) == 0;
}

/* The fewest digits that read back as the same number. Program and library share one locale: its decimal point
 * becomes a point again. */
static size_t double_text(double d, char *out, size_t size)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, size, "%.*g", digits, d);
        if (strtod(out, NULL) == d || isnan(d))
            break;
    }
    const char *point = localeconv()->decimal_point;
    char *at = strcmp(point, ".") == 0 ? NULL : strstr(out, point);
    if (at) {
        size_t wide = strlen(point);
        *at = '.';
        memmove(at + 1, at + wide, strlen(at + wide) + 1);
        n -= (int)wide - 1;
    }
    return (size_t)n;
}

size_t sl_text(const struct sl_value *v, char *out, size_t size)
{
    char number[64];
    const char *p = number;
    size_t n = 0;
    switch (v->type) {
    case SL_T_STR:
        p = v->p;
        n = v->n;
        break;
    case SL_T_BOOL:
        p = v->v.b ? "true" : "false";
        n = strlen(p);
        break;
    case SL_T_UINT: n = (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)v->v.u64); break;
    case SL_T_INT: n = (size_t)snprintf(number, sizeof number, "%lld", (long long)v->v.i64); break;
    case SL_T_DOUBLE: n = double_text(v->v.d, number, sizeof number); break;
    case SL_T_NIL:
    case SL_T_BIN:
    case SL_T_ARRAY:
    case SL_T_MAP: break;
    }
    if (size > 0) {
        size_t m = n < size ? n : size - 1;
        if (m > 0)
            memcpy(out, p, m);
        out[m] = '\0';
    }
    return n;
}
