#include "worker-agent/rota.h"
#include "worker-agent/glib_memory.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US 86400000000ll

static int64_t today_us(int64_t wall_us)
{
    return wall_us / DAY_US * DAY_US;
}

/* -1: its zone cannot be read now. */
static int times_of(const struct hub_shift *s, int64_t wall_us, struct shift_time *v)
{
    struct shift_zone *z = shift_zone_open(s->zone);
    if (!z)
        return -1;
    int n = shift_utc(&s->shift, z, today_us(wall_us), today_us(wall_us) + (ROTA_DAYS + 1) * DAY_US, v,
                      SL_SHIFT_TIMES_MAX / 2);
    shift_zone_close(&z);
    return n;
}

static bool pack_shift(struct slp_buf *b, const struct hub_shift *s, int64_t wall_us, const char **unread)
{
    struct shift_time v[SL_SHIFT_TIMES_MAX / 2];
    struct slp_buf times = { 0 };
    int n = times_of(s, wall_us, v);
    if (n < 0) {
        *unread = s->zone;
        return false;
    }
    for (int i = 0; i < n; i++) {
        slp_pack_u64(&times, (uint64_t)v[i].first_us);
        slp_pack_u64(&times, (uint64_t)v[i].end_us);
    }
    struct slp_item_shift_def d = { .name = { s->name, (uint32_t)strlen(s->name) },
                                    .zone = { s->zone, (uint32_t)strlen(s->zone) },
                                    .text = { s->text, (uint32_t)strlen(s->text) },
                                    .overtime_us = (uint64_t)s->shift.overtime_us,
                                    .times = { times.p, (uint32_t)times.n, (uint32_t)n * 2 } };
    bool ok = !times.failed; /* else it has fewer bytes than it says */
    if (ok)
        slp_pack_item(b, SLP_ITEM_shift_def, &d);
    ok = ok && !b->failed;
    slp_buf_free(&times);
    return ok;
}

/* The days of a zone, packed once however many shifts are in it: the hub's own first. */
static bool pack_zone(struct core_shifts *rota, const struct hub_config *c, uint32_t i, int64_t wall_us,
                      const char **unread)
{
    const char *name = i ? c->shifts[i - 1]->zone : c->zone;
    bool told = i && strcmp(name, c->zone) == 0;
    for (uint32_t k = 0; k + 1 < i && !told; k++)
        told = strcmp(c->shifts[k]->zone, name) == 0;
    if (told)
        return true;
    struct shift_zone *z = shift_zone_open(name);
    if (!z) {
        *unread = name;
        return false;
    }
    int64_t v[SL_ZONE_DAYS_MAX];
    struct slp_buf days = { 0 };
    int n = shift_days(z, today_us(wall_us), today_us(wall_us) + (ROTA_DAYS + 1) * DAY_US, v, SL_ZONE_DAYS_MAX);
    shift_zone_close(&z);
    for (int k = 0; k < n; k++)
        slp_pack_u64(&days, (uint64_t)v[k]);
    struct slp_item_zone_days d = { .zone = { name, (uint32_t)strlen(name) },
                                    .days = { days.p, (uint32_t)days.n, (uint32_t)n } };
    bool ok = !days.failed;
    if (ok)
        slp_pack_item(&rota->zones, SLP_ITEM_zone_days, &d);
    rota->zone_count++;
    ok = ok && !rota->zones.failed;
    slp_buf_free(&days);
    return ok;
}

int rota_make(const struct hub_config *c, int64_t wall_us, struct core_shifts *rota, const char **zone)
{
    *zone = NULL;
    *rota = (struct core_shifts){ .until_us = today_us(wall_us) + (ROTA_DAYS + 1) * DAY_US };
    GChecksum *sum = glib_sha256_new();
    struct shift_zone *held =
        shift_zone_open(c->zone); /* the database is read once for all that are in the hub's zone */
    rota->packed = calloc(c->shift_count + 1, sizeof *rota->packed);
    bool ok = rota->packed != NULL;
    g_checksum_update(sum, (const guchar *)&rota->until_us, sizeof rota->until_us);
    for (uint32_t i = 0; ok && i < c->shift_count; i++) {
        ok = pack_shift(&rota->packed[i], c->shifts[i], wall_us, zone);
        rota->count = i + 1;
        g_checksum_update(sum, (const guchar *)rota->packed[i].p, (gssize)rota->packed[i].n);
    }
    for (uint32_t i = 0; ok && i <= c->shift_count && rota->zone_count < SL_HUB_ZONES_MAX; i++)
        ok = pack_zone(rota, c, i, wall_us, zone);
    g_checksum_update(sum, (const guchar *)rota->zones.p, (gssize)rota->zones.n);
    gsize size = sizeof rota->digest;
    g_checksum_get_digest(sum, rota->digest, &size);
    g_checksum_free(sum);
    shift_zone_close(&held);
    if (!ok)
        rota_free(rota);
    return ok ? 0 : -1;
}

void rota_free(struct core_shifts *rota)
{
    for (uint32_t i = 0; i < rota->count; i++)
        slp_buf_free(&rota->packed[i]);
    free(rota->packed);
    slp_buf_free(&rota->zones);
    *rota = (struct core_shifts){ 0 };
}

static void moment_text(const struct hub_shift *s, int64_t us, char *to, size_t size)
{
    glib_memory_begin();
    GTimeZone *zone = g_time_zone_new_identifier(s->zone);
    GDateTime *utc = g_date_time_new_from_unix_utc(us / 1000000);
    GDateTime *local = zone && utc ? g_date_time_to_timezone(utc, zone) : NULL;
    char *a = local ? g_date_time_format(local, "%a %Y-%m-%d %H:%M") : NULL;
    char *b = utc ? g_date_time_format(utc, "%d %H:%M") : NULL;
    glib_memory_end();
    snprintf(to, size, "%s (%s UTC)", a ? a : "?", b ? b : "?");
    g_free(a);
    g_free(b);
    if (local)
        g_date_time_unref(local);
    if (utc)
        g_date_time_unref(utc);
    if (zone)
        g_time_zone_unref(zone);
}

bool rota_print(const struct hub_config *c, int64_t wall_us, void (*line)(void *arg, const char *text), void *arg)
{
    bool all = true;
    for (uint32_t i = 0; i < c->shift_count; i++) {
        const struct hub_shift *s = c->shifts[i];
        struct shift_time v[SL_SHIFT_TIMES_MAX / 2];
        char text[1024], from[64], to[64];
        int n = times_of(s, wall_us, v);
        uint32_t workers = 0;
        for (uint32_t k = 0; k < c->member_count; k++)
            workers += c->members[k].shift == s;
        snprintf(text, sizeof text, "shift %s, %s, %u %s: %s", s->name, s->zone, workers,
                 workers == 1 ? "worker" : "workers", s->text);
        line(arg, text);
        for (int k = 0; k < n; k++) {
            moment_text(s, v[k].first_us, from, sizeof from);
            moment_text(s, v[k].end_us, to, sizeof to);
            snprintf(text, sizeof text, "  %s to %s", from, to);
            line(arg, text);
        }
        all = all && n >= 0;
        if (n < 0)
            line(arg, "  its time zone cannot be read now");
        else if (n == 0)
            line(arg, "  nothing in the days ahead");
    }
    return all;
}
