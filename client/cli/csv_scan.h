/* The four bytes that mean something in CSV: comma, quote, CR, LF. Text has long runs of others, so it is looked through
 * eight bytes at a time, in a way that every compiler and processor can do. */
#ifndef SUNLINE_CLI_CSV_SCAN_H
#define SUNLINE_CLI_CSV_SCAN_H
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CSV_WORD_BYTES 8
#define CSV_EACH_BYTE 0x0101010101010101ull

/* The high bit is clear in exactly those bytes of v that are c. */
static inline uint64_t csv_differs(uint64_t v, char c)
{
    const uint64_t low = CSV_EACH_BYTE * 0x7f;
    v ^= CSV_EACH_BYTE * (unsigned char)c;
    return ((v & low) + low) | v;
}

/* A bit for each of the four among n bytes (at most CSV_WORD_BYTES) at p; csv_mark_at(marks) is where the first stands,
 * marks & (marks - 1) are the others. */
static inline uint64_t csv_marks(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    v = le64toh(v);
    return ~(csv_differs(v, ',') & csv_differs(v, '"') & csv_differs(v, '\r') & csv_differs(v, '\n')) &
           CSV_EACH_BYTE * 0x80;
}

static inline size_t csv_mark_at(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) / 8;
}

/* How many bytes at p, of n, come before the first of the four; n if none of them is there. */
static inline size_t csv_ordinary(const char *p, size_t n)
{
    size_t i = 0;
    uint64_t marks = 0;
    for (; n - i >= CSV_WORD_BYTES; i += CSV_WORD_BYTES) {
        marks = csv_marks(p + i, CSV_WORD_BYTES);
        if (marks) {
            return i + csv_mark_at(marks);
        }
    }
    marks = n > i ? csv_marks(p + i, n - i) : 0;
    return marks ? i + csv_mark_at(marks) : n;
}
#endif
