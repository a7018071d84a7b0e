/* People's side: a ROUTER on the local endpoint that speaks the local protocol of docs/agent.md (one JSON object a
 * frame). `sunline work` uses it, the
 * browser workbench will. */
#ifndef SUNLINE_AGENT_LOCAL_H
#define SUNLINE_AGENT_LOCAL_H
#include "worker-agent/agent.h"

/* NULL with a sentence */
struct local *local_open(struct agent *a, const char *endpoint, char *text, size_t text_size);
void local_close(struct local **l);        /* safe to repeat */
void *local_socket(const struct local *l);
const char *local_endpoint(const struct local *l); /* as bound: a port of * is filled in */
void local_receive(struct local *l);       /* take in what has arrived, a bounded number */
void local_tick(struct local *l, int64_t now_us);
int64_t local_next_due_us(const struct local *l);
/* The disk: everything handed over before the sync began is safe now (rc 0), or is not (an errno, and the agent ends).
 * */
void local_sync_begins(struct local *l);
void local_synced(struct local *l, int rc);
void local_written(struct local *l, bool results, bool drafts); /* all that waits is in the files */
void local_write_failed(struct local *l, int rc); /* what waits and is not in the files could not be written */
/* What the core tells. */
void local_offer(struct local *l, const char *worker);
void local_dropped(struct local *l, const char *worker, uint64_t assignment, uint64_t code);
void local_why(struct local *l, uint64_t token, uint64_t code, const char *text);
void local_roster_changed(struct local *l);
#endif
