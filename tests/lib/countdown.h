/* A countdown to a failure: of the calls that pass while it is armed, the n-th fails, once or so many times in a row. A test has one for each kind of call (lmdb_fails.h, sys_fails.h). */
#ifndef TESTS_LIB_COUNTDOWN_H
#define TESTS_LIB_COUNTDOWN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct countdown {
    bool armed;
    uint64_t calls, fail_at; /* fail_at 0: none */
    uint64_t more;           /* so many behind it fail, too */
    int code;
    const char *failed; /* the call that did; NULL: none yet */
};

static inline void countdown_arm(struct countdown *c, uint64_t nth, int code)
{
    *c = (struct countdown){ .armed = true, .fail_at = nth, .code = code };
}

static inline bool countdown_refuses(struct countdown *c, const char *name)
{
    if (!c->armed || ++c->calls < c->fail_at || c->fail_at == 0 || c->calls - c->fail_at > c->more)
        return false;
    c->failed = name;
    return true;
}
#endif
