/* From one disk format to the next. Each step turns a store of one format into one of the following, in a transaction of its own that also writes
 * the new number: a process that dies in between finds either, and goes on from there. A step that must touch more than one transaction
 * should (a few hundred thousand records) has to find its way by what it finds, and to leave the number alone until it is through.
 *
 * To change the format: raise STORE_FORMAT_VERSION (store.h), add the step here, tell in records.h what became different, keep a
 * store made by the last release in tests/fixtures. A store of a newer format than this program knows is refused by store_open. */
#include "broker/engine/internal.h"

/* 1 (0.1.0) -> 3: what was committed last may lie in the file `wal`. No record looks different; the number keeps older programs away, which would
 * not look there. */
static enum store_rc to_3(struct store_txn *t)
{
    (void)t;
    return STORE_OK;
}

static const struct step {
    uint32_t from, to;
    enum store_rc (*take)(struct store_txn *);
} steps[] = { { 1, 3, to_3 } }; /* 2 was never released, and store_open refuses it */

static const struct step *step_from(uint32_t format)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].from == format)
            return &steps[i];
    return NULL;
}

enum store_rc engine_upgrade(struct store *s)
{
    enum store_rc rc = STORE_OK;
    while (rc == STORE_OK && store_format(s) < STORE_FORMAT_VERSION) {
        struct store_txn *t;
        const struct step *step = step_from(store_format(s));
        assert(step); /* store_open lets no other format in */
        rc = store_begin(s, &t);
        if (rc != STORE_OK)
            return rc;
        rc = step->take(t);
        if (rc == STORE_OK)
            rc = store_set_format(t, step->to);
        if (rc == STORE_OK)
            rc = store_commit(&t);
        else
            store_abort(&t);
    }
    return rc;
}
