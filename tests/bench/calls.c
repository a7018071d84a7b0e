#include "tests/bench/calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct calls calls;

#define SEEN __attribute__((visibility("default")))
#define NEXT(name)                                                                                                     \
    if (!next)                                                                                                         \
    *(void **)&next = dlsym(RTLD_NEXT, name)

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static ssize_t written(int fd, ssize_t n)
{
    calls.written_bytes += n > 0 ? (uint64_t)n : 0;
    calls.syncs += (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    return n;
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    NEXT("pwrite64");
    return written(fd, next(fd, p, n, at));
}

SEEN ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

SEEN ssize_t writev(int fd, const struct iovec *v, int n)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    NEXT("writev");
    return written(fd, next(fd, v, n));
}

SEEN int fdatasync(int fd)
{
    static int (*next)(int);
    NEXT("fdatasync");
    calls.syncs++;
    return next(fd);
}

SEEN int fsync(int fd)
{
    static int (*next)(int);
    NEXT("fsync");
    calls.syncs++;
    return next(fd);
}

SEEN void *malloc(size_t n)
{
    calls.allocations++;
    return __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
    calls.allocations++;
    return __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
    calls.allocations++;
    return __libc_realloc(p, n);
}
