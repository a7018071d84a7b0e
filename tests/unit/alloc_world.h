/* An allocator that fails on demand: the program is linked with --wrap for malloc, calloc, realloc, strdup, strndup and posix_memalign (see the Makefile), so every
 * allocation of our own code passes here. A test arms it around the product's code only:
 *
 *   for (uint64_t n = 1; n <= count_of_a_whole_run; n++) { alloc_arm(n, false); ... alloc_disarm(); }
 *
 * A site is a call instruction: alloc_sites() tells how many different ones were made to fail, tests/alloc_sites which of the product's never were. */
#ifndef SUNLINE_TEST_ALLOC_WORLD_H
#define SUNLINE_TEST_ALLOC_WORLD_H
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/alloc_sites.h"

static struct {
    bool armed, on;
    uint64_t calls, fail_at, failed;
} alloc_state; /* on: all from fail_at on fail, not only that one */

/* fail_at 0: only count. */
static inline void alloc_arm(uint64_t fail_at, bool on)
{
    alloc_state.calls = alloc_state.failed = 0;
    alloc_state.fail_at = fail_at;
    alloc_state.on = on;
    alloc_state.armed = true;
}
static inline void alloc_disarm(void)
{
    alloc_state.armed = false;
}
static inline void alloc_rearm(void)
{
    alloc_state.armed = true;
} /* goes on counting where it was disarmed */

static inline bool alloc_refuse(const void *site)
{
    if (!alloc_state.armed)
        return false;
    uint64_t n = ++alloc_state.calls;
    bool no = alloc_state.fail_at && (n == alloc_state.fail_at || (alloc_state.on && n > alloc_state.fail_at));
    alloc_state.failed += no;
    if (no)
        alloc_note(site);
    return no;
}

#if defined(ALLOC_EVERYWHERE) && !defined(__SANITIZE_ADDRESS__)
/* Libraries as well (LMDB): an allocator of the program's own takes the C library's place. Not with a sanitizer, which brings its own. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
#define ALLOC_EXPORTED __attribute__((visibility("default")))
ALLOC_EXPORTED void *malloc(size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}
ALLOC_EXPORTED void *calloc(size_t n, size_t size)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}
ALLOC_EXPORTED void *realloc(void *p, size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}
#define __real_malloc __libc_malloc
#define __real_calloc __libc_calloc
#define __real_realloc __libc_realloc
#define ALLOC_LIBRARIES true
#else
#define ALLOC_LIBRARIES false
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
#endif
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
void *__wrap_malloc(size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __real_realloc(p, n);
}
char *__wrap_strdup(const char *s)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __real_strdup(s);
}
char *__wrap_strndup(const char *s, size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? NULL : __real_strndup(s, n);
}
int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    return alloc_refuse(__builtin_return_address(0)) ? ENOMEM : __real_posix_memalign(p, align, n);
}
#endif
