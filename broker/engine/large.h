/* Memory that is looked into here and there: tables of a million workers, of live assignments, of unit states.
 *
 * A processor that reads one word of a table of many pages has to find the page first, and of a hundred megabytes in pages of 4 KB it remembers few. So what is 2 MB
 * or more lies in large pages where the system has them; elsewhere it is memory as any other. */
#ifndef SUNLINE_LARGE_H
#define SUNLINE_LARGE_H
#include <stdbool.h>
#include <stddef.h>

#define LARGE_PAGE_BYTES ((size_t)2 << 20)
#define LINE_PAIR 128 /* bytes that a processor fetches at once, or nearly so; where all this memory begins at */

/* Zeroes, of which none is taken before it is touched unless `whole`: all of it will be used, so it may be taken 2 MB at a time. NULL: no memory. */
void *large_calloc(size_t bytes, bool whole);
void large_free(void *p);         /* NULL: nothing */
#endif
