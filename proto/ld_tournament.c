/* The keys `contestants`, `jury` and `auto_judge`. A tournament becomes two stations (docs/adr/0016): the one that the file names gathers entries, and one
 * behind all that the file names, NAME.jury, gathers votes. Each is a station with copies; what the line hands on of the tournament, the jury's hands on. */
#include <stdio.h>
#include <string.h>

#include "proto/ld_read.h"

static const enum ld_rule rules[] = { LD_RULE_JURY, LD_RULE_FIRST, LD_RULE_REVIEW, LD_RULE_AUTO };

static void only_tournaments(struct ld_build *b, struct slr vals[])
{
    static const struct {
        int key;
        const char *name, *text;
    } with[] = {
        { LD_STATION_CONTESTANTS, "contestants", "'contestants' is for stations of type tournament" },
        { LD_STATION_JURY, "jury", "'jury' is for stations of type tournament" },
        { LD_STATION_AUTO_JUDGE, "auto_judge", "'auto_judge' is for stations of type tournament" },
    };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (vals[with[i].key].p)
            ld_problem_at(b, vals[with[i].key], with[i].name, NULL, with[i].text);
}

static void auto_judge(struct ld_build *b, struct slr r, struct ld_station *s, const struct ld_draft *d)
{
    struct slr vals[LD_KEYS_MAX];
    uint32_t was = ld_path_key(b, ld_str("auto_judge"));
    if (r.p && ld_take_map(b, &r, &ld_auto_map, vals)) {
        s->copies.equal = (uint32_t)ld_take_count(b, vals[LD_AUTO_EQUAL], "equal", 2, s->copies.max, 2);
        ld_take_allowances(b, vals[LD_AUTO_ON], vals[LD_AUTO_IGNORE], vals[LD_AUTO_TOLERANCE], s, d);
        if (!d->form_unknown)
            ld_check_allowances(b, vals[LD_AUTO_IGNORE], vals[LD_AUTO_TOLERANCE], s);
    }
    b->path_n = was;
}

void ld_tournament(struct ld_build *b, struct slr vals[], struct ld_station *s, struct ld_draft *d)
{
    struct slr n = vals[LD_STATION_CONTESTANTS], jury = vals[LD_STATION_JURY];
    if (s->type != LD_TOURNAMENT) {
        only_tournaments(b, vals);
        return;
    }
    if (vals[LD_STATION_COPIES].p)
        ld_problem_at(b, vals[LD_STATION_COPIES], "copies", NULL,
                      "'copies' does not go with type tournament: say 'contestants'");
    if (vals[LD_STATION_AGREE].p)
        ld_problem_at(b, vals[LD_STATION_AGREE], "agree", NULL,
                      "'agree' does not go with type tournament: say 'auto_judge'");
    s->copies = (struct ld_copies){ .method = LD_ENTRIES };
    s->copies.min = s->copies.max = (uint32_t)ld_take_count(b, n, "contestants", 2, SL_COPIES_MAX, 2);
    if (!n.end)
        ld_problem(b, d->at, "missing key 'contestants': how many workers enter");
    if (!jury.end)
        ld_problem(b, d->at, "missing key 'jury': who decides which entry wins");
    if (!d->form_unknown && s->field_count == 0)
        ld_problem(b, d->at, "there is nothing to judge: the form has no fields");
    s->fields = s->form;
    s->value_count = 0;
    auto_judge(b, vals[LD_STATION_AUTO_JUDGE], s, d);
    d->jury = jury;
}

/* ---- the jury's station ---- */

static struct slp_bytes jury_name(struct ld_build *b, struct slp_bytes name, const char *at)
{
    size_t n = name.n + sizeof LD_JURY_SUFFIX - 1;
    char *p = ld_get(&b->keep, n, 1);
    if (n > SL_NAME_BYTES_MAX)
        ld_problem(b, at, "the name of a tournament has at most %zu bytes: its jury is called NAME" LD_JURY_SUFFIX,
                   SL_NAME_BYTES_MAX - (sizeof LD_JURY_SUFFIX - 1));
    if (!p)
        return ld_none;
    memcpy(p, name.p, name.n);
    memcpy(p + name.n, LD_JURY_SUFFIX, sizeof LD_JURY_SUFFIX - 1);
    return (struct slp_bytes){ p, (uint32_t)n };
}

/* A form with one field: the place in the list of entries, from 1. */
static void ballot(struct ld_build *b, struct ld_station *s, uint32_t entries)
{
    struct ld_field *f = ld_get(&b->keep, 1, sizeof *f);
    struct slp_bytes *options = ld_get(&b->keep, entries, sizeof *options);
    for (uint32_t i = 0; options && i < entries; i++) {
        char *p = ld_get(&b->keep, 4, 1);
        if (!p)
            return;
        options[i] = (struct slp_bytes){ p, (uint32_t)snprintf(p, 4, "%u", (i + 1) % 1000) };
    }
    if (!f || !options)
        return;
    *f = ld_made_field(LD_JURY_FIELD, LD_RADIO, true, options, entries);
    s->fields = s->form = f;
    s->field_count = 1;
    ld_make_form(b, s, NULL);
}

static void take_jury(struct ld_build *b, struct slr r, const struct ld_station *of, const struct ld_draft *of_d,
                      struct ld_station *s, struct ld_draft *d)
{
    struct slr vals[LD_KEYS_MAX];
    if (!ld_take_map(b, &r, &ld_jury_map, vals))
        return;
    s->title = ld_take_text(vals[LD_JURY_TITLE]);
    s->instruction = ld_take_text(vals[LD_JURY_INSTRUCTION]);
    s->lease_us = ld_take_duration(b, vals[LD_JURY_LEASE], "lease", SL_LEASE_US_MIN, SL_LEASE_US_MAX, of->lease_us);
    s->reward_micros = ld_take_millionths(b, vals[LD_JURY_REWARD], "reward", LD_S_MONEY);
    s->copies.max = (uint32_t)ld_take_count(b, vals[LD_JURY_MAX], "max", 1, SL_COPIES_MAX, 1);
    int ties = ld_take_word(b, vals[LD_JURY_TIES], "ties", ld_ties_words + LD_TIES_FIRST, 3, 0);
    s->copies.ties = (enum ld_ties)(LD_TIES_FIRST + (ties < 0 ? 0 : ties));
    if (vals[LD_JURY_WORKER].p) {
        ld_take_worker(b, vals[LD_JURY_WORKER], s, d);
    } else if (!vals[LD_JURY_WORKER].end) { /* whoever may enter may judge */
        s->kind = of->kind;
        s->skill_count = of->skill_count;
        s->skills = of->skills;
        s->only_hubs = of->only_hubs;
        s->not_hubs = of->not_hubs;
        s->only_teams = of->only_teams;
        s->not_teams = of->not_teams;
        s->prefer = of->prefer;
        s->per_day = of->per_day;
        d->not_did = of_d->not_did;
        d->not_did_count = of_d->not_did_count;
    }
}

void ld_jury(struct ld_build *b, uint32_t station)
{
    struct ld_line *l = b->line;
    struct ld_station *of = &l->stations[station];
    struct ld_draft *of_d = &b->drafts[station];
    uint32_t n = l->station_count;
    if (n == SL_LINE_STATIONS_MAX) {
        ld_problem(b, of_d->at, "with the juries of tournaments, 'stations' has more than %d stations",
                   SL_LINE_STATIONS_MAX);
        of->type = LD_WORK; /* which is wrong, but has been said */
        return;
    }
    struct ld_station *s = &l->stations[n];
    struct ld_draft *d = &b->drafts[n];
    *s = (struct ld_station){ .type = LD_JURY,
                              .partner = (uint16_t)station,
                              .title = ld_none,
                              .instruction = ld_none,
                              .lease_us = of->lease_us,
                              .backoff_us = of->backoff_us,
                              .start_by_us = of->start_by_us,
                              .attempts = of->attempts,
                              .window_last = of->window_last,
                              .window_within_us = of->window_within_us,
                              .review = { .of = -1, .exhausted = -1 },
                              .reviewed_by = -1,
                              .copies = { .max = 1, .method = LD_VOTES, .ties = LD_TIES_FIRST } };
    s->name = jury_name(b, of->name, of_d->at);
    d->at = of_d->jury.p ? of_d->jury.p : of_d->at;
    d->form_unknown = of_d->form_unknown;
    d->has_after = true;
    of->partner = (uint16_t)n;
    l->station_count = n + 1;
    for (uint32_t i = 0; i < b->named && of->name.n; i++)
        if (ld_same(l->stations[i].name, s->name))
            ld_problem(b, of_d->at, "a station is called '%s', as the jury of '%s' is", LD_Q(s->name), LD_Q(of->name));
    uint32_t was = ld_path_key(b, ld_str("jury"));
    if (of_d->jury.p)
        take_jury(b, of_d->jury, of, of_d, s, d);
    b->path_n = was;
    /* So many that are all for one make it certain, and no fewer. */
    s->copies.min = s->copies.ties == LD_TIES_FIRST ? (s->copies.max + 1) / 2 : s->copies.max / 2 + 1;
    ballot(b, s, of->copies.max);
    ld_add_fields(b, of, s, of_d, rules, sizeof rules / sizeof *rules);
}
