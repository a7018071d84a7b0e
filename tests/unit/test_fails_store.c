/* The store, over LMDB, a kernel and memory that refuse: each job is done again and again, and the first call in it fails, then the second, until it goes
 * through whole. A job that fails says so, in words, and leaves what was there; the next try without a failure succeeds. */
#include "tests/unit/store_world.h"

#include "tests/lib/lmdb_fails.h"
#include "tests/lib/sys_fails.h"
#include "tests/unit/alloc_world.h"

#include <sys/stat.h>

/* Which calls fail, and how. */
struct how {
    enum { KERNEL, KERNEL_TWICE, LMDB, MEMORY } whose; /* our own code's calls; twice: that one and the one behind it */
    int code;
};

static const struct how no_memory = { MEMORY, ENOMEM };

static void arm(const struct how *h, uint64_t n)
{
    switch (h->whose) {
    case LMDB: lmdb_arm(n, h->code); break;
    case MEMORY: alloc_arm(n, false); break;
    case KERNEL:
    case KERNEL_TWICE: sys_arm(n, h->code); break;
    }
    sys_state.more = h->whose == KERNEL_TWICE;
}

/* The call that failed; NULL: none did. */
static const char *disarm(void)
{
    lmdb_disarm();
    sys_disarm();
    alloc_disarm();
    const char *what = lmdb_state.failed ? lmdb_state.failed : sys_state.failed;
    what = alloc_state.failed ? "an allocation" : what;
    lmdb_state.failed = sys_state.failed = NULL;
    alloc_state.failed = 0;
    return what;
}

/* Of calls to LMDB and of allocations the code is known, of others that it is a failure. */
static void expect_typed(const struct how *h, const char *call, enum store_rc rc, bool commits)
{
    enum store_rc typed = h->code == ENOMEM ? STORE_NO_MEMORY : h->code == MDB_CORRUPTED ? STORE_CORRUPT : STORE_IO;
    if (rc == STORE_IO &&
        (commits || h->whose <= KERNEL_TWICE)) /* of a commit all that is known is that the process must end */
        return;
    if (rc != typed)
        fail_msg("%s failed with %d and was told as %d", call, h->code, rc);
}

static void put_some(struct world *w, const char *v)
{
    struct store_txn *t = begin(w);
    put(t, TABLE_RUN, "key", v);
    put(t, TABLE_UNIT, "unit", v);
    commit(t);
}

static void expect_some(struct world *w, const char *v)
{
    struct store_txn *t = begin_read(w);
    expect(t, TABLE_RUN, "key", v);
    expect(t, TABLE_UNIT, "unit", v);
    store_abort(&t);
}

/* ---- open ---- */

static struct store_options logged(const struct world *w)
{
    struct store_options o = options(w);
    o.wal_bytes = 64 << 10;
    return o;
}

/* Opening fails, and says why; or goes on without what it does not need (a sync of the directory). In both cases nothing is lost. */
static void open_fails_over(struct world *w, const struct how *h, struct store_options o, const char *there,
                            void (*before)(struct world *))
{
    const char *call = "";
    unsigned failures = 0;
    for (uint64_t n = 1; call; n++) {
        if (before)
            before(w);
        arm(h, n);
        enum store_rc rc = store_open(&w->s, &o, ID, w->text, sizeof w->text);
        call = disarm();
        if (rc != STORE_OK) {
            assert_non_null(call);
            assert_null(w->s);
            if (w->text[0] == '\0')
                fail_msg("%s failed without a word", call);
            if (there && h->whose <= KERNEL_TWICE && rc == STORE_CORRUPT)
                fail_msg("%s failed, and that was told as damage: %s", call, w->text);
            failures++;
        } else if (there) {
            expect_some(w, there);
        }
        store_close(&w->s);
    }
    print_message("# %u calls made an open fail\n", failures);
    assert_true(failures >= (h->whose == MEMORY ? 1u : 2u));
    open_with(w, o);
    if (there)
        expect_some(w, there);
    else if (!o.read_only)
        put_some(w, "first");
}

static void open_fails(struct world *w, const struct how *h, struct store_options o, const char *there)
{
    open_fails_over(w, h, o, there, NULL);
}

static void nothing_is_there(struct world *w)
{
    assert_int_equal(remove_tree(w->dir), 0);
}

static void data_path(const struct world *w, char path[128])
{
    snprintf(path, 128, "%s/data.mdb", w->dir);
}

/* What LMDB writes first, and no commit of the store's. */
static void half_of_it_is_there(struct world *w)
{
    MDB_env *env;
    char path[128];
    nothing_is_there(w);
    data_path(w, path);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, w->dir, 0, 0600), 0);
    mdb_env_close(env);
    assert_int_equal(truncate(path, 4096), 0);
}

static void a_new_store_that_cannot_be_made_is_refused_in_words(void **state)
{
    static const struct how how[] = { { LMDB, EIO }, { LMDB, ENOMEM }, { KERNEL, EACCES }, { MEMORY, ENOMEM } };
    static void (*const before[])(struct world *) = { NULL, nothing_is_there, half_of_it_is_there };
    struct world *w = *state;
    char dir[80];
    strcpy(dir, w->dir);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++)
        for (size_t k = 0; k < sizeof before / sizeof *before; k++) {
            snprintf(w->dir, sizeof w->dir, "%.70s%zu%zu", dir, i, k);
            open_fails_over(w, &how[i], options(w), NULL, before[k]);
            store_close(&w->s);
        }
}

static off_t cut_to;

/* Its end was taken and given back in one transaction: LMDB never wrote it. */
static void only_free_pages_are_missing(struct world *w)
{
    char path[128];
    data_path(w, path);
    assert_int_equal(truncate(path, cut_to), 0);
}

static void a_store_that_lacks_free_pages_is_looked_at_or_refused_and_whole_afterwards(void **state)
{
    static const struct how how[] = { { LMDB, EIO }, { LMDB, ENOMEM }, { KERNEL, EIO }, { MEMORY, ENOMEM } };
    struct world *w = *state;
    char path[128], v[900] = "v";
    uint8_t key[4];
    struct stat st;
    open_store(w);
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < 500; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_EVENT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    t = begin(w);
    for (uint32_t i = 0; i < 500; i++) {
        key_u32(key, i);
        assert_int_equal(store_del(t, TABLE_EVENT, key, sizeof key), STORE_OK);
    }
    commit(t);
    for (int i = 0; i < 4; i++) /* what is live moves to the front */
        put_some(w, "there");
    store_close(&w->s);
    data_path(w, path);
    assert_int_equal(stat(path, &st), 0);
    cut_to = st.st_size - 4096;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        open_fails_over(w, &how[i], options(w), "there", only_free_pages_are_missing);
        store_close(&w->s);
    }
}

static void a_store_that_cannot_be_opened_is_refused_in_words_and_whole_afterwards(void **state)
{
    static const struct how how[] = {
        { LMDB, EIO },         { LMDB, ENOMEM }, { LMDB, MDB_CORRUPTED },
        { LMDB, MDB_INVALID }, { KERNEL, EIO },  { MEMORY, ENOMEM },
    };
    struct world *w = *state;
    open_with(w, logged(w));
    put_some(w, "there");
    store_close(&w->s);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        open_fails(w, &how[i], logged(w), "there");
        store_close(&w->s);
    }
}

static void an_inspector_that_cannot_read_is_refused_in_words(void **state)
{
    static const struct how how[] = {
        { LMDB, EIO }, { LMDB, ENOMEM }, { LMDB, MDB_CORRUPTED }, { KERNEL, EACCES }, { MEMORY, ENOMEM }
    };
    struct world *w = *state;
    struct store_options o = logged(w);
    open_with(w, o);
    put_some(w, "there");
    store_close(&w->s);
    o.read_only = true;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        open_fails(w, &how[i], o, "there");
        store_close(&w->s);
    }
}

/* ---- batches ---- */

/* A batch that reads, writes, deletes and walks, with whatever is in the log. */
static enum store_rc batch(struct world *w, const char *v, bool settles)
{
    struct store_txn *t;
    struct store_cursor c;
    struct store_val got;
    enum store_rc rc = store_begin(w->s, &t);
    if (rc != STORE_OK)
        return rc;
    rc = store_get(t, TABLE_RUN, "key", 3, &got);
    if (rc == STORE_NOT_FOUND)
        rc = STORE_OK;
    if (rc == STORE_OK && (rc = store_cursor_open(t, TABLE_UNIT, &c)) == STORE_OK) {
        rc = store_seek(&c, "u", 1);
        if (rc == STORE_OK)
            rc = store_seek_le(&c, "t", 1);
        if (rc == STORE_OK || rc == STORE_NOT_FOUND)
            rc = store_seek_le(&c, "z", 1);
        if (rc == STORE_OK)
            rc = store_seek_le(&c, "v", 1);
        if (rc == STORE_OK)
            rc = store_next(&c);
        if (rc == STORE_NOT_FOUND)
            rc = STORE_OK;
        store_cursor_close(&c);
    }
    if (rc == STORE_OK)
        rc = store_put(t, TABLE_RUN, "key", 3, v, strlen(v));
    if (rc == STORE_OK)
        rc = store_append(t, TABLE_UNIT, "unit", 4, v, strlen(v));
    if (rc == STORE_OK)
        rc = store_put(t, TABLE_DEAD, "gone", 4, v, strlen(v));
    if (rc == STORE_OK)
        rc = store_del(t, TABLE_DEAD, "gone", 4);
    if (rc == STORE_OK)
        rc = store_del(t, TABLE_DEAD, "never", 5);
    if (rc == STORE_NOT_FOUND)
        rc = STORE_OK;
    if (rc != STORE_OK) {
        store_abort(&t);
        return rc;
    }
    rc = store_commit(&t);
    return rc == STORE_OK && settles ? store_settle(w->s, SETTLE_ALL) : rc;
}

static void batches_fail(struct world *w, struct store_options o, const struct how *h, bool settles)
{
    const char *call = "";
    char v[32], before[32] = "before";
    open_with(w, o);
    put_some(w, before);
    for (uint64_t n = 1; call; n++) {
        snprintf(v, sizeof v, "value %llu", (unsigned long long)n);
        arm(h, n);
        enum store_rc rc = batch(w, v, settles);
        call = disarm();
        if (rc == STORE_OK && call)
            fail_msg("%s failed, and the batch did not", call);
        if (rc != STORE_OK) {
            expect_typed(h, call, rc, true);
            if (store_error_text(w->s)[0] == '\0')
                fail_msg("%s failed without a word", call);
            store_close(&w->s);
            open_with(w, o);
            struct store_txn *t = begin_read(w);
            struct store_val got;
            assert_int_equal(store_get(t, TABLE_RUN, "key", 3, &got), STORE_OK);
            /* the old value or, when only the settling or a sync failed, the new one */
            bool old = got.n == strlen(before) && !memcmp(got.p, before, got.n);
            assert_true(old || ((settles || h->whose == KERNEL) && got.n == strlen(v) && !memcmp(got.p, v, got.n)));
            if (!old)
                strcpy(before, v);
            store_abort(&t);
            expect_some(w, before);
        }
    }
    expect_some(w, v);
    store_close(&w->s);
}

static const struct how of_lmdb[] = {
    { LMDB, EIO }, { LMDB, ENOMEM }, { LMDB, MDB_CORRUPTED }, { LMDB, MDB_MAP_FULL }
};

static void a_batch_that_fails_at_any_call_leaves_what_was_there(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof of_lmdb / sizeof *of_lmdb; i++)
        batches_fail(w, options(w), &of_lmdb[i], false);
}

static void so_does_one_with_a_log_and_its_settling(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof of_lmdb / sizeof *of_lmdb; i++) {
        batches_fail(w, logged(w), &of_lmdb[i], false);
        batches_fail(w, logged(w), &of_lmdb[i], true);
    }
    static const struct how of_the_kernel = { KERNEL, EIO };
    batches_fail(w, logged(w), &of_the_kernel, true);
    batches_fail(w, logged(w), &no_memory, true);
}

/* The batches before one that was dropped are done again by the next, or by a reader. */
static void after_a_dropped_batch(struct world *w, const struct how *h, enum store_rc (*then)(struct world *))
{
    const char *call = "";
    for (uint64_t n = 1; call; n++) {
        open_with(w, logged(w));
        put_some(w, "there");
        struct store_txn *t = begin(w);
        put(t, TABLE_RUN, "key", "dropped");
        store_abort(&t);
        arm(h, n);
        enum store_rc rc = then(w);
        call = disarm();
        if (rc == STORE_OK && call)
            fail_msg("%s failed, and nobody was told", call);
        if (rc != STORE_OK)
            expect_typed(h, call, rc, w->s->failed);
        if (!w->s->failed)
            expect_some(w, "there");
        store_close(&w->s);
        open_with(w, logged(w));
        expect_some(w, "there");
        store_close(&w->s);
    }
}

static enum store_rc next_batch(struct world *w)
{
    struct store_txn *t;
    enum store_rc rc = store_begin(w->s, &t);
    store_abort(&t);
    return rc;
}

static enum store_rc next_reader(struct world *w)
{
    struct store_txn *t;
    enum store_rc rc = store_begin_read(w->s, &t);
    store_abort(&t);
    return rc;
}

static void what_came_before_a_dropped_batch_is_there_whatever_fails_next(void **state)
{
    static const struct how how[] = { { LMDB, EIO }, { LMDB, ENOMEM }, { KERNEL, EIO }, { MEMORY, ENOMEM } };
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        after_a_dropped_batch(*state, &how[i], next_batch);
        after_a_dropped_batch(*state, &how[i], next_reader);
    }
}

static void a_log_that_is_nearly_full_and_cannot_be_settled_ends_the_store(void **state)
{
    struct world *w = *state;
    struct store_options o = logged(w);
    char v[900] = "v";
    static const struct how how = { LMDB, EIO };
    o.wal_bytes = 10240;
    open_with(w, o);
    for (uint8_t i = 1; !settle_needed(w->s); i++) {
        struct store_txn *t = begin(w);
        assert_int_equal(store_put(t, TABLE_UNIT, &i, 1, v, sizeof v), STORE_OK);
        commit(t);
    }
    arm(&how, 1);
    assert_int_equal(next_batch(w), STORE_IO);
    assert_string_equal(disarm(), "mdb_txn_commit");
    assert_non_null(strstr(store_error_text(w->s), "commit: "));
    assert_int_equal(store_settle(w->s, SETTLE_ALL), STORE_OK); /* nothing more to do */
    assert_int_equal(store_backup(w->s, "never", w->text, sizeof w->text), STORE_IO);
    assert_non_null(strstr(w->text, "the store has failed"));
}

static void a_call_that_a_signal_broke_off_is_made_again(void **state)
{
    struct world *w = *state;
    struct store_txn *t;
    bool read = false;
    const char *call = "";
    open_with(w, logged(w));
    put_some(w, "before");
    t = begin(w);
    put(t, TABLE_RUN, "key", "there");
    put(t, TABLE_UNIT, "unit", "there");
    sys_arm(1, EINTR);
    commit(t);
    assert_string_equal(disarm(), "pwrite");
    store_close(&w->s);
    for (uint64_t n = 1; call; n++) {
        struct store_options o = logged(w);
        sys_arm(n, EINTR);
        enum store_rc rc = store_open(&w->s, &o, ID, w->text, sizeof w->text);
        call = disarm();
        read = read || (call && strcmp(call, "pread") == 0 && rc == STORE_OK);
        store_close(&w->s);
    }
    assert_true(read);
    open_with(w, logged(w));
    expect_some(w, "there");
}

static void a_disk_that_takes_or_gives_nothing_is_an_error(void **state)
{
    struct world *w = *state;
    struct store_txn *t;
    struct store_options o = logged(w);
    const char *call = "";
    unsigned refused = 0;
    open_with(w, o);
    put_some(w, "there");
    t = begin(w);
    put(t, TABLE_RUN, "key", "new");
    sys_arm(1, 0);
    assert_int_equal(store_commit(&t), STORE_IO);
    assert_string_equal(disarm(), "pwrite");
    assert_non_null(strstr(store_error_text(w->s), "No space left"));
    store_close(&w->s);
    for (uint64_t n = 1; call; n++) {
        sys_arm(n, 0);
        enum store_rc rc = store_open(&w->s, &o, ID, w->text, sizeof w->text);
        call = disarm();
        refused += call && rc == STORE_IO;
        store_close(&w->s);
    }
    assert_true(refused >= 1); /* the log's */
    open_with(w, o);
    expect_some(w, "there");
}

static void a_log_that_cannot_be_written_or_synced_ends_the_store(void **state)
{
    struct world *w = *state;
    for (uint64_t n = 1; n <= 2; n++) { /* the write, the sync */
        struct store_txn *t;
        open_with(w, logged(w));
        put_some(w, "there");
        t = begin(w);
        put(t, TABLE_RUN, "key", "new");
        sys_arm(n, EIO);
        assert_int_equal(store_commit(&t), STORE_IO);
        assert_string_equal(disarm(), n == 1 ? "pwrite" : "fdatasync");
        assert_non_null(strstr(store_error_text(w->s), "commit: Input/output error"));
        assert_int_equal(store_begin(w->s, &t), STORE_IO);
        store_close(&w->s);
        open_with(w, logged(w));
        t = begin_read(w);
        expect(t, TABLE_UNIT, "unit", "there");
        expect(t, TABLE_RUN, "key",
               n == 1 ? "there" : "new"); /* what failed to sync may be there: nobody was told that it is */
        store_abort(&t);
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

static void making_a_log_fails(struct world *w, const struct how *h, bool sync)
{
    const char *call = "";
    struct store_options o = logged(w);
    o.no_sync = !sync;
    for (uint64_t n = 1; call; n++) {
        struct store_txn *t;
        open_with(w, o);
        arm(h, n);
        enum store_rc rc = store_begin(w->s, &t);
        call = disarm();
        if (rc == STORE_OK)
            store_abort(&t);
        else
            expect_typed(h, call, rc, w->s->failed);
        bool again = rc == STORE_OK || !w->s->failed;
        if (again)
            put_some(w, "there");
        store_close(&w->s);
        open_with(w, o);
        if (again)
            expect_some(w, "there");
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

static void a_log_that_could_not_be_made_is_not_written_to(void **state)
{
    static const struct how how[] = { { LMDB, ENOMEM }, { KERNEL, EIO }, { MEMORY, ENOMEM } };
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        making_a_log_fails(*state, &how[i], true);
        making_a_log_fails(*state, &how[i], false);
    }
}

static void where_there_is_no_room_for_a_log_the_store_works_without(void **state)
{
    struct world *w = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/wal", w->dir);
    for (uint64_t n = 1; n <= 4; n++) { /* the file, its bytes; on the disk, in the user's share of it */
        open_with(w, logged(w));
        sys_arm((n + 1) / 2, n % 2 ? ENOSPC : EDQUOT);
        put_some(w, "there");
        assert_non_null(disarm());
        assert_int_equal(stat(path, &st), -1);
        assert_int_equal(store_counters(w->s)->wal_bytes, 0);
        put_some(w, "still");
        store_close(&w->s);
        open_with(w, logged(w)); /* the next start tries again */
        expect_some(w, "still");
        put_some(w, "and on");
        assert_true(store_counters(w->s)->wal_bytes > 0);
        store_close(&w->s);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

/* ---- readers ---- */

static enum store_rc look(struct world *w)
{
    struct store_txn *t;
    struct store_cursor c;
    struct store_val v;
    enum store_rc rc = store_begin_read(w->s, &t);
    if (rc != STORE_OK)
        return rc;
    rc = store_get(t, TABLE_RUN, "key", 3, &v);
    if (rc == STORE_OK && (rc = store_cursor_open(t, TABLE_UNIT, &c)) == STORE_OK) {
        for (rc = store_seek(&c, "", 0); rc == STORE_OK;)
            rc = store_next(&c);
        if (rc == STORE_NOT_FOUND)
            rc = store_seek_le(&c, "z", 1);
        if (rc == STORE_OK)
            rc = store_seek_le(&c, "t", 1);
        store_cursor_close(&c);
    }
    store_abort(&t);
    return rc == STORE_NOT_FOUND ? STORE_OK : rc;
}

static void a_reader_is_told_of_every_call_that_fails_and_may_read_on(void **state)
{
    struct world *w = *state;
    for (int log = 0; log < 2; log++)
        for (size_t i = 0; i < 3; i++) {
            const char *call = "";
            open_with(w, log ? logged(w) : options(w));
            put_some(w, "there");
            assert_int_equal(store_settle(w->s, SETTLE_ALL),
                             STORE_OK); /* else the first of them would, which is the writer's work */
            for (uint64_t n = 1; call; n++) {
                arm(&of_lmdb[i], n);
                enum store_rc rc = look(w);
                call = disarm();
                if (rc == STORE_OK && call)
                    fail_msg("%s failed, and the read did not", call);
                if (call)
                    expect_typed(&of_lmdb[i], call, rc, false);
                expect_some(w, "there");
            }
            store_close(&w->s);
        }
}

static void count_damage(void *arg, enum store_table tb, const void *key, size_t key_n)
{
    (void)tb, (void)key, (void)key_n;
    ++*(unsigned *)arg;
}

static void a_verification_that_cannot_go_on_says_so(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        const char *call = "";
        struct store_verified checked;
        open_with(w, options(w));
        put_some(w, "there");
        for (uint64_t n = 1; call; n++) {
            unsigned damaged = 0;
            arm(&of_lmdb[i], n);
            enum store_rc rc = store_verify(w->s, TABLE_UNIT, &checked, count_damage, &damaged);
            call = disarm();
            if (call && strcmp(call, "mdb_stat") != 0) /* without LMDB's own count it still verifies each record */
                expect_typed(&of_lmdb[i], call, rc, false);
            else
                assert_int_equal(rc, STORE_OK);
            bool searched = call && strcmp(call, "mdb_get") == 0; /* where damage is, the walk goes on */
            assert_int_equal(checked.whole, rc == STORE_OK || (rc == STORE_CORRUPT && searched));
            assert_int_equal(damaged, rc == STORE_CORRUPT); /* and of nothing else */
        }
        assert_int_equal(checked.records, 1);
        store_close(&w->s);
    }
}

/* ---- room ---- */

static void a_map_that_cannot_grow_stops_the_store_in_words(void **state)
{
    struct world *w = *state;
    static const struct how how = { LMDB, ENOMEM };
    struct store_options o = options(w);
    struct store_space space;
    char v[1000] = { 1 };
    o.map_bytes = 1 << 20;
    open_with(w, o);
    struct store_txn *t = begin(w);
    for (uint64_t i = 0; i < 600; i++) {
        uint8_t key[8];
        key_u64(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    arm(&how, 1);
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_IO);
    assert_string_equal(disarm(), "mdb_env_set_mapsize");
    assert_non_null(strstr(store_error_text(w->s), "growing the map"));
    assert_int_equal(store_begin(w->s, &t), STORE_IO);
    store_close(&w->s);
    arm(&how, 3); /* create, open, and then it grows */
    assert_int_not_equal(store_open(&w->s, &o, ID, w->text, sizeof w->text), STORE_OK);
    assert_string_equal(disarm(), "mdb_env_set_mapsize");
    assert_non_null(strstr(w->text, "growing the map"));
    open_with(w, o);
    struct store_verified checked;
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, NULL, NULL), STORE_OK);
    assert_int_equal(checked.records, 600);
}

static void a_map_that_cannot_grow_since_nothing_can_be_settled_stops_the_store(void **state)
{
    struct world *w = *state;
    static const struct how how = { LMDB, EIO };
    struct store_options o = logged(w);
    struct store_space space;
    char v[1000] = { 1 };
    o.map_bytes = 1 << 20;
    open_with(w, o);
    struct store_txn *t = begin(w);
    for (uint8_t i = 1; i <= 120; i++)
        assert_int_equal(store_put(t, TABLE_UNIT, &i, 1, v, sizeof v), STORE_OK);
    commit(t);
    for (uint8_t i = 1; i <= 20; i++) {
        t = begin(w);
        assert_int_equal(store_put(t, TABLE_RUN, &i, 1, v, sizeof v), STORE_OK);
        commit(t);
    }
    w->s->map_bytes = 200 << 10; /* as small as what is not settled makes it seem */
    arm(&how, 1);
    assert_int_equal(store_pressure(w->s, 1, &space), STORE_IO);
    assert_string_equal(disarm(), "mdb_txn_commit");
    assert_non_null(strstr(store_error_text(w->s), "commit: "));
}

static void a_disk_that_cannot_be_asked_is_not_called_full(void **state)
{
    struct world *w = *state;
    struct store_txn *t;
    open_with(w, logged(w));
    put_some(w, "there");
    t = begin(w);
    put(t, TABLE_RUN, "key", "new");
    sys_arm(1, EIO);
    sys_state.more = 1; /* the log's write, and the question behind it */
    assert_int_equal(store_commit(&t), STORE_IO);
    assert_string_equal(disarm(), "fstatvfs");
    assert_string_equal(store_error_text(w->s), "commit: Input/output error");
}

/* The list of free pages cannot be read, the disk not be asked: it counts with what it knows. */
static void pressure_goes_on_with_what_it_knows(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    struct store_space space;
    int64_t now_us = 0;
    o.reserve_bytes = 1ull << 60; /* so that it looks at the free pages, too */
    open_with(w, o);
    put_some(w, "there");
    assert_int_equal(store_pressure(w->s, now_us, &space), STORE_OK);
    for (int lmdb = 0; lmdb < 2; lmdb++) {
        const struct how how = { lmdb ? LMDB : KERNEL, EIO };
        const char *call = "";
        for (uint64_t n = 1; call; n++) {
            arm(&how, n);
            assert_int_equal(store_pressure(w->s, now_us += 10000000, &space), STORE_OK);
            call = disarm();
            assert_true(space.full);
        }
    }
    put_some(w, "still");
}

/* ---- backup ---- */

static void a_backup_that_fails_at_any_call_is_not_there_or_is_whole(void **state)
{
    static const struct how how[] = {
        { LMDB, EIO },   { LMDB, ENOMEM },   { LMDB, MDB_CORRUPTED },
        { KERNEL, EIO }, { KERNEL, EINVAL }, { KERNEL_TWICE, EINVAL }, /* neither way to rename */
    };
    struct world *w = *state;
    open_store(w);
    put_some(w, "there");
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        const char *call = "";
        for (uint64_t n = 1; call; n++) {
            char path[128], text[300];
            struct world copy = { .s = NULL };
            snprintf(path, sizeof path, "%s/backup-%zu-%llu", w->base, i, (unsigned long long)n);
            arm(&how[i], n);
            enum store_rc rc = store_backup(w->s, path, text, sizeof text);
            call = disarm();
            bool there = access(path, F_OK) == 0;
            if (rc != STORE_OK)
                expect_typed(&how[i], call, rc, false);
            else if (call && strcmp(call, "renameat2") != 0) /* a file system that does not know it is told by EINVAL */
                fail_msg("%s failed, and the backup did not", call);
            assert_true(rc == STORE_OK ? there : text[0] != '\0');
            if (there) {
                struct store_options o = options(w);
                o.dir = path;
                open_with(&copy, o);
                expect_some(&copy, "there");
                store_close(&copy.s);
            }
            snprintf(path, sizeof path, "%s/.backup-%zu-%llu.partial", w->base, i, (unsigned long long)n);
            assert_int_not_equal(access(path, F_OK), 0);
        }
        put_some(w, "there");
    }
}

/* ---- a store of its own ---- */

static enum store_rc make_own(struct world *w, const uint8_t id[16])
{
    struct store_txn *t;
    enum store_rc rc = store_begin(w->s, &t);
    if (rc != STORE_OK)
        return rc;
    rc = store_set_own(t, id);
    if (rc == STORE_OK)
        return store_commit(&t);
    store_abort(&t);
    return rc;
}

static void a_copy_stays_one_until_it_is_a_store_of_its_own(void **state)
{
    static const struct how how[] = { { LMDB, EIO }, { LMDB, ENOMEM }, { KERNEL, EIO } };
    static const uint8_t own[16] = "an id of its own";
    struct world *w = *state;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        const char *call = "";
        char path[128];
        open_with(w, logged(w));
        put_some(w, "there");
        snprintf(path, sizeof path, "%s/copy", w->base);
        assert_int_equal(store_backup(w->s, path, w->text, sizeof w->text), STORE_OK);
        store_close(&w->s);
        struct world copy = { .s = NULL };
        snprintf(copy.dir, sizeof copy.dir, "%.60s/copy", w->base);
        for (uint64_t n = 1; call; n++) {
            open_with(&copy, logged(&copy));
            bool was = store_is_copy(copy.s);
            arm(&how[i], n);
            enum store_rc rc = make_own(&copy, own);
            call = disarm();
            store_close(&copy.s);
            open_with(&copy, logged(&copy));
            if (rc != STORE_OK)
                assert_true(store_is_copy(copy.s) == was || how[i].whose == KERNEL);
            else
                assert_false(store_is_copy(copy.s));
            assert_memory_equal(store_id(copy.s), store_is_copy(copy.s) ? ID : own, 16);
            expect_some(&copy, "there");
            store_close(&copy.s);
        }
        assert_int_equal(remove_tree(path), 0);
        assert_int_equal(remove_tree(w->dir), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_that_cannot_be_made_is_refused_in_words),
        TEST(a_store_that_cannot_be_opened_is_refused_in_words_and_whole_afterwards),
        TEST(a_store_that_lacks_free_pages_is_looked_at_or_refused_and_whole_afterwards),
        TEST(an_inspector_that_cannot_read_is_refused_in_words),
        TEST(a_batch_that_fails_at_any_call_leaves_what_was_there),
        TEST(so_does_one_with_a_log_and_its_settling),
        TEST(a_log_that_cannot_be_written_or_synced_ends_the_store),
        TEST(what_came_before_a_dropped_batch_is_there_whatever_fails_next),
        TEST(a_log_that_is_nearly_full_and_cannot_be_settled_ends_the_store),
        TEST(a_call_that_a_signal_broke_off_is_made_again),
        TEST(a_disk_that_takes_or_gives_nothing_is_an_error),
        TEST(a_log_that_could_not_be_made_is_not_written_to),
        TEST(where_there_is_no_room_for_a_log_the_store_works_without),
        TEST(a_reader_is_told_of_every_call_that_fails_and_may_read_on),
        TEST(a_verification_that_cannot_go_on_says_so),
        TEST(a_map_that_cannot_grow_stops_the_store_in_words),
        TEST(a_map_that_cannot_grow_since_nothing_can_be_settled_stops_the_store),
        TEST(a_disk_that_cannot_be_asked_is_not_called_full),
        TEST(pressure_goes_on_with_what_it_knows),
        TEST(a_backup_that_fails_at_any_call_is_not_there_or_is_whole),
        TEST(a_copy_stays_one_until_it_is_a_store_of_its_own),
    };
    return cmocka_run_group_tests_name("a store whose calls fail", tests, NULL, NULL);
}
