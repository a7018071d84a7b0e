/* The keys `require` and `window`: what must have been measured of those who are to work at a station. What can never be measured there is a
 * mistake here. */
#include <string.h>

#include "proto/ld_read.h"

#define AFTER_DEFAULT 10
#define WINDOW_WITHIN_MIN_US (3600ll * 1000000)

static const char *const of_words[] = { "station", "all" };
static const char *const newcomer_words[] = { "admit", "refuse" };

void ld_window(struct ld_build *b, struct slr r, struct ld_station *s)
{
    struct slr vals[LD_KEYS_MAX];
    s->window_last = LD_WINDOW_LAST;
    s->window_within_us = LD_WINDOW_WITHIN_US;
    if (!r.p)
        return;
    uint32_t was = ld_path_key(b, ld_str("window"));
    if (ld_take_map(b, &r, &ld_window_map, vals)) {
        s->window_last = (uint32_t)ld_take_count(b, vals[LD_WINDOW_KEY_LAST], "last", LD_WINDOW_LAST_MIN,
                                                 LD_WINDOW_LAST_MAX, LD_WINDOW_LAST);
        s->window_within_us = ld_take_duration(b, vals[LD_WINDOW_KEY_WITHIN], "within", WINDOW_WITHIN_MIN_US,
                                               3660ll * 86400 * 1000000, LD_WINDOW_WITHIN_US);
    }
    b->path_n = was;
}

/* ">= 0.9", "< 5m": a comparison and a share or, of times, a duration. */
static bool take_bound(struct ld_build *b, struct slr r, const char *key, struct ld_bound *out)
{
    struct slp_bytes s = ld_take_text(r);
    uint32_t i = 0;
    int64_t micros = 0;
    bool less = s.n && s.p[0] == '<', good = s.n && (s.p[0] == '<' || s.p[0] == '>');
    out->less = less;
    out->equal = good && s.n > 1 && s.p[1] == '=';
    for (i = good ? 1u + out->equal : 0; i < s.n && s.p[i] == ' ';)
        i++;
    good = good && i < s.n;
    if (ld_measures_time(out->measure))
        good = good && ld_duration(s.p + i, s.n - i, &micros) == 0 && micros > 0 && micros <= SL_LEASE_US_MAX;
    else
        good = good && ld_money(s.p + i, s.n - i, &micros) == 0 && micros <= 1000000;
    out->micros = (uint64_t)micros;
    if (!good && ld_measures_time(out->measure)) {
        uint32_t was = ld_path_key(b, ld_str(key));
        ld_problem(b, r.p,
                   "'%s' is '%s', but must be a comparison with a time, such as \"< 5m\": one of >= <= > <, then a "
                   "duration up to 30d",
                   key, LD_Q(s));
        b->path_n = was;
    } else if (!good) {
        uint32_t was = ld_path_key(b, ld_str(key));
        ld_problem(
            b, r.p,
            "'%s' is '%s', but must be a comparison with a share, such as \">= 0.9\": one of >= <= > <, then 0 to 1",
            key, LD_Q(s));
        b->path_n = was;
    }
    return good;
}

void ld_require(struct ld_build *b, struct slr r, struct ld_station *s)
{
    static const struct {
        int key;
        const char *name;
        enum ld_measure m;
    } measures[] = {
        { LD_REQUIRE_APPROVAL, "approval", LD_APPROVAL },
        { LD_REQUIRE_RETURNED, "returned", LD_RETURNED },
        { LD_REQUIRE_GOLD, "gold", LD_GOLD },
        { LD_REQUIRE_AGREEMENT, "agreement", LD_AGREEMENT },
        { LD_REQUIRE_ABANDONMENT, "abandonment", LD_ABANDONMENT },
        { LD_REQUIRE_WON, "won", LD_WON },
        { LD_REQUIRE_BEATEN, "beaten", LD_BEATEN },
        { LD_REQUIRE_LEASE_TIME, "lease_time", LD_LEASE_TIME },
        { LD_REQUIRE_ACTIVE_TIME, "active_time", LD_ACTIVE_TIME },
    };
    struct slr vals[LD_KEYS_MAX], whole = r;
    if (!r.p)
        return;
    uint32_t was = ld_path_key(b, ld_str("require"));
    bool good = ld_take_map(b, &r, &ld_require_map, vals);
    b->path_n = was;
    if (!good)
        return;
    was = ld_path_key(b, ld_str("require"));
    s->require.after =
        (uint32_t)ld_take_count(b, vals[LD_REQUIRE_AFTER], "after", 1, LD_WINDOW_LAST_MAX, AFTER_DEFAULT);
    s->require.of_all = ld_take_word(b, vals[LD_REQUIRE_OF], "of", of_words, 2, 0) == 1;
    s->require.refuse_new = ld_take_word(b, vals[LD_REQUIRE_NEWCOMERS], "newcomers", newcomer_words, 2, 0) == 1;
    s->require.bound = ld_get(&b->keep, sizeof measures / sizeof *measures, sizeof *s->require.bound);
    for (size_t i = 0; s->require.bound && i < sizeof measures / sizeof *measures; i++) {
        struct ld_bound *o = &s->require.bound[s->require.count];
        o->measure = measures[i].m;
        if (!vals[measures[i].key].p || !take_bound(b, vals[measures[i].key], measures[i].name, o))
            continue;
        s->require.count++;
    }
    b->path_n = was;
    bool any = false;
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        any = any || vals[measures[i].key].end;
    if (!any)
        ld_problem_at(b, whole, "require", NULL,
                      "'require' names no measure: it is one of approval, returned, gold, agreement, abandonment, won, "
                      "beaten, lease_time, active_time");
    uint32_t last = s->require.of_all ? LD_WINDOW_LAST : s->window_last;
    if (s->require.after > last - last / 8)
        ld_problem_at(
            b, vals[LD_REQUIRE_AFTER].p ? vals[LD_REQUIRE_AFTER] : whole, "require",
            vals[LD_REQUIRE_AFTER].p ? "after" : NULL,
            "'after' is more than the window is sure to hold (7/8 of its 'last'): nobody would ever be measured");
    if (s->require.refuse_new && !s->require.of_all)
        ld_problem_at(b, vals[LD_REQUIRE_NEWCOMERS], "require", "newcomers",
                      "newcomers that are refused can never be measured at this station: refuse goes with 'of: all'");
}

/* So many things at least a window holds, once it is full, of those that come `d` at once. A part of it takes more until it has an eighth of `last`, and the
 * oldest part goes before more than `last` would be held, however few are left then. */
static uint32_t sure_of(uint32_t last, uint32_t d)
{
    uint32_t room = (last + 7) / 8, part = (room + d - 1) / d * d;
    return d > last ? d : last / d * d + d - part;
}

void ld_require_check(struct ld_build *b, struct slr r, struct ld_station *s)
{
    if (!r.p || s->require.of_all || !s->require.count)
        return;
    for (uint32_t i = 0; i < s->require.count; i++) {
        enum ld_measure m = s->require.bound[i].measure;
        if (m == LD_GOLD && !s->gold.every)
            ld_problem_at(b, r, "require", "gold",
                          "'gold' is never measured here: the station has no 'gold' (or ask 'of: all')");
        if ((m == LD_APPROVAL || m == LD_RETURNED) && (s->reviewed_by < 0 || s->copies.max))
            ld_problem_at(b, r, "require", m == LD_APPROVAL ? "approval" : "returned",
                          s->copies.max ? "of a station with 'copies' no one author is reviewed (or ask 'of: all')"
                                        : "it is never measured here: no station reviews this one (or ask 'of: all')");
        if ((m == LD_WON || m == LD_BEATEN) && s->type != LD_TOURNAMENT)
            ld_problem_at(b, r, "require", m == LD_WON ? "won" : "beaten",
                          "it is never measured here: the station is no tournament (or ask 'of: all')");
        if (m == LD_BEATEN && s->type == LD_TOURNAMENT && s->copies.max > 1 &&
            s->require.after > sure_of(s->window_last, s->copies.max - 1))
            ld_problem_at(b, r, "require", "beaten",
                          "each tournament counts all its other contestants at once, and of those the window is not "
                          "sure to hold so many as 'after' asks for: nobody would ever be measured");
        if (m == LD_AGREEMENT &&
            ((s->copies.method != LD_PLURALITY && s->copies.method != LD_POSTERIOR) || s->copies.max < 2))
            ld_problem_at(
                b, r, "require", "agreement",
                "'agreement' is never measured here: the station has no 'copies' that agree (or ask 'of: all')");
    }
}
