/* Stations of type improve: which station's work they review, what a reviewer fills in, and what a verdict is. Their form is that of the work with a verdict behind it, so whoever can
 * fill in a form can review. */
#include <stdio.h>
#include <string.h>

#include "proto/ld_read.h"

#define ROUNDS_MAX 100
#define FIRST_MAX 50 /* less than a window is sure to hold where the station says none: 7/8 of 64 */
#define DEFAULT_ROUNDS 3
#define DEFAULT_RETURN_US (4 * 3600 * 1000000ll)

/* ---- the keys ---- */

static const struct {
    int key;
    const char *name;
    bool of_reject; /* it says what becomes of work that is sent back */
} keys[] = {
    { LD_STATION_REASONS, "reasons", false },       { LD_STATION_AUTHOR, "author", false },
    { LD_STATION_ROUNDS, "rounds", true },          { LD_STATION_RETURN, "return_to_author", true },
    { LD_STATION_EXHAUSTED, "on_exhausted", true }, { LD_STATION_SAMPLE, "sample", false },
    { LD_STATION_FIRST, "first", false },
};

static void problem_at(struct ld_build *b, const char *at, const char *key, const char *text)
{
    uint32_t was = ld_path_key(b, ld_str(key));
    ld_problem(b, at, "'%s' %s", key, text);
    b->path_n = was;
}

void ld_review_keys(struct ld_build *b, const struct slr *vals, struct ld_station *s, struct ld_draft *d)
{
    struct ld_review *v = &s->review;
    bool reasons = vals[LD_STATION_REASONS].end != NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *at = vals[keys[i].key].p;
        if (at && s->type != LD_IMPROVE && !d->form_unknown)
            problem_at(b, at, keys[i].name, "is for stations of type improve");
        else if (at && s->type == LD_IMPROVE && keys[i].of_reject && !reasons)
            problem_at(b, at, keys[i].name, "is for reviews that can reject: name their 'reasons'");
    }
    if (s->type != LD_IMPROVE)
        return;
    if (vals[LD_STATION_COPIES].p)
        problem_at(b, vals[LD_STATION_COPIES].p, "copies", "does not go with type improve: one verdict is enough");
    d->reasons_at = vals[LD_STATION_REASONS].p;
    if (d->reasons_at)
        v->reasons = ld_take_choices(b, vals[LD_STATION_REASONS], "reasons", "a reason",
                                     "'reasons' is empty: name what work can be rejected for, or leave it out",
                                     &v->reason_count);
    if (vals[LD_STATION_AUTHOR].p) {
        struct slr r = vals[LD_STATION_AUTHOR];
        v->author = ld_read_value(&r).b;
    }
    v->rounds = (uint32_t)ld_take_count(b, vals[LD_STATION_ROUNDS], "rounds", 1, ROUNDS_MAX, DEFAULT_ROUNDS);
    v->return_us =
        ld_take_duration(b, vals[LD_STATION_RETURN], "return_to_author", 0, SL_DELAY_US_MAX, DEFAULT_RETURN_US);
    if (vals[LD_STATION_EXHAUSTED].p)
        d->exhausted = (struct ld_item){ vals[LD_STATION_EXHAUSTED].p, ld_take_text(vals[LD_STATION_EXHAUSTED]) };
    if (vals[LD_STATION_SAMPLE].p) {
        uint32_t found = b->found_count;
        int64_t share = ld_take_millionths(b, vals[LD_STATION_SAMPLE], "sample", LD_S_DECIMAL);
        if (b->found_count == found && (share <= 0 || share > 1000000))
            problem_at(b, vals[LD_STATION_SAMPLE].p, "sample", "must be more than 0, and at most 1");
        v->sample_micros = share > 0 && share <= 1000000 ? (uint32_t)share : 0;
    }
    v->first = (uint32_t)ld_take_count(b, vals[LD_STATION_FIRST], "first", 1, FIRST_MAX, 0);
}

/* ---- what it reviews ---- */

static bool path_to(struct ld_build *b, uint32_t station, const char *key)
{
    b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u]%s%s", station, *key ? "." : "", key);
    return true;
}

/* The one station before it; -1 after a problem. */
static int reviewed(struct ld_build *b, uint32_t index)
{
    struct ld_line *l = b->line;
    struct ld_station *s = &l->stations[index];
    struct ld_draft *d = &b->drafts[index];
    path_to(b, index, d->has_after ? "after" : "");
    if (s->after_count != 1) {
        ld_problem(b, d->at,
                   "a station of type improve comes after one station, whose work it reviews; '%s' comes after %u",
                   LD_Q(s->name), s->after_count);
        return -1;
    }
    struct ld_station *up = &l->stations[s->after[0]];
    if (up->reviewed_by >= 0) {
        ld_problem(b, d->at, "station '%s' is reviewed by '%s' already; to review the review, come after that",
                   LD_Q(ld_given_name(l, s->after[0])), LD_Q(l->stations[up->reviewed_by].name));
        return -1;
    }
    if (s->review.first && up->copies.max) {
        path_to(b, index, "first");
        ld_problem(b, d->at, "station '%s' has several answers to a task: there is no one author who may be new",
                   LD_Q(up->name));
        path_to(b, index, d->has_after ? "after" : "");
    }
    /* Who has more results in the window is new no more (review.c): it must be sure to hold one more than `first`. */
    uint32_t held = up->window_last - up->window_last / 8;
    if (s->review.first && !up->copies.max && s->review.first >= held) {
        path_to(b, index, "first");
        ld_problem(b, d->at,
                   "'first' must be less than %u: station '%s' is sure to remember no more of a worker (7/8 of its "
                   "window's 'last'), so he would stay new",
                   held, LD_Q(ld_given_name(l, s->after[0])));
        path_to(b, index, d->has_after ? "after" : "");
    }
    if (up->copies.max && up->copies.method == LD_ALL)
        ld_problem(b, d->at, "station '%s' keeps all answers (method all): there is no one answer to review",
                   LD_Q(up->name));
    if (up->copies.max && d->reasons_at) {
        path_to(b, index, "reasons");
        ld_problem(b, d->reasons_at,
                   "station '%s' has several answers to a task: its work can be improved, but not sent back, so "
                   "'reasons' must go",
                   LD_Q(ld_given_name(l, s->after[0])));
    }
    up->reviewed_by = (int)index;
    s->review.of = s->after[0];
    return s->after[0];
}

static void take_exhausted(struct ld_build *b, uint32_t index)
{
    struct ld_line *l = b->line;
    struct ld_station *s = &l->stations[index];
    struct ld_item it = b->drafts[index].exhausted;
    if (!it.at || ld_same(it.text, ld_str("dead")))
        return;
    path_to(b, index, "on_exhausted");
    for (uint32_t i = 0; i < s->next_count; i++) {
        struct ld_station *n = &l->stations[s->next[i]];
        if (ld_same(n->name, it.text) && n->type == LD_IMPROVE)
            ld_problem(b, it.at, "'on_exhausted' names '%s', which is a review itself", LD_Q(it.text));
        if (ld_same(n->name, it.text))
            s->review.exhausted = s->next[i];
    }
    if (s->review.exhausted < 0)
        ld_problem(b, it.at, "'on_exhausted' names '%s', but no such station comes directly after '%s' (or say dead)",
                   LD_Q(it.text), LD_Q(s->name));
}

static void make_fields(struct ld_build *b, uint32_t index)
{
    struct ld_station *s = &b->line->stations[index];
    const struct ld_station *up = &b->line->stations[s->review.of];
    uint32_t n = ld_work_fields(up), own = s->review.reason_count ? 3 : 2;
    struct ld_field *f = ld_get(&b->keep, n + own + 1, sizeof *f);
    struct slp_bytes *verdicts = ld_get(&b->keep, 3, sizeof *verdicts), *names = ld_get(&b->keep, n, sizeof *names);
    if (!f || !verdicts || !names)
        return;
    path_to(b, index, "");
    if (n + own > SL_FORM_FIELDS_MAX)
        ld_problem(b, b->drafts[index].at, "the work has %u fields, and a review has %u more: at most %d fit a form", n,
                   own, SL_FORM_FIELDS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        f[i] = up->fields[i];
        f[i].required = false;
        names[i] = f[i].name;
    }
    for (int i = 0; i < 3; i++)
        verdicts[i] = ld_str(ld_verdict_words[i]);
    f[n + LD_REVIEW_VERDICT] = ld_made_field("verdict", LD_RADIO, true, verdicts, own);
    f[n + LD_REVIEW_NOTE] = ld_made_field("note", LD_LONG_ANSWER, false, NULL, 0);
    f[n + LD_REVIEW_NOTE].chars_max = SL_TEXT_BYTES_MAX;
    if (own == 3)
        f[n + LD_REVIEW_REASON] = ld_made_field("reason", LD_SELECT, false, s->review.reasons, s->review.reason_count);
    f[n + own] = ld_made_field("changed", LD_CHECK_BOX, false, names, n);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = n; k <= n + own; k++)
            if (ld_same(f[i].name, f[k].name))
                ld_problem(b, b->drafts[index].at, "station '%s' has a field '%s': a review adds one of that name",
                           LD_Q(ld_given_name(b->line, (uint32_t)s->review.of)), LD_Q(f[i].name));
    s->fields = s->form = f;
    s->review.work = n;
    s->field_count = n + own;
    s->value_count = n + own + 1;
}

/* ---- a form that no file has, packed for agents: as it would stand in a line file ---- */

static void pack_field(struct slp_buf *p, const struct ld_field *f, bool required)
{
    bool min = f->min == f->min, max = f->max == f->max;
    slp_pack_map(p, 2u + (f->label.n > 0) + (f->hint.n > 0) + required + (f->option_count > 0) + min + max +
                        (f->chars_max > 0));
    slp_pack_cstr(p, "name");
    slp_pack_str(p, f->name.p, f->name.n);
    slp_pack_cstr(p, "type");
    slp_pack_cstr(p, ld_type_words[f->type]);
    if (f->label.n) {
        slp_pack_cstr(p, "label");
        slp_pack_str(p, f->label.p, f->label.n);
    }
    if (f->hint.n) {
        slp_pack_cstr(p, "hint");
        slp_pack_str(p, f->hint.p, f->hint.n);
    }
    if (required) {
        slp_pack_cstr(p, "required");
        slp_pack_bool(p, true);
    }
    if (f->option_count) {
        slp_pack_cstr(p, "options");
        slp_pack_array(p, f->option_count);
        for (uint32_t i = 0; i < f->option_count; i++)
            slp_pack_str(p, f->options[i].p, f->options[i].n);
    }
    if (min) {
        slp_pack_cstr(p, "min");
        slp_pack_double(p, f->min);
    }
    if (max) {
        slp_pack_cstr(p, "max");
        slp_pack_double(p, f->max);
    }
    if (f->chars_max) {
        slp_pack_cstr(p, "chars_max");
        slp_pack_u64(p, f->chars_max);
    }
}

/* Of the fields of the work, `work` tells which are required: they may be left out, but not emptied. */
void ld_make_form(struct ld_build *b, struct ld_station *s, const struct ld_field *work)
{
    struct slp_buf p = { 0 };
    slp_pack_map(&p, 1u + (s->title.n > 0) + (s->instruction.n > 0));
    if (s->title.n) {
        slp_pack_cstr(&p, "title");
        slp_pack_str(&p, s->title.p, s->title.n);
    }
    if (s->instruction.n) {
        slp_pack_cstr(&p, "instruction");
        slp_pack_str(&p, s->instruction.p, s->instruction.n);
    }
    slp_pack_cstr(&p, "fields");
    slp_pack_array(&p, s->field_count);
    for (uint32_t i = 0; i < s->field_count; i++)
        pack_field(&p, &s->fields[i], i < s->review.work ? work[i].required : s->fields[i].required);
    char *copy = p.failed ? NULL : ld_get(&b->keep, p.n, 1);
    if (copy) {
        memcpy(copy, p.p, p.n);
        s->form_raw = (struct slp_bytes){ copy, (uint32_t)p.n };
    } else {
        b->keep.failed = true;
    }
    slp_buf_free(&p);
}

void ld_reviews(struct ld_build *b)
{
    struct ld_line *l = b->line;
    for (uint32_t k = 0; !b->graph_broken && k < l->station_count; k++) {
        uint32_t i = l->order[k];
        if (l->stations[i].type != LD_IMPROVE)
            continue;
        int up = reviewed(b, i);
        take_exhausted(b, i);
        if (up >= 0 && !b->drafts[up].form_unknown && !ld_memory_out(b)) {
            make_fields(b, i);
            if (!ld_memory_out(b))
                ld_make_form(b, &l->stations[i], ld_origin(l, &l->stations[i])->fields);
            b->drafts[i].form_unknown = false;
        }
        b->path_n = 0;
    }
}

/* ---- a verdict ---- */

static struct slp_bytes next_value(struct slr *r)
{
    const char *p = r->p;
    if (r->p == r->end || slr_skip(r, SL_DEPTH_MAX))
        return (struct slp_bytes){ "\xc0", 1 };
    return (struct slp_bytes){ p, (uint32_t)(r->p - p) };
}

static bool is_nil(struct slp_bytes v)
{
    return v.n == 1 && (uint8_t)*v.p == 0xc0;
}

static bool is_empty(struct slp_bytes v)
{
    return is_nil(v) || (v.n == 1 && ((uint8_t)*v.p == 0xa0 || (uint8_t)*v.p == 0x90));
}

static void pack_or_nil(struct slp_buf *b, struct slp_bytes v)
{
    if (is_empty(v))
        slp_pack_nil(b);
    else
        slp_buf_add(b, v.p, v.n);
}

static int refuse(const struct ld_station *s, uint32_t at, const char *what, uint32_t *field, char *text, size_t size)
{
    snprintf(text, size, "%s: %s", LD_Q(s->fields[at].name), what);
    *field = at;
    return -1;
}

int ld_review(const struct ld_station *s, const struct ld_field *work_fields, const struct slp_list *work,
              const struct slp_list *given, struct slp_buf *out, uint32_t *field, char *text, size_t text_size)
{
    const struct ld_review *v = &s->review;
    struct slr was = slr_on(work->p, work->bytes), is = slr_on(given->p, given->bytes);
    bool changed[SL_FORM_FIELDS_MAX] = { 0 };
    uint32_t n = v->work, first = n;
    for (uint32_t i = 0; i < n; i++) {
        struct slp_bytes old = next_value(&was), new = next_value(&is), stands = is_nil(new) ? old : new;
        changed[i] = !(is_empty(stands) && is_empty(old)) && (stands.n != old.n || memcmp(stands.p, old.p, old.n) != 0);
        if (changed[i] && work_fields[i].required && is_empty(stands))
            return refuse(s, i, "is required", field, text, text_size);
        first = changed[i] && first == n ? i : first;
        if (changed[i] && is_empty(stands))
            slp_pack_nil(out);
        else
            slp_buf_add(out, stands.p, stands.n);
    }
    struct slp_bytes word = next_value(&is), note = next_value(&is), reason = next_value(&is);
    struct slr r = slr_on(word.p, word.n);
    struct slr_value value = ld_read_value(&r);
    int verdict = LD_ACCEPT;
    while (verdict < LD_REJECT && !ld_same(ld_str(ld_verdict_words[verdict]), ld_bytes_of(&value)))
        verdict++; /* it is one of them: its options were checked */
    if (verdict == LD_REJECT ? is_empty(reason) : v->reason_count && !is_empty(reason))
        return refuse(s, n + LD_REVIEW_REASON,
                      verdict == LD_REJECT ? "is required when work is rejected" : "a reason is for what is rejected",
                      field, text, text_size);
    if (verdict == LD_IMPROVED && first == n)
        return refuse(s, n + LD_REVIEW_VERDICT, "improve, but nothing is changed: say accept", field, text, text_size);
    if (verdict != LD_IMPROVED && first < n)
        return refuse(s, first,
                      verdict == LD_ACCEPT ? "is changed, but the verdict is accept: say improve"
                                           : "is changed, but the verdict is reject: what is sent back stays as it is",
                      field, text, text_size);
    slp_buf_add(out, word.p, word.n);
    pack_or_nil(out, note);
    if (v->reason_count)
        pack_or_nil(out, reason);
    uint32_t changes = 0;
    for (uint32_t i = 0; i < n; i++)
        changes += changed[i];
    if (!changes) {
        slp_pack_nil(out);
        return verdict;
    }
    slp_pack_array(out, changes);
    for (uint32_t i = 0; i < n; i++)
        if (changed[i])
            slp_pack_str(out, s->fields[i].name.p, s->fields[i].name.n);
    return verdict;
}
