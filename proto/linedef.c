/* Compiling a line: memory, the list of mistakes, the stages in their order, and what versions of a line have in common. */
#include "proto/linedef.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ld_int.h"
#include "proto/utf8.h"

/* ---- arenas ---- */
struct ld_chunk {
    struct ld_chunk *older;
    size_t used, cap;
    max_align_t data[];
};

void *ld_get(struct ld_arena *a, size_t count, size_t each)
{
    const size_t align = sizeof(max_align_t), usual = 16 * 1024;
    size_t n = (count * each + align) / align * align; /* counts are bounded by limits.h: no overflow */
    if (a->failed)
        return NULL;
    if (!a->head || a->head->cap - a->head->used < n) {
        size_t cap = n > usual ? n : usual;
        struct ld_chunk *c = calloc(1, sizeof *c + cap);
        if (!c) {
            a->failed = true;
            return NULL;
        }
        c->cap = cap;
        c->older = a->head;
        a->head = c;
    }
    void *p = (char *)a->head->data + a->head->used;
    a->head->used += n;
    return p;
}

void ld_arena_free(struct ld_chunk *head)
{
    while (head) {
        struct ld_chunk *older = head->older;
        free(head);
        head = older;
    }
}

/* ---- mistakes ---- */
uint32_t ld_path_key(struct ld_build *b, struct slp_bytes key)
{
    uint32_t was = b->path_n;
    int n = snprintf(b->path + was, sizeof b->path - was, "%s%s", was ? "." : "", LD_Q(key));
    b->path_n = was + (uint32_t)n < sizeof b->path ? was + (uint32_t)n : (uint32_t)sizeof b->path - 1;
    return was;
}

uint32_t ld_path_index(struct ld_build *b, uint32_t index)
{
    uint32_t was = b->path_n;
    int n = snprintf(b->path + was, sizeof b->path - was, "[%u]", index);
    b->path_n = was + (uint32_t)n < sizeof b->path ? was + (uint32_t)n : (uint32_t)sizeof b->path - 1;
    return was;
}

static char *keep_text(struct ld_build *b, const char *s)
{
    size_t n = strlen(s);
    char *copy = ld_get(&b->temp, n + 1, 1);
    if (copy)
        memcpy(copy, s, n + 1);
    return copy;
}

static void problem_list(struct ld_build *b, const char *at, const char *path, const char *format, va_list args)
{
    if (b->found_count == SL_PROBLEMS_MAX) {
        b->found_more++;
        return;
    }
    char text[SL_TEXT_BYTES_MAX];
    vsnprintf(text, sizeof text, format, args);
    text[sl_utf8_cut(text, strlen(text))] = 0;
    if (!b->found)
        b->found = ld_get(&b->temp, SL_PROBLEMS_MAX, sizeof *b->found);
    struct ld_found f = { at, keep_text(b, path), keep_text(b, text) };
    if (!ld_memory_out(b))
        b->found[b->found_count++] = f;
}

void ld_problem(struct ld_build *b, const char *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    b->path[b->path_n] = 0;
    problem_list(b, at, b->path, format, args);
    va_end(args);
}

void ld_problem_on(struct ld_build *b, const char *at, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_list(b, at, path, format, args);
    va_end(args);
}

/* The stages find mistakes in their own order; people read them in the file's. Insertion sort: stable, and there are few. */
static void problems_out(struct ld_build *b, ld_problem_fn *problem, void *arg)
{
    for (uint32_t i = 1; i < b->found_count; i++) {
        struct ld_found f = b->found[i];
        uint32_t j = i;
        for (; j > 0 && b->found[j - 1].at > f.at; j--)
            b->found[j] = b->found[j - 1];
        b->found[j] = f;
    }
    for (uint32_t i = 0; i < b->found_count; i++)
        problem(arg, b->found[i].path, b->found[i].text);
    if (b->found_more) {
        char text[64];
        snprintf(text, sizeof text, "and %u more mistakes", b->found_more);
        problem(arg, "", text);
    }
}

void ld_guess_begin(struct ld_guess *g, struct slp_bytes written)
{
    *g = (struct ld_guess){ .written = written, .likeness = UINT32_MAX };
}

void ld_guess_offer(struct ld_guess *g, struct slp_bytes word)
{
    uint32_t likeness = ld_likeness(g->written, word);
    if (likeness < g->likeness) {
        g->likeness = likeness;
        g->best = word;
    }
}

const char *ld_guess_end(struct ld_guess *g)
{
    if (g->likeness != UINT32_MAX)
        snprintf(g->text, sizeof g->text, ", did you mean '%s'?", LD_Q(g->best));
    return g->text;
}

/* ---- the whole ---- */
static void compile(struct ld_build *b, const char *packed, size_t n)
{
    char *copy = ld_get(&b->keep, n, 1);
    b->line = ld_get(&b->keep, 1, sizeof *b->line);
    if (!copy || !b->line)
        return;
    memcpy(copy, packed, n);
    b->base = copy;
    b->base_bytes = n;
    b->line->definition = (struct slp_bytes){ copy, (uint32_t)n };
    struct slr r = slr_on(copy, n), whole = r;
    if (slr_skip(&whole, SL_DEPTH_MAX) != 0 || whole.p != whole.end) {
        ld_problem(b, copy, "the definition is not one well-formed msgpack value, at most %d levels deep",
                   SL_DEPTH_MAX);
        return;
    }
    ld_parse(b, r);
    if (!ld_memory_out(b) && b->line->stations)
        ld_graph(b);
    if (!ld_memory_out(b) && b->line->stations)
        ld_reviews(b);
    if (!ld_memory_out(b) && b->line->stations)
        ld_not_did(b);
    if (!ld_memory_out(b) && b->line->stations)
        ld_see(b);
    if (!ld_memory_out(b) && b->line->stations)
        ld_gold(b);
}

struct ld_line *ld_compile(const char *packed, size_t n, ld_problem_fn *problem, void *arg)
{
    if (n > SL_LINE_BYTES_MAX) {
        char text[96];
        snprintf(text, sizeof text, "the definition has %zu bytes, more than %d", n, SL_LINE_BYTES_MAX);
        problem(arg, "", text);
        return NULL;
    }
    struct ld_build *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    compile(b, packed, n);
    struct ld_line *line = NULL;
    if (!ld_memory_out(b)) {
        problems_out(b, problem, arg);
        if (b->found_count == 0) {
            line = b->line;
            line->arena = b->keep.head;
        }
    }
    ld_arena_free(b->temp.head);
    if (!line)
        ld_arena_free(b->keep.head);
    free(b);
    return line;
}

static void has_problem(void *arg, const char *path, const char *text)
{
    (void)path;
    (void)text;
    *(bool *)arg = true;
}

struct ld_line *ld_compile_again(const char *packed, size_t n, bool *damaged)
{
    *damaged = false;
    return ld_compile(packed, n, has_problem, damaged);
}

void ld_free(struct ld_line **line)
{
    if (line && *line) {
        ld_arena_free((*line)->arena); /* the line itself lies in there */
        *line = NULL;
    }
}

/* ---- compatible versions ---- */
static bool same_number(double a, double b)
{
    return a == b || (a != a && b != b); /* NaN: no limit */
}

static bool same_fields(const struct ld_field *a, uint32_t a_count, const struct ld_field *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!ld_same(a[i].name, b[i].name) || a[i].type != b[i].type || a[i].required != b[i].required ||
            a[i].option_count != b[i].option_count || !same_number(a[i].min, b[i].min) ||
            !same_number(a[i].max, b[i].max) || a[i].chars_max != b[i].chars_max)
            return false;
        for (uint32_t j = 0; j < a[i].option_count; j++)
            if (!ld_same(a[i].options[j], b[i].options[j]))
                return false;
    }
    return true;
}

static bool same_copies(const struct ld_copies *a, const struct ld_copies *b)
{
    if (a->min != b->min || a->max != b->max || a->method != b->method || a->ties != b->ties ||
        a->confidence_micros != b->confidence_micros || a->on_count != b->on_count ||
        a->ignore_case != b->ignore_case || a->ignore_space != b->ignore_space ||
        a->tolerance_micros != b->tolerance_micros || a->equal != b->equal)
        return false;
    for (uint32_t i = 0; i < a->on_count; i++)
        if (a->on[i] != b->on[i])
            return false;
    return true;
}

static bool same_review(const struct ld_review *a, const struct ld_review *b)
{
    if (a->of != b->of || a->reason_count != b->reason_count || a->author != b->author || a->rounds != b->rounds ||
        a->exhausted != b->exhausted || a->sample_micros != b->sample_micros || a->first != b->first)
        return false;
    for (uint32_t i = 0; i < a->reason_count; i++)
        if (!ld_same(a->reasons[i], b->reasons[i]))
            return false;
    return true;
}

static bool same_names(const struct ld_names *a, const struct ld_names *b)
{
    for (uint32_t i = 0; a->count == b->count && i < a->count; i++)
        if (!ld_same(a->name[i], b->name[i]))
            return false;
    return a->count == b->count;
}

static bool same_station(const struct ld_station *a, const struct ld_station *b)
{
    if (!ld_same(a->name, b->name) || a->type != b->type || a->kind != b->kind || a->skill_count != b->skill_count ||
        a->after_count != b->after_count || a->show_count != b->show_count || !a->when != !b->when)
        return false;
    for (uint32_t i = 0; i < a->skill_count; i++)
        if (!ld_same(a->skills[i].name, b->skills[i].name) || a->skills[i].level != b->skills[i].level)
            return false;
    if (a->prefer != b->prefer || !same_names(&a->only_hubs, &b->only_hubs) ||
        !same_names(&a->not_hubs, &b->not_hubs) || !same_names(&a->only_teams, &b->only_teams) ||
        !same_names(&a->not_teams, &b->not_teams) || a->not_did_count != b->not_did_count)
        return false;
    for (uint32_t i = 0; i < a->not_did_count; i++)
        if (a->not_did[i] != b->not_did[i])
            return false;
    for (uint32_t i = 0; i < a->after_count; i++)
        if (a->after[i] != b->after[i])
            return false;
    for (uint32_t i = 0; i < a->show_count; i++)
        if (a->shows[i].station != b->shows[i].station || a->shows[i].field != b->shows[i].field)
            return false;
    if (a->when && !ld_same(ld_expr_source(a->when), ld_expr_source(b->when)))
        return false;
    return same_copies(&a->copies, &b->copies) && same_review(&a->review, &b->review) &&
           same_fields(a->form, a->field_count, b->form, b->field_count) &&
           same_fields(a->fields, a->value_count, b->fields, b->value_count);
}

bool ld_compatible(const struct ld_line *old_line, const struct ld_line *new_line)
{
    if (!ld_same(old_line->name, new_line->name) || !ld_same(old_line->currency, new_line->currency) ||
        old_line->station_count != new_line->station_count ||
        !same_fields(old_line->inputs, old_line->input_count, new_line->inputs, new_line->input_count))
        return false;
    for (uint32_t i = 0; i < old_line->station_count; i++)
        if (!same_station(&old_line->stations[i], &new_line->stations[i]))
            return false;
    return true;
}

bool ld_when(const struct ld_station *s, ld_get_fn *get, void *arg)
{
    return !s->when || ld_expr_true(s->when, get, arg);
}
