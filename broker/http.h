/* The HTTP endpoint: /metrics (Prometheus text) and /healthz, for monitoring that speaks nothing else. Off unless configured; loopback only.
 *
 * It is a client like any other, on threads of its own (libmicrohttpd's one and none of the loop's): it asks STATS_GET on the client endpoint, so
 * an answer proves that a request went through the loop, the engine and the disk. At most one such request a second, whatever is asked for; few
 * connections, short ones, little memory for each. */
#ifndef SUNLINE_BROKER_HTTP_H
#define SUNLINE_BROKER_HTTP_H
#include <stddef.h>

#include "broker/endpoint.h"

struct http;
/* Serve at `address` (tcp://ADDRESS:PORT of the loopback; port 0 or *: the system chooses), asking the broker at `clients`. 0; -1 with a sentence. */
int http_start(struct http **h, const char *address, const char *clients, char *text, size_t text_size);
void http_stop(struct http **h); /* safe with NULL; ends within the wait for one answer */
const char *http_endpoint(const struct http *h); /* with the port chosen: "http://127.0.0.1:40123" */
#endif
