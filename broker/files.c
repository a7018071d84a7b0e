/* Small files: see files.h. */
#include "broker/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int path_of(char *path, size_t size, const char *dir, const char *name, const char *suffix)
{
    int n = snprintf(path, size, "%s/%s%s", dir, name, suffix);
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

ssize_t file_read(const char *dir, const char *name, char *buf, size_t size)
{
    char path[PATH_MAX];
    if (path_of(path, sizeof path, dir, name, "") < 0) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, buf + n, size - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || n + (size_t)got >= size) {
            int why = got < 0 ? errno : got > 0 ? EFBIG : 0;
            close(fd);
            if (why) {
                errno = why;
                return -1;
            }
            buf[n] = '\0';
            return (ssize_t)n;
        }
        n += (size_t)got;
    }
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int rc = fsync(fd);
    close(fd);
    return rc;
}

int file_replace(const char *dir, const char *name, const void *p, size_t n)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    if (path_of(path, sizeof path, dir, name, "") < 0 || path_of(temporary, sizeof temporary, dir, name, ".new") < 0) {
        return -1;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    int rc = write_all(fd, p, n) < 0 || fsync(fd) < 0 ? -1 : 0;
    int why = errno;
    if (close(fd) < 0 && rc == 0) {
        why = errno;
        rc = -1;
    }
    if (rc < 0 || rename(temporary, path) < 0) {
        if (rc == 0) {
            why = errno;
        }
        unlink(temporary);
        errno = why;
        return -1;
    }
    return sync_dir(dir);
}

void file_remove(const char *dir, const char *name)
{
    char path[PATH_MAX];
    if (path_of(path, sizeof path, dir, name, "") == 0) {
        unlink(path);
    }
}
