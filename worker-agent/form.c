#include "worker-agent/form.h"
#include "proto/reader.h"

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

/* The form's fields are compiled as the one station of a line of its own, so that form and line files have one reader
 * and one set of rules. */
static struct ld_line *compile(struct slp_bytes form, char *text, size_t text_size)
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
    if (!line && text[0] == 0)
        snprintf(text, text_size, "out of memory");
    slp_buf_free(&b);
    return line;
}

static void copy_name(char to[SL_NAME_BYTES_MAX + 1], struct slp_bytes from)
{
    size_t n = from.n <= SL_NAME_BYTES_MAX ? from.n : SL_NAME_BYTES_MAX;
    memcpy(to, from.p, n);
    to[n] = 0;
}

struct form *form_new(const char *body, size_t n, char *text, size_t text_size)
{
    struct form *f = calloc(1, sizeof *f);
    char *copy = malloc(n ? n : 1);
    struct slp_msg m;
    struct slp_fault fault;
    if (!f || !copy) {
        snprintf(text, text_size, "out of memory");
        free(f);
        free(copy);
        return NULL;
    }
    memcpy(copy, body, n);
    f->body = (struct slp_bytes){ copy, (uint32_t)n };
    if (slp_decode(copy, n, SLP_B2A, &m, &fault) != 0 || m.type != SLP_FORM) {
        snprintf(text, text_size, "not a form message");
        form_free(&f);
        return NULL;
    }
    f->station_id = m.u.form.station_id;
    copy_name(f->line, m.u.form.line);
    copy_name(f->station, m.u.form.station);
    f->shows = m.u.form.shows;
    f->compiled = compile(m.u.form.form, text, text_size);
    f->json = f->compiled ? json_of_packed(m.u.form.form.p, m.u.form.form.n) : NULL;
    if (!f->json) {
        if (f->compiled)
            snprintf(text, text_size, "out of memory");
        form_free(&f);
        return NULL;
    }
    f->fields = f->compiled->stations[0].fields;
    f->field_count = f->compiled->stations[0].field_count;
    return f;
}

void form_free(struct form **fp)
{
    struct form *f = *fp;
    if (!f)
        return;
    *fp = NULL;
    json_decref(f->json);
    ld_free(&f->compiled);
    free((void *)(uintptr_t)f->body.p);
    free(f);
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

int form_values(const struct form *f, const json_t *answers, struct slp_buf *values, char field[SL_NAME_BYTES_MAX + 1],
                char *text, size_t text_size)
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
        return -1;
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
    return 0;
}
