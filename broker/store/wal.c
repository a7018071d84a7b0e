/* The write-ahead log: how a batch comes to the disk with one write and one sync, before LMDB has it there.
 *
 * A batch touches a dozen tables. In a B-tree that copies what it changes, each costs a commit its leaf page, the pages above it and a place
 * of its own on the disk, and LMDB syncs twice: pages, then the page that points to them. So LMDB's transaction stays open over many batches; what a
 * batch puts and deletes is also written to the file `wal`, behind the last one, and synced: that is its commit. Now and then
 * (settle.c) LMDB's transaction is committed, and the file is used from its beginning again. Whoever opens the store does the log's changes over again in the
 * tables of LMDB's last commit: all that was ever acknowledged is in the one or in the other.
 *
 * The file has a fixed length and was written once before use, so that a sync has nothing to do but to bring data to where it belongs. It is a row of
 * sectors of 512 bytes, what a disk writes whole:
 *
 *   crc u32       CRC32C over the log's salt, the sector's number and the rest of it
 *   left u16      so many sectors of this batch come behind it
 *   used u16      bytes of changes in it
 *   batch u32     number of the batch, from 0 in each generation
 *   zero u32
 *   generation u64   the number that LMDB's transaction will have when it is committed: once it is, these sectors are old
 *   changes          488 bytes; all integers little-endian
 *
 * and the changes of a batch, one behind the other over its sectors, are
 *
 *   table u8, how u8 (put, append, delete), key bytes u16, value bytes u16, key, value
 *
 * Each sector tells for itself whether it is of this generation, old, or damaged. That is what makes a batch whose write was cut short (some sectors are
 * still old: it was never acknowledged, and goes) another thing than one that was damaged afterwards (all are there, one is neither: the
 * store is not opened, since an answer is missing). A batch is only written when the one before it is synced: so a whole one behind one that is not is damage, too. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_PAGE_BYTES 4096
#define HEAD_BYTES 24u
#define BODY_BYTES (SECTOR_BYTES - HEAD_BYTES)
#define CHANGE_HEAD_BYTES 6u
#define ZEROS_BYTES (256u << 10) /* one write while the file is made */

_Static_assert(SL_VALUE_BYTES_MAX <= UINT16_MAX && STORE_KEY_BYTES_MAX <= UINT16_MAX, "a change's lengths are u16");
_Static_assert(WAL_BATCH_BYTES_MAX / SECTOR_BYTES <= UINT16_MAX, "the sectors of a batch are counted in u16");

static void put_le(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_le(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* ---- a sector ---- */

/* A file that is read again. */
struct replay {
    const uint8_t *file;
    uint64_t sectors, salt, generation;
    uint8_t *changes; /* of one batch */
    char *why;
    size_t why_size;
};

struct head {
    uint32_t left, used, batch;
    uint64_t generation;
};

/* The salt is random, of the making of this file, and stands in META: another store's log does not fit. */
static uint32_t sector_crc(const uint8_t *sector, uint64_t salt, uint64_t number)
{
    uint8_t at[16];
    put_le(at, salt, 8);
    put_le(at + 8, number, 8);
    return store_crc32c(store_crc32c(0, at, sizeof at), sector + 4, SECTOR_BYTES - 4);
}

static void sector_seal(uint8_t *sector, uint64_t salt, uint64_t number, const struct head *h)
{
    put_le(sector + 4, h->left, 2);
    put_le(sector + 6, h->used, 2);
    put_le(sector + 8, h->batch, 4);
    put_le(sector + 12, 0, 4);
    put_le(sector + 16, h->generation, 8);
    put_le(sector, sector_crc(sector, salt, number), 4);
}

enum sector { SECTOR_OLD, SECTOR_LIVE, SECTOR_LATER, SECTOR_DAMAGED };

static enum sector sector_read(const struct replay *r, uint64_t number, struct head *h)
{
    const uint8_t *sector = r->file + number * SECTOR_BYTES;
    static const uint8_t zeros[SECTOR_BYTES];
    if (memcmp(sector, zeros, SECTOR_BYTES) == 0)
        return SECTOR_OLD; /* never used */
    if (get_le(sector, 4) != sector_crc(sector, r->salt, number))
        return SECTOR_DAMAGED;
    *h = (struct head){ (uint32_t)get_le(sector + 4, 2), (uint32_t)get_le(sector + 6, 2),
                        (uint32_t)get_le(sector + 8, 4), get_le(sector + 16, 8) };
    if (h->used > BODY_BYTES)
        return SECTOR_DAMAGED;
    return h->generation == r->generation ? SECTOR_LIVE : h->generation < r->generation ? SECTOR_OLD : SECTOR_LATER;
}

/* ---- writing ---- */

/* Errno's code. */
static int write_all(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t wrote = pwrite(fd, p, n, (off_t)at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? errno : ENOSPC;
        p += wrote;
        n -= (size_t)wrote;
        at += (uint64_t)wrote;
    }
    return 0;
}

static uint64_t sectors_of(size_t n)
{
    return (n + SECTOR_BYTES - 1) / SECTOR_BYTES;
}

/* The bytes go to where they will lie, behind the heads of their sectors, which are written last. */
static void gather(struct wal *w, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n > 0) {
        if (w->batch_bytes % SECTOR_BYTES == 0)
            w->batch_bytes += HEAD_BYTES;
        size_t room = SECTOR_BYTES - w->batch_bytes % SECTOR_BYTES, some = n < room ? n : room;
        memcpy(w->batch + w->batch_bytes, from, some);
        w->batch_bytes += some;
        from += some;
        n -= some;
    }
}

void wal_begin(struct wal *w)
{
    w->batch_bytes = 0;
    w->too_large = w->fd < 0;
}

void wal_add(struct wal *w, enum store_table tb, enum change_how how, struct store_val key,
             const struct store_val *part, size_t parts, size_t n)
{
    w->changes++;
    if (w->too_large)
        return;
    size_t need = CHANGE_HEAD_BYTES + key.n + n, room = w->batch_cap - w->batch_bytes;
    if (need + (need / BODY_BYTES + 2) * HEAD_BYTES > room) {
        w->too_large = true;
        return;
    }
    uint8_t head[CHANGE_HEAD_BYTES] = { (uint8_t)tb, (uint8_t)how };
    put_le(head + 2, key.n, 2);
    put_le(head + 4, n, 2);
    gather(w, head, sizeof head);
    gather(w, key.p, key.n);
    for (size_t i = 0; i < parts; i++)
        gather(w, part[i].p, part[i].n);
}

bool wal_takes(const struct wal *w)
{
    return !w->too_large && w->at + sectors_of(w->batch_bytes) * SECTOR_BYTES <= w->bytes;
}

struct wal_batch wal_seal(struct wal *w, uint64_t generation)
{
    uint64_t sectors = sectors_of(w->batch_bytes), first = w->at / SECTOR_BYTES;
    size_t all = sectors * SECTOR_BYTES;
    assert(wal_takes(w) && w->batch_bytes > 0);
    memset(w->batch + w->batch_bytes, 0, all - w->batch_bytes);
    for (uint64_t i = 0; i < sectors; i++) {
        size_t end = i + 1 < sectors ? SECTOR_BYTES : w->batch_bytes - i * SECTOR_BYTES;
        struct head h = { (uint32_t)(sectors - 1 - i), (uint32_t)(end - HEAD_BYTES), w->batches, generation };
        sector_seal(w->batch + i * SECTOR_BYTES, w->salt, first + i, &h);
    }
    struct wal_batch sealed = { w->fd, w->batch, all, w->at };
    w->batch = w->other;
    w->other = (uint8_t *)(uintptr_t)sealed.p;
    w->batch_bytes = 0;
    w->at += all;
    w->batches++;
    return sealed;
}

int wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg)
{
    int rc = write_all(b->fd, b->p, b->n, b->at);
    if (rc != 0)
        return rc;
    if (syncing != NULL)
        syncing(arg);
    return sync && fdatasync(b->fd) != 0 ? errno : 0;
}

void wal_reset(struct wal *w)
{
    w->at = 0;
    w->batches = 0;
    w->changes = 0;
}

/* ---- the file ---- */

void wal_none(struct wal *w)
{
    *w = (struct wal){ .fd = -1 };
}

void wal_close(struct wal *w)
{
    free(w->batch);
    free(w->other);
    if (w->fd >= 0)
        close(w->fd);
    wal_none(w);
}

static int have_buffers(struct wal *w)
{
    w->batch_cap = w->bytes < WAL_BATCH_BYTES_MAX ? w->bytes : WAL_BATCH_BYTES_MAX;
    /* At a page: a kill that cuts a write cuts it between pages of memory, and that must not be inside a sector. */
    void *p, *other;
    int rc = posix_memalign(&p, MEMORY_PAGE_BYTES, w->batch_cap);
    w->batch = rc == 0 ? p : NULL;
    if (rc == 0)
        rc = posix_memalign(&other, MEMORY_PAGE_BYTES, w->batch_cap);
    w->other = rc == 0 ? other : NULL;
    return rc;
}

int wal_make(struct wal *w, int dir_fd, uint64_t bytes, bool sync)
{
    static const uint8_t zeros[ZEROS_BYTES];
    assert(w->fd < 0 && bytes % SECTOR_BYTES == 0 && bytes > 0);
    int fd = openat(dir_fd, WAL_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;
    if (fd < 0)
        return errno;
    if (!sync) /* simulation: holes will do */
        rc = ftruncate(fd, (off_t)bytes) == 0 ? 0 : errno;
    for (uint64_t at = 0; sync && at < bytes && rc == 0; at += ZEROS_BYTES)
        rc = write_all(fd, zeros, bytes - at < ZEROS_BYTES ? (size_t)(bytes - at) : ZEROS_BYTES, at);
    if (rc == 0 && sync && fsync(fd) != 0)
        rc = errno;
    if (rc == 0 && sync)
        (void)store_sync_dir(dir_fd);
    if (rc == 0 && getrandom(&w->salt, sizeof w->salt, 0) != sizeof w->salt)
        rc = EIO;
    w->fd = fd;
    w->bytes = bytes;
    rc = rc == 0 ? have_buffers(w) : rc;
    if (rc != 0) {
        wal_close(w);
        (void)unlinkat(dir_fd, WAL_FILE, 0); /* nothing was ever in it, and where the disk is full it is in the way */
    }
    return rc;
}

int wal_open(struct wal *w, int dir_fd, uint64_t bytes, uint64_t salt, bool read_only)
{
    struct stat st;
    assert(w->fd < 0);
    int fd = openat(dir_fd, WAL_FILE, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? WAL_IS_GONE : errno;
    if (fstat(fd, &st) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    if ((uint64_t)st.st_size < bytes) {
        close(fd);
        return WAL_IS_GONE;
    }
    w->fd = fd;
    w->bytes = bytes;
    w->salt = salt;
    int rc = have_buffers(w);
    if (rc != 0)
        wal_close(w);
    return rc;
}

/* ---- reading it again ---- */

static int damaged(const struct replay *r, uint64_t sector, const char *what)
{
    snprintf(r->why, r->why_size, WAL_FILE ": at byte %llu: %s", (unsigned long long)(sector * SECTOR_BYTES), what);
    return WAL_IS_DAMAGED;
}

/* The batch that begins at a sector which is not old. *sectors: how many it has; 0: it was never whole. */
static int batch_at(const struct replay *r, uint64_t first, uint32_t batch, uint64_t *sectors, size_t *bytes)
{
    struct head h = { 0 }, f;
    *sectors = 0;
    *bytes = 0;
    if (sector_read(r, first, &f) == SECTOR_DAMAGED)
        return damaged(r, first, "checksum");
    if (f.batch != batch || f.left >= r->sectors - first || f.left >= WAL_BATCH_BYTES_MAX / SECTOR_BYTES)
        return damaged(r, first, "not the batch that should be here");
    uint64_t bad = 0;
    for (uint64_t i = 0; i <= f.left; i++) {
        const uint8_t *s = r->file + (first + i) * SECTOR_BYTES;
        enum sector is = sector_read(r, first + i, &h);
        if (is == SECTOR_OLD)
            return 0;
        bool fits = is == SECTOR_LIVE && h.batch == batch && h.left == f.left - i;
        bad = fits || bad != 0 ? bad : first + i;
        if (fits)
            memcpy(r->changes + *bytes, s + HEAD_BYTES, h.used);
        *bytes += fits ? h.used : 0;
    }
    if (bad != 0)
        return damaged(r, bad, "checksum");
    *sectors = f.left + 1;
    return 0;
}

/* From here on nothing may follow: what is of this generation is of the batch that was cut short. */
static int ends_at(const struct replay *r, uint64_t first, uint32_t batch, bool *torn)
{
    struct head h;
    *torn = false;
    for (uint64_t i = first; i < r->sectors; i++) {
        enum sector is = sector_read(r, i, &h);
        if (is == SECTOR_LATER)
            return damaged(r, i, "it goes on behind what data.mdb holds: the two are not of one time");
        if (is == SECTOR_LIVE && h.batch > batch)
            return damaged(r, first, "a batch is missing");
        *torn = *torn || is == SECTOR_LIVE;
    }
    return 0;
}

static int do_changes(const struct replay *r, uint64_t sector, size_t n, wal_change *each, void *arg)
{
    for (size_t at = 0; at < n;) {
        const uint8_t *c = r->changes + at;
        size_t key_n = n - at >= CHANGE_HEAD_BYTES ? get_le(c + 2, 2) : 0, value_n = key_n > 0 ? get_le(c + 4, 2) : 0;
        size_t all = CHANGE_HEAD_BYTES + key_n + value_n;
        if (key_n == 0 || key_n > STORE_KEY_BYTES_MAX || all > n - at || c[0] >= STORE_TABLE_COUNT ||
            c[1] > CHANGE_DELETE)
            return damaged(r, sector, "not a row of changes");
        int rc =
            each(arg, (enum store_table)c[0], (enum change_how)c[1], (struct store_val){ c + CHANGE_HEAD_BYTES, key_n },
                 (struct store_val){ c + CHANGE_HEAD_BYTES + key_n, value_n });
        if (rc == WAL_IS_DAMAGED)
            return damaged(r, sector, "it does not fit the tables");
        if (rc != 0)
            return rc;
        at += all;
    }
    return 0;
}

static int replay_all(struct wal *w, const struct replay *r, wal_change *each, void *arg)
{
    uint64_t sector = 0, sectors = 1;
    int rc = 0;
    wal_reset(w);
    while (rc == 0 && sectors > 0 && sector < r->sectors) {
        struct head h;
        size_t bytes;
        enum sector is = sector_read(r, sector, &h);
        if (is == SECTOR_OLD || is == SECTOR_LATER)
            break;
        rc = batch_at(r, sector, w->batches, &sectors, &bytes);
        if (rc == 0 && sectors > 0) {
            rc = each != NULL ? do_changes(r, sector, bytes, each, arg) : 0;
            sector += sectors;
            w->batches++;
        }
    }
    w->at = sector * SECTOR_BYTES;
    return rc == 0 ? ends_at(r, sector, w->batches, &w->torn) : rc;
}

int wal_replay(struct wal *w, uint64_t generation, wal_change *each, void *arg, char *why, size_t why_size)
{
    uint8_t *file = malloc(w->bytes), *changes = malloc(WAL_BATCH_BYTES_MAX);
    struct replay r = { file, w->bytes / SECTOR_BYTES, w->salt, generation, changes, why, why_size };
    int rc = file != NULL && changes != NULL ? 0 : ENOMEM;
    for (uint64_t at = 0; at < w->bytes && rc == 0;) {
        ssize_t n = pread(w->fd, file + at, w->bytes - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            rc = n < 0 ? errno : EIO;
        else
            at += (uint64_t)n;
    }
    if (rc == 0)
        rc = replay_all(w, &r, each, arg);
    free(file);
    free(changes);
    return rc;
}
