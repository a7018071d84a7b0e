/* SHA-256 by libgcrypt, on a thread of its own: an import that parses its file and one that reads its digest then take as long as the slower of the two.
 * Bytes go over in two buffers, one being filled, one being read. Where no thread can be had, the digest is made on the way. */
#include "client/cli/digest.h"

#include <gcrypt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (256u << 10)

struct digest {
    gcry_md_hd_t h;
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    bool full; /* the buffer that is not being filled is to be read */
    bool end;  /* ... and then no more comes */
    /* whose turn it is */
    unsigned filling;
    size_t n[2];
    char buffer[2][BUFFER_BYTES];
};

static void *run(void *arg)
{
    struct digest *d = arg;
    bool end = false;
    for (unsigned at = 0; !end; at ^= 1) {
        pthread_mutex_lock(&d->lock);
        while (!d->full) {
            pthread_cond_wait(&d->changed, &d->lock);
        }
        end = d->end;
        pthread_mutex_unlock(&d->lock);
        gcry_md_write(d->h, d->buffer[at], d->n[at]);
        pthread_mutex_lock(&d->lock);
        d->full = false;
        pthread_cond_signal(&d->changed);
        pthread_mutex_unlock(&d->lock);
    }
    return NULL;
}

/* Hand the buffer over, once the other one has been read. */
static void hand_over(struct digest *d, bool end)
{
    pthread_mutex_lock(&d->lock);
    while (d->full) {
        pthread_cond_wait(&d->changed, &d->lock);
    }
    d->full = true;
    d->end = end;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    d->filling ^= 1;
    d->n[d->filling] = 0;
}

static void end_thread(struct digest *d)
{
    if (d->threaded) {
        hand_over(d, true);
        pthread_join(d->thread, NULL);
        d->threaded = false;
    }
}

struct digest *digest_new(void)
{
    if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
        gcry_check_version(NULL);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* nothing here is a secret */
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    struct digest *d = calloc(1, sizeof *d);
    if (!d || gcry_md_open(&d->h, GCRY_MD_SHA256, 0)) {
        free(d);
        return NULL;
    }
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    sigset_t all, was; /* signals are the main thread's: they must end its read */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    d->threaded = pthread_create(&d->thread, NULL, run, d) == 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return d;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    const char *at = p;
    if (!d->threaded) {
        gcry_md_write(d->h, p, n);
        return;
    }
    while (n > 0) {
        size_t *filled = &d->n[d->filling], more = n < BUFFER_BYTES - *filled ? n : BUFFER_BYTES - *filled;
        memcpy(d->buffer[d->filling] + *filled, at, more);
        *filled += more;
        at += more;
        n -= more;
        if (*filled == BUFFER_BYTES) {
            hand_over(d, false);
        }
    }
}

void digest_get(struct digest *d, uint8_t out[DIGEST_BYTES])
{
    end_thread(d);
    memcpy(out, gcry_md_read(d->h, GCRY_MD_SHA256), DIGEST_BYTES);
}

void digest_free(struct digest **pd)
{
    struct digest *d = *pd;
    if (!d) {
        return;
    }
    end_thread(d);
    gcry_md_close(d->h);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *pd = NULL;
}
