/* A library to preload (LD_PRELOAD) into a broker: its syncs take no time, or as long as the file that SLOW_SYNC names is there, whatever disk there is; and fail if the
 * one that FAIL_SYNC names is there. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

SEEN int fdatasync(int fd)
{
    const char *while_there = getenv("SLOW_SYNC"), *fails = getenv("FAIL_SYNC");
    (void)fd;
    while (while_there && access(while_there, F_OK) == 0) {
        usleep(1000);
    }
    if (fails && access(fails, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return 0;
}
