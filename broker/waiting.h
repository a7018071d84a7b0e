/* Waiting for a condition for so long: on a clock that nobody sets, as the wall clock is. */
#ifndef SUNLINE_BROKER_WAITING_H
#define SUNLINE_BROKER_WAITING_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A lock, and a condition whose pthread_cond_timedwait takes waiting_after(). False: no memory; then neither is there. */
bool waiting_init(pthread_mutex_t *lock, pthread_cond_t *cond);
int64_t waiting_now_us(void);
struct timespec waiting_after(int64_t wait_us);
#endif
