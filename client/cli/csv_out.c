/* The CSV writer: where quotes and apostrophes are needed. */
#include "client/cli/csv_out.h"

#include <string.h>

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
    return n > 0 && p[0] != 0 && strchr("=+-@\t\r", p[0]) && !plain_number(p, n);
}

static bool needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r') {
            return true;
        }
    }
    return n == 0;
}

void csv_out_cell(struct slp_buf *b, bool first, bool guard, const char *p, size_t n)
{
    if (!first) {
        slp_buf_add(b, ",", 1);
    }
    if (!p) {
        return;
    }
    bool quotes = needs_quotes(p, n);
    if (quotes) {
        slp_buf_add(b, "\"", 1);
    }
    if (guard && csv_looks_like_formula(p, n)) {
        slp_buf_add(b, "'", 1);
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
    if (quotes) {
        slp_buf_add(b, "\"", 1);
    }
}

void csv_out_end(struct slp_buf *b)
{
    slp_buf_add(b, "\n", 1);
}
