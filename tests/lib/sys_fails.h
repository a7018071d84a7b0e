/* System calls that fail when they are told to: as lmdb_fails.h, for what the store asks of the kernel by itself (SYSTEM_CALLS in the Makefile names
 * the same functions). LMDB's own calls do not pass here.
 *
 *   sys_arm(n, EIO); ... sys_disarm();      the n-th call from here on fails with this errno; 0: the n-th read or write comes back with nothing done */
#ifndef TESTS_LIB_SYS_FAILS_H
#define TESTS_LIB_SYS_FAILS_H
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/lib/countdown.h"

static struct countdown sys_state;

static inline void sys_arm(uint64_t nth, int code)
{
    countdown_arm(&sys_state, nth, code);
}
static inline void sys_disarm(void)
{
    sys_state.armed = false;
}

static inline bool sys_refuse(const char *name)
{
    if (sys_state.code == 0 || !countdown_refuses(&sys_state, name))
        return false;
    errno = sys_state.code;
    return true;
}

static inline bool sys_does_nothing(const char *name)
{
    return sys_state.code == 0 && countdown_refuses(&sys_state, name);
}

// clang-format off
#define SYS_CALL(type, name, params, args)                                       \
    type __real_##name params;                                                   \
    type __wrap_##name params;                                                   \
    type __wrap_##name params { return sys_refuse(#name) ? -1 : __real_##name args; }
#define SYS_IO_CALL(type, name, params, args)                                    \
    type __real_##name params;                                                   \
    type __wrap_##name params;                                                   \
    type __wrap_##name params { return sys_does_nothing(#name) ? 0 : sys_refuse(#name) ? -1 : __real_##name args; }
SYS_CALL(int, mkdir, (const char *path, mode_t mode), (path, mode))
SYS_CALL(int, flock, (int fd, int how), (fd, how))
SYS_CALL(int, fstat, (int fd, struct stat *st), (fd, st))
SYS_CALL(int, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
SYS_CALL(int, fstatvfs, (int fd, struct statvfs *v), (fd, v))
SYS_CALL(int, ftruncate, (int fd, off_t n), (fd, n))
SYS_CALL(int, fsync, (int fd), (fd))
SYS_CALL(int, fdatasync, (int fd), (fd))
SYS_CALL(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
SYS_IO_CALL(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SYS_IO_CALL(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
SYS_CALL(int, rename, (const char *from, const char *to), (from, to))
SYS_CALL(int, renameat2, (int fd, const char *from, int fd2, const char *to, unsigned flags), (fd, from, fd2, to, flags))
// clang-format on

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return sys_refuse("open") ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return sys_refuse("openat") ? -1 : __real_openat(fd, path, flags, mode);
}
#endif
