/* The forms that typed texts must have: calendar, clock, addresses. Only the form is checked, never whether the thing exists. */
#include <string.h>

#include "proto/ld_text.h"

static bool digits(const char *p, uint32_t n, int *v)
{
    *v = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *v = *v * 10 + (p[i] - '0');
    }
    return true;
}

bool ld_is_date(const char *p, uint32_t n)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int y, m, d;
    if (n != 10 || p[4] != '-' || p[7] != '-' || !digits(p, 4, &y) || !digits(p + 5, 2, &m) || !digits(p + 8, 2, &d))
        return false;
    if (y < 1 || m < 1 || m > 12 || d < 1)
        return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return d <= days[m - 1] + (m == 2 && leap);
}

bool ld_is_time(const char *p, uint32_t n)
{
    int h, m, s = 0;
    if ((n != 5 && n != 8) || p[2] != ':' || !digits(p, 2, &h) || !digits(p + 3, 2, &m))
        return false;
    if (n == 8 && (p[5] != ':' || !digits(p + 6, 2, &s)))
        return false;
    return h < 24 && m < 60 && s < 60;
}

static bool is_offset(const char *p, uint32_t n) /* "", Z, +HH:MM, +HHMM, +HH */
{
    int h, m = 0;
    if (n == 0 || (n == 1 && (*p == 'Z' || *p == 'z')))
        return true;
    if ((*p != '+' && *p != '-') || n < 3 || !digits(p + 1, 2, &h))
        return false;
    if (n == 5 && !digits(p + 3, 2, &m))
        return false;
    if (n == 6 && (p[3] != ':' || !digits(p + 4, 2, &m)))
        return false;
    return (n == 3 || n == 5 || n == 6) && h < 24 && m < 60;
}

bool ld_is_datetime(const char *p, uint32_t n)
{
    if (n < 16 || !ld_is_date(p, 10) || (p[10] != 'T' && p[10] != 't' && p[10] != ' '))
        return false;
    p += 11, n -= 11;
    uint32_t clock = n >= 8 && p[5] == ':' ? 8 : 5;
    if (!ld_is_time(p, clock))
        return false;
    p += clock, n -= clock;
    if (clock == 8 && n > 0 && (*p == '.' || *p == ',')) {
        uint32_t i = 1;
        while (i < n && p[i] >= '0' && p[i] <= '9')
            i++;
        if (i == 1 || i > 10)
            return false;
        p += i, n -= i;
    }
    return is_offset(p, n);
}

static bool alnum_or_high(char c) /* bytes above ASCII: addresses in other scripts */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Labels of letters, digits and inner dashes, between single dots; at least `labels_min` of them. */
static bool is_host(const char *p, uint32_t n, uint32_t labels_min)
{
    uint32_t labels = 0, from = 0;
    if (n == 0 || n > 253)
        return false;
    for (uint32_t i = 0; i <= n; i++) {
        if (i < n && p[i] != '.') {
            if (!alnum_or_high(p[i]) && p[i] != '-')
                return false;
            continue;
        }
        if (i == from || i - from > 63 || p[from] == '-' || p[i - 1] == '-')
            return false;
        labels++;
        from = i + 1;
    }
    return labels >= labels_min;
}

bool ld_is_email(const char *p, uint32_t n)
{
    const char *at = memchr(p, '@', n);
    if (!at || n > 254)
        return false;
    uint32_t local = (uint32_t)(at - p);
    if (local == 0 || local > 64 || p[0] == '.' || at[-1] == '.')
        return false;
    for (uint32_t i = 0; i < local; i++)
        if ((p[i] == '.' && p[i + 1] == '.') || (!alnum_or_high(p[i]) && !memchr("!#$%&'*+-/=?^_`{|}~.", p[i], 20)))
            return false;
    return is_host(at + 1, n - local - 1, 2);
}

bool ld_is_url(const char *p, uint32_t n)
{
    uint32_t i = 0;
    for (; i < n && p[i] != ':'; i++)
        if ((unsigned char)p[i] >= 0x80 || (!alnum_or_high(p[i]) && (i == 0 || !memchr("+-.", p[i], 3))))
            return false;
    if (i == 0 || (p[0] >= '0' && p[0] <= '9') || n - i < 4 || memcmp(p + i, "://", 3) != 0)
        return false;
    if (memchr("/?#:@", p[i + 3], 5) && !(i == 4 && memcmp(p, "file", 4) == 0)) /* file:///path has no host */
        return false;
    for (i += 3; i < n; i++)
        if ((unsigned char)p[i] <= 0x20 || p[i] == 0x7f || memchr("<>\"`{}|\\^", p[i], 9))
            return false;
    return true;
}

bool ld_is_phone(const char *p, uint32_t n)
{
    uint32_t count = 0;
    if (n > 32)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (p[i] >= '0' && p[i] <= '9')
            count++;
        else if (!(p[i] == '+' && i == 0) && !memchr(" .-/()", p[i], 6))
            return false;
    }
    return count >= 3 && count <= 15;
}

uint32_t ld_chars(const char *p, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += ((unsigned char)p[i] & 0xc0) != 0x80;
    return count;
}
