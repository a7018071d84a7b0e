/* Allocations that fail when they are told to. sunline-sim is linked with --wrap for malloc, calloc, realloc, strdup and strndup, so each allocation of
 * our own code passes here; those of libraries do not. Off but between memory_go and memory_pause, so that the simulator's own never fail. */
#ifndef TESTS_SIM_MEMORY_H
#define TESTS_SIM_MEMORY_H
#include <stdbool.h>
#include <stdint.h>

void memory_arm(uint64_t nth);  /* the n-th from here on fails, once; counting is paused */
void memory_arm_lmdb(uint64_t nth, int code); /* the n-th call to LMDB from here on fails with its code, once (tests/lib/lmdb_fails.h) */
const char *memory_lmdb_failed(void); /* which one did; NULL: none, or none was to */
void memory_go(void);
void memory_pause(void);
uint64_t memory_failed(void);   /* how many failed since it was armed */
void memory_disarm(void);       /* also when a jump went past memory_pause */
#endif
