/* Frames on their way back to the sockets: see outbox.h. */
#include "broker/outbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct parcel_pool {
    pthread_mutex_t lock;
    pthread_cond_t back;
    struct parcel *free;
    uint32_t count, out;
    struct parcel v[];
};

struct parcel_pool *parcel_pool_new(uint32_t count)
{
    struct parcel_pool *p = calloc(1, sizeof *p + count * sizeof p->v[0]);
    if (!p || pthread_mutex_init(&p->lock, NULL) != 0 || pthread_cond_init(&p->back, NULL) != 0) {
        free(p);
        return NULL;
    }
    p->count = count;
    for (uint32_t i = 0; i < count; i++) {
        p->v[i].home = p;
        p->v[i].next = p->free;
        p->free = &p->v[i];
    }
    return p;
}

void parcel_pool_free(struct parcel_pool **pp)
{
    struct parcel_pool *p = *pp;
    if (!p) {
        return;
    }
    assert(p->out == 0);
    for (uint32_t i = 0; i < p->count; i++) {
        effects_free(&p->v[i].effects);
    }
    pthread_cond_destroy(&p->back);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}

struct parcel *parcel_get(struct parcel_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->free) {
        pthread_cond_wait(&p->back, &p->lock);
    }
    struct parcel *e = p->free;
    p->free = e->next;
    p->out++;
    pthread_mutex_unlock(&p->lock);
    e->next = NULL;
    e->kind = PARCEL_REPLIES;
    e->ticked = e->figures = false;
    e->items = (struct items){ 0 };
    effects_clear(&e->effects);
    return e;
}

void parcel_done(struct parcel *e)
{
    struct parcel_pool *p = e->home;
    assert(!e->items.first);
    pthread_mutex_lock(&p->lock);
    e->next = p->free;
    p->free = e;
    p->out--;
    pthread_cond_signal(&p->back);
    pthread_mutex_unlock(&p->lock);
}

int parcel_add(struct parcel *p, uint64_t peer, const void *bytes, size_t n)
{
    struct effects *e = &p->effects;
    if (e->n == e->cap) {
        size_t cap = e->cap ? 2 * e->cap : 16;
        struct effect *v = realloc(e->v, cap * sizeof *v);
        if (!v) {
            return -1;
        }
        e->v = v;
        e->cap = cap;
    }
    size_t off = e->bytes.n;
    slp_buf_add(&e->bytes, bytes, n);
    if (e->bytes.failed) {
        e->bytes.failed = false; /* nothing was added: what stood before still stands */
        e->bytes.n = off;
        return -1;
    }
    e->v[e->n++] = (struct effect){ peer, off, n, NULL };
    return 0;
}

struct outbox {
    pthread_mutex_t lock;
    struct parcel *first, *last;
    int fd;
};

struct outbox *outbox_new(void)
{
    struct outbox *o = calloc(1, sizeof *o);
    if (!o || (o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        free(o);
        return NULL;
    }
    if (pthread_mutex_init(&o->lock, NULL) != 0) {
        close(o->fd);
        free(o);
        return NULL;
    }
    return o;
}

void outbox_free(struct outbox **oo)
{
    struct outbox *o = *oo;
    if (o) {
        assert(!o->first);
        close(o->fd);
        pthread_mutex_destroy(&o->lock);
        free(o);
        *oo = NULL;
    }
}

int outbox_fd(const struct outbox *o)
{
    return o->fd;
}

void outbox_wake(struct outbox *o)
{
    uint64_t one = 1;
    ssize_t n;
    while ((n = write(o->fd, &one, sizeof one)) < 0 && errno == EINTR) {}
    assert(n == sizeof one || errno == EAGAIN); /* EAGAIN: it is as awake as can be */
}

/* True: it is the first. */
static bool append(struct outbox *o, struct parcel *p)
{
    p->next = NULL;
    pthread_mutex_lock(&o->lock);
    bool first = !o->first;
    *(o->last ? &o->last->next : &o->first) = p;
    o->last = p;
    pthread_mutex_unlock(&o->lock);
    return first;
}

void outbox_put(struct outbox *o, struct parcel *p)
{
    if (append(o, p)) {
        outbox_wake(o);
    }
}

void outbox_add(struct outbox *o, struct parcel *p)
{
    append(o, p);
}

bool outbox_empty(struct outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool empty = !o->first;
    pthread_mutex_unlock(&o->lock);
    return empty;
}

struct parcel *outbox_take(struct outbox *o)
{
    uint64_t count;
    /* Cleared first, then taken: whoever puts after the taking wakes again. */
    ssize_t n = read(o->fd, &count, sizeof count);
    (void)n;
    pthread_mutex_lock(&o->lock);
    struct parcel *p = o->first;
    o->first = o->last = NULL;
    pthread_mutex_unlock(&o->lock);
    return p;
}
