/* Which calls were refused memory: a program that refuses some tells alloc_note() of each, and they are left in $SUNLINE_BUILD/alloc-sites/PROGRAM as it ends, for
 * tests/alloc_sites, which compares them with all that there are. */
#ifndef SUNLINE_TEST_ALLOC_SITES_H
#define SUNLINE_TEST_ALLOC_SITES_H
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALLOC_SITES_MAX 1000
static struct {
    const void *at[ALLOC_SITES_MAX]; /* where the call returns to */
    unsigned n;
} alloc_failed_at;

static inline unsigned alloc_sites(void)
{
    return alloc_failed_at.n;
}

static inline void alloc_note(const void *site)
{
    unsigned i = 0;
    while (i < alloc_failed_at.n && alloc_failed_at.at[i] != site)
        i++;
    if (i == ALLOC_SITES_MAX)
        abort(); /* make it larger */
    if (i == alloc_failed_at.n)
        alloc_failed_at.at[alloc_failed_at.n++] = site;
}

extern const char __executable_start[], etext[]; /* the linker's: of the program itself, not of libraries */

static __attribute__((destructor)) void alloc_leave_sites(void)
{
    const char *build = getenv("SUNLINE_BUILD");
    char path[4096];
    if (build == NULL)
        return;
    snprintf(path, sizeof path, "%s/alloc-sites", build);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return;
    snprintf(path, sizeof path, "%s/alloc-sites/%s", build, program_invocation_short_name);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        return;
    for (unsigned i = 0; i < alloc_failed_at.n; i++) {
        const char *at = alloc_failed_at.at[i];
        if (at >= __executable_start && at < etext)
            fprintf(f, "%llx\n", (unsigned long long)(at - __executable_start));
    }
    fclose(f);
}
#endif
