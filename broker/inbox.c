/* Messages on their way to a thread: see inbox.h. */
#include "broker/inbox.h"
#include "broker/waiting.h"

#include <assert.h>
#include <stdlib.h>

void items_add(struct items *l, struct item *i)
{
    i->next = NULL;
    *(l->last ? &l->last->next : &l->first) = i;
    l->last = i;
    l->count++;
    l->bytes += zmq_msg_size(&i->frame);
}

void items_append(struct items *l, struct items *tail)
{
    if (!tail->first) {
        return;
    }
    *(l->last ? &l->last->next : &l->first) = tail->first;
    l->last = tail->last;
    l->count += tail->count;
    l->bytes += tail->bytes;
    *tail = (struct items){ 0 };
}

struct item *items_take(struct items *l)
{
    struct item *i = l->first;
    if (i) {
        l->first = i->next;
        if (!l->first) {
            l->last = NULL;
        }
        l->count--;
        l->bytes -= zmq_msg_size(&i->frame);
        i->next = NULL;
    }
    return i;
}

struct item *item_new(struct item_pool *p)
{
    struct item *i = p->free;
    if (i) {
        p->free = i->next;
    } else if (!(i = malloc(sizeof *i))) {
        return NULL;
    }
    i->next = NULL;
    i->peer = 0;
    zmq_msg_init(&i->frame);
    return i;
}

void item_done(struct item_pool *p, struct item *i)
{
    zmq_msg_close(&i->frame);
    i->next = p->free;
    p->free = i;
}

void items_done(struct item_pool *p, struct items *l)
{
    struct item *i;
    while ((i = l->first)) {
        l->first = i->next;
        item_done(p, i);
    }
    *l = (struct items){ 0 };
}

void item_pool_free(struct item_pool *p)
{
    struct item *i;
    while ((i = p->free)) {
        p->free = i->next;
        free(i);
    }
}

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct gathered now;
    uint32_t enough; /* messages at which whoever waits is to be woken */
};

struct inbox *inbox_new(void)
{
    struct inbox *b = calloc(1, sizeof *b);
    if (!b || !waiting_init(&b->lock, &b->came)) {
        free(b);
        return NULL;
    }
    return b;
}

void inbox_free(struct inbox **bb)
{
    struct inbox *b = *bb;
    if (b) {
        assert(!b->now.items.first);
        pthread_cond_destroy(&b->came);
        pthread_mutex_destroy(&b->lock);
        free(b);
        *bb = NULL;
    }
}

void inbox_used(struct inbox *b, uint32_t *items, uint64_t *bytes)
{
    pthread_mutex_lock(&b->lock);
    *items = b->now.items.count;
    *bytes = b->now.items.bytes;
    pthread_mutex_unlock(&b->lock);
}

void inbox_put(struct inbox *b, struct items *l)
{
    pthread_mutex_lock(&b->lock);
    assert(!b->now.stop);
    items_append(&b->now.items, l);
    bool wake = b->now.items.count >= b->enough;
    pthread_mutex_unlock(&b->lock);
    if (wake) { /* not under the lock, which is the first thing that whoever wakes wants */
        pthread_cond_signal(&b->came);
    }
}

bool inbox_crowded(struct inbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool full = b->now.items.first != NULL;
    b->now.crowded = full;
    pthread_mutex_unlock(&b->lock);
    pthread_cond_signal(&b->came);
    return full;
}

static void raise_flag(struct inbox *b, bool *flag)
{
    pthread_mutex_lock(&b->lock);
    *flag = true;
    pthread_mutex_unlock(&b->lock);
    pthread_cond_signal(&b->came);
}

void inbox_tick(struct inbox *b)
{
    raise_flag(b, &b->now.tick);
}

bool inbox_untick(struct inbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool was = b->now.tick;
    b->now.tick = false;
    pthread_mutex_unlock(&b->lock);
    return was;
}

void inbox_settle(struct inbox *b)
{
    raise_flag(b, &b->now.settle);
}

void inbox_lead(struct inbox *b)
{
    raise_flag(b, &b->now.lead);
}

void inbox_written(struct inbox *b)
{
    raise_flag(b, &b->now.written);
}

void inbox_stop(struct inbox *b)
{
    raise_flag(b, &b->now.stop);
}

static bool anything(const struct gathered *g)
{
    return g->items.first || g->tick || g->stop || g->settle || g->lead || g->written;
}

bool inbox_take(struct inbox *b, struct gathered *g, int64_t wait_us)
{
    struct timespec until = waiting_after(wait_us > 0 ? wait_us : 0);
    pthread_mutex_lock(&b->lock);
    int rc = 0;
    b->enough = 1;
    while (!anything(&b->now) && rc == 0 && wait_us != 0) {
        rc = wait_us < 0 ? pthread_cond_wait(&b->came, &b->lock) : pthread_cond_timedwait(&b->came, &b->lock, &until);
    }
    bool any = anything(&b->now);
    *g = b->now;
    b->now = (struct gathered){ .stop = g->stop }; /* stop stays: it is a state */
    pthread_mutex_unlock(&b->lock);
    return any;
}

bool inbox_holds(struct inbox *b, uint32_t messages)
{
    pthread_mutex_lock(&b->lock);
    const struct gathered *g = &b->now;
    bool holds =
        g->items.count >= messages || g->tick || g->stop || g->settle || g->lead || (messages > 1 && g->crowded);
    pthread_mutex_unlock(&b->lock);
    return holds;
}

bool inbox_gather(struct inbox *b, uint32_t more, int64_t wait_us)
{
    struct timespec until = waiting_after(wait_us);
    pthread_mutex_lock(&b->lock);
    int rc = 0;
    b->enough = b->now.items.count + more;
    while (b->now.items.count < b->enough && !b->now.tick && !b->now.stop && !b->now.crowded && !b->now.settle &&
           !b->now.lead && rc == 0) {
        rc = pthread_cond_timedwait(&b->came, &b->lock, &until);
    }
    bool enough = b->now.items.count >= b->enough;
    pthread_mutex_unlock(&b->lock);
    return enough;
}
