/* Who sees what. A set of slots (a slot is an input field or a field of a station) comes to each station: what any of its upstream
 * stations hands on. A station hands on its own fields and what its `passes` names, by default all that came to it. */
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

static uint32_t slot_of(const struct ld_build *b, struct ld_ref ref)
{
    return (ref.station < 0 ? 0 : b->drafts[ref.station].first_slot) + (uint32_t)ref.field;
}

const struct ld_field *ld_field_of(const struct ld_line *line, struct ld_ref ref)
{
    return ref.station < 0 ? &line->inputs[ref.field] : &line->stations[ref.station].fields[ref.field];
}

static int field_index(const struct ld_field *fields, uint32_t count, struct slp_bytes name)
{
    for (uint32_t i = 0; i < count; i++)
        if (ld_same(fields[i].name, name))
            return (int)i;
    return -1;
}

/* Beyond the mistakes that are named no words are made: looking for what was meant is the dear part. */
static bool only_counted(const struct ld_build *b, char why[LD_WHY_BYTES])
{
    if (b->found_count < SL_PROBLEMS_MAX)
        return false;
    snprintf(why, LD_WHY_BYTES, "unknown");
    return true;
}

/* ", did you mean 'judge.entails'?" if a bare name is a field of some station, or near a name of the input. */
static const char *guess_bare(struct ld_build *b, struct slp_bytes name, struct ld_guess *guess)
{
    struct ld_line *l = b->line;
    ld_guess_begin(guess, name);
    for (uint32_t i = 0; i < l->station_count; i++)
        if (field_index(l->stations[i].fields, l->stations[i].value_count, name) >= 0) {
            snprintf(guess->text, sizeof guess->text, ", did you mean '%s.%s'?", LD_Q(ld_given_name(l, i)), LD_Q(name));
            return guess->text;
        }
    for (uint32_t i = 0; i < l->input_count; i++)
        ld_guess_offer(guess, l->inputs[i].name);
    return ld_guess_end(guess);
}

static int find_anywhere(struct ld_build *b, struct slp_bytes name, struct ld_ref *ref, char why[LD_WHY_BYTES])
{
    struct ld_line *l = b->line;
    struct ld_guess guess;
    const char *dot = memrchr(name.p, '.', name.n);
    why[0] = 0;
    if (!dot) {
        int f = field_index(l->inputs, l->input_count, name);
        if (f < 0 && !b->input_unknown && !only_counted(b, why))
            snprintf(why, LD_WHY_BYTES, "there is no input field '%s'%s", LD_Q(name), guess_bare(b, name, &guess));
        *ref = (struct ld_ref){ -1, (int16_t)f };
        return f < 0 ? -1 : 0;
    }
    struct slp_bytes station = { name.p, (uint32_t)(dot - name.p) }, field = { dot + 1, name.n - station.n - 1 };
    uint32_t s = 0;
    while (s < b->named && !ld_same(l->stations[s].name, station))
        s++;
    if (s == b->named) {
        if (only_counted(b, why))
            return -1;
        ld_guess_begin(&guess, station);
        for (uint32_t i = 0; i < b->named; i++)
            if (l->stations[i].name.n)
                ld_guess_offer(&guess, l->stations[i].name);
        snprintf(why, LD_WHY_BYTES, "'%s': there is no station '%s'%s", LD_Q(name), LD_Q(station),
                 ld_guess_end(&guess));
        return -1;
    }
    s = ld_giver(l, s);
    int f = field_index(l->stations[s].fields, l->stations[s].value_count, field);
    *ref = (struct ld_ref){ (int16_t)s, (int16_t)f };
    if (f >= 0)
        return 0;
    if (b->drafts[s].form_unknown || only_counted(b, why))
        return -1;
    ld_guess_begin(&guess, field);
    for (uint32_t i = 0; i < l->stations[s].value_count; i++)
        ld_guess_offer(&guess, l->stations[s].fields[i].name);
    snprintf(why, LD_WHY_BYTES, "station '%s' has no field '%s'%s", LD_Q(station), LD_Q(field), ld_guess_end(&guess));
    return -1;
}

int ld_find_field(struct ld_build *b, uint32_t reader, struct slp_bytes name, struct ld_ref *ref,
                  char why[LD_WHY_BYTES])
{
    if (find_anywhere(b, name, ref, why) != 0)
        return -1;
    struct ld_draft *d = &b->drafts[reader];
    if (b->graph_broken || bit(d->sees, slot_of(b, *ref)))
        return 0;
    struct slp_bytes me = b->line->stations[reader].name;
    if (ref->station >= 0 && !bit(d->ancestors, (uint32_t)ref->station))
        snprintf(why, LD_WHY_BYTES, "'%s' is not produced upstream of station '%s'", LD_Q(name), LD_Q(me));
    else
        snprintf(why, LD_WHY_BYTES, "'%s' is not passed on to station '%s'", LD_Q(name), LD_Q(me));
    return -1;
}

/* Resolve the names of a `shows` or `passes` list into refs (may be NULL) and a set (may be NULL). Returns how many were good. */
static uint32_t read_names(struct ld_build *b, uint32_t station, const char *key, const struct ld_item *items,
                           uint32_t count, struct ld_ref *refs, struct slp_bytes *names, uint64_t *set)
{
    uint32_t n = 0;
    uint64_t *twice = ld_get(&b->temp, b->slots / 64 + 1, sizeof *twice);
    for (uint32_t k = 0; twice && k < count; k++) {
        struct ld_ref ref;
        char why[LD_WHY_BYTES];
        b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].%s[%u]", station, key, k);
        bool own = false;
        if (set && find_anywhere(b, items[k].text, &ref, why) == 0)
            own = ref.station ==
                  (int)ld_giver(b->line, station); /* its own fields are passed on anyhow: no mistake to say so */
        if (!own && ld_find_field(b, station, items[k].text, &ref, why) != 0) {
            if (why[0])
                ld_problem(b, items[k].at, "'%s': %s", key, why);
            continue;
        }
        uint32_t slot = slot_of(b, ref);
        if (bit(twice, slot)) {
            ld_problem(b, items[k].at, "'%s' names '%s' twice", key, LD_Q(items[k].text));
            continue;
        }
        bit_set(twice, slot);
        if (set)
            bit_set(set, slot);
        if (refs) {
            refs[n] = ref;
            names[n] = items[k].text;
        }
        n++;
    }
    b->path_n = 0;
    return n;
}

/* "text" or "judge.entails", in the arena. */
static struct slp_bytes full_name(struct ld_build *b, struct ld_ref ref)
{
    const struct ld_field *f = ld_field_of(b->line, ref);
    if (ref.station < 0)
        return f->name;
    struct slp_bytes s = ld_given_name(b->line, (uint32_t)ref.station);
    char *p = ld_get(&b->keep, s.n + 1 + f->name.n, 1);
    if (!p)
        return (struct slp_bytes){ "", 0 };
    memcpy(p, s.p, s.n);
    p[s.n] = '.';
    memcpy(p + s.n + 1, f->name.p, f->name.n);
    return (struct slp_bytes){ p, s.n + 1 + f->name.n };
}

/* All slots as refs and names, in slot order: what `run output` hands out, and what the default `shows` picks from. */
static void name_slots(struct ld_build *b)
{
    struct ld_line *l = b->line;
    uint32_t n = 0;
    l->outs = ld_get(&b->keep, b->slots, sizeof *l->outs);
    l->out_names = ld_get(&b->keep, b->slots, sizeof *l->out_names);
    if (ld_memory_out(b))
        return;
    for (uint32_t f = 0; f < l->input_count; f++)
        l->outs[n++] = (struct ld_ref){ -1, (int16_t)f };
    for (uint32_t i = 0; i < b->named; i++) {
        uint32_t s = ld_giver(l, i);
        for (uint32_t f = 0; f < l->stations[s].value_count; f++)
            l->outs[n++] = (struct ld_ref){ (int16_t)s, (int16_t)f };
    }
    for (uint32_t i = 0; i < n; i++)
        l->out_names[i] = full_name(b, l->outs[i]);
    l->out_count = n;
}

static void see_station(struct ld_build *b, uint32_t index)
{
    struct ld_line *l = b->line;
    struct ld_station *s = &l->stations[index];
    struct ld_draft *d = &b->drafts[index];
    uint32_t words = b->slots / 64 + 1;
    if (s->after_count == 0)
        for (uint32_t f = 0; f < l->input_count; f++)
            bit_set(d->sees, f);
    for (uint32_t a = 0; !b->graph_broken && a < s->after_count; a++)
        for (uint32_t w = 0; w < words; w++)
            d->sees[w] |= b->drafts[s->after[a]].hands[w];
    for (uint32_t f = 0; f < s->value_count; f++)
        bit_set(d->hands, d->first_slot + f);
    if (d->has_passes)
        read_names(b, index, "passes", d->passes, d->passes_count, NULL, NULL, d->hands);
    else
        for (uint32_t w = 0; w < words; w++)
            d->hands[w] |= d->sees[w];
}

/* A reviewer sees all of the work. */
static void show_work(struct ld_build *b, uint32_t index)
{
    const struct ld_station *s = &b->line->stations[index];
    for (uint32_t f = 0; s->review.of >= 0 && f < s->review.work; f++) {
        bool shown = false;
        for (uint32_t i = 0; i < s->show_count; i++)
            shown = shown || (s->shows[i].station == s->review.of && s->shows[i].field == (int)f);
        if (!shown) {
            char path[40];
            snprintf(path, sizeof path, "stations[%u].shows", index);
            ld_problem_on(b, b->drafts[index].shows_at, path, "'shows' leaves out '%s.%s', which station '%s' reviews",
                          LD_Q(ld_given_name(b->line, (uint32_t)s->review.of)), LD_Q(s->fields[f].name), LD_Q(s->name));
        }
    }
}

/* A jury sees what the contestants saw, and behind it the entries. */
static void show_jury(struct ld_build *b, struct ld_station *s, const struct ld_station *of)
{
    size_t n = of->name.n + sizeof LD_JURY_ENTRIES - 1;
    char *p = ld_get(&b->keep, n, 1);
    s->show_names = ld_get(&b->keep, of->show_count + 1, sizeof *s->show_names);
    if (ld_memory_out(b))
        return;
    memcpy(p, of->name.p, of->name.n);
    memcpy(p + of->name.n, LD_JURY_ENTRIES, sizeof LD_JURY_ENTRIES - 1);
    if (of->show_count)
        memcpy(s->show_names, of->show_names, of->show_count * sizeof *s->show_names);
    s->show_names[of->show_count] = (struct slp_bytes){ p, (uint32_t)n };
    s->shows = of->shows;
    s->show_count = of->show_count;
}

static void show_station(struct ld_build *b, uint32_t index)
{
    struct ld_station *s = &b->line->stations[index];
    struct ld_draft *d = &b->drafts[index];
    uint32_t n = d->shows_count;
    if (s->type == LD_JURY) {
        show_jury(b, s, &b->line->stations[s->partner]);
        return;
    }
    if (!d->has_shows) {
        n = 0;
        for (uint32_t w = 0; w < b->slots / 64 + 1; w++)
            n += (uint32_t)__builtin_popcountll(d->sees[w]);
        if (n > SL_SHOWS_MAX) {
            char path[32];
            snprintf(path, sizeof path, "stations[%u]", index);
            ld_problem_on(b, d->at, path,
                          "station '%s' would show %u fields, more than %d: choose with 'shows', or hand on less with "
                          "'passes' upstream",
                          LD_Q(s->name), n, SL_SHOWS_MAX);
            return;
        }
    }
    s->shows = ld_get(&b->keep, n, sizeof *s->shows);
    s->show_names = ld_get(&b->keep, n, sizeof *s->show_names);
    if (ld_memory_out(b))
        return;
    if (d->has_shows) {
        s->show_count = read_names(b, index, "shows", d->shows, n, s->shows, s->show_names, NULL);
        show_work(b, index);
        return;
    }
    for (uint32_t slot = 0; slot < b->slots; slot++)
        if (bit(d->sees, slot)) {
            s->shows[s->show_count] = b->line->outs[slot];
            s->show_names[s->show_count++] = b->line->out_names[slot];
        }
}

void ld_see(struct ld_build *b)
{
    struct ld_line *l = b->line;
    b->slots = l->input_count;
    for (uint32_t i = 0; i < b->named; i++) {
        uint32_t giver = ld_giver(l, i);
        b->drafts[giver].first_slot = b->slots;
        b->slots += l->stations[giver].value_count;
    }
    for (uint32_t i = 0; i < l->station_count; i++) {
        b->drafts[i].sees = ld_get(&b->temp, b->slots / 64 + 1, sizeof(uint64_t));
        b->drafts[i].hands = ld_get(&b->temp, b->slots / 64 + 1, sizeof(uint64_t));
    }
    if (ld_memory_out(b))
        return;
    name_slots(b);
    for (uint32_t k = 0; !ld_memory_out(b) && k < l->station_count; k++)
        see_station(b, b->graph_broken ? k : l->order[k]); /* without an order only the names are checked */
    for (uint32_t i = 0; !ld_memory_out(b) && i < l->station_count; i++) {
        show_station(b, i);
        if (b->drafts[i].when.text.p)
            l->stations[i].when = ld_expr_compile(b, i, b->drafts[i].when);
    }
}
