/* Inside the readers: what reader*.c share. The face is in engine.h. A reader works from short read transactions alone; what it caches
 * never changes: compiled line versions, and the names behind numbers. */
#ifndef SUNLINE_ENGINE_READER_H
#define SUNLINE_ENGINE_READER_H
#include "broker/engine/blob.h"
#include "broker/engine/engine.h"
#include "broker/engine/records.h"
#include "proto/linedef.h"
#include "proto/reader.h"

#define PAGE_BYTES_MAX (200 * 1024) /* rows of a page: the rest of a frame is for its head */

struct reader_line { uint32_t line, version; struct ld_line *def; };
/* A segment found in the transaction under way. Who walks over units in order comes by each segment many times: it is
 * looked up, and its checksum taken, once. n 0: none. */
struct reader_near { uint32_t run; struct blob b; };
struct reader_name { uint8_t kind; uint8_t n; uint32_t id; char s[SL_NAME_BYTES_MAX]; };

#define RD_MEASURED 512
struct rd_measured_at { uint64_t request; uint32_t worker, key; };

struct reader {
    struct store *store;
    struct store_txn *t; /* of the request under way */
    int64_t elapsed_us;
    struct reader_line *line;
    struct reader_name *name;
    uint32_t lines, line_cap, names;
    struct slp_buf b, b2, scratch[2], outcome;
    struct reader_near unit, result[SL_LINE_STATIONS_MAX]; /* the last one of a run's units; of each station's results */
    struct { uint32_t run; uint64_t no; struct store_val val; } group; /* the last one of units' states; val.p NULL: none */
    struct rd_queues *queues; /* reader_queues.c: kept from one portion of a check to the next */
    uint32_t first_line, first_version, first_station; /* there: the newest version of a line that was asked for, and its first station */
    struct rd_keys *keys;     /* reader_runs.c: the same */
    uint32_t *station_key, station_keys; /* reader_figures.c: by id - 1; the same */
    struct rd_measured_at measured[RD_MEASURED]; /* reader_figures.c: found there */
    uint64_t requests;        /* answered so far: each in a transaction of its own */
    struct rd_walk { uint8_t tb, at[STORE_KEY_BYTES_MAX + 1]; size_t at_n; uint64_t commit, records; } walk; /* reader_check.c: where it came to */
    struct stream *stream; /* reader_events.c: kept from one publication to the next */
    int64_t result_done_wall_us; /* of the result read last */
    uint64_t result_assignment;  /* what it came from; of an outcome: what it follows */
    enum store_rc rc;
};

struct rd_run { /* a run as the store has it */
    uint32_t id, line, version;
    uint8_t state, paused, priority;
    char name[SL_NAME_BYTES_MAX + 1];
    uint64_t units, done, dropped, cancelled, dead, last_event, hour_units, keys_from, numbered;
    int64_t hour;
    uint32_t producers;
    const struct ld_line *lv;
    unsigned shift;
};

void rd_walked(struct reader *r, enum store_rc rc); /* a walk or a search ended with this: what is not the table's end is a failure; the first one stays */
bool rd_get(struct reader *r, enum store_table tb, const void *k, size_t n, struct store_val *v); /* false: there is none, or r->rc says why */
/* For a check: CORRUPT is no failure of the request, it is named where it lies. */
enum store_rc rd_look(struct reader *r, enum store_table tb, const void *k, size_t n, struct store_val *v);
/* Each record whose key begins with these n bytes, until `fn` says false. False: one cannot be read, which a check names where it lies, or r->rc says why. */
bool rd_each(struct reader *r, enum store_table tb, const void *prefix, size_t n, bool (*fn)(void *arg, const struct store_cursor *c), void *arg, uint32_t *looked);
uint32_t rd_name(struct reader *r, enum name_kind k, struct slp_bytes n);          /* 0: none */
struct slp_bytes rd_name_of(struct reader *r, enum name_kind k, uint32_t id);      /* "" if it is gone */
bool rd_run_get(struct reader *r, uint32_t id, struct rd_run *run);
bool rd_station(struct reader *r, uint32_t id, uint32_t *line, uint32_t *version, uint16_t *idx);
const struct ld_line *rd_line(struct reader *r, uint32_t line, uint32_t version);
/* The two as the store has them now, whatever is cached: a line to be freed, or NULL with rc set; a name, or false. */
struct ld_line *rd_line_read(struct reader *r, uint32_t line, uint32_t version);
bool rd_name_read(struct reader *r, enum name_kind kind, uint32_t id, struct reader_name *out);
/* The state of a unit, copied into buf; NULL: none. */
uint8_t *rd_unit(struct reader *r, const struct rd_run *run, uint64_t unit, uint8_t buf[STATE_GROUP_BYTES_MAX]);
struct rd_list { struct slr rest; uint32_t at; }; /* packed values from number `at` on; {0}: none */
bool rd_values(struct reader *r, const struct rd_run *run, uint64_t unit, struct rd_list *v);
enum store_rc rd_input(struct reader *r, uint32_t run, uint64_t unit, struct blob *b); /* the segment with its input values */
bool rd_result(struct reader *r, uint16_t station, uint64_t result, struct rd_list *v); /* station: its place in the line */
/* Append value i, nil if there is none. In ascending order: it goes through the list once. */
void rd_element(struct slp_buf *b, struct rd_list *l, uint32_t i);

struct rd_assignment { uint64_t no, unit, prev, result, active_us; uint32_t run, station, hub, worker; uint8_t state, why, attempt, round; /* round: of an entry of a tournament its place */
                       int64_t due_us, assigned_wall_us, started_wall_us, ended_wall_us; };
bool rd_assignment(struct reader *r, uint64_t no, struct rd_assignment *a);
bool rd_linked(struct reader *r, const struct rd_run *run, uint64_t no, struct rd_assignment *a); /* one that another record names: where it is not there, that is damage (rc), but while the run is being deleted */
uint64_t rd_earlier(struct reader *r, const struct rd_assignment *a); /* the one before of its task; 0: none, or the record is damaged (rc) */

/* Append whether an answer stands in the outcome of its task (a result; 0: none yet): true, false, or nil while nothing is decided. */
void rd_stands(struct reader *r, struct slp_buf *b, const struct rd_run *run, uint16_t station, const struct rd_assignment *a, uint64_t outcome);
/* reader_jury.c: the assignment of the entry that a juror's vote is for; 0: none, he has not voted. */
uint64_t rd_vote(struct reader *r, const struct rd_run *run, uint16_t jury, const struct rd_assignment *vote);

/* reader_review.c: append what a verdict changed, a map from field to [before, after]; empty for any other. */
void rd_changes(struct reader *r, struct slp_buf *b, const struct rd_run *run, uint16_t station, const struct rd_assignment *a);

int rd_refuse(struct slp_buf *out, uint64_t id, enum slp_code code, const char *place, const char *text);
int rd_reply(struct slp_buf *out, uint64_t type, uint64_t id, const void *any);

int rd_output(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
int rd_unit_story(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
int rd_coverage(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
int rd_tasks(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
int rd_events(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
void rd_streams_free(struct reader *r);
/* The oldest event that is kept; *last: the last one. */
uint64_t rd_oldest_event(struct reader *r, uint64_t *last);
int rd_snapshot(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
int rd_check(struct reader *r, const struct slp_msg *m, struct slp_buf *out);
/* Whether all that this record refers to is there: text becomes "" or what it refers to in vain. Returns how many other records were looked at. */
uint32_t rd_refs(struct reader *r, enum store_table tb, struct store_val key, struct store_val v, char *text, size_t size);
/* reader_queues.c: is this task, whose state is READY, WAITING or DEAD, in the table that its state says? *looked grows by the records that were read for it. */
bool rd_queued(struct reader *r, uint32_t run, uint32_t station, uint64_t unit, enum task_state state, uint32_t *looked);
/* Has READY as many entries in the lanes of a run's queue as its counters (a record of RUN) say, those of tasks that have gone on among them? */
bool rd_lanes(struct reader *r, const struct rd_run *run, uint32_t idx, struct rdr counters, uint32_t *looked);
void rd_queues_free(struct reader *r);
/* reader_runs.c: does a record of DEDUP lead to this unit, which is one of the run's? */
bool rd_keyed(struct reader *r, const struct rd_run *run, uint64_t unit, uint32_t *looked);
void rd_keys_free(struct reader *r);
/* How many producers number the run's rows, and how many rows; false: it cannot be told. */
bool rd_producers(struct reader *r, uint32_t run, uint32_t *n, uint64_t *rows, uint32_t *looked);
/* Is a mass operation of this kind, of this run, under way? */
bool rd_sweeping(struct reader *r, uint32_t run, enum sweep_what what, uint32_t *looked);
/* reader_figures.c: the station that what is measured at this one is under; 0: it cannot be told. */
uint32_t rd_station_key(struct reader *r, uint32_t station, uint32_t *looked);
void rd_station_keys_free(struct reader *r);
/* Is there anything measured of the worker at this key (0: over all), as of each one whose result counted? */
bool rd_measured(struct reader *r, uint32_t worker, uint32_t key, uint32_t *looked);
/* What is wrong with a record of REPUTE beside what others tell; NULL: nothing. */
const char *rd_figures(struct reader *r, uint32_t worker, uint32_t key, struct store_val v, uint32_t *looked);
#endif
