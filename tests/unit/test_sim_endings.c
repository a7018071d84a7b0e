/* A branch of a simulated world over a damaged store: what may end it, and what counts as a name of the damage. Each end in a child. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>

#include "broker/broken_tree.h"
#include "tests/sim/endings.h"

struct end {
    char said[200];
    int status;
};

static struct end in_a_child(bool broker, void (*act)(void))
{
    struct end e = { .status = 0 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        endings_watch(fds[1]);
        in_broker = broker;
        act();
        _exit(ENDS_UNHARMED);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], e.said, sizeof e.said - 1);
    e.said[n > 0 ? n : 0] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &e.status, 0), pid);
    return e;
}

static void expect(struct end e, enum ending status, const char *said)
{
    assert_string_equal(e.said, said);
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), status);
}

/* Where nothing is; what the compiler does not know. */
static char *nowhere(void)
{
    static char *volatile p = (char *)16;
    return p;
}

static void lmdb_reads_nothing(void)
{
    (void)mdb_txn_id((MDB_txn *)(void *)nowhere());
}

static void lmdb_asserts(void)
{
    broken_tree_asserted("", "mdb.c:1: no");
}

static void we_read_nothing(void)
{
    (void)*(const volatile char *)nowhere();
}

static void we_read_behind_the_end_of_a_file(void)
{
    char name[] = "/tmp/sunline-endings-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    const volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        (void)*p;
}

static void lmdb_may_end_the_broker_over_a_damaged_store(void **state)
{
    (void)state;
    expect(in_a_child(true, lmdb_reads_nothing), ENDS_STOPPED, "");
    expect(in_a_child(true, lmdb_asserts), ENDS_STOPPED, "");
    expect(in_a_child(true, we_read_behind_the_end_of_a_file), ENDS_STOPPED, "");
}

static void a_crash_of_the_brokers_own_code_is_a_mistake(void **state)
{
    (void)state;
    expect(in_a_child(true, we_read_nothing), ENDS_WRONG, "the broker's own code crashed, outside of LMDB");
    expect(in_a_child(true, abort), ENDS_WRONG, "the broker's own code ended by an assertion");
}

static void so_is_any_crash_outside_of_the_broker(void **state)
{
    static const char text[] = "the agent's core or the simulator crashed";
    (void)state;
    expect(in_a_child(false, we_read_nothing), ENDS_WRONG, text);
    expect(in_a_child(false, abort), ENDS_WRONG, text);
    expect(in_a_child(false, lmdb_reads_nothing), ENDS_WRONG, text);
}

static void a_text_names_damage_by_a_table_or_a_file_of_the_store(void **state)
{
    static const char *const named[] = {
        "ASSIGN 00000000000000a7: checksum",         "READY: records are missing, or too many, or cannot be walked",
        "/d/a: META \"format\": too short",          "/d/a/data.mdb is cut off: it has 1 bytes, its pages need 2",
        "/d/a/wal: at byte 512: a batch is damaged", "wal: at byte 512: a batch is damaged",
    };
    static const char *const nothing[] = {
        "",
        "damaged",
        "something is wrong",
        "ASSIGNMENT 7",
        "ASSIGN",
        "/d/a: a table is missing",
        "/d/a",
        "/d/a: Input/output error",
        "data.mdb",
        "a stored record is damaged; it was not served",
        "/d/b/data.mdb is cut off",
    };
    (void)state;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (!endings_named(named[i], "/d/a"))
            fail_msg("not named: %s", named[i]);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (endings_named(nothing[i], "/d/a"))
            fail_msg("named: %s", nothing[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lmdb_may_end_the_broker_over_a_damaged_store),
        cmocka_unit_test(a_crash_of_the_brokers_own_code_is_a_mistake),
        cmocka_unit_test(so_is_any_crash_outside_of_the_broker),
        cmocka_unit_test(a_text_names_damage_by_a_table_or_a_file_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
