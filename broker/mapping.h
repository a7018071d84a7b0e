/* What lies at an address of this process, as the kernel tells it in /proc/self/maps. For handlers of signals: it does only what POSIX allows there (open, read,
 * close, memory): no stdio, no allocation. */
#ifndef SUNLINE_BROKER_MAPPING_H
#define SUNLINE_BROKER_MAPPING_H
#include <stdbool.h>
#include <stdint.h>

#define MAPPING_LINE_BYTES_MAX 512 /* of /proc/self/maps; the end of a longer path is cut off */

struct mapping {
    char file[MAPPING_LINE_BYTES_MAX]; /* as the kernel names it; "" if it is no file's */
    uint64_t byte;                     /* of the file, which lies at the address */
    bool shared;                       /* what is written there is written to the file */
};

/* False: nothing is mapped there, or it cannot be asked. */
bool mapping_at(uintptr_t address, struct mapping *m);
#endif
