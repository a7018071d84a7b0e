/* One map, one key, one value at a time: see ld_read.h. Every type and limit of a single value is checked here. */
#include "proto/ld_read.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const struct slp_bytes ld_none = { "", 0 };

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
    [LD_S_DECIMAL] = "a number such as 0.95",
    [LD_S_DURATION] = "a duration such as 30s, 10m, 2h or 1d",
    [LD_S_TEXTS] = "a list of texts",
    [LD_S_LEVELS] = "a map from skills to levels",
    [LD_S_MAP] = "a map of keys",
    [LD_S_MAPS] = "a list of maps",
};

const char *ld_type_text(const struct slr_value *v)
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
    case LD_S_MONEY:
    case LD_S_DECIMAL: return v->type == SLR_U64 || v->type == SLR_I64 || v->type == SLR_DOUBLE || v->type == SLR_STR;
    case LD_S_DURATION: return v->type == SLR_U64 || v->type == SLR_STR;
    case LD_S_TEXTS:
    case LD_S_MAPS: return v->type == SLR_ARRAY;
    case LD_S_LEVELS:
    case LD_S_MAP: return v->type == SLR_MAP;
    }
    return false;
}

/* Read the value at r, whose well-formedness was checked at the start. */
struct slr_value ld_read_value(struct slr *r)
{
    struct slr_value v;
    int rc = slr_next(r, &v);
    assert(rc == 0);
    return v;
}

void ld_skip_value(struct slr *r)
{
    int rc = slr_skip(r, SL_DEPTH_MAX);
    assert(rc == 0);
}

struct slp_bytes ld_bytes_of(const struct slr_value *v)
{
    return (struct slp_bytes){ v->p, v->n };
}

void ld_problem_at(struct ld_build *b, struct slr r, const char *map, const char *key, const char *text)
{
    uint32_t was = ld_path_key(b, ld_str(map));
    if (key)
        ld_path_key(b, ld_str(key));
    ld_problem(b, r.p, "%s", text);
    b->path_n = was;
}

/* A string value that is `shape`; `what` names it in messages ("'title'", "option"). */
bool ld_text_good(struct ld_build *b, const char *at, const char *what, enum ld_shape shape, struct slp_bytes s)
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
    static const char *const planned[] = { "prefer", "test", NULL };
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
bool ld_take_map(struct ld_build *b, struct slr *r, const struct ld_map *m, struct slr vals[LD_KEYS_MAX])
{
    const char *start = r->p;
    memset(vals, 0, LD_KEYS_MAX * sizeof *vals);
    struct slr_value head = ld_read_value(r), v;
    if (head.type != SLR_MAP) {
        ld_problem(b, start, "%s must be a map of keys, not %s", m == &ld_line_map ? "a line definition" : m->what,
                   ld_type_text(&head));
        struct slr again = { start, r->end };
        ld_skip_value(&again);
        *r = again;
        return false;
    }
    uint32_t seen = 0;
    for (uint32_t i = 0; i < head.n; i++) {
        const char *at = r->p;
        struct slr_value key = ld_read_value(r);
        struct slr value_at = *r, peek = *r;
        if (key.type != SLR_STR) {
            ld_problem(b, at, "a key must be text, not %s", ld_type_text(&key));
            *r = (struct slr){ at, r->end };
            ld_skip_value(r);
            ld_skip_value(r);
            continue;
        }
        ld_skip_value(r);
        int k = ld_key_find(m, key.p, key.n);
        if (k < 0) {
            unknown_key(b, at, m, ld_bytes_of(&key));
            continue;
        }
        uint32_t was = ld_path_key(b, ld_bytes_of(&key));
        v = ld_read_value(&peek);
        enum ld_shape shape = m->keys[k].shape;
        char what[40] = "'";
        strcat(strcat(what, m->keys[k].name), "'");
        if (seen & 1u << k)
            ld_problem(b, at, "duplicate key %s", what);
        else if (!shape_fits(shape, &v))
            ld_problem(b, at, "%s must be %s, not %s", what, wants[shape], ld_type_text(&v));
        else
            vals[k] = value_at;
        /* A name that breaks its rule is kept all the same: others may refer to it. */
        if (!(seen & 1u << k) && vals[k].p && v.type == SLR_STR)
            (void)ld_text_good(b, at, what, shape, ld_bytes_of(&v));
        vals[k].end = r->end;
        seen |= 1u << k;
        b->path_n = was;
    }
    for (uint32_t k = 0; k < m->count; k++)
        if (m->keys[k].required && !(seen & 1u << k))
            ld_problem(b, start, "missing key '%s'", m->keys[k].name);
    return true;
}

struct slp_bytes ld_take_text(struct slr r)
{
    if (!r.p)
        return ld_none;
    struct slr_value v = ld_read_value(&r);
    return ld_bytes_of(&v);
}

/* The index of a word in its list; `otherwise` if the key is absent; -1 after a problem. */
int ld_take_word(struct ld_build *b, struct slr r, const char *key, const char *const *words, int count, int otherwise)
{
    if (!r.p)
        return otherwise;
    struct slp_bytes w = ld_take_text(r);
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

uint64_t ld_take_count(struct ld_build *b, struct slr r, const char *key, uint64_t min, uint64_t max,
                       uint64_t otherwise)
{
    if (!r.p)
        return otherwise;
    struct slr_value v = ld_read_value(&r);
    if (v.u64 >= min && v.u64 <= max)
        return v.u64;
    uint32_t was = ld_path_key(b, ld_str(key));
    ld_problem(b, r.p - 1, "'%s' is %llu, but must be %llu to %llu", key, (unsigned long long)v.u64,
               (unsigned long long)min, (unsigned long long)max);
    b->path_n = was;
    return otherwise;
}

int64_t ld_take_duration(struct ld_build *b, struct slr r, const char *key, int64_t min_us, int64_t max_us,
                         int64_t otherwise)
{
    if (!r.p)
        return otherwise;
    const char *at = r.p;
    struct slr_value v = ld_read_value(&r);
    int64_t us = 0;
    uint32_t was = ld_path_key(b, ld_str(key));
    if (v.type == SLR_U64)
        us = v.u64 > (uint64_t)max_us / 1000000 ? INT64_MAX : (int64_t)v.u64 * 1000000;
    else if (ld_duration(v.p, v.n, &us) != 0)
        us = -1;
    if (us == -1)
        ld_problem(b, at, "'%s' is '%s', but must be %s", key, LD_Q(ld_bytes_of(&v)), wants[LD_S_DURATION]);
    else if (us < min_us || us > max_us)
        ld_problem(b, at, "'%s' must be %llds to %lldd", key, (long long)(min_us / 1000000),
                   (long long)(max_us / 86400000000));
    else
        otherwise = us;
    b->path_n = was;
    return otherwise;
}

int64_t ld_take_millionths(struct ld_build *b, struct slr r, const char *key, enum ld_shape shape)
{
    if (!r.p)
        return 0;
    const char *at = r.p;
    struct slr_value v = ld_read_value(&r);
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
        ld_problem(b, at, "'%s' is '%s', but must be %s", key, LD_Q(ld_bytes_of(&v)), wants[shape]);
    else if (rc == -1)
        ld_problem(b, at, "'%s' must be %s, not %s", key, wants[shape], ld_type_text(&v));
    else if (rc == -2)
        ld_problem(b, at, "'%s' has more than six decimals", key);
    else if (rc == -3)
        ld_problem(b, at, "'%s' is more than %lld", key, (long long)(SL_REWARD_MICROS_MAX / 1000000));
    b->path_n = was;
    return rc == 0 ? micros : 0;
}

/* A list of strings; *count of them in the arena. Each keeps its place. `shape` is what each must be; at most `max`. */
struct ld_item *ld_take_texts(struct ld_build *b, struct slr r, const char *key, uint32_t max, uint32_t *count)
{
    const char *at = r.p;
    *count = 0;
    struct slr_value head = ld_read_value(&r);
    uint32_t was = ld_path_key(b, ld_str(key));
    if (head.n > max)
        ld_problem(b, at, "'%s' has %u items, more than %u", key, head.n, max);
    uint32_t n = head.n > max ? max : head.n;
    struct ld_item *items = ld_get(&b->temp, n, sizeof *items);
    for (uint32_t i = 0; items && i < n; i++) {
        const char *item_at = r.p;
        struct slr_value v = ld_read_value(&r);
        uint32_t list = ld_path_index(b, i);
        if (v.type != SLR_STR) {
            ld_problem(b, item_at, "'%s' must hold texts, not %s", key, ld_type_text(&v));
            r.p = item_at;
            ld_skip_value(&r);
        } else if (ld_text_good(b, item_at, key, LD_S_TEXT, ld_bytes_of(&v))) {
            items[(*count)++] = (struct ld_item){ item_at, ld_bytes_of(&v) };
        }
        b->path_n = list;
    }
    b->path_n = was;
    return items;
}

struct slp_bytes *ld_take_choices(struct ld_build *b, struct slr r, const char *key, const char *one, const char *none,
                                  uint32_t *count)
{
    struct ld_item *items = ld_take_texts(b, r, key, SL_OPTIONS_MAX, count);
    struct slp_bytes *v = ld_get(&b->keep, *count, sizeof *v);
    if (!v) /* memory is out: nobody looks for what is not there */
        *count = 0;
    uint32_t was = ld_path_key(b, ld_str(key));
    const char *at = r.p;
    if (ld_read_value(&r).n == 0)
        ld_problem(b, at, "%s", none);
    for (uint32_t i = 0; i < *count; i++) {
        v[i] = items[i].text;
        uint32_t list = ld_path_index(b, i);
        if (items[i].text.n == 0)
            ld_problem(b, items[i].at, "%s must not be empty", one);
        for (uint32_t j = 0; j < i; j++)
            if (ld_same(items[j].text, items[i].text)) {
                ld_problem(b, items[i].at, "duplicate %s '%s'", strchr(one, ' ') + 1, LD_Q(items[i].text));
                break;
            }
        b->path_n = list;
    }
    b->path_n = was;
    return v;
}

struct ld_field ld_made_field(const char *name, enum ld_type type, bool required, struct slp_bytes *options,
                              uint32_t option_count)
{
    return (struct ld_field){ .name = ld_str(name),
                              .label = ld_none,
                              .hint = ld_none,
                              .type = type,
                              .required = required,
                              .options = options,
                              .option_count = option_count,
                              .min = __builtin_nan(""),
                              .max = __builtin_nan("") };
}
