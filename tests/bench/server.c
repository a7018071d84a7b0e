/* A broker of the bench's own: see server.h. */
#include "tests/bench/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t running; /* ended with the bench, however that ends */

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("bench: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    if (running)
        kill(running, SIGKILL);
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

static void endpoint(const char *text, const char *name, char *out, size_t n)
{
    const char *p = strstr(text, name);
    if (!p)
        die("the endpoints file names no %s", name);
    p += strlen(name) + 1;
    snprintf(out, n, "%.*s", (int)strcspn(p, "\n"), p);
}

void server_start(struct server *s, const char *build, const char *base)
{
    char bin[512], path[512], log[512];
    if (!s->dir[0]) {
        snprintf(s->dir, sizeof s->dir, "%s/sunline-bench-XXXXXX", base);
        if (!mkdtemp(s->dir))
            die("cannot make a directory in %s", base);
    }
    snprintf(bin, sizeof bin, "%s/sunlined", build);
    snprintf(path, sizeof path, "%s/endpoints", s->dir);
    snprintf(log, sizeof log, "%s/log", s->dir);
    unlink(path);
    double t = now_s();
    s->pid = fork();
    if (s->pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 2);
        execl(bin, bin, "--data", s->dir, "--clients", "tcp://127.0.0.1:*", "--agents", "tcp://127.0.0.1:*", "--events", "tcp://127.0.0.1:*",
              (char *)NULL);
        _exit(127);
    }
    running = s->pid;
    for (;;) {
        char text[1024];
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f)
            fclose(f);
        text[n] = 0;
        if (n && strstr(text, "events=")) {
            endpoint(text, "clients", s->clients, sizeof s->clients);
            endpoint(text, "agents", s->agents, sizeof s->agents);
            endpoint(text, "events", s->events, sizeof s->events);
            break;
        }
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            die("%s ended; see %s", bin, log);
        if (now_s() - t > 60)
            die("%s did not come up in 60 s", bin);
        nanosleep(&(struct timespec){ 0, 500000 }, NULL);
    }
    s->ready_s = now_s() - t;
}

void server_stop(struct server *s)
{
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    running = 0;
}

void server_remove(struct server *s)
{
    DIR *d = opendir(s->dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", s->dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(s->dir);
    s->dir[0] = 0;
}

double server_cpu_s(const struct server *s)
{
    char path[64], b[1024];
    unsigned long u = 0, k = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(b, 1, sizeof b - 1, f) : 0;
    if (f)
        fclose(f);
    b[n] = 0;
    char *p = strrchr(b, ')');
    if (p)
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &k);
    return (double)(u + k) / (double)sysconf(_SC_CLK_TCK);
}

uint64_t server_rss_anon_bytes(const struct server *s)
{
    char path[64], line[256];
    unsigned long long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "RssAnon: %llu kB", &kb);
    if (f)
        fclose(f);
    return kb * 1024;
}

uint64_t server_store_bytes(const struct server *s)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", s->dir);
    return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}
