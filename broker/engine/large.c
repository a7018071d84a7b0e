/* See large.h. What was allocated is a little longer than what is given out; where it began stands before that. */
#include "broker/engine/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *large_calloc(size_t bytes, bool whole)
{
    size_t align = whole && bytes >= LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : LINE_PAIR;
    char *memory = bytes < SIZE_MAX / 2 ? calloc(1, bytes + align + sizeof(void *)) : NULL;
    if (!memory)
        return NULL;
    uintptr_t at = ((uintptr_t)memory + sizeof(void *) + align - 1) / align * align;
    if (align == LARGE_PAGE_BYTES)
        madvise((void *)at, bytes / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES,
                MADV_HUGEPAGE); /* a hint: it need not be heard */
    ((void **)at)[-1] = memory;
    return (void *)at;
}

void large_free(void *p)
{
    if (p)
        free(((void **)p)[-1]);
}
