/* Which endpoints the broker binds. Until keys and roles exist, whoever reaches a socket may do everything: so only
 * sockets that no other machine can reach are taken: loopback addresses and ipc. */
#ifndef SUNLINE_BROKER_ENDPOINT_H
#define SUNLINE_BROKER_ENDPOINT_H
#include <stdbool.h>
#include <stddef.h>

#define ENDPOINT_BYTES_MAX 256 /* terminated */

/* May this endpoint be bound? Taken: tcp://127.x.y.z:PORT, tcp://[::1]:PORT, tcp://localhost:PORT and ipc://PATH; PORT
 * is 0..65535 or '*' (the system chooses). If not: false, and why gets a sentence that names the endpoint. */
bool endpoint_allowed(const char *endpoint, char *why, size_t why_size);
#endif
