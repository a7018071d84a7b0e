/* The agent's data directory: who this agent is, and that it is alone.
 *
 *   lock         held (flock) while an agent runs
 *   identity     data_id (16 random bytes, made once) and incarnation (one more at each start), replaced as a whole
 *   outbox-*.log see outbox.h
 *   journal.log  see journal.h
 *   refused.jsonl  results of people that the broker refused for good */
#ifndef SUNLINE_AGENT_DATADIR_H
#define SUNLINE_AGENT_DATADIR_H
#include <stddef.h>
#include <stdint.h>

struct datadir {
    int fd, lock_fd;      /* -1: closed */
    uint8_t id[16];
    uint64_t incarnation; /* of this start */
};

/* Make the directory if it is not there (mode 0700), lock it, count the incarnation (synced before this returns). 0, or
 * -1 with a sentence in
 * text; then *d is closed. */
int datadir_open(struct datadir *d, const char *path, char *text, size_t text_size);
void datadir_close(struct datadir *d); /* safe to repeat */
/* Replace file `name` as a whole: written aside, synced, renamed, directory synced. 0 or an errno. */
int datadir_replace(int dir_fd, const char *name, const void *p, size_t n);
#endif
