/* Stations' forms: what a task shows and what it asks, from the broker's FORM message; tasks as JSON for robots and
 * people; answers from JSON,
 * checked by the very code that the broker uses. */
#ifndef SUNLINE_AGENT_FORM_H
#define SUNLINE_AGENT_FORM_H
#include "proto/linedef.h"
#include "worker-agent/core.h"
#include "worker-agent/jsonval.h"

struct form {
    uint64_t station_id;
    char line[SL_NAME_BYTES_MAX + 1], station[SL_NAME_BYTES_MAX + 1];
    struct slp_bytes body;         /* the FORM message, owned: for the journal */
    const struct ld_field *fields; /* owned by compiled */
    uint32_t field_count;
    struct slp_list shows;    /* names of what a task shows; points into body */
    struct slp_bytes reviews; /* of a review: the station whose work it reviews; points into body. n 0: none */
    struct ld_station review; /* of a review: its form as one, in which every field of the work may be left out */
    json_t *json;             /* the form as applied: title, instruction, fields */
    struct ld_line *compiled;
};

/* A packed form as the one station of a line of its own, so that form and line files have one reader and one set of
 * rules. NULL with a sentence in text. */
struct ld_line *form_compile(struct slp_bytes form, char *text, size_t text_size);
/* From an encoded FORM message (the bytes are copied). NULL with a sentence in text; errno is ENOMEM where memory was short, else EBADMSG. */
struct form *form_new(const char *body, size_t n, char *text, size_t text_size);
void form_free(struct form **f); /* safe to repeat */

/* {"assignment", "line", "station", "attempt", "fields": {name: value}, "form": {...}, "context": {...} if there is
 * one, "review": {"of": station, "work": {field: value}} at a review}. NULL: no memory. */
json_t *form_task_json(const struct form *f, const struct core_task *t);

/* Pack an object of answers {field: value} in the form's order, missing ones as nil, and check them. 0 with *values
 * (appended) holding
 * f->field_count elements; FORM_WRONG with a sentence in text that names the field, and its name in field (may be NULL; "" if
 * it is no field's fault); FORM_NO_MEMORY, which says nothing about them. */
enum { FORM_WRONG = -1, FORM_NO_MEMORY = -2 };
int form_values(const struct form *f, const struct core_task *t, const json_t *answers, struct slp_buf *values,
                char field[SL_NAME_BYTES_MAX + 1], char *text, size_t text_size);
#endif
