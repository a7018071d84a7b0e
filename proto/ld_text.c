/* Words and numbers as people write them: decimals, durations, money, quoting for messages, likeness. Calendar and addresses: ld_forms.c */
#include "proto/ld_text.h"

#include <assert.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "proto/reader.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ld_decimal(const char *p, uint32_t n, struct ld_decimal *d)
{
    *d = (struct ld_decimal){ 0 };
    if (n == 0 || n > LD_DECIMAL_BYTES_MAX)
        return false;
    const char *end = p + n;
    if (*p == '+' || *p == '-')
        d->negative = *p++ == '-';
    d->whole = p;
    while (p < end && digit(*p))
        p++;
    d->whole_n = (uint32_t)(p - d->whole);
    if (p < end && *p == '.') {
        d->part = ++p;
        while (p < end && digit(*p))
            p++;
        d->part_n = (uint32_t)(p - d->part);
    }
    if (d->whole_n + d->part_n == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool minus = p < end && *p == '-';
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p == end || end - p > 4)
            return false;
        for (; p < end && digit(*p); p++)
            d->exponent = d->exponent * 10 + (*p - '0');
        if (minus)
            d->exponent = -d->exponent;
    }
    return p == end;
}

static int decimal_digit(const struct ld_decimal *d, uint32_t i)
{
    if (i < d->whole_n)
        return d->whole[i] - '0';
    return i - d->whole_n < d->part_n ? d->part[i - d->whole_n] - '0' : 0;
}

/* Index of the first digit that is not 0; UINT32_MAX: the number is zero. */
static uint32_t decimal_first(const struct ld_decimal *d)
{
    for (uint32_t i = 0; i < d->whole_n + d->part_n; i++)
        if (decimal_digit(d, i) != 0)
            return i;
    return UINT32_MAX;
}

int ld_decimal_compare(const struct ld_decimal *a, const struct ld_decimal *b)
{
    uint32_t i = decimal_first(a), j = decimal_first(b);
    int sign_a = i == UINT32_MAX ? 0 : a->negative ? -1 : 1;
    int sign_b = j == UINT32_MAX ? 0 : b->negative ? -1 : 1;
    if (sign_a != sign_b || sign_a == 0)
        return sign_a < sign_b ? -1 : sign_a > sign_b;
    /* The power of ten of the first digit decides, then digit by digit. */
    int64_t power_a = (int64_t)a->whole_n - i + a->exponent, power_b = (int64_t)b->whole_n - j + b->exponent;
    if (power_a != power_b)
        return power_a < power_b ? -sign_a : sign_a;
    uint32_t end_a = a->whole_n + a->part_n, end_b = b->whole_n + b->part_n;
    for (; i < end_a || j < end_b; i++, j++) {
        int x = decimal_digit(a, i), y = decimal_digit(b, j);
        if (x != y)
            return x < y ? -sign_a : sign_a;
    }
    return 0;
}

double ld_decimal_double(const char *p, uint32_t n)
{
    /* strtod follows the process's locale; a file must mean the same under every one. glibc's "C" locale object is static, so this
     * neither allocates nor fails; it is the same object each time, so there is nothing to keep. */
    char text[LD_DECIMAL_BYTES_MAX + 1];
    assert(n <= LD_DECIMAL_BYTES_MAX);
    memcpy(text, p, n);
    text[n] = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(c != (locale_t)0);
    double v = strtod_l(text, NULL, c);
    freelocale(c);
    return v;
}

int ld_duration(const char *p, uint32_t n, int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {
        { "", 1000000 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 },
    };
    const int64_t most_us = 100000 * 86400000000;
    uint32_t i = 0;
    int64_t v = 0;
    for (; i < n && digit(p[i]); i++) {
        if (v > most_us)
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    if (i == 0)
        return -1;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        if (strlen(units[u].unit) == n - i && memcmp(units[u].unit, p + i, n - i) == 0) {
            if (v > most_us / units[u].us)
                return -1;
            *us = v * units[u].us;
            return 0;
        }
    return -1;
}

int ld_money(const char *p, uint32_t n, int64_t *micros)
{
    int64_t v = 0;
    uint32_t i = 0, decimals = 0;
    bool too_much = false;
    for (; i < n && digit(p[i]); i++) {
        v = v * 10 + (p[i] - '0');
        if (v > SL_REWARD_MICROS_MAX / 1000000) {
            too_much = true;
            v = 0;
        }
    }
    if (i == 0)
        return -1;
    if (i < n && p[i] == '.') {
        for (i++; i < n && digit(p[i]); i++, decimals++)
            if (decimals < 6)
                v = v * 10 + (p[i] - '0');
        if (decimals == 0)
            return -1;
    }
    if (i != n)
        return -1;
    if (decimals > 6)
        return -2;
    for (; decimals < 6; decimals++)
        v *= 10;
    if (too_much || v > SL_REWARD_MICROS_MAX)
        return -3;
    *micros = v;
    return 0;
}

int ld_money_double(double v, int64_t *micros)
{
    if (!(v >= 0))
        return -1;
    if (v > (double)SL_REWARD_MICROS_MAX / 1e6)
        return -3;
    int64_t m = (int64_t)(v * 1e6 + 0.5);
    if ((double)m / 1e6 != v) /* correctly rounded: equal exactly for the double nearest to m millionths */
        return -2;
    *micros = m;
    return 0;
}

const char *ld_quote(char buf[LD_QUOTE_BYTES], struct slp_bytes s)
{
    static const char hex[] = "0123456789abcdef";
    bool cut = s.n > 64;
    uint32_t n = cut ? 64 : s.n;
    while (cut && n > 60 && ((unsigned char)s.p[n] & 0xc0) == 0x80) /* not in the middle of a character */
        n--;
    bool utf8 = sl_utf8_ok(s.p, n);
    char *o = buf;
    for (uint32_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool c1 =
            utf8 && c == 0xc2 && i + 1 < n && (unsigned char)s.p[i + 1] < 0xa0; /* control characters above ASCII */
        if (c == '\n') {
            *o++ = '\\', *o++ = 'n';
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) || c1) {
            if (c1)
                c = (unsigned char)s.p[++i];
            *o++ = '\\', *o++ = 'x', *o++ = hex[c >> 4], *o++ = hex[c & 15];
        } else {
            *o++ = (char)c;
        }
    }
    if (cut)
        o = (char *)memcpy(o, "...", 3) + 3;
    *o = 0;
    assert(o < buf + LD_QUOTE_BYTES);
    return buf;
}

uint32_t ld_edits(struct slp_bytes a, struct slp_bytes b, uint32_t max)
{
    enum { MOST = SL_NAME_BYTES_MAX * 2 + 1 };
    if (a.n > MOST || b.n > MOST || (a.n > b.n ? a.n - b.n : b.n - a.n) > max)
        return max + 1;
    /* Only cells within `max` of the diagonal can count: a hostile definition must not buy a whole table with each of its names. */
    uint32_t rows[3][MOST + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    for (uint32_t j = 0; j <= b.n; j++)
        before[j] = last[j] = j;
    for (uint32_t i = 1; i <= a.n; i++) {
        uint32_t from = i > max ? i - max : 1, to = i + max < b.n ? i + max : b.n, least = i;
        now[from - 1] = from == 1 ? i : max + 1;
        for (uint32_t j = from; j <= to; j++) {
            uint32_t v = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            if (j < i + max && last[j] + 1 < v)
                v = last[j] + 1;
            if (now[j - 1] + 1 < v)
                v = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < v)
                v = before[j - 2] + 1;
            now[j] = v;
            least = v < least ? v : least;
        }
        if (least > max && i > max)
            return max + 1;
        uint32_t *free_row = before;
        before = last, last = now, now = free_row;
    }
    return last[b.n] > max ? max + 1 : last[b.n];
}

uint32_t ld_likeness(struct slp_bytes written, struct slp_bytes b)
{
    uint32_t shorter = written.n < b.n ? written.n : b.n;
    uint32_t max = shorter <= 2 ? 1 : shorter <= 5 ? 2 : 3;
    if (max >= shorter) /* would change every letter: that is no likeness */
        max = shorter ? shorter - 1 : 0;
    uint32_t edits = ld_edits(written, b, max);
    return edits > max ? UINT32_MAX : edits;
}
