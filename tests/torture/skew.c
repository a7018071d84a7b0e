/* A library to preload (LD_PRELOAD) into a program of ours: its wall clock is wrong by as many seconds as the file that SKEW_FILE names says (none: 0). The file is
 * read at each look at the clock, so that a test can set the clock while the program runs. All other clocks are right, as on a machine whose time was set by hand. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ts);

static long skew_s(void)
{
    const char *path = getenv("SKEW_FILE");
    FILE *f = path ? fopen(path, "re") : NULL;
    long s = 0;
    if (f && fscanf(f, "%ld", &s) != 1)
        s = 0;
    if (f)
        fclose(f);
    return s;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    int rc = next(id, ts);
    if (rc == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += skew_s();
    return rc;
}
