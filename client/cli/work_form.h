/* A task at the terminal: what it shows, and one form field at a time: the question, and what was typed turned into a
 * value. No checks: the agent checks the
 * values with the code that the broker uses, and names the field that is wrong. */
#ifndef SUNLINE_CLI_WORK_FORM_H
#define SUNLINE_CLI_WORK_FORM_H
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void work_form_show(FILE *f, const json_t *task);                       /* title, instruction, fields */
/* the question; value: what is there already, or NULL */
void work_form_ask(FILE *f, const json_t *field, const json_t *value);
/* the answer ends with a line that is only "." */
bool work_form_many_lines(const json_t *field);
/* The value of what was typed, for this field: an option by its number or its text, several separated by commas, a
 * number, a text. JSON null for an empty line.
 * NULL with a sentence in text if it is no answer to this question. The caller owns it. */
json_t *work_form_value(const json_t *field, const char *typed, char *text, size_t size);
const char *work_form_name(const json_t *field);
#endif
