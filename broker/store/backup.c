/* Jobs over the whole store, on other threads than the writer's: an online backup, and the check of every record.
 *
 * A backup's read transaction is begun inside LMDB, so it can catch the commit that is just being written
 * (begin_snapshot in txn.c tells how): a backup may be that one commit ahead of what was acknowledged. It is
 * consistent all the same. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define VERIFY_STEP 1024 /* records a read transaction: it ends before it holds back the reuse of pages */

/* ---- backup ---- */

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    int e = errno;
    close(fd);
    errno = e;
    return rc;
}

/* Whoever starts on the copy must know that it is one: the original went on (broker/engine/restore.c). The mark lies in the copy itself, so that
 * nobody loses it who moves the files. And it has no log: it gets one of its own. LMDB syncs it; nobody else has the copy open. */
static int mark_copy(struct store *s, const char *dir)
{
    uint8_t record[ENVELOPE_BYTES + 1] = { [ENVELOPE_BYTES] = 1 };
    MDB_env *env;
    MDB_txn *mt;
    MDB_dbi meta;
    MDB_val key = val_of(COPY_KEY, sizeof COPY_KEY - 1), v = { sizeof record, record };
    MDB_val log = val_of(WAL_KEY, sizeof WAL_KEY - 1);
    envelope_seal(TABLE_META, COPY_KEY, sizeof COPY_KEY - 1, record, 1);
    int rc = mdb_env_create(&env);
    if (rc != 0)
        return rc;
    store_watch_asserts(s, env);
    rc = mdb_env_set_maxdbs(env, 1);
    assert(rc == 0);
    rc = mdb_env_open(env, dir, MDB_NOLOCK | MDB_NORDAHEAD, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(env, NULL, 0, &mt);
    if (rc == 0) {
        rc = IN_TREE(mdb_dbi_open(mt, "00", 0, &meta));
        if (rc == 0)
            rc = IN_TREE(mdb_put(mt, meta, &key, &v, 0));
        int none = rc == 0 ? IN_TREE(mdb_del(mt, meta, &log, NULL)) : 0;
        if (rc == 0 && none != MDB_NOTFOUND)
            rc = none;
        if (rc == 0)
            rc = mdb_txn_commit(mt);
        else
            mdb_txn_abort(mt);
    }
    mdb_env_close(env);
    return rc;
}

/* Beside the place: ".NAME.partial". Nobody would call a backup so; one that was broken off lies there, and goes. Errno's code. */
static int partial_path(char *out, size_t size, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    int n = snprintf(out, size, "%.*s.%s.partial", (int)(name - path), path, name);
    return *name == '\0' ? EINVAL : n < (int)size ? 0 : ENAMETOOLONG;
}

static void remove_partial(const char *tmp)
{
    char data[PATH_BYTES + 16];
    snprintf(data, sizeof data, "%s/data.mdb", tmp);
    (void)unlink(data);
    (void)rmdir(tmp);
}

/* The copy is made beside its place and renamed when it is whole and on disk: a backup that exists is complete. */
static int copy_into(struct store *s, char *tmp, const char *path)
{
    char data[PATH_BYTES + 16], up[PATH_BYTES + 16];
    snprintf(data, sizeof data, "%s/data.mdb", tmp);
    remove_partial(tmp);
    if (mkdir(tmp, 0700) != 0)
        return errno;
    if (settle_wait(s) != STORE_OK)
        return EIO;
    store_reader_enter(s);
    int rc = mdb_env_copy2(s->env, tmp, MDB_CP_COMPACT);
    store_reader_leave(s);
    if (rc == 0)
        rc = mark_copy(s, tmp);
    if (rc != 0)
        return rc;
    if (sync_path(data, O_RDONLY) != 0 || sync_path(tmp, O_RDONLY | O_DIRECTORY) != 0)
        return errno;
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
        if (errno != EINVAL)
            return errno;
        /* a file system without NOREPLACE: rename replaces an empty directory at worst */
        if (rename(tmp, path) != 0)
            return errno;
    }
    snprintf(up, sizeof up, "%s/..", path);
    return sync_path(up, O_RDONLY | O_DIRECTORY) == 0 ? 0 : errno;
}

static int back_up(struct store *s, const char *path)
{
    char tmp[PATH_BYTES];
    struct stat st;
    int rc = partial_path(tmp, sizeof tmp, path);
    if (rc != 0)
        return rc;
    if (lstat(path, &st) == 0)
        return EEXIST;
    rc = copy_into(s, tmp, path);
    if (rc != 0)
        remove_partial(tmp);
    return rc;
}

enum store_rc store_backup(struct store *s, const char *path, char *text, size_t text_size)
{
    store_say(text, text_size, "%s", "");
    if (atomic_load(&s->failed)) {
        store_say(text, text_size, "backup to %s: the store has failed", path);
        return STORE_IO;
    }
    int rc = back_up(s, path);
    if (rc == 0)
        return STORE_OK;
    store_say(text, text_size, "backup to %s: %s", path, mdb_strerror(rc));
    enum store_rc r = store_rc_of(rc);
    return r == STORE_NO_MEMORY || r == STORE_CORRUPT ? r : STORE_IO;
}

/* ---- verification ---- */

struct verifier {
    enum store_table tb;
    struct store_verified *to;
    uint64_t entries; /* how many records LMDB says the table has, in the first transaction ... */
    uint64_t commit;  /* ... and which commit that showed: 0 once another one was seen */
    void (*damage)(void *, enum store_table, const void *, size_t);
    void *arg;
    bool damaged;
    uint8_t last[STORE_KEY_BYTES_MAX]; /* the key that was looked at last; last_n 0: none yet */
    size_t last_n;
};

static void found(struct verifier *v, const void *key, size_t key_n)
{
    v->damaged = true;
    if (v->damage != NULL)
        v->damage(v->arg, v->tb, key, key_n);
}

static void note_count(struct verifier *v, struct store_txn *t)
{
    uint64_t entries, commit;
    bool first = v->last_n == 0, told = store_count(t, v->tb, &entries, &commit) == STORE_OK;
    if (first && told) {
        v->entries = entries;
        v->commit = commit;
    } else if (!told || v->commit != commit) {
        v->commit = 0;
    }
}

/* Up to VERIFY_STEP records after v->last. NOT_FOUND at the table's end. Pages have no checksum: a damaged pointer between them leads to a page of another place or
 * time, whose records are fine. The walk then goes astray, and ends there, or does not come out at LMDB's own count. A damaged key between them leads only searches
 * astray, so each record is searched for, too. */
static enum store_rc verify_step(struct verifier *v, struct store_txn *t)
{
    struct store_cursor c;
    enum store_rc r = store_cursor_open(t, v->tb, &c);
    if (r != STORE_OK)
        return r;
    r = store_seek_behind(&c, v->last, v->last_n);
    for (int i = 0; (r == STORE_OK || r == STORE_CORRUPT) && c.key.p != NULL; i++) {
        v->to->records++;
        if (r == STORE_OK)
            r = store_search_finds(&c);
        bool found_again = r == STORE_OK;
        if (r == STORE_CORRUPT)
            found(v, c.key.p, c.key.n);
        else if (r != STORE_OK)
            break;
        if (c.astray)
            break;
        v->last_n = c.key.n;
        memcpy(v->last, c.key.p, c.key.n);
        if (i >= VERIFY_STEP - 1 && found_again) /* the next step's search comes back to it */
            break;
        r = store_next(&c);
    }
    store_cursor_close(&c);
    return r;
}

enum store_rc store_verify(struct store *s, enum store_table tb, struct store_verified *to,
                           void (*damage)(void *, enum store_table, const void *, size_t), void *arg)
{
    assert((unsigned)tb < STORE_TABLE_COUNT);
    struct verifier v = { .tb = tb, .to = to, .damage = damage, .arg = arg };
    enum store_rc r = STORE_OK;
    *to = (struct store_verified){ .records = 0 };
    while (r == STORE_OK) {
        struct store_txn *t;
        r = store_begin_read(s, &t);
        if (r != STORE_OK)
            break;
        note_count(&v, t);
        r = verify_step(&v, t);
        store_abort(&t);
    }
    to->whole = r == STORE_NOT_FOUND;
    if (r == STORE_CORRUPT || (to->whole && v.commit != 0 && to->records != v.entries))
        found(&v, NULL, 0); /* it could not go on, or the count is another */
    if (!to->whole)
        return r;
    return v.damaged ? STORE_CORRUPT : STORE_OK;
}
