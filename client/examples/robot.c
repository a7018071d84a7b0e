/* robot: a worker in C. The hub's agent starts it and talks to it by lines of JSON, so it needs nothing of Sunline.
 *
 *     a hub file:   robots:
 *                     - {id: counter, runner: coprocess, command: [robot], capacity: 8, skills: {counting: 1}}
 *
 *     on stdin      {"id": 7, "fields": {"text": "A dog runs."}, ...}          a task a line; several may come before we answer
 *     on stdout     {"id": 7, "values": {"words": 3, "letters": 8}}            its result: the answers of the station's form
 *                   {"id": 7, "fail": "why"}      counts as an attempt and comes again after the station's back-off
 *                   {"id": 7, "again": "why"}     not now (a service that we need is away): comes back, uncounted
 *                   {"id": 7, "bury": "why"}      nobody should try this again before a person has looked
 *
 * Answers may come in any order; the id tells them apart. Standard error goes to the agent's log. End of input means: finish,
 * then exit. A robot that crashes is started again, and its tasks are given out again: so a task must be safe to do twice.
 *
 * This one counts words and letters of the first text field that it is shown, or of the field named as its argument. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words are what is between blanks; letters are counted as UTF-8 sequences of ASCII letters and everything beyond ASCII. */
static void count(const char *text, json_int_t *words, json_int_t *letters)
{
    bool inside = false;
    *words = *letters = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool blank = *p == ' ' || (*p >= '\t' && *p <= '\r');
        if (!blank && !inside)
            ++*words;
        inside = !blank;
        if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p >= 0xc0)
            ++*letters;
    }
}

static const char *text_of(json_t *task, const char *wanted)
{
    json_t *fields = json_object_get(task, "fields"), *value;
    const char *name;
    if (wanted)
        return json_string_value(json_object_get(fields, wanted));
    json_object_foreach(fields, name, value) if (json_is_string(value)) return json_string_value(value);
    return NULL;
}

/* One task to one answer. NULL: out of memory. */
static json_t *answer(json_t *task, const char *wanted)
{
    json_t *id = json_object_get(task, "id");
    const char *text = text_of(task, wanted);
    if (!text) /* it will not be there the next time either */
        return json_pack("{s:O, s:s}", "id", id, "bury", "there is no text to count");
    json_int_t words, letters;
    count(text, &words, &letters);
    return json_pack("{s:O, s:{s:I, s:I}}", "id", id, "values", "words", words, "letters", letters);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    int status = EXIT_SUCCESS;
    while (status == EXIT_SUCCESS && getline(&line, &size, stdin) > 0) {
        json_error_t error;
        json_t *task = json_loads(line, JSON_ALLOW_NUL, &error);
        json_t *result = json_object_get(task, "id") ? answer(task, argc > 1 ? argv[1] : NULL) : NULL;
        /* One line, at once: the agent waits for it. */
        if (!result || json_dumpf(result, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF || fflush(stdout) != 0) {
            fprintf(stderr, "robot: %s\n", task ? "no id, or no memory, or nobody listens" : error.text);
            status = EXIT_FAILURE;
        }
        json_decref(result);
        json_decref(task);
    }
    free(line);
    return status;
}
