/* The CSV writer: where quotes and apostrophes are needed. */
#include "client/cli/csv_out.h"

#include <limits.h>
#include <string.h>

#include "client/cli/csv_scan.h"

static size_t digits(const char *p, size_t at, size_t n)
{
    size_t from = at;
    while (at < n && p[at] >= '0' && p[at] <= '9') {
        at++;
    }
    return at - from;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point, and nothing else. */
static bool plain_number(const char *p, size_t n)
{
    size_t at = n && (p[0] == '+' || p[0] == '-');
    size_t whole = digits(p, at, n);
    at += whole;
    if (at < n && p[at] == '.') {
        size_t part = digits(p, ++at, n);
        at += part;
        whole += part;
    }
    if (whole == 0) {
        return false;
    }
    if (at < n && (p[at] == 'e' || p[at] == 'E')) {
        at++;
        at += at < n && (p[at] == '+' || p[at] == '-');
        size_t exponent = digits(p, at, n);
        if (exponent == 0) {
            return false;
        }
        at += exponent;
    }
    return at == n;
}

bool csv_looks_like_formula(const char *p, size_t n)
{
    static const bool begins_one[UCHAR_MAX + 1] = {
        ['='] = true, ['+'] = true, ['-'] = true, ['@'] = true, ['\t'] = true, ['\r'] = true
    };
    return n > 0 && begins_one[(unsigned char)p[0]] && !plain_number(p, n);
}

void csv_out_cell(struct slp_buf *b, bool first, bool guard, const char *p, size_t n)
{
    if (!first) {
        slp_buf_add(b, ",", 1);
    }
    if (!p) {
        return;
    }
    bool quotes = n == 0 || csv_ordinary(p, n) < n;
    if (quotes) {
        slp_buf_add(b, "\"", 1);
    }
    if (guard && csv_looks_like_formula(p, n)) {
        slp_buf_add(b, "'", 1);
    }
    if (!quotes) {
        slp_buf_add(b, p, n);
        return;
    }
    for (const char *end = p + n; p < end;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        const char *to = quote ? quote + 1 : end;
        slp_buf_add(b, p, (size_t)(to - p));
        if (quote) {
            slp_buf_add(b, "\"", 1);
        }
        p = to;
    }
    slp_buf_add(b, "\"", 1);
}

void csv_out_end(struct slp_buf *b)
{
    slp_buf_add(b, "\n", 1);
}
