/* An allocator that fails on demand: the program is linked with --wrap for malloc, calloc, realloc, strdup and strndup (see the Makefile), so every
 * allocation of our own code passes here. A test arms it around the product's code only:
 *
 *   for (uint64_t n = 1; n <= count_of_a_whole_run; n++) { alloc_arm(n, false); ... alloc_disarm(); }  */
#ifndef SUNLINE_TEST_ALLOC_WORLD_H
#define SUNLINE_TEST_ALLOC_WORLD_H
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static struct { bool armed, on; uint64_t calls, fail_at, failed; } alloc_state; /* on: all from fail_at on fail, not only that one */

/* fail_at 0: only count. */
static inline void alloc_arm(uint64_t fail_at, bool on)
{
    alloc_state.calls = alloc_state.failed = 0;
    alloc_state.fail_at = fail_at;
    alloc_state.on = on;
    alloc_state.armed = true;
}
static inline void alloc_disarm(void) { alloc_state.armed = false; }
static inline void alloc_rearm(void) { alloc_state.armed = true; } /* goes on counting where it was disarmed */

static inline bool alloc_refuse(void)
{
    if (!alloc_state.armed)
        return false;
    uint64_t n = ++alloc_state.calls;
    bool no = alloc_state.fail_at && (n == alloc_state.fail_at || (alloc_state.on && n > alloc_state.fail_at));
    alloc_state.failed += no;
    return no;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n) { return alloc_refuse() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return alloc_refuse() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return alloc_refuse() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return alloc_refuse() ? NULL : __real_strdup(s); }
char *__wrap_strndup(const char *s, size_t n) { return alloc_refuse() ? NULL : __real_strndup(s, n); }
#endif
