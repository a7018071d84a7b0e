/* Where a station's work may be done: hubs and teams that are named or kept out, and who is preferred of those who may. */
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

void ld_take_place(struct ld_build *b, struct slr vals[LD_KEYS_MAX], struct ld_station *s)
{
    s->only_hubs = take_names(b, vals[LD_WORKER_ONLY_HUBS], "only_hubs");
    s->not_hubs = take_names(b, vals[LD_WORKER_NOT_HUBS], "not_hubs");
    s->only_teams = take_names(b, vals[LD_WORKER_ONLY_TEAMS], "only_teams");
    s->not_teams = take_names(b, vals[LD_WORKER_NOT_TEAMS], "not_teams");
    either(b, vals[LD_WORKER_ONLY_HUBS], vals[LD_WORKER_NOT_HUBS], "only_hubs", "not_hubs");
    either(b, vals[LD_WORKER_ONLY_TEAMS], vals[LD_WORKER_NOT_TEAMS], "only_teams", "not_teams");
    int prefer = ld_take_word(b, vals[LD_WORKER_PREFER], "prefer", ld_prefer_words, 3, LD_PREFER_IDLE);
    s->prefer = prefer < 0 ? LD_PREFER_IDLE : (enum ld_prefer)prefer;
}
