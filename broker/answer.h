/* Answers that the broker gives without its engine. */
#ifndef SUNLINE_BROKER_ANSWER_H
#define SUNLINE_BROKER_ANSWER_H
#include "proto/codec.h"

/* Write an ERROR body to b (emptied first). `place` and `text` may be NULL; then the code's own sentence stands.
 * after_ms 0: left out. 0; -1 no memory. */
int answer_error(struct slp_buf *b, uint64_t id, enum slp_code code, const char *place, const char *text,
                 uint64_t after_ms);
int answer_done(struct slp_buf *b, uint64_t id);
#endif
