/* The policy of endpoints: see endpoint.h. */
#include "broker/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool refuse(char *why, size_t size, const char *endpoint, const char *reason)
{
    snprintf(why, size, "endpoint '%.200s': %s", endpoint, reason);
    return false;
}

static bool port_ok(const char *port)
{
    if (strcmp(port, "*") == 0) {
        return true;
    }
    size_t n = strlen(port);
    if (n < 1 || n > 5 || strspn(port, "0123456789") != n) {
        return false;
    }
    return atoi(port) <= 65535;
}

/* A name is not looked up, since who answers could say anything; 'localhost' is the one that is fixed. An address is
 * taken only in the four-part form: inet_pton refuses "127.1" and "0x7f000001", which other resolvers read in other
 * ways. */
static bool is_loopback(const char *host)
{
    struct in_addr four;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
        return true;
    }
    return inet_pton(AF_INET, host, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127;
}

bool endpoint_allowed(const char *endpoint, char *why, size_t why_size)
{
    char host[64];
    if (strlen(endpoint) >= ENDPOINT_BYTES_MAX) {
        return refuse(why, why_size, endpoint, "is longer than 255 bytes");
    }
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        const char *path = endpoint + 6;
        if (*path == '\0' || strcmp(path, "*") == 0) {
            return refuse(why, why_size, endpoint, "ipc:// needs the path of a socket");
        }
        if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
            return refuse(why, why_size, endpoint, "the path is too long for a socket (107 bytes)");
        }
        return true;
    }
    if (strncmp(endpoint, "tcp://", 6) != 0) {
        return refuse(why, why_size, endpoint, "must begin with tcp:// or ipc://");
    }
    const char *colon = strrchr(endpoint + 6, ':');
    if (!colon || !port_ok(colon + 1)) {
        return refuse(why, why_size, endpoint,
                      "must end with a port: a number up to 65535, or * for one that the system chooses");
    }
    size_t n = (size_t)(colon - (endpoint + 6));
    if (n >= sizeof host) {
        return refuse(why, why_size, endpoint, "is not an address");
    }
    memcpy(host, endpoint + 6, n);
    host[n] = '\0';
    if (!is_loopback(host)) {
        return refuse(why, why_size, endpoint,
                      "is not on this machine's loopback: as long as there are no keys, anyone who reaches the "
                      "broker may do everything; use 127.0.0.1, [::1], localhost or ipc://");
    }
    return true;
}
