/* The keys `copies` and `agree`: how many independent answers a task gets, and how they become one. What can be known to end nowhere is a mistake
 * here: a rule for ties that has nobody to ask, a posterior over answers that nobody can count. */
#include <string.h>

#include "proto/ld_read.h"

static const char *const ignore_words[] = { "case", "space" };
#define ANSWERS_MAX 1000000 /* different ones, of a posterior */

static bool take_copies(struct ld_build *b, struct slr r, struct ld_copies *c)
{
    struct slr vals[LD_KEYS_MAX], whole = r;
    uint32_t was = ld_path_key(b, ld_str("copies"));
    bool good = ld_take_map(b, &r, &ld_copies_map, vals) && vals[LD_COPIES_MIN].p;
    if (good) {
        c->min = (uint32_t)ld_take_count(b, vals[LD_COPIES_MIN], "min", 1, SL_COPIES_MAX, 1);
        c->max = (uint32_t)ld_take_count(b, vals[LD_COPIES_MAX], "max", 1, SL_COPIES_MAX, c->min);
        if (c->max < c->min) {
            ld_problem(b, whole.p, "'min' is greater than 'max'");
            c->max = c->min;
        }
    }
    b->path_n = was;
    return good;
}

bool ld_has_text(const struct ld_field *f)
{
    enum ld_type t = f->type;
    return f->option_count == 0 && (t == LD_TEXT || t == LD_GENERAL || t == LD_EMAIL || t == LD_URL || t == LD_PHONE ||
                                    t == LD_SHORT_ANSWER || t == LD_LONG_ANSWER);
}

/* Which form fields must agree: those named, else all of them. */
static void take_on(struct ld_build *b, struct slr r, struct ld_station *s)
{
    struct ld_copies *c = &s->copies;
    bool on[SL_FORM_FIELDS_MAX] = { 0 };
    uint32_t n = 0;
    struct ld_item *items = r.p ? ld_take_texts(b, r, "on", SL_FORM_FIELDS_MAX, &n) : NULL;
    uint32_t was = ld_path_key(b, ld_str("on"));
    if (r.p && n == 0)
        ld_problem(b, r.p, "'on' is empty: name the fields that must agree");
    for (uint32_t i = 0; items && i < n; i++) {
        uint32_t list = ld_path_index(b, i), f = 0;
        while (f < s->field_count && !ld_same(s->fields[f].name, items[i].text))
            f++;
        if (f == s->field_count) {
            struct ld_guess guess;
            ld_guess_begin(&guess, items[i].text);
            for (uint32_t k = 0; k < s->field_count; k++)
                ld_guess_offer(&guess, s->fields[k].name);
            ld_problem(b, items[i].at, "'on' names '%s', but the form has no such field%s", LD_Q(items[i].text),
                       ld_guess_end(&guess));
        } else if (on[f]) {
            ld_problem(b, items[i].at, "'on' names '%s' twice", LD_Q(items[i].text));
        } else {
            on[f] = true;
        }
        b->path_n = list;
    }
    b->path_n = was;
    c->on = ld_get(&b->keep, s->field_count, sizeof *c->on);
    for (uint32_t f = 0; c->on && f < s->field_count; f++)
        if (!r.p || on[f])
            c->on[c->on_count++] = (uint16_t)f;
}

static void take_ignore(struct ld_build *b, struct slr r, struct ld_copies *c)
{
    uint32_t n = 0;
    struct ld_item *items = ld_take_texts(b, r, "ignore", 8, &n);
    uint32_t was = ld_path_key(b, ld_str("ignore"));
    for (uint32_t i = 0; items && i < n; i++) {
        uint32_t list = ld_path_index(b, i);
        if (ld_same(items[i].text, ld_str(ignore_words[0])))
            c->ignore_case = true;
        else if (ld_same(items[i].text, ld_str(ignore_words[1])))
            c->ignore_space = true;
        else
            ld_problem(b, items[i].at, "'ignore' names '%s': it is one of case, space", LD_Q(items[i].text));
        b->path_n = list;
    }
    b->path_n = was;
}

/* `on`, `ignore` and `tolerance` of a station whose form may be known, wherever they stand; each may be absent. */
void ld_take_allowances(struct ld_build *b, struct slr on, struct slr ignore, struct slr tolerance,
                        struct ld_station *s, const struct ld_draft *d)
{
    struct ld_copies *c = &s->copies;
    if (ignore.p)
        take_ignore(b, ignore, c);
    c->tolerance_micros = ld_take_millionths(b, tolerance, "tolerance", LD_S_DECIMAL);
    if (!d->form_unknown)
        take_on(b, on, s);
}

static bool any_text(const struct ld_station *s)
{
    for (uint32_t i = 0; i < s->copies.on_count; i++)
        if (ld_has_text(&s->fields[s->copies.on[i]]))
            return true;
    return false;
}

static bool any_number(const struct ld_station *s)
{
    for (uint32_t i = 0; i < s->copies.on_count; i++)
        if (s->fields[s->copies.on[i]].type == LD_NUMBER)
            return true;
    return false;
}

void ld_check_allowances(struct ld_build *b, struct slr ignore, struct slr tolerance, const struct ld_station *s)
{
    if (ignore.p && !any_text(s))
        ld_problem_at(b, ignore, "ignore", NULL, "'ignore' is for texts, and none of the fields is one");
    else if (tolerance.p && !any_number(s))
        ld_problem_at(b, tolerance, "tolerance", NULL, "'tolerance' is for numbers, and none of the fields is one");
}

/* How many different answers there are, as the posterior needs to know; 0 after a problem. */
static uint64_t count_answers(struct ld_build *b, const struct ld_station *s, const char *at)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < s->copies.on_count; i++) {
        const struct ld_field *f = &s->fields[s->copies.on[i]];
        if (f->option_count == 0 || f->type == LD_CHECK_BOX) {
            ld_problem(b, at,
                       "method posterior must know how many answers there are, and '%s' is no choice of one of its "
                       "options: name others with 'on'",
                       LD_Q(f->name));
            return 0;
        }
        n *= f->option_count + !f->required;
        if (n > ANSWERS_MAX) {
            ld_problem(b, at, "method posterior: there are more than %d different answers", ANSWERS_MAX);
            return 0;
        }
    }
    return n;
}

static void check_method(struct ld_build *b, struct ld_station *s, const struct slr *vals, const char *at,
                         bool fields_known)
{
    struct ld_copies *c = &s->copies;
    bool plurality = c->method == LD_PLURALITY, posterior = c->method == LD_POSTERIOR;
    const struct {
        int key;
        const char *name;
        bool goes;
    } with[] = {
        { LD_AGREE_ON, "on", c->method != LD_ALL },       { LD_AGREE_TIES, "ties", plurality },
        { LD_AGREE_CONFIDENCE, "confidence", posterior }, { LD_AGREE_IGNORE, "ignore", plurality },
        { LD_AGREE_TOLERANCE, "tolerance", plurality },
    };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (vals[with[i].key].p && !with[i].goes) {
            uint32_t was = ld_path_key(b, ld_str(with[i].name));
            ld_problem(b, vals[with[i].key].p, "'%s' does not go with method %s", with[i].name,
                       ld_method_words[c->method]);
            b->path_n = was;
        }
    if (plurality && !vals[LD_AGREE_TIES].end)
        ld_problem(b, at,
                   "missing key 'ties': what happens when two answers have as many votes: more, first, review or fail");
    if (plurality && vals[LD_AGREE_TIES].p && c->ties == LD_TIES_MORE && c->max == c->min)
        ld_problem_at(b, vals[LD_AGREE_TIES], "ties", NULL,
                      "'ties' asks for more answers, but 'max' of the copies is no greater than 'min'");
    if (posterior && !vals[LD_AGREE_CONFIDENCE].end)
        ld_problem(b, at, "missing key 'confidence': how sure the leading answer must be, such as 0.95");
    if (posterior && vals[LD_AGREE_CONFIDENCE].p && c->confidence_micros == 0)
        ld_problem_at(b, vals[LD_AGREE_CONFIDENCE], "confidence", NULL, "'confidence' must lie between 0 and 1");
    if (!fields_known || c->method == LD_ALL)
        return;
    if (s->field_count == 0)
        ld_problem(b, at, "there is nothing to agree on: the form has no fields");
    else if (plurality)
        ld_check_allowances(b, vals[LD_AGREE_IGNORE], vals[LD_AGREE_TOLERANCE], s);
    else if (posterior)
        c->answers = count_answers(b, s, at);
}

static void take_agree(struct ld_build *b, struct slr r, struct ld_station *s, const struct ld_draft *d)
{
    struct ld_copies *c = &s->copies;
    struct slr vals[LD_KEYS_MAX];
    const char *at = r.p;
    int64_t confidence = 0;
    uint32_t found = 0;
    uint32_t was = ld_path_key(b, ld_str("agree"));
    if (ld_take_map(b, &r, &ld_agree_map, vals)) {
        int method = ld_take_word(b, vals[LD_AGREE_METHOD], "method", ld_method_words, 3, -1);
        int ties = ld_take_word(b, vals[LD_AGREE_TIES], "ties", ld_ties_words, 4, LD_TIES_MORE);
        c->ties = ties < 0 ? LD_TIES_FIRST : (enum ld_ties)ties;
        found = b->found_count;
        if (vals[LD_AGREE_CONFIDENCE].p)
            confidence = ld_take_millionths(b, vals[LD_AGREE_CONFIDENCE], "confidence", LD_S_DECIMAL);
        c->confidence_micros = confidence > 0 && confidence < 1000000 ? (uint32_t)confidence : 0;
        if (b->found_count != found) /* it is no number, which was said */
            c->confidence_micros = 1;
        ld_take_allowances(b, vals[LD_AGREE_ON], vals[LD_AGREE_IGNORE], vals[LD_AGREE_TOLERANCE], s, d);
        if (method >= 0) {
            c->method = (enum ld_method)method;
            check_method(b, s, vals, at, !d->form_unknown);
        }
    }
    b->path_n = was;
}

/* What the station adds to what its form has. Its names are taken: a form field of the same name would hide it. `to` hands them on. */
void ld_add_fields(struct ld_build *b, const struct ld_station *s, struct ld_station *to, const struct ld_draft *d,
                   const enum ld_rule *rules, uint32_t rule_count)
{
    static const char *const names[LD_ADDS] = { "answers", "votes", "confidence", "decided" };
    uint32_t adds = s->copies.method == LD_ALL ? 1 : LD_ADDS;
    struct ld_field *f = ld_get(&b->keep, s->field_count + adds, sizeof *f);
    struct slp_bytes *rule = ld_get(&b->keep, rule_count, sizeof *rule);
    if (!f || !rule)
        return;
    for (uint32_t i = 0; i < rule_count; i++)
        rule[i] = ld_str(ld_rule_word(rules[i]));
    if (s->field_count)
        memcpy(f, s->form, s->field_count * sizeof *f);
    for (uint32_t i = 0; i < adds; i++) {
        for (uint32_t k = 0; k < s->field_count; k++)
            if (ld_same(f[k].name, ld_str(names[i])))
                ld_problem(b, d->at, "the form has a field '%s': a %s adds one of that name", names[i],
                           s->type == LD_TOURNAMENT ? "tournament" : "station with copies");
        f[s->field_count + i] = i == LD_ADDS_DECIDED ? ld_made_field(names[i], LD_SELECT, false, rule, rule_count)
                                                     : ld_made_field(names[i], LD_NUMBER, false, NULL, 0);
    }
    to->fields = f;
    to->value_count = s->field_count + adds;
}

void ld_agree(struct ld_build *b, struct slr copies, struct slr agree, struct ld_station *s, const struct ld_draft *d)
{
    static const enum ld_rule rules[] = { LD_RULE_PLURALITY, LD_RULE_POSTERIOR, LD_RULE_ALL,
                                          LD_RULE_FIRST,     LD_RULE_REVIEW,    LD_RULE_MAX };
    s->value_count = s->field_count;
    s->form = s->fields;
    if (s->type == LD_TOURNAMENT) /* ld_tournament.c */
        return;
    if (!copies.p) {
        if (agree.p && !copies.end)
            ld_problem_at(b, agree, "agree", NULL, "'agree' is for stations with 'copies'");
        return;
    }
    if (!take_copies(b, copies, &s->copies))
        return;
    if (agree.p)
        take_agree(b, agree, s, d);
    else if (!agree.end)
        ld_problem_at(b, copies, "copies", NULL, "missing key 'agree': how the answers become one");
    ld_add_fields(b, s, s, d, rules, sizeof rules / sizeof *rules);
}
