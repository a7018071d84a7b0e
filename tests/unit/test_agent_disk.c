/* The agent's files on a disk that does not give them: an error with words, and nothing is thrown away. And files longer than what is in memory of them at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "tests/lib/sys_fails.h"
#include "tests/unit/journal_begin.h"
#include "worker-agent/journal.h"
#include "worker-agent/outbox.h"
#include "worker-agent/reclog.h"

#define SEGMENT "outbox-0000000001.log"
#define RECORDS 24
#define RESULTS 6
#define RESULT_BYTES 400000

struct world {
    char dir[64];
    int fd;
    unsigned char *bytes; /* of a record: any part of it is unlike any other */
    uint32_t length[RECORDS];
    uint64_t off[RECORDS];
    size_t found, next;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->bytes = malloc(RECLOG_RECORD_BYTES_MAX + RECORDS);
    for (uint32_t i = 0; i < RECLOG_RECORD_BYTES_MAX + RECORDS; i++)
        w->bytes[i] = (unsigned char)(i * 2654435761u >> 24);
    strcpy(w->dir, "/tmp/sunline-disk-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->fd >= 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    static const char *const names[] = { SEGMENT, "outbox-0000000002.log", "journal.log", "records" };
    sys_disarm();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(w->fd, names[i], 0);
    close(w->fd);
    assert_int_equal(rmdir(w->dir), 0);
    free(w->bytes);
    free(w);
    return 0;
}

static off_t size_of(const struct world *w, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(w->fd, name, &st, 0), 0);
    return st.st_size;
}

/* ---------------------------------------------------------------- the outbox, the journal */
static void count_result(void *arg, const struct outbox_entry *e)
{
    struct world *w = arg;
    assert_int_equal(e->packed.n, RESULT_BYTES);
    assert_memory_equal(e->packed.p, w->bytes, RESULT_BYTES);
    w->found++;
}

static struct outbox *open_outbox(struct world *w, int *rc)
{
    w->found = 0;
    return agent_outbox_open(w->fd, 64 << 20, count_result, w, rc);
}

static void leave_results(struct world *w)
{
    int rc;
    struct outbox *o = open_outbox(w, &rc);
    assert_non_null(o);
    for (unsigned i = 0; i < RESULTS; i++)
        assert_true(agent_outbox_add(o, 1 + i, 1, true, (struct slp_bytes){ (const char *)w->bytes, RESULT_BYTES }) >
                    0);
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
}

/* Each opens, disarms, and closes again. */
typedef bool opens_fn(struct world *w, int *rc);

static bool outbox_opens(struct world *w, int *rc)
{
    struct outbox *o = open_outbox(w, rc);
    bool opened = o != NULL;
    sys_disarm();
    agent_outbox_close(&o);
    return opened;
}

static bool journal_opens(struct world *w, int *rc)
{
    const struct journal_events events = { 0 };
    struct journal *j = journal_open(w->fd, &events, rc);
    bool opened = j != NULL;
    sys_disarm();
    journal_close(&j);
    return opened;
}

/* Each read of what it opens fails once, and nothing is taken for a torn end: how many there are. */
static unsigned each_read_fails(struct world *w, opens_fn *opens, const char *file)
{
    off_t size = size_of(w, file);
    unsigned reads = 0;
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        int rc = 0;
        sys_arm(n, EIO);
        bool opened = opens(w, &rc);
        more = sys_state.failed != NULL;
        if (more && strcmp(sys_state.failed, "pread") == 0) {
            reads++;
            assert_false(opened);
            assert_int_equal(rc, EIO);
        }
        assert_int_equal(size_of(w, file), size);
    }
    return reads;
}

static void an_outbox_that_the_disk_does_not_give_is_an_error_and_loses_nothing(void **state)
{
    struct world *w = *state;
    leave_results(w);
    assert_in_range(each_read_fails(w, outbox_opens, SEGMENT), RESULTS + 3,
                    RESULTS + 4); /* 2.4 MB of records in pieces, and then each result */
    assert_int_equal(w->found, RESULTS);
}

static void a_journal_that_the_disk_does_not_give_is_an_error(void **state)
{
    struct world *w = *state;
    int rc = 0;
    assert_true(journal_opens(w, &rc));
    assert_int_equal(each_read_fails(w, journal_opens, "journal.log"), 1);
}

/* ---------------------------------------------------------------- the file of records under them */
static int one_more(void *arg, uint64_t off, const char *p, uint32_t n)
{
    struct world *w = arg;
    while (w->length[w->next] != n) /* one that is damaged is left out */
        assert_in_range(++w->next, 1, RECORDS - 1);
    assert_int_equal(off, w->off[w->next]);
    assert_memory_equal(p, w->bytes + w->next, n);
    w->next++;
    w->found++;
    return 0;
}

static void expect_records(struct world *w, size_t n, uint64_t damaged)
{
    struct reclog l;
    w->next = w->found = 0;
    assert_int_equal(reclog_open(&l, w->fd, "records", one_more, w), 0);
    assert_int_equal(w->found, n);
    assert_int_equal(l.damaged, damaged);
    reclog_close(&l);
}

static void records_of_all_lengths_are_found_in_a_file_that_is_longer_than_what_is_in_memory_of_it(void **state)
{
    struct world *w = *state;
    struct reclog l;
    assert_int_equal(reclog_open(&l, w->fd, "records", one_more, w), 0);
    for (uint32_t i = 0; i < RECORDS;
         i++) { /* the longest there may be, some that are nearly, and short ones between */
        w->length[i] = i % 3 == 0 ? RECLOG_RECORD_BYTES_MAX - i / 3 : i % 3 == 1 ? 1 + i : 100000 + 3000 * i;
        w->off[i] = reclog_add(&l, w->bytes + i, w->length[i], NULL, 0);
        assert_int_equal(reclog_write(&l), 0);
    }
    reclog_close(&l);
    expect_records(w, RECORDS, 0);
    int fd = openat(w->fd, "records", O_WRONLY);
    assert_int_equal(pwrite(fd, "?????????", 9, (off_t)w->off[9] + 70000), 9);
    close(fd);
    expect_records(w, RECORDS - 1, 8 + w->length[9]);
}

/* ---------------------------------------------------------------- what fails behind a write */
static void no_result(void *arg, const struct outbox_entry *e)
{
    (void)e;
    ((struct world *)arg)->found++;
}

/* A sync that fails is told once: whoever passes over it lets the next sync say that all is well. */
static void a_sync_that_failed_for_want_of_room_is_told_when_a_segment_is_full(void **state)
{
    struct world *w = *state;
    int rc;
    struct outbox *o = agent_outbox_open(w->fd, 4096, no_result, w, &rc);
    assert_non_null(o);
    assert_true(agent_outbox_add(o, 1, 1, true, (struct slp_bytes){ (const char *)w->bytes, 8192 }) > 0);
    sys_arm(2, ENOSPC); /* pwrite, then fdatasync of the full segment: EDQUOT or ENOSPC on NFS, btrfs, thin volumes */
    rc = agent_outbox_write(o);
    assert_non_null(sys_state.failed);
    assert_string_equal(sys_state.failed, "fdatasync");
    sys_disarm();
    agent_outbox_close(&o);
    assert_int_equal(rc, EIO); /* else the syncer's next sync, which says that all is well, tells the person 'kept' */
}

static size_t begun_found;
static void on_kept_form(void *arg, struct slp_bytes body)
{
    (void)arg;
    (void)body;
}
static void on_begun(void *arg, const struct core_task *t)
{
    (void)arg;
    begun_found += t->assignment == 7;
}

/* The new journal has taken the old one's name, and only then something failed. */
static void a_journal_that_was_rewritten_is_the_one_that_is_written_to(void **state)
{
    struct world *w = *state;
    const struct journal_events events = { on_kept_form, on_begun, NULL };
    int rc;
    struct journal *j = journal_open(w->fd, &events, &rc);
    assert_non_null(j);
    journal_begin(j, 6, 5, "six");
    char *draft = malloc(250000);
    memset(draft, 'x', 250000);
    bool failed = false;
    /* Until it is rewritten: pwrite, openat, fstat, ftruncate, pwrite, pwrite, fdatasync, fsync. */
    for (int i = 0; i < 40 && !failed; i++) {
        assert_int_equal(journal_draft(j, 6, draft, 200000), 0);
        sys_arm(8, EIO); /* the folder's sync, behind the new name */
        rc = journal_write(j);
        failed = sys_state.failed != NULL;
        assert_int_equal(rc, failed ? EIO : 0);
        if (failed)
            assert_string_equal(sys_state.failed, "fsync");
        sys_disarm();
    }
    assert_true(failed);
    journal_begin(j, 7, 5, "seven");
    assert_int_equal(journal_draft(j, 7, draft, 250000),
                     0); /* so much is alive now that it is not rewritten again soon */
    assert_int_equal(journal_write(j), 0);
    assert_int_equal(fdatasync(journal_fd(j)), 0); /* "kept": true */
    journal_close(&j);
    begun_found = 0;
    j = journal_open(w->fd, &events, &rc);
    assert_non_null(j);
    size_t n = journal_draft_of(j, 7).n;
    journal_close(&j);
    free(draft);
    assert_int_equal(begun_found, 1);
    assert_int_equal(n, 250000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_outbox_that_the_disk_does_not_give_is_an_error_and_loses_nothing),
        T(a_journal_that_the_disk_does_not_give_is_an_error),
        T(records_of_all_lengths_are_found_in_a_file_that_is_longer_than_what_is_in_memory_of_it),
        T(a_sync_that_failed_for_want_of_room_is_told_when_a_segment_is_full),
        T(a_journal_that_was_rewritten_is_the_one_that_is_written_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
