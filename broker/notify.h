/* A word to the service manager (systemd's protocol: one datagram to the socket that NOTIFY_SOCKET names). Without a
 * manager: nothing. */
#ifndef SUNLINE_BROKER_NOTIFY_H
#define SUNLINE_BROKER_NOTIFY_H
#include <stdint.h>

void notify(const char *state);     /* "READY=1", "STOPPING=1", "WATCHDOG=1" */
int64_t notify_watchdog_us(void);   /* how often the manager wants to hear WATCHDOG=1 at least; 0: never */
#endif
