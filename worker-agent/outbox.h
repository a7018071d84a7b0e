/* The outbox: results that the broker has not acknowledged yet, on disk.
 *
 * A result goes in before it is sent. A person's is synced first (agent_outbox_write, then a sync of agent_outbox_fd,
 * then it may be sent and the
 * person told); a robot's need not be, its work can be made again. Acknowledged ones are marked in the same file; a
 * segment all of whose results,
 * and those of all older segments, are acknowledged, is unlinked. After a crash agent_outbox_open hands out what is
 * left.
 *
 * Segments are record files (reclog.h) "outbox-NNNNNNNNNN.log". Records, little-endian:
 *   u8 1, u8 person, u64 seq, u64 assignment, u64 worker number, packed `result` item
 *   u8 2, u64 seq                        the broker has it */
#ifndef SUNLINE_AGENT_OUTBOX_H
#define SUNLINE_AGENT_OUTBOX_H
#include "worker-agent/reclog.h"

#define OUTBOX_SEGMENT_BYTES (4u * 1024 * 1024)

struct outbox;
struct outbox_entry { uint64_t seq, assignment, worker_no; bool person; struct slp_bytes packed; };
typedef void outbox_found(void *arg, const struct outbox_entry *e);

/* dir_fd stays the caller's and must outlive the outbox. Calls found() for each unacknowledged result, in order. NULL
 * with *rc an errno.
 * segment_bytes 0: OUTBOX_SEGMENT_BYTES. */
struct outbox *agent_outbox_open(int dir_fd, uint32_t segment_bytes, outbox_found *found, void *arg, int *rc);
void agent_outbox_close(struct outbox **o); /* drops what was not written; safe to repeat */
/* Returns the result's number, 0 when memory ran out. Buffered: agent_outbox_write hands it to the system. */
uint64_t agent_outbox_add(struct outbox *o, uint64_t assignment, uint64_t worker_no, bool person,
                          struct slp_bytes packed);
int agent_outbox_write(struct outbox *o);   /* 0 or an errno (ENOSPC ...): nothing is lost in memory, try again */
/* after a failed write: the result was refused, forget it */
void agent_outbox_take_back(struct outbox *o, uint64_t seq);
/* what to sync; all synced once agent_outbox_write returned 0 and this was synced */
int agent_outbox_fd(const struct outbox *o);
void agent_outbox_ack(struct outbox *o, uint64_t seq); /* the broker has it (or a copy was put aside) */
bool agent_outbox_is_person(const struct outbox *o, uint64_t seq);
/* Read a result again: appends the packed item to *out. 0 or an errno (EBADMSG: damaged). */
int agent_outbox_read(struct outbox *o, uint64_t seq, struct slp_buf *out);
uint64_t agent_outbox_count(const struct outbox *o);
uint64_t agent_outbox_damaged(const struct outbox *o); /* bytes that opening stepped over */
uint32_t agent_outbox_segments(const struct outbox *o);
#endif
