/* libsunline: the client library of Sunline. Backend services put units into runs, watch them, read what came out.
 *
 *     struct sl *sl;
 *     int rc = sl_open(&(struct sl_options){ .endpoint = "tcp://127.0.0.1:7710" }, &sl);
 *     struct sl_run run;
 *     rc = sl_run_start(sl, &(struct sl_run_options){ .line = "sentence-pairs", .name = "monday" }, &run);
 *     struct sl_buf row = {0};
 *     sl_add_cstr(&row, "A dog runs."); sl_add_cstr(&row, "An animal moves.");
 *     uint64_t unit;
 *     rc = sl_put(sl, run.id, &row, "pair-1", &unit);
 *     sl_close(&sl);
 *
 * RULES
 * - One handle, one thread. Different threads use different handles. A handle must not be used after fork().
 * - No signal handlers, no output, no environment, no exit(): everything comes back as a code.
 * - Functions return an int of enum sl_code: 0 is SL_OK, others are the protocol's codes or local ones from 1000 on.
 *   What a function hands out through pointers is only meaningful on SL_OK, unless it says otherwise;
 *   sl_last_error() has the details.
 * - "Borrowed until the next call" means: until the next call with the same handle (or a pipe or event stream on
 *   it).
 * - Callbacks are called from inside a call, on its thread. In them only functions that take no handle, no pipe and
 *   no event stream may be used (values, buffers, error texts); others return SL_MISUSE. What a callback receives is
 *   valid until it returns.
 * - Strings given to the library are UTF-8 and copied; NULL means absent where a comment says so. Names are 1 to 64
 *   bytes of A-Z a-z 0-9 . _ - and begin with a letter or digit. Lengths are bytes. Times end in _us or _ms;
 *   *_wall_us is UTC since 1970.
 * - Options are structs: set what you need, leave the rest zero; zero is the default.
 *
 * WHAT IS RESENT
 * ZeroMQ reconnects by itself. A request that was not answered is sent again, with the same request id, after a
 * silence (resend_ms, doubling) and as soon as a lost link is back, if repeating it does no harm: all that read,
 * applying a line, starting a run, setting states. Answers that ask to come again later (BUSY, QUEUE_FULL,
 * STORE_FULL, SHUTTING_DOWN) are obeyed within the timeout. What could be done twice (a put without number and
 * without key, requeue, drop, backup) is sent once: if its answer does not come, the call returns SL_TIMEOUT or
 * SL_DISCONNECTED, and it is not known whether it was done. */
#ifndef SUNLINE_H
#define SUNLINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SL_API __attribute__((visibility("default")))
#else
#define SL_API
#endif

#define SL_NAME_SIZE 65   /* bytes of a name with its end */
#define SL_SHIFT_NAME_SIZE 137 /* of a shift's name */
#define SL_TEXT_SIZE 513  /* bytes of a text with its end */
#define SL_PRODUCER_SIZE 16

SL_API const char *sl_version(void); /* of the library. Static */

/* ------------------------------------------------------------ codes and errors */
enum sl_code {
    /* of the protocol (proto/errors.def) */
    SL_OK = 0, SL_DUPLICATE = 1, SL_LATE = 2,
    SL_MALFORMED = 10, SL_BAD_VERSION = 11, SL_UNKNOWN_MESSAGE = 12, SL_MISSING_FIELD = 13, SL_BAD_TYPE = 14,
    SL_BAD_VALUE = 15, SL_BAD_NAME = 16, SL_TOO_BIG = 17, SL_TOO_MANY = 18, SL_DUPLICATE_KEY = 19,
    SL_NOT_FOUND = 30, SL_EXISTS = 31, SL_STALE = 32, SL_GONE = 33,
    SL_BAD_STATE = 40, SL_RUN_CLOSED = 41, SL_IN_USE = 42, SL_NOT_YOURS = 43, SL_KEY_REUSED = 44, SL_SEQUENCE_GAP = 45,
    SL_OLD_EPOCH = 46,
    SL_BAD_LINE = 50, SL_BAD_UNIT = 51, SL_BAD_RESULT = 52,
    SL_NO_SESSION = 60, SL_TAKEN_OVER = 61, SL_OTHER_AGENT = 62, SL_CLOCK_OFF = 63,
    SL_QUEUE_FULL = 70, SL_STORE_FULL = 71, SL_BUSY = 72, SL_SHUTTING_DOWN = 73,
    SL_FORBIDDEN = 80, SL_CORRUPT = 90,
    /* local: never on the wire */
    SL_TIMEOUT = 1000,      /* no answer in time, though the link stands */
    SL_DISCONNECTED = 1001, /* no link to the broker (in time) */
    SL_NO_MEMORY = 1002,    /* an allocation failed; the handle is still usable */
    SL_MISUSE = 1003,       /* called against this manual: an argument, or from inside a callback */
    SL_BAD_REPLY = 1004,    /* the answer is not what the protocol says */
    SL_SYSTEM = 1005,       /* the system or ZeroMQ refused: a bad endpoint, no more sockets */
    SL_STOPPED = 1006,      /* your stop() or callback said so */
    SL_ONLY_DEAD = 1007,    /* sl_run_wait: what remains is dead and needs a person */
    SL_RUN_CANCELLED = 1008, /* sl_run_wait: the run was cancelled or is being deleted */
    SL_NOT_PUT = 1009       /* pipe: nothing is wrong with this row, but one beside or before it was refused */
};
enum sl_retry { SL_RETRY_OK, SL_RETRY_NOW, SL_RETRY_LATER, SL_RETRY_NEVER };

SL_API const char *sl_error_name(int code); /* "QUEUE_FULL"; "UNKNOWN" for a number that is none. Static */
SL_API const char *sl_error_text(int code); /* a sentence. Static */
SL_API enum sl_retry sl_error_retry(int code);

struct sl;

struct sl_error { /* what went wrong last on a handle; all zero after a call that went well */
    int code;
    enum sl_retry retry;
    uint64_t after_ms;        /* retry later: not before this, 0 if the broker did not say */
    char text[SL_TEXT_SIZE];  /* for people */
    char place[SL_TEXT_SIZE]; /* where: a field, an index, a name; perhaps empty */
};
/* one mistake in a line: "stations[2].form.fields[0].type", what is wrong */
struct sl_problem { const char *path, *text; };

SL_API const struct sl_error *sl_last_error(const struct sl *sl); /* borrowed until the next call */
/* After SL_BAD_LINE: all mistakes, in file order; *count of them. Borrowed until the next call. */
SL_API const struct sl_problem *sl_problems(const struct sl *sl, size_t *count);

/* ------------------------------------------------------------ a handle */
struct sl_options {
    const char *endpoint;        /* NULL: tcp://127.0.0.1:7710 */
    const char *events_endpoint; /* for sl_events_open; NULL: as the broker tells */
    int64_t timeout_ms;          /* of each request, resending included. 0: 30,000 */
    int64_t resend_ms;           /* first silence after which a request is sent again; it doubles. 0: 5,000 */
    bool no_reconnect;           /* a link that was lost is an error at once: SL_DISCONNECTED from then on */
    /* hand BUSY, QUEUE_FULL, STORE_FULL, SHUTTING_DOWN to the caller at once (pipes go by give_up_ms) */
    bool no_retry;
    /* Asked while waiting, at least four times a second and after every signal; true: the call returns SL_STOPPED. So a
     * program's own handler of SIGINT gets its turn. NULL: never */
    bool (*stop)(void *arg);
    void *stop_arg;
};
/* Makes a handle; connects in the background, so that a broker may come up later. SL_OK; SL_NO_MEMORY, SL_SYSTEM
 * (endpoint), SL_MISUSE: then *out is NULL. */
SL_API int sl_open(const struct sl_options *o, struct sl **out);
/* also its pipes and event streams: what was not acknowledged is given up. Safe to repeat */
SL_API void sl_close(struct sl **sl);
SL_API bool sl_connected(struct sl *sl); /* does the link stand, as far as is known now */
/* Serves pipes: takes in answers, calls back, sends what is due. Waits up to timeout_ms for something to happen (0:
 * does not wait). */
SL_API int sl_poll(struct sl *sl, int64_t timeout_ms);

struct sl_info {
    char version[SL_NAME_SIZE];
    uint64_t protocol, event_seq;
    uint8_t store_id[16];
    int64_t wall_us;
    char events_endpoint[257]; /* perhaps empty */
};
SL_API int sl_info(struct sl *sl, struct sl_info *out);

/* ------------------------------------------------------------ values, out */
enum sl_type { SL_T_NIL, SL_T_BOOL, SL_T_UINT, SL_T_INT, SL_T_DOUBLE, SL_T_STR, SL_T_BIN, SL_T_ARRAY, SL_T_MAP };

struct sl_value {
    enum sl_type type; /* UINT: any integer from 0 on; INT: a negative one */
    uint32_t n;        /* STR, BIN: bytes; ARRAY: elements; MAP: pairs */
    union { bool b; uint64_t u64; int64_t i64; double d; } v;
    const char *p;     /* STR, BIN: the bytes, not terminated; ARRAY, MAP: the packed contents, for sl_inside */
    uint32_t bytes;    /* ARRAY, MAP: of the contents */
};
struct sl_cursor { const char *p, *end; };

/* Step over one value (a container as a whole). False at the end, or where the bytes are damaged: then p != end. */
SL_API bool sl_next(struct sl_cursor *c, struct sl_value *v);
/* over elements, or key, value, key, value; empty for other types */
SL_API struct sl_cursor sl_inside(const struct sl_value *v);
/* false: no map, or not in it */
SL_API bool sl_map_get(const struct sl_value *map, const char *key, struct sl_value *v);
SL_API double sl_number(const struct sl_value *v);  /* any number or a bool as a double; NaN for others */
SL_API uint64_t sl_uint(const struct sl_value *v);  /* 0 unless UINT */
SL_API bool sl_str_is(const struct sl_value *v, const char *s);
/* As text: STR as it is, numbers in their shortest exact form, true, false, nothing for NIL; containers and BIN give
 * nothing. Writes at most size bytes with an end; returns the length that the whole text has, like snprintf. */
SL_API size_t sl_text(const struct sl_value *v, char *out, size_t size);

/* ------------------------------------------------------------ values, in */
/* A growing buffer of packed values: a row (its values one after the other), or a line definition (one map). Start
 * from {0}; sl_buf_clear keeps the memory, so a row that is used again allocates nothing. Running out of memory is
 * remembered in `failed` and reported by the function that takes the buffer. */
struct sl_buf {
    char *p;
    size_t n, cap;
    uint32_t count;   /* values at the top level */
    uint64_t pending; /* elements that opened containers still expect */
    bool failed, bad, nested; /* memory ran out; a string is not UTF-8, or a number not finite (SL_BAD_VALUE); has containers */
};
SL_API void sl_buf_clear(struct sl_buf *b);
SL_API void sl_buf_free(struct sl_buf *b); /* safe to repeat */
SL_API void sl_add_nil(struct sl_buf *b);
SL_API void sl_add_bool(struct sl_buf *b, bool v);
SL_API void sl_add_uint(struct sl_buf *b, uint64_t v);
SL_API void sl_add_int(struct sl_buf *b, int64_t v);
SL_API void sl_add_double(struct sl_buf *b, double v);     /* finite */
SL_API void sl_add_str(struct sl_buf *b, const char *p, size_t n);
SL_API void sl_add_cstr(struct sl_buf *b, const char *s); /* NULL: nil */
SL_API void sl_add_array(struct sl_buf *b, uint32_t n);   /* the next n values are its elements */
SL_API void sl_add_map(struct sl_buf *b, uint32_t n);     /* the next 2n values are its keys and values in turn */

/* ------------------------------------------------------------ lines */
struct sl_applied { char line[SL_NAME_SIZE]; uint64_t version; bool changed; };
/* Define a line: `packed` is one map with the keys of a line file (docs/line-files.md), as built by sl_add_*. The
 * same definition again changes nothing. SL_BAD_LINE: see sl_problems. dry_run: check only. out may be NULL. */
SL_API int sl_line_apply(struct sl *sl, const void *packed, size_t n, bool dry_run, struct sl_applied *out);
SL_API int sl_line_apply_buf(struct sl *sl, const struct sl_buf *definition, bool dry_run, struct sl_applied *out);

/* state: 0 active, 1 paused, 2 deleted */
struct sl_line_row { char name[SL_NAME_SIZE], title[SL_TEXT_SIZE]; uint64_t version, state, stations, runs_open; };
struct sl_station_row {
    uint64_t station_id, version; /* the queue's number: of (line, version, station) */
    char line[SL_NAME_SIZE], name[SL_NAME_SIZE];
    bool paused;
    uint64_t blocked, waiting, ready, assigned, started, done, skipped, dead, ended; /* tasks; see docs for each word */
    uint64_t mean_us; /* how long its latest tasks took, from start to result; 0: nothing is measured */
    /* limits, 0: none: its tasks in hand at once over all versions and runs, and how many are; a worker's tasks a day */
    uint64_t at_once, in_hand, per_day;
};
/* Callbacks of listings: return 0 to go on, else the listing ends with SL_STOPPED. */
typedef int sl_line_fn(void *arg, const struct sl_line_row *row);
typedef int sl_station_fn(void *arg, const struct sl_station_row *row);

SL_API int sl_lines(struct sl *sl, sl_line_fn *row, void *arg);
/* One line (version 0: the newest). *definition is the map that was applied, borrowed until the next call. stations
 * may be NULL. */
SL_API int sl_line_get(struct sl *sl, const char *line, uint64_t version, uint64_t *actual_version,
                       struct sl_value *definition, sl_station_fn *stations, void *arg);
SL_API int sl_line_pause(struct sl *sl, const char *line);
SL_API int sl_line_resume(struct sl *sl, const char *line);
/* SL_IN_USE while runs are open; force cancels them */
SL_API int sl_line_delete(struct sl *sl, const char *line, bool force);

SL_API int sl_stations(struct sl *sl, const char *line, sl_station_fn *row, void *arg); /* line NULL: of all lines */
/* in all versions of the line */
SL_API int sl_station_pause(struct sl *sl, const char *line, const char *station);
SL_API int sl_station_resume(struct sl *sl, const char *line, const char *station);

/* ------------------------------------------------------------ runs */
struct sl_run_options {
    const char *line, *name;
    bool set_priority;
    unsigned priority;          /* 0..9, 9 first; only with set_priority, else the broker's default, 5 */
    /* digest of what will be put in (up to 32 bytes): another one under the same name is SL_KEY_REUSED. NULL: none */
    const void *fingerprint;
    size_t fingerprint_bytes;
    uint64_t version;           /* of the line; 0: the newest */
    uint64_t quota_units;       /* open units it may hold, above it SL_QUEUE_FULL; 0: the broker's quota */
};
struct sl_run {
    uint64_t id, version;
    bool existing;              /* it was there already */
    uint32_t column_count;      /* the line's input fields, in the order of a row */
    const char *const *columns; /* borrowed until the next sl_run_start on this handle */
};
/* Start a run, or find the one of that name again (same line and fingerprint). */
SL_API int sl_run_start(struct sl *sl, const struct sl_run_options *o, struct sl_run *out);
SL_API int sl_run_close(struct sl *sl, const char *run);  /* no more units; the run ends when all are done */
SL_API int sl_run_pause(struct sl *sl, const char *run);
SL_API int sl_run_resume(struct sl *sl, const char *run);
SL_API int sl_run_cancel(struct sl *sl, const char *run);
SL_API int sl_run_delete(struct sl *sl, const char *run, bool force); /* force: also if it is not over */
SL_API int sl_run_priority(struct sl *sl, const char *run, unsigned priority);

enum sl_run_state { SL_RUN_IS_OPEN, SL_RUN_IS_CLOSED, SL_RUN_IS_DONE, SL_RUN_IS_CANCELLED, SL_RUN_IS_BEING_DELETED };
struct sl_run_row {
    uint64_t run_id, version, state, priority; /* state: enum sl_run_state */
    char name[SL_NAME_SIZE], line[SL_NAME_SIZE];
    bool paused;
    uint64_t units, done, dropped, cancelled, dead; /* dead: held up by a dead task, not terminal */
    int64_t created_wall_us, changed_wall_us;
};
typedef int sl_run_fn(void *arg, const struct sl_run_row *row);
SL_API int sl_runs(struct sl *sl, const char *line, sl_run_fn *row, void *arg); /* oldest first; line NULL: all */
/* One run; stations (may be NULL) is called for each station in the line's order, with the counters of this run. */
SL_API int sl_run_info(struct sl *sl, const char *run, struct sl_run_row *out, sl_station_fn *stations, void *arg);

struct sl_progress { /* what sl_run_wait knows; stations are in the line's order */
    struct sl_run_row run;
    uint32_t station_count;
    const struct sl_station_row *stations;
    int64_t waited_ms;
};
typedef int sl_progress_fn(void *arg, const struct sl_progress *p); /* not 0: stop waiting, SL_STOPPED */
struct sl_wait_options {
    int64_t timeout_ms;  /* for the whole wait, then SL_TIMEOUT. 0: no end */
    int64_t interval_ms; /* between two looks. 0: 500 */
    sl_progress_fn *progress; /* after each look; may be NULL */
    void *arg;
};
/* Wait until a run is over: SL_OK when every unit is done or dropped and the run is closed. SL_ONLY_DEAD: closed,
 * nothing moves any more, and dead tasks hold the rest. SL_RUN_CANCELLED. An open run is waited for until it is
 * closed. A broker that goes away is waited for, too (within timeout_ms). */
SL_API int sl_run_wait(struct sl *sl, const char *run, const struct sl_wait_options *o);

/* ------------------------------------------------------------ putting units in, one call at a time */
/* One unit, acknowledged when it is on disk. row: its values in the order of the run's columns. key: free
 * idempotency key, up to 128 bytes, or NULL; the same key again is SL_DUPLICATE with the first one's unit, so a call
 * that failed without an answer can simply be made again. SL_OK or SL_DUPLICATE with *unit (may be NULL) filled;
 * SL_BAD_UNIT says in sl_last_error what does not fit. */
SL_API int sl_put(struct sl *sl, uint64_t run_id, const struct sl_buf *row, const char *key, uint64_t *unit);

/* Many units in one message, in order. Up to 4,096 rows and 240 KB: sl_batch_add says SL_TOO_MANY or SL_TOO_BIG when
 * this one has to be put first (a row that alone is larger than 64 KB is SL_TOO_BIG always: then sl_batch_count is
 * what it was). */
struct sl_batch;
SL_API struct sl_batch *sl_batch_new(void); /* NULL: no memory */
SL_API void sl_batch_free(struct sl_batch **b); /* safe to repeat */
SL_API void sl_batch_clear(struct sl_batch *b);
SL_API uint32_t sl_batch_count(const struct sl_batch *b);
SL_API int sl_batch_add(struct sl_batch *b, const struct sl_buf *row, const char *key); /* key as in sl_put */

struct sl_put_result { /* of one row */
    uint64_t number;  /* batch: position from 0; pipe: the sequence number of the row, from the pipe's first */
    uint64_t tag;     /* pipe: what you gave */
    int code;         /* SL_OK, SL_DUPLICATE, or why not */
    uint64_t unit;    /* SL_OK: its number; SL_DUPLICATE: the first one's, 0 if the broker does not say; else 0 */
    const char *text; /* for people, perhaps empty: field and reason */
};
typedef void sl_put_fn(void *arg, const struct sl_put_result *r);
struct sl_put_options {
    const char *const *columns; /* the field of each value in a row. NULL: the line's input fields in order */
    uint32_t column_count;
    int64_t delay_us;           /* not ready before this long from now */
    bool all_or_nothing;        /* refuse the whole batch if any row is bad */
    bool resend;                /* send again when no answer came, though rows without a key may then be there twice */
};
struct sl_put_counts { uint64_t accepted, duplicates, refused; };
/* Put a batch; on_row (may be NULL) is called for each row, in order. SL_OK also if single rows were refused: counts
 * and on_row tell. The batch is left as it is. o and counts may be NULL. */
SL_API int sl_put_batch(struct sl *sl, uint64_t run_id, const struct sl_batch *b, const struct sl_put_options *o,
                        sl_put_fn *on_row, void *arg, struct sl_put_counts *counts);

/* ------------------------------------------------------------ putting units in, pipelined */
/* A pipe keeps many rows under way: it gathers rows into frames, sends them without waiting for answers, keeps each
 * row until it is acknowledged, sends again what a lost link or a restarted broker has swallowed, waits where the
 * broker asks for it (QUEUE_FULL, STORE_FULL, BUSY), and calls back once for each row, in the order of the puts.
 *
 * Exactly once: a numbered producer (id, epoch, sequence) makes every resend harmless, at no cost in the broker: it
 * stores the highest number. A program that comes back after a crash opens the pipe with the same producer id, asks
 * sl_pipe_next where to go on, and skips the rows before. Keys do the same for rows that have no order. Rows with
 * neither are resent only if `resend` says so; else their fate is reported as SL_DISCONNECTED or SL_TIMEOUT when no
 * answer came.
 *
 * A row that the broker refuses is reported and the others go on, unless the rows are numbered: numbers may have no
 * gap, so there the row ends the pipe (SL_BAD_UNIT for it, SL_NOT_PUT for those beside and behind it, which are not
 * in the run). Check rows before, or use keys.
 *
 * When a frame leaves: it is full; or its first row is linger_ms old; with linger_ms 0: at once while fewer than two
 * frames are under way, else with the next answer. So a slow producer gets the shortest way, a fast one full frames.
 * Time only passes inside calls: a program that has nothing to put for a while calls sl_poll. */
struct sl_pipe;
struct sl_pipe_options {
    uint64_t run_id;
    const void *producer;       /* SL_PRODUCER_SIZE bytes: a numbered producer. NULL: rows are not numbered */
    /* a higher one fences the older ones (SL_OLD_EPOCH). 0: the newest that the broker knows, or 1 */
    uint64_t epoch;
    /* number of the first row put here. 0: after the last one that is on disk in this epoch */
    uint64_t first_seq;
    bool resend;                /* rows with neither number nor key may be sent twice */
    const char *const *columns; /* as in sl_put_options */
    uint32_t column_count;
    int64_t delay_us;
    uint32_t window_units;      /* rows not yet called back at most. 0: 16,384 */
    size_t window_bytes;        /* and their bytes. 0: 8 MiB */
    uint32_t frame_units;       /* rows in one frame at most, up to 4,096. 0: 256, or a quarter of the window */
    size_t frame_bytes;         /* and their bytes, up to 240 KB. 0: 128 KiB */
    int64_t linger_ms;
    int64_t give_up_ms;         /* without any progress for so long, the pipe fails with the reason. 0: never */
    sl_put_fn *on_row;          /* called once for each row; may be NULL */
    void *arg;
};
/* Asks the broker how far the producer got (if there is one), so it may wait. SL_OLD_EPOCH: a newer epoch is there.
 * *out NULL on failure. */
SL_API int sl_pipe_open(struct sl *sl, const struct sl_pipe_options *o, struct sl_pipe **out);
/* number of the next row put (from 1 if rows are not numbered) */
SL_API uint64_t sl_pipe_next(const struct sl_pipe *p);
/* Put a row; waits while the window is full. key as in sl_put. SL_OK: taken, on_row will be called for it (perhaps
 * within this call). Else it was not taken: SL_TOO_BIG (64 KB), SL_MISUSE, SL_NO_MEMORY, SL_STOPPED concern this
 * row; other codes mean that the pipe has failed, and stay. */
SL_API int sl_pipe_put(struct sl_pipe *p, const struct sl_buf *row, const char *key, uint64_t tag);
/* Send what was gathered, and wait until every row has been called back. SL_OK (single rows may have been refused),
 * or why the pipe failed. */
SL_API int sl_flush(struct sl_pipe *p);
/* Rows put and not called back yet, and their bytes. */
SL_API uint32_t sl_pipe_open_rows(const struct sl_pipe *p, size_t *bytes);
struct sl_pipe_stats { uint64_t put, accepted, duplicates, refused, frames, resent_frames, waited_us; };
/* waited_us: spent waiting because the broker asked for it */
SL_API void sl_pipe_stats(const struct sl_pipe *p, struct sl_pipe_stats *out);
/* Gives up what was not acknowledged (flush first); no callback comes for it. Safe to repeat. */
SL_API void sl_pipe_close(struct sl_pipe **p);
/* How far a numbered producer got: its newest epoch and the highest number on disk in it; zeros if it is unknown. */
SL_API int sl_producer_get(struct sl *sl, uint64_t run_id, const void *producer, uint64_t *epoch, uint64_t *last_seq);

/* ------------------------------------------------------------ results */
struct sl_output_row {
    uint64_t unit;
    uint32_t column_count;
    /* "unit", input fields, then station.field ...; with a station: unit, inputs, its fields, worker, done_wall_us; with
     * answers also assignment, counted, stands, hub, assigned_wall_us, started_wall_us, active_us */
    const char *const *columns;
    const struct sl_value *values;
};
typedef int sl_output_fn(void *arg, const struct sl_output_row *row); /* not 0: stop, SL_STOPPED */
struct sl_output_options {
    const char *station; /* fields of this station only. NULL: all that the line hands out */
    uint64_t after_unit; /* only units behind this one */
    uint64_t page_rows;  /* rows a page. 0: what the broker thinks right */
    bool all_units;      /* units that are not finished, too: missing values are nil */
    bool answers;        /* with a station: every result that was handed in there, a row each; a unit may have several */
};
/* The units of a run in input order, page after page; while one is handed out, the next is on its way. o may be NULL.
 * *last (may be NULL) is where to go on: also filled on SL_STOPPED. */
SL_API int sl_output(struct sl *sl, const char *run, const struct sl_output_options *o, sl_output_fn *row, void *arg,
                     uint64_t *last);

/* Every result that was handed in at a station, in the order of units and within a unit in the order in which they came. Names and values
 * are borrowed for the callback. */
struct sl_answer {
    uint64_t unit, assignment;
    char worker[SL_NAME_SIZE], hub[SL_NAME_SIZE];
    bool counted;                                    /* else it came too late */
    int stands;                                      /* 1: it is the result, or says the same as the outcome; 0: no; -1: nothing is decided yet */
    int64_t assigned_wall_us, started_wall_us, done_wall_us; /* 0: not told */
    uint64_t active_us;
    uint32_t input_count, field_count;
    const char *const *inputs, *const *fields;       /* names: "text"; "judge.entails" */
    const struct sl_value *input_values, *values;
    uint32_t place;                                  /* of an entry of a tournament that is decided: 1 the best; else 0 */
    uint64_t entry;                                  /* of a vote (at station NAME.jury): the assignment of the entry that it is for; else 0 */
};
typedef int sl_answer_fn(void *arg, const struct sl_answer *a); /* not 0: stop, SL_STOPPED */
SL_API int sl_answers(struct sl *sl, const char *run, const char *station, sl_answer_fn *fn, void *arg);

/* The whole story of a unit: a map (PROTOCOL.md says of what), borrowed until the next call. */
SL_API int sl_unit(struct sl *sl, const char *run, uint64_t unit, struct sl_value *story);

/* ------------------------------------------------------------ tasks in queues */
enum sl_tasks_which { SL_TASKS_READY, SL_TASKS_WAITING, SL_TASKS_DEAD };
struct sl_task_row {
    uint64_t run_id, unit, state, attempts;
    int64_t due_us;  /* waiting: until due */
    char reason[SL_TEXT_SIZE];
};
typedef int sl_task_fn(void *arg, const struct sl_task_row *row);
/* Look through a station's tasks without touching them. run NULL: of all runs. limit 0: all. */
SL_API int sl_tasks(struct sl *sl, uint64_t station_id, enum sl_tasks_which which, const char *run, uint64_t limit,
                    sl_task_fn *row, void *arg);
/* Requeue dead tasks (their attempts start again), or drop them (their units end). units NULL: all dead ones of the
 * station (and run); with units, up to 4,096 and run is required. reason may be NULL. *count (may be NULL): how
 * many. SL_BAD_STATE: the units stay as they are, and sl_last_error() says why: nobody is left who may do them. Sent once, see WHAT IS RESENT. */
SL_API int sl_requeue(struct sl *sl, uint64_t station_id, const char *run, const uint64_t *units, uint32_t n,
                      const char *reason, uint64_t *count);
SL_API int sl_drop(struct sl *sl, uint64_t station_id, const char *run, const uint64_t *units, uint32_t n,
                   const char *reason, uint64_t *count);

/* ------------------------------------------------------------ hubs, workers, figures */
struct sl_hub_row {
    uint64_t hub, workers, signed_in, holding;
    char name[SL_NAME_SIZE], zone[SL_NAME_SIZE];
    bool connected;
    int64_t seen_wall_us; /* last message, 0 if never */
};
struct sl_worker_row {
    uint64_t worker, kind, holding, credit, done; /* kind: 0 human, 1 robot */
    char name[SL_NAME_SIZE], hub[SL_NAME_SIZE];
    bool signed_in;
    struct sl_value skills; /* array of [name, level] */
    /* its shift, "" if it has none: then it works whenever it is signed in */
    char shift[SL_SHIFT_NAME_SIZE], shift_zone[SL_NAME_SIZE];
    char team[SL_NAME_SIZE]; /* perhaps empty */
    uint64_t capacity;       /* tasks at a time; 0: a broker that does not tell */
    bool on_shift;
    int64_t change_wall_us; /* when the shift next begins or ends; 0: not within the days that are known */
    uint64_t per_day, today; /* so many tasks a day, 0: no limit; and how many of them it has had */
};
struct sl_shift_row {
    uint64_t shift, workers, overtime_us;
    char hub[SL_NAME_SIZE], name[SL_SHIFT_NAME_SIZE], zone[SL_NAME_SIZE], pattern[513]; /* pattern: for people */
    bool on;
    int64_t until_wall_us;  /* its times are known until then */
    struct sl_value times;  /* array: beginning, end, beginning, end ...: UTC, microseconds since 1970 */
};
typedef int sl_hub_fn(void *arg, const struct sl_hub_row *row);
typedef int sl_worker_fn(void *arg, const struct sl_worker_row *row);
typedef int sl_shift_fn(void *arg, const struct sl_shift_row *row);
SL_API int sl_hubs(struct sl *sl, sl_hub_fn *row, void *arg);
/* NULL: any hub, any name */
SL_API int sl_workers(struct sl *sl, const char *hub, const char *name, sl_worker_fn *row, void *arg);
/* The shifts of a hub (NULL: of all). */
SL_API int sl_shifts(struct sl *sl, const char *hub, sl_shift_fn *row, void *arg);
/* Why a worker gets no work: the code of message `why` in PROTOCOL.md, and a text for people (cut to size). */
SL_API int sl_worker_why(struct sl *sl, const char *worker, uint64_t *code, char *text, size_t size);
/* What is measured of a worker: a map, as message `repute` in PROTOCOL.md tells, borrowed until the next call. */
SL_API int sl_repute(struct sl *sl, const char *worker, struct sl_value *story);
/* What an operator does to a worker: suspends him from a station or lets him back, grants a skill or takes the grant back. line, station: of the first
 * two; skill: of the others, level and until_wall_us (0: without end) of a grant; reason may be NULL. *count (may be NULL): 0 if it was so already. */
enum sl_worker_action { SL_WORKER_SUSPEND, SL_WORKER_READMIT, SL_WORKER_GRANT, SL_WORKER_REVOKE };
struct sl_worker_change {
    const char *worker, *line, *station, *skill, *reason;
    enum sl_worker_action action;
    uint64_t level;
    int64_t until_wall_us;
};
SL_API int sl_worker_set(struct sl *sl, const struct sl_worker_change *change, uint64_t *count);
/* a map of counters and gauges, borrowed until the next call */
SL_API int sl_stats(struct sl *sl, struct sl_value *figures);
/* Copy the broker's store to `path` (absolute, on its machine, not there yet). May take long: timeout_ms 0 waits
 * without end. Sent once. */
SL_API int sl_backup(struct sl *sl, const char *path, int64_t timeout_ms);

/* ------------------------------------------------------------ events */
#define SL_EVENTS_NOW UINT64_MAX /* since: only what happens from now on */
struct sl_events;
struct sl_event {
    uint64_t seq;         /* gapless in the stream of all; ascending in every stream */
    unsigned type;        /* proto/events.def; new broker versions may have new ones */
    const char *name;     /* "UNITS_DONE"; "" if this library does not know the type */
    int64_t wall_us;
    struct sl_value data; /* a map; docs/events.md */
};
struct sl_events_options {
    const char *stream; /* all, line/NAME, run/NAME or hub/NAME. NULL: all */
    uint64_t since;     /* first sequence wanted: 0: the oldest that is kept; or SL_EVENTS_NOW */
    int64_t look_ms;    /* in silence, ask for what might have been missed this often. 0: 1,000 */
};
/* A stream of events, without a hole and without a repeat: past ones by request, new ones as they are published, and
 * what the publisher dropped by request again. *out NULL on failure. */
SL_API int sl_events_open(struct sl *sl, const struct sl_events_options *o, struct sl_events **out);
/* The next event, borrowed until the next call; waits up to timeout_ms (0: does not wait, though a page may be asked
 * for). SL_TIMEOUT: nothing new; go on. SL_DISCONNECTED: the broker is away or did not answer; go on, nothing is
 * skipped. SL_GONE: the events wanted are no longer kept, or not there yet, or of another store than those before (the
 * broker was started from a backup); open a new stream from sl_info's event_seq and read the state anew. */
SL_API int sl_events_next(struct sl_events *e, int64_t timeout_ms, struct sl_event *out);
SL_API uint64_t sl_events_position(const struct sl_events *e); /* `since` of a stream that would go on here; 0 while nothing was passed */
SL_API void sl_events_close(struct sl_events **e); /* safe to repeat */
SL_API const char *sl_event_name(unsigned type);   /* "" for a number that is none. Static */

#ifdef __cplusplus
}
#endif
#endif
