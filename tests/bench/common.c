/* See common.h. */
#include "tests/bench/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LARGE_CHILD_MB 32

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("bench: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double cpu_self_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Sum a figure over the tree, of the first process and of all that descend from it; one that is gone meanwhile counts as nothing. */
static double over_tree(int pid, double (*of)(int pid), double (*of_child)(int pid))
{
    char path[96];
    double sum = of(pid);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *f = fopen(path, "r");
    for (int child; f && fscanf(f, "%d", &child) == 1;)
        sum += over_tree(child, of_child, of_child);
    if (f)
        fclose(f);
    return sum;
}

/* With the time of children that have ended. */
static double cpu_s(int pid)
{
    char path[64], b[1024];
    unsigned long user = 0, kernel = 0;
    long child_user = 0, child_kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(b, 1, sizeof b - 1, f) : 0;
    if (f)
        fclose(f);
    b[n] = 0;
    char *p = strrchr(b, ')'); /* the name before it may hold anything */
    if (p)
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &user, &kernel, &child_user,
               &child_kernel);
    return ((double)(user + kernel) + (double)(child_user + child_kernel)) / (double)sysconf(_SC_CLK_TCK);
}

/* The line of that name from a file of /proc/PID; 0 if there is none. */
static double told_mb(int pid, const char *file, const char *name)
{
    char path[64], line[256];
    double kb = 0;
    size_t n = strlen(name);
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, n) && line[n] == ':')
            kb = strtod(line + n + 1, NULL);
    if (f)
        fclose(f);
    return kb * 1024 / 1e6;
}

static double rss_anon_mb(int pid)
{
    return told_mb(pid, "status", "RssAnon");
}

/* A large child may have been forked to write down what its parent holds, as Redis's is: what both still share counts once. Looking it through takes time, so small ones are
 * not. */
static double child_rss_anon_mb(int pid)
{
    double all = rss_anon_mb(pid), own = all < LARGE_CHILD_MB ? all : told_mb(pid, "smaps_rollup", "Private_Dirty");
    return own < all ? own : all;
}

double tree_cpu_s(int pid)
{
    return over_tree(pid, cpu_s, cpu_s);
}

double tree_rss_anon_mb(int pid)
{
    return over_tree(pid, rss_anon_mb, child_rss_anon_mb);
}

const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    return otherwise;
}
