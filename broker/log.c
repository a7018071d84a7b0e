/* Lines of the log: see log.h. */
#include "broker/log.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
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

size_t log_digits(char p[LOG_DIGITS_MAX], uint64_t v, size_t least)
{
    char digits[LOG_DIGITS_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0 || sizeof digits - at < least);
    memcpy(p, digits + at, sizeof digits - at);
    return sizeof digits - at;
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

static void put_number(struct log_line *l, uint64_t v, size_t least)
{
    char digits[LOG_DIGITS_MAX];
    put(l, digits, log_digits(digits, v, least));
}

/* gmtime_r may not be called where this may. The date is Howard Hinnant's civil_from_days: eras of 400 years, years that begin in March. */
static void put_stamp(struct log_line *l, const struct timespec *now)
{
    uint64_t second = (uint64_t)now->tv_sec % 86400, days = (uint64_t)now->tv_sec / 86400 + 719468;
    uint64_t in_era = days % 146097;
    uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint64_t from_march = (5 * in_year + 2) / 153;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    put_number(l, days / 146097 * 400 + year + (month <= 2), 4);
    put(l, "-", 1);
    put_number(l, month, 2);
    put(l, "-", 1);
    put_number(l, in_year - (153 * from_march + 2) / 5 + 1, 2);
    put(l, "T", 1);
    put_number(l, second / 3600, 2);
    put(l, ":", 1);
    put_number(l, second / 60 % 60, 2);
    put(l, ":", 1);
    put_number(l, second % 60, 2);
    put(l, ".", 1);
    put_number(l, (uint64_t)now->tv_nsec / 1000000, 3);
    put(l, "Z ", 2);
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    log_begin_at(l, level, event, &now);
}

void log_begin_at(struct log_line *l, enum log_level level, const char *event, const struct timespec *now)
{
    l->on = (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
    l->n = 0;
    if (!l->on) {
        return;
    }
    put_stamp(l, now);
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
        if (c == '"' || c == '\\') {
            put(l, (char[]){ '\\', (char)c }, 2);
        } else if (c == '\n') {
            put(l, "\\n", 2);
        } else if (c < ' ' || c == 0x7f) {
            static const char hex[] = "0123456789abcdef";
            put(l, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
        } else {
            put(l, p + i, 1);
        }
    }
    put(l, "\"", 1);
}

static void put_key(struct log_line *l, const char *key)
{
    put(l, " ", 1);
    put_cstr(l, key);
    put(l, "=", 1);
}

void log_strn(struct log_line *l, const char *key, const char *value, size_t n)
{
    if (!l->on) {
        return;
    }
    put_key(l, key);
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
    if (!l->on) {
        return;
    }
    put_key(l, key);
    put_number(l, value, 1);
}

void log_i64(struct log_line *l, const char *key, int64_t value)
{
    if (!l->on) {
        return;
    }
    put_key(l, key);
    if (value < 0) {
        put(l, "-", 1);
    }
    put_number(l, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
}

/* Nobody can be told that the log cannot be written; a pipe that is full must not stop the broker for ever either,
 * but a blocking standard error is what whoever started us chose. */
void log_raw(int fd, const char *p, size_t n)
{
    while (write(fd, p, n) < 0 && errno == EINTR) {}
}

void log_end(struct log_line *l)
{
    if (!l->on) {
        return;
    }
    assert(l->n < sizeof l->p);
    l->p[l->n++] = '\n';
    log_raw(STDERR_FILENO, l->p, l->n);
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
