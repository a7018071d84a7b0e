/* Building packed values: rows and line definitions. The packing itself is the codec's; this adds what a caller
 * needs to be told apart: how many values stand at the top level, whether containers are complete, and whether a
 * string is not UTF-8, or a number is none. */
#include <math.h>
#include <string.h>

#include "client/internal.h"
#include "proto/reader.h"

/* A struct slp_buf over the same memory, for the time of one packer. */
static struct slp_buf borrow(const struct sl_buf *b)
{
    return (struct slp_buf){ .p = b->p, .n = b->n, .cap = b->cap, .failed = b->failed };
}

static void give_back(struct sl_buf *b, const struct slp_buf *s)
{
    b->p = s->p;
    b->n = s->n;
    b->cap = s->cap;
    b->failed = s->failed;
}

/* Counts one value, which opens a container of `inside` more. */
static void count(struct sl_buf *b, uint64_t inside)
{
    if (b->pending > 0)
        b->pending--;
    else
        b->count++;
    b->pending += inside;
    if (inside > 0)
        b->nested = true;
}

#define PACK(b, call)                                                                                                  \
    do {                                                                                                               \
        struct slp_buf s_ = borrow(b);                                                                                 \
        struct slp_buf *s = &s_;                                                                                       \
        call;                                                                                                          \
        give_back((b), s);                                                                                             \
    } while (0)

void sl_buf_clear(struct sl_buf *b)
{
    *b = (struct sl_buf){ .p = b->p, .cap = b->cap };
}

void sl_buf_free(struct sl_buf *b)
{
    PACK(b, slp_buf_free(s));
    sl_buf_clear(b);
}

void sl_add_nil(struct sl_buf *b)
{
    count(b, 0);
    PACK(b, slp_pack_nil(s));
}

void sl_add_bool(struct sl_buf *b, bool v)
{
    count(b, 0);
    PACK(b, slp_pack_bool(s, v));
}

void sl_add_uint(struct sl_buf *b, uint64_t v)
{
    count(b, 0);
    PACK(b, slp_pack_u64(s, v));
}

void sl_add_int(struct sl_buf *b, int64_t v)
{
    count(b, 0);
    PACK(b, slp_pack_i64(s, v));
}

void sl_add_double(struct sl_buf *b, double v)
{
    count(b, 0);
    if (!isfinite(v)) { /* as a text that is not UTF-8, below: the wire has no such number */
        b->bad = true;
        PACK(b, slp_pack_nil(s));
        return;
    }
    PACK(b, slp_pack_double(s, v));
}

void sl_add_str(struct sl_buf *b, const char *p, size_t n)
{
    count(b, 0);
    if (n > UINT32_MAX || !sl_utf8_ok(p, n)) {
        b->bad = true; /* a nil takes its place, so that what follows stays countable */
        PACK(b, slp_pack_nil(s));
        return;
    }
    PACK(b, slp_pack_str(s, p, n));
}

void sl_add_cstr(struct sl_buf *b, const char *v)
{
    if (v)
        sl_add_str(b, v, strlen(v));
    else
        sl_add_nil(b);
}

void sl_add_array(struct sl_buf *b, uint32_t n)
{
    count(b, n);
    b->nested = true;
    PACK(b, slp_pack_array(s, n));
}

void sl_add_map(struct sl_buf *b, uint32_t n)
{
    count(b, 2ull * n);
    b->nested = true;
    PACK(b, slp_pack_map(s, n));
}
