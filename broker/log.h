/* The log: one line an event, to standard error, written with one write(2), so that lines of several threads never mix.
 *
 *   2026-11-23T05:00:00.000Z info event=listening clients=tcp://127.0.0.1:7710 text="with spaces"
 *
 * A line is built in a struct on the stack and is never longer than LOG_LINE_BYTES_MAX: values are cut, never lines
 * broken. A value is quoted when it is empty or holds a blank, a quote, a backslash, '=' or a control character.
 *
 * A handler of signals may call all of it, so that it can tell why the process ends: it does only what POSIX allows there. No stdio, no gmtime_r. */
#ifndef SUNLINE_BROKER_LOG_H
#define SUNLINE_BROKER_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LOG_LINE_BYTES_MAX 1024
#define LOG_VALUE_BYTES_MAX 320

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_line {
    bool on; /* false: the level is filtered out, everything below does nothing */
    size_t n;
    char p[LOG_LINE_BYTES_MAX];
};

void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *level); /* "error", "warn", "info", "debug" */
const char *log_level_name(enum log_level level);

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_begin_at(struct log_line *l, enum log_level level, const char *event, const struct timespec *now); /* since 1970 */
void log_str(struct log_line *l, const char *key, const char *value);
void log_strn(struct log_line *l, const char *key, const char *value, size_t n);
void log_u64(struct log_line *l, const char *key, uint64_t value);
void log_i64(struct log_line *l, const char *key, int64_t value);
void log_end(struct log_line *l); /* writes the line */

/* A number's decimal digits, zeros in front of it until there are `least`; no NUL behind. Returns how many. */
#define LOG_DIGITS_MAX 20
size_t log_digits(char p[LOG_DIGITS_MAX], uint64_t v, size_t least);
/* As it is, for what is no line of the log. What cannot be written is lost. */
void log_raw(int fd, const char *p, size_t n);

/* The common short form: event and one sentence. */
void log_text(enum log_level level, const char *event, const char *text);

/* A guard for events that peers can cause at will: at most LOG_LIMIT_EVENTS_MAX lines a second, the rest are counted.
 * One guard belongs to one thread. True: write the line, and add `suppressed` if *suppressed is not 0. */
#define LOG_LIMIT_EVENTS_MAX 5
struct log_limit { int64_t second; uint32_t lines; uint64_t suppressed; };
bool log_allowed(struct log_limit *g, int64_t now_us, uint64_t *suppressed);
#endif
