#include "broker/waiting.h"

bool waiting_init(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    bool made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (made && pthread_mutex_init(lock, NULL) != 0) {
        pthread_cond_destroy(cond);
        return false;
    }
    return made;
}

int64_t waiting_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct timespec waiting_after(int64_t wait_us)
{
    int64_t until_us = waiting_now_us() + wait_us;
    return (struct timespec){ (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
}
