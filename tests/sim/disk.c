/* How the calls come here: sunline-sim defines what the program's own code and liblmdb.so ask for by name (calls.c),
 * and wraps two calls inside of the program, so that the store and LMDB sync in a simulation as they do elsewhere.
 *
 * Of each sector that was written and not synced stands here what it held before. LMDB writes pages, syncs them, then
 * writes its meta page (a few bytes at the file's beginning) through a descriptor that syncs by itself.
 *
 * A world writes a hundred thousand times, and a system call costs more than all that is done here. So a write to one
 * of the two files has none of its own: what it replaces is read from a mapping of the file, which of the two a
 * descriptor is of is looked up once (close() forgets it), and where a sector's old bytes stand is an array's word. */
#include "tests/sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "broker/store/internal.h"

#define UNSYNCED_MAX (1u << 18) /* sectors of one file: all that a world's has, should nobody ever sync it */
#define FILE_SECTORS_MAX (1u << 21)
#define MAP_BYTES ((size_t)FILE_SECTORS_MAX * SECTOR_BYTES)
#define FDS_MAX 256        /* of those above, it is looked up at each call */
#define META_BYTES_MAX 512 /* a write of so few bytes at the beginning of data.mdb is a meta page's */
#define META_END 8192

struct file {
    bool known;
    dev_t dev;
    ino_t ino;
    int fd;             /* that does not sync by itself; -1: none is open */
    const uint8_t *map; /* FILE_SECTORS_MAX; NULL: none yet */
    uint64_t bytes;     /* that it is long */
    uint64_t certain;   /* bytes that it is long, whatever happens */
    uint32_t n;         /* sectors that are not synced */
    uint32_t sector[UNSYNCED_MAX];
    uint8_t was[UNSYNCED_MAX][SECTOR_BYTES];
    uint32_t place[FILE_SECTORS_MAX]; /* of a sector in those two, from 1; 0: it is certain */
};
static const char *const names[2] = { "data.mdb", WAL_FILE };
static struct file files[2];
static struct {
    struct file *file; /* NULL: not known to be of one */
    bool syncs;        /* each write, by itself */
} of_fd[FDS_MAX];
static const char *folder;
static bool follows;
static bool log_dies;
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

static void must(bool done)
{
    assert(done);
}

void disk_of(const char *dir)
{
    folder = dir;
}

void disk_follow(bool on)
{
    disk_new();
    follows = on;
}

static void all_certain(struct file *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        f->place[f->sector[i]] = 0;
    f->n = 0;
    f->certain = f->bytes;
}

static void forget(struct file *f)
{
    all_certain(f);
    if (f->map)
        munmap((void *)(uintptr_t)f->map, MAP_BYTES);
    f->map = NULL;
    f->known = false;
    f->fd = -1;
}

void disk_new(void)
{
    for (int i = 0; i < 2; i++)
        forget(&files[i]);
    memset(of_fd, 0, sizeof of_fd);
}

/* ---- which file ---- */

/* What a dead broker left unsynced is so still, in the file that it was. One that is as long as nobody made it here is
 * another. */
static void file_found(struct file *f, int fd, const struct stat *st, bool syncs)
{
    bool same = f->known && f->ino == st->st_ino && f->dev == st->st_dev && f->bytes == (uint64_t)st->st_size;
    if (!same)
        forget(f);
    f->known = true;
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->bytes = (uint64_t)st->st_size;
    f->certain = same ? f->certain : f->bytes;
    if (syncs)
        return;
    f->fd = fd;
    if (f->map)
        return;
    f->map = mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    must(f->map != MAP_FAILED);
}

static struct file *look_up(int fd, bool *syncs)
{
    struct stat st;
    char link[40], path[PATH_MAX], dir[PATH_MAX];
    if (!folder || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    size_t dir_n = realpath(folder, dir) ? strlen(dir) : 0;
    if (n < 0 || dir_n == 0 || (size_t)n <= dir_n || memcmp(path, dir, dir_n) != 0 || path[dir_n] != '/')
        return NULL;
    path[n] = 0;
    *syncs = fcntl(fd, F_GETFL) & O_DSYNC;
    for (int i = 0; i < 2; i++)
        if (strcmp(path + dir_n + 1, names[i]) == 0) {
            file_found(&files[i], fd, &st, *syncs);
            return &files[i];
        }
    return NULL;
}

/* Which of the two it is; NULL: none that is followed. That a descriptor is of another file is not kept, but looked up
 * at each call: a stream's is closed inside of the C library, where nobody sees it, and its number may be that of one
 * of the two next. A world makes but a few such calls. */
static struct file *file_of(int fd, bool *syncs)
{
    *syncs = false;
    if (!follows || fd < 0)
        return NULL;
    if (fd < FDS_MAX && of_fd[fd].file) {
        *syncs = of_fd[fd].syncs;
        return of_fd[fd].file;
    }
    struct file *f = look_up(fd, syncs);
    if (f && fd < FDS_MAX) {
        of_fd[fd].file = f;
        of_fd[fd].syncs = *syncs;
    }
    return f;
}

int disk_close(int fd)
{
    for (int i = 0; i < 2; i++)
        if (files[i].fd == fd)
            files[i].fd = -1;
    if (fd >= 0 && fd < FDS_MAX)
        of_fd[fd].file = NULL;
    return (int)syscall(SYS_close, fd);
}

/* ---- what goes wrong ---- */

void disk_arm(enum disk_fault how, uint64_t nth, bool reaches)
{
    assert(follows);
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
    log_dies = false;
}

void disk_log_dies(void)
{
    log_dies = true;
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
static size_t room(const struct file *f, size_t n, uint64_t at)
{
    if (now.how == DISK_FULL_FILES)
        return f == &files[0] && at + n > f->bytes ? 0 : n;
    if (now.how != DISK_FULL)
        return n;
    size_t some = now.shorted ? 0 : n / 2 / SECTOR_BYTES * SECTOR_BYTES;
    now.shorted = true;
    return some;
}

/* ---- a write ---- */

/* Sectors side by side of which none is kept. */
static void keep_some(struct file *f, uint64_t first, uint32_t n)
{
    assert(f->n + n <= UNSYNCED_MAX);
    uint64_t at = first * SECTOR_BYTES, all = (uint64_t)n * SECTOR_BYTES, there = at < f->bytes ? f->bytes - at : 0;
    uint8_t *was = f->was[f->n];
    there = there < all ? there : all;
    memcpy(was, f->map + at, there);
    memset(was + there, 0, all - there);
    for (uint32_t i = 0; i < n; i++) {
        f->sector[f->n] = (uint32_t)first + i;
        f->place[first + i] = ++f->n;
    }
}

/* Over a damaged store LMDB may believe in pages far behind the file's end: what is written there is not followed, and so certain. */
static void keep_old(struct file *f, uint64_t at, size_t n)
{
    uint64_t end = (at + n + SECTOR_BYTES - 1) / SECTOR_BYTES;
    end = end < FILE_SECTORS_MAX ? end : FILE_SECTORS_MAX;
    for (uint64_t i = at / SECTOR_BYTES; i < end;) {
        uint64_t first = i;
        while (i < end && !f->place[i])
            i++;
        if (i > first)
            keep_some(f, first, (uint32_t)(i - first));
        while (i < end && f->place[i])
            i++;
    }
}

/* It is certain. */
static void forget_old(struct file *f, uint64_t at)
{
    uint32_t place = f->place[at / SECTOR_BYTES];
    assert(place);
    uint32_t last = f->n--; /* takes its place */
    f->sector[place - 1] = f->sector[last - 1];
    memcpy(f->was[place - 1], f->was[last - 1], SECTOR_BYTES);
    f->place[f->sector[place - 1]] = place;
    f->place[at / SECTOR_BYTES] = 0;
}

static void grown(struct file *f, uint64_t end)
{
    if (end > f->bytes)
        f->bytes = end;
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

static ssize_t write_file(struct file *f, int fd, bool by_itself, const void *p, size_t n, uint64_t at)
{
    bool goes, syncs = by_itself && is_meta(f, at, n);
    if (powerless(&goes))
        return refused(EIO);
    size_t some = room(f, n, at);
    now.struck = now.struck || some < n;
    if (some == 0 && n > 0)
        return refused(ENOSPC);
    if (by_itself)
        fd = f->fd; /* a real sync would take its time */
    else
        f->fd = fd;
    keep_old(f, at, some);
    if (some == n)
        note_last(f, p, n, at);
    else
        now.last = NULL; /* half of it decides nothing: its batch is not there */
    if (real_pwrite(fd, p, some, at) != (ssize_t)some)
        return refused(EIO);
    grown(f, at + some);
    bool loses = !goes && syncs && sync_loses(f);
    if (syncs && !goes && (!loses || now.reaches))
        forget_old(f, at);
    return goes || loses ? refused(EIO) : (ssize_t)some;
}

/* ---- calls ---- */

ssize_t disk_pwrite(int fd, const void *p, size_t n, off_t at)
{
    bool syncs;
    struct file *f = file_of(fd, &syncs);
    return f ? write_file(f, fd, syncs, p, n, (uint64_t)at) : real_pwrite(fd, p, n, (uint64_t)at);
}

static ssize_t write_row(struct file *f, int fd, bool syncs, const struct iovec *v, int n, off_t at)
{
    ssize_t all = 0;
    for (int i = 0; i < n; i++) {
        ssize_t wrote = write_file(f, fd, syncs, v[i].iov_base, v[i].iov_len, (uint64_t)(at + all));
        if (wrote < 0)
            return all > 0 ? all : wrote;
        all += wrote;
        if ((size_t)wrote < v[i].iov_len)
            break;
    }
    (void)lseek(fd, at + all, SEEK_SET);
    return all;
}

/* LMDB's, of many pages side by side, where it has set the descriptor to. */
ssize_t disk_writev(int fd, const struct iovec *v, int n)
{
    bool syncs;
    struct file *f = file_of(fd, &syncs);
    off_t at = f ? lseek(fd, 0, SEEK_CUR) : 0;
    if (f && now.how != DISK_WELL)
        return write_row(f, fd, syncs, v, n, at);
    size_t all = 0;
    for (int i = 0; f && i < n; i++)
        all += v[i].iov_len;
    if (f)
        keep_old(f, (uint64_t)at, all);
    ssize_t wrote = syscall(SYS_writev, fd, v, n);
    if (f && wrote > 0) /* of the real disk's room, some may be lacking */
        grown(f, (uint64_t)(at + wrote));
    return wrote;
}

int disk_fdatasync(int fd)
{
    bool goes, syncs;
    struct file *f = file_of(fd, &syncs);
    if (!f)
        return 0; /* a real sync would take its time */
    if (powerless(&goes) || goes || sync_loses(f))
        return (int)refused(EIO);
    all_certain(f);
    return 0;
}

/* The making of a log, or data.mdb that lacks free pages at its end: certain at once. */
int disk_ftruncate(int fd, off_t n)
{
    bool syncs;
    struct file *f = file_of(fd, &syncs);
    if (f && now.how == DISK_POWER && now.struck)
        return (int)refused(EIO);
    if (f == &files[1] && disk_is_full() &&
        (uint64_t)n > f->bytes) /* what lacks free pages at its end gets a hole, for which there is room */
        return (int)refused(ENOSPC);
    int rc = (int)syscall(SYS_ftruncate, fd, n);
    if (!f || rc != 0)
        return rc;
    bool shorter = (uint64_t)n < f->bytes;
    f->bytes = f->certain = (uint64_t)n;
    if (shorter || f == &files[1])
        all_certain(f);
    return 0;
}

/* ---- syncs, in a simulation too ---- */

int __real_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg);
int __wrap_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg);
int __wrap_wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg)
{
    (void)sync;
    return __real_wal_write(b, !log_dies, syncing, arg);
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
    must(fd >= 0);
    for (uint32_t i = 0; i < f->n; i++) {
        uint64_t at = (uint64_t)f->sector[i] * SECTOR_BYTES;
        bool gone = rng_chance(r, ppm);
        lost += gone;
        if (gone)
            must(real_pwrite(fd, f->was[i], SECTOR_BYTES, at) == SECTOR_BYTES);
        else if (at + SECTOR_BYTES > end)
            end = at + SECTOR_BYTES;
    }
    must(syscall(SYS_ftruncate, fd, (off_t)end) == 0);
    (void)disk_close(fd);
    f->bytes = end;
    all_certain(f);
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
