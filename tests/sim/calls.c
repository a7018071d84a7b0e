/* The calls by which a program changes a file, as the program and its libraries find them by name: in sunline-sim those of the simulated disk. An object of its own, linked into
 * sunline-sim and into nothing else, since whatever it is linked into has these names. */
#include <sys/uio.h>
#include <unistd.h>

#include "tests/sim/disk.h"

#pragma GCC visibility push(default) /* liblmdb.so is to find them */

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return disk_pwrite(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    return disk_writev(fd, v, n);
}

int fdatasync(int fd)
{
    return disk_fdatasync(fd);
}

int ftruncate(int fd, off_t n)
{
    return disk_ftruncate(fd, n);
}

int close(int fd)
{
    return disk_close(fd);
}
