/* The publisher: reads events that are on disk and makes the frames of the event streams, on a thread of its own, so
 * that no acknowledgement waits for it. Only streams that somebody subscribed to are read and sent: what nobody reads
 * costs nothing.
 *
 * It keeps up by reading more at a time when it is behind; if it is behind by more than PUBLISH_BEHIND_MAX events, it
 * goes on at the newest. A subscriber sees any gap by the sequence numbers and repairs it with EVENTS_GET. */
#ifndef SUNLINE_BROKER_PUBLISH_H
#define SUNLINE_BROKER_PUBLISH_H
#include "broker/engine/engine.h"
#include "broker/outbox.h"
#include "broker/topics.h"

#define PUBLISH_STEP_EVENTS 4096
#define PUBLISH_BEHIND_MAX 500000

struct publisher;
/* `from`: the last sequence that is not to be published any more. NULL with errno. */
struct publisher *publisher_start(struct store *s, struct topics *topics, struct outbox *out, uint64_t from);
void publisher_note(struct publisher *p, uint64_t last_event); /* events up to here are on disk */
void publisher_stop(struct publisher *p); /* then a PARCEL_FAREWELL comes, then join */
void publisher_join(struct publisher *p);
void publisher_free(struct publisher **p);
uint64_t publisher_behind(struct publisher *p);  /* events not looked at yet */
uint64_t publisher_skipped(struct publisher *p); /* events that were jumped over */
#endif
