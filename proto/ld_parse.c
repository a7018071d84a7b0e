/* From packed maps to structs: keys, types of values, names, limits. What stations mean to each other comes later (ld_graph, ld_see). */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "proto/ld_int.h"

#define DEFAULT_LEASE_US (10 * 60 * 1000000ll)
#define DEFAULT_BACKOFF_US (10 * 1000000ll)
#define DEFAULT_ATTEMPTS 3

static const char *const wants[] = {
    [LD_S_NAME] = "a name",
    [LD_S_FIELD_NAME] = "a name",
    [LD_S_WORD] = "a word",
    [LD_S_TEXT] = "text",
    [LD_S_LONG_TEXT] = "text",
    [LD_S_BOOL] = "true or false",
    [LD_S_COUNT] = "a whole number",
    [LD_S_NUMBER] = "a number",
    [LD_S_MONEY] = "an amount such as 0.03",
    [LD_S_DURATION] = "a duration such as 30s, 10m, 2h or 1d",
    [LD_S_TEXTS] = "a list of texts",
    [LD_S_LEVELS] = "a map from skills to levels",
    [LD_S_MAP] = "a map of keys",
    [LD_S_MAPS] = "a list of maps",
};

static const char *type_text(const struct slr_value *v)
{
    switch (v->type) {
    case SLR_NIL: return "nothing";
    case SLR_BOOL: return v->b ? "true" : "false";
    case SLR_U64: return "a number";
    case SLR_I64: return "a negative number";
    case SLR_DOUBLE: return !isfinite(v->d) ? "infinity" : v->d < 0 ? "a negative number" : "a number with a fraction";
    case SLR_STR: return "text";
    case SLR_ARRAY: return "a list";
    case SLR_MAP: return "a map";
    case SLR_BIN:
    case SLR_EXT: break;
    }
    return "binary data";
}

static bool shape_fits(enum ld_shape shape, const struct slr_value *v)
{
    switch (shape) {
    case LD_S_NAME:
    case LD_S_FIELD_NAME:
    case LD_S_WORD:
    case LD_S_TEXT:
    case LD_S_LONG_TEXT: return v->type == SLR_STR;
    case LD_S_BOOL: return v->type == SLR_BOOL;
    case LD_S_COUNT: return v->type == SLR_U64;
    case LD_S_NUMBER: return v->type == SLR_U64 || v->type == SLR_I64 || (v->type == SLR_DOUBLE && isfinite(v->d));
    case LD_S_MONEY: return v->type == SLR_U64 || v->type == SLR_I64 || v->type == SLR_DOUBLE || v->type == SLR_STR;
    case LD_S_DURATION: return v->type == SLR_U64 || v->type == SLR_STR;
    case LD_S_TEXTS:
    case LD_S_MAPS: return v->type == SLR_ARRAY;
    case LD_S_LEVELS:
    case LD_S_MAP: return v->type == SLR_MAP;
    }
    return false;
}

/* Read the value at r, whose well-formedness was checked at the start. */
static struct slr_value read_value(struct slr *r)
{
    struct slr_value v;
    int rc = slr_next(r, &v);
    assert(rc == 0);
    return v;
}

static void skip_value(struct slr *r)
{
    int rc = slr_skip(r, SL_DEPTH_MAX);
    assert(rc == 0);
}

static struct slp_bytes bytes_of(const struct slr_value *v)
{
    return (struct slp_bytes){ v->p, v->n };
}

/* A string value that is `shape`; `what` names it in messages ("'title'", "option"). */
static bool text_good(struct ld_build *b, const char *at, const char *what, enum ld_shape shape, struct slp_bytes s)
{
    if (!sl_utf8_ok(s.p, s.n)) {
        ld_problem(b, at, "%s is not UTF-8", what);
    } else if (shape == LD_S_NAME && !sl_name_ok(s.p, s.n)) {
        ld_problem(b, at, "%s '%s': a name is 1 to %d of A-Z a-z 0-9 . _ - and begins with a letter or digit", what,
                   LD_Q(s), SL_NAME_BYTES_MAX);
    } else if (shape == LD_S_FIELD_NAME && (!sl_name_ok(s.p, s.n) || memchr(s.p, '.', s.n))) {
        ld_problem(b, at,
                   "%s '%s': a field's name is 1 to %d of A-Z a-z 0-9 _ - (no dot) and begins with a letter or digit",
                   what, LD_Q(s), SL_NAME_BYTES_MAX);
    } else if (shape == LD_S_TEXT && s.n > SL_TEXT_BYTES_MAX) {
        ld_problem(b, at, "%s has %u bytes, more than %d", what, s.n, SL_TEXT_BYTES_MAX);
    } else {
        return true;
    }
    return false;
}

/* Keys that later versions will know: a plain word instead of a guess. */
static bool planned_key(struct slp_bytes key)
{
    static const char *const planned[] = { "copies", "agree",  "gold",   "jury", "judge",
                                           "sample", "rounds", "prefer", "test", NULL };
    for (int i = 0; planned[i]; i++)
        if (ld_same(key, ld_str(planned[i])))
            return true;
    return false;
}

static void unknown_key(struct ld_build *b, const char *at, const struct ld_map *m, struct slp_bytes key)
{
    uint32_t was = ld_path_key(b, key);
    struct ld_guess guess;
    ld_guess_begin(&guess, key);
    for (uint32_t i = 0; i < m->count; i++)
        ld_guess_offer(&guess, ld_str(m->keys[i].name));
    if (m == &ld_station_map && planned_key(key))
        ld_problem(b, at, "unknown key '%s': not supported by this version", LD_Q(key));
    else
        ld_problem(b, at, "unknown key '%s'%s", LD_Q(key), ld_guess_end(&guess));
    b->path_n = was;
}

/* Read a map at r by its table. vals[i] is put before the value of key i; p is NULL if the key is missing (end is NULL, too) or its value
 * is of the wrong kind (which was reported then; end is set). False: this is no map, reported. */
static bool take_map(struct ld_build *b, struct slr *r, const struct ld_map *m, struct slr vals[LD_KEYS_MAX])
{
    const char *start = r->p;
    memset(vals, 0, LD_KEYS_MAX * sizeof *vals);
    struct slr_value head = read_value(r), v;
    if (head.type != SLR_MAP) {
        ld_problem(b, start, "%s must be a map of keys, not %s", m == &ld_line_map ? "a line definition" : m->what,
                   type_text(&head));
        struct slr again = { start, r->end };
        skip_value(&again);
        *r = again;
        return false;
    }
    uint32_t seen = 0;
    for (uint32_t i = 0; i < head.n; i++) {
        const char *at = r->p;
        struct slr_value key = read_value(r);
        struct slr value_at = *r, peek = *r;
        if (key.type != SLR_STR) {
            ld_problem(b, at, "a key must be text, not %s", type_text(&key));
            *r = (struct slr){ at, r->end };
            skip_value(r);
            skip_value(r);
            continue;
        }
        skip_value(r);
        int k = ld_key_find(m, key.p, key.n);
        if (k < 0) {
            unknown_key(b, at, m, bytes_of(&key));
            continue;
        }
        uint32_t was = ld_path_key(b, bytes_of(&key));
        v = read_value(&peek);
        enum ld_shape shape = m->keys[k].shape;
        char what[40] = "'";
        strcat(strcat(what, m->keys[k].name), "'");
        if (seen & 1u << k)
            ld_problem(b, at, "duplicate key %s", what);
        else if (!shape_fits(shape, &v))
            ld_problem(b, at, "%s must be %s, not %s", what, wants[shape], type_text(&v));
        else
            vals[k] = value_at;
        /* A name that breaks its rule is kept all the same: others may refer to it. */
        if (!(seen & 1u << k) && vals[k].p && v.type == SLR_STR)
            (void)text_good(b, at, what, shape, bytes_of(&v));
        vals[k].end = r->end;
        seen |= 1u << k;
        b->path_n = was;
    }
    for (uint32_t k = 0; k < m->count; k++)
        if (m->keys[k].required && !(seen & 1u << k))
            ld_problem(b, start, "missing key '%s'", m->keys[k].name);
    return true;
}

static const struct slp_bytes none = { "", 0 }; /* a text that is not there: empty, but never NULL */

static struct slp_bytes take_text(struct slr r)
{
    if (!r.p)
        return none;
    struct slr_value v = read_value(&r);
    return bytes_of(&v);
}

/* The index of a word in its list; `otherwise` if the key is absent; -1 after a problem. */
static int take_word(struct ld_build *b, struct slr r, const char *key, const char *const *words, int count,
                     int otherwise)
{
    if (!r.p)
        return otherwise;
    struct slp_bytes w = take_text(r);
    struct ld_guess guess;
    ld_guess_begin(&guess, w);
    char all[SL_TEXT_BYTES_MAX] = "";
    for (int i = 0; i < count; i++) {
        if (ld_same(w, ld_str(words[i])))
            return i;
        ld_guess_offer(&guess, ld_str(words[i]));
        strcat(strcat(all, i ? ", " : ""), words[i]);
    }
    uint32_t was = ld_path_key(b, ld_str(key));
    const char *meant = ld_guess_end(&guess);
    if (*meant)
        ld_problem(b, r.p, "unknown %s '%s'%s", key, LD_Q(w), meant);
    else
        ld_problem(b, r.p, "unknown %s '%s': it is one of %s", key, LD_Q(w), all);
    b->path_n = was;
    return -1;
}

static uint64_t take_count(struct ld_build *b, struct slr r, const char *key, uint64_t min, uint64_t max,
                           uint64_t otherwise)
{
    if (!r.p)
        return otherwise;
    struct slr_value v = read_value(&r);
    if (v.u64 >= min && v.u64 <= max)
        return v.u64;
    uint32_t was = ld_path_key(b, ld_str(key));
    ld_problem(b, r.p - 1, "'%s' is %llu, but must be %llu to %llu", key, (unsigned long long)v.u64,
               (unsigned long long)min, (unsigned long long)max);
    b->path_n = was;
    return otherwise;
}

static int64_t take_duration(struct ld_build *b, struct slr r, const char *key, int64_t min_us, int64_t max_us,
                             int64_t otherwise)
{
    if (!r.p)
        return otherwise;
    const char *at = r.p;
    struct slr_value v = read_value(&r);
    int64_t us = 0;
    uint32_t was = ld_path_key(b, ld_str(key));
    if (v.type == SLR_U64)
        us = v.u64 > (uint64_t)max_us / 1000000 ? INT64_MAX : (int64_t)v.u64 * 1000000;
    else if (ld_duration(v.p, v.n, &us) != 0)
        us = -1;
    if (us == -1)
        ld_problem(b, at, "'%s' is '%s', but must be %s", key, LD_Q(bytes_of(&v)), wants[LD_S_DURATION]);
    else if (us < min_us || us > max_us)
        ld_problem(b, at, "'%s' must be %lld seconds to %lld days", key, (long long)(min_us / 1000000),
                   (long long)(max_us / 86400000000));
    else
        otherwise = us;
    b->path_n = was;
    return otherwise;
}

static int64_t take_money(struct ld_build *b, struct slr r, const char *key)
{
    if (!r.p)
        return 0;
    const char *at = r.p;
    struct slr_value v = read_value(&r);
    int64_t micros = 0;
    int rc = v.type == SLR_STR                        ? ld_money(v.p, v.n, &micros)
             : v.type == SLR_DOUBLE                   ? ld_money_double(v.d, &micros)
             : v.type == SLR_I64                      ? -1
             : v.u64 > SL_REWARD_MICROS_MAX / 1000000 ? -3
                                                      : 0;
    if (v.type == SLR_U64 && rc == 0)
        micros = (int64_t)v.u64 * 1000000;
    uint32_t was = ld_path_key(b, ld_str(key));
    if (rc == -1 && v.type == SLR_STR)
        ld_problem(b, at, "'%s' is '%s', but must be %s", key, LD_Q(bytes_of(&v)), wants[LD_S_MONEY]);
    else if (rc == -1)
        ld_problem(b, at, "'%s' must be %s, not %s", key, wants[LD_S_MONEY], type_text(&v));
    else if (rc == -2)
        ld_problem(b, at, "'%s' has more than six decimals", key);
    else if (rc == -3)
        ld_problem(b, at, "'%s' is more than %lld", key, (long long)(SL_REWARD_MICROS_MAX / 1000000));
    b->path_n = was;
    return rc == 0 ? micros : 0;
}

/* A list of strings; *count of them in the arena. Each keeps its place. `shape` is what each must be; at most `max`. */
static struct ld_item *take_texts(struct ld_build *b, struct slr r, const char *key, uint32_t max, uint32_t *count)
{
    const char *at = r.p;
    *count = 0;
    struct slr_value head = read_value(&r);
    uint32_t was = ld_path_key(b, ld_str(key));
    if (head.n > max)
        ld_problem(b, at, "'%s' has %u items, more than %u", key, head.n, max);
    uint32_t n = head.n > max ? max : head.n;
    struct ld_item *items = ld_get(&b->temp, n, sizeof *items);
    for (uint32_t i = 0; items && i < n; i++) {
        const char *item_at = r.p;
        struct slr_value v = read_value(&r);
        uint32_t list = ld_path_index(b, i);
        if (v.type != SLR_STR) {
            ld_problem(b, item_at, "'%s' must hold texts, not %s", key, type_text(&v));
            r.p = item_at;
            skip_value(&r);
        } else if (text_good(b, item_at, key, LD_S_TEXT, bytes_of(&v))) {
            items[(*count)++] = (struct ld_item){ item_at, bytes_of(&v) };
        }
        b->path_n = list;
    }
    b->path_n = was;
    return items;
}

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
    uint32_t n;
    const char *at = r.p;
    struct ld_item *items = take_texts(b, r, "options", SL_OPTIONS_MAX, &n);
    was = ld_path_key(b, ld_str("options"));
    struct slr_value head = read_value(&r);
    if (head.n == 0)
        ld_problem(b, at, "'options' is empty");
    f->options = ld_get(&b->keep, n, sizeof *f->options);
    for (uint32_t i = 0; items && f->options && i < n; i++) {
        f->options[i] = items[i].text;
        uint32_t list = ld_path_index(b, i);
        if (items[i].text.n == 0)
            ld_problem(b, items[i].at, "an option must not be empty");
        for (uint32_t j = 0; j < i; j++)
            if (ld_same(items[j].text, items[i].text)) {
                ld_problem(b, items[i].at, "duplicate option '%s'", LD_Q(items[i].text));
                break;
            }
        b->path_n = list;
    }
    f->option_count = n;
    b->path_n = was;
}

static double take_number(struct ld_build *b, struct slr r, const char *key, const struct ld_field *f)
{
    if (!r.p)
        return NAN;
    const char *at = r.p;
    struct slr_value v = read_value(&r);
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
    *f = (struct ld_field){ .name = none, .label = none, .hint = none, .min = NAN, .max = NAN };
    if (!take_map(b, r, m, vals))
        return;
    f->name = take_text(vals[LD_FIELD_NAME]);
    f->label = take_text(vals[LD_FIELD_LABEL]);
    f->hint = take_text(vals[LD_FIELD_HINT]);
    int count = 0;
    while (ld_type_words[count])
        count++;
    int type = take_word(b, vals[LD_FIELD_TYPE], "type", ld_type_words, count, -1);
    if (type >= LD_INPUT_TYPES && m == &ld_input_map) {
        uint32_t was = ld_path_key(b, ld_str("type"));
        ld_problem(b, vals[LD_FIELD_TYPE].p,
                   "type '%s' is for forms: an input field is one of text, general, email, url, number, date, time, "
                   "datetime, phone",
                   ld_type_words[type]);
        b->path_n = was;
    }
    if (vals[LD_FIELD_REQUIRED].p)
        f->required = read_value(&vals[LD_FIELD_REQUIRED]).b;
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
    f->chars_max = (uint32_t)take_count(b, vals[LD_FIELD_CHARS_MAX], "chars_max", 1, SL_RESULT_BYTES_MAX, 0);
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
    struct slr_value head = read_value(&r);
    uint32_t was = ld_path_key(b, ld_str(key));
    if (head.n > max)
        ld_problem(b, at, "'%s' has %u fields, more than %u", key, head.n, max);
    *count = head.n > max ? max : head.n;
    struct ld_field *fields = ld_get(&b->keep, *count, sizeof *fields);
    for (uint32_t i = 0; fields && i < *count; i++) {
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
    struct slr_value head = read_value(&r);
    uint32_t was = ld_path_key(b, ld_str("skills"));
    if (head.n > SL_SKILLS_MAX)
        ld_problem(b, at, "'skills' has %u skills, more than %d", head.n, SL_SKILLS_MAX);
    uint32_t n = head.n > SL_SKILLS_MAX ? SL_SKILLS_MAX : head.n;
    s->skills = ld_get(&b->keep, n, sizeof *s->skills);
    for (uint32_t i = 0; s->skills && i < n; i++) {
        const char *key_at = r.p;
        struct slr_value key = read_value(&r);
        if (key.type != SLR_STR) {
            ld_problem(b, key_at, "a skill must be a name, not %s", type_text(&key));
            r.p = key_at;
            skip_value(&r);
            skip_value(&r);
            continue;
        }
        struct ld_skill skill = { bytes_of(&key), 0 };
        uint32_t map = ld_path_key(b, skill.name);
        struct slr value_at = r;
        struct slr_value level = read_value(&r);
        if (!text_good(b, key_at, "skill", LD_S_NAME, skill.name)) {
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
        skip_value(&r);
        b->path_n = map;
    }
    b->path_n = was;
}

static void take_worker(struct ld_build *b, struct slr r, struct ld_station *s)
{
    if (!r.p)
        return;
    struct slr vals[LD_KEYS_MAX];
    uint32_t was = ld_path_key(b, ld_str("worker"));
    if (take_map(b, &r, &ld_worker_map, vals)) {
        int kind = take_word(b, vals[LD_WORKER_KIND], "kind", ld_kind_words, 3, LD_ANY);
        s->kind = kind < 0 ? LD_ANY : (enum ld_kind)kind;
        if (vals[LD_WORKER_SKILLS].p)
            take_skills(b, vals[LD_WORKER_SKILLS], s);
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
    if (take_map(b, &r, &ld_form_map, vals)) {
        s->form_raw = (struct slp_bytes){ start, (uint32_t)(r.p - start) };
        if (s->title.n == 0)
            s->title = take_text(vals[LD_FORM_TITLE]);
        s->instruction = take_text(vals[LD_FORM_INSTRUCTION]);
        if (vals[LD_FORM_FIELDS].p)
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
    int type = take_word(b, r, "type", ld_station_words, 3, LD_WORK);
    s->type = type < 0 ? LD_WORK : (enum ld_station_type)type;
    if (type == LD_WORK)
        return;
    d->form_unknown = true; /* such a station may have fields that are not written in its form */
    if (type > 0) {
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
    s->name = s->title = s->instruction = none;
    if (!take_map(b, r, &ld_station_map, vals)) {
        d->form_unknown = true;
        return;
    }
    s->name = take_text(vals[LD_STATION_NAME]);
    s->title = take_text(vals[LD_STATION_TITLE]);
    take_station_type(b, vals[LD_STATION_TYPE], s, d);
    take_worker(b, vals[LD_STATION_WORKER], s);
    d->has_after = vals[LD_STATION_AFTER].p;
    b->graph_broken |= !d->has_after && vals[LD_STATION_AFTER].end;
    if (d->has_after)
        d->after = take_texts(b, vals[LD_STATION_AFTER], "after", SL_LINE_STATIONS_MAX, &d->after_count);
    if (vals[LD_STATION_WHEN].p)
        d->when = (struct ld_item){ vals[LD_STATION_WHEN].p, take_text(vals[LD_STATION_WHEN]) };
    d->has_shows = vals[LD_STATION_SHOWS].p;
    if (d->has_shows)
        d->shows = take_texts(b, vals[LD_STATION_SHOWS], "shows", SL_SHOWS_MAX, &d->shows_count);
    d->has_passes = vals[LD_STATION_PASSES].p;
    if (d->has_passes)
        d->passes = take_texts(b, vals[LD_STATION_PASSES], "passes", UINT32_MAX, &d->passes_count);
    take_form(b, vals[LD_STATION_FORM], s, d);
    s->lease_us = take_duration(b, vals[LD_STATION_LEASE], "lease", SL_LEASE_US_MIN, SL_LEASE_US_MAX, DEFAULT_LEASE_US);
    s->backoff_us = take_duration(b, vals[LD_STATION_BACKOFF], "backoff", 0, SL_DELAY_US_MAX, DEFAULT_BACKOFF_US);
    s->start_by_us = take_duration(b, vals[LD_STATION_START_BY], "start_by", SL_LEASE_US_MIN, SL_LEASE_US_MAX, 0);
    s->attempts = (uint32_t)take_count(b, vals[LD_STATION_ATTEMPTS], "attempts", 1, SL_ATTEMPTS_MAX, DEFAULT_ATTEMPTS);
    s->reward_micros = take_money(b, vals[LD_STATION_REWARD], "reward");
}

static void take_stations(struct ld_build *b, struct slr r)
{
    const char *at = r.p;
    struct slr_value head = read_value(&r);
    uint32_t was = ld_path_key(b, ld_str("stations"));
    if (head.n == 0)
        ld_problem(b, at, "'stations' is empty: a line has at least one station");
    if (head.n > SL_LINE_STATIONS_MAX)
        ld_problem(b, at, "'stations' has %u stations, more than %d", head.n, SL_LINE_STATIONS_MAX);
    uint32_t n = head.n > SL_LINE_STATIONS_MAX ? SL_LINE_STATIONS_MAX : head.n;
    b->drafts = ld_get(&b->temp, n, sizeof *b->drafts);
    b->line->stations = ld_get(&b->keep, n, sizeof *b->line->stations);
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
    b->path_n = was;
}

static void take_currency(struct ld_build *b, struct slr r)
{
    struct slp_bytes c = take_text(r);
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
    if (!take_map(b, &r, &ld_line_map, vals))
        return;
    b->line->name = take_text(vals[LD_LINE_NAME]);
    b->line->title = take_text(vals[LD_LINE_TITLE]);
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
