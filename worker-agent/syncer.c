#include "worker-agent/syncer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct syncer {
    pthread_t thread;
    int event_fd;
    bool busy;            /* the loop's own view */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool wanted, stop, finished;
    int fds[2], rc;
};

static void *work(void *arg)
{
    struct syncer *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->wanted && !s->stop)
            pthread_cond_wait(&s->wake, &s->lock);
        if (!s->wanted)
            break;
        int fds[2] = { s->fds[0], s->fds[1] }, rc = 0;
        s->wanted = false;
        pthread_mutex_unlock(&s->lock);
        for (int i = 0; i < 2; i++) {
            if (fds[i] < 0)
                continue;
            if (rc == 0 && fdatasync(fds[i]) != 0)
                rc = errno;
            close(fds[i]);
        }
        pthread_mutex_lock(&s->lock);
        s->rc = rc;
        s->finished = true;
        eventfd_write(s->event_fd, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct syncer *syncer_new(int *rc)
{
    struct syncer *s = calloc(1, sizeof *s);
    if (!s) {
        *rc = ENOMEM;
        return NULL;
    }
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *rc = s->event_fd < 0 ? errno : 0;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    if (*rc == 0)
        *rc = pthread_create(&s->thread, NULL, work, s);
    if (*rc == 0)
        return s;
    if (s->event_fd >= 0)
        close(s->event_fd);
    free(s);
    return NULL;
}

void syncer_free(struct syncer **sp)
{
    struct syncer *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    close(s->event_fd);
    free(s);
}

int syncer_fd(const struct syncer *s)
{
    return s->event_fd;
}
bool syncer_busy(const struct syncer *s)
{
    return s->busy;
}

int syncer_begin(struct syncer *s, int fd1, int fd2)
{
    assert(!s->busy);
    int a = fd1 < 0 ? -1 : fcntl(fd1, F_DUPFD_CLOEXEC, 3);
    if (fd1 >= 0 && a < 0)
        return errno;
    int b = fd2 < 0 ? -1 : fcntl(fd2, F_DUPFD_CLOEXEC, 3);
    if (fd2 >= 0 && b < 0) {
        int rc = errno;
        if (a >= 0)
            close(a);
        return rc;
    }
    s->busy = true;
    pthread_mutex_lock(&s->lock);
    s->fds[0] = a;
    s->fds[1] = b;
    s->wanted = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

bool syncer_done(struct syncer *s, int *rc)
{
    eventfd_t ignored;
    eventfd_read(s->event_fd, &ignored);
    pthread_mutex_lock(&s->lock);
    bool finished = s->finished;
    *rc = s->rc;
    s->finished = false;
    pthread_mutex_unlock(&s->lock);
    if (finished)
        s->busy = false;
    return finished;
}
