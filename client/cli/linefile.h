/* A line file: YAML in, a packed definition out, and every mistake with its file, line, column and key:
 *
 *     line.yml:12:7: unknown key 'rewrad', did you mean 'reward'?
 *
 * What a definition may say is decided by proto/linedef.h, which the broker uses as well; this is only its YAML face. The file stays
 * in memory as it was read, so that a problem the broker finds (path and text) is shown at the same place as one found here.
 *
 * YAML traps that are taken care of: where the definition wants text, an unquoted scalar is taken as it is written (`options: [yes, 0]`
 * are the texts "yes" and "0", `reward: 0.03` is exact); elsewhere scalars follow YAML 1.2's core schema. */
#ifndef SUNLINE_LINEFILE_H
#define SUNLINE_LINEFILE_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/linedef.h"

#define LINEFILE_BYTES_MAX (1024 * 1024) /* of the text; packed it must keep SL_LINE_BYTES_MAX */

struct linefile;

/* Read a file ("-": standard input). Returns it even when it has mistakes; NULL only if memory ran out. */
struct linefile *linefile_read(const char *path);
/* The same from memory; `name` stands in messages. */
struct linefile *linefile_parse(const char *name, const char *text, size_t n);
void linefile_free(struct linefile **f); /* safe with NULL, and to repeat */

/* Compile what was read. Returns the number of mistakes; 0 means that linefile_packed is a good definition. */
size_t linefile_check(struct linefile *f);

/* The packed definition, for `definition` of line_apply. Owned by f. Empty if the file is not YAML at all. */
struct slp_bytes linefile_packed(const struct linefile *f);
/* The compiled line after a check without mistakes, else NULL. Owned by f. */
const struct ld_line *linefile_line(const struct linefile *f);

/* The mistakes of reading and checking, in the order of the file: "line.yml:12:7: ...", without a line break. */
size_t linefile_problem_count(const struct linefile *f);
const char *linefile_problem(const struct linefile *f, size_t i);
/* Put a problem that the broker found into the same form: "line.yml:12:7: text". Returns buf. */
const char *linefile_place(const struct linefile *f, struct slp_bytes path, struct slp_bytes text, char *buf, size_t buf_bytes);
/* Line and column (from 1, in characters) that a path such as "stations[2].form.fields[0].type" points at: a key's place is the key itself,
 * an item's place the item. As far down as the path can be followed. False: nothing was read. */
bool linefile_find(const struct linefile *f, const char *path, size_t path_n, size_t *line, size_t *column);
#endif
