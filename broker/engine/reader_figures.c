/* What is measured of workers, stations and lines, as far as other records imply it: for a check.
 *
 * A record of REPUTE is under the first station of its line that has the name. Which that is, is worked out once for all stations, and kept for the check
 * that is under way. */
#include <stdlib.h>

#include "broker/engine/reader.h"
#include "broker/engine/standing.h"

/* ---- the station that figures are under ---- */

struct rd_names { /* of stations, as they come */
    struct named {
        uint32_t line, station;
        struct slp_bytes name;
    } * v;
    uint32_t slots;
};

static uint32_t home(const struct named *x, uint32_t slots)
{
    return store_crc32c(x->line, x->name.p, x->name.n) & (slots - 1);
}

/* The first one of that name in the line, which may be this one. */
static uint32_t first_of(struct rd_names *t, const struct named *x)
{
    uint32_t i = home(x, t->slots);
    for (; t->v[i].station; i = (i + 1) & (t->slots - 1))
        if (t->v[i].line == x->line && t->v[i].name.n == x->name.n && !memcmp(t->v[i].name.p, x->name.p, x->name.n))
            return t->v[i].station;
    t->v[i] = *x;
    return x->station;
}

void rd_station_keys_free(struct reader *r)
{
    free(r->station_key);
    r->station_key = NULL;
    r->station_keys = 0;
}

/* One that cannot be read: it may have been the first of its name, and so nothing is known of any. */
static bool read_keys(struct reader *r, struct rd_names *t, uint32_t n)
{
    for (uint32_t id = 1; id <= n; id++) {
        uint32_t line, version;
        uint16_t idx;
        const struct ld_line *lv = rd_station(r, id, &line, &version, &idx) ? rd_line(r, line, version) : NULL;
        if (!lv || idx >= lv->station_count)
            return false;
        struct named x = { line, id, { lv->stations[idx].name.p, lv->stations[idx].name.n } };
        r->station_key[id - 1] = first_of(t, &x);
    }
    return true;
}

/* How many stations to read: as many as there are, whatever the counter says. */
static uint32_t stations_held(struct reader *r)
{
    uint64_t held, commit;
    struct store_val v;
    enum store_rc rc = store_count(r->t, TABLE_STATION, &held, &commit);
    if (rc != STORE_OK && rc != STORE_CORRUPT)
        rd_walked(r, rc);
    if (rc != STORE_OK || !rd_get(r, TABLE_META, META_KEY, sizeof META_KEY - 1, &v) || v.n < META_STATION_AT + 4)
        return 0;
    uint32_t newest = get_u32((const uint8_t *)v.p + META_STATION_AT);
    return held < newest ? (uint32_t)held : newest;
}

/* Where one cannot be read, that is remembered; not where a read failed, which is asked for again. */
static void keys_load(struct reader *r, uint32_t n)
{
    uint32_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    rd_station_keys_free(r);
    struct rd_names t = { calloc(slots, sizeof *t.v), slots };
    r->station_key = calloc(n, sizeof *r->station_key);
    bool kept = t.v && r->station_key;
    if (!kept) {
        rd_walked(r, STORE_NO_MEMORY);
    } else if (!read_keys(r, &t, n)) {
        memset(r->station_key, 0, n * sizeof *r->station_key);
        kept = !r->rc || r->rc == STORE_CORRUPT;
    }
    r->station_keys = n;
    if (!kept)
        rd_station_keys_free(r);
    free(t.v);
}

uint32_t rd_station_key(struct reader *r, uint32_t station, uint32_t *looked)
{
    if (!station)
        return 0;
    if (station > r->station_keys) {
        uint32_t n = stations_held(r);
        if (station > n || n > 1u << 28)
            return 0;
        *looked += n;
        keys_load(r, n);
    }
    return r->rc ? 0 : r->station_key[station - 1];
}

/* ---- what is measured of a worker ---- */

/* CORRUPT: it cannot be read, which is told where it lies. */
static enum store_rc look(struct reader *r, uint32_t worker, uint32_t key, struct repute *p)
{
    uint8_t k[8];
    struct store_val v;
    key_u32(key_u32(k, worker), key);
    enum store_rc rc = rd_look(r, TABLE_REPUTE, k, sizeof k, &v);
    return rc == STORE_OK && !repute_decode(v, p) ? STORE_CORRUPT : rc;
}

bool rd_measured(struct reader *r, uint32_t worker, uint32_t key, uint32_t *looked)
{
    struct repute p;
    struct rd_measured_at *at = &r->measured[(worker * 31 + key) % RD_MEASURED];
    if (at->request == r->requests && at->worker == worker && at->key == key)
        return true;
    (*looked)++;
    enum store_rc rc = look(r, worker, key, &p);
    if (rc == STORE_NOT_FOUND || (rc == STORE_OK && !(p.windows >> MEASURE_ABANDONED & 1)))
        return false;
    *at = (struct rd_measured_at){ r->requests, worker, key };
    return true;
}

static bool count_gold(void *arg, const struct store_cursor *c)
{
    *(uint64_t *)arg += !c->val.n || *(const char *)c->val.p != 'u';
    return true;
}

/* How many control tasks he was handed there, but for those that he may get again. False: it cannot be told. */
static bool golds_of(struct reader *r, uint32_t worker, uint32_t key, uint64_t *golds, uint32_t *looked)
{
    uint8_t k[9];
    key_u32(key_u32(key_u8(k, 0), worker), key);
    *golds = 0;
    return rd_each(r, TABLE_GOLD, k, sizeof k, count_gold, golds, looked);
}

struct measured {
    uint16_t windows;
    bool bad;
};

static bool add_windows(void *arg, const struct store_cursor *c)
{
    struct measured *m = arg;
    struct repute p;
    if (c->key.n != 8 || !key_get_u32((const uint8_t *)c->key.p + 4)) /* over all */
        return true;
    m->bad = !repute_decode(c->val, &p);
    m->windows |= m->bad ? 0 : p.windows;
    return !m->bad;
}

/* The measures of which any of his stations has a window. False: it cannot be told. */
static bool windows_of(struct reader *r, uint32_t worker, uint16_t *windows, uint32_t *looked)
{
    struct measured m = { 0 };
    uint8_t k[4];
    key_u32(k, worker);
    bool told = rd_each(r, TABLE_REPUTE, k, sizeof k, add_windows, &m, looked);
    *windows = m.windows;
    return told && !m.bad;
}

/* Of so many things no more can be so. */
static bool sums_fit(const struct repute *p)
{
    static const uint8_t shares[] = { MEASURE_ABANDONED, MEASURE_AGREED, MEASURE_GOLD,  MEASURE_APPROVED,
                                      MEASURE_RETURNED,  MEASURE_WON,    MEASURE_BEATEN };
    for (size_t i = 0; i < sizeof shares; i++) {
        const struct window *w = &p->w[shares[i]];
        for (unsigned k = 0; p->windows >> shares[i] & 1 && k < w->parts; k++)
            if (w->part[k].sum > w->part[k].n)
                return false;
    }
    return true;
}

/* Of measures that stay once there is one: how well control tasks were answered begins anew at a station, and how fast he is is measured over all. */
#define STAY(windows) ((windows) & ~(1u << MEASURE_GOLD | 1u << MEASURE_PACE))

const char *rd_figures(struct reader *r, uint32_t worker, uint32_t key, struct store_val v, uint32_t *looked)
{
    struct repute p, all;
    uint16_t windows;
    uint64_t golds;
    if (!repute_decode(v, &p))
        return "figures that cannot be read";
    if (!sums_fit(&p))
        return "more things that are so than things";
    if (p.golds > p.handed)
        return "more control tasks than assignments";
    if (key) {
        if (golds_of(r, worker, key, &golds, looked) && golds != p.golds)
            return "other control tasks than GOLD tells of";
        (*looked)++;
        enum store_rc rc = p.windows ? look(r, worker, 0, &all) : STORE_CORRUPT;
        if (rc == STORE_NOT_FOUND || (rc == STORE_OK && STAY(p.windows & ~all.windows)))
            return "what is measured over all stations, where it is not";
    } else if (windows_of(r, worker, &windows, looked) && STAY(p.windows & ~windows)) {
        return "what is measured at his stations, where it is not";
    }
    return NULL;
}
