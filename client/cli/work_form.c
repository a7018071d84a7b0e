#include "client/cli/work_form.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

const char *work_form_name(const json_t *field)
{
    return text_of(field, "name");
}

static bool type_is(const json_t *field, const char *type)
{
    return strcmp(text_of(field, "type"), type) == 0;
}
static bool one_of_options(const json_t *field)
{
    return type_is(field, "radio") || type_is(field, "select");
}
bool work_form_many_lines(const json_t *field)
{
    return type_is(field, "long_answer");
}

/* Several lines, each indented; nothing in them can move the cursor. */
static void put_lines(FILE *f, const char *indent, const char *p, size_t n)
{
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t line = end ? (size_t)(end - p) : n;
        fputs(indent, f);
        text_put(f, p, line);
        fputc('\n', f);
        p += line + (end != NULL);
        n -= line + (end != NULL);
    }
}

static void put_value(FILE *f, const json_t *v)
{
    if (json_is_string(v)) {
        text_put(f, json_string_value(v), json_string_length(v));
        return;
    }
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text) {
        text_put(f, text, strlen(text));
    }
    free(text);
}

/* The entries of a tournament: numbered, a line a field. */
static void put_entries(FILE *f, const json_t *v)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(v); i++) {
        fprintf(f, "    %zu.\n", i + 1);
        json_object_foreach(json_array_get(v, i), key, value)
        {
            fputs("      ", f);
            text_put(f, key, strlen(key));
            fputs(": ", f);
            put_value(f, value);
            fputc('\n', f);
        }
    }
}

void work_form_show(FILE *f, const json_t *task)
{
    static const char *const told[] = { "author", "reason", "note" };
    const json_t *form = json_object_get(task, "form"), *context = json_object_get(task, "context");
    json_int_t round = json_integer_value(json_object_get(context, "round"));
    const char *key, *title = text_of(form, "title"), *instruction = text_of(form, "instruction");
    json_t *value;
    fprintf(f, "\n%s/%s, task %" JSON_INTEGER_FORMAT "\n", text_of(task, "line"), text_of(task, "station"),
            json_integer_value(json_object_get(task, "assignment")));
    put_lines(f, "", title, strlen(title));
    put_lines(f, "  ", instruction, strlen(instruction));
    if (round > 1) {
        fprintf(f, "  round %" JSON_INTEGER_FORMAT "\n", round);
    }
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const json_t *v = json_object_get(context, told[i]);
        char indent[24];
        snprintf(indent, sizeof indent, "  %s: ", told[i]);
        put_lines(f, indent, text_of(context, told[i]), json_string_length(v));
    }
    json_object_foreach(json_object_get(task, "fields"), key, value)
    {
        fputs("  ", f);
        text_put(f, key, strlen(key));
        if (json_is_string(value) && strchr(json_string_value(value), '\n')) {
            fputs(":\n", f);
            put_lines(f, "    ", json_string_value(value), json_string_length(value));
            continue;
        }
        fputs(":", f);
        if (json_is_array(value) && json_array_size(value) > 0 && json_is_object(json_array_get(value, 0))) {
            fputc('\n', f);
            put_entries(f, value);
            continue;
        }
        fputc(' ', f);
        put_value(f, value);
        fputc('\n', f);
    }
}

void work_form_ask(FILE *f, const json_t *field, const json_t *value)
{
    const char *label = text_of(field, "label"), *hint = text_of(field, "hint");
    const json_t *options = json_object_get(field, "options");
    if (!*label) {
        label = work_form_name(field);
    }
    fputc('\n', f);
    text_put(f, label, strlen(label));
    fprintf(f, " (%s%s)\n", text_of(field, "type"),
            json_is_true(json_object_get(field, "required")) ? ", required" : "");
    put_lines(f, "  ", hint, strlen(hint));
    for (size_t i = 0; i < json_array_size(options); i++) {
        fprintf(f, "  %zu  ", i + 1);
        put_value(f, json_array_get(options, i));
        fputc('\n', f);
    }
    if (work_form_many_lines(field)) {
        fputs("  (end with a line that is only a dot)\n", f);
    }
    if (value && !json_is_null(value)) {
        fputc('[', f);
        put_value(f, value);
        fputs("] ", f);
    }
    fputs("> ", f);
    fflush(f);
}

/* The option that was typed: its number, or its text. A text that is a number among the options wins, so that what
 * people read is what they get. */
static json_t *option_of(const json_t *field, const char *p, size_t n, char *text, size_t size)
{
    const json_t *options = json_object_get(field, "options");
    for (size_t i = 0; i < json_array_size(options); i++) {
        const json_t *o = json_array_get(options, i);
        if (json_string_length(o) == n && memcmp(json_string_value(o), p, n) == 0) {
            return json_incref((json_t *)(uintptr_t)o);
        }
    }
    size_t number = 0;
    for (size_t i = 0; i < n && isdigit((unsigned char)p[i]) && number < 100000; i++) {
        number = number * 10 + (size_t)(p[i] - '0');
    }
    if (n > 0 && n < 6 && strspn(p, "0123456789") >= n && number >= 1 && number <= json_array_size(options)) {
        return json_incref(json_array_get(options, number - 1));
    }
    snprintf(text, size, "'%.*s' is none of the options: type a number or the words", (int)(n < 60 ? n : 60), p);
    return NULL;
}

static json_t *several(const json_t *field, const char *typed, char *text, size_t size)
{
    json_t *list = json_array();
    while (list && *typed) {
        size_t n = strcspn(typed, ","), skip = n;
        while (n > 0 && isspace((unsigned char)*typed)) {
            typed++;
            n--;
            skip--;
        }
        while (n > 0 && isspace((unsigned char)typed[n - 1])) {
            n--;
        }
        if (n > 0) {
            json_t *o = option_of(field, typed, n, text, size);
            if (!o) {
                json_decref(list);
                return NULL;
            }
            json_array_append_new(list, o);
        }
        typed += skip + (typed[skip] == ',');
    }
    return list;
}

json_t *work_form_value(const json_t *field, const char *typed, char *text, size_t size)
{
    snprintf(text, size, "that is no text in UTF-8");
    if (!*typed) {
        return json_null();
    }
    if (one_of_options(field)) {
        return option_of(field, typed, strlen(typed), text, size);
    }
    if (type_is(field, "check_box")) {
        return several(field, typed, text, size);
    }
    if (type_is(field, "number")) {
        char *end;
        double d = strtod(typed, &end);
        if (*end == 0 && isfinite(d)) {
            return d == floor(d) && fabs(d) < 9e15 ? json_integer((json_int_t)d) : json_real(d);
        }
    }
    return json_string(typed);
}
