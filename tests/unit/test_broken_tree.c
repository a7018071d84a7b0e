/* LMDB that falls over its own tree: what is told as such, and that all else ends the process as if nobody had looked. Each in a child, whom it ends. */
#include <signal.h>

#include "broker/broken_tree.h"
#include "tests/unit/child.h"
#include "tests/unit/store_image.h"

#define TOLD 42
#define WHY                                                                                                            \
    "/data.mdb: LMDB fell over its own tree: a page of this file, of a copy that is being made, or of lock.mdb is "    \
    "damaged, or a program has a mistake"
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
    struct broken_tree tree = { path, "why", path };
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
    assert_int_equal(strspn(strstr(said, "/data.mdb: why (") + 16, "x"), 256);
    assert_string_equal(said + n - 2, ")\n");
}

static void an_assertion_of_lmdb_is_told_with_what_it_says(void **state)
{
    struct world *w = *state;
    uint8_t key[4], v[900] = { 0 };
    open_store(w);
    struct store_txn *t = begin(w);
    for (uint32_t i = 0; i < RECORDS; i++) {
        key_u32(key, i);
        assert_int_equal(store_append(t, TABLE_UNIT, key, sizeof key, v, sizeof v), STORE_OK);
    }
    commit(t);
    store_close(&w->s);
    struct image im = load(w);
    memset(child_of(im, 7), 0, 6); /* the page at which the file begins is no leaf */
    save(w, im.p, im.n);
    free(im.p);
    struct end e = end_of(w, seek_between_all);
    assert_non_null(strstr(e.said, WHY " (mdb.c:"));
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), TOLD);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
