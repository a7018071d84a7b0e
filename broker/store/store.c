/* The life of a store: its directory and lock, LMDB's environment, the format, the tables.
 *
 * Flags of LMDB, and why: NOTLS, so that a read transaction belongs to an object and not to a thread; NORDAHEAD,
 * since lookups are scattered and the file is larger than memory. None of WRITEMAP (a stray pointer would write into
 * the store), MAPASYNC, NOMETASYNC, NOMEMINIT (unset memory would reach the disk). NOSYNC for the simulator alone.
 *
 * Tables are LMDB databases named by their number in two digits ("00" is META): a new name needs no conversion. */
#include "broker/store/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES_DEFAULT (64ull << 30)
#define TABLES_OF_FORMAT_1 20
#define FORMAT_NEVER_RELEASED 2

void store_say(char *text, size_t size, const char *fmt, ...)
{
    if (text == NULL || size == 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, size, fmt, ap);
    va_end(ap);
}

const char *store_table_name(enum store_table tb)
{
    static const char *const names[STORE_TABLE_COUNT] = {
#define T(NAME, n) [n] = #NAME,
        STORE_TABLES(T)
#undef T
    };
    return (unsigned)tb < STORE_TABLE_COUNT ? names[tb] : "?";
}

enum store_rc store_rc_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS: return STORE_OK;
    case MDB_NOTFOUND: return STORE_NOT_FOUND;
    case ENOMEM: return STORE_NO_MEMORY;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_CURSOR_FULL: return STORE_CORRUPT;
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID: return STORE_BAD_FORMAT;
    default: return STORE_IO;
    }
}

bool store_sync_dir(int dir_fd)
{
    return fsync(dir_fd) == 0 ||
           errno == EINVAL; /* some file systems cannot sync a directory: nothing is lost by asking */
}

/* ---- the directory and its lock ---- */

/* The name of a folder that is there is made certain, too: a start that died behind its mkdir, or whoever put the folder there, may not have done so. */
static enum store_rc make_dir(struct store *s, const char *dir, char *text, size_t size)
{
    if (!s->read_only)
        (void)mkdir(dir, 0700);
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0) {
        store_say(text, size, "%s: %s", dir, strerror(errno));
        return STORE_IO;
    }
    int up = s->read_only || s->no_sync ? -1 : openat(s->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up >= 0) {
        (void)store_sync_dir(up);
        close(up);
    }
    return STORE_OK;
}

static enum store_rc take_lock(struct store *s, const char *dir, char *text, size_t size)
{
    s->lock_fd = openat(s->dir_fd, "lock", s->read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->read_only && (s->lock_fd >= 0 || errno == ENOENT))
        return STORE_OK; /* there is none of a copy. open_view takes it, if need be */
    if (s->lock_fd < 0) {
        store_say(text, size, "%s/lock: %s", dir, strerror(errno));
        return STORE_IO;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return STORE_OK;
    if (errno == EWOULDBLOCK && flock(s->lock_fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(s->lock_fd, LOCK_UN);
        store_say(text, size, "%s: somebody looks into this store (sunlined --verify): start again when that has ended",
                  dir);
        return STORE_IO;
    }
    if (errno == EWOULDBLOCK) {
        store_say(text, size, "%s: another broker has this store open", dir);
        return STORE_LOCKED;
    }
    store_say(text, size, "%s/lock: %s", dir, strerror(errno));
    return STORE_IO;
}

/* A store that was here once has left its id in `lock`. If its data.mdb is gone or empty, LMDB would begin a new one
 * in silence. */
static enum store_rc check_not_lost(const struct store *s, const char *dir, char *text, size_t size)
{
    struct stat data, lock;
    int rc = fstatat(s->dir_fd, "data.mdb", &data, 0);
    if (rc != 0 && errno != ENOENT) {
        store_say(text, size, "%s/data.mdb: %s", dir, strerror(errno));
        return STORE_IO;
    }
    if (rc == 0 && data.st_size > 0)
        return STORE_OK;
    if (s->read_only) {
        store_say(text, size, "%s: there is no store here", dir);
        return STORE_BAD_FORMAT;
    }
    if (fstat(s->lock_fd, &lock) != 0) {
        store_say(text, size, "%s/lock: %s", dir, strerror(errno));
        return STORE_IO;
    }
    if (lock.st_size > 0) {
        store_say(text, size,
                  "%s/data.mdb is missing or empty, but a store was here: restore a backup, or remove %s/lock to "
                  "begin a new one",
                  dir, dir);
        return STORE_CORRUPT;
    }
    return STORE_OK;
}

/* The making of a store was cut short before its first commit: there is no id in `lock`, and nothing but LMDB's first
 * two pages, or a part of them, in data.mdb. Nothing was ever promised, so it is made again. */
static enum store_rc clear_half_made(const struct store *s, const char *dir, char *text, size_t size)
{
    struct stat data, lock;
    if (s->read_only || fstat(s->lock_fd, &lock) != 0 || lock.st_size > 0)
        return STORE_OK;
    if (fstatat(s->dir_fd, "data.mdb", &data, 0) != 0 || data.st_size == 0)
        return STORE_OK;
    int fd = openat(s->dir_fd, "data.mdb", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return STORE_OK; /* LMDB will say why */
    int rc = heads_half_made(fd) && ftruncate(fd, 0) != 0 ? errno : 0;
    close(fd);
    if (rc == 0)
        return STORE_OK;
    store_say(text, size, "%s/data.mdb: %s", dir, strerror(rc));
    return STORE_IO;
}

void store_leave_id(const struct store *s)
{
    char hex[2 * sizeof s->id + 1];
    for (size_t i = 0; i < sizeof s->id; i++)
        snprintf(hex + 2 * i, 3, "%02x", s->id[i]);
    hex[2 * sizeof s->id] = '\n';
    char there[sizeof hex];
    if (pread(s->lock_fd, there, sizeof there, 0) == (ssize_t)sizeof there && memcmp(there, hex, sizeof hex) == 0)
        return;
    /* The names first: an id beside no data.mdb tells of a store that was lost (check_not_lost). */
    if (!store_sync_dir(s->dir_fd))
        return;
    if (pwrite(s->lock_fd, hex, sizeof hex, 0) == (ssize_t)sizeof hex)
        (void)fsync(s->lock_fd);
}

/* ---- the environment and its format ---- */

static void on_assert(MDB_env *env, const char *said)
{
    const struct store *s = mdb_env_get_userctx(env);
    if (s->cut_bytes > 0)
        (void)!ftruncate(s->data_fd,
                         (off_t)s->cut_bytes); /* as it was: the next start would take a longer file for a whole one */
    if (s->lmdb_asserted != NULL) {
        const char *dir = "";
        (void)mdb_env_get_path(env, &dir);
        s->lmdb_asserted(dir, said);
    }
}

void store_watch_asserts(struct store *s, MDB_env *env)
{
    int rc = mdb_env_set_userctx(env, s);
    if (rc == 0)
        rc = mdb_env_set_assert(env, on_assert);
    assert(rc == 0);
}

static enum store_rc open_env(struct store *s, const struct store_options *o, unsigned how, char *text, size_t size)
{
    const char *wrong = NULL;
    enum store_rc looked = heads_look(s->dir_fd, &wrong);
    if (looked != STORE_OK)
        return store_say(text, size, "%s/data.mdb: %s", o->dir, wrong), looked;
    int rc = mdb_env_create(&s->env);
    if (rc != 0)
        return store_say(text, size, "%s: %s", o->dir, mdb_strerror(rc)), store_rc_of(rc);
    store_watch_asserts(s, s->env);
    rc = mdb_env_set_maxdbs(s->env, STORE_TABLE_COUNT + 8);
    assert(rc == 0);
    rc = mdb_env_set_mapsize(s->env, o->map_bytes != 0 ? o->map_bytes : MAP_BYTES_DEFAULT);
    assert(rc == 0);
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | how | (o->no_sync ? MDB_NOSYNC : 0);
    rc = mdb_env_open(s->env, o->dir, flags, 0600);
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH) {
        store_say(text, size, "%s/data.mdb is not a store (%s)", o->dir, mdb_strerror(rc));
        return STORE_BAD_FORMAT;
    }
    if (rc != 0)
        return store_say(text, size, "%s: %s", o->dir, mdb_strerror(rc)), rc == ENOMEM ? STORE_NO_MEMORY : STORE_IO;
    rc = mdb_env_get_fd(s->env, &s->data_fd);
    assert(rc == 0);
    (void)fcntl(s->data_fd, F_SETFD, FD_CLOEXEC); /* LMDB sees to its other two */
    int dead;
    (void)mdb_reader_check(s->env, &dead);
    return STORE_OK;
}

MDB_txn *store_raw_read(struct store *s, int *rc)
{
    MDB_txn *mt = NULL;
    *rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &mt);
    if (*rc == MDB_MAP_RESIZED) { /* the broker has grown the map: follow, unless another reader of ours stands on it */
        pthread_mutex_lock(&s->lock);
        if (s->readers <= 1)
            *rc = mdb_env_set_mapsize(s->env, 0);
        pthread_mutex_unlock(&s->lock);
        if (*rc == 0)
            *rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &mt);
    }
    return *rc == 0 ? mt : NULL;
}

static enum store_rc parse_format(struct store *s, MDB_val key, MDB_val record, const char *dir, char *text,
                                  size_t size)
{
    struct store_val v;
    const char *wrong = envelope_open(TABLE_META, &key, &record, &v);
    if (wrong != NULL || v.n < FORMAT_BYTES) {
        store_say(text, size, "%s: META \"" FORMAT_KEY "\": %s", dir, wrong != NULL ? wrong : "too short");
        return STORE_CORRUPT;
    }
    uint32_t version = key_get_u32(v.p);
    if (version > STORE_FORMAT_VERSION || version == 0) {
        store_say(text, size, "%s: the store has format %u, this program knows formats up to %u", dir, version,
                  STORE_FORMAT_VERSION);
        return STORE_BAD_FORMAT;
    }
    if (version == FORMAT_NEVER_RELEASED) {
        store_say(text, size, "%s: the store has format %u, which no release ever had", dir, version);
        return STORE_BAD_FORMAT;
    }
    s->format = version;
    memcpy(s->id, (const uint8_t *)v.p + 4, sizeof s->id);
    return STORE_OK;
}

/* How long the log is that belongs to it; 0: none does. */
static enum store_rc parse_wal(struct store *s, MDB_txn *mt, MDB_dbi meta, const char *dir, char *text, size_t size)
{
    MDB_val key = val_of(WAL_KEY, sizeof WAL_KEY - 1), record;
    struct store_val v;
    int rc = IN_TREE(mdb_get(mt, meta, &key, &record));
    if (rc == MDB_NOTFOUND)
        return STORE_OK;
    const char *wrong = rc == 0 ? envelope_open(TABLE_META, &key, &record, &v) : mdb_strerror(rc);
    if (wrong == NULL && (v.n != WAL_KEY_BYTES || key_get_u64(v.p) == 0 || key_get_u64(v.p) > WAL_BYTES_MAX ||
                          key_get_u64(v.p) % SECTOR_BYTES != 0))
        wrong = "no length of a log";
    if (wrong == NULL) {
        s->wal.bytes = key_get_u64(v.p);
        s->wal.salt = key_get_u64((const uint8_t *)v.p + 8);
        return STORE_OK;
    }
    store_say(text, size, "%s: META \"" WAL_KEY "\": %s", dir, wrong);
    return rc == 0 ? STORE_CORRUPT : store_rc_of(rc);
}

/* Whoever goes on writing must know what is said there: a damaged key is as good as none, of the log as of the mark of a copy. Who only looks comes to the damage, and names it. */
static enum store_rc check_meta(MDB_txn *mt, MDB_dbi meta, const char *dir, char *text, size_t size)
{
    MDB_cursor *mc;
    MDB_val key, record, last = { 0, NULL };
    struct store_val v;
    int rc = IN_TREE(mdb_cursor_open(mt, meta, &mc));
    if (rc != 0)
        return store_say(text, size, "%s: META: %s", dir, mdb_strerror(rc)), store_rc_of(rc);
    const char *wrong = NULL;
    rc = IN_TREE(mdb_cursor_get(mc, &key, &record, MDB_FIRST));
    while (rc == 0 && wrong == NULL) {
        wrong = envelope_open(TABLE_META, &key, &record, &v);
        if (last.mv_data != NULL && mdb_cmp(mt, meta, &key, &last) <= 0)
            break; /* a page that leads back is a check's to tell, and so is one that is not there */
        last = key;
        rc = IN_TREE(mdb_cursor_get(mc, &key, &record, MDB_NEXT));
    }
    mdb_cursor_close(mc);
    if (wrong != NULL)
        return store_say(text, size, "%s: a record of META: %s", dir, wrong), STORE_CORRUPT;
    if (rc == 0 || rc == MDB_NOTFOUND || store_rc_of(rc) == STORE_CORRUPT)
        return STORE_OK;
    return store_say(text, size, "%s: META: %s", dir, mdb_strerror(rc)), store_rc_of(rc);
}

/* Look before anything is written: NOT_FOUND means an empty environment, where a store may be made. */
static enum store_rc look_at_format(struct store *s, const char *dir, char *text, size_t size)
{
    int rc;
    MDB_txn *mt = store_raw_read(s, &rc);
    if (mt == NULL)
        return store_say(text, size, "%s: %s", dir, mdb_strerror(rc)), store_rc_of(rc);
    MDB_dbi meta;
    MDB_val key = { sizeof FORMAT_KEY - 1, (void *)(uintptr_t)FORMAT_KEY }, record;
    enum store_rc result;
    rc = IN_TREE(mdb_dbi_open(mt, "00", 0, &meta));
    if (rc == 0)
        rc = IN_TREE(mdb_get(mt, meta, &key, &record));
    if (rc == 0) {
        result = parse_format(s, key, record, dir, text, size);
        key = (MDB_val){ sizeof COPY_KEY - 1, (void *)(uintptr_t)COPY_KEY };
        rc = IN_TREE(mdb_get(mt, meta, &key, &record));
        s->copy = rc == 0; /* whatever stands there: it is a mark */
        if (rc != 0 && rc != MDB_NOTFOUND) {
            store_say(text, size, "%s: %s", dir, mdb_strerror(rc));
            result = store_rc_of(rc);
        }
        if (result == STORE_OK)
            result = parse_wal(s, mt, meta, dir, text, size);
        if (result == STORE_OK && !s->read_only)
            result = check_meta(mt, meta, dir, text, size);
    } else if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE) {
        MDB_envinfo info;
        mdb_env_info(s->env, &info);
        result = info.me_last_txnid == 0 ? STORE_NOT_FOUND : STORE_BAD_FORMAT;
        if (result == STORE_BAD_FORMAT)
            store_say(text, size, "%s/data.mdb is another program's: it has no format", dir);
    } else {
        store_say(text, size, "%s: %s", dir, mdb_strerror(rc));
        result = store_rc_of(rc);
    }
    mdb_txn_abort(mt);
    return result;
}

static int open_tables(struct store *s, MDB_txn *mt)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        char name[12];
        snprintf(name, sizeof name, "%02d", i);
        int rc = IN_TREE(mdb_dbi_open(mt, name, s->read_only ? 0 : MDB_CREATE, &s->dbi[i]));
        if (rc == MDB_NOTFOUND && s->format == 1 && i >= TABLES_OF_FORMAT_1)
            s->absent |= 1u << i;
        else if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_format(struct store *s, MDB_txn *mt, const uint8_t id[16])
{
    uint8_t record[ENVELOPE_BYTES + FORMAT_BYTES];
    s->format = STORE_FORMAT_VERSION;
    memcpy(s->id, id, sizeof s->id);
    memcpy(key_u32(record + ENVELOPE_BYTES, STORE_FORMAT_VERSION), id, sizeof s->id);
    envelope_seal(TABLE_META, FORMAT_KEY, sizeof FORMAT_KEY - 1, record, FORMAT_BYTES);
    MDB_val key = { sizeof FORMAT_KEY - 1, (void *)(uintptr_t)FORMAT_KEY }, v = { sizeof record, record };
    return IN_TREE(mdb_put(mt, s->dbi[TABLE_META], &key, &v, MDB_NOOVERWRITE));
}

/* ---- the log ---- */

static enum store_rc no_wal(const char *dir, int rc, char *text, size_t size)
{
    if (rc != WAL_IS_GONE)
        return store_say(text, size, "%s/" WAL_FILE ": %s", dir, mdb_strerror(rc)), store_rc_of(rc);
    store_say(text, size,
              "%s/" WAL_FILE
              " is missing or cut off, but belongs to this store, and what was acknowledged last may be in it: "
              "put it back beside data.mdb, or restore a backup",
              dir);
    return STORE_CORRUPT;
}

/* What a broker that died had in its log becomes a commit of LMDB's; in the transaction that is open already. */
static int take_over(struct store *s)
{
    int rc = settle_replay(s);
    if (rc != 0 || (s->wal.at == 0 && !s->wal.torn))
        return rc;
    return txn_put_log(
        s); /* even if there was nothing but a part of a batch: with the next number of LMDB's it is old */
}

/* Does the log hold anything that LMDB has not? */
static enum store_rc look_at_log(struct store *s, const char *dir, char *text, size_t size)
{
    MDB_envinfo info;
    char why[STORE_TEXT_BYTES_MAX];
    int rc = wal_open(&s->wal, s->dir_fd, s->wal.bytes, s->wal.salt, true);
    if (rc != 0)
        return no_wal(dir, rc, text, size);
    mdb_env_info(s->env, &info);
    rc = wal_replay(&s->wal, info.me_last_txnid + 1, NULL, NULL, why, sizeof why);
    if (rc == WAL_IS_DAMAGED)
        return store_say(text, size, "%s/%s", dir, why), STORE_CORRUPT;
    return rc == 0 ? STORE_OK : no_wal(dir, rc, text, size);
}

/* All of it in a transaction that is never committed, in an environment without LMDB's locks: `lock` keeps brokers away. */
static enum store_rc take_view(struct store *s, const struct store_options *o, uint64_t used, char *text, size_t size)
{
    mdb_env_close(s->env);
    s->env = NULL;
    enum store_rc r = open_env(s, o, MDB_NOLOCK, text, size);
    if (r != STORE_OK)
        return r;
    if (s->map_bytes < used + space_headroom(s))
        s->map_bytes = used + space_headroom(s);
    int rc = mdb_env_set_mapsize(s->env, s->map_bytes);
    if (rc == 0)
        rc = txn_begin_writer(s);
    if (rc == 0)
        rc = open_tables(s, s->write.mt);
    if (rc == 0)
        rc = settle_replay(s);
    s->view = s->write.mt != NULL;
    s->write.writer = false; /* what is read here is not counted */
    if (rc == 0)
        return STORE_OK;
    store_say(text, size, "%s: what its log holds cannot be seen: %s", o->dir,
              s->write.text[0] != '\0' ? s->write.text : mdb_strerror(rc));
    return store_rc_of(rc);
}

/* Nobody else has it open: what its broker left in the log is to be seen, too. */
static enum store_rc open_view(struct store *s, const struct store_options *o, char *text, size_t size)
{
    MDB_envinfo info;
    if (s->wal.bytes == 0 || (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK))
        return STORE_OK; /* a broker that lives: its last commit to LMDB is what can be seen */
    mdb_env_info(s->env, &info);
    enum store_rc r = look_at_log(s, o->dir, text, size);
    if (r == STORE_OK && s->wal.at > 0)
        return take_view(s, o, (info.me_last_pgno + 1) * s->page_bytes, text, size);
    if (s->lock_fd >= 0)
        (void)flock(s->lock_fd, LOCK_UN);
    return r;
}

/* The tables, and all that was committed: made if they are not there, in one transaction. What is read here is made certain first: a broker that died of a failed sync may have left it in the
 * machine's memory, and another commit on the disk, to which a cut of the power would go back, with pages that are written now. */
static int open_writer(struct store *s, bool fresh, const uint8_t new_id[16])
{
    int rc = mdb_env_sync(s->env, 0);
    if (rc == 0)
        rc = txn_begin_writer(s);
    if (rc == 0)
        rc = open_tables(s, s->write.mt);
    if (rc == 0 && fresh)
        rc = write_format(s, s->write.mt, new_id);
    if (rc == 0 && s->wal.fd >= 0)
        rc = take_over(s);
    if (rc == 0)
        return settle_commit(s);
    if (s->write.mt != NULL)
        mdb_txn_abort(s->write.mt);
    s->write.mt = NULL;
    return rc;
}

static int open_reader(struct store *s)
{
    int rc;
    MDB_txn *mt = store_raw_read(s, &rc);
    if (mt == NULL)
        return rc;
    rc = open_tables(s, mt);
    if (rc == 0)
        return mdb_txn_commit(mt); /* so that the handles stay */
    mdb_txn_abort(mt);
    return rc;
}

static enum store_rc open_format(struct store *s, const struct store_options *o, const uint8_t new_id[16], char *text,
                                 size_t size)
{
    enum store_rc r = look_at_format(s, o->dir, text, size);
    bool fresh = r == STORE_NOT_FOUND;
    if (fresh && s->read_only) {
        store_say(text, size, "%s: there is no store here", o->dir);
        return STORE_BAD_FORMAT;
    }
    if (r != STORE_OK && !fresh)
        return r;
    int rc = s->wal.bytes > 0 && !s->read_only ? wal_open(&s->wal, s->dir_fd, s->wal.bytes, s->wal.salt, false) : 0;
    if (rc != 0)
        return no_wal(o->dir, rc, text, size);
    assert(!fresh || new_id != NULL);
    s->write.text[0] = '\0';
    rc = s->read_only ? open_reader(s) : open_writer(s, fresh, new_id);
    if (rc == MDB_NOTFOUND)
        return store_say(text, size, "%s: a table is missing", o->dir), STORE_BAD_FORMAT;
    if (rc != 0) {
        store_say(text, size, "%s: %s", o->dir, s->write.text[0] != '\0' ? s->write.text : mdb_strerror(rc));
        return store_rc_of(rc);
    }
    return s->read_only ? open_view(s, o, text, size) : STORE_OK;
}

/* ---- open and close ---- */

enum store_rc store_open(struct store **out, const struct store_options *o, const uint8_t new_id[16], char *text,
                         size_t size)
{
    *out = NULL;
    store_say(text, size, "%s", "");
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return store_say(text, size, "no memory"), STORE_NO_MEMORY;
    s->dir_fd = s->lock_fd = s->data_fd = -1;
    s->read_only = o->read_only;
    s->no_sync = o->no_sync;
    s->settle_wanted = o->settle_wanted;
    s->settle_arg = o->settle_arg;
    s->lmdb_asserted = o->lmdb_asserted;
    assert(o->wal_bytes <= 1 || (o->wal_bytes % SECTOR_BYTES == 0 && o->wal_bytes <= WAL_BYTES_MAX));
    s->wal_bytes = o->wal_bytes == 0 ? WAL_BYTES_DEFAULT : o->wal_bytes == 1 ? 0 : o->wal_bytes;
    wal_none(&s->wal);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    pthread_mutex_init(&s->log_writer.lock, NULL);
    pthread_cond_init(&s->log_writer.changed, NULL);

    enum store_rc r = make_dir(s, o->dir, text, size);
    if (r == STORE_OK)
        r = take_lock(s, o->dir, text, size);
    if (r == STORE_OK)
        r = check_not_lost(s, o->dir, text, size);
    if (r == STORE_OK)
        r = clear_half_made(s, o->dir, text, size);
    if (r == STORE_OK)
        r = open_env(s, o, o->read_only ? MDB_RDONLY : 0, text, size);
    if (r == STORE_OK)
        r = space_open(s, o, text, size);
    if (r == STORE_OK)
        r = open_format(s, o, new_id, text, size);
    if (r != STORE_OK) {
        store_close(&s);
        return r;
    }
    if (!s->read_only)
        store_leave_id(s);
    *out = s;
    return STORE_OK;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;
    if (s == NULL)
        return;
    assert(!s->write.open && s->readers == 0);
    writer_stop(s);
    store_txn_free_pool(s);
    if (s->write.mt != NULL)
        mdb_txn_abort(s->write.mt); /* what it holds is in the log */
    wal_close(&s->wal);
    if (s->env != NULL)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd); /* and with it the lock */
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    pthread_cond_destroy(&s->log_writer.changed);
    pthread_mutex_destroy(&s->log_writer.lock);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sp = NULL;
}

const uint8_t *store_id(const struct store *s)
{
    return s->id;
}

bool store_is_copy(const struct store *s)
{
    return s->copy;
}

uint32_t store_format(const struct store *s)
{
    return s->format;
}

const char *store_error_text(const struct store *s)
{
    return s->write.text;
}

const struct store_counters *store_counters(const struct store *s)
{
    return &s->counters;
}

struct store_faults *store_faults(struct store *s)
{
    return &s->faults;
}

void store_reader_check(struct store *s)
{
    int dead;
    (void)mdb_reader_check(s->env, &dead);
}
