/* A library to preload (LD_PRELOAD) into a broker: its syncs take no time, or as long as the file that SLOW_SYNC names is there, whatever disk there is. */
#include <stdlib.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

SEEN int fdatasync(int fd)
{
    const char *while_there = getenv("SLOW_SYNC");
    (void)fd;
    while (while_there && access(while_there, F_OK) == 0) {
        usleep(1000);
    }
    return 0;
}
