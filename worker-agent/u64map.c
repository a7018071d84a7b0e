#include "worker-agent/u64map.h"

#include <assert.h>
#include <stdlib.h>

static size_t slot_of(uint64_t key, size_t cap)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ull; /* numbers come in sequence: spread them */
    return (size_t)(key >> 20) & (cap - 1);
}

void *u64map_get(const struct u64map *m, uint64_t key)
{
    assert(key != 0);
    if (m->cap == 0)
        return NULL;
    for (size_t i = slot_of(key, m->cap);; i = (i + 1) & (m->cap - 1)) {
        if (m->keys[i] == key)
            return m->values[i];
        if (m->keys[i] == 0)
            return NULL;
    }
}

static void insert(struct u64map *m, uint64_t key, void *value)
{
    size_t i = slot_of(key, m->cap);
    while (m->keys[i] != 0 && m->keys[i] != key)
        i = (i + 1) & (m->cap - 1);
    if (m->keys[i] == 0)
        m->count++;
    m->keys[i] = key;
    m->values[i] = value;
}

static bool grow(struct u64map *m)
{
    struct u64map big = { .cap = m->cap ? m->cap * 2 : 64 };
    big.keys = calloc(big.cap, sizeof *big.keys);
    big.values = calloc(big.cap, sizeof *big.values);
    if (!big.keys || !big.values) {
        free(big.keys);
        free(big.values);
        return false;
    }
    for (size_t i = 0; i < m->cap; i++)
        if (m->keys[i] != 0)
            insert(&big, m->keys[i], m->values[i]);
    u64map_free(m);
    *m = big;
    return true;
}

bool u64map_put(struct u64map *m, uint64_t key, void *value)
{
    assert(key != 0 && value != NULL);
    if ((m->count + 1) * 4 > m->cap * 3 && !grow(m))
        return false;
    insert(m, key, value);
    return true;
}

void *u64map_del(struct u64map *m, uint64_t key)
{
    if (m->cap == 0)
        return NULL;
    size_t mask = m->cap - 1, i = slot_of(key, m->cap);
    while (m->keys[i] != key) {
        if (m->keys[i] == 0)
            return NULL;
        i = (i + 1) & mask;
    }
    void *was = m->values[i];
    /* Close the hole: pull back every follower that may stand in it. */
    for (size_t j = (i + 1) & mask; m->keys[j] != 0; j = (j + 1) & mask) {
        size_t home = slot_of(m->keys[j], m->cap);
        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->keys[i] = m->keys[j];
            m->values[i] = m->values[j];
            i = j;
        }
    }
    m->keys[i] = 0;
    m->values[i] = NULL;
    m->count--;
    return was;
}

void u64map_free(struct u64map *m)
{
    free(m->keys);
    free(m->values);
    *m = (struct u64map){ 0 };
}
