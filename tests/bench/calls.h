/* What a program, its libraries among it, asks of the kernel and of the C library, counted on its way by what is preloaded into it (preload/calls.c, preload/copies.c). */
#ifndef TESTS_BENCH_CALLS_H
#define TESTS_BENCH_CALLS_H
#include <stdint.h>

/* In this order also in the file that CALLS_FILE names, where limits.py reads them. */
struct calls {
    uint64_t written_bytes, writes, write_ns; /* to files */
    uint64_t syncs, sync_ns;                  /* fsync, fdatasync, and writes to what was opened with O_DSYNC */
    uint64_t allocations;                     /* malloc, calloc, realloc */
};

/* By memcpy, where the program itself calls it: what the compiler copies in place, a few bytes each, is not seen. */
struct copies {
    uint64_t bytes;
    uint64_t of_payload;      /* those that are COPIES_MARK, which nothing but a payload is made of */
    uint64_t payload_written; /* the same in what is written */
};
#define COPIES_MARK '~'
#endif
