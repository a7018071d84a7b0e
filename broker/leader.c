/* Which thread serves the sockets: see leader.h. */
#include "broker/leader.h"
#include "broker/waiting.h"

#include <assert.h>
#include <stdlib.h>

/* Where it has been at the sockets for so long, nobody looks after it: an idle broker sleeps. */
#define WATCH_US (2 * LEADER_AWAY_US)

struct leader {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool passed;     /* the committer leads */
    bool away;       /* ... and is not at the sockets */
    bool watched;    /* the sockets' thread looks now and then where it is */
    int64_t left_us; /* it last went then */
};

struct leader *leader_new(void)
{
    struct leader *l = calloc(1, sizeof *l);
    if (!l || !waiting_init(&l->lock, &l->changed)) {
        free(l);
        return NULL;
    }
    return l;
}

void leader_free(struct leader **ll)
{
    struct leader *l = *ll;
    if (l) {
        pthread_cond_destroy(&l->changed);
        pthread_mutex_destroy(&l->lock);
        free(l);
        *ll = NULL;
    }
}

/* ---- the sockets' thread ---- */

void leader_pass(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    assert(!l->passed);
    l->passed = l->away = l->watched = true;
    l->left_us = waiting_now_us();
    pthread_mutex_unlock(&l->lock);
}

void leader_wait(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->passed) {
        int64_t since_us = waiting_now_us() - l->left_us;
        if (l->away && since_us >= LEADER_AWAY_US) {
            l->passed = false;
        } else if (!l->away && since_us >= WATCH_US) {
            l->watched = false;
            pthread_cond_wait(&l->changed, &l->lock);
        } else {
            struct timespec until = waiting_after(l->away ? LEADER_AWAY_US - since_us : LEADER_AWAY_US);
            pthread_cond_timedwait(&l->changed, &l->lock, &until);
        }
    }
    pthread_mutex_unlock(&l->lock);
}

bool leader_passed(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    bool passed = l->passed;
    pthread_mutex_unlock(&l->lock);
    return passed;
}

/* ---- the committer ---- */

bool leader_enter(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    bool leads = l->passed;
    l->away = false;
    pthread_mutex_unlock(&l->lock);
    return leads;
}

void leader_leave(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    assert(l->passed && !l->away);
    l->away = true;
    l->left_us = waiting_now_us();
    bool wake = !l->watched;
    l->watched = true;
    pthread_mutex_unlock(&l->lock);
    if (wake) {
        pthread_cond_signal(&l->changed);
    }
}

void leader_return(struct leader *l)
{
    pthread_mutex_lock(&l->lock);
    bool led = l->passed;
    l->passed = l->away = false;
    pthread_mutex_unlock(&l->lock);
    if (led) {
        pthread_cond_signal(&l->changed);
    }
}
