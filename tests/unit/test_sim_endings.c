/* A branch of a simulated world over a damaged store: what may end it, and what counts as a name of the damage. Each end in a child. */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <lmdb.h>

#include "broker/broken_tree.h"
#include "tests/sim/endings.h"
#include "tests/unit/child.h"

struct branch {
    bool broker;
    void (*act)(void);
};

static void watched(void *arg, int said_fd)
{
    const struct branch *b = arg;
    endings_watch(said_fd);
    in_broker = b->broker;
    b->act();
    _exit(ENDS_UNHARMED);
}

static void expect(bool broker, void (*act)(void), enum ending status, const char *said)
{
    struct end e = in_a_child(watched, &(struct branch){ broker, act });
    expect_exit(&e, (int)status, said);
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
    expect(true, lmdb_reads_nothing, ENDS_STOPPED, "");
    expect(true, lmdb_asserts, ENDS_STOPPED, "");
    expect(true, we_read_behind_the_end_of_a_file, ENDS_STOPPED, "");
}

static void a_crash_of_the_brokers_own_code_is_a_mistake(void **state)
{
    (void)state;
    expect(true, we_read_nothing, ENDS_WRONG, "the broker's own code crashed, outside of LMDB");
    expect(true, abort, ENDS_WRONG, "the broker's own code ended by an assertion");
}

static void so_is_any_crash_outside_of_the_broker(void **state)
{
    static const char text[] = "the agent's core or the simulator crashed";
    (void)state;
    expect(false, we_read_nothing, ENDS_WRONG, text);
    expect(false, abort, ENDS_WRONG, text);
    expect(false, lmdb_reads_nothing, ENDS_WRONG, text);
    expect(false, lmdb_asserts, ENDS_WRONG, text);
    expect(false, we_read_behind_the_end_of_a_file, ENDS_WRONG, text);
}

static void a_text_names_damage_by_a_table_or_a_file_of_the_store(void **state)
{
    static const struct {
        const char *text;
        enum ending how;
    } named[] = {
        { "ASSIGN 00000000000000a7: checksum", ENDS_NAMED },
        { "READY: records are missing, or too many, or cannot be walked", ENDS_NAMED },
        { "/d/a: META \"format\": too short", ENDS_NAMED },
        { "/d/a/data.mdb is cut off: it has 1 bytes, its pages need 2", ENDS_FILE_NAMED },
        { "/d/a/wal: at byte 512: a batch is damaged", ENDS_FILE_NAMED },
        { "wal: at byte 512: a batch is damaged", ENDS_FILE_NAMED },
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
        if (endings_named(named[i].text, "/d/a") != named[i].how)
            fail_msg("not named so: %s", named[i].text);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (endings_named(nothing[i], "/d/a") != ENDS_STOPPED)
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
