/* The disk's thread: it syncs files, so that a slow disk holds up neither heartbeats nor people. One request at a time;
 * what is written in the
 * meantime gathers for the next one (group sync). */
#ifndef SUNLINE_AGENT_SYNCER_H
#define SUNLINE_AGENT_SYNCER_H
#include <stdbool.h>

struct syncer;
struct syncer *syncer_new(int *rc); /* NULL with an errno */
void syncer_free(struct syncer **s); /* waits for the request under way; safe to repeat */
int syncer_fd(const struct syncer *s); /* readable when a request is through */
bool syncer_busy(const struct syncer *s);
/* Sync both files (-1: none). Must not be busy. The descriptors are duplicated: they may be closed at once. 0 or an
 * errno. */
int syncer_begin(struct syncer *s, int fd1, int fd2);
/* true if the request is through, with *rc: 0, or the errno of the sync that failed. */
bool syncer_done(struct syncer *s, int *rc);
#endif
