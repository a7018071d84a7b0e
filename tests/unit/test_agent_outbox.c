/* The outbox, the record file under it, the journal and the data directory: what a crash leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/journal_begin.h"
#include "worker-agent/datadir.h"
#include "worker-agent/journal.h"
#include "worker-agent/outbox.h"

/* ---------------------------------------------------------------- a directory of its own */
struct place {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->path, sizeof p->path, "/tmp/sunline-outbox-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->fd >= 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    DIR *d = opendir(p->path);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlinkat(p->fd, e->d_name, 0);
    closedir(d);
    close(p->fd);
    rmdir(p->path);
    free(p);
    return 0;
}

static size_t read_all(const struct place *p, const char *name, char *to, size_t size)
{
    int fd = openat(p->fd, name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, to, size);
    assert_true(n >= 0 && (size_t)n < size);
    close(fd);
    return (size_t)n;
}

static void write_all(const struct place *p, const char *name, const char *from, size_t n)
{
    int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, from, n), (ssize_t)n);
    close(fd);
}

/* ---------------------------------------------------------------- helpers over the outbox */
struct found {
    uint64_t seq[64], assignment[64];
    bool person[64];
    char bytes[64][64];
    size_t n;
};

static void on_found(void *arg, const struct outbox_entry *e)
{
    struct found *f = arg;
    assert_true(f->n < 64 && e->packed.n < 64);
    f->seq[f->n] = e->seq;
    f->assignment[f->n] = e->assignment;
    f->person[f->n] = e->person;
    memcpy(f->bytes[f->n], e->packed.p, e->packed.n);
    f->bytes[f->n][e->packed.n] = 0;
    f->n++;
}

static struct outbox *open_box(const struct place *p, uint32_t segment_bytes, struct found *f)
{
    int rc = 0;
    *f = (struct found){ 0 };
    struct outbox *o = agent_outbox_open(p->fd, segment_bytes, on_found, f, &rc);
    assert_int_equal(rc, 0);
    assert_non_null(o);
    return o;
}

static uint64_t add(struct outbox *o, uint64_t assignment, const char *text)
{
    uint64_t seq =
        agent_outbox_add(o, assignment, 3, assignment % 2, (struct slp_bytes){ text, (uint32_t)strlen(text) });
    assert_true(seq > 0);
    return seq;
}

/* ---------------------------------------------------------------- the outbox */
static void what_was_not_acknowledged_is_there_after_a_restart(void **state)
{
    struct found f;
    struct outbox *o = open_box(*state, 0, &f);
    add(o, 10, "ten");
    uint64_t second = add(o, 11, "eleven");
    add(o, 12, "twelve");
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_ack(o, second);
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
    o = open_box(*state, 0, &f);
    assert_int_equal(f.n, 2);
    assert_string_equal(f.bytes[0], "ten");
    assert_string_equal(f.bytes[1], "twelve");
    assert_int_equal(f.assignment[1], 12);
    assert_false(f.person[1]);
    assert_int_equal(add(o, 13, "next"), 4); /* numbers go on */
    agent_outbox_close(&o);
}

static void numbers_are_not_used_again_after_all_is_acknowledged(void **state)
{
    struct found f;
    struct outbox *o = open_box(*state, 0, &f);
    agent_outbox_ack(o, add(o, 10, "ten"));
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
    o = open_box(*state, 0, &f);
    assert_int_equal(f.n, 0);
    assert_int_equal(add(o, 11, "eleven"), 2);
    agent_outbox_close(&o);
}

static void a_file_torn_at_any_byte_keeps_every_whole_result(void **state)
{
    struct place *p = *state;
    struct found f;
    static const char *const words[] = { "one", "twenty-two", "three" };
    char whole[1024];
    size_t ends[4] = { 0 };
    struct outbox *o = open_box(p, 0, &f);
    for (size_t i = 0; i < 3; i++) {
        add(o, 10 + i, words[i]);
        assert_int_equal(agent_outbox_write(o), 0);
        struct stat st;
        assert_int_equal(fstat(agent_outbox_fd(o), &st), 0);
        ends[i + 1] = (size_t)st.st_size;
    }
    agent_outbox_close(&o);
    size_t n = read_all(p, "outbox-0000000001.log", whole, sizeof whole);
    assert_int_equal(n, ends[3]);
    for (size_t cut = 0; cut <= n; cut++) {
        write_all(p, "outbox-0000000001.log", whole, cut);
        size_t expected = cut >= ends[3] ? 3 : cut >= ends[2] ? 2 : cut >= ends[1] ? 1 : 0;
        o = open_box(p, 0, &f);
        if (f.n != expected)
            fail_msg("cut at %zu: %zu results, not %zu", cut, f.n, expected);
        for (size_t i = 0; i < expected; i++)
            assert_string_equal(f.bytes[i], words[i]);
        add(o, 99, "after"); /* and it goes on where the tail was cut off */
        assert_int_equal(agent_outbox_write(o), 0);
        agent_outbox_close(&o);
        o = open_box(p, 0, &f);
        assert_int_equal(f.n, expected + 1);
        assert_string_equal(f.bytes[expected], "after");
        agent_outbox_close(&o);
    }
}

static void a_flipped_bit_costs_one_result_and_is_reported(void **state)
{
    struct place *p = *state;
    struct found f;
    char whole[1024], bad[1024];
    struct outbox *o = open_box(p, 0, &f);
    for (uint64_t i = 0; i < 4; i++)
        add(o, 10 + i, "same length");
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
    size_t n = read_all(p, "outbox-0000000001.log", whole, sizeof whole);
    for (size_t bit = 8 * 8; bit < 8 * n; bit += 3) { /* behind the file's first word */
        memcpy(bad, whole, n);
        bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
        write_all(p, "outbox-0000000001.log", bad, n);
        o = open_box(p, 0, &f);
        assert_int_equal(f.n, 3);
        for (size_t i = 0; i < f.n; i++)
            assert_string_equal(f.bytes[i], "same length"); /* no wrong byte */
        bool last = f.assignment[2] != 13;
        assert_true(agent_outbox_damaged(o) > 0 || last); /* a damaged last one looks like a torn tail */
        agent_outbox_close(&o);
    }
}

static void a_file_that_is_none_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    struct found f = { 0 };
    char text[64];
    int rc = 0;
    write_all(p, "outbox-0000000001.log", "important letters", 17);
    assert_null(agent_outbox_open(p->fd, 0, on_found, &f, &rc));
    assert_int_equal(rc, EBADMSG);
    assert_int_equal(read_all(p, "outbox-0000000001.log", text, sizeof text), 17);
}

/* After a power cut a file may have its new length and none of its bytes. */
static void a_new_segment_whose_bytes_never_came_to_the_disk_is_begun_again(void **state)
{
    struct place *p = *state;
    struct found f;
    static const char zeros[600];
    struct outbox *o = open_box(p, 0, &f);
    add(o, 11, "kept");
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
    for (size_t n = 8; n <= sizeof zeros; n += 148) {
        write_all(p, "outbox-0000000002.log", zeros, n);
        o = open_box(p, 0, &f);
        assert_int_equal(f.n, 1);
        assert_string_equal(f.bytes[0], "kept");
        agent_outbox_close(&o);
    }
}

/* That is another damage than a file that is new: what is whole in it was kept. */
static void whole_results_behind_a_head_of_zeros_stay(void **state)
{
    struct place *p = *state;
    struct found f;
    char text[600];
    struct outbox *o = open_box(p, 0, &f);
    add(o, 11, "kept");
    assert_int_equal(agent_outbox_write(o), 0);
    agent_outbox_close(&o);
    size_t n = read_all(p, "outbox-0000000001.log", text, sizeof text);
    memset(text, 0, 8);
    write_all(p, "outbox-0000000001.log", text, n);
    for (int i = 0; i < 2; i++) { /* and at the next start, too */
        o = open_box(p, 0, &f);
        assert_int_equal(f.n, 1);
        assert_string_equal(f.bytes[0], "kept");
        agent_outbox_close(&o);
    }
}

static void acknowledged_segments_disappear_and_the_others_stay(void **state)
{
    struct found f;
    struct outbox *o = open_box(*state, 256, &f);
    uint64_t seqs[40];
    for (uint64_t i = 0; i < 40; i++) {
        seqs[i] = add(o, 100 + i, "a result of some length");
        assert_int_equal(agent_outbox_write(o), 0);
    }
    assert_true(agent_outbox_segments(o) > 8);
    for (uint64_t i = 1; i < 40; i++)
        agent_outbox_ack(o, seqs[i]);
    assert_int_equal(agent_outbox_write(o), 0);
    assert_true(agent_outbox_segments(o) > 8); /* the first result is still needed */
    agent_outbox_close(&o);
    o = open_box(*state, 256, &f);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.assignment[0], 100);
    agent_outbox_ack(o, f.seq[0]);
    assert_int_equal(agent_outbox_write(o), 0);
    assert_true(agent_outbox_segments(o) <= 2);
    agent_outbox_close(&o);
    o = open_box(*state, 256, &f);
    assert_int_equal(f.n, 0);
    agent_outbox_close(&o);
}

static void it_does_not_grow_when_everything_is_acknowledged(void **state)
{
    struct found f;
    struct outbox *o = open_box(*state, 4096, &f);
    for (uint64_t i = 1; i < 3000; i++) {
        agent_outbox_ack(o, add(o, i, "a result of some length, as robots make them"));
        assert_int_equal(agent_outbox_write(o), 0);
        assert_true(agent_outbox_segments(o) <= 2);
    }
    agent_outbox_close(&o);
}

static void a_result_can_be_read_again_before_and_after_it_is_written(void **state)
{
    struct found f;
    struct slp_buf b = { 0 };
    struct outbox *o = open_box(*state, 0, &f);
    uint64_t seq = add(o, 11, "my words");
    assert_int_equal(agent_outbox_read(o, seq, &b), 0);
    assert_int_equal(b.n, 8);
    assert_int_equal(agent_outbox_write(o), 0);
    assert_int_equal(agent_outbox_read(o, seq, &b), 0);
    assert_memory_equal(b.p, "my wordsmy words", 16);
    assert_true(agent_outbox_is_person(o, seq));
    assert_int_equal(agent_outbox_read(o, 77, &b), ENOENT);
    slp_buf_free(&b);
    agent_outbox_close(&o);
}

/* The file-size limit stands for a full disk: a write comes back short, then fails. */
static void a_full_disk_tears_nothing_and_is_recovered_from(void **state)
{
    struct found f;
    struct rlimit old, small;
    struct outbox *o = open_box(*state, 0, &f);
    char text[41];
    memset(text, 'x', 40);
    text[40] = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    add(o, 1, "first");
    assert_int_equal(agent_outbox_write(o), 0);
    uint64_t second = add(o, 2, text);
    for (rlim_t limit = 48; limit < 120; limit += 7) {
        small = old;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int rc = agent_outbox_write(o);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(rc, EFBIG);
        struct found g;
        int ignored;
        struct outbox *other =
            agent_outbox_open(((struct place *)*state)->fd, 0, on_found, (g = (struct found){ 0 }, &g), &ignored);
        assert_int_equal(g.n, 1); /* what another start would find */
        agent_outbox_close(&other);
    }
    assert_int_equal(agent_outbox_write(o), 0); /* there is room again */
    agent_outbox_close(&o);
    o = open_box(*state, 0, &f);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.seq[1], second);
    assert_string_equal(f.bytes[1], text);
    agent_outbox_close(&o);
}

/* A process adds results, writes them, and says how far it got; it is killed in the middle. What it told of and did not
 * acknowledge must be there. */
struct seen {
    uint64_t seq[16384];
    size_t n;
};

static void on_seen(void *arg, const struct outbox_entry *e)
{
    struct seen *f = arg;
    assert_true(f->n < sizeof f->seq / sizeof *f->seq);
    f->seq[f->n++] = e->seq;
}

static struct outbox *open_seen(const struct place *p, struct seen *f)
{
    int rc = 0;
    f->n = 0;
    return agent_outbox_open(p->fd, 2048, on_seen, f, &rc);
}

static void fill_until_killed(const struct place *p, struct seen *f, int tell_fd)
{
    struct outbox *o = open_seen(p, f);
    for (uint64_t seq = 1; o && seq;) {
        seq = agent_outbox_add(o, 7, 3, true, (struct slp_bytes){ "my words", 8 });
        if (agent_outbox_write(o) != 0 || write(tell_fd, &seq, sizeof seq) != sizeof seq)
            break;
        if (seq % 4 != 0)
            agent_outbox_ack(o, seq);
    }
    _exit(1);
}

static void kill_9_after_the_write_loses_nothing(void **state)
{
    struct place *p = *state;
    struct seen *f = calloc(1, sizeof *f);
    uint64_t first = 1;
    for (int turn = 0; turn < 8; turn++) {
        int pipes[2];
        uint64_t told, last = 0;
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        if (pid == 0)
            fill_until_killed(p, f, pipes[1]);
        close(pipes[1]);
        for (int n = 0; n < 200 + turn * 37 && read(pipes[0], &told, sizeof told) == sizeof told; n++)
            last = told;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(pipes[0], &told, sizeof told) == sizeof told)
            last = told;
        close(pipes[0]);
        assert_true(last > first);
        struct outbox *o = open_seen(p, f);
        assert_non_null(o);
        size_t at = 0;
        for (uint64_t seq = first; seq <= last; seq++) {
            if (seq % 4 != 0)
                continue;
            while (at < f->n && f->seq[at] < seq)
                at++;
            if (at == f->n || f->seq[at] != seq)
                fail_msg("result %llu was told of and is gone", (unsigned long long)seq);
        }
        for (size_t i = 0; i < f->n; i++)
            agent_outbox_ack(o, f->seq[i]);
        assert_int_equal(agent_outbox_write(o), 0);
        first = add(o, 1, "probe");
        agent_outbox_ack(o, first++);
        assert_int_equal(agent_outbox_write(o), 0);
        agent_outbox_close(&o);
    }
    free(f);
}

/* ---------------------------------------------------------------- the data directory */
static void each_start_has_a_higher_incarnation_and_the_same_id(void **state)
{
    struct place *p = *state;
    struct datadir a, b;
    char text[256];
    assert_int_equal(datadir_open(&a, p->path, text, sizeof text), 0);
    assert_int_equal(a.incarnation, 1);
    assert_int_equal(datadir_open(&b, p->path, text, sizeof text), -1);
    assert_non_null(strstr(text, "another agent is running"));
    uint8_t id[16];
    memcpy(id, a.id, 16);
    datadir_close(&a);
    assert_int_equal(datadir_open(&b, p->path, text, sizeof text), 0);
    assert_int_equal(b.incarnation, 2);
    assert_memory_equal(b.id, id, 16);
    datadir_close(&b);
}

static void a_damaged_identity_is_no_new_agent(void **state)
{
    struct place *p = *state;
    struct datadir a;
    char text[256];
    write_all(p, "identity", "data_id=12\n", 11);
    assert_int_equal(datadir_open(&a, p->path, text, sizeof text), -1);
    assert_non_null(strstr(text, "identity"));
}

/* ---------------------------------------------------------------- the journal */
struct told {
    uint64_t tasks[16], stations[16];
    char fields[16][32];
    size_t n, forms;
};

static void on_form(void *arg, struct slp_bytes body)
{
    (void)body;
    ((struct told *)arg)->forms++;
}

static void on_task(void *arg, const struct core_task *t)
{
    struct told *f = arg;
    f->tasks[f->n] = t->assignment;
    f->stations[f->n] = t->station_id;
    struct slp_cursor each = slp_each(t->fields);
    struct slp_bytes s;
    assert_true(slp_next_str(&each, &s) && s.n < 32);
    memcpy(f->fields[f->n], s.p, s.n);
    f->fields[f->n++][s.n] = 0;
}

static struct journal *open_journal(const struct place *p, struct told *f)
{
    int rc = 0;
    *f = (struct told){ 0 };
    struct journal_events events = { on_form, on_task, f };
    struct journal *j = journal_open(p->fd, &events, &rc);
    assert_int_equal(rc, 0);
    return j;
}

static void begun_tasks_and_drafts_are_there_after_a_restart(void **state)
{
    struct told f;
    struct journal *j = open_journal(*state, &f);
    journal_begin(j, 10, 5, "ten");
    journal_begin(j, 11, 5, "eleven");
    journal_begin(j, 12, 6, "twelve");
    assert_int_equal(journal_draft(j, 11, "{\"a\":1}", 7), 0);
    assert_int_equal(journal_draft(j, 11, "{\"a\":22}", 8), 0);
    assert_int_equal(journal_draft(j, 99, "{}", 2), ENOENT);
    journal_over(j, 12);
    assert_int_equal(journal_write(j), 0);
    journal_close(&j);
    for (int i = 0; i < 2; i++) { /* the second time from the file that the first one rewrote */
        j = open_journal(*state, &f);
        assert_int_equal(f.n, 2);
        assert_int_equal(f.forms, 1); /* station 6's is needed by nobody */
        assert_int_equal(f.tasks[1], 11);
        assert_string_equal(f.fields[0], "ten");
        assert_int_equal(journal_draft_of(j, 11).n, 8);
        assert_memory_equal(journal_draft_of(j, 11).p, "{\"a\":22}", 8);
        assert_int_equal(journal_draft_of(j, 10).n, 0);
        journal_close(&j);
    }
}

static void the_journal_does_not_grow_without_end(void **state)
{
    struct told f;
    struct stat st;
    char draft[4096];
    struct journal *j = open_journal(*state, &f);
    memset(draft, 'x', sizeof draft);
    journal_begin(j, 10, 5, "ten");
    for (int i = 0; i < 3000; i++) { /* 12 MB of drafts */
        assert_int_equal(journal_draft(j, 10, draft, sizeof draft), 0);
        assert_int_equal(journal_write(j), 0);
    }
    assert_int_equal(fstat(journal_fd(j), &st), 0);
    assert_true(st.st_size < 2 * 1024 * 1024);
    assert_int_equal(journal_count(j), 1);
    journal_close(&j);
}

static void a_journal_torn_at_any_byte_opens(void **state)
{
    struct place *p = *state;
    struct told f;
    char whole[2048];
    struct journal *j = open_journal(p, &f);
    journal_begin(j, 10, 5, "ten");
    assert_int_equal(journal_draft(j, 10, "{\"a\":1}", 7), 0);
    journal_begin(j, 11, 5, "eleven");
    assert_int_equal(journal_write(j), 0);
    journal_close(&j);
    size_t n = read_all(p, "journal.log", whole, sizeof whole), last = 0;
    for (size_t cut = 0; cut <= n; cut++) {
        write_all(p, "journal.log", whole, cut);
        j = open_journal(p, &f);
        assert_true(f.n >= last); /* never fewer with more bytes */
        last = f.n;
        journal_close(&j);
    }
    assert_int_equal(last, 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_not_acknowledged_is_there_after_a_restart),
        T(numbers_are_not_used_again_after_all_is_acknowledged),
        T(a_file_torn_at_any_byte_keeps_every_whole_result),
        T(a_flipped_bit_costs_one_result_and_is_reported),
        T(a_file_that_is_none_is_refused_and_left_alone),
        T(a_new_segment_whose_bytes_never_came_to_the_disk_is_begun_again),
        T(whole_results_behind_a_head_of_zeros_stay),
        T(acknowledged_segments_disappear_and_the_others_stay),
        T(it_does_not_grow_when_everything_is_acknowledged),
        T(a_result_can_be_read_again_before_and_after_it_is_written),
        T(a_full_disk_tears_nothing_and_is_recovered_from),
        T(kill_9_after_the_write_loses_nothing),
        T(each_start_has_a_higher_incarnation_and_the_same_id),
        T(a_damaged_identity_is_no_new_agent),
        T(begun_tasks_and_drafts_are_there_after_a_restart),
        T(the_journal_does_not_grow_without_end),
        T(a_journal_torn_at_any_byte_opens),
    };
    return cmocka_run_group_tests_name("agent outbox", tests, NULL, NULL);
}
