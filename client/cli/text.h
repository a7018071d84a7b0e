/* Small texts for people: times, durations, counts, and strings of strangers made safe to print on a terminal. */
#ifndef SUNLINE_CLI_TEXT_H
#define SUNLINE_CLI_TEXT_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/codec.h"

#define TEXT_TIME_BYTES 32

/* "2026-03-01T09:30:00.250Z"; "-" for 0 (never). Returns buf. */
const char *text_time(int64_t wall_us, char buf[TEXT_TIME_BYTES]);
#define TEXT_ZONED_BYTES 80
/* A moment in a zone's time and in UTC: "Fri 2026-11-27 09:00 +05:45 (03:15 UTC)"; with the date of UTC if it is another one. "-" for 0. An unknown
 * zone: UTC only. Returns buf. */
const char *text_zoned(int64_t wall_us, const char *zone, char buf[TEXT_ZONED_BYTES]);
/* "850ms", "12.3s", "4m05s", "2h07m", "3d04h". Returns buf. */
const char *text_duration(int64_t us, char buf[TEXT_TIME_BYTES]);
/* "1,234,567". Returns buf. */
const char *text_count(uint64_t n, char buf[TEXT_TIME_BYTES]);
/* Columns that UTF-8 text takes on a terminal. */
size_t text_columns(const char *p, size_t n);
/* Write text without its control characters (each becomes a space if it is white space, else '?'): nobody's reason
 * may move the cursor, colour the screen or forge a line. */
void text_put(FILE *f, const char *p, size_t n);
/* A printable copy of a slp_bytes for "%.*s". */
#define TEXT_ARG(b) (int)(b).n, (b).n ? (b).p : ""
static inline struct slp_bytes text_bytes(const char *s)
{
    return (struct slp_bytes){ s, (uint32_t)__builtin_strlen(s) };
}
#endif
