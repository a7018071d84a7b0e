/* A copy becomes a store of its own: a backup that a broker is started on, or a folder that was put back from a snapshot.
 *
 * The original went on after the copy was made, and gave assignment numbers that the copy knows nothing of; agents still hold them. Were they given
 * again, a result made for one unit would count for another. So the numbers go on where neither the original nor an earlier store made of the same copy
 * can have come: no store gives one each RESTORED_US_EACH for long, so what lies further ahead than the time since the copy's last commit allows is
 * free; RESTORED_SPARE is added for wall clocks that do not agree. A number in the hole is NOT_FOUND, like any that was never given.
 *
 * The numbers have 48 bits: one each 8 us, given or skipped, they last 71 years, and each step takes a 4096th of them as the spare, or at most two.
 *
 * Runs go on RESTORED_RUNS further, as if so many had been begun and deleted: a producer that lives on must not put its units into another run; and by one more for
 * each RESTORED_RUN_EACH_US since the copy's last commit, so that one copy that is put back again begins others than the first time. They are
 * places in an array, so the hole is small: after RESTORED_RUNS_ROUND that count begins anew. Nothing else gets one: agents ask for the numbers of workers in each session, and for stations anew
 * when the store has another id; and nobody holds the sequence of an event, or the number of a result, as a right to change something. */
#include "broker/engine/internal.h"

#define RESTORED_US_EACH 8          /* 125,000 a second; the broker is made for 50,000 */
#define RESTORED_SPARE (1ull << 36) /* what is given in 15 days at 50,000 a second */
#define RESTORED_RUNS 4096          /* 32 KiB; what is begun in 2 days, two a minute */
#define RESTORED_RUN_EACH_US (30ll * 1000000)
#define RESTORED_RUNS_ROUND (1u << 17)    /* 1 MiB; 45 days */
#define ASSIGNMENT_MAX ((1ull << 48) - 1) /* records.h */
_Static_assert(RESTORED_SPARE / (50000ull * 86400) >= 15, "what the manual says");

enum store_rc engine_restore(struct store *s, const uint8_t id[16], int64_t wall_us, uint64_t *first)
{
    struct store_txn *t;
    struct store_val v;
    uint8_t counters[META_BYTES_MAX];
    uint64_t last = 0, ahead = RESTORED_SPARE;
    uint32_t run = 0, runs = RESTORED_RUNS;
    enum store_rc rc = engine_upgrade(s);
    if (rc == STORE_OK)
        rc = store_begin(s, &t);
    if (rc != STORE_OK)
        return rc;
    rc = store_get(t, TABLE_META, META_KEY, sizeof META_KEY - 1, &v);
    if (rc == STORE_OK && (v.n < META_WALL_AT + 8 || v.n > sizeof counters))
        rc = STORE_CORRUPT;
    if (rc == STORE_OK) {
        memcpy(counters, v.p, v.n);
        last = get_u64(counters + META_ASSIGNMENT_AT);
        run = get_u32(counters + META_RUN_AT);
        int64_t since_us = wall_us - (int64_t)get_u64(counters + META_WALL_AT);
        if (since_us > 0) {
            runs += (uint32_t)(since_us / RESTORED_RUN_EACH_US % RESTORED_RUNS_ROUND);
            ahead += (uint64_t)since_us / RESTORED_US_EACH;
        } else {
            ahead += get_u64(id) % RESTORED_SPARE;
        }
        if (run > UINT32_MAX - runs || last > ASSIGNMENT_MAX - RESTORED_SPARE ||
            ahead > ASSIGNMENT_MAX - RESTORED_SPARE - last)
            rc = STORE_FULL;
    }
    if (rc == STORE_OK) {
        *first = last + ahead + 1;
        put_u64(counters + META_ASSIGNMENT_AT, last + ahead);
        put_u32(counters + META_RUN_AT, run + runs);
        rc = store_put(t, TABLE_META, META_KEY, sizeof META_KEY - 1, counters, v.n);
    }
    if (rc == STORE_OK)
        rc = store_set_own(t, id);
    if (rc == STORE_OK)
        return store_commit(&t);
    store_abort(&t);
    return rc;
}
