/* Preloaded into a program: counts what it writes to files, its syncs, how long both took, and its allocations (../calls.h). Where CALLS_FILE names a file they lie in it, so
 * that they can be read while the program runs; a program that knows of this finds them by the name `calls_counted`. */
#include "tests/bench/calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))
#define NEXT(name)                                                                                                     \
    if (!next)                                                                                                         \
    *(void **)&next = dlsym(RTLD_NEXT, name)

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

SEEN struct calls *calls_counted(void);

static struct calls own, *calls = &own;

SEEN struct calls *calls_counted(void)
{
    return calls;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CALLS_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd < 0 || ftruncate(fd, sizeof *calls) != 0)
        return;
    void *p = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        calls = p;
}

static void add(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static ssize_t written(int fd, ssize_t n, uint64_t since_ns)
{
    uint64_t took_ns = now_ns() - since_ns;
    if (!is_file(fd))
        return n;
    add(&calls->written_bytes, n > 0 ? (uint64_t)n : 0);
    add(&calls->writes, 1);
    bool synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    add(&calls->syncs, synced);
    add(synced ? &calls->sync_ns : &calls->write_ns, took_ns);
    return n;
}

static int synced(int rc, uint64_t since_ns)
{
    add(&calls->syncs, 1);
    add(&calls->sync_ns, now_ns() - since_ns);
    return rc;
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    NEXT("pwrite64");
    uint64_t since_ns = now_ns();
    return written(fd, next(fd, p, n, at), since_ns);
}

SEEN ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

SEEN ssize_t write(int fd, const void *p, size_t n)
{
    static ssize_t (*next)(int, const void *, size_t);
    NEXT("write");
    uint64_t since_ns = now_ns();
    return written(fd, next(fd, p, n), since_ns);
}

SEEN ssize_t writev(int fd, const struct iovec *v, int n)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    NEXT("writev");
    uint64_t since_ns = now_ns();
    return written(fd, next(fd, v, n), since_ns);
}

SEEN int fdatasync(int fd)
{
    static int (*next)(int);
    NEXT("fdatasync");
    uint64_t since_ns = now_ns();
    return synced(next(fd), since_ns);
}

SEEN int fsync(int fd)
{
    static int (*next)(int);
    NEXT("fsync");
    uint64_t since_ns = now_ns();
    return synced(next(fd), since_ns);
}

SEEN void *malloc(size_t n)
{
    add(&calls->allocations, 1);
    return __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
    add(&calls->allocations, 1);
    return __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
    add(&calls->allocations, 1);
    return __libc_realloc(p, n);
}
