/* From packed maps to structs: fields, forms, stations, the line. What stations mean to each other comes later (ld_graph, ld_see). */
#include <math.h>
#include <string.h>

#include "proto/ld_read.h"

#define DEFAULT_LEASE_US (10 * 60 * 1000000ll)
#define DEFAULT_BACKOFF_US (10 * 1000000ll)
#define DEFAULT_ATTEMPTS 3

/* ---- fields ---- */
static bool type_has_options(enum ld_type t)
{
    return t == LD_RADIO || t == LD_CHECK_BOX || t == LD_SELECT;
}

static bool type_has_chars(enum ld_type t)
{
    return t == LD_TEXT || t == LD_GENERAL || t == LD_EMAIL || t == LD_URL || t == LD_PHONE || t == LD_SHORT_ANSWER ||
           t == LD_LONG_ANSWER;
}

static void take_options(struct ld_build *b, struct slr r, const char *map_at, struct ld_field *f)
{
    bool wanted = type_has_options(f->type);
    if (!r.p) {
        if (wanted && !r.end) /* else it is there, and was reported */
            ld_problem(b, map_at, "missing key 'options': a %s needs the list of its options", ld_type_words[f->type]);
        return;
    }
    uint32_t was = ld_path_key(b, ld_str("options"));
    if (!wanted && f->type != LD_TEXT && f->type != LD_GENERAL && f->type != LD_SHORT_ANSWER)
        ld_problem(b, r.p, "'options' do not go with type %s", ld_type_words[f->type]);
    b->path_n = was;
    f->options = ld_take_choices(b, r, "options", "an option", "'options' is empty", &f->option_count);
}

static double take_number(struct ld_build *b, struct slr r, const char *key, const struct ld_field *f)
{
    if (!r.p)
        return NAN;
    const char *at = r.p;
    struct slr_value v = ld_read_value(&r);
    if (f->type != LD_NUMBER) {
        uint32_t was = ld_path_key(b, ld_str(key));
        ld_problem(b, at, "'%s' does not go with type %s: only numbers have it", key, ld_type_words[f->type]);
        b->path_n = was;
    }
    return v.type == SLR_U64 ? (double)v.u64 : v.type == SLR_I64 ? (double)v.i64 : v.d;
}

static void take_field(struct ld_build *b, struct slr *r, const struct ld_map *m, struct ld_field *f)
{
    struct slr vals[LD_KEYS_MAX];
    const char *at = r->p;
    *f = (struct ld_field){ .name = ld_none, .label = ld_none, .hint = ld_none, .min = NAN, .max = NAN };
    if (!ld_take_map(b, r, m, vals))
        return;
    f->name = ld_take_text(vals[LD_FIELD_NAME]);
    f->label = ld_take_text(vals[LD_FIELD_LABEL]);
    f->hint = ld_take_text(vals[LD_FIELD_HINT]);
    int count = 0;
    while (ld_type_words[count])
        count++;
    int type = ld_take_word(b, vals[LD_FIELD_TYPE], "type", ld_type_words, count, -1);
    if (type >= LD_INPUT_TYPES && m == &ld_input_map) {
        uint32_t was = ld_path_key(b, ld_str("type"));
        ld_problem(b, vals[LD_FIELD_TYPE].p,
                   "type '%s' is for forms: an input field is one of text, general, email, url, number, date, time, "
                   "datetime, phone",
                   ld_type_words[type]);
        b->path_n = was;
    }
    if (vals[LD_FIELD_REQUIRED].p)
        f->required = ld_read_value(&vals[LD_FIELD_REQUIRED]).b;
    if (type < 0) /* what goes with which type cannot be told */
        return;
    f->type = (enum ld_type)type;
    take_options(b, vals[LD_FIELD_OPTIONS], at, f);
    f->min = take_number(b, vals[LD_FIELD_MIN], "min", f);
    f->max = take_number(b, vals[LD_FIELD_MAX], "max", f);
    if (f->min > f->max) {
        uint32_t was = ld_path_key(b, ld_str("min"));
        ld_problem(b, vals[LD_FIELD_MIN].p, "'min' is greater than 'max'");
        b->path_n = was;
    }
    f->chars_max = (uint32_t)ld_take_count(b, vals[LD_FIELD_CHARS_MAX], "chars_max", 1, SL_RESULT_BYTES_MAX, 0);
    if (vals[LD_FIELD_CHARS_MAX].p && !type_has_chars(f->type)) {
        uint32_t was = ld_path_key(b, ld_str("chars_max"));
        ld_problem(b, vals[LD_FIELD_CHARS_MAX].p, "'chars_max' does not go with type %s", ld_type_words[f->type]);
        b->path_n = was;
    }
}

/* A list of fields under `key`. */
static struct ld_field *take_fields(struct ld_build *b, struct slr r, const char *key, const struct ld_map *m,
                                    uint32_t max, uint32_t *count)
{
    const char *at = r.p;
    struct slr_value head = ld_read_value(&r);
    uint32_t was = ld_path_key(b, ld_str(key));
    if (head.n > max)
        ld_problem(b, at, "'%s' has %u fields, more than %u", key, head.n, max);
    *count = head.n > max ? max : head.n;
    struct ld_field *fields = ld_get(&b->keep, *count, sizeof *fields);
    if (!fields) /* memory is out: nobody looks for what is not there */
        *count = 0;
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t list = ld_path_index(b, i);
        const char *field_at = r.p;
        take_field(b, &r, m, &fields[i]);
        for (uint32_t j = 0; j < i && fields[i].name.n; j++)
            if (ld_same(fields[i].name, fields[j].name)) {
                ld_path_key(b, ld_str("name"));
                ld_problem(b, field_at, "duplicate field name '%s'", LD_Q(fields[i].name));
                break;
            }
        b->path_n = list;
    }
    b->path_n = was;
    return fields;
}

/* ---- stations ---- */
static void take_skills(struct ld_build *b, struct slr r, struct ld_station *s)
{
    const char *at = r.p;
    struct slr_value head = ld_read_value(&r);
    uint32_t was = ld_path_key(b, ld_str("skills"));
    if (head.n > SL_SKILLS_MAX)
        ld_problem(b, at, "'skills' has %u skills, more than %d", head.n, SL_SKILLS_MAX);
    uint32_t n = head.n > SL_SKILLS_MAX ? SL_SKILLS_MAX : head.n;
    s->skills = ld_get(&b->keep, n, sizeof *s->skills);
    for (uint32_t i = 0; s->skills && i < n; i++) {
        const char *key_at = r.p;
        struct slr_value key = ld_read_value(&r);
        if (key.type != SLR_STR) {
            ld_problem(b, key_at, "a skill must be a name, not %s", ld_type_text(&key));
            r.p = key_at;
            ld_skip_value(&r);
            ld_skip_value(&r);
            continue;
        }
        struct ld_skill skill = { ld_bytes_of(&key), 0 };
        uint32_t map = ld_path_key(b, skill.name);
        struct slr value_at = r;
        struct slr_value level = ld_read_value(&r);
        if (!ld_text_good(b, key_at, "skill", LD_S_NAME, skill.name)) {
        } else if (level.type != SLR_U64 || level.u64 < 1 || level.u64 > SL_SKILL_LEVEL_MAX) {
            ld_problem(b, key_at, "the level of skill '%s' must be a whole number, 1 to %d", LD_Q(skill.name),
                       SL_SKILL_LEVEL_MAX);
        } else {
            skill.level = (uint32_t)level.u64;
            for (uint32_t j = 0; j < s->skill_count; j++)
                if (ld_same(s->skills[j].name, skill.name)) {
                    ld_problem(b, key_at, "duplicate key '%s'", LD_Q(skill.name));
                    break;
                }
            s->skills[s->skill_count++] = skill;
        }
        r = value_at;
        ld_skip_value(&r);
        b->path_n = map;
    }
    b->path_n = was;
}

void ld_take_worker(struct ld_build *b, struct slr r, struct ld_station *s, struct ld_draft *d)
{
    if (!r.p)
        return;
    struct slr vals[LD_KEYS_MAX];
    uint32_t was = ld_path_key(b, ld_str("worker"));
    if (ld_take_map(b, &r, &ld_worker_map, vals)) {
        int kind = ld_take_word(b, vals[LD_WORKER_KIND], "kind", ld_kind_words, 3, LD_ANY);
        s->kind = kind < 0 ? LD_ANY : (enum ld_kind)kind;
        if (vals[LD_WORKER_SKILLS].p)
            take_skills(b, vals[LD_WORKER_SKILLS], s);
        ld_take_place(b, vals, s, d);
    }
    b->path_n = was;
}

static void take_form(struct ld_build *b, struct slr r, struct ld_station *s, struct ld_draft *d)
{
    static const char empty_map[] = "\x80";
    s->form_raw = (struct slp_bytes){ empty_map, 1 };
    d->form_unknown |= !r.p && r.end;
    if (!r.p)
        return;
    struct slr vals[LD_KEYS_MAX];
    const char *start = r.p;
    uint32_t was = ld_path_key(b, ld_str("form"));
    if (ld_take_map(b, &r, &ld_form_map, vals)) {
        s->form_raw = (struct slp_bytes){ start, (uint32_t)(r.p - start) };
        if (s->title.n == 0)
            s->title = ld_take_text(vals[LD_FORM_TITLE]);
        s->instruction = ld_take_text(vals[LD_FORM_INSTRUCTION]);
        if (vals[LD_FORM_FIELDS].p && s->type == LD_IMPROVE)
            ld_problem(b, vals[LD_FORM_FIELDS].p,
                       "'fields' do not go with type improve: it has those of the station that it reviews");
        else if (vals[LD_FORM_FIELDS].p)
            s->fields =
                take_fields(b, vals[LD_FORM_FIELDS], "fields", &ld_field_map, SL_FORM_FIELDS_MAX, &s->field_count);
        else
            d->form_unknown = vals[LD_FORM_FIELDS].end; /* it is there, but wrong */
    } else {
        d->form_unknown = true;
    }
    b->path_n = was;
}

static void take_station_type(struct ld_build *b, struct slr r, struct ld_station *s, struct ld_draft *d)
{
    int type = ld_take_word(b, r, "type", ld_station_words, 3, LD_WORK);
    s->type = type < 0 ? LD_WORK : (enum ld_station_type)type;
    if (type == LD_WORK || type == LD_TOURNAMENT)
        return;
    d->form_unknown = true; /* such a station has fields that are not written in its form */
    if (type > 0 && type != LD_IMPROVE) {
        uint32_t was = ld_path_key(b, ld_str("type"));
        ld_problem(b, r.p, "station type '%s' is not supported by this version", ld_station_words[type]);
        b->path_n = was;
    }
}

static void take_station(struct ld_build *b, struct slr *r, struct ld_station *s, struct ld_draft *d)
{
    struct slr vals[LD_KEYS_MAX];
    d->at = r->p;
    s->attempts = DEFAULT_ATTEMPTS;
    s->reviewed_by = s->review.of = s->review.exhausted = -1;
    s->name = s->title = s->instruction = ld_none;
    if (!ld_take_map(b, r, &ld_station_map, vals)) {
        d->form_unknown = true;
        return;
    }
    s->name = ld_take_text(vals[LD_STATION_NAME]);
    s->title = ld_take_text(vals[LD_STATION_TITLE]);
    take_station_type(b, vals[LD_STATION_TYPE], s, d);
    ld_take_worker(b, vals[LD_STATION_WORKER], s, d);
    d->has_after = vals[LD_STATION_AFTER].p;
    b->graph_broken |= !d->has_after && vals[LD_STATION_AFTER].end;
    if (d->has_after)
        d->after = ld_take_texts(b, vals[LD_STATION_AFTER], "after", SL_LINE_STATIONS_MAX, &d->after_count);
    if (vals[LD_STATION_WHEN].p)
        d->when = (struct ld_item){ vals[LD_STATION_WHEN].p, ld_take_text(vals[LD_STATION_WHEN]) };
    d->shows_at = vals[LD_STATION_SHOWS].p;
    d->has_shows = d->shows_at != NULL;
    if (d->has_shows)
        d->shows = ld_take_texts(b, vals[LD_STATION_SHOWS], "shows", SL_SHOWS_MAX, &d->shows_count);
    d->has_passes = vals[LD_STATION_PASSES].p;
    if (d->has_passes)
        d->passes = ld_take_texts(b, vals[LD_STATION_PASSES], "passes", UINT32_MAX, &d->passes_count);
    take_form(b, vals[LD_STATION_FORM], s, d);
    s->lease_us =
        ld_take_duration(b, vals[LD_STATION_LEASE], "lease", SL_LEASE_US_MIN, SL_LEASE_US_MAX, DEFAULT_LEASE_US);
    s->backoff_us = ld_take_duration(b, vals[LD_STATION_BACKOFF], "backoff", 0, SL_DELAY_US_MAX, DEFAULT_BACKOFF_US);
    s->start_by_us = ld_take_duration(b, vals[LD_STATION_START_BY], "start_by", SL_LEASE_US_MIN, SL_LEASE_US_MAX, 0);
    s->attempts =
        (uint32_t)ld_take_count(b, vals[LD_STATION_ATTEMPTS], "attempts", 1, SL_ATTEMPTS_MAX, DEFAULT_ATTEMPTS);
    s->at_once = (uint32_t)ld_take_count(b, vals[LD_STATION_AT_ONCE], "at_once", 1, SL_AT_ONCE_MAX, 0);
    s->reward_micros = ld_take_millionths(b, vals[LD_STATION_REWARD], "reward", LD_S_MONEY);
    ld_review_keys(b, vals, s, d);
    ld_window(b, vals[LD_STATION_WINDOW], s);
    ld_require(b, vals[LD_STATION_REQUIRE], s);
    d->require = vals[LD_STATION_REQUIRE];
    d->gold = vals[LD_STATION_GOLD];
    ld_agree(b, vals[LD_STATION_COPIES], vals[LD_STATION_AGREE], s, d);
    ld_tournament(b, vals, s, d);
}

static void take_stations(struct ld_build *b, struct slr r)
{
    const char *at = r.p;
    struct slr_value head = ld_read_value(&r);
    uint32_t was = ld_path_key(b, ld_str("stations"));
    if (head.n == 0)
        ld_problem(b, at, "'stations' is empty: a line has at least one station");
    if (head.n > SL_LINE_STATIONS_MAX)
        ld_problem(b, at, "'stations' has %u stations, more than %d", head.n, SL_LINE_STATIONS_MAX);
    uint32_t n = head.n > SL_LINE_STATIONS_MAX ? SL_LINE_STATIONS_MAX : head.n;
    uint32_t room =
        n * 2 < SL_LINE_STATIONS_MAX ? n * 2 : SL_LINE_STATIONS_MAX; /* each may be a tournament, and have a jury */
    b->drafts = ld_get(&b->temp, room, sizeof *b->drafts);
    b->line->stations = ld_get(&b->keep, room, sizeof *b->line->stations);
    if (ld_memory_out(b))
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct ld_station *s = &b->line->stations[i];
        uint32_t list = ld_path_index(b, i);
        take_station(b, &r, s, &b->drafts[i]);
        b->line->station_count = i + 1;
        for (uint32_t j = 0; j < i && s->name.n; j++)
            if (ld_same(s->name, b->line->stations[j].name)) {
                ld_path_key(b, ld_str("name"));
                ld_problem(b, b->drafts[i].at, "duplicate station name '%s'", LD_Q(s->name));
                break;
            }
        b->path_n = list;
    }
    b->named = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t list = ld_path_index(b, i);
        if (b->line->stations[i].type == LD_TOURNAMENT)
            ld_jury(b, i);
        b->path_n = list;
    }
    b->path_n = was;
}

static void take_currency(struct ld_build *b, struct slr r)
{
    struct slp_bytes c = ld_take_text(r);
    bool good = c.n == 3;
    for (uint32_t i = 0; good && i < 3; i++)
        good = c.p[i] >= 'A' && c.p[i] <= 'Z';
    if (!r.p) {
        c = ld_str("USD");
    } else if (!good) {
        uint32_t was = ld_path_key(b, ld_str("currency"));
        ld_problem(b, r.p, "'currency' is '%s', but must be three capital letters such as USD", LD_Q(c));
        b->path_n = was;
    }
    b->line->currency = c;
}

void ld_parse(struct ld_build *b, struct slr r)
{
    struct slr vals[LD_KEYS_MAX];
    if (!ld_take_map(b, &r, &ld_line_map, vals))
        return;
    b->line->name = ld_take_text(vals[LD_LINE_NAME]);
    b->line->title = ld_take_text(vals[LD_LINE_TITLE]);
    take_currency(b, vals[LD_LINE_CURRENCY]);
    b->input_unknown = !vals[LD_LINE_INPUT].p;
    if (!b->input_unknown) {
        b->line->inputs =
            take_fields(b, vals[LD_LINE_INPUT], "input", &ld_input_map, SL_INPUT_FIELDS_MAX, &b->line->input_count);
        if (b->line->inputs && b->line->input_count == 0)
            ld_problem_on(b, vals[LD_LINE_INPUT].p, "input", "'input' is empty: a line has at least one input field");
    }
    if (vals[LD_LINE_STATIONS].p)
        take_stations(b, vals[LD_LINE_STATIONS]);
}
