#include "worker-agent/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level least_level = LOG_INFO;

void log_from(enum log_level least)
{
    least_level = least;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const words[] = { "debug", "info", "warn", "error" };
    if (level < least_level)
        return;
    char line[1024];
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    int n = snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s ", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, words[level], event);
    va_list ap;
    va_start(ap, format);
    int more = vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    va_end(ap);
    n = n + more < (int)sizeof line - 1 ? n + more : (int)sizeof line - 2;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    /* One write a line: lines of several programs do not mix. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}
