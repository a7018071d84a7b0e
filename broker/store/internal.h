/* What the files of the store share, and nobody else sees.
 *
 *   store.c     the life of a store: directory, lock, format, tables
 *   txn.c       transactions, single values
 *   cursor.c    ordered walks
 *   wal.c       the file that a batch is written to first
 *   writer.c    the thread that does so while the next batch is put to its tables
 *   settle.c    when LMDB commits what is in there
 *   envelope.c  CRC32C and the envelope around each value
 *   heads.c     LMDB's heads and its list of tables, before it opens them
 *   free_list.c its list of free pages, likewise
 *   space.c     headroom, growth of the map
 *   backup.c    backup and verification
 *
 * Threads: everything in struct store belongs to the writer's thread, except what stands under `lock`, what is atomic, and log_writer, which has a lock of its own.
 *
 * Files of a store's directory:
 *   data.mdb    LMDB's pages
 *   wal         what was committed since LMDB's last commit: wal.c
 *   lock.mdb    LMDB's table of readers; worthless when nobody has the store open
 *   lock        flock()ed by the broker that has the store; holds the store's id in hex, so that a missing or emptied
 *               data.mdb is recognised as a loss and not taken for a new store */
#ifndef SUNLINE_STORE_INTERNAL_H
#define SUNLINE_STORE_INTERNAL_H
#include <assert.h>

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "broker/store/store.h"
#include "proto/limits.h"

#define ENVELOPE_VERSION 1  /* of one record's envelope */
#define ENVELOPE_BYTES 5    /* CRC32C, little-endian; version */
#define FORMAT_KEY "format" /* in META: version (u32), id (16), big-endian like keys */
#define FORMAT_BYTES 20
#define COPY_KEY "copy" /* in META, of a backup until it is a store of its own: one byte */
#define WAL_KEY "wal"   /* in META, if a file `wal` belongs to the store: its bytes (u64), its salt (u64) */
#define WAL_KEY_BYTES 16
#define SECTOR_BYTES 512u        /* what a disk writes whole */
#define STORE_READERS_MAX 48     /* read transactions open at once, of one process */
#define STORE_TEXT_BYTES_MAX 512 /* an error text */

#define FORMAT_WITH_LOG 3

/* ---- wal.c ---- */
#define WAL_FILE "wal"
#define SETTLE_PAGE_BITS (1u << 17)
#define WAL_BYTES_DEFAULT (8u << 20)
#define WAL_BYTES_MAX (64u << 20)      /* a start reads it into memory */
#define WAL_BATCH_BYTES_MAX (1u << 20) /* a larger batch is better written once: it is a commit of LMDB's */
enum change_how { CHANGE_PUT, CHANGE_APPEND, CHANGE_DELETE };
enum { WAL_IS_GONE = -1, WAL_IS_DAMAGED = -2 }; /* beside LMDB's and errno's codes */

struct wal {
    int fd;                    /* -1: there is none */
    uint64_t bytes, salt;      /* the file's length, and what its checksums begin with */
    uint64_t at;               /* the next batch goes here */
    uint32_t batches, changes; /* since LMDB's last commit */
    uint8_t *batch;            /* the one that is being gathered, as it will lie in the file */
    uint8_t *other;            /* the one before it, which may still be being written */
    size_t batch_bytes, batch_cap;
    bool too_large; /* it does not fit */
    bool torn;      /* at the last replay: behind the batches lay a part of one */
};
void wal_none(struct wal *w);
void wal_close(struct wal *w);
/* Errno's code, or LMDB's, or one of the two above. bytes: of the file, whole sectors. */
int wal_make(struct wal *w, int dir_fd, uint64_t bytes, bool sync);
int wal_open(struct wal *w, int dir_fd, uint64_t bytes, uint64_t salt, bool read_only);
/* All changes of the batches of this generation, in order, then w stands behind them. `each` answers with a code: 0, LMDB's, or WAL_IS_DAMAGED: the change does not
 * fit. NULL: only see how many there are. */
typedef int wal_change(void *arg, enum store_table tb, enum change_how how, struct store_val key,
                       struct store_val value);
int wal_replay(struct wal *w, uint64_t generation, wal_change *each, void *arg, char *why, size_t why_size);
void wal_begin(struct wal *w); /* a batch; what was gathered of one before it is dropped */
void wal_add(struct wal *w, enum store_table tb, enum change_how how, struct store_val key,
             const struct store_val *part, size_t parts, size_t n);
bool wal_takes(const struct wal *w); /* does the batch fit the rest of the file? */
/* A batch as it is to be written, not to be changed any more: until the one behind it is sealed, too. */
struct wal_batch {
    int fd;
    const uint8_t *p;
    size_t n;
    uint64_t at;
};
struct wal_batch wal_seal(struct wal *w, uint64_t generation); /* from here on w is behind it; what is added is of the next */
int wal_write(const struct wal_batch *b, bool sync, void (*syncing)(void *arg), void *arg); /* the one before it is synced. Errno's code */
void wal_reset(struct wal *w); /* LMDB has it all */

/* ---- writer.c ---- */
struct writer_job {
    struct wal_batch batch;
    void (*written)(void *arg, bool good);
    void *written_arg;
    int fault;                   /* it is written and synced, and then this is said of it; 0: none was asked for */
    void (*syncing)(void *arg); /* store_faults */
    void *syncing_arg;
};
struct log_writer { /* under its lock; thread and started are the writer's own */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { WRITER_IDLE, WRITER_WRITES, WRITER_WROTE } state;
    bool stop;
    struct writer_job job;
    int rc; /* of what it wrote */
    int64_t took_us;
};

struct store_txn {
    struct store *s;
    MDB_txn *mt; /* the writer's stays open over many batches: NULL when all is settled */
    bool open;   /* the writer's: a batch is under way */
    bool writer;
    bool broken;                       /* a write failed half-way, or a reader came to a page that is not there: only an abort may follow */
    bool direct;                       /* the writer: this batch is to be a commit of LMDB's */
    bool changed;                      /* the writer: there is something to commit */
    unsigned cursors;                  /* that the caller has open */
    MDB_cursor *at[STORE_TABLE_COUNT]; /* the writer's own, one a table, made at first use: see txn.c */
    char text[STORE_TEXT_BYTES_MAX];   /* the last failure */
};

struct store {
    MDB_env *env;
    MDB_dbi dbi[STORE_TABLE_COUNT];
    int dir_fd, lock_fd;
    int data_fd; /* LMDB's own */
    bool read_only, no_sync;
    uint32_t absent; /* bit tb: read only, and the store's format does not know this table; it is empty then */
    uint8_t id[16], id_next[16];  /* as it stands in the store, and after this commit */
    uint32_t format, format_next; /* so too */
    bool copy, copy_next;
    uint64_t batch_put_bytes; /* counters.put_bytes when the batch began */
    struct store_counters counters;
    struct store_faults faults;
    struct store_txn write;
    struct wal wal;
    struct log_writer log_writer;
    uint64_t wal_bytes; /* of one that is to be made; 0: none is */
    bool view;          /* read only, and `write.mt` holds what a broker that died had in its log: never committed */
    pthread_t writer;   /* whose write.mt is; under lock */
    uint8_t
        key[STORE_KEY_BYTES_MAX]; /* a copy of what is being put, so that the caller's may lie in the store itself */
    atomic_bool failed;           /* sticky: a commit failed, nothing more may begin */
    atomic_ullong commits_begun, commits_ended; /* LMDB's: see begin_snapshot in txn.c */
    /* settle.c: batches on disk; those of them that LMDB has; up to which a reader waits for it (written under lock) */
    atomic_ullong batches, settled, wanted;
    int64_t settled_at_us; /* on store_now_us's clock */
    uint32_t
        pages; /* that write.mt has changed, roughly: so many bits are set in touched, one a page by a mixed address */
    uint64_t touched[SETTLE_PAGE_BITS / 64];
    void (*settle_wanted)(void *arg);
    void *settle_arg;
    void (*lmdb_asserted)(const char *dir, const char *said);

    /* space.c */
    uint32_t page_bytes;
    uint64_t map_bytes;
    uint64_t reserve_bytes;
    uint64_t file_bytes;      /* as long as data.mdb is known to be */
    uint64_t cut_bytes;       /* while a start looks whether what data.mdb lacks is free: as long as it was */
    uint64_t disk_free_bytes; /* at disk_asked_us */
    uint64_t reusable_bytes;  /* free pages inside the file, at least, at reusable_asked_us */
    int64_t disk_asked_us, reusable_asked_us;
    bool disk_known, reusable_known, full;

    /* readers: a transaction of any thread counts from before it begins until after it ends; the map moves only when
     * none does */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned readers;                         /* under lock */
    bool moving;                              /* under lock: the map is about to move, new readers wait */
    struct store_txn read[STORE_READERS_MAX]; /* their `open` is under lock */
};

static inline MDB_val val_of(const void *p, size_t n)
{
    return (MDB_val){ n, (void *)(uintptr_t)p };
}
static inline bool table_absent(const struct store *s, enum store_table tb)
{
    return s->absent >> tb & 1;
}

/* ---- store.c ---- */
void store_say(char *text, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* text may be NULL */
enum store_rc store_rc_of(int mdb_rc);     /* LMDB's or errno's code -> ours */
void store_watch_asserts(struct store *s, MDB_env *env); /* for store_options.lmdb_asserted */
/* A bare read transaction; heeds a map that another process has grown. */
MDB_txn *store_raw_read(struct store *s, int *mdb_rc);
bool store_sync_dir(int dir_fd); /* false: it failed, so a name in it may not be certain */
/* heads.c. Is this what LMDB writes first, its two meta pages before any commit, or a part of it? */
bool heads_half_made(int fd);
/* Is something wrong with the heads of data.mdb in this folder, or with the lists that they lead to? *wrong: in words. OK: nothing, or what LMDB tells itself. That the newer has become one that is
 * older than the other by a bit shows nowhere, if no batch is in the log. */
enum store_rc heads_look(int dir_fd, const char **wrong);

/* ---- free_list.c ---- */
#define FREE_LIST_PAGE_BYTES_MAX 65536
#define FREE_LIST_DEPTH_MAX 32 /* of any tree of LMDB's */
struct free_list { /* what a head of LMDB's says of it */
    uint32_t page_bytes;
    uint16_t flags, depth;
    uint64_t branches, leaves, long_pages, entries, root;
    uint64_t last_page, commit; /* of the store */
};
enum store_rc free_list_look(int fd, const struct free_list *at); /* OK, CORRUPT, or NO_MEMORY */
void store_leave_id(const struct store *s); /* in `lock` */

/* ---- envelope.c ---- */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);
bool crc32c_has_hardware(void);
uint32_t crc32c_by_hardware(uint32_t crc, const void *p, size_t n); /* only where crc32c_has_hardware() */
/* Write the envelope in front of the n bytes that stand at record + ENVELOPE_BYTES. */
void envelope_seal(enum store_table tb, const void *key, size_t key_n, uint8_t *record, size_t n);
/* What stands in an envelope. NULL, or what is wrong with it. */
const char *envelope_open(enum store_table tb, const MDB_val *key, const MDB_val *record, struct store_val *v);

/* ---- settle.c ---- */
void settle_touch(struct store *s, const void *record); /* write.mt changes it: its page is one that will be written */
void settle_untouched(struct store *s);                 /* write.mt is new */
/* The log's changes to the tables of write.mt, which has just begun. */
int settle_replay(struct store *s);
/* LMDB's commit of all that write.mt holds; it is NULL afterwards. LMDB's code. */
int settle_commit(struct store *s);
void settle_note(struct store *s); /* a batch is on disk */
void settle_tell(struct store *s); /* those who wait: look again */
bool settle_reader_due(const struct store *s);
bool settle_needed(const struct store *s); /* before the next batch: there may be no room for it otherwise */
/* Until LMDB has what was committed before this call. */
enum store_rc settle_wait(struct store *s);
uint64_t settle_growth_bytes(const struct store *s); /* the map's, at most, that what is not settled yet will need */

bool writer_start(struct store *s); /* if it does not run yet. False: it cannot */
void writer_write(struct store *s, const struct writer_job *job); /* it must be idle */
/* Until it is idle: then all that was committed is on disk. Errno's code of what it wrote last, once: the store has failed then. */
int writer_wait(struct store *s);
void writer_stop(struct store *s);

/* ---- txn.c ---- */
/* Write one change to its table. LMDB's code; NOTFOUND: there was nothing to delete. Neither key nor value may lie in LMDB's pages. */
int txn_write(struct store_txn *t, enum store_table tb, enum change_how how, struct store_val key,
              const struct store_val *part, size_t parts);
int txn_cursor(struct store_txn *t, enum store_table tb, MDB_cursor **mc); /* the writer's own */
/* Around each call of LMDB's that goes through a tree, one at a time: store_calls_now(). Not around commits and copies, which may take long. */
extern _Thread_local volatile uint64_t store_calls;
static inline int back_from_lmdb(int rc)
{
    assert(store_calls % 2 == 1);
    store_calls++;
    return rc;
}
#define IN_TREE(call) (store_calls++, back_from_lmdb(call))

enum store_rc txn_failed(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, int rc);
enum store_rc txn_opened(struct store_txn *t, enum store_table tb, const MDB_val *k, const MDB_val *record,
                         struct store_val *v);
/* write.mt: a new one; one in which all is done that was committed. LMDB's code. */
int txn_begin_writer(struct store *s);
int txn_have_writer(struct store *s);
int txn_put_log(struct store *s);                /* in META, that the log belongs to the store */
void txn_commit_failed(struct store *s, int rc); /* for good */
void txn_count_commit(struct store *s, uint64_t took_us);
int64_t store_now_us(void);
void store_txn_free_pool(struct store *s);
void store_reader_enter(struct store *s); /* count a reader that is not in the pool */
void store_reader_leave(struct store *s);

/* ---- cursor.c ---- */
/* mc onto the record of this key. LMDB's code: NOTFOUND only where no damage beside its place may hide it; after CORRUPTED *key is what is damaged, where that has a
 * key, and lies in LMDB's pages. */
int cursor_find(MDB_cursor *mc, enum store_table tb, MDB_val *key, MDB_val *record);

/* ---- space.c ---- */
enum store_rc space_open(struct store *s, const struct store_options *o, char *text, size_t text_size);
uint64_t space_headroom(const struct store *s); /* room in the map that must be there before a batch */
bool space_for_settling(const struct store *s); /* as far as is known */
void space_committed(struct store *s);
bool space_used_up(struct store *s); /* the disk has nothing left, not even for one batch's pages */
#endif
