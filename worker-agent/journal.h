/* The journal: what people are in the middle of, so that they go on where they were when the agent was restarted: their
 * begun tasks, the forms of
 * these, and drafts.
 *
 * A record file (reclog.h) "journal.log", rewritten without what is over at each opening and when it has grown.
 * Records, little-endian:
 *   u8 1, form        the FORM message as it came
 *   u8 2, u64 assignment, u64 worker number, u64 station, u64 attempt, i64 lease_us, u32 bytes of fields, u32 their
 *   count, fields, context
 *   u8 3, u64 assignment, draft   (JSON)
 *   u8 4, u64 assignment          it is over */
#ifndef SUNLINE_AGENT_JOURNAL_H
#define SUNLINE_AGENT_JOURNAL_H
#include "worker-agent/core.h"

struct journal;
struct journal_events {
    void (*form)(void *arg, struct slp_bytes body);
    /* a begun task; its form was told before */
    void (*task)(void *arg, const struct core_task *t);
    void *arg;
};
/* NULL with *rc an errno. Tells what is in the middle, in order of its beginning. */
struct journal *journal_open(int dir_fd, const struct journal_events *found, int *rc);
void journal_close(struct journal **j); /* drops what was not written; safe to repeat */
/* Each buffers a record; journal_write hands them to the system. 0 or an errno. */
int journal_begun(struct journal *j, const struct core_task *t, struct slp_bytes form);
int journal_draft(struct journal *j, uint64_t assignment, const char *json, size_t n);
void journal_over(struct journal *j, uint64_t assignment); /* nothing happens for one that is not in it */
int journal_write(struct journal *j);
int journal_fd(const struct journal *j);
/* The last draft; {NULL, 0}: none. Borrowed until the next call that changes the journal. */
struct slp_bytes journal_draft_of(const struct journal *j, uint64_t assignment);
uint64_t journal_count(const struct journal *j);
#endif
