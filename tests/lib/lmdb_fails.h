/* LMDB that fails when it is told to. A program that includes this is linked with --wrap for the functions below (LMDB_CALLS in the Makefile names
 * them, too), so that each call of our own code to LMDB passes here: no memory for its pages, a disk that does not answer, a page that is not what
 * its parent says. What LMDB does inside a call is not touched: the call fails as a whole, with nothing done.
 *
 *   lmdb_arm(n, ENOMEM); ... lmdb_disarm();      the n-th call from here on fails; lmdb_rearm() goes on counting */
#ifndef TESTS_LIB_LMDB_FAILS_H
#define TESTS_LIB_LMDB_FAILS_H
#include <lmdb.h>
#include <stdlib.h>

#include "tests/lib/countdown.h"

static struct countdown lmdb_state;

static inline void lmdb_arm(uint64_t nth, int code)
{
    countdown_arm(&lmdb_state, nth, code);
}
static inline void lmdb_disarm(void)
{
    lmdb_state.armed = false;
}
static inline void lmdb_rearm(void)
{
    lmdb_state.armed = true;
}

static inline bool lmdb_refuse(const char *name)
{
    return countdown_refuses(&lmdb_state, name);
}

// clang-format off
#define LMDB_CALL(name, params, args)                                            \
    int __real_##name params;                                                    \
    int __wrap_##name params;                                                    \
    int __wrap_##name params { return lmdb_refuse(#name) ? lmdb_state.code : __real_##name args; }
LMDB_CALL(mdb_env_create, (MDB_env **e), (e))
LMDB_CALL(mdb_env_open, (MDB_env *e, const char *path, unsigned flags, mdb_mode_t mode), (e, path, flags, mode))
LMDB_CALL(mdb_env_copy2, (MDB_env *e, const char *path, unsigned flags), (e, path, flags))
LMDB_CALL(mdb_txn_begin, (MDB_env *e, MDB_txn *up, unsigned flags, MDB_txn **t), (e, up, flags, t))
LMDB_CALL(mdb_txn_renew, (MDB_txn *t), (t))
LMDB_CALL(mdb_dbi_open, (MDB_txn *t, const char *name, unsigned flags, MDB_dbi *d), (t, name, flags, d))
LMDB_CALL(mdb_stat, (MDB_txn *t, MDB_dbi d, MDB_stat *s), (t, d, s))
LMDB_CALL(mdb_get, (MDB_txn *t, MDB_dbi d, MDB_val *k, MDB_val *v), (t, d, k, v))
LMDB_CALL(mdb_put, (MDB_txn *t, MDB_dbi d, MDB_val *k, MDB_val *v, unsigned flags), (t, d, k, v, flags))
LMDB_CALL(mdb_drop, (MDB_txn *t, MDB_dbi d, int del), (t, d, del))
LMDB_CALL(mdb_cursor_open, (MDB_txn *t, MDB_dbi d, MDB_cursor **c), (t, d, c))
LMDB_CALL(mdb_cursor_get, (MDB_cursor *c, MDB_val *k, MDB_val *v, MDB_cursor_op op), (c, k, v, op))
LMDB_CALL(mdb_cursor_put, (MDB_cursor *c, MDB_val *k, MDB_val *v, unsigned flags), (c, k, v, flags))
LMDB_CALL(mdb_cursor_del, (MDB_cursor *c, unsigned flags), (c, flags))
// clang-format on

/* Before the environment is open it only notes the size. */
int __real_mdb_env_set_mapsize(MDB_env *e, size_t n);
int __wrap_mdb_env_set_mapsize(MDB_env *e, size_t n);
int __wrap_mdb_env_set_mapsize(MDB_env *e, size_t n)
{
    int fd = -1;
    bool open = mdb_env_get_fd(e, &fd) == 0 && fd >= 0;
    return open && lmdb_refuse("mdb_env_set_mapsize") ? lmdb_state.code : __real_mdb_env_set_mapsize(e, n);
}

/* A commit that fails has ended the transaction. */
int __real_mdb_txn_commit(MDB_txn *t);
int __wrap_mdb_txn_commit(MDB_txn *t);
int __wrap_mdb_txn_commit(MDB_txn *t)
{
    if (!lmdb_refuse("mdb_txn_commit"))
        return __real_mdb_txn_commit(t);
    mdb_txn_abort(t);
    return lmdb_state.code;
}
#endif
