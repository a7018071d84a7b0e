/* The key `gold`: control tasks, whose answers are known. The line file names a CSV file; what reads it sends its cells as texts, row by row, with the
 * names of its columns. Here each cell becomes a packed value, and is checked against the field that it stands for; what can never do anything is a
 * mistake: a rule that wants more control answers than there are tasks, a skill that nobody is asked for, a training that cannot end.
 *
 * A column is what the station shows, or an answer: the name of a form field, or `answer.NAME` where something shown has that name. */
#include <stdio.h>
#include <string.h>

#include "proto/ld_read.h"

#define EVERY_DEFAULT 10
#define AFTER_DEFAULT 5

static const char *const do_words[] = { "suspend", "lower", "train" };
static const char *const ignore_words[] = { "case", "space" };
static const char answer_prefix[] = "answer.";
#define PREFIX_BYTES (sizeof answer_prefix - 1)

static void at_key(struct ld_build *b, struct slr r, const char *key, const char *text)
{
    ld_problem_at(b, r, key, NULL, text);
}

/* ---- columns ---- */

struct column {
    int32_t show, answer;
}; /* one of them is not -1, or both are after a problem */

static int32_t form_field(const struct ld_station *s, struct slp_bytes name)
{
    for (uint32_t f = 0; f < s->field_count; f++)
        if (ld_same(s->fields[f].name, name))
            return (int32_t)f;
    return -1;
}

static struct column column_of(struct ld_build *b, const struct ld_station *s, struct ld_item item)
{
    struct column c = { -1, -1 };
    struct ld_guess guess;
    ld_guess_begin(&guess, item.text);
    for (uint32_t i = 0; i < s->show_count; i++) {
        if (ld_same(s->show_names[i], item.text))
            c.show = (int32_t)i;
        ld_guess_offer(&guess, s->show_names[i]);
    }
    for (uint32_t i = 0; i < s->field_count; i++)
        ld_guess_offer(&guess, s->fields[i].name);
    if (c.show >= 0)
        return c;
    c.answer = form_field(s, item.text);
    if (c.answer < 0 && item.text.n > PREFIX_BYTES && !memcmp(item.text.p, answer_prefix, PREFIX_BYTES))
        c.answer =
            form_field(s, (struct slp_bytes){ item.text.p + PREFIX_BYTES, item.text.n - (uint32_t)PREFIX_BYTES });
    if (c.answer < 0)
        ld_problem(b, item.at, "the gold file has a column '%s', but the station neither shows nor asks that%s",
                   LD_Q(item.text), ld_guess_end(&guess));
    return c;
}

/* ---- cells ---- */

static size_t str_head(char *to, uint32_t n) /* of a packed text */
{
    if (n < 32) {
        to[0] = (char)(0xa0 | n);
        return 1;
    }
    to[0] = (char)(n < 256 ? 0xd9 : n < 65536 ? 0xda : 0xdb);
    size_t bytes = n < 256 ? 1 : n < 65536 ? 2 : 4;
    for (size_t i = 0; i < bytes; i++)
        to[1 + i] = (char)(n >> (8 * (bytes - 1 - i)));
    return 1 + bytes;
}

static void put_text(char **to, const char *p, uint32_t n)
{
    *to += str_head(*to, n);
    if (n)
        memcpy(*to, p, n);
    *to += n;
}

/* A cell as its field's value: a text; of a check_box a list of what stands between bars. */
static struct slp_bytes pack_cell(struct ld_build *b, const struct ld_field *f, struct slp_bytes cell)
{
    uint32_t items = 1;
    for (uint32_t i = 0; i < cell.n; i++)
        items += cell.p[i] == '|';
    char *start = ld_get(&b->keep, cell.n + 5 * items + 8, 1), *to = start;
    if (!start)
        return (struct slp_bytes){ NULL, 0 };
    if (f->type != LD_CHECK_BOX) {
        put_text(&to, cell.p, cell.n);
        return (struct slp_bytes){ start, (uint32_t)(to - start) };
    }
    items = cell.n ? items : 0;
    if (items < 16) { /* the shortest form, as others send it */
        *to++ = (char)(0x90 | items);
    } else {
        *to++ = (char)0xdc;
        *to++ = (char)(items >> 8);
        *to++ = (char)items;
    }
    for (uint32_t i = 0, from = 0; i <= cell.n && items; i++)
        if (i == cell.n || cell.p[i] == '|') {
            put_text(&to, cell.p + from, i - from);
            from = i + 1;
        }
    return (struct slp_bytes){ start, (uint32_t)(to - start) };
}

static bool cell_good(struct ld_build *b, const char *at, const struct ld_field *field, bool asked,
                      struct slp_bytes name, uint32_t row, struct slp_bytes packed)
{
    struct ld_field f = *field;
    uint32_t bad;
    char text[256];
    if (asked) /* what is shown may have passed by the station that would have required it */
        f.required = false;
    if (ld_check_values(&f, 1, packed.p, packed.n, 1, &bad, text, sizeof text) == 0)
        return true;
    ld_problem(b, at, "row %u of the gold file: %s: %s", row + 1, LD_Q(name), text);
    return false;
}

static uint64_t mix(uint64_t h, struct slp_bytes v)
{
    for (uint32_t i = 0; i < v.n; i++)
        h = (h ^ (uint8_t)v.p[i]) * 0x100000001b3ull;
    return h;
}

/* ---- rows ---- */

struct sheet {
    struct ld_item *column, *cell;
    struct column *is;
    uint32_t columns, cells;
    const char *at;
};

static void take_row(struct ld_build *b, struct ld_station *s, const struct sheet *t, uint32_t row)
{
    struct ld_gold *g = &s->gold;
    struct slp_bytes *shown = g->shown + row * s->show_count, *wanted = g->wanted + row * g->answer_count;
    bool any = false;
    uint64_t h = 0xcbf29ce484222325ull;
    for (uint32_t c = 0; c < t->columns; c++) {
        struct ld_item cell = t->cell[row * t->columns + c];
        const struct column *is = &t->is[c];
        const struct ld_field *f = is->show >= 0 ? ld_field_of(b->line, s->shows[is->show]) : &s->fields[is->answer];
        struct slp_bytes packed = pack_cell(b, f, cell.text);
        if (ld_memory_out(b) ||
            (cell.text.n && !cell_good(b, t->at, f, is->show >= 0 ? s->shows[is->show].station >= 0 : true,
                                       t->column[c].text, row, packed)))
            continue;
        if (is->show >= 0) {
            if (!cell.text.n && f->required && s->shows[is->show].station < 0)
                ld_problem(b, t->at, "row %u of the gold file: %s: is required", row + 1, LD_Q(t->column[c].text));
            shown[is->show] = cell.text.n ? packed : (struct slp_bytes){ "\xc0", 1 }; /* nil, as an import sends it */
        } else if (cell.text.n) {
            for (uint32_t a = 0; a < g->answer_count; a++)
                if (g->answer[a].field == is->answer)
                    wanted[a] = packed;
            any = true;
        }
    }
    if (!any)
        ld_problem(b, t->at, "row %u of the gold file has no answer", row + 1);
    for (uint32_t i = 0; i < s->show_count; i++)
        h = mix((h ^ 0xff) * 0x100000001b3ull, shown[i]);
    g->digest[row] = h;
    for (uint32_t i = 0; i < g->answer_count; i++)
        h = mix((h ^ 0xfe) * 0x100000001b3ull, wanted[i]);
    g->secret = (g->secret ^ h) * 0x100000001b3ull;
    for (uint32_t i = 0; i < row; i++)
        if (g->digest[i] == g->digest[row]) {
            ld_problem(b, t->at, "row %u of the gold file shows the same as row %u", row + 1, i + 1);
            break;
        }
}

static bool columns_good(struct ld_build *b, struct ld_station *s, struct sheet *t)
{
    struct ld_gold *g = &s->gold;
    uint32_t found = b->found_count + b->found_more;
    t->is = ld_get(&b->temp, t->columns, sizeof *t->is);
    g->answer = ld_get(&b->keep, t->columns, sizeof *g->answer);
    for (uint32_t i = 0; t->is && g->answer && i < t->columns; i++) {
        t->is[i] = column_of(b, s, t->column[i]);
        for (uint32_t k = 0; k < i; k++)
            if ((t->is[i].show >= 0 && t->is[i].show == t->is[k].show) ||
                (t->is[i].answer >= 0 && t->is[i].answer == t->is[k].answer))
                ld_problem(b, t->column[i].at, "the gold file has two columns '%s'", LD_Q(t->column[i].text));
        if (t->is[i].answer >= 0)
            g->answer[g->answer_count++] = (struct ld_gold_answer){ .field = (uint16_t)t->is[i].answer };
    }
    for (uint32_t i = 0; t->is && i < s->show_count; i++) {
        bool there = false;
        for (uint32_t k = 0; k < t->columns && !there; k++)
            there = t->is[k].show == (int32_t)i;
        if (!there)
            ld_problem(b, t->at, "the gold file has no column '%s', which the station shows", LD_Q(s->show_names[i]));
    }
    if (t->is && !g->answer_count)
        ld_problem(b, t->at, "the gold file has no column of an answer: none is named like a field of the form");
    return !ld_memory_out(b) && found == b->found_count + b->found_more;
}

/* Texts of any length: they are values, not words of the definition. */
static struct ld_item *take_cells(struct ld_build *b, struct slr r, uint32_t *count)
{
    struct slr_value head = ld_read_value(&r);
    struct ld_item *items = ld_get(&b->temp, head.n, sizeof *items);
    *count = 0;
    for (uint32_t i = 0; items && i < head.n; i++) {
        const char *at = r.p;
        struct slr_value v = ld_read_value(&r);
        if (v.type != SLR_STR) {
            at_key(b, (struct slr){ at, r.end }, "cells", "'cells' must hold texts");
            return items;
        }
        if (!ld_text_good(b, at, "a cell", LD_S_LONG_TEXT, ld_bytes_of(&v)))
            return items;
        items[(*count)++] = (struct ld_item){ at, ld_bytes_of(&v) };
    }
    return items;
}

static void take_rows(struct ld_build *b, struct slr columns, struct slr cells, struct ld_station *s)
{
    struct ld_gold *g = &s->gold;
    struct sheet t = { .at = columns.p };
    t.column = ld_take_texts(b, columns, "columns", SL_SHOWS_MAX + SL_FORM_FIELDS_MAX, &t.columns);
    uint32_t found = b->found_count + b->found_more;
    t.cell = take_cells(b, cells, &t.cells);
    if (ld_memory_out(b) || found != b->found_count + b->found_more || !columns_good(b, s, &t))
        return;
    if (!t.cells || t.cells % t.columns) {
        at_key(b, cells, "cells",
               t.cells ? "the gold file has a row that is shorter than its header" : "the gold file has no rows");
        return;
    }
    g->row_count = t.cells / t.columns;
    if (g->row_count > SL_GOLD_ROWS_MAX) {
        ld_problem(b, t.at, "the gold file has %u rows, more than %d", g->row_count, SL_GOLD_ROWS_MAX);
        return;
    }
    g->shown = ld_get(&b->keep, (size_t)g->row_count * s->show_count, sizeof *g->shown);
    g->wanted = ld_get(&b->keep, (size_t)g->row_count * g->answer_count, sizeof *g->wanted);
    g->digest = ld_get(&b->keep, g->row_count, sizeof *g->digest);
    for (uint32_t i = 0; i < g->row_count && !ld_memory_out(b); i++)
        take_row(b, s, &t, i);
}

/* ---- how answers are compared ---- */

static void take_match(struct ld_build *b, struct slr *r, struct ld_station *s)
{
    struct slr vals[LD_KEYS_MAX];
    struct ld_gold_answer *a = NULL;
    uint32_t n = 0;
    if (!ld_take_map(b, r, &ld_match_map, vals) || !vals[LD_MATCH_FIELD].p)
        return;
    struct slp_bytes name = ld_take_text(vals[LD_MATCH_FIELD]);
    for (uint32_t i = 0; i < s->gold.answer_count; i++)
        if (ld_same(s->fields[s->gold.answer[i].field].name, name))
            a = &s->gold.answer[i];
    if (!a) {
        uint32_t was = ld_path_key(b, ld_str("field"));
        ld_problem(b, vals[LD_MATCH_FIELD].p, "'field' is '%s', but the gold file has no such answer", LD_Q(name));
        b->path_n = was;
        return;
    }
    const struct ld_field *f = &s->fields[a->field];
    if (vals[LD_MATCH_TOLERANCE].p && f->type != LD_NUMBER)
        at_key(b, vals[LD_MATCH_TOLERANCE], "tolerance", "'tolerance' is for numbers, and the field is none");
    else
        a->tolerance_micros = ld_take_millionths(b, vals[LD_MATCH_TOLERANCE], "tolerance", LD_S_DECIMAL);
    if (!vals[LD_MATCH_IGNORE].p)
        return;
    if (!ld_has_text(f)) {
        at_key(b, vals[LD_MATCH_IGNORE], "ignore", "'ignore' is for texts, and the field is none");
        return;
    }
    struct ld_item *items = ld_take_texts(b, vals[LD_MATCH_IGNORE], "ignore", 8, &n);
    for (uint32_t i = 0; items && i < n; i++)
        if (ld_same(items[i].text, ld_str(ignore_words[0])))
            a->ignore_case = true;
        else if (ld_same(items[i].text, ld_str(ignore_words[1])))
            a->ignore_space = true;
        else
            at_key(b, vals[LD_MATCH_IGNORE], "ignore", "'ignore' holds words that are not one of case, space");
}

/* ---- rules ---- */

static uint32_t take_share(struct ld_build *b, struct slr r, const char *key)
{
    int64_t micros = ld_take_millionths(b, r, key, LD_S_DECIMAL);
    if (r.p && (micros <= 0 || micros > 1000000))
        at_key(b, r, key, "must be a share: more than 0, at most 1");
    return micros > 0 && micros <= 1000000 ? (uint32_t)micros : 1;
}

static void only_with(struct ld_build *b, struct slr r, const char *key, bool goes, const char *text)
{
    if (r.p && !goes)
        at_key(b, r, key, text);
}

static void take_rule(struct ld_build *b, struct slr *r, struct ld_station *s, struct ld_gold_rule *rule)
{
    struct slr vals[LD_KEYS_MAX], whole = *r;
    if (!ld_take_map(b, r, &ld_rule_map, vals))
        return;
    int what = ld_take_word(b, vals[LD_RULE_DO], "do", do_words, 3, -1);
    rule->below_micros = take_share(b, vals[LD_RULE_BELOW], "below");
    rule->after = (uint32_t)ld_take_count(b, vals[LD_RULE_AFTER], "after", 1, SL_GOLD_ROWS_MAX, AFTER_DEFAULT);
    rule->what = what < 0 ? LD_SUSPEND : (enum ld_gold_do)what;
    rule->at = -1;
    if (what < 0)
        return;
    only_with(b, vals[LD_RULE_SKILL], "skill", what == LD_LOWER, "'skill' goes with 'do: lower'");
    only_with(b, vals[LD_RULE_AT], "at", what == LD_TRAIN, "'at' goes with 'do: train'");
    only_with(b, vals[LD_RULE_UNTIL], "until", what == LD_TRAIN, "'until' goes with 'do: train'");
    if (s->gold.row_count && rule->after > s->gold.row_count)
        ld_problem(b, whole.p,
                   "the rule waits for %u control answers, but there are %u control tasks, and nobody gets one twice",
                   rule->after, s->gold.row_count);
    if (rule->after > s->window_last - s->window_last / 8)
        ld_problem(b, whole.p,
                   "the rule waits for %u control answers, but the station's window is only sure to hold %u",
                   rule->after, s->window_last - s->window_last / 8);
    if (what == LD_LOWER) {
        rule->skill = ld_take_text(vals[LD_RULE_SKILL]);
        bool asked = false;
        for (uint32_t i = 0; i < s->skill_count; i++)
            asked = asked || ld_same(s->skills[i].name, rule->skill);
        if (!vals[LD_RULE_SKILL].end)
            ld_problem(b, whole.p, "missing key 'skill': which one is lowered");
        else if (!asked)
            ld_problem(b, whole.p,
                       "the rule lowers skill '%s', which the station does not ask for: it would change nothing here",
                       LD_Q(rule->skill));
    }
    if (what == LD_TRAIN) {
        rule->until_micros = vals[LD_RULE_UNTIL].p ? take_share(b, vals[LD_RULE_UNTIL], "until") : rule->below_micros;
        if (!vals[LD_RULE_AT].end)
            ld_problem(b, whole.p, "missing key 'at': the station that trains");
        struct slp_bytes name = ld_take_text(vals[LD_RULE_AT]);
        for (uint32_t i = 0; vals[LD_RULE_AT].p && i < b->line->station_count; i++)
            if (ld_same(b->line->stations[i].name, name))
                rule->at = (int16_t)i;
        if (vals[LD_RULE_AT].p && rule->at < 0)
            ld_problem(b, whole.p, "'at' names '%s', but there is no such station", LD_Q(name));
        if (rule->at >= 0 && &b->line->stations[rule->at] == s)
            ld_problem(b, whole.p,
                       "a worker who is in training gets nothing at this station: 'at' must name another one");
    }
}

/* ---- the whole ---- */

static void take_list(struct ld_build *b, struct slr r, struct ld_station *s, bool rules)
{
    struct slr_value head = ld_read_value(&r);
    uint32_t was = ld_path_key(b, ld_str(rules ? "rules" : "match"));
    if (rules)
        s->gold.rules = ld_get(&b->keep, head.n, sizeof *s->gold.rules);
    for (uint32_t i = 0; i < head.n && !ld_memory_out(b); i++) {
        uint32_t list = ld_path_index(b, i);
        if (rules)
            take_rule(b, &r, s, &s->gold.rules[s->gold.rule_count++]);
        else
            take_match(b, &r, s);
        b->path_n = list;
    }
    b->path_n = was;
}

static void take_gold(struct ld_build *b, struct slr r, struct ld_station *s)
{
    struct slr vals[LD_KEYS_MAX], whole = r;
    if (!ld_take_map(b, &r, &ld_gold_map, vals))
        return;
    s->gold.every = (uint32_t)ld_take_count(b, vals[LD_GOLD_EVERY], "every", 1, 1000, EVERY_DEFAULT);
    if (s->type != LD_WORK)
        ld_problem(b, whole.p, "'gold' is for stations of type work");
    else if (vals[LD_GOLD_FILE].p)
        at_key(b, vals[LD_GOLD_FILE], "file", "a broker reads no files: send what is in it as 'columns' and 'cells'");
    else if (!vals[LD_GOLD_COLUMNS].p || !vals[LD_GOLD_CELLS].p) {
        if (!vals[LD_GOLD_COLUMNS].end || !vals[LD_GOLD_CELLS].end)
            ld_problem(b, whole.p, "missing key 'file': where the control tasks are");
    } else
        take_rows(b, vals[LD_GOLD_COLUMNS], vals[LD_GOLD_CELLS], s);
    if (vals[LD_GOLD_MATCH].p)
        take_list(b, vals[LD_GOLD_MATCH], s, false);
    if (vals[LD_GOLD_RULES].p)
        take_list(b, vals[LD_GOLD_RULES], s, true);
}

void ld_gold(struct ld_build *b)
{
    for (uint32_t i = 0; i < b->line->station_count; i++) {
        struct ld_station *s = &b->line->stations[i];
        struct slr r = b->drafts[i].gold;
        if (!r.p || b->drafts[i].form_unknown || b->graph_broken || b->input_unknown)
            continue; /* what is missing elsewhere would be told again here */
        b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].gold", i);
        take_gold(b, r, s);
        b->path_n = 0;
    }
    for (uint32_t i = 0; i < b->line->station_count; i++) {
        struct ld_station *s = &b->line->stations[i];
        for (uint32_t k = 0; k < s->gold.rule_count; k++)
            if (s->gold.rules[k].what == LD_TRAIN && s->gold.rules[k].at >= 0 &&
                !b->line->stations[s->gold.rules[k].at].gold.every) {
                b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].gold.rules[%u].at", i, k);
                ld_problem(b, b->drafts[i].gold.p,
                           "the station that trains has no 'gold': training there would never end");
                b->path_n = 0;
            }
        for (uint32_t k = 0; k < s->gold.rule_count; k++) {
            const struct ld_gold_rule *rule = &s->gold.rules[k];
            const struct ld_station *at = rule->what == LD_TRAIN && rule->at >= 0 ? &b->line->stations[rule->at] : NULL;
            b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].gold.rules[%u].after", i, k);
            if (at && at->gold.every &&
                (rule->after > at->gold.row_count || rule->after > at->window_last - at->window_last / 8))
                ld_problem(b, b->drafts[i].gold.p,
                           "the station that trains has fewer control tasks, or a smaller window, than the %u that "
                           "are asked for: training there would never end",
                           rule->after);
            b->path_n = 0;
        }
        b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u]", i);
        ld_require_check(b, b->drafts[i].require, s);
        b->path_n = 0;
    }
}
