/* The order of stations: who comes after whom, cycles, topological order, depth, ancestors. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/ld_int.h"

static bool bit(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *set, uint32_t i)
{
    set[i / 64] |= 1ull << (i % 64);
}

/* Juries have no names in a file. */
static int station_find(const struct ld_line *l, struct slp_bytes name)
{
    for (uint32_t i = 0; i < l->station_count; i++)
        if (l->stations[i].type != LD_JURY && ld_same(l->stations[i].name, name))
            return (int)i;
    return -1;
}

/* One name in an `after` list: its station, -1 after a problem. */
static int upstream(struct ld_build *b, uint32_t station, struct ld_item item)
{
    struct ld_line *l = b->line;
    int up = station_find(l, item.text);
    if (up == (int)station || (up >= 0 && ld_giver(l, station) == (uint32_t)up)) {
        ld_problem(b, item.at, "station '%s' names itself in 'after'", LD_Q(item.text));
        return -1;
    }
    if (up < 0) {
        struct ld_guess guess;
        ld_guess_begin(&guess, item.text);
        for (uint32_t i = 0; i < b->named; i++)
            if (i != station && l->stations[i].name.n)
                ld_guess_offer(&guess, l->stations[i].name);
        ld_problem(b, item.at, "'after' names '%s', but there is no such station%s", LD_Q(item.text),
                   ld_guess_end(&guess));
        return -1;
    }
    return (int)ld_giver(l, (uint32_t)up);
}

static void read_after(struct ld_build *b, uint32_t station, uint64_t set[SL_LINE_STATIONS_MAX / 64])
{
    struct ld_draft *d = &b->drafts[station];
    if (b->line->stations[station].type == LD_JURY)
        bit_set(set, b->line->stations[station].partner);
    else if (!d->has_after && station > 0)
        bit_set(set, ld_giver(b->line, station - 1));
    for (uint32_t k = 0; k < d->after_count; k++) {
        b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].after[%u]", station, k);
        int up = upstream(b, station, d->after[k]);
        if (up < 0)
            b->graph_broken = true;
        else if (bit(set, (uint32_t)up))
            ld_problem(b, d->after[k].at, "'after' names '%s' twice", LD_Q(d->after[k].text));
        else
            bit_set(set, (uint32_t)up);
    }
    b->path_n = 0;
}

/* Write bit sets of stations as ascending lists of indexes. */
static uint16_t *list_of(struct ld_build *b, const uint64_t *set, uint32_t *count)
{
    uint32_t n = 0;
    uint16_t *list = ld_get(&b->keep, b->line->station_count, sizeof *list);
    for (uint32_t i = 0; list && i < b->line->station_count; i++)
        if (bit(set, i))
            list[n++] = (uint16_t)i;
    *count = list ? n : 0;
    return list;
}

typedef uint64_t station_set[SL_LINE_STATIONS_MAX / 64];

/* Report one cycle among the stations that are not in `gone`, given one of which every upstream walk stays inside; its members are put into
 * `gone`. Every station left has an upstream station that is left, too, so walking upstream must come round. */
static void report_cycle(struct ld_build *b, const station_set *ups, uint64_t *gone, uint32_t from)
{
    struct ld_line *l = b->line;
    uint32_t way[SL_LINE_STATIONS_MAX] = { 0 }, way_n = 0, n = l->station_count, at = from;
    station_set seen = { 0 };
    while (!bit(seen, at)) {
        bit_set(seen, at);
        way[way_n++] = at;
        for (uint32_t i = 0; i < n; i++)
            if (bit(ups[at], i) && !bit(gone, i)) {
                at = i;
                break;
            }
    }
    uint32_t first = 0; /* the cycle is way[first..way_n), upstream-wards */
    while (way[first] != at)
        first++;
    uint32_t top = first; /* begin with its first station in the file */
    for (uint32_t i = first; i < way_n; i++) {
        bit_set(gone, way[i]);
        if (way[i] < way[top])
            top = i;
    }
    uint32_t length = way_n - first;
    char text[400];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", LD_Q(l->stations[way[top]].name));
    for (uint32_t k = 1; k <= length; k++) { /* downstream-wards is backwards on the way */
        const struct ld_station *s = &l->stations[way[first + (top - first + length - k) % length]];
        if (s->type == LD_JURY) /* its tournament is told */
            continue;
        if (used + s->name.n + 100 > sizeof text && k < length) {
            snprintf(text + used, sizeof text - used, " -> ... (%u stations) -> %s", length,
                     LD_Q(l->stations[way[top]].name));
            break;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", LD_Q(s->name));
    }
    /* The edge to blame leads upwards in the file: the top station's `after`, which names the cycle's last one. */
    uint32_t last = way[first + (top - first + 1) % length];
    struct ld_draft *d = &b->drafts[way[top]];
    for (uint32_t k = 0; k < d->after_count; k++)
        if (ld_same(d->after[k].text, ld_given_name(l, last))) {
            char path[64];
            snprintf(path, sizeof path, "stations[%u].after[%u]", way[top], k);
            ld_problem_on(b, d->after[k].at, path, "'after' makes a cycle: %s", text);
            return;
        }
    assert(false); /* the top station's upstream is further down the file: only an `after` can have named it */
}

/* Kahn's order, always taking the first station in the file that is ready. */
static void sort_stations(struct ld_build *b, const station_set *ups)
{
    struct ld_line *l = b->line;
    uint32_t n = l->station_count, done = 0;
    station_set gone = { 0 };
    while (done < n) {
        uint32_t next = n, left = n;
        for (uint32_t i = n; i-- > 0;) {
            if (bit(gone, i))
                continue;
            left = i;
            bool ready = true;
            for (uint32_t w = 0; w < SL_LINE_STATIONS_MAX / 64; w++)
                ready = ready && !(ups[i][w] & ~gone[w]);
            if (ready)
                next = i;
        }
        if (left == n) /* the rest went with cycles */
            return;
        if (next == n) {
            report_cycle(b, ups, gone, left);
            b->graph_broken = true;
            continue;
        }
        bit_set(gone, next);
        l->order[done++] = (uint16_t)next;
    }
}

static uint32_t bits_in(const uint64_t *set)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < SL_LINE_STATIONS_MAX / 64; w++)
        n += (uint32_t)__builtin_popcountll(set[w]);
    return n;
}

/* Where a review comes after a station, that station's other successors wait for it, as if they named it in `after`; and so on for what reviews the
 * review. That makes no cycle: what a review comes after is one station, which its other successors come after, too. */
static void wait_for_reviews(const struct ld_line *l, station_set *ups)
{
    for (bool more = true; more;) {
        more = false;
        for (uint32_t v = 0; v < l->station_count; v++) {
            if (l->stations[v].type != LD_IMPROVE || bits_in(ups[v]) != 1)
                continue;
            for (uint32_t i = 0; i < l->station_count; i++) {
                bool with = false;
                for (uint32_t w = 0; w < SL_LINE_STATIONS_MAX / 64; w++)
                    with = with || (ups[i][w] & ups[v][w]);
                if (i == v || !with || l->stations[i].type == LD_IMPROVE || bit(ups[i], v))
                    continue;
                bit_set(ups[i], v);
                more = true;
            }
        }
    }
}

static void make_lists(struct ld_build *b, const station_set *ups, station_set *downs)
{
    struct ld_line *l = b->line;
    uint32_t n = l->station_count;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            if (bit(ups[i], j))
                bit_set(downs[j], i);
    for (uint32_t i = 0; i < n; i++) {
        l->stations[i].after = list_of(b, ups[i], &l->stations[i].after_count);
        l->stations[i].next = list_of(b, downs[i], &l->stations[i].next_count);
    }
}

void ld_graph(struct ld_build *b)
{
    struct ld_line *l = b->line;
    uint32_t n = l->station_count;
    station_set *ups = ld_get(&b->temp, n, sizeof *ups), *downs = ld_get(&b->temp, n, sizeof *downs);
    l->order = ld_get(&b->keep, n, sizeof *l->order);
    if (ld_memory_out(b))
        return;
    for (uint32_t i = 0; i < n; i++)
        read_after(b, i, ups[i]);
    sort_stations(b, (const station_set *)ups);
    if (!b->graph_broken) { /* once more with those that are not written */
        wait_for_reviews(l, ups);
        sort_stations(b, (const station_set *)ups);
    }
    make_lists(b, (const station_set *)ups, downs);
    if (b->graph_broken || ld_memory_out(b))
        return;
    for (uint32_t k = 0; k < n; k++) {
        struct ld_station *s = &l->stations[l->order[k]];
        uint64_t *mine = b->drafts[l->order[k]].ancestors;
        for (uint32_t a = 0; a < s->after_count; a++) {
            uint32_t up = s->after[a];
            bit_set(mine, up);
            for (uint32_t w = 0; w < SL_LINE_STATIONS_MAX / 64; w++)
                mine[w] |= b->drafts[up].ancestors[w];
            if (l->stations[up].depth + 1 > s->depth)
                s->depth = l->stations[up].depth + 1;
        }
    }
}
