/* LMDB that falls over its own tree: what is told as such, and that all else ends the process as if nobody had looked. Each in a child, whom it ends. */
#include <signal.h>

#include "broker/broken_tree.h"
#include "broker/endless.h"
#include "tests/unit/child.h"
#include "tests/unit/store_image.h"

#define TOLD 42
#define A_PAGE                                                                                                         \
    ": a page of this file, of a copy that is being made, or of lock.mdb is damaged, or a program has a mistake"
#define WHY "/data.mdb: LMDB fell over its own tree" A_PAGE
#define ENDLESS "/data.mdb: LMDB does not come back from its own tree" A_PAGE
#define STORE "/the/store's"
#define RECORDS 60u

struct attempt {
    struct world *w;
    void (*act)(struct world *);
};

static int tell(const struct broken_tree *tree)
{
    broken_tree_print(tree);
    return TOLD;
}

static void watched(void *arg, int said_fd)
{
    const struct attempt *a = arg;
    dup2(said_fd, STDERR_FILENO);
    signal(SIGSEGV, SIG_DFL); /* cmocka's, or a sanitizer's */
    signal(SIGABRT, SIG_DFL);
    broken_tree_catch(STORE, tell);
    a->act(a->w);
}

static struct end end_of(struct world *w, void (*act)(struct world *))
{
    return in_a_child(watched, &(struct attempt){ w, act });
}

static void expect_told(struct world *w, void (*act)(struct world *))
{
    struct end e = end_of(w, act);
    expect_exit(&e, TOLD, "sunlined: " STORE WHY "\n");
}

static void expect_killed(struct world *w, void (*act)(struct world *))
{
    struct end e = end_of(w, act);
    expect_signal(&e, SIGSEGV);
}

/* Where nothing is; what the compiler does not know. */
static char *nowhere(void)
{
    static char *volatile p = (char *)16;
    return p;
}

static void lmdb_reads_nothing(struct world *w)
{
    (void)w;
    (void)mdb_txn_id((MDB_txn *)(void *)nowhere());
}

static void lmdb_has_nothing_measured(struct world *w)
{
    MDB_env *env;
    (void)w;
    if (mdb_env_create(&env) == 0)
        (void)mdb_env_open(env, nowhere(), 0, 0600);
}

static void we_read_nothing(struct world *w)
{
    (void)w;
    (void)*(const volatile char *)nowhere();
}

static void we_have_nothing_measured(struct world *w)
{
    size_t (*volatile measure)(const char *) = strlen;
    (void)w;
    (void)measure(nowhere());
}

static void be_killed(struct world *w)
{
    (void)w;
    kill(getpid(), SIGSEGV);
}

static void lmdb_that_goes_where_nothing_is_has_a_broken_tree(void **state)
{
    expect_told(*state, lmdb_reads_nothing);
}

static void so_has_lmdb_that_sends_the_c_library_there(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state;
    skip(); /* it puts itself between the two */
#endif
    expect_told(*state, lmdb_has_nothing_measured);
}

static void we_that_go_there_or_send_the_c_library_have_a_mistake(void **state)
{
    expect_killed(*state, we_read_nothing);
    expect_killed(*state, we_have_nothing_measured);
}

static void who_sends_the_signal_ends_the_process_by_the_first_one(void **state)
{
    expect_killed(*state, be_killed);
}

static void seek_between_all(struct world *w)
{
    struct store_options o = options(w);
    struct store_txn *t;
    struct store_cursor c;
    uint8_t key[5] = { 0 };
    o.lmdb_asserted = broken_tree_asserted;
    open_with(w, o);
    if (store_begin_read(w->s, &t) != STORE_OK)
        return;
    for (uint32_t i = 0; i < RECORDS; i++) {
        key_u32(key, i);
        if (store_cursor_open(t, TABLE_UNIT, &c) == STORE_OK) {
            (void)store_seek(&c, key, sizeof key - 1);
            (void)store_seek(&c, key, sizeof key);
            store_cursor_close(&c);
        }
    }
}

static void a_long_path_and_a_long_word_of_lmdbs_are_cut(void **state)
{
    char path[5000], file[BROKEN_TREE_FILE_BYTES_MAX];
    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct broken_tree tree = { .dir = path, .said = path };
    broken_tree_file(&tree, file);
    assert_int_equal(strlen(file), sizeof file - 1);
    assert_string_equal(strchr(file, '/'), "/data.mdb");
    int fds[2];
    char said[4096];
    assert_int_equal(pipe(fds), 0);
    int before = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    broken_tree_print(&tree);
    dup2(before, STDERR_FILENO);
    close(before);
    close(fds[1]);
    ssize_t n = read(fds[0], said, sizeof said - 1);
    close(fds[0]);
    assert_true(n > 0);
    said[n] = '\0';
    assert_non_null(strstr(said, WHY " ("));
    assert_int_equal(strspn(strstr(said, WHY " (") + sizeof WHY " (" - 1, "x"), 256);
    assert_string_equal(said + n - 2, ")\n");
}

/* A file with a tree of several pages. */
static struct image a_tree(struct world *w)
{
    uint8_t key[4], v[900] = { 0 };
    open_store(w);
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < RECORDS; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    store_close(&w->s);
    return load(w);
}

static void an_assertion_of_lmdb_is_told_with_what_it_says(void **state)
{
    struct world *w = *state;
    struct image im = a_tree(w);
    memset(child_of(im, 7), 0, 6); /* the page at which the file begins is no leaf */
    save(w, im.p, im.n);
    free(im.p);
    struct end e = end_of(w, seek_between_all);
    assert_non_null(strstr(e.said, WHY " (mdb.c:"));
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), TOLD);
}

static void look_for_one_in_what_has_no_end(struct world *w)
{
    struct store_txn *t;
    struct store_val v;
    uint8_t key[4];
    open_with(w, options(w));
    endless_watch(1);
    key_u32(key, 7);
    if (store_begin_read(w->s, &t) == STORE_OK)
        (void)store_get(t, TABLE_UNIT, key, sizeof key, &v);
}

static void a_call_of_lmdbs_that_does_not_come_back_is_told(void **state)
{
    struct world *w = *state;
    struct image im = a_tree(w);
    uint8_t *branch = largest_branch(im);
    branch[10] |= 0x20;          /* keys that all have one length, which is none for this table ... */
    branch[12] = branch[13] = 0; /* ... and less than none of them: two thousand million */
    save(w, im.p, im.n);
    free(im.p);
    struct end e = end_of(w, look_for_one_in_what_has_no_end);
    expect_exit(&e, TOLD, "sunlined: " STORE ENDLESS "\n");
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void think_for_three_looks(struct world *w)
{
    (void)w;
    endless_watch(1);
    while (cpu_us() < 3100000) {}
}

static void who_works_long_elsewhere_is_left_alone(void **state)
{
    struct end e = end_of(*state, think_for_three_looks);
    expect_exit(&e, 0, "");
}

static void count_for_three_looks(struct world *w)
{
    struct store_space room;
    open_with(w, options(w));
    endless_watch(1);
    while (cpu_us() < 3100000)
        (void)store_pressure(w->s, cpu_us(), &room);
}

static void who_asks_lmdb_much_that_is_in_no_tree_is_left_alone(void **state)
{
    struct end e = end_of(*state, count_for_three_looks);
    expect_exit(&e, 0, "");
}

static void be_told_that_time_is_up(struct world *w)
{
    (void)w;
    endless_watch(1);
    kill(getpid(), SIGXCPU);
}

static void a_limit_of_the_systems_own_ends_the_process_as_ever(void **state)
{
    struct end e = end_of(*state, be_told_that_time_is_up);
    expect_signal(&e, SIGXCPU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lmdb_that_goes_where_nothing_is_has_a_broken_tree),
        TEST(so_has_lmdb_that_sends_the_c_library_there),
        TEST(we_that_go_there_or_send_the_c_library_have_a_mistake),
        TEST(who_sends_the_signal_ends_the_process_by_the_first_one),
        TEST(a_long_path_and_a_long_word_of_lmdbs_are_cut),
        TEST(an_assertion_of_lmdb_is_told_with_what_it_says),
        TEST(a_call_of_lmdbs_that_does_not_come_back_is_told),
        TEST(who_works_long_elsewhere_is_left_alone),
        TEST(who_asks_lmdb_much_that_is_in_no_tree_is_left_alone),
        TEST(a_limit_of_the_systems_own_ends_the_process_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
