/* Who may do a station's work, beyond kind and skills: hubs and teams that are named or kept out, those who did what comes before, how much of it in a
 * day, and who is preferred of those who may. */
#include <stdio.h>

#include "proto/ld_read.h"

static struct ld_names take_names(struct ld_build *b, struct slr r, const char *key)
{
    struct ld_names out = { 0 };
    uint32_t n;
    const char *at = r.p;
    if (!r.p)
        return out;
    struct ld_item *items = ld_take_texts(b, r, key, SL_PLACES_MAX, &n);
    uint32_t was = ld_path_key(b, ld_str(key));
    if (ld_read_value(&r).n == 0)
        ld_problem(b, at, "'%s' is empty", key);
    out.name = ld_get(&b->keep, n, sizeof *out.name);
    for (uint32_t i = 0; items && out.name && i < n; i++) {
        uint32_t list = ld_path_index(b, i);
        bool good = ld_text_good(b, items[i].at, key, LD_S_NAME, items[i].text);
        for (uint32_t j = 0; good && j < out.count; j++)
            if (ld_same(out.name[j], items[i].text)) {
                ld_problem(b, items[i].at, "'%s' names '%s' twice", key, LD_Q(items[i].text));
                good = false;
            }
        if (good)
            out.name[out.count++] = items[i].text;
        b->path_n = list;
    }
    b->path_n = was;
    return out;
}

static void either(struct ld_build *b, struct slr only, struct slr never, const char *only_key, const char *never_key)
{
    if (!only.p || !never.p)
        return;
    uint32_t was = ld_path_key(b, ld_str(never_key));
    ld_problem(b, never.p, "'%s' does not go with '%s': the station is for those alone", never_key, only_key);
    b->path_n = was;
}

void ld_take_place(struct ld_build *b, struct slr vals[LD_KEYS_MAX], struct ld_station *s, struct ld_draft *d)
{
    s->only_hubs = take_names(b, vals[LD_WORKER_ONLY_HUBS], "only_hubs");
    s->not_hubs = take_names(b, vals[LD_WORKER_NOT_HUBS], "not_hubs");
    s->only_teams = take_names(b, vals[LD_WORKER_ONLY_TEAMS], "only_teams");
    s->not_teams = take_names(b, vals[LD_WORKER_NOT_TEAMS], "not_teams");
    either(b, vals[LD_WORKER_ONLY_HUBS], vals[LD_WORKER_NOT_HUBS], "only_hubs", "not_hubs");
    either(b, vals[LD_WORKER_ONLY_TEAMS], vals[LD_WORKER_NOT_TEAMS], "only_teams", "not_teams");
    if (vals[LD_WORKER_NOT_WHO_DID].p)
        d->not_did =
            ld_take_texts(b, vals[LD_WORKER_NOT_WHO_DID], "not_who_did", SL_LINE_STATIONS_MAX, &d->not_did_count);
    s->per_day = (uint32_t)ld_take_count(b, vals[LD_WORKER_PER_DAY], "per_day", 1, SL_PER_DAY_MAX, 0);
    int prefer = ld_take_word(b, vals[LD_WORKER_PREFER], "prefer", ld_prefer_words, 3, LD_PREFER_IDLE);
    s->prefer = prefer < 0 ? LD_PREFER_IDLE : (enum ld_prefer)prefer;
}

static int station_named(const struct ld_line *l, struct slp_bytes name)
{
    for (uint32_t i = 0; i < l->station_count; i++)
        if (l->stations[i].type != LD_JURY && ld_same(l->stations[i].name, name))
            return (int)i;
    return -1;
}

/* One of them: its station, upstream of this one and not named before; -1 after a problem. */
static int did(struct ld_build *b, const struct ld_draft *d, const struct ld_station *s, struct ld_item item)
{
    int at = station_named(b->line, item.text);
    if (at < 0) {
        ld_problem(b, item.at, "'not_who_did' names '%s', but there is no such station", LD_Q(item.text));
        return -1;
    }
    uint32_t end = ld_giver(b->line, (uint32_t)at);
    if (!(d->ancestors[end / 64] >> (end % 64) & 1)) {
        ld_problem(b, item.at, "'not_who_did' names '%s', which does not come before station '%s'", LD_Q(item.text),
                   LD_Q(s->name));
        return -1;
    }
    for (uint32_t i = 0; i < s->not_did_count; i++)
        if (s->not_did[i] == at) {
            ld_problem(b, item.at, "'not_who_did' names '%s' twice", LD_Q(item.text));
            return -1;
        }
    return at;
}

/* A tournament's contestants, and its jury. */
static void not_did_add(const struct ld_line *l, struct ld_station *s, uint32_t at)
{
    s->not_did[s->not_did_count++] = (uint16_t)at;
    if (l->stations[at].type == LD_TOURNAMENT && &l->stations[l->stations[at].partner] != s)
        s->not_did[s->not_did_count++] = l->stations[at].partner;
}

void ld_not_did(struct ld_build *b)
{
    for (uint32_t i = 0; !b->graph_broken && i < b->line->station_count; i++) {
        struct ld_draft *d = &b->drafts[i];
        struct ld_station *s = &b->line->stations[i];
        if (s->type == LD_IMPROVE) { /* nobody reviews what he had a part in; naming some of it is no mistake */
            s->not_did = ld_get(&b->keep, b->line->station_count, sizeof *s->not_did);
            for (uint32_t k = 0; s->not_did && k < b->line->station_count; k++)
                if (d->ancestors[k / 64] >> (k % 64) & 1)
                    s->not_did[s->not_did_count++] = (uint16_t)k;
            continue;
        }
        bool jury = s->type == LD_JURY, own = jury && d->not_did != b->drafts[s->partner].not_did;
        uint32_t most = 2 * d->not_did_count + jury;
        s->not_did = most ? ld_get(&b->keep, most, sizeof *s->not_did) : NULL;
        if (s->not_did && jury) /* nobody judges what he entered */
            not_did_add(b->line, s, s->partner);
        for (uint32_t k = 0; s->not_did && k < d->not_did_count && (own || !jury); k++) {
            b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].%sworker.not_who_did[%u]",
                                           jury ? s->partner : i, jury ? "jury." : "", k);
            int at = did(b, d, s, d->not_did[k]);
            if (at >= 0)
                not_did_add(b->line, s, (uint32_t)at);
        }
        if (jury && !own) { /* as its contestants: what was wrong there was said there */
            const struct ld_station *of = &b->line->stations[s->partner];
            for (uint32_t k = 0; s->not_did && k < of->not_did_count; k++)
                s->not_did[s->not_did_count++] = of->not_did[k];
        }
        b->path_n = 0;
    }
}
