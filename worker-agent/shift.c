#include "worker-agent/shift.h"
#include "worker-agent/glib_memory.h"
#include "worker-agent/zone_file.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_S 86400ll
#define ZONE_PATH_MAX 4096
#define ZONE_FILE_MAX (64 * 1024) /* the longest of the database has 4 KB */
#define OFFSET_S_MAX                                                                                                   \
    (26 * 3600ll) /* no zone was ever further from UTC: a local time is at most so far from its moment */

/* ---------------------------------------------------------------- dates */
/* Howard Hinnant's days_from_civil: eras of 400 years, years that begin in March. */
int64_t shift_day_of(int year, unsigned month, unsigned day_of_month)
{
    int64_t y = (int64_t)year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400, day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day_of_month - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void shift_date_of(int64_t day, int *year, unsigned *month, unsigned *day_of_month)
{
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *day_of_month = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ---------------------------------------------------------------- zones */
/* A file of the database below its folder, and of the usual kind: GLib would also take rules ("+05:45", "CST6CDT,M3.2.0,M11.1.0"), paths, and zones that count
 * leap seconds ("right/..."). */
static const char *database(void)
{
    const char *folder = getenv("TZDIR");
    return folder ? folder : "/usr/share/zoneinfo";
}

static bool path_of(const char *name, char path[static ZONE_PATH_MAX])
{
    int n = snprintf(path, ZONE_PATH_MAX, "%s/%s", database(), name);
    return n > 0 && n < ZONE_PATH_MAX;
}

bool shift_zone_known(const char *name)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    char path[ZONE_PATH_MAX];
    struct stat st;
    if (strcmp(name, "UTC") == 0)
        return true;
    if (!*name || *name == '/' || name[strspn(name, good)] || strncmp(name, "right/", 6) == 0 ||
        strncmp(name, "posix/", 6) == 0 || strstr(name, "//") || !path_of(name, path))
        return false;
    return stat(path, &st) == 0 ? S_ISREG(st.st_mode) : errno != ENOENT && errno != ENOTDIR;
}

/* Of UTC GLib asks no file. */
static bool readable(const char *name)
{
    char path[ZONE_PATH_MAX], bytes[ZONE_FILE_MAX];
    if (strcmp(name, "UTC") == 0)
        return true;
    FILE *f = path_of(name, path) ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    size_t n = fread(bytes, 1, sizeof bytes, f);
    bool whole = !ferror(f) && n < sizeof bytes && zone_file_whole(bytes, n);
    fclose(f);
    return whole;
}

struct shift_zone *shift_zone_open(const char *name)
{
    if (!shift_zone_known(name) || !readable(name))
        return NULL;
    glib_memory_begin();
    GTimeZone *z = g_time_zone_new_identifier(name);
    glib_memory_end();
    return (struct shift_zone *)z;
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

bool shift_zone_like(const char *name, char *to, size_t size)
{
    char path[ZONE_PATH_MAX], row[512], zone[128];
    bool found = false;
    FILE *f = path_of("zone.tab", path) ? fopen(path, "re") : NULL; /* rows: country, place, zone, words */
    while (f && !found && fgets(row, sizeof row, f))
        if (row[0] != '#' && sscanf(row, "%*s %*s %127s", zone) == 1)
            found = g_ascii_strcasecmp(name, zone) == 0 || g_ascii_strcasecmp(last_part(name), last_part(zone)) == 0;
    if (f)
        fclose(f);
    if (found)
        snprintf(to, size, "%s", zone);
    return found;
}

void shift_zone_close(struct shift_zone **z)
{
    if (*z)
        g_time_zone_unref((GTimeZone *)*z);
    *z = NULL;
}

static int interval_at(GTimeZone *z, int64_t utc_s)
{
    return g_time_zone_find_interval(z, G_TIME_TYPE_UNIVERSAL, utc_s);
}

/* The first moment at which the wall clock shows local_s or later. Within an interval of the zone the wall clock runs as UTC does, so the moment is
 * found in the first interval that reaches local_s, or is that interval's beginning. */
static int64_t moment_of(GTimeZone *z, int64_t local_s)
{
    int64_t at = local_s - OFFSET_S_MAX;
    for (;;) {
        int i = interval_at(z, at);
        int64_t shown = local_s - g_time_zone_get_offset(z, i); /* when this interval would show it */
        if (shown <= at)
            return at;
        if (interval_at(z, shown) == i)
            return shown;
        int64_t inside = at, next = shown; /* where the interval ends: between these */
        while (next - inside > 1) {
            int64_t mid = inside + (next - inside) / 2;
            *(interval_at(z, mid) == i ? &inside : &next) = mid;
        }
        at = next;
    }
}

static int64_t local_day(GTimeZone *z, int64_t utc_us)
{
    int64_t s = floor_div(utc_us, 1000000);
    return floor_div(s + g_time_zone_get_offset(z, interval_at(z, s)), DAY_S);
}

/* ---------------------------------------------------------------- what a day has */
static const struct shift_day *week_of(const struct shift *s, int64_t day)
{
    for (uint32_t i = 0; i < s->off_count; i++)
        if (s->off[i].first_day <= day && day <= s->off[i].last_day)
            return NULL;
    const struct shift_week *w = NULL;
    for (uint32_t i = 0; i < s->week_count && s->week[i].from_day <= day; i++)
        w = &s->week[i];
    return w ? &w->day[shift_weekday(day)] : NULL;
}

/* The spans that begin on this day, in order; returns how many, at most 2 * SHIFT_SPANS_DAY_MAX. */
static uint32_t spans_of(const struct shift *s, int64_t day, struct shift_span *v)
{
    uint32_t n = 0;
    const struct shift_day *week = week_of(s, day);
    for (uint32_t i = 0; week && i < week->count; i++)
        v[n++] = week->span[i];
    for (uint32_t i = 0; i < s->extra_count; i++)
        for (uint32_t k = 0; s->extra[i].day == day && k < s->extra[i].spans.count; k++)
            v[n++] = s->extra[i].spans.span[k];
    for (uint32_t i = 1; i < n; i++) { /* few: by insertion */
        struct shift_span x = v[i];
        uint32_t at = i;
        for (; at > 0 && v[at - 1].first > x.first; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
    return n;
}

int shift_utc(const struct shift *s, const struct shift_zone *zone, int64_t from_us, int64_t until_us,
              struct shift_time *v, int max)
{
    GTimeZone *z = g_time_zone_ref((GTimeZone *)(uintptr_t)zone); /* GLib's functions take no const */
    int n = 0;
    int64_t last = local_day(z, until_us) + 1;
    for (int64_t day = local_day(z, from_us) - 2; day <= last;
         day++) { /* a span may go on for a day, and clocks change by one */
        struct shift_span span[2 * SHIFT_SPANS_DAY_MAX];
        uint32_t count = spans_of(s, day, span);
        for (uint32_t i = 0; i < count; i++) {
            int64_t first = moment_of(z, day * DAY_S + span[i].first * 60) * 1000000;
            int64_t end = moment_of(z, day * DAY_S + span[i].end * 60) * 1000000;
            if (first >= end || end <= from_us || first >= until_us)
                continue;
            if (n > 0 && v[n - 1].end_us >= first) {
                if (v[n - 1].end_us < end)
                    v[n - 1].end_us = end;
            } else if (n < max) {
                v[n++] = (struct shift_time){ first, end };
            }
        }
    }
    g_time_zone_unref(z);
    return n;
}

int shift_days(const struct shift_zone *zone, int64_t from_us, int64_t until_us, int64_t *v, int max)
{
    GTimeZone *z = g_time_zone_ref((GTimeZone *)(uintptr_t)zone);
    int n = 0;
    for (int64_t day = local_day(z, from_us); n < max; day++) {
        int64_t at = moment_of(z, day * DAY_S) * 1000000;
        if (at >= until_us)
            break;
        if (n == 0 || at > v[n - 1])
            v[n++] = at;
    }
    g_time_zone_unref(z);
    return n;
}

/* ---------------------------------------------------------------- overlaps */
static void clock_text(char *to, size_t size, unsigned minute)
{
    snprintf(to, size, "%02u:%02u", minute / 60 % 24, minute % 60);
}

static bool days_overlap(const struct shift *s, int64_t first, int64_t last, int64_t *day, char *text, size_t size)
{
    struct shift_span span[2 * SHIFT_SPANS_DAY_MAX], was = { 0, 0 };
    int64_t until = INT64_MIN; /* local minute at which the one before ends */
    for (int64_t d = first; d <= last; d++) {
        uint32_t count = spans_of(s, d, span);
        for (uint32_t i = 0; i < count; i++) {
            if (d * SHIFT_DAY_MINUTES + span[i].first < until) {
                char a[2][8], b[2][8];
                clock_text(a[0], sizeof a[0], was.first);
                clock_text(a[1], sizeof a[1], was.end);
                clock_text(b[0], sizeof b[0], span[i].first);
                clock_text(b[1], sizeof b[1], span[i].end);
                *day = d;
                snprintf(text, size, "%s-%s and %s-%s", a[0], a[1], b[0], b[1]);
                return true;
            }
            until = d * SHIFT_DAY_MINUTES + span[i].end;
            was = span[i];
        }
    }
    return false;
}

/* Around each day where something is special, and for one ordinary week (and a day) of each pattern. */
bool shift_overlaps(const struct shift *s, int64_t *day, char *text, size_t size)
{
    struct shift bare = *s;
    bare.off_count = bare.extra_count = 0;
    for (uint32_t i = 0; i < s->week_count; i++) {
        struct shift_week alone = s->week[i]; /* in force for ever: what it does to itself */
        alone.from_day = INT64_MIN;
        bare.week = &alone;
        bare.week_count = 1;
        if (days_overlap(&bare, 4, 4 + 7, day, text, size)) /* 1970-01-05 was a Monday */
            return true;
        if (i > 0 && days_overlap(s, s->week[i].from_day - 1, s->week[i].from_day, day, text, size))
            return true;
    }
    for (uint32_t i = 0; i < s->extra_count; i++)
        if (days_overlap(s, s->extra[i].day - 1, s->extra[i].day + 1, day, text, size))
            return true;
    return false;
}
