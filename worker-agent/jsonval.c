#include "worker-agent/jsonval.h"
#include "proto/reader.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static json_t *read_value(struct slr *r, int depth);

static json_t *read_array(struct slr *r, uint32_t n, int depth)
{
    json_t *a = json_array();
    for (uint32_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, read_value(r, depth - 1)) != 0) { /* also when the element is NULL */
            json_decref(a);
            return NULL;
        }
    return a;
}

static json_t *read_map(struct slr *r, uint32_t n, int depth)
{
    json_t *o = json_object();
    for (uint32_t i = 0; o && i < n; i++) {
        struct slr_value key;
        char number[24];
        if (slr_next(r, &key) != 0 || (key.type != SLR_STR && key.type != SLR_U64)) {
            json_decref(o);
            return NULL;
        }
        const char *p = key.p;
        size_t size = key.n;
        if (key.type == SLR_U64) {
            size = (size_t)snprintf(number, sizeof number, "%" PRIu64, key.u64);
            p = number;
        }
        if (json_object_setn_new(o, p, size, read_value(r, depth - 1)) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static json_t *read_value(struct slr *r, int depth)
{
    struct slr_value v;
    if (depth < 0 || slr_next(r, &v) != 0)
        return NULL;
    switch (v.type) {
    case SLR_BOOL: return json_boolean(v.b);
    case SLR_U64: return v.u64 <= INT64_MAX ? json_integer((json_int_t)v.u64) : json_real((double)v.u64);
    case SLR_I64: return json_integer(v.i64);
    case SLR_DOUBLE: return isfinite(v.d) ? json_real(v.d) : json_null();
    case SLR_STR: return json_stringn(v.p, v.n);
    case SLR_ARRAY: return read_array(r, v.n, depth);
    case SLR_MAP: return read_map(r, v.n, depth);
    default: return json_null();
    }
}

json_t *json_of_packed(const char *p, size_t n)
{
    struct slr r = slr_on(p, n);
    return read_value(&r, SL_DEPTH_MAX);
}

static int pack(struct slp_buf *b, const json_t *v, int depth)
{
    switch (json_typeof(v)) {
    case JSON_NULL: slp_pack_nil(b); return 0;
    case JSON_TRUE: slp_pack_bool(b, true); return 0;
    case JSON_FALSE: slp_pack_bool(b, false); return 0;
    case JSON_INTEGER:
        if (json_integer_value(v) < 0)
            slp_pack_i64(b, json_integer_value(v));
        else
            slp_pack_u64(b, (uint64_t)json_integer_value(v));
        return 0;
    case JSON_REAL: slp_pack_double(b, json_real_value(v)); return 0;
    case JSON_STRING: slp_pack_str(b, json_string_value(v), json_string_length(v)); return 0;
    case JSON_ARRAY:
        if (depth == 0 || json_array_size(v) > SL_BATCH_ITEMS_MAX)
            return -1;
        slp_pack_array(b, (uint32_t)json_array_size(v));
        for (size_t i = 0; i < json_array_size(v); i++)
            if (pack(b, json_array_get(v, i), depth - 1) != 0)
                return -1;
        return 0;
    default: return -1;
    }
}

int json_pack_value(struct slp_buf *b, const json_t *v)
{
    return pack(b, v, 1);
}
