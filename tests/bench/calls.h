/* What a program, its libraries among it, asks of the kernel and of the C library, counted on its way. Linked only into who wants it: the calls of that
 * program pass through here. */
#ifndef TESTS_BENCH_CALLS_H
#define TESTS_BENCH_CALLS_H
#include <stdint.h>

struct calls {
    uint64_t written_bytes;
    uint64_t syncs;       /* fsync, fdatasync, and writes to what was opened with O_DSYNC */
    uint64_t allocations; /* malloc, calloc, realloc */
};
extern struct calls calls;
#endif
