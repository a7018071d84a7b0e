/* Memory that goes at once: what one reading of the hub file made. */
#ifndef SUNLINE_AGENT_ARENA_H
#define SUNLINE_AGENT_ARENA_H
#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;
struct arena { struct arena_chunk *first; bool failed; }; /* failed: something was not kept */

void *arena_take(struct arena *a, size_t n);               /* zeros; NULL: no memory */
const char *arena_text(struct arena *a, const char *text); /* a copy; "" if there is no memory */
void arena_free(struct arena *a);                          /* safe to repeat */
#endif
