/* The simulated disk of the broker's machine: what it makes of writes, syncs, cuts of the power and the deaths of
 * brokers; and the real store, with LMDB, over it. The calls by name come to it here as they do in sunline-sim
 * (Makefile). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/sim/disk.h"
#include "tests/unit/store_world.h"

#define LOG_SECTORS 16

/* ---- a folder with the two files, all zeros and certain ---- */

struct machine {
    struct world w; /* must be first: a store is made only where a test asks for one */
    int data, log;
};

static int open_file(struct machine *m, const char *name, int more)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", m->w.dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | more, 0600);
    assert_true(fd >= 0);
    return fd;
}

static int bring_up(void **state)
{
    static struct machine m;
    m = (struct machine){ .data = -1, .log = -1 };
    const char *tmp = getenv("TMPDIR");
    snprintf(m.w.base, sizeof m.w.base, "%s/sunline-disk-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(m.w.base))
        return 1;
    snprintf(m.w.dir, sizeof m.w.dir, "%s/store", m.w.base);
    disk_of(m.w.dir);
    disk_follow(true);
    *state = &m;
    return 0;
}

static int bring_up_files(void **state)
{
    if (bring_up(state) || mkdir(((struct machine *)*state)->w.dir, 0700))
        return 1;
    struct machine *m = *state;
    m->data = open_file(m, "data.mdb", 0);
    m->log = open_file(m, "wal", 0);
    return ftruncate(m->data, LOG_SECTORS * SECTOR_BYTES) || ftruncate(m->log, LOG_SECTORS * SECTOR_BYTES);
}

static void close_files(struct machine *m)
{
    if (m->data >= 0)
        close(m->data);
    if (m->log >= 0)
        close(m->log);
    m->data = m->log = -1;
}

static int take_down(void **state)
{
    struct machine *m = *state;
    close_files(m);
    store_close(&m->w.s);
    disk_disarm();
    disk_follow(false);
    disk_of(NULL);
    return remove_tree(m->w.base);
}

static void write_sectors(int fd, unsigned first, unsigned n, char what)
{
    char bytes[LOG_SECTORS * SECTOR_BYTES];
    memset(bytes, what, sizeof bytes);
    assert_int_equal(pwrite(fd, bytes, n * SECTOR_BYTES, (off_t)first * SECTOR_BYTES), n * SECTOR_BYTES);
}

static void synced_sectors(int fd, unsigned first, unsigned n, char what)
{
    write_sectors(fd, first, n, what);
    assert_int_equal(fdatasync(fd), 0);
}

/* What each sector of a file holds, a letter each; '.': zeros. */
static void expect_file(struct machine *m, const char *name, const char *letters)
{
    char sector[SECTOR_BYTES], there[64] = "";
    int fd = open_file(m, name, 0);
    for (size_t i = 0; read(fd, sector, sizeof sector) == sizeof sector && i + 1 < sizeof there; i++) {
        for (size_t k = 1; k < sizeof sector; k++)
            assert_int_equal(sector[k], sector[0]);
        there[i] = sector[0] ? sector[0] : '.';
    }
    close(fd);
    assert_string_equal(there, letters);
}

/* Dice by which all that is uncertain is gone: of each of the two files, if only one of them has any. */
static struct rng all_goes(void)
{
    for (uint64_t seed = 0;; seed++) {
        struct rng r = rng_of(seed, "all goes", 0), tried = r;
        if (rng_below(&tried, 5) == 4 && rng_below(&tried, 5) == 4)
            return r;
    }
}

/* At the next call, a write of one sector to this file. The machine is off then, and its files are closed. */
static uint64_t power_is_cut(struct machine *m, int fd)
{
    char bytes[SECTOR_BYTES];
    struct rng r = all_goes();
    memset(bytes, 'z', sizeof bytes);
    disk_arm(DISK_POWER, 1, false);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, (LOG_SECTORS - 1) * SECTOR_BYTES), -1);
    assert_true(disk_struck());
    close_files(m);
    uint64_t lost = disk_loses(&r);
    disk_disarm();
    return lost;
}

/* A broker is killed, and the next one opens the same files. */
static void next_broker(struct machine *m)
{
    close_files(m);
    m->data = open_file(m, "data.mdb", 0);
    m->log = open_file(m, "wal", 0);
}

/* ---- writes and syncs ---- */

static void what_was_synced_is_there_when_the_power_has_gone(void **state)
{
    struct machine *m = *state;
    synced_sectors(m->log, 1, 3, 'a');
    power_is_cut(m, m->log);
    expect_file(m, "wal", ".aaa............");
}

static void what_was_not_synced_goes_however_long_ago_it_was_written(void **state)
{
    struct machine *m = *state;
    synced_sectors(m->log, 1, 1, 'a');
    write_sectors(m->log, 2, 2, 'b');
    write_sectors(m->log, 4, 1, 'c');
    assert_int_equal(power_is_cut(m, m->log), 4); /* and what the power went with */
    expect_file(m, "wal", ".a..............");
}

static void a_sector_that_was_written_twice_is_what_it_was_at_the_last_sync(void **state)
{
    struct machine *m = *state;
    synced_sectors(m->log, 0, 4, 'a');
    write_sectors(m->log, 1, 1, 'b');
    write_sectors(m->log, 0, 3, 'c');
    power_is_cut(m, m->log);
    expect_file(m, "wal", "aaaa............");
}

static void a_write_within_a_sector_brings_back_the_whole_of_it(void **state)
{
    struct machine *m = *state;
    synced_sectors(m->log, 0, 2, 'a');
    assert_int_equal(pwrite(m->log, "bbbb", 4, SECTOR_BYTES - 2), 4);
    power_is_cut(m, m->log);
    expect_file(m, "wal", "aa..............");
}

static void a_sync_of_one_file_is_none_of_the_other(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 0, 1, 'a');
    synced_sectors(m->data, 0, 1, 'b');
    power_is_cut(m, m->log);
    expect_file(m, "wal", "................");
    expect_file(m, "data.mdb", "b...............");
}

static void a_row_of_pages_in_one_write_is_uncertain_until_a_sync(void **state)
{
    struct machine *m = *state;
    char a[2 * SECTOR_BYTES], b[SECTOR_BYTES];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    const struct iovec row[] = { { a, sizeof a }, { b, sizeof b } };
    assert_int_equal(lseek(m->data, SECTOR_BYTES, SEEK_SET), SECTOR_BYTES);
    assert_int_equal(writev(m->data, row, 2), sizeof a + sizeof b);
    expect_file(m, "data.mdb", ".aab............");
    power_is_cut(m, m->data);
    expect_file(m, "data.mdb", "................");
}

/* For the real disk: what lies behind this finds no room. */
static void files_may_have(rlim_t bytes)
{
    struct rlimit most;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &most), 0);
    most.rlim_cur = bytes == RLIM_INFINITY ? most.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
}

static void a_row_of_pages_that_found_room_in_part_makes_its_file_longer_by_that_part(void **state)
{
    struct machine *m = *state;
    char a[LOG_SECTORS * SECTOR_BYTES];
    memset(a, 'a', sizeof a);
    const struct iovec row = { a, sizeof a };
    (void)signal(SIGXFSZ, SIG_IGN);
    files_may_have((LOG_SECTORS + 1) * SECTOR_BYTES);
    assert_int_equal(lseek(m->data, LOG_SECTORS * SECTOR_BYTES, SEEK_SET), LOG_SECTORS * SECTOR_BYTES);
    ssize_t wrote = writev(m->data, &row, 1);
    files_may_have(RLIM_INFINITY);
    assert_int_equal(wrote, SECTOR_BYTES);
    assert_int_equal(fdatasync(m->data), 0);
    write_sectors(m->data, 2 * LOG_SECTORS - 1, 1, 'b'); /* a page of memory behind the file's end */
    power_is_cut(m, m->data);
    expect_file(m, "data.mdb", "................a");
}

static void a_file_that_grew_is_as_long_as_it_was_at_the_last_sync(void **state)
{
    struct machine *m = *state;
    write_sectors(m->data, LOG_SECTORS, 2, 'a');
    assert_int_equal(fdatasync(m->data), 0);
    write_sectors(m->data, LOG_SECTORS + 2, 3, 'b');
    power_is_cut(m, m->data);
    expect_file(m, "data.mdb", "................aa");
}

static void a_few_bytes_that_are_synced_by_themselves_make_nothing_else_certain(void **state)
{
    struct machine *m = *state;
    int meta = open_file(m, "data.mdb", O_DSYNC);
    write_sectors(m->data, 2, 1, 'a');
    char bytes[100];
    memset(bytes, 'b', sizeof bytes);
    assert_int_equal(pwrite(meta, bytes, sizeof bytes, 0), sizeof bytes);
    close(meta);
    power_is_cut(m, m->data);
    int fd = open_file(m, "data.mdb", 0);
    char there[sizeof bytes] = "", zeros[SECTOR_BYTES] = "", page[SECTOR_BYTES];
    assert_int_equal(pread(fd, there, sizeof there, 0), sizeof there);
    assert_memory_equal(there, bytes, sizeof bytes);
    assert_int_equal(pread(fd, page, sizeof page, 2 * SECTOR_BYTES), sizeof page);
    assert_memory_equal(page, zeros, sizeof zeros);
    close(fd);
}

/* ---- brokers that die ---- */

static void what_a_dead_broker_wrote_is_read_by_the_next_one(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 1, 1, 'a');
    next_broker(m);
    expect_file(m, "wal", ".a..............");
}

static void what_a_dead_broker_had_not_synced_goes_with_the_power_of_its_machine(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 1, 1, 'a');
    next_broker(m);
    power_is_cut(m, m->log);
    expect_file(m, "wal", "................");
}

static void a_sync_of_the_next_broker_is_for_what_the_dead_one_wrote_too(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 1, 1, 'a');
    next_broker(m);
    assert_int_equal(fdatasync(m->log), 0);
    power_is_cut(m, m->log);
    expect_file(m, "wal", ".a..............");
}

static void what_a_broker_left_on_a_full_disk_is_uncertain_afterwards(void **state)
{
    struct machine *m = *state;
    char bytes[4 * SECTOR_BYTES];
    struct rng r = all_goes();
    memset(bytes, 'a', sizeof bytes);
    disk_arm(DISK_FULL, 1, false);
    assert_int_equal(pwrite(m->log, bytes, sizeof bytes, 0), 2 * SECTOR_BYTES);
    assert_int_equal(disk_loses(&r), 0);
    disk_disarm();
    expect_file(m, "wal", "aa..............");
    next_broker(m);
    power_is_cut(m, m->log);
    expect_file(m, "wal", "................");
}

static void a_sync_that_fails_loses_nothing_of_the_other_file(void **state)
{
    struct machine *m = *state;
    struct rng r = all_goes();
    write_sectors(m->log, 0, 1, 'a');
    write_sectors(m->data, 0, 1, 'b');
    disk_arm(DISK_SYNC_LOSES, 1, false);
    assert_int_equal(fdatasync(m->data), -1);
    close_files(m);
    assert_int_equal(disk_loses(&r), 1);
    expect_file(m, "data.mdb", "................");
    expect_file(m, "wal", "a...............");
}

static void files_that_others_put_there_are_certain(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 1, 2, 'a');
    disk_new();
    power_is_cut(m, m->log);
    expect_file(m, "wal", ".aa.............");
}

static void a_log_that_is_made_anew_is_certain_at_once(void **state)
{
    struct machine *m = *state;
    write_sectors(m->log, 1, 2, 'a');
    close(m->log);
    m->log = open_file(m, "wal", O_TRUNC);
    assert_int_equal(ftruncate(m->log, LOG_SECTORS * SECTOR_BYTES), 0);
    power_is_cut(m, m->log);
    expect_file(m, "wal", "................");
}

/* ---- the store over it ---- */

static struct store_options synced(const struct machine *m, uint64_t log_bytes)
{
    return (struct store_options){
        .dir = m->w.dir, .map_bytes = 64 << 20, .reserve_bytes = 1, .wal_bytes = log_bytes, .no_sync = true
    };
}

/* So many records of a batch, each as large as half a page. */
static enum store_rc put_records(struct machine *m, uint8_t batch, unsigned n)
{
    struct store_txn *t;
    uint8_t v[2000];
    memset(v, batch, sizeof v);
    if (store_begin(m->w.s, &t) != STORE_OK)
        return STORE_IO;
    for (unsigned i = 0; i < n; i++) {
        uint8_t key[2] = { batch, (uint8_t)i };
        assert_int_equal(store_put(t, TABLE_RUN, key, sizeof key, v, sizeof v), STORE_OK);
    }
    return store_commit(&t);
}

static unsigned records_of(struct machine *m, uint8_t batch, unsigned n)
{
    struct store_txn *t;
    struct store_val v;
    unsigned found = 0, bad = 0;
    assert_int_equal(store_begin_read(m->w.s, &t), STORE_OK);
    for (unsigned i = 0; i < n; i++) {
        uint8_t key[2] = { batch, (uint8_t)i };
        enum store_rc rc = store_get(t, TABLE_RUN, key, sizeof key, &v);
        found += rc == STORE_OK;
        bad += rc != STORE_OK && rc != STORE_NOT_FOUND;
    }
    store_abort(&t);
    assert_int_equal(bad, 0);
    return found;
}

/* True: the power went, at the n-th call that a second batch and the end of the broker made. */
static bool power_goes_at(struct machine *m, struct store_options o, uint64_t nth)
{
    struct rng r = all_goes();
    open_with(&m->w, o);
    assert_int_equal(put_records(m, 1, 3), STORE_OK);
    disk_arm(DISK_POWER, nth, false);
    bool answered = put_records(m, 2, 3) == STORE_OK;
    assert_int_equal(answered, !disk_struck());
    store_close(&m->w.s);
    bool struck = disk_struck();
    (void)disk_loses(&r);
    disk_disarm();
    open_with(&m->w, o);
    assert_int_equal(records_of(m, 1, 3), 3);
    assert_int_equal(records_of(m, 2, 3), answered ? 3 : 0);
    store_close(&m->w.s);
    assert_int_equal(remove_tree(m->w.dir), 0);
    disk_new();
    return struck;
}

static void every_batch_that_was_answered_outlives_the_power_at_any_call_behind_it(void **state)
{
    struct machine *m = *state;
    uint64_t in_log = 0, in_pages = 0;
    while (power_goes_at(m, synced(m, 64 * SECTOR_BYTES), in_log + 1))
        in_log++;
    while (power_goes_at(m, synced(m, 1), in_pages + 1))
        in_pages++;
    assert_true(in_log >= 2);   /* a write to the log, its sync */
    assert_true(in_pages >= 3); /* pages, their sync, the page that points to them */
}

static void a_log_whose_writer_is_killed_before_its_sync_is_uncertain(void **state)
{
    struct machine *m = *state;
    struct rng r = all_goes();
    open_with(&m->w, synced(m, 64 * SECTOR_BYTES));
    assert_int_equal(put_records(m, 1, 1), STORE_OK);
    disk_log_dies();
    assert_int_equal(put_records(m, 2, 1), STORE_OK);
    disk_disarm();
    disk_arm(DISK_POWER, 1, false);
    assert_int_equal(put_records(m, 3, 1), STORE_IO);
    store_close(&m->w.s);
    assert_true(disk_loses(&r) > 0);
    disk_disarm();
    open_with(&m->w, synced(m, 64 * SECTOR_BYTES));
    assert_int_equal(records_of(m, 1, 1), 1);
    assert_int_equal(records_of(m, 2, 1), 0);
}

/* The third batch's commit is on the disk, though its last sync failed, and the broker dies of it; the page that
 * pointed to the commit before it, which LMDB has put back, is in the machine's memory only. The next broker begins
 * from there, and dies with its machine while it writes the pages of the fourth. */
static void fourth_batch_is_cut_off(struct machine *m, uint64_t seed)
{
    struct rng r = rng_of(seed, "a commit of doubt", 0);
    open_with(&m->w, synced(m, 1));
    assert_int_equal(put_records(m, 1, 20), STORE_OK);
    assert_int_equal(put_records(m, 2, 20), STORE_OK);
    disk_arm(DISK_SYNC_LOSES, 2, true);
    assert_int_equal(put_records(m, 3, 20), STORE_IO);
    store_close(&m->w.s);
    disk_disarm();
    open_with(&m->w, synced(m, 1));
    disk_arm(DISK_POWER, 5, false);
    assert_int_equal(put_records(m, 4, 20), STORE_IO);
    store_close(&m->w.s);
    (void)disk_loses(&r);
    disk_disarm();
}

static void a_commit_whose_last_sync_failed_never_points_to_pages_of_the_next_one(void **state)
{
    struct machine *m = *state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fourth_batch_is_cut_off(m, seed);
        open_with(&m->w, synced(m, 1));
        assert_int_equal(records_of(m, 1, 20), 20);
        assert_int_equal(records_of(m, 2, 20), 20);
        assert_int_equal(records_of(m, 3, 20), 0);
        assert_int_equal(records_of(m, 4, 20), 0);
        store_close(&m->w.s);
        assert_int_equal(remove_tree(m->w.dir), 0);
        disk_new();
    }
}

static void a_start_that_cannot_sync_what_a_dead_broker_left_is_an_error(void **state)
{
    struct machine *m = *state;
    open_with(&m->w, synced(m, 1));
    assert_int_equal(put_records(m, 1, 1), STORE_OK);
    store_close(&m->w.s);
    struct store_options o = synced(m, 1);
    disk_arm(DISK_SYNC_LOSES, 1, false);
    assert_int_equal(store_open(&m->w.s, &o, ID, m->w.text, sizeof m->w.text), STORE_IO);
    disk_disarm();
    open_with(&m->w, o);
    assert_int_equal(records_of(m, 1, 1), 1);
}

#define OF_FILES(f) cmocka_unit_test_setup_teardown(f, bring_up_files, take_down)
#define OF_STORE(f) cmocka_unit_test_setup_teardown(f, bring_up, take_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_FILES(what_was_synced_is_there_when_the_power_has_gone),
        OF_FILES(what_was_not_synced_goes_however_long_ago_it_was_written),
        OF_FILES(a_sector_that_was_written_twice_is_what_it_was_at_the_last_sync),
        OF_FILES(a_write_within_a_sector_brings_back_the_whole_of_it),
        OF_FILES(a_sync_of_one_file_is_none_of_the_other),
        OF_FILES(a_row_of_pages_in_one_write_is_uncertain_until_a_sync),
        OF_FILES(a_row_of_pages_that_found_room_in_part_makes_its_file_longer_by_that_part),
        OF_FILES(a_file_that_grew_is_as_long_as_it_was_at_the_last_sync),
        OF_FILES(a_few_bytes_that_are_synced_by_themselves_make_nothing_else_certain),
        OF_FILES(what_a_dead_broker_wrote_is_read_by_the_next_one),
        OF_FILES(what_a_dead_broker_had_not_synced_goes_with_the_power_of_its_machine),
        OF_FILES(a_sync_of_the_next_broker_is_for_what_the_dead_one_wrote_too),
        OF_FILES(what_a_broker_left_on_a_full_disk_is_uncertain_afterwards),
        OF_FILES(a_sync_that_fails_loses_nothing_of_the_other_file),
        OF_FILES(files_that_others_put_there_are_certain),
        OF_FILES(a_log_that_is_made_anew_is_certain_at_once),
        OF_STORE(every_batch_that_was_answered_outlives_the_power_at_any_call_behind_it),
        OF_STORE(a_log_whose_writer_is_killed_before_its_sync_is_uncertain),
        OF_STORE(a_commit_whose_last_sync_failed_never_points_to_pages_of_the_next_one),
        OF_STORE(a_start_that_cannot_sync_what_a_dead_broker_left_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
