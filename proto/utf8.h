/* Text that must be cut somewhere: not within a character. */
#ifndef SUNLINE_PROTO_UTF8_H
#define SUNLINE_PROTO_UTF8_H
#include "proto/reader.h"

/* The bytes of the longest beginning that is text. */
static inline size_t sl_utf8_cut(const char *p, size_t n)
{
    while (!sl_utf8_ok(p, n))
        n--;
    return n;
}
#endif
