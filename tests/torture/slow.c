/* A library to preload (LD_PRELOAD) into a broker: its syncs take no time, or SLOW_US (if SLOW_WHILE names a file, while that is there), or as long as the file that SLOW_SYNC names is there, whatever disk there is; and fail
 * if the one that FAIL_SYNC names is there, and the disk has no room as long as the one that FULL_DISK names is there. It does not tell how much as long as that of SLOW_ROOM is there. While one is held up a file of the first one's name with `.at` behind it has the name of the thread that is. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

/* As long as the file is there; one beside it tells who is held up. */
static void hold_up(const char *while_there)
{
    if (while_there && access(while_there, F_OK) == 0) {
        char at[4096], name[16] = "";
        snprintf(at, sizeof at, "%s.at", while_there);
        prctl(PR_GET_NAME, name);
        int told = open(at, O_WRONLY | O_CREAT, 0600);
        if (told < 0 || write(told, name, strlen(name)) < 0) {
            abort();
        }
        close(told);
        while (access(while_there, F_OK) == 0) {
            usleep(1000);
        }
        unlink(at);
    }
}

SEEN int fdatasync(int fd)
{
    const char *while_there = getenv("SLOW_SYNC"), *fails = getenv("FAIL_SYNC"), *us = getenv("SLOW_US"),
               *slow_while = getenv("SLOW_WHILE");
    (void)fd;
    if (us && (!slow_while || access(slow_while, F_OK) == 0)) {
        usleep((useconds_t)atoi(us));
    }
    hold_up(while_there);
    if (fails && access(fails, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return 0;
}

SEEN int fstatvfs(int fd, struct statvfs *s)
{
    const char *full = getenv("FULL_DISK");
    hold_up(getenv("SLOW_ROOM"));
    static int (*next)(int, struct statvfs *);
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "fstatvfs");
    }
    int rc = next(fd, s);
    if (rc == 0 && full && access(full, F_OK) == 0) {
        s->f_bavail = 0;
    }
    return rc;
}
