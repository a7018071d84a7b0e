/* Values between msgpack and JSON (jansson). */
#ifndef SUNLINE_AGENT_JSONVAL_H
#define SUNLINE_AGENT_JSONVAL_H
#include "proto/codec.h"
#include <jansson.h>

/* The packed value p[0..n), which was checked before. Binary becomes null, NaN becomes null. NULL: no memory (or the
 * bytes are no value). */
json_t *json_of_packed(const char *p, size_t n);
/* Pack a text, number, boolean, null, or a list of these. 0; -1 if it is (or holds) anything else. */
int json_pack_value(struct slp_buf *b, const json_t *v);
#endif
