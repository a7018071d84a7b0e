/* The worker's side of a hub agent's local protocol (docs/agent.md): JSON objects over a DEALER socket, requests
 * correlated by id, notices in between.
 * While it waits it also says that somebody is there, so that the agent does not sign the worker off. */
#ifndef SUNLINE_CLI_WORK_LINK_H
#define SUNLINE_CLI_WORK_LINK_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct work_link;
typedef void work_notice(void *arg, const json_t *notice);

/* endpoint: as for ZeroMQ, or the agent's data directory. NULL with a sentence in text. */
struct work_link *work_link_open(const char *endpoint, const char *worker, work_notice *notice, void *arg, char *text,
                                 size_t size);
void work_link_close(struct work_link **l); /* safe to repeat */
/* Ask: `request` (taken over) gets id and worker. The answer, whatever it says, or NULL after timeout_ms. NULL, too, if
 * *stop (may be NULL) becomes true
 * while it waits. The caller owns it. */
json_t *work_link_ask(struct work_link *l, const char *verb, json_t *request, int64_t timeout_ms,
                      const volatile int *stop);
/* Wait until fd is readable, with notices and signs of life meanwhile. false: *stop became true. */
bool work_link_wait(struct work_link *l, int fd, const volatile int *stop);
void work_link_alive_ms(struct work_link *l, int64_t ms); /* how often to say that somebody is there */
#endif
