#include "worker-agent/arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    char bytes[];
};

void *arena_take(struct arena *a, size_t n)
{
    struct arena_chunk *k = calloc(1, sizeof *k + n);
    if (!k) {
        a->failed = true;
        return NULL;
    }
    k->next = a->first;
    a->first = k;
    return k->bytes;
}

const char *arena_text(struct arena *a, const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = arena_take(a, n);
    return p ? memcpy(p, text, n) : "";
}

void arena_free(struct arena *a)
{
    while (a->first) {
        struct arena_chunk *next = a->first->next;
        free(a->first);
        a->first = next;
    }
}
