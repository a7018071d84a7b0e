#include "worker-agent/zone_file.h"

#include <stdint.h>
#include <string.h>

#define HEAD_BYTES 44
#define TYPE_BYTES 6 /* offset, is it summer time, where its abbreviation begins */

enum count { AT_UTC, AT_STANDARD, LEAPS, TIMES, TYPES, CHARS, COUNTS }; /* as they stand in the head */

/* One of the two parts: 32-bit times, and behind them, from version 2 on, 64-bit ones. Its bytes; 0: it is not whole. */
static size_t part(const uint8_t *p, size_t n, size_t time_bytes)
{
    uint64_t v[COUNTS];
    if (n < HEAD_BYTES || memcmp(p, "TZif", 4) != 0)
        return 0;
    for (size_t i = 0; i < COUNTS; i++) {
        const uint8_t *b = p + HEAD_BYTES - 4 * (COUNTS - i);
        v[i] = (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3];
    }
    uint64_t bytes = HEAD_BYTES + v[TIMES] * (time_bytes + 1) + v[TYPES] * TYPE_BYTES + v[CHARS] +
                     v[LEAPS] * (time_bytes + 4) + v[AT_STANDARD] + v[AT_UTC];
    if (bytes > n || v[TYPES] == 0 || v[CHARS] == 0)
        return 0;
    const uint8_t *of_time = p + HEAD_BYTES + v[TIMES] * time_bytes, *type = of_time + v[TIMES],
                  *chars = type + v[TYPES] * TYPE_BYTES;
    for (uint64_t i = 0; i < v[TIMES]; i++)
        if (of_time[i] >= v[TYPES])
            return 0;
    for (uint64_t i = 0; i < v[TYPES]; i++)
        if (type[i * TYPE_BYTES + 5] >= v[CHARS])
            return 0;
    return chars[v[CHARS] - 1] == 0 ? (size_t)bytes : 0;
}

bool zone_file_whole(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t first = part(p, n, 4), second = first > 0 && p[4] >= '2' ? part(p + first, n - first, 8) : 0;
    if (first == 0 || p[4] < '2') /* version 1 is a NUL: it has one part alone */
        return first > 0;
    const uint8_t *rule = p + first + second; /* between two line ends */
    size_t left = n - first - second;
    return second > 0 && left >= 2 && rule[0] == '\n' && memchr(rule + 1, '\n', left - 1) != NULL;
}
