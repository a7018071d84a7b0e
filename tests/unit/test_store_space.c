/* Room: the map that grows, the disk that runs full and has space again, and
 * backups. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/store_world.h"

#define ROW_BYTES 1000

static int64_t clock_us; /* the loop's clock, as far as store_pressure cares */

static struct store_space pressure(struct world *w)
{
    struct store_space space;
    clock_us += 10000000; /* later than anything is remembered */
    assert_int_equal(store_pressure(w->s, clock_us, &space), STORE_OK);
    return space;
}

static enum store_rc try_rows(struct world *w, uint64_t from, uint64_t n)
{
    uint8_t key[8], v[ROW_BYTES];
    struct store_txn *t;
    enum store_rc r = store_begin(w->s, &t);
    for (uint64_t i = from; r == STORE_OK && i < from + n; i++) {
        key_u64(key, i);
        memset(v, (int)(i % 251), sizeof v);
        r = store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v);
    }
    if (r == STORE_OK)
        return store_commit(&t);
    store_abort(&t);
    return r;
}

static void put_rows(struct world *w, uint64_t from, uint64_t n)
{
    assert_int_equal(try_rows(w, from, n), STORE_OK);
}

static void del_rows(struct world *w, uint64_t from, uint64_t n)
{
    uint8_t key[8];
    struct store_txn *t = begin(w);
    for (uint64_t i = from; i < from + n; i++) {
        key_u64(key, i);
        assert_int_equal(store_del(t, TABLE_UNIT, key, sizeof key), STORE_OK);
    }
    commit(t);
}

static void expect_rows(struct world *w, uint64_t n)
{
    struct store_verified checked;
    assert_int_equal(store_verify(w->s, TABLE_UNIT, &checked, NULL, NULL), STORE_OK);
    assert_true(checked.records == n);
    struct store_txn *t = begin_read(w);
    for (uint64_t i = 0; i < n; i += 97) {
        uint8_t key[8];
        struct store_val v;
        key_u64(key, i);
        assert_int_equal(store_get(t, TABLE_UNIT, key, sizeof key, &v), STORE_OK);
        assert_int_equal(v.n, ROW_BYTES);
        assert_int_equal(((const uint8_t *)v.p)[ROW_BYTES - 1], i % 251);
    }
    store_abort(&t);
}

/* ---- the map ---- */

static void open_small(struct world *w)
{
    struct store_options o = options(w);
    o.map_bytes = 1 << 20;
    o.no_sync = true;
    open_with(w, o);
}

static void the_map_grows_between_transactions_as_the_store_does(void **state)
{
    struct world *w = *state;
    open_small(w);
    struct store_space first = pressure(w), space = first;
    for (uint64_t i = 0; i < 16000; i += 200) {
        space = pressure(w);
        assert_false(space.full);
        assert_true(space.free_map_bytes >= space.map_bytes / 2);
        put_rows(w, i, 200);
    }
    assert_true(space.map_bytes >= 16 * first.map_bytes);
    assert_true(space.used_bytes > 15 << 20);
    expect_rows(w, 16000);
    store_close(&w->s);
    open_small(w); /* the option is smaller than the store by now */
    expect_rows(w, 16000);
    put_rows(w, 16000, 200);
}

static void a_transaction_that_fills_the_map_fails_and_the_next_one_has_room(void **state)
{
    struct world *w = *state;
    open_small(w);
    put_rows(w, 0, 100);
    assert_int_equal(try_rows(w, 100, 10000), STORE_IO);
    assert_non_null(strstr(store_error_text(w->s), "MAP_FULL"));
    expect_rows(w, 100);
    put_rows(w, 100, 10);
    expect_rows(w, 110);
}

static void a_reader_that_stays_holds_up_growth_and_the_store_says_full(void **state)
{
    struct world *w = *state;
    open_small(w);
    struct store_space space = pressure(w);
    uint64_t rows = 0;
    for (; space.used_bytes <= space.map_bytes / 2; rows += 50) {
        put_rows(w, rows, 50);
        MDB_envinfo info;
        mdb_env_info(w->s->env, &info);
        space.used_bytes = (info.me_last_pgno + 1) * 4096;
    }
    struct store_txn *stays = begin_read(w);
    assert_true(pressure(w).full);
    assert_int_equal(pressure(w).map_bytes, space.map_bytes);
    put_rows(w, rows, 50); /* full refuses intake, not work */
    store_abort(&stays);
    struct store_space after = pressure(w);
    assert_false(after.full);
    assert_true(after.map_bytes > space.map_bytes);
    expect_rows(w, rows + 50);
}

struct looker {
    struct world *w;
    atomic_bool stop;
    uint64_t looks;
    bool wrong;
};

static void *look_again_and_again(void *arg)
{
    struct looker *l = arg;
    while (!atomic_load(&l->stop) && !l->wrong) {
        struct store_txn *t;
        struct store_val v;
        uint8_t key[8];
        key_u64(key, l->looks++ % 200);
        l->wrong = store_begin_read(l->w->s, &t) != STORE_OK;
        if (l->wrong)
            break;
        l->wrong = store_get(t, TABLE_UNIT, key, sizeof key, &v) != STORE_OK;
        store_abort(&t);
    }
    return NULL;
}

static void the_map_moves_under_busy_readers_without_harm(void **state)
{
    struct world *w = *state;
    open_small(w);
    put_rows(w, 0, 200);
    struct looker l[2] = { { .w = w }, { .w = w } };
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, look_again_and_again, &l[i]), 0);
    struct store_space space = { 0 };
    for (uint64_t i = 200; i < 8000; i += 200) {
        space = pressure(w);
        assert_false(space.full);
        put_rows(w, i, 200);
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&l[i].stop, true);
        pthread_join(thread[i], NULL);
    }
    assert_false(l[0].wrong || l[1].wrong);
    assert_true(space.map_bytes >= 8 << 20);
    expect_rows(w, 8000);
}

/* ---- the disk ---- */

static void the_fault_seam_says_full(void **state)
{
    struct world *w = *state;
    open_store(w);
    assert_false(pressure(w).full);
    store_faults(w->s)->full = true;
    assert_true(pressure(w).full);
    store_faults(w->s)->full = false;
    assert_false(pressure(w).full);
}

static void a_reserve_that_the_disk_does_not_have_means_full(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    o.reserve_bytes = 1ull << 60;
    open_with(w, o);
    assert_true(pressure(w).full);
    put_rows(w, 0, 100); /* what the reserve is for */
    expect_rows(w, 100);
}

static void a_commit_that_the_disk_refuses_is_not_acknowledged_and_nothing_before_it_is_lost(void **state)
{
    struct world *w = *state;
    int ack[2];
    assert_int_equal(pipe(ack), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = { 2 << 20, 2 << 20 };
        struct store_options o = options(w);
        signal(SIGXFSZ, SIG_IGN);
        if (store_open(&w->s, &o, ID, NULL, 0) != STORE_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(1);
        for (uint64_t i = 0; i < 10000; i += 100) {
            struct store_txn *t;
            enum store_rc r = try_rows(w, i, 100);
            if (r == STORE_OK) {
                if (write(ack[1], &i, sizeof i) != sizeof i)
                    _exit(2);
                continue;
            }
            if (r != STORE_IO || strstr(store_error_text(w->s), "commit: ") == NULL)
                _exit(3);
            if (store_begin(w->s, &t) != STORE_IO)
                _exit(4);
            store_close(&w->s);
            _exit(0);
        }
        _exit(5);
    }
    close(ack[1]);
    uint64_t i, rows = 0;
    while (read(ack[0], &i, sizeof i) == sizeof i)
        rows = i + 100;
    close(ack[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(rows >= 500);
    open_store(w);
    expect_rows(w, rows);
    put_rows(w, rows, 2000);
    expect_rows(w, rows + 2000);
}

/* A small disk of our own, if we may have one. */
static bool mount_small(struct world *w, const char *size)
{
    char o[64];
    snprintf(o, sizeof o, "size=%s,mode=700", size);
    return mkdir(w->dir, 0700) == 0 && mount("none", w->dir, "tmpfs", 0, o) == 0;
}

static int tear_down_mount(void **state)
{
    struct world *w = *state;
    store_close(&w->s);
    (void)umount2(w->dir, MNT_DETACH);
    return tear_down(state);
}

static uint64_t fill_until_full(struct world *w)
{
    uint64_t rows = 0;
    while (!pressure(w).full) {
        put_rows(w, rows, 100);
        rows += 100;
        assert_true(rows < 100000);
    }
    return rows;
}

static void a_full_disk_is_told_in_time_and_has_room_again_when_space_is_back(void **state)
{
    struct world *w = *state;
    if (!mount_small(w, "16m"))
        skip();
    char path[128];
    static char filler[6 << 20];
    snprintf(path, sizeof path, "%s/somebody-elses", w->dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, filler, sizeof filler), sizeof filler);
    close(fd);
    struct store_options o = options(w);
    o.reserve_bytes = 2 << 20;
    open_with(w, o);
    uint64_t rows = fill_until_full(w);
    assert_true(rows > 4000);
    put_rows(w, rows, 500); /* results are still taken */
    assert_true(pressure(w).full);
    assert_int_equal(unlink(path), 0);
    assert_false(pressure(w).full);
    put_rows(w, rows + 500, 1000);
    expect_rows(w, rows + 1500);
}

static void where_the_file_lies_on_another_disk_the_folder_counts_too(void **state)
{
    struct world *w = *state;
    if (!mount_small(w, "4m"))
        skip();
    char link[128], file[128];
    snprintf(link, sizeof link, "%s/data.mdb", w->dir);
    snprintf(file, sizeof file, "%s-elsewhere", w->dir);
    assert_int_equal(symlink(file, link), 0);
    struct store_options o = options(w);
    o.reserve_bytes = 1 << 20;
    open_with(w, o);
    assert_false(pressure(w).full);
    store_close(&w->s);
    o.reserve_bytes = 8 << 20; /* which the folder has not */
    open_with(w, o);
    assert_true(pressure(w).full);
    assert_int_equal(unlink(file), 0);
}

static void a_store_that_filled_the_disk_itself_recovers_by_draining(void **state)
{
    struct world *w = *state;
    if (!mount_small(w, "16m"))
        skip();
    struct store_options o = options(w);
    o.reserve_bytes = 2 << 20;
    open_with(w, o);
    uint64_t rows = fill_until_full(w);
    for (uint64_t i = 0; i < rows; i += 100) {
        del_rows(w, i, 100);
        (void)pressure(w);
    }
    struct store_space space = pressure(w);
    assert_false(space.full);
    assert_true(space.used_bytes < 4 << 20);
    uint64_t again = fill_until_full(w); /* into the file's own free pages */
    assert_true(again > rows / 2);
    expect_rows(w, again);
}

static void a_disk_that_is_full_to_the_last_byte_breaks_a_commit_cleanly(void **state)
{
    struct world *w = *state;
    if (!mount_small(w, "6m"))
        skip();
    struct store_options o = options(w);
    o.reserve_bytes = 1 << 20;
    open_with(w, o);
    uint64_t rows = 0;
    while (try_rows(w, rows, 100) == STORE_OK)
        rows += 100;
    assert_non_null(strstr(store_error_text(w->s), "disk is full"));
    store_close(&w->s);
    open_with(w, o);
    expect_rows(w, rows);
    assert_true(pressure(w).full);
    del_rows(w, rows - 100, 100); /* there is a way out: free pages of the file take it */
    expect_rows(w, rows - 100);
}

/* ---- backup ---- */

static void expect_equal(struct store *a, struct store *b)
{
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) {
        struct store_txn *ta, *tb;
        struct store_cursor ca, cb;
        assert_int_equal(store_begin_read(a, &ta) | store_begin_read(b, &tb), STORE_OK);
        assert_int_equal(store_cursor_open(ta, table, &ca) | store_cursor_open(tb, table, &cb), STORE_OK);
        enum store_rc ra = store_seek(&ca, "", 0), rb = store_seek(&cb, "", 0);
        while (ra == STORE_OK && rb == STORE_OK) {
            assert_int_equal(ca.key.n, cb.key.n);
            assert_memory_equal(ca.key.p, cb.key.p, ca.key.n);
            assert_int_equal(ca.val.n, cb.val.n);
            assert_memory_equal(ca.val.p, cb.val.p, ca.val.n);
            ra = store_next(&ca);
            rb = store_next(&cb);
        }
        assert_int_equal(ra, STORE_NOT_FOUND);
        assert_int_equal(rb, STORE_NOT_FOUND);
        store_cursor_close(&ca);
        store_cursor_close(&cb);
        store_abort(&ta);
        store_abort(&tb);
    }
}

static void a_backup_opens_as_a_store_and_equals_the_original(void **state)
{
    struct world *w = *state;
    char path[128], text[300];
    struct stat st;
    open_store(w);
    put_rows(w, 0, 3000);
    del_rows(w, 0, 1000);
    struct store_txn *t = begin(w);
    for (enum store_table i = 0; i < STORE_TABLE_COUNT; i++)
        put(t, i, "key", "value");
    commit(t);
    snprintf(path, sizeof path, "%s/.backup.partial", w->base); /* of a backup that was broken off */
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/.backup.partial/data.mdb", w->base);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/backup.tmp", w->base); /* an older backup, which somebody called so */
    if (store_backup(w->s, path, text, sizeof text) != STORE_OK)
        fail_msg("%s", text);
    snprintf(path, sizeof path, "%s/backup", w->base);
    if (store_backup(w->s, path, text, sizeof text) != STORE_OK)
        fail_msg("%s", text);

    struct store *copy;
    struct store_options o = options(w);
    o.dir = path;
    assert_int_equal(store_open(&copy, &o, (const uint8_t *)"an id not needed", text, sizeof text), STORE_OK);
    assert_memory_equal(store_id(copy), ID, 16);
    assert_false(store_is_copy(w->s));
    assert_true(store_is_copy(copy)); /* it is known for one, and that is all that is different */
    assert_int_equal(store_begin(copy, &t), STORE_OK);
    assert_int_equal(store_set_own(t, ID), STORE_OK);
    store_abort(&t);
    assert_true(store_is_copy(copy));
    assert_int_equal(store_begin(copy, &t), STORE_OK);
    assert_int_equal(store_set_own(t, ID), STORE_OK);
    commit(t);
    assert_false(store_is_copy(copy));
    expect_equal(w->s, copy);
    assert_int_equal(store_begin(copy, &t), STORE_OK);
    put(t, TABLE_RUN, "more", "work goes on in it");
    commit(t);
    store_close(&copy);
    snprintf(path, sizeof path, "%s/.backup.partial", w->base);
    assert_int_not_equal(stat(path, &st), 0);
    snprintf(path, sizeof path, "%s/backup.tmp/data.mdb", w->base);
    assert_int_equal(stat(path, &st), 0);
}

static void a_backup_never_replaces_anything(void **state)
{
    struct world *w = *state;
    char path[128], text[300];
    open_store(w);
    put_rows(w, 0, 10);
    snprintf(path, sizeof path, "%s/backup", w->base);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_backup(w->s, path, text, sizeof text), STORE_IO);
    assert_non_null(strstr(text, "exists"));
    assert_int_equal(rmdir(path), 0); /* still there, still empty */
    snprintf(path, sizeof path, "%s/no/where", w->base);
    assert_int_equal(store_backup(w->s, path, text, sizeof text), STORE_IO);
    assert_non_null(strstr(text, "No such file"));
    put_rows(w, 10, 10); /* a failed backup is no failure of the store */
}

struct backup_job {
    struct world *w;
    char path[128], text[300];
    enum store_rc rc;
    atomic_bool done;
};

static void *make_backup(void *arg)
{
    struct backup_job *j = arg;
    j->rc = store_backup(j->w->s, j->path, j->text, sizeof j->text);
    atomic_store(&j->done, true);
    return NULL;
}

static void a_backup_is_one_moment_of_a_store_that_goes_on(void **state)
{
    struct world *w = *state;
    struct store_options o = options(w);
    o.map_bytes = 256 << 20;
    o.no_sync = true;
    open_with(w, o);
    put_rows(w, 0, 20000);
    struct backup_job j = { .w = w };
    pthread_t thread;
    snprintf(j.path, sizeof j.path, "%s/backup", w->base);
    assert_int_equal(pthread_create(&thread, NULL, make_backup, &j), 0);
    uint64_t rows = 20000;
    do { /* each commit adds exactly ten rows */
        put_rows(w, rows, 10);
        rows += 10;
    } while (!atomic_load(&j.done) && rows < 40000);
    pthread_join(thread, NULL);
    if (j.rc != STORE_OK)
        fail_msg("%s", j.text);
    struct world copy = { .s = NULL };
    o.dir = j.path;
    open_with(&copy, o);
    struct store_verified checked;
    assert_int_equal(store_verify(copy.s, TABLE_UNIT, &checked, NULL, NULL), STORE_OK);
    assert_true(checked.records >= 20000 && checked.records <= rows && checked.records % 10 == 0);
    expect_rows(&copy, checked.records);
    store_close(&copy.s);
}

int main(void)
{
#define TEST_MOUNT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down_mount)
    const struct CMUnitTest tests[] = {
        TEST(the_map_grows_between_transactions_as_the_store_does),
        TEST(a_transaction_that_fills_the_map_fails_and_the_next_one_has_room),
        TEST(a_reader_that_stays_holds_up_growth_and_the_store_says_full),
        TEST(the_map_moves_under_busy_readers_without_harm),
        TEST(the_fault_seam_says_full),
        TEST(a_reserve_that_the_disk_does_not_have_means_full),
        TEST(a_commit_that_the_disk_refuses_is_not_acknowledged_and_nothing_before_it_is_lost),
        TEST_MOUNT(a_full_disk_is_told_in_time_and_has_room_again_when_space_is_back),
        TEST_MOUNT(where_the_file_lies_on_another_disk_the_folder_counts_too),
        TEST_MOUNT(a_store_that_filled_the_disk_itself_recovers_by_draining),
        TEST_MOUNT(a_disk_that_is_full_to_the_last_byte_breaks_a_commit_cleanly),
        TEST(a_backup_opens_as_a_store_and_equals_the_original),
        TEST(a_backup_never_replaces_anything),
        TEST(a_backup_is_one_moment_of_a_store_that_goes_on),
    };
    return cmocka_run_group_tests_name("store space", tests, NULL, NULL);
}
