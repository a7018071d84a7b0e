/* Peers: see peers.h. Slots in one array; two open hash tables would be two more sizes to tune, so: chains through slot
 * numbers. */
#include "broker/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NONE UINT32_MAX

struct peers {
    uint32_t slots_max, count, used_slots;
    unsigned endpoint;
    int64_t idle_us;
    uint64_t next_number, seed;
    uint32_t mask;
    uint32_t *by_id;    /* bucket -> first slot */
    uint32_t free_slot; /* chain of free slots */
    uint32_t newest, oldest;
    struct handle_slot {
        uint64_t handle;
        uint32_t slot;
    } * by_handle; /* linear probing, at most half full */
    uint32_t handle_mask;
    struct peer slot[];
};

/* FNV-1a over a seed of our own: peers choose their ids, and must not be able to choose one bucket for all. The seed
 * decides nothing that is stored or that anyone sees. */
static uint64_t hash_id(const struct peers *p, const uint8_t *id, size_t n)
{
    uint64_t h = p->seed;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ id[i]) * 0x100000001b3ull;
        h ^= h >> 29;
    }
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15ull >> 20;
}

static uint32_t hash_handle(const struct peers *p, uint64_t handle)
{
    return (uint32_t)(handle * 0x9e3779b97f4a7c15ull >> 32) & p->handle_mask;
}

static uint32_t power_above(uint32_t n)
{
    uint32_t size = 16;
    while (size < n) {
        size *= 2;
    }
    return size;
}

struct peers *peers_new(uint32_t peers_max, unsigned endpoint, int64_t idle_us)
{
    assert(peers_max > 0 && peers_max < NONE / 4 && endpoint < PEERS_ENDPOINTS);
    struct peers *p =
        calloc(1, sizeof *p + (size_t)peers_max * sizeof p->slot[0]); /* touched only as slots come into use */
    if (!p) {
        return NULL;
    }
    uint32_t buckets = power_above(peers_max), places = power_above(2 * peers_max);
    p->by_id = malloc(buckets * sizeof *p->by_id);
    p->by_handle = calloc(places, sizeof *p->by_handle);
    if (!p->by_id || !p->by_handle) {
        peers_free(&p);
        return NULL;
    }
    memset(p->by_id, 0xff, buckets * sizeof *p->by_id);
    p->mask = buckets - 1;
    p->handle_mask = places - 1;
    p->slots_max = peers_max;
    p->endpoint = endpoint;
    p->idle_us = idle_us;
    p->next_number = 1;
    p->newest = p->oldest = p->free_slot = NONE;
    if (getrandom(&p->seed, sizeof p->seed, 0) != sizeof p->seed) {
        p->seed = 0xcbf29ce484222325ull; /* FNV's own */
    }
    return p;
}

void peers_free(struct peers **pp)
{
    struct peers *p = *pp;
    if (!p) {
        return;
    }
    for (uint32_t i = 0; i < p->used_slots; i++) {
        assert(atomic_load(&p->slot[i].account.waiting_bytes) == 0);
    }
    free(p->by_id);
    free(p->by_handle);
    free(p);
    *pp = NULL;
}

/* ---- the list by age ---- */

static void age_unlink(struct peers *p, struct peer *e)
{
    *(e->newer == NONE ? &p->newest : &p->slot[e->newer].older) = e->older;
    *(e->older == NONE ? &p->oldest : &p->slot[e->older].newer) = e->newer;
}

static void age_push(struct peers *p, struct peer *e)
{
    uint32_t self = (uint32_t)(e - p->slot);
    e->newer = NONE;
    e->older = p->newest;
    *(p->newest == NONE ? &p->oldest : &p->slot[p->newest].newer) = self;
    p->newest = self;
}

/* ---- handles ---- */

static void handle_insert(struct peers *p, uint64_t handle, uint32_t slot)
{
    uint32_t i = hash_handle(p, handle);
    while (p->by_handle[i].handle) {
        i = (i + 1) & p->handle_mask;
    }
    p->by_handle[i] = (struct handle_slot){ handle, slot };
}

static void handle_remove(struct peers *p, uint64_t handle)
{
    uint32_t i = hash_handle(p, handle);
    while (p->by_handle[i].handle != handle) {
        assert(p->by_handle[i].handle);
        i = (i + 1) & p->handle_mask;
    }
    /* Close the hole: move back whatever was pushed past it. */
    for (uint32_t j = (i + 1) & p->handle_mask; p->by_handle[j].handle; j = (j + 1) & p->handle_mask) {
        uint32_t home = hash_handle(p, p->by_handle[j].handle);
        if (((j - home) & p->handle_mask) >= ((j - i) & p->handle_mask)) {
            p->by_handle[i] = p->by_handle[j];
            i = j;
        }
    }
    p->by_handle[i].handle = 0;
}

struct peer *peers_find(struct peers *p, uint64_t handle)
{
    if (handle == 0) {
        return NULL;
    }
    for (uint32_t i = hash_handle(p, handle); p->by_handle[i].handle; i = (i + 1) & p->handle_mask) {
        if (p->by_handle[i].handle == handle) {
            return &p->slot[p->by_handle[i].slot];
        }
    }
    return NULL;
}

/* ---- slots ---- */

/* A free slot for whom nothing waits, NULL if there is none now. */
static struct peer *take_slot(struct peers *p)
{
    for (uint32_t *link = &p->free_slot; *link != NONE; link = &p->slot[*link].next) {
        struct peer *e = &p->slot[*link];
        if (atomic_load(&e->account.waiting_bytes) == 0) {
            *link = e->next;
            return e;
        }
    }
    return p->used_slots < p->slots_max ? &p->slot[p->used_slots++] : NULL;
}

void peers_forget(struct peers *p, struct peer *e)
{
    assert(e->handle);
    uint32_t self = (uint32_t)(e - p->slot);
    uint32_t *link = &p->by_id[hash_id(p, e->id, e->id_n) & p->mask];
    while (*link != self) {
        assert(*link != NONE);
        link = &p->slot[*link].next;
    }
    *link = e->next;
    handle_remove(p, e->handle);
    age_unlink(p, e);
    e->handle = 0;
    e->next = p->free_slot;
    p->free_slot = self;
    p->count--;
}

static struct peer *add(struct peers *p, uint32_t *bucket, const void *id, size_t n)
{
    struct peer *e = take_slot(p);
    if (!e) {
        return NULL;
    }
    e->handle = p->next_number++ * PEERS_ENDPOINTS + p->endpoint;
    e->dropped = 0;
    e->id_n = (uint8_t)n;
    memcpy(e->id, id, n);
    e->next = *bucket;
    *bucket = (uint32_t)(e - p->slot);
    handle_insert(p, e->handle, *bucket);
    age_push(p, e);
    p->count++;
    return e;
}

struct peer *peers_seen(struct peers *p, const void *id, size_t n, int64_t now_us)
{
    assert(n <= PEER_ID_BYTES_MAX);
    uint32_t *bucket = &p->by_id[hash_id(p, id, n) & p->mask];
    struct peer *e = NULL;
    for (uint32_t i = *bucket; i != NONE && !e; i = p->slot[i].next) {
        if (p->slot[i].id_n == n && memcmp(p->slot[i].id, id, n) == 0) {
            e = &p->slot[i];
        }
    }
    if (!e) {
        if (p->count == p->slots_max && now_us - p->slot[p->oldest].seen_us >= p->idle_us) {
            peers_forget(p, &p->slot[p->oldest]);
        }
        e = p->count < p->slots_max ? add(p, bucket, id, n) : NULL;
    } else if ((uint32_t)(e - p->slot) != p->newest) {
        age_unlink(p, e);
        age_push(p, e);
    }
    if (e) {
        e->seen_us = now_us;
    }
    return e;
}

uint32_t peers_count(const struct peers *p)
{
    return p->count;
}

struct peer *peers_next(struct peers *p, const struct peer *after)
{
    uint32_t i = after ? after->older : p->newest;
    return i == NONE ? NULL : &p->slot[i];
}
