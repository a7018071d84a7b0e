/* The handler of a thread's timer: see endless.h. */
#include "broker/endless.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "broker/log.h"
#include "broker/store/store.h"

#ifndef sigev_notify_thread_id /* the manual's name, which glibc 2.36 does not have */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void on_time(int signo, siginfo_t *info, void *context)
{
    static _Thread_local uint64_t seen;
    int before = errno;
    if (info->si_code != SI_TIMER) {
        signal(signo, SIG_DFL);
        raise(signo); /* it waits until the handler is left */
        return;
    }
    uint64_t now = store_calls_now();
    if (now == seen && now % 2 == 1 && broken_tree_in_lmdb(context)) {
        broken_tree_endless();
    }
    seen = now;
    errno = before;
}

void endless_watch(unsigned look_s)
{
    const struct sigaction by = { .sa_sigaction = on_time, .sa_flags = SA_SIGINFO | SA_RESTART };
    const struct itimerspec looks = { .it_interval.tv_sec = look_s, .it_value.tv_sec = look_s };
    struct sigevent to_me = { .sigev_notify = SIGEV_THREAD_ID,
                              .sigev_signo = SIGXCPU,
                              .sigev_notify_thread_id = gettid() };
    timer_t timer;
    if (sigaction(SIGXCPU, &by, NULL) != 0 || timer_create(CLOCK_THREAD_CPUTIME_ID, &to_me, &timer) != 0 ||
        timer_settime(timer, 0, &looks, NULL) != 0) {
        log_text(LOG_LEVEL_WARN, "unwatched",
                 "there is no timer for a thread: a call into LMDB that does not come back will not be noticed");
    }
}
