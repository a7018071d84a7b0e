/* Long reads beside the committer: exports, listings, replays on one thread, in order of arrival, each from short read
 * transactions; and a backup on a thread of its own, so that reads go on meanwhile. What is read is committed: LMDB
 * shows a transaction to readers only when it is on disk. */
#ifndef SUNLINE_BROKER_READERS_H
#define SUNLINE_BROKER_READERS_H
#include <stdbool.h>

#include "broker/clock.h"
#include "broker/engine/engine.h"
#include "broker/inbox.h"
#include "broker/outbox.h"

#define READERS_ITEMS_MAX 1024            /* reads that wait; BUSY */
#define READERS_BYTES_MAX (8u << 20)

struct readers;
struct readers *readers_start(struct store *s, const struct clock *clock, struct outbox *out); /* NULL with errno */
/* Take a read (the item comes back with the answer). False: too many wait; the item stays the caller's. */
bool readers_put(struct readers *r, struct item *i);
bool readers_backup(struct readers *r, struct item *i); /* a BACKUP. False: one is under way */
/* Ends after the read under way; what still waits comes back unanswered. Then a PARCEL_FAREWELL comes, then join. */
void readers_stop(struct readers *r);
/* False: a backup is under way and cannot be broken off: the caller must end the process, its threads and store still
 * open. */
bool readers_join(struct readers *r);
void readers_free(struct readers **r);
/* A batch of work is on disk and answered: reads give way where processors are scarce. */
void readers_note_commit(struct readers *r);
uint32_t readers_waiting(struct readers *r);
#endif
