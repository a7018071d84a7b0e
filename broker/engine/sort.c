/* Sorting on the hot path, without allocating: the C library's qsort takes memory for each longer array. Mostly it is in order already. Runs of RUN elements
 * are put in order where they lie, then merged with the help of memory that the engine keeps; when there is none to be had, all is done where it lies, slower. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/engine/internal.h"

#define RUN 8
#define ELEMENT_BYTES_MAX 64

static bool in_order(const char *p, size_t n, size_t size, int (*order)(const void *, const void *))
{
    for (size_t i = 1; i < n; i++)
        if (order(p + (i - 1) * size, p + i * size) > 0)
            return false;
    return true;
}

static void insert_each(char *p, size_t n, size_t size, int (*order)(const void *, const void *))
{
    char x[ELEMENT_BYTES_MAX];
    for (size_t i = 1; i < n; i++) {
        size_t to = i;
        memcpy(x, p + i * size, size);
        for (; to && order(p + (to - 1) * size, x) > 0; to--) {}
        memmove(p + (to + 1) * size, p + to * size, (i - to) * size);
        memcpy(p + to * size, x, size);
    }
}

/* Two that lie one behind the other, each in order, into one. */
static void merge(char *to, const char *a, const char *a_end, const char *b_end, size_t size,
                  int (*order)(const void *, const void *))
{
    const char *b = a_end;
    for (; a < a_end && b < b_end; to += size) {
        const char **from = order(a, b) <= 0 ? &a : &b;
        memcpy(to, *from, size);
        *from += size;
    }
    memcpy(to, a, (size_t)(a_end - a));
    memcpy(to + (a_end - a), b, (size_t)(b_end - b));
}

/* Memory of n bytes that lasts, or NULL: that is no failure here. */
static char *scratch_of(struct engine *e, size_t n)
{
    if (n > e->sort_cap) {
        size_t cap = e->sort_cap ? e->sort_cap : 4096;
        while (cap < n)
            cap *= 2;
        void *p = realloc(e->sort_scratch, cap);
        if (!p)
            return NULL;
        e->sort_scratch = p;
        e->sort_cap = cap;
    }
    return e->sort_scratch;
}

void sort(struct engine *e, void *v, size_t n, size_t size, int (*order)(const void *, const void *))
{
    assert(size && size <= ELEMENT_BYTES_MAX);
    if (in_order(v, n, size, order))
        return;
    char *from = v, *to = n > RUN ? scratch_of(e, n * size) : NULL;
    if (!to) {
        insert_each(v, n, size, order);
        return;
    }
    for (size_t i = 0; i < n; i += RUN)
        insert_each(from + i * size, n - i < RUN ? n - i : RUN, size, order);
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t middle = i + width < n ? i + width : n, end = i + 2 * width < n ? i + 2 * width : n;
            merge(to + i * size, from + i * size, from + middle * size, from + end * size, size, order);
        }
        char *was = from;
        from = to;
        to = was;
    }
    if (from != v)
        memcpy(v, from, n * size);
}
