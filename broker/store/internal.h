/* What the files of the store share, and nobody else sees.
 *
 *   store.c     the life of a store: directory, lock, format, tables
 *   txn.c       transactions, single values
 *   cursor.c    ordered walks
 *   journal.c   how a small batch is written
 *   young.c     what the journal holds, in order
 *   envelope.c  CRC32C and the envelope around each value
 *   space.c     headroom, growth of the map, writing the file ahead
 *   backup.c    backup and verification
 *
 * Threads: everything in struct store belongs to the writer's thread, except what stands under `lock`, and `failed`.
 *
 * Files of a store's directory:
 *   data.mdb    LMDB's pages
 *   lock.mdb    LMDB's table of readers; worthless when nobody has the store open
 *   lock        flock()ed by the broker that has the store; holds the store's id in hex, so that a missing or emptied
 *               data.mdb is recognised as a loss and not taken for a new store */
#ifndef SUNLINE_STORE_INTERNAL_H
#define SUNLINE_STORE_INTERNAL_H
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "broker/store/store.h"
#include "proto/limits.h"

#define ENVELOPE_VERSION 1            /* of one record's envelope */
#define ENVELOPE_BYTES 5              /* CRC32C, little-endian; version */
#define FORMAT_KEY "format"           /* in META: version (u32), id (16), big-endian like keys */
#define FORMAT_BYTES 20
#define COPY_KEY "copy"               /* in META, of a backup until it is a store of its own: one byte */
#define STORE_READERS_MAX 48          /* read transactions open at once, of one process */
#define STORE_TEXT_BYTES_MAX 512      /* an error text */
#define STORE_AHEAD_CHUNK_BYTES (256u << 10) /* one step of store_write_ahead: see space.c */

/* ---- young.c ---- */
#define CHANGE_HEAD_BYTES 6
#define CHANGE_APART 0x80 /* with how, in the writer's memory only */
enum change_how { CHANGE_PUT, CHANGE_APPEND, CHANGE_DELETE };
static inline enum change_how change_how(const uint8_t *c) { return (enum change_how)(c[1] & ~CHANGE_APART); }
static inline bool change_apart(const uint8_t *c) { return c[1] & CHANGE_APART; }
static inline struct store_val change_key(const uint8_t *c)
{
    return (struct store_val){ c + CHANGE_HEAD_BYTES, (size_t)(c[2] | c[3] << 8) };
}
/* As it stands there; of a change of t->young: young_value. */
static inline struct store_val change_value(const uint8_t *c)
{
    return (struct store_val){ c + CHANGE_HEAD_BYTES + change_key(c).n, (size_t)(c[4] | c[5] << 8) };
}
static inline size_t change_bytes(const uint8_t *c) { return CHANGE_HEAD_BYTES + change_key(c).n + change_value(c).n; }
size_t change_write(uint8_t *c, enum store_table tb, unsigned how, const void *key, size_t key_n, const struct store_val *part, size_t parts, size_t n);
bool change_is_whole(const uint8_t *p, size_t n);

/* ---- journal.c: what is shared with the files around it ---- */
#define JOURNAL_KEY_BYTES 8
#define JOURNAL_BYTES_DEFAULT (128u << 10) /* of changes, then they go to their tables: a read transaction sorts them, some 20 us */
#define JOURNAL_SHARE_MIXED 4 /* what large batches leave there may be this part of it: every reader looks through it */
#define SMALL_BYTES (16u << 10)            /* a batch with more goes to its tables at once: from here on the journal would cost more pages */
#define CHANGES_MAX 4096 /* that differ in table or key */
enum near { NEAR_GE, NEAR_GT, NEAR_LE, NEAR_LT }; /* GE an empty key: the table's first */

struct young { /* changes in order of table and key, the newest of each key */
    const uint8_t **change;
    uint32_t n, in[STORE_TABLE_COUNT];
    uint32_t sorted; /* readers: bit tb, the table's changes are among them */
};

struct journal { /* the writer's */
    uint8_t *bytes;           /* the changes as they stand in the journal, and those of the batch; or what stands for one that lies apart */
    size_t n, cap, batch_at;  /* batch_at: where the batch begins */
    size_t stored, batch_stored; /* as n and batch_at, but what lies apart counts as if it lay there */
    size_t bytes_max;         /* 0: none is written */
    uint64_t last;            /* the newest value's number; 0: the table is empty */
    bool stale;               /* must be read before use */
    bool settled;             /* in this transaction */
    bool large;               /* the last batch was one for the tables */
    bool bulk;                /* it holds changes of other tables than STORE_TABLES_OF_LITTLE */
    uint8_t apart[SL_VALUE_BYTES_MAX]; /* scratch of young_settle */
};

struct store_txn {
    struct store *s;
    MDB_txn *mt;
    bool open;
    bool writer;
    bool broken;                          /* a write failed half-way: only an abort may follow */
    bool direct;                          /* the writer: this batch goes to its tables, nothing of them is young ... */
    bool mixed;                           /* ... but for STORE_TABLES_OF_LITTLE */
    struct young young;                   /* what is in the journal (and, the writer's, in this batch) */
    enum store_rc young_rc;               /* readers: the journal cannot be read, so nothing can */
    unsigned cursors;                     /* that the caller has open */
    MDB_cursor *at[STORE_TABLE_COUNT];    /* the writer's own, one a table, made at first use: see txn.c */
    char text[STORE_TEXT_BYTES_MAX];      /* the last failure */
};

struct store {
    MDB_env *env;
    MDB_dbi dbi[STORE_TABLE_COUNT];
    int dir_fd, lock_fd;
    int data_fd;                          /* LMDB's own */
    bool read_only, no_sync;
    uint32_t absent;                      /* bit tb: read only, and the store's format does not know this table; it is empty then */
    uint8_t id[16], id_next[16];          /* as it stands in the store, and after this commit */
    uint32_t format, format_next;         /* so too */
    bool copy, copy_next;
    uint64_t batch_put_bytes;             /* counters.put_bytes when the batch began */
    struct store_counters counters;
    struct store_faults faults;
    struct store_txn write;
    struct journal journal;
    uint8_t key[STORE_KEY_BYTES_MAX];     /* a copy of what is being put, so that the caller's may lie in the store itself */
    atomic_bool failed;                   /* sticky: a commit failed, nothing more may begin */
    atomic_ullong commits_begun, commits_ended; /* see begin_snapshot in txn.c */

    /* space.c */
    uint32_t page_bytes;
    uint64_t map_bytes;
    uint64_t reserve_bytes;
    uint64_t ahead_bytes;                 /* 0: never */
    uint64_t file_bytes;                  /* as long as data.mdb is known to be */
    uint64_t ahead_used_bytes;            /* at the last call of store_write_ahead: what was in use ... */
    uint64_t ahead_put_bytes;             /* ... and what had been put */
    uint64_t disk_free_bytes;             /* at disk_asked_us */
    uint64_t reusable_bytes;              /* free pages inside the file, at least, at reusable_asked_us */
    int64_t disk_asked_us, reusable_asked_us;
    bool disk_known, reusable_known, full;

    /* readers: a transaction of any thread counts from before it begins until after it ends; the map moves only when
     * none does */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned readers;                     /* under lock */
    bool moving;                          /* under lock: the map is about to move, new readers wait */
    struct store_txn read[STORE_READERS_MAX]; /* their `open` is under lock */
};

/* In LMDB's order. */
static inline int keys_compare(const void *a, size_t a_n, const void *b, size_t b_n)
{
    int d = memcmp(a, b, a_n < b_n ? a_n : b_n);
    return d != 0 ? d : a_n < b_n ? -1 : a_n > b_n;
}
static inline MDB_val val_of(const void *p, size_t n) { return (MDB_val){ n, (void *)(uintptr_t)p }; }
static inline bool table_absent(const struct store *s, enum store_table tb) { return s->absent >> tb & 1; }

/* ---- store.c ---- */
enum store_rc store_rc_of(int mdb_rc); /* LMDB's or errno's code -> ours */
/* A bare read transaction; heeds a map that another process has grown. */
MDB_txn *store_raw_read(struct store *s, int *mdb_rc);
void store_leave_id(const struct store *s); /* in `lock` */

/* ---- envelope.c ---- */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);
bool crc32c_has_hardware(void);
uint32_t crc32c_by_hardware(uint32_t crc, const void *p, size_t n); /* only where crc32c_has_hardware() */
/* Write the envelope in front of the n bytes that stand at record + ENVELOPE_BYTES. */
void envelope_seal(enum store_table tb, const void *key, size_t key_n, uint8_t *record, size_t n);
/* What stands in an envelope. NULL, or what is wrong with it. */
const char *envelope_open(enum store_table tb, const MDB_val *key, const MDB_val *record, struct store_val *v);

/* ---- young.c ---- */
static inline void young_forget(struct young *y) { y->n = y->sorted = 0; memset(y->in, 0, sizeof y->in); }
bool young_make_room(struct young *y); /* false: no memory */
bool young_add(struct young *y, const uint8_t *change); /* false: they are too many */
const uint8_t *young_find(const struct young *y, enum store_table tb, const void *key, size_t key_n); /* NULL: none */
const uint8_t *young_near(const struct young *y, enum store_table tb, const void *key, size_t key_n, enum near near);

/* ---- journal.c ---- */
bool young_open(struct store *s, uint64_t bytes); /* false: no memory */
void young_close(struct store *s);
enum store_rc young_load(struct store_txn *t, struct journal *copy);
enum store_rc young_sort(struct store_txn *t, enum store_table tb);
/* Before t->young is asked about a table. */
static inline enum store_rc young_ready(struct store_txn *t, enum store_table tb)
{
    bool ready = t->writer || t->young.in[tb] == 0 || (t->young.sorted >> tb & 1);
    return ready ? STORE_OK : young_sort(t, tb);
}
enum store_rc young_begin(struct store_txn *t);
/* Does this batch write the table itself? */
static inline bool young_bypassed(const struct store_txn *t, enum store_table tb)
{
    return t->direct && !(t->mixed && STORE_TABLES_OF_LITTLE >> tb & 1);
}
void young_abort(struct store_txn *t);
/* What the change, one of t->young, puts. LMDB's code. Borrowed until the next write. */
int young_value(struct store_txn *t, const uint8_t *change, struct store_val *v);
/* LMDB's code, or NOT_FOR_JOURNAL: settle, then write it to its table. payload: to be copied no more than once. */
#define NOT_FOR_JOURNAL 1
int young_write(struct store_txn *t, enum store_table tb, enum change_how how, const void *key, size_t key_n,
                const struct store_val *part, size_t parts, size_t n, bool payload);
int young_settle(struct store_txn *t); /* all that is young goes to its tables; from here on the batch is direct. LMDB's code */
int young_commit(struct store_txn *t); /* before LMDB's commit; its code */
void young_committed(struct store_txn *t, uint64_t batch_bytes);

/* ---- txn.c ---- */
/* Write one change to its table. LMDB's code; NOTFOUND: there was nothing to delete. Neither key nor value may lie in LMDB's pages. */
int txn_write(struct store_txn *t, enum store_table tb, enum change_how how, struct store_val key,
              const struct store_val *part, size_t parts);
void parts_copy(uint8_t *to, const struct store_val *part, size_t parts);
int txn_cursor(struct store_txn *t, enum store_table tb, MDB_cursor **mc); /* the writer's own */
enum store_rc txn_failed(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, int rc);
enum store_rc txn_opened(struct store_txn *t, enum store_table tb, const MDB_val *k, const MDB_val *record, struct store_val *v);
/* A read transaction that sees the tables as they are, without what is young: for the verification. */
enum store_rc txn_begin_plain(struct store *s, struct store_txn **t);
void store_txn_free_pool(struct store *s);
void store_reader_enter(struct store *s); /* count a reader that is not in the pool */
void store_reader_leave(struct store *s);

/* ---- space.c ---- */
enum store_rc space_open(struct store *s, const struct store_options *o, char *text, size_t text_size);
void space_committed(struct store *s);
bool space_used_up(struct store *s); /* the disk has nothing left, not even for one batch's pages */
#endif
