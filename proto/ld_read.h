/* Reading single values of a packed definition, for ld_parse.c: each function checks the type and the bounds of what it reads, reports a
 * mistake under its key, and hands out something to go on with. The bytes were found well-formed before. */
#ifndef SUNLINE_LD_READ_H
#define SUNLINE_LD_READ_H
#include "proto/ld_int.h"

extern const struct slp_bytes ld_none; /* a text that is not there: empty, but never NULL */

struct slr_value ld_read_value(struct slr *r);
void ld_skip_value(struct slr *r);
struct slp_bytes ld_bytes_of(const struct slr_value *v);
const char *ld_type_text(const struct slr_value *v); /* "a list", for messages */

/* A mistake at r, under this key of the map that is read, and under one of its own keys, if there is one. */
void ld_problem_at(struct ld_build *b, struct slr r, const char *map, const char *key, const char *text);

/* Does a string value keep the rule of its shape? `what` names it in the message ("'title'", "skill"). */
bool ld_text_good(struct ld_build *b, const char *at, const char *what, enum ld_shape shape, struct slp_bytes s);

/* Read a map at r by its table. vals[i] is put before the value of key i; p is NULL if the key is missing (end is NULL, too) or its value
 * is of the wrong kind (which was reported then; end is set). False: this is no map, reported. */
bool ld_take_map(struct ld_build *b, struct slr *r, const struct ld_map *m, struct slr vals[LD_KEYS_MAX]);

/* Each takes a cursor that ld_take_map gave; where its p is NULL, the value is `otherwise` (a text: empty). */
struct slp_bytes ld_take_text(struct slr r);
/* The index of a word in its list; -1 after a problem. */
int ld_take_word(struct ld_build *b, struct slr r, const char *key, const char *const *words, int count, int otherwise);
uint64_t ld_take_count(struct ld_build *b, struct slr r, const char *key, uint64_t min, uint64_t max, uint64_t otherwise);
int64_t ld_take_duration(struct ld_build *b, struct slr r, const char *key, int64_t min_us, int64_t max_us, int64_t otherwise);
int64_t ld_take_millionths(struct ld_build *b, struct slr r, const char *key, enum ld_shape shape); /* MONEY or DECIMAL; 0 if there is none */
/* The strings of a list that is there, in the temporary arena, each with its place; at most `max`. */
struct ld_item *ld_take_texts(struct ld_build *b, struct slr r, const char *key, uint32_t max, uint32_t *count);
/* The same of a list of choices, in the lasting arena: there are some, and each is there once. `one` names one of them ("an option"); `none` is said of an empty list. */
struct slp_bytes *ld_take_choices(struct ld_build *b, struct slr r, const char *key, const char *one, const char *none, uint32_t *count);
void ld_take_worker(struct ld_build *b, struct slr r, struct ld_station *s, struct ld_draft *d); /* ld_parse.c: the key `worker` */
/* ld_agree.c: what must be equal, and how nearly, into s->copies; whether there is anything that the allowances are for; and the fields which `to` hands
 * on: the form of s, and what its decision adds. */
void ld_take_allowances(struct ld_build *b, struct slr on, struct slr ignore, struct slr tolerance, struct ld_station *s, const struct ld_draft *d);
void ld_check_allowances(struct ld_build *b, struct slr ignore, struct slr tolerance, const struct ld_station *s);
void ld_add_fields(struct ld_build *b, const struct ld_station *s, struct ld_station *to, const struct ld_draft *d, const enum ld_rule *rules, uint32_t rule_count);
/* A field that no file has. */
struct ld_field ld_made_field(const char *name, enum ld_type type, bool required, struct slp_bytes *options, uint32_t option_count);
void ld_make_form(struct ld_build *b, struct ld_station *s, const struct ld_field *work); /* ld_review.c: s->form_raw from its fields; of a review `work` are those it is about */
bool ld_has_text(const struct ld_field *f); /* whatever somebody writes, so that case and spaces can differ */
/* ld_worker.c: at which hubs, in which teams, and who of them first; `vals` are those of a worker map. */
void ld_take_place(struct ld_build *b, struct slr vals[LD_KEYS_MAX], struct ld_station *s, struct ld_draft *d);
#endif
