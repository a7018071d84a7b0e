/* How the calls come here: sunline-sim defines what the program's own code and liblmdb.so ask for by name (calls.c), and wraps two calls inside of the program, so that the store
 * and LMDB sync in a simulation as they do elsewhere.
 *
 * Of each sector that was written and not synced stands here what it held before. LMDB writes pages, syncs them, then writes its meta page (a few bytes at the file's
 * beginning) through a descriptor that syncs by itself. */
#include "tests/sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "broker/store/internal.h"

#define UNSYNCED_MAX (1u << 17) /* sectors of one file: LMDB's greatest transaction here has far less */
#define FILE_SECTORS_MAX (1u << 21)
#define META_BYTES_MAX 512 /* a write of so few bytes at the beginning of data.mdb is a meta page's */
#define META_END 8192

struct unsynced {
    uint64_t sector;
    uint8_t was[SECTOR_BYTES];
};
struct file {
    bool known;
    dev_t dev;
    ino_t ino;
    int fd;           /* that does not sync by itself */
    uint64_t certain; /* bytes that it is long, whatever happens */
    size_t n;         /* of `old` */
    struct unsynced old[UNSYNCED_MAX];
    uint64_t has[FILE_SECTORS_MAX / 64]; /* bit: the sector stands in `old` */
};
static const char *const names[2] = { "data.mdb", WAL_FILE };
static struct file files[2];
static const char *folder;
static struct {
    enum disk_fault how;
    uint64_t nth;
    bool reaches;         /* what the failed sync of a meta page was for is on the disk all the same */
    bool struck, shorted; /* shorted: some of a write found room, now none does */
    struct file *loses;   /* NULL: each */
    struct file *last;    /* what decides, as disk_kept says; NULL: nothing was written */
    uint64_t last_at;
    size_t last_n;
    uint8_t last_p[WAL_BATCH_BYTES_MAX];
} now;

static ssize_t real_pwrite(int fd, const void *p, size_t n, uint64_t at)
{
    return syscall(SYS_pwrite64, fd, p, n, at);
}

void disk_of(const char *dir)
{
    folder = dir;
}

static void all_certain(struct file *f, uint64_t bytes)
{
    for (size_t i = 0; i < f->n; i++)
        f->has[f->old[i].sector / 64] &= ~(1ull << f->old[i].sector % 64);
    f->n = 0;
    f->certain = bytes;
}

void disk_new(void)
{
    for (int i = 0; i < 2; i++) {
        all_certain(&files[i], 0);
        files[i].known = false;
    }
}

/* Which of the two it is, and how long. */
static struct file *file_of(int fd, uint64_t *bytes)
{
    struct stat st;
    char link[40], path[PATH_MAX], dir[PATH_MAX];
    if (!folder || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    *bytes = (uint64_t)st.st_size;
    for (int i = 0; i < 2; i++)
        if (files[i].known && files[i].ino == st.st_ino && files[i].dev == st.st_dev)
            return &files[i];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    size_t dir_n = realpath(folder, dir) ? strlen(dir) : 0;
    if (n < 0 || dir_n == 0 || (size_t)n <= dir_n || memcmp(path, dir, dir_n) != 0 || path[dir_n] != '/')
        return NULL;
    path[n] = 0;
    for (int i = 0; i < 2; i++)
        if (strcmp(path + dir_n + 1, names[i]) == 0) {
            all_certain(&files[i], *bytes);
            files[i].known = true;
            files[i].dev = st.st_dev;
            files[i].ino = st.st_ino;
            files[i].fd = fd;
            return &files[i];
        }
    return NULL;
}

/* ---- what goes wrong ---- */

/* Until now nothing was unsynced: each call to the store syncs what it wrote. So what is written to a disk that is well need not be followed. */
void disk_arm(enum disk_fault how, uint64_t nth, bool reaches)
{
    disk_new();
    now.how = how;
    now.nth = nth;
    now.reaches = reaches;
    now.struck = now.shorted = false;
    now.loses = now.last = NULL;
}

void disk_disarm(void)
{
    now.how = DISK_WELL;
    now.struck = false;
}

bool disk_struck(void)
{
    return now.struck;
}

enum disk_fault disk_armed(void)
{
    return now.how;
}

bool disk_is_full(void)
{
    return now.how == DISK_FULL || now.how == DISK_FULL_FILES;
}

/* True: the power went before this call. *goes: with it. */
static bool powerless(bool *goes)
{
    *goes = false;
    if (now.how != DISK_POWER)
        return false;
    if (now.struck)
        return true;
    *goes = now.struck = --now.nth == 0;
    return false;
}

static bool sync_loses(struct file *f)
{
    if (now.how != DISK_SYNC_LOSES || now.struck || --now.nth > 0)
        return false;
    now.struck = true;
    now.loses = f;
    return true;
}

/* So many bytes of a write find room. */
static size_t room(const struct file *f, size_t n, uint64_t at, uint64_t bytes)
{
    if (now.how == DISK_FULL_FILES)
        return f == &files[0] && at + n > bytes ? 0 : n;
    if (now.how != DISK_FULL)
        return n;
    size_t some = now.shorted ? 0 : n / 2 / SECTOR_BYTES * SECTOR_BYTES;
    now.shorted = true;
    return some;
}

/* ---- a write ---- */

static void keep_old(struct file *f, int fd, uint64_t at, size_t n)
{
    for (uint64_t i = at / SECTOR_BYTES; n > 0 && i <= (at + n - 1) / SECTOR_BYTES; i++) {
        assert(i < FILE_SECTORS_MAX);
        if (f->has[i / 64] >> i % 64 & 1)
            continue;
        assert(f->n < UNSYNCED_MAX);
        struct unsynced *u = &f->old[f->n++];
        u->sector = i;
        memset(u->was, 0, sizeof u->was);
        ssize_t got = pread(fd, u->was, sizeof u->was, (off_t)(i * SECTOR_BYTES));
        assert(got >= 0);
        f->has[i / 64] |= 1ull << i % 64;
    }
}

static void forget_old(struct file *f, uint64_t at)
{
    uint64_t i = at / SECTOR_BYTES;
    for (size_t k = 0; k < f->n; k++)
        if (f->old[k].sector == i) {
            f->old[k] = f->old[--f->n];
            f->has[i / 64] &= ~(1ull << i % 64);
            return;
        }
}

static bool is_meta(const struct file *f, uint64_t at, size_t n)
{
    return f == &files[0] && n < META_BYTES_MAX && at + n <= META_END;
}

/* LMDB writes its old meta page back where a new one failed: that decides nothing. */
static void note_last(struct file *f, const void *p, size_t n, uint64_t at)
{
    bool back = now.how == DISK_SYNC_LOSES && now.struck;
    if (now.how == DISK_WELL || n > sizeof now.last_p || (f == &files[0] && (!is_meta(f, at, n) || back)))
        return;
    now.last = f;
    now.last_at = at;
    now.last_n = n;
    memcpy(now.last_p, p, n);
}

static ssize_t refused(int code)
{
    errno = code;
    return -1;
}

static ssize_t write_file(struct file *f, int fd, const void *p, size_t n, uint64_t at, uint64_t bytes)
{
    bool goes, syncs = is_meta(f, at, n) && (fcntl(fd, F_GETFL) & O_DSYNC);
    if (powerless(&goes))
        return refused(EIO);
    size_t some = room(f, n, at, bytes);
    now.struck = now.struck || some < n;
    if (some == 0 && n > 0)
        return refused(ENOSPC);
    if (syncs)
        fd = f->fd; /* a real sync would take its time */
    else
        f->fd = fd;
    keep_old(f, fd, at, some);
    if (some == n)
        note_last(f, p, n, at);
    else
        now.last = NULL; /* half of it decides nothing: its batch is not there */
    if (real_pwrite(fd, p, some, at) != (ssize_t)some)
        return refused(EIO);
    bool loses = !goes && syncs && sync_loses(f);
    if (syncs && !goes && (!loses || now.reaches))
        forget_old(f, at);
    return goes || loses ? refused(EIO) : (ssize_t)some;
}

/* ---- calls ---- */

ssize_t disk_pwrite(int fd, const void *p, size_t n, off_t at)
{
    uint64_t bytes;
    struct file *f = now.how != DISK_WELL ? file_of(fd, &bytes) : NULL;
    return f ? write_file(f, fd, p, n, (uint64_t)at, bytes) : real_pwrite(fd, p, n, (uint64_t)at);
}

/* LMDB's, of many pages side by side, where it has set the descriptor to. */
ssize_t disk_writev(int fd, const struct iovec *v, int n)
{
    uint64_t bytes;
    struct file *f = now.how != DISK_WELL ? file_of(fd, &bytes) : NULL;
    off_t at = f ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t all = 0;
    if (!f)
        return syscall(SYS_writev, fd, v, n);
    for (int i = 0; i < n; i++) {
        ssize_t wrote = write_file(f, fd, v[i].iov_base, v[i].iov_len, (uint64_t)(at + all), bytes);
        if (wrote < 0)
            return all > 0 ? all : wrote;
        all += wrote;
        if ((size_t)wrote < v[i].iov_len)
            break;
    }
    (void)lseek(fd, at + all, SEEK_SET);
    return all;
}

int disk_fdatasync(int fd)
{
    uint64_t bytes;
    bool goes;
    struct file *f = now.how != DISK_WELL ? file_of(fd, &bytes) : NULL;
    if (!f)
        return 0; /* a real sync would take its time */
    if (powerless(&goes) || goes || sync_loses(f))
        return (int)refused(EIO);
    all_certain(f, bytes);
    return 0;
}

/* The making of a log, or data.mdb that lacks free pages at its end: certain at once. */
int disk_ftruncate(int fd, off_t n)
{
    uint64_t bytes;
    struct file *f = now.how != DISK_WELL ? file_of(fd, &bytes) : NULL;
    if (f && now.how == DISK_POWER && now.struck)
        return (int)refused(EIO);
    if (f == &files[1] && disk_is_full() &&
        (uint64_t)n > bytes) /* what lacks free pages at its end gets a hole, for which there is room */
        return (int)refused(ENOSPC);
    int rc = (int)syscall(SYS_ftruncate, fd, n);
    if (f && rc == 0)
        f->certain = (uint64_t)n;
    return rc;
}

/* ---- syncs, in a simulation too ---- */

int __real_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg);
int __wrap_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg);
int __wrap_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg)
{
    (void)sync;
    return __real_wal_write(b, true, syncing, arg);
}

/* What the store asks of an environment first, when it is open. */
int __real_mdb_env_get_fd(MDB_env *e, mdb_filehandle_t *fd);
int __wrap_mdb_env_get_fd(MDB_env *e, mdb_filehandle_t *fd);
int __wrap_mdb_env_get_fd(MDB_env *e, mdb_filehandle_t *fd)
{
    (void)mdb_env_set_flags(e, MDB_NOSYNC, 0);
    return __real_mdb_env_get_fd(e, fd);
}

/* ---- what is left ---- */

static void must(bool done)
{
    assert(done);
}

static uint64_t file_loses(struct file *f, struct rng *r)
{
    static const uint32_t share_ppm[] = { 0, 100000, 500000, 900000, 1000000 };
    uint32_t ppm = share_ppm[rng_below(r, 5)];
    uint64_t lost = 0, end = f->certain;
    char path[PATH_MAX];
    if (f->n == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, names[f - files]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    must(fd >= 0 && fstat(fd, &st) == 0);
    for (size_t i = 0; i < f->n; i++) {
        uint64_t at = f->old[i].sector * SECTOR_BYTES;
        bool gone = rng_chance(r, ppm);
        lost += gone;
        if (gone)
            must(real_pwrite(fd, f->old[i].was, SECTOR_BYTES, at) == SECTOR_BYTES);
        else if (at + SECTOR_BYTES > end)
            end = at + SECTOR_BYTES;
    }
    if (end < (uint64_t)st.st_size)
        must(syscall(SYS_ftruncate, fd, (off_t)end) == 0);
    close(fd);
    all_certain(f, end);
    return lost;
}

uint64_t disk_loses(struct rng *r)
{
    uint64_t lost = 0;
    if (!now.struck)
        return 0;
    for (int i = 0; i < 2; i++)
        if (now.how == DISK_POWER || now.loses == &files[i])
            lost += file_loses(&files[i], r);
    return lost;
}

bool disk_kept(void)
{
    static uint8_t there[WAL_BATCH_BYTES_MAX];
    char path[PATH_MAX];
    if (!now.last)
        return false;
    snprintf(path, sizeof path, "%s/%s", folder, names[now.last - files]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    bool kept = pread(fd, there, now.last_n, (off_t)now.last_at) == (ssize_t)now.last_n &&
                memcmp(there, now.last_p, now.last_n) == 0;
    close(fd);
    return kept;
}
