/* The publisher's thread: see publish.h. */
#include "broker/publish.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "broker/endless.h"
#include "broker/log.h"

#define PARCELS 2

struct publisher {
    struct topics *topics;
    struct outbox *out;
    struct reader *reader;
    struct parcel_pool *parcels;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    /* under the lock */
    uint64_t on_disk, done, skipped;
    bool stop;
};

struct sink {
    struct publisher *publisher;
    struct parcel *parcel;
};

static bool wanted(void *arg, const char *topic)
{
    struct sink *s = arg;
    return topics_wanted(s->publisher->topics, topic, strlen(topic) + 1);
}

/* The topic on the wire ends with a byte 0, so that a subscription to "run/a" with it does not match "run/ab". */
static void emit(void *arg, const char *topic, const char *body, size_t n)
{
    struct sink *s = arg;
    struct effects *e = &s->parcel->effects;
    size_t frames = e->n, bytes = e->bytes.n;
    if (parcel_add(s->parcel, 0, topic, strlen(topic) + 1) < 0 || parcel_add(s->parcel, 0, body, n) < 0) {
        e->n = frames; /* out of memory: subscribers see a gap */
        e->bytes.n = bytes;
    }
}

static void publish(struct publisher *p, uint64_t first, uint64_t last)
{
    struct sink s = { p, parcel_get(p->parcels) };
    s.parcel->kind = PARCEL_EVENTS;
    if (reader_publish(p->reader, first, last, wanted, emit, &s) < 0) {
        log_text(LOG_LEVEL_ERROR, "publish_failed", "no memory, or the store cannot be read; subscribers see a gap");
    }
    outbox_put(p->out, s.parcel);
}

/* Wait for news. False: stop. */
static bool next_range(struct publisher *p, uint64_t *first, uint64_t *last)
{
    pthread_mutex_lock(&p->lock);
    while (p->on_disk == p->done && !p->stop) {
        pthread_cond_wait(&p->news, &p->lock);
    }
    bool go_on = p->on_disk > p->done; /* at a stop, what is on disk is still published */
    if (p->on_disk - p->done > PUBLISH_BEHIND_MAX) {
        p->skipped += p->on_disk - p->done - PUBLISH_STEP_EVENTS;
        p->done = p->on_disk - PUBLISH_STEP_EVENTS;
    }
    *first = p->done + 1;
    *last = p->on_disk - p->done > PUBLISH_STEP_EVENTS ? p->done + PUBLISH_STEP_EVENTS : p->on_disk;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct publisher *p = arg;
    uint64_t first, last;
    endless_watch(ENDLESS_LOOK_S);
    while (next_range(p, &first, &last)) {
        if (topics_any(p->topics)) {
            publish(p, first, last);
        }
        pthread_mutex_lock(&p->lock);
        p->done = last;
        pthread_mutex_unlock(&p->lock);
    }
    struct parcel *farewell = parcel_get(p->parcels);
    farewell->kind = PARCEL_FAREWELL;
    outbox_put(p->out, farewell);
    return NULL;
}

struct publisher *publisher_start(struct store *s, struct topics *topics, struct outbox *out, uint64_t from)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->topics = topics;
    p->out = out;
    p->on_disk = p->done = from;
    p->reader = reader_new(s);
    p->parcels = parcel_pool_new(PARCELS);
    int rc = p->reader && p->parcels ? pthread_mutex_init(&p->lock, NULL) : ENOMEM;
    if (rc == 0) {
        rc = pthread_cond_init(&p->news, NULL);
    }
    if (rc == 0) {
        rc = pthread_create(&p->thread, NULL, run, p);
        if (rc == 0) {
            pthread_setname_np(p->thread, "publisher");
        }
    }
    if (rc != 0) {
        publisher_free(&p);
        errno = rc;
    }
    return p;
}

void publisher_note(struct publisher *p, uint64_t last_event)
{
    pthread_mutex_lock(&p->lock);
    if (last_event > p->on_disk) {
        if (p->done == p->on_disk && !topics_any(p->topics)) {
            p->done = last_event; /* nobody reads: nothing to wake the thread for */
        } else {
            pthread_cond_signal(&p->news);
        }
        p->on_disk = last_event;
    }
    pthread_mutex_unlock(&p->lock);
}

void publisher_stop(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->news);
    pthread_mutex_unlock(&p->lock);
}

void publisher_join(struct publisher *p)
{
    pthread_join(p->thread, NULL);
}

void publisher_free(struct publisher **pp)
{
    struct publisher *p = *pp;
    if (p) {
        reader_free(&p->reader);
        parcel_pool_free(&p->parcels);
        free(p);
        *pp = NULL;
    }
}

uint64_t publisher_behind(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t behind = p->on_disk - p->done;
    pthread_mutex_unlock(&p->lock);
    return behind;
}

uint64_t publisher_skipped(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t skipped = p->skipped;
    pthread_mutex_unlock(&p->lock);
    return skipped;
}
