/* contact: the coprocess robot of station `contact`, in C. Finds the e-mail address and the telephone number in a text.
 *
 * A robot needs nothing of Sunline: one JSON line a task on stdin, one a result on stdout, until stdin ends. */
#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMAIL_BYTES_MAX 254
#define PHONE_DIGITS_MIN 9
#define PHONE_DIGITS_MAX 15

static bool local_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

static bool domain_char(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '-';
}

/* The first thing around an @ that looks like an address: local part, domain with a dot, letters at its end. */
static bool find_email(const char *text, char out[EMAIL_BYTES_MAX + 1])
{
    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        const char *begin = at, *end = at + 1, *dot = NULL;
        while (begin > text && local_char(begin[-1]))
            begin--;
        while (begin < at && *begin == '.')
            begin++;
        while (domain_char(*end)) {
            if (*end == '.' && end[1] && isalpha((unsigned char)end[1]))
                dot = end;
            end++;
        }
        while (end > at + 1 && !isalnum((unsigned char)end[-1]))
            end--; /* the full stop behind an address is not part of it */
        size_t n = (size_t)(end - begin);
        if (begin == at || !dot || dot == at + 1 || end - dot < 3 || n > EMAIL_BYTES_MAX)
            continue;
        for (size_t i = 0; i < n; i++)
            out[i] = (char)tolower((unsigned char)begin[i]);
        out[n] = '\0';
        return true;
    }
    return false;
}

/* The first run of digits, spaces, brackets and dashes that begins with + or 0 and has as many digits as a telephone number.
 * Handed out as + and digits, or as digits. */
static bool find_phone(const char *text, char out[PHONE_DIGITS_MAX + 2])
{
    for (const char *p = text; *p; p++) {
        bool fresh = p == text || !(isalnum((unsigned char)p[-1]) || strchr("#$.,+-", p[-1]));
        if (!fresh || (*p != '+' && *p != '0'))
            continue;
        size_t n = 0, digits = 0;
        for (const char *q = p; *q && (isdigit((unsigned char)*q) || strchr("+ ()-", *q)); q++) {
            bool keep = isdigit((unsigned char)*q) || (*q == '+' && q == p);
            if (*q == '+' && q != p)
                break;
            if (!keep)
                continue;
            if (isdigit((unsigned char)*q))
                digits++;
            if (digits > PHONE_DIGITS_MAX)
                break;
            out[n++] = *q;
        }
        if (digits < PHONE_DIGITS_MIN || digits > PHONE_DIGITS_MAX)
            continue;
        out[n] = '\0';
        return true;
    }
    return false;
}

/* One task line to one answer line. Returns NULL without memory. */
static json_t *answer(json_t *task)
{
    json_t *text = json_object_get(json_object_get(task, "fields"), "clean.text");
    json_t *id = json_object_get(task, "id");
    if (!json_is_string(text))
        return json_pack("{s:O,s:s}", "id", id, "fail", "no clean.text in the task");
    char email[EMAIL_BYTES_MAX + 1], phone[PHONE_DIGITS_MAX + 2];
    bool has_email = find_email(json_string_value(text), email), has_phone = find_phone(json_string_value(text), phone);
    /* null: left empty */
    return json_pack("{s:O,s:{s:s?,s:s?}}", "id", id, "values", "email", has_email ? email : NULL, "phone",
                     has_phone ? phone : NULL);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        json_error_t error;
        json_t *task = json_loads(line, 0, &error);
        if (!json_object_get(task, "id")) { /* no id: no answer could be told apart */
            fprintf(stderr, "contact: not a task: %s\n", task ? "no id" : error.text);
            return EXIT_FAILURE;
        }
        json_t *result = answer(task);
        json_decref(task);
        if (!result || json_dumpf(result, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
            return EXIT_FAILURE;
        json_decref(result);
    }
    free(line);
    return ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}
