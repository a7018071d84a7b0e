/* What is young: changes in order of table and key, the newest of each key, as the journal (journal.c) holds them. A change is a row of bytes:
 *
 *   table u8, how u8 (put, append, delete), key bytes u16, value bytes u16 (little-endian), key, value
 *
 * In the writer's memory one may stand for another that lies apart, in a value of the journal of its own (CHANGE_APART in `how`): a payload, which is copied
 * once only, from where it came to that value. Its value is that value's number there. */
#include "broker/store/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- one change ---- */

size_t change_write(uint8_t *c, enum store_table tb, unsigned how, const void *key, size_t key_n,
                    const struct store_val *part, size_t parts, size_t n)
{
    c[0] = (uint8_t)tb;
    c[1] = (uint8_t)how;
    c[2] = (uint8_t)key_n;
    c[3] = (uint8_t)(key_n >> 8);
    c[4] = (uint8_t)n;
    c[5] = (uint8_t)(n >> 8);
    memcpy(c + CHANGE_HEAD_BYTES, key, key_n);
    parts_copy(c + CHANGE_HEAD_BYTES + key_n, part, parts);
    return CHANGE_HEAD_BYTES + key_n + n;
}

/* Is what stands at p a whole change, and one that a batch may have made? */
bool change_is_whole(const uint8_t *p, size_t n)
{
    return n >= CHANGE_HEAD_BYTES && change_bytes(p) <= n && p[0] < STORE_TABLE_COUNT && p[0] != TABLE_JOURNAL &&
           p[1] <= CHANGE_DELETE && change_key(p).n >= 1 && change_key(p).n <= STORE_KEY_BYTES_MAX;
}

/* Tables by number, then keys as LMDB orders them. */
static int compare(const uint8_t *c, enum store_table tb, const void *key, size_t key_n)
{
    if (c[0] != tb)
        return c[0] < tb ? -1 : 1;
    struct store_val k = change_key(c);
    return keys_compare(k.p, k.n, key, key_n);
}

/* ---- the changes in order ---- */

/* The place of the first change that is not before this key. */
static uint32_t lower_bound(const struct young *y, enum store_table tb, const void *key, size_t key_n)
{
    uint32_t lo = 0, hi = y->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (compare(y->change[mid], tb, key, key_n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const uint8_t *young_find(const struct young *y, enum store_table tb, const void *key, size_t key_n)
{
    if (y->in[tb] == 0)
        return NULL;
    uint32_t i = lower_bound(y, tb, key, key_n);
    return i < y->n && compare(y->change[i], tb, key, key_n) == 0 ? y->change[i] : NULL;
}

const uint8_t *young_near(const struct young *y, enum store_table tb, const void *key, size_t key_n, enum near near)
{
    uint32_t i = lower_bound(y, tb, key, key_n);
    bool exact = i < y->n && key_n > 0 && compare(y->change[i], tb, key, key_n) == 0;
    if (near == NEAR_GT && exact)
        i++;
    if (near == NEAR_LT || (near == NEAR_LE && !exact))
        i = i > 0 ? i - 1 : y->n;
    return i < y->n && y->change[i][0] == tb ? y->change[i] : NULL;
}

bool young_add(struct young *y, const uint8_t *c)
{
    struct store_val k = change_key(c);
    uint32_t i = lower_bound(y, c[0], k.p, k.n);
    if (i < y->n && compare(y->change[i], c[0], k.p, k.n) == 0) {
        y->change[i] = c;
        return true;
    }
    if (y->n == CHANGES_MAX)
        return false;
    memmove(y->change + i + 1, y->change + i, (y->n - i) * sizeof *y->change);
    y->change[i] = c;
    y->n++;
    y->in[c[0]]++;
    return true;
}

bool young_make_room(struct young *y)
{
    if (y->change == NULL)
        y->change = malloc(CHANGES_MAX * sizeof *y->change);
    return y->change != NULL;
}
