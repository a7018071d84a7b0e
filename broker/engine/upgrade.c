/* From one disk format to the next. Each step turns a store of one format into one of the following, in a transaction of its own that also writes
 * the new number: a process that dies in between finds either, and goes on from there. A step that must touch more than one transaction
 * should (a few hundred thousand records) has to find its way by what it finds, and to leave the number alone until it is through.
 *
 * To change the format: raise STORE_FORMAT_VERSION (store.h), add the step here, tell in records.h what became different, keep a
 * store made by the last release in tests/fixtures. A store of a newer format than this program knows is refused by store_open. */
#include "broker/engine/internal.h"

/* 1 (0.1.0) -> 2: small batches may lie in the table JOURNAL. No record looks different; the number keeps older programs away, which would
 * not look there. */
static enum store_rc to_2(struct store_txn *t)
{
    (void)t;
    return STORE_OK;
}

static enum store_rc (*const steps[])(struct store_txn *) = { to_2 }; /* [format - 1] */
_Static_assert(sizeof steps / sizeof *steps == STORE_FORMAT_VERSION - 1, "a step from each format to the next");

enum store_rc engine_upgrade(struct store *s)
{
    enum store_rc rc = STORE_OK;
    while (rc == STORE_OK && store_format(s) < STORE_FORMAT_VERSION) {
        struct store_txn *t;
        uint32_t from = store_format(s);
        rc = store_begin(s, &t);
        if (rc != STORE_OK)
            return rc;
        rc = steps[from - 1](t);
        if (rc == STORE_OK)
            rc = store_set_format(t, from + 1);
        if (rc == STORE_OK)
            rc = store_commit(&t);
        else
            store_abort(&t);
    }
    return rc;
}
