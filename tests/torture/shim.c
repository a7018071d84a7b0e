/* A library to preload (LD_PRELOAD) into a program of ours: it sees every call that changes files below one directory, counts them, can end the
 * process at the n-th as kill -9 would, and can write all of them down in order, so that a power cut can be played later (powercut.py).
 *
 *   SHIM_DIR=DIR      the directory; calls on other files, sockets and pipes pass by
 *   SHIM_STATE=FILE   64 bytes, shared memory for whoever watches: u64 calls begun, u64 calls recorded, u64 kind of the last call begun, and the name
 *                     of its file below DIR, cut to 39 bytes
 *   SHIM_AT=N         SIGKILL at the N-th call, from 1
 *   SHIM_ONLY=K NAME  ... of those of kind K (its number below) on this file below DIR; `K@OFF NAME`: of writes at this offset
 *   SHIM_MODE=before  before the call happens; `half`: after half of a write's bytes, in whole sectors if it was of whole sectors (other calls:
 *                     before); `after`: as it comes back, when nobody can have been told of it
 *   SHIM_RECORD=FILE  append a record for each call when it is over: struct record, the path below DIR, for a rename the new path, bytes written.
 *                     The call that the process is killed in is the last one there, made or not: a write as it was meant to be, others without sizes
 *
 * Calls are made one at a time (a lock is held over each), so the order of the records is the order in which things happened; a sync that is under way
 * covers what was written before it. A call that fails is counted, not recorded. An `open` is one of these calls where it makes a file (create) or
 * empties one (ftruncate to 0); dprintf is the write that it makes. Writes through a shared mapping are not seen: LMDB without WRITEMAP has none on its data file, its
 * lock file is made anew by the first process that opens it. The environment is cleared, so that children run without the shim. */
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR_BYTES 512 /* no kill cuts one in two: the kernel copies whole pages, a disk writes whole sectors */
#define SEEN __attribute__((visibility("default")))
enum kind {
    KIND_WRITE = 1,
    KIND_FDATASYNC,
    KIND_FSYNC,
    KIND_MSYNC,
    KIND_RENAME,
    KIND_UNLINK,
    KIND_FTRUNCATE,
    KIND_FALLOCATE,
    KIND_CREATE,
    KIND_MKDIR,
    KIND_RMDIR
};
enum mode { MODE_BEFORE, MODE_HALF, MODE_AFTER };
struct record {            /* little-endian, as the machine; 40 bytes */
    uint32_t kind, synced; /* synced: the descriptor is O_DSYNC or O_SYNC, so the write was on disk when it returned */
    uint64_t off, n;       /* write: where and how much; ftruncate: the length in off */
    uint32_t name_n, to_n;
    uint64_t data_n;
};
struct state {
    _Atomic uint64_t calls, recorded, kind;
    char name[40];
};
static_assert(sizeof(struct state) == 64, "as the drivers read it");

static struct {
    char dir[PATH_MAX];
    size_t dir_n;
    struct state *state;
    uint64_t at;
    enum kind only_kind; /* 0: any */
    off_t only_off;      /* -1: any */
    char only_name[PATH_MAX];
    uint64_t met; /* calls that SHIM_ONLY means */
    enum mode mode;
    int record_fd;
    pthread_mutex_t lock;
} shim = { .record_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fdatasync)(int), (*real_fsync)(int), (*real_msync)(void *, size_t, int);
static int (*real_renameat2)(int, const char *, int, const char *, unsigned), (*real_unlinkat)(int, const char *, int);
static int (*real_openat)(int, const char *, int, ...), (*real_mkdirat)(int, const char *, mode_t);
static int (*real_ftruncate)(int, off_t), (*real_fallocate)(int, int, off_t, off_t);

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "shim: %s\n", what);
    abort();
}

static void *find(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (f == NULL)
        fail(name);
    return f;
}

static __attribute__((constructor)) void begin(void)
{
    *(void **)&real_write = find("write");
    *(void **)&real_pwrite = find("pwrite");
    *(void **)&real_writev = find("writev");
    *(void **)&real_pwritev = find("pwritev");
    *(void **)&real_fdatasync = find("fdatasync");
    *(void **)&real_fsync = find("fsync");
    *(void **)&real_msync = find("msync");
    *(void **)&real_renameat2 = find("renameat2");
    *(void **)&real_openat = find("openat");
    *(void **)&real_mkdirat = find("mkdirat");
    *(void **)&real_unlinkat = find("unlinkat");
    *(void **)&real_ftruncate = find("ftruncate");
    *(void **)&real_fallocate = find("fallocate");

    const char *dir = getenv("SHIM_DIR"), *state = getenv("SHIM_STATE"), *at = getenv("SHIM_AT");
    const char *mode = getenv("SHIM_MODE"), *record = getenv("SHIM_RECORD"), *only = getenv("SHIM_ONLY");
    if (dir == NULL || state == NULL)
        fail("SHIM_DIR and SHIM_STATE are needed");
    int fd = real_openat(AT_FDCWD, state, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || real_ftruncate(fd, 64) != 0)
        fail("SHIM_STATE");
    void *p = mmap(NULL, sizeof *shim.state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        fail("SHIM_STATE cannot be mapped");
    close(fd);
    shim.state = p;
    shim.at = at != NULL ? strtoull(at, NULL, 10) : 0;
    if (only != NULL) {
        char *name;
        shim.only_kind = (enum kind)strtoul(only, &name, 10);
        shim.only_off = *name == '@' ? strtoll(name + 1, &name, 10) : -1;
        if (*name != ' ' || strlen(name) >= sizeof shim.only_name)
            fail("SHIM_ONLY");
        strcpy(shim.only_name, name + 1);
    }
    shim.mode = mode == NULL || strcmp(mode, "before") == 0 ? MODE_BEFORE
                : strcmp(mode, "half") == 0                 ? MODE_HALF
                                                            : MODE_AFTER;
    if (record != NULL &&
        (shim.record_fd = real_openat(AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        fail("SHIM_RECORD");
    if (strlen(dir) >= sizeof shim.dir)
        fail("SHIM_DIR is too long");
    strcpy(shim.dir, dir); /* set last: until here nothing is counted */
    shim.dir_n = strlen(dir);
    unsetenv("LD_PRELOAD");
}

/* ---- which file ---- */

/* The part of the path below the directory ("" for the directory itself), or NULL if it lies elsewhere. */
static const char *below(const char *path)
{
    if (shim.dir_n == 0 || strncmp(path, shim.dir, shim.dir_n) != 0)
        return NULL;
    return path[shim.dir_n] == '/' ? path + shim.dir_n + 1 : path[shim.dir_n] == '\0' ? path + shim.dir_n : NULL;
}

static const char *name_of_fd(int fd, char path[PATH_MAX])
{
    char link[64];
    if (shim.dir_n == 0)
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *gone = strstr(path, " (deleted)");
    if (gone != NULL)
        *gone = '\0';
    return below(path);
}

static const char *name_at(int dir_fd, const char *name, char path[PATH_MAX])
{
    char at[PATH_MAX];
    if (shim.dir_n == 0)
        return NULL;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below(path);
    }
    if (dir_fd == AT_FDCWD ? getcwd(at, sizeof at) == NULL : name_of_fd(dir_fd, at) == NULL)
        return NULL;
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", at, name) >= PATH_MAX)
        return NULL;
    return below(path);
}

/* ---- counting, killing, recording ---- */

static _Noreturn void die(void)
{
    for (;;)
        kill(getpid(), SIGKILL);
}

static void put(const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = real_write(shim.record_fd, (const char *)p + done, n - done);
        if (w <= 0)
            fail("the recording cannot be written");
        done += (size_t)w;
    }
}

static void note(struct record r, const char *name, const char *to, const struct iovec *v, int count)
{
    if (shim.record_fd < 0)
        return;
    r.name_n = (uint32_t)strlen(name);
    r.to_n = to != NULL ? (uint32_t)strlen(to) : 0;
    r.data_n = r.kind == KIND_WRITE ? r.n : 0;
    put(&r, sizeof r);
    put(name, r.name_n);
    if (to != NULL)
        put(to, r.to_n);
    uint64_t left = r.data_n;
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = v[i].iov_len < left ? v[i].iov_len : (size_t)left;
        put(v[i].iov_base, n);
        left -= n;
    }
    atomic_fetch_add(&shim.state->recorded, 1);
}

static bool is_meant(enum kind kind, const char *name, off_t off)
{
    return kind == shim.only_kind && strcmp(name, shim.only_name) == 0 && (shim.only_off < 0 || off == shim.only_off);
}

/* Takes the lock. True: this is the call to die in; before one that is no write it is over here. */
static bool enter_at(enum kind kind, const char *name, off_t off)
{
    pthread_mutex_lock(&shim.lock);
    uint64_t n = atomic_fetch_add(&shim.state->calls, 1) + 1;
    atomic_store(&shim.state->kind, kind);
    strncpy(shim.state->name, name, sizeof shim.state->name - 1);
    if (shim.only_kind != 0)
        n = is_meant(kind, name, off) ? ++shim.met : 0;
    if (shim.at == 0 || n != shim.at)
        return false;
    if (kind != KIND_WRITE && shim.mode != MODE_AFTER) {
        note((struct record){ .kind = kind }, name, NULL, NULL, 0);
        die();
    }
    return true;
}

static bool enter(enum kind kind, const char *name)
{
    return enter_at(kind, name, -1);
}

static void leave(bool last)
{
    if (last)
        die();
    pthread_mutex_unlock(&shim.lock);
}

/* ---- writes ---- */

static size_t bytes_of(const struct iovec *v, int count)
{
    size_t all = 0;
    for (int i = 0; i < count; i++)
        all += v[i].iov_len;
    return all;
}

static void write_half(int fd, const struct iovec *v, int count, off_t off)
{
    size_t all = bytes_of(v, count);
    bool sectors = off >= 0 && off % SECTOR_BYTES == 0 && all % SECTOR_BYTES == 0;
    size_t left = sectors ? all / SECTOR_BYTES / 2 * SECTOR_BYTES : all / 2;
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = v[i].iov_len < left ? v[i].iov_len : left;
        ssize_t w = off >= 0 ? real_pwrite(fd, v[i].iov_base, n, off) : real_write(fd, v[i].iov_base, n);
        if (w != (ssize_t)n)
            break;
        off = off >= 0 ? off + w : off;
        left -= n;
    }
}

static off_t position(int fd)
{
    struct stat st;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &st) == 0 ? st.st_size : 0;
    return lseek(fd, 0, SEEK_CUR);
}

/* All four ways to write; off < 0: at the descriptor's own position. */
static ssize_t any_write(int fd, const struct iovec *v, int count, off_t off)
{
    char path[PATH_MAX];
    const char *name = name_of_fd(fd, path);
    if (name == NULL)
        return off >= 0 ? real_pwritev(fd, v, count, off) : real_writev(fd, v, count);
    bool last = enter_at(KIND_WRITE, name, off);
    struct record r = { .kind = KIND_WRITE,
                        .synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0,
                        .off = (uint64_t)(off >= 0 ? off : position(fd)),
                        .n = bytes_of(v, count) };
    if (last && shim.mode != MODE_AFTER) {
        note(r, name, NULL, v, count);
        if (shim.mode == MODE_HALF)
            write_half(fd, v, count, off);
        die();
    }
    ssize_t n = off >= 0 ? real_pwritev(fd, v, count, off) : real_writev(fd, v, count);
    if (n > 0) {
        r.n = (uint64_t)n;
        note(r, name, NULL, v, count);
    }
    leave(last);
    return n;
}

static struct iovec one(const void *p, size_t n)
{
    return (struct iovec){ (void *)(uintptr_t)p, n };
}

SEEN ssize_t write(int fd, const void *p, size_t n)
{
    if (shim.dir_n == 0)
        return real_write ? real_write(fd, p, n) : -1;
    struct iovec v = one(p, n);
    return any_write(fd, &v, 1, -1);
}

SEEN ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
    struct iovec v = one(p, n);
    return any_write(fd, &v, 1, off);
}

SEEN ssize_t pwrite64(int fd, const void *p, size_t n, off_t off)
{
    return pwrite(fd, p, n, off);
}

SEEN ssize_t writev(int fd, const struct iovec *v, int count)
{
    return any_write(fd, v, count, -1);
}

SEEN ssize_t pwritev(int fd, const struct iovec *v, int count, off_t off)
{
    return any_write(fd, v, count, off);
}

SEEN ssize_t pwritev64(int fd, const struct iovec *v, int count, off_t off)
{
    return any_write(fd, v, count, off);
}

/* ---- syncs and sizes ---- */

#define ON_FD(KIND, CALL, RECORD)                                                                                      \
    char path[PATH_MAX];                                                                                               \
    const char *name = name_of_fd(fd, path);                                                                           \
    if (name == NULL)                                                                                                  \
        return CALL;                                                                                                   \
    bool last = enter(KIND, name);                                                                                     \
    int rc = CALL;                                                                                                     \
    if (rc == 0)                                                                                                       \
        note((struct record)RECORD, name, NULL, NULL, 0);                                                              \
    leave(last);                                                                                                       \
    return rc

SEEN int fdatasync(int fd)
{
    ON_FD(KIND_FDATASYNC, real_fdatasync(fd), { .kind = KIND_FDATASYNC });
}

SEEN int fsync(int fd)
{
    ON_FD(KIND_FSYNC, real_fsync(fd), { .kind = KIND_FSYNC });
}

SEEN int ftruncate(int fd, off_t n)
{
#define AT_LENGTH { .kind = KIND_FTRUNCATE, .off = (uint64_t)n }
    ON_FD(KIND_FTRUNCATE, real_ftruncate(fd, n), AT_LENGTH);
}

SEEN int ftruncate64(int fd, off_t n)
{
    return ftruncate(fd, n);
}

SEEN int fallocate(int fd, int mode, off_t off, off_t n)
{
#define AT_PLACE { .kind = KIND_FALLOCATE, .off = (uint64_t)off, .n = (uint64_t)n }
    ON_FD(KIND_FALLOCATE, real_fallocate(fd, mode, off, n), AT_PLACE);
}

SEEN int fallocate64(int fd, int mode, off_t off, off_t n)
{
    return fallocate(fd, mode, off, n);
}

SEEN int msync(void *p, size_t n, int flags)
{
    bool last = enter(KIND_MSYNC, "");
    int rc = real_msync(p, n, flags);
    if (rc == 0)
        note((struct record){ .kind = KIND_MSYNC }, "", NULL, NULL, 0);
    leave(last);
    return rc;
}

/* ---- names ---- */

/* A call on one name, or two: counted and recorded if both lie below. */
#define ON_NAMES(KIND, CALL)                                                                                           \
    bool last = enter(KIND, name);                                                                                     \
    int rc = CALL;                                                                                                     \
    if (rc == 0)                                                                                                       \
        note((struct record){ .kind = KIND }, name, to_name, NULL, 0);                                                 \
    leave(last);                                                                                                       \
    return rc

SEEN int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char path[PATH_MAX], to_path[PATH_MAX];
    const char *name = name_at(from_dir, from, path), *to_name = name_at(to_dir, to, to_path);
    if (name == NULL || to_name == NULL)
        return real_renameat2(from_dir, from, to_dir, to, flags);
    ON_NAMES(KIND_RENAME, real_renameat2(from_dir, from, to_dir, to, flags));
}

SEEN int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

SEEN int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SEEN int unlinkat(int dir, const char *path_, int flags)
{
    char path[PATH_MAX];
    const char *name = name_at(dir, path_, path), *to_name = NULL;
    if (name == NULL)
        return real_unlinkat(dir, path_, flags);
    enum kind kind = flags & AT_REMOVEDIR ? KIND_RMDIR : KIND_UNLINK;
    ON_NAMES(kind, real_unlinkat(dir, path_, flags));
}

SEEN int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

SEEN int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

SEEN int mkdirat(int dir, const char *path_, mode_t mode)
{
    char path[PATH_MAX];
    const char *name = name_at(dir, path_, path), *to_name = NULL;
    if (name == NULL)
        return real_mkdirat(dir, path_, mode);
    ON_NAMES(KIND_MKDIR, real_mkdirat(dir, path_, mode));
}

SEEN int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* ---- opens ---- */

static int any_open(int dir, const char *path_, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat st;
    if (real_openat == NULL) /* somebody else's constructor */
        *(void **)&real_openat = find("openat");
    const char *name =
        flags & (O_CREAT | O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE ? name_at(dir, path_, path) : NULL;
    bool there = name != NULL && fstatat(dir, path_, &st, 0) == 0;
    if (name == NULL || (there && !(flags & O_TRUNC)) || (!there && !(flags & O_CREAT)))
        return real_openat(dir, path_, flags, mode);
    bool last = enter(there ? KIND_FTRUNCATE : KIND_CREATE, name);
    int fd = real_openat(dir, path_, flags, mode);
    if (fd >= 0)
        note((struct record){ .kind = there ? KIND_FTRUNCATE : KIND_CREATE }, name, NULL, NULL, 0);
    leave(last);
    return fd;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
}

#define OPEN_WITH(DIR)                                                                                                 \
    va_list more;                                                                                                      \
    va_start(more, flags);                                                                                             \
    mode_t mode = mode_of(flags, more);                                                                                \
    va_end(more);                                                                                                      \
    return any_open(DIR, path, flags, mode)

SEEN int openat(int dir, const char *path, int flags, ...)
{
    OPEN_WITH(dir);
}

SEEN int openat64(int dir, const char *path, int flags, ...)
{
    OPEN_WITH(dir);
}

SEEN int open(const char *path, int flags, ...)
{
    OPEN_WITH(AT_FDCWD);
}

SEEN int open64(const char *path, int flags, ...)
{
    OPEN_WITH(AT_FDCWD);
}

SEEN int creat(const char *path, mode_t mode)
{
    return any_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- text ---- */

SEEN int vdprintf(int fd, const char *format, va_list more)
{
    char *text;
    int n = vasprintf(&text, format, more), done = 0;
    if (n < 0)
        return -1;
    while (done < n) {
        ssize_t w = write(fd, text + done, (size_t)(n - done));
        if (w < 0)
            break;
        done += (int)w;
    }
    free(text);
    return done < n ? -1 : n;
}

SEEN int dprintf(int fd, const char *format, ...)
{
    va_list more;
    va_start(more, format);
    int n = vdprintf(fd, format, more);
    va_end(more);
    return n;
}
