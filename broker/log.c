/* Lines of the log: see log.h. */
#include "broker/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static atomic_int level_now = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    assert(level <= LOG_LEVEL_DEBUG);
    atomic_store(&level_now, (int)level);
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    assert(level <= LOG_LEVEL_DEBUG);
    return level_names[level];
}

/* One byte is always kept for the newline. */
static void put(struct log_line *l, const char *p, size_t n)
{
    size_t room = sizeof l->p - 1 - l->n;
    if (n > room) {
        n = room;
    }
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_cstr(struct log_line *l, const char *s)
{
    put(l, s, strlen(s));
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
    l->on = (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
    l->n = 0;
    if (!l->on) {
        return;
    }
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char stamp[80];
    snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", utc.tm_year + 1900, utc.tm_mon + 1,
             utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(now.tv_nsec / 1000000));
    put_cstr(l, stamp);
    put_cstr(l, level_names[level]);
    put_cstr(l, " event=");
    put_cstr(l, event);
}

static bool needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f) {
            return true;
        }
    }
    return n == 0;
}

static void put_quoted(struct log_line *l, const char *p, size_t n)
{
    put(l, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        char hex[8];
        if (c == '"' || c == '\\') {
            put(l, (char[]){ '\\', (char)c }, 2);
        } else if (c == '\n') {
            put(l, "\\n", 2);
        } else if (c < ' ' || c == 0x7f) {
            snprintf(hex, sizeof hex, "\\x%02x", c);
            put_cstr(l, hex);
        } else {
            put(l, p + i, 1);
        }
    }
    put(l, "\"", 1);
}

void log_strn(struct log_line *l, const char *key, const char *value, size_t n)
{
    if (!l->on) {
        return;
    }
    put(l, " ", 1);
    put_cstr(l, key);
    put(l, "=", 1);
    bool cut = n > LOG_VALUE_BYTES_MAX;
    if (cut) {
        n = LOG_VALUE_BYTES_MAX;
        while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80) {
            n--; /* never half a character */
        }
    }
    if (needs_quotes(value, n)) {
        put_quoted(l, value, n);
    } else {
        put(l, value, n);
    }
    if (cut) {
        put(l, "...", 3);
    }
}

void log_str(struct log_line *l, const char *key, const char *value)
{
    log_strn(l, key, value, strlen(value));
}

void log_u64(struct log_line *l, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    log_str(l, key, text);
}

void log_i64(struct log_line *l, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    log_str(l, key, text);
}

void log_end(struct log_line *l)
{
    if (!l->on) {
        return;
    }
    assert(l->n < sizeof l->p);
    l->p[l->n++] = '\n';
    /* Nobody can be told that the log cannot be written; a pipe that is full must not stop the broker for ever either,
     * but a blocking standard error is what whoever started us chose. */
    while (write(STDERR_FILENO, l->p, l->n) < 0 && errno == EINTR) {}
    l->on = false;
}

void log_text(enum log_level level, const char *event, const char *text)
{
    struct log_line l;
    log_begin(&l, level, event);
    log_str(&l, "text", text);
    log_end(&l);
}

bool log_allowed(struct log_limit *g, int64_t now_us, uint64_t *suppressed)
{
    int64_t second = now_us / 1000000;
    *suppressed = 0;
    if (second != g->second) {
        g->second = second;
        g->lines = 0;
    }
    if (g->lines >= LOG_LIMIT_EVENTS_MAX) {
        g->suppressed++;
        return false;
    }
    g->lines++;
    *suppressed = g->suppressed;
    g->suppressed = 0;
    return true;
}
