#include "worker-agent/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int datadir_replace(int dir_fd, const char *name, const void *p, size_t n)
{
    char aside[128];
    snprintf(aside, sizeof aside, "%s.new", name);
    int fd = openat(dir_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int rc = 0;
    for (size_t done = 0; done < n && rc == 0;) {
        ssize_t wrote = write(fd, (const char *)p + done, n - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            rc = wrote == 0 ? EIO : errno;
    }
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    close(fd);
    if (rc == 0 && renameat(dir_fd, aside, dir_fd, name) != 0)
        rc = errno;
    if (rc == 0 && fsync(dir_fd) != 0)
        rc = errno;
    if (rc != 0)
        unlinkat(dir_fd, aside, 0);
    return rc;
}

static int unhex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 0 read; ENOENT: there is none yet; EBADMSG: it makes no sense. */
static int read_identity(struct datadir *d)
{
    char text[256];
    int fd = openat(d->fd, "identity", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n < 0)
        return EIO;
    text[n] = 0;
    char hex[33];
    unsigned long long incarnation;
    if (sscanf(text, "data_id=%32[0-9a-f]\nincarnation=%llu\n", hex, &incarnation) != 2 || strlen(hex) != 32)
        return EBADMSG;
    for (size_t i = 0; i < sizeof d->id; i++)
        d->id[i] = (uint8_t)(unhex(hex[2 * i]) << 4 | unhex(hex[2 * i + 1]));
    d->incarnation = incarnation;
    return 0;
}

static int count_incarnation(struct datadir *d)
{
    int rc = read_identity(d);
    if (rc == ENOENT) {
        if (getrandom(d->id, sizeof d->id, 0) != (ssize_t)sizeof d->id)
            return EIO;
        d->incarnation = 0;
        rc = 0;
    }
    if (rc != 0)
        return rc;
    d->incarnation++;
    char text[128];
    int n = snprintf(text, sizeof text, "data_id=");
    for (size_t i = 0; i < sizeof d->id; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%02x", d->id[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, "\nincarnation=%llu\n", (unsigned long long)d->incarnation);
    return datadir_replace(d->fd, "identity", text, (size_t)n);
}

/* A folder that was just made must not vanish with all that is kept in it. Where it was there before, its parent may be closed to us: then others saw to it. */
static int keep_name(const struct datadir *d, bool made)
{
    int fd = openat(d->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    if (fd < 0 || fsync(fd) != 0)
        rc = made ? errno : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

int datadir_open(struct datadir *d, const char *path, char *text, size_t text_size)
{
    *d = (struct datadir){ .fd = -1, .lock_fd = -1 };
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        snprintf(text, text_size, "%s: cannot be made: %s", path, strerror(errno));
        return -1;
    }
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        snprintf(text, text_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    int rc = keep_name(d, made);
    if (rc != 0) {
        snprintf(text, text_size, "%s: the folder that it is in cannot be synced: %s", path, strerror(rc));
        datadir_close(d);
        return -1;
    }
    d->lock_fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0 || flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (d->lock_fd >= 0 && errno == EWOULDBLOCK)
            snprintf(text, text_size,
                     "%s: another agent is running on this data directory: stop it first, or give this one another "
                     "with --data",
                     path);
        else
            snprintf(text, text_size, "%s/lock: %s", path, strerror(errno));
        datadir_close(d);
        return -1;
    }
    rc = count_incarnation(d);
    if (rc != 0) {
        snprintf(text, text_size, "%s/identity: %s", path,
                 rc == EBADMSG ? "not an identity file; move it away to start afresh (then use --takeover)"
                               : strerror(rc));
        datadir_close(d);
        return -1;
    }
    return 0;
}

void datadir_close(struct datadir *d)
{
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = d->lock_fd = -1;
}
