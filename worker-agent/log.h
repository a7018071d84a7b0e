/* Log lines of the agent: one line an event on stderr: time level event key=value ... Values with spaces are quoted by
 * the caller's format.
 * Control characters are written as '?', so that no text from elsewhere can forge a line. */
#ifndef SUNLINE_AGENT_LOG_H
#define SUNLINE_AGENT_LOG_H
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_from(enum log_level least); /* lines below it are not written. At the start: LOG_INFO */
void log_line(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
