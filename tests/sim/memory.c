#include "tests/sim/memory.h"

#include <stddef.h>

#include "tests/lib/lmdb_fails.h"

static struct {
    bool armed, counting, lmdb;
    uint64_t left, failed;
} state;

void memory_arm(uint64_t nth)
{
    state.armed = true;
    state.counting = false;
    state.left = nth;
    state.failed = 0;
}

void memory_arm_lmdb(uint64_t nth, int code)
{
    lmdb_arm(nth, code);
    lmdb_disarm();
    state.lmdb = true;
}

void memory_go(void)
{
    state.counting = state.armed;
    lmdb_state.armed = state.lmdb;
}
void memory_pause(void)
{
    state.counting = false;
    lmdb_disarm();
}
const char *memory_lmdb_failed(void)
{
    return state.lmdb ? lmdb_state.failed : NULL;
}
uint64_t memory_failed(void)
{
    return state.failed;
}
void memory_disarm(void)
{
    state.armed = state.counting = state.lmdb = false;
    lmdb_disarm();
}

static bool refused(void)
{
    if (!state.counting || !state.left || --state.left)
        return false;
    state.failed++;
    return true;
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
void *__wrap_malloc(size_t n)
{
    return refused() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
    return refused() ? NULL : __real_realloc(p, n);
}
char *__wrap_strdup(const char *s)
{
    return refused() ? NULL : __real_strdup(s);
}
char *__wrap_strndup(const char *s, size_t n)
{
    return refused() ? NULL : __real_strndup(s, n);
}
