/* Times, durations and safe printing. Times are UTC; those of shifts stand beside the time where they are worked. */
#include "client/cli/text.h"

#include <glib.h>
#include <string.h>
#include <time.h>

const char *text_time(int64_t wall_us, char buf[TEXT_TIME_BYTES])
{
    int64_t us = wall_us % 1000000;
    time_t s = (time_t)(wall_us / 1000000 - (us < 0));
    us += us < 0 ? 1000000 : 0;
    struct tm tm;
    char day[24]; /* up to the second, with room for a year that a broken clock made up */
    if (wall_us == 0 || !gmtime_r(&s, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        snprintf(buf, TEXT_TIME_BYTES, "-");
    } else {
        snprintf(buf, TEXT_TIME_BYTES, "%s.%03dZ", day, (int)(us / 1000));
    }
    return buf;
}

const char *text_zoned(int64_t wall_us, const char *zone, char buf[TEXT_ZONED_BYTES])
{
    GTimeZone *z = *zone ? g_time_zone_new_identifier(zone) : NULL;
    GDateTime *utc = wall_us ? g_date_time_new_from_unix_utc(wall_us / 1000000) : NULL;
    GDateTime *there = utc && z ? g_date_time_to_timezone(utc, z) : NULL;
    char *local = there ? g_date_time_format(there, "%a %Y-%m-%d %H:%M %:z") : NULL;
    bool same = there && g_date_time_get_day_of_month(there) == g_date_time_get_day_of_month(utc);
    char *in_utc = utc ? g_date_time_format(utc, same ? "%H:%M UTC" : "%Y-%m-%d %H:%M UTC") : NULL;
    if (local && in_utc)
        snprintf(buf, TEXT_ZONED_BYTES, "%s (%s)", local, in_utc);
    else
        snprintf(buf, TEXT_ZONED_BYTES, "%s", in_utc ? in_utc : "-");
    g_free(local);
    g_free(in_utc);
    if (there)
        g_date_time_unref(there);
    if (utc)
        g_date_time_unref(utc);
    if (z)
        g_time_zone_unref(z);
    return buf;
}

const char *text_duration(int64_t us, char buf[TEXT_TIME_BYTES])
{
    int64_t s = us / 1000000;
    if (us < 0) {
        snprintf(buf, TEXT_TIME_BYTES, "0ms");
    } else if (s < 1) {
        snprintf(buf, TEXT_TIME_BYTES, "%dms", (int)(us / 1000));
    } else if (s < 60) {
        snprintf(buf, TEXT_TIME_BYTES, "%d.%ds", (int)s, (int)(us / 100000 % 10));
    } else if (s < 3600) {
        snprintf(buf, TEXT_TIME_BYTES, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    } else if (s < 48 * 3600) {
        snprintf(buf, TEXT_TIME_BYTES, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60));
    } else {
        snprintf(buf, TEXT_TIME_BYTES, "%lldd%02dh", (long long)(s / 86400), (int)(s / 3600 % 24));
    }
    return buf;
}

const char *text_count(uint64_t n, char buf[TEXT_TIME_BYTES])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *to = buf;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = 0;
    return buf;
}

size_t text_columns(const char *p, size_t n)
{
    size_t columns = 0;
    for (const char *end = p + n; p < end;) {
        gunichar c = g_utf8_get_char_validated(p, end - p);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            columns++;
            p++;
            continue;
        }
        columns += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
        p += g_utf8_skip[(guchar)*p];
    }
    return columns;
}

void text_put(FILE *f, const char *p, size_t n)
{
    for (const char *end = p + n; p < end;) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f) {
            fputc(c == '\n' || c == '\t' || c == '\r' ? ' ' : '?', f);
            p++;
            continue;
        }
        gunichar u = g_utf8_get_char_validated(p, end - p);
        if (u == (gunichar)-1 || u == (gunichar)-2 || (u >= 0x80 && u < 0xa0)) { /* C1 controls too */
            fputc('?', f);
            p += u >= 0x80 && u < 0xa0 ? 2 : 1;
            continue;
        }
        const char *next = p + g_utf8_skip[(guchar)*p];
        fwrite(p, 1, (size_t)(next - p), f);
        p = next;
    }
}
