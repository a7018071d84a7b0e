/* Space: what the map and the disk can still take, and growth of the map.
 *
 * Map. A transaction that fills the map is lost as a whole (MDB_MAP_FULL), so there is always room for a worst-case
 * batch before one begins: HEADROOM. 4,096 commands that touch six tables each, four levels deep, at random, copy
 * some 400 MB of pages; HEADROOM is twice that, and half of the map where the map is small. Below it the map is
 * doubled, between transactions, when no reader is active: at once if none is, else after a wait of at most
 * MOVE_WAIT, during which new readers wait too. If a long reader (a backup) outlasts that, the store says `full`
 * until it is gone, which refuses new units and nothing else.
 *
 * Disk. What the file can still take: the disk's free bytes plus the part of the file that is not in use yet. Free
 * pages inside the file count too, since a store that ate the disk must recover by draining; but LMDB keeps its list
 * of free pages in pages, in runs that a fragmented file may not have, so a quarter of the reserve must be there for
 * growth in any case.
 */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define HEADROOM_BYTES (1ull << 30)
#define RESERVE_BYTES_DEFAULT (256ull << 20)
#define DISK_USED_UP_BYTES (1u << 20)
#define ASK_DISK_US 100000        /* statvfs at most this often */
#define ASK_REUSABLE_US 1000000   /* a walk over the list of free pages at most this often ... */
#define REUSABLE_RECORDS_MAX 1024 /* ... and so far */
#define MOVE_WAIT_MS 200
#define FREE_DBI 0 /* LMDB's own list of free pages: records of (transaction -> count, page numbers) */

static uint64_t used_end(const struct store *s)
{
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    return ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
}

uint64_t space_headroom(const struct store *s)
{
    return s->map_bytes / 2 < HEADROOM_BYTES ? s->map_bytes / 2 : HEADROOM_BYTES;
}

/* ---- the map ---- */

static bool wait_for_readers(struct store *s) /* under lock */
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += MOVE_WAIT_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    int rc = 0;
    while (s->readers > 0 && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    return s->readers == 0;
}

/* What is in use fits the map as it is, so twice the map has the headroom. False: a reader holds it where it is. *rc is LMDB's word on the rest. */
static bool grow_map(struct store *s, int *rc)
{
    uint64_t bytes = 2 * s->map_bytes;
    *rc = 0;
    pthread_mutex_lock(&s->lock);
    s->moving = true;
    bool still = wait_for_readers(s);
    if (still)
        *rc = mdb_env_set_mapsize(s->env, bytes);
    s->moving = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (still && *rc == 0)
        s->map_bytes = bytes;
    return still;
}

/* ---- the disk ---- */

/* The store's file and its folder, where the log is: whichever has less. What a project's quota leaves (of ext4) only a folder tells. */
static void ask_disk(struct store *s)
{
    struct statvfs file, folder;
    if (fstatvfs(s->data_fd, &file) != 0 || fstatvfs(s->dir_fd, &folder) != 0)
        return; /* the old answer stands */
    uint64_t here = (uint64_t)file.f_bavail * file.f_frsize, there = (uint64_t)folder.f_bavail * folder.f_frsize;
    s->disk_free_bytes = here < there ? here : there;
    s->disk_known = true;
}

bool space_used_up(struct store *s)
{
    ask_disk(s);
    return s->disk_known && s->disk_free_bytes < DISK_USED_UP_BYTES;
}

/* At least so many bytes of the file are free pages. */
static uint64_t count_reusable(struct store *s)
{
    uint64_t pages = 0;
    int rc;
    MDB_cursor *mc;
    MDB_txn *mt = store_raw_read(s, &rc);
    if (mt == NULL)
        return 0;
    if (IN_TREE(mdb_cursor_open(mt, FREE_DBI, &mc)) == 0) {
        MDB_val k, v;
        for (int i = 0; i < REUSABLE_RECORDS_MAX && IN_TREE(mdb_cursor_get(mc, &k, &v, MDB_NEXT)) == 0; i++) {
            size_t n = 0;
            if (v.mv_size >= sizeof n)
                memcpy(&n, v.mv_data, sizeof n);
            pages += n;
        }
        mdb_cursor_close(mc);
    }
    mdb_txn_abort(mt);
    return pages * s->page_bytes;
}

static uint64_t reusable(struct store *s, int64_t now_us)
{
    if (s->reusable_known && now_us - s->reusable_asked_us < ASK_REUSABLE_US)
        return s->reusable_bytes;
    store_reader_enter(s);
    s->reusable_bytes = count_reusable(s);
    store_reader_leave(s);
    s->reusable_asked_us = now_us;
    s->reusable_known = true;
    return s->reusable_bytes;
}

/* What the disk can still take, with `used` bytes in use: some of them may not be in the file yet. */
static uint64_t disk_growth(const struct store *s, uint64_t used)
{
    uint64_t all = s->disk_free_bytes + s->file_bytes;
    return all > used ? all - used : 0;
}

bool space_for_settling(const struct store *s)
{
    return !s->disk_known || disk_growth(s, used_end(s)) + s->reusable_bytes >= settle_growth_bytes(s);
}

/* Fullness has some play, so that it does not flap: it ends a quarter of the reserve above where it began. */
static bool disk_full(struct store *s, uint64_t growth, int64_t now_us, uint64_t *reuse)
{
    uint64_t want = s->reserve_bytes + (s->full ? s->reserve_bytes / 4 : 0);
    *reuse = 0;
    if (growth >= want)
        return false;
    *reuse = reusable(s, now_us);
    return growth < s->reserve_bytes / 4 || growth + *reuse < want;
}

static bool disk_is_full(struct store *s, uint64_t used, int64_t now_us, uint64_t *reuse)
{
    *reuse = 0;
    return s->disk_known && disk_full(s, disk_growth(s, used), now_us, reuse);
}

static bool map_is_small(const struct store *s, uint64_t used)
{
    return s->map_bytes < used + space_headroom(s);
}

/* The map must grow. False: it could not, now. */
static bool make_room(struct store *s, enum store_rc *result)
{
    int rc;
    bool grown = grow_map(s, &rc);
    if (rc != 0) {
        snprintf(s->write.text, sizeof s->write.text, "growing the map from %llu bytes: %s",
                 (unsigned long long)s->map_bytes, mdb_strerror(rc));
        atomic_store(&s->failed, true); /* LMDB may have unmapped the old map by then */
        settle_tell(s);
        *result = STORE_IO;
    }
    return grown;
}

enum store_rc store_pressure(struct store *s, int64_t now_us, struct store_space *space)
{
    assert(!s->write.open && !s->read_only);
    uint64_t used = used_end(s) + settle_growth_bytes(s), reuse;
    enum store_rc result = STORE_OK;
    if (!s->disk_known || now_us - s->disk_asked_us >= ASK_DISK_US || now_us < s->disk_asked_us) {
        ask_disk(s);
        s->disk_asked_us = now_us;
    }
    if (map_is_small(s, used) || disk_is_full(s, used, now_us, &reuse)) {
        result = store_settle(s, SETTLE_ALL); /* what is not settled was guessed, and the map cannot grow under it */
        used = used_end(s) + settle_growth_bytes(s);
    }
    bool full = s->faults.full;
    if (result == STORE_OK && map_is_small(s, used) && !make_room(s, &result))
        full = true;
    s->full = disk_is_full(s, used, now_us, &reuse) || full;
    *space = (struct store_space){
        .map_bytes = s->map_bytes,
        .used_bytes = used_end(s) - reuse,
        .free_map_bytes = (s->map_bytes > used ? s->map_bytes - used : 0) + reuse,
        .disk_free_bytes = disk_growth(s, used) + reuse,
        .full = s->full,
    };
    return result;
}

void space_committed(struct store *s)
{
    uint64_t used = used_end(s);
    if (used > s->file_bytes)
        s->file_bytes = used;
}

/* ---- at open ---- */

struct missing {
    uint64_t first, n;
    uint8_t *listed;
};

/* Are all of them free? 0, LMDB's code, or MDB_CORRUPTED: not all. */
static int list_missing(struct store *s, struct missing *m)
{
    uint64_t found = 0;
    int rc;
    MDB_cursor *mc;
    MDB_txn *mt = store_raw_read(s, &rc);
    if (mt == NULL)
        return rc;
    rc = IN_TREE(mdb_cursor_open(mt, FREE_DBI, &mc));
    if (rc == 0) {
        MDB_val k, v;
        while (found < m->n && (rc = IN_TREE(mdb_cursor_get(mc, &k, &v, MDB_NEXT))) == 0) {
            for (size_t i = 1, n = v.mv_size / sizeof(size_t); i < n; i++) {
                size_t page;
                memcpy(&page, (const uint8_t *)v.mv_data + i * sizeof page, sizeof page);
                if (page < m->first || page - m->first >= m->n || m->listed[page - m->first])
                    continue;
                m->listed[page - m->first] = 1;
                found++;
            }
        }
        mdb_cursor_close(mc);
    }
    mdb_txn_abort(mt);
    return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

/* A file that is shorter than its last page may still be whole: LMDB does not write a page that was taken and given
 * back in one transaction. Then every page that is missing stands in the list of free ones. To look, the file must
 * be long enough for the map not to fault. 0: whole; MDB_CORRUPTED: cut off; another code: nobody can tell. */
static int only_free_pages_missing(struct store *s, uint64_t file, uint64_t used)
{
    struct missing m = { file / s->page_bytes, (used - file + s->page_bytes - 1) / s->page_bytes, NULL };
    if (s->read_only)
        return MDB_CORRUPTED;
    if (ftruncate(s->data_fd, (off_t)used) != 0)
        return errno;
    s->cut_bytes = file; /* should LMDB end the process: store.c */
    m.listed = calloc(m.n, 1);
    int rc = m.listed != NULL ? list_missing(s, &m) : ENOMEM;
    free(m.listed);
    s->cut_bytes = 0;
    if (rc != 0 && ftruncate(s->data_fd, (off_t)file) != 0)
        return errno; /* the evidence should be left as it was */
    return rc;
}

enum store_rc space_open(struct store *s, const struct store_options *o, char *text, size_t text_size)
{
    MDB_stat st;
    MDB_envinfo info;
    struct stat file;
    mdb_env_stat(s->env, &st);
    mdb_env_info(s->env, &info);
    s->page_bytes = st.ms_psize;
    s->map_bytes = info.me_mapsize;
    s->reserve_bytes = o->reserve_bytes != 0 ? o->reserve_bytes : RESERVE_BYTES_DEFAULT;
    if (fstat(s->data_fd, &file) != 0) {
        store_say(text, text_size, "%s/data.mdb: %s", o->dir, strerror(errno));
        return STORE_IO;
    }
    uint64_t used = used_end(s), have = (uint64_t)file.st_size;
    int rc = have < used ? only_free_pages_missing(s, have, used) : 0;
    if (rc == MDB_CORRUPTED) {
        store_say(text, text_size, "%s/data.mdb is cut off: it has %llu bytes, its pages need %llu", o->dir,
                  (unsigned long long)have, (unsigned long long)used);
        return STORE_CORRUPT;
    }
    if (rc != 0)
        return store_say(text, text_size, "%s/data.mdb: %s", o->dir, mdb_strerror(rc)), store_rc_of(rc);
    s->file_bytes = have > used ? have : used;
    if (!s->read_only && s->map_bytes < used + space_headroom(s))
        grow_map(s, &rc);
    if (rc != 0)
        store_say(text, text_size, "%s: growing the map: %s", o->dir, mdb_strerror(rc));
    return rc == 0 ? STORE_OK : STORE_IO;
}
