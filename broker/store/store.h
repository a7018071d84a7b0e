/* The store: LMDB behind a small face. It knows tables, keys and values, transactions, checksums, headroom and
 * backups; it knows nothing of lines or tasks (the key space and the records are documented in records.h).
 *
 * One writer: the engine's thread. Readers on other threads use short read transactions of their own. Every value is
 * kept in an envelope: CRC32C over table number, key and value; format version; so a page that LMDB cannot vouch for
 * is found: store_get and cursors return SL_STORE_CORRUPT and name table and key in store_error_text, never wrong
 * bytes. A cursor that found damage stands on it and can step on, unless it went astray. A value larger than SL_VALUE_BYTES_MAX is an
 * assert here: the engine cuts it first. A key may lie in the store (a cursor's); a value that is put must not (one that was
 * got): the put itself may move it. No wrapper call allocates on success paths after open; LMDB does, for pages
 * it changes and for cursors. */
#ifndef SUNLINE_STORE_H
#define SUNLINE_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tables. Numbers are part of the disk format (they go into the checksum): append only. What is in each: records.h. */
#define STORE_TABLES(T) \
    T(META, 0) T(NAME, 1) T(LINE, 2) T(RUN, 3) T(HUB, 4) T(WORKER, 5) T(UNIT, 6) T(STATE, 7) T(READY, 8) T(DELAY, 9) \
    T(ASSIGN, 10) T(RESULT, 11) T(EVENT, 12) T(DEDUP, 13) T(PRODUCER, 14) T(HISTORY, 15) T(DEAD, 16) T(SWEEP, 17) \
    T(STATION, 18) T(LIVE, 19) T(SHIFT, 20) T(PACE, 21) T(REPUTE, 22) T(DAY, 23) T(ARRIVAL, 24) T(PRESENCE, 25) \
    T(SKILL, 26) T(GOLD, 27)
enum store_table {
#define T(NAME, n) TABLE_##NAME = n,
    STORE_TABLES(T)
#undef T
    STORE_TABLE_COUNT
};

/* Of the whole store; in META under "format". 1: 0.1.0. 3: with a log beside data.mdb, so that an older program must not open it (2 was never
 * released). To raise it: a step in broker/engine/upgrade.c. */
#define STORE_FORMAT_VERSION 3

#define STORE_KEY_BYTES_MAX 511 /* a key has 1 to so many bytes; anything else is an assert */

enum store_rc {
    STORE_OK = 0,
    STORE_NOT_FOUND = 1,  /* no such key; end of a cursor */
    STORE_FULL = 2,       /* headroom is used up: refuse new units */
    STORE_CORRUPT = 3,    /* damage was found; store_error_text names it */
    STORE_BAD_FORMAT = 4, /* made by a newer program, or not a store */
    STORE_LOCKED = 5,     /* another broker has it */
    STORE_IO = 6,         /* the disk or LMDB failed: exit, reopen, verify */
    STORE_NO_MEMORY = 7
};

struct store;
struct store_txn;
/* Borrowed until the transaction ends or (write transactions) the next put or del. */
struct store_val { const void *p; size_t n; };

struct store_options {
    const char *dir;           /* made if it is not there (mode 0700) */
    uint64_t map_bytes;        /* address space to reserve; sparse. 0: 64 GiB. Grows by doubling between transactions */
    uint64_t reserve_bytes;    /* disk that must stay free before new units are refused. 0: 256 MiB */
    uint64_t wal_bytes;        /* the log's length, whole sectors, for a store that has none yet. 0: 8 MiB; 1: none: each batch is a commit of LMDB's */
    bool read_only;            /* inspection: no lock on the data directory, no write */
    bool no_sync;              /* simulation only: commits do not sync, and what store_commit_begin leaves under way is written by whoever waits for it: no thread decides when */
    /* A reader, on its own thread, waits for what is in the log: the writer is to call store_settle soon. NULL: it does so by itself now and then. */
    void (*settle_wanted)(void *arg);
    void *settle_arg;
    /* LMDB found its tree so broken that it is about to abort the process, in whatever thread: whose tree (the store's, or that of a copy that is being made), and what it says of that. NULL, or if it returns: LMDB says so on standard error, and aborts. */
    void (*lmdb_asserted)(const char *dir, const char *said);
};

struct store_counters { /* of the writer, since open; the cost model reads them */
    uint64_t commits, gets, puts, appends, dels, seeks, steps;
    uint64_t wal_bytes, settles; /* written to the log; LMDB's commits */
    uint64_t payload_bytes, payload_copied_bytes; /* of store_append_parts; and how much of that was copied on its way into the map: once, if the two are the same */
    uint64_t put_bytes, commit_us_total, commit_us_max, settle_us_total, settle_us_max;
    struct { uint64_t writes, bytes; } table[STORE_TABLE_COUNT]; /* puts, appends and deletes of each; keys and values */
};

/* Open or create. On failure *s is NULL and the code says why; text (may be NULL) gets a sentence. Takes a lock on
 * the data directory, so that a second broker gets STORE_LOCKED. Checks format version and the store's id; a new
 * store gets 16 random bytes from `new_id`. */
enum store_rc store_open(struct store **s, const struct store_options *o, const uint8_t new_id[16], char *text,
                         size_t text_size);
void store_close(struct store **s);            /* safe with NULL; no transaction may be open. What is not settled stays in the log */
const uint8_t *store_id(const struct store *s);
/* The format that it was found in, and the one it is in now: an older one until engine_upgrade has done its steps. */
uint32_t store_format(const struct store *s);
/* In a write transaction: this is the format from now on. To be committed with what makes it true. */
enum store_rc store_set_format(struct store_txn *t, uint32_t version);
/* store_backup made it, and nobody has made it a store of its own: what the original did after the backup is not known here. engine_restore. */
bool store_is_copy(const struct store *s);
/* In a write transaction: a store of its own from now on, under this id. To be committed with what makes it true. */
enum store_rc store_set_own(struct store_txn *t, const uint8_t id[16]);
/* The last failure of the writer, for logs: "ASSIGN 0000...: checksum"; and of one transaction: what readers ask. */
const char *store_error_text(const struct store *s);
const char *store_txn_error_text(const struct store_txn *t);
const struct store_counters *store_counters(const struct store *s);

struct store_space {
    uint64_t map_bytes;
    uint64_t used_bytes;      /* of data.mdb */
    uint64_t free_map_bytes;  /* what the map can still take */
    uint64_t disk_free_bytes; /* what the disk can still take: free there, or in the file already */
    bool full;
};
/* Headroom: called by the loop between batches (a statvfs at most every 100 ms of `now_us`). Grows the map when it
 * must: no batch may be open, and a reader that stays makes it wait up to 200 ms and then say `full`. */
enum store_rc store_pressure(struct store *s, int64_t now_us, struct store_space *space);
/* Commit to LMDB what is in the log, if it is time: a reader waits and the last time was 10 ms ago, or the log is nearly full; with `idle` any reader, or a quarter
 * of the log, will do, with `all` anything. Not where the disk may have no room for it, as long as the log has: readers wait then.
 * By the writer's thread, with no batch open: after each batch when its answers have left, and when idle. A store that is never settled commits to LMDB by itself
 * when the log is full. Whoever hands the writer's part to another thread settles all first. */
bool store_settle_due(const struct store *s); /* would SETTLE_DUE do anything? Then no other batch should begin before it */
enum settle { SETTLE_DUE, SETTLE_IDLE, SETTLE_ALL };
enum store_rc store_settle(struct store *s, enum settle how);
/* The writer's last word, if it could not settle all: what is in the log stays there for the next open, and whoever waits to read it gets IO. */
void store_stop(struct store *s);
void store_reader_check(struct store *s); /* clear reader slots of dead processes */

/* ---- transactions ---- */
enum store_rc store_begin(struct store *s, struct store_txn **t); /* the one write transaction: a batch */
/* Any thread; keep it short. It sees the last commit that ended, never one that is not on disk yet. What is in the log is settled first: on the writer's
 * thread at once (no batch may be open), on another by waiting until the writer does it. */
enum store_rc store_begin_read(struct store *s, struct store_txn **t);
/* Synced on return; *t NULL. Any failure is STORE_IO, for good: nothing may begin any more, the process must exit. */
enum store_rc store_commit(struct store_txn **t);
/* As store_commit, but the batch may still be on its way to the log's disk on return: then *writing is true, and `written` is called when it is there, or failed, on a
 * thread of the store's own: it may do nothing with the store. The next batch may begin meanwhile. Whatever needs what was committed to be on disk waits for it: the end of the next batch, a settling,
 * an abort, store_close. *writing false: it is done as by store_commit, and `written` is not called. */
enum store_rc store_commit_begin(struct store_txn **t, void (*written)(void *arg, bool good), void *arg, bool *writing);
enum store_rc store_commit_end(struct store *s);   /* until it is not, and `written` has returned. IO: it failed, or the store had before */
/* Safe with NULL; ends a read transaction too. A batch that is aborted costs the next one dear: the log is read again. */
void store_abort(struct store_txn **t);

/* Grows when this thread goes into one of LMDB's trees for a value, a table or a step of a cursor, and when it comes back: odd while it is there. Whoever watches sees by it that
 * it does not come back (broker/endless.h); a handler of signals may ask. */
uint64_t store_calls_now(void);

/* ---- single values ---- */
/* NOT_FOUND only where the two records beside the key are sound and in order; else CORRUPT, which names one of them: the page may hide what is sought. */
enum store_rc store_get(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, struct store_val *v);
/* A put or del that fails (but for NOT_FOUND) spoils the transaction: only an abort may follow. */
enum store_rc store_put(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, const void *v,
                        size_t n);
/* As store_put for a key known to be the table's greatest; falls back to store_put if it is not. */
enum store_rc store_append(struct store_txn *t, enum store_table tb, const void *key, size_t key_n, const void *v,
                           size_t n);
/* As store_append, for payloads: the value is these parts, one behind the other, and copied once on its way into the map. */
enum store_rc store_append_parts(struct store_txn *t, enum store_table tb, const void *key, size_t key_n,
                                 const struct store_val *part, size_t parts);
/* NOT_FOUND if it was not there. */
enum store_rc store_del(struct store_txn *t, enum store_table tb, const void *key, size_t key_n);

/* ---- ordered walks. A cursor is a small object on the caller's stack; close it before the transaction ends. In a
 * write transaction a cursor must be re-seeked after a put or del on its table. ---- */
struct store_cursor {
    void *mc;
    struct store_txn *t;
    enum store_table tb;
    struct store_val key, val;
    bool astray;                       /* after CORRUPT: a damaged page led the search or the step to the wrong side of where it was to come. Whoever steps on could go round for ever */
    size_t last_n;                     /* of the writer's cursors, ... */
    uint8_t last[STORE_KEY_BYTES_MAX]; /* ... a copy of `key`: what is put in between may move that */
};
enum store_rc store_cursor_open(struct store_txn *t, enum store_table tb, struct store_cursor *c);
void store_cursor_close(struct store_cursor *c);
enum store_rc store_seek(struct store_cursor *c, const void *key, size_t key_n);    /* first key >= key */
enum store_rc store_seek_le(struct store_cursor *c, const void *key, size_t key_n); /* last key <= key */
/* The first key > key. If key itself is there, by a step from it, since over a damaged page a search may be led past what comes next. key_n 0: the first of all. */
enum store_rc store_seek_behind(struct store_cursor *c, const void *key, size_t key_n);
enum store_rc store_next(struct store_cursor *c);
/* The cursor stands on a record that is sound. Does a search for its key come to it? CORRUPT: not so, which a walk does not tell: it does not look at the keys that
 * lead a search from page to page. The cursor stays where it is. */
enum store_rc store_search_finds(const struct store_cursor *c);
/* How many records LMDB says the table has, and which commit that is. */
enum store_rc store_count(struct store_txn *t, enum store_table tb, uint64_t *records, uint64_t *commit);
/* This read transaction came to a page that is not there: all that it is asked is answered with CORRUPT from then on. Another one may go on elsewhere. */
bool store_broken(const struct store_txn *t);

/* ---- whole-store jobs (short read transactions, other threads) ---- */
/* A compacted copy, online, synced, marked as one (store_is_copy). `path` becomes a directory that can be opened as a store; it must not exist. Holds
 * one read transaction until it is done: pages freed meanwhile are not reused, and the map does not grow. */
enum store_rc store_backup(struct store *s, const char *path, char *text, size_t text_size);
/* Verify every envelope of a table, the order of its keys and, if nothing was committed meanwhile, their number:
 * calls damage(arg, table, key, key_n) for each bad one (may be NULL; key NULL: records are missing or too many, or the
 * walk could not go on). OK; CORRUPT if there was one. Anything else is no damage: memory or the disk failed. */
struct store_verified {
    uint64_t records; /* that were looked at */
    bool whole;       /* the walk came to the table's end. Else a read transaction that others share may be spoiled */
};
enum store_rc store_verify(struct store *s, enum store_table tb, struct store_verified *to,
                           void (*damage)(void *, enum store_table, const void *, size_t), void *arg);
const char *store_table_name(enum store_table tb);
uint32_t store_crc32c(uint32_t crc, const void *p, size_t n);

/* ---- fault seams for tests and the simulator: the n-th call from now fails (0: off). A put fails with IO and
 * spoils its transaction (only an abort may follow), a commit with IO for good, as a real one; so does a sync, but what
 * was committed is on the disk all the same; a begin with NO_MEMORY, once. `full` makes store_pressure say so. `syncing` is called between the
 * write of the log and its sync, by whoever does them. With no_sync, of a batch that is under way to the log only cut_write - 1 sectors come to the disk, never the last one
 * (UINT64_MAX: all of them), and then its write fails, or is as far as a kill let it come. ---- */
struct store_faults {
    uint64_t fail_put_after, fail_commit_after, fail_begin_after, fail_sync_after, cut_write;
    bool full;
    void (*syncing)(void *arg);
    void *syncing_arg;
};
struct store_faults *store_faults(struct store *s);

/* ---- keys: big-endian, composed left to right ---- */
static inline uint8_t *key_u8(uint8_t *k, uint8_t v) { *k = v; return k + 1; }
static inline uint8_t *key_u32(uint8_t *k, uint32_t v)
{
    for (int i = 0; i < 4; i++) k[i] = (uint8_t)(v >> (24 - 8 * i));
    return k + 4;
}
static inline uint8_t *key_u64(uint8_t *k, uint64_t v)
{
    for (int i = 0; i < 8; i++) k[i] = (uint8_t)(v >> (56 - 8 * i));
    return k + 8;
}
static inline uint32_t key_get_u32(const void *p)
{
    const uint8_t *k = p;
    return (uint32_t)k[0] << 24 | (uint32_t)k[1] << 16 | (uint32_t)k[2] << 8 | k[3];
}
static inline uint64_t key_get_u64(const void *p)
{
    return (uint64_t)key_get_u32(p) << 32 | key_get_u32((const uint8_t *)p + 4);
}
#endif
