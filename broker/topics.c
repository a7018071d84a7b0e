/* The set of subscriptions: see topics.h. Entries are sorted by bytes, so that the prefixes of a topic are found by one
 * walk down: at most a lookup for each length that a prefix can have, and only as many lengths as are in use. */
#include "broker/topics.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint8_t n;
    char p[TOPIC_BYTES_MAX];
};

struct topics {
    pthread_mutex_t lock;
    uint32_t count;
    bool overflow;                         /* somebody asked for more than fits: everything is wanted */
    uint32_t lengths[TOPIC_BYTES_MAX + 1]; /* how many entries have this length */
    struct entry *v;                       /* TOPICS_MAX of them, touched as needed */
};

struct topics *topics_new(void)
{
    struct topics *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->v = calloc(TOPICS_MAX, sizeof *t->v);
    if (!t->v || pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t->v);
        free(t);
        return NULL;
    }
    return t;
}

void topics_free(struct topics **tt)
{
    struct topics *t = *tt;
    if (t) {
        pthread_mutex_destroy(&t->lock);
        free(t->v);
        free(t);
        *tt = NULL;
    }
}

static int compare(const struct entry *e, const char *p, size_t n)
{
    int c = memcmp(e->p, p, e->n < n ? e->n : n);
    return c ? c : (int)e->n - (int)n;
}

/* The first entry that is not below the prefix. */
static uint32_t place_of(const struct topics *t, const char *p, size_t n)
{
    uint32_t low = 0, high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&t->v[middle], p, n) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool holds(const struct topics *t, const char *p, size_t n)
{
    uint32_t i = place_of(t, p, n);
    return i < t->count && compare(&t->v[i], p, n) == 0;
}

static void insert(struct topics *t, const char *p, size_t n)
{
    if (n > TOPIC_BYTES_MAX || t->count == TOPICS_MAX) {
        t->overflow = true;
        return;
    }
    uint32_t i = place_of(t, p, n);
    memmove(&t->v[i + 1], &t->v[i], (t->count - i) * sizeof *t->v);
    t->v[i].n = (uint8_t)n;
    memcpy(t->v[i].p, p, n);
    t->count++;
    t->lengths[n]++;
}

static void erase(struct topics *t, const char *p, size_t n)
{
    uint32_t i = place_of(t, p, n);
    assert(i < t->count);
    memmove(&t->v[i], &t->v[i + 1], (t->count - i - 1) * sizeof *t->v);
    t->count--;
    t->lengths[n]--;
}

void topics_change(struct topics *t, const void *message, size_t n)
{
    const char *p = message;
    if (n < 1 || (p[0] != 0 && p[0] != 1)) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    bool there = n - 1 <= TOPIC_BYTES_MAX && holds(t, p + 1, n - 1);
    if (p[0] == 1 && !there) {
        insert(t, p + 1, n - 1);
    } else if (p[0] == 0 && there) {
        erase(t, p + 1, n - 1);
    }
    pthread_mutex_unlock(&t->lock);
}

bool topics_any(struct topics *t)
{
    pthread_mutex_lock(&t->lock);
    bool any = t->overflow || t->count > 0;
    pthread_mutex_unlock(&t->lock);
    return any;
}

bool topics_wanted(struct topics *t, const char *topic, size_t n)
{
    pthread_mutex_lock(&t->lock);
    bool wanted = t->overflow;
    for (size_t length = 0; !wanted && length <= n && length <= TOPIC_BYTES_MAX; length++) {
        wanted = t->lengths[length] > 0 && holds(t, topic, length);
    }
    pthread_mutex_unlock(&t->lock);
    return wanted;
}

uint32_t topics_count(struct topics *t)
{
    pthread_mutex_lock(&t->lock);
    uint32_t count = t->count;
    pthread_mutex_unlock(&t->lock);
    return count;
}
