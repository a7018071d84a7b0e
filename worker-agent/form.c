#include "worker-agent/form.h"
#include "proto/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct first_problem {
    char *text;
    size_t size;
};

static void on_problem(void *arg, const char *path, const char *text)
{
    struct first_problem *p = arg;
    if (p->text[0] == 0)
        snprintf(p->text, p->size, "%s: %s", path, text);
}

static void no_memory(char *text, size_t text_size)
{
    snprintf(text, text_size, "out of memory");
    errno = ENOMEM;
}

struct ld_line *form_compile(struct slp_bytes form, char *text, size_t text_size)
{
    struct slp_buf b = { 0 };
    slp_pack_map(&b, 3);
    slp_pack_cstr(&b, "line");
    slp_pack_cstr(&b, "form");
    slp_pack_cstr(&b, "input");
    slp_pack_array(&b, 1);
    slp_pack_map(&b, 2);
    slp_pack_cstr(&b, "name");
    slp_pack_cstr(&b, "unit");
    slp_pack_cstr(&b, "type");
    slp_pack_cstr(&b, "text");
    slp_pack_cstr(&b, "stations");
    slp_pack_array(&b, 1);
    slp_pack_map(&b, 3);
    slp_pack_cstr(&b, "name");
    slp_pack_cstr(&b, "station");
    slp_pack_cstr(&b, "type");
    slp_pack_cstr(&b, "work");
    slp_pack_cstr(&b, "form");
    slp_buf_add(&b, form.p, form.n);
    struct first_problem first = { text, text_size };
    text[0] = 0;
    struct ld_line *line = b.failed ? NULL : ld_compile(b.p, b.n, on_problem, &first);
    slp_buf_free(&b);
    errno = EBADMSG;
    if (!line && text[0] == 0)
        no_memory(text, text_size);
    return line;
}

static bool same_name(struct slp_bytes a, const char *b)
{
    return a.n == strlen(b) && memcmp(a.p, b, a.n) == 0;
}

static void copy_name(char to[SL_NAME_BYTES_MAX + 1], struct slp_bytes from)
{
    size_t n = from.n <= SL_NAME_BYTES_MAX ? from.n : SL_NAME_BYTES_MAX;
    memcpy(to, from.p, n);
    to[n] = 0;
}

/* The fields behind those of the work begin with the verdict: no field of the work has its name. */
static bool review_of(struct form *f)
{
    struct ld_station *s = &f->review;
    *s = f->compiled->stations[0];
    struct ld_field *fields = calloc(s->field_count, sizeof *fields);
    if (!fields) {
        s->fields = NULL; /* those are the compiled form's */
        return false;
    }
    memcpy(fields, s->fields, s->field_count * sizeof *fields);
    s->fields = fields;
    for (; s->review.work < s->field_count && !same_name(fields[s->review.work].name, "verdict"); s->review.work++)
        fields[s->review.work].required = false;
    s->review.reason_count = s->field_count > s->review.work + LD_REVIEW_REASON;
    return true;
}

struct form *form_new(const char *body, size_t n, char *text, size_t text_size)
{
    struct form *f = calloc(1, sizeof *f);
    char *copy = malloc(n ? n : 1);
    struct slp_msg m;
    struct slp_fault fault;
    if (!f || !copy) {
        free(f);
        free(copy);
        no_memory(text, text_size);
        return NULL;
    }
    memcpy(copy, body, n);
    f->body = (struct slp_bytes){ copy, (uint32_t)n };
    if (slp_decode(copy, n, SLP_B2A, &m, &fault) != 0 || m.type != SLP_FORM) {
        snprintf(text, text_size, "not a form message");
        form_free(&f);
        errno = EBADMSG;
        return NULL;
    }
    f->station_id = m.u.form.station_id;
    copy_name(f->line, m.u.form.line);
    copy_name(f->station, m.u.form.station);
    f->shows = m.u.form.shows;
    f->reviews = m.u.form.reviews;
    f->compiled = form_compile(m.u.form.form, text, text_size);
    f->json = f->compiled ? json_of_packed(m.u.form.form.p, m.u.form.form.n) : NULL;
    if (!f->json) {
        if (f->compiled)
            no_memory(text, text_size);
        form_free(&f); /* free() keeps errno */
        return NULL;
    }
    f->fields = f->compiled->stations[0].fields;
    f->field_count = f->compiled->stations[0].field_count;
    if (f->reviews.n && !review_of(f)) {
        form_free(&f);
        no_memory(text, text_size);
        return NULL;
    }
    if (f->reviews.n)
        f->fields = f->review.fields;
    return f;
}

void form_free(struct form **fp)
{
    struct form *f = *fp;
    if (!f)
        return;
    *fp = NULL;
    json_decref(f->json);
    if (f->fields && f->fields == f->review.fields)
        free(f->review.fields);
    ld_free(&f->compiled);
    free((void *)(uintptr_t)f->body.p);
    free(f);
}

/* What is shown of the work: "STATION.field" by its field. */
static struct slp_bytes work_value(const struct form *f, const struct core_task *t, uint32_t i)
{
    struct slp_cursor names = slp_each(f->shows), values = slp_each(t->fields);
    struct slp_bytes name, value, want = f->fields[i].name;
    while (slp_next_str(&names, &name) && slp_next_raw(&values, &value))
        if (name.n == f->reviews.n + 1 + want.n && memcmp(name.p, f->reviews.p, f->reviews.n) == 0 &&
            name.p[f->reviews.n] == '.' && memcmp(name.p + f->reviews.n + 1, want.p, want.n) == 0)
            return value;
    return (struct slp_bytes){ "\xc0", 1 };
}

static json_t *review_json(const struct form *f, const struct core_task *t)
{
    json_t *work = json_object();
    for (uint32_t i = 0; work && i < f->review.review.work; i++) {
        struct slp_bytes v = work_value(f, t, i), name = f->fields[i].name;
        if (json_object_setn_new(work, name.p, name.n, json_of_packed(v.p, v.n)) != 0) {
            json_decref(work);
            return NULL;
        }
    }
    return work ? json_pack("{s:s%, s:o}", "of", f->reviews.p, (int)f->reviews.n, "work", work) : NULL;
}

json_t *form_task_json(const struct form *f, const struct core_task *t)
{
    json_t *fields = json_object(), *o;
    struct slp_cursor names = slp_each(f->shows), values = slp_each(t->fields);
    struct slp_bytes name, value;
    while (fields && slp_next_str(&names, &name) && slp_next_raw(&values, &value))
        if (json_object_setn_new(fields, name.p, name.n, json_of_packed(value.p, value.n)) != 0) {
            json_decref(fields);
            fields = NULL;
        }
    if (!fields)
        return NULL;
    o = json_pack("{s:I, s:s, s:s, s:I, s:o, s:O}", "assignment", (json_int_t)t->assignment, "line", f->line, "station",
                  f->station, "attempt", (json_int_t)t->attempt, "fields", fields, "form", f->json);
    if (o && t->context.n)
        json_object_set_new(o, "context", json_of_packed(t->context.p, t->context.n));
    if (o && f->reviews.n && json_object_set_new(o, "review", review_json(f, t)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static const struct ld_field *field_named(const struct form *f, const char *name, size_t n)
{
    for (uint32_t i = 0; i < f->field_count; i++)
        if (f->fields[i].name.n == n && memcmp(f->fields[i].name.p, name, n) == 0)
            return &f->fields[i];
    return NULL;
}

static int wrong(char field[SL_NAME_BYTES_MAX + 1], struct slp_bytes name, char *text, size_t text_size,
                 const char *why)
{
    snprintf(text, text_size, "%.*s: %s", (int)(name.n < SL_NAME_BYTES_MAX ? name.n : SL_NAME_BYTES_MAX), name.p, why);
    if (field)
        copy_name(field, name);
    return -1;
}

/* As the broker will look at it: what is wrong is said while the person is still there. */
static int check_review(const struct form *f, const struct core_task *t, const char *given, size_t n,
                        char field[SL_NAME_BYTES_MAX + 1], char *text, size_t text_size)
{
    struct slp_buf work = { 0 }, out = { 0 };
    uint32_t at = 0;
    for (uint32_t i = 0; i < f->review.review.work; i++) {
        struct slp_bytes v = work_value(f, t, i);
        slp_buf_add(&work, v.p, v.n);
    }
    struct slp_list was = { work.p, (uint32_t)work.n, f->review.review.work },
                    is = { given, (uint32_t)n, f->field_count };
    int verdict =
        work.failed ? 0 : ld_review(&f->review, f->compiled->stations[0].fields, &was, &is, &out, &at, text, text_size);
    bool failed = work.failed || (verdict >= 0 && out.failed);
    if (failed)
        snprintf(text, text_size, "out of memory");
    else if (verdict < 0 && field)
        copy_name(field, f->fields[at].name);
    slp_buf_free(&work);
    slp_buf_free(&out);
    return failed ? FORM_NO_MEMORY : verdict < 0 ? FORM_WRONG : 0;
}

int form_values(const struct form *f, const struct core_task *t, const json_t *answers, struct slp_buf *values,
                char field[SL_NAME_BYTES_MAX + 1], char *text, size_t text_size)
{
    const char *key;
    json_t *value;
    if (field)
        field[0] = 0;
    if (!json_is_object(answers)) {
        snprintf(text, text_size, "the answer is not a JSON object");
        return -1;
    }
    json_object_foreach((json_t *)(uintptr_t)answers, key, value) if (!field_named(f, key, strlen(key))) return wrong(
        field, (struct slp_bytes){ key, (uint32_t)strlen(key) }, text, text_size, "the form has no such field");
    size_t start = values->n;
    for (uint32_t i = 0; i < f->field_count; i++) {
        struct slp_bytes name = f->fields[i].name;
        value = json_object_getn(answers, name.p, name.n);
        if (!value)
            slp_pack_nil(values);
        else if (json_pack_value(values, value) != 0)
            return wrong(field, name, text, text_size,
                         "a value is a text, a number, true, false, null or a list of these");
    }
    if (values->failed) {
        snprintf(text, text_size, "out of memory");
        return FORM_NO_MEMORY;
    }
    if (values->n - start > SL_RESULT_BYTES_MAX) {
        snprintf(text, text_size, "the answers together are larger than %d bytes", SL_RESULT_BYTES_MAX);
        return -1;
    }
    uint32_t at = 0;
    char why[256] = "";
    if (ld_check_values(f->fields, f->field_count, values->p + start, values->n - start, f->field_count, &at, why,
                        sizeof why) != 0) {
        if (at < f->field_count)
            return wrong(field, f->fields[at].name, text, text_size, why);
        snprintf(text, text_size, "%s", why);
        return -1;
    }
    return f->reviews.n ? check_review(f, t, values->p + start, values->n - start, field, text, text_size) : 0;
}
